"""What NumPy alone tells of an array: for ``describe``, and for a traced program that has not imported PyTorch.

Nothing here imports torch, which ``describe`` and ``parts`` do.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tensorbridge_cli.catalog import layouts
from tensorbridge_cli.memory import mapping
from tensorbridge_cli.memory.spans import Span

_CLASSES = (np.ndarray, np.memmap, np.matrix, np.ma.MaskedArray)
SETUP_MODULE = "__tensorbridge__"
"""The module that the user's set-up code runs in: a class that it defines is named as it names it."""

_SHARED_MEMORY = "/dev/shm/"  # noqa: S108 - where Linux keeps the shared memory that has a name


def public_name(kind: type) -> str:
    """Return the name of a class with the shortest module that has it.

    ``MaskedArray`` lies in ``numpy.ma.core`` up to NumPy 1.26, ``pyarrow.Buffer`` in ``pyarrow.lib``.
    """
    if getattr(kind, "__module__", None) in (None, "builtins", SETUP_MODULE):  # None: what np.ctypeslib makes
        return kind.__qualname__
    names = kind.__module__.split(".")
    modules = (".".join(names[:length]) for length in range(1, len(names)))
    public = (module for module in modules if "._" not in module)
    home = next((m for m in public if getattr(sys.modules.get(m), kind.__qualname__, None) is kind), kind.__module__)
    return f"{home}.{kind.__qualname__}"


def outermost(array: Any) -> Any:
    """Return the array that ``array`` is a view of, at last."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def holder(array: Any) -> Any:
    """Return what keeps the bytes alive: an array, or what one was made over, through memoryviews that hand it on."""
    owner = outermost(array)
    owner = owner if owner.base is None else owner.base
    while isinstance(owner, memoryview) and owner.obj is not None:
        owner = owner.obj
    return owner


def address(array: Any) -> int:
    """Return the address of the first element, also of an array whose class answers for itself."""
    start: int = _interface(array)["data"][0]
    return start


_interface = vars(np.ndarray)["__array_interface__"].__get__


def span(array: Any) -> Span:
    """Return the bytes that the elements reach."""
    return Span(address(array), array.shape, array.strides, array.itemsize)


def storage(array: Any) -> tuple[int, int]:
    """Return the byte extent ``[start, stop)`` of the outermost array, or of the buffer that it was made over."""
    owner = outermost(array)
    if owner.base is not None:
        try:
            buffer = np.frombuffer(owner.base, np.uint8)
        except (TypeError, ValueError, BufferError):
            pass
        else:
            return span(buffer).bounds()
    return span(owner).bounds()


def layout(array: Any, offset: bool) -> str:
    """Return the words of the layout of an array; ``offset``: its first element lies behind its storage's start."""
    of_array = isinstance(array.base, np.ndarray)
    word = layouts.word_for(
        array.shape,
        array.strides,
        array.itemsize,
        record=of_array and array.base.dtype.names is not None and array.dtype.names is None,
        owns=not of_array,
        offset=offset,
    )
    words = {"byte-swapped"} if not array.dtype.isnative else set()
    if not array.flags.aligned:
        words.add("unaligned")
    return layouts.joined(word, words)


def words(array: Any) -> set[str]:
    """Return the state words that are true of an array."""
    true = memory_words(array)
    if not array.flags.writeable:
        true.add("read-only")
    if isinstance(array, np.ma.MaskedArray):
        true.add("masked")
    if isinstance(array, np.matrix):
        true.add("matrix")
    if type(array) not in _CLASSES:
        true.add("subclass")
    return true


def memory_words(array: Any) -> set[str]:
    """Return the state words that the memory of an array gives it.

    The mapping of its addresses is asked, since a type says little: ``np.asarray`` of a memmap is a plain array. Where
    the system has no answer, the type is asked.
    """
    start, stop = span(array).bounds()
    if not start or start == stop:
        return set()
    memory = mapping.lookup(start, stop - start)
    if memory.sharing != mapping.UNKNOWN:
        return mapping_words(memory)
    mode = array.mode if isinstance(array, np.memmap) and array._mmap is not None else None  # type: ignore[attr-defined]
    return {"c": {"memory-mapped", "copy-on-write"}, None: set()}.get(mode, {"memory-mapped"})


def mapping_words(memory: mapping.MappedMemory) -> set[str]:
    """Return the state words of an object in such memory."""
    words = set()
    if memory.path is not None and not memory.path.startswith(_SHARED_MEMORY):
        words = {"memory-mapped"} if memory.sharing == mapping.SHARED else {"memory-mapped", "copy-on-write"}
    elif memory.sharing == mapping.SHARED:
        words = {"shared-memory"}
    return words if memory.writable else (words - {"copy-on-write"}) | {"read-only"}
