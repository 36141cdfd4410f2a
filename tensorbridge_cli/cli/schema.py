"""``tensorbridge schema``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from tensorbridge_cli import encoding
from tensorbridge_cli.catalog import hazards
from tensorbridge_cli.cli import app, terminal
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.diff.environments import SideBySide
from tensorbridge_cli.errors import one_of
from tensorbridge_cli.records.trace import Trace

OF = ("report", "trace", "environments")


@app.command(cls=Command)
def schema(
    of: Annotated[
        str, typer.Argument(metavar="|".join(OF), help="Which schema (default: report).", autocompletion=lambda: OF)
    ] = "report",
) -> None:
    """Run ``tensorbridge schema``; ``COMMANDS`` has the first sentence of its help."""
    one_of("schema", of, OF)
    if of == "report":
        document = encoding.report_schema(hazards.BY_NAME)
    else:
        document = encoding.schema(Trace if of == "trace" else SideBySide)
    terminal.say(json.dumps(document, indent=2) + "\n")
