"""A step of the guided tour: the lines as typed, both objects after each, the verdict, and why."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from tensorbridge_cli.records.enums import Write
from tensorbridge_cli.records.report import NotApplicable, Object, Row, Snapshot
from tensorbridge_cli.render import View
from tensorbridge_cli.render.report.sections import notes_on
from tensorbridge_cli.render.report.values import UNLIMITED, cell_width, grids, index_text
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.text.layout import AT_CODE, fold, hang, styled, to_string

_PROMPT = ">>> "
_CONTINUED = "... "
_MARGIN = "    "
_NOTED = ("refused", "crashed", "undecidable", "warning", "not-applicable")


def heading(name: str, title: str, view: View) -> str:
    """Return the line above the steps of a section."""
    lines = hang(Text.assemble(styled(name, "heading"), f": {title}"), view.width)
    return to_string([*lines, Text()], colour=view.colour)


def step(typed: tuple[str, ...], row: Row | NotApplicable, why: str, view: View) -> str:
    """Return one step; ``typed`` is the lines before the writes, the write of each side follows from ``row``."""
    return to_string([*_lines(typed, row, why, view.width), Text()], colour=view.colour)


def _lines(typed: tuple[str, ...], row: Row | NotApplicable, why: str, width: int | None) -> Iterator[Text]:
    snapshots = row.evidence.snapshots if isinstance(row, Row) else ()
    steps: list[str] = [snapshot.after for snapshot in snapshots]
    shown = dict(zip(steps, _shown(row, snapshots, width), strict=True))
    source, convert, *then = typed
    yield from _code(source, width)
    yield from _code(convert, width)
    yield from shown.get("convert", ())
    for line in then:
        yield from _code(line, width)
        yield from shown.get("then", ())
    if isinstance(row, Row):
        for cell in row.evidence.cells:
            target, written = ("x", row.source) if cell.wrote == "source" else ("y", row.result)
            plainly = "  # under torch.no_grad()" if written is not None and written.requires_grad else ""
            yield from _code(f"{target}{index_text(cell)} = {words.one_line(cell.written)}{plainly}", width)
            yield from shown.get(f"write-{cell.wrote}", ())
        if row.result is not None:  # if there is none, the note says the outcome
            yield from hang(_verdict(row, row.result), width)
    for note in notes_on(row):
        if note.tone in _NOTED:
            lead = note.lead.replace("the source", "x").replace("the result", "y")
            yield from hang(Text.assemble(styled(lead, note.tone), f": {words.one_line(note.text)}"), width)
    yield from hang(Text.assemble(styled("why", "heading"), f": {why}"), width)


def _code(line: str, width: int | None) -> Iterator[Text]:
    room = None if width is None else width - len(_PROMPT)
    for number, part in enumerate(fold(styled(line, "heading"), room, AT_CODE)):
        yield Text(_CONTINUED if number else _PROMPT) + part


def _shown(row: Row | NotApplicable, snapshots: tuple[Snapshot, ...], width: int | None) -> Iterator[list[Text]]:
    """Yield the lines with both objects after each step that was recorded; ``[ ]`` stands around what it changed."""
    if not isinstance(row, Row):
        return
    room = (width or UNLIMITED) - len(_MARGIN) - len("x ")
    before, after = ([getattr(snapshot, side) for snapshot in snapshots] for side in ("source", "result"))
    cell = cell_width([*before, *after])
    sources, results = grids(before, row.source, room, cell), grids(after, row.result, room, cell)
    for source, result in zip(sources, results, strict=True):
        lines = [
            Text(f"{_MARGIN}{' ' if number else label} ") + line
            for label, grid in (("x", source), ("y", result))
            for number, line in enumerate(grid)
        ]
        for line in lines:
            line.rstrip()
        yield lines


def _verdict(row: Row, result: Object) -> Text:
    """Say what became of the memory: the outcome, each write that was tried, the pointer."""
    facts = [
        f"write to {wrote} {words.WRITES[write]}{f' in {other}' if write in (Write.SEEN, Write.NOT_SEEN) else ''}"
        for wrote, other, write in (
            ("x", "y", row.writes.source_to_result),
            ("y", "x", row.writes.result_to_source),
        )
        if write is not Write.NOT_TRIED
    ]
    facts.append(f"pointer {words.pointer(row)}")
    if row.relation.same_object:
        facts.append("y is x")
    if result.is_leaf and row.source is not None and row.source.is_leaf is False:
        facts.append("y is a leaf, x is not")
    return Text.assemble(styled(words.OUTCOMES[row.outcome], str(row.outcome)), f": {', '.join(facts)}")
