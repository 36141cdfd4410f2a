"""What a closer look at one call in many tells: about its source, its result, and what became of both since.

The recorder keeps no object. It remembers of a call where the bytes lay, a hash of them, and evidence by which it can
tell later whether the result lives and whether anything was written (see ``evidence``). Nothing else is said:

- *stored twice*: of one line two earlier results or more live, over the same memory, and one shows other bytes than
  when it was made.
- *written since*: the bytes are others than at an earlier call, whose result lives; or, where it is gone, torch counted
  writes to it, and the next call that converts the same memory finds what they left.
- *unchanged*: all bytes were equal, in every look. Of what is larger than ``evidence.ALL`` it is never said.
- *copied again*: a call copied the same memory as the call that was looked at before it, unchanged.

What is remembered is bounded: ``LINES`` lines, ``MEMORIES`` memories, and of each the last ``CALLS`` calls.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import sys
import threading
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import compress
from types import FrameType
from typing import Any

from tensorbridge_cli.compat import dataclass
from tensorbridge_cli.memory.spans import Span
from tensorbridge_cli.tracing.inside import sides
from tensorbridge_cli.tracing.inside.classify import (
    COPIED,
    SHARED,
    address_of,
    answers_itself,
    exporter,
    has_own_memory,
    is_held_writable,
    owner_of,
    package_of,
    storage_address,
    unwrapped,
)
from tensorbridge_cli.tracing.inside.counting import Cell
from tensorbridge_cli.tracing.inside.evidence import (
    ALL,
    Header,
    Immutable,
    Resizable,
    StorageRef,
    StorageWrites,
    TensorHeader,
    digest,
    is_buffer,
    view_ref,
    writes,
)
from tensorbridge_cli.tracing.inside.recorder import CountedSite
from tensorbridge_cli.tracing.inside.records import Note, Place, SampleSides

MANY = 100
"""NumPy scalars that a list must have to be worth a word: each is read through its object."""

LINES, MEMORIES, CALLS, STORAGES = 1024, 1024, 24, 4096

WATCHED = 2000
"""Calls of a line that are all looked at, once a result of it was written in place: until its memory comes by again."""


DEPTH = 16
"""The program's functions that run within each other, of which is remembered who called whom."""

_Running = tuple[str, str, int, int]
"""The file of a function that runs, its name, its first line, and the line that it is at."""


@dataclass(frozen=True)
class Fingerprint:
    """An array or tensor at one look, without the object.

    Attributes:
        span: The bytes that its elements reach.
        digest: A hash of them; None if they could not be read.
        whole: Whether it is of all bytes.
        root: The memory: a storage, or the array that owns it.
        storage: Of a tensor, and of an array that has a tensor's memory.
        name: The object that reaches the memory: a tensor's storage, or the array that is not a view of another.
        version: Of a tensor, or of the tensor whose memory an array has: torch counts what it writes there.
        holders: To the storage.
        of: What an array has its memory of: ``array``, ``tensor`` or nothing.
    """

    kind: str
    span: Span
    dtype: str
    digest: bytes | None
    whole: bool
    root: Any
    storage: StorageRef | None
    name: int
    version: int | None
    holders: int
    of: str
    readonly: bool

    @property
    def nbytes(self) -> int:
        """The bytes of all elements."""
        return self.span.nbytes

    @functools.cached_property
    def bounds(self) -> tuple[int, int]:
        """The addresses of the first byte reached and of the one after the last: each look asks many for them."""
        return self.span.bounds()

    def overlaps(self, other: Fingerprint) -> bool:
        """Return True if the addresses from first to last byte of the two overlap, and they are not two columns."""
        (low, high), (start, stop) = self.bounds, other.bounds
        return low < stop and start < high and not self.span.interleaves(other.span)

    def meets(self, other: Fingerprint) -> bool:
        """Return True if the two may reach a common byte of one memory."""
        return self.root == other.root and self.overlaps(other)

    def covers(self, other: Fingerprint) -> bool:
        """Return True if it is the same elements of the same memory."""
        return self.root == other.root and self.span == other.span


