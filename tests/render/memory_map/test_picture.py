"""The verbs of these tests: the ``extent`` of an array, ``pictured`` as a row whose objects lie so, ``draw`` it."""

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from rich.cells import cell_len

from tensorbridge_cli.records.enums import Outcome
from tensorbridge_cli.records.report import Extent, Extents
from tensorbridge_cli.render.memory_map.buffers import buffers, portion
from tensorbridge_cli.render.memory_map.drawing import MOST_BUFFERS, drawings
from tensorbridge_cli.render.memory_map.picture import GAP, lines
from tensorbridge_cli.render.memory_map.picture_svg import svg
from tests.render.tools import flat, load, matches, row, show

BASE = 0x55D0C0DE0000
ELSEWHERE = 0x55D0C0DF0000
SVG = "{http://www.w3.org/2000/svg}"


def owner(array):
    return array if array.base is None else owner(array.base)


def extent(array, at=BASE, part="", storage=None):
    """Say where ``array`` lies, had its owner been allocated at ``at``; ``storage`` bounds the owner otherwise."""
    own = owner(array)
    origin = own.__array_interface__["data"][0]
    low, high = np.lib.array_utils.byte_bounds(array) if array.size else (array.__array_interface__["data"][0],) * 2
    start, stop = low - origin, high - origin
    kept = storage or (0, own.nbytes)
    return Extent(
        part=part,
        start=hex(at + start),
        stop=hex(at + stop),
        storage_start=hex(at + kept[0]),
        storage_stop=hex(at + kept[1]),
        strides=array.strides,
        shape=array.shape,
        itemsize=array.itemsize,
    )


def held(first):
    return {"shape": first.shape, "nbytes": math.prod(first.shape) * first.itemsize}


def pictured(ours, theirs=(), /, **changes):
    """Return a row of these extents, one or several an object; where there is no result, it was refused."""
    ours, theirs = ((found,) if isinstance(found, Extent) else tuple(found) for found in (ours, theirs))
    there = {"source": held(ours[0])} if ours else {}
    there |= {"result": held(theirs[0])} if theirs else {"result": None, "outcome": Outcome.REFUSED}
    return row(evidence={"extents": Extents(source=ours, result=theirs)}, **(there | changes))


def shared(array):
    return pictured(extent(array), extent(array))


def copied(array):
    return pictured(extent(array), extent(np.empty(array.shape, array.dtype), ELSEWHERE), outcome=Outcome.COPIED)


def draw(row_, width=80):
    return [line.plain for line in lines("f", row_, width)]


def floats(*shape):
    return np.zeros(shape, np.float32)


def huge():
    """Every other column of 7.2 GB that are never allocated."""
    whole = Extent(
        part="",
        start=hex(BASE),
        stop=hex(BASE + 7_199_999_996),
        storage_start=hex(BASE),
        storage_stop=hex(BASE + 7_200_000_000),
        strides=(240_000, 8),
        shape=(30_000, 30_000),
        itemsize=4,
    )
    return pictured(whole, whole)


A = floats(4, 3)
PARTS = {"values": floats(5), "indices": np.zeros((2, 5), np.int64)}
SCENES = {
    "contiguous": shared(A),
    "every other column": shared(floats(4, 6)[:, ::2]),
    "a copy": copied(floats(4, 6)[:, ::2]),
    "reversed": pictured(extent(A[::-1])),
    "crashed": pictured(extent(A[::-1]), outcome=Outcome.CRASHED),
    "broadcast": copied(as_strided(floats(1, 3), (4, 3), (0, 4))),
    "a sliding window": shared(sliding_window_view(floats(6), 3)),
    "a field of a record": shared(np.zeros((4, 3), [("left", "f4"), ("right", "f4")])["right"]),
    "transposed": shared(floats(3, 4).T),
    "byte-swapped": pictured(extent(A), subject={"layout": "byte-swapped"}),
    "unaligned": shared(np.zeros(49, np.uint8)[1:].view(np.float32).reshape(4, 3)),
    "a storage that starts at the view": pictured(extent(floats(6)[2:]), extent(floats(6)[2:], storage=(8, 24))),
    "of another item size": pictured(extent(floats(4)), extent(floats(4).view(np.uint8))),
    "0-d": shared(np.array(1.0)),
    "empty": shared(floats(4)[2:2]),
    "elements without bytes": shared(np.zeros(3, [("nothing", "V0"), ("number", "f4")])["nothing"]),
    "without bytes": shared(floats(0)),
    "without address": pictured((), outcome=Outcome.UNDECIDABLE),
    "sparse": pictured(
        [extent(array, BASE + 4096 * nth, part) for nth, (part, array) in enumerate(PARTS.items())],
        [extent(array, BASE + 4096 * nth, part) for nth, (part, array) in enumerate(PARTS.items())],
    ),
    "a list of rows": pictured(
        [extent(A[nth], part=f"[{nth}]") for nth in range(4)],
        extent(A, ELSEWHERE),
        outcome=Outcome.COPIED,
    ),
    "packed": pictured(extent(np.zeros(2, np.uint8)), source={"shape": (4,)}),
    "no room for indexes": shared(floats(4, 25)),
    "large": huge(),
    "large and hardly reached": shared(np.zeros(10**6, np.uint8)[:500:7]),
}
each_scene = pytest.mark.parametrize("scene", SCENES)


