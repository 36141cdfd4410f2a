"""What a program does with processes: which it starts that are not traced, and when one may end silently.

``multiprocessing`` and the modules below it are imported only where the program has imported them.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any

from tensorbridge_cli.tracing import FOLDER, START
from tensorbridge_cli.tracing.inside.frames import leave_no_trace, not_counted
from tensorbridge_cli.tracing.inside.wrappers import like

_PYTHON = re.compile(r"(python|pypy)[\d.]*t?")
_HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
"""Programs of multiprocessing's own: the one runs no code of the user's, the forks of the other are counted."""


class Processes:
    """What this process does with others.

    Args:
        put_down: Puts down what was counted since it was put down last.
        put_down_last: Puts down all that this process counts.
        follow: Whether Python processes that are started are traced.

    Attributes:
        missed: Python processes that were started and are not traced.
        hidden: Those that were to be traced, and were started so that they do not find the recorder.
        becomes_another: Whether a fork that is made now runs another program at once.
    """

    def __init__(self, put_down: Callable[[], None], put_down_last: Callable[[], None], *, follow: bool) -> None:
        self._put_down, self._put_down_last, self._follow = put_down, put_down_last, follow
        self.missed = self.hidden = 0
        self.becomes_another = False
        self._sent = 0

    def forget(self) -> None:
        """Begin anew, in a child of a fork."""
        self.missed = self.hidden = 0
        self.becomes_another = False
        self._sent = 0

    def watch(self) -> None:
        """Notice the processes that this one starts, and the program that it becomes."""
        for name in ("execv", "execve"):
            setattr(os, name, around(getattr(os, name), self._becoming))
        if sys.platform == "win32":
            return
        import _posixsubprocess

        _posixsubprocess.fork_exec = around(_posixsubprocess.fork_exec, self._starting)
        if "subprocess" in sys.modules:
            sys.modules["subprocess"]._fork_exec = _posixsubprocess.fork_exec  # type: ignore[attr-defined]
        for name in ("posix_spawn", "posix_spawnp"):
            if hasattr(os, name):
                setattr(os, name, around(getattr(os, name), self._spawning))

    def after_imports(self) -> dict[str, Callable[[], None]]:
        """Return what is to be done when a module of ``multiprocessing`` has been imported."""
        return {
            "multiprocessing.util": self._watch_beginning,
            "multiprocessing.queues": self._watch_results,
            "multiprocessing.popen_forkserver": self._watch_forkserver,
        }

    def _watch_beginning(self) -> None:
        """Put down the name that a child has been given: before, it is a fork like any other."""
        from multiprocessing import util

        util.register_after_fork(self, Processes._put_down_name)

    def _put_down_name(self) -> None:
        self._put_down()

    def _watch_results(self) -> None:
        """Put down what a worker has counted before it sends the result: a pool ends its workers by a signal.

        So does a ``DataLoader`` with ``persistent_workers``. Other queues than a pool's may be used often: there it is
        done before the first result, the second, the fourth and so on, and else from time to time, as in any process.
        """
        from multiprocessing import process, queues

        @contextmanager
        def sending(each: bool, *args: Any, **kwargs: Any) -> Iterator[None]:
            if process.parent_process() is not None:
                self._sent += 1
                if each or not self._sent & (self._sent - 1):
                    with suppress(Exception):
                        self._put_down()
            yield

        kinds: tuple[tuple[Any, bool], ...] = (queues.SimpleQueue, True), (queues.Queue, False)
        for kind, each in kinds:
            kind.put = around(kind.put, partial(sending, each))

    def _watch_forkserver(self) -> None:
        from multiprocessing import popen_forkserver

        @contextmanager
        def launching(*args: Any, **kwargs: Any) -> Iterator[None]:
            yield
            self.missed += not self._follow

        popen: Any = popen_forkserver.Popen
        popen._launch = around(popen._launch, launching)

    @contextmanager
    def _starting(self, arguments: Any, executables: Any, *rest: Any) -> Iterator[None]:
        self.becomes_another = True
        try:
            yield
        finally:
            self.becomes_another = False
        self._count(executables, arguments, rest[3] if len(rest) > 3 else None)

    @contextmanager
    def _spawning(self, path: Any, arguments: Any, *rest: Any, **options: Any) -> Iterator[None]:
        yield
        self._count([path], arguments, rest[0] if rest else options.get("env"))

    @contextmanager
    def _becoming(self, path: Any, arguments: Any, *rest: Any) -> Iterator[None]:
        before = self.missed, self.hidden
        self._count([path], arguments, rest[0] if rest else None)
        with suppress(Exception):
            self._put_down_last()
        try:
            yield
        except BaseException:  # it goes on
            self.missed, self.hidden = before
            raise

    def _count(self, executables: Iterable[Any], arguments: Iterable[Any], environment: Any) -> None:
        with suppress(Exception):
            texts = [os.fsdecode(text) for text in arguments]
            if not is_python(executables) or _helps(texts):
                return
            self.missed += not self._follow
            self.hidden += self._follow and not _finds_recorder(texts, environment)


def is_python(executables: Iterable[Any]) -> bool:
    """Return True if the first of ``executables`` that is there is a Python, or a script that one runs."""
    path = next(filter(os.path.isfile, map(os.fsdecode, executables)), None)
    if path is None:
        return False
    if _PYTHON.fullmatch(os.path.basename(path).removesuffix(".exe")):
        return True
    with open(path, "rb") as file:
        first = file.readline(200)
    return first.startswith(b"#!") and b"python" in first


def _helps(arguments: Iterable[str]) -> bool:
    """Return True if a program is one that ``multiprocessing`` starts for itself."""
    return any(f"from {name} import" in text for text in arguments for name in _HELPERS)


def _finds_recorder(arguments: Sequence[str], environment: Any) -> bool:
    """Return True if a Python that is started so finds the recorder: in its environment, which no option hides."""
    rest = iter(arguments[1:])
    for option in rest:
        if not option.startswith("-") or option[1:2] in ("c", "m", "-", ""):
            break
        if _HIDING.match(option):
            return False
        if option in ("-X", "-W"):
            next(rest, None)
    if isinstance(environment, list):  # as subprocess gives it: b"NAME=value"
        environment = dict(one.partition(b"=")[::2] for one in environment)
    pairs = (os.environ if environment is None else environment).items()
    given = {os.fsdecode(name): os.fsdecode(value) for name, value in pairs}
    return FOLDER in given and START in given.get("PYTHONPATH", "").split(os.pathsep)


_HIDING = re.compile(r"-[a-zA-Z]*[EIS]")
"""The options of Python that leave out the environment or ``site``."""


def around(original: Callable[..., Any], meanwhile: Callable[..., AbstractContextManager[None]]) -> Callable[..., Any]:
    """Return what does what ``original`` does, within ``meanwhile`` of the same arguments."""

    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            with meanwhile(*args, **kwargs):
                return original(*args, **kwargs)
        except BaseException:
            leave_no_trace(sys._getframe(1))
            raise

    return like(original, not_counted(run))
