"""The command line wins over the environment, which wins over the nearest pyproject.toml; --no-config ignores both."""

import pytest
import typer

from tensorbridge_cli.cli import app
from tensorbridge_cli.cli.options import DEFAULTS
from tests.cli.tools import refused, rows, run, said

GROUP = typer.main.get_command(app)
INSPECT = GROUP.commands["inspect"]
OPTIONS = {param.name.replace("_", "-"): param for param in INSPECT.params if param.name != "no_config"}

EXAMPLES = {  # a value of each option, on the command line and in the file
    "conversion": ("tensor", "'tensor'"),
    "code": ("torch.tensor(x)", "['torch.tensor(x)']"),
    "shape": ("5,2", "[5, 2]"),
    "dtype": ("int8,bool", "'int8,bool'"),
    "layout": ("strided", "['strided']"),
    "state": ("read-only", "'read-only'"),
    "library": ("pandas", "'pandas'"),
    "device": ("meta", "'meta'"),
    "file": ("data.npy", "'data.npy'"),
    "expr": ("1 + 1", "'1 + 1'"),
    "object": ("a:b", "'a:b'"),
    "setup": ("import os", "'import os'"),
    "plugin": ("mine", "['mine']"),
    "to-dtype": ("float64", "'float64'"),
    "direction": ("torch-to-torch", "'torch-to-torch'"),
    "group": ("dlpack", "['dlpack']"),
    "all": ("true", "true"),
    "want": ("shared", "'shared'"),
    "python": ("python3", "'python3'"),
    "isolation": ("spawn", "'spawn'"),
    "timeout": ("2.5", "2.5"),
    "force": ("1", "true"),
    "format": ("tsv", "'tsv'"),
    "output": ("x.json", "'x.json'"),
    "values": ("yes", "true"),
    "picture": ("1", "true"),
    "color": ("never", "'never'"),
    "debug": ("on", "true"),
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder without a pyproject.toml, and no variable of the tool's."""
    monkeypatch.chdir(tmp_path)
    for param in OPTIONS.values():
        monkeypatch.delenv(param.envvar, raising=False)
    return tmp_path


def parsed(*arguments):
    """Return what ``inspect`` understands, without running it."""
    return INSPECT.make_context("inspect", list(arguments), parent=typer.Context(GROUP)).params


def write(folder, table):
    (folder / "pyproject.toml").write_text(table, encoding="utf-8")


# Every option ----------------------------------------------------------------------------------


def test_no_option_is_forgotten():
    assert list(EXAMPLES) == list(OPTIONS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_option_is_set_in_three_places(folder, monkeypatch, name):
    param, (text, value) = OPTIONS[name], EXAMPLES[name]
    flag = getattr(param, "is_flag", False)
    typed = [text] if name == "conversion" else [f"--{name}"] if flag else [f"--{name}", text]
    wanted = parsed(*typed)[param.name]
    assert wanted != parsed()[param.name]
    for place in ("tool.tensorbridge", "tool.tensorbridge.inspect"):
        write(folder, f"[{place}]\n{name} = {value}")
        assert parsed()[param.name] == wanted
    write(folder, "")
    assert param.envvar == "TENSORBRIDGE_" + param.name.upper()
    monkeypatch.setenv(param.envvar, text)
    # several values are parted by spaces in a variable
    assert parsed()[param.name] == (text.split() if isinstance(wanted, list) else wanted)


def test_the_options_of_one_command_are_set_by_a_variable_too(tmp_path):
    (tmp_path / "program.py").write_text("import numpy as np, torch\ntorch.tensor(np.ones(3))\n")
    done = run("trace", "program.py", cwd=tmp_path, TENSORBRIDGE_FAIL_ON="calls=0 finding=any")
    assert done.returncode == 1
    assert "\nError: --fail-on calls: 1, more than 0. --fail-on finding any: at 1 place, first " in done.stderr


@pytest.mark.parametrize("command", [name for name in GROUP.commands if GROUP.commands[name].epilog])
def test_a_command_that_says_so_has_a_variable_for_each_option(command):
    if DEFAULTS not in GROUP.commands[command].epilog:
        pytest.skip("it does not say so")
    options = [one for one in GROUP.commands[command].params if one.param_type_name == "option" and not one.hidden]
    without = {one.name for one in options if not one.envvar}
    assert without == {"no_config"}


def test_who_wins(folder, monkeypatch):
    write(
        folder,
        "[tool.tensorbridge]\ndtype = 'int8'\nto-dtype = 'int8'\n[tool.tensorbridge.inspect]\nto_dtype = 'int16'",
    )
    assert parsed()["dtype"] == ["int8"]
    assert parsed()["to_dtype"] == "int16"
    monkeypatch.setenv("TENSORBRIDGE_DTYPE", "int32 bool")
    assert parsed()["dtype"] == ["int32", "bool"]
    assert parsed("--dtype", "int64")["dtype"] == ["int64"]


def test_the_real_command(folder):
    write(folder, "[tool.tensorbridge]\ndtype = 'int8'\nconversion = 'tensor'\nshape = [[5, 2], '2x2']")
    (folder / "below").mkdir()
    done = run(
        "inspect", "-s", "3", "--format", "tsv", cwd=folder / "below", TENSORBRIDGE_DTYPE="int16", TENSORBRIDGE_ALL="0"
    )
    assert [line.split("\t")[:5] for line in done.stdout.splitlines()[1:]] == [
        ["torch.tensor", "numpy-to-torch", "numpy", "3", "int16"]
    ]
    assert list(rows("--no-config", "numpy", cwd=folder, TENSORBRIDGE_DTYPE="qwzx")) == ["Tensor.numpy"]


# The file --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "shapes"),
    [
        ("shape = '4,3'", ["4,3"]),
        ("shape = ['4,3', '2x2']", ["4,3", "2x2"]),
        ("shape = [4, 3]", ["4,3"]),
        ("shape = [[4, 3], [2, 2]]", ["4,3", "2,2"]),
        ("shape = 4", ["4"]),
        ("shape = ''", [""]),
        ("shape = [[]]", ["()"]),
        ("shape = []", []),
    ],
)
def test_how_shapes_are_written_in_the_file(folder, table, shapes):
    write(folder, f"[tool.tensorbridge]\n{table}")
    assert (parsed()["shape"] or []) == shapes


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("dtpye = 'int8'", "unknown option 'dtpye': did you mean dtype, to-dtype?"),
        ("inspekt.dtype = 'int8'", "unknown option 'inspekt': did you mean inspect"),
        ("inspect.dtpye = 'int8'", "unknown option 'dtpye': did you mean dtype, to-dtype?"),
        ("inspect = 3", "inspect = 3 is not a table."),
        ("no-config = true", "unknown option 'no-config': the closest are "),
        ("all = 'yes'", "all = 'yes': use true or false."),
        ("timeout = true", "timeout = True: use a string or a number."),
        ("device = ['cpu']", "device = ['cpu']: use a string or a number."),
        ("dtype = {a = 1}", "dtype = {'a': 1}: use a string or a number."),
    ],
)
def test_a_bad_table(folder, text, sentence):
    write(folder, f"[tool.tensorbridge]\n{text}")
    assert refused(cwd=folder).startswith(f"[tool.tensorbridge] in {folder}/pyproject.toml: {sentence}")


