"""The Python API: the same experiments as the command line's, of live objects too, from any thread of any process.

What needs numpy and torch is imported in the functions that need it: the other functions start without them.
"""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorbridge_cli.diff.reports import of_report
from tensorbridge_cli.errors import RequestError, TensorbridgeError, unknown
from tensorbridge_cli.judgement.expectations import parse as parse_expectations
from tensorbridge_cli.lab.client import DEFAULT, Laboratory, scratch_folder
from tensorbridge_cli.lab.experiment import Bench, Given
from tensorbridge_cli.lab.protocol import Settings
from tensorbridge_cli.records import renamed
from tensorbridge_cli.records.enums import Origin
from tensorbridge_cli.records.report import Relation, Report
from tensorbridge_cli.records.words import amount, with_article
from tensorbridge_cli.results import Check, Inspection
from tensorbridge_cli.survey import expectations_file
from tensorbridge_cli.survey.check import Baseline, again, run_tasks, since, since_baseline
from tensorbridge_cli.survey.kept_laboratory import laboratory
from tensorbridge_cli.survey.request import Request, parse
from tensorbridge_cli.survey.request_text import RequestText, seconds
from tensorbridge_cli.survey.run import survey
from tensorbridge_cli.survey.task import Task

if TYPE_CHECKING:
    from tensorbridge_cli.lab.in_process import Live

__all__ = ["Check", "Inspection", "Relation", "check", "inspect", "relation", "shares_memory"]

Words = str | Iterable[str] | None
_NOT_GIVEN: Any = ...
"""An object that is ``None`` is no reason to inspect a generated source instead."""


def inspect(
    obj: Any = _NOT_GIVEN, *conversions: str, replica: bool = True, timeout: float = 10.0, **options: Any
) -> Inspection:
    """Test which conversions share memory and which copy.

    Args:
        obj: A live array, tensor, scalar or list: a faithful replica of it is tried, and it is only read. Or the first
            of ``conversions``, or nothing, where ``options`` say what the source is.
        conversions: Names as on the command line; none means the four common conversions.
        replica: Where false, the object itself is tried, each time in a fork of this process, on the fork's copy: for
            the kinds of which none can be made. Another thread's lock may hang a fork; ``timeout`` ends it. ``twin=``
            is its old name.
        timeout: Seconds that an experiment may take.
        options: Those of ``tensorbridge inspect``: ``shape`` (``(4, 3)``), ``dtype``, ``layout``, ``state``,
            ``library``, ``device``, ``file``, ``expr``, ``to_dtype``, ``direction``, ``group``, ``all``, ``force``,
            ``python``;
            dtypes may be the libraries' own, and ``dtype``, ``layout``, ``state`` and ``group`` lists of words.

    Raises:
        RequestError: if the request makes no sense, or no faithful replica can be made.
        UnavailableError: if it is not possible in this environment.
    """
    if "twin" in options:
        warnings.warn("twin= is now replica=.", DeprecationWarning, stacklevel=2)
        replica = bool(options.pop("twin"))
    with _requested(obj, conversions, timeout, options, replica) as (request, _, lab):
        return Inspection(survey([request], lab, DEFAULT, remedies=True))


def check(
    obj: Any = _NOT_GIVEN,
    *conversions: str,
    expect: Words = None,
    expectations: str | os.PathLike[str] | None = None,
    baseline: str | os.PathLike[str] | Report | Inspection | None = None,
    timeout: float = 10.0,
    **options: Any,
) -> Check:
    """Hold experiments against what the documentation promises, or against ``expect``; true if nothing is broken.

    Args:
        obj: As for ``inspect``.
        conversions: As for ``inspect``.
        expect: Words of ``tensorbridge check --expect``: ``"shared"``, ``["copied", "dtype=float32"]``.
        expectations: A TOML file of expectations, which say what is tried; nothing else selects then.
        baseline: An earlier report, or a file with a report or a snapshot. What was broken in it does not fail; what
            changed since does. If nothing is selected, its cells are tried again.
        timeout: Seconds that an experiment may take.
        options: As for ``inspect``.

    Raises:
        RequestError: if the request makes no sense, or no faithful replica can be made.
        UnavailableError: if it is not possible in this environment.
    """
    words, then = _words(expect), _baseline(baseline)
    wanted = parse_expectations(words, "expect") if words else None
    selected = obj is not _NOT_GIVEN or bool(conversions or options)
    if expectations is not None and (selected or words):
        raise RequestError("expectations selects what is run: omit the other arguments.")
    with _requested(obj, conversions, timeout, options) as (request, text, lab):
        tasks: Sequence[Task] = [Task(requests=(request,), wanted=wanted)]
        against = f"expect {', '.join(words)}" if words else "the documentation"
        if expectations is not None:
            tasks = expectations_file.read(os.fspath(expectations), text)
            against = f"{amount(len(tasks), 'expectation')} in {os.fspath(expectations)}"
        elif then is not None and not selected:
            tasks = [Task(requests=tuple(again(then, lab, text.force)), wanted=wanted)]
        report = run_tasks(tasks, lab, DEFAULT, needs_promise=False)
    if then is None:
        return Check(report, against)
    checked = since(report, then, text, selected=selected or expectations is not None)
    return Check(checked.failed, since_baseline(against, then), checked.gone)


