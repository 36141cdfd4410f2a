"""Where experiments run: a server process that has imported torch, and children that run batches and may die.

The command line starts one server and talks to it over its standard input and output. The server forks children (or
spawns them, where there is no safe fork); a child announces the number and the stage of its experiment and leaves its
facts in memory shared with the server, so that when it dies only what followed is lost. The next child goes on with the
following experiment. This module imports neither numpy nor torch before a server or a child needs them.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

import msgspec
from msgspec import Struct

from tensorbridge_cli.errors import RequestError, TensorbridgeError, UnavailableError
from tensorbridge_cli.lab.experiment import Bench, Experiment, Facts, Given, observation
from tensorbridge_cli.model import Crash, NotApplicable, Observation, Stage, Subject

Isolation = Literal["fork", "spawn", "none"]
Done = Observation | NotApplicable

DEFAULT: Isolation = "fork" if sys.platform == "linux" else "spawn"
"""Forking a process that holds torch is safe on Linux only."""

_STAGES = tuple(Stage)
_BOARD = 1 << 18  # bytes of facts that a death can leave behind
_HEADER = struct.Struct("=qqqq")  # experiment, stage, start of its stderr, length of its facts
_BATCH = 256


class Hello(Struct, frozen=True, kw_only=True):
    """What the prepared process found: versions, devices, and the dtypes with the libraries that have them."""

    python: str
    numpy: str
    torch: str
    platform: str
    devices: tuple[str, ...]
    dtypes: dict[str, tuple[str, ...]]
    works_together: str | None
    default_int: str
    default_float: str


class Settings(Struct, frozen=True, kw_only=True):
    """How a laboratory runs."""

    isolation: Isolation
    timeout: float
    jobs: int
    bench: Bench


class _Resolve(Struct, frozen=True, tag="resolve"):
    names: tuple[str, ...]


class _Describe(Struct, frozen=True, tag="describe"):
    given: Given


class _Run(Struct, frozen=True, tag="run"):
    experiments: tuple[Experiment, ...]
    isolation: Isolation


class Resolved(Struct, frozen=True, tag="resolved"):
    """A dtype name as the installed libraries understand it."""

    name: str
    libraries: tuple[str, ...]
    byte_swapped: bool
    itemsize: int


class _Failed(Struct, frozen=True, tag="failed"):
    message: str
    exit_code: int


class _Finished(Struct, frozen=True, tag="finished"):
    index: int
    observation: Observation | None
    not_applicable: NotApplicable | None


class _Answer(Struct, frozen=True, tag="answer"):
    hello: Hello | None = None
    subject: Subject | None = None
    resolved: tuple[Resolved, ...] = ()


_Command = _Resolve | _Describe | _Run
_Reply = _Answer | _Failed | _Finished
_encode = msgspec.msgpack.Encoder(enc_hook=str).encode


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

    def run(self, experiments: Sequence[Experiment], isolation: Isolation | None = None) -> Iterator[tuple[int, Done]]:
        """Make the experiments; yield each one's number and what was found, as they end."""

    def close(self) -> None:
        """End every process and remove every file that was made."""


def laboratory(settings: Settings) -> Laboratory:
    """Start a laboratory; it prepares itself while the caller goes on."""
    return Here(settings) if settings.isolation == "none" else Server(settings)


# In the command line's process ------------------------------------------------------------------


