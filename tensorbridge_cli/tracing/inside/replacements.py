"""What stands in the place of a library's function, and the function itself again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tensorbridge_cli.tracing.inside.frames import not_counted
from tensorbridge_cli.tracing.inside.recorder import Recorder


class _Replaced(NamedTuple):
    """An attribute in whose place a stand-in is put; ``own`` is False for one that the owner inherits."""

    owner: Any
    name: str
    original: Any
    own: bool
    stand_in: Any


class Replacements:
    """The attributes that hold a stand-in; they can be put back, for a while or for good."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._replaced: dict[tuple[int, str], _Replaced] = {}
        self._in_place = True

    def stand_ins(self) -> dict[int, Any]:
        """Return the stand-in of each original, by the ``id`` of that."""
        return {id(one.original): one.stand_in for one in self._replaced.values()}

    def replace(self, owner: Any, name: str, original: Any, stand_in: Any) -> None:
        """Put ``stand_in`` in the place of an attribute, or in that of an earlier stand-in.

        Raises:
            TypeError: if the owner refuses it, as a class that is written in C does.
        """
        before = self._replaced.get((id(owner), name))
        own = name in vars(owner) if before is None else before.own
        setattr(owner, name, stand_in)  # what refuses it is not put back later
        self._replaced[id(owner), name] = _Replaced(owner, name, original, own, stand_in)

    def restore(self) -> None:
        """Put everything back as it was."""
        self._swap(False)
        self._replaced.clear()

    def without(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``function`` as it runs without stand-ins."""

        def without(*args: Any, **kwargs: Any) -> Any:
            with self.swapped(in_place=False):
                return function(*args, **kwargs)

        return not_counted(without)

    @contextmanager
    def swapped(self, *, in_place: bool) -> Iterator[None]:
        """Have the stand-ins in their places for a while, or the functions themselves, which then are not counted."""
        was, self._in_place = self._in_place, in_place
        if was is in_place:
            yield
            return
        paused, self._recorder.paused = self._recorder.paused, self._recorder.paused or not in_place
        self._swap(in_place)
        try:
            yield
        finally:
            self._in_place = was
            self._swap(was)
            self._recorder.paused = paused

    def _swap(self, in_place: bool) -> None:
        for one in reversed(self._replaced.values()):
            if in_place or one.own:
                setattr(one.owner, one.name, one.stand_in if in_place else one.original)
            else:
                delattr(one.owner, one.name)
