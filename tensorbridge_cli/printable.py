r"""Text that is safe to print: a terminal obeys no character of it, and it stays in its line.

File names, expressions, messages of exceptions and everything in a saved report were written by somebody else. What
a terminal would obey (control characters of C0 and C1, which begin with an escape or, in C1, stand alone) or would
show in another order (the marks of bidirectional text) is written as Python writes it in a string: ``\x1b``,
``\u202e``. ``str.isprintable`` knows them all.
"""

from __future__ import annotations

import re

_DELETE = "\x7f"  # of ASCII alone this does not print, and is not escaped by JSON
_NOT_ASCII = re.compile(r"[^\x00-\x7e]")


def escape(text: str) -> str:
    r"""Write what does not print as ``\n``, ``\x1b``, ``\u202e``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def escape_lines(text: str) -> str:
    """Do so in each line of ``text``, and leave the ends of the lines."""
    return "\n".join(map(escape, text.split("\n")))


def one_line(text: str) -> str:
    """Join the lines of ``text`` with a slash and escape what does not print."""
    return escape(" / ".join(line.strip() for line in text.splitlines() if line.strip()))


def escape_json(text: str) -> str:
    r"""Write what does not print in a JSON document as ``\u009b``: the same document, which a terminal can be shown.

    JSON itself escapes C0 alone. Outside its strings all is ASCII, so that what is found here is in a string.
    """
    if text.isascii() and _DELETE not in text:  # nearly every line of ``matrix --full``: no character is looked at
        return text
    return _NOT_ASCII.sub(_as_json, text)


def _as_json(match: re.Match[str]) -> str:
    letter = match[0]
    if letter.isprintable():
        return letter
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
