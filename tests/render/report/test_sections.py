import pytest

from tensorbridge_cli.records.enums import Direction, Expected, Library, Origin, Outcome, Verdict, Write
from tensorbridge_cli.records.report import Clause, Contract, Raised, Warned
from tensorbridge_cli.render.report.sections import sections
from tests.render.gallery import GALLERY
from tests.render.tools import case, load, made_of, row, show

TORCH = {"subject": {"library": Library.TORCH}, "direction": Direction.TORCH_TO_TORCH}


def labels(*rows):
    (section,) = sections(made_of(*rows))
    return [label for label, _ in section.rows]


def notes(*rows):
    (section,) = sections(made_of(*rows))
    return [
        f"{' '.join(filter(None, (concerned.count, ', '.join(concerned.labels))))}: {note.lead}: {note.text}"
        for concerned, note in section.notes
    ]


def warned(conversion):
    return row(conversion=conversion, warnings=(Warned(category="W", message="old"),))


def refused(conversion, why):
    return row(conversion=conversion, outcome=Outcome.REFUSED, error=Raised(type="E", message=why))


def test_no_row_and_no_case_is_lost():
    found = [*sections(GALLERY)]
    assert [row_ for section in found for _, row_ in section.rows] == list(GALLERY.observations)
    assert sum(note.tone == "not-applicable" for section in found for _, note in section.notes) == 2


def test_sources_that_differ_in_their_library_alone_are_one():
    assert len([*sections(made_of(row(), row(**TORCH)))]) == 1


@pytest.mark.parametrize(
    "subject",
    [
        {"shape": (3, 4)},
        {"dtype": "int8"},
        {"layout": "non-contiguous"},
        {"state": "read-only"},
        {"device": "meta"},
        {"origin": Origin.FILE},
        {"given": "a.npy"},
    ],
)
def test_sources_that_differ_in_anything_else_are_two(subject):
    assert len([*sections(made_of(row(), row(subject=subject)))]) == 2


def test_a_source_that_was_given_says_so():
    (section,) = sections(made_of(row(subject={"given": "a.npy", "origin": Origin.FILE})))
    assert section.source.startswith("a.npy (file): 4×3 float32 numpy.ndarray, contiguous")


def test_the_type_is_left_out_where_there_are_two():
    (section,) = sections(made_of(row(), row(**TORCH, source={"type": "torch.Tensor"})))
    assert section.source.startswith("4×3 float32, contiguous")


def test_the_direction_is_said_where_two_names_are_alike():
    assert labels(row(), row(**TORCH), row(conversion="torch.tensor")) == [
        "torch.from_numpy numpy→torch",
        "torch.from_numpy torch→torch",
        "torch.tensor",
    ]


def test_the_dtype_asked_for_belongs_to_the_name():
    assert labels(row(to_dtype="int8"), row(to_dtype="int16")) == [
        "torch.from_numpy to int8",
        "torch.from_numpy to int16",
    ]


def test_a_note_that_concerns_two_rows_is_said_once():
    refused = {"error": Raised(type="E", message="no"), "outcome": Outcome.REFUSED}
    assert notes(row(**refused), row(**refused, conversion="b")) == ["torch.from_numpy, b: refused: E: no"]


NAMES = [f"f{number}" for number in range(12)]


def test_a_note_on_all_conversions_counts_them():
    assert notes(*map(warned, NAMES)) == ["all 12 conversions: W: old"]
    assert notes(*map(warned, NAMES[:3])) == ["f0, f1, f2: W: old"]


def test_a_note_on_all_but_a_few_names_the_few():
    others = (row(conversion="a"), row(conversion="b"))
    assert notes(*map(warned, NAMES), *others) == ["all 14 conversions except a, b: W: old"]


def test_a_note_that_a_column_shows_is_counted():
    """The names of those that refuse are in the table; what the table does not show keeps its names."""
    others = [row(conversion=f"g{number}") for number in range(8)]
    write = {"writes": {"source_to_result": Write.REFUSED, "refusals": ("no",)}}
    assert notes(*(row(conversion=name, **write) for name in NAMES), *others) == [
        "12 of 20 conversions: write to the source refused: no"
    ]
    assert notes(*(refused(name, "no") for name in NAMES), *others) == ["12 of 20 conversions: refused: E: no"]
    assert notes(*map(warned, NAMES), *others) == [f"{', '.join(NAMES)}: W: old"]


def test_two_reasons_in_one_column_keep_their_names():
    others = [row(conversion=f"g{number}") for number in range(8)]
    assert notes(*(refused(name, "no") for name in NAMES), refused("h", "never"), *others) == [
        f"{', '.join(NAMES)}: refused: E: no",
        "h: refused: E: never",
    ]


def test_what_is_not_applicable_is_no_row():
    subject = load("shared").observations[0].subject
    cases = [case(conversion=name, subject=subject, reason="why", direction=None) for name in NAMES]
    assert notes(*cases) == ["all 12 conversions: not applicable: why"]
    assert notes(row(conversion="a"), *cases) == [f"{', '.join(NAMES)}: not applicable: why"]


def test_of_two_refused_writes_each_has_its_sentence():
    both = {"source_to_result": Write.REFUSED, "result_to_source": Write.REFUSED, "refusals": ("one", "two")}
    assert notes(row(writes=both)) == [
        "torch.from_numpy: write to the source refused: one",
        "torch.from_numpy: write to the result refused: two",
    ]
    assert notes(row(writes=both | {"refusals": ("one",)})) == ["torch.from_numpy: write refused: one"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"source": {"nbytes": 0}}, "the source is empty"),
        ({"result": {"pointer": None}}, "the result has no address to compare"),
    ],
)
def test_what_could_not_be_decided_says_why(changes, why):
    assert notes(row(outcome=Outcome.UNDECIDABLE, **changes)) == [f"torch.from_numpy: undecidable: {why}"]
    assert notes(row(outcome=Outcome.UNDECIDABLE)) == []


def test_a_case_that_was_not_tried_stands_with_its_source():
    assert notes(row(), case(subject=load("shared").observations[0].subject, reason="why")) == [
        "torch.from_numpy numpy→torch: not applicable: why"
    ]


LONG = "Could not run 'aten::x' with arguments from the 'SparseCPU' backend. " + "This could be because … " * 80


def test_of_a_long_message_a_terminal_is_shown_the_first_sentence():
    entries = (refused("a", LONG), row(conversion="b", warnings=(Warned(category="W", message="w" * 900),)))
    unbuilt = case(reason=LONG)
    report = made_of(*entries, unbuilt)
    told = [note.text for section in sections(report, brief=True) for _, note in section.notes]
    first = LONG.partition(". ")[0]
    assert told == [f"E: {first}. …", f"{'w' * 300} …", f"{first}. …"]
    whole = [note.text for section in sections(report) for _, note in section.notes]
    assert whole == [f"E: {LONG}", "w" * 900, LONG]
    for width, shown in ((80, False), (None, True)):
        assert ("This could be because" in show(report, width=width)) == shown


def test_an_expectation_that_is_not_met_names_its_place_last():
    verdict = Verdict.BROKEN
    clause = Clause(about="outcome", expected="copied", observed="shared", verdict=verdict, citation="--expect")
    contract = Contract(expected=Expected.COPIED, verdict=verdict, citation="--expect", clauses=(clause,))
    assert notes(row(contract=contract))[-1].endswith(
        ": expectation not met: outcome: expected copied, found shared (--expect)"
    )
