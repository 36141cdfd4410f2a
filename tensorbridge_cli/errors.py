"""What ends a command, and with which exit code."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class TensorbridgeError(Exception):
    """A sentence for the user and the exit code that goes with it."""

    exit_code = 1


class RequestError(TensorbridgeError):
    """The request was wrong; the sentence says what would be right."""

    exit_code = 2


class UnavailableError(TensorbridgeError):
    """This environment cannot do what was asked: no torch, no such device, not enough memory."""

    exit_code = 3


class Ended(KeyboardInterrupt):
    """The command was told to end, by Ctrl-C or another signal; no failure of what it was doing."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


_LISTED = ("conversion", "dtype", "layout", "state", "hazard")  # what ``tensorbridge list`` shows


def unknown(kind: str, name: str, known: Iterable[str]) -> RequestError:
    """Say that ``name`` is no ``kind``, with the closest of those that are, or with where they are listed."""
    names = list(dict.fromkeys(known))
    near = get_close_matches(name, names, n=4, cutoff=0.5)
    if near:
        options = f"did you mean {', '.join(near)}?"
    elif kind in _LISTED:
        options = f"see tensorbridge list {kind}s."
    else:
        options = f"write {', '.join(names[:-1])} or {names[-1]}."
    return RequestError(f"unknown {kind} {name!r}: {options}")


def error_for(message: str, exit_code: int) -> TensorbridgeError:
    """Return the error that another process raised with ``message``."""
    return (UnavailableError if exit_code == UnavailableError.exit_code else RequestError)(message)
