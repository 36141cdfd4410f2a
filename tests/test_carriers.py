"""Objects of other libraries in ``inspect``: what is reported is what happens to them here.

The oracle shares no code with the tool: it converts the object in this process, writes to it as its library lets one
write, and to the memory of the result through ``/proc/self/mem`` where the result refuses, and looks at the other.
"""

from __future__ import annotations

import array
import ctypes
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tensorbridge_cli as tb
from tensorbridge_cli.catalog import registry
from tensorbridge_cli.catalog.documentation import bare, says
from tensorbridge_cli.explain.script import script
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.lab.experiment import Given
from tensorbridge_cli.memory import describe
from tensorbridge_cli.records.enums import Origin
from tensorbridge_cli.records.report import Report, Row
from tensorbridge_cli.survey.plan import plan
from tensorbridge_cli.survey.request import Request
from tensorbridge_cli.survey.run import survey
from tests.tools import inspected, observed, started
from tests.truths import Truth, flip_byte, tried

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the oracle writes through /proc/self/mem"),
    pytest.mark.filterwarnings("ignore"),
]

BUFFERS = {
    "bytes": "bytes(range(1, 9))",
    "bytearray": "bytearray(range(1, 9))",
    "memoryview": "memoryview(bytearray(range(1, 13)))[4:]",
    "memoryview of bytes": "memoryview(bytes(range(1, 9)))",
    "memoryview of 2 dimensions": "memoryview(np.arange(1.0, 7.0).reshape(2, 3))",
    "array": "__import__('array').array('d', [1, 2, 3])",
    "mmap": "(lambda x: x.__setitem__(slice(8), bytes(range(1, 9))) or x)(__import__('mmap').mmap(-1, 8))",
    "ctypes": "(__import__('ctypes').c_int * 3)(1, 2, 3)",
    "ctypes of 2 dimensions": "(__import__('ctypes').c_float * 2 * 3)((1, 2), (3, 4), (5, 6))",
}
OWNERS = {
    "memoryview": "bytearray",
    "memoryview of bytes": "bytes",
    "memoryview of 2 dimensions": "numpy.ndarray",
}
IMMUTABLE = ("bytes",)


@pytest.fixture(scope="module")
def lab() -> Iterator[Laboratory]:
    """A laboratory whose server has imported pandas once: each fork would take half a second."""
    with started(setup="import pandas" if find_spec("pandas") else "") as lab:
        yield lab


# The oracle ---------------------------------------------------------------------------------------


def made(expression: str) -> Any:
    return eval(expression, {"np": np, "torch": torch})


def content(obj: Any) -> Any:
    """What an object holds: bytes, or text where the values are objects."""
    if isinstance(obj, torch.Tensor):
        obj = obj.numpy()
    if is_of_pandas(obj):
        return repr(obj.to_numpy().tolist())
    if isinstance(obj, np.ndarray) and obj.dtype == object:
        return repr(obj.tolist())
    return obj.tobytes() if hasattr(obj, "tobytes") else bytes(bytearray(obj))


def flip(obj: Any) -> None:
    """Write another value to the first element of an object, as one does."""
    if hasattr(obj, "iloc"):
        first = (0,) * obj.ndim
        obj.iloc[first] = obj.iloc[(1, *first[1:])]  # of the same column, which has its own dtype
    elif is_of_pandas(obj):
        obj[0] = obj[1]
    elif isinstance(obj, memoryview):
        obj[(0,) * obj.ndim] = obj[(0,) * obj.ndim] + 9
    elif isinstance(obj[0], (int, float)):
        obj[0] = obj[0] + 9
    else:
        obj[0][0] = obj[0][0] + 9


def flip_memory(result: Any) -> None:
    """Change the first byte of a result, whatever its flags and its pages allow."""
    flip_byte(result.data_ptr() if isinstance(result, torch.Tensor) else result.ctypes.data)


