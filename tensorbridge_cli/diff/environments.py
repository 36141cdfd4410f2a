"""The same cells in several environments, side by side: what is the same in all of them, and what is not.

The JSON is the contract ``tensorbridge.environments/1``: keys are added, never renamed or removed.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from tensorbridge_cli.diff.cells import NOTHING, Facts, Group, Key, Recording, function_of
from tensorbridge_cli.diff.ways import Sources
from tensorbridge_cli.records.enums import Verdict
from tensorbridge_cli.records.report import Environment, NotApplicable, Report, Row, Summary, Tally

SCHEMA: Literal["tensorbridge.environments/1"] = "tensorbridge.environments/1"
NOT_APPLICABLE = "not-applicable"
LETTERS = string.ascii_uppercase
"""What environments are called in a table, in the order in which they were named."""


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """An environment: its letter, what the user calls it, what is installed, and how many cells had which outcome."""

    letter: str
    name: str
    environment: Environment
    counts: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class ComparedCell:
    """One conversion of one source. ``found`` has its facts in each environment, by letter.

    If it is not applicable in one, these are that outcome and the ``reason``. ``same``: the facts are the same in all.
    """

    cell: Key
    same: bool
    found: Mapping[str, Facts]


@dataclass(frozen=True, kw_only=True)
class Breach:
    """One thing that is not as the documentation, or the user, says.

    ``cells`` counts the cells by environment. ``unsaid`` are the environments whose documentation does not say it;
    ``worse`` counts the cells in which the first environment keeps it.
    """

    function: str
    direction: str
    about: str
    expected: str
    found: str
    sentence: str
    citation: str
    cells: Mapping[str, int]
    unsaid: tuple[str, ...]
    worse: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class SideBySide:
    """The same request in several environments; ``breaches`` are those of a check."""

    schema: Literal["tensorbridge.environments/1"]
    environments: tuple[Inspected, ...]
    cells: tuple[ComparedCell, ...]
    breaches: tuple[Breach, ...] = ()


@dataclass(frozen=True)
class Inspections:
    """The same request in several environments, with the report of each."""

    compared: SideBySide
    reports: tuple[Report, ...]


def inspected(letter: str, name: str, environment: Environment, counts: Summary) -> Inspected:
    """Return what is said of an environment; the counts have the names of the outcomes."""
    named = {field.replace("_", "-"): getattr(counts, field) for field in Summary.__dataclass_fields__}
    return Inspected(letter=letter, name=name, environment=environment, counts=named)


def noted(entries: Iterable[Row | NotApplicable], *notes: Tally | Clauses) -> Iterator[Row | NotApplicable]:
    """Yield ``entries``, of which none is kept, each added to the ``notes`` as it passes."""
    for entry in entries:
        for note in notes:
            note.add(entry)
        yield entry


def side_by_side(
    environments: Sequence[Inspected], recordings: Sequence[Recording], breaches: Sequence[Breach] = ()
) -> SideBySide:
    """Return the cells of ``recordings``, one for each of ``environments``, side by side."""
    keys = dict.fromkeys(key for recording in recordings for key in recording.cells)
    letters = [one.letter for one in environments]
    return SideBySide(
        schema=SCHEMA,
        environments=tuple(environments),
        cells=tuple(_cell(key, letters, recordings) for key in keys),
        breaches=tuple(breaches),
    )


def _cell(key: Key, letters: Sequence[str], recordings: Sequence[Recording]) -> ComparedCell:
    recorded = [recording.cells.get(key) or _absent(key, recording) for recording in recordings]
    return ComparedCell(
        cell=key, same=all(facts == recorded[0] for facts in recorded), found=dict(zip(letters, recorded, strict=True))
    )


def _absent(key: Key, recording: Recording) -> Facts:
    reason = recording.not_applicable.get((key.conversion, key.subject), "it was not tried")
    return {"outcome": NOT_APPLICABLE, "reason": reason}


# What is not as it is documented -----------------------------------------------------------------


class _Cause(NamedTuple):
    """What of a clause is the same in all versions: they word their sentences differently."""

    function: str
    direction: str
    about: str
    expected: str


@dataclass
class Clauses:
    """The clauses of one environment's rows: where one is broken, and as what; where it is kept; which are not said."""

    broken: dict[tuple[_Cause, str], list[Key]] = field(default_factory=dict)
    kept: set[tuple[_Cause, Key]] = field(default_factory=set)
    unsaid: set[_Cause] = field(default_factory=set)
    sentences: dict[_Cause, tuple[str, str]] = field(default_factory=dict)

    def add(self, row: Row | NotApplicable) -> None:
        """Add those of one row, which is not kept."""
        if isinstance(row, NotApplicable):
            return
        key = Key(conversion=row.conversion, direction=row.direction, to_dtype=row.to_dtype, subject=row.subject)
        for clause in row.contract.clauses:
            cause = _Cause(function_of(row.conversion), row.direction, clause.about, clause.expected)
            if clause.verdict is Verdict.BROKEN:
                self.broken.setdefault((cause, clause.observed or "nothing"), []).append(key)
                self.sentences.setdefault(cause, (clause.sentence, clause.citation))
            elif clause.verdict is Verdict.KEPT:
                self.kept.add((cause, key))
            elif clause.reason is not None:
                self.unsaid.add(cause)


