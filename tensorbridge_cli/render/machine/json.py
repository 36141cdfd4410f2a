"""The report as one indented JSON document, in the order of the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorbridge_cli import encoding
from tensorbridge_cli.printable import escape_json
from tensorbridge_cli.records.report import Report
from tensorbridge_cli.render import View

if TYPE_CHECKING:
    from tensorbridge_cli.diff.cells import Comparison
    from tensorbridge_cli.diff.environments import Inspections, SideBySide
    from tensorbridge_cli.diff.traces import TraceComparison
    from tensorbridge_cli.records.trace import Trace


def render(report: Report, _view: View) -> str:
    """Return ``report`` as JSON, indented by two."""
    return _indented(report)


def changes(comparison: Comparison, _view: View) -> str:
    """Return ``comparison`` as JSON, indented by two."""
    return _indented(comparison)


def trace(traced: Trace, _view: View) -> str:
    """Return ``traced`` as JSON, indented by two."""
    return _indented(traced)


def trace_changes(comparison: TraceComparison, _view: View) -> str:
    """Return ``comparison`` as JSON, indented by two."""
    return _indented(comparison)


def inspections(inspected: Inspections, view: View) -> str:
    """Return the cells of several environments, side by side, as JSON, indented by two."""
    return side_by_side(inspected.compared, view)


def side_by_side(compared: SideBySide, _view: View) -> str:
    """Return ``compared`` as JSON, indented by two."""
    return _indented(compared)


def _indented(record: object) -> str:
    return escape_json(encoding.indented(record)) + "\n"
