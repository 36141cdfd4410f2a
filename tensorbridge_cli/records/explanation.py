"""The records of an explanation, as plain as those of a report: a page has parts, a part has items."""

from __future__ import annotations

from tensorbridge_cli.compat import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One thing that is said.

    ``text`` is a sentence or a few words, ``lead`` what it is about; ``code`` is what one types, ``quote`` a sentence
    of the documentation and ``link`` where it stands.
    """

    text: str = ""
    lead: str = ""
    code: str = ""
    quote: str = ""
    link: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Items under a heading."""

    title: str
    items: tuple[Item, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """The page about one name; ``kind`` is what it is a name of, ``id`` its short code, if any."""

    kind: str
    name: str
    summary: str
    parts: tuple[Part, ...]
    id: str = ""
