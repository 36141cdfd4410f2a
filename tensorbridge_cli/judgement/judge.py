"""An observation compared with its expectation: the outcome, the hazards, the verdict.

Writes come first; addresses support or contradict. Sees records only, never an object.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

from tensorbridge_cli.catalog import hazards
from tensorbridge_cli.catalog.entry import THE_SOURCES, UNDEFINED
from tensorbridge_cli.compat import values
from tensorbridge_cli.records.enums import Expected, Outcome, Stage, Values, Verdict, Write
from tensorbridge_cli.records.report import Clause, Contract, Expectation, Extent, Observation, Promise, Row, united

_WORST = (Verdict.BROKEN, Verdict.UNTESTED, Verdict.KEPT, Verdict.UNDEFINED)


def judge(
    observation: Observation, expectation: Expectation, copy: bool | None = None, changes: tuple[str, ...] = ()
) -> Row:
    """Return the row of ``observation``.

    ``copy`` is the keyword that the conversion was called with; ``changes`` is what it is there to change (``dtype``,
    ``shape``, ``values``), so that a change of it is not a hazard.
    """
    result = outcome(observation)
    fields = values(observation) | {
        "outcome": result,
        "copied_bytes": _copied_bytes(observation, result),
        "contract": contract(observation, result, expectation),
        "remedy": None,
    }
    row = Row(**fields, hazards=())
    seen = hazards.detect(row, copy, changes)
    return Row(**fields, hazards=seen) if seen else row


def unjudged(observation: Observation) -> Row:
    """Return the row of an observation in which the tool itself failed: it is not judged."""
    return Row(
        **values(observation),
        outcome=Outcome.INTERNAL_ERROR,
        copied_bytes=None,
        hazards=(),
        contract=Contract(expected=None, verdict=Verdict.UNTESTED, citation=None, clauses=()),
        remedy=None,
    )


def outcome(observation: Observation) -> Outcome:
    """Return what the conversion did to the memory of its source, from the writes first."""
    if observation.internal_error is not None:
        return Outcome.INTERNAL_ERROR
    crash = observation.crash
    # a crash that did not repeat: the second run counts, if it finished
    ended = observation.error is not None or observation.result is not None
    repeats = crash is not None and (crash.confirmed is not False or not ended)
    if crash is not None and repeats and crash.stage in (Stage.BUILD, Stage.CONVERT, Stage.OBSERVE):
        if crash.timed_out:
            return Outcome.TIMED_OUT
        # a crash while the source was built, or while it was inspected, is not the conversion's
        return Outcome.CRASHED if crash.stage is Stage.CONVERT else Outcome.UNDECIDABLE
    if observation.error is not None:
        return Outcome.REFUSED
    if _has_no_bytes(observation) or not _is_filled(observation):
        return Outcome.UNDECIDABLE
    writes = {observation.writes.source_to_result, observation.writes.result_to_source}
    if Write.SEEN in writes:
        return Outcome.SHARED
    if observation.relation.overlaps and observation.relation.overlaps_after_writes is not False:
        return Outcome.SHARED
    if Write.NOT_SEEN in writes:
        return Outcome.COPIED
    if observation.relation.overlaps is not None and not _store_nothing(observation):
        return Outcome.SHARED if observation.relation.overlaps else Outcome.COPIED
    # one object under two names, though its bytes have no address
    if observation.relation.same_object and observation.values is not Values.UNKNOWN:
        return Outcome.SHARED
    return Outcome.UNDECIDABLE


def _has_no_bytes(observation: Observation) -> bool:
    return any(
        obj is not None and obj.shape is not None and 0 in obj.shape for obj in (observation.source, observation.result)
    )


def _store_nothing(observation: Observation) -> bool:
    """Return True if the parts of both objects are empty: those of a sparse tensor of zeros, whatever its shape."""
    extents = (*observation.evidence.extents.source, *observation.evidence.extents.result)
    return bool(extents) and all(0 in extent.shape for extent in extents)


def _is_filled(observation: Observation) -> bool:
    return observation.result is None or observation.result.filled is not False


def _copied_bytes(observation: Observation, result: Outcome) -> int | None:
    """Return how many bytes were copied: what was allocated for the result, and what the source was moved by."""
    moved = sum(change.copied_bytes for change in observation.source_changes)
    if result is Outcome.SHARED:
        return moved
    if result is not Outcome.COPIED or observation.result is None:
        return moved or None
    ours, theirs = _storages(observation.evidence.extents.source), _storages(observation.evidence.extents.result)
    own = [(start, stop) for start, stop in theirs if not any(start < high and low < stop for low, high in ours)]
    if own:
        return moved + sum(stop - start for start, stop in own)
    # no part of it has an address; or the copy lies in another part of the source's own storage
    return None if observation.result.nbytes is None else moved + observation.result.nbytes


def _storages(extents: Iterable[Extent]) -> list[tuple[int, int]]:
    """Return where the storages lie, each once; several parts of an object mostly lie in one."""
    return united({(int(one.storage_start, 16), int(one.storage_stop, 16)) for one in extents})


def contract(observation: Observation, result: Outcome, expectation: Expectation) -> Contract:
    """Compare what happened with what was promised; the verdict is that of the worst clause.

    What exception a refusal raises is promised of refusals only: if nothing was raised the clause is left out.
    """
    clauses = tuple(
        clause
        for clause in (
            clause_for(promise, observed(promise.about, observation, result)) for promise in expectation.promises
        )
        if not (clause.about == "exception" and clause.observed is None)
    )
    documented = [promise for promise in expectation.promises if promise.absent is None]
    outcomes = [promise for promise in documented if promise.about == "outcome"]
    cited = outcomes or documented
    return Contract(
        expected=Expected(outcomes[0].expected) if outcomes else None,
        verdict=worst(clause.verdict for clause in clauses),
        citation=cited[0].citation if cited else None,
        clauses=clauses,
    )


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of a contract from those of its clauses."""
    present = set(verdicts)
    return next((verdict for verdict in _WORST if verdict in present), Verdict.UNDOCUMENTED)


