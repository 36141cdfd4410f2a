"""Two runs of a program held against each other, line by line.

What is compared is what a reader would act on: calls, copied bytes, what became of the memory, dtypes and findings. No
time is: it varies from run to run. Accepted findings are ignored. A line is matched by its file, its function,
its conversion and what it says, wherever it stands: one that merely moved is the same.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Literal

from tensorbridge_cli.diff.cells import NOTHING, FactChange, Facts
from tensorbridge_cli.diff.compare import changes
from tensorbridge_cli.records.trace import Dtypes, Finding, Outcomes, Site, Trace, TracedEnvironment

SCHEMA: Literal["tensorbridge.trace-diff/1"] = "tensorbridge.trace-diff/1"


@dataclass(frozen=True, kw_only=True)
class ChangedSite:
    """A line that both runs have, and what changed in it."""

    before: Site
    after: Site
    changes: tuple[FactChange, ...]


@dataclass(frozen=True, kw_only=True)
class TraceComparison:
    """What changed from one run to the other; ``program`` is what changed of all its lines together."""

    schema: Literal["tensorbridge.trace-diff/1"]
    before: TracedEnvironment
    after: TracedEnvironment
    program: tuple[FactChange, ...]
    changed: tuple[ChangedSite, ...]
    gone: tuple[Site, ...]
    new: tuple[Site, ...]
    new_findings: tuple[Finding, ...]
    resolved_findings: tuple[Finding, ...]
    same: int

    def differs(self, *, strict: bool = False) -> bool:
        """Return True if a line changed; ``strict``: or is gone, or new."""
        return bool(self.changed or (strict and (self.gone or self.new)))


def compare(before: Trace, after: Trace) -> TraceComparison:
    """Return what changed; lines in the order in which they were recorded."""
    names = _counterparts({site.file for site in before.sites}, {site.file for site in after.sites})
    old, new = _lines(before, {}), _lines(after, names)
    pairs = _pairs(old, new)
    paired = set(pairs.values())
    changed = [
        ChangedSite(before=line.site, after=now.site, changes=changes(line.facts, now.facts))
        for line in old
        if (now := pairs.get(line)) is not None and now.facts != line.facts
    ]
    return TraceComparison(
        schema=SCHEMA,
        before=before.environment,
        after=after.environment,
        program=changes(_program(before), _program(after)),
        changed=tuple(changed),
        gone=tuple(line.site for line in old if line not in pairs),
        new=tuple(line.site for line in new if line not in paired),
        new_findings=_not_known(after, {now.site.id: line.codes for line, now in pairs.items()}),
        resolved_findings=_not_known(before, {line.site.id: now.codes for line, now in pairs.items()}),
        same=len(pairs) - len(changed),
    )


def _not_known(trace: Trace, known: Mapping[str, Sequence[str]]) -> tuple[Finding, ...]:
    """Return the findings of ``trace`` but for the codes that are ``known`` at a site."""
    return tuple(finding for finding in _counting(trace) if finding.code not in known.get(finding.site, ()))


def _counting(trace: Trace) -> Iterator[Finding]:
    return (finding for finding in trace.findings if finding.accepted is None)


def _program(trace: Trace) -> Facts:
    return {
        "exit_code": NOTHING if trace.exit_code is None else str(trace.exit_code),
        "calls": str(trace.totals.calls),
        "copied_bytes": str(trace.totals.copied_bytes),
    }


# Lines -------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _ComparedSite:
    """A site as it is compared; ``file`` is what its file is called on both sides."""

    site: Site
    file: str
    codes: Sequence[str]

    @cached_property
    def facts(self) -> Facts:
        """What must be the same for the line to be."""
        site = self.site
        return {
            "calls": str(site.calls),
            "copied_bytes": str(site.copied_bytes),
            "outcomes": _outcomes(site.outcomes),
            "dtypes": _joined({_pair(one) for one in site.dtypes}),
            "findings": _joined(self.codes),
        }

    @cached_property
    def text(self) -> str:
        """The code that stands there, without a comment; nothing where it is unknown."""
        return re.split(r"\s#", self.site.source_line or "")[0].strip()

    @cached_property
    def words(self) -> frozenset[str]:
        """The names and numbers in the code."""
        return frozenset(re.findall(r"\w+", self.text))


def _lines(trace: Trace, names: Mapping[str, str]) -> list[_ComparedSite]:
    codes = defaultdict(list)
    for finding in _counting(trace):
        codes[finding.site].append(finding.code)
    return [_ComparedSite(site, names.get(site.file, site.file), codes[site.id]) for site in trace.sites]


def _outcomes(outcomes: Outcomes) -> str:
    """Return the one outcome, or how many calls had each."""
    by_outcome = outcomes.counts()
    if len(by_outcome) == 1:
        return next(iter(by_outcome))
    return ",".join(f"{count} {name}" for name, count in by_outcome.items())


def _pair(one: Dtypes) -> str:
    source, result = one.source or NOTHING, one.result or NOTHING
    return result if source == result else f"{source}>{result}"


def _joined(words: Iterable[str]) -> str:
    return ",".join(sorted(words)) or NOTHING


# Which line is which -----------------------------------------------------------------------------

_KNOWN_BY: tuple[Callable[[_ComparedSite], Hashable], ...] = (
    lambda line: (*_group(line), line.text, *line.facts.values()),
    lambda line: (*_group(line), line.text),
    lambda line: line.text and (line.file, line.site.conversion, line.text),  # the function has another name
    lambda line: line.text and (line.site.function, line.site.conversion, line.text),  # it is in another file
)
"""What two lines must have in common to be one, the strongest evidence first."""

_ALIKE = 0.5
"""The part of their words that an edited line and what it was must share."""


def _group(line: _ComparedSite) -> tuple[str, str, str]:
    return line.file, line.site.function, line.site.conversion


def _pairs(before: Sequence[_ComparedSite], after: Sequence[_ComparedSite]) -> dict[_ComparedSite, _ComparedSite]:
    """Return for each line of ``before`` that ``after`` has the line that it is there; several alike in their order."""
    old, new = sorted(before, key=_place), sorted(after, key=_place)
    pairs: dict[_ComparedSite, _ComparedSite] = {}
    for key in _KNOWN_BY:
        waiting: dict[Hashable, deque[_ComparedSite]] = defaultdict(deque)
        for line in new:
            waiting[key(line)].append(line)
        for line in old:
            if key(line) and waiting[key(line)]:
                pairs[line] = waiting[key(line)].popleft()
        old, new = _without(old, pairs), _without(new, pairs.values())
    return pairs | _edited(old, new)


def _edited(before: Sequence[_ComparedSite], after: Sequence[_ComparedSite]) -> dict[_ComparedSite, _ComparedSite]:
    """Return for each line of ``before`` the line of ``after`` that it was edited to, those most alike first."""
    groups = defaultdict(list)
    for line in after:
        groups[_group(line)].append(line)
    alike = [(_alike(line, now), line, now) for line in before for now in groups[_group(line)]]
    pairs: dict[_ComparedSite, _ComparedSite] = {}
    for share, line, now in sorted(alike, key=lambda match: -match[0]):
        if share >= _ALIKE and line not in pairs and now not in pairs.values():
            pairs[line] = now
    return pairs


def _alike(one: _ComparedSite, other: _ComparedSite) -> float:
    return len(one.words & other.words) / max(len(one.words | other.words), 1)


def _without(lines: Iterable[_ComparedSite], paired: Collection[_ComparedSite]) -> list[_ComparedSite]:
    excluded = set(paired)
    return [line for line in lines if line not in excluded]


def _place(line: _ComparedSite) -> tuple[int, int]:
    return line.site.line, line.site.column or 0


def _counterparts(before: Iterable[str], after: Iterable[str]) -> dict[str, str]:
    """Return for files of ``after`` the file of ``before`` that each is, though a checkout may lie in another folder.

    It is the one whose path ends alike for the longest; of several, the one that moved as most other files did.
    """
    ends = {(one, other): end for one in sorted(before) for other in sorted(after) if (end := _end(one, other))}
    moves = {(one, other): (one[: -len(end)], other[: -len(end)]) for (one, other), end in ends.items()}
    often = Counter(moves.values())
    counterparts: dict[str, str] = {}
    for one, other in sorted(ends, key=lambda files: (-len(_names(ends[files])), -often[moves[files]])):
        if other not in counterparts and one not in counterparts.values():
            counterparts[other] = one
    return counterparts


def _end(one: str, other: str) -> str:
    """Return the names in which both paths end, a slash apart."""
    pairs = zip(reversed(_names(one)), reversed(_names(other)), strict=False)
    alike = [name for name, _ in takewhile(lambda names: names[0] == names[1], pairs)]
    return "/".join(reversed(alike))


def _names(path: str) -> list[str]:
    return re.split(r"[/\\]", path)
