"""The registry: all conversions in one tuple, and how a name that a user types becomes an entry.

An entry's ``code`` is what a user types, with ``x`` for the source; it is also what the experiment evaluates, with
``np`` and ``torch`` at hand. So nothing here needs numpy or torch, and what is shown is what was run.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import inspect
import pkgutil
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from tensorbridge_cli.catalog import documentation
from tensorbridge_cli.catalog.carriers import GROUPS, PACKAGES
from tensorbridge_cli.catalog.conversions import (
    of_arrow,
    of_datasets,
    of_files,
    of_images,
    of_jax,
    of_pandas,
    of_polars,
    of_sparse,
    of_xarray,
    to_numpy,
    to_torch,
    within_numpy,
    within_torch,
)
from tensorbridge_cli.catalog.entry import NUMPY, PYTHON, TORCH, Rule
from tensorbridge_cli.catalog.entry import Conversion as Conversion  # a plugin imports it from here
from tensorbridge_cli.catalog.hooks import FROM_A_PLUGIN, NoHook
from tensorbridge_cli.errors import RequestError, unknown
from tensorbridge_cli.records.enums import Direction, Library


def _in_its_group(entry: Conversion) -> Conversion:
    """Return ``entry`` in the group of the other library that it starts at, or else ends at."""
    library = next((source for source in entry.sources if source in GROUPS), entry.target)
    return replace(entry, groups=(GROUPS[library],))


_OF_OTHER_LIBRARIES = (
    *of_pandas.CONVERSIONS,
    *of_jax.CONVERSIONS,
    *of_images.CONVERSIONS,
    *of_sparse.CONVERSIONS,
    *of_xarray.CONVERSIONS,
    *of_files.CONVERSIONS,
    *of_arrow.CONVERSIONS,
    *of_polars.CONVERSIONS,
    *of_datasets.CONVERSIONS,
)

CONVERSIONS: tuple[Conversion, ...] = (
    *to_numpy.CONVERSIONS,
    *to_torch.CONVERSIONS,
    *within_torch.CONVERSIONS,
    *within_numpy.CONVERSIONS,
    *map(_in_its_group, _OF_OTHER_LIBRARIES),
)

UNTESTED: Mapping[str, Mapping[str, str]] = {
    **documentation.UNTESTED,
    **to_numpy.UNTESTED,
    **to_torch.UNTESTED,
    **within_torch.UNTESTED,
    **within_numpy.UNTESTED,
    **of_datasets.UNTESTED,
}
"""For each page the sentences that were read and made no rule of, and why."""


def rules_of(entries: Iterable[Conversion]) -> dict[str, tuple[Rule, ...]]:
    """Return the rules of each entry by its name.

    Raises:
        ValueError: for an entry that has not all that an entry of the catalogue needs, with what it lacks.
    """
    rules: dict[str, tuple[Rule, ...]] = {}
    for entry in entries:
        if entry.rules is None:
            raise ValueError(
                f"{entry.name} has no rules: write rules=() if its page promises nothing that can be tested."
            )
        if entry.hook is None:
            raise ValueError(f"{entry.name} has no hook: say where trace sees its calls, or why it does not (NoHook).")
        for page in (entry.page, *(rule.page for rule in entry.rules)):
            if not documentation.is_docstring(page) and not documentation.read_for(page):
                raise ValueError(f"{entry.name} cites {page}, which is on none of the SITES: say what it was read for.")
        rules[entry.name] = entry.rules
    return rules


RULES = rules_of(CONVERSIONS)
"""For each conversion its rules. No two promise one subject different things on one version of the page."""

_BY_NAME = {entry.name: entry for entry in CONVERSIONS}
_registered: list[Conversion] = []


def register(conversion: Conversion) -> None:
    """Add one's own conversion to the registry; modules named by ``--plugin`` call this.

    Raises:
        ValueError: if the name is taken by another entry.
    """
    if conversion.hook is None:
        conversion = replace(conversion, hook=FROM_A_PLUGIN)
    known = find(conversion.name)
    if known is None:
        _registered.append(conversion)
    elif known != conversion:
        raise ValueError(f"a conversion named {conversion.name!r} already exists")


def registered() -> tuple[Conversion, ...]:
    """Return the user's own entries."""
    return tuple(_registered)


def is_in_catalogue(entry: Conversion) -> bool:
    """Return True if ``entry`` is none of the user's own."""
    return _BY_NAME.get(entry.name) is entry


def find(name: str) -> Conversion | None:
    """Return the entry of that full name; ``None`` if there is none, in a report of another version, say."""
    return _BY_NAME.get(name) or next((entry for entry in _registered if entry.name == name), _own.get(name))


OWN = ("own",)
"""The group of lines of one's own; no entry of the catalogue is in it."""
_own: dict[str, Conversion] = {}