class Server:
    """A laboratory in processes of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        root = str(Path(__file__).resolve().parents[2])
        # -P: a file of the user's that is named numpy.py is not numpy
        code = f"import sys; sys.path.append({root!r}); from tensorbridge_cli.lab.isolation import serve; serve()"
        threads = {"OPENBLAS_NUM_THREADS": "1", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(settings.bench.scratch / "server.err").open("wb"),
            env=threads | dict(os.environ),
            start_new_session=True,  # Ctrl-C is the command line's, which ends the group
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to: BinaryIO = self._process.stdin  # type: ignore[assignment]
        self._from: BinaryIO = self._process.stdout  # type: ignore[assignment]
        self._hello: Hello | None = None
        _send(self._to, settings)

    def hello(self) -> Hello:
        """See Laboratory."""
        if self._hello is None:
            self._hello = self._answer().hello
        assert self._hello is not None
        return self._hello

    def resolve(self, names: Sequence[str]) -> tuple[Resolved, ...]:
        """See Laboratory."""
        self.hello()
        _send(self._to, _Resolve(tuple(names)))
        return self._answer().resolved

    def describe(self, given: Given) -> Subject:
        """See Laboratory."""
        self.hello()
        _send(self._to, _Describe(given))
        subject = self._answer().subject
        assert subject is not None
        return subject

    def run(self, experiments: Sequence[Experiment], isolation: Isolation | None = None) -> Iterator[tuple[int, Done]]:
        """See Laboratory."""
        self.hello()
        _send(self._to, _Run(tuple(experiments), isolation or self._settings.isolation))
        for _ in experiments:
            reply = self._receive()
            assert isinstance(reply, _Finished)
            done = reply.observation or reply.not_applicable
            assert done is not None
            yield reply.index, done

    def close(self) -> None:
        """See Laboratory."""
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            import psutil

            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(self._process.pid).children(recursive=True):
                    child.kill()
            self._process.kill()
        self._process.wait()
        self._from.close()
        with contextlib.suppress(BrokenPipeError):
            self._to.close()

    def _answer(self) -> _Answer:
        reply = self._receive()
        assert isinstance(reply, _Answer)
        return reply

    def _receive(self) -> _Reply:
        reply = _receive(self._from, _Reply)
        if reply is None:
            code = self._process.wait()
            how = _signal_name(code) or f"exit code {code}"
            raise UnavailableError(
                f"the process that imports numpy and torch ended: {how}. "
                + last_words((self._settings.bench.scratch / "server.err").read_bytes())
            )
        if isinstance(reply, _Failed):
            raise (UnavailableError if reply.exit_code == 3 else RequestError)(reply.message)
        return reply


class Here:
    """A laboratory in this very process: nothing is survived, and there is no time-out."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._prepared: _Prepared | None = None

    def _prepare(self) -> _Prepared:
        if self._prepared is None:
            self._prepared = _Prepared(self._settings.bench)
        return self._prepared

    def hello(self) -> Hello:
        """See Laboratory."""
        return self._prepare().hello()

    def resolve(self, names: Sequence[str]) -> tuple[Resolved, ...]:
        """See Laboratory."""
        return self._prepare().resolve(names)

    def describe(self, given: Given) -> Subject:
        """See Laboratory."""
        return self._prepare().describe(given)

    def run(self, experiments: Sequence[Experiment], isolation: Isolation | None = None) -> Iterator[tuple[int, Done]]:
        """See Laboratory."""
        prepared = self._prepare()
        for index, experiment in enumerate(experiments):
            yield index, prepared.run(experiment, lambda stage, facts: None)

    def close(self) -> None:
        """See Laboratory."""


# In the server -----------------------------------------------------------------------------------


def serve() -> None:
    """Answer commands on standard input until it ends; the server's main program."""
    to = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the user's code prints is no answer
    settings = _receive(sys.stdin.buffer, Settings)
    assert settings is not None
    try:
        prepared = _Prepared(settings.bench) if settings.isolation == "fork" else None
        _send(to, _Answer(hello=prepared.hello() if prepared else _asked(settings, None, "hello")))
        while (command := _receive(sys.stdin.buffer, _Command)) is not None:
            try:
                if isinstance(command, _Resolve):
                    resolved = (
                        prepared.resolve(command.names) if prepared else _asked(settings, None, "resolve", command)
                    )
                    _send(to, _Answer(resolved=resolved))
                elif isinstance(command, _Describe):
                    _send(to, _Answer(subject=_asked(settings, prepared, "describe", command)))
                else:
                    for index, done in _Crew(settings, prepared, command).work():
                        _send(to, _finished(index, done))
            except TensorbridgeError as error:
                _send(to, _Failed(str(error), error.exit_code))
    except TensorbridgeError as error:
        _send(to, _Failed(str(error), error.exit_code))
    except BrokenPipeError:
        pass
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        _end_group()


