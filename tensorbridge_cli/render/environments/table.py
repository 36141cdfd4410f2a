"""Conversions × environments with the outcome in words, for each source, and the notes on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.text import Text

from tensorbridge_cli.diff.environments import look
from tensorbridge_cli.records.report import Row
from tensorbridge_cli.render import View
from tensorbridge_cli.render.environments import heading
from tensorbridge_cli.render.report.sections import Concerned, Section, SectionNote, sections
from tensorbridge_cli.render.report.table import described
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.text.layout import AT_CODE, GAP, columns, fold, hang, styled, to_string, width_of

if TYPE_CHECKING:
    from tensorbridge_cli.diff.environments import Inspections


def inspections(inspected: Inspections, view: View) -> str:
    """Return the reports of several environments in one table, as text for a terminal or a pipe."""
    return to_string(_lines(inspected, width_of(view), rule=view.box), colour=view.colour)


def _lines(inspected: Inspections, width: int | None, *, rule: bool) -> Iterator[Text]:
    environments = inspected.compared.environments
    yield from heading.lines(environments, width)
    yield Text()
    by_source: dict[tuple[object, ...], dict[str, Section]] = {}
    for one, report in zip(environments, inspected.reports, strict=True):
        for section in sections(report):
            by_source.setdefault(section.key, {})[one.letter] = section
    letters = [one.letter for one in environments]
    for some in by_source.values():
        yield from _section(some, letters, width, rule=rule)
    for one, report in zip(environments, inspected.reports, strict=True):
        phrases = [styled(phrase, name) for name, phrase in words.summary(report.summary)]
        yield from hang(Text.assemble(styled(one.letter, "heading"), "  ", Text(", ").join(phrases)), width)
    same = sum(len({look(facts) for facts in one.found.values()}) == 1 for one in inspected.compared.cells)
    yield from hang(Text(f"{same:,} of {len(inspected.compared.cells):,} look the same in all environments"), width)


def _section(some: Mapping[str, Section], letters: list[str], width: int | None, *, rule: bool) -> Iterator[Text]:
    """Yield the table of one source, and the notes on it; ``some`` are its sections by environment."""
    source = next(iter(some.values())).source
    yield from hang(Text.assemble(styled("Source:", "heading"), f" {words.one_line(source)}"), width)
    yield Text()
    rows: dict[str, dict[str, Row]] = {}
    for letter, section in some.items():
        for label, row in section.rows:
            rows.setdefault(words.one_line(label), {})[letter] = row
    if rows:
        yield from _table(rows, letters, width, rule=rule)
        yield Text()
    notes: dict[tuple[Concerned, SectionNote], list[str]] = {}
    for letter, section in some.items():
        for noted in section.notes:
            notes.setdefault(noted, []).append(letter)
    for (concerned, note), where in notes.items():
        yield from hang(_note(heading.in_environments(where, letters), concerned, note), width)
    if notes:
        yield Text()


def _table(
    rows: Mapping[str, Mapping[str, Row]], letters: list[str], width: int | None, *, rule: bool
) -> Iterator[Text]:
    cells = {
        label: [
            styled(words.OUTCOMES[by_letter[letter].outcome], by_letter[letter].outcome)
            if letter in by_letter
            else styled(words.NOTHING, "not-applicable")
            for letter in letters
        ]
        for label, by_letter in rows.items()
    }
    widths = [max(1, *(row[column].cell_len for row in cells.values())) for column in range(len(letters))]
    label = max(len("Conversion"), *map(len, cells))
    if width is not None:
        label = max(len("Conversion"), min(label, width - sum(widths) - GAP * len(letters)))
    head = [styled("Conversion", "heading"), *(styled(letter, "heading") for letter in letters)]
    yield from columns([[one] for one in head], [label, *widths])
    if rule:
        yield styled("─" * (label + sum(widths) + GAP * len(letters)))
    for name, row in cells.items():
        yield from columns([fold(Text(name), label, AT_CODE), *([one] for one in row)], [label, *widths])


def _note(where: str, concerned: Concerned, note: SectionNote) -> Text:
    return Text.assemble(styled(where, "heading"), "  " if where else "", described(concerned, note))
