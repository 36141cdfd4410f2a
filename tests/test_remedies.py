"""Every remedy that is shown is run again here, with numpy and torch alone, to see that it does what is said of it."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tensorbridge_cli.catalog.registry import conversions
from tensorbridge_cli.judgement.candidates import candidates
from tensorbridge_cli.judgement.remedies import is_problem
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.lab.experiment import Experiment, Given
from tensorbridge_cli.records.enums import Origin, Outcome
from tensorbridge_cli.records.report import STANDS_FOR, Remedy, Report
from tensorbridge_cli.survey.request import Request
from tensorbridge_cli.survey.run import answered, survey
from tests.sweep import FULL

NAMES = {"np": np, "torch": torch, "copy": copy}
CHANGING = {entry.name for entry in conversions() if entry.changes}

EXPRESSIONS = [
    "np.arange(12, dtype='f4').reshape(4, 3)[::-1]",
    "np.arange(12, dtype='>f4').reshape(4, 3)",
    "np.arange(12, dtype='f4').reshape(3, 4).T",
    "np.broadcast_to(np.arange(3.0), (4, 3))",
    "np.lib.stride_tricks.as_strided(np.arange(6.0), (4, 3), (8, 8))",
    "np.frombuffer(bytes(48), dtype='f4').reshape(4, 3)",
    "np.frombuffer(bytearray(49), dtype='u1')[1:].view('f4')",
    "np.ma.MaskedArray(np.arange(4.0), mask=[0, 0, 1, 0])",
    "np.matrix([[1.0, 2.0]])",
    "np.array(['2020-01-01', '2021-01-01'], 'M8[s]')",
    "np.array([1, 2, 3], dtype=object)",
    "np.array(['a', 'bc'])",
    "np.array([1.5, 2.5], np.longdouble)",
    "np.float32(2.5)",
    "torch.arange(12.0).reshape(4, 3).requires_grad_()",
    "(torch.ones(3, requires_grad=True) * 2)",
    "torch.nn.Parameter(torch.arange(4.0))",
    "torch.tensor([1 + 2j, 3 - 4j]).conj()",
    "torch.tensor([1 + 2j, 3 - 4j]).conj().imag",
    "torch.arange(6.0).to(torch.bfloat16)",
    "torch.arange(6.0).to(torch.float8_e5m2)",
    "torch.arange(3.0).expand(4, 3)",
    "torch.arange(12.0).reshape(4, 3).t()",
    "torch.eye(3).to_sparse()",
    "torch.eye(3).to_mkldnn()",
    "torch.quantize_per_tensor(torch.ones(4), 0.5, 3, torch.quint8)",
    "[np.arange(3.0), np.arange(3.0) + 1]",
    "[1.5, 2.5]",
    "[torch.arange(3.0), torch.arange(3.0) + 1]",
    "[torch.arange(3.0, requires_grad=True), torch.arange(3.0)]",
    "np.array([[22.0, True], [38.0, False]], object)",
    "torch.nested.nested_tensor([torch.arange(3.0), torch.arange(3.0)])",
]
EVERY = 1 if FULL else 4
"""Of the expressions, one in so many is tried."""

SEVERAL = (
    *("torch.from_numpy", "torch.FloatTensor", "torch.frombuffer", "torch.from_dlpack(versioned capsule)"),
    *("torch.asarray(copy=False)", "np.from_dlpack", "np.max", "ForkingPickler", "Tensor.numpy", "Tensor.data"),
    *("Tensor.share_memory_", "Tensor.expand", "Tensor.view(torch.uint8).numpy()"),
)
"""Conversions whose rows have most of the remedies that the whole catalogue's have: each row of one's own expression
is a process."""


@pytest.fixture(scope="module")
def reports(lab: Laboratory) -> Callable[[str], Report]:
    """The report of an expression, made when it is first asked for."""
    chosen: dict[str, Any] = {"every": True} if FULL else {"conversions": SEVERAL}
    return functools.cache(lambda text: reported(lab, given=Given(origin=Origin.EXPRESSION, text=text), **chosen))


def reported(lab: Laboratory, **request: Any) -> Report:
    return survey([Request(**request)], lab, "fork", remedies=True)


# With numpy and torch alone ------------------------------------------------------------------------


def run(remedy: Remedy, text: str) -> tuple[Any, Any]:
    """The source of an expression, and what the code makes of it."""
    source = eval(text, dict(NAMES))
    names = {**NAMES, "x": source}
    exec(remedy.setup, names)
    return source, eval(remedy.code, names)


def span(thing: Any) -> tuple[int, int] | None:
    """The bytes that an array or a tensor's storage reaches."""
    if isinstance(thing, np.ndarray):
        return np.lib.array_utils.byte_bounds(thing)
    if isinstance(thing, torch.Tensor) and thing.layout is torch.strided:
        start = thing.untyped_storage().data_ptr()
        return start, start + thing.untyped_storage().nbytes()
    return None


