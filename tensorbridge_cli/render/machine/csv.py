"""The report as comma-separated values (RFC 4180, lines end in a newline), for spreadsheets and data frames.

The columns and the texts are those of tsv, quoted where a comma or a quote asks for it. A text that a spreadsheet would
run as a formula, since it begins with ``=``, ``+``, ``-`` or ``@``, gets an apostrophe in front, as OWASP advises:
https://owasp.org/www-community/attacks/CSV_Injection
Whole numbers, e.g. the strides of a reversed array, are no formula and stay as they are.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import TYPE_CHECKING

from tensorbridge_cli.records.report import Environment, NotApplicable, Report, Row
from tensorbridge_cli.render import View
from tensorbridge_cli.render.machine.fields import COLUMNS, answers, field, fields, subject_facts
from tensorbridge_cli.render.text.words import escape

if TYPE_CHECKING:
    from tensorbridge_cli.diff.cells import Comparison, Key
    from tensorbridge_cli.diff.saved import Rows
    from tensorbridge_cli.diff.traces import TraceComparison
    from tensorbridge_cli.records.trace import Site, Trace

_FORMULA = ("=", "+", "-", "@")
_NUMBERS = re.compile(r"-?[0-9]+(?:,-?[0-9]+)*")
_CELL = ("conversion", "direction", "to_dtype", "library", "shape", "dtype", "layout", "state", "device", "given")
_CHANGE = ("change", *_CELL, "about", "before", "after")


def render(report: Report, _view: View) -> str:
    """Return ``report`` as comma-separated values; the answers, where it was asked what to write."""
    if report.answers:
        return "".join(map(_line, answers(report)))
    return "".join(stream(report.environment, (*report.observations, *report.not_applicable)))


def rows(rows: Rows, _view: View) -> str:
    """Return ``rows`` as comma-separated values."""
    return "".join(stream(rows.environment, rows.entries()))


def stream(_environment: Environment, entries: Iterable[Row | NotApplicable]) -> Iterator[str]:
    """Yield the header, and the line of each entry as it comes."""
    yield _line(COLUMNS)
    for entry in entries:
        yield _line(fields(entry))


def changes(comparison: Comparison, _view: View) -> str:
    """Return a line for each fact that changed, and for each cell that is ``gone`` or ``new``."""
    lines: list[Sequence[str]] = [_CHANGE]
    for changed in comparison.changed:
        cell = _cell(changed.cell)
        lines.extend(("changed", *cell, change.about, change.before, change.after) for change in changed.changes)
    lines.extend(("gone", *_cell(alone.cell), "outcome", alone.outcome, "") for alone in comparison.gone)
    lines.extend(("new", *_cell(alone.cell), "outcome", "", alone.outcome) for alone in comparison.new)
    return "".join(map(_line, lines))


def _cell(key: Key) -> Sequence[str]:
    facts = subject_facts(key.subject) | {
        "conversion": key.conversion,
        "direction": key.direction,
        "to_dtype": key.to_dtype,
    }
    return [field(facts[name]) for name in _CELL]


def _line(texts: Sequence[str]) -> str:
    csv.writer(line := StringIO(), lineterminator="\n").writerow(map(_inert, texts))
    return line.getvalue()


def _inert(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBERS.fullmatch(text) else text


_SITE = ("file", "line", "column", "function", "conversion", "calls", "bytes", "copied_bytes", "seconds")
_COUNTS = ("shared", "copied", "refused", "undecidable")


def trace(traced: Trace, _view: View) -> str:
    """Return a line for each site, with its findings' codes."""
    codes: dict[str, list[str]] = {}
    for finding in traced.findings:
        codes.setdefault(finding.site, []).append(finding.code)
    header = (*_SITE, *_COUNTS, "dtypes", "hazards", "findings", "source_line", "end_line", "end_column", "via")
    return "".join(map(_line, [header, *(_site(site, codes.get(site.id, [])) for site in traced.sites)]))


def _site(site: Site, codes: Sequence[str]) -> list[str]:
    dtypes = ";".join(f"{one.source or ''}>{one.result or ''}" for one in site.dtypes)
    facts = [*(getattr(site, name) for name in _SITE), *(getattr(site.outcomes, name) for name in _COUNTS)]
    texts = [dtypes, ";".join(site.hazards), ";".join(codes), (site.source_line or "").strip()]
    ends = [site.end_line, site.end_column, ";".join(site.via)]
    return [escape("" if fact is None else str(fact)) for fact in [*facts, *texts, *ends]]


_LINE = ("file", "line", "function", "conversion")


def trace_changes(comparison: TraceComparison, _view: View) -> str:
    """Return a line for each fact that changed, each line of code that is gone or new, and each finding that is."""
    from tensorbridge_cli.render.diff.trace_changes import NEW, facts, finding_changes

    rows = list(facts(comparison))
    for lead, finding, site in finding_changes(comparison):
        sides = ("", finding.detail) if lead == NEW else (finding.detail, "")
        rows.append((lead, site, finding.code, *sides))
    lines: list[Sequence[str]] = [("change", *_LINE, "about", "before", "after", "source_line")]
    for kind, site, about, before, after in rows:
        place = (str(getattr(site, name)) for name in _LINE)
        lines.append([*map(escape, (kind, *place, about, before, after, (site.source_line or "").strip()))])
    return "".join(map(_line, lines))
