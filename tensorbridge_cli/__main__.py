"""``python -m tensorbridge_cli``, and the ``tensorbridge`` command."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line."""
    # a closed output is None, which nothing that writes expects
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - open to the end
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115 - open to the end
    try:
        from tensorbridge_cli.cli import app
    except KeyboardInterrupt:
        sys.exit(130)
    app(prog_name="tensorbridge")


if __name__ == "__main__":
    main()
