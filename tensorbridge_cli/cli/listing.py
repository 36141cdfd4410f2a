"""``tensorbridge list``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from tensorbridge_cli.catalog import conversions, dtypes, layouts, states
from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.judgement.hazards import HAZARDS

_KINDS: dict[str, Callable[[], list[tuple[str, str]]]] = {
    "conversions": lambda: [
        (c.name, ", ".join(c.direction(source) for source in c.sources)) for c in conversions.conversions()
    ],
    "dtypes": lambda: [(d.name, f"{d.summary} ({' and '.join(d.libraries)})") for d in dtypes.DTYPES],
    "layouts": lambda: [(entry.name, entry.summary) for entry in layouts.LAYOUTS],
    "states": lambda: [
        (states.PLAIN, "nothing special"),
        *((entry.name, f"{entry.summary} ({entry.library})") for entry in states.STATES),
    ],
    "groups": lambda: [
        (name, ", ".join(c.name for c in conversions.group(name)) if name != "all" else "every conversion")
        for name in conversions.groups()
    ],
    "hazards": lambda: [(code.value, told.summary) for code, told in HAZARDS.items()],
}

_LEAST = 24
"""Columns that a summary needs to stand beside its name."""


@app.command("list", cls=Command)
def list_(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help=f"{', '.join(_KINDS)} (default: conversions).",
            autocompletion=lambda incomplete: [name for name in _KINDS if name.startswith(incomplete)],
        ),
    ] = "conversions",
) -> None:
    """List conversions, dtypes, layouts and whatever else there is.

    The dtypes are those known to the tool; the installed versions may have others, which inspect finds.
    """
    rows = _KINDS[options.one_of("kind of list", kind, _KINDS)]()
    width = max(len(name) for name, _ in rows)
    with terminal.destination(None, "never") as (write, view):
        if view.width is None:
            write("".join(f"{name:{width}}  {summary}\n" for name, summary in rows), True)
        else:
            write(_folded(rows, width, view.width), True)


def _folded(rows: list[tuple[str, str]], names: int, width: int) -> str:
    """Return ``rows`` in lines of at most ``width`` columns, the summaries beside the names where there is room."""
    from rich.text import Text

    from tensorbridge_cli.render.layout import GAP, columns, fold, hang, to_string

    room = width - names - GAP
    lines: list[Text] = []
    for name, summary in rows:
        if room >= _LEAST:
            lines += columns([[Text(name)], fold(Text(summary), room)], [names, room])
        else:
            lines += [*hang(Text(name), width), *(Text("    ") + part for part in fold(Text(summary), width - 4))]
    return to_string(lines, colour=False)
