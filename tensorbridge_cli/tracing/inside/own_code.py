"""Whose code a file is: the user's, or Python's own and what is installed."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Callable, Sequence

from tensorbridge_cli.tracing import is_installed

_GENERATED = ("<frozen", "<__array_function__", "<attrs", "<eval_with_key>")
"""How the names of code begin that libraries write: the import system, numpy, attrs, torch.fx."""


def users_code(include: Sequence[str], omit: Sequence[str], program: str) -> Callable[[str], bool]:
    """Return what tells whether a file's code is the user's.

    Without ``include`` that is all but Python's own and what is installed; the program that is run is always, with the
    package around it where it is run as a module.
    """
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders.append(os.path.dirname(os.path.dirname(os.path.dirname(__file__))))
    installed = tuple(os.path.realpath(folder) + os.sep for folder in folders)

    def is_users(file: str) -> bool:
        try:
            path = os.path.realpath(file)
        except OSError:  # the current folder is gone
            path = file
        if any(_within(path, place) for place in omit):
            return False
        if include:
            return any(_within(path, place) for place in include)
        if file.startswith("<"):  # -c, a notebook's cell, an exec; not the import system's own
            return not file.startswith(_GENERATED)
        if not (path.startswith(installed) or is_installed(path)):
            return True
        place = _program(program)
        return place is not None and _within(path, place)

    return is_users


def _within(path: str, place: str) -> bool:
    return path == place or path.startswith(place.rstrip(os.sep) + os.sep)


def _program(program: str) -> str | None:
    """Return the file that is run; for ``-m package.module``, the folder of the package; ``None`` if there is no file.

    An empty path would be the current folder, which often has the environment in it (``./.venv``).
    """
    main = sys.modules.get("__main__")
    package: str = getattr(main, "__package__", None) or ""
    folders = list(getattr(sys.modules.get(package.partition(".")[0]), "__path__", []))
    file: str = getattr(main, "__file__", None) or program
    run = folders[0] if folders else file
    return os.path.realpath(run) if run else None
