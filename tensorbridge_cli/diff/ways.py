"""The ways in which cells changed: one change in many cells is one way, with its conversions and its sources.

One change of a cell shows in several of its facts. If a conversion raises that used to share, its writes, its values
and the dtype of its result are other ones, too. A way names what these follow from: the outcome with its exception or
signal, the hazards that came or went, and the facts of the result that both sides have.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from tensorbridge_cli.diff.cells import (
    AXES,
    KINDS,
    NOTHING,
    Alone,
    Arrival,
    AxisValues,
    FactChange,
    Facts,
    Group,
    Key,
    Kind,
    Named,
    Way,
    text,
)
from tensorbridge_cli.records.words import NO_TORCH

Essence = tuple[Kind, tuple[FactChange, ...]]
Source = tuple[str, ...]
"""One text for each of ``AXES``."""

# The change of one cell --------------------------------------------------------------------------

_RANK = {"shared": 3, "copied": 2, "undecidable": 2, "refused": 1}
"""How much a conversion gives of what was asked of it; 0 for a crash, a time-out and an internal error."""
_RAISED = 1

_IMPLIED_BY_HAZARD = {
    "values-changed": {"values"},
    "dtype-changed": {"result_dtype"},
    "shape-changed": {"result_shape", "result_strides"},
    "readonly-dropped": {"result_writable"},
    "write-kills": {"source_to_result", "result_to_source", "crash"},
}
"""The facts that say nothing more than the hazard which came or went with them."""


def essence(then: Facts, now: Facts) -> Essence:
    """Return the changes of a cell from which the others follow, and whether they are for the worse.

    They are for the worse if a hazard came, if the documentation is contradicted, or if the conversion gives less:
    shared before copied, copied before raised, raised before crashed.
    """
    differing = {name for name in then if name in now and now[name] != then[name]}
    new, resolved = _hazards(now) - _hazards(then), _hazards(then) - _hazards(now)
    if "hazards" not in now or "hazards" not in then:
        new, resolved = set(), set()
    changes = []
    if _outcome(then) != _outcome(now):
        changes.append(FactChange(about="outcome", before=_outcome(then), after=_outcome(now)))
    follow = {"outcome", "error", "hazards", "contract"}
    follow.update(*(_IMPLIED_BY_HAZARD.get(hazard, set()) for hazard in new | resolved))
    both_have_results = min(_rank(then), _rank(now)) > _RAISED
    if "outcome" in differing or not both_have_results:
        follow |= {"source_to_result", "result_to_source", "values", "crash"}
    if not both_have_results:
        follow |= {name for name in differing if name.startswith("result_")}
    changes += [_change(name, then, now) for name in then if name in differing - follow]
    changes += [FactChange(about="hazards", before=NOTHING, after=hazard) for hazard in sorted(new)]
    changes += [FactChange(about="hazards", before=hazard, after=NOTHING) for hazard in sorted(resolved)]
    if "contract" in differing and (not changes or "broken" in {then["contract"], now["contract"]}):
        changes.append(_change("contract", then, now))
    if not changes:  # a change that follows from no reported one is reported itself
        changes = [_change(name, then, now) for name in then if name in differing]
    return _kind(then, now, new, resolved), tuple(changes)


def _change(name: str, then: Facts, now: Facts) -> FactChange:
    return FactChange(about=name, before=then[name], after=now[name])


def _rank(facts: Facts) -> int:
    return _RANK.get(facts["outcome"], 0)


def _hazards(facts: Facts) -> set[str]:
    return set(facts.get("hazards", NOTHING).split(",")) - {NOTHING}


def _outcome(facts: Facts) -> str:
    """Return ``shared``, or ``refused (TypeError)``, or ``crashed (SIGABRT)``."""
    if _rank(facts) > _RAISED:
        return facts["outcome"]
    crash = facts.get("crash", NOTHING).partition("@")[0]
    how = facts.get("error", NOTHING) if crash == NOTHING else crash
    return facts["outcome"] if how in {NOTHING, facts["outcome"]} else f"{facts['outcome']} ({how})"


def _kind(then: Facts, now: Facts, new: set[str], resolved: set[str]) -> Kind:
    before, after = _rank(then), _rank(now)
    broken = then.get("contract") == "broken", now.get("contract") == "broken"
    if before == after == _RAISED and not new | resolved and broken[0] == broken[1]:
        return "exception"
    worse = bool(new) or (broken[1] and not broken[0])
    better = bool(resolved) or (broken[0] and not broken[1])
    if worse or after < before:
        return "other" if better and not worse else "worse"
    return "better" if better or after > before else "other"


# Many cells --------------------------------------------------------------------------------------


def ways(changed: Iterable[tuple[Key, Facts, Facts]], sources: Sources) -> tuple[Way, ...]:
    """Return the ways in which cells changed, each given with its facts then and now; the worst way comes first."""
    cells: dict[Essence, list[Key]] = defaultdict(list)
    for key, then, now in changed:
        cells[essence(then, now)].append(key)
    unsorted = (
        Way(kind=kind, changes=changes, cells=len(keys), groups=sources.groups(keys))
        for (kind, changes), keys in cells.items()
    )
    return tuple(sorted(unsorted, key=_gravity))


def _gravity(way: Way) -> tuple[int, int, int]:
    """Return the sort key of a way: its kind; a crash before lost sharing before changed values; then its size."""
    after = " ".join(change.after for change in way.changes)
    if "crashed" in after or "write-kills" in after or "timed-out" in after:
        grave = 0
    elif any(change.before == "shared" for change in way.changes):
        grave = 1
    else:
        grave = 2 if "values-changed" in after else 3
    return KINDS.index(way.kind), grave, -way.cells


def arrivals(alone: Iterable[Alone], sources: Sources, other: Sources) -> tuple[Arrival, ...]:
    """Return the cells that one side has alone, put together; the most cells come first.

    Args:
        alone: the cells.
        sources: all that their side ran.
        other: all that the other side ran.
    """
    cells: dict[tuple[str, str | None, str | None, str | None], list[Key]] = defaultdict(list)
    for one in alone:
        # without PyTorch half of the dtypes, layouts and states are missing: that is one reason, and not one a dtype
        axis, value = (None, None) if one.reason == NO_TORCH else other.lacks(one.cell)
        cells["" if axis else one.outcome, one.reason, axis, value].append(one.cell)
    unsorted = (
        Arrival(outcome=outcome, reason=reason, axis=axis, value=value, cells=len(keys), groups=sources.groups(keys))
        for (outcome, reason, axis, value), keys in cells.items()
    )
    return tuple(sorted(unsorted, key=lambda arrival: -arrival.cells))


class Sources:
    """The cells of a side, or of both: what ``every`` and ``usual`` refer to. Counted when it is first asked."""

    def __init__(self, *sides: Iterable[Key]) -> None:
        self._sides = sides

    @cached_property
    def _sources(self) -> Mapping[tuple[str, str], list[Source]]:
        """The sources of each conversion in each direction."""
        sources: dict[tuple[str, str], list[Source]] = defaultdict(list)
        for key in dict.fromkeys(itertools.chain(*self._sides)):
            sources[key.conversion, key.direction].append(_source(key))
        return sources

    @cached_property
    def _counts(self) -> Sequence[Counter[str]]:
        """How many sources have each value of each axis."""
        sources = itertools.chain.from_iterable(self._sources.values())
        return [Counter(column) for column in zip(*sources, strict=True)] or [Counter() for _ in AXES]

    @cached_property
    def _usual(self) -> Source:
        return tuple(max(count, key=count.__getitem__, default=NOTHING) for count in self._counts)

    def lacks(self, key: Key) -> tuple[str | None, str | None]:
        """Return the first axis of which no cell here has the value of ``key``, and that value; or the conversion."""
        for axis, value, count in zip(AXES, _source(key), self._counts, strict=True):
            if value not in count and count:
                return axis, value
        missing = (key.conversion, key.direction) not in self._sources
        return ("conversion", key.conversion) if missing else (None, None)

    def groups(self, keys: Iterable[Key]) -> tuple[Group, ...]:
        """Return ``keys`` by conversion; conversions with the same sources are one group."""
        sources: dict[Named, list[Source]] = defaultdict(list)
        for key in keys:
            sources[Named(conversion=key.conversion, direction=key.direction)].append(_source(key))
        together: dict[tuple[Source, ...], list[Named]] = defaultdict(list)
        for name, some in sources.items():
            together[tuple(sorted(some))].append(name)
        return tuple(self._group(names, some) for some, names in together.items())

    def _group(self, names: Sequence[Named], sources: tuple[Source, ...]) -> Group:
        columns = [tuple(dict.fromkeys(column)) for column in zip(*sources, strict=True)]
        wanted = [set(column) for column in columns]
        within = sum(
            all(value in values for value, values in zip(source, wanted, strict=True))
            for source in self._sources.get((names[0].conversion, names[0].direction), sources)
        )
        product = within <= len(sources)
        shown = enumerate(columns) if product else self._lines(sources)
        apart = 0 if product else sum(len(self._unusual(source)) > 1 for source in sources)
        return Group(
            conversions=tuple(names),
            cells=len(names) * len(sources),
            sources=tuple(self._axis(axis, values) for axis, values in shown),
            product=product,
            more=apart,
        )

    def _lines(self, sources: Iterable[Source]) -> list[tuple[int, tuple[str, ...]]]:
        """Return the values of each axis that sources have which are as usual on every other axis."""
        lines: dict[int, list[str]] = defaultdict(list)
        usual = False
        for source in sources:
            unusual = self._unusual(source)
            usual |= not unusual
            if len(unusual) == 1:
                lines[unusual[0]].append(source[unusual[0]])
        first = min(lines, default=1)  # the usual source lies on every line, and is told on the first
        if usual:
            lines[first].insert(0, self._usual[first])
        return [(axis, tuple(lines[axis])) for axis in sorted(lines)]

    def _unusual(self, source: Source) -> list[int]:
        return [axis for axis, (value, usual) in enumerate(zip(source, self._usual, strict=True)) if value != usual]

    def _axis(self, axis: int, values: tuple[str, ...]) -> AxisValues:
        every = len(values) > 1 and set(values) == self._counts[axis].keys()
        return AxisValues(axis=AXES[axis], values=values, every=every)


def _source(key: Key) -> Source:
    return tuple(text(key.at(axis)) for axis in AXES)
