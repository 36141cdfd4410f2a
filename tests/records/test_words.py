import pytest

from tensorbridge_cli.records.words import with_article


@pytest.mark.parametrize(
    "words",
    [
        "an int",
        "an object",
        "an array.array",
        "an Image",
        "an h5py.Dataset",
        "a hat",
        "a list",
        "a uint8",
        "a numpy.ndarray",
    ],
)
def test_a_name_has_its_article(words):
    assert with_article(words.partition(" ")[2]) == words
