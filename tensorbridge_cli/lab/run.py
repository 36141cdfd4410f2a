"""One experiment: build a fresh subject, convert it, look at both objects, write to each and look at the other.

Runs in a process of its own kind (see ``isolation``). ``announce`` is told each stage before it begins, with the facts
found so far, so that a death in it loses nothing but itself.
"""

from __future__ import annotations

import functools
import math
import mmap
import time
import types
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tensorbridge_cli.catalog import dtypes
from tensorbridge_cli.catalog.layouts import CannotBuildError
from tensorbridge_cli.catalog.registry import missing
from tensorbridge_cli.compat import zip_equal
from tensorbridge_cli.errors import Ended, RequestError
from tensorbridge_cli.lab import global_state, guard, unfilled
from tensorbridge_cli.lab.autograd import notices_write
from tensorbridge_cli.lab.experiment import LARGE, Bench, Experiment, Facts, Given, observation, small
from tensorbridge_cli.lab.guard import Guard
from tensorbridge_cli.lab.stderr_tail import message_of, raised
from tensorbridge_cli.memory import carriers, describe
from tensorbridge_cli.memory.describe import Index
from tensorbridge_cli.memory.overlap import neighbours, overlap
from tensorbridge_cli.pytorch import Tensor, torch
from tensorbridge_cli.records.report import (
    Cell,
    Change,
    Extent,
    Extents,
    Failure,
    Library,
    NotApplicable,
    Object,
    Observation,
    Origin,
    Raised,
    Relation,
    Snapshot,
    Stage,
    Values,
    Via,
    Warned,
    Write,
)
from tensorbridge_cli.subjects import files, fills, generate

Announce = Callable[[Stage, Facts], None]
Namespace = dict[str, Any]
Side = Literal["source", "result"]


def namespace(bench: Bench) -> Namespace:
    """Return the names that expressions see, after the user's set-up code ran in them."""
    names: Namespace = {"__name__": "__tensorbridge__", **generate.libraries()}
    exec(bench.setup, names)  # noqa: S102 - the user's own code, given for this
    return names


def give(given: Given, names: Namespace) -> Any:
    """Return the user's object afresh.

    Raises:
        BaseException: whatever opening the file or the user's code raises.
    """
    if given.origin is Origin.FILE:
        assert given.file is not None
        return files.load(given.file)
    if given.origin is Origin.EXPRESSION:
        return eval(_compiled(given.text), names)  # noqa: S307 - the user's own code, given for this
    if given.twin is not None:
        from tensorbridge_cli.subjects import replica

        return replica.build(given.twin)
    module, _, path = given.text.partition(":")
    target = functools.reduce(getattr, path.split("."), __import__(module, fromlist=["_"]))
    return target() if isinstance(target, (types.FunctionType, types.MethodType, functools.partial)) else target


def run(experiment: Experiment, bench: Bench, names: Namespace, announce: Announce) -> Observation | NotApplicable:
    """Make one experiment.

    What the conversion raises is an observation. Any other exception is a failure of the tool's own code; the
    observation holds it, and says nothing of the conversion.
    """
    facts = Facts(subject=experiment.subject)
    at = Stage.BUILD

    def begin(stage: Stage, facts: Facts) -> None:
        nonlocal at
        at = stage
        announce(stage, facts)

    try:
        return _run(experiment, bench, names, begin, facts)
    except Ended:
        raise
    except BaseException as error:
        return observation(experiment, Facts(subject=experiment.subject), None, Failure.of(at, error))


