import csv

import pytest

from tensorbridge_cli.records.enums import Origin
from tensorbridge_cli.records.report import Raised
from tensorbridge_cli.render import render
from tensorbridge_cli.render.machine.fields import COLUMNS
from tests.render.gallery import GALLERY
from tests.render.tools import made_of, row


def read(report, name="csv"):
    dialect = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if name == "tsv" else {}
    return list(csv.DictReader(render(report, name).splitlines(), **dialect))


def test_the_fields_are_those_of_tsv():
    assert read(GALLERY) == read(GALLERY, "tsv")
    assert len(read(GALLERY)) == len(GALLERY.observations) + len(GALLERY.not_applicable)


def test_a_comma_a_quote_and_a_line_stay_in_their_field():
    message = 'a, b, "c"\nd'
    report = made_of(row("refused", error=Raised(type="E", message=message)))
    assert len(render(report, "csv").splitlines()) == 2
    (field,) = read(report)
    assert field["reason"] == 'E: a, b, "c"\\nd'
    assert list(field) == list(COLUMNS)


@pytest.mark.parametrize("text", ["=1+1", "+x", "-x", "@x"])
def test_no_text_is_a_formula(text):
    (field,) = read(made_of(row(subject={"given": text, "origin": Origin.EXPRESSION})))
    assert field["given"] == f"'{text}"


def test_numbers_are_no_formula():
    (field,) = read(made_of(row(source={"strides": (-12, 4)}, result={"strides": (4, -12)})))
    assert (field["source_strides"], field["result_strides"]) == ("-12,4", "4,-12")
