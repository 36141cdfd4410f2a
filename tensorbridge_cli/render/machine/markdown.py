"""The report as GitHub Flavored Markdown, for an issue, a pull request or a page: https://github.github.com/gfm/.

Text of the report never becomes markup, and never ends a cell of a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from rich.text import Text

from tensorbridge_cli.records.report import Answer, Report, Row, cost
from tensorbridge_cli.render import Grids, Verdicts, View
from tensorbridge_cli.render.diff import changes as report_changes
from tensorbridge_cli.render.diff import trace_changes as program_changes
from tensorbridge_cli.render.diff import ways
from tensorbridge_cli.render.memory_map import picture
from tensorbridge_cli.render.report.sections import Concerned, Section, SectionNote, sections
from tensorbridge_cli.render.report.values import before_and_after
from tensorbridge_cli.render.report.verdicts import (
    causes,
    conversions,
    failed,
    failures,
    gone_cell,
    repro,
    sums,
    title,
    unmet_by,
)
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.text.markdown import code, plain
from tensorbridge_cli.render.trace import traces

if TYPE_CHECKING:
    from tensorbridge_cli.diff.cells import Comparison
    from tensorbridge_cli.diff.traces import TraceComparison
    from tensorbridge_cli.records.trace import Finding, Site, Trace

_OPEN = 3
"""So many sources, or subjects, are shown at once; more are folded away."""
_WIDTH = 100
"""Columns of a block of code that needs no scrolling on a page."""


def render(report: Report, view: View) -> str:
    """Return ``report`` as a document: for each source a table, and below it the notes."""
    # --want asks for the answers, not for the rows that they were found by
    shown = () if report.answers else [*sections(report)]
    return _document(
        _summary(report),
        *map(_answer, report.answers),
        *(_section(section, view, fold=len(shown) > _OPEN) for section in shown),
    )


def grids(grids: Grids, _view: View) -> str:
    """Return the grids, and each sentence of the docs that is contradicted."""
    return _document(
        plain(grids.grid.total(grids.environment).plain),
        _block(line.plain for line in grids.grid.grids(_WIDTH)),
        _list(plain(breach.plain) for breach in grids.grid.breaches()),
    )


def verdicts(verdicts: Verdicts, _view: View) -> str:
    """Return the failures, and the sums."""
    parts = []
    for cause, rows in causes(verdicts.report).items():
        clause = cause.clause
        parts.append(f"### {code(title(cause, rows))}: {plain(unmet_by(cause, rows))}")
        parts.extend([f"> {plain(clause.sentence)}"] if clause.sentence else [])
        parts.append(_link(clause.citation))
        if len(names := conversions(rows)) > 1:
            parts.append(f"{len(names)} conversions: {', '.join(map(code, names))}")
        failing = failures(rows)
        subjects = _list(plain(failed(failure)) for failure in failing)
        parts.append(_folded(f"{len(failing)} sources", subjects) if len(failing) > _OPEN else subjects)
        parts.append(_block([repro(rows[0])], "console"))
    return _document(
        plain(sums(verdicts).plain),
        *parts,
        _list(f"gone: {plain(gone_cell(alone))}" for alone in verdicts.gone),
    )


def changes(comparison: Comparison, _view: View) -> str:
    """Return what changed: the versions, each way in which cells changed, and every cell."""
    facts = [
        ("changed", entry.cell, ways.fact(change.about), change.before, change.after)
        for entry in comparison.changed
        for change in entry.changes
    ]
    facts += [("gone", alone.cell, alone.reason or "", alone.outcome, "") for alone in comparison.gone]
    facts += [("new", alone.cell, alone.reason or "", "", alone.outcome) for alone in comparison.new]
    rows = [
        (lead, plain(report_changes.cell_of(key)), plain(what), code(then), code(now))
        for lead, key, what, then, now in facts
    ]
    rows_of_ways: list[tuple[str, str, str]] = [
        (way.kind, plain(ways.headline(way)), plain("; ".join(ways.groups(way.groups)))) for way in comparison.ways
    ]
    rows_of_ways += [
        (kind, plain(headline), plain("; ".join(below)))
        for kind, arrivals in (("gone", comparison.gone_for), ("new", comparison.new_for))
        for headline, below in ways.arrivals(arrivals)
    ]
    return _document(
        f"**{report_changes.total(comparison)}**",
        _list(plain(line.plain) for line in report_changes.heading(comparison)),
        _table(("", "Change", "Where"), rows_of_ways),
        _table(("", "Cell", "Fact", "Before", "After"), rows),
    )


# Parts of a document -----------------------------------------------------------------------------


def _document(*parts: str) -> str:
    return "\n\n".join(filter(None, parts)) + "\n"


def _summary(report: Report) -> str:
    return f"**{words.counted(report.summary)}** {plain(words.versions(report.environment))}"


def _section(section: Section, view: View, *, fold: bool) -> str:
    text = _document(
        f"Fill: {plain(words.fill(section.fill))}" if section.fill else "",
        f"Memory: {plain(section.memory)}" if section.memory else "",
        _table(words.HEADINGS, (_cells(label, row) for label, row in section.rows)),
        _list(_note(concerned, note) for concerned, note in section.notes),
        *(_block(line.plain for line in lines) for lines in _drawn(section, view)),
    ).rstrip("\n")
    if fold:
        return _folded(escape(words.one_line(section.source)), text)
    return f"### Source: {plain(section.source)}\n\n{text}"


def _drawn(section: Section, view: View) -> Iterator[Iterable[Text]]:
    for label, row in section.rows:
        if view.picture:
            yield picture.lines(label, row, _WIDTH)
        if view.values:
            yield before_and_after(label, row, _WIDTH)


def _cells(label: str, row: Row) -> Sequence[str]:
    return code(label), *map(plain, words.cells(row))


def _note(concerned: Concerned, note: SectionNote) -> str:
    named = f"{concerned.count} {', '.join(map(code, concerned.labels))}".strip()
    return ": ".join(filter(None, (named, f"**{plain(note.lead)}**", plain(note.text))))


def _answer(answer: Answer) -> str:
    remedies = answer.write or answer.nearest
    nothing = "" if answer.write else f": nothing, {plain(answer.why or 'no conversion applies')}"
    head = f"### {words.direction(answer.direction)}, {answer.wanted}, of {plain(words.subject(answer.subject, ()))}"
    rows = ((code(remedy.code), plain(cost(remedy))) for remedy in remedies)
    return _document(head + nothing, _table(("Write" if answer.write else "Nearest", "Cost"), rows)).rstrip("\n")


def _link(citation: str) -> str:
    is_address = citation.startswith("https://") and citation.isprintable() and not set(citation) & set(" <>")
    return f"<{citation}>" if is_address else plain(citation)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = [f"| {' | '.join(row)} |" for row in rows]
    rule = f"| {' | '.join('---' for _ in header)} |"
    return "\n".join((f"| {' | '.join(header)} |", rule, *body)) if body else ""


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _block(lines: Iterable[str], language: str = "text") -> str:
    """Return a block of code, fenced by more backticks than any line begins with."""
    text = "\n".join(map(words.escape, lines)).rstrip("\n")
    longest = max(map(len, "".join(c if c == "`" else " " for c in text).split()), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}" if text else ""


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def trace(traced: Trace, _view: View) -> str:
    """Return a program's trace: the sums, the findings, a table of its lines, and what was not recorded."""
    where = traces.places(traced.sites)
    ids = {site.id: where[site] for site in traced.sites}
    findings = [_finding(finding, ids[finding.site]) for finding in traced.findings]
    unused = [f"**unused**, {plain(traces.accepts_nothing(one))}" for one in traced.unused]
    rows = [
        (
            code(where[site]),
            code(site.conversion),
            f"{site.calls:,}",
            traces.size(site.bytes),
            traces.size(site.copied_bytes),
            plain(traces.dtypes(site.dtypes)),
            traces.seconds(site.seconds),
            _line(site),
        )
        for site in traced.sites
    ]
    unseen = [f"{plain(one.what)}: {plain(one.why)}" for one in traced.not_intercepted]
    return _document(
        plain(traces.total(traced)),
        _list([*findings, *unused]),
        _table(("Line", "Conversion", "Calls", "Bytes", "Copied", "Dtype", "Time", "Code"), rows) if rows else "",
        _folded("Not recorded", _list(unseen)),
    )


