"""The ways in which cells changed, in words: one paragraph for each, with its conversions and their sources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tensorbridge_cli.records.words import amount
from tensorbridge_cli.render.text import words

if TYPE_CHECKING:
    from tensorbridge_cli.diff.cells import Arrival, AxisValues, FactChange, Group, Kind, Way

HEADINGS: dict[Kind, str] = {
    "worse": "worse",
    "better": "better",
    "other": "neither better nor worse",
    "exception": "another exception",
}

FACTS = {
    "outcome": "memory",
    "outcomes": "memory",
    "source_to_result": "write source→result",
    "result_to_source": "write result→source",
}
"""The words for the facts that the table has other words for; the others are called by their name."""

_PLURALS = {"to_dtype": "target dtypes", "given": "sources"}
_CALL = re.compile(r"([\w.]+)(\([^()]+\))")
_LISTED = 4
"""Values or groups that are listed; more are counted."""


def fact(name: str) -> str:
    """Return the words for the fact called ``name``."""
    return FACTS.get(name, name.replace("_", " "))


def change(one: FactChange) -> str:
    """Return ``memory shared → copied``."""
    return f"{fact(one.about)} {one.before} → {one.after}"


def headline(way: Way) -> str:
    """Return what changed, and in how many cells: ``memory shared → refused (TypeError): 3 cells``."""
    return f"{changes(way)}: {amount(way.cells, 'cell')}"


def changes(way: Way) -> str:
    """Return what changed: ``memory shared → refused (TypeError); new hazard values-changed``."""
    return "; ".join(_parts(way))


def _parts(way: Way) -> Iterator[str]:
    came = [one.after for one in way.changes if one.about == "hazards" and one.before == "-"]
    went = [one.before for one in way.changes if one.about == "hazards" and one.after == "-"]
    for one in way.changes:
        if one.about != "hazards":
            yield change(one)
    if came:
        yield f"new hazard{'s' * (len(came) > 1)} {', '.join(came)}"
    if went:
        yield f"no longer {', '.join(went)}"


def groups(several: Iterable[Group]) -> Iterator[str]:
    """Yield a line for each group, the largest first; the small ones are counted together."""
    ordered = sorted(several, key=lambda group: -group.cells)
    for group in ordered[:_LISTED]:
        yield f"{_conversions(group)}: {sources(group)}"
    if rest := ordered[_LISTED:]:
        names = amount(sum(len(group.conversions) for group in rest), "more conversion")
        yield f"{names}: {amount(sum(group.cells for group in rest), 'cell')}"


def _conversions(group: Group) -> str:
    by_direction: dict[str, list[str]] = {}
    for named in group.conversions:
        by_direction.setdefault(words.direction(named.direction), []).append(named.conversion)
    return "; ".join(f"{', '.join(_shortened(names))} {direction}" for direction, names in by_direction.items())


def _shortened(names: list[str]) -> Iterator[str]:
    """Yield names. Of a function that is called otherwise than the one before only the arguments are repeated."""
    before = None
    for name in names[: 2 * _LISTED]:
        called = _CALL.fullmatch(name)
        function = called[1] if called else name
        yield called[2] if called and function == before else name
        before = function
    if len(names) > 2 * _LISTED:
        yield f"{len(names) - 2 * _LISTED} more"


def sources(group: Group) -> str:
    """Return which sources a group has: ``28 dtypes; every layout``."""
    if group.product:
        single = [_single(one) for one in group.sources if len(one.values) == 1]
        several = [_several(one) for one in group.sources if len(one.values) > 1]
        return "; ".join(filter(None, (", ".join(dict.fromkeys(filter(None, single))), *several)))
    parts = [_several(one) for one in group.sources]
    return "; ".join(parts + [f"{group.more} more"] * bool(group.more))


def _single(one: AxisValues) -> str:
    (value,) = one.values
    if value == "-" or (one.axis, value) == ("device", "cpu"):
        return ""
    return {"shape": _shape(value), "to_dtype": f"to {value}"}.get(one.axis, value)


def _plural(axis: str) -> str:
    return _PLURALS.get(axis, f"{axis}s")


def _several(one: AxisValues) -> str:
    plural = _plural(one.axis)
    if one.every:
        return f"every {plural.removesuffix('s')}"
    if len(one.values) > _LISTED:
        return f"{len(one.values)} {plural}"
    values = [_shape(value) if one.axis == "shape" else value for value in one.values]
    return f"{plural if len(values) > 1 else plural.removesuffix('s')} {', '.join(values)}"


def _shape(value: str) -> str:
    return "0-d" if value == "()" else value.replace(",", "×")


def arrivals(several: Iterable[Arrival]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield a headline and its lines; values that came, or went, for the same cells share one.

    The headline is ``dtype bcomplex32: 56 cells``, ``dtypes int1, int2: 62 cells each``, or ``shared (this torch has
    none): 1 cell``. Where there are several values, ``each`` stands for them in the lines.
    """
    alike: dict[tuple[object, ...], list[Arrival]] = {}
    lines: dict[tuple[object, ...], tuple[str, ...]] = {}
    for one in several:
        texts = tuple(groups(one.groups))
        with_each = tuple(_with_each(line, one.value) for line in texts)
        key = (one.outcome, one.reason, one.axis, one.cells, with_each)
        lines[key] = with_each if key in alike else texts
        alike.setdefault(key, []).append(one)
    for of, same in alike.items():
        first, is_one = same[0], len(same) == 1
        if first.axis is None:
            name = first.outcome
        else:
            values = ", ".join(_shape(str(one.value)) if one.axis == "shape" else str(one.value) for one in same)
            name = f"{fact(first.axis) if is_one else _plural(first.axis)} {values}"
        reason = f" ({first.reason})" if first.reason else ""
        yield f"{name}{reason}: {amount(first.cells, 'cell')}{'' if is_one else ' each'}", lines[of]


def _with_each(line: str, value: str | None) -> str:
    return line if value is None else re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "each", line)
