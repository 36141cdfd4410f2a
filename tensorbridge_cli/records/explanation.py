"""The records of an explanation, as plain as those of a report: a page has parts, a part has items."""

from __future__ import annotations

from msgspec import Struct


class Item(Struct, frozen=True, kw_only=True):
    """One thing that is said.

    ``text`` is a sentence or a few words, ``lead`` what it is about; ``code`` is what one types, ``quote`` a sentence
    of the documentation and ``link`` where it stands.
    """

    text: str = ""
    lead: str = ""
    code: str = ""
    quote: str = ""
    link: str = ""


class Part(Struct, frozen=True, kw_only=True):
    """Items under a heading."""

    title: str
    items: tuple[Item, ...]


class Page(Struct, frozen=True, kw_only=True):
    """What there is to say about one name; ``kind`` is what it is a name of, ``id`` its short code, if any."""

    kind: str
    name: str
    summary: str
    parts: tuple[Part, ...]
    id: str = ""
