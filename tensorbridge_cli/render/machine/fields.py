"""An experiment as flat text fields, in columns that keep their names and order: for tsv and csv."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tensorbridge_cli.records.report import NotApplicable, Object, Report, Row, Subject
from tensorbridge_cli.render.text.words import escape, reason, shape

_SUBJECT = ("library", "shape", "dtype", "layout", "state", "device")
COLUMNS = (
    "conversion",
    "direction",
    *_SUBJECT,
    "outcome",
    "source_to_result",
    "result_to_source",
    "values",
    "source_dtype",
    "result_dtype",
    "source_pointer",
    "result_pointer",
    "same_pointer",
    "same_storage",
    "overlaps",
    "overlap_bytes",
    "copied_bytes",
    "hazards",
    "contract",
    "reason",
    "to_dtype",
    "given",
    "source_strides",
    "result_strides",
    "source_contiguous",
    "result_contiguous",
    "source_byte_order",
    "result_byte_order",
    "remedy",  # the last, for cut and awk
)

ANSWER = (
    "wanted",
    "direction",
    *_SUBJECT,
    "given",
    "fits",
    "write",
    "outcome",
    "copied_bytes",
    "caveat",
    "setup",
    "reason",
)
"""The columns where it was asked what to write: a line for each code, and one that says why there is none."""


def answers(report: Report) -> Iterator[list[str]]:
    """Yield the header, and a line for each code of each answer, the best first; ``fits`` is false for the nearest."""
    yield list(ANSWER)
    for answer in report.answers:
        facts: dict[str, object] = subject_facts(answer.subject) | {
            "wanted": answer.wanted,
            "direction": answer.direction,
            "reason": answer.why,
            "fits": bool(answer.write),
        }
        for remedy in answer.write or answer.nearest or (None,):
            code: dict[str, object] = {}
            if remedy is not None:
                code = {"write": remedy.code, "outcome": remedy.outcome, "copied_bytes": remedy.copied_bytes}
                code |= {"caveat": remedy.caveat, "setup": remedy.setup or None}
            yield [field((facts | code).get(column)) for column in ANSWER]


NOT_APPLICABLE = "not-applicable"


def fields(entry: Row | NotApplicable) -> list[str]:
    """Return the text of each of ``COLUMNS``, in one line; an absent fact is an empty text."""
    by_column = _observation(entry) if isinstance(entry, Row) else _not_applicable(entry)
    return [field(by_column.get(column)) for column in COLUMNS]


def facts(entry: Row | NotApplicable) -> dict[str, object]:
    """Return the fact of each of ``COLUMNS`` as it is, a number as a number; the shape is a tuple."""
    by_column = dict(_observation(entry) if isinstance(entry, Row) else _not_applicable(entry))
    by_column["shape"] = entry.subject.shape
    return {column: str(fact) if isinstance(fact := by_column.get(column), str) else fact for column in COLUMNS}


def field(fact: object) -> str:
    r"""Return ``fact`` in one line: what does not print is written as ``\n``, ``\x1b``, the backslash as ``\\``."""
    if fact is None:
        return ""
    if isinstance(fact, bool):
        return str(fact).lower()
    return escape(str(fact).replace("\\", "\\\\"))


def _observation(row: Row) -> Mapping[str, object]:
    return (
        subject_facts(row.subject)
        | _object("source", row.source)
        | _object("result", row.result)
        | {
            "conversion": row.conversion,
            "direction": row.direction,
            "outcome": row.outcome,
            "source_to_result": row.writes.source_to_result,
            "result_to_source": row.writes.result_to_source,
            "values": row.values,
            "same_pointer": row.relation.same_pointer,
            "same_storage": row.relation.same_storage,
            "overlaps": row.relation.overlaps,
            "overlap_bytes": row.relation.overlap_bytes,
            "copied_bytes": row.copied_bytes,
            "hazards": ",".join(hazard.code for hazard in row.hazards),
            "contract": row.contract.verdict,
            "reason": reason(row),
            "to_dtype": row.to_dtype,
            "remedy": row.remedy,
        }
    )


def _not_applicable(case: NotApplicable) -> Mapping[str, object]:
    return subject_facts(case.subject) | {
        "conversion": case.conversion,
        "direction": case.direction,
        "outcome": NOT_APPLICABLE,
        "reason": case.reason,
    }


def subject_facts(subject: Subject) -> dict[str, object]:
    """Return what a subject was asked to be, by column."""
    return {
        "library": subject.library,
        "shape": shape(subject.shape, "x"),
        "dtype": subject.dtype,
        "layout": subject.layout,
        "state": subject.state,
        "device": subject.device,
        "given": subject.given,
    }


def _object(name: str, described: Object | None) -> dict[str, object]:
    if described is None:
        return {}
    return {
        f"{name}_dtype": described.dtype,
        f"{name}_pointer": described.pointer,
        f"{name}_strides": None if described.strides is None else ",".join(map(str, described.strides)),
        f"{name}_contiguous": None if described.contiguous is None else ",".join(described.contiguous) or "no",
        f"{name}_byte_order": described.byte_order,
    }
