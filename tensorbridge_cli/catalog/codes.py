"""The short codes of hazards (TB1..) and of findings of ``trace`` (TB2..), each with the name that it stands for."""

from __future__ import annotations

from tensorbridge_cli.catalog.hazards import BY_NAME
from tensorbridge_cli.records.codes import FINDINGS as FINDINGS
from tensorbridge_cli.records.codes import is_code as is_code
from tensorbridge_cli.records.codes import labelled as labelled

HAZARDS: dict[str, str] = {name: hazard.code for name, hazard in BY_NAME.items()}

NAMES: dict[str, str] = {code: name for table in (HAZARDS, FINDINGS) for name, code in table.items()}
"""The name that each code stands for; a hazard and a finding may share one."""


def name_of(text: str) -> str:
    """Return the name that ``text`` is the code of, in any case; ``text`` itself if it is not a code."""
    return NAMES.get(text.upper(), text)
