"""The dense parts of an object: where each lies in memory, and how its elements lie there.

An object is seen as its *dense parts*, each an array or strided tensor with one address: itself for most, values and
indices for a sparse tensor, the rows for a nested one, the arrays for a list or a dict of arrays, none for a list of
numbers.
Looking never makes a lazy clone copy, and never asks a kind for a pointer that raises or warns when asked.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from tensorbridge_cli.compat import zip_equal
from tensorbridge_cli.memory import arrays, carriers
from tensorbridge_cli.memory.moment import once_a_moment
from tensorbridge_cli.memory.spans import Span
from tensorbridge_cli.memory.storages import storage_address
from tensorbridge_cli.pytorch import Module, Tensor, torch
from tensorbridge_cli.records.enums import Library
from tensorbridge_cli.records.report import Extent
from tensorbridge_cli.subjects import fills

Index = tuple[int, ...]
NUMBERS = (np.generic, bool, int, float, complex)
_PLAIN = (np.ndarray, Tensor)


def library(obj: Any) -> Library:
    """Return whose object this is."""
    if isinstance(obj, Tensor):
        return Library.TORCH
    if isinstance(obj, (np.ndarray, np.generic)):
        return Library.NUMPY
    carrier = carriers.carrier_of(obj)
    return Library.PYTHON if carrier is None else carrier.library


def is_fake(obj: Any) -> bool:
    """Return True if ``obj`` stands for a tensor without having data."""
    return isinstance(obj, Tensor) and (obj.is_meta or type(obj).__name__ == "FakeTensor")


def pretends(obj: Any) -> bool:
    """Return True if ``obj`` says that it is an array or a tensor, and is none: a mock, or a proxy of another object.

    ``isinstance`` believes its ``__class__``; what is written in C would read its memory as if it were one, and crash.
    """
    if type(obj) in _PLAIN:
        return False
    try:
        return isinstance(obj, (Tensor, np.ndarray)) and not issubclass(type(obj), (Tensor, np.ndarray))
    except Exception:  # whatever its ``__class__`` raises
        return True


_ARRAY_FACTS = ("shape", "dtype", "strides", "itemsize", "flags")
_TENSOR_FACTS = ("shape", "dtype")


def contradiction(obj: Any, within: tuple[int, ...] = ()) -> str | None:
    """Say what a subclass of array or tensor says of an object, or of one in it, that is not so; ``None`` if nothing.

    ``within`` are the containers around it: one may hold itself.
    A subclass answers with a property, or with ``__torch_function__``. An object is read as its shape and strides say:
    where these are not its own, other memory would be.
    """
    if type(obj) in _PLAIN or id(obj) in within or _holds_numbers(obj):
        return None
    if not isinstance(obj, _PLAIN):
        try:
            items = items_of(obj, fills.FULL) or ()
        except Exception:  # of a container's own code: it is said where its parts are inspected
            return None
        return next(filter(None, (contradiction(item, (*within, id(obj))) for _, item in items)), None)
    for name in _TENSOR_FACTS if isinstance(obj, Tensor) else _ARRAY_FACTS:
        try:
            own = _own(obj, name)
        except RuntimeError:  # there is none to read it by: a nested tensor has no shape
            continue
        try:
            said = getattr(obj, name)
        except TypeError:  # every __torch_function__ returned NotImplemented
            said = None
        if type(said) is not type(own) or said != own:
            library = "PyTorch" if isinstance(obj, Tensor) else "NumPy"
            return f"the class {type(obj).__qualname__} does not give {library}'s own {name}"
    return None


def _own(obj: Any, name: str) -> Any:
    """Return what its library says of an array or a tensor, whatever its class has in that place."""
    if isinstance(obj, np.ndarray):
        return getattr(np.ndarray, name).__get__(obj)
    with torch._C.DisableTorchFunctionSubclass():
        return getattr(Tensor, name).__get__(obj)


def is_dense(obj: Any) -> bool:
    """Return True if ``obj`` is an array, or a tensor with strides over one storage; a torch.func wrapper has none."""
    if type(obj) is np.ndarray:
        return True
    if isinstance(obj, Tensor):
        if torch._C._functorch.is_functorch_wrapped_tensor(obj):
            return False
        return obj.layout is torch.strided and not obj.is_nested
    return isinstance(obj, np.ndarray)


def is_its_bytes(obj: Any) -> bool:
    """Return True for a plain array or tensor: a reader sees other values only if its bytes are others.

    Not so an array of references, whose objects change, a quantized tensor, whose scales may, and a subclass.
    """
    if isinstance(obj, Tensor):
        return type(obj) is Tensor and is_dense(obj) and not obj.is_quantized
    return type(obj) is np.ndarray and not obj.dtype.hasobject


def parts(obj: Any, most: int | None = fills.FULL) -> list[tuple[str, Any]]:
    """Return the named dense parts of ``obj``, of a list those of its first items; the first one is written to.

    ``most`` is how many items of a list are inspected; ``None`` is all.
    """
    if type(obj) in _PLAIN and is_dense(obj):
        return [("", obj)]
    carrier = carriers.carrier_of(obj)
    return _parts(obj, most) if carrier is None else carriers.memory(obj, carrier)


def _parts(obj: Any, most: int | None, within: tuple[int, ...] = ()) -> list[tuple[str, Any]]:
    """Return the same of what has no carrier: of a list of ``bytes`` no memory is compared.

    ``within`` are the containers around it: one may hold itself.
    """
    if pretends(obj) or id(obj) in within or _holds_numbers(obj):
        return []
    if is_dense(obj):
        return [("", obj)]
    if isinstance(obj, Tensor):
        if obj.is_nested and obj.layout is torch.strided:
            return [(f"[{i}]", row) for i, row in enumerate(obj.unbind())]
        if obj.is_nested:
            jagged: Any = obj
            return [("values", jagged.values())]  # the offsets are no elements: they say where each row begins
        if obj.layout is torch.sparse_coo:
            return [("values", obj._values()), ("indices", obj._indices())]
        if obj.layout in (torch.sparse_csr, torch.sparse_bsr):
            return [("values", obj.values()), ("crow_indices", obj.crow_indices()), ("col_indices", obj.col_indices())]
        if obj.layout in (torch.sparse_csc, torch.sparse_bsc):
            return [("values", obj.values()), ("ccol_indices", obj.ccol_indices()), ("row_indices", obj.row_indices())]
        return []
    inner = (*within, id(obj))
    return [(step + name, part) for step, item in items_of(obj, most) or () for name, part in _parts(item, most, inner)]


OF_PYTHON = frozenset({bool, int, float, complex, str, bytes, type(None)})
"""Types of Python's own whose objects are alike, and have no memory to compare; a list may have millions of them."""


