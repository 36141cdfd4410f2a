"""Conversions × environments, one letter per cell. Rows that are the same in all environments are only counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.text import Text

from tensorbridge_cli.diff.cells import AXES, AxisValues, Group, text
from tensorbridge_cli.diff.environments import NOT_APPLICABLE, Line, Look, lines
from tensorbridge_cli.records.enums import Direction, Outcome
from tensorbridge_cli.records.words import amount
from tensorbridge_cli.render import View
from tensorbridge_cli.render.diff import ways
from tensorbridge_cli.render.environments import heading
from tensorbridge_cli.render.report.findings import call
from tensorbridge_cli.render.report.grid import KILLS, LETTERS, NONE, WRITTEN
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.text.layout import GAP, columns, fold, hang, styled, to_string, width_of

if TYPE_CHECKING:
    from tensorbridge_cli.diff.environments import SideBySide

READ_ONLY = "-"
_MARKS = {
    READ_ONLY: "the result is read-only",
    KILLS: "a write ends the process",
    WRITTEN: "a refused write changed the memory",
}
_ROOM = 24
"""Columns that the sources of a line need to stand beside it; with fewer they stand below it."""


def side_by_side(compared: SideBySide, view: View) -> str:
    """Return the grid of several environments as text; ``view.everything``: with what is the same in all."""
    return to_string(cells(compared, width_of(view), everything=view.everything), colour=view.colour)


def cells(compared: SideBySide, width: int | None, *, everything: bool) -> Iterator[Text]:
    """Yield the lines of the grid, the environments above it."""
    letters = [one.letter for one in compared.environments]
    yield from heading.lines(compared.environments, width)
    yield Text()
    common = _common(compared)
    sources = ways.sources(_only(Group(conversions=(), cells=0, sources=common, product=True), set(AXES)))
    if sources:
        yield from hang(Text.assemble(styled("All cells:", "heading"), f" {sources}"), width)
        yield Text()
    every = lines(compared.cells)
    shown = [line for line in every if everything or not line.is_same]
    varying = {*AXES} - {one.axis for one in common}
    for direction in Direction:
        if some := [line for line in shown if line.direction == direction]:
            yield from _grid(words.DIRECTIONS[direction], some, letters, varying, width)
            yield Text()
    if shown:
        yield from hang(Text(_legend(shown)), width)
    yield from _reasons(compared, width, everything=everything)
    yield from hang(Text(_total(compared, every, everything=everything)), width)


def _common(compared: SideBySide) -> tuple[AxisValues, ...]:
    """Return the axes of which all cells have the same value, with that value."""
    by_axis = {axis: {text(one.cell.at(axis)) for one in compared.cells} for axis in AXES}
    return tuple(
        AxisValues(axis=axis, values=tuple(values), every=False) for axis, values in by_axis.items() if len(values) == 1
    )


def _only(group: Group, axes: set[str]) -> Group:
    return replace(group, sources=tuple(one for one in group.sources if one.axis in axes))


def _grid(
    title: str, some: Sequence[Line], letters: Sequence[str], varying: set[str], width: int | None
) -> Iterator[Text]:
    names = [words.one_line(call(line.conversion, line.to_dtype)) for line in some]
    tokens = [[sign(one) for one in line.looks] for line in some]
    cell = max(2, *(token.cell_len for row in tokens for token in row))
    label = max(map(len, (title, *names)))
    if width is not None:
        label = min(label, width - GAP - (cell + 1) * len(letters))
    head = [styled(letter, "heading") for letter in letters]
    widths = [label, *[cell + 1] * len(letters)]
    yield from _row([styled(title, "heading")], head, widths)
    used = sum(widths) + GAP
    for name, row, line in zip(names, tokens, some, strict=True):
        sources = words.one_line(ways.sources(_only(line.group, varying)))
        if not sources:
            yield from _row(fold(Text(name), label), row, widths)
        elif width is None or width - used >= _ROOM:
            beside = fold(Text(sources), None if width is None else width - used)
            lines_ = list(_row(fold(Text(name), label), row, widths))
            yield from columns([lines_, beside], [used - GAP, max(one.cell_len for one in beside)])
        else:
            yield from _row(fold(Text(name), label), row, widths)
            for part in hang(Text(sources), width - 4):
                yield Text("    ") + part


def _row(name: list[Text], cells: Sequence[Text], widths: Sequence[int]) -> Iterator[Text]:
    first, *rest = widths
    yield from columns([name, *([one] for one in cells)], [first + GAP, *rest], gap=0)


def sign(one: Look) -> Text:
    """Return the letter of a cell with its marks; lower case: the documentation is contradicted."""
    if one.outcome == NOT_APPLICABLE:
        return styled(NONE, "not-applicable")
    outcome = LETTERS[Outcome(one.outcome)]
    marks = "".join(
        mark for mark, is_so in ((READ_ONLY, one.is_read_only), (KILLS, one.kills), (WRITTEN, one.is_written)) if is_so
    )
    style = "crashed" if one.kills or one.is_written else "broken" if one.is_broken else one.outcome
    return styled(f"{outcome.lower() if one.is_broken else outcome}{marks}", style)


def _legend(shown: Sequence[Line]) -> str:
    looks = {one for line in shown for one in line.looks}
    tokens = {sign(one).plain for one in looks}
    outcomes = {one.outcome for one in looks}
    entries = [f"{letter} {words.OUTCOMES[outcome]}" for outcome, letter in LETTERS.items() if outcome in outcomes]
    entries += [f"{mark} {word}" for mark, word in _MARKS.items() if any(mark in token for token in tokens)]
    if NONE in tokens:
        entries.append(f"{NONE} not applicable")
    broken = "; lower case: contradicts the docs" if any(one.is_broken for one in looks) else ""
    return f"{', '.join(entries)}{broken}"


def _reasons(compared: SideBySide, width: int | None, *, everything: bool) -> Iterator[Text]:
    """Yield why cells are not applicable in an environment, each reason once."""
    names_of: dict[tuple[str, str], dict[str, None]] = {}
    for one in compared.cells:
        for letter, facts in one.found.items():
            if facts["outcome"] == NOT_APPLICABLE and (everything or not one.same):
                names_of.setdefault((letter, facts["reason"]), {})[call(one.cell.conversion, one.cell.to_dtype)] = None
    for (letter, reason), names in names_of.items():
        yield from hang(Text(words.one_line(f"{NONE} {letter}: {reason}: {heading.several(names)}")), width)


def _total(compared: SideBySide, every: Sequence[Line], *, everything: bool) -> str:
    same = sum(line.group.cells for line in every if line.is_same)
    hidden = "" if everything or not same else " (--all shows them)"
    return f"{same:,} of {amount(len(compared.cells), 'cell')} look the same in all environments{hidden}"
