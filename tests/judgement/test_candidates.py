from __future__ import annotations

from typing import Any

import pytest

from tensorbridge_cli.catalog import layouts, registry, states
from tensorbridge_cli.judgement.candidates import FORMS, OTHERWISE, PREPARATIONS, WAYS, candidates
from tensorbridge_cli.records.enums import Direction, Library
from tensorbridge_cli.records.report import Row
from tests.judgement.tools import problem

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
    for step in (step for steps in (*PREPARATIONS.values(), *FORMS.values()) for step in steps):
        assert any(step.applies(one) for one in rows), step
    ways = [step for steps in WAYS.values() for step in steps]
    assert set(WAYS) == set(Direction)
    assert all(any(step.applies(one) for one in rows) for step in ways)
    assert set(OTHERWISE) <= {entry.name for entry in registry.CONVERSIONS}


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
