"""Texts that somebody else chose, put in every place of a record where a text may stand.

``hostile(record, text)`` returns the record with ``text`` in the place of every text of it: whatever takes any of them
for code, for markup or for a command of the terminal is found, wherever it stands.
"""

from dataclasses import is_dataclass, replace
from enum import Enum
from typing import Any

from hypothesis import strategies as st

CODE = (
    "owned()",
    "1); owned(); (1",
    '"); owned(); ("',
    "'); owned(); ('",
    "x\nowned()",
    "x\rowned()",
    "\x0cowned()",
    "1 # \nowned()",
    "__import__('os').system('owned')",
    "[owned() for _ in (1,)]",
    "\\",
    '"""',
    "{owned()}",
    "V1) + owned() + (1",
    "[('a', owned())]",
    "<script>owned()</script>",
    "<img src=x onerror=owned()>",
    "]]><x/>",
    "javascript:owned()",
    "=owned()",
)
"""Texts that would run, were one of them taken for code."""

TERMINAL = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31mred",
    "\x9d0;title\x9c",
    "a\x08b\x7f",
    "\u202egnp.exe\u202c",
    "\u2066abc\u2069",
    "\u200b\ufeff\u2028\u2029\x85",
    "line\nline\r\nline\ttab\x0b\x0c",
    "\x00",
    "\U000e0041",
)
"""Texts that a terminal would obey, or show otherwise than they are."""

TEXTS = st.one_of(st.sampled_from((*CODE, *TERMINAL)), st.text(min_size=1, max_size=40))


def hostile(record: Any, text: str, path: str = "") -> Any:
    """Return ``record`` with ``text`` for each text; enumerations, schemas and addresses are what they are."""
    if is_dataclass(record):
        changes = {name: hostile(getattr(record, name), text, name) for name in record.__dataclass_fields__}
        return replace(record, **changes)
    if isinstance(record, tuple):
        return tuple(hostile(item, text, path) for item in record)
    if not isinstance(record, str) or isinstance(record, Enum) or record.startswith("0x") or path in _FIXED:
        return record
    return text


_FIXED = ("schema", "wrote", "after", "certainty", "outcome", "kind", "id", "site")
"""Fields whose type allows a few texts only, or that join two records."""


def one_by_one(record: Any, text: str) -> Any:
    """Yield ``record`` with ``text`` in one of its places, each in turn."""
    if is_dataclass(record):
        for name in record.__dataclass_fields__:
            if name not in _FIXED:
                for changed in one_by_one(getattr(record, name), text):
                    yield replace(record, **{name: changed})
    elif isinstance(record, tuple):
        for at, item in enumerate(record):
            for changed in one_by_one(item, text):
                yield (*record[:at], changed, *record[at + 1 :])
    elif isinstance(record, str) and not isinstance(record, Enum) and not record.startswith("0x"):
        yield text
