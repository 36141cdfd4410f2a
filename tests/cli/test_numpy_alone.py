"""An environment that has NumPy and not PyTorch: what goes from NumPy to NumPy runs, in each command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.cli.tools import environment, run, said
from tests.environments import NUMPY, bare
from tests.sweep import FULL

LAYOUTS = "all" if FULL else "contiguous,reversed,byte-swapped"


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> str:
    """An environment with NumPy alone."""
    return str(bare(tmp_path_factory.mktemp("alone") / "alone", NUMPY))


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> str:
    """An environment with both."""
    return str(bare(tmp_path_factory.mktemp("both") / "both", warm=True))


@pytest.fixture
def without_torch(tmp_path) -> str:
    """A folder that, first on the path, makes PyTorch look as if it were not installed."""
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')")
    return str(tmp_path)


def note(python: str) -> str:
    return f"PyTorch is not installed in {python}: only conversions from NumPy to NumPy run."


def as_json(alone: str, *arguments: str):
    done = run(*arguments, "--python", alone, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def directions(found) -> set[str]:
    return {row["direction"] for row in found["observations"]}


# What is selected --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("inspect",), ("inspect", "--all"), ("inspect", "--group", "dlpack"), ("matrix",)])
def test_what_needs_no_torch_is_selected_and_a_note_says_so(alone, command):
    found, said_beside = as_json(alone, *command)
    assert directions(found) == {"numpy-to-numpy"}
    assert not [case for case in found["not_applicable"] if "PyTorch" in case["reason"]]
    assert said_beside == f"{note(alone + '/bin/python')}\n"
    assert (found["environment"]["numpy"], found["environment"]["torch"]) == (np.__version__, None)


def test_the_outcomes_are_those_of_an_environment_with_both(alone, both):
    asked = ("inspect", "--all", "--direction", "numpy-to-numpy", "--dtype", "bool,float32,U8", "--layout", LAYOUTS)
    asked += ("--state", "plain,masked,read-only,memory-mapped")
    here, there = (
        [
            {
                name: row[name]
                for name in ("conversion", "subject", "outcome", "writes", "values", "hazards", "contract")
            }
            for row in as_json(python, *asked)[0]["observations"]
        ]
        for python in (alone, both)
    )
    assert len(here) > (500 if FULL else 200)
    assert here == there


def test_what_is_named_and_needs_torch_is_not_applicable(alone):
    found, said_beside = as_json(
        alone, "inspect", "from_numpy", "Tensor.numpy", "np.asarray", "--code", "torch.tensor(x)"
    )
    assert [row["conversion"] for row in found["observations"]] == ["np.asarray"]
    assert {case["conversion"]: case["reason"] for case in found["not_applicable"]} == dict.fromkeys(
        ("torch.from_numpy", "Tensor.numpy", "torch.tensor(x)"), "PyTorch is not installed"
    )
    assert said_beside == ""


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--state", "requires-grad"), "none of them applies to this source."),
        (("--state", "list-of-tensors"), "none of them applies to this source."),
        (("--direction", "numpy-to-torch"), "none of them applies to this source."),
        (("--group", "classic"), "none of them applies to this source."),
        (("--dtype", "bfloat16"), "bfloat16 is a dtype of PyTorch, which is not installed."),
        (("--dtype", "torch.float32"), "float32 is a dtype of PyTorch, which is not installed."),
        (("--device", "meta"), "device 'meta' is not available (available: cpu)."),
    ],
)
def test_what_cannot_be_done_without_it_is_a_sentence(alone, arguments, why):
    assert said(run("inspect", *arguments, "--python", alone), 3).endswith(why)


def test_a_file_of_tensors_is_a_sentence(alone, tmp_path):
    torch.save(torch.ones(3), tmp_path / "x.pt")
    done = run("inspect", "np.copy", "--file", "x.pt", "--python", alone, cwd=tmp_path)
    assert said(done, 3) == "'x.pt' contains tensors, and PyTorch is not installed."


def test_which_code_to_write_is_answered_within_numpy(alone):
    found, _ = as_json(alone, "inspect", "--want", "shared", "--layout", "reversed")
    (answer,) = found["answers"]
    assert answer["direction"] == "numpy-to-numpy"
    assert answer["write"]


# The commands ------------------------------------------------------------------------------------


def test_check_snapshot_and_repro(alone, tmp_path):
    checked = run("check", "--all", "--python", alone)
    assert (checked.returncode, checked.stderr) == (0, f"{note(alone + '/bin/python')}\n")
    assert " 0 failed, " in checked.stdout
    assert (
        run("snapshot", "np.copy", "np.asarray", "-o", "numpy.snapshot", "--python", alone, cwd=tmp_path).returncode
        == 0
    )
    assert "# torch -\n" in (tmp_path / "numpy.snapshot").read_text()
    assert run("diff", "numpy.snapshot", "numpy.snapshot", cwd=tmp_path).returncode == 0
    script = run("repro", "np.transpose", "--python", alone)
    assert f"# Observed with numpy {np.__version__}, no torch, " in script.stdout
    assert subprocess.run([f"{alone}/bin/python", "-c", script.stdout]).returncode == 0
    assert said(run("repro", "from_numpy", "--python", alone), 3) == (
        "torch.from_numpy is not applicable: PyTorch is not installed."
    )


def test_the_tour_and_a_page_that_need_it_are_a_sentence(alone):
    where = f"PyTorch is not installed in {alone}/bin/python"
    assert said(run("demo", "--python", alone), 3) == f"{where}: each section of the tour needs it."
    assert said(run("explain", "from_numpy", "--live", "--python", alone), 3) == (
        f"{where}: this page's experiments need it."
    )
    done = run("explain", "np.asarray", "--live", "--python", alone)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"(numpy {np.__version__}, no torch)" in done.stdout


def test_env_says_what_is_there(alone, both):
    done = run("env", "--python", alone)
    assert done.returncode == 0
    found = {name: value.strip() for name, value in (line.split("  ", 1) for line in done.stdout.splitlines())}
    assert (found["torch"], found["devices"]) == ("not installed", "cpu")
    assert "compatible" not in found
    assert done.stderr == f"{note(alone + '/bin/python')} To install it: {alone}/bin/python -m pip install torch\n"
    several = run("env", "--python", alone, "--python", both, "--format", "json")
    assert several.returncode == 0
    assert [(row["torch"], row["compatible"]) for row in json.loads(several.stdout)] == [
        (None, "NumPy alone"),
        (torch.__version__, "yes"),
    ]


def test_beside_an_environment_with_both(alone, both):
    pythons = ("--python", alone, "--python", both)
    table = run("inspect", *pythons)
    assert (table.returncode, table.stderr) == (0, "")
    assert table.stdout.startswith(f"A  {alone}  no torch, numpy")
    rows = {line.split("  ")[0]: line.split()[-2:] for line in table.stdout.splitlines()}
    assert rows["torch.from_numpy"] == ["–", "shared"]
    difference = run("diff", *pythons, "np.asarray", "Tensor.numpy", "--dtype", "float32,bfloat16")
    assert difference.returncode == 0
    assert f"\ntorch none → {torch.__version__}\n" in difference.stdout
    assert "(PyTorch is not installed): " in difference.stdout
    assert "\n0 changed, 0 gone, " in difference.stdout


# The tool's own Python ---------------------------------------------------------------------------


def test_the_tools_own_python_without_it(without_torch):
    done = run("inspect", "--format", "json", PYTHONPATH=without_torch)
    assert (done.returncode, done.stderr) == (0, f"{note(sys.executable)}\n")
    assert directions(json.loads(done.stdout)) == {"numpy-to-numpy"}
    spawned = run("inspect", "np.copy", "--isolation", "spawn", "--format", "tsv", PYTHONPATH=without_torch)
    assert (spawned.returncode, spawned.stdout.count("\tcopied\t")) == (0, 1)
    own_code = run("inspect", "--code", "x.T", "--isolation", "none", PYTHONPATH=without_torch)
    assert (own_code.returncode, own_code.stderr) == (0, "")


API = """
import array, sys
import numpy as np, tensorbridge_cli as tb
x = np.arange(6.0)
print(tb.shares_memory(x, x[::2]), tb.shares_memory(x, x.copy()), tb.shares_memory([x], memoryview(x)))
print([row.outcome.value for row in tb.inspect(x, "np.asarray", "np.copy")])
print([row.outcome.value for row in tb.inspect(x, "np.asarray", "np.copy", replica=False)])
print(tb.inspect(np.ma.masked_greater(x, 3), "np.asarray")["np.asarray"].outcome.value)
print(tb.inspect("np.copy", python=sys.argv[1])["np.copy"].outcome.value)
print({row.direction.value for row in tb.inspect()})
with tb.trace() as found:
    np.copy(np.asarray(x))
