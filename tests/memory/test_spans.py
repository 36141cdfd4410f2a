import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorbridge_cli.memory.spans import Span, between, canonical, nested

HUGE = Span(1000, (30_000, 30_000), (240_000, 8), 4)
"""Every other column of float32: 3.6 GB of 7.2."""


@st.composite
def spans(draw):
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    strides = tuple(draw(st.integers(-20, 20)) for _ in shape)
    return Span(draw(st.integers(-50, 50)), shape, strides, draw(st.integers(1, 5)))


def every_byte(span):
    starts = {span.pointer} if math.prod(span.shape) else set()
    for n, stride in zip(span.shape, span.strides, strict=True):
        starts = {start + stride * i for start in starts for i in range(n)}
    return {start + byte for start in starts for byte in range(span.itemsize)}


@given(spans(), st.integers(-400, 400), st.integers(0, 400))
def test_bytes_within_bounds_against_a_set_of_addresses(span, start, length):
    reached = len(every_byte(span) & set(range(start, start + length)))
    assert between(span, start, start + length) in (reached, None)


@given(spans())
def test_only_what_is_not_nested_is_not_counted(span):
    counted = between(span, -1000, 1000) is not None
    assert counted == (not span.nbytes or nested(canonical(span)[1]))


@pytest.mark.parametrize(
    ("start", "stop", "count"), [(0, 1000, 0), (1000, 1004, 4), (1004, 1008, 0), (0, 2**60, 3_600_000_000)]
)
def test_the_size_does_not_matter(start, stop, count):
    assert between(HUGE, start, stop) == count


@given(spans(), spans())
def test_what_interleaves_has_no_byte_in_common(one, other):
    assert not one.interleaves(other) or not every_byte(one) & every_byte(other)
    assert one.interleaves(other) == other.interleaves(one)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Span(0, (6,), (8,), 4), Span(4, (6,), (8,), 4), True),
        (Span(0, (6,), (8,), 4), Span(36, (2,), (-8,), 4), True),
        (Span(0, (6, 2), (24, 8), 4), Span(4, (3,), (16,), 4), True),
        (Span(0, (6,), (8,), 4), Span(2, (6,), (8,), 4), False),
        (Span(0, (6,), (8,), 4), Span(16, (6,), (8,), 4), False),
        (Span(0, (), (), 4), Span(4, (), (), 4), False),
    ],
)
def test_two_columns_interleave(one, other, expected):
    assert one.interleaves(other) is expected
