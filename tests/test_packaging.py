"""What an installation brings along: the command's own libraries, and neither NumPy nor PyTorch."""

import re

import pytest
import yaml

import tensorbridge_cli
from tensorbridge_cli import toml
from tests.warm import ROOT

PROJECT = toml.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RECIPE = yaml.safe_load((ROOT / "packaging" / "conda" / "recipe.yaml").read_text(encoding="utf-8"))


def named(requirements):
    """Return the bounds of requirements by name, without markers: ``rich>=14`` is ``{"rich": ">=14"}``."""
    parts = (re.fullmatch(r"([\w-]+) ?([^;]*?)(?:;.*)?", text) for text in requirements)
    return {part[1]: part[2].strip() for part in parts}


def test_neither_library_is_installed_unless_the_extra_asks():
    assert named(PROJECT["dependencies"]).keys().isdisjoint({"numpy", "torch"})
    assert named(PROJECT["optional-dependencies"]["torch"]).keys() == {"numpy", "torch"}


def test_no_version_is_too_new_for_the_extra():
    assert all(re.fullmatch(r">=[\d.]+", bound) for bound in named(PROJECT["optional-dependencies"]["torch"]).values())


def test_conda_has_what_pip_has():
    run = named(RECIPE["requirements"]["run"])
    assert run.pop("python") == PROJECT["requires-python"]
    assert run == named(PROJECT["dependencies"])
    assert RECIPE["context"]["version"] == tensorbridge_cli.__version__
    assert RECIPE["about"]["summary"] == PROJECT["description"]


def test_conda_has_the_same_commands():
    points = dict(text.split(" = ") for text in RECIPE["build"]["python"]["entry_points"])
    assert points == PROJECT["scripts"]


@pytest.mark.parametrize("name", ["tensorbridge", "tensorbridge-cli"])
def test_both_names_are_the_command(name):
    assert PROJECT["scripts"][name] == "tensorbridge_cli.__main__:main"