class _Prepared:
    """A process that has imported numpy and torch and run the user's set-up code once."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        import gc

        gc.disable()  # importing torch makes no garbage worth looking for
        try:
            import numpy as np
            import torch
        except ImportError as error:
            raise UnavailableError(
                f"cannot import {error.name or 'torch'}: {error}. `tensorbridge env` says what to install."
            ) from error
        finally:
            gc.enable()
        self._numpy, self._torch = np, torch
        if bench.folder:
            sys.path.insert(0, bench.folder)
        from tensorbridge_cli.lab import probe

        self._probe = probe
        torch.set_warn_always(True)
        try:
            self.names = probe.namespace(bench)
        except BaseException as error:
            raise RequestError(f"the --setup code raised {type(error).__name__}: {error}") from error
        gc.freeze()

    def hello(self) -> Hello:
        """Return what this process found."""
        from tensorbridge_cli.catalog import dtypes

        np, torch = self._numpy, self._torch
        try:
            torch.from_numpy(np.zeros(1)).numpy()
            together = None
        except Exception as error:
            together = f"{type(error).__name__}: {error}"
        devices = ["cpu", "meta"]
        if torch.cuda.is_available():
            devices += [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        if getattr(torch.backends, "mps", None) is not None and torch.backends.mps.is_available():
            devices.append("mps")
        return Hello(
            python=platform.python_version(),
            numpy=np.__version__,
            torch=torch.__version__,
            platform=platform.platform(),
            devices=tuple(devices),
            dtypes={entry.name: entry.libraries for entry in dtypes.installed()},
            works_together=together,
            default_int=np.dtype(int).name,
            default_float=str(torch.get_default_dtype()).removeprefix("torch."),
        )

    def resolve(self, names: Sequence[str]) -> tuple[Resolved, ...]:
        """See Laboratory."""
        from tensorbridge_cli.catalog import dtypes

        found = [dtypes.find(name) for name in names]
        return tuple(
            Resolved(
                entry.name,
                tuple(entry.libraries),
                entry.byte_swapped,
                (entry.numpy if entry.numpy is not None else entry.torch).itemsize,  # type: ignore[union-attr]
            )
            for entry in found
        )

    def describe(self, given: Given) -> Subject:
        """See Laboratory."""
        what = {"expression": "the expression", "object": f"the object {given.text!r}"}.get(given.origin, given.text)
        try:
            obj = self._probe.give(given, self.names)
        except TensorbridgeError:
            raise
        except BaseException as error:
            raise RequestError(f"{what} raised {type(error).__name__}: {error}") from error
        from tensorbridge_cli.lab import objects

        try:
            return objects.detect(obj, given.origin, given.text)
        except TypeError as error:
            raise RequestError(f"{what} gives nothing to convert: {error}.") from error

    def run(self, experiment: Experiment, announce: Any) -> Done:
        """Make one experiment in this process."""
        return self._probe.run(experiment, self.bench, self.names, announce)


def _child(board: Any, pipe: Any, number: int, settings: Settings, prepared: Any, task: Any) -> None:
    """Do a batch, or answer one question; the main program of a child."""
    errors = os.open(_stderr_of(settings, number), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(errors, 2)
    os.dup2(errors, 1)
    _leave_no_core()
    try:
        prepared = prepared or _Prepared(settings.bench)
        prepared._torch.set_num_threads(1)
        if isinstance(task, list):
            _batch(board, pipe, prepared, task, errors)
        else:
            question, *arguments = task
            answer = getattr(prepared, question)(*arguments)
            pipe.send_bytes(_encode(_answer_of(question, answer)))
    except TensorbridgeError as error:
        pipe.send_bytes(_encode(_Failed(str(error), error.exit_code)))
    pipe.close()
    os._exit(0)


def _answer_of(question: str, answer: Any) -> _Answer:
    key = {"hello": "hello", "resolve": "resolved", "describe": "subject"}[question]
    return _Answer(**{key: answer})


def _batch(board: Any, pipe: Any, prepared: _Prepared, batch: list[tuple[int, Experiment]], errors: int) -> None:
    view = memoryview(board).cast("B")
    for index, experiment in batch:
        said = os.fstat(errors).st_size

        def announce(stage: Stage, facts: Facts, index: int = index, said: int = said) -> None:
            known = _encode(facts)
            if len(known) <= _BOARD - _HEADER.size:
                view[_HEADER.size : _HEADER.size + len(known)] = known
            else:
                known = b""
            _HEADER.pack_into(view, 0, index, _STAGES.index(stage), said, len(known))

        done = prepared.run(experiment, announce)
        pipe.send_bytes(_encode(_finished(index, done)))


def _finished(index: int, done: Done) -> _Finished:
    found = isinstance(done, Observation)
    return _Finished(index, done if found else None, None if found else done)  # type: ignore[arg-type]


class _Worker:
    """A child at work on a batch, seen from the server."""

    def __init__(self, settings: Settings, prepared: _Prepared | None, isolation: Isolation, task: Any) -> None:
        import multiprocessing

        _Worker.count += 1
        self.number = _Worker.count
        self._settings = settings
        context: Any = multiprocessing.get_context(isolation)
        self._board = context.RawArray("b", _BOARD)
        self._view = memoryview(self._board).cast("B")
        _HEADER.pack_into(self._view, 0, -1, 0, 0, 0)
        self.pipe, theirs = context.Pipe(duplex=False)
        given = prepared if isolation == "fork" else None
        arguments = (self._board, theirs, self.number, settings, given, task)
        self.process = context.Process(target=_child, args=arguments)
        self.process.start()
        theirs.close()
        self.expected = deque(task) if isinstance(task, list) else deque()
        self._seen = (-1, 0.0)

    count = 0

    def patience(self, timeout: float) -> float:
        """Return how many seconds the experiment at hand may still take."""
        index, *_ = _HEADER.unpack_from(self._view)
        now = time.monotonic()
        if index != self._seen[0]:
            self._seen = (index, now)
        # importing torch anew is not the first experiment's time
        return self._seen[1] + timeout - now if index >= 0 else timeout

    def death(self, timed_out: bool) -> tuple[int, Stage, Facts | None, Crash]:
        """Return which experiment the child died in, at which stage, what was known, and how it died."""
        self.process.join()
        index, stage, said, length = _HEADER.unpack_from(self._view)
        known = bytes(self._view[_HEADER.size : _HEADER.size + length])
        code = self.process.exitcode
        path = _stderr_of(self._settings, self.number)
        words = Path(path).read_bytes()[said:] if os.path.exists(path) else b""
        crash = Crash(
            stage=_STAGES[stage],
            signal=None if timed_out else _signal_name(code),
            exit_code=None if timed_out or code < 0 else code,
            stderr=last_words(words),
            confirmed=None,
            timed_out=timed_out,
        )
        facts = msgspec.msgpack.decode(known, type=Facts) if known else None
        return index, _STAGES[stage], facts, crash

    def end(self) -> None:
        """Free what the child held."""
        self.pipe.close()
        self.process.close()


class _Crew:
    """Children that share a list of experiments; a death costs the one experiment that it happened in."""

    def __init__(self, settings: Settings, prepared: _Prepared | None, command: _Run) -> None:
        self._settings = settings
        self._prepared = prepared
        self._isolation = command.isolation
        self._experiments = command.experiments
        numbered = list(enumerate(command.experiments))
        size = min(_BATCH, max(1, -(-len(numbered) // settings.jobs)))
        self._waiting = deque(numbered[i : i + size] for i in range(0, len(numbered), size))

    def work(self) -> Iterator[tuple[int, Done]]:
        """Yield each experiment's number and what was found."""
        from multiprocessing.connection import wait

        workers: list[_Worker] = []
        listening = os.name == "posix"
        while workers or self._waiting:
            while self._waiting and len(workers) < self._settings.jobs:
                workers.append(self._start(self._waiting.popleft()))
            patience = min(worker.patience(self._settings.timeout) for worker in workers)
            pipes: list[Any] = [worker.pipe for worker in workers]
            ready = wait([*pipes, sys.stdin] if listening else pipes, max(0.0, patience))
            if sys.stdin in ready:
                listening = False  # the next command waits for its turn
                if not sys.stdin.buffer.peek(1):  # the command line is gone
                    _end_group()
            for worker in list(workers):
                ended = False
                if worker.pipe in ready:
                    message = _from_pipe(worker.pipe)
                    if isinstance(message, _Finished):
                        worker.expected.popleft()
                        done = message.observation or message.not_applicable
                        assert done is not None
                        yield message.index, done
                        continue
                    if isinstance(message, _Failed):
                        raise RequestError(message.message)
                    ended = True
                timed_out = not ended and worker.patience(self._settings.timeout) <= 0
                if not (ended or timed_out):
                    continue
                if timed_out:
                    worker.process.kill()
                workers.remove(worker)
                if worker.expected:
                    yield self._post_mortem(worker, timed_out)
                    worker.expected.popleft()
                    if worker.expected:
                        self._waiting.appendleft(list(worker.expected))
                worker.process.join()
                worker.end()

    def _start(self, batch: list[tuple[int, Experiment]]) -> _Worker:
        return _Worker(self._settings, self._prepared, self._isolation, batch)

    def _post_mortem(self, worker: _Worker, timed_out: bool) -> tuple[int, Done]:
        """Try the experiment that a child died in once more, alone; what happens then is the row."""
        index, experiment = worker.expected[0]
        _, _, facts, crash = worker.death(timed_out)
        alone = self._start([(index, experiment)])
        from multiprocessing.connection import wait

        again_timed_out = False
        message = None
        while True:
            left = alone.patience(self._settings.timeout)
            if wait([alone.pipe], max(0.0, left)):
                message = _from_pipe(alone.pipe)
                break
            if alone.patience(self._settings.timeout) <= 0:
                alone.process.kill()
                again_timed_out = True
                break
        if isinstance(message, _Finished):
            alone.process.join()
            alone.end()
            if message.not_applicable is not None:
                return index, message.not_applicable
            assert message.observation is not None
            crash = msgspec.structs.replace(crash, confirmed=False)
            return index, msgspec.structs.replace(message.observation, crash=crash)
        _, _, facts_again, crash_again = alone.death(again_timed_out)
        alone.end()
        same = (crash.stage, crash.signal, crash.exit_code, crash.timed_out) == (
            crash_again.stage,
            crash_again.signal,
            crash_again.exit_code,
            crash_again.timed_out,
        )
        facts = facts_again or facts or Facts(subject=experiment.subject)
        return index, observation(experiment, facts, msgspec.structs.replace(crash_again, confirmed=same))


