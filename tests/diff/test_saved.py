"""What was saved is read again: of lines of JSON one at a time."""

import re
from dataclasses import replace

import pytest

from tensorbridge_cli.diff import saved
from tensorbridge_cli.diff.merged import merged
from tensorbridge_cli.diff.reports import of_report
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.enums import Direction, Outcome
from tensorbridge_cli.records.report import Answer
from tensorbridge_cli.render import render
from tests.render.gallery import GALLERY

HAZARD = next(hazard.code for row in GALLERY.observations for hazard in row.hazards)


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "report.jsonl"
    path.write_text(render(GALLERY, "jsonl"), encoding="utf-8")
    return path


def test_lines_have_the_cells_of_the_whole_report_and_are_read_in_turn(lines, monkeypatch):
    monkeypatch.setattr(saved, "_read", None)  # which reads a whole file
    assert saved.recording(str(lines)) == of_report(GALLERY)
    _, entries = saved.entries(str(lines))
    assert [*entries] == [*GALLERY.observations, *GALLERY.not_applicable]


@pytest.mark.parametrize("format_name", ["csv", "tsv", "html"])
def test_what_needs_each_row_once_is_made_of_rows_read_in_turn(lines, monkeypatch, format_name):
    monkeypatch.setattr(saved, "_record", None)  # which keeps them
    rows = saved.rows_or_record(str(lines))
    assert render(rows, format_name) == render(rows, format_name) == render(GALLERY, format_name)


def test_the_answers_of_lines_are_kept(lines):
    answer = Answer(
        wanted=Outcome.SHARED, direction=Direction.NUMPY_TO_TORCH, subject=GALLERY.observations[0].subject, write=()
    )
    with_answers = replace(GALLERY, answers=(answer,))
    lines.write_text(render(with_answers, "jsonl"), encoding="utf-8")
    assert saved.rows_or_record(str(lines)) == with_answers


@pytest.mark.parametrize("read", [saved.recording, saved.rows_or_record, lambda path: [*saved.entries(path)[1]]])
def test_lines_that_were_cut_off_are_no_report(lines, read):
    whole = lines.read_text(encoding="utf-8").splitlines(keepends=True)
    lines.write_text("".join(whole[:-1]), encoding="utf-8")
    with pytest.raises(RequestError, match="is truncated"):
        read(str(lines))
    lines.write_text("".join([*whole[:3], whole[3][:40]]), encoding="utf-8")
    with pytest.raises(RequestError, match="line 4: it is truncated"):
        read(str(lines))


@pytest.mark.parametrize("format_name", ["json", "jsonl"])
def test_a_hazard_that_is_not_known_is_no_report(tmp_path, format_name):
    path = tmp_path / f"report.{format_name}"
    path.write_text(render(GALLERY, format_name).replace(HAZARD, "qwzx"), encoding="utf-8")
    with pytest.raises(RequestError, match=r"'qwzx' is not a hazard that this version knows"):
        saved.recording(str(path))
    with pytest.raises(RequestError, match=r"'qwzx' is not a hazard that this version knows"):
        saved.rows_or_record(str(path))
    with pytest.raises(RequestError, match=r"'qwzx' is not a hazard that this version knows"):
        list(saved.entries(str(path))[1])


def test_sums_that_are_none_are_no_report(lines):
    whole = lines.read_text(encoding="utf-8")
    lines.write_text(re.sub('"summary":{"shared":[0-9]+', '"summary":{"shared":"three"', whole), encoding="utf-8")
    with pytest.raises(RequestError, match=r"is not a valid tensorbridge\.report/1: Expected `int`, got `str`"):
        saved.rows_or_record(str(lines))


def test_blank_lines_are_passed_over(lines):
    whole = lines.read_text(encoding="utf-8").splitlines(keepends=True)
    lines.write_text("".join([whole[0], "\n", *whole[1:], " \r\n", "\n"]), encoding="utf-8")
    rows = saved.rows_or_record(str(lines))
    assert [*rows.entries()] == [*GALLERY.observations, *GALLERY.not_applicable]
    assert saved.report(str(lines)) == GALLERY


@pytest.mark.parametrize("format_name", ["json", "jsonl"])
@pytest.mark.parametrize("read", [saved.recording, lambda path: merged([path, path + ".other"])])
def test_two_rows_of_one_cell_that_contradict_each_other_are_refused(tmp_path, format_name, read):
    path = tmp_path / f"report.{format_name}"
    (tmp_path / f"{path.name}.other").write_text(render(GALLERY, format_name), encoding="utf-8")
    first = GALLERY.observations[0]
    other = replace(first, outcome=Outcome.COPIED if first.outcome is not Outcome.COPIED else Outcome.SHARED)

    def save(again):
        repeated = replace(GALLERY, observations=(*GALLERY.observations, again))
        path.write_text(render(repeated, format_name), encoding="utf-8")

    save(again=first)
    read(str(path))
    save(again=other)
    with pytest.raises(RequestError, match=rf"{path.name} has two rows of one cell, {re.escape(first.conversion)} \("):
        read(str(path))


def test_two_reports_in_one_file_are_no_report(lines):
    lines.write_text(2 * lines.read_text(encoding="utf-8"), encoding="utf-8")
    for read in (saved.record, saved.rows_or_record, saved.recording, lambda path: list(saved.entries(path)[1])):
        with pytest.raises(RequestError, match=r"line [0-9]+ follows the end of the report\."):
            read(str(lines))


@pytest.mark.parametrize("format_name", ["json", "jsonl"])
def test_the_sums_are_those_of_the_rows_of_an_edited_report(tmp_path, format_name):
    path = tmp_path / f"report.{format_name}"
    path.write_text(
        render(replace(GALLERY, summary=replace(GALLERY.summary, shared=99)), format_name), encoding="utf-8"
    )
    assert saved.record(str(path)).summary == saved.rows_or_record(str(path)).summary == GALLERY.summary


@pytest.mark.parametrize("format_name", ["json", "jsonl"])
def test_a_report_may_begin_with_a_byte_order_mark(tmp_path, format_name):
    path = tmp_path / f"report.{format_name}"
    path.write_text(render(GALLERY, format_name), encoding="utf-8-sig")
    assert saved.record(str(path)) == GALLERY
    assert saved.recording(str(path)) == of_report(GALLERY)
    assert saved.rows_or_record(str(path)).summary == GALLERY.summary
