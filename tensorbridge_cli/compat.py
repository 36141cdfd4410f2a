"""What older Pythons lack, in one place.

The rooms that run in an inspected environment support Python 3.9, the command line 3.10. Each name here is what newer
Pythons have under it; where the running one has it, this is that very object.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
import sys
import traceback
from enum import Enum
from typing import TYPE_CHECKING, Any

__all__ = ["StrEnum", "bit_count", "dataclass", "format_exception", "values", "zip_equal"]

if TYPE_CHECKING or sys.version_info >= (3, 11):
    from enum import StrEnum
else:

    class StrEnum(str, Enum):
        """An enumeration whose members are strings."""

        __str__ = str.__str__
        __format__ = str.__format__


if TYPE_CHECKING or sys.version_info >= (3, 10):
    from dataclasses import dataclass
else:

    def dataclass(cls=None, *, kw_only=False, slots=False, **options):
        """Make a dataclass as Python 3.10 does, without ``slots``.

        They save memory; and msgspec, which is not where this runs, leaves out a default where there are none.
        """
        if cls is None:
            return lambda cls: dataclass(cls, kw_only=kw_only, slots=slots, **options)
        if kw_only:  # which 3.9 cannot write: fields with a default may stand before those without
            cls = dataclasses.dataclass(init=False, **options)(cls)
            cls.__init__ = _initialize
            return cls
        return dataclasses.dataclass(**options)(cls)


def _initialize(self: Any, **values: Any) -> None:
    """Set the fields of a dataclass by keyword; its ``__init__`` on Python 3.9."""
    for field in dataclasses.fields(self):
        if field.name in values:
            value = values.pop(field.name)
        elif field.default is not dataclasses.MISSING:
            value = field.default
        elif field.default_factory is not dataclasses.MISSING:
            value = field.default_factory()
        else:
            raise TypeError(f"{type(self).__name__}() lacks {field.name!r}")
        object.__setattr__(self, field.name, value)
    if values:
        raise TypeError(f"{type(self).__name__}() has no {next(iter(values))!r}")
    if hasattr(self, "__post_init__"):
        self.__post_init__()


if TYPE_CHECKING:
    zip_equal = zip
elif sys.version_info >= (3, 10):
    zip_equal = functools.partial(zip, strict=True)
else:

    def zip_equal(*iterables):
        """Zip iterables of one length; ``ValueError`` if one of them is longer."""
        items = [tuple(one) for one in iterables]
        if len(set(map(len, items))) > 1:
            raise ValueError(f"{' and '.join(str(len(one)) for one in items)} items cannot be put together")
        return zip(*items)


def values(record: Any) -> dict[str, Any]:
    """Return the fields of a dataclass and their values."""
    kind: Any = type(record)
    names, read = _fields(kind)
    return dict(zip(names, read(record)))


@functools.cache
def _fields(kind: Any) -> tuple[tuple[str, ...], Any]:
    """Return the names of the fields of a dataclass, and what reads them all at once."""
    names = tuple(kind.__dataclass_fields__)
    if len(names) > 1:
        return names, operator.attrgetter(*names)
    return names, lambda record: [getattr(record, name) for name in names]  # an attrgetter of one gives no tuple


def bit_count(number: int) -> int:
    """Return how many bits of ``number`` are set: ``int.bit_count`` is Python 3.10's."""
    return bin(number).count("1")


def format_exception(error: BaseException) -> str:
    """Return the traceback of ``error``; before Python 3.10 the function takes three arguments."""
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))
