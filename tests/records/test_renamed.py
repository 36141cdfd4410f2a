"""What an earlier version saved has the old names of layouts and states: it is read, and compares equal."""

import json

import pytest

from tensorbridge_cli.catalog import layouts, states
from tensorbridge_cli.diff.compare import compare
from tensorbridge_cli.diff.reports import of_report
from tensorbridge_cli.diff.snapshot import of_snapshot, snapshot
from tensorbridge_cli.encoding import decode, encode
from tensorbridge_cli.records import trace
from tensorbridge_cli.records.renamed import NAMES, current
from tests.render.tools import made_of, row

SUBJECTS = [
    ("layout", "strided", "non-contiguous"),
    ("layout", "byte-swapped+negative", "byte-swapped+reversed"),
    ("state", "neg", "negative-bit"),
    ("state", "conj+requires-grad", "conjugate-bit+requires-grad"),
]


def test_an_old_name_is_no_longer_one_and_a_new_one_is():
    known = {*layouts.BY_NAME, *states.BY_NAME}
    assert not NAMES.keys() & known
    assert set(NAMES.values()) <= known


@pytest.mark.parametrize(("axis", "old", "new"), SUBJECTS)
def test_a_saved_report_and_snapshot(axis, old, new):
    now = made_of(row(subject={axis: new}))
    saved = encode(now).decode()
    before = saved.replace(json.dumps(new), json.dumps(old))
    assert before != saved
    assert decode(before) == now
    recorded = of_report(now)
    text = snapshot(now)
    assert text.replace(f"\t{new}\t", f"\t{old}\t") != text
    for other in (
        of_report(decode(before)),
        of_snapshot(text.replace(f"\t{new}\t", f"\t{old}\t")),
    ):
        difference = compare(other, recorded)
        assert not difference.differs(strict=True)
        assert difference.same == 1


@pytest.mark.parametrize(("axis", "old", "new"), SUBJECTS)
def test_a_side_of_a_saved_trace(axis, old, new):
    assert getattr(trace.Side(kind="numpy.ndarray", **{axis: old}), axis) == new


@pytest.mark.parametrize("name", ["plain", "contiguous", "memory-mapped+read-only", "b+a", "qwzx"])
def test_other_names_stay_as_they_are(name):
    assert current(name) == name