def own(text: str) -> Conversion:
    """Return the entry of a line of the user's own, an expression of ``x``; its text is its name.

    From which library it starts and to which it goes is guessed from the text, for an experiment that gives no result:
    otherwise the result decides. What it changes is what it is written for; other values are a hazard all the same.

    Raises:
        RequestError: if it is not one expression, or does not use ``x``.
    """
    code = text.strip()
    if (entry := _own.get(code)) is not None:
        return entry
    try:
        expression = ast.parse(code, mode="eval").body
        used = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it is nested too deeply"
        raise RequestError(f"--code {text!r} is not a Python expression: {reason}.") from None
    if "x" not in used:
        raise RequestError(f"--code {text!r} does not use x, which stands for the source.")
    sources = _sources_of(expression)
    entry = Conversion(
        name=code,
        sources=sources,
        target=_target_of(expression, sources[0]),
        code=code,
        page="",
        hook=NoHook("a line of one's own"),
        groups=OWN,
        changes=("dtype", "shape"),
        summary="Your own code.",
    )
    return _own.setdefault(code, entry)


def _sources_of(expression: ast.expr) -> tuple[Library, ...]:
    """Return the libraries that ``x`` may be of, the likeliest first: of tensors if a tensor's attribute is asked."""
    attributes = {
        node.attr
        for node in ast.walk(expression)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "x"
    }
    arrays, tensors = (
        {name.group(1) for entry in CONVERSIONS if library in entry.sources and (name := _ATTRIBUTE.match(entry.code))}
        for library in (NUMPY, TORCH)
    )
    likely = (TORCH, NUMPY) if attributes & (tensors - arrays) else (NUMPY, TORCH)
    return (*likely, PYTHON, *GROUPS)


_ATTRIBUTE = re.compile(r"x\.(\w+)")


def _target_of(expression: ast.expr, source: Library) -> Library:
    """Return the library that the outermost calls of a chain belong to: ``x.detach().numpy()`` gives an array."""
    node: ast.AST = expression
    while True:
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute):
            if node.attr in ("numpy", "__array__"):
                return NUMPY
            node = node.value
        elif isinstance(node, ast.Subscript):
            node = node.value
        else:
            name = node.id if isinstance(node, ast.Name) else ""
            return {"np": NUMPY, "numpy": NUMPY, "torch": TORCH}.get(name, TORCH if source is TORCH else NUMPY)


def conversions() -> tuple[Conversion, ...]:
    """Return all entries, the registered ones last."""
    return CONVERSIONS + tuple(_registered)


def classic() -> tuple[Conversion, ...]:
    """Return the four that run when none is named, in the order in which they are shown."""
    return group("classic")


def usual(library: Library | None) -> tuple[Conversion, ...]:
    """Return those that run when none is named: the classic four, or the group of the library of a user's object."""
    return group(GROUPS[library]) if library is not None and library in GROUPS else classic()


def group(name: str) -> tuple[Conversion, ...]:
    """Return the conversions of a group, in the order of the catalogue; ``all`` is every one.

    Raises:
        RequestError: if there is no such group, with the closest names.
    """
    entries = conversions()
    wanted = name.strip().lower()
    if wanted not in groups():
        raise unknown("group", name, groups())
    return entries if wanted == "all" else tuple(entry for entry in entries if wanted in entry.groups)


def groups() -> tuple[str, ...]:
    """Return the names of the groups."""
    return (*dict.fromkeys(name for entry in conversions() for name in entry.groups), "all")


def is_installed(entry: Conversion) -> bool:
    """Return True unless every way of ``entry`` needs a package that is not installed. Nothing is imported."""
    return any(has_package(source) and has_package(entry.target) for source in entry.sources)


def has_package(library: Library) -> bool:
    """Return True unless a package that the objects of ``library`` need is not installed."""
    return library not in PACKAGES or importlib.util.find_spec(PACKAGES[library]) is not None


def absent(entry: Conversion) -> str | None:
    """Return why the installed versions do not have ``entry``; ``None`` if they do. Imports the library."""
    return missing(entry.needs)


@functools.cache
def missing(needs: str) -> str | None:
    """Return why the installed versions lack what ``needs`` names, as ``torch.asarray`` or ``np.asarray(copy=)``."""
    name, _, keyword = needs.removesuffix("=)").partition("(")
    if not name:
        return None
    module = _IMPORTS.get(head := name.partition(".")[0], head)
    try:
        library = importlib.import_module(module)
    except ImportError:
        return f"{module} is not installed"
    here = f"{library.__name__} {library.__version__}"
    try:
        target = pkgutil.resolve_name(f"{library.__name__}.{name.partition('.')[2]}")
    except (ImportError, AttributeError):
        return f"{here} has no {name}"
    if keyword and (lacks := _lacks(target, keyword)):
        return f"{name} {lacks} {keyword}= in {here}"
    return None


_IMPORTS = {"np": "numpy", "torch": "torch", "pd": "pandas", "pa": "pyarrow", "pl": "polars"}


