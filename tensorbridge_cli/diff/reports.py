"""The cells of a report."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tensorbridge_cli.diff.cells import NOTHING, Facts, Key, LibraryVersions, Recording, text
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.enums import Direction, Outcome, Stage, Values, Verdict, Write
from tensorbridge_cli.records.report import Environment, NotApplicable, Object, Report, Row, Subject


@dataclass(frozen=True)
class _Writes:
    source_to_result: Write
    result_to_source: Write


@dataclass(frozen=True)
class _Result:
    dtype: str | None
    shape: tuple[int, ...] | None
    strides: tuple[int, ...] | None
    writable: bool | None


@dataclass(frozen=True)
class _Hazard:
    code: str


@dataclass(frozen=True)
class _Error:
    type: str


@dataclass(frozen=True)
class _Crash:
    stage: Stage
    signal: str | None
    exit_code: int | None
    confirmed: bool | None
    timed_out: bool = False


@dataclass(frozen=True)
class _Contract:
    verdict: Verdict


@dataclass(frozen=True)
class _Row:
    """What of a ``Row`` is compared."""

    conversion: str
    direction: Direction
    to_dtype: str | None
    subject: Subject
    outcome: Outcome
    writes: _Writes
    values: Values
    result: _Result | None
    hazards: tuple[_Hazard, ...]
    error: _Error | None
    crash: _Crash | None
    contract: _Contract


@dataclass(frozen=True)
class Compared:
    """What of a report is compared: read instead of the whole, 60,000 rows take a tenth of the memory."""

    schema: Literal["tensorbridge.report/1"]
    environment: Environment
    observations: tuple[_Row, ...]
    not_applicable: tuple[NotApplicable, ...]


@dataclass(frozen=True)
class ComparedLine:
    """The same of a report as lines of JSON, of all lines but the first; the last one has the ``summary``."""

    observation: _Row | None = None
    not_applicable: NotApplicable | None = None
    summary: object = None
    answers: object = None


def of_report(report: Report) -> Recording:
    """Return the cells of ``report``."""
    return recording("the report", report.environment, itertools.chain(report.observations, report.not_applicable))


def recording(name: str, environment: Environment, entries: Iterable[Row | _Row | NotApplicable]) -> Recording:
    """Return the cells of ``entries``, of which none is kept; cells with the same facts hold the same object.

    Raises:
        RequestError: if two rows of one cell have different facts, with the ``name`` of what has them.
    """
    known: dict[tuple[str, ...], Facts] = {}
    cells: dict[Key, Facts] = {}
    not_applicable = {}
    for entry in entries:
        if isinstance(entry, NotApplicable):
            not_applicable[entry.conversion, entry.subject] = entry.reason
        else:
            facts = _facts(entry)
            facts = known.setdefault(tuple(facts.values()), facts)
            if cells.setdefault(_key(entry), facts) is not facts:
                source = f"{entry.subject.dtype}, {entry.subject.layout}, {entry.subject.state}"
                raise RequestError(
                    f"{name} has two rows of one cell, {entry.conversion} ({source}), that contradict each other: "
                    "remove one of them."
                )
    return Recording(versions=versions_of(environment), cells=cells, not_applicable=not_applicable)


def versions_of(environment: Environment) -> LibraryVersions:
    """Return what of ``environment`` is compared."""
    return LibraryVersions(**{name: getattr(environment, name) for name in LibraryVersions.__dataclass_fields__})


def _key(row: Row | _Row) -> Key:
    return Key(conversion=row.conversion, direction=row.direction, to_dtype=row.to_dtype, subject=row.subject)


def _facts(row: Row | _Row) -> Facts:
    return {
        "outcome": row.outcome,
        "source_to_result": row.writes.source_to_result,
        "result_to_source": row.writes.result_to_source,
        "values": row.values,
        **_result(row.result),
        "hazards": ",".join(sorted(hazard.code for hazard in row.hazards)) or NOTHING,
        "error": row.error.type if row.error is not None else NOTHING,
        "crash": _crash(row),
        "contract": row.contract.verdict,
    }


def _result(result: Object | _Result | None) -> Facts:
    facts = ("dtype", "shape", "strides", "writable")
    return {f"result_{name}": text(getattr(result, name, None)) for name in facts}


def _crash(row: Row | _Row) -> str:
    """Return how the process ended, and where; what did not repeat alone is not a fact."""
    crash = row.crash
    if crash is None or crash.confirmed is False:
        return NOTHING
    how = "timed-out" if crash.timed_out else crash.signal or f"exit-{crash.exit_code}"
    return f"{how}@{crash.stage}"
