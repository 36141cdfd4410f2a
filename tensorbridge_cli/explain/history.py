"""What changed for a conversion from one recorded pair of versions to the next; ``docs/atlas/make.py`` writes it down.

These are recordings of other versions. What is said of the installed ones is always an experiment.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FILE = Path(__file__).parent / "history.json"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The versions of one recording."""

    python: str
    numpy: str
    torch: str

    @property
    def order(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the sort key of the pair: older versions come first."""
        return release(self.torch), release(self.numpy)


@dataclass(frozen=True, kw_only=True)
class Event:
    """One change of a conversion or a dtype.

    Attributes:
        name: the conversion, or the dtype.
        since: the index of the first pair that has it.
        kind: whether it is for the worse; ``new`` if the pair before has nothing of that name.
        direction: the direction of the conversion, e.g. ``numpy-to-torch``.
        change: what changed, e.g. ``memory crashed (SIGABRT) → refused (RuntimeError)``.
        sources: with which sources, e.g. ``layout reversed``.
    """

    name: str
    since: int
    kind: Literal["worse", "better", "other", "new"]
    direction: str = ""
    change: str = ""
    sources: str = ""


@dataclass(frozen=True, kw_only=True)
class VersionHistory:
    """All pairs, oldest first, and what changed between neighbours."""

    pairs: tuple[Pair, ...]
    events: tuple[Event, ...]

    def of(self, name: str) -> Iterator[tuple[str, list[str]]]:
        """Yield what changed for a conversion or a dtype, oldest first: between which versions, and what, in words."""
        for since, events in itertools.groupby(self.events, lambda event: event.since):
            if changes := [_words(event) for event in events if event.name == name]:
                yield self._step(since), changes

    def neighbours(self, torch: str) -> dict[str, str]:
        """Return how a version of torch differs from those that were recorded before and after it.

        Returns:
            ``from older`` and ``to newer`` with the versions and the number of changes; ``between`` if this one was not
            recorded. What there is no recording for is left out.
        """
        minors = [release(pair.torch)[:2] for pair in self.pairs]
        mine = release(torch)[:2]
        after = sum(minor < mine for minor in minors)
        steps = {"from older": after, "to newer": after + 1} if mine in minors else {"between": after}
        return {name: self._count(since) for name, since in steps.items() if 0 < since < len(self.pairs)}

    def _count(self, since: int) -> str:
        kinds = Counter(event.kind for event in self.events if event.since == since)
        counts = ", ".join(f"{kinds[kind]} {kind}" for kind in _KINDS if kinds[kind])
        return f"{self._step(since)}: {counts or 'no change'}"

    def _step(self, since: int) -> str:
        """Return ``torch 2.12.0 → 2.13.0, numpy 2.4.4 → 2.4.6``, without what is the same."""
        before, after = self.pairs[since - 1], self.pairs[since]
        versions = {"torch": (before.torch, after.torch), "numpy": (before.numpy, after.numpy)}
        return ", ".join(f"{name} {then} → {now}" for name, (then, now) in versions.items() if then != now)


_KINDS: tuple[Literal["worse", "better", "other", "new"], ...] = ("worse", "better", "other", "new")
"""The kinds of an event in the order in which they are counted."""


def _words(event: Event) -> str:
    if event.kind == "new":
        return "new"
    return f"{event.change} ({event.direction.replace('-to-', '→')}: {event.sources})"


@functools.cache
def recorded() -> VersionHistory:
    """Return the history that comes with this package."""
    import msgspec  # not needed to start

    return msgspec.json.decode(FILE.read_bytes(), type=VersionHistory)


def release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, without what follows them: (2, 13, 0) of ``2.13.0+cpu``."""
    numbers = []
    for part in version.partition("+")[0].split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)