def _run(
    experiment: Experiment, bench: Bench, names: Namespace, announce: Announce, facts: Facts
) -> Observation | NotApplicable:
    announce(Stage.BUILD, facts)
    try:
        _require(experiment)
        source, alive, guarded = _build(experiment, bench, names)
        state = global_state.snapshot() if experiment.own_code else None
        scope = _scope(experiment, names, source)
    except CannotBuildError as error:
        return _not_applicable(experiment, message_of(error))
    before = _note_source(experiment, source, guarded, facts)
    unfilled.leave(before.described.nbytes or 0)
    announce(Stage.CONVERT, facts)
    try:
        result = _convert(experiment, scope, facts)
    except CannotBuildError as error:
        return _not_applicable(experiment, message_of(error))
    scope.clear()
    if state is not None:
        facts.global_state = global_state.changes(state)
    announce(Stage.OBSERVE, facts)
    now = _inspect(source)
    facts.source_changes = _changes(source, before, now)
    if facts.error is not None:
        return observation(experiment, facts, None)
    if not describe.is_known(result):
        facts.result = describe.describe_type(result)
        facts.relation = replace(facts.relation, same_object=False)
        return observation(experiment, facts, None)
    if guarded is not None and (reason := guarded.refusal_of_result(result)) is not None:
        return _not_applicable(experiment, reason)
    _note_result(experiment, bench, names, source, before, now, result, facts)
    if experiment.then:
        source = _follow(experiment, names, source, result, announce, facts)
        if facts.error is not None:
            return observation(experiment, facts, None)
    _write_both(experiment, source, result, announce, facts)
    announce(Stage.OBSERVE, facts)
    if _may_have_parted(source, facts):
        facts.relation = replace(facts.relation, overlaps_after_writes=relation(source, result).overlaps)
    if source is not result and facts.relation.overlaps:
        owner_lives = _watch(source)
        del source, alive
        facts.relation = replace(facts.relation, owner_kept=owner_lives())
    return observation(experiment, facts, None)


def _require(experiment: Experiment) -> None:
    """Check that the libraries have what the conversion needs.

    Raises:
        CannotBuildError: if they lack it.
    """
    absent = missing(experiment.needs) or (_without_dtype(experiment) if experiment.same_dtype else None)
    if absent:
        raise CannotBuildError(absent)


def _note_source(experiment: Experiment, source: Any, guarded: Guard | None, facts: Facts) -> _Before:
    """Record the source: this is what is known if the conversion itself ends the process."""
    if experiment.given is None:
        facts.fill = generate.fill_sentence(experiment.subject)
    elif experiment.given.sampled:
        facts.fill = "the object's values at sampled elements, zeros elsewhere (large object)"
    facts.private_copy = guarded.sentence if guarded is not None else None
    inspected = _inspect(source)
    facts.libraries = _libraries(source)
    facts.source = inspected.described
    _name_owner(experiment.given, facts)
    facts.extents = Extents(source=inspected.extents, result=())
    return _Before(
        inspected.described,
        inspected.extents,
        inspected.values,
        octets=describe.octets(source),
        is_lazy=describe.is_lazy_clone(source),
    )


def _note_result(
    experiment: Experiment,
    bench: Bench,
    names: Namespace,
    source: Any,
    before: _Before,
    now: _Inspected,
    result: Any,
    facts: Facts,
) -> None:
    """Record the result beside the source, which warnings come once, and whether anybody filled the result."""
    again = _again(experiment, before.described.nbytes or 0)
    if facts.warnings and again is not None:
        facts.warnings = _told_once(again, bench, names, facts.warnings)
    values = _compare(source, now, result, before.values, facts)
    _name_owner(experiment.given, facts)
    assert facts.result is not None
    if again is not None and _may_be_unfilled(source, result, before.values, values, facts):
        filled = _is_filled(again, bench, names, result, facts.result.nbytes or 0)
        facts.result = replace(facts.result, filled=filled)
        if not filled:
            facts.values, facts.difference = Values.UNKNOWN, None
    _record(experiment, facts, "convert", source, result)


def _follow(
    experiment: Experiment, names: Namespace, source: Any, result: Any, announce: Announce, facts: Facts
) -> Any:
    """Run the statement that follows the conversion; record what it left, and return what ``x`` is after it."""
    announce(Stage.CONVERT, facts)
    source = _go_on(experiment, names, source, result, facts)
    announce(Stage.OBSERVE, facts)
    if facts.error is None:
        now = _inspect(source)
        _compare(source, now, result, now.values, facts)
        _record(experiment, facts, "then", source, result)
    return source


