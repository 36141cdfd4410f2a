"""The report as a grid: a line per conversion, a column per dtype, layout or state, and one letter per cell.

Rows are counted one by one, so that many thousands need no room. Where a cell stands for several experiments that came
out differently it says so. The broken contracts follow, each sentence once, with the cells where it was not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Literal, NamedTuple, get_args

from rich.text import Text

from tensorbridge_cli.records.enums import Direction, Outcome, Verdict
from tensorbridge_cli.records.report import Environment, NotApplicable, Report, Row, Tally
from tensorbridge_cli.records.words import amount
from tensorbridge_cli.render import Grids, View
from tensorbridge_cli.render.report.findings import call
from tensorbridge_cli.render.text import layout, words
from tensorbridge_cli.render.text.layout import GAP, hang, styled, to_string, width_of

Axis = Literal["shape", "dtype", "layout", "state"]
AXES: tuple[Axis, ...] = get_args(Axis)
"""What the columns can be."""

LETTERS = {
    Outcome.SHARED: "S",
    Outcome.COPIED: "C",
    Outcome.REFUSED: "R",
    Outcome.CRASHED: "X",
    Outcome.TIMED_OUT: "T",
    Outcome.UNDECIDABLE: "U",
    Outcome.INTERNAL_ERROR: "E",
}
MIXED, NONE = "M", "·"
KILLS, WRITTEN = "!", "*"
"""Marks behind the letter: a write crashes the process; one that was refused has changed the memory all the same."""
_MARKS = {
    "write-kills": (KILLS, "a write crashes the process"),
    "written-though-refused": (WRITTEN, "a write raised but changed the memory"),
}
_CELL = 2
"""The columns of a letter and its mark, or of a number."""
_LISTED = 6  # values of an axis that are named where a contract is broken; of more, their number


class _Broken(NamedTuple):
    """One sentence of the docs that is contradicted, and how."""

    about: str
    expected: str
    observed: str
    sentence: str
    citation: str


class _Where:
    """The conversions and sources with which a sentence is contradicted."""

    def __init__(self) -> None:
        self.conversions: dict[str, None] = {}
        self.values: dict[Axis, dict[str, None]] = {axis: {} for axis in AXES}
        self.experiments = 0

    def add(self, conversion: str, places: Iterable[tuple[Axis, str]]) -> None:
        self.experiments += 1
        self.conversions.setdefault(conversion)
        for axis, value in places:
            self.values[axis].setdefault(value)


class Grid:
    """The counts of rows: the outcomes of each cell of each axis, and the contradictions of the docs."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._values: dict[Axis, dict[str, None]] = {axis: {} for axis in AXES}
        self._lines: dict[tuple[Direction, str], dict[tuple[Axis, str], set[Outcome]]] = {}
        self._broken: dict[tuple[Direction, str], set[tuple[Axis, str]]] = {}
        self._marks: dict[tuple[Direction, str], dict[tuple[Axis, str], set[str]]] = {}
        self._breaches: dict[_Broken, _Where] = {}

    def add(self, entry: Row | NotApplicable) -> None:
        """Count one row, or one case that was not tried."""
        self.tally.add(entry)
        subject = entry.subject
        facts = {"shape": words.shape(subject.shape), **{axis: getattr(subject, axis) for axis in AXES[1:]}}
        places: list[tuple[Axis, str]] = [(axis, words.one_line(facts[axis])) for axis in AXES]
        if "scalar" in subject.state.split("+"):  # whose shape is fixed
            places = [(axis, value) for axis, value in places if axis != "shape"]
        for axis, value in places:
            self._values[axis].setdefault(value)
        if entry.direction is None or isinstance(entry, NotApplicable):
            return
        line = entry.direction, words.one_line(call(entry.conversion, entry.to_dtype))
        cells = self._lines.setdefault(line, {})
        for place in places:
            cells.setdefault(place, set()).add(entry.outcome)
        for mark in {hazard.code for hazard in entry.hazards} & _MARKS.keys():
            for place in places:
                self._marks.setdefault(line, {}).setdefault(place, set()).add(_MARKS[mark][0])
        for clause in entry.contract.clauses:
            if clause.verdict is Verdict.BROKEN:
                self._broken.setdefault(line, set()).update(places)
                breach = _Broken(
                    clause.about, clause.expected, clause.observed or "nothing", clause.sentence, clause.citation
                )
                self._breaches.setdefault(breach, _Where()).add(" ".join((line[1], words.direction(line[0]))), places)

    def axes(self) -> Iterator[Axis]:
        """Yield the axes with more than one value; ``layout`` if there is none."""
        several = tuple(axis for axis in AXES if len(self._values[axis]) > 1)
        yield from several or ("layout",)

    def common(self) -> Text:
        """Return the axes that have one value, which all cells have in common."""
        shown = set(self.axes())
        values = [f"{axis} {value}" for axis in AXES if axis not in shown for value in self._values[axis]]
        return Text.assemble(styled("All cells:", "heading"), f" {', '.join(values)}") if values else Text()

    def lines(self, width: int | None, environment: Environment) -> Iterator[Text]:
        """Yield the lines of the grids, the legend, what was broken, and the sum."""
        yield from self.grids(width)
        for breach in self.breaches():
            yield Text()
            yield from hang(breach, width)
        yield Text()
        yield from hang(self.total(environment), width)

    def breaches(self) -> Iterator[Text]:
        """Yield each sentence that is contradicted, with the cells."""
        yield from (_breach(breach, where) for breach, where in self._breaches.items())

    def total(self, environment: Environment) -> Text:
        """Return how often each outcome was observed."""
        return _sum(self.tally, environment)

    def grids(self, width: int | None) -> Iterator[Text]:
        """Yield the lines of the common values, of a grid for each axis and direction, and of the legend."""
        if (common := self.common()).plain:
            yield from hang(common, width)
            yield Text()
        numbered: set[Axis] = set()
        for axis in self.axes():
            for direction in Direction:
                names = [name for way, name in self._lines if way is direction]
                columns = [
                    value
                    for value in self._values[axis]
                    if any((axis, value) in self._lines[direction, name] for name in names)
                ]
                if names and columns:
                    yield from self._grid(axis, direction, names, columns, width, numbered)
                    yield Text()
        yield from hang(self._legend(), width)

    def _grid(
        self,
        axis: Axis,
        direction: Direction,
        names: list[str],
        columns: list[str],
        width: int | None,
        numbered: set[Axis],
    ) -> Iterator[Text]:
        """Yield one grid; ``numbered`` are the axes whose numbers were explained above."""
        title = words.DIRECTIONS[direction]
        label = max(map(len, (title, *names))) + GAP
        room = None if width is None else width - label
        # names that lie beside each other are read sooner than those from the top down
        if room is None or sum(len(one) + GAP for one in columns) - GAP <= room:
            yield Text(f"{axis:{label}}") + styled((" " * GAP).join(f"{one:2}" for one in columns).rstrip())
            yield styled(title, "heading")
            for name in names:
                cells = ([self._cell(axis, direction, name, one)] for one in columns)
                yield from layout.columns([[Text(name)], *cells], [label - GAP, *(max(2, len(one)) for one in columns)])
            return
        # names that don't fit get a number: upright, they would take a line a letter
        numbers = {value: f"{number}" for number, value in enumerate(self._values[axis], 1)}
        if axis not in numbered:
            numbered.add(axis)
            yield from hang(Text(f"{axis}: {', '.join(f'{n} {value}' for value, n in numbers.items())}"), width)
            yield Text()
        for some in _blocks(columns, room):
            yield Text(f"{axis:{label}}") + styled(" ".join(f"{numbers[one]:{_CELL}}" for one in some).rstrip())
            yield styled(title, "heading")
            for name in names:
                cells = ([self._cell(axis, direction, name, one)] for one in some)
                yield from layout.columns([[Text(name)], *cells], [label - 1, *[_CELL] * len(some)], gap=1)

    def _cell(self, axis: Axis, direction: Direction, name: str, value: str) -> Text:
        outcomes = self._lines[direction, name].get((axis, value), set())
        if not outcomes:
            return styled(NONE, "not-applicable")
        (first, *more) = outcomes
        marks = "".join(sorted(self._marks.get((direction, name), {}).get((axis, value), ())))
        letter = MIXED if more else LETTERS[first]
        if marks:
            letter = letter.lower() if (axis, value) in self._broken.get((direction, name), ()) else letter
            return styled(f"{letter}{marks}", "crashed")
        if (axis, value) in self._broken.get((direction, name), ()):
            return styled(letter.lower(), "broken")
        return styled(letter, "plain" if more else first)

    def _legend(self) -> Text:
        axes = set(self.axes())
        cells = [cell for line in self._lines.values() for (axis, _), cell in line.items() if axis in axes]
        outcomes = set(chain.from_iterable(cells))
        entries = [(letter, words.OUTCOMES[outcome]) for outcome, letter in LETTERS.items() if outcome in outcomes]
        if any(len(cell) > 1 for cell in cells):
            entries.append((MIXED, "differs within the cell"))
        places = [place for line in self._marks.values() for place in line.items()]
        marks = {mark for (axis, _), some in places if axis in axes for mark in some}
        entries += [(mark, word) for mark, word in _MARKS.values() if mark in marks]
        legend = ", ".join(f"{letter} {word}" for letter, word in (*entries, (NONE, "not applicable")))
        if not self._broken:
            return Text(legend)
        documented = any(breach.sentence for breach in self._breaches)
        what = "contradicts the docs" if documented else "does not meet an expectation"
        return Text(f"{legend}; lower case: {what}")


