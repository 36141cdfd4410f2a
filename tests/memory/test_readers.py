"""What is read of an object's memory is where a write to the object arrives."""

from __future__ import annotations

import array
import ctypes
import mmap
from collections import OrderedDict
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tensorbridge_cli as tb
from tensorbridge_cli.memory import readers
from tensorbridge_cli.testing import assert_copies, assert_shares_memory


class Interface:
    """An object that tells where its memory lies, as CuPy's and Qt's do."""

    def __init__(self, held: np.ndarray) -> None:
        self.held = held

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self.held.__array_interface__


class Image:
    """An object that copies its memory when it is asked, as Pillow's images do."""

    def __init__(self, held: np.ndarray) -> None:
        self.held = held

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self.held.__array_interface__ | {"data": self.held.tobytes()}


def set_first(buffer: Any) -> None:
    memoryview(buffer).cast("B")[0] = 7


BUFFERS = {
    "bytearray": lambda: bytearray(16),
    "memoryview": lambda: memoryview(bytearray(16))[4:12],
    "array": lambda: array.array("d", [0.0, 0.0]),
    "mmap": lambda: mmap.mmap(-1, 16),
    "ctypes": lambda: (ctypes.c_int16 * 8)(),
    "structure": lambda: type("S", (ctypes.Structure,), {"_fields_": [("a", ctypes.c_int8), ("b", ctypes.c_double)]})(),
}


@pytest.mark.parametrize("kind", BUFFERS)
def test_a_buffer_is_where_a_write_arrives(kind: str) -> None:
    buffer = BUFFERS[kind]()
    tensor = torch.frombuffer(buffer, dtype=torch.uint8)
    set_first(buffer)
    assert tensor[0] == 7
    assert tb.shares_memory(buffer, tensor)
    assert tb.shares_memory(tensor.numpy(), buffer)
    assert not tb.shares_memory(buffer, tensor.clone())


@given(a=st.tuples(st.integers(0, 20), st.integers(0, 20)), b=st.tuples(st.integers(0, 20), st.integers(0, 20)))
def test_parts_of_a_buffer_share_what_both_have(a: tuple[int, int], b: tuple[int, int]) -> None:
    buffer = bytearray(20)
    view, whole = memoryview(buffer), np.frombuffer(buffer, np.uint8)
    common = set(range(20)[slice(*a)]) & set(range(20)[slice(*b)])
    assert tb.shares_memory(view[slice(*a)], torch.from_numpy(whole)[slice(*b)]) == bool(common)
    assert tb.shares_memory(view[slice(*a)][::2], whole[slice(*b)]) == bool(
        set(range(20)[slice(*a)][::2]) & set(range(20)[slice(*b)])
    )


def test_nothing_of_a_buffer_is_held_afterwards() -> None:
    buffer, mapped = bytearray(8), mmap.mmap(-1, 8)
    assert not tb.shares_memory(buffer, mapped)
    buffer.extend(b"more")
    mapped.close()


def test_an_interface_is_where_a_write_arrives() -> None:
    held = np.zeros((4, 3), np.float32)
    assert tb.shares_memory(Interface(held[1:]), torch.from_numpy(held)[1])
    assert not tb.shares_memory(Interface(held[1:]), torch.from_numpy(held)[0])


@pytest.mark.parametrize("obj", [Image(np.ones(3, np.uint8)), SimpleNamespace(), "text"])
def test_what_may_answer_with_a_copy_is_refused(obj: Any) -> None:
    with pytest.raises(tb.TensorbridgeError, match="is not an array, a tensor or a list of numbers"):
        tb.shares_memory(obj, np.ones(3))


def test_a_container_is_what_it_holds() -> None:
    held = np.zeros(6)
    tensor = torch.from_numpy(held)
    batch = {"x": [tensor[:3]], "label": "a name", "none": None, "more": OrderedDict(y=(tensor[3:],))}
    assert tb.shares_memory(batch, held[:1])
    assert tb.shares_memory(batch, held[5:])
    assert not tb.shares_memory(batch, np.zeros(6))
    batch["more"]["itself"] = batch
    assert tb.shares_memory(held[5:], batch)
    with pytest.raises(tb.TensorbridgeError):
        tb.shares_memory({"x": tensor, "y": object()}, np.zeros(6))


def test_a_module_is_its_parameters_and_buffers() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    weights = [one.detach().numpy() for one in module.state_dict().values()]
    assert all(tb.shares_memory(module, one) for one in weights)
    assert tb.shares_memory(module, module.state_dict())
    assert not tb.shares_memory(module, [one.copy() for one in weights])


def test_each_item_of_a_long_list_is_compared() -> None:
    held = np.zeros(3)
    assert tb.shares_memory([np.zeros(1) for _ in range(5000)] + [held], held[2:])


def test_a_storage_is_the_bytes_of_its_tensors() -> None:
    tensor = torch.zeros(6)
    assert tb.shares_memory(tensor.untyped_storage(), tensor[5:].numpy())
    assert not tb.shares_memory(tensor.untyped_storage(), tensor.clone())


def test_the_asserts_name_the_object_that_was_given() -> None:
    buffer = bytearray(8)
    assert_shares_memory(buffer, torch.frombuffer(buffer, dtype=torch.uint8))
    with pytest.raises(AssertionError, match="b: 8 uint8 bytearray, pointer 0x"):
        assert_copies(torch.frombuffer(buffer, dtype=torch.uint8), buffer)


def test_the_same_object_is_the_same_whatever_is_read_of_it() -> None:
    buffer = bytearray(8)
    assert tb.relation(buffer, buffer).same_object
    assert not tb.relation(buffer, memoryview(buffer)).same_object
    assert readers.addressable(buffer) is not buffer
