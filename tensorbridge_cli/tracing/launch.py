"""Run a program with the hooks on its path, as it would run without: Python itself runs it, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from tensorbridge_cli.errors import RequestError, UnavailableError
from tensorbridge_cli.tracing import FOLDER, GATE, PLAN

START = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inside", "start")
_GATED = os.name == "posix"
"""Whether a child can be given a pipe; elsewhere it is started when it may begin."""
_WAITS_FOR_SIGNALS = hasattr(signal, "sigwaitinfo")
_PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
FROM_THE_KERNEL = 0x80  # si_code of a signal that the terminal sent, to every process before it


class Program(NamedTuple):
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
        "methods": methods(),
        "only": [os.path.realpath(path) for path in only],
        "ignore": [os.path.realpath(path) for path in ignore],
        "program": program,
        "depth": depth,
        "follow": follow,
    }


def hooks() -> list[dict[str, Any]]:
    """Return each function to intercept once, with the entries that it is when called with a keyword."""
    from tensorbridge_cli.catalog.conversions import conversions
    from tensorbridge_cli.catalog.hooks import ALSO, At

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


def methods() -> dict[str, str]:
    """Return the entry that each method of ``ndarray`` is whose calls Python can tell of."""
    from tensorbridge_cli.catalog.conversions import conversions
    from tensorbridge_cli.catalog.hooks import Told

    return {entry.trace.method: entry.name for entry in conversions() if isinstance(entry.trace, Told)}


def run(program: Program, made: Callable[[], dict[str, Any]]) -> Running:
    """Start Python for ``program``, have its plan ``made`` meanwhile, and let it begin.

    Raises:
        RequestError: where there is no such file.
        UnavailableError: where Python is told to ignore its environment, through which the hooks come.
    """
    running = Running(program)
    try:
        running.begin(made())
    except BaseException:  # no room for the plan
        running.end()
        raise
    return running


class Running:
    """A program that runs with the hooks on its path; used as a context, the folder of its counts is gone afterwards.

    Python has been started for it, and comes to its first line when ``begin`` says what to hook. Signals that only this
    process gets are passed on; the terminal's go to both. They are held back from the start, so that none is lost:
    ``wait`` or ``end`` must be called.
    """

    def __init__(self, program: Program) -> None:
        if program.file and not os.path.exists(program.file):
            raise RequestError(
                f"there is no file {program.arguments[0]!r}; write -m for a module, -c for a line of code."
            )
        if sys.flags.ignore_environment or sys.flags.isolated or sys.flags.no_site:
            raise UnavailableError("Python runs with -E, -I or -S here, which keep the hooks out: leave them away.")
        self.folder = tempfile.mkdtemp(prefix="tensorbridge-")
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        self._command = [sys.executable, *flags, *program.arguments]
        path = os.environ.get("PYTHONPATH")
        self._environment = os.environ | {
            FOLDER: self.folder,
            "PYTHONPATH": os.pathsep.join([START, *([path] if path else [])]),
        }
        if _GATED:
            self._start_gated()

    def _start_gated(self) -> None:
        gate, self._gate = os.pipe()
        try:
            self._environment[GATE] = str(gate)
            self._start(pass_fds=(gate,))
        finally:
            os.close(gate)

    def _start(self, **options: Any) -> None:
        if _WAITS_FOR_SIGNALS:
            self._held = {signal.SIGCHLD, *(getattr(signal, name) for name in _PASSED_ON)}
            mask = self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._held)
            options["preexec_fn"] = lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        else:
            self._before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._child = subprocess.Popen(self._command, env=self._environment, **options)  # noqa: S603 - the user's
        except BaseException:  # no process to be had
            self._let_signals_through()
            self._remove()
            raise

    def begin(self, made: dict[str, Any]) -> None:
        """Let the program begin, with ``made`` as its plan."""
        with open(os.path.join(self.folder, PLAN), "w", encoding="utf-8") as file:
            json.dump(made, file)
        if not _GATED:
            self._start()
            return
        with suppress(BrokenPipeError):  # it has ended before it began
            os.write(self._gate, b"!")
        os.close(self._gate)

    def wait(self) -> int:
        """Return the program's exit code; negative is the number of the signal that ended it."""
        try:
            while _WAITS_FOR_SIGNALS and self._child.poll() is None:
                told = signal.sigwaitinfo(self._held)
                if told.si_signo != signal.SIGCHLD and told.si_code != FROM_THE_KERNEL:
                    self._child.send_signal(told.si_signo)
            return self._child.wait()
        finally:
            self._let_signals_through()

    def _let_signals_through(self) -> None:
        if _WAITS_FOR_SIGNALS:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        else:
            signal.signal(signal.SIGINT, self._before)

    def end(self) -> None:
        """Kill the program: nobody waits for it."""
        if hasattr(self, "_child"):
            self._child.kill()
            self.wait()
        self._remove()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *raised: object) -> None:
        self._remove()

    def _remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
