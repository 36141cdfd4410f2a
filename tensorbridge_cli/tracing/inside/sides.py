"""What an object of a program's is, for the report: the words are those of ``inspect``, and come from the same code.

That code, which knows every kind of array and tensor, is imported at the first object that is inspected closely, and
only where the program has imported torch: it imports torch itself.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorbridge_cli.memory.spans import Span
from tensorbridge_cli.memory.storages import storage_address
from tensorbridge_cli.tracing import is_installed
from tensorbridge_cli.tracing.inside.classify import answers_itself, package_of
from tensorbridge_cli.tracing.inside.imports import loaded
from tensorbridge_cli.tracing.inside.records import Note, SideSeen

if TYPE_CHECKING:
    from tensorbridge_cli.catalog.carriers import Carrier

IMMUTABLE = frozenset({"pyarrow", "jax", "jaxlib", "polars"})
"""Libraries whose arrays may not be written, by their documentation; not all say so where they hand out an address."""

_PLAIN = (str, bytes, bytearray, memoryview, list, tuple, dict, set, range, int, float, complex)


class ExportedBuffer(NamedTuple):
    """The memory of an object of another library: where it is, and whether it may be written; None if not told."""

    address: int
    nbytes: int
    readonly: bool | None


def dtype_name(dtype: Any) -> str | None:
    """Return the one name of a dtype of NumPy or torch, as in ``inspect``; None for anything else."""
    if package_of(type(dtype)) not in ("numpy", "torch"):
        return None
    from tensorbridge_cli.catalog.dtypes import name_of

    return name_of(dtype)


def side(obj: Any) -> SideSeen:
    """Return what a sample tells of one object; its type is asked, since a mock or a proxy has the class of another."""
    numpy, torch = loaded("numpy"), loaded("torch")
    kind = "tensor" if torch is not None and issubclass(type(obj), torch.Tensor) else "array"
    if kind == "array" and (numpy is None or not issubclass(type(obj), numpy.ndarray)):
        return SideSeen(_name(type(obj)))
    if answers_itself(obj):
        return SideSeen(kind)
    try:
        return _described(kind, obj) if torch is not None else _array(obj)
    except TypeError:  # inside a transform (torch.func) a tensor is wrapped: it has no storage of its own
        return SideSeen(kind)


def _name(kind: type) -> str:
    """Return the name of a type; that of an ``array.array`` says that it is none of NumPy's."""
    return kind.__name__ if kind.__name__ not in ("array", "tensor") else f"{kind.__module__}.{kind.__name__}"


def _described(kind: str, obj: Any) -> SideSeen:
    import torch

    with _no_collection_at_import():
        from tensorbridge_cli.memory import describe
        from tensorbridge_cli.records.enums import Origin

    with torch._C.DisableTorchFunction():
        subject, facts = describe.detect(obj, Origin.OBJECT, ""), describe.describe(obj)
    return SideSeen(
        kind=kind,
        dtype=subject.dtype,
        shape=subject.shape,
        layout=subject.layout,
        state=subject.state,
        nbytes=facts.nbytes,
        owner=facts.owner,
    )


@contextmanager
def _no_collection_at_import() -> Iterator[None]:
    """Let Python collect no garbage while the code of ``inspect`` is imported.

    That makes enough objects for a full collection, which goes through all that torch has made: it takes as long as the
    import itself, and the program's own ``gc.callbacks`` are told of it.
    """
    off = gc.isenabled() and "tensorbridge_cli.memory.describe" not in sys.modules
    if off:
        gc.disable()
    try:
        yield
    finally:
        if off:
            gc.enable()


def _array(array: Any) -> SideSeen:
    """Describe an array of a program that has not imported torch."""
    from tensorbridge_cli.catalog import states
    from tensorbridge_cli.memory import arrays

    holder = arrays.holder(array)
    return SideSeen(
        kind="array",
        dtype=dtype_name(array.dtype),
        shape=array.shape,
        layout=arrays.layout(array, arrays.storage(array)[0] < arrays.address(array)),
        state=states.join(arrays.words(array)),
        nbytes=array.nbytes,
        owner="itself" if holder is array else arrays.public_name(type(holder)),
    )


