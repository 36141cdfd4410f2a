"""The command line: parse, call, render, exit code. Nothing here imports numpy or torch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from textwrap import fill
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command_from_info

from tensorbridge_cli import __version__
from tensorbridge_cli.cli import terminal
from tensorbridge_cli.cli.params import leave_text
from tensorbridge_cli.errors import REPORT_IT, InternalError, RequestError, TensorbridgeError, UnavailableError
from tensorbridge_cli.lab.stderr_tail import raised

INTERRUPTED = 130
COMMANDS = {
    "check": "Check conversions against the documentation or your expectations.",
    "demo": "Take a guided tour, run live.",
    "diff": "Show what changed between two reports, snapshots or environments.",
    "env": "Show installed versions and whether they are compatible.",
    "explain": "Explain a conversion, hazard or other name, or an error message.",
    "inspect": "Test which conversions share memory and which copy.",
    "list": "List the names of conversions, dtypes, layouts, hazards etc.",
    "matrix": "Show all conversions as a grid, one letter per cell.",
    "merge": "Put the reports of several environments side by side.",
    "repro": "Print a standalone script that reproduces one row.",
    "schema": "Print the JSON Schema of a report, a trace or other output.",
    "show": "Show a saved report or trace, in any format.",
    "snapshot": "Write all outcomes as a text file that you can commit.",
    "trace": "Run a program and report every conversion in it, line by line.",
}
"""The commands, and the first sentence of the help of each, for which ``--help`` imports none of them.

A module of its name adds each to the app; ``listing`` that of ``list``.
"""

_PURPOSE = "Runs NumPy-PyTorch conversions and shows which share memory and which copy."
_START = (
    ("tensorbridge inspect", "four common conversions"),
    ("tensorbridge inspect --all --layout reversed", "all conversions on a view"),
    ("tensorbridge inspect --file data.npy", "your own array"),
    ("tensorbridge check", "conversions against their docs"),
    ("tensorbridge demo --step", "guided tour, run live"),
    ("tensorbridge explain from_numpy", "documentation and pitfalls"),
    ("tensorbridge trace train.py", "all conversions in a program"),
    ("tensorbridge list", "all conversions"),
    ("tensorbridge --help", "all commands"),
)


@contextmanager
def _sentences() -> Iterator[None]:
    """Turn every error into one sentence and an exit code; the one place where that is done.

    Raises:
        typer.Exit: with the documented exit code.
    """
    try:
        yield
    except TensorbridgeError as error:
        terminal.complain(str(error), *_notes(error))
        raise typer.Exit(error.exit_code) from error
    except typer.TyperException as error:  # an unknown option, a missing value
        command = getattr(getattr(error, "ctx", None), "command_path", "tensorbridge")
        message = error.format_message()
        terminal.complain(
            message if message.endswith((".", "?")) else f"{message}.", f"See {command} --help.", *_notes(error)
        )
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:  # another signal has another code
        raise typer.Exit(getattr(error, "exit_code", INTERRUPTED)) from error
    except BrokenPipeError as error:  # the reader has what it wanted
        terminal.drop_output()
        raise typer.Exit(0) from error
    except OSError as error:  # no room in the temporary folder, or behind standard output
        terminal.drop_output()
        what = error.filename or ("the current folder" if _is_folder_gone(error) else "")
        place = f" ({what})" if what else ""
        terminal.complain(f"system error: {error.strerror}{place}.")
        raise typer.Exit(UnavailableError.exit_code) from error
    except MemoryError as error:
        terminal.complain("not enough memory.")
        raise typer.Exit(UnavailableError.exit_code) from error
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        terminal.drop_output()
        terminal.complain(f"tensorbridge itself failed: {raised(error)}. {REPORT_IT}")
        raise typer.Exit(InternalError.exit_code) from error


def _is_folder_gone(error: OSError) -> bool:
    """Return True if the current folder was removed, which is what ``error`` may be of: it names no file then."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return isinstance(error, FileNotFoundError)
    return False


def _notes(error: Exception) -> list[str]:
    return getattr(error, "__notes__", [])


class _Commands(Mapping[str, Any]):
    """The commands by name, each imported when it is asked for: one does not wait for the others at its start."""

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        import_module(f"{__name__}.{'listing' if name == 'list' else name}")
        command = next(
            info for info in app.registered_commands if name in (info.name, getattr(info.callback, "__name__", None))
        )
        return get_command_from_info(command, pretty_exceptions_short=False, rich_markup_mode=None)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _Group(TyperGroup):
    """All commands. Errors of its own options are raised in ``make_context``, those of a command in ``invoke``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "commands": _Commands()})

    def get_params(self, ctx: Any) -> list[Any]:
        return [leave_text(param) for param in super().get_params(ctx)]

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        with _sentences():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        with _sentences():
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; of a program that is given instead, say which command runs it.

        Raises:
            RequestError: for a program.
        """
        if args and args[0].endswith(".py"):
            from tensorbridge_cli.records.words import shell_line

            command = shell_line(("tensorbridge", "trace", args[0]))
            raise RequestError(f"{args[0]!r} is not a command: to run a program, use {command}.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each command with its whole first sentence: typer cuts it off."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(
    cls=_Group,
    # typer's panels cost width, and it draws them into pipes where GITHUB_ACTIONS or FORCE_COLOR are set
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        terminal.say(f"tensorbridge {__version__}\n")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Runs NumPy-PyTorch conversions and shows which share memory and which copy."""
    if context.invoked_subcommand is None:
        _start()


def _start() -> None:
    from tensorbridge_cli.render.text import lists

    with terminal.destination(None, "never") as (write, view):
        purpose = fill(_PURPOSE, view.width) if view.width else _PURPOSE
        write(f"{purpose}\n\n{lists.text(_START, view, '  ')}", True)
