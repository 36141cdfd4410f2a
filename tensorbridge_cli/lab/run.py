"""One experiment: build a fresh subject, convert it, look at both objects, write to each and look at the other.

Runs in a worker process (see ``child``), with ``--isolation none`` in that of the command. ``announce`` is told each
stage before it begins, with the facts found so far, so that a crash in it loses nothing but itself.
"""

from __future__ import annotations

import math
import mmap
import warnings
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from tensorbridge_cli.catalog import dtypes
from tensorbridge_cli.catalog.layouts import CannotBuildError
from tensorbridge_cli.catalog.registry import missing
from tensorbridge_cli.errors import Ended, RequestError
from tensorbridge_cli.lab import global_state, unfilled
from tensorbridge_cli.lab.autograd import notices_write
from tensorbridge_cli.lab.comparison import (
    Before,
    Examined,
    changes_of,
    compare,
    inspect,
    inspect_again,
    inspect_before,
    libraries_of,
    name_owner,
)
from tensorbridge_cli.lab.conversion import Namespace, build, convert, go_on, scope_of
from tensorbridge_cli.lab.experiment import Bench, Experiment, Facts, observation
from tensorbridge_cli.lab.guard import Guard
from tensorbridge_cli.lab.propagation import copies_on_write, write_to
from tensorbridge_cli.lab.repetition import is_filled, mark_given_once, may_be_unfilled, repeatable
from tensorbridge_cli.lab.stderr_tail import is_of_another, is_our_own, message_of, raised
from tensorbridge_cli.memory import describe
from tensorbridge_cli.memory.arrays import outermost
from tensorbridge_cli.memory.moment import moment
from tensorbridge_cli.memory.parts import (
    contradiction,
    is_dense,
    is_known,
    shape_of,
)
from tensorbridge_cli.memory.relation import relation
from tensorbridge_cli.memory.values import as_texts, read
from tensorbridge_cli.memory.writes import put_bools_back
from tensorbridge_cli.pytorch import Tensor, torch
from tensorbridge_cli.records.enums import SPELLED, Stage, Values, Write
from tensorbridge_cli.records.report import Extents, Failure, NotApplicable, Observation, Snapshot
from tensorbridge_cli.subjects import generate

Announce = Callable[[Stage, Facts], None]


def run(experiment: Experiment, bench: Bench, names: Namespace, announce: Announce) -> Observation | NotApplicable:
    """Make one experiment.

    What the conversion raises is an observation. What an object of the user's raises when it is inspected, such as its
    property ``shape``, is a reason why the experiment is not applicable. Any other exception is a failure of the tool's
    own code; the observation holds it, and says nothing of the conversion.
    """
    facts = Facts(subject=experiment.subject)
    at = Stage.BUILD

    def begin(stage: Stage, facts: Facts) -> None:
        nonlocal at
        at = stage
        announce(stage, facts)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what our own reads and writes warn of; the conversion's are recorded
            return _run(experiment, bench, names, begin, facts)
    except Ended:
        raise
    except BaseException as error:
        if experiment.own_code and is_of_another(error):
            return _not_applicable(experiment, f"an object's own code raised {raised(error)} while it was inspected")
        return observation(experiment, Facts(subject=experiment.subject), None, Failure.of(at, error))


def _run(
    experiment: Experiment, bench: Bench, names: Namespace, announce: Announce, facts: Facts
) -> Observation | NotApplicable:
    announce(Stage.BUILD, facts)
    try:
        _require(experiment)
        source, alive, guarded = build(experiment, bench, names)
        state = global_state.snapshot() if experiment.own_code else None
        scope = scope_of(experiment, names, source)
    except CannotBuildError as error:
        return _not_applicable(experiment, message_of(error))
    before = _note_source(experiment, source, guarded, facts)
    unfilled.leave(before.described.nbytes or 0)
    announce(Stage.CONVERT, facts)
    try:
        result = convert(experiment, scope, facts)
    except CannotBuildError as error:
        return _not_applicable(experiment, message_of(error))
    scope.clear()
    if state is not None:
        facts.global_state = global_state.changes(state)
    announce(Stage.OBSERVE, facts)
    with moment:
        now = inspect_again(source, before)
        facts.source_changes = changes_of(source, before, now)
    if facts.error is not None:
        return observation(experiment, facts, None)
    if not _is_known(result):
        facts.result = describe.describe_type(result)
        facts.relation = replace(facts.relation, same_object=False)
        return observation(experiment, facts, None)
    if (reason := contradiction(result)) is not None:
        return _not_applicable(experiment, f"the result cannot be inspected: {reason}")
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
    if source is not result and facts.relation.overlaps and facts.relation.overlaps_after_writes is not False:
        owner_lives = _watch(source)
        del source, alive
        facts.relation = replace(facts.relation, owner_kept=owner_lives())
    return observation(experiment, facts, None)


def _is_known(result: Any) -> bool:
    """Return True if more can be told of the result than its type: not if its own code raises when it is asked."""
    try:
        return is_known(result)
    except BaseException as error:
        if is_our_own(error):
            raise
        return False


