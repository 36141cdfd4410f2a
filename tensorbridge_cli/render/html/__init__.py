"""A report as one page of HTML that needs no network: a grid, filters, search, and the evidence of every cell.

It is a room beside ``render`` because the page carries the script that shows each row, which the catalogue's words
make. The index of the rows is there at once, in columns; what a cell opens to is written here, in Python, and packed in
chunks that the browser unpacks (``DecompressionStream``) when it needs one. Within a chunk each piece that several
cells have (a row of a table, a part of a picture) is there once: gzip itself looks back over 32 KB, which is four
cells.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import chain, islice
from typing import TYPE_CHECKING

from tensorbridge_cli.records.enums import Verdict
from tensorbridge_cli.records.report import Environment, NotApplicable, Report, Row, Summary
from tensorbridge_cli.render import Verdicts, View
from tensorbridge_cli.render.diff import changes as report_changes
from tensorbridge_cli.render.diff import trace_changes as program_changes
from tensorbridge_cli.render.diff import ways
from tensorbridge_cli.render.html.details import Details, templates
from tensorbridge_cli.render.memory_map.picture_svg import STYLE
from tensorbridge_cli.render.report.findings import call
from tensorbridge_cli.render.report.grid import LETTERS, MIXED
from tensorbridge_cli.render.report.verdicts import gone_cell, sums
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.trace import traces

if TYPE_CHECKING:
    from tensorbridge_cli.diff.cells import Comparison, Key
    from tensorbridge_cli.diff.saved import Rows
    from tensorbridge_cli.diff.traces import TraceComparison
    from tensorbridge_cli.records.trace import Finding, Site, Trace

_CHUNK = 500
"""Cells whose evidence is unpacked together."""
_PIECE = re.compile(r"(?<=\n)|(?=<(?:section|div|li|p|pre|tr|svg|text|rect)\b)")
"""Where one piece of a cell's evidence ends and the next begins."""
_AFTER_MEMORY = ("Write source→result", "Write result→source", "Check", "Hazards")
_SUBJECT = ("Shape", "Dtype", "Layout", "State", "Device")


@dataclass(frozen=True)
class _Cell:
    """One line of the page: its texts by column, several in a column that lists, and what it opens to."""

    texts: dict[str, tuple[str, ...]]
    details: str


def render(report: Report, _view: View) -> str:
    """Return ``report`` as a page."""
    return _report(report.environment, report.summary, _entries(report))


def rows(rows: Rows, _view: View) -> str:
    """Return the report that ``rows`` are of as a page."""
    return _report(rows.environment, rows.summary, rows.entries())


def _report(environment: Environment, summary: Summary, entries: Iterable[Row | NotApplicable]) -> str:
    heading = [words.counted(summary), words.versions(environment)]
    return _page("tensorbridge report", heading, _cells(environment, entries))


def _entries(report: Report) -> Iterator[Row | NotApplicable]:
    return chain(report.observations, report.not_applicable)


def verdicts(verdicts: Verdicts, _view: View) -> str:
    """Return a page that shows the failures first."""
    report = verdicts.report
    summary = [sums(verdicts).plain, *(f"gone: {gone_cell(alone)}" for alone in verdicts.gone)]
    broken = any(row.contract.verdict is Verdict.BROKEN for row in report.observations)
    start = {"Check": words.VERDICTS[Verdict.BROKEN]} if broken else {}
    return _page("tensorbridge check", summary, _cells(report.environment, _entries(report)), start)


def changes(comparison: Comparison, _view: View) -> str:
    """Return a page of what changed from one report to another, cell by cell."""
    summary = [report_changes.total(comparison), ", ".join(line.plain for line in report_changes.heading(comparison))]
    return _page("tensorbridge diff", summary, _changed(comparison), coloured="Change")


