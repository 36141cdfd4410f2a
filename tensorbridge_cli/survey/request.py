"""What is to be inspected, as the survey takes it: ``parse`` makes a ``Request`` of what is written."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from tensorbridge_cli.catalog import constructors, layouts, registry, states
from tensorbridge_cli.catalog.carriers import GROUPS
from tensorbridge_cli.errors import RequestError, one_of, unknown
from tensorbridge_cli.lab.experiment import Given
from tensorbridge_cli.lab.protocol import Resolved
from tensorbridge_cli.records import renamed
from tensorbridge_cli.records.enums import Direction, Library, Origin, Outcome
from tensorbridge_cli.records.words import with_article
from tensorbridge_cli.subjects import files
from tensorbridge_cli.survey import plugins
from tensorbridge_cli.survey.request_text import WANTED, RequestText, option
from tensorbridge_cli.survey.words import shape, split

_DESCRIBING = ("shape", "dtype", "layout", "state", "library")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be inspected.

    Attributes:
        conversions: Names as typed; none, and no group, means the four common ones.
        code: Conversions of the user's own, as expressions of ``x``.
        groups: Names of groups; the conversions in them that fit the subject are meant.
        every: All conversions that accept the source.
        shapes, dtypes, layouts, states: What is generated, each with each; named as the library names them.
        library: Whose objects are generated; ``None`` is what the conversion takes, an array or a tensor.
        to_dtype: The target dtype, passed to the conversions that take one.
        device: Where generated tensors are.
        direction: Only conversions that go this way.
        given: The user's own object, instead of generated ones.
        force: Run even if memory may not suffice.
        elsewhere: Dtypes that only other environments have, each after its name as written: their cases are not
            applicable.
        beside_torch: Another environment has PyTorch: if this one has not, what is selected is the same, and the cases
            that need it are not applicable.
    """

    conversions: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    every: bool = False
    shapes: tuple[tuple[int, ...], ...] = ((4, 3),)
    dtypes: tuple[str, ...] = ("float32",)
    layouts: tuple[str, ...] = ("contiguous",)
    states: tuple[str, ...] = (states.PLAIN,)
    library: Library | None = None
    to_dtype: str | None = None
    device: str = "cpu"
    direction: Direction | None = None
    given: Given | None = None
    force: bool = False
    elsewhere: tuple[tuple[str, Resolved], ...] = ()
    beside_torch: bool = False

    def check_names(self) -> None:
        """Look up conversions, groups and layouts before anything is started.

        Raises:
            RequestError: for one that is unknown.
        """
        for text in self.conversions:
            registry.candidates(text)
        for text in self.code:
            registry.own(text)
        for name in self.groups:
            registry.group(name)
        for layout in set(self.layouts) - {"all"}:
            layouts.parse(layout)

    def each_axis(self) -> list[Request]:
        """Return the request three times: with every dtype, with every layout, with every state."""
        every = ("all",)
        return [replace(self, dtypes=every), replace(self, layouts=every), replace(self, states=every)]


Note = Callable[[str], None]
"""Is told a sentence that is not an error."""


def quiet(sentence: str) -> None:
    """Ignore the sentence."""


def parse(text: RequestText, note: Note = quiet) -> Request:
    """Read a request; the modules of its plugins are imported, in a process of their own.

    ``note`` is told of old names of layouts and states, which are accepted for one more release.

    Raises:
        RequestError: if it makes no sense.
    """
    _refuse_empty(text)
    if text.python:  # there their packages need not be installed
        plugins.leave_installed(text.plugin, note)
    else:
        plugins.load_installed(note)
    plugins.load(text.plugin, text.timeout, text.python[0] if text.python else None)
    text = replace(
        text, layout=_current_names("layout", text.layout, note), state=_current_names("state", text.state, note)
    )
    given, text = _subject(text)
    way = "all" if text.direction is None else one_of("--direction", text.direction, (*Direction, "all"))
    direction = None if way == "all" else Direction(way)
    if given is None:
        meant = _meant(split(text.conversion), split(text.group), direction)
        text = replace(
            text,
            library=text.library or _implied_library(meant, split(text.group), direction),
            shape=text.shape or _implied_shape(meant),
        )
    request = Request(
        conversions=split(text.conversion),
        code=tuple(dict.fromkeys(code.strip() for code in text.code)),
        groups=split(text.group),
        # which code to write is asked of all conversions, unless some were named
        every=text.all or bool(text.want and not (text.conversion or text.code or text.group)),
        **_described(text),
        to_dtype=text.to_dtype,
        device=text.device or Request.device,
        direction=direction,
        given=given,
        force=text.force,
    )
    request.check_names()
    return request


