"""The values and the bytes of an object: read, compared, and as texts."""

from __future__ import annotations

import contextlib
import ctypes
import math
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tensorbridge_cli.catalog import dtypes
from tensorbridge_cli.catalog.carriers import Carrier
from tensorbridge_cli.compat import zip_equal
from tensorbridge_cli.memory import carriers
from tensorbridge_cli.memory.parts import (
    NUMBERS,
    Index,
    address_of,
    beneath,
    contiguous,
    exceeds,
    has_names,
    is_dense,
    is_fake,
    is_readable,
    is_unaligned,
    packed,
    packs,
    parts,
    shape_of,
    span,
    whole,
)
from tensorbridge_cli.memory.spans import Span
from tensorbridge_cli.pytorch import Tensor, torch
from tensorbridge_cli.subjects import fills

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
    obj = whole(obj)
    if (carrier := carriers.carrier_of(obj)) is not None:
        return read_carrier(obj, carrier)
    if isinstance(obj, Tensor) and not is_dense(obj):
        if obj.is_nested:
            rows = [read(row) for row in obj.unbind()]
            return None if any(row is None for row in rows) else [value for row in rows for value in row or ()]
        if obj.numel() <= fills.FULL:
            # not every dtype and layout becomes dense, nor a CSR tensor of one dimension: its parts are read
            with contextlib.suppress(RuntimeError, IndexError):
                return read(obj.to_dense())
        by_part = [read(part) for _, part in parts(obj)]
        return [value for values in by_part for value in values or ()] or None
    if isinstance(obj, (list, tuple)):
        shape = shape_of(obj)
        if shape is not None and math.prod(shape) > fills.FULL:
            cells = [read_cell(obj, fills.index_of(place, shape)) for place in fills.positions(shape)]
            return list(map(_scalar, cells))
        items = [read(item) for item in obj[: fills.FULL]]
        return None if any(item is None for item in items) else [value for item in items for value in item or ()]
    if has_names(obj):
        by_part = [read(part) for _, part in parts(obj)]
        return None if None in by_part else [value for values in by_part for value in values or ()]
    if not is_dense(obj):
        return [_scalar(obj)] if isinstance(obj, NUMBERS) else None
    if isinstance(obj, Tensor) and obj._is_zerotensor():
        return read(obj.clone())
    shape = tuple(obj.shape)
    if exceeds(obj):
        return None  # what lies behind the storage's end is nobody's
    if _reads(obj):
        obj = _aligned_copy(obj)
        with contextlib.suppress(*_NO_READER):
            if math.prod(shape) <= fills.FULL:
                elements: list[Any] = _native(_plain(obj)).reshape(-1).tolist()
                return elements
            return [_item(obj, fills.index_of(i, shape)) for i in fills.positions(shape)]
    return _raw(obj)


def read_carrier(obj: Any, carrier: Carrier) -> list[Any]:
    """Return the values that its library reads: all of a small object, the sampled ones of a large."""
    shape = shape_of(obj) or ()
    if math.prod(shape) <= fills.FULL:
        return carriers.values(obj, carrier)
    return [carriers.element(obj, carrier, fills.index_of(i, shape)) for i in fills.positions(shape)]


def read_cell(obj: Any, index: Index) -> Any:
    """Return one value as a reader sees it; ``None`` if it cannot be read."""
    obj = whole(obj)
    if (carrier := carriers.carrier_of(obj)) is not None:
        return carriers.element(obj, carrier, index)
    if isinstance(obj, (list, tuple)):
        for i in index:
            obj = obj[i]
        return obj
    if is_fake(obj) or (is_dense(obj) and exceeds(obj)):
        return None
    if _reads(obj):
        with contextlib.suppress(*_NO_READER):  # its bytes are read
            return _item(_aligned_cell(obj, index), ()) if is_unaligned(obj) else _item(obj, index)
    raw = _raw(obj, index)
    return raw[0] if raw else None


def _item(obj: Any, index: Index) -> Any:
    element = _plain(obj)[index] if is_dense(obj) else obj
    if isinstance(obj, np.ndarray) and obj.dtype == object:
        return element  # an object of the user's, which may be an array itself
    return _scalar(element)


def _scalar(value: Any) -> Any:
    """Return a scalar as a value of Python's; of a time its number of units, as ``_plain`` reads it in an array."""
    if isinstance(value, np.generic) and value.dtype.kind in "mM":
        return int(value.astype("i8"))
    return value.item() if hasattr(value, "item") else value


