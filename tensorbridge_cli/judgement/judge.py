"""An observation held against its expectation: the outcome, the hazards, the verdict.

Writes come first; addresses support or contradict. Sees records only, never an object.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import msgspec

from tensorbridge_cli.catalog.rules import THE_SOURCES, UNDEFINED
from tensorbridge_cli.records.report import (
    Clause,
    Contract,
    Expectation,
    Expected,
    Hazard,
    HazardCode,
    Observation,
    Outcome,
    Promise,
    Row,
    Stage,
    Values,
    Verdict,
    Write,
)

_WORST = (Verdict.BROKEN, Verdict.UNTESTED, Verdict.KEPT, Verdict.UNDEFINED)
_PLAIN_TYPES = frozenset({"numpy.ndarray", "numpy.memmap", "numpy.ma.MaskedArray", "torch.Tensor"})


_MEANT = {
    HazardCode.SHAPE_CHANGED: {"shape"},
    HazardCode.DTYPE_CHANGED: {"dtype"},
    HazardCode.DTYPE_REINTERPRETED: {"dtype"},
    HazardCode.VALUES_CHANGED: {"values", "dtype"},
}
"""What a conversion may be there to change, by the hazard that the change would be otherwise."""


def judge(
    observation: Observation, expectation: Expectation, copy: bool | None = None, changes: tuple[str, ...] = ()
) -> Row:
    """Return the row that ``observation`` amounts to.

    ``copy`` is the keyword that the conversion was called with; ``changes`` is what it is there to change (``dtype``,
    ``shape``, ``values``), so that a change of it is no hazard.
    """
    result = outcome(observation)
    copied = observation.result.nbytes if observation.result is not None else None
    return Row(
        **{name: getattr(observation, name) for name in observation.__struct_fields__},
        outcome=result,
        copied_bytes=copied if result is Outcome.COPIED else 0 if result is Outcome.SHARED else None,
        hazards=tuple(
            Hazard(code=code, detail=detail)
            for code, detail in _hazards(observation, result, copy)
            if not (set(changes) & _MEANT.get(code, set()))
        ),
        contract=contract(observation, result, expectation),
        remedy=None,
    )


def outcome(observation: Observation) -> Outcome:
    """Return what the conversion did to the memory of its source, from the writes first."""
    crash = observation.crash
    # a death that did not repeat: what was seen the second time counts, if it came to an end
    ended = observation.error is not None or observation.result is not None
    repeats = crash is not None and (crash.confirmed is not False or not ended)
    if crash is not None and repeats and crash.stage in (Stage.BUILD, Stage.CONVERT, Stage.OBSERVE):
        if crash.timed_out:
            return Outcome.TIMED_OUT
        # the probe's own death, or the subject's, is not the conversion's
        return Outcome.CRASHED if crash.stage is Stage.CONVERT else Outcome.UNDECIDABLE
    if observation.error is not None:
        return Outcome.REFUSED
    if _has_no_bytes(observation):
        return Outcome.UNDECIDABLE
    writes = {observation.writes.source_to_result, observation.writes.result_to_source}
    if Write.SEEN in writes:
        return Outcome.SHARED
    if Write.NOT_SEEN in writes:
        return Outcome.COPIED
    if observation.relation.overlaps is not None:
        return Outcome.SHARED if observation.relation.overlaps else Outcome.COPIED
    # one object under two names, though its bytes have no address
    if observation.relation.same_object and observation.values is not Values.UNKNOWN:
        return Outcome.SHARED
    return Outcome.UNDECIDABLE


def _has_no_bytes(observation: Observation) -> bool:
    return any(
        obj is not None and obj.shape is not None and 0 in obj.shape for obj in (observation.source, observation.result)
    )


def _hazards(seen: Observation, result: Outcome, copy: bool | None) -> Iterator[tuple[HazardCode, str]]:
    """Yield what will bite although nothing raised, worst first."""
    for write, what in ((seen.writes.source_to_result, "source"), (seen.writes.result_to_source, "result")):
        if write is Write.CRASHED and seen.crash is not None:
            how = seen.crash.signal or f"exit code {seen.crash.exit_code}"
            yield HazardCode.WRITE_KILLS, f"a write to the {what} ends the process: {how}"
    source, target, relation = seen.source, seen.result, seen.relation
    if source is None or target is None:
        return
    shared = result is Outcome.SHARED
    if relation.overlaps and relation.owner_kept is False:
        yield HazardCode.OWNER_NOT_KEPT, "the result reaches bytes that are freed with the source"
    if source.writable is False and target.writable and shared:
        yield HazardCode.READONLY_DROPPED, "the source refuses writes; the result, over the same bytes, takes them"
    if copy is not None and result in (Outcome.SHARED, Outcome.COPIED) and copy is shared:
        yield HazardCode.COPY_FLAG_BROKEN, f"copy={copy} was asked for, and the memory is {result}"
    reshaped = source.shape is not None and target.shape is not None and source.shape != target.shape
    recast = None not in (source.dtype, target.dtype) and source.dtype != target.dtype
    if seen.values is Values.CHANGED and shared and recast:
        yield HazardCode.DTYPE_REINTERPRETED, f"the bytes of {source.dtype} are read as {target.dtype}"
    if seen.values is Values.CHANGED and not reshaped:
        yield HazardCode.VALUES_CHANGED, seen.evidence.difference or "the values differ"
    if recast and target.dtype != seen.to_dtype:
        yield HazardCode.DTYPE_CHANGED, f"{source.dtype} became {target.dtype}, which nobody asked for"
    if reshaped:
        yield HazardCode.SHAPE_CHANGED, f"{_shape(source.shape)} became {_shape(target.shape)}"
    grad_lost = source.requires_grad and not target.requires_grad
    if grad_lost:
        yield HazardCode.GRAD_LOST, "the source requires grad, the result does not: no gradient flows back through it"
    if seen.writes.autograd_notices is False:
        yield HazardCode.GRAD_WRONG, "autograd does not notice a write to the result: gradients are wrong silently"
    if source.type == "numpy.ma.MaskedArray" and target.type != source.type:
        yield HazardCode.MASK_LOST, "the mask is gone; masked elements show the values beneath"
    subclass = source.strides is not None and source.type not in _PLAIN_TYPES
    if subclass and target.type != source.type and not grad_lost:
        yield HazardCode.SUBCLASS_LOST, f"{source.type} became {target.type}"
    if target.elements_overlap and target.writable and not relation.same_object:
        yield HazardCode.ELEMENTS_OVERLAP, "elements of the result share bytes: one write shows in several places"
    if target.aligned is False:
        yield HazardCode.MISALIGNED, f"the result starts at an address that {target.dtype} may not start at"
    if relation.shared_objects and not relation.overlaps:
        yield (
            HazardCode.NESTED_OBJECTS_SHARED,
            f"{relation.shared_objects} objects are held by both, though the array is a copy",
        )
    once = [warned for warned in seen.warnings if warned.once]
    if once:
        yield HazardCode.WARNED_ONCE_ONLY, f"a second call in the same process is silent: {once[0].category}"
    conflict = _conflict(seen)
    if conflict:
        yield HazardCode.EVIDENCE_CONFLICTS, conflict


def _conflict(seen: Observation) -> str | None:
    """Say where writes and addresses contradict each other."""
    there, back, overlaps = seen.writes.source_to_result, seen.writes.result_to_source, seen.relation.overlaps
    if {there, back} == {Write.SEEN, Write.NOT_SEEN}:
        way = "the source shows in the result" if there is Write.SEEN else "the result shows in the source"
        return f"only a write to {way}, not the other way round"
    if Write.SEEN in (there, back) and overlaps is False:
        return "a write shows, though no byte is reached by both"
    if Write.NOT_SEEN in (there, back) and overlaps:
        return "no write shows, though both reached the same bytes before it"
    return None


def _shape(shape: tuple[int, ...] | None) -> str:
    return "×".join(map(str, shape)) if shape else "0-d"


def contract(observation: Observation, result: Outcome, expectation: Expectation) -> Contract:
    """Hold what happened against what was promised; the verdict is that of the worst clause.

    What exception a refusal raises is promised of refusals only: where nothing was raised the clause is left out.
    """
    clauses = tuple(
        clause
        for clause in (held(promise, observed(promise.about, observation, result)) for promise in expectation.promises)
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
    found = set(verdicts)
    return next((verdict for verdict in _WORST if verdict in found), Verdict.UNDOCUMENTED)


def observed(about: str, seen: Observation, result: Outcome) -> str | None:
    """Return what was seen of what a clause is about; ``None`` where that could not be seen."""
    return _OBSERVED[about](seen, result)


_UNDECIDED = (Outcome.UNDECIDABLE, Outcome.TIMED_OUT)


def held(promise: Promise, found: str | None) -> Clause:
    """Hold ``promise`` against what was ``found``; ``None``: that could not be seen."""
    kept = promise.expected == found or (
        promise.expected == Expected.SHARED_OR_COPIED and found in (Outcome.SHARED, Outcome.COPIED)
    )
    if promise.absent is not None:
        verdict = Verdict.UNDOCUMENTED
    elif found is None:
        verdict = Verdict.UNTESTED
    elif promise.expected == UNDEFINED:
        verdict = Verdict.UNDEFINED
    else:
        verdict = Verdict.KEPT if kept else Verdict.BROKEN
    return Clause(
        about=promise.about,
        expected=promise.expected,
        observed=found,
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


def _call(seen: Observation, outcome: Outcome) -> str | None:
    """Tell whether the conversion accepted its source."""
    if outcome in (Outcome.CRASHED, Outcome.REFUSED):
        return str(outcome)
    return "accepted" if seen.result is not None else None


def _writes(seen: Observation, outcome: Outcome) -> str | None:
    """Tell whether the writes that were possible show on the other side."""
    shown = [
        _WRITES[write] for write in (seen.writes.source_to_result, seen.writes.result_to_source) if write in _WRITES
    ]
    return _flag(all(shown) if shown else None, "seen", "not seen")


def _write_to_the_result(seen: Observation, outcome: Outcome) -> str | None:
    write = seen.writes.result_to_source
    if write is Write.CRASHED and seen.crash is not None:
        return f"crashed ({seen.crash.signal or f'exit code {seen.crash.exit_code}'})"
    return None if write is Write.NOT_TRIED else write.replace("-", " ")


def _contiguity(seen: Observation, outcome: Outcome) -> str | None:
    """Tell whether the elements of the result lie one after the other, the last dimension fastest."""
    result = seen.result
    if result is None or result.strides is None or not result.shape or not result.nbytes:
        return "row-major" if result is not None and result.shape == () else None
    step = result.nbytes // math.prod(result.shape)
    for length, stride in zip(reversed(result.shape), reversed(result.strides), strict=True):
        if length > 1 and stride != step:
            return "not row-major"
        step *= length
    return "row-major"


def _strides(seen: Observation, outcome: Outcome) -> str | None:
    source, result = seen.source, seen.result
    if source is None or result is None or None in (source.strides, result.strides):
        return None
    return _flag(source.strides == result.strides, THE_SOURCES, "others")


def _dimensions(seen: Observation, outcome: Outcome) -> str | None:
    return str(len(seen.result.shape)) if seen.result and seen.result.shape is not None else None


def _warning(seen: Observation, outcome: Outcome) -> str | None:
    if seen.result is None and seen.error is None:
        return None
    return ", ".join(dict.fromkeys(warned.category for warned in seen.warnings)) or "none"


def _elements(seen: Observation, outcome: Outcome) -> str | None:
    count = seen.relation.shared_objects
    return None if count is None else _flag(count > 0, "the same objects", "other objects")


_OBSERVED: dict[str, Callable[[Observation, Outcome], str | None]] = {
    "outcome": lambda seen, outcome: None if outcome in _UNDECIDED else outcome,
    "copy": lambda seen, outcome: _COPIES.get(outcome),
    "dtype": lambda seen, outcome: seen.result.dtype if seen.result else None,
    "type": lambda seen, outcome: seen.result.type if seen.result else None,
    "values": lambda seen, outcome: _SAME_VALUES.get(seen.values),
    "object": lambda seen, outcome: _flag(seen.relation.same_object, "the same", "another"),
    "writable": lambda seen, outcome: _flag(seen.result.writable, "writable", "read-only") if seen.result else None,
    "requires-grad": lambda seen, outcome: _flag(seen.result.requires_grad, "true", "false") if seen.result else None,
    "owner": lambda seen, outcome: _flag(seen.relation.owner_kept, "kept", "lost"),
    "exception": lambda seen, outcome: seen.error.type if seen.error else None,
    "call": _call,
    "writes": _writes,
    "write to the result": _write_to_the_result,
    "contiguity": _contiguity,
    "strides": _strides,
    "dimensions": _dimensions,
    "leaf": lambda seen, outcome: _flag(seen.result.is_leaf, "a leaf", "not a leaf") if seen.result else None,
    "device": lambda seen, outcome: seen.result.device if seen.result else None,
    "elements": _elements,
    "warning": _warning,
}
"""What a clause is about, and what was observed of it; ``None`` where that could not be seen."""


def benefit_of_doubt(row: Row) -> Row:
    """Take back a breach that did not repeat in a fresh interpreter: it was not tested."""
    clauses = tuple(
        msgspec.structs.replace(clause, verdict=Verdict.UNTESTED) if clause.verdict is Verdict.BROKEN else clause
        for clause in row.contract.clauses
    )
    return msgspec.structs.replace(
        row, contract=msgspec.structs.replace(row.contract, verdict=Verdict.UNTESTED, clauses=clauses)
    )
