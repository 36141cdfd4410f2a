"""A trace for a reader: a line of code and a line of numbers a site, then what was found, and what was not seen."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from rich.text import Text

from tensorbridge_cli.render import View, words
from tensorbridge_cli.render.layout import AT_CODE, GAP, columns, fold, hang, styled, to_string
from tensorbridge_cli.traced import Dtypes, Finding, Outcomes, Site, Trace

HEADERS = ("Line", "Conversion", "Calls", "Bytes", "Copied", "Memory", "Dtype", "Time")
_LEAST = (12, 17, 5, 6, 6, 11, 9, 6)
"""The columns that each column needs; what is longer is folded."""
_NUMBERS = {2, 3, 4, 7}
_FIRST_TO_GO = (3, 7, 6, 2)
"""Bytes, time, dtype, calls: what a narrow terminal is not shown."""
_SHOWN = 40
"""Sites that a terminal is shown; the other formats have all."""
_NARROWEST = 40
_UNITS = ("B", "kB", "MB", "GB", "TB")


def trace(found: Trace, view: View) -> str:
    """Return ``found`` as text for a terminal or a pipe."""
    return to_string(lines(found, view), colour=view.colour)


def lines(found: Trace, view: View) -> Iterator[Text]:
    """Yield the lines of ``found``, of at most the width of ``view``."""
    width = None if view.width is None else max(view.width, _NARROWEST)
    if found.sites:
        yield from _table(found.sites if width is None else found.sites[:_SHOWN], width, rule=view.box)
        left = len(found.sites) - _SHOWN
        if width is not None and left > 0:
            yield Text(f"and {left} more line{'s' * (left != 1)}: the other formats have all")
        yield Text()
    sites = {site.id: site for site in found.sites}
    for finding in found.findings:
        yield from hang(told(finding, sites[finding.site]), width)
        yield from instead(finding, width)
    for unused in found.unused:
        comment = f"{path(unused.file)}:{unused.line}: accepts nothing: {unused.reason}"
        yield from hang(Text.assemble(styled("unused", "warning"), f": {words.one_line(comment)}"), width)
    if found.findings or found.unused:
        yield Text()
    if len(found.processes) > 1:
        shares = ", ".join(f"{process.name} {process.calls:,}" for process in found.processes)
        yield from hang(Text(words.one_line(f"calls by process: {shares}")), width)
    for process in found.processes:
        if not process.ended:
            made = f"it made at least {process.calls:,} call{'s' * (process.calls != 1)}"
            ended = f"{process.name} ended without a word: {made if process.calls else 'its calls are not known'}"
            yield from hang(Text(words.one_line(ended)), width)
    yield from hang(Text(total(found)), width)
    if found.not_intercepted:
        unseen = "; ".join(_few(one.what) for one in found.not_intercepted)
        yield from hang(Text(words.one_line(f"not seen: {unseen}")), width)


def _few(what: str) -> str:
    names = what.split(", ")
    return what if len(names) < 5 else f"{', '.join(names[:2])} and {len(names) - 2} more"


def _table(sites: Sequence[Site], width: int | None, *, rule: bool) -> Iterator[Text]:
    shown = _fitting(width)
    rows = [[row[nth] for nth in shown] for row in map(cells, sites)]
    headers = [HEADERS[nth] for nth in shown]
    natural = [max(len(header), *(row[nth].cell_len for row in rows)) for nth, header in enumerate(headers)]
    widths = _squeezed(natural, [_LEAST[nth] for nth in shown], width)

    def line(texts: Sequence[list[Text]]) -> list[Text]:
        aligned = [
            [_to_the_right(text, room) if nth in _NUMBERS else text for text in lines_]
            for nth, lines_, room in zip(shown, texts, widths, strict=True)
        ]
        return columns(aligned, widths)

    yield from line([[styled(header, "heading")] for header in headers])
    if rule:
        yield styled("─" * _total(widths))
    for site, row in zip(sites, rows, strict=True):
        yield from line([fold(cell, room, AT_CODE) for cell, room in zip(row, widths, strict=True)])
        if site.source_line is not None:
            yield from code(site.source_line.strip(), width)


def code(line: str, width: int | None, lead: str = "  ") -> Iterator[Text]:
    """Yield a line of code behind ``lead``, cut off where it is longer than ``width``."""
    text = words.one_line(line)
    room = None if width is None else width - len(lead)
    if room is not None and len(text) > room:
        text = text[: room - 1] + "…"
    yield Text.assemble(lead, styled(text, "dim"))


def _fitting(width: int | None) -> list[int]:
    """Return the columns that there is room for; the others are in every other format."""
    shown = list(range(len(HEADERS)))
    for column in _FIRST_TO_GO:
        if width is None or _total([_LEAST[nth] for nth in shown]) <= width:
            break
        shown.remove(column)
    return shown


def _squeezed(natural: list[int], least: list[int], width: int | None) -> list[int]:
    widths = list(natural)
    while width is not None and _total(widths) > width:
        spare = [have - need for have, need in zip(widths, least, strict=True)]
        if max(spare) <= 0:
            break
        widths[spare.index(max(spare))] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _to_the_right(text: Text, room: int) -> Text:
    return Text.assemble(" " * (room - text.cell_len), text)


def cells(site: Site) -> list[Text]:
    """Return the texts of a site's line, by column."""
    return [
        styled(words.one_line(place(site))),
        styled(words.one_line(site.conversion)),
        styled(f"{site.calls:,}"),
        styled(size(site.bytes)),
        styled(size(site.copied_bytes), "copied" if site.copied_bytes else "plain"),
        _memory(site.outcomes),
        styled(words.one_line(dtypes(site.dtypes))),
        styled(seconds(site.seconds)),
    ]