@dataclass(eq=False, slots=True)
class RecordedCall:
    """One call that was looked at.

    Attributes:
        held: References to the source that are not the call's own.
        alone: Whether nobody but the call held the source's memory: it is gone since, if the result does not hold it.
        header: By which a source that owns its memory is known to be gone.
        view: By which a result that is a view, as all arrays over a tensor are, is known to live.
        writes: What counts the writes to a result, also after it is gone.
        chained: Whether source and result are tensors of one storage, which nothing else held when the call was made
            (``t.reshape(2, 2)`` of what a conversion made before): while the storage lives, one of the two is held.
        settled: Whether what became of it has been noted.
        immutable: The source, if its library calls it immutable and no write to it has been noted.
        resizable: The source, if it can be resized under the result and no such thing has been noted.
        at: The ``id`` of the source, and of the result.
        kept: The result, if it is the source, a view that was made for the call: ``w.detach().cpu()``; or if it is a
            view of a tensor whose memory something else holds: ``w.detach().flatten()``.
        stack: The program's functions that were running, from the outside in (see ``_stack``).
        alike: The tensors that show the elements of the result, at most (see ``_most_alike``); 0 if not counted.
    """

    site: CountedSite
    outcome: str
    source: Fingerprint
    result: Fingerprint
    same: bool
    held: int
    alone: bool
    header: Header | None
    view: weakref.ref[Any] | None
    writes: StorageWrites | None
    chained: bool = False
    settled: bool = False
    immutable: Immutable | None = None
    resizable: Resizable | None = None
    at: tuple[int, int] = (0, 0)
    kept: TensorHeader | None = None
    stack: tuple[_Running, ...] = ()
    alike: int = 0

    @property
    def alive(self) -> bool | None:
        """Whether the result lives; None if nothing proves either."""
        if self.view is not None:
            return self.view() is not None
        storage = self.result.storage
        if self.result.kind == "tensor" and storage is not None and storage is not self.source.storage:
            return storage.alive
        if self.chained and storage is not None:
            return storage.alive
        return None

    def is_of(self, earlier: RecordedCall) -> bool:
        """Return True if it converts what ``earlier`` gave: that it lives is expected."""
        return earlier.view is None and earlier.result.storage is self.source.storage is not None

    @property
    def written(self) -> bool:
        """Return True if torch is known to have written to the result since."""
        return self.writes is not None and self.writes.count > 0


