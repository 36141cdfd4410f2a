from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tensorbridge_cli.catalog import layouts, registry, states
from tensorbridge_cli.catalog.hazards import BY_NAME as HAZARDS
from tensorbridge_cli.judgement import remedies
from tensorbridge_cli.judgement.remedies import Candidate, answers, candidates, is_problem, remedied, to_fix, wish
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
from tests.render.tools import row

COPY = Candidate(code="torch.from_numpy(x.copy())")
UNSEEN = Writes(source_to_result=Write.NOT_SEEN, result_to_source=Write.NOT_SEEN, via="assignment")
APART = Relation(same_pointer=False, same_storage=False, overlaps=False, overlap_bytes=0)


def problem(*codes: str, **changes: Any) -> Row:
    """A row with these hazards; with none, a refusal."""
    if codes:
        return row(hazards=tuple(Hazard(code=code, detail="") for code in codes), **changes)
    return row(outcome=Outcome.REFUSED, error=Raised(type="TypeError", message=""), **changes)


def tried(**changes: Any) -> Observation:
    """What a copy that works is found to be."""
    found = row(**({"writes": UNSEEN, "relation": APART} | changes))
    return Observation(**{name: getattr(found, name) for name in Observation.__dataclass_fields__})


SHARING = {"writes": row().writes, "relation": row().relation}


def shown(of: Row, *done: Any) -> list[str]:
    """The codes that are shown of those that were tried, each with what was found of it and of its proof."""
    return [remedy.code for remedy in remedied(of, done).remedies]


# Every problem has candidates ------------------------------------------------------------------------


@pytest.mark.parametrize("code", HAZARDS)
def test_every_hazard_is_a_problem_or_has_a_reason_why_not(code: str) -> None:
    once = (Warned(category="UserWarning", message="careful", once=True),)
    within = problem(code, direction=Direction.NUMPY_TO_NUMPY, conversion="np.asarray", warnings=once)
    assert is_problem(within) != (code in remedies.NO_PROBLEM)


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


EVERY_STATE = "+".join(sorted(states.BY_NAME))
EVERY_LAYOUT = "+".join(layouts.BY_NAME)
DTYPES = (
    "float32",
    "bfloat16",
    "float8_e5m2",
    "complex32",
    "datetime64[s]",
    "U8",
    "object",
    "longdouble",
    "clongdouble",
    "bits16",
)
FLOAT8 = ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu")
"""Dtypes that only ml_dtypes gives NumPy."""

ELEMENTS = {name: (name,) for name in ("bool", "int", "float", "complex")}
"""What the elements of an object array may be; here each under the name of a dtype."""


def rich(entry: registry.Conversion, source: Library, dtype: str, state: str = EVERY_STATE) -> Row:
    """A refused row of a subject for which every preparation may help."""
    return problem(
        conversion=entry.name,
        direction=entry.direction(source),
        subject={"library": source, "layout": EVERY_LAYOUT, "state": state, "dtype": dtype, "device": "cuda"},
        source={"requires_grad": True, "elements_overlap": True, "writable": True, "elements": ELEMENTS.get(dtype)},
    )


@pytest.mark.parametrize("entry", registry.CONVERSIONS, ids=lambda entry: entry.name)
def test_every_way_of_every_conversion_has_candidates_that_are_python(entry: registry.Conversion) -> None:
    for source in entry.sources:
        for dtype in DTYPES:
            found = candidates(rich(entry, source, dtype))
            assert found
            codes = [one.code for one in found]
            assert len(set(codes)) == len(codes)
            assert not {"x", entry.code} & set(codes)
            for one in found:
                for code in filter(None, (one.code, one.proof)):
                    assert "{}" not in code
                    compile(code, "<candidate>", "eval")
                compile(one.setup, "<setup>", "exec")


def test_every_part_is_used() -> None:
    """A step that applies to nothing would be a remedy that nobody gets."""
    rows = [
        rich(entry, source, dtype, state)
        for entry in registry.CONVERSIONS
        for source in entry.sources
        for dtype in (*DTYPES, *FLOAT8, *ELEMENTS)
        for state in (EVERY_STATE, "list-of-arrays", "list-of-tensors")
    ]
    for step in (step for steps in (*remedies.PREPARATIONS.values(), *remedies.FORMS.values()) for step in steps):
        assert any(step.applies(one) for one in rows), step
    ways = [step for steps in remedies.WAYS.values() for step in steps]
    assert set(remedies.WAYS) == set(Direction)
    assert all(any(step.applies(one) for one in rows) for step in ways)
    assert set(remedies.OTHERWISE) <= {entry.name for entry in registry.CONVERSIONS}


@pytest.mark.parametrize(
    ("elements", "dtype"),
    [
        (("bool",), "bool"),
        (("int",), "int64"),
        (("bool", "numpy.int8"), "int64"),
        (("float",), "float64"),
        (("bool", "float"), "float64"),
        (("int", "numpy.float32"), "float64"),
        (("complex", "int"), "complex128"),
        (("numpy.uint64",), "int64"),
        (("NoneType", "float"), None),
        (("str",), None),
        (("decimal.Decimal", "int"), None),
        (("numpy.longdouble",), None),
        (("list",), None),
        ((), None),
        (None, None),
    ],
)
def test_an_object_array_is_cast_by_the_types_of_its_elements(elements: Any, dtype: str | None) -> None:
    codes = [one.code for one in candidates(problem(subject={"dtype": "object"}, source={"elements": elements}))]
    assert [code for code in codes if "astype" in code] == (
        [f"torch.from_numpy(x.astype(np.{dtype}))"] if dtype else []
    )


