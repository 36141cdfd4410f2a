"""The memory of live objects that are neither arrays nor tensors, read by protocol: nothing is imported or copied.

The buffer protocol of Python (bytes, bytearray, memoryview, array.array, mmap, ctypes …), NumPy's
``__array_interface__`` and DLPack tell where memory lies, if the object does not answer with a copy of it: what is
given twice at one address is no copy. ``__array__`` does not tell. A container stands for what it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorbridge_cli.memory import carriers, describe
from tensorbridge_cli.memory.parts import NUMBERS, contradiction, items_of, pretends
from tensorbridge_cli.pytorch import Module, Tensor, UntypedStorage, torch

NoneType = type(None)  # in ``types`` from Python 3.10 on


def addressable(obj: Any) -> Any:
    """Return what of ``obj`` has an address: itself, an array over its memory, or a list of what a container holds.

    The array keeps the buffer exported: while it lives, a ``bytearray`` cannot be resized, nor an ``mmap`` closed.

    Raises:
        TypeError: if there is nothing of the kind, or its class does not say what is so; the message says what to use
            instead.
    """
    return _addressable(obj, ())


def _addressable(obj: Any, within: tuple[int, ...]) -> Any:
    """Return the same; ``within`` are the containers around it, as one may hold itself."""
    if pretends(obj):
        raise TypeError(describe.no_object(obj))
    if isinstance(obj, (Tensor, np.ndarray, *NUMBERS)):
        if (reason := contradiction(obj)) is not None:
            raise TypeError(reason)
        return obj
    if isinstance(obj, Module):
        return [*obj.parameters(), *obj.buffers()]
    if isinstance(obj, UntypedStorage):
        return torch.empty(0, dtype=torch.uint8, device=obj.device).set_(obj)
    items = items_of(obj)
    if items is not None:
        inner = (*within, id(obj))
        return [
            _addressable(item, inner)
            for _, item in items
            if id(item) not in inner and not isinstance(item, (str, NoneType))
        ]
    if (held := _from_library(obj)) is not None:
        return held
    array = _from_buffer(obj)
    if array is None:
        raise TypeError(describe.no_source(obj))
    return array


def named_parts(obj: Any) -> dict[str, Any]:
    """Return the objects that a container holds, at any depth, by how they are reached: ``['x'][0]``.

    Text and ``None`` are left out. What is not a container is one part without a name.
    """
    return dict(_named(obj, "", ()))


def _named(obj: Any, name: str, within: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(obj, (str, NoneType)) or id(obj) in within:
        return
    items = None if isinstance(obj, (Tensor, np.ndarray, *NUMBERS)) else items_of(obj)
    if items is None:
        yield name, obj
        return
    for step, item in items:
        yield from _named(item, name + step, (*within, id(obj)))


def _from_library(obj: Any) -> Any:
    """Return an array, or a list of arrays, over the memory of an object of a library that has a carrier."""
    carrier = carriers.carrier_of(obj)
    if carrier is None or not carrier.memory:
        return None
    held = [part for _, part in carriers.memory(obj, carrier)]
    return held[0] if len(held) == 1 else held or None


def _from_buffer(obj: Any) -> np.ndarray | None:
    """Return an array over the memory of an object that has the buffer protocol; None if it has not."""
    try:
        view = memoryview(obj)
    except (TypeError, ValueError, BufferError):  # a closed map raises ValueError
        return None
    if view.c_contiguous and view.nbytes:
        return np.frombuffer(view, np.uint8)  # whatever the format of its elements
    return np.asarray(view)