def _write_both(experiment: Experiment, source: Any, result: Any, announce: Announce, facts: Facts) -> None:
    """Write to each of the two and record what shows in the other, and whether autograd notices."""
    for stage in _order_of_writes(source):
        announce(stage, facts)
        if stage is Stage.WRITE_SOURCE:
            facts.source_to_result = _write("source", source, result, facts)
            _record(experiment, facts, "write-source", source, result)
        else:
            facts.result_to_source = _write("result", source, result, facts)
            _record(experiment, facts, "write-result", source, result)
    if source is not result and facts.result_to_source is Write.SEEN:
        facts.autograd_notices = notices_write(source, result, (0,) * len(describe.shape_of(result) or ()))
    if isinstance(source, np.bool_):
        describe.put_bools_back()


def _may_have_parted(source: Any, facts: Facts) -> bool:
    """Return True if the two overlapped, and yet a write to one did not show in the other."""
    unseen = Write.NOT_SEEN in (facts.source_to_result, facts.result_to_source)
    return bool(facts.relation.overlaps) and unseen and not _copies_on_write(source)


def _libraries(*objects: Any) -> tuple[tuple[str, str], ...]:
    """Return the name and version of each library that has one of ``objects``, beside NumPy and PyTorch."""
    return tuple(dict.fromkeys(filter(None, map(carriers.version, objects))))


def _order_of_writes(source: Any) -> tuple[Stage, Stage]:
    """Return which object is written first: the result, if the source moves to other memory when it is written."""
    writes = (Stage.WRITE_SOURCE, Stage.WRITE_RESULT)
    return writes[::-1] if _copies_on_write(source) else writes


def _copies_on_write(source: Any) -> bool:
    """Return True for what may leave its memory to other objects when it is written: until then it shares it."""
    carrier = carriers.carrier_of(source)
    return carrier is not None and carrier.copies_on_write


def _not_applicable(experiment: Experiment, reason: str) -> NotApplicable:
    return NotApplicable(
        conversion=experiment.conversion, subject=experiment.subject, reason=reason, direction=experiment.direction
    )


def _without_dtype(experiment: Experiment) -> str | None:
    """Return why the target library has no dtype of the source's name, which the conversion's own code asks it for."""
    target = Library(experiment.direction.rpartition("-")[2])
    try:
        libraries = dtypes.find(experiment.subject.dtype).libraries
    except RequestError:  # no name makes it, such as np.record or a StringDType: it is its own library's
        libraries = (experiment.subject.library,)
    if target in libraries:
        return None
    return f"{_NAME[target]} has no {experiment.subject.dtype}, which the conversion needs"


_NAME = {Library.NUMPY: "NumPy", Library.TORCH: "PyTorch"}


def always_warn(always: bool) -> None:
    """Let warnings that are given once in a process be given each time, or not.

    Otherwise a row would depend on what ran before it. torch has two such switches: one for its C++ code, and one for
    the deprecated typed storage.
    """
    if torch is None:
        return
    torch.set_warn_always(always)
    if hasattr(torch.storage, "_set_always_warn_typed_storage_removal"):
        torch.storage._set_always_warn_typed_storage_removal(always)  # type: ignore[no-untyped-call]


def _build(experiment: Experiment, bench: Bench, names: Namespace) -> tuple[Any, Any, Guard | None]:
    """Return the subject, what must stay alive beside it, and what was made private for a user's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if experiment.given is None:
            return *generate.generate(experiment.subject, bench.scratch), None
        try:
            source = give(experiment.given, names)
        except Ended:
            raise
        except BaseException as error:
            raise CannotBuildError(f"building the source raised {raised(error)}") from error
        if type(source) is bytes:
            # a constant of the user's code, or an object of a module: what is written is another one with its bytes
            source = bytes(bytearray(source))
        if experiment.given.twin is not None:
            return source, None, None
        try:
            return source, None, guard.protect(source, bench.scratch)
        except PermissionError as error:
            raise CannotBuildError(str(error)) from error


@functools.lru_cache(maxsize=256)
def _compiled(code: str, mode: Literal["eval", "exec"] = "eval") -> types.CodeType:
    return compile(code.strip(), "<tensorbridge>", mode)


def _scope(experiment: Experiment, names: Namespace, source: Any) -> Namespace:
    """Return the names that the conversion's code sees."""
    scope = {**names, "x": source}
    if experiment.to_dtype is not None:
        dtype = dtypes.find(experiment.to_dtype)
        scope["dtype"] = dtype.torch if experiment.direction.endswith("-to-torch") else dtype.numpy
    try:
        _compiled(experiment.code)
        if experiment.setup:
            exec(_compiled(experiment.setup, "exec"), scope)  # noqa: S102 - the registry entry's own code
    except Ended:
        raise
    except BaseException as error:
        raise CannotBuildError(f"the code of {experiment.conversion} itself raised {raised(error)}") from error
    return scope


