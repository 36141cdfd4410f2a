"""Several environments side by side: ``--python`` given twice, in each command that compares them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from tests.cli.tools import run, said, screen
from tests.environments import bare

# an older version in short: one dtype less, a function without an argument, one that copies, one that fails
OLDER = """
import functools
import numpy, torch

del torch.bits16
from_numpy, from_dlpack = torch.from_numpy, numpy.from_dlpack

@functools.wraps(from_numpy)
def copying(x):
    return from_numpy(x.copy() if x.shape == (4, 3) else x)

def without_copy(x, /):
    return from_dlpack(x)

torch.from_numpy, numpy.from_dlpack = copying, without_copy
"""


@pytest.fixture(scope="module")
def pythons(tmp_path_factory) -> tuple[str, ...]:
    """The options for an older environment and a newer one."""
    folder = tmp_path_factory.mktemp("environments")
    older, newer = bare(folder / "older", warm=True), bare(folder / "newer", warm=True)
    (next(older.glob("lib/python*/site-packages")) / "sitecustomize.py").write_text(OLDER)
    return ("--python", str(older), "--python", str(newer))


@pytest.fixture(scope="module")
def broken(tmp_path_factory) -> str:
    """An environment whose interpreter does not start."""
    program = tmp_path_factory.mktemp("broken") / "bin" / "python"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'no such library' >&2\nexit 7\n")
    program.chmod(0o755)
    return str(program.parent.parent)


def called(*arguments, code=0):
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (code, ""), done.stdout
    return done.stdout


def as_json(*arguments, code=0):
    found = json.loads(called(*arguments, "--format", "json", code=code))
    assert found["schema"] == "tensorbridge.environments/1"
    jsonschema.validate(found, json.loads(run("schema", "environments").stdout))
    return found


# env ---------------------------------------------------------------------------------------------


def test_env_is_a_table(pythons, broken):
    done = run("env", *pythons, "--python", broken)
    assert done.returncode == 3
    assert done.stderr == "Error: C cannot be used: run env with one --python for a fix.\n"
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["environment", "Python", "torch", "numpy", "devices", "compatible"]
    assert [line.split()[0] for line in lines] == ["A", "B", "C"]
    assert lines[0].endswith("cpu      yes")
    assert lines[2].endswith("no: ended at its start: exit code 7. no such library.")


def test_env_says_that_a_python_is_too_old(tmp_path):
    (path := tmp_path / "python").write_text("#!/bin/sh\necho is Python 3.8: 3.9 or newer is needed >&2; exit 93\n")
    path.chmod(0o755)
    table = run("env", "--python", str(path), "--python", str(path)).stdout
    assert table.count("no: Python 3.8: 3.9 or newer is needed.") == 2


def test_env_has_tsv_and_json(pythons, broken):
    asked = (*pythons[:2], "--python", broken)
    names, *lines = [line.split("\t") for line in run("env", *asked, "--format", "tsv").stdout.splitlines()]
    found = json.loads(run("env", *asked, "--format", "json").stdout)
    assert [row["letter"] for row in found] == ["A", "B"]
    assert found[0]["environment"] == pythons[1]
    assert found[0]["executable"] == f"{pythons[1]}/bin/python"
    assert [row[name] or "" for row in found for name in names] == [text for line in lines for text in line]


# inspect -----------------------------------------------------------------------------------------


def test_inspect_has_a_column_an_environment(pythons):
    text = called("inspect", *pythons, "from_numpy", "tensor", "np.from_dlpack(copy=True)")
    assert f"\nB  {pythons[3]}" in text
    rows = {line.split("  ")[0]: line.split()[-2:] for line in text.splitlines()}
    assert rows["torch.from_numpy"] == ["copied", "shared"]
    assert rows["torch.tensor"] == ["copied", "copied"]
    assert rows["np.from_dlpack(copy=True)"] == ["–", "copied"]
    assert "\nA  np.from_dlpack(copy=True): not applicable: np.from_dlpack has no argument copy= in numpy" in text
    assert "\n1 of 3 look the same in all environments\n" in text


def test_a_dtype_that_one_lacks_is_not_applicable_there(pythons):
    found = as_json("inspect", *pythons, "Tensor.detach", "--dtype", "bits16,int8")
    cells = {cell["cell"]["subject"]["dtype"]: cell for cell in found["cells"]}
    assert cells["int8"]["same"]
    assert not cells["bits16"]["same"]
    absent, there = cells["bits16"]["found"].values()
    assert absent["outcome"] == "not-applicable"
    assert re.fullmatch(r"torch [\w.+]+ has no bits16", absent["reason"])
    assert there["outcome"] == "shared"


def test_a_dtype_that_none_has_is_a_mistake(pythons):
    assert said(run("inspect", *pythons, "--dtype", "uint12"), 2).startswith("unknown dtype 'uint12'")


def test_what_shows_one_environment_is_refused(pythons):
    assert said(run("inspect", *pythons, "--values"), 2) == "--values shows one environment: use --python once."
    assert said(run("inspect", *pythons, "--format", "csv"), 2).startswith("unknown --format 'csv'")
    assert said(run("snapshot", *pythons), 2) == "--python is given 2 times but accepts one value."


def test_a_broken_one_is_a_sentence(pythons, broken):
    sentence = said(run("inspect", *pythons, "--python", broken), 3)
    assert sentence == f"--python {broken!r} ended at its start: exit code 7. no such library."


# matrix ------------------------------------------------------------------------------------------


def test_matrix_hides_what_is_the_same(pythons):
    selected = ("from_numpy", "torch.tensor", "np.from_dlpack(copy=True)", "--shape", "4,3", "--shape", "5")
    text = called("matrix", *pythons, *selected, "--layout", "contiguous")
    rows = {line.split("  ")[0]: line.split()[1:] for line in text.splitlines()}
    assert rows["torch.from_numpy"] == ["c", "S", "4×3"]
    assert rows["np.from_dlpack(copy=True)"] == ["·", "C", "every", "shape"]
    assert "torch.tensor" not in rows
    assert "· A: np.from_dlpack has no argument copy= in numpy" in text
    assert text.endswith("\n3 of 6 cells look the same in all environments (--all shows them)\n")
    text = called("matrix", *pythons, *selected, "--layout", "contiguous", "--all")
    assert [line.split()[1:] for line in text.splitlines() if line.startswith("torch.tensor")] == [
        ["C", "C", "every", "shape"]
    ]
    assert text.endswith("\n3 of 6 cells look the same in all environments\n")


def test_matrix_fits_a_terminal(pythons):
    selected = ("--group", "dlpack", "torch.tensor", "--layout", "all", "--all")
    text = screen("matrix", *pythons, *selected, "--color", "never")
    assert "10 layouts" in text
    assert max(map(len, text.splitlines())) <= 80
    assert any(line.startswith("torch.tensor") for line in text.splitlines())
    assert text.rstrip().endswith("cells look the same in all environments")


# diff --------------------------------------------------------------------------------------------


def test_diff_makes_both_snapshots(pythons):
    text = called("diff", *pythons, "from_numpy", "torch.tensor", "--dtype", "float32,int8", code=1)
    assert "memory copied → shared; contract broken → kept: 2 cells\n" in text
    assert text.endswith("\n2 changed in 1 way, 0 gone, 0 new, 2 the same\n")
    assert called("diff", *pythons[:2], *pythons[:2], "torch.tensor", "--dtype", "int8").endswith("1 the same\n")


def test_diff_says_why_a_cell_is_new(pythons):
    text = called("diff", *pythons, "np.from_dlpack(copy=True)", "--dtype", "int8")
    assert "(np.from_dlpack has no argument copy= in numpy" in text
    assert text.endswith("0 changed, 0 gone, 1 new, 0 the same\n")


def test_diff_takes_two_files_or_two_environments(pythons):
    assert said(run("diff", *pythons[:2]), 2) == "--python is given once: two environments are compared."
    assert said(run("diff", "a", "b", "--dtype", "int8"), 2) == (
        "--dtype selects experiments in two environments: use --python twice."
    )


# check -------------------------------------------------------------------------------------------


def test_check_counts_by_environment(pythons):
    text = called("check", *pythons, "from_numpy", "--dtype", "float32,int8", code=1)
    line = next(line for line in text.splitlines() if line.startswith("torch.from_numpy"))
    assert line.startswith("torch.from_numpy numpy→torch: outcome: expected shared, found copied")
    assert line.split()[-2:] == ["2", "·"]
    assert text.endswith("\nFailed in A\n")
    found = as_json("check", *pythons, "from_numpy", "--dtype", "float32,int8", code=1)
    assert found["breaches"][0]["cells"] == {"A": 2, "B": 0}
    assert [one["counts"]["broken"] for one in found["environments"]] == [2, 0]


def test_no_worse_fails_only_for_what_the_first_keeps(pythons):
    selected = ("from_numpy", "--no-worse")
    assert called("check", *pythons, *selected, "--dtype", "int8").endswith("\nNone fails where A passes\n")
    backwards = ("--python", pythons[3], "--python", pythons[1])
    text = called("check", *backwards, *selected, "--dtype", "int8", code=1)
    assert text.endswith("\nB fails where A passes\n")
    assert called("check", *pythons, *selected, "--dtype", "int8", "-q") == ""
    assert said(run("check", "--no-worse"), 2) == "--no-worse compares environments: use --python twice or more."


def test_an_expectation_is_counted_too(pythons):
    text = called("check", *pythons, "torch.tensor", "--expect", "shared", code=1)
    assert text.endswith("\nFailed in A, B\n")


# How it is written -------------------------------------------------------------------------------


def test_a_command_of_several_words_is_one_interpreter_in_a_variable(pythons, broken, tmp_path: Path):
    command = f"env A=1 {pythons[3]}/bin/python"
    done = run("env", "--format", "tsv", TENSORBRIDGE_PYTHON=command)
    assert f"({pythons[3]}/bin/python)" in done.stdout
    command = f"env A=1 {broken}/bin/python"
    done = run("env", "--format", "tsv", TENSORBRIDGE_PYTHON=f"{broken}\n{command}")
    assert [line.split("\t")[1] for line in done.stdout.splitlines()[1:]] == [broken, command]
    (tmp_path / "pyproject.toml").write_text(f"[tool.tensorbridge]\npython = {json.dumps([broken, broken])}\n")
    assert len(run("env", "--format", "tsv", cwd=tmp_path).stdout.splitlines()) == 3
