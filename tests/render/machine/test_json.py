import json

import pytest

from tensorbridge_cli.encoding import decode
from tensorbridge_cli.records.report import Report, Row
from tensorbridge_cli.render import render
from tests.render.gallery import GALLERY
from tests.render.tools import NAMES, load


@pytest.mark.parametrize("name", NAMES)
def test_a_report_survives_the_way_there_and_back(name):
    assert decode(render(load(name), "json")) == load(name)


def test_a_report_with_every_kind_of_row_does_too():
    assert decode(render(GALLERY, "json")) == GALLERY


def test_absent_facts_are_null_and_the_order_is_that_of_the_schema():
    written = json.loads(render(load("shared"), "json"))
    assert list(written) == list(Report.__dataclass_fields__)
    assert set(written["observations"][0]) == set(Row.__dataclass_fields__)
    assert written["observations"][0]["error"] is None


def test_it_is_indented_by_two_and_always_the_same():
    assert render(GALLERY, "json").startswith('{\n  "schema": "tensorbridge.report/1",\n  "environment"')
    assert render(GALLERY, "json") == render(decode(render(GALLERY, "json")), "json")
