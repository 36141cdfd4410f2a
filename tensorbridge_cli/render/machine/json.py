"""A record as one indented JSON document, in the order of the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorbridge_cli import encoding
from tensorbridge_cli.printable import escape_json
from tensorbridge_cli.render import View

if TYPE_CHECKING:
    from tensorbridge_cli.diff.environments import Inspections


def render(record: object, _view: View) -> str:
    """Return ``record`` as JSON, indented by two."""
    return escape_json(encoding.indented(record)) + "\n"


changes = trace = trace_changes = side_by_side = render


def inspections(inspected: Inspections, view: View) -> str:
    """Return the cells of several environments, side by side, as JSON, indented by two."""
    return render(inspected.compared, view)
