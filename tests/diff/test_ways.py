from dataclasses import astuple, replace

import pytest

from tensorbridge_cli.diff.cells import AxisValues, FactChange, Key
from tensorbridge_cli.diff.compare import compare
from tensorbridge_cli.diff.reports import of_report
from tensorbridge_cli.diff.ways import Sources, essence
from tensorbridge_cli.records.enums import Direction
from tests.render.tools import made_of, row

SHARED = {
    "outcome": "shared",
    "source_to_result": "seen",
    "result_to_source": "seen",
    "values": "equal",
    "result_dtype": "float32",
    "result_writable": "true",
    "hazards": "-",
    "error": "-",
    "crash": "-",
    "contract": "kept",
}
NONE = {"source_to_result": "not-tried", "result_to_source": "not-tried", "values": "unknown", "result_dtype": "-"}
COPIED = SHARED | {"outcome": "copied", "source_to_result": "not-seen", "result_to_source": "not-seen"}
REFUSED = SHARED | NONE | {"outcome": "refused", "error": "TypeError", "result_writable": "-", "contract": "kept"}
CRASHED = SHARED | NONE | {"outcome": "crashed", "crash": "SIGABRT@convert", "result_writable": "-"}
READONLY_DROPPED = SHARED | {"hazards": "readonly-dropped"}
CHANGED = COPIED | {"values": "changed", "hazards": "values-changed"}


def told(then, now):
    """Return the kind, and each change as ``about before after``."""
    kind, changes = essence(then, now)
    return kind, [" ".join(astuple(change)) for change in changes]


@pytest.mark.parametrize(
    ("then", "now", "kind", "changes"),
    [
        (SHARED, COPIED, "worse", ["outcome shared copied"]),
        (SHARED, REFUSED, "worse", ["outcome shared refused (TypeError)"]),
        (REFUSED, CRASHED, "worse", ["outcome refused (TypeError) crashed (SIGABRT)"]),
        (CRASHED, REFUSED, "better", ["outcome crashed (SIGABRT) refused (TypeError)"]),
        (REFUSED, READONLY_DROPPED, "worse", ["outcome refused (TypeError) shared", "hazards - readonly-dropped"]),
        (CHANGED, REFUSED, "other", ["outcome copied refused (TypeError)", "hazards values-changed -"]),
        (CHANGED, COPIED, "better", ["hazards values-changed -"]),
        (COPIED, CHANGED, "worse", ["hazards - values-changed"]),
        (
            REFUSED,
            REFUSED | {"error": "BufferError"},
            "exception",
            ["outcome refused (TypeError) refused (BufferError)"],
        ),
        (SHARED, SHARED | {"result_writable": "false"}, "other", ["result_writable true false"]),
        (SHARED, SHARED | {"contract": "broken"}, "worse", ["contract kept broken"]),
        (SHARED, SHARED | {"contract": "undocumented"}, "other", ["contract kept undocumented"]),
        (SHARED, COPIED | {"contract": "broken"}, "worse", ["outcome shared copied", "contract kept broken"]),
        (CRASHED, CRASHED | {"crash": "SIGSEGV@convert"}, "other", ["outcome crashed (SIGABRT) crashed (SIGSEGV)"]),
        (SHARED, SHARED | {"source_to_result": "refused"}, "other", ["source_to_result seen refused"]),
        (REFUSED, REFUSED | {"values": "equal"}, "exception", ["values unknown equal"]),
    ],
)
def test_what_the_other_facts_follow_from(then, now, kind, changes):
    assert told(then, now) == (kind, changes)


def test_a_fact_that_one_side_lacks_is_no_change():
    assert told(READONLY_DROPPED | {"outcome": "copied"}, {"outcome": "shared"}) == (
        "better",
        ["outcome copied shared"],
    )


