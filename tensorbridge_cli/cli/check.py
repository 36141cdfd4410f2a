"""``tensorbridge check``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli import request as cli_request
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.cli.formats import chosen_format
from tensorbridge_cli.diff.environments import only_worse
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.lab.protocol import Isolation
from tensorbridge_cli.render import FORMATS, TABLES, Verdicts, in_repository, render, shows_verdicts
from tensorbridge_cli.render.report.verdicts import gone_cell, sums
from tensorbridge_cli.survey import check as checks
from tensorbridge_cli.survey import environments
from tensorbridge_cli.survey.check import Baseline, CheckText
from tensorbridge_cli.survey.task import Task

_WHAT = "Expectations"
_PLACES = ("pyproject.toml", "setup.cfg", "setup.py", "requirements.txt", "README.md")
"""Where an alert stands if no file says what is checked: the first that exists in the current folder."""
_RECORDS = ("json", "jsonl", "tsv", "csv")
"""Formats that record every row, so that the record can be the next baseline; the others say what failed."""
_WITH_ELEMENTS = ("json", "jsonl", "html")
"""Formats that have the elements of small objects after each step: their texts are a tenth of what a row costs."""


def _expectations() -> Iterable[str]:
    from tensorbridge_cli.catalog import hazards
    from tensorbridge_cli.judgement.expectations import GRAMMAR

    words = (word.removesuffix("NAME") for word in GRAMMAR if not word.endswith("=CODE"))
    return *words, *(f"no-hazard={name}" for name in hazards.BY_NAME)


Expect = Annotated[
    list[str] | None,
    options.option(
        "--expect",
        metavar="WHAT",
        text="shared, copied, refused, shared-or-copied, writable, read-only, dtype=float32, no-hazard, "
        "no-hazard=readonly-dropped, or documented (also check the documentation); repeatable.",
        panel=_WHAT,
        complete=_expectations,
    ),
]
Expectations = Annotated[
    str | None,
    options.option(
        "--expectations",
        metavar="FILE",
        text="A TOML file with [[expect]] tables (see below).",
        panel=_WHAT,
    ),
]
Baselines = Annotated[
    str | None,
    options.option(
        "--baseline",
        metavar="FILE",
        text="An earlier report or snapshot: known failures pass; changes fail.",
        panel=_WHAT,
    ),
]
NoWorse = Annotated[
    bool,
    options.option(
        "--no-worse",
        text="Of several environments, fail only if a later one fails where the first one passes.",
        panel=_WHAT,
    ),
]
_EPILOG = f"""
Without --expect, the documentation is checked. If nothing is selected, all conversions run with every dtype, layout
and state, and 0-d, unless pyproject.toml contains expectations: then these are checked.

With --expect, only your expectations count. The default is the four common conversions. What could not be observed
fails. An expectation in a file uses the names of the options above to select, and the words of --expect under "holds";
in pyproject.toml the table is [[tool.tensorbridge.expect]].

\b
[[expect]]
conversion = "from_numpy"
dtype = ["float32", "int64"]
holds = ["shared", "no-hazard=readonly-dropped"]

With --baseline and nothing selected, the cells of that file run again. These fail: a new contradiction of the
documentation, a changed outcome, and a known failure or a cell that no longer exists. --format json, jsonl and tsv
record all results, for the next baseline.

