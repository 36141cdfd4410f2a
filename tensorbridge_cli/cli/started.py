"""A laboratory for one command, gone when the command ends, however it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from tensorbridge_cli.errors import Ended
from tensorbridge_cli.lab.client import Isolation, Laboratory, Settings, scratch_folder
from tensorbridge_cli.lab.client import laboratory as start
from tensorbridge_cli.lab.experiment import Bench


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
    """Let other signals clean up as Ctrl-C does; one that is ignored, as with nohup, stays so."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_SIGNALS = [number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]


def _end(number: int, frame: Any) -> NoReturn:
    raise Ended(number)
