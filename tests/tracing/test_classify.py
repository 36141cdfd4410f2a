"""What addresses tell, held against numpy's own search and against a write that is looked for."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tensorbridge_cli.tracing.inside import classify
from tensorbridge_cli.tracing.inside.sites import CountedSite

_CLASSIFY = classify.classifier(np, torch)


def counts_of(source, result):
    """Return the outcome, the bytes of what came back, and both dtypes; the second call of a site is as the first."""
    site = CountedSite("", "", "", (0, 0, 0, 0), (), "")
    cell, size = _CLASSIFY(site, source, result), site.cell.bytes
    assert _CLASSIFY(site, source, result) is cell
    assert (cell.bytes, list(site.cells.values())) == (2 * size, [cell])
    return cell.outcome, size, classify.name_of(cell.given), classify.name_of(cell.got)


def name(obj):
    return str(obj.dtype).removeprefix("torch.")


SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, max_side=5)
CUTS = st.sampled_from([slice(None), slice(None, None, 2), slice(1, None), slice(None, None, -1)])
WAYS = ("from_numpy", "as_tensor", "tensor", "to", "clone", "numpy", "array")
MAKE = {
    "same": lambda a: a,
    "view": lambda a: a[...],
    "copy": lambda a: a.copy(),
    "asarray": np.asarray,
    "array": np.array,
    "ascontiguous": np.ascontiguousarray,
    "other dtype": lambda a: np.asarray(a, dtype="complex128"),
}


@given(shape=SHAPES, cut=CUTS, make=st.sampled_from(list(MAKE)))
def test_between_arrays_as_numpy_says(shape, cut, make):
    source = np.zeros(shape)[cut]
    result = MAKE[make](source)
    expected = "undecidable" if not result.nbytes else "shared" if np.shares_memory(source, result) else "copied"
    assert counts_of(source, result) == (expected, result.nbytes, source.dtype, result.dtype)


@given(shape=SHAPES, cut=CUTS, how=st.sampled_from(WAYS))
def test_over_the_border_as_a_write_says(shape, cut, how):
    base = np.zeros(shape, "float32")
    array = base[cut] if cut != slice(None, None, -1) else base
    tensor = torch.from_numpy(array)
    source, result = {
        "from_numpy": lambda: (array, torch.from_numpy(array)),
        "as_tensor": lambda: (array, torch.as_tensor(array)),
        "tensor": lambda: (array, torch.tensor(array)),
        "to": lambda: (tensor, tensor.to(torch.float32)),
        "clone": lambda: (tensor, tensor.clone()),
        "numpy": lambda: (tensor, tensor.numpy()),
        "array": lambda: (tensor, np.array(tensor.numpy())),
    }[how]()
    outcome, size, given_dtype, got_dtype = counts_of(source, result)
    assert (size, given_dtype, got_dtype) == (result.nbytes, name(source), name(result))
    if not size:
        assert outcome == "undecidable"
        return
    source[(0,) * source.ndim] = 100.0
    seen = float(result[(0,) * result.ndim]) == 100.0
    assert outcome == ("shared" if seen else "copied")


@pytest.mark.parametrize(
    ("source", "convert", "expected"),
    [
        ([1.0, 2.0], torch.tensor, "copied"),
        (3, np.asarray, "copied"),
        (b"1234", lambda x: np.frombuffer(x, "u1"), "shared"),
        (bytearray(8), lambda x: torch.frombuffer(x, dtype=torch.uint8), "shared"),
        ([torch.ones(2)] * 2, torch.stack, "copied"),
        ([np.ones(2)] * 2, torch.utils.data.default_collate, "copied"),
        (torch.ones(2, 2).to_sparse(), lambda x: x.clone(), "copied"),
        (torch.ones(2, 2).to_sparse(), lambda x: x, "shared"),
        (torch.ones(2, device="meta"), lambda x: x.clone(), "undecidable"),
        (np.ma.masked_array([1.0, 2.0]), np.asarray, "shared"),
        (np.zeros(0), torch.tensor, "undecidable"),
        (object(), lambda x: np.asarray(x, dtype=object), "undecidable"),
    ],
)
def test_other_kinds(source, convert, expected):
    assert counts_of(source, convert(source))[0] == expected


def test_a_lazy_clone_is_not_made_to_copy():
    source = torch.ones(4)
    lazy = torch._lazy_clone(source)
    assert counts_of(source, lazy)[0] == "shared"
    assert torch._C._is_cow_tensor(lazy)


def test_addresses_are_those_of_the_interface():
    words = classify.memory_words(np)
    assert words is not None
    for array in (np.zeros((3, 2))[::-1], np.zeros(3, "i1")[1:], np.float32(3).reshape(1)):
        assert words[id(array) >> 3] == classify.address_of(array)


@pytest.mark.parametrize("offset", [0, 4, 8])
def test_a_part_of_a_buffer_is_shared(offset):
    source = np.arange(6, dtype="float32")
    result = torch.frombuffer(source, dtype=torch.float32, offset=offset)
    assert counts_of(source, result)[0] == "shared"
    assert counts_of(source[1:], torch.frombuffer(source[1:], dtype=torch.uint8, offset=offset))[0] == "shared"
    assert counts_of(torch.from_numpy(source)[offset // 4 :], source[offset // 4 :])[0] == "shared"


def test_memory_behind_a_broadcast_source_is_not_its_own():
    buffer = np.zeros(64, "float32")  # the source reaches 8 bytes of it, though its nbytes are 160
    source, result = np.broadcast_to(buffer[:2], (20, 2)), buffer[8:48]
    copies = torch.from_numpy(result.copy()), torch.frombuffer(memoryview(result), dtype=torch.float32)
    assert [counts_of(source, copy)[0] for copy in copies] == ["copied", "copied"]
    own = torch.frombuffer(memoryview(buffer[:2]), dtype=torch.float32).expand(20, 2)
    assert [counts_of(own, copy)[0] for copy in (*copies, result)] == ["copied", "copied", "copied"]


@given(shape=SHAPES, cut=CUTS)
def test_what_dlpack_makes_of_any_row_is_shared(shape, cut):
    held = torch.zeros(shape) if cut.step == -1 else torch.zeros(shape)[cut]
    for source in held:
        result = torch.from_dlpack(source)
        assert counts_of(source, result)[0] == ("shared" if result.nbytes else "undecidable")
        assert counts_of(source, source.clone())[0] == ("copied" if result.nbytes else "undecidable")


class Gives:
    """An object that gives an array: one that it holds, a part of it, or a new one."""

    def __init__(self, give):
        self.held = np.arange(6.0)
        self.give = give

    def __array__(self, dtype=None, copy=None):
        return self.give(self.held)


@pytest.mark.parametrize("libraries", [(np, torch), (np, None)], ids=["with torch", "without"])
@pytest.mark.parametrize(
    ("give", "outcome"),
    [(lambda held: held, "undecidable"), (lambda held: held[:], "undecidable"), (lambda held: held.copy(), "copied")],
    ids=["held", "a part", "new"],
)
def test_an_array_that_an_object_holds_is_not_called_a_copy(libraries, give, outcome):
    of, site = classify.classifier(*libraries), CountedSite("", "", "", (0, 0, 0, 0), (), "")
    source = Gives(give)
    result = np.asarray(source)
    assert of(site, source, result).outcome == outcome
