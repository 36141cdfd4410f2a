import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tensorbridge_cli.records.report import Hazard, Raised
from tensorbridge_cli.render.text.words import one_line
from tests.render.gallery import GALLERY
from tests.render.tools import NAMES, flat, load, made_of, matches, row, show

REPORTS = {name: load(name) for name in NAMES} | {"gallery": GALLERY}
WIDTHS = [60, 80, 120, 200]
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")

each_report = pytest.mark.parametrize("name", REPORTS)


@each_report
@pytest.mark.parametrize("width", [60, 80, 120])
def test_whole_tables(name, width):
    assert matches(f"{name}.{width}", show(REPORTS[name], width))


@each_report
def test_whole_tables_for_a_pipe(name):
    assert matches(f"{name}.pipe", show(REPORTS[name], None))


@each_report
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("values", [False, True])
def test_no_line_is_wider_than_the_terminal_or_ends_in_a_space(name, width, values):
    lines = show(REPORTS[name], width, values=values).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert lines == [line.rstrip() for line in lines]


@each_report
def test_colour_changes_nothing_but_the_colour(name):
    coloured = show(REPORTS[name], colour=True, values=True)
    assert coloured != show(REPORTS[name], values=True) == ESCAPES.sub("", coloured)


@each_report
@pytest.mark.parametrize("width", [*WIDTHS, None])
def test_the_notes_are_there_in_full(name, width):
    text = flat(show(REPORTS[name], width))
    for row_ in REPORTS[name].observations:
        said = [hazard.detail for hazard in row_.hazards] + ([row_.error.message] if row_.error else [])
        assert all(flat(one_line(sentence)) in text for sentence in said)
    for case in REPORTS[name].not_applicable:
        assert flat(case.reason) in text


def test_a_pipe_gets_one_line_a_row_split_by_two_spaces():
    lines = show(GALLERY, None).splitlines()
    table = [re.split(" {2,}", line) for line in lines[3 : 4 + len(GALLERY.observations)]]
    assert {len(cells) for cells in table} == {6}
    assert table[0][:3] == ["Conversion", "Memory", "Write source→result"]
    assert table[3] == ["torch.as_tensor torch→torch", "shared", "seen", "seen", "float32", "same"]


def test_the_summary_adds_up():
    last = show(GALLERY, None).splitlines()[-1]
    assert sum(map(int, re.findall(r"(\d+) (?!contradict)[a-z]", last))) == 13
    assert show(made_of()) == "nothing was run (numpy 2.4.6, torch 2.13.0)\n"


def test_markup_emoji_and_escape_codes_are_shown_and_not_obeyed():
    text = show(GALLERY, colour=True)
    assert "[red]got[/red] :warning:" in flat(text)
    assert "\\x1b[31m" in text
    assert "\x1b[31m" not in text


def test_each_outcome_has_its_colour():
    text = show(GALLERY, colour=True)
    for shown in ("32mshared", "36mcopied", "33mrefused", "1;31mcrashed", "1;31mtimed out", "35mundecidable"):
        assert f"\x1b[{shown}\x1b[0m" in text


@settings(max_examples=200, deadline=None)
@given(st.text(), st.text(), st.text(), st.integers(20, 130))
def test_no_text_breaks_the_width_or_reaches_the_terminal_unescaped(message, given_, name, width):
    report = made_of(
        row(
            conversion=name,
            subject={"given": given_, "dtype": name},
            error=Raised(type="ValueError", message=message),
            hazards=(Hazard(code="grad-lost", detail=given_),),
        )
    )
    lines = show(report, width, values=True).split("\n")
    assert max(map(cell_len, lines)) <= max(width, 40)
    assert all(line.isprintable() for line in lines)
    assert "".join(one_line(message).split()) in "".join("".join(lines).split())