def trace(traced: Trace, _view: View) -> str:
    """Return a page of the lines of a program that convert: each opens to its code, its findings and its numbers."""
    unused = [f"unused: {words.one_line(traces.accepts_nothing(one))}" for one in traced.unused]
    return _page(
        "tensorbridge trace", [traces.total(traced), *unused, *traces.unseen(traced)], _sites(traced), overview=False
    )


def trace_changes(comparison: TraceComparison, _view: View) -> str:
    """Return a page of what changed from one run of a program to the other, line by line."""
    summary = [program_changes.total(comparison), ", ".join(line.plain for line in program_changes.heading(comparison))]
    return _page("tensorbridge diff", summary, _changed_sites(comparison), coloured="Change")


# The lines of the page ---------------------------------------------------------------------------


def _cells(environment: Environment, entries: Iterable[Row | NotApplicable]) -> Iterator[_Cell]:
    details = Details(environment)
    for row in entries:
        if isinstance(row, NotApplicable):
            texts = {"Memory": ("not applicable",), **dict.fromkeys(_AFTER_MEMORY, ())}
            yield _Cell(_where(row, None) | texts, details.not_applicable(row))
            continue
        texts = {
            "Memory": (words.OUTCOMES[row.outcome],),
            "Write source→result": (words.WRITES[row.writes.source_to_result],),
            "Write result→source": (words.WRITES[row.writes.result_to_source],),
            "Check": (words.VERDICTS[row.contract.verdict],),
            "Hazards": tuple(hazard.code for hazard in row.hazards),
        }
        yield _Cell(_where(row, row.to_dtype) | texts, details.row(row))


def _changed(comparison: Comparison) -> Iterator[_Cell]:
    details = Details(None)
    for changed in comparison.changed:
        facts = tuple(dict.fromkeys(ways.fact(change.about) for change in changed.changes))
        fact_changes = tuple((ways.fact(change.about), change.before, change.after) for change in changed.changes)
        yield _Cell(_of_key(changed.cell) | {"Change": ("changed",), "Facts": facts}, details.changes(fact_changes))
    for kind, alone in (("gone", comparison.gone), ("new", comparison.new)):
        for entry in alone:
            sides = (entry.outcome, "") if kind == "gone" else ("", entry.outcome)
            fact_changes = (("memory", *sides), *([("reason", "", entry.reason)] if entry.reason else ()))
            yield _Cell(_of_key(entry.cell) | {"Change": (kind,), "Facts": ("memory",)}, details.changes(fact_changes))


def _sites(traced: Trace) -> Iterator[_Cell]:
    details = Details(None)
    findings: dict[str, list[Finding]] = {}
    for finding in traced.findings:
        findings.setdefault(finding.site, []).append(finding)
    where = traces.places(traced.sites)
    for site in traced.sites:
        site_findings = findings.get(site.id, [])
        texts = _of_site(site, where[site]) | {
            "Dtype": (traces.dtypes(site.dtypes),),
            "Calls": (str(site.calls),),
            "Copied bytes": (str(site.copied_bytes),),
            "Findings": tuple(finding.code for finding in site_findings),
            "Process": site.processes if len(traced.processes) > 1 else (),
        }
        yield _Cell(texts, details.site(site, where[site], site_findings))


def _changed_sites(comparison: TraceComparison) -> Iterator[_Cell]:
    details = Details(None)
    where = program_changes.places(comparison)
    findings: dict[tuple[str, Site], list[Finding]] = {}
    for lead, finding, site in program_changes.finding_changes(comparison):
        findings.setdefault((lead, site), []).append(finding)

    def cell(kind: str, site: Site, facts: tuple[str, ...], changes: str = "") -> _Cell:
        new, resolved = (findings.get((lead, site), []) for lead in (program_changes.NEW, program_changes.RESOLVED))
        texts = {
            "Change": (kind,),
            "Facts": facts,
            "New findings": tuple(finding.code for finding in new),
            "Resolved findings": tuple(finding.code for finding in resolved),
        }
        return _Cell(_of_site(site, where[site]) | texts, changes + details.site(site, where[site], new))

    for changed in comparison.changed:
        fact_changes = [
            (ways.fact(change.about), program_changes.number(change.before), program_changes.number(change.after))
            for change in changed.changes
        ]
        yield cell("changed", changed.after, tuple(name for name, *_ in fact_changes), details.changes(fact_changes))
    for kind, sites in (("gone", comparison.gone), ("new", comparison.new)):
        for site in sites:
            yield cell(kind, site, ())


