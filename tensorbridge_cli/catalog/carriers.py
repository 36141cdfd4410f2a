"""The carriers: objects that hold elements and are neither arrays nor tensors. One entry for each kind of type.

A type is named by its dotted name and matched on the classes of an object, so that nothing is imported: the library is
there if the object is. Pure data; ``memory.carriers`` reads the entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from tensorbridge_cli.compat import dataclass
from tensorbridge_cli.records.report import Library


@dataclass(frozen=True, kw_only=True)
class Carrier:
    """One type of another library, or several that are used alike.

    Attributes:
        types: dotted names of classes, each with the module that defines it; subclasses are meant, too.
        library: whose objects they are.
        assign: the statement that writes ``value`` to an element of ``x``, as a user types it: ``{index}`` stands for
            ``1, 2``, and ``{each}`` for ``[1][2]``. What cannot be written raises.
        immutable: True if the library calls the objects immutable.
        copies_on_write: True if the object may move to other memory when it is written.
        uses_threads: True if its methods may wait for threads of its library, which a fork of the process lacks.
        memory: expressions of dictionaries of arrays over the memory of ``x``, by the name of the part, of which the
            first counts that gives the same addresses twice. The one part that holds all elements has no name. Empty
            for what has the buffer protocol. ``arrow(x, owner)`` reads Arrow's C data interface.
        shape, dtype: the expressions of these, if the memory has no parts, or several.
        numpy_names: NumPy's names of its dtypes, if they are others.
        values: the expression of all values as a list, in that case.
        element: the expression of one value, in that case.
    """

    types: tuple[str, ...]
    library: Library
    assign: str = "x[{index}] = value"
    immutable: bool = False
    copies_on_write: bool = False
    uses_threads: bool = False
    memory: tuple[str, ...] = ()
    shape: str = "x.shape"
    dtype: str = "x.dtype"
    numpy_names: Mapping[str, str] = field(default_factory=dict, hash=False)
    values: str = "x.tolist()"
    element: str = "x[{index}]"


ANY_BUFFER = Carrier(types=(), library=Library.BUFFER)
"""An object that has no entry, and that has the buffer protocol."""

ANY_ARROW = Carrier(types=(), library=Library.ARROW, immutable=True, memory=("arrow(x)",), shape="(len(x),)")
"""An object that has no entry, and that has Arrow's protocol."""

_WHOLE = "{'': x.to_numpy()}"
# no public accessor gives the memory of a nullable array; where there are no such attributes, writes decide alone
_MASKED, _CODES = "{'values': x._data, 'mask': x._mask}", "{'codes': x.codes}"
_OF_ARRAY = (_WHOLE, _MASKED, _CODES)
_BY_ARROW = "arrow(x.array.__arrow_array__())"
_OF_COLUMN = (_WHOLE, *(code.replace("x.", "x.array.") for code in (_MASKED, _CODES)), _BY_ARROW)
"""How the memory of a column is reached: that of NumPy, a nullable one with its mask, a categorical one, Arrow's."""

_ARROW_NAMES = {"halffloat": "float16", "float": "float32", "double": "float64"}
_POLARS_NAMES = {
    **{f"{kind}{bits}": f"{kind.lower()}{bits}" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)},
    **{f"Float{bits}": f"float{bits}" for bits in (16, 32, 64)},
    "Boolean": "bool",
}