def share(a: Any, b: Any) -> bool:
    ours, theirs = span(a), span(b)
    return None not in (ours, theirs) and max(ours[0], theirs[0]) < min(ours[1], theirs[1])


def values(thing: Any) -> Any:
    if isinstance(thing, list):
        return [values(one) for one in thing] if isinstance(thing[0], torch.Tensor) else np.array(thing).tolist()
    if isinstance(thing, torch.Tensor) and thing.is_nested:
        return [values(row) for row in thing.unbind()]
    if isinstance(thing, torch.Tensor):
        thing = thing.detach().resolve_conj().resolve_neg()
        thing = thing.to_dense() if thing.layout is not torch.strided or thing.is_mkldnn else thing
        thing = thing.dequantize() if thing.is_quantized else thing
        return thing.to(torch.float64).tolist() if thing.dtype.itemsize < 4 else thing.tolist()
    return thing.tolist()


def nbytes(thing: Any) -> int:
    """The bytes that were allocated for it: a view of a copy has all of that copy."""
    if not isinstance(thing, torch.Tensor):
        return nbytes(thing.base) if isinstance(thing.base, np.ndarray) else thing.nbytes
    if thing.layout is torch.strided and not thing.is_mkldnn and not thing.is_nested:
        return thing.untyped_storage().nbytes()
    if thing.layout is torch.sparse_coo:
        return nbytes(thing._values()) + nbytes(thing._indices())
    return thing.numel() * thing.element_size()


def holds(remedy: Remedy, text: str, changing: bool) -> None:
    source, result = run(remedy, text)
    keeps_its_kind(remedy, text, source, result, changing)
    assert str(remedy.outcome) == ("shared" if share(source, result) else "copied"), (text, remedy)
    assert remedy.copied_bytes == (0 if remedy.outcome == "shared" else nbytes(result)), (text, remedy)
    caveat = remedy.caveat or ""
    if caveat.startswith(("the bits as", "as bytes", "as integers")):
        there = result.numpy() if isinstance(result, torch.Tensor) else result
        ours = source.view(torch.uint8).numpy() if isinstance(source, torch.Tensor) else source
        assert there.tobytes() == ours.tobytes()
    elif caveat.startswith("masked"):
        assert np.asarray(result)[~source.mask].tolist() == source.compressed().tolist()
    elif not changing:
        assert values(result) == values(source), (text, remedy)
    if isinstance(result, np.ndarray) and "read-only" in caveat:
        assert not result.flags.writeable