def _convert(experiment: Experiment, scope: Namespace, facts: Facts) -> Any:
    """Call the conversion; note its time, its warnings and what it raised."""
    code = _compiled(experiment.code)
    result = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        try:
            result = eval(code, scope)  # noqa: S307 - the registry entry's own code
        except Ended:
            raise
        except BaseException as error:
            if _is_mistake(experiment, error):
                raise CannotBuildError(f"the code of {experiment.conversion} itself raised {raised(error)}") from error
            facts.error = Raised(type=describe.type_name(error), message=message_of(error))
        facts.seconds = time.perf_counter() - start
    facts.warnings = tuple(Warned(category=w.category.__name__, message=message_of(w.message)) for w in caught)
    return result


def _is_mistake(experiment: Experiment, error: BaseException) -> bool:
    """Return True if an entry of the user's own names what is not there: no conversion was refused then."""
    if not experiment.own_code or (experiment.given is not None and experiment.given.is_code):
        return False
    unknown = isinstance(error, AttributeError) and isinstance(error.obj, types.ModuleType)
    return unknown or isinstance(error, (NameError, ImportError, SyntaxError))


def _go_on(experiment: Experiment, names: Namespace, source: Any, result: Any, facts: Facts) -> Any:
    """Run the statement that follows the conversion; note what it raised, and return what ``x`` is after it."""
    scope = {**names, "x": source, "y": result}
    try:
        exec(_compiled(experiment.then, "exec"), scope)  # noqa: S102 - the experiment's own code
    except Ended:
        raise
    except BaseException as error:
        facts.error = Raised(type=describe.type_name(error), message=message_of(error))
    return scope["x"]


@dataclass(frozen=True)
class _Inspected:
    """What an object was at one moment; ``values`` as ``describe.read`` returns them."""

    described: Object
    extents: tuple[Extent, ...]
    values: list[Any] | None


@dataclass(frozen=True)
class _Before(_Inspected):
    """What the source was before the conversion; ``octets`` are its bytes, and ``is_lazy`` is True for a lazy clone."""

    octets: tuple[bytes, ...] | None
    is_lazy: bool


def _inspect(obj: Any) -> _Inspected:
    return _Inspected(describe.describe(obj), describe.extents(obj), describe.read(obj))


_COMPARED = ("type", "dtype", "shape", "strides", "writable", "requires_grad", "is_leaf", "version")


def _changes(source: Any, was: _Before, now: _Inspected) -> tuple[Change, ...]:
    """Compare the source with what it was before the conversion."""
    changes = [
        Change(fact=fact, before=str(getattr(was.described, fact)), after=str(getattr(now.described, fact)))
        for fact in _COMPARED
        if getattr(was.described, fact) != getattr(now.described, fact)
    ]
    if len(was.extents) == len(now.extents):
        changes += _moves(was.extents, now.extents, was.is_lazy and not describe.is_lazy_clone(source))
    if was.values is not None and now.values is not None:
        differing = [i for i, pair in enumerate(zip(was.values, now.values)) if describe.differ(*pair)]
        if differing:
            first = differing[0]
            texts = describe.texts_apart(was.values[first], source, now.values[first], source)
            changes.append(Change(fact="values", before=texts[0], after=texts[1]))
        elif was.octets is not None and was.octets != describe.octets(source):
            changes.append(Change(fact="bytes", before="the values are the same", after="others stand for them"))
    return tuple(changes)


