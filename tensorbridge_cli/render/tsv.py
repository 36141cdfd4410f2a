r"""The report as tab-separated values: a header, then one line for each observation and each case not applicable.

For ``cut`` and ``awk``: no field is quoted, since a tab, a newline, any other character that does not print and the
backslash are written as ``\t``, ``\n``, ``\x1b`` and ``\\``. An absent fact is an empty field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tensorbridge_cli.model import Environment, NotApplicable, Object, Report, Row, Subject
from tensorbridge_cli.render import View
from tensorbridge_cli.render.words import escape, reason, shape

COLUMNS = (
    "conversion",
    "direction",
    "library",
    "shape",
    "dtype",
    "layout",
    "state",
    "device",
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
    "remedy",
)

NOT_APPLICABLE = "not-applicable"


def stream(_environment: Environment, entries: Iterable[Row | NotApplicable]) -> Iterator[str]:
    """Yield the header, and the line of each entry as it comes."""
    yield "\t".join(COLUMNS) + "\n"
    for entry in entries:
        yield _observation(entry) if isinstance(entry, Row) else _not_applicable(entry)


def _observation(row: Row) -> str:
    return _line(
        _subject(row.subject)
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


def _not_applicable(case: NotApplicable) -> str:
    return _line(
        _subject(case.subject)
        | {
            "conversion": case.conversion,
            "direction": case.direction,
            "outcome": NOT_APPLICABLE,
            "reason": case.reason,
        }
    )


def render(report: Report, _view: View) -> str:
    """Return ``report`` as tab-separated values."""
    return "".join(stream(report.environment, (*report.observations, *report.not_applicable)))


def _subject(subject: Subject) -> dict[str, object]:
    return {
        "library": subject.library,
        "shape": shape(subject.shape, "x"),
        "dtype": subject.dtype,
        "layout": subject.layout,
        "state": subject.state,
        "device": subject.device,
        "given": subject.given,
    }


def _object(name: str, found: Object | None) -> dict[str, object]:
    if found is None:
        return {}
    return {f"{name}_dtype": found.dtype, f"{name}_pointer": found.pointer}


def _line(fields: Mapping[str, object]) -> str:
    return "\t".join(_field(fields.get(column)) for column in COLUMNS) + "\n"


def _field(fact: object) -> str:
    if fact is None:
        return ""
    if isinstance(fact, bool):
        return str(fact).lower()
    return escape(str(fact).replace("\\", "\\\\"))