def is_sequence(obj: Any) -> bool:
    """Return True for a sequence of another library, which torch reads item by item: a Series, a dataset of a file."""
    kind = type(obj)
    if issubclass(kind, _PLAIN) or not (hasattr(kind, "__len__") and hasattr(kind, "__getitem__")):
        return False
    if hasattr(kind, "__dlpack__"):  # torch has it as a whole
        return False
    if any(package_of(base) in ("numpy", "torch") for base in kind.__mro__):
        return False  # a subclass of a tensor's, too: its length would be asked of its __torch_function__
    if _is_own_code(kind, "__len__", "__getitem__"):
        return False  # the program's own code would run once more
    try:
        if not _is_own_code(kind, "__buffer__"):
            memoryview(obj).release()
    except TypeError:
        return not hasattr(kind, "keys") or hasattr(kind, "__array__")
    return False


def sequence(obj: Any) -> Note:
    """Return the length and the type of a sequence, its dtype, and whether NumPy can have it as a whole."""
    kind, dtype = type(obj), dtype_of(obj)
    name = f"{package_of(kind)}.{kind.__qualname__}"
    return Note(length=len(obj), of=name, whole=hasattr(kind, "__array__"), dtype=dtype_name(dtype) or "")


def has_array(obj: Any) -> bool:
    """Return True if NumPy can have a sequence as a whole without code of the program's own."""
    return hasattr(type(obj), "__array__") and not _is_own_code(type(obj), "__array__")


def is_read_only(obj: Any) -> bool:
    """Return True if the memory of an object of another library is known not to take writes."""
    if package_of(type(obj)) in IMMUTABLE:
        return True
    memory = buffer(obj)
    return memory is not None and bool(memory.readonly)


def carrier(obj: Any) -> Carrier | None:
    """Return the entry of an object of a library of the catalogue; None for another, and for a class of the program's.

    A class of the program's own may be of a library's: its code would run once more.
    """
    from tensorbridge_cli.catalog.carriers import BY_TYPE, PACKAGES

    kind = type(obj)
    if package_of(kind).removesuffix("lib") not in PACKAGES.values():
        return None
    names = (f"{one.__module__}.{one.__qualname__}" for one in kind.__mro__)
    return next((BY_TYPE[name] for name in names if name in BY_TYPE), None)


def hands_out_copies(obj: Any) -> bool:
    """Return True if the library of an object gives its elements as a copy alone: those of a file, of an image."""
    entry = carrier(obj)
    return entry is not None and entry.memory == ("{}",)


def immutable_name(obj: Any) -> str:
    """Return the name of the type of an object whose library calls it immutable; empty for any other object."""
    if type(obj) is bytes:
        return "bytes"
    entry = carrier(obj)
    if entry is None or not entry.immutable:
        return ""
    kind = type(obj)
    return entry.name or f"{package_of(kind)}.{kind.__qualname__}"


def dtype_of(obj: Any) -> Any:
    """Return the dtype of an object that is neither array nor tensor as NumPy's; None if it has none of these."""
    numpy, entry = sys.modules["numpy"], carrier(obj)
    try:
        if entry is None:
            own = _is_own_code(type(obj), "dtype", "__getattr__", "__getattribute__")
            dtype = None if own else getattr(obj, "dtype", None)
        elif entry.dtype in ("x.dtype", "x.type"):
            dtype = getattr(obj, entry.dtype.partition(".")[2])
        else:
            return None
        if not isinstance(dtype, numpy.dtype):
            name = str(dtype) if entry is not None else ""
            name = entry.numpy_names.get(name, name) if entry is not None else ""
            dtype = numpy.dtype(name) if name in _NUMBERS else None
    except Exception:  # an object of the user's that cannot be asked is not a failure of the program
        return None
    return dtype


