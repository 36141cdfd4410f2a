"""The experiments of a request, in the order in which they are shown, and its cases that are not applicable."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from tensorbridge_cli.catalog import layouts, registry, states
from tensorbridge_cli.catalog.carriers import GROUPS
from tensorbridge_cli.catalog.constructors import CONSTRUCTORS, Constructor
from tensorbridge_cli.catalog.dtypes import LIBRARIES
from tensorbridge_cli.catalog.entry import Conversion
from tensorbridge_cli.errors import RequestError, UnavailableError
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.lab.experiment import Experiment
from tensorbridge_cli.lab.protocol import Hello, Resolved
from tensorbridge_cli.records.enums import SPELLED, Direction, Library, Origin
from tensorbridge_cli.records.report import NotApplicable, Subject
from tensorbridge_cli.records.words import NO_TORCH, amount, with_article
from tensorbridge_cli.survey.request import Request

SNAPSHOT = 64
"""Elements up to which both objects are recorded in full."""


@dataclass
class Plan:
    """The experiments of a request, and the cases that are not applicable."""

    experiments: list[Experiment] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)  # logical bytes of each experiment's subject
    not_applicable: list[NotApplicable] = field(default_factory=list)
    snapshot: int = 0


@dataclass(frozen=True)
class _Wanted:
    """A source before its library is chosen; ``library`` is ``None`` if it can be either.

    ``absent`` says that the installed libraries do not have its dtype.
    """

    subject: Subject
    library: Library | None
    dtype_libraries: tuple[Library, ...]
    nbytes: int = 0
    absent: str | None = None


def plan(requests: Sequence[Request], lab: Laboratory, hello: Hello, snapshot: int = SNAPSHOT) -> Plan:
    """Return the experiments of ``requests``, in the order in which they are shown; none twice."""
    planned = Plan(snapshot=snapshot)
    planned_keys: set[tuple[str, Library, Subject, str | None]] = set()
    has_torch = hello.torch is not None
    for request in requests:
        _need_device(request.device, hello)
        to_dtype, no_target = _target(request, lab, hello)
        for wanted in _given(request, lab) if request.given else _generated(request, lab, hello):
            subjects: dict[Library, Subject] = {}  # of one object, by library: a hundred experiments have it in common
            for entry, source in _chosen(request, wanted, numpy_alone=not (has_torch or request.beside_torch)):
                key = entry.name, source, wanted.subject, request.to_dtype
                if key in planned_keys:
                    continue
                planned_keys.add(key)
                if source not in subjects:
                    subjects[source] = replace(wanted.subject, library=source)
                absent = wanted.absent or (no_target if entry.code_with_dtype else None)
                if not has_torch and _needs_torch(entry, subjects[source]):
                    absent = NO_TORCH
                _add(planned, request, wanted, absent, entry, subjects[source], to_dtype)
    if not planned.experiments and not planned.not_applicable:
        if not has_torch:
            raise UnavailableError(f"{without_torch(hello)}, and none of them applies to this source.")
        way = f" of direction {requests[0].direction}" if requests[0].direction else " that you selected applies"
        instead = "" if requests[0].given else _INSTEAD.get(requests[0].direction, "")
        raise RequestError(f"no conversion{way} to this source{instead}.")
    return planned


_INSTEAD: dict[Direction | None, str] = {
    Direction(f"{source}-to-{target}"): f": specify {what}"
    for source, what in (
        (Library.PYTHON, "--state list"),
        (Library.BUFFER, "a buffer, e.g. --expr 'bytearray(8)'"),
        (Library.OTHER, "an object with DLPack or __array_interface__ as --expr or --object"),
    )
    for target in (Library.NUMPY, Library.TORCH)
}
"""How to get the source of a direction that a generated array is not."""


def without_torch(hello: Hello) -> str:
    """Return which conversions run in an environment that has NumPy alone."""
    return f"{NO_TORCH} in {hello.executable}: only conversions from NumPy to NumPy run"


def _needs_torch(entry: Conversion, subject: Subject) -> bool:
    return entry.target is Library.TORCH or states.needs_torch(subject)


def _target(request: Request, lab: Laboratory, hello: Hello) -> tuple[Resolved | None, str | None]:
    """Return the target dtype if there is one, and why there is none here that another environment has."""
    elsewhere = dict(request.elsewhere)
    if request.to_dtype in elsewhere:
        dtype = elsewhere[request.to_dtype]
        return dtype, _has_none(dtype, hello)
    return (lab.resolve([request.to_dtype])[0], None) if request.to_dtype is not None else (None, None)


def _has_none(dtype: Resolved, hello: Hello) -> str:
    """Return ``torch 2.4.1 has no int4``."""
    if hello.torch is None and Library.TORCH in dtype.libraries:
        return NO_TORCH
    versions = {"numpy": hello.numpy, "torch": hello.torch}
    *others, last = [f"{library} {versions[library]}" for library in dtype.libraries]
    return f"{' and '.join([*others, last])} {'have' if others else 'has'} no {dtype.name}"


def _dtypes(request: Request, lab: Laboratory, hello: Hello) -> Iterator[tuple[Resolved, str | None]]:
    """Yield the dtypes of a request, and why one is not there that another environment has."""
    elsewhere = dict(request.elsewhere)
    every = "all" in request.dtypes
    here = hello.dtypes if every else lab.resolve([name for name in request.dtypes if name not in elsewhere])
    for dtype in here:
        yield dtype, None
    for name, dtype in elsewhere.items():
        if every or name in request.dtypes:
            yield dtype, _has_none(dtype, hello)


def _given(request: Request, lab: Laboratory) -> Iterator[_Wanted]:
    assert request.given is not None
    described = lab.describe(request.given)
    library = described.subject.library
    yield _Wanted(described.subject, library, (library,), described.nbytes)


def _generated(request: Request, lab: Laboratory, hello: Hello) -> Iterator[_Wanted]:
    if request.library is not None and request.library in CONSTRUCTORS:
        yield from _of_library(request, CONSTRUCTORS[request.library], lab)
        return
    resolved = tuple(_dtypes(request, lab, hello))
    layout_names = tuple(layouts.BY_NAME) if "all" in request.layouts else request.layouts
    state_names = states.every() if "all" in request.states else request.states
    for shape, (dtype, absent), layout, state in itertools.product(request.shapes, resolved, layout_names, state_names):
        if request.device == "meta":
            state = states.join(states.words(state) | {"meta"})
        libraries = _libraries(dtype, hello)
        library = states.library_of(state) or (libraries[0] if len(libraries) == 1 else None)
        if request.device != "cpu":
            library = library or Library.TORCH
        if request.library is not None:
            library = _only(request.library, library, dtype, state)
        subject = Subject(
            library=library or Library.NUMPY,
            shape=() if "scalar" in states.words(state) else shape,
            dtype=dtype.name,
            layout=_swapped(layout, dtype),
            state=state,
            device="meta" if "meta" in states.words(state) else request.device,
            origin=Origin.GENERATED,
        )
        yield _Wanted(subject, library, libraries, math.prod(shape) * dtype.itemsize, absent)


def _only(wanted: Library, needed: Library | None, dtype: Resolved, state: str) -> Library:
    """Return the library that is wanted.

    Raises:
        RequestError: if the source would be another's.
    """
    if needed not in (None, wanted, Library.PYTHON):
        raise RequestError(f"--library {wanted}: {dtype.name} in state {state} is a source of {needed}.")
    return needed or wanted


def _of_library(request: Request, constructor: Constructor, lab: Laboratory) -> Iterator[_Wanted]:
    """Yield the objects of another library that a request means."""
    library = constructor.library
    resolved = lab.resolve(tuple(constructor.dtypes) if "all" in request.dtypes else request.dtypes, library)
    layout_names = constructor.layouts if "all" in request.layouts else request.layouts
    every = (states.PLAIN, *(state.name for state in constructor.states))
    state_names = tuple(map(constructor.state, every)) if "all" in request.states else request.states
    for shape, dtype, layout, state in itertools.product(request.shapes, resolved, layout_names, state_names):
        subject = Subject(
            library=library,
            shape=shape,
            dtype=dtype.name,
            layout=layout,
            state=state,
            device="cpu",
            origin=Origin.GENERATED,
        )
        yield _Wanted(subject, library, (library,), math.prod(shape) * dtype.itemsize)


def _libraries(dtype: Resolved, hello: Hello) -> tuple[Library, ...]:
    """Return who has a dtype; that PyTorch would have it, too, is why a conversion of a tensor is not applicable."""
    installed = tuple(Library(name) for name in dtype.libraries)
    return installed if hello.torch is not None else LIBRARIES.get(dtype.name, installed)


def _swapped(layout: str, dtype: Resolved) -> str:
    """Join the byte order that a dtype was written with to the layout."""
    return layouts.parse(f"{layout}+byte-swapped" if dtype.byte_swapped else layout)


def _chosen(request: Request, wanted: _Wanted, *, numpy_alone: bool) -> Iterator[tuple[Conversion, Library]]:
    """Yield the conversions to try, each with the library of its source.

    ``numpy_alone``: of those that were not named, the ones that need no PyTorch; by default all of these.
    """
    for text in request.conversions:
        for entry in registry.variants(text, wanted.library, request.direction):
            yield entry, _source_library(entry, wanted.library, request.direction, numpy_alone)
    for text in request.code:
        yield _own(text, request.direction, wanted)
    many = request.every or bool(request.groups)
    for entry in _entries(request, wanted.library, numpy_alone):
        sources = [
            source
            for source in entry.sources
            if wanted.library in (None, source)
            and source in (*wanted.dtype_libraries, Library.PYTHON)
            and (source is not Library.PYTHON or wanted.library is Library.PYTHON)
            and request.direction in (None, entry.direction(source))
            and entry.dimensions in (None, len(wanted.subject.shape))
            and not (numpy_alone and _needs_torch(entry, replace(wanted.subject, library=source)))
        ]
        # each way once with many; otherwise an entry that takes both libraries is shown from NumPy
        for source in sources if many or request.direction else sources[:1]:
            yield entry, source


def _own(text: str, direction: Direction | None, wanted: _Wanted) -> tuple[Conversion, Library]:
    """Return the entry of a user's own line and the library of its source; ``direction`` decides, if there is one."""
    entry = registry.own(text)
    if direction is not None:
        return replace(entry, target=direction.target), wanted.library or direction.source
    possible = [source for source in entry.sources if source in wanted.dtype_libraries] or list(entry.sources)
    return entry, wanted.library or possible[0]


