"""What is tried when a program has ended: code that shares what it copied, and a faster line where one reads items."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tensorbridge_cli.catalog.registry import find
from tensorbridge_cli.catalog.states import words
from tensorbridge_cli.records.enums import Direction
from tensorbridge_cli.records.trace import Sample, Site, Trace
from tensorbridge_cli.tracing.inside.records import Note
from tensorbridge_cli.tracing.report.merge import Notes
from tensorbridge_cli.tracing.report.source import COLLATE, call_of, written_here
from tensorbridge_cli.tracing.report.syntax import function_of

DELIBERATE_COPIES = frozenset(
    {"Tensor.clone", "Tensor.copy_", "np.array", "np.copy", "copy.deepcopy", "Tensor.share_memory_"}
)
"""Conversions that are called for a copy: nobody is told to do without."""


@dataclass(frozen=True)
class SharingSource:
    """A source for which code that shares is looked for, by experiment."""

    direction: Direction
    shape: tuple[int, ...]
    dtype: str
    layout: str
    state: str


@dataclass(frozen=True)
class Reading:
    """A source that is read element by element, the call that reads it, and the better one, as expressions of ``x``."""

    source: str
    slow: str
    better: str


def readings(trace: Trace, notes: Mapping[str, Notes]) -> tuple[Reading, ...]:
    """Return what is read element by element, each once, on objects like those of the program."""
    several = (reading_of(site, notes[site.id]) for site in trace.sites if written_here(site) is not False)
    return tuple(dict.fromkeys(one for one in several if one is not None))


def reading_of(site: Site, notes: Notes) -> Reading | None:
    """Return what ``site`` reads element by element, and with what to compare it; None if that cannot be made anew."""
    if not reads_one_by_one(site) or site.conversion.startswith("Tensor."):
        return None
    call = f"{function_of(site.conversion)}(x)"
    if (note := notes.codes.get("list-of-arrays")) is not None and (better := better_code(site, note)) is not None:
        item = f"torch.ones({note.shape}, dtype=torch.{note.dtype})"
        if note.of != "tensor":
            item = f"np.ones({note.shape}, '{note.dtype}')" + "[()]" * (note.of == "scalar")
        size = max(1, math.prod(note.shape))
        length = min(note.length, _MOST_ITEMS, max(2, _MOST_ELEMENTS // size))
        if not note.dtype or size >= _MOST_ELEMENTS:
            return None
        return Reading(f"[{item} for _ in range({length})]", call, better)
    note = notes.codes.get("element-by-element")
    if note is not None and note.of in _SEQUENCES and note.dtype and note.whole:
        array = f"np.ones({min(note.length, _MOST_ITEMS)}, '{note.dtype}')"
        return Reading(_SEQUENCES[note.of].format(array), call, WHOLE)
    return None


_MOST_ITEMS, _MOST_ELEMENTS = 10_000, 1_000_000
"""Of a larger object a part is measured: it takes a fifth of a second."""

_SEQUENCES = {
    "pandas.Series": "__import__('pandas').Series({})",
    "pandas.Index": "__import__('pandas').Index({})",
    "polars.Series": "__import__('polars').Series({})",
}
"""How a sequence of each type is made of an array."""


def wanted(trace: Trace) -> tuple[SharingSource, ...]:
    """Return the sources that were copied although neither dtype, shape nor layout changed, each once."""
    sources = (copied_source(site, sample) for site in trace.sites for sample in site.samples)
    return tuple(dict.fromkeys(source for source in sources if source is not None))


def copied_source(site: Site, sample: Sample) -> SharingSource | None:
    """Return the source of ``sample`` if it was copied although nothing of it changed, and nobody asked for a copy."""
    source, result = sample.source, sample.result
    written = call_of(site)
    if written_here(site) is False or (written is not None and written.copies):
        return None
    entry = find(site.conversion)
    if sample.outcome != "copied" or site.conversion in DELIBERATE_COPIES or (entry is not None and entry.copy is True):
        return None
    if source.dtype is None or source.shape is None:
        return None
    # what changes none of these copied for nothing; a sharing conversion would leave the layout as it was
    before, after = ((side.dtype, side.shape, plain_layout(side.layout)) for side in (source, result))
    if before != after:
        return None
    if not _ENDED_BY_A_COPY.isdisjoint(words(source.state or "") - words(result.state or "")):
        return None
    ends = {"array": "numpy", "tensor": "torch"}
    return SharingSource(
        direction=Direction(f"{ends[source.kind]}-to-{ends[result.kind]}"),
        shape=tuple(min(length, 8) for length in source.shape),  # what shares does not depend on the size
        dtype=source.dtype,
        layout=source.layout or "contiguous",
        state=source.state or "plain",
    )


_ENDED_BY_A_COPY = frozenset({"conjugate-bit", "inference"})
"""States of a tensor in which ``numpy`` or a write in place is refused: a copy may have been made for that."""


def plain_layout(layout: str | None) -> str | None:
    """Return the layout of a copy of what has ``layout``: where it begins in its storage does not matter."""
    return "contiguous" if layout == "offset" else layout


def reads_one_by_one(site: Site) -> bool:
    """Return True if the conversion makes an array or a tensor of a sequence by taking each item from Python."""
    entry = find(site.conversion)
    return entry is not None and entry.target in ("torch", "numpy") and site.conversion not in ("torch.stack", COLLATE)


def better_code(site: Site, note: Note) -> str | None:
    """Return the code that converts a list as a whole; None if the call does, too."""
    entry = find(site.conversion)
    return _LISTS.get((note.of, str(entry.target) if entry is not None else ""))


_LISTS = {
    ("array", "torch"): "torch.from_numpy(np.stack(x))",
    ("tensor", "torch"): "torch.stack(x)",
    ("scalar", "torch"): "torch.from_numpy(np.array(x))",
    ("tensor", "numpy"): "torch.stack(x).numpy()",
}
"""What converts a list of these as a whole."""

WHOLE = "torch.tensor(np.asarray(x))"
