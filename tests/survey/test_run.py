from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from tensorbridge_cli.errors import RequestError, UnavailableError
from tensorbridge_cli.judgement.contract import expectation
from tensorbridge_cli.judgement.judge import judge
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.lab.experiment import Experiment, Given
from tensorbridge_cli.records.enums import Direction, Origin
from tensorbridge_cli.records.report import Observation, Report, Row, summarise
from tensorbridge_cli.render.report.sections import notes_on
from tensorbridge_cli.survey import memory_budget
from tensorbridge_cli.survey.judged import documentation
from tensorbridge_cli.survey.plan import plan
from tensorbridge_cli.survey.request import Request
from tensorbridge_cli.survey.run import survey
from tests.tools import found, started

CLASSIC = ["Tensor.numpy", "torch.from_numpy", "torch.as_tensor", "torch.tensor"]


def asked(lab: Laboratory, **request: Any) -> list[tuple[str, str]]:
    """The experiments of a request, as the conversion and where it comes from."""
    made = plan([Request(**request)], lab, lab.hello())
    return [(one.conversion, str(one.subject.library)) for one in made.experiments]


def reported(lab: Laboratory, *, snapshots: bool = True, **request: Any) -> Report:
    return survey([Request(**request)], lab, "fork", snapshots=snapshots)


def expression(text: str) -> Given:
    return Given(origin=Origin.EXPRESSION, text=text)


# Which experiments a request means -----------------------------------------------------------------

FROM_NUMPY = [(name, "numpy") for name in CLASSIC[1:]]
FROM_TORCH = [(name, "torch") for name in (CLASSIC[0], *CLASSIC[2:])]


@pytest.mark.parametrize(
    ("request_", "experiments"),
    [
        ({}, [("Tensor.numpy", "torch"), *FROM_NUMPY]),
        ({"states": ("read-only",)}, FROM_NUMPY),
        ({"states": ("requires-grad",)}, FROM_TORCH),
        ({"dtypes": ("bfloat16",)}, FROM_TORCH),
        ({"dtypes": ("datetime64[ns]",)}, FROM_NUMPY),
        ({"states": ("list",)}, [("torch.as_tensor", "python"), ("torch.tensor", "python")]),
        ({"direction": Direction.TORCH_TO_NUMPY}, [("Tensor.numpy", "torch")]),
        ({"direction": Direction.TORCH_TO_TORCH}, [("torch.as_tensor", "torch"), ("torch.tensor", "torch")]),
        ({"conversions": ("from_numpy", "NUMPY")}, [("torch.from_numpy", "numpy"), ("Tensor.numpy", "torch")]),
        (
            {"conversions": ("tensor",), "states": ("conjugate-bit",), "dtypes": ("complex64",)},
            [("torch.tensor", "torch")],
        ),
        ({"conversions": ("tensor",), "direction": Direction.TORCH_TO_TORCH}, [("torch.tensor", "torch")]),
        ({"given": expression("np.ones(3)")}, FROM_NUMPY),
        ({"given": expression("torch.ones(3)")}, FROM_TORCH),
        ({"given": expression("[1, 2]")}, [("torch.as_tensor", "python"), ("torch.tensor", "python")]),
        ({"to_dtype": "float64"}, [("torch.as_tensor", "numpy"), ("torch.tensor", "numpy")]),
    ],
)
def test_the_conversions_that_fit(
    lab: Laboratory, request_: dict[str, Any], experiments: list[tuple[str, str]]
) -> None:
    assert asked(lab, **request_) == experiments


def test_all_takes_each_way_once(lab: Laboratory) -> None:
    found = asked(lab, every=True)
    assert len(found) == len(set(found))
    assert {("torch.as_tensor", "numpy"), ("torch.as_tensor", "torch"), ("Tensor.clone", "torch")} < set(found)
    assert {library for _, library in found} == {"numpy", "torch"}


def test_subjects_are_each_with_each_and_none_twice(lab: Laboratory) -> None:
    request = Request(
        conversions=("from_numpy",),
        shapes=((2,), (3,)),
        dtypes=("f4", "float32", ">f4", "int8"),
        layouts=("contiguous", "non-contiguous"),
        states=("plain", "read-only"),
    )
    made = plan([request], lab, lab.hello())
    found = [(e.subject.shape, e.subject.dtype, e.subject.layout, e.subject.state) for e in made.experiments]
    swapped = [("float32", "byte-swapped"), ("float32", "byte-swapped+non-contiguous")]
    native = [(dtype, layout) for dtype in ("float32", "int8") for layout in ("contiguous", "non-contiguous")]
    assert len(found) == len(set(found))
    assert set(found) == {
        (shape, dtype, layout, state)
        for shape in ((2,), (3,))
        for dtype, layout in (*native, *swapped)
        for state in ("plain", "read-only")
    }


