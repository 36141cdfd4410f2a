import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorbridge_cli.records.words import shell_line, with_article


@pytest.mark.parametrize(
    "words",
    [
        "an int",
        "an object",
        "an array.array",
        "an Image",
        "an h5py.Dataset",
        "an xarray.Dataset",
        "a hat",
        "a list",
        "a uint8",
        "a numpy.ndarray",
    ],
)
def test_a_name_has_its_article(words):
    assert with_article(words.partition(" ")[2]) == words


@given(st.lists(st.text(st.characters(exclude_characters="\0"))))
def test_a_shell_takes_a_line_for_its_words(words):
    assert shlex.split(shell_line(words)) == words


def test_single_quotes_are_within_double_ones():
    assert shell_line(["f", "--expr", "g('x')"]) == "f --expr \"g('x')\""
    assert shell_line(["'$x'"]) == shlex.quote("'$x'")
    assert shell_line(["'!'"]) == shlex.quote("'!'")
