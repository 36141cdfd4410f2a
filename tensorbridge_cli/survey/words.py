"""How lists and shapes are written, in an option, a TOML table and the Python API."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from tensorbridge_cli.errors import RequestError

_TOO_MANY = 2**60


def split(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the names in comma lists, in order, each once."""
    return tuple(dict.fromkeys(name.strip() for text in texts for name in _outside_brackets(text) if name.strip()))


def _outside_brackets(text: str) -> list[str]:
    """Split at commas, but not within brackets: a structured dtype has its own."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def shape(text: str) -> tuple[int, ...]:
    """Return the shape that a user wrote: ``4,3``, ``2x3x4``, ``(4,)``, or ``()`` or nothing for 0-d.

    Raises:
        RequestError: if it is none.
    """
    inner = text.strip()
    if inner[:1] + inner[-1:] in ("()", "[]"):
        inner = inner[1:-1].strip().removesuffix(",")
    dimensions = []
    for part in re.split(r",|(?<=\d)[x×](?=\d)", inner) if inner else ():
        try:
            dimensions.append(int(part))
        except ValueError:
            raise RequestError(
                f"shape {text!r}: {part.strip()!r} is not an integer; specify a shape such as 4,3 or 2x3x4."
            ) from None
    if min(dimensions, default=0) < 0:
        raise RequestError(f"shape {text!r}: {min(dimensions)} is negative; dimensions are 0 or more.")
    if math.prod(dimensions) > _TOO_MANY:
        raise RequestError(f"shape {text!r} has more elements than memory can address; specify a smaller shape.")
    return tuple(dimensions)
