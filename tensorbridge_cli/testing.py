"""Asserts for tests, which look at live objects and change nothing: ``assert_shares_memory`` and ``assert_copies``.

What describes both objects is imported where an assert has failed.
"""

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
    from tensorbridge_cli.memory.parts import extents

    compared = relation(a, b)
    lines = []
    for name, obj in (("a", a), ("b", b)):
        dense = readers.addressable(obj)
        facts = describe.describe(dense)
        shape = "×".join(map(str, facts.shape or ())) or "()"
        what = f"{shape} {facts.dtype or ''} {describe.type_name(obj)}"
        lines.append(f"  {name}: {what}, pointer {facts.pointer}, owner {facts.owner}")
        lines += [
            f"     {extent.part or 'bytes'} {extent.start} to {extent.stop}, "
            f"storage {extent.storage_start} to {extent.storage_stop}, strides {extent.strides}"
            for extent in extents(dense)
        ]
    count = "unknown" if compared.overlap_bytes is None else f"{compared.overlap_bytes:,}"
    lines.append(
        f"  same pointer: {compared.same_pointer}, same storage: {compared.same_storage}, bytes in common: {count}"
    )
    return "\n".join(lines)
