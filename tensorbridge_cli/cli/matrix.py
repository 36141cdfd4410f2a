"""``tensorbridge matrix``: many conversions × many subjects, as a grid or as lines while they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Annotated

from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli import request as cli_request
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.cli.formats import chosen_format
from tensorbridge_cli.diff.environments import side_by_side
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.report import Environment, NotApplicable, Row
from tensorbridge_cli.render import TABLES, Grids, View, render
from tensorbridge_cli.render.machine import csv, jsonl, tsv
from tensorbridge_cli.render.report import grid
from tensorbridge_cli.survey import environments
from tensorbridge_cli.survey.request import Request, parse
from tensorbridge_cli.survey.run import collected, surveying

_GRID = "grid"


@app.command(cls=Command, epilog=options.DEFAULTS)
@options.take(
    *("conversion", "code", "full", "product", "all", "remedies", *options.GENERATED, "setup", "plugin", "to_dtype"),
    *("direction", "group", "python", "isolation", "timeout", "force", "format", "output", "color", *options.COMMON),
    conversion=options.Selected,
)
def matrix(
    given: options.Options,
    full: Annotated[bool, options.option("--full", text="Every dtype in every layout, and in every state.")] = False,
    product: Annotated[bool, options.option("--product", text="Every combination of dtype, layout and state.")] = False,
    all: Annotated[  # noqa: A002 - the option's name
        bool,
        options.option("--all", text="With several --python: also show rows that are the same in all environments."),
    ] = False,
    remedies: Annotated[bool, options.option("--remedies", text="Also test alternatives.")] = False,
) -> None:
    """Run ``tensorbridge matrix``; ``COMMANDS`` has the first sentence of its help.

    Default: all conversions, of float32 in every layout. Contradictions of the documentation are listed below the
    grid.

    \b
    tensorbridge matrix
    tensorbridge matrix --group classic --dtype all
    tensorbridge matrix --direction numpy-to-torch --state all
    tensorbridge matrix --full --format jsonl -o matrix.jsonl
    tensorbridge matrix --python ../old/.venv --python .venv
    """  # noqa: D301 - the backspace keeps the lines below it apart
    isolation, requests = cli_request.isolation(given), _requests(given, full, product)
    if len(given.python) > 1:
        _side_by_side(given, requests, everything=all)
        return
    format_name = chosen_format(given, _GRID)
    if format_name in _STREAMED:
        with (
            terminal.stream(given.output) as add,
            cli_request.laboratory(given) as lab,
            terminal.progress(given.color) as progress,
        ):
            for line in _STREAMED[format_name](
                *surveying(requests, lab, isolation, progress, snapshots=False, remedies=remedies)
            ):
                add(line)
        return
    with terminal.destination(given.output, given.color, False) as (write, view), cli_request.laboratory(given) as lab:
        with terminal.progress(given.color) as progress:
            text = _text(
                *surveying(requests, lab, isolation, progress, snapshots=False, remedies=remedies), format_name, view
            )
        write(text, format_name in (_GRID, "table"))


def _side_by_side(given: options.Options, requests: list[Request], *, everything: bool) -> None:
    """Show several environments, one letter each."""
    format_name = chosen_format(given, formats=TABLES)
    with (
        terminal.destination(given.output, given.color) as (write, view),
        cli_request.laboratories(given) as places,
    ):
        with terminal.progress(given.color) as progress:
            recorded = environments.recordings(requests, places, cli_request.isolation(given), progress)
        compared = side_by_side(*zip(*recorded, strict=True))
        shown_as = _GRID if format_name == "table" else format_name
        write(render(compared, shown_as, replace(view, everything=everything)), shown_as == _GRID)


def _requests(given: options.Options, full: bool, product: bool) -> list[Request]:
    """Return what was asked for; ``--full`` and ``--product`` add what they mean to it.

    Raises:
        RequestError: if an option says otherwise.
    """
    request = parse(given, terminal.note)
    request = replace(request, every=not (request.conversions or request.code or request.groups))
    axes = [name for name in ("dtype", "layout", "state") if getattr(given, name)]
    wide = [name for name, is_asked in (("full", full), ("product", product)) if is_asked]
    if len(wide) > 1 or (wide and axes):
        raise RequestError(f"--{wide[0]} and --{(wide[1:] or axes)[0]} cannot be combined.")
    every = ("all",)
    if product:
        return [replace(request, dtypes=every, layouts=every, states=every)]
    if full:
        return [replace(request, dtypes=every, layouts=every), replace(request, dtypes=every, states=every)]
    return [request if axes else replace(request, layouts=every)]


_STREAMED: dict[str, Callable[[Environment, Iterable[Row | NotApplicable]], Iterator[str]]] = {
    "csv": csv.stream,
    "jsonl": jsonl.stream,
    "tsv": tsv.stream,
}
"""The formats that are lines, written as the rows come."""


def _text(environment: Environment, entries: Iterable[Row | NotApplicable], format_name: str, view: View) -> str:
    """Return all rows in one text."""
    if format_name in (_GRID, "markdown", "svg"):
        return render(Grids(grid.counted(entries), environment), format_name, view)
    return render(collected(environment, entries), format_name, view)
