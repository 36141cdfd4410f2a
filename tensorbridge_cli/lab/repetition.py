"""Convert once more: which warnings come once in a process, and did anybody fill the memory of the result?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tensorbridge_cli.catalog.layouts import CannotBuildError
from tensorbridge_cli.compat import zip_equal
from tensorbridge_cli.lab import unfilled
from tensorbridge_cli.lab.conversion import Namespace, always_warn, build, convert, scope_of
from tensorbridge_cli.lab.experiment import LARGE, Bench, Experiment, Facts, small
from tensorbridge_cli.memory.parts import (
    has_no_bytes,
    parts,
)
from tensorbridge_cli.memory.values import differing, octets
from tensorbridge_cli.pytorch import Tensor
from tensorbridge_cli.records.report import (
    Warned,
)


def repeatable(experiment: Experiment, nbytes: int) -> Experiment | None:
    """Return the experiment with which to convert once more beside the first, whose source has ``nbytes``.

    A second large source may not fit in memory: a small one is generated in its place. None if the source was given.
    """
    if nbytes < LARGE:
        return experiment
    if experiment.given is not None:
        return None
    subject = replace(experiment.subject, shape=small(experiment.subject.shape))
    return replace(experiment, subject=subject)


def mark_given_once(
    experiment: Experiment, bench: Bench, names: Namespace, given: tuple[Warned, ...]
) -> tuple[Warned, ...]:
    """Mark the warnings that a second call in one process no longer gives; ``always`` is off for the two calls."""
    always_warn(False)
    try:
        for _ in range(2):
            again = Facts(subject=experiment.subject)
            source, *_alive = build(experiment, bench, names)
            convert(experiment, scope_of(experiment, names, source), again)
    except CannotBuildError:
        return given
    finally:
        always_warn(True)
    still = {(warned.category, warned.message) for warned in again.warnings}
    return tuple(replace(warned, once=(warned.category, warned.message) not in still) for warned in given)


def may_be_unfilled(source: Any, result: Any, before: list[Any] | None, after: list[Any] | None, facts: Facts) -> bool:
    """Return True if ``after``, the result's values, may be those of memory that was allocated and nobody wrote to.

    What has the source's values in any shape was filled (see ``unfilled.leave``), unless the source has no bytes that
    they could come from.
    """
    if facts.relation.overlaps or not parts(result) or facts.seconds is None:
        return False
    if isinstance(result, np.ndarray) and result.dtype.hasobject:
        return False  # its bytes are addresses of objects, which may be others each time
    if before is None or after is None or len(before) != len(after) or differing(before, after):
        return any(octets(result) or ())
    return bool(isinstance(source, Tensor) and has_no_bytes(source))


def is_filled(experiment: Experiment, bench: Bench, names: Namespace, result: Any, nbytes: int) -> bool:
    """Convert again in memory that was filled with other patterns before: does the result depend on them?

    Values that nobody wrote are those that lay there: they follow the pattern. A conversion that makes random values
    gives others each time, though the pattern is the same.

    ``torch.Tensor(np.uint32(4294967295))`` has 17 GB, which no pattern is written to: it would take all memory. The
    system hands out such a block zeroed, so the sampled elements of one that nobody wrote are zeros.
    """
    if nbytes > LARGE:
        return any(map(any, octets(result) or ()))
    patterns = []
    for byte in (0x3C, 0x55, 0x3C):
        try:
            fresh, _alive, _guarded = build(experiment, bench, names)
            scope = scope_of(experiment, names, fresh)
        except CannotBuildError:
            return True
        again = Facts(subject=experiment.subject)
        with unfilled.memory(byte, nbytes):
            converted = convert(experiment, scope, again)
            filled_with = octets(converted)
        if filled_with is None or again.error is not None:
            return True
        patterns.append(b"".join(filled_with))
    if not len(patterns[0]) == len(patterns[1]) == len(patterns[2]):
        return True
    first, second, third = patterns
    follows: int = sum(a == c != b for a, b, c in zip_equal(first, second, third))
    return 4 * follows < len(patterns[0])
