"""What the operating system knows of an address: private or shared, readable, writable, the file behind it.

A type says little about memory: ``np.asarray(np.memmap(…))`` is a plain ndarray over a file, and so are
``np.frombuffer(mmap)`` and ``torch.from_numpy(memmap)``. The system's map of the process describes every address. On
systems without such a map (all but Linux) the answer is ``unknown``, and the caller must not write.

``read`` reads memory that may be gone. A load from an unmapped page, a protected page or a page behind the end of a
truncated file crashes the process with SIGSEGV or SIGBUS; the kernel's own copy fails with an error code instead.

This module runs inside traced programs: it imports the standard library only, and its syntax is that of Python 3.9.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import re
import struct
import sys
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None  # type: ignore[assignment]

PRIVATE, SHARED, UNKNOWN = "private", "shared", "unknown"

_MAP = "/proc/self/maps"
_CHUNK = 1 << 20
_LINE = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) (r|-)(w|-)(x|-)(s|p) ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) (\d+) *(.*)")


class Region(NamedTuple):
    """One line of the map: the addresses from ``start`` to before ``stop``, and what holds for all of them.

    Attributes:
        start: The first address.
        stop: The address after the last one.
        readable: Whether it may be read.
        writable: Whether it may be written.
        executable: Whether it is code.
        sharing: ``private`` or ``shared``.
        path: The file that it is mapped from; None if there is none.
        offset: Where in the file it begins.
        backing: Device and inode of what it is mapped from, also of memory without a file; empty if nothing is.
        is_device: Whether a driver maps it (e.g. that of a graphics card), rather than a file or memory.
    """

    start: int
    stop: int
    readable: bool
    writable: bool
    executable: bool
    sharing: str
    path: str | None
    offset: int
    backing: str
    is_device: bool


@dataclass(frozen=True)
class MappedMemory:
    """What holds for a range of addresses.

    Attributes:
        sharing: ``private``: no other process and no file sees what is written. ``shared``: a part of the range, at
            least, is seen by another process or goes to a file. ``unknown``: the system does not say, or a part of the
            range is not mapped.
        readable: Whether every page may be read; None if unknown.
        writable: Whether every page may be written; None if unknown.
        path: The first file that the range is mapped from, except a shared library; None if there is none, or unknown.
    """

    sharing: str
    readable: bool | None
    writable: bool | None
    path: str | None

    @property
    def is_private(self) -> bool:
        """Return True only if a write is seen by nobody else; False if the system does not tell."""
        return self.sharing == PRIVATE


NOT_KNOWN = MappedMemory(UNKNOWN, None, None, None)
"""The answer where the system has no map to ask."""


def regions() -> tuple[Region, ...] | None:
    """Read the map of this process, lowest address first; None if the system has none.

    It costs about a millisecond in a process with torch: a caller that asks about many objects passes it to ``lookup``.
    """
    try:
        with open(_MAP, "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    known = [region for line in lines if (region := _region(line)) is not None]
    # static data of a shared library is mapped from a file, too: nobody would call an array over it memory-mapped
    libraries = {region.path for region in known if region.executable and region.path}
    return tuple(region._replace(path=None) if region.path in libraries else region for region in known)


def lookup(address: int, nbytes: int = 1, known: Sequence[Region] | None = None) -> MappedMemory:
    """Say what holds for the bytes from ``address`` on.

    Args:
        address: Where they begin.
        nbytes: How many they are; of none the page at ``address`` is described.
        known: The map, if the caller has read it already.
    """
    stop = address + max(nbytes, 1)
    if known is None:
        alone = _in_one_private_mapping(address, stop)
        if alone is not None:
            return alone
        known = regions()
    if known is None:
        return NOT_KNOWN
    touched = []
    reached = address
    for index in range(max(bisect_right([region.start for region in known], address) - 1, 0), len(known)):
        region = known[index]
        if region.start >= stop or region.start > reached:
            break
        if region.stop > reached:
            touched.append(region)
            reached = region.stop
    if reached < stop:
        return MappedMemory(UNKNOWN, False, False, next((region.path for region in touched if region.path), None))
    return MappedMemory(
        sharing=SHARED if any(region.sharing == SHARED for region in touched) else PRIVATE,
        readable=all(region.readable for region in touched),
        writable=all(region.writable for region in touched),
        path=next((region.path for region in touched if region.path is not None), None),
    )


def _in_one_private_mapping(address: int, stop: int) -> MappedMemory | None:
    """Say what holds for addresses in one private mapping without a file, as of most objects; None for any other.

    Linux has told of one mapping since version 6.11, in a few microseconds. Reading the map takes it a microsecond or
    three for each of its lines, of which a process with torch has hundreds.

    https://docs.kernel.org/filesystems/proc.html (PROCMAP_QUERY)
    """
    if fcntl is None:
        return None
    try:
        query = bytearray(_QUERY.pack(_QUERY.size, 0, address, *(0,) * 12))
        with open(_MAP, "rb", buffering=0) as file:
            fcntl.ioctl(file, _PROCMAP_QUERY, query)
    except (OSError, struct.error):  # no such mapping, no such call, no such file, or an address that can be none
        return None
    _, _, _, start, end, flags, _, _, inode, *_ = _QUERY.unpack(query)
    if not start <= address < stop <= end or inode or flags & _IS_SHARED:
        return None
    return MappedMemory(PRIVATE, bool(flags & _IS_READABLE), bool(flags & _IS_WRITABLE), None)


_QUERY = struct.Struct("=9Q4I2Q")
"""``struct procmap_query`` of ``linux/fs.h``."""
_PROCMAP_QUERY = 3 << 30 | _QUERY.size << 16 | ord("f") << 8 | 17
_IS_READABLE, _IS_WRITABLE, _IS_SHARED = 1, 2, 8


def read(address: int, nbytes: int) -> bytes | None:
    """Copy ``nbytes`` from ``address`` without the risk of dying; None if a part of them cannot be read.

    None says nothing about the object: where the system has no such call, it is always None (see ``reads_safely``).
    """
    buffer = bytearray(nbytes)
    return bytes(buffer) if read_into(address, buffer) else None


def read_into(address: int, buffer: bytearray | memoryview) -> bool:
    """Copy the bytes from ``address`` on into ``buffer``, all of it; return whether they could be read.

    The buffer is written as far as the memory could be read. Reading in pieces of one size into one buffer needs no
    memory of the size of the object.
    """
    nbytes = len(buffer)
    if not nbytes:
        return True
    if address <= 0 or address + nbytes > 1 << (8 * ctypes.sizeof(ctypes.c_void_p)):
        return False
    view = (ctypes.c_char * nbytes).from_buffer(buffer)
    into = ctypes.addressof(view)
    offsets = range(0, nbytes, _CHUNK)
    return all(_copy(address + offset, into + offset, min(_CHUNK, nbytes - offset)) for offset in offsets)


def reads_safely() -> bool:
    """Return True if ``read`` works here at all, tried on a byte of our own."""
    return read(ctypes.addressof(_PROBE), 1) == b"\x01"


@functools.lru_cache(maxsize=4096)  # most of a map is as it was, also in a process that was forked since
def _region(line: bytes) -> Region | None:
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    start, stop, read, write, execute, kind, offset, device, inode, name = match.groups()
    path = _path(name) if inode != b"0" else None
    return Region(
        start=int(start, 16),
        stop=int(stop, 16),
        readable=read == b"r",
        writable=write == b"w",
        executable=execute == b"x",
        sharing=SHARED if kind == b"s" else PRIVATE,
        path=path,
        offset=int(offset, 16),
        backing=f"{device.decode()} {inode.decode()}" if inode != b"0" else "",
        is_device=path is None and not _is_memory(name),
    )


def _is_memory(name: bytes) -> bool:
    """Return True if a mapping without a file is memory: named by the kernel (``[heap]``), or shared and anonymous."""
    return not name or name.startswith((b"[", b"/memfd:", b"/SYSV", b"/dev/zero"))


def _path(name: bytes) -> str | None:
    """Return the path of a mapped file; None for memory without one, which Linux gives an inode all the same.

    Shared anonymous memory is called ``/dev/zero (deleted)``, that of ``memfd_create`` ``/memfd:NAME (deleted)``, and
    that of System V ``/SYSV00000000 (deleted)``. A device (e.g. a graphics card) is not a file; ``/dev/shm`` has files.
    """
    if name.startswith((b"/memfd:", b"/SYSV")) or not name.startswith(b"/"):
        return None
    if name.startswith(b"/dev/") and not name.startswith(b"/dev/shm/"):
        return None
    return os.fsdecode(name.removesuffix(b" (deleted)").replace(rb"\012", b"\n"))


class _Piece(ctypes.Structure):
    """An ``iovec`` of the C library."""

    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


_PROBE = ctypes.c_char(b"\x01")


def _kernel_copy() -> Any:
    """Return ``process_vm_readv`` of the C library; None if it has none."""
    if sys.platform != "linux":
        return None
    function = getattr(ctypes.CDLL(None, use_errno=True), "process_vm_readv", None)
    if function is not None:
        piece = ctypes.POINTER(_Piece)
        function.argtypes = [ctypes.c_int, piece, ctypes.c_ulong, piece, ctypes.c_ulong, ctypes.c_ulong]
        function.restype = ctypes.c_ssize_t
    return function


_process_vm_readv = _kernel_copy()


def _copy(address: int, into: int, nbytes: int) -> bool:
    """Let the kernel copy; if it is not allowed to (seccomp filters of containers), read the memory's own file."""
    if _process_vm_readv is not None:
        ours, theirs = _Piece(into, nbytes), _Piece(address, nbytes)
        # the process's own number each time: this module may have been imported before a fork
        copied = _process_vm_readv(os.getpid(), ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0)
        if copied >= 0 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
            return bool(copied == nbytes)
    return _copy_from_file(address, into, nbytes)


def _copy_from_file(address: int, into: int, nbytes: int) -> bool:
    """Read ``/proc/self/mem``, opened each time because after a fork an open one still shows the parent's memory."""
    if not lookup(address, nbytes).readable:  # the file gives the bytes of protected pages, too
        return False
    try:
        with open("/proc/self/mem", "rb", buffering=0) as file:
            data = os.pread(file.fileno(), nbytes, address)
    except (OSError, OverflowError):
        return False
    if len(data) != nbytes:
        return False
    ctypes.memmove(into, data, nbytes)
    return True
