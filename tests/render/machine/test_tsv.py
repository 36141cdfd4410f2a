import csv

import pytest

from tensorbridge_cli.records.report import Raised, Report
from tensorbridge_cli.render import render
from tensorbridge_cli.render.machine.fields import COLUMNS
from tests.render.gallery import GALLERY
from tests.render.tools import NAMES, case, load, made_of, matches, row


def read(report: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(render(report, "tsv").splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


def test_the_whole_file():
    assert matches("gallery.tsv", render(GALLERY, "tsv"))


@pytest.mark.parametrize("name", NAMES)
def test_the_fields_are_those_of_the_record(name):
    for field, row_ in zip(read(load(name)), load(name).observations, strict=False):
        assert field["conversion"] == row_.conversion
        assert field["shape"] == "x".join(map(str, row_.subject.shape))
        assert field["outcome"] == row_.outcome
        assert field["source_to_result"] == row_.writes.source_to_result
        assert field["result_pointer"] == (row_.result.pointer if row_.result else "")
        assert field["hazards"].split(",") == [hazard.code for hazard in row_.hazards] or not row_.hazards


def test_every_line_has_every_column():
    assert {len(line.split("\t")) for line in render(GALLERY, "tsv").splitlines()} == {len(COLUMNS)}
    assert len(read(GALLERY)) == len(GALLERY.observations) + len(GALLERY.not_applicable)


def test_facts_are_written_plainly():
    (field,) = read(made_of(row(relation={"same_storage": False, "overlaps": None}, subject={"shape": ()})))
    assert [field[name] for name in ("same_pointer", "same_storage", "overlaps", "shape", "copied_bytes")] == [
        "true",
        "false",
        "",
        "()",
        "0",
    ]


def test_a_case_that_was_not_tried_is_a_row():
    (field,) = read(made_of(case()))
    assert field["outcome"] == "not-applicable"
    assert field["reason"] == "layout channels-last needs 4 or 5 dimensions; shape 4x3 has 2"


def test_the_reason_stays_in_its_field_and_can_be_read_back():
    message = 'a\ttab, a\nline, a \\t and "quotes" \x1b[31m'
    (field,) = read(made_of(row("refused", error=Raised(type="E", message=message))))
    assert field["reason"] == 'E: a\\ttab, a\\nline, a \\\\t and "quotes" \\x1b[31m'
    assert field["reason"].encode("latin-1").decode("unicode_escape") == f"E: {message}"


def test_a_crash_is_the_reason_too():
    (field,) = read(load("crashed_while_writing"))
    assert field["reason"] == "crashed while writing to the result: SIGSEGV"
