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

import gc
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from itertools import compress
from types import FrameType
from typing import Any

from tensorbridge_cli.tracing.inside import sides
from tensorbridge_cli.tracing.inside.classify import (
    COPIED,
    SHARED,
    answers_itself,
    exporter,
    has_own_memory,
    is_held_writable,
    owner_of,
    package_of,
    unwrapped,
)
from tensorbridge_cli.tracing.inside.counting import Cell
from tensorbridge_cli.tracing.inside.evidence import (
    Header,
    Immutable,
    Resizable,
    StorageRef,
    StorageWrites,
    TensorHeader,
    is_buffer,
    view_ref,
    writes,
)
from tensorbridge_cli.tracing.inside.fingerprint import Fingerprint, Fingerprints, has_one_storage, of_buffer
from tensorbridge_cli.tracing.inside.garbage import garbage
from tensorbridge_cli.tracing.inside.recorded_call import RecordedCall, at_one_place, parting, place_of, stack_of
from tensorbridge_cli.tracing.inside.records import Note, Place, SampleSides
from tensorbridge_cli.tracing.inside.sequences import Sequences
from tensorbridge_cli.tracing.inside.sites import CountedSite

LINES, MEMORIES, CALLS = 1024, 1024, 24

WATCHED = 2000
"""Calls of a line that are all looked at, once a result of it was written in place: until its memory comes by again."""

OBJECTS = 5_000_000
"""Objects that are looked through, in all, for who holds a result: half a million take a third of a second."""


