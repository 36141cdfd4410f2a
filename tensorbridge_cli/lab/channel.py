"""Memory that a child shares with the server, in a file: what the child is doing, and its replies.

A child has no descriptor of the tool's. With a pipe for the replies, a conversion that writes to every descriptor
(``for fd in range(3, 99): os.write(fd, b"x")``) put garbage between two protocol, and one that closed them and opened a
file of its own had the next reply written into that file. Mapped memory has no number that code could write to; and as
it is a file, the command line can read what was being done where the server itself was killed.

Replies go through a ring buffer of one writer and one reader. Each is framed by its length and its checksum: a
conversion that scribbles over memory, or a processor that shows the counter before the bytes, is noticed.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tensorbridge_cli.lab import wire
from tensorbridge_cli.lab.experiment import Facts
from tensorbridge_cli.records.enums import Stage

NAME = "channel"
"""The name of the file in a child's folder."""

_STAGES = tuple(Stage)
_PROGRESS = struct.Struct("=qqqqq")  # number of the experiment, stage, bytes of stderr before it, length and checksum
_COUNTER = struct.Struct("=q")
_FRAME = struct.Struct("=qII")  # number of the experiment (-1: no experiment's reply), length, checksum
_WRITTEN, _READ, _FACTS = 64, 72, 128
_HEAD = 1 << 17  # bytes before the ring
SHORT, LONG = 1 << 17, 1 << 22
"""Bytes of a ring: of some 50 replies, and of some 1,600, which a child makes in a second."""
_LONGEST = 1 << 28  # bytes of one reply
_NAP = 0.0002  # seconds


class CorruptError(Exception):
    """What the child wrote is not what a child writes."""


@dataclass(frozen=True)
class Progress:
    """What a child was doing: the experiment's index, -1 before the first, and the size of stderr before it."""

    index: int
    stage: Stage
    stderr_bytes: int
    facts: Facts | None


class Channel:
    """One child's memory, mapped. The child calls ``announce`` and ``send``, the server the rest."""

    def __init__(self, path: Path, ring: int = 0) -> None:
        """Map the file at ``path``; it is made where the bytes of its ``ring`` are given.

        Raises:
            OSError: if there is no room, or no descriptor for it.
        """
        handle = os.open(path, os.O_RDWR | (os.O_CREAT | os.O_EXCL if ring else 0), 0o600)
        try:
            if ring:
                _reserve(handle, _HEAD + ring)
            self._memory = mmap.mmap(handle, 0)
        finally:
            os.close(handle)
        self._ring = len(self._memory) - _HEAD
        self._pending = bytearray()
        if ring:
            self._write_progress(-1, Stage.BUILD, 0, b"")

    def close(self) -> None:
        """Unmap it."""
        self._memory.close()

    # In the child

    @property
    def address(self) -> int:
        """Where the memory begins."""
        return ctypes.addressof(ctypes.c_char.from_buffer(self._memory))

    def announce(self, index: int, stage: Stage, stderr_bytes: int, facts: Facts | None) -> None:
        """Say what is about to be done, and what is known if that may be needed."""
        self._write_progress(index, stage, stderr_bytes, b"" if facts is None else wire.encode(facts))

    def _write_progress(self, index: int, stage: Stage, stderr_bytes: int, known: bytes) -> None:
        if len(known) > _HEAD - _FACTS:
            known = b""
        self._memory[_FACTS : _FACTS + len(known)] = known
        progress = _PROGRESS.pack(index, _STAGES.index(stage), stderr_bytes, len(known), zlib.crc32(known))
        self._memory[: _PROGRESS.size] = progress

    def send(self, body: bytes, index: int = -1, abandoned: Callable[[], bool] = lambda: False) -> None:
        """Write one reply; wait for room where the server is behind, unless the child is ``abandoned``.

        Raises:
            CorruptError: if something has written over the counters.
        """
        data = memoryview(_FRAME.pack(index, len(body), zlib.crc32(body)) + body)
        while data:
            written, read = self._counter(_WRITTEN), self._counter(_READ)
            if not 0 <= written - read <= self._ring:
                raise CorruptError
            start = written % self._ring
            piece = data[: min(self._ring - (written - read), self._ring - start)]
            if piece:
                at = _HEAD + start
                self._memory[at : at + len(piece)] = piece
                self._count(_WRITTEN, written + len(piece))
                data = data[len(piece) :]
            elif abandoned():
                return
            else:
                time.sleep(_NAP)

    # In the server

    @property
    def index(self) -> int:
        """The number of the current experiment."""
        index: int = _PROGRESS.unpack_from(self._memory)[0]
        return index

    def progress(self) -> Progress:
        """Return what the child is doing; nothing is known where it ended while it wrote that."""
        index, stage, stderr_bytes, length, checksum = _PROGRESS.unpack_from(self._memory)
        if not (0 <= stage < len(_STAGES) and 0 <= length <= _HEAD - _FACTS):
            return Progress(index, Stage.OBSERVE, 0, None)
        known = self._memory[_FACTS : _FACTS + length]
        facts = None
        if known and zlib.crc32(known) == checksum:
            facts = wire.decode(known, Facts)
        return Progress(index, _STAGES[stage], stderr_bytes, facts)

    def receive(self) -> Iterator[tuple[int, bytes]]:
        """Yield the replies that are there, each with the number of its experiment.

        Raises:
            CorruptError: if they are not replies.
        """
        written, read = self._counter(_WRITTEN), self._counter(_READ)
        if not 0 <= written - read <= self._ring:
            raise CorruptError
        if read == written:
            return  # and leave the counter as it is: one that was written over stays so, and is noticed the next time
        while read < written:
            start = read % self._ring
            size = min(written - read, self._ring - start)
            at = _HEAD + start
            self._pending += self._memory[at : at + size]
            read += size
        self._count(_READ, read)
        while len(self._pending) >= _FRAME.size:
            index, length, checksum = _FRAME.unpack_from(self._pending)
            if length > _LONGEST:
                raise CorruptError
            end = _FRAME.size + length
            if len(self._pending) < end:
                return
            body = bytes(self._pending[_FRAME.size : end])
            if zlib.crc32(body) != checksum:
                raise CorruptError
            del self._pending[:end]
            yield index, body

    def _count(self, place: int, count: int) -> None:
        """Set a counter in one store: ``pack_into`` writes zeros first, which the other side may read."""
        self._memory[place : place + _COUNTER.size] = _COUNTER.pack(count)

    def _counter(self, place: int) -> int:
        count: int = _COUNTER.unpack_from(self._memory, place)[0]
        return count


def _reserve(handle: int, size: int) -> None:
    """Take the room now: a page that finds none when it is written crashes the process with SIGBUS."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
    else:
        os.truncate(handle, size)
