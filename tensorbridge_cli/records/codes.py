"""The short code of each hazard (TB1..) and of each finding of ``trace`` (TB2..), beside its name.

A code is accepted wherever the name is. It never moves and is never used again: a new hazard or finding takes the next
free number, and ``docs/codes.md`` keeps those of names that are gone. Nothing is imported here.
"""

from __future__ import annotations

HAZARDS: dict[str, str] = {
    "values-changed": "TB101",
    "dtype-reinterpreted": "TB102",
    "dtype-changed": "TB103",
    "shape-changed": "TB104",
    "readonly-dropped": "TB105",
    "write-kills": "TB106",
    "copy-flag-broken": "TB107",
    "grad-lost": "TB108",
    "grad-wrong": "TB109",
    "mask-lost": "TB110",
    "subclass-lost": "TB111",
    "elements-overlap": "TB112",
    "misaligned": "TB113",
    "nested-objects-shared": "TB114",
    "owner-not-kept": "TB115",
    "warned-once-only": "TB116",
    "global-state-changed": "TB117",
    "evidence-conflicts": "TB118",
    "source-changed": "TB119",
    "source-moved": "TB120",
    "written-though-refused": "TB121",
    "storage-larger": "TB122",
    "uninitialized": "TB123",
}

FINDINGS: dict[str, str] = {
    "avoidable-copy": "TB201",
    "list-of-arrays": "TB202",
    "element-by-element": "TB203",
    "storage-larger": "TB204",
    "repeated-copy": "TB205",
    "dtype-there-and-back": "TB206",
    "round-trip": "TB207",
    "readonly-dropped": "TB208",
    "alias-written": "TB209",
    "buffer-stored-twice": "TB210",
    "source-moved": "TB211",
    "loop-invariant": "TB212",
}

NAMES: dict[str, str] = {code: name for table in (HAZARDS, FINDINGS) for name, code in table.items()}
"""The name that each code stands for; a hazard and a finding may share one."""


def name_of(text: str) -> str:
    """Return the name that ``text`` is the code of, in any case; ``text`` itself if it is not a code."""
    return NAMES.get(text.upper(), text)


def is_code(text: str) -> bool:
    """Return True if ``text`` is written as a code, of whatever number."""
    return text[:2].upper() == "TB" and text[2:].isdecimal()


def labelled(name: str, code: str | None) -> str:
    """Return ``name`` with its code beside it, if it has one."""
    return f"{name} ({code})" if code else name
