"""A moment in which nothing moves: where an object lies is looked up once in it.

One experiment asks some forty times for an address, and the questions are a third of its time. What may move memory, a
conversion or a write, stands between two moments.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

_Answer = TypeVar("_Answer")
_UNKNOWN: Any = object()

_all_answers: list[dict[int, Any]] = []
_held: list[Any] = []
"""What was asked about: as long as an object lives, no other has its ``id``."""
_open = False


@contextlib.contextmanager
def moment() -> Iterator[None]:
    """While it is open, what ``once_a_moment`` decorates answers once about an object, and keeps the object alive."""
    global _open
    _open = True
    try:
        yield
    finally:
        _open = False
        for answers in _all_answers:
            answers.clear()
        _held.clear()


def once_a_moment(look: Callable[[Any], _Answer]) -> Callable[[Any], _Answer]:
    """Have ``look`` answer once about an object while a moment is open; else it is called each time."""
    answers: dict[int, _Answer] = {}
    _all_answers.append(answers)

    @functools.wraps(look)
    def answer(obj: Any) -> _Answer:
        known: _Answer = answers.get(id(obj), _UNKNOWN)
        if known is not _UNKNOWN:
            return known
        answer = look(obj)
        if _open:
            answers[id(obj)] = answer
            _held.append(obj)
        return answer

    return answer
