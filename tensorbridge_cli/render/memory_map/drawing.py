"""A buffer drawn in columns: lines of memory, one for each row if possible, with a lane for each side.

Where it is small each element is a piece, as wide as its index where there is room. What is larger is scaled: a column
is a cell that stands for as many bytes as the drawing says, and where it is first reached a few bytes are drawn closer.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from math import ceil, gcd
from typing import Literal

from tensorbridge_cli.memory.spans import Span
from tensorbridge_cli.render.memory_map.buffers import Block, Buffer, Lane, blocks, portion

MOST_LINES = 12
MOST_CELLS = 64
SCALED_LINES = 4
MAGNIFIED = (16, 8, 4, 2, 1)
"""How many elements of a large buffer are drawn one by one, the most that fit."""

MOST_BUFFERS = 6
"""So many are drawn of a row; of more it is said how many."""

Kind = Literal["element", "all", "some", "unknown", "gap"]


@dataclass(frozen=True)
class Piece:
    """Columns of one kind: one element, or cells of which all bytes, or some, are reached, or none.

    ``label`` is the index where it fits between two brackets; ``opens`` and ``closes`` tell whether the element begins
    and ends here, and not on another line.
    """

    start: int
    width: int
    kind: Kind
    label: str = ""
    opens: bool = True
    closes: bool = True


@dataclass(frozen=True)
class Strip:
    """One line of memory: the offset of its first byte, and each lane's pieces, which leave no column out."""

    offset: int
    lanes: tuple[tuple[Lane, tuple[Piece, ...]], ...]


@dataclass(frozen=True)
class Drawing:
    """A buffer, or its bytes ``[start, stop)``, as strips.

    ``line`` is how many bytes a strip holds; ``cell`` how many bytes a character stands for where it is scaled, else
    None; ``ruler`` is the offsets within a strip, with their columns.
    """

    start: int
    stop: int
    line: int
    cell: int | None
    width: int
    ruler: tuple[tuple[int, str], ...]
    strips: tuple[Strip, ...]


def drawings(buffer: Buffer, room: int) -> tuple[Drawing, ...]:
    """Draw ``buffer`` in ``room`` columns: as it is, or else scaled, and then where it is first reached once more."""
    return _drawings(replace(buffer, address=0), room)  # nothing that is drawn depends on where the buffer lies


@functools.lru_cache(maxsize=256)  # many experiments of a report are on sources of one shape and layout
def _drawings(buffer: Buffer, room: int) -> tuple[Drawing, ...]:
    exact = _exact(buffer, 0, buffer.nbytes, room, MOST_LINES)
    if exact is not None:
        return (exact,)
    return (_scaled(buffer, room), *_magnified(buffer, room))


def _magnified(buffer: Buffer, room: int) -> Iterator[Drawing]:
    spans = [span for lane in buffer.lanes for span in lane.reached]
    if not spans:
        return
    start = min(span.bounds()[0] for span in spans)
    for count in MAGNIFIED:
        stop = min(buffer.nbytes, start + count * max(span.itemsize for span in spans))
        drawing = _exact(buffer, start, stop, room, 1)
        if drawing is not None and (count == 1 or _labelled(drawing)):
            yield drawing
            return


def _labelled(drawing: Drawing) -> bool:
    return all(
        piece.label
        for strip in drawing.strips
        for _, pieces in strip.lanes
        for piece in pieces
        if piece.kind == "element" and piece.closes
    )


# Byte for byte -----------------------------------------------------------------------------------


def _exact(buffer: Buffer, start: int, stop: int, room: int, most_lines: int) -> Drawing | None:
    """Draw every element; None if that takes more lines, or more elements than are inspected."""
    unit = _unit(buffer, start)
    if (stop - start) // unit > most_lines * room:
        return None
    lanes: list[tuple[Lane, tuple[Block, ...]]] = []
    for lane in buffer.lanes:
        if (reached := blocks(lane, start, stop)) is None:
            return None
        lanes.append((lane, reached))
    scales = _scales([block for _, reached in lanes for block in reached], unit)
    structured, plain = _periods(buffer, start, stop)
    for periods in (structured, plain):
        for scale in scales:
            for period in periods:
                lines = ceil((stop - start) / period)
                if period % unit == 0 and period // unit * scale <= room and lines <= most_lines:
                    return _drawn(lanes, start, stop, period, unit, scale)
    return None


