"""What there is, listed."""

import importlib.util
import json

import pytest

from tensorbridge_cli.catalog import codes, constructors, dtypes, layouts, registry, states
from tensorbridge_cli.cli import listing, terminal
from tensorbridge_cli.records.trace_words import CODES
from tests.cli.tools import run, said, screen

NAMES = {
    "conversions": [entry.name for entry in registry.CONVERSIONS],
    "dtypes": [entry.name for entry in dtypes.DTYPES],
    "layouts": [entry.name for entry in layouts.LAYOUTS],
    "libraries": [str(library) for library in constructors.CONSTRUCTORS],
    "states": ["plain", *(entry.name for entry in states.STATES)],
    "hazards": list(codes.HAZARDS),
    "findings": list(CODES),
}


@pytest.mark.parametrize("kind", NAMES)
def test_each_kind_is_listed_with_a_word_on_each(kind):
    done = run("list", kind)
    assert (done.returncode, done.stderr) == (0, "")
    listed = dict(line.split("\t")[:2] for line in done.stdout.splitlines())
    assert list(listed) == NAMES[kind]
    assert all(summary.strip() for summary in listed.values())


def test_conversions_are_listed_without_a_kind():
    assert run("list").stdout == run("list", "conversions").stdout


def test_a_conversion_whose_library_is_not_installed_is_absent(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "polars" else found(name))
    notes = {name: note for name, _, note in listing._KINDS["conversions"]()}
    assert {name for name, note in notes.items() if note == "absent"} >= {"pl.Series.to_numpy", "pl.from_numpy"}
    assert {notes["np.asarray"], notes["torch.from_numpy"]} == {""}  # other objects have them, too


def test_an_absent_conversion_is_marked_in_each_format(tmp_path):
    rows = [("f", "numpy-to-torch", ""), ("g", "polars-to-torch", "absent")]
    shown = {}
    for name in ("table", "tsv", "json"):
        terminal.listing(rows, ("name", "summary", "note"), name, str(tmp_path / name))
        shown[name] = (tmp_path / name).read_text()
    assert shown["table"].split() == ["f", "numpy-to-torch", "g", "absent", "polars-to-torch"]
    assert shown["tsv"] == "f\tnumpy-to-torch\t\ng\tpolars-to-torch\tabsent\n"
    assert [one["note"] for one in json.loads(shown["json"])] == ["", "absent"]


def test_an_unknown_kind():
    assert said(run("list", "layuots"), 2) == "unknown kind of list 'layuots': did you mean layouts?"


@pytest.mark.parametrize("kind", [*NAMES, "groups"])
@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_it_is_folded_at_a_terminal_and_loses_nothing(kind, columns):
    shown = screen("list", kind, width=columns)
    assert max(map(len, shown.splitlines())) <= columns
    assert sorted("".join(shown.split())) == sorted("".join(run("list", kind).stdout.split()))


def test_a_summary_stands_beside_its_name_where_there_is_room():
    assert screen("list", "layouts", width=80).splitlines()[0].startswith("contiguous  ")


@pytest.mark.parametrize(("kind", "table"), [("hazards", codes.HAZARDS), ("findings", codes.FINDINGS)])
def test_a_code_stands_beside_its_name(kind, table):
    listed = [line.split("\t") for line in run("list", kind).stdout.splitlines()]
    assert {name: code for name, _, code in listed} == table
    assert {one["name"]: one["id"] for one in json.loads(run("list", kind, "--format", "json").stdout)} == table
    shown = screen("list", kind, width=120)
    assert all(f"{name} {code}" in shown for name, code in table.items())


def test_it_is_json_where_asked(tmp_path):
    found = json.loads(run("list", "hazards", "--format", "json").stdout)
    assert [one["name"] for one in found] == NAMES["hazards"]
    assert run("list", "hazards", "--format", "tsv").stdout == run("list", "hazards").stdout
    run("list", "hazards", "-o", "x.tsv", cwd=tmp_path)
    assert (tmp_path / "x.tsv").read_text() == run("list", "hazards").stdout
    assert said(run("list", "--format", "xml"), 2) == "unknown --format 'xml': use table, tsv or json."
