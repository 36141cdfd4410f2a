"""Saved reports, each of another environment, put side by side; lines of JSON are read one by one. Needs no torch."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Sequence

from tensorbridge_cli.diff import saved
from tensorbridge_cli.diff.cells import Recording
from tensorbridge_cli.diff.environments import Clauses, Inspected, SideBySide, breaches, inspected, side_by_side
from tensorbridge_cli.diff.reports import recording
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.report import NotApplicable, Row, Tally


def merged(paths: Sequence[str]) -> SideBySide:
    """Read the reports that were saved as ``paths``; each gets a letter, in this order.

    Raises:
        RequestError: if they are fewer than two or more than letters, or if one is no report.
    """
    letters = string.ascii_uppercase
    if not 2 <= len(paths) <= len(letters):
        raise RequestError(f"specify from 2 to {len(letters)} reports, one of each environment (not {len(paths)}).")
    if paths.count(saved.STDIN) > 1:
        raise RequestError("standard input can be used for one of the reports only: specify files for the others.")
    environments, recordings, held = [], [], {}
    for letter, path in zip(letters, paths, strict=False):
        environment, cells, held[letter] = _read(letter, path)
        environments.append(environment)
        recordings.append(cells)
    return side_by_side(environments, recordings, breaches(held))


def _read(letter: str, path: str) -> tuple[Inspected, Recording, Clauses]:
    ran_on, entries = saved.entries(path)
    tally, held = Tally(), Clauses()
    cells = recording(ran_on, _noted(entries, tally, held))
    return inspected(letter, saved.called(path), ran_on, tally.summary()), cells, held


def _noted(entries: Iterable[Row | NotApplicable], tally: Tally, held: Clauses) -> Iterator[Row | NotApplicable]:
    """Yield ``entries``, each counted, and its clauses added."""
    for entry in entries:
        tally.add(entry)
        if isinstance(entry, Row):
            held.add(entry)
        yield entry