def _holds_numbers(obj: Any) -> bool:
    """Return True for a list of Python's own numbers and text, of which a million are asked in ten milliseconds."""
    return type(obj) in (list, tuple) and OF_PYTHON.issuperset(map(type, obj))


def items_of(obj: Any, most: int | None = None) -> list[tuple[str, Any]] | None:
    """Return what a container holds, each with how it is reached; ``None`` if ``obj`` is not a container.

    ``most`` is how many items of a list are inspected; ``None`` is all. The pytrees of JAX, optree and torch hold
    neither modules nor the dataclasses that nobody registered with them.
    """
    if isinstance(obj, Module):  # named as in its state_dict
        tensors = (*obj.named_parameters(remove_duplicate=False), *obj.named_buffers(remove_duplicate=False))
        return [(f"[{name!r}]", part) for name, part in tensors]
    if isinstance(obj, Mapping):
        return [(f"[{key!r}]", item) for key, item in obj.items()]
    if isinstance(obj, tuple) and hasattr(obj, "_fields"):
        return [(f".{name}", item) for name, item in zip_equal(obj._fields, obj)]
    if isinstance(obj, (list, tuple)):
        return [(f"[{n}]", item) for n, item in enumerate(obj[:most])]
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type) and carriers.carrier_of(obj) is None:
        return [(f".{field.name}", getattr(obj, field.name)) for field in dataclasses.fields(obj)]
    return None


def has_names(obj: Any) -> bool:
    """Return True for a container that no conversion takes for rows of numbers: a dict, a dataclass, a module."""
    if isinstance(obj, (Tensor, np.ndarray, np.generic, list, tuple)) or pretends(obj):
        return False
    return isinstance(obj, (Module, Mapping)) or (dataclasses.is_dataclass(obj) and items_of(obj) is not None)


