"""Conversions from polars and to it.

Each is one entry, with its documented rules, its pitfalls and its hook; see ``to_torch``. Nothing here imports polars:
the pages are cited only for the version that they were read for.
"""

from __future__ import annotations

from tensorbridge_cli.catalog.conditions import (
    A_SERIES,
    AN_ARRAY,
    CHUNKED,
    NULLS,
    POLARS_NUMBERS,
    POLARS_TIMES,
    all_of,
    any_of,
    not_,
    of_polars_dtype,
)
from tensorbridge_cli.catalog.conversions.to_torch import of_its_array
from tensorbridge_cli.catalog.entry import ARROW, NUMPY, POLARS, TORCH, Conversion, Rule
from tensorbridge_cli.catalog.hooks import InterceptedAt
from tensorbridge_cli.catalog.pitfalls import Pitfall

POLARS_API = "https://docs.pola.rs/api/python/stable/reference/"
TO_NUMPY_PAGE = POLARS_API + "series/api/polars.Series.to_numpy.html"
TO_TORCH_PAGE = POLARS_API + "series/api/polars.Series.to_torch.html"
TO_ARROW_PAGE = POLARS_API + "series/api/polars.Series.to_arrow.html"
SERIES_PAGE = POLARS_API + "series/index.html"
FRAME_TO_NUMPY_PAGE = POLARS_API + "dataframe/api/polars.DataFrame.to_numpy.html"
FRAME_TO_TORCH_PAGE = POLARS_API + "dataframe/api/polars.DataFrame.to_torch.html"
PL_FROM_NUMPY_PAGE = POLARS_API + "api/polars.from_numpy.html"

_IMPORTED = "__import__('polars')"
_FLOATS = f"{_IMPORTED}.Series([1.0, 2.0])"
_TWO_CHUNKS = f"{_IMPORTED}.Series([1]).append({_IMPORTED}.Series([2]))"
_WITH_A_NULL = f"{_IMPORTED}.Series([1, None])"
_ZERO_COPY = all_of(A_SERIES, any_of(POLARS_NUMBERS, POLARS_TIMES), not_(NULLS), not_(CHUNKED))
_ZERO_COPY_RULE = Rule(
    _ZERO_COPY, "copy", "no copy", "The conversion is zero copy when all of the following hold:", TO_NUMPY_PAGE
)
_READ_ONLY_RULE = Rule(_ZERO_COPY, "writable", "read-only", "The resulting array will not be writable.")

