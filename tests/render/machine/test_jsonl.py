import json

import pytest

from tensorbridge_cli.encoding import convert
from tensorbridge_cli.records.report import Report
from tensorbridge_cli.render import render
from tests.render.gallery import GALLERY
from tests.render.tools import NAMES, load


def lines(report: Report) -> list[dict]:
    return [json.loads(line) for line in render(report, "jsonl").split("\n")[:-1]]


@pytest.mark.parametrize("report", [*map(load, NAMES), GALLERY], ids=[*NAMES, "gallery"])
def test_the_lines_hold_the_whole_report(report):
    first, *entries, last = lines(report)
    put_together = {
        **first,
        "observations": [entry["observation"] for entry in entries if "observation" in entry],
        "not_applicable": [entry["not_applicable"] for entry in entries if "not_applicable" in entry],
        **last,
    }
    assert convert(put_together, Report) == report


def test_each_line_says_what_it_is():
    assert [list(line) for line in lines(GALLERY)] == [
        ["schema", "environment"],
        *[["observation"]] * len(GALLERY.observations),
        *[["not_applicable"]] * len(GALLERY.not_applicable),
        ["summary"],
    ]