Exits 1 if an expectation is not met.
{options.DEFAULTS}"""


@app.command(cls=Command, epilog=_EPILOG)
@options.take(
    *("conversion", "code", "expect", "expectations", "baseline", *options.GENERATED, *options.OWN, "to_dtype"),
    *("direction", "group", "all", "python", "no_worse", "isolation", "timeout", "force", "format", "output"),
    *("quiet", "color"),
    *options.COMMON,
    conversion=options.Selected,
)
def check(
    given: options.Options,
    expect: Expect = None,
    expectations: Expectations = None,
    baseline: Baselines = None,
    no_worse: NoWorse = False,
) -> None:
    """Run ``tensorbridge check``; ``COMMANDS`` has the first sentence of its help.

    Default: every conversion of every dtype, layout and state, compared with its documentation. --expect tests your
    own expectations instead, --baseline compares with an earlier report.

    \b
    tensorbridge check
    tensorbridge check from_numpy --expect shared
    tensorbridge check --all --layout reversed --format github
    tensorbridge check --expectations expected.toml --format junit -o out.xml
    tensorbridge check --baseline report.json
    tensorbridge check --python ../old/.venv --python .venv --no-worse
    """  # noqa: D301 - the backspace keeps the lines below it apart
    isolation, several = cli_request.isolation(given), len(given.python) > 1
    if no_worse and not several:
        raise RequestError("--no-worse compares environments: use --python twice or more.")
    if baseline is not None and several:
        raise RequestError("--baseline is one environment's: use --python once.")
    format_name = chosen_format(given, formats=TABLES if several else FORMATS)
    text = CheckText(
        request=given,
        expect=tuple(expect or ()),
        expectations=expectations,
        baseline=None if baseline is None else Baseline.read(baseline),
        from_pyproject=not given.no_config,
    )
    tasks = checks.tasks(text, terminal.note)
    if several:
        is_unmet = _side_by_side(given, text, tasks, isolation, format_name, no_worse=no_worse)
    else:
        places = (expectations, baseline, *_PLACES)
        is_unmet = _one_environment(given, text, tasks, isolation, format_name, places)
    if is_unmet:
        raise typer.Exit(1)


def _one_environment(
    given: options.Options,
    text: CheckText,
    tasks: Sequence[Task],
    isolation: Isolation,
    format_name: str,
    places: Sequence[str | None],
) -> bool:
    """Show the failures; return True if there are any. ``places`` are files that may say what is checked."""
    with (
        terminal.destination(given.output, given.color, False) as (show, view),
        cli_request.laboratory(given, checks.has_code(tasks)) as lab,
    ):
        with terminal.progress(given.color) as progress:
            checked = checks.run(text, tasks, lab, isolation, progress, snapshots=format_name in _WITH_ELEMENTS)
        report = checked.report if format_name in _RECORDS else checked.failed
        verdicts = Verdicts(report, checks.against(text, tasks), checked.gone)
        into_a_file = given.output not in (None, terminal.STDOUT)
        existing = (in_repository(name) for name in places if name and Path(name).is_file())
        view = replace(view, place=next(existing, None))
        if checked.is_unmet or into_a_file or not given.quiet:
            show(render(verdicts, format_name, view), format_name == "table")
            if checked.gone and not shows_verdicts(format_name):
                terminal.complain("; ".join(f"gone: {gone_cell(alone)}" for alone in checked.gone))
        if into_a_file and (checked.is_unmet or not given.quiet):
            counts = sums(replace(verdicts, report=checked.failed)).plain
            terminal.note(f"{counts}; written to {given.output} ({format_name})")
    return checked.is_unmet


def _side_by_side(
    given: options.Options,
    text: CheckText,
    tasks: Sequence[Task],
    isolation: Isolation,
    format_name: str,
    *,
    no_worse: bool,
) -> bool:
    """Show the failures in several environments; return True if there are any."""
    with (
        terminal.destination(given.output, given.color) as (show, view),
        cli_request.laboratories(given, checks.has_code(tasks)) as places,
    ):
        with terminal.progress(given.color) as progress:
            compared = environments.checks(text, tasks, places, isolation, progress)
        worse = only_worse(compared)
        is_unmet = bool((worse if no_worse else compared).breaches)
        if is_unmet or not given.quiet:
            is_text = format_name == "table"
            shown = worse if no_worse and is_text else compared
            show(render(shown, "counts" if is_text else format_name, replace(view, everything=not no_worse)), is_text)
    return is_unmet
