"""The ranks that torchrun starts on one machine: each runs the tool, and the first of them tells of all."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tensorbridge_cli.errors import UnavailableError

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

    def meet(self) -> None:
        """Make the folder, or find that another rank of this user has.

        Its name can be guessed. So a folder, or a link, that somebody else put there is not written to and not read.

        Raises:
            UnavailableError: if it is not a folder that is this user's, and closed to others.
        """
        try:
            with suppress(FileExistsError):
                self.folder.mkdir(mode=0o700)
            status = self.folder.lstat()
        except OSError as error:
            raise UnavailableError(f"the ranks cannot meet in {self.folder}: {error.strerror}.") from error
        mine = not hasattr(os, "geteuid") or (status.st_uid == os.geteuid() and not status.st_mode & 0o077)
        if not stat.S_ISDIR(status.st_mode) or not mine:
            raise UnavailableError(f"the ranks cannot meet in {self.folder}: it is not a folder of yours alone.")

    def hand_over(self, counts: Path) -> bool:
        """Give what this rank counted to the first; return False if that one has gone, its report made."""
        draft = self.folder / f"draft-{self.number}"
        try:
            draft.mkdir()  # not its parents
            shutil.copytree(counts, draft, dirs_exist_ok=True)
            draft.rename(self.folder / f"rank-{self.number}")
        except OSError:
            return False
        return True

    def gathered(self) -> tuple[list[Path], list[int]]:
        """Return the folders of the others' counts, and the ranks that did not end in time."""
        others = {number: self.folder / f"rank-{number}" for number in range(self.size) if number != self.number}
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and not all(folder.exists() for folder in others.values()):
            time.sleep(_PAUSE)
        folders = [folder for folder in others.values() if folder.exists()]
        return folders, [number for number, folder in others.items() if not folder.exists()]

    def part(self) -> None:
        """Remove where they met."""
        shutil.rmtree(self.folder, ignore_errors=True)


def rank(environ: Mapping[str, str]) -> Rank | None:
    """Return the rank that this process is; ``None`` if torchrun did not start it, or started it alone."""
    run, number, size = (environ.get(name, "") for name in ("TORCHELASTIC_RUN_ID", "LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    if not run or not number.isdecimal() or not size.isdecimal() or int(size) < 2:
        return None
    attempt = [environ.get(name, "0") for name in ("MASTER_PORT", "TORCHELASTIC_RESTART_COUNT", "GROUP_RANK")]
    user = str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()  # Windows has no numbers
    # an earlier run may have left a folder behind, and its numbers come again
    parent = f"{os.getppid()}-{psutil.Process(os.getppid()).create_time():.2f}"
    name = re.sub(r"\W", "-", "-".join(["tensorbridge", user, run, parent, *attempt]))
    return Rank(int(number), int(size), Path(tempfile.gettempdir()) / name)