def _baseline(baseline: str | os.PathLike[str] | Report | Inspection | None) -> Baseline | None:
    if baseline is None:
        return None
    if isinstance(baseline, Inspection):
        baseline = baseline.report
    if isinstance(baseline, Report):
        return Baseline(recording=of_report(baseline), name="the baseline")
    return Baseline.read(os.fspath(baseline))


def relation(a: Any, b: Any) -> Relation:
    """Compare the addresses that two live objects reach.

    These are arrays, tensors (also sparse), storages, buffers (``bytes``, ``bytearray``, ``memoryview``, ``mmap``,
    ``array.array``, ctypes …), objects with ``__array_interface__``, modules, and lists and dictionaries of these, all
    of whose items are compared. Both are only inspected, in this process. ``None`` in the relation is "could not be
    told".

    Raises:
        RequestError: if one is not such an object.
    """
    from tensorbridge_cli.memory import readers
    from tensorbridge_cli.memory.relation import relation as compared

    with _reading(a, b):
        try:
            sides = readers.addressable(a), readers.addressable(b)
        except TypeError as error:
            raise RequestError(f"{error}.") from error
        return replace(compared(*sides, most=None), same_object=a is b)


def relations(a: Any, b: Any) -> dict[str, Relation]:
    """Compare two batches part by part: ``{"['x']": …, "['y'][0]": …}``.

    Dictionaries, lists, tuples, named tuples, dataclasses and modules are containers, also within each other. Text and
    ``None`` in them are left out. Both are only inspected, as by ``relation``.

    Raises:
        RequestError: if one has a part that the other lacks, or a part is nothing that ``relation`` compares.
    """
    from tensorbridge_cli.memory import readers

    with _reading(a, b):
        ours, theirs = readers.named_parts(a), readers.named_parts(b)
    if alone := sorted(ours.keys() ^ theirs.keys()):
        raise RequestError(f"only one of the two has {', '.join(name or 'a part without a name' for name in alone)}.")
    return {name: relation(part, theirs[name]) for name, part in ours.items()}


def shares_memory(a: Any, b: Any) -> bool:
    """Return True if two live objects reach a common byte; both are only inspected.

    Raises:
        RequestError: if it cannot be told, or one is not such an object.
    """
    overlaps = relation(a, b).overlaps
    if overlaps is None:
        from tensorbridge_cli.memory import describe

        names = " and ".join(with_article(describe.type_name(obj)) for obj in (a, b))
        raise RequestError(
            f"it cannot be determined whether {names} share memory: one of them has no memory of its own."
        )
    return overlaps


# The request --------------------------------------------------------------------------------------

_DESCRIBING = ("shape", "dtype", "layout", "state", "library", "device", "file", "expr")
_ONE_VALUE = ("library", "device", "file", "expr", "python", "to_dtype", "direction")
_OPTIONS = (*_DESCRIBING, "python", "code", "to_dtype", "direction", "group", "all", "force")


@contextmanager
def _requested(
    obj: Any, conversions: tuple[str, ...], timeout: float, options: Mapping[str, Any], replica: bool = True
) -> Iterator[tuple[Request, RequestText, Laboratory]]:
    """Give the request that the arguments make, as it is written too, and a laboratory for it."""
    timeout = seconds(timeout, f"timeout {timeout!r}")
    if isinstance(obj, str):
        obj, conversions = _NOT_GIVEN, (obj, *conversions)
    if obj is None:
        raise RequestError("the object is None: omit it to inspect a generated source.")
    given = obj is not _NOT_GIVEN
    if given:
        if options.get("python") is not None:
            raise RequestError("python: a live object is one of this process: give file= or expr= instead.")
        for name in _DESCRIBING:
            if options.get(name) is not None:
                raise RequestError(f"{name} cannot be combined with an object: it describes a generated source.")
    text = _text(conversions, options)
    request = parse(text)
    if given and not replica:
        with _live(obj, timeout) as live:
            yield replace(request, given=live.given), text, live
        return
    with laboratory(timeout, *text.python) as (lab, folder):
        yield (replace(request, given=_given(obj, folder)) if given else request), text, lab


