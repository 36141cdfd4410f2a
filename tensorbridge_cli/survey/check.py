"""A check: experiments compared with the documentation, with a user's expectations, or with an earlier record."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tensorbridge_cli.catalog import registry
from tensorbridge_cli.catalog.constructors import CONSTRUCTORS
from tensorbridge_cli.diff import saved
from tensorbridge_cli.diff.cells import Alone, Key, Recording
from tensorbridge_cli.diff.compare import compare
from tensorbridge_cli.diff.reports import of_report
from tensorbridge_cli.errors import RequestError, TensorbridgeError, UnavailableError, naming
from tensorbridge_cli.judgement import expectations
from tensorbridge_cli.judgement.expectations import Expectations
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.lab.protocol import Isolation
from tensorbridge_cli.records import report as records
from tensorbridge_cli.records.enums import Direction, Library, Origin, Verdict
from tensorbridge_cli.records.report import NotApplicable, Report, Row, Subject
from tensorbridge_cli.records.words import amount
from tensorbridge_cli.survey import expectations_file
from tensorbridge_cli.survey.request import Note, Request, parse, quiet
from tensorbridge_cli.survey.request_text import SELECTING, RequestText, SetIn, option
from tensorbridge_cli.survey.run import Hold, Progress, in_one, survey
from tensorbridge_cli.survey.task import Task
from tensorbridge_cli.survey.words import split

_EXPECT = "--expect"

_SUBJECT = ("shape", "dtype", "layout", "state", "file", "expr", "object")
_CONVERSIONS = ("conversion", "code", "group", "all")


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """An earlier record, and what it is called."""

    recording: Recording
    name: str

    @classmethod
    def read(cls, path: str) -> Baseline:
        """Read a report or a snapshot.

        Raises:
            RequestError: if ``path`` is neither.
        """
        return cls(recording=saved.recording(path), name=path)


@dataclass(frozen=True, kw_only=True)
class CheckText:
    """A check as it is written, before it is read.

    Attributes:
        request: What is selected.
        expect: The words of ``--expect``.
        expectations: A TOML file of expectations.
        baseline: What was broken in it does not fail; what changed since does.
        from_pyproject: Whether the expectations of the nearest pyproject.toml hold if nothing else is asked for.
    """

    request: RequestText
    expect: tuple[str, ...] = ()
    expectations: str | None = None
    baseline: Baseline | None = None
    from_pyproject: bool = False


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The result of a check.

    Attributes:
        report: Every row, held against what must hold of it.
        failed: The same; if there is a baseline, held against what changed since.
        gone: Cells of the baseline that were not among those tried.
    """

    report: Report
    failed: Report
    gone: tuple[Alone, ...] = ()

    @property
    def is_unmet(self) -> bool:
        """Return True if something that must hold did not."""
        return bool(self.gone or self.failed.summary.broken)


# What is tried -----------------------------------------------------------------------------------


def tasks(check: CheckText, note: Note = quiet) -> tuple[Task, ...]:
    """Return the experiments and what must hold of them; none means those of the baseline.

    ``note`` is told of old names.

    Raises:
        RequestError: if the options exclude each other, or make no sense.
    """
    text = check.request
    typed = [name for name in SELECTING if text.is_typed(name)]
    if check.expectations is not None:
        for name in typed if text.where("expectations") <= SetIn.ENVIRONMENT else ():
            raise RequestError(f"--expectations selects what is run: omit {option(name)}.")
        if check.expect:
            raise RequestError("--expect and --expectations cannot be combined.")
        return expectations_file.read(check.expectations, text, note)
    if check.expect:
        return (Task(requests=(parse(text, note),), wanted=expected(check.expect), origin=_EXPECT),)
    if check.baseline is None and not typed and check.from_pyproject:
        configured = expectations_file.of_pyproject(text, note)
        if configured:
            return configured
    if check.baseline is not None and not any(map(text.is_set, SELECTING)):
        return ()
    return (Task(requests=tuple(_documented(text, note))),)


def expected(texts: Sequence[str]) -> Expectations:
    """Read the words of ``--expect``.

    Raises:
        RequestError: for a word that is unknown, or two that contradict each other.
    """
    words = split(texts)
    if not words:
        raise RequestError(f"--expect is empty: use {', '.join(expectations.GRAMMAR)}.")
    with naming(_EXPECT):
        return expectations.parse(words, _EXPECT)


