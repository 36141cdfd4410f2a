"""How the elements lie in memory: one entry a layout, with its recipe in each library.

A recipe gets ``make``, which allocates row-major memory of a shape in that library, and returns the object that holds
the memory and the view that is the subject. A recipe that cannot be followed for a shape or dtype says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tensorbridge_cli.catalog.pitfalls import Trip
from tensorbridge_cli.errors import RequestError, unknown
from tensorbridge_cli.records.report import Library

Shape = tuple[int, ...]
Recipe = Callable[[Callable[..., Any], Shape, Any], tuple[Any, Any]]


class CannotBuildError(Exception):
    """A subject that does not exist, with the reason; it becomes a not-applicable case."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One layout.

    Attributes:
        name: the word for it.
        summary: what it is, in a sentence.
        numpy: the recipe in NumPy.
        torch: the recipe in PyTorch, or the reason why there is none.
        allocates: bytes allocated for each byte of the subject's logical size, for a large subject.
        arises: what one writes, or reads, to have it.
        trips: what people trip over.
    """

    name: str
    summary: str
    numpy: Recipe
    torch: Recipe | str
    allocates: Callable[[Shape], float] = lambda shape: 1.0
    arises: str
    trips: tuple[Trip, ...]


def _needs(shape: Shape, dimensions: int, what: str) -> None:
    if len(shape) < dimensions:
        plural = "s" if dimensions > 1 else ""
        raise CannotBuildError(f"{what} needs {dimensions} dimension{plural} or more; the shape has {len(shape)}")


def _contiguous(make: Callable[..., Any], shape: Shape, dtype: Any) -> tuple[Any, Any]:
    base = make(shape)
    return base, base


def _numpy_fortran(make: Callable[..., Any], shape: Shape, dtype: Any) -> tuple[Any, Any]:
    base = make(shape, order="F")
    return base, base


def _torch_fortran(make: Callable[..., Any], shape: Shape, dtype: Any) -> tuple[Any, Any]:
    base = make(shape[::-1])
    return base, base.permute(tuple(reversed(range(len(shape)))))


def _transposed(make: Callable[..., Any], shape: Shape, dtype: Any) -> tuple[Any, Any]:
    _needs(shape, 2, "a transposed view")
    base = make((*shape[:-2], shape[-1], shape[-2]))
    return base, base.swapaxes(-1, -2)


def _strided(make: Callable[..., Any], shape: Shape, dtype: Any) -> tuple[Any, Any]:
    _needs(shape, 1, "every other column")
    base = make((*shape[:-1], 2 * shape[-1]))
    return base, base[..., ::2]


def _offset(make: Callable[..., Any], shape: Shape, dtype: Any) -> tuple[Any, Any]:
    base = make((math.prod(shape) + 1,))
    return base, base[1:].reshape(shape)


def _negative(make: Callable[..., Any], shape: Shape, dtype: Any) -> tuple[Any, Any]:
    _needs(shape, 1, "a reversed view")
    base = make(shape)
    return base, base[::-1]


def _numpy_broadcast(make: Callable[..., Any], shape: Shape, dtype: Any) -> tuple[Any, Any]:
    from numpy.lib.stride_tricks import as_strided

    _needs(shape, 1, "a broadcast")
    base = make((1, *shape[1:]))
    # numpy.broadcast_to would be read-only, which is a state and not a layout
    return base, as_strided(base, shape, (0, *base.strides[1:]), subok=True)


def _torch_broadcast(make: Callable[..., Any], shape: Shape, dtype: Any) -> tuple[Any, Any]:
    _needs(shape, 1, "a broadcast")
    base = make((1, *shape[1:]))
    return base, base.expand(shape)


def _window_base(shape: Shape) -> Shape:
    _needs(shape, 2, "a sliding window")
    if 0 in (shape[0], shape[-1]):
        raise CannotBuildError("a sliding window needs elements; the shape has none")
    return (shape[0] + shape[-1] - 1, *shape[1:-1])


def _numpy_overlapping(make: Callable[..., Any], shape: Shape, dtype: Any) -> tuple[Any, Any]:
    from numpy.lib.stride_tricks import sliding_window_view

    base = make(_window_base(shape))
    return base, sliding_window_view(base, shape[-1], axis=0, subok=True, writeable=True)


def _torch_overlapping(make: Callable[..., Any], shape: Shape, dtype: Any) -> tuple[Any, Any]:
    base = make(_window_base(shape))
    return base, base.unfold(0, shape[-1], 1)


def _numpy_unaligned(make: Callable[..., Any], shape: Shape, dtype: Any) -> tuple[Any, Any]:
    if dtype.alignment == 1:
        raise CannotBuildError(f"every address is aligned for {dtype}")
    if dtype.hasobject:
        raise CannotBuildError("references to objects cannot be unaligned")
    base = make((math.prod(shape) * dtype.itemsize + 1,), dtype="u1")
    view = base[1:].view(dtype).reshape(shape)
    return view, view


def _torch_unaligned(make: Callable[..., Any], shape: Shape, dtype: Any) -> tuple[Any, Any]:
    import torch

    if dtype.itemsize == 1:
        raise CannotBuildError(f"every address is aligned for {dtype}")
    size = math.prod(shape)
    if not size:
        raise CannotBuildError("an unaligned tensor needs elements; the shape has none")
    if str(dtype).startswith("torch.q"):
        raise CannotBuildError("a quantized tensor over a buffer has no quantizer: reading it ends the process")
    # a storage offset counts elements, so the odd byte must come from a foreign buffer
    base = torch.frombuffer(bytearray(size * dtype.itemsize + 1), dtype=dtype, count=size, offset=1).view(shape)
    return base, base


def _byte_swapped(make: Callable[..., Any], shape: Shape, dtype: Any) -> tuple[Any, Any]:
    swapped = dtype.newbyteorder("S")
    if swapped == dtype:
        raise CannotBuildError(f"{dtype} has no byte order")
    base = make(shape, dtype=swapped)
    return base, base


def _field(make: Callable[..., Any], shape: Shape, dtype: Any) -> tuple[Any, Any]:
    base = make(shape, dtype=[("left", dtype), ("right", dtype)])
    return base, base["right"]


def _channels_last(make: Callable[..., Any], shape: Shape, dtype: Any) -> tuple[Any, Any]:
    if len(shape) not in (4, 5):
        raise CannotBuildError(f"channels-last needs 4 or 5 dimensions; the shape has {len(shape)}")
    base = make((shape[0], *shape[2:], shape[1]))
    axes: Sequence[int] = (0, len(shape) - 1, *range(1, len(shape) - 1))
    return base, base.transpose(axes) if hasattr(base, "__array_interface__") else base.permute(axes)


_NO_NEGATIVE = "PyTorch has no negative strides"
_NO_BYTE_ORDER = "PyTorch has the machine's byte order only"
_NO_RECORDS = "PyTorch has no structured dtypes"

LAYOUTS: tuple[Layout, ...] = (
    Layout(
        name="contiguous",
        summary="row-major, no gaps",
        numpy=_contiguous,
        torch=_contiguous,
        arises="np.zeros((4, 3)), torch.zeros(4, 3), and what .copy() and .contiguous() return",
        trips=(
            Trip(
                text="What shares is one block of bytes: the easiest case of every conversion.",
                shows="shared",
                conversion="torch.from_numpy",
            ),
        ),
    ),
    Layout(
        name="fortran",
        summary="column-major, no gaps",
        numpy=_numpy_fortran,
        torch=_torch_fortran,
        arises="np.asfortranarray(a), np.zeros((4, 3), order='F'), much of SciPy and LAPACK",
        trips=(
            Trip(
                text="It crosses the border as it is, strides and all.", shows="shared", conversion="torch.from_numpy"
            ),
            Trip(
                text="x.copy() makes it row-major, x.copy(order='K') would keep it: the same values, other strides.",
                shows="copied",
                conversion="ndarray.copy",
            ),
        ),
    ),
    Layout(
        name="transposed",
        summary="a view of row-major memory with its last two axes swapped",
        numpy=_transposed,
        torch=_transposed,
        arises="a.T, x.t(), x.transpose(-1, -2), x.permute(…)",
        trips=(
            Trip(text="view refuses it where reshape copies.", shows="refused", conversion="Tensor.view"),
            Trip(text="reshape copies it, without a word.", shows="copied", conversion="Tensor.reshape"),
        ),
    ),
    Layout(
        name="strided",
        summary="every other element of the last axis",
        numpy=_strided,
        torch=_strided,
        allocates=lambda shape: 2.0,
        arises="a[:, ::2], a column a[:, 0], x[..., ::2], one channel of an image",
        trips=(
            Trip(
                text="It keeps the whole array alive, and shares with it.",
                shows="shared",
                conversion="torch.from_numpy",
            ),
            Trip(text="What needs a buffer without gaps refuses it.", shows="refused", conversion="torch.frombuffer"),
        ),
    ),
    Layout(
        name="offset",
        summary="a view that starts one element into its memory",
        numpy=_offset,
        torch=_offset,
        arises="a[1:], x[1:], the second half of a buffer, a storage with an offset",
        trips=(
            Trip(
                text="The pointer is not that of the buffer, the storage is: two pointers that differ may be one "
                "memory.",
                shows="shared",
                conversion="torch.from_numpy",
            ),
        ),
    ),
    Layout(
        name="negative",
        summary="the first axis reversed",
        numpy=_negative,
        torch=_NO_NEGATIVE,
        arises="a[::-1], np.flip(a), np.flipud(image), image[..., ::-1] for BGR to RGB",
        trips=(
            Trip(
                text="PyTorch has no negative strides: from_numpy refuses it.",
                shows="refused",
                conversion="torch.from_numpy",
            ),
            Trip(text="Through DLPack it ends the process.", shows="crashed", conversion="torch.from_dlpack"),
        ),
    ),
    Layout(
        name="broadcast",
        summary="one row seen as many: the first axis has stride 0",
        numpy=_numpy_broadcast,
        torch=_torch_broadcast,
        allocates=lambda shape: 1 / max(1, shape[0]) if shape else 1.0,
        arises="np.broadcast_to(row, (4, 3)), x.expand(4, 3)",
        trips=(
            Trip(
                text="Its array can be written, and one write shows in every row.",
                shows="elements-overlap",
                conversion="Tensor.numpy",
            ),
            Trip(
                text="A copy gives each row memory of its own, and takes as much of it.",
                shows="copied",
                conversion="Tensor.clone",
            ),
        ),
    ),
    Layout(
        name="overlapping",
        summary="a sliding window: neighbouring rows share elements",
        numpy=_numpy_overlapping,
        torch=_torch_overlapping,
        allocates=lambda shape: (shape[0] + shape[-1]) / max(1, shape[0] * shape[-1]) if len(shape) > 1 else 1.0,
        arises="np.lib.stride_tricks.sliding_window_view(a, 3), x.unfold(0, 3, 1), as_strided",
        trips=(Trip(text="One write shows in several places.", shows="elements-overlap", conversion="Tensor.numpy"),),
    ),
    Layout(
        name="unaligned",
        summary="starts at an address that the dtype may not start at",
        numpy=_numpy_unaligned,
        torch=_torch_unaligned,
        arises="np.frombuffer(data, 'f4', offset=1), packed records, a file mapped behind an odd header",
        trips=(
            Trip(
                text="The tensor starts at an address that its dtype may not start at.",
                shows="misaligned",
                conversion="torch.from_numpy",
            ),
        ),
    ),
    Layout(
        name="byte-swapped",
        summary="the other byte order than the machine's",
        numpy=_byte_swapped,
        torch=_NO_BYTE_ORDER,
        arises="np.fromfile(f, '>f4'), HDF5, FITS and network data in big-endian order",
        trips=(
            Trip(
                text="PyTorch has the machine's byte order only: x.astype(x.dtype.newbyteorder('=')) first.",
                shows="refused",
                conversion="torch.from_numpy",
            ),
        ),
    ),
    Layout(
        name="field-of-structured",
        summary="one field of an array of records",
        numpy=_field,
        torch=_NO_RECORDS,
        allocates=lambda shape: 2.0,
        arises="records['x'], a field of an array of structs, columns of a recarray",
        trips=(
            Trip(
                text="A field of records whose stride is a multiple of its item size shares.",
                shows="shared",
                conversion="torch.from_numpy",
            ),
        ),
    ),
    Layout(
        name="channels-last",
        summary="images with the channels innermost in memory: 4 or 5 dimensions",
        numpy=_channels_last,
        torch=_channels_last,
        arises="x.to(memory_format=torch.channels_last), images as H×W×C seen as C×H×W",
        trips=(
            Trip(
                text="Its shape says N×C×H×W, its memory N×H×W×C: an array over it has the same strides.",
                shows="shared",
                conversion="Tensor.numpy",
                shape="2,3,4,4",
            ),
            Trip(text="reshape must copy it.", shows="copied", conversion="Tensor.reshape", shape="2,3,4,4"),
        ),
    ),
)

BY_NAME = {layout.name: layout for layout in LAYOUTS}


ALIASES = {
    "c": "contiguous",
    "c-contiguous": "contiguous",
    "row-major": "contiguous",
    "f": "fortran",
    "f-contiguous": "fortran",
    "column-major": "fortran",
    "non-contiguous": "strided",
    "noncontiguous": "strided",
    "sliced": "strided",
    "reversed": "negative",
    "misaligned": "unaligned",
}
"""Words that NumPy and PyTorch use for a layout, each with the name it has here."""


def split(layout: str) -> tuple[str, bool]:
    """Return the one layout, and whether the other byte order is joined to it: ``byte-swapped+negative``."""
    name, joined, other = layout.partition("+")
    if not joined:
        return name, False
    return (other if name == "byte-swapped" else name), True


def parse(text: str) -> str:
    """Return the sorted spelling of a layout that a user wrote.

    Raises:
        RequestError: for an unknown word, and for a join of two layouts other than with the byte order.
    """
    found = {ALIASES.get(word, word) for word in (part.strip().lower() for part in text.split("+"))}
    found -= {"contiguous"} if len(found) > 1 else set()
    for word in found:
        if word not in BY_NAME:
            raise unknown("layout", word, [*BY_NAME, "all"])
    if len(found) > 2 or (len(found) == 2 and "byte-swapped" not in found):
        raise RequestError(f"layout {text!r}: only byte-swapped can be joined to another layout.")
    return "+".join(sorted(found))


def recipe(name: str, library: Library) -> Recipe:
    """Return how ``library`` builds the layout ``name``.

    Raises:
        CannotBuildError: where that library has no such layout.
    """
    layout = BY_NAME[name]
    found = layout.numpy if library is Library.NUMPY else layout.torch
    if isinstance(found, str):
        raise CannotBuildError(found)
    return found


def word_for(shape: Shape, strides: Shape, itemsize: int, *, record: bool, owns: bool, offset: bool) -> str:
    """Return the layout word for a given object's shape and strides (bytes).

    ``record``: it is a field of an array of records; ``owns``: the memory was laid out for it; ``offset``: it starts
    after its storage does. Byte order and alignment are told apart by the caller.
    """
    steps = [(stride, n) for stride, n in zip(strides, shape, strict=True) if n > 1]
    if record:
        return "field-of-structured"
    if math.prod(shape) == 0 or not steps:
        return "offset" if offset else "contiguous"
    if any(stride == 0 for stride, _ in steps):
        return "broadcast"
    if any(stride < 0 for stride, _ in steps):
        return "negative"
    if _tiles(steps[::-1], itemsize):
        return "offset" if offset else "contiguous"
    if _tiles(steps, itemsize):
        return "fortran" if owns else "transposed"
    ordered = sorted(steps)
    if _tiles(ordered, itemsize):
        last = (*strides[2:], strides[1]) if len(shape) in (4, 5) else ()
        return "channels-last" if last and list(last) == sorted(last, reverse=True) else "transposed"
    reach = itemsize
    for stride, n in ordered:
        if stride < reach:
            return "overlapping"
        reach = stride * (n - 1) + reach
    return "strided"


def _tiles(steps: list[tuple[int, int]], itemsize: int) -> bool:
    """Tell whether ``steps`` (stride, length), innermost first, leave no gap."""
    expected = itemsize
    for stride, n in steps:
        if stride != expected:
            return False
        expected *= n
    return True
