"""What is remembered of one call that was looked at, and where in the program it stood."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

from tensorbridge_cli.compat import dataclass
from tensorbridge_cli.tracing.inside.evidence import Header, Immutable, Resizable, StorageWrites, TensorHeader
from tensorbridge_cli.tracing.inside.fingerprint import Fingerprint
from tensorbridge_cli.tracing.inside.records import Place
from tensorbridge_cli.tracing.inside.sites import CountedSite

DEPTH = 16
"""The program's functions that run within each other, of which is remembered who called whom."""

_Running = tuple[str, str, int, int]
"""The file of a function that runs, its name, its first line, and the line that it is at."""


@dataclass(eq=False, slots=True)
class RecordedCall:
    """One call that was looked at.

    Attributes:
        held: References to the source that are not the call's own.
        alone: Whether nobody but the call held the source's memory: it is gone since, if the result does not hold it.
        header: By which a source that owns its memory is known to be gone.
        view: By which a result that is a view, as all arrays over a tensor are, is known to live.
        writes: What counts the writes to a result, also after it is gone.
        chained: Whether source and result are tensors of one storage, which nothing else held when the call was made
            (``t.reshape(2, 2)`` of what a conversion made before): while the storage lives, one of the two is held.
        settled: Whether what became of it has been noted.
        immutable: The source, if its library calls it immutable and no write to it has been noted.
        resizable: The source, if it can be resized under the result and no such thing has been noted.
        at: The ``id`` of the source, and of the result.
        kept: The result, if it is the source, a view that was made for the call: ``w.detach().cpu()``; or if it is a
            view of a tensor whose memory something else holds: ``w.detach().flatten()``.
        stack: The program's functions that were running, from the outside in (see ``stack_of``).
        alike: The tensors that show the elements of the result, at most (see ``History``); 0 if not counted.
    """

    site: CountedSite
    outcome: str
    source: Fingerprint
    result: Fingerprint
    same: bool
    held: int
    alone: bool
    header: Header | None
    view: weakref.ref[Any] | None
    writes: StorageWrites | None
    chained: bool = False
    settled: bool = False
    immutable: Immutable | None = None
    resizable: Resizable | None = None
    at: tuple[int, int] = (0, 0)
    kept: TensorHeader | None = None
    stack: tuple[_Running, ...] = ()
    alike: int = 0

    @property
    def alive(self) -> bool | None:
        """Whether the result lives; None if nothing proves either."""
        if self.view is not None:
            return self.view() is not None
        storage = self.result.storage
        if self.result.kind == "tensor" and storage is not None and storage is not self.source.storage:
            return storage.alive
        if self.chained and storage is not None:
            return storage.alive
        return None

    def is_of(self, earlier: RecordedCall) -> bool:
        """Return True if it converts what ``earlier`` gave: that it lives is expected."""
        return earlier.view is None and earlier.result.storage is self.source.storage is not None

    @property
    def written(self) -> bool:
        """Return True if torch is known to have written to the result since."""
        return self.writes is not None and self.writes.count > 0


def stack_of(ours: Callable[[FrameType], bool]) -> tuple[_Running, ...]:
    """Return the program's functions that run, from the outside in; nothing if they are too many."""
    frame: FrameType | None = sys._getframe(1)
    found: list[_Running] = []
    while frame is not None and len(found) <= DEPTH:
        code = frame.f_code
        if ours(frame):
            found.append((code.co_filename, code.co_name, code.co_firstlineno, frame.f_lineno))
        frame = frame.f_back
    return tuple(reversed(found)) if len(found) <= DEPTH else ()


def parting(earlier: RecordedCall, call: RecordedCall) -> Place | None:
    """Return the two lines of one function that led to two calls; None if the same line led to both."""
    for depth, (then, now) in enumerate(zip(earlier.stack, call.stack)):
        if then[:3] != now[:3]:
            return None
        if then != now:
            stacks = (one.stack[depth + 1 :] for one in (earlier, call))
            through = tuple(next((name for _, name, *_ in stack if name.isidentifier()), "") for stack in stacks)
            return replace(place_of(call.site), file=then[0], line=then[3], until=now[3], through=through)
    return None


def place_of(site: CountedSite) -> Place:
    """Return the line of a site, as a note names it."""
    return Place(file=site.file, line=site.span[0], conversion=site.conversion)


def at_one_place(one: CountedSite, other: CountedSite) -> bool:
    """Return True if two sites are in one line of the user's, where a library may have made either."""
    return (one.file, one.span[0]) == (other.file, other.span[0]) or bool(one.via or other.via)
