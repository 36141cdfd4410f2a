"""The captions of a picture of memory, in a terminal and in a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tensorbridge_cli.memory.spans import Span
from tensorbridge_cli.records.report import Row
from tensorbridge_cli.records.words import amount
from tensorbridge_cli.render.memory_map.buffers import Buffer, Lane, Side
from tensorbridge_cli.render.memory_map.drawing import MOST_BUFFERS, Drawing, Kind
from tensorbridge_cli.render.text import words


def headline(row: Row, drawn: tuple[Buffer, ...]) -> str:
    """Return ``shared, one buffer, used by both``."""
    sides = [{lane.side for lane in buffer.lanes if lane.reached} for buffer in drawn]
    both = sum(len(reached) > 1 for reached in sides)
    outcome = words.OUTCOMES[row.outcome]
    if not any(sides):
        return f"{outcome}, no bytes"
    if row.result is None:
        return f"{outcome}, source only"
    count = {1: "one buffer", 2: "two buffers"}.get(len(drawn), f"{len(drawn)} buffers")
    if both:
        return f"{outcome}, {count}, {f'{both} of them ' * (both < len(drawn))}used by both"
    return f"{outcome}, {count}" + (f", used by the {min(sides[0])}" if len(drawn) == 1 else "")


def missing(row: Row, buffers: tuple[Buffer, ...]) -> Iterator[str]:
    """Yield a sentence for each side, and for the buffers, that the picture does not show."""
    if len(buffers) > MOST_BUFFERS:
        yield f"and {len(buffers) - MOST_BUFFERS} more buffers"
    drawn = {lane.side for buffer in buffers for lane in buffer.lanes}
    for side, described in (("source", row.source), ("result", row.result)):
        if described is not None and side not in drawn:
            yield f"{side}: {words.one_line(described.type)}, {'no bytes' if described.nbytes == 0 else 'no address'}"


def buffer_sentence(buffer: Buffer, drawing: Drawing, legend: Mapping[Kind, str]) -> str:
    """Return where the buffer is, how long, at which scale it is drawn, and of ``legend`` what explains the drawing."""
    if drawing.cell is not None:
        scale = f"{amount(drawing.cell, 'byte')} per cell"
    else:
        scale = f"{amount(drawing.line, 'byte')} per line" if len(drawing.strips) > 1 else "one line"
    kinds = {piece.kind for strip in drawing.strips for _, pieces in strip.lanes for piece in pieces}
    explained = ", ".join([scale, *(meaning for kind, meaning in legend.items() if kind in kinds)])
    return f"buffer at {buffer.address:#x}, {amount(buffer.nbytes, 'byte')}: {explained}"


def closer(drawing: Drawing) -> str:
    """Return the caption of a part that is drawn once more, enlarged."""
    return f"zoom: from byte {drawing.start:,}"


def facts(row: Row, buffer: Buffer) -> Iterator[tuple[Side, str]]:
    """Yield a sentence for each lane of ``buffer``: its elements, their place, and what is unusual in their order."""
    names: dict[tuple[Span, ...], str] = {}
    for lane in buffer.lanes:
        spans = tuple(reach.span for reach in lane.reaches)
        if spans in names and lane.reached:
            yield lane.side, f"{lane.name}: same elements at the same bytes as the {names[spans]}"
            continue
        names[spans] = lane.name
        yield lane.side, f"{lane.name}: {'; '.join(_sentence_parts(row, lane, spans))}"


def _sentence_parts(row: Row, lane: Lane, spans: tuple[Span, ...]) -> Iterator[str]:
    first = spans[0]
    if not first.nbytes:
        yield "no elements"
        return
    if lane.reaches[0].packed:
        yield f"{amount(first.nbytes, 'byte')} of packed elements from byte {first.pointer:,}"
        return
    items = f"{len(spans)} items, the first of " if len(spans) > 1 else ""
    shape = f"{words.shape(first.shape)} elements" if first.shape else "one element"
    yield f"{items}{shape} of {amount(first.itemsize, 'byte')}, index {_first(first)} at byte {first.pointer:,}"
    if first.shape:
        yield f"stride{'s' * (len(first.shape) > 1)} {', '.join(f'{stride:,}' for stride in first.strides)}"
    yield from _oddities(first)
    if lane.side == "source" and "byte-swapped" in row.subject.layout.split("+"):
        yield "non-native byte order (⇄)"


def _first(span: Span) -> str:
    return f"({', '.join('0' for _ in span.shape)}{',' * (len(span.shape) == 1)})"


def _oddities(span: Span) -> Iterator[str]:
    moving = [(abs(s), axis) for axis, (s, n) in enumerate(zip(span.strides, span.shape, strict=True)) if n > 1 and s]
    for axis, (stride, n) in enumerate(zip(span.strides, span.shape, strict=True)):
        if n > 1 and not stride:
            yield f"axis {axis} has stride 0: all its {n:,} indices (:) use the same bytes"
        elif n > 1 and stride < 0:
            yield f"axis {axis} is reversed (←)"
    follows, run = span.itemsize, span.itemsize
    for stride, axis in sorted(moving, key=lambda one: (one[0], -one[1])):
        if stride < run:
            yield f"neighbours along axis {axis} overlap (×: number of elements)"
        elif stride > follows:
            yield f"axis {axis} has gaps of {amount(stride - follows, 'byte')}"
        run += stride * (span.shape[axis] - 1)
        follows = stride * span.shape[axis]
    order = [axis for _, axis in sorted(moving, key=lambda one: (-one[0], one[1]))]
    if order != sorted(order):
        yield f"axis {order[-1]} varies fastest in memory"
