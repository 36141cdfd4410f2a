"""Two recordings of the same cells compared, and the cells of a report.

Where the two sides record different facts of a cell, those that both have are compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from msgspec import structs

from tensorbridge_cli.diff.cells import (
    NOTHING,
    SCHEMA,
    Alone,
    Change,
    Changed,
    Comparison,
    Count,
    Facts,
    Key,
    Recording,
    Versions,
    text,
)
from tensorbridge_cli.records.report import Environment, Object, Report, Row, Subject


def compare(before: Recording, after: Recording) -> Comparison:
    """Return what changed; cells in the order in which they were recorded."""
    changed = []
    for key, facts in before.cells.items():
        found = changes(facts, after.cells.get(key, facts))
        if found:
            changed.append(Changed(cell=key, changes=found))
    counts = Counter(change for entry in changed for change in entry.changes)
    return Comparison(
        schema=SCHEMA,
        before=before.versions,
        after=after.versions,
        changed=tuple(changed),
        gone=_only_in(before, after),
        new=_only_in(after, before),
        counts=tuple(Count(change=change, cells=cells) for change, cells in counts.most_common()),
        same=len(before.cells.keys() & after.cells.keys()) - len(changed),
    )


_AXES = ("shape", "dtype", "layout", "state", "device", "given")


def across(before: Recording, after: Recording) -> Comparison:
    """Return what changed, also from one kind of source to another, such as from one layout to another.

    If no cell is on both sides, and each side has one value of every axis in which the sides differ, a conversion of
    one side corresponds to that conversion of the other, and ``subjects`` says in what the sources differ.
    """
    differing = _differing(before, after)
    moved = _moved(after, before, differing) if differing else after
    if not before.cells.keys() & moved.cells.keys():
        return compare(before, after)
    subjects = tuple(Change(about=axis, before=text(then), after=text(now)) for axis, (then, now) in differing.items())
    return structs.replace(compare(before, moved), subjects=subjects)


def _differing(before: Recording, after: Recording) -> dict[str, tuple[object, object]]:
    """Return the axes in which the sides differ, with the value of each side; none if a cell is on both sides."""
    if before.cells.keys() & after.cells.keys():
        return {}
    found: dict[str, tuple[object, object]] = {}
    for axis in (*_AXES, "to_dtype"):
        then, now = _values(before, axis), _values(after, axis)
        if then == now:
            continue
        if len(then) != 1 or len(now) != 1:
            return {}
        found[axis] = (next(iter(then)), next(iter(now)))
    return found


def _values(side: Recording, axis: str) -> set[object]:
    return {key.to_dtype if axis == "to_dtype" else getattr(key.subject, axis) for key in side.cells}


def _moved(side: Recording, to: Recording, differing: Collection[str]) -> Recording:
    """Return ``side`` with the values that ``to`` has on the ``differing`` axes."""
    target = next(iter(to.cells))
    facts = {axis: getattr(target.subject, axis) for axis in _AXES if axis in differing}
    if "given" in differing:
        facts["origin"] = target.subject.origin

    def subject(one: Subject) -> Subject:
        return structs.replace(one, **facts)

    return replace(
        side,
        cells={
            structs.replace(
                key,
                subject=subject(key.subject),
                to_dtype=target.to_dtype if "to_dtype" in differing else key.to_dtype,
            ): found
            for key, found in side.cells.items()
        },
        not_applicable={(name, subject(one)): why for (name, one), why in side.not_applicable.items()},
    )


def changes(then: Facts, now: Facts) -> tuple[Change, ...]:
    """Return the facts that both sides have and that are other ones ``now``."""
    return tuple(
        Change(about=about, before=then[about], after=now[about])
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


def of_report(report: Report) -> Recording:
    """Return the cells of ``report``."""
    return Recording(
        versions=versions_of(report.environment),
        cells={_key(row): _facts(row) for row in report.observations},
        not_applicable={(case.conversion, case.subject): case.reason for case in report.not_applicable},
    )


def versions_of(environment: Environment) -> Versions:
    """Return what of ``environment`` is compared."""
    return Versions(**{name: getattr(environment, name) for name in Versions.__struct_fields__})


def _key(row: Row) -> Key:
    return Key(conversion=row.conversion, direction=row.direction, to_dtype=row.to_dtype, subject=row.subject)


def _facts(row: Row) -> Facts:
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


def _result(result: Object | None) -> Facts:
    facts = ("dtype", "shape", "strides", "writable")
    return {f"result_{name}": text(getattr(result, name, None)) for name in facts}


def _crash(row: Row) -> str:
    """Return how the process ended, and where; what did not repeat alone is no fact."""
    crash = row.crash
    if crash is None or crash.confirmed is False:
        return NOTHING
    how = "timed-out" if crash.timed_out else crash.signal or f"exit-{crash.exit_code}"
    return f"{how}@{crash.stage}"
