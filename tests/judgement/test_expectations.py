from dataclasses import replace

import pytest

from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.judgement.expectations import hold, parse, since, together
from tensorbridge_cli.records.enums import Expected, Outcome, Verdict
from tensorbridge_cli.records.report import Hazard, Raised
from tests.render.gallery import GALLERY
from tests.render.tools import row

BROKEN = next(entry for entry in GALLERY.observations if entry.contract.verdict is Verdict.BROKEN)
HAZARD = Hazard(code="readonly-dropped", detail="the flag is gone")
ERROR = Raised(type="ValueError", message="no")
REFUSED = row(outcome=Outcome.REFUSED, result=None, error=ERROR)
CRASHED = row(outcome=Outcome.CRASHED, result=None)


def held(of, *words):
    """Return the verdict on ``of``, and of each clause what was expected and found."""
    found = hold(of, parse(words, "mine")).contract
    return found.verdict, [(clause.about, clause.expected, clause.observed) for clause in found.clauses]


@pytest.mark.parametrize(
    ("of", "word", "met", "about", "observed"),
    [
        (row(), "shared", True, "outcome", "shared"),
        (row(), "shared-or-copied", True, "outcome", "shared"),
        (row(), "copied", False, "outcome", "shared"),
        (REFUSED, "refused", True, "outcome", "refused"),
        (REFUSED, "shared-or-copied", False, "outcome", "refused"),
        (row(outcome=Outcome.UNDECIDABLE), "shared", False, "outcome", "undecidable"),
        (row(outcome=Outcome.TIMED_OUT, result=None), "shared", False, "outcome", "timed-out"),
        (row(), "writable", True, "writable", "writable"),
        (row(), "read-only", False, "writable", "writable"),
        (row(result={"writable": False}), "read-only", True, "writable", "read-only"),
        (row(), "dtype=float32", True, "dtype", "float32"),
        (row(), "dtype = float64", False, "dtype", "float32"),
        (REFUSED, "dtype=float32", False, "dtype", "refused"),
        (row(), "no-hazard=readonly-dropped", True, "readonly-dropped", "absent"),
        (row(hazards=(HAZARD,)), "no-hazard=readonly-dropped", False, "readonly-dropped", "present"),
        (row(hazards=(HAZARD,)), "no-hazard=TB105", False, "readonly-dropped", "present"),
        (row(hazards=(HAZARD,)), "no-hazard=write-kills", True, "write-kills", "absent"),
        (row(hazards=(HAZARD,)), "no-hazard", False, "hazards", "readonly-dropped"),
        (row(), "no-hazard", True, "hazards", "none"),
        (REFUSED, "no-hazard", True, "hazards", "none"),
        (CRASHED, "no-hazard", False, "hazards", "crashed"),
        (CRASHED, "no-hazard=readonly-dropped", False, "readonly-dropped", "crashed"),
    ],
)
def test_each_word(of, word, met, about, observed):
    verdict, ((said, _, found),) = held(of, word)
    assert (verdict, said, found) == (Verdict.KEPT if met else Verdict.BROKEN, about, observed)


def test_one_that_is_not_met_decides():
    assert held(row(), "shared", "writable", "dtype=float64")[0] is Verdict.BROKEN


def test_the_documentation_decides_only_where_it_is_asked():
    shared = replace(BROKEN, outcome=Outcome.SHARED)
    assert held(shared, "shared")[0] is Verdict.KEPT
    verdict, clauses = held(shared, "shared", "documented")
    assert verdict is Verdict.BROKEN
    assert clauses == [("outcome", "shared", "shared"), ("outcome", "copied", "shared")]


def test_it_cites_where_it_is_from():
    contract = hold(row(), parse(["shared"], "--expect")).contract
    assert (contract.expected, contract.citation) == (Expected.SHARED, "--expect")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["shard"], "unknown expectation 'shard': did you mean shared"),
        (["shared=yes"], "unknown expectation 'shared=yes'"),
        (["dtype="], "unknown expectation 'dtype='"),
        (["no-hazard=readonly"], "unknown hazard 'readonly': did you mean readonly-dropped"),
        (["shared", "copied"], "shared and copied cannot be combined."),
        (["writable", "read-only"], "writable and read-only cannot be combined."),
    ],
)
def test_what_makes_no_sense(words, why):
    with pytest.raises(RequestError) as caught:
        parse(words, "mine")
    assert str(caught.value).startswith(why)


def test_a_cell_of_two_expectations_is_one_row():
    one, other = hold(row(), parse(["shared"], "1")), hold(row(), parse(["read-only"], "2"))
    (both,) = together([one, other])
    assert both.contract.verdict is Verdict.BROKEN
    assert [clause.citation for clause in both.contract.clauses] == ["1", "2"]
    assert len(together([one, row(conversion="torch.tensor")])) == 2


# Since an earlier record -------------------------------------------------------------------------


def compared(of, **then):
    return since(of, {"outcome": of.outcome, "contract": of.contract.verdict} | then, "old.json").contract


def test_a_known_breach_is_as_it_was():
    contract = compared(BROKEN)
    assert contract.verdict is Verdict.KEPT
    assert [(clause.about, clause.expected) for clause in contract.clauses] == [("contract", "broken")]


def test_a_new_breach_keeps_its_page():
    contract = compared(BROKEN, contract="kept")
    assert contract.verdict is Verdict.BROKEN
    assert contract.clauses == BROKEN.contract.clauses
    assert since(BROKEN, None, "old.json") == BROKEN


def test_a_breach_that_is_gone_fails():
    contract = compared(row(), contract="broken")
    assert contract.verdict is Verdict.BROKEN
    assert contract.clauses[0].expected == "broken"
    assert contract.clauses[0].citation == "old.json"


def test_another_outcome_fails():
    contract = compared(row(), outcome="copied")
    assert (contract.verdict, contract.clauses[0].about) == (Verdict.BROKEN, "outcome")
    assert (contract.clauses[0].expected, contract.clauses[0].observed) == ("copied", "shared")


def test_nothing_changed():
    assert compared(row()).verdict is row().contract.verdict
