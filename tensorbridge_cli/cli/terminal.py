"""Where text goes: standard output or a file, in colour or not, at which width; and progress on standard error.

rich, json and the key reader are imported where a command needs them: most commands write text alone.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from tensorbridge_cli.errors import RequestError, UnavailableError, one_of
from tensorbridge_cli.printable import escape
from tensorbridge_cli.render import View

STDOUT = "-"
TEXT_FORMATS = ("table", "tsv", "json")
"""The formats of lists of names, and of ``env``."""
_ASCII = str.maketrans(
    {"×": "x", "→": "->", "←": "<-", "–": "-", "…": "...", "·": ".", "─": "-", "“": '"', "”": '"', "’": "'", "µ": "u"}
)
"""How letters that we write are written where the encoding lacks them."""


def encoded(text: str, encoding: str) -> bytes:
    """Return ``text`` in ``encoding``; what it lacks is written with letters that resemble it, or else escaped."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "backslashreplace")


_BUFFER = 1 << 20  # bytes that are written at once
_PATIENCE = 1.0  # seconds until a progress bar is worth showing


def colour(choice: str, terminal: bool) -> bool:
    """Return True if text is coloured: ``always``, ``never``, or as NO_COLOR, FORCE_COLOR and the terminal say."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return terminal and os.environ.get("TERM") != "dumb"


def say(text: str, for_people: bool = True) -> None:
    """Write to standard output, and flush; for people, what its encoding lacks is escaped; programs get UTF-8."""
    encoding = sys.stdout.encoding if for_people else "utf-8"
    sys.stdout.flush()
    sys.stdout.buffer.write(encoded(text, encoding))
    sys.stdout.buffer.flush()


@contextmanager
def standard_error() -> Iterator[None]:
    """Write to standard error, and flush; after an error nothing more is written to it.

    What stays in its buffer would make Python end with 120; ``test_closed_outputs`` fails then. The descriptor is left
    alone: a traced program has it, too.
    """
    try:
        yield
        sys.stderr.flush()
    except OSError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - open to the end


def _tell(text: str, for_people: bool) -> None:
    """Write to standard error."""
    with standard_error():
        sys.stderr.buffer.write(encoded(text, sys.stderr.encoding if for_people else "utf-8"))
        sys.stderr.buffer.flush()


def complain(*sentences: str) -> None:
    """Write an error to standard error; control characters in names and messages are escaped."""
    with standard_error():
        print("Error:", *map(escape, sentences), file=sys.stderr)  # noqa: T201


def listing(rows: Sequence[tuple[str, ...]], names: tuple[str, ...], format_name: str | None, path: str | None) -> None:
    """Write rows of a name, a text and maybe a code or a word: a table in a terminal, tab-separated in a pipe, or JSON.

    Raises:
        RequestError: if there is no such format, or ``path`` cannot be written.
    """
    import json

    from tensorbridge_cli.printable import escape_json

    if format_name is not None:
        one_of("--format", format_name, TEXT_FORMATS)
    with destination(path, "never") as (write, view):
        shown_as = format_name or ("tsv" if view.width is None else "table")
        if shown_as == "json":
            objects = [dict(zip(names, row, strict=True)) for row in rows]
            write(escape_json(json.dumps(objects, indent=2, ensure_ascii=False)) + "\n", False)
        elif shown_as == "tsv":
            write("".join("\t".join(map(escape, row)) + "\n" for row in rows), True)
        else:
            from tensorbridge_cli.render.text import lists

            named = [(" ".join(filter(None, (name, *word))), text) for name, text, *word in rows]
            write(lists.text([(escape(name), escape(text)) for name, text in named], view), True)


def note(sentence: str) -> None:
    """Write a note to standard error; control characters in names and messages are escaped."""
    with standard_error():
        print(escape(sentence), file=sys.stderr)  # noqa: T201


def goes_on(done: int, total: int) -> bool:
    """Wait for a key with a line that is gone afterwards; tell whether to go on: q leaves, and so does Ctrl-D.

    Raises:
        KeyboardInterrupt: for Ctrl-C.
    """
    from typer import getchar

    prompt = f"{done} of {total}: any key continues, q quits"
    say(prompt)
    try:
        return getchar() not in ("q", "Q")
    except EOFError:
        return False
    finally:
        say(f"\r{' ' * len(prompt)}\r")


def drop_output() -> None:
    """Redirect a standard output that is closed, so that flushing it at the end does not fail.

    Python would end with 120 and two lines on standard error. ``test_a_reader_that_is_gone`` fails without.
    """
    with suppress(OSError):  # no descriptor is left to open it with: then what is flushed is refused as before
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def destination(
    path: str | None, color: str, values: bool = False, picture: bool = False, errors: bool = False
) -> Iterator[tuple[Callable[[str, bool], None], View]]:
    """Give a function that writes a text to ``path``, or to standard output, and how the text may look there.

    ``errors``: to standard error, where no ``path`` is given.

    Raises:
        RequestError: if ``path`` cannot be written, before any work is done.
    """
    if errors and path is None:
        terminal = sys.stderr.isatty()
        width = shutil.get_terminal_size().columns if terminal else None
        yield _tell, View(width=width, colour=colour(color, terminal), box=terminal, values=values, picture=picture)
        return
    if path in (None, STDOUT):
        terminal = sys.stdout.isatty()
        width = shutil.get_terminal_size().columns if terminal else None
        # --color never is for screen readers, too, which read a rule dash by dash
        box = terminal and color != "never"
        yield say, View(width=width, colour=colour(color, terminal), box=box, values=values, picture=picture)
        return
    output = _Output(Path(str(path)))
    try:
        yield output.write, View(width=None, colour=color == "always", box=False, values=values, picture=picture)
    finally:
        output.discard()


@contextmanager
def stream(path: str | None) -> Iterator[Callable[[str], None]]:
    """Give a function that adds lines to ``path``, for programs, or to standard output, as they come.

    A file is there when all of it is.

    Raises:
        RequestError: if ``path`` cannot be written, before any work is done.
    """
    if path in (None, STDOUT):
        yield lambda text: say(text, False)
        return
    output = _Output(Path(str(path)))
    try:
        yield output.add
        output.finish()
    finally:
        output.discard()


class _Refusals:
    """A context in which an ``OSError`` is raised as the refusal to write to ``path``; a line of output enters it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, OSError):
            is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            refusal = UnavailableError if is_full else RequestError
            raise refusal(f"cannot write to {self._path}: {error.strerror}.") from error


