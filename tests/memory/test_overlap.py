from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import lcm
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from tensorbridge_cli.memory import overlap as memory
from tensorbridge_cli.memory.overlap import bytes_in_common, neighbours, overlap, reach, self_overlaps
from tensorbridge_cli.memory.spans import Span

N = 30_000  # a matrix of N × N float32 has rows of 120,000 bytes and 3.6 GB


def span_of(array: np.ndarray) -> Span:
    return Span(array.__array_interface__["data"][0], array.shape, array.strides, array.itemsize)


def huge(rows: int, columns: int) -> np.ndarray:
    """A matrix of float32 that is never allocated nor read."""
    return as_strided(np.zeros(1, np.float32), (rows, columns), (4 * columns, 4))


def moved(span: Span, by: int) -> Span:
    return Span(span.pointer + by, span.shape, span.strides, span.itemsize)


def every_byte(span: Span) -> list[int]:
    starts = (
        span.pointer + sum(i * stride for i, stride in zip(index, span.strides, strict=True))
        for index in product(*map(range, span.shape))
    )
    return [start + byte for start in starts for byte in range(span.itemsize)]


@st.composite
def spans(draw: st.DrawFn) -> Span:
    """Up to four dimensions, whose strides are anything, or just about the bytes that the ones before reach."""
    most = draw(st.sampled_from([3, 12, 60, 2_000]))
    itemsize = extent = draw(st.sampled_from([1, 2, 4, 8, 13, 0]))
    shape, strides = [], []
    for count in draw(st.lists(st.sampled_from([1, 2, 2, 3, 3, 4, 5]), max_size=4)):
        stride = draw(st.integers(-most, most) | st.integers(extent - 2, extent + 2))
        extent += abs(stride) * (count - 1)
        shape.append(count)
        strides.append(stride)
    if draw(st.integers(0, 9)) == 9:
        shape.append(0)
        strides.append(4)
    return Span(draw(st.integers(0, 3 * most)), tuple(shape), tuple(strides), itemsize)


vectors = st.builds(
    lambda pointer, count, stride, itemsize: Span(pointer, (count,), (stride,), itemsize),
    *(st.integers(0, 100), st.integers(1, 60), st.integers(1, 30), st.integers(1, 3)),
)
moves = st.tuples(spans(), st.integers(-50, 50)).map(lambda drawn: (drawn[0], moved(*drawn)))
pairs = st.tuples(spans(), spans()) | moves | st.tuples(vectors, vectors)


@pytest.mark.parametrize("few", [memory._FEW, -1], ids=["laid out", "counted as if they were large"])
@settings(deadline=None, max_examples=500)
@given(pairs)
@example((Span(0, (60,), (29,), 1), Span(0, (10,), (30,), 1)))  # 29·30 = 30·29 lies behind the end of the second
@example((Span(0, (60,), (29,), 1), Span(750, (10,), (30,), 1)))  # and here it lies within
def test_small_spans_against_sets_of_addresses(few: int, pair: tuple[Span, Span]) -> None:
    a, b = pair
    reached = every_byte(a)
    common = len({*reached} & {*every_byte(b)})
    with patch.object(memory, "_FEW", few):
        assert overlap(a, b) == overlap(b, a) == (common > 0, common)
    assert reach(a) == len({*reached})
    assert self_overlaps(a) is (len({*reached}) < len(reached))
    assert a.nbytes == len(reached)
    assert a.bounds() == ((min(reached), max(reached) + 1) if reached else (a.pointer, a.pointer))


@settings(deadline=None, max_examples=300)
@given(pairs, st.integers(0, 2_000))
def test_whoever_gives_up_early_says_nothing_wrong(pair: tuple[Span, Span], max_work: int) -> None:
    a, b = pair
    reached = every_byte(a)
    common = len({*reached} & {*every_byte(b)})
    allowed = {(common > 0, common), (None, None)} | ({(True, None)} if common else set())
    assert overlap(a, b, max_work=max_work) in allowed
    assert reach(a, max_work=max_work) in {len({*reached}), None}
    assert self_overlaps(a, max_work=max_work) in {len({*reached}) < len(reached), None}


