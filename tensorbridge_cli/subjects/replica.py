"""A live object carried into the lab: its description and bytes in files, read here, built anew where it is tried.

The object's own process is not forked, since in a used one a forked child may hang, and the object is only read. Of one
that lies in more than ``FULL`` bytes, only the pages that are inspected are carried, the rest is zero.
"""

from __future__ import annotations

import array
import ctypes
import pickle
import warnings
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tensorbridge_cli.catalog import dtypes
from tensorbridge_cli.compat import dataclass, zip_equal
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.memory import arrays, carriers, describe, mapping
from tensorbridge_cli.memory.parts import address, has_names, is_dense, landmarks, nbytes, parts, span, storage
from tensorbridge_cli.memory.storages import is_resizable
from tensorbridge_cli.pytorch import Tensor, torch
from tensorbridge_cli.records.enums import Library
from tensorbridge_cli.records.words import with_article

FULL = 64 << 20
"""Storages of up to so many bytes are carried whole."""

_PAGE = 4096
_KEYS = (str, int, float, bool, type(None))
_ARRAYS = {kind.__name__: kind for kind in (np.ndarray, np.memmap, np.matrix)}


@dataclass(frozen=True, kw_only=True)
class _Bytes:
    """The storage: where in the file its ``pieces`` (offset, bytes) lie one after the other, and ``lead`` in a page.

    ``protected``: its pages refuse writes, whatever a flag says, and the process that writes there dies.
    """

    start: int
    nbytes: int
    lead: int
    pieces: tuple[tuple[int, int], ...]
    protected: bool


@dataclass(frozen=True, kw_only=True)
class _ArrayReplica:
    """An array over a storage; ``strides`` and ``offset`` are bytes. ``owner`` is the shape and dtype of what owns it.

    ``owner`` is ``None`` if the memory is mapped, or is not an array's.
    """

    kind: str
    dtype: Any
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    writable: bool
    owns: bool
    mode: str | None
    owner: tuple[tuple[int, ...], Any] | None
    storage: _Bytes


