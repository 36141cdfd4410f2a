"""From a request to a report.

A request names conversions and subjects. ``plan`` says which experiments that means, the lab makes them, and the
judgement says what they mean. Only this package knows both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from tensorbridge_cli import __version__
from tensorbridge_cli.errors import UnavailableError
from tensorbridge_cli.judgement import expectations
from tensorbridge_cli.judgement.answers import answers
from tensorbridge_cli.judgement.candidates import Candidate, candidates
from tensorbridge_cli.judgement.contract import Documentation
from tensorbridge_cli.judgement.judge import benefit_of_doubt, unjudged
from tensorbridge_cli.judgement.remedies import is_problem, remedied
from tensorbridge_cli.lab import interpreter
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.lab.experiment import LARGE, Experiment, Given
from tensorbridge_cli.lab.protocol import Done, Hello, Isolation
from tensorbridge_cli.memory.available import available
from tensorbridge_cli.records import report as model
from tensorbridge_cli.records.enums import Direction, Outcome, Verdict
from tensorbridge_cli.records.report import NotApplicable, Observation, Report, Row, Subject
from tensorbridge_cli.survey import plugins
from tensorbridge_cli.survey.judged import documentation, judged
from tensorbridge_cli.survey.memory_budget import require_memory
from tensorbridge_cli.survey.plan import SNAPSHOT, Plan, plan
from tensorbridge_cli.survey.request import Request

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
    snapshots: bool = True,
    hold: Hold = lambda row: row,
    remedies: bool = False,
) -> Report:
    """Make the experiments that ``requests`` mean and return the judged report; see ``surveying``."""
    ran_on, entries = surveying(requests, lab, isolation, progress, snapshots=snapshots, hold=hold, remedies=remedies)
    return collected(ran_on, entries)


def collected(ran_on: model.Environment, entries: Iterable[Entry]) -> Report:
    """Return the report of ``entries``."""
    rows: list[Row] = []
    cases: list[NotApplicable] = []
    for entry in entries:
        if isinstance(entry, Row):
            rows.append(entry)
        else:
            cases.append(entry)
    return model.report(ran_on, tuple(rows), tuple(cases))


def in_one(reports: Sequence[Report]) -> Report:
    """Return several reports as one, in which each cell is once."""
    rows = expectations.together(row for one in reports for row in one.observations)
    cases = dict.fromkeys(case for one in reports for case in one.not_applicable)
    return model.report(reports[0].environment, rows, tuple(cases))


def surveying(
    requests: Sequence[Request],
    lab: Laboratory,
    isolation: Isolation,
    progress: Progress,
    *,
    snapshots: bool = True,
    hold: Hold = lambda row: row,
    remedies: bool = False,
) -> tuple[model.Environment, Iterator[Entry]]:
    """Return the environment, and an iterator that runs the experiments and yields each, judged, in order.

    ``progress`` is told how many experiments are done, of how many. ``snapshots``: small objects are recorded in full.
    ``hold`` is asked about each row; what it finds broken is tried again, as a breach of the documentation is.
    ``remedies``: where something went wrong, other code is tried on the same subject.
    Only a part of the rows is held at a time.

    Raises:
        RequestError: if a request makes no sense.
        UnavailableError: if it is not possible in this environment.
    """
    hello = lab.hello()
    planned, pages = plan(requests, lab, hello, snapshot=SNAPSHOT if snapshots else -1), documentation(hello)
    if hello.works_together is not None and any(_crosses(experiment.direction) for experiment in planned.experiments):
        raise UnavailableError(
            f"numpy {hello.numpy} and torch {hello.torch} are not compatible: torch was built for another NumPy "
            f"({hello.works_together}). {interpreter.advice(lab.python)}"
        )
    if not any(request.force for request in requests):
        require_memory(planned, lab, pages)
    return environment(hello, isolation), _entries(planned, lab, pages, progress, hold, remedies)


def _entries(
    planned: Plan, lab: Laboratory, pages: Documentation, progress: Progress, hold: Hold, remedies: bool
) -> Iterator[Entry]:
    yield from planned.not_applicable
    total = len(planned.experiments)
    # what fits in memory was summed up for one experiment at a time
    large = any(size >= LARGE for size in planned.sizes)
    progress(0, total)
    # the lab goes on while a block is tried again, unless it is to try other code in between
    observations = enumerate(_observations(planned.experiments, lab, _CHUNK if remedies else total, large), start=1)
    ended: dict[int, Entry] = {}
    for start in range(0, total, _CHUNK):
        experiments = planned.experiments[start : start + _CHUNK]
        awaited = set(range(start, start + len(experiments))) - ended.keys()
        while awaited:
            done, (index, observed) = next(observations)
            ended[index] = hold(judged(observed, pages)) if isinstance(observed, Observation) else observed
            awaited.discard(index)
            progress(done, total)
        entries = {nth: ended.pop(start + nth) for nth in range(len(experiments))}
        _confirm(entries, experiments, lab, pages, hold)
        if remedies:
            _remedied(entries, experiments, lab, one_by_one=large)
        lab.internal_errors += [row for row in entries.values() if isinstance(row, Row) and row.internal_error]
        yield from (entries[index] for index in range(len(experiments)))


def _observations(
    experiments: Sequence[Experiment], lab: Laboratory, together: int, large: bool
) -> Iterator[tuple[int, Done]]:
    """Run the experiments in blocks of ``together``; yield the number and the result of each as it ends."""
    for start in range(0, len(experiments), together or 1):
        for nth, done in lab.run(experiments[start : start + together], one_by_one=large):
            yield start + nth, done


def _crosses(direction: Direction) -> bool:
    return direction in (Direction.NUMPY_TO_TORCH, Direction.TORCH_TO_NUMPY)


def environment(hello: Hello, isolation: Isolation) -> model.Environment:
    """Return what the experiments ran on, for the report."""
    return model.Environment(
        tensorbridge=__version__,
        python=hello.python,
        numpy=hello.numpy,
        torch=hello.torch,
        platform=hello.platform,
        isolation=isolation,
        executable=hello.executable,
        plugins=plugins.loaded(),
    )


def proved(experiments: Sequence[Experiment], lab: Laboratory) -> tuple[Entry, ...]:
    """Make ``experiments`` one after another and return each one's judged row, in their order."""
    pages = documentation(lab.hello())
    results = dict(lab.run(experiments, one_by_one=True))
    in_order = (results[index] for index in range(len(experiments)))
    rows = tuple(judged(entry, pages) if isinstance(entry, Observation) else entry for entry in in_order)
    lab.internal_errors += [row for row in rows if isinstance(row, Row) and row.internal_error]
    return rows


