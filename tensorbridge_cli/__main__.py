"""``python -m tensorbridge_cli``, and the ``tensorbridge`` command."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, nullcontext


def main() -> None:
    """Run the command line."""
    # a closed output is None, which nothing that writes expects
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - open to the end
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115 - open to the end
    with _program() if sys.argv[1:2] == ["trace"] else nullcontext():
        try:
            from tensorbridge_cli.cli import app
        except KeyboardInterrupt:
            sys.exit(130)
        app(prog_name="tensorbridge")


def _program() -> AbstractContextManager[None]:
    from tensorbridge_cli.tracing import early

    return early.begun(sys.argv[2:])


if __name__ == "__main__":
    main()
