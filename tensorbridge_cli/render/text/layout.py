"""Lines that fit: fold styled text, set it in columns, and write it to a string.

The console of rich is imported for colours: ``explain`` and ``show`` start fast.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from io import StringIO
from itertools import zip_longest

from rich.cells import cell_len, chop_cells
from rich.text import Text

from tensorbridge_cli.printable import escape
from tensorbridge_cli.render import View

STYLES = {
    "shared": "green",
    "copied": "cyan",
    "refused": "yellow",
    "crashed": "bold red",
    "timed-out": "bold red",
    "undecidable": "magenta",
    "internal-error": "bold red",
    "seen": "green",
    "not-seen": "cyan",
    "not-tried": "dim",
    "not-applicable": "dim",
    "layout": "dim",
    "hazard": "bold yellow",
    "warning": "yellow",
    "broken": "bold red",
    "remedy": "green",
    "heading": "bold",
    "changed": "bold red",
    "the-source": "black on cyan",
    "the-result": "black on yellow",
    "dim": "dim",
    "plain": "",
}
"""The 16 colours that a terminal's own theme makes readable, by outcome, write, kind of note and side of a picture."""

GAP = 2
_NARROWEST = 40
"""A narrower terminal is written to as if it had so many columns."""

AT_SPACES = re.compile(r"\s*\S+\s*")
"""The pieces of a text that may stand on lines of their own: words."""
AT_CODE = re.compile(r"[^\s.(,→]*(?:\(\)|[\s.(,→])*")
"""Those of code, a dtype or a change: they end behind a dot, a comma, an arrow and an opening bracket."""


def width_of(view: View) -> int | None:
    """Return the columns that a text may take; None for no limit."""
    return None if view.width is None else max(view.width, _NARROWEST)


def styled(text: str, style: str = "plain") -> Text:
    """Return ``text`` in one of ``STYLES``; nothing in it is taken for markup."""
    return Text(text, style=STYLES[style])


def fold(text: Text, width: int | None, pieces: re.Pattern[str] = AT_SPACES) -> list[Text]:
    """Break ``text`` into lines of at most ``width`` columns, between pieces if they fit, else inside them."""
    if width is None or text.cell_len <= width:
        return [text]
    breaks: list[int] = []
    used = 0
    for piece in pieces.finditer(text.plain):
        word = piece[0].rstrip()
        if used and used + cell_len(word) > width:
            breaks.append(piece.start())
            used = 0
        start = piece.start()
        *full, last = chop_cells(word, width) or [""]
        for part in full:
            start += len(part)
            breaks.append(start)
        used += cell_len(last) + len(piece[0]) - len(word)
    lines = text.divide(breaks)
    for line in lines:
        line.rstrip()
    return list(lines)


def hang(text: Text, width: int | None, indent: str = "  ") -> list[Text]:
    """Fold ``text`` with every line but the first indented."""
    first, *rest = fold(text, None if width is None else width - len(indent))
    return [first, *(Text(indent) + line for line in rest)]


def command(typed: str, width: int | None) -> list[Text]:
    """Fold a command to be pasted: a line that goes on ends in a backslash, and a word of the shell's is whole.

    Within quotes a backslash and the end of the line would be part of the word.
    """
    if width is None or cell_len(typed) <= width:
        return [styled(typed, "remedy")]
    lines: list[str] = []
    for word in _SHELL_WORD.findall(typed):
        longer = f"{lines[-1]} {word}" if lines else word
        if not lines or cell_len(longer) > width - len(" \\"):
            lines.append(word)
        else:
            lines[-1] = longer
    *rest, last = lines
    return [*(styled(line, "remedy") + Text(" \\") for line in rest), styled(last, "remedy")]


_SHELL_WORD = re.compile(r"""(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|\S)+""")


def columns(cells: Sequence[list[Text]], widths: Sequence[int], gap: int = GAP) -> list[Text]:
    """Set the ``cells`` of one row, each a list of lines, beside each other."""
    lines = []
    for parts in zip_longest(*cells, fillvalue=Text()):
        line = Text()
        for part, width in zip(parts, widths, strict=True):
            line.append_text(part)
            line.append(" " * (width - part.cell_len + gap))
        line.rstrip()
        lines.append(line)
    return lines


def total_width(widths: Sequence[int], gap: int = GAP) -> int:
    """Return the columns that a row of ``columns`` takes."""
    return sum(widths) + gap * (len(widths) - 1)


def safe(line: Text) -> Text:
    """Return ``line`` with what does not print escaped, whatever part of it was not: rich lets an escape pass."""
    return line if line.plain.isprintable() else Text(escape(line.plain))


def to_string(lines: Iterable[Text], *, colour: bool) -> str:
    """Return ``lines`` with the escape codes of their styles, or without any."""
    if not colour:
        return "".join(safe(line).plain + "\n" for line in lines)
    from rich.console import Console

    # all that rich would read from the environment, NO_COLOR and TERM, is the command line's to read
    console = Console(
        file=(text := StringIO()), color_system="standard", force_terminal=True, no_color=False, legacy_windows=False
    )
    for line in map(safe, lines):
        console.print(line, soft_wrap=True, markup=False, emoji=False, highlight=False)
    return text.getvalue()
