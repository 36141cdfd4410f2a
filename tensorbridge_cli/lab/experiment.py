"""What is asked of the lab, and the facts that come back piece by piece. Imports neither numpy nor torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from tensorbridge_cli.compat import dataclass
from tensorbridge_cli.records.enums import Direction, Origin, Stage, Values, Via, Write
from tensorbridge_cli.records.report import (
    Cell,
    Change,
    Crash,
    Evidence,
    Extents,
    Failure,
    Object,
    Observation,
    Raised,
    Relation,
    Seconds,
    Snapshot,
    Subject,
    Warned,
    Writes,
)
from tensorbridge_cli.subjects.files import FileSpec

LARGE = 64 << 20
"""Bytes of a subject from which on no second one is built beside it: it may not fit in memory."""

SMALL_SIDE = 4
"""The longest side of the small subject that is tried in place of a large one."""


def small(shape: Iterable[int]) -> tuple[int, ...]:
    """Return ``shape`` with no side longer than ``SMALL_SIDE``."""
    return tuple(min(n, SMALL_SIDE) for n in shape)


@dataclass(frozen=True, kw_only=True)
class Given:
    """An object that the user gave: one of a file, an expression, or the dotted name of an object.

    ``replica`` is the file that a live object's replica is built from, ``sampled`` where that is too large for all its
    values.
    ``subject`` and ``owner`` describe the live object: a replica's memory has another mapping and another owner.
    """

    origin: Origin
    text: str
    file: FileSpec | None = None
    replica: str | None = None
    sampled: bool = False
    subject: Subject | None = None
    owner: str | None = None

    @property
    def is_code(self) -> bool:
        """Whether building it runs code of the user's."""
        return self.origin is Origin.EXPRESSION or (self.origin is Origin.OBJECT and self.replica is None)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One conversion of one fresh subject. ``subject`` says what to generate, unless there is a ``given`` one.

    ``code`` is the call as an expression of ``x``; ``setup`` runs before it; ``needs`` names what a version may lack,
    ``same_dtype`` says that the code asks the target library for the source's dtype.
    ``then`` is a statement that runs after it, with the result as ``y``: it may rebind ``x``, and the two objects that
    the names then stand for are inspected and written to.
    ``snapshot`` is the number of elements up to which both objects are recorded in full after each step.
    ``own_code``: code of the user's is among it, which may change whatever it likes in its process.
    """

    conversion: str
    direction: Direction
    code: str
    setup: str
    subject: Subject
    given: Given | None
    to_dtype: str | None
    snapshot: int
    needs: str = ""
    same_dtype: bool = False
    then: str = ""
    own_code: bool = False


@dataclass(kw_only=True)
class Facts:
    """What is known so far of one experiment; sent after each stage, so that a crash loses only what followed."""

    subject: Subject
    source: Object | None = None
    result: Object | None = None
    extents: Extents = Extents(source=(), result=())
    warnings: tuple[Warned, ...] = ()
    error: Raised | None = None
    seconds: float | None = None
    values: Values = Values.UNKNOWN
    relation: Relation = Relation(same_pointer=None, same_storage=None, overlaps=None, overlap_bytes=None)
    source_to_result: Write = Write.NOT_TRIED
    result_to_source: Write = Write.NOT_TRIED
    via: Via = Via.ASSIGNMENT
    refusals: tuple[str, ...] = ()
    autograd_notices: bool | None = None
    cells: tuple[Cell, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    fill: str | None = None
    difference: str | None = None
    private_copy: str | None = None
    source_changes: tuple[Change, ...] = ()
    written_though_refused: tuple[Literal["source", "result"], ...] = ()
    global_state: tuple[str, ...] = ()
    libraries: tuple[tuple[str, str], ...] = ()


def observation(
    experiment: Experiment, facts: Facts, crash: Crash | None, failure: Failure | None = None
) -> Observation:
    """Put the facts together; where the process ended during a write, that write is ``crashed``.

    ``failure`` is that of the tool's own code.
    """
    died = crash is not None and not crash.timed_out
    stage = crash.stage if crash is not None and died else None
    return Observation(
        conversion=experiment.conversion,
        direction=experiment.direction,
        subject=facts.subject,
        to_dtype=experiment.to_dtype,
        writes=Writes(
            source_to_result=Write.CRASHED if stage is Stage.WRITE_SOURCE else facts.source_to_result,
            result_to_source=Write.CRASHED if stage is Stage.WRITE_RESULT else facts.result_to_source,
            via=facts.via,
            refusals=facts.refusals,
            autograd_notices=facts.autograd_notices,
            written_though_refused=facts.written_though_refused,
        ),
        values=facts.values,
        relation=facts.relation,
        source=facts.source,
        result=facts.result,
        warnings=facts.warnings,
        error=facts.error,
        crash=crash,
        internal_error=failure,
        global_state=facts.global_state,
        libraries=facts.libraries,
        evidence=Evidence(
            fill=facts.fill,
            cells=facts.cells,
            extents=facts.extents,
            snapshots=facts.snapshots,
            difference=facts.difference,
            private_copy=facts.private_copy,
        ),
        seconds=Seconds(convert=facts.seconds),
        source_changes=facts.source_changes,
    )


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What every process that experiments prepares: the user's set-up code, where files may be put, what to import."""

    setup: str
    scratch: Path
    folder: str
