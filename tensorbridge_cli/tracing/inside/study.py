"""What a closer look at one call in many tells: about its source, and what happened to it since it was last seen.

An address that is seen again may be of other memory by now, and the first object is not kept to tell. So what rests on
it is called possible; and it counts only where the contents, the version counter, or the number of references that the
results hold speak for it too.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from tensorbridge_cli.tracing.inside.classify import COPIED, SHARED, asked, contents
from tensorbridge_cli.tracing.inside.recorder import Cell, Site

MANY = 100
"""NumPy scalars that a list must have to be worth a word: each is read through its object."""

REMEMBERED = 4096
"""Addresses of which the last event is remembered."""


@dataclass(frozen=True)
class Seen:
    """An object at one event, without the object.

    Attributes:
        version: Of a tensor, or of the tensor whose memory an array has: torch counts what it writes there.
        references: To an array and to what it is a view of; to a tensor's storage.
        holders: Tensors that hold the storage, also that of an array which has a tensor's memory.
        of: What an array has its memory of: ``array``, ``tensor`` or nothing.
    """

    kind: str
    address: int
    nbytes: int
    contents: int | None
    version: int | None
    references: int
    holders: int
    dtype: str
    shape: tuple[int, ...]
    layout: str
    state: str
    of: str


@dataclass(frozen=True)
class Event:
    """One call: where, the how many-th there, and both of its objects."""

    site: Site
    nth: int
    outcome: str
    source: Seen
    result: Seen


class Student:
    """Remembers the last event at each address, and notes at a site what it means to see one again."""

    def __init__(self, numpy: Any, torch: Any) -> None:
        self._numpy, self._torch = numpy, torch
        self._lock = threading.Lock()
        self._sources: OrderedDict[int, Event] = OrderedDict()
        self._results: OrderedDict[int, Event] = OrderedDict()

    def __call__(self, site: Site, cell: Cell, source: Any, result: Any) -> None:
        """Look at one call of ``site``."""
        if type(source) in (list, tuple) and source:
            of = self._kind(source[0]) or ("scalar" if self._are_scalars(source) else "")
            if of:
                site.note("list-of-arrays", length=len(source), of=of)
        before, after = self.seen(source), self.seen(result)
        if type(source) is bytes and cell.outcome == SHARED and after is not None and after.kind == "tensor":
            site.note("readonly-dropped")
        if cell.sample is None:
            cell.sample = {
                "source": _described(before) or {"kind": type(source).__name__},
                "result": _described(after) or {"kind": type(result).__name__},
            }
        if before is None or after is None:
            return
        event = Event(site, _calls(site), cell.outcome, before, after)
        with self._lock:
            self._at_once(event)
            self._since(event)
            _remember(self._sources, before.address, event)
            _remember(self._results, after.address, event)
        site.last = event

    def _at_once(self, event: Event) -> None:
        site, source, result = event.site, event.source, event.result
        if event.outcome == SHARED and "read-only" in source.state and result.kind == "tensor":
            site.note("readonly-dropped")
        if source.kind == "array" and result.kind == "tensor" and source.of == "tensor":
            site.note("round-trip", certain=True)

    def _since(self, event: Event) -> None:
        """Hold ``event`` against what was seen at the same addresses before."""
        site, source = event.site, event.source
        last: Event | None = site.last
        if last is not None and _same(last.source, source) and _unchanged(last.source, source):
            site.note("same-source", outcome=event.outcome)
        earlier = self._sources.get(source.address)
        if earlier is not None and _same(earlier.source, source) and _changed(earlier.source, source):
            self._written(earlier, event)
        made = self._results.get(source.address)
        if made is None:
            return
        if _same(made.result, source) and _changed(made.result, source):
            if made.outcome == COPIED:
                made.site.note("result-written")
            elif _written_elsewhere(made, source) and not _at_one_place(made.site, site):
                site.note("alias-written", since=_place(made.site))
        if made.result.contents is None or made.result.contents != source.contents:
            return
        if made.result.nbytes != source.nbytes:
            return
        back = made.source.dtype == event.result.dtype
        if made.outcome == event.outcome == COPIED and back and made.source.dtype != source.dtype:
            site.note("there-and-back", since=_place(made.site), through=source.dtype, to=event.result.dtype)
        if back and made.source.kind == "array" and source.kind == "tensor" and event.result.kind == "array":
            site.note("round-trip", certain=False, since=_place(made.site))

    def _written(self, earlier: Event, event: Event) -> None:
        """Note what it means that a source changed between two calls."""
        site = event.site
        if earlier.outcome == COPIED:
            earlier.site.note("source-written")
            return
        # the result of the earlier call holds a reference: while it lives there is one more than without it
        held = event.source.references - (event.outcome == SHARED)
        if earlier.outcome != SHARED or not earlier.source.references or held < earlier.source.references:
            return
        if earlier.site is site and event.outcome == SHARED:
            site.note("buffer-stored-twice", since=_place(site))
        elif not _at_one_place(earlier.site, site):
            site.note("alias-written", since=_place(earlier.site))

    def _kind(self, obj: Any) -> str:
        if isinstance(obj, self._numpy.ndarray):
            return "array"
        return "tensor" if self._torch is not None and isinstance(obj, self._torch.Tensor) else ""

    def _are_scalars(self, found: Any) -> bool:
        return len(found) >= MANY and isinstance(found[0], self._numpy.generic)

    def seen(self, obj: Any) -> Seen | None:
        """Return what there is to see of an array or a tensor of the libraries' own types on the CPU."""
        if type(obj) in (self._numpy.ndarray, self._numpy.memmap):
            return self._array(obj)
        torch = self._torch
        if torch is not None and type(obj) in (torch.Tensor, torch.nn.Parameter):
            with torch._C.DisableTorchFunction():
                return self._tensor(obj)
        return None

    def _array(self, array: Any) -> Seen:
        flags, address = array.flags, asked(array)
        # a result holds the array that it was made of, which may be a view that holds another; those that hold it in
        # our own frames are always as many
        owner, references = array, sys.getrefcount(array)
        while isinstance(owner.base, self._numpy.ndarray):
            owner = owner.base
            references += sys.getrefcount(owner)
        of = self._kind(owner.base) if owner.base is not None else ""
        version, holders = self._behind(owner.base) if of == "tensor" else (None, 0)
        # of a map, the file may be shorter by now: reading there would end the program
        readable = flags.forc and array.nbytes and type(owner.base).__name__ != "mmap"
        return Seen(
            kind="array",
            address=address,
            nbytes=array.nbytes,
            contents=contents(address, array.nbytes) if readable else None,
            version=version,
            references=references,
            holders=holders,
            dtype=array.dtype.name,
            shape=array.shape,
            layout=_layout(array.shape, array.strides, flags.c_contiguous, flags.f_contiguous),
            state="plain" if flags.writeable else "read-only",
            of=of,
        )

    def _behind(self, tensor: Any) -> tuple[int | None, int]:
        """Return a tensor's version, and the number of tensors that hold its storage."""
        with self._torch._C.DisableTorchFunction():
            version = None if tensor.is_inference() else tensor._version
            uses = getattr(self._torch._C, "_storage_Use_Count", None)
            # the storage's own object is one; a torch that does not tell leaves what rests on it unsaid
            return version, uses(tensor.untyped_storage()._cdata) - 1 if uses is not None else 0

    def _tensor(self, tensor: Any) -> Seen | None:
        if tensor.layout is not self._torch.strided or tensor.is_nested:
            return None
        dense = tensor.is_contiguous()
        address = self._torch._C._data_address(tensor)
        address += tensor.storage_offset() * tensor.itemsize if address else 0
        readable = dense and address and tensor.nbytes and tensor.device.type == "cpu"
        version, holders = self._behind(tensor)
        states = (("requires-grad", tensor.requires_grad), ("conj", tensor.is_conj()), ("neg", tensor.is_neg()))
        return Seen(
            kind="tensor",
            address=address,
            nbytes=tensor.nbytes,
            contents=contents(address, tensor.nbytes) if readable else None,
            version=version,
            references=holders,
            holders=holders,
            dtype=str(tensor.dtype).removeprefix("torch."),
            shape=tuple(tensor.shape),
            layout=_layout(tuple(tensor.shape), tensor.stride(), dense, tensor.t().is_contiguous())
            if tensor.dim() == 2
            else _layout(tuple(tensor.shape), tensor.stride(), dense, False),
            state="+".join(name for name, there in states if there) or "plain",
            of="",
        )


