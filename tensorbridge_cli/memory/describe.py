"""Describe an object: its type, dtype, layout, state and owner. The one classifier, for `inspect` and for `trace`."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from tensorbridge_cli.catalog import dtypes, layouts, states
from tensorbridge_cli.catalog.carriers import ANY_ARROW, Carrier
from tensorbridge_cli.memory import arrays, arrow, carriers, mapping
from tensorbridge_cli.memory.overlap import self_overlaps
from tensorbridge_cli.memory.parts import (
    OF_PYTHON,
    address,
    byte_strides,
    contiguous,
    contradiction,
    has_names,
    is_dense,
    is_fake,
    is_lazy_clone,
    is_record,
    lasting_parts,
    library,
    nbytes,
    packs,
    parts,
    pretends,
    shape_of,
    shape_of_item,
    span,
    storage,
    whole,
)
from tensorbridge_cli.pytorch import Tensor, torch
from tensorbridge_cli.records.enums import Library, Origin
from tensorbridge_cli.records.report import Object, Subject
from tensorbridge_cli.records.words import with_article


def describe_type(obj: Any) -> Object:
    """Return the type of ``obj``, of which nothing else is asked: its properties may be anybody's code."""
    rest = dict.fromkeys(set(Object.__dataclass_fields__) - {"type"})
    return Object(type=type_name(obj), **rest)


_NAMES = {np.ndarray: "numpy.ndarray", Tensor: "torch.Tensor"}
"""What the search below finds of those that are asked for ten times an experiment."""


def type_name(obj: Any) -> str:
    """Return the type as a user knows it: ``numpy.ndarray``, ``torch.Tensor``, ``list``."""
    kind = type(obj)
    if kind in _NAMES:
        return _NAMES[kind]
    if (carrier := carriers.named(obj)) is not None and carrier.name:
        return carrier.name
    return arrays.public_name(kind)


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
        nbytes=_nbytes(obj, shape if known else None),
        writable=_writable(obj),
        device=str(obj.device) if tensor else "cpu" if known else None,
        aligned=_aligned(obj, start),
        elements_overlap=None if reached is None else self_overlaps(reached),
        requires_grad=obj.requires_grad if tensor else _holds_gradients(obj),
        is_leaf=is_leaf(obj) if tensor else None,
        masked=isinstance(obj, np.ma.MaskedArray) if known else None,
        owner=_owner(obj),
        elements=_elements(obj),
        contiguous=None if reached is None or packs(obj) else contiguous(reached),
        byte_order=_byte_order(obj.dtype) if isinstance(obj, (np.ndarray, np.generic)) else None,
        version=version(obj),
    )


def _nbytes(obj: Any, shape: tuple[int, ...] | None) -> int | None:
    """Return the bytes of what has one shape; of a dict, a dataclass or a module those of its parts."""
    if shape is not None:
        return int(math.prod(shape) * obj.itemsize)
    return nbytes(obj) if has_names(obj) else None


def _describe_carrier(obj: Any, carrier: Carrier) -> Object:
    held = whole(obj)
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
    holds = isinstance(obj, (list, tuple)) or has_names(obj)
    tensors = [part for _, part in parts(obj) if isinstance(part, Tensor)] if holds else []
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


def is_leaf(tensor: torch.Tensor) -> bool | None:
    """Return whether a tensor is a leaf; ``None`` if torch raises when it is asked.

    So it is of a view that was created in ``no_grad`` mode, and whose base was written with gradients since: torch
    forbids most uses of it.
    """
    try:
        return tensor.is_leaf
    except RuntimeError:
        return None


def _byte_order(dtype: np.dtype[Any]) -> Literal["little", "big"] | None:
    """Return the byte order; ``None`` if it makes no difference, or fields have several."""
    if dtype.byteorder == "=":
        return sys.byteorder
    return {"<": "little", ">": "big"}.get(dtype.byteorder)  # type: ignore[return-value]


