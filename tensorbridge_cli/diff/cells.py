"""The cells of a report or a snapshot, and what changed between two of them.

A cell is one conversion of one subject. What is compared is what a user would notice and what does not vary from run
to run: no pointer, no time, no message of an exception.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from tensorbridge_cli.records.enums import Direction
from tensorbridge_cli.records.report import Subject

SCHEMA: Literal["tensorbridge.diff/1"] = "tensorbridge.diff/1"
NOTHING = "-"
"""What stands for a fact that there is none of: no hazard, no error, no result."""

Facts = Mapping[str, str]


AXES = ("shape", "dtype", "layout", "state", "device", "given", "to_dtype")
"""What the source of a cell, and the dtype that it is converted to, are known by; see ``Key.at``."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """The key of a cell."""

    conversion: str
    direction: Direction
    to_dtype: str | None
    subject: Subject

    def at(self, axis: str) -> object:
        """Return the value of one of ``AXES``."""
        return self.to_dtype if axis == "to_dtype" else getattr(self.subject, axis)


@dataclass(frozen=True, kw_only=True)
class LibraryVersions:
    """What one side ran on; a snapshot does not tell the platform, which varies with every kernel."""

    tensorbridge: str
    python: str
    numpy: str
    torch: str | None
    platform: str | None = None


@dataclass(frozen=True, kw_only=True)
class FactChange:
    """One fact of a cell that changed."""

    about: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Changed:
    """A cell that both sides have, and what changed in it."""

    cell: Key
    changes: tuple[FactChange, ...]


@dataclass(frozen=True, kw_only=True)
class Alone:
    """A cell that one side has, with its outcome, and what the other says of it, if anything."""

    cell: Key
    outcome: str
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Count:
    """In how many cells the same change was found."""

    change: FactChange
    cells: int


Kind = Literal["worse", "better", "other", "exception"]
KINDS: tuple[Kind, ...] = ("worse", "better", "other", "exception")
"""``exception``: both sides raise, and only the type of the exception is another one."""


@dataclass(frozen=True, kw_only=True)
class AxisValues:
    """Which values of one axis the sources of a group have; ``every``: all that were tried, and more than one."""

    axis: str
    values: tuple[str, ...]
    every: bool


@dataclass(frozen=True, kw_only=True)
class Named:
    """A conversion, and its direction."""

    conversion: str
    direction: Direction


@dataclass(frozen=True, kw_only=True)
class Group:
    """Conversions that changed in the same way on the same sources.

    ``product``: the sources are all combinations of ``sources`` that were tried. Otherwise each of ``sources`` stands
    for the cells in which the other axes have their usual value, and ``more`` counts the cells of a conversion that
    are none of these.
    """

    conversions: tuple[Named, ...]
    cells: int
    sources: tuple[AxisValues, ...]
    product: bool
    more: int = 0


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way in which cells changed. ``changes`` are those facts from which the others follow."""

    kind: Kind
    changes: tuple[FactChange, ...]
    cells: int
    groups: tuple[Group, ...]


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """Cells that only one side has, with one outcome and for one reason.

    ``reason`` is what the other side says of them. ``axis`` and ``value`` are a conversion, a dtype or
    another value that no cell of the other side has.
    """

    outcome: str
    reason: str | None
    axis: str | None
    value: str | None
    cells: int
    groups: tuple[Group, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What changed from one side to the other; ``subjects``: in what the sources of all cells differ, see ``across``.

    A cell is named by its source of the first side. ``ways`` are the changes, ``gone_for`` and ``new_for`` the cells
    of one side, each put together.
    """

    schema: Literal["tensorbridge.diff/1"]
    before: LibraryVersions
    after: LibraryVersions
    changed: tuple[Changed, ...]
    gone: tuple[Alone, ...]
    new: tuple[Alone, ...]
    counts: tuple[Count, ...]
    same: int
    subjects: tuple[FactChange, ...] = ()
    ways: tuple[Way, ...] = ()
    gone_for: tuple[Arrival, ...] = ()
    new_for: tuple[Arrival, ...] = ()

    def differs(self, *, strict: bool = False) -> bool:
        """Return True if a cell changed; ``strict``: or is gone, or new."""
        return bool(self.changed or (strict and (self.gone or self.new)))


@dataclass(frozen=True)
class Recording:
    """One side: the facts of each cell, and why other cases were not tried."""

    versions: LibraryVersions
    cells: Mapping[Key, Facts]
    not_applicable: Mapping[tuple[str, Subject], str]


A_LINE = re.compile(r"(?<![\w.])x(?![\w=])")
"""The source in a line of the user's own; no entry of the catalogue has it in its name."""


def function_of(conversion: str) -> str:
    """Return the function that a conversion calls; a line of the user's own is a function of its own."""
    return conversion if A_LINE.search(conversion) else conversion.partition("(")[0]


def text(fact: object) -> str:
    """Return ``fact`` as a snapshot has it."""
    if isinstance(fact, tuple):
        return _joined(fact)
    return NOTHING if fact is None else str(fact).lower() if isinstance(fact, bool) else str(fact)


@cache  # a report of 60,000 rows has some hundred shapes and strides
def _joined(lengths: tuple[int, ...]) -> str:
    return ",".join(map(str, lengths)) or "()"