def _layout(shape: tuple[int, ...], strides: tuple[int, ...], c: bool, fortran: bool) -> str:
    if c:
        return "contiguous"
    if fortran:
        return "fortran"
    if any(stride < 0 for stride in strides):
        return "negative"
    return "broadcast" if any(s == 0 and n > 1 for n, s in zip(shape, strides, strict=True)) else "strided"


def _described(seen: Seen | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {name: getattr(seen, name) for name in ("kind", "dtype", "shape", "layout", "state", "nbytes")}


def _same(before: Seen, now: Seen) -> bool:
    mine = (now.kind, now.address, now.nbytes, now.dtype, now.shape)
    return bool(now.nbytes) and mine == (before.kind, before.address, before.nbytes, before.dtype, before.shape)


def _unchanged(before: Seen, now: Seen) -> bool:
    if before.contents is not None:
        return before.contents == now.contents
    return before.version is not None and before.version == now.version


def _changed(before: Seen, now: Seen) -> bool:
    if before.contents is not None and now.contents is not None:
        return before.contents != now.contents
    return before.version is not None and now.version is not None and now.version > before.version


def _written_elsewhere(made: Event, now: Seen) -> bool:
    """Tell whether what one call made was written through the memory's other name before it was seen again.

    A tensor's memory that changed while torch counted no write was written through the array. An array's that changed,
    while a tensor holds it too, was written through one of the two behind the other's back. Where the line ran again
    since, its memory may be another's by now.
    """
    if _calls(made.site) != made.nth:
        return False
    if now.kind == "tensor":
        return made.result.version is not None and made.result.version == now.version
    return now.of == "tensor" and now.holders > 1  # the array itself holds one


def _at_one_place(one: Site, other: Site) -> bool:
    """Tell whether two sites are in one line of the user's, where a library may have made either."""
    return (one.file, one.span[0]) == (other.file, other.span[0]) or bool(one.via or other.via)


def _calls(site: Site) -> int:
    return sum(cell.calls for cell in site.cells.values())


def _place(site: Site) -> dict[str, Any]:
    return {"file": site.file, "line": site.span[0], "conversion": site.conversion}


def _remember(events: OrderedDict[int, Event], address: int, event: Event) -> None:
    events[address] = event
    events.move_to_end(address)
    if len(events) > REMEMBERED:
        events.popitem(last=False)
