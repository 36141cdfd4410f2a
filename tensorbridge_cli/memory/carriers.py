"""Objects that hold elements and are neither arrays nor tensors: whose they are, where they lie, how they are written.

What there is, is declared in ``catalog.carriers``. A type is recognised by its name, so nothing is imported: PyTorch
neither, since ``trace`` reads objects of programs that have not imported it.
"""

from __future__ import annotations

import functools
import sys
import types
import warnings
from typing import Any, Literal

import numpy as np

from tensorbridge_cli.catalog.carriers import ANY_ARRAY, ANY_ARROW, ANY_BUFFER, BY_TYPE, Carrier
from tensorbridge_cli.memory import arrow
from tensorbridge_cli.records.enums import Library

Index = tuple[int, ...]
_NO_CARRIERS = (np.ndarray, np.generic, list, tuple, str, int, float, complex, type(None))


def named(obj: Any) -> Carrier | None:
    """Return the entry of the type of ``obj``; ``None`` if there is none."""
    # a class that was made where there is no __name__ has no module
    names = (f"{getattr(kind, '__module__', '')}.{kind.__qualname__}" for kind in type(obj).__mro__)
    return next((BY_TYPE[name] for name in names if name in BY_TYPE), None)


def carrier_of(obj: Any) -> Carrier | None:
    """Return the entry that describes ``obj``, by its type or by a protocol that it has; ``None`` if there is none."""
    if isinstance(obj, _NO_CARRIERS) or _is_tensor(obj):
        return None
    if (entry := named(obj)) is not None:
        return entry
    try:
        memoryview(obj).release()
    except Exception:  # an object without the protocol, or whatever ``__buffer__`` of a user's class raises
        if arrow.is_exporter(obj):
            return ANY_ARROW
        # the class is asked first: to ask the object itself may run code of its own
        protocols = ("__dlpack_device__", "__array_interface__", "__cuda_array_interface__")
        tells = any(hasattr(type(obj), name) for name in protocols)
        return ANY_ARRAY if tells and memory(obj, ANY_ARRAY) else None
    return ANY_BUFFER


def _is_tensor(obj: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(obj, getattr(torch, "Tensor", ()))


def version(obj: Any) -> tuple[str, str] | None:
    """Return the name and version of the library of ``obj``; ``None`` of Python's own, of NumPy and of PyTorch."""
    entry = carrier_of(obj)
    if entry is None or entry.library is Library.BUFFER:
        return None
    package = (*entry.types, type(obj).__module__)[0].partition(".")[0]
    return package, str(getattr(sys.modules.get(package), "__version__", ""))


def memory(obj: Any, carrier: Carrier) -> list[tuple[str, Any]]:
    """Return the named parts of an object as arrays or tensors over its own memory; none if it cannot be reached.

    While an array over a buffer lives, a ``bytearray`` cannot be resized, nor an ``mmap`` closed.

    Raises:
        ValueError: if the memory of a buffer is gone: that of a closed map, say.
        BufferError: if it is locked.
    """
    if not carrier.memory:
        return [("", _over(memoryview(obj)))]
    return next(filter(None, (_accessed(obj, code) for code in carrier.memory)), [])


def _accessed(obj: Any, code: str) -> list[tuple[str, Any]]:
    """Return the parts that an accessor gives, if it gives the same memory twice."""
    try:
        first, second = (_evaluate(code, x=obj, arrow=arrow.memory) for _ in range(2))
    except Exception:  # an attribute that this version, or this kind of object, does not have
        return []
    same = all(_is_one_memory(array, second.get(name)) for name, array in first.items())
    return list(first.items()) if same else []


def _over(view: memoryview) -> np.ndarray[Any, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy guesses what a structure of ctypes is, and says so
            return np.asarray(view)
    except (ValueError, TypeError):  # a format that NumPy does not read: its bytes are read
        return np.frombuffer(view, np.uint8)


def has_other_elements(obj: Any, carrier: Carrier | None) -> bool:
    """Return True for a buffer whose elements NumPy has no values for: structures, and formats that it does not read.

    Of the latter the array over its memory has the bytes.
    """
    if carrier is None or carrier.memory:
        return False
    view = memoryview(obj)
    read = _over(view)
    return read.dtype.kind == "V" or read.itemsize != view.itemsize


def _is_one_memory(first: Any, second: Any) -> bool:
    """Return True if two results of an accessor lie at one address: it copied neither.

    An accessor may copy, and does not say so. Both results are alive here, so that two copies lie apart.
    """
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        places = [(array.ctypes.data, array.shape, array.strides) for array in (first, second)]
    elif _is_tensor(first) and _is_tensor(second):
        places = [(tensor.data_ptr(), tuple(tensor.shape), tensor.stride()) for tensor in (first, second)]
    else:
        return False
    return places[0] == places[1] or 0 in first.shape


def shape(obj: Any, carrier: Carrier) -> Index:
    """Return the shape, of an object whose memory has no parts or several."""
    return tuple(map(int, _evaluate(carrier.shape, x=obj)))


def dtype(obj: Any, carrier: Carrier) -> str:
    """Return the dtype as its library names it."""
    return str(_evaluate(carrier.dtype, x=obj))


def dtype_of(obj: Any) -> str:
    """Return the dtype as its library names it, of an object that has an entry."""
    carrier = named(obj)
    return "" if carrier is None else dtype(obj, carrier)


def states(obj: Any, carrier: Carrier) -> set[str]:
    """Return the words of what is true of the object."""
    return {word for word, holds in carrier.states.items() if _evaluate(holds, x=obj)}


def numpy_dtype(obj: Any, carrier: Carrier) -> str:
    """Return the dtype as NumPy names it, or of one that NumPy has not as its library does."""
    return ", ".join(carrier.numpy_names.get(name, name) for name in dtype(obj, carrier).split(", "))


def device(obj: Any, carrier: Carrier) -> str:
    """Return where the elements are, of such an object."""
    return str(_evaluate(carrier.device, x=obj))


def is_in_a_file(obj: Any, carrier: Carrier) -> bool:
    """Return True if a write to ``obj`` would change a file."""
    return bool(carrier.stored) and not _evaluate(carrier.stored, x=obj)


def values(obj: Any, carrier: Carrier) -> list[Any]:
    """Return all values as a reader of the library sees them, row-major."""
    read: list[Any] = _evaluate(carrier.values, x=obj)
    return read


def element(obj: Any, carrier: Carrier, index: Index) -> Any:
    """Return one value as a reader of the library sees it."""
    value = _evaluate(_with_index(carrier.element, index), x=obj)
    return value.item() if isinstance(value, np.generic) else value


def assign(obj: Any, carrier: Carrier, index: Index, value: Any) -> None:
    """Write ``value`` to one element as the library lets a user write it.

    Raises:
        Exception: whatever the library raises.
    """
    # the catalogue's own code
    exec(_compiled(_with_index(carrier.assign, index), "exec"), {"x": obj, "value": value})  # noqa: S102


def _with_index(code: str, index: Index) -> str:
    return code.format(index=", ".join(map(str, index)) or "()", each="".join(f"[{i}]" for i in index) or "[()]")


def _evaluate(code: str, **names: Any) -> Any:
    # the catalogue's own code
    return eval(_compiled(code, "eval"), {"np": np, "torch": sys.modules.get("torch"), **names})  # noqa: S307


@functools.lru_cache(maxsize=256)
def _compiled(code: str, mode: Literal["eval", "exec"]) -> types.CodeType:
    return compile(code, "<catalogue>", mode)
