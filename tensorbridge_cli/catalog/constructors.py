"""How a source of another library is generated: from an array ``x``, by the code that a user would type.

One entry for each library. The builder of sources (``subjects.generate``) runs that code and a script (``repro``)
prints it. Pure data: nothing here imports a library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from tensorbridge_cli.catalog import layouts, states
from tensorbridge_cli.compat import dataclass
from tensorbridge_cli.errors import RequestError, unknown
from tensorbridge_cli.records.enums import Library

if TYPE_CHECKING:
    from tensorbridge_cli.records.report import Subject

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class OwnState:
    """A state that objects of one library can be in.

    Attributes:
        name: the word for it.
        summary: what it is, in a sentence.
        code: the statements that bring ``x``, the object, into it. Empty if the array has it that ``x`` is made from:
            one of ``catalog.states`` then.
    """

    name: str
    summary: str
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class Constructor:
    """How objects of one library are made of an array.

    Attributes:
        library: whose objects they are.
        imports: the statement that imports what the code needs.
        code: the statement that makes the array ``x`` such an object, by the number of its dimensions.
        dtypes: the dtypes of the objects as the library names them, each with the one of the array.
        cast: the statement that follows if these two are not the same: ``{dtype}`` stands for the library's name.
        layouts: the layouts that the array may have: the object is over its memory, and has it, too.
        states: the states that an object can be brought into.
        always: words that are true of each object.
        default_shape: the shape of what is generated if none is asked for: a column and not a table.
    """

    library: Library
    imports: str
    code: Mapping[int, str] = field(hash=False)
    dtypes: Mapping[str, str] = field(hash=False)
    cast: str = ""
    layouts: tuple[str, ...] = ("contiguous",)
    states: tuple[OwnState, ...] = ()
    always: frozenset[str] = frozenset()
    default_shape: Shape = (4, 3)

    @property
    def package(self) -> str:
        """What is imported."""
        return self.imports.split()[1].partition(".")[0]

    @property
    def distribution(self) -> str:
        """What pip installs: Pillow alone is imported by another name."""
        return "pillow" if self.package == "PIL" else self.package

    @property
    def words(self) -> frozenset[str]:
        """The words that a state of the objects is joined of."""
        return self.always | {state.name for state in self.states}

    def dtype(self, name: str) -> str:
        """Return the library's own name of a dtype; NumPy's stands for it if the library has another.

        Raises:
            RequestError: if it has no such dtype, with those that it has.
        """
        if name in self.dtypes:
            return name
        own = next((own for own, of_array in self.dtypes.items() if of_array == name), None)
        if own is None:
            raise self._lacks("dtype", name, *self.dtypes)
        return own

    def layout(self, name: str) -> str:
        """Return the name of a layout.

        Raises:
            RequestError: if the library's objects cannot have it, with those that they can.
        """
        if (parsed := layouts.parse(name)) not in self.layouts:
            raise self._lacks("layout", name, *self.layouts)
        return parsed

    def state(self, name: str) -> str:
        """Return the state of an object that was brought into the state ``name``: joined with what is always true.

        Raises:
            RequestError: if the library's objects cannot be in it, with those that they can.
        """
        wanted = {word.strip() for word in name.lower().split("+")} - {states.PLAIN}
        for word in wanted - self.words:
            raise self._lacks("state", word, states.PLAIN, *sorted(self.words))
        return states.join(wanted | self.always)

    def codes(self, subject: Subject) -> tuple[str, ...]:
        """Return the statements that make ``x``, the array of ``subject``, such an object.

        Raises:
            CannotBuildError: if the library has none of so many dimensions, or none in this state.
        """
        shape, dtype, array = subject.shape, subject.dtype, self.array(subject)
        if len(shape) not in self.code:
            numbers = " or ".join(map(str, self.code))
            plural = "s" * (len(self.code) > 1 or 1 not in self.code)
            raise layouts.CannotBuildError(
                f"a generated object of {self.library} has {numbers} dimension{plural}; the shape has {len(shape)}"
            )
        words = states.words(subject.state)
        if unknown_words := words - self.words:
            raise layouts.CannotBuildError(f"a generated object of {self.library} has no state {min(unknown_words)!r}")
        cast = [self.cast.format(dtype=dtype)] if dtype != self.dtypes[dtype] and self.cast else []
        if cast and (array.layout, array.state) != ("contiguous", states.PLAIN):
            what = " and ".join({array.layout, array.state} - {"contiguous", states.PLAIN})
            raise layouts.CannotBuildError(f"{dtype} of {self.library} is never {what}: it is a copy of an array")
        return self.code[len(shape)], *cast, *(one.code for one in self.states if one.code and one.name in words)

    def array(self, subject: Subject) -> Subject:
        """Return the array that the generated ``subject`` is made from."""
        of_array = {one.name for one in self.states if not one.code} & states.words(subject.state)
        return replace(subject, library=Library.NUMPY, dtype=self.dtypes[subject.dtype], state=states.join(of_array))

    def _lacks(self, kind: str, name: str, *known: str) -> RequestError:
        return RequestError(f"a generated object of {self.library} has no {kind} {name!r}: it has {', '.join(known)}.")


_NUMBERS = (
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64"),
)

_OF_NUMPY = {name: name for name in ("bool", *_NUMBERS, "complex64", "complex128")}
"""The dtypes that a library names as NumPy does."""

_OF_ARROW = {
    "bool": "bool",
    **{name: name for name in _NUMBERS if "int" in name},
    "halffloat": "float16",
    "float": "float32",
    "double": "float64",
    "string": "U8",
}
"""The dtypes of Arrow, as it names them."""


def _capital(name: str) -> str:
    """Return ``UInt8`` for ``uint8``, as pandas and polars call it."""
    return name.capitalize().replace("Ui", "UI")


_VIEWS = ("contiguous", "transposed", "non-contiguous", "offset", "reversed")

CONSTRUCTORS: Mapping[Library, Constructor] = {
    entry.library: entry
    for entry in (
        Constructor(
            library=Library.PANDAS,
            imports="import pandas as pd",
            code={1: "x = pd.Series(x, copy=False)", 2: "x = pd.DataFrame(x, copy=False)"},
            default_shape=(4,),
            dtypes={
                **{name: name for name in ("bool", *_NUMBERS, "complex64", "complex128", "object")},
                **{name: name for name in ("datetime64[ns]", "timedelta64[ns]")},
                "boolean": "bool",
                **{_capital(name): name for name in _NUMBERS if name != "float16"},
                "bool[pyarrow]": "bool",
                **{f"{name}[pyarrow]": name for name in _NUMBERS if "int" in name},
                "float[pyarrow]": "float32",
                "double[pyarrow]": "float64",
                "str": "U8",
                "category": "int64",
            },
            cast="x = x.astype({dtype!r})",
            layouts=_VIEWS,
            states=(
                OwnState(name="memory-mapped", summary="over an array that is a memory map"),
                OwnState(name="nulls", summary="the last value is missing", code="x.iloc[-1] = None"),
                OwnState(
                    name="copy-on-write",
                    summary="shares its memory with another object until one of the two is written",
                    code="original, x = x, x.copy(deep=False)",
                ),
            ),
        ),
        Constructor(
            library=Library.ARROW,
            imports="import pyarrow as pa",
            code={1: "x = pa.array(x)", 2: "x = pa.table({str(n): x[:, n] for n in range(x.shape[1])})"},
            default_shape=(4,),
            dtypes={
                **_OF_ARROW,
                "timestamp[ns]": "datetime64[ns]",
                "duration[ns]": "timedelta64[ns]",
            },
            states=(
                OwnState(
                    name="nulls",
                    summary="the last value is missing",
                    code="x = x.take(pa.array([*range(len(x) - 1), None], pa.int64()))",
                ),
                OwnState(
                    name="memory-mapped",
                    summary="in a file of Arrow's IPC format that is mapped",
                    code="""\
