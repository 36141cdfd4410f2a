"""The elements of both objects before and after each write, as a notebook would show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

from tensorbridge_cli.records.enums import Via
from tensorbridge_cli.records.report import Cell, Object, Row, Snapshot
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.text.layout import columns, fold, hang, styled

MARGIN = "    "
INDENT = "  "
APART = 4

UNLIMITED = 120
"""Where a line of elements is broken when the width has no limit."""


def before_and_after(label: str, row: Row, width: int | None) -> Iterator[Text]:
    """Yield the lines for one row; none if nothing was recorded. ``[ ]`` stands around what a write changed."""
    if row.evidence.snapshots:
        yield from hang(styled(f"{words.one_line(label)}, values ([ ] changed by the write)", "heading"), width)
        yield from _snapshots(row, width)
        yield Text()
    elif row.evidence.cells:
        yield from hang(styled(f"{words.one_line(label)}, values", "heading"), width)
        for cell in row.evidence.cells:
            yield from hang(styled(INDENT + _sentence(cell)), width, MARGIN)
        yield Text()


def _snapshots(row: Row, width: int | None) -> Iterator[Text]:
    room = (width or UNLIMITED) - len(MARGIN)
    snapshots = row.evidence.snapshots
    before, after = ([getattr(snapshot, side) for snapshot in snapshots] for side in ("source", "result"))
    sources = grids(before, row.source, room, cell_width(before))
    results = grids(after, row.result, room, cell_width(after))
    for snapshot, source, result in zip(snapshots, sources, results, strict=True):
        yield from hang(styled(INDENT + _step(snapshot, row.evidence.cells)), width, MARGIN)
        blocks = [[styled("source", "heading"), *source], [styled("result", "heading"), *result]]
        widths = [max(line.cell_len for line in block) for block in blocks]
        if sum(widths) + APART <= room:
            lines = columns(blocks, widths, APART)
        else:
            lines = [line for block in blocks for line in columns([block], [room])]
        yield from (Text(MARGIN) + line for line in lines)


def _step(snapshot: Snapshot, cells: tuple[Cell, ...]) -> str:
    if snapshot.after == "convert":
        return "after the conversion"
    wrote = snapshot.after.removeprefix("write-")
    written = [
        f"{wrote}{index_text(cell)} = {words.one_line(cell.written)}{' (its bytes)' * (cell.via is Via.BYTES)}"
        for cell in cells
        if cell.wrote == wrote
    ]
    return f"after {', '.join(written)}" if written else f"after writing to the {wrote}"


def cell_width(history: Sequence[tuple[str, ...] | None]) -> int:
    """Return how many columns the longest element takes, with the marks around it."""
    return max((cell_len(words.escape(text)) for elements in history for text in elements or ()), default=0) + 2


def grids(
    history: Sequence[tuple[str, ...] | None], described: Object | None, room: int, cell: int
) -> Iterator[list[Text]]:
    """Yield one object's elements after each step, in rows of at most ``room`` columns, the changed ones marked.

    ``cell`` is the columns of one element.
    """
    earlier: tuple[str, ...] | None = None
    for elements in history:
        if elements is None:
            yield [Text("not read")]
            continue
        before = elements if earlier is None or len(earlier) != len(elements) else earlier
        marked = [_element(words.escape(now), now != then, cell) for now, then in zip(elements, before, strict=True)]
        yield _arrange(marked, _row_length(len(elements), described), max(1, (room - len(INDENT)) // cell), room)
        earlier = elements


def _element(text: str, changed: bool, cell: int) -> Text:
    marked = f"[{text}]" if changed else f"{text} "
    return styled(" " * (cell - cell_len(marked)) + marked, "changed" if changed else "plain")


def _row_length(count: int, described: Object | None) -> int:
    shape = described.shape if described is not None else None
    return shape[1] if shape is not None and len(shape) == 2 and shape[0] * shape[1] == count else count


def _arrange(cells: list[Text], row_length: int, fitting: int, room: int) -> list[Text]:
    if not cells:
        return [Text("no elements")]
    lines: list[Text] = []
    for start in range(0, len(cells), row_length):
        row = cells[start : start + row_length]
        for offset in range(0, len(row), fitting):
            line = Text(INDENT if offset else "") + Text("").join(row[offset : offset + fitting])
            lines.extend(fold(line, room))
    return lines


def _sentence(cell: Cell) -> str:
    other, after = ("result", cell.result_after) if cell.wrote == "source" else ("source", cell.source_after)
    shows = "was not read" if after is None else f"shows {words.one_line(after)}"
    bytewise = " byte by byte" * (cell.via is Via.BYTES)
    before, written = words.one_line(cell.before), words.one_line(cell.written)
    return f"{index_text(cell)}: {before} → {written} written to the {cell.wrote}{bytewise}; the {other} {shows}"


def index_text(cell: Cell) -> str:
    """Return ``[0, 2]``, the index as code; of a container ``['image'][0, 2]``."""
    return f"{words.one_line(cell.part)}[{', '.join(map(str, cell.index)) or '()'}]"
