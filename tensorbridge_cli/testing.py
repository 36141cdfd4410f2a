"""Asserts for tests, which look at live objects and change nothing: ``assert_shares_memory`` and ``assert_copies``."""

from __future__ import annotations

from typing import Any

from tensorbridge_cli.api import relation, shares_memory

__all__ = ["assert_copies", "assert_shares_memory"]


def assert_shares_memory(a: Any, b: Any) -> None:
    """Fail unless ``a`` and ``b`` reach a common byte.

    Raises:
        AssertionError: if they do not; the message shows the addresses.
        RequestError: if it cannot be told.
    """
    __tracebackhide__ = True
    if not shares_memory(a, b):
        raise AssertionError(f"they share no memory\n{_evidence(a, b)}")


def assert_copies(a: Any, b: Any) -> None:
    """Fail where ``a`` and ``b`` reach a common byte.

    Raises:
        AssertionError: if they do; the message shows the addresses.
        RequestError: if it cannot be told.
    """
    __tracebackhide__ = True
    if shares_memory(a, b):
        raise AssertionError(f"they share memory\n{_evidence(a, b)}")


def _evidence(a: Any, b: Any) -> str:
    from tensorbridge_cli.memory import describe, readers

    found = relation(a, b)
    lines = []
    for name, obj in (("a", a), ("b", b)):
        seen = readers.addressable(obj)
        facts = describe.describe(seen)
        shape = "×".join(map(str, facts.shape or ())) or "()"
        what = f"{shape} {facts.dtype or ''} {describe.type_name(obj)}"
        lines.append(f"  {name}: {what}, pointer {facts.pointer}, owner {facts.owner}")
        lines += [
            f"     {extent.part or 'bytes'} {extent.start} to {extent.stop}, "
            f"storage {extent.storage_start} to {extent.storage_stop}, strides {extent.strides}"
            for extent in describe.extents(seen)
        ]
    count = "unknown" if found.overlap_bytes is None else f"{found.overlap_bytes:,}"
    lines.append(f"  same pointer: {found.same_pointer}, same storage: {found.same_storage}, bytes in common: {count}")
    return "\n".join(lines)
