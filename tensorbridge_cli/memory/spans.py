"""The bytes that a strided object reaches, as numbers: no address is ever read, and nothing but Python is needed.

They are described by a start and its *steps*, pairs ``(stride, count)`` in bytes, the bytes of one element among them:
``{start + Σ strideₖ·iₖ : 0 ≤ iₖ < countₖ}``. Steps are *nested* where every copy of the inner ones ends before the next
copy begins, so that each byte is reached in one way only. What slicing, reversing, transposing, broadcasting and
sliding a window leave of a contiguous array is nested, once the steps that tile one run are merged, and is counted in
closed form whatever its size.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd, prod
from typing import NamedTuple

from tensorbridge_cli.compat import zip_equal

Steps = tuple[tuple[int, int], ...]


class Span(NamedTuple):
    """The bytes that a strided object reaches.

    Attributes:
        pointer: Address of the element at index (0, …, 0).
        shape: Elements along each dimension.
        strides: Bytes from one element to the next along each dimension; may be negative or zero.
        itemsize: Bytes of one element.
    """

    pointer: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    itemsize: int

    @property
    def nbytes(self) -> int:
        """Bytes of all elements together; one that several indexes reach counts once for each."""
        return prod(self.shape) * self.itemsize

    def bounds(self) -> tuple[int, int]:
        """Find the addresses of the first byte reached and of the one after the last; equal if there is none."""
        if not self.nbytes:
            return self.pointer, self.pointer
        start, steps = canonical(self)
        return start, start + extent(steps)

    def interleaves(self, other: Span) -> bool:
        """Return True if no byte is common as each span has its own part of a period: two columns of an array."""
        period = gcd(*(stride for span in (self, other) for stride, n in zip_equal(span.strides, span.shape) if n > 1))
        ahead = (other.pointer - self.pointer) % period if period else 0
        return self.itemsize <= ahead <= period - other.itemsize


def canonical(span: Span) -> tuple[int, Steps]:
    """Describe a span that is not empty by its lowest address and its steps, merged and the smallest stride first."""
    lowest, steps = _merged(span.shape, span.strides, span.itemsize)
    return span.pointer + lowest, steps


@lru_cache(maxsize=1024)  # one experiment asks some forty times, and many have one layout
def _merged(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> tuple[int, Steps]:
    """Return the offset of the lowest byte from the first element, and the steps."""
    lowest = 0
    steps = [(1, itemsize)] if itemsize > 1 else []
    for count, stride in zip_equal(shape, strides):
        if stride < 0:
            lowest += stride * (count - 1)
        if stride and count > 1:
            steps.append((abs(stride), count))
    steps.sort()
    merged: list[tuple[int, int]] = []
    for stride, count in steps:
        for index, (inner, inner_count) in enumerate(merged):
            if stride % inner == 0 and stride <= inner * inner_count:
                merged[index] = inner, inner_count + stride // inner * (count - 1)
                break
        else:
            merged.append((stride, count))
    return lowest, tuple(merged)


@lru_cache(maxsize=1024)
def extent(steps: Steps) -> int:
    """Count the bytes from the first one reached to the last one."""
    return 1 + sum(stride * (count - 1) for stride, count in steps)


def ways(steps: Steps) -> int:
    """Count the ways to reach a byte, which for nested steps is the number of bytes."""
    return prod(count for _, count in steps)


def dense(steps: Steps) -> bool:
    """Return True if ``steps`` reach every byte of one run."""
    return not steps or (len(steps) == 1 and steps[0][0] == 1)


def nested(steps: Steps) -> bool:
    """Return True if ``steps`` reach each byte in one way only, the inner ones within one step of the outer."""
    reached = 1
    for stride, count in steps:
        if stride < reached:
            return False
        reached += stride * (count - 1)
    return True


def below(steps: Steps, limit: int) -> int:
    """Count the bytes below ``limit`` that nested ``steps`` reach."""
    if limit <= 0:
        return 0
    total, each = 0, ways(steps)
    for stride, count in reversed(steps):
        each //= count
        whole = min(limit // stride, count - 1)
        total += whole * each
        limit -= whole * stride
    return total + (limit > 0)


def between(span: Span, start: int, stop: int) -> int | None:
    """Count the distinct bytes of ``span`` in ``[start, stop)``, in a time independent of its size.

    None if its steps are not nested.
    """
    if not span.nbytes:
        return 0
    lowest, steps = canonical(span)
    return below(steps, stop - lowest) - below(steps, start - lowest) if nested(steps) else None
