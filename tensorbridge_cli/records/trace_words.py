"""The words of a trace: its kinds of finding, and what its lines are sorted by.

They are apart from the records, which take longer to create than ``list`` and ``--help`` have.
"""

from __future__ import annotations

CODES = {
    "avoidable-copy": "a copy, although a conversion that shares memory is available",
    "element-by-element": "a list of arrays, or a sequence such as a pandas Series, is converted element by element",
    "storage-larger": "a small view is copied with its whole storage",
    "repeated-copy": "the same unchanged source is copied repeatedly",
    "dtype-there-and-back": "values are converted to another dtype and back",
    "round-trip": "a conversion to the other library and back, unused in between",
    "readonly-dropped": "the source is read-only but the result, sharing its memory, is writable",
    "alias-written": "shared memory was modified through one of its names",
    "buffer-stored-twice": "a buffer was overwritten and shared again while an earlier result was still alive",
    "source-moved": "the memory of a tensor, array or buffer was moved or freed: what shared it points to freed memory",
    "loop-invariant": "a loop-invariant conversion: hoist it",
    "immutable-written": "an object of an immutable type was changed through a tensor that shares its memory",
}
"""The kinds of finding, in the order in which they are told."""

SORTS = {"bytes": "copied_bytes", "seconds": "seconds", "calls": "calls"}
"""What sites are sorted by: the word for it, and the fact of a site."""
