"""The conductor: from a request to a report.

A request names conversions and subjects; the survey works out which experiments that means, has the lab make them, and
the judgement say what they mean. Only this module knows both.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from msgspec import structs

from tensorbridge_cli import __version__
from tensorbridge_cli.catalog import layouts, registry, states
from tensorbridge_cli.catalog.entry import Conversion
from tensorbridge_cli.errors import RequestError, UnavailableError
from tensorbridge_cli.judgement import remedies as instead
from tensorbridge_cli.judgement.contract import Documentation, expectation
from tensorbridge_cli.judgement.judge import benefit_of_doubt, judge, unjudged
from tensorbridge_cli.lab.client import Hello, Isolation, Laboratory, Resolved
from tensorbridge_cli.lab.experiment import LARGE, Experiment, Given, small
from tensorbridge_cli.lab.server import ADVICE
from tensorbridge_cli.memory.available import available
from tensorbridge_cli.records import report as model
from tensorbridge_cli.records.report import (
    Direction,
    Failure,
    Library,
    NotApplicable,
    Observation,
    Origin,
    Outcome,
    Report,
    Row,
    Subject,
    Verdict,
)

_SNAPSHOT = 64  # elements up to which both objects are recorded in full


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be inspected.

    Attributes:
        conversions: names as typed; none, and no group, means the classic four.
        code: lines of one's own, as expressions of ``x``.
        groups: names of groups, of which those that fit the subject are meant.
        every: all conversions that fit the subject.
        shapes, dtypes, layouts, states: what is generated, each with each.
        to_dtype: the target dtype, passed to the conversions that take one.
        device: where generated tensors are.
        direction: only conversions that go this way.
        given: the user's own object, instead of generated ones.
        force: go on although memory may not suffice.
    """

    conversions: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    every: bool = False
    shapes: tuple[tuple[int, ...], ...] = ((4, 3),)
    dtypes: tuple[str, ...] = ("float32",)
    layouts: tuple[str, ...] = ("contiguous",)
    states: tuple[str, ...] = (states.PLAIN,)
    to_dtype: str | None = None
    device: str = "cpu"
    direction: Direction | None = None
    given: Given | None = None
    force: bool = False

    def check_names(self) -> None:
        """Look at the names of conversions, groups and layouts before anything is started.

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


@dataclass
class Plan:
    """The experiments of a request, and the cases that are none."""

    experiments: list[Experiment] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)  # logical bytes of each experiment's subject
    not_applicable: list[NotApplicable] = field(default_factory=list)
    snapshot: int = 0


Progress = Callable[[int, int], None]
Entry = Row | NotApplicable
Hold = Callable[[Row], Row]
"""Holds a judged row against something else than the documentation."""

_CHUNK = 4096
"""Experiments whose observations are held at a time: what is broken among them is tried again before any is given."""


def survey(
    requests: Sequence[Request],
    lab: Laboratory,
    isolation: Isolation,
    progress: Progress = lambda done, total: None,
    *,
    hold: Hold = lambda row: row,
    remedies: bool = False,
) -> Report:
    """Make the experiments that ``requests`` mean and return the judged report; see ``surveying``."""
    found, entries = surveying(requests, lab, isolation, progress, hold=hold, remedies=remedies)
    return collected(found, entries)


def collected(found: model.Environment, entries: Iterable[Entry]) -> Report:
    """Return the report of ``entries``."""
    rows: list[Row] = []
    cases: list[NotApplicable] = []
    for entry in entries:
        if isinstance(entry, Row):
            rows.append(entry)
        else:
            cases.append(entry)
    return model.report(found, tuple(rows), tuple(cases))


def surveying(
    requests: Sequence[Request],
    lab: Laboratory,
    isolation: Isolation,
    progress: Progress = lambda done, total: None,
    *,
    snapshots: bool = True,
    hold: Hold = lambda row: row,
    remedies: bool = False,
) -> tuple[model.Environment, Iterator[Entry]]:
    """Return what the experiments run on, and an iterator that makes them and gives each, judged, in their order.

    ``progress`` is told how many experiments are done, of how many. ``snapshots``: small objects are recorded in full.
    ``hold`` is asked about each row; what it finds broken is tried again, as a breach of the documentation is.
    ``remedies``: where something went wrong, other code is tried on the same subject.
    Only a part of the rows is held at a time.

    Raises:
        RequestError: where a request makes no sense.
        UnavailableError: where this environment cannot do it.
    """
    hello = lab.hello()
    made = plan(requests, lab, hello, snapshot=_SNAPSHOT if snapshots else -1)
    if hello.works_together is not None and any(_crosses(experiment.direction) for experiment in made.experiments):
        raise UnavailableError(
            f"numpy {hello.numpy} and torch {hello.torch} do not work together: torch was built for another NumPy "
            f"({hello.works_together}). {ADVICE}"
        )
    if not any(request.force for request in requests):
        _fits_memory(made, lab)
    return environment(hello, isolation), _made(made, lab, documentation(hello), progress, hold, remedies)


def _made(
    made: Plan, lab: Laboratory, pages: Documentation, progress: Progress, hold: Hold, remedies: bool
) -> Iterator[Entry]:
    yield from made.not_applicable
    done, total = 0, len(made.experiments)
    # what fits in memory was summed up for one experiment at a time
    large = any(size >= LARGE for size in made.sizes)
    progress(done, total)
    for start in range(0, total, _CHUNK):
        experiments = made.experiments[start : start + _CHUNK]
        found: dict[int, Entry] = {}
        for index, observed in lab.run(experiments, one_by_one=large):
            found[index] = hold(_judged(observed, pages)) if isinstance(observed, Observation) else observed
            done += 1
            progress(done, total)
        _confirm(found, experiments, lab, pages, hold)
        if remedies:
            _remedied(found, experiments, lab, one_by_one=large)
        lab.internal_errors += [row for row in found.values() if isinstance(row, Row) and row.internal_error]
        yield from (found[index] for index in range(len(experiments)))


def _crosses(direction: Direction) -> bool:
    return direction in (Direction.NUMPY_TO_TORCH, Direction.TORCH_TO_NUMPY)


def environment(hello: Hello, isolation: Isolation) -> model.Environment:
    """Return the report's words about what the experiments ran on."""
    return model.Environment(
        tensorbridge=__version__,
        python=hello.python,
        numpy=hello.numpy,
        torch=hello.torch,
        platform=hello.platform,
        isolation=isolation,
    )


