"""How much memory this process may still take: the one function that all sums are held against.

On Linux the standard library is enough. Other systems are asked through psutil.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_UNLIMITED = 1 << 60
"""A version 1 control group without a limit has this one or a larger."""


def available(root: Path = Path("/")) -> int:
    """Return the bytes that this process may still take: the least of the machine's and of its control groups'.

    Args:
        root: The folder that has ``proc``; another one in tests.
    """
    return max(0, min([_of_machine(root), *_of_control_groups(root)]))


def _of_machine(root: Path) -> int:
    with suppress(OSError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    try:
        import psutil
    except ImportError:  # in an inspected environment: nothing is known to be missing
        return sys.maxsize
    return int(psutil.virtual_memory().available)


def _of_control_groups(root: Path) -> Iterator[int]:
    """Yield what each control group with a limit leaves: those of a container, of version 1 and of version 2.

    What the kernel holds of files and can drop at once is counted as used by a group, and is available all the same.
    """
    for folder in _folders(root):
        for limit_name, usage_name, cache_name in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            with suppress(OSError, ValueError):  # no such file, or "max"
                limit = int((folder / limit_name).read_text())
                if limit < _UNLIMITED:
                    yield limit - int((folder / usage_name).read_text()) + _statistic(folder, cache_name)


def _statistic(folder: Path, name: str) -> int:
    with suppress(OSError):
        for line in (folder / "memory.stat").read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0


def _folders(root: Path) -> Iterator[Path]:
    """Yield the folders of the control groups of this process and of all above them: each one's limit holds."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
        mounts = (root / "proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return
    paths = {}
    for group in groups:
        _, controllers, path = group.split(":", 2)
        if not controllers or "memory" in controllers.split(","):
            paths["memory" if controllers else ""] = path
    for mount in mounts:
        left, _, right = mount.partition(" - ")
        kind, _, options = right.split(" ", 2)
        version = {"cgroup2": "", "cgroup": "memory"}.get(kind)
        if version is None or version not in paths or (version and version not in options.split(",")):
            continue
        # within a container the mounted folder may be the group itself, whose path is that of the whole system
        mounted, place = left.split()[3:5]
        below = paths[version].removeprefix(mounted if mounted != "/" else "").strip("/")
        here = root / place.strip("/")
        yield here
        for part in filter(None, below.split("/")):
            here /= part
            yield here
