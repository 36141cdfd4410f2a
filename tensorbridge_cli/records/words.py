"""Words of sentences, and how one is composed of a name."""

from __future__ import annotations

NO_TORCH = "PyTorch is not installed"
"""Why a conversion from, to or within PyTorch is not applicable in an environment that has NumPy alone."""


def with_article(name: str) -> str:
    """Return ``an int`` or ``a list``; a ``u`` is read as in ``uint8``, and h5py by its letters."""
    return f"{'an' if name.lower().startswith(('a', 'e', 'i', 'o', 'h5')) else 'a'} {name}"
