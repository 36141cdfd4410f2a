"""``tensorbridge repro``: one row as a script of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli import request as cli_request
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.diff import saved
from tensorbridge_cli.errors import RequestError, UnavailableError
from tensorbridge_cli.explain.script import script, undefined
from tensorbridge_cli.records.report import NotApplicable, Report
from tensorbridge_cli.records.words import NO_TORCH, amount
from tensorbridge_cli.survey.request import parse
from tensorbridge_cli.survey.request_text import SELECTING, SetIn, option
from tensorbridge_cli.survey.run import survey

_ONE = "a script reproduces one conversion of one source"
_SAVED = "A saved row"
From = Annotated[
    str | None,
    options.option("--from", metavar="REPORT", text="A saved report; - = standard input.", panel=_SAVED),
]
Nth = Annotated[
    int | None,
    options.option(
        "--row",
        "-n",
        metavar="N",
        text="Row number, starting at 1.",
        panel=_SAVED,
        callback=options.whole("--row"),
    ),
]


@app.command(cls=Command, epilog=options.DEFAULTS)
@options.take(
    *("conversion", "code", *options.GENERATED, *options.OWN, "saved_report", "row", "to_dtype", "direction"),
    *("python", "isolation", "timeout", "output", *options.COMMON),
    python=options.Python,
)
def repro(given: options.Options, saved_report: From = None, row: Nth = None) -> None:
    """Run ``tensorbridge repro``; ``COMMANDS`` has the first sentence of its help.

    It ends with an assert of what was observed, or with the crash.

    \b
    tensorbridge repro from_dlpack --layout reversed
    tensorbridge repro as_tensor --state read-only -o readonly.py
    tensorbridge repro --from report.json --row 3
    """  # noqa: D301 - the backspace keeps the lines below it apart
    if (saved_report is None) != (row is None):
        raise RequestError("--from and --row must be used together.")
    with terminal.destination(given.output, "never", False) as (write, _):
        report = _survey(given) if saved_report is None else _nth(saved_report, row or 0, given)
        text = script(report.observations[0], report.environment, given.setup)
        if names := undefined(text):
            terminal.note(f"The script does not define {', '.join(names)}: specify the code that does with --setup.")
        write(text, False)


def _survey(given: options.Options) -> Report:
    """Make the one experiment that is asked for.

    Raises:
        RequestError: if that is none or several, or it cannot be made.
        UnavailableError: if it needs PyTorch, which is not installed.
    """
    request = parse(given, terminal.note)
    named = len(request.conversions) + len(request.code)
    if named != 1:
        raise RequestError(f"{_ONE}: specify exactly one conversion, e.g. from_numpy, or one --code (not {named}).")
    several: dict[str, tuple[object, ...]] = {
        "shapes": request.shapes,
        "dtypes": request.dtypes,
        "layouts": request.layouts,
        "states": request.states,
    }
    for kind, values in several.items():
        if len(values) > 1 or "all" in values:
            raise RequestError(f"{_ONE}: specify exactly one of the {kind}.")
    with cli_request.laboratory(given) as lab, terminal.progress() as progress:
        report = survey([request], lab, cli_request.isolation(given), progress)
    for case in report.not_applicable:
        error = UnavailableError if case.reason == NO_TORCH else RequestError
        raise error(_why_not(case))
    return report


def _why_not(case: NotApplicable) -> str:
    return f"{case.conversion} is not applicable: {case.reason}."


def _nth(path: str, nth: int, given: options.Options) -> Report:
    """Return the report at ``path`` with its ``nth`` observation alone.

    Raises:
        RequestError: if it has no such row, or another subject is asked for as well.
    """
    for name in SELECTING:
        if getattr(given, name) and given.where(name) is SetIn.COMMAND_LINE:
            raise RequestError(f"--from selects the row: omit {option(name)}.")
    if given.plugin:
        parse(given, terminal.note)  # imports them
    report = saved.report(path)
    count = len(report.observations)
    if not 0 < nth <= count:
        raise RequestError(f"--row {nth}: {path} has {amount(count, 'row')}, starting at 1.")
    return replace(report, observations=report.observations[nth - 1 : nth])
