"""Objects of pyarrow and polars in ``inspect`` and in Python: what is reported is what happens to them here.

The oracle shares no code with the tool: it converts the object in this process, writes to it as its library lets one
write, and to the memory of the result through ``/proc/self/mem``, and reads the other through its own library.
Addresses are those that pyarrow tells of its buffers.
"""

from __future__ import annotations

import faulthandler
import hashlib
import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tensorbridge_cli as tb
from tensorbridge_cli.catalog import registry
from tensorbridge_cli.catalog.conversions import of_arrow, of_polars
from tensorbridge_cli.catalog.documentation import bare, read_for, says
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.lab.experiment import Given
from tensorbridge_cli.memory import arrow, parts
from tensorbridge_cli.memory.parts import shape_of
from tensorbridge_cli.records.enums import Origin, Outcome
from tensorbridge_cli.records.report import Report
from tensorbridge_cli.subjects import files
from tensorbridge_cli.survey.plan import plan
from tensorbridge_cli.survey.request import Request
from tensorbridge_cli.survey.run import survey
from tests.tools import inspected, observed, started
from tests.truths import Truth, flip_byte, tried

pa = pytest.importorskip("pyarrow", minversion="20")
pl = pytest.importorskip("polars", minversion="1.30")

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the oracle writes through /proc/self/mem"),
    pytest.mark.filterwarnings("ignore"),
]

IMPORTS = "import numpy as np, pyarrow as pa, polars as pl, pandas as pd, torch"
COLUMN = """
class Column:
    def __init__(self, array):
        self._array = array
    def __arrow_c_array__(self, requested_schema=None):
        return self._array.__arrow_c_array__(requested_schema)
    def __array__(self, dtype=None, copy=None):
        return self._array.to_numpy()
"""
"""A class that has Arrow's protocol, and that the catalogue does not know."""
FILE = Path(tempfile.gettempdir()) / f"tensorbridge-test-{os.getpid()}.arrow"
SOURCES = {
    "floats": "pa.array([1.0, 2.0, 3.0])",
    "integers": "pa.array([1, 2, 3], pa.int16())",
    "nulls": "pa.array([1, None, 3])",
    "slice": "pa.array([1, 2, 3, 4, 5])[2:]",
    "slice beside nulls": "pa.array([1, None, 3, 4, 5])[2:]",
    "bits": "pa.array([True, False, True])",
    "text": "pa.array(['a', 'b'])",
    "words": "pa.array(['a', 'b', 'a']).dictionary_encode()",
    "lists": "pa.array([[1, 2], [3, 4]], pa.list_(pa.int64(), 2))",
    "times": "pa.array([1, 2, 3], pa.timestamp('us'))",
    "of NumPy": "pa.array(np.arange(1.0, 4.0))",
    "chunks": "pa.chunked_array([[1.0, 2.0], [3.0]])",
    "one chunk": "pa.chunked_array([[1.0, 2.0]])",
    "mapped": f"pa.ipc.open_file(pa.memory_map({str(FILE)!r})).read_all()['a'].chunk(0)",
    "table": "pa.table({'a': [1.0, 2.0], 'b': [3.0, None]})",
    "batch": "pa.record_batch({'a': [1.0, 2.0], 'b': [3.0, 4.0]})",
    "tensor": "pa.Tensor.from_numpy(np.arange(1.0, 7.0).reshape(2, 3))",
    "polars floats": "pl.Series([1.0, 2.0, 3.0])",
    "polars integers": "pl.Series([1, 2, 3], dtype=pl.UInt8)",
    "polars nulls": "pl.Series([1, None, 3])",
    "polars bits": "pl.Series([True, False, True])",
    "polars text": "pl.Series(['a', 'b'])",
    "polars times": "pl.Series([1, 2, 3], dtype=pl.Datetime('us'))",
    "polars chunks": "pl.concat([pl.Series([1.0, 2.0]), pl.Series([3.0])], rechunk=False)",
    "polars slice": "pl.Series([1.0, 2.0, 3.0, 4.0])[1:]",
    "polars frame": "pl.DataFrame({'a': [1.0, 2.0], 'b': [3.0, 4.0]})",
    "polars frame of NumPy": "pl.from_numpy(np.arange(1.0, 5.0).reshape(2, 2, order='F'))",
    "polars mixed frame": "pl.DataFrame({'a': [1, 2], 'b': ['x', 'y']})",
}


