"""What crosses into a traced process and out of it: the plan, and what one process counted.

These records are all that the two sides share. They are written as JSON by ``encode``; ``read_plan`` reads the plan in
the traced process, and ``report.merge`` the counts after it. The standard library is all that this module needs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, is_dataclass
from typing import Any


@dataclass(frozen=True)
class Hook:
    """One function that is intercepted: the conversion's name, where it is bound, and where its source is passed.

    ``variants`` are a keyword, its value, and the conversion that a call with it is. ``module`` is the one after whose
    import the function is there, ``result`` the position of the argument that becomes the result, -1 if it is returned.
    """

    conversion: str
    paths: tuple[str, ...]
    position: int = 0
    keyword: str = ""
    variants: tuple[tuple[str, bool, str], ...] = ()
    module: str = ""
    result: int = -1

    @property
    def package(self) -> str:
        """The package that has the function."""
        return self.paths[0].partition(".")[0]

    def named(self, kwargs: dict[str, Any]) -> str:
        """Return the conversion that a call with ``kwargs`` is: ``copy=True`` has an entry of its own."""
        for keyword, value, name in self.variants:
            if kwargs.get(keyword) is value:
                return name
        return self.conversion


@dataclass(frozen=True)
class TracePlan:
    """What the traced process is to do.

    Attributes:
        hooks: The functions to intercept.
        methods: The conversion that each method of ``ndarray`` is whose calls Python reports.
        include: Files and folders whose code counts alone.
        omit: Those whose code does not.
        program: The file that is run, or nothing.
        depth: Number of callers to show (default: 4).
        follow: Whether programs that the program starts are traced too.
        python_path_was_empty: Whether PYTHONPATH was set, and empty: it is left so.
    """

    hooks: tuple[Hook, ...]
    methods: dict[str, str]
    include: tuple[str, ...] = ()
    omit: tuple[str, ...] = ()
    program: str = ""
    depth: int = 4
    follow: bool = False
    python_path_was_empty: bool = False


@dataclass(frozen=True)
class SideSeen:
    """One object of a sample; of what is neither array nor tensor only its kind, the type's name."""

    kind: str
    dtype: str | None = None
    shape: tuple[int, ...] | None = None
    layout: str | None = None
    state: str | None = None
    nbytes: int | None = None
    owner: str | None = None


@dataclass(frozen=True)
class SampleSides:
    """Both objects of the first call of a cell."""

    source: SideSeen
    result: SideSeen


@dataclass(frozen=True)
class Place:
    """A line, and the conversion that it makes.

    It may also be a line that called a function of the program's, which makes it, and ``until`` the line of the same
    function that did so later; ``through`` are the names of what the two called. Of a line that is not the later one's,
    ``parting`` says the same. ``also_held``: its result was the source itself, which something else held when the call
    was made, or a view of it: that it seems to live does not show that it was kept.
    """

    file: str
    line: int
    conversion: str
    until: int = 0
    through: tuple[str, ...] = ()
    parting: Place | None = None
    also_held: bool = False


@dataclass
class Note:
    """Something that was noticed at a site: how often, and facts of the first time; which ones depends on its code.

    Attributes:
        since: The line of an earlier call that it is about.
        also: Further such lines.
        nbytes: The bytes of the source, or of the storage that was moved.
        outcome: What the calls did: ``shared`` or ``copied``.
        through, to: The dtype that values took on the way, and the one that they have again.
        copied, needed: The bytes of the storage that was copied, and of the view that was asked for.
        changed: Results that no longer show what they were made of, at least: not every call is looked at.
        length, of, whole: A sequence's items, what they are, and whether NumPy can have it as a whole.
        dtype, shape: Those of the first item, or of the whole.
        certain: Whether the call itself showed it.
    """

    count: int = 0
    since: Place | None = None
    also: list[Place] = field(default_factory=list)
    nbytes: int = 0
    outcome: str = ""
    through: str = ""
    to: str = ""
    copied: int = 0
    needed: int = 0
    changed: int = 0
    length: int = 0
    of: str = ""
    whole: bool = False
    dtype: str = ""
    shape: tuple[int, ...] = ()
    certain: bool = False


@dataclass(frozen=True)
class CellCounts:
    """Calls of one site that took the same dtype, gave the same and did the same."""

    source_dtype: str | None
    result_dtype: str | None
    outcome: str
    calls: int
    bytes: int
    seconds: float
    inspected: int
    sample: SampleSides | None


@dataclass(frozen=True)
class SiteCounts:
    """One call in one line of code, and what it did; ``span`` is the first and last line, and the columns."""

    conversion: str
    file: str
    function: str
    span: tuple[int, int, int, int]
    stack: tuple[str, ...]
    via: str
    cells: list[CellCounts]
    notes: dict[str, Note]
    warnings: dict[str, int]


@dataclass(frozen=True)
class ProcessFacts:
    """A process; ``ended`` is False in what it writes on the way, in case it is killed."""

    pid: int
    parent: int
    name: str
    began: float
    seconds: float
    ended: bool


@dataclass(frozen=True)
class Versions:
    """What the process ran on; None for a library that it did not import."""

    python: str
    numpy: str | None
    torch: str | None


@dataclass(frozen=True)
class Counts:
    """What one process counted.

    Attributes:
        missing: Conversions whose function the installed version lacks.
        fixed: Conversions whose function cannot be exchanged: a method of a type that is not written in Python.
        unhooked: Libraries that it loaded past the hooks.
        observes_methods: Whether Python reports the calls of methods of ``ndarray``.
        compiled: Whether the part of the recorder that is written in C was there.
        unrecorded: Calls at which the recorder failed.
        missed: Python processes that it started and that are not traced.
        hidden: Those that were to be traced, and do not find the recorder.
    """

    process: ProcessFacts
    environment: Versions
    missing: list[str]
    unhooked: list[str]
    observes_methods: bool
    compiled: bool
    unrecorded: int
    missed: int
    sites: list[SiteCounts] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)
    hidden: int = 0


def encode(record: TracePlan | Counts) -> bytes:
    """Return a record as one line of JSON."""
    return json.dumps(record, default=_fields).encode() + b"\n"


def _fields(value: object) -> object:
    """Return what JSON has for a value that it does not know: the fields of a record, the type's name of another.

    ``vars`` and not ``dataclasses.asdict``, which would copy all of the counts each time that they are put down.
    """
    return vars(value) if is_dataclass(value) else type(value).__name__


def read_plan(text: bytes) -> TracePlan:
    """Return the plan that ``encode`` wrote."""
    fields = json.loads(text)
    hooks = tuple(
        Hook(
            hook["conversion"],
            tuple(hook["paths"]),
            hook["position"],
            hook["keyword"],
            tuple((keyword, value, name) for keyword, value, name in hook["variants"]),
            hook["module"],
            hook["result"],
        )
        for hook in fields["hooks"]
    )
    return TracePlan(**{**fields, "hooks": hooks, "include": tuple(fields["include"]), "omit": tuple(fields["omit"])})
