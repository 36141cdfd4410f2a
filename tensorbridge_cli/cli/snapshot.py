"""``tensorbridge snapshot``."""

from __future__ import annotations

from dataclasses import replace

from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli import request as cli_request
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.diff.snapshot import snapshot as text_of
from tensorbridge_cli.survey.request import Request, parse
from tensorbridge_cli.survey.run import survey


@app.command(cls=Command, epilog=options.DEFAULTS)
@options.take(
    *("conversion", "shape", "dtype", "layout", "state", "direction", "python", "isolation", "timeout", "output"),
    *options.COMMON,
    conversion=options.Selected,
    python=options.Python,
)
def snapshot(given: options.Options) -> None:
    """Run ``tensorbridge snapshot``; ``COMMANDS`` has the first sentence of its help.

    Default: all conversions, of every dtype, and of float32 in every layout and in every state. The file does not vary
    from run to run; diff compares it with another snapshot or a report.

    \b
    tensorbridge snapshot -o tensorbridge.snapshot
    tensorbridge snapshot --dtype all --layout all
    tensorbridge snapshot | tensorbridge diff tensorbridge.snapshot -
    """  # noqa: D301 - the backspace keeps the lines below it apart
    isolation, requests = cli_request.isolation(given), requests_of(given)
    with terminal.destination(given.output, "never", False) as (write, _), cli_request.laboratory(given) as lab:
        with terminal.progress() as progress:
            report = survey(requests, lab, isolation, progress, snapshots=False)
        write(text_of(report), False)


def requests_of(given: options.Options) -> list[Request]:
    """Return what was asked for; if no subject was, each axis in turn through all that it can be."""
    request = parse(given, terminal.note)
    request = replace(request, every=not request.conversions)
    return [request] if given.dtype or given.layout or given.state else request.each_axis()
