"""An observation held against its expectation: the outcome, the hazards, the verdict.

Writes come first; addresses support or contradict. Sees records only, never an object.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from math import prod

import msgspec

from tensorbridge_cli.catalog.rules import THE_SOURCES, UNDEFINED
from tensorbridge_cli.records.report import (
    Clause,
    Contract,
    Expectation,
    Expected,
    Extent,
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
    HazardCode.VALUES_CHANGED: {"values"},
}
"""What a conversion may be there to change, by the hazard that the change would be otherwise.

Another dtype is no reason for other values: ``torch.Tensor`` of 16777217 is 16777216.
"""

_UNFINISHED = re.compile(r"\b(alpha|beta|prototype|experimental|preview)\b", re.IGNORECASE)
"""What a warning says of a feature's age: it says nothing about what the conversion did."""

_TAKEN_ALONG = 2
_KEPT_ALIVE = 8
"""How many times the bytes of its elements a storage has that is much larger: one that was copied, one that is shared.

What a copy takes along, it need not have. A view of a part has the storage of the whole by its nature, which is worth a
word where ``torch.save`` of one row writes the data set; a step of 2 along both axes, 4 times, is not.
"""


def judge(
    observation: Observation, expectation: Expectation, copy: bool | None = None, changes: tuple[str, ...] = ()
) -> Row:
    """Return the row that ``observation`` amounts to.

    ``copy`` is the keyword that the conversion was called with; ``changes`` is what it is there to change (``dtype``,
    ``shape``, ``values``), so that a change of it is no hazard.
    """
    result = outcome(observation)
    return Row(
        **{name: getattr(observation, name) for name in observation.__struct_fields__},
        outcome=result,
        copied_bytes=_copied_bytes(observation, result),
        hazards=tuple(
            Hazard(code=code, detail=detail)
            for code, detail in _hazards(observation, result, copy)
            if not (set(changes) & _MEANT.get(code, set()))
        ),
        contract=contract(observation, result, expectation),
        remedy=None,
    )


