"""Conditions: what is said is what is tested."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorbridge_cli.catalog import conditions, dtypes, layouts, states
from tensorbridge_cli.catalog.conditions import When, all_of, any_of, dtype, layout, not_, state
from tensorbridge_cli.catalog.registry import RULES
from tests.tools import subject

DTYPES = [entry.name for entry in dtypes.DTYPES]
KINDS = {
    "in state": (state, list(states.BY_NAME), lambda word: subject(state=word)),
    "with layout": (layout, list(layouts.BY_NAME), lambda word: subject(layout=word)),
    "of dtype": (dtype, DTYPES, lambda word: subject(dtype=word)),
}
SUBJECTS = [
    subject(dtype=dtype, layout=layout, state=state)
    for dtype, layout, state in itertools.product(
        ("float32", "bool", "bfloat16"),
        ("contiguous", "reversed", "byte-swapped+reversed"),
        ("plain", "masked", "negative-bit"),
    )
]
NAMED = [value for value in vars(conditions).values() if isinstance(value, When)]
ALL = [*NAMED, *(rule.when for rules in RULES.values() for rule in rules)]


@st.composite
def about_words(draw):
    """A condition on states, layouts or dtypes, with what its words say by themselves."""
    says = draw(st.sampled_from(list(KINDS)))
    make, known, _ = KINDS[says]
    return make(*draw(st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True)))


def holds_as_said(words, of):
    """The independent oracle: read the words of one atom, and look at the subject."""
    negated, says, names = re.fullmatch(r"(not )?(in state|with layout|of dtype) (\S+)", words).groups()
    has = {"in state": of.state.split("+"), "with layout": of.layout.split("+"), "of dtype": [of.dtype]}[says]
    return bool(set(has) & set(names.split("/"))) is not bool(negated)


@given(about_words())
def test_an_atom_names_exactly_what_it_accepts(condition):
    for _, known, subject_of in KINDS.values():
        for word in known:
            assert condition(subject_of(word), None) is holds_as_said(condition.words, subject_of(word))


@given(st.lists(about_words(), min_size=1, max_size=3), st.sampled_from(SUBJECTS))
def test_all_parts_must_hold_and_are_all_said(parts, of):
    joined = all_of(*parts)
    assert joined(of, None) is all(holds_as_said(words, of) for words in joined.words.split(", "))


@given(st.lists(about_words(), min_size=1, max_size=3), st.sampled_from(SUBJECTS))
def test_one_alternative_is_enough_and_each_is_said(parts, of):
    joined = any_of(*parts)
    assert joined(of, None) is any(holds_as_said(words, of) for words in joined.words.split(" or "))


@given(about_words(), st.sampled_from(SUBJECTS))
def test_a_negation_says_so(condition, of):
    assert not_(condition)(of, None) is holds_as_said(not_(condition).words, of)
    assert not_(condition)(of, None) is not condition(of, None)


def test_alternatives_of_several_parts_stay_together():
    both = all_of(dtype("bool"), state("negative-bit"))
    assert any_of(both, layout("offset")).words == "of dtype bool (in state negative-bit) or with layout offset"
    assert not_(both).words == "not both of dtype bool and in state negative-bit"


@pytest.mark.parametrize("condition", ALL, ids=lambda condition: condition.words)
def test_what_a_condition_names_is_known(condition):
    assert condition.mentions <= {*states.BY_NAME, *layouts.BY_NAME, *DTYPES, "float", "int", "complex"}


@pytest.mark.parametrize("condition", ALL, ids=lambda condition: condition.words)
def test_a_name_is_explained_down_to_words_that_need_none(condition):
    meanings = {one.words: one.means for one in condition.named}
    said = ", ".join([condition.words, *meanings.values()])
    for other in NAMED:
        if other.means and re.search(rf"(^|, |or |\(){re.escape(other.words)}\b(?! that| with| whose)", said):
            assert other.words in meanings, f"{other.words} is used and not explained"
    assert all(meanings.values())


def test_what_a_condition_is_about():
    """Which pages show a rule is read from its structure, and not out of its words."""
    assert all_of(state("masked", "matrix"), layout("offset")).requires == {"masked", "matrix", "offset"}
    assert not_(state("masked")).requires == frozenset()
    assert any_of(state("masked"), layout("offset")).requires == frozenset()
    assert conditions.A_TENSOR.requires == frozenset()
