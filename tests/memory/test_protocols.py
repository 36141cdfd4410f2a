"""Objects of libraries without an entry: where their memory lies is where a write through ctypes arrives."""

from __future__ import annotations

import ctypes
import gc
from typing import Any

import numpy as np
import pytest
import torch

import tensorbridge_cli as tb
from tensorbridge_cli.memory import describe
from tensorbridge_cli.memory.parts import parts
from tensorbridge_cli.records.enums import Library, Origin
from tests.exporters import READ_ONLY, ByDLPack, ByInterface, CopiesByDLPack, Counted, OnCuda


def flip(address: int) -> None:
    octet = ctypes.c_ubyte.from_address(address)
    octet.value ^= 1


MADE = {
    "interface": lambda held: ByInterface(held),
    "dlpack": lambda held: ByDLPack(held),
    "dlpack of a tensor": lambda held: ByDLPack(torch.from_numpy(held)),
}


@pytest.mark.parametrize("kind", MADE)
def test_the_memory_that_is_described_is_the_objects_own(kind: str) -> None:
    held = np.arange(12.0).reshape(3, 4)[:, ::2]
    obj = MADE[kind](held)
    seen = describe.describe(obj)
    assert (seen.shape, seen.strides, seen.dtype, seen.nbytes) == ((3, 2), (32, 16), "float64", 48)
    assert (seen.owner, seen.writable, seen.device) == ("itself", True, "cpu")
    before = held[0, 0]
    flip(int(seen.pointer, 16))
    assert held[0, 0] != before
    subject = describe.detect(obj, Origin.EXPRESSION, "x")
    assert (subject.library, subject.layout) == (Library.OTHER, "non-contiguous")


@pytest.mark.parametrize("kind", MADE)
def test_memory_is_compared_with_the_objects_own(kind: str) -> None:
    held = np.arange(12.0)
    obj = MADE[kind](held[4:])
    assert tb.shares_memory(obj, torch.from_numpy(held)[4:5])
    assert tb.shares_memory(held[11:], obj)
    assert not tb.shares_memory(obj, held[:4])
    assert tb.relation(obj, held).overlap_bytes == 8 * 8


def test_a_dtype_that_numpy_lacks_is_read_by_torch() -> None:
    held = torch.arange(4.0).to(torch.bfloat16)
    seen = describe.describe(ByDLPack(held))
    assert (seen.dtype, seen.strides) == ("bfloat16", (2,))
    assert int(seen.pointer, 16) == held.data_ptr()


def test_a_copy_that_is_handed_out_is_not_taken_for_the_memory() -> None:
    obj = CopiesByDLPack(np.arange(4.0))
    assert parts(obj) == []
    with pytest.raises(tb.TensorbridgeError, match=r"torch\.from_dlpack\(x\)"):
        tb.shares_memory(obj, obj.held)


@pytest.mark.parametrize("versioned", [True, False])
def test_each_capsule_is_released_once(versioned: bool) -> None:
    obj = Counted(versioned=versioned)
    assert tb.shares_memory(obj, np.frombuffer(obj.held))
    assert describe.describe(obj).shape == (3,)
    gc.collect()
    assert obj.given == len(obj.deleted) == len(set(obj.deleted)) > 1


@pytest.mark.parametrize("flags", [0, READ_ONLY])
def test_the_flag_of_read_only_memory_is_read(flags: int) -> None:
    assert describe.describe(Counted(flags)).writable is not bool(flags)


def test_what_lies_on_an_accelerator_is_not_read() -> None:
    with pytest.raises(tb.TensorbridgeError, match=r"torch\.as_tensor\(x, device='cuda'\)"):
        tb.shares_memory(OnCuda(), np.ones(3))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_memory_on_an_accelerator_is_described_where_pytorch_uses_it() -> None:
    held = torch.arange(6.0, device="cuda").reshape(2, 3)

    class OfCuda:
        @property
        def __cuda_array_interface__(self) -> Any:
            return held.__cuda_array_interface__

    seen = describe.describe(OfCuda())
    assert (seen.shape, seen.dtype, seen.pointer) == ((2, 3), "float32", hex(held.data_ptr()))
    assert tb.shares_memory(OfCuda(), held[1])


class Broken:
    def __dlpack_device__(self) -> Any:
        raise RuntimeError("no device")

    def __dlpack__(self) -> Any:
        raise RuntimeError("no memory")


def test_what_raises_when_it_is_asked_is_refused_in_a_sentence() -> None:
    with pytest.raises(tb.TensorbridgeError):
        tb.shares_memory(Broken(), np.ones(3))
    with pytest.raises(TypeError, match="is not an array"):
        describe.detect(Broken(), Origin.EXPRESSION, "x")
