"""What a tensor's storage tells in each version of PyTorch.

Nothing is imported: ``trace`` asks in programs that have imported no torch yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def storage_address(torch: Any) -> Callable[[Any], int]:
    """Return a function of a tensor that returns the address of its storage, and never makes a lazy clone copy.

    torch 2.1 has neither the private accessor nor lazy clones; a torch that has the clones alone returns 0 for one.
    """
    accessor = getattr(torch._C, "_data_address", None)
    if accessor is not None:
        return accessor  # type: ignore[no-any-return]
    is_lazy = getattr(torch._C, "_is_cow_tensor", None)

    def address(tensor: Any) -> int:
        if is_lazy is not None and is_lazy(tensor):
            return 0
        try:
            return int(tensor.untyped_storage().data_ptr())
        except RuntimeError:  # of what has no memory: a zero tensor
            return 0

    return address


def is_resizable(storage: Any) -> bool | None:
    """Return True for memory that torch has allocated, and no other library; torch 2.1 does not tell: ``None``."""
    tells = getattr(storage, "resizable", None)
    return None if tells is None else bool(tells())
