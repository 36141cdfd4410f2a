"""Generated objects of other libraries: what is reported of them is what happens to one that is written by hand.

The oracle makes the object itself, as its user would, and shares no code with the tool: see the modules it is from.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from tensorbridge_cli.catalog import registry
from tensorbridge_cli.catalog.constructors import CONSTRUCTORS
from tensorbridge_cli.errors import UnavailableError
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.records.report import Library, Report
from tensorbridge_cli.survey.request import RequestText, parse
from tensorbridge_cli.survey.run import survey
from tests import test_carriers
from tests.tools import started

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the oracle writes through /proc/self/mem"),
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def lab() -> Iterator[Laboratory]:
    with started() as lab:
        yield lab


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


def test_a_library_that_is_not_installed_is_one_sentence(lab: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    request = parse(RequestText(library="pandas"))
    monkeypatch.setitem(vars(CONSTRUCTORS[Library.PANDAS]), "imports", "import pandas_of_nobody as pd")
    with started("none") as here, pytest.raises(UnavailableError) as error:
        survey([request], here, "none", remedies=False)
    assert str(error.value) == f"cannot import pandas_of_nobody in {sys.executable}: it is not installed."
