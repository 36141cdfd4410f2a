"""Look at an object and write to it: the only place that knows what a NumPy array, a tensor and a list are made of.

An object is seen as its *dense parts*, each an array or strided tensor with one address: itself for most, values and
indices for a sparse tensor, the rows for a nested one, the arrays for a list of arrays, none for a list of numbers.
Looking never makes a lazy clone copy, and never asks a kind for a pointer that raises or warns when asked.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

from tensorbridge_cli.catalog import dtypes, layouts, states
from tensorbridge_cli.catalog.carriers import ANY_ARROW, Carrier
from tensorbridge_cli.compat import zip_equal
from tensorbridge_cli.lab.stderr_tail import message_of
from tensorbridge_cli.memory import arrow, carriers, mapping
from tensorbridge_cli.memory.overlap import self_overlaps
from tensorbridge_cli.memory.spans import Span
from tensorbridge_cli.pytorch import Module, Tensor, torch
from tensorbridge_cli.records.report import Extent, Library, Object, Origin, Subject, Via
from tensorbridge_cli.records.words import with_article
from tensorbridge_cli.subjects import fills

Index = tuple[int, ...]
NUMBERS = (np.generic, bool, int, float, complex)


class RefusedError(Exception):
    """A library refused to change the object; the message is its own."""


class NotWritableError(Exception):
    """There are no bytes to write, so nothing was tried."""


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


def is_dense(obj: Any) -> bool:
    """Return True if ``obj`` is an array, or a tensor with strides over one storage; a torch.func wrapper has none."""
    if isinstance(obj, Tensor):
        if torch._C._functorch.is_functorch_wrapped_tensor(obj):
            return False
        return obj.layout is torch.strided and not obj.is_nested and not obj.is_mkldnn
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
    carrier = carriers.carrier_of(obj)
    return _parts(obj, most) if carrier is None else carriers.memory(obj, carrier)


def _parts(obj: Any, most: int | None) -> list[tuple[str, Any]]:
    """Return the same of what has no carrier: of a list of ``bytes`` no memory is compared."""
    if is_dense(obj):
        return [("", obj)]
    if isinstance(obj, Tensor):
        if obj.is_nested and obj.layout is torch.strided:
            return [(f"[{i}]", row) for i, row in enumerate(obj.unbind())]
        if obj.is_nested:
            jagged: Any = obj
            return [("values", jagged.values()), ("offsets", jagged.offsets())]
        if obj.layout is torch.sparse_coo:
            return [("values", obj._values()), ("indices", obj._indices())]
        if obj.layout in (torch.sparse_csr, torch.sparse_bsr):
            return [("values", obj.values()), ("crow_indices", obj.crow_indices()), ("col_indices", obj.col_indices())]
        if obj.layout in (torch.sparse_csc, torch.sparse_bsc):
            return [("values", obj.values()), ("ccol_indices", obj.ccol_indices()), ("row_indices", obj.row_indices())]
        return []
    if isinstance(obj, (list, tuple)):
        return [(f"[{i}]{name}", part) for i, item in enumerate(obj[:most]) for name, part in _parts(item, most)]
    return []


def nbytes(obj: Any) -> int:
    """Return the bytes of all elements, of a sparse or nested tensor those of its parts; a number is one of 8."""
    if is_dense(obj) or isinstance(obj, np.generic):
        elements: int = math.prod(obj.shape)
        return elements * int(obj.itemsize)
    if isinstance(obj, (list, tuple)):
        return sum(map(nbytes, obj))
    return 8 if isinstance(obj, NUMBERS) else sum(nbytes(part) for _, part in parts(obj))


_storage_address: Callable[[Any], int] | None = getattr(getattr(torch, "_C", None), "_data_address", None)
"""Returns the address of a tensor's storage; older versions of torch do not have it."""


def address(dense: Any) -> int | None:
    """Return the address of the first element; ``None`` if there are no bytes.

    ``Tensor.data_ptr`` would make a lazy clone copy; the private accessor does not.
    """
    if isinstance(dense, np.ndarray):
        start: int = dense.__array_interface__["data"][0] if type(dense) is np.ndarray else dense.ctypes.data
        return start
    if is_fake(dense):
        return None
    if _storage_address is None:
        pointer: int = dense.data_ptr()
        return pointer if pointer or not dense.numel() else None
    pointer = _storage_address(dense)  # of the storage, without the offset
    if not pointer:
        return None if dense.numel() else 0
    return int(pointer + dense.storage_offset() * dense.itemsize)


def byte_strides(dense: Any) -> tuple[int, ...]:
    """Return the strides in bytes."""
    if isinstance(dense, np.ndarray):
        return dense.strides
    return tuple(stride * dense.itemsize for stride in dense.stride())


def span(dense: Any) -> Span | None:
    """Return the bytes that the elements reach; ``None`` if there are none."""
    start = address(dense)
    if start is None:
        return None
    reached = Span(start, tuple(dense.shape), byte_strides(dense), dense.itemsize)
    if _packs(dense):
        if not dense.numel():
            return Span(start, (0,), (1,), 1)
        size = _packed(dense, tuple(n - 1 for n in dense.shape)) + 1
        # torch counts the offset of a view in bytes, so one may end, or even start, where there is nothing
        size = min(size, _tensor_storage(dense, start)[1] - start)
        return Span(start, (size,), (1,), 1) if size > 0 else None
    return reached


def spans(dense: Any) -> list[Span] | None:
    """Return the bytes that the elements reach, exactly; ``None`` if there are none.

    Of a packing dtype with steps between the elements these are several runs: ``span`` is from the first to the last.
    """
    reached = span(dense)
    if reached is None or not _packs(dense) or not dense.numel() or dense.numel() > fills.FULL:
        return None if reached is None else [reached]
    places = itertools.product(*map(range, dense.shape))
    runs: list[list[int]] = []
    for offset in sorted({_packed(dense, index) for index in places}):
        if offset >= reached.nbytes:
            break
        if runs and runs[-1][1] == offset:
            runs[-1][1] += 1
        else:
            runs.append([offset, offset + 1])
    return [Span(reached.pointer + start, (stop - start,), (1,), 1) for start, stop in runs]


