"""A program is traced by another interpreter than the tool's own, in an environment where nothing of ours is installed.

The hooks need Python 3.9 and its standard library; ``inside/start`` finds them beside itself, in the tool's own folder.
"""

from __future__ import annotations

import os
import re
import subprocess

from tensorbridge_cli.errors import UnavailableError
from tensorbridge_cli.lab import interpreter
from tensorbridge_cli.lab.interpreter import Interpreter
from tensorbridge_cli.lab.stderr_tail import last_line
from tensorbridge_cli.tracing.launch import OWN, Python

_STARTING = 60.0  # seconds
_ASK = "import sys; print('Python %d %d' % sys.version_info[:2])"


def python(other: Interpreter | None) -> Python:
    """Return how to start ``other``; ``None`` is the tool's own interpreter.

    Raises:
        UnavailableError: if it does not start here, or is older than 3.9.
    """
    if other is None:
        return OWN
    variables = interpreter.without_ours(os.environ)
    version = _version(other, variables)
    if version < interpreter.OLDEST:
        actual, oldest = (".".join(map(str, one)) for one in (version, interpreter.OLDEST))
        raise UnavailableError(f"--python {other.name!r} is Python {actual}: {oldest} or newer is needed.")
    return Python(other.words, variables)


def _version(other: Interpreter, variables: dict[str, str]) -> tuple[int, int]:
    """Return the version of an interpreter, as it says itself; what else it prints at its start is skipped.

    Raises:
        UnavailableError: if it says none.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the user's
            other.command("-c", _ASK), env=variables, stdin=subprocess.DEVNULL, capture_output=True, timeout=_STARTING
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"--python {other.name!r} did not start: {error}.") from error
    match = re.search(rb"^Python (\d+) (\d+)\s*$", done.stdout, re.MULTILINE)
    if match is None:
        why = last_line(done.stderr) or f"exit code {done.returncode}"
        raise UnavailableError(f"--python {other.name!r} did not start: {why.rstrip('.')}.")
    return int(match[1]), int(match[2])