@pytest.mark.parametrize("text", ["[tool", "tool = 3", "[tool]\ntensorbridge = 3", "a = '\xff'"])
def test_a_broken_file_stops_inspect_and_nothing_else(folder, text):
    (folder / "pyproject.toml").write_bytes(text.encode("latin-1"))
    assert f"{folder}/pyproject.toml: " in refused(cwd=folder)
    assert run("inspect", "--help", cwd=folder).returncode == 0
    assert run("list", cwd=folder).returncode == 0


def test_a_byte_order_mark_is_not_read(folder):
    expectation = "[[tool.tensorbridge.expect]]\nconversion = 'from_numpy'\nholds = 'shared'\n"
    text = f"[tool.tensorbridge]\ndtype = 'int8'\n{expectation}"
    (folder / "pyproject.toml").write_text(text, encoding="utf-8-sig")
    assert parsed()["dtype"] == ["int8"]
    assert run("check", cwd=folder).returncode == 0


# An error says where an option that was not typed is set -----------------------------------------


def test_an_error_names_the_place(folder):
    write(folder, "[tool.tensorbridge]\nlayout = 'stried'")
    assert refused("--shape", "3", cwd=folder, TENSORBRIDGE_COLOR="never") == (
        "unknown layout 'stried': did you mean non-contiguous? "
        "(Set elsewhere: layout in pyproject.toml, TENSORBRIDGE_COLOR; use --no-config to ignore it.)"
    )
    sentence = refused(TENSORBRIDGE_TIMEOUT="soon", cwd=folder)
    assert sentence.endswith("TENSORBRIDGE_TIMEOUT; use --no-config to ignore it.)")
    assert "'--all' / '-a': Input should be a valid boolean" in refused(TENSORBRIDGE_ALL="perhaps")


# What was typed wins over what is set elsewhere for another subject ------------------------------


def test_ones_own_object_is_not_described_elsewhere(folder):
    write(folder, "[tool.tensorbridge]\ndtype = 'int8'\nlayout = 'non-contiguous'\nfile = 'nope.npy'")
    row = rows("from_numpy", "--expr", "np.arange(3.)", cwd=folder, TENSORBRIDGE_SHAPE="7")["torch.from_numpy"]
    assert (row["subject"]["dtype"], row["subject"]["shape"]) == ("float64", [3])


def test_an_ending_that_was_typed_wins_over_a_format_that_was_not(folder):
    write(folder, "[tool.tensorbridge]\nformat = 'json'")
    run("inspect", "numpy", "-o", "x.tsv", cwd=folder)
    assert (folder / "x.tsv").read_text().startswith("conversion\t")
    run("inspect", "numpy", "-o", "y.tsv", "--format", "json", cwd=folder)
    assert (folder / "y.tsv").read_text().startswith("{")
    assert said(run("inspect", "-o", "x.doc", "--format", "yaml", cwd=folder), 2).startswith("unknown --format 'yaml'")
