"""A page of explanation, for a terminal and as Markdown; what writes JSON is imported for that."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.text import Text

from tensorbridge_cli.printable import escape, escape_json
from tensorbridge_cli.records.codes import labelled
from tensorbridge_cli.records.explanation import Item, Page, Part
from tensorbridge_cli.render import View
from tensorbridge_cli.render.text.layout import AT_CODE, GAP, columns, command, fold, hang, styled, to_string
from tensorbridge_cli.render.text.markdown import plain

_MARGIN = "  "


def render(page: Page, format_name: str, view: View) -> str:
    """Return ``page`` as ``table``, ``markdown``, ``tsv`` (a line an item) or ``json``."""
    if format_name == "json":
        from tensorbridge_cli import encoding

        return escape_json(encoding.indented(page)) + "\n"
    if format_name == "tsv":
        rows = [(part.title, *(getattr(item, name) for name in _FIELDS)) for part in page.parts for item in part.items]
        return "".join("\t".join(map(escape, row)) + "\n" for row in (("part", *_FIELDS), *rows))
    return markdown(page) if format_name == "markdown" else text(page, view)


_FIELDS = ("lead", "text", "code", "quote", "link")


def text(page: Page, view: View) -> str:
    """Return ``page`` as lines of at most the width of ``view``; an address is never broken."""
    return to_string(_lines(page, view.width), colour=view.colour)


def _lines(page: Page, width: int | None) -> Iterator[Text]:
    yield from hang(
        Text.assemble(styled(labelled(page.name, page.id), "heading"), f", {page.kind}: {page.summary}"), width
    )
    for part in page.parts:
        yield Text()
        yield styled(part.title, "heading")
        if _is_table(part):
            yield from _table(part, width)
        else:
            for item in part.items:
                yield from _item(item, width)


def _is_table(part: Part) -> bool:
    """Return True if the items of ``part`` are cases with a result each, and sentences of the docs."""
    return all(item.lead and item.text for item in part.items) and any(item.quote for item in part.items)


def _cases(part: Part) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]]]:
    """Return a row for each case, with the number of its sentence, and the sentences with their pages."""
    rows: list[tuple[str, str, str]] = []
    sentences: list[tuple[str, str]] = []
    for item in part.items:
        rows.append((item.lead, item.text, f"[{len(sentences) + 1}]"))
        if item.quote:
            sentences.append((item.quote, item.link))
    return rows, sentences


_HEADERS = ("Case", "Result", "Sentence")


def _table(part: Part, width: int | None) -> Iterator[Text]:
    """Yield the cases as a table, then each sentence once, with the address below the last sentence of its page."""
    rows, sentences = _cases(part)
    number = len(_HEADERS[-1])
    natural = [max(cell_len(row[column]) for row in (_HEADERS, *rows)) for column in range(2)]
    widths = [*natural, number]
    if width is not None:
        room = width - len(_MARGIN) - number - 2 * GAP
        widths[1] = min(natural[1], max(room // 3, room - natural[0]))
        widths[0] = min(natural[0], room - widths[1])
    for nth, row in enumerate((_HEADERS, *rows)):
        style = "heading" if nth == 0 else "plain"
        cells = [fold(styled(cell, style), room, AT_CODE) for cell, room in zip(row, widths, strict=True)]
        yield from (Text(_MARGIN) + line for line in columns(cells, widths))
    inner = None if width is None else width - len(_MARGIN)
    for nth, (quote, link) in enumerate(sentences, 1):
        yield from (Text(_MARGIN) + line for line in hang(styled(f'[{nth}] "{quote}"', "dim"), inner, "    "))
        if nth == len(sentences) or sentences[nth][1] != link:
            yield Text(f"{_MARGIN}    ") + styled(link, "dim")


def _item(item: Item, width: int | None) -> Iterator[Text]:
    room = None if width is None else width - len(_MARGIN)
    lead_and_text = ": ".join(filter(None, (item.lead, item.text)))
    deeper = _MARGIN if lead_and_text else ""
    if lead_and_text:
        yield from (Text(_MARGIN) + line for line in hang(styled(lead_and_text), room))
    for line in item.code.splitlines():
        inner = None if room is None else room - len(deeper) - len(_MARGIN)
        is_command = line.startswith("tensorbridge")
        first, *rest = command(line, inner) if is_command else fold(styled(line, "remedy"), inner, AT_CODE)
        yield Text(_MARGIN + deeper) + first
        yield from (Text(_MARGIN + deeper + _MARGIN) + part for part in rest)
    if item.quote:
        inner = None if room is None else room - len(_MARGIN)
        yield from (Text(_MARGIN * 2) + line for line in hang(styled(f'"{item.quote}"', "dim"), inner, " "))
    if item.link:
        yield Text(_MARGIN + deeper) + styled(item.link, "dim")


def markdown(page: Page) -> str:
    """Return ``page`` as a document that GitHub and Sphinx render."""
    return "\n".join(_document(page))


def _document(page: Page) -> Iterator[str]:
    yield f"# {labelled(f'`{page.name}`', page.id)}\n"
    yield f"A{'n' * (page.kind == 'outcome')} {page.kind}. {plain(page.summary)}\n"
    for part in page.parts:
        yield f"## {part.title}\n"
        if _is_table(part):
            rows, sentences = _cases(part)
            yield f"| {' | '.join(_HEADERS)} |\n| --- | --- | --- |"
            yield from (f"| {' | '.join(plain(cell).replace('|', '&#124;') for cell in row)} |" for row in rows)
            yield ""
            yield from (f"{nth}. {plain(quote)}<br><{link}>" for nth, (quote, link) in enumerate(sentences, 1))
        else:
            for item in part.items:
                yield from _entry(item)
        yield ""


def _entry(item: Item) -> Iterator[str]:
    lead_and_text = ": ".join(filter(None, (item.lead and f"**{plain(item.lead)}**", plain(item.text))))
    if not lead_and_text and not item.code and not item.quote:
        yield f"- <{item.link}>"
        return
    below = _MARGIN if lead_and_text else ""
    blocks = [f"- {lead_and_text}"] if lead_and_text else []
    if item.code:
        language = "console" if item.code.startswith("tensorbridge") else "python"
        code = "\n".join(f"{below}{line}".rstrip() for line in item.code.splitlines())
        blocks.append(f"{below}```{language}\n{code}\n{below}```")
    if item.quote:
        blocks.append(f"{below}> {plain(item.quote)}")
    if item.link:
        blocks.append(f"{below}<{item.link}>")
    yield "\n\n".join(blocks)
