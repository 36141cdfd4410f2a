"""What ``copy.deepcopy`` copies beyond a tensor: it takes the whole storage of a view along, and the gradient."""

from __future__ import annotations

import gc
import sys
from collections import defaultdict
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from tensorbridge_cli.tracing.inside.classify import answers_itself

if TYPE_CHECKING:
    from tensorbridge_cli.tracing.inside.sites import Table


def gradient_bytes(tensor: Any) -> int:
    """Return the bytes of the gradient of a leaf, which a deep copy takes along, storage and all."""
    with sys.modules["torch"]._C.DisableTorchFunction():
        grad = tensor.grad if tensor.is_leaf else None
        return 0 if grad is None else int(grad.nbytes)


def views_copied(table: Table, size: int) -> tuple[list[int], bool]:
    """Return the bytes of each view that a deep copy takes of the storage that it copies, and if it is of a container.

    For a tensor that is ``size``. A container may have several, and is looked through once: until its memo, which
    grows, is that of another call. Nothing is returned if ``copy.deepcopy`` does not copy, or too large a container.
    """
    deepcopy = sys.modules["copy"].deepcopy.__code__
    nested: list[Any] = []
    memo: dict[Any, Any] = {}
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code is deepcopy:
            names = frame.f_locals
            nested.append(names.get("x"))
            memo = memo or names.get("memo") or {}
        frame = frame.f_back
    if len(nested) < 2:
        return [size] * len(nested), False
    container, copied, views = table.container
    if container != id(nested[-1]) or len(memo) <= copied:
        views = _views_within(nested[-1])
    table.container = id(nested[-1]), len(memo), views
    with sys.modules["torch"]._C.DisableTorchFunction():
        return views.get(nested[0].untyped_storage()._cdata, []), True


def _views_within(container: Any) -> dict[int, list[int]]:
    """Return the bytes of each tensor in ``container``, by its storage; nothing for more than can be looked through."""
    torch = sys.modules["torch"]
    views: dict[int, list[int]] = defaultdict(list)
    seen, left = {id(container)}, [container]
    while left:
        one = left.pop()
        kind = type(one)  # isinstance would ask the object itself for its class
        if issubclass(kind, torch.Tensor):
            with torch._C.DisableTorchFunction():
                if not answers_itself(one) and one.layout is torch.strided:
                    views[one.untyped_storage()._cdata].append(one.nbytes)
        elif not issubclass(kind, _NEVER_COPIED):
            parts = [part for part in gc.get_referents(one) if id(part) not in seen]
            seen.update(map(id, parts))
            left += parts
            if len(seen) > _MOST_PARTS:
                return {}
    return views


_NEVER_COPIED = (type, ModuleType, FunctionType, BuiltinFunctionType, CodeType)
_MOST_PARTS = 100_000
"""Parts of a container that are looked through."""
