"""The records: what was asked, what was observed, what was promised, and the report that holds them.

Plain frozen data. This module imports the words of its fields alone, no numpy and no torch, so that a saved report
can be read and rendered anywhere. The JSON is the contract ``tensorbridge.report/1``: keys are added, never renamed or
removed. A field without a default is required in the schema; a field that is added later gets a default.

Units: sizes, strides, offsets and extents are bytes; times are seconds; pointers are hexadecimal strings.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from tensorbridge_cli.compat import dataclass, format_exception, zip_equal
from tensorbridge_cli.records import renamed
from tensorbridge_cli.records.enums import (
    Direction,
    Expected,
    Library,
    Origin,
    Outcome,
    Stage,
    Values,
    Verdict,
    Via,
    Write,
)
from tensorbridge_cli.records.words import amount

SCHEMA: Literal["tensorbridge.report/1"] = "tensorbridge.report/1"


@dataclass(frozen=True)
class Bounds:
    """What a value must be beside its type, in the words of JSON Schema; ``encoding`` holds saved reports to it."""

    pattern: str | None = None
    ge: int | None = None
    max_length: int | None = None


Address = Annotated[str, Bounds(pattern="^0x[0-9a-f]{1,16}$")]
Length = Annotated[int, Bounds(ge=0)]
Dimensions = Annotated[tuple[Length, ...], Bounds(max_length=1000)]
"""A shape. NumPy stops at 64 dimensions, PyTorch somewhere else; a report that somebody made up has to stop, too."""
Strides = Annotated[tuple[int, ...], Bounds(max_length=1000)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """The source object under test. ``given`` is what the user gave: the file, the expression or the object's name."""

    library: Library
    shape: Dimensions
    dtype: str
    layout: str
    state: str
    device: str
    origin: Origin
    given: str | None = None

    def __post_init__(self) -> None:
        """Replace old names of layouts and states: what an earlier version saved is read, and compares equal."""
        object.__setattr__(self, "layout", renamed.current(self.layout))
        object.__setattr__(self, "state", renamed.current(self.state))

    @property
    def has_one_shape(self) -> bool:
        """False for a container, and for a user's own nested tensor, whose rows may differ in length."""
        words = self.state.split("+")
        return not ("container" in words or ("nested" in words and self.given is not None))


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """The bytes of one dense part: those its elements reach, and those of the storage that owns them.

    ``stop`` is one past the last byte. An object without one address (sparse, nested, a list of arrays) has one part
    a component.
    """

    part: str
    start: Address
    stop: Address
    storage_start: Address
    storage_stop: Address
    strides: Strides
    shape: Dimensions
    itemsize: Length

    def __post_init__(self) -> None:
        """Refuse what has no meaning.

        Raises:
            ValueError: if the strides are not as many as the dimensions, or the addresses do not hold the elements.
        """
        if len(self.strides) != len(self.shape):
            raise ValueError("strides and shape differ in length")
        start, stop = int(self.start, 16), int(self.stop, 16)
        if start > stop or int(self.storage_start, 16) > int(self.storage_stop, 16):
            raise ValueError("an extent ends before it starts")
        if self.itemsize and 0 not in self.shape:
            steps = (abs(stride) * (n - 1) for stride, n in zip_equal(self.strides, self.shape))
            if sum(steps) + self.itemsize > stop - start:
                raise ValueError("the elements lie outside of their extent")


