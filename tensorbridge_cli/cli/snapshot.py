"""``tensorbridge snapshot``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer
from msgspec import structs

from tensorbridge_cli.catalog import layouts, states
from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.cli.started import laboratory
from tensorbridge_cli.compare import snapshot as text_of
from tensorbridge_cli.lab.isolation import DEFAULT, Isolation
from tensorbridge_cli.model import Direction

if TYPE_CHECKING:
    from tensorbridge_cli.survey import Request


@app.command(cls=Command, epilog=options.DEFAULTS)
def snapshot(
    conversion: Annotated[
        list[str] | None, typer.Argument(metavar="CONVERSION", help="Only these (default: all).")
    ] = None,
    shape: options.Shapes = None,
    dtype: options.Dtypes = None,
    layout: options.Layouts = None,
    state: options.States = None,
    direction: options.Way = None,
    isolation: options.Isolation = None,
    timeout: options.Timeout = 10.0,
    output: options.OutputFile = None,
    no_config: options.NoConfig = False,
    debug: options.Debug = False,
) -> None:
    """Write all outcomes as a small text to commit.

    Without options: all conversions, of every dtype, and of float32 in every layout and in every state. Nothing in it
    varies from run to run; diff compares it with another one, or with a report.

    \b
    tensorbridge snapshot -o tensorbridge.snapshot
    tensorbridge snapshot --dtype all --layout all
    tensorbridge snapshot | tensorbridge diff tensorbridge.snapshot -
    """  # noqa: D301 - the backspace keeps the lines below it apart
    where = cast("Isolation", options.one_of("--isolation", isolation or DEFAULT, get_args(Isolation)))
    way = direction and options.one_of("--direction", direction, (*Direction, "all"))
    from tensorbridge_cli.survey import Request, survey

    common = Request(
        conversions=options.split(conversion) or (),
        every=not conversion,
        shapes=tuple(dict.fromkeys(map(options.shape, shape or ()))) or Request.shapes,
        direction=None if way in (None, "all") else Direction(way),
    )
    requests = list(_requests(common, dtype, layout, state))
    for request in requests:
        request.check_names()
    with terminal.destination(output, "never", False) as (write, _), laboratory(where, timeout) as lab:
        with terminal.progress() as tell:
            reports = [survey(request, lab, where, tell) for request in requests]
        rows = itertools.chain.from_iterable(report.observations for report in reports)
        write(text_of(structs.replace(reports[0], observations=tuple(rows))), False)


def _requests(
    common: Request, dtype: list[str] | None, layout: list[str] | None, state: list[str] | None
) -> Iterator[Request]:
    """Yield what was asked for, each with each; where nothing was, each of the three in turn through all it can be."""
    dtypes = options.split(dtype)
    layout_names = options.words(layout, "layout", layouts.BY_NAME)
    state_names = options.words(state, "state", (states.PLAIN, *states.BY_NAME))
    if not (dtypes or layout_names or state_names):
        yield replace(common, dtypes=("all",))
        yield replace(common, layouts=("all",))
        yield replace(common, states=("all",))
        return
    yield replace(
        common,
        dtypes=dtypes or common.dtypes,
        layouts=layout_names or common.layouts,
        states=tuple(name if name == "all" else states.parse(name) for name in state_names or common.states),
    )
