"""How a process ended, in words."""

from __future__ import annotations

import signal

_KEPT = 3  # lines from each end


def last_words(said: bytes) -> str:
    """Return the first and last lines of what a process said on stderr, an abort's ``what():`` line first."""
    lines = [line.strip() for line in said.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    reason = [line for line in lines if line.startswith("what():")]
    others = [line for line in lines if line not in reason]
    kept = others if len(others) <= 2 * _KEPT else [*others[:_KEPT], "…", *others[-_KEPT:]]
    return "\n".join([*reason, *kept])


def signal_name(code: int | None) -> str | None:
    """Return the name of the signal that a negative exit code stands for; ``None`` for another code."""
    if code is None or code >= 0:
        return None
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
