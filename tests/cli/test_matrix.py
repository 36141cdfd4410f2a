import json

import numpy as np
import pytest
import torch

from tests.cli.tools import report, run, said, screen, shell

FEW = ("from_numpy", "as_tensor", "--direction", "numpy-to-torch")


def made(*arguments, cwd=None):
    done = run("matrix", *arguments, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def records(text):
    """Return the lines of JSON by what they are."""
    found = {}
    for line in text.splitlines():
        for key, value in json.loads(line).items():
            found.setdefault(key, []).append(value)
    return found


def test_the_table_at_80_columns():
    assert (
        screen("matrix", *FEW, "--layout", "contiguous,non-contiguous,reversed", "--color", "never")
        == f"""\
All cells: shape 4×3, dtype float32, state plain

layout            contiguous  non-contiguous  reversed
numpy→torch
torch.from_numpy  S           S               R
torch.as_tensor   S           S               R

S shared, R refused, · not applicable

6 experiments: 4 shared, 2 refused (numpy {np.__version__}, torch {torch.__version__})
"""
    )


def test_the_lines_are_those_of_inspect():
    rows = records(made(*FEW, "--layout", "contiguous,reversed", "--format", "jsonl"))["observation"]
    same = report(*FEW, "--layout", "contiguous,reversed")["observations"]
    facts = ("conversion", "subject", "outcome", "writes", "values", "contract", "hazards")
    assert [[row[fact] for fact in facts] for row in rows] == [[row[fact] for fact in facts] for row in same]


def test_two_runs_find_the_same():
    first, second = (made("--group", "dlpack", "--dtype", "float32,object", "--layout", "all") for _ in range(2))
    assert first == second
    assert "contradicts the docs" in first


def test_full_is_every_dtype_in_every_layout_and_in_every_state_once():
    full = records(made("from_numpy", "--full", "--format", "jsonl"))
    subjects = [json.dumps(row["subject"]) for row in full["observation"] + full["not_applicable"]]
    assert len(set(subjects)) == len(subjects)
    cells = {(s["dtype"], s["layout"], s["state"]) for s in map(json.loads, subjects)}
    dtypes, layouts, states = (set(values) for values in zip(*cells, strict=True))
    assert {"float32", "bool", "object"} <= dtypes
    for dtype in ("float32", "object"):
        assert {(dtype, layout, "plain") for layout in layouts} <= cells
        assert {(dtype, "contiguous", state) for state in states} <= cells
    assert ("float32", "non-contiguous", "read-only") not in cells


def test_the_summary_adds_up():
    dlpack = ("from_dlpack", "--direction", "numpy-to-torch")
    found = records(made(*dlpack, "--dtype", "float32,object", "--layout", "all", "--format", "jsonl"))
    (summary,) = found["summary"]
    assert summary["not_applicable"] == len(found["not_applicable"]) > 0
    assert summary["broken"] > 0
    assert sum(summary.values()) - summary["not_applicable"] - summary["broken"] == len(found["observation"])


def test_into_a_file_by_its_ending(tmp_path):
    assert made(*FEW, "--layout", "non-contiguous", "-o", "grid.txt", cwd=tmp_path) == ""
    assert made(*FEW, "--layout", "non-contiguous", "-o", "rows.jsonl", cwd=tmp_path) == ""
    assert "S shared" in (tmp_path / "grid.txt").read_text(encoding="utf-8")
    done = run("show", "rows.jsonl", "--format", "grid", cwd=tmp_path)
    assert done.stdout == (tmp_path / "grid.txt").read_text(encoding="utf-8")


def test_a_reader_that_leaves_early_is_no_error():
    done = shell("$T matrix from_numpy --dtype all --format jsonl | head -1 | wc -l")
    assert (done.stdout.strip(), done.stderr) == ("1", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--full", "--product"), "--full and --product cannot be combined."),
        (("--full", "--dtype", "int8"), "--full and --dtype cannot be combined."),
        (("--group", "dlpak"), "unknown group 'dlpak': did you mean dlpack?"),
        (("--format", "grd"), "unknown --format 'grd': did you mean grid?"),
        (("--layout", "non-contiguous", "-o", "no/such.jsonl"), "cannot write to no/such.jsonl: there is no folder"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(tmp_path, arguments, sentence):
    assert said(run("matrix", *arguments, cwd=tmp_path), 2).startswith(sentence)
    assert list(tmp_path.iterdir()) == []
