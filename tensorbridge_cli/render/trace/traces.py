"""A trace as text: a line of numbers and a line of code for each site, then the findings, and what was not recorded."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from rich.cells import cell_len, chop_cells
from rich.text import Text

from tensorbridge_cli.records.trace import Dtypes, Finding, Outcomes, Process, Site, Trace, Unused, distinct_names
from tensorbridge_cli.records.words import amount, listed
from tensorbridge_cli.render import View
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.text.layout import AT_CODE, columns, fold, hang, styled, to_string, total_width, width_of

HEADERS = ("Line", "Conversion", "Calls", "Bytes", "Copied", "Memory", "Dtype", "Time")
_LEAST = (12, 17, 5, 6, 6, 11, 9, 6)
"""The columns that each column needs; what is longer is folded."""
_NUMBERS = {2, 3, 4, 7}
_FIRST_TO_GO = (3, 7, 6, 2)
"""Bytes, time, dtype, calls: what a narrow terminal is not shown."""
_ALONE = 2
"""Killed processes that have a line of their own each."""
_SHOWN = 20
"""Sites that a terminal is shown, and more only where more have a finding; the other formats have all."""
_WORTH_A_LOOK = 1_000_000
"""Bytes that a library copies in a line of the program's, from which on the line is shown."""
_UNITS = ("B", "kB", "MB", "GB", "TB")
_AT_FOLDERS = re.compile(r":[^:/\\]*|[^:/\\]*[/\\]*")
"""The pieces of a place: its folders, its file, and each number behind a colon."""
_LIBRARY = re.compile(
    r".*[/\\](?:site|dist)-packages[/\\]|.*?[/\\](?:lib(?:64)?[/\\]python3\.\d+t?|Python3\d+t?[/\\]Lib)[/\\]"
)
"""The folders that packages and the standard library are installed in, on any machine."""


def trace(traced: Trace, view: View) -> str:
    """Return ``traced`` as text for a terminal or a pipe."""
    return to_string(lines(traced, view), colour=view.colour)


def lines(traced: Trace, view: View) -> Iterator[Text]:
    """Yield the lines of ``traced``, of at most the width of ``view``."""
    width = width_of(view)
    where = places(traced.sites)
    if traced.sites:
        yield from _site_lines(traced, where, view, width)
        yield Text()
    if traced.findings or traced.unused:
        yield from _finding_lines(traced, where, width)
        yield Text()
    yield from _process_lines(traced, width)
    yield from hang(Text(total(traced)), width)
    yield from (line for text in unseen(traced) for line in hang(Text(text), width))


def _site_lines(traced: Trace, where: Mapping[Site, str], view: View, width: int | None) -> Iterator[Text]:
    """Yield the table of the sites that are shown, and how many are left out."""
    dangers = {finding.site for finding in traced.findings}
    own = [site for site in traced.sites if view.everything or counts(site, dangers)]
    shown, left = _most_telling(own, dangers, None if width is None else _SHOWN)
    if shown:
        yield from _table(shown, where, width, rule=view.box)
    if left:
        yield from hang(Text(f"and {_more(left)} (other formats list all)"), width)
    if len(own) < len(traced.sites):
        yield from hang(Text(of_libraries([site for site in traced.sites if site not in own])), width)


def _finding_lines(traced: Trace, where: Mapping[Site, str], width: int | None) -> Iterator[Text]:
    """Yield the findings, each with what to write instead, and the comments that accept none."""
    sites = {site.id: site for site in traced.sites}
    for finding in traced.findings:
        yield from hang(finding_text(finding, where[sites[finding.site]]), width)
        yield from instead(finding, width)
    for unused in traced.unused:
        why = words.one_line(accepts_nothing(unused))
        yield from hang(Text.assemble(styled("unused", "warning"), f": {why}"), width)