_SHORT = 40
"""Characters up to which a value is shown in a sentence, and not its type."""
_NEVER_EMPTY = ("conversion", "group", "library", "dtype", "layout", "state", "device", "to_dtype", "plugin", "python")


def _refuse_empty(text: RequestText) -> None:
    """Refuse an empty value, e.g. of a variable of the shell that is not set: it would be read as the default.

    Raises:
        RequestError: if there is one.
    """
    for name in _NEVER_EMPTY:
        value: str | tuple[str, ...] | None = getattr(text, name)
        values = (value,) if isinstance(value, str) else value or ()
        if others := [one for one in values if not isinstance(one, str)]:
            given = repr(others[0])
            shown = given if len(given) <= _SHORT else with_article(type(others[0]).__name__)
            raise RequestError(f"{option(name)}: {shown} is not a text.")
        if not all(map(str.strip, values)):
            raise RequestError(f"{option(name)} is empty: specify a value, or omit it.")


def _meant(conversions: Sequence[str], groups: Sequence[str], direction: Direction | None) -> list[registry.Conversion]:
    """Return the conversions that are named, or those of the direction that is; none if the source decides.

    Raises:
        RequestError: for a conversion that is unknown.
    """
    if conversions or direction is None:
        return [entry for text in conversions for entry in registry.candidates(text)]
    entries = [entry for entry in registry.conversions() if direction in map(entry.direction, entry.sources)]
    return [entry for entry in entries if not groups or set(groups) & set(entry.groups)]


def _implied_shape(meant: Sequence[registry.Conversion]) -> tuple[str, ...]:
    """Return the shape that ``meant`` need, if they need a number of dimensions: ``pd.Series`` needs one."""
    dimensions = {entry.dimensions for entry in meant} - {None}
    shape = Request.shapes[0][: next(iter(dimensions))] if len(dimensions) == 1 else ()
    return (",".join(map(str, shape)),) if shape else ()


def _implied_library(
    meant: Sequence[registry.Conversion], groups: Sequence[str], direction: Direction | None
) -> str | None:
    """Return the library of the source if only one is possible: ``pa.Array.to_numpy`` takes objects of Arrow.

    None if each conversion decides whether it takes an array or a tensor.
    """
    sources = {source for entry in meant for source in entry.sources}
    sources |= {library for library, group in GROUPS.items() if group in groups}
    if direction is not None:
        sources = {direction.source}
    elif not set(groups) <= set(GROUPS.values()):
        return None
    return next(iter(sources)) if len(sources) == 1 and sources <= set(constructors.CONSTRUCTORS) else None


class _Description(TypedDict):
    """The fields of a ``Request`` that describe a generated source."""

    library: Library | None
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    layouts: tuple[str, ...]
    states: tuple[str, ...]


def _described(text: RequestText) -> _Description:
    """Return what is to be generated, each word checked against what the library has.

    Raises:
        RequestError: for a word that it has not.
    """
    library = None if text.library is None else constructors.library(text.library)
    shapes = tuple(dict.fromkeys(map(shape, text.shape)))
    dtypes = split(text.dtype) or Request.dtypes
    if library is None or (constructor := constructors.CONSTRUCTORS.get(library)) is None:
        layout_names = known_names(text.layout, "layout", layouts.BY_NAME, layouts.ALIASES)
        state_names = known_names(text.state, "state", (states.PLAIN, *states.BY_NAME))
        return _Description(
            library=library,
            shapes=shapes or Request.shapes,
            dtypes=dtypes,
            layouts=_each(layouts.parse, layout_names or Request.layouts),
            states=_each(states.parse, state_names or Request.states),
        )
    if text.device != Request.device:
        raise RequestError(f"a generated object of {library} is on the CPU: omit --device.")
    return _Description(
        library=library,
        shapes=shapes or (constructor.default_shape,),
        dtypes=_each(constructor.dtype, dtypes),
        layouts=_each(constructor.layout, split(text.layout) or Request.layouts),
        states=_each(constructor.state, split(text.state) or Request.states),
    )


