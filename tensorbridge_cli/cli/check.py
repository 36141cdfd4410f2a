"""``tensorbridge check``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli import request as asked
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.render import Verdicts, in_repository, render, shows_verdicts
from tensorbridge_cli.render.report.verdicts import gone_cell, sums
from tensorbridge_cli.survey import check as checks
from tensorbridge_cli.survey.check import Baseline, CheckText

_WHAT = "What must hold"
_PLACES = ("pyproject.toml", "setup.cfg", "setup.py", "requirements.txt", "README.md")
"""Where an alert stands if no file says what is checked: the first that exists in the current folder."""
_RECORDS = ("json", "jsonl", "tsv", "csv")
"""Formats that record every row, so that the record can be the next baseline; the others say what failed."""

Expect = Annotated[
    list[str] | None,
    typer.Option(
        "--expect",
        metavar="WHAT",
        help="shared, copied, refused, shared-or-copied, writable, read-only, dtype=float32, no-hazard, "
        "no-hazard=readonly-dropped, or documented (the documentation's promises, too); repeatable.",
        envvar="TENSORBRIDGE_EXPECT",
        show_envvar=False,
        rich_help_panel=_WHAT,
    ),
]
Expectations = Annotated[
    str | None,
    typer.Option(
        "--expectations",
        metavar="FILE",
        help="A TOML file with tables [[expect]], see below.",
        envvar="TENSORBRIDGE_EXPECTATIONS",
        show_envvar=False,
        rich_help_panel=_WHAT,
    ),
]
Baselines = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="FILE",
        help="A report or a snapshot; what was broken in it does not fail, what changed since does.",
        envvar="TENSORBRIDGE_BASELINE",
        show_envvar=False,
        rich_help_panel=_WHAT,
    ),
]
_EPILOG = f"""
Without --expect it is the documented contract that must hold. Where nothing is selected all conversions are tried, of
every dtype, in every layout, in every state, and 0-d; or the expectations of pyproject.toml, where it has some.

With --expect, only what you expect decides, of the classic four where no conversion is named; what could not be seen
was not met. An expectation in a file selects with the names of the options above, and says in the words of --expect
what holds; in pyproject.toml the table is [[tool.tensorbridge.expect]].

\b
[[expect]]
conversion = "from_numpy"
dtype = ["float32", "int64"]
holds = ["shared", "no-hazard=readonly-dropped"]

With --baseline and nothing selected, the cells of that file are tried again. A contract broken since then fails; so
does an outcome that changed, and a breach or a cell that is gone. --format json, jsonl and tsv record all that was
found, to be the next baseline.

The exit code is 1 where something was not met.
{options.DEFAULTS}"""


@app.command(cls=Command, epilog=_EPILOG)
@options.take(
    *("conversion", "code", "expect", "expectations", "baseline", *options.GENERATED, *options.OWN, "to_dtype"),
    *("direction", "group", "all", "python", "isolation", "timeout", "force", "format", "output", "quiet", "color"),
    *options.COMMON,
    conversion=options.Selected,
)
def check(
    given: options.Options, expect: Expect = None, expectations: Expectations = None, baseline: Baselines = None
) -> None:
    """Fail where an expectation is not met.

    Runs experiments, and holds them against the documentation, against what you expect, or against an earlier report.

    \b
    tensorbridge check
    tensorbridge check from_numpy --expect shared
    tensorbridge check --all --layout negative --format github
    tensorbridge check --expectations border.toml --format junit -o border.xml
    tensorbridge check --baseline report.json
    """  # noqa: D301 - the backspace keeps the lines below it apart
    isolation, format_name = asked.isolation(given), asked.format_name(given)
    text = CheckText(
        request=given,
        expect=tuple(expect or ()),
        expectations=expectations,
        baseline=None if baseline is None else Baseline.read(baseline),
        from_pyproject=not given.no_config,
    )
    tasks = checks.tasks(text, terminal.note)
    with (
        terminal.destination(given.output, given.color, False) as (show, view),
        asked.laboratory(given, checks.has_code(tasks)) as lab,
    ):
        with terminal.progress(given.color) as progress:
            checked = checks.run(text, tasks, lab, isolation, progress)
        report = checked.report if format_name in _RECORDS else checked.failed
        verdicts = Verdicts(report, checks.against(text, tasks), checked.gone)
        into_a_file = given.output not in (None, terminal.STDOUT)
        files = (expectations, baseline, *_PLACES)
        view = replace(view, place=next((in_repository(name) for name in files if name and Path(name).is_file()), None))
        if checked.is_unmet or into_a_file or not given.quiet:
            show(render(verdicts, format_name, view), format_name == "table")
            if checked.gone and not shows_verdicts(format_name):
                terminal.complain("; ".join(f"gone: {gone_cell(alone)}" for alone in checked.gone))
        if into_a_file and (checked.is_unmet or not given.quiet):
            counts = sums(replace(verdicts, report=checked.failed)).plain
            terminal.note(f"{counts}; written to {given.output} ({format_name})")
    if checked.is_unmet:
        raise typer.Exit(1)