def _process_lines(traced: Trace, width: int | None) -> Iterator[Text]:
    """Yield the calls of each process if there are several, and what was lost of them."""
    if len(traced.processes) > 1:
        shares = ", ".join(f"{process.name} {process.calls:,}" for process in traced.processes)
        yield from hang(Text(words.one_line(f"calls by process: {shares}")), width)
    for process in traced.processes:
        if process.unhooked:
            yield from hang(styled(words.one_line(not_hooked(process)), "warning"), width)
    for sentence in _killed(traced):
        yield from hang(Text(words.one_line(sentence)), width)


def not_hooked(process: Process) -> str:
    """Return which libraries a process loaded without the hooks."""
    return (
        f"{process.name} loaded {' and '.join(process.unhooked)} in a way that cannot be traced: "
        "its conversions were not recorded"
    )


def _killed(traced: Trace) -> Iterator[str]:
    """Yield a sentence for each process that was killed; one for all where they are many, as those of a pool are.

    The program itself is waited for: if no signal ended it, it could not write its counts, e.g. for lack of
    descriptors. A process that it started may run on after it, as a daemon does.
    """
    killed = [process for process in traced.processes if not process.ended]
    main = "was killed" if traced.exit_code is None or traced.exit_code < 0 else "ended without saving its counts"
    if len(killed) > _ALONE:
        calls = amount(sum(process.calls for process in killed), "call")
        names = f"{len(killed)} processes ({killed[0].name} first)"
        yield f"{names} were killed, or had not ended: they made at least {calls}"
        return
    for process in killed:
        made_at_least = (
            f"it made at least {amount(process.calls, 'call')}" if process.calls else "its calls were not recorded"
        )
        happened = main if process.name == "main" else "was killed, or had not ended"
        yield f"{process.name} {happened}: {made_at_least}"


def counts(site: Site, dangers: Collection[str]) -> bool:
    """Return True if ``site`` is shown without --all: the program's own line, a finding, or a large copy."""
    return site.own or site.id in dangers or site.copied_bytes >= _WORTH_A_LOOK


def of_libraries(sites: Sequence[Site]) -> str:
    """Return the sums of the lines in which only libraries convert."""
    calls, copied = sum(site.calls for site in sites), sum(site.copied_bytes for site in sites)
    where = amount(len(sites), "more line")
    return f"{amount(calls, 'call')} in {where} of libraries, {size(copied)} copied; use --all to show them"


def unseen(traced: Trace) -> list[str]:
    """Return a sentence on the conversions that this program made, or may have made, unrecorded."""
    few = [_few(one.what) for one in traced.not_intercepted if one.concerns]
    return [words.one_line(f"not recorded: {'; '.join(few)}")] if few else []


def _few(what: str) -> str:
    names = what.split(", ")
    return what if len(names) < 5 else listed(names, 2)


def _most_telling(
    sites: Sequence[Site], dangers: Collection[str], most: int | None
) -> tuple[Sequence[Site], Sequence[Site]]:
    """Return the sites that there is room for, all that have a finding (``dangers``) among them, and the others."""
    if most is None or len(sites) <= most:
        return sites, ()

    def idle(site: Site) -> bool:
        return not (site.copied_bytes or site.hazards or site.id in dangers)

    first = sorted(sites, key=lambda site: (site.id not in dangers, idle(site)))
    shown = set(first[: max(most, len(dangers))])
    return sorted((site for site in sites if site in shown), key=idle), [site for site in sites if site not in shown]


def _more(left: Sequence[Site]) -> str:
    lines_ = amount(len(left), "more line")
    only_share = all(site.outcomes.shared == site.calls for site in left)
    return f"{lines_} that only share{'s' * (len(left) == 1)} memory" if only_share else lines_


def _table(sites: Sequence[Site], where: Mapping[Site, str], width: int | None, *, rule: bool) -> Iterator[Text]:
    shown = _fitting(width)
    rows = [[cells(site, where[site])[nth] for nth in shown] for site in sites]
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
        yield styled("─" * total_width(widths))
    for site, row in zip(sites, rows, strict=True):
        first, *others = zip(row, widths, strict=True)
        yield from line([fold(*first, _AT_FOLDERS), *(fold(cell, room, AT_CODE) for cell, room in others)])
        yield from code(site, width)