@dataclass(frozen=True, kw_only=True)
class _TensorReplica:
    """A strided tensor; ``strides`` and ``offset`` are elements, as torch counts them."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    words: frozenset[str]
    requires_grad: bool
    resizable: bool
    storage: _Bytes | None


@dataclass(frozen=True, kw_only=True)
class _Compound:
    """What is made of other replicas, or pickled: a list, a dict, a masked array, a sparse tensor, a number, a text."""

    kind: str
    parts: tuple[Any, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


# In the object's own process ---------------------------------------------------------------------


def carry(obj: Any, folder: Path, name: str) -> str:
    """Write what a replica of ``obj`` is made of to ``folder``; return the file for ``build``.

    Raises:
        RequestError: for a kind of object of which no faithful replica can be made.
    """
    with (folder / f"{name}.bytes").open("wb") as out:
        replica = _described(obj, out)
    path = folder / f"{name}.replica"
    path.write_bytes(pickle.dumps(replica))
    return str(path)


def _described(obj: Any, out: Any) -> Any:
    if isinstance(obj, Tensor):
        return _described_tensor(obj, out)
    if isinstance(obj, np.ma.MaskedArray) and type(obj) is np.ma.MaskedArray:
        parts = [obj.data] if obj.mask is np.ma.nomask else [obj.data, obj.mask]
        return _Compound(
            kind="masked",
            parts=tuple(_described(part, out) for part in parts),
            facts={"fill_value": obj._fill_value, "hard": obj.hardmask},  # type: ignore[attr-defined]
        )
    if isinstance(obj, np.ndarray):
        return _described_array(obj, out)
    if type(obj) in (list, tuple):
        return _Compound(kind=type(obj).__name__, parts=tuple(_described_item(item, out) for item in obj))
    if type(obj) is dict and all(type(key) in _KEYS for key in obj):
        values = tuple(_described_item(item, out) for item in obj.values())
        return _Compound(kind="dict", parts=values, facts={"keys": tuple(obj)})
    if isinstance(obj, np.generic) and obj.dtype.kind != "O":
        return _Compound(kind="scalar", facts={"value": obj})
    if type(obj) in (bool, int, float, complex):
        return _Compound(kind="number", facts={"value": obj})
    if carriers.carrier_of(obj) is not None:
        return _taken_carrier(obj)
    if has_names(obj):
        raise _no_replica(obj, "", _CODE)
    raise RequestError(f"{describe.no_source(obj)}.")


def _described_item(item: Any, out: Any) -> Any:
    """Describe what a container holds: text and ``None`` may stand beside arrays."""
    if item is None or type(item) is str:
        return _Compound(kind="constant", facts={"value": item})
    return _described(item, out)


def _described_array(array: np.ndarray[Any, Any], out: Any) -> _ArrayReplica:
    kind = type(array).__name__
    if _ARRAYS.get(kind) is not type(array):
        raise _no_replica(array, "of this class", "np.asarray(x)")
    if array.dtype.hasobject:
        of = "of Python objects" if array.dtype.kind in "OV" else f"of dtype {dtypes.name_of(array.dtype)}"
        raise _no_replica(array, of, _CODE)
    owned = storage(array)
    assert owned is not None
    outermost = arrays.outermost(array)
    mapped = isinstance(array, np.memmap) and array._mmap is not None  # type: ignore[attr-defined]
    plain = outermost.base is None and outermost.flags.c_contiguous and type(outermost) is np.ndarray
    return _ArrayReplica(
        kind=kind,
        dtype=_pickled(array.dtype),
        shape=array.shape,
        strides=array.strides,
        offset=address(array) - owned[0],  # type: ignore[operator]
        writable=array.flags.writeable,
        owns=array.base is None,
        mode=array.mode if mapped else None,  # type: ignore[attr-defined]
        owner=(outermost.shape, _pickled(outermost.dtype)) if plain else None,
        storage=_stored(owned, array, out),
    )


def _taken_carrier(obj: Any) -> _Compound:
    """Take what owns its memory: a map, a view of another object's or a library's object would become another kind."""
    carrier = carriers.carrier_of(obj)
    if type(obj) not in (bytes, bytearray, array.array) and not (carrier is not None and carrier.pickles):
        raise _no_replica(obj, "", _CODE)
    if carrier is not None and carrier.library is Library.JAX and str(obj.dtype) in _WIDE:
        # unpickled where JAX has its default setting, it would have 32 bits
        raise RequestError(
            f"a jax.Array of {obj.dtype} cannot be replicated exactly: pass the code that creates it as expr."
        )
    if nbytes(obj) > FULL:
        raise _no_replica(obj, f"of more than {FULL:,} bytes")
    return _Compound(kind="buffer", facts={"value": obj})


_WIDE = ("int64", "uint64", "float64", "complex128")


def _pickled(dtype: np.dtype[Any]) -> Any:
    """Return what stands for ``dtype`` in a pickle, where one that a package registered becomes raw bytes.

    Its type, unless the byte order is the other one, which the type does not have.
    """
    return dtype.type if dtypes.is_registered(dtype) and dtype.isnative else dtype


def _described_tensor(tensor: torch.Tensor, out: Any) -> Any:
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        raise _no_replica(tensor, "of this class", "x.as_subclass(torch.Tensor)")
    if tensor.device.type not in ("cpu", "meta"):
        raise _no_replica(tensor, f"on {tensor.device}", _CODE)
    if tensor.is_nested or tensor.is_mkldnn or tensor.is_quantized:
        raise _no_replica(tensor, "of this kind", _CODE)
    if describe.is_leaf(tensor) is None:
        raise _no_replica(tensor, "that was written through its base with gradients", "x.detach()")
    facts = {"shape": tuple(tensor.shape), "requires_grad": tensor.requires_grad, "leaf": tensor.is_leaf}
    if not is_dense(tensor):
        compressed = (torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)
        if tensor.layout is not torch.sparse_coo and tensor.layout not in compressed:
            raise _no_replica(tensor, "of this layout", _CODE)
        by_name = dict(parts(tensor.detach()))
        if tensor.layout is torch.sparse_coo:
            facts["coalesced"] = tensor.is_coalesced()
        return _Compound(
            kind="sparse",
            parts=tuple(_described(part, out) for part in by_name.values()),
            facts={**facts, "layout": tensor.layout},
        )
    words = describe.words(tensor) | ({"parameter"} if type(tensor) is torch.nn.Parameter else set())
    owned = None if words & {"meta", "zero-tensor"} else storage(tensor)
    return _TensorReplica(
        dtype=tensor.dtype,
        shape=tuple(tensor.shape),
        strides=tuple(tensor.stride()),
        offset=int(tensor.storage_offset()),
        words=frozenset(words),
        requires_grad=tensor.requires_grad,
        resizable=owned is None or _is_allocated_by_torch(tensor.untyped_storage()),
        storage=None if owned is None else _stored(owned, tensor, out),
    )


_ALIGNED = 64
"""What the addresses are multiples of that torch allocates on the CPU.

