"""Suggested code: for each source and direction a short list, best first, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

from tensorbridge_cli.records.enums import Outcome
from tensorbridge_cli.records.report import Answer, Remedy, Report, cost
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.text.layout import GAP, hang, styled

MOST = 5
"""So many are shown; the whole list is in the report."""


def lines(report: Report, width: int | None) -> Iterator[Text]:
    """Yield the lines of all answers."""
    source = None
    for answer in report.answers:
        sources = tuple(
            row.source for row in report.observations if row.subject == answer.subject and row.source is not None
        )
        if (described := words.subject(answer.subject, sources)) != source:
            yield from hang(Text.assemble(styled("Source:", "heading"), f" {words.one_line(described)}"), width)
            yield Text()
        source = described
        yield from _answer(answer, width)
        yield Text()


def _answer(answer: Answer, width: int | None) -> Iterator[Text]:
    way = words.direction(answer.direction)
    share = answer.wanted is Outcome.SHARED
    if answer.write:
        aim = styled("share memory" if share else "copy", answer.wanted)
        yield from hang(Text.assemble("To ", aim, f" ({way}), use:"), width)
        yield from _list(answer.write[:MOST], width)
        if len(answer.write) > MOST:
            yield from hang(Text(f"  and {len(answer.write) - MOST} more, see --format json"), width, "  ")
        return
    nothing = f"No safe {'sharing' if share else 'copying'} conversion"
    yield from hang(Text.assemble(styled(nothing, "refused"), f" ({way}): {_why(answer)}"), width)
    if answer.nearest:
        yield Text("Closest alternatives:")
        yield from _list(answer.nearest, width)


def _why(answer: Answer) -> str:
    return words.one_line(answer.why or "no conversion applies")


def _list(remedies: Sequence[Remedy], width: int | None) -> Iterator[Text]:
    room = max(cell_len(words.one_line(remedy.code)) for remedy in remedies) + GAP
    fits = width is None or 2 + room + max(cell_len(cost(remedy)) for remedy in remedies) <= width
    for remedy in remedies:
        code = words.one_line(remedy.code)
        gap = " " * (room - cell_len(code) if fits else GAP)
        yield from hang(Text.assemble("  ", styled(code, "remedy"), gap, words.one_line(cost(remedy))), width, "    ")