def flip_result(result: Any) -> None:
    """Write another value to the result, as one does."""
    first, other = (0,) * result.ndim, (1,) * result.ndim
    if not isinstance(result, (torch.Tensor, np.ndarray)) or (
        result.ndim and str(result.dtype).removeprefix("torch.") in OTHERWISE
    ):
        result[first if result.ndim > 1 else 0] = result[other if result.ndim > 1 else 1]
    elif isinstance(result, np.ndarray) and result.dtype.kind in "SV":
        result[...] = np.zeros((), result.dtype)
    else:
        result[first] = 77


OTHERWISE = ("object", "bool", "datetime64[us]")
"""Dtypes of which no number is a value."""


def truth(expression: str, code: str) -> Truth:
    def convert(source: Any) -> Any:
        return eval(code, {"np": np, "torch": torch, "x": source})

    return tried(lambda: made(expression), convert, content, flip, flip_memory, flip_result)


def is_of_pandas(obj: Any) -> bool:
    return getattr(type(obj), "__module__", "").startswith("pandas")  # an array type of ctypes has none


def check_remedies(row: Row, expression: str, values: Callable[[Any], Any]) -> None:
    """Each remedy gives the values of the source, and shares or copies as it says."""
    for remedy in row.remedies:
        source = made(expression)
        before = values(source)
        result = eval(remedy.code, {"np": np, "torch": torch, "x": source})
        assert result.tolist() == before, remedy
        then = content(source)
        flip_memory(result)
        assert (content(source) != then) == (remedy.outcome == "shared"), remedy


# Buffers ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=BUFFERS)
def buffer(request: pytest.FixtureRequest, lab: Laboratory) -> tuple[str, Report]:
    return request.param, inspected(lab, BUFFERS[request.param])


def test_what_happens_to_a_buffer_is_what_is_reported(buffer: tuple[str, Report]) -> None:
    kind, report = buffer
    rows = {row.conversion: row for row in report.observations}
    assert list(rows) == [entry.name for entry in registry.group("buffers")]
    assert not report.not_applicable
    for row in rows.values():
        assert row.internal_error is None
        code = registry.find(row.conversion).code_for(row.subject.library, row.subject.dtype)
        assert observed(row) == truth(BUFFERS[kind], code), row.conversion


def test_a_buffer_is_described(buffer: tuple[str, Report]) -> None:
    kind, report = buffer
    held = made(BUFFERS[kind])
    view = memoryview(held)
    for row in report.observations:
        assert row.source.type.rpartition(".")[2] == type(held).__name__
        assert (row.source.shape, row.source.nbytes) == (view.shape, view.nbytes)
        assert row.source.dtype == np.asarray(view).dtype.name == row.subject.dtype
        assert row.source.writable is not view.readonly
        assert row.source.immutable is (kind in IMMUTABLE)
        assert row.source.owner == OWNERS.get(kind, "itself")
        assert ("read-only" in row.subject.state) is view.readonly
        assert row.subject.library == "buffer"


def test_the_owner_of_a_result_is_the_buffer(buffer: tuple[str, Report]) -> None:
    kind, report = buffer
    row = next(row for row in report.observations if row.conversion == "np.frombuffer")
    assert row.result.owner == OWNERS.get(kind, row.source.type)


def test_what_a_write_to_the_result_changes_is_a_hazard_if_it_is_not_to_change(buffer: tuple[str, Report]) -> None:
    kind, report = buffer
    for row in report.observations:
        codes = {hazard.code for hazard in row.hazards}
        assert ("readonly-dropped" in codes) == (
            memoryview(made(BUFFERS[kind])).readonly and observed(row)[2] == "seen"
        )
        assert ("immutable-written" in codes) == (kind in IMMUTABLE and observed(row)[2] == "seen")
        assert "subclass-lost" not in codes


def test_remedies_of_buffers_are_right(buffer: tuple[str, Report]) -> None:
    kind, report = buffer
    for row in report.observations:
        check_remedies(row, BUFFERS[kind], lambda source: np.asarray(memoryview(source)).tolist())


def test_what_goes_wrong_with_a_buffer_has_a_remedy(buffer: tuple[str, Report]) -> None:
    _, report = buffer
    for row in report.observations:
        assert row.remedies or (not row.hazards and row.outcome != "refused"), row.conversion


