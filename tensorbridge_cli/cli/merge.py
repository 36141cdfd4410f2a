"""``tensorbridge merge``."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.cli.formats import chosen_format
from tensorbridge_cli.diff.merged import merged
from tensorbridge_cli.render import TABLES, render


@app.command(cls=Command)
@options.take("reports", "all", "format", "output", "color", "debug", format=options.format_of(TABLES, "table"))
def merge(
    given: options.Options,
    reports: Annotated[
        list[str],
        typer.Argument(
            metavar="REPORT", help="Reports, one of each environment (JSON or JSON lines); - = standard input."
        ),
    ],
    all: Annotated[  # noqa: A002 - the option's name
        bool, typer.Option("--all", help="Also show rows that are the same in all environments.")
    ] = False,
) -> None:
    """Run ``tensorbridge merge``; ``COMMANDS`` has the first sentence of its help.

    Each report gets a letter, in the order given. Use it where the environments are on different machines; for those
    of one machine, --python of inspect, matrix and check does the same at once. JSON lines need the least memory.

    \b
    tensorbridge merge torch-2.8.jsonl torch-2.13.jsonl
    tensorbridge merge torch-*.jsonl -o all.json
    tensorbridge show all.json
    """  # noqa: D301 - the backspace keeps the lines below it apart
    format_name = chosen_format(given, formats=TABLES)
    with terminal.destination(given.output, given.color) as (write, view):
        text = render(merged(reports), format_name, replace(view, everything=all))
        write(text, format_name == "table")
