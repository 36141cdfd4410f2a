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
        help=f"{', '.join(entry.name for entry in CHANGES)} (default: by the extension of --output, else text).",
        autocompletion=lambda: [entry.name for entry in CHANGES],
    ),
]


@app.command(cls=Command)
@options.take("before", "after", "strict", "verbose", "format", "output", "color", "debug", format=Format)
def diff(
    given: options.Options,
    before: Annotated[
        str, typer.Argument(metavar="BEFORE", help="A report, a snapshot or a trace; - = standard input.")
    ],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="Another one.")],
    strict: Annotated[
        bool, typer.Option("--strict", help="Also fail if cells or lines were added or removed.")
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
        raise RequestError("standard input can be used for one of the two only: specify a file for the other.")
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
            f"{saved.called(trace)} is a trace, but {saved.called(other)} is not: "
            "compare two traces, or two reports or snapshots."
        )
    return reports.across(then, now)