def _line(site: Site) -> str:
    return " ".join(filter(None, (code((site.source_line or "").strip()), plain(traces.made_in(site)))))


def _finding(finding: Finding, place: str) -> str:
    certainty = "" if finding.certainty == "certain" else ", possible"
    accepted = f" Accepted: {plain(finding.accepted)}." if finding.accepted is not None else ""
    instead = f" Instead: {code(finding.remedy)}" if finding.remedy and finding.accepted is None else ""
    sentence = f"{code(place)}: {plain(finding.detail)}.{accepted}{instead}"
    return f"**{plain(finding.code)}**{certainty}, {sentence}"


def trace_changes(comparison: TraceComparison, _view: View) -> str:
    """Return what changed from one run of a program to the other: the versions, the findings, and every line."""
    where = program_changes.places(comparison)
    rows = [
        (
            kind,
            code(where[site]),
            code(site.conversion),
            plain(ways.fact(about)),
            code(program_changes.number(before)),
            code(program_changes.number(after)),
            _line(site),
        )
        for kind, site, about, before, after in program_changes.facts(comparison)
    ]
    findings = [
        f"{lead}: {_finding(finding, where[site])}"
        for lead, finding, site in program_changes.finding_changes(comparison)
    ]
    return _document(
        f"**{program_changes.total(comparison)}**",
        _list(plain(line.plain) for line in program_changes.heading(comparison)),
        _list(findings),
        _table(("", "Line", "Conversion", "Fact", "Before", "After", "Code"), rows),
    )
