"""The memory layouts: one entry per layout, as the code that a user would type in each library.

The builder of sources (``subjects.generate``) runs that code and a script (``repro``) prints it: each layout has one
text. Nothing here imports numpy or torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any, Literal, Optional

from tensorbridge_cli.catalog.pitfalls import Pitfall
from tensorbridge_cli.compat import dataclass, zip_equal
from tensorbridge_cli.errors import RequestError, unknown
from tensorbridge_cli.records.enums import Library
from tensorbridge_cli.records.renamed import current

Shape = tuple[int, ...]
Reason = Callable[[Shape, Any], Optional[str]]
"""Called with the shape and the dtype; returns why there is no such source, ``None`` if there is one."""


class CannotBuildError(Exception):
    """A subject that does not exist, with the reason; it becomes a not-applicable case."""


@dataclass(frozen=True)
class Recipe:
    """How one library makes a layout: allocate ``base``, then evaluate ``code``.

    Attributes:
        code: the expression of the source. In braces stand what depends on the shape and the dtype: see ``typed``.
        memory: the shape of ``base``, from that of the source.
        order: the order of ``base``, as NumPy takes it.
        dtype: the expression of the dtype of ``base``, in NumPy.
        as_bytes: ``base`` is the bytes of that memory, behind one byte more: a NumPy array of uint8, or a bytearray.
        impossible: why a shape or dtype has no such source.
    """

    code: str = "base"
    memory: Callable[[Shape], Shape] = lambda shape: shape
    order: Literal["C", "F"] = "C"
    dtype: str = "{dtype}"
    as_bytes: bool = False
    impossible: Reason = lambda shape, dtype: None

    def typed(self, shape: Shape, dtype: str) -> str:
        """Return ``code`` for a source of ``shape``, whose dtype is written ``dtype``."""
        return self.code.format(
            shape=shape,
            size=math.prod(shape),
            last=shape[-1] if shape else 0,
            dtype=dtype,
            reversed=tuple(reversed(range(len(shape)))),
            channels=(0, len(shape) - 1, *range(1, len(shape) - 1)),
        )


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One layout.

    Attributes:
        name: the word for it.
        summary: what it is, in a sentence.
        numpy: the recipe in NumPy.
        torch: the recipe in PyTorch, or the reason why there is none; left out if it is NumPy's.
        allocates: bytes allocated for each byte of the subject's logical size, for a large subject.
        arises: what one writes, or reads, to have it.
        pitfalls: common pitfalls.
    """

    name: str
    summary: str
    numpy: Recipe
    torch: Recipe | str | None = None
    allocates: Callable[[Shape], float] = lambda shape: 1.0
    arises: str
    pitfalls: tuple[Pitfall, ...]


def _needs(dimensions: int, what: str) -> Reason:
    plural = "s" if dimensions > 1 else ""

    def impossible(shape: Shape, dtype: Any) -> str | None:
        if len(shape) < dimensions:
            return f"{what} needs {dimensions} dimension{plural} or more; the shape has {len(shape)}"
        return None

    return impossible


def _no_window(shape: Shape, dtype: Any) -> str | None:
    if reason := _needs(2, "a sliding window")(shape, dtype):
        return reason
    return "a sliding window needs elements; the shape has none" if 0 in (shape[0], shape[-1]) else None


def _always_aligned_in_numpy(shape: Shape, dtype: Any) -> str | None:
    if dtype.alignment == 1:
        return f"every address is aligned for {dtype}"
    return "references to objects cannot be unaligned" if dtype.hasobject else None


def _always_aligned_in_torch(shape: Shape, dtype: Any) -> str | None:
    if dtype.itemsize == 1:
        return f"every address is aligned for {dtype}"
    if not math.prod(shape):
        return "an unaligned tensor needs elements; the shape has none"
    if str(dtype).startswith("torch.q"):
        return "a quantized tensor over a buffer has no quantizer: reading it crashes the process"
    return None