def storage(dense: Any) -> tuple[int, int] | None:
    """Return the byte extent ``[start, stop)`` of the outermost owner, found through ``.base`` and storages."""
    if isinstance(dense, Tensor):
        start = address(dense)
        return None if start is None else _tensor_storage(dense, start)
    outermost = dense
    while isinstance(outermost.base, np.ndarray):
        outermost = outermost.base
    base = outermost.base
    if isinstance(base, Tensor) and is_dense(base):
        return storage(base)
    if base is not None:
        try:
            buffer = np.frombuffer(base, np.uint8)
        except (TypeError, ValueError, BufferError):
            pass
        else:
            start = buffer.__array_interface__["data"][0]
            return start, start + buffer.nbytes
    reached = span(outermost)
    return reached.bounds() if reached else None


def _tensor_storage(dense: torch.Tensor, start: int) -> tuple[int, int]:
    low = start - int(dense.storage_offset()) * dense.itemsize if start else 0  # an empty tensor has none
    return low, low + int(dense.untyped_storage().nbytes())


def exceeds(dense: Any) -> bool:
    """Return True if elements lie outside the storage: ``x.view(torch.uint8)`` of ``quint4x2`` has 12 bytes of 6."""
    if not isinstance(dense, Tensor) or not dense.numel() or _packs(dense):
        return False  # what is packed ends with its storage: see ``span``
    # torch has no negative strides, and no negative offsets
    last = int(dense.storage_offset()) + sum((n - 1) * step for n, step in zip(dense.shape, dense.stride()))
    # a tensor without an address has no bytes, and none to exceed
    return (last + 1) * dense.itemsize > int(dense.untyped_storage().nbytes()) and bool(address(dense))


def address_of(obj: Any, index: Index) -> int | None:
    """Return the address of an element of a dense object; ``None`` if there are no bytes."""
    reached = span(obj) if is_dense(obj) else None
    if reached is None:
        return None
    if _packs(obj):
        return reached.pointer + _packed(obj, index)
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
    if _packs(obj):
        width, shape, strides = _per_byte(obj), tuple(obj.shape), obj.stride()
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
        return tuple(int(n) for n in obj.shape)
    if isinstance(obj, (list, tuple)):
        row = (shape_of(obj[0]) or ()) if obj else ()
        # rows of different lengths are not dimensions
        return (len(obj), *row) if not row or all(shape_of(item) == row for item in obj[1:]) else (len(obj),)
    if isinstance(obj, NUMBERS):
        return ()
    carrier = carriers.carrier_of(obj)
    if carrier is None:
        return None
    held = _dense(obj)
    return carriers.shape(obj, carrier) if held is obj else shape_of(held)


def _dense(obj: Any) -> Any:
    """Return the array over the memory of an object with a carrier, if one holds all elements; else ``obj``."""
    carrier = carriers.carrier_of(obj)
    held = [] if carrier is None else carriers.memory(obj, carrier)
    return held[0][1] if held and held[0][0] == "" else obj


_DEEPEST = 64
"""Lists within lists that are inspected: as many as an array has dimensions at most."""


def is_known(obj: Any) -> bool:
    """Return True if ``obj`` is an array, a tensor, a number, or a list of these: more than its type can be told."""
    for _ in range(_DEEPEST):
        if not isinstance(obj, (list, tuple)) or not obj:
            known = isinstance(obj, (Tensor, np.ndarray, list, tuple, *NUMBERS))
            return known or carriers.carrier_of(obj) is not None
        obj = obj[0]
    return False  # it holds itself, or is deeper than any array


def is_record(obj: Any) -> bool:
    """Return True for one record of a structured array: the only NumPy scalar that is a view and can be written."""
    return isinstance(obj, np.void) and obj.dtype.names is not None


def describe_type(obj: Any) -> Object:
    """Return the type of ``obj``, of which nothing else is asked: its properties may be anybody's code."""
    rest = dict.fromkeys(set(Object.__dataclass_fields__) - {"type"})
    return Object(type=type_name(obj), **rest)


def type_name(obj: Any) -> str:
    """Return the type as a user knows it: ``numpy.ndarray``, ``torch.Tensor``, ``list``."""
    if (carrier := carriers.named(obj)) is not None and carrier.name:
        return carrier.name
    kind = type(obj)
    if getattr(kind, "__module__", "builtins") == "builtins":
        return kind.__qualname__
    # the shortest module that has it: MaskedArray lies in numpy.ma.core up to NumPy 1.26, pyarrow.Buffer in pyarrow.lib
    names = kind.__module__.split(".")
    modules = (".".join(names[:length]) for length in range(1, len(names)))
    public = (module for module in modules if "._" not in module)
    home = next((m for m in public if getattr(sys.modules.get(m), kind.__qualname__, None) is kind), kind.__module__)
    return f"{home}.{kind.__qualname__}"


def describe(obj: Any) -> Object:
    """Return the facts about ``obj`` as it is now."""
    if (carrier := carriers.carrier_of(obj)) is not None:
        return _describe_carrier(obj, carrier)
    dense = is_dense(obj)
    tensor = isinstance(obj, Tensor)
    start = address(obj) if dense else None
    reached = span(obj) if dense else None
    shape = shape_of(obj)
    known = tensor or isinstance(obj, (np.ndarray, np.generic))
    return Object(
        type=type_name(obj),
        dtype=dtypes.name_of(obj.dtype) if known else None,
        shape=shape,
        strides=byte_strides(obj) if dense else None,
        pointer=None if start is None else hex(start),
        nbytes=math.prod(shape) * obj.itemsize if known and shape is not None else None,
        writable=_writable(obj),
        device=str(obj.device) if tensor else "cpu" if known else None,
        aligned=_aligned(obj, start),
        elements_overlap=None if reached is None else self_overlaps(reached),
        requires_grad=obj.requires_grad if tensor else _holds_gradients(obj),
        is_leaf=obj.is_leaf if tensor else None,
        masked=isinstance(obj, np.ma.MaskedArray) if known else None,
        owner=_owner(obj),
        elements=_elements(obj),
        contiguous=None if reached is None or _packs(obj) else _contiguous(reached),
        byte_order=_byte_order(obj.dtype) if isinstance(obj, (np.ndarray, np.generic)) else None,
        version=version(obj),
    )


