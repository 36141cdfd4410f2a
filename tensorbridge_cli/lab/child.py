"""A child: it makes a batch of experiments, or answers one question, and reaches nothing but its own folder.

It announces the number and stage of its experiment, and leaves the facts found so far, in memory that it shares with
the server (see ``channel``): so the server can tell in what it crashed.

``guard``, which needs torch, is imported in the child.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tensorbridge_cli.errors import InternalError, TensorbridgeError, UnavailableError
from tensorbridge_cli.lab import channel, processes, protocol, wire
from tensorbridge_cli.lab.channel import Channel, CorruptError
from tensorbridge_cli.lab.experiment import Experiment, Facts, observation
from tensorbridge_cli.lab.protocol import Settings
from tensorbridge_cli.lab.server import Prepared
from tensorbridge_cli.lab.stderr_tail import raised
from tensorbridge_cli.records.enums import Stage
from tensorbridge_cli.records.report import Crash, Failure

Batch = Sequence[tuple[int, Experiment]]
"""Experiments, each with its number in the request."""

_PAUSE = 0.2
"""Seconds before a stage, where it is made slowly."""


@dataclass(frozen=True)
class Assignment:
    """A batch; or one experiment that crashed a child, with how it died, to be made once more, alone; or a question.

    ``again``: it was begun before, and its end says nothing of how. ``foreseen``: others of its kind have crashed, so
    it is alone. ``alone``, ``slowly``: see ``protocol.Run``.
    """

    batch: Batch = ()
    died: tuple[Facts, Crash] | None = None
    again: bool = False
    foreseen: bool = False
    question: protocol.Question | None = None
    alone: bool = False
    slowly: bool = False

    @property
    def is_alone(self) -> bool:
        """Return True if a crash in it is not tried again: what was known before is reported with it then.

        An experiment that ends the process of a batch is made once more, so nothing need be put down for it before.
        """
        return self.alone or self.foreseen or self.died is not None


def _begin(folder: Path, settings: Settings, parent: int) -> None:
    """Make this process one that reaches nothing but its own folder."""
    processes.end_with_parent(parent)
    processes.adopt_orphans()
    stderr = os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(stderr, 2)
    os.dup2(stderr, 1)
    os.close(stderr)
    processes.leave_no_core()
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    if not settings.bench.folder:  # where code of the user's runs, its relative paths are meant
        os.chdir(folder)


def work(
    folder: Path, settings: Settings, prepared: Prepared | None, shared: Channel, task: Assignment, parent: int
) -> None:
    """Make a batch of experiments, or answer one question; a child's main program."""
    process = os.getpid()
    try:
        _begin(folder, settings, parent)
        prepared = prepared or Prepared(settings.bench)
        from tensorbridge_cli.lab import guard  # it needs NumPy, which a spawned child imports only now

        prepared.use_one_thread()
        guard.STAYS_SHARED.add(shared.address)
        if task.question is None:
            _batch(shared, prepared, task, folder / "stderr", parent)
        else:
            answer = _answer(prepared, task.question)
            if os.getpid() == process:
                shared.send(wire.encode(answer))
    except CorruptError:
        pass  # the server sees it, too
    except TensorbridgeError as error:
        shared.send(wire.encode(protocol.Failed(str(error), error.exit_code)))
    except BaseException as error:
        traceback.print_exc()
        kind = UnavailableError if isinstance(error, (OSError, MemoryError)) else InternalError
        message = f"a worker process failed: {raised(error)}."
        shared.send(wire.encode(protocol.Failed(message, kind.exit_code)))
    finally:
        if os.getpid() == process:
            processes.kill_orphans(())
        os._exit(0)  # whatever threads and exit handlers the experiments left


def _batch(shared: Channel, prepared: Prepared, task: Assignment, stderr: Path, parent: int) -> None:
    process = os.getpid()
    for index, experiment in task.batch:
        stderr_bytes = _size(stderr)

        def announce(stage: Stage, facts: Facts, index: int = index, stderr_bytes: int = stderr_bytes) -> None:
            if os.getpid() != process:
                os._exit(0)  # the conversion forked, and this is not the child that reports
            if task.slowly:
                time.sleep(_PAUSE)
            shared.announce(index, stage, stderr_bytes, facts if task.is_alone else None)

        done = prepared.run(experiment, announce)
        try:
            body = prepared.encode(protocol.Finished.of(index, done))
        except Exception as error:
            failure = Failure.of("encode", error)
            done = observation(experiment, Facts(subject=experiment.subject), None, failure)
            body = prepared.encode(protocol.Finished.of(index, done))
        if os.getpid() != process:
            os._exit(0)
        shared.send(body, index, abandoned=lambda: os.getppid() != parent)


def _size(file: Path) -> int:
    with contextlib.suppress(OSError):
        return os.stat(file).st_size
    return 0


def _answer(prepared: Prepared, question: protocol.Question) -> protocol.Response:
    if isinstance(question, protocol.Greet):
        return protocol.Response(hello=prepared.hello())
    if isinstance(question, protocol.Resolve):
        return protocol.Response(resolved=prepared.resolve(question.names, question.library))
    return protocol.Response(described=prepared.describe(question.given))


def spawned(path: str) -> None:
    """Do what the order in the folder ``path`` says; the main program of a child that was not forked."""
    folder = Path(path)
    order: protocol.Order = wire.decode((folder / "order").read_bytes(), protocol.Order)
    task = Assignment(order.experiments, question=order.question, alone=order.alone, slowly=order.slowly)
    work(folder, order.settings, None, Channel(folder / channel.NAME), task, order.parent)
