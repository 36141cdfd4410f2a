"""Conversions from pandas and to it.

Each is one entry, with its documented rules, its pitfalls and its hook; see ``to_torch``. Nothing here imports pandas:
the pages are cited only for the version that they were read for.
"""

from __future__ import annotations

from tensorbridge_cli.catalog.conditions import PANDAS_OF_NUMPY
from tensorbridge_cli.catalog.conversions.to_torch import of_its_array
from tensorbridge_cli.catalog.entry import NUMPY, PANDAS, Conversion, Copy, Rule, with_copy
from tensorbridge_cli.catalog.hooks import InterceptedAt
from tensorbridge_cli.catalog.pitfalls import Pitfall

PANDAS_API = "https://pandas.pydata.org/docs/reference/api/"
TO_NUMPY_PAGE = PANDAS_API + "pandas.Series.to_numpy.html"
VALUES_PAGE = PANDAS_API + "pandas.Series.values.html"
FRAME_TO_NUMPY_PAGE = PANDAS_API + "pandas.DataFrame.to_numpy.html"
SERIES_PAGE = PANDAS_API + "pandas.Series.html"

_IMPORTED = "__import__('pandas')"

CONVERSIONS: tuple[Conversion, ...] = (
    *with_copy(
        Conversion(
            name="Series.to_numpy",
            sources=(PANDAS,),
            target=NUMPY,
            code="x.to_numpy()",
            code_with_dtype="x.to_numpy(dtype=dtype)",
            page=TO_NUMPY_PAGE,
            hook=InterceptedAt("pandas.core.base.IndexOpsMixin.to_numpy"),
            dimensions=1,
            summary="The array of a Series or an Index: a read-only view of it if its dtype is one of NumPy's.",
            rules=(
                Rule(
                    PANDAS_OF_NUMPY,
                    "copy",
                    "no copy",
                    "For NumPy dtypes, this will be a reference to the actual data stored in this Series or Index "
                    "(assuming copy=False).",
                ),
            ),
            pitfalls=(
                Pitfall(
                    text="A nullable Series with missing values is copied, to an array of objects or of floats.",
                    shows="copied",
                    expr=f"{_IMPORTED}.Series([1, 2, None], dtype='Int64')",
                ),
            ),
        ),
        Copy(
            value=True,
            summary="A copy of a Series or an Index as an array, which can be written.",
            rules=(
                Rule(
                    PANDAS_OF_NUMPY,
                    "outcome",
                    "copied",
                    "Rather, copy=True ensure that a copy is made, even if not strictly necessary.",
                ),
            ),
            pitfalls=(
                Pitfall(
                    text="The array is a copy: later writes to the Series do not change it.",
                    shows="copied",
                    expr=f"{_IMPORTED}.Series([1.0, 2.0])",
                ),
            ),
        ),
    ),
    Conversion(
        name="Series.values",
        sources=(PANDAS,),
        target=NUMPY,
        code="x.values",
        page=VALUES_PAGE,
        hook=InterceptedAt("pandas.Series.values", also=("pandas.Index.values",)),
        dimensions=1,
        summary="The same as to_numpy() for a NumPy dtype, and an array of pandas for others.",
        rules=(),
        pitfalls=(
            Pitfall(
                text="The array cannot be written, but a write to the Series changes it.",
                shows="shared",
                expr=f"{_IMPORTED}.Series([1.0, 2.0])",
            ),
        ),
    ),
    Conversion(
        name="DataFrame.to_numpy",
        sources=(PANDAS,),
        target=NUMPY,
        code="x.to_numpy()",
        code_with_dtype="x.to_numpy(dtype=dtype)",
        page=FRAME_TO_NUMPY_PAGE,
        hook=InterceptedAt("pandas.DataFrame.to_numpy"),
        dimensions=2,
        summary="The array of a DataFrame: a read-only view if its columns are one block of memory, and else a copy.",
        rules=(),
        pitfalls=(
            Pitfall(
                text="Columns of different dtypes are copied to one dtype that holds all.",
                shows="copied",
                expr=f"{_IMPORTED}.DataFrame({{'a': [1, 2], 'b': [0.5, 1.5]}})",
            ),
        ),
    ),
    of_its_array(
        PANDAS,
        "Series",
        "{}.to_numpy()",
        Pitfall(
            text="An Index is immutable for pandas, but not for the tensor: a write changes it.",
            shows="immutable-written",
            expr=f"{_IMPORTED}.Index([1, 2, 3])",
        ),
        summary="A tensor over the memory of a Series, an Index or a DataFrame, which writes to it past copy-on-write.",
    ),
    *with_copy(
        Conversion(
            name="pd.Series",
            sources=(NUMPY,),
            target=PANDAS,
            code="pd.Series(x)",
            setup="import pandas as pd",
            page=SERIES_PAGE,
            hook=InterceptedAt("pandas.Series.__init__", "data", 1, result=0),
            needs="pd.Series",
            dimensions=1,
            summary="A Series of an array: pandas 3 copies it, older versions share it.",
            rules=(),
            pitfalls=(Pitfall(text="Later writes to the array do not change the Series.", shows="copied", shape="4"),),
        ),
        Copy(
            value=False,
            summary="A Series over the memory of an array: writes to either show in the other.",
            rules=(),
            pitfalls=(Pitfall(text="A write to the array changes the Series.", shows="shared", shape="4"),),
        ),
    ),
)