def _text(conversions: tuple[str, ...], options: Mapping[str, Any]) -> RequestText:
    """Return the request as one would write it; what Python has objects for, such as dtypes, may be given so."""
    for name in options:
        if name not in _OPTIONS:
            raise unknown("option", name, _OPTIONS)
    for name in _ONE_VALUE:
        if isinstance(values := options.get(name), (list, tuple)):
            raise RequestError(f"{name} takes one value, not {len(values)}.")
    texts = {
        name: str(options[name])
        for name in ("file", "expr", "direction", "library", "python")
        if options.get(name) is not None
    }
    return RequestText(
        conversion=conversions,
        shape=_shapes(options.get("shape")),
        dtype=tuple(map(_dtype, _many(options.get("dtype")))),
        layout=_current("layout", _words(options.get("layout"))),
        state=_current("state", _words(options.get("state"))),
        group=_words(options.get("group")),
        code=_words(options.get("code")),
        to_dtype=_dtype(options["to_dtype"]) if options.get("to_dtype") is not None else None,
        device=str(options.get("device") or RequestText.device),
        all=bool(options.get("all")),
        force=bool(options.get("force")),
        file=texts.get("file"),
        expr=texts.get("expr"),
        library=texts.get("library"),
        direction=texts.get("direction"),
        python=(texts["python"],) if "python" in texts else (),
    )


@contextmanager
def _live(obj: Any, timeout: float) -> Iterator[Live]:
    """Give a laboratory for the object as it is."""
    from tensorbridge_cli.lab.in_process import Live

    with scratch_folder() as folder:
        bench = Bench(setup="", scratch=folder, folder="")
        with _reading(obj):
            live = Live(Settings(isolation="fork", timeout=timeout, jobs=1, bench=bench), obj)
        try:
            yield live
        finally:
            live.close()


def _given(obj: Any, folder: Path) -> Given:
    from tensorbridge_cli.memory import describe
    from tensorbridge_cli.subjects import replica

    with _reading(obj):
        try:
            subject = describe.detect(obj, Origin.OBJECT, "x")
        except TypeError as error:
            raise RequestError(f"{error}.") from error
        path = replica.carry(obj, folder, f"object-{next(_NUMBERS)}")
        return Given(
            origin=Origin.OBJECT,
            text="x",
            replica=path,
            sampled=replica.is_sampled(path),
            subject=subject,
            owner=describe.describe(obj).owner,
        )


@contextmanager
def _reading(*objects: Any) -> Iterator[None]:
    """Say in a sentence what code of the user's raises, such as a ``__torch_function__``, while objects are read.

    Raises:
        RequestError: with the types of the objects and the error.
    """
    try:
        yield
    except TensorbridgeError:
        raise
    except Exception as error:
        from tensorbridge_cli.lab.stderr_tail import is_our_own, raised
        from tensorbridge_cli.memory import describe

        if is_our_own(error):
            raise
        names = " and ".join(with_article(describe.type_name(obj)) for obj in objects)
        verb = "inspect" if len(objects) == 1 else "compare"
        raise RequestError(f"cannot {verb} {names}: {raised(error)}.") from error


_NUMBERS = itertools.count()


def _many(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def _words(value: Words) -> tuple[str, ...]:
    return tuple(str(word) for word in _many(value))


def _current(option: str, words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the value of ``layout=`` or ``state=`` with old names replaced; a warning says so for each."""
    for word in words:
        if (new := renamed.current(word)) != word:
            warnings.warn(f"{option}={word!r} is now {new!r}.", DeprecationWarning, stacklevel=6)
    return tuple(renamed.current(word) for word in words)


def _dtype(value: Any) -> str:
    """Return the name of a dtype that may be one of the libraries' own."""
    if hasattr(value, "isnative"):
        return str(value.name if value.isnative else value.str)
    return value.__name__ if isinstance(value, type) else str(value).removeprefix("torch.")


def _shapes(value: Any) -> tuple[str, ...]:
    """Return ``(4, 3)``, 5 or ``"4,3"``, or a list of such, as typed."""
    shapes = value if isinstance(value, list) else [] if value is None else [value]
    return tuple(",".join(map(str, one)) if isinstance(one, tuple) else str(one) for one in shapes)