def clauses(rows: Iterable[Row]) -> Clauses:
    """Return the clauses of ``rows``."""
    collected = Clauses()
    for row in rows:
        collected.add(row)
    return collected


def breaches(by_letter: Mapping[str, Clauses]) -> tuple[Breach, ...]:
    """Return what is broken in any environment, the most cells first; ``found`` is by letter."""
    first = next(iter(by_letter.values()))
    causes = dict.fromkeys(cause for one in by_letter.values() for cause in one.broken)
    unsorted = []
    for cause, observed in causes:
        cells = {letter: len(one.broken.get((cause, observed), ())) for letter, one in by_letter.items()}
        sentence, citation = next(one.sentences[cause] for one in by_letter.values() if cause in one.sentences)
        unsorted.append(
            Breach(
                **cause._asdict(),
                found=observed,
                sentence=sentence,
                citation=citation,
                cells=cells,
                unsaid=tuple(letter for letter, one in by_letter.items() if not cells[letter] and cause in one.unsaid),
                worse={
                    letter: sum((cause, key) in first.kept for key in one.broken.get((cause, observed), ()))
                    for letter, one in by_letter.items()
                },
            )
        )
    return tuple(sorted(unsorted, key=lambda breach: -sum(breach.cells.values())))


def only_worse(compared: SideBySide) -> SideBySide:
    """Return the breaches of what the first environment keeps, with the cells in which it does."""
    some = (breach for breach in compared.breaches if any(breach.worse.values()))
    return replace(compared, breaches=tuple(replace(breach, cells=breach.worse) for breach in some))


# For a reader ------------------------------------------------------------------------------------


class Look(NamedTuple):
    """What a reader sees of a cell at a glance: its outcome, and what marks it."""

    outcome: str
    is_broken: bool = False
    is_read_only: bool = False
    kills: bool = False
    is_written: bool = False


@dataclass(frozen=True)
class Line:
    """A conversion that looks the same with some sources: how in each environment, and with which sources."""

    conversion: str
    to_dtype: str | None
    direction: str
    looks: tuple[Look, ...]
    group: Group

    @property
    def is_same(self) -> bool:
        """Return True if it looks the same in all environments."""
        return len(set(self.looks)) == 1


def look(facts: Facts) -> Look:
    """Return how a cell looks."""
    hazards = facts.get("hazards", NOTHING).split(",")
    return Look(
        outcome=facts["outcome"],
        is_broken=facts.get("contract") == Verdict.BROKEN,
        is_read_only=facts.get("result_writable") == "false",
        kills="write-kills" in hazards,
        is_written="written-though-refused" in hazards,
    )


def lines(cells: Iterable[ComparedCell]) -> tuple[Line, ...]:
    """Return a line for each conversion and each way in which it looks; in the order of the cells."""
    by_glance: dict[tuple[str, str, str | None, tuple[Look, ...]], list[Key]] = {}
    keys = []
    for one in cells:
        looks = tuple(map(look, one.found.values()))
        key = one.cell
        by_glance.setdefault((key.direction, key.conversion, key.to_dtype, looks), []).append(key)
        keys.append(key)
    sources = Sources(keys)
    return tuple(
        Line(conversion, to_dtype, direction, looks, sources.groups(some)[0])
        for (direction, conversion, to_dtype, looks), some in by_glance.items()
    )
