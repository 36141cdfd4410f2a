"""What a picture of memory shows: each buffer once, and in it the bytes that the source and the result reach.

Offsets are bytes from the start of the buffer, which is the storage of its owner. Two storages that intersect are one
buffer: that of ``torch.from_numpy(a[2:])`` starts inside the array's.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, islice, pairwise
from math import prod
from operator import itemgetter
from typing import Literal

from tensorbridge_cli.memory.spans import Span, between, canonical, nested
from tensorbridge_cli.records.report import Extent, Row, united
from tensorbridge_cli.render.text import words

Side = Literal["source", "result"]

MOST_ELEMENTS = 4096
"""Of how many elements, at most, each is inspected; of more the bytes are counted in closed form."""


@dataclass(frozen=True)
class Reach:
    """The elements of one part, counted from the buffer's start; ``prefix`` is the part's place in a list.

    ``packed``: they are smaller than a byte, and the span is of bytes.
    """

    prefix: tuple[str, ...]
    span: Span
    packed: bool


@dataclass(frozen=True)
class Lane:
    """One side's bytes in a buffer: one part of it, or those items of a list that lie there."""

    side: Side
    part: str
    reaches: tuple[Reach, ...]

    @property
    def name(self) -> str:
        """Return ``source``, or ``source values`` for a part with a name."""
        return f"{self.side} {self.part}".rstrip()

    @cached_property
    def reached(self) -> tuple[Span, ...]:
        """Return the bytes of the parts that have any."""
        return tuple(reach.span for reach in self.reaches if reach.span.nbytes)

    @cached_property
    def bounded(self) -> tuple[tuple[tuple[int, int], Span], ...]:
        """Return each distinct span with its bounds, in order of memory: a list may have many thousands."""
        return tuple(sorted(((span.bounds(), span) for span in set(self.reached)), key=itemgetter(0)))

    @cached_property
    def _edges(self) -> tuple[list[int], list[int]]:
        """Return the start of each of ``bounded``, and the last stop so far: both in order, to be searched."""
        return [low for (low, _), _ in self.bounded], list(accumulate((high for (_, high), _ in self.bounded), max))

    def near(self, start: int, stop: int) -> list[tuple[tuple[int, int], Span]]:
        """Return those of ``bounded`` that have a byte in ``[start, stop)``."""
        lows, highs = self._edges
        some = self.bounded[bisect_right(highs, start) : bisect_left(lows, stop)]
        return [(bounds, span) for bounds, span in some if bounds[1] > start]


@dataclass(frozen=True)
class Buffer:
    """One run of memory, at ``address`` and ``nbytes`` long, with the lanes that reach into it."""

    address: int
    nbytes: int
    lanes: tuple[Lane, ...]


@dataclass(frozen=True)
class Block:
    """The bytes ``[start, stop)`` of an element, labelled with its index, or of overlapping ones, with their number."""

    start: int
    stop: int
    label: str


def buffers(row: Row) -> tuple[Buffer, ...]:
    """Return the buffers in which ``row``'s objects have bytes, that of the source first."""
    sides: dict[Side, tuple[Extent, ...]] = {
        "source": row.evidence.extents.source,
        "result": row.evidence.extents.result,
    }
    extents = [(side, extent) for side, side_extents in sides.items() for extent in side_extents]
    storages = [_storage(extent) for _, extent in extents]
    merged = united((low, high) for low, high in storages if low < high)
    lanes_of: dict[tuple[int, int], dict[tuple[Side, str], list[Reach]]] = {}
    for side, extent in extents:
        home = next((run for run in merged if run[0] <= _storage(extent)[0] < run[1]), None)
        if home is not None:
            name, prefix = _named(words.one_line(extent.part))
            described = row.source if side == "source" else row.result
            packed = not extent.part and described is not None and described.shape != extent.shape
            reach = Reach(prefix, _span(extent, home[0]), packed)
            lanes_of.setdefault(home, {}).setdefault((side, name), []).append(reach)
    return tuple(
        Buffer(low, high - low, tuple(Lane(side, part, tuple(all_)) for (side, part), all_ in lanes.items()))
        for (low, high), lanes in lanes_of.items()
    )


