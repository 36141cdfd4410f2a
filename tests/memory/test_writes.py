"""What is written changes one element, by assignment where there is one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tensorbridge_cli.memory.values import as_text, differ, read, read_cell
from tensorbridge_cli.memory.writes import NotWritableError, RefusedError, write
from tensorbridge_cli.records.enums import Library, Via
from tests.memory.tools import BOTH, octets, overwrite

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns as it likes

# Writing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("library", "dtype"), BOTH)
@pytest.mark.parametrize("shape", [(), (1,), (3, 5)])
def test_each_write_changes_one_element(
    made: Callable[..., Any], library: Library, dtype: str, shape: tuple[int, ...]
) -> None:
    obj = made(library, shape, dtype)
    index = tuple(n - 1 for n in shape)
    for _ in range(4):
        before, bits = as_text(read_cell(obj, index), obj), octets(obj)
        others = read(obj)[:-1]
        written, _ = write(obj, index)
        assert written == as_text(read_cell(obj, index), obj) != before
        changed = [i for i, (a, b) in enumerate(zip(bits, octets(obj), strict=True)) if a != b]
        if dtype not in ("quint4x2", "quint2x4"):  # a byte of these holds several
            assert read(obj)[:-1] == others
            assert changed[0] >= len(bits) - obj.itemsize


PATTERNS = (b"\x00", b"\x01", b"\x00\x01", b"\x7f", b"\xff")
VALUES = (100, 111, 0.5, float("nan"), float("inf"), 100 + 0j, "w", b"w", [100], "2000-01-01")


@pytest.mark.parametrize(("library", "dtype"), BOTH)
def test_a_write_changes_what_is_there_whatever_it_is(made: Callable[..., Any], library: Library, dtype: str) -> None:
    for pattern in PATTERNS if dtype not in ("object", "U8") else ():
        obj = made(library, (2,), dtype)
        overwrite(obj, b"\x01" if dtype == "bool" and pattern > b"\x01" else pattern)  # another bool is none
        written_over(obj)
    for value in VALUES:
        obj = made(library, (1,), dtype)
        with contextlib.suppress(Exception), np.errstate(all="raise"):  # it cannot hold this one
            obj[0] = value
        written_over(obj)


def written_over(obj: Any) -> None:
    before, bits = read_cell(obj, (0,)), octets(obj)
    write(obj, (0,))
    assert differ(before, read_cell(obj, (0,)))
    assert octets(obj) != bits


@pytest.mark.parametrize(("library", "dtype"), BOTH)
def test_a_write_is_an_assignment_where_there_is_one(made: Callable[..., Any], library: Library, dtype: str) -> None:
    obj, value = made(library, (2,), dtype), made(library, (2,), dtype)
    try:
        obj[0] = value[1]
        obj[0] = 1 if library is Library.TORCH else obj[1]
    except RuntimeError:  # no kernel that assigns it
        expected = Via.BYTES
    else:
        expected = Via.ASSIGNMENT
    if dtype in ("quint4x2", "quint2x4"):
        expected = Via.BYTES
    assert write(obj, (1,))[1] is expected


@pytest.mark.parametrize(
    ("of", "refusal"),
    [
        (("numpy", "read-only"), "read-only"),
        (("numpy", "memory-mapped+read-only"), "read-only"),
        (("numpy", "scalar"), "does not support item assignment"),
        (("torch", "zero-tensor"), "ZeroTensors are immutable"),
        (("torch", "inference"), "Inplace update to inference tensor"),
    ],
)
def test_a_refusal_is_the_library_s(made: Callable[..., Any], of: tuple[str, str], refusal: str) -> None:
    obj = made(Library(of[0]), state=of[1])
    with pytest.raises(RefusedError, match=refusal):
        write(obj, () if of[1] == "scalar" else (0, 0))


@pytest.mark.parametrize("state", ["meta", "fake"])
def test_what_has_no_bytes_is_not_written(made: Callable[..., Any], state: str) -> None:
    with pytest.raises(NotWritableError):
        write(made(Library.TORCH, state=state), (0, 0))


def test_a_write_needs_no_gradient(made: Callable[..., Any]) -> None:
    for state in ("requires-grad", "non-leaf", "parameter"):
        assert write(made(Library.TORCH, state=state), (0, 0)) == ("100.0", Via.ASSIGNMENT)


def test_a_write_to_a_list() -> None:
    nested = [[1, 2], [3, 4]]
    assert write(nested, (1, 0)) == ("100", Via.ASSIGNMENT)
    assert nested == [[1, 2], [100, 4]]
    with pytest.raises(RefusedError):
        write((1, 2), (0,))
