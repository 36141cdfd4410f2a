"""What a program's text says of writes that no inspection proves."""

import pytest

from tensorbridge_cli.tracing.report.writes import thaws, writes_past_torch


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a.flags.writeable = True", True), ("a.setflags(write=True)", True), ("a.flags.writeable = False", False)],
)
def test_a_read_only_array_that_may_be_written_again(text, expected):
    assert thaws((text,)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t.data += 1", True),
        ("t.numpy()[0] = 1", True),
        ("b = t.numpy()\nb += 1", True),
        ("b = t.numpy()\nnp.negative(b, b)", True),
        ("np.negative(m, t.numpy())", True),
        ("b = c = t.numpy()", True),
        ("kept.append(t.numpy())", True),
        ("b = t.numpy().copy()\nb += 1", False),
        ("b = t.numpy()\nprint(b.sum(), b + 1)", False),
    ],
)
def test_a_write_that_torch_does_not_count(text, expected):
    assert writes_past_torch(f"import numpy as np\n{text}\n") == expected