def _lacks(function: Any, keyword: str) -> str | None:
    """Return how ``function`` lacks an argument: of a built-in without a signature, what is documented is known."""
    try:
        return None if keyword in inspect.signature(function).parameters else "has no argument"
    except ValueError:
        documented = f"{keyword}=" in (function.__doc__ or "").partition("\n\n")[0]
        return None if documented else "documents no argument"


def candidates(text: str) -> list[Conversion]:
    """Return the conversions that ``text`` may mean: the one of that full name, or those that end in it.

    What is spelled in the same case comes before what is not: ``torch.Tensor`` is not ``torch.tensor``.

    Raises:
        RequestError: if there is none, with the closest names.
    """
    wanted = _spelled(text)
    entries = conversions()
    for fold in (str, str.lower):
        for meant in (lambda entry: [_spelled(entry.name)], _suffixes, _without_flag):
            matches = [entry for entry in entries if fold(wanted) in map(fold, meant(entry))]
            if matches:
                # from_numpy is that of torch, though polars has one, too
                return [entry for entry in matches if not _is_of_another_library(entry)] or matches
    raise unknown("conversion", text, [entry.name for entry in entries], spelled=spellings())


def _is_of_another_library(entry: Conversion) -> bool:
    """Return True if ``entry`` starts or ends at an object of neither NumPy, PyTorch nor Python."""
    return entry.target in GROUPS or set(GROUPS) >= set(entry.sources)


def spellings() -> dict[str, str]:
    """Return the shortest spelling of each name, with the name; where several end so, the first."""
    names: dict[str, str] = {}
    for entry in conversions():
        names.setdefault(_suffixes(entry)[-1], entry.name)
    return names


def first_of_each() -> dict[str, str]:
    """Return the first word of the names of each other library, such as ``zarr``, with its first entry's name."""
    names: dict[str, str] = {}
    for entry in filter(_is_of_another_library, conversions()):
        if (word := entry.name.partition(".")[0]) not in ("np", "torch"):
            names.setdefault(word, entry.name)
    return names


def named(text: str, library: Library | None = None, direction: Direction | None = None) -> Conversion:
    """Return the one conversion that ``text`` means.

    Where several may be meant, those that give an array or a tensor are, and ``library`` (the subject's) and
    ``direction`` decide; then those are meant that cross the border.

    Raises:
        RequestError: if there is none, with the closest names, or more than one, with all of them.
    """
    matches = candidates(text)
    for fits in (_between_both, _any_way, _over_the_border):
        if len(matches) > 1:
            matches = [entry for entry in matches if fits(entry, library, direction)] or matches
    if len(matches) > 1:
        names = " or ".join(entry.name for entry in matches)
        raise RequestError(f"conversion {text!r} is ambiguous: use {names}, or specify --direction.")
    return matches[0]


def _between_both(entry: Conversion, library: Library | None, direction: Direction | None) -> bool:
    # jnp.asarray is meant by asarray only if its direction is given
    return entry.target not in GROUPS or direction is not None


def _any_way(entry: Conversion, library: Library | None, direction: Direction | None) -> bool:
    return any(library in (None, source) and direction in (None, entry.direction(source)) for source in entry.sources)


def _over_the_border(entry: Conversion, library: Library | None, direction: Direction | None) -> bool:
    # a name without an object means a generated source, and none of a carrier is generated
    sources = tuple(
        source
        for source in entry.sources
        if source is not entry.target and (library is not None or source not in GROUPS)
    )
    return _any_way(replace(entry, sources=sources), library, direction)


def _without_flag(entry: Conversion) -> list[str]:
    """Return the names of a function that is in the catalogue only with a flag, as ``from_file(shared=True)``."""
    names = _suffixes(entry)
    return [name.partition("(")[0] for name in names] if re.search(r"\(\w+=(True|False)\)$", names[0]) else []


def variants(text: str, library: Library | None = None, direction: Direction | None = None) -> tuple[Conversion, ...]:
    """Return the conversion that ``text`` means, or each with a flag of a function that is there only so.

    Raises:
        RequestError: as ``named``.
    """
    matches = candidates(text)
    functions = {entry.name.partition("(")[0] for entry in matches}
    if len(matches) > 1 and len(functions) == 1:
        return tuple(matches)
    return (named(text, library, direction),)


def _suffixes(entry: Conversion) -> list[str]:
    """Return the names that mean ``entry``: its own cut at each dot outside the parentheses."""
    head, bracket, arguments = _spelled(entry.name).partition("(")
    words = head.split(".")
    return [".".join(words[i:]) + bracket + arguments for i in range(len(words))]


def _spelled(text: str) -> str:
    """Return the one spelling of a name: ``np`` for ``numpy``, ``Tensor.x`` for ``torch.Tensor.x``, no spaces."""
    spelled = text.strip().replace(" ", "").removesuffix("()")
    for long, short in (
        ("numpy.ndarray.", "ndarray."),
        ("np.ndarray.", "ndarray."),
        ("torch.Tensor.", "Tensor."),
        ("numpy.", "np."),
    ):
        if spelled.lower().startswith(long.lower()):
            return short + spelled[len(long) :]
    return spelled
