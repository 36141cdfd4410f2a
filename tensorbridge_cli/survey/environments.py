"""One request in several environments, one after the other, each with a laboratory of its own.

A dtype that one of them lacks is no mistake if another one has it: where it is missing, its cases are not applicable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from tensorbridge_cli.catalog.constructors import CONSTRUCTORS
from tensorbridge_cli.diff.cells import Recording
from tensorbridge_cli.diff.environments import (
    LETTERS,
    Clauses,
    Inspected,
    Inspections,
    SideBySide,
    breaches,
    clauses,
    inspected,
    noted,
    side_by_side,
)
from tensorbridge_cli.diff.reports import of_report, recording
from tensorbridge_cli.errors import RequestError, UnavailableError
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.lab.interpreter import Interpreter, find
from tensorbridge_cli.lab.protocol import Isolation, Resolved
from tensorbridge_cli.records.report import Report, Tally
from tensorbridge_cli.survey.check import CheckText, run
from tensorbridge_cli.survey.request import Request
from tensorbridge_cli.survey.run import Progress, survey, surveying
from tensorbridge_cli.survey.task import Task

_Result = TypeVar("_Result")
Elsewhere = tuple[tuple[str, Resolved], ...]
"""Dtypes that an environment lacks, each as it was written and as another environment reads it."""


@dataclass(frozen=True)
class InspectedPlace:
    """An environment: its letter in a table, what the user calls it, and its laboratory."""

    letter: str
    name: str
    lab: Laboratory


def lettered(pythons: Sequence[str]) -> list[tuple[str, Interpreter]]:
    """Return the interpreters that a user names, each with its letter.

    Raises:
        RequestError: if there are more than letters.
        UnavailableError: if there is no such interpreter.
    """
    if len(pythons) > len(LETTERS):
        raise RequestError(f"--python is given {len(pythons)} times: {len(LETTERS)} environments are the most.")
    return list(zip(LETTERS, map(find, pythons), strict=False))


@contextmanager
def opened(
    pythons: Sequence[str], start: Callable[[Interpreter], AbstractContextManager[Laboratory]]
) -> Iterator[tuple[InspectedPlace, ...]]:
    """Start a laboratory in each environment; all import their libraries at once.

    Raises:
        RequestError: if there are more than letters.
        UnavailableError: if one of them cannot be used.
    """
    interpreters = lettered(pythons)
    with ExitStack() as stack:
        places = tuple(
            InspectedPlace(letter, python.name, stack.enter_context(start(python))) for letter, python in interpreters
        )
        for place in places:
            place.lab.hello()
        yield places


def shared_out(
    requests: Sequence[Request], places: Sequence[InspectedPlace]
) -> Callable[[InspectedPlace, Request], Request]:
    """Return the function that adds to one of ``requests`` what an environment lacks and another one has.

    Raises:
        RequestError: for a dtype that none of them knows.
    """
    lacking = _lacking(requests, places)
    has_torch = any(place.lab.hello().torch is not None for place in places)
    return lambda place, request: replace(request, elsewhere=lacking[place.letter], beside_torch=has_torch)


def inspections(
    requests: Sequence[Request],
    places: Sequence[InspectedPlace],
    isolation: Isolation,
    progress: Progress,
    *,
    remedies: bool,
) -> Inspections:
    """Return the report of each environment, and the cells of all side by side; see ``survey``.

    Raises:
        UnavailableError: if one of them cannot do it, with its name.
    """
    of_place = shared_out(requests, places)

    def reported(place: InspectedPlace) -> Report:
        own = [of_place(place, request) for request in requests]
        return survey(own, place.lab, isolation, progress, remedies=remedies)

    reports = _in_each(places, reported)
    ran_in = [
        inspected(place.letter, place.name, report.environment, report.summary)
        for place, report in zip(places, reports, strict=True)
    ]
    return Inspections(side_by_side(ran_in, list(map(of_report, reports))), tuple(reports))


def recordings(
    requests: Sequence[Request], places: Sequence[InspectedPlace], isolation: Isolation, progress: Progress
) -> list[tuple[Inspected, Recording]]:
    """Return the cells of each environment, and what it is; no rows are kept.

    Raises:
        UnavailableError: if one of them cannot do it, with its name.
    """
    of_place = shared_out(requests, places)

    def recorded(place: InspectedPlace) -> tuple[Inspected, Recording]:
        tally = Tally()
        own = [of_place(place, request) for request in requests]
        ran_on, entries = surveying(own, place.lab, isolation, progress, snapshots=False)
        cells = recording(place.name, ran_on, noted(entries, tally))
        return inspected(place.letter, place.name, ran_on, tally.summary()), cells

    return _in_each(places, recorded)


def checks(
    check: CheckText, tasks: Sequence[Task], places: Sequence[InspectedPlace], isolation: Isolation, progress: Progress
) -> SideBySide:
    """Compare the experiments of a check with what is expected, in each environment; no rows are kept.

    Raises:
        RequestError: if nothing could fail.
        UnavailableError: if one of them cannot do it, with its name.
    """
    of_place = shared_out([request for task in tasks for request in task.requests], places)

    def checked(place: InspectedPlace) -> tuple[Inspected, Recording, Clauses]:
        own = [replace(task, requests=tuple(of_place(place, one) for one in task.requests)) for task in tasks]
        report = run(check, own, place.lab, isolation, progress, snapshots=False).report
        ran_in = inspected(place.letter, place.name, report.environment, report.summary)
        return ran_in, of_report(report), clauses(report.observations)

    ran_on, cells, by_place = zip(*_in_each(places, checked), strict=True)
    return side_by_side(ran_on, cells, breaches({one.letter: some for one, some in zip(ran_on, by_place, strict=True)}))


def _in_each(places: Sequence[InspectedPlace], work: Callable[[InspectedPlace], _Result]) -> list[_Result]:
    """Return what ``work`` finds in each environment, one after the other.

    Raises:
        UnavailableError: if one of them cannot do it, with its name.
    """
    results = []
    for place in places:
        try:
            results.append(work(place))
        except UnavailableError as error:
            raise UnavailableError(f"{place.letter} ({place.name}): {error}") from error
    return results


def _lacking(requests: Sequence[Request], places: Sequence[InspectedPlace]) -> dict[str, Elsewhere]:
    """Return the dtypes that each environment lacks and another one has."""
    # the dtypes of another library are its own: an environment without it is refused
    typed = dict.fromkeys(
        name
        for request in requests
        for name in (*(() if request.library in CONSTRUCTORS else request.dtypes), request.to_dtype)
        if name
    )
    by_letter = {place.letter: _resolved([name for name in typed if name != "all"], place.lab) for place in places}
    if "all" in typed:
        for place in places:
            by_letter[place.letter] |= {dtype.name: dtype for dtype in place.lab.hello().dtypes}
    every = {name: dtype for dtypes in by_letter.values() for name, dtype in dtypes.items()}
    for name in typed:
        if name != "all" and name not in every:
            places[0].lab.resolve([name])  # which says what is wrong with it
    return {
        letter: tuple((name, dtype) for name, dtype in every.items() if name not in dtypes)
        for letter, dtypes in by_letter.items()
    }


def _resolved(names: Sequence[str], lab: Laboratory) -> dict[str, Resolved]:
    by_name = {}
    for name in names:
        try:
            by_name[name] = lab.resolve([name])[0]
        except (RequestError, UnavailableError):
            continue
    return by_name
