"""``tensorbridge show``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import typer

from tensorbridge_cli.cli import app, options, request, saved, terminal
from tensorbridge_cli.cli.command import Command, rank
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.report import Report
from tensorbridge_cli.records.trace import SORTS, Trace, ordered
from tensorbridge_cli.render import TRACES, View, render, render_trace


@app.command(cls=Command, epilog=options.DEFAULTS)
def show(
    context: typer.Context,
    document: saved.Saved,
    format: options.Format = None,  # noqa: A002 - the option's name
    output: options.OutputFile = None,
    values: options.ShowValues = False,
    picture: options.ShowPicture = False,
    all: options.AllLines = False,  # noqa: A002 - the option's name
    sort: options.Sort = "",
    color: options.Colour = "auto",
    no_config: options.NoConfig = False,
    debug: options.Debug = False,
) -> None:
    """Show a saved report or trace again, in any format.

    \b
    tensorbridge show report.json
    tensorbridge show report.json --format tsv
    tensorbridge inspect --format jsonl | tensorbridge show - --values
    tensorbridge show trace.json -o trace.html
    """  # noqa: D301 - the backspace keeps the lines below it apart
    options.one_of("--color", color, options.COLOURS)
    if sort:
        options.one_of("--sort", sort, SORTS)
    face = request.face(context)
    found = saved.report_or_trace(document)
    _check(context, saved.called(document), found, face)
    with terminal.destination(output, color, values, picture) as (write, view):
        write(_text(found, face, replace(view, everything=all), sort), face == "table")


def _check(context: Any, name: str, found: Report | Trace, face: str) -> None:
    """Refuse what such a document does not have; an option that was not typed was meant for another, and is left out.

    Raises:
        RequestError: for an option, or a format.
    """
    kind, others = ("trace", ("values", "picture")) if isinstance(found, Trace) else ("report", ("all", "sort"))
    for option in others:
        if context.params[option] and rank(context, option) == 0:
            raise RequestError(f"{name} is a {kind}, which has no --{option}.")
    formats = [entry.name for entry in TRACES]
    if kind == "trace" and face not in formats:
        known = f"{', '.join(formats[:-1])} or {formats[-1]}"
        raise RequestError(f"{name} is a trace, which is not shown as {face}: write {known}.")


def _text(found: Report | Trace, face: str, view: View, sort: str) -> str:
    if isinstance(found, Trace):
        return render_trace(ordered(found, sort) if sort else found, face, view)
    return render(found, face, view)