def keeps_its_kind(remedy: Remedy, text: str, source: Any, result: Any, changing: bool) -> None:
    """What is not said of a remedy it does not do: dtype, layout, kind and gradient are those of the source."""
    effects = set(remedy.effects)
    assert (remedy.caveat is None) == (not effects)
    tensors = source if isinstance(source, list) else [source]
    tensors = [one for one in tensors if isinstance(one, torch.Tensor) and one.requires_grad]
    if tensors:
        assert ("gradient" in effects) != (isinstance(result, torch.Tensor) and result.requires_grad), (text, remedy)
    if "gradient" not in effects and tensors and not changing:
        for gradient in torch.autograd.grad(result.sum(), tensors):
            assert bool((gradient == 1).all())
    if hasattr(source, "dtype") and hasattr(result, "dtype"):
        same = str(source.dtype).removeprefix("torch.").lstrip("<>=|") in str(result.dtype)
        swapped = not getattr(source.dtype, "isnative", True)
        assert same or swapped or effects & {"dtype", *STANDS_FOR}, (text, remedy)
    if isinstance(source, torch.Tensor) and isinstance(result, torch.Tensor):
        assert source.layout is result.layout or "layout" in effects, (text, remedy)
        assert source.is_nested == result.is_nested or "kind" in effects


OBJECTS = ["[22.0, True, 38.0]", "[1, 2, 3]", "[True, False]", "[1.0, 2.0]", "[np.float32(1), 2]", "[1, 2 + 0j]"]
OTHERS = {bool: True, int: 7, float: 0.5, complex: 0.5j, np.float32: np.float32(0.25)}


@pytest.mark.parametrize("elements", OBJECTS)
def test_a_cast_keeps_other_values_of_the_same_types(lab: Laboratory, elements: str) -> None:
    given = Given(origin=Origin.EXPRESSION, text=f"np.array({elements}, object)")
    (row,) = reported(lab, conversions=("torch.from_numpy",), given=given).observations
    assert row.remedies
    others = [OTHERS[type(element)] for element in eval(elements, dict(NAMES))]
    for remedy in row.remedies:
        result = eval(remedy.code, {**NAMES, "x": np.array(others, object)})
        assert result.tolist() == others


@pytest.mark.parametrize(
    "elements", ["[1.0, None]", "['1', '2']", "[[1], [2, 3]]", "[Decimal(1)]", "[np.longdouble(1)]"]
)
def test_what_no_dtype_holds_has_no_remedy(lab: Laboratory, elements: str) -> None:
    text = f"(lambda Decimal: np.array({elements}, object))(__import__('decimal').Decimal)"
    given = Given(origin=Origin.EXPRESSION, text=text)
    (row,) = reported(lab, conversions=("torch.from_numpy",), given=given).observations
    assert row.remedies == ()


@pytest.mark.parametrize("text", ["[torch.ones(3), torch.zeros(3)]", "[torch.arange(3.0, requires_grad=True)] * 2"])
def test_a_list_of_tensors_is_stacked(lab: Laboratory, text: str) -> None:
    given = Given(origin=Origin.EXPRESSION, text=text)
    stack, tensor = reported(lab, conversions=("torch.stack", "torch.tensor"), given=given).observations
    assert (str(stack.outcome), str(tensor.outcome)) == ("copied", "refused")
    assert [remedy.code for remedy in tensor.remedies] == ["torch.stack(x)"]
    assert stack.remedies == ()


def test_stack_accepts_no_list_of_arrays(lab: Laboratory) -> None:
    given = Given(origin=Origin.EXPRESSION, text="[np.ones(3), np.ones(3)]")
    (row,) = reported(lab, conversions=("torch.stack",), given=given).observations
    assert row.error is not None
    assert row.error.type == "TypeError"
    assert [remedy.code for remedy in row.remedies] == ["torch.from_numpy(np.stack(x))"]


def test_integers_that_no_tensor_holds_contradict_no_sentence(lab: Laboratory) -> None:
    given = Given(origin=Origin.EXPRESSION, text="[2**63, 1]")
    rows = reported(lab, conversions=("torch.tensor", "torch.as_tensor"), given=given).observations
    assert {(str(row.outcome), str(row.contract.verdict)) for row in rows} == {("refused", "undocumented")}


def test_new_tensor_of_floats_need_not_accept_a_complex_number(lab: Laboratory) -> None:
    given = Given(origin=Origin.EXPRESSION, text="[1, 1+2j]")
    (row,) = reported(lab, conversions=("Tensor.new_tensor",), given=given).observations
    assert (str(row.outcome), str(row.contract.verdict)) == ("refused", "undocumented")