@dataclass(frozen=True, kw_only=True, slots=True)
class Extents:
    """Where the bytes of both objects lie."""

    source: tuple[Extent, ...]
    result: tuple[Extent, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Object:
    """One of the two objects as it was found after the conversion.

    ``pointer`` is the address of the first element, ``None`` for an object without storage; ``strides`` are bytes.
    ``owner`` says what keeps the bytes alive, as far as Python can see it. ``elements`` are the names of the types of
    an object array's elements, sorted; ``None`` for other objects, and where there are too many to read.
    ``contiguous`` are the orders in which the elements lie without gaps: ``C`` (row-major), ``F`` (column-major), both,
    or none. ``version`` is autograd's count of writes in place. ``filled`` is ``False`` for memory that was allocated
    and that nobody wrote to. ``immutable`` is ``True`` if its library calls objects of its type immutable, as Python
    does ``bytes``; ``None`` for arrays, tensors and lists.
    """

    type: str
    dtype: str | None
    shape: Dimensions | None
    strides: Strides | None
    pointer: Address | None
    nbytes: Length | None
    writable: bool | None
    device: str | None
    aligned: bool | None
    elements_overlap: bool | None
    requires_grad: bool | None
    is_leaf: bool | None
    owner: str | None
    masked: bool | None = None
    elements: tuple[str, ...] | None = None
    contiguous: tuple[Literal["C", "F"], ...] | None = None
    byte_order: Literal["little", "big"] | None = None
    version: int | None = None
    filled: bool | None = None
    immutable: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One thing about the source that the conversion changed: ``fact`` is a name of ``Object``, or one of these.

    ``address`` and ``storage`` are where its bytes lie, ``values`` and ``bytes`` what they are, and ``lazy`` that its
    copy, put off until then, was made. ``copied_bytes`` is what was copied for it.
    """

    fact: str
    before: str
    after: str
    copied_bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Writes:
    """What each write did; a refusal's sentence stands beside it.

    ``autograd_notices``: ``False`` if a write to the result went unnoticed by autograd and ``backward`` gave the
    gradient of values that were not the ones used; ``None`` if that was not tried.
    ``written_though_refused`` names the objects whose write raised, and whose element was changed all the same.
    """

    source_to_result: Write
    result_to_source: Write
    via: Via
    refusals: tuple[str, ...] = ()
    autograd_notices: bool | None = None
    written_though_refused: tuple[Literal["source", "result"], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """Three facts about addresses, none inferred from another; ``None`` is "could not be told".

    ``overlaps_after_writes`` is asked if both reached the same bytes and a write did not show: a lazy copy is made
    at the first write. ``copied_parts`` are those of a list, a dict or another container that share no byte with the
    source, where others of it do.
    """

    same_pointer: bool | None
    same_storage: bool | None
    overlaps: bool | None
    overlap_bytes: int | None
    same_object: bool | None = None
    owner_kept: bool | None = None
    shared_objects: int | None = None
    overlaps_after_writes: bool | None = None
    copied_parts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Warned:
    """A warning that the conversion gave. ``once``: a second call in the same process gives it no more."""

    category: str
    message: str
    once: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Raised:
    """The exception that the conversion raised."""

    type: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Crash:
    """How the process ended, or that it was stopped after its time.

    ``confirmed``: it ended so in a child that had run nothing else, too, or only; ``None``: not tried again.
    """

    stage: Stage
    signal: str | None
    exit_code: int | None
    stderr: str
    confirmed: bool | None
    timed_out: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """An exception in the tool's own code: nothing is said of the conversion. ``stage`` is where it happened."""

    stage: str
    type: str
    message: str
    traceback: str

    @classmethod
    def of(cls, stage: str, error: BaseException) -> Failure:
        """Return the record of ``error``, whatever its message is."""
        try:
            message = str(error).encode("utf-8", "backslashreplace").decode()
        except Exception:
            message = "(its message cannot be read)"
        lines = format_exception(error)
        return cls(
            stage=stage,
            type=type(error).__name__,
            message=message[:_LONGEST],
            traceback="".join(lines).encode("utf-8", "backslashreplace").decode()[-_LONGEST:],
        )


_LONGEST = 8000  # characters


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One element that was written, before and after, as a reader of each object sees it.

    ``refused``: the write raised, and was made all the same. ``part``: what of a dict or another container was
    written, as it is reached; ``index`` is that in it.
    """

    index: tuple[int, ...]
    before: str
    written: str
    source_after: str | None
    result_after: str | None
    wrote: Literal["source", "result"]
    via: Via = Via.ASSIGNMENT
    refused: bool = False
    part: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """Both objects in full after a step, elements in row-major order; only for small objects, ``None`` if unread."""

    after: Literal["convert", "then", "write-source", "write-result"]
    source: tuple[str, ...] | None
    result: tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What the renderers need to show how the outcome was found.

    ``difference`` is the first value that a reader of the result sees otherwise than in the source. ``private_copy``
    is said where the source is a private copy, made because a write to it would reach a file or other processes.
    """

    fill: str | None
    cells: tuple[Cell, ...]
    extents: Extents
    snapshots: tuple[Snapshot, ...] = ()
    difference: str | None = None
    private_copy: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Seconds:
    """Wall-clock times in seconds."""

    convert: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Clause:
    """One sentence of the documentation, held against what happened.

    ``reason`` says why a sentence does not count: the page of the installed version does not have it.
    """

    about: str
    expected: str
    observed: str | None
    verdict: Verdict
    citation: str
    sentence: str = ""
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """What the documentation says of this conversion on this subject, and whether it was so."""

    expected: Expected | None
    verdict: Verdict
    citation: str | None
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Hazard:
    """One thing that will bite, and how it shows here: ``code`` is its name, ``id`` the short code of that name.

    Which hazards there are is the catalogue's to say: see ``catalog.hazards``.
    """

    code: str
    detail: str
    id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """One thing that the documentation says about a conversion of this subject.

    ``absent`` says why it does not count: the page of the installed version does not have the sentence.
    """

    about: str
    expected: str
    citation: str
    sentence: str
    absent: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """All that the documentation says about a conversion of this subject; derived without running anything."""

    promises: tuple[Promise, ...]


Effect = Literal[
    "integers",
    "bytes",
    "bits",
    "pairs",
    "filled",
    "gradient",
    "untracked",
    "dtype",
    "layout",
    "kind",
    "read-only",
    "elementwise",
]
"""What a remedy does besides giving the values over; see ``caveat``."""

STANDS_FOR: frozenset[Effect] = frozenset({"integers", "bytes", "bits", "pairs", "filled"})
"""The effects by which the result's values are others, which stand for those of the source."""

_EFFECTS: dict[Effect, str] = {
    "integers": "as integers",
    "bytes": "as bytes",
    "bits": "the bits as {dtype}",
    "pairs": "real and imaginary parts on a last axis",
    "filled": "masked elements become 0: keep x.mask",
    "read-only": "a read-only view",
    "gradient": "gradients do not flow back",
    "untracked": "autograd does not detect writes to it",
    "layout": "dense",
    "kind": "no longer a nested tensor",
    "dtype": "as {dtype}",
    "elementwise": "element by element in Python",
}


def caveat(effects: tuple[Effect, ...], dtype: str | None) -> str | None:
    """Return the words for ``effects``, with the result's ``dtype``; ``None`` if there is none."""
    return ", ".join(text.format(dtype=dtype) for effect, text in _EFFECTS.items() if effect in effects) or None


@dataclass(frozen=True, kw_only=True, slots=True)
class Remedy:
    """Code to write instead, which was run on the same subject and worked: what it does, costs, and loses.

    ``setup`` is the import that the code needs; ``effects`` is what ``caveat`` says in words, and ``dtype`` that of
    the result where it is not the source's.
    """

    code: str
    outcome: Outcome
    copied_bytes: int | None
    caveat: str | None = None
    setup: str = ""
    effects: tuple[Effect, ...] = ()
    dtype: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """The raw facts of one experiment. No opinion in it.

    ``global_state``: what code of the user's changed of the process that it ran in. ``libraries``: the name and version
    of each library that has one of the objects, beside NumPy and PyTorch.
    """

    conversion: str
    direction: Direction
    subject: Subject
    to_dtype: str | None
    writes: Writes
    values: Values
    relation: Relation
    source: Object | None
    result: Object | None
    warnings: tuple[Warned, ...]
    error: Raised | None
    crash: Crash | None
    evidence: Evidence
    seconds: Seconds
    source_changes: tuple[Change, ...] = ()
    internal_error: Failure | None = None
    global_state: tuple[str, ...] = ()
    libraries: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Row(Observation):
    """An observation with what it means: one entry of a report's ``observations``."""

    outcome: Outcome
    copied_bytes: int | None
    hazards: tuple[Hazard, ...]
    contract: Contract
    remedy: str | None
    remedies: tuple[Remedy, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """Which code to write for a wanted outcome, the best first; if there is none, ``nearest`` and ``why``."""

    wanted: Outcome
    direction: Direction
    subject: Subject
    write: tuple[Remedy, ...]
    why: str | None = None
    nearest: tuple[Remedy, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class NotApplicable:
    """A case that was not tried, and why."""

    conversion: str
    subject: Subject
    reason: str
    direction: Direction | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """What the experiments ran on.

    ``torch`` is ``None`` if it is not installed. ``plugins`` names what registered conversions besides, with its
    version.
    """

    tensorbridge: str
    python: str
    numpy: str
    torch: str | None
    platform: str
    isolation: str | None = None
    executable: str | None = None
    plugins: tuple[str, ...] = ()

    @property
    def libraries(self) -> str:
        """The versions of the libraries, in words."""
        return f"numpy {self.numpy}, {f'torch {self.torch}' if self.torch is not None else 'no torch'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The rows counted by outcome.

    ``broken`` counts the rows whose contract is broken, ``unmet`` those of them in which no sentence of the
    documentation is: what the user expected, or an earlier report says, is not so.
    """

    shared: int
    copied: int
    refused: int
    crashed: int
    timed_out: int
    undecidable: int
    not_applicable: int
    broken: int
    unmet: int = 0
    internal_error: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything that one request found; each renderer is a function from this to text."""

    schema: Literal["tensorbridge.report/1"]
    environment: Environment
    observations: tuple[Row, ...]
    not_applicable: tuple[NotApplicable, ...]
    summary: Summary
    answers: tuple[Answer, ...] = ()


class Tally:
    """Rows counted by outcome as they come."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(Outcome, 0)
        self._not_applicable = self._broken = self._unmet = self.crashes = 0

    def add(self, entry: Row | NotApplicable) -> None:
        """Count one."""
        if isinstance(entry, NotApplicable):
            self._not_applicable += 1
            return
        self._counts[entry.outcome] += 1
        broken = [clause for clause in entry.contract.clauses if clause.verdict is Verdict.BROKEN]
        self._broken += entry.contract.verdict is Verdict.BROKEN
        self._unmet += bool(broken) and not any(clause.sentence for clause in broken)
        self.crashes += entry.crash is not None and not entry.crash.timed_out

    @property
    def experiments(self) -> int:
        """How many were made."""
        return sum(self._counts.values())

    def summary(self) -> Summary:
        """Return the sums."""
        counts = {outcome.name.lower(): count for outcome, count in self._counts.items()}
        return Summary(**counts, not_applicable=self._not_applicable, broken=self._broken, unmet=self._unmet)


def summarise(rows: tuple[Row, ...], not_applicable: tuple[NotApplicable, ...]) -> Summary:
    """Count ``rows`` by outcome."""
    tally = Tally()
    for row in rows:
        tally.add(row)
    for case in not_applicable:
        tally.add(case)
    return tally.summary()


def report(environment: Environment, rows: tuple[Row, ...], not_applicable: tuple[NotApplicable, ...]) -> Report:
    """Put the parts together, with their sums."""
    return Report(
        schema=SCHEMA,
        environment=environment,
        observations=rows,
        not_applicable=not_applicable,
        summary=summarise(rows, not_applicable),
    )


def united(runs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return runs of bytes in order of memory, those that overlap put together."""
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(runs):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return merged


def described(remedy: Remedy) -> str:
    """Return ``torch.from_numpy(x.copy())  (copies 48 bytes)``."""
    return f"{remedy.code}  ({cost(remedy)})"


def cost(remedy: Remedy) -> str:
    """Return what a remedy costs, and what is lost with it: ``shares; gradients do not flow back``."""
    size = amount(remedy.copied_bytes, "byte") if remedy.copied_bytes else ""
    costs = {Outcome.SHARED: "shares", Outcome.COPIED: f"copies {size}".rstrip()}
    return "; ".join(filter(None, (costs.get(remedy.outcome, "nothing to copy"), remedy.caveat)))