def _moves(was: tuple[Extent, ...], now: tuple[Extent, ...], copied_late: bool) -> list[Change]:
    """Return where the bytes of the source lie elsewhere than before, and how many were copied there.

    A lazy clone's copy is put off until something asks for its address: that it is made then is not a surprise.
    """
    changes: list[Change] = []
    copied: set[tuple[int, int]] = set()
    for old, new in zip_equal(was, now):
        before, after = ((int(one.storage_start, 16), int(one.storage_stop, 16)) for one in (old, new))
        if before != after:
            size = after[1] - after[0] if after not in copied and before[0] != after[0] else 0
            copied.add(after)
            texts = (f"{one.storage_start} to {one.storage_stop}" for one in (old, new))
            fact = "lazy" if copied_late else "storage"
            changes.append(Change(fact=fact, before=next(texts), after=next(texts), copied_bytes=size))
        elif old.start != new.start:
            changes.append(Change(fact="address", before=old.start, after=new.start))
    return changes


def _again(experiment: Experiment, nbytes: int) -> Experiment | None:
    """Return the experiment with which to convert once more beside the first, whose source has ``nbytes``.

    A second large source may not fit in memory: a small one is generated in its place. None if the source was given.
    """
    if nbytes < LARGE:
        return experiment
    if experiment.given is not None:
        return None
    subject = replace(experiment.subject, shape=small(experiment.subject.shape))
    return replace(experiment, subject=subject)


def _told_once(experiment: Experiment, bench: Bench, names: Namespace, given: tuple[Warned, ...]) -> tuple[Warned, ...]:
    """Tell which warnings a second call in one process no longer gives; ``always`` is off for the two calls."""
    always_warn(False)
    try:
        for _ in range(2):
            again = Facts(subject=experiment.subject)
            source, *_alive = _build(experiment, bench, names)
            _convert(experiment, _scope(experiment, names, source), again)
    except CannotBuildError:
        return given
    finally:
        always_warn(True)
    still = {(warned.category, warned.message) for warned in again.warnings}
    return tuple(replace(warned, once=(warned.category, warned.message) not in still) for warned in given)


def _compare(source: Any, now: _Inspected, result: Any, before: list[Any] | None, facts: Facts) -> list[Any] | None:
    """Record both objects, how their bytes lie to each other, and whether the values are the same.

    ``now`` is what the source is after the conversion, ``before`` its values before it. The result's values are
    returned.
    """
    of_result = _inspect(result)
    facts.source, facts.result = now.described, of_result.described
    facts.libraries = _libraries(source, result)
    facts.extents = Extents(source=now.extents, result=of_result.extents)
    facts.relation = relation(source, result)
    if facts.result.owner == "PyCapsule" and facts.relation.same_storage:
        # a capsule of DLPack keeps alive what it was made of, and does not tell its name
        owner = facts.source.type if facts.source.owner == "itself" else facts.source.owner
        facts.result = replace(facts.result, owner=owner)
    _compare_values(source, now.values, result, of_result.values, before, facts)
    return of_result.values


def _compare_values(
    source: Any,
    after: list[Any] | None,
    result: Any,
    values: list[Any] | None,
    before: list[Any] | None,
    facts: Facts,
) -> None:
    shape = describe.shape_of(source)
    if before is None or values is None:
        facts.values = Values.UNKNOWN
        return
    if shape != describe.shape_of(result):
        facts.values = Values.CHANGED
        facts.difference = f"the shape is {describe.shape_of(result)} instead of {shape}"
        return
    if _raw(before) != _raw(values) or len(before) != len(values):
        facts.values = Values.UNKNOWN
        return
    for what, compared in (("became", values), ("is, in the source itself,", before if after is None else after)):
        different = [i for i, (a, b) in enumerate(zip_equal(before, compared)) if describe.differ(a, b)]
        if different:
            first = different[0]
            facts.values = Values.CHANGED
            was, becomes = describe.texts_apart(
                before[first], source, compared[first], result if compared is values else source
            )
            facts.difference = (
                f"{len(different)} of {len(before)} values differ, first at "
                f"{_index_text(first, shape, len(before))}: {was} {what} {becomes}"
            )
            return
    facts.values = Values.SAMPLED_EQUAL if math.prod(shape or ()) > len(before) else Values.EQUAL


