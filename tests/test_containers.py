"""Dicts, dataclasses and modules in ``inspect``: each array and tensor in them is a part, compared with the other's.

The oracle keeps the arrays themselves, writes to each in this process and looks at what the result holds.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tensorbridge_cli as tb
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.explain.script import script
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.lab.experiment import Given
from tensorbridge_cli.records.enums import Origin, Outcome, Values, Write
from tensorbridge_cli.records.report import Report, Row
from tensorbridge_cli.survey.request import Request
from tensorbridge_cli.survey.run import survey
from tests.tools import started

SETUP = """
import copy, dataclasses, io
file = io.BytesIO()
np.savez(file, a=np.ones(3))
NPZ = file.getvalue()
from collections import OrderedDict, UserDict
@dataclasses.dataclass
class Batch:
    image: np.ndarray
    name: str
    label: torch.Tensor
"""
BATCH = 'Batch(np.arange(3.0), "cat", torch.arange(2))'


@pytest.fixture(scope="module")
def lab() -> Iterator[Laboratory]:
    with started(setup=SETUP) as lab:
        yield lab


def inspected(lab: Laboratory, source: str, *code: str) -> Report:
    """Return the report of lines of code with the object that ``source`` gives."""
    request = Request(code=code, given=Given(origin=Origin.EXPRESSION, text=source))
    return survey([request], lab, "fork")


def row_of(lab: Laboratory, source: str, code: str) -> Row:
    (row,) = inspected(lab, source, code).observations
    assert row.internal_error is None
    return row


def hazards(row: Row) -> dict[str, str]:
    return {hazard.code: hazard.detail for hazard in row.hazards}


DICT = '{"a": np.arange(3.0), "b": [np.ones((2, 2), "i4"), "text", 7]}'

CASES = {
    (DICT, "dict(x)"): (Outcome.SHARED, ()),
    (DICT, "torch.utils.data.default_convert(x)"): (Outcome.SHARED, ()),
    (DICT, "copy.deepcopy(x)"): (Outcome.COPIED, ()),
    (DICT, 'torch.from_numpy(x["a"])'): (Outcome.SHARED, ()),
    (DICT, 'x["b"][0]'): (Outcome.SHARED, ()),
    (DICT, '{"p": torch.tensor(x["a"]), "q": x["b"]}'): (Outcome.SHARED, ("['p']",)),
    (DICT, 'UserDict(x, c=x["a"].copy())'): (Outcome.SHARED, ("['c']",)),
    ("OrderedDict(w=torch.ones(2, requires_grad=True))", "{**x}"): (Outcome.SHARED, ()),
    (BATCH, "dataclasses.replace(x)"): (Outcome.SHARED, ()),
    (BATCH, "dataclasses.asdict(x)"): (Outcome.COPIED, ()),
    (BATCH, "Batch(x.image.copy(), x.name, x.label)"): (Outcome.SHARED, (".image",)),
    ("torch.nn.Linear(3, 2)", "x.state_dict()"): (Outcome.SHARED, ()),
    ("torch.nn.Linear(3, 2)", "copy.deepcopy(x)"): (Outcome.COPIED, ()),
    ("torch.nn.Linear(3, 2)", "torch.cat([p.reshape(-1) for p in x.parameters()])"): (Outcome.COPIED, ()),
    ("torch.nn.BatchNorm1d(2)", "{k: v.numpy() for k, v in x.state_dict().items()}"): (Outcome.SHARED, ()),
    ("np.arange(4.0)", '{"view": torch.from_numpy(x)}'): (Outcome.SHARED, ()),
    ("[np.zeros(3), np.ones(3)]", "[torch.tensor(x[0]), torch.from_numpy(x[1])]"): (Outcome.SHARED, ("[0]",)),
}


@pytest.mark.parametrize(("source", "code"), CASES)
def test_each_part_is_compared_and_a_write_made_where_it_shows(lab: Laboratory, source: str, code: str) -> None:
    outcome, copies = CASES[source, code]
    row = row_of(lab, source, code)
    assert (row.outcome, row.relation.copied_parts) == (outcome, copies)
    seen = Write.SEEN if outcome is Outcome.SHARED else Write.NOT_SEEN
    assert {row.writes.source_to_result, row.writes.result_to_source} == {seen}
    assert ("partly-shared" in hazards(row)) is bool(copies)
    assert "evidence-conflicts" not in hazards(row)


@pytest.mark.parametrize(("source", "code"), CASES)
def test_its_script_asserts_the_same(lab: Laboratory, source: str, code: str, tmp_path: Path) -> None:
    report = inspected(lab, source, code)
    file = tmp_path / "script.py"
    file.write_text(f"import numpy as np, torch\n{SETUP}\n{script(report.observations[0], report.environment)}")
    assert "before" in file.read_text()
    done = subprocess.run([sys.executable, str(file)], capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_source_is_described_by_its_parts(lab: Laboratory) -> None:
    row = row_of(lab, DICT, "dict(x)")
    assert (row.subject.shape, row.subject.dtype, row.subject.state) == ((), "float64, int32", "container")
    assert row.source is not None
    assert (row.source.type, row.source.nbytes) == ("dict", 24 + 16)
    assert [extent.part for extent in row.evidence.extents.source] == ["['a']", "['b'][0]"]
    assert [cell.part for cell in row.evidence.cells] == ["['a']", "['a']"]
    assert row.values is Values.EQUAL
    assert row_of(lab, "torch.nn.Linear(2, 2)", "x.state_dict()").subject.state == "container+requires-grad"


@pytest.mark.parametrize("source", ['{"a": 1, "b": "text"}', "{}", "torch.nn.ReLU()"])
def test_a_container_without_an_array_is_refused(lab: Laboratory, source: str) -> None:
    with pytest.raises(RequestError, match="without an array or a tensor of its own is not a source"):
        inspected(lab, source, "dict(x)")


RAISES = "type('M', (UserDict,), {'items': lambda self: 1 / 0})()"


@pytest.mark.parametrize("source", ["np.load(io.BytesIO(NPZ))", RAISES])
def test_one_that_gives_other_arrays_each_time_is_not_inspected(lab: Laboratory, source: str) -> None:
    with pytest.raises(RequestError, match="without an array or a tensor of its own is not a source"):
        inspected(lab, source, "dict(x)")
    row = row_of(lab, "np.ones(2)", f"(x, {source})[1]")
    assert (row.outcome, row.hazards) == (Outcome.UNDECIDABLE, ())


def test_one_that_holds_itself_ends(lab: Laboratory) -> None:
    row = row_of(lab, "(lambda d: d.setdefault('self', d))({'a': np.ones(2)})", "dict(x)")
    assert row.outcome is Outcome.SHARED


def test_large_parts_are_not_called_equal_when_some_of_their_elements_were_read(lab: Laboratory) -> None:
    assert row_of(lab, '{"a": np.zeros(100_000)}', "copy.deepcopy(x)").values is Values.SAMPLED_EQUAL


def test_a_live_dict_is_inspected_and_not_touched() -> None:
    batch = {"image": np.arange(6.0).reshape(2, 3), "name": "cat", 3: [torch.ones(2), None]}
    (row,) = tb.inspect(batch, code="torch.utils.data.default_convert(x)")
    assert (row.outcome, row.source.type) == ("shared", "dict")
    assert batch["image"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert batch[3][0].tolist() == [1, 1]
    (row,) = tb.inspect(torch.nn.Linear(2, 2), code="x.state_dict()", replica=False)
    assert row.outcome == "shared"


WAYS = {
    "x[{key!r}]": True,
    "torch.from_numpy(x[{key!r}])": True,
    "x[{key!r}].copy()": False,
    "torch.tensor(x[{key!r}])": False,
    "x[{key!r}][::-1]": True,
    "x[{key!r}].astype('f4')": False,
}


@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from(sorted(WAYS))), min_size=1, max_size=5))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_mixed_each_part_is_told(lab: Laboratory, made: list[tuple[int, str]]) -> None:
    source = "{" + ", ".join(f"{n}: np.arange({size}.0)" for n, (size, _) in enumerate(made)) + "}"
    code = "{" + ", ".join(f"{n}: {way.format(key=n)}" for n, (_, way) in enumerate(made)) + "}"
    row = row_of(lab, source, code)
    # the oracle: the same code here, a write to each array, and a look at what the result holds
    x = eval(source)
    y = eval(code)
    shown = {}
    for n, array in x.items():
        before = [float(value) for value in y[n]]
        array[...] = 77
        shown[n] = [float(value) for value in y[n]] != before
    assert shown == {n: WAYS[way] for n, (_, way) in enumerate(made)}
    copies = tuple(f"[{n}]" for n in shown if not shown[n])
    assert row.outcome is (Outcome.SHARED if any(shown.values()) else Outcome.COPIED)
    assert row.relation.copied_parts == (copies if any(shown.values()) else ())
    assert row.writes.source_to_result is (Write.SEEN if any(shown.values()) else Write.NOT_SEEN)


def test_a_result_that_holds_nothing_with_memory_is_known_by_its_type_alone(lab: Laboratory) -> None:
    row = row_of(lab, "np.ones(2)", '{"sum": float(x.sum())}')
    assert (row.outcome, row.result.type if row.result else None) == (Outcome.UNDECIDABLE, "dict")
    result: Any = row.result
    assert result.dtype is None


def test_a_result_whose_own_code_raises_is_known_by_its_type_alone(lab: Laboratory) -> None:
    asked = "property(lambda self: (_ for _ in ()).throw(SystemExit(7)))"
    row = row_of(lab, "np.ones(2)", f"(x, type('A', (), {{'__array_interface__': {asked}}})())[1]")
    assert (row.outcome, row.result.type if row.result else None) == (Outcome.UNDECIDABLE, "A")


LOCKED = '{"a": np.frombuffer(b"12345678"), "b": np.frombuffer(b"12345678")}'


@pytest.mark.parametrize(
    ("source", "code", "code_of_hazard"),
    [
        (LOCKED, "torch.utils.data.default_convert(x)", "readonly-dropped"),
        (LOCKED, 'torch.from_numpy(x["a"])', "readonly-dropped"),
        (f"list({LOCKED}.values())", "[torch.from_numpy(a) for a in x]", "readonly-dropped"),
        (LOCKED, "{**x}", None),
        (LOCKED, "{k: torch.tensor(v) for k, v in x.items()}", None),
        ("(np.ones(2), np.ones(3))", "torch.from_numpy(x[0])", None),
        ("(np.ones(2), np.ones(3))", "[torch.from_numpy(a) for a in x]", None),
        ("torch.nn.Linear(3, 2)", "x.state_dict()", "grad-lost"),
        ('{"b": np.ones(2), "a": np.zeros(2)}', "{k: x[k] for k in sorted(x)}", None),
        ("[np.ones(2), np.ones(3)]", "torch.nested.nested_tensor(x)", None),
    ],
)
def test_what_is_wrong_with_a_container(lab: Laboratory, source: str, code: str, code_of_hazard: str | None) -> None:
    report = inspected(lab, source, code)
    (row,) = report.observations
    assert hazards(row).keys() - {"warned-once-only"} == ({code_of_hazard} if code_of_hazard else set())
    if code_of_hazard:
        exec(script(row, report.environment), {})
