"""The old names of layouts and states, accepted for one release: what a user types, and what was saved, may have them.

An entry goes when its release is over; see ``docs/versioning.md``.
"""

from __future__ import annotations

import functools

NAMES = {
    "strided": "non-contiguous",  # torch.strided is every dense tensor
    "negative": "reversed",
    "neg": "negative-bit",
    "conj": "conjugate-bit",
}


@functools.cache
def current(name: str) -> str:
    """Return a layout or state, words joined by ``+``, with each old word replaced."""
    words = name.split("+")
    return "+".join(sorted(NAMES.get(word, word) for word in words)) if NAMES.keys() & set(words) else name