def _describe_carrier(obj: Any, carrier: Carrier) -> Object:
    held = _dense(obj)
    if held is obj:
        facts = replace(
            describe_type(obj),
            dtype=carriers.numpy_dtype(obj, carrier),
            shape=shape_of(obj),
            device=carriers.device(obj, carrier),
        )
    else:
        facts = replace(describe(held), type=type_name(obj), masked=None, owner=_owner(held, obj))
    # what is not immutable and hands out read-only arrays moves to other memory when it is written
    writable = True if held is obj or carrier.copies_on_write else facts.writable
    if carrier.stored:
        writable = carriers.is_in_a_file(obj, carrier)
    return replace(facts, writable=writable and not carrier.immutable, immutable=carrier.immutable)


def _holds_gradients(obj: Any) -> bool | None:
    """Return whether a tensor in a list requires grad; ``None`` if there is none in it."""
    tensors = [part for _, part in parts(obj) if isinstance(part, Tensor)] if isinstance(obj, (list, tuple)) else []
    return any(part.requires_grad for part in tensors) if tensors else None


_MOST_ELEMENTS = 10_000_000  # half a second


def _elements(obj: Any) -> tuple[str, ...] | None:
    """Return the types of the elements of an object array: all are inspected, since one alone decides on a cast."""
    if not (isinstance(obj, np.ndarray) and obj.dtype == object and obj.size <= _MOST_ELEMENTS):
        return None
    return tuple(sorted({type_name(element) for element in {type(value): value for value in obj.flat}.values()}))


def version(obj: Any) -> int | None:
    """Return how often a tensor was written in place, as autograd counts it; an inference tensor has no counter."""
    return None if not isinstance(obj, Tensor) or obj.is_inference() else int(obj._version)


def _contiguous(reached: Span) -> tuple[Literal["C", "F"], ...]:
    """Return in which orders the elements lie without gaps, as NumPy's flags say it: ``C``, ``F``, both, none."""
    orders: list[Literal["C", "F"]] = []
    for order, axes in (("C", range(len(reached.shape) - 1, -1, -1)), ("F", range(len(reached.shape)))):
        step = reached.itemsize
        for axis in axes:
            if reached.shape[axis] > 1 and reached.strides[axis] != step and reached.nbytes:
                break
            step *= reached.shape[axis]
        else:
            orders.append(order)  # type: ignore[arg-type]
    return tuple(orders)


def _byte_order(dtype: np.dtype[Any]) -> Literal["little", "big"] | None:
    """Return the byte order; ``None`` if it makes no difference, or fields have several."""
    if dtype.byteorder == "=":
        return sys.byteorder
    return {"<": "little", ">": "big"}.get(dtype.byteorder)  # type: ignore[return-value]


def is_lazy_clone(obj: Any) -> bool:
    """Return True for a clone whose copy is put off until it is written, or until its address is asked for."""
    if not isinstance(obj, Tensor) or not is_dense(obj) or is_fake(obj):
        return False
    return hasattr(torch._C, "_is_cow_tensor") and bool(torch._C._is_cow_tensor(obj))


def has_no_bytes(tensor: torch.Tensor) -> bool:
    """Return True for a tensor that has elements and no memory for them."""
    return is_dense(tensor) and tensor.numel() > 0 and address(tensor) is None


def _writable(obj: Any) -> bool | None:
    if isinstance(obj, np.ndarray):
        return bool(obj.flags.writeable)
    if isinstance(obj, Tensor):
        return not (bool(obj._is_zerotensor()) or obj.is_inference())
    if is_record(obj):
        return bool(obj.flags.writeable)
    return isinstance(obj, list) if isinstance(obj, (list, tuple, np.generic, int, float, complex)) else None


def _aligned(obj: Any, start: int | None) -> bool | None:
    if isinstance(obj, np.ndarray):
        return bool(obj.flags.aligned)
    if start is None:
        return None
    # complex numbers are aligned as their halves are
    width: int = obj.itemsize // 2 if obj.is_complex() else obj.itemsize
    return start % width == 0


def _owner(obj: Any, of: Any = None) -> str | None:
    """Return the type of what keeps the bytes alive; through the memoryviews that only hand it on.

    ``of`` is the object whose memory it is, if that is not ``obj``.
    """
    if isinstance(obj, np.ndarray):
        outermost = obj
        while isinstance(outermost.base, np.ndarray):
            outermost = outermost.base
        holder = outermost if outermost.base is None else outermost.base
        while isinstance(holder, memoryview) and holder.obj is not None:
            holder = holder.obj
        if isinstance(holder, arrow.Memory):
            holder = holder.export.owner
        if holder is (obj if of is None else of) or (of is not None and type(holder).__name__ == "PyCapsule"):
            return "itself"  # the capsule that an object answered with keeps the object's memory
        return type_name(holder)
    if of is not None:
        return "itself"
    if isinstance(obj, Tensor) and is_dense(obj) and not is_fake(obj):
        return "torch.UntypedStorage"
    return None


def no_source(obj: Any) -> str:
    """Say that ``obj`` is nothing that a conversion takes, and what to use instead, if its class tells."""
    reason = f"{with_article(type_name(obj))} is not an array, a tensor or a list of numbers"
    instead = next((code for applies, code in _INSTEAD if applies(obj)), None)
    return f"{reason}; use {instead} instead" if instead else reason


def _has(name: str) -> Callable[[Any], bool]:
    """Return a test of an object's class: to ask the object itself may run code of its own."""
    return lambda obj: hasattr(type(obj), name)


_INSTEAD: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (lambda obj: isinstance(obj, Module), "one of its tensors, such as next(x.parameters()),"),
    (lambda obj: isinstance(obj, Mapping), "one of its values"),
    (_has("to_numpy"), "x.to_numpy()"),
    (_has("__array__"), "np.asarray(x)"),
    (_has("__array_interface__"), "np.asarray(x)"),
    (_has("__dlpack__"), "torch.from_dlpack(x)"),
    (_has("__cuda_array_interface__"), "torch.as_tensor(x, device='cuda')"),
)
"""What gives an array or a tensor of an object that is neither; the first that applies."""