def _writable(obj: Any) -> bool | None:
    if isinstance(obj, np.ndarray):
        return bool(obj.flags.writeable)
    if isinstance(obj, Tensor):
        return not (bool(obj._is_zerotensor()) or obj.is_inference())
    if is_record(obj):
        return bool(obj.flags.writeable)
    if isinstance(obj, (list, tuple)) or has_names(obj):
        of_parts = {_writable(part) for _, part in parts(obj)}  # a tuple of arrays is written through them
        if of_parts:
            return of_parts.pop() if len(of_parts) == 1 else None
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
        holder = arrays.holder(obj)
        if isinstance(holder, arrow.ExportedMemory):
            holder = holder.export.owner
        if holder is (obj if of is None else of) or (of is not None and type(holder).__name__ == "PyCapsule"):
            return "itself"  # the capsule that an object answered with keeps the object's memory
        return type_name(holder)
    if of is not None:
        return "itself"
    if isinstance(obj, Tensor) and is_dense(obj) and not is_fake(obj):
        return "torch.UntypedStorage"
    return None


def no_object(obj: Any) -> str:
    """Say that ``obj`` is nothing that a conversion takes; nothing but its type is asked."""
    return f"{with_article(type_name(obj))} is not an array, a tensor or a list of numbers"


def no_source(obj: Any) -> str:
    """Say that ``obj`` is nothing that a conversion takes, and what to use instead, if its class tells."""
    reason = no_object(obj)
    instead = next((code for applies, code in _INSTEAD if applies(obj)), None)
    return f"{reason}; use {instead} instead" if instead else reason


def _has(name: str) -> Callable[[Any], bool]:
    """Return a test of an object's class: to ask the object itself may run code of its own."""
    return lambda obj: hasattr(type(obj), name)