class History:
    """Remembers calls by line and by memory, and notes at a line what it means to see one again.

    ``ours`` tells whether the code that a frame runs is the program's own.
    """

    def __init__(self, numpy: Any, torch: Any, ours: Callable[[FrameType], bool]) -> None:
        self._numpy, self._torch, self._ours = numpy, torch, ours
        self._storage_address = address_of if torch is None else storage_address(torch)
        self._lock = threading.Lock()
        self._storages: OrderedDict[int, StorageRef] = OrderedDict()
        self._lines: OrderedDict[Any, list[RecordedCall]] = OrderedDict()
        self._memories: OrderedDict[Any, list[RecordedCall]] = OrderedDict()
        self._left: OrderedDict[Any, tuple[bytes, int]] = OrderedDict()
        self._overwritten: dict[tuple[CountedSite, Any], int] = {}
        self._now: dict[Span, tuple[bytes | None, bool]] = {}
        self._left_to_read = 0

    def inspect(self, site: CountedSite, cell: Cell, source: Any, result: Any, held: int = 1) -> None:
        """Inspect one call of ``site``; ``held`` are the references to its source that are not the call's own."""
        self._read_one_by_one(site, source, result)
        if cell.sample is None:
            cell.sample = SampleSides(sides.side(source), sides.side(result))
        if answers_itself(source) or answers_itself(result):
            return
        with self._lock:
            self._now = {}
            self._left_to_read = 2 * ALL
            self._study(site, cell, source, result, held)

    def _study(self, site: CountedSite, cell: Cell, source: Any, result: Any, held: int) -> None:
        before, after = self.fingerprint(source), self.fingerprint(result)
        if cell.outcome == SHARED and after is not None and after.kind == "tensor":
            self._note_read_only(site, source, before)
        immutable = None
        if before is None and after is not None and cell.outcome == SHARED:
            before = _of_buffer(source, after)
            name = sides.immutable_name(source)
            immutable = Immutable(source, name) if name else None
        if before is None or after is None:
            return
        owns = before.kind == "array" and source.flags.owndata
        call = RecordedCall(
            site=site,
            outcome=cell.outcome,
            source=before,
            result=after,
            same=source is result,
            held=held,
            alone=before.kind == "array" and held <= 0 and has_own_memory(source),
            header=Header(source) if owns and cell.outcome == COPIED else None,
            view=view_ref(result) if after.kind == "array" and result is not source else None,
            writes=self._writes(result) if after.kind == "tensor" and result is not source else None,
            immutable=immutable,
            resizable=self._resizable(source, after) if cell.outcome == SHARED else None,
            at=(id(source), id(result)),
            stack=_stack(self._ours),
        )
        if cell.outcome == SHARED and before.kind == after.kind == "tensor" and before.holders > 1:
            # the result's; of a detached view also its name, the dict of weights that it is from, the tuple of an item
            most = 4 if type(source) is self._torch.Tensor else 1
            with self._torch._C.DisableTorchFunction():
                call.kept = TensorHeader(result) if result is not source or held <= most else None
        call.chained = (
            before.kind == after.kind == "tensor"
            and before.root[0] != "storage"
            and held <= 1 + (source is not result)  # its name, and a view of it
            and (after.holders == 1 + (source is not result))
        )
        if cell.outcome == COPIED:
            _note_copy(site, call, source, owns)
        if cell.outcome == SHARED and after.kind == "tensor" and after.storage is not None:
            after.storage.root = before.root  # it holds the array
            call.result = replace(after, root=before.root)
        self._at_once(call)
        self._compare_and_remember(call)

    def _compare_and_remember(self, call: RecordedCall) -> None:
        """Hold a call against the earlier ones of its line and of its memory; it is one of them from now on."""
        line = _remembered(self._lines, call.site, LINES)
        self._settle(line, call)
        self._settle_immutable(line)
        self._settle_resized(line[-1:])  # of all at the end: this is asked at each call
        self._against_line(call, line)
        for earlier in list(self._memories.get(call.source.root, ())):
            self._against(earlier, call)
        for key in dict.fromkeys((call.source.root, call.result.root)):
            _put(_remembered(self._memories, key, MEMORIES), call)
        _put(line, call)

    def _note_read_only(self, site: CountedSite, source: Any, before: Fingerprint | None) -> None:
        """Note that a tensor can be written where its source cannot, and whether nobody else writes there."""
        if before.readonly if before is not None else sides.is_read_only(source):
            site.note("readonly-dropped")
            if self._is_frozen(source):
                site.note("frozen")

    def finish(self) -> None:
        """Settle what is left, at the program's end; then hold nothing more."""
        with self._lock:
            for site, line in self._lines.items():
                self._now, self._left_to_read = {}, 2 * ALL
                self._settle(line)
                self._settle_again(site, line)
                self._settle_immutable(line)
                self._settle_resized(line)
                self._stored(site, line)
                self._still_held(site, line)
        self.forget()

    def forget(self) -> None:
        """Begin anew; in a child of a fork another thread may hold the lock, which nobody will give back."""
        self._lock = threading.Lock()
        self._storages.clear()
        self._lines.clear()
        self._memories.clear()
        self._left.clear()
        self._overwritten.clear()

    # what one call shows

    def _read_one_by_one(self, site: CountedSite, source: Any, result: Any) -> None:
        if type(source) in (list, tuple):
            if source and answers_itself(source[0]):
                return
            of = (self._kind(source[0]) or ("scalar" if self._are_scalars(source) else "")) if source else ""
            if of:
                site.note("list-of-arrays", self._items(source, of))
                if not self._stacks(source, of, self._kind(result)):
                    site.note("does-not-stack")
        elif self._kind(result) == "tensor" and _is_torchs(site.conversion) and sides.is_sequence(source):
            site.note("element-by-element", sides.sequence(source))
            if sides.has_array(source) and (block := self._block(source, result)) is not None:
                site.note(block)

    def _items(self, items: Any, of: str) -> Note:
        """Return what a list is made of."""
        first = items[0]
        if of == "tensor":
            with self._torch._C.DisableTorchFunction():
                dtype, shape = first.dtype, tuple(first.shape) if not first.is_nested else ()
        else:
            dtype, shape = first.dtype, tuple(first.shape)
        return Note(length=len(items), of=of, dtype=sides.dtype_name(dtype) or "", shape=shape)

    def _stacks(self, items: Any, of: str, to: str) -> bool:
        """Return True if stacking ``items`` gives what is made of the list: its dtype, shape and gradient.

        torch takes tensors of one element for numbers, whatever their shape, and leaves their gradients out.
        """
        if of == "tensor":
            torch, first = self._torch, items[0]
            with torch._C.DisableTorchFunction():
                if to == "tensor":
                    return all(
                        self._kind(one) == "tensor" and not (answers_itself(one) or one.requires_grad or one.dim())
                        for one in items
                    )
                return all(
                    type(one) is torch.Tensor
                    and not (one.requires_grad or one.is_nested or one.is_conj() or one.is_neg())
                    and (one.layout, one.device.type) == (torch.strided, "cpu")
                    and (one.dtype, one.shape) == (first.dtype, first.shape)
                    for one in items
                )
        # of a subclass stacking may make something else: of masked arrays it leaves out the masks
        first, known = items[0], self._numpy.ndarray if of == "array" else type(items[0])
        return all(type(one) is known and (one.dtype, one.shape) == (first.dtype, first.shape) for one in items)

    def _block(self, source: Any, result: Any) -> str | None:
        """Return how the array of a whole sequence compares with the tensor that was made of it item by item.

        ``None`` if they differ, if torch refuses the array, or if that cannot be tried unnoticed: in a mode of the
        user's, or of a large object.
        """
        core = self._torch._C
        if result.nbytes > ALL or result.device.type != "cpu" or core._len_torch_dispatch_stack():
            return None
        try:
            with core.DisableTorchFunction():
                array, block = result.detach().numpy(), self._numpy.asarray(source)
            refused = any(step < 0 or step % block.itemsize for step in block.strides) or not block.dtype.isnative
            if refused or array.shape != block.shape or array.tobytes() != block.astype(array.dtype).tobytes():
                return None
        except Exception:  # an object of a library that gives no array, or a dtype that NumPy lacks
            return None
        return "same-block" if array.dtype == block.dtype else "block-of-another-dtype"

    def _at_once(self, call: RecordedCall) -> None:
        source, result = call.source, call.result
        if source.kind == "array" and result.kind == "tensor" and source.of == "tensor":
            call.site.note("round-trip", Note(certain=True))

    # what became of earlier calls

    def _settle(self, line: list[RecordedCall], now: RecordedCall | None = None) -> None:
        """Note what became of the source and the result of each call of a line, before ``now`` is one of them."""
        for call in line:
            if call.settled:
                continue
            # a view of a tensor is counted with the tensor, which may be a weight that is trained
            own_count = call.outcome == SHARED and call.source.kind != "tensor"
            if own_count and now is not None and call.source.meets(now.source):
                call.settled = True  # the program may have filled the memory again, e.g. a simulator its buffer
            elif own_count and call.writes is not None and call.written and self._changed(call.source):
                call.settled = True
                self._remember_what_was_left(call, call.writes.count)
            elif call.outcome == COPIED:
                call.settled = True
                if not call.alone:
                    self._settle_copy(call)

    def _remember_what_was_left(self, call: RecordedCall, count: int) -> None:
        """Remember the bytes that torch's writes to a result left in the memory that it shared."""
        hashed, whole = self._digest(call.source.span)
        if hashed is None or not whole:
            return
        self._left[call.site, call.source.root, call.source.span] = hashed, count
        if len(self._left) > WATCHED:
            self._left.popitem(last=False)
        if call.site.watched is None:
            call.site.watched = WATCHED

    def _settle_copy(self, call: RecordedCall) -> None:
        site, changed = call.site, self._changed(call.source)
        if changed and call.header is not None and call.header.gone:
            site.note("source-gone")
        elif changed is None:
            site.note("source-unknown")
        else:
            site.note("source-written" if changed else "source-kept")
        if self._result_is_written(call):
            site.note("result-written")
        elif call.writes is not None:
            site.note("result-kept")
            if not call.alive:
                site.note("result-gone")

    def _result_is_written(self, call: RecordedCall) -> bool:
        return call.written or bool(call.alive and self._changed(call.result))

    def _settle_resized(self, line: list[RecordedCall]) -> None:
        """Note the sources of a line that were resized or closed under a result that lives."""
        for call in line:
            if call.resizable is not None and call.alive and call.resizable.freed:
                storage = call.result.storage
                # where the storage was moved, by share_memory_ in another thread, it has let go of the object
                if storage is not None and storage.has(call.result.span.bounds()[0]):
                    call.site.note("source-moved", Note(of=call.resizable.name, nbytes=call.source.nbytes))
                call.resizable = None

    def _settle_immutable(self, line: list[RecordedCall]) -> None:
        """Note the immutable sources of a line that live, whose bytes changed, and to whose memory torch wrote."""
        for call in line:
            if call.immutable is None:
                continue
            keys = dict.fromkeys((call.source.root, call.result.root))
            others = {id(one): one for key in keys for one in self._memories.get(key, ())}.values()
            writer = next((one for one in others if one.written and one.result.overlaps(call.source)), None)
            if writer is None:
                continue
            holders = sum(one.alive is True for one in self._memories.get(call.source.root, ()))
            if call.immutable.is_held(holders) and self._changed(call.source):
                facts = Note(of=call.immutable.name, nbytes=call.source.nbytes, since=_place(writer.site))
                call.site.note("immutable-written", facts)
                call.immutable = None

    def _settle_again(self, site: CountedSite, line: list[RecordedCall]) -> None:
        """Note what was written to copies that were kept, and settled when their line came by again."""
        for call in line:
            if (
                call.outcome == COPIED
                and not call.alone
                and (call.written or (call.alive and self._changed(call.result)))
            ):
                site.note("result-written")

    def _against_line(self, call: RecordedCall, line: list[RecordedCall]) -> None:
        """Hold ``call`` against the earlier ones of its own line."""
        site = call.site
        left = self._left.pop((site, call.source.root, call.source.span), None)
        if left is not None and left[0] == call.source.digest:
            # what this call converts is what torch's writes to an earlier result left: nobody has replaced it
            site.note("written-in-place")
        if line and call.source.kind != "buffer":
            last = line[-1]
            if not call.alone and last.source.covers(call.source) and call.source.whole and last.source.whole:
                same = last.source.digest == call.source.digest
                facts = Note(outcome=call.outcome, nbytes=call.source.nbytes)
                site.note("same-source" if same else "other-source", facts)
        if call.outcome == SHARED:
            self._stored(site, [earlier for earlier in line if earlier.source.meets(call.source)], call)

    def _stored(self, site: CountedSite, line: Iterable[RecordedCall], call: RecordedCall | None = None) -> None:
        """Note that results of one line over one memory were kept, and show other bytes than when they were made.

        One earlier result lives in the plainest loop: its name is bound anew after the call. So two are asked for. Of a
        result that nothing tells of (a view of a tensor, the source itself) it is the number of references that grows.
        """
        by_memory: dict[Any, list[RecordedCall]] = {}
        for earlier in line:
            if earlier.outcome == SHARED:
                by_memory.setdefault(earlier.source.root, []).append(earlier)
        for root, calls in by_memory.items():
            alive = [earlier for earlier in calls if earlier.alive and not (call is not None and call.is_of(earlier))]
            changed = [earlier for earlier in alive if self._changed(earlier.source)]
            # several may have been made to watch one memory: it was overwritten between two calls, and not after all
            if len(alive) >= 2 and changed and (call is not None or _of_other_bytes(alive)):
                # of old = get(net) and new = get(net) the text tells whether old is used after that
                apart = len({earlier.stack for earlier in alive}) == len(alive)
                self._note_stored(site, root, len(changed), "stored-by-lines" if apart else "buffer-stored-twice")
            elif call is not None and call.alive is None is calls[0].alive and self._grew(calls, call):
                changed = [earlier for earlier in calls if self._changed(earlier.source)]
                if len(changed) >= 2:
                    self._note_stored(site, root, len(changed))

    def _note_stored(self, site: CountedSite, root: Any, changed: int, code: str = "buffer-stored-twice") -> None:
        """Note how many results over one memory were overwritten; a line may take several buffers in turn."""
        site.note(code, Note(since=_place(site)))
        note, known = site.notes[code], self._overwritten.get((site, root), 0)
        if changed > known and (known or len(self._overwritten) < MEMORIES):
            self._overwritten[site, root] = changed
            note.changed += changed - known
        note.changed = max(note.changed, changed)

    def _still_held(self, site: CountedSite, line: list[RecordedCall]) -> None:
        """Note that an overwritten result lives at the program's end, and no name that was bound anew each time has it.

        So it is if no earlier result for the same line of the program has gone: ``val`` in a loop is bound anew.
        """
        let_go = {earlier.stack for earlier in line if earlier.alive is False}
        held = (earlier for earlier in line if earlier.alive and earlier.stack not in let_go)
        if any(earlier.outcome == SHARED and self._changed(earlier.source) for earlier in held):
            site.note("still-held")

    def _grew(self, calls: list[RecordedCall], now: RecordedCall) -> bool:
        """Return True if more refers to the source than at the first call: to itself, or tensors of its elements.

        That more tensors hold its storage is not enough: a program may keep each row, and look at all rows each time.
        """
        first, second = calls[0], calls[min(1, len(calls) - 1)]
        if first.same is not now.same:
            return False
        # at the second call of a loop all names are bound that a pass binds: to a result, and to what is made of it
        if now.same and first.source.name == now.source.name and now.held - first.held >= 2:
            return now.held > second.held
        storage, holders = now.source.storage, now.source.holders
        if storage is None or first.source.storage is not storage or holders - first.source.holders < 2:
            return False
        # all objects of the program are looked through: not at each of the calls
        if len(calls) & (len(calls) - 1) or (second is not first and holders <= second.source.holders):
            return False
        now.alike = self._most_alike(storage)
        return now.alike > max(2, second.alike)

    def _most_alike(self, storage: StorageRef) -> int:
        """Return how many of the live tensors of a storage show the same elements, at most."""
        torch, alike = self._torch, Counter[Any]()
        wrapped = torch._C._functorch.is_functorch_wrapped_tensor
        with torch._C.DisableTorchFunction():
            objects, kinds = gc.get_objects(), frozenset((torch.Tensor, torch.nn.Parameter))
            for one in compress(objects, map(kinds.__contains__, map(type, objects))):
                if wrapped(one):
                    continue
                if one.layout is torch.strided and not one.is_nested and one.untyped_storage()._cdata == storage.cdata:
                    alike[one.storage_offset(), frozenset(zip(one.shape, one.stride()))] += 1
        return max(alike.values(), default=0)

    def _against(self, earlier: RecordedCall, call: RecordedCall) -> None:
        """Hold ``call`` against an earlier one whose source or result has the same memory."""
        site, source = call.site, call.source
        if earlier.outcome == SHARED and earlier.source.meets(source):
            self._since_shared(earlier, call)
        elif earlier.outcome == COPIED and earlier.source.meets(source) and not earlier.alone:
            if self._changed(earlier.source) and not (earlier.header is not None and earlier.header.gone):
                earlier.site.note("source-written")
        elif earlier.outcome == COPIED and earlier.result.meets(source) and self._changed(earlier.result):
            earlier.site.note("result-written")
        result = earlier.result
        if not result.covers(source) or not result.whole or result.digest != source.digest:
            return
        back = earlier.source.dtype == call.result.dtype
        if earlier.outcome == call.outcome == COPIED and back and earlier.source.dtype != source.dtype:
            facts = Note(since=_place(earlier.site), through=source.dtype, to=call.result.dtype)
            site.note("there-and-back", facts)
        if back and earlier.source.kind == "array" and source.kind == "tensor" and call.result.kind == "array":
            site.note("round-trip", Note(since=_place(earlier.site)))

    def _since_shared(self, earlier: RecordedCall, call: RecordedCall) -> None:
        site, source = call.site, call.source
        kept = earlier.kept
        is_kept = kept is not None and kept.at not in call.at and kept.there
        # a view may be gone, and another one of the same elements be in its place
        also_held = is_kept and (earlier.held > 1 or not earlier.same)
        if site is earlier.site:
            if (is_kept or earlier.alive) and self._changed(earlier.source):
                place = _parting(earlier, call)
                if place is not None:
                    _note_alias(site, replace(place, also_held=also_held))
                else:  # as in any loop that binds one name anew; the text tells whether it is compared
                    site.note("last-changed")
            return
        if _at_one_place(earlier.site, site):
            return
        lives = not earlier.same and earlier.alive
        if not (is_kept or lives) or not self._changed(earlier.source):
            return
        place = replace(_place(earlier.site), parting=_parting(earlier, call))
        if is_kept:
            _note_alias(site, replace(place, also_held=also_held))
        if lives:
            through_result = source.name == earlier.result.name != earlier.source.name
            if not through_result or _written_elsewhere(earlier, source):
                _note_alias(site, place)

    def _changed(self, before: Fingerprint) -> bool | None:
        """Return whether the bytes are others than they were; None if that can't be told."""
        storage = before.storage
        if storage is not None and (not storage.alive or not _begins_within(before.span, storage)):
            return None
        if before.digest is None:
            return None
        now, whole = self._digest(before.span)
        if now is None:
            return None
        return True if now != before.digest else False if whole and before.whole else None

    def _digest(self, span: Span) -> tuple[bytes | None, bool]:
        """Return the hash of bytes as they are now; of one look each is read once, and not more than so many bytes."""
        hashed = self._now.get(span)
        if hashed is None:
            if self._left_to_read < 0:
                return None, False
            hashed = self._now[span] = digest(span, self._numpy)
            self._left_to_read -= min(span.nbytes, ALL)
        return hashed

    def moved(self, site: CountedSite, cdata: int, before: int) -> None:
        """Note what looks at the memory that a storage had before a call of ``site`` moved it: that is freed."""
        with self._lock:
            storage = self._storages.get(cdata)
            if storage is None:  # nothing was made of it
                return
            for call in self._memories.get(storage.root, ()):
                if call.outcome != SHARED or call.result.storage is storage is not call.source.storage:
                    continue
                if call.result.kind == "tensor" != call.source.kind:  # another tensor, which holds the array
                    continue
                low, high = call.result.bounds
                if call.alive and before <= low and high <= before + storage.nbytes:
                    site.note("source-moved", Note(since=_place(call.site), nbytes=storage.nbytes))
                    return

    # what there is to see

    def _kind(self, obj: Any) -> str:
        if issubclass(type(obj), self._numpy.ndarray):
            return "array"
        return "tensor" if self._torch is not None and issubclass(type(obj), self._torch.Tensor) else ""

    def _are_scalars(self, items: Any) -> bool:
        return len(items) >= MANY and isinstance(items[0], self._numpy.generic)

    def _is_frozen(self, obj: Any) -> bool:
        """Return True if nothing that is known of writes to the memory of ``obj``, which is read-only.

        A read-only array may be a view of one that is written, or of a file that another process writes.
        """
        memory = obj
        if issubclass(type(obj), self._numpy.ndarray):
            if is_held_writable(obj):
                return False
            if exporter(obj) is None:
                return bool(owner_of(obj).flags.owndata)
            memory = exporter(obj)
        memory = unwrapped(memory)
        return isinstance(memory, bytes) or package_of(type(memory)) in sides.IMMUTABLE

    def _resizable(self, source: Any, result: Fingerprint) -> Resizable | None:
        """Return what tells that the source of a tensor was resized or closed under it, if it can be."""
        array = self._numpy.ndarray
        owner = owner_of(source) if type(source) is array else source
        if result.kind != "tensor" or not (type(owner) is array or is_buffer(owner)):
            return None
        known = Resizable(owner)
        return known if known.holds(result.span) else None

    def _writes(self, tensor: Any) -> StorageWrites | None:
        with self._torch._C.DisableTorchFunction():
            return writes(self._torch, tensor)

    def fingerprint(self, obj: Any) -> Fingerprint | None:
        """Return what there is to see of an array or a tensor of the libraries' own types on the CPU."""
        if type(obj) in (self._numpy.ndarray, self._numpy.memmap):
            return self._array(obj)
        torch = self._torch
        if torch is not None and type(obj) in (torch.Tensor, torch.nn.Parameter):
            with torch._C.DisableTorchFunction():
                return self._tensor(obj)
        return None

    def _array(self, array: Any) -> Fingerprint:
        owner = owner_of(array)
        of = self._kind(owner.base) if owner.base is not None else ""
        storage, version, holders = None, None, 0
        if of == "tensor":
            storage, version, holders = self._behind(owner.base)
        span = Span(address_of(array), array.shape, array.strides, array.itemsize)
        hashed, whole = self._digest(span) if not array.dtype.hasobject else (None, False)
        return Fingerprint(
            kind="array",
            span=span,
            dtype=sides.dtype_name(array.dtype) or "",
            digest=hashed,
            whole=whole,
            root=_root(owner) if storage is None else storage.root,
            storage=storage,
            name=id(owner),
            version=version,
            holders=holders,
            of=of,
            readonly=not array.flags.writeable,
        )

    def _behind(self, tensor: Any) -> tuple[StorageRef | None, int | None, int]:
        """Return a tensor's storage, its version, and the number of tensors that hold the storage."""
        core = self._torch._C
        with core.DisableTorchFunction():
            version = None if tensor.is_inference() else tensor._version
            if tensor.layout is not self._torch.strided or getattr(core, "_is_cow_tensor", _never)(tensor):
                return None, version, 0
            storage = tensor.untyped_storage()
            uses = getattr(core, "_storage_Use_Count", None)
            # the storage's own object is one; a torch that does not tell leaves what rests on it unsaid
            return self._ref(storage, tensor), version, uses(storage._cdata) - 1 if uses is not None else 0

    def _ref(self, storage: Any, tensor: Any) -> StorageRef:
        ref = self._storages.get(storage._cdata)
        if ref is None or not ref.alive:
            ref = self._storages[storage._cdata] = StorageRef(self._torch, storage)
            if len(self._storages) > STORAGES:
                self._storages.popitem(last=False)
        ref.address, ref.nbytes = self._storage_address(tensor), storage.nbytes()
        return ref

    def _tensor(self, tensor: Any) -> Fingerprint | None:
        core = self._torch._C
        if tensor.layout is not self._torch.strided or tensor.is_nested or tensor.device.type != "cpu":
            return None
        if core._functorch.is_functorch_wrapped_tensor(tensor):
            return None
        storage, version, holders = self._behind(tensor)
        if storage is None:
            return None
        address, width = storage.address, tensor.itemsize
        address += tensor.storage_offset() * width if address else 0
        span = Span(address, tuple(tensor.shape), tuple(width * n for n in tensor.stride()), width)
        hashed, whole = self._digest(span) if address and _begins_within(span, storage) else (None, False)
        return Fingerprint(
            kind="tensor",
            span=span,
            dtype=sides.dtype_name(tensor.dtype) or "",
            digest=hashed,
            whole=whole,
            root=storage.root,
            storage=storage,
            name=storage.cdata,
            version=version,
            holders=holders,
            of="",
            readonly=False,
        )