def detect(obj: Any, origin: Origin, given: str) -> Subject:
    """Describe an object that a user gave: its library, layout and state words found on it.

    Raises:
        TypeError: if it is nothing that a conversion takes; the message says what it is.
    """
    if (carrier := carriers.carrier_of(obj)) is not None:
        return _detect_carrier(obj, carrier, origin, given)
    owner = library(obj)
    # what torch.func wraps a tensor in outlives the transform if it is kept, and has no storage that could be seen
    if isinstance(obj, Tensor) and torch._C._functorch.is_functorch_wrapped_tensor(obj):
        raise TypeError("a tensor wrapped by torch.func has no storage of its own; pass the wrapped tensor")
    if owner is Library.PYTHON:
        if not isinstance(obj, (list, tuple, int, float, complex, bool)):
            raise TypeError(no_source(obj))
        state = states.join(_list_words(obj)) if isinstance(obj, (list, tuple)) else states.PLAIN
        first: Any = obj
        while isinstance(first, (list, tuple)) and first:
            first = first[0]
        kind = dtypes.name_of(first.dtype) if hasattr(first, "dtype") else type(first).__name__
        return Subject(
            library=owner,
            shape=shape_of(obj) or (),
            dtype=kind,
            layout="nested" if isinstance(obj, (list, tuple)) else "contiguous",
            state=state,
            device="cpu",
            origin=origin,
            given=given,
        )
    return Subject(
        library=owner,
        shape=shape_of(obj) or (),
        dtype=dtypes.name_of(obj.dtype),
        layout=_layout(obj),
        state=states.join(words(obj)),
        device=str(obj.device) if owner is Library.TORCH else "cpu",
        origin=origin,
        given=given,
    )


def _detect_carrier(obj: Any, carrier: Carrier, origin: Origin, given: str) -> Subject:
    try:
        held = _dense(obj)
        if carrier is ANY_ARROW and held is obj:  # its library alone could read its values
            raise TypeError(no_source(obj))
        facts = describe(obj)
    except (ValueError, BufferError) as error:
        raise TypeError(f"the memory of a {type_name(obj)} cannot be reached: {error}") from error
    of_numpy = not carrier.types or carrier.library is Library.BUFFER
    state = carriers.states(obj, carrier) | (set() if held is obj else memory_words(held))
    return Subject(
        library=carrier.library,
        shape=facts.shape or (),
        # the dtype of what has a protocol alone is that of its elements in NumPy
        dtype=str(facts.dtype) if of_numpy else carriers.dtype(obj, carrier),
        layout="contiguous" if held is obj else _layout(held),
        state=states.join(state if facts.writable else state | {"read-only"}),
        device=facts.device or "cpu",
        origin=origin,
        given=given,
    )


def _list_words(obj: Any) -> set[str]:
    dense_parts = [part for _, part in parts(obj)]
    words = {"ragged"} if _is_ragged(obj) else set()
    if not dense_parts:
        return words | {"list"}
    if not any(isinstance(part, Tensor) for part in dense_parts):
        return words | {"list-of-arrays"}
    return words | {"list-of-tensors"} | ({"requires-grad"} if _holds_gradients(obj) else set())


def _is_ragged(obj: Any) -> bool:
    """Return True for nested lists whose rows have different lengths: they form no array."""
    if not isinstance(obj, (list, tuple)):
        return False
    return len(set(map(shape_of, obj))) > 1 or any(map(_is_ragged, obj))


def words(obj: Any) -> set[str]:
    """Return the state words that are true of an array, a NumPy scalar or a tensor."""
    return _torch_words(obj) if isinstance(obj, Tensor) else _numpy_words(obj)


def _layout(obj: Any) -> str:
    if not is_dense(obj) or is_fake(obj):
        return "contiguous"
    reached, owned = span(obj), storage(obj)
    array = isinstance(obj, np.ndarray)
    record = array and isinstance(obj.base, np.ndarray) and obj.base.dtype.names is not None and obj.dtype.names is None
    word = layouts.word_for(
        tuple(obj.shape),
        byte_strides(obj),
        obj.itemsize,
        record=record,
        owns=array and not isinstance(obj.base, np.ndarray),
        offset=reached is not None and owned is not None and bool(reached.pointer) and owned[0] < reached.pointer,
    )
    extra = {"byte-swapped"} if array and not obj.dtype.isnative else set()
    if _aligned(obj, address(obj)) is False:
        extra.add("unaligned")
    if word in ("contiguous", "offset") and extra:
        return "+".join(sorted(extra))
    return "+".join(sorted({word, *extra}))


def _numpy_words(obj: Any) -> set[str]:
    if isinstance(obj, np.generic):
        return {"scalar"}
    words = memory_words(obj)
    if not obj.flags.writeable:
        words.add("read-only")
    if isinstance(obj, np.ma.MaskedArray):
        words.add("masked")
    if isinstance(obj, np.matrix):
        words.add("matrix")
    if type(obj) not in _ARRAY_TYPES:
        words.add("subclass")
    return words


_ARRAY_TYPES = (np.ndarray, np.memmap, np.matrix, np.ma.MaskedArray)
_TENSOR_TYPES = ("Tensor", "Parameter", "FakeTensor", "NestedTensor")


