import pytest

from tensorbridge_cli.records.enums import Direction, Outcome, Stage, Write
from tensorbridge_cli.records.report import Crash
from tensorbridge_cli.render.text import words
from tests.render.tools import row


@pytest.mark.parametrize(
    ("mapping", "closed_set"),
    [
        (words.OUTCOMES, Outcome),
        (words.WRITES, Write),
        (words.STAGES, Stage),
        (words.DIRECTIONS, Direction),
    ],
)
def test_every_member_has_its_word(mapping, closed_set):
    assert list(mapping) == list(closed_set)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain → ×", "plain → ×"),
        ("\x1b[31m\x07", "\\x1b[31m\\x07"),
        ("\u202e\u200b\x9b", "\\u202e\\u200b\\x9b"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_does_not_print_is_written_out(text, escaped):
    assert words.escape(text) == escaped


def test_lines_are_joined():
    assert words.one_line(" one \n\n  two\r\n") == "one / two"


@pytest.mark.parametrize(("lengths", "text"), [((4, 3), "4×3"), ((5,), "5"), ((), "()"), ((0, 2), "0×2")])
def test_shapes(lengths, text):
    assert words.shape(lengths) == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "same"),
        ({"result": None, "relation": {"same_pointer": None}}, "–"),
        ({"relation": {"same_pointer": False}, "result": {"pointer": "0x55d0c0de0010"}}, "0x55d0c0de0010 +16"),
        ({"relation": {"same_pointer": False}, "result": {"pointer": "0x55d0c0ddfff8"}}, "0x55d0c0ddfff8 -8"),
        ({"relation": {"same_pointer": False, "same_storage": False}, "result": {"pointer": "0x7f00"}}, "0x7f00"),
    ],
)
def test_pointers(changes, text):
    assert words.pointer(row(**changes)) == text


@pytest.mark.parametrize(
    ("source", "result", "text"),
    [("float32", "float32", "float32"), ("float64", "float32", "float64 → float32"), ("int8", None, "–")],
)
def test_dtypes(source, result, text):
    assert words.dtype(row(source={"dtype": source}, result={"dtype": result})) == text


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"signal": "SIGSEGV"}, ("crashed while writing to the result", "SIGSEGV")),
        ({"exit_code": 3, "stderr": "what(): no"}, ("crashed while writing to the result", "exit code 3: no")),
        ({"stage": Stage.BUILD, "timed_out": True}, ("timed out while building the source", "")),
        ({"confirmed": False}, ("crashed while writing to the result (not reproduced when run alone)", "")),
        ({"confirmed": None}, ("crashed while writing to the result (not run again)", "")),
    ],
)
def test_endings(how, said):
    facts = {"stage": Stage.WRITE_RESULT, "signal": None, "exit_code": None, "stderr": "", "confirmed": True}
    assert words.ended(Crash(**(facts | how))) == said


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({}, "4×3 float32 numpy.ndarray, contiguous, plain, cpu: 48 bytes, strides 12, 4 bytes"),
        ({"strides": (4,)}, "4×3 float32 numpy.ndarray, contiguous, plain, cpu: 48 bytes, stride 4 bytes"),
        ({"strides": (), "nbytes": 1}, "4×3 float32 numpy.ndarray, contiguous, plain, cpu: 1 byte"),
        ({"nbytes": None}, "4×3 float32 numpy.ndarray, contiguous, plain, cpu"),
    ],
)
def test_sources(found, text):
    row_ = row(source=found)
    assert words.subject(row_.subject, (row_.source,)) == text


def test_a_source_without_a_dtype():
    table = row(subject={"dtype": "", "shape": (0, 0)})
    assert words.subject(table.subject, (table.source,)).startswith("0×0 numpy.ndarray, contiguous")


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("short. Two sentences.", "short. Two sentences."),
        ("One of 2.0 words! " + "more " * 99, "One of 2.0 words! …"),
        ("one line\nand " + "more " * 99, ("one line\nand " + "more " * 99)[:300].rpartition(" ")[0] + " …"),
        ("more " * 99 + "end. And", "more " * 59 + "more …"),
        ("x" * 999, "x" * 300 + " …"),
    ],
)
def test_of_a_long_message_the_first_sentence_is_left(message, shown):
    assert words.first_sentence(message) == shown
