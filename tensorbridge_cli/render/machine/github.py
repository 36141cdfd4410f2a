"""The report as GitHub Actions workflow commands: one annotation for each finding, and the summary for the log.

A contradiction of the docs is an error, a crash or a time-out a warning. Other hazards are in the other formats:
GitHub shows ten annotations of a kind for a step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tensorbridge_cli.records.codes import labelled
from tensorbridge_cli.records.report import Report
from tensorbridge_cli.render import View
from tensorbridge_cli.render.report.findings import ReportFinding, cell, findings
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.trace.traces import accepts_nothing, path, total

if TYPE_CHECKING:
    from tensorbridge_cli.records.trace import Trace


def render(report: Report, _view: View) -> str:
    """Return ``report`` as workflow commands."""
    return "".join(line + "\n" for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield from (_command(finding) for finding in findings(report) if finding.level != "note")
    yield f"tensorbridge: {words.counted(report.summary)} {words.versions(report.environment)}"


def _command(finding: ReportFinding) -> str:
    message = [cell(finding.row), words.one_line(finding.text), words.one_line(finding.citation or "")]
    title = _escape_property(words.one_line(f"{finding.row.conversion}: {labelled(finding.code, finding.id)}"))
    text = _escape("\n".join(filter(None, message)))
    return f"::{finding.level} title={title}::{text}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")


def trace(traced: Trace, _view: View) -> str:
    """Return a workflow command for each finding that no line accepts, at its line, and the sums."""
    sites = {site.id: site for site in traced.sites}
    commands = []
    for finding in traced.findings:
        if finding.accepted is None:
            site = sites[finding.site]
            level = "warning" if finding.certainty == "certain" else "notice"
            place = f"file={_escape_property(words.escape(path(site.file)))},line={site.line},endLine={site.end_line}"
            instead = [f"instead: {words.one_line(finding.remedy)}"] if finding.remedy else []
            text = _escape("\n".join([words.one_line(f"{site.conversion}: {finding.detail}"), *instead]))
            title = _escape_property(words.one_line(labelled(finding.code, finding.id)))
            commands.append(f"::{level} {place},title={title}::{text}\n")
    for unused in traced.unused:
        place = f"file={_escape_property(words.escape(path(unused.file)))},line={unused.line}"
        text = _escape(words.one_line(accepts_nothing(unused)))
        commands.append(f"::notice {place},title=unused::{text}\n")
    return "".join([*commands, f"tensorbridge: {total(traced)}\n"])
