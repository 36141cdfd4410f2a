"""The contradictions of the docs in several environments: a line for each sentence, with the number of cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from tensorbridge_cli.records.enums import Direction
from tensorbridge_cli.render import View
from tensorbridge_cli.render.environments import heading
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.text.layout import GAP, columns, hang, styled, to_string, width_of

if TYPE_CHECKING:
    from tensorbridge_cli.diff.environments import Breach, Inspected, SideBySide

KEPT, UNSAID = "·", "–"


def side_by_side(compared: SideBySide, view: View) -> str:
    """Return the breaches by environment as text; without ``view.everything`` they are those of ``only_worse``."""
    return to_string(_lines(compared, width_of(view), worse=not view.everything), colour=view.colour)


def _lines(compared: SideBySide, width: int | None, *, worse: bool) -> Iterator[Text]:
    yield from heading.lines(compared.environments, width)
    yield Text()
    yield from breaches(compared, width, worse=worse)


def breaches(compared: SideBySide, width: int | None, *, worse: bool) -> Iterator[Text]:
    """Yield the lines of the breaches, and the total; ``worse``: only of what the first environment keeps."""
    if compared.breaches:
        yield from _table(compared, width, worse=worse)
        yield Text()
        unsaid = any(breach.unsaid for breach in compared.breaches)
        legend = f"{KEPT} none" + (f", {UNSAID} the documentation of that version does not say it" if unsaid else "")
        yield from hang(Text(f"Each number counts experiments: {legend}"), width)
    yield from hang(_total(compared, worse=worse), width)


def _table(compared: SideBySide, width: int | None, *, worse: bool) -> Iterator[Text]:
    environments = compared.environments
    rows = [(_label(breach), [_count(breach, one.letter) for one in environments]) for breach in compared.breaches]
    if not worse:
        rows.append((Text("failed experiments"), [_broken(one) for one in environments]))
    widths = [max(1, *(cells[nth].cell_len for _, cells in rows)) for nth in range(len(environments))]
    label = max(text.cell_len for text, _ in rows)
    if width is not None:
        label = min(label, width - sum(widths) - GAP * len(widths))
    head = [styled(f"{one.letter:>{room}}", "heading") for one, room in zip(environments, widths, strict=True)]
    yield from columns([[Text()], *([one] for one in head)], [label, *widths])
    for text, cells in rows:
        right = [[Text(" " * (room - cell.cell_len)) + cell] for cell, room in zip(cells, widths, strict=True)]
        folded = [text] if text.cell_len <= label else hang(text, label)  # hang leaves room for its indent
        yield from columns([folded, *right], [label, *widths])


def _label(breach: Breach) -> Text:
    named = f"{breach.function} {words.direction(Direction(breach.direction))}"
    return Text(words.one_line(f"{named}: {breach.about}: expected {breach.expected}, found {breach.found}"))


def _count(breach: Breach, letter: str) -> Text:
    if count := breach.cells[letter]:
        return styled(f"{count:,}", "broken")
    return styled(UNSAID if letter in breach.unsaid else KEPT, "not-applicable")


def _broken(one: Inspected) -> Text:
    count = one.counts["broken"]
    return styled(f"{count:,}", "broken" if count else "plain")


def _total(compared: SideBySide, *, worse: bool) -> Text:
    letters = [one.letter for one in compared.environments]
    broken = [letter for letter in letters if any(breach.cells[letter] for breach in compared.breaches)]
    if worse:
        first = letters[0]
        return Text(f"{', '.join(broken)} fails where {first} passes" if broken else f"None fails where {first} passes")
    return Text(f"Failed in {', '.join(broken)}" if broken else "None failed")