print([site.conversion for site in found.sites])
print("torch" in sys.modules)
"""


def test_the_python_api(alone, without_torch):
    done = subprocess.run(
        [sys.executable, "-c", API, alone],
        env=environment(PYTHONPATH=without_torch),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "True False True",
        "['shared', 'copied']",
        "['shared', 'copied']",
        "shared",
        "copied",
        "{'numpy-to-numpy'}",
        "['np.copy', 'np.asarray']",
        "False",
    ]


# What is no such environment ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            "ImportError('libtorch_cpu.so: cannot open shared object file')",
            "cannot import numpy and torch: libtorch_cpu.so",
        ),
        ("OSError('libcudart.so.12: no such file')", "cannot import numpy and torch: libcudart.so.12"),
        (
            "ModuleNotFoundError(\"No module named 'sympy'\", name='sympy')",
            "cannot import sympy: No module named 'sympy'",
        ),
    ],
)
def test_a_torch_that_is_installed_and_broken_is_a_sentence(tmp_path: Path, error, sentence):
    (tmp_path / "torch.py").write_text(f"raise {error}")
    assert said(run("inspect", "np.copy", PYTHONPATH=str(tmp_path)), 3).startswith(sentence)


def test_a_file_that_has_its_name_is_a_sentence(tmp_path: Path):
    (tmp_path / "torch.py").write_text("")
    assert said(run("inspect", PYTHONPATH=str(tmp_path)), 3) == (
        f"import torch imported {tmp_path}/torch.py, which is not torch."
    )


TWICE = """
import tensorbridge_cli as tb
for _ in range(2):
    try:
        tb.trace().__enter__()
    except ImportError as error:
        print(error)
"""


def test_a_trace_that_such_a_torch_ends_is_not_active_afterwards(tmp_path: Path):
    (tmp_path / "torch.py").write_text("raise ImportError('libtorch_cpu.so')")
    done = subprocess.run(
        [sys.executable, "-c", TWICE], env=environment(PYTHONPATH=str(tmp_path)), capture_output=True, timeout=120
    )
    assert (done.returncode, done.stdout.split()) == (0, [b"libtorch_cpu.so"] * 2)