def _require(experiment: Experiment) -> None:
    """Check that the libraries have what the conversion needs.

    Raises:
        CannotBuildError: if they lack it.
    """
    absent = missing(experiment.needs) or (_without_dtype(experiment) if experiment.same_dtype else None)
    if absent:
        raise CannotBuildError(absent)


def _note_source(experiment: Experiment, source: Any, guarded: Guard | None, facts: Facts) -> Before:
    """Record the source: this is what is known if the conversion itself ends the process."""
    if experiment.given is None:
        facts.fill = generate.fill_sentence(experiment.subject)
    elif experiment.given.sampled:
        facts.fill = "the object's values at sampled elements, zeros elsewhere (large object)"
    facts.private_copy = guarded.sentence if guarded is not None else None
    with moment:
        before = inspect_before(source)
        facts.libraries = libraries_of(source)
        facts.source = before.described
        name_owner(experiment.given, facts)
        facts.extents = Extents(source=before.extents, result=())
        return before


def _note_result(
    experiment: Experiment,
    bench: Bench,
    names: Namespace,
    source: Any,
    before: Before,
    now: Examined,
    result: Any,
    facts: Facts,
) -> None:
    """Record the result beside the source, which warnings come once, and whether anybody filled the result."""
    again = repeatable(experiment, before.described.nbytes or 0)
    if facts.warnings and again is not None:
        facts.warnings = mark_given_once(again, bench, names, facts.warnings)
    values = compare(source, now, result, before.values, facts)
    name_owner(experiment.given, facts)
    assert facts.result is not None
    if again is not None and may_be_unfilled(source, result, before.values, values, facts):
        filled = is_filled(again, bench, names, result, facts.result.nbytes or 0)
        facts.result = replace(facts.result, filled=filled)
        if not filled:
            facts.values, facts.difference = Values.UNKNOWN, None
    _record(experiment, facts, "convert", source, result)


def _follow(
    experiment: Experiment, names: Namespace, source: Any, result: Any, announce: Announce, facts: Facts
) -> Any:
    """Run the statement that follows the conversion; record what it left, and return what ``x`` is after it."""
    announce(Stage.CONVERT, facts)
    source = go_on(experiment, names, source, result, facts)
    announce(Stage.OBSERVE, facts)
    if facts.error is None:
        now = inspect(source)
        compare(source, now, result, now.values, facts)
        _record(experiment, facts, "then", source, result)
    return source


def _write_both(experiment: Experiment, source: Any, result: Any, announce: Announce, facts: Facts) -> None:
    """Write to each of the two and record what shows in the other, and whether autograd notices."""
    for stage in _order_of_writes(source):
        announce(stage, facts)
        if stage is Stage.WRITE_SOURCE:
            facts.source_to_result = write_to("source", source, result, facts)
            _record(experiment, facts, "write-source", source, result)
        else:
            facts.result_to_source = write_to("result", source, result, facts)
            _record(experiment, facts, "write-result", source, result)
    if source is not result and facts.result_to_source is Write.SEEN:
        facts.autograd_notices = notices_write(source, result, (0,) * len(shape_of(result) or ()))
    if isinstance(source, np.bool_):
        put_bools_back()


def _may_have_parted(source: Any, facts: Facts) -> bool:
    """Return True if the two overlapped, and yet a write to one did not show in the other."""
    unseen = Write.NOT_SEEN in (facts.source_to_result, facts.result_to_source)
    return bool(facts.relation.overlaps) and unseen and not copies_on_write(source)


def _order_of_writes(source: Any) -> tuple[Stage, Stage]:
    """Return which object is written first: the result, if the source moves to other memory when it is written."""
    writes = (Stage.WRITE_SOURCE, Stage.WRITE_RESULT)
    return writes[::-1] if copies_on_write(source) else writes


def _not_applicable(experiment: Experiment, reason: str) -> NotApplicable:
    return NotApplicable(
        conversion=experiment.conversion, subject=experiment.subject, reason=reason, direction=experiment.direction
    )


def _without_dtype(experiment: Experiment) -> str | None:
    """Return why the target library has no dtype of the source's name, which the conversion's own code asks it for."""
    target = experiment.direction.target
    try:
        libraries = dtypes.find(experiment.subject.dtype).libraries
    except RequestError:  # no name makes it, such as np.record or a StringDType: it is its own library's
        libraries = (experiment.subject.library,)
    if target in libraries:
        return None
    return f"{SPELLED[target]} has no {experiment.subject.dtype}, which the conversion needs"


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
    values = read(obj)
    return None if values is None else as_texts(values, obj)


def _watch(source: Any) -> Callable[[], bool | None]:
    """Return a question to ask when the source is gone: does the owner of its bytes live?"""
    if isinstance(source, Tensor) and is_dense(source):
        watched = source.untyped_storage()._weak_ref()

        def lives() -> bool:
            expired = torch.UntypedStorage._expired(watched)
            torch.UntypedStorage._free_weak_ref(watched)  # type: ignore[no-untyped-call]
            return not expired

        return lives
    if isinstance(source, np.ndarray):
        owner = outermost(source)
        if owner.base is None or isinstance(owner.base, mmap.mmap):
            reference = weakref.ref(owner if owner.base is None else owner.base)
            del owner
            return lambda: reference() is not None
    return lambda: None
