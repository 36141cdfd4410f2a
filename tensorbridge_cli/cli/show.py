"""``tensorbridge show``."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from tensorbridge_cli.cli import app, options, request, terminal
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.diff import saved
from tensorbridge_cli.errors import RequestError, one_of
from tensorbridge_cli.records.report import Report
from tensorbridge_cli.records.trace import SORTS, Trace, ordered
from tensorbridge_cli.render import TRACES, View, render
from tensorbridge_cli.survey.request import SetIn


@app.command(cls=Command, epilog=options.DEFAULTS)
@options.take("document", "format", "output", "values", "picture", "all", "sort", "color", *options.COMMON)
def show(
    given: options.Options,
    document: Annotated[
        str,
        typer.Argument(
            metavar="REPORT|TRACE", help="A saved report or trace (JSON or JSON lines); - = standard input."
        ),
    ],
    all: options.AllLines = False,  # noqa: A002 - the option's name
    sort: options.Sort = "",
) -> None:
    """Show a saved report or trace, in any format.

    \b
    tensorbridge show report.json
    tensorbridge show report.json --format tsv
    tensorbridge inspect --format jsonl | tensorbridge show - --values
    tensorbridge show trace.json -o trace.html
    """  # noqa: D301 - the backspace keeps the lines below it apart
    if sort:
        one_of("--sort", sort, SORTS)
    format_name = request.format_name(given)
    record = saved.report_or_trace(document)
    _check(saved.called(document), record, format_name, _foreign(given, record, all, sort))
    with terminal.destination(given.output, given.color, given.values, given.picture) as (write, view):
        write(_text(record, format_name, replace(view, everything=all), sort), format_name == "table")


def _foreign(given: options.Options, record: Report | Trace, all_lines: bool, sort: str) -> list[str]:
    """Return the options that such a record does not have and that were typed; those set elsewhere are left out."""
    if isinstance(record, Trace):
        are_set = {"values": given.values, "picture": given.picture}
    else:
        are_set = {"all": all_lines, "sort": bool(sort)}
    return [name for name, is_set in are_set.items() if is_set and given.where(name) is SetIn.COMMAND_LINE]


def _check(name: str, record: Report | Trace, format_name: str, foreign: list[str]) -> None:
    """Refuse ``foreign`` options, and a format that is not for such a record.

    Raises:
        RequestError: for an option, or a format.
    """
    kind = "trace" if isinstance(record, Trace) else "report"
    for option in foreign:
        raise RequestError(f"--{option} cannot be used with a {kind} ({name}).")
    formats = [entry.name for entry in TRACES]
    if kind == "trace" and format_name not in formats:
        known = f"{', '.join(formats[:-1])} or {formats[-1]}"
        raise RequestError(f"{name} is a trace, which cannot be shown as {format_name}: use {known}.")


def _text(record: Report | Trace, format_name: str, view: View, sort: str) -> str:
    if isinstance(record, Trace):
        return render(ordered(record, sort) if sort else record, format_name, view)
    return render(record, format_name, view)
