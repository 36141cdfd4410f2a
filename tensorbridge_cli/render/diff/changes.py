"""What changed between two records as text: one paragraph for each way in which cells changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from tensorbridge_cli.records.words import amount
from tensorbridge_cli.render import View
from tensorbridge_cli.render.diff import ways
from tensorbridge_cli.render.report.findings import call, place
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.text.layout import fold, hang, styled, to_string

if TYPE_CHECKING:
    from tensorbridge_cli.diff import traces
    from tensorbridge_cli.diff.cells import Comparison, Group, Key, Way


def changes(comparison: Comparison, view: View) -> str:
    """Return ``comparison`` as text for a terminal or a pipe."""
    return to_string(lines(comparison, view.width, everything=view.everything), colour=view.colour)


def lines(comparison: Comparison, width: int | None, *, everything: bool = False) -> Iterator[Text]:
    """Yield the lines of ``comparison``, each of at most ``width`` columns; ``everything``: and every cell."""
    for line in heading(comparison):
        yield from fold(line, width)
    yield Text()
    for kind, heading_ in ways.HEADINGS.items():
        if some := [way for way in comparison.ways if way.kind == kind]:
            yield from _paragraphs(heading_, [(ways.headline(way), ways.groups(_shown(way))) for way in some], width)
    for title, arrivals in (("gone", comparison.gone_for), ("new", comparison.new_for)):
        if arrivals:
            yield from _paragraphs(title, ways.arrivals(arrivals), width)
    if everything:
        yield from _cells(comparison, width)
    yield Text(total(comparison))


def _shown(way: Way) -> tuple[Group, ...]:
    """Return the groups of ``way`` to list: none if only the type of an exception changed."""
    return () if way.kind == "exception" else way.groups


def _paragraphs(title: str, several: Iterable[tuple[str, Iterable[str]]], width: int | None) -> Iterator[Text]:
    yield styled(title, _STYLES.get(title, "heading"))
    for headline, below in several:
        yield from _indented(headline, "  ", width)
        for line in below:
            yield from _indented(line, "    ", width)
    yield Text()


_STYLES = {"worse": "warning", "better": "shared", "gone": "warning", "new": "shared"}


def _indented(line: str, indent: str, width: int | None) -> Iterator[Text]:
    room = None if width is None else width - len(indent)
    for folded in hang(Text(words.one_line(line)), room):
        yield Text(indent) + folded


def _cells(comparison: Comparison, width: int | None) -> Iterator[Text]:
    """Yield every cell that changed, that is gone and that is new, and an empty line."""
    for changed in comparison.changed:
        yield from hang(_cell("changed", "changed", changed.cell, "; ".join(map(ways.change, changed.changes))), width)
    for lead, style, alone in (("gone", "warning", comparison.gone), ("new", "shared", comparison.new)):
        for entry in alone:
            why = f"{entry.outcome} ({entry.reason})" if entry.reason else entry.outcome
            yield from hang(_cell(lead, style, entry.cell, why), width)
    if comparison.changed or comparison.gone or comparison.new:
        yield Text()


def heading(comparison: Comparison) -> Iterator[Text]:
    """Yield a line for each version of each side, and for each difference between their sources."""
    yield from versions(comparison)
    for change in comparison.subjects:
        yield styled(words.one_line(ways.change(change)), "heading")


def versions(comparison: Comparison | traces.TraceComparison) -> Iterator[Text]:
    """Yield a line for each version of each side."""
    for name in comparison.before.__dataclass_fields__:
        before, after = getattr(comparison.before, name), getattr(comparison.after, name)
        if before == after and (before is None or name in ("platform", "recorder")):
            continue
        if name == "platform" and None in (before, after):  # a snapshot does not tell it
            continue
        change_text = before if before == after else f"{before or 'none'} → {after or 'none'}"
        yield styled(words.one_line(f"{name} {change_text}"), "plain" if before == after else "heading")


def _cell(lead: str, style: str, key: Key, text: str) -> Text:
    return Text.assemble(styled(lead, style), f": {cell_of(key)}: {words.one_line(text)}")


def cell_of(key: Key) -> str:
    """Return the name of a cell, in one line."""
    return place(call(key.conversion, key.to_dtype), key.direction, key.subject)


def total(comparison: Comparison | traces.TraceComparison) -> str:
    """Return how many cells, or lines, changed, are gone, are new and are the same."""
    changed = len(comparison.changed)
    several = getattr(comparison, "ways", ())
    how = f" in {amount(len(several), 'way')}" if several else ""
    counts = {
        f"changed{how}": changed,
        "gone": len(comparison.gone),
        "new": len(comparison.new),
        "the same": comparison.same,
    }
    return ", ".join(f"{count:,} {word}" for word, count in counts.items())