def test_the_script_of_a_row_shows_the_same(buffer: tuple[str, Report]) -> None:
    _, report = buffer
    for row in report.observations:
        exec(script(row, report.environment), {})


def test_the_documentation_agrees(buffer: tuple[str, Report]) -> None:
    _, report = buffer
    assert not report.summary.broken
    kept = {row.conversion for row in report.observations if row.contract.verdict == "kept"}
    assert {"torch.frombuffer", "np.frombuffer"} <= kept


def test_a_buffer_of_a_format_that_has_no_dtype_is_read_as_bytes(lab: Laboratory) -> None:
    row = inspected(lab, "memoryview(bytearray(8)).cast('c')", conversions=("torch.frombuffer",), to_dtype="uint8")
    assert [one.outcome for one in row.observations] == ["shared"]


ELEMENTS = {
    "characters": ("__import__('ctypes').create_string_buffer(b'abc')", "seen"),
    "text": ("__import__('array').array('u', 'abc')", "seen"),
    "objects": ("(__import__('ctypes').py_object * 2)(1, 2)", "seen"),
    "one number": ("__import__('ctypes').c_double(2.5)", "seen"),
    "structures": (
        "(type('S', (__import__('ctypes').Structure,), {'_fields_': [('a', __import__('ctypes').c_int)]}) * 2)()",
        "not-tried",
    ),
    "no memoryview reads it": ("memoryview(np.array(['ab', 'c']))", "not-tried"),
    "records": ("memoryview(np.array([(1, 2.0)], 'i4,f8'))", "not-tried"),
}


@pytest.mark.parametrize("kind", ELEMENTS)
def test_a_buffer_whose_elements_are_no_numbers_is_written_if_its_type_can(lab: Laboratory, kind: str) -> None:
    expression, written = ELEMENTS[kind]
    report = inspected(lab, expression, conversions=("np.asarray",))
    (row,) = report.observations
    assert (row.internal_error, observed(row)) == (None, ("shared", written, "seen"))
    exec(script(row, report.environment), {})


def test_frombuffer_is_given_a_structured_dtype_and_not_its_name(lab: Laboratory) -> None:
    for kind in ("records", "structures"):
        report = inspected(lab, ELEMENTS[kind][0], conversions=("np.frombuffer",))
        (row,) = report.observations
        assert observed(row) == ("shared", "not-tried", "seen")
        exec(script(row, report.environment), {})


@pytest.mark.parametrize("dtype", [">f4", ">U2", ">c16"])
def test_frombuffer_is_given_the_byte_order(lab: Laboratory, dtype: str) -> None:
    report = inspected(lab, f"memoryview(np.arange(4).astype({dtype!r}))", conversions=("np.frombuffer",))
    (row,) = report.observations
    assert row.result is not None
    assert (row.outcome, row.values, row.hazards, row.result.byte_order) == ("shared", "equal", (), "big")
    exec(script(row, report.environment), {})


def test_bytes_of_a_format_that_numpy_does_not_read_are_not_written_as_elements(lab: Laboratory) -> None:
    for made in ("(__import__('ctypes').c_wchar * 3)('a', 'b', 'c')", "(__import__('ctypes').c_longdouble * 2)(1, 2)"):
        (row,) = inspected(lab, made, conversions=("torch.frombuffer",)).observations
        assert observed(row) == ("shared", "not-tried", "seen")


def test_what_has_the_protocol_and_no_entry_is_a_buffer(lab: Laboratory) -> None:
    report = inspected(lab, "__import__('pickle').PickleBuffer(bytearray(range(8)))", conversions=("torch.frombuffer",))
    (row,) = report.observations
    assert (row.source.type, row.source.owner, row.outcome) == ("pickle.PickleBuffer", "bytearray", "shared")


def test_memory_that_is_gone_is_refused_in_a_sentence() -> None:
    view = memoryview(bytearray(8))
    view.release()
    with pytest.raises(tb.TensorbridgeError, match="the memory of a memoryview cannot be reached"):
        tb.inspect(view)


