"""Tables of TOML whose keys are named as the options are."""

from __future__ import annotations

import os
from pathlib import Path

from tensorbridge_cli.errors import RequestError

EXPECTATIONS = "expect"
"""The name of the tables of ``check``; it is not an option."""


def trouble(error: Exception) -> str:
    """Return what is wrong with a TOML file; its reader is recursive, so nesting is limited."""
    return (
        "it is nested too deeply"
        if isinstance(error, RecursionError)
        else getattr(error, "strerror", None) or str(error)
    )


def nearest(folder: Path) -> Path | None:
    """Return the pyproject.toml of ``folder``, or of the nearest one above it that has one."""
    files = (above / "pyproject.toml" for above in (folder, *folder.parents))
    return next((file for file in files if os.path.exists(file)), None)


def value(key: str, given: object, *, flag: bool, several: bool) -> bool | str | tuple[str, ...]:
    """Return a value of a file as the command line would give it: of a flag, of several values, or of one.

    Raises:
        RequestError: if it is of another kind.
    """
    if flag:
        if not isinstance(given, bool):
            raise RequestError(f"{key} = {given!r}: use true or false.")
        return given
    if several:
        # numbers are one shape, as 4,3 is on the command line; anything else is a list of values
        if isinstance(given, list) and not (given and all(isinstance(item, int) for item in given)):
            return tuple(_text(key, item) for item in given)
        return (_text(key, given),)
    return _text(key, given)


def _text(key: str, value: object) -> str:
    if isinstance(value, list) and all(isinstance(item, int) for item in value):
        return ",".join(map(str, value)) or "()"
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    raise RequestError(f"{key} = {value!r}: use a string or a number.")
