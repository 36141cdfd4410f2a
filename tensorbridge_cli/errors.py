"""What ends a command, and with which exit code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches


class TensorbridgeError(Exception):
    """A sentence for the user and the exit code that goes with it."""

    exit_code = 1


class RequestError(TensorbridgeError):
    """The request was wrong; the sentence says what would be right."""

    exit_code = 2


class UnavailableError(TensorbridgeError):
    """This environment cannot do what was asked: no torch, no such device, not enough memory, no disk space."""

    exit_code = 3


class InternalError(TensorbridgeError):
    """The tool's own code failed: no fault of what was asked, nor of a conversion."""

    exit_code = 4


@contextlib.contextmanager
def naming(where: str | None) -> Iterator[None]:
    """Begin the message of an error with where the user wrote what is wrong, if that is known."""
    try:
        yield
    except TensorbridgeError as error:
        raise type(error)(f"{where}: {error}" if where else str(error)) from error


class RemoteTraceback(Exception):  # noqa: N818 - multiprocessing's name for it
    """The traceback of an exception in another process: the cause of the one here, shown by ``--debug``."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


REPORT_IT = "Please report it, with the traceback that --debug shows."


class Ended(KeyboardInterrupt):
    """The command was told to end, by Ctrl-C or another signal; no failure of what it was doing."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


_LISTED = ("conversion", "dtype", "layout", "state", "hazard", "finding")  # what ``tensorbridge list`` shows
_MOST = 40
"""So many names are written out; of more only the closest are."""


def unknown(kind: str, name: str, known: Iterable[str], *, spelled: Mapping[str, str] | None = None) -> RequestError:
    """Say that ``name`` is not a ``kind``, with the closest of those that are, or with where they are listed.

    ``spelled``: other spellings, each with the known name that it stands for and that is shown instead of it.
    """
    names = {text: text for text in known} | dict(spelled or {})
    near = _closest(name, names)
    if near:
        options = f"did you mean {', '.join(near)}?"
    elif kind in _LISTED:
        options = f"see tensorbridge list {kind}s."
    elif len(names) <= _MOST:
        *others, last = dict.fromkeys(names.values())
        options = f"use {', '.join(others)} or {last}." if others else f"use {last}."
    else:
        options = f"the closest are {', '.join(_closest(name, names, cutoff=0.0))}."
    return RequestError(f"unknown {kind} {name!r}: {options}")


def one_of(kind: str, name: str, known: Iterable[str]) -> str:
    """Return ``name`` if it is one of ``known``.

    Raises:
        RequestError: if it is not, with the closest.
    """
    names = list(known)
    if name not in names:
        raise unknown(kind, name, names)
    return name


def _closest(name: str, names: Mapping[str, str], cutoff: float = 0.6) -> list[str]:
    """Return up to four of ``names``, in any case: those that resemble ``name``, the most alike first."""
    folded: dict[str, str] = {}
    for text, shown in names.items():
        folded.setdefault(text.lower(), shown)
    near = get_close_matches(name.lower(), folded, n=8, cutoff=cutoff)
    return list(dict.fromkeys(folded[text] for text in near if not _opposite(name.lower(), folded[text])))[:4]


def _opposite(one: str, other: str) -> bool:
    """Return True if one of two names is the other with a negation before it, as ``unaligned`` is."""
    bare, also = one.replace("-", ""), other.replace("-", "")
    return any(bare == prefix + also or also == prefix + bare for prefix in ("non", "not", "no", "un", "in", "mis"))


def error_for(message: str, exit_code: int) -> TensorbridgeError:
    """Return the error that another process raised with ``message``."""
    kinds = {kind.exit_code: kind for kind in (RequestError, UnavailableError, InternalError)}
    return kinds[exit_code](message)
