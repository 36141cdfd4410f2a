"""The report as a grid: a line a conversion, a column a dtype, layout or state, and a letter a cell.

Rows are counted one by one, so that many thousands need no room. Where a cell stands for several experiments that came
out differently it says so. The broken contracts follow, each sentence once, with the cells where it was not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import Literal, NamedTuple, get_args

from rich.text import Text

from tensorbridge_cli.records.report import Direction, Environment, NotApplicable, Outcome, Report, Row, Tally, Verdict
from tensorbridge_cli.render import View
from tensorbridge_cli.render.report.findings import call
from tensorbridge_cli.render.text import layout, words
from tensorbridge_cli.render.text.layout import GAP, hang, styled, to_string

Axis = Literal["dtype", "layout", "state"]
AXES: tuple[Axis, ...] = get_args(Axis)

LETTERS = {
    Outcome.SHARED: "S",
    Outcome.COPIED: "C",
    Outcome.REFUSED: "R",
    Outcome.CRASHED: "X",
    Outcome.TIMED_OUT: "T",
    Outcome.UNDECIDABLE: "U",
}
MIXED, NONE = "M", "·"
NARROWEST = 40
_TALLEST = 20
_LISTED = 6  # values of an axis that are named where a contract is broken; of more, their number


class _Broken(NamedTuple):
    """One sentence that was not kept, and how."""

    about: str
    expected: str
    found: str
    sentence: str
    citation: str


class _Where:
    """The conversions and subjects with which a sentence was not kept."""

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
    """What is kept of rows: for each cell of each axis its outcomes, and where a contract was broken."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._values: dict[Axis, dict[str, None]] = {axis: {} for axis in AXES}
        self._lines: dict[tuple[Direction, str], dict[tuple[Axis, str], set[Outcome]]] = {}
        self._broken: dict[tuple[Direction, str], set[tuple[Axis, str]]] = {}
        self._breaches: dict[_Broken, _Where] = {}

    def add(self, entry: Row | NotApplicable) -> None:
        """Count one row, or one case that was not tried."""
        self.tally.add(entry)
        subject = entry.subject
        places: list[tuple[Axis, str]] = [(axis, words.one_line(getattr(subject, axis))) for axis in AXES]
        for axis, value in places:
            self._values[axis].setdefault(value)
        if entry.direction is None or isinstance(entry, NotApplicable):
            return
        line = entry.direction, words.one_line(call(entry.conversion, entry.to_dtype))
        cells = self._lines.setdefault(line, {})
        for place in places:
            cells.setdefault(place, set()).add(entry.outcome)
        for clause in entry.contract.clauses:
            if clause.verdict is Verdict.BROKEN:
                self._broken.setdefault(line, set()).update(places)
                breach = _Broken(
                    clause.about, clause.expected, clause.observed or "nothing", clause.sentence, clause.citation
                )
                self._breaches.setdefault(breach, _Where()).add(" ".join((line[1], words.direction(line[0]))), places)

    def axes(self) -> Iterator[Axis]:
        """Yield what there is more than one of; ``layout`` where there is one of each."""
        several = tuple(axis for axis in AXES if len(self._values[axis]) > 1)
        yield from several or AXES[1:2]

    def lines(self, width: int | None, environment: Environment) -> Iterator[Text]:
        """Yield the lines of the grids, the legend, what was broken, and the sum."""
        yield from self.grids(width)
        for breach in self.breaches():
            yield Text()
            yield from hang(breach, width)
        yield Text()
        yield from hang(self.total(environment), width)

    def breaches(self) -> Iterator[Text]:
        """Yield each sentence that was not kept, with the cells where it was not."""
        yield from (_breach(breach, where) for breach, where in self._breaches.items())

    def total(self, environment: Environment) -> Text:
        """Return how often each outcome was seen."""
        return _sum(self.tally, environment)

    def grids(self, width: int | None) -> Iterator[Text]:
        """Yield the lines of a grid an axis and direction, and the legend."""
        for axis in self.axes():
            for direction in Direction:
                names = [name for way, name in self._lines if way is direction]
                columns = [
                    value
                    for value in self._values[axis]
                    if any((axis, value) in self._lines[direction, name] for name in names)
                ]
                if names and columns:
                    yield from self._grid(axis, direction, names, columns, width)
                    yield Text()
        yield from hang(self._legend(), width)

    def _grid(
        self, axis: Axis, direction: Direction, names: list[str], columns: list[str], width: int | None
    ) -> Iterator[Text]:
        title = words.DIRECTIONS[direction]
        label = max(map(len, (title, *names))) + GAP
        room = None if width is None else width - label
        # names that lie beside each other are read sooner than those from the top down
        if room is None or sum(len(one) + GAP for one in columns) - GAP <= room:
            yield Text(f"{axis:{label}}") + styled((" " * GAP).join(columns))
            yield styled(title, "heading")
            for name in names:
                cells = ([self._cell(axis, direction, name, one)] for one in columns)
                yield from layout.columns([[Text(name)], *cells], [label - GAP, *map(len, columns)])
            return
        for some in _blocks(columns, room):
            for nth, letters in enumerate(_upright(some)):
                heading = f"{axis}" if nth == 0 else ""
                yield Text(f"{heading:{label}}") + styled(" ".join(letters).rstrip())
            yield styled(title, "heading")
            for name in names:
                yield Text(f"{name:{label}}") + Text(" ").join(self._cell(axis, direction, name, one) for one in some)

    def _cell(self, axis: Axis, direction: Direction, name: str, value: str) -> Text:
        outcomes = self._lines[direction, name].get((axis, value), set())
        if not outcomes:
            return styled(NONE, "not-applicable")
        (first, *more) = outcomes
        letter = MIXED if more else LETTERS[first]
        if (axis, value) in self._broken.get((direction, name), ()):
            return styled(letter.lower(), "broken")
        return styled(letter, "plain" if more else first)

    def _legend(self) -> Text:
        axes = set(self.axes())
        cells = [found for line in self._lines.values() for (axis, _), found in line.items() if axis in axes]
        outcomes = set(chain.from_iterable(cells))
        said = [(letter, words.OUTCOMES[outcome]) for outcome, letter in LETTERS.items() if outcome in outcomes]
        if any(len(found) > 1 for found in cells):
            said.append((MIXED, "differs within the cell"))
        legend = ", ".join(f"{letter} {word}" for letter, word in (*said, (NONE, "not applicable")))
        return Text(legend + ("; in lower case: a documented contract is broken" if self._broken else ""))


