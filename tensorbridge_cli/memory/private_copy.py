"""Make the shared memory of this process private, in place: what an experiment writes then reaches nobody else.

An experiment writes to the objects that it is given. If a user's expression or object lies in a file that is mapped
shared, or in memory that other processes map, the write would reach them. So, in the process that experiments, each
writable shared mapping is replaced by a private copy **at the same address**: the objects, their addresses and their
flags stay what they are, and only the effect of a write on others is gone. All such mappings are replaced and not only
those that an object is known to reach: what a list, a dict, an object's attribute or a closure reaches is never
complete.

A file is mapped again with MAP_PRIVATE, which costs nothing until a page is written; memory without a file is copied.

This replaces mappings of the process that calls it. Call it in a process of one's own only.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from tensorbridge_cli.memory import mapping
from tensorbridge_cli.memory.mapping import Region

LARGE = 64 << 20
"""Memory of up to so many bytes is copied even if no object is known to reach it."""

_FIXED, _ANONYMOUS, _MOVE = 0x10, 0x20, 0x1 | 0x2  # MAP_FIXED, MAP_ANONYMOUS, MREMAP_MAYMOVE | MREMAP_FIXED
_FAILED = ctypes.c_void_p(-1).value


@dataclass(frozen=True)
class Replaced:
    """What was done with the writable shared mappings of this process.

    Attributes:
        copied: Those that are private copies now.
        locked: Those that could not be copied; they refuse writes now, which is SIGSEGV.
        backings: Device and inode of all that were shared, writable or not, before: see ``Region.backing``.
    """

    copied: tuple[Region, ...]
    locked: tuple[Region, ...]
    backings: frozenset[str]


def make_private(
    reached: Callable[[Region], bool], stay_shared: Collection[int] = (), limit: int | None = None
) -> Replaced | None:
    """Replace every writable shared mapping of this process by a private copy of it.

    Args:
        reached: Whether an object reaches a mapping. Others are only copied if they are small, else locked.
        stay_shared: Addresses whose mappings stay shared: this process reports to its parent through them.
        limit: Bytes that a copy may take; None for any number.

    Returns:
        What was replaced; None if the system does not tell what is shared, so that nothing is known to be private.
    """
    regions = mapping.regions()
    if regions is None or _LIBC is None:
        return None
    copied, locked = [], []
    for region in regions:
        if not is_writable_by_others(region) or any(region.start <= address < region.stop for address in stay_shared):
            continue
        if _map_again(region) or (_is_small_enough(region, reached, limit) and _copy(region)):
            copied.append(region)
        else:
            _LIBC.mprotect(region.start, region.stop - region.start, _protection(region) & ~mmap.PROT_WRITE)
            locked.append(region)
    backings = frozenset(region.backing for region in regions if region.sharing == mapping.SHARED and region.backing)
    return Replaced(tuple(copied), tuple(locked), backings)


def is_writable_by_others(region: Region) -> bool:
    """Return True if what this process writes to ``region`` reaches a file or another process."""
    return region.sharing == mapping.SHARED and region.writable and not region.is_device


def _is_small_enough(region: Region, reached: Callable[[Region], bool], limit: int | None) -> bool:
    nbytes = region.stop - region.start
    return (nbytes <= LARGE or reached(region)) and (limit is None or nbytes <= limit)


def _protection(region: Region) -> int:
    return (mmap.PROT_READ if region.readable else 0) | (mmap.PROT_WRITE if region.writable else 0)


def _map_again(region: Region) -> bool:
    """Map the file of ``region`` privately over it; return whether that could be done."""
    if region.path is None:
        return False
    try:
        descriptor = os.open(region.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
        # the path may name another file by now; if a file system reports another device here, the bytes are copied
        if region.backing != f"{device} {status.st_ino}":
            return False
        nbytes = region.stop - region.start
        flags = mmap.MAP_PRIVATE | _FIXED
        place = _LIBC.mmap(region.start, nbytes, _protection(region), flags, descriptor, region.offset)
        return bool(place == region.start)
    finally:
        os.close(descriptor)


def _copy(region: Region) -> bool:
    """Put private memory with the bytes of ``region`` in its place; return whether that could be done."""
    nbytes = region.stop - region.start
    flags = mmap.MAP_PRIVATE | _ANONYMOUS
    place = _LIBC.mmap(None, nbytes, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
    if place == _FAILED:
        return False
    view = (ctypes.c_char * nbytes).from_address(place)
    if (
        not mapping.read_into(region.start, memoryview(view).cast("B"))
        or _LIBC.mprotect(place, nbytes, _protection(region))
        or _LIBC.mremap(place, nbytes, nbytes, _MOVE, region.start) != region.start
    ):
        _LIBC.munmap(place, nbytes)
        return False
    return True


def _library() -> Any:
    """Return the C library; None on other systems: nothing is replaced there."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None, use_errno=True)
    address, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    library.mmap.restype = library.mremap.restype = address
    library.mmap.argtypes = [address, size, number, number, number, ctypes.c_long]
    library.mremap.argtypes = [address, size, size, number, address]
    library.munmap.argtypes = [address, size]
    library.mprotect.argtypes = [address, size, number]
    return library


_LIBC = _library()