def code(site: Site, width: int | None, lead: str = "  ") -> Iterator[Text]:
    """Yield the code of a site behind ``lead``, cut off where it is longer than ``width``, and where it was made in."""
    text = words.one_line(site.source_line or "")
    within = f"({words.one_line(made_in(site))})" if site.via else ""
    room = None if width is None else width - len(lead)
    if room is not None and cell_len(text) > room:
        text = chop_cells(text, room - 1)[0] + "…"
    line = "  ".join(filter(None, (text, within)))
    if room is None or cell_len(line) <= room:
        if line:
            yield Text.assemble(lead, styled(line, "dim"))
        return
    if text:
        yield Text.assemble(lead, styled(text, "dim"))
    if within:
        yield from (Text(" " * len(lead)) + part for part in fold(styled(within, "dim"), room))


def code_and_library(site: Site) -> str:
    """Return ``model.learn(n)  (in stable_baselines3/common/buffers.py:139)`` in one line, however long."""
    return "".join(line.plain for line in code(site, None, ""))


def made_in(site: Site) -> str:
    """Return ``in numpy/lib/format.py:845 and 2 more``: the libraries' lines that converted for this one, if any."""
    more = f" and {len(site.via) - 1} more" if len(site.via) > 1 else ""
    return f"in {path(_LIBRARY.sub('', site.via[0], count=1))}{more}" if site.via else ""


def _fitting(width: int | None) -> list[int]:
    """Return the columns that there is room for; the others are in every other format."""
    shown = list(range(len(HEADERS)))
    for column in _FIRST_TO_GO:
        if width is None or total_width([_LEAST[nth] for nth in shown]) <= width:
            break
        shown.remove(column)
    return shown


def _squeezed(natural: list[int], least: list[int], width: int | None) -> list[int]:
    widths = list(natural)
    while width is not None and total_width(widths) > width:
        spare = [have - need for have, need in zip(widths, least, strict=True)]
        if max(spare) <= 0:
            break
        widths[spare.index(max(spare))] -= 1
    return widths


def _to_the_right(text: Text, room: int) -> Text:
    return Text.assemble(" " * (room - text.cell_len), text)


def cells(site: Site, place: str) -> list[Text]:
    """Return the texts of a site's line, by column; ``place`` is what it is called."""
    return [
        styled(words.one_line(place)),
        styled(words.one_line(site.conversion)),
        styled(f"{site.calls:,}"),
        styled(size(site.bytes)),
        styled(size(site.copied_bytes), "copied" if site.copied_bytes else "plain"),
        _memory(site.outcomes),
        styled(words.one_line(dtypes(site.dtypes))),
        styled(seconds(site.seconds)),
    ]


def _memory(outcomes: Outcomes) -> Text:
    counts = outcomes.counts()
    if len(counts) == 1:
        (name,) = counts
        return styled(name, name)
    return Text(", ").join(styled(f"{count:,} {name}", name) for name, count in counts.items())


def dtypes(counted: Sequence[Dtypes]) -> str:
    """Return ``float64 → float32``, or what there is of several."""
    pairs = list(dict.fromkeys(_pair(one) for one in counted))
    return ", ".join(pairs[:2]) + (", …" if len(pairs) > 2 else "")


def _pair(one: Dtypes) -> str:
    if one.source is None or one.source == one.result:
        return one.result or "–"
    return f"{one.source} → {one.result or '–'}"


