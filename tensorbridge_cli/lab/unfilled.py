"""Memory that is handed out with a pattern in it, so that a result which nobody filled shows the pattern.

``torch.Tensor(np.array(5))`` is five numbers that happened to lie there, and ``np.from_dlpack`` of a tensor without
memory is an array over new memory. Nothing about such a result tells it from a filled one: it has an address, it can be
read, and by chance it has the right values. So the allocators are made to hand out memory with a known content:

- NumPy keeps freed blocks below 1,024 bytes for itself: some of the size wanted are filled and freed.
- The C library (glibc) fills what it hands out with a byte, on demand: ``mallopt(M_PERTURB, …)``. Not so what it keeps
  a thread (tcache), so blocks of the size wanted are taken out of there first and held for as long.
- torch fills what ``torch.empty`` makes with NaN, or the largest integer, on demand: with one pattern and not with the
  others. That it does so is documented as ``torch.utils.deterministic.fill_uninitialized_memory``.

Other C libraries have no such switch: there only NumPy's and torch's own memory is told. Without torch the first two
remain.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tensorbridge_cli.pytorch import torch

_M_PERTURB = -6
_BLOCKS = 10  # more than the 7 that either cache holds of a size
_FILLED_BY_TORCH = 0x3C
_PATTERN = 0xA6
_SMALL = 1 << 16


@contextlib.contextmanager
def memory(pattern: int, nbytes: int) -> Iterator[None]:
    """While it is open, let memory be handed out that is filled with ``pattern``, blocks of ``nbytes`` above all."""
    with contextlib.nullcontext() if torch is None else _torch_fills(pattern, nbytes):
        perturb = _mallopt()
        try:
            perturb(_M_PERTURB, pattern)
            blocks = [np.full(nbytes, pattern, np.uint8) for _ in range(_BLOCKS)]
            del blocks
            yield
        finally:
            perturb(_M_PERTURB, 0)


@contextlib.contextmanager
def _torch_fills(pattern: int, nbytes: int) -> Iterator[None]:
    """While it is open, hold the blocks that are kept a thread, and let ``torch.empty`` fill what it makes."""
    torch_blocks = [torch.empty(nbytes, dtype=torch.uint8) for _ in range(_BLOCKS)]
    was = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    option = getattr(torch.utils, "deterministic", None)  # torch 2.1 fills as soon as the algorithms are deterministic
    fills = option and option.fill_uninitialized_memory
    try:
        if pattern == _FILLED_BY_TORCH:
            if option:
                option.fill_uninitialized_memory = True
            _deterministic(True, warn_only=True)
        yield
    finally:
        _deterministic(was[0], warn_only=was[1])
        if option:
            option.fill_uninitialized_memory = fills
        del torch_blocks


def leave(nbytes: int) -> None:
    """Leave blocks of ``nbytes`` behind that hold no values: a result in one that held the source's would have them."""
    if 0 < nbytes <= _SMALL:
        block, tensor = _patterned(nbytes)
        blocks = [block.copy() for _ in range(_BLOCKS)]  # a quarter of the time of np.full
        tensors = [tensor.clone() for _ in range(_BLOCKS)] if tensor is not None else []
        del blocks, tensors


@functools.lru_cache(maxsize=64)
def _patterned(nbytes: int) -> tuple[Any, Any]:
    """Return an array, and where there is torch a tensor, of ``nbytes`` that hold no values."""
    tensor = torch.full((nbytes,), _PATTERN, dtype=torch.uint8) if torch is not None else None
    return np.full(nbytes, _PATTERN, np.uint8), tensor


def _deterministic(mode: bool, warn_only: bool) -> None:
    """Do what ``torch.use_deterministic_algorithms`` does, which also imports torch._inductor: 800 modules."""
    torch._C._set_deterministic_algorithms(mode, warn_only=warn_only)


@functools.cache
def _mallopt() -> Callable[[int, int], Any]:
    """Return glibc's ``mallopt``, or what does nothing."""
    try:
        function: Callable[[int, int], Any] = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return lambda option, value: None
    return function
