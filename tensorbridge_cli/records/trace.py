"""The records of a trace: which conversions a program made, line by line, and what was found in them.

Plain frozen data, the contract ``tensorbridge.trace/1``: keys are added, never renamed or removed. Like ``model`` this
imports no numpy and no torch. Units: sizes are bytes, times are seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from typing import Literal, TypeVar

from tensorbridge_cli.compat import dataclass
from tensorbridge_cli.records import codes, renamed
from tensorbridge_cli.records.trace_words import SORTS

SCHEMA: Literal["tensorbridge.trace/1"] = "tensorbridge.trace/1"

Certainty = Literal["certain", "possible"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TracedEnvironment:
    """What the program ran on; ``None`` for a library that it did not import.

    Attributes:
        recorder: ``compiled``, or ``python`` where a process lacked the compiled part; ``None`` in older records.
    """

    tensorbridge: str
    python: str
    numpy: str | None
    torch: str | None
    platform: str
    recorder: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """One process that was recorded.

    Attributes:
        ended: Its counts were written at its end, and not only on the way.
        unhooked: Libraries that it loaded past the hooks: none of their conversions is counted.
    """

    name: str
    pid: int
    parent: int
    calls: int
    seconds: float
    ended: bool
    unhooked: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """Calls by what became of the memory."""

    shared: int = 0
    copied: int = 0
    refused: int = 0
    undecidable: int = 0

    def counts(self) -> dict[str, int]:
        """Return the calls of each outcome that any had."""
        every = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: count for name, count in every.items() if count}


@dataclass(frozen=True, kw_only=True, slots=True)
class Dtypes:
    """Calls that took one dtype and gave another, or the same; ``None`` if an object has none."""

    source: str | None
    result: str | None
    calls: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One object of a sample; of what is neither array nor tensor only its kind, the type's name."""

    kind: str
    dtype: str | None = None
    shape: tuple[int, ...] | None = None
    layout: str | None = None
    state: str | None = None
    nbytes: int | None = None
    owner: str | None = None

    def __post_init__(self) -> None:
        """Replace old names of layouts and states: what an earlier version saved is read, and compares equal."""
        if self.layout is not None:
            object.__setattr__(self, "layout", renamed.current(self.layout))
        if self.state is not None:
            object.__setattr__(self, "state", renamed.current(self.state))


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """Both objects of the first of ``calls`` that took the same dtype, gave the same, and did the same."""

    outcome: str
    source: Side
    result: Side
    calls: int = 0
    bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class TracedWarning:
    """A warning that was shown during calls, and how often."""

    message: str
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """One call in one line of code; ``id`` names it in findings.

    Attributes:
        id: ``file:line:column conversion``; of several that begin there, with where each ends.
        end_line: The last line of the call, from 1; columns are in UTF-8 bytes from 0, ``None`` if unknown.
        source_line: The line as it stands in the file; ``None`` if the file cannot be read.
        stack: Callers of the line, the nearest first, as ``file:line``.
        via: The lines of libraries that made the call for this line; none where the line made it.
        seconds: What the calls took, without the tool's own part; of a line's calls the first sixteen are timed, then
            one in eight, which stands for the others.
        processes: The names of the processes in which it ran.
        own: Whether the line itself makes the conversion; if not, a library does that it calls: the import of pandas,
            ``print`` of a tensor.
    """

    id: str
    file: str
    line: int
    end_line: int
    column: int | None
    end_column: int | None
    function: str
    source_line: str | None
    conversion: str
    calls: int
    bytes: int
    copied_bytes: int
    outcomes: Outcomes
    dtypes: tuple[Dtypes, ...]
    hazards: tuple[str, ...]
    seconds: float
    stack: tuple[str, ...]
    via: tuple[str, ...]
    warnings: tuple[TracedWarning, ...]
    samples: tuple[Sample, ...]
    processes: tuple[str, ...]
    own: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing to change at a site.

    ``remedy`` is the line, or the call, written otherwise; ``accepted`` the reason that the line itself gives.
    ``bytes`` is what it costs, where it is a cost; ``id`` is the short code of the name in ``code``.
    """

    code: str
    site: str
    detail: str
    remedy: str | None
    certainty: Certainty
    bytes: int = 0
    accepted: str | None = None
    id: str = ""

    def __post_init__(self) -> None:
        """Replace an old name, and add the short code: traces of earlier versions have none."""
        object.__setattr__(self, "code", codes.RENAMED.get(self.code, self.code))
        object.__setattr__(self, "id", codes.FINDINGS.get(self.code, self.id))


@dataclass(frozen=True, kw_only=True, slots=True)
class NotIntercepted:
    """What the program may have done unseen, and why it is.

    ``concerns``: whether the program is known to do so, or its text names it; if not, it is said of every program.
    """

    what: str
    why: str
    concerns: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Unused:
    """What is wrong with a comment that should accept findings, and accepts none, or not all that it names.

    ``reason`` is what it gives, empty for none; ``problem`` what is wrong.
    """

    file: str
    line: int
    reason: str
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """Sums over all sites."""

    sites: int
    calls: int
    bytes: int
    copied_bytes: int
    outcomes: Outcomes
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """Everything that one run showed. ``exit_code`` is the program's own; negative is the signal that ended it."""

    schema: Literal["tensorbridge.trace/1"]
    environment: TracedEnvironment
    command: tuple[str, ...]
    exit_code: int | None
    processes: tuple[Process, ...]
    sites: tuple[Site, ...]
    findings: tuple[Finding, ...]
    not_intercepted: tuple[NotIntercepted, ...]
    totals: Totals
    unused: tuple[Unused, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a finding at a site that is not there."""
        known = {site.id for site in self.sites}
        for finding in self.findings:
            if finding.site not in known:
                raise ValueError(f"a finding names a site that is not there: {finding.site!r}")


_Thing = TypeVar("_Thing", bound=Hashable)


def distinct_names(
    things: Iterable[_Thing], among: Callable[[_Thing], Hashable], *names: Callable[[_Thing], str]
) -> dict[_Thing, str]:
    """Return for each of ``things`` the first of its ``names`` that no other ``among`` its like has, else the last."""
    names_of: dict[_Thing, str] = {}
    left = list(dict.fromkeys(things))
    for name in names:
        names_of |= {thing: name(thing) for thing in left}
        often = Counter((among(thing), names_of[thing]) for thing in left)
        left = [thing for thing in left if often[among(thing), names_of[thing]] > 1]
    return names_of


def by_line(site: Site) -> tuple[str, int, int, str]:
    """Return what sites are sorted by to stand as they do in their files."""
    return site.file, site.line, site.column or 0, site.id


def ordered(traced: Trace, by: str) -> Trace:
    """Return ``traced`` with the most of ``by``, one of ``SORTS``, first; then with what copied most; then by line."""
    fact = SORTS[by]
    sites = sorted(traced.sites, key=lambda site: (-getattr(site, fact), -site.copied_bytes, by_line(site)))
    return replace(traced, sites=tuple(sites))