def test_what_numpy_warns_of_a_union_reaches_no_caller() -> None:
    class Either(ctypes.Union):  # of a structure Python 3.12 tells NumPy all that it needs
        _fields_ = (("x", ctypes.c_int), ("y", ctypes.c_double))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="best-guess"):
            np.asarray(memoryview(Either()))
        assert describe.describe(Either()).nbytes == ctypes.sizeof(Either)


def test_one_byte_is_not_written_because_all_equal_ones_are_one_object(lab: Laboratory) -> None:
    with pytest.raises(tb.TensorbridgeError, match="use two bytes or more"):
        inspected(lab, "b'A'")


# Objects of no library ----------------------------------------------------------------------------

EXPORTER = (
    "type('E', (), {'__init__': lambda s, a: setattr(s, 'a', a), "
    "'__dlpack__': lambda s, **k: s.a.__dlpack__(**k), '__dlpack_device__': lambda s: (1, 0)})"
)
READ_ONLY = "np.frombuffer(np.arange(1.0, 4.0).tobytes())"
BY_PROTOCOL = {
    "DLPack": f"{EXPORTER}(np.arange(1.0, 7.0).reshape(2, 3))",
    "DLPack, read-only": f"{EXPORTER}({READ_ONLY})",
    "interface": (
        "(lambda a: type('I', (), {'__array_interface__': a.__array_interface__, 'a': a})())(np.arange(1.0, 4.0))"
    ),
}


@pytest.mark.parametrize("kind", BY_PROTOCOL)
def test_the_script_for_an_object_without_methods_reads_it_by_its_protocol(lab: Laboratory, kind: str) -> None:
    report = inspected(lab, BY_PROTOCOL[kind])
    assert {row.outcome for row in report.observations} > {"shared"}
    for row in report.observations:
        exec(script(row, report.environment), {})


def test_the_script_for_arrays_in_an_array_compares_them_as_text(lab: Laboratory) -> None:
    report = inspected(lab, "np.array([np.ones(2), np.ones(3)], dtype=object)", conversions=("np.asarray",))
    exec(script(report.observations[0], report.environment), {})


# pandas -------------------------------------------------------------------------------------------

PD = "__import__('pandas')"
TABLES = {
    "float64": f"{PD}.Series([1.0, 2.0, 3.0])",
    "non-contiguous": f"{PD}.Series(np.arange(8)[::2], copy=False)",
    "bool": f"{PD}.Series([True, False, True])",
    "nullable": f"{PD}.Series([1, 2, 3], dtype='Int64')",
    "nullable with nulls": f"{PD}.Series([1, 2, None], dtype='Int64')",
    "nullable bool": f"{PD}.Series([True, False, None], dtype='boolean')",
    "category": f"{PD}.Series([1, 2, 1], dtype='category')",
    "text": f"{PD}.Series(['a', 'b'])",
    "objects": f"{PD}.Series(['a', 'b'], dtype=object)",
    "dates": f"{PD}.Series({PD}.to_datetime(['2020-01-01', '2021-01-01']).as_unit('us'))",
    "dates with a zone": f"{PD}.Series({PD}.to_datetime(['2020-01-01', '2021-01-01'], utc=True))",
    "periods": f"{PD}.Series({PD}.period_range('2020', periods=3, freq='M'))",  # Arrow has them as numbers of months
    # another Series has the same memory: pandas copies it at the first write
    "copy-on-write": f"(lambda s: [s, s.attrs.update(alias=[s.copy(deep=False)])][0])({PD}.Series([1.0, 2.0, 3.0]))",
    "index": f"{PD}.Index([1, 2, 3])",
    "range": f"{PD}.RangeIndex(1, 4)",
    "frame": f"{PD}.DataFrame({{'a': [1.0, 2.0], 'b': [3.0, 4.0]}})",
    "mixed frame": f"{PD}.DataFrame({{'a': [1, 2], 'b': [0.5, 1.5]}})",
}
INDEXES = ("index", "range")


