"""Write to one element of an object, so that the write shows wherever its bytes are."""

from __future__ import annotations

import ctypes
import datetime
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorbridge_cli.catalog import dtypes
from tensorbridge_cli.catalog.carriers import Carrier
from tensorbridge_cli.compat import zip_equal
from tensorbridge_cli.lab.stderr_tail import message_of
from tensorbridge_cli.memory import carriers
from tensorbridge_cli.memory.moment import moment
from tensorbridge_cli.memory.parts import (
    Index,
    beneath,
    exceeds,
    is_dense,
    is_fake,
    is_record,
    packed,
    packs,
    span,
    whole,
)
from tensorbridge_cli.memory.values import as_text, cell_octets, differ, from_octets, read_carrier, read_cell
from tensorbridge_cli.pytorch import Tensor, torch
from tensorbridge_cli.records.enums import Library, Via


class RefusedError(Exception):
    """A library refused to change the object; the message is its own."""


class NotWritableError(Exception):
    """There are no bytes to write, so nothing was tried."""


@dataclass(frozen=True)
class Element:
    """What lies at one index, beneath a mask: its value as a reader sees it, and its bytes if they can be read."""

    value: Any
    octets: bytes | None


def element(obj: Any, index: Index) -> Element:
    """Return what lies at ``index`` of a dense part or nested list, or of an object with a carrier."""
    return Element(read_cell(beneath(obj), index), cell_octets(obj, index))


def write(obj: Any, index: Index, meeting: Sequence[int] = (), was: Element | None = None) -> tuple[str, Via]:
    """Write another value than the one at ``index`` of a dense part or nested list; return it and how it was written.

    Args:
        obj: The dense part or list, or an object with a carrier, which is written as its library writes it.
        index: Which element.
        meeting: Offsets of the bytes of that element which the other object reaches. If it does not reach all of them,
            one at least of these is changed: a write in the bytes beside them cannot show.
        was: What lies there now, if that was read already.

    Raises:
        RefusedError: if the library refuses to change the object.
        NotWritableError: if there are no bytes, or no value could be made that differs.
    """
    if is_fake(obj) or (is_dense(obj) and exceeds(obj)):
        raise NotWritableError("it has no bytes to write")
    if (carrier := carriers.carrier_of(obj)) is not None and carriers.is_in_a_file(obj, carrier):
        raise NotWritableError("a write would change a file")
    if carriers.has_other_elements(obj, carrier):
        raise NotWritableError("its elements are none of NumPy's")
    was = was or element(obj, index)
    for value in itertools.chain(_candidates(obj, index, was.value), _in_every_byte(whole(obj), was.octets)):
        if not differ(value, was.value):
            continue
        try:
            _assign(obj, index, value)
        except NotImplementedError:  # no kernel that assigns this dtype: its bytes are written
            break
        except Exception as error:
            if "not implemented for" in str(error):
                break
            raise RefusedError(f"{type(error).__name__}: {message_of(error)}") from error
        with moment:
            after = element(obj, index)
        if differ(after.value, was.value) and _changes_one(was.octets, after.octets, meeting):
            return as_text(after.value, whole(obj)), Via.ASSIGNMENT
    if isinstance(obj, Tensor) and is_dense(obj):
        return _write_bytes(obj, index, was.value), Via.BYTES
    raise NotWritableError("no other value could be written")


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
    if packs(obj):
        return []
    carrier, owner, obj = carriers.carrier_of(obj), obj, whole(obj)
    dtype = getattr(obj, "dtype", None)
    kind = dtype.kind if isinstance(dtype, np.dtype) else ""
    if carrier is not None and carrier.library is not Library.BUFFER and (not kind or kind not in "biufc"):
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
    held = read_carrier(obj, carrier)
    of_its_type = [value for value in held if type(value) is type(before)]
    alike = [value for value in of_its_type if differ(value, before)]
    # what the array over its memory has of a time is a number, which the library may not take
    others: list[Any] = [time + datetime.timedelta(days=1) for time in held[:1] if isinstance(time, _TIMES)]
    if isinstance(before, str) and carriers.dtype(obj, carrier) != "category":
        others = ["w", "v"]
    elif isinstance(before, bool):
        others = [not before]
    elif isinstance(before, (int, float)) and of_its_type:  # and is not the number of days of a date
        others = [before + 1, before - 1]
    return [*alike, *others] or held


_TIMES = (datetime.date, datetime.timedelta)


def _in_every_byte(obj: Any, octets: bytes | None) -> Iterator[Any]:
    """Yield values that differ in every byte: 100 for 1 changes one byte of an ``int64``, and the other may miss it.

    The padding of a long double, and the zero bytes of a character's code, are not part of any value.
    """
    if octets is None or packs(obj):
        return
    for mask in (0x01, 0x02, 0x10):
        other = bytes(octet ^ mask for octet in octets)
        if isinstance(obj, Tensor):
            if obj.is_floating_point() or obj.is_complex() or dtypes.name_of(obj.dtype) in _INTEGERS:
                yield from_octets(other, obj, ())
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
    several = packs(tensor)
    steps = packed(tensor, index) if several else sum(i * n for i, n in zip_equal(index, tensor.stride()))
    offset = int(tensor.storage_offset() + steps) * tensor.itemsize
    try:
        for place in range(offset, offset + (1 if several else tensor.itemsize)):
            octets[place] = octets[place] ^ (0b01010101 if several else 1)
    except Exception as error:
        raise RefusedError(f"{type(error).__name__}: {message_of(error)}") from error
    after = read_cell(tensor, index)
    if not differ(after, before):
        raise NotWritableError("a write through the storage does not change the tensor itself")
    return as_text(after, tensor)
