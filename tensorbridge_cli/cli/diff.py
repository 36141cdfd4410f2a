"""``tensorbridge diff``."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from tensorbridge_cli.cli import app, options, request, terminal
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.diff import cells, reports, saved, traces
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.trace import Trace
from tensorbridge_cli.render import CHANGES, render

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
@options.take("before", "after", "strict", "verbose", "format", "output", "color", "debug", format=Format)
def diff(
    given: options.Options,
    before: Annotated[
        str, typer.Argument(metavar="BEFORE", help="A report, a snapshot or a trace; - is standard input.")
    ],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="Another one.")],
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail for a cell or a line that is gone or new, too.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="List every cell, too.")] = False,
) -> None:
    """Show what changed between two reports, snapshots or traces.

    A cell is one conversion of one source. The same change in many cells is shown once, the worst first. Pointers,
    times and the messages of errors are not compared. Two reports on different sources, e.g. one of each layout, are
    compared conversion by conversion. In a trace a cell is a source line, matched even if it moved: its calls, copied
    bytes, outcomes, dtypes and findings. The exit code is 1 if a cell changed.

    \b
    tensorbridge diff torch-2.12.json torch-2.13.json
    tensorbridge diff snapshot.txt report.json --strict
    tensorbridge diff before.json after.json -o changes.md
    tensorbridge diff trace-main.json trace-branch.json
    """  # noqa: D301 - the backspace keeps the lines below it apart
    format_name = request.format_name(given, "text", CHANGES)
    if before == after == saved.STDIN:
        raise RequestError("standard input is one side of the two: name a file for the other.")
    comparison = _compared(before, after)
    with terminal.destination(given.output, given.color) as (write, view):
        write(render(comparison, format_name, replace(view, everything=verbose)), format_name == "text")
    if comparison.differs(strict=strict):
        raise typer.Exit(1)


def _compared(before: str, after: str) -> cells.Comparison | traces.TraceComparison:
    then, now = saved.recording_or_trace(before), saved.recording_or_trace(after)
    if isinstance(then, Trace) and isinstance(now, Trace):
        return traces.compare(then, now)
    if isinstance(then, Trace) or isinstance(now, Trace):
        trace, other = (before, after) if isinstance(then, Trace) else (after, before)
        raise RequestError(
            f"{saved.called(trace)} is a trace, and {saved.called(other)} is none: "
            "two traces can be compared, or two reports or snapshots."
        )
    return reports.across(then, now)