def render(report: Report, view: View) -> str:
    """Return ``report`` as grids."""
    grid = counted((*report.observations, *report.not_applicable))
    return grids(Grids(grid, report.environment), view)


def counted(entries: Iterable[Row | NotApplicable]) -> Grid:
    """Return the counts of ``entries``; no entry is kept in memory."""
    grid = Grid()
    for entry in entries:
        grid.add(entry)
    return grid


def grids(grids: Grids, view: View) -> str:
    """Return what was counted as text for a terminal or a pipe."""
    return to_string(grids.grid.lines(width_of(view), grids.environment), colour=view.colour)


def _blocks(columns: Sequence[str], room: int | None) -> Iterator[Sequence[str]]:
    """Cut ``columns`` into as few blocks of like size as fit, each cell a terminal column from the next."""
    most = len(columns) if room is None else max(1, (room + 1) // (_CELL + 1))
    count = -(-len(columns) // most)
    size = -(-len(columns) // count)
    for start in range(0, len(columns), size):
        yield columns[start : start + size]


def _breach(breach: _Broken, where: _Where) -> Text:
    quoted = f" “{breach.sentence}”" if breach.sentence else ""
    unmet = f"({breach.about}: expected {breach.expected}, found {breach.observed})"
    cells = "; ".join(_some(axis, values) for axis, values in where.values.items())
    return Text.assemble(
        ", ".join(where.conversions) + ": ",
        styled("contradicts the docs" if breach.sentence else "expectation not met", "broken"),
        f":{words.escape(f'{quoted} {unmet} {breach.citation}')} in ",
        words.escape(f"{amount(where.experiments, 'experiment')}: {cells}"),
    )


def _some(axis: Axis, values: dict[str, None]) -> str:
    return ", ".join(values) if len(values) <= _LISTED else f"{len(values)} {axis}s"


def _sum(tally: Tally, environment: Environment) -> Text:
    counts = tally.summary()
    phrases = [styled(phrase, name) for name, phrase in words.summary(counts)] or [styled(words.NONE_RUN)]
    experiments = amount(tally.experiments, "experiment")
    crashed = f" ({tally.crashes:,} crashed)" if tally.crashes else ""
    return Text.assemble(f"{experiments}{crashed}: ", Text(", ").join(phrases), f" {words.versions(environment)}")