def lasting_parts(obj: Any) -> list[tuple[str, Any]]:
    """Return the parts of a container with names; none if it gives others each time, or raises.

    A mapping may be anybody's code: the arrays of an ``.npz`` file that is open are read each time.
    """
    try:
        first, second = parts(obj), parts(obj)  # both are alive, so that two arrays lie apart
    except Exception:
        return []
    places = [[(name, address(part)) for name, part in held] for held in (first, second)]
    return first if places[0] == places[1] else []


def nbytes(obj: Any) -> int:
    """Return the bytes of all elements, of a sparse or nested tensor those of its parts; a number is one of 8."""
    if is_dense(obj) or isinstance(obj, np.generic):
        elements: int = math.prod(obj.shape)
        return elements * int(obj.itemsize)
    if isinstance(obj, (list, tuple)):
        return sum(map(nbytes, obj))
    return 8 if isinstance(obj, NUMBERS) else sum(nbytes(part) for _, part in parts(obj))


_storage_address: Callable[[Any], int] = (lambda tensor: 0) if torch is None else storage_address(torch)


@once_a_moment
def address(dense: Any) -> int | None:
    """Return the address of the first element; ``None`` if there are no bytes.

    ``Tensor.data_ptr`` would make a lazy clone copy; the private accessor does not.
    """
    if isinstance(dense, np.ndarray):
        return arrays.address(dense)
    if is_fake(dense):
        return None
    pointer = _storage_address(dense)  # of the storage, without the offset
    if not pointer:
        return None if dense.numel() else 0
    return int(pointer + dense.storage_offset() * dense.itemsize)


def byte_strides(dense: Any) -> tuple[int, ...]:
    """Return the strides in bytes."""
    if isinstance(dense, np.ndarray):
        return dense.strides
    return tuple(map(dense.itemsize.__mul__, dense.stride()))


@once_a_moment
def span(dense: Any) -> Span | None:
    """Return the bytes that the elements reach; ``None`` if there are none."""
    start = address(dense)
    if start is None:
        return None
    reached = Span(start, tuple(dense.shape), byte_strides(dense), dense.itemsize)
    if packs(dense):
        if not dense.numel():
            return Span(start, (0,), (1,), 1)
        size = packed(dense, tuple(n - 1 for n in dense.shape)) + 1
        # torch counts the offset of a view in bytes, so one may end, or even start, where there is nothing
        size = min(size, _tensor_storage(dense, start)[1] - start)
        return Span(start, (size,), (1,), 1) if size > 0 else None
    return reached


def spans(dense: Any) -> list[Span] | None:
    """Return the bytes that the elements reach, exactly; ``None`` if there are none.

    Of a packing dtype with steps between the elements these are several runs: ``span`` is from the first to the last.
    """
    reached = span(dense)
    if reached is None or not packs(dense) or not dense.numel() or dense.numel() > fills.FULL:
        return None if reached is None else [reached]
    places = itertools.product(*map(range, dense.shape))
    runs: list[list[int]] = []
    for offset in sorted({packed(dense, index) for index in places}):
        if offset >= reached.nbytes:
            break
        if runs and runs[-1][1] == offset:
            runs[-1][1] += 1
        else:
            runs.append([offset, offset + 1])
    return [Span(reached.pointer + start, (stop - start,), (1,), 1) for start, stop in runs]


@once_a_moment
def storage(dense: Any) -> tuple[int, int] | None:
    """Return the byte extent ``[start, stop)`` of the outermost owner, found through ``.base`` and storages."""
    if isinstance(dense, Tensor):
        start = address(dense)
        return None if start is None else _tensor_storage(dense, start)
    base = arrays.outermost(dense).base
    return storage(base) if isinstance(base, Tensor) and is_dense(base) else arrays.storage(dense)


def _tensor_storage(dense: torch.Tensor, start: int) -> tuple[int, int]:
    low = start - int(dense.storage_offset()) * dense.itemsize if start else 0  # an empty tensor has none
    return low, low + int(dense.untyped_storage().nbytes())