def documentation(hello: Hello) -> Documentation:
    """Return what the pages of the installed versions say, as far as rules cite them."""
    versions = {"python": hello.python, "numpy": hello.numpy, "torch": hello.torch}
    return Documentation(versions, frozenset(hello.absent_sentences))


def proved(experiments: Sequence[Experiment], lab: Laboratory) -> tuple[Entry, ...]:
    """Make ``experiments`` one after another and return each one's judged row, in their order."""
    pages = documentation(lab.hello())
    found = dict(lab.run(experiments, one_by_one=True))
    entries = (found[index] for index in range(len(experiments)))
    rows = tuple(_judged(entry, pages) if isinstance(entry, Observation) else entry for entry in entries)
    lab.internal_errors += [row for row in rows if isinstance(row, Row) and row.internal_error]
    return rows


def _judged(observation: Observation, pages: Documentation) -> Row:
    """Return what ``observation`` means; where judging it fails, that is said of the row, and of nothing else."""
    try:
        promised = expectation(observation.conversion, observation.subject, observation.to_dtype, pages)
        entry = registry.find(observation.conversion)
        if entry is not None and entry.groups == registry.OWN and observation.result is not None:
            observation = structs.replace(observation, direction=_direction(observation))
        return judge(observation, promised, entry.copy if entry else None, entry.changes if entry else ())
    except Exception as error:
        return unjudged(structs.replace(observation, internal_error=Failure.of("judge", error)))


def _direction(observation: Observation) -> Direction:
    """Return the direction by what came back; of what belongs to no library, the one that was guessed."""
    assert observation.result is not None
    source = observation.direction.partition("-to-")[0]
    target = observation.result.type.partition(".")[0]
    way = f"{source}-to-{target}"
    return Direction(way) if way in tuple(Direction) else observation.direction


