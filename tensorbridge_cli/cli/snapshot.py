"""``tensorbridge snapshot``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli import request as asked
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.diff.snapshot import snapshot as text_of

if TYPE_CHECKING:
    from tensorbridge_cli.survey.run import Request


@app.command(cls=Command, epilog=options.DEFAULTS)
def snapshot(
    context: typer.Context,
    conversion: options.Selected = None,
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
    where, request = asked.isolation(context), asked.request(context)
    with terminal.destination(output, "never", False) as (write, _), asked.laboratory(context) as lab:
        from tensorbridge_cli.survey.run import survey

        with terminal.progress() as tell:
            report = survey(_requests(context, request), lab, where, tell)
        write(text_of(report), False)


def _requests(context: typer.Context, request: Request) -> list[Request]:
    """Return what was asked for; where no subject was, each axis in turn through all that it can be."""
    everything = replace(request, every=not request.conversions)
    if any(context.params[name] for name in ("dtype", "layout", "state")):
        return [everything]
    return asked.each_axis(everything)
