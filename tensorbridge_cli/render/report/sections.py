"""The report grouped for a reader: each source once, its conversions below, then the notes on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from tensorbridge_cli.records.enums import Outcome, Verdict, Write
from tensorbridge_cli.records.report import NotApplicable, Report, Row, Subject, described
from tensorbridge_cli.records.words import with_article
from tensorbridge_cli.render.text import words

Tone = Literal[
    "refused",
    "crashed",
    "internal-error",
    "hazard",
    "warning",
    "broken",
    "undecidable",
    "remedy",
    "not-applicable",
    "layout",
]


@dataclass(frozen=True)
class SectionNote:
    """One note: its ``tone``, its first words, and the rest."""

    tone: Tone
    lead: str
    text: str


@dataclass(frozen=True)
class Concerned:
    """The conversions that a note concerns: how many of how many, if that says it all, and those to be named."""

    count: str
    labels: tuple[str, ...]

    @property
    def text(self) -> str:
        """Both as text."""
        return f"{self.count} {', '.join(self.labels)}".strip()


@dataclass(frozen=True)
class Section:
    """One source: its description, its fill, each conversion with its label, and each note with what it concerns.

    ``memory`` is said where the source is a private copy, so that no file and no other process sees a write. ``key``
    is what the source is known by.
    """

    key: tuple[object, ...]
    source: str
    fill: str | None
    memory: str | None
    rows: tuple[tuple[str, Row], ...]
    notes: tuple[tuple[Concerned, SectionNote], ...]


@dataclass
class _Grouped:
    rows: list[Row] = field(default_factory=list)
    cases: list[NotApplicable] = field(default_factory=list)


def sections(report: Report, brief: bool = False) -> Iterator[Section]:
    """Yield ``report`` grouped by source, whichever library it was built in, in the order of first appearance.

    ``brief``: of a long message its first sentence.
    """
    groups: dict[tuple[object, ...], _Grouped] = {}
    for row in report.observations:
        groups.setdefault(_key(row.subject), _Grouped()).rows.append(row)
    for case in report.not_applicable:
        groups.setdefault(_key(case.subject), _Grouped()).cases.append(case)
    for group in groups.values():
        yield _section(group, brief)


def _key(subject: Subject) -> tuple[object, ...]:
    return (
        subject.shape,
        subject.dtype,
        subject.layout,
        subject.state,
        subject.device,
        subject.origin,
        subject.given,
    )


def _section(group: _Grouped, brief: bool) -> Section:
    everything: list[Row | NotApplicable] = [*group.rows, *group.cases]
    names = Counter(map(_name, everything))
    notes: dict[SectionNote, dict[str, None]] = {}
    for entry in everything:
        for note in notes_on(entry, brief):
            notes.setdefault(note, {})[_label(entry, names)] = None
    rows = {_label(row, names): row for row in group.rows}
    return Section(
        key=_key(everything[0].subject),
        source=words.subject(everything[0].subject, tuple(row.source for row in group.rows if row.source is not None)),
        fill=next((row.evidence.fill for row in group.rows if row.evidence.fill), None),
        memory=next((row.evidence.private_copy for row in group.rows if row.evidence.private_copy), None),
        rows=tuple((_label(row, names), row) for row in group.rows),
        # what is wrong comes first, then what to write
        notes=tuple(
            sorted(
                ((_concerned(labels, note, rows, len(everything)), note) for note, labels in notes.items()),
                key=lambda one: one[1].tone == "remedy",
            )
        ),
    )


_NAMED = 6
"""So many conversions are always named; of more, their number is said where it is as good."""
_EXCEPTIONS = 3

_COLUMNS: Mapping[str, Callable[[Row], bool]] = {
    "refused": lambda row: row.outcome is Outcome.REFUSED,
    "write to the source refused": lambda row: row.writes.source_to_result is Write.REFUSED,
    "write to the result refused": lambda row: row.writes.result_to_source is Write.REFUSED,
}
"""Notes, by their first words, for which a column of the table shows the conversions."""


def _concerned(labels: Collection[str], note: SectionNote, rows: Mapping[str, Row], entries: int) -> Concerned:
    """Return whom a note concerns; what is left unnamed can be read from the words or from the table."""
    total = entries if note.tone == "not-applicable" else len(rows)
    if len(labels) <= _NAMED:
        return Concerned("", tuple(labels))
    if len(labels) == total:
        return Concerned(f"all {total} conversions", ())
    if note.tone == "not-applicable":  # those not concerned have rows, and these have none
        return Concerned("", tuple(labels))
    others = tuple(label for label in rows if label not in labels)
    if len(others) <= _EXCEPTIONS:
        return Concerned(f"all {total} conversions except", others)
    in_column = _COLUMNS.get(note.lead)
    if in_column is not None and {label for label, row in rows.items() if in_column(row)} == {*labels}:
        return Concerned(f"{len(labels)} of {total} conversions", ())
    return Concerned("", tuple(labels))


def _name(entry: Row | NotApplicable) -> str:
    to_dtype = entry.to_dtype if isinstance(entry, Row) else None
    return entry.conversion + (f" to {to_dtype}" if to_dtype else "")


def _label(entry: Row | NotApplicable, names: Counter[str]) -> str:
    name = _name(entry)
    return f"{name} {words.direction(entry.direction)}".strip() if names[name] > 1 else name


def notes_on(entry: Row | NotApplicable, brief: bool = False) -> Iterator[SectionNote]:
    """Yield the notes on one case, problems first; ``brief``: only the first sentence of a long message."""
    shortened = words.first_sentence if brief else str
    if isinstance(entry, NotApplicable):
        yield SectionNote("not-applicable", "not applicable", shortened(entry.reason))
        return
    if entry.error is not None:
        yield SectionNote("refused", "refused", shortened(words.raised(entry.error)))
    if entry.crash is not None:
        step, how = words.ended(entry.crash)
        yield SectionNote("crashed", step, shortened(how))
    if entry.internal_error is not None:
        failure = entry.internal_error
        where = words.FAILURE_STAGES.get(failure.stage, failure.stage)
        what = f"{failure.type}: {failure.message}" if failure.message else failure.type
        yield SectionNote(
            "internal-error", "internal error", shortened(f"tensorbridge itself failed while {where}: {what}")
        )
    if entry.outcome is Outcome.UNDECIDABLE and (why := _undecidable(entry)):
        yield SectionNote("undecidable", "undecidable", why)
    for note in _refused_writes(entry):
        yield replace(note, text=shortened(note.text))
    for hazard in entry.hazards:
        yield SectionNote("hazard", hazard.code, hazard.detail)
    for clause in entry.contract.clauses:
        if clause.verdict is Verdict.UNDEFINED:
            observed = f"{clause.about}: {clause.observed}"
            yield SectionNote(
                "warning", "documented as undefined", f"“{clause.sentence}” ({observed}) {clause.citation}"
            )
    if (layout := words.layout(entry)) is not None:
        yield SectionNote("layout", "memory layout", layout)
    for warning in entry.warnings:
        yield SectionNote("warning", warning.category, shortened(_first_line(warning.message)))
    for clause in entry.contract.clauses:
        if clause.verdict is Verdict.BROKEN:
            unmet, citation = words.unmet(clause), clause.citation
            if clause.sentence:
                yield SectionNote("broken", "contradicts the docs", f"“{clause.sentence}” ({unmet}) {citation}")
            else:
                yield SectionNote("broken", "expectation not met", f"{unmet} ({citation})")
    if entry.remedy is not None:
        yield SectionNote("remedy", "instead", _instead(entry))


def _instead(row: Row) -> str:
    """Return the cheapest remedy, and the cheapest that does the other thing with the memory."""
    first = row.remedies[0].outcome if row.remedies else None
    other = next((remedy for remedy in row.remedies if remedy.outcome is not first), None)
    return f"{row.remedy}, or {described(other)}" if other is not None else row.remedy or ""


def _undecidable(row: Row) -> str | None:
    for name, obj in (("source", row.source), ("result", row.result)):
        if obj is not None and obj.dtype is None and obj.shape is None:
            return f"the {name} is {with_article(obj.type)}, which is neither an array nor a tensor"
        if obj is not None and obj.nbytes == 0:
            return f"the {name} is empty"
        if obj is not None and obj.pointer is None:
            return f"the {name} has no address to compare"
    return None


def _refused_writes(row: Row) -> Iterator[SectionNote]:
    sides = [
        side
        for side, write in (("source", row.writes.source_to_result), ("result", row.writes.result_to_source))
        if write is Write.REFUSED
    ]
    told_apart = len(sides) == len(row.writes.refusals)
    for index, sentence in enumerate(row.writes.refusals):
        yield SectionNote(
            "refused", f"write to the {sides[index]} refused" if told_apart else "write refused", sentence
        )


def _first_line(message: str) -> str:
    """Return the first line of a warning, without the place in torch's sources that raised it."""
    first = message.strip().partition("\n")[0]
    return first.partition(" (Triggered internally at ")[0].strip()