def _name_owner(given: Given | None, facts: Facts) -> None:
    """Name the owner of the live object's memory, where its twin's is another, also of a result over that memory."""
    if given is None or given.owner is None or facts.source is None:
        return
    of_twin = facts.source.owner
    facts.source = replace(facts.source, owner=given.owner)
    if facts.result is not None and facts.relation.same_storage and facts.result.owner == of_twin:
        facts.result = replace(facts.result, owner=given.owner)


def _index_text(nth: int, shape: tuple[int, ...] | None, count: int) -> str:
    """Return the index of the ``nth`` value that was read, or its number where the values have no one shape."""
    places = [] if shape is None else fills.positions(shape)
    if shape is None or len(places) != count:
        return f"value {nth}"
    return str(list(fills.index_of(places[nth], shape)))


def _may_be_unfilled(source: Any, result: Any, before: list[Any] | None, after: list[Any] | None, facts: Facts) -> bool:
    """Return True if ``after``, the result's values, may be those of memory that was allocated and nobody wrote to.

    What has the source's values in any shape was filled (see ``unfilled.leave``), unless the source has no bytes that
    they could come from.
    """
    if facts.relation.overlaps or not describe.parts(result) or facts.seconds is None:
        return False
    if isinstance(result, np.ndarray) and result.dtype.hasobject:
        return False  # its bytes are addresses of objects, which may be others each time
    if before is None or after is None or len(before) != len(after) or any(map(describe.differ, before, after)):
        return any(describe.octets(result) or ())
    return bool(isinstance(source, Tensor) and describe.has_no_bytes(source))


def _is_filled(experiment: Experiment, bench: Bench, names: Namespace, result: Any, nbytes: int) -> bool:
    """Convert again in memory that was filled with other patterns before: does the result depend on them?

    Values that nobody wrote are those that lay there: they follow the pattern. A conversion that makes random values
    gives others each time, though the pattern is the same.

    ``torch.Tensor(np.uint32(4294967295))`` has 17 GB, which no pattern is written to: it would take all memory. The
    system hands out such a block zeroed, so the sampled elements of one that nobody wrote are zeros.
    """
    if nbytes > LARGE:
        return any(map(any, describe.octets(result) or ()))
    patterns = []
    for byte in (0x3C, 0x55, 0x3C):
        try:
            fresh, _alive, _guarded = _build(experiment, bench, names)
            scope = _scope(experiment, names, fresh)
        except CannotBuildError:
            return True
        again = Facts(subject=experiment.subject)
        with unfilled.memory(byte, nbytes):
            converted = _convert(experiment, scope, again)
            octets = describe.octets(converted)
        if octets is None or again.error is not None:
            return True
        patterns.append(b"".join(octets))
    if not len(patterns[0]) == len(patterns[1]) == len(patterns[2]):
        return True
    first, second, third = patterns
    follows: int = sum(a == c != b for a, b, c in zip_equal(first, second, third))
    return 4 * follows < len(patterns[0])


def _raw(values: list[Any]) -> bool:
    """Tell whether ``values`` are bytes that stand for elements."""
    return bool(values) and isinstance(values[0], str) and values[0].startswith("0x")


def relation(source: Any, result: Any, most: int | None = fills.FULL) -> Relation:
    """Compare the addresses that two objects reach; both are only inspected, of a list the first ``most`` items."""
    ours = [part for _, part in describe.parts(source, most)]
    theirs = [part for _, part in describe.parts(result, most)]
    our_runs, their_runs = ([describe.spans(part) for part in parts] for parts in (ours, theirs))
    our_spans, their_spans = ([span for run in runs for span in run or ()] for runs in (our_runs, their_runs))
    if not (ours and theirs) or None in our_runs or None in their_runs:
        return Relation(
            same_pointer=None,
            same_storage=None,
            overlaps=None,
            overlap_bytes=None,
            same_object=source is result,
            shared_objects=_shared_objects(source, result),
        )
    overlaps = [overlap(a, b) for a, b in neighbours(our_spans, their_spans)]
    counts = [count for _, count in overlaps]
    answers = [answer for answer, _ in overlaps]
    # the parts of one object mostly lie in one storage
    holds = [set(map(describe.storage, parts)) - {None} for parts in (ours, theirs)]
    empty = any(part.nbytes == 0 for part in (*ours[:1], *theirs[:1]))
    return Relation(
        same_pointer=None
        if empty
        else len(ours) == len(theirs)
        and all(describe.address(a) == describe.address(b) for a, b in zip_equal(ours, theirs)),
        same_storage=None
        if empty
        else any(max(a[0], b[0]) < min(a[1], b[1]) for a in holds[0] for b in holds[1] if a and b),
        overlaps=True if True in answers else None if None in answers else False,
        overlap_bytes=None if None in counts else sum(count for count in counts if count is not None),
        same_object=source is result,
        shared_objects=_shared_objects(source, result),
    )