def key(conversion="a", to_dtype=None, **subject):
    """Return the key of a cell."""
    return Key(
        conversion=conversion,
        direction=Direction.NUMPY_TO_TORCH,
        to_dtype=to_dtype,
        subject=replace(row().subject, **subject),
    )


def axes(group):
    """Return the values of each axis that has more than the usual one."""
    return {one.axis: one.values for one in group.sources if len(one.values) > 1}


LINES = [key(layout=name) for name in ("contiguous", "offset", "reversed")] + [key(state=s) for s in ("read-only", "x")]


def test_sources_that_are_all_combinations_are_a_product():
    keys = [key(dtype=dtype, layout=layout) for dtype in ("float32", "int8") for layout in ("contiguous", "offset")]
    (group,) = Sources([*keys, key(dtype="bool")]).groups(keys)
    assert group.product
    assert axes(group) == {"dtype": ("float32", "int8"), "layout": ("contiguous", "offset")}
    assert [one.axis for one in group.sources if one.every] == ["layout"]


def test_sources_that_are_not_are_lines_through_the_usual_one():
    crossed = [key(layout=layout, state=state) for layout in ("offset", "reversed") for state in ("read-only", "x")]
    (group,) = Sources([*LINES, *crossed, *(key() for _ in range(3))]).groups([*LINES, crossed[0]])
    assert not group.product
    assert (group.cells, group.more) == (6, 1)
    assert {one.axis: set(one.values) for one in group.sources} == {
        "layout": {"contiguous", "offset", "reversed"},
        "state": {"read-only", "x"},
    }


def test_conversions_with_the_same_sources_are_one_group():
    keys = [key(name, layout=layout) for name in "abc" for layout in ("contiguous", "offset")]
    together, alone = sorted(Sources(keys).groups(keys[:-1]), key=lambda group: -group.cells)
    assert [named.conversion for named in together.conversions] == ["a", "b"]
    assert (together.cells, alone.cells) == (4, 1)


def test_every_changed_cell_is_in_one_way():
    layouts = ("contiguous", "offset", "reversed")
    before = [row(conversion=name, subject={"layout": layout}) for name in "abcd" for layout in layouts]
    after = [replace(one, outcome=("copied", "shared", "refused")[number % 3]) for number, one in enumerate(before)]
    comparison = compare(of_report(made_of(*before)), of_report(made_of(*after)))
    assert sum(way.cells for way in comparison.ways) == len(comparison.changed) == 8
    assert all(sum(group.cells for group in way.groups) == way.cells for way in comparison.ways)


def test_the_worst_comes_first():
    names = ("gain", "copy", "crash", "loss")
    before = [row(conversion=name) for name in names]
    before[0] = row(conversion="gain", outcome="copied")
    after = [
        row(conversion="gain"),
        row(conversion="copy", outcome="copied"),
        row(conversion="crash", outcome="crashed"),
        row(conversion="loss", outcome="refused"),
    ]
    ways = compare(of_report(made_of(*before)), of_report(made_of(*after))).ways
    assert [way.groups[0].conversions[0].conversion for way in ways] == ["crash", "copy", "loss", "gain"]


def test_a_dtype_that_the_other_side_lacks_is_why_its_cells_are_new():
    old = [row(conversion=name) for name in "ab"]
    new = [row(conversion=name, subject={"dtype": "bcomplex32"}) for name in "ab"]
    comparison = compare(of_report(made_of(*old)), of_report(made_of(*old, *new, row(conversion="c"))))
    assert [(one.axis, one.value, one.cells) for one in comparison.new_for] == [
        ("dtype", "bcomplex32", 2),
        ("conversion", "c", 1),
    ]
    assert not comparison.gone_for


def test_what_is_every_value_is_said_of_several_only():
    (group,) = Sources([key()]).groups([key()])
    assert AxisValues(axis="layout", values=("contiguous",), every=False) in group.sources


def test_changes_are_plain_records():
    assert essence(SHARED, COPIED)[1] == (FactChange(about="outcome", before="shared", after="copied"),)