def render(report: Report, view: View) -> str:
    """Return ``report`` as grids."""
    return grids(counted((*report.observations, *report.not_applicable)), report.environment, view)


def counted(entries: Iterable[Row | NotApplicable]) -> Grid:
    """Return the counts of ``entries``, of which none is kept."""
    grid = Grid()
    for entry in entries:
        grid.add(entry)
    return grid


def grids(grid: Grid, environment: Environment, view: View) -> str:
    """Return what was counted as text for a terminal or a pipe."""
    width = None if view.width is None else max(view.width, NARROWEST)
    return to_string(grid.lines(width, environment), colour=view.colour)


def _blocks(columns: Sequence[str], room: int | None) -> Iterator[Sequence[str]]:
    """Cut ``columns``, two terminal columns wide each, into as few blocks of like size as fit."""
    most = len(columns) if room is None else max(1, (room + 1) // 2)
    count = -(-len(columns) // most)
    size = -(-len(columns) // count)
    for start in range(0, len(columns), size):
        yield columns[start : start + size]


def _upright(names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Yield the lines of headings that are read from the top down, all ending at the bottom."""
    short = (name if len(name) <= _TALLEST else name[: _TALLEST - 1] + "…" for name in names)
    backwards = list(zip_longest(*(name[::-1] for name in short), fillvalue=" "))
    yield from reversed(backwards)


def _breach(breach: _Broken, where: _Where) -> Text:
    quoted = f" “{breach.sentence}”" if breach.sentence else ""
    unmet = f"({breach.about}: expected {breach.expected}, found {breach.found})"
    cells = "; ".join(_some(axis, values) for axis, values in where.values.items())
    return Text.assemble(
        ", ".join(where.conversions) + ": ",
        styled("contract broken", "broken"),
        f":{words.escape(f'{quoted} {unmet} {breach.citation}')} in ",
        words.escape(f"{where.experiments:,} experiment{'s' * (where.experiments != 1)}: {cells}"),
    )


def _some(axis: Axis, values: dict[str, None]) -> str:
    return ", ".join(values) if len(values) <= _LISTED else f"{len(values)} {axis}s"


def _sum(tally: Tally, environment: Environment) -> Text:
    counts = tally.summary()
    phrases = [styled(phrase, name) for name, phrase in words.summary(counts)] or [styled("nothing was tried")]
    tried = f"{tally.experiments:,} experiment{'s' * (tally.experiments != 1)}"
    died = f", {tally.deaths:,} of which ended their process" if tally.deaths else ""
    return Text.assemble(f"{tried}{died}: ", Text(", ").join(phrases), f" {words.versions(environment)}")
