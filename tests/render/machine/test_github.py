import re

import pytest

from tensorbridge_cli.records.enums import Expected, Verdict
from tensorbridge_cli.records.report import Clause, Contract, Report
from tensorbridge_cli.render import render
from tests.render.gallery import GALLERY
from tests.render.tools import load, made_of, row

COMMAND = re.compile(r"::(error|warning) title=([^:,\r\n]+)::([^\r\n]+)")


def commands(report: Report) -> list[tuple[str, str, str]]:
    return COMMAND.findall(render(report, "github"))


def breach(**text: str) -> Contract:
    plain = {
        "about": "outcome",
        "expected": "copied",
        "observed": "shared",
        "citation": "https://a.org/b",
        "sentence": "",
    }
    clause = Clause(**plain | text, verdict=Verdict.BROKEN)
    return Contract(expected=Expected.COPIED, verdict=Verdict.BROKEN, citation=clause.citation, clauses=(clause,))


def test_without_findings_there_is_the_summary_alone():
    assert render(load("shared"), "github") == "tensorbridge: 1 shared (numpy 2.4.6, torch 2.13.0)\n"


def test_a_broken_contract_is_an_error():
    assert commands(made_of(row(contract=breach(sentence="A copy is made.")))) == [
        (
            "error",
            "torch.from_numpy%3A contract-broken",
            "torch.from_numpy numpy→torch, 4×3 float32, contiguous, plain, cpu"
            "%0Aoutcome: expected copied, found shared: “A copy is made.”%0Ahttps://a.org/b",
        )
    ]


def test_a_death_is_a_warning():
    ((level, title, text),) = commands(load("crashed_while_writing"))
    assert (level, title.partition("%3A ")[2]) == ("warning", "write-kills (TB106)")
    assert "SIGSEGV" in text


def test_what_bites_otherwise_is_left_out():
    assert commands(load("two_states")) == []


def test_every_line_but_the_last_is_a_command():
    *lines, last = render(GALLERY, "github").splitlines()
    assert [COMMAND.fullmatch(line)[1] for line in lines] == ["error", "warning", "warning"]
    assert last.startswith("tensorbridge: 5 shared, 2 copied")


@pytest.mark.parametrize(
    ("name", "title"),
    [("100%", "100%25"), ("f(a=1, b)", "f(a=1%2C b)"), ("a:b", "a%3Ab"), ("a\r\nb", "a / b")],
)
def test_a_title_is_escaped(name, title):
    ((_, found, _),) = commands(made_of(row(conversion=name, contract=breach())))
    assert found == f"{title}%3A expectation-not-met"


def test_a_text_is_escaped_and_stays_one_line():
    ((_, _, text),) = commands(made_of(row(contract=breach(sentence="100%\n::error::\x1b[31m"))))
    assert "“100%25 / ::error::\\x1b[31m”" in text