CARRIERS: tuple[Carrier, ...] = (
    Carrier(types=("builtins.bytes",), library=Library.BUFFER, immutable=True),
    Carrier(
        types=("builtins.bytearray", "builtins.memoryview", "array.array", "mmap.mmap"),
        library=Library.BUFFER,
    ),
    # of several dimensions: an array of arrays, each of which takes one index
    Carrier(types=("_ctypes.Array",), library=Library.BUFFER, assign="x{each} = value"),
    Carrier(
        types=("pandas.Series", "pandas.core.series.Series"),
        library=Library.PANDAS,
        assign="x.iloc[{index}] = value",
        copies_on_write=True,
        memory=_OF_COLUMN,
        element="x.iat[{index}]",
    ),
    Carrier(
        types=("pandas.Index", "pandas.core.indexes.base.Index"),
        library=Library.PANDAS,
        immutable=True,
        memory=_OF_COLUMN,
    ),
    Carrier(
        types=("pandas.api.extensions.ExtensionArray", "pandas.core.arrays.base.ExtensionArray"),
        library=Library.PANDAS,
        memory=_OF_ARRAY,
    ),
    Carrier(
        types=("pandas.DataFrame", "pandas.core.frame.DataFrame"),
        library=Library.PANDAS,
        assign="x.iloc[{index}] = value",
        copies_on_write=True,
        # of one block, or each column by itself
        memory=(_WHOLE, "{f'[{n}]': x.iloc[:, n].to_numpy() for n in range(x.shape[1])}"),
        dtype="', '.join(dict.fromkeys(map(str, x.dtypes)))",
        values="x.to_numpy().reshape(-1).tolist()",
        element="x.iat[{index}]",
    ),
    Carrier(types=("pyarrow.lib.Buffer",), library=Library.BUFFER, assign="memoryview(x)[{index}] = value"),
    Carrier(
        types=("pyarrow.lib.Array",),
        library=Library.ARROW,
        numpy_names=_ARROW_NAMES,
        immutable=True,
        memory=("arrow(x, x.buffers()[-1])",),
        shape="(len(x),)",
        dtype="x.type",
        values="x.to_pylist()",
        element="x[{index}].as_py()",
    ),
    Carrier(
        types=("pyarrow.lib.ChunkedArray",),
        library=Library.ARROW,
        numpy_names=_ARROW_NAMES,
        immutable=True,
        memory=("arrow(x, x.chunk(0).buffers()[-1])",),
        shape="(len(x),)",
        dtype="x.type",
        values="x.to_pylist()",
        element="x[{index}].as_py()",
    ),
    Carrier(
        types=("pyarrow.lib.Tensor",),
        library=Library.ARROW,
        numpy_names=_ARROW_NAMES,
        assign="x.to_numpy()[{index}] = value",
        memory=("{'': x.to_numpy()}",),
        dtype="x.type",
    ),
    Carrier(
        types=("pyarrow.lib.RecordBatch", "pyarrow.lib.Table"),
        library=Library.ARROW,
        numpy_names=_ARROW_NAMES,
        immutable=True,
        memory=("arrow(x)",),
        dtype="', '.join(dict.fromkeys(map(str, x.schema.types)))",
        values="[value for row in zip(*(column.to_pylist() for column in x.columns)) for value in row]",
        element="(lambda row, column: x.column(column)[row].as_py())({index})",
    ),
    # polars assigns to other memory: the memory itself it calls immutable
    Carrier(
        types=("polars.series.series.Series",),
        library=Library.POLARS,
        numpy_names=_POLARS_NAMES,
        immutable=True,
        copies_on_write=True,
        memory=("arrow(x)",),
        values="x.to_list()",
    ),
    Carrier(
        types=("polars.dataframe.frame.DataFrame",),
        library=Library.POLARS,
        numpy_names=_POLARS_NAMES,
        immutable=True,
        copies_on_write=True,
        memory=("arrow(x)",),
        uses_threads=True,
        dtype="', '.join(dict.fromkeys(map(str, x.dtypes)))",
        values="[value for row in x.rows() for value in row]",
    ),
)

BY_TYPE: Mapping[str, Carrier] = {name: entry for entry in CARRIERS for name in entry.types}

GROUPS: Mapping[Library, str] = {
    Library.BUFFER: "buffers",
    Library.PANDAS: "pandas",
    Library.ARROW: "arrow",
    Library.POLARS: "polars",
}
"""The conversions that run for an object of a library if none is named; for those that are not here, the classic."""
