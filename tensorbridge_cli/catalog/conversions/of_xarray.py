"""Conversions from xarray and to it.

Each is one entry, with its documented rules, its pitfalls and its hook; see ``to_torch``. Nothing here imports xarray:
the pages are cited only for the version that they were read for.
"""

from __future__ import annotations

from tensorbridge_cli.catalog.conditions import XARRAY_OF_NUMPY
from tensorbridge_cli.catalog.conversions.to_torch import of_its_array
from tensorbridge_cli.catalog.entry import NUMPY, XARRAY, Conversion, Rule
from tensorbridge_cli.catalog.hooks import InterceptedAt
from tensorbridge_cli.catalog.pitfalls import Pitfall

XARRAY_API = "https://docs.xarray.dev/en/stable/generated/"
VALUES_PAGE = XARRAY_API + "xarray.DataArray.values.html"
TO_NUMPY_PAGE = XARRAY_API + "xarray.DataArray.to_numpy.html"
DATA_ARRAY_PAGE = XARRAY_API + "xarray.DataArray.html"

_FLOATS = "__import__('xarray').DataArray(np.arange(4.0))"
_WRITES = Pitfall(text="A write to it changes the DataArray.", shows="shared", expr=_FLOATS)

CONVERSIONS: tuple[Conversion, ...] = (
    Conversion(
        name="DataArray.values",
        sources=(XARRAY,),
        target=NUMPY,
        code="x.values",
        page=VALUES_PAGE,
        hook=InterceptedAt("xarray.DataArray.values"),
        summary="The array of a DataArray: its own memory if NumPy holds it.",
        rules=(Rule(XARRAY_OF_NUMPY, "copy", "no copy", "Note that this array is not copied;"),),
        pitfalls=(_WRITES,),
    ),
    Conversion(
        name="DataArray.to_numpy",
        sources=(XARRAY,),
        target=NUMPY,
        code="x.to_numpy()",
        page=TO_NUMPY_PAGE,
        hook=InterceptedAt("xarray.DataArray.to_numpy"),
        summary="The same, also of what another library holds.",
        rules=(),
        pitfalls=(_WRITES,),
    ),
    of_its_array(
        XARRAY,
        "DataArray",
        "{}.values",
        _WRITES,
        summary="A tensor over the memory of a DataArray. torch.tensor does not accept a DataArray.",
    ),
    Conversion(
        name="xr.DataArray",
        sources=(NUMPY,),
        target=XARRAY,
        code="xr.DataArray(x)",
        setup="import xarray as xr",
        page=DATA_ARRAY_PAGE,
        hook=InterceptedAt("xarray.DataArray.__init__", "data", 1, result=0),
        needs="xarray.DataArray",
        summary="A DataArray over the memory of an array.",
        rules=(),
        pitfalls=(Pitfall(text="A write to the array changes the DataArray.", shows="shared"),),
    ),
)
