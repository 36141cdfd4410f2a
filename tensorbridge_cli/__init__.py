"""Which NumPy–PyTorch conversions share memory and which copy: proved by experiment.

``import tensorbridge_cli as tb`` imports neither numpy nor torch: each name is looked up when it is used (PEP 562).
"""

from __future__ import annotations

TYPE_CHECKING = False  # as ``typing`` has it, whose import is half the time in which a Ctrl-C is a traceback
if TYPE_CHECKING:
    from tensorbridge_cli.api import Check, Inspection, check, inspect, relation, relations, shares_memory
    from tensorbridge_cli.errors import TensorbridgeError
    from tensorbridge_cli.records.report import Relation
    from tensorbridge_cli.testing import assert_copies, assert_shares_memory
    from tensorbridge_cli.tracing.context import trace

__version__ = "0.1.0"

__all__ = [
    "Check",
    "Inspection",
    "Relation",
    "TensorbridgeError",
    "assert_copies",
    "assert_shares_memory",
    "check",
    "inspect",
    "relation",
    "relations",
    "shares_memory",
    "trace",
]

_FROM = {
    "Relation": "records.report",
    "TensorbridgeError": "errors",
    "assert_copies": "testing",
    "assert_shares_memory": "testing",
    "trace": "tracing.context",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_FROM.get(name, 'api')}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
