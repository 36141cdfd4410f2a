"""Whether an object that lives is garbage: what refers to it is a cycle, which Python has not collected yet.

So is what a closure that calls itself has a name for: it lives on, and nobody can use it. What was local where an
exception was raised, which is kept with its traceback, nobody does. The collector is not asked, as it would run the
program's finalizers: its sums are done for the few objects that lead to one. Whatever these do not explain is taken for
a use.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from types import ModuleType, TracebackType
from typing import Any

MANY = 2000
"""Objects that may lead to one: if there are more, something is taken to use it."""


def garbage(objects: list[Any]) -> set[int]:
    """Return the ``id`` of each of ``objects`` that nothing of the program's leads to.

    An object is used if more references to it are counted than objects refer to it that the collector knows: a name of
    a function that runs is one, and C code may have one. What such an object leads to is used, too. ``objects`` must be
    the only list that the caller has them in; when this returns, more is in it.
    """
    asked, begin = [id(one) for one in objects], 0
    known, referred = set(asked), Counter[int]()
    leads_to: dict[int, list[int]] = {}
    used: list[int] = []
    while begin < len(objects):
        last = tuple(objects[begin:])
        begin, ids = len(objects), {id(one) for one in last}
        referrers = gc.get_referrers(*last)
        for one in referrers:
            if one is objects or one is last:  # of its own arguments Python 3.13 says that they refer to what is asked
                continue
            found = [id(other) for other in gc.get_referents(one) if id(other) in ids]
            referred.update(found)
            if type(one) is TracebackType:
                continue
            leads_to.setdefault(id(one), []).extend(found)
            if _is_used(one):
                used.append(id(one))
            elif id(one) not in known:
                known.add(id(one))
                objects.append(one)
        del last, referrers, one
        if len(objects) > MANY:
            return set()
    objects.append(object())  # nothing else refers to this: what is counted for it is this function's own
    *counts, own = [sys.getrefcount(each) for each in objects]
    used += [id(each) for each, count in zip(objects, counts, strict=False) if count - own > referred[id(each)]]
    reached = set(used)
    while used:
        more = set(leads_to.get(used.pop(), ())) - reached
        reached |= more
        used += more
    return set(asked) - reached


def _is_used(one: Any) -> bool:
    """Return True for a class, a module and its names; classes and modules that are garbage are few."""
    if type(one) is dict:
        return "__name__" in one and "__builtins__" in one
    return issubclass(type(one), (type, ModuleType))  # isinstance would ask the object for its __class__
