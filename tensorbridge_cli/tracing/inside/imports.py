"""Act when a module of a given name has been executed, whoever found it and whoever loads it.

Python's own loaders (of a source file, of bytecode, of a zip archive, the lazy one, and whatever inherits from them)
execute a module in one place: ``_call_with_frames_removed(exec, code, namespace)`` in the import system. Its stand-in
here does what it does, and acts when a watched module's code has ended: before the importing line goes on.

A finder in ``sys.meta_path`` was tried first. It is asked by ``importlib.util.find_spec("torch")``, too, after which
nothing is imported; it is not asked by ``importlib.reload``, by a finder that stands before it, or for a file that is
loaded by its path; and a program can see it. ``test_imports_of_every_kind`` has these cases.

The stand-in has the name and the file name of what it stands for: by these Python removes the import system's frames
from tracebacks (``remove_importlib_frames`` in ``Python/import.c``) and skips them when it looks for the line that a
warning is for. A loader that calls ``exec`` itself is not noticed: ``Tracer.unhooked`` tells of that.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib import _bootstrap
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from tensorbridge_cli.tracing.inside.wrappers import all_in_one_line, names

_CALL = "_call_with_frames_removed"


class _Watch(NamedTuple):
    during: Callable[[], AbstractContextManager[Any]]
    after: Callable[[], None]
    again: bool


class Imports:
    """Has watched modules executed within a context of their own, and acts afterwards."""

    def __init__(self) -> None:
        self._watched: dict[str, _Watch] = {}
        self._original: Any = None
        self._stand_in: Any = None

    def watch(
        self,
        name: str,
        after: Callable[[], None],
        during: Callable[[], AbstractContextManager[Any]] = nullcontext,
        *,
        again: bool = False,
    ) -> None:
        """Call ``after`` when the module ``name`` has been executed, both within ``during``.

        ``again``: also when it is executed once more, by ``importlib.reload``.
        """
        self._watched[name] = _Watch(during, after, again)
        if self._stand_in is None and hasattr(_bootstrap, _CALL):
            self._original = getattr(_bootstrap, _CALL)
            self._stand_in = _stand_in(self._original, self._watched)
            setattr(_bootstrap, _CALL, self._stand_in)

    def leave(self) -> None:
        """Watch nothing any longer."""
        self._watched.clear()
        if self._stand_in is not None and getattr(_bootstrap, _CALL) is self._stand_in:
            setattr(_bootstrap, _CALL, self._original)
        self._stand_in = None


def loaded(name: str) -> Any:
    """Return the module ``name``; ``None`` if it is not imported, or lazy: asked for anything, it would be loaded."""
    module = sys.modules.get(name)
    return None if is_lazy(module) else module


def is_lazy(module: object) -> bool:
    """Return True for a module of ``importlib.util.LazyLoader`` that the program has asked for nothing."""
    return type(module).__module__ == "importlib.util"


def is_over(name: str) -> bool:
    """Return True if the module ``name`` has been imported, and not only begun to be."""
    module = loaded(name)
    return module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False)


def _stand_in(original: Any, watched: dict[str, _Watch]) -> Any:
    modules, kind = sys.modules, CodeType
    not_the_programs = suppress(Exception)  # a failure of what is done afterwards

    def call(f: Any, *args: Any, **kwds: Any) -> Any:
        if len(args) == 2 and type(args[0]) is kind and args[1].get("__name__") in watched:
            name = args[1]["__name__"]
            # a file that is only called torch, and is imported under no name, is not what the program calls torch
            if getattr(modules.get(name), "__dict__", None) is args[1]:
                watch = watched[name]
                with watch.during():
                    f(*args, **kwds)
                    if not watch.again:
                        watched.pop(name, None)
                    with not_the_programs:
                        watch.after()
                return None
        return f(*args, **kwds)

    code = original.__code__
    last = max(line for _, line in dis.findlinestarts(code) if line is not None)  # of the call that it makes
    disguised = call.__code__.replace(
        co_filename=code.co_filename,
        co_firstlineno=code.co_firstlineno,
        **all_in_one_line(call.__code__, last - code.co_firstlineno),
        **names(code),
    )
    function = FunctionType(disguised, original.__globals__, original.__name__, None, call.__closure__)
    function.__doc__, function.__module__ = original.__doc__, original.__module__
    return function
