"""The carriers: objects that hold elements and are neither arrays nor tensors. One entry for each kind of type.

A type is named by its dotted name and matched on the classes of an object, so that nothing is imported: the library is
there if the object is. Pure data; ``memory.carriers`` reads the entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from tensorbridge_cli.compat import dataclass
from tensorbridge_cli.records.enums import Library


@dataclass(frozen=True, kw_only=True)
class Carrier:
    """One type of another library, or several that are used alike.

    Attributes:
        types: dotted names of classes, each with the module that defines it; subclasses are meant, too.
        library: whose objects they are.
        assign: the statement that writes ``value`` to an element of ``x``, as a user types it: ``{index}`` stands for
            ``1, 2``, and ``{each}`` for ``[1][2]``. What cannot be written raises. Empty if the first part of the
            memory is what is written.
        immutable: True if the library calls the objects immutable.
        copies_on_write: True if the object may move to other memory when it is written.
        stored: for elements that lie in a file, the expression of whether the library refuses to write there. Where it
            would not, nothing is written: the file is the user's.
        uses_threads: True if its methods may wait for threads of its library, which a fork of the process lacks.
        pickles: True if what a pickle of the object gives lies in memory as the object does.
        memory: expressions of dictionaries of arrays over the memory of ``x``, by the name of the part, of which the
            first counts that gives the same addresses twice. The one part that holds all elements has no name. Empty
            for what has the buffer protocol. ``np`` and ``torch`` are at hand, and ``arrow(x, owner)``, which reads
            Arrow's C data interface.
        shape, dtype: the expressions of these, if the memory has no parts, or several.
        states: words of what is true of an object, each with the expression that tells whether it is.
        numpy_names: NumPy's names of its dtypes, if they are others.
        values: the expression of all values as a list, in that case.
        element: the expression of one value, in that case.
        device: the expression of the device, in that case.
        address: the expression of where the first element lies, for a script of ``repro``; empty if it does not tell.
        name: how its users call the type, if not by the name of the class.
    """

    types: tuple[str, ...]
    library: Library
    assign: str = "x[{index}] = value"
    immutable: bool = False
    copies_on_write: bool = False
    uses_threads: bool = False
    stored: str = ""
    pickles: bool = False
    memory: tuple[str, ...] = ()
    shape: str = "x.shape"
    dtype: str = "x.dtype"
    states: Mapping[str, str] = field(default_factory=dict, hash=False)
    numpy_names: Mapping[str, str] = field(default_factory=dict, hash=False)
    values: str = "x.tolist()"
    element: str = "x[{index}]"
    device: str = "'cpu'"
    address: str = ""
    name: str = ""


ANY_BUFFER = Carrier(types=(), library=Library.BUFFER)
"""An object that has no entry, and that has the buffer protocol."""

ANY_ARROW = Carrier(types=(), library=Library.ARROW, immutable=True, memory=("arrow(x)",), shape="(len(x),)")
"""An object that has no entry, and that has Arrow's protocol."""

_NONE = ("{}",)
"""The memory of what hands out copies alone."""
# NumPy reads a capsule of DLPack, versioned or not, on the CPU without a copy: it honours the flag of read-only memory
# and calls the deleter when the array dies. A reader of our own with ctypes could do no more, and would have to
# follow each version of the protocol. PyTorch reads the dtypes that NumPy lacks. Whether the producer copied, the
# addresses of two answers tell: the flag for it is newer than most producers.
_ON_THE_CPU = "x.__dlpack_device__()[0] == 1"
_DLPACK = (
    f"{{'': np.from_dlpack(x)}} if {_ON_THE_CPU} else {{}}",
    f"{{'': torch.from_dlpack(x)}} if {_ON_THE_CPU} else {{}}",
)
_INTERFACE = "{'': np.asarray(x)} if hasattr(type(x), '__array_interface__') else {}"
# where PyTorch has CUDA at work already: to start it here takes memory of the device, and no fork could use it
_CUDA_INTERFACE = (
    "{'': torch.as_tensor(x, device='cuda')} "
    "if hasattr(type(x), '__cuda_array_interface__') and torch.cuda.is_initialized() else {}"
)