def _root(owner: Any) -> Any:
    """Return what tells the memory of an array from others while it lives: the array, or what it is a buffer of."""
    base = owner.base
    address = address_of(owner)
    return ("array", id(owner), address) if base is None else _root_of_buffer(base, address)


def _of_buffer(obj: Any, result: Fingerprint) -> Fingerprint:
    """Return what there is to see of a bytearray, a map, an Arrow array: the part of it that ``result`` shows."""
    root = _root_of_buffer(obj, result.span.bounds()[0])
    return replace(result, kind="buffer", root=root, storage=None, name=id(obj), version=None, holders=0, of="")


def _root_of_buffer(obj: Any, address: int) -> Any:
    memory = unwrapped(obj)
    if issubclass(type(memory), _OWNS_MEMORY.__objclass__) and not _OWNS_MEMORY.__get__(memory):
        return ("address", ctypes.addressof(memory))  # as_array(pointer) makes another such object each time
    if not _has_buffer(memory):
        return ("address", address)  # a camera may give another object for each frame, with __array_interface__
    return ("buffer", id(memory))


def _has_buffer(obj: Any) -> bool:
    """Return True if an object has Python's buffer protocol, without asking the object itself."""
    api = getattr(ctypes, "pythonapi", None)
    return api is None or bool(api.PyObject_CheckBuffer(ctypes.py_object(obj)))


