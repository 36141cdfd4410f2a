"""What older Pythons are given does what this one's own does."""

import dataclasses
import enum
import importlib.util
import itertools
import operator
import sys
import traceback
from typing import Any

import pytest

from tensorbridge_cli import compat


@pytest.fixture(scope="module")
def old():
    """The module as Python 3.9 sees it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "version_info", (3, 9, 0))
        spec = importlib.util.spec_from_file_location("compat_of_old", compat.__file__)
        module = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        yield module


def test_every_name_is_this_pythons_own():
    assert compat.StrEnum is enum.StrEnum
    assert compat.dataclass is dataclasses.dataclass


def test_a_text_that_is_one_of_several(old):
    ours, theirs = (kind("Colour", {"RED": "red"}) for kind in (old.StrEnum, enum.StrEnum))
    assert str(ours.RED) == f"{ours.RED}" == "red" == ours.RED
    assert f"{ours.RED:>5}" == f"{theirs.RED:>5}"
    assert ours("red") is ours.RED


def points(dataclass):
    """Return a class whose field without a default comes after one with it, as only Python 3.10 can write it."""

    @dataclass(frozen=True, kw_only=True, slots=True)
    class Point:
        x: int = 0
        marks: list[int] = dataclasses.field(default_factory=list)
        y: int

        def __post_init__(self) -> None:
            assert self.y >= 0

    return Point


ARGUMENTS: list[dict[str, Any]] = [
    {"y": 1},
    {"x": 2, "y": 1},
    {"y": 1, "marks": [3]},
    {},
    {"x": 1},
    {"y": 1, "z": 2},
    {"y": -1},
]


@pytest.mark.parametrize("values", ARGUMENTS)
def test_a_dataclass_that_is_made_by_keyword(old, values):
    def made(dataclass):
        try:
            point = points(dataclass)(**values)
        except (TypeError, AssertionError) as error:
            return type(error)
        with pytest.raises(dataclasses.FrozenInstanceError):
            point.x = 3
        return repr(point).rpartition(".")[2], point == points(dataclass)(**values), compat.values(point)

    assert made(old.dataclass) == made(dataclasses.dataclass)


def test_a_factory_makes_a_value_each_time(old):
    point = points(old.dataclass)
    assert point(y=1).marks is not point(y=1).marks


def test_a_dataclass_without_options(old):
    @old.dataclass
    class Point:
        x: int
        y: int = 2

    assert (Point(1), Point(1, 3).y) == (Point(x=1, y=2), 3)


@pytest.mark.parametrize("names", [(), ("x",), ("x", "y")])
def test_the_values_of_a_dataclass(names):
    numbers = dict(zip(names, range(2), strict=False))
    assert compat.values(dataclasses.make_dataclass("Point", names)(**numbers)) == numbers


@pytest.mark.parametrize("lists", list(itertools.product([[], [1], [1, 2]], repeat=2)))
def test_lists_of_one_length(old, lists):
    try:
        expected = list(zip(*lists, strict=True))
    except ValueError:
        with pytest.raises(ValueError, match=f"{len(lists[0])} and {len(lists[1])} items"):
            list(old.zip_equal(*lists))
    else:
        assert list(old.zip_equal(*lists)) == expected
    assert list(old.zip_equal(iter("ab"), iter("cd"))) == [("a", "c"), ("b", "d")]


def test_bits():
    for number in (0, 1, 255, 256, 2**70 - 1, -3):
        assert compat.bit_count(number) == number.bit_count()


def test_a_traceback():
    with pytest.raises(ZeroDivisionError) as raised:
        operator.truediv(1, 0)
    assert compat.format_exception(raised.value) == "".join(traceback.format_exception(raised.value))
