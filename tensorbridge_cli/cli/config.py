"""Defaults from ``[tool.tensorbridge]`` of the nearest pyproject.toml and from the environment, and how to do without.

The command line wins over the environment (``TENSORBRIDGE_TO_DTYPE`` for ``--to-dtype``), which wins over the file.
The reader of TOML is imported where there is a file, and the other commands where it has our table: a command has to
start fast.
"""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path
from typing import Any

from typer.core import TyperArgument, TyperOption

from tensorbridge_cli.errors import RequestError, unknown
from tensorbridge_cli.survey import tables

PREFIX = "TENSORBRIDGE_"


def apply(context: Any, ignored: bool) -> bool:
    """Set the defaults of the command of ``context``, before its options are read; or ignore them all.

    typer has no switch for variables: it reads each option's own after this one, which is eager. So they are removed,
    also for the processes that are started later. ``test_the_real_command`` fails without.
    """
    if ignored:
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            del os.environ[name]
    elif (file := tables.nearest(_current_folder())) is not None:
        context.default_map = defaults(context, file)
    return ignored


def defaults(context: Any, file: Path) -> dict[str, Any]:
    """Return the defaults that ``file`` has for the options of the command of ``context``.

    A key of the table is an option of any command; a table of a command's name holds for that one.

    Raises:
        RequestError: if the file cannot be read, names an option that is none, or has a value of another kind.
    """
    from tensorbridge_cli import toml

    command = context.info_name
    try:
        if not file.is_file():  # to open a named pipe waits for who writes there
            raise OSError("it is not a file")
        table = _table(_table(toml.read(file.read_bytes()), "tool"), "tensorbridge")
        if not table:
            return {}
        commands = _commands(context.parent.command)
        own = _table(table, command)
        common = {key: given for key, given in table.items() if key not in commands and key != tables.EXPECTATIONS}
        tables_read = [(common, {*commands, *chain(*commands.values())}), (own, set(commands[command]))]
        return {
            option: _value(key, given, commands[command][option])
            for values, known in tables_read
            for key, given in values.items()
            if (option := _known(key, known)) in commands[command]
        }
    except RequestError as error:
        raise RequestError(f"[tool.tensorbridge] in {file}: {error}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise RequestError(f"cannot read {file}: {tables.trouble(error)}; use --no-config to ignore it.") from error


def _commands(group: Any) -> dict[str, dict[str, Any]]:
    """Return the options of the commands that take defaults; this imports all commands."""
    commands = {name: {param.name: param for param in command.params} for name, command in group.commands.items()}
    return {name: options for name, options in commands.items() if options.pop("no_config", None)}


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except OSError:  # it is gone: nothing is configured there
        return Path()


def _table(within: dict[str, Any], name: str) -> dict[str, Any]:
    table = within.get(name, {})
    if not isinstance(table, dict):
        raise RequestError(f"{name} = {table!r} is not a table.")
    return table


def _known(key: str, options: set[str]) -> str:
    name = key.replace("-", "_")
    if name not in options:
        raise unknown("option", key, sorted(option.replace("_", "-") for option in options))
    return name


def _value(key: str, given: object, option: TyperOption | TyperArgument) -> bool | str | list[str]:
    several = getattr(option, "multiple", False) or option.nargs == -1
    value = tables.value(key, given, flag=getattr(option, "is_flag", False), several=several)
    return list(value) if isinstance(value, tuple) else value