def _confirm(
    found: dict[int, Entry], experiments: Sequence[Experiment], lab: Laboratory, pages: Documentation, hold: Hold
) -> None:
    """Leave a breach in ``found`` only where it repeats in a fresh interpreter."""
    broken = {index: entry for index, entry in found.items() if isinstance(entry, Row) and _is_broken(entry)}
    if not broken:
        return
    numbers = sorted(broken)
    for nth, again in lab.again([experiments[index] for index in numbers]):
        if not (isinstance(again, Observation) and _is_broken(hold(_judged(again, pages)))):
            found[numbers[nth]] = benefit_of_doubt(broken[numbers[nth]])


def _remedied(found: dict[int, Entry], experiments: Sequence[Experiment], lab: Laboratory, one_by_one: bool) -> None:
    """Put into ``found``, for every row that is a problem, the code that worked instead on the same subject.

    Many rows have a subject and candidates in common: each code is tried once.
    """
    there = available() if one_by_one else None
    number: dict[tuple[Subject, Given | None, str], int] = {}
    others: list[Experiment] = []

    def tried(experiment: Experiment, code: str, setup: str) -> int:
        nth = number.setdefault((experiment.subject, experiment.given, f"{setup}\n{code}"), len(others))
        if nth == len(others):
            plain = structs.replace(experiment, snapshot=-1, needs="", same_dtype=False, to_dtype=None)
            others.append(structs.replace(plain, conversion=code, code=code, setup=setup))
        return nth

    wanted: dict[int, list[tuple[instead.Candidate, int, int | None]]] = {}
    for index, row in found.items():
        if not (isinstance(row, Row) and instead.is_problem(row)) or _is_too_large(row, there):
            continue
        experiment = experiments[index]
        wanted[index] = [
            (
                one,
                tried(experiment, one.code, one.setup),
                tried(experiment, one.proof, one.setup) if one.proof else None,
            )
            for one in instead.candidates(row, experiment.code)
        ]
    done = dict(lab.run(others, one_by_one=one_by_one)) if others else {}
    lab.internal_errors += [
        unjudged(seen) for seen in done.values() if isinstance(seen, Observation) and seen.internal_error
    ]
    for index, candidates in wanted.items():
        row = found[index]
        assert isinstance(row, Row)
        results = ((one, done[nth], done[proof] if proof is not None else None) for one, nth, proof in candidates)
        found[index] = instead.remedied(row, results)


def _is_too_large(row: Row, there: int | None) -> bool:
    """Tell whether a candidate, which may copy twice, does not fit in memory."""
    size = row.source.nbytes if row.source is not None else None
    return size is not None and size >= LARGE and 3 * size > (available() if there is None else there)


def answered(report: Report, wanted: Outcome, direction: Direction | None) -> Report:
    """Return ``report`` with the answers to which code gives ``wanted``, over the border or in ``direction``."""
    return structs.replace(report, answers=instead.answers(report.observations, wanted, direction))


def _is_broken(row: Row) -> bool:
    return row.contract.verdict is Verdict.BROKEN


# Which experiments a request means -------------------------------------------------------------


@dataclass(frozen=True)
class _Wanted:
    """A subject before its library is settled; ``library`` is ``None`` where either would do."""

    subject: Subject
    library: Library | None
    dtype_libraries: tuple[Library, ...]
    nbytes: int = 0


def plan(requests: Sequence[Request], lab: Laboratory, hello: Hello, snapshot: int = _SNAPSHOT) -> Plan:
    """Return the experiments of ``requests``, in the order in which they are shown; none twice."""
    made = Plan(snapshot=snapshot)
    seen: set[tuple[str, Library, Subject, str | None]] = set()
    for request in requests:
        _need_device(request.device, hello)
        to_dtype = lab.resolve([request.to_dtype])[0] if request.to_dtype is not None else None
        for wanted in _given(request, lab) if request.given else _generated(request, lab, hello):
            for entry, source in _chosen(request, wanted):
                if (key := (entry.name, source, wanted.subject, request.to_dtype)) not in seen:
                    seen.add(key)
                    _add(made, request, wanted, entry, source, to_dtype)
    if not made.experiments and not made.not_applicable:
        way = f" goes {requests[0].direction}" if requests[0].direction else " that was asked for fits"
        raise RequestError(f"no conversion{way} from such a subject.")
    return made


