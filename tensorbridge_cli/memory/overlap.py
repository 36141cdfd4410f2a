"""How many bytes two strided objects have in common, and whether the elements of one overlap.

Nested steps (see ``spans``) are counted in closed form whatever their size. Anything else is laid out byte by byte
where that is cheap; where it is not, :func:`numpy.shares_memory` searches, within bounds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from math import gcd, lcm, prod
from types import SimpleNamespace

import numpy as np

from tensorbridge_cli.compat import bit_count
from tensorbridge_cli.memory.spans import Span, Steps, below, canonical, dense, extent, nested, ways

MAX_WORK = 500_000
"""What one count, or one search, may cost by default, in units of about 25 ns."""

_CALL = 100  # what a recursive call costs, in the same unit
_PAIR = 20  # a pass of its inner loop
_BYTE = 4  # a byte in a set
_CANDIDATE = 32  # a candidate in numpy's search: a few where strides are small, more where they are huge
_FEW = 2_000  # laying out is not worth avoiding where it costs less than this


def reach(span: Span, *, max_work: int = MAX_WORK) -> int | None:
    """Count the distinct byte addresses that ``span`` reaches; None if the bounded search gave up."""
    return _reach(canonical(span)[1], max_work) if span.nbytes else 0


def overlap(a: Span, b: Span, *, max_work: int = MAX_WORK) -> tuple[bool | None, int | None]:
    """Say whether ``a`` and ``b`` reach a common byte, and count the distinct byte addresses that both reach.

    Args:
        a: One span.
        b: The other.
        max_work: Bound on the cost of the count, and again on that of the search where counting gave up.

    Returns:
        Whether they overlap, and the count in bytes: None if counting gave up, both None if the search did too.
    """
    if not (a.nbytes and b.nbytes):
        return False, 0
    start_a, steps_a = canonical(a)
    start_b, steps_b = (start_a, steps_a) if a == b else canonical(b)
    shift = start_b - start_a
    extent_a, extent_b = extent(steps_a), extent(steps_b)
    if not -extent_b < shift < extent_a:
        return False, 0
    if (dense(steps_a) and 0 <= shift <= extent_a - extent_b) or (not shift and steps_a == steps_b):
        return True, _reach(steps_b, max_work)
    if dense(steps_b) and extent_a - extent_b <= shift <= 0:
        return True, _reach(steps_a, max_work)
    try:
        count = _count(steps_a, steps_b, shift, max_work)
    except _GaveUpError:
        overlaps = _search(steps_a, steps_b, shift, max_work) if shift else True
        return overlaps, 0 if overlaps is False else None
    return count > 0, count


def neighbours(ours: Iterable[Span], theirs: Iterable[Span]) -> Iterator[tuple[Span, Span]]:
    """Yield the pairs whose bounds meet: of two objects in thousands of parts, not each part with each."""
    others = sorted(((*span.bounds(), span) for span in theirs), key=lambda other: other[0])
    starts = [start for start, _, _ in others]
    longest = max((stop - start for start, stop, _ in others), default=0)
    for span in ours:
        start, stop = span.bounds()
        for nth in range(bisect_left(starts, start - longest), bisect_left(starts, stop)):
            if others[nth][1] > start:
                yield span, others[nth][2]


def bytes_in_common(ours: Sequence[Span], theirs: Sequence[Span], counts: Sequence[int | None]) -> int | None:
    """Count the bytes that two objects in different parts both reach, each byte once; ``None`` if it is not known.

    No part is there twice. ``counts``, those of the pairs of parts, are added if no two parts of one object overlap.
    Where some do, as in ``[a, a[:3]]``, the bytes are counted if each part reaches all between its bounds.
    """
    if None in counts:
        return None
    if not any(a != b and overlap(a, b)[0] is not False for held in (ours, theirs) for a, b in neighbours(held, held)):
        return sum(count for count in counts if count is not None)
    if not all(map(_is_run, (*ours, *theirs))):
        return None
    return _length(ours) + _length(theirs) - _length((*ours, *theirs))


def _is_run(span: Span) -> bool:
    """Return True if ``span`` reaches each byte between its bounds."""
    start, stop = span.bounds()
    return reach(span) == stop - start


def _length(spans: Iterable[Span]) -> int:
    """Return how many bytes lie between the bounds of at least one of ``spans``."""
    bounds = sorted(span.bounds() for span in spans)
    length, reached = 0, min(bounds, default=(0, 0))[0]
    for start, stop in bounds:
        length += max(0, stop - max(start, reached))
        reached = max(reached, stop)
    return length


def self_overlaps(span: Span, *, max_work: int = MAX_WORK) -> bool | None:
    """Say whether two different indexes of ``span`` reach one byte; None if the bounded search gave up."""
    if not span.nbytes:
        return False
    _, steps = canonical(span)
    if min(ways(steps), extent(steps)) < span.nbytes:
        return True
    try:
        return _distinct(steps, _Work(max_work)) < span.nbytes
    except _GaveUpError:
        return _repeats(steps, max_work)


class _GaveUpError(Exception):
    """The work that was allowed is used up."""


class _Work:
    """What may still be spent on one count."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, cost: int) -> None:
        if cost > self.left:
            raise _GaveUpError
        self.left -= cost


