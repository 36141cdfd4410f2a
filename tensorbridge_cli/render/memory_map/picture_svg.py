"""The same picture of memory as an SVG in a page, which can be read in light and dark and scales to its place.

The page has ``STYLE`` once for all of its pictures. If it has its own colours, it sets the custom properties
``--tb-paper`` and ``--tb-ink``. The source's bytes have a whole border, the result's a dashed one, so that the two can
be distinguished without colour.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from textwrap import wrap

from tensorbridge_cli.records.report import Row
from tensorbridge_cli.render.memory_map import captions
from tensorbridge_cli.render.memory_map.buffers import Buffer, buffers
from tensorbridge_cli.render.memory_map.drawing import MOST_BUFFERS, Drawing, Kind, Piece, Strip, drawings
from tensorbridge_cli.render.text import words

COLUMNS = 48
"""What a drawing may take: so few that its letters can be read on a phone."""

COLUMN, LANE, TEXT = 8.0, 18.0, 16.0
CHARACTER = 6.7
EDGE = 12.0

LEGEND: dict[Kind, str] = {
    "gap": "dotted = unused",
    "some": "paler = partly used",
    "unknown": "? = unknown",
}

STYLE = """
.tb-picture{--p:var(--tb-paper,#fff);--i:var(--tb-ink,#1f2328);font:11px ui-monospace,Menlo,Consolas,monospace}
.tb-picture .p{fill:var(--p)}
.tb-picture text{fill:var(--i)}
.tb-picture .h{font-weight:bold;font-size:12px}
.tb-picture .d{opacity:.7}
.tb-picture .m{text-anchor:middle}
.tb-picture .e{text-anchor:end}
.tb-picture .g{fill:none;stroke:var(--i);stroke-opacity:.35;stroke-dasharray:1 3}
.tb-picture .source,.tb-picture .result{stroke:#1f2328}
.tb-picture .source{fill:#7cc4e8}
.tb-picture .result{fill:#f7c948;stroke-dasharray:3 2}
.tb-picture .some{fill-opacity:.45}
.tb-picture .unknown{fill-opacity:.15}
.tb-picture .l{fill:#1f2328}
@media (prefers-color-scheme:dark){.tb-picture{--p:var(--tb-paper,#0d1117);--i:var(--tb-ink,#e6edf3)}}
"""


def svg(row: Row) -> str:
    """Return the picture of one row as an ``<svg>`` element."""
    drawn = buffers(row)
    title = f"{words.one_line(row.conversion)}, memory: {captions.headline(row, drawn)}"
    canvas = _Canvas(_left(drawn))
    canvas.write(title, "h")
    sentences_drawn = []
    for buffer in drawn[:MOST_BUFFERS]:
        first, *closer = drawings(buffer, COLUMNS)
        sentences = [
            captions.buffer_sentence(buffer, first, LEGEND),
            *(fact for _, fact in captions.facts(row, buffer)),
        ]
        sentences_drawn += sentences
        for sentence in sentences:
            canvas.write(sentence)
        canvas.draw(first)
        for drawing in closer:
            canvas.write(captions.closer(drawing))
            canvas.draw(drawing)
    for sentence in captions.missing(row, drawn):
        sentences_drawn.append(sentence)
        canvas.write(sentence)
    return canvas.finished(title, ". ".join(sentences_drawn))


def _left(drawn: tuple[Buffer, ...]) -> float:
    """Return how much room the offsets and the names of the lanes take."""
    numbers = max((len(f"{buffer.nbytes:,}") for buffer in drawn), default=0)
    names = max((len(lane.name) for buffer in drawn for lane in buffer.lanes), default=0)
    return 2 * EDGE + (numbers + 1 + names) * CHARACTER


class _Canvas:
    """Lines of text and drawings, each below the last."""

    def __init__(self, left: float) -> None:
        self._left = left
        self._width = left + COLUMNS * COLUMN + EDGE
        self._bottom = EDGE
        self._parts: list[str] = []

    def write(self, sentence: str, style: str = "") -> None:
        for nth, line in enumerate(wrap(sentence, int((self._width - 3 * EDGE) / CHARACTER / (1.1 if style else 1)))):
            self._bottom += TEXT
            self._text(EDGE * (1 + (nth > 0)), self._bottom - 4, line, style)

    def draw(self, drawing: Drawing) -> None:
        if drawing.ruler:
            self._bottom += TEXT
        for column, mark in drawing.ruler:
            self._text(self._left + column * COLUMN, self._bottom - 4, mark, "d")
        for strip in drawing.strips:
            self._strip(strip)
        self._bottom += EDGE / 2

    def _strip(self, strip: Strip) -> None:
        names = max(len(lane.name) for lane, _ in strip.lanes)
        beside = self._left - EDGE / 2 - names * CHARACTER
        self._text(beside - CHARACTER, self._bottom + LANE - 5, f"{strip.offset:,}", "d e")
        for lane, pieces in strip.lanes:
            self._text(beside, self._bottom + LANE - 5, lane.name)
            for piece in pieces:
                self._parts.extend(self._piece(piece, lane.side))
            self._bottom += LANE
        self._bottom += 4

    def _piece(self, piece: Piece, side: str) -> Iterator[str]:
        left, width = self._left + piece.start * COLUMN, piece.width * COLUMN
        kind = "g" if piece.kind == "gap" else f"{side} {piece.kind}"
        yield f'<rect class="{kind}" x="{left:g}" y="{self._bottom + 1:g}" width="{width:g}" height="{LANE - 2:g}"/>'
        label = "?" if piece.kind == "unknown" else piece.label if piece.opens else "…"
        if label:
            ink = "m" if piece.kind == "unknown" else "l m"
            at = f'x="{left + width / 2:g}" y="{self._bottom + LANE - 5:g}"'
            yield f'<text class="{ink}" {at}>{escape(label)}</text>'

    def _text(self, x: float, y: float, text: str, style: str = "") -> None:
        dressed = f'class="{style}" ' if style else ""
        self._parts.append(f'<text {dressed}x="{x:g}" y="{y:g}">{escape(text)}</text>')

    def finished(self, title: str, description: str) -> str:
        width, height = self._width, self._bottom + EDGE
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="tb-picture" role="img" aria-label="{escape(title)}" '
            f'viewBox="0 0 {width:g} {height:g}" style="width:100%;max-width:{1.25 * width:g}px;height:auto">'
            f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"
            f'<rect class="p" width="{width:g}" height="{height:g}" rx="6"/>{"".join(self._parts)}</svg>\n'
        )
