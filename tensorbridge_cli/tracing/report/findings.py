"""What a program's counts mean: what costs and what endangers, at which line, and what to write instead.

Nothing is accused on an address alone: ``certain`` is what the calls themselves showed, ``possible`` what rests on
memory that was seen again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from msgspec import structs

from tensorbridge_cli.catalog.conversions import find
from tensorbridge_cli.records.report import Direction
from tensorbridge_cli.records.trace import CODES, Finding, Sample, Site, Trace, by_line
from tensorbridge_cli.tracing.report import comments
from tensorbridge_cli.tracing.report.merge import Notes
from tensorbridge_cli.tracing.report.source import call_of, makes_its_source, rewritten, written_here

MEANT = frozenset({"Tensor.clone", "Tensor.copy_", "np.array", "np.copy", "copy.deepcopy", "Tensor.share_memory_"})
"""Conversions that are called for a copy: nobody is told to do without."""

OFTEN = 8
"""Calls that must have been looked at before one is said to repeat."""


@dataclass(frozen=True)
class Wanted:
    """A source for which code that shares is looked for, by experiment."""

    direction: Direction
    shape: tuple[int, ...]
    dtype: str
    layout: str
    state: str


def wanted(trace: Trace) -> dict[Wanted, list[str]]:
    """Return the sources that were copied although neither dtype, shape nor layout changed, with the sites' ids."""
    found: dict[Wanted, list[str]] = {}
    for site in trace.sites:
        for sample in site.samples:
            source = _copied(site, sample)
            if source is not None:
                found.setdefault(source, []).append(site.id)
    return found


def _copied(site: Site, sample: Sample) -> Wanted | None:
    source, result = sample.source, sample.result
    written = call_of(site)
    if written_here(site) is False or (written is not None and written.copies):
        return None
    entry = find(site.conversion)
    if sample.outcome != "copied" or site.conversion in MEANT or (entry is not None and entry.copy is True):
        return None
    if source.dtype is None or source.shape is None:
        return None
    # what changes none of these copied for nothing; a sharing conversion would leave the layout as it was
    if (source.dtype, source.shape, source.layout) != (result.dtype, result.shape, result.layout):
        return None
    ends = {"array": "numpy", "tensor": "torch"}
    return Wanted(
        direction=Direction(f"{ends[source.kind]}-to-{ends[result.kind]}"),
        shape=tuple(min(length, 8) for length in source.shape),  # what shares does not depend on the size
        dtype=source.dtype,
        layout=source.layout or "contiguous",
        state=source.state or "plain",
    )


def judged(trace: Trace, notes: Mapping[str, Notes], shares: Mapping[Wanted, str]) -> Trace:
    """Return ``trace`` with its findings, the dearest first, and the comments that accept none or give no reason.

    Args:
        trace: What was counted.
        notes: What was noticed at each site, by its id.
        shares: Code that was tried on a source like it and shared; ``x`` is the source.
    """
    found = [finding for site in trace.sites for finding in _of(site, notes[site.id], shares)]
    order = list(CODES)
    sites = {site.id: site for site in trace.sites}
    found.sort(key=lambda finding: (-finding.bytes, order.index(finding.code), by_line(sites[finding.site])))
    told, unused = comments.accepted(found, sites)
    return structs.replace(trace, findings=told, unused=unused)


def _of(site: Site, notes: Notes, shares: Mapping[Wanted, str]) -> Iterator[Finding]:
    codes, here = notes.codes, written_here(site)
    if "readonly-dropped" in codes:
        detail = "the source is read-only; the result, over the same bytes, takes writes"
        remedy = rewritten(site, f"{_typed(site)}(x.copy())") if here else "pass it a copy"
        yield _finding(site, "readonly-dropped", detail, remedy, certain=True)
    if here is False:  # what a library does is not for the user to write otherwise
        return
    if not {"source-written", "result-written"} & codes.keys():
        yield from _avoidable(site, shares)
    if "list-of-arrays" in codes:
        yield from _list_of_arrays(site, codes["list-of-arrays"])
    if here:
        yield from _repeated(site, notes)
    if "there-and-back" in codes:
        note = codes["there-and-back"]
        detail = f"{note['to']} became {note['through']} at {_line(note['since'])} and is {note['to']} again here"
        yield _finding(site, "dtype-there-and-back", detail, f"keep it {note['to']}, or {note['through']}")
    if "round-trip" in codes:
        yield _round_trip(site, codes["round-trip"])
    if "alias-written" in codes:
        note = codes["alias-written"]
        detail = (
            f"its bytes changed between {note['since']['conversion']} at {_line(note['since'])}, whose result is "
            f"still held, and here"
        )
        yield _finding(site, "alias-written", detail, "copy at the first of the two lines, if the change is not meant")
    # one result is still held when the next is made, in the plainest loop: that is once
    if "buffer-stored-twice" in codes and codes["buffer-stored-twice"]["count"] > 1:
        detail = "the buffer was written between calls while earlier results were held: they show the last values"
        yield _finding(site, "buffer-stored-twice", detail, _copying(site))


