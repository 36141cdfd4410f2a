"""The report as lines of JSON, each an object whose key says what it is, so that rows can be streamed.

The first line holds ``schema`` and ``environment``, the last ``summary`` and, where it was asked which code to write,
``answers``; between them stands one line for each ``observation`` and each ``not_applicable`` case.
"""

from __future__ import annotations

import msgspec

from tensorbridge_cli.model import SCHEMA, Answer, Environment, NotApplicable, Report, Row, Summary
from tensorbridge_cli.render import View


def head(environment: Environment) -> str:
    """Return the first line."""
    return _line(schema=SCHEMA, environment=environment)


def observation(row: Row) -> str:
    """Return the line of one observation."""
    return _line(observation=row)


def not_applicable(case: NotApplicable) -> str:
    """Return the line of one case that was not tried."""
    return _line(not_applicable=case)


def tail(summary: Summary, answers: tuple[Answer, ...] = ()) -> str:
    """Return the last line."""
    return _line(summary=summary, answers=answers) if answers else _line(summary=summary)


def render(report: Report, _view: View) -> str:
    """Return ``report`` as lines of JSON."""
    lines = [
        head(report.environment),
        *map(observation, report.observations),
        *map(not_applicable, report.not_applicable),
        tail(report.summary, report.answers),
    ]
    return "".join(lines)


def _line(**parts: object) -> str:
    return msgspec.json.encode(parts).decode() + "\n"