@pytest.mark.skipif(not find_spec("pyarrow"), reason="pyarrow is not installed")
def test_beside_an_array_an_object_of_another_library_has_the_names_of_that_library(lab: Laboratory) -> None:
    request = Request(conversions=("pa.array", "pa.Array.to_numpy"), shapes=((4,),), dtypes=("float16", "complex64"))
    report = survey([request], lab, "fork")
    found = {(row.subject.library, row.subject.dtype, row.subject.state) for row in report.observations}
    assert found == {
        ("numpy", "float16", "plain"),
        ("numpy", "complex64", "plain"),
        ("arrow", "halffloat", "read-only"),
    }
    (case,) = report.not_applicable
    assert case.conversion == "pa.Array.to_numpy"
    assert "a generated object of arrow has no dtype 'complex64'" in case.reason


def test_small_objects_are_recorded_in_full_only_on_request(lab: Laboratory) -> None:
    rows, others = (reported(lab, snapshots=wanted).observations for wanted in (True, False))
    assert all(len(row.evidence.snapshots) == 3 for row in rows)
    assert not any(row.evidence.snapshots for row in others)
    assert list(map(_outcome, rows)) == list(map(_outcome, others))


def _outcome(row: Row) -> tuple[object, ...]:
    return row.conversion, row.outcome, row.values, row.writes, row.hazards, row.contract


@pytest.mark.skipif(not find_spec("pandas"), reason="pandas is not installed")
def test_a_direction_means_all_conversions_of_another_library(lab: Laboratory) -> None:
    found = asked(lab, direction=Direction.NUMPY_TO_PANDAS, shapes=((4,),))
    assert found == [("pd.Series", "numpy"), ("pd.Series(copy=False)", "numpy")]


@pytest.mark.parametrize(
    ("direction", "way_on"),
    [
        (Direction.PYTHON_TO_TORCH, "--state list"),
        (Direction.BUFFER_TO_NUMPY, "--expr 'bytearray(8)'"),
        (Direction.OTHER_TO_TORCH, "an object with DLPack"),
    ],
)
def test_a_direction_from_what_is_not_generated_is_answered_with_the_way_on(
    lab: Laboratory, direction: Direction, way_on: str
) -> None:
    with pytest.raises(RequestError, match=re.escape(way_on)):
        asked(lab, direction=direction)


