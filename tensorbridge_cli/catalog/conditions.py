"""Conditions: which subjects a sentence of the documentation applies to, each as a predicate and in words.

The words of a combined condition are composed of those of its parts, and those of an atom of its parameters, so that
the words and the predicate cannot differ. A named condition is shown by its name; ``means`` explains the name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Optional

from tensorbridge_cli.catalog.dtypes import LAST_VALUES
from tensorbridge_cli.catalog.states import words as states_in
from tensorbridge_cli.records.enums import Library, Origin

if TYPE_CHECKING:
    from tensorbridge_cli.records.report import Subject

Holds = Callable[["Subject", Optional[str]], bool]
"""Called with the subject and the target dtype, or ``None``."""

LISTED = frozenset(
    "float64 float32 float16 complex64 complex128 int64 int32 int16 int8 uint8 bool".split()  # noqa: SIM905
)
"""The dtypes that the page of ``torch.from_numpy`` lists."""

_NUMPY_LACKS = ("bfloat16", "float8", "float4", "complex32", "bits", "q")
_INTEGER = re.compile(r"u?int(8|16|32|64)")
_STRANGE = frozenset(
    {"sparse-coo", "sparse-csr", "nested", "mkldnn", "meta", "fake", "quantized", "zero-tensor", "lazy-clone"}
)


@dataclass(frozen=True)
class When:
    """A condition on a subject and on the target dtype.

    Attributes:
        holds: the predicate.
        parts: the words, one entry for each condition that must hold.
        otherwise: the words of its negation.
        means: what a condition with a name of its own stands for.
        named: the conditions with a name of their own that it is made of, itself included.
        mentions: the states, layouts and dtypes that it names.
        requires: the states and layouts that it is about: those that a subject must be in for it to hold, or one of
            several for each part. What it excludes, or names as one of several cases, is not among them.
    """

    holds: Holds
    parts: tuple[str, ...]
    otherwise: str
    means: str = ""
    named: tuple[When, ...] = field(default=(), repr=False)
    mentions: frozenset[str] = frozenset()
    requires: frozenset[str] = frozenset()

    def __call__(self, subject: Subject, to_dtype: str | None) -> bool:
        """Return True if the sentence applies to ``subject`` with ``to_dtype`` as the target dtype."""
        return self.holds(subject, to_dtype)

    @property
    def words(self) -> str:
        """The condition in words."""
        return ", ".join(self.parts)


def _atom(holds: Holds, words: str, otherwise: str = "", means: str = "") -> When:
    condition = When(holds, (words,), otherwise or f"not {words}", means)
    return replace(condition, named=(condition,)) if means else condition


def name(words: str, condition: When, means: str = "") -> When:
    """Return ``condition`` under a name of its own; it means what the words of its parts say, or ``means``."""
    named = _atom(condition.holds, words, means=means or condition.words)
    return replace(named, named=(named, *condition.named), mentions=condition.mentions)


def all_of(*conditions: When) -> When:
    """Return the condition that all of ``conditions`` hold."""
    parts = tuple(part for condition in conditions for part in condition.parts)
    return When(
        lambda subject, to_dtype: all(condition(subject, to_dtype) for condition in conditions),
        parts,
        f"not both {' and '.join(parts)}" if len(parts) == _BOTH else f"not ({', '.join(parts)})",
        named=_named(conditions),
        mentions=_mentions(conditions),
        requires=frozenset().union(*(condition.requires for condition in conditions)),
    )


_BOTH = 2


def any_of(*conditions: When) -> When:
    """Return the condition that one of ``conditions`` holds, or several."""
    words = " or ".join(_grouped(condition) for condition in conditions)
    return When(
        lambda subject, to_dtype: any(condition(subject, to_dtype) for condition in conditions),
        (words,),
        f"neither {' nor '.join(_grouped(condition) for condition in conditions)}",
        named=_named(conditions),
        mentions=_mentions(conditions),
    )


def not_(condition: When) -> When:
    """Return the condition that ``condition`` does not hold."""
    return When(
        lambda subject, to_dtype: not condition(subject, to_dtype),
        (condition.otherwise,),
        condition.words,
        named=condition.named,
        mentions=condition.mentions,
    )


def _grouped(condition: When) -> str:
    first, *rest = condition.parts
    return f"{first} ({', '.join(rest)})" if rest else first


def _named(conditions: tuple[When, ...]) -> tuple[When, ...]:
    return tuple({one.words: one for condition in conditions for one in condition.named}.values())


def _mentions(conditions: tuple[When, ...]) -> frozenset[str]:
    return frozenset().union(*(condition.mentions for condition in conditions))


def state(*of: str) -> When:
    """Return the condition that the subject is in one of these states."""
    condition = _atom(lambda subject, to_dtype: bool(states_in(subject.state) & set(of)), f"in state {'/'.join(of)}")
    return replace(condition, mentions=frozenset(of), requires=frozenset(of))


def layout(*of: str) -> When:
    """Return the condition that the subject has one of these layouts."""
    condition = _atom(
        lambda subject, to_dtype: bool(set(subject.layout.split("+")) & set(of)), f"with layout {'/'.join(of)}"
    )
    return replace(condition, mentions=frozenset(of), requires=frozenset(of))


def dtype(*of: str) -> When:
    """Return the condition that the subject has one of these dtypes."""
    condition = _atom(lambda subject, to_dtype: subject.dtype in of, f"of dtype {'/'.join(of)}")
    return replace(condition, mentions=frozenset(of))


def each_dtype(condition: When) -> When:
    """Return the condition for each of the dtypes of a list, which are named with commas."""
    return replace(
        condition,
        holds=lambda subject, to_dtype: all(
            condition(replace(subject, dtype=name), to_dtype) for name in subject.dtype.split(", ")
        ),
    )


def dtype_like(*beginnings: str) -> When:
    """Return the condition that the name of the subject's dtype begins with one of these."""
    return _atom(lambda subject, to_dtype: subject.dtype.startswith(beginnings), f"of a dtype {'/'.join(beginnings)}…")