def _torch_words(obj: torch.Tensor) -> set[str]:
    holds = {
        "conjugate-bit": obj.is_conj(),
        "negative-bit": obj.is_neg(),
        "parameter": isinstance(obj, torch.nn.Parameter),
        "requires-grad": obj.requires_grad and obj.is_leaf and not isinstance(obj, torch.nn.Parameter),
        "non-leaf": obj.requires_grad and not obj.is_leaf,
        "inference": obj.is_inference(),
        "zero-tensor": obj._is_zerotensor(),
        "sparse-coo": obj.layout is torch.sparse_coo,
        "sparse-csr": obj.layout is torch.sparse_csr,
        "sparse-csc": obj.layout is torch.sparse_csc,
        "sparse-bsr": obj.layout is torch.sparse_bsr,
        "sparse-bsc": obj.layout is torch.sparse_bsc,
        "subclass": not (type(obj).__name__ in _TENSOR_TYPES and type(obj).__module__.partition(".")[0] == "torch"),
        "quantized": obj.is_quantized,
        "nested": obj.is_nested,
        "mkldnn": obj.is_mkldnn,
        "meta": obj.is_meta and type(obj).__name__ != "FakeTensor",
        "fake": type(obj).__name__ == "FakeTensor",
    }
    words = {word for word, applies in holds.items() if applies}
    if is_dense(obj) and not is_fake(obj):
        words |= memory_words(obj)
        if is_lazy_clone(obj):
            words.add("lazy-clone")
    return words


_SHARED_MEMORY = "/dev/shm/"  # noqa: S108 - where Linux keeps the shared memory that has a name


def memory_words(dense: Any) -> set[str]:
    """Return the state words that the memory of an array or a strided tensor gives it.

    The mapping of its addresses is asked, since a type says little: ``np.asarray`` of a memmap is a plain array. Where
    the system has no answer, the type is asked. An accelerator's memory gives none: on CUDA ``is_shared`` is always
    true.
    """
    on_cpu = isinstance(dense, np.ndarray) or dense.device.type == "cpu"
    reached = span(dense) if on_cpu else None
    if reached is None or not reached.nbytes or not reached.pointer:
        return set()
    start, stop = reached.bounds()
    memory = mapping.lookup(start, stop - start)
    if memory.sharing == mapping.UNKNOWN:
        if isinstance(dense, Tensor):
            return {"shared-memory"} if dense.is_shared() else set()  # type: ignore[no-untyped-call]
        mode = dense.mode if isinstance(dense, np.memmap) and dense._mmap is not None else None  # type: ignore[attr-defined]
        return {"c": {"memory-mapped", "copy-on-write"}, None: set()}.get(mode, {"memory-mapped"})
    words = set()
    if memory.path is not None and not memory.path.startswith(_SHARED_MEMORY):
        words = {"memory-mapped"} if memory.sharing == mapping.SHARED else {"memory-mapped", "copy-on-write"}
    elif memory.sharing == mapping.SHARED:
        words = {"shared-memory"}
    return words if memory.writable else (words - {"copy-on-write"}) | {"read-only"}


_NO_READER = (RuntimeError, SystemError)
"""What is raised where no value can be made: torch has no kernel for a dtype, or four bytes of a NumPy text are no
character (``SystemError: invalid maximum character``)."""


def read(obj: Any) -> list[Any] | None:
    """Return the values that a reader of ``obj`` sees, row-major: all of a small object, the sampled ones of a large.

    ``None`` if there is nothing to read. Where the dtype has no reader the element's bytes stand for it, as
    hexadecimal text.
    """
    if is_fake(obj):
        return None
    obj = _dense(obj)
    if (carrier := carriers.carrier_of(obj)) is not None:
        return _read_carrier(obj, carrier)
    if isinstance(obj, Tensor) and not is_dense(obj):
        if obj.is_nested:
            rows = [read(row) for row in obj.unbind()]
            return None if any(row is None for row in rows) else [value for row in rows for value in row or ()]
        if obj.numel() <= fills.FULL:
            with contextlib.suppress(RuntimeError):  # not every dtype and layout becomes dense: its parts are read
                return read(obj.to_dense())
        by_part = [read(part) for _, part in parts(obj)]
        return [value for values in by_part for value in values or ()] or None
    if isinstance(obj, (list, tuple)):
        shape = shape_of(obj)
        if shape is not None and math.prod(shape) > fills.FULL:
            cells = [read_cell(obj, fills.index_of(place, shape)) for place in fills.positions(shape)]
            return [cell.item() if hasattr(cell, "item") else cell for cell in cells]
        items = [read(item) for item in obj[: fills.FULL]]
        return None if any(item is None for item in items) else [value for item in items for value in item or ()]
    if not is_dense(obj):
        return [obj.item() if hasattr(obj, "item") else obj] if isinstance(obj, NUMBERS) else None
    if isinstance(obj, Tensor) and obj._is_zerotensor():
        return read(obj.clone())
    shape = tuple(obj.shape)
    if exceeds(obj):
        return None  # what lies behind the storage's end is nobody's
    if _reads(obj):
        obj = _aligned_copy(obj)
        with contextlib.suppress(*_NO_READER):
            if math.prod(shape) <= fills.FULL:
                elements: list[Any] = _plain(obj).reshape(-1).tolist()
                return elements
            return [_item(obj, fills.index_of(i, shape)) for i in fills.positions(shape)]
    return _raw(obj, [fills.index_of(i, shape) for i in fills.positions(shape)])


def written_part(obj: Any) -> Any:
    """Return what of ``obj`` is written: the first dense part, or the object itself if its library alone writes it."""
    if (carrier := carriers.carrier_of(obj)) is not None and carrier.assign:
        return _dense(obj)
    held = parts(obj)
    return held[0][1] if held else obj


def _read_carrier(obj: Any, carrier: Carrier) -> list[Any]:
    shape = shape_of(obj) or ()
    if math.prod(shape) <= fills.FULL:
        return carriers.values(obj, carrier)
    return [carriers.element(obj, carrier, fills.index_of(i, shape)) for i in fills.positions(shape)]


def read_cell(obj: Any, index: Index) -> Any:
    """Return one value as a reader sees it; ``None`` if it cannot be read."""
    obj = _dense(obj)
    if (carrier := carriers.carrier_of(obj)) is not None:
        return carriers.element(obj, carrier, index)
    if isinstance(obj, (list, tuple)):
        for i in index:
            obj = obj[i]
        return obj
    if is_dense(obj) and exceeds(obj):
        return None
    if _reads(obj):
        with contextlib.suppress(*_NO_READER):  # its bytes are read
            return _item(_aligned_cell(obj, index), ()) if _is_unaligned(obj) else _item(obj, index)
    raw = _raw(obj, [index])
    return raw[0] if raw else None


