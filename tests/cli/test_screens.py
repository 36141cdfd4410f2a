"""What a terminal shows, whole, at each width: nothing is cut off, and no line is broken by the terminal."""

import re
import shlex

import pytest
import torch

from tensorbridge_cli.catalog import registry
from tests.cli.tools import PROGRESS, screen
from tests.render.tools import matches

SCREENS = {
    "start": "",
    "help": "--help",
    "inspect-help": "inspect --help",
    "list": "list",
    "list-layouts": "list layouts",
    "explain-conversion": "explain from_numpy",
    "explain-hazard": "explain readonly-dropped",
    "env": "env",
    "demo-rebinding": "demo rebinding",
    "inspect": "inspect",
    "picture": "inspect from_numpy --layout non-contiguous --picture",
}
WIDE = {"inspect-all": "inspect --all", "matrix": "matrix --group classic --layout all"}
ADDRESS = re.compile(r"0x[0-9a-f]+|(?<= {2})[0-9a-f]{6}$", re.MULTILINE)  # the second is the rest of a folded one
VERSIONS = re.compile(r"\(numpy [^)]*\)", re.DOTALL)
FACT = re.compile(r"^(\S+(?: \S+)?) {2,}.*$", re.MULTILINE)
BY_THE_WORD = re.compile(r"https://|^ {2}tensorbridge ")  # addresses and examples are copied whole


def shown(command, width):
    """The screen without what differs from one run or installation to the next."""
    text = PROGRESS.sub("", screen(*shlex.split(command), width=width, NO_COLOR="1"))
    if command == "env":
        return FACT.sub(r"\1  …", text)
    return VERSIONS.sub("(versions)", ADDRESS.sub(lambda found: "…" * len(found[0]), text))


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", SCREENS)
def test_a_screen(name, width):
    if name == "list" and not all(map(registry.is_installed, registry.CONVERSIONS)):
        pytest.skip("a library of the catalogue is not installed, and what needs it is listed as absent")
    text = shown(SCREENS[name], width)
    too_long = [line for line in text.splitlines() if len(line) > width and not BY_THE_WORD.search(line)]
    assert not too_long
    assert matches(f"screen.{name}.{width}", text)


@pytest.mark.skipif(not torch.__version__.startswith("2.13."), reason="shows what torch 2.13 does")
@pytest.mark.parametrize("name", WIDE)
def test_a_wide_screen(name):
    text = shown(WIDE[name], 200)
    assert max(map(len, text.splitlines())) <= 200
    assert matches(f"screen.{name}.200", text)