def _unit(buffer: Buffer, start: int) -> int:
    """Return the most bytes that an edge of every element is a multiple of."""
    numbers = [
        number
        for lane in buffer.lanes
        for reach in lane.reaches
        for number in (reach.span.pointer - start, reach.span.itemsize, *reach.span.strides)
    ]
    return gcd(*numbers) or 1


def _scales(reached: list[Block], unit: int) -> tuple[int, ...]:
    """Return how many columns a unit can take: so that indexes fit, so that a letter in brackets does, or one."""
    labelled = max(
        (ceil((max(len(block.label), 1) + 2) * unit / (block.stop - block.start)) for block in reached), default=1
    )
    bracketed = max((ceil(3 * unit / (block.stop - block.start)) for block in reached), default=1)
    return tuple(dict.fromkeys((labelled, bracketed, 1)))


def _periods(buffer: Buffer, start: int, stop: int) -> tuple[list[int], list[int]]:
    """Return how many bytes a line can hold, the best first: as the rows of an object lie, and by powers of two."""
    spans = [span for lane in buffer.lanes for span in lane.reached]
    rows = sorted({stride for span in spans for stride in _row_strides(span) if stride < stop - start}, reverse=True)
    itemsize = max((span.itemsize for span in spans), default=1)
    powers = [itemsize << shift for shift in range(10, -1, -1) if itemsize << shift < stop - start]
    return rows, [stop - start, *powers]


def _row_strides(span: Span) -> Iterator[int]:
    """Yield the strides that step over whole rows."""
    axes = sorted((abs(stride), n) for stride, n in zip(span.strides, span.shape, strict=True) if stride and n > 1)
    run = span.itemsize
    for nth, (stride, n) in enumerate(axes):
        if nth and stride >= run:
            yield stride
        run += stride * (n - 1)


def _drawn(
    lanes: list[tuple[Lane, tuple[Block, ...]]], start: int, stop: int, period: int, unit: int, scale: int
) -> Drawing:
    strips = tuple(
        Strip(at, tuple((lane, _row(reached, at, min(at + period, stop), unit, scale)) for lane, reached in lanes))
        for at in range(start, stop, period)
    )
    width = min(period, stop - start) // unit * scale
    itemsize = max((span.itemsize for lane, _ in lanes for span in lane.reached), default=unit)
    return Drawing(start, stop, period, None, width, _ruler(itemsize, unit, scale, width), strips)


def _row(reached: tuple[Block, ...], start: int, stop: int, unit: int, scale: int) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    column = 0

    def until(end: int) -> None:
        if column < end:
            pieces.append(Piece(column, end - column, "gap"))

    for block in reached:
        if block.start < stop and block.stop > start:
            # an edge that is not a multiple of the unit is the storage's own, and rounded outwards
            left = (max(block.start, start) - start) // unit * scale
            right = -((start - min(block.stop, stop)) // unit) * scale
            until(left)
            opens, closes = block.start >= start, block.stop <= stop
            label = block.label if opens and len(block.label) + 2 <= right - left else ""
            pieces.append(Piece(left, right - left, "element", label, opens, closes))
            column = right
    until(-((start - stop) // unit) * scale)
    return tuple(pieces)


def _ruler(itemsize: int, unit: int, scale: int, width: int) -> tuple[tuple[int, str], ...]:
    """Return ``+0``, ``+4`` and so on at their columns, as close as they can be read."""
    step = itemsize
    while step // unit * scale <= len(f"+{width // scale * unit}"):
        step *= 2
    marks = ((column, f"+{column // scale * unit}") for column in range(0, width, step // unit * scale))
    return tuple((column, mark) for column, mark in marks if column + len(mark) <= width or not column)


# Scaled ------------------------------------------------------------------------------------------


def _scaled(buffer: Buffer, room: int) -> Drawing:
    cells = min(room, MOST_CELLS)
    cell = 1
    while cell * cells * SCALED_LINES < buffer.nbytes:
        cell *= 2
    line = cell * cells
    strips = tuple(
        Strip(at, tuple((lane, _cells(lane, at, min(at + line, buffer.nbytes), cell)) for lane in buffer.lanes))
        for at in range(0, buffer.nbytes, line)
    )
    width = min(cells, ceil(buffer.nbytes / cell))
    return Drawing(0, buffer.nbytes, line, cell, width, (), strips)


def _cells(lane: Lane, start: int, stop: int, cell: int) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    column = 0
    for kind, run in groupby(portion(lane, at, min(at + cell, stop)) for at in range(start, stop, cell)):
        pieces.append(Piece(column, sum(1 for _ in run), kind))
        column += pieces[-1].width
    return tuple(pieces)