def _memory(outcomes: Outcomes) -> Text:
    found = [(name, count) for name in outcomes.__struct_fields__ if (count := getattr(outcomes, name))]
    if len(found) == 1:
        return styled(found[0][0], found[0][0])
    return Text(", ").join(styled(f"{count:,} {name}", name) for name, count in found)


def dtypes(found: Sequence[Dtypes]) -> str:
    """Return ``float64 → float32``, or what there is of several."""
    pairs = list(dict.fromkeys(_pair(one) for one in found))
    return ", ".join(pairs[:2]) + (", …" if len(pairs) > 2 else "")


def _pair(one: Dtypes) -> str:
    if one.source is None or one.source == one.result:
        return one.result or "–"
    return f"{one.source} → {one.result or '–'}"


def told(finding: Finding, site: Site) -> Text:
    """Return what was found, at which line."""
    style = "hazard" if finding.certainty == "certain" else "warning"
    certainty = "" if finding.certainty == "certain" else " (possible)"
    accepted = f" (accepted: {finding.accepted})" if finding.accepted is not None else ""
    return Text.assemble(
        styled(words.one_line(place(site)), "heading"),
        ": ",
        styled(words.one_line(f"{finding.code}{certainty}"), style),
        f": {words.one_line(finding.detail + accepted)}",
    )


def instead(finding: Finding, width: int | None) -> Iterator[Text]:
    """Yield the lines that say what to write instead of what no line accepts."""
    if finding.remedy is not None and finding.accepted is None:
        yield from hang(Text.assemble("  instead: ", styled(words.one_line(finding.remedy), "remedy")), width, "    ")


def total(found: Trace) -> str:
    """Return what all lines together did."""
    sums = found.totals
    counts = ", ".join(
        f"{getattr(sums.outcomes, name):,} {name}"
        for name in sums.outcomes.__struct_fields__
        if getattr(sums.outcomes, name)
    )
    if not sums.calls:
        return f"no conversion was seen {versions(found)}"
    lines_ = f"{sums.sites} line{'s' * (sums.sites != 1)}"
    calls = f"{sums.calls:,} call{'s' * (sums.calls != 1)}"
    copied = f"{size(sums.copied_bytes)} copied in {seconds(sums.seconds)}"
    return f"{calls} in {lines_}: {counts}; {copied} {versions(found)}"


def versions(found: Trace) -> str:
    """Return ``(numpy 2.4.6, torch 2.13.0)``, or what was imported of them."""
    there = [(name, getattr(found.environment, name)) for name in ("numpy", "torch")]
    told = ", ".join(f"{name} {version}" for name, version in there if version) or "neither numpy nor torch imported"
    return words.one_line(f"({told})")


def path(file: str) -> str:
    """Return a file's path from the current folder, where it is in it."""
    here = os.getcwd() + os.sep
    return file.removeprefix(here)


def place(site: Site) -> str:
    """Return ``train.py:12``."""
    return f"{path(site.file)}:{site.line}"


def size(nbytes: int) -> str:
    """Return ``4.8 MB``: three digits, powers of a thousand."""
    amount, unit = float(nbytes), 0
    while amount >= 999.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.{0 if unit == 0 or amount >= 99.95 else 1}f} {_UNITS[unit]}"


def seconds(amount: float) -> str:
    """Return ``1.2 ms``."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if amount >= scale:
            return f"{amount / scale:.{1 if amount < 10 * scale else 0}f} {unit}"
    return f"{amount / 1e-6:.0f} µs"
