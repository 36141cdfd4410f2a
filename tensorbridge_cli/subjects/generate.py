"""Build a fresh subject from its description: allocate, lay out, fill, bring into its state.

Runs in the experiment's process.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import os
from pathlib import Path
from typing import Any

from tensorbridge_cli.catalog import dtypes, layouts, states
from tensorbridge_cli.catalog.layouts import CannotBuildError, Shape
from tensorbridge_cli.records.report import Library, Subject
from tensorbridge_cli.subjects import fills

_ONE_BY_ONE = itertools.count()


def generate(subject: Subject, scratch: Path) -> tuple[Any, Any]:
    """Return the subject, and what must stay alive beside it.

    ``scratch`` is a folder for the files behind memory maps.

    Raises:
        CannotBuildError: where there is no such object; the message is the reason.
    """
    if (reason := _impossible.get(subject)) is not None:
        raise CannotBuildError(reason)
    try:
        return _generate(subject, scratch)
    except MemoryError as error:
        raise CannotBuildError(f"there is not enough memory to build it: {error}") from error
    except CannotBuildError as error:
        _impossible[subject] = str(error)
        raise


_impossible: dict[Subject, str] = {}
"""Why a subject could not be built: each is tried once in a process, though many conversions ask for it."""


def _generate(subject: Subject, scratch: Path) -> tuple[Any, Any]:
    words = states.words(subject.state)
    found = dtypes.find(subject.dtype)
    on_torch = Library.TORCH in {states.BY_NAME[word].library for word in words} or subject.library is Library.TORCH
    dtype = found.torch if on_torch else found.numpy
    if dtype is None:
        raise CannotBuildError(f"{'PyTorch' if on_torch else 'NumPy'} has no {subject.dtype}")
    build = _torch if on_torch else _numpy
    try:
        view = build(subject, dtype, words, scratch)
        before = view
        for state in states.STATES:
            if state.name in words and state.apply is not None:
                view = state.apply(view)
    except (CannotBuildError, MemoryError):
        raise
    except Exception as error:
        who = "PyTorch" if on_torch else "NumPy"
        raise CannotBuildError(
            f"{who} cannot build it: {type(error).__name__}: {str(error).splitlines()[0]}"
        ) from error
    # a lazy clone is one only as long as the original lives
    return view, before if "lazy-clone" in words else None


def fill_sentence(subject: Subject) -> str:
    """Say what the generated ``subject`` is filled with."""
    sentence = fills.sentence(subject.dtype)
    if math.prod(subject.shape) > fills.FULL:
        return f"{sentence}; at {len(fills.positions(subject.shape))} cells, the rest zero"
    return sentence


def _numpy(subject: Subject, dtype: Any, words: frozenset[str], scratch: Path) -> Any:
    import numpy as np

    layout, swapped = layouts.split(subject.layout)
    wanted = dtype.newbyteorder("S") if swapped else dtype
    mapped = "memory-mapped" in words
    path = scratch / f"map-{os.getpid()}-{next(_ONE_BY_ONE)}.bin"
    mode: Any = "w+"

    def make(shape: Shape, dtype: Any = wanted, order: Any = "C") -> Any:
        dtype = np.dtype(dtype)
        if not mapped:
            return np.zeros(shape, dtype, order)
        if dtype.hasobject:
            raise CannotBuildError("references to objects cannot be mapped from a file")
        if not math.prod(shape):
            raise CannotBuildError("an empty file cannot be mapped; the shape has no elements")
        return np.memmap(path, dtype, mode, shape=shape, order=order)

    follow = layouts.recipe(layout, Library.NUMPY)
    base, view = follow(make, subject.shape, wanted)
    # an overlapping view cannot hold another value at each position: its memory can
    target = base if layout in ("broadcast", "overlapping") else view
    places = fills.positions(target.shape)
    values = fills.numpy_values(dtype, np.array(places, "i8"), target.size)
    if len(places) == target.size:
        target[...] = values.reshape(target.shape)
    else:
        for place, value in zip(places, values, strict=True):
            target[fills.index_of(place, target.shape)] = value
    if not mapped:
        return view
    mode = "r" if "read-only" in words else "c" if "copy-on-write" in words else "r+"
    view = follow(make, subject.shape, wanted)[1]
    if os.name == "posix":
        path.unlink()  # the map lives on without a name
    return view


def _torch(subject: Subject, dtype: Any, words: frozenset[str], scratch: Path) -> Any:
    import torch

    device = "cpu" if subject.device == "meta" else subject.device  # a state: applied to what has been filled

    def make(shape: Shape) -> Any:
        if subject.dtype.startswith("q"):
            return torch._empty_affine_quantized(shape, scale=0.1, zero_point=10, dtype=dtype, device=device)
        # empty and not zeros: the kernel gives large memory lazily, and some dtypes have no zeros
        made = torch.empty(shape, dtype=dtype, device=device)
        if math.prod(shape) <= 4 * fills.FULL:
            made.untyped_storage().fill_(0)  # type: ignore[attr-defined]  # the gaps of a view
        return made

    with torch.inference_mode() if "inference" in words else contextlib.nullcontext():
        layout, swapped = layouts.split(subject.layout)
        follow = layouts.recipe("byte-swapped" if swapped else layout, Library.TORCH)
        base, view = follow(make, subject.shape, dtype)
        target = base if layout in ("broadcast", "overlapping") else view
        if fills.has_arithmetic(subject.dtype):
            _fill_values(target, dtype)
        else:
            _fill_bytes(base, dtype)
        return view


def _fill_values(target: Any, dtype: Any) -> None:
    places, values = _torch_values(dtype, tuple(target.shape))
    if len(places) == target.numel():
        target.copy_(values.reshape(target.shape))
        return
    for place, value in zip(places, values, strict=True):
        target[fills.index_of(place, tuple(target.shape))] = value


@functools.lru_cache(maxsize=64)
def _torch_values(dtype: Any, shape: Shape) -> tuple[list[int], Any]:
    """Return the positions that are filled, and what with; computed once, read only."""
    import torch

    places = fills.positions(shape)
    with torch.inference_mode(False):
        return places, fills.torch_values(dtype, torch.tensor(places, dtype=torch.int64), math.prod(shape))


def _fill_bytes(base: Any, dtype: Any) -> None:
    import torch

    storage = base.untyped_storage()
    units = storage.nbytes() // dtype.itemsize
    places = fills.positions((units,))
    octets = fills.torch_values(dtype, torch.tensor(places, dtype=torch.int64), units)
    if len(places) == units:
        storage.copy_(octets.reshape(-1).untyped_storage())
        return
    for place, row in zip(places, octets.tolist(), strict=True):
        for k, octet in enumerate(row):
            storage[place * dtype.itemsize + k] = octet