table = x if isinstance(x, pa.Table) else pa.table({"x": x})
with pa.ipc.new_file(path, table.schema) as file:
    file.write_table(table)
table = pa.ipc.open_file(pa.memory_map(path)).read_all()
x = table if isinstance(x, pa.Table) else table["x"].chunk(0)""",
                ),
                OwnState(
                    name="chunked",
                    summary="a ChunkedArray of two chunks",
                    code="x = pa.chunked_array([x[: len(x) // 2], x[len(x) // 2 :]])",
                ),
            ),
            always=frozenset({"read-only"}),
        ),
        Constructor(
            library=Library.POLARS,
            imports="import polars as pl",
            code={1: "x = pl.Series(x)", 2: "x = pl.DataFrame(x)"},
            default_shape=(4,),
            dtypes={
                "Boolean": "bool",
                **{_capital(name): name for name in _NUMBERS},
                "String": "U8",
                "Datetime(time_unit='ns', time_zone=None)": "datetime64[ns]",
                "Duration(time_unit='ns')": "timedelta64[ns]",
            },
            states=(
                OwnState(
                    name="nulls", summary="the last value is missing", code="x = x[:-1].extend(x.clear(1)).rechunk()"
                ),
                OwnState(
                    name="chunked",
                    summary="in two chunks",
                    code="x = pl.concat([x[: len(x) // 2], x[len(x) // 2 :]], rechunk=False)",
                ),
            ),
            always=frozenset({"read-only"}),
        ),
        Constructor(
            library=Library.JAX,
            imports="import jax",
            code=dict.fromkeys(range(5), "x = jax.numpy.asarray(x)"),
            # without JAX_ENABLE_X64 there is nothing of 64 bits
            dtypes={
                "bool": "bool",
                **{name: name for name in _NUMBERS if "64" not in name},
                "complex64": "complex64",
                "bfloat16": "float32",
                "float8_e4m3fn": "float32",
            },
            cast="x = x.astype({dtype!r})",
            always=frozenset({"read-only"}),
        ),
        Constructor(
            library=Library.PILLOW,
            imports="from PIL import Image",
            code={2: "x = Image.fromarray(x)", 3: "x = Image.fromarray(x)"},
            dtypes={name: name for name in ("uint8", "bool", "uint16", "int32", "float32")},
        ),
        Constructor(
            library=Library.SCIPY,
            imports="import scipy.sparse",
            code={2: "x = scipy.sparse.csr_array(x)"},
            dtypes={name: name for name in ("bool", *_NUMBERS, "complex64", "complex128") if name != "float16"},
            states=tuple(
                OwnState(name=name, summary=summary, code=f"x = x.asformat({name!r})")
                for name, summary in (
                    ("csc", "its columns compressed, a csc_array"),
                    ("coo", "coordinates and values, a coo_array"),
                    ("bsr", "rows of dense blocks compressed, a bsr_array"),
                    ("dia", "diagonals, a dia_array"),
                )
            ),
        ),
        Constructor(
            library=Library.XARRAY,
            imports="import xarray as xr",
            code=dict.fromkeys(range(1, 5), "x = xr.DataArray(x)"),
            dtypes=_OF_NUMPY,
            layouts=_VIEWS,
            states=(
                OwnState(name="memory-mapped", summary="over an array that is a memory map"),
                OwnState(name="read-only", summary="over an array with writeable=False"),
            ),
        ),
        Constructor(
            library=Library.H5PY,
            imports="import h5py",
            code=dict.fromkeys(
                range(5),
                """\