@once_a_moment
def exceeds(dense: Any) -> bool:
    """Return True if elements lie outside the storage: ``x.view(torch.uint8)`` of ``quint4x2`` has 12 bytes of 6."""
    if not isinstance(dense, Tensor) or not dense.numel() or packs(dense):
        return False  # what is packed ends with its storage: see ``span``
    # torch has no negative strides, and no negative offsets
    if dense.is_contiguous():
        last = dense.numel() - 1
    else:
        last = sum((n - 1) * step for n, step in zip(dense.shape, dense.stride()))
    last += int(dense.storage_offset())
    # a tensor without an address has no bytes, and none to exceed
    return (last + 1) * dense.itemsize > int(dense.untyped_storage().nbytes()) and bool(address(dense))


def address_of(obj: Any, index: Index) -> int | None:
    """Return the address of an element of a dense object; ``None`` if there are no bytes."""
    reached = span(obj) if is_dense(obj) else None
    if reached is None:
        return None
    if packs(obj):
        return reached.pointer + packed(obj, index)
    return reached.pointer + sum(i * n for i, n in zip_equal(index, reached.strides))


def landmarks(obj: Any) -> list[int]:
    """Return addresses that a dense object reaches: the first and last, and where the elements that are read begin."""
    reached = span(obj) if is_dense(obj) else None
    if reached is None or not reached.nbytes:
        return []
    low, high = reached.bounds()
    starts = [address_of(obj, fills.index_of(place, tuple(obj.shape))) for place in fills.positions(tuple(obj.shape))]
    return [low, high - 1, *(start for start in starts if start is not None)]


