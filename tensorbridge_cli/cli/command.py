"""What every command has: its options in groups, and an error that says where an option that was not typed is set."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer import Abort, Context, Exit, TyperException
from typer.core import TyperCommand

from tensorbridge_cli.cli import COMMANDS, terminal
from tensorbridge_cli.cli.inputs import refuse_overwriting
from tensorbridge_cli.cli.params import leave_text
from tensorbridge_cli.errors import RequestError, TensorbridgeError
from tensorbridge_cli.printable import escape_lines
from tensorbridge_cli.survey.request_text import SetIn

_SET_IN = {
    "COMMANDLINE": SetIn.COMMAND_LINE,
    "ENVIRONMENT": SetIn.ENVIRONMENT,
    "DEFAULT_MAP": SetIn.PYPROJECT,
}

_ELSEWHERE = (SetIn.ENVIRONMENT, SetIn.PYPROJECT)


_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2212"
"""Hyphens, dashes and the minus sign of typography."""


class Command(TyperCommand):
    """A command whose help is the same text in a terminal and in a pipe, its options grouped by their panel."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        _, end, rest = (self.help or "").partition("\n")
        self.help = COMMANDS[str(self.name)] + end + rest
        for param in self.params:
            if param.name == "python":  # a command of several words is one interpreter, also in a variable
                param.envvar_list_splitter = "\n"  # type: ignore[misc]

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options and arguments, whose values are converted by our own callbacks."""
        return [leave_text(param) for param in super().get_params(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, a section each group."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if getattr(param, "hidden", False):
                continue
            default = "Arguments" if param.param_type_name == "argument" else "Options"
            title = getattr(param, "rich_help_panel", None) or default
            sections.setdefault(title, []).append((_names(param), getattr(param, "help", None) or ""))
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options; an error names those that are set elsewhere than on the command line."""
        for text in self.own(args):
            self._refuse_another_dash(text)
            if any("\udc80" <= letter <= "\udcff" for letter in text):
                raise RequestError(
                    f"{text!r} is not valid UTF-8. To use a file with such a name, create a link with another name."
                )
        with _places(self, ctx):
            self._refuse_a_second(ctx, args)
            return super().parse_args(ctx, args)

    def _refuse_another_dash(self, text: str) -> None:
        """Refuse an option whose dash is a typographic one, as text that was copied from a page or a chat has.

        Raises:
            RequestError: with the option that is meant.
        """
        if not text.startswith(tuple(f"{first}{dash}" for first in ("", "-") for dash in _DASHES)):
            return
        name = text.partition("=")[0].lstrip(f"-{_DASHES}")
        options = {option for param in self.params for option in (*param.opts, *param.secondary_opts)}
        meant = next((option for dashes in ("--", "-") if (option := dashes + name) in options), None)
        if meant is not None:
            raise RequestError(f"the dash of {text!r} is not that of an option: did you mean {meant}?")

    def _refuse_a_second(self, ctx: Any, args: list[str]) -> None:
        """Refuse an option that takes one value and is given two: the first would be dropped silently.

        Raises:
            RequestError: with the name of the option.
        """
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for param in order:
            one = param.param_type_name == "option" and not param.multiple and not getattr(param, "is_flag", False)
            if one and order.count(param) > 1:
                name = next(text for text in param.opts if text.startswith("--"))
                raise RequestError(f"{name} is given {order.count(param)} times but accepts one value.")

    def own(self, args: list[str]) -> list[str]:
        """Return those of ``args`` that this tool reads, and does not pass on to a program."""
        return args

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error names the options that are set elsewhere than on the command line."""
        with _places(self, ctx):
            refuse_overwriting(self, ctx)
            return super().invoke(ctx)


@contextmanager
def _places(command: Command, context: Any) -> Iterator[None]:
    try:
        yield
    except (TensorbridgeError, TyperException) as error:
        if isinstance(error, TyperException) and getattr(error, "ctx", None) is None:
            error.ctx = context  # type: ignore[attr-defined]  # typer's parser raises without: "See matrix --help."
        if context.params.get("debug"):
            with terminal.standard_error():
                sys.stderr.write(escape_lines(traceback.format_exc()))
        elsewhere = [_place(param, context) for param in command.params if set_in(context, param.name) in _ELSEWHERE]
        if elsewhere:
            note = f"(Set elsewhere: {', '.join(elsewhere)}; use --no-config to ignore it.)"
            error.__notes__ = [*getattr(error, "__notes__", ()), note]  # as add_note does from Python 3.11 on
        raise
    except Exception as error:
        if context.params.get("debug") and not isinstance(error, (Exit, Abort)):
            with terminal.standard_error():
                traceback.print_exc()
        raise


def set_in(context: Context, name: str) -> SetIn:
    """Return where an option was set."""
    source = context.get_parameter_source(name)
    return _SET_IN.get(source.name if source is not None else "", SetIn.NOWHERE)


def _place(param: Any, context: Any) -> str:
    if set_in(context, param.name) is SetIn.ENVIRONMENT:
        return str(param.envvar)
    return f"{param.name.replace('_', '-')} in pyproject.toml"


def _names(param: Any) -> str:
    """Return the spellings of an option for its help; one without a short name is indented by the width of one."""
    if param.param_type_name == "argument":
        several = "" if param.nargs == 1 else "..."
        return f"{param.metavar}{several}" if param.required else f"[{param.metavar}]{several}"
    short = [f"{name}, " for name in param.opts if not name.startswith("--")]
    long = [name for name in param.opts if name.startswith("--")]
    turned_off = "".join(f"/{name}" for name in param.secondary_opts)
    return f"{short[0] if short else '    '}{long[0]}{turned_off} {param.metavar or ''}".rstrip()