def _shared_objects(source: Any, result: Any) -> int | None:
    """Count the mutable objects that both hold references to; ``None`` if the source holds none."""
    if not all(isinstance(obj, np.ndarray) and obj.dtype.hasobject for obj in (source, result)):
        return None
    ours = {id(value) for value in describe.read(source) or () if not isinstance(value, _IMMUTABLE)}
    return sum(id(value) in ours for value in describe.read(result) or ()) if ours else None


_IMMUTABLE = (type(None), str, bytes, tuple, frozenset, np.generic, int, float, complex)
"""Objects of these types may be made anew or be one and the same: nobody can write to them and see it."""


def _write(side: Side, source: Any, result: Any, facts: Facts) -> Write:
    """Write to one object and look at the other: at its bytes first, then at its values."""
    if facts.result is not None and facts.result.filled is False:
        return Write.NOT_TRIED  # what is written there, and whether it differs, would depend on what lay there
    target, other = (source, result) if side == "source" else (result, source)
    part = describe.written_part(target)
    shape = describe.shape_of(part)
    if shape is None or 0 in shape:
        return Write.NOT_TRIED
    # the first element of the source, the last of the result; but the last of a masked array is masked
    first = side == "source" or any(isinstance(obj, np.ma.MaskedArray) for obj in (source, result))
    index, mirror, spot = _place(part, tuple(0 if first else n - 1 for n in shape), other, facts.relation)
    # of a large object few elements are read: look where the addresses say that the write would show, too
    before_write = _contents(other, mirror, spot)
    before, octets_before = describe.read_cell(part, index), describe.cell_octets(part, index)
    text_before = describe.as_text(before, part)
    refused = False
    try:
        common = _common(part, index, mirror) if spot is not None else ()
        carrier = carriers.carrier_of(target)
        written, via = describe.write(target if carrier is not None and carrier.assign else part, index, common)
    except describe.RefusedError as error:
        # the source's comes first, whichever is written first
        facts.refusals = (str(error), *facts.refusals) if side == "source" else (*facts.refusals, str(error))
        after = describe.read_cell(part, index)
        if octets_before == describe.cell_octets(part, index) and not describe.differ(before, after):
            return Write.REFUSED
        # torch checks whether an inference tensor may be written when it has been
        facts.written_though_refused += (side,)
        refused, written, via = True, describe.as_text(after, part), Via.ASSIGNMENT
    except describe.NotWritableError:
        return Write.NOT_TRIED
    after_write = _contents(other, mirror, spot)
    alike = describe.shape_of(mirror) == shape
    text_after = describe.as_text(describe.read_cell(mirror, index), mirror) if alike else None
    if via is Via.BYTES:
        facts.via = via
    facts.cells += (
        Cell(
            index=index,
            before=text_before,
            written=written,
            source_after=written if side == "source" else text_after,
            result_after=text_after if side == "source" else written,
            wrote=side,
            via=via,
            refused=refused,
        ),
    )
    if refused:
        return Write.REFUSED
    if after_write == (None, None) or (after_write[0] is None) != (before_write[0] is None):
        return Write.NOT_TRIED
    return Write.SEEN if _differ(before_write, after_write) else Write.NOT_SEEN


if TYPE_CHECKING:  # Python 3.9 does not evaluate |
    Contents = tuple[tuple[bytes, ...] | None, list[Any] | None]