def test_the_same_request_means_the_same_in_the_same_order(lab: Laboratory) -> None:
    request: dict[str, Any] = {"every": True, "layouts": ("all",), "states": ("all",)}
    assert asked(lab, **request) == asked(lab, **request)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"conversions": ("Tensor.numpy",), "states": ("read-only",)}, "it accepts a tensor; this is a NumPy array"),
        (
            {"conversions": ("from_numpy",), "given": expression("[1]")},
            "it accepts a NumPy array; this is a Python list",
        ),
        (
            {"conversions": ("torch.from_dlpack",), "given": expression("[1]")},
            "it accepts a NumPy array, a tensor, an Arrow object, a JAX array or an object of another library; this is",
        ),
        ({"conversions": ("from_numpy",), "direction": Direction.TORCH_TO_NUMPY}, "its direction is numpy-to-torch"),
        ({"to_dtype": "float64", "states": ("read-only",)}, "it does not accept a target dtype"),
        ({"conversions": ("torch.tensor",), "to_dtype": "datetime64[s]"}, "PyTorch has no datetime64[s]"),
        ({"conversions": ("from_numpy",), "shapes": ((),), "layouts": ("transposed",)}, "needs 2 dimensions"),
    ],
)
def test_what_was_not_tried_has_its_reason(lab: Laboratory, request_: dict[str, Any], reason: str) -> None:
    cases = reported(lab, **request_).not_applicable
    assert any(reason in case.reason for case in cases)


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        ({"conversions": ("from_nmupy",)}, RequestError, "from_numpy"),
        ({"conversions": ("asarray",)}, RequestError, "ambiguous"),
        ({"dtypes": ("float33",)}, RequestError, "float32"),
        ({"conversions": ("from_numpy",), "to_dtype": "float64"}, RequestError, "does not accept a target dtype"),
        ({"direction": Direction.NUMPY_TO_NUMPY}, RequestError, "no conversion of direction numpy-to-numpy"),
        ({"device": "cuda:7"}, UnavailableError, "available: cpu, meta"),
        ({"given": expression("1 / 0")}, RequestError, "ZeroDivisionError"),
    ],
)
def test_a_request_that_makes_no_sense(
    lab: Laboratory, request_: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        reported(lab, **request_)


def test_a_name_is_looked_at_before_anything_is_started() -> None:
    with pytest.raises(RequestError, match="from_numpy"):
        Request(conversions=("from_nmupy",)).check_names()
    Request(conversions=("asarray",)).check_names()  # the subject may settle it


# The report ----------------------------------------------------------------------------------------


def test_a_report_holds_a_row_for_everything(lab: Laboratory) -> None:
    request = Request(every=True, layouts=("contiguous", "byte-swapped"), states=("plain", "requires-grad", "list"))
    told: list[tuple[int, int]] = []
    report = survey([request], lab, "fork", lambda done, total: told.append((done, total)))
    made = plan([request], lab, lab.hello())
    assert len(report.observations) + len(report.not_applicable) == len(made.experiments) + len(made.not_applicable)
    assert told == [(done, len(made.experiments)) for done in range(len(made.experiments) + 1)]
    assert report.summary == summarise(report.observations, report.not_applicable)
    wanted = iter((one.conversion, one.subject) for one in made.experiments)
    assert all((row.conversion, row.subject) in wanted for row in report.observations)  # in this order
    assert (report.environment.isolation, report.environment.torch) == ("fork", lab.hello().torch)


def test_a_given_object_is_described_as_it_is_found(lab: Laboratory) -> None:
    report = reported(lab, given=expression("np.arange(24.).reshape(4, 6)[:, ::-1]"), conversions=("torch.tensor",))
    (row,) = report.observations
    assert (row.subject.layout, row.subject.dtype, row.subject.shape) == ("reversed", "float64", (4, 6))
    assert row.subject.given == "np.arange(24.).reshape(4, 6)[:, ::-1]"


def test_the_classic_four_keep_what_is_documented(lab: Laboratory) -> None:
    rows = reported(lab).observations
    assert [(row.conversion, str(row.outcome), str(row.contract.verdict)) for row in rows] == [
        ("Tensor.numpy", "shared", "kept"),
        ("torch.from_numpy", "shared", "kept"),
        ("torch.as_tensor", "shared", "kept"),
        ("torch.tensor", "copied", "kept"),
    ]


# A breach is confirmed -----------------------------------------------------------------------------


class Fickle:
    """A laboratory in which ``torch.tensor`` shares at first, and as often as it is told to in fresh interpreters."""

    def __init__(self, lab: Laboratory, again: bool) -> None:
        self._lab, self._again = lab, again
        self.confirmed: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lab, name)

    def run(self, experiments: Sequence[Experiment], **how: Any) -> Iterator[Any]:
        return self._lab.run([replace(one, code="torch.as_tensor(x)") for one in experiments], **how)

    def again(self, experiments: Sequence[Experiment]) -> Iterator[Any]:
        self.confirmed += [one.conversion for one in experiments]
        return self.run(experiments) if self._again else self._lab.run(experiments)


@pytest.mark.parametrize(("again", "verdict"), [(True, "broken"), (False, "untested")])
def test_a_breach_counts_where_it_repeats_in_a_fresh_interpreter(lab: Laboratory, again: bool, verdict: str) -> None:
    fickle = Fickle(lab, again)
    report = survey([Request(conversions=("from_numpy", "torch.tensor"))], fickle, "fork")
    assert [str(row.contract.verdict) for row in report.observations] == ["kept", verdict]
    assert report.summary.broken == again
    assert fickle.confirmed == ["torch.tensor"]


# What fits in memory -------------------------------------------------------------------------------

MB = 1_000_000


@pytest.mark.parametrize(
    ("request_", "available", "message"),
    [
        ({"conversions": ("from_numpy",)}, 399 * MB, "needs 400.0 MB for the source; 399.0 MB are available"),
        ({"conversions": ("from_numpy",)}, 400 * MB, None),
        (
            {"conversions": ("torch.tensor",)},
            799 * MB,
            "400.0 MB for the source and 400.0 MB for the copy, 800.0 MB in total; 799.0 MB are available",
        ),
        ({"conversions": ("from_numpy",), "layouts": ("non-contiguous",)}, 799 * MB, "needs 800.0 MB for the source"),
        ({"conversions": ("from_numpy",), "layouts": ("broadcast",)}, 1 * MB, None),
        ({"conversions": ("torch.tensor",), "layouts": ("broadcast",)}, 399 * MB, "400.0 MB for the copy"),
        ({"conversions": ("from_numpy",), "force": True}, 0, None),
    ],
)
def test_what_cannot_fit_is_refused_with_the_sum(
    lab: Laboratory,
    monkeypatch: pytest.MonkeyPatch,
    request_: dict[str, Any],
    available: int,
    message: str | None,
) -> None:
    monkeypatch.setattr(memory_budget, "available", lambda: available)
    if message is None:
        (row,) = reported(lab, shapes=((10_000, 10_000),), **request_).observations
        assert (row.outcome, row.values) == ("shared", "sampled-equal")
        return
    with pytest.raises(UnavailableError, match=message):
        reported(lab, shapes=((10_000, 10_000),), **request_)