def gallery(width):
    return "\n".join(line for name, row_ in SCENES.items() for line in [f"# {name}", *draw(row_, width)])


@pytest.mark.parametrize("width", [40, 60, 80, 120, None])
def test_whole_pictures(width):
    assert matches(f"pictures.{width or 'pipe'}", gallery(width))


@each_scene
@pytest.mark.parametrize("width", [40, 47, 60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal_or_ends_in_a_space(scene, width):
    drawn = draw(SCENES[scene], width)
    assert max(map(cell_len, drawn)) <= width
    assert drawn == [line.rstrip() for line in drawn]


# Which bytes -------------------------------------------------------------------------------------


@st.composite
def views(draw):
    """A view of a buffer, as slicing, reversing, transposing, reshaping and windows make them, of odd item sizes."""
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    dtype = draw(st.sampled_from(["u1", "u2", "u4", "u8", "V3", [("a", "u1"), ("b", "u4"), ("c", "u2")]]))
    array = np.zeros(shape, dtype)
    if array.dtype.names:
        array = array[draw(st.sampled_from(array.dtype.names))]
    steps = st.sampled_from([-3, -2, -1, 1, 2, 3])
    array = array[tuple(slice(draw(st.none() | st.integers(-4, 4)), None, draw(steps)) for _ in shape)]
    array = array.transpose(draw(st.permutations(range(array.ndim))))
    if draw(st.booleans()) and array.size:
        length = draw(st.integers(1, array.shape[0]))
        array = sliding_window_view(array, length, axis=0, writeable=True)
    if draw(st.booleans()):
        array = as_strided(array, (draw(st.integers(1, 3)), *array.shape), (0, *array.strides))
    return array


def marks(array):
    """Return which bytes of its owner ``array`` reaches: those that writing to it changes."""
    own = owner(array)
    memory = np.ndarray(own.nbytes, np.uint8, buffer=own)
    memory[...] = 0
    for index in np.ndindex(array.shape):
        array[index] = np.frombuffer(b"\xff" * array.itemsize, array.dtype)[0]
    return (memory != 0).tolist()


def reached(drawn):
    """Read from the lines of one buffer, drawn byte for byte, which bytes the source reaches."""
    told = flat(" ".join(drawn))
    sizes = [int(size.replace(",", "")) for size in re.findall(r"([\d,]+) bytes?(?=: | per line)", told)]
    rows = [line[line.index("source ") + 7 :] for line in drawn if re.match(r" +[\d,]+ source ", line)]
    return [
        rows[byte // sizes[-1]][byte % sizes[-1] * len(rows[0]) // min(sizes[0], sizes[-1])] != GAP
        for byte in range(sizes[0])
    ]


@given(views())
def test_the_bytes_drawn_are_those_that_a_write_changes(array):
    drawn = draw(pictured(extent(array)), 100)
    assume("per cell" not in " ".join(drawn))
    assert reached(drawn) == marks(array)


@given(views(), st.integers(1, 40))
def test_each_cell_says_how_much_of_it_is_reached(array, cell):
    marked = marks(array)
    for buffer in buffers(pictured(extent(array))):
        for start in range(0, len(marked), cell):
            part = marked[start : start + cell]
            true = "all" if all(part) else "some" if any(part) else "gap"
            assert portion(buffer.lanes[0], start, start + len(part)) in (true, "unknown")


@given(views())
def test_each_index_stands_where_its_element_is(array):
    assume(array.size)
    own, at = owner(array), array.__array_interface__["data"][0] - owner(array).__array_interface__["data"][0]
    for drawing in drawings(buffers(pictured(extent(array)))[0], 10_000):
        assert drawing.cell is None
        assert own.nbytes == drawing.stop
        for strip in drawing.strips:
            for piece in strip.lanes[0][1]:
                if piece.opens and re.fullmatch(r"[\d:,]+", piece.label):
                    index = [0 if axis == ":" else int(axis) for axis in piece.label.split(",")]
                    offset = at + sum(i * stride for i, stride in zip(index, array.strides, strict=True))
                    assert strip.offset + piece.start * min(drawing.line, drawing.stop) // drawing.width == offset


def test_a_large_one_is_scaled_says_so_and_shows_a_little_of_it_closer():
    drawn = draw(huge(), 80)
    assert "7,200,000,000 bytes: 33,554,432 bytes per cell, lower case" in flat(" ".join(drawn))
    assert "  zoom: from byte 0" in drawn
    assert drawn[-3].endswith("source [0,0]·····[0,1]·····[0,2]·····[0,3]·····")


def test_storages_that_overlap_are_one_buffer():
    whole = floats(6)
    [buffer] = buffers(pictured(extent(whole[:4], storage=(0, 16)), extent(whole[2:], storage=(8, 24))))
    assert (buffer.address, buffer.nbytes, len(buffer.lanes)) == (BASE, 24, 2)


def test_bytes_that_items_of_a_list_share_are_not_counted_twice():
    twice = [extent(floats(2000)[start : start + 1000], part=f"[{start}]") for start in (0, 500)]
    [buffer] = buffers(pictured(twice))
    assert [portion(buffer.lanes[0], *cell) for cell in [(0, 4000), (4000, 8000), (6000, 8000), (1000, 5000)]] == [
        "all",
        "some",
        "gap",
        "unknown",
    ]


def test_what_is_not_counted_in_closed_form_is_said_to_be_unknown():
    odd = as_strided(floats(10_000), (1000, 500), (12, 20))
    drawn = " ".join(draw(pictured(extent(odd))))
    assert "? = unknown" in flat(drawn)
    assert "???" in drawn


def test_items_of_other_sizes_that_overlap_are_drawn_as_one():
    whole = floats(3)
    items = [
        extent(whole[:2].view(np.float64), part="[0]"),
        extent(whole[:2], part="[1]"),
        extent(whole[2:], part="[2]"),
    ]
    assert draw(pictured(items))[-2] == "   0 source [   ×3   ][2,0]"


def test_of_many_buffers_the_first_are_drawn():
    many = [extent(floats(1), BASE + 64 * nth, f"[{nth}]") for nth in range(MOST_BUFFERS + 3)]
    drawn = draw(pictured(many))
    assert sum("buffer at" in line for line in drawn) == MOST_BUFFERS
    assert drawn[-2] == "  and 3 more buffers"


def test_two_halves_of_one_buffer_are_one_buffer():
    whole = floats(6)
    drawn = draw(pictured(extent(whole[:3]), extent(whole[3:])))
    assert drawn[-3:-1] == ["   0 source [0][1][2]·········", "     result ·········[0][1][2]"]


# As a face ---------------------------------------------------------------------------------------


def test_it_is_drawn_only_when_asked_for():
    assert "memory:" not in show("shared")
    assert "memory: shared" in show("shared", picture=True)


def test_colour_tells_the_sides_apart_and_nothing_else():
    coloured = show("shared", colour=True, picture=True)
    assert "\x1b[30;46m[0,0]" in coloured
    assert "\x1b[30;43m[0,0]" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == show("shared", picture=True)


# As SVG ------------------------------------------------------------------------------------------


def parsed(row_):
    return ElementTree.fromstring(svg(row_))


def blocks(picture, name):
    return [rect for rect in picture.iter(f"{SVG}rect") if rect.get("class") == name]


@each_scene
def test_it_is_one_element_that_says_what_it_shows(scene):
    picture = parsed(SCENES[scene])
    title, description = (picture.findtext(f"{SVG}{name}") for name in ("title", "desc"))
    assert (picture.tag, picture.get("role"), picture.get("aria-label")) == (f"{SVG}svg", "img", title)
    assert f"torch.from_numpy, memory: {draw(SCENES[scene], None)[0].removeprefix('f, memory: ')}" == title
    for sentence in re.findall(
        r"^  ((?:source|result)[\w ]*: .*)$", "\n".join(draw(SCENES[scene], None)), re.MULTILINE
    ):
        assert sentence in description
    assert not [element for element in picture.iter() if element.get("id") or element.get("href")]
    assert "url(" not in svg(SCENES[scene])


@each_scene
def test_nothing_in_it_lies_outside(scene):
    picture = parsed(SCENES[scene])
    width, height = map(float, picture.get("viewBox").split()[2:])
    for part in [*picture.iter(f"{SVG}rect"), *picture.iter(f"{SVG}text")]:
        assert 0 <= float(part.get("x", 0)) <= width - float(part.get("width", 0))
        assert 0 <= float(part.get("y", 0)) <= height - float(part.get("height", 0))


def test_a_whole_one():
    assert matches("picture.svg", svg(SCENES["unaligned"]))


def test_both_sides_are_drawn_below_each_other():
    picture = parsed(SCENES["every other column"])
    source, result = (
        [(r.get("x"), r.get("width")) for r in blocks(picture, f"{side} element")] for side in ("source", "result")
    )
    assert len(source) == 12
    assert source == result
    assert len(blocks(picture, "g")) == 24


def test_names_are_escaped():
    picture = parsed(row(conversion="f(<b>&\x1b)"))
    assert picture.findtext(f"{SVG}title").startswith("f(<b>&\\x1b), memory: shared")


def test_a_hand_made_report_is_drawn():
    assert len(blocks(parsed(load("shared").observations[0]), "source element")) == 12
