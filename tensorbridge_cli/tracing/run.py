"""From a program to its judged trace: what ``tensorbridge trace`` and ``tensorbridge_cli.trace`` have in common."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from tensorbridge_cli.catalog import codes
from tensorbridge_cli.errors import RequestError, TensorbridgeError, one_of
from tensorbridge_cli.judgement.answers import answers
from tensorbridge_cli.lab.client import DEFAULT, Laboratory
from tensorbridge_cli.lab.experiment import Given
from tensorbridge_cli.records.enums import Origin, Outcome
from tensorbridge_cli.records.trace import Trace, ordered
from tensorbridge_cli.records.trace_words import CODES, SORTS
from tensorbridge_cli.survey.request import Request
from tensorbridge_cli.survey.run import survey
from tensorbridge_cli.tracing import early, limits
from tensorbridge_cli.tracing.inside.records import Counts
from tensorbridge_cli.tracing.launch import OWN, Program, Python, Running, launch, plan
from tensorbridge_cli.tracing.limits import Limit
from tensorbridge_cli.tracing.ranks import Rank
from tensorbridge_cli.tracing.report import experiments, findings, merge
from tensorbridge_cli.tracing.report import selection as selections
from tensorbridge_cli.tracing.report.experiments import Reading, SharingSource
from tensorbridge_cli.tracing.report.selection import Selection

OpenLaboratory = Callable[[], AbstractContextManager[Laboratory]]


@dataclass(frozen=True, kw_only=True)
class TraceRequest:
    """What is traced, and what counts.

    Attributes:
        include: Files and folders whose code counts alone.
        omit: Those whose code does not.
        depth: Number of callers to show (default: 4).
        follow: Whether programs that the program starts are traced, too.
        selection: The findings that count.
        fail_on: What must not happen.
        sort: What the lines are sorted by, one of ``SORTS``.
        remedies: Whether code that shares is looked for, by experiment.
        renamed: The options that were given under their old names, and what to say of old names of findings.
    """

    include: tuple[str, ...] = ()
    omit: tuple[str, ...] = ()
    depth: int = 4
    follow: bool = False
    selection: Selection = field(default_factory=Selection)
    fail_on: tuple[Limit, ...] = ()
    sort: str = "bytes"
    remedies: bool = True
    renamed: tuple[str, ...] = ()


def parse(
    *,
    include: Iterable[str] = (),
    omit: Iterable[str] = (),
    depth: int = 4,
    follow: bool = False,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    only: Iterable[str] = (),
    fail_on: Iterable[str] = (),
    sort: str = "bytes",
    remedies: bool = True,
) -> TraceRequest:
    """Read a request; ``only`` and paths in ``ignore`` are the old names of ``include`` and ``omit``.

    Raises:
        RequestError: if it makes no sense.
    """
    one_of("--sort", sort, SORTS)
    select, ignore, fail_on = tuple(select), tuple(ignore), tuple(fail_on)
    conditions = limits.parse(fail_on)
    selection, ignored = selections.parse(select, ignore)
    for limit in conditions:
        if limit.code in CODES and not selection.counts(limit.code):
            raise RequestError(f"--fail-on {limit.key}={limit.code} cannot fail: --select or --ignore excludes it.")
    only, omit = tuple(only), tuple(omit)
    named = (item.strip() for text in (*select, *ignore, *fail_on) for item in re.split("[,=]", text))
    old = dict.fromkeys(filter(None, map(codes.renamed, named)))
    request = TraceRequest(
        include=(*include, *only),
        omit=(*omit, *ignored),
        depth=depth,
        follow=follow,
        selection=selection,
        fail_on=conditions,
        sort=sort,
        remedies=remedies,
        renamed=(*(["only"] if only else []), *(["ignore"] if ignored else []), *old),
    )
    _require_places(request.include, "--include")
    _require_places(omit, "--omit")
    return request


def _require_places(paths: Sequence[str], option: str) -> None:
    """Raise RequestError if one of ``paths`` is not a file or a folder."""
    for path in paths:
        if os.path.exists(path):
            continue
        if selections.all_are_findings(path):
            raise RequestError(
                f"{option} accepts files and folders, not {path!r}: use --select or --ignore for findings."
            )
        raise RequestError(f"{path!r} does not exist: {option} accepts files and folders.")


def start(program: Program, request: TraceRequest, python: Python = OWN) -> Running:
    """Start a program with ``python``, or return the one that ``early`` has started.

    Raises:
        RequestError: if there is no such file.
        UnavailableError: if Python is told to ignore its environment, through which the hooks come.
    """
    return early.taken() or launch(
        program, lambda: plan(program.file, request.include, request.omit, request.depth, request.follow), python
    )


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A trace with the findings that count, and a sentence for each condition that was not met."""

    trace: Trace
    unmet: tuple[str, ...]


