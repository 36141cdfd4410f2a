"""A laboratory for one command; its processes and files are removed at the end, also after a signal."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from tensorbridge_cli.errors import REPORT_IT, Ended, InternalError, RemoteTraceback
from tensorbridge_cli.lab.client import Laboratory, scratch_folder, start_laboratory
from tensorbridge_cli.lab.experiment import Bench
from tensorbridge_cli.lab.interpreter import Interpreter
from tensorbridge_cli.lab.protocol import Isolation, Settings


@contextmanager
def laboratory(
    isolation: Isolation,
    timeout: float = 10.0,
    setup: str = "",
    folder: str = "",
    python: Interpreter | None = None,
) -> Iterator[Laboratory]:
    """Give a laboratory; ``folder`` is where the user's own modules are, ``python`` is not the tool's own."""
    with _signals_end_it(), scratch_folder() as scratch:
        bench = Bench(setup=setup, scratch=scratch, folder=folder)
        lab = start_laboratory(
            Settings(isolation=isolation, timeout=timeout, jobs=os.cpu_count() or 1, bench=bench), python
        )
        try:
            yield lab
        finally:
            lab.close()
        _fail_of_our_own(lab)


def _fail_of_our_own(lab: Laboratory) -> None:
    """Fail if experiments failed in the tool's own code.

    Raises:
        InternalError: with the traceback as its cause.
    """
    failures = [(row, row.internal_error) for row in lab.internal_errors if row.internal_error is not None]
    if failures:
        row, first = failures[0]
        what = f"{len(failures)} experiments" if len(failures) > 1 else "an experiment"
        summary = (
            f"{row.conversion}: {first.type}: {first.message}" if first.message else f"{row.conversion}: {first.type}"
        )
        raise InternalError(f"tensorbridge itself failed in {what} ({summary}). {REPORT_IT}") from RemoteTraceback(
            first.traceback
        )


@contextmanager
def _signals_end_it() -> Iterator[None]:
    """Clean up after other signals as after Ctrl-C; one that is ignored, e.g. with nohup, stays ignored."""
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


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise Ended(number)