_READ = "(np.from_dlpack(x) if hasattr(x, '__dlpack__') else np.asarray(x))"
"""How a script reads such an object, which may have no method of its own."""

ANY_ARRAY = Carrier(
    types=(),
    library=Library.OTHER,
    memory=(*_DLPACK, _INTERFACE, _CUDA_INTERFACE),
    values=f"{_READ}.tolist()",
    element=f"{_READ}[{{index}}]",
    address=f"{_READ}.ctypes.data",
)
"""An object that has no entry and tells where its memory lies, by DLPack or by one of the two interfaces of arrays."""

_WHOLE = "{'': x.to_numpy()}"
# no public accessor gives the memory of a nullable array; where there are no such attributes, writes decide alone
_MASKED, _CODES = "{'values': x._data, 'mask': x._mask}", "{'codes': x.codes}"
_OF_ARRAY = (_WHOLE, _MASKED, _CODES)
_BY_ARROW = "arrow(x.array.__arrow_array__())"
_OF_COLUMN = (_WHOLE, *(code.replace("x.", "x.array.") for code in (_MASKED, _CODES)), _BY_ARROW)
"""How the memory of a column is reached: that of NumPy, a nullable one with its mask, a categorical one, Arrow's."""

_MISSING = {"nulls": "bool(x.isna().any())"}

_ARROW_NAMES = {"halffloat": "float16", "float": "float32", "double": "float64"}
_ELEMENT_OF_POLARS = "(lambda value: value.to_list() if hasattr(value, 'to_list') else value)(x[{index}])"
"""A list in a column is a Series of its own, a new one each time."""

