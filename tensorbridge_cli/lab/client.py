"""Where experiments run, seen from the command line: a laboratory that is asked, and that dies of nothing.

The command line imports neither numpy nor torch. It starts one server process that does, and that forks (or spawns)
children for batches of experiments: see ``server`` and ``pool``.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from tensorbridge_cli.errors import RequestError, UnavailableError, error_for
from tensorbridge_cli.lab import channel, interpreter, processes, protocol, wire
from tensorbridge_cli.lab.channel import Progress
from tensorbridge_cli.lab.experiment import Experiment, Facts, Given, observation
from tensorbridge_cli.lab.interpreter import Interpreter
from tensorbridge_cli.lab.protocol import Described, Done, Hello, Isolation, Resolved, Settings
from tensorbridge_cli.lab.server import MANY, Prepared
from tensorbridge_cli.lab.stderr_tail import last_line, signal_name
from tensorbridge_cli.records.enums import Library, Stage
from tensorbridge_cli.records.report import Crash, Row

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
    """What ``survey`` asks; made by ``laboratory``.

    ``python``: the interpreter that the experiments run in; ``None`` is the tool's own. ``internal_errors``: the rows
    in which the tool itself failed.
    """

    python: Interpreter | None
    internal_errors: list[Row]

    def hello(self) -> Hello:
        """Return what the experiments run on.

        Raises:
            UnavailableError: if numpy or torch cannot be imported.
            RequestError: if the user's set-up code failed.
        """

    def resolve(self, names: Sequence[str], library: Library | None = None) -> tuple[Resolved, ...]:
        """Return what the installed libraries make of dtype ``names``.

        With ``library``, what that one makes of them, of whose objects sources are to be generated: it is imported.

        Raises:
            RequestError: for one that neither knows, or that means two things.
            UnavailableError: if ``library`` is not installed.
        """

    def describe(self, given: Given) -> Described:
        """Build the user's object once and describe it.

        Raises:
            RequestError: if that fails, hangs, crashes the process, or yields nothing that a conversion takes.
        """

    def run(self, experiments: Sequence[Experiment], one_by_one: bool = False) -> Iterator[tuple[int, Done]]:
        """Make the experiments; yield each one's number and what was found, as they end.

        ``one_by_one`` makes none while another is made.
        """

    def again(self, experiments: Sequence[Experiment]) -> Iterator[tuple[int, Done]]:
        """Make each experiment in a process that has done nothing else; yield as ``run`` does.

        The process has imported numpy and torch and run the user's set-up code. It is a fresh interpreter or, where
        processes are forked, the child of one, or of a copy of the server from before its first experiment.
        """

    def close(self) -> None:
        """End every process that was started."""


def laboratory(settings: Settings, python: Interpreter | None = None) -> Laboratory:
    """Start a laboratory, of ``python`` if there is one; it prepares itself while the caller goes on.

    Raises:
        UnavailableError: if there is no such interpreter, or it is too old, or says nothing.
    """
    return Here(settings) if settings.isolation == "none" else Server(settings, python)


class ServerEndedError(UnavailableError):
    """The server is gone, or says nothing any more. ``how``: by which signal, or with which exit code."""

    def __init__(self, message: str, how: str = "") -> None:
        super().__init__(message)
        self.how = how


_KEEPER = 10.0  # seconds that the keeper may take to end everything
_NO_KEEPER = 1.0  # the same for an interpreter that is not known to have one yet
_FORKING = {"OPENBLAS_NUM_THREADS": "1", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
"""One thread less to fork with, and asking for CUDA must not initialise it before the fork."""


class Connection:
    """Messages to and from a process that speaks the protocol, through two descriptors."""

    def __init__(self, to_handle: int, from_handle: int) -> None:
        self._to_handle, self._from_handle = to_handle, from_handle
        self._received = bytearray()
        self._cookie: bytes | None = None

    def send(self, message: object) -> None:
        """Send one message; where the process has ended, the next answer says why."""
        body = wire.encode(message)
        self._write(protocol.HEAD.pack(len(body)) + body)

    def _write(self, body: bytes) -> None:
        data = memoryview(body)
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._to_handle, data) :]

    def receive(self, patience: float | None = None) -> protocol.Reply:
        """Return the next reply.

        Raises:
            ServerEndedError: if there comes none, or nothing at all for ``patience`` seconds.
            TensorbridgeError: that of the process itself.
        """
        while True:
            if (body := self._next()) is not None:
                reply = _reply(body)
                if isinstance(reply, protocol.Failed):
                    raise error_for(reply.message, reply.exit_code)
                if not isinstance(reply, protocol.Alive):
                    return reply
                continue
            self._read(patience)

    def _read(self, patience: float | None) -> None:
        """Read what comes next.

        Raises:
            ServerEndedError: if nothing does.
        """
        if not self._is_readable(patience):
            raise ServerEndedError(f"it did not respond within {patience:g} seconds", "no answer")
        piece = os.read(self._from_handle, 1 << 16)
        if not piece:
            raise self._ended()
        self._received += piece

    def _next(self) -> bytes | None:
        """Return the next message, encoded, where all of it is there."""
        if self._cookie is not None:
            before, cookie, after = self._received.partition(self._cookie)
            if not cookie:
                del self._received[: max(0, len(before) - len(self._cookie))]
                return None
            self._cookie, self._received = None, after
        if len(self._received) < protocol.HEAD.size:
            return None
        end = protocol.HEAD.size + protocol.HEAD.unpack_from(self._received)[0]
        if end > _LONGEST:
            raise ServerEndedError("its response cannot be read")
        if len(self._received) < end:
            return None
        body = bytes(self._received[protocol.HEAD.size : end])
        del self._received[:end]
        return body

    def _is_readable(self, patience: float | None) -> bool:
        if patience is None or not hasattr(select, "poll"):
            return True
        poll = select.poll()
        poll.register(self._from_handle, select.POLLIN)
        # once more where this process was stopped meanwhile, and the time is up for that
        return bool(poll.poll(patience * 1000) or poll.poll(1000))

    def _ended(self) -> ServerEndedError:
        """Return how the process ended."""
        return ServerEndedError("it ended", "ended")

    def close(self) -> None:
        """Close the descriptors, which ends the process."""
        os.close(self._to_handle)
        os.close(self._from_handle)


class Kept(Connection):
    """A Python process that speaks the protocol, with a keeper that leaves nothing of it.

    ``code`` is run in an interpreter of its own, with the cookie and the descriptors as arguments: that of the tool, or
    ``python``, which is sent our code. ``spare`` leads to the copy that a server makes of itself.

    Raises:
        UnavailableError: if ``python`` cannot be used.
    """

    def __init__(self, code: str, scratch: Path, python: Interpreter | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=scratch, prefix="server-"))
        self._errors = self.folder / "stderr"
        self._is_apart = processes.has_fork() and python is None  # commands have a pipe of their own
        self._received = bytearray()
        self._cookie: bytes | None = os.urandom(16)
        self._marker = self.folder / self._cookie.hex()
        self._marker.touch()  # an interpreter in a container, say, does not see it
        self._process: subprocess.Popen[bytes]
        self.spare: Connection | None = None
        if python is not None:
            self._start_away(code, python)
        else:
            self._start(code, scratch)
        if not self._is_apart:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._to_handle, self._from_handle = self._process.stdin.fileno(), self._process.stdout.fileno()

    def _start(self, code: str, scratch: Path) -> None:
        assert self._cookie is not None
        start = f"{processes.FIND_PACKAGE}; from tensorbridge_cli.lab import processes"
        keep = f"processes.keep({str(scratch)!r}, {str(self._marker)!r})" if processes.has_fork() else ""
        environment = _FORKING | dict(os.environ)
        temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.folder))
        theirs = [0, 1]
        with contextlib.ExitStack() as stack:
            if processes.has_fork():
                (commands, self._to_handle), (self._from_handle, replies) = processes.pipe(), processes.pipe()
                (of_copy, to_copy), (from_copy, by_copy) = processes.pipe(), processes.pipe()
                self.spare = Connection(to_copy, from_copy)
                theirs = [commands, replies, of_copy, by_copy]
                for descriptor in theirs:
                    stack.callback(os.close, descriptor)
            errors = stack.enter_context(self._errors.open("wb"))
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                [
                    *(sys.executable, *processes.SAFE_PATH, "-c", "\n".join((start, keep, code))),
                    *(self._cookie.hex(), *map(str, theirs)),
                ],
                stdin=subprocess.PIPE,  # of the keeper, which ends all when it is closed
                stdout=errors if processes.has_fork() else subprocess.PIPE,
                stderr=errors,
                env=environment | temporary,
                pass_fds=theirs if processes.has_fork() else (),
                start_new_session=True,  # Ctrl-C is the command line's
            )

    def _start_away(self, code: str, python: Interpreter) -> None:
        """Start ``python``, wait until it says that it is there, and send it our code."""
        assert self._cookie is not None
        cookie, archive = self._cookie, interpreter.archive()
        arguments = (str(len(archive)), cookie.hex(), str(self.folder))
        command = python.command("-c", f"{interpreter.BOOT}\n{code}", *arguments)
        try:
            with self._errors.open("wb") as errors:
                self._process = subprocess.Popen(  # noqa: S603 - the user's
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=_FORKING | interpreter.environment(self.folder),
                    start_new_session=True,
                )
        except OSError as error:
            raise UnavailableError(f"--python {python.name!r}: {error.strerror or error}.") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to_handle, self._from_handle = self._process.stdin.fileno(), self._process.stdout.fileno()
        try:
            while self._cookie is not None:
                self._next()
                if self._cookie is not None:
                    self._read(_STARTING)
        except ServerEndedError as error:
            self.close(patience=_NO_KEEPER)
            raise UnavailableError(f"--python {python.name!r} {self._why_not_started(error).rstrip('.')}.") from error
        except BaseException:
            self.close(patience=_NO_KEEPER)
            raise
        self._cookie = cookie  # it comes once more, when all is imported
        self._write(archive)

    def _why_not_started(self, error: ServerEndedError) -> str:
        """Return what happened to the interpreter before it was there."""
        if error.how == f"exit code {interpreter.TOO_OLD}":
            return str(error).removeprefix(f"{error.how}. ")
        if self._cookie is not None and self._cookie.hex() in str(error):  # another program, which repeats an argument
            return f"is not a Python interpreter: {error.how}"
        return f"{'did not start' if error.how == 'no answer' else 'ended at its start'}: {error}"

    def _ended(self) -> ServerEndedError:
        """Return how the process ended, and what it said last."""
        try:
            code = self._process.wait(_KEEPER)
        except subprocess.TimeoutExpired:  # it has closed its output, and goes on
            return ServerEndedError("it closed its output", "no answer")
        how = "SIGSTOP" if code == processes.STOPPED else signal_name(code) or f"exit code {code}"
        ending = f"{how}. {last_line(self._errors.read_bytes())}" if self._errors.exists() else how
        return ServerEndedError(ending.strip(), how)

    def close(self, *, goes_on: bool = False, patience: float = _KEEPER) -> None:
        """End the process and all that it started, by force after ``patience`` seconds.

        Then its keeper removes the scratch folder, unless work goes on. So it is gone, too, where the command line is
        killed while it waits for that.
        """
        assert self._process.stdin is not None
        if goes_on:
            self._marker.unlink(missing_ok=True)
        if processes.has_fork():
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()  # which tells the keeper
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:  # the keeper itself was stopped, or is not there yet
                for pid in (*processes.descendants(self._process.pid), self._process.pid):
                    processes.kill_group(pid)
            if self._is_apart:
                super().close()
            if self.spare is not None:
                self.spare.close()
        else:
            for pid in (*processes.descendants(self._process.pid), self._process.pid):
                processes.kill_group(pid)
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _reply(body: bytes) -> protocol.Reply:
    """Return the reply that ``body`` is.

    Most are the ends of experiments, a hundred thousand of ``matrix --full``. msgspec reads these, in less than half of
    the time that the standard library takes. It knows no dataclasses with a tag: the others are read as on the other
    side.

    Raises:
        ServerEndedError: if it is none.
    """
    try:
        if not body.startswith(_OF_FINISHED):
            reply: protocol.Reply = wire.decode(body, protocol.Reply)
            return reply
        from tensorbridge_cli import encoding  # a start without experiments, such as of `list`, needs no msgspec

        return encoding.decoded(body, protocol.Finished)
    except ValueError as error:
        raise ServerEndedError(f"its response cannot be read: {error}") from error


_OF_FINISHED = f'{{"{wire.TAG}":"{protocol.Finished.__name__}",'.encode()
_LONGEST = 1 << 30  # bytes of one message
_STARTING = 120.0  # seconds in which an interpreter must have said that it is there
_SILENCE = 15.0  # seconds beyond the time of an experiment in which the server must have said something
_TWICE = "its parent process exited, too"


class Server:
    """A laboratory in processes of its own."""

    def __init__(self, settings: Settings, python: Interpreter | None = None) -> None:
        self._settings, self.python = settings, python
        self._copy: Connection | None = None
        self._fresh: Server | None = None
        self.internal_errors: list[Row] = []
        self._start()

    def _start(self) -> None:
        code = "from tensorbridge_cli.lab.server import serve; serve()"
        self._server_process, self._copy = Kept(code, self._settings.bench.scratch, self.python), None
        bench = replace(self._settings.bench, scratch=self._server_process.folder)
        self._hello: Hello | None = None
        self._server_process.send(replace(self._settings, bench=bench))

    def hello(self) -> Hello:
        """See Laboratory."""
        if self._hello is None:
            try:
                if self._settings.bench.setup and self._settings.isolation == "fork":
                    self._server_process.receive()  # that numpy and torch are imported; what comes now is the user's
                    self._hello = self._set_up().hello
                else:
                    self._hello = self._answer(None).hello
            except ServerEndedError as error:
                raise UnavailableError(
                    f"the process that imports numpy and torch{self._where()} ended: {error}"
                ) from error
            except UnavailableError as error:
                if self.python is None:
                    raise
                advised = str(error).replace(interpreter.advice(None), interpreter.advice(self.python))
                raise UnavailableError(f"--python {self.python.name!r}: {advised}") from error
        assert self._hello is not None
        return self._hello

    def _where(self) -> str:
        return f" in {self.python.name!r}" if self.python is not None else ""

    def resolve(self, names: Sequence[str], library: Library | None = None) -> tuple[Resolved, ...]:
        """See Laboratory."""
        return self._ask(protocol.Resolve(tuple(names), library), "reading the dtypes").resolved

    def describe(self, given: Given) -> Described:
        """See Laboratory."""
        described = self._ask(protocol.Describe(given), "building the source").described
        assert described is not None
        return described

    def _ask(self, question: protocol.Resolve | protocol.Describe, what: str) -> protocol.Response:
        """Ask a question.

        Raises:
            RequestError: if the server does not survive it: code of the user's does that.
        """
        self.hello()
        self._server_process.send(question)
        try:
            return self._answer(self._settings.timeout + _SILENCE)
        except ServerEndedError as error:
            self._restart()
            if error.how == "no answer":
                raise RequestError(f"{what}: {_no_answer(self._settings)}") from error
            raise RequestError(f"{what} crashed the process: {error}") from error

    def _answer(self, patience: float | None) -> protocol.Response:
        reply = self._server_process.receive(patience)
        if not isinstance(reply, protocol.Response):
            raise ServerEndedError("its response does not match the request")
        return reply

    def run(self, experiments: Sequence[Experiment], one_by_one: bool = False) -> Iterator[tuple[int, Done]]:
        """See Laboratory."""
        if len(experiments) > MANY and self._copy is None and self._settings.isolation == "fork":
            self.hello()
            self._copy = self._server_process.spare
            if self._copy is not None:
                self._server_process.send(protocol.Fork())
        return self._run(experiments, 1 if one_by_one else self._settings.jobs, alone=False)

    def again(self, experiments: Sequence[Experiment]) -> Iterator[tuple[int, Done]]:
        """See Laboratory."""
        if self._copy is not None:
            try:
                return iter([*self._replies(self._copy, experiments, self._settings.jobs, alone=True)])
            except ServerEndedError:  # and no other is made: the descriptors for one are used up
                self._copy.close()
                self._copy = self._server_process.spare = None
        if self._fresh is None:
            self._fresh = Server(self._settings, self.python)
        return self._fresh._run(experiments, self._settings.jobs, alone=True)

    def _run(self, experiments: Sequence[Experiment], jobs: int, alone: bool) -> Iterator[tuple[int, Done]]:
        """Make the experiments; if one of them ends the server, another server makes those that are left.

        Raises:
            UnavailableError: if the server ended, and not for what was being done.
        """
        left = dict(enumerate(experiments))
        failures = 0
        while left:
            numbers = list(left)
            try:
                for nth, done in self._once([left[number] for number in numbers], jobs, alone):
                    del left[numbers[nth]]
                    yield numbers[nth], done
            except ServerEndedError as error:
                at_hand = [number for nth in self._in_progress() if (number := numbers[nth]) in left]
                self._restart()
                failures += not at_hand
                if error.how == "no answer" and not at_hand:
                    raise UnavailableError(_no_answer(self._settings)) from error
                if failures > 1:
                    raise UnavailableError(f"the process that runs the experiments has exited: {error}") from error
                for number in at_hand:  # one of them did it, or none: each alone tells
                    yield number, self._suspect(left.pop(number))

    def _once(
        self, experiments: Sequence[Experiment], jobs: int, alone: bool, slowly: bool = False
    ) -> Iterator[tuple[int, Done]]:
        self.hello()
        return self._replies(self._server_process, experiments, jobs, alone, slowly)

    def _replies(
        self, process: Connection, experiments: Sequence[Experiment], jobs: int, alone: bool, slowly: bool = False
    ) -> Iterator[tuple[int, Done]]:
        process.send(protocol.Run.of(experiments, jobs, alone, slowly))
        patience = self._settings.timeout + _SILENCE
        for nth, _ in enumerate(experiments):
            # the first takes as long as the start may: before it the server imports what a state needs, FakeTensor's
            # 800 modules say, without a sign of life
            reply = process.receive(patience if nth else max(patience, _STARTING))
            if not isinstance(reply, protocol.Finished) or not 0 <= reply.index < len(experiments):
                raise ServerEndedError("its response does not match the request")
            yield reply.index, reply.done

    def _suspect(self, experiment: Experiment) -> Done:
        """Make an experiment that was at hand when the server ended; where that ends this one, too, it is why."""
        try:
            ((_, done),) = self._once([experiment], jobs=1, alone=True, slowly=True)
        except ServerEndedError as error:
            progress = self._in_progress().get(0)
            self._restart()
            known = progress.facts if progress else None
            crash = Crash(
                stage=progress.stage if progress else Stage.CONVERT,
                signal=error.how if error.how.startswith("SIG") else None,
                exit_code=None,
                stderr=_TWICE,
                confirmed=True,
                timed_out=error.how == "no answer",
            )
            return observation(experiment, known or Facts(subject=experiment.subject), crash)
        return done

    def _in_progress(self) -> dict[int, Progress]:
        """Return what the children were doing when the server ended, by the number of the experiment."""
        by_index = {}
        for path in self._server_process.folder.glob(f"child-*/{channel.NAME}"):
            with contextlib.suppress(OSError, ValueError):  # one that was just being made is empty
                memory = channel.Channel(path)
                progress = memory.progress()
                memory.close()
                if progress.index >= 0:
                    by_index[progress.index] = progress
        return by_index

    def _set_up(self) -> protocol.Response:
        """Wait for the user's set-up code.

        Raises:
            RequestError: if it fails, takes too long, or crashes the process.
        """
        try:
            return self._answer(self._settings.timeout)
        except ServerEndedError as error:
            if error.how == "no answer":
                limit = f"{self._settings.timeout:g} seconds; use a longer --timeout"
                raise RequestError(f"the --setup code did not finish within {limit}.") from error
            raise RequestError(f"the --setup code crashed the process: {error}") from error

    def _restart(self) -> None:
        self._server_process.close(goes_on=True)
        self._start()

    def close(self) -> None:
        """See Laboratory."""
        if self._fresh is not None:
            self._fresh.close()
        self._server_process.close()


def _no_answer(settings: Settings) -> str:
    why = " Perhaps the --setup code holds a lock." if settings.bench.setup else ""
    return f"the process that runs the experiments no longer responds.{why}"


class Here:
    """A laboratory in this very process: a crash ends it, and there is no time-out."""

    def __init__(self, settings: Settings) -> None:
        self.python: Interpreter | None = None
        self._settings = settings
        self._ready: Prepared | None = None
        self._fresh: Server | None = None
        self.internal_errors: list[Row] = []

    def _prepared(self) -> Prepared:
        if self._ready is None:
            self._ready = Prepared(self._settings.bench)
        return self._ready

    def hello(self) -> Hello:
        """See Laboratory."""
        return self._prepared().hello()

    def resolve(self, names: Sequence[str], library: Library | None = None) -> tuple[Resolved, ...]:
        """See Laboratory."""
        return self._prepared().resolve(names, library)

    def describe(self, given: Given) -> Described:
        """See Laboratory."""
        return self._prepared().describe(given)

    def run(self, experiments: Sequence[Experiment], one_by_one: bool = True) -> Iterator[tuple[int, Done]]:
        """See Laboratory; it is always one by one here."""
        for index, experiment in enumerate(experiments):
            yield index, self._one(experiment)

    def again(self, experiments: Sequence[Experiment]) -> Iterator[tuple[int, Done]]:
        """See Laboratory."""
        if self._fresh is None:
            self._fresh = Server(replace(self._settings, isolation=DEFAULT))
        return self._fresh.again(experiments)

    def close(self) -> None:
        """See Laboratory."""
        if self._fresh is not None:
            self._fresh.close()

    def _one(self, experiment: Experiment) -> Done:
        return self._prepared().run(experiment, lambda stage, facts: None)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a folder for maps and protocol that is gone afterwards, whatever crashed in it."""
    folder = Path(tempfile.mkdtemp(prefix="tensorbridge-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
