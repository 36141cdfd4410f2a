from __future__ import annotations

import mmap
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import RawArray
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from tensorbridge_cli.catalog import layouts, states
from tensorbridge_cli.memory import describe, mapping
from tensorbridge_cli.memory.parts import address, extents, span, storage
from tensorbridge_cli.memory.values import read, read_cell
from tensorbridge_cli.memory.writes import write
from tensorbridge_cli.records.enums import Library, Origin
from tensorbridge_cli.records.report import Subject
from tensorbridge_cli.subjects import generate
from tests.memory.tools import BOTH
from tests.tools import subject

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns as it likes

# Looking changes nothing ---------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["contiguous", "non-contiguous", "offset"])
def test_looking_never_makes_a_lazy_clone_copy(tmp_path: Path, layout: str) -> None:
    asked = subject(Library.TORCH, layout=layout, state="lazy-clone")
    clone, original = generate.generate(asked, tmp_path)
    for obj in (clone, original):
        describe.describe(obj)
        extents(obj)
        span(obj)
        storage(obj)
        read(obj)
        read_cell(obj, (0, 0))
        describe.detect(obj, Origin.GENERATED, "")
    assert torch._C._is_cow_tensor(clone)
    assert torch._C._is_cow_tensor(original)
    assert address(clone) == address(original)
    write(clone, (0, 0))
    assert not torch._C._is_cow_tensor(clone)
    assert address(clone) != address(original)


@pytest.mark.parametrize("state", states.every())
def test_looking_changes_nothing(made: Callable[..., Any], state: str) -> None:
    library = Library.TORCH if states.library_of(state) is Library.TORCH else Library.NUMPY
    obj = made(library, (4, 3), "complex64" if "conjugate-bit" in state else "float32", state=state)
    first = describe.describe(obj), extents(obj), read(obj), describe.detect(obj, Origin.OBJECT, "")
    again = describe.describe(obj), extents(obj), read(obj), describe.detect(obj, Origin.OBJECT, "")
    assert first == again


# What is said of it --------------------------------------------------------------------------------


def found_on(obj: Any) -> Subject:
    return replace(describe.detect(obj, Origin.GENERATED, ""), given=None)


TORCH_LAYOUTS = [name for name, entry in layouts.BY_NAME.items() if not isinstance(entry.torch, str)]
UNTOLD = {
    # a tensor does not tell memory that was laid out column-major from a view that was transposed
    (Library.TORCH, "fortran"): "transposed",
}


@pytest.mark.parametrize(
    ("library", "layout"),
    [(Library.NUMPY, name) for name in layouts.BY_NAME] + [(Library.TORCH, name) for name in TORCH_LAYOUTS],
)
@pytest.mark.parametrize("dtype", ["float32", "complex128", "int16"])
def test_the_layout_is_found_on_the_object(made: Callable[..., Any], library: Library, layout: str, dtype: str) -> None:
    shape = (2, 3, 4, 5) if layout == "channels-last" else (4, 3)
    asked = subject(library, shape, dtype, layout)
    obj = made(library, shape, dtype, layout)
    assert found_on(obj) == replace(asked, layout=UNTOLD.get((library, layout), layout))


@pytest.mark.parametrize("state", states.every())
def test_the_state_is_found_on_the_object(made: Callable[..., Any], state: str) -> None:
    library = states.library_of(state) or Library.NUMPY
    of = Library.NUMPY if library is Library.PYTHON else library
    dtype = "complex64" if "conjugate-bit" in state else "float32"
    found = found_on(made(of, (4, 3), dtype, state=state))
    assert (found.state, found.library) == (state, library)


@pytest.mark.parametrize(("library", "dtype"), BOTH)
def test_the_dtype_is_found_on_the_object(made: Callable[..., Any], library: Library, dtype: str) -> None:
    found = found_on(made(library, (4, 3), dtype))
    assert (found.dtype, found.shape, found.library) == (dtype, (4, 3), library)


