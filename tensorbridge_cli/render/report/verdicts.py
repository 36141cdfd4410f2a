"""The result of a check for a reader: each cause once, with its rows and how to reproduce it, then the sums.

A terminal shows a few of the sources for each cause; a pipe shows all, one per line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from tensorbridge_cli.diff.cells import A_LINE, function_of
from tensorbridge_cli.records.enums import Direction, Origin, Verdict
from tensorbridge_cli.records.report import Clause, Report, Row, Subject
from tensorbridge_cli.records.words import amount, shell_line
from tensorbridge_cli.render import Verdicts, View
from tensorbridge_cli.render.report.findings import call
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.text.layout import command, hang, styled, to_string

if TYPE_CHECKING:
    from tensorbridge_cli.diff.cells import Alone

_FEW = 3
_INDENT = "  "
_ORDER = (Verdict.KEPT, Verdict.BROKEN, Verdict.UNDOCUMENTED, Verdict.UNTESTED, Verdict.UNDEFINED)
_DEFAULTS = {"shape": "4,3", "dtype": "float32", "layout": "contiguous", "state": "plain", "device": "cpu"}


@dataclass(frozen=True)
class Cause:
    """One clause that was not met, in the same way, by one function with whatever arguments it was called."""

    function: str
    direction: Direction
    clause: Clause


class FailedSubject(NamedTuple):
    """One subject with which a clause was not met, the reason if there is one, and the conversions."""

    subject: Subject
    reason: str | None
    conversions: tuple[str, ...]


def verdicts(verdicts: Verdicts, view: View) -> str:
    """Return the failures, and the sums."""
    return to_string(lines(verdicts, view.width), colour=view.colour)


def causes(report: Report) -> dict[Cause, list[Row]]:
    """Return each cause of a breach, with the rows that it broke.

    ``torch.from_dlpack`` and ``torch.from_dlpack(copy=False)`` that break the same sentence in the same way are one
    fault of one function, and so are one cause.
    """
    by_cause: dict[Cause, list[Row]] = {}
    for row in report.observations:
        for clause in row.contract.clauses:
            if clause.verdict is Verdict.BROKEN:
                by_cause.setdefault(Cause(function_of(row.conversion), row.direction, clause), []).append(row)
    return by_cause


def conversions(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the conversions of ``rows``, each once."""
    return tuple(dict.fromkeys(call(row.conversion, row.to_dtype) for row in rows))


def title(cause: Cause, rows: Sequence[Row]) -> str:
    """Return the conversion with its direction; of several conversions, their function."""
    names = conversions(rows)
    return words.one_line(f"{names[0] if len(names) == 1 else cause.function} {words.direction(cause.direction)}")


def unmet_by(cause: Cause, rows: Sequence[Row]) -> str:
    """Return what was not met, and in how many experiments if there are several."""
    often = f" in {len(rows):,} experiments" if len(rows) > 1 else ""
    return words.one_line(words.unmet(cause.clause)) + often


def failures(rows: Sequence[Row]) -> list[FailedSubject]:
    """Return the subjects of ``rows``, each once for each reason; no conversions are named where all of them failed."""
    by_reason: dict[tuple[Subject, str | None], list[Row]] = {}
    for row in rows:
        by_reason.setdefault((row.subject, words.reason(row)), []).append(row)
    every = set(conversions(rows))
    return [
        FailedSubject(subject, reason, () if every == {*names} else names)
        for (subject, reason), some in by_reason.items()
        for names in [conversions(some)]
    ]


def failed(failure: FailedSubject, before: str | None = None) -> str:
    """Return a failure in one line; the reason is left out if it is that of the line ``before``."""
    named = f" ({', '.join(failure.conversions)})" if failure.conversions else ""
    why = f": {failure.reason}" if failure.reason and failure.reason != before else ""
    return words.one_line(f"{words.subject(failure.subject, ())}{named}{why}")


def lines(verdicts: Verdicts, width: int | None) -> Iterator[Text]:
    """Yield the lines of the failures, each of at most ``width`` columns."""
    for cause, rows in causes(verdicts.report).items():
        yield from _cause(cause, rows, width)
        yield Text()
    for alone in verdicts.gone:
        yield from hang(Text.assemble(styled("gone", "broken"), f": {gone_cell(alone)}"), width)
    if verdicts.gone:
        yield Text()
    yield from hang(sums(verdicts), width)


def gone_cell(alone: Alone) -> str:
    """Say which cell is gone, what it was, and why."""
    cell = alone.cell
    named = f"{call(cell.conversion, cell.to_dtype)} {words.direction(cell.direction)}"
    why = f" ({alone.reason})" if alone.reason else ""
    return words.one_line(f"{named}, {words.subject(cell.subject, ())}: it was {alone.outcome}{why}")