def _entries(request: Request, library: Library | None, numpy_alone: bool) -> Sequence[Conversion]:
    """Return the entries for a request that names none."""
    target = None if request.direction is None else request.direction.target
    # a table of another library is made of an array only if it is asked for: to import the library takes long
    every = tuple(entry for entry in registry.conversions() if entry.target not in GROUPS or entry.target is target)
    if request.every:
        return every
    if request.groups:
        return tuple(dict.fromkeys(entry for name in request.groups for entry in registry.group(name)))
    if request.conversions or request.code:
        return ()
    return every if (numpy_alone and library not in GROUPS) or target in GROUPS else registry.usual(library)


def _source_library(
    entry: Conversion, library: Library | None, direction: Direction | None, numpy_alone: bool
) -> Library:
    fitting = [source for source in entry.sources if direction in (None, entry.direction(source))]
    if numpy_alone:
        fitting.sort(key=lambda source: source is Library.TORCH)
    return library if library is not None else (fitting or entry.sources)[0]


def _add(
    planned: Plan,
    request: Request,
    wanted: _Wanted,
    reason: str | None,
    entry: Conversion,
    subject: Subject,
    to_dtype: Resolved | None,
) -> None:
    """Add the experiment, or the reason why there is none."""
    source = subject.library
    if source in CONSTRUCTORS and wanted.library is None:
        try:
            subject = _in_words_of(CONSTRUCTORS[source], subject)
        except RequestError as error:
            reason = str(error).rstrip(".")
    reason = reason or _unfit(request, entry, subject, to_dtype)
    if reason is not None:
        direction = entry.direction(source) if source in entry.sources else None
        planned.not_applicable.append(
            NotApplicable(conversion=entry.name, subject=subject, reason=reason, direction=direction)
        )
        return
    planned.sizes.append(wanted.nbytes)
    plain = entry.code_for(source, subject.dtype, swapped="byte-swapped" in subject.layout)
    planned.experiments.append(
        Experiment(
            conversion=entry.name,
            direction=entry.direction(source),
            code=entry.code_with_dtype if to_dtype and entry.code_with_dtype else plain,
            setup=entry.setup,
            subject=subject,
            given=request.given,
            to_dtype=to_dtype.name if to_dtype else None,
            snapshot=planned.snapshot,
            needs=entry.needs,
            same_dtype=entry.same_dtype and to_dtype is None,
            own_code=not registry.is_in_catalogue(entry) or (request.given is not None and request.given.is_code),
        )
    )


