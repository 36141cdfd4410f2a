"""Which findings of a trace count: ``--select CODES`` and ``--ignore CODES``."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from tensorbridge_cli.catalog import codes
from tensorbridge_cli.errors import RequestError, unknown
from tensorbridge_cli.records.trace import Trace
from tensorbridge_cli.records.trace_words import CODES


@dataclass(frozen=True)
class Selection:
    """Names of findings: those that count alone (none: all count), and those that do not."""

    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()

    def counts(self, name: str) -> bool:
        """Return True if findings of this name count."""
        return name not in self.ignore and (not self.select or name in self.select)

    def of(self, trace: Trace) -> Trace:
        """Return ``trace`` with the findings that count; comments that accept one of the others stay as they are."""
        return replace(trace, findings=tuple(one for one in trace.findings if self.counts(one.code)))


def parse(select: Iterable[str], ignore: Iterable[str]) -> tuple[Selection, tuple[str, ...]]:
    """Read the values of both options; return the selection and the paths of ``--ignore``.

    ``--ignore PATH`` is the old spelling of ``--omit PATH``: a value that names findings is read as such, the path of
    anything that exists as a path.

    Raises:
        RequestError: for what is neither.
    """
    names, paths = set[str](), list[str]()
    for value in ignore:
        values = _names(value)
        if values and values <= CODES.keys():
            names |= values
        elif os.path.exists(value):
            paths.append(value)
        elif values & CODES.keys():
            raise _wrong("--ignore", value)
        else:
            raise _wrong("--ignore", value, "; use --omit PATH to ignore files and folders.")
    chosen = set[str]()
    for value in select:
        if not (values := _names(value)) or not values <= CODES.keys():
            raise _wrong("--select", value)
        chosen |= values
    return Selection(frozenset(chosen), frozenset(names)), tuple(paths)


def all_are_findings(text: str) -> bool:
    """Return True if ``text`` is the name or the code of a finding, or several with commas between them."""
    return bool(_names(text)) and _names(text) <= CODES.keys()


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _names(text: str) -> set[str]:
    return {codes.finding_of(item) for item in _items(text)}


def _wrong(option: str, value: str, end: str = "") -> RequestError:
    wrong = next((item for item in _items(value) if codes.finding_of(item) not in CODES), value)
    name = codes.finding_of(wrong)
    if name != wrong:
        return RequestError(f"{option}: {codes.labelled(wrong, name)} is not a finding of trace.")
    known: Collection[str] = codes.FINDINGS.values() if codes.is_code(wrong) else CODES
    sentence = str(unknown("finding", wrong, known))
    return RequestError(
        f"{option}: {sentence[:-1]}{end}" if end and sentence.endswith(".") else f"{option}: {sentence}"
    )
