"""The report as SARIF 2.1.0, for code scanning: broken contracts are errors, deaths warnings, other hazards notes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tensorbridge_cli.printable import escape_json
from tensorbridge_cli.records.report import Report
from tensorbridge_cli.render import View
from tensorbridge_cli.render.report.findings import Finding, cell, findings
from tensorbridge_cli.render.text import words

if TYPE_CHECKING:
    from tensorbridge_cli.records.trace import Finding as Traced
    from tensorbridge_cli.records.trace import Site, Trace

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render(report: Report, _view: View) -> str:
    """Return ``report`` as SARIF; a result's place is the conversion, since no file of the reader's is at fault."""
    found = list(findings(report))
    rules = sorted({finding.code for finding in found})
    driver = {
        "name": "tensorbridge",
        "version": report.environment.tensorbridge,
        "rules": [{"id": code, "shortDescription": {"text": code.replace("-", " ")}} for code in rules],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True}],
        "results": [_result(finding, rules.index(finding.code)) for finding in found],
        "properties": {name: getattr(report.environment, name) for name in ("python", "numpy", "torch", "platform")},
    }
    return _log(run)


def _log(run: dict[str, Any]) -> str:
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return escape_json(json.dumps(log, indent=2, ensure_ascii=False)) + "\n"


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    row = finding.row
    cited = f" ({finding.citation})" if finding.citation else ""
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": finding.level,
        "message": {"text": f"{cell(row)}: {words.one_line(finding.text)}{cited}"},
        "locations": [{"logicalLocations": [{"fullyQualifiedName": row.conversion, "kind": "function"}]}],
        # the text of a finding may change from version to version; the cell and the kind do not
        "partialFingerprints": {"cell/v1": f"{finding.code}: {cell(row)}"},
        "properties": {"outcome": row.outcome, "direction": row.direction},
    }


def trace(found: Trace, _view: View) -> str:
    """Return ``found`` as SARIF: each finding at its line, one that the line accepts as suppressed in the source."""
    sites = {site.id: site for site in found.sites}
    rules = sorted({finding.code for finding in found.findings})
    driver = {
        "name": "tensorbridge",
        "version": found.environment.tensorbridge,
        "rules": [{"id": code, "shortDescription": {"text": code.replace("-", " ")}} for code in rules],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": found.exit_code == 0, "exitCode": found.exit_code}],
        "columnKind": "unicodeCodePoints",
        "results": [_placed(finding, sites[finding.site], rules.index(finding.code)) for finding in found.findings],
    }
    return _log(run)


def _placed(finding: Traced, site: Site, rule: int) -> dict[str, Any]:
    from urllib.parse import quote

    from tensorbridge_cli.render.trace.traces import path

    instead = f"; instead: {words.one_line(finding.remedy)}" if finding.remedy else ""
    place = {
        "artifactLocation": {"uri": quote(path(site.file))},
        "region": {"startLine": site.line, "endLine": site.end_line},
    }
    suppressions = [] if finding.accepted is None else [{"kind": "inSource", "justification": finding.accepted}]
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": "warning" if finding.certainty == "certain" else "note",
        "message": {"text": f"{site.conversion}: {words.one_line(finding.detail)}{instead}"},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"site/v1": f"{finding.code}: {site.function} {site.conversion}"},
        "suppressions": suppressions,
    }
