"""What there is to see of an array or a tensor at one look: which bytes it reaches, a hash of them, whose memory it is.

No object is kept: a fingerprint holds addresses, and evidence of the storage (see ``evidence``).
"""

from __future__ import annotations

import ctypes
import functools
from collections import OrderedDict
from dataclasses import replace
from typing import Any

from tensorbridge_cli.compat import dataclass
from tensorbridge_cli.memory.spans import Span
from tensorbridge_cli.memory.storages import storage_address
from tensorbridge_cli.tracing.inside import sides
from tensorbridge_cli.tracing.inside.classify import address_of, owner_of, unwrapped
from tensorbridge_cli.tracing.inside.evidence import ALL, StorageRef, digest

STORAGES = 4096
"""Storages that are remembered."""


@dataclass(frozen=True)
class Fingerprint:
    """An array or tensor at one look, without the object.

    Attributes:
        span: The bytes that its elements reach.
        digest: A hash of them; None if they could not be read.
        whole: Whether it is of all bytes.
        root: The memory: a storage, or the array that owns it.
        storage: Of a tensor, and of an array that has a tensor's memory.
        owner: The object that has the memory: a tensor's storage, or the array that is not a view of another.
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
    owner: int
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
        if not (low < stop and start < high):
            return False
        return self.span == other.span or not self.span.interleaves(other.span)  # a line mostly converts one memory

    def meets(self, other: Fingerprint) -> bool:
        """Return True if the two may reach a common byte of one memory."""
        return self.root == other.root and self.overlaps(other)

    def covers(self, other: Fingerprint) -> bool:
        """Return True if it is the same elements of the same memory."""
        return self.root == other.root and self.span == other.span


def kind_of(obj: Any, numpy: Any, torch: Any) -> str:
    """Return ``array``, ``tensor``, or nothing; ``torch`` is ``None`` until it is imported."""
    if issubclass(type(obj), numpy.ndarray):
        return "array"
    return "tensor" if torch is not None and issubclass(type(obj), torch.Tensor) else ""


def has_one_storage(tensor: Any, torch: Any) -> bool:
    """Return True for a tensor with strides over one storage of its own: a wrapper of ``torch.func`` has none."""
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return False
    return tensor.layout is torch.strided and not tensor.is_nested


class Fingerprints:
    """Takes fingerprints, and tells whether the bytes of one are others by now.

    Of one look each span is read once, and not more than so many bytes; ``look`` begins one.
    """

    def __init__(self, numpy: Any, torch: Any) -> None:
        self._numpy, self._torch = numpy, torch
        self._storage_address = address_of if torch is None else storage_address(torch)
        self._storages: OrderedDict[int, StorageRef] = OrderedDict()
        self._now: dict[Span, tuple[bytes | None, bool]] = {}
        self._left_to_read = 0

    def look(self) -> None:
        """Begin a look: what was read before may have changed."""
        self._now = {}
        self._left_to_read = 2 * ALL

    def forget(self) -> None:
        """Hold no storage any longer."""
        self._storages.clear()

    def of(self, obj: Any) -> Fingerprint | None:
        """Return the fingerprint of an array or a tensor of the libraries' own types on the CPU; else None."""
        if type(obj) in (self._numpy.ndarray, self._numpy.memmap):
            return self._array(obj)
        torch = self._torch
        if torch is not None and type(obj) in (torch.Tensor, torch.nn.Parameter):
            with torch._C.DisableTorchFunction():
                return self._tensor(obj)
        return None

    def storage(self, cdata: int) -> StorageRef | None:
        """Return what is remembered of the storage with this ``_cdata``."""
        return self._storages.get(cdata)

    def changed(self, before: Fingerprint) -> bool | None:
        """Return whether the bytes are others than they were; None if that can't be told."""
        storage = before.storage
        if storage is not None and (not storage.alive or not _lies_within(before.span, storage)):
            return None
        if before.digest is None:
            return None
        now, whole = self.digest(before.span)
        if now is None:
            return None
        return True if now != before.digest else False if whole and before.whole else None

    def digest(self, span: Span) -> tuple[bytes | None, bool]:
        """Return the hash of bytes as they are now; of one look each is read once, and not more than so many bytes."""
        hashed = self._now.get(span)
        if hashed is None:
            if self._left_to_read < 0:
                return None, False
            hashed = self._now[span] = digest(span, self._numpy)
            self._left_to_read -= min(span.nbytes, ALL)
        return hashed

    def _array(self, array: Any) -> Fingerprint:
        owner = owner_of(array)
        of = kind_of(owner.base, self._numpy, self._torch) if owner.base is not None else ""
        storage, version, holders = None, None, 0
        if of == "tensor":
            storage, version, holders = self._behind(owner.base)
        span = Span(address_of(array), array.shape, array.strides, array.itemsize)
        hashed, whole = self.digest(span) if not array.dtype.hasobject else (None, False)
        return Fingerprint(
            kind="array",
            span=span,
            dtype=sides.dtype_name(array.dtype) or "",
            digest=hashed,
            whole=whole,
            root=_root(owner) if storage is None else storage.root,
            storage=storage,
            owner=id(owner),
            version=version,
            holders=holders,
            of=of,
            readonly=not array.flags.writeable,
        )

    def _tensor(self, tensor: Any) -> Fingerprint | None:
        if not has_one_storage(tensor, self._torch) or tensor.device.type != "cpu":
            return None
        storage, version, holders = self._behind(tensor)
        if storage is None:
            return None
        address, width = storage.address, tensor.itemsize
        address += tensor.storage_offset() * width if address else 0
        span = Span(address, tuple(tensor.shape), tuple(width * n for n in tensor.stride()), width)
        hashed, whole = self.digest(span) if address and _lies_within(span, storage) else (None, False)
        return Fingerprint(
            kind="tensor",
            span=span,
            dtype=sides.dtype_name(tensor.dtype) or "",
            digest=hashed,
            whole=whole,
            root=storage.root,
            storage=storage,
            owner=storage.cdata,
            version=version,
            holders=holders,
            of="",
            readonly=False,
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


def of_buffer(obj: Any, result: Fingerprint) -> Fingerprint:
    """Return the fingerprint of a bytearray, a map, an Arrow array: the part of it that ``result`` shows."""
    root = _root_of_buffer(obj, result.span.bounds()[0])
    return replace(result, kind="buffer", root=root, storage=None, owner=id(obj), version=None, holders=0, of="")


def _root(owner: Any) -> Any:
    """Return what tells the memory of an array from others while it lives: the array, or what it is a buffer of."""
    base = owner.base
    address = address_of(owner)
    return ("array", id(owner), address) if base is None else _root_of_buffer(base, address)


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


def _lies_within(span: Span, storage: StorageRef) -> bool:
    """Return True if the bytes are those of the storage as it is: it may have shrunk, or its memory have moved."""
    low, high = span.bounds()
    return storage.address <= low and high <= storage.address + storage.nbytes


def _never(tensor: Any) -> bool:
    return False