RECORD = np.dtype({"names": ["a", "b", "c"], "formats": ["i1", "f8", "c16"], "offsets": [0, 3, 11], "itemsize": 29})
"""Fields at odd offsets, and two bytes at the end that belong to none."""


@st.composite
def views(draw: st.DrawFn, array: np.ndarray) -> np.ndarray:
    """A view of a view of … an array, by whatever numpy offers."""
    for _ in range(draw(st.integers(0, 5))):
        do = draw(st.sampled_from(["slice", "transpose", "window", "field", "part", "broadcast", "flat"]))
        if do == "slice" and array.ndim:
            axis = draw(st.integers(0, array.ndim - 1))
            start, step = draw(st.integers(0, 6)), draw(st.sampled_from([1, 2, 3, 5, -1, -2]))
            array = array[(slice(None),) * axis + (slice(start, None) if step == 1 else slice(None, None, step),)]
        elif do == "transpose":
            array = array.transpose(draw(st.permutations(range(array.ndim))))
        elif do == "window" and array.ndim and array.shape[-1] >= 2:
            array = sliding_window_view(array, 2, axis=-1)[..., :: draw(st.integers(1, 3)), :]
        elif do == "field" and array.dtype.names:
            array = array[draw(st.sampled_from(array.dtype.names))]
        elif do == "part" and array.dtype.kind == "c":
            array = draw(st.sampled_from([array.real, array.imag]))
        elif do == "broadcast":
            array = np.broadcast_to(array, (3, *array.shape))
        elif do == "flat" and array.flags.c_contiguous:
            array = array.reshape(-1)
    return array


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_views_of_views_of_one_buffer_against_marks_in_it(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(2_000,), (37, 50), (9, 11, 13), (6, 7, 5, 8)]))
    dtype = data.draw(st.sampled_from([np.dtype("f4"), np.dtype("c16"), RECORD]))
    buffer = np.zeros(int(np.prod(shape)) * dtype.itemsize + 1, np.uint8)
    array = buffer[1:].view(dtype).reshape(shape)  # unaligned
    a, b = data.draw(views(array)), data.draw(views(array))

    def mark(view: np.ndarray) -> np.ndarray:
        marks = np.zeros_like(buffer, bool)
        if view.size:
            offset = view.__array_interface__["data"][0] - buffer.__array_interface__["data"][0]
            as_strided(marks[offset:], (*view.shape, view.itemsize), (*view.strides, 1))[...] = True
        return marks

    common = int((mark(a) & mark(b)).sum())
    assert overlap(span_of(a), span_of(b)) == (np.shares_memory(a, b), common)
    assert reach(span_of(a)) == mark(a).sum()
    assert self_overlaps(span_of(a)) is bool(mark(a).sum() < a.nbytes)


BIG = huge(N, N)
ROWS, COLUMNS = BIG[::2], BIG[:, ::2]


