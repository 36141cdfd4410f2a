"""The report as SARIF 2.1.0, for code scanning: contradictions are errors, crashes warnings, other hazards notes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.explain.pages import find
from tensorbridge_cli.printable import escape_json
from tensorbridge_cli.records.report import Report
from tensorbridge_cli.render import View, in_repository
from tensorbridge_cli.render.report.findings import ReportFinding, cell, findings
from tensorbridge_cli.render.text import words

if TYPE_CHECKING:
    from tensorbridge_cli.records.trace import Finding as TraceFinding
    from tensorbridge_cli.records.trace import Site, Trace

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render(report: Report, view: View) -> str:
    """Return ``report`` as SARIF.

    GitHub refuses a file in which a result has no place in the repository. No line of the reader's is at fault, so all
    results stand at the top of ``view.place``, the file that says what is checked; the conversion is the logical place.
    """
    results = list(findings(report))
    citations = {finding.code: finding.citation for finding in reversed(results)}
    rules = sorted({(finding.id or finding.code, finding.code) for finding in results})
    run = {
        "tool": {
            "driver": _driver(report.environment.tensorbridge, [_rule(*rule, citations[rule[1]]) for rule in rules])
        },
        "automationDetails": {"id": "tensorbridge/check/"},
        "invocations": [{"executionSuccessful": True}],
        "results": [
            _result(finding, rules.index((finding.id or finding.code, finding.code)), view.place or _PLACE)
            for finding in results
        ],
        "properties": {name: getattr(report.environment, name) for name in ("python", "numpy", "torch", "platform")},
    }
    return _log(run)


_PLACE = "pyproject.toml"
_BRIDGE = "https://docs.pytorch.org/docs/stable/generated/torch.from_numpy.html"
_OURS = {
    "contract-broken": "The installed versions contradict the documentation of NumPy or PyTorch.",
    "expectation-not-met": "A conversion does not meet your expectation, or differs from an earlier report.",
}


def _driver(version: str, rules: list[dict[str, object]]) -> dict[str, object]:
    return {"name": "tensorbridge", "version": version, "rules": rules}


def _rule(rule: str, code: str, citation: str | None = None) -> dict[str, object]:
    """Return the rule of an alert: the page of ``explain``, if there is one.

    ``rule`` is the short code of a hazard or a finding; other kinds have only their name, ``code``.
    """
    summary, link, more = _OURS.get(code, code.replace("-", " ")), citation, ""
    if code not in _OURS:
        try:
            page = find(rule)
        except RequestError:
            page = None
        if page is not None:
            summary, more = page.summary, f" For more: tensorbridge explain {rule}"
            link = next((item.link for part in page.parts for item in part.items if item.link), None)
    return {
        "id": rule,
        "name": code,
        "shortDescription": {"text": code.replace("-", " ")},
        "fullDescription": {"text": words.one_line(summary)},
        "helpUri": link if link and re.fullmatch(r"https://[\x21-\x7e]+", link) else _BRIDGE,
        "help": {"text": words.one_line(summary) + more},
    }


def _region(uri: str, first: int, last: int) -> dict[str, object]:
    region = {"startLine": max(first, 1), "endLine": max(last, first, 1)}
    return {"artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"}, "region": region}


def _log(run: dict[str, object]) -> str:
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return escape_json(json.dumps(log, indent=2, ensure_ascii=False)) + "\n"


def _result(finding: ReportFinding, rule: int, place: str) -> dict[str, object]:
    row = finding.row
    cited = f" ({finding.citation})" if finding.citation else ""
    return {
        "ruleId": finding.id or finding.code,
        "ruleIndex": rule,
        "level": finding.level,
        "message": {"text": f"{cell(row)}: {words.one_line(finding.text)}{cited}"},
        "locations": [
            {
                "physicalLocation": _region(quote(place), 1, 1),
                "logicalLocations": [{"fullyQualifiedName": row.conversion, "kind": "function"}],
            }
        ],
        # the text of a finding may change from version to version; the cell and the kind do not
        "partialFingerprints": {"cell/v1": f"{finding.code}: {cell(row)}"},
        "properties": {"outcome": row.outcome, "direction": row.direction},
    }


def trace(traced: Trace, _view: View) -> str:
    """Return ``traced`` as SARIF: each finding at its line, one that the line accepts as suppressed in the source."""
    sites = {site.id: site for site in traced.sites}
    rules = sorted({(finding.id or finding.code, finding.code) for finding in traced.findings})
    run = {
        "tool": {"driver": _driver(traced.environment.tensorbridge, [_rule(*rule) for rule in rules])},
        "automationDetails": {"id": "tensorbridge/trace/"},
        "invocations": [{"executionSuccessful": traced.exit_code == 0, "exitCode": traced.exit_code}],
        "columnKind": "unicodeCodePoints",
        "results": [
            _placed(finding, sites[finding.site], rules.index((finding.id or finding.code, finding.code)))
            for finding in traced.findings
        ],
    }
    return _log(run)


def _placed(finding: TraceFinding, site: Site, rule: int) -> dict[str, object]:
    instead = f"; instead: {words.one_line(finding.remedy)}" if finding.remedy else ""
    place = _region(quote(in_repository(site.file)), site.line, site.end_line or site.line)
    suppressions = [] if finding.accepted is None else [{"kind": "inSource", "justification": finding.accepted}]
    return {
        "ruleId": finding.id or finding.code,
        "ruleIndex": rule,
        "level": "warning" if finding.certainty == "certain" else "note",
        "message": {"text": f"{site.conversion}: {words.one_line(finding.detail)}{instead}"},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"site/v1": f"{finding.code}: {site.function} {site.conversion}"},
        "suppressions": suppressions,
    }
