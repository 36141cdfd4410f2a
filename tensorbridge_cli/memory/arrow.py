"""Arrow's C data interface, read by ctypes: where the memory of a column lies, whichever library holds it.

pyarrow, polars and others export their columns as structures of pointers, without a copy, so that one reader serves all
of them and none of them is imported: https://arrow.apache.org/docs/format/CDataInterface.html.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorbridge_cli.compat import zip_equal


class _Schema(ctypes.Structure):
    """``struct ArrowSchema``: the type of a column and its name."""


class _ArrowArray(ctypes.Structure):
    """``struct ArrowArray``: the buffers of a column."""


class _Stream(ctypes.Structure):
    """``struct ArrowArrayStream``: the chunks of a column or a table."""


_Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(_Schema))),
    ("dictionary", ctypes.POINTER(_Schema)),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]
_ArrowArray._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_ArrowArray))),
    ("dictionary", ctypes.POINTER(_ArrowArray)),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]
_Stream._fields_ = [
    ("get_schema", ctypes.c_void_p),
    ("get_next", ctypes.c_void_p),
    ("get_last_error", ctypes.c_void_p),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]

_FILL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_RELEASE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype = ctypes.c_void_p
_pointer_of.argtypes = [ctypes.py_object, ctypes.c_char_p]

_UNITS = ("s", "ms", "us", "ns")
_NUMBERS = {
    **dict(zip_equal("cCsSiIlLefg", ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"))),
    **{f"ts{unit[0]}": f"M8[{unit}]" for unit in _UNITS},
    **{f"tD{unit[0]}": f"m8[{unit}]" for unit in _UNITS},
    "tdD": "i4",
    "tdm": "M8[ms]",
}
"""The formats whose elements NumPy reads as their library does, each with its type."""

_OF_OTHER_VALUES = {"tts": 4, "ttm": 4, "ttu": 8, "ttn": 8, "tiM": 4, "tiD": 8, "tin": 16}
"""The bytes of an element of formats that have a fixed size, and that NumPy has no type for: times and intervals."""


class ExportedMemory:
    """The base of an array over exported memory: it keeps the export alive, and knows whose memory it is."""

    def __init__(self, address: int, dtype: np.dtype[Any], count: int, export: _Export) -> None:
        self.export = export
        self.__array_interface__ = {
            "version": 3,
            "data": (address, True),
            "typestr": dtype.str,
            "shape": (count,),
        }


class _Export:
    """Structures that a library filled for us. They are given back when the last array over them is gone."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.capsules: tuple[Any, ...] = ()  # each gives back what is in it
        self.filled: list[_Schema | _ArrowArray] = []

    def __del__(self) -> None:
        for structure in self.filled:
            if structure.release:
                _RELEASE(structure.release)(ctypes.addressof(structure))


def is_exporter(obj: Any) -> bool:
    """Return True if the class of ``obj`` has one of the methods of Arrow's protocol."""
    return hasattr(type(obj), "__arrow_c_array__") or hasattr(type(obj), "__arrow_c_stream__")


def memory(obj: Any, owner: Any = None) -> dict[str, np.ndarray[Any, Any]]:
    """Return the named parts of an object that has Arrow's protocol, as arrays over the memory that it exports.

    The one part of a column of numbers without nulls and in one chunk has no name. Whether the library copied for the
    export, it does not say.

    Args:
        obj: the object: an array, a chunked array, a table.
        owner: what owns the memory, if it is not the object.
    """
    export = _Export(obj if owner is None else owner)
    schema, chunks = _exported(obj, export)
    several = len(chunks) > 1
    return {
        name: array
        for number, chunk in enumerate(chunks)
        for name, array in _table(schema, chunk, f"[{number}]" if several else "", export)
    }


def _exported(obj: Any, export: _Export) -> tuple[_Schema, list[_ArrowArray]]:
    """Return the type and the chunks of an object; ``export`` keeps them alive."""
    if hasattr(type(obj), "__arrow_c_array__"):
        export.capsules = obj.__arrow_c_array__()
        schema, array = export.capsules
        return (
            _Schema.from_address(_pointer_of(schema, b"arrow_schema")),
            [_ArrowArray.from_address(_pointer_of(array, b"arrow_array"))],
        )
    export.capsules = (obj.__arrow_c_stream__(),)
    stream = _Stream.from_address(_pointer_of(export.capsules[0], b"arrow_array_stream"))
    kind = _Schema()
    _fill(stream.get_schema, stream, kind, export)
    chunks: list[_ArrowArray] = []
    while True:
        chunk = _ArrowArray()
        _fill(stream.get_next, stream, chunk, export)
        if not chunk.release:  # the end of the stream
            return kind, chunks
        chunks.append(chunk)


def _fill(function: int, stream: _Stream, structure: _Schema | _ArrowArray, export: _Export) -> None:
    if _FILL(function)(ctypes.addressof(stream), ctypes.addressof(structure)):
        raise ValueError("the library reports an error for its Arrow stream")
    export.filled.append(structure)


if TYPE_CHECKING:  # Python 3.9 does not evaluate it
    Part = tuple[str, np.ndarray[Any, Any]]
    Parts = Iterator[Part]