def _reach(steps: Steps, max_work: int) -> int | None:
    try:
        return _distinct(steps, _Work(max_work))
    except _GaveUpError:
        return ways(steps) if _repeats(steps, max_work) is False else None


def _distinct(steps: Steps, work: _Work) -> int:
    """Count the distinct bytes that ``steps`` reach."""
    if not steps:
        return 1
    *inner, (stride, count) = steps
    if stride >= extent(tuple(inner)):
        return count * _distinct(tuple(inner), work)
    try:
        return _lay_out(steps, steps, 0, work)
    except _GaveUpError:
        longest = max(steps, key=prod)
        stride, count = longest
        others = tuple(step for step in steps if step != longest)
        few = -(-extent(others) // stride)
        if count <= few + 1:
            raise
    # A copy of the other steps meets fewer than ``few`` copies before it: from there on each adds as many bytes.
    less, more = (_distinct(tuple(sorted((*others, (stride, some)))), work) for some in (few, few + 1))
    return less + (count - few) * (more - less)


def _count(a: Steps, b: Steps, shift: int, max_work: int) -> int:
    """Count the bytes common to ``a`` and ``shift + b``, in closed form or by laying them out."""
    if nested(a) and nested(b) and min(_cost(a, b)) > _FEW:
        with suppress(_GaveUpError):
            return _common(a, b, shift, _Work(max_work // 2))
    return _lay_out(a, b, shift, _Work(max_work // 2))


def _cost(a: Steps, b: Steps) -> tuple[int, int]:
    """Estimate the work of laying ``a`` and ``b`` out: as bits of an integer, and in sets of addresses."""
    doublings = sum(count.bit_length() for _, count in a + b)
    return doublings * (16 + (max(extent(a), extent(b)) >> 9)), _BYTE * (ways(a) + ways(b))


def _lay_out(a: Steps, b: Steps, shift: int, work: _Work) -> int:
    """Count the bytes common to ``a`` and ``shift + b`` one by one."""
    as_bits, as_sets = _cost(a, b)
    work.spend(min(as_bits, as_sets))
    if as_sets < as_bits:
        return len(_addresses(a, 0) & _addresses(b, shift))
    bits_a, bits_b = _bits(a), _bits(b)
    return bit_count(bits_a >> shift & bits_b if shift > 0 else bits_b >> -shift & bits_a)


def _addresses(steps: Steps, start: int) -> set[int]:
    reached = {start}
    for stride, count in reversed(steps):
        reached = set(chain.from_iterable(range(address, address + stride * count, stride) for address in reached))
    return reached


def _bits(steps: Steps) -> int:
    bits = 1
    for stride, count in steps:
        done = 1
        while done < count:
            more = min(done, count - done)
            bits |= bits << stride * more
            done += more
    return bits


def _common(a: Steps, b: Steps, shift: int, work: _Work) -> int:
    """Count the bytes common to ``a`` and ``shift + b``, both nested, outermost step first."""
    work.spend(_CALL)
    extent_a, extent_b = extent(a), extent(b)
    if not -extent_b < shift < extent_a:
        return 0
    if dense(b):
        return below(a, shift + extent_b) - below(a, shift)
    if dense(a) or a[-1][0] > b[-1][0]:
        return _common(b, a, -shift, work)
    (*rest_a, (s, n)), (*rest_b, (t, m)) = a, b
    period = lcm(s, t)
    if s < t and s * n > period and t * m > period:
        # Cut both into blocks of one common period.
        return sum(
            _common(part_a, part_b, shift + offset_b - offset_a, work)
            for offset_a, part_a in _cut(a, period)
            for offset_b, part_b in _cut(b, period)
        )
    inner_a, inner_b = tuple(rest_a), tuple(rest_b)
    lowest, highest = -extent(inner_b) + 1, extent(inner_a) - 1
    copies = range(max(0, -((shift - lowest) // t)), min(m, (extent_a - 1 - shift) // t + 1))
    g = gcd(s, t)
    apart = range(lowest + (shift - lowest) % g, highest + 1, g)
    if len(copies) <= len(apart):
        return sum(_common(a, inner_b, shift + t * j, work) for j in copies)
    work.spend(_PAIR * len(apart))
    return sum(pairs * _common(inner_a, inner_b, d, work) for d in apart if (pairs := _pairs(s, n, t, m, shift - d)))


def _cut(steps: Steps, period: int) -> list[tuple[int, Steps]]:
    """Cut the outermost step into blocks of ``period`` bytes and what is left of it, each with its offset."""
    *inner, (stride, count) = steps
    block = period // stride
    whole, left = divmod(count, block)
    parts: list[tuple[int, Steps]] = [(0, (*inner, (stride, block), (period, whole)))]
    if left:
        parts.append((whole * period, (*inner, (stride, left))))
    return parts


def _pairs(s: int, n: int, t: int, m: int, difference: int) -> int:
    """Count the pairs 0 ≤ i < n, 0 ≤ j < m with ``s·i − t·j = difference``, a multiple of their common divisor."""
    g = gcd(s, t)
    per_i, per_j = t // g, s // g
    i = difference // g * pow(per_j, -1, per_i) % per_i
    j = (s * i - difference) // t
    return max(0, min((n - 1 - i) // per_i, (m - 1 - j) // per_j) - max(0, -(j // per_j)) + 1)


def _repeats(steps: Steps, max_work: int) -> bool | None:
    """Search for two ways to reach one byte: along some step the two indexes differ, so the lower can be taken as 0."""
    repeats: bool | None = False
    for index, (stride, count) in enumerate(steps):
        others = (*steps[:index], *steps[index + 1 :])
        answer = _search(others, (*others, (stride, count - 1)), stride, max_work // len(steps))
        if answer:
            return True
        if answer is None:
            repeats = None
    return repeats


def _search(a: Steps, b: Steps, shift: int, max_work: int) -> bool | None:
    """Let numpy search for a byte common to ``a`` and ``shift + b``; it raises where it gives up or has no room."""
    try:
        arrays = _array(a, max(0, -shift)), _array(b, max(0, shift))
        # numpy's stub allows no bound but 0 and -1
        return np.shares_memory(*arrays, max_work=max_work // _CANDIDATE)  # type: ignore[arg-type]
    except (RuntimeError, OverflowError, ValueError):  # TooHardError is the first: NumPy 1.25 moved it
        return None


def _array(steps: Steps, start: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Make an array over addresses that are never read; from 1 on, because numpy allocates memory for address 0."""
    interface = {
        "version": 3,
        "typestr": "|u1",
        "data": (1 + start, True),
        "shape": tuple(count for _, count in steps),
        "strides": tuple(stride for stride, _ in steps),
    }
    return np.asarray(SimpleNamespace(__array_interface__=interface))
