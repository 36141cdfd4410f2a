"""Run Python commands in forks of the warm process of ``zygote.py``: one a session, started when it is first needed."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tensorbridge_cli.lab import processes

ROOT = Path(__file__).parent.parent
_AT_THE_START = ("PYTHON", "LC_", "LANG", "LD_", "OMP_", "MKL_", "TORCH_", "TORCHELASTIC_")
"""What is read when Python or torch starts: where it differs, a fork would not do."""
_BY_A_FORK = ("PYTHONIOENCODING", "PYTHONPATH", "PYTHONWARNINGS")
"""What a fork reads as Python does at its start."""
_REAL = subprocess.Popen
FINALISED = "TESTS_FINALISED"
"""A variable with which a fork finalises what is global in its program, as Python's end does: half a second more."""
COLD_PROGRAM = "TESTS_COLD_PROGRAM"
"""A variable with which a fork starts the program that it traces as a process; the program does not get it."""
_START = "import os; __file__ = os.__file__; from tests import zygote; zygote.serve()"
"""With a file of Python's own: the hooks of ``trace`` take this line for none of the program's."""


def is_as_cold(environment: Mapping[str, str] | None, other: Mapping[str, str]) -> bool:
    """Return whether a process started with ``environment`` begins as one that was started with ``other``."""
    return environment is None or _read_at_the_start(environment) == _read_at_the_start(other)


def _read_at_the_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in environment.items() if name.startswith(_AT_THE_START) and name not in _BY_A_FORK
    }


class Warm:
    """The warm process, seen from the tests."""

    def __init__(self) -> None:
        self.environment = dict(os.environ)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START],
            cwd=ROOT,
            env=self.environment | {"OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        atexit.register(self.close)

    def run(
        self, arguments: list[str], *, cwd: Path | str | None, env: Mapping[str, str], typed: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Return how ``python ARGUMENTS`` ended, and what it said."""
        with ExitStack() as stack:
            files = [stack.enter_context(tempfile.NamedTemporaryFile()) for _ in range(3)]
            files[0].write(typed.encode())
            files[0].flush()
            code = self._ask(arguments, cwd, env, streams=[file.name for file in files])
            out, err = (Path(file.name).read_text(encoding="utf-8") for file in files[1:])
        return subprocess.CompletedProcess([sys.executable, *arguments], code, out, err)

    def screen(self, arguments: list[str], *, width: int, env: Mapping[str, str]) -> tuple[int, str]:
        """Return how ``python ARGUMENTS`` ended in a terminal of ``width`` columns, and what that was sent."""
        import termios  # which Windows lacks

        ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (50, width))
        drawn = bytearray()
        reader = threading.Thread(target=_read_all, args=(ours, drawn))
        reader.start()
        try:
            code = self._ask(arguments, None, env, streams=[os.ttyname(theirs)] * 3)
        finally:
            os.close(theirs)
            reader.join()
            os.close(ours)
        return code, drawn.decode().replace("\r\n", "\n")

    def start(self, arguments: list[str], *, env: Mapping[str, str], descriptors: Mapping[int, int]) -> int:
        """Start ``python ARGUMENTS`` as a child of this process; return its number.

        ``descriptors`` are those that it has, each of ours under its number there.
        """
        import fcntl  # which Windows lacks

        opened = [(there, ours, fcntl.fcntl(ours, fcntl.F_GETFL) & os.O_ACCMODE) for there, ours in descriptors.items()]
        processes._prctl(processes._PR_SET_CHILD_SUBREAPER, 1)
        try:
            return self._ask(arguments, None, env, descriptors=opened, owner=os.getpid())
        finally:
            processes._prctl(processes._PR_SET_CHILD_SUBREAPER, 0)

    def _ask(self, arguments: list[str], cwd: Path | str | None, env: Mapping[str, str], **more: object) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {
            "arguments": arguments,
            "folder": str(cwd or os.getcwd()),
            "environment": dict(env),
            **more,
        }
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer: int = json.loads(self._process.stdout.readline())
        except BaseException:  # the test's time is up, or the process is gone: the next one starts another
            self.close()
            raise
        return answer

    def close(self) -> None:
        """End it, and the command that it runs."""
        global _warm
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(BrokenPipeError):
            self._process.communicate()
        _warm = None


_warm: Warm | None = None


def python(
    *arguments: str, cwd: Path | str | None = None, env: Mapping[str, str], typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run ``python ARGUMENTS``: in a fork of the warm process, or where that would not do in a process of its own."""
    if not _may_fork(env):
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, encoding="utf-8", timeout=120, input=typed
        )
    return _started().run([*arguments], cwd=cwd, env=env, typed=typed)


def screen(*arguments: str, width: int, env: Mapping[str, str]) -> tuple[int, str]:
    """Run ``python ARGUMENTS`` in a terminal of ``width`` columns; return its exit code and what it drew."""
    assert _may_fork(env), "started with other variables than the tests"
    return _started().screen([*arguments], width=width, env=env)


class _Popen(subprocess.Popen[bytes]):
    """Starts the servers of laboratories in forks of the warm process, and all else as processes."""

    def _execute_child(self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *others):  # type: ignore[no-untyped-def]
        if not (isinstance(args, list) and args[:3] == [sys.executable, "-P", "-c"] and _may_fork(env)):
            super()._execute_child(args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *others)
            return
        _, _, _, p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, *_ = others
        streams = {number: ours for number, ours in enumerate((p2cread, c2pwrite, errwrite)) if ours != -1}
        descriptors = streams | {number: number for number in pass_fds}
        self.pid = _started().start(args[1:], env=env, descriptors=descriptors)
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)


@contextmanager
def servers(are_warm: bool) -> Iterator[None]:
    """Start the servers of laboratories in forks of the warm process meanwhile, or as processes."""
    before = subprocess.Popen
    subprocess.Popen = _Popen if are_warm and sys.platform == "linux" else _REAL  # type: ignore[misc]
    try:
        yield
    finally:
        subprocess.Popen = before  # type: ignore[misc]


def _may_fork(environment: Mapping[str, str]) -> bool:
    return hasattr(os, "fork") and is_as_cold(environment, os.environ)


def _started() -> Warm:
    global _warm
    if _warm is not None and not is_as_cold(_warm.environment, os.environ):
        _warm.close()
    if _warm is None:
        _warm = Warm()
    return _warm


def _read_all(descriptor: int, into: bytearray) -> None:
    """Read a terminal until nobody has it open any more, which Linux says as an error."""
    with suppress(OSError):
        while piece := os.read(descriptor, 1 << 16):
            into += piece
