"""Which code to write for a wanted outcome: the answers to ``--want``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from tensorbridge_cli.catalog import registry
from tensorbridge_cli.catalog.states import words
from tensorbridge_cli.judgement.candidates import WAYS, Candidate, is_legacy
from tensorbridge_cli.judgement.remedies import EQUAL, is_faithful, is_of_library, is_problem, remedy_for, to_fix, wish
from tensorbridge_cli.records.enums import Direction, Library, Outcome
from tensorbridge_cli.records.report import Answer, Remedy, Row, Subject

_CROSSING = frozenset(WAYS) - {Direction.TORCH_TO_TORCH, Direction.NUMPY_TO_NUMPY}


def answers(rows: Iterable[Row], wanted: Outcome, direction: Direction | None = None) -> tuple[Answer, ...]:
    """Return for each subject which code gives the outcome ``wanted``: over the border, or in one ``direction``.

    What counts is what a remedy must be: values equal, no hazard. Where nothing is so, what comes nearest is named.
    """
    groups: dict[tuple[Direction, Subject], list[Row]] = {}
    for row in rows:
        if row.direction is direction or (direction is None and row.direction in _CROSSING):
            groups.setdefault((row.direction, row.subject), []).append(row)
    return tuple(_answer(group, wanted) for group in groups.values())


def _answer(rows: Sequence[Row], wanted: Outcome) -> Answer:
    plain = [
        row for row in rows if (entry := registry.find(row.conversion)) and not entry.changes and not is_legacy(entry)
    ]
    rank = {_typed(row): _CLASSIC.index(row.conversion) for row in plain if row.conversion in _CLASSIC}
    # that as_tensor copies a list is not a reason to write it for a copy
    by_chance = {
        _typed(row) for row in plain if wanted is Outcome.COPIED is not wish(row.conversion, row.direction.source)
    }
    by_code = {remedy.code: remedy for row in plain for remedy in reversed((*_itself(row), *row.remedies))}
    ordered = sorted(
        by_code.values(),
        key=lambda remedy: (
            not is_faithful(remedy),
            remedy.outcome is not wanted,
            "elementwise" in remedy.effects,
            remedy.copied_bytes or 0,
            remedy.code in by_chance,
            "read-only" in remedy.effects,
            rank.get(remedy.code, len(_CLASSIC)),
            len(remedy.code),
        ),
    )
    write = tuple(remedy for remedy in ordered if remedy.outcome is wanted and is_faithful(remedy))
    near = sorted(ordered, key=lambda remedy: remedy.outcome is not wanted)
    return Answer(
        wanted=wanted,
        direction=rows[0].direction,
        subject=rows[0].subject,
        write=write,
        why=None if write else _why(plain or rows, wanted),
        nearest=() if write else tuple({remedy.outcome: remedy for remedy in reversed(near)}.values())[::-1],
    )


_CLASSIC = tuple(entry.name for entry in registry.classic())


def _typed(row: Row) -> str:
    entry = registry.find(row.conversion)
    if entry is None or row.to_dtype is None:
        return entry.code if entry else ""
    dtype = f"torch.{row.to_dtype}" if row.direction.target is Library.TORCH else repr(row.to_dtype)
    return re.sub(r"\bdtype\b(?!=)", lambda _: dtype, entry.code_with_dtype or entry.code)


def _itself(row: Row) -> Iterator[Remedy]:
    """Yield the conversion of ``row`` itself, if it has no problem."""
    entry = registry.find(row.conversion)
    if is_problem(row) or row.values not in EQUAL or row.warnings or row.result is None:
        return
    if entry is None or entry.setup or not is_of_library(row.result.type, row.direction.target):
        return  # a function of one's own to write first, or a list
    yield remedy_for(Candidate(code=_typed(row), effects=("elementwise",) if _is_elementwise(row) else ()), row)


_ELEMENTWISE = re.compile(r"\blist\(x\)(?=[,)])|\.tolist\(\)")
_IN_BLOCKS = frozenset({"torch.stack", "torch.utils.data.default_collate"})


def _is_elementwise(row: Row) -> bool:
    """Return True if Python handles each element, or each row of a list of arrays element by element.

    That takes up to a hundred times as long as copying a block, and counts the same bytes.
    """
    if row.conversion in _IN_BLOCKS:
        return row.direction.source is Library.NUMPY and len(row.subject.shape) < 2
    nested = bool(words(row.subject.state) & {"list-of-arrays", "list-of-tensors"})
    return (nested and row.direction.target is Library.TORCH) or bool(_ELEMENTWISE.search(_typed(row)))


def _why(rows: Sequence[Row], wanted: Outcome) -> str:
    """Return the outcomes of the conversions, with the first reason of each kind."""
    kinds: dict[str, list[str]] = {}
    for row in rows:
        hazards = sorted(to_fix(row))
        if row.error is not None:
            kind, reason = "refused", f"{row.conversion}: {row.error.type}: {row.error.message}"
        elif row.outcome is not wanted:
            kind, reason = str(row.outcome), row.conversion
        else:
            kind, reason = f"{row.outcome}, but with hazards", f"{row.conversion}: {', '.join(hazards) or row.values}"
        kinds.setdefault(kind, []).append(reason)
    return "; ".join(f"{len(reasons)} {kind} ({reasons[0]})" for kind, reasons in kinds.items())
