"""The verbs of these tests: ``run`` the real command in pipes, ``screen`` it in a terminal, ``refused``, ``report``."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tensorbridge_cli.tracing.inside.counting import SWITCH
from tests import warm

COMMAND = [sys.executable, "-m", "tensorbridge_cli"]
PLAIN_TEXT = re.compile(r"[^\x1b─-╿]*")  # no escape codes, no box drawing
_OUTSIDE = ("TENSORBRIDGE_", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "GITHUB_ACTIONS", "PYTHONIOENCODING")
Done = subprocess.CompletedProcess[str]
PROGRESS = re.compile(r"\x1b\[\?25l.*\x1b\[\?25h[\r\n]*\x1b\[1A\x1b\[2K", re.DOTALL)  # drawn, and gone when it is done


def without_addresses(text: str) -> str:
    """Return ``text`` with the addresses, which differ from run to run, made the same."""
    return re.sub(r"0x[0-9a-f]+", "0x…", text)


def environment(**changes: str) -> dict[str, str]:
    """Return the environment without what changes the command, but for ``changes`` and for what leaves C out."""
    kept = {name: value for name, value in os.environ.items() if name == SWITCH or not name.startswith(_OUTSIDE)}
    return kept | changes


def run(*arguments: str, cwd: Path | str | None = None, **env: str) -> Done:
    """Run the command in a fork of a warm Python; where other modules lie in its path, in a process of its own."""
    if "PYTHONPATH" in env:
        return run_cold(*arguments, cwd=cwd, **env)
    return warm.python("-m", "tensorbridge_cli", *arguments, cwd=cwd, env=environment(**env))


def run_beside(folder: Path, *arguments: str) -> Done:
    """Run the command in a fork that finds the modules of ``folder``, too: none that a warm Python has imported."""
    return warm.python("-m", "tensorbridge_cli", *arguments, env=environment(PYTHONPATH=str(folder)))


def run_cold(*arguments: str, cwd: Path | str | None = None, **env: str) -> Done:
    """Run the command in a process of its own, where how it starts is the point."""
    return subprocess.run(
        [*COMMAND, *arguments], env=environment(**env), cwd=cwd, capture_output=True, encoding="utf-8", timeout=120
    )


def run_without_libraries(*commands: Sequence[str]) -> list[str | int | None]:
    """Run the commands in one process that can import neither numpy nor torch; return the exit codes."""
    program = (
        "import json, sys\nsys.modules.update(numpy=None, torch=None)\nfrom tensorbridge_cli.__main__ import main\n"
        "def code(arguments):\n    sys.argv[1:] = arguments\n    try:\n        main()\n"
        "    except SystemExit as end:\n        return end.code\n"
        "print('\\n', json.dumps([code(arguments) for arguments in json.loads(sys.argv[1])]), sep='')"
    )
    command = [sys.executable, "-c", program, json.dumps(commands)]
    done = subprocess.run(command, env=environment(), capture_output=True, encoding="utf-8", timeout=120)
    assert done.stderr == ""
    codes: list[str | int | None] = json.loads(done.stdout.splitlines()[-1])
    return codes


def shell(script: str, **env: str) -> Done:
    """Run a shell script in which ``$T`` is the command; a pipe fails where any part of it does."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {script}"],
        env=environment(T=" ".join(COMMAND), **env),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


def screen(*arguments: str, width: int = 80, **env: str) -> str:
    """Return what a terminal of ``width`` columns is sent."""
    if not hasattr(os, "openpty"):
        pytest.skip("needs a pseudo-terminal")
    changes = {"TERM": "xterm-256color"} | env
    code, text = warm.screen("-m", "tensorbridge_cli", *arguments, width=width, env=environment(**changes))
    assert code == 0, text
    return text


def said(done: Done, code: int) -> str:
    """Return the one sentence with which a command failed: nothing else was printed."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert re.fullmatch(r"Error: .+\n", done.stderr), done.stderr
    return done.stderr.removeprefix("Error: ").removesuffix("\n")


def refused(*arguments: str, code: int = 2, cwd: Path | str | None = None, **env: str) -> str:
    """Return the sentence with which ``inspect`` refuses."""
    return said(run("inspect", *arguments, cwd=cwd, **env), code)


def report(*arguments: str, cwd: Path | str | None = None, **env: str) -> Any:
    """Return the report of ``inspect``, as what JSON gives."""
    done = run("inspect", "--format", "json", *arguments, cwd=cwd, **env)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def rows(*arguments: str, cwd: Path | str | None = None, **env: str) -> dict[str, Any]:
    """Return the rows of a report of one subject, by conversion."""
    return {row["conversion"]: row for row in report(*arguments, cwd=cwd, **env)["observations"]}