def _plain(obj: Any) -> Any:
    """Return ``obj`` without what gets in the way of reading: a subclass's code, gradients, a calendar's units."""
    if isinstance(obj, Tensor):
        return obj.detach() if obj.requires_grad else obj
    if not isinstance(obj, np.ma.MaskedArray):
        obj = np.asarray(obj)
    return obj.astype(f"i{obj.itemsize}") if obj.dtype.kind in "mM" else obj


def _native(obj: Any) -> Any:
    """Return ``obj``, if a package added its dtype in the machine's byte order: its ``tolist`` takes no other."""
    swapped = isinstance(obj, np.ndarray) and not obj.dtype.isnative and dtypes.is_registered(obj.dtype)
    return obj.astype(obj.dtype.newbyteorder("=")) if swapped else obj


def _raw(dense: Any, index: Index | None = None) -> list[str] | None:
    """Return the bytes of one element, or of all that are read, each as a hexadecimal text."""
    if not is_dense(dense):
        return None
    if packs(dense):
        return _raw_packed(dense, index)
    octets = _octets(dense) if index is None else _octets_of(dense, [index])
    if octets is None:
        return None
    return [f"0x{octets[start : start + dense.itemsize].hex()}" for start in range(0, len(octets), dense.itemsize)]


def _raw_packed(dense: Any, index: Index | None) -> list[str] | None:
    """Return for each element the byte that it lies in."""
    reached, shape = span(dense), tuple(dense.shape)
    if reached is None or not is_readable(dense):
        return None
    places = [fills.index_of(place, shape) for place in fills.positions(shape)] if index is None else [index]
    last = reached.shape[0] - 1
    starts = [reached.pointer + min(packed(dense, place), last) for place in places]
    return [f"0x{ctypes.string_at(start, 1).hex()}" for start in starts]


def _reads(obj: Any) -> bool:
    """Return True if torch's own kernels may read the elements; where they end the process the bytes are read."""
    return not packs(obj) and not _lost_its_quantizer(obj)


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


def _aligned_copy(obj: Any) -> Any:
    """Return ``obj``, or of an unaligned tensor that is read whole a copy of its bytes at an aligned address.

    A vectorised kernel over unaligned ``complex128`` crashes the process: it loads 16 bytes with an instruction that
    wants them aligned. What reads element by element (``tolist`` of a contiguous one) gets through.
    """
    if not is_unaligned(obj) or obj.numel() > fills.FULL or obj.is_quantized:
        return obj
    return from_octets(_octets(obj), obj, tuple(obj.shape))


def _aligned_cell(tensor: torch.Tensor, index: Index) -> Any:
    start = address_of(tensor, index)
    if start is None or tensor.is_quantized:
        return tensor[index]
    return from_octets(ctypes.string_at(start, tensor.itemsize), tensor, ())


def from_octets(octets: bytes | None, like: torch.Tensor, shape: Index) -> Any:
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
    if reached is None or not is_readable(dense):
        return None
    if reached.nbytes == 0:
        return b""
    return ctypes.string_at(reached.pointer, reached.nbytes) if "C" in contiguous(reached) else _gather(reached)


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
    if not is_readable(dense):
        return None
    starts = [address_of(dense, place) for place in places]
    width = 1 if packs(dense) else dense.itemsize
    return None if None in starts else b"".join(ctypes.string_at(start or 0, width) for start in starts)


def differ(a: Any, b: Any) -> bool:
    """Return True if two values differ to a reader; NaN equals NaN."""
    if a is b:
        return False
    if isinstance(a, np.ndarray) and isinstance(b, (tuple, list)):  # what a column of lists becomes
        return differ(a.tolist(), b)
    if isinstance(a, (tuple, list)) and isinstance(b, np.ndarray):
        return differ(a, b.tolist())
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


_COMPARED_AT_ONCE = frozenset({bool, int, float, complex, str, bytes})


def differing(before: Iterable[Any], after: Iterable[Any]) -> list[int]:
    """Return the places at which two lists of values differ to a reader, as far as both go.

    Lists of plain values are compared at once: most are equal, and this is asked some ten times an experiment.
    """
    plain = _COMPARED_AT_ONCE.issuperset(map(type, before)) and _COMPARED_AT_ONCE.issuperset(map(type, after))
    if plain and before == after:
        return []
    return [place for place, pair in enumerate(zip(before, after)) if differ(*pair)]


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


def cell_octets(obj: Any, index: Index) -> bytes | None:
    """Return the bytes of one element; ``None`` if they cannot be read."""
    held = whole(obj)
    return _octets_of(beneath(held), [index]) if is_dense(held) else None
