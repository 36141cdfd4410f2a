"""How a process or a call ended, in words."""

from __future__ import annotations

import signal
import traceback

_KEPT = 3  # lines from each end
_LONGEST = 4000  # characters of a message


def message_of(problem: BaseException | Warning | str) -> str:
    """Return what an exception or a warning says, as text that can be sent: escaped where no UTF-8, and cut."""
    try:
        message = str(problem)
    except Exception as error:
        return f"(its message cannot be read: {type(error).__name__})"
    message = message.encode("utf-8", "backslashreplace").decode()
    return message if len(message) <= _LONGEST else f"{message[:_LONGEST]}… ({len(message):,} characters)"


def raised(error: BaseException) -> str:
    """Return ``ValueError: its message`` in one line, or the type alone if there is no message."""
    lines = (line.strip() for line in message_of(error).splitlines())
    return ": ".join(filter(None, [type(error).__name__, " / ".join(filter(None, lines))]))


def is_our_own(error: BaseException) -> bool:
    """Return True if code of this package raised it, and not an object of the user's that was asked for something."""
    return _package_of(error) == _OWN


def is_of_another(error: BaseException) -> bool:
    """Return True if neither code of this package raised it nor NumPy's or PyTorch's, which this package may misuse."""
    return _package_of(error) not in (_OWN, "numpy", "torch")


def _package_of(error: BaseException) -> str:
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).partition(".")[0]


_OWN = __name__.partition(".")[0]


def tail(stderr: bytes) -> str:
    """Return the first and last lines of what a process said on stderr, an abort's ``what():`` line first."""
    lines = [line.strip() for line in stderr.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    reason = [line for line in lines if line.startswith("what():")]
    others = [line for line in lines if line not in reason]
    kept = others if len(others) <= 2 * _KEPT else [*others[:_KEPT], "…", *others[-_KEPT:]]
    return "\n".join([*reason, *kept])


def last_line(stderr: bytes) -> str:
    """Return the last line of what a process said: of a traceback, the exception."""
    lines = [line.strip() for line in stderr.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    return message_of(lines[-1]) if lines else ""


def signal_name(code: int | None) -> str | None:
    """Return the name of the signal that a negative exit code stands for; ``None`` for another code."""
    if code is None or code >= 0:
        return None
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