@pytest.mark.parametrize("dtype", ["float64", "int16", "uint8", "bool"])
@pytest.mark.parametrize("layout", ["reversed", "byte-swapped"])
def test_no_remedy_keeps_a_legacy_constructor(lab: Laboratory, dtype: str, layout: str) -> None:
    report = reported(lab, conversions=("torch.Tensor", "torch.FloatTensor"), dtypes=(dtype,), layouts=(layout,))
    for row in report.observations:
        assert row.remedies
        for remedy in row.remedies:
            assert "Tensor(" not in remedy.code
            assert remedy.dtype is None


@pytest.mark.parametrize(
    ("conversion", "wrong"),
    [
        ("Tensor.detach().numpy()", True),
        ("Tensor.numpy(force=True)", True),
        ("Tensor.data", True),
        ("Tensor.detach", False),
        ("Tensor.view", False),
        ("Tensor.clone", False),
        ("Tensor.to", False),
    ],
)
@pytest.mark.parametrize("state", ["requires-grad", "non-leaf", "parameter"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "bfloat16"])
def test_wrong_gradients_are_seen(lab: Laboratory, conversion: str, wrong: bool, state: str, dtype: str) -> None:
    (row,) = reported(lab, conversions=(conversion,), states=(state,), dtypes=(dtype,)).observations
    if str(row.outcome) == "refused":
        pytest.skip(row.error.message if row.error else "")
    assert ("grad-wrong" in {hazard.code for hazard in row.hazards}) == wrong
    assert all("untracked" not in remedy.effects for remedy in row.remedies)


@pytest.mark.filterwarnings("ignore")  # what a source's own making warns of
@pytest.mark.parametrize("text", EXPRESSIONS[::EVERY])
def test_every_remedy_does_what_is_said_of_it(reports: Callable[[str], Report], text: str) -> None:
    rows = [row for row in reports(text).observations if row.remedies]
    assert rows
    for row in rows:
        assert is_problem(row)
    for remedy, changing in {(one, row.conversion in CHANGING) for row in rows for one in row.remedies}:
        holds(remedy, text, changing)


@pytest.mark.filterwarnings("ignore")
def test_every_answer_does_what_is_said_of_it(reports: Callable[[str], Report]) -> None:
    seen = 0
    for text in EXPRESSIONS[::EVERY]:
        report = reports(text)
        for wanted in ("shared", "copied"):
            for answer in answered(report, Outcome(wanted), None).answers:
                for remedy in answer.write:
                    assert remedy.outcome == wanted
                    holds(remedy, text, changing=False)
                    seen += 1
    assert seen > 25 // EVERY


# What is expected where ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "remedy"),
    [
        ({"states": ("read-only",)}, "torch.from_numpy(x.copy())  (copies 48 bytes)"),
        ({"layouts": ("reversed",)}, "torch.from_numpy(x.copy())  (copies 48 bytes)"),
        ({"layouts": ("byte-swapped",)}, "torch.from_numpy(x.astype(x.dtype.newbyteorder('=')))  (copies 48 bytes)"),
        ({"dtypes": ("datetime64[s]",)}, "torch.from_numpy(x.view('i8'))  (shares; as integers)"),
        (
            {"dtypes": ("datetime64[s]",), "layouts": ("byte-swapped",)},
            "torch.from_numpy(x.astype(x.dtype.newbyteorder('=')).view('i8'))  (copies 96 bytes; as integers)",
        ),
        ({"states": ("requires-grad",)}, "x.detach().clone().numpy()  (copies 48 bytes; gradients do not flow back)"),
        ({"states": ("conjugate-bit",), "dtypes": ("complex64",)}, "x.resolve_conj().numpy()  (copies 96 bytes)"),
        ({"states": ("negative-bit",)}, "x.resolve_neg().numpy()  (copies 48 bytes)"),
        ({"states": ("sparse-coo",)}, "x.to_dense().numpy()  (copies 48 bytes; dense)"),
        ({"states": ("quantized",)}, "x.dequantize().numpy()  (copies 48 bytes; as float32)"),
        ({"states": ("nested",)}, "torch.stack(x.unbind()).numpy()  (copies 48 bytes; no longer a nested tensor)"),
        ({"dtypes": ("bfloat16",)}, "x.float().numpy()  (copies 48 bytes; as float32)"),
        ({"states": ("meta",)}, None),  # there are no values to give
        ({"dtypes": ("longdouble",)}, None),  # no dtype of torch's holds them
    ],
    ids=str,
)
def test_the_first_remedy(lab: Laboratory, request_: dict[str, Any], remedy: str | None) -> None:
    report = reported(lab, conversions=("torch.from_numpy", "Tensor.numpy"), **request_)
    assert [row.remedy for row in report.observations] == [remedy]