def _given(request: Request, lab: Laboratory) -> Iterator[_Wanted]:
    assert request.given is not None
    subject = lab.describe(request.given)
    yield _Wanted(subject, subject.library, (subject.library,), math.prod(subject.shape) * _itemsize(subject, lab))


def _itemsize(subject: Subject, lab: Laboratory) -> int:
    """Return the bytes of one element of what the user gave; 0 of a dtype that has no fixed number."""
    try:
        return lab.resolve([subject.dtype])[0].itemsize
    except RequestError:  # records, texts, objects, a list of several dtypes
        return 0


def _generated(request: Request, lab: Laboratory, hello: Hello) -> Iterator[_Wanted]:
    resolved = hello.dtypes if "all" in request.dtypes else lab.resolve(request.dtypes)
    found_layouts = tuple(layouts.BY_NAME) if "all" in request.layouts else request.layouts
    found_states = states.every() if "all" in request.states else request.states
    for shape, dtype, layout, state in itertools.product(request.shapes, resolved, found_layouts, found_states):
        if request.device == "meta":
            state = states.join(states.words(state) | {"meta"})
        libraries = tuple(Library(name) for name in dtype.libraries)
        library = states.library_of(state) or (libraries[0] if len(libraries) == 1 else None)
        if request.device != "cpu":
            library = library or Library.TORCH
        subject = Subject(
            library=library or Library.NUMPY,
            shape=() if "scalar" in states.words(state) else shape,
            dtype=dtype.name,
            layout=_swapped(layout, dtype),
            state=state,
            device="meta" if "meta" in states.words(state) else request.device,
            origin=Origin.GENERATED,
        )
        yield _Wanted(subject, library, libraries, math.prod(shape) * dtype.itemsize)


def _swapped(layout: str, dtype: Resolved) -> str:
    """Join the byte order that a dtype was written with to the layout."""
    return layouts.parse(f"{layout}+byte-swapped" if dtype.byte_swapped else layout)


def _chosen(request: Request, wanted: _Wanted) -> Iterator[tuple[Conversion, Library]]:
    """Yield the conversions to try, each with the library of its source."""
    for text in request.conversions:
        for entry in registry.variants(text, wanted.library, request.direction):
            yield entry, _source_library(entry, wanted.library, request.direction)
    for text in request.code:
        yield _own(text, request.direction, wanted)
    many = request.every or bool(request.groups)
    for entry in _entries(request):
        sources = [
            source
            for source in entry.sources
            if wanted.library in (None, source)
            and source in (*wanted.dtype_libraries, Library.PYTHON)
            and (source is not Library.PYTHON or wanted.library is Library.PYTHON)
            and request.direction in (None, entry.direction(source))
        ]
        # each way once with many; otherwise an entry that takes both libraries is shown from NumPy
        for source in sources if many or request.direction else sources[:1]:
            yield entry, source


def _own(text: str, direction: Direction | None, wanted: _Wanted) -> tuple[Conversion, Library]:
    """Return the entry of a line of one's own and the library of its source; a direction that is given decides."""
    entry = registry.own(text)
    if direction is not None:
        source, _, target = direction.partition("-to-")
        return replace(entry, target=Library(target)), wanted.library or Library(source)
    possible = [source for source in entry.sources if source in wanted.dtype_libraries] or list(entry.sources)
    return entry, wanted.library or possible[0]


def _entries(request: Request) -> Sequence[Conversion]:
    """Return the entries that are meant though none was named."""
    if request.every:
        return registry.conversions()
    if request.groups:
        return tuple(dict.fromkeys(entry for name in request.groups for entry in registry.group(name)))
    return () if request.conversions or request.code else registry.classic()


def _source_library(entry: Conversion, library: Library | None, direction: Direction | None) -> Library:
    fitting = [source for source in entry.sources if direction in (None, entry.direction(source))]
    return library if library is not None else (fitting or entry.sources)[0]


