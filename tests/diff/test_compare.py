from dataclasses import astuple, replace

import pytest

from tensorbridge_cli.diff.cells import FactChange
from tensorbridge_cli.diff.compare import across, compare
from tensorbridge_cli.diff.reports import of_report
from tensorbridge_cli.records.enums import Origin, Outcome, Stage, Verdict, Write
from tensorbridge_cli.records.report import Crash, Hazard, Raised
from tests.render.gallery import GALLERY
from tests.render.tools import NAMES, case, load, made_of, row


def changes(before, after):
    """Return what changed in the one cell of two rows: (about, before, after)."""
    comparison = compare(of_report(made_of(before)), of_report(made_of(after)))
    assert not comparison.gone + comparison.new
    return [astuple(change) for changed in comparison.changed for change in changed.changes]


def crash(**how):
    plain = {"stage": Stage.CONVERT, "signal": None, "exit_code": None, "stderr": "", "confirmed": True}
    return Crash(**plain | how)


def contract(verdict):
    return replace(row().contract, verdict=verdict)


@pytest.mark.parametrize("report", [*map(load, NAMES), GALLERY], ids=[*NAMES, "gallery"])
def test_nothing_changed_between_a_report_and_itself(report):
    comparison = compare(of_report(report), of_report(report))
    assert not comparison.differs(strict=True)
    assert comparison.same == len(report.observations)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"outcome": Outcome.COPIED}, ("outcome", "shared", "copied")),
        ({"writes": {"source_to_result": Write.NOT_SEEN}}, ("source_to_result", "seen", "not-seen")),
        ({"writes": {"result_to_source": Write.REFUSED}}, ("result_to_source", "seen", "refused")),
        ({"values": "changed"}, ("values", "equal", "changed")),
        ({"result": {"dtype": "float64"}}, ("result_dtype", "float32", "float64")),
        ({"result": {"shape": (12,)}}, ("result_shape", "4,3", "12")),
        ({"result": {"shape": ()}}, ("result_shape", "4,3", "()")),
        ({"result": {"strides": None}}, ("result_strides", "12,4", "-")),
        ({"result": {"writable": False}}, ("result_writable", "true", "false")),
        ({"hazards": (Hazard(code="mask-lost", detail="a"),)}, ("hazards", "-", "mask-lost")),
        ({"error": Raised(type="TypeError", message="at 0x7f")}, ("error", "-", "TypeError")),
        ({"crash": crash(signal="SIGABRT")}, ("crash", "-", "SIGABRT@convert")),
        ({"crash": crash(exit_code=3)}, ("crash", "-", "exit-3@convert")),
        ({"crash": crash(timed_out=True)}, ("crash", "-", "timed-out@convert")),
        ({"contract": contract(Verdict.BROKEN)}, ("contract", "kept", "broken")),
    ],
)
def test_each_fact_is_compared(change, told):
    assert changes(row(), row(**change)) == [told]


@pytest.mark.parametrize(
    "change",
    [
        {"result": {"pointer": "0x1000"}, "source": {"pointer": "0x2000"}},
        {"seconds": {"convert": 12.5}},
        {"copied_bytes": 7},
        {"crash": crash(signal="SIGSEGV", confirmed=False)},
    ],
)
def test_what_varies_from_run_to_run_is_not(change):
    assert changes(row(), row(**change)) == []


def test_an_errors_sentence_and_a_hazards_detail_are_not():
    assert changes(row(error=Raised(type="E", message="1")), row(error=Raised(type="E", message="2"))) == []
    first, second = (row(hazards=(Hazard(code="mask-lost", detail=said),)) for said in "12")
    assert changes(first, second) == []


@pytest.mark.parametrize(
    "other",
    [
        {"conversion": "torch.tensor"},
        {"to_dtype": "float64"},
        {"direction": "torch-to-torch"},
        {"subject": {"shape": (3, 4)}},
        {"subject": {"layout": "reversed"}},
        {"subject": {"given": "a.npy"}},
    ],
)
def test_another_conversion_or_subject_is_another_cell(other):
    comparison = compare(of_report(made_of(row())), of_report(made_of(row(**other))))
    assert (len(comparison.gone), len(comparison.new), comparison.same) == (1, 1, 0)
    assert (comparison.differs(), comparison.differs(strict=True)) == (False, True)


