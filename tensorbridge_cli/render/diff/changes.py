"""What changed between two records, for a reader: one paragraph a cell, folded to the width; a line each in a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from tensorbridge_cli.render import View
from tensorbridge_cli.render.report.findings import call, place
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.text.layout import fold, hang, styled, to_string

if TYPE_CHECKING:
    from tensorbridge_cli.diff import traces
    from tensorbridge_cli.diff.cells import Change, Comparison, Key

ABOUT = {
    "outcome": "memory",
    "outcomes": "memory",
    "source_to_result": "write source→result",
    "result_to_source": "write result→source",
}
"""The words for the facts that the table has other words for; the others are called by their name."""


def changes(comparison: Comparison, view: View) -> str:
    """Return ``comparison`` as text for a terminal or a pipe."""
    return to_string(lines(comparison, view.width), colour=view.colour)


def lines(comparison: Comparison, width: int | None) -> Iterator[Text]:
    """Yield the lines of ``comparison``, each of at most ``width`` columns."""
    for line in heading(comparison):
        yield from fold(line, width)
    yield Text()
    told = False
    for changed in comparison.changed:
        told = True
        yield from hang(_cell("changed", "changed", changed.cell, "; ".join(map(_change, changed.changes))), width)
    for lead, style, alone in (("gone", "warning", comparison.gone), ("new", "shared", comparison.new)):
        for entry in alone:
            told = True
            why = f"{entry.outcome} ({entry.reason})" if entry.reason else entry.outcome
            yield from hang(_cell(lead, style, entry.cell, why), width)
    if told:
        yield Text()
    for count in comparison.counts:
        cells = f"{count.cells} cell{'s' * (count.cells != 1)}"
        yield from hang(Text(words.one_line(f"{_change(count.change)}: {cells}")), width)
    if comparison.counts:
        yield Text()
    yield Text(total(comparison))


def heading(comparison: Comparison) -> Iterator[Text]:
    """Yield what each side ran on, and in what the sources of the sides differ, a line each."""
    yield from versions(comparison)
    for change in comparison.subjects:
        yield styled(words.one_line(_change(change)), "heading")


def versions(comparison: Comparison | traces.Comparison) -> Iterator[Text]:
    """Yield what each side ran on, a line a version."""
    for name in comparison.before.__struct_fields__:
        before, after = getattr(comparison.before, name), getattr(comparison.after, name)
        if before is None or after is None or (before == after and name == "platform"):
            continue
        said = before if before == after else f"{before} → {after}"
        yield styled(words.one_line(f"{name} {said}"), "plain" if before == after else "heading")


def _cell(lead: str, style: str, key: Key, text: str) -> Text:
    return Text.assemble(styled(lead, style), f": {cell_of(key)}: {words.one_line(text)}")


def cell_of(key: Key) -> str:
    """Return the name of a cell, in one line."""
    return place(call(key.conversion, key.to_dtype), key.direction, key.subject)


def _change(change: Change) -> str:
    return f"{about(change.about)} {change.before} → {change.after}"


def about(fact: str) -> str:
    """Return the words for the fact that changed."""
    return ABOUT.get(fact, fact.replace("_", " "))


def total(comparison: Comparison | traces.Comparison) -> str:
    """Return how many cells, or lines, changed, are gone, are new and are the same."""
    counts = {
        "changed": len(comparison.changed),
        "gone": len(comparison.gone),
        "new": len(comparison.new),
        "the same": comparison.same,
    }
    return ", ".join(f"{count} {word}" for word, count in counts.items())