# column by column: to export a DataFrame as a whole moves each column of several chunks into one, in the user's object
_COLUMNS_OF_POLARS = (
    "{column.name + '.' * (part[:1] not in ('', '[')) + part: array for column in x.get_columns() "
    "for part, array in arrow(column, x).items()}"
)
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
    Carrier(types=("_ctypes._SimpleCData",), library=Library.BUFFER, assign="x.value = value"),
    Carrier(
        types=("pandas.Series", "pandas.core.series.Series"),
        library=Library.PANDAS,
        assign="x.iloc[{index}] = value",
        copies_on_write=True,
        states=_MISSING,
        memory=_OF_COLUMN,
        element="x.iat[{index}]",
        address="x.to_numpy().ctypes.data",
    ),
    # whether one of its tuples is missing, pandas does not say
    Carrier(
        types=("pandas.MultiIndex", "pandas.core.indexes.multi.MultiIndex"),
        library=Library.PANDAS,
        immutable=True,
        memory=(_WHOLE,),
    ),
    Carrier(
        types=("pandas.Index", "pandas.core.indexes.base.Index"),
        library=Library.PANDAS,
        immutable=True,
        states=_MISSING,
        memory=_OF_COLUMN,
        values="x.to_numpy().tolist()",  # of a RangeIndex, x.tolist() reads no memory
        address="x.to_numpy().ctypes.data",
    ),
    Carrier(
        types=("pandas.api.extensions.ExtensionArray", "pandas.core.arrays.base.ExtensionArray"),
        library=Library.PANDAS,
        states=_MISSING,
        memory=_OF_ARRAY,
    ),
    Carrier(
        types=("pandas.DataFrame", "pandas.core.frame.DataFrame"),
        library=Library.PANDAS,
        assign="x.iloc[{index}] = value",
        copies_on_write=True,
        states={"nulls": "bool(x.isna().any(axis=None))"},
        # of one block, or each column by itself
        memory=(_WHOLE, "{f'[{n}]': x.iloc[:, n].to_numpy() for n in range(x.shape[1])}"),
        dtype="', '.join(dict.fromkeys(map(str, x.dtypes)))",
        values="[value for row in x.itertuples(index=False, name=None) for value in row]",
        element="x.iat[{index}]",
        address="x.to_numpy().ctypes.data",
    ),
    Carrier(types=("pyarrow.lib.Buffer",), library=Library.BUFFER, assign="memoryview(x)[{index}] = value"),
    *(
        Carrier(
            types=(f"pyarrow.lib.{name}",),
            library=Library.ARROW,
            numpy_names=_ARROW_NAMES,
            immutable=True,
            states={"nulls": "x.null_count > 0", **states},
            memory=(f"arrow(x, {piece}.buffers()[-1])",),
            shape="(len(x),)",
            dtype="x.type",
            values="x.to_pylist()",
            element="x[{index}].as_py()",
            address=f"{piece}.buffers()[-1].address + {piece}.offset * x.type.bit_width // 8",
        )
        for name, piece, states in (
            ("Array", "x", {}),
            ("ChunkedArray", "x.chunk(0)", {"chunked": "True"}),
        )
    ),
    Carrier(
        types=("pyarrow.lib.Tensor",),
        library=Library.ARROW,
        numpy_names=_ARROW_NAMES,
        assign="x.to_numpy()[{index}] = value",
        memory=("{'': x.to_numpy()}",),
        dtype="x.type",
        values="x.to_numpy().tolist()",
        element="x.to_numpy()[{index}]",
        address="x.to_numpy().ctypes.data",
    ),
    Carrier(
        types=("pyarrow.lib.RecordBatch", "pyarrow.lib.Table"),
        library=Library.ARROW,
        numpy_names=_ARROW_NAMES,
        immutable=True,
        states={"nulls": "any(column.null_count for column in x.columns)"},
        memory=("arrow(x)",),
        dtype="', '.join(dict.fromkeys(map(str, x.schema.types)))",
        values="[value for row in zip(*(column.to_pylist() for column in x.columns)) for value in row]",
        element="(lambda row, column: x.column(column)[row].as_py())({index})",
    ),
    # polars assigns to other memory: the memory itself it calls immutable
    Carrier(
        types=("polars.Series", "polars.series.series.Series"),
        library=Library.POLARS,
        numpy_names=_POLARS_NAMES,
        immutable=True,
        copies_on_write=True,
        states={"nulls": "x.null_count() > 0", "chunked": "x.n_chunks() > 1"},
        memory=("arrow(x)",),
        values="x.to_list()",
        element=_ELEMENT_OF_POLARS,
        address="x.to_arrow().buffers()[-1].address",
    ),
    Carrier(
        types=("polars.DataFrame", "polars.dataframe.frame.DataFrame"),
        library=Library.POLARS,
        numpy_names=_POLARS_NAMES,
        immutable=True,
        copies_on_write=True,
        states={
            "nulls": "any(column.null_count() for column in x.get_columns())",
            "chunked": "any(column.n_chunks() > 1 for column in x.get_columns())",
        },
        memory=(_COLUMNS_OF_POLARS,),
        uses_threads=True,
        dtype="', '.join(dict.fromkeys(map(str, x.dtypes)))",
        values="[value for row in x.rows() for value in row]",
        element=_ELEMENT_OF_POLARS,
    ),
    Carrier(
        types=("jax.Array", "jaxlib._jax.ArrayImpl", "jaxlib.xla_extension.ArrayImpl"),
        library=Library.JAX,
        immutable=True,
        uses_threads=True,
        pickles=True,
        memory=_DLPACK,
        values="np.asarray(x).reshape(-1).tolist()",
        device="', '.join(sorted({device.platform for device in x.devices()}))",
        name="jax.Array",
        address="x.unsafe_buffer_pointer()",
    ),
    Carrier(
        types=("PIL.Image.Image",),
        library=Library.PILLOW,
        assign="x.putpixel(({index})[1::-1], value if len(({index})) == 2 else tuple(value if n == ({index})[2] else "
        "band for n, band in enumerate(x.getpixel(({index})[1::-1]))))",
        copies_on_write=True,
        pickles=True,
        memory=_NONE,
        shape="np.asarray(x).shape",
        dtype="np.asarray(x).dtype",
        values="np.asarray(x).reshape(-1).tolist()",
        element="np.asarray(x)[{index}]",
    ),
    *(
        Carrier(
            types=tuple(f"scipy.sparse._{kind}.{kind}_{form}" for kind in kinds for form in ("array", "matrix")),
            library=Library.SCIPY,
            assign="",
            memory=(memory,),
            states={kind: f"x.format == {kind!r}" for kind in kinds if kind != "csr"},
            values="x.toarray().reshape(-1).tolist()",
            element="x.tocsr()[{index}]",
        )
        for kinds, memory in (
            (("csr", "csc", "bsr"), "{'data': x.data, 'indices': x.indices, 'indptr': x.indptr}"),
            (("coo",), "{'data': x.data, **{f'coords[{n}]': x.coords[n] for n in range(len(x.coords))}}"),
            (("dia",), "{'data': x.data, 'offsets': x.offsets}"),
        )
    ),
    Carrier(
        types=("xarray.core.dataarray.DataArray",),
        library=Library.XARRAY,
        # values and data would load what lies in a file into the object; a coordinate may be an Index of pandas
        memory=("{'': x.variable._data}", "{'': x.variable._data.array.to_numpy()}"),
        values="x.values.reshape(-1).tolist()",
        element="x.values[{index}]",
        address="x.values.ctypes.data",
    ),
    Carrier(
        types=("h5py._hl.dataset.Dataset",),
        library=Library.H5PY,
        stored="x.file.mode == 'r'",
        memory=_NONE,
        values="x[...].reshape(-1).tolist()",  # x[()] of a single string is no array
    ),
    Carrier(
        types=("zarr.core.array.Array", "zarr.core.Array"),
        library=Library.ZARR,
        stored="x.read_only",
        memory=_NONE,
        values="x[...].reshape(-1).tolist()",
    ),
    # a table of Arrow, and the numbers of the rows that were selected of it, if not all were
    Carrier(
        types=("datasets.arrow_dataset.Dataset",),
        library=Library.DATASETS,
        numpy_names=_ARROW_NAMES,
        immutable=True,
        states={"memory-mapped": "type(x.data).__name__ == 'MemoryMappedTable'"},
        memory=("arrow(x.data.table) if x._indices is None else {}",),
        dtype="', '.join(dict.fromkeys(map(str, x.data.table.schema.types)))",
        values="[value for row in x.with_format(None) for value in row.values()]",
        element="(lambda row, column: list(x.with_format(None)[row].values())[column])({index})",
        address="x.data.table.column(0).chunk(0).buffers()[-1].address",
    ),
)

BY_TYPE: Mapping[str, Carrier] = {name: entry for entry in CARRIERS for name in entry.types}

GROUPS: Mapping[Library, str] = {
    Library.BUFFER: "buffers",
    Library.PANDAS: "pandas",
    Library.ARROW: "arrow",
    Library.POLARS: "polars",
    Library.JAX: "jax",
    Library.PILLOW: "images",
    Library.SCIPY: "sparse",
    Library.XARRAY: "xarray",
    Library.H5PY: "files",
    Library.ZARR: "files",
    Library.DATASETS: "datasets",
    Library.OTHER: "protocols",
}
"""The conversions that run for an object of a library if none is named; for those that are not here, the classic."""

PACKAGES: Mapping[Library, str] = {
    Library.PANDAS: "pandas",
    Library.ARROW: "pyarrow",
    Library.POLARS: "polars",
    Library.JAX: "jax",
    Library.PILLOW: "PIL",
    Library.SCIPY: "scipy",
    Library.XARRAY: "xarray",
    Library.H5PY: "h5py",
    Library.ZARR: "zarr",
    Library.DATASETS: "datasets",
}
"""What is imported to have objects of a library; without it, no conversion from these objects or to them runs."""