def finding_text(finding: Finding, place: str) -> Text:
    """Return a finding with its line."""
    style = "hazard" if finding.certainty == "certain" else "warning"
    certainty = "" if finding.certainty == "certain" else " (possible)"
    accepted = f" (accepted: {finding.accepted})" if finding.accepted is not None else ""
    return Text.assemble(
        styled(words.one_line(place), "heading"),
        ": ",
        styled(words.one_line(f"{finding.code}{certainty}"), style),
        f": {words.one_line(finding.detail + accepted)}",
    )


def instead(finding: Finding, width: int | None) -> Iterator[Text]:
    """Yield the lines that say what to write instead of what no line accepts."""
    if finding.remedy is not None and finding.accepted is None:
        yield from hang(Text.assemble("  instead: ", styled(words.one_line(finding.remedy), "remedy")), width, "    ")


def total(traced: Trace) -> str:
    """Return the sums of all lines."""
    sums = traced.totals
    counts = ", ".join(f"{count:,} {name}" for name, count in sums.outcomes.counts().items())
    if not sums.calls:
        return f"no conversions recorded {versions(traced)}"
    calls = f"{amount(sums.calls, 'call')} in {amount(sums.sites, 'line')}"
    copied = f"{size(sums.copied_bytes)} copied in {seconds(sums.seconds)}"
    return f"{calls}: {counts}; {copied} {versions(traced)}"


def versions(traced: Trace) -> str:
    """Return ``(numpy 2.4.6, torch 2.13.0)``, or what was imported of them."""
    imported = [(name, getattr(traced.environment, name)) for name in ("numpy", "torch")]
    none = "neither numpy nor torch was imported"
    if not traced.processes or not all(process.ended for process in traced.processes):
        none = "its imports were not recorded"
    text = ", ".join(f"{name} {version}" for name, version in imported if version) or none
    return words.one_line(f"({text})")


def path(file: str) -> str:
    """Return a file's path from the current folder, where it is in it."""
    try:
        return file.removeprefix(os.getcwd() + os.sep)
    except OSError:  # that folder is gone
        return file


def places(sites: Iterable[Site]) -> dict[Site, str]:
    """Return ``train.py:12`` for each of ``sites``, ``train.py:12:5`` where the line makes its conversion twice.

    Calls that begin together, as those of ``t.clone().clone()``, are told apart by the column that they end in, too.
    """

    def line(site: Site) -> str:
        return f"{path(site.file)}:{site.line}"

    def column(site: Site) -> str:
        return line(site) if site.column is None else f"{line(site)}:{_characters(site, site.column) + 1}"

    def columns_(site: Site) -> str:
        if site.end_column is None:
            return column(site)
        if site.end_line != site.line:
            return f"{column(site)}-{site.end_line}:{site.end_column}"
        return f"{column(site)}-{_characters(site, site.end_column)}"

    return distinct_names(sites, lambda site: site.conversion, line, column, columns_)


def _characters(site: Site, nbytes: int) -> int:
    """Return how many characters the first bytes of a site's line are."""
    line = (site.source_line or "").encode(errors="replace")
    return len(line[:nbytes].decode(errors="replace")) + max(nbytes - len(line), 0)


def accepts_nothing(unused: Unused) -> str:
    """Say where a comment stands that does not accept what it should, and why it does not."""
    reason = f": {unused.reason}" if unused.reason else ""
    if unused.problem:
        return f"{path(unused.file)}:{unused.line}: {unused.problem}{reason}"
    # a trace that was saved before problems were named
    return f"{path(unused.file)}:{unused.line}: {'accepts nothing' if reason else 'gives no reason'}{reason}"


def size(nbytes: int) -> str:
    """Return ``4.8 MB``: three digits, powers of a thousand."""
    number, unit = float(nbytes), 0
    while number >= 999.5 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.{0 if unit == 0 or number >= 99.95 else 1}f} {_UNITS[unit]}"


def seconds(time: float) -> str:
    """Return ``1.2 ms``."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if time >= scale:
            return f"{time / scale:.{1 if time < 10 * scale else 0}f} {unit}"
    return f"{time / 1e-6:.0f} µs"
