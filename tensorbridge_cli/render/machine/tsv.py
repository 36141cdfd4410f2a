r"""The report as tab-separated values: a header, then one line for each observation and each case not applicable.

For ``cut`` and ``awk``: no field is quoted, since a tab, a newline, any other character that does not print and the
backslash are written as ``\t``, ``\n``, ``\x1b`` and ``\\``. An absent fact is an empty field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tensorbridge_cli.records.report import Environment, NotApplicable, Report, Row
from tensorbridge_cli.render import View
from tensorbridge_cli.render.machine.fields import COLUMNS, answers, fields

if TYPE_CHECKING:
    from tensorbridge_cli.diff.saved import Rows


def stream(_environment: Environment, entries: Iterable[Row | NotApplicable]) -> Iterator[str]:
    """Yield the header, and the line of each entry as it comes."""
    yield "\t".join(COLUMNS) + "\n"
    for entry in entries:
        yield "\t".join(fields(entry)) + "\n"


def render(report: Report, _view: View) -> str:
    """Return ``report`` as tab-separated values; the answers, where it was asked what to write."""
    if report.answers:
        return "".join("\t".join(line) + "\n" for line in answers(report))
    return "".join(stream(report.environment, (*report.observations, *report.not_applicable)))


def rows(rows: Rows, _view: View) -> str:
    """Return ``rows`` as tab-separated values."""
    return "".join(stream(rows.environment, rows.entries()))