VIEWS = {
    "itself": (BIG, BIG, 4 * N * N),
    "its transpose upside down": (BIG, BIG.T[::-1], 4 * N * N),
    "a row": (BIG, BIG[7], 4 * N),
    "column and row": (BIG[:, 5], BIG[7], 4),
    "even and odd columns": (COLUMNS, BIG[:, 1::2], 0),
    "even and odd rows": (ROWS, BIG[1::2], 0),
    "even columns and even rows": (COLUMNS, ROWS, 4 * N * N // 4),
    "every fifth and seventh": (BIG[::2, ::5], BIG[::3, 1::7], 4 * (N // 6) * len(range(15, N, 35))),
    "even columns and every third element": (COLUMNS, BIG.reshape(-1)[::3], 4 * N * N // 6),
    "rows of an odd length": (BIG[:, :-1:2], BIG[:, :-1].T[::3], 4 * N * len(range(0, N - 1, 6))),
    "blocks that are shifted": (BIG[1:, 1:], BIG[:-1, :-1], 4 * (N - 2) ** 2),
    "halves": (BIG[: N // 2], BIG[N // 2 :], 0),
    "diagonals of an even matrix": (np.diagonal(BIG), BIG[:, ::-1].diagonal(), 0),
    "diagonal and even columns": (np.diagonal(BIG), COLUMNS, 4 * N // 2),
    "windows": (sliding_window_view(BIG, 100, axis=1), ROWS, 4 * N * N // 2),
    "broadcast": (np.broadcast_to(BIG, (9, N, N)), BIG[0], 4 * N),
}


@pytest.mark.parametrize(
    ("a", "b", "common"), [(span_of(a), span_of(b), common) for a, b, common in VIEWS.values()], ids=VIEWS.keys()
)
def test_views_of_a_huge_matrix(a: Span, b: Span, common: int) -> None:
    assert overlap(a, b) == overlap(b, a) == (common > 0, common)


M = 450_000_000


@pytest.mark.parametrize(
    ("a", "b", "common"),
    [
        pytest.param(Span(8, (M,), (8,), 4), Span(12, (M,), (8,), 4), 0, id="real and imaginary parts"),
        pytest.param(Span(8, (M,), (8,), 4), Span(10, (M,), (8,), 4), 2 * M, id="two bytes of each"),
        pytest.param(Span(0, (M,), (8,), 4), Span(6, (M,), (8,), 4), 2 * (M - 1), id="two bytes of the next"),
        pytest.param(Span(0, (M,), (21,), 8), Span(13, (M,), (21,), 8), 0, id="fields of a record"),
        pytest.param(Span(0, (M,), (21,), 8), Span(7, (M,), (21,), 2), M, id="fields that share a byte"),
        pytest.param(Span(0, (M,), (21,), 21), Span(13, (M,), (21,), 8), 8 * M, id="records and a field"),
        pytest.param(Span(0, (M,), (10_007,), 1), Span(0, (M,), (20_011,), 1), (M - 1) // 20_011 + 1, id="coprime"),
        pytest.param(Span(0, (M,), (12,), 4), Span(8 * M, (M,), (-8,), 4), 4 * (M // 3), id="thirds, backwards halves"),
        pytest.param(Span(0, (M, 0), (8, 8), 4), Span(0, (M,), (8,), 4), 0, id="nothing in it"),
        pytest.param(Span(0, (M,), (0,), 0), Span(0, (M,), (8,), 4), 0, id="elements of no bytes"),
    ],
)
def test_huge_interleaved_vectors(a: Span, b: Span, common: int) -> None:
    assert overlap(a, b) == overlap(b, a) == (common > 0, common)


@pytest.mark.parametrize(
    ("span", "distinct", "again"),
    [
        pytest.param(span_of(BIG), 4 * N * N, False, id="contiguous"),
        pytest.param(span_of(COLUMNS.T[::-1]), 2 * N * N, False, id="strided"),
        pytest.param(span_of(np.broadcast_to(BIG, (9, N, N))), 4 * N * N, True, id="broadcast"),
        pytest.param(span_of(sliding_window_view(BIG, (100, 100))), 4 * N * N, True, id="windows"),
        pytest.param(span_of(sliding_window_view(BIG, (9, 9))[::10, ::10]), 4 * 81 * 3_000**2, False, id="patches"),
        pytest.param(Span(0, (M,), (3,), 4), 3 * M + 1, True, id="elements that overlap by a byte"),
        # 2i + 3j with j < 3: the even numbers to 2M + 4, and the odd ones from 3 to 2M + 1
        pytest.param(Span(0, (M, 3), (8, 12), 4), 4 * (2 * M + 3), True, id="dilated windows"),
        pytest.param(Span(0, (7, M, 3), (2**40, 8, 12), 4), 7 * 4 * (2 * M + 3), True, id="a batch of dilated windows"),
        # 30001·i = 30002·j has no solution but 0 below 15,000, and the first is 30,002 and 30,001
        pytest.param(Span(0, (15_000, 15_000), (120_004, 120_008), 4), 4 * 15_000**2, False, id="crossing"),
        pytest.param(Span(0, (30_003, 30_002), (120_004, 120_008), 4), None, True, id="crossing until they meet"),
        pytest.param(Span(0, (30_003, 30_002, 2), (120_004, 120_008, 2**40), 4), None, True, id="two such"),
        # along each k the six starts are 1·8, 2 at a distance of 2, 2 at a distance of 2, 1·8
        pytest.param(Span(0, (2, 3, 2), (10**13, 10**13 + 2, 7**15), 8), 2 * (8 + 10 + 10 + 8), True, id="far and few"),
        pytest.param(Span(0, (1,) * 70, (-4,) * 70, 4), 4, False, id="70 dimensions of one element"),
        pytest.param(Span(0, (2,) * 70, tuple(4 * k - 140 for k in range(70)), 4), 4 * 1226, True, id="70 dimensions"),
        pytest.param(Span(0, (3,) * 64, (8,) * 64, 8), 8 * 129, True, id="64 dimensions on one line"),
        pytest.param(Span(0, (2,) * 9, tuple(3**k for k in range(20, 29)), 3), 3 * 2**9, False, id="nine dimensions"),
        pytest.param(Span(0, (), (), 2**40), 2**40, False, id="one large record"),
    ],
)
def test_what_one_span_reaches(span: Span, distinct: int | None, again: bool) -> None:
    assert reach(span) == distinct
    assert self_overlaps(span) is again
    assert overlap(span, span) == (True, distinct)


CROSSING = Span(0, (15_000, 15_000), (120_004, 120_008), 2)


def test_where_counting_gives_up_the_search_still_decides() -> None:
    assert overlap(CROSSING, moved(CROSSING, 120_004)) == (True, None)
    assert overlap(moved(CROSSING, 2), CROSSING) == (False, 0)  # bytes 0 and 1 of every four, and bytes 2 and 3
    narrow, wide = Span(0, (29_999, 20_000), (119_996, 4), 4), Span(0, (29_999, 20_000), (120_000, 4), 4)
    assert overlap(narrow, wide) == overlap(wide, moved(narrow, 1)) == (True, None)


def test_where_the_search_gives_up_nothing_is_claimed() -> None:
    assert overlap(CROSSING, moved(CROSSING, 120_004), max_work=0) == (None, None)
    assert overlap(CROSSING, CROSSING, max_work=0) == (True, None)
    assert reach(CROSSING, max_work=0) is None
    assert self_overlaps(CROSSING, max_work=0) is None


def test_what_needs_no_work_is_answered_without_any() -> None:
    start, stop = CROSSING.bounds()
    assert overlap(CROSSING, moved(CROSSING, stop - start), max_work=0) == (False, 0)
    assert self_overlaps(Span(0, (9, 15_000, 15_000), (0, 120_004, 120_008), 4), max_work=0) is True
    assert self_overlaps(Span(0, (10**6, 10**6), (8, 12), 4), max_work=0) is True  # fewer addresses than bytes
    assert self_overlaps(Span(0, (30_003, 30_002, 0), (120_004, 120_008, 8), 4)) is False


HARD = Span(0, (89,) * 8, tuple(10**13 + 7**k for k in range(5, 13)), 1)


def test_what_is_too_hard_is_given_up_in_bounded_time() -> None:
    assert overlap(HARD, moved(HARD, 3 * 10**14 + 1)) == (None, None)
    assert reach(HARD) is None
    assert self_overlaps(HARD) is None
    assert overlap(Span(0, (10**9,), (1009,), 1000), Span(3, (10**9,), (1013,), 1000))[0] in {True, None}


def test_more_steps_than_an_array_can_have_are_given_up() -> None:
    odd = Span(0, (2,) * 70, tuple(2**40 + 2 * k**3 + k for k in range(70)), 1)
    assert overlap(odd, moved(odd, 2**40)) == (None, None)


def test_dense_bytes_hold_whatever_lies_within() -> None:
    windows = Span(100, (M, 3), (8, 12), 4)
    start, stop = windows.bounds()
    for before, after in product([0, 1], repeat=2):
        dense = Span(start - before, (stop - start + before + after,), (1,), 1)
        assert overlap(dense, windows) == overlap(windows, dense) == (True, reach(windows))
    shorter = Span(start, (stop - start - 1,), (1,), 1)
    assert overlap(shorter, windows) == overlap(windows, shorter) == (True, None)


def test_steps_that_match_badly_are_laid_out() -> None:
    a = Span(3015, (5, 8, 8, 2, 8, 8), (48_104, 6_013, 752, 375, 47, 6), 3)
    b = Span(0, (22, 38, 8, 27), (24_319, 640, 80, 3), 1)
    common = len({*every_byte(a)} & {*every_byte(b)})
    assert overlap(a, b) == overlap(b, a) == (True, common)


@pytest.mark.parametrize("ask", [reach, self_overlaps, Span.bounds, lambda span: overlap(span, span)])
def test_a_shape_and_strides_that_do_not_fit_are_refused(ask: Callable[[Span], object]) -> None:
    with pytest.raises(ValueError, match="argument"):
        ask(Span(0, (3, 4), (8,), 8))


def test_the_least_common_period_of_two_pitches() -> None:
    # Every second column of rows of 30,001 elements, and every third of all: a row begins at another third each time.
    rows = Span(0, (N, 15_001), (120_004, 8), 4)
    thirds = Span(0, (N * 30_001 // 3,), (12,), 4)
    count = sum(1 for row in range(3) for column in range(0, 30_001, 2) if (row * 30_001 + column) % 3 == 0)
    assert lcm(120_004, 12) == 3 * 120_004
    assert overlap(rows, thirds) == (True, 4 * count * (N // 3))


@given(ours=st.lists(spans(), max_size=5), theirs=st.lists(spans(), max_size=5))
def test_what_overlaps_are_neighbours(ours: list[Span], theirs: list[Span]) -> None:
    meeting = [(a, b) for a, b in product(ours, theirs) if set(every_byte(a)) & set(every_byte(b))]
    found = list(neighbours(ours, theirs))
    assert sorted(map(repr, meeting)) == sorted(repr(pair) for pair in found if pair in meeting)


runs = st.builds(lambda pointer, count: Span(pointer, (count,), (1,), 1), st.integers(0, 40), st.integers(0, 9))
several = st.lists(runs, max_size=5, unique=True)


def in_common(ours: list[Span], theirs: list[Span]) -> int | None:
    return bytes_in_common(ours, theirs, [overlap(a, b)[1] for a, b in neighbours(ours, theirs)])


def together(held: list[Span]) -> set[int]:
    return {byte for span in held for byte in every_byte(span)}


@given(ours=several, theirs=several)
def test_bytes_of_parts_that_are_runs_are_counted_once(ours: list[Span], theirs: list[Span]) -> None:
    assert in_common(ours, theirs) == len(together(ours) & together(theirs))


@given(ours=st.lists(spans(), max_size=4, unique=True), theirs=st.lists(spans(), max_size=4, unique=True))
def test_bytes_of_other_parts_are_counted_once_or_not_known(ours: list[Span], theirs: list[Span]) -> None:
    count = in_common(ours, theirs)
    apart = all(sum(len({*every_byte(span)}) for span in held) == len(together(held)) for held in (ours, theirs))
    assert (
        count == len(together(ours) & together(theirs))
        if apart
        else count in (None, len(together(ours) & together(theirs)))
    )


def test_parts_that_lie_beside_each_other_are_none() -> None:
    parts = [Span(100 * nth, (10,), (10,), 10) for nth in range(50)]
    assert list(neighbours(parts, parts)) == [(part, part) for part in parts]
