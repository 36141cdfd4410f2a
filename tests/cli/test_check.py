import copy
import json
import re

import jsonschema
import pytest
import torch

from tensorbridge_cli.catalog import messages
from tensorbridge_cli.catalog.documentation import READ_WITH
from tests.cli.tools import PLAIN_TEXT, run, said
from tests.render.machine.test_sarif import SCHEMA

NEGATIVE = ("from_dlpack", "from_numpy", "--direction", "numpy-to-torch", "--layout", "contiguous,reversed")
DLPACK = f"https://docs.pytorch.org/docs/{READ_WITH['torch']}/dlpack.html"


def check(*arguments, cwd=None, **env):
    """Return the exit code and what was printed."""
    done = run("check", *arguments, cwd=cwd, **env)
    assert bool(done.stderr) is ("-o" in arguments)
    return done.returncode, done.stdout


def refused(*arguments, cwd=None):
    return said(run("check", *arguments, cwd=cwd), 2)


def test_what_was_written_where_is_said(tmp_path):
    done = run("check", *NEGATIVE, "-o", "x.html", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"4 experiments against the documentation: \d passed, \d failed, .*; written to x.html \(html\)\n",
        done.stderr,
    )
    assert (tmp_path / "x.html").exists()


def test_quiet_says_nothing_where_all_is_well(tmp_path):
    met, unmet = ("check", "from_numpy", "--expect", "shared", "-q"), ("check", "tensor", "--expect", "shared", "-q")
    done = run(*met)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = run(*met, "-o", str(tmp_path / "x.json"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "x.json").exists()
    done = run(*unmet)
    assert (done.returncode, done.stderr) == (1, "")
    assert "outcome: expected shared, found copied" in done.stdout


def test_what_you_expect_is_not_a_contract(tmp_path):
    for format_ in ("github", "table", "sarif", "junit", "markdown", "html"):
        text = run("check", "tensor", "--expect", "shared", "--format", format_).stdout
        assert "contradict" not in text, format_
        assert "contradicts the docs" not in text, format_
    assert (
        "tensorbridge: 1 copied, 1 expectation not met"
        in run("check", "tensor", "--expect", "shared", "--format", "github").stdout
    )
    report = json.loads(run("check", "tensor", "--expect", "shared", "--format", "json").stdout)
    assert (report["summary"]["broken"], report["summary"]["unmet"]) == (1, 1)
    assert report["observations"][0]["evidence"]["snapshots"][0]["source"][:2] == ["1.1", "2.1"]
    assert "expectation not met" in run("check", "tensor", "--expect", "shared", "--format", "grid").stdout


def test_what_was_broken_is_known_and_not_kept(tmp_path):
    asked = ("from_dlpack", "--direction", "numpy-to-torch", "--layout", "contiguous,reversed")
    run("check", *asked, "-o", "then.json", cwd=tmp_path)
    done = run("check", *asked, "--baseline", "then.json", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("2 experiments against the documentation since then.json: 1 passed, 1 known, 0 new")
    run("snapshot", *asked, "-o", "then.txt", cwd=tmp_path)
    done = run("check", *asked, "--baseline", "then.txt", cwd=tmp_path)
    assert (done.returncode, "1 passed, 1 known, 0 new" in done.stdout) == (0, True)


# The documentation --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The report of a check with nothing named, as JSON; its exit code."""
    folder = tmp_path_factory.mktemp("whole")
    code, text = check("-o", "report.json", cwd=folder)
    assert text == ""
    return code, json.loads((folder / "report.json").read_text())


def test_the_whole_catalogue_and_no_breach_but_the_known_ones(whole):
    code, report = whole
    assert code == 1
    found = {
        (row["conversion"], row["direction"], row["outcome"])
        for row in report["observations"]
        if row["contract"]["verdict"] == "broken"
    }
    dlpack = [f"torch.from_dlpack{how}" for how in ("", "(copy=False)", "(capsule)", "(versioned capsule)")]
    assert found == {
        ("Tensor.__array__(copy=False)", "torch-to-numpy", "refused"),
        ("torch.asarray", "numpy-to-torch", "copied"),
        ("torch.asarray(copy=False)", "numpy-to-torch", "copied"),
        ("np.from_dlpack", "torch-to-numpy", "shared"),
        ("np.from_dlpack(copy=False)", "torch-to-numpy", "shared"),
        ("Tensor.t", "torch-to-torch", "shared"),  # of a sparse tensor in CSR, which "does not share"
        *((name, "numpy-to-torch", "crashed") for name in dlpack),
        *((name, "torch-to-torch", "shared") for name in dlpack),
    }


@pytest.mark.skipif(not torch.__version__.startswith("2.13."), reason="the messages are those of torch 2.13")
def test_every_refusal_and_warning_of_the_catalogue_is_found_by_its_own_text(whole):
    rows = whole[1]["observations"]
    texts = {row["error"]["message"] for row in rows if row["error"] is not None}
    texts |= {warned["message"] for row in rows for warned in row["warnings"]}
    assert len(texts) > 60
    assert [text for text in texts if text and messages.find(text) is None] == []


def test_every_conversion_is_tried(whole):
    conversions = {row["conversion"] for row in whole[1]["observations"]}
    listed = run("list", "conversions").stdout
    assert len(conversions) > 70
    assert all(name in listed for name in conversions)


def test_each_breach_has_its_page_its_sentence_and_a_command():
    code, text = check(*NEGATIVE)
    assert code == 1
    assert PLAIN_TEXT.fullmatch(text)
    assert text.splitlines() == [
        "torch.from_dlpack numpy→torch: outcome: expected shared, found crashed",
        "  “The returned PyTorch tensor will share the memory with the input tensor (which may have come from another "
        "library).”",
        f"  {DLPACK}",
        "  4×3 float32, reversed, plain, cpu: crashed while converting: SIGABRT: Storage size calculation overflowed "
        "with sizes=[4, 3] and strides=[-3, 1]",
        "  tensorbridge repro torch.from_dlpack --direction numpy-to-torch --layout reversed",
        "",
        text.splitlines()[-1],
    ]
    assert text.splitlines()[-1].startswith(
        "4 experiments against the documentation: 2 passed, 1 failed, 1 undocumented, 1 crash isolated (numpy "
    )


def test_all_is_well():
    code, text = check("from_numpy", "--dtype", "float32")
    assert code == 0
    assert text.startswith("1 experiment against the documentation: 1 passed, 0 failed (numpy ")


def test_what_cannot_fail_is_refused():
    assert refused("torch.stack").startswith("these conversions are not covered by the docs, so nothing could fail")
    assert refused("from_numpy", "--direction", "torch-to-numpy", "--expect", "shared") == (
        "nothing could be run: torch.from_numpy: its direction is numpy-to-torch."
    )


# What a user expects -----------------------------------------------------------------------------


def test_an_expectation_that_is_met_though_the_documentation_is_not():
    assert check("torch.asarray", "--shape", "()", "--direction", "numpy-to-torch", "--expect", "copied")[0] == 0
    both = ("--expect", "copied", "--expect", "documented")
    assert check("torch.asarray", "--shape", "()", "--direction", "numpy-to-torch", *both)[0] == 1


def test_one_that_is_not_met_shows_in_every_format(tmp_path):
    asked = ("tensor", "from_numpy", "--expect", "shared")
    code, text = check(*asked)
    assert code == 1
    assert text.startswith("torch.tensor numpy→torch: outcome: expected shared, found copied\n  --expect\n")
    code, text = check(*asked, "--format", "github")
    assert code == 1
    (error,) = [line for line in text.splitlines() if line.startswith("::error ")]
    assert error.endswith("%0Aoutcome: expected shared, found copied%0A--expect")
    code, text = check(*asked, "--format", "sarif")
    assert code == 1
    jsonschema.Draft7Validator(SCHEMA).validate(json.loads(text))
    assert [result["level"] for result in json.loads(text)["runs"][0]["results"]] == ["error"]
    code, text = check(*asked, "--format", "junit")
    junitparser = pytest.importorskip("junitparser", reason="reads JUnit files")
    (tmp_path / "report.xml").write_text(text, encoding="utf-8")
    read = junitparser.JUnitXml.fromfile(str(tmp_path / "report.xml"))
    kinds = [type(result) for suite in read for case in suite for result in case.result]
    assert (code, kinds.count(junitparser.Failure)) == (1, 1)


@pytest.mark.parametrize("name", ["f4", "torch.float", "np.single", "float32"])
def test_an_expected_dtype_has_all_of_its_names(name):
    assert check("from_numpy", "--expect", f"dtype={name}")[0] == 0


def test_a_dtype_that_another_library_has_is_expected():
    series = ("--setup", "import pandas as pd", "--expr", "pd.Series([1])", "--code", "x.astype('Int64')")
    assert "dtype: expected string, found int64" in check(*series, "--expect", "dtype=string")[1]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--expect", "shard"), "--expect: unknown expectation 'shard': did you mean shared"),
        (("--expect", ","), "--expect is empty: use shared, copied"),
        (("--expect", "shared,copied"), "--expect: shared and copied cannot be combined."),
        (("from_numpy", "--expect", "dtype=floaty"), "--expect: unknown dtype 'floaty': did you mean float64"),
        (("from_numpy", "--expect", "dtype=float"), "--expect: dtype 'float' means float64 in NumPy and float32 in"),
        (("from_numpy", "--to-dtype", "flot", "--expect", "shared"), "unknown dtype 'flot': did you mean float64"),
        (("--expectations", "nowhere.toml"), "cannot read nowhere.toml: No such file or directory."),
        (("qwzx", "--expectations", "x.toml"), "--expectations selects what is run: omit CONVERSION."),
        (("--expectations", "x.toml", "--expect", "shared"), "--expect and --expectations cannot be combined."),
        (("--baseline", "nowhere.json"), "cannot read nowhere.json: No such file or directory."),
        (("--format", "xml"), "unknown --format 'xml'"),
    ],
)
def test_what_makes_no_sense(arguments, why):
    assert refused(*arguments).startswith(why)


