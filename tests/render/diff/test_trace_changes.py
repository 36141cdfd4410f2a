import csv
import json
import re
from dataclasses import replace

import pytest

from tensorbridge_cli.diff.traces import compare
from tensorbridge_cli.render import CHANGES, PLAIN, View, render
from tests.cli.tools import PLAIN_TEXT
from tests.render.html.tools import details
from tests.render.program import COPIED, LATER, PROGRAM, finding, site, traced
from tests.render.tools import matches

HOSTILE = "\x1b[31m**a**\n<b>"
COMPARED = compare(PROGRAM, LATER)


def rendered(format_, comparison=COMPARED):
    return render(comparison, format_, PLAIN)


@pytest.mark.parametrize("width", [80, None])
def test_the_whole_text(width):
    text = render(COMPARED, "text", View(width=width, colour=False, box=width is not None))
    assert PLAIN_TEXT.fullmatch(text)
    assert width is None or max(map(len, text.splitlines())) <= width
    assert matches(f"trace-changes.{width or 'pipe'}", text)


def test_the_whole_markdown():
    assert matches("trace-changes.md", rendered("markdown"))


def test_nothing_changed():
    assert rendered("text", compare(PROGRAM, PROGRAM)).splitlines()[-2:] == [
        "",
        "0 changed, 0 gone, 0 new, 3 the same; 0 new findings, 0 resolved",
    ]


def test_csv_has_a_line_a_fact():
    rows = [
        (row["change"], row["line"], row["about"], row["before"], row["after"])
        for row in csv.DictReader(rendered("csv").splitlines())
    ]
    assert rows == [
        ("changed", "5", "calls", "20", "3000"),
        ("changed", "5", "copied_bytes", "1920", "288000"),
        ("changed", "5", "findings", "repeated-copy", "'-"),
        ("changed", "7", "copied_bytes", "48", "0"),
        ("changed", "7", "outcomes", "copied", "shared"),
        ("changed", "7", "dtypes", "float64>float32", "float64"),
        ("gone", "12", "calls", "3000", ""),
        ("new", "30", "calls", "", "1"),
        (
            "new finding",
            "30",
            "element-by-element",
            "",
            "a list of 2 arrays is converted by torch.tensor element by element",
        ),
        ("resolved finding", "5", "repeated-copy", finding(COPIED).detail, ""),
    ]


def test_json_is_the_record():
    found = json.loads(rendered("json"))
    assert found["schema"] == "tensorbridge.trace-diff/1"
    assert (found["before"]["torch"], found["after"]["torch"], found["same"]) == ("2.13.0", "2.14.0", 0)
    assert found["program"][0] == {"about": "exit_code", "before": "0", "after": "1"}
    first, _ = found["changed"]
    assert (first["before"]["line"], first["after"]["line"]) == (4, 5)
    assert first["changes"][0] == {"about": "calls", "before": "20", "after": "3000"}
    assert [[one["line"] for one in found[name]] for name in ("gone", "new")] == [[12], [30]]
    assert [one["code"] for one in found["new_findings"] + found["resolved_findings"]] == [
        "element-by-element",
        "repeated-copy",
    ]


def test_a_cell_of_the_page_opens_to_what_changed_and_to_the_line():
    first, second, gone, new = details(rendered("html"))
    assert "<td>1,920</td><td>288,000</td>" in first
    assert "float64&gt;float32" in second
    assert "torch.from_numpy(" in gone
    assert "np.stack([a, b])" in new


def test_a_line_that_is_in_another_file_now():
    moved = compare(traced(COPIED), traced(site(file="/code/other.py", calls=21)))
    assert "changed: /code/other.py:4 (was program.py:4) torch.tensor: calls 20 → 21\n" in rendered("text", moved)
    checkout = compare(traced(COPIED), traced(site(file="/tmp/program.py", calls=21)))
    assert "changed: /tmp/program.py:4 torch.tensor: calls 20 → 21\n" in rendered("text", checkout)


@pytest.mark.parametrize("format_", [entry.name for entry in CHANGES])
def test_nothing_of_a_saved_trace_is_obeyed(format_):
    spoiled = site(conversion=HOSTILE, file=f"/{HOSTILE}.py", source_line=HOSTILE)
    after = replace(
        traced(spoiled, findings=(finding(spoiled, code=HOSTILE, detail=HOSTILE, remedy=HOSTILE),)),
        environment=replace(PROGRAM.environment, torch=HOSTILE),
    )
    text = rendered(format_, compare(PROGRAM, after))
    assert "\x1b" not in text
    assert format_ not in ("html", "svg") or "<b>" not in text + "".join(details(text))
    assert format_ != "markdown" or "**a**" not in re.sub(r"`[^`]*`", "", text)