def observed(about: str, observation: Observation, result: Outcome) -> str | None:
    """Return the observed value for a clause; ``None`` if it could not be observed."""
    return _OBSERVED[about](observation, result)


_UNDECIDED = (Outcome.UNDECIDABLE, Outcome.TIMED_OUT, Outcome.INTERNAL_ERROR)


def clause_for(promise: Promise, actual: str | None) -> Clause:
    """Hold ``promise`` against the ``actual`` fact; ``None``: it could not be observed."""
    is_kept = promise.expected == actual or (
        promise.expected == Expected.SHARED_OR_COPIED and actual in (Outcome.SHARED, Outcome.COPIED)
    )
    if promise.absent is not None:
        verdict = Verdict.UNDOCUMENTED
    elif actual is None:
        verdict = Verdict.UNTESTED
    elif promise.expected == UNDEFINED:
        verdict = Verdict.UNDEFINED
    else:
        verdict = Verdict.KEPT if is_kept else Verdict.BROKEN
    return Clause(
        about=promise.about,
        expected=promise.expected,
        observed=actual,
        verdict=verdict,
        citation=promise.citation,
        sentence=promise.sentence,
        reason=promise.absent,
    )


def _flag(value: bool | None, true: str, false: str) -> str | None:
    return None if value is None else true if value else false


_COPIES = {Outcome.COPIED: "copy", Outcome.SHARED: "no copy"}
_SAME_VALUES = {Values.EQUAL: "equal", Values.SAMPLED_EQUAL: "equal", Values.CHANGED: "changed"}

_WRITES = {Write.SEEN: True, Write.NOT_SEEN: False}


def _call(observation: Observation, outcome: Outcome) -> str | None:
    """Tell whether the conversion accepted its source."""
    if outcome in (Outcome.CRASHED, Outcome.REFUSED):
        return str(outcome)
    return "accepted" if observation.result is not None else None


