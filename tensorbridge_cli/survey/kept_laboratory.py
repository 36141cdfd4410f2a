"""The laboratory of the Python API: started for the first request, kept for the next, ended with the process."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tensorbridge_cli.lab.client import DEFAULT, Laboratory, start_laboratory
from tensorbridge_cli.lab.experiment import Bench
from tensorbridge_cli.lab.interpreter import find
from tensorbridge_cli.lab.protocol import Settings


class KeptLaboratory:
    """The laboratory of this process: started for the first request, ended with the process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._lab: Laboratory | None = None
        self._settings: tuple[float, str | None] = (0.0, None)
        self._folder: Path | None = None

    def open(self, timeout: float, python: str | None) -> Laboratory:
        """Return the laboratory; it is started anew for another interpreter or another time limit."""
        if self._lab is not None and (timeout, python) != self._settings:
            self.close()
        if self._lab is None:
            self._settings, self._folder = (timeout, python), Path(tempfile.mkdtemp(prefix="tensorbridge-"))
            bench = Bench(setup="", scratch=self._folder, folder=os.getcwd())
            settings = Settings(isolation=DEFAULT, timeout=timeout, jobs=os.cpu_count() or 1, bench=bench)
            self._lab = start_laboratory(settings, find(python) if python else None)
        return self._lab

    def folder(self) -> Path:
        """Return the folder of the laboratory that is open."""
        assert self._folder is not None
        return self._folder

    def close(self) -> None:
        """End its processes and remove its folder; the next request starts another."""
        lab, folder, self._lab, self._folder = self._lab, self._folder, None, None
        if lab is not None:
            lab.close()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


kept = KeptLaboratory()


def _after_fork() -> None:
    """Forget the laboratory in a forked process: its pipes and its server belong to the parent."""
    global kept
    kept = KeptLaboratory()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(lambda: kept.close())


@contextmanager
def laboratory(timeout: float, python: str | None = None) -> Iterator[tuple[Laboratory, Path]]:
    """Give the laboratory and a folder for one request; requests of several threads wait for each other."""
    with kept.lock:
        lab = kept.open(timeout, python)
        folder = Path(tempfile.mkdtemp(dir=kept.folder()))
        try:
            yield lab, folder
        except BaseException:  # a reply may be half read
            kept.close()
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
