"""What ``env`` says of what it finds: of one environment, and of several in a table. No process is started."""

import json
import sys
from dataclasses import replace

import pytest

from tensorbridge_cli.cli import app, env
from tensorbridge_cli.errors import UnavailableError
from tensorbridge_cli.lab.interpreter import Interpreter, advice
from tensorbridge_cli.lab.protocol import Hello

HELLO = Hello(
    python="3.12.1",
    executable="/env/bin/python",
    numpy="2.1.0",
    torch="2.5.0",
    platform="Linux",
    devices=("cpu", "meta"),
    dtypes=(),
    works_together=None,
    default_int="int64",
    default_float="float32",
)
HELLOS = {
    "both": HELLO,
    "alone": replace(HELLO, torch=None, default_float=None, devices=("cpu",)),
    "apart": replace(HELLO, works_together="RuntimeError: Numpy is not available"),
    "older": replace(HELLO, works_together="RuntimeError: Numpy is not available", numpy="1.26.4"),
}


@pytest.fixture
def env_of(monkeypatch, capsys):
    """Return a function that runs ``env`` of environments that have what their names say."""

    def hello(python):
        if python.name not in HELLOS:
            sentence = f"--python {python.name!r}: cannot import numpy: No module named 'numpy'."
            raise UnavailableError(f"{sentence} {advice(python)}")
        return HELLOS[python.name]

    def run(*names, **options):
        arguments = [text for name in names for text in ("--python", name)]
        arguments += [text for name, value in options.items() for text in (f"--{name}", value)]
        code = app(["env", *arguments], standalone_mode=False)
        return code, *capsys.readouterr()

    places = {name: Interpreter((name,), name) for name in (*HELLOS, "none")}
    monkeypatch.setattr(env, "_hello", hello)
    monkeypatch.setattr(env.asked, "interpreter", places.get)
    monkeypatch.setattr(
        env, "lettered", lambda names: [(letter, places[name]) for letter, name in zip("ABCD", names, strict=False)]
    )
    return run


def facts(text):
    return {name: value.strip() for name, value in (line.split("  ", 1) for line in text.splitlines())}


def test_one_that_has_both(env_of):
    code, out, err = env_of("both")
    assert (code or 0, err) == (0, "")
    found = facts(out)
    assert found["python"] == "3.12.1 (/env/bin/python)"
    assert (found["torch"], found["numpy"], found["compatible"]) == ("2.5.0", "2.1.0", "yes")
    assert found["default float"] == "float64 in NumPy, float32 in PyTorch"


def test_one_without_torch_says_how_to_get_it(env_of):
    code, out, err = env_of("alone")
    assert (code or 0, facts(out)["torch"]) == (0, "not installed")
    assert "compatible" not in facts(out)
    assert err.endswith(" To install it: alone -m pip install torch\n")


@pytest.mark.parametrize(
    ("name", "advice"),
    [("apart", "numpy: /env/bin/python -m pip install 'numpy<2'"), ("older", "Install a compatible NumPy.")],
)
def test_two_that_do_not_fit(env_of, name, advice):
    code, out, err = env_of(name)
    assert (code, facts(out)["compatible"]) == (3, "RuntimeError: Numpy is not available")
    assert err.endswith(f"{advice}\n".replace("numpy: ", "NumPy: "))


def test_one_without_numpy_says_how_to_get_it_and_what_is_known(env_of):
    code, out, err = env_of("none")
    assert code == 3
    assert facts(out)["byte order"] == sys.byteorder
    assert err.endswith(" cannot import numpy: No module named 'numpy'. Install it: none -m pip install numpy\n")


def test_several_are_a_table(env_of):
    code, out, err = env_of("both", "alone", "apart", "none")
    assert (code, err) == (3, "Error: C, D cannot be used: run env with one --python for a fix.\n")
    head, *lines = [line.split() for line in out.splitlines()]
    assert head == ["environment", "Python", "torch", "numpy", "devices", "compatible"]
    assert lines[0] == ["A", "both", "3.12.1", "2.5.0", "2.1.0", "cpu", "yes"]
    assert lines[1] == ["B", "alone", "3.12.1", "2.1.0", "cpu", "NumPy", "alone"]
    assert lines[2][6:] == ["no:", "RuntimeError:", "Numpy", "is", "not", "available"]
    assert lines[3] == ["D", "none", "no:", "cannot", "import", "numpy:", "No", "module", "named", "'numpy'."]


def test_several_are_tab_separated_or_json(env_of):
    code, out, _ = env_of("both", "alone", format="json")
    rows = json.loads(out)
    assert (code or 0, [row["torch"] for row in rows]) == (0, ["2.5.0", None])
    assert rows[0]["executable"] == "/env/bin/python"
    _, out, _ = env_of("both", "alone", format="tsv")
    names, *lines = [line.split("\t") for line in out.splitlines()]
    assert [dict(zip(names, line, strict=True)) for line in lines] == [
        {name: row[name] or "" for name in names} for row in rows
    ]


def test_several_have_no_other_format(env_of):
    code, out, err = env_of("both", "alone", format="markdown")
    assert (code, out) == (2, "")
    assert err.startswith("Error: unknown --format 'markdown'")
