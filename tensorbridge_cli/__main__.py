"""``python -m tensorbridge_cli``, and the ``tensorbridge`` command."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from tensorbridge_cli.cli import app

    app(prog_name="tensorbridge")


if __name__ == "__main__":
    main()
