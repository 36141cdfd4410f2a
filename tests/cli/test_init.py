"""The command without a command, its version, and the words for what it does not know."""

import re
from pathlib import Path

import pytest

from tensorbridge_cli import __version__, toml
from tests.cli.tools import PLAIN_TEXT, run, said, screen

ROOT = Path(__file__).parents[2]


def test_alone_it_says_how_to_start():
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Runs NumPy-PyTorch conversions and shows which share memory and which copy")
    assert "\n  tensorbridge inspect  " in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(option):
    assert run(option).stdout == f"tensorbridge {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("inspekt", "No such command 'inspekt'. Did you mean 'inspect'? See tensorbridge --help."),
        ("--nope", "No such option: --nope. See tensorbridge --help."),
        (
            "inspect --shpae 3",
            "No such option: --shpae (Possible options: --help, --shape, --state). See tensorbridge inspect --help.",
        ),
        ("inspect --shape", "Option '--shape' requires an argument. See tensorbridge inspect --help."),
        ("fit.py --epochs 3", "'fit.py' is not a command: to run a program, use tensorbridge trace fit.py."),
        ("list layouts extra", "Got unexpected extra argument(s) (extra). See tensorbridge list --help."),
    ],
)
def test_usage_errors_are_one_plain_sentence(arguments, sentence):
    assert said(run(*arguments.split(), FORCE_COLOR="1", GITHUB_ACTIONS="1"), 2) == sentence


def test_a_program_with_a_space_in_its_name_is_quoted():
    assert said(run("my fit.py"), 2).endswith("use tensorbridge trace 'my fit.py'.")


def test_a_name_that_is_no_utf8():
    assert said(run("inspect", "--file", "\udcff.npy"), 2).startswith(r"'\udcff.npy' is not valid UTF-8")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["inspect", "--help"],
        ["matrix", "-h"],
        ["check", "-h"],
        ["repro", "-h"],
        ["list", "-h"],
        ["schema", "-h"],
        ["env", "-h"],
    ],
)
def test_help_is_the_same_plain_text_in_a_pipe_and_in_a_terminal(arguments):
    done = run(*arguments, FORCE_COLOR="1", GITHUB_ACTIONS="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert PLAIN_TEXT.fullmatch(done.stdout)
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert screen(*arguments) == done.stdout


def test_help_of_every_command_fits_its_line():
    commands = run("--help").stdout.partition("Commands:\n")[2].splitlines()
    assert {line.split()[0] for line in commands} >= {"inspect", "list", "env", "schema"}
    assert all(line.endswith(".") and not line.endswith("..") for line in commands)


def test_installing_it_brings_neither_numpy_nor_torch():
    project = toml.read((ROOT / "pyproject.toml").read_bytes())["project"]
    always = {re.match(r"[\w-]+", text)[0] for text in project["dependencies"]}
    assert always == {"jinja2", "msgspec", "psutil", "rich", "tomli", "typer"}
    with_torch = {re.match(r"[\w-]+", text)[0] for text in project["optional-dependencies"]["torch"]}
    assert with_torch == {"numpy", "torch"}
    assert set(project["scripts"]) == {"tensorbridge", "tensorbridge-cli"}
