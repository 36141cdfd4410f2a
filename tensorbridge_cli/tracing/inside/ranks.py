"""The ranks that torchrun starts on one machine: each runs the tool, and the first of them tells of all."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 30.0
"""Seconds that the first waits for the others when its own program has ended."""
_PAUSE = 0.05


@dataclass(frozen=True)
class Rank:
    """One of ``size`` ranks on this machine; ``folder`` is where they meet.

    https://docs.pytorch.org/docs/stable/elastic/run.html#environment-variables
    """

    number: int
    size: int
    folder: Path

    def hand_over(self, counts: Path) -> None:
        """Give what this rank counted to the first."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        draft = self.folder / f"draft-{self.number}"
        shutil.copytree(counts, draft)
        draft.rename(self.folder / f"rank-{self.number}")

    def gathered(self) -> tuple[list[Path], list[int]]:
        """Return the folders of the others' counts, and the ranks that did not end in time."""
        others = {number: self.folder / f"rank-{number}" for number in range(self.size) if number != self.number}
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and not all(folder.exists() for folder in others.values()):
            time.sleep(_PAUSE)
        there = [folder for folder in others.values() if folder.exists()]
        return there, [number for number, folder in others.items() if not folder.exists()]

    def part(self) -> None:
        """Remove where they met."""
        shutil.rmtree(self.folder, ignore_errors=True)


def rank(environ: Mapping[str, str]) -> Rank | None:
    """Return the rank that this process is; ``None`` where torchrun did not start it, or started it alone."""
    run, number, size = (environ.get(name) for name in ("TORCHELASTIC_RUN_ID", "LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    if run is None or number is None or size is None or int(size) < 2:
        return None
    attempt = [environ.get(name, "0") for name in ("MASTER_PORT", "TORCHELASTIC_RESTART_COUNT", "GROUP_RANK")]
    user = str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()  # Windows has no numbers
    name = re.sub(r"\W", "-", "-".join(["tensorbridge", user, run, str(os.getppid()), *attempt]))
    return Rank(int(number), int(size), Path(tempfile.gettempdir()) / name)
