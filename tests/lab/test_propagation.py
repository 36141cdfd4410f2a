"""A write shows where the other object reaches a byte of the element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.multiprocessing  # it teaches multiprocessing's pickler to send tensors

from tensorbridge_cli.records.enums import Write
from tests.lab.tools import codes, detail, frozen, row

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns as it likes

NUMBERS = ["i2", "i4", "i8", "u8", "f2", "f4", "f8", ">f4", ">i8", "c8", "c16"]
ODD = ["longdouble", "clongdouble", "M8[s]", "m8[ns]", "S3", "U2", "V5", [("a", "i2"), ("b", "f8")]]


# A write is judged by bytes ------------------------------------------------------------------------


def array_of(dtype: Any) -> Any:
    if dtype in ("S3", "U2"):
        return np.array(["ab", "cd", "ef"], dtype)
    octets = (np.arange(3 * np.dtype(dtype).itemsize) % 50 + 1).astype("u1")
    return octets.view(dtype) if dtype not in ("longdouble", "clongdouble") else np.arange(3).astype(dtype)


@pytest.mark.parametrize("dtype", NUMBERS + ODD, ids=str)
@pytest.mark.parametrize("code", ["torch.frombuffer(x, dtype=torch.uint8)", "x.view('u1')", "x.view(bool)"])
def test_all_bytes_are_one_memory_whatever_is_read_there(dtype: Any, code: str) -> None:
    found = row(lambda: array_of(dtype), code)
    assert (found.writes.source_to_result, found.writes.result_to_source) == (Write.SEEN, Write.SEEN)
    assert (found.outcome, found.copied_bytes) == ("shared", 0)
    assert "evidence-conflicts" not in codes(found)
    read_only = row(lambda: frozen(array_of(dtype)), code)
    assert read_only.outcome == "shared"
    assert ("readonly-dropped" in codes(read_only)) is code.startswith("torch")


@pytest.mark.parametrize("dtype", ["i4", "i8", "f4", "f8", "u8", ">i4"])
@pytest.mark.parametrize("offset", [1, 2, 3])
def test_a_write_shows_where_the_other_reaches_one_byte_of_an_element(dtype: str, offset: int) -> None:
    width = np.dtype(dtype).itemsize
    found = row(lambda: np.arange(1, 4, dtype=dtype), f"x.view('u1')[{offset}::{width}]")
    assert (found.writes.source_to_result, found.writes.result_to_source) == (Write.SEEN, Write.SEEN)


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64", "uint16", "complex64"])
def test_so_does_a_write_to_a_tensor(dtype: str) -> None:
    width = torch.empty(0, dtype=getattr(torch, dtype)).itemsize
    found = row(lambda: torch.tensor([1, 2, 3], dtype=getattr(torch, dtype)), f"x.view(torch.uint8)[1::{width}]")
    assert (found.writes.source_to_result, found.writes.result_to_source) == (Write.SEEN, Write.SEEN)


@pytest.mark.parametrize("dtype", ["longdouble", "clongdouble"])
def test_where_only_padding_is_reached_the_addresses_decide(dtype: str) -> None:
    found = row(lambda: np.arange(3).astype(dtype), "x.view('u1')[15::16]")
    assert found.outcome == "shared"


def test_a_readable_value_is_written_where_the_whole_element_is_reached() -> None:
    found = row(lambda: np.array([1, 2], "i8"), "torch.from_numpy(x)")
    assert [cell.written for cell in found.evidence.cells] == ["100", "100"]


# A refused write may have been made ----------------------------------------------------------------


def inference(*shape: int, dtype: Any = torch.float32) -> torch.Tensor:
    with torch.inference_mode():
        return torch.ones(shape, dtype=dtype)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (70, 70), ()])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.bfloat16, torch.bool])
@pytest.mark.parametrize("code", ["x.numpy()", "x.clone()", "np.asarray(x)", "x[...]"])
def test_an_inference_tensor_is_written_though_it_raises(shape: tuple[int, ...], dtype: Any, code: str) -> None:
    if "numpy" in code or "np." in code:
        dtype = torch.float64 if dtype is torch.bfloat16 else dtype
    found = row(lambda: inference(*shape, dtype=dtype), code)
    assert found.writes.source_to_result is Write.REFUSED
    assert "source" in found.writes.written_though_refused
    assert "written-though-refused" in codes(found)
    cell = found.evidence.cells[0]
    assert (cell.refused, cell.wrote, cell.source_after) == (True, "source", cell.written)
    assert ("so is the result's" in detail(found, "written-though-refused")) is ("clone" not in code)


@pytest.mark.parametrize(
    "build",
    [
        lambda: frozen(np.ones(3)),
        lambda: frozen(np.ones((2, 2), "i8")[1:]),
        lambda: (1, 2),
        lambda: frozen(np.array("a")),
    ],
)
def test_a_refusal_is_a_refusal(build: Callable[[], Any]) -> None:
    found = row(build, "np.array(x)")
    assert found.writes.source_to_result is Write.REFUSED
    assert not found.writes.written_though_refused
    assert "written-though-refused" not in codes(found)


@pytest.mark.parametrize("build", [lambda: [b"ab", b"cd"], lambda: [[b"a"], [b"b"]], lambda: [(1.0, 2), (3.0, 4)]])
def test_of_a_list_of_what_cannot_be_written_the_list_is(build: Callable[[], Any]) -> None:
    found = row(build, "torch.Tensor(x)")
    assert (found.writes.source_to_result, found.writes.result_to_source) == (Write.NOT_SEEN, Write.NOT_SEEN)
    assert found.outcome == "copied"
    held = row(build, "list(x)")
    assert (held.writes.source_to_result, held.writes.result_to_source) != (Write.REFUSED, Write.REFUSED)
    assert not held.writes.refusals


@pytest.mark.parametrize("build", [lambda: [b""], lambda: np.ones(3), lambda: torch.ones(3)])
def test_nothing_shows_in_what_is_empty(build: Callable[[], Any]) -> None:
    found = row(build, "torch.empty(1, 0)")
    assert (found.writes.source_to_result, found.writes.result_to_source) == (Write.NOT_TRIED, Write.NOT_TRIED)
