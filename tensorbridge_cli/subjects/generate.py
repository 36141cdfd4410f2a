"""Build a fresh subject from its description: allocate, lay out, fill, bring into its state.

Runs in the experiment's process.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import os
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tensorbridge_cli.catalog import dtypes, layouts, states
from tensorbridge_cli.catalog.constructors import CONSTRUCTORS, Constructor
from tensorbridge_cli.catalog.layouts import CannotBuildError, Recipe, Shape
from tensorbridge_cli.compat import zip_equal
from tensorbridge_cli.memory import carriers
from tensorbridge_cli.pytorch import torch
from tensorbridge_cli.records.enums import Library
from tensorbridge_cli.records.report import Subject
from tensorbridge_cli.subjects import fills

_ONE_BY_ONE = itertools.count()


def generate(subject: Subject, scratch: Path) -> tuple[Any, Any]:
    """Return the subject, and what must stay alive beside it.

    ``scratch`` is a folder for the files behind memory maps.

    Raises:
        CannotBuildError: if there is no such object; the message is the reason.
    """
    if (reason := _impossible.get(subject)) is not None:
        raise CannotBuildError(reason)
    try:
        return _generate(subject, scratch)
    except MemoryError as error:
        raise CannotBuildError(f"not enough memory to build it: {error}") from error
    except CannotBuildError as error:
        _impossible[subject] = str(error)
        raise


_impossible: dict[Subject, str] = {}
"""Why a subject could not be built: each is tried once in a process, though many conversions ask for it."""


def _generate(subject: Subject, scratch: Path) -> tuple[Any, Any]:
    words = states.words(subject.state)
    if detected := words & states.DETECTED.keys():
        raise CannotBuildError(f"a source in state {states.join(detected)} cannot be generated")
    if (constructor := CONSTRUCTORS.get(subject.library)) is not None:
        return _of_library(constructor, subject, scratch)
    installed = dtypes.find(subject.dtype)
    on_torch = states.needs_torch(subject)
    dtype = installed.torch if on_torch else installed.numpy
    if dtype is None:
        raise CannotBuildError(f"{'PyTorch' if on_torch else 'NumPy'} has no {subject.dtype}")
    scope = libraries()
    try:
        scope["x"] = _torch(subject, dtype) if on_torch else _numpy(subject, dtype, scratch)
        for state in states.STATES:
            if state.name in words and state.code:
                if (reason := state.impossible(scope["x"])) is not None:
                    raise CannotBuildError(reason)
                # the state's code is the catalogue's own: see catalog/states.py
                exec(_compiled(f"{state.imports}\n{state.code}", "exec"), scope)  # noqa: S102
    except (CannotBuildError, MemoryError):
        raise
    except Exception as error:
        who = "PyTorch" if on_torch else "NumPy"
        raise CannotBuildError(
            f"{who} cannot build it: {type(error).__name__}: {str(error).splitlines()[0]}"
        ) from error
    return scope["x"], scope.get("original")


def _of_library(constructor: Constructor, subject: Subject, scratch: Path) -> tuple[Any, Any]:
    """Return an object of another library than NumPy and PyTorch, and what must stay alive beside it."""
    codes = constructor.codes(subject)
    scope = {**libraries(), "path": str(_own_path(scratch))}
    scope["x"] = _generate(constructor.array(subject), scratch)[0]
    try:
        # the constructor's code is the catalogue's own: see catalog/constructors.py
        exec(_compiled("\n".join((constructor.imports, *codes)), "exec"), scope)  # noqa: S102
    except MemoryError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        raise CannotBuildError(f"{constructor.package} cannot build it: {reason}") from error
    if (dtype := carriers.dtype_of(scope["x"])) != subject.dtype:
        state = f" in state {subject.state}" if subject.state != states.PLAIN else ""
        raise CannotBuildError(f"{constructor.package} has no {subject.dtype}{state}: it makes {dtype}")
    return scope["x"], scope.get("original")


def _own_path(scratch: Path) -> Path:
    """Return the path of a file that no other subject has."""
    return scratch / f"map-{os.getpid()}-{next(_ONE_BY_ONE)}.bin"


def libraries() -> dict[str, Any]:
    """Return the libraries that are installed, by the names that code has for them."""
    return {"np": np} if torch is None else {"np": np, "torch": torch}


@functools.lru_cache(maxsize=256)
def _compiled(code: str, mode: Literal["eval", "exec"]) -> types.CodeType:
    return compile(code, "<catalogue>", mode)


def _evaluate(code: str, **names: Any) -> Any:
    """Return the value of ``code``, which is an expression of the catalogue's own."""
    return eval(_compiled(code, "eval"), names)  # noqa: S307


