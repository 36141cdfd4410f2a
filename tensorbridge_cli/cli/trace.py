"""``tensorbridge trace``: a user's own program."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli import request as asked
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.errors import RequestError, TensorbridgeError, one_of
from tensorbridge_cli.records import trace as traced
from tensorbridge_cli.render import TRACES, View, render_trace

if TYPE_CHECKING:
    from tensorbridge_cli.records.trace import Trace
    from tensorbridge_cli.tracing.inside.ranks import Rank
    from tensorbridge_cli.tracing.launch import Program, Running
    from tensorbridge_cli.tracing.limits import Limit
    from tensorbridge_cli.tracing.report.findings import Wanted
    from tensorbridge_cli.tracing.report.selection import Selection

_COUNTS, _PRINTED = "What counts", "What is printed"


class _Program(Command):
    """A command behind whose options a program stands, with options of its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options that stand before the program; ``-m`` and ``-c`` begin it, as they do Python's."""
        return super().parse_args(ctx, _split(args, self._with_value()))

    def own(self, args: list[str]) -> list[str]:
        """Return those of ``args`` that stand before the program: what it is passed need not be UTF-8."""
        return args[: args.index("--")] if "--" in args else args

    def _with_value(self) -> set[str]:
        return {name for param in self.params if not getattr(param, "is_flag", True) for name in param.opts}


def _split(args: list[str], with_value: set[str]) -> list[str]:
    """Put ``--`` before the program."""
    nth = 0
    while nth < len(args) and args[nth].startswith("-") and args[nth] not in ("-", "--"):
        text = args[nth]
        if text[:2] in ("-m", "-c"):
            joined = [text[:2], text[2:]] if len(text) > 2 else [text]
            return [*args[:nth], "--", *joined, *args[nth + 1 :]]
        nth += 2 if text in with_value else 1
    return args if nth >= len(args) or args[nth] == "--" else [*args[:nth], "--", *args[nth:]]


def _places(text: str) -> Any:
    return typer.Option(metavar="PATH", help=text, rich_help_panel=_COUNTS)


def _codes(text: str) -> Any:
    return typer.Option(metavar="CODES", help=text, rich_help_panel=_COUNTS)


_Format = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT",
        help=f"{', '.join(entry.name for entry in TRACES)} (default: by the ending of --output, else table).",
        rich_help_panel=_PRINTED,
        autocompletion=lambda: [entry.name for entry in TRACES],
    ),
]
_Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write there instead of standard error; - is standard output.",
        rich_help_panel=_PRINTED,
    ),
]


@app.command(
    cls=_Program,
    context_settings={"allow_interspersed_args": False},
    epilog=options.DEFAULTS,
)
@options.take(
    *("program", "include", "omit", "select", "ignore", "only", "depth", "follow", "fail_on", "remedies", "all"),
    *("sort", "format", "output", "color", *options.COMMON),
    format=_Format,
    output=_Output,
)
def trace(
    given: options.Options,
    program: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROGRAM", help="A script, -m MODULE or -c CODE, and its own arguments."),
    ] = None,
    include: Annotated[list[str] | None, _places("Report only the code of this file or folder.")] = None,
    omit: Annotated[list[str] | None, _places("Leave out the code of this file or folder.")] = None,
    select: Annotated[list[str] | None, _codes("Report only these findings, e.g. TB201,list-of-arrays.")] = None,
    ignore: Annotated[list[str] | None, _codes("Leave out these findings.")] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="PATH", hidden=True, help="Now --include.")] = None,
    depth: Annotated[
        int, typer.Option(metavar="N", min=0, help="Callers that are named with a line.", rich_help_panel=_COUNTS)
    ] = 4,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Trace programs that it starts, too; forks always are.", rich_help_panel=_COUNTS),
    ] = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="Exit with 1: copied-bytes=10MB, calls=1000, hazard=readonly-dropped, finding=any.",
            rich_help_panel=_COUNTS,
        ),
    ] = None,
    remedies: Annotated[
        bool,
        typer.Option(
            "--remedies/--no-remedies", help="Try what shares where a copy was made.", rich_help_panel=_PRINTED
        ),
    ] = True,
    all: options.AllLines = False,  # noqa: A002 - the option's name
    sort: options.Sort = "bytes",
) -> None:
    """Run a program and report every conversion in it, line by line.

    The program runs as it does without: its output, exit code, signals and tracebacks are its own. At its end comes the
    report: which lines convert, how often, what they copied and shared, what is dangerous, what to write instead.

    \b
    tensorbridge trace train.py --epochs 3
    tensorbridge trace --include src --ignore TB212 -o trace.json train.py
    tensorbridge trace -m mypackage.train --lr 0.1
    tensorbridge trace -c 'import numpy as np, torch; torch.tensor(np.zeros(3))'
    tensorbridge trace --fail-on copied-bytes=10MB,finding=readonly-dropped train.py
    """  # noqa: D301 - the backspace keeps the lines below it apart
    one_of("--sort", sort, traced.SORTS)
    shown_as = asked.format_name(given, "table", TRACES)
    if not program:
        raise RequestError("no program: give a script, -m MODULE or -c CODE.")
    if program[0] in ("-m", "-c") and len(program) == 1:
        raise RequestError(f"{program[0]} needs a {'module' if program[0] == '-m' else 'line of code'}.")
    from tensorbridge_cli.tracing import limits
    from tensorbridge_cli.tracing.inside.ranks import rank
    from tensorbridge_cli.tracing.launch import Program
    from tensorbridge_cli.tracing.report import selection as selections

    conditions = limits.parse(fail_on or ())
    selection, ignored = selections.parse(select or (), ignore or ())
    _refuse_what_cannot_fail(conditions, selection)
    _check_places((*(include or ()), *(only or ())), "--include")
    _check_places(omit or (), "--omit")
    if only:
        terminal.note("--only is now --include: the old name works for one more release.")
    if ignored:
        terminal.note("--ignore PATH is now --omit PATH: the old name works for one more release.")
    ran, mine = Program(tuple(program)), rank(os.environ)
    if mine is not None:
        mine.meet()
    with (
        terminal.destination(given.output, given.color, errors=given.output is None) as (show, view),
        _running(ran, (*(include or ()), *(only or ())), (*(omit or ()), *ignored), depth, follow) as running,
    ):
        view = replace(view, everything=all)
        _get_ready()
        exit_code = running.wait()
        if mine is not None and mine.number > 0:
            if not mine.hand_over(Path(running.folder)):
                terminal.complain(f"the counts of rank {mine.number} are lost: the first rank has ended.")
            _leave(exit_code)
            return
        judged = _found(Path(running.folder), mine, ran, exit_code, sort, remedies)
        found = selection.of(judged)
        failed = _show(found, shown_as, show, view, given.color)
    _leave(exit_code)
    unmet = list(limits.passed(conditions, judged, found.findings))
    if unmet:
        terminal.complain(*(f"--fail-on {sentence}." for sentence in unmet))
    if unmet or failed:
        raise typer.Exit(failed or 1)