STATES = {
    "nulls": "nulls+read-only",
    "chunks": "chunked+read-only",
    "one chunk": "chunked+read-only",
    "mapped": "memory-mapped+read-only",
    "table": "nulls+read-only",
    "tensor": "plain",
    "polars nulls": "nulls+read-only",
    "polars chunks": "chunked+read-only",
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Laboratory]:
    table = pa.table({"a": [1.0, 2.0, 3.0]})
    with pa.OSFile(str(FILE), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with started(setup=f"{IMPORTS}\n{COLUMN}") as lab:
        yield lab
    FILE.unlink()


# The oracle ---------------------------------------------------------------------------------------


def made(expression: str, **names: Any) -> Any:
    scope: dict[str, Any] = dict(names)
    exec(IMPORTS, scope)
    return eval(expression, scope)


def content(obj: Any) -> Any:
    """What an object holds, as its own library tells it."""
    if isinstance(obj, (torch.Tensor, np.ndarray)):
        return repr(obj.tolist())
    if isinstance(obj, pl.DataFrame):
        return repr(obj.rows())
    if isinstance(obj, pa.Tensor):
        return bytes(memoryview(obj))
    return repr(obj.to_pylist() if hasattr(obj, "to_pylist") else obj.to_list())


def flip(obj: Any) -> None:
    """Write another value to the first element of an object, as one does."""
    if isinstance(obj, pa.Tensor):
        memoryview(obj)[0, 0] = 77
    elif isinstance(obj, pl.DataFrame):
        obj[0, 0] = obj[1, 0]
    elif isinstance(obj, (torch.Tensor, np.ndarray)) and str(obj.dtype) not in OTHERWISE:
        obj[(0,) * obj.ndim] = 77
    else:
        obj[0] = obj[1]


OTHERWISE = ("object", "bool", "torch.bool", "datetime64[us]")
"""Dtypes of which no number is a value."""


def address_of(obj: Any) -> int:
    """Where the first element of the values lies."""
    if isinstance(obj, torch.Tensor):
        return obj.data_ptr()
    if isinstance(obj, np.ndarray):
        return int(obj.ctypes.data)
    if isinstance(obj, pl.Series):
        obj = obj.to_arrow()
    elif isinstance(obj, pl.DataFrame):
        obj = obj.to_series(0).to_arrow()
    if isinstance(obj, (pa.Table, pa.RecordBatch)):
        obj = obj.column(0)
    chunk = obj if isinstance(obj, pa.Array) else obj.chunk(0)
    return int(chunk.buffers()[-1].address) + chunk.offset * 8


def flip_memory(result: Any) -> None:
    """Change the first byte of a result, whatever its flags and its pages allow."""
    flip_byte(address_of(result))


def flip_result(result: Any) -> str | None:
    """Write to a result; ``crashed`` if that ends the process: a map that is read-only is written."""
    if isinstance(result, torch.Tensor) and crashes(lambda: flip(result)):
        return "crashed"
    return flip(result)


def crashes(action: Callable[[], None]) -> bool:
    """Whether a signal ends a process that does it."""
    if not (child := os.fork()):
        faulthandler.disable()
        action()
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def truth(expression: str, entry: Any) -> Truth:
    def convert(source: Any) -> Any:
        return made(entry.code, x=source)

    return tried(lambda: made(expression), convert, content, flip, flip_memory, flip_result)


# inspect ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=SOURCES)
def source(request: pytest.FixtureRequest, lab: Laboratory) -> tuple[str, Report]:
    return request.param, inspected(lab, SOURCES[request.param])


def library_of(kind: str) -> str:
    return "polars" if kind.startswith("polars") else "arrow"


def test_what_happens_is_what_is_reported(source: tuple[str, Report]) -> None:
    kind, report = source
    library = library_of(kind)
    shape = shape_of(made(SOURCES[kind])) or ()
    entries = [entry for entry in registry.group(library) if library in entry.sources]
    fitting = [entry.name for entry in entries if entry.dimensions in (None, len(shape))]
    assert [row.conversion for row in report.observations] == fitting
    assert not report.not_applicable
    for row in report.observations:
        assert row.internal_error is None
        assert observed(row) == truth(SOURCES[kind], registry.find(row.conversion)), (kind, row.conversion)


def test_it_is_described(source: tuple[str, Report]) -> None:
    kind, report = source
    held = made(SOURCES[kind])
    module = pl if library_of(kind) == "polars" else pa
    mutable = kind == "tensor"
    for row in report.observations:
        assert row.source.type == f"{module.__name__}.{type(held).__name__}"
        assert row.source.shape == (tuple(held.shape) if hasattr(held, "shape") else (len(held),))
        assert row.subject.library == library_of(kind)
        assert row.source.immutable is not mutable
        assert row.source.writable is mutable
        assert row.libraries[0] == (module.__name__, module.__version__)
        assert row.source.owner in ("pyarrow.Buffer", "itself", None)
        if row.source.pointer is not None and library_of(kind) == "arrow":
            assert row.source.owner == ("itself" if mutable else "pyarrow.Buffer")
    assert {row.subject.state for row in report.observations} == {STATES.get(kind, "read-only")}


def test_what_the_library_calls_immutable_is_written(source: tuple[str, Report]) -> None:
    kind, report = source
    for row in report.observations:
        codes = {hazard.code for hazard in row.hazards}
        write = observed(row)[2]
        assert ("immutable-written" in codes) == (kind != "tensor" and write == "seen"), row.conversion
        assert ("readonly-dropped" in codes) == (kind != "tensor" and write in ("seen", "crashed")), row.conversion
        assert not codes & {"subclass-lost", "evidence-conflicts"}


def test_remedies_are_right(source: tuple[str, Report]) -> None:
    kind, report = source
    for row in report.observations:
        for remedy in row.remedies:
            held = made(SOURCES[kind])
            before = content(held)
            result = made(remedy.code, x=held)
            assert np.asarray(result).reshape(-1).tolist() == values_of(held), remedy
            flip_memory(result)
            assert (content(held) != before) == (remedy.outcome == "shared"), remedy


def values_of(held: Any) -> list[Any]:
    if isinstance(held, pl.DataFrame):
        return [value for row in held.rows() for value in row]
    if isinstance(held, (pa.Table, pa.RecordBatch)):
        return [value for row in held.to_pylist() for value in row.values()]
    if hasattr(held, "to_pylist"):
        return held.to_pylist()
    return held.to_list() if isinstance(held, pl.Series) else held.to_numpy().reshape(-1).tolist()


def test_the_documentation_agrees_but_for_a_copy_that_is_a_view(source: tuple[str, Report]) -> None:
    kind, report = source
    broken = [row.conversion for row in report.observations if row.contract.verdict == "broken"]
    assert broken == (["pa.Array.to_numpy"] if kind == "one chunk" else [])
    kept = {row.conversion for row in report.observations if row.contract.verdict == "kept"}
    if kind in ("floats", "nulls", "chunks", "tensor"):
        assert "pa.Array.to_numpy" in kept
    if kind in ("polars floats", "polars times"):
        assert {"pl.Series.to_numpy", "pl.Series.to_numpy(writable=True)"} <= kept


PAGES = {
    of_arrow.ARRAY_PAGE: pa.Array.to_numpy,
    of_arrow.CHUNKED_PAGE: pa.ChunkedArray.to_numpy,
    of_arrow.TENSOR_PAGE: pa.Tensor.to_numpy,
    of_polars.TO_NUMPY_PAGE: pl.Series.to_numpy,
    of_polars.TO_TORCH_PAGE: pl.Series.to_torch,
    of_polars.TO_ARROW_PAGE: pl.Series.to_arrow,
    of_polars.PL_FROM_NUMPY_PAGE: pl.from_numpy,
}


def test_the_pages_say_what_is_quoted() -> None:
    for page in PAGES:
        for library, version in read_for(page).items():
            pytest.importorskip(library, minversion=version)
    for entry in (*of_arrow.CONVERSIONS, *of_polars.CONVERSIONS):
        for rule in entry.rules or ():
            assert says(bare(PAGES[rule.page].__doc__ or ""), rule.sentence), rule.sentence


@pytest.mark.parametrize(
    ("conversion", "layout", "outcome"),
    [
        *[("pa.array", "contiguous", "shared"), ("pa.array", "non-contiguous", "copied")],
        *[("pl.Series", "contiguous", "shared"), ("pl.Series", "non-contiguous", "copied")],
        *[("pl.from_numpy", "fortran", "shared"), ("pl.from_numpy", "contiguous", "copied")],
        ("pa.Tensor.from_numpy", "non-contiguous", "shared"),
    ],
)
def test_an_ndarray_becomes_a_column(lab: Laboratory, conversion: str, layout: str, outcome: str) -> None:
    shape = (4, 3) if conversion in ("pl.from_numpy", "pa.Tensor.from_numpy") else (4,)
    (row,) = survey([Request(conversions=(conversion,), shapes=(shape,), layouts=(layout,))], lab, "fork").observations
    array = np.arange(48.0).reshape(8, 6)[::2, ::2] if layout == "non-contiguous" else np.zeros((4, 3))
    array = np.asfortranarray(array) if layout == "fortran" else array
    array = array if len(shape) > 1 else np.zeros(8)[:: 2 if layout == "non-contiguous" else 1]
    held = made(registry.find(conversion).code, x=array)
    before = content(held)
    array[(0,) * array.ndim] = 9
    assert (row.outcome, content(held) != before) == (outcome, outcome == "shared")
    assert row.direction == f"numpy-to-{library_of('polars' if conversion.startswith('pl') else 'arrow')}"
    written = "immutable-written" in {hazard.code for hazard in row.hazards}
    assert written == (outcome == "shared" and conversion != "pa.Tensor.from_numpy")


def test_polars_says_that_it_clones_what_it_shares(lab: Laboratory) -> None:
    request = Request(conversions=("pl.from_numpy",), shapes=((4, 3),), layouts=("fortran",))
    (row,) = survey([request], lab, "fork").observations
    array = np.asfortranarray(np.zeros((4, 3)))
    frame = pl.from_numpy(array)
    array[0, 0] = 9
    assert frame[0, 0] == 9
    assert row.contract.verdict == "broken"
    assert [clause.sentence for clause in row.contract.clauses] == ["This operation clones data."]


def test_a_series_in_chunks_is_changed_by_its_conversion_to_arrow(lab: Laboratory) -> None:
    (row,) = inspected(lab, SOURCES["polars chunks"], conversions=("pl.Series.to_arrow",)).observations
    series = made(SOURCES["polars chunks"])
    assert series.n_chunks() == 2
    series.to_arrow()
    assert series.n_chunks() == 1
    codes = {hazard.code for hazard in row.hazards}
    assert codes >= {"source-changed", "source-moved"}
    assert "evidence-conflicts" not in codes
    assert {change.fact for change in row.source_changes} == {"strides", "storage"}  # the bytes are the same
    assert row.copied_bytes == 8 * len(series)


def test_all_imports_neither_but_a_group_does(lab: Laboratory) -> None:
    wanted = {"pa.array", "pl.Series"}
    rows = plan([Request(every=True, shapes=((4,),))], lab, lab.hello()).experiments
    assert not wanted & {row.conversion for row in rows}
    rows = plan([Request(groups=("arrow", "polars"), shapes=((4,),))], lab, lab.hello()).experiments
    assert wanted <= {row.conversion for row in rows}


def test_a_mapped_file_keeps_its_bytes(lab: Laboratory) -> None:
    before = hashlib.sha256(FILE.read_bytes()).digest()
    report = inspected(lab, SOURCES["mapped"], conversions=("torch.from_dlpack",))
    assert observed(report.observations[0])[0] in ("shared", "crashed")
    assert hashlib.sha256(FILE.read_bytes()).digest() == before


# Files --------------------------------------------------------------------------------------------


def written(path: Path) -> Path:
    """A file of the format that the name tells."""
    table = pa.table({"a": [1.0, 2.0, 3.0], "b": [1, None, 3]})
    if path.suffix in (".arrow", ".arrows"):
        new = pa.ipc.new_stream if path.suffix == ".arrows" or path.stem == "stream" else pa.ipc.new_file
        with pa.OSFile(str(path), "wb") as sink, new(sink, table.schema) as writer:
            writer.write_table(table)
    elif path.suffix == ".feather":
        importlib.import_module("pyarrow.feather").write_feather(table, path)
    else:
        importlib.import_module("pyarrow.parquet").write_table(table, path)
    return path


@pytest.mark.parametrize("name", ["x.arrow", "stream.arrow", "x.arrows", "x.feather", "x.parquet"])
def test_a_file_is_opened_and_never_changed(lab: Laboratory, tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name)
    before = path.read_bytes()
    states = ["", "memory-mapped"] if "arrow" in name else [""]
    for key, shape in ((":a", (3,)), ("", (3, 2))):
        for state in states:
            words = frozenset(filter(None, [state]))
            given = Given(origin=Origin.FILE, text=f"{path}{key}", file=files.parse(f"{path}{key}", words=words))
            report = survey([Request(given=given)], lab, "fork")
            rows = {row.conversion: row for row in report.observations}
            assert {row.source.type for row in rows.values()} == {"pyarrow.ChunkedArray" if key else "pyarrow.Table"}
            assert {row.source.shape for row in rows.values()} == {shape}
            if key:
                row = rows["torch.from_numpy(pa.Array.to_numpy())"]
                assert observed(row) == ("shared", "refused", "crashed" if state else "seen")
                assert ("memory-mapped" in row.subject.state) is bool(state)
            assert path.read_bytes() == before


def test_what_a_file_does_not_have_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "x.parquet")
    with pytest.raises(tb.TensorbridgeError, match="has no column 'c'"):
        files.load(files.parse(f"{path}:c"))
    with pytest.raises(tb.TensorbridgeError, match="cannot be memory-mapped"):
        files.parse(f"{path}:a", words=frozenset({"memory-mapped"}))
    path = written(tmp_path / "x.arrow")
    with pytest.raises(tb.TensorbridgeError, match="pyarrow maps files read-only"):
        files.load(files.parse(f"{path}:a", words=frozenset({"copy-on-write"})))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(tb.TensorbridgeError, match=r"damaged, truncated or not a \.arrow file"):
        files.load(files.parse(str(path)))
    path = tmp_path / "two.parquet"  # which is whole, but not for the function of pyarrow that reads it
    twice = pa.Table.from_arrays([[1], [2]], names=["a", "a"])
    importlib.import_module("pyarrow.parquet").write_table(twice, path)
    with pytest.raises(tb.TensorbridgeError, match=r"not a \.parquet file that pyarrow can open \(Multiple matches"):
        files.load(files.parse(str(path)))


