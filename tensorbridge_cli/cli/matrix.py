"""``tensorbridge matrix``: many conversions × many subjects, as a grid or as lines while they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli import request as asked
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.report import Environment, NotApplicable, Row
from tensorbridge_cli.render import View, render, render_grid
from tensorbridge_cli.render.machine import csv, jsonl, tsv

if TYPE_CHECKING:
    from tensorbridge_cli.survey.run import Request

_GRID = "grid"


@app.command(cls=Command, epilog=options.DEFAULTS)
def matrix(
    context: typer.Context,
    conversion: options.Selected = None,
    code: options.Code = None,
    full: Annotated[
        bool, typer.Option("--full", help="Every dtype in every layout, and every dtype in every state.")
    ] = False,
    product: Annotated[bool, typer.Option("--product", help="Every dtype, layout and state, each with each.")] = False,
    remedies: Annotated[bool, typer.Option("--remedies", help="Look for the code to write instead, too.")] = False,
    shape: options.Shapes = None,
    dtype: options.Dtypes = None,
    layout: options.Layouts = None,
    state: options.States = None,
    device: options.Device = "cpu",
    setup: options.Setup = "",
    plugin: options.Plugins = None,
    to_dtype: options.ToDtype = None,
    direction: options.Way = None,
    group: options.Groups = None,
    isolation: options.Isolation = None,
    timeout: options.Timeout = 10.0,
    force: options.Force = False,
    format: options.Format = None,  # noqa: A002 - the option's name
    output: options.OutputFile = None,
    color: options.Colour = "auto",
    no_config: options.NoConfig = False,
    debug: options.Debug = False,
) -> None:
    """Show conversions × subjects as a grid, a letter a cell.

    Without options: all conversions, of float32 in every layout. The broken contracts are listed below the grid.

    \b
    tensorbridge matrix
    tensorbridge matrix --group classic --dtype all
    tensorbridge matrix --direction numpy-to-torch --state all
    tensorbridge matrix --full --format jsonl -o border.jsonl
    """  # noqa: D301 - the backspace keeps the lines below it apart
    options.one_of("--color", color, options.COLOURS)
    where, request = asked.isolation(context), asked.request(context)
    shown_as, requests = asked.face(context, _GRID), _requests(context, request)
    if shown_as in _STREAMED:
        with terminal.stream(output) as add, asked.laboratory(context) as lab, terminal.progress(color) as tell:
            from tensorbridge_cli.survey.run import surveying

            for line in _STREAMED[shown_as](*surveying(requests, lab, where, tell, snapshots=False, remedies=remedies)):
                add(line)
        return
    with terminal.destination(output, color, False) as (write, view), asked.laboratory(context) as lab:
        import tensorbridge_cli.render.report.grid  # noqa: F401 - while torch is imported in the other process
        from tensorbridge_cli.survey.run import surveying

        with terminal.progress(color) as tell:
            whole = _whole(*surveying(requests, lab, where, tell, snapshots=False, remedies=remedies), shown_as, view)
        write(whole, shown_as in (_GRID, "table"))


def _requests(context: typer.Context, request: Request) -> list[Request]:
    """Return what was asked for; ``--full`` and ``--product`` add what they mean to it.

    Raises:
        RequestError: where an option says otherwise.
    """
    common = replace(request, every=not (request.conversions or request.code or request.groups))
    axes = [name for name in ("dtype", "layout", "state") if context.params[name]]
    wide = [name for name in ("full", "product") if context.params[name]]
    if len(wide) > 1 or (wide and axes):
        raise RequestError(f"--{wide[0]} and --{(wide[1:] or axes)[0]} exclude each other: the first says what to try.")
    every = ("all",)
    if context.params["product"]:
        return [replace(common, dtypes=every, layouts=every, states=every)]
    if context.params["full"]:
        return [replace(common, dtypes=every, layouts=every), replace(common, dtypes=every, states=every)]
    return [common if axes else replace(common, layouts=every)]


_STREAMED: dict[str, Callable[[Environment, Iterable[Row | NotApplicable]], Iterator[str]]] = {
    "csv": csv.stream,
    "jsonl": jsonl.stream,
    "tsv": tsv.stream,
}
"""The formats that are lines, written as the rows come."""


def _whole(environment: Environment, entries: Iterable[Row | NotApplicable], shown_as: str, view: View) -> str:
    """Return all of it in one text."""
    if shown_as in (_GRID, "markdown", "svg"):
        from tensorbridge_cli.render.report import grid

        return render_grid(grid.counted(entries), shown_as, environment, view)
    from tensorbridge_cli.survey.run import collected

    return render(collected(environment, entries), shown_as, view)