def _in_words_of(constructor: Constructor, subject: Subject) -> Subject:
    """Return a subject that was described as an array as the library of ``constructor`` describes it.

    Raises:
        RequestError: if that library has no such dtype, layout or state.
    """
    return replace(
        subject,
        dtype=constructor.dtype(subject.dtype),
        layout=constructor.layout(subject.layout),
        state=constructor.state(subject.state),
    )


def _unfit(request: Request, entry: Conversion, subject: Subject, to_dtype: Resolved | None) -> str | None:
    """Return why a conversion does not apply to such a source; ``None`` if it does.

    Raises:
        RequestError: if it takes no target dtype, and was named with one.
    """
    source = subject.library
    if source not in entry.sources:
        *others, last = (with_article(_KIND[library]) for library in entry.sources)
        takes = f"{', '.join(others)} or {last}" if others else last
        return f"it accepts {takes}; this is {with_article(_KIND[source])}"
    if request.direction not in (None, entry.direction(source)):
        return f"its direction is {entry.direction(source)}"
    if to_dtype is not None and entry.code_with_dtype is None:
        if request.conversions or request.code:
            raise RequestError(
                f"{entry.name} does not accept a target dtype: omit --to-dtype, or use one that does: "
                f"{', '.join(c.name for c in registry.conversions() if c.code_with_dtype)}."
            )
        return "it does not accept a target dtype"
    if to_dtype is not None and entry.target not in to_dtype.libraries:
        return f"{SPELLED[entry.target]} has no {to_dtype.name}"
    if entry.dimensions not in (None, len(subject.shape)):
        return f"it accepts an object of {amount(entry.dimensions, 'dimension')}"
    if subject.device not in ("cpu", "meta") and source is not Library.TORCH:
        return f"only tensors can be on {subject.device}"
    return None


_KIND = {
    Library.NUMPY: "NumPy array",
    Library.TORCH: "tensor",
    Library.PYTHON: "Python list",
    Library.BUFFER: "buffer",
    Library.PANDAS: "pandas object",
    Library.ARROW: "Arrow object",
    Library.POLARS: "polars object",
    Library.JAX: "JAX array",
    Library.PILLOW: "Pillow image",
    Library.SCIPY: "sparse array of SciPy",
    Library.XARRAY: "DataArray",
    Library.H5PY: "dataset of h5py",
    Library.ZARR: "zarr array",
    Library.DATASETS: "Dataset of Hugging Face",
    Library.OTHER: "object of another library",
}


def _need_device(device: str, hello: Hello) -> None:
    devices = {name.partition(":")[0] for name in hello.devices} | set(hello.devices)
    if device not in devices:
        raise UnavailableError(f"device {device!r} is not available (available: {', '.join(hello.devices)}).")