def _is_ndarray(subject: Subject, to_dtype: str | None) -> bool:
    hidden = "masked" in states_in(subject.state) and math.prod(subject.shape) == 1  # no write shows in it
    return subject.library is Library.NUMPY and "scalar" not in states_in(subject.state) and not hidden


def _is_on_cpu_with_data(subject: Subject, to_dtype: str | None) -> bool:
    return subject.library is Library.TORCH and subject.device == "cpu" and not _STRANGE & states_in(subject.state)


def _is_same_dtype(subject: Subject, to_dtype: str | None) -> bool:
    return to_dtype is None or (to_dtype == subject.dtype and "byte-swapped" not in subject.layout)


def _is_lacking_in_numpy(subject: Subject, to_dtype: str | None) -> bool:
    return subject.library is Library.TORCH and (
        subject.dtype.startswith(_NUMPY_LACKS) or "quantized" in states_in(subject.state)
    )


def _has_a_value_that_no_integer_of_the_dtype_is(subject: Subject, to_dtype: str | None) -> bool:
    if to_dtype is None or not _INTEGER.fullmatch(to_dtype) or not subject.dtype.startswith(("float", "bfloat")):
        return False
    bits = int(to_dtype.lstrip("uint")) - (not to_dtype.startswith("u"))
    largest = LAST_VALUES.get(subject.dtype)
    # what a user's own object holds is not known from its description
    generated = subject.origin is Origin.GENERATED and 0 not in subject.shape
    return generated and largest is not None and largest >= 2**bits


def _width(dtype: str) -> int:
    """Return the bytes of an element by the name of its dtype; 1 for a name without a number."""
    bits = re.search(r"\d+$", dtype)
    return int(bits[0]) // 8 if bits else 1


