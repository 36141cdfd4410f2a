"""Where experiments run, seen from the command line: a laboratory that is asked, and that dies of nothing.

The command line imports neither numpy nor torch. It starts one server process that does, and that forks (or spawns)
children for batches of experiments: see ``server`` and ``crew``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import msgspec

from tensorbridge_cli.errors import RequestError, UnavailableError, error_for
from tensorbridge_cli.lab import protocol
from tensorbridge_cli.lab.experiment import Experiment, Facts, Given, observation
from tensorbridge_cli.lab.protocol import Done, Hello, Isolation, Resolved, Settings
from tensorbridge_cli.lab.server import Prepared
from tensorbridge_cli.lab.stderr_tail import last_words, signal_name
from tensorbridge_cli.records.report import Crash, Stage, Subject

__all__ = [
    "DEFAULT",
    "Done",
    "Hello",
    "Isolation",
    "Laboratory",
    "Resolved",
    "Settings",
    "laboratory",
    "scratch_folder",
]

DEFAULT: Isolation = "fork" if sys.platform == "linux" else "spawn"
"""Forking a process that holds torch is safe on Linux only."""


class Laboratory(Protocol):
    """What ``survey`` asks; made by ``laboratory``."""

    def hello(self) -> Hello:
        """Return what the experiments run on.

        Raises:
            UnavailableError: where numpy or torch cannot be imported.
            RequestError: where the user's set-up code failed.
        """

    def resolve(self, names: Sequence[str]) -> tuple[Resolved, ...]:
        """Return what the installed libraries make of dtype ``names``.

        Raises:
            RequestError: for one that neither knows, or that means two things.
        """

    def describe(self, given: Given) -> Subject:
        """Build the user's object once and describe it.

        Raises:
            RequestError: where that fails, hangs, ends the process, or yields nothing that a conversion takes.
        """

    def run(self, experiments: Sequence[Experiment], one_by_one: bool = False) -> Iterator[tuple[int, Done]]:
        """Make the experiments; yield each one's number and what was found, as they end.

        ``one_by_one`` makes none while another is made.
        """

    def again(self, experiments: Sequence[Experiment]) -> Iterator[tuple[int, Done]]:
        """Make each experiment in a process that has done nothing else; yield as ``run`` does.

        The process is a fresh interpreter that has imported numpy and torch and run the user's set-up code, or, where
        processes are forked, the child of one.
        """

    def close(self) -> None:
        """End every process that was started."""


def laboratory(settings: Settings) -> Laboratory:
    """Start a laboratory; it prepares itself while the caller goes on."""
    return Here(settings) if settings.isolation == "none" else Server(settings)


class Server:
    """A laboratory in processes of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._fresh: Server | None = None
        handle, name = tempfile.mkstemp(dir=settings.bench.scratch, prefix="server-", suffix=".err")
        os.close(handle)
        self._errors = Path(name)
        root = str(Path(__file__).resolve().parents[2])
        # -P: a file of the user's that is named numpy.py is not numpy
        code = f"import sys; sys.path.append({root!r}); from tensorbridge_cli.lab.server import serve; serve()"
        # one thread less to fork with, and asking for CUDA must not initialise it before the fork
        environment = {"OPENBLAS_NUM_THREADS": "1", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"} | dict(os.environ)
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                [sys.executable, "-P", "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                start_new_session=True,  # Ctrl-C is the command line's, which ends the group
            )
        self._to = cast("BinaryIO", self._process.stdin)
        self._from = cast("BinaryIO", self._process.stdout)
        self._hello: Hello | None = None
        self._tell(settings)

    def hello(self) -> Hello:
        """See Laboratory."""
        if self._hello is None:
            if self._settings.bench.setup and self._settings.isolation == "fork":
                self._answer()  # that numpy and torch are imported; what comes now is the user's
                self._hello = self._set_up().hello
            else:
                self._hello = self._answer().hello
        assert self._hello is not None
        return self._hello

    def resolve(self, names: Sequence[str]) -> tuple[Resolved, ...]:
        """See Laboratory."""
        self.hello()
        self._tell(protocol.Resolve(tuple(names)))
        return self._answer().resolved

    def describe(self, given: Given) -> Subject:
        """See Laboratory."""
        self.hello()
        self._tell(protocol.Describe(given))
        subject = self._answer().subject
        assert subject is not None
        return subject

    def run(self, experiments: Sequence[Experiment], one_by_one: bool = False) -> Iterator[tuple[int, Done]]:
        """See Laboratory."""
        jobs = 1 if one_by_one else self._settings.jobs
        return self._run(protocol.Run(tuple(experiments), jobs, alone=False))

    def again(self, experiments: Sequence[Experiment]) -> Iterator[tuple[int, Done]]:
        """See Laboratory."""
        if self._fresh is None:
            self._fresh = Server(self._settings)
        return self._fresh._run(protocol.Run(tuple(experiments), self._settings.jobs, alone=True))

    def _run(self, command: protocol.Run) -> Iterator[tuple[int, Done]]:
        self.hello()
        self._tell(command)
        for _ in command.experiments:
            reply = self._receive()
            assert isinstance(reply, protocol.Finished)
            yield reply.index, reply.done

    def _set_up(self) -> protocol.Answer:
        """Wait for the user's set-up code.

        Raises:
            RequestError: where it fails, takes too long, or ends the process.
        """
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self._kill()

        alarm = threading.Timer(self._settings.timeout, give_up)
        alarm.start()
        try:
            return self._answer()
        except UnavailableError as error:
            if late.is_set():
                limit = f"{self._settings.timeout:g} seconds; --timeout gives it more"
                raise RequestError(f"the --setup code did not end within {limit}.") from error
            raise RequestError(f"the --setup code ended the process: {self._end()}") from error
        finally:
            alarm.cancel()

    def close(self) -> None:
        """See Laboratory."""
        if self._fresh is not None:
            self._fresh.close()
        self._kill()
        self._process.wait()
        self._from.close()
        with contextlib.suppress(BrokenPipeError):
            self._to.close()

    def _kill(self) -> None:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            import psutil

            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(self._process.pid).children(recursive=True):
                    child.kill()
            self._process.kill()

    def _tell(self, message: Settings | protocol.Command) -> None:
        # where the server has ended, the next answer says why
        with contextlib.suppress(BrokenPipeError):
            protocol.send(self._to, message)

    def _answer(self) -> protocol.Answer:
        reply = self._receive()
        assert isinstance(reply, protocol.Answer)
        return reply

    def _receive(self) -> protocol.Reply:
        reply: protocol.Reply | None = protocol.receive(self._from, protocol.Reply)
        if reply is None:
            raise UnavailableError(f"the process that imports numpy and torch ended: {self._end()}")
        if isinstance(reply, protocol.Failed):
            raise error_for(reply.message, reply.exit_code)
        return reply

    def _end(self) -> str:
        """Return how the server ended, and its last words."""
        code = self._process.wait()
        how = signal_name(code) or f"exit code {code}"
        return f"{how}. {last_words(self._errors.read_bytes())}".strip()


class Here:
    """A laboratory in this very process: a crash ends it, and there is no time-out."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ready: Prepared | None = None
        self._fresh: Server | None = None

    def _prepared(self) -> Prepared:
        if self._ready is None:
            self._ready = Prepared(self._settings.bench)
        return self._ready

    def hello(self) -> Hello:
        """See Laboratory."""
        return self._prepared().hello()

    def resolve(self, names: Sequence[str]) -> tuple[Resolved, ...]:
        """See Laboratory."""
        return self._prepared().resolve(names)

    def describe(self, given: Given) -> Subject:
        """See Laboratory."""
        return self._prepared().describe(given)

    def run(self, experiments: Sequence[Experiment], one_by_one: bool = True) -> Iterator[tuple[int, Done]]:
        """See Laboratory; it is always one by one here."""
        for index, experiment in enumerate(experiments):
            yield index, self._one(experiment)

    def again(self, experiments: Sequence[Experiment]) -> Iterator[tuple[int, Done]]:
        """See Laboratory."""
        if self._fresh is None:
            self._fresh = Server(msgspec.structs.replace(self._settings, isolation=DEFAULT))
        return self._fresh.again(experiments)

    def close(self) -> None:
        """See Laboratory."""
        if self._fresh is not None:
            self._fresh.close()

    def _one(self, experiment: Experiment) -> Done:
        known = Facts(subject=experiment.subject)

        def announce(stage: Stage, facts: Facts) -> None:
            nonlocal known
            known = facts

        try:
            return self._prepared().run(experiment, announce)
        except Exception:
            said = last_words(traceback.format_exc().encode())
            died = Crash(stage=Stage.OBSERVE, signal=None, exit_code=None, stderr=said, confirmed=None)
            return observation(experiment, known, died)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a folder for maps and messages that is gone afterwards, whatever died in it."""
    folder = Path(tempfile.mkdtemp(prefix="tensorbridge-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
