"""Text that never becomes markup in GitHub Flavored Markdown, and never ends a cell of a table."""

from __future__ import annotations

from tensorbridge_cli.printable import one_line

_MARKS = frozenset("\\`*_[]<>|#&~$")


def plain(text: str) -> str:
    """Return ``text`` in one line, in which Markdown reads no marks."""
    return "".join(f"\\{c}" if c in _MARKS else c for c in one_line(text))


def code(text: str) -> str:
    """Return ``text`` in one line as code; a mark that would end a code span, or a cell, is written by its number."""
    line = one_line(text)
    if not line:
        return ""
    if "`" not in line and "|" not in line and line == line.strip():
        return f"`{line}`"
    return f"<code>{''.join(c if c.isalnum() else f'&#{ord(c)};' for c in line)}</code>"
