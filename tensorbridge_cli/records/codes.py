"""The short code (TB2..) of each finding of ``trace``, beside its name; ``catalog.hazards`` has those of hazards.

A code is accepted wherever the name is. It never moves and is never used again: a new finding takes the next free
number, and ``docs/codes.md`` keeps those of names that are gone. Nothing is imported here.
"""

from __future__ import annotations

FINDINGS: dict[str, str] = {
    "avoidable-copy": "TB201",
    "element-by-element": "TB203",
    "storage-larger": "TB204",
    "repeated-copy": "TB205",
    "dtype-there-and-back": "TB206",
    "round-trip": "TB207",
    "readonly-dropped": "TB208",
    "alias-written": "TB209",
    "buffer-stored-twice": "TB210",
    "source-moved": "TB211",
    "loop-invariant": "TB212",
    "immutable-written": "TB213",
}

GONE: dict[str, str] = {"TB202": "list-of-arrays"}
"""The codes of names that are gone."""

RENAMED: dict[str, str] = {"list-of-arrays": "element-by-element"}
"""The old names of findings, accepted for one release: what a user types, and what was saved, may have them."""


def is_code(text: str) -> bool:
    """Return True if ``text`` is written as a code, of whatever number."""
    return text[:2].upper() == "TB" and text[2:].isdecimal()


def labelled(name: str, code: str | None) -> str:
    """Return ``name`` with its code beside it, if it has one."""
    return f"{name} ({code})" if code else name