def _cause(cause: Cause, rows: list[Row], width: int | None) -> Iterator[Text]:
    clause = cause.clause
    yield from hang(Text.assemble(styled(title(cause, rows), "broken"), f": {unmet_by(cause, rows)}"), width)
    if clause.sentence:
        yield from _inset(f"“{clause.sentence}”", width)
    yield from _inset(clause.citation, width)
    names = conversions(rows)
    if len(names) > 1:
        yield from _inset(f"{len(names)} conversions: {', '.join(names)}", width)
    failing = failures(rows)
    shown = failing if width is None or len(failing) <= _FEW + 1 else failing[:_FEW]
    before = None
    for failure in shown:
        yield from _inset(failed(failure, before), width)
        before = failure.reason
    if len(shown) < len(failing):
        more = len({one.subject for one in failing} - {one.subject for one in shown})
        yield from _inset(f"and {amount(more, 'more source')}", width)
    if _can_be_named(rows[0].subject):
        yield from _command(rows[0], width)


def _inset(text: str, width: int | None) -> Iterator[Text]:
    room = None if width is None else width - len(_INDENT)
    for line in hang(styled(words.one_line(text)), room):
        yield Text(_INDENT) + line


def _command(row: Row, width: int | None) -> Iterator[Text]:
    """Yield the command that prints the script."""
    first, *rest = command(words.one_line(repro(row)), None if width is None else width - 2 * len(_INDENT))
    yield Text(_INDENT) + first
    yield from (Text(2 * _INDENT) + line for line in rest)


def _can_be_named(subject: Subject) -> bool:
    """Return True if a command can find the source again: not a live object, which has no ``module:name``."""
    return subject.origin is not Origin.OBJECT or ":" in (subject.given or "")


def repro(row: Row) -> str:
    """Return the command that prints a script of ``row``."""
    typed = ["tensorbridge", "repro", *(["--code"] if A_LINE.search(row.conversion) else []), row.conversion]
    subject = row.subject
    if subject.origin is Origin.GENERATED:
        typed += ["--direction", row.direction]
        # the shape of a scalar is that of what it is taken from
        shape = _DEFAULTS["shape"] if "scalar" in subject.state.split("+") else words.shape(subject.shape, ",")
        values = {
            "shape": shape,
            "dtype": subject.dtype,
            "layout": subject.layout,
            "state": subject.state,
            "device": "cpu" if "meta" in subject.state.split("+") else subject.device,
        }
        for name, value in values.items():
            if value != _DEFAULTS[name]:
                typed += [f"--{name}", value]
    else:
        option = {Origin.FILE: "--file", Origin.EXPRESSION: "--expr", Origin.OBJECT: "--object"}[subject.origin]
        typed += [option, subject.given or ""]
    if row.to_dtype:
        typed += ["--to-dtype", row.to_dtype]
    return shell_line(typed)


def is_known(row: Row) -> bool:
    """Return True if a row is broken as it was in the earlier record, and in no other way: see expectations.since."""
    was = any(clause.about == "contract" and clause.expected == Verdict.BROKEN for clause in row.contract.clauses)
    return was and row.contract.verdict is not Verdict.BROKEN


def sums(checked: Verdicts) -> Text:
    """Return the number of experiments for each verdict."""
    rows, gone = checked.report.observations, len(checked.gone)
    known = [row for row in rows if is_known(row)]
    verdicts = Counter(row.contract.verdict for row in rows) - Counter(row.contract.verdict for row in known)
    # beside known failures, the others are new
    words_ = words.VERDICTS | ({Verdict.BROKEN: "new"} if known else {})
    parts = [
        styled(f"{verdicts[verdict]:,} {words_[verdict]}", "broken" if verdict is Verdict.BROKEN else "plain")
        for verdict in _ORDER
        if verdicts[verdict] or verdict in (Verdict.KEPT, Verdict.BROKEN)
    ]
    if known:
        parts.insert(1, styled(f"{len(known):,} known"))
    if gone:
        parts.append(styled(f"{gone:,} gone", "broken"))
    crashes = sum(row.crash is not None for row in rows)
    if crashes:
        parts.append(styled(f"{amount(crashes, 'crash')} isolated"))
    experiments = f"{amount(len(rows), 'experiment')} against {words.one_line(checked.against)}: "
    return Text.assemble(experiments, Text(", ").join(parts), f" {words.versions(checked.report.environment)}")
