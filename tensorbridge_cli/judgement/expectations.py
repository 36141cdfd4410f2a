"""What a user expects: words such as ``shared``, read into promises, and a row held against them.

Pure functions of records. An expectation becomes clauses of the row's contract, so that every format shows it. It is
stricter than a sentence of the documentation: it is not met if it could not be observed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tensorbridge_cli.catalog import codes, hazards
from tensorbridge_cli.errors import RequestError, unknown
from tensorbridge_cli.judgement.judge import clause_for, observed, worst
from tensorbridge_cli.records.enums import Expected, Outcome, Verdict
from tensorbridge_cli.records.report import Clause, Contract, Promise, Row

DOCUMENTED = "documented"
_NO_HAZARD = "no-hazard"
_ANY_HAZARD = "hazards"
_FLAGS = {"writable": "writable", "read-only": "writable"}  # what they are about
GRAMMAR = (*Expected, *_FLAGS, "dtype=NAME", f"{_NO_HAZARD}=CODE", _NO_HAZARD, DOCUMENTED)
"""The words in which an expectation is written."""


@dataclass(frozen=True)
class Expectations:
    """Expectations of a row; ``documented``: what the documentation promises, too."""

    promises: tuple[Promise, ...]
    documented: bool


def parse(texts: Iterable[str], origin: str) -> Expectations:
    """Read the words of an expectation; ``origin`` is cited where it is not met.

    Raises:
        RequestError: for a word that is none, or two that contradict each other.
    """
    promises: dict[str, Promise] = {}
    documented = False
    for text in texts:
        if text == DOCUMENTED:
            documented = True
            continue
        about, expected = _parsed(text)
        if promises.get(about, expected) != expected and promises[about].expected != expected:
            raise RequestError(f"{promises[about].expected} and {expected} cannot be combined.")
        promises[about] = Promise(about=about, expected=expected, citation=origin, sentence="")
    return Expectations(promises=tuple(promises.values()), documented=documented)


def _parsed(text: str) -> tuple[str, str]:
    word, equals, value = (part.strip() for part in text.partition("="))
    if not equals and word in list(Expected):
        return "outcome", word
    if not equals and word in _FLAGS:
        return _FLAGS[word], word
    if not equals and word == _NO_HAZARD:
        return _ANY_HAZARD, "none"
    if word == "dtype" and value:
        return "dtype", value
    if word == _NO_HAZARD and value:
        name = codes.name_of(value)
        if name not in hazards.BY_NAME:
            raise unknown("hazard", value, hazards.BY_NAME)
        return name, "absent"
    raise unknown("expectation", text, GRAMMAR)


def named(wanted: Expectations, names: Mapping[str, str]) -> Expectations:
    """Return ``wanted`` with each dtype that has another one of ``names`` under that."""
    return replace(
        wanted,
        promises=tuple(
            replace(promise, expected=names[promise.expected])
            if promise.about == "dtype" and promise.expected in names
            else promise
            for promise in wanted.promises
        ),
    )


def dtypes(wanted: Expectations) -> list[str]:
    """Return the dtypes that are expected."""
    return [promise.expected for promise in wanted.promises if promise.about == "dtype"]


def hold(row: Row, wanted: Expectations) -> Row:
    """Return ``row`` with the user's clauses as its contract, and the documentation's where that is wanted."""
    own = tuple(clause_for(promise, _observed(row, promise.about) or row.outcome) for promise in wanted.promises)
    outcome = next((promise for promise in wanted.promises if promise.about == "outcome"), None)
    documented = row.contract if wanted.documented else None
    return _with(
        row,
        (*own, *(documented.clauses if documented else ())),
        expected=Expected(outcome.expected) if outcome else documented.expected if documented else None,
    )


def _observed(row: Row, about: str) -> str | None:
    """Return what was observed; ``None`` if it could not be. A conversion that raised has no hazards."""
    if about != _ANY_HAZARD and about not in hazards.BY_NAME:
        return observed(about, row, row.outcome)
    if row.result is None and row.outcome is not Outcome.REFUSED:
        return None
    codes = [hazard.code for hazard in row.hazards]
    if about == _ANY_HAZARD:
        return ", ".join(codes) or "none"
    return "present" if about in codes else "absent"


def together(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return each cell once, with the clauses of all its rows."""
    by_cell: dict[tuple[object, ...], Row] = {}
    for row in rows:
        key = (row.conversion, row.direction, row.to_dtype, row.subject)
        if (other := by_cell.get(key)) is not None:
            expected = other.contract.expected or row.contract.expected
            clauses = tuple(dict.fromkeys((*other.contract.clauses, *row.contract.clauses)))
            by_cell[key] = _with(other, clauses, expected)
        else:
            by_cell[key] = row
    return tuple(by_cell.values())


def since(row: Row, then: Mapping[str, str] | None, origin: str) -> Row:
    """Return ``row`` held against the facts ``then`` of its cell in an earlier record, whose name is ``origin``.

    What was broken then, and is now, is as it was; what is broken now only stays so. ``None``: there was no such cell.
    """
    if then is None:
        return row
    verdict = row.contract.verdict
    clauses = []
    if then["outcome"] != row.outcome:
        clauses.append(_changed("outcome", then["outcome"], row.outcome, origin))
    was = then.get("contract")
    was_broken = was == Verdict.BROKEN
    if was_broken:
        clauses.append(_changed("contract", was or "", verdict, origin))
    unchanged = tuple(c for c in row.contract.clauses if not (was_broken and c.verdict is Verdict.BROKEN))
    return _with(row, (*clauses, *unchanged), row.contract.expected)


def _changed(about: str, then: str, now: str, origin: str) -> Clause:
    verdict = Verdict.KEPT if then == now else Verdict.BROKEN
    return Clause(about=about, expected=then, observed=now, verdict=verdict, citation=origin)


def _with(row: Row, clauses: tuple[Clause, ...], expected: Expected | None) -> Row:
    cited = next((clause for clause in clauses if clause.about == "outcome"), clauses[0] if clauses else None)
    return replace(
        row,
        contract=Contract(
            expected=expected,
            verdict=worst(clause.verdict for clause in clauses),
            citation=cited.citation if cited else None,
            clauses=clauses,
        ),
    )
