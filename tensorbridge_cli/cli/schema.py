"""``tensorbridge schema``."""

from __future__ import annotations

from tensorbridge_cli.cli import app, terminal
from tensorbridge_cli.cli.command import Command


@app.command(cls=Command)
def schema() -> None:
    """Print the JSON Schema of a report."""
    import json

    from tensorbridge_cli.model import json_schema

    terminal.say(json.dumps(json_schema(), indent=2) + "\n")
