"""Generated objects of other libraries: what is reported of them is what happens to one that is written by hand.

The oracle makes the object itself, as its user would, and shares no code with the tool: see the modules it is from.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import pytest

from tensorbridge_cli.catalog import registry
from tensorbridge_cli.catalog.constructors import CONSTRUCTORS
from tensorbridge_cli.errors import UnavailableError
from tensorbridge_cli.explain.script import script
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.records.enums import Library, Write
from tensorbridge_cli.records.report import Report
from tensorbridge_cli.survey.request import parse
from tensorbridge_cli.survey.request_text import RequestText
from tensorbridge_cli.survey.run import survey
from tests import test_carriers
from tests.tools import raised_by, started
from tests.truths import Question, Truth, truths

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the oracle writes through /proc/self/mem"),
    pytest.mark.filterwarnings("ignore"),
]


def generated(lab: Laboratory, **options: Any) -> Report:
    texts = {name: value if name == "library" else (value,) for name, value in options.items()}
    return survey([parse(RequestText(**texts))], lab, "fork", remedies=False)


PANDAS = "__import__('pandas')"
OF_PANDAS = {
    "pandas Series": ({}, f"{PANDAS}.Series(np.arange(1, 5, dtype='f4'), copy=False)"),
    "pandas DataFrame": ({"shape": "4,3"}, f"{PANDAS}.DataFrame(np.arange(12, dtype='f4').reshape(4, 3), copy=False)"),
    "nullable": ({"dtype": "Int64"}, f"{PANDAS}.Series([1, 2, 3, 4], dtype='Int64')"),
    "nulls": ({"dtype": "Int64", "state": "nulls"}, f"{PANDAS}.Series([1, 2, 3, None], dtype='Int64')"),
    "Arrow": ({"dtype": "int64[pyarrow]"}, f"{PANDAS}.Series([1, 2, 3, 4], dtype='int64[pyarrow]')"),
    "copy-on-write": (
        {"state": "copy-on-write"},
        f"(lambda x: [x.copy(deep=False), x])({PANDAS}.Series(np.ones(4)))[0]",
    ),
}


@pytest.mark.skipif(not find_spec("pandas"), reason="pandas is not installed")
@pytest.mark.parametrize("name", OF_PANDAS)
def test_what_happens_to_an_object_of_pandas(lab: Laboratory, name: str) -> None:
    options, expression = OF_PANDAS[name]
    report = generated(lab, library="pandas", **options)
    assert len(report.observations) >= 6
    for row in report.observations:
        assert row.subject.library == "pandas"
        assert row.internal_error is None
        code = registry.find(row.conversion).code_for(row.subject.library, row.subject.dtype)
        assert test_carriers.observed(row) == test_carriers.truth(expression, code), row.conversion


OF_ARROW = {
    "Arrow array": ("arrow", {}, "pa.array(np.arange(1, 5, dtype='f4'))"),
    "Arrow table": ("arrow", {"shape": "2,3"}, "pa.table({n: np.arange(2, dtype='f4') for n in 'abc'})"),
    "Arrow nulls": ("arrow", {"dtype": "int64", "state": "nulls"}, "pa.array([1, 2, 3, None])"),
    "Arrow chunks": ("arrow", {"dtype": "float64", "state": "chunked"}, "pa.chunked_array([[1.0, 2.0], [3.0, 4.0]])"),
    "polars Series": ("polars", {"dtype": "float64"}, "pl.Series([1.0, 2.0, 3.0, 4.0])"),
    "polars nulls": ("polars", {"dtype": "Int64", "state": "nulls"}, "pl.Series([1, 2, 3, None])"),
    "polars text": ("polars", {"dtype": "String"}, "pl.Series(['a', 'b', 'c', 'd'])"),
}


@pytest.mark.skipif(not (find_spec("pyarrow") and find_spec("polars")), reason="pyarrow or polars is not installed")
@pytest.mark.parametrize("name", OF_ARROW)
def test_what_happens_to_an_object_of_arrow_or_polars(lab: Laboratory, name: str) -> None:
    from tests import test_arrow  # which skips itself without the libraries

    library, options, expression = OF_ARROW[name]
    report = generated(lab, library=library, **options)
    assert len(report.observations) >= 5
    for row in report.observations:
        assert row.subject.library == library
        assert row.internal_error is None
        entry = registry.find(row.conversion)
        assert test_carriers.observed(row) == test_arrow.truth(expression, entry), row.conversion


NUMBERS = "np.arange(1, 13, dtype='f4').reshape(4, 3)"
H5PY = (
    "(lambda h5py, path: [h5py.File(path, 'w').create_dataset('x', data=np.ones((4, 3), 'f4')).file.close(), "
    "h5py.File(path)['x']][1])"
)
ZARR = "(lambda zarr, path: [zarr.save(path, np.ones((4, 3), 'f4')), zarr.open(path, mode='r')][1])"
OTHERS = {
    "jax": ({}, f"__import__('jax').numpy.asarray({NUMBERS})"),
    "pillow": ({"dtype": "uint8"}, "__import__('PIL.Image').Image.fromarray(np.arange(12, dtype='u1').reshape(4, 3))"),
    "scipy": ({}, f"__import__('scipy.sparse').sparse.csr_array({NUMBERS})"),
    "xarray": ({}, f"__import__('xarray').DataArray({NUMBERS})"),
    "h5py": ({}, f"{H5PY}(__import__('h5py'), __import__('tempfile').mkdtemp() + '/x')"),
    "zarr": ({}, f"{ZARR}(__import__('zarr'), __import__('tempfile').mkdtemp() + '/x')"),
    "datasets": ({"dtype": "float"}, "__import__('datasets').Dataset.from_dict({'0': np.arange(1, 5, dtype='f4')})"),
}


@pytest.fixture(scope="module")
def answers() -> dict[Question, Truth]:
    """What happens to each object of the others, from a process of its own."""
    return truths(
        [
            (expression, entry.code_for(Library(library), "float32"), entry.setup)
            for library, (_, expression) in OTHERS.items()
            if find_spec(CONSTRUCTORS[Library(library)].package)
            for entry in registry.usual(Library(library))
            if library in entry.sources and entry.dimensions in (None, 2)
        ]
    )


@pytest.mark.parametrize("library", OTHERS)
def test_what_happens_to_an_object_of_another_library(
    lab: Laboratory, library: str, answers: dict[Question, Truth]
) -> None:
    options, expression = OTHERS[library]
    if not find_spec(CONSTRUCTORS[Library(library)].package):
        pytest.skip(f"{library} is not installed")
    report = generated(lab, library=library, **options)
    assert report.observations
    for row in report.observations:
        assert row.internal_error is None
        assert row.source is not None
        assert (row.subject.library, row.source.shape) == (library, (4, 1) if library == "datasets" else (4, 3))
        entry = registry.find(row.conversion)
        truth = answers[expression, entry.code_for(row.subject.library, "float32"), entry.setup]
        assert test_carriers.observed(row) == truth, row.conversion


DTYPES: dict[str, tuple[str, ...]] = {
    "pandas": ("datetime64[ns]", "bool[pyarrow]", "uint64[pyarrow]", "str"),
    "polars": ("String",),
}
"""Dtypes whose values a script writes in a way of its own."""


@pytest.mark.parametrize("library", CONSTRUCTORS)
def test_the_script_of_a_row_shows_the_same_and_that_of_a_lie_fails(lab: Laboratory, library: Library) -> None:
    if not find_spec(CONSTRUCTORS[library].package):
        pytest.skip(f"{library} is not installed")
    report = generated(lab, library=library, state="all")
    others = [generated(lab, library=library, dtype=dtype) for dtype in DTYPES.get(library, ())]
    rows = [row for one in (report, *others) for row in one.observations if row.crash is None]
    scripts = [script(row, report.environment) for row in rows]
    assert not any("tensorbridge" in text for text in scripts)
    other = {Write.SEEN: Write.NOT_SEEN, Write.NOT_SEEN: Write.SEEN}
    lies = [
        replace(row, writes=replace(row.writes, result_to_source=other[row.writes.result_to_source]))
        for row in rows
        if row.writes.result_to_source in other
    ]
    assert lies
    found = raised_by([*scripts, *(script(row, report.environment) for row in lies)])
    assert dict(zip(scripts, found, strict=False)) == dict.fromkeys(scripts, "")
    assert all(found[len(scripts) :])


@pytest.mark.parametrize(
    ("imports", "said"),
    [
        ("import pandas_of_nobody as pd", "pandas_of_nobody in {}: it is not installed: pip install pandas_of_nobody."),
        ("import json.of_nobody as pd", "json in {}: No module named 'json.of_nobody'."),  # it is there itself
    ],
)
def test_a_library_that_cannot_be_imported_is_one_sentence(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch, imports: str, said: str
) -> None:
    request = parse(RequestText(library="pandas"))
    monkeypatch.setitem(vars(CONSTRUCTORS[Library.PANDAS]), "imports", imports)
    with started("none") as here, pytest.raises(UnavailableError) as error:
        survey([request], here, "none", remedies=False)
    assert str(error.value) == f"cannot import {said.format(sys.executable)}"


def test_what_pip_installs() -> None:
    by_import = {one.package: one.distribution for one in CONSTRUCTORS.values()}
    assert by_import.pop("PIL") == "pillow"
    assert all(package == distribution for package, distribution in by_import.items())
