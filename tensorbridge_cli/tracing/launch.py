"""Run a program with the hooks on its path, as it would run without: Python itself runs it, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorbridge_cli.catalog.conversions import conversions
from tensorbridge_cli.catalog.tracing import ALSO, At
from tensorbridge_cli.errors import RequestError, UnavailableError
from tensorbridge_cli.tracing.hooks import FOLDER, PLAN

START = Path(__file__).parent / "start"
FROM_THE_KERNEL = 0x80  # si_code of a signal that the terminal sent, to every process before it


@dataclass(frozen=True)
class Program:
    """What is run: the arguments of Python, ``-m package`` or ``-c code`` or a file, and the program's own."""

    arguments: tuple[str, ...]

    @property
    def file(self) -> str:
        """The file that is run; empty for a module or a line of code."""
        return "" if self.arguments[0] in ("-m", "-c") else os.path.realpath(self.arguments[0])


def plan(
    program: str, only: Sequence[str] = (), ignore: Sequence[str] = (), depth: int = 4, follow: bool = False
) -> dict[str, Any]:
    """Return what the hooks are to know: the functions of the catalogue, and whose code counts.

    Args:
        program: The file that is run, or nothing.
        only: Files and folders whose code counts alone.
        ignore: Those whose code does not.
        depth: Callers that are named with a line.
        follow: Whether programs that the program starts are traced too.
    """
    return {
        "hooks": hooks(),
        "only": [os.path.realpath(path) for path in only],
        "ignore": [os.path.realpath(path) for path in ignore],
        "program": program,
        "depth": depth,
        "follow": follow,
    }


def hooks() -> list[dict[str, Any]]:
    """Return each function to intercept once, with the entries that it is when called with a keyword."""
    found: dict[str, dict[str, Any]] = {}
    for name, at in [*((entry.name, entry.trace) for entry in conversions()), *ALSO]:
        if not isinstance(at, At):
            continue
        hook = found.setdefault(
            at.path,
            {
                "conversion": name,
                "paths": [at.path, *at.also],
                "position": at.position,
                "keyword": at.keyword,
                "variants": [],
            },
        )
        keyword = re.search(r"\((\w+)=(True|False)\)$", name)
        if keyword:
            hook["variants"].append((keyword[1], keyword[2] == "True", name))
    return list(found.values())


def run(program: Program, folder: Path, made: dict[str, Any], meanwhile: Callable[[], None] = lambda: None) -> int:
    """Run ``program``, with ``made`` as the plan, until it ends; its counts are in ``folder`` then.

    ``meanwhile`` is done here as soon as it has begun.

    Returns:
        Its exit code; negative is the number of the signal that ended it.

    Raises:
        RequestError: where there is no such file.
        UnavailableError: where Python is told to ignore its environment, through which the hooks come.
    """
    if program.file and not os.path.exists(program.file):
        raise RequestError(f"there is no file {program.arguments[0]!r}; write -m for a module, -c for a line of code.")
    if sys.flags.ignore_environment or sys.flags.isolated or sys.flags.no_site:
        raise UnavailableError("Python runs with -E, -I or -S here, which keep the hooks out: leave them away.")
    (folder / PLAN).write_text(json.dumps(made), encoding="utf-8")
    path = os.environ.get("PYTHONPATH")
    environment = os.environ | {
        FOLDER: str(folder),
        "PYTHONPATH": os.pathsep.join([str(START), *([path] if path else [])]),
    }
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return _wait([sys.executable, *flags, *program.arguments], environment, meanwhile)


def _wait(command: list[str], environment: dict[str, str], meanwhile: Callable[[], None]) -> int:
    """Run ``command`` and wait, passing on the signals that only this process gets; the terminal's go to both."""
    if not hasattr(signal, "sigwaitinfo"):
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            child = subprocess.Popen(command, env=environment)  # noqa: S603 - the user's own program
            meanwhile()
            return child.wait()
        finally:
            signal.signal(signal.SIGINT, before)
    passed_on = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, passed_on | {signal.SIGCHLD})
    try:
        child = subprocess.Popen(  # noqa: S603 - the user's own program
            command,
            env=environment,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask),
        )
        meanwhile()
        while child.poll() is None:
            told = signal.sigwaitinfo(passed_on | {signal.SIGCHLD})
            if told.si_signo != signal.SIGCHLD and told.si_code != FROM_THE_KERNEL:
                child.send_signal(told.si_signo)
        return child.returncode
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
