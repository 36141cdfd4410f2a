"""What a conversion left: the source compared with itself before it, and the result compared with the source."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tensorbridge_cli.compat import zip_equal
from tensorbridge_cli.lab.experiment import Facts, Given
from tensorbridge_cli.memory import carriers, describe
from tensorbridge_cli.memory.arrays import outermost
from tensorbridge_cli.memory.moment import moment
from tensorbridge_cli.memory.parts import (
    address,
    extents,
    has_names,
    is_its_bytes,
    is_lazy_clone,
    parts,
    shape_of,
)
from tensorbridge_cli.memory.relation import relation
from tensorbridge_cli.memory.values import differing, octets, read, texts_apart
from tensorbridge_cli.records.enums import Values
from tensorbridge_cli.records.report import Change, Extent, Extents, Object
from tensorbridge_cli.records.words import amount
from tensorbridge_cli.subjects import fills


def libraries_of(*objects: Any) -> tuple[tuple[str, str], ...]:
    """Return the name and version of each library that has one of ``objects``, beside NumPy and PyTorch."""
    return tuple(dict.fromkeys(filter(None, map(carriers.version, objects))))


@dataclass(frozen=True)
class Examined:
    """What an object was at one moment; ``values`` as ``read`` returns them."""

    described: Object
    extents: tuple[Extent, ...]
    values: list[Any] | None


@dataclass(frozen=True)
class Before(Examined):
    """What the source was before the conversion; ``octets`` are its bytes, and ``is_lazy`` is True for a lazy clone.

    ``signature`` is what all the rest follows from; ``None`` if that cannot be said of it.
    """

    octets: tuple[bytes, ...] | None
    is_lazy: bool
    signature: tuple[Any, ...] | None


def inspect(obj: Any) -> Examined:
    """Describe and read ``obj`` as it is now."""
    return Examined(describe.describe(obj), extents(obj), read(obj))


def inspect_before(source: Any) -> Before:
    """Describe and read the source before the conversion."""
    examined, content, is_lazy = inspect(source), octets(source), is_lazy_clone(source)
    return Before(
        examined.described,
        examined.extents,
        examined.values,
        octets=content,
        is_lazy=is_lazy,
        signature=None if is_lazy else _signature(source, content),
    )


def inspect_again(source: Any, was: Before) -> Examined:
    """Return what the source is now: ``was`` itself if all that this follows from is as it was, as it mostly is."""
    if was.signature is not None and _signature(source, octets(source)) == was.signature:
        return was
    return inspect(source)


def _signature(obj: Any, content: tuple[bytes, ...] | None) -> tuple[Any, ...] | None:
    """Return all that ``inspect`` derives from what it says of a plain array or tensor with the bytes ``content``.

    To compare two of these takes a tenth of the time of ``inspect``. ``None`` if more than this decides: for an object
    of any other type, for one with the memory of something else, and for a large one, which is not read whole.
    """
    if content is None or not is_its_bytes(obj):
        return None
    if isinstance(obj, np.ndarray):
        owner = outermost(obj)
        if owner.base is not None or obj.size > fills.FULL:
            return None
        place = (address(owner), owner.nbytes, address(obj), obj.shape, obj.strides)
        return type(obj), obj.dtype, place, obj.flags.num, content
    if obj.numel() > fills.FULL or obj.device.type != "cpu":
        return None
    place = (address(obj), obj.shape, obj.stride(), obj.storage_offset(), obj.untyped_storage().nbytes())
    lazy = (obj.is_conj(), obj.is_neg(), obj._is_zerotensor())
    return type(obj), obj.dtype, place, lazy, obj.requires_grad, describe.is_leaf(obj), describe.version(obj), content


_COMPARED = ("type", "dtype", "shape", "strides", "writable", "requires_grad", "is_leaf", "version")


def changes_of(source: Any, was: Before, now: Examined) -> tuple[Change, ...]:
    """Compare the source with what it was before the conversion."""
    if now is was:
        return ()
    changes = [
        Change(fact=fact, before=str(getattr(was.described, fact)), after=str(getattr(now.described, fact)))
        for fact in _COMPARED
        if getattr(was.described, fact) != getattr(now.described, fact)
    ]
    if len(was.extents) == len(now.extents):
        changes += _moves(was.extents, now.extents, was.is_lazy and not is_lazy_clone(source))
    else:
        changes += _regrouped(was.extents, now.extents)
    if was.values is not None and now.values is not None:
        if places := differing(was.values, now.values):
            first = places[0]
            texts = texts_apart(was.values[first], source, now.values[first], source)
            changes.append(Change(fact="values", before=texts[0], after=texts[1]))
        elif was.octets is not None and _joined(was.octets) != _joined(octets(source)):
            changes.append(Change(fact="bytes", before="one encoding of the values", after="another"))
    return tuple(changes)


def _joined(content: tuple[bytes, ...] | None) -> bytes | None:
    """Return the bytes of all parts: the same if only the parts are others, as where polars joins chunks."""
    return None if content is None else b"".join(content)


def _regrouped(was: tuple[Extent, ...], now: tuple[Extent, ...]) -> list[Change]:
    """Return the move of a source that has more or fewer parts than before, e.g. chunks that were joined."""
    old, new = ({(int(one.storage_start, 16), int(one.storage_stop, 16)) for one in side} for side in (was, now))
    if not old - new or not new - old:
        return []
    copied = sum(stop - start for start, stop in new - old)
    before, after = (amount(len(side), "part") for side in (was, now))
    return [Change(fact="storage", before=before, after=after, copied_bytes=copied)]


def _moves(was: tuple[Extent, ...], now: tuple[Extent, ...], copied_late: bool) -> list[Change]:
    """Return where the bytes of the source lie elsewhere than before, and how many were copied there.

    A lazy clone's copy is put off until something asks for its address: that it is made then is not a surprise.
    """
    changes: list[Change] = []
    copied: set[tuple[int, int]] = set()
    for old, new in zip_equal(was, now):
        before, after = ((int(one.storage_start, 16), int(one.storage_stop, 16)) for one in (old, new))
        if before[0] == before[1] and after[0] == after[1]:
            continue  # where no bytes lie is chance: pandas makes an empty block each time
        if before != after:
            size = after[1] - after[0] if after not in copied and before[0] != after[0] else 0
            copied.add(after)
            texts = (f"{one.storage_start} to {one.storage_stop}" for one in (old, new))
            fact = "lazy" if copied_late else "storage"
            changes.append(Change(fact=fact, before=next(texts), after=next(texts), copied_bytes=size))
        elif old.start != new.start:
            changes.append(Change(fact="address", before=old.start, after=new.start))
    return changes


def compare(source: Any, now: Examined, result: Any, before: list[Any] | None, facts: Facts) -> list[Any] | None:
    """Record both objects, how their bytes lie to each other, and whether the values are the same.

    ``now`` is what the source is after the conversion, ``before`` its values before it. The result's values are
    returned.
    """
    with moment:
        of_result = inspect(result)
        facts.relation = relation(source, result)
    facts.source, facts.result = now.described, of_result.described
    facts.libraries = libraries_of(source, result)
    facts.extents = Extents(source=now.extents, result=of_result.extents)
    if facts.result.owner == "PyCapsule" and facts.relation.same_storage:
        # a capsule of DLPack keeps alive what it was made of, and does not tell its name
        owner = facts.source.type if facts.source.owner == "itself" else facts.source.owner
        facts.result = replace(facts.result, owner=owner)
    _compare_values(source, now.values, result, of_result.values, before, facts)
    return of_result.values


def _compare_values(
    source: Any,
    after: list[Any] | None,
    result: Any,
    values: list[Any] | None,
    before: list[Any] | None,
    facts: Facts,
) -> None:
    shape = shape_of(source)
    if before is None or values is None:
        facts.values = Values.UNKNOWN
        return
    # a container with names has no shape: its values are those of its parts, in order
    if not (has_names(source) or has_names(result)) and shape != shape_of(result):
        facts.values = Values.CHANGED
        facts.difference = f"the shape is {shape_of(result)} instead of {shape}"
        return
    if _raw(before) != _raw(values) or len(before) != len(values):
        facts.values = Values.UNKNOWN
        return
    for what, compared in (("became", values), ("is, in the source itself,", before if after is None else after)):
        if different := differing(before, compared):
            first = different[0]
            facts.values = Values.CHANGED
            was, becomes = texts_apart(before[first], source, compared[first], result if compared is values else source)
            facts.difference = (
                f"{len(different)} of {len(before)} values differ, first at "
                f"{_index_text(first, shape, len(before))}: {was} {what} {becomes}"
            )
            return
    size = math.prod(shape) if shape is not None else sum(math.prod(part.shape) for _, part in parts(source))
    facts.values = Values.SAMPLED_EQUAL if size > len(before) else Values.EQUAL


def name_owner(given: Given | None, facts: Facts) -> None:
    """Name the owner of the live object's memory, where its replica's is another, also of a result over that memory."""
    if given is None or given.owner is None or facts.source is None:
        return
    of_replica = facts.source.owner
    facts.source = replace(facts.source, owner=given.owner)
    if facts.result is not None and facts.relation.same_storage and facts.result.owner == of_replica:
        facts.result = replace(facts.result, owner=given.owner)


def _index_text(nth: int, shape: tuple[int, ...] | None, count: int) -> str:
    """Return the index of the ``nth`` value that was read, or its number where the values have no one shape."""
    places = [] if shape is None else fills.positions(shape)
    if shape is None or len(places) != count:
        return f"value {nth}"
    return str(list(fills.index_of(places[nth], shape)))


def _raw(values: list[Any]) -> bool:
    """Tell whether ``values`` are bytes that stand for elements."""
    return bool(values) and isinstance(values[0], str) and values[0].startswith("0x")