def judge(
    parts: Sequence[Counts],
    command: Sequence[str],
    exit_code: int | None,
    request: TraceRequest,
    laboratory: OpenLaboratory,
    late: Sequence[int] = (),
) -> Judged:
    """Say what the counts of a program's processes mean; ``late`` are the ranks that had not ended in time."""
    counted, notes = merge.joined(parts, command, exit_code, late)
    wanted = experiments.wanted(counted) if request.remedies else ()
    readings = experiments.readings(counted, notes) if request.remedies else ()
    ratios = _ratios(readings, laboratory)
    judged = ordered(findings.judged(counted, notes, _shares(wanted, laboratory), ratios), request.sort)
    selected = request.selection.of(judged)
    return Judged(trace=selected, unmet=tuple(limits.passed(request.fail_on, judged, selected.findings)))


def judge_run(
    folder: Path,
    rank: Rank | None,
    program: Program,
    exit_code: int,
    request: TraceRequest,
    laboratory: OpenLaboratory,
) -> Judged:
    """Say what the counts in ``folder`` mean, together with those of the other ranks."""
    others, late = rank.gathered() if rank is not None else ([], [])
    parts = merge.read(folder, *others)
    if rank is not None:
        rank.part()
    return judge(parts, program.arguments, exit_code, request, laboratory, late)


def _ratios(readings: Sequence[Reading], laboratory: OpenLaboratory) -> dict[Reading, float]:
    """Return how many times as long each of ``readings`` takes as its better line, on a source like the program's."""
    ratios: dict[Reading, float] = {}
    if not readings:
        return ratios
    with laboratory() as lab:
        for one in readings:
            given = Given(origin=Origin.EXPRESSION, text=one.source)
            # each call three times: the first takes longer than the others
            code = tuple(f"({call}, {call}, {call})[-1]" for call in (one.slow, one.better))
            try:
                reports = [survey([Request(code=code, given=given)], lab, DEFAULT) for _ in range(_ROUNDS)]
            except TensorbridgeError:  # no such source can be made: nothing is measured
                continue
            rounds = [
                [row.seconds.convert or 0 for row in report.observations if row.outcome is not Outcome.REFUSED]
                for report in reports
            ]
            if all(len(took) == 2 for took in rounds):
                slow, better = map(min, zip(*rounds, strict=True))
                if slow and better:
                    ratios[one] = slow / better
    return ratios


_ROUNDS = 3
"""How often a line is timed; the least counts, since another process may have the processor meanwhile."""


def _shares(wanted: Sequence[SharingSource], laboratory: OpenLaboratory) -> dict[SharingSource, str]:
    """Return code that shared, tried now on a source like each of ``wanted``."""
    shares: dict[SharingSource, str] = {}
    if not wanted:
        return shares
    with laboratory() as lab:
        for one in wanted:
            request = Request(
                every=True,
                shapes=(one.shape,),
                dtypes=(one.dtype,),
                layouts=(one.layout,),
                states=(one.state,),
                direction=one.direction,
            )
            try:
                report = survey([request], lab, DEFAULT, remedies=True)
            except TensorbridgeError:  # no such subject can be made: nothing is said of it
                continue
            for answer in answers(report.observations, Outcome.SHARED, one.direction):
                codes = [remedy.code for remedy in answer.write]
                if codes:
                    shares[one] = _OWN_TENSOR if _OWN_TENSOR in codes else codes[0]
    return shares


_OWN_TENSOR = "x.detach()"
"""What gives a tensor of its own, without the gradient, as ``torch.tensor(x)`` does.

``torch.as_tensor(x)`` gives ``x`` itself: what is done to its result, e.g. ``requires_grad_``, would be done to ``x``.
"""
