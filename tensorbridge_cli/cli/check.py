"""``tensorbridge check``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import structs

from tensorbridge_cli.catalog import registry
from tensorbridge_cli.cli import app, expected, options, saved, terminal
from tensorbridge_cli.cli import request as asked
from tensorbridge_cli.cli.command import Command, rank
from tensorbridge_cli.cli.expected import Task
from tensorbridge_cli.diff.cells import Alone, Key, Recording
from tensorbridge_cli.diff.reports import compare, of_report
from tensorbridge_cli.errors import RequestError, TensorbridgeError
from tensorbridge_cli.judgement import expectations
from tensorbridge_cli.lab.client import Isolation, Laboratory
from tensorbridge_cli.records import report as model
from tensorbridge_cli.records.report import Direction, NotApplicable, Origin, Report, Row, Verdict
from tensorbridge_cli.render import in_repository, render, render_verdicts

if TYPE_CHECKING:
    from tensorbridge_cli.survey.run import Request

_WHAT = "What must hold"
_SUBJECT = ("shape", "dtype", "layout", "state", "file", "expr", "object")
_CONVERSIONS = ("conversion", "code", "group", "all")
_PLACES = ("pyproject.toml", "setup.cfg", "setup.py", "requirements.txt", "README.md")
"""Where an alert stands if no file says what is checked: the first that there is in the current folder."""
_RECORDS = ("json", "jsonl", "tsv", "csv")
"""Formats that record what was found, so that the record can be the next baseline; the others say what failed."""

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
Baseline = Annotated[
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
def check(
    context: typer.Context,
    conversion: options.Selected = None,
    code: options.Code = None,
    expect: Expect = None,
    expectations: Expectations = None,
    baseline: Baseline = None,
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
    to_dtype: options.ToDtype = None,
    direction: options.Way = None,
    group: options.Groups = None,
    all: options.Every = False,  # noqa: A002 - the option's name
    isolation: options.Isolation = None,
    timeout: options.Timeout = 10.0,
    force: options.Force = False,
    format: options.Format = None,  # noqa: A002 - the option's name
    output: options.OutputFile = None,
    quiet: options.Quiet = False,
    color: options.Colour = "auto",
    no_config: options.NoConfig = False,
    debug: options.Debug = False,
) -> None:
    """Fail where an expectation is not met.

    Runs experiments, and holds them against the documentation, against what you expect, or against an earlier report.

    \b
    tensorbridge check
    tensorbridge check from_numpy --expect shared
    tensorbridge check --all --layout reversed --format github
    tensorbridge check --expectations border.toml --format junit -o border.xml
    tensorbridge check --baseline report.json
    """  # noqa: D301 - the backspace keeps the lines below it apart
    options.one_of("--color", color, options.COLOURS)
    where, shown_as = asked.isolation(context), asked.face(context)
    then = saved.recording(baseline) if baseline is not None else None
    tasks = _tasks(context)
    with (
        terminal.destination(output, color, False) as (show, view),
        asked.laboratory(context, _has_code(tasks)) as lab,
    ):
        if then is not None and tasks is None:
            tasks = [Task(tuple(_again(then, lab, force, str(baseline))))]
        report = _run(tasks or [], lab, where, color)
        failed, gone = _since(report, then, str(baseline), context) if then is not None else (report, ())
        against = _against(context, tasks or [])
        unmet = bool(gone or failed.summary.broken)
        into_a_file = output not in (None, terminal.STDOUT)
        files = (context.params["expectations"], baseline, *_PLACES)
        place = next((in_repository(name) for name in files if name and Path(name).is_file()), None)
        view = replace(view, place=place)
        if unmet or into_a_file or not quiet:
            _say(report if shown_as in _RECORDS else failed, shown_as, against, gone, show, view)
        if into_a_file and (unmet or not quiet):
            from tensorbridge_cli.render.report.verdicts import sums

            terminal.note(f"{sums(failed, against, len(gone)).plain}; written to {output} ({shown_as})")
    if unmet:
        raise typer.Exit(1)


# What is tried -----------------------------------------------------------------------------------


def _tasks(context: Any) -> list[Task] | None:
    """Return what is to be tried; ``None``: the cells of the baseline.

    Raises:
        RequestError: where the options exclude each other, or make no sense.
    """
    params = context.params
    typed = [name for name in asked.SELECTING if _set(context, name) and rank(context, name) <= 1]
    if params["expectations"] is not None:
        for name in typed if rank(context, "expectations") <= 1 else ():
            raise RequestError(f"--expectations says what is tried: leave {asked.spelled(name)} out.")
        if params["expect"]:
            raise RequestError("--expect and --expectations exclude each other.")
        return expected.in_file(params["expectations"], context)
    if params["expect"]:
        return [Task((asked.request(context),), expected.flags(params["expect"]), "--expect")]
    if (
        params["baseline"] is None
        and not typed
        and not params["no_config"]
        and (found := expected.in_pyproject(context))
    ):
        return found
    if params["baseline"] is not None and not any(_set(context, name) for name in asked.SELECTING):
        return None
    return [Task(tuple(_documented(context)))]


def _set(context: Any, name: str) -> bool:
    return bool(context.params[name]) and rank(context, name) <= 2


def _documented(context: Any) -> list[Request]:
    """Return what was selected; where no subject was, each axis in turn through all that it can be, and 0-d."""
    request = asked.request(context)
    if not any(_set(context, name) for name in _CONVERSIONS):
        request = replace(request, every=True)
    if any(_set(context, name) for name in _SUBJECT) or request.device != "cpu":
        return [request]
    return [*asked.each_axis(request), replace(request, shapes=((),))]


def _again(then: Recording, lab: Laboratory, force: bool, name: str) -> Iterator[Request]:
    """Yield requests for the cells of ``then``; those of objects that were given, or that cannot be, are left out.

    Raises:
        RequestError: where none is left.
    """
    from tensorbridge_cli.survey.run import Request

    groups: dict[Key, list[str]] = {}
    resolved: dict[str | None, bool] = {None: True}
    for key in then.cells:
        subject = key.subject
        if subject.origin is not Origin.GENERATED or registry.find(key.conversion) is None:
            continue
        for dtype in (subject.dtype, key.to_dtype):
            if dtype not in resolved:
                resolved[dtype] = _resolves(str(dtype), lab)
        if resolved[subject.dtype] and resolved[key.to_dtype]:
            groups.setdefault(structs.replace(key, conversion=""), []).append(key.conversion)
    if not groups:
        raise RequestError(f"{name} holds nothing that can be tried again: select what is to be tried.")
    for key, found in groups.items():
        subject = key.subject
        yield Request(
            conversions=tuple(found),
            shapes=(subject.shape,),
            dtypes=(subject.dtype,),
            layouts=(subject.layout,),
            states=(subject.state,),
            device=subject.device,
            direction=key.direction,
            to_dtype=key.to_dtype,
            force=force,
        )


def _resolves(dtype: str, lab: Laboratory) -> bool:
    try:
        lab.resolve([dtype])
    except TensorbridgeError:
        return False
    return True


def _has_code(tasks: list[Task] | None) -> bool:
    """Tell whether expectations in a file name objects of the user's own."""
    given = [request.given for task in tasks or () for request in task.requests]
    return any(one is not None and one.origin is not Origin.FILE for one in given)