_OWNS_MEMORY: Any = ctypes.Array._b_needsfree_
"""Of an object of ctypes: whether it has memory of its own, and not a pointer's, a field's or another buffer's."""


def _note_copy(site: CountedSite, call: RecordedCall, source: Any, owns: bool) -> None:
    """Note that a call copied, and what of its source tells whether it need have."""
    site.note("copies")
    if call.source.kind == "array" and not call.source.of and type(exporter(source)) not in (bytes, type(None)):
        site.note("of-a-buffer")
    if call.alone:
        site.note("alone")
    elif owns and call.held <= 1:
        site.note("named")


def _note_alias(site: CountedSite, place: Place) -> None:
    """Note that a result of an earlier line shows other bytes by now, and each such line: one may do no harm."""
    site.note("alias-written", Note(since=place))
    note = site.notes["alias-written"]
    if place not in (note.since, *note.also):
        note.also.append(place)


def _never(tensor: Any) -> bool:
    return False


def _is_torchs(conversion: str) -> bool:
    """Return True for a conversion by torch, and not by a method of its source, as ``pl.Series.to_torch``."""
    return conversion.startswith(("torch.", "Tensor."))


def _begins_within(span: Span, storage: StorageRef) -> bool:
    """Return True if the bytes are those of the storage as it is: it may have shrunk, or its memory have moved."""
    low, high = span.bounds()
    return storage.address <= low and high <= storage.address + storage.nbytes