@pytest.fixture(scope="module", params=TABLES)
def table(request: pytest.FixtureRequest, lab: Laboratory) -> tuple[str, Report]:
    pytest.importorskip("pandas", minversion="3")
    return request.param, inspected(lab, TABLES[request.param])


def test_what_happens_to_a_pandas_object_is_what_is_reported(table: tuple[str, Report]) -> None:
    kind, report = table
    dimensions = made(TABLES[kind]).ndim
    entries = [entry for entry in registry.group("pandas") if "pandas" in entry.sources]
    fitting = [entry.name for entry in entries if entry.dimensions in (None, dimensions)]
    assert [row.conversion for row in report.observations] == fitting
    assert not report.not_applicable
    for row in report.observations:
        assert row.internal_error is None
        assert observed(row) == truth(TABLES[kind], registry.find(row.conversion).code), (kind, row.conversion)


def test_a_pandas_object_is_described(table: tuple[str, Report]) -> None:
    import pandas

    kind, report = table
    held = made(TABLES[kind])
    for row in report.observations:
        assert row.source.type == f"pandas.{type(held).__name__}"
        assert (row.source.shape, row.subject.library) == (held.shape, "pandas")
        assert row.subject.dtype == (str(held.dtype) if held.ndim == 1 else ", ".join(map(str, held.dtypes.unique())))
        assert row.source.writable is (kind not in INDEXES)
        assert row.source.immutable is (kind in INDEXES)
        assert row.libraries == (("pandas", pandas.__version__),)
        assert row.source.owner in ("numpy.ndarray", None)
        if row.source.pointer is not None:
            assert np.shares_memory(held.to_numpy(), held.to_numpy())


def test_what_pandas_calls_immutable_is_written(table: tuple[str, Report]) -> None:
    kind, report = table
    for row in report.observations:
        codes = {hazard.code for hazard in row.hazards}
        assert ("immutable-written" in codes) == (kind in INDEXES and observed(row)[2] == "seen")
        assert "subclass-lost" not in codes


def test_remedies_of_pandas_objects_are_right(table: tuple[str, Report]) -> None:
    kind, report = table
    for row in report.observations:
        for remedy in row.remedies:
            source = made(TABLES[kind])
            result = eval(remedy.code, {"np": np, "torch": torch, "x": source})
            assert result.tolist() == source.to_numpy().tolist(), remedy
            assert np.shares_memory(np.asarray(result), source.to_numpy()) == (remedy.outcome == "shared"), remedy


def test_the_script_for_a_pandas_object_shows_the_same(table: tuple[str, Report]) -> None:
    _, report = table
    for row in report.observations:
        exec(script(row, report.environment), {})


OTHERS = {
    "pandas": {
        "extension array": f"{PD}.array([1, None, 3])",
        "dates": f"{PD}.array({PD}.to_datetime(['2020-01-01', '2021-01-01']))",
        "intervals": f"{PD}.Series({PD}.interval_range(0, 3))",
        "frame with nulls": f"{PD}.DataFrame({{'a': {PD}.array([1, None])}})",
    },
    "pyarrow": {
        "tensor": "__import__('pyarrow').Tensor.from_numpy(np.arange(6.0).reshape(2, 3))",
        "buffer": "__import__('pyarrow').py_buffer(bytearray(range(8)))",
    },
    "polars": {
        "one date": "__import__('polars').Series([__import__('datetime').datetime(2020, 1, 1)])",
        "one duration": "__import__('polars').Series([__import__('datetime').timedelta(1)])",
    },
    "scipy": {"booleans": "__import__('scipy.sparse').sparse.csr_array(np.eye(2, dtype=bool))"},
    "PIL": {"big-endian": "__import__('PIL.Image').Image.new('I;16B', (3, 2), 5)"},
    "xarray": {
        "coordinate": "__import__('xarray').DataArray(np.arange(3.0), coords={'t': np.arange('2020-01-01', "
        "'2020-01-04', dtype='M8[D]').astype('M8[us]')}, dims='t').t",
    },
}


