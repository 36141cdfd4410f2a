"""The report as one indented JSON document, in the order of the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tensorbridge_cli.model import Report, encode
from tensorbridge_cli.render import View

if TYPE_CHECKING:
    from tensorbridge_cli.compare import Comparison
    from tensorbridge_cli.traced import Trace


def render(report: Report, _view: View) -> str:
    """Return ``report`` as JSON, indented by two."""
    return msgspec.json.format(encode(report), indent=2).decode() + "\n"


def changes(comparison: Comparison, _view: View) -> str:
    """Return ``comparison`` as JSON, indented by two."""
    return msgspec.json.format(msgspec.json.encode(comparison), indent=2).decode() + "\n"


def trace(found: Trace, _view: View) -> str:
    """Return ``found`` as JSON, indented by two."""
    return msgspec.json.format(encode(found), indent=2).decode() + "\n"