@pytest.mark.parametrize("wrong", [None, "text", range(3), object(), np.dtype("f4"), iter([1])])
def test_what_no_conversion_takes_is_said_so(wrong: Any) -> None:
    with pytest.raises(TypeError, match="is not an array, a tensor or a list"):
        describe.detect(wrong, Origin.EXPRESSION, "wrong")


class Interface:
    """It answers with a copy each time."""

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return np.ones(3).__array_interface__ | {"data": np.ones(3).tobytes()}


class Column:
    def to_numpy(self) -> Any:
        return np.ones(3)


class Exporter:
    def __dlpack__(self, **options: Any) -> Any:
        return torch.ones(3).__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


@pytest.mark.parametrize(
    ("obj", "code"),
    [
        (Column(), "x.to_numpy()"),
        (Interface(), "np.asarray(x)"),
        (Exporter(), "torch.from_dlpack(x)"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_gives_an_array_of_it_is_said(obj: Any, code: str) -> None:
    with pytest.raises(TypeError) as caught:
        describe.detect(obj, Origin.EXPRESSION, "x")
    assert str(caught.value).endswith(f" is not an array, a tensor or a list of numbers; use {code} instead")
    for said in re.findall(r"[\w.]+\(.*\)", code):
        assert describe.detect(eval(said, {"np": np, "torch": torch, "x": obj}), Origin.EXPRESSION, "x").shape


@pytest.mark.parametrize(
    ("obj", "dtype"),
    [
        ([1, 2.5, 3], "int, float"),
        ([[True, 2], [np.float32(3), None]], "bool, int, float32, NoneType"),
        ([torch.ones(2), torch.ones(2, dtype=torch.int64)], "float32, int64"),
        ([np.ones(2), np.ones(3, np.int8), np.ones(4)], "float64, int8"),
        ([[], [1]], "int"),
        ([1, 2**63, -5], "int, int beyond int64"),
        (-(2**70), "int beyond int64"),
        ([], "list"),
        ((), "tuple"),
    ],
)
def test_a_list_has_the_dtypes_of_all_of_its_items(obj: Any, dtype: str) -> None:
    assert describe.detect(obj, Origin.EXPRESSION, "x").dtype == dtype


@pytest.mark.parametrize(
    ("obj", "shape", "state"),
    [
        ([1, None], (2,), "list"),
        ([object(), 1.5, {2}], (3,), "list"),
        ([b"a", b"abc", "a"], (3,), "list"),
        ([[1, None], [2, 3]], (2, 2), "list"),
        ([[1], None], (2,), "list+ragged"),
        ([[1, 2], [3]], (2,), "list+ragged"),
        ([np.ones(2), None], (2,), "list-of-arrays+ragged"),
    ],
)
def test_rows_of_different_lengths_are_lists_and_arrays(obj: Any, shape: tuple[int, ...], state: str) -> None:
    subject = describe.detect(obj, Origin.EXPRESSION, "x")
    assert (subject.shape, subject.state) == (shape, state)


def _locked(array: Any) -> Any:
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("obj", "writable"),
    [
        ((np.ones(2), torch.ones(2)), True),
        ([_locked(np.ones(2))], False),
        ({"a": _locked(np.ones(2)), "b": (_locked(np.ones(1)),)}, False),
        ([_locked(np.ones(2)), np.ones(2)], None),
        (torch.nn.Linear(2, 1), True),
        ((1, 2), False),
        ([1, 2], True),
        ({"a": 1}, None),
    ],
)
def test_what_holds_arrays_is_as_writable_as_they_are(obj: Any, writable: bool | None) -> None:
    assert describe.describe(obj).writable is writable


def test_what_is_described_is_what_the_object_says(made: Callable[..., Any]) -> None:
    array = made(Library.NUMPY, (4, 3), "float32", "non-contiguous")
    seen = describe.describe(array)
    assert (seen.type, seen.dtype, seen.shape, seen.strides) == ("numpy.ndarray", "float32", (4, 3), (24, 8))
    assert (seen.pointer, seen.nbytes, seen.writable) == (hex(array.ctypes.data), 48, True)
    assert (seen.aligned, seen.elements_overlap, seen.device) == (True, False, "cpu")
    (extent,) = extents(array)
    assert int(extent.stop, 16) - int(extent.start, 16) == 4 * 24 - 4
    assert int(extent.storage_stop, 16) - int(extent.storage_start, 16) == array.base.nbytes == 96

    tensor = made(Library.TORCH, (4, 3), "complex64", "broadcast", "requires-grad")
    seen = describe.describe(tensor)
    assert (seen.type, seen.dtype, seen.shape, seen.strides) == ("torch.Tensor", "complex64", (4, 3), (0, 8))
    assert (seen.pointer, seen.nbytes, seen.writable) == (hex(tensor.data_ptr()), 96, True)
    assert (seen.requires_grad, seen.is_leaf, seen.elements_overlap) == (True, True, True)


def test_the_owner_is_found_through_both_libraries() -> None:
    array = np.zeros((4, 3))
    through = torch.from_numpy(array[2:]).numpy()[1:]
    low = array.ctypes.data + 6 * 8
    assert storage(through) == (low, low + 6 * 8)
    buffer = bytearray(32)
    seen = np.frombuffer(buffer, "f4", 4, 8)
    assert storage(seen)[1] - storage(seen)[0] == 32
    assert describe.describe(seen).owner == "bytearray"


@pytest.fixture
def mapped_file(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_bytes(bytes(400))
    return path


def over_map(path: Path, access: int) -> mmap.mmap:
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), 0, access=access)


MEMORY: dict[str, tuple[Callable[[Path], Any], set[str], str]] = {
    "plain": (lambda path: np.ones(3), set(), "itself"),
    "view": (lambda path: np.ones(9)[1:3][::-1], set(), "numpy.ndarray"),
    "memmap": (lambda path: np.memmap(path, mode="r+")[3:], {"memory-mapped"}, "mmap.mmap"),
    "asarray": (lambda path: np.asarray(np.memmap(path, mode="r+"))[::2], {"memory-mapped"}, "mmap.mmap"),
    "read": (lambda path: np.asarray(np.memmap(path, mode="r")), {"memory-mapped", "read-only"}, "mmap.mmap"),
    "copy": (lambda path: np.memmap(path, mode="c").T, {"memory-mapped", "copy-on-write"}, "mmap.mmap"),
    "copied": (lambda path: np.memmap(path, mode="r").copy(), set(), "itself"),
    "mmap": (lambda path: np.frombuffer(over_map(path, mmap.ACCESS_WRITE)), {"memory-mapped"}, "mmap.mmap"),
    "memoryview": (
        lambda path: np.asarray(memoryview(over_map(path, mmap.ACCESS_READ))[8:]),
        {"memory-mapped", "read-only"},
        "mmap.mmap",
    ),
    "anonymous": (lambda path: np.frombuffer(mmap.mmap(-1, 64)), {"shared-memory"}, "mmap.mmap"),
    "raw array": (lambda path: np.ctypeslib.as_array(RawArray("f", 5)), {"shared-memory"}, ""),
    "bytes": (lambda path: np.frombuffer(b"12345678"), {"read-only"}, "bytes"),
    "bytearray": (lambda path: np.frombuffer(memoryview(bytearray(16))[8:]), set(), "bytearray"),
    "tensor's": (lambda path: torch.ones(3).numpy(), set(), "torch.Tensor"),
    "tensor": (lambda path: torch.ones(3), set(), "torch.UntypedStorage"),
    "shared tensor": (lambda path: torch.ones(3).share_memory_(), {"shared-memory"}, "torch.UntypedStorage"),
    "of a shared tensor": (lambda path: torch.ones(3).share_memory_().numpy(), {"shared-memory"}, "torch.Tensor"),
    "from_file": (lambda path: torch.from_file(str(path), True, 9), {"memory-mapped"}, "torch.UntypedStorage"),
    "from_file, private": (
        lambda path: torch.from_file(str(path), False, 9),
        {"memory-mapped", "copy-on-write"},
        "torch.UntypedStorage",
    ),
    "tensor over a map": (
        lambda path: torch.from_numpy(np.memmap(path, mode="r")),
        {"memory-mapped", "read-only"},
        "torch.UntypedStorage",
    ),
    "static data of a library": (lambda path: np.frombuffer(np.True_, np.uint8), {"read-only"}, "numpy.bool"),
    "empty": (lambda path: np.memmap(path, mode="r+")[:0], set(), "mmap.mmap"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is mapped")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", MEMORY)
def test_the_mapping_gives_the_state_and_the_base_the_owner(mapped_file: Path, kind: str) -> None:
    make, words, owner = MEMORY[kind]
    obj = make(mapped_file)
    assert describe.words(obj) == words
    assert describe.describe(obj).owner == owner or not owner


def test_an_owner_is_called_by_its_public_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Buffer(bytearray):
        pass

    Buffer.__module__, Buffer.__qualname__ = "arrow.lib", "Buffer"
    array = np.frombuffer(Buffer(8), np.uint8)
    assert describe.describe(array).owner == "arrow.lib.Buffer"
    package = ModuleType("arrow")
    package.Buffer = Buffer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "arrow", package)
    assert describe.describe(array[2:]).owner == "arrow.Buffer"


def test_where_the_system_does_not_tell_the_type_does(mapped_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "_MAP", "/no such file")
    assert describe.words(np.memmap(mapped_file, mode="c")) == {"memory-mapped", "copy-on-write"}
    assert describe.words(np.memmap(mapped_file, mode="r")) == {"memory-mapped", "read-only"}
    assert describe.words(np.memmap(mapped_file, mode="r").copy()) == set()
    assert describe.words(torch.ones(2).share_memory_()) == {"shared-memory"}
    assert describe.words(np.ones(2)) == set()


def test_an_accelerators_memory_is_not_called_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    class OnCuda:
        device = torch.device("cuda:0")

        def is_shared(self) -> bool:
            return True  # as CUDA tensors always say

    assert describe.memory_words(OnCuda()) == set()


class Masked(np.ma.MaskedArray):
    """A user's own kind of masked array."""


@pytest.mark.parametrize(
    ("obj", "name"),
    [
        (np.zeros(1), "numpy.ndarray"),
        (np.float32(1), "numpy.float32"),
        (np.zeros((1, 1)).view(np.matrix), "numpy.matrix"),
        (np.ma.masked_array([1]), "numpy.ma.MaskedArray"),
        (Masked([1]), f"{__name__}.Masked"),
        (torch.zeros(1), "torch.Tensor"),
        (torch.nn.Parameter(torch.zeros(1)), "torch.nn.Parameter"),
        (ValueError(), "ValueError"),
        ([1], "list"),
        (np.ctypeslib.as_ctypes(np.ones(4)), "c_double_Array_4"),
        (np.linalg.LinAlgError(), "numpy.linalg.LinAlgError"),
    ],
)
def test_a_type_has_its_public_name(obj: Any, name: str) -> None:
    assert describe.type_name(obj) == name


def test_a_masked_array_is_known_by_its_class_wherever_that_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to NumPy 1.26 the class says that it is of numpy.ma.core."""
    monkeypatch.setattr(np.ma.MaskedArray, "__module__", "numpy.ma.core")
    found = describe.describe(np.ma.masked_array([1.0, 2.0], [True, False]))
    assert (found.type, found.masked) == ("numpy.ma.MaskedArray", True)


@pytest.mark.parametrize(
    ("obj", "masked"),
    [(Masked([1]), True), (np.zeros(1), False), (torch.zeros(1), False), (np.float32(1), False), ([1], None)],
)
def test_whether_it_is_masked_is_told_by_the_class(obj: Any, masked: bool | None) -> None:
    assert describe.describe(obj).masked is masked
