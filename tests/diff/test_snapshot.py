from dataclasses import replace
from itertools import product
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorbridge_cli.diff.compare import compare
from tensorbridge_cli.diff.reports import of_report
from tensorbridge_cli.diff.snapshot import of_snapshot, snapshot
from tensorbridge_cli.records.enums import Outcome
from tests.render.gallery import GALLERY
from tests.render.tools import made_of, row


def test_a_snapshot_in_full():
    versions = [
        "# tensorbridge.snapshot/2",
        "# tensorbridge 0.1.0",
        "# python 3.11.7",
        "# numpy 2.4.6",
        "# torch 2.13.0",
    ]
    named = "conversion direction to_dtype shape dtype layout state device"
    facts = "outcome source_to_result result_to_source values result_dtype hazards error crash contract"
    cell = "torch.from_numpy numpy-to-torch - 4,3 float32 contiguous plain cpu"
    found = "shared seen seen equal = - - - kept"
    tabbed = ["\t".join(line.split()) for line in (f"{named} {facts}", f"{cell} {found}")]
    assert snapshot(made_of(row())) == "\n".join([*versions, *tabbed]) + "\n"


def test_a_snapshot_has_the_cells_of_its_report():
    comparison = compare(of_report(GALLERY), of_snapshot(snapshot(GALLERY)))
    assert not comparison.differs(strict=True)
    assert comparison.same == len(GALLERY.observations)


DTYPES, LAYOUTS = ("float32", "int64", "bool", "[('x', '<f4')]"), ("contiguous", "reversed", "fortran")


@settings(deadline=None)
@given(
    cells=st.sets(
        st.tuples(
            st.sampled_from(["np.asarray", "np.array", "ndarray * Tensor"]),
            st.sampled_from(DTYPES),
            st.sampled_from(LAYOUTS),
            st.sampled_from(["plain", "read-only"]),
        ),
        min_size=1,
    ),
    copied=st.data(),
)
def test_any_cells_come_back_and_each_stands_in_one_line(cells, copied):
    rows = [
        row(
            conversion=conversion,
            subject={"dtype": dtype, "layout": layout, "state": state},
            outcome=copied.draw(st.sampled_from([Outcome.SHARED, Outcome.COPIED])),
        )
        for conversion, dtype, layout, state in sorted(cells)
    ]
    report = made_of(*rows)
    text = snapshot(report)
    recording = of_snapshot(text)
    assert {key: facts["outcome"] for key, facts in recording.cells.items()} == {
        key: facts["outcome"] for key, facts in of_report(report).cells.items()
    }
    lines = [line.split("\t")[:8] for line in text.splitlines() if line[0] not in "#c"]
    assert sum(prod(len(column.split("|")) for column in line) for line in lines) == len(cells)
    assert len(lines) <= len(cells)


def test_what_all_combinations_have_in_common_is_one_line():
    several = [
        row(conversion=conversion, subject={"dtype": dtype, "layout": layout})
        for conversion, dtype, layout in product(("np.asarray", "np.array"), DTYPES[:2], LAYOUTS)
    ]
    assert snapshot(made_of(*several)).count("\n") == 5 + 1 + len(DTYPES[:2])  # the result has a dtype of its own


def test_a_snapshot_of_version_1_is_read():
    cell = "torch.from_numpy numpy-to-torch - 4,3 float32 contiguous plain cpu"
    cell += " shared seen seen equal float32 - - - kept"
    head, _, named = snapshot(made_of(row())).partition("conversion\t")
    named = "conversion\t" + named.splitlines()[0]
    earlier = head.replace("snapshot/2", "snapshot/1") + named + "\n" + "\t".join(cell.split()) + "\n"
    assert of_snapshot(earlier) == of_snapshot(snapshot(made_of(row())))
    structured = earlier.replace("\tfloat32\tcontiguous", "\t[('a|b', '<f4')]\tcontiguous")
    assert [key.subject.dtype for key in of_snapshot(structured).cells] == ["[('a|b', '<f4')]"]


def test_a_snapshot_does_not_depend_on_the_order_pointers_or_times():
    moved = [
        replace(entry, result=None if entry.result is None else replace(entry.result, pointer="0x1"))
        for entry in GALLERY.observations
    ]
    timed = made_of(*(replace(entry, seconds=row().seconds) for entry in reversed(moved)))
    assert snapshot(timed) == snapshot(GALLERY)


def test_a_change_shows_in_a_snapshot():
    before, after = made_of(row()), made_of(row(outcome=Outcome.COPIED))
    for one, other in product((of_report(before), of_snapshot(snapshot(before))), (of_snapshot(snapshot(after)),)):
        (changed,) = compare(one, other).changed
        assert [change.about for change in changed.changes] == ["outcome"]


@pytest.mark.parametrize("dtype", ["[('x', '<f4'), ('y', '<i4')]", "a\tb", "a\nb", "\\t", "a|b", "ü"])
def test_names_of_any_kind_come_back(dtype):
    report = made_of(row(subject={"dtype": dtype, "shape": ()}, to_dtype=dtype))
    assert of_snapshot(snapshot(report)).cells.keys() == of_report(report).cells.keys()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda text: text.replace("snapshot/2", "snapshot/3"), "it does not start with # tensorbridge.snapshot/2"),
        (lambda text: text[:-1], "it is truncated"),
        (lambda text: text[:40] + "\n", "it is truncated"),
        (lambda text: text.replace("# torch 2.13.0\n", ""), "torch is missing"),
        (lambda text: text.replace("\tlayout\t", "\tform\t"), "layout is missing"),
        (lambda text: text.replace("\tkept", ""), "line 1 has 16 fields instead of 17"),
        (lambda text: text.replace("\t4,3\t", "\twide\t"), "invalid literal"),
        (lambda text: text.replace("\tshared\t", "\tsharred\t"), "'sharred' is not a valid Outcome"),
    ],
)
def test_what_is_no_snapshot_is_told(spoil, why):
    with pytest.raises(ValueError, match=why):
        of_snapshot(spoil(snapshot(made_of(row()))))


def test_a_column_that_only_one_side_has_is_no_change():
    text = snapshot(made_of(row()))
    shorter = "\n".join(line.rpartition("\t")[0] or line for line in text.splitlines()) + "\n"
    assert not compare(of_snapshot(shorter), of_snapshot(text)).differs(strict=True)
