"""What can be known of memory that is not kept. Each class is one piece of evidence; its docstring says what it proves.

Nothing here holds memory of the program's, and nothing can be noticed by it. What was tried and is not used:

- A weak reference to an array that owns its memory: ``ndarray.resize`` refuses while there is one, even with
  ``refcheck=False`` (``test_hooks.py``, ``ndarray.resize``). To a view it is harmless: a view cannot be resized at all.
- A weak reference to a tensor: ``torch.utils.swap_tensors`` refuses while there is one, which ``Module.to`` and
  ``load_state_dict`` may use. Its storage and its version counter tell more, and are held without the tensor.
- An address alone: allocators give a freed one out again at once. The same address proves nothing.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
import weakref
from types import MappingProxyType
from typing import Any

from tensorbridge_cli.memory.mapping import read
from tensorbridge_cli.memory.spans import Span
from tensorbridge_cli.tracing.inside.classify import POINTER

ALL = 1 << 23
"""Bytes up to which an object is read whole; equal may only be said of all bytes."""

PART, PARTS = 1 << 10, 16
"""Of an object that is larger so many parts are read, each of so many bytes: they can show that it changed, no more."""


class StorageRef:
    """A torch storage that is not kept alive.

    torch counts weak references to a storage apart from strong ones; its memory is freed with the last strong one. What
    is left until the weak one goes are about a hundred bytes, and in them the identity: no other storage can have the
    same ``_cdata`` as long as this object lives. The same ``_cdata`` is the same storage, and ``alive`` is certain.
    A storage over an array's memory (``torch.from_numpy``) holds the array: while it lives, so does the array.
    """

    __slots__ = ("_expired", "_free", "_strong", "_weak", "address", "cdata", "nbytes", "root")

    def __init__(self, torch: Any, storage: Any) -> None:
        kind = torch.UntypedStorage
        self._expired, self._free, self._strong = kind._expired, kind._free_weak_ref, kind._new_with_weak_ptr
        self.cdata: int = storage._cdata
        self._weak = storage._weak_ref()
        self.address = self.nbytes = 0
        self.root: Any = ("storage", self.cdata)

    @property
    def alive(self) -> bool:
        """Return True if anything in this process still holds the storage: a tensor, a view, a graph, an array."""
        return not self._expired(self._weak)

    def has(self, address: int) -> bool:
        """Return True if the storage lives and the byte at an address is in its memory, which may have been moved.

        A lazy clone's is made to copy: this is only for a storage whose memory seems to be freed.
        """
        storage = self._strong(self._weak)
        return storage is not None and 0 <= address - storage.data_ptr() < storage.nbytes()

    def __del__(self) -> None:
        self._free(self._weak)


class StorageWrites:
    """Counts what torch writes in place to a tensor and its views, also after they are gone.

    A tensor shares its version counter with what ``detach`` returns. That is given empty memory of its own, which does
    not change the counter: what is left holds the counter, and neither the tensor nor its storage. A count that did not
    move proves that torch wrote nothing through this tensor or a view of it; writes through an array are not counted.
    """

    __slots__ = ("_alias", "_before", "_unseen")

    def __init__(self, torch: Any, alias: Any) -> None:
        self._unseen = torch._C.DisableTorchFunction  # a mode of the user's would see the counter being read
        self._alias, self._before = alias, alias._version

    @property
    def count(self) -> int:
        """Return how often torch has written since."""
        with self._unseen():
            return int(self._alias._version) - int(self._before)


def writes(torch: Any, tensor: Any) -> StorageWrites | None:
    """Return what counts the writes to ``tensor`` from now on; None if that could be noticed, or if torch counts none.

    A mode of the user's, the profiler and a transform (``torch.func``) would see ``detach`` being called.
    """
    core = torch._C
    if tensor.is_inference() or core._len_torch_dispatch_stack() or core._autograd._profiler_enabled():
        return None
    if core._functorch.peek_interpreter_stack() is not None:
        return None
    with torch.no_grad():
        alias = tensor.detach()
        alias.data = torch.empty(0, dtype=tensor.dtype)
    # a program that counts the tensors among gc.get_objects() finds its own; nothing that this one holds holds it
    _untrack(alias)
    return StorageWrites(torch, alias)


def _untrack(obj: Any) -> None:
    """Take ``obj`` out of what the garbage collector walks; it goes with its last reference as before."""
    untrack = getattr(getattr(ctypes, "pythonapi", None), "PyObject_GC_UnTrack", None)
    if untrack is not None:
        untrack(ctypes.py_object(obj))


class Header:
    """The fields of an array's object that stay as they are while it lives: type, address, shape, strides, base, dtype.

    Where they are others, the array is gone: that is certain. Where they are the same, it may be another array that was
    made at the same place: that is likely, and proves nothing.
    """

    __slots__ = ("_at", "_fields")
    _BEGIN, _END = 8, 64  # without the count of references

    def __init__(self, array: Any) -> None:
        self._at = id(array)
        self._fields = self._now()

    def _now(self) -> bytes | None:
        held = read(self._at, self._END)
        return None if held is None else held[self._BEGIN :]

    @property
    def gone(self) -> bool:
        """Return True only if the array is certainly gone."""
        return self._now() != self._fields


class TensorHeader:
    """The fields of a tensor that stay as they are while it lives: type, storage, version counter, sizes and strides.

    Where they are others, or nothing refers to its object, the tensor is gone: that is certain. Where they are the
    same, it may be another tensor of the same elements that was made at the same place: that it lives is likely.
    """

    __slots__ = ("_fields", "_implementation", "at")

    def __init__(self, tensor: Any) -> None:
        self.at, self._implementation = id(tensor), tensor._cdata
        self._fields = self._now()

    def _now(self) -> bytes | None:
        """Return the fields behind both counts of references; None if either cannot be read or nothing refers to it."""
        head, body = read(self.at, 16), read(self._implementation, 160)
        return None if head is None or body is None or not any(head[:8]) else head[8:] + body[16:]

    @property
    def there(self) -> bool:
        """Return True if the tensor is likely to live."""
        return self._fields is not None and self._now() == self._fields


def view_ref(array: Any) -> weakref.ref[Any] | None:
    """Return a weak reference to a view, which proves that it lives, or not; None for an array that owns its memory."""
    return weakref.ref(array) if array.base is not None and not array.flags.owndata else None


class Immutable:
    """An object of an immutable type that is not kept alive.

    Those of libraries have weak references, which JAX, pyarrow, polars and pandas do not notice. ``bytes`` have none:
    while something lives that was made over their memory, they live with it, and their count of references can be read.
    If it is not more than that, nobody can see the object.
    """

    __slots__ = ("_at", "_weak", "name")

    def __init__(self, obj: Any, name: str) -> None:
        self.name, self._at = name, id(obj)
        self._weak = None if type(obj) is bytes else weakref.ref(obj)

    def is_held(self, holders: int) -> bool:
        """Return True if the object lives and somebody beside ``holders`` that are known to live has it."""
        if self._weak is None:
            return holders > 0 and ctypes.c_ssize_t.from_address(self._at).value > holders
        obj = self._weak()
        is_deleted = getattr(obj, "is_deleted", None)  # JAX may use the memory of a donated array again
        return obj is not None and not (is_deleted is not None and is_deleted())


class Resizable:
    """An array, or a buffer of Python's own, that is not kept alive and that can be resized or closed under a tensor.

    torch holds a bytearray, an array of the standard library or a map without an export, and ``resize(refcheck=False)``
    of NumPy's asks nobody. While the tensor's storage has its memory, the object lives, and its field that says which
    memory it has can be read. If that is another than before, the memory under the tensor was freed: that is certain.
    """

    __slots__ = ("_at", "_memory", "_size", "name")
    FIELDS = MappingProxyType({"builtins.bytearray": 32, "array.array": 24, "mmap.mmap": 16})
    """Bytes before ``ob_bytes``, ``ob_item`` and ``data``, in bytearrayobject.h, arraymodule.c and mmapmodule.c of
    https://github.com/python/cpython/tree/3.11."""

    def __init__(self, obj: Any) -> None:
        kind = _full_name(obj)
        if kind in self.FIELDS:
            self.name, self._at = kind.removeprefix("builtins."), id(obj) + self.FIELDS[kind]
            self._size = obj.__alloc__() if type(obj) is bytearray else len(obj) * getattr(obj, "itemsize", 1)
        else:
            self.name, self._at, self._size = "array", id(obj) + POINTER, obj.nbytes
        self._memory = self._now()

    def _now(self) -> int | None:
        field = read(self._at, 8)
        return None if field is None else int.from_bytes(field, sys.byteorder)

    def holds(self, span: Span) -> bool:
        """Return True if ``span`` begins in the memory, and so the field is where it was when this was written."""
        return self._memory is not None and self._memory <= span.bounds()[0] < self._memory + self._size

    @property
    def freed(self) -> bool:
        """Return True if the memory that it had is freed, as far as the object lives."""
        now = self._now()
        return now is not None and now != self._memory


