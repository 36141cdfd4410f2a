"""In a moment each object is looked at once; after it, again."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch

from tensorbridge_cli.memory import parts
from tensorbridge_cli.memory.moment import moment, once_a_moment


class Counted:
    """An object that tells how often it was looked at."""

    looks = 0


@once_a_moment
def look(obj: Counted) -> int:
    obj.looks += 1
    return obj.looks


def test_an_object_is_looked_at_once_in_a_moment_and_again_after_it() -> None:
    first, second = Counted(), Counted()
    assert (look(first), look(first)) == (1, 2)
    with moment:
        assert (look(first), look(first), look(second), look(second)) == (3, 3, 1, 1)
    assert look(first) == 4
    with moment:
        assert look(first) == 5


def test_what_is_gone_in_a_moment_lends_its_id_to_no_other() -> None:
    with moment:
        assert {look(Counted()) for _ in range(100)} == {1}
        assert look(Counted()) == 1
    obj = Counted()
    reference = weakref.ref(obj)
    with moment:
        look(obj)
    del obj
    gc.collect()
    assert reference() is None  # and nothing is kept after it


def test_a_moment_ends_with_an_error() -> None:
    obj = Counted()
    with pytest.raises(ZeroDivisionError), moment:
        look(obj) / 0  # type: ignore[operator]
    assert look(obj) == 2


def test_an_answer_of_none_is_an_answer() -> None:
    answered = []

    @once_a_moment
    def nothing(obj: Counted) -> None:
        answered.append(obj)

    obj = Counted()
    with moment:
        assert nothing(obj) is nothing(obj) is None
    assert answered == [obj]


def test_memory_that_moves_between_two_moments_is_seen_to_move() -> None:
    tensor = torch.zeros(4)
    with moment:
        was = parts.address(tensor), parts.span(tensor), parts.storage(tensor)
    other = torch.zeros(4)
    tensor.set_(other)  # type: ignore[call-overload]
    with moment:
        now = parts.address(tensor), parts.span(tensor), parts.storage(tensor)
        assert now == (parts.address(other), parts.span(other), parts.storage(other))
    assert all(a != b for a, b in zip(was, now, strict=True))
    array = np.zeros(4)
    with moment:
        assert parts.address(array) == array.ctypes.data
