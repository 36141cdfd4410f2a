"""Put the memory of a process that forks often into huge pages.

A fork copies the page table, one entry for 4 kB: for a process with numpy and torch that is most of its cost, and each
page that the child writes first is a fault. In pages of 2 MB there are 512 times fewer of both. Linux collapses what is
there on request (``MADV_COLLAPSE``, since 6.1); elsewhere nothing happens and all goes on as before. The allocator's
own switch (``GLIBC_TUNABLES=glibc.malloc.hugetlb=1``) was tried instead: it reaches only what malloc holds, and has to
be set before the process starts.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator

_SIZE = 1 << 21  # bytes of a huge page, on x86-64 and on most of ARM
_MADV_COLLAPSE = 25


def collapse() -> int:
    """Collapse the anonymous private memory of this process, as far as the system can; return how many bytes it did."""
    if sys.platform != "linux":
        return 0
    madvise = ctypes.CDLL(None).madvise
    done = 0
    for start, stop in _anonymous():
        first, last = -(-start // _SIZE) * _SIZE, stop // _SIZE * _SIZE
        if first < last and madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), _MADV_COLLAPSE) == 0:
            done += last - first
    return done


def _anonymous() -> Iterator[tuple[int, int]]:
    """Yield where the writable private memory lies that belongs to no file, as the system's map of the process says."""
    with open("/proc/self/maps") as maps:
        lines = maps.readlines()
    for line in lines:
        addresses, access, _, _, inode, *path = line.split(maxsplit=5)
        if access == "rw-p" and inode == "0" and (not path or path[0].startswith("[heap]")):
            start, stop = addresses.split("-")
            yield int(start, 16), int(stop, 16)
