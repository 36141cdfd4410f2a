"""The dtypes: the names to ask for, what the installed libraries make of them, and what a subject is filled with.

``DTYPES`` is what can be asked for and listed without importing anything. Which of them exist, and which others do, is
found in the installed numpy and torch when an experiment runs: see ``find`` and ``installed``.
"""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tensorbridge_cli.errors import RequestError, UnavailableError, unknown
from tensorbridge_cli.records.enums import Library

if TYPE_CHECKING:
    import numpy as np
    import torch

BOTH = (Library.NUMPY, Library.TORCH)
NUMPY = (Library.NUMPY,)
TORCH = (Library.TORCH,)


@dataclass(frozen=True)
class Dtype:
    """A name that ``--dtype`` takes, and the libraries that are known to have it."""

    name: str
    libraries: tuple[Library, ...]
    summary: str


DTYPES: tuple[Dtype, ...] = (
    Dtype("bool", BOTH, "true or false, a byte each"),
    *(Dtype(f"{sign}int{bits}", BOTH, f"{bits}-bit integer") for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *(Dtype(f"float{bits}", BOTH, f"IEEE {bits}-bit float") for bits in (16, 32, 64)),
    Dtype("complex64", BOTH, "two float32"),
    Dtype("complex128", BOTH, "two float64"),
    Dtype("longdouble", NUMPY, "the C compiler's long double"),
    Dtype("clongdouble", NUMPY, "two longdouble"),
    Dtype("datetime64[ns]", NUMPY, "a point in time; any unit"),
    Dtype("timedelta64[ns]", NUMPY, "a span of time; any unit"),
    Dtype("str", NUMPY, "fixed-width text, as U8; any width"),
    Dtype("bytes", NUMPY, "fixed-width bytes, as S8; any width"),
    Dtype("object", NUMPY, "references to Python objects"),
    Dtype("structured", NUMPY, "a record of a float32 and an int32"),
    Dtype("void", NUMPY, "raw bytes, as V8; any width"),
    Dtype("bfloat16", TORCH, "float32 cut to 16 bits"),
    Dtype("complex32", TORCH, "two float16"),
    Dtype("float8_e4m3fn", TORCH, "8-bit float: 4 exponent, 3 mantissa bits, no infinity"),
    Dtype("float8_e4m3fnuz", TORCH, "8-bit float: 4 exponent, 3 mantissa bits, no infinity, no negative zero"),
    Dtype("float8_e5m2", TORCH, "8-bit float: 5 exponent, 2 mantissa bits"),
    Dtype("float8_e5m2fnuz", TORCH, "8-bit float: 5 exponent, 2 mantissa bits, no infinity, no negative zero"),
    Dtype("float8_e8m0fnu", TORCH, "8-bit float: exponent only"),
    Dtype("float4_e2m1fn_x2", TORCH, "two 4-bit floats a byte"),
    *(
        Dtype(f"{sign}int{bits}", TORCH, f"{bits}-bit integer, a byte each")
        for sign in ("", "u")
        for bits in range(1, 8)
    ),
    Dtype("bits8", TORCH, "8 raw bits"),
    Dtype("bits16", TORCH, "16 raw bits"),
    Dtype("bits1x8", TORCH, "eight 1-bit fields a byte"),
    Dtype("bits2x4", TORCH, "four 2-bit fields a byte"),
    Dtype("bits4x2", TORCH, "two 4-bit fields a byte"),
    Dtype("qint8", TORCH, "quantized 8-bit integer"),
    Dtype("qint32", TORCH, "quantized 32-bit integer"),
    Dtype("quint8", TORCH, "quantized unsigned 8-bit integer"),
    Dtype("quint4x2", TORCH, "quantized, two 4-bit integers a byte"),
    Dtype("quint2x4", TORCH, "quantized, four 2-bit integers a byte"),
)

LAST_VALUES: dict[str, Any] = {
    "int8": -100,
    "uint8": 200,
    "int16": 2**11 + 1,
    "uint16": 60_001,
    "int32": 2**24 + 1,
    "uint32": 2**32 - 1,
    "int64": 2**53 + 1,
    "uint64": 2**63 + 1,
    "float16": 6e4,
    "bfloat16": 3e38,
    "float32": 3e38,
    "float64": 1e300,
    "float128": 1e300,
    "complex32": 6e4,
    "complex64": 3e38,
    "complex128": 1e300,
    "complex256": 1e300,
}
"""The value that a generated subject has at its last position: one that a narrower dtype cannot hold."""

LIBRARIES = {entry.name: entry.libraries for entry in DTYPES}
"""The libraries that are known to have each of these dtypes."""

_SPELLED_OUT = {
    "str": "U8",
    "bytes": "S8",
    "void": "V8",
    "structured": [("x", "f4"), ("y", "i4")],
}


@dataclass(frozen=True)
class InstalledDtype:
    """A dtype in the installed libraries: its one name, who has it, and whether a foreign byte order was asked for."""

    name: str
    numpy: np.dtype[Any] | None
    torch: torch.dtype | None
    byte_swapped: bool = False

    @property
    def libraries(self) -> tuple[Library, ...]:
        """Who has it."""
        sides = ((Library.NUMPY, self.numpy), (Library.TORCH, self.torch))
        return tuple(library for library, dtype in sides if dtype is not None)


def name_of(dtype: Any) -> str:
    """Return the one name of a NumPy or PyTorch dtype: ``float32``, ``U8``, ``datetime64[ns]``.

    The byte order is left out; that of a record's fields, which may be mixed, is part of its name.
    """
    return _of_numbers().get(getattr(dtype, "num", None)) or _name_of(dtype)


@functools.cache
def _of_numbers() -> dict[int | None, str]:
    """Return the names of NumPy's numbers by the number of their type, which no other dtype has.

    NumPy makes a name anew each time. A cache by dtype would keep the dtypes of traced programs.
    """
    import numpy as np

    return {np.dtype(code).num: np.dtype(code).name for code in "?bhilqBHILQefdgFDG"}


def _name_of(dtype: Any) -> str:
    import numpy as np

    if not isinstance(dtype, np.dtype):
        return str(dtype).removeprefix("torch.")
    if dtype.names is not None or dtype.subdtype is not None:
        return str(dtype)
    if is_registered(dtype):
        return str(dtype.name)
    return dtype.str.lstrip("<>|=") if dtype.kind in "USV" else dtype.name


def is_registered(dtype: Any) -> bool:
    """Return True if a NumPy dtype is none of NumPy's: a package has registered it (``ml_dtypes``, so JAX and ONNX).

    ``dtype.str`` does not name such a dtype: that of a bfloat16 is ``<V2``, which is raw bytes.
    """
    return bool(getattr(dtype, "isbuiltin", 1) == _REGISTERED)


_REGISTERED = 2  # of ``np.dtype.isbuiltin``: "a user-defined numpy type"


@functools.cache
def find(name: str) -> InstalledDtype:
    """Return what the installed libraries make of ``name``.

    Raises:
        RequestError: if neither knows it, or the two mean different things by it (``float``, ``int``, ``byte``).
        UnavailableError: if it is one of PyTorch, which is not installed.
    """
    # torch.float and np.float64 say whose they are, which decides where the two mean different things
    module, dot, bare = name.partition(".")
    if dot and module in ("torch", "np", "numpy"):
        named = _in_torch(bare) if module == "torch" else _in_numpy(bare)
        if named is not None:
            return find(name_of(named))
    in_numpy, in_torch = _in_numpy(name), _in_torch(name)
    if in_torch is not None and is_registered(in_numpy):
        in_numpy = None  # what an import made of a name does not change what is generated: torch's own
    if in_numpy is None and in_torch is None:
        if _torch() is None and (module == "torch" or LIBRARIES.get(name) == TORCH):
            raise UnavailableError(f"{bare or name} is a dtype of PyTorch, which is not installed.")
        known = [entry.name for entry in installed()]
        raise unknown("dtype", bare if module in ("torch", "np", "numpy") and bare else name, known)
    if in_numpy is None:
        return InstalledDtype(name_of(in_torch), None, in_torch)
    canonical = name_of(in_numpy)
    if in_torch is not None and name_of(in_torch) != canonical:
        raise RequestError(
            f"dtype {name!r} means {canonical} in NumPy and {name_of(in_torch)} in PyTorch: specify which of the two."
        )
    if in_numpy.names is not None:
        return InstalledDtype(canonical, in_numpy, None)
    return InstalledDtype(canonical, in_numpy.newbyteorder("="), _in_torch(canonical), not in_numpy.isnative)


def installed() -> tuple[InstalledDtype, ...]:
    """Return every dtype that the installed libraries have, the declared ones first."""
    torch = _torch()
    by_name: dict[str, InstalledDtype] = {}
    declared = (entry.name for entry in DTYPES)
    others = [name_of(value) for value in vars(torch).values() if isinstance(value, torch.dtype)] if torch else []
    for name in (*declared, *sorted(others)):
        if _in_numpy(name) is not None or _in_torch(name) is not None:
            entry = find(name)
            by_name.setdefault(entry.name, entry)
    return tuple(by_name.values())


def is_structured(name: str) -> bool:
    """Return True for the name of a structured dtype, which is the text of the list or the dict that describes it."""
    return name.startswith(("[", "{"))


def _in_numpy(name: str) -> np.dtype[Any] | None:
    import numpy as np

    try:
        spelled: Any = ast.literal_eval(name) if is_structured(name) else _SPELLED_OUT.get(name, name)
        dtype: np.dtype[Any] = np.dtype(spelled)
    except (TypeError, ValueError, SyntaxError, KeyError):
        return None
    if dtype.itemsize == 0:
        return np.dtype(dtype.str.rstrip("0") + "8")
    return np.dtype(dtype.str + "[ns]") if dtype.kind in "mM" and "[" not in dtype.str else dtype


def _in_torch(name: str) -> torch.dtype | None:
    torch = _torch()
    dtype = getattr(torch, name, None)
    return dtype if torch is not None and isinstance(dtype, torch.dtype) else None


def _torch() -> ModuleType | None:
    """Return PyTorch if it is installed; only an experiment imports it."""
    from tensorbridge_cli.pytorch import torch

    return torch
