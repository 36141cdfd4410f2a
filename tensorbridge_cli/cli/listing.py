"""``tensorbridge list``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from tensorbridge_cli.catalog import constructors, dtypes, hazards, layouts, registry, states
from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.errors import one_of
from tensorbridge_cli.records import codes, trace_words
from tensorbridge_cli.survey import plugins

_KINDS: dict[str, Callable[[], list[tuple[str, ...]]]] = {
    "conversions": lambda: [
        (
            c.name,
            ", ".join(c.direction(source) for source in c.sources),
            "" if registry.is_installed(c) else "absent",
        )
        for c in registry.conversions()
    ],
    "dtypes": lambda: [(d.name, f"{d.summary} ({' and '.join(d.libraries)})") for d in dtypes.DTYPES],
    "layouts": lambda: [(entry.name, entry.summary) for entry in layouts.LAYOUTS],
    "states": lambda: [
        (states.PLAIN, "none of the states below"),
        *((entry.name, f"{entry.summary} ({entry.library})") for entry in states.STATES),
    ],
    "libraries": lambda: [
        (
            str(library),
            f"dtypes {', '.join(entry.dtypes)}; states {', '.join(state.name for state in entry.states) or 'plain'}",
            "" if registry.has_package(entry.library) else "absent",
        )
        for library, entry in constructors.CONSTRUCTORS.items()
    ],
    "groups": lambda: [
        (name, ", ".join(c.name for c in registry.group(name)) if name != "all" else "every conversion")
        for name in registry.groups()
    ],
    "hazards": lambda: [(entry.name, entry.summary, entry.code) for entry in hazards.BY_NAME.values()],
    "findings": lambda: [(name, summary, codes.FINDINGS[name]) for name, summary in trace_words.CODES.items()],
}


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
    format: options.TextFormat = None,  # noqa: A002 - the option's name
    output: options.OutputFile = None,
) -> None:
    """Run ``tensorbridge list``; ``COMMANDS`` has the first sentence of its help.

    A conversion is absent if a library that it needs is not installed, e.g. polars.
    The installed versions may have other dtypes, which inspect accepts, too.

    \b
    tensorbridge list
    tensorbridge list hazards --format json
    tensorbridge list dtypes | cut -f 1
    """  # noqa: D301 - the backspace keeps the lines below it apart
    plugins.load_installed(terminal.note)
    rows = _KINDS[one_of("kind of list", kind, _KINDS)]()
    third = "note" if kind in ("conversions", "libraries") else "id"
    terminal.listing(rows, ("name", "summary", third)[: len(rows[0])], format, output)
