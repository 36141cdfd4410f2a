"""``tensorbridge diff``."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from tensorbridge_cli.cli import app, options, request, terminal
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.cli.formats import chosen_format
from tensorbridge_cli.cli.snapshot import requests_of
from tensorbridge_cli.diff import cells, saved, traces
from tensorbridge_cli.diff.compare import across, compare
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.trace import Trace
from tensorbridge_cli.render import CHANGES, render
from tensorbridge_cli.survey import environments
from tensorbridge_cli.survey.request_text import SetIn, option

_SELECTING = ("shape", "dtype", "layout", "state", "direction")
_EPILOG = """
With --python given twice, two environments are compared instead of files. The experiments of snapshot run in both, or
those of the conversions, dtypes, layouts and states that you select.
"""


@app.command(cls=Command, epilog=_EPILOG)
@options.take(
    *("what", "strict", "verbose", *_SELECTING, "python", "isolation", "timeout"),
    *("format", "output", "color", "debug"),
    format=options.format_of(CHANGES, "text"),
)
def diff(
    given: options.Options,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE",
            help="Two reports, snapshots or traces; - = standard input. With --python: conversions (default: all).",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Also fail if cells or lines were added or removed.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="List every cell, too.")] = False,
) -> None:
    """Run ``tensorbridge diff``; ``COMMANDS`` has the first sentence of its help.

    A cell is one conversion of one source. The same change in many cells is shown once, the worst first. Pointers,
    times and the messages of errors are not compared. Two reports on different sources, e.g. one of each layout, are
    compared conversion by conversion. In a trace a cell is a source line, matched even if it moved: its calls, copied
    bytes, outcomes, dtypes and findings. The exit code is 1 if a cell changed.

    \b
    tensorbridge diff torch-2.12.json torch-2.13.json
    tensorbridge diff snapshot.txt report.json --strict
    tensorbridge diff before.json after.json -o changes.md
    tensorbridge diff trace-main.json trace-branch.json
    tensorbridge diff --python ../old/.venv --python .venv
    """  # noqa: D301 - the backspace keeps the lines below it apart
    format_name = chosen_format(given, "text", CHANGES)
    are_files = given.where("python") is not SetIn.COMMAND_LINE
    before, after = _files(given, what or []) if are_files else ("", "")
    with terminal.destination(given.output, given.color) as (write, view):
        comparison = _compared(before, after) if are_files else _environments(given, what or [])
        write(render(comparison, format_name, replace(view, everything=verbose)), format_name == "text")
    if comparison.differs(strict=strict):
        raise typer.Exit(1)


def _files(given: options.Options, what: list[str]) -> tuple[str, str]:
    """Return the two files to compare.

    Raises:
        RequestError: if they are not two, or if experiments are selected, of which there are none.
    """
    for name in _SELECTING:
        if given.where(name) is SetIn.COMMAND_LINE:
            raise RequestError(f"{option(name)} selects experiments in two environments: use --python twice.")
    if len(what) != 2:
        raise RequestError("two files are compared: specify both, or use --python twice.")
    before, after = what
    if before == after == saved.STDIN:
        raise RequestError("standard input can be used for one of the two only: specify a file for the other.")
    return before, after


def _environments(given: options.Options, conversions: list[str]) -> cells.Comparison:
    """Run the experiments of a snapshot in both environments, and compare the results.

    Raises:
        RequestError: if they are not two.
    """
    if len(given.python) != 2:
        times = "once" if len(given.python) == 1 else f"{len(given.python)} times"
        raise RequestError(f"--python is given {times}: two environments are compared.")
    requests = requests_of(replace(given, conversion=tuple(conversions)))
    with request.laboratories(given) as places, terminal.progress(given.color) as progress:
        (_, before), (_, after) = environments.recordings(requests, places, request.isolation(given), progress)
    return compare(before, after)


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
    return across(then, now)
