"""A saved report whose numbers no experiment gives: it is refused with a sentence, or drawn in a moment."""

import json
import time
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorbridge_cli import encoding
from tensorbridge_cli.encoding import decode
from tensorbridge_cli.records.report import Extent, Extents
from tensorbridge_cli.render import View, render
from tests.render.tools import load, made_of, row

NARROW = View(width=40, colour=False, box=True, values=True, picture=True)
NUMBERS = st.one_of(st.integers(-3, 20), st.sampled_from([2**31, 2**62, -(2**62), 10**18]))
ADDRESSES = st.builds(hex, st.one_of(st.integers(0, 64), st.integers(0, 2**64 - 1)))


@st.composite
def extents(draw):
    dimensions = draw(st.integers(0, 6))
    several = st.lists(NUMBERS, min_size=dimensions, max_size=dimensions)
    return {
        "part": draw(st.sampled_from(["", "values", "[0]", "[1]", "[0][1]", "x" * 300])),
        **{name: draw(ADDRESSES) for name in ("start", "stop", "storage_start", "storage_stop")},
        "strides": draw(several),
        "shape": draw(several),
        "itemsize": draw(NUMBERS),
    }


def saved(of_source, of_result=()):
    """Return a report as JSON with the extents that are given."""
    document = json.loads(encoding.encode(load("shared")))
    document["observations"][0]["evidence"]["extents"] = {"source": list(of_source), "result": list(of_result)}
    return json.dumps(document)


@settings(max_examples=150, deadline=None)
@given(st.lists(extents(), min_size=1, max_size=4), st.lists(extents(), max_size=2))
def test_any_extents(source, result):
    try:
        report = decode(saved(source, result))
    except msgspec.ValidationError:
        return
    assert render(report, "table", NARROW)
    assert render(report, "html", NARROW)


def extent(**changes):
    addresses = {"start": "0x10", "stop": "0x14", "storage_start": "0x10", "storage_stop": "0x14"}
    return addresses | {"part": "", "strides": [4], "shape": [1], "itemsize": 4} | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"itemsize": -4},
        {"shape": [-1]},
        {"shape": [2]},  # which is 8 bytes, of 4
        {"start": "0x20"},
        {"storage_start": "0x20"},
        {"stop": "0x1" + 100 * "0"},
        {"shape": [1] * 2000, "strides": [1] * 2000},
        {"strides": []},
        {"shape": [10**30]},
        {"itemsize": "4"},
    ],
)
def test_what_no_experiment_gives_is_refused(changes):
    assert decode(saved([extent()]))
    with pytest.raises(msgspec.ValidationError):
        decode(saved([extent(**changes)]))


def test_the_name_of_a_part_leaves_room_for_the_drawing():
    assert "[0]" in render(decode(saved([extent(part="x" * 300)])), "table", NARROW)


def test_a_list_of_many_items_is_drawn_in_a_moment():
    count = 3000
    where = {"storage_start": "0x0", "storage_stop": hex(8 * count), "strides": (4,), "shape": (1,)}
    items = [
        Extent(
            **extent(
                **where
                | {"part": f"[{n}]", "start": hex(8 * n), "stop": hex(8 * n + 4), "strides": (4,), "shape": (1,)}
            )
        )
        for n in range(count)
    ]
    base = row()
    drawn = Extents(source=tuple(items), result=tuple(items))
    started = time.process_time()
    render(made_of(replace(base, evidence=replace(base.evidence, extents=drawn))), "table", NARROW)
    assert time.process_time() - started < 10  # it took minutes while each cell sorted them all