class _Output:
    """A file that is written whole or not at all; that it can be is tried at once."""

    def __init__(self, path: Path) -> None:
        self._draft: Path | None = None
        self._file: TextIO | None = None
        self._directly = True
        self._named = self._path = path
        self._refusals = _Refusals(path)
        if path.exists() and not path.is_file() and not path.is_dir():  # /dev/stdout, a named pipe
            return
        self._path = path.resolve()
        if self._path.is_dir():
            raise RequestError(f"cannot write to {path}: it is a folder.")
        if not self._path.parent.is_dir():
            raise RequestError(f"cannot write to {path}: there is no folder {self._path.parent}.")
        # the file is replaced by another, for which its own permission is not asked; root may write all the same
        if path.exists() and not (os.access(path, os.W_OK) and path.stat().st_mode & 0o222):
            raise RequestError(f"cannot write to {path}: it is read-only.")
        with self._refusals:
            self._drafted().unlink()
        self._directly = False

    def _drafted(self) -> Path:
        """Return a new file beside the one that is to be written."""
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._named.name}.")
        os.close(handle)
        return Path(name)

    def write(self, text: str, for_people: bool) -> None:
        self.add(text)
        self.finish()

    def add(self, text: str) -> None:
        with self._refusals:
            if self._file is None:
                self._file = self._place().open("a", _BUFFER, encoding="utf-8", errors="backslashreplace")
            self._file.write(text)
            if self._directly:  # somebody may be reading
                self._file.flush()

    def finish(self) -> None:
        """Replace the file by what was written."""
        with self._refusals:
            draft = self._place()
            self._close()
            if draft is self._draft:
                mode = self._path.stat().st_mode & 0o777 if self._path.exists() else 0o666 & ~_umask()
                draft.chmod(mode)
                draft.replace(self._path)

    def _place(self) -> Path:
        """Return where what comes is to be written: a draft, made when there is something to write."""
        if self._directly:
            return self._path
        if self._draft is None:
            self._draft = self._drafted()
        return self._draft

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def discard(self) -> None:
        """Remove the draft."""
        with suppress(OSError):
            self._close()
        if self._draft is not None:
            with suppress(OSError):
                self._draft.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def progress(color: str = "auto") -> Iterator[Any]:
    """Give a function to tell how many experiments are done, of how many; a bar appears for what takes a second.

    With ``color`` never there is no bar, which a screen reader would read again and again; it is coloured if other text
    is.
    """
    if not sys.stderr.isatty() or color == "never" or os.environ.get("TERM") == "dumb":
        yield lambda done, total: None
        return
    from threading import Timer

    from rich.console import Console
    from rich.progress import Progress

    plain = not colour(color, sys.stderr.isatty())
    bar = Progress(console=Console(stderr=True, no_color=plain), transient=True)
    task = bar.add_task("importing numpy and torch", total=None)
    # an import takes about a second wherever the disk is warm
    timers = [Timer(3 * _PATIENCE, bar.start)]
    timers[0].start()

    def tell(done: int, total: int) -> None:
        if len(timers) == 1:
            timers[0].cancel()
            timers.append(Timer(_PATIENCE, bar.start))
            timers[1].start()
        bar.update(task, description="experiments", completed=done, total=total)

    try:
        yield tell
    finally:
        for timer in timers:
            timer.cancel()
        bar.stop()