def _item(obj: Any, index: Index) -> Any:
    element = _plain(obj)[index] if is_dense(obj) else obj
    if isinstance(obj, np.ndarray) and obj.dtype == object:
        return element  # an object of the user's, which may be an array itself
    return element.item() if hasattr(element, "item") else element


def _plain(obj: Any) -> Any:
    """Return ``obj`` without what gets in the way of reading: matrix indexing, gradients, a calendar's units."""
    if isinstance(obj, Tensor):
        return obj.detach()
    if isinstance(obj, np.matrix):
        obj = np.asarray(obj)
    return obj.astype(f"i{obj.itemsize}") if obj.dtype.kind in "mM" else obj


def _raw(dense: Any, places: list[Index]) -> list[str] | None:
    reached = span(dense) if is_dense(dense) else None
    if reached is None or not _is_readable(dense):
        return None
    if _packs(dense):
        last = reached.shape[0] - 1
        starts = [reached.pointer + min(_packed(dense, index), last) for index in places]
        return [f"0x{ctypes.string_at(start, 1).hex()}" for start in starts]
    texts = []
    for index in places:
        start = reached.pointer + sum(i * stride for i, stride in zip_equal(index, reached.strides))
        texts.append("0x" + ctypes.string_at(start, reached.itemsize).hex())
    return texts


def _reads(obj: Any) -> bool:
    """Return True if torch's own kernels may read the elements; where they end the process the bytes are read."""
    return not _packs(obj) and not _lost_its_quantizer(obj)


def _lost_its_quantizer(obj: Any) -> bool:
    """Return True for a quantized tensor whose quantizer is that of another one.

    Every kernel for ``x.view(torch.uint8)`` is SIGSEGV. ``x.reshape(-1)`` keeps the scales of the channels of ``x``,
    and its elements are looked up among these.
    """
    if not isinstance(obj, Tensor) or not obj.is_quantized:
        return False
    if str(obj.dtype) not in _QUANTIZED:
        return True
    try:
        scheme = obj.qscheme()
    except RuntimeError:  # of an unknown quantizer: there are no scales that could be another's
        return False
    if scheme not in (torch.per_channel_affine, torch.per_channel_affine_float_qparams):
        return False
    axis = obj.q_per_channel_axis()
    return axis >= obj.dim() or len(obj.q_per_channel_scales()) != obj.shape[axis]


_QUANTIZED = ("torch.qint8", "torch.quint8", "torch.qint32", "torch.quint4x2", "torch.quint2x4")


def _is_unaligned(obj: Any) -> bool:
    """Return True for a tensor whose elements a kernel loads at once and expects at a multiple of their size."""
    if not isinstance(obj, Tensor) or obj.device.type != "cpu":
        return False
    start = address(obj)
    return start is not None and start % obj.itemsize != 0


def _aligned_copy(obj: Any) -> Any:
    """Return ``obj``, or of an unaligned tensor that is read whole a copy of its bytes at an aligned address.

    A vectorised kernel over unaligned ``complex128`` crashes the process: it loads 16 bytes with an instruction that
    wants them aligned. What reads element by element (``tolist`` of a contiguous one) gets through.
    """
    if not _is_unaligned(obj) or obj.numel() > fills.FULL or obj.is_quantized:
        return obj
    return _from_octets(_octets(obj), obj, tuple(obj.shape))


def _aligned_cell(tensor: torch.Tensor, index: Index) -> Any:
    start = address_of(tensor, index)
    if start is None or tensor.is_quantized:
        return tensor[index]
    return _from_octets(ctypes.string_at(start, tensor.itemsize), tensor, ())


def _from_octets(octets: bytes | None, like: torch.Tensor, shape: Index) -> Any:
    """Return an aligned tensor of ``shape`` with the bytes ``octets`` and what is lazy about ``like``."""
    if octets is None:
        return like
    with torch.inference_mode(False):
        copy = torch.empty(shape, dtype=like.dtype)
    ctypes.memmove(copy.untyped_storage().data_ptr(), octets, len(octets))
    if like.is_conj():
        copy = copy.conj()
    return torch._neg_view(copy) if like.is_neg() else copy


def octets(obj: Any, spots: tuple[tuple[Any, Index], ...] = ()) -> tuple[bytes, ...] | None:
    """Return the bytes of the elements of all dense parts of ``obj``: of large parts, those of the sampled elements.

    ``None`` if not all of them can be read: a list of numbers has none, an accelerator's are elsewhere. ``spots``
    are more elements to read, of parts that may be large.
    """
    by_part = [_octets(dense) for _, dense in parts(obj)]
    by_part += [_octets_of(dense, [index]) for dense, index in spots]
    return None if not by_part or None in by_part else tuple(filter(None, by_part))


def _octets(dense: Any) -> bytes | None:
    shape = tuple(dense.shape)
    if math.prod(shape) > fills.FULL:
        return _octets_of(dense, [fills.index_of(place, shape) for place in fills.positions(shape)])
    reached = span(dense)
    if reached is None or not _is_readable(dense):
        return None
    if reached.nbytes == 0:
        return b""
    return ctypes.string_at(reached.pointer, reached.nbytes) if "C" in _contiguous(reached) else _gather(reached)


def _gather(reached: Span) -> bytes:
    """Return the bytes of the elements one after the other, row-major; each element is an opaque one to NumPy."""
    interface = {
        "version": 3,
        "typestr": f"|V{reached.itemsize}",
        "data": (reached.pointer, True),
        "shape": reached.shape,
        "strides": reached.strides,
    }
    return np.asarray(SimpleNamespace(__array_interface__=interface)).tobytes()


def _octets_of(dense: Any, places: list[Index]) -> bytes | None:
    if not _is_readable(dense):
        return None
    starts = [address_of(dense, place) for place in places]
    width = 1 if _packs(dense) else dense.itemsize
    return None if None in starts else b"".join(ctypes.string_at(start or 0, width) for start in starts)


def _is_readable(dense: Any) -> bool:
    return not isinstance(dense, Tensor) or (dense.device.type == "cpu" and not exceeds(dense))


