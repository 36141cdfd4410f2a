"""Conversions from Arrow and to it, through pyarrow.

Each is one entry, with its documented rules, its pitfalls and its hook; see ``to_torch``. Nothing here imports pyarrow:
the pages are cited only for the version that they were read for.
"""

from __future__ import annotations

from tensorbridge_cli.catalog.conditions import (
    AN_ARROW_ARRAY,
    AN_ARROW_TENSOR,
    ARROW_NUMBERS,
    CHUNKED,
    NULLS,
    all_of,
    not_,
)
from tensorbridge_cli.catalog.conversions.to_torch import of_its_array
from tensorbridge_cli.catalog.entry import ARROW, NUMPY, Conversion, Rule
from tensorbridge_cli.catalog.hooks import InterceptedAt
from tensorbridge_cli.catalog.pitfalls import Pitfall

ARROW_API = "https://arrow.apache.org/docs/python/generated/"
ARRAY_PAGE = ARROW_API + "pyarrow.Array.html#pyarrow.Array.to_numpy"
CHUNKED_PAGE = ARROW_API + "pyarrow.ChunkedArray.html#pyarrow.ChunkedArray.to_numpy"
TENSOR_PAGE = ARROW_API + "pyarrow.Tensor.html#pyarrow.Tensor.to_numpy"
FROM_NUMPY_TENSOR_PAGE = ARROW_API + "pyarrow.Tensor.html#pyarrow.Tensor.from_numpy"
PA_ARRAY_PAGE = ARROW_API + "pyarrow.array.html"

_IMPORTED = "__import__('pyarrow')"
_A_VIEW = all_of(AN_ARROW_ARRAY, ARROW_NUMBERS, not_(NULLS))
_READ_ONLY = (
    "For numpy arrays created with zero copy (view on the Arrow data), the resulting array is not writable (Arrow data "
    "is immutable)."
)

CONVERSIONS: tuple[Conversion, ...] = (
    Conversion(
        name="pa.Array.to_numpy",
        sources=(ARROW,),
        target=NUMPY,
        code="x.to_numpy()",
        page=ARRAY_PAGE,
        hook=InterceptedAt("pyarrow.Array.to_numpy", also=("pyarrow.ChunkedArray.to_numpy", "pyarrow.Tensor.to_numpy")),
        summary="A read-only view of an array of numbers. What would have to be copied raises, but not a ChunkedArray.",
        rules=(
            Rule(_A_VIEW, "copy", "no copy", "By default, tries to return a view of this array."),
            Rule(_A_VIEW, "writable", "read-only", _READ_ONLY),
            Rule(
                all_of(AN_ARROW_ARRAY, NULLS),
                "outcome",
                "refused",
                "If True, an exception will be raised if the conversion to a numpy array would require copying the "
                "underlying data (e.g. in presence of nulls, or for non-primitive types).",
            ),
            Rule(
                all_of(CHUNKED, ARROW_NUMBERS),
                "copy",
                "copy",
                "Return a NumPy copy of this array (experimental).",
                page=CHUNKED_PAGE,
            ),
            Rule(
                AN_ARROW_TENSOR, "copy", "no copy", "Convert arrow::Tensor to numpy.ndarray with zero copy", TENSOR_PAGE
            ),
        ),
        pitfalls=(
            Pitfall(
                text="Raises for an array with nulls.",
                shows="refused",
                expr=f"{_IMPORTED}.array([1, None])",
            ),
            Pitfall(
                text="A ChunkedArray of one chunk is shared, one of several is copied.",
                shows="shared",
                expr=f"{_IMPORTED}.chunked_array([[1.0, 2.0]])",
            ),
        ),
    ),
    Conversion(
        name="pa.Array.to_numpy(zero_copy_only=False)",
        sources=(ARROW,),
        target=NUMPY,
        code="x.to_numpy(zero_copy_only=False)",
        page=ARRAY_PAGE,
        hook=InterceptedAt("pyarrow.Array.to_numpy"),
        dimensions=1,
        summary="A read-only view of an array of numbers, and a copy of anything else.",
        rules=(
            Rule(_A_VIEW, "copy", "no copy", "By default, tries to return a view of this array."),
            Rule(_A_VIEW, "writable", "read-only", _READ_ONLY),
        ),
        pitfalls=(
            Pitfall(
                text="Integers with nulls become floats: a null is nan.",
                shows="dtype-changed",
                expr=f"{_IMPORTED}.array([1, None])",
            ),
        ),
    ),
    of_its_array(
        ARROW,
        "pa.Array",
        "{}.to_numpy()",
        Pitfall(
            text="Arrow data is immutable for pyarrow, but not for the tensor: a write changes it.",
            shows="immutable-written",
            expr=f"{_IMPORTED}.array([1.0, 2.0])",
        ),
        summary="A tensor over the memory of an array of numbers, which can write to it.",
    ),
    Conversion(
        name="pa.array",
        sources=(NUMPY,),
        target=ARROW,
        code="pa.array(x)",
        setup="import pyarrow as pa",
        page=PA_ARRAY_PAGE,
        hook=InterceptedAt("pyarrow.array", "obj", also=("pyarrow.lib.array",)),
        needs="pa.array",
        dimensions=1,
        summary="An Arrow array over the memory of an ndarray, if it is contiguous; else a copy.",
        rules=(),
        pitfalls=(
            Pitfall(
                text="A write to the ndarray changes the Arrow array, which pyarrow calls immutable.",
                shows="immutable-written",
                shape="4",
            ),
        ),
    ),
    Conversion(
        name="pa.Tensor.from_numpy",
        sources=(NUMPY,),
        target=ARROW,
        code="pa.Tensor.from_numpy(x)",
        setup="import pyarrow as pa",
        page=FROM_NUMPY_TENSOR_PAGE,
        hook=InterceptedAt("pyarrow.Tensor.from_numpy", "obj"),
        needs="pa.Tensor",
        summary="An Arrow tensor over the memory of an ndarray.",
        rules=(),
        pitfalls=(Pitfall(text="A write to the ndarray changes the tensor.", shows="shared"),),
    ),
)
