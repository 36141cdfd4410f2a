"""What the hooks of a traced program cannot see of it, and why."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

from tensorbridge_cli.catalog.carriers import PACKAGES
from tensorbridge_cli.catalog.entry import Conversion
from tensorbridge_cli.catalog.hooks import ONLY_A_VIEW, OPERATOR, RAISES, MonitoredMethod, NoHook
from tensorbridge_cli.catalog.registry import conversions
from tensorbridge_cli.records.trace import NotIntercepted, Site
from tensorbridge_cli.records.words import amount
from tensorbridge_cli.tracing.inside.records import Counts
from tensorbridge_cli.tracing.report.source import modules_in, names_in
from tensorbridge_cli.tracing.report.syntax import called_as, is_python, text_of

_COMPILE = {"compile", "jit"}
_COMPILED = "code compiled by torch.compile, torch.jit.script and torch.jit.trace"
_ALWAYS_UNSEEN = (
    NotIntercepted(
        what="references taken before tracing started: in a partial, a default argument, a closure, a C extension",
        why="only names in modules can be replaced",
        concerns=False,
    ),
    NotIntercepted(
        what="processes that were killed, or exited via os._exit or C", why="their last counts are lost", concerns=False
    ),
)

_MONITORED = "sys.monitoring reports that a method of ndarray is called, not its result, and only in your own code"
_IMMUTABLE = (
    "ndarray is an immutable type: its methods cannot be replaced; their calls can be monitored only from Python 3.12 "
    "on, if the tool identifier 3 or 4 of sys.monitoring is free"
)


def not_intercepted(parts: Sequence[Counts], command: Sequence[str], sites: Sequence[Site]) -> Iterator[NotIntercepted]:
    """Yield what the hooks did not see, for each reason; what the program's own files name comes first."""
    names, modules = _used_in(command, sites)
    yield from _without_a_hook(names, modules)
    methods = [entry.name for entry in conversions() if isinstance(entry.hook, MonitoredMethod)]
    if any(part.observes_methods for part in parts):
        yield from _entries(methods, names, _MONITORED, "results of {}")
    else:
        yield from _entries(methods, names, _IMMUTABLE)
    yield NotIntercepted(what=_COMPILED, why="it does not call these functions", concerns=bool(names & _COMPILE))
    missing = sorted({name for part in parts for name in part.missing})
    yield from _entries(missing, names, "the installed version has no such function")
    fixed = sorted({name for part in parts for name in part.fixed})
    why = "a method of a class that is written in C: only the compiled part of the recorder sees it"
    yield from _entries(fixed, names, why)
    yield from _unparsed(command, sites)
    yield from _uncounted(parts)
    yield from _ALWAYS_UNSEEN


def _entries(
    entries: Iterable[str], names: frozenset[str], why: str, what: str = "{}", *, concerns: bool = True
) -> Iterator[NotIntercepted]:
    """Yield the conversions that the program names, and the others; with ``concerns`` False none is named."""
    used: dict[bool, list[str]] = {True: [], False: []}
    for entry in entries:
        used[concerns and called_as(entry) in names].append(entry)
    for is_used, some in used.items():
        if some:
            yield NotIntercepted(what=what.format(", ".join(some)), why=why, concerns=is_used)


def _without_a_hook(names: frozenset[str], modules: frozenset[str]) -> Iterator[NotIntercepted]:
    """Yield the conversions that have no hook, by the reason, and by whether the program imports their packages."""
    whys: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for entry in conversions():
        if isinstance(entry.hook, NoHook):
            packages = _packages(entry)
            whys[entry.hook.why, not packages or not packages.isdisjoint(modules)].append(entry.name)
    for (why, is_imported), entries in whys.items():  # a view costs nothing, and is made everywhere
        concerns = is_imported and why not in (ONLY_A_VIEW.why, OPERATOR.why, RAISES.why)
        yield from _entries(entries, names, why, concerns=concerns)


def _uncounted(parts: Sequence[Counts]) -> Iterator[NotIntercepted]:
    """Yield the calls and the processes that were begun and are in no count."""
    unrecorded = sum(part.unrecorded for part in parts)
    if unrecorded:
        yield NotIntercepted(what=amount(unrecorded, "call"), why="the recorder failed")
    for number, why in (
        (sum(part.missed for part in parts), "use --follow to trace them"),
        (sum(part.hidden for part in parts), "started with -E, -I, -S or another PYTHONPATH, which hides the recorder"),
    ):
        if number:
            yield NotIntercepted(what=f"{amount(number, 'Python process')} that it started", why=why)


def _unparsed(command: Sequence[str], sites: Iterable[Site]) -> Iterator[NotIntercepted]:
    """Yield the files that the tool's own Python cannot parse: what their text would show is not known."""
    names = sorted({PurePath(file).name for file in _files(command, sites) if not is_python(text_of(file))})
    if names:
        why = f"tensorbridge runs on Python {sys.version_info[0]}.{sys.version_info[1]}, which cannot parse it"
        yield NotIntercepted(what=f"findings that need the text of {', '.join(names)}", why=why)


def _files(command: Sequence[str], sites: Iterable[Site]) -> set[str]:
    """Return the files that are known to be the program's own."""
    program = command[0] if command and command[0] not in ("-m", "-c", "-") else "<string>"
    return {program, *(site.file for site in sites if site.own)}


def _used_in(command: Sequence[str], sites: Iterable[Site]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that the program uses and the modules that it imports."""
    texts = [text_of(file) for file in _files(command, sites)]
    return frozenset().union(*map(names_in, texts)), frozenset().union(*map(modules_in, texts))


def _packages(entry: Conversion) -> set[str]:
    """Return the packages, beside NumPy's and PyTorch's, one of which a call of a conversion needs."""
    return {PACKAGES[library] for library in (*entry.sources, entry.target) if library in PACKAGES}
