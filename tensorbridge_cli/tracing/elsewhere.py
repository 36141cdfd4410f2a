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
from tensorbridge_cli.tracing.launch import HIDING, OWN, Python

_STARTING = 60.0  # seconds
_ASK = (  # Python 2 can be asked, too
    "import sys; hides = sys.flags.ignore_environment | sys.flags.no_site;"
    "print('Python %d %d %d' % (sys.version_info[:2] + (hides,)))"
)


def python(other: Interpreter | None) -> Python:
    """Return how to start ``other``; ``None`` is the tool's own interpreter.

    Raises:
        UnavailableError: if it does not start here, is older than 3.9, or ignores its environment, with -E, -I or -S.
    """
    if other is None:
        return OWN
    variables = interpreter.without_ours(os.environ)
    *version, hides_us = _facts(other, variables)
    if tuple(version) < interpreter.OLDEST:
        actual, oldest = (".".join(map(str, one)) for one in (version, interpreter.OLDEST))
        raise UnavailableError(f"--python {other.name!r} is Python {actual}: {oldest} or newer is needed.")
    if hides_us:
        raise UnavailableError(f"--python {other.name!r} runs {HIDING}")
    return Python(other.words, variables)


def _facts(other: Interpreter, variables: dict[str, str]) -> list[int]:
    """Return the two numbers of an interpreter's version, and 1 if it ignores its environment, else 0.

    It says so itself; what else it prints at its start is skipped.

    Raises:
        UnavailableError: if it says none.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the user's
            other.command("-c", _ASK), env=variables, stdin=subprocess.DEVNULL, capture_output=True, timeout=_STARTING
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"--python {other.name!r} did not start: {error}.") from error
    match = re.search(rb"^Python (\d+) (\d+) ([01])\s*$", done.stdout, re.MULTILINE)
    if match is None:
        why = last_line(done.stderr) or f"exit code {done.returncode}"
        raise UnavailableError(f"--python {other.name!r} did not start: {why.rstrip('.')}.")
    return [*map(int, match.groups())]