def _repeated(site: Site, notes: Notes) -> Iterator[Finding]:
    same = notes.codes.get("same-source")
    # each look but the first can find what the one before it saw
    if same is None or notes.looked < OFTEN or same["count"] < (notes.looked - 1) * 0.9:
        return
    if site.conversion in MEANT or "result-written" in notes.codes or makes_its_source(site):
        return
    seen = f"in {same['count'] + 1} of {notes.looked} calls looked at, of {site.calls:,}, the source was the same"
    if same["outcome"] == "copied":
        detail, remedy = f"{seen} and unchanged", "convert once, and use the result"
        yield _finding(site, "repeated-copy", detail, remedy, site.copied_bytes)
    else:
        yield _finding(site, "loop-invariant", f"{seen} and unchanged", "convert once, outside the loop")


def _avoidable(site: Site, shares: Mapping[Wanted, str]) -> Iterator[Finding]:
    for sample in site.samples:
        source = _copied(site, sample)
        code = shares.get(source) if source is not None else None
        if code is None or source is None:
            continue
        calls = f"{sample.calls:,} call{'s' * (sample.calls != 1)} copied {sample.bytes:,} bytes"
        subject = f"{source.dtype}, {source.layout}, {source.state}"
        detail = f"{calls}; {code} shares ({subject}): enough where neither is written afterwards"
        yield _finding(site, "avoidable-copy", detail, rewritten(site, code), sample.bytes)
        return


def _list_of_arrays(site: Site, note: Mapping[str, Any]) -> Iterator[Finding]:
    entry = find(site.conversion)
    if entry is None or entry.target != "torch" or site.conversion in ("torch.stack", _COLLATE):
        return
    what, code = _LISTS[note["of"]]
    detail = f"a list of {note['length']:,} {what} goes through {site.conversion} element by element"
    yield _finding(site, "list-of-arrays", detail, rewritten(site, code), site.copied_bytes, certain=True)


_LISTS = {
    "array": ("arrays", "torch.from_numpy(np.stack(x))"),
    "tensor": ("tensors", "torch.stack(x)"),
    "scalar": ("NumPy scalars", "torch.from_numpy(np.array(x))"),
}
_COLLATE = "torch.utils.data.default_collate"


def _round_trip(site: Site, note: Mapping[str, Any]) -> Finding:
    if note["certain"]:
        detail = "the array is a tensor's memory: it came from a tensor, and goes back to one"
        return _finding(site, "round-trip", detail, "use the tensor that it was", site.copied_bytes, certain=True)
    made = f"{note['since']['conversion']} at {_line(note['since'])}"
    detail = f"{made} made it of an array, and its bytes are as they were"
    return _finding(site, "round-trip", detail, "use the array that it was", site.copied_bytes)


def _copying(site: Site) -> str:
    method = site.conversion.startswith("Tensor.")
    return rewritten(site, "x.numpy().copy()" if method else f"{_typed(site)}(x.copy())")


def _typed(site: Site) -> str:
    return site.conversion.partition("(")[0]


def _line(place: Mapping[str, Any]) -> str:
    return f"{PurePath(place['file']).name}:{place['line']}"


def _finding(
    site: Site, code: str, detail: str, remedy: str | None, nbytes: int = 0, *, certain: bool = False
) -> Finding:
    return Finding(
        code=code,
        site=site.id,
        detail=detail,
        remedy=remedy,
        certainty="certain" if certain else "possible",
        bytes=nbytes,
    )
