from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tensorbridge_cli.catalog.hazards import BY_NAME as HAZARDS
from tensorbridge_cli.judgement.candidates import Candidate
from tensorbridge_cli.judgement.remedies import NO_PROBLEM, is_of_library, is_problem, remedied, to_fix, wish
from tensorbridge_cli.records.enums import Direction, Library, Outcome, Stage, Values, Write
from tensorbridge_cli.records.report import (
    Crash,
    Hazard,
    Observation,
    Raised,
    Relation,
    Remedy,
    Row,
    Warned,
    Writes,
    cost,
)
from tests.judgement.tools import problem
from tests.render.tools import row

COPY = Candidate(code="torch.from_numpy(x.copy())")
UNSEEN = Writes(source_to_result=Write.NOT_SEEN, result_to_source=Write.NOT_SEEN, via="assignment")
APART = Relation(same_pointer=False, same_storage=False, overlaps=False, overlap_bytes=0)


def tried(**changes: Any) -> Observation:
    """What a copy that works is found to be."""
    found = row(**({"writes": UNSEEN, "relation": APART} | changes))
    return Observation(**{name: getattr(found, name) for name in Observation.__dataclass_fields__})


SHARING = {"writes": row().writes, "relation": row().relation}


def shown(of: Row, *done: Any) -> list[str]:
    """The codes that are shown of those that were tried, each with what was found of it and of its proof."""
    return [remedy.code for remedy in remedied(of, done).remedies]


# What is a problem ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", HAZARDS)
def test_every_hazard_is_a_problem_or_has_a_reason_why_not(code: str) -> None:
    once = (Warned(category="UserWarning", message="careful", once=True),)
    within = problem(code, direction=Direction.NUMPY_TO_NUMPY, conversion="np.asarray", warnings=once)
    assert is_problem(within) != (code in NO_PROBLEM)


def test_what_ended_is_a_problem_and_what_went_well_is_none() -> None:
    ended = {Outcome.REFUSED, Outcome.CRASHED, Outcome.TIMED_OUT}
    assert {outcome for outcome in Outcome if is_problem(row(outcome=outcome, hazards=()))} == ended


@pytest.mark.parametrize(
    ("code", "direction", "conversion"),
    [
        ("grad-lost", Direction.TORCH_TO_NUMPY, "Tensor.detach().numpy()"),  # no array carries it
        ("grad-lost", Direction.TORCH_TO_TORCH, "Tensor.detach"),  # what it is for
        ("subclass-lost", Direction.NUMPY_TO_TORCH, "torch.from_numpy"),
    ],
)
def test_what_nothing_can_keep_is_no_problem(code: str, direction: Direction, conversion: str) -> None:
    assert to_fix(problem(code, direction=direction, conversion=conversion)) == set()
    assert to_fix(problem("grad-lost", direction=Direction.TORCH_TO_TORCH)) == {"grad-lost"}


@pytest.mark.parametrize("message", ["Sparse CSR tensor support is in beta state.", "is in prototype stage and"])
def test_a_warning_about_a_kind_of_tensor_is_no_problem(message: str) -> None:
    warned = {"hazards": (Hazard(code="warned-once-only", detail=""),), "outcome": Outcome.SHARED}
    once = Warned(category="UserWarning", message=message, once=True)
    assert not is_problem(row(**warned, warnings=(once,)))
    assert is_problem(row(**warned, warnings=(replace(once, message="The array is not writable"),)))


# What counts as one ----------------------------------------------------------------------------------


def test_what_worked_is_shown_with_its_cost() -> None:
    found = remedied(problem(), [(COPY, tried(), None)])
    assert found.remedy == "torch.from_numpy(x.copy())  (copies 48 bytes)"
    assert found.remedies == (Remedy(code=COPY.code, outcome=Outcome.COPIED, copied_bytes=48),)


