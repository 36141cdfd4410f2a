"""The report for a reader: for each source a table of its conversions, and below it the notes.

With ``view.width`` everything is folded to fit, and nothing is cut off. Without, each row and each note is one line
and columns are at least two spaces apart, for ``grep`` and ``awk``.

The memory map is imported where a picture is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.text import Text

from tensorbridge_cli.records.report import Environment, Report, Row, Summary
from tensorbridge_cli.render import View
from tensorbridge_cli.render.report import answers
from tensorbridge_cli.render.report.sections import Concerned, Section, SectionNote, sections
from tensorbridge_cli.render.report.values import before_and_after
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.text.layout import (
    AT_CODE,
    GAP,
    columns,
    fold,
    hang,
    styled,
    to_string,
    total_width,
    width_of,
)

HEADERS = (
    words.HEADINGS,
    ("Conversion", "Memory", "Write\nsource→result", "Write\nresult→source", "Dtype", "Pointer"),
    ("Conversion", "Memory", "Write\nsource→\nresult", "Write\nresult→\nsource", "Dtype", "Pointer"),
)
"""The headings, the widest first: the first that lets the rows fit is taken."""

CONVERSION, MEMORY, WRITE_SOURCE, WRITE_RESULT, DTYPE, POINTER = range(6)
HALF_AN_ADDRESS = len("0x55d0c0")


def render(report: Report, view: View) -> str:
    """Return ``report`` as text for a terminal or a pipe."""
    return to_string(lines(report, view), colour=view.colour)


def lines(report: Report, view: View) -> Iterator[Text]:
    """Yield the lines of ``report``, of at most the width of ``view``."""
    width = width_of(view)
    yield from answers.lines(report, width)
    # --want asks for the answers, not for the rows that they were found by
    for section in sections(report, brief=view.width is not None) if not report.answers else ():
        yield from hang(_titled("Source", section.source), width)
        if section.fill is not None:
            yield from hang(_titled("Fill", words.fill(section.fill)), width)
        if section.memory is not None:
            yield from hang(_titled("Memory", section.memory), width)
        yield Text()
        if section.rows:
            yield from _table(section, width, rule=view.box)
            yield Text()
        for concerned, note in section.notes:
            yield from hang(described(concerned, note), width)
        if section.notes:
            yield Text()
        for label, row in section.rows:
            if view.picture:
                from tensorbridge_cli.render.memory_map import picture

                yield from picture.lines(label, row, width)
            if view.values:
                yield from before_and_after(label, row, width)
    yield from hang(_summary(report.summary, report.environment), width)


def _titled(title: str, text: str) -> Text:
    return Text.assemble(styled(f"{title}:", "heading"), f" {words.one_line(text)}")


def _table(section: Section, width: int | None, *, rule: bool) -> Iterator[Text]:
    rows = [_cells(label, row) for label, row in section.rows]
    headers, widths, gap = _fit(rows, width)
    yield from columns([_header(header, room) for header, room in zip(headers, widths, strict=True)], widths, gap)
    if rule:
        yield styled("─" * total_width(widths, gap))
    for row in rows:
        yield from columns([fold(cell, room, AT_CODE) for cell, room in zip(row, widths, strict=True)], widths, gap)


def _header(header: str, room: int) -> list[Text]:
    return [line for part in styled(header, "heading").split() for line in fold(part, room, AT_CODE)]


def _cells(label: str, row: Row) -> list[Text]:
    writes = words.writes(row)
    return [
        styled(words.one_line(label)),
        styled(words.OUTCOMES[row.outcome], row.outcome),
        styled(writes[0], row.writes.source_to_result),
        styled(writes[1], row.writes.result_to_source),
        styled(words.one_line(words.dtype(row))),
        styled(words.one_line(words.pointer(row))),
    ]


def _fit(rows: list[list[Text]], width: int | None) -> tuple[tuple[str, ...], list[int], int]:
    """Choose the headings, the column widths and the gap that let ``rows`` fit with the least damage."""
    for headers in HEADERS:
        widths = _natural(headers, rows)
        if width is None or total_width(widths) <= width:
            return headers, widths, GAP
    assert width is not None
    return HEADERS[-1], *_squeeze(rows, _natural(HEADERS[-1], rows), width)


def _natural(headers: tuple[str, ...], rows: list[list[Text]]) -> list[int]:
    return [
        max(max(map(len, header.split("\n"))), *(row[column].cell_len for row in rows))
        for column, header in enumerate(headers)
    ]


def _squeeze(rows: list[list[Text]], natural: list[int], width: int) -> tuple[list[int], int]:
    """Narrow one column after the other, those that fold well first; what is left over goes to the names."""
    widths, gap = list(natural), GAP
    for column in (DTYPE, POINTER, CONVERSION, WRITE_SOURCE, WRITE_RESULT):
        if total_width(widths, gap) > width:
            header = max(map(len, HEADERS[-1][column].split("\n")))
            widths[column] = max(header, *(_longest_piece(row[column]) for row in rows))
    if total_width(widths, gap) > width:
        widths[POINTER] = min(widths[POINTER], HALF_AN_ADDRESS)
    if total_width(widths, gap) > width:
        gap = 1
    while total_width(widths, gap) > width:
        widths[widths.index(max(widths))] -= 1
    widths[CONVERSION] = min(natural[CONVERSION], widths[CONVERSION] + width - total_width(widths, gap))
    return widths, gap


def _longest_piece(cell: Text) -> int:
    return max(cell_len(piece.rstrip()) for piece in AT_CODE.findall(cell.plain))


def described(concerned: Concerned, note: SectionNote) -> Text:
    """Return the text of a note, and the conversions that it concerns."""
    return Text.assemble(
        words.one_line(concerned.text) + ": ",
        styled(words.one_line(note.lead), note.tone),
        f": {words.one_line(note.text)}" if note.text else "",
    )


def _summary(counts: Summary, environment: Environment) -> Text:
    phrases = [styled(phrase, name) for name, phrase in words.summary(counts)] or [styled(words.NONE_RUN)]
    return Text.assemble(Text(", ").join(phrases), f" {words.versions(environment)}")