def cell_at(obj: Any, wanted: int) -> Index | None:
    """Return the index of an element of a dense object that reaches the address ``wanted``, if one does."""
    reached = span(obj) if is_dense(obj) else None
    if reached is None:
        return None
    low, high = reached.bounds()
    if not low <= wanted < high:
        return None
    distance, width, shape, strides = wanted - low, reached.itemsize, reached.shape, reached.strides
    if packs(obj):
        width, shape, strides = per_byte(obj), tuple(obj.shape), obj.stride()
        distance *= width
    index = [0] * len(shape)
    for axis in sorted(range(len(index)), key=lambda axis: -abs(strides[axis])):
        step, last = strides[axis], shape[axis] - 1
        steps = min(distance // abs(step), last) if step else 0
        distance -= steps * abs(step)
        index[axis] = last - steps if step < 0 else steps
    return tuple(index) if distance < width else None


def extents(obj: Any) -> tuple[Extent, ...]:
    """Return where the bytes of each dense part lie."""
    ranges = []
    for name, dense in parts(obj):
        reached, owned = span(dense), storage(dense)
        if reached is not None and owned is not None:
            start, stop = reached.bounds()
            ranges.append(
                Extent(
                    part=name,
                    start=hex(start),
                    stop=hex(stop),
                    storage_start=hex(owned[0]),
                    storage_stop=hex(owned[1]),
                    strides=reached.strides,
                    shape=reached.shape,
                    itemsize=reached.itemsize,
                )
            )
    return tuple(ranges)


def shape_of(obj: Any) -> tuple[int, ...] | None:
    """Return the shape, of nested lists the lengths along the first items; ``None`` if there is no one shape."""
    if isinstance(obj, Tensor) and obj.is_nested:
        return None
    if isinstance(obj, (Tensor, np.ndarray, np.generic)):
        return tuple(map(int, obj.shape))
    if isinstance(obj, (list, tuple)):
        row = shape_of_item(obj[0]) if obj else ()
        # rows of different lengths are not dimensions
        return (len(obj), *row) if not row or all(shape_of_item(item) == row for item in obj[1:]) else (len(obj),)
    if isinstance(obj, NUMBERS):
        return ()
    carrier = carriers.carrier_of(obj)
    if carrier is None:
        return None
    held = whole(obj)
    return carriers.shape(obj, carrier) if held is obj else shape_of(held)


def shape_of_item(item: Any) -> tuple[int, ...]:
    """Return the shape of an item of a list: what has none, such as None, is one element there, and so are bytes."""
    return () if isinstance(item, bytes) else shape_of(item) or ()


def whole(obj: Any) -> Any:
    """Return the array over the memory of an object with a carrier, if one holds all elements; else ``obj``."""
    if type(obj) in _PLAIN:
        return obj
    carrier = carriers.carrier_of(obj)
    held = [] if carrier is None else carriers.memory(obj, carrier)
    return held[0][1] if held and held[0][0] == "" else obj


_DEEPEST = 64
"""Lists within lists that are inspected: as many as an array has dimensions at most."""


def is_known(obj: Any) -> bool:
    """Return True if ``obj`` is an array, a tensor, a number, or a container of these: more can be told than its type.

    Of a dict or another container with names, only if it holds an array or a tensor.
    """
    for _ in range(_DEEPEST):
        if not isinstance(obj, (list, tuple)) or not obj:
            if has_names(obj):
                return bool(lasting_parts(obj))
            known = isinstance(obj, (Tensor, np.ndarray, list, tuple, *NUMBERS))
            return known or carriers.carrier_of(obj) is not None
        obj = obj[0]
    return False  # it holds itself, or is deeper than any array


def is_record(obj: Any) -> bool:
    """Return True for one record of a structured array: the only NumPy scalar that is a view and can be written."""
    return isinstance(obj, np.void) and obj.dtype.names is not None


def contiguous(reached: Span) -> tuple[Literal["C", "F"], ...]:
    """Return in which orders the elements lie without gaps, as NumPy's flags say it: ``C``, ``F``, both, none."""
    return _contiguous(reached.shape, reached.strides, reached.itemsize)


@functools.lru_cache(maxsize=1024)  # one experiment asks some ten times, and many have one layout
def _contiguous(shape: Index, strides: Index, itemsize: int) -> tuple[Literal["C", "F"], ...]:
    is_empty = not math.prod(shape) * itemsize
    orders: list[Literal["C", "F"]] = []
    for order, axes in (("C", range(len(shape) - 1, -1, -1)), ("F", range(len(shape)))):
        step = itemsize
        for axis in axes:
            if shape[axis] > 1 and strides[axis] != step and not is_empty:
                break
            step *= shape[axis]
        else:
            orders.append(order)  # type: ignore[arg-type]
    return tuple(orders)


def is_lazy_clone(obj: Any) -> bool:
    """Return True for a clone whose copy is put off until it is written, or until its address is asked for."""
    if not isinstance(obj, Tensor) or not is_dense(obj) or is_fake(obj):
        return False
    return hasattr(torch._C, "_is_cow_tensor") and bool(torch._C._is_cow_tensor(obj))


def has_no_bytes(tensor: torch.Tensor) -> bool:
    """Return True for a tensor that has elements and no memory for them."""
    return is_dense(tensor) and tensor.numel() > 0 and address(tensor) is None


def written_part(obj: Any) -> Any:
    """Return what of ``obj`` is written: the first dense part, or the object itself if its library alone writes it."""
    if (carrier := carriers.carrier_of(obj)) is not None and carrier.assign:
        return whole(obj)
    held = parts(obj)
    return held[0][1] if held else obj


def is_unaligned(obj: Any) -> bool:
    """Return True for a tensor whose elements a kernel loads at once and expects at a multiple of their size."""
    if not isinstance(obj, Tensor) or obj.device.type != "cpu":
        return False
    start = address(obj)
    return start is not None and start % obj.itemsize != 0


def is_readable(dense: Any) -> bool:
    """Return True if the bytes of all elements lie in this process, within their storage."""
    return not isinstance(dense, Tensor) or (dense.device.type == "cpu" and not exceeds(dense))


_PACKING = () if torch is None else (torch.quint4x2, torch.quint2x4)


def packs(obj: Any) -> bool:
    """Return True if several elements lie in a byte; torch reads and writes single ones of these past their end."""
    return isinstance(obj, Tensor) and obj.dtype in _PACKING


def packed(tensor: torch.Tensor, index: Index) -> int:
    """Return the offset of the byte that holds an element of a packing dtype, from where the tensor starts."""
    return sum(i * n for i, n in zip_equal(index, tensor.stride())) // per_byte(tensor)


def per_byte(tensor: torch.Tensor) -> int:
    """Return how many elements of a packing dtype lie in a byte: two of ``quint4x2``."""
    return int(str(tensor.dtype)[-1])


def beneath(obj: Any) -> Any:
    """Return what a mask lies over: it hides values from a reader, and no write."""
    return obj.data if isinstance(obj, np.ma.MaskedArray) else obj
