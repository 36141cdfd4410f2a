"""Words of sentences that are composed of a name."""

from __future__ import annotations


def with_article(name: str) -> str:
    """Return ``an int`` or ``a list``; a ``u`` is read as in ``uint8``, and h5py by its letters."""
    return f"{'an' if name.lower().startswith(('a', 'e', 'i', 'o', 'h5')) else 'a'} {name}"
