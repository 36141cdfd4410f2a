"""``--code``: a line of one's own as the conversion."""

import os

import pytest

from tensorbridge_cli.catalog import registry
from tests.cli.tools import refused, report, rows, run
from tests.warm import python


@pytest.mark.parametrize(
    ("arguments", "facts"),
    [
        (("--code", "torch.from_numpy(x).float()"), ("shared", "numpy-to-torch")),
        (("--code", "torch.from_numpy(x).float()", "--dtype", "float64"), ("copied", "numpy-to-torch")),
        (("--code", " x.detach().numpy().copy() "), ("copied", "torch-to-numpy")),
        (("--code", "torch.from_numpy(x).numpy()"), ("shared", "numpy-to-numpy")),
        (("--code", "x[::2]", "--direction", "torch-to-torch"), ("shared", "torch-to-torch")),
        (("--code", "(lambda y: torch.as_tensor(y))(x)"), ("shared", "numpy-to-torch")),
        (("--code", "torch.tensor(x)", "--expr", "[1, 2]"), ("copied", "python-to-torch")),
        (("--code", "np.stack(x)", "--state", "list-of-arrays"), ("copied", "python-to-numpy")),
        (("--code", "f(x)", "--setup", "f = torch.as_tensor"), ("shared", "numpy-to-torch")),
    ],
)
def test_a_line_is_tried_under_its_text(arguments, facts):
    (found,) = report(*arguments)["observations"]
    assert found["conversion"] == arguments[1].strip()
    assert (found["outcome"], found["direction"]) == facts


def test_several_lines_stand_beside_entries():
    found = rows("from_numpy", "--code", "torch.tensor(x)[:3]", "--code", "x.copy()", "--layout", "reversed")
    assert {name: row["outcome"] for name, row in found.items()} == {
        "torch.from_numpy": "refused",
        "torch.tensor(x)[:3]": "refused",
        "x.copy()": "copied",
    }
    assert found["torch.tensor(x)[:3]"]["remedy"].startswith("torch.tensor(x.copy())[:3]")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("torch.from_numpy(x", "--code 'torch.from_numpy(x' is not a Python expression: '(' was never closed."),
        ("y = x", "--code 'y = x' is not a Python expression: invalid syntax."),
        ("", "--code '' is not a Python expression: invalid syntax."),
        ("torch.ones(3)", "--code 'torch.ones(3)' does not use x, which stands for the source."),
        ("'x'", "--code \"'x'\" does not use x, which stands for the source."),
        ("x\0", "--code 'x\\x00' is not a Python expression: source code string cannot contain null bytes."),
    ],
)
def test_what_is_not_an_expression_of_x_is_one_sentence(code, sentence):
    if "\0" in code:
        with pytest.raises(registry.RequestError, match="is not a Python expression"):
            registry.own(code)
        return
    assert refused("--code", code) == sentence


def test_check_holds_a_line_to_what_is_expected():
    done = run("check", "--code", "torch.from_numpy(x).float()", "--expect", "shared", "--dtype", "float32,float64")
    assert done.returncode == 1
    assert "tensorbridge repro --code 'torch.from_numpy(x).float()' " in done.stdout
    assert "1 passed, 1 failed" in done.stdout


def test_the_grid_has_a_row_for_it():
    done = run("matrix", "--code", "torch.from_numpy(x).float()", "--dtype", "float32,float64", "--format", "tsv")
    assert [line.split("\t")[0] for line in done.stdout.splitlines()[1:]] == ["torch.from_numpy(x).float()"] * 2


def test_a_script_of_it_runs_from_the_line_and_from_a_report(tmp_path):
    code = ("--code", "torch.from_numpy(x).float()", "--dtype", "float64")
    path = tmp_path / "report.json"
    assert run("inspect", *code, "-o", str(path)).returncode == 0
    direct, saved = run("repro", *code), run("repro", "--from", str(path), "--row", "1")
    assert "y = torch.from_numpy(x).float()" in direct.stdout
    assert direct.stdout == saved.stdout
    assert python("-c", direct.stdout, env=os.environ).returncode == 0
