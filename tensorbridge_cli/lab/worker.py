"""A child, seen from the server: started, watched, and ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Collection

from tensorbridge_cli.lab import channel, child, processes, protocol, wire
from tensorbridge_cli.lab.channel import Channel
from tensorbridge_cli.lab.child import Assignment
from tensorbridge_cli.lab.experiment import Facts
from tensorbridge_cli.lab.protocol import Settings
from tensorbridge_cli.lab.server import Prepared
from tensorbridge_cli.lab.stderr_tail import last_line, signal_name, tail
from tensorbridge_cli.records.report import Crash

SHORTEST_NAP = 0.001
"""Seconds between two looks at a child, at least."""

_IMPORTING = 60.0
"""Seconds that a spawned child may take to import torch and run the set-up code."""


class Worker:
    """A child, seen from the server.

    ``descriptors`` are the server's own, which a child must not have. ``ring``: see ``channel``.

    Raises:
        OSError: if there is no room for its folder, or no process to be had.
    """

    _started = 0

    def __init__(
        self,
        settings: Settings,
        prepared: Prepared | None,
        task: Assignment,
        descriptors: Collection[int] = (),
        ring: int = channel.SHORT,
    ) -> None:
        Worker._started += 1
        self._timeout, self.task = settings.timeout, task
        # made anew where a conversion has emptied its parent
        self._folder = settings.bench.scratch / f"child-{os.getpid()}-{Worker._started}"
        self._folder.mkdir(parents=True, mode=0o700)
        self._popen: subprocess.Popen[bytes] | None = None
        self._code: int | None = None
        self.channel = Channel(self._folder / channel.NAME, ring)
        try:
            # without a prepared server to fork from, each child prepares itself
            self.pid = self._fork(settings, prepared, descriptors) if prepared else self._spawn(settings)
        except OSError:
            self._clear()
            raise
        self._at = (-1, time.monotonic() + (0.0 if prepared else _IMPORTING))
        self.expected = deque(task.batch)

    def _fork(self, settings: Settings, prepared: Prepared, descriptors: Collection[int]) -> int:
        parent = os.getpid()
        pid = processes.fork()
        if pid == 0:
            try:
                os.setsid()
                processes.close_inherited(str(settings.bench.scratch), channel.NAME, descriptors)
                child.work(self._folder, settings, prepared, self.channel, self.task, parent)
            finally:
                os._exit(1)
        return pid

    def _spawn(self, settings: Settings) -> int:
        order = protocol.Order(
            settings=settings,
            experiments=tuple(self.task.batch),
            question=self.task.question,
            parent=os.getpid(),
            alone=self.task.is_alone,
            slowly=self.task.slowly,
        )
        (self._folder / "order").write_bytes(wire.encode(order))
        code = f"{processes.FIND_PACKAGE}; from {child.__name__} import spawned; spawned(sys.argv[1])"
        with (self._folder / "stderr").open("wb") as stderr:
            self._popen = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                [sys.executable, *processes.SAFE_PATH, "-c", code, str(self._folder)],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )
        return self._popen.pid

    def patience(self) -> float:
        """Return for how many seconds the current experiment may still go on."""
        index, now = self.channel.index, time.monotonic()
        if index != self._at[0]:
            self._at = (index, now)
        return self._at[1] + self._timeout - now

    def ended(self) -> bool:
        """Return True if the process is gone."""
        if self._code is None:
            if self._popen is not None:
                self._code = self._popen.poll()
            else:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code is not None

    def kill(self) -> None:
        """Stop it, and what it started."""
        if not self.ended():
            for pid in processes.descendants(self.pid):
                processes.kill_group(pid)
            processes.kill_group(self.pid)
            while not self.ended():
                time.sleep(SHORTEST_NAP)

    def death(self, timed_out: bool) -> tuple[Facts | None, Crash]:
        """Return what was known when the child died, and how it died."""
        progress, code = self.channel.progress(), self._code
        crash = Crash(
            stage=progress.stage,
            signal=None if timed_out else signal_name(code),
            exit_code=None if timed_out or code is None or code < 0 else code,
            stderr=tail(self.stderr()[progress.stderr_bytes :]),
            confirmed=None,
            timed_out=timed_out,
        )
        return progress.facts, crash

    def stderr(self) -> bytes:
        """Return what it said."""
        with contextlib.suppress(OSError):
            return (self._folder / "stderr").read_bytes()
        return b""

    def never_began(self, timed_out: bool) -> str:
        """Say how it ended before it had begun anything."""
        if timed_out:
            how = f"did not start within {self._timeout:g} seconds"
        else:
            how = f"exited before it started: {signal_name(self._code) or f'exit code {self._code}'}"
        return f"a worker process {how}. {last_line(self.stderr())}".strip()

    def end(self, spared: Collection[int] | None) -> None:
        """Free what the server holds of it, and kill what it left behind: all but the processes that are ``spared``."""
        self.kill()
        if spared is not None and self._code != 0:  # one that ends in good order leaves none
            processes.kill_orphans(spared)
        self._clear()

    def _clear(self) -> None:
        self.channel.close()
        shutil.rmtree(self._folder, ignore_errors=True)
