"""Every name that can be typed is completed, as the script of each shell asks for it."""

import pytest

from tensorbridge_cli.catalog import codes, dtypes, layouts, registry, states
from tensorbridge_cli.explain import pages
from tensorbridge_cli.render import CHANGES, FORMATS, TABLES
from tests.cli.tools import run

SHELLS = ("bash", "zsh", "fish")
NAMES = {
    "inspect ": [entry.name for entry in registry.CONVERSIONS],
    "inspect --dtype ": [entry.name for entry in dtypes.DTYPES],
    "inspect --layout ": [entry.name for entry in layouts.LAYOUTS],
    "inspect --state ": [entry.name for entry in states.STATES],
    "inspect --group ": list(registry.groups()),
    "matrix --format ": [entry.name for entry in FORMATS],
    "diff a b --format ": [entry.name for entry in CHANGES],
    "merge a b --format ": [entry.name for entry in TABLES],
    "explain ": list(pages.names()),
    "explain --format ": ["table", "markdown", "tsv", "json"],
    "list --format ": ["table", "tsv", "json"],
    "inspect --device ": ["cpu", "meta", "cuda", "mps"],
    "check --expect ": ["shared", "dtype=", "no-hazard", "no-hazard=readonly-dropped", "documented"],
    "trace --select ": [*codes.FINDINGS, *codes.FINDINGS.values()],
    "trace --ignore ": [*codes.FINDINGS, *codes.FINDINGS.values()],
    "trace --fail-on ": ["copied-bytes=", "calls=", "hazard=readonly-dropped", "finding=any", "finding=TB201"],
    "list ": ["conversions", "dtypes", "layouts", "states", "groups", "hazards"],
}


def completed(shell, line):
    done = run(
        _TENSORBRIDGE_COMPLETE=f"complete_{shell}",
        COMP_WORDS=f"tensorbridge {line}",
        COMP_CWORD=str(len(line.split()) + line.endswith(" ")),
        _TYPER_COMPLETE_ARGS=f"tensorbridge {line}",
        _TYPER_COMPLETE_FISH_ACTION="get-args",
    )
    assert done.stderr == ""
    return done.stdout.replace("\\", "")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("line", NAMES)
def test_every_name_is_completed(shell, line):
    text = completed(shell, line)
    assert [name for name in NAMES[line] if name not in text] == []


@pytest.mark.parametrize("shell", SHELLS)
def test_what_was_begun_is_completed(shell):
    text = completed(shell, "inspect --layout rev")
    assert "reversed" in text
    assert "contiguous" not in text