@pytest.mark.parametrize(
    ("expression", "conversion", "available", "message"),
    [
        ("np.zeros((10_000, 10_000), 'f4')", "from_numpy", 399 * MB, "400.0 MB for the source; 399.0 MB are available"),
        ("np.zeros((10_000, 10_000), 'f4')", "from_numpy", 400 * MB, None),
        ("np.zeros((10_000, 10_000), 'f4')", "torch.tensor", 799 * MB, "800.0 MB in total; 799.0 MB are available"),
        ("torch.zeros(10_000, 10_000)", "Tensor.clone", 799 * MB, "800.0 MB in total; 799.0 MB are available"),
        ("np.zeros(50_000_000, 'f4,i4')", "np.copy", 799 * MB, "800.0 MB in total; 799.0 MB are available"),
        ("np.zeros(10_000_000, 'U10')", "np.asarray", 399 * MB, "400.0 MB for the source"),
        ("[torch.zeros(50_000_000)] * 2", "torch.stack", 799 * MB, "800.0 MB in total; 799.0 MB are available"),
        ("torch.eye(9).expand(10_000_000, 9, 9)", "Tensor.clone", 6 * 1000 * MB, "3.2 GB for the source"),
    ],
)
def test_an_object_of_ones_own_is_summed_too(
    lab: Laboratory,
    monkeypatch: pytest.MonkeyPatch,
    expression: str,
    conversion: str,
    available: int,
    message: str | None,
) -> None:
    given = Given(origin=Origin.EXPRESSION, text=expression)
    monkeypatch.setattr(memory_budget, "available", lambda: available)
    if message is None:
        (row,) = reported(lab, given=given, conversions=(conversion,)).observations
        assert (row.outcome, row.source and row.source.nbytes) == ("shared", 400 * MB)
        return
    with pytest.raises(UnavailableError, match=message) as caught:
        reported(lab, given=given, conversions=(conversion,))
    assert "--shape" not in str(caught.value)


@pytest.mark.parametrize(("device", "refused"), [("cpu", True), ("cuda:0", False), ("mps", False)])
def test_memory_on_an_accelerator_is_not_held_against_the_hosts(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch, device: str, refused: bool
) -> None:
    monkeypatch.setattr(memory_budget, "available", lambda: 0)
    large = plan([Request(conversions=("Tensor.clone",), shapes=((10_000, 10_000),))], lab, lab.hello())
    moved = [replace(one, subject=replace(one.subject, device=device)) for one in large.experiments]
    with pytest.raises(UnavailableError) if refused else nullcontext():
        memory_budget.require_memory(replace(large, experiments=moved), lab, documentation(lab.hello()))


def test_a_refusal_leaves_the_laboratory_as_it_was() -> None:
    with started() as lab:
        with pytest.raises(UnavailableError, match="are available"):
            reported(lab, shapes=((99_999_999, 99_999_999),))  # the first of four conversions
        assert [row.conversion for row in reported(lab).observations] == CLASSIC


# Everything that the catalogue has -----------------------------------------------------------------


KNOWN = {
    # it takes no copy=
    "no-copy-keyword": lambda row, about, seen: (
        row.conversion == "Tensor.__array__(copy=False)" and (about, seen) == ("outcome", "refused")
    ),
    "negative-strides-abort": lambda row, about, seen: (
        row.conversion.startswith("torch.from_dlpack")
        and "reversed" in row.subject.layout
        and (about, seen) == ("outcome", "crashed")
    ),
    "negation-is-lost": lambda row, about, seen: (
        "from_dlpack" in row.conversion
        and row.subject.state == "negative-bit"
        and (about, seen) == ("values", "changed")
    ),
    "scalar-is-copied": lambda row, about, seen: (
        row.conversion.startswith("torch.asarray") and not row.subject.shape and (about, seen) == ("outcome", "copied")
    ),
}
"""Where torch does otherwise than its page says."""