_NUMBERS = frozenset(
    ["bool", "float16", "float32", "float64", "complex64", "complex128"]
    + [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
)


def reached(obj: Any) -> list[Span] | None:
    """Return the bytes that the elements of an object reach; None if that is not told, or would cost a conversion."""
    numpy, torch = sys.modules["numpy"], loaded("torch")
    if torch is not None and issubclass(type(obj), torch.Tensor):
        parts: list[Any] = [obj]
    elif issubclass(type(obj), numpy.ndarray):
        parts = [obj]
    elif (entry := carrier(obj)) is not None:
        parts = _parts(obj, entry, numpy)
    else:
        held = buffer(obj)
        return None if held is None else [Span(held.address, (held.nbytes,), (1,), 1)]
    spans = [_span(part, numpy) for part in parts]
    return [span for span in spans if span is not None] if spans and None not in spans else None


def _parts(obj: Any, entry: Carrier, numpy: Any) -> list[Any]:
    """Return arrays over the memory of an object, as ``inspect`` reads it, if that is no conversion of its elements.

    ``to_numpy`` of a pandas object gives its own memory if it is NumPy's, and converts all elements if it is not. A
    DataFrame of several blocks is copied.
    """
    from tensorbridge_cli.catalog.carriers import PACKAGES
    from tensorbridge_cli.memory import carriers

    if PACKAGES[entry.library] == "pandas":
        if hasattr(type(obj), "dtype"):
            if not isinstance(obj.dtype, numpy.dtype):
                entry = replace(entry, memory=entry.memory[1:])
        elif len(getattr(getattr(obj, "_mgr", None), "blocks", ())) != 1:
            return []
    return [part for _, part in carriers.memory(obj, entry)]


def _span(part: Any, numpy: Any) -> Span | None:
    if isinstance(part, numpy.ndarray):
        return Span(part.__array_interface__["data"][0], part.shape, part.strides, part.itemsize)
    torch = sys.modules["torch"]
    if part.layout is not torch.strided or part.is_nested or part.device.type != "cpu":
        return None
    start, width = storage_address(torch)(part), part.itemsize
    if not start:
        return None
    strides = tuple(width * step for step in part.stride())
    return Span(start + part.storage_offset() * width, tuple(part.shape), strides, width)


def buffer(obj: Any) -> ExportedBuffer | None:
    """Return the memory of an object that is neither array nor tensor, if it tells of it; nothing is kept of it.

    A class of the program's own is not asked: its code would run once more than without the tool. So with a subclass of
    a tensor, which has a ``__torch_function__``.
    """
    numpy, torch, kind = sys.modules["numpy"], loaded("torch"), type(obj)
    if torch is not None and issubclass(type(obj), torch.Tensor):
        return None
    if _is_own_code(kind, "__buffer__", "__array_interface__", "__dlpack__"):
        return None
    try:
        with memoryview(obj) as view:
            array = numpy.frombuffer(view, numpy.uint8)
            return ExportedBuffer(array.__array_interface__["data"][0], array.nbytes, view.readonly)
    except (TypeError, ValueError, BufferError):
        pass
    if hasattr(kind, "__array_interface__"):
        exposed = numpy.asarray(obj)
        return ExportedBuffer(exposed.__array_interface__["data"][0], exposed.nbytes, not exposed.flags.writeable)
    return _exported(obj) if hasattr(kind, "__dlpack__") else None


def _is_own_code(kind: type, *names: str) -> bool:
    """Return True if one of these methods or properties of a class is Python code that is in no installed package.

    Code that Cython has compiled, as h5py's, is none: it has a ``__code__``, of a file as it was when it was compiled.
    """
    members = (getattr(kind, name, None) for name in names)
    functions = (member.fget if isinstance(member, property) else member for member in members)
    return any(
        isinstance(function, FunctionType) and not is_installed(function.__code__.co_filename) for function in functions
    )


class _Tensor(ctypes.Structure):
    """A ``DLTensor``: https://dmlc.github.io/dlpack/latest/c_api.html."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device", ctypes.c_int32 * 2),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("offset", ctypes.c_uint64),
    ]


class _Versioned(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_uint32 * 2),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    ]


_READ_ONLY, _ON_CPU = 1, 1


def _exported(obj: Any) -> ExportedBuffer | None:
    """Return the memory that an object exports through DLPack; the capsule is dropped unused, which gives it back."""
    try:
        capsule = obj.__dlpack__(max_version=(1, 0))
    except TypeError:
        capsule = obj.__dlpack__()
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    valid = ctypes.pythonapi.PyCapsule_IsValid
    valid.restype, valid.argtypes = ctypes.c_int, [ctypes.py_object, ctypes.c_char_p]
    readonly = None
    if valid(capsule, b"dltensor_versioned"):
        held = _Versioned.from_address(pointer(capsule, b"dltensor_versioned"))
        tensor, readonly = held.tensor, bool(held.flags & _READ_ONLY)
    elif valid(capsule, b"dltensor"):
        tensor = _Tensor.from_address(pointer(capsule, b"dltensor"))
    else:
        return None
    if tensor.device[0] != _ON_CPU or not tensor.data:
        return None
    items = 1
    for axis in range(tensor.ndim):
        items *= tensor.shape[axis]
    return ExportedBuffer(tensor.data + tensor.offset, items * tensor.bits * tensor.lanes // 8, readonly)