def _no_byte_order(shape: Shape, dtype: Any) -> str | None:
    return f"{dtype} has no byte order" if dtype.newbyteorder() == dtype else None


def _no_channels(shape: Shape, dtype: Any) -> str | None:
    if len(shape) not in (4, 5):
        return f"channels-last needs 4 or 5 dimensions; the shape has {len(shape)}"
    return None


LAYOUTS: tuple[Layout, ...] = (
    Layout(
        name="contiguous",
        summary="row-major, no gaps",
        numpy=Recipe(),
        arises="np.zeros((4, 3)), torch.zeros(4, 3), results of .copy() and .contiguous()",
        pitfalls=(
            Pitfall(
                text="torch.from_numpy shares memory.",
                shows="shared",
                conversion="torch.from_numpy",
            ),
        ),
    ),
    Layout(
        name="fortran",
        summary="column-major, no gaps",
        numpy=Recipe(order="F"),
        torch=Recipe("base.permute({reversed})", memory=lambda shape: shape[::-1]),
        arises="np.asfortranarray(a), np.zeros((4, 3), order='F'), much of SciPy and LAPACK",
        pitfalls=(
            Pitfall(
                text="torch.from_numpy shares memory and keeps the strides.",
                shows="shared",
                conversion="torch.from_numpy",
            ),
            Pitfall(
                text="x.copy() returns row-major memory; x.copy(order='K') would keep column-major strides.",
                shows="copied",
                conversion="ndarray.copy",
            ),
        ),
    ),
    Layout(
        name="transposed",
        summary="a view of row-major memory with its last two axes swapped",
        numpy=Recipe(
            "base.swapaxes(-1, -2)",
            memory=lambda shape: (*shape[:-2], shape[-1], shape[-2]),
            impossible=_needs(2, "a transposed view"),
        ),
        arises="a.T, x.t(), x.transpose(-1, -2), x.permute(…)",
        pitfalls=(
            Pitfall(text="Tensor.view raises, where reshape copies.", shows="refused", conversion="Tensor.view"),
            Pitfall(text="Tensor.reshape copies silently.", shows="copied", conversion="Tensor.reshape"),
        ),
    ),
    Layout(
        name="non-contiguous",
        summary="every other element of the last axis",
        numpy=Recipe(
            "base[..., ::2]",
            memory=lambda shape: (*shape[:-1], 2 * shape[-1]),
            impossible=_needs(1, "every other column"),
        ),
        allocates=lambda shape: 2.0,
        arises="a[:, ::2], a column a[:, 0], x[..., ::2], one channel of an image",
        pitfalls=(
            Pitfall(
                text="A tensor shares memory with the whole array and keeps it alive.",
                shows="shared",
                conversion="torch.from_numpy",
            ),
            Pitfall(
                text="Functions that need a contiguous buffer raise.", shows="refused", conversion="torch.frombuffer"
            ),
        ),
    ),
    Layout(
        name="offset",
        summary="a view that starts one element into its memory",
        numpy=Recipe("base[1:].reshape({shape})", memory=lambda shape: (math.prod(shape) + 1,)),
        arises="a[1:], x[1:], the second half of a buffer, a storage with an offset",
        pitfalls=(
            Pitfall(
                text="Its data pointer differs from the buffer's although the memory is the same: different pointers "
                "may share memory.",
                shows="shared",
                conversion="torch.from_numpy",
            ),
        ),
    ),
    Layout(
        name="reversed",
        summary="the first axis reversed",
        numpy=Recipe("base[::-1]", impossible=_needs(1, "a reversed view")),
        torch="PyTorch has no negative strides",
        arises="a[::-1], np.flip(a), np.flipud(image), image[..., ::-1] for BGR to RGB",
        pitfalls=(
            Pitfall(
                text="torch.from_numpy raises: PyTorch has no negative strides.",
                shows="refused",
                conversion="torch.from_numpy",
            ),
            Pitfall(text="torch.from_dlpack crashes the process.", shows="crashed", conversion="torch.from_dlpack"),
        ),
    ),
    Layout(
        name="broadcast",
        summary="one row repeated with stride 0",
        # np.broadcast_to returns a read-only array, and that is a state, not a layout
        numpy=Recipe(
            "np.lib.stride_tricks.as_strided(base, {shape}, (0, *base.strides[1:]), subok=True)",
            memory=lambda shape: (1, *shape[1:]),
            impossible=_needs(1, "a broadcast"),
        ),
        torch=Recipe(
            "base.expand({shape})",
            memory=lambda shape: (1, *shape[1:]),
            impossible=_needs(1, "a broadcast"),
        ),
        allocates=lambda shape: 1 / max(1, shape[0]) if shape else 1.0,
        arises="np.broadcast_to(row, (4, 3)), x.expand(4, 3)",
        pitfalls=(
            Pitfall(
                text="Tensor.numpy returns a writable array: one write changes every row.",
                shows="elements-overlap",
                conversion="Tensor.numpy",
            ),
            Pitfall(
                text="A copy allocates separate memory for each row.",
                shows="copied",
                conversion="Tensor.clone",
            ),
        ),
    ),
    Layout(
        name="overlapping",
        summary="a sliding window: neighbouring rows share elements",
        numpy=Recipe(
            "np.lib.stride_tricks.sliding_window_view(base, {last}, axis=0, subok=True, writeable=True)",
            memory=lambda shape: (shape[0] + shape[-1] - 1, *shape[1:-1]),
            impossible=_no_window,
        ),
        torch=Recipe(
            "base.unfold(0, {last}, 1)",
            memory=lambda shape: (shape[0] + shape[-1] - 1, *shape[1:-1]),
            impossible=_no_window,
        ),
        allocates=lambda shape: (shape[0] + shape[-1]) / max(1, shape[0] * shape[-1]) if len(shape) > 1 else 1.0,
        arises="np.lib.stride_tricks.sliding_window_view(a, 3), x.unfold(0, 3, 1), as_strided",
        pitfalls=(
            Pitfall(text="One write changes several elements.", shows="elements-overlap", conversion="Tensor.numpy"),
        ),
    ),
    Layout(
        name="unaligned",
        summary="not aligned for its dtype",
        numpy=Recipe("base[1:].view({dtype}).reshape({shape})", as_bytes=True, impossible=_always_aligned_in_numpy),
        # a tensor's storage offset counts elements, so the odd byte must come from a foreign buffer
        torch=Recipe(
            "torch.frombuffer(base, dtype={dtype}, count={size}, offset=1).view({shape})",
            as_bytes=True,
            impossible=_always_aligned_in_torch,
        ),
        arises="np.frombuffer(data, 'f4', offset=1), packed records, a file mapped after a header of odd length",
        pitfalls=(
            Pitfall(
                text="torch.from_numpy shares memory, and the tensor is unaligned, too.",
                shows="misaligned",
                conversion="torch.from_numpy",
            ),
        ),
    ),
    Layout(
        name="byte-swapped",
        summary="non-native byte order",
        numpy=Recipe(dtype="{dtype}.newbyteorder()", impossible=_no_byte_order),
        torch="PyTorch has native byte order only",
        arises="np.fromfile(f, '>f4'), HDF5, FITS and network data in big-endian order",
        pitfalls=(
            Pitfall(
                text="torch.from_numpy raises: PyTorch has native byte order only. Use "
                "x.astype(x.dtype.newbyteorder('=')).",
                shows="refused",
                conversion="torch.from_numpy",
            ),
        ),
    ),
    Layout(
        name="field-of-structured",
        summary="one field of a structured array",
        numpy=Recipe('base["right"]', dtype='np.dtype([("left", {dtype}), ("right", {dtype})])'),
        torch="PyTorch has no structured dtypes",
        allocates=lambda shape: 2.0,
        arises="records['x'], a field of an array of structs, columns of a recarray",
        pitfalls=(
            Pitfall(
                text="torch.from_numpy shares memory if the stride is a multiple of the item size.",
                shows="shared",
                conversion="torch.from_numpy",
            ),
        ),
    ),
    Layout(
        name="channels-last",
        summary="4 or 5 dimensions, channels innermost in memory",
        numpy=Recipe(
            "base.transpose({channels})",
            memory=lambda shape: (shape[0], *shape[2:], shape[1]),
            impossible=_no_channels,
        ),
        torch=Recipe(
            "base.permute({channels})",
            memory=lambda shape: (shape[0], *shape[2:], shape[1]),
            impossible=_no_channels,
        ),
        arises="x.to(memory_format=torch.channels_last), an H×W×C image transposed to C×H×W",
        pitfalls=(
            Pitfall(
                text="The shape is N×C×H×W, the memory is N×H×W×C. An array that shares it has the same strides.",
                shows="shared",
                conversion="Tensor.numpy",
                shape="2,3,4,4",
            ),
            Pitfall(text="Tensor.reshape copies.", shows="copied", conversion="Tensor.reshape", shape="2,3,4,4"),
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
    "noncontiguous": "non-contiguous",
    "sliced": "non-contiguous",
    "misaligned": "unaligned",
}
"""Words that NumPy and PyTorch use for a layout, each with the name it has here."""


def split(layout: str) -> tuple[str, bool]:
    """Return the one layout, and whether the other byte order is joined to it: ``byte-swapped+reversed``."""
    name, joined, other = layout.partition("+")
    if not joined:
        return name, False
    return (other if name == "byte-swapped" else name), True


def parse(text: str) -> str:
    """Return the sorted spelling of a layout that a user wrote.

    Raises:
        RequestError: for an unknown word, and for a join of two layouts other than with the byte order.
    """
    words = {ALIASES.get(word, word) for word in (part.strip() for part in current(text.lower()).split("+"))}
    words -= {"contiguous"} if len(words) > 1 else set()
    for word in words:
        if word not in BY_NAME:
            raise unknown("layout", word, [*BY_NAME, "all"])
    if len(words) > 2 or (len(words) == 2 and "byte-swapped" not in words):
        raise RequestError(f"layout {text!r}: only byte-swapped can be joined to another layout.")
    return "+".join(sorted(words))


def recipe(name: str, library: Library) -> Recipe:
    """Return how ``library`` makes the layout ``name``.

    Raises:
        CannotBuildError: if that library has no such layout.
    """
    layout = BY_NAME[name]
    if library is Library.NUMPY or layout.torch is None:
        return layout.numpy
    if isinstance(layout.torch, str):
        raise CannotBuildError(layout.torch)
    return layout.torch


def word_for(shape: Shape, strides: Shape, itemsize: int, *, record: bool, owns: bool, offset: bool) -> str:
    """Return the layout word for a given object's shape and strides (bytes).

    ``record``: it is a field of an array of records; ``owns``: the memory was laid out for it; ``offset``: it starts
    after its storage does. Byte order and alignment are told apart by the caller.
    """
    steps = [(stride, n) for stride, n in zip_equal(strides, shape) if n > 1]
    if record:
        return "field-of-structured"
    if math.prod(shape) == 0 or not steps:
        return "offset" if offset else "contiguous"
    if any(stride == 0 for stride, _ in steps):
        return "broadcast"
    if any(stride < 0 for stride, _ in steps):
        return "reversed"
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
    return "non-contiguous"


def joined(word: str, others: Collection[str]) -> str:
    """Return a layout's word with those of byte order and alignment."""
    plain = word in ("contiguous", "offset") and others
    return "+".join(sorted(others if plain else {word, *others}))


def _tiles(steps: list[tuple[int, int]], itemsize: int) -> bool:
    """Return True if ``steps`` (stride, length), innermost first, leave no gap."""
    expected = itemsize
    for stride, n in steps:
        if stride != expected:
            return False
        expected *= n
    return True
