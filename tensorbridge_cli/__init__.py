"""Which NumPy–PyTorch conversions share memory and which copy: proved by experiment.

``import tensorbridge_cli as tb`` imports neither numpy nor torch: each name is looked up when it is used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tensorbridge_cli.api import Inspection, check, inspect, relation, shares_memory
    from tensorbridge_cli.testing import assert_copies, assert_shares_memory

__version__ = "0.1.0"
__all__ = [
    "Inspection",
    "assert_copies",
    "assert_shares_memory",
    "check",
    "inspect",
    "relation",
    "shares_memory",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = "testing" if name.startswith("assert_") else "api"
    return getattr(import_module(f"{__name__}.{room}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
