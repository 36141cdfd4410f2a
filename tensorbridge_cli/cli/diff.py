"""``tensorbridge diff``."""

from __future__ import annotations

from typing import Annotated

import typer

from tensorbridge_cli.cli import app, asked, options, saved, terminal
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.compare import compare
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.render import CHANGES, render_changes

Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help=f"{', '.join(entry.name for entry in CHANGES)} (default: by the ending of --output, else text).",
        autocompletion=lambda: [entry.name for entry in CHANGES],
    ),
]


@app.command(cls=Command)
def diff(
    context: typer.Context,
    before: saved.Before,
    after: saved.After,
    strict: Annotated[bool, typer.Option("--strict", help="Fail for a cell that is gone or new, too.")] = False,
    format: Format = None,  # noqa: A002 - the option's name
    output: options.OutputFile = None,
    color: options.Colour = "auto",
    debug: options.Debug = False,
) -> None:
    """Show what changed between two reports or snapshots.

    A cell is one conversion of one subject. Pointers, times and the sentences of errors are not compared. The exit code
    is 1 where a cell changed.

    \b
    tensorbridge diff torch-2.12.json torch-2.13.json
    tensorbridge diff snapshot.txt report.json --strict
    tensorbridge diff before.json after.json -o changes.md
    """  # noqa: D301 - the backspace keeps the lines below it apart
    options.one_of("--color", color, options.COLOURS)
    shown_as = asked.face(context, "text", CHANGES)
    if before == after == saved.STDIN:
        raise RequestError("standard input is one side of the two: name a file for the other.")
    comparison = compare(saved.recording(before), saved.recording(after))
    with terminal.destination(output, color) as (write, view):
        write(render_changes(comparison, shown_as, view), shown_as == "text")
    if comparison.differs(strict=strict):
        raise typer.Exit(1)