def _asked(settings: Settings, prepared: _Prepared | None, question: str, command: Any = None) -> Any:
    """Ask a child one question, so that nothing that the user's code does ends the server."""
    arguments = [] if command is None else [command.names if isinstance(command, _Resolve) else command.given]
    isolation: Isolation = "fork" if prepared else "spawn"
    worker = _Worker(settings, prepared, isolation, (question, *arguments))
    # a fresh interpreter imports torch first, and runs the set-up code
    patience = settings.timeout if prepared else settings.timeout + 60
    answered = worker.pipe.poll(patience)
    message = _from_pipe(worker.pipe) if answered else None
    if not answered:
        worker.process.kill()
    _, _, _, crash = worker.death(not answered)
    worker.end()
    if isinstance(message, _Answer):
        return message.hello or message.subject or message.resolved
    if isinstance(message, _Failed):
        raise (UnavailableError if message.exit_code == 3 else RequestError)(message.message)
    what = "building the subject" if question == "describe" else "preparing the experiment"
    if not answered:
        raise RequestError(f"{what} did not end within {settings.timeout:g} seconds; --timeout gives it more.")
    how = crash.signal or f"exit code {crash.exit_code}"
    raise RequestError(f"{what} ended the process: {how}. {crash.stderr}".strip())


# Small things ------------------------------------------------------------------------------------


