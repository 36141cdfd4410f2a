"""A message is read as what was sent, and anything else is no message."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from tensorbridge_cli.compat import StrEnum
from tensorbridge_cli.lab import wire


class Colour(StrEnum):
    RED = "red"


@dataclasses.dataclass(frozen=True)
class Circle(wire.Tagged):
    radius: float


@dataclasses.dataclass(frozen=True)
class Square(wire.Tagged):
    side: int


@dataclasses.dataclass(frozen=True)
class Drawing:
    shape: Circle | Square
    colour: Annotated[Colour, "of the line"]
    place: Path
    corners: tuple[int, str]
    marks: Sequence[int] = ()
    names: frozenset[str] = frozenset()
    style: Literal["thin", "thick"] = "thin"
    title: str | None = None
    parts: tuple[Drawing, ...] = ()


@dataclasses.dataclass(frozen=True)
class Frame:
    width: int
    within: Frame | None = None


@dataclasses.dataclass(frozen=True)
class Exhibition(wire.Tagged):
    frame: Frame | None
    place: Path
    lines: tuple[Annotated[Colour, "of a line"], ...]
    rooms: frozenset[str]
    visitors: int
    share: float
    names: dict[str, Any]


SMALL = Drawing(Circle(0.5), Colour.RED, Path("a/b"), (1, "ä"))
LARGE = Drawing(
    Square(3), Colour.RED, Path("/"), (2, ""), (1, 2), frozenset({"x", "y"}), style="thick", title="t", parts=(SMALL,)
)


@pytest.mark.parametrize("drawing", [SMALL, LARGE])
def test_what_is_read_is_what_was_sent(drawing: Drawing) -> None:
    assert wire.decode(wire.encode(drawing), Drawing) == drawing


@pytest.mark.parametrize(
    "message",
    [
        Exhibition(
            Frame(2, Frame(1)),
            Path("ä/b"),
            (Colour.RED,),
            frozenset({"b", "a"}),
            2**70,
            2.5e-05,
            {"n": None, "t": (True,)},
        ),
        Exhibition(None, Path("."), (), frozenset(), -1, 1.0, {}),
    ],
)
def test_many_are_written_as_one_is(message: Exhibition) -> None:
    encode = wire.encoder_of_many()
    assert encode is not wire.encode
    assert plain(encode(message)) == plain(wire.encode(message))


def plain(body: bytes) -> Any:
    """Return what JSON says, without the order of a set."""
    document = json.loads(body)
    return {**document, "rooms": sorted(document["rooms"])}


def test_a_text_that_is_not_unicode_is_refused_by_both() -> None:
    message = Exhibition(None, Path("."), (), frozenset({"\udc80"}), 0, 0.0, {})
    for encode in (wire.encode, wire.encoder_of_many()):
        with pytest.raises(UnicodeEncodeError):
            encode(message)


def test_a_field_that_is_not_sent_has_its_default_and_one_that_is_unknown_is_left_out() -> None:
    sent = json.loads(wire.encode(SMALL))
    del sent["title"], sent["parts"], sent["marks"]
    assert wire.convert({**sent, "of a newer version": 1}, Drawing) == SMALL


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("corners", [1], r"corners: \[1\] is not a list of 2"),
        ("corners", "1ä", "corners: '1ä' is not a list of 2"),
        ("corners", [True, "ä"], "corners: True is not a int"),
        ("marks", {"0": 1}, "marks: {'0': 1} is not a list"),
        ("marks", [1, 2.0], "marks: 2.0 is not a int"),
        ("names", [1], "names: 1 is not a str"),
        ("place", 1, "place: 1 is not a str"),
        ("style", "fat", "style: 'fat' is not one of"),
        ("title", 1, "title: 1 is not a str"),
        ("colour", "blue", "ValueError: 'blue' is not a valid"),
        ("shape", {"radius": 1.0}, "KeyError: 'is'"),
        ("shape", {"is": "Path", "radius": 1.0}, "KeyError: 'Path'"),
        ("shape", {"is": "Circle", "radius": "1"}, "shape: radius: '1' is not a float"),
        ("shape", {"is": "Circle"}, "TypeError: .*radius"),
        ("parts", [3], "parts: 3 is not a Drawing"),
    ],
)
def test_a_value_of_another_type_is_refused(field: str, value: Any, sentence: str) -> None:
    with pytest.raises(wire.WireError, match=sentence):
        wire.convert({**json.loads(wire.encode(LARGE)), field: value}, Drawing)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"[]", b"null"])
def test_what_is_no_json_or_no_record_is_refused(body: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(body, Drawing)
