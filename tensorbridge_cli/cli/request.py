"""From the options of a command to a laboratory.

What compares several environments is imported where there are several: ``inspect`` of one starts without.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, cast, get_args

from tensorbridge_cli.cli import terminal
from tensorbridge_cli.cli.options import Options
from tensorbridge_cli.errors import RequestError, one_of
from tensorbridge_cli.lab.client import DEFAULT, Laboratory
from tensorbridge_cli.lab.interpreter import Interpreter, chosen
from tensorbridge_cli.lab.protocol import Isolation
from tensorbridge_cli.survey.laboratory import laboratory as start
from tensorbridge_cli.survey.plan import without_torch

if TYPE_CHECKING:
    from tensorbridge_cli.survey.environments import InspectedPlace


def isolation(given: Options) -> Isolation:
    """Return how experiments are isolated.

    Raises:
        RequestError: if there is no such way.
    """
    return cast("Isolation", one_of("--isolation", given.isolation or DEFAULT, get_args(Isolation)))


@contextmanager
def laboratory(given: Options, own_code: bool = False) -> Iterator[Laboratory]:
    """Give the laboratory that the options describe, for one command.

    ``own_code``: modules of the user's are imported though no option says so.

    Raises:
        RequestError: if another interpreter is combined with isolation ``none``.
        UnavailableError: if there is no such interpreter.
    """
    _refuse_in_process(given)
    named = given.python[0] if given.python else None
    with _starter(given, own_code)(None if isolation(given) == "none" else interpreter(named)) as lab:
        yield lab
        if lab.hello().torch is None and not (given.conversion or given.code):
            terminal.note(f"{without_torch(lab.hello())}.")


@contextmanager
def laboratories(given: Options, own_code: bool = False) -> Iterator[tuple[InspectedPlace, ...]]:
    """Give a laboratory in each environment that the options name; see ``laboratory``.

    Raises:
        RequestError: if another interpreter is to be no other process.
        UnavailableError: if there is no such interpreter, or one of them cannot be used.
    """
    from tensorbridge_cli.survey.environments import opened

    _refuse_in_process(given)
    with opened(given.python, _starter(given, own_code)) as places:
        yield places


def _refuse_in_process(given: Options) -> None:
    if given.python and isolation(given) == "none":
        raise RequestError("--isolation none and --python cannot be combined: another interpreter is another process.")


def _starter(given: Options, own_code: bool) -> Callable[[Interpreter | None], AbstractContextManager[Laboratory]]:
    own_code = own_code or bool(given.expr or given.object or given.setup or given.plugin or given.code)
    folder = os.getcwd() if own_code else ""
    return partial(start, isolation(given), given.timeout, given.setup, folder)


def interpreter(python: str | None) -> Interpreter | None:
    """Return the interpreter that ``--python`` names, else the default one; ``None`` is the tool's own.

    Raises:
        UnavailableError: if there is no such one.
    """
    selected = chosen(python)
    if selected is not None and not python:
        terminal.note(f"Running in {selected.name}: the Python of tensorbridge itself has no torch.")
    return selected
