"""An interpreter of somebody else's, in which experiments run though nothing of ours is installed there.

The very code that the command runs travels over standard input, as an archive; so versions cannot be mixed. Nothing is
said over standard output before a random cookie, so that what a ``sitecustomize``, a hook or a banner prints is skipped
(virtualenv asks an interpreter about itself in the same way).
"""

from __future__ import annotations

import functools
import importlib.util
import io
import os
import re
import shlex
import shutil
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tensorbridge_cli.errors import UnavailableError

OLDEST = (3, 9)
"""The Python that what travels needs."""

TOO_OLD = 93
"""The exit code by which an older one says so; Python itself has none that is near."""

_ROOT = Path(__file__).resolve().parent.parent
_TRAVELS = ("__init__.py", "compat.py", "errors.py", "pytorch.py", "records", "catalog", "subjects", "memory", "lab")
_BIN = ("bin/python", "Scripts/python.exe", "python.exe")  # the last is conda's on Windows


@dataclass(frozen=True)
class Interpreter:
    """A command that starts Python, and how the user knows it."""

    words: tuple[str, ...]
    name: str

    def command(self, *arguments: str) -> list[str]:
        """Return the command with ``arguments``: ssh joins its own to a line that a shell reads once more."""
        joined = os.path.basename(self.words[0]).removesuffix(".exe") == "ssh"
        return [*self.words, *(map(shlex.quote, arguments) if joined else arguments)]


def find(text: str) -> Interpreter:
    """Return the interpreter that a user names: a file, the folder of an environment, or a command of several words.

    Raises:
        UnavailableError: if there is none.
    """
    try:
        path = Path(text).expanduser()
        if path.is_dir():
            for place in _BIN:
                if (path / place).exists():
                    return Interpreter((str((path / place).absolute()),), text)
            raise UnavailableError(f"--python {text!r}: this folder is not an environment, it has no {_BIN[0]}.")
        if path.exists():
            return Interpreter((str(path.absolute()),), text)
        words = shlex.split(text)
    except (OSError, ValueError) as error:
        raise UnavailableError(f"--python {text!r}: {error}.") from error
    program = shutil.which(words[0]) if words else None
    if program is None:
        raise UnavailableError(f"--python {text!r}: there is no such interpreter.")
    return Interpreter((program, *words[1:]), text)


def chosen(text: str | None) -> Interpreter | None:
    """Return the interpreter that ``text`` names, else the default one; ``None`` is the tool's own.

    Raises:
        UnavailableError: if there is no such one.
    """
    return find(text) if text else default()


def default(environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> Interpreter | None:
    """Return the environment in which to run if none is named; ``None`` for the tool's own.

    That is the tool's own if it has torch, else the activated one, the ``.venv`` of the folder, and conda's.
    """
    if importlib.util.find_spec("torch") is not None:
        return None
    for place in (environ.get("VIRTUAL_ENV"), folder or ".venv", environ.get("CONDA_PREFIX")):
        if place and Path(place).is_dir() and Path(place).resolve() != Path(sys.prefix).resolve():
            for program in _BIN:
                if (Path(place) / program).exists():
                    return Interpreter((str((Path(place) / program).absolute()),), str(place))
    return None


@functools.cache
def archive() -> bytes:
    """Return what travels as a zip archive, which Python can import from."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for path in _files():
            name = f"tensorbridge_cli/{path.relative_to(_ROOT).as_posix()}"
            packed.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _files() -> Iterator[Path]:
    for name in _TRAVELS:
        path = _ROOT / name
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


BOOT = f"""
import sys
sys.dont_write_bytecode = True
sys.path[:] = [place for place in sys.path if place]
if sys.version_info < {OLDEST}:
    sys.stderr.write("is Python %d.%d: {".".join(map(str, OLDEST))} or newer is needed\\n" % sys.version_info[:2])
    sys.stderr.flush()
    sys.exit({TOO_OLD})
import os, shutil, tempfile
size, cookie, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
scratch, marker = os.path.dirname(folder), os.path.join(folder, cookie)
sys.stdout.flush()
data = b""
try:
    os.write(1, bytes.fromhex(cookie))
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece:
            break
        data += piece
except OSError:
    pass
if len(data) < size:  # the command line was killed
    if os.path.exists(marker):
        shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(3)
if not os.path.exists(marker):
    marker = None
    scratch = folder = tempfile.mkdtemp(prefix="tensorbridge-")
os.environ.update(TMPDIR=folder, TEMP=folder, TMP=folder)
tempfile.tempdir = None
place = os.path.join(folder, "tensorbridge.zip")
with open(place, "wb") as file:
    file.write(data)
del data
sys.path.insert(0, place)
import tensorbridge_cli
sys.path.append(sys.path.pop(0))
from tensorbridge_cli.lab import processes
if processes.has_fork():
    processes.keep(scratch, marker, True)
sys.argv[1:] = [cookie, "0", "1"]
"""
"""What the interpreter runs first; any Python can read it.

It says that it is there, takes the archive, and puts it into the folder that the command has made: where that is not
to be seen, on another machine or in a container, into a folder of its own. It leaves no ``__pycache__`` in the
inspected environment.
"""


def environment(scratch: Path) -> dict[str, str]:
    """Return the variables for an interpreter of somebody else's: those that are about ours are left out."""
    return without_ours(os.environ) | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))


def without_ours(variables: Mapping[str, str]) -> dict[str, str]:
    """Return ``variables`` without those that say where the tool's own Python is."""
    ours = ("PYTHONHOME", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__", "PYTHONSAFEPATH")
    return {name: value for name, value in variables.items() if name not in ours}


def advice(python: Interpreter | None) -> str:
    """Return what is said where a library cannot be imported in ``python``, by every command but ``env``."""
    named = ["--python", python.name] if python is not None else []
    return f"Run `{shlex.join(['tensorbridge', 'env', *named])}` for a fix."


def import_reason(text: str) -> str:
    """Return the words of an import error that say why: NumPy's is a page."""
    original = re.search(r"Original error was: (.*)", text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return original[1].strip() if original else lines[0] if lines else ""
