"""``tensorbridge schema``."""

from __future__ import annotations

from typing import Annotated

import typer

from tensorbridge_cli.catalog import hazards
from tensorbridge_cli.cli import app, terminal
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.errors import one_of

OF = ("report", "trace")


@app.command(cls=Command)
def schema(
    of: Annotated[
        str, typer.Argument(metavar="|".join(OF), help="Which schema (default: report).", autocompletion=lambda: OF)
    ] = "report",
) -> None:
    """Print the JSON Schema of a report, or of a program's trace."""
    import json

    from tensorbridge_cli import encoding

    one_of("schema", of, OF)
    document = encoding.report_schema(hazards.BY_NAME) if of == "report" else encoding.trace_schema()
    terminal.say(json.dumps(document, indent=2) + "\n")