def test_what_is_no_problem_has_no_remedy_and_costs_no_experiment(lab: Laboratory) -> None:
    asked = Counting(lab)
    report = survey([Request()], asked, "fork", remedies=True)
    assert [row.remedies for row in report.observations] == [()] * 4
    assert asked.runs == [4]


def test_each_code_is_tried_once_and_all_in_one_run(lab: Laboratory) -> None:
    asked = Counting(lab)
    request = Request(every=True, states=("requires-grad",))
    report = survey([request], asked, "fork", remedies=True)
    assert sum(row.remedy is not None for row in report.observations) > 15
    assert len(asked.runs) == 2
    assert len(set(asked.last)) == len(asked.last) < 2 * asked.runs[0]
    asked = Counting(lab)
    assert not any(row.remedies for row in survey([request], asked, "fork").observations)
    assert len(asked.runs) == 1


def test_what_may_not_fit_in_memory_is_not_tried(lab: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    request = Request(conversions=("from_numpy",), shapes=((5000, 5000),), layouts=("reversed",))
    with monkeypatch.context() as patched:
        patched.setattr("tensorbridge_cli.survey.run.available", lambda: 299_000_000)
        (row,) = survey([request], lab, "fork", remedies=True).observations
        assert row.remedy is None
    (row,) = survey([request], lab, "fork", remedies=True).observations
    assert row.remedy == "torch.from_numpy(x.copy())  (copies 100,000,000 bytes)"


class Counting:
    """A laboratory that notes what it was asked, and may be given other code than it was asked for."""

    def __init__(self, lab: Laboratory, lie: dict[str, str] | None = None) -> None:
        self._lab, self._lie = lab, lie or {}
        self.runs: list[int] = []
        self.last: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lab, name)

    def run(self, experiments: Sequence[Experiment], **how: Any) -> Iterator[Any]:
        self.runs.append(len(experiments))
        self.last = [f"{one.code} {one.setup} {one.subject}" for one in experiments]
        return self._lab.run([replace(one, code=self._lie.get(one.code, one.code)) for one in experiments], **how)


@pytest.mark.parametrize(
    "lie",
    [
        "torch.from_numpy(x.copy()) + 1",
        "torch.from_numpy(x.copy()).double()",
        "torch.from_numpy(x.copy())[:2]",
        "x.copy()",
        "None",
        "1 / 0",
        "__import__('os').abort()",
        "torch.empty_like(torch.from_numpy(x.copy())).fill_(0)",
        "torch.from_numpy(x.copy())[:1].expand(4, 3)",
    ],
)
def test_a_candidate_that_does_not_work_is_never_shown(lab: Laboratory, lie: str) -> None:
    codes = {one.code for one in candidates(reported_row(lab))}
    lying = Counting(lab, dict.fromkeys(codes, lie))
    report = survey([Request(conversions=("from_numpy",), layouts=("reversed",))], lying, "fork", remedies=True)
    assert [(str(row.outcome), row.remedies) for row in report.observations] == [("refused", ())]


def reported_row(lab: Laboratory) -> Any:
    (row,) = reported(lab, conversions=("from_numpy",), layouts=("reversed",)).observations
    return row
