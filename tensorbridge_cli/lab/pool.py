"""The children of a server: they make batches of experiments, and when one crashes only what followed is lost.

The next child continues with the next experiment; what crashed is made once more, alone.
An experiment with code of the user's has a child of its own: what such code changes in its process, a default dtype or
a function that it replaces, would show in all that follows there, and no list of what to compare is ever complete.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

from tensorbridge_cli.errors import InternalError, RequestError, UnavailableError, error_for
from tensorbridge_cli.lab import channel, processes, protocol, wire
from tensorbridge_cli.lab.channel import CorruptError
from tensorbridge_cli.lab.child import Assignment, Batch
from tensorbridge_cli.lab.experiment import Experiment, Facts, observation
from tensorbridge_cli.lab.protocol import Settings
from tensorbridge_cli.lab.server import Prepared
from tensorbridge_cli.lab.wire import WireError
from tensorbridge_cli.lab.worker import SHORTEST_NAP, Worker
from tensorbridge_cli.records.report import Crash, Failure

_SMALLEST_BATCH = 32
_LARGEST_BATCH = 4096  # a new child copies some thousand pages and has empty caches: in batches of 1024, 4 to 9 % more
_FEW_BATCHES = 256  # batches are longer than this only if each process gets several: they do not end together
_BEAT = 1.0  # seconds after which it is said that the work goes on
_LONGEST_NAP = 0.004  # seconds between two looks at the children, at most: an experiment takes as long


class Pool:
    """Children at work, as many at once as ``jobs`` says.

    ``descriptors`` are the server's own; ``None``: this process is not the server but the user's, whose other children
    are none of ours.
    """

    def __init__(
        self, settings: Settings, prepared: Prepared | None, descriptors: Collection[int] | None = None
    ) -> None:
        self._settings, self._prepared = settings, prepared
        self._descriptors = descriptors or ()
        # what the set-up code has started may stay
        self._spared = processes.children() if descriptors is not None else None
        self._crashing: set[tuple[str, ...]] = set()

    def work(self, command: protocol.Run) -> Iterator[list[bytes]]:
        """Make the experiments; yield each one's ``Finished``, encoded, as they end, some at a time.

        None are yielded now and then, as a sign of life.

        Raises:
            TensorbridgeError: a child's own, or that none could be started.
        """
        experiments = command.experiments()
        waiting, later, jobs = *self._assignments(command, experiments), command.jobs
        if self._prepared and not command.alone:
            # after the assignments, so that no later collection goes through a hundred thousand experiments
            for _ in self._prepared.rehearse(experiments):
                yield []
        self._crashing.clear()
        workers: list[Worker] = []
        nap, heard = SHORTEST_NAP, time.monotonic()
        try:
            while workers or waiting or later:
                jobs = self._start(waiting, workers, jobs, channel.LONG if later else channel.SHORT)
                if later:  # the children that were just started are at work meanwhile, and nobody takes their replies
                    assert self._prepared is not None
                    self._prepared.rehearse_states([one for task in later for _, one in task.batch])
                    # in the order of the request: rows are given in it, and those that follow a missing one are held
                    waiting = deque(sorted((*waiting, *later), key=lambda task: task.batch[0][0]))
                    later.clear()
                    continue
                idle = True
                for bodies in self._sent(workers, waiting):
                    idle = False
                    yield bodies
                if not idle:
                    nap, heard = SHORTEST_NAP, time.monotonic()
                    continue
                if time.monotonic() - heard > _BEAT:
                    heard = time.monotonic()
                    yield []
                time.sleep(nap)
                nap = min(2 * nap, _LONGEST_NAP)
        finally:
            while workers:
                worker = workers.pop()
                worker.kill()
                worker.end(self._others(workers))

    def _sent(self, workers: list[Worker], waiting: deque[Assignment]) -> Iterator[list[bytes]]:
        """Yield what each worker has sent since it was last asked, and what is to be said of one that ended."""
        for worker in list(workers):
            timed_out = worker.patience() <= 0
            ended = worker.ended()  # asked first: what it sent before its end is all there then
            bodies, is_corrupt = _replies(worker)
            if bodies:
                yield bodies
            if ended or is_corrupt or (timed_out and not bodies):
                workers.remove(worker)
                try:
                    worker.kill()
                    yield list(self._after_end(worker, timed_out and not ended, is_corrupt, waiting))
                finally:
                    worker.end(self._others(workers))

    def _assignments(
        self, command: protocol.Run, experiments: Sequence[Experiment]
    ) -> tuple[deque[Assignment], deque[Assignment]]:
        """Return what children are to do at once, and what when the states are rehearsed whose making imports much.

        FakeTensor imports 800 modules, which takes half as long as to import torch.
        """
        at_once: list[tuple[int, Experiment]] = []
        later: list[tuple[int, Experiment]] = []
        prepared = None if command.alone else self._prepared
        for number, experiment in enumerate(experiments):
            waits = prepared is not None and prepared.imports_much(experiment)
            (later if waits else at_once).append((number, experiment))
        return deque(_tasks(command, at_once)), deque(_tasks(command, later))

    def _start(self, waiting: deque[Assignment], workers: list[Worker], jobs: int, ring: int) -> int:
        """Start a worker for each task that waits, as long as fewer than ``jobs`` run; return how many can run.

        ``ring``: see ``channel``.

        Raises:
            UnavailableError: if not even one can be started.
        """
        while waiting and len(workers) < jobs:
            waiting.extendleft(self._apart(self._together(waiting)))
            try:
                workers.append(Worker(self._settings, self._prepared, waiting[0], self._descriptors, ring))
            except OSError as error:
                if not workers:
                    raise UnavailableError(f"cannot start a worker process: {error}.") from error
                return len(workers)
            waiting.popleft()
        return jobs

    def _apart(self, task: Assignment) -> list[Assignment]:
        """Return ``task`` without the experiments that are foreseen to crash, and one for each of these, last first.

        A crash in a batch takes three processes: that of the batch, another for what is left of it, and one in which
        the crash is confirmed. One that is foreseen takes one, which has run nothing else.
        """
        if task.is_alone or len(task.batch) == 1:
            return [task]
        crashing = [one for one in task.batch if _kind(one[1]) in self._crashing]
        if not crashing:
            return [task]
        rest = [one for one in task.batch if _kind(one[1]) not in self._crashing]
        return [*([replace(task, batch=rest)] if rest else []), *(Assignment([one], foreseen=True) for one in crashing)]

    def _together(self, waiting: deque[Assignment]) -> Assignment:
        """Take the next task; with it, as one batch, all that were foreseen to crash and no longer are."""
        task = waiting.popleft()
        if not self._is_unforeseen(task):
            return task
        others = [other for other in waiting if self._is_unforeseen(other)]
        for other in others:
            waiting.remove(other)
        return Assignment([one for each in (task, *others) for one in each.batch])

    def _is_unforeseen(self, task: Assignment) -> bool:
        """Return True for a task that was foreseen to crash, until one of its kind did not."""
        return task.foreseen and _kind(task.batch[0][1]) not in self._crashing

    def _after_end(
        self, worker: Worker, timed_out: bool, is_corrupt: bool, waiting: deque[Assignment]
    ) -> Iterator[bytes]:
        """Yield what the end of a child means for its experiment, or put that into ``waiting`` once more.

        Raises:
            UnavailableError: if it had begun nothing, twice.
        """
        task = worker.task
        if not worker.expected:
            if task.foreseen:  # with another dtype, say, the conversion is refused: those that follow run in batches
                self._crashing.discard(_kind(task.batch[0][1]))
            return
        if worker.channel.index == -1 and not is_corrupt:
            if task.again or timed_out:
                raise UnavailableError(worker.never_began(timed_out))
            waiting.appendleft(replace(task, again=True))
            return
        index, experiment = worker.expected.popleft()
        facts, crash = worker.death(timed_out)
        if worker.expected:
            waiting.appendleft(Assignment(list(worker.expected)))
        known = facts or Facts(subject=experiment.subject)
        if is_corrupt:
            if not task.again:
                waiting.appendleft(Assignment([(index, experiment)], died=task.died, again=True))
                return
            failure = Failure(stage=crash.stage, type="CorruptError", message=_CORRUPT, traceback="")
            yield wire.encode(protocol.Finished.of(index, observation(experiment, known, None, failure)))
        elif not task.is_alone:
            waiting.appendleft(Assignment([(index, experiment)], died=(known, crash)))
        else:
            if task.foreseen:
                crash = replace(crash, confirmed=True)
            elif task.died is not None:
                crash = replace(crash, confirmed=_manner(crash) == _manner(task.died[1]))
                known = known if known.source is not None else task.died[0]
                if crash.confirmed:
                    self._crashing.add(_kind(experiment))
            yield wire.encode(protocol.Finished.of(index, observation(experiment, known, crash)))

    def _others(self, workers: Sequence[Worker]) -> set[int] | None:
        """Return the children of this process that go on; ``None`` if it is not known which are ours."""
        return None if self._spared is None else self._spared | {worker.pid for worker in workers}

    def ask(self, question: protocol.Question, beat: Callable[[], None] = lambda: None) -> protocol.Response:
        """Ask a child one question, so that nothing that the user's code does there ends this process.

        ``beat`` is called now and then while that takes.

        Raises:
            TensorbridgeError: the child's own, or a RequestError where it died or took too long.
        """
        try:
            worker = Worker(self._settings, self._prepared, Assignment(question=question), self._descriptors)
        except OSError as error:
            raise UnavailableError(f"cannot start a worker process: {error}.") from error
        replies: list[bytes] = []
        heard, timed_out = time.monotonic(), False
        try:
            while not replies and not timed_out:
                ended = worker.ended()
                replies = [body for _, body in worker.channel.receive()]
                if ended:
                    break
                timed_out = worker.patience() <= 0
                if time.monotonic() - heard > _BEAT:
                    heard = time.monotonic()
                    beat()
                time.sleep(SHORTEST_NAP)
            worker.kill()
            crash = worker.death(timed_out)[1]
        except CorruptError as error:
            raise InternalError("the response of a worker process cannot be read.") from error
        finally:
            worker.end(self._others(()))
        if replies:
            answer = wire.decode(replies[0], protocol.Reply)
            if isinstance(answer, protocol.Failed):
                raise error_for(answer.message, answer.exit_code)
            assert isinstance(answer, protocol.Response)
            return answer
        what = "building the source" if isinstance(question, protocol.Describe) else "preparing the experiments"
        if timed_out:
            raise RequestError(
                f"{what} did not finish within {self._settings.timeout:g} seconds; use a longer --timeout."
            )
        how = crash.signal or f"exit code {crash.exit_code}"
        raise RequestError(f"{what} crashed the process: {how}. {crash.stderr}".strip())


def _tasks(command: protocol.Run, numbered: Batch) -> Iterator[Assignment]:
    """Yield what each child is to do: batches of what the catalogue knows, and one experiment of the user's code."""
    known = [one for one in numbered if not one[1].own_code]
    share = -(-len(known) // command.jobs)
    largest = min(_LARGEST_BATCH, max(_FEW_BATCHES, share // 4))
    size = 1 if command.alone else min(largest, max(_SMALLEST_BATCH, share))
    for start in range(0, len(known), size):
        yield Assignment(known[start : start + size], alone=command.alone, slowly=command.slowly)
    for one in numbered:
        if one[1].own_code:
            yield Assignment([one], alone=command.alone, slowly=command.slowly)


def _replies(worker: Worker) -> tuple[list[bytes], bool]:
    """Return what a child has sent, encoded, and whether something among it cannot be read.

    Raises:
        TensorbridgeError: the child's own.
    """
    bodies = []
    try:
        for index, body in worker.channel.receive():
            if index == -1:
                message = wire.decode(body, protocol.Reply)
                assert isinstance(message, protocol.Failed)
                raise error_for(message.message, message.exit_code)
            if not worker.expected or worker.expected[0][0] != index:
                raise CorruptError
            worker.expected.popleft()
            bodies.append(body if worker.task.died is None else _survived(body, worker.task.died))
    except (CorruptError, WireError):
        return bodies, True
    return bodies, False


def _survived(body: bytes, died: tuple[Facts, Crash]) -> bytes:
    """Return the reply of an experiment that ended another child, and did not repeat that."""
    message = wire.decode(body, protocol.Reply)
    if not isinstance(message, protocol.Finished) or message.observation is None:
        return body
    crash = replace(died[1], confirmed=False)
    return wire.encode(protocol.Finished.of(message.index, replace(message.observation, crash=crash)))


def _kind(experiment: Experiment) -> tuple[str, ...]:
    """Return what experiments have in common that crash alike: a crash depends on the dtype least of all."""
    subject = experiment.subject
    return experiment.conversion, experiment.direction, subject.layout, subject.state


_CORRUPT = "the report of the process cannot be read: something wrote to the tool's own memory"


def _manner(crash: Crash) -> tuple[object, ...]:
    return crash.stage, crash.signal, crash.exit_code, crash.timed_out