def test_a_buffer_of_arrow_is_written_through_its_protocol(lab: Laboratory) -> None:
    for expression, writable in (("pa.array([1, 2]).buffers()[1]", True), ("pa.py_buffer(b'abcd')", False)):
        (row,) = inspected(lab, expression, conversions=("np.frombuffer",)).observations
        assert observed(row) == ("shared", *(["seen" if writable else "refused"] * 2))
        assert (row.source.type, row.source.owner, row.source.writable) == ("pyarrow.Buffer", "itself", writable)


def test_what_has_the_protocol_and_no_entry_is_of_arrow(lab: Laboratory) -> None:
    (row,) = inspected(lab, "Column(pa.array([1.0, 2.0]))", conversions=("np.asarray",)).observations
    assert (row.outcome, row.subject.library, row.subject.dtype) == ("shared", "arrow", "float64")
    with pytest.raises(tb.TensorbridgeError, match="use np"):
        inspected(lab, "Column(pa.array(['a', 'b']))", conversions=("np.asarray",))


# The reader ---------------------------------------------------------------------------------------

TYPES = {
    **{str(kind): pa.array([0, 1, 1, 0, 1], kind) for kind in (pa.int8(), pa.uint64(), pa.int32(), pa.date32())},
    **{str(kind): pa.array([0, 1, 1, 0, 1], kind) for kind in (pa.time64("ns"), pa.duration("s"), pa.float64())},
    "timestamp with a zone": pa.array([0, 1, 2], pa.timestamp("ms", "UTC")),
    "nulls": pa.array([0, None, 1, 0, 1]),
    "bool": pa.array([True, False, None, True]),
    "text": pa.array(["a", "bcd", "", "efg", None]),
    "large text": pa.array(["a", "bcd", ""], pa.large_string()),
    "bytes of one length": pa.array([b"abc", b"def"], pa.binary(3)),
    "decimal": pa.array([1, 2], pa.decimal128(5)),
    "wide decimal": pa.array([1, 2], pa.decimal256(60)),
    "dictionary": pa.array(["a", "b", "a"]).dictionary_encode(),
    "lists": pa.array([[1, 2], [], [3, 4, 5], None]),
    "lists of one length": pa.array([[1, 2], [3, 4], [5, 6]], pa.list_(pa.int32(), 2)),
    "structures": pa.array([{"u": 1, "v": "x"}, None, {"u": 2, "v": "y"}]),
    "map": pa.array([[("a", 1)], [("b", 2), ("c", 3)]], pa.map_(pa.string(), pa.int64())),
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("start", [0, 1])
def test_the_parts_of_a_column_lie_in_its_buffers(kind: str, start: int) -> None:
    array = TYPES[kind][start:]
    buffers = [buffer for buffer in all_buffers(array) if buffer is not None]
    parts = arrow.memory(array)
    hit = set()
    for name, part in parts.items():
        address, stop = part.ctypes.data, part.ctypes.data + part.nbytes
        within = [n for n, one in enumerate(buffers) if one.address <= address and stop <= one.address + one.size]
        assert within or not part.nbytes, name
        hit.update(within)
    assert len(hit) == len(buffers), "a buffer has no part"


def all_buffers(array: Any) -> list[Any]:
    inner = [array.dictionary] if isinstance(array, pa.DictionaryArray) else []
    return [*array.buffers(), *(buffer for one in inner for buffer in one.buffers())]


@pytest.mark.parametrize(
    "array",
    [pa.array([4, 5, 6]), pa.array([1.5, 2.5])[1:], pl.Series([7, 8, 9])],
    ids=["pyarrow", "a slice", "polars"],
)
def test_the_one_part_of_numbers_has_their_values(array: Any) -> None:
    assert {name: part.tolist() for name, part in arrow.memory(array).items()} == {"": list(values_of(array))}


def test_columns_and_chunks_are_named() -> None:
    assert list(arrow.memory(pa.chunked_array([[1], [None]]))) == ["[0]", "[1].validity", "[1].values"]
    table = pa.table({"a": pa.chunked_array([[1], [2]]), "b": pa.chunked_array([["x"], ["y"]])})
    assert list(arrow.memory(table)) == [
        *("a[0]", "b[0].offsets", "b[0].bytes"),
        *("a[1]", "b[1].offsets", "b[1].bytes"),
    ]
    same_names = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert list(arrow.memory(same_names)) == ["[0]", "[1]"]


def test_what_was_exported_is_given_back() -> None:
    before = pa.total_allocated_bytes()
    for make in (lambda: pa.array(range(1000)), lambda: pa.table({"a": range(1000)})):
        parts = arrow.memory(make())
        assert pa.total_allocated_bytes() > before  # the object is gone, its memory is not
        assert next(iter(parts.values()))[999] == 999
        del parts
        assert pa.total_allocated_bytes() == before


# In Python ----------------------------------------------------------------------------------------


def test_memory_of_live_objects_is_compared() -> None:
    numbers = np.arange(4.0)
    array = pa.array(numbers)
    assert tb.shares_memory(array, numbers)
    assert not tb.shares_memory(array[:2], array[2:])
    assert tb.relation(array, array[2:]).overlap_bytes == 16
    table = pa.table({"a": array, "b": [1, 2, 3, 4]})
    assert tb.shares_memory(table, numbers)
    assert not tb.shares_memory(table["b"], numbers)
    series = pl.Series([1.0, 2.0])
    assert tb.shares_memory(series, series.to_numpy())
    assert tb.shares_memory(series, series.clone())
    assert tb.shares_memory(pl.DataFrame({"a": series}), series)
    assert not tb.shares_memory(series, series.to_torch())
    tb.assert_copies(series, series.to_torch())


def test_a_column_of_pandas_that_arrow_holds_is_compared() -> None:
    pd = pytest.importorskip("pandas", minversion="3")
    array = pa.array([1, None, 3])
    series = pd.Series(pd.arrays.ArrowExtensionArray(array))
    assert tb.shares_memory(series, array)
    assert not tb.shares_memory(series, pa.array([1, None, 3]))
    found = tb.inspect(pd.Series([1, 2], dtype="int64[pyarrow]"), "Series.to_numpy", replica=False)
    assert found["Series.to_numpy"].outcome == "shared"
    assert found["Series.to_numpy"].source.owner == "pyarrow.ChunkedArray"


def test_a_live_object_is_tried_in_a_fork_though_its_threads_are_not_there() -> None:
    frame = pl.DataFrame({"a": range(1000), "b": range(1000)})
    assert frame.group_by("a").sum().height == 1000  # its pool of threads runs
    for obj, name in ((frame["a"], "np.asarray"), (pa.array([1.0, 2.0]), "torch.from_dlpack")):
        before = content(obj)
        found = tb.inspect(obj, name, replica=False)
        assert found[name].outcome in ("shared", "copied")
        assert content(obj) == before
    with pytest.raises(tb.TensorbridgeError, match="uses threads"):
        tb.inspect(frame, "np.asarray", replica=False)


def test_a_frame_of_several_chunks_stays_as_it_is() -> None:
    frame = pl.concat(
        [pl.DataFrame({"a": [1.0, 2.0], "b": [1, 2]}), pl.DataFrame({"a": [3.0], "b": [3]})], rechunk=False
    )
    before = [[chunk.to_arrow().buffers()[-1].address for chunk in column.get_chunks()] for column in frame]
    assert not tb.shares_memory(frame, np.zeros(3))
    held = parts.parts(frame)
    assert [name for name, _ in held] == ["a[0]", "a[1]", "b[0]", "b[1]"]
    then = [[chunk.to_arrow().buffers()[-1].address for chunk in column.get_chunks()] for column in frame]
    assert then == before
    assert frame.n_chunks("all") == [2, 2]


def test_what_moved_to_other_memory_when_it_was_written_needs_no_owner(lab: Laboratory) -> None:
    for code in ("pl.Series(x)", "pl.from_numpy(x.reshape(-1, 1))"):
        (row,) = inspected(lab, "np.ones(3)", code=(code,)).observations
        assert (row.outcome, row.relation.overlaps_after_writes) == (Outcome.SHARED, False)
        assert row.relation.owner_kept is None
        assert "owner-not-kept" not in row.hazards


@pytest.mark.parametrize(
    "expression",
    [
        "pl.Series([[1, 2], [3]])",
        "pl.Series([[1.0, 2.0], [3.0, 4.0]], dtype=pl.Array(pl.Float64, 2))",
        "pl.Series([{'a': 1}])",
        "pl.DataFrame({'a': [[1, 2], [3]]})",
        "pa.array([[1, 2], [3]])",
    ],
)
def test_the_elements_of_a_nested_column_are_no_other_ones(lab: Laboratory, expression: str) -> None:
    report = inspected(lab, expression, conversions=("np.asarray",))
    found = {hazard.code for row in report.observations for hazard in row.hazards}
    assert "dtype-changed" in found
    assert not found & {"written-though-refused", "dtype-reinterpreted", "values-changed"}