def _documented(text: RequestText, note: Note) -> list[Request]:
    """Return what was selected; if no source was, every dtype, every layout and every state in turn, and 0-d."""
    request = parse(text, note)
    if not any(map(text.is_set, _CONVERSIONS)):
        request = replace(request, every=True)
    if any(map(text.is_set, _SUBJECT)) or request.device != "cpu":
        return [request]
    return [*request.each_axis(), replace(request, shapes=((),))]


def again(baseline: Baseline, lab: Laboratory, force: bool) -> Iterator[Request]:
    """Yield requests for the cells of a baseline, without those of given objects and those that cannot be made.

    Raises:
        RequestError: if no cell is left.
    """
    groups: dict[Key, list[str]] = {}
    resolved: dict[tuple[str | None, Library | None], bool] = {(None, None): True}
    for key in baseline.recording.cells:
        subject = key.subject
        if subject.origin is not Origin.GENERATED or registry.find(key.conversion) is None:
            continue
        cells = ((subject.dtype, _library(subject)), (key.to_dtype, None))
        for dtype, of in cells:
            if (dtype, of) not in resolved:
                resolved[dtype, of] = _resolves(str(dtype), lab, of)
        if all(resolved[cell] for cell in cells):
            groups.setdefault(replace(key, conversion=""), []).append(key.conversion)
    if not groups:
        raise RequestError(f"{baseline.name} holds nothing that can be tried again: select what is to be tried.")
    for key, names in groups.items():
        subject = key.subject
        yield Request(
            conversions=tuple(names),
            shapes=(subject.shape,),
            dtypes=(subject.dtype,),
            layouts=(subject.layout,),
            states=(subject.state,),
            library=_library(subject),
            device=subject.device,
            direction=key.direction,
            to_dtype=key.to_dtype,
            force=force,
        )


def _library(subject: Subject) -> Library | None:
    """Return the library whose objects are generated for ``subject``; None if that is NumPy or PyTorch."""
    return subject.library if subject.library in CONSTRUCTORS else None


def _resolves(dtype: str, lab: Laboratory, library: Library | None) -> bool:
    """Return True if ``library`` is installed and has ``dtype``; with none, if NumPy or PyTorch has it."""
    try:
        lab.resolve([dtype], library)
    except TensorbridgeError:
        return False
    return True


# How it is held against what is expected ---------------------------------------------------------


def run(
    check: CheckText,
    to_do: Sequence[Task],
    lab: Laboratory,
    isolation: Isolation,
    progress: Progress,
    *,
    snapshots: bool,
) -> Checked:
    """Make the experiments of ``tasks(check)`` and hold them against what is expected, and against the baseline.

    ``snapshots``: see ``survey.run.surveying``.

    Raises:
        RequestError: if nothing could fail, and nothing could have changed since the baseline.
    """
    if not to_do and check.baseline is not None:
        to_do = [Task(requests=tuple(again(check.baseline, lab, check.request.force)))]
    # a cell of the baseline that changed fails, documented or not
    report = run_tasks(to_do, lab, isolation, progress, needs_promise=check.baseline is None, snapshots=snapshots)
    if check.baseline is None:
        return Checked(report=report, failed=report)
    selected = any(map(check.request.is_set, SELECTING)) or check.expectations is not None
    return since(report, check.baseline, check.request, selected=selected)


def run_tasks(
    to_do: Sequence[Task],
    lab: Laboratory,
    isolation: Isolation,
    progress: Progress = lambda done, total: None,
    *,
    needs_promise: bool = True,
    snapshots: bool = True,
) -> Report:
    """Make the experiments of all tasks, compare each row with its task's expectations, and return one report.

    ``snapshots``: see ``survey.run.surveying``.

    Raises:
        RequestError: if nothing could be tried or, with ``needs_promise``, nothing could fail.
    """
    reports = []
    for task in to_do:
        wanted = None if task.wanted is None else _named(task.wanted, lab)
        with naming("" if task.origin == _EXPECT else task.origin):  # what is run is said by other options
            report = survey(task.requests, lab, isolation, progress, snapshots=snapshots, hold=holding(wanted))
            _require_something(report, needs_promise)
        if wanted is not None:
            with naming(task.origin):
                _require_dtypes(report, wanted, lab)
        reports.append(report)
    return in_one(reports)


def holding(wanted: Expectations | None) -> Hold:
    """Return the function that compares a row with ``wanted``; with the documentation it is compared already."""
    return (lambda row: row) if wanted is None else partial(expectations.hold, wanted=wanted)


