"""What the tests of remedies share."""

from __future__ import annotations

from typing import Any

from tensorbridge_cli.records.enums import Outcome
from tensorbridge_cli.records.report import Hazard, Raised, Row
from tests.render.tools import row


def problem(*codes: str, **changes: Any) -> Row:
    """A row with these hazards; with none, a refusal."""
    if codes:
        return row(hazards=tuple(Hazard(code=code, detail="") for code in codes), **changes)
    return row(outcome=Outcome.REFUSED, error=Raised(type="TypeError", message=""), **changes)
