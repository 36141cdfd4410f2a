"""What is to be inspected, as it is written: see ``request`` for what it is read into.

The command line, a TOML table and the Python API each fill in a ``RequestText``: a word means the same wherever it is
written. No other module of this package is imported here, as every command has these options.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum

from tensorbridge_cli.errors import RequestError

WANTED = ("shared", "copied")
"""The outcomes for which code can be asked."""


class SetIn(IntEnum):
    """Where the value of an option was set; of two that contradict each other, the smaller wins."""

    COMMAND_LINE = 0
    ENVIRONMENT = 1
    PYPROJECT = 2
    NOWHERE = 3


@dataclass(frozen=True, kw_only=True)
class RequestText:
    """A request as it is written, before it is checked; each field is named and written as the option is.

    ``set_in`` says where a field was set, if that is known: what was typed wins over a default that is set elsewhere.
    """

    conversion: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    all: bool = False
    want: str | None = None
    shape: tuple[str, ...] = ()
    dtype: tuple[str, ...] = ()
    layout: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    library: str | None = None
    device: str = "cpu"
    file: str | None = None
    expr: str | None = None
    object: str | None = None
    to_dtype: str | None = None
    direction: str | None = None
    plugin: tuple[str, ...] = ()
    python: tuple[str, ...] = ()
    timeout: float = 10.0
    force: bool = False
    set_in: Mapping[str, SetIn] = field(default_factory=dict)

    def where(self, name: str) -> SetIn:
        """Return where the option called ``name`` was set."""
        return self.set_in.get(name, SetIn.NOWHERE)

    def is_set(self, name: str) -> bool:
        """Return True if the option called ``name`` has a value that is not its default."""
        return bool(getattr(self, name)) and self.where(name) is not SetIn.NOWHERE

    def is_typed(self, name: str) -> bool:
        """Return True if ``is_set``, and on the command line or in the environment."""
        return bool(getattr(self, name)) and self.where(name) <= SetIn.ENVIRONMENT


SELECTING = (
    "conversion",
    "code",
    "group",
    "all",
    "shape",
    "dtype",
    "layout",
    "state",
    "library",
    "device",
    "file",
    "expr",
    "object",
    "to_dtype",
    "direction",
)
"""The fields of a ``RequestText`` that select experiments; also the keys of an expectation in a TOML file."""


def seconds(given: object, name: str) -> float:
    """Return the time limit that a user gave as the option or argument ``name``.

    Raises:
        RequestError: if it is not a number of seconds that can pass.
    """
    with suppress(TypeError, ValueError):
        if 0 < (number := float(given)) < _AGES:  # type: ignore[arg-type]
            return number
    raise RequestError(f"{name}: specify the time limit per experiment in seconds, e.g. 10 or 0.5.")


_AGES = 1e6


def option(name: str) -> str:
    """Return how the option called ``name`` is typed."""
    return "CONVERSION" if name == "conversion" else f"--{name.replace('_', '-')}"
