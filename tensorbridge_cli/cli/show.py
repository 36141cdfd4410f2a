"""``tensorbridge show``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.cli.formats import chosen_format
from tensorbridge_cli.diff import saved
from tensorbridge_cli.diff.environments import SideBySide
from tensorbridge_cli.errors import RequestError, one_of
from tensorbridge_cli.records.report import Report
from tensorbridge_cli.records.trace import Trace, ordered
from tensorbridge_cli.records.trace_words import SORTS
from tensorbridge_cli.render import FORMATS, TABLES, TRACES, Format, View, reads_in_turn, render
from tensorbridge_cli.survey.request_text import SetIn


@app.command(cls=Command, epilog=options.DEFAULTS)
@options.take("document", "format", "output", "values", "picture", "all", "sort", "color", *options.COMMON)
def show(
    given: options.Options,
    document: Annotated[
        str,
        typer.Argument(
            metavar="REPORT|TRACE", help="A saved report, trace or merge (JSON or JSON lines); - = standard input."
        ),
    ],
    all: options.AllLines = False,  # noqa: A002 - the option's name
    sort: options.Sort = "",
) -> None:
    """Run ``tensorbridge show``; ``COMMANDS`` has the first sentence of its help.

    \b
    tensorbridge show report.json
    tensorbridge show report.json --format tsv
    tensorbridge inspect --format jsonl | tensorbridge show - --values
    tensorbridge show trace.json -o trace.html
    """  # noqa: D301 - the backspace keeps the lines below it apart
    if sort:
        one_of("--sort", sort, SORTS)
    format_name = chosen_format(given)
    record = saved.rows_or_record(document) if reads_in_turn(format_name) else saved.record(document)
    kind, formats, has = next(known for of, known in _KINDS.items() if isinstance(record, of))
    are_set = {"values": given.values, "picture": given.picture, "all": all, "sort": bool(sort)}
    for name, is_set in are_set.items():
        if is_set and name not in has and given.where(name) is SetIn.COMMAND_LINE:
            raise RequestError(f"--{name} cannot be used with {kind} ({saved.called(document)}).")
    if format_name not in [entry.name for entry in formats]:
        *others, last = [entry.name for entry in formats]
        known = f"{', '.join(others)} or {last}"
        raise RequestError(f"{saved.called(document)} is {kind}, which cannot be shown as {format_name}: use {known}.")
    with terminal.destination(given.output, given.color, given.values, given.picture) as (write, view):
        write(_text(record, format_name, replace(view, everything=all), sort), format_name == "table")


_KINDS: dict[type, tuple[str, Sequence[Format], frozenset[str]]] = {
    Report: ("a report", FORMATS, frozenset({"values", "picture"})),
    saved.Rows: ("a report", FORMATS, frozenset({"values", "picture"})),
    Trace: ("a trace", TRACES, frozenset({"all", "sort"})),
    SideBySide: ("a merge of several environments", TABLES, frozenset({"all"})),
}
"""What each record is called, the formats that it can be shown in, and the options that it has."""


def _text(record: saved.Rows | saved.Record, format_name: str, view: View, sort: str) -> str:
    if isinstance(record, Trace) and sort:
        record = ordered(record, sort)
    return render(record, format_name, view)
