"""What came and what went, in words: a paragraph for all values that came for the same cells."""

from __future__ import annotations

from tensorbridge_cli.diff.cells import Alone, AxisValues, Group, Key
from tensorbridge_cli.diff.ways import Sources, arrivals
from tensorbridge_cli.render.diff import ways
from tests.diff.test_ways import key


def paragraphs(before: list[Key], after: list[Key]) -> list[tuple[str, tuple[str, ...]]]:
    new = [Alone(cell=cell, outcome="shared", reason=None) for cell in after if cell not in before]
    return list(ways.arrivals(arrivals(new, Sources(after), Sources(before))))


def test_dtypes_that_came_for_the_same_cells_share_a_paragraph() -> None:
    before = [key("a"), key("b")]
    after = [*before, *(key(name, dtype=dtype) for dtype in ("int1", "uint1", "int2") for name in "ab"), key("c")]
    (several, lines), (single, _) = paragraphs(before, after)
    assert several == "dtypes int1, uint1, int2: 2 cells each"
    assert [", each," in line and "int" not in line for line in lines] == [True]
    assert single == "conversion c: 1 cell"


def test_what_came_for_other_cells_stands_alone() -> None:
    before = [key("a", layout=layout) for layout in ("contiguous", "offset")]
    after = [*before, key("a", dtype="int1"), key("a", dtype="int2", layout="offset")]
    assert [headline for headline, _ in paragraphs(before, after)] == ["dtype int1: 1 cell", "dtype int2: 1 cell"]


def test_conversions_that_came_for_the_same_sources_share_a_paragraph() -> None:
    (found,) = paragraphs([key("a")], [key("a"), key("b(copy=True)"), key("b(copy=False)")])
    assert found[0] == "conversions b(copy=True), b(copy=False): 1 cell each"
    assert found[1][0].startswith("each numpy→torch: ")


def test_a_state_with_the_name_of_its_device_is_named_once() -> None:
    axes = tuple(AxisValues(axis=axis, values=("meta",), every=False) for axis in ("state", "device"))
    assert ways.sources(Group(conversions=(), cells=1, sources=axes, product=True)) == "meta"