def unjudged(observation: Observation) -> Row:
    """Return the row of an observation that holds a failure of the tool's own, and so no opinion."""
    return Row(
        **{name: getattr(observation, name) for name in observation.__struct_fields__},
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
    if _has_no_bytes(observation) or not _is_filled(observation):
        return Outcome.UNDECIDABLE
    writes = {observation.writes.source_to_result, observation.writes.result_to_source}
    if Write.SEEN in writes:
        return Outcome.SHARED
    if observation.relation.overlaps and observation.relation.overlaps_after_writes is not False:
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
    merged: list[tuple[int, int]] = []
    for start, stop in sorted({(int(one.storage_start, 16), int(one.storage_stop, 16)) for one in extents}):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return merged


def _hazards(seen: Observation, result: Outcome, copy: bool | None) -> Iterator[tuple[HazardCode, str]]:
    """Yield what will bite although nothing raised, worst first."""
    for write, what in ((seen.writes.source_to_result, "source"), (seen.writes.result_to_source, "result")):
        if write is Write.CRASHED and seen.crash is not None:
            how = seen.crash.signal or f"exit code {seen.crash.exit_code}"
            yield HazardCode.WRITE_KILLS, f"a write to the {what} ends the process: {how}"
    yield from _of_the_source(seen)
    if seen.global_state:
        yield HazardCode.GLOBAL_STATE_CHANGED, "; ".join(seen.global_state)
    source, target, relation = seen.source, seen.result, seen.relation
    if source is None or target is None:
        return
    if target.shape is None and target.dtype is None:  # neither an array nor a tensor: nothing else is known of it
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
    if source.masked and not target.masked:
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
    if not _is_filled(seen):
        yield HazardCode.UNINITIALIZED, "the result is memory that nobody wrote to: it holds what happened to lie there"
    yield from _storage_larger(seen, result)
    once = [warned for warned in seen.warnings if warned.once and not _UNFINISHED.search(warned.message)]
    if once:
        yield HazardCode.WARNED_ONCE_ONLY, f"a second call in the same process is silent: {once[0].category}"
    conflict = _conflict(seen)
    if conflict:
        yield HazardCode.EVIDENCE_CONFLICTS, conflict


def _of_the_source(seen: Observation) -> Iterator[tuple[HazardCode, str]]:
    """Yield what became of the source itself, and of writes that were refused."""
    for cell in seen.evidence.cells:
        if cell.refused:
            index = f"[{', '.join(map(str, cell.index))}]"
            other = cell.result_after if cell.wrote == "source" else cell.source_after
            shows = f", and so is that of the {_OTHER[cell.wrote]}" if other == cell.written != cell.before else ""
            yield (
                HazardCode.WRITTEN_THOUGH_REFUSED,
                f"the write raised, and the element {index} of the {cell.wrote} is {cell.written} all the same{shows}",
            )
    moves = [change for change in seen.source_changes if change.fact in ("storage", "address")]
    if moves:
        copied = sum(change.copied_bytes for change in moves)
        size = f" ({copied:,} bytes were copied)" if copied else ""
        yield (
            HazardCode.SOURCE_MOVED,
            f"the source lies elsewhere than before{size}: what shared its memory before no longer does",
        )
    changed = [change for change in seen.source_changes if change.fact not in ("storage", "address", "lazy")]
    if changed:
        said = ", ".join(f"{_SAID[change.fact]} {change.before} became {change.after}" for change in changed)
        yield HazardCode.SOURCE_CHANGED, f"in the source itself: {said}"


_OTHER = {"source": "result", "result": "source"}
_SAID = {
    "type": "its type",
    "dtype": "its dtype",
    "shape": "its shape",
    "strides": "its strides",
    "writable": "that it can be written:",
    "requires_grad": "requires_grad",
    "is_leaf": "is_leaf",
    "version": "its version, which counts writes in place:",
    "values": "the first changed value",
    "bytes": "its bytes:",
}


def _storage_larger(seen: Observation, result: Outcome) -> Iterator[tuple[HazardCode, str]]:
    """Say where a result of few elements holds the storage of many."""
    target, extents = seen.result, seen.evidence.extents.result
    if target is None or len(extents) != 1 or seen.relation.same_object:
        return
    elements = prod(extents[0].shape) * extents[0].itemsize
    storage = int(extents[0].storage_stop, 16) - int(extents[0].storage_start, 16)
    is_tensor = target.is_leaf is not None
    if result is Outcome.COPIED and elements and storage >= _TAKEN_ALONG * elements:
        what = "the copy has"
    elif result is Outcome.SHARED and is_tensor and elements and storage >= _KEPT_ALIVE * elements:
        what = "torch.save and pickle write"
    else:
        return
    times = f"{storage / elements:,.1f}".removesuffix(".0")
    yield (
        HazardCode.STORAGE_LARGER,
        f"{what} the whole storage of {storage:,} bytes, {times} times the {elements:,} of the elements",
    )


def _conflict(seen: Observation) -> str | None:
    """Say where writes and addresses contradict each other."""
    there, back, overlaps = seen.writes.source_to_result, seen.writes.result_to_source, seen.relation.overlaps
    if {there, back} == {Write.SEEN, Write.NOT_SEEN}:
        way = "the source shows in the result" if there is Write.SEEN else "the result shows in the source"
        return f"only a write to {way}, not the other way round"
    if Write.SEEN in (there, back) and overlaps is False:
        return "a write shows, though no byte is reached by both"
    if Write.NOT_SEEN in (there, back) and overlaps and seen.relation.overlaps_after_writes is not False:
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


_UNDECIDED = (Outcome.UNDECIDABLE, Outcome.TIMED_OUT, Outcome.INTERNAL_ERROR)


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
