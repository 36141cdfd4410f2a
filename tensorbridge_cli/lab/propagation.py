"""Write to one of two objects and look at the other: does the change propagate?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tensorbridge_cli.lab.experiment import Facts
from tensorbridge_cli.memory import carriers
from tensorbridge_cli.memory.moment import moment
from tensorbridge_cli.memory.overlap import neighbours, overlap
from tensorbridge_cli.memory.parts import (
    Index,
    address_of,
    beneath,
    cell_at,
    is_dense,
    is_its_bytes,
    items_of,
    landmarks,
    parts,
    shape_of,
    span,
    spans,
    written_part,
)
from tensorbridge_cli.memory.values import as_text, cell_octets, differ, differing, octets, read, read_cell
from tensorbridge_cli.memory.writes import NotWritableError, RefusedError, element, write
from tensorbridge_cli.records.enums import Via, Write
from tensorbridge_cli.records.report import Cell, Relation
from tensorbridge_cli.subjects import fills

Side = Literal["source", "result"]


def copies_on_write(source: Any) -> bool:
    """Return True for what may leave its memory to other objects when it is written: until then it shares it."""
    carrier = carriers.carrier_of(source)
    return carrier is not None and carrier.copies_on_write


def write_to(side: Side, source: Any, result: Any, facts: Facts) -> Write:
    """Write to one object and look at the other: at its bytes first, then at its values."""
    if facts.result is not None and facts.result.filled is False:
        return Write.NOT_TRIED  # what is written there, and whether it differs, would depend on what lay there
    target, other = (source, result) if side == "source" else (result, source)
    name, part = _written_part(target, other, facts.relation)
    shape = shape_of(part)
    if shape is None or 0 in shape or 0 in (shape_of(other) or ()):
        return Write.NOT_TRIED  # no element to write, or none in which it could show
    # the first element of the source, the last of the result; but the last of a masked array is masked
    first = side == "source" or any(isinstance(obj, np.ma.MaskedArray) for obj in (source, result))
    carrier = carriers.carrier_of(target)
    written_to = target if carrier is not None and carrier.assign else part
    with moment:
        wanted = _replaceable(part, tuple(0 if first else n - 1 for n in shape))
        index, mirror, spot = _place(part, wanted, other, facts.relation)
        # of a large object few elements are read: look where the addresses say that the write would show, too
        before_write = _contents(other, mirror, spot)
        was = element(written_to, index)
        before = was.value if beneath(written_to) is part else read_cell(part, index)
        text_before = as_text(before, part)
        common = _common(part, index, mirror) if spot is not None else ()
    refused = False
    try:
        written, via = write(written_to, index, common, was)
    except RefusedError as error:
        # the source's comes first, whichever is written first
        facts.refusals = (str(error), *facts.refusals) if side == "source" else (*facts.refusals, str(error))
        after = read_cell(part, index)
        if was.octets == cell_octets(part, index) and not differ(before, after):
            return Write.REFUSED
        # torch checks whether an inference tensor may be written when it has been
        facts.written_though_refused += (side,)
        refused, written, via = True, as_text(after, part), Via.ASSIGNMENT
    except NotWritableError:
        return Write.NOT_TRIED
    with moment:
        after_write = _contents(other, mirror, spot)
        is_alike = shape_of(mirror) == shape and len(index) == len(shape)
        shown = as_text(read_cell(mirror, index), mirror) if is_alike else None
    if via is Via.BYTES:
        facts.via = via
    facts.cells += (_cell(side, name, index, text_before, written, shown, via, refused),)
    if refused:
        return Write.REFUSED
    if after_write == (None, None) or (after_write[0] is None) != (before_write[0] is None):
        return Write.NOT_TRIED
    return Write.SEEN if _differ(before_write, after_write) else Write.NOT_SEEN


def _written_part(target: Any, other: Any, known: Relation) -> tuple[str, Any]:
    """Return what of ``target`` is written, and how it is reached: of a container the first part that ``other`` has."""
    held = parts(target) if items_of(target) is not None else []
    if not held:
        return "", written_part(target)
    if not known.overlaps:
        return held[0]
    theirs = [reached for _, dense in parts(other) for reached in spans(dense) or ()]
    shared = (one for one in held if any(overlap(a, b)[0] for a, b in neighbours(spans(one[1]) or (), theirs)))
    return next(shared, held[0])


def _replaceable(part: Any, index: Index) -> Index:
    """Return ``index``, or its start where it ends in a tuple or ``bytes``: the list around these can be written."""
    if not isinstance(part, list):
        return index
    within = [part]
    for i in index[:-1]:
        within.append(within[-1][i])
    return index[: max(depth for depth, held in enumerate(within, 1) if not isinstance(held, (tuple, bytes)))]


def _cell(
    side: Side, part: str, index: Index, before: str, written: str, shown: str | None, via: Via, refused: bool
) -> Cell:
    """Return the evidence of a write at ``index`` of one side; ``shown`` is what the other has there after it."""
    source_after, result_after = (written, shown) if side == "source" else (shown, written)
    return Cell(
        index=index,
        before=before,
        written=written,
        source_after=source_after,
        result_after=result_after,
        wrote=side,
        via=via,
        refused=refused,
        part=part,
    )


if TYPE_CHECKING:  # Python 3.9 does not evaluate |
    Contents = tuple[tuple[bytes, ...] | None, list[Any] | None]


def _contents(other: Any, mirror: Any, spot: Index | None) -> Contents:
    """Return what a write would show in: the other's bytes, and the values that a reader of it sees.

    The values are left out if they follow from the bytes.
    """
    seen = beneath(other)
    is_read_whole = math.prod(shape_of(mirror) or ()) <= fills.FULL
    spots = () if spot is None or is_read_whole or not is_dense(mirror) else ((mirror, spot),)
    its_bytes = octets(seen, spots)
    if its_bytes is not None and is_its_bytes(seen):
        return its_bytes, None
    values = read(seen)
    if values is not None and spot is not None:
        values = [*values, read_cell(beneath(mirror), spot)]
    return its_bytes, values


def _differ(before: Contents, after: Contents) -> bool:
    if before[0] != after[0]:
        return True
    values, now = before[1] or [], after[1] or []
    return len(values) != len(now) or bool(differing(values, now))


def _common(part: Any, index: Index, mirror: Any) -> tuple[int, ...]:
    """Return the offsets of the bytes of an element that the other reaches, if these are not all of them."""
    start = address_of(part, index)
    if start is None or not is_dense(part) or _lie_alike(part, mirror):
        return ()
    offsets = tuple(k for k in range(part.itemsize) if cell_at(mirror, start + k) is not None)
    return offsets if len(offsets) < part.itemsize else ()


def _place(part: Any, index: Index, other: Any, known: Relation) -> tuple[Index, Any, Index | None]:
    """Return where ``part`` is written, at ``index`` if it need not be elsewhere, and where that may show.

    That is a part of ``other``, and the index in it of an element that has a byte of the one that is written; ``None``
    if there is no such element.
    """
    others = [dense for _, dense in parts(other)] or [other]
    return (index, others[0], None) if known.overlaps is False else _meeting(part, index, others)


def _lie_alike(part: Any, mirror: Any) -> bool:
    """Return True if two dense objects have their elements at the same addresses: all bytes of one are the other's."""
    return is_dense(mirror) and span(part) == span(mirror)


def _meeting(part: Any, index: Index, others: list[Any]) -> tuple[Index, Any, Index | None]:
    """Return where ``part`` and one of ``others`` reach the same byte: the index in it, the other, the index there.

    It is the place nearest to ``part[index]``: what is written where the others do not reach cannot show in them.
    """
    start = address_of(part, index)
    if start is not None:
        for other in others:
            if (spot := cell_at(other, start)) is not None:
                return index, other, spot
        for other in filter(is_dense, others):
            for address in sorted(landmarks(part) + landmarks(other), key=lambda at: abs(at - start)):
                cell, spot = cell_at(part, address), cell_at(other, address)
                if cell is not None and spot is not None:
                    return cell, other, spot
    return index, others[0], None
