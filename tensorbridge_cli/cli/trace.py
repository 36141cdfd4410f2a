"""``tensorbridge trace``: a user's own program."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli import request as cli_request
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.cli.formats import chosen_format
from tensorbridge_cli.errors import RequestError, TensorbridgeError
from tensorbridge_cli.lab.client import DEFAULT
from tensorbridge_cli.lab.interpreter import Interpreter
from tensorbridge_cli.records.trace import Trace
from tensorbridge_cli.render import TRACES, View, render
from tensorbridge_cli.survey.laboratory import laboratory
from tensorbridge_cli.tracing import elsewhere, run
from tensorbridge_cli.tracing.launch import Program
from tensorbridge_cli.tracing.ranks import rank as rank_of

_COUNTS, _PRINTED = "Selection", "Output"


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


def _several(name: str, metavar: str, text: str, complete: Callable[[], Iterable[str]] | None = None) -> Any:
    return options.option(name, metavar=metavar, text=text, panel=_COUNTS, complete=complete)


def _findings() -> Iterable[str]:
    from tensorbridge_cli.catalog import codes

    return *codes.FINDINGS, *codes.FINDINGS.values()


_Depth = Annotated[
    int,
    options.option(
        "--depth",
        metavar="N",
        text="Number of callers to show (default: 4).",
        panel=_COUNTS,
        callback=options.whole("--depth"),
    ),
]
_Follow = Annotated[
    bool,
    options.option("--follow", text="Also trace programs that it starts; forked children always are.", panel=_COUNTS),
]


def _conditions() -> Iterable[str]:
    from tensorbridge_cli.tracing.limits import HAZARDS, SUMS

    hazards, found = (f"hazard={name}" for name in HAZARDS), (f"finding={name}" for name in ("any", *_findings()))
    return *(f"{name}=" for name in SUMS), *hazards, *found


_FailOn = Annotated[
    list[str] | None,
    options.option(
        "--fail-on",
        metavar="CONDITION",
        text="Exit 1 if exceeded or found, e.g. copied-bytes=10MB, calls=1000, hazard=readonly-dropped, finding=any.",
        panel=_COUNTS,
        complete=_conditions,
    ),
]
_Remedies = Annotated[
    bool,
    options.option(
        "--remedies/--no-remedies",
        text="Test sharing alternatives for copies (default: on).",
        panel=_PRINTED,
    ),
]
_Format = Annotated[
    str | None,
    options.option(
        "--format",
        metavar="FORMAT",
        text=f"{', '.join(entry.name for entry in TRACES)} (default: by the extension of --output, else table).",
        panel=_PRINTED,
        complete=lambda: [entry.name for entry in TRACES],
    ),
]
_Output = Annotated[
    str | None,
    options.option(
        "--output",
        "-o",
        metavar="FILE",
        text="Write to this file instead of standard error; - = standard output.",
        panel=_PRINTED,
    ),
]


@app.command(
    cls=_Program,
    context_settings={"allow_interspersed_args": False},
    epilog=options.DEFAULTS,
)
@options.take(
    *("program", "include", "omit", "select", "ignore", "only", "depth", "follow", "fail_on", "remedies", "python"),
    *("all", "sort", "format", "output", "color", *options.COMMON),
    format=_Format,
    output=_Output,
)
def trace(
    given: options.Options,
    program: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROGRAM", help="A script, -m MODULE or -c CODE, with its arguments."),
    ] = None,
    include: Annotated[
        list[str] | None, _several("--include", "PATH", "Report only code in this file or folder.")
    ] = None,
    omit: Annotated[list[str] | None, _several("--omit", "PATH", "Ignore code in this file or folder.")] = None,
    select: Annotated[
        list[str] | None,
        _several("--select", "CODES", "Report only these findings, e.g. TB201,element-by-element.", _findings),
    ] = None,
    ignore: Annotated[list[str] | None, _several("--ignore", "CODES", "Ignore these findings.", _findings)] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="PATH", hidden=True, help="Now --include.")] = None,
    depth: _Depth = 4,
    follow: _Follow = False,
    fail_on: _FailOn = None,
    remedies: _Remedies = True,
    python: options.Python = None,
    all: options.AllLines = False,  # noqa: A002 - the option's name
    sort: options.Sort = "bytes",
) -> None:
    """Run ``tensorbridge trace``; ``COMMANDS`` has the first sentence of its help.

    The program runs unchanged, with its own output, exit code, signals and tracebacks. When it ends, the report lists
    the lines that convert: how often, how much they copied and shared, hazards, and suggested code.

    \b
    tensorbridge trace train.py --epochs 3
    tensorbridge trace --include src --ignore TB212 -o trace.json train.py
    tensorbridge trace -m mypackage.train --lr 0.1
    tensorbridge trace -c 'import numpy as np, torch; torch.tensor(np.zeros(3))'
    tensorbridge trace --python ../app/.venv train.py
    tensorbridge trace --fail-on copied-bytes=10MB,finding=any train.py
    """  # noqa: D301 - the backspace keeps the lines below it apart
    format_name = chosen_format(given, "table", TRACES)
    command = _command(program)
    request = run.parse(
        include=include or (),
        omit=omit or (),
        depth=depth,
        follow=follow,
        select=select or (),
        ignore=ignore or (),
        only=only or (),
        fail_on=fail_on or (),
        sort=sort,
        remedies=remedies,
    )
    for name in request.renamed:
        terminal.note(_RENAMED.get(name, name))
    _run(command, request, cli_request.interpreter(python), given, format_name, everything=all)


def _command(words: Sequence[str] | None) -> Program:
    """Return the program that the arguments name.

    Raises:
        RequestError: if they name none.
    """
    if not words:
        raise RequestError("no program specified: use a script, -m MODULE or -c CODE.")
    if words[0] in ("-m", "-c") and len(words) == 1:
        raise RequestError(f"{words[0]} needs a {'module' if words[0] == '-m' else 'line of code'}.")
    return Program(tuple(words))


def _run(
    command: Program,
    request: run.TraceRequest,
    other: Interpreter | None,
    given: options.Options,
    format_name: str,
    *,
    everything: bool,
) -> None:
    """Run the program, show its trace and exit as it did, or with 1 if a condition of --fail-on is met."""
    rank = rank_of(os.environ)
    if rank is not None:
        rank.meet()
    with (
        terminal.destination(given.output, given.color, errors=given.output is None) as (show, view),
        run.start(command, request, elsewhere.python(other)) as running,
    ):
        exit_code = running.wait()
        if not os.path.isdir(running.folder):
            terminal.complain(f"the counts are lost: {running.folder} was removed while the program ran.")
        if rank is not None and rank.number > 0:
            if not rank.hand_over(Path(running.folder)):
                terminal.complain(f"the counts of rank {rank.number} are lost: the first rank has exited.")
            _leave(exit_code)
            return
        judged = run.judge_run(
            Path(running.folder), rank, command, exit_code, request, lambda: laboratory(DEFAULT, python=other)
        )
        failed = _show(judged.trace, format_name, show, replace(view, everything=everything), given.color)
    if judged.unmet:
        terminal.complain(*(f"--fail-on {sentence}." for sentence in judged.unmet))
    _leave(exit_code)
    if judged.unmet or failed:
        raise typer.Exit(failed or 1)


_RENAMED = {
    "only": "--only is now --include: the old name works for one more release.",
    "ignore": "--ignore PATH is now --omit PATH: the old name works for one more release.",
}


def _show(trace: Trace, format_name: str, show: Callable[[str, bool], None], view: View, color: str) -> int:
    """Show a trace, on standard error if it cannot be written, and return the exit code of that: 0 if it can.

    The program has run, perhaps for days: its trace is not thrown away.
    """
    try:
        show(_text(trace, format_name, view), format_name == "table")
    except TensorbridgeError as error:
        terminal.complain(str(error))
        with terminal.destination(None, color, errors=True) as (tell, terminal_view):
            tell(_text(trace, "table", replace(terminal_view, everything=view.everything)), True)
        return error.exit_code
    return 0


def _text(trace: Trace, format_name: str, view: View) -> str:
    """Return a trace as text; at a terminal it begins on a line of its own: the program's last may have no end."""
    text = render(trace, format_name, view)
    return text if view.width is None else f"\n{text}"


def _leave(exit_code: int) -> None:
    """End as the program did, if it failed: with its exit code, or by its signal.

    Python has handlers of its own for SIGINT and SIGPIPE, so the signal gets its default action first.
    ``test_a_program_that_is_killed_at_once_is_named`` fails without.
    """
    if exit_code > 0:
        raise typer.Exit(exit_code)
    if exit_code < 0:
        _without_core()
        with suppress(OSError):  # SIGKILL has no other handler
            signal.signal(-exit_code, signal.SIG_DFL)
        sys.stderr.flush()
        os.kill(os.getpid(), -exit_code)


def _without_core() -> None:
    """Write no core file when this process is killed: the program has written its own, which ours would replace."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
