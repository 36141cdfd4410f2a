"""Make a stand-in like the function that it stands before, where a program can tell: bound, pickled, shown, a key."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import CodeType, FunctionType, MethodDescriptorType, MethodType
from typing import Any


def names(code: CodeType) -> dict[str, Any]:
    """Return the names of a code object for ``CodeType.replace``; the qualified one is from Python 3.11 on."""
    return {name: getattr(code, name) for name in ("co_name", "co_qualname") if hasattr(code, name)}


_SAME_LINE = 0x80 | 13 << 3
"""How an entry of a code object's table of lines begins that is for units on the line of those before them."""


def all_in_one_line(code: CodeType, below: int = 0) -> dict[str, Any]:
    """Return the table, for ``CodeType.replace``, by which all of a code object is on its first line, or ``below``.

    The lines below are fewer than 32.

    From Python 3.11 on an entry is for 8 units at most (https://github.com/python/cpython/blob/3.11/Objects/locations.md),
    in 3.10 for 254 bytes (https://github.com/python/cpython/blob/3.10/Objects/lnotab_notes.txt); 3.9 has entries
    for other lines alone.
    """
    if sys.version_info < (3, 10):
        return {"co_lnotab": bytes((0, below)) if below else b""}
    units = len(code.co_code) // 2
    most = 8 if sys.version_info >= (3, 11) else 127
    lengths = [*[most] * (units // most), *([units % most] if units % most else [])]
    entries = [(_SAME_LINE | n - 1, 0) if sys.version_info >= (3, 11) else (2 * n, 0) for n in lengths]
    entries[0] = entries[0][0], 2 * below if sys.version_info >= (3, 11) else below
    return {"co_linetable": b"".join(map(bytes, entries))}


class Likeness:
    """What is called in place of a function that is not written in Python; each has a class of its own for its call.

    It is not a descriptor if the function is not, says of itself what the function says, is pickled as the function,
    and is equal to it: a table of what ``__torch_function__`` or ``__array_function__`` is to do is made with the one
    and asked with the other.
    """

    __slots__ = ("__weakref__", "_original")
    _original: Callable[..., Any]

    def __init__(self, original: Callable[..., Any]) -> None:
        object.__setattr__(self, "_original", original)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._original, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._original, name)

    def __eq__(self, other: object) -> bool:
        return other is self or other is self._original

    def __hash__(self) -> int:
        return hash(self._original)

    def __repr__(self) -> str:
        return repr(self._original)

    def __reduce__(self) -> Any:
        return self._original.__reduce__()

    def __sizeof__(self) -> int:
        return self._original.__sizeof__()


def like(original: Callable[..., Any], function: FunctionType) -> Callable[..., Any]:
    """Return ``function``, in the likeness of ``original``."""
    bound = MethodType
    if isinstance(original, FunctionType):
        function.__name__, function.__qualname__ = original.__name__, original.__qualname__
        function.__doc__, function.__module__ = original.__doc__, original.__module__
        function.__annotations__ = original.__annotations__
        function.__dict__.update(original.__dict__)
        return _wrapping(function, original)
    names: dict[str, Any] = {
        "__slots__": (),
        # no Python function: it would stand in the traceback of an AttributeError
        "__getattr__": staticmethod(partial(getattr, original)),
        "__call__": staticmethod(function),
        "__class__": property(lambda self: type(original)),
        # properties, and not texts: pydoc leaves out a text that the class has, too, and a class shows its module
        "__doc__": property(lambda self: original.__doc__),
        "__module__": property(lambda self: original.__module__),
    }
    if isinstance(original, MethodDescriptorType):
        function.__name__, function.__qualname__ = original.__name__, original.__qualname__
        function.__doc__ = original.__doc__  # a bound method shows that of its function
        names["__get__"] = lambda self, instance, owner=None: self if instance is None else bound(function, instance)
    elif hasattr(type(original), "__get__"):
        names["__get__"] = lambda self, instance, owner=None: self if instance is None else bound(self, instance)
    return type(type(original).__name__, (Likeness,), names)(original)  # type: ignore[no-any-return]


def _wrapping(function: FunctionType, original: Callable[..., Any]) -> FunctionType:
    function.__wrapped__ = original  # type: ignore[attr-defined]
    return function
