"""PyTorch, which an inspected environment need not have: the one place that knows whether it does.

``torch`` is the library, or ``None``. ``Tensor`` is its class, of which there is no object without PyTorch: code that
has asked ``isinstance(obj, Tensor)`` uses ``torch`` and asks nothing else. To be imported where torch would be, since
it imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["Module", "Tensor", "UntypedStorage", "torch"]

if TYPE_CHECKING:
    import torch
    from torch import Tensor, UntypedStorage
    from torch.nn import Module
else:
    try:
        import torch
    except ModuleNotFoundError as error:
        if error.name != "torch":  # it is installed, and what it needs is not
            raise
        torch = None

    class _Absent:
        """The class of no object."""

    if hasattr(torch, "Tensor"):  # and is no file of the user's that has the name, which the server refuses
        Tensor, UntypedStorage, Module = torch.Tensor, torch.UntypedStorage, torch.nn.Module
    else:
        Tensor = UntypedStorage = Module = _Absent
