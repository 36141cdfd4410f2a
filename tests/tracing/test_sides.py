"""What a side of a conversion is, and where its memory lies: as ``inspect`` and the library itself say."""

import array
import ctypes
import mmap
import sys
from collections import UserList, deque

import numpy as np
import pytest
import torch

from tensorbridge_cli.tracing.inside import sides
from tests.memory.tools import forbidden_view

ARRAYS = {
    "contiguous": np.zeros((3, 4)),
    "fortran": np.zeros((3, 4), order="F"),
    "reversed": np.zeros(12)[::-1],
    "a column": np.zeros((3, 4))[:, 1],
    "every other": np.zeros(12)[::2],
    "broadcast": np.broadcast_to(np.zeros(1), (3, 4)),
    "no elements": np.zeros((0, 4), "int16"),
    "no dimensions": np.zeros(()),
    "read-only": np.frombuffer(bytes(8), "float32"),
    "offset": np.zeros(12)[4:],
    "of another byte order": np.zeros(3, ">f4"),
    "of another byte order, and every other": np.zeros(6, ">f4")[::2],
    "unaligned": np.frombuffer(bytearray(13), "f4", 3, 1),
    "a field": np.zeros(3, [("a", "f4"), ("b", "i8")])["b"],
    "masked": np.ma.masked_less(np.zeros(3), 2),
    "over a buffer": np.frombuffer(array.array("d", [1.0, 2.0]))[1:],
    "over a map": np.frombuffer(mmap.mmap(-1, 32)),
}


@pytest.mark.parametrize("name", [*ARRAYS, "memory-mapped"])
def test_an_array_without_torch_is_described_as_with_it(name, monkeypatch, tmp_path):
    described = np.memmap(tmp_path / "map", "f4", "w+", shape=3) if name == "memory-mapped" else ARRAYS[name]
    with_torch = sides.side(described)
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(sides, "_described", None)
    assert sides.side(described) == with_torch


@pytest.mark.parametrize("obj", [3, "text", array.array("d", [1]), [1, 2]], ids=lambda obj: type(obj).__name__)
def test_what_is_neither_is_known_by_its_type(obj):
    name = "array.array" if isinstance(obj, array.array) else type(obj).__name__
    assert sides.side(obj) == sides.SideSeen(name)


@pytest.mark.parametrize(
    ("obj", "readonly"), [(bytearray(6), False), (bytes(range(6)), True), (array.array("h", [1, 2, 3]), False)]
)
def test_the_memory_of_a_buffer(obj, readonly):
    address = np.frombuffer(obj, "u1").ctypes.data
    assert sides.buffer(obj) == (address, 6, readonly)
    assert sides.is_read_only(obj) is readonly
    (span,) = sides.reached(obj)
    assert (span.pointer, span.nbytes) == (address, 6)


@pytest.mark.parametrize(("source", "readonly"), [(np.arange(6.0), False), (np.frombuffer(bytes(8), "f4"), True)])
def test_the_memory_that_is_exported_through_dlpack(source, readonly):
    assert sides._exported(source) == (source.ctypes.data, source.nbytes, readonly)
    part = source[1:]
    assert sides._exported(part) == (part.ctypes.data, part.nbytes, readonly)


def test_an_exporter_of_the_first_version_does_not_say_whether_it_may_be_written():
    tensor = torch.arange(6, dtype=torch.int16)

    class Old:
        def __dlpack__(self):
            return tensor.__dlpack__()

    assert sides._exported(Old()) == (tensor.data_ptr(), 12, None)


def test_a_capsule_of_something_else_tells_nothing():
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

    class Other:
        def __dlpack__(self, max_version):
            return new(1, b"used_dltensor", None)

    assert sides._exported(Other()) is None


@pytest.mark.parametrize("name", ["__array_interface__", "__dlpack__"])
def test_code_of_the_programs_own_is_not_run(name):
    def fail(self, **options):
        raise AssertionError("it was asked")

    own = type("Own", (), {name: property(fail) if name == "__array_interface__" else fail})()
    assert sides.buffer(own) is None
    assert sides.reached(own) is None


class OwnSequence:
    def __len__(self):
        raise AssertionError("it was asked")

    __getitem__ = __len__


@pytest.mark.parametrize(
    "obj", [[1], (1,), "1", {1: 2}, range(3), 3, np.zeros(2), torch.zeros(2), array.array("d", [1]), OwnSequence()]
)
def test_what_torch_has_as_a_whole_is_no_sequence(obj):
    assert sides.is_sequence(obj) is False


def test_a_sequence_of_a_library():
    assert sides.is_sequence(deque([1]))
    assert not sides.is_sequence(UserList([1]))  # of Python code in no installed package
    note = sides.sequence(deque([1, 2]))
    assert (note.length, note.of, note.whole, note.dtype) == (2, "collections.deque", False, "")


def test_a_view_that_torch_forbids_is_described():
    seen = sides.side(forbidden_view())
    assert (seen.dtype, seen.shape, seen.state) == ("float32", (2,), "non-leaf")