# In a file ---------------------------------------------------------------------------------------

FILE = """
[[expect]]
conversion = "from_numpy"
dtype = ["float32", "int64"]
holds = ["shared", "no-hazard=readonly-dropped"]

[[expect]]
conversion = ["from_numpy", "tensor"]
shape = [4, 3]
direction = "numpy-to-torch"
holds = "copied"
"""


def test_a_file(tmp_path):
    (tmp_path / "border.toml").write_text(FILE)
    code, text = check("--expectations", "border.toml", cwd=tmp_path)
    assert code == 1
    assert (
        "torch.from_numpy numpy→torch: outcome: expected copied, found shared\n  border.toml: expectation 2\n" in text
    )
    assert "\n3 experiments against 2 expectations in border.toml: 2 passed, 1 failed (" in text
    code, text = check("--expectations", "border.toml", "--format", "json", cwd=tmp_path)
    rows = json.loads(text)["observations"]
    assert len(rows) == 3
    assert sorted(len(row["contract"]["clauses"]) for row in rows) == [1, 2, 3]


def test_pyproject(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        "[tool.tensorbridge]\nvalues = true\n" + FILE.replace("expect]", "tool.tensorbridge.expect]", 2)
    )
    code, text = check(cwd=tmp_path)
    assert code == 1
    assert "2 expectations in pyproject.toml" in text
    assert "the documentation" in check("from_numpy", "--dtype", "int8", cwd=tmp_path)[1]
    assert run("inspect", "numpy", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[expect", "x.toml is not TOML: "),
        ("", "x.toml has no expectations: add at least one table [[expect]]."),
        ("expect = 1", "x.toml has no expectation"),
        ("[[expects]]\nholds = 'shared'", "x.toml: unknown key 'expects': did you mean expect?"),
        (
            "[[expect]]\nconversion = 'tensor'",
            "x.toml: expectation 1: it has no expectation that can fail: use holds =",
        ),
        ("[[expect]]\nconversion = 'tensor'\nholds = 1", "x.toml: expectation 1: it has no expectation that can fail"),
        ("[[expect]]\nholds = 'shared'", "x.toml: expectation 1: it selects nothing"),
        ("[[expect]]\nconversions = 'x'\nholds = 'shared'", "x.toml: expectation 1: unknown key 'conversions'"),
        ("[[expect]]\nconversion = true\nholds = 'shared'", "x.toml: expectation 1: conversion = True: use a string"),
        ("[[expect]]\nconversion = 'qwzx'\nholds = 'shared'", "x.toml: expectation 1: unknown conversion 'qwzx'"),
        ("[[expect]]\nlayout = 'qwzx'\nholds = 'shared'", "x.toml: expectation 1: unknown layout 'qwzx'"),
        ("[[expect]]\nall = true\nholds = 'shard'", "x.toml: expectation 1: unknown expectation 'shard'"),
        (
            "[[expect]]\nconversion = 'from_numpy'\nholds = 'shared'\n"
            "[[expect]]\nconversion = 'from_numpy'\nstate = 'negative-bit'\nholds = 'shared'",
            "x.toml: expectation 2: nothing could be run: torch.from_numpy: it accepts",
        ),
    ],
)
def test_a_file_that_makes_no_sense(tmp_path, text, why):
    (tmp_path / "x.toml").write_text(text)
    assert refused("--expectations", "x.toml", cwd=tmp_path).startswith(why)