CONVERSIONS: tuple[Conversion, ...] = (
    Conversion(
        name="pl.Series.to_numpy",
        sources=(POLARS,),
        target=NUMPY,
        code="x.to_numpy()",
        page=TO_NUMPY_PAGE,
        hook=InterceptedAt("polars.Series.to_numpy"),
        dimensions=1,
        summary="A read-only view of a Series of numbers or times in one chunk without nulls, else a copy.",
        rules=(
            _ZERO_COPY_RULE,
            _READ_ONLY_RULE,
        ),
        pitfalls=(
            Pitfall(
                text="Integers with nulls become floats: a null is nan.",
                shows="dtype-changed",
                expr=_WITH_A_NULL,
            ),
            Pitfall(
                text="A Series of several chunks is copied.",
                shows="copied",
                expr=_TWO_CHUNKS,
            ),
        ),
    ),
    Conversion(
        name="pl.Series.to_numpy(allow_copy=False)",
        sources=(POLARS,),
        target=NUMPY,
        code="x.to_numpy(allow_copy=False)",
        copy=False,
        page=TO_NUMPY_PAGE,
        hook=InterceptedAt("polars.Series.to_numpy"),
        dimensions=1,
        summary="The same if nothing has to be copied; else it raises.",
        rules=(
            Rule(A_SERIES, "copy", "no copy", "If set to False, causes conversions that are not zero-copy to fail."),
            _READ_ONLY_RULE,
        ),
        pitfalls=(Pitfall(text="Raises for a Series with nulls.", shows="refused", expr=_WITH_A_NULL),),
    ),
    Conversion(
        name="pl.Series.to_numpy(writable=True)",
        sources=(POLARS,),
        target=NUMPY,
        code="x.to_numpy(writable=True)",
        page=TO_NUMPY_PAGE,
        hook=InterceptedAt("polars.Series.to_numpy"),
        dimensions=1,
        summary="A copy that can be written.",
        rules=(
            Rule(
                A_SERIES,
                "copy",
                "copy",
                "This will force a copy of the data if the array was created without copy as the underlying Arrow data "
                "is immutable.",
            ),
            Rule(A_SERIES, "writable", "writable", "Ensure the resulting array is writable."),
        ),
        pitfalls=(
            Pitfall(
                text="Writes to the array do not change the Series.",
                shows="copied",
                expr=_FLOATS,
            ),
        ),
    ),
    Conversion(
        name="pl.Series.to_torch",
        sources=(POLARS,),
        target=TORCH,
        code="x.to_torch()",
        page=TO_TORCH_PAGE,
        hook=InterceptedAt("polars.Series.to_torch"),
        dimensions=1,
        summary="A copy as a tensor; unsigned integers become signed ones.",
        rules=tuple(
            Rule(
                all_of(A_SERIES, of_polars_dtype(unsigned), not_(NULLS)),
                "dtype",
                signed,
                "PyTorch tensors do not support UInt16, UInt32, or UInt64; these dtypes will be automatically cast to "
                "Int32, Int64, and Int64, respectively.",
            )
            for unsigned, signed in (("UInt16", "int32"), ("UInt32", "int64"), ("UInt64", "int64"))
        ),
        pitfalls=(
            Pitfall(
                text="It copies, although to_numpy() of the same Series does not.",
                shows="copied",
                expr=_FLOATS,
            ),
        ),
    ),
    of_its_array(
        POLARS,
        "pl.Series",
        "{}.to_numpy()",
        Pitfall(
            text="The memory is immutable for polars, but not for the tensor: a write changes the Series and all "
            "that share its memory.",
            shows="immutable-written",
            expr=_FLOATS,
        ),
        summary="A tensor over the memory of a Series or a DataFrame, which can write to it.",
    ),
    Conversion(
        name="pl.Series.to_arrow",
        sources=(POLARS,),
        target=ARROW,
        code="x.to_arrow()",
        page=TO_ARROW_PAGE,
        hook=InterceptedAt("polars.Series.to_arrow"),
        needs="pa.array",
        dimensions=1,
        summary="The Arrow array of a Series, which shares its memory.",
        rules=(
            Rule(
                all_of(A_SERIES, POLARS_NUMBERS, not_(CHUNKED)),
                "copy",
                "no copy",
                "If the Series contains only a single chunk this operation is zero copy.",
            ),
        ),
        pitfalls=(
            Pitfall(
                text="The chunks of the Series itself are joined into one.",
                shows="source-changed",
                expr=_TWO_CHUNKS,
            ),
        ),
    ),
    Conversion(
        name="pl.DataFrame.to_numpy",
        sources=(POLARS,),
        target=NUMPY,
        code="x.to_numpy()",
        page=FRAME_TO_NUMPY_PAGE,
        hook=InterceptedAt("polars.DataFrame.to_numpy"),
        dimensions=2,
        summary="A copy of a DataFrame as an array, unless its columns lie one behind the other.",
        rules=(),
        pitfalls=(
            Pitfall(
                text="Columns that were made one by one are copied.",
                shows="copied",
                expr=f"{_IMPORTED}.DataFrame({{'a': [1.0, 2.0], 'b': [3.0, 4.0]}})",
            ),
            Pitfall(
                text="A DataFrame of an array with Fortran order is shared.",
                shows="shared",
                expr=f"{_IMPORTED}.from_numpy(np.zeros((2, 3), order='F'))",
            ),
        ),
    ),
    Conversion(
        name="pl.DataFrame.to_torch",
        sources=(POLARS,),
        target=TORCH,
        code="x.to_torch()",
        page=FRAME_TO_TORCH_PAGE,
        hook=InterceptedAt("polars.DataFrame.to_torch"),
        dimensions=2,
        summary="A copy of a DataFrame as a tensor.",
        rules=(),
        pitfalls=(
            Pitfall(
                text="Columns of different dtypes are copied to one dtype that holds all.",
                shows="copied",
                expr=f"{_IMPORTED}.DataFrame({{'a': [1, 2], 'b': [0.5, 1.5]}})",
            ),
        ),
    ),
    Conversion(
        name="pl.Series",
        sources=(NUMPY,),
        target=POLARS,
        code="pl.Series(x)",
        setup="import polars as pl",
        page=SERIES_PAGE,
        hook=InterceptedAt("polars.Series.__init__", "values", 2, result=0),
        needs="pl.Series",
        dimensions=1,
        summary="A Series over the memory of an ndarray, if it is contiguous; else a copy.",
        rules=(),
        pitfalls=(Pitfall(text="A write to the ndarray changes the Series.", shows="immutable-written", shape="4"),),
    ),
    Conversion(
        name="pl.from_numpy",
        sources=(NUMPY,),
        target=POLARS,
        code="pl.from_numpy(x)",
        setup="import polars as pl",
        page=PL_FROM_NUMPY_PAGE,
        hook=InterceptedAt("polars.from_numpy", "data", also=("polars.convert.general.from_numpy",)),
        needs="pl.from_numpy",
        changes=("shape",),
        summary="A DataFrame of an ndarray, whose columns share its memory if each is contiguous.",
        rules=(Rule(AN_ARRAY, "copy", "copy", "This operation clones data."),),
        pitfalls=(
            Pitfall(
                text="A write to an ndarray of Fortran order changes the DataFrame, though the page says that data is "
                "cloned.",
                shows="immutable-written",
                layout="fortran",
            ),
        ),
    ),
)
