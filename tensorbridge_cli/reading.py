"""A file that the user names, read whole. It may be a pipe; one that nobody writes to is not waited for.

A device such as ``/dev/zero`` has no end, and is not read.
"""

from __future__ import annotations

import os
import select
from pathlib import Path

_PATIENCE = 5.0  # seconds that a pipe may be without a writer


def is_pipe(path: str) -> bool:
    """Return True for a named pipe, and for what a shell makes of ``<(command)``: it is read once, and in order."""
    return Path(path).is_fifo()


def is_read_at_once(path: str) -> bool:
    """Return True for what is no file that can be opened and read in turn: a pipe, or a device."""
    return is_pipe(path) or Path(path).is_char_device()


def contents(path: str) -> bytes:
    """Return what is in a file or comes through a pipe.

    Raises:
        OSError: if it cannot be read, or is a pipe that nobody writes to, or a device that is no terminal.
    """
    if Path(path).is_char_device():
        with open(path, "rb", buffering=0) as device:
            if not device.isatty():
                raise OSError("it is a device")
    return _from_pipe(path) if is_pipe(path) else Path(path).read_bytes()


def _from_pipe(path: str) -> bytes:
    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    pieces = []
    try:
        while True:
            is_ready = bool(select.select([pipe], [], [], _PATIENCE)[0])
            try:
                piece = os.read(pipe, 1 << 20)
            except BlockingIOError:  # somebody is there, and is slow
                continue
            if not piece:
                break
            pieces.append(piece)
    finally:
        os.close(pipe)
    if not is_ready:
        raise TimeoutError(f"nobody writes to the pipe (waited {_PATIENCE:g} seconds)")
    return b"".join(pieces)