def _packs(obj: Any) -> bool:
    """Return True if several elements lie in a byte; torch reads and writes single ones of these past their end."""
    return isinstance(obj, Tensor) and obj.dtype in (torch.quint4x2, torch.quint2x4)


def _packed(tensor: torch.Tensor, index: Index) -> int:
    """Return the offset of the byte that holds an element of a packing dtype, from where the tensor starts."""
    return sum(i * n for i, n in zip_equal(index, tensor.stride())) // _per_byte(tensor)


def _per_byte(tensor: torch.Tensor) -> int:
    """Return how many elements of a packing dtype lie in a byte: two of ``quint4x2``."""
    return int(str(tensor.dtype)[-1])


def differ(a: Any, b: Any) -> bool:
    """Return True if two values differ to a reader; NaN equals NaN."""
    if a is b:
        return False
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) != len(b) or any(differ(x, y) for x, y in zip_equal(a, b))
    for kind in (np.ndarray, Tensor):  # in a record, or in an object array
        if isinstance(a, kind) and isinstance(b, kind):
            return shape_of(a) != shape_of(b) or differ(read(a), read(b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() != b.keys() or any(differ(a[key], b[key]) for key in a)
    try:
        if a == b:
            return False
        if isinstance(a, complex) and isinstance(b, complex):
            return differ(a.real, b.real) or differ(a.imag, b.imag)
        return not (a != a and b != b)
    except Exception:  # an object array's elements have any code of the user's
        return True


_SHORT: dict[str, Any] = {
    "float16": np.float16,
    "float32": np.float32,
    "complex32": np.float16,
    "complex64": np.float32,
}


def as_text(value: Any, holder: Any = None) -> str:
    """Return a value as evidence: the shortest text that is this value in ``holder``'s dtype, cut at 40 characters."""
    return as_texts([value], holder)[0]


def as_texts(values: Iterable[Any], holder: Any = None) -> tuple[str, ...]:
    """Return each of ``values`` as ``as_text`` does."""
    name = dtypes.name_of(holder.dtype) if hasattr(holder, "dtype") else ""
    return tuple(_in_dtype(value, name) for value in values)


def _in_dtype(value: Any, name: str) -> str:
    if isinstance(value, str) and value.startswith("0x"):
        text = value
    elif name in _SHORT and isinstance(value, float):
        text = str(_SHORT[name](value))
    elif name in _SHORT and isinstance(value, complex):
        real, imaginary = str(_SHORT[name](value.real)), str(_SHORT[name](value.imag))
        text = f"({real}{'' if imaginary.startswith('-') else '+'}{imaginary}j)"
    elif name == "bfloat16" or name.startswith("float8"):
        text = f"{value:.4g}" if isinstance(value, float) else repr(value)
    else:
        text = str(value) if isinstance(value, np.generic) else repr(value)
    return text if len(text) <= 40 else text[:39] + "…"


def texts_apart(a: Any, holder_a: Any, b: Any, holder_b: Any) -> tuple[str, str]:
    """Return two different values as texts that differ: in the shortest form 0.1 of float32 is 0.1 of float64."""
    texts = _without_exponent(a, as_text(a, holder_a)), _without_exponent(b, as_text(b, holder_b))
    if not _say_the_same(*texts):
        return texts
    if isinstance(a, str) and isinstance(b, str):  # as hexadecimal text, and two long ones: from where they differ
        start = max(0, next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b))) - 8)
        return as_text("…" * (start > 0) + a[start:]), as_text("…" * (start > 0) + b[start:])
    whole = repr(a), repr(b)
    if whole[0] != whole[1] and all(len(text) <= 80 for text in whole):
        return whole
    if all(isinstance(value, (int, float, np.floating)) for value in (a, b)):
        with contextlib.suppress(ValueError, OverflowError):  # a long double: the decimal digits of its binary value
            exact = tuple(np.format_float_scientific(np.longdouble(value), precision=36, trim="-") for value in (a, b))
            if exact[0] != exact[1]:
                return exact[0], exact[1]
    return f"{texts[0]} ({type(a).__name__})", f"{texts[1]} ({type(b).__name__})"


def _without_exponent(value: Any, text: str) -> str:
    """Return ``16777216.0`` for ``1.6777216e+07``: beside 16777217 it is seen at once what is lost."""
    plain = isinstance(value, float) and "e" in text and "e" not in repr(value)
    return repr(value) if plain else text


def _say_the_same(a: str, b: str) -> bool:
    if a == b:
        return True
    try:
        return complex(a) == complex(b)  # (0.1+1j) and (0.1+1.0j)
    except ValueError:
        return False


def beneath(obj: Any) -> Any:
    """Return what a mask lies over: it hides values from a reader, and no write."""
    return obj.data if isinstance(obj, np.ma.MaskedArray) else obj


def write(obj: Any, index: Index, meeting: Sequence[int] = ()) -> tuple[str, Via]:
    """Write another value than the one at ``index`` of a dense part or nested list; return it and how it was written.

    Args:
        obj: The dense part or list, or an object with a carrier, which is written as its library writes it.
        index: Which element.
        meeting: Offsets of the bytes of that element which the other object reaches. If it does not reach all of them,
            one at least of these is changed: a write in the bytes beside them cannot show.

    Raises:
        RefusedError: if the library refuses to change the object.
        NotWritableError: if there are no bytes, or no value could be made that differs.
    """
    if is_fake(obj) or (is_dense(obj) and exceeds(obj)):
        raise NotWritableError("it has no bytes to write")
    if (carrier := carriers.carrier_of(obj)) is not None and carriers.is_in_a_file(obj, carrier):
        raise NotWritableError("a write would change a file")
    before, octets_before = read_cell(beneath(obj), index), cell_octets(obj, index)
    for value in itertools.chain(_candidates(obj, index, before), _in_every_byte(_dense(obj), octets_before)):
        if not differ(value, before):
            continue
        try:
            _assign(obj, index, value)
        except NotImplementedError:  # no kernel that assigns this dtype: its bytes are written
            break
        except Exception as error:
            if "not implemented for" in str(error):
                break
            raise RefusedError(f"{type(error).__name__}: {message_of(error)}") from error
        after = read_cell(beneath(obj), index)
        if differ(after, before) and _changes_one(octets_before, cell_octets(obj, index), meeting):
            return as_text(after, _dense(obj)), Via.ASSIGNMENT
    if isinstance(obj, Tensor) and is_dense(obj):
        return _write_bytes(obj, index, before), Via.BYTES
    raise NotWritableError("no other value could be written")


