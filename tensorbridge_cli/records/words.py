"""Words of sentences that are composed of a name."""

from __future__ import annotations


def with_article(name: str) -> str:
    """Return ``an int`` or ``a list``; a ``u`` is read as in ``uint8``."""
    return f"{'an' if name[:1].lower() in tuple('aeio') else 'a'} {name}"