# Against an earlier report -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """The report of a check with a known breach."""
    code, text = check(*NEGATIVE, "--format", "json")
    assert code == 1
    return json.loads(text)


def edited(report, folder, change):
    report = copy.deepcopy(report)
    change(report["observations"])
    (folder / "base.json").write_text(json.dumps(report))
    return check("--baseline", "base.json", cwd=folder)


def broken(rows):
    return next(row for row in rows if row["contract"]["verdict"] == "broken")


def test_a_known_fault_passes(earlier, tmp_path):
    code, text = edited(earlier, tmp_path, lambda rows: None)
    assert code == 0
    assert text.startswith("4 experiments against the documentation since base.json: ")


def test_a_new_fault_fails(earlier, tmp_path):
    code, text = edited(earlier, tmp_path, lambda rows: broken(rows)["contract"].update(verdict="kept"))
    assert code == 1
    assert text.startswith("torch.from_dlpack numpy→torch: outcome: expected shared, found crashed\n  “The returned")


def test_a_fault_that_is_gone_fails(earlier, tmp_path):
    def change(rows):
        kept = next(row for row in rows if row["contract"]["verdict"] == "kept")
        kept["contract"].update(verdict="broken")

    code, text = edited(earlier, tmp_path, change)
    assert code == 1
    assert ": contract: expected broken, found kept\n  base.json\n" in text


