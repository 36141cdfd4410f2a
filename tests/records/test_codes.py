"""Every hazard and every finding has one short code, which never moves."""

import re
from pathlib import Path

import msgspec
import pytest

from tensorbridge_cli.records import codes
from tensorbridge_cli.records.report import Hazard, HazardCode
from tensorbridge_cli.records.trace import CODES, Finding

PAGE = Path(__file__).parents[2] / "docs" / "codes.md"


def test_each_has_one_code_and_none_is_used_twice():
    assert list(codes.HAZARDS) == list(HazardCode)
    assert list(codes.FINDINGS) == list(CODES)
    assert len(codes.NAMES) == len(codes.HAZARDS) + len(codes.FINDINGS)
    assert all(re.fullmatch(r"TB1\d\d", code) for code in codes.HAZARDS.values())
    assert all(re.fullmatch(r"TB2\d\d", code) for code in codes.FINDINGS.values())


def test_the_page_lists_every_code_with_its_name():
    rows = re.findall(r"^\| `(TB\d+)` \| `([\w-]+)` \| (\w+) \|$", PAGE.read_text(), re.MULTILINE)
    listed = {code: (name, kind) for code, name, kind in rows}
    assert len(listed) == len(rows)
    given = {code: (name, "hazard") for name, code in codes.HAZARDS.items()}
    given |= {code: (name, "finding") for name, code in codes.FINDINGS.items()}
    assert listed.items() >= given.items()  # those of names that are gone stay listed


@pytest.mark.parametrize(
    ("text", "name"),
    [("TB105", "readonly-dropped"), ("tb201", "avoidable-copy"), ("TB999", "TB999"), ("round-trip", "round-trip")],
)
def test_a_code_stands_for_its_name(text, name):
    assert codes.name_of(text) == name


def test_what_was_saved_without_a_code_has_it_when_read():
    hazard = msgspec.json.decode('{"code": "grad-lost", "detail": "x", "id": "TB1"}', type=Hazard)
    assert hazard == Hazard(code=HazardCode.GRAD_LOST, detail="x")
    assert msgspec.to_builtins(hazard) == {"code": "grad-lost", "detail": "x", "id": "TB108"}
    finding = Finding(code="round-trip", site="x", detail="", remedy=None, certainty="certain")
    assert (finding.id, msgspec.to_builtins(finding)["id"]) == ("TB207", "TB207")
