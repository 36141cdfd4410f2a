"""The verbs of these tests: ``traced`` runs a program under the tool and returns its record; ``bare`` runs it alone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.tools import COMMAND, Done, environment

START = "import numpy as np, torch\n"


def script(folder: Path, text: str, name: str = "program.py") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return name


def bare(folder: Path, *arguments: str, **env: str) -> Done:
    return _done([sys.executable, *arguments], folder, env)


def under(folder: Path, *arguments: str, **env: str) -> Done:
    """Run ``tensorbridge trace`` in ``folder``, without trying remedies, its record in a file."""
    return _done([*COMMAND, "trace", "--no-remedies", "-o", str(folder / "trace.json"), *arguments], folder, env)


def _done(command: list[str], folder: Path, env: dict[str, str]) -> Done:
    return subprocess.run(
        command, cwd=folder, env=environment(**env), capture_output=True, encoding="utf-8", timeout=120, input="typed\n"
    )


def record(folder: Path) -> Any:
    return json.loads((folder / "trace.json").read_text(encoding="utf-8"))


def traced(folder: Path, text: str, *options: str, **env: str) -> Any:
    """Return the record of a program that ends well."""
    done = under(folder, *options, script(folder, text), **env)
    assert done.returncode == 0, done.stderr
    return record(folder)


def calls(found: Any) -> dict[tuple[int, str], int]:
    """Return how often each conversion was made, by line."""
    return {(site["line"], site["conversion"]): site["calls"] for site in found["sites"]}


def codes(found: Any) -> set[str]:
    return {finding["code"] for finding in found["findings"]}