# How it is held against what is expected ---------------------------------------------------------


def _run(tasks: list[Task], lab: Laboratory, where: Isolation, color: str) -> Report:
    """Make the experiments of all ``tasks`` and return them in one report.

    Raises:
        RequestError: where there is nothing that could fail.
    """
    import tensorbridge_cli.render.report.verdicts  # noqa: F401 - while torch is imported in the other process
    from tensorbridge_cli.survey.run import survey

    reports = []
    with terminal.progress(color) as tell:
        for task in tasks:
            try:
                hold = partial(expectations.hold, wanted=task.wanted) if task.wanted else lambda row: row
                found = survey(task.requests, lab, where, tell, hold=hold)
                _need_something(found)
            except TensorbridgeError as error:
                raise type(error)(f"{task.origin}: {error}" if task.origin else str(error)) from error
            reports.append(found)
    rows = expectations.together(row for report in reports for row in report.observations)
    cases = dict.fromkeys(case for report in reports for case in report.not_applicable)
    return model.report(reports[0].environment, rows, tuple(cases))


def _need_something(report: Report) -> None:
    if not report.observations:
        why = f": {report.not_applicable[0].conversion}: {report.not_applicable[0].reason}"
        raise RequestError(f"nothing could be tried{why}.")
    if all(row.contract.verdict is Verdict.UNDOCUMENTED for row in report.observations):
        raise RequestError("no page promises anything of what was tried, so nothing could fail: give --expect.")


def _since(report: Report, then: Recording, name: str, context: Any) -> tuple[Report, tuple[Alone, ...]]:
    """Hold ``report`` against an earlier record; return it with what failed since, and the cells that are gone."""
    now = of_report(report)
    asked_for = any(_set(context, option) for option in asked.SELECTING) or context.params["expectations"]
    scope = _tried(report) if asked_for else None
    before = {key: facts for key, facts in then.cells.items() if _within(key, scope, context.params)}
    gone = compare(replace(then, cells=before), now).gone
    facts: Mapping[Key, Mapping[str, str]] = then.cells
    keys = dict(zip(now.cells, report.observations, strict=True))
    rows = tuple(expectations.since(row, facts.get(key), name) for key, row in keys.items())
    return model.report(report.environment, rows, report.not_applicable), gone


Scope = tuple[set[str], set[model.Subject]]


def _tried(report: Report) -> Scope:
    entries: list[Row | NotApplicable] = [*report.observations, *report.not_applicable]
    return {entry.conversion for entry in entries}, {entry.subject for entry in entries}


def _within(key: Key, scope: Scope | None, params: Mapping[str, Any]) -> bool:
    """Tell whether a cell of the earlier record is among what was tried now, or should have been."""
    if key.subject.origin is not Origin.GENERATED and scope is None:
        return False
    if scope is None:
        return True
    way = params["direction"]
    same_way = way in (None, "all") or key.direction == Direction(way)
    return key.conversion in scope[0] and key.subject in scope[1] and same_way and key.to_dtype == params["to_dtype"]


# What is said ------------------------------------------------------------------------------------


def _say(report: Report, shown_as: str, against: str, gone: tuple[Alone, ...], show: Any, view: Any) -> None:
    told = render_verdicts(report, shown_as, view, against, gone)
    show(render(report, shown_as, view) if told is None else told, shown_as == "table")
    if gone and told is None:
        from tensorbridge_cli.render.report.verdicts import gone_cell

        terminal.complain("; ".join(f"gone: {gone_cell(alone)}" for alone in gone))


def _against(context: Any, tasks: list[Task]) -> str:
    baseline = context.params["baseline"]
    origins = [task.origin for task in tasks if task.origin]
    if not origins:
        what = "the documented contract"
    elif origins == ["--expect"]:
        what = f"--expect {','.join(context.params['expect'])}"
    else:
        file = origins[0].rpartition(": ")[0]
        what = f"{len(origins)} expectation{'s' * (len(origins) != 1)} in {file}"
    return f"{what} since {Path(baseline).name}" if baseline else what