def test_the_order_of_rows_is_no_change():
    backwards = replace(GALLERY, observations=GALLERY.observations[::-1])
    assert not compare(of_report(GALLERY), of_report(backwards)).differs(strict=True)


def test_a_cell_is_gone_with_the_reason_that_the_other_side_gives():
    (gone,) = compare(of_report(made_of(row())), of_report(made_of(case(subject=row().subject)))).gone
    assert (gone.outcome, gone.reason) == ("shared", case().reason)


def test_the_same_change_is_counted():
    names = ("torch.a", "torch.b", "torch.c")
    before = made_of(*(row(conversion=name) for name in names))
    after = made_of(*(row(conversion=name, outcome=Outcome.COPIED) for name in names[:2]), row(conversion=names[2]))
    comparison = compare(of_report(before), of_report(after))
    (count,) = comparison.counts
    assert count.change == FactChange(about="outcome", before="shared", after="copied")
    assert (count.cells, len(comparison.changed), comparison.same) == (2, 2, 1)


def side(*conversions, copied=(), **subject):
    """Return the record of some conversions of one source, of which some copy."""
    outcomes = {name: Outcome.COPIED if name in copied else Outcome.SHARED for name in conversions}
    return of_report(made_of(*(row(conversion=n, outcome=o, subject=subject) for n, o in outcomes.items())))


@pytest.mark.parametrize(
    ("subject", "told"),
    [
        ({"layout": "reversed"}, [("layout", "contiguous", "reversed")]),
        ({"dtype": "int64"}, [("dtype", "float32", "int64")]),
        ({"state": "read-only"}, [("state", "plain", "read-only")]),
        ({"shape": (2, 3, 4)}, [("shape", "4,3", "2,3,4")]),
        ({"device": "meta", "layout": "fortran"}, [("layout", "contiguous", "fortran"), ("device", "cpu", "meta")]),
        ({"given": "a.npy", "origin": Origin.FILE}, [("given", "-", "a.npy")]),
    ],
)
def test_two_sources_are_compared_conversion_by_conversion(subject, told):
    comparison = across(side("a", "b", "c"), side("a", "b", "d", copied="b", **subject))
    assert [astuple(change) for change in comparison.subjects] == told
    assert [entry.cell.conversion for entry in comparison.changed] == ["b"]
    assert [change.about for change in comparison.changed[0].changes] == ["outcome"]
    assert [entry.cell.conversion for entry in (*comparison.gone, *comparison.new)] == ["c", "d"]
    assert comparison.same == 1


def test_a_target_dtype_is_such_a_difference():
    before, after = (of_report(made_of(row(to_dtype=name))) for name in (None, "float64"))
    comparison = across(before, after)
    assert [astuple(change) for change in comparison.subjects] == [("to_dtype", "-", "float64")]
    assert comparison.same == 1


def test_several_layouts_have_no_counterpart():
    before = side("a")
    after = of_report(
        made_of(*(row(conversion="a", subject={"layout": name}) for name in ("reversed", "non-contiguous")))
    )
    assert across(before, after) == compare(before, after)
    assert len(compare(before, after).new) == 2


def test_nothing_is_moved_where_a_cell_is_on_both_sides():
    both = of_report(made_of(row(), row(subject={"layout": "reversed"})))
    assert across(side("torch.from_numpy"), both) == compare(side("torch.from_numpy"), both)
    assert not across(side("a"), side("b", layout="reversed")).subjects


def test_why_a_conversion_is_gone_is_said_of_another_source():
    after = [row(conversion="a", subject={"layout": "reversed"})]
    after.append(case(conversion="b", subject=after[0].subject, reason="why"))
    (gone,) = across(side("a", "b"), of_report(made_of(*after))).gone
    assert gone.reason == "why"
