"""Words of sentences, how one is composed of a name, and a command as it is typed."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

NO_TORCH = "PyTorch is not installed"
"""Why a conversion from, to or within PyTorch is not applicable in an environment that has NumPy alone."""


def with_article(name: str) -> str:
    """Return ``an int`` or ``a list``; a ``u`` is read as in ``uint8``, and h5py and xarray by their letters."""
    return f"{'an' if name.lower().startswith(('a', 'e', 'i', 'o', 'h5', 'xa')) else 'a'} {name}"


def amount(number: int, noun: str) -> str:
    """Return ``1 byte`` or ``2,000 bytes``, also of several words: ``3 more lines``."""
    ending = "es" if noun.endswith(("s", "sh")) else "s"
    return f"{number:,} {noun}{ending * (number != 1)}"


def listed(names: Sequence[str], most: int) -> str:
    """Return names with commas between them; of more than ``most`` the first, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def shell_line(words: Iterable[str]) -> str:
    """Return a command as it is typed: each word in quotes that needs them, in double ones where it has single ones.

    ``"f('x')"`` is easier to read than what ``shlex.join`` makes of it, which a shell takes for the same.
    """
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    return f'"{word}"' if "'" in word and _IN_DOUBLE_QUOTES.isdisjoint(word) else shlex.quote(word)


_IN_DOUBLE_QUOTES = frozenset('"$`\\!')
"""What a shell does not take literally there; ``!`` is history where somebody types."""
