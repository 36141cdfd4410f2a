"""A page of explanation, for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from tensorbridge_cli import encoding
from tensorbridge_cli.printable import escape, escape_json
from tensorbridge_cli.records.codes import labelled
from tensorbridge_cli.records.explanation import Item, Page
from tensorbridge_cli.render import View
from tensorbridge_cli.render.machine.markdown import plain
from tensorbridge_cli.render.text.layout import AT_CODE, fold, hang, styled, to_string

_MARGIN = "  "


def render(page: Page, format_name: str, view: View) -> str:
    """Return ``page`` as ``table``, ``markdown``, ``tsv`` (a line an item) or ``json``."""
    if format_name == "json":
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
        for item in part.items:
            yield from _item(item, width)


def _item(item: Item, width: int | None) -> Iterator[Text]:
    room = None if width is None else width - len(_MARGIN)
    said = ": ".join(filter(None, (item.lead, item.text)))
    deeper = _MARGIN if said else ""
    if said:
        yield from (Text(_MARGIN) + line for line in hang(styled(said), room))
    for line in item.code.splitlines():
        inner = None if room is None else room - len(deeper) - len(_MARGIN)
        first, *rest = fold(styled(line, "remedy"), inner, AT_CODE)
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
        for item in part.items:
            yield from _entry(item)
        yield ""


def _entry(item: Item) -> Iterator[str]:
    said = ": ".join(filter(None, (item.lead and f"**{plain(item.lead)}**", plain(item.text))))
    if not said and not item.code and not item.quote:
        yield f"- <{item.link}>"
        return
    yield f"- {said}".rstrip() if said else "-"
    if item.code:
        code = "\n".join(f"  {line}".rstrip() for line in item.code.splitlines())
        yield f"\n  ```{'console' if item.code.startswith('tensorbridge') else 'python'}\n{code}\n  ```"
    if item.quote:
        yield f"\n  > {plain(item.quote)}"
    if item.link:
        yield f"\n  <{item.link}>"
