"""Where text goes: standard output or a file, in colour or not, at which width; and progress on standard error."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.render import View

_PATIENCE = 1.0  # seconds until a progress bar is worth showing


def colour(choice: str, terminal: bool) -> bool:
    """Tell whether to colour: ``always``, ``never``, or what NO_COLOR, FORCE_COLOR and the terminal say."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return terminal and os.environ.get("TERM") != "dumb"


def view(choice: str, values: bool) -> View:
    """Return how a table looks on standard output: boxed at the terminal's width, plain and unlimited elsewhere."""
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    return View(width=width, colour=colour(choice, terminal), box=terminal, values=values)


def say(text: str) -> None:
    """Write to standard output; characters that its encoding lacks are escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


class Output:
    """A file that is written whole or not at all."""

    def __init__(self, path: Path) -> None:
        """Make sure that ``path`` can be written, before any work is done.

        Raises:
            RequestError: where it cannot.
        """
        self._path = path
        self._draft: Path | None = None
        if path.is_dir():
            raise RequestError(f"cannot write to {path}: it is a folder.")
        try:
            if path.exists() and not path.is_file():
                path.open("a").close()
                return
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            os.close(handle)
        except OSError as error:
            raise RequestError(f"cannot write to {path}: {error.strerror}.") from error
        self._draft = Path(name)

    def write(self, text: str) -> None:
        """Put ``text`` in the file.

        Raises:
            RequestError: where that fails; the file is then as it was before.
        """
        try:
            (self._draft or self._path).write_text(text, encoding="utf-8")
            if self._draft is not None:
                mode = self._path.stat().st_mode & 0o777 if self._path.exists() else 0o666 & ~_umask()
                self._draft.chmod(mode)
                self._draft.replace(self._path)
        except OSError as error:
            raise RequestError(f"cannot write to {self._path}: {error.strerror}.") from error

    def discard(self) -> None:
        """Leave nothing half written."""
        if self._draft is not None:
            with suppress(OSError):
                self._draft.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def progress() -> Iterator[Any]:
    """Give a function to tell how many experiments are done, of how many; a bar appears after a second."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    started = time.monotonic()
    bar: Any = None
    task: Any = None

    def tell(done: int, total: int) -> None:
        nonlocal bar, task
        if bar is None and done < total and time.monotonic() - started > _PATIENCE:
            from rich.console import Console
            from rich.progress import Progress

            bar = Progress(console=Console(stderr=True), transient=True)
            bar.start()
            task = bar.add_task("experiments", total=total)
        if bar is not None:
            bar.update(task, completed=done)

    try:
        yield tell
    finally:
        if bar is not None:
            bar.stop()
