"""Read TOML: with the standard library from Python 3.11 on, before with ``tomli``, of which that is a copy."""

from __future__ import annotations

import sys
from typing import Any

if sys.version_info >= (3, 11):
    from tomllib import TOMLDecodeError, loads
else:
    from tomli import TOMLDecodeError, loads

__all__ = ["TOMLDecodeError", "read"]


def read(contents: bytes) -> dict[str, Any]:
    """Return what is in a TOML file, which editors on Windows begin with a byte order mark.

    Raises:
        ValueError: if it is not TOML, or not UTF-8.
    """
    return loads(contents.decode("utf-8-sig"))
