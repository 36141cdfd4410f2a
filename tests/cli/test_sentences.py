"""What an error of each kind is at the end of the command: one sentence, and an exit code."""

import errno
import os

import pytest
import typer

from tensorbridge_cli import cli
from tensorbridge_cli.cli import terminal
from tensorbridge_cli.errors import RequestError, UnavailableError


@pytest.fixture
def dropped(monkeypatch):
    """What is called instead of giving standard output away: that is the tests' own."""
    calls = []
    monkeypatch.setattr(terminal, "drop_output", lambda: calls.append("dropped"))
    return calls


class Stopped(KeyboardInterrupt):
    exit_code = 143


@pytest.mark.parametrize(
    ("error", "code", "sentence", "is_dropped"),
    [
        (RequestError("no such layout."), 2, "Error: no such layout.\n", False),
        (UnavailableError("no torch."), 3, "Error: no torch.\n", False),
        (KeyboardInterrupt(), 130, "", False),
        (Stopped(), 143, "", False),
        (BrokenPipeError(), 0, "", True),
        (OSError(errno.ENOSPC, "No space", "/tmp/x"), 3, "Error: system error: No space (/tmp/x).\n", True),
        (OSError(errno.ENOSPC, "No space"), 3, "Error: system error: No space.\n", True),
        (MemoryError(), 3, "Error: not enough memory.\n", False),
        (ZeroDivisionError("boom"), 4, "Error: tensorbridge itself failed: ZeroDivisionError: boom", True),
        (typer.Exit(7), 7, "", False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_error_has_its_sentence_and_its_exit_code(error, code, sentence, is_dropped, dropped, capsys):
    with pytest.raises(typer.Exit) as end, cli._sentences():
        raise error
    out, err = capsys.readouterr()
    assert (end.value.exit_code, out, dropped) == (code, "", ["dropped"] * is_dropped)
    assert err.startswith(sentence)
    assert err == sentence or code == 4


def test_a_current_folder_that_is_gone_is_named(dropped, tmp_path, monkeypatch, capsys):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(typer.Exit), cli._sentences():
        os.getcwd()
    assert capsys.readouterr().err == "Error: system error: No such file or directory (the current folder).\n"
    with pytest.raises(typer.Exit), cli._sentences():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert capsys.readouterr().err == "Error: system error: No space left on device.\n"


@pytest.mark.parametrize(("key", "goes_on"), [("x", True), ("\r", True), ("q", False), ("Q", False), (EOFError, False)])
def test_a_key_goes_on_and_q_leaves(key, goes_on, monkeypatch, capsys):
    def getchar():
        if key is EOFError:
            raise EOFError
        return key

    monkeypatch.setattr(typer, "getchar", getchar)
    assert terminal.goes_on(2, 5) is goes_on
    shown = "".join(capsys.readouterr())
    prompt, cleared, end = shown.split("\r")
    assert prompt == "2 of 5: any key continues, q quits"
    assert (cleared, end) == (" " * len(prompt), "")


def test_ctrl_c_leaves_no_line_of_keys(monkeypatch, capsys):
    def getchar():
        raise KeyboardInterrupt

    monkeypatch.setattr(typer, "getchar", getchar)
    with pytest.raises(KeyboardInterrupt):
        terminal.goes_on(2, 5)
    assert "".join(capsys.readouterr()).endswith(" \r")
