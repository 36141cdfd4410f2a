"""An environment of somebody else's: how it is found, what it may print and break, and that nothing is left in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from tensorbridge_cli.errors import UnavailableError
from tensorbridge_cli.lab import client, connection, interpreter
from tensorbridge_cli.lab.client import scratch_folder, start_laboratory
from tensorbridge_cli.lab.experiment import Bench
from tensorbridge_cli.lab.protocol import Settings
from tests.environments import bare, python_of
from tests.tools import experiment

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the interpreters are shell scripts")


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """An environment with numpy and torch, and nothing of ours."""
    return bare(tmp_path_factory.mktemp("bare") / "environment")


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def asked(python: interpreter.Interpreter, code: str = "torch.from_numpy(x)"):
    """What an interpreter says of itself, and what one conversion does there."""
    with scratch_folder() as scratch:
        bench = Bench(setup="", scratch=scratch, folder="")
        lab = start_laboratory(Settings(isolation="fork", timeout=20.0, jobs=1, bench=bench), python)
        try:
            return lab.hello(), dict(lab.run([experiment(code)]))[0]
        finally:
            lab.close()


def everything(folder: Path) -> dict[str, float]:
    return {str(path): path.lstat().st_mtime for path in folder.rglob("*") if "__pycache__" not in path.parts}


# Finding it --------------------------------------------------------------------------------------


def test_a_folder_a_file_and_a_command_are_found(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "python"
    program.parent.mkdir()
    script(program, "")
    assert interpreter.find(str(tmp_path)).words == (str(program),)
    assert interpreter.find(str(program)).words == (str(program),)
    assert interpreter.find("env A=1 python").words[1:] == ("A=1", "python")
    assert interpreter.find("env A=1 python").name == "env A=1 python"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nowhere/python", "there is no such interpreter"),
        ("''", "there is no such interpreter"),
        ("python '", "No closing quotation"),
        ("{folder}", "this folder is not an environment, it has no bin/python"),
    ],
)
def test_what_is_not_one_is_said_in_a_sentence(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(UnavailableError, match=why) as raised:
        interpreter.find(text.format(folder=tmp_path))
    assert "\n" not in str(raised.value)


def test_the_default_is_the_first_environment_that_there_is(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(interpreter.importlib.util, "find_spec", lambda name: None)
    for name in ("activated", ".venv", "conda"):
        (tmp_path / name / "bin").mkdir(parents=True)
        script(tmp_path / name / "bin" / "python", "")
    places = {"VIRTUAL_ENV": str(tmp_path / "activated"), "CONDA_PREFIX": str(tmp_path / "conda")}

    def default(*names: str, folder: str = "none") -> str | None:
        found = interpreter.default({name: places[name] for name in names}, tmp_path / folder)
        return None if found is None else Path(found.name).name

    assert default("VIRTUAL_ENV", "CONDA_PREFIX", folder=".venv") == "activated"
    assert default("CONDA_PREFIX", folder=".venv") == ".venv"
    assert default("CONDA_PREFIX") == "conda"
    assert default() is None


def test_the_tools_own_is_the_default_if_it_has_torch(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin" / "python", "")
    assert interpreter.default({"VIRTUAL_ENV": str(tmp_path)}) is None


# What travels ------------------------------------------------------------------------------------


def test_the_archive_is_what_the_command_runs() -> None:
    root = Path(interpreter.__file__).parents[2]
    packed = zipfile.ZipFile(BytesIO(interpreter.archive()))
    assert len(packed.namelist()) > 50
    assert all(packed.read(name) == (root / name).read_bytes() for name in packed.namelist())


# Running there -----------------------------------------------------------------------------------


def test_it_runs_there_and_leaves_nothing(environment: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(client.tempfile, "tempdir", None)
    before = everything(environment)
    hello, row = asked(interpreter.find(str(environment)))
    assert hello.executable == str(environment / "bin" / "python")
    assert row.result.type == "torch.Tensor"
    assert everything(environment) == before
    assert list(tmp_path.iterdir()) == []


def test_what_is_printed_first_is_skipped_and_ssh_quotes(environment: Path, tmp_path: Path) -> None:
    # as the server of ssh does: another folder, no variables, the words joined and read by a shell once more
    banner = "head -c 3000 /dev/zero; echo 'Welcome to gpubox'"
    ssh = script(tmp_path / "ssh", f'{banner}; shift; cd /; exec env -i PATH="$PATH" sh -c "$*"')
    hello, row = asked(interpreter.find(f"{ssh} gpubox {python_of(environment)}"))
    assert hello.executable == str(environment / "bin" / "python")
    assert row.relation.overlaps


def test_a_crash_there_is_a_row(environment: Path) -> None:
    row = asked(interpreter.find(str(environment)), "os.abort()")[1]
    assert row.error.type == "NameError"  # os is not a name there, and nothing of ours is
    row = asked(interpreter.find(str(environment)), "__import__('os').abort()")[1]
    assert (row.crash.signal, row.crash.confirmed) == ("SIGABRT", True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("exit 7", "ended at its start: exit code 7"),
        ("echo 'no such project' >&2; exit 2", "ended at its start: exit code 2. no such project"),
        ("echo is Python 3.8: 3.9 or newer is needed >&2; exit 93", "is Python 3.8: 3.9 or newer is needed"),
        ("kill -SEGV $$", "ended at its start: SIGSEGV"),
        ('echo cannot access "$@" >&2; exit 2', "is not a Python interpreter: exit code 2"),
        ("sleep 1000", "did not start: it did not respond within 1 seconds"),
        ("exec >&-; sleep 1000", "did not start: it closed its output"),
        ("cat", "did not start: it did not respond within 1 seconds"),
    ],
)
def test_an_interpreter_that_is_broken_is_said_in_a_sentence(tmp_path: Path, monkeypatch, text: str, why: str) -> None:
    monkeypatch.setattr(connection, "STARTING", 1.0)
    monkeypatch.setattr(connection, "_KEEPER", 1.0)
    path = script(tmp_path / "python", text)
    with pytest.raises(UnavailableError) as raised:
        asked(interpreter.find(str(path)))
    assert str(raised.value) == f"--python {str(path)!r} {why}."


def test_one_that_hangs_is_not_waited_for_as_a_keeper_is(tmp_path: Path, monkeypatch) -> None:
    waits, wait = [], subprocess.Popen.wait
    monkeypatch.setattr(subprocess.Popen, "wait", lambda one, timeout=None: waits.append(timeout) or wait(one, timeout))
    monkeypatch.setattr(connection, "STARTING", 0.1)
    with pytest.raises(UnavailableError, match="did not start"):
        asked(interpreter.find(str(script(tmp_path / "python", "sleep 1000"))))
    assert connection._KEEPER not in waits


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.8"])
def test_an_old_python_is_said_in_a_sentence(version: str) -> None:
    folders = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions").glob(f"{version}.*/bin/python")
    path = next(folders, None)
    if path is None:
        pytest.skip(f"there is no Python {version} here")
    with pytest.raises(UnavailableError, match=f"is Python {version}: 3.9 or newer is needed") as raised:
        asked(interpreter.find(str(path)))
    assert str(raised.value) == f"--python {str(path)!r} is Python {version}: 3.9 or newer is needed."


def test_an_environment_without_numpy_is_said_in_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "an empty one"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    with pytest.raises(UnavailableError) as raised:
        asked(interpreter.find(str(folder)))
    assert str(raised.value) == (
        f"--python {str(folder)!r}: cannot import numpy: No module named 'numpy'. "
        f"Run `tensorbridge env --python '{folder}'` for a fix."
    )


def test_ctrl_c_leaves_nothing(environment: Path, tmp_path: Path) -> None:
    scratch, marker = tmp_path / "scratch", tmp_path / "begun"
    scratch.mkdir()
    os.mkfifo(marker)
    code = f"(open({str(marker)!r}, 'w').close(), __import__('time').sleep(1000), x)"
    command = [sys.executable, "-m", "tensorbridge_cli", "inspect", "--python", str(environment), "--code", code]
    running = subprocess.Popen(
        [*command, "--timeout", "1000"], env=os.environ | {"TMPDIR": str(scratch)}, stderr=subprocess.PIPE
    )
    with open(marker):  # until the conversion has begun
        pass
    running.send_signal(signal.SIGINT)
    running.communicate()
    assert running.returncode == 130
    assert list(scratch.iterdir()) == []
