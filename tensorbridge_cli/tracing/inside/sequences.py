"""What a call shows of a source that it reads item by item: a list of arrays, a sequence of another library."""

from __future__ import annotations

from typing import Any

from tensorbridge_cli.tracing.inside import sides
from tensorbridge_cli.tracing.inside.classify import answers_itself
from tensorbridge_cli.tracing.inside.evidence import ALL
from tensorbridge_cli.tracing.inside.fingerprint import kind_of
from tensorbridge_cli.tracing.inside.records import Note
from tensorbridge_cli.tracing.inside.sites import CountedSite

MANY = 100
"""NumPy scalars that a list must have to be worth a word: each is read through its object."""


class Sequences:
    """Notes at a site what its source is made of, and whether one array in its place would give the same."""

    def __init__(self, numpy: Any, torch: Any) -> None:
        self._numpy, self._torch = numpy, torch

    def note(self, site: CountedSite, source: Any, result: Any) -> None:
        """Note what is to be said of a call that reads its source item by item."""
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

    def _kind(self, obj: Any) -> str:
        return kind_of(obj, self._numpy, self._torch)

    def _are_scalars(self, items: Any) -> bool:
        return len(items) >= MANY and isinstance(items[0], self._numpy.generic)


def _is_torchs(conversion: str) -> bool:
    """Return True for a conversion by torch, and not by a method of its source, as ``pl.Series.to_torch``."""
    return conversion.startswith(("torch.", "Tensor."))
