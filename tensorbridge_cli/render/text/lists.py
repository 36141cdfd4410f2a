"""Names and what is said of each, folded to the terminal.

rich is imported only for a terminal: in a pipe a list needs none of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensorbridge_cli.render import View

_LEAST = 24
"""Columns that a summary needs to stand beside its name."""


def text(rows: Sequence[tuple[str, str]], view: View, margin: str = "") -> str:
    """Return a line for each of ``rows``, after ``margin``; summaries stand below their names where room is scarce."""
    names = max(len(name) for name, _ in rows)
    if view.width is None:
        return "".join(f"{margin}{name:{names}}  {summary}\n" for name, summary in rows)
    from rich.text import Text

    from tensorbridge_cli.render.text.layout import GAP, columns, fold, hang, to_string

    width = view.width - len(margin)
    room = width - names - GAP
    lines: list[Text] = []
    for name, summary in rows:
        if room >= _LEAST:
            lines += columns([[Text(name)], fold(Text(summary), room)], [names, room])
        else:
            lines += [*hang(Text(name), width), *(Text("    ") + part for part in fold(Text(summary), width - 4))]
    return to_string((Text(margin) + line for line in lines), colour=False)
