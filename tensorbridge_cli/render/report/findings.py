"""The findings of a report for code scanners and CI: contradictions, crashes and hazards, with their severity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tensorbridge_cli.records.enums import Direction, Outcome, Verdict
from tensorbridge_cli.records.report import Report, Row, Subject
from tensorbridge_cli.render.text import words

Level = Literal["error", "warning", "note"]

BROKEN = "contract-broken"
"""A sentence of the documentation did not hold."""
UNMET = "expectation-not-met"
"""What the user expects, or an earlier report says, did not hold."""


@dataclass(frozen=True)
class ReportFinding:
    """One finding in one row: its severity, its kind, and its text.

    ``citation`` is the page that was not kept, ``id`` the short code of a hazard.
    """

    level: Level
    code: str
    row: Row
    text: str
    citation: str | None = None
    id: str | None = None


def findings(report: Report) -> Iterator[ReportFinding]:
    """Yield the findings row by row: a contradiction is an error, a crash a warning, any other hazard a note."""
    for row in report.observations:
        for clause in row.contract.clauses:
            if clause.verdict is Verdict.BROKEN:
                quoted = f": “{clause.sentence}”" if clause.sentence else ""
                text = f"{words.unmet(clause)}{quoted}"
                yield ReportFinding("error", BROKEN if clause.sentence else UNMET, row, text, clause.citation)
        if row.outcome in (Outcome.CRASHED, Outcome.TIMED_OUT):
            yield ReportFinding("warning", row.outcome, row, words.reason(row) or words.OUTCOMES[row.outcome])
        for hazard in row.hazards:
            level: Level = "warning" if hazard.code == "write-kills" else "note"
            yield ReportFinding(level, hazard.code, row, hazard.detail, id=hazard.id or None)


def call(conversion: str, to_dtype: str | None) -> str:
    """Return the conversion, with its target dtype where it was given one."""
    return f"{conversion} to {to_dtype}" if to_dtype else conversion


def cell(row: Row) -> str:
    """Return the name of a row's cell, in one line."""
    return place(call(row.conversion, row.to_dtype), row.direction, row.subject)


def place(name: str, direction: Direction | None, subject: Subject) -> str:
    """Return ``name`` with its direction and subject, in one line."""
    named = f"{name} {words.direction(direction)}".strip()
    return words.one_line(f"{named}, {words.subject(subject, ())}")
