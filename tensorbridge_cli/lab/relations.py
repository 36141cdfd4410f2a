"""How the bytes of two objects lie to each other: read from addresses, nothing is written."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorbridge_cli.lab import objects
from tensorbridge_cli.lab.memory import neighbours, overlap
from tensorbridge_cli.model import Relation


def relation(source: Any, result: Any) -> Relation:
    """Return the three facts about addresses, each ``None`` where it cannot be told."""
    ours = [part for _, part in objects.parts(source)]
    theirs = [part for _, part in objects.parts(result)]
    our_spans, their_spans = ([span for part in parts if (span := objects.span(part))] for parts in (ours, theirs))
    if not (ours and theirs) or len(our_spans) < len(ours) or len(their_spans) < len(theirs):
        return Relation(
            same_pointer=None,
            same_storage=None,
            overlaps=None,
            overlap_bytes=None,
            same_object=source is result,
            shared_objects=_shared_objects(source, result),
        )
    found = [overlap(a, b) for a, b in neighbours(our_spans, their_spans)]
    counts = [count for _, count in found]
    answers = [answer for answer, _ in found]
    # the parts of one object mostly lie in one storage
    holds = [set(map(objects.storage, parts)) - {None} for parts in (ours, theirs)]
    empty = any(part.nbytes == 0 for part in (*ours[:1], *theirs[:1]))
    return Relation(
        same_pointer=None
        if empty
        else len(ours) == len(theirs)
        and all(objects.address(a) == objects.address(b) for a, b in zip(ours, theirs, strict=True)),
        same_storage=None
        if empty
        else any(max(a[0], b[0]) < min(a[1], b[1]) for a in holds[0] for b in holds[1] if a and b),
        overlaps=True if True in answers else None if None in answers else False,
        overlap_bytes=None if None in counts else sum(count for count in counts if count is not None),
        same_object=source is result,
        shared_objects=_shared_objects(source, result),
    )


def _shared_objects(source: Any, result: Any) -> int | None:
    """Count the mutable objects that both hold references to; ``None`` where neither holds references."""
    if not all(isinstance(obj, np.ndarray) and obj.dtype.hasobject for obj in (source, result)):
        return None
    ours = {id(value) for value in objects.read(source) or () if isinstance(value, (list, dict, set, np.ndarray))}
    return sum(id(value) in ours for value in objects.read(result) or ())
