import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorbridge_cli.catalog import layouts
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.enums import Library
from tensorbridge_cli.subjects.generate import lay_out

SHAPES = st.lists(st.integers(1, 4), min_size=0, max_size=6).map(tuple)


def build(name, shape, dtype="f4"):
    recipe = layouts.recipe(name, Library.NUMPY)
    return lay_out(recipe, shape, np.dtype(dtype), lambda shape, dtype: np.zeros(shape, dtype, recipe.order), np=np)


def word(view, base):
    record = isinstance(view.base, np.ndarray) and view.base.dtype.names is not None
    offset = view.__array_interface__["data"][0] > np.lib.array_utils.byte_bounds(base)[0]
    return layouts.word_for(
        view.shape, view.strides, view.itemsize, record=record, owns=view.base is None, offset=offset
    )


def test_no_layout_is_listed_twice():
    assert len(layouts.BY_NAME) == len(layouts.LAYOUTS)


@given(st.sampled_from(layouts.LAYOUTS), SHAPES)
def test_a_recipe_gives_the_shape_or_a_reason(layout, shape):
    try:
        base, view = build(layout.name, shape)
    except layouts.CannotBuildError as error:
        reason = str(error)
        assert "shape" in reason or "dimension" in reason
    else:
        assert view.shape == shape
        assert np.shares_memory(base, view)


@pytest.mark.parametrize(
    ("name", "shape", "strides"),
    [
        ("contiguous", (4, 3), (12, 4)),
        ("fortran", (4, 3), (4, 16)),
        ("transposed", (2, 4, 3), (48, 4, 16)),
        ("non-contiguous", (4, 3), (24, 8)),
        ("offset", (4, 3), (12, 4)),
        ("reversed", (4, 3), (-12, 4)),
        ("broadcast", (4, 3), (0, 4)),
        ("overlapping", (4, 3), (4, 4)),
        ("field-of-structured", (4, 3), (24, 8)),
        ("channels-last", (2, 3, 4, 5), (240, 4, 60, 12)),
    ],
)
def test_how_the_elements_lie(name, shape, strides):
    base, view = build(name, shape)
    assert view.strides == strides
    assert word(view, base) == name


def test_unaligned_and_byte_swapped():
    assert not build("unaligned", (4, 3))[1].flags.aligned
    assert not build("byte-swapped", (4, 3))[1].dtype.isnative


@pytest.mark.parametrize(("name", "dtype"), [("unaligned", "i1"), ("unaligned", "O"), ("byte-swapped", "?")])
def test_what_a_dtype_cannot_be(name, dtype):
    with pytest.raises(layouts.CannotBuildError):
        build(name, (4, 3), dtype)


@pytest.mark.parametrize("name", ["reversed", "byte-swapped", "field-of-structured"])
def test_what_torch_has_not(name):
    with pytest.raises(layouts.CannotBuildError, match="PyTorch"):
        layouts.recipe(name, Library.TORCH)


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("reversed", "reversed"),
        ("reversed+byte-swapped", "byte-swapped+reversed"),
        ("contiguous+byte-swapped", "byte-swapped"),
    ],
)
def test_spellings(text, spelled):
    assert layouts.parse(text) == spelled


@pytest.mark.parametrize("text", ["negativ", "reversed+non-contiguous", "reversed+non-contiguous+byte-swapped"])
def test_what_is_refused(text):
    with pytest.raises(RequestError):
        layouts.parse(text)


@given(st.sampled_from(list(layouts.LAYOUTS)), st.tuples(st.integers(2, 30), st.integers(2, 30)))
def test_the_memory_sum_covers_what_is_allocated(layout, shape):
    try:
        base, view = build(layout.name, shape)
    except layouts.CannotBuildError:
        return
    low, high = np.lib.array_utils.byte_bounds(base)
    assert layout.allocates(shape) * view.size * view.itemsize >= (high - low) - view.itemsize - 1
