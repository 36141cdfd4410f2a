"""What changed between two runs of a program, for a reader: each line with its code, then what was found or is gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.text import Text

from tensorbridge_cli.records.trace import Finding, Site
from tensorbridge_cli.records.words import amount
from tensorbridge_cli.render import View
from tensorbridge_cli.render.diff import changes, ways
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.text.layout import fold, hang, styled, to_string
from tensorbridge_cli.render.trace import traces

if TYPE_CHECKING:
    from tensorbridge_cli.diff.cells import FactChange
    from tensorbridge_cli.diff.traces import TraceComparison


def trace_changes(comparison: TraceComparison, view: View) -> str:
    """Return ``comparison`` as text for a terminal or a pipe."""
    return to_string(lines(comparison, view.width), colour=view.colour)


def lines(comparison: TraceComparison, width: int | None) -> Iterator[Text]:
    """Yield the lines of ``comparison``, each of at most ``width`` columns."""
    for line in heading(comparison):
        yield from fold(line, width)
    yield Text()
    where = places(comparison)
    for changed in comparison.changed:
        before, after = changed.before, changed.after
        phrases = "; ".join(map(phrase, changed.changes))
        yield from hang(_line("changed", "changed", after, f"{where[after]}{_was(before, after)}", phrases), width)
        if before.source_line == after.source_line:
            yield from traces.code(after, width)
        else:
            yield from traces.code(before, width, "  - ")
            yield from traces.code(after, width, "  + ")
    for lead, style, sites in (("gone", "warning", comparison.gone), ("new", "shared", comparison.new)):
        for site in sites:
            yield from hang(_line(lead, style, site, where[site], counts(site)), width)
            yield from traces.code(site, width)
    if comparison.changed or comparison.gone or comparison.new:
        yield Text()
    for lead, finding, site in finding_changes(comparison):
        yield from hang(Text.assemble(styled(lead, "heading"), ": ", traces.finding_text(finding, where[site])), width)
        yield from traces.instead(finding, width)
    if comparison.new_findings or comparison.resolved_findings:
        yield Text()
    yield from hang(Text(total(comparison)), width)


def heading(comparison: TraceComparison) -> Iterator[Text]:
    """Yield a line for each version of each side, and for each change of the program as a whole."""
    yield from changes.versions(comparison)
    for change in comparison.program:
        yield styled(words.one_line(phrase(change)), "heading")


NEW, RESOLVED = "new finding", "resolved finding"


def finding_changes(comparison: TraceComparison) -> Iterator[tuple[str, Finding, Site]]:
    """Yield the findings that are ``NEW`` and those that are ``RESOLVED``, for which nothing is to be done, by line."""
    now = {changed.after.id: changed.after for changed in comparison.changed}
    then = {changed.before.id: changed.after for changed in comparison.changed}
    now |= {site.id: site for site in comparison.new}
    then |= {site.id: site for site in comparison.gone}
    for finding in comparison.new_findings:
        yield NEW, finding, now[finding.site]
    for finding in comparison.resolved_findings:
        yield RESOLVED, replace(finding, remedy=None), then[finding.site]


def places(comparison: TraceComparison) -> dict[Site, str]:
    """Return what each line is called, among those of its own run."""
    now = [*(changed.after for changed in comparison.changed), *comparison.new]
    return traces.places(comparison.gone) | traces.places(now)


def facts(comparison: TraceComparison) -> Iterator[tuple[str, Site, str, str, str]]:
    """Yield each fact that changed: the kind of change, the line as it is now, what it is about, before and after."""
    for changed in comparison.changed:
        for change in changed.changes:
            yield "changed", changed.after, change.about, change.before, change.after
    for site in comparison.gone:
        yield "gone", site, "calls", str(site.calls), ""
    for site in comparison.new:
        yield "new", site, "calls", "", str(site.calls)


def counts(site: Site) -> str:
    """Return what one run did at a line: ``20 calls, 1,920 bytes copied``."""
    return f"{amount(site.calls, 'call')}, {amount(site.copied_bytes, 'byte')} copied"


def phrase(change: FactChange) -> str:
    """Return ``copied bytes 1,920 → 3,840``."""
    return f"{ways.fact(change.about)} {number(change.before)} → {number(change.after)}"


def number(fact: str) -> str:
    """Return a fact for a reader: a number with its thousands apart."""
    return f"{int(fact):,}" if fact.isdecimal() else fact


def total(comparison: TraceComparison) -> str:
    """Return how many lines changed, are gone, are new and are the same, and how many findings."""
    new, resolved = len(comparison.new_findings), len(comparison.resolved_findings)
    return f"{changes.total(comparison)}; {amount(new, 'new finding')}, {resolved} resolved"


def _line(lead: str, style: str, site: Site, place: str, text: str) -> Text:
    return Text.assemble(styled(lead, style), words.one_line(f": {place} {site.conversion}: {text}"))


def _was(before: Site, after: Site) -> str:
    """Say where a line stood that moved; that the checkout lies in another folder is not a move."""
    old, new = (re.split(r"[/\\]", site.file)[-1] for site in (before, after))
    if old != new:
        return f" (was {old}:{before.line})"
    return f" (was {before.line})" if before.line != after.line else ""
