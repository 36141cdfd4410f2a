"""``tensorbridge merge``: reports that were made on different machines."""

import json

import jsonschema
import pytest

from tests.cli.tools import environment, run, said, screen
from tests.warm import ROOT, python

REPORTS = ROOT / "tests" / "reports"
SHARED, REFUSED = (str(REPORTS / f"{name}.json") for name in ("shared", "refused"))


@pytest.fixture
def together(tmp_path):
    path = tmp_path / "all.json"
    assert run("merge", SHARED, REFUSED, "-o", str(path)).returncode == 0
    return str(path)


def test_it_is_a_table_and_a_document(together):
    text = run("merge", SHARED, REFUSED).stdout
    assert text.splitlines()[0].split()[:2] == ["A", SHARED]
    assert text.splitlines()[1].split()[:2] == ["B", REFUSED]
    with open(together, encoding="utf-8") as file:
        document = json.load(file)
    jsonschema.validate(document, json.loads(run("schema", "environments").stdout))
    assert [one["letter"] for one in document["environments"]] == ["A", "B"]


def test_it_is_shown_as_it_was_made(together):
    assert run("show", together).stdout == run("merge", SHARED, REFUSED).stdout
    assert run("show", together, "--all").stdout == run("merge", SHARED, REFUSED, "--all").stdout
    with open(together, encoding="utf-8") as file:
        assert run("show", together, "--format", "json").stdout == file.read()


def test_one_of_them_comes_from_standard_input():
    with open(REFUSED, encoding="utf-8") as file:
        done = python("-m", "tensorbridge_cli", "merge", SHARED, "-", env=environment(), typed=file.read())
    from_files = run("merge", SHARED, REFUSED).stdout
    assert done.stdout.split() == from_files.replace(REFUSED, "standard input").split()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_it_fits_a_terminal(width):
    text = screen("merge", SHARED, REFUSED, "--all", "--color", "never", width=width)
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("merge", SHARED, REFUSED, SHARED), f"{SHARED} is specified twice: specify one report of each environment."),
        (("merge", SHARED), "specify from 2 to 26 reports, one of each environment (not 1)."),
        (("merge", "-", "-"), "standard input can be used for one of the reports only: specify files for the others."),
        (("merge", SHARED, "{}"), "{} has several environments, but the report of one is needed."),
        (("diff", SHARED, "{}"), "{} has several environments, but the report of one is needed."),
        (("show", "{}", "--values"), "--values cannot be used with a merge of several environments ({})."),
        (
            ("show", "{}", "--format", "csv"),
            "{} is a merge of several environments, which cannot be shown as csv: use table or json.",
        ),
        (("merge", SHARED, "nowhere"), "cannot read nowhere: No such file or directory."),
    ],
)
def test_what_makes_no_sense(together, arguments, sentence):
    assert said(run(*(text.format(together) for text in arguments)), 2) == sentence.format(together, together)


def test_an_output_is_not_what_is_read(tmp_path):
    path = tmp_path / "one.json"
    with open(SHARED, encoding="utf-8") as file:
        path.write_text(file.read(), encoding="utf-8")
    assert said(run("merge", SHARED, str(path), "-o", str(path)), 2)
    assert path.read_text(encoding="utf-8").startswith("{")