ANY_NDARRAY = _atom(
    _is_ndarray,
    "an ndarray",
    means="an ndarray or a subclass of it, of any dtype and layout, but not a NumPy scalar or a masked array of one "
    "masked element",
)
WITH_DATA = _atom(
    _is_on_cpu_with_data,
    "a tensor with data on the CPU",
    means=f"on the CPU, not {', '.join(sorted(_STRANGE))}",
)
OF_LISTED_DTYPE = _atom(
    lambda subject, to_dtype: subject.dtype in LISTED,
    "of a supported dtype",
    means=f"a dtype that the page of torch.from_numpy lists: {', '.join(sorted(LISTED))}",
)
SAME_DTYPE = _atom(_is_same_dtype, "no other dtype requested", "another dtype requested")
ANOTHER_DTYPE = not_(SAME_DTYPE)
ASKED_DTYPE = _atom(lambda subject, to_dtype: to_dtype is not None, "a dtype requested", "no dtype requested")
ORDINARY_CAST = _atom(  # no page says which of the other dtypes can be cast
    lambda subject, to_dtype: _is_same_dtype(subject, to_dtype) or {subject.dtype, to_dtype} <= LISTED,
    "target dtype (if any) supported",
    "an unsupported target dtype",
)
HAS_ROWS = _atom(lambda subject, to_dtype: len(subject.shape) > 0, "with 1 or more dimensions", "0-d")
INTEGERS_ASKED = _atom(
    lambda subject, to_dtype: to_dtype is not None and bool(_INTEGER.fullmatch(to_dtype)), "an integer dtype requested"
)
REALS_ASKED = _atom(
    lambda subject, to_dtype: to_dtype in LISTED and not to_dtype.startswith(("bool", "complex")),
    "a floating-point or integer dtype requested",
)
TOO_LARGE_FOR_THE_INTEGERS_ASKED = _atom(
    _has_a_value_that_no_integer_of_the_dtype_is,
    "an integer dtype requested that cannot represent a generated value",
)
MULTIDIMENSIONAL = _atom(
    lambda subject, to_dtype: sum(length > 1 for length in subject.shape) > 1,
    "with 2 or more dimensions longer than 1",
)
HAS_ELEMENTS = _atom(lambda subject, to_dtype: 0 not in subject.shape, "non-empty", "empty")
ONE_DIMENSION = _atom(lambda subject, to_dtype: len(subject.shape) == 1, "1-d")
TWO_DIMENSIONS = _atom(lambda subject, to_dtype: len(subject.shape) == 2, "of 2 dimensions")
WHOLE_FLOATS = _atom(
    lambda subject, to_dtype: math.prod(subject.shape) * _width(subject.dtype) % 4 == 0,
    "of a multiple of 4 bytes",
    "of a number of bytes that is not a multiple of 4",
)
NUMPY_LACKS_IT = _atom(
    _is_lacking_in_numpy,
    "a tensor whose dtype NumPy lacks",
    means=f"with a dtype that starts with {', '.join(_NUMPY_LACKS[:-1])}, or quantized",
)
ANY_SOURCE = _atom(lambda subject, to_dtype: True, "any source", "no source")
ON_AN_ACCELERATOR = _atom(
    lambda subject, to_dtype: subject.device not in ("cpu", "meta"), "on an accelerator", "on the CPU or meta"
)
ELSEWHERE = _atom(
    lambda subject, to_dtype: subject.device != "cpu" or "meta" in states_in(subject.state), "on another device or meta"
)

GRAD = state("requires-grad", "non-leaf", "parameter")
LAZY_BITS = state("conjugate-bit", "negative-bit")
WRITABLE = not_(state("read-only"))
ZERO_D = not_(HAS_ROWS)
SPARSE = state("sparse-coo", "sparse-csr")
SCALAR = state("scalar")
ROW_MAJOR = layout("contiguous", "offset")
COMPLEX = dtype("complex64", "complex128", "complex")
NUMBERS_IN_A_LIST = name(
    "a list of numbers",
    all_of(state("list"), not_(ASKED_DTYPE), each_dtype(any_of(OF_LISTED_DTYPE, dtype("float", "int", "complex")))),
)

PANDAS_OF_NUMPY = _atom(
    lambda subject, to_dtype: subject.library is Library.PANDAS and subject.dtype in LISTED,
    "a pandas object of a NumPy dtype",
    means="a Series, an Index or a DataFrame whose dtype is one of NumPy's, such as int64, and not of pandas, such as "
    "Int64",
)
XARRAY_OF_NUMPY = _atom(
    lambda subject, to_dtype: subject.library is Library.XARRAY and subject.dtype in LISTED,
    "a DataArray of a NumPy dtype",
)
_ARROW_NUMBERS = (
    "halffloat",
    "float",
    "double",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)
