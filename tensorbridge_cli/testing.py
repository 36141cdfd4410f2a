"""Assertions for one's own tests: two live objects share memory, or share nothing. Nothing is written to either."""

from __future__ import annotations

from typing import Any

from tensorbridge_cli.api import relation, shares_memory
from tensorbridge_cli.render import words


def assert_shares_memory(a: Any, b: Any) -> None:
    """Fail unless a byte of ``a`` is a byte of ``b``; the message shows where the bytes of both lie.

    Raises:
        AssertionError: where they share nothing.
        UndecidableError: where that cannot be told.
    """
    __tracebackhide__ = True
    if not shares_memory(a, b):
        raise AssertionError(f"they share no memory:\n{_evidence(a, b)}")


def assert_copies(a: Any, b: Any) -> None:
    """Fail where a byte of ``a`` is a byte of ``b``; the message shows where the bytes of both lie.

    Raises:
        AssertionError: where they share memory.
        UndecidableError: where that cannot be told.
    """
    __tracebackhide__ = True
    if shares_memory(a, b):
        found = relation(a, b).overlap_bytes
        count = "memory" if found is None else words.quantity(found)
        raise AssertionError(f"they share {count}:\n{_evidence(a, b)}")


def _evidence(a: Any, b: Any) -> str:
    from tensorbridge_cli.lab import objects

    lines = []
    for name, obj in (("a", a), ("b", b)):
        known = objects.describe(obj)
        shape = words.shape(known.shape) if known.shape is not None else ""
        strides = "" if known.strides is None else f", strides {known.strides} bytes"
        lines.append(f"  {name}: {known.type} {shape} {known.dtype}{strides}")
        for part in objects.extents(obj):
            span = f"{part.start} to {part.stop}, storage {part.storage_start} to {part.storage_stop}"
            lines.append(f"     {f'{part.part}: ' if part.part else ''}bytes {span}")
        if known.owner:
            lines.append(f"     owner: {known.owner}")
    return "\n".join(lines)