_INSTEAD: tuple[tuple[Callable[[Any], bool], str], ...] = (
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
    if pretends(obj):
        raise TypeError(no_object(obj))
    if reason := contradiction(obj):
        raise TypeError(reason)
    if isinstance(obj, (list, tuple)) and _contains_itself(obj, ()):
        raise TypeError(f"a {type_name(obj)} that contains itself is not a list of numbers")
    if (carrier := carriers.carrier_of(obj)) is not None:
        return _detect_carrier(obj, carrier, origin, given)
    if has_names(obj):
        return _detect_container(obj, origin, given)
    owner = library(obj)
    # what torch.func wraps a tensor in outlives the transform if it is kept, and has no storage that could be seen
    if isinstance(obj, Tensor) and (
        torch._C._functorch.is_functorch_wrapped_tensor(obj) or torch._is_functional_tensor(obj)
    ):
        raise TypeError("a tensor wrapped by torch.func has no storage of its own; pass the wrapped tensor")
    if owner is Library.PYTHON:
        if not isinstance(obj, (list, tuple, int, float, complex, bool)):
            raise TypeError(no_source(obj))
        state = states.join(_list_words(obj)) if isinstance(obj, (list, tuple)) else states.PLAIN
        return Subject(
            library=owner,
            shape=shape_of(obj) or (),
            dtype=", ".join(dict.fromkeys(_dtypes_in(obj))) or type(obj).__name__,
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


def _dtypes_in(obj: Any) -> Iterator[str]:
    """Yield the dtypes of the items of nested lists; of Python's own objects the type."""
    if isinstance(obj, (list, tuple)):
        for kind in dict.fromkeys(map(type, obj)):
            items: list[Any] = [item for item in obj if type(item) is kind]
            if kind in OF_PYTHON:  # one stands for all of a list, of integers the extremes
                items = [min(items), max(items)] if kind is int else items[:1]
            for item in items:
                yield from _dtypes_in(item)
    elif type(obj) is int and not -(2**63) <= obj < 2**63:
        yield "int beyond int64"  # no sentence promises that it is accepted
    else:
        yield dtypes.name_of(obj.dtype) if hasattr(obj, "dtype") else type(obj).__name__


def _contains_itself(items: Any, within: tuple[int, ...]) -> bool:
    """Return True if a list is among its own items, or theirs; the first items tell how deep a list of numbers is."""
    inner = (*within, id(items))
    lists = [item for item in items[:_MOST_ELEMENTS] if isinstance(item, (list, tuple))]
    return any(id(item) in inner for item in lists) or any(_contains_itself(item, inner) for item in lists)


def _detect_carrier(obj: Any, carrier: Carrier, origin: Origin, given: str) -> Subject:
    try:
        held = whole(obj)
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


def _detect_container(obj: Any, origin: Origin, given: str) -> Subject:
    """Describe a dict, a dataclass or a module by the arrays and tensors that it holds."""
    held = [part for _, part in lasting_parts(obj)]
    if not held:
        raise TypeError(f"{with_article(type_name(obj))} without an array or a tensor of its own is not a source")
    return Subject(
        library=Library.PYTHON,
        shape=(),
        dtype=", ".join(dict.fromkeys(dtypes.name_of(part.dtype) for part in held)),
        layout="nested",
        state=states.join({"container"} | ({"requires-grad"} if _holds_gradients(obj) else set())),
        device=", ".join(devices(held)),
        origin=origin,
        given=given,
    )


def devices(held: Iterable[Any]) -> list[str]:
    """Return the devices of the arrays and tensors that a container holds, each once."""
    return list(dict.fromkeys(str(part.device) if isinstance(part, Tensor) else "cpu" for part in held))


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
    return len(set(map(shape_of_item, obj))) > 1 or any(map(_is_ragged, obj))


def words(obj: Any) -> set[str]:
    """Return the state words that are true of an array, a NumPy scalar or a tensor."""
    return _torch_words(obj) if isinstance(obj, Tensor) else _numpy_words(obj)


def _layout(obj: Any) -> str:
    if not is_dense(obj) or is_fake(obj):
        return "contiguous"
    reached, owned = span(obj), storage(obj)
    offset = reached is not None and owned is not None and bool(reached.pointer) and owned[0] < reached.pointer
    if isinstance(obj, np.ndarray):
        return arrays.layout(obj, offset)
    word = layouts.word_for(tuple(obj.shape), byte_strides(obj), obj.itemsize, record=False, owns=False, offset=offset)
    return layouts.joined(word, {"unaligned"} if _aligned(obj, address(obj)) is False else set())


def _numpy_words(obj: Any) -> set[str]:
    return {"scalar"} if isinstance(obj, np.generic) else arrays.words(obj)


_TENSOR_TYPES = ("Tensor", "Parameter", "FakeTensor", "NestedTensor")


def _torch_words(obj: torch.Tensor) -> set[str]:
    # as isinstance tells, which would ask an object for _is_param, and so its own __getattr__
    is_parameter = issubclass(type(obj), torch.nn.Parameter) or bool(vars(obj).get("_is_param"))
    holds = {
        "conjugate-bit": obj.is_conj(),
        "negative-bit": obj.is_neg(),
        "parameter": obj.requires_grad and is_parameter,  # a frozen one converts as any tensor does
        "requires-grad": obj.requires_grad and is_leaf(obj) is True and not is_parameter,
        "non-leaf": obj.requires_grad and not is_leaf(obj),
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


def memory_words(dense: Any) -> set[str]:
    """Return the state words that the memory of an array or a strided tensor gives it.

    Where the system does not tell of a tensor's memory, PyTorch is asked. An accelerator's memory gives none: on CUDA
    ``is_shared`` is always true.
    """
    if isinstance(dense, np.ndarray):
        return arrays.memory_words(dense)
    reached = span(dense) if dense.device.type == "cpu" else None
    if reached is None or not reached.nbytes or not reached.pointer:
        return set()
    start, stop = reached.bounds()
    memory = mapping.lookup(start, stop - start)
    if memory.sharing == mapping.UNKNOWN:
        return {"shared-memory"} if dense.is_shared() else set()
    return arrays.mapping_words(memory)
