"""A faithful twin of a live object in another process: the same bytes in and around it, at the same strides and offset.

The object is only read: through its addresses, so that a lazy clone stays lazy. What the twin would lack is found by
describing both: a state that no twin was given is refused, not left out in silence.
"""

from __future__ import annotations

import ctypes
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tensorbridge_cli.catalog.layouts import CannotBuildError
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.lab import objects
from tensorbridge_cli.model import Origin

LARGEST = 1 << 28
"""Bytes up to which the values are taken along; of a larger object the twin has its geometry, and zeros."""

_ALIGNED = 64
_FACTS = ("type", "dtype", "shape", "strides", "nbytes", "writable", "aligned", "requires_grad", "is_leaf")
_WORDS = ("library", "dtype", "layout", "state", "device")


def describe(obj: Any, path: Path) -> str:
    """Write to ``path`` what ``build`` needs, and return what is to be known of the twin: its type, and what it lacks.

    Raises:
        RequestError: where ``obj`` has no twin.
    """
    kind = objects.type_name(obj)
    if isinstance(obj, (list, tuple, bool, int, float, complex, np.generic)) and not objects.parts(obj):
        return _written(path, kind, {"pickled": obj, "expected": None})
    where, span = (objects.storage(obj), objects.span(obj)) if objects.is_dense(obj) else (None, None)
    if type(obj) not in (np.ndarray, torch.Tensor, torch.nn.Parameter) or where is None or span is None:
        raise _no_twin(kind, "it is no plain array or strided tensor in this machine's memory")
    if isinstance(obj, np.ndarray) and obj.dtype.hasobject:
        raise _no_twin(kind, "its elements are Python objects, which would be others there")
    start, stop = where
    size = stop - start
    described: dict[str, Any] = {
        "size": size,
        "phase": start % _ALIGNED,
        "bytes": ctypes.string_at(start, size) if 0 < size <= LARGEST else b"",
        "offset": span.pointer - start,
        "shape": tuple(obj.shape),
        "dtype": obj.dtype,
        "expected": _expected(obj),
    }
    if isinstance(obj, np.ndarray):
        described |= {"strides": obj.strides, "owns": obj.base is None, "writeable": obj.flags.writeable}
    else:
        described |= {"stride": obj.stride(), "conj": obj.is_conj(), "neg": obj.is_neg()}
        described |= {"requires_grad": obj.requires_grad, "is_leaf": obj.is_leaf}
        described["parameter"] = isinstance(obj, torch.nn.Parameter)
    return _written(path, kind if size <= LARGEST else f"{kind} (its values left out: zeros)", described)


def build(path: str) -> Any:
    """Return a fresh twin of what ``describe`` wrote to ``path``.

    Raises:
        CannotBuildError: where it would not be like the object.
    """
    found = pickle.loads(Path(path).read_bytes())  # noqa: S301 - written by ``describe``
    if "pickled" in found:
        return found["pickled"]
    twin = _array(found) if isinstance(found["dtype"], np.dtype) else _tensor(found)
    expected, made = found["expected"], _expected(twin)
    for name, fact in expected.items():
        if made[name] != fact:
            raise CannotBuildError(f"no faithful twin could be made: its {name} is {made[name]}, not {fact}")
    return twin


def _written(path: Path, kind: str, described: dict[str, Any]) -> str:
    path.write_bytes(pickle.dumps(described))
    return kind


def _no_twin(kind: str, why: str) -> RequestError:
    return RequestError(f"a {kind} cannot be inspected on a twin: {why}. Use tensorbridge inspect --object or --expr.")


def _expected(obj: Any) -> dict[str, Any]:
    """Return what is to be the same of the object and its twin."""
    known, subject = objects.describe(obj), objects.detect(obj, Origin.OBJECT, "")
    # where there is no element, where the first would be is no fact
    words = [name for name in _WORDS if name != "layout" or 0 not in subject.shape]
    return {name: getattr(known, name) for name in _FACTS} | {name: getattr(subject, name) for name in words}


def _buffer(found: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return bytes that begin as far from a whole 64 as those of the object."""
    size = found["size"]
    room = np.zeros(size + 2 * _ALIGNED, np.uint8)
    shift = (found["phase"] - room.ctypes.data) % _ALIGNED
    if found["bytes"]:
        room[shift : shift + size] = np.frombuffer(found["bytes"], np.uint8)
    # an array of its own, in whose storage there is nothing before and behind
    return np.frombuffer(room.data[shift : shift + size], np.uint8)


def _array(found: dict[str, Any]) -> Any:
    buffer = _buffer(found)
    if 0 in found["shape"]:  # no byte is reached, wherever the strides would lead
        return _unreached(found, buffer)
    view: Any = np.ndarray(found["shape"], found["dtype"], buffer, found["offset"], found["strides"])
    if found["owns"]:
        view = view.copy("K")
    view.flags.writeable = found["writeable"]
    return view


def _unreached(found: dict[str, Any], buffer: Any) -> Any:
    none: Any = np.lib.stride_tricks.as_strided(
        buffer[:0].view(found["dtype"]), found["shape"], found["strides"], writeable=found["writeable"]
    )
    return none


def _tensor(found: dict[str, Any]) -> Any:
    storage = torch.from_numpy(_buffer(found)).untyped_storage()
    whole = torch.empty(0, dtype=found["dtype"])
    size = found["dtype"].itemsize
    tensor: Any = whole.set_(storage, found["offset"] // size, found["shape"], found["stride"])
    if found["conj"]:
        tensor = tensor.conj()
    if found["neg"]:
        tensor = torch._neg_view(tensor)
    if found["parameter"]:
        return torch.nn.Parameter(tensor, requires_grad=found["requires_grad"])
    if found["requires_grad"]:
        tensor.requires_grad_()
        if not found["is_leaf"]:
            tensor = tensor.view_as(tensor)
    return tensor