def _table(schema: _Schema, array: _ArrowArray, chunk: str, export: _Export) -> Parts:
    """Yield the parts of one chunk: of a table those of each column, by its name."""
    if schema.format != b"+s":
        yield from _column(schema, array, array.offset, array.length, chunk, export)
        return
    if _has_nulls(schema, array):  # an array of structures, which has the form of a table
        yield _bits(_within(chunk, "validity"), array.buffers[0], array.offset, array.length, export)
    names = [_name(schema.children[n].contents) for n in range(schema.n_children)]
    if len({*names, ""}) <= len(names):  # two columns of one name, or one without
        names = [f"[{n}]" for n in range(len(names))]
    for n, name in enumerate(names):
        column = array.children[n].contents
        start = array.offset + column.offset
        yield from _column(schema.children[n].contents, column, start, array.length, name + chunk, export)


def _column(schema: _Schema, array: _ArrowArray, start: int, count: int, name: str, export: _Export) -> Parts:
    """Yield the parts of ``count`` elements from ``start`` on: its buffers, and those of what it is made of."""
    kind = schema.format.decode()

    def part(label: str, number: int, dtype: str, first: int, length: int) -> Part:
        return _part(_within(name, label), array.buffers[number], dtype, first, length, export)

    has_nulls = _has_nulls(schema, array)
    if has_nulls:
        yield _bits(_within(name, "validity"), array.buffers[0], start, count, export)
    if schema.dictionary:
        yield part("codes", 1, _NUMBERS[kind], start, count)
        inner, words = schema.dictionary.contents, array.dictionary.contents
        yield from _column(inner, words, words.offset, words.length, _within(name, "words"), export)
    elif (dtype := _dtype(kind)) is not None:
        yield part("values" if has_nulls or _is_extension(schema) else "", 1, dtype, start, count)
    elif (width := _width(kind)) is not None:
        yield part("values", 1, f"V{width}", start, count)
    elif kind == "b":
        yield _bits(_within(name, "bits"), array.buffers[1], start, count, export)
    elif kind in ("u", "z", "U", "Z", "+l", "+L", "+m"):
        offsets = part("offsets", 1, "i8" if kind in ("U", "Z", "+L") else "i4", start, count + 1)
        yield offsets
        first, last = (int(offsets[1][0]), int(offsets[1][-1])) if array.buffers[1] else (0, 0)
        if kind[0] != "+":
            yield part("bytes", 2, "u1", first, last - first)
        else:
            items = array.children[0].contents
            inner, called = schema.children[0].contents, _within(name, "items")
            yield from _column(inner, items, items.offset + first, last - first, called, export)
    elif kind in ("vu", "vz"):
        yield part("views", 1, "V16", start, count)
        blocks = array.n_buffers - 3
        _, sizes = part("", array.n_buffers - 1, "i8", 0, blocks)
        for n in range(blocks):
            yield part(f"bytes[{n}]", 2 + n, "u1", 0, int(sizes[n]))
    else:  # of fixed-size lists and of nested tables those of the elements that are meant, else all
        each = int(kind[3:]) if kind.startswith("+w:") else 1
        exact = kind == "+s" or kind.startswith("+w:")
        for n in range(array.n_children):
            items = array.children[n].contents
            inner = schema.children[n].contents
            called = _within(name, _name(inner))
            if exact:
                yield from _column(inner, items, items.offset + start * each, count * each, called, export)
            else:
                yield from _column(inner, items, items.offset, items.length, called, export)


def _part(name: str, address: int | None, dtype: str, first: int, count: int, export: _Export) -> Part:
    """Return ``count`` elements of a buffer, from the one of number ``first`` on."""
    element = np.dtype(dtype)
    return name, np.asarray(ExportedMemory((address or 0) + first * element.itemsize, element, count, export))


def _bits(name: str, address: int | None, first: int, count: int, export: _Export) -> Part:
    """Return the bytes that hold ``count`` bits of a buffer, from the one of number ``first`` on."""
    return _part(name, address, "u1", first // 8, (first + count + 7) // 8 - first // 8, export)


def _has_nulls(schema: _Schema, array: _ArrowArray) -> bool:
    """Return True if a column may have nulls: what has no bitmap has none, and a union never has one."""
    return bool(array.null_count and array.n_buffers and array.buffers[0]) and not schema.format.startswith(b"+u")


def _is_extension(schema: _Schema) -> bool:
    """Return True for a type that its library reads otherwise than it is stored: the number of a month as a Period."""
    place = schema.metadata
    if not place:
        return False

    def number() -> int:
        nonlocal place
        place += 4
        return ctypes.c_int32.from_address(place - 4).value

    for _ in range(number()):
        texts = []
        for _ in ("key", "value"):
            length = number()
            texts.append(ctypes.string_at(place, length))
            place += length
        if texts[0] == b"ARROW:extension:name":
            return True
    return False


def _within(name: str, label: str) -> str:
    """Return the name of a part of the part ``name``."""
    return f"{name}.{label}" if name and label else name or label


def _name(schema: _Schema) -> str:
    return (schema.name or b"").decode()


def _dtype(kind: str) -> str | None:
    """Return the dtype of a format whose elements NumPy reads as their library does."""
    return _NUMBERS.get(kind.partition(":")[0])  # behind the colon is the zone of a time


def _width(kind: str) -> int | None:
    """Return the bytes of an element of another format that has a fixed size."""
    name, _, facts = kind.partition(":")
    if name == "w":
        return int(facts)
    if name == "d":  # a decimal: its digits, those behind the point, and its bits if these are not 128
        return int((*facts.split(","), "128")[2]) // 8
    return _OF_OTHER_VALUES.get(kind)
