"""What a generated subject holds: another value at each position, with one that a narrower dtype cannot hold.

A fill is a function of the position (row-major, from 0), so that a large subject can be filled at a few known cells.
Where a dtype has fewer values than there are positions they repeat, with a period that no usual row is a multiple of.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from tensorbridge_cli.catalog.dtypes import LAST_VALUES, name_of
from tensorbridge_cli.compat import zip_equal
from tensorbridge_cli.pytorch import torch

# The period of dtypes that have few values: a prime, so that rows differ.
_PERIODS = {
    "int8": 89,
    "uint8": 199,
    "int16": 30011,
    "uint16": 60013,
    "float16": 2039,
    "bfloat16": 251,
    "complex32": 2039,
}
# Values of one byte: the bits of a valid, positive number. bits* and packed dtypes take any byte.
_BYTE_PERIODS: dict[str, int] = {f"{sign}int{n}": 2**n - 1 for sign in ("u", "") for n in range(1, 8)}


def sentence(name: str) -> str:
    """Say what a subject of the dtype ``name`` is filled with, ``i`` being the position in row-major order from 0."""
    if name in ("bool", "uint1", "int1"):
        return "whether i has an odd number of one bits"
    if name in LAST_VALUES:
        period = f" (i modulo {_PERIODS[name]})" if name in _PERIODS else ""
        first = "i + 1" if "int" in name else "i + 1.1"
        imaginary = ", imaginary part its negative" if name.startswith("complex") else ""
        return f"{first}{period}{imaginary}, the last {LAST_VALUES[name]}"
    if name.startswith(("datetime64", "timedelta64")):
        return f"i + 1 units, the last {2**53 + 1}"
    if name.startswith("["):
        return "each field as its own dtype"
    if name == "object":
        return "[i], a new list each"
    if name.startswith("U") or (name.startswith("S") and name[1:].isdigit()):
        return "i in letters, lowest first: a, b, …, z, ab, bb, …"
    return f"byte by byte, {'' if name in _BYTE_PERIODS else '1 + '}i modulo {_byte_period(name)}"


def numpy_values(dtype: Any, positions: Any, size: int) -> Any:
    """Return the values at ``positions`` (1-D int64 array) of a subject of ``size`` elements, as a 1-D array."""
    name = name_of(dtype)
    native = dtype.newbyteorder("=")
    if dtype.names is not None:
        values = np.zeros(len(positions), native)
        for field in dtype.names:
            values[field] = numpy_values(dtype[field], positions, size)
        return values
    if name == "bool":
        for shift in (32, 16, 8, 4, 2, 1):  # np.bitwise_count is NumPy 2's
            positions = positions ^ (positions >> shift)
        return (positions & 1) == 1
    if dtype.kind in "US":
        width = int(name[1:])
        return np.array([_letters(int(i), width) for i in positions], native)
    if name == "object":
        values = np.empty(len(positions), object)
        for row, position in enumerate(positions):
            values[row] = [int(position)]
        return values
    if name in LAST_VALUES or dtype.kind in "mM":
        first = native.type("1.1") if dtype.kind in "fc" else 1
        counted = (positions % _PERIODS.get(name, 2**62)).astype("i8" if dtype.kind in "mM" else native) + first
        values = counted.astype(native)
        values[positions == size - 1] = np.array(LAST_VALUES.get(name, 2**53 + 1)).astype(native)
        if dtype.kind == "c":
            values.imag = -values.real
        return values
    octets = (positions[:, None] * dtype.itemsize + np.arange(dtype.itemsize)) % 251 + 1
    return octets.astype(np.uint8).reshape(-1).view(native)


def torch_values(dtype: Any, positions: Any, size: int) -> Any:
    """Return the values at ``positions`` (1-D int64 tensor) of a subject of ``size`` elements, as a 1-D tensor.

    For a dtype without arithmetic the tensor is ``uint8``, one row of ``itemsize`` bytes a position.
    """
    name = name_of(dtype)
    if name == "bool":
        return sum((positions >> bit) & 1 for bit in range(40)) % 2 == 1
    if name in LAST_VALUES:
        counted = positions % _PERIODS.get(name, 2**62)
        wide = counted + 1 if "int" in name else counted.to(torch.float64) + 1.1
        # the widest uint64 does not fit int64: its bits do
        last = LAST_VALUES[name] - 2**64 if name == "uint64" else LAST_VALUES[name]
        wide = torch.where(positions == size - 1, torch.tensor(last, dtype=wide.dtype), wide)
        return (torch.complex(wide, -wide) if dtype.is_complex else wide).to(dtype)
    octets = positions[:, None] * dtype.itemsize + torch.arange(dtype.itemsize)
    if name in ("uint1", "int1"):
        return (sum((octets >> bit) & 1 for bit in range(40)) % 2).to(torch.uint8)
    period = _byte_period(name)
    return (octets % period + (1 if name not in _BYTE_PERIODS else 0)).to(torch.uint8)


def _byte_period(name: str) -> int:
    return _BYTE_PERIODS.get(name, 113 if name.startswith(("float8", "q")) else 251)


def _letters(position: int, width: int) -> str:
    letters = ""
    while len(letters) < width and (position or not letters):
        letters += chr(ord("a") + position % 26)
        position //= 26
    return letters


FULL = 4096
"""Up to this many elements a subject is filled, read and compared at every position; beyond, at sampled ones."""

_SAMPLES = 16
_GOLDEN = 0.6180339887498949


def has_arithmetic(name: str) -> bool:
    """Return True if PyTorch can make values of the dtype ``name``; the others are filled byte by byte."""
    return name == "bool" or name in LAST_VALUES


def positions(shape: tuple[int, ...]) -> list[int]:
    """Return the row-major positions that are filled and read: all of a small shape, else 16, corners included."""
    size = math.prod(shape)
    if size <= FULL:
        return list(range(size))
    chosen = {0, size - 1}
    corners = itertools.islice(itertools.product(*({0, n - 1} for n in shape)), _SAMPLES // 2)
    chosen |= {flat(corner, shape) for corner in corners}
    spread = (int(size * (step * _GOLDEN % 1)) for step in itertools.count(1))
    while len(chosen) < _SAMPLES:
        chosen.add(next(spread))
    return sorted(chosen)


def flat(index: tuple[int, ...], shape: tuple[int, ...]) -> int:
    """Return the row-major position of ``index``."""
    position = 0
    for i, n in zip_equal(index, shape):
        position = position * n + i
    return position


def index_of(position: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the index of a row-major ``position``."""
    index: list[int] = []
    for n in reversed(shape):
        position, i = divmod(position, n)
        index.append(i)
    return tuple(reversed(index))
