"""A moment in which nothing moves: where an object lies is looked up once in it.

One experiment asks some forty times for an address, and the questions are a third of its time. What may move memory, a
conversion or a write, stands between two moments.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

_Answer = TypeVar("_Answer")

_all_answers: list[dict[int, Any]] = []
_held: list[Any] = []
"""What was asked about: as long as an object lives, no other has its ``id``."""
_open = False


class _Moment:
    """While it is open, what ``once_a_moment`` decorates answers once about an object, and keeps the object alive."""

    def __enter__(self) -> None:
        global _open
        _open = True

    def __exit__(self, *_: object) -> None:
        global _open
        _open = False
        for answers in _all_answers:
            answers.clear()
        _held.clear()


moment = _Moment()
"""The one moment: there are never two at once."""


def once_a_moment(look: Callable[[Any], _Answer]) -> Callable[[Any], _Answer]:
    """Have ``look`` answer once about an object while a moment is open; else it is called each time."""
    answers: dict[int, _Answer] = {}
    _all_answers.append(answers)

    @functools.wraps(look)
    def answer(obj: Any) -> _Answer:
        if (key := id(obj)) in answers:
            return answers[key]
        answer = look(obj)
        if _open:
            answers[key] = answer
            _held.append(obj)
        return answer

    return answer
