"""Run a program with the hooks on its path, as it would run without: Python itself runs it, in a process of its own.

The catalogue is imported within ``hooks`` and ``methods``, and not at the top: the program's Python starts meanwhile.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any, NamedTuple

from tensorbridge_cli.errors import RequestError, UnavailableError
from tensorbridge_cli.lab import processes
from tensorbridge_cli.tracing import FOLDER, GATE, PLAN, START
from tensorbridge_cli.tracing.inside.records import Hook, TracePlan, encode

HIDING = "with -E, -I or -S, which prevent tracing: omit them."
"""Options of Python that have it ignore its environment, through which the hooks come; -I is -E and more."""

_GATED = os.name == "posix"
"""Whether a child can be given a pipe; elsewhere it is started when it may begin."""
_WAITS_FOR_SIGNALS = hasattr(signal, "sigwaitinfo")
_PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_INTERPRETER = re.compile(r"(python|pypy)[\d.]*t?w?")
FROM_THE_KERNEL = 0x80  # si_code of a signal that the terminal sent, to every process before it


class Program(NamedTuple):
    """What is run: the arguments of Python, ``-m package`` or ``-c code`` or a file, and the program's own."""

    arguments: tuple[str, ...]

    @property
    def file(self) -> str:
        """The file that is run; empty for a module, a line of code, and what is read from standard input."""
        return "" if self.arguments[0] in ("-m", "-c", "-") else os.path.realpath(self.arguments[0])

    @property
    def starts_python(self) -> bool:
        """Return True if the program is a Python interpreter, which the tool starts itself."""
        path = self.arguments[0]
        if not _INTERPRETER.fullmatch(os.path.basename(path).removesuffix(".exe")):
            return False
        if not os.path.isfile(path):
            return True
        with suppress(OSError), open(path, "rb") as file:
            return b"\0" in file.read(64)  # a machine's program, and not a script of that name
        return False

    def check(self) -> None:
        """Raise RequestError if there is nothing that Python can run."""
        first, *others = self.arguments
        if self.starts_python:
            options = list(takewhile(lambda text: text.startswith("-") and text[:2] not in ("-m", "-c"), others))
            rest = shlex.join(others[len(options) :]) or "PROGRAM"
            command = f"{shlex.join([first, *options])} -m tensorbridge_cli trace" if options else "tensorbridge trace"
            raise RequestError(f"omit {first!r}, Python is started for you: {command} {rest}")
        # as it is typed: what /dev/fd/63 leads to, a pipe, has no path
        if self.file and not os.path.exists(first):
            where = shutil.which(first)
            if where is not None:
                raise RequestError(f"{first!r} is a command, not a file here: use {where}, or -m for a module.")
            raise RequestError(f"file {first!r} does not exist; use -m for a module, -c for code.")


def plan(
    program: str, include: Sequence[str] = (), omit: Sequence[str] = (), depth: int = 4, follow: bool = False
) -> TracePlan:
    """Return what the hooks are to know: the functions of the catalogue, and whose code counts.

    Args:
        program: The file that is run, or nothing.
        include: Files and folders whose code counts alone.
        omit: Those whose code does not.
        depth: Number of callers to show (default: 4).
        follow: Whether programs that the program starts are traced too.
    """
    return TracePlan(
        hooks=hooks(),
        methods=methods(),
        include=tuple(os.path.realpath(path) for path in include),
        omit=tuple(os.path.realpath(path) for path in omit),
        program=program,
        depth=depth,
        follow=follow,
    )


def hooks() -> tuple[Hook, ...]:
    """Return each function to intercept once, with the entries that it is when called with a keyword."""
    from tensorbridge_cli.catalog.hooks import ALSO, InterceptedAt
    from tensorbridge_cli.catalog.registry import conversions

    by_path: dict[str, Hook] = {}
    for name, at in [*((entry.name, entry.hook) for entry in conversions()), *ALSO]:
        if not isinstance(at, InterceptedAt):
            continue
        hook = by_path.setdefault(
            at.path,
            Hook(
                conversion=name,
                paths=(at.path, *at.also),
                position=at.position,
                keyword=at.keyword,
                module=at.module,
                result=at.result,
            ),
        )
        keyword = re.search(r"\((\w+)=(True|False)\)$", name)
        if keyword:
            variant = keyword[1], keyword[2] == "True", name
            by_path[at.path] = replace(hook, variants=(*hook.variants, variant))
    return tuple(by_path.values())


