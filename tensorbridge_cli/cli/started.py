"""A laboratory for one command, gone when the command ends, however it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from tensorbridge_cli.lab.experiment import Bench
from tensorbridge_cli.lab.isolation import Isolation, Laboratory, Settings, scratch_folder
from tensorbridge_cli.lab.isolation import laboratory as start


@contextmanager
def laboratory(isolation: Isolation, timeout: float = 10.0, setup: str = "", folder: str = "") -> Iterator[Laboratory]:
    """Give a laboratory; ``folder`` is where the user's own modules are."""
    with _told_to_end(), scratch_folder() as scratch:
        bench = Bench(setup=setup, scratch=scratch, folder=folder)
        lab = start(Settings(isolation=isolation, timeout=timeout, jobs=os.cpu_count() or 1, bench=bench))
        try:
            yield lab
        finally:
            lab.close()


@contextmanager
def _told_to_end() -> Iterator[None]:
    """Let SIGTERM and SIGHUP clean up, as Ctrl-C does."""
    before = {number: signal.signal(number, _end) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_SIGNALS = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]


def _end(number: int, frame: Any) -> NoReturn:
    raise Ended(number)


class Ended(KeyboardInterrupt):
    """Another signal than Ctrl-C's; it passes wherever a KeyboardInterrupt does."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number