https://github.com/pytorch/pytorch/blob/main/c10/core/alignment.h (gAlignment)
"""


def _is_allocated_by_torch(storage: torch.UntypedStorage) -> bool:
    """Return True for memory of torch's own; its address alone tells with torch 2.1, and may be so by chance."""
    known = is_resizable(storage)
    return storage.data_ptr() % _ALIGNED == 0 if known is None else known


def _no_replica(obj: Any, which: str, instead: str = "") -> RequestError:
    """Return the refusal of ``obj``; ``which`` of its type cannot be replicated, and what to pass ``instead``."""
    name = " ".join(filter(None, (with_article(describe.type_name(obj)), which)))
    carrier = carriers.carrier_of(obj)
    if carrier is not None and carrier.uses_threads:  # with replica=False it is refused, too
        return RequestError(f"{name} cannot be replicated exactly: pass {instead or _CODE}.")
    other = f", or pass {instead}" if instead else ""
    return RequestError(f"{name} cannot be replicated exactly; use replica=False to test the object itself{other}.")


_CODE = "the code that creates it as expr"


def _stored(owned: tuple[int, int], dense: Any, out: Any) -> _Bytes:
    low, high = owned
    pieces = ((0, high - low),) if high - low <= FULL else tuple(_sampled_pages(dense, low, high))
    start = out.tell()
    for offset, count in pieces:
        if count:
            out.write(_read(low + offset, count))
    return _Bytes(
        start=start, nbytes=high - low, lead=low % _PAGE, pieces=pieces, protected=_is_protected(dense, low, high)
    )


def _read(address: int, nbytes: int) -> bytes | memoryview:
    """Return the bytes at ``address``: memory of a user's may be gone, protected or cut off, and a load would be fatal.

    Raises:
        RequestError: if they cannot be read.
    """
    if not mapping.reads_safely():
        return memoryview((ctypes.c_char * nbytes).from_address(address))
    content = mapping.read(address, nbytes)
    if content is None:
        raise RequestError("the object's memory cannot be read: it is protected, or its file was truncated.")
    return content


def _is_protected(dense: Any, low: int, high: int) -> bool:
    """Return True if the pages refuse writes.

    Raises:
        RequestError: if some do and others do not.
    """
    reached = span(dense)
    start, stop = reached.bounds() if reached is not None else (low, low)
    if low == high or start == stop:
        return False
    regions = mapping.regions()
    if mapping.lookup(low, high - low, regions).writable is not False:
        return False
    if mapping.lookup(low, high - low, regions).sharing == mapping.UNKNOWN:
        raise RequestError("the object's memory is no longer mapped.")
    pages = [region.writable for region in regions or () if region.start < stop and start < region.stop]
    if any(pages) and not all(pages):
        raise _no_replica(dense, "over pages that are only partly writable", "a copy")
    return not any(pages)