@pytest.mark.parametrize(("library", "kind"), [(library, kind) for library in OTHERS for kind in OTHERS[library]])
def test_the_script_for_an_object_of_a_library_shows_the_same(lab: Laboratory, library: str, kind: str) -> None:
    pytest.importorskip(library)
    report = inspected(lab, OTHERS[library][kind])
    for row in report.observations:
        exec(script(row, report.environment), {})


def test_the_only_time_of_a_polars_series_is_written(lab: Laboratory) -> None:
    pytest.importorskip("polars")
    for expression in OTHERS["polars"].values():
        (row,) = inspected(lab, expression, conversions=("np.asarray",)).observations
        assert observed(row) == ("shared", "not-seen", "refused")


def test_a_coordinate_of_xarray_has_the_memory_and_the_values_of_its_index(lab: Laboratory) -> None:
    pytest.importorskip("xarray")
    (row,) = inspected(lab, OTHERS["xarray"]["coordinate"], conversions=("DataArray.values",)).observations
    assert (row.outcome, row.values, row.hazards) == ("shared", "equal", ())


def test_an_index_of_tuples_is_a_source(lab: Laboratory) -> None:
    report = inspected(
        lab, f"{PD}.MultiIndex.from_product([[1, 2], ['a', 'b']])", conversions=("np.asarray", "np.array")
    )
    assert [observed(row) for row in report.observations] == [
        ("shared", "refused", "seen"),
        ("copied", "refused", "not-seen"),
    ]


def test_nothing_moves_where_no_bytes_are(lab: Laboratory) -> None:
    (row,) = inspected(lab, f"{PD}.DataFrame()", conversions=("DataFrame.to_numpy",)).observations
    assert (row.outcome, row.source_changes) == ("undecidable", ())


def test_a_refused_series_of_numbers_has_a_remedy(lab: Laboratory) -> None:
    (row,) = inspected(lab, TABLES["frame"], conversions=("torch.tensor",)).observations
    assert row.remedies[0].code == "torch.from_numpy(x.to_numpy(copy=True))"


def test_pandas_pages_say_what_is_quoted() -> None:
    pandas = pytest.importorskip("pandas", minversion="3.1")
    said = bare(pandas.Series.to_numpy.__doc__)
    for name in ("Series.to_numpy", "Series.to_numpy(copy=True)"):
        for rule in registry.find(name).rules:
            assert says(said, rule.sentence)


def test_the_documentation_of_pandas_is_cited_for_its_version(table: tuple[str, Report]) -> None:
    kind, report = table
    assert not report.summary.broken
    if kind == "float64":
        assert {row.conversion: row.contract.verdict for row in report.observations}["Series.to_numpy"] == "kept"


@pytest.mark.parametrize(("conversion", "outcome"), [("pd.Series", "copied"), ("pd.Series(copy=False)", "shared")])
def test_a_series_is_made_of_an_array(lab: Laboratory, conversion: str, outcome: str) -> None:
    pandas = pytest.importorskip("pandas", minversion="3")
    (row,) = survey([Request(conversions=(conversion,), shapes=((4,),))], lab, "fork").observations
    array = np.arange(4.0)
    series = eval(registry.find(conversion).code, {"pd": pandas, "x": array})
    array[0] = 9
    assert (row.outcome, series[0] == 9) == (outcome, outcome == "shared")
    assert row.direction == "numpy-to-pandas"
    assert row.libraries == (("pandas", pandas.__version__),)


def test_all_does_not_import_pandas_but_its_group_does(lab: Laboratory) -> None:
    rows = plan([Request(every=True, shapes=((4,),))], lab, lab.hello()).experiments
    assert "pd.Series" not in {row.conversion for row in rows}
    rows = plan([Request(groups=("pandas",), shapes=((4,),))], lab, lab.hello()).experiments
    assert "pd.Series" in {row.conversion for row in rows}


def test_what_is_not_installed_is_said() -> None:
    entry = replace(registry.find("pd.Series"), needs="pd.no_such_thing")
    assert "has no pd.no_such_thing" in registry.absent(entry)