def cell_octets(obj: Any, index: Index) -> bytes | None:
    """Return the bytes of one element; ``None`` if they cannot be read."""
    held = _dense(obj)
    return _octets_of(beneath(held), [index]) if is_dense(held) else None


def _changes_one(before: bytes | None, after: bytes | None, meeting: Sequence[int]) -> bool:
    if before is None or after is None or not meeting:
        return True
    return any(before[offset] != after[offset] for offset in meeting)


def put_bools_back() -> None:
    """Make NumPy's one and only False and True what they were: a write through a view of a scalar reaches these."""
    for value, octet in ((np.False_, 0), (np.True_, 1)):
        ctypes.memset(np.frombuffer(value, np.uint8).ctypes.data, octet, 1)


def _assign(obj: Any, index: Index, value: Any) -> None:
    if (carrier := carriers.carrier_of(obj)) is not None:
        carriers.assign(obj, carrier, index, value)
        return
    if isinstance(obj, Tensor):
        with torch.no_grad():
            obj[index] = value
        return
    if isinstance(obj, list):
        for i in index[:-1]:
            obj = obj[i]
        obj[index[-1]] = value
        return
    if is_record(obj):
        for name in obj.dtype.names:
            obj[name] = value[name]
        return
    obj[index] = value


def _candidates(obj: Any, index: Index, before: Any) -> list[Any]:
    """Return values that a user might write, at least one of them other than ``before``; none if none can be."""
    if _packs(obj):
        return []
    carrier, owner, obj = carriers.carrier_of(obj), obj, _dense(obj)
    dtype = getattr(obj, "dtype", None)
    kind = dtype.kind if isinstance(dtype, np.dtype) else ""
    if carrier is not None and (not kind or kind not in "biufc"):
        return _candidates_of_library(owner, carrier, before)
    if kind in "mM" and kind:
        return [np.array(number).astype(dtype) for number in (100, 111)]
    if kind == "U":
        return ["w", "v"]
    if kind == "S":
        return [b"w", b"v"]
    if kind == "O":
        return [[100], [111]]
    if kind == "V":
        if obj.dtype.hasobject:
            return []
        width = obj.dtype.itemsize
        octets = obj[index].tobytes()
        # a flipped bit of a NaN is still NaN to a reader
        others = (bytes([octets[0] ^ 1]) + octets[1:], b"\1" * width, b"\0" * width)
        return [np.frombuffer(other, obj.dtype)[0] for other in others]
    if isinstance(before, bool):
        return [not before]
    if isinstance(before, int):
        return [100, 111]
    if isinstance(before, complex) or kind == "c":
        return [100 + 0j, 111 + 0j]
    return [100.0, 111.0, 0.5]


def _candidates_of_library(obj: Any, carrier: Carrier, before: Any) -> list[Any]:
    """Return values that the library can hold there: those of the object's other elements, and another text.

    What it cannot hold, such as another category, it refuses, and that says nothing of the memory.
    """
    held = _read_carrier(obj, carrier)
    of_its_type = [value for value in held if type(value) is type(before)]
    alike = [value for value in of_its_type if differ(value, before)]
    others: list[Any] = []
    if isinstance(before, str) and carriers.dtype(obj, carrier) != "category":
        others = ["w", "v"]
    elif isinstance(before, bool):
        others = [not before]
    elif isinstance(before, (int, float)) and of_its_type:  # and is not the number of days of a date
        others = [before + 1, before - 1]
    return [*alike, *others] or held


def _in_every_byte(obj: Any, octets: bytes | None) -> Iterator[Any]:
    """Yield values that differ in every byte: 100 for 1 changes one byte of an ``int64``, and the other may miss it.

    The padding of a long double, and the zero bytes of a character's code, are not part of any value.
    """
    if octets is None or _packs(obj):
        return
    for mask in (0x01, 0x02, 0x10):
        other = bytes(octet ^ mask for octet in octets)
        if isinstance(obj, Tensor):
            if obj.is_floating_point() or obj.is_complex() or dtypes.name_of(obj.dtype) in _INTEGERS:
                yield _from_octets(other, obj, ())
        elif obj.dtype.kind == "U":
            codes = np.frombuffer(octets, "u4" if obj.dtype.isnative else np.dtype("u4").newbyteorder())
            yield "".join(chr(code ^ (mask * 0x10101)) for code in codes.tolist())
        elif obj.dtype.kind not in "bO" and not obj.dtype.hasobject:
            yield np.frombuffer(other, obj.dtype)[0]


_INTEGERS = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))


def _write_bytes(tensor: torch.Tensor, index: Index, before: Any) -> str:
    """Flip the lowest bit of each byte of the element through the storage; return the element after it.

    In a byte that packs several elements the lowest bit of each is flipped.
    """
    octets = tensor.untyped_storage()
    reached = span(tensor)
    if tensor.device.type != "cpu" or reached is None or not octets.nbytes():
        raise NotWritableError("its bytes are not accessible")
    packed = _packs(tensor)
    steps = _packed(tensor, index) if packed else sum(i * n for i, n in zip_equal(index, tensor.stride()))
    offset = int(tensor.storage_offset() + steps) * tensor.itemsize
    try:
        for place in range(offset, offset + (1 if packed else tensor.itemsize)):
            octets[place] = octets[place] ^ (0b01010101 if packed else 1)
    except Exception as error:
        raise RefusedError(f"{type(error).__name__}: {message_of(error)}") from error
    after = read_cell(tensor, index)
    if not differ(after, before):
        raise NotWritableError("a write through the storage does not change the tensor itself")
    return as_text(after, tensor)
