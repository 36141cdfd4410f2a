"""Saved reports, each of another environment, put side by side; lines of JSON are read one by one. Needs no torch."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tensorbridge_cli.diff import saved
from tensorbridge_cli.diff.cells import Recording
from tensorbridge_cli.diff.environments import (
    LETTERS,
    Clauses,
    Inspected,
    SideBySide,
    breaches,
    inspected,
    noted,
    side_by_side,
)
from tensorbridge_cli.diff.reports import recording
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.report import Tally


def merged(paths: Sequence[str]) -> SideBySide:
    """Read the reports that were saved as ``paths``; each gets a letter, in this order.

    Raises:
        RequestError: if they are fewer than two or more than letters, if one is no report, or is there twice.
    """
    if not 2 <= len(paths) <= len(LETTERS):
        raise RequestError(f"specify from 2 to {len(LETTERS)} reports, one of each environment (not {len(paths)}).")
    if paths.count(saved.STDIN) > 1:
        raise RequestError("standard input can be used for one of the reports only: specify files for the others.")
    files = [os.path.realpath(path) for path in paths if path != saved.STDIN]
    for path in paths:
        if path != saved.STDIN and files.count(os.path.realpath(path)) > 1:
            raise RequestError(f"{saved.called(path)} is specified twice: specify one report of each environment.")
    environments, recordings, by_letter = [], [], {}
    for letter, path in zip(LETTERS, paths, strict=False):
        environment, cells, by_letter[letter] = _read(letter, path)
        environments.append(environment)
        recordings.append(cells)
    return side_by_side(environments, recordings, breaches(by_letter))


def _read(letter: str, path: str) -> tuple[Inspected, Recording, Clauses]:
    name = saved.called(path)
    ran_on, entries = saved.entries(path)
    tally, collected = Tally(), Clauses()
    cells = recording(name, ran_on, noted(entries, tally, collected))
    return inspected(letter, name, ran_on, tally.summary()), cells, collected