@pytest.mark.parametrize(
    "lie",
    [
        {"error": Raised(type="TypeError", message="no"), "result": None},
        {"values": Values.CHANGED},
        {"values": Values.UNKNOWN},
        {"result": {"type": "numpy.ndarray"}},
        {"result": {"elements_overlap": True}},
        {"result": {"dtype": "float64"}},
        {"source": {"requires_grad": True}, "result": {"requires_grad": False}, "direction": Direction.NUMPY_TO_TORCH},
        {"source": {"writable": False}, **SHARING},
        {"warnings": (Warned(category="UserWarning", message="careful"),)},
        {"crash": Crash(stage=Stage.WRITE_RESULT, signal="SIGSEGV", exit_code=None, stderr="", confirmed=True)},
        {"crash": Crash(stage=Stage.CONVERT, signal="SIGABRT", exit_code=None, stderr="", confirmed=True)},
    ],
    ids=str,
)
def test_what_did_not_work_is_never_shown(lie: dict[str, Any]) -> None:
    lying = tried(**lie)
    if "requires_grad" in lie.get("source", {}):  # within a library: over the border no array carries it
        lying = replace(lying, direction=Direction.TORCH_TO_TORCH)
        assert shown(problem("grad-lost", direction=Direction.TORCH_TO_TORCH), (COPY, lying, None)) == []
        return
    assert shown(problem(), (COPY, lying, None)) == []
    found = remedied(problem(), [(COPY, lying, None)])
    assert (found.remedy, found.remedies) == (None, ())


def test_a_proof_must_give_the_values_back() -> None:
    bits = Candidate(
        code="x.view('i8')", proof="x.view('i8').view(x.dtype)", changes=("dtype", "values"), effects=("bits",)
    )
    changed = tried(values=Values.CHANGED)
    assert shown(problem(), (bits, changed, tried())) == ["x.view('i8')"]
    assert shown(problem(), (bits, changed, changed)) == []
    assert shown(problem(), (bits, changed, None)) == []


def test_the_cheapest_comes_first_and_other_values_last() -> None:
    share, copy = tried(**SHARING), tried()
    bits = Candidate(code="bits", proof="back", changes=("values",), effects=("integers",))
    done = [(bits, replace(share, values=Values.CHANGED), share), (COPY, copy, None)]
    assert shown(problem(), *done, (Candidate(code="s"), share, None)) == ["s", COPY.code, "bits"]
    assert shown(problem(), *done) == [COPY.code, "bits"]


def test_of_the_same_cost_the_first_is_enough() -> None:
    assert shown(problem(), (COPY, tried(), None), (Candidate(code="other"), tried(), None)) == [COPY.code]


@pytest.mark.parametrize(
    ("conversion", "library", "wished"),
    [
        ("torch.tensor", Library.NUMPY, Outcome.COPIED),
        ("np.asarray(copy=True)", Library.TORCH, Outcome.COPIED),
        ("np.asarray(copy=False)", Library.TORCH, Outcome.SHARED),
        ("Tensor.clone", Library.TORCH, Outcome.COPIED),
        ("torch.from_numpy", Library.NUMPY, None),
        ("torch.as_tensor", Library.NUMPY, None),
    ],
)
def test_who_calls_for_a_copy_gets_one(conversion: str, library: Library, wished: Outcome | None) -> None:
    assert wish(conversion, library) is wished
    done = [(Candidate(code="s"), tried(**SHARING), None), (COPY, tried(), None)]
    found = shown(problem(conversion=conversion, direction=Direction(f"{library}-to-torch")), *done)
    assert found == ([COPY.code] if wished is Outcome.COPIED else ["s", COPY.code])


@pytest.mark.parametrize(
    ("remedy", "text"),
    [
        (Remedy(code="", outcome=Outcome.SHARED, copied_bytes=0), "shares"),
        (Remedy(code="", outcome=Outcome.COPIED, copied_bytes=1), "copies 1 byte"),
        (Remedy(code="", outcome=Outcome.COPIED, copied_bytes=4800, caveat="as int8"), "copies 4,800 bytes; as int8"),
        (Remedy(code="", outcome=Outcome.COPIED, copied_bytes=None), "copies"),
        (Remedy(code="", outcome=Outcome.UNDECIDABLE, copied_bytes=None), "nothing to copy"),
    ],
)
def test_what_it_costs_in_words(remedy: Remedy, text: str) -> None:
    assert cost(remedy) == text


@pytest.mark.parametrize(
    ("name", "library"),
    [("numpy.ndarray", "numpy"), ("pyarrow.Array", "arrow"), ("PIL.Image.Image", "pillow"), ("jax.Array", "jax")],
)
def test_a_type_is_its_librarys_by_the_package_that_has_it(name: str, library: str) -> None:
    assert is_of_library(name, Library(library))
    assert not is_of_library(name, Library.TORCH)
