"""Two recordings of the same cells compared.

Where the two sides record different facts of a cell, those that both have are compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from tensorbridge_cli.diff.cells import (
    AXES,
    SCHEMA,
    Alone,
    Changed,
    Comparison,
    Count,
    FactChange,
    Facts,
    Recording,
    text,
)
from tensorbridge_cli.diff.ways import Sources, arrivals, ways
from tensorbridge_cli.records.report import Subject


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