def test_memory_of_live_pandas_objects_is_compared() -> None:
    pandas = pytest.importorskip("pandas")
    series = pandas.Series([1.0, 2.0])
    assert tb.shares_memory(series, series.to_numpy())
    assert not tb.shares_memory(series, series.to_numpy().copy())
    nullable = pandas.Series([1, None], dtype="Int64")
    assert tb.shares_memory(nullable, nullable.array)
    assert not tb.shares_memory(nullable, nullable.copy())


# What is the user's is not written ----------------------------------------------------------------


def test_a_mapped_file_and_shared_memory_keep_their_bytes(lab: Laboratory, tmp_path: Path) -> None:
    from multiprocessing.shared_memory import SharedMemory

    path = tmp_path / "data.bin"
    path.write_bytes(bytes(range(64)))
    block = SharedMemory(create=True, size=64)
    try:
        block.buf[:] = bytes(range(64))
        mapped = f"__import__('mmap').mmap(__import__('os').open({str(path)!r}, 2), 0)"
        setup = f"__import__('multiprocessing.shared_memory').shared_memory.SharedMemory({block.name!r}, track=False)"
        setup = setup if sys.version_info >= (3, 13) else setup.replace(", track=False", "")
        for expression in (mapped, f"globals().setdefault('block', {setup}).buf"):
            report = inspected(lab, expression, conversions=("torch.frombuffer",))
            (row,) = report.observations
            assert observed(row) == ("shared", "seen", "seen")
            assert row.evidence.private_copy.startswith("the source is a private copy of ")
        assert bytes(block.buf[:64]) == path.read_bytes() == bytes(range(64))
    finally:
        block.close()
        block.unlink()


def test_a_write_to_a_map_that_is_read_only_crashes_and_changes_nothing(lab: Laboratory, tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(bytes(range(64)))
    mapped = f"__import__('mmap').mmap(__import__('os').open({str(path)!r}, 0), 0, access=1)"
    (row,) = inspected(lab, mapped, conversions=("torch.frombuffer",)).observations
    assert observed(row) == ("shared", "refused", "crashed")
    assert {"write-kills"} <= {hazard.code for hazard in row.hazards}
    assert (row.source.owner, row.subject.state) == ("itself", "memory-mapped+read-only")
    assert path.read_bytes() == bytes(range(64))


CONSTANT = b"never written"


@pytest.mark.parametrize("obj", [bytes(range(8)), bytearray(8), array.array("d", [1.0, 2.0])], ids=type)
def test_a_live_buffer_is_only_read(obj: Any) -> None:
    before = content(obj)
    found = tb.inspect(obj, "torch.frombuffer")
    assert found["torch.frombuffer"].outcome == "shared"
    assert found["torch.frombuffer"].source.type.rpartition(".")[2] == type(obj).__name__
    assert content(obj) == before


def test_a_live_buffer_of_another_kind_is_tried_itself_in_a_fork() -> None:
    view = memoryview(bytearray(8))[2:]
    with pytest.raises(tb.TensorbridgeError, match="use replica=False"):
        tb.inspect(view)
    found = tb.inspect(view, "torch.frombuffer", replica=False)
    assert found["torch.frombuffer"].outcome == "shared"
    assert bytes(view) == bytes(6)


def test_a_class_that_has_no_module_is_named() -> None:
    array_type = type(made("(__import__('ctypes').c_int * 3)()"))
    assert not hasattr(array_type, "__module__")
    assert describe.describe(array_type(1, 2, 3)).type == array_type.__name__


def test_bytes_of_a_module_are_written_in_another_object_each_time() -> None:
    with started("none") as lab:
        given = Given(origin=Origin.OBJECT, text="tests.test_carriers:CONSTANT")
        report = survey([Request(given=given, groups=("buffers",))], lab, "none")
    assert "immutable-written" in {hazard.code for row in report.observations for hazard in row.hazards}
    assert sys.modules["tests.test_carriers"].CONSTANT.decode() == "never written"
