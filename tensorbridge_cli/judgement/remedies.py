"""The rule by which a row needs a remedy, and by which a candidate that was tried counts as one."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import replace

from tensorbridge_cli.catalog import hazards, registry
from tensorbridge_cli.catalog.carriers import PACKAGES
from tensorbridge_cli.catalog.states import PLAIN
from tensorbridge_cli.judgement.candidates import DETACHES, Candidate
from tensorbridge_cli.judgement.contract import expectation
from tensorbridge_cli.judgement.judge import judge
from tensorbridge_cli.records.enums import Expected, Library, Origin, Outcome, Values
from tensorbridge_cli.records.report import (
    STANDS_FOR,
    Expectation,
    NotApplicable,
    Observation,
    Remedy,
    Row,
    Subject,
    caveat,
    described,
)

# What is a problem ------------------------------------------------------------------------------

NO_PROBLEM = frozenset(hazard.name for hazard in hazards.HAZARDS if hazard.no_remedy)
"""The hazards that are nothing to write other code for; of any other a remedy is looked for."""

_ENDED = frozenset({Outcome.REFUSED, Outcome.CRASHED, Outcome.TIMED_OUT})
_MATURITY = re.compile(r"\b(beta state|prototype stage|experimental|will be removed|invariant checks)\b")
"""What a warning says of a kind of object as such: other code for the same object would not be better."""


def is_problem(row: Row) -> bool:
    """Return True if other code should be written than that of ``row``."""
    return row.outcome in _ENDED or bool(to_fix(row))


def to_fix(row: Row) -> frozenset[str]:
    """Return the hazards of ``row`` that a remedy must not have."""
    codes = frozenset(hazard.code for hazard in row.hazards) - NO_PROBLEM - _unavoidable(row)
    if row.conversion in DETACHES:
        codes -= {"grad-lost"}
    if not any(warned.once and not _MATURITY.search(warned.message) for warned in row.warnings):
        codes -= {"warned-once-only"}
    return codes


def _unavoidable(row: Observation) -> frozenset[str]:
    """Return what every way of this direction loses: the other library has no such thing, say."""
    source, target = row.direction.source, row.direction.target
    if source is target is Library.TORCH:
        return frozenset({"subclass-lost"})  # what is computed from a Parameter is none, and is not to be
    if source is target:
        return frozenset()
    return frozenset({"subclass-lost"} | ({"grad-lost"} if source is Library.TORCH else set()))


# What counts as a remedy -------------------------------------------------------------------------

Done = Observation | NotApplicable
_NOTHING_PROMISED = Expectation(promises=())
EQUAL = frozenset({Values.EQUAL, Values.SAMPLED_EQUAL})
"""The values of a result that are its source's."""


def remedied(row: Row, trials: Iterable[tuple[Candidate, Done, Done | None]]) -> Row:
    """Return ``row`` with the candidates that worked, the cheapest first; a trial has a result and a proof."""
    remedies = [remedy for candidate, done, proof in trials if (remedy := _remedy(row, candidate, done, proof))]
    # of equal cost, those that lose nothing first, then in the order in which they are declared
    best = tuple(
        sorted(
            _cheapest(remedies),
            key=lambda one: (
                not is_faithful(one),
                "untracked" in one.effects,
                one.copied_bytes or 0,
                bool(one.effects),
            ),
        )
    )
    return replace(row, remedies=best, remedy=described(best[0]) if best else None)


def _remedy(row: Row, candidate: Candidate, done: Done, proof: Done | None) -> Remedy | None:
    if not isinstance(done, Observation) or done.result is None or done.warnings:
        return None
    got = judge(done, _NOTHING_PROMISED, None, candidate.changes)
    allowed = (_unavoidable(row) | candidate.loses | {"subclass-lost"}) - (to_fix(row) & _KEPT_SOMEHOW)
    wished = wish(row.conversion, row.direction.source)
    empty = 0 in (done.result.nbytes, done.source and done.source.nbytes)
    if not (
        got.crash is None
        and (got.outcome in (Outcome.SHARED, Outcome.COPIED) or (got.outcome is Outcome.UNDECIDABLE and empty))
        and (wished is not Outcome.COPIED or got.outcome is not Outcome.SHARED)
        and (candidate.as_typed or is_of_library(done.result.type, row.direction.target))
        and (row.to_dtype is None or done.result.dtype == row.to_dtype)
        and not (row.conversion in DETACHES and done.result.requires_grad)
        and {hazard.code for hazard in got.hazards} <= allowed
        and _proved(done if not candidate.proof else proof)
    ):
        return None
    return remedy_for(candidate, got)


_KEPT_SOMEHOW = frozenset({"grad-lost", "grad-wrong", "subclass-lost"})
"""What is lost by choice, where that is not the very problem; a mask is lost by every way, and can stand beside."""


def _proved(done: Done | None) -> bool:
    return isinstance(done, Observation) and done.error is None and done.crash is None and done.values in EQUAL


def is_of_library(type_name: str, library: Library) -> bool:
    """Return True if a type, with the name of its module, is one of a library."""
    return type_name.partition(".")[0] == PACKAGES.get(library, library)


def remedy_for(candidate: Candidate, got: Row) -> Remedy:
    """Return the remedy for ``candidate``, with its side effects."""
    effects = list(candidate.effects)
    hazards_left = {hazard.code for hazard in got.hazards}
    if "grad-lost" in hazards_left:
        effects.append("gradient")
    if "grad-wrong" in hazards_left:
        effects.append("untracked")
    before = got.source.dtype if got.source is not None else None
    after = got.result.dtype if got.result is not None else None
    dtype = after if before is not None and after != before else None
    if dtype is not None and got.to_dtype is None and not STANDS_FOR & set(effects):
        effects.append("dtype")
    return Remedy(
        code=candidate.code,
        outcome=got.outcome,
        copied_bytes=got.copied_bytes,
        caveat=caveat(tuple(effects), dtype),
        setup=candidate.setup,
        effects=tuple(effects),
        dtype=dtype,
    )


def is_faithful(remedy: Remedy) -> bool:
    """Return True if the result has the source's own values, not bits or a filling that stand for them."""
    return not STANDS_FOR & set(remedy.effects)


def _cheapest(remedies: Iterable[Remedy]) -> tuple[Remedy, ...]:
    """Return of each kind and cost the first: another code for the same is not another answer."""
    cheapest: dict[tuple[object, ...], Remedy] = {}
    for remedy in remedies:
        # the dtype counts if it is what the remedy changes: --to-dtype changes it for all alike
        dtype = remedy.dtype if {"bits", "dtype"} & set(remedy.effects) else None
        cheapest.setdefault((remedy.outcome, remedy.copied_bytes, frozenset(remedy.effects), dtype), remedy)
    return tuple(cheapest.values())


@functools.cache
def wish(conversion: str, library: Library) -> Outcome | None:
    """Return what a caller of ``conversion`` wants: a copy, sharing, or, ``None``, whichever is cheaper.

    That is what its keyword says, or its page of an ordinary subject.
    """
    entry = registry.find(conversion)
    if entry is not None and entry.copy is not None:
        return Outcome.COPIED if entry.copy else Outcome.SHARED
    plain = Subject(
        # of a list nothing can be shared: what of an array?
        library=Library.NUMPY if library is Library.PYTHON else library,
        shape=(4, 3),
        dtype="float32",
        layout="contiguous",
        state=PLAIN,
        device="cpu",
        origin=Origin.GENERATED,
    )
    promised = [p.expected for p in expectation(conversion, plain, None).promises if p.about == "outcome"]
    return Outcome.COPIED if Expected.COPIED in promised else None