def breaches(row: Observation) -> list[str]:
    """What ``row`` breaks, by the name of what is known of it; else the clause itself."""
    judged = judge(row, expectation(row.conversion, row.subject, row.to_dtype))
    return [
        next((name for name, holds in KNOWN.items() if holds(row, clause.about, clause.observed)), str((row, clause)))
        for clause in judged.contract.clauses
        if clause.verdict == "broken"
    ]


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [("float32", (4, 3)), ("bool", (4, 3)), ("U8", (4, 3)), ("bfloat16", (4, 3))]
    + [("float32", shape) for shape in ((), (1,), (0, 3), (70, 60))],
)
def test_no_probe_breaks_and_no_page_is_said_to_lie_that_does_not(
    lab: Laboratory, dtype: str, shape: tuple[int, ...]
) -> None:
    request = Request(every=True, layouts=("all",), states=("all",), dtypes=(dtype,), shapes=(shape,))
    for row in found(lab, plan([request], lab, lab.hello()).experiments[::31]):
        if isinstance(row, Observation):
            died = row.crash is not None and row.crash.stage in ("build", "observe")
            assert not died or row.subject.state == "fake", row  # one that leads to address 0 is read there
            assert set(breaches(row)) <= set(KNOWN)


def test_what_is_known_to_be_broken_is_all_of_it(lab: Laboratory) -> None:
    subjects = ({}, {"layouts": ("reversed",)}, {"states": ("negative-bit",)}, {"shapes": ((),)})
    requests = [Request(every=True, **subject) for subject in subjects]
    rows = found(lab, plan(requests, lab, lab.hello()).experiments)
    assert {breach for row in rows if isinstance(row, Observation) for breach in breaches(row)} == set(KNOWN)


@pytest.mark.parametrize("shape", [(4, 3), (1,), (70, 60)])
def test_bytes_beyond_the_source_and_within_its_values_are_shared_all_the_same(
    lab: Laboratory, shape: tuple[int, ...]
) -> None:
    views = (
        "Tensor.untyped_storage().numpy()",
        "Tensor.view(torch.uint8).numpy()",
        "Tensor.view(torch.uint16).numpy()",
    )
    dense = ("plain", "inference", "shared-memory", "requires-grad", "negative-bit", "lazy-clone", "parameter")
    each = Request(conversions=views, dtypes=("all",), states=dense, shapes=(shape,))
    laid = Request(conversions=views, dtypes=("bool", "float32", "complex64"), layouts=("all",), shapes=(shape,))
    ends = set()
    for row in found(lab, plan([each, laid], lab, lab.hello()).experiments):
        if isinstance(row, Observation) and not (row.crash and row.crash.stage == "build"):  # quantized, and negated
            judged = judge(row, expectation(row.conversion, row.subject, row.to_dtype))
            ends.add(str(judged.outcome))
            assert "evidence-conflicts" not in {str(hazard.code) for hazard in judged.hazards}, row
    assert ends == {"shared", "refused"}


def test_what_the_installed_docstring_does_not_say_accuses_and_praises_nobody() -> None:
    """Two docstrings lose their sentences before anything is asked: one of a promise kept, one of a promise broken."""
    setup = "import numpy as np\nnp.copy.__doc__ = 'Return something.'\nnp.ravel.__doc__ = None"
    with started(setup=setup) as lab:
        rows = survey([Request(conversions=("np.copy", "ndarray.ravel", "ndarray.flatten"))], lab, "fork").observations
    copy, ravel, flatten = (row.contract for row in rows)
    for contract in (copy, ravel):
        assert (contract.verdict, contract.expected, contract.citation) == ("undocumented", None, None)
        assert {clause.reason for clause in contract.clauses} == {f"not on the page of numpy {np.__version__}"}
        assert all(clause.sentence for clause in contract.clauses)
    assert (flatten.verdict, flatten.expected) == ("kept", "copied")


@pytest.mark.parametrize("conversion", ["torch.from_numpy", "torch.as_tensor"])
def test_a_page_that_calls_a_write_undefined_stands_beside_the_crash_that_came_of_it(
    lab: Laboratory, conversion: str
) -> None:
    request = Request(conversions=(conversion,), states=("memory-mapped+read-only", "read-only"), dtypes=("int64",))
    mapped, plain = survey([request], lab, "fork").observations
    for row, came in ((mapped, "crashed (SIGSEGV)"), (plain, "seen")):
        clause = next(clause for clause in row.contract.clauses if clause.verdict == "undefined")
        assert (clause.about, clause.expected, clause.observed) == ("write to the result", "undefined", came)
        assert "undefined behavior" in clause.sentence
        assert row.contract.verdict == "kept"
        notes = [note for note in notes_on(row) if note.lead == "documented as undefined"]
        assert [came in note.text for note in notes] == [True]