def _writes(observation: Observation, outcome: Outcome) -> str | None:
    """Tell whether the writes that were possible show on the other side."""
    shown = [
        _WRITES[write]
        for write in (observation.writes.source_to_result, observation.writes.result_to_source)
        if write in _WRITES
    ]
    return _flag(all(shown) if shown else None, "seen", "not seen")


def _write_to_the_result(observation: Observation, outcome: Outcome) -> str | None:
    write = observation.writes.result_to_source
    if write is Write.CRASHED and observation.crash is not None:
        return f"crashed ({observation.crash.signal or f'exit code {observation.crash.exit_code}'})"
    return None if write is Write.NOT_TRIED else write.replace("-", " ")


def _contiguity(observation: Observation, outcome: Outcome) -> str | None:
    """Tell whether the elements of the result lie one after the other, the last dimension fastest."""
    result = observation.result
    if result is None or result.strides is None or not result.shape or not result.nbytes:
        return "row-major" if result is not None and result.shape == () else None
    step = result.nbytes // math.prod(result.shape)
    for length, stride in zip(reversed(result.shape), reversed(result.strides), strict=True):
        if length > 1 and stride != step:
            return "not row-major"
        step *= length
    return "row-major"


def _strides(observation: Observation, outcome: Outcome) -> str | None:
    source, result = observation.source, observation.result
    if source is None or result is None or None in (source.strides, result.strides):
        return None
    return _flag(source.strides == result.strides, THE_SOURCES, "others")


def _dimensions(observation: Observation, outcome: Outcome) -> str | None:
    return str(len(observation.result.shape)) if observation.result and observation.result.shape is not None else None


def _warning(observation: Observation, outcome: Outcome) -> str | None:
    if observation.result is None and observation.error is None:
        return None
    return ", ".join(dict.fromkeys(warned.category for warned in observation.warnings)) or "none"


def _elements(observation: Observation, outcome: Outcome) -> str | None:
    count = observation.relation.shared_objects
    return None if count is None else _flag(count > 0, "the same objects", "other objects")


_OBSERVED: dict[str, Callable[[Observation, Outcome], str | None]] = {
    "outcome": lambda observation, outcome: None if outcome in _UNDECIDED else outcome,
    "copy": lambda observation, outcome: _COPIES.get(outcome),
    "dtype": lambda observation, outcome: observation.result.dtype if observation.result else None,
    "type": lambda observation, outcome: observation.result.type if observation.result else None,
    "values": lambda observation, outcome: _SAME_VALUES.get(observation.values),
    "object": lambda observation, outcome: _flag(observation.relation.same_object, "the same", "another"),
    "writable": lambda observation, outcome: (
        _flag(observation.result.writable, "writable", "read-only") if observation.result else None
    ),
    "requires-grad": lambda observation, outcome: (
        _flag(observation.result.requires_grad, "true", "false") if observation.result else None
    ),
    "owner": lambda observation, outcome: _flag(observation.relation.owner_kept, "kept", "lost"),
    "exception": lambda observation, outcome: observation.error.type if observation.error else None,
    "call": _call,
    "writes": _writes,
    "write to the result": _write_to_the_result,
    "contiguity": _contiguity,
    "strides": _strides,
    "dimensions": _dimensions,
    "leaf": lambda observation, outcome: (
        _flag(observation.result.is_leaf, "a leaf", "not a leaf") if observation.result else None
    ),
    "device": lambda observation, outcome: observation.result.device if observation.result else None,
    "elements": _elements,
    "warning": _warning,
}
"""What a clause is about, and what was observed of it; ``None`` if that could not be observation."""


def benefit_of_doubt(row: Row) -> Row:
    """Take back a breach that did not repeat in a process of its own: it was not tested."""
    clauses = tuple(
        replace(clause, verdict=Verdict.UNTESTED) if clause.verdict is Verdict.BROKEN else clause
        for clause in row.contract.clauses
    )
    return replace(row, contract=replace(row.contract, verdict=Verdict.UNTESTED, clauses=clauses))
