"""Where experiments run, seen from the command line: a laboratory that is asked, and that survives every crash.

The command line imports neither numpy nor torch. It starts one server process that does, and that forks (or spawns)
children for batches of experiments: see ``server`` and ``pool``.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from tensorbridge_cli.errors import RequestError, UnavailableError
from tensorbridge_cli.lab import channel, interpreter, protocol
from tensorbridge_cli.lab.channel import Progress
from tensorbridge_cli.lab.connection import STARTING, Connection, Kept, ServerEndedError
from tensorbridge_cli.lab.experiment import Experiment, Facts, Given, observation
from tensorbridge_cli.lab.interpreter import Interpreter
from tensorbridge_cli.lab.protocol import Described, Done, Hello, Isolation, Resolved, Settings
from tensorbridge_cli.lab.server import MANY, Prepared
from tensorbridge_cli.records.enums import Library, Stage
from tensorbridge_cli.records.report import Crash, Row

DEFAULT: Isolation = "fork" if sys.platform == "linux" else "spawn"
"""Forking a process that holds torch is safe on Linux only."""


class Laboratory(Protocol):
    """What ``survey`` asks; made by ``start_laboratory``.

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


def start_laboratory(settings: Settings, python: Interpreter | None = None) -> Laboratory:
    """Start a laboratory, of ``python`` if there is one; it prepares itself while the caller goes on.

    Raises:
        UnavailableError: if there is no such interpreter, or it is too old, or says nothing.
    """
    return Here(settings) if settings.isolation == "none" else Server(settings, python)


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
            reply = process.receive(patience if nth else max(patience, STARTING))
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
