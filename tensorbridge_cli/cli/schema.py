"""``tensorbridge schema``: the records of a trace, or of several environments, are imported for their schema alone."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from tensorbridge_cli import encoding
from tensorbridge_cli.catalog import hazards
from tensorbridge_cli.cli import app, terminal
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.errors import one_of

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
    elif of == "trace":
        from tensorbridge_cli.records.trace import Trace

        document = encoding.schema(Trace)
    else:
        from tensorbridge_cli.diff.environments import SideBySide

        document = encoding.schema(SideBySide)
    terminal.say(json.dumps(document, indent=2) + "\n")
