"""How the memory of two objects lies to each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorbridge_cli.compat import zip_equal
from tensorbridge_cli.memory.overlap import bytes_in_common, neighbours, overlap
from tensorbridge_cli.memory.parts import (
    address,
    items_of,
    parts,
    spans,
    storage,
)
from tensorbridge_cli.memory.spans import Span
from tensorbridge_cli.memory.values import read
from tensorbridge_cli.records.report import (
    Relation,
)
from tensorbridge_cli.subjects import fills


def relation(source: Any, result: Any, most: int | None = fills.FULL) -> Relation:
    """Compare the addresses that two objects reach; both are only inspected, of a list the first ``most`` items."""
    ours = [part for _, part in parts(source, most)]
    theirs = [part for _, part in parts(result, most)]
    our_runs, their_runs = ([spans(part) for part in held] for held in (ours, theirs))
    # a part that is there twice reaches no more bytes
    our_spans, their_spans = (
        list(dict.fromkeys(span for run in runs for span in run or ())) for runs in (our_runs, their_runs)
    )
    if not (ours and theirs) or None in our_runs or None in their_runs:
        return Relation(
            same_pointer=None,
            same_storage=None,
            overlaps=None,
            overlap_bytes=None,
            same_object=source is result,
            shared_objects=_shared_objects(source, result),
        )
    overlaps = [overlap(a, b) for a, b in neighbours(our_spans, their_spans)]
    counts = [count for _, count in overlaps]
    answers = [answer for answer, _ in overlaps]
    # the parts of one object mostly lie in one storage
    holds = [set(map(storage, held)) - {None} for held in (ours, theirs)]
    empty = any(part.nbytes == 0 for part in (*ours[:1], *theirs[:1]))
    return Relation(
        same_pointer=None
        if empty
        else len(ours) == len(theirs) and all(address(a) == address(b) for a, b in zip_equal(ours, theirs)),
        same_storage=None
        if empty
        else any(max(a[0], b[0]) < min(a[1], b[1]) for a in holds[0] for b in holds[1] if a and b),
        overlaps=True if True in answers else None if None in answers else False,
        overlap_bytes=bytes_in_common(our_spans, their_spans, counts),
        same_object=source is result,
        shared_objects=_shared_objects(source, result),
        copied_parts=_copied_parts(result, most, our_spans, their_runs) if True in answers else (),
    )


def _copied_parts(result: Any, most: int | None, ours: list[Span], runs: list[list[Span] | None]) -> tuple[str, ...]:
    """Return the names of the parts of a container that share no byte with ``ours``; ``runs`` are those of its parts.

    The values and indices of a sparse tensor, and the rows of a nested one, are no objects of their own.
    """
    if items_of(result) is None:
        return ()
    names = (name for name, _ in parts(result, most))
    pairs = zip_equal(names, runs)
    return tuple(name for name, run in pairs if not any(overlap(a, b)[0] for a, b in neighbours(ours, run or ())))


def _shared_objects(source: Any, result: Any) -> int | None:
    """Count the mutable objects that both hold references to; ``None`` if the source holds none."""
    if not all(isinstance(obj, np.ndarray) and obj.dtype.hasobject for obj in (source, result)):
        return None
    ours = {id(value) for value in read(source) or () if not isinstance(value, _IMMUTABLE)}
    return sum(id(value) in ours for value in read(result) or ()) if ours else None


_IMMUTABLE = (type(None), str, bytes, tuple, frozenset, np.generic, int, float, complex)
"""Objects of these types may be made anew or be one and the same: nobody can write to them and see it."""
