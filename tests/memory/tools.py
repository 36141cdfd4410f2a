"""The dtypes of each library, and the bytes of an object."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tensorbridge_cli.catalog import dtypes
from tensorbridge_cli.records.enums import Library

NUMPY = [entry.name for entry in dtypes.installed() if Library.NUMPY in entry.libraries]
TORCH = [entry.name for entry in dtypes.installed() if Library.TORCH in entry.libraries]
BOTH = [(Library.NUMPY, name) for name in NUMPY] + [(Library.TORCH, name) for name in TORCH]


def octets(obj: Any) -> bytes:
    return obj.tobytes() if isinstance(obj, np.ndarray) else bytes(obj.untyped_storage())


def overwrite(obj: Any, pattern: bytes) -> None:
    """Put ``pattern`` over the memory, whatever the dtype makes of it."""
    whole = (pattern * len(octets(obj)))[: len(octets(obj))]
    if isinstance(obj, np.ndarray):
        obj.reshape(-1).view("u1")[...] = np.frombuffer(whole, "u1")
    else:
        obj.untyped_storage().copy_(torch.frombuffer(bytearray(whole), dtype=torch.uint8).untyped_storage())


def forbidden_view() -> torch.Tensor:
    """Return a view that was created without gradients, of a tensor that was written with them: torch forbids it."""
    base = torch.zeros(3, 2)
    with torch.no_grad():
        view = base[0]
    base.copy_(torch.ones(3, 2, requires_grad=True))
    return view
