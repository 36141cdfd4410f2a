import pytest

from tensorbridge_cli.records.report import Direction, Library, Origin, Outcome, Raised, Write
from tensorbridge_cli.render.report.sections import sections
from tests.render.gallery import GALLERY
from tests.render.tools import case, load, made_of, row

TORCH = {"subject": {"library": Library.TORCH}, "direction": Direction.TORCH_TO_TORCH}


def labels(*rows):
    (section,) = sections(made_of(*rows))
    return [label for label, _ in section.rows]


def notes(*rows):
    (section,) = sections(made_of(*rows))
    return [f"{', '.join(labels)}: {note.lead}: {note.text}" for labels, note in section.notes]


def test_no_row_and_no_case_is_lost():
    found = sections(GALLERY)
    assert [row_ for section in found for _, row_ in section.rows] == list(GALLERY.observations)
    assert sum(note.tone == "not-applicable" for section in found for _, note in section.notes) == 2


def test_sources_that_differ_in_their_library_alone_are_one():
    assert len(sections(made_of(row(), row(**TORCH)))) == 1


@pytest.mark.parametrize(
    "subject",
    [
        {"shape": (3, 4)},
        {"dtype": "int8"},
        {"layout": "strided"},
        {"state": "read-only"},
        {"device": "meta"},
        {"origin": Origin.FILE},
        {"given": "a.npy"},
    ],
)
def test_sources_that_differ_in_anything_else_are_two(subject):
    assert len(sections(made_of(row(), row(subject=subject)))) == 2


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
        ({"source": {"nbytes": 0}}, "the source has no bytes that could be shared"),
        ({"result": {"pointer": None}}, "the result has no address that could be compared"),
    ],
)
def test_what_could_not_be_decided_says_why(changes, why):
    assert notes(row(outcome=Outcome.UNDECIDABLE, **changes)) == [f"torch.from_numpy: undecidable: {why}"]
    assert notes(row(outcome=Outcome.UNDECIDABLE)) == []


def test_a_case_that_was_not_tried_stands_with_its_source():
    assert notes(row(), case(subject=load("shared").observations[0].subject, reason="why")) == [
        "torch.from_numpy numpy→torch: not applicable: why"
    ]