def test_another_outcome_fails(earlier, tmp_path):
    code, text = edited(earlier, tmp_path, lambda rows: broken(rows).update(outcome="shared"))
    assert code == 1
    assert "outcome: expected shared, found crashed\n  base.json\n" in text


def test_a_cell_that_is_gone_fails(earlier, tmp_path):
    code, text = edited(earlier, tmp_path, lambda rows: rows[0].update(conversion="torch.gone"))
    assert code == 1
    assert text.startswith("gone: torch.gone numpy→torch, 4×3 float32, ")


def test_a_cell_that_no_sentence_covers_fails_if_it_changed(tmp_path):
    asked = ("torch.stack", "--baseline", "base.json")
    check("torch.stack", "--expect", "copied", "-o", "base.json", cwd=tmp_path)
    then = (tmp_path / "base.json").read_text()
    assert check(*asked, cwd=tmp_path)[0] == 0
    (tmp_path / "base.json").write_text(then.replace('"outcome": "copied"', '"outcome": "shared"'))
    code, text = check(*asked, cwd=tmp_path)
    assert code == 1
    assert "outcome: expected shared, found copied" in text


def test_a_record_is_the_next_baseline(earlier, tmp_path):
    (tmp_path / "base.json").write_text(json.dumps(earlier))
    assert check("--baseline", "base.json", "-o", "next.json", cwd=tmp_path) == (0, "")
    assert check("--baseline", "next.json", "-o", "last.json", cwd=tmp_path) == (0, "")
    assert json.loads((tmp_path / "last.json").read_text())["summary"]["broken"] == 1


def test_what_is_selected_is_tried_against_a_baseline(earlier, tmp_path):
    (tmp_path / "base.json").write_text(json.dumps(earlier))
    code, text = check("from_numpy", "--layout", "reversed,non-contiguous", "--baseline", "base.json", cwd=tmp_path)
    assert code == 0
    assert text.startswith("2 experiments against the documentation since base.json: ")


def test_without_torch(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('no torch')")
    done = run("check", "from_numpy", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (3, "")
