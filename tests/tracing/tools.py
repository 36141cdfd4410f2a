"""The verbs of these tests: ``traced`` runs a program under the tool and returns its record; ``bare`` runs it alone.

Both in forks of a warm Python; ``bare_cold`` and ``traced_cold`` start a process. ``recorded`` returns the record of a
program that runs in the process of the tests, for what does not depend on how it runs: that costs a tenth.
"""

import ast
import contextlib
import io
import json
import linecache
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import tensorbridge_cli as tb
from tensorbridge_cli.records.trace import Outcomes, Site
from tests.cli.tools import Done, environment
from tests.warm import COLD_PROGRAM, python

TYPED = "typed\n"
START = "import numpy as np, torch\n"
OF_ITSELF = "class Step:\n    def __init__(self, t):\n        self.t, self.me = t, self\n"
"""A class whose objects refer to themselves: one that is let go of is garbage, and lives until it is collected."""


def script(folder: Path, text: str, name: str = "program.py") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return name


def bare(folder: Path, *arguments: str, **env: str) -> Done:
    if find_spec("torch") is None:  # the gate runs test_methods.py where there is no warm process, which needs it
        return bare_cold(folder, *arguments, **env)
    return python(*arguments, cwd=folder, env=environment(**env), typed=TYPED)


def under(folder: Path, *arguments: str, **env: str) -> Done:
    """Run ``tensorbridge trace`` in ``folder``, without trying remedies, its record in a file."""
    return bare(folder, "-m", "tensorbridge_cli", *_trace(folder, arguments), **env)


def bare_cold(folder: Path, *arguments: str, **env: str) -> Done:
    """Run the program in a process that Python starts for it."""
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(**env), capture_output=True, encoding="utf-8", timeout=120, input=TYPED
    )


def under_cold(folder: Path, *arguments: str, **env: str) -> Done:
    """Run ``tensorbridge trace`` with a program that Python starts, where how that starts is the point."""
    return under(folder, *arguments, **env, **{COLD_PROGRAM: "1"})


def _trace(folder: Path, arguments: tuple[str, ...]) -> tuple[str, ...]:
    return ("trace", "--no-remedies", "-o", str(folder / "trace.json"), *arguments)


def record(folder: Path) -> Any:
    return json.loads((folder / "trace.json").read_text(encoding="utf-8"))


def recorded(folder: Path, text: str, **options: Any) -> Any:
    """Return the record of a program that runs in this process."""
    return recorded_and_printed(folder, text, **options)[0]


def recorded_and_printed(folder: Path, text: str, **options: Any) -> tuple[Any, str]:
    """Return the same, and the output."""
    path = str(folder / script(folder, text))
    linecache.cache.pop(path, None)  # of the program before it
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.chdir(folder)
        for place in (folder / "site-packages", folder):
            patch.syspath_prepend(place)
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        trace = stack.enter_context(tb.trace(**options))
        exec(compile(text, path, "exec"), {"__name__": "__main__"})
    for name, module in [*sys.modules.items()]:
        if (getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]
    return json.loads(trace.to_json()), output.getvalue()


def traced(folder: Path, text: str, *options: str, **env: str) -> Any:
    """Return the record of a program that ends well."""
    return _recorded(folder, under(folder, *options, script(folder, text), **env))


def traced_cold(folder: Path, text: str, *options: str, **env: str) -> Any:
    """Return the same of a program that Python starts."""
    return _recorded(folder, under_cold(folder, *options, script(folder, text), **env))


def _recorded(folder: Path, done: Done) -> Any:
    assert done.returncode == 0, done.stderr
    return record(folder)


def calls(found: Any) -> dict[tuple[int, str], int]:
    """Return how often each conversion was made, by line."""
    return {(site["line"], site["conversion"]): site["calls"] for site in found["sites"]}


def codes(found: Any) -> set[str]:
    return {finding["code"] for finding in found["findings"]}


def site_of(path, conversion, nth=0, called=True):
    """Return the site of the ``nth`` call in a file whose function is named as ``conversion`` is.

    With ``called`` False it may be called anything: ``conversion`` is called from C.
    """
    name = conversion.rpartition(".")[2]
    text = path.read_text(encoding="utf-8")
    names = {
        name,
        *(part.asname for part in ast.walk(ast.parse(text)) if isinstance(part, ast.alias) and part.name == name),
    }
    node = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and (not called or (getattr(node.func, "attr", None) or getattr(node.func, "id", "")) in names)
    ][nth]
    facts = dict.fromkeys(Site.__dataclass_fields__)
    facts |= {"file": str(path), "line": node.lineno, "end_line": node.end_lineno, "column": node.col_offset}
    facts |= {"end_column": node.end_col_offset, "conversion": conversion, "outcomes": Outcomes(), "via": ()}
    return Site(**facts)
