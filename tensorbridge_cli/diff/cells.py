"""The cells of a report or a snapshot, and what changed between two of them.

A cell is one conversion of one subject. What is compared is what a user would notice and what does not vary from run
to run: no pointer, no time, no message of an exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from tensorbridge_cli.records.report import Direction, Subject

SCHEMA: Literal["tensorbridge.diff/1"] = "tensorbridge.diff/1"
NOTHING = "-"
"""What stands for a fact that there is none of: no hazard, no error, no result."""

Facts = Mapping[str, str]


class Key(Struct, frozen=True, kw_only=True):
    """What a cell is known by."""

    conversion: str
    direction: Direction
    to_dtype: str | None
    subject: Subject


class Versions(Struct, frozen=True, kw_only=True):
    """What one side ran on; a snapshot does not tell the platform, which varies with every kernel."""

    tensorbridge: str
    python: str
    numpy: str
    torch: str
    platform: str | None = None


class Change(Struct, frozen=True, kw_only=True):
    """One fact of a cell that is another one now."""

    about: str
    before: str
    after: str


class Changed(Struct, frozen=True, kw_only=True):
    """A cell that both sides have, and what changed in it."""

    cell: Key
    changes: tuple[Change, ...]


class Alone(Struct, frozen=True, kw_only=True):
    """A cell that one side has, with its outcome, and what the other says of it, if anything."""

    cell: Key
    outcome: str
    reason: str | None


class Count(Struct, frozen=True, kw_only=True):
    """In how many cells the same change was found."""

    change: Change
    cells: int


class Comparison(Struct, frozen=True, kw_only=True):
    """What changed from one side to the other; ``subjects``: in what the sources of all cells differ, see ``across``.

    A cell is named by its source of the first side.
    """

    schema: Literal["tensorbridge.diff/1"]
    before: Versions
    after: Versions
    changed: tuple[Changed, ...]
    gone: tuple[Alone, ...]
    new: tuple[Alone, ...]
    counts: tuple[Count, ...]
    same: int
    subjects: tuple[Change, ...] = ()

    def differs(self, *, strict: bool = False) -> bool:
        """Tell whether a cell changed; ``strict``: or is gone, or new."""
        return bool(self.changed or (strict and (self.gone or self.new)))


@dataclass(frozen=True)
class Recording:
    """One side: the facts of each cell, and why other cases were not tried."""

    versions: Versions
    cells: Mapping[Key, Facts]
    not_applicable: Mapping[tuple[str, Subject], str]


def text(fact: object) -> str:
    """Return ``fact`` as a snapshot has it."""
    if isinstance(fact, tuple):
        return ",".join(map(str, fact)) or "()"
    return NOTHING if fact is None else str(fact).lower() if isinstance(fact, bool) else str(fact)
