"""The report as JUnit XML: a suite for each source, a case for each conversion.

A contradiction of the docs is a failure, and a case that is not applicable is skipped. What a conversion did is the
output of its case, also if it raised or crashed: that is a result, not a failure.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from tensorbridge_cli.records.report import NotApplicable, Report, Row
from tensorbridge_cli.render import View
from tensorbridge_cli.render.report.findings import ReportFinding, call, findings
from tensorbridge_cli.render.text import words


def render(report: Report, _view: View) -> str:
    """Return ``report`` as JUnit XML."""
    broken: dict[int, list[ReportFinding]] = {}
    for finding in findings(report):
        if finding.level == "error":
            broken.setdefault(id(finding.row), []).append(finding)
    suites: dict[str, list[ET.Element]] = {}
    for row in report.observations:
        suites.setdefault(_suite(row), []).append(_test_case(row, broken.get(id(row), [])))
    for case in report.not_applicable:
        suites.setdefault(_suite(case), []).append(_not_tried(case))
    root = ET.Element("testsuites", name="tensorbridge")
    for name, cases in suites.items():
        root.append(_with_counts(ET.Element("testsuite", name=name), cases))
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(entry: Row | NotApplicable) -> str:
    return words.one_line(words.subject(entry.subject, ()))


def _with_counts(suite: ET.Element, cases: list[ET.Element]) -> ET.Element:
    suite.set("tests", str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    suite.extend(cases)
    return suite


def _test_case(row: Row, broken: list[ReportFinding]) -> ET.Element:
    case = ET.Element("testcase", name=words.one_line(call(row.conversion, row.to_dtype)), classname=row.direction)
    if row.seconds.convert is not None:
        case.set("time", f"{row.seconds.convert:.6f}")
    if broken:
        message = "; ".join(words.one_line(finding.text) for finding in broken)
        failure = ET.SubElement(case, "failure", type=broken[0].code, message=message)
        cited = (words.one_line(finding.citation) for finding in broken if finding.citation)
        failure.text = "\n".join(dict.fromkeys(cited))
    ET.SubElement(case, "system-out").text = words.OUTCOMES[row.outcome]
    if why := words.reason(row):
        ET.SubElement(case, "system-err").text = words.one_line(why)
    return case


def _not_tried(case: NotApplicable) -> ET.Element:
    element = ET.Element("testcase", name=words.one_line(case.conversion), classname=case.direction or "")
    ET.SubElement(element, "skipped", message=words.one_line(case.reason))
    return element