def _show(found: Trace, shown_as: str, show: Callable[[str, bool], None], view: View, color: str) -> int:
    """Show ``found``, on standard error where it cannot be written, and return the exit code of that: 0 where it can.

    The program has run, perhaps for days: what it took to find is not thrown away.
    """
    try:
        show(_text(found, shown_as, view), shown_as == "table")
    except RequestError as error:
        terminal.complain(str(error))
        with terminal.destination(None, color, errors=True) as (tell, seen):
            tell(_text(found, "table", replace(seen, everything=view.everything)), True)
        return error.exit_code
    return 0


def _text(found: Trace, shown_as: str, view: View) -> str:
    """Return ``found`` as text; at a terminal it begins on a line of its own: the program's last may have no end."""
    text = render_trace(found, shown_as, view)
    return text if view.width is None else f"\n{text}"


def _running(ran: Program, include: Sequence[str], omit: Sequence[str], depth: int, follow: bool) -> Running:
    from tensorbridge_cli.tracing import early
    from tensorbridge_cli.tracing.launch import plan, run

    return early.taken() or run(ran, lambda: plan(ran.file, include, omit, depth, follow))


def _refuse_what_cannot_fail(conditions: Sequence[Limit], selection: Selection) -> None:
    """Raise RequestError if one of ``conditions`` is about a finding that does not count."""
    for limit in conditions:
        if limit.code in traced.CODES and not selection.counts(limit.code):
            raise RequestError(f"--fail-on {limit.key}={limit.code} cannot fail: --select or --ignore leaves it out.")


def _check_places(paths: Sequence[str], option: str) -> None:
    """Raise RequestError if one of ``paths`` is not a file or a folder."""
    from tensorbridge_cli.tracing.report.selection import all_are_findings

    for path in paths:
        if os.path.exists(path):
            continue
        if all_are_findings(path):
            raise RequestError(
                f"{option} takes files and folders, not {path!r}: use --select or --ignore for findings."
            )
        raise RequestError(f"there is no {path!r}: {option} names files and folders.")


def _get_ready() -> None:
    """Import what the report needs while the program runs."""
    import tensorbridge_cli.render.trace.traces
    import tensorbridge_cli.tracing.report.findings
    import tensorbridge_cli.tracing.report.merge  # noqa: F401


def _found(folder: Path, mine: Rank | None, ran: Program, exit_code: int, sort: str, remedies: bool) -> Trace:
    """Return the trace of the run whose counts are in ``folder``, with those of the other ranks, and its findings."""
    from tensorbridge_cli.tracing.report import findings, merge

    others, late = mine.gathered() if mine is not None else ([], [])
    counted, notes = merge.joined(merge.read(folder, *others), ran.arguments, exit_code, late)
    if mine is not None:
        mine.part()
    wanted = findings.wanted(counted) if remedies else {}
    return traced.ordered(findings.judged(counted, notes, _shares(wanted)), sort)


def _shares(wanted: Mapping[Wanted, object]) -> dict[Wanted, str]:
    """Return code that shared, tried now on a source like each of ``wanted``."""
    if not wanted:
        return {}
    from tensorbridge_cli.judgement.remedies import answers
    from tensorbridge_cli.lab.client import DEFAULT
    from tensorbridge_cli.records.report import Outcome
    from tensorbridge_cli.survey import laboratory
    from tensorbridge_cli.survey.request import Request
    from tensorbridge_cli.survey.run import survey

    shares = {}
    with laboratory.laboratory(DEFAULT) as lab:
        for one in wanted:
            request = Request(
                every=True,
                shapes=(one.shape,),
                dtypes=(one.dtype,),
                layouts=(one.layout,),
                states=(one.state,),
                direction=one.direction,
            )
            try:
                report = survey([request], lab, DEFAULT, remedies=True)
            except TensorbridgeError:  # no such subject can be made: nothing is said of it
                continue
            for answer in answers(report.observations, Outcome.SHARED, one.direction):
                if answer.write:
                    shares[one] = answer.write[0].code
    return shares


def _leave(exit_code: int) -> None:
    """End as the program did, by its signal too, where it did not end well."""
    if exit_code > 0:
        raise typer.Exit(exit_code)
    if exit_code < 0:
        _without_core()
        with suppress(OSError):  # SIGKILL has no other handler
            signal.signal(-exit_code, signal.SIG_DFL)
        sys.stderr.flush()
        os.kill(os.getpid(), -exit_code)


def _without_core() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