_UNFILLED = frozenset({"meta", "fake", "zero-tensor"})
"""The states whose objects do not have the values that their memory was filled with."""

_OTHER_VALUES = ("broadcast", "overlapping", "scalar", "quantized", "conjugate-bit", "negative-bit")
"""The layouts and states that repeat, leave out or change values of the memory."""


def fill_sentence(subject: Subject) -> str | None:
    """Say what the generated ``subject`` is filled with; None if it has no such values."""
    words = {*states.words(subject.state), *subject.layout.split("+")}
    if not words.isdisjoint(_UNFILLED):
        return None
    constructor = CONSTRUCTORS.get(subject.library)
    sentence = fills.sentence(subject.dtype if constructor is None else constructor.dtypes[subject.dtype])
    if "nulls" in states.words(subject.state):
        with_it = ", with all of its row" if len(subject.shape) > 1 else ""
        sentence = f"{sentence.partition(', the last ')[0]}, the last missing{with_it}"
    if before := [word for word in _OTHER_VALUES if word in words]:
        sentence += f", before {' and '.join(before)}"
    if math.prod(subject.shape) > fills.FULL:
        return f"{sentence}; at {len(fills.positions(subject.shape))} sampled elements, the rest zero"
    return sentence


def lay_out(
    recipe: Recipe, shape: Shape, dtype: Any, allocate: Callable[[Shape, Any], Any], **library: Any
) -> tuple[Any, Any]:
    """Return the memory that ``allocate`` gives for ``recipe``, and the view of it that is a source of ``shape``.

    ``library`` is the one whose recipe it is, by the name that its code has for it: ``np=numpy`` or ``torch=torch``.

    Raises:
        CannotBuildError: if there is no such source.
    """
    if (reason := recipe.impossible(shape, dtype)) is not None:
        raise CannotBuildError(reason)
    if recipe.as_bytes:
        base = allocate((math.prod(shape) * dtype.itemsize + 1,), "u1")
    else:
        base = allocate(recipe.memory(shape), _evaluate(recipe.dtype.format(dtype="dtype"), dtype=dtype, **library))
    return base, _evaluate(recipe.typed(shape, "dtype"), base=base, dtype=dtype, **library)


def _numpy(subject: Subject, dtype: Any, scratch: Path) -> Any:
    layout, swapped = layouts.split(subject.layout)
    recipe = layouts.recipe(layout, Library.NUMPY)
    native, dtype = dtype, dtype.newbyteorder("S") if swapped else dtype
    allocation = states.allocation(subject.state)
    path = _own_path(scratch)
    mode = "w+"

    def allocate(shape: Shape, dtype: Any) -> Any:
        dtype = np.dtype(dtype)
        if not allocation:
            return np.zeros(shape, dtype, recipe.order)
        if dtype.hasobject:
            raise CannotBuildError("references to objects cannot be mapped from a file")
        if not math.prod(shape):
            raise CannotBuildError("an empty file cannot be mapped; the shape has no elements")
        code = allocation.format(path="path", dtype="dtype", mode="mode", shape="shape", order="order")
        return _evaluate(code, np=np, path=path, dtype=dtype, mode=mode, shape=shape, order=recipe.order)

    base, view = lay_out(recipe, subject.shape, dtype, allocate, np=np)
    # an overlapping view cannot hold another value at each position: its memory can
    target = base if layout in ("broadcast", "overlapping") else view
    places = fills.positions(target.shape)
    values = _numpy_values(native, target.shape)
    if len(places) == target.size:
        target[...] = values.reshape(target.shape)
    else:
        for place, value in zip_equal(places, values):
            target[fills.index_of(place, target.shape)] = value
    if not allocation:
        return view
    # the file was filled through a map of its own; the source is a fresh map in the mode of its state
    mode = states.map_mode(subject.state)
    view = lay_out(recipe, subject.shape, dtype, allocate, np=np)[1]
    if os.name == "posix":
        path.unlink()  # the map lives on without a name
    return view


