"""What does not print is escaped, and nothing else."""

import json

import pytest

from tensorbridge_cli.printable import escape_json


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a×b", '"a×b"'),
        ("a\x7fb", '"a\\u007fb"'),  # ASCII, which JSON leaves
        ("\x9b31m", '"\\u009b31m"'),
        ("\u202egnp", '"\\u202egnp"'),
        ("\U000e0001", '"\\udb40\\udc01"'),
    ],
)
def test_what_does_not_print_is_escaped_in_json(text, escaped):
    document = json.dumps(text, ensure_ascii=False)
    assert escape_json(document) == escaped
    assert json.loads(escaped) == text


def test_json_that_prints_is_left_as_it_is():
    document = json.dumps({"a": ["b\n", None]}, indent=2)
    assert escape_json(document) == document
