"""Measures which lines and branches of the package the tests reach: ``python -m tests.reached FOLDER`` reports it.

A process that imports ``tests`` while ``TESTS_REACHED`` names the folder puts slipcover's probes into the code of the
package. Its forks have them, too: the commands, laboratories and traced programs that ``zygote.py`` runs. Each writes a
file when it ends; what a signal ends writes none, nor does a process that imports no tests.

The fast tests take a tenth longer. With coverage.py, which traces whatever Python runs, they take three times as long.
"""

import ast
import atexit
import functools
import json
import os
import sys
import time
import tomllib
from importlib.machinery import SourceFileLoader
from pathlib import Path

import slipcover
from slipcover.branch import preinstrument

from tests import REACHED

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tensorbridge_cli"
_PROBES_STAY = -1
"""To take them away again, slipcover looks for every function of the process: longer than a fork takes with them."""
_folder = os.environ.get(REACHED)
"""Read at once: in a fork of the warm process, the variables are those of the program."""
_get_code, _exit = SourceFileLoader.get_code, os._exit
_measured = slipcover.Slipcover(branch=True, d_miss_threshold=_PROBES_STAY)


def start():
    """Measure this process, and its forks."""
    SourceFileLoader.get_code = code_of
    os.register_at_fork(after_in_child=_measured.newly_seen.clear)  # its parent writes those
    atexit.register(write)
    os._exit = _write_and_exit


def write():
    """Write what this process has reached."""
    reached = {file: list(places) for file, places in list(_measured.newly_seen.items())}
    if reached:
        file = Path(_folder, f"{os.getpid()}-{time.monotonic_ns()}")
        file.write_text(json.dumps(reached))
        file.rename(file.with_suffix(".json"))  # it is whole


def _write_and_exit(status):
    try:
        write()
    finally:
        _exit(status)


def code_of(loader, name):
    """Return the code of a module, with probes if it is one of the package."""
    return _with_probes(loader.path) if Path(loader.path).is_relative_to(PACKAGE) else _get_code(loader, name)


@functools.cache  # a fork of the warm process imports some modules again
def _with_probes(file):
    return _measured.instrument(compile(preinstrument(ast.parse(Path(file).read_bytes())), file, "exec"))


def prepare():
    """Put probes into all modules, for forks that import some of them anew; write what was imported here.

    A signal ends the warm process.
    """
    for file in PACKAGE.rglob("*.py"):
        _with_probes(str(file))
    write()


def coverage(folder):
    """Return what the files in the folder say, as slipcover does."""
    for file in Path(folder).glob("*.json"):
        for name, places in json.loads(file.read_text()).items():
            _measured.all_seen[name].update(tuple(place) if isinstance(place, list) else place for place in places)
    _measured.source = [PACKAGE]
    return _measured.get_coverage()


def main(folder):
    """Report the modules below 95 %; return whether all of them together are below the floor."""
    found = coverage(folder)
    percent = found["summary"]["percent_covered"]
    floor = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["slipcover"]["fail-under"]
    found["files"] = {name: file for name, file in found["files"].items() if file["summary"]["percent_covered"] < 95}
    slipcover.print_coverage(found)
    print(f"{percent:.2f} % of the package's lines and branches are reached; the floor is {floor} %.")
    return percent < floor


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