with h5py.File(path, "w") as file:
    file["x"] = x
x = h5py.File(path, "r")["x"]""",
            ),
            dtypes=_OF_NUMPY,
            always=frozenset({"read-only"}),
        ),
        Constructor(
            library=Library.ZARR,
            imports="import zarr",
            # zarr.save makes a group of an array without dimensions
            code=dict.fromkeys(range(1, 5), """zarr.save(path, x)\nx = zarr.open(path, mode="r")"""),
            dtypes=_OF_NUMPY,
            always=frozenset({"read-only"}),
        ),
        Constructor(
            library=Library.DATASETS,
            imports="import datasets",
            code={2: "x = datasets.Dataset.from_dict({str(n): x[:, n] for n in range(x.shape[1])})"},
            default_shape=(4, 1),
            dtypes=_OF_ARROW,
            states=(
                OwnState(
                    name="memory-mapped",
                    summary="in a folder that save_to_disk wrote, whose file is mapped",
                    code="""\
datasets.disable_progress_bars()
x.save_to_disk(path)
x = datasets.load_from_disk(path)""",
                ),
            ),
            always=frozenset({"read-only"}),
        ),
    )
}
"""By the library."""


def names() -> tuple[str, ...]:
    """Return the libraries whose objects are generated."""
    return tuple(map(str, (Library.NUMPY, Library.TORCH, *CONSTRUCTORS)))


def library(text: str) -> Library:
    """Return the library that a user wrote, of whose objects one is to be generated.

    Raises:
        RequestError: if none of it is.
    """
    name = _ALIASES.get(name := text.strip().lower(), name)
    if name not in names():
        raise unknown("library", text, names())
    return Library(name)


_ALIASES = {"pyarrow": "arrow", "pil": "pillow", "pytorch": "torch", "np": "numpy", "pd": "pandas", "pl": "polars"}
"""Other names of a library: that of its package, or the one that it is imported by."""
