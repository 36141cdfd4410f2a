"""Two recordings of the same cells compared, and the cells of a report.

Where the two sides record different facts of a cell, those that both have are compared.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from tensorbridge_cli.diff.cells import (
    AXES,
    NOTHING,
    SCHEMA,
    Alone,
    Changed,
    Comparison,
    Count,
    FactChange,
    Facts,
    Key,
    LibraryVersions,
    Recording,
    text,
)
from tensorbridge_cli.diff.ways import Sources, arrivals, ways
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.enums import Direction, Outcome, Stage, Values, Verdict, Write
from tensorbridge_cli.records.report import Environment, NotApplicable, Object, Report, Row, Subject


def compare(before: Recording, after: Recording) -> Comparison:
    """Return what changed; cells in the order in which they were recorded."""
    changed = []
    pairs = []
    for key, then in before.cells.items():
        now = after.cells.get(key, then)
        if now is not then and (differences := changes(then, now)):
            changed.append(Changed(cell=key, changes=differences))
            pairs.append((key, then, now))
    counts = Counter(change for entry in changed for change in entry.changes)
    gone, new = _only_in(before, after), _only_in(after, before)
    earlier, later = Sources(before.cells), Sources(after.cells)
    return Comparison(
        schema=SCHEMA,
        before=before.versions,
        after=after.versions,
        changed=tuple(changed),
        gone=gone,
        new=new,
        counts=tuple(Count(change=change, cells=cells) for change, cells in counts.most_common()),
        same=len(before.cells.keys() & after.cells.keys()) - len(changed),
        ways=ways(pairs, Sources(before.cells, after.cells)),
        gone_for=arrivals(gone, earlier, later),
        new_for=arrivals(new, later, earlier),
    )


def across(before: Recording, after: Recording) -> Comparison:
    """Return what changed, also from one kind of source to another, such as from one layout to another.

    If no cell is on both sides, and each side has one value of every axis in which the sides differ, a conversion of
    one side corresponds to that conversion of the other, and ``subjects`` says in what the sources differ.
    """
    differing = _differing(before, after)
    moved = _moved(after, before, differing) if differing else after
    if not before.cells.keys() & moved.cells.keys():
        return compare(before, after)
    subjects = tuple(
        FactChange(about=axis, before=text(then), after=text(now)) for axis, (then, now) in differing.items()
    )
    return replace(compare(before, moved), subjects=subjects)


def _differing(before: Recording, after: Recording) -> dict[str, tuple[object, object]]:
    """Return the axes in which the sides differ, with the value of each side; none if a cell is on both sides."""
    if before.cells.keys() & after.cells.keys():
        return {}
    differing: dict[str, tuple[object, object]] = {}
    for axis in AXES:
        then, now = ({key.at(axis) for key in side.cells} for side in (before, after))
        if then == now:
            continue
        if len(then) != 1 or len(now) != 1:
            return {}
        differing[axis] = (next(iter(then)), next(iter(now)))
    return differing


def _moved(side: Recording, to: Recording, differing: Collection[str]) -> Recording:
    """Return ``side`` with the values that ``to`` has on the ``differing`` axes."""
    target = next(iter(to.cells))
    facts: dict[str, Any] = {axis: target.at(axis) for axis in differing if axis != "to_dtype"}
    if "given" in differing:
        facts["origin"] = target.subject.origin

    def subject(one: Subject) -> Subject:
        return replace(one, **facts)

    return replace(
        side,
        cells={
            replace(
                key,
                subject=subject(key.subject),
                to_dtype=target.to_dtype if "to_dtype" in differing else key.to_dtype,
            ): recorded
            for key, recorded in side.cells.items()
        },
        not_applicable={(name, subject(one)): why for (name, one), why in side.not_applicable.items()},
    )


def changes(then: Facts, now: Facts) -> tuple[FactChange, ...]:
    """Return the facts that both sides have and that are other ones ``now``."""
    return tuple(
        FactChange(about=about, before=then[about], after=now[about])
        for about in then
        if now.get(about, then[about]) != then[about]
    )


def _only_in(one: Recording, other: Recording) -> tuple[Alone, ...]:
    return tuple(
        Alone(cell=key, outcome=facts["outcome"], reason=other.not_applicable.get((key.conversion, key.subject)))
        for key, facts in one.cells.items()
        if key not in other.cells
    )


# Reports -----------------------------------------------------------------------------------------


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
