"""The children: they make batches of experiments, and when one dies only what followed its death is lost.

A child announces the number and stage of its experiment, and leaves the facts found so far, in memory that it shares
with the server; so the server can tell what it died of, and the next child goes on with the following experiment.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import multiprocessing
import os
import select
import shutil
import signal
import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import msgspec

from tensorbridge_cli.errors import RequestError, TensorbridgeError, error_for
from tensorbridge_cli.lab import protocol
from tensorbridge_cli.lab.experiment import Experiment, Facts, observation
from tensorbridge_cli.lab.protocol import Settings
from tensorbridge_cli.lab.server import Prepared
from tensorbridge_cli.lab.stderr_tail import last_words, signal_name
from tensorbridge_cli.records.report import Crash, Stage

Batch = list[tuple[int, Experiment]]

_LARGEST_BATCH = 256
_SMALLEST_BATCH = 32
_AT_ONCE = 64  # messages that are read of one child before the others are looked at
_IMPORTING = 60.0  # seconds that a spawned child may take to import torch and run the set-up code
_STAGES = tuple(Stage)


class _Board:
    """Memory that a child shares with the server: what it is doing, and the facts that its death would leave."""

    _SIZE = 1 << 18
    _HEAD = struct.Struct("=qqqq")  # number of the experiment, stage, bytes of stderr before it, bytes of facts

    def __init__(self, context: Any) -> None:
        self.memory = context.RawArray("b", self._SIZE)
        self._write(-1, Stage.BUILD, 0, b"")

    @classmethod
    def at(cls, memory: Any) -> _Board:
        """Return the board that lies in ``memory``, in the child."""
        board = cls.__new__(cls)
        board.memory = memory
        return board

    def _write(self, index: int, stage: Stage, said: int, known: bytes) -> None:
        view = memoryview(self.memory).cast("B")
        if len(known) > self._SIZE - self._HEAD.size:
            known = b""
        view[self._HEAD.size : self._HEAD.size + len(known)] = known
        self._HEAD.pack_into(view, 0, index, _STAGES.index(stage), said, len(known))

    def announce(self, index: int, stage: Stage, said: int, facts: Facts) -> None:
        """Say what is about to be done and what is known."""
        self._write(index, stage, said, protocol.encode(facts))

    def read(self) -> tuple[int, Stage, int, Facts | None]:
        """Return the experiment's number (-1 before the first), its stage, the bytes of stderr before it, the facts."""
        view = memoryview(self.memory).cast("B")
        index, stage, said, length = self._HEAD.unpack_from(view)
        known = bytes(view[self._HEAD.size : self._HEAD.size + length])
        return index, _STAGES[stage], said, msgspec.msgpack.decode(known, type=Facts) if known else None

    @property
    def index(self) -> int:
        """The number of the experiment at hand."""
        index: int = self._HEAD.unpack_from(memoryview(self.memory).cast("B"))[0]
        return index


# In a child --------------------------------------------------------------------------------------


def _child(memory: Any, pipe: Any, errors: str, settings: Settings, prepared: Prepared | None, task: Any) -> None:
    """Make a batch of experiments, or answer one question; a child's main program."""
    stderr = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(stderr, 2)
    os.dup2(stderr, 1)
    _leave_no_core()
    try:
        prepared = prepared or Prepared(settings.bench)
        from tensorbridge_cli.lab import guard  # it needs torch, which a spawned child imports only now

        # after a parallel operation in the parent, one in a forked child would hang in the OpenMP runtime
        prepared.torch.set_num_threads(1)
        guard.KEPT.add(ctypes.addressof(memory))
        if isinstance(task, list):
            _batch(_Board.at(memory), pipe, prepared, task, stderr)
        else:
            pipe.send_bytes(protocol.encode(_answer(prepared, *task)))
    except TensorbridgeError as error:
        pipe.send_bytes(protocol.encode(protocol.Failed(str(error), error.exit_code)))
    os._exit(0)  # whatever threads and exit handlers the experiments left


def _batch(board: _Board, pipe: Any, prepared: Prepared, batch: Batch, stderr: int) -> None:
    process = os.getpid()
    for index, experiment in batch:
        said = os.fstat(stderr).st_size

        def announce(stage: Stage, facts: Facts, index: int = index, said: int = said) -> None:
            board.announce(index, stage, said, facts)

        done = prepared.run(experiment, announce)
        if os.getpid() != process:
            os._exit(0)  # the conversion forked, and this is not the child that reports
        pipe.send_bytes(protocol.encode(protocol.Finished.of(index, done)))