def _named(wanted: Expectations, lab: Laboratory) -> Expectations:
    """Return ``wanted`` with its dtypes as a report names them: ``float32`` for ``f4`` and ``torch.float``."""
    names = {}
    for name in expectations.dtypes(wanted):
        if name == "str":  # of any width in NumPy, and a dtype of pandas
            continue
        with contextlib.suppress(TensorbridgeError):
            dtype = lab.resolve([name])[0]
            if not dtype.byte_swapped:  # a report names the byte order elsewhere
                names[name] = dtype.name
    return expectations.named(wanted, names)


_PLAIN = frozenset({Library.NUMPY, Library.TORCH, Library.PYTHON, Library.BUFFER})


def _require_dtypes(report: Report, wanted: Expectations, lab: Laboratory) -> None:
    """Check that the expected dtypes exist.

    Raises:
        RequestError: if neither NumPy nor PyTorch has one, and the rows are about no other library's objects.
    """
    found = {obj.dtype for row in report.observations for obj in (row.source, row.result) if obj is not None}
    sides = {side for row in report.observations for side in (row.direction.source, row.direction.target)}
    if sides <= _PLAIN:
        with contextlib.suppress(UnavailableError):
            lab.resolve([name for name in expectations.dtypes(wanted) if name not in found])


def _require_something(report: Report, needs_promise: bool) -> None:
    if not report.observations:
        why = f": {report.not_applicable[0].conversion}: {report.not_applicable[0].reason}"
        raise RequestError(f"nothing could be run{why}.")
    if needs_promise and all(row.contract.verdict is Verdict.UNDOCUMENTED for row in report.observations):
        reasons = (clause.reason for row in report.observations for clause in row.contract.clauses)
        reason = next((f" ({reason})" for reason in reasons if reason), "")
        raise RequestError(
            f"these conversions are not covered by the docs, so nothing could fail{reason}: specify what is expected, "
            'e.g. --expect shared, or holds = "shared" in a file.'
        )


def since(report: Report, baseline: Baseline, text: RequestText, *, selected: bool) -> Checked:
    """Hold ``report`` against a baseline; only those of its cells count that were ``selected``, if any were."""
    now = of_report(report)
    scope = _scope(report) if selected else None
    before = {key: facts for key, facts in baseline.recording.cells.items() if _is_within(key, scope, text)}
    gone = compare(replace(baseline.recording, cells=before), now).gone
    keys = dict(zip(now.cells, report.observations, strict=True))
    rows = tuple(expectations.since(row, baseline.recording.cells.get(key), baseline.name) for key, row in keys.items())
    failed = records.report(report.environment, rows, report.not_applicable)
    return Checked(report=report, failed=failed, gone=tuple(gone))


Scope = tuple[set[str], set[Subject]]
"""The conversions and the subjects that were tried."""


def _scope(report: Report) -> Scope:
    entries: list[Row | NotApplicable] = [*report.observations, *report.not_applicable]
    return {entry.conversion for entry in entries}, {entry.subject for entry in entries}


def _is_within(key: Key, scope: Scope | None, text: RequestText) -> bool:
    """Return True if a cell of the earlier record is among what was tried now, or should have been."""
    if scope is None:
        return key.subject.origin is Origin.GENERATED
    same_way = text.direction in (None, "all") or key.direction == Direction(str(text.direction))
    return key.conversion in scope[0] and key.subject in scope[1] and same_way and key.to_dtype == text.to_dtype


def has_code(to_do: Sequence[Task]) -> bool:
    """Return True if expectations in a file name objects of the user's own."""
    given = [request.given for task in to_do for request in task.requests]
    return any(one is not None and one.origin is not Origin.FILE for one in given)


def against(check: CheckText, to_do: Sequence[Task]) -> str:
    """Return what the rows are compared with, in words."""
    origins = [task.origin for task in to_do if task.origin]
    if not origins:
        what = "the documentation"
    elif origins == [_EXPECT]:
        what = f"--expect {','.join(check.expect)}"
    else:
        file = origins[0].rpartition(": ")[0]
        what = f"{amount(len(origins), 'expectation')} in {file}"
    return since_baseline(what, check.baseline)


def since_baseline(what: str, baseline: Baseline | None) -> str:
    """Return ``what`` rows are compared with, and the name of the baseline if there is one."""
    return f"{what} since {Path(baseline.name).name}" if baseline is not None else what
