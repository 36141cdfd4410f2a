"""The help of a command, and the traceback of an error."""

import re
import shlex

import pytest
import typer

from tensorbridge_cli.cli import app
from tests.cli.tools import run


def test_help_groups_the_options_and_keeps_the_examples_apart():
    text = run("inspect", "--help").stdout
    assert re.findall(r"^(\w.*):$", text, re.MULTILINE) == [
        "Arguments",
        "Selection",
        "Source (generated)",
        "Source (your own)",
        "Execution",
        "Output",
        "Options",
    ]
    assert "\n  tensorbridge inspect --shape 4,3 --dtype float32\n" in text
    assert "  -s, --shape SHAPE      E.g. 4,3 or 2x3x4" in text
    assert "\n      --state STATE      Other" in text
    assert "TENSORBRIDGE_TO_DTYPE" in text
    assert "[tool.tensorbridge]" in text


def test_debug_shows_where_an_error_came_from():
    done = run("inspect", "--layout", "qwzx", "--debug")
    assert done.returncode == 2
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("\nError: unknown layout 'qwzx': see tensorbridge list layouts.\n")


ROOT = typer.main.get_command(app)
COMMANDS = ROOT.commands
EXAMPLES = [
    (name, line.strip().partition(" | ")[0].removeprefix("tensorbridge "))
    for name, command in COMMANDS.items()
    for line in (command.help or "").splitlines()
    if line.strip().startswith("tensorbridge ")
]


def test_every_command_has_an_example_but_those_that_need_none():
    assert set(COMMANDS) - {name for name, _ in EXAMPLES} <= {"list", "env", "schema"}


@pytest.mark.parametrize("example", [example for _, example in EXAMPLES])
def test_the_examples_of_the_help_are_taken(example):
    command, *arguments = shlex.split(example)
    COMMANDS[command].make_context(command, arguments, parent=ROOT.context_class(ROOT))