class History:
    """Remembers calls by line and by memory, and notes at a line what it means to see one again.

    ``ours`` tells whether the code that a frame runs is the program's own.
    """

    def __init__(self, numpy: Any, torch: Any, ours: Callable[[FrameType], bool]) -> None:
        self._numpy, self._torch, self._ours = numpy, torch, ours
        self._fingerprints, self._sequences = Fingerprints(numpy, torch), Sequences(numpy, torch)
        self._lock = threading.Lock()
        self._lines: OrderedDict[Any, list[RecordedCall]] = OrderedDict()
        self._memories: OrderedDict[Any, list[RecordedCall]] = OrderedDict()
        self._left: OrderedDict[Any, tuple[bytes, int]] = OrderedDict()
        self._overwritten: dict[tuple[CountedSite, Any], int] = {}
        self._held = set[tuple[CountedSite, int]]()
        self._left_to_search = OBJECTS
        self._unheld = Counter[tuple[CountedSite, int]]()

    def inspect(self, site: CountedSite, cell: Cell, source: Any, result: Any, held: int = 1) -> None:
        """Inspect one call of ``site``; ``held`` are the references to its source that are not the call's own."""
        self._sequences.note(site, source, result)
        if cell.sample is None:
            cell.sample = SampleSides(sides.side(source), sides.side(result))
        if answers_itself(source) or answers_itself(result):
            return
        with self._lock:
            self._fingerprints.look()
            self._study(site, cell, source, result, held)

    def _study(self, site: CountedSite, cell: Cell, source: Any, result: Any, held: int) -> None:
        before, after = self._fingerprints.of(source), self._fingerprints.of(result)
        if cell.outcome == SHARED and after is not None and after.kind == "tensor":
            self._note_read_only(site, source, before)
        immutable = None
        if before is None and after is not None and cell.outcome == SHARED:
            before = of_buffer(source, after)
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
            stack=stack_of(self._ours),
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
            _append(_remembered(self._memories, key, MEMORIES), call)
        _append(line, call)

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
                self._fingerprints.look()
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
        self._fingerprints.forget()
        self._lines.clear()
        self._memories.clear()
        self._left.clear()
        self._overwritten.clear()
        self._held.clear()
        self._left_to_search = OBJECTS
        self._unheld.clear()

    # what one call shows

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
            elif own_count and call.writes is not None and call.written and self._fingerprints.changed(call.source):
                call.settled = True
                self._remember_what_was_left(call, call.writes.count)
            elif call.outcome == COPIED:
                call.settled = True
                if not call.alone:
                    self._settle_copy(call)

    def _remember_what_was_left(self, call: RecordedCall, count: int) -> None:
        """Remember the bytes that torch's writes to a result left in the memory that it shared."""
        hashed, whole = self._fingerprints.digest(call.source.span)
        if hashed is None or not whole:
            return
        self._left[call.site, call.source.root, call.source.span] = hashed, count
        if len(self._left) > WATCHED:
            self._left.popitem(last=False)
        if call.site.watched is None:
            call.site.watched = WATCHED

    def _settle_copy(self, call: RecordedCall) -> None:
        site, changed = call.site, self._fingerprints.changed(call.source)
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
        return call.written or bool(call.alive and self._fingerprints.changed(call.result))

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
            if call.immutable.is_held(holders) and self._fingerprints.changed(call.source):
                facts = Note(of=call.immutable.name, nbytes=call.source.nbytes, since=place_of(writer.site))
                call.site.note("immutable-written", facts)
                call.immutable = None

    def _settle_again(self, site: CountedSite, line: list[RecordedCall]) -> None:
        """Note what was written to copies that were kept, and settled when their line came by again."""
        for call in line:
            if (
                call.outcome == COPIED
                and not call.alone
                and (call.written or (call.alive and self._fingerprints.changed(call.result)))
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
            changed = [earlier for earlier in alive if self._fingerprints.changed(earlier.source)]
            # several may have been made to watch one memory: it was overwritten between two calls, and not after all
            is_overwritten = len(alive) >= 2 and changed and (call is not None or _of_other_bytes(alive))
            if is_overwritten and self._are_held(alive, 2, at_end=call is None):
                # of old = get(net) and new = get(net) the text tells whether old is used after that
                apart = len({earlier.stack for earlier in alive}) == len(alive)
                self._note_stored(site, root, len(changed), "stored-by-lines" if apart else "buffer-stored-twice")
            elif call is not None and call.alive is None is calls[0].alive and self._grew(calls, call):
                changed = [earlier for earlier in calls if self._fingerprints.changed(earlier.source)]
                if len(changed) >= 2:
                    self._note_stored(site, root, len(changed))

    def _are_held(self, calls: list[RecordedCall], least: int = 1, *, at_end: bool = False) -> bool:
        """Return True if something uses so many of the results that live, or may: what garbage holds, nobody misses.

        All objects of the program are looked through for this: for calls of one line until it is so, and not each time.
        After ``OBJECTS`` it is taken to be so, but for lines whose results were always held by garbage.
        """
        key = calls[0].site, least
        if key in self._held:
            return True
        times = self._unheld[key] + 1
        if times & (times - 1) and not at_end:
            self._unheld[key] = times
            return False
        self._left_to_search -= len(gc.get_objects())
        if self._left_to_search < 0:
            return times == 1
        self._unheld[key] = times
        objects = [view for view in [one.view() for one in calls if one.view is not None] if view is not None]
        results = [[id(one)] for one in objects]
        of_tensors = (one.result.storage for one in calls if one.view is None)
        storages = {storage.cdata: storage for storage in of_tensors if storage is not None}
        tensors: dict[int, list[int]] = {cdata: [] for cdata in storages}
        if storages:
            with self._torch._C.DisableTorchFunction():
                for tensor in self._tensors(storages):
                    tensors[tensor.untyped_storage()._cdata].append(id(tensor))
                    objects.append(tensor)
                    del tensor
        # garbage is collected at any time, also since it was asked whether the results live
        results += [tensors[cdata] for cdata, storage in storages.items() if storage.alive]
        unused = garbage(objects)
        # what no tensor shows is held by torch: a graph has it
        if sum(not ids or not unused.issuperset(ids) for ids in results) < least:
            return False
        self._held.add(key)
        return True

    def _note_stored(self, site: CountedSite, root: Any, changed: int, code: str = "buffer-stored-twice") -> None:
        """Note how many results over one memory were overwritten; a line may take several buffers in turn."""
        site.note(code, Note(since=place_of(site)))
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
        if any(earlier.outcome == SHARED and self._fingerprints.changed(earlier.source) for earlier in held):
            site.note("still-held")

    def _grew(self, calls: list[RecordedCall], now: RecordedCall) -> bool:
        """Return True if more refers to the source than at the first call: to itself, or tensors of its elements.

        That more tensors hold its storage is not enough: a program may keep each row, and look at all rows each time.
        """
        first, second = calls[0], calls[min(1, len(calls) - 1)]
        if first.same is not now.same:
            return False
        # at the second call of a loop all names are bound that a pass binds: to a result, and to what is made of it
        if now.same and first.source.owner == now.source.owner and now.held - first.held >= 2:
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
        alike = Counter[Any]()
        with self._torch._C.DisableTorchFunction():
            for one in self._tensors({storage.cdata}):
                alike[one.storage_offset(), frozenset(zip(one.shape, one.stride()))] += 1
        return max(alike.values(), default=0)

    def _tensors(self, cdata: Collection[int]) -> Iterator[Any]:
        """Yield the live tensors of storages, given by their ``cdata``; torch must not call functions of the user's."""
        torch = self._torch
        objects, kinds = gc.get_objects(), frozenset((torch.Tensor, torch.nn.Parameter))
        for one in compress(objects, map(kinds.__contains__, map(type, objects))):
            if has_one_storage(one, torch) and one.untyped_storage()._cdata in cdata:
                yield one

    def _against(self, earlier: RecordedCall, call: RecordedCall) -> None:
        """Hold ``call`` against an earlier one whose source or result has the same memory."""
        site, source = call.site, call.source
        if earlier.outcome == SHARED and earlier.source.meets(source):
            self._since_shared(earlier, call)
        elif earlier.outcome == COPIED and earlier.source.meets(source) and not earlier.alone:
            if self._fingerprints.changed(earlier.source) and not (earlier.header is not None and earlier.header.gone):
                earlier.site.note("source-written")
        elif earlier.outcome == COPIED and earlier.result.meets(source) and self._fingerprints.changed(earlier.result):
            earlier.site.note("result-written")
        result = earlier.result
        if not result.covers(source) or not result.whole or result.digest != source.digest:
            return
        back = earlier.source.dtype == call.result.dtype
        if earlier.outcome == call.outcome == COPIED and back and earlier.source.dtype != source.dtype:
            facts = Note(since=place_of(earlier.site), through=source.dtype, to=call.result.dtype)
            site.note("there-and-back", facts)
        # of several tensors over one array each has a storage of its own
        created = result.kind == source.kind == "tensor" and result.storage is source.storage
        if back and created and earlier.source.kind == call.result.kind == "array":
            site.note("round-trip", Note(since=place_of(earlier.site)))

    def _since_shared(self, earlier: RecordedCall, call: RecordedCall) -> None:
        site, source = call.site, call.source
        kept = earlier.kept
        is_kept = kept is not None and kept.at not in call.at and kept.there
        # a view may be gone, and another one of the same elements be in its place
        also_held = is_kept and (earlier.held > 1 or not earlier.same)
        if site is earlier.site:
            if (is_kept or earlier.alive) and self._fingerprints.changed(earlier.source):
                place = parting(earlier, call)
                if place is not None:
                    if is_kept or self._are_held([earlier]):
                        _note_alias(site, replace(place, also_held=also_held))
                else:  # as in any loop that binds one name anew; the text tells whether it is compared
                    site.note("last-changed")
            return
        if at_one_place(earlier.site, site):
            return
        lives = not earlier.same and earlier.alive
        if not (is_kept or lives) or not self._fingerprints.changed(earlier.source):
            return
        place = replace(place_of(earlier.site), parting=parting(earlier, call))
        if is_kept:
            _note_alias(site, replace(place, also_held=also_held))
        if lives:
            through_result = source.owner == earlier.result.owner != earlier.source.owner
            is_written = not through_result or _written_elsewhere(earlier, source)
            if is_written and self._are_held([earlier]):
                _note_alias(site, place)

    def moved(self, site: CountedSite, cdata: int, before: int) -> None:
        """Note what looks at the memory that a storage had before a call of ``site`` moved it: that is freed."""
        with self._lock:
            storage = self._fingerprints.storage(cdata)
            if storage is None:  # nothing was made of it
                return
            for call in self._memories.get(storage.root, ()):
                if call.outcome != SHARED or call.result.storage is storage is not call.source.storage:
                    continue
                if call.result.kind == "tensor" != call.source.kind:  # another tensor, which holds the array
                    continue
                low, high = call.result.bounds
                if call.alive and before <= low and high <= before + storage.nbytes:
                    site.note("source-moved", Note(since=place_of(call.site), nbytes=storage.nbytes))
                    return

    # what there is to see

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


def _remembered(table: OrderedDict[Any, list[RecordedCall]], key: Any, most: int) -> list[RecordedCall]:
    """Return what is remembered of ``key``, which is the last to be forgotten from now on."""
    calls = table.setdefault(key, [])
    table.move_to_end(key)
    if len(table) > most:
        table.popitem(last=False)
    return calls


def _append(calls: list[RecordedCall], call: RecordedCall) -> None:
    calls.append(call)
    if len(calls) > CALLS:
        del calls[0]
