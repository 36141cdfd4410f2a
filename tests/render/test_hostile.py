"""Records that somebody else wrote, in every format: a terminal obeys none of it, and none of it is markup."""

import json
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given, settings

from tensorbridge_cli.diff.compare import compare
from tensorbridge_cli.diff.reports import of_report
from tensorbridge_cli.diff.traces import compare as compare_traces
from tensorbridge_cli.encoding import decode
from tensorbridge_cli.records import trace as traced
from tensorbridge_cli.records.enums import Origin, Outcome, Verdict
from tensorbridge_cli.records.report import Clause, Contract
from tensorbridge_cli.render import CHANGES, FORMATS, TRACES, Verdicts, View, render
from tensorbridge_cli.render.report import notebook
from tests.render.gallery import GALLERY
from tests.render.hostile import CODE, TERMINAL, TEXTS, hostile
from tests.render.html.tools import details
from tests.render.program import LATER, PROGRAM
from tests.render.tools import made_of, row

NAMES = [entry.name for entry in FORMATS]
WIDE = View(width=None, colour=False, box=False, values=True, picture=True)
VIEWS = (WIDE, View(width=60, colour=False, box=True, values=True, picture=True))
STYLE = re.compile(r"\x1b\[[0-9;]*m")
_CLAUSE = Clause(about="a", expected="b", observed="c", verdict=Verdict.BROKEN, citation="https://x", sentence="d")


def report_of(text):
    given = row(subject={"given": "g", "origin": Origin.EXPRESSION})
    broken = row(contract=Contract(expected=None, verdict=Verdict.BROKEN, citation=None, clauses=(_CLAUSE,)))
    report = hostile(made_of(*GALLERY.observations, given, broken, *GALLERY.not_applicable), text)
    rows = enumerate(report.observations)  # each of a shape of its own: all else that tells cells apart is ``text``
    return replace(report, observations=tuple(replace(r, subject=replace(r.subject, shape=(n,))) for n, r in rows))


def is_safe(text, name=""):
    """Return whether a terminal can be sent ``text``: lines of letters that print, with tabs where they divide."""
    allowed = "\t" if name in ("tsv", "csv") else ""
    return all(line.translate({ord(c): "" for c in allowed}).isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("text", TERMINAL)
def test_a_report(text):
    report = report_of(text)
    gone = compare(of_report(report), of_report(made_of())).gone
    for name in NAMES:
        shown = [render(report, name, view) for view in (VIEWS if name == "table" else VIEWS[:1])]
        told = render(Verdicts(report, text, gone), name, WIDE)
        for one in (*shown, told):
            assert is_safe(one, name), (name, [line for line in one.split("\n") if not line.isprintable()][:3])


@pytest.mark.parametrize("name", [entry.name for entry in CHANGES])
@pytest.mark.parametrize("text", TERMINAL)
def test_two_reports(name, text):
    one, other = report_of(text), report_of(f"{text}!")
    rows = tuple(replace(entry, outcome=Outcome.UNDECIDABLE) for entry in one.observations)
    changed = replace(one, observations=rows)  # made_of takes no hazard that is not in the catalogue
    for after in (other, changed):
        comparison = compare(of_report(one), of_report(after))
        assert is_safe(render(comparison, name, WIDE), name)
        assert is_safe(render(comparison, name, VIEWS[1]), name)


@pytest.mark.parametrize("text", TERMINAL)
def test_a_trace(text):
    found, later = hostile(PROGRAM, text), hostile(LATER, text)
    for entry in TRACES:
        for view in VIEWS:
            assert is_safe(render(found, entry.name, view), entry.name), entry.name
    for entry in CHANGES:
        assert is_safe(render(compare_traces(found, later), entry.name, WIDE), entry.name)


@settings(max_examples=15, deadline=None)
@given(TEXTS)
def test_any_text(text):
    report = report_of(text)
    for name in NAMES:
        assert is_safe(render(report, name, WIDE), name), name
    assert decode(render(report, "json")) == report
    found = hostile(PROGRAM, text)
    assert msgspec.json.decode(render(found, "json", WIDE), type=traced.Trace) == found


@pytest.mark.parametrize("text", TERMINAL)
def test_in_colour_only_the_styles_are_ours(text):
    coloured = render(report_of(text), "table", View(width=80, colour=True, box=True, values=True, picture=True))
    assert is_safe(STYLE.sub("", coloured))
    assert coloured.count("\x1b[31m") == render(report_of("plain"), "table", View(80, True, True)).count("\x1b[31m")


@pytest.mark.parametrize("text", [*TERMINAL, *CODE])
def test_what_is_parsed_stays_what_it_is(text):
    report = report_of(text)
    assert decode(render(report, "json")) == report
    assert len(render(report, "jsonl").splitlines()) == 2 + len(report.observations) + len(report.not_applicable)
    assert json.loads(render(report, "sarif"))
    assert ET.fromstring(render(report, "junit").encode()).tag == "testsuites"
    assert ET.fromstring(render(report, "svg").encode()).tag.endswith("svg")
    rows = render(report, "tsv").splitlines()
    assert {line.count("\t") for line in rows} == {rows[0].count("\t")}


@pytest.mark.parametrize("text", [*TERMINAL, *CODE])
def test_github_is_given_no_command_of_theirs(text):
    for line in render(report_of(text), "github").splitlines():
        assert line.startswith(("::error title=", "::warning title=", "tensorbridge: "))
        assert "::" not in line.removeprefix("::").split("::", 1)[0]


@pytest.mark.parametrize("text", ["<script>owned()</script>", "<img src=x onerror=owned()>", "]]><x/>", "{{ 7 * 7 }}"])
def test_nothing_is_markup(text):
    page = render(report_of(text), "html", WIDE)
    for part in (page, *details(page), notebook.render(report_of(text)), notebook.trace(hostile(PROGRAM, text))):
        assert "<script>owned" not in part
        assert "<img" not in part
        assert "<x/>" not in part


def test_a_link_is_an_address():
    page = details(render(report_of("javascript:owned()"), "html", WIDE))
    assert not any('href="javascript' in cell for cell in page)