def _storage(extent: Extent) -> tuple[int, int]:
    """Return the bytes of the storage, extended by what is reached outside of it."""
    low, high = int(extent.storage_start, 16), int(extent.storage_stop, 16)
    start, stop = int(extent.start, 16), int(extent.stop, 16)
    return (min(low, start), max(high, stop)) if start < stop else (low, high)


def _named(part: str) -> tuple[str, tuple[str, ...]]:
    """Return the name of a part, or of an item of a list, ``[0][2]``, no name and its indexes."""
    return ("", tuple(part.strip("[]").split("]["))) if part.startswith("[") else (part, ())


def _span(extent: Extent, origin: int) -> Span:
    """Return the elements of ``extent``, from ``origin`` on.

    An extent has the lowest byte that is reached, and a span the byte of the first element, which is a higher one if an
    axis is reversed: by as much as the bounds of a span from the lowest byte on begin below it. ``test_whole_pictures``
    fails without.
    """
    start = int(extent.start, 16) - origin
    reached = Span(start, extent.shape, extent.strides, extent.itemsize)
    return Span(2 * start - reached.bounds()[0], extent.shape, extent.strides, extent.itemsize)


def blocks(lane: Lane, start: int, stop: int) -> tuple[Block, ...] | None:
    """Return what the lane reaches of ``[start, stop)``, in order of memory; None if there is too much to look at.

    ``:`` stands for all indexes of an axis that reach the same bytes.
    """
    reached: list[Block] = []
    for reach in lane.reaches:
        if not reach.span.nbytes:
            continue
        if not nested(canonical(reach.span)[1]) and _different(reach.span) > MOST_ELEMENTS:
            return None
        elements = list(islice(_elements(reach.span, start, stop), MOST_ELEMENTS + 1 - len(reached)))
        reached += [
            Block(at, at + reach.span.itemsize, "" if reach.packed else ",".join((*reach.prefix, *index)) or "()")
            for at, index in elements
        ]
        if len(reached) > MOST_ELEMENTS:
            return None
    return tuple(_apart(sorted(reached, key=lambda block: block.start)))


def _different(span: Span) -> int:
    return prod(n for n, stride in zip(span.shape, span.strides, strict=True) if stride)


def _elements(span: Span, start: int, stop: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield offset and index of each element with a byte in ``[start, stop)``, looking nowhere else."""
    index = [":" if n > 1 else "0" for n in span.shape]
    axes = sorted(
        (abs(stride), axis, stride < 0)
        for axis, (stride, n) in enumerate(zip(span.strides, span.shape, strict=True))
        if stride and n > 1
    )

    def walk(left: int, at: int) -> Iterator[tuple[int, tuple[str, ...]]]:
        if not left:
            yield at, tuple(index)
            return
        stride, axis, backwards = axes[left - 1]
        n = span.shape[axis]
        inner = span.itemsize + sum(step * (span.shape[other] - 1) for step, other, _ in axes[: left - 1])
        for nth in range(max(0, (start - at - inner) // stride + 1), min(n, -((at - stop) // stride))):
            index[axis] = str(n - 1 - nth if backwards else nth)
            yield from walk(left - 1, at + stride * nth)

    return walk(len(axes), span.bounds()[0])


def _apart(in_order: list[Block]) -> Iterator[Block]:
    """Yield the blocks with those that overlap put together."""
    run: list[Block] = []
    stop = 0
    for block in in_order:
        if run and block.start >= stop:
            yield _together(run, stop)
            run = []
        stop = max(stop, block.stop) if run else block.stop
        run.append(block)
    if run:
        yield _together(run, stop)


def _together(run: list[Block], stop: int) -> Block:
    return run[0] if len(run) == 1 else Block(run[0].start, stop, f"×{len(run)}")


def portion(lane: Lane, start: int, stop: int) -> Literal["all", "some", "gap", "unknown"]:
    """Return how much of ``[start, stop)`` the lane reaches; the time does not depend on its size."""
    near = lane.near(start, stop)
    counts = [between(span, start, stop) for _, span in near]
    if not any(count != 0 for count in counts):
        return "gap"
    if stop - start in counts:
        return "all"
    # bytes that two items both reach would be counted twice
    if any(a[1] > b[0] for (a, _), (b, _) in pairwise(near)):
        return "unknown"
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return "unknown"
    return "all" if sum(known) == stop - start else "some"