def _of_site(site: Site, place: str) -> dict[str, tuple[str, ...]]:
    return {
        "Line": (place,),
        "Code": (traces.code_and_library(site),),
        "Conversion": (site.conversion,),
        "Direction": tuple(dict.fromkeys(f"{one.source.kind}→{one.result.kind}" for one in site.samples)),
        "Memory": tuple(site.outcomes.counts()),
    }


def _of_key(key: Key) -> dict[str, tuple[str, ...]]:
    return _where(key, key.to_dtype)


def _where(entry: Row | NotApplicable | Key, to_dtype: str | None) -> dict[str, tuple[str, ...]]:
    subject = entry.subject
    facts = (words.shape(subject.shape), subject.dtype, subject.layout, subject.state, subject.device)
    return {
        "Conversion": (call(entry.conversion, to_dtype),),
        "Direction": (words.direction(entry.direction),) if entry.direction else (),
        **{name: (fact,) for name, fact in zip(_SUBJECT, facts, strict=True)},
        "Given": (subject.given,) if subject.given is not None else (),
    }


# The page ----------------------------------------------------------------------------------------


def _page(
    title: str,
    summary: Sequence[str],
    cells: Iterable[_Cell],
    start: dict[str, str] | None = None,
    coloured: str = "Memory",
    *,
    overview: bool = True,
) -> str:
    columns: dict[str, _Column] = {}
    chunks = []
    size = 0
    rest = iter(cells)
    while some := list(islice(rest, _CHUNK)):
        for cell in some:
            for name, texts in cell.texts.items():
                columns.setdefault(name, _Column()).add(texts)
        size += len(some)
        chunks.append(_packed([cell.details for cell in some]))
    index = {
        "size": size,
        "chunk": _CHUNK,
        "coloured": coloured,
        "letters": {words.OUTCOMES[outcome]: letter for outcome, letter in LETTERS.items()},
        "mixed": MIXED,
        "start": start or {},
        "columns": {name: {"values": list(column.values), "rows": column.rows} for name, column in columns.items()},
    }
    script, style = (files(__package__).joinpath(name).read_text("utf-8") for name in ("page.js", "page.css"))
    return str(
        templates()
        .get_template("page.html")
        .render(
            title=title,
            summary=summary,
            overview=overview,
            chunks=chunks,
            index=_inert(index),
            script=script,
            style=style + STYLE,
            # the hash of our own script, the only one that the page's policy lets a browser run
            allowed=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


class _Column:
    """The texts of one column, each different one once."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.rows: list[int | list[int]] = []

    def add(self, texts: tuple[str, ...]) -> None:
        numbers = [self.values.setdefault(words.one_line(text), len(self.values)) for text in texts]
        self.rows.append(numbers[0] if len(numbers) == 1 else numbers)


def _packed(texts: Sequence[str]) -> str:
    """Return ``texts`` as ``{"pieces": [...], "texts": [[...]]}``: the numbers of the pieces of each, put together."""
    numbers: dict[str, int] = {}
    joined = [[numbers.setdefault(piece, len(numbers)) for piece in _PIECE.split(text)] for text in texts]
    document = json.dumps({"pieces": list(numbers), "texts": joined}, separators=(",", ":"))
    return base64.b64encode(gzip.compress(document.encode(), mtime=0)).decode()


def _inert(index: Mapping[str, object]) -> str:
    """Return JSON that cannot end the script element that it stands in."""
    return json.dumps(index, separators=(",", ":")).replace("<", "\\u003c")
