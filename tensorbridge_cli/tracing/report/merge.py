"""Merge the counts of a program's processes: one site for each line and conversion, whichever process ran it."""

from __future__ import annotations

import io
import json
import linecache
import platform
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tensorbridge_cli import __version__
from tensorbridge_cli.records.trace import (
    SCHEMA,
    Dtypes,
    NotIntercepted,
    Outcomes,
    Process,
    Sample,
    Side,
    Site,
    Totals,
    Trace,
    TracedEnvironment,
    TracedWarning,
    by_line,
    distinct_names,
)
from tensorbridge_cli.tracing.inside.records import CellCounts, Counts, Note, SampleSides, SiteCounts
from tensorbridge_cli.tracing.report.not_intercepted import not_intercepted
from tensorbridge_cli.tracing.report.source import is_own, line_of


class _Key(NamedTuple):
    """What the sites of several processes have in common if they are one."""

    file: str
    line: int
    end_line: int
    column: int
    end_column: int
    function: str
    conversion: str


def read(*folders: Path) -> list[Counts]:
    """Return the counts in ``folders``, in the order in which the processes began."""
    paths = [path for folder in folders for path in folder.glob("*.jsonl")]
    parts = [counts for path in paths for counts in _last(path.read_bytes())]
    return sorted(parts, key=lambda counts: counts.process.began)


def _last(lines: bytes) -> Iterator[Counts]:
    """Yield the last of ``lines`` that is whole: a process may be killed, or a disk be full, while it writes."""
    for line in reversed(lines.splitlines()):
        with suppress(ValueError):
            if _SURROGATE in line:  # msgspec refuses one that stands alone, as a byte of a name that is not UTF-8 does
                yield msgspec.convert(_escaped(json.loads(line)), Counts)
            else:
                yield msgspec.json.decode(line, type=Counts)
            return


_SURROGATE = b"\\ud"
"""How half of a character that takes two begins in JSON."""


