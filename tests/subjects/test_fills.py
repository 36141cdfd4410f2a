import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tensorbridge_cli.catalog import dtypes
from tensorbridge_cli.subjects import fills

INSTALLED = dtypes.installed()
IN_NUMPY = [entry for entry in INSTALLED if entry.numpy is not None]
IN_TORCH = [entry for entry in INSTALLED if entry.torch is not None]
NARROWER = [
    ("float64", "float32"),
    ("float64", "int64"),
    ("float32", "float16"),
    ("float16", "int8"),
    ("complex128", "complex64"),
    ("int64", "int32"),
    ("int64", "float64"),
    ("int32", "int16"),
    ("int32", "float32"),
    ("int16", "int8"),
    ("uint8", "int8"),
    ("int8", "uint8"),
    ("uint16", "int16"),
    ("uint32", "int32"),
    ("uint64", "int64"),
]
SHAPES = st.lists(st.integers(1, 40_000), min_size=0, max_size=6).map(tuple).filter(lambda s: math.prod(s) < 2**62)


def of_numpy(entry, size=12):
    return fills.numpy_values(entry.numpy, np.arange(size), size)


def of_torch(entry, size=12):
    return fills.torch_values(entry.torch, torch.arange(size), size)


@pytest.mark.parametrize("entry", IN_NUMPY, ids=lambda entry: entry.name)
def test_numpy_values_have_the_dtype_and_differ(entry):
    values = of_numpy(entry)
    assert values.dtype == entry.numpy
    assert len({str(value) for value in values.tolist()}) == (2 if entry.name == "bool" else 12)


@pytest.mark.parametrize("entry", IN_TORCH, ids=lambda entry: entry.name)
def test_torch_values_have_the_dtype_and_differ(entry):
    values = of_torch(entry)
    rows = [str(row) for row in values.tolist()]
    few = {"bool": 2, "int1": 2, "uint1": 2, "int2": 3, "uint2": 3, "int3": 7, "uint3": 7}
    assert values.dtype == (entry.torch if fills.has_arithmetic(entry.name) else torch.uint8)
    assert len(set(rows)) == few.get(entry.name, 12)


@pytest.mark.parametrize("entry", [e for e in INSTALLED if len(e.libraries) == 2], ids=lambda e: e.name)
def test_both_libraries_are_filled_alike(entry):
    assert np.array_equal(of_torch(entry).numpy(), of_numpy(entry))


@pytest.mark.parametrize(("wide", "narrow"), NARROWER)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_a_narrower_dtype_cannot_hold_it(wide, narrow):
    values = of_numpy(dtypes.find(wide), 1)
    assert values.astype(narrow).tolist() != values.tolist()


@given(SHAPES)
def test_positions_are_few_distinct_and_inside_with_the_corners(shape):
    places, size = fills.positions(shape), math.prod(shape)
    assert len(places) == len(set(places))
    assert len(places) == size if size <= fills.FULL else 8 <= len(places) <= 16
    assert {places[0], places[-1]} == {0, size - 1}
    assert places == sorted(places)


@given(SHAPES, st.data())
def test_positions_and_indexes_are_numpys(shape, data):
    position = data.draw(st.integers(0, math.prod(shape) - 1))
    index = fills.index_of(position, shape)
    assert index == tuple(np.unravel_index(position, shape)) if shape else index == ()
    assert fills.flat(index, shape) == position


def test_an_empty_shape_has_no_positions():
    assert fills.positions((3, 0)) == []


@pytest.mark.parametrize("entry", INSTALLED, ids=lambda entry: entry.name)
def test_every_dtype_has_a_sentence(entry):
    assert "i" in fills.sentence(entry.name)


@pytest.mark.parametrize("name", ["float32", "int64", "bool", "complex64", "float16"])
def test_the_sentence_is_true(name):
    values = of_numpy(dtypes.find(name))
    claims = {
        "float32": ("i + 1.1, the last 3e+38", [np.float32(1.1), np.float32(2.1), np.float32(3e38)]),
        "int64": ("i + 1, the last 9007199254740993", [1, 2, 2**53 + 1]),
        "bool": ("whether i has an odd number of one bits", [False, True, True]),
        "complex64": (
            "i + 1.1, imaginary part its negative, the last 3e+38",
            [np.complex64(complex(v, -v)) for v in (1.1, 2.1, 3e38)],
        ),
        "float16": ("i + 1.1 (i modulo 2039), the last 60000.0", [np.float16(1.1), np.float16(2.1), np.float16(6e4)]),
    }
    sentence, seen = claims[name]
    assert fills.sentence(name) == sentence
    assert [values[0], values[1], values[-1]] == seen