def _each(parse: Callable[[str], str], names: Iterable[str]) -> tuple[str, ...]:
    """Return each of ``names`` as it is spelled; ``all`` stands for itself."""
    return tuple(name if name == "all" else parse(name) for name in names)


def _current_names(name: str, texts: tuple[str, ...], note: Note) -> tuple[str, ...]:
    """Return the value of an option with the old names of layouts and states replaced."""
    for word in dict.fromkeys(re.split(r"[\s,+]+", " ".join(texts).lower())):
        if word in renamed.NAMES:
            note(f"--{name} {word} is now {renamed.NAMES[word]}: the old name works for one more release.")
    return tuple(re.sub(r"[^\s,+]+", lambda word: renamed.NAMES.get(word[0].lower(), word[0]), text) for text in texts)


def wanted(text: RequestText) -> Outcome | None:
    """Return the outcome for which code is asked.

    Raises:
        RequestError: if code cannot be asked for it.
    """
    return None if text.want is None else Outcome(one_of("--want", text.want, WANTED))


def known_names(
    texts: Iterable[str], kind: str, known: Iterable[str], aliases: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Return the names in comma lists, checked against ``known``, ``aliases`` of them and ``all``.

    Raises:
        RequestError: for a name that is none of them.
    """
    names = split(texts)
    for name in names:
        for word in name.split("+"):
            if word not in (*known, "all") and word.lower() not in (aliases or ()):
                raise unknown(kind, word, [*known, "all"], spelled=aliases)
    return names


# The user's own object ---------------------------------------------------------------------------

_OWN = ("file", "expr", "object")


def _subject(text: RequestText) -> tuple[Given | None, RequestText]:
    """Return the user's own object, and the text without the descriptions of a generated one.

    What was typed wins: what is set elsewhere for another subject is left out.
    """
    own = [name for name in _OWN if getattr(text, name) is not None]
    nearest = min((text.where(name) for name in own), default=0)
    used = [name for name in own if text.where(name) == nearest]
    if not used:
        return None, text
    if len(used) > 1:
        raise RequestError(f"--{' and --'.join(used)} cannot be combined: specify one source.")
    for name in _DESCRIBING:
        if getattr(text, name) and text.where(name) > nearest:
            left_out: dict[str, Any] = {name: getattr(RequestText, name)}
            text = replace(text, **left_out)
        elif getattr(text, name) and (name == "layout" or used != ["file"]):
            raise RequestError(f"--{name} cannot be combined with --{used[0]}: it describes a generated source.")
    if text.file is not None and used == ["file"]:
        return _file(text.file, text), text
    if text.expr is not None and used == ["expr"]:
        return _expression(text.expr), text
    return _object(text.object or ""), text


def _file(path: str, text: RequestText) -> Given:
    dtypes, words = split(text.dtype), split(text.state)
    if max(len(text.shape), len(dtypes), len(words)) > 1:
        raise RequestError("--file accepts at most one --shape, one --dtype and one --state.")
    spec = files.parse(
        path,
        dtype=dtypes[0] if dtypes else None,
        shape=shape(text.shape[0]) if text.shape else None,
        words=states.words(states.parse(words[0])) if words else frozenset(),
    )
    return Given(origin=Origin.FILE, text=path, file=spec)


def _expression(code: str) -> Given:
    try:
        compile(code.strip(), "<--expr>", "eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        why = getattr(error, "msg", None) or str(error) or "it is nested too deeply"
        raise RequestError(f"--expr {code!r} is not a Python expression: {why}.") from error
    return Given(origin=Origin.EXPRESSION, text=code)


def _object(name: str) -> Given:
    module, _, path = name.partition(":")
    if not module or not path:
        raise RequestError(f"--object {name!r}: specify package.module:name.")
    if module.endswith(".py") and (os.sep in module or os.path.isfile(module)):
        dotted = os.path.relpath(module.removesuffix(".py")).replace(os.sep, ".").lstrip(".")
        raise RequestError(f"--object {name!r}: specify the module, not its file, e.g. {dotted}:{path}.")
    return Given(origin=Origin.OBJECT, text=name)
