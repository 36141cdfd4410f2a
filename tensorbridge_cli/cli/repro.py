"""``tensorbridge repro``: one row as a script of its own."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from msgspec import structs

from tensorbridge_cli.cli import app, options, saved, terminal
from tensorbridge_cli.cli import request as asked
from tensorbridge_cli.cli.command import Command, rank
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.report import NotApplicable, Report

_ONE = "a script shows one conversion of one subject"
_SAVED = "A saved row"
From = Annotated[
    str | None,
    typer.Option("--from", metavar="REPORT", help="A saved report; - is standard input.", rich_help_panel=_SAVED),
]
Nth = Annotated[
    int | None,
    typer.Option("--row", "-n", metavar="N", help="Its Nth observation, from 1 on.", rich_help_panel=_SAVED),
]


@app.command(cls=Command, epilog=options.DEFAULTS)
def repro(
    context: typer.Context,
    conversion: options.Conversions = None,
    code: options.Code = None,
    shape: options.Shapes = None,
    dtype: options.Dtypes = None,
    layout: options.Layouts = None,
    state: options.States = None,
    device: options.Device = "cpu",
    file: options.File = None,
    expr: options.Expr = None,
    object: options.Object = None,  # noqa: A002 - the option's name
    setup: options.Setup = "",
    plugin: options.Plugins = None,
    saved_report: From = None,
    row: Nth = None,
    to_dtype: options.ToDtype = None,
    direction: options.Way = None,
    isolation: options.Isolation = None,
    timeout: options.Timeout = 10.0,
    output: options.OutputFile = None,
    no_config: options.NoConfig = False,
    debug: options.Debug = False,
) -> None:
    """Print a script that shows the same without this tool.

    It ends with an assert of what was found, or with the crash.

    \b
    tensorbridge repro from_dlpack --layout reversed
    tensorbridge repro as_tensor --state read-only -o readonly.py
    tensorbridge repro --from report.json --row 3
    """  # noqa: D301 - the backspace keeps the lines below it apart
    if (saved_report is None) != (row is None):
        raise RequestError("--from and --row belong together: which row of which report?")
    with terminal.destination(output, "never", False) as (write, _):
        report = _survey(context) if saved_report is None else _nth(saved_report, row or 0, context)
        from tensorbridge_cli.explain.script import script

        write(script(report.observations[0], report.environment, setup), False)


def _survey(context: Any) -> Report:
    """Make the one experiment that is asked for.

    Raises:
        RequestError: where that is none or several, or it cannot be made.
    """
    request = asked.request(context)
    named = len(request.conversions) + len(request.code)
    if named != 1:
        raise RequestError(f"{_ONE}: name one conversion, e.g. from_numpy, or give one --code; {named} are named.")
    several = {
        "shapes": len(request.shapes),
        "dtypes": len(request.dtypes),
        "layouts": len(request.layouts),
        "states": len(request.states),
    }
    for kind, count in several.items():
        if count > 1 or "all" in getattr(request, kind):
            raise RequestError(f"{_ONE}: give one of the {kind}.")
    with asked.laboratory(context) as lab, terminal.progress() as tell:
        from tensorbridge_cli.survey.run import survey

        report = survey([request], lab, asked.isolation(context), tell)
    for case in report.not_applicable:
        raise RequestError(_why_not(case))
    return report


def _why_not(case: NotApplicable) -> str:
    return f"there is nothing to show: {case.conversion} is not applicable, because {case.reason}."


def _nth(path: str, nth: int, context: Any) -> Report:
    """Return the report at ``path`` with its ``nth`` observation alone.

    Raises:
        RequestError: where it has no such row, or another subject is asked for as well.
    """
    for name in asked.SELECTING:
        if context.params.get(name) and rank(context, name) == 0:
            raise RequestError(f"--from says what is shown: leave {asked.spelled(name)} out.")
    if context.params["plugin"]:
        asked.request(context)  # imports them
    report = saved.report(path)
    count = len(report.observations)
    if not 0 < nth <= count:
        raise RequestError(f"--row {nth}: {path} has {count} observation{'' if count == 1 else 's'}, from 1 on.")
    return structs.replace(report, observations=report.observations[nth - 1 : nth])