@pytest.mark.parametrize("message", ["Sparse CSR tensor support is in beta state.", "is in prototype stage and"])
def test_a_warning_about_a_kind_of_tensor_is_no_problem(message: str) -> None:
    warned = {"hazards": (Hazard(code="warned-once-only", detail=""),), "outcome": Outcome.SHARED}
    once = Warned(category="UserWarning", message=message, once=True)
    assert not is_problem(row(**warned, warnings=(once,)))
    assert is_problem(row(**warned, warnings=(replace(once, message="The array is not writable"),)))


def test_a_tensor_of_tensors_is_detached_only_where_that_is_meant() -> None:
    within = {"direction": Direction.TORCH_TO_TORCH, "source": {"requires_grad": True}}
    for conversion, meant in (("torch.from_dlpack", False), ("Tensor.data", True), ("torch.tensor", False)):
        codes = [one.code for one in candidates(problem(conversion=conversion, **within))]
        assert any("detach" in code for code in codes) == meant


def test_an_array_that_refuses_writes_is_never_shared_with_a_tensor() -> None:
    refusing = problem(source={"writable": False})
    assert "torch.from_numpy(x)" not in [one.code for one in candidates(refusing)]
    assert "torch.from_numpy(x.copy())" in [one.code for one in candidates(refusing)]


@pytest.mark.parametrize(
    ("code", "prepared"),
    [
        ("x[np.ones(x.shape, dtype=bool)]", "x.copy()[np.ones(x.shape, dtype=bool)]"),
        ("mine({'x': x}, exp=max(x))", "mine({'x': x.copy()}, exp=max(x.copy()))"),
    ],
)
def test_the_source_alone_is_prepared_where_code_names_it(code: str, prepared: str) -> None:
    within = {"conversion": "ndarray[mask]", "direction": Direction.NUMPY_TO_NUMPY}
    assert prepared in [one.code for one in candidates(problem(**within), code)]


def test_a_target_dtype_is_kept() -> None:
    codes = [one.code for one in candidates(problem(to_dtype="int8", conversion="torch.as_tensor"))]
    assert codes
    assert all(code.endswith(".to(torch.int8)") for code in codes)


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


# Which conversion to write ----------------------------------------------------------------------------


def test_an_answer_names_the_best_first() -> None:
    rows = [row(conversion=name) for name in ("torch.from_dlpack", "torch.asarray", "torch.from_numpy")]
    (answer,) = answers(rows, Outcome.SHARED)
    assert [remedy.code for remedy in answer.write] == [
        "torch.from_numpy(x)",
        "torch.asarray(x)",
        "torch.from_dlpack(x)",
    ]
    assert (answer.why, answer.nearest) == (None, ())


def test_where_there_is_none_it_says_why_and_what_is_nearest() -> None:
    refused = replace(problem(), remedies=(Remedy(code="c", outcome=Outcome.COPIED, copied_bytes=48),))
    unsafe = problem("readonly-dropped", conversion="torch.as_tensor")
    (answer,) = answers([refused, unsafe], Outcome.SHARED)
    assert answer.write == ()
    assert [remedy.code for remedy in answer.nearest] == ["c"]
    assert answer.why == (
        "1 refused (torch.from_numpy: TypeError: ); 1 shared, but with hazards (torch.as_tensor: readonly-dropped)"
    )


def test_an_answer_is_about_the_border_unless_a_direction_is_asked_for() -> None:
    within = row(conversion="Tensor.detach", direction=Direction.TORCH_TO_TORCH, subject={"library": Library.TORCH})
    assert answers([within], Outcome.SHARED) == ()
    (answer,) = answers([within], Outcome.SHARED, Direction.TORCH_TO_TORCH)
    assert [remedy.code for remedy in answer.write] == ["x.detach()"]


@pytest.mark.parametrize(
    "unfit",
    [
        {"conversion": "torch.Tensor"},  # it is there to change the dtype
        {"conversion": "torch.from_file(shared=False)", "outcome": Outcome.SHARED},  # needs a function of one's own
        {"conversion": "torch.as_tensor", "values": Values.CHANGED},
        {"conversion": "torch.as_tensor", "warnings": (Warned(category="UserWarning", message="careful"),)},
    ],
    ids=str,
)
def test_what_is_no_answer(unfit: dict[str, Any]) -> None:
    (answer,) = answers([row(), row(**unfit)], Outcome.SHARED)
    assert [remedy.code for remedy in answer.write] == ["torch.from_numpy(x)"]


@pytest.mark.parametrize(
    ("name", "library"),
    [("numpy.ndarray", "numpy"), ("pyarrow.Array", "arrow"), ("PIL.Image.Image", "pillow"), ("jax.Array", "jax")],
)
def test_a_type_is_its_librarys_by_the_package_that_has_it(name: str, library: str) -> None:
    assert remedies._of_library(name, Library(library))
    assert not remedies._of_library(name, Library.TORCH)
