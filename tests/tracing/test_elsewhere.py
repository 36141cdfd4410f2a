"""A program is traced by another interpreter, in an environment where nothing of the tool is installed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.tools import Done, environment, run, said
from tests.environments import NUMPY, bare, python_of
from tests.tracing.tools import calls, record, script

PROGRAM = """
import importlib.util, sys
import numpy as np
source = np.arange(6.0)
for _ in range(3):
    np.array(source)
print(sys.prefix, importlib.util.find_spec("typer") is None)
"""


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with NumPy alone."""
    return bare(tmp_path_factory.mktemp("other"), NUMPY)


def traced(folder: Path, python: Any, **env: str) -> Done:
    options = ("--python", str(python)) if python else ()
    return run("trace", *options, "-o", "trace.json", script(folder, PROGRAM), cwd=folder, **env)


def files(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*") if "__pycache__" not in path.parts}


@pytest.mark.parametrize("place", [str, python_of], ids=["folder", "interpreter"])
def test_the_program_runs_there(tmp_path: Path, other: Path, place: Any) -> None:
    before = files(other)
    done = traced(tmp_path, place(other))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{other} True\n", "")
    found = record(tmp_path)
    assert calls(found)[6, "np.array"] == 3
    assert found["environment"]["torch"] is None
    assert files(other) == before


def test_a_default_of_the_environment(tmp_path: Path, other: Path) -> None:
    assert traced(tmp_path, None, TENSORBRIDGE_PYTHON=str(other)).stdout == f"{other} True\n"


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ("echo welcome; echo Python 3 8 0", "is Python 3.8: 3.9 or newer is needed."),
        ("echo no such library >&2; exit 7", "did not start: no such library."),
        ("exit 7", "did not start: exit code 7."),
    ],
)
def test_an_interpreter_that_cannot(tmp_path: Path, says: str, sentence: str) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{says}\n")
    python.chmod(0o755)
    assert said(traced(tmp_path, python), 3) == f"--python {str(python)!r} {sentence}"
    assert not (tmp_path / "trace.json").exists()


@pytest.mark.parametrize("option", ["-E", "-I", "-S"])
def test_an_interpreter_that_ignores_its_environment(tmp_path: Path, other: Path, option: str) -> None:
    python = f"{python_of(other)} {option}"
    sentence = "runs with -E, -I or -S, which prevent tracing: omit them."
    assert said(traced(tmp_path, python), 3) == f"--python {python!r} {sentence}"


def test_none_is_there(tmp_path: Path) -> None:
    assert said(traced(tmp_path, "nowhere"), 3) == "--python 'nowhere': there is no such interpreter."


def test_what_says_where_the_tool_s_own_python_is_stays_here(tmp_path: Path, other: Path) -> None:
    assert "PYTHONHOME" not in environment()
    text = "import os; print(os.environ.get('__PYVENV_LAUNCHER__'))"
    done = run("trace", "--python", str(other), script(tmp_path, text), cwd=tmp_path, __PYVENV_LAUNCHER__=os.devnull)
    assert done.stdout == "None\n"
