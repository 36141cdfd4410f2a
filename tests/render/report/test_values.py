import pytest

from tensorbridge_cli.records.enums import Via
from tensorbridge_cli.records.report import Cell, Evidence, Extents, Snapshot
from tensorbridge_cli.render.report.values import before_and_after
from tests.render.tools import NAMES, load, matches, row, show


def values(width=80, **changes):
    return [line.plain for line in before_and_after("f", row(**changes), width)]


def evidence(*snapshots, cells=()):
    return Evidence(fill=None, cells=cells, extents=Extents(source=(), result=()), snapshots=snapshots)


def shot(after, source, result):
    return Snapshot(after=after, source=source, result=result)


def cell(**changes):
    facts = {"index": (0,), "before": "1", "written": "9", "source_after": "9", "result_after": "9", "wrote": "source"}
    return Cell(**(facts | changes))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [60, 80])
def test_whole_tables(name, width):
    assert matches(f"{name}.values.{width}", show(load(name), width, values=True))


def test_they_are_shown_only_when_asked_for():
    assert "[100.0]" not in show("shared")


def test_a_long_row_is_broken_and_the_rest_indented():
    long = tuple(map(str, range(30)))
    grid = values(40, evidence=evidence(shot("convert", long, long)))
    assert grid[2:7] == [
        "    source",
        "      0   1   2   3   4   5   6   7",
        "        8   9  10  11  12  13  14  15",
        "       16  17  18  19  20  21  22  23",
        "       24  25  26  27  28  29",
    ]


def test_a_change_is_marked_at_the_step_that_made_it():
    steps = [
        shot("convert", ("1",), ("1",)),
        shot("write-result", ("1",), ("9",)),
        shot("write-source", ("1",), ("9",)),
    ]
    assert values(evidence=evidence(*steps, cells=(cell(wrote="result"),)))[1:] == [
        "  after the conversion",
        "    source    result",
        "     1         1",
        "  after result[0] = 9",
        "    source    result",
        "     1        [9]",
        "  after writing to the source",
        "    source    result",
        "     1         9",
        "",
    ]


def test_colour_marks_it_too():
    assert "\x1b[1;31m[100.0]" in show("shared", colour=True, values=True)


def test_what_was_not_read_or_is_empty_says_so():
    assert values(evidence=evidence(shot("convert", None, ())))[3] == "    not read    no elements"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "[0]: 1 → 9 written to the source; the result shows 9"),
        ({"wrote": "result"}, "[0]: 1 → 9 written to the result; the source shows 9"),
        ({"index": ()}, "[()]: 1 → 9 written to the source; the result shows 9"),
        ({"result_after": None}, "[0]: 1 → 9 written to the source; the result was not read"),
        ({"via": Via.BYTES}, "[0]: 1 → 9 written to the source byte by byte; the result shows 9"),
    ],
)
def test_without_snapshots_the_cells_are_told(changes, sentence):
    assert values(evidence=evidence(cells=(cell(**changes),))) == ["f, values", f"  {sentence}", ""]


def test_without_any_there_is_nothing():
    assert values(evidence=evidence()) == []