def _add(
    made: Plan, request: Request, wanted: _Wanted, entry: Conversion, source: Library, to_dtype: Resolved | None
) -> None:
    """Add the experiment, or the reason why there is none."""
    subject = structs.replace(wanted.subject, library=source)
    named = bool(request.conversions or request.code)
    reason = None
    if source not in entry.sources:
        takes = " or ".join(f"a {_KIND[library]}" for library in entry.sources)
        reason = f"it takes {takes}; this is a {_KIND[source]}"
    elif request.direction not in (None, entry.direction(source)):
        reason = f"it goes {entry.direction(source)}"
    elif to_dtype is not None and entry.code_with_dtype is None:
        reason = "it takes no target dtype"
        if named:
            raise RequestError(
                f"{entry.name} takes no target dtype: leave out --to-dtype, or name one that takes it: "
                f"{', '.join(c.name for c in registry.conversions() if c.code_with_dtype)}."
            )
    elif to_dtype is not None and entry.target not in to_dtype.libraries:
        reason = f"{_NAME[entry.target]} has no {to_dtype.name}"
    elif subject.device not in ("cpu", "meta") and source is not Library.TORCH:
        reason = f"only tensors can be on {subject.device}"
    if reason is not None:
        direction = entry.direction(source) if source in entry.sources else None
        made.not_applicable.append(
            NotApplicable(conversion=entry.name, subject=subject, reason=reason, direction=direction)
        )
        return
    made.sizes.append(wanted.nbytes)
    made.experiments.append(
        Experiment(
            conversion=entry.name,
            direction=entry.direction(source),
            code=entry.code_with_dtype if to_dtype and entry.code_with_dtype else entry.code,
            setup=entry.setup,
            subject=subject,
            given=request.given,
            to_dtype=to_dtype.name if to_dtype else None,
            snapshot=made.snapshot,
            needs=entry.needs,
            same_dtype=entry.same_dtype and to_dtype is None,
            own_code=not registry.is_in_catalogue(entry) or (request.given is not None and request.given.is_code),
        )
    )


_NAME = {Library.NUMPY: "NumPy", Library.TORCH: "PyTorch", Library.PYTHON: "Python"}
_KIND = {Library.NUMPY: "NumPy array", Library.TORCH: "tensor", Library.PYTHON: "Python list"}


def _need_device(device: str, hello: Hello) -> None:
    there = {name.partition(":")[0] for name in hello.devices} | set(hello.devices)
    if device not in there:
        raise UnavailableError(f"device {device!r} is not there; there are: {', '.join(hello.devices)}.")


# What fits in memory -----------------------------------------------------------------------------


def _fits_memory(made: Plan, lab: Laboratory) -> None:
    """Refuse what cannot fit, before anything is allocated.

    Raises:
        UnavailableError: with the sum in words.
    """
    large = [(e, size) for e, size in zip(made.experiments, made.sizes, strict=True) if size >= LARGE]
    if not large:
        return
    from rich.filesize import decimal

    there = available()
    pages = documentation(lab.hello())
    tried = lab.run([_small_one(experiment) for experiment, _ in large])
    for index, observed in list(tried):  # all of them, so that a refusal leaves none unread
        experiment, logical = large[index]
        own = experiment.given is not None
        source = logical if own else int(logical * _allocates(experiment.subject))
        # what cannot be generated like one's own object may copy
        copies = bool(_judged(observed, pages).copied_bytes) if isinstance(observed, Observation) else own
        needed = source + logical if copies else source
        if needed > there:
            shape = "×".join(map(str, experiment.subject.shape))
            copy = f" and {decimal(logical)} for the copy that it makes, {decimal(needed)} in all" if copies else ""
            raise UnavailableError(
                f"{experiment.conversion} of {shape} {experiment.subject.dtype} needs {decimal(source)} for the source"
                f"{copy}; {decimal(there)} are available."
                f"{'' if own else ' A smaller --shape fits;'} --force tries all the same."
            )


def _small_one(experiment: Experiment) -> Experiment:
    """Return an experiment with a small generated subject in place of a large one: does the conversion copy?"""
    subject = structs.replace(
        experiment.subject, shape=small(experiment.subject.shape), origin=Origin.GENERATED, given=None
    )
    return structs.replace(experiment, given=None, subject=subject)


def _allocates(subject: Subject) -> float:
    return math.prod(
        layouts.BY_NAME[part].allocates(subject.shape) for part in subject.layout.split("+") if part in layouts.BY_NAME
    )
