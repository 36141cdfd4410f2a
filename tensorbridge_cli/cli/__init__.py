"""The command line: parse, call, render, exit code. Nothing here imports numpy or torch."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tensorbridge_cli import __version__
from tensorbridge_cli.cli import config
from tensorbridge_cli.errors import TensorbridgeError

INTERRUPTED = 130


class _Group(TyperGroup):
    """The one place where an error becomes a sentence and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises:
            typer.Exit: with the documented exit code.
        """
        try:
            return super().invoke(ctx)
        except TensorbridgeError as error:
            if "--debug" in sys.argv or os.environ.get("TENSORBRIDGE_DEBUG"):
                raise
            print(f"Error: {error}", file=sys.stderr)  # noqa: T201
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error
        except BrokenPipeError as error:
            # the reader has what it wanted; nothing must be flushed into the closed pipe at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from error


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    # panels are for people; a pipe gets plain text, whatever GITHUB_ACTIONS or FORCE_COLOR say
    rich_markup_mode="rich" if sys.stdout.isatty() else None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"tensorbridge {__version__}")  # noqa: T201
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Which NumPy-PyTorch conversions share memory and which copy, proved by experiment."""
    if context.resilient_parsing or "--no-config" in sys.argv:
        return
    commands = {
        name: {
            option.name or "": bool(getattr(option, "multiple", False)) or option.nargs == -1
            for option in command.params
        }
        for name, command in context.command.commands.items()  # type: ignore[attr-defined]
    }
    context.default_map = config.defaults(commands, Path.cwd())


from tensorbridge_cli.cli import env, inspect, listing, schema  # noqa: E402, F401 - each adds its command to the app
