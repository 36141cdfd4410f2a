from xml.etree import ElementTree as ET

import pytest

from tensorbridge_cli.records.report import Report
from tensorbridge_cli.render import render
from tests.render.gallery import GALLERY
from tests.render.tools import NAMES, load, made_of, row


def suites(report: Report) -> list[ET.Element]:
    root = ET.fromstring(render(report, "junit").encode())
    assert root.tag == "testsuites"
    return list(root)


def cases(report: Report) -> dict[str, ET.Element]:
    return {case.get("name"): case for suite in suites(report) for case in suite}


@pytest.mark.parametrize("report", [*map(load, NAMES), GALLERY], ids=[*NAMES, "gallery"])
def test_the_counts_add_up(report):
    found = suites(report)
    assert sum(int(suite.get("tests")) for suite in found) == len(report.observations) + len(report.not_applicable)
    assert sum(int(suite.get("failures")) for suite in found) == report.summary.broken
    assert sum(int(suite.get("skipped")) for suite in found) == report.summary.not_applicable
    assert [len(suite) for suite in found] == [int(suite.get("tests")) for suite in found]


def test_a_reader_loads_it(tmp_path):
    junitparser = pytest.importorskip("junitparser", reason="reads JUnit files")
    (tmp_path / "report.xml").write_text(render(GALLERY, "junit"), encoding="utf-8")
    read = junitparser.JUnitXml.fromfile(str(tmp_path / "report.xml"))
    entries = [case for suite in read for case in suite]
    assert len(entries) == len(GALLERY.observations) + len(GALLERY.not_applicable)
    kinds = [type(result) for case in entries for result in case.result]
    assert kinds.count(junitparser.Failure) == GALLERY.summary.broken
    assert kinds.count(junitparser.Skipped) == GALLERY.summary.not_applicable


def test_a_subject_is_a_suite():
    assert [suite.get("name") for suite in suites(GALLERY)] == [
        "4×3 float32, contiguous, plain, cpu",
        "4×3 float32, channels-last, plain, cpu",
    ]


def test_a_broken_contract_fails_with_its_page():
    failure = cases(GALLERY)["torch.asarray(copy=True) to float64"].find("failure")
    assert failure.get("message") == "outcome: expected copied, found shared: “If True, a copy is always made.”"
    assert failure.text == "https://docs.pytorch.org/docs/stable/generated/torch.asarray.html"


def test_a_crash_alone_fails_nothing():
    case = cases(GALLERY)["torch.from_dlpack"]
    assert case.find("failure") is None
    assert case.find("system-out").text == "crashed"
    assert case.find("system-err").text == "crashed while converting: SIGABRT: negative strides"


def test_what_was_not_tried_is_skipped_with_the_reason():
    assert cases(GALLERY)["np.from_dlpack"].find("skipped").get("message") == "its source is a tensor"


def test_what_xml_cannot_hold_is_escaped():
    assert 'f\\x00\\x1b<&">' in cases(made_of(row(conversion='f\x00\x1b<&">')))
