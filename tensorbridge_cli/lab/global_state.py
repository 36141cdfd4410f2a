"""What belongs to the whole process, and what code of the user's has changed of it.

Such code has a process of its own, so that nothing of this reaches another row. That something was changed is said all
the same: in the user's own program it does reach what follows. Only what is cheap to compare is inspected.

``resource`` is imported where it is needed: Windows has none.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from tensorbridge_cli.pytorch import torch

_MOST = 6  # changes that are named
_SHORT = (bool, int, str, *((torch.dtype, torch.device) if torch is not None else ()))
_NAMESPACES: dict[str, ModuleType | type] = {"": builtins, "np.": np, "np.ma.": np.ma}
if torch is not None:
    _NAMESPACES |= {
        "torch.": torch,
        "torch.utils.dlpack.": torch.utils.dlpack,
        "Tensor.": torch.Tensor,
        "torch._C.": torch._C,
    }


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _limits() -> dict[str, tuple[int, int]]:
    with contextlib.suppress(ImportError):
        import resource

        names = (name for name in dir(resource) if name.startswith("RLIMIT_"))
        return {name: resource.getrlimit(getattr(resource, name)) for name in names}
    return {}


_SETTINGS: dict[str, Callable[[], Any]] = {}
if torch is not None:
    _SETTINGS |= {
        "the default dtype": torch.get_default_dtype,
        "the default device": getattr(torch, "get_default_device", lambda: None),
        "grad mode": torch.is_grad_enabled,
        "inference mode": torch.is_inference_mode_enabled,
        "anomaly detection": torch.is_anomaly_enabled,
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled,
        "the number of threads": torch.get_num_threads,
        "float32 matmul precision": torch.get_float32_matmul_precision,
        "autocast": lambda: torch.is_autocast_enabled("cpu"),
        "torch's print options": lambda: dict(vars(torch._tensor_str.PRINT_OPTS)),
        "function modes": lambda: torch._C._len_torch_function_stack(),
        "dispatch modes": lambda: torch._C._len_torch_dispatch_stack(),
    }
_SETTINGS |= {
    "np.geterr()": np.geterr,
    "np.get_printoptions()": np.get_printoptions,
    "the working directory": os.getcwd,
    "the umask": _umask,
    "os.environ": lambda: dict(os.environ),
    "sys.path": lambda: list(sys.path),
    "the recursion limit": sys.getrecursionlimit,
    "the trace function": sys.gettrace,
    "the garbage collector": gc.isenabled,
    "the resource limits": _limits,
    "signal handlers": lambda: {signal.Signals(n).name: signal.getsignal(n) for n in signal.valid_signals() if n < 32},
}


def snapshot() -> dict[str, Any]:
    """Return the state of this process; what one version of a library lacks is left out."""
    state: dict[str, Any] = {}
    for name, ask in _SETTINGS.items():
        with contextlib.suppress(Exception):
            state[name] = ask()
    for prefix, namespace in _NAMESPACES.items():
        state[prefix] = _members(namespace)
    return state


def _members(namespace: ModuleType | type) -> dict[str, Any]:
    """Return what is in a module, or in a class: one that hides an inherited method is new in it."""
    members: dict[str, Any] = {}
    for owner in reversed(namespace.__mro__) if isinstance(namespace, type) else (namespace,):
        members.update(vars(owner))
    return members


def changes(before: dict[str, Any]) -> tuple[str, ...]:
    """Say what has changed since ``before``, a few of many."""
    return _a_few(_changes(before, snapshot()))


def replaced(before: dict[str, Any]) -> tuple[str, ...]:
    """Name the functions and classes that something else has taken the place of since ``before``, a few of many."""
    return _a_few(_replaced(before, snapshot()))


def _a_few(changes: Iterator[str]) -> tuple[str, ...]:
    listed = list(changes)
    return tuple(listed if len(listed) <= _MOST else [*listed[:_MOST], f"{len(listed) - _MOST} more"])


def _changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for name in _SETTINGS:
        ours, theirs = before.get(name), after.get(name)
        if _differ(ours, theirs):
            short = all(isinstance(value, _SHORT) for value in (ours, theirs))
            yield f"{name} was {ours}, is {theirs}" if short else f"{name} changed"
    yield from (f"{name} was replaced" for name in _replaced(before, after))


def _replaced(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for prefix in _NAMESPACES:
        for name, value in before[prefix].items():
            # what is imported or computed at the first use is not a change
            if callable(value) and after[prefix].get(name) is not value:
                yield f"{prefix}{name}"


def _differ(ours: Any, theirs: Any) -> bool:
    try:
        return bool(ours != theirs)
    except Exception:
        return True
