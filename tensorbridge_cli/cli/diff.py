"""``tensorbridge diff``."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from tensorbridge_cli.cli import app, options, saved, terminal
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.compare import compare
from tensorbridge_cli.errors import RequestError

_FORMATS = ("text", "json")


@app.command(cls=Command)
def diff(
    before: saved.Before,
    after: saved.After,
    strict: Annotated[bool, typer.Option("--strict", help="Fail for a cell that is gone or new, too.")] = False,
    format: Annotated[  # noqa: A002 - the option's name
        str, typer.Option("--format", metavar="FORMAT", help="text or json (default: text).")
    ] = "text",
    color: options.Colour = "auto",
    debug: options.Debug = False,
) -> None:
    """Show what changed between two reports or snapshots.

    A cell is one conversion of one subject. Pointers, times and the sentences of errors are not compared. The exit code
    is 1 where a cell changed.

    \b
    tensorbridge diff torch-2.12.json torch-2.13.json
    tensorbridge diff snapshot.txt report.json --strict
    """  # noqa: D301 - the backspace keeps the lines below it apart
    options.one_of("--color", color, options.COLOURS)
    options.one_of("--format", format, _FORMATS)
    if before == after == saved.STDIN:
        raise RequestError("standard input is one side of the two: name a file for the other.")
    comparison = compare(saved.recording(before), saved.recording(after))
    with terminal.destination(None, color, False) as (write, view):
        if format == "json":
            write(msgspec.json.format(msgspec.json.encode(comparison), indent=2).decode() + "\n", False)
        else:
            from tensorbridge_cli.render.changes import render

            write(render(comparison, view), True)
    if comparison.differs(strict=strict):
        raise typer.Exit(1)
