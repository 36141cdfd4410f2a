"""``tensorbridge inspect``: the main job. What compares several environments is imported where there are several."""

from __future__ import annotations

import typer

from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli import request as cli_request
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.cli.formats import chosen_format
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.render import TABLES, render
from tensorbridge_cli.survey.request import Request, parse, wanted
from tensorbridge_cli.survey.run import answered, survey


@app.command(cls=Command, epilog=options.DEFAULTS)
@options.take(
    *("conversion", "code", *options.GENERATED, *options.OWN, "to_dtype", "direction", "group", "all", "want"),
    *("python", "isolation", "timeout", "force", "format", "output", "values", "picture", "color", *options.COMMON),
)
def inspect(given: options.Options) -> None:
    """Run ``tensorbridge inspect``; ``COMMANDS`` has the first sentence of its help.

    Each conversion runs on a fresh source; then each side is modified and the other checked. For each problem,
    alternatives are run on the same source; only those that work are shown.

    \b
    tensorbridge inspect --shape 4,3 --dtype float32
    tensorbridge inspect from_numpy as_tensor --layout reversed,non-contiguous
    tensorbridge inspect --all --state read-only --values
    tensorbridge inspect from_numpy tensor --layout non-contiguous --picture
    tensorbridge inspect tensor --to-dtype float64 --format json
    tensorbridge inspect --file data.npy
    tensorbridge inspect --want shared --state requires-grad
    tensorbridge inspect from_numpy --expr 'np.arange(24.).reshape(4, 6)[:, ::2]'
    tensorbridge inspect --python ../old/.venv --python .venv
    """  # noqa: D301 - the backspace keeps the lines below it apart
    outcome, request = wanted(given), parse(given, terminal.note)
    isolation = cli_request.isolation(given)
    if len(given.python) > 1:
        _side_by_side(given, request)
        return
    format_name = chosen_format(given)
    with (
        terminal.destination(given.output, given.color, given.values, given.picture) as (show, view),
        cli_request.laboratory(given) as lab,
    ):
        with terminal.progress(given.color) as progress:
            report = survey([request], lab, isolation, progress, remedies=True)
        if outcome is not None:
            report = answered(report, outcome, request.direction)
        show(render(report, format_name, view), format_name == "table")
    if any(not answer.write for answer in report.answers) or (outcome is not None and not report.answers):
        raise typer.Exit(1)


def _side_by_side(given: options.Options, request: Request) -> None:
    """Show several environments, one column each.

    Raises:
        RequestError: for an option that shows one environment.
    """
    from tensorbridge_cli.survey import environments

    for name in ("want", "values", "picture"):
        if getattr(given, name):
            raise RequestError(f"--{name} shows one environment: use --python once.")
    format_name = chosen_format(given, formats=TABLES)
    with (
        terminal.destination(given.output, given.color) as (show, view),
        cli_request.laboratories(given) as places,
    ):
        with terminal.progress(given.color) as progress:
            inspections = environments.inspections(
                [request], places, cli_request.isolation(given), progress, remedies=True
            )
        show(render(inspections, format_name, view), format_name == "table")
