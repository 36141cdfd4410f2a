"""The memory of a row as a picture: each buffer, and which of its bytes the source and the result reach."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from tensorbridge_cli.records.report import Row
from tensorbridge_cli.render.memory_map import captions
from tensorbridge_cli.render.memory_map.buffers import Buffer, Side, buffers
from tensorbridge_cli.render.memory_map.drawing import MOST_BUFFERS, Drawing, Kind, Piece, Strip, drawings
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.text.layout import hang, styled

LETTERS: dict[Side, str] = {"source": "S", "result": "R"}
GAP = "·"
UNKNOWN = "?"
CUT = "…"
LEGEND: dict[Kind, str] = {
    "gap": f"{GAP} = unused",
    "some": "lower case = partly used",
    "unknown": f"{UNKNOWN} = unknown",
}

INDENT = "  "
MARGIN = "    "

_LEAST = 8
"""Columns that a drawing has at least."""

UNLIMITED = 100
"""How wide a picture is when the width has no limit, and at most."""


def lines(label: str, row: Row, width: int | None) -> Iterator[Text]:
    """Yield the picture of one row in at most ``width`` columns."""
    drawn = buffers(row)
    yield from hang(styled(f"{words.one_line(label)}, memory: {captions.headline(row, drawn)}", "heading"), width)
    for buffer in drawn[:MOST_BUFFERS]:
        yield from _buffer(row, buffer, width)
    for sentence in captions.missing(row, drawn):
        yield from hang(styled(INDENT + sentence), width, MARGIN)
    yield Text()


def _buffer(row: Row, buffer: Buffer, width: int | None) -> Iterator[Text]:
    names = max(len(lane.name) for lane in buffer.lanes)
    numbers = len(f"{buffer.nbytes:,}")
    left = len(INDENT) + numbers + 1 + names + 1
    # the name of a part may be long, and a drawing needs a column
    first, *closer = drawings(buffer, max(min(width or UNLIMITED, UNLIMITED) - left, _LEAST))
    yield from hang(styled(INDENT + captions.buffer_sentence(buffer, first, LEGEND)), width, MARGIN)
    for side, sentence in captions.facts(row, buffer):
        name, colon, rest = sentence.partition(":")
        yield from hang(Text.assemble(INDENT, styled(name, f"the-{side}"), colon, rest), width, MARGIN)
    yield from _drawing(first, numbers, names)
    for drawing in closer:
        yield Text(INDENT + captions.closer(drawing))
        yield from _drawing(drawing, numbers, names)


def _drawing(drawing: Drawing, numbers: int, names: int) -> Iterator[Text]:
    if drawing.ruler:
        line = " " * (len(INDENT) + numbers + 1 + names + 1)
        for column, mark in drawing.ruler:
            line = line.ljust(len(INDENT) + numbers + names + 2 + column) + mark
        yield styled(line, "dim")
    for strip in drawing.strips:
        yield from _strip(strip, numbers, names)


def _strip(strip: Strip, numbers: int, names: int) -> Iterator[Text]:
    for nth, (lane, pieces) in enumerate(strip.lanes):
        line = styled(INDENT + ("" if nth else f"{strip.offset:,}").rjust(numbers) + " ")
        line.append_text(styled(lane.name.ljust(names) + " "))
        for piece in pieces:
            style = "dim" if piece.kind == "gap" else f"the-{lane.side}"
            line.append_text(styled(_characters(piece, LETTERS[lane.side]), style))
        yield line


def _characters(piece: Piece, letter: str) -> str:
    """Return ``[0,1]``, with an ellipsis on a side where the element goes on on another line."""
    match piece.kind:
        case "gap":
            return GAP * piece.width
        case "unknown":
            return UNKNOWN * piece.width
        case "some":
            return letter.lower() * piece.width
        case "all":
            return letter * piece.width
    if piece.width == 1:
        return letter
    inside = piece.width - 2
    filled = piece.label.center(inside) if piece.label else letter * inside
    return ("[" if piece.opens else CUT) + filled + ("]" if piece.closes else CUT)
