"""Every hazard and every finding has one short code, which never moves."""

import re
from pathlib import Path

import msgspec
import pytest

from tensorbridge_cli.catalog import codes
from tensorbridge_cli.diff.saved import report
from tensorbridge_cli.encoding import encode
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.report import Hazard
from tensorbridge_cli.records.trace import Finding
from tensorbridge_cli.records.trace_words import CODES
from tests.render.tools import made_of, row

PAGE = Path(__file__).parents[2] / "docs" / "codes.md"


def test_each_has_one_code_and_none_is_used_twice():
    assert list(codes.HAZARDS.values()) == sorted(codes.HAZARDS.values())
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
    saved = (Hazard(code="grad-lost", detail="x"), Hazard(code="misaligned", detail="y", id="TB1"))
    read = made_of(row(hazards=saved))
    assert [(hazard.code, hazard.id) for hazard in read.observations[0].hazards] == [
        ("grad-lost", "TB108"),
        ("misaligned", "TB113"),
    ]


def test_a_hazard_that_nobody_knows_is_not_read(tmp_path):
    saved = encode(made_of(row(hazards=(Hazard(code="grad-lost", detail="x"),)))).replace(b"grad-lost", b"grad-l0st")
    (tmp_path / "report.json").write_bytes(saved)
    with pytest.raises(RequestError, match="'grad-l0st' is not a hazard that this version knows"):
        report(str(tmp_path / "report.json"))


def test_what_a_trace_saved_without_a_code_has_it_when_read():
    finding = Finding(code="round-trip", site="x", detail="", remedy=None, certainty="certain")
    assert (finding.id, msgspec.to_builtins(finding)["id"]) == ("TB207", "TB207")
