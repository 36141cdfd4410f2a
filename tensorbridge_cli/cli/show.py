"""``tensorbridge show``."""

from __future__ import annotations

import typer

from tensorbridge_cli.cli import app, asked, options, saved, terminal
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.render import render


@app.command(cls=Command, epilog=options.DEFAULTS)
def show(
    context: typer.Context,
    report: saved.ReportFile,
    format: options.Format = None,  # noqa: A002 - the option's name
    output: options.OutputFile = None,
    values: options.ShowValues = False,
    picture: options.ShowPicture = False,
    color: options.Colour = "auto",
    no_config: options.NoConfig = False,
    debug: options.Debug = False,
) -> None:
    """Show a saved report again, in any format.

    \b
    tensorbridge show report.json
    tensorbridge show report.json --format tsv
    tensorbridge inspect --format jsonl | tensorbridge show - --values
    """  # noqa: D301 - the backspace keeps the lines below it apart
    options.one_of("--color", color, options.COLOURS)
    face = asked.face(context)
    found = saved.report(report)
    with terminal.destination(output, color, values, picture) as (write, view):
        write(render(found, face, view), face == "table")
