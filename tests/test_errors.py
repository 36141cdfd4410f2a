"""The sentence that answers an unknown name."""

import pytest

from tensorbridge_cli.catalog import registry
from tensorbridge_cli.errors import unknown

MANY = [f"{word}-{number}" for word in ("copied", "shared", "strided") for number in range(20)]


@pytest.mark.parametrize(
    ("name", "known", "sentence"),
    [
        ("shard", ["shared", "copied"], "unknown word 'shard': did you mean shared?"),
        ("SHARED", ["shared", "copied"], "unknown word 'SHARED': did you mean shared?"),
        ("qwzx", ["shared", "copied", "refused"], "unknown word 'qwzx': use shared, copied or refused."),
        ("qwzx", ["shared"], "unknown word 'qwzx': use shared."),
    ],
)
def test_the_closest_are_named_and_of_a_few_names_all(name, known, sentence):
    assert str(unknown("word", name, known)) == sentence


@pytest.mark.parametrize("name", ["qwzx", "", "x" * 300, "a sentence that is no name at all"])
def test_of_many_names_only_the_closest_are_named(name):
    sentence = str(unknown("word", name, MANY))
    assert 1 <= sum(one in sentence for one in MANY) <= 8  # shared-1 is in shared-12
    assert len(sentence) < 120 + len(name)


def test_a_kind_that_can_be_listed_says_where():
    assert str(unknown("layout", "qwzx", ["strided"])) == "unknown layout 'qwzx': see tensorbridge list layouts."


def test_another_spelling_is_answered_with_the_name_itself():
    assert str(unknown("conversion", "f16", ["Tensor.half"], spelled={"f16x": "Tensor.half"})).endswith(
        "did you mean Tensor.half?"
    )


def test_every_spelling_offered_is_the_name_of_a_conversion():
    names = {entry.name for entry in registry.conversions()}
    assert set(registry.spellings().values()) <= names
    assert not any(spelling.count("(") != spelling.count(")") for spelling in registry.spellings())