def methods() -> dict[str, str]:
    """Return the entry that each method of ``ndarray`` is whose calls Python reports."""
    from tensorbridge_cli.catalog.hooks import MonitoredMethod
    from tensorbridge_cli.catalog.registry import conversions

    return {entry.hook.method: entry.name for entry in conversions() if isinstance(entry.hook, MonitoredMethod)}


@dataclass(frozen=True)
class Python:
    """The command that starts Python for a program, and the variables that it gets: by default those of the tool."""

    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


OWN = Python()
"""The interpreter that runs the tool, with the options that it was given."""


def launch(program: Program, make_plan: Callable[[], TracePlan], python: Python = OWN) -> Running:
    """Start Python for ``program``, make its plan meanwhile, and let it begin.

    Raises:
        RequestError: if there is no such file.
        UnavailableError: if Python is told to ignore its environment, through which the hooks come.
    """
    running = Running(program, python)
    try:
        running.begin(make_plan())
    except BaseException:  # no room for the plan
        running.end()
        raise
    return running


def _typed_options() -> list[str]:
    """Return the options that this Python was started with, as they were typed: ``-u``, ``-X dev``.

    What variables of the environment say, the program reads there; as options they would show in ``sys.orig_argv``.
    """
    options: list[str] = []
    words = iter(sys.orig_argv[1:])
    for word in words:
        if not word.startswith("-") or word == "-":
            break
        takes = next((place for place, letter in enumerate(word) if letter in "mcWX"), len(word))
        if word.startswith("--"):
            options += [word, *([next(words)] if word == "--check-hash-based-pycs" else [])]
        elif word[takes:][:1] in ("m", "c"):  # what is run: -um is -u and -m
            return [*options, *([word[:takes]] if takes > 1 else [])]
        else:
            options += [word, *([next(words)] if word[takes:] in ("W", "X") else [])]
    return options


class Running:
    """A program that runs with the hooks on its path; used as a context, the folder of its counts is gone afterwards.

    Python has been started for it, and comes to its first line when ``begin`` says what to hook. Signals that only this
    process gets are passed on; the terminal's go to both. They are held back from the start, so that none is lost:
    ``wait`` or ``end`` must be called.
    """

    def __init__(self, program: Program, python: Python = OWN) -> None:
        program.check()
        if python is OWN and (sys.flags.ignore_environment or sys.flags.no_site):
            raise UnavailableError(f"Python runs {HIDING}")
        self.folder = tempfile.mkdtemp(prefix="tensorbridge-")
        self._command = [*(python.command or (sys.executable, *_typed_options())), *program.arguments]
        path = os.environ.get("PYTHONPATH")
        self._environment = {
            **python.environment,
            FOLDER: self.folder,
            "PYTHONPATH": os.pathsep.join([START, *([path] if path else [])]),
        }
        if _GATED:
            self._start_gated()

    def _start_gated(self) -> None:
        gate, self._gate = processes.pipe()
        try:
            self._environment[GATE] = str(gate)
            os.set_inheritable(gate, True)
            self._start()
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
            # what this process was given open, the program is: <(command), a job server's pipe; what this process
            # has opened itself is closed by Python in any program that it starts
            self._child = subprocess.Popen(  # noqa: S603 - the user's
                self._command, env=self._environment, close_fds=False, **options
            )
        except BaseException:  # no process to be had
            self._let_signals_through()
            self._remove()
            raise

    def begin(self, plan: TracePlan) -> None:
        """Let the program begin, with ``plan``."""
        with open(os.path.join(self.folder, PLAN), "wb") as file:
            file.write(encode(replace(plan, python_path_was_empty=os.environ.get("PYTHONPATH") == "")))
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
                received = signal.sigwaitinfo(self._held)
                if received.si_signo != signal.SIGCHLD and received.si_code != FROM_THE_KERNEL:
                    self._child.send_signal(received.si_signo)
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