_POLARS_NUMBERS = (
    *("Float16", "Float32", "Float64"),
    *(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)),
)
_POLARS_TIMES = ("Datetime(", "Duration(")
NULLS = _atom(lambda subject, to_dtype: "nulls" in states_in(subject.state), "with nulls", "without nulls")
CHUNKED = _atom(lambda subject, to_dtype: "chunked" in states_in(subject.state), "in chunks", "in one chunk")
AN_ARROW_ARRAY = _atom(
    lambda subject, to_dtype: (
        subject.library is Library.ARROW
        and len(subject.shape) == 1
        and {"read-only"} <= states_in(subject.state)
        and "chunked" not in states_in(subject.state)
    ),
    "an Arrow array",
    means="a pyarrow.Array, which is in one piece, and not a ChunkedArray or a Table",
)
ARROW_NUMBERS = _atom(
    lambda subject, to_dtype: subject.library is Library.ARROW and subject.dtype in _ARROW_NUMBERS,
    "an Arrow object of numbers",
    means="one whose type is an integer or a floating-point number",
)
AN_ARROW_TENSOR = _atom(
    lambda subject, to_dtype: subject.library is Library.ARROW and "read-only" not in states_in(subject.state),
    "an Arrow tensor",
    means="a pyarrow.Tensor over memory that can be written",
)
A_SERIES = _atom(
    lambda subject, to_dtype: subject.library is Library.POLARS and len(subject.shape) == 1,
    "a polars Series",
)
POLARS_NUMBERS = _atom(
    lambda subject, to_dtype: subject.library is Library.POLARS and subject.dtype in _POLARS_NUMBERS,
    "a polars object of numbers",
    means="one whose dtype is an integer or a floating-point number",
)
POLARS_TIMES = _atom(
    lambda subject, to_dtype: subject.library is Library.POLARS and subject.dtype.startswith(_POLARS_TIMES),
    "a polars object of times",
    means="one whose dtype is Datetime or Duration",
)


def of_polars_dtype(name: str) -> When:
    """Return the condition that the subject is of polars, and of this dtype."""
    words = f"a polars object of {name}"
    return _atom(lambda subject, to_dtype: subject.library is Library.POLARS and subject.dtype == name, words)


A_BUFFER = _atom(
    lambda subject, to_dtype: subject.library is Library.BUFFER,
    "a buffer",
    means="bytes, bytearray, memoryview, array.array, mmap, a ctypes array, or another object with the buffer protocol",
)

# an ndarray and a tensor as the pages mean them: a listed dtype, nothing odd about the memory
AN_ARRAY = name(
    "an array",
    all_of(ANY_NDARRAY, OF_LISTED_DTYPE, ORDINARY_CAST, not_(layout("reversed", "byte-swapped", "unaligned"))),
)
A_BUFFER_OF_NUMBERS = all_of(any_of(AN_ARRAY, all_of(A_BUFFER, OF_LISTED_DTYPE)), ROW_MAJOR, SAME_DTYPE)
A_TENSOR = name(
    "a tensor",
    all_of(
        WITH_DATA,
        OF_LISTED_DTYPE,
        ORDINARY_CAST,
        not_(layout("unaligned")),
        not_(all_of(dtype("bool"), state("negative-bit"))),
    ),
)
BARE_TENSOR = name("a tensor convertible to NumPy", all_of(A_TENSOR, not_(GRAD), not_(LAZY_BITS)))
# an object of a user's own may be a plain ndarray over a map: its state is that of its memory, not of its type
A_MEMMAP = all_of(
    state("memory-mapped"),
    _atom(lambda subject, to_dtype: subject.origin in (Origin.GENERATED, Origin.FILE), "a numpy.memmap"),
    HAS_ELEMENTS,  # a slice of a memmap that reaches no byte of it is a plain ndarray
)
SUBCLASS = all_of(ANY_NDARRAY, any_of(state("masked", "matrix"), A_MEMMAP))
MAY_BE_A_SUBCLASS = any_of(state("masked", "matrix"), all_of(state("memory-mapped"), HAS_ELEMENTS))
ARRAYS_AND_BARE_TENSORS = any_of(all_of(ANY_NDARRAY, ORDINARY_CAST), BARE_TENSOR)
