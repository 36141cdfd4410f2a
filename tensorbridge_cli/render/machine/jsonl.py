"""The report as lines of JSON, each an object whose key says what it is, so that rows can be streamed.

The first line holds ``schema`` and ``environment``, the last ``summary`` and, where it was asked which code to write,
``answers``; between them stands one line for each ``observation`` and each ``not_applicable`` case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tensorbridge_cli.encoding import encode
from tensorbridge_cli.printable import escape_json
from tensorbridge_cli.records.report import SCHEMA, Environment, NotApplicable, Report, Row, Tally
from tensorbridge_cli.render import View

if TYPE_CHECKING:
    from tensorbridge_cli.records.trace import Trace


def render(report: Report, _view: View) -> str:
    """Return ``report`` as lines of JSON."""
    entries = (*map(_entry, report.observations), *map(_entry, report.not_applicable))
    answers = {"answers": report.answers} if report.answers else {}
    return "".join([_head(report.environment), *entries, _line(summary=report.summary, **answers)])


def stream(environment: Environment, entries: Iterable[Row | NotApplicable]) -> Iterator[str]:
    """Yield the line of each entry as it comes, after the first line and before the last, which sums them up."""
    tally = Tally()
    yield _head(environment)
    for entry in entries:
        tally.add(entry)
        yield _entry(entry)
    yield _line(summary=tally.summary())


def _head(environment: Environment) -> str:
    return _line(schema=SCHEMA, environment=environment)


def _entry(entry: Row | NotApplicable) -> str:
    return _line(observation=entry) if isinstance(entry, Row) else _line(not_applicable=entry)


def _line(**parts: object) -> str:
    return escape_json(encode(parts).decode()) + "\n"


def trace(traced: Trace, _view: View) -> str:
    """Return ``traced`` as lines of JSON: a first line, one a process, site and finding, and the sums."""
    head = {"schema": traced.schema, "environment": traced.environment, "command": traced.command}
    return "".join(
        [
            _line(**head, exit_code=traced.exit_code),
            *(_line(process=process) for process in traced.processes),
            *(_line(site=site) for site in traced.sites),
            *(_line(finding=finding) for finding in traced.findings),
            _line(not_intercepted=traced.not_intercepted, totals=traced.totals, unused=traced.unused),
        ]
    )
