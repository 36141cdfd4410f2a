"""The types of the catalogue: a conversion, a rule of its documentation, and a page that a rule cites.

A rule is a sentence, the condition under which it speaks, and what it promises. Pure data: nothing here is run.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Literal

from tensorbridge_cli.catalog.carriers import GROUPS
from tensorbridge_cli.catalog.conditions import When
from tensorbridge_cli.catalog.dtypes import is_structured
from tensorbridge_cli.catalog.hooks import ComposedOf, InterceptedAt, MonitoredMethod, NoHook
from tensorbridge_cli.catalog.pitfalls import Pitfall
from tensorbridge_cli.compat import dataclass
from tensorbridge_cli.records.enums import Direction, Library

NUMPY, TORCH, PYTHON, BUFFER, PANDAS, ARROW, POLARS = (
    Library.NUMPY,
    Library.TORCH,
    Library.PYTHON,
    Library.BUFFER,
    Library.PANDAS,
    Library.ARROW,
    Library.POLARS,
)
JAX, PILLOW, SCIPY, XARRAY, H5PY, ZARR, DATASETS, OTHER = (
    Library.JAX,
    Library.PILLOW,
    Library.SCIPY,
    Library.XARRAY,
    Library.H5PY,
    Library.ZARR,
    Library.DATASETS,
    Library.OTHER,
)
CARRIED = tuple(GROUPS)
"""Libraries whose objects hold elements and are neither arrays nor tensors: what takes any object takes these."""
OF_ANY_OBJECT = tuple(dict.fromkeys(GROUPS.values()))
"""The groups of what takes any object."""


THE_SOURCES = "the source's"
THE_ONE_ASKED_FOR = "the one asked for"
A_PYTHON_NUMBER = "a Python number"
"""Values of ``Rule.expected`` that are filled in from the request."""

UNDEFINED = "undefined"
"""The value of ``Rule.expected`` for behaviour that a page calls undefined: whatever happens agrees with it."""


@dataclass(frozen=True)
class Rule:
    """One sentence: for which subjects it speaks, about what, and what it promises.

    Attributes:
        when: for which subjects it speaks.
        about: what it is about, a key of ``judge._OBSERVED``.
        expected: what it promises of that.
        sentence: what the page says.
        page: the page, by the name whose docstring it is or by its address; empty for the page of the conversion.
        earlier: what pages of other versions say instead, in other words.
        until: the last version whose page says it, if the page that was read for this catalogue does not.
    """

    when: When
    about: str
    expected: str
    sentence: str
    page: str = ""
    earlier: tuple[str, ...] = ()
    until: str = ""

    @property
    def wordings(self) -> tuple[str, ...]:
        """The sentence in all the words in which pages of some version have it."""
        return (self.sentence, *self.earlier)


Property = Literal["dtype", "shape", "values"]


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """One conversion under its real dotted name.

    Attributes:
        name: the dotted name, with the arguments that are part of the entry.
        sources: the libraries whose objects it takes.
        target: the library of what comes back, or, for a ufunc and ``tolist``, the one that is asked for it.
        code: the call, as an expression of ``x``; it returns the one object to compare with ``x``.
        code_with_dtype: the same with a target ``dtype``; ``None`` if the call takes none.
        code_from: the call for sources of some libraries, if it reads otherwise there; ``{dtype}`` stands for the
            name of the source's dtype, ``{literal}`` for what NumPy is given for it, its byte order included.
        page: the documentation page, by the name whose docstring it is generated from or by its address.
        hook: where ``tensorbridge trace`` sees a program's calls of it; of a plugin's there is none.
        setup: statements that run once before the call is timed, say an import of one's own module.
        copy: the ``copy=`` keyword that the call passes.
        groups: the names under which it is chosen together with others. An entry of the catalogue that starts or ends
            at an object of another library is in the group of that, which ``registry`` adds.
        needs: what an older version lacks: a dotted name, with a keyword as in ``np.from_dlpack(copy=)``.
        same_dtype: True if its code names the source's dtype in the other library, which may have none of that name.
        changes: what the call is there to change, so that a change of it is not a surprise.
        dimensions: how many the source must have, if its library has types of several: a Series has 1, a DataFrame 2.
        summary: what it is, in a sentence.
        rules: what its documentation promises, sentence by sentence; empty if the page was read and promises nothing
            that could be tested, ``None`` for a plugin's, whose page nobody read.
        pitfalls: common pitfalls.
    """

    name: str
    sources: tuple[Library, ...]
    target: Library
    code: str
    page: str
    hook: InterceptedAt | ComposedOf | MonitoredMethod | NoHook | None = None
    code_with_dtype: str | None = None
    code_from: Mapping[Library, str] = field(default_factory=dict, hash=False)
    setup: str = ""
    copy: bool | None = None
    groups: tuple[str, ...] = ()
    needs: str = ""
    same_dtype: bool = False
    changes: tuple[Property, ...] = ()
    dimensions: int | None = None
    summary: str = ""
    rules: tuple[Rule, ...] | None = None
    pitfalls: tuple[Pitfall, ...] = ()

    def __post_init__(self) -> None:
        """Let a rule that names no page cite the page of the conversion."""
        if self.rules is not None:
            rules = tuple(replace(rule, page=rule.page or self.page) for rule in self.rules)
            object.__setattr__(self, "rules", rules)

    def code_for(self, source: Library, dtype: str, *, swapped: bool = False) -> str:
        """Return the call for an object of ``source`` with elements of ``dtype``; ``swapped``: not of native order."""
        code = self.code_from.get(source)
        literal = dtype if is_structured(dtype) else f'"{dtype}"'
        if swapped and not is_structured(dtype):  # a structured one names the order of each field
            literal = f"np.dtype({literal}).newbyteorder()"
        return self.code if code is None else code.format(dtype=dtype, literal=literal)

    def direction(self, source: Library) -> Direction:
        """Return the way that this conversion goes from an object of ``source``."""
        return _direction(source, self.target)


@functools.cache
def _direction(source: Library, target: Library) -> Direction:
    return Direction(f"{source}-to-{target}")


@dataclass(frozen=True, kw_only=True)
class Copy:
    """What is different if a conversion is called with ``copy=``: an entry of its own is derived from it.

    Attributes:
        value: the value of the keyword.
        page: the page that documents the keyword, if it is another.
        newer: the keyword is newer than the function: an installed version may lack it.
        summary, rules, pitfalls: those of the entry.
    """

    value: bool | None
    page: str = ""
    newer: bool = False
    summary: str
    rules: tuple[Rule, ...]
    pitfalls: tuple[Pitfall, ...] = ()


def with_copy(entry: Conversion, *variants: Copy) -> tuple[Conversion, ...]:
    """Return ``entry`` and its variants: the same call with ``copy=``, seen by the same hook."""
    return (entry, *(_with_copy(entry, variant) for variant in variants))


def _with_copy(entry: Conversion, variant: Copy) -> Conversion:
    keyword = f"copy={variant.value}"
    return replace(
        entry,
        name=f"{entry.name}({keyword})",
        code=_with_keyword(entry.code, keyword),
        code_with_dtype=_with_keyword(entry.code_with_dtype, keyword) if entry.code_with_dtype else None,
        copy=variant.value,
        page=variant.page or entry.page,
        needs=f"{entry.name}(copy=)" if variant.newer else entry.needs,
        groups=tuple(name for name in entry.groups if name not in ("classic", *GROUPS.values())),
        summary=variant.summary,
        rules=variant.rules,
        pitfalls=variant.pitfalls,
        # the first entry at a place says what else is bound to the same function
        hook=replace(entry.hook, also=()) if isinstance(entry.hook, InterceptedAt) else entry.hook,
    )


def _with_keyword(call: str, keyword: str) -> str:
    """Return a call with one more keyword."""
    return f"{call[:-1]}{'' if call.endswith('()') else ', '}{keyword})"
