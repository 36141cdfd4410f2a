"""Count the calls of ``ndarray``'s own methods, which cannot be replaced: Python 3.12 and newer tells of them.

``sys.monitoring`` says which method is called on which array, and when the call is over; never with what, nor what came
back. So a call is counted and timed, its source is known, and what became of the memory is not. Only code of the user's
that names such a method is watched: everything else runs as fast as without.

https://docs.python.org/3/library/sys.monitoring.html
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from time import perf_counter
from types import BuiltinMethodType, CodeType, FrameType, FunctionType, MethodDescriptorType, MethodType
from typing import Any

from tensorbridge_cli.tracing.inside.classify import REFUSED, UNDECIDABLE
from tensorbridge_cli.tracing.inside.recorder import Recorder
from tensorbridge_cli.tracing.inside.sites import CountedSite

_IDS = (4, 3)
"""The identifiers of tools that no kind of tool has a claim on."""

_ROOM = 256
"""Code that is watched, before it is asked which of it is still there."""

_NAMED = {MethodDescriptorType, BuiltinMethodType, FunctionType, MethodType}


class _Calls(threading.local):
    """The calls that one thread is in, the innermost last: the site, the array, by its id, and when it began."""

    def __init__(self) -> None:
        self.open: list[tuple[CountedSite, int, float]] = []


class Methods:
    """Has ``recorder`` count the calls of the methods that ``names`` tells the conversion of.

    Args:
        recorder: What counts.
        names: The conversion that each method is, by its name.
    """

    _restarts = False
    """Whether code was watched before in this process, e.g. by another ``tb.trace()``."""

    def __init__(self, recorder: Recorder, names: Mapping[str, str]) -> None:
        self._recorder, self._names = recorder, names
        self._conversions: dict[Any, str] = {}
        self._array: type = object
        self._calls = _Calls()
        self._watched: list[weakref.ref[CodeType]] = []
        self._room = _ROOM
        self._tool: int | None = None

    def watch(self, numpy: Any) -> bool:
        """Watch the user's code from now on, also what runs already; return whether this Python can tell."""
        monitoring: Any = getattr(sys, "monitoring", None)
        if monitoring is None or self._tool is not None:
            return self._tool is not None
        self._tool = next((number for number in _IDS if monitoring.get_tool(number) is None), None)
        if self._tool is None:  # other tools have them all
            return False
        self._array = numpy.ndarray
        self._conversions = {getattr(self._array, method): name for method, name in self._names.items()}
        monitoring.use_tool_id(self._tool, "tensorbridge")
        events = monitoring.events
        for event, callback in (
            (events.PY_START, self._started),
            (events.PY_RESUME, self._started),  # a generator that waited when this began
            (events.CALL, self._called),
            (events.C_RETURN, self._over(UNDECIDABLE)),
            (events.C_RAISE, self._over(REFUSED)),
        ):
            monitoring.register_callback(self._tool, event, callback)
        monitoring.set_events(self._tool, events.PY_START | events.PY_RESUME)
        if Methods._restarts:  # else what had started then, and told so once, would not be looked at again
            monitoring.restart_events()
        Methods._restarts = True
        for innermost in sys._current_frames().values():
            frame: FrameType | None = innermost
            while frame is not None:
                self._look_at(frame)
                frame = frame.f_back
        return True

    def leave(self) -> None:
        """Watch no longer."""
        monitoring: Any = getattr(sys, "monitoring", None)
        if self._tool is None:
            return
        for code in self._alive():
            monitoring.set_local_events(self._tool, code, 0)
        monitoring.set_events(self._tool, 0)
        monitoring.free_tool_id(self._tool)
        self._tool, self._watched = None, []

    def _started(self, code: CodeType, offset: int) -> Any:
        self._look_at(sys._getframe(1))
        return sys.monitoring.DISABLE  # type: ignore[attr-defined]

    def _look_at(self, frame: FrameType) -> None:
        """Watch the code of ``frame`` if it is the user's and names a method."""
        code, monitoring = frame.f_code, sys.monitoring  # type: ignore[attr-defined]
        if not self._names.keys().isdisjoint(code.co_names) and self._recorder.ours(frame):
            self._remember(code)
            monitoring.set_local_events(self._tool, code, monitoring.events.CALL)

    def _remember(self, code: CodeType) -> None:
        """Note code that is watched, and hold none: a program may compile some in a loop.

        References without a callback are gone through from time to time: a callback would be an event of the program's,
        for ``sys.setprofile``.
        """
        if len(self._watched) >= self._room:
            self._watched = list(map(weakref.ref, self._alive()))
            self._room = max(_ROOM, 2 * len(self._watched))
        self._watched.append(weakref.ref(code))

    def _alive(self) -> list[CodeType]:
        codes = (ref() for ref in self._watched)
        return [code for code in codes if code is not None]

    def _called(self, code: CodeType, offset: int, function: Any, first: Any) -> Any:
        method_call = self._method_call(function, first)
        if method_call is not None and not self._recorder.paused:
            conversion, array = method_call
            site = self._recorder.site(sys._getframe(1), conversion)
            self._calls.open.append((site, id(array), perf_counter()))
        # a list has a copy, too, and at the same place there may be an array the next time
        if method_call is not None or (type(function) in _NAMED and function.__name__ in self._names):
            return None
        return sys.monitoring.DISABLE  # type: ignore[attr-defined]

    def _over(self, outcome: str) -> Callable[..., None]:
        def over(code: CodeType, offset: int, function: Any, first: Any) -> None:
            method_call, opened = self._method_call(function, first), self._calls.open
            if method_call is not None and opened and opened[-1][1] == id(method_call[1]):
                site, _, began = opened.pop()
                self._recorder.count_unreturned(site, method_call[1], outcome, perf_counter() - began)

        return over

    def _method_call(self, function: Any, first: Any) -> tuple[str, Any] | None:
        """Return the conversion that a call is, and its array; of nothing else that is called anything is asked."""
        if type(function) is MethodDescriptorType and function in self._conversions:
            return (self._conversions[function], first) if issubclass(type(first), self._array) else None
        if type(function) is BuiltinMethodType and issubclass(type(function.__self__), self._array):  # bound before
            conversion = self._names.get(function.__name__)
            return None if conversion is None else (conversion, function.__self__)
        return None
