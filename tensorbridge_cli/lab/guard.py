"""What a user's own object reaches is written to only if nobody else sees it.

An experiment writes to both objects. Generated sources are ours, and a replica is; what an expression or a dotted name
gives, or a live object, may lie in a mapped file or in memory that other processes share. ``protect`` makes such memory
private in the process that experiments (see ``memory.private_copy``), and refuses what it cannot. Types are not asked:
``np.asarray`` of a memmap is a plain array.
"""

from __future__ import annotations

import array
import contextlib
import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tensorbridge_cli.memory import describe, mapping, private_copy
from tensorbridge_cli.memory.arrays import outermost
from tensorbridge_cli.memory.available import available
from tensorbridge_cli.memory.mapping import Region
from tensorbridge_cli.memory.parts import is_fake, parts, span, storage
from tensorbridge_cli.memory.storages import is_resizable
from tensorbridge_cli.pytorch import Tensor

STAYS_SHARED: set[int] = set()
"""Addresses in memory through which this process reports to its parent: it stays shared."""

_PLAIN_OWNERS = (bytes, bytearray, array.array)
_sentences: dict[int, tuple[weakref.ref[Any], str]] = {}
"""What is said of an object that lives longer than one experiment: in the next one its memory is private already."""


@dataclass(frozen=True)
class Guard:
    """What was made private for one object: why, in a sentence, and what was shared before."""

    sentence: str | None
    backings: frozenset[str]
    scratch: Path

    def refusal_of_result(self, result: Any) -> str | None:
        """Return why ``result`` is not to be written to; None if nobody else sees what is written.

        Memory that the conversion shared anew is its own: what was mapped before, or has a name, may be somebody's.
        """
        known = mapping.regions()
        for region in _reached(result, known or ()):
            path = region.path
            named = path is not None and os.path.exists(path) and self.scratch not in Path(path).parents
            if private_copy.is_writable_by_others(region) and (region.backing in self.backings or named):
                return f"its result is in {_what(region)}, so it is not written"
        return None


def protect(obj: Any, scratch: Path) -> Guard:
    """Make all memory private that a write to ``obj`` could reach, in this process.

    Raises:
        PermissionError: if that cannot be done; the message says why.
    """
    if (reason := refusal(obj)) is not None:
        raise PermissionError(reason)
    extents = list(_extents(obj))
    replaced = private_copy.make_private(lambda region: any(_meets(region, extent) for extent in extents), STAYS_SHARED)
    if replaced is None:
        return Guard(None, frozenset(), scratch)
    for region in replaced.locked:
        if any(_meets(region, extent) for extent in extents):
            raise PermissionError(f"the object is in {_what(region)}, which could not be copied privately")
    copied = next((one for one in replaced.copied if any(_meets(one, extent) for extent in extents)), None)
    reference, sentence = _sentences.get(id(obj), (lambda: None, None))
    if copied is not None:
        sentence = f"the source is a private copy of {_what(copied)}; only the copy is written to"
        with contextlib.suppress(TypeError):  # a list has no weak references
            _sentences[id(obj)] = weakref.ref(obj), sentence
    elif reference() is not obj:
        sentence = None
    return Guard(sentence, replaced.backings, scratch)


def refusal(obj: Any) -> str | None:
    """Return why ``obj`` cannot be tried without a risk to other memory; None if it can. Nothing is changed."""
    if type(obj) is bytes and len(obj) == 1:
        return "Python has one object for all equal single bytes, so it is not written: use two bytes or more"
    known = mapping.regions()
    if known is None:
        if all(map(_is_owned, _dense(obj))):
            return None
        return "this system does not report whether the object's memory is shared, so it is not written: pass a copy"
    for region in _reached(obj, known):
        nbytes = region.stop - region.start
        if private_copy.is_writable_by_others(region) and region.path is None and nbytes > available() // 2:
            return f"the object is in {_what(region)}, and {nbytes} bytes are too large for a private copy"
    return None


def _what(region: Region) -> str:
    if region.path is None or region.path.startswith("/dev/shm/"):  # noqa: S108 - where Linux keeps shared memory
        return "memory shared with other processes"
    return f"a shared memory map of the file {region.path!r}"


def _reached(obj: Any, known: tuple[Region, ...]) -> Iterator[Region]:
    """Yield the regions that ``obj`` reaches."""
    extents = list(_extents(obj))
    return (region for region in known if any(_meets(region, extent) for extent in extents))


def _meets(region: Region, extent: tuple[int, int]) -> bool:
    return region.start < extent[1] and extent[0] < region.stop


def _extents(obj: Any) -> Iterator[tuple[int, int]]:
    """Yield the addresses of each storage that ``obj`` reaches."""
    for dense in _dense(obj):
        reached = span(dense)
        for extent in (storage(dense), reached.bounds() if reached is not None else None):
            if extent is not None and extent[0] < extent[1]:
                yield extent


def _dense(obj: Any, above: tuple[int, ...] = ()) -> Iterator[Any]:
    """Yield every array and tensor with memory on the CPU that ``obj`` holds, however deep."""
    if id(obj) in above:
        return
    above = (*above, id(obj))
    if isinstance(obj, (list, tuple, set, frozenset)):
        for item in obj:
            if not isinstance(item, (int, float, complex, str)):
                yield from _dense(item, above)
    elif isinstance(obj, dict):
        for item in obj.values():
            yield from _dense(item, above)
    elif isinstance(obj, np.ndarray):
        yield obj
        if isinstance(obj, np.ma.MaskedArray):
            yield from _dense(obj.mask, above)
        if obj.dtype.kind == "O":
            for item in obj.reshape(-1):
                yield from _dense(item, above)
    elif isinstance(obj, Tensor):
        yield from (part for _, part in parts(obj) if part.device.type == "cpu" and not is_fake(part))
        if describe.is_leaf(obj) and obj.grad is not None:
            yield from _dense(obj.grad, above)
    else:
        for _, part in parts(obj):
            yield from _dense(part, above)


def _is_owned(dense: Any) -> bool:
    """Return True if NumPy, PyTorch or Python allocated the memory: what is known where the system has no map."""
    if isinstance(dense, Tensor):
        storage = dense.untyped_storage()
        return bool(is_resizable(storage)) and not storage.is_shared()
    dense = outermost(dense)
    if isinstance(dense.base, Tensor):
        return all(map(_is_owned, _dense(dense.base)))
    owner = dense.base.obj if isinstance(dense.base, memoryview) else dense.base
    return bool(dense.flags.owndata) or type(owner) in _PLAIN_OWNERS