def _confirm(
    entries: dict[int, Entry], experiments: Sequence[Experiment], lab: Laboratory, pages: Documentation, hold: Hold
) -> None:
    """Keep a contradiction in ``entries`` only if it repeats in a process that ran nothing else before."""
    broken = {index: entry for index, entry in entries.items() if isinstance(entry, Row) and _is_broken(entry)}
    if not broken:
        return
    numbers = sorted(broken)
    for nth, again in lab.again([experiments[index] for index in numbers]):
        if not (isinstance(again, Observation) and _is_broken(hold(judged(again, pages)))):
            entries[numbers[nth]] = benefit_of_doubt(broken[numbers[nth]])


def _remedied(entries: dict[int, Entry], experiments: Sequence[Experiment], lab: Laboratory, one_by_one: bool) -> None:
    """Put into ``entries``, for every row that is a problem, the code that worked instead on the same subject.

    Many rows have a subject and candidates in common: each code is tried once.
    """
    free = available() if one_by_one else None
    numbers: dict[tuple[Subject, Given | None, str], int] = {}
    others: list[Experiment] = []

    def number_of(experiment: Experiment, code: str, setup: str) -> int:
        nth = numbers.setdefault((experiment.subject, experiment.given, f"{setup}\n{code}"), len(others))
        if nth == len(others):
            plain = replace(experiment, snapshot=-1, needs="", same_dtype=False, to_dtype=None)
            others.append(replace(plain, conversion=code, code=code, setup=setup))
        return nth

    wanted: dict[int, list[tuple[Candidate, int, int | None]]] = {}
    for index, row in entries.items():
        if not (isinstance(row, Row) and is_problem(row)) or _is_too_large(row, free):
            continue
        experiment = experiments[index]
        wanted[index] = [
            (
                one,
                number_of(experiment, one.code, one.setup),
                number_of(experiment, one.proof, one.setup) if one.proof else None,
            )
            for one in candidates(row, experiment.code)
        ]
    done = dict(lab.run(others, one_by_one=one_by_one)) if others else {}
    lab.internal_errors += [
        unjudged(observation)
        for observation in done.values()
        if isinstance(observation, Observation) and observation.internal_error
    ]
    for index, trials in wanted.items():
        row = entries[index]
        assert isinstance(row, Row)
        results = ((one, done[nth], done[proof] if proof is not None else None) for one, nth, proof in trials)
        entries[index] = remedied(row, results)


def _is_too_large(row: Row, free: int | None) -> bool:
    """Return True if a candidate, which may copy twice, does not fit in memory."""
    size = row.source.nbytes if row.source is not None else None
    return size is not None and size >= LARGE and 3 * size > (available() if free is None else free)


def answered(report: Report, wanted: Outcome, direction: Direction | None) -> Report:
    """Return ``report`` with the code that gives ``wanted``, in ``direction`` or between the two libraries.

    Without PyTorch there is one direction.
    """
    if report.environment.torch is None:
        direction = direction or Direction.NUMPY_TO_NUMPY
    return replace(report, answers=answers(report.observations, wanted, direction))


def _is_broken(row: Row) -> bool:
    return row.contract.verdict is Verdict.BROKEN