def _answer(prepared: Prepared, question: str, *arguments: Any) -> protocol.Answer:
    if question == "hello":
        return protocol.Answer(hello=prepared.hello())
    if question == "resolve":
        return protocol.Answer(resolved=prepared.resolve(*arguments))
    return protocol.Answer(subject=prepared.describe(*arguments))


def _leave_no_core() -> None:
    """Leave no core dump, and be the first that the kernel kills for memory."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


# In the server -----------------------------------------------------------------------------------


class _Worker:
    """A child, seen from the server."""

    _started = 0

    def __init__(self, settings: Settings, prepared: Prepared | None, task: Any) -> None:
        # without a prepared server to fork from, each child prepares itself
        context: Any = multiprocessing.get_context("fork" if prepared else "spawn")
        _Worker._started += 1
        self._timeout, self._scratch = settings.timeout, settings.bench.scratch
        self._errors = settings.bench.scratch / f"child-{os.getpid()}-{_Worker._started}.err"
        self._board = _Board(context)
        self.pipe, theirs = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_child,
            args=(self._board.memory, theirs, str(self._errors), settings, prepared, task),
        )
        self._process.start()
        theirs.close()
        self._has_more: Callable[[], object] = self.pipe.poll
        if hasattr(select, "poll"):  # made once: Connection.poll makes a selector each time, which is what costs
            ready = select.poll()
            ready.register(self.pipe.fileno(), select.POLLIN)
            self._has_more = functools.partial(ready.poll, 0)
        self._at = (-1, time.monotonic() + (0.0 if prepared else _IMPORTING))
        self.expected: deque[tuple[int, Experiment]] = deque(task if isinstance(task, list) else [])
        # a pipe, as multiprocessing has it, also ends where a conversion closes it, and not where one has forked
        self._pidfd = os.pidfd_open(self._process.pid) if hasattr(os, "pidfd_open") else None
        self.sentinel: Any = self._process.sentinel if self._pidfd is None else self._pidfd

    def patience(self) -> float:
        """Return for how many seconds the experiment at hand may still go on."""
        index, now = self._board.index, time.monotonic()
        if index != self._at[0]:
            self._at = (index, now)
        return self._at[1] + self._timeout - now

    def nap(self) -> float:
        """Return for how many seconds to wait before looking again whether it has begun another experiment."""
        return min(self.patience(), self._timeout)

    def receive(self) -> bytes | None:
        """Return the next message, encoded, once there is one; ``None`` where the child has ended.

        A conversion may have forked: the pipe then stays open after the child's death.
        """
        with contextlib.suppress(EOFError, OSError):
            if self._has_more():
                body: bytes = self.pipe.recv_bytes()
                return body
        return None

    def answer(self) -> tuple[protocol.Reply | None, bool]:
        """Wait for a message; return it, or ``None``, and whether the child had to be stopped for its time."""
        while True:
            if _wait([self.pipe, self.sentinel], self.nap(), self._scratch, sys.stdin):
                body = self.receive()
                return (protocol.decode_reply(body) if body is not None else None), False
            if self.patience() <= 0:
                return None, True

    def death(self, timed_out: bool) -> tuple[Facts | None, Crash]:
        """Return what was known when the child died, and how it died; it is stopped if it still lives."""
        # a conversion may have closed the pipes, which then look like those of a dead child, and go on
        while not timed_out and self._process.is_alive():
            timed_out = self.patience() <= 0
            time.sleep(0.001)
        if timed_out:
            self._process.kill()
        self._process.join()
        _, stage, said, facts = self._board.read()
        code = self._process.exitcode
        words = self._errors.read_bytes()[said:] if self._errors.exists() else b""
        crash = Crash(
            stage=stage,
            signal=None if timed_out else signal_name(code),
            exit_code=None if timed_out or code < 0 else code,
            stderr=last_words(words),
            confirmed=None,
            timed_out=timed_out,
        )
        return facts, crash

    def end(self) -> None:
        """Free what the server holds of it."""
        self._process.join()
        self.pipe.close()
        self._process.close()
        if self._pidfd is not None:
            os.close(self._pidfd)


@dataclass
class _Task:
    """A batch; or one experiment that a child died of, with how it died, to be made once more, alone."""

    batch: Batch
    died: tuple[Facts, Crash] | None = None


def work(settings: Settings, prepared: Prepared | None, command: protocol.Run, asker: Any = None) -> Iterator[bytes]:
    """Make the experiments of ``command``; yield each one's ``Finished``, encoded, as they end.

    ``asker`` is the stream of who asked: this process ends with all it started where that ends.
    """
    if prepared and not command.alone:
        prepared.rehearse(command.experiments)
    numbered = list(enumerate(command.experiments))
    size = 1 if command.alone else min(_LARGEST_BATCH, max(_SMALLEST_BATCH, -(-len(numbered) // command.jobs)))
    waiting = deque(_Task(numbered[i : i + size]) for i in range(0, len(numbered), size))
    workers: dict[_Worker, _Task] = {}
    while workers or waiting:
        while waiting and len(workers) < command.jobs:
            task = waiting.popleft()
            workers[_Worker(settings, prepared, task.batch)] = task
        watched = [end for worker in workers for end in (worker.pipe, worker.sentinel)]
        ready = set(_wait(watched, min(worker.nap() for worker in workers), settings.bench.scratch, asker))
        for worker, task in list(workers.items()):
            timed_out = worker.patience() <= 0
            if worker.pipe in ready or worker.sentinel in ready:
                bodies = list(itertools.islice(iter(worker.receive, None), _AT_ONCE))
                for body in bodies:
                    worker.expected.popleft()
                    yield _finished(body, task.died)
                if bodies:
                    continue
            elif not timed_out:
                continue
            del workers[worker]
            if worker.expected:
                index, experiment = worker.expected.popleft()
                facts, crash = worker.death(timed_out)
                if worker.expected:
                    waiting.appendleft(_Task(list(worker.expected)))
                known = facts or Facts(subject=experiment.subject)
                if task.died is None and not command.alone:
                    waiting.appendleft(_Task([(index, experiment)], (known, crash)))
                else:
                    yield _ended(index, experiment, known, crash, task.died)
            worker.end()


def _finished(body: bytes, died: tuple[Facts, Crash] | None) -> bytes:
    """Return what a child sent; ``died``: the same experiment ended another child, and does not repeat that.

    Raises:
        TensorbridgeError: the child's own.
    """
    if died is None and protocol.is_finished(body):
        return body
    message = protocol.decode_reply(body)
    if isinstance(message, protocol.Failed):
        raise error_for(message.message, message.exit_code)
    assert isinstance(message, protocol.Finished)
    if died is None or message.observation is None:
        return body
    crash = msgspec.structs.replace(died[1], confirmed=False)
    seen = msgspec.structs.replace(message.observation, crash=crash)
    return protocol.encode(protocol.Finished.of(message.index, seen))


def _ended(index: int, experiment: Experiment, known: Facts, crash: Crash, before: tuple[Facts, Crash] | None) -> bytes:
    """Return what an experiment came to that ended its child; ``before``: how it ended another, not alone in it."""
    if before is not None:
        crash = msgspec.structs.replace(crash, confirmed=_manner(crash) == _manner(before[1]))
        known = known if known.source is not None else before[0]
    return protocol.encode(protocol.Finished.of(index, observation(experiment, known, crash)))


def _wait(watched: list[Any], patience: float, scratch: Path, asker: Any) -> list[Any]:
    """Return which of ``watched`` have something to say; end where the command line, the ``asker``, is gone."""
    # it asks nothing until it has been answered
    listening: list[Any] = [asker] if asker is not None and os.name == "posix" else []
    ready = wait([*watched, *listening], max(0.0, patience))
    if asker in ready and not asker.buffer.peek(1):
        end_group(scratch)
    return [end for end in ready if end is not asker]


def _manner(crash: Crash) -> tuple[object, ...]:
    return crash.stage, crash.signal, crash.exit_code, crash.timed_out


def asked(settings: Settings, prepared: Prepared | None, question: str, *arguments: Any) -> protocol.Answer:
    """Ask a child one question, so that nothing that the user's code does there ends the server.

    Raises:
        TensorbridgeError: the child's own, or a RequestError where it died or took too long.
    """
    worker = _Worker(settings, prepared, (question, *arguments))
    message, timed_out = worker.answer()
    _, crash = worker.death(timed_out)
    worker.end()
    if isinstance(message, protocol.Answer):
        return message
    if isinstance(message, protocol.Failed):
        raise error_for(message.message, message.exit_code)
    what = "building the subject" if question == "describe" else "preparing the experiments"
    if timed_out:
        raise RequestError(f"{what} did not end within {settings.timeout:g} seconds; --timeout gives it more.")
    how = crash.signal or f"exit code {crash.exit_code}"
    raise RequestError(f"{what} ended the process: {how}. {crash.stderr}".strip())


def end_group(scratch: Path | None = None) -> None:
    """End this process and all that it started; ``scratch`` is the folder that the command line left behind."""
    if scratch is not None:
        shutil.rmtree(scratch, ignore_errors=True)
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(0)
