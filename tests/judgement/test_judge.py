"""Observations made by hand, and what they amount to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tensorbridge_cli.catalog.hazards import BY_NAME as HAZARDS
from tensorbridge_cli.compat import values
from tensorbridge_cli.judgement.judge import benefit_of_doubt, judge, observed, outcome
from tensorbridge_cli.records.enums import Direction, Stage, Values, Verdict, Via, Write
from tensorbridge_cli.records.report import (
    Cell,
    Change,
    Crash,
    Evidence,
    Expectation,
    Extent,
    Extents,
    Object,
    Observation,
    Promise,
    Raised,
    Relation,
    Row,
    Seconds,
    Warned,
    Writes,
)
from tests.tools import subject

SEEN, NOT_SEEN, NOT_TRIED, REFUSED, CRASHED = (
    *(Write.SEEN, Write.NOT_SEEN, Write.NOT_TRIED, Write.REFUSED, Write.CRASHED),
)
ARRAY = Object(
    type="numpy.ndarray",
    dtype="float32",
    shape=(4, 3),
    strides=(12, 4),
    pointer="0x1000",
    nbytes=48,
    writable=True,
    device="cpu",
    aligned=True,
    elements_overlap=False,
    requires_grad=None,
    is_leaf=None,
    owner="itself",
)
TENSOR = replace(ARRAY, type="torch.Tensor", requires_grad=False, is_leaf=True)
NOTHING = Expectation(promises=())


def relation(overlaps: bool | None = True, **changes: Any) -> Relation:
    count = None if overlaps is None else 48 * overlaps
    return replace(
        Relation(same_pointer=overlaps, same_storage=overlaps, overlaps=overlaps, overlap_bytes=count), **changes
    )


def crash(stage: Stage, **changes: Any) -> Crash:
    return replace(Crash(stage=stage, signal="SIGABRT", exit_code=None, stderr="", confirmed=True), **changes)


def seen(there: Write = SEEN, back: Write = SEEN, **changes: Any) -> Observation:
    """What was seen of an array that became a tensor and shares, but for ``changes``."""
    made = Observation(
        conversion="torch.from_numpy",
        direction=Direction.NUMPY_TO_TORCH,
        subject=subject(),
        to_dtype=None,
        writes=Writes(source_to_result=there, result_to_source=back, via=Via.ASSIGNMENT),
        values=Values.EQUAL,
        relation=relation(),
        source=ARRAY,
        result=TENSOR,
        warnings=(),
        error=None,
        crash=None,
        evidence=Evidence(fill=None, cells=(), extents=Extents(source=(), result=())),
        seconds=Seconds(convert=None),
    )
    return replace(made, **changes)


def copied(**changes: Any) -> Observation:
    return seen(NOT_SEEN, NOT_SEEN, **{"relation": relation(False), **changes})


def hazards(row: Row) -> list[str]:
    return [hazard.code for hazard in row.hazards]


# The outcome ---------------------------------------------------------------------------------------

APART, UNTOLD = relation(False), relation(None)
GONE: dict[str, Any] = {"source": None, "result": None, "values": Values.UNKNOWN, "relation": UNTOLD}
EMPTY = replace(TENSOR, shape=(0, 3))
WRONG = Writes(source_to_result=SEEN, result_to_source=SEEN, via=Via.ASSIGNMENT, autograd_notices=False)


@pytest.mark.parametrize(
    ("observation", "outcome"),
    [
        # writes first
        (seen(), "shared"),
        (copied(), "copied"),
        (seen(SEEN, NOT_SEEN), "shared"),
        (seen(NOT_SEEN, SEEN), "shared"),
        (seen(REFUSED, SEEN), "shared"),
        (seen(SEEN, CRASHED, crash=crash(Stage.WRITE_RESULT)), "shared"),
        (seen(REFUSED, NOT_SEEN, relation=APART), "copied"),
        (seen(NOT_TRIED, NOT_SEEN, relation=APART), "copied"),
        # whatever the addresses say
        (seen(relation=APART), "shared"),
        # but what both reach is no copy, unless the write itself parted them
        (seen(NOT_SEEN, NOT_SEEN), "shared"),
        (seen(REFUSED, NOT_SEEN), "shared"),
        (seen(NOT_SEEN, NOT_SEEN, relation=relation(overlaps_after_writes=True)), "shared"),
        (seen(NOT_SEEN, NOT_SEEN, relation=relation(overlaps_after_writes=False)), "copied"),
        # nor is what nobody filled
        (copied(result=replace(TENSOR, filled=False)), "undecidable"),
        (copied(result=replace(TENSOR, filled=True)), "copied"),
        # addresses where no write tells
        (seen(REFUSED, REFUSED), "shared"),
        (seen(REFUSED, NOT_TRIED, relation=APART), "copied"),
        (seen(NOT_TRIED, NOT_TRIED), "shared"),
        (seen(REFUSED, CRASHED, crash=crash(Stage.WRITE_RESULT)), "shared"),
        (seen(CRASHED, NOT_TRIED, crash=crash(Stage.WRITE_SOURCE), relation=APART), "copied"),
        (seen(NOT_TRIED, NOT_TRIED, relation=UNTOLD), "undecidable"),
        (seen(NOT_TRIED, NOT_TRIED, relation=relation(None, same_object=True)), "shared"),
        (seen(NOT_TRIED, NOT_TRIED, relation=relation(None, same_object=True), values=Values.UNKNOWN), "undecidable"),
        # nothing to share
        (seen(NOT_TRIED, NOT_TRIED, relation=APART, source=EMPTY, result=EMPTY), "undecidable"),
        (seen(NOT_SEEN, NOT_TRIED, relation=APART, result=EMPTY), "undecidable"),
        # no result
        (seen(NOT_TRIED, NOT_TRIED, **GONE, error=Raised(type="TypeError", message="no")), "refused"),
        (seen(NOT_TRIED, NOT_TRIED, **GONE, crash=crash(Stage.CONVERT)), "crashed"),
        (seen(NOT_TRIED, NOT_TRIED, **GONE, crash=crash(Stage.CONVERT, signal=None, timed_out=True)), "timed-out"),
        (seen(NOT_TRIED, NOT_TRIED, **GONE, crash=crash(Stage.CONVERT, confirmed=False)), "crashed"),
        # not the conversion's fault
        (seen(NOT_TRIED, NOT_TRIED, **GONE, crash=crash(Stage.BUILD)), "undecidable"),
        (seen(NOT_TRIED, NOT_TRIED, **GONE, crash=crash(Stage.OBSERVE)), "undecidable"),
        # it came back when it was tried again
        (seen(crash=crash(Stage.CONVERT, confirmed=False)), "shared"),
        (copied(crash=crash(Stage.CONVERT, confirmed=False, timed_out=True)), "copied"),
    ],
)
def test_the_outcome(observation: Observation, outcome: str) -> None:
    assert judge(observation, NOTHING).outcome == outcome


def test_only_a_copy_copies_bytes() -> None:
    assert judge(seen(), NOTHING).copied_bytes == 0
    assert judge(copied(result=replace(TENSOR, nbytes=96)), NOTHING).copied_bytes == 96
    assert judge(seen(NOT_TRIED, NOT_TRIED, relation=UNTOLD), NOTHING).copied_bytes is None
    # what was allocated, not what is looked at; and what the source was moved by
    assert judge(copied(evidence=evidence(storage=4_000_000)), NOTHING).copied_bytes == 4_000_000
    assert judge(seen(source_changes=(MOVED,)), NOTHING).copied_bytes == 48
    assert judge(copied(source_changes=(MOVED,)), NOTHING).copied_bytes == 48 + 48


def test_a_row_holds_the_observation_as_it_was() -> None:
    observation = seen()
    row = judge(observation, NOTHING)
    assert {name: getattr(row, name) for name in observation.__dataclass_fields__} == values(observation)


# Hazards -------------------------------------------------------------------------------------------


def array(**changes: Any) -> Object:
    return replace(ARRAY, **changes)


def tensor(**changes: Any) -> Object:
    return replace(TENSOR, **changes)


CHANGED = Values.CHANGED
MASKED = array(type="numpy.ma.MaskedArray", masked=True)
OWN_MASKED = array(type="mine.Masked", masked=True)
ONCE = (Warned(category="UserWarning", message="careful", once=True),)
BETA = (Warned(category="UserWarning", message="Sparse CSR tensor support is in beta state.", once=True),)
MOVED = Change(fact="storage", before="0x1000 to 0x1030", after="0x2000 to 0x2030", copied_bytes=48)
WRITTEN = Cell(
    index=(0,), before="1.0", written="100.0", source_after="100.0", result_after="100.0", wrote="source", refused=True
)


def evidence(cells: tuple[Cell, ...] = (), storage: int = 48) -> Evidence:
    """What the faces need, of a result whose 48 bytes lie in ``storage`` bytes."""
    extent = Extent(
        part="",
        start="0x2000",
        stop="0x2030",
        storage_start="0x2000",
        storage_stop=hex(0x2000 + storage),
        strides=(12, 4),
        shape=(4, 3),
        itemsize=4,
    )
    return Evidence(fill=None, cells=cells, extents=Extents(source=(), result=(extent,)))


RAISES_AFTER_A_CHANGE = seen(
    NOT_TRIED,
    NOT_TRIED,
    result=None,
    values=Values.UNKNOWN,
    relation=UNTOLD,
    error=Raised(type="TypeError", message="no"),
    source_changes=(Change(fact="requires_grad", before="True", after="False"),),
)
ALWAYS = (Warned(category="UserWarning", message="careful", once=False),)


@pytest.mark.parametrize(
    ("observation", "copy", "codes"),
    [
        (seen(), None, []),
        (copied(), None, []),
        (copied(values=CHANGED), None, ["values-changed"]),
        (seen(values=Values.SAMPLED_EQUAL), None, []),
        (seen(values=CHANGED, result=tensor(dtype="int32")), None, "reinterpreted"),
        (copied(values=CHANGED, result=tensor(dtype="int32")), None, ["values-changed", "dtype-changed"]),
        (copied(result=tensor(dtype="float64")), None, ["dtype-changed"]),
        (copied(result=tensor(dtype="float64"), to_dtype="float64"), None, []),
        (copied(result=tensor(dtype="float16"), to_dtype="float64"), None, ["dtype-changed"]),
        (copied(source=array(dtype=None)), None, []),
        (seen(values=CHANGED, result=tensor(shape=(12,))), None, ["shape-changed"]),
        (seen(REFUSED, SEEN, source=array(writable=False)), None, ["readonly-dropped"]),
        (copied(source=array(writable=False)), None, []),
        (seen(REFUSED, SEEN, source=array(immutable=True)), None, ["immutable-written"]),
        (seen(SEEN, REFUSED, result=tensor(immutable=True)), None, ["immutable-written"]),
        (seen(REFUSED, REFUSED, source=array(immutable=True), result=array(immutable=True)), None, []),
        (seen(REFUSED, REFUSED, source=array(writable=False), result=tensor(writable=False)), None, []),
        (seen(SEEN, CRASHED, crash=crash(Stage.WRITE_RESULT)), None, ["write-kills"]),
        (seen(CRASHED, NOT_TRIED, crash=crash(Stage.WRITE_SOURCE)), None, ["write-kills"]),
        (seen(), True, ["copy-flag-broken"]),
        (copied(), False, ["copy-flag-broken"]),
        (copied(), True, []),
        (seen(), False, []),
        (seen(NOT_TRIED, NOT_TRIED, relation=UNTOLD), True, []),
        (seen(source=tensor(requires_grad=True)), None, ["grad-lost"]),
        (seen(source=tensor(requires_grad=True), result=tensor(requires_grad=True)), None, []),
        (seen(source=tensor(requires_grad=True), result=ARRAY), None, ["grad-lost"]),
        (seen(source=MASKED, values=CHANGED), None, ["values-changed", "mask-lost"]),
        (seen(source=MASKED, values=Values.SAMPLED_EQUAL), None, ["mask-lost"]),
        (seen(source=MASKED), None, []),
        (seen(source=MASKED, result=MASKED), None, []),
        (seen(source=OWN_MASKED, values=CHANGED), None, ["values-changed", "mask-lost", "subclass-lost"]),
        (seen(source=OWN_MASKED), None, ["subclass-lost"]),
        (seen(source=OWN_MASKED, result=MASKED), None, ["subclass-lost"]),
        (seen(source=array(type="numpy.matrix")), None, ["subclass-lost"]),
        (seen(source=array(type="numpy.matrix"), result=array(type="numpy.matrix")), None, []),
        (seen(source=array(type="numpy.memmap")), None, []),
        (seen(source=array(type="list", strides=None)), None, []),
        (seen(source=tensor(type="torch.nn.Parameter", requires_grad=True)), None, ["grad-lost"]),
        (seen(result=tensor(elements_overlap=True)), None, ["elements-overlap"]),
        (seen(result=tensor(elements_overlap=True), relation=relation(same_object=True)), None, []),
        (seen(result=tensor(elements_overlap=True, writable=False)), None, []),
        (seen(result=tensor(aligned=False)), None, ["misaligned"]),
        (seen(result=tensor(aligned=None)), None, []),
        (copied(relation=relation(False, shared_objects=12)), None, ["nested-objects-shared"]),
        (seen(relation=relation(shared_objects=12)), None, []),
        (copied(relation=relation(False, shared_objects=0)), None, []),
        (seen(relation=relation(owner_kept=False)), None, ["owner-not-kept"]),
        (seen(relation=relation(owner_kept=True)), None, []),
        (copied(relation=relation(False, owner_kept=False)), None, []),
        (seen(writes=WRONG), None, ["grad-wrong"]),
        (seen(warnings=ONCE), None, ["warned-once-only"]),
        (seen(warnings=ALWAYS), None, []),
        (seen(SEEN, NOT_SEEN), None, ["evidence-conflicts"]),
        (seen(NOT_SEEN, SEEN), None, ["evidence-conflicts"]),
        (seen(relation=APART), None, ["evidence-conflicts"]),
        (seen(NOT_SEEN, NOT_SEEN), None, ["evidence-conflicts"]),
        (seen(NOT_SEEN, NOT_SEEN, relation=relation(overlaps_after_writes=False)), None, []),
        (seen(source_changes=(Change(fact="writable", before="True", after="False"),)), None, ["source-changed"]),
        (RAISES_AFTER_A_CHANGE, None, ["source-changed"]),
        (seen(source_changes=(MOVED,)), None, ["source-moved"]),
        (seen(source_changes=(replace(MOVED, fact="lazy"),)), None, []),
        (seen(evidence=evidence(cells=(WRITTEN,))), None, ["written-though-refused"]),
        (seen(evidence=evidence(cells=(replace(WRITTEN, refused=False),))), None, []),
        (copied(result=tensor(filled=False)), None, ["uninitialized"]),
        (seen(relation=relation(copied_parts=("['a']",))), None, ["partly-shared"]),
        (copied(evidence=evidence(storage=96)), None, ["storage-larger"]),
        (copied(evidence=evidence(storage=95)), None, []),
        (seen(evidence=evidence(storage=8 * 48)), None, ["storage-larger"]),
        (seen(evidence=evidence(storage=8 * 48 - 1)), None, []),
        (seen(evidence=evidence(storage=8 * 48), result=ARRAY), None, []),  # pickle writes the array's elements only
        (seen(evidence=evidence(storage=8 * 48), relation=relation(same_object=True)), None, []),
        (seen(global_state=("the default dtype",)), None, ["global-state-changed"]),
        (seen(warnings=BETA), None, []),
        (seen(relation=UNTOLD), None, []),
        (seen(REFUSED, SEEN), None, []),
        (seen(NOT_TRIED, NOT_TRIED, **GONE, error=Raised(type="TypeError", message="no")), True, []),
    ],
)
def test_hazards(observation: Observation, copy: bool | None, codes: list[str] | str) -> None:
    if codes == "reinterpreted":
        codes = ["dtype-reinterpreted", "values-changed", "dtype-changed"]
    assert hazards(judge(observation, NOTHING, copy)) == codes


def test_every_hazard_is_in_the_table() -> None:
    (mark,) = (mark for mark in test_hazards.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    found = {code for case in mark.args[1] for code in hazards(judge(case[0], NOTHING, case[1]))}
    assert found == set(HAZARDS)


def test_a_hazard_says_how_it_shows() -> None:
    row = judge(copied(values=CHANGED, result=tensor(dtype="float64")), NOTHING)
    assert [hazard.detail for hazard in row.hazards] == [
        *("the values differ", "float32 became float64, although no other dtype was requested")
    ]
    (kills,) = judge(seen(SEEN, CRASHED, crash=crash(Stage.WRITE_RESULT)), NOTHING).hazards
    assert kills.detail == "writing to the result crashes the process: SIGABRT"
    (kills,) = judge(seen(CRASHED, SEEN, crash=crash(Stage.WRITE_SOURCE, signal=None, exit_code=3)), NOTHING).hazards
    assert kills.detail == "writing to the source crashes the process: exit code 3"


# The contract --------------------------------------------------------------------------------------


def promise(expected: str, about: str = "outcome", absent: str | None = None) -> Promise:
    citation = f"https://example.org/{about.replace(' ', '-')}"
    return Promise(about=about, expected=expected, citation=citation, sentence="It does.", absent=absent)


NOT_THERE = "not on the page of numpy 1.26.4"
WRITE = "write to the result"
KILLED = seen(SEEN, CRASHED, crash=crash(Stage.WRITE_RESULT))


TIMED_OUT = seen(NOT_TRIED, NOT_TRIED, **GONE, crash=crash(Stage.CONVERT, timed_out=True))
ABORTED = seen(NOT_TRIED, NOT_TRIED, **GONE, crash=crash(Stage.CONVERT))
RAISED = seen(NOT_TRIED, NOT_TRIED, **GONE, error=Raised(type="TypeError", message="no"))


@pytest.mark.parametrize(
    ("observation", "promises", "verdicts", "verdict"),
    [
        (seen(), [], [], "undocumented"),
        (seen(), [promise("shared")], ["kept"], "kept"),
        (copied(), [promise("shared")], ["broken"], "broken"),
        (RAISED, [promise("shared")], ["broken"], "broken"),
        (RAISED, [promise("refused")], ["kept"], "kept"),
        (seen(), [promise("refused")], ["broken"], "broken"),
        (ABORTED, [promise("shared")], ["broken"], "broken"),
        (TIMED_OUT, [promise("shared")], ["untested"], "untested"),
        (seen(result=EMPTY), [promise("shared")], ["untested"], "untested"),
        (seen(), [promise("shared-or-copied")], ["kept"], "kept"),
        (copied(), [promise("shared-or-copied")], ["kept"], "kept"),
        (RAISED, [promise("shared-or-copied")], ["broken"], "broken"),
        (seen(), [promise("float32", "dtype")], ["kept"], "kept"),
        (seen(), [promise("float64", "dtype")], ["broken"], "broken"),
        (RAISED, [promise("float64", "dtype")], ["untested"], "untested"),
        (seen(), [promise("shared"), promise("float64", "dtype")], ["kept", "broken"], "broken"),
        (RAISED, [promise("refused"), promise("float64", "dtype")], ["kept", "untested"], "untested"),
        # a sentence that the installed page does not have accuses nobody, and praises nobody
        (copied(), [promise("shared", absent=NOT_THERE)], ["undocumented"], "undocumented"),
        (seen(), [promise("shared", absent=NOT_THERE)], ["undocumented"], "undocumented"),
        (
            copied(),
            [promise("shared", absent=NOT_THERE), promise("float32", "dtype")],
            ["undocumented", "kept"],
            "kept",
        ),
        # undefined behaviour agrees with whatever happens
        (seen(), [promise("undefined", WRITE)], ["undefined"], "undefined"),
        (KILLED, [promise("shared"), promise("undefined", WRITE)], ["kept", "undefined"], "kept"),
        (copied(), [promise("shared"), promise("undefined", WRITE)], ["broken", "undefined"], "broken"),
        (TIMED_OUT, [promise("undefined", WRITE)], ["untested"], "untested"),
    ],
)
def test_the_verdict_is_that_of_the_worst_clause(
    observation: Observation, promises: list[Promise], verdicts: list[str], verdict: str
) -> None:
    contract = judge(observation, Expectation(promises=tuple(promises))).contract
    assert [str(clause.verdict) for clause in contract.clauses] == verdicts
    assert contract.verdict == verdict


def test_a_clause_repeats_the_promise_and_what_was_observed() -> None:
    contract = judge(copied(), Expectation(promises=(promise("float32", "dtype"), promise("shared")))).contract
    assert [(c.about, c.expected, c.observed, c.citation, c.sentence) for c in contract.clauses] == [
        ("dtype", "float32", "float32", "https://example.org/dtype", "It does."),
        ("outcome", "shared", "copied", "https://example.org/outcome", "It does."),
    ]
    assert (contract.expected, contract.citation) == ("shared", "https://example.org/outcome")


def test_a_sentence_that_does_not_count_is_neither_expected_nor_cited() -> None:
    contract = judge(copied(), Expectation(promises=(promise("shared", absent=NOT_THERE),))).contract
    assert (contract.expected, contract.citation) == (None, None)
    (clause,) = contract.clauses
    assert (clause.expected, clause.observed, clause.reason) == ("shared", "copied", NOT_THERE)


def test_undefined_behaviour_is_shown_with_what_came_of_it() -> None:
    (clause,) = judge(KILLED, Expectation(promises=(promise("undefined", WRITE),))).contract.clauses
    assert (clause.expected, clause.observed, clause.verdict) == ("undefined", "crashed (SIGABRT)", "undefined")


ROWS = (2, 3)
CLASHES = Warned(category="ComplexWarning", message="discards the imaginary part")


@pytest.mark.parametrize(
    ("about", "observation", "expected"),
    [
        ("call", seen(), "accepted"),
        ("call", RAISED, "refused"),
        ("call", ABORTED, "crashed"),
        ("call", TIMED_OUT, None),
        ("writes", seen(SEEN, SEEN), "seen"),
        ("writes", seen(SEEN, Write.REFUSED), "seen"),
        ("writes", seen(SEEN, NOT_SEEN), "not seen"),
        ("writes", seen(Write.REFUSED, Write.REFUSED), None),
        (WRITE, seen(SEEN, Write.REFUSED), "refused"),
        (WRITE, seen(SEEN, NOT_SEEN), "not seen"),
        (WRITE, KILLED, "crashed (SIGABRT)"),
        ("contiguity", seen(result=tensor(shape=ROWS, strides=(12, 4), nbytes=24)), "row-major"),
        ("contiguity", seen(result=tensor(shape=ROWS, strides=(4, 8), nbytes=24)), "not row-major"),
        ("contiguity", seen(result=tensor(shape=ROWS, strides=(24, 8), nbytes=24)), "not row-major"),
        ("contiguity", seen(result=tensor(shape=(1, 3), strides=(400, 4), nbytes=12)), "row-major"),
        ("contiguity", seen(result=tensor(shape=(), strides=(), nbytes=4)), "row-major"),
        ("contiguity", seen(result=tensor(shape=ROWS, strides=None)), None),
        ("contiguity", RAISED, None),
        ("strides", seen(result=tensor(strides=(4, 8)), source=array(strides=(4, 8))), "the source's"),
        ("strides", seen(result=tensor(strides=(12, 4)), source=array(strides=(4, 8))), "others"),
        ("dimensions", seen(result=tensor(shape=ROWS)), "2"),
        ("dimensions", RAISED, None),
        ("leaf", seen(result=tensor(is_leaf=True)), "a leaf"),
        ("leaf", seen(result=tensor(is_leaf=False)), "not a leaf"),
        ("device", seen(result=tensor(device="meta")), "meta"),
        ("warning", seen(warnings=(CLASHES,)), "ComplexWarning"),
        ("warning", seen(warnings=()), "none"),
        ("warning", TIMED_OUT, None),
    ],
)
def test_what_is_observed_of_what_a_sentence_is_about(
    about: str, observation: Observation, expected: str | None
) -> None:
    assert observed(about, observation, outcome(observation)) == expected


def test_the_doubt_is_the_documentation_s() -> None:
    row = judge(copied(), Expectation(promises=(promise("shared"), promise("float32", "dtype"))))
    doubted = benefit_of_doubt(row)
    assert doubted.contract.verdict is Verdict.UNTESTED
    assert [str(clause.verdict) for clause in doubted.contract.clauses] == ["untested", "kept"]
    assert replace(doubted, contract=row.contract) == row