def _written_elsewhere(earlier: RecordedCall, now: Fingerprint) -> bool:
    """Return True if what one call made was written through the memory's other name before it was seen again.

    A tensor's memory that changed while torch counted no write was written through the array. An array's that changed,
    while a tensor holds it too, was written through one of the two behind the other's back.
    """
    if now.kind == "tensor":
        return earlier.result.version is not None and earlier.result.version == now.version
    return now.of == "tensor" and now.holders > 1  # the array itself holds one


def _of_other_bytes(calls: list[RecordedCall]) -> bool:
    """Return True if two of ``calls`` converted the same elements, with other bytes in them."""
    return len({call.source.digest for call in calls}) > len({call.source.span for call in calls})


def _at_one_place(one: CountedSite, other: CountedSite) -> bool:
    """Return True if two sites are in one line of the user's, where a library may have made either."""
    return (one.file, one.span[0]) == (other.file, other.span[0]) or bool(one.via or other.via)


def _stack(ours: Callable[[FrameType], bool]) -> tuple[_Running, ...]:
    """Return the program's functions that run, from the outside in; nothing if they are too many."""
    frame: FrameType | None = sys._getframe(1)
    found: list[_Running] = []
    while frame is not None and len(found) <= DEPTH:
        code = frame.f_code
        if ours(frame):
            found.append((code.co_filename, code.co_name, code.co_firstlineno, frame.f_lineno))
        frame = frame.f_back
    return tuple(reversed(found)) if len(found) <= DEPTH else ()


def _parting(earlier: RecordedCall, call: RecordedCall) -> Place | None:
    """Return the two lines of one function that led to two calls; None if the same line led to both."""
    for depth, (then, now) in enumerate(zip(earlier.stack, call.stack)):
        if then[:3] != now[:3]:
            return None
        if then != now:
            stacks = (one.stack[depth + 1 :] for one in (earlier, call))
            through = tuple(next((name for _, name, *_ in stack if name.isidentifier()), "") for stack in stacks)
            return replace(_place(call.site), file=then[0], line=then[3], until=now[3], through=through)
    return None


def _place(site: CountedSite) -> Place:
    return Place(file=site.file, line=site.span[0], conversion=site.conversion)


def _remembered(table: OrderedDict[Any, list[RecordedCall]], key: Any, most: int) -> list[RecordedCall]:
    """Return what is remembered of ``key``, which is the last to be forgotten from now on."""
    calls = table.setdefault(key, [])
    table.move_to_end(key)
    if len(table) > most:
        table.popitem(last=False)
    return calls


def _put(calls: list[RecordedCall], call: RecordedCall) -> None:
    calls.append(call)
    if len(calls) > CALLS:
        del calls[0]
