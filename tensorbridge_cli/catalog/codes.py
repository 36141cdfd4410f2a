"""The short codes of hazards (TB1..) and of findings of ``trace`` (TB2..), each with the name that it stands for."""

from __future__ import annotations

from tensorbridge_cli.catalog.hazards import BY_NAME
from tensorbridge_cli.records.codes import FINDINGS as FINDINGS
from tensorbridge_cli.records.codes import GONE, RENAMED
from tensorbridge_cli.records.codes import is_code as is_code
from tensorbridge_cli.records.codes import labelled as labelled

HAZARDS: dict[str, str] = {name: hazard.code for name, hazard in BY_NAME.items()}

NAMES: dict[str, str] = {code: name for table in (HAZARDS, FINDINGS) for name, code in table.items()}
"""The name that each code stands for; a hazard and a finding may share one."""


def name_of(text: str) -> str:
    """Return the name that ``text`` is the code of, in any case; ``text`` itself if it is not a code."""
    return finding_of(text) if is_code(text) else text


def finding_of(text: str) -> str:
    """Return the same of what names a finding, which may have an old name: one that is the name of a state, too."""
    return RENAMED.get(_as_written(text), _as_written(text))


def renamed(text: str) -> str | None:
    """Return what to say of a name, or of its code, that is an old one; None if it is not."""
    old = _as_written(text)
    return f"{old} is now {RENAMED[old]}: the old name works for one more release." if old in RENAMED else None


def _as_written(text: str) -> str:
    return {**NAMES, **GONE}.get(text.upper(), text)
