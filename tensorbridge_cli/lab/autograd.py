"""Whether autograd notices a write that is made through the result of a conversion.

A product keeps its factors for ``backward``, and a version counter tells whether they were written since: a write
through the tensor, through a view of it or through ``detach()`` counts, and ``backward`` raises. A write through a
NumPy array or through ``.data`` does not count: ``backward`` then computes with values that were not the ones used.
Comparing version counters alone would not do: what they guard is private, and differs between releases.
"""

from __future__ import annotations

from typing import Any

from tensorbridge_cli.memory.parts import Index, is_dense
from tensorbridge_cli.memory.writes import write
from tensorbridge_cli.pytorch import Tensor, torch


def notices_write(source: Any, result: Any, index: Index) -> bool | None:
    """Return whether ``backward`` raises after a write to ``result[index]``, or gives the gradient it gave before.

    ``None`` if it cannot be tried: the source records no gradients, its dtype has no arithmetic, or the write did
    not change the gradient.
    """
    if not (isinstance(source, Tensor) and source.requires_grad and is_dense(source)):
        return None
    try:
        with torch.enable_grad():
            product = (source * source).sum()
            product = product.abs() if product.is_complex() else product
        (expected,) = torch.autograd.grad(product, source, retain_graph=True)
        write(result, index)
    except Exception:  # a dtype or a kind of tensor without this kernel, or a write that is refused
        return None
    try:
        (gradient,) = torch.autograd.grad(product, source)
    except RuntimeError:
        return True
    return None if torch.equal(gradient, expected) else False
