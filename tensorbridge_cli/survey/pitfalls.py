"""The experiments of a page: whether its pitfalls occur with the installed versions."""

from __future__ import annotations

from collections.abc import Sequence

from tensorbridge_cli.catalog import states
from tensorbridge_cli.catalog.pitfalls import Pitfall
from tensorbridge_cli.errors import UnavailableError
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.lab.experiment import Given
from tensorbridge_cli.lab.protocol import Isolation
from tensorbridge_cli.records.enums import Origin
from tensorbridge_cli.records.report import Report
from tensorbridge_cli.records.words import NO_TORCH
from tensorbridge_cli.survey.request import Request
from tensorbridge_cli.survey.run import in_one, survey
from tensorbridge_cli.survey.words import shape


def prove(pitfalls: Sequence[Pitfall], lab: Laboratory, isolation: Isolation) -> tuple[Report, tuple[str, ...]]:
    """Run the experiments of pitfalls; return their report, and a sentence for each that shows something else.

    Raises:
        UnavailableError: if all of them need PyTorch, which is not installed.
    """
    reports = [survey([request(pitfall)], lab, isolation, remedies=True) for pitfall in pitfalls]
    if all(_needs_torch(report) for report in reports):
        raise UnavailableError(f"{NO_TORCH} in {reports[0].environment.executable}: this page's experiments need it.")
    differing = tuple(
        f"not observed with {report.environment.libraries}: {pitfall.text} "
        f"(expected {pitfall.shows}: {pitfall.command})"
        for pitfall, report in zip(pitfalls, reports, strict=True)
        if not any(pitfall.is_shown_by(row) for row in report.observations) and not _needs_torch(report)
    )
    return in_one(reports), differing  # two pitfalls may have one experiment


def _needs_torch(report: Report) -> bool:
    return any(case.reason == NO_TORCH for case in report.not_applicable)


def request(pitfall: Pitfall) -> Request:
    """Return the experiment of a pitfall."""
    return Request(
        conversions=(pitfall.conversion,),
        shapes=(shape(pitfall.shape),) if pitfall.shape else Request.shapes,
        dtypes=(pitfall.dtype,) if pitfall.dtype else Request.dtypes,
        layouts=(pitfall.layout,) if pitfall.layout else Request.layouts,
        states=(states.parse(pitfall.state),) if pitfall.state else Request.states,
        to_dtype=pitfall.to_dtype or None,
        direction=pitfall.direction,
        given=Given(origin=Origin.EXPRESSION, text=pitfall.expr) if pitfall.expr else None,
    )
