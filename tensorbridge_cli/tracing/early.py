"""Start a program before the command line is imported, if nothing that was asked can be wrong.

Reading the options properly takes a fifth of a second. With no other options than switches, no defaults set elsewhere
and a program that is there, the command line can refuse nothing: the program runs while it is imported. So this module
imports next to nothing; ``toml`` only if there is a file to read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import takewhile

from tensorbridge_cli.errors import TensorbridgeError
from tensorbridge_cli.tracing.launch import Program, Running, launch, plan

SWITCHES = ("--follow", "--all", "--remedies", "--no-remedies", "--no-config", "--debug")
_begun: list[Running] = []


@contextmanager
def begun(arguments: Sequence[str]) -> Iterator[None]:
    """Start the program of ``arguments``, those behind ``trace``, if they are plain; end it if nobody takes it."""
    with suppress(OSError, TensorbridgeError):  # the command line says why
        command = plain(arguments, os.environ)
        if command is not None:
            switches, program = command
            _begun.append(launch(program, lambda: plan(program.file, follow="--follow" in switches)))
    try:
        yield
    finally:
        while _begun:
            _begun.pop().end()


def taken() -> Running | None:
    """Return the program that runs, for who waits for it."""
    return _begun.pop() if _begun else None


def plain(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[Sequence[str], Program] | None:
    """Return the switches and the program; ``None`` if the command line is to look at them first."""
    switches = list(takewhile(lambda text: text in SWITCHES, arguments))
    program = arguments[len(switches) :]
    if any(name.startswith("TENSORBRIDGE_") for name in environ):
        return None
    if find_spec("torch") is None:  # the program may belong into another environment
        return None
    if "--no-config" not in switches and _is_configured(os.getcwd()):
        return None
    if "TORCHELASTIC_RUN_ID" in environ:  # the ranks are to find a place to meet first
        return None
    if not program or len(program) == (program[0] in ("-m", "-c")):
        return None
    parsed = Program(tuple(program))
    if program[0] not in ("-m", "-c", "-") and (program[0].startswith("-") or not os.path.isfile(program[0])):
        return None
    return None if parsed.starts_python else (switches, parsed)


def _is_configured(folder: str) -> bool:
    """Return True if the nearest pyproject.toml names this tool, or cannot be read: the command line says why."""
    file, above = os.path.join(folder, "pyproject.toml"), os.path.dirname(folder)
    if not os.path.exists(file):
        return above != folder and _is_configured(above)
    if not os.path.isfile(file):  # to open a named pipe waits for who writes there
        return True
    from tensorbridge_cli import toml

    try:
        with open(file, "rb") as opened:
            contents = opened.read()
        toml.read(contents)
    except (OSError, ValueError, RecursionError):
        return True
    return b"tensorbridge" in contents