def _numpy_values(dtype: Any, shape: Shape) -> Any:
    """Return what the positions of ``shape`` that are filled are filled with."""
    if dtype.hasobject:  # each subject has objects of its own
        return _computed(dtype, shape)
    return _kept(dtype, shape)


def _computed(dtype: Any, shape: Shape) -> Any:
    return fills.numpy_values(dtype, np.array(fills.positions(shape), "i8"), math.prod(shape))


_kept = functools.lru_cache(maxsize=64)(_computed)  # computed once, read only


def _torch(subject: Subject, dtype: Any) -> Any:
    layout, swapped = layouts.split(subject.layout)
    recipe = layouts.recipe("byte-swapped" if swapped else layout, Library.TORCH)
    device = "cpu" if subject.device == "meta" else subject.device  # a state: applied to what has been filled

    def allocate(shape: Shape, _: Any) -> Any:
        if recipe.as_bytes:
            return bytearray(*shape)
        if subject.dtype.startswith("q"):
            return torch._empty_affine_quantized(shape, scale=0.1, zero_point=10, dtype=dtype, device=device)
        # empty and not zeros: the kernel gives large memory lazily, and some dtypes have no zeros
        base = torch.empty(shape, dtype=dtype, device=device)
        if math.prod(shape) <= 4 * fills.FULL:
            base.untyped_storage().fill_(0)  # type: ignore[attr-defined]  # the gaps of a view
        return base

    context = states.context(subject.state)
    with _evaluate(context, torch=torch) if context else contextlib.nullcontext():
        base, view = lay_out(recipe, subject.shape, dtype, allocate, torch=torch)
        if fills.has_arithmetic(subject.dtype):
            _fill_values(base if layout in ("broadcast", "overlapping") else view, dtype)
        else:
            _fill_bytes(view, dtype)
        return view


def _fill_values(target: Any, dtype: Any) -> None:
    places, values = _torch_values(dtype, tuple(target.shape))
    if len(places) == target.numel():
        target.copy_(values.reshape(target.shape))
        return
    for place, value in zip_equal(places, values):
        target[fills.index_of(place, tuple(target.shape))] = value


@functools.lru_cache(maxsize=64)
def _torch_values(dtype: Any, shape: Shape) -> tuple[list[int], Any]:
    """Return the positions that are filled, and what with; computed once, read only."""
    places = fills.positions(shape)
    with torch.inference_mode(False):
        return places, fills.torch_values(dtype, torch.tensor(places, dtype=torch.int64), math.prod(shape))


def _fill_bytes(view: Any, dtype: Any) -> None:
    storage = view.untyped_storage()
    units = storage.nbytes() // dtype.itemsize
    places, octets = _torch_octets(dtype, units)
    if len(places) == units:
        storage.copy_(octets.untyped_storage())
        return
    for place, row in zip_equal(places, octets.tolist()):
        for k, octet in enumerate(row):
            storage[place * dtype.itemsize + k] = octet


@functools.lru_cache(maxsize=64)
def _torch_octets(dtype: Any, units: int) -> tuple[list[int], Any]:
    """Return which of ``units`` elements are filled, and with what bytes each; computed once, read only."""
    places = fills.positions((units,))
    with torch.inference_mode(False):
        return places, fills.torch_values(dtype, torch.tensor(places, dtype=torch.int64), units).contiguous()
