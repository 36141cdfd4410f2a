"""What is read is what is there, whatever it is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tensorbridge_cli.catalog import states
from tensorbridge_cli.memory.values import differ, differing, read, read_cell, texts_apart
from tensorbridge_cli.records.enums import Library
from tests.memory.tools import BOTH, octets

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns as it likes

# Reading -------------------------------------------------------------------------------------------

UNREADABLE = {f"{sign}int{bits}" for sign in ("", "u") for bits in range(1, 8)}
UNREADABLE |= {"bits8", "bits16", "bits1x8", "bits2x4", "bits4x2", "float4_e2m1fn_x2", "qint8", "quint8", "qint32"}


@pytest.mark.parametrize(("library", "dtype"), [case for case in BOTH if case[1] not in ("quint4x2", "quint2x4")])
def test_what_is_read_is_what_is_there(made: Callable[..., Any], library: Library, dtype: str) -> None:
    cells = [(i, j) for i in range(2) for j in range(3)]
    for layout in ("contiguous", "non-contiguous", "fortran", "offset"):
        obj = made(library, (2, 3), dtype, layout)
        if dtype in UNREADABLE:
            starts = [(obj.storage_offset() + i * obj.stride(0) + j * obj.stride(1)) * obj.itemsize for i, j in cells]
            expected = ["0x" + octets(obj)[start : start + obj.itemsize].hex() for start in starts]
        elif dtype.startswith(("datetime", "timedelta")):
            expected = [obj[cell].astype(int) for cell in cells]
        else:
            expected = [obj[cell] if dtype == "object" else obj[cell].item() for cell in cells]
        assert read(obj) == expected
        if dtype not in ("qint8", "quint8", "qint32"):  # one of these is read as the number that it stands for
            assert [read_cell(obj, cell) for cell in cells] == expected


FILLED = [1.1, 2.1, 3.1, 3e38]
SEEN = {
    "masked": [*FILLED[:3], None],
    "scalar": [1.1],
    "negative-bit": [-value for value in FILLED],
    "zero-tensor": [0.0] * 4,
}
SEEN |= {"meta": None, "fake": None, "quantized": ["0x15", "0x1f", "0x29", "0xff"]}


@pytest.mark.parametrize("state", [state for state in states.every() if "conjugate-bit" not in state])
def test_a_reader_sees_the_values_of_each_state(made: Callable[..., Any], state: str) -> None:
    library = Library.TORCH if states.library_of(state) is Library.TORCH else Library.NUMPY
    found = read(made(library, (2, 2), state=state))
    expected = SEEN.get(state, SEEN["masked"] if "masked" in state else FILLED)
    rounded = found and [float(f"{value:.6g}") if isinstance(value, float) else value for value in found]
    assert rounded == expected


def test_a_conjugate_is_read_as_one(made: Callable[..., Any]) -> None:
    plain, conjugate = (made(Library.TORCH, (2,), "complex64", state=state) for state in ("plain", "conjugate-bit"))
    assert read(conjugate) == [value.conjugate() for value in read(plain)]


def test_nan_is_nan_and_text_is_not_a_number() -> None:
    nan = float("nan")
    assert not differ(nan, float("nan"))
    assert not differ(complex(nan, 1), complex(nan, 1))
    assert not differ((1, nan), (1, float("nan")))
    assert differ(complex(nan, 1), complex(nan, 2))
    assert differ((1, nan), (1, 2.0))
    assert differ(nan, 1.0)
    assert differ("1", 1)
    assert differ([1, 2], [1])
    assert not differ([1, [2, nan]], np.array([1, np.array([2, nan])], dtype=object))
    assert differ(np.array([1, 3]), [1, 2])


NUMBERS = (0, 1, True, 0.0, -0.0, 1.0, float("nan"), complex("nan"), 1j, np.bool_(True))
OTHERS = ("1", b"1", "0x01", None, (1, float("nan")), {"a": 1})
ARRAYS = (np.array(1.0), np.array([1.0]), np.array([1.0, 2.0]), torch.ones(1))
VALUES = st.sampled_from([*NUMBERS, *OTHERS, *ARRAYS])


@given(st.lists(VALUES, max_size=6), st.lists(VALUES, max_size=6), st.booleans())
def test_lists_differ_where_their_values_do(before: list[Any], other: list[Any], same: bool) -> None:
    after = list(before) if same else other
    assert differing(before, after) == [i for i in range(min(map(len, (before, after)))) if differ(before[i], after[i])]


def test_no_code_of_a_subclass_runs_where_values_are_read() -> None:
    octets_of_texts = np.char.array(["a", "b"]).view("u1")  # which lets no view be made of it
    assert read(octets_of_texts) == [97, 0, 0, 0, 98, 0, 0, 0]
    assert read_cell(octets_of_texts, (4,)) == 98


def test_of_a_sparse_tensor_without_a_dense_form_the_parts_are_read() -> None:
    indices = torch.tensor([0, 2]), torch.tensor([0, 1])
    tensor = torch.sparse_csr_tensor(*indices, torch.tensor([1.0, 2.0]), size=(3,), check_invariants=False)
    assert read(tensor) == [1.0, 2.0, 0, 2, 0, 1]


def test_a_text_that_is_no_character_is_read_as_bytes() -> None:
    text = np.array(["a", "b"], ">U1").view("<U1")
    assert read(text) == ["0x00000061", "0x00000062"]
    assert read_cell(text, (1,)) == "0x00000062"


@pytest.mark.parametrize("value", [np.datetime64("2020-01-01"), np.datetime64("NaT", "s"), np.timedelta64(2**53 + 1)])
def test_a_time_is_read_as_its_number_of_units_in_a_scalar_and_in_an_array(value: np.generic) -> None:
    expected = [int.from_bytes(value.tobytes(), sys.byteorder, signed=True)]
    for obj in (value, np.array(value), np.array([value]), [value], np.array([[value]])[0]):
        assert read(obj) == expected
    assert read_cell(value, ()) == read_cell(np.array([value]), (0,)) == expected[0]


@pytest.mark.parametrize(
    ("before", "after", "texts"),
    [
        ((1.0, None), (2.0, None), ("1.0", "2.0")),
        ((0.1, torch.zeros(1)), (float(np.float32(0.1)), torch.zeros(1)), ("0.1", "0.10000000149011612")),
        (("a" * 50 + "b", None), ("a" * 50 + "c", None), ("'…aaaaaaaab'", "'…aaaaaaaac'")),
        (("0x" + "0" * 60, None), ("0x" + "0" * 59 + "1", None), ("'…000000000'", "'…000000001'")),
        ((1, None), (True, None), ("1", "True")),
    ],
)
def test_two_values_are_told_apart(before: tuple[Any, Any], after: tuple[Any, Any], texts: tuple[str, str]) -> None:
    assert texts_apart(*before, *after) == texts
