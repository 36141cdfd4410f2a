"""What an installation brings along: the command's own libraries, and neither NumPy nor PyTorch."""

import re

import pytest
import yaml

import tensorbridge_cli
from tensorbridge_cli import toml
from tensorbridge_cli.lab.server import too_old
from tensorbridge_cli.tracing.inside.counting import SWITCH
from tests.warm import ROOT

PROJECT = toml.read((ROOT / "pyproject.toml").read_bytes())["project"]
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


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_the_oldest_that_is_inspected_is_that_of_the_extra(name):
    major, minor = named(PROJECT["optional-dependencies"]["torch"])[name].removeprefix(">=").split(".")[:2]
    assert too_old(name, f"{major}.{minor}.0+cpu") is None
    assert too_old(name, f"{int(major) + 9}.0.0rc1") is None
    assert too_old(name, "unknown") is None
    assert f"{name} {major}.{minor} is the oldest" in too_old(name, f"{major}.{int(minor) - 1}.9")


def test_conda_has_what_pip_has():
    run = named(RECIPE["requirements"]["run"])
    assert run.pop("python") == PROJECT["requires-python"]
    assert run == named(PROJECT["dependencies"])
    assert RECIPE["context"]["version"] == tensorbridge_cli.__version__
    assert RECIPE["about"]["summary"] == PROJECT["description"]


def test_conda_builds_with_what_pip_builds_with_but_for_the_compiler():
    needed = named(toml.read((ROOT / "pyproject.toml").read_bytes())["build-system"]["requires"])
    assert needed.keys() == {"hatchling", "setuptools"}
    host = named(RECIPE["requirements"]["host"])
    assert host["hatchling"] == needed["hatchling"]
    # a package of no architecture has nothing compiled, so setuptools is not needed
    assert RECIPE["build"]["noarch"] == "python"
    assert RECIPE["build"]["script"]["env"] == {SWITCH: "0"}
    assert "setuptools" not in host


def test_wheels_are_built_for_each_python_and_never_without_the_compiled_part():
    building = toml.read((ROOT / "pyproject.toml").read_bytes())["tool"]["cibuildwheel"]
    versions = re.findall(r"Python :: (3)\.(\d+)", "\n".join(PROJECT["classifiers"]))
    assert building["build"].split() == [f"cp{major}{minor}-*" for major, minor in versions]
    assert building["environment"] == {SWITCH: "1"}


def test_conda_has_the_same_commands():
    points = dict(text.split(" = ") for text in RECIPE["build"]["python"]["entry_points"])
    assert points == PROJECT["scripts"]


@pytest.mark.parametrize("name", ["tensorbridge", "tensorbridge-cli"])
def test_both_names_are_the_command(name):
    assert PROJECT["scripts"][name] == "tensorbridge_cli.__main__:main"