def last_words(said: bytes) -> str:
    """Return the first and last lines of what a process said before it died, an abort's reason first."""
    lines = [line.strip() for line in said.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    reason = [line for line in lines if line.startswith("what():")]
    others = [line for line in lines if line not in reason]
    kept = others if len(others) <= 6 else [*others[:3], "…", *others[-3:]]
    return "\n".join([*reason, *kept])


def _signal_name(code: int | None) -> str | None:
    if code is None or code >= 0:
        return None
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _stderr_of(settings: Settings, number: int) -> str:
    return str(settings.bench.scratch / f"child-{number}.err")


def _leave_no_core() -> None:
    """Leave no core dump, and be the first that the kernel kills for memory."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _end_group() -> None:
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _from_pipe(pipe: Any) -> _Reply | None:
    try:
        return msgspec.msgpack.decode(pipe.recv_bytes(), type=_Reply)  # type: ignore[arg-type]
    except (EOFError, OSError):
        return None


def _send(stream: BinaryIO, message: Struct) -> None:
    body = _encode(message)
    stream.write(struct.pack("=Q", len(body)) + body)
    stream.flush()


def _receive(stream: BinaryIO, kind: Any) -> Any:
    head = stream.read(8)
    if len(head) < 8:
        return None
    return msgspec.msgpack.decode(stream.read(struct.unpack("=Q", head)[0]), type=kind, dec_hook=_path)


def _path(kind: Any, value: Any) -> Any:
    return kind(value)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a folder for maps and messages that is gone afterwards, whatever died in it."""
    folder = Path(tempfile.mkdtemp(prefix="tensorbridge-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
