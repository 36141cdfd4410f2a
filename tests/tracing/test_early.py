"""A program starts before the command line is imported only where that would find nothing to refuse."""

import signal
import tempfile

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.main import get_command

from tensorbridge_cli.cli import app
from tensorbridge_cli.tracing import early
from tensorbridge_cli.tracing.inside.counting import SWITCH
from tests.cli.tools import run
from tests.tracing.tools import START, script

WORDS = [
    *early.SWITCHES,
    "-m",
    "-c",
    "-",
    "--",
    "-o",
    "--include",
    "--only",
    "--select",
    "--help",
    "-x",
    "-mpack",
    "1",
    __file__,
    "none.py",
    "",
]


@settings(deadline=None)
@given(arguments=st.lists(st.sampled_from(WORDS), max_size=5))
def test_what_is_plain_is_what_the_command_line_reads(arguments):
    asked = early.plain(["--no-config", *arguments], {})
    if asked is None:
        return
    switches, program = asked
    command = get_command(app).commands["trace"]
    params = command.make_context(
        "trace", ["--no-config", *arguments], parent=get_command(app).make_context("", [])
    ).params
    assert params["program"] == list(program.arguments)
    assert params["follow"] == ("--follow" in switches)
    others = ("include", "omit", "select", "ignore", "only", "fail_on", "output", "format")
    given = {name for name in others if params[name]}
    assert (given, params["depth"], params["sort"], params["color"]) == (set(), 4, "bytes", "auto")


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        ([], {}),
        (["-m"], {}),
        (["--follow", "-c"], {}),
        (["none.py"], {}),
        (["--sort", "calls", __file__], {}),
        (["\udcff"], {}),
        (["-c", "1"], {"TENSORBRIDGE_DEPTH": "x"}),
    ],
)
def test_the_command_line_looks_first(arguments, environ):
    assert early.plain(["--no-config", *arguments], environ) is None


def test_a_configured_folder(tmp_path, monkeypatch):
    (tmp_path / "within").mkdir()
    monkeypatch.chdir(tmp_path / "within")
    assert early.plain(["-c", "1"], {}) is not None
    (tmp_path / "pyproject.toml").write_text("[tool.tensorbridge]\ndepth = 'x'\n")
    assert early.plain(["-c", "1"], {}) is None
    assert early.plain(["--no-config", "-c", "1"], {}) is not None


def test_a_program_that_nobody_takes_is_ended(tmp_path, monkeypatch):
    monkeypatch.delenv(SWITCH, raising=False)  # with a variable of ours, the command line looks first
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    children = psutil.Process().children()
    with early.begun(["--no-config", "-c", "import time; time.sleep(60)"]):
        assert len(list(tmp_path.iterdir())) == 1
    assert (list(tmp_path.iterdir()), early.taken()) == ([], None)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
    assert psutil.Process().children() == children


def test_the_report_is_the_same(tmp_path):
    script(tmp_path, START + "print('mine')\ntorch.tensor(np.ones(3))\nraise SystemExit(3)")
    at_once = run("trace", "--no-remedies", "program.py", cwd=tmp_path)
    looked = run("trace", "--no-remedies", "--sort", "bytes", "program.py", cwd=tmp_path)
    assert (at_once.returncode, at_once.stdout) == (looked.returncode, looked.stdout) == (3, "mine\n")
    assert [line.split()[:3] for line in at_once.stderr.splitlines()] == [
        line.split()[:3] for line in looked.stderr.splitlines()
    ]