def _escaped(value: Any) -> Any:
    """Return ``value`` with what is not UTF-8 in its texts, as names of files may be, escaped."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    if isinstance(value, dict):
        return {_escaped(name): _escaped(item) for name, item in value.items()}
    return value


def joined(
    parts: Sequence[Counts], command: Sequence[str], exit_code: int | None, late: Sequence[int] = ()
) -> tuple[Trace, dict[str, Notes]]:
    """Return the trace of ``parts``, without findings, and what was noted at each of its sites.

    ``late`` are the ranks that had not ended when it was told.
    """
    linecache.checkcache()  # a file may have been edited since another trace of this process
    if command[:1] == ("-c",):  # its lines are in no file, and end as Python ends them
        lines = io.StringIO(command[1], newline=None).readlines()
        linecache.cache["<string>"] = (len(command[1]), None, lines, "<string>")
    names = _names(parts)
    groups: dict[_Key, list[tuple[str, SiteCounts]]] = defaultdict(list)
    for part, name in zip(parts, names, strict=True):
        for counts in part.sites:
            key = _Key(counts.file, *counts.span, counts.function, counts.conversion)
            if any(cell.calls for cell in counts.cells):
                groups[key].append((name, counts))
    sites = []
    notes: dict[str, Notes] = {}
    ids = _ids(groups)
    for key, counted in groups.items():
        site = _site(ids[key], key, counted)
        site = replace(site, own=is_own(site), source_line=line_of(site))
        sites.append(site)
        notes[site.id] = _notes(part for _, part in counted)
    trace = Trace(
        schema=SCHEMA,
        environment=_environment(parts),
        command=tuple(map(_escaped, command)),
        exit_code=exit_code,
        processes=tuple(_process(part, name) for part, name in zip(parts, names, strict=True)),
        sites=tuple(sorted(sites, key=lambda site: (-site.copied_bytes, by_line(site)))),
        findings=(),
        not_intercepted=(
            *not_intercepted(parts, command, sites),
            *(NotIntercepted(what=f"rank {n}", why="it exited too late") for n in late),
        ),
        totals=totals(sites),
    )
    return trace, notes


@dataclass(frozen=True)
class Notes:
    """The notes of a site, by code: their counts and further lines added up, and the facts of the first."""

    codes: dict[str, Note]
    inspected: int
    """Calls that were looked at closely."""

    def count(self, code: str) -> int:
        """Return how often ``code`` was noticed."""
        return self.codes[code].count if code in self.codes else 0


def totals(sites: Sequence[Site]) -> Totals:
    """Add up ``sites``."""
    return Totals(
        sites=len(sites),
        calls=sum(site.calls for site in sites),
        bytes=sum(site.bytes for site in sites),
        copied_bytes=sum(site.copied_bytes for site in sites),
        outcomes=_added(site.outcomes for site in sites),
        seconds=sum(site.seconds for site in sites),
    )


def _added(outcomes: Iterable[Outcomes]) -> Outcomes:
    sums: Counter[str] = Counter()
    for counted in outcomes:
        sums.update(counted.counts())
    return Outcomes(**sums)


def _ids(keys: Iterable[_Key]) -> dict[_Key, str]:
    """Name each site by where it begins, ``t.clone().clone()`` also by where it ends; no two the same."""

    def begins(key: _Key) -> str:
        return f"{key.file}:{key.line}:{max(key.column, 0)} {key.conversion}"

    def ends(key: _Key) -> str:
        return f"{key.file}:{key.line}:{max(key.column, 0)}-{key.end_line}:{key.end_column} {key.conversion}"

    return distinct_names(keys, lambda key: None, begins, ends, lambda key: f"{ends(key)} in {key.function}")


def _site(name: str, key: _Key, counted: list[tuple[str, SiteCounts]]) -> Site:
    cells = [cell for _, part in counted for cell in part.cells]
    outcomes: Counter[str] = Counter()
    dtypes: Counter[tuple[str | None, str | None]] = Counter()
    warned: Counter[str] = Counter()
    samples: dict[str, Sample] = {}
    hazards = {code for _, part in counted for code in ("readonly-dropped",) if code in part.notes}
    for cell in cells:
        outcomes[cell.outcome] += cell.calls
        if cell.outcome != "refused":
            dtypes[cell.source_dtype, cell.result_dtype] += cell.calls
        if cell.source_dtype and cell.result_dtype and cell.source_dtype != cell.result_dtype:
            hazards.add("dtype-changed")
        if cell.sample is not None:
            sample = _sample(cell, cell.sample)
            kind = repr((sample.outcome, sample.source.dtype, sample.result.dtype))
            known = samples.setdefault(kind, sample)
            if known is not sample:
                calls, nbytes = known.calls + sample.calls, known.bytes + sample.bytes
                samples[kind] = replace(known, calls=calls, bytes=nbytes)
    for _, part in counted:
        warned.update(part.warnings)
    return Site(
        id=name,
        file=key.file,
        line=key.line,
        end_line=key.end_line,
        column=key.column if key.column >= 0 else None,
        end_column=key.end_column if key.end_column >= 0 else None,
        function=key.function,
        source_line=None,
        conversion=key.conversion,
        calls=sum(cell.calls for cell in cells),
        bytes=sum(cell.bytes for cell in cells),
        copied_bytes=sum(cell.bytes for cell in cells if cell.outcome == "copied"),
        outcomes=Outcomes(**outcomes),
        dtypes=tuple(Dtypes(source=s, result=r, calls=n) for (s, r), n in dtypes.most_common()),
        hazards=tuple(sorted(hazards)),
        seconds=sum(cell.seconds for cell in cells),
        stack=tuple(counted[0][1].stack),
        via=tuple(sorted({part.via for _, part in counted if part.via})),
        warnings=tuple(TracedWarning(message=message, count=count) for message, count in warned.most_common()),
        samples=tuple(samples.values()),
        processes=tuple(dict.fromkeys(name for name, _ in counted)),
    )


def _sample(cell: CellCounts, sides: SampleSides) -> Sample:
    source, result = (Side(**vars(side)) for side in (sides.source, sides.result))
    return Sample(outcome=cell.outcome, source=source, result=result, calls=cell.calls, bytes=cell.bytes)


def _notes(parts: Iterable[SiteCounts]) -> Notes:
    codes: dict[str, Note] = {}
    inspected = 0
    for part in parts:
        inspected += sum(cell.inspected for cell in part.cells)
        for code, note in part.notes.items():
            first = codes.setdefault(code, replace(note, count=0, also=[]))
            first.count += note.count
            first.also += [place for place in note.also if place not in first.also]
    return Notes(codes, inspected)


def _names(parts: Sequence[Counts]) -> list[str]:
    """Return a name for each process, no two the same: the program itself, then as it calls its workers."""
    named: list[str] = []
    for nth, part in enumerate(parts):
        name = part.process.name
        if nth and name == "main":
            name = "subprocess"
        named.append(f"{name} ({part.process.pid})" if name in named or name in ("fork", "subprocess") else name)
    return named


def _process(part: Counts, name: str) -> Process:
    facts = part.process
    return Process(
        name=name,
        pid=facts.pid,
        parent=facts.parent,
        calls=sum(cell.calls for site in part.sites for cell in site.cells),
        seconds=facts.seconds,
        ended=facts.ended,
        unhooked=tuple(part.unhooked),
    )


def _environment(parts: Sequence[Counts]) -> TracedEnvironment:
    def first(name: str) -> str | None:
        versions = (getattr(part.environment, name) for part in parts)
        return next((str(version) for version in versions if version), None)

    return TracedEnvironment(
        tensorbridge=__version__,
        python=first("python") or platform.python_version(),
        numpy=first("numpy"),
        torch=first("torch"),
        platform=platform.platform(),
        recorder=("compiled" if all(part.compiled for part in parts) else "python") if parts else None,
    )
