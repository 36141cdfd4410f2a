"""The report as one indented JSON document, in the order of the schema."""

from __future__ import annotations

import msgspec

from tensorbridge_cli.model import Report, encode
from tensorbridge_cli.render import View


def render(report: Report, _view: View) -> str:
    """Return ``report`` as JSON, indented by two."""
    return msgspec.json.format(encode(report), indent=2).decode() + "\n"