def is_buffer(obj: Any) -> bool:
    """Return True for a buffer of Python's own that can be resized or closed."""
    return _full_name(obj) in Resizable.FIELDS


def _full_name(obj: Any) -> str:
    return f"{type(obj).__module__}.{type(obj).__name__}"


def digest(span: Span, numpy: Any) -> tuple[bytes | None, bool]:
    """Return a hash of the bytes of the elements, and whether it is of all of them; None if they cannot be read.

    SHA-256 of all bytes: two that are equal prove that all bytes are. The memory is copied by the kernel, which fails
    where reading would end the program: behind the end of a file, in a map that is closed, in a storage that shrank.
    """
    low, high = span.bounds()
    if not low < high:
        return None, False
    if high - low > ALL:
        last = high - low - PART
        parts = [read(low + last * nth // (PARTS - 1), PART) for nth in range(PARTS)]
        if any(part is None for part in parts):
            return None, False
        # between the elements of a view lie bytes of others, which may change
        dense = high - low == span.nbytes
        return (hashlib.sha256(b"".join(filter(None, parts))).digest() if dense else None), False
    held = read(low, high - low)
    if held is None:
        return None, False
    if high - low != span.nbytes:
        if span.nbytes > ALL:  # the same bytes many times over: a broadcast
            return hashlib.sha256(held).digest(), True
        kind, offset = f"V{span.itemsize}", span.pointer - low
        held = numpy.ndarray(span.shape, kind, held, offset, span.strides).tobytes()
    return hashlib.sha256(held).digest(), True