def _sampled_pages(dense: Any, low: int, high: int) -> list[tuple[int, int]]:
    """Return the pages of a large storage in which the elements lie that are read."""
    width = dense.itemsize
    pages = {page for at in landmarks(dense) for page in (at // _PAGE, (at + width - 1) // _PAGE)}
    spans = [(max(low, page * _PAGE), min(high, (page + 1) * _PAGE)) for page in sorted(pages)]
    return [(start - low, stop - start) for start, stop in spans if start < stop]


# Where it is tried -------------------------------------------------------------------------------


def build(path: str) -> Any:
    """Make the replica that ``carry`` wrote to ``path``, afresh."""
    replica = pickle.loads(Path(path).read_bytes())  # noqa: S301 - written by carry, to a folder of our own
    return _rebuild(replica, Path(path).with_suffix(".bytes"))


def is_sampled(path: str) -> bool:
    """Return True if the replica at ``path`` has only the values that are inspected."""
    replica = pickle.loads(Path(path).read_bytes())  # noqa: S301 - as above
    storage = getattr(replica, "storage", None)
    return storage is not None and sum(count for _, count in storage.pieces) < storage.nbytes


def _rebuild(replica: Any, source: Path) -> Any:
    if isinstance(replica, _ArrayReplica):
        return _rebuild_array(replica, source)
    if isinstance(replica, _TensorReplica):
        return _rebuild_tensor(replica, source)
    parts = [_rebuild(part, source) for part in replica.parts]
    if replica.kind in ("list", "tuple"):
        return parts if replica.kind == "list" else tuple(parts)
    if replica.kind == "dict":
        return dict(zip_equal(replica.facts["keys"], parts))
    if replica.kind == "masked":
        mask = parts[1] if len(parts) > 1 else np.ma.nomask
        masked: Any = np.ma.MaskedArray(parts[0], mask, hard_mask=replica.facts["hard"], copy=False)
        masked._fill_value = replica.facts["fill_value"]
        return masked
    if replica.kind == "sparse":
        return _rebuild_sparse(parts, replica.facts)
    return replica.facts["value"]


def _fill(into: Any, storage: _Bytes, source: Path) -> None:
    """Read the bytes of ``storage`` into the writable buffer ``into``."""
    view = memoryview(into).cast("B")
    with source.open("rb") as file:
        file.seek(storage.start)
        for offset, count in storage.pieces:
            file.readinto(view[offset : offset + count])


def _mapped(storage: _Bytes, source: Path, mode: Literal["r", "c"]) -> Any:
    """Return the bytes of ``storage`` as a private map of a file of their own, which is written once."""
    path = source.with_suffix(f".{storage.start}.map")
    if not path.exists():
        with path.open("wb") as file, source.open("rb") as data:
            file.truncate(storage.lead + storage.nbytes)
            data.seek(storage.start)
            for offset, count in storage.pieces:
                file.seek(storage.lead + offset)
                file.write(data.read(count))
    return np.memmap(path, np.uint8, mode, storage.lead, (storage.nbytes,))


def _over(pages: Any) -> torch.Tensor:
    """Return a tensor over ``pages`` that cannot be written, without the warning of that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.from_numpy(np.asarray(pages))


def _blank(nbytes: int, lead: int) -> np.ndarray[Any, Any]:
    """Return so many zeros, lazily allocated, that begin where in a cache line the original's bytes begin."""
    spare: Any = np.zeros(nbytes + 64, np.uint8)
    skip = (lead - spare.ctypes.data) % 64
    # over a memoryview, which like what owned the original is not an array, and reaches these bytes only
    return np.frombuffer(memoryview(spare)[skip : skip + nbytes], np.uint8) if nbytes else spare[:0]


def _rebuild_array(replica: _ArrayReplica, source: Path) -> Any:
    if replica.mode is not None:
        return _made_map(replica, source)
    if replica.storage.protected:
        pages = _mapped(replica.storage, source, "r")
        if replica.storage.lead:  # the storage begins within a page, and a map where the page does
            pages = np.frombuffer(memoryview(pages), np.uint8)
        # a flag may allow what the pages refuse: an array that came back from torch lost the flag of the map
        return _view(replica, _over(pages).numpy() if replica.writable else pages)
    if replica.owns:
        # as raw bytes of the same size: as_strided asks for ``dtype.str``, which no registered dtype has
        raw = np.empty((), f"V{np.dtype(replica.dtype).itemsize}")
        like: Any = np.lib.stride_tricks.as_strided(raw, replica.shape, replica.strides)
        array: Any = np.empty_like(like, dtype=replica.dtype, order="K")
        if array.strides == replica.strides:
            if array.nbytes:
                _fill((ctypes.c_char * array.nbytes).from_address(array.ctypes.data), replica.storage, source)
            array.flags.writeable = replica.writable
            return array
    if replica.owner is not None:
        owner: Any = np.zeros(*replica.owner)
        buffer = owner.reshape(-1).view(np.uint8) if owner.nbytes else owner
    else:
        owner = buffer = _blank(replica.storage.nbytes, replica.storage.lead)
    if buffer.nbytes:
        _fill(buffer, replica.storage, source)
    return _view(replica, owner)


def _view(replica: _ArrayReplica, owner: Any) -> Any:
    """Return the array over the memory of ``owner``."""
    kind: Any = _ARRAYS[replica.kind]
    empty = 0 in replica.shape  # may begin where its owner has nothing
    offset = min(max(0, replica.offset), owner.nbytes) if empty else replica.offset
    array = np.ndarray(replica.shape, replica.dtype, owner, offset, replica.strides)
    if kind is not np.ndarray:
        array = array.view(kind)
    array.flags.writeable = replica.writable
    return array


def _made_map(replica: _ArrayReplica, source: Path) -> Any:
    """Map the bytes privately, whatever the mode: the next replica is made of the same file."""
    mapped = _mapped(replica.storage, source, "r" if replica.storage.protected or replica.mode == "r" else "c")
    array: Any = np.ndarray.__new__(np.memmap, replica.shape, replica.dtype, mapped, replica.offset, replica.strides)
    array._mmap, array.mode, array.filename, array.offset = mapped._mmap, replica.mode, mapped.filename, replica.offset
    array.flags.writeable = replica.writable
    return array


def _grown(make: Callable[[], Any]) -> Any:
    """Return what ``make`` makes, with a history and the memory that it had before."""

    class Grown(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, root: torch.Tensor) -> Any:
            return make()

    return Grown.apply(torch.zeros((), requires_grad=True))  # type: ignore[no-untyped-call]


def _rebuild_tensor(replica: _TensorReplica, source: Path) -> Any:
    with torch.inference_mode("inference" in replica.words):
        if "non-leaf" in replica.words:
            return _grown(lambda: _made_strided(replica, source))
        tensor = _made_strided(replica, source)
    if "parameter" in replica.words:
        return torch.nn.Parameter(tensor, requires_grad=replica.requires_grad)
    return tensor.requires_grad_() if replica.requires_grad else tensor


def _made_strided(replica: _TensorReplica, source: Path) -> torch.Tensor:
    device = "meta" if "meta" in replica.words else "cpu"
    tensor = torch.empty(0, dtype=replica.dtype, device=device)
    if "zero-tensor" in replica.words:
        return torch._efficientzerotensor(replica.shape, dtype=replica.dtype)
    if replica.storage is None:
        return torch.empty_strided(replica.shape, replica.strides, dtype=replica.dtype, device=device)
    if replica.storage.nbytes:
        if replica.storage.protected:
            octets = _over(_mapped(replica.storage, source, "r"))
        elif replica.resizable:
            octets = torch.empty(replica.storage.nbytes, dtype=torch.uint8)
        else:
            octets = torch.from_numpy(_blank(replica.storage.nbytes, replica.storage.lead))
        if not replica.storage.protected:
            _fill(_window(octets), replica.storage, source)
        storage = octets.untyped_storage()
        if "shared-memory" in replica.words:
            storage.share_memory_()
        tensor.set_(storage, replica.offset, replica.shape, replica.strides)
    else:
        tensor = torch.empty_strided(replica.shape, replica.strides, dtype=replica.dtype)
    if "lazy-clone" in replica.words:
        original = tensor
        tensor = torch._lazy_clone(original)
        tensor._original = original  # type: ignore[attr-defined]  # a lazy clone is one as long as the original lives
    if "conjugate-bit" in replica.words:
        tensor = torch._conj(tensor)
    return tensor._neg_view() if "negative-bit" in replica.words else tensor


def _window(octets: torch.Tensor) -> Any:
    """Return the bytes of a tensor to write to; through ``Tensor.numpy`` its storage could not be resized any more."""
    return (ctypes.c_char * octets.numel()).from_address(octets.data_ptr())


def _rebuild_sparse(parts: list[Any], facts: dict[str, Any]) -> Any:
    values, *indices = parts
    make_coo: Any = torch.sparse_coo_tensor
    make_compressed: Any = torch.sparse_compressed_tensor

    def make() -> Any:
        if facts["layout"] is torch.sparse_coo:
            return make_coo(*indices, values, facts["shape"], is_coalesced=facts["coalesced"], check_invariants=False)
        return make_compressed(*indices, values, facts["shape"], layout=facts["layout"], check_invariants=False)

    if facts["requires_grad"] and not facts["leaf"]:
        return _grown(make)
    return make().requires_grad_(facts["requires_grad"])