def _contents(other: Any, mirror: Any, spot: Index | None) -> Contents:
    """Return what a write would show in: the other's bytes, and the values that a reader of it sees.

    The values are left out if they follow from the bytes.
    """
    beneath = describe.beneath(other)
    is_read_whole = math.prod(describe.shape_of(mirror) or ()) <= fills.FULL
    spots = () if spot is None or is_read_whole or not describe.is_dense(mirror) else ((mirror, spot),)
    octets = describe.octets(beneath, spots)
    if octets is not None and describe.is_its_bytes(beneath):
        return octets, None
    values = describe.read(beneath)
    if values is not None and spot is not None:
        values = [*values, describe.read_cell(describe.beneath(mirror), spot)]
    return octets, values


def _differ(before: Contents, after: Contents) -> bool:
    if before[0] != after[0]:
        return True
    values, now = before[1] or [], after[1] or []
    return len(values) != len(now) or any(map(describe.differ, values, now))


def _common(part: Any, index: Index, mirror: Any) -> tuple[int, ...]:
    """Return the offsets of the bytes of an element that the other reaches, if these are not all of them."""
    start = describe.address_of(part, index)
    if start is None or not describe.is_dense(part) or _lie_alike(part, mirror):
        return ()
    offsets = tuple(k for k in range(part.itemsize) if describe.cell_at(mirror, start + k) is not None)
    return offsets if len(offsets) < part.itemsize else ()


def _place(part: Any, index: Index, other: Any, known: Relation) -> tuple[Index, Any, Index | None]:
    """Return where ``part`` is written, at ``index`` if it need not be elsewhere, and where that may show.

    That is a part of ``other``, and the index in it of an element that has a byte of the one that is written; ``None``
    if there is no such element.
    """
    others = [dense for _, dense in describe.parts(other)] or [other]
    return (index, others[0], None) if known.overlaps is False else _meeting(part, index, others)


def _lie_alike(part: Any, mirror: Any) -> bool:
    """Return True if two dense objects have their elements at the same addresses: all bytes of one are the other's."""
    return describe.is_dense(mirror) and describe.span(part) == describe.span(mirror)


def _meeting(part: Any, index: Index, others: list[Any]) -> tuple[Index, Any, Index | None]:
    """Return where ``part`` and one of ``others`` reach the same byte: the index in it, the other, the index there.

    It is the place nearest to ``part[index]``: what is written where the others do not reach cannot show in them.
    """
    start = describe.address_of(part, index)
    if start is not None:
        for other in others:
            if (spot := describe.cell_at(other, start)) is not None:
                return index, other, spot
        for other in filter(describe.is_dense, others):
            for address in sorted(describe.landmarks(part) + describe.landmarks(other), key=lambda at: abs(at - start)):
                cell, spot = describe.cell_at(part, address), describe.cell_at(other, address)
                if cell is not None and spot is not None:
                    return cell, other, spot
    return index, others[0], None


def _record(
    experiment: Experiment,
    facts: Facts,
    after: Literal["convert", "then", "write-source", "write-result"],
    source: Any,
    result: Any,
) -> None:
    """Keep both objects in full, where they are small."""
    if math.prod(experiment.subject.shape) <= experiment.snapshot:
        unfilled_result = facts.result is not None and facts.result.filled is False
        taken = [_texts(source), None if unfilled_result else _texts(result)]
        facts.snapshots += (Snapshot(after=after, source=taken[0], result=taken[1]),)


def _texts(obj: Any) -> tuple[str, ...] | None:
    values = describe.read(obj)
    return None if values is None else describe.as_texts(values, obj)


def _watch(source: Any) -> Callable[[], bool | None]:
    """Return a question to ask when the source is gone: does the owner of its bytes live?"""
    if isinstance(source, Tensor) and describe.is_dense(source):
        watched = source.untyped_storage()._weak_ref()

        def lives() -> bool:
            expired = torch.UntypedStorage._expired(watched)
            torch.UntypedStorage._free_weak_ref(watched)  # type: ignore[no-untyped-call]
            return not expired

        return lives
    if isinstance(source, np.ndarray):
        owner: Any = source
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        if owner.base is None or isinstance(owner.base, mmap.mmap):
            reference = weakref.ref(owner if owner.base is None else owner.base)
            del owner
            return lambda: reference() is not None
    return lambda: None
