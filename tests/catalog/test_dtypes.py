import numpy as np
import pytest
import torch

from tensorbridge_cli.catalog import dtypes
from tensorbridge_cli.errors import RequestError, UnavailableError
from tensorbridge_cli.records.enums import Library

DECLARED = {entry.name: entry for entry in dtypes.DTYPES}
INSTALLED = {entry.name: entry for entry in dtypes.installed()}


def in_torch():
    return {str(value).removeprefix("torch.") for value in vars(torch).values() if isinstance(value, torch.dtype)}


@pytest.mark.parametrize("name", DECLARED)
def test_who_has_it_is_as_declared(name):
    assert dtypes.find(name).libraries == DECLARED[name].libraries


def test_every_torch_dtype_is_found():
    assert in_torch() <= set(INSTALLED)


def test_every_numpy_kind_is_found():
    assert {np.dtype(letter).kind for letter in np.typecodes["All"]} == {
        entry.numpy.kind for entry in INSTALLED.values() if entry.numpy is not None
    }


def test_no_dtype_is_declared_twice():
    assert len(DECLARED) == len(dtypes.DTYPES)


@pytest.mark.parametrize(
    ("text", "name"),
    [("f4", "float32"), ("half", "float16"), ("long", "int64"), ("double", "float64"), ("U3", "U3"), ("str", "U8")],
)
def test_other_spellings(text, name):
    assert dtypes.find(text).name == name


@pytest.mark.parametrize("text", ["float", "int"])
def test_a_name_that_means_two_things_is_refused(text):
    with pytest.raises(RequestError, match=r"in NumPy and .* in PyTorch"):
        dtypes.find(text)


def test_the_closest_names_are_suggested():
    with pytest.raises(RequestError, match="did you mean float32"):
        dtypes.find("flot32")


def test_byte_order_is_told_apart():
    foreign = ">" if np.little_endian else "<"
    found = dtypes.find(foreign + "f4")
    assert (found.name, found.byte_swapped, found.torch) == ("float32", True, torch.float32)
    assert found.numpy.isnative


def test_a_record_keeps_the_byte_order_of_its_fields():
    assert dtypes.find("[('a', '>f4'), ('b', '<i4')]").numpy == np.dtype([("a", ">f4"), ("b", "<i4")])


@pytest.mark.parametrize("name", INSTALLED)
def test_a_name_finds_itself(name):
    assert dtypes.find(name).name == name


@pytest.mark.parametrize("entry", [e for e in INSTALLED.values() if len(e.libraries) == 2], ids=lambda e: e.name)
def test_a_shared_name_means_the_same_on_both_sides(entry):
    one = torch.zeros(1, dtype=entry.torch)
    assert one.numpy().dtype == entry.numpy
    assert entry.libraries == (Library.NUMPY, Library.TORCH)


@pytest.mark.parametrize(
    ("text", "name"),
    [("torch.float", "float32"), ("np.float64", "float64"), ("numpy.half", "float16"), ("torch.long", "int64")],
)
def test_the_module_before_a_name_says_whose_it_is(text, name):
    assert dtypes.find(text).name == name


def test_a_dtype_of_torch_alone_is_unavailable_without_it(monkeypatch):
    monkeypatch.setattr(dtypes, "_torch", lambda: None)
    for text, name in (("quint8", "quint8"), ("torch.anything", "anything")):
        with pytest.raises(UnavailableError, match=f"^{name} is a dtype of PyTorch, which is not installed"):
            dtypes.find.__wrapped__(text)
    assert dtypes.find.__wrapped__("float32").torch is None
    with pytest.raises(RequestError, match="unknown dtype 'qwzx'"):
        dtypes.find.__wrapped__("qwzx")
