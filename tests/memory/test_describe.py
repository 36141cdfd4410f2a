from __future__ import annotations

import contextlib
import mmap
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import RawArray
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from tensorbridge_cli.catalog import dtypes, layouts, states
from tensorbridge_cli.memory import describe, mapping
from tensorbridge_cli.records.report import Library, Origin, Subject, Via
from tensorbridge_cli.subjects import generate
from tests.tools import subject

NUMPY = [entry.name for entry in dtypes.installed() if Library.NUMPY in entry.libraries]
TORCH = [entry.name for entry in dtypes.installed() if Library.TORCH in entry.libraries]
BOTH = [(Library.NUMPY, name) for name in NUMPY] + [(Library.TORCH, name) for name in TORCH]


@pytest.fixture(autouse=True)
def _torch_warns_as_it_likes() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Any]:
    def make(*args: Any, **kwargs: Any) -> Any:
        obj, alive = generate.generate(subject(*args, **kwargs), tmp_path)
        kept.append(alive)  # a lazy clone is one as long as the original lives
        return obj

    kept: list[Any] = []
    return make


def octets(obj: Any) -> bytes:
    return obj.tobytes() if isinstance(obj, np.ndarray) else bytes(obj.untyped_storage())


def overwrite(obj: Any, pattern: bytes) -> None:
    """Put ``pattern`` over the memory, whatever the dtype makes of it."""
    whole = (pattern * len(octets(obj)))[: len(octets(obj))]
    if isinstance(obj, np.ndarray):
        obj.reshape(-1).view("u1")[...] = np.frombuffer(whole, "u1")
    else:
        obj.untyped_storage().copy_(torch.frombuffer(bytearray(whole), dtype=torch.uint8).untyped_storage())


# Writing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("library", "dtype"), BOTH)
@pytest.mark.parametrize("shape", [(), (1,), (3, 5)])
def test_each_write_changes_one_element(
    made: Callable[..., Any], library: Library, dtype: str, shape: tuple[int, ...]
) -> None:
    obj = made(library, shape, dtype)
    index = tuple(n - 1 for n in shape)
    for _ in range(4):
        before, bits = describe.as_text(describe.read_cell(obj, index), obj), octets(obj)
        others = describe.read(obj)[:-1]
        written, _ = describe.write(obj, index)
        assert written == describe.as_text(describe.read_cell(obj, index), obj) != before
        changed = [i for i, (a, b) in enumerate(zip(bits, octets(obj), strict=True)) if a != b]
        if dtype not in ("quint4x2", "quint2x4"):  # a byte of these holds several
            assert describe.read(obj)[:-1] == others
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
    before, bits = describe.read_cell(obj, (0,)), octets(obj)
    describe.write(obj, (0,))
    assert describe.differ(before, describe.read_cell(obj, (0,)))
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
    assert describe.write(obj, (1,))[1] is expected


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
    with pytest.raises(describe.RefusedError, match=refusal):
        describe.write(obj, () if of[1] == "scalar" else (0, 0))


@pytest.mark.parametrize("state", ["meta", "fake"])
def test_what_has_no_bytes_is_not_written(made: Callable[..., Any], state: str) -> None:
    with pytest.raises(describe.NotWritableError):
        describe.write(made(Library.TORCH, state=state), (0, 0))


def test_a_write_needs_no_gradient(made: Callable[..., Any]) -> None:
    for state in ("requires-grad", "non-leaf", "parameter"):
        assert describe.write(made(Library.TORCH, state=state), (0, 0)) == ("100.0", Via.ASSIGNMENT)


def test_a_write_to_a_list() -> None:
    nested = [[1, 2], [3, 4]]
    assert describe.write(nested, (1, 0)) == ("100", Via.ASSIGNMENT)
    assert nested == [[1, 2], [100, 4]]
    with pytest.raises(describe.RefusedError):
        describe.write((1, 2), (0,))


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
        assert describe.read(obj) == expected
        if dtype not in ("qint8", "quint8", "qint32"):  # one of these is read as the number that it stands for
            assert [describe.read_cell(obj, cell) for cell in cells] == expected


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
    found = describe.read(made(library, (2, 2), state=state))
    expected = SEEN.get(state, SEEN["masked"] if "masked" in state else FILLED)
    rounded = found and [float(f"{value:.6g}") if isinstance(value, float) else value for value in found]
    assert rounded == expected


def test_a_conjugate_is_read_as_one(made: Callable[..., Any]) -> None:
    plain, conjugate = (made(Library.TORCH, (2,), "complex64", state=state) for state in ("plain", "conjugate-bit"))
    assert describe.read(conjugate) == [value.conjugate() for value in describe.read(plain)]


# Looking changes nothing ---------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["contiguous", "non-contiguous", "offset"])
def test_looking_never_makes_a_lazy_clone_copy(tmp_path: Path, layout: str) -> None:
    asked = subject(Library.TORCH, layout=layout, state="lazy-clone")
    clone, original = generate.generate(asked, tmp_path)
    for obj in (clone, original):
        describe.describe(obj)
        describe.extents(obj)
        describe.span(obj)
        describe.storage(obj)
        describe.read(obj)
        describe.read_cell(obj, (0, 0))
        describe.detect(obj, Origin.GENERATED, "")
    assert torch._C._is_cow_tensor(clone)
    assert torch._C._is_cow_tensor(original)
    assert describe.address(clone) == describe.address(original)
    describe.write(clone, (0, 0))
    assert not torch._C._is_cow_tensor(clone)
    assert describe.address(clone) != describe.address(original)


@pytest.mark.parametrize("state", states.every())
def test_looking_changes_nothing(made: Callable[..., Any], state: str) -> None:
    library = Library.TORCH if states.library_of(state) is Library.TORCH else Library.NUMPY
    obj = made(library, (4, 3), "complex64" if "conjugate-bit" in state else "float32", state=state)
    first = describe.describe(obj), describe.extents(obj), describe.read(obj), describe.detect(obj, Origin.OBJECT, "")
    again = describe.describe(obj), describe.extents(obj), describe.read(obj), describe.detect(obj, Origin.OBJECT, "")
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


@pytest.mark.parametrize("wrong", [None, "text", {"a": 1}, range(3), object(), np.dtype("f4"), iter([1])])
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
        (torch.nn.Linear(2, 2), "one of its tensors, such as next(x.parameters()),"),
        ({"a": 1}, "one of its values"),
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


def test_what_is_described_is_what_the_object_says(made: Callable[..., Any]) -> None:
    array = made(Library.NUMPY, (4, 3), "float32", "non-contiguous")
    seen = describe.describe(array)
    assert (seen.type, seen.dtype, seen.shape, seen.strides) == ("numpy.ndarray", "float32", (4, 3), (24, 8))
    assert (seen.pointer, seen.nbytes, seen.writable) == (hex(array.ctypes.data), 48, True)
    assert (seen.aligned, seen.elements_overlap, seen.device) == (True, False, "cpu")
    (extent,) = describe.extents(array)
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
    assert describe.storage(through) == (low, low + 6 * 8)
    buffer = bytearray(32)
    seen = np.frombuffer(buffer, "f4", 4, 8)
    assert describe.storage(seen)[1] - describe.storage(seen)[0] == 32
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
    monkeypatch.setattr(mapping, "regions", lambda: None)
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


def test_nan_is_nan_and_text_is_not_a_number() -> None:
    nan = float("nan")
    assert not describe.differ(nan, float("nan"))
    assert not describe.differ(complex(nan, 1), complex(nan, 1))
    assert not describe.differ((1, nan), (1, float("nan")))
    assert describe.differ(complex(nan, 1), complex(nan, 2))
    assert describe.differ((1, nan), (1, 2.0))
    assert describe.differ(nan, 1.0)
    assert describe.differ("1", 1)
    assert describe.differ([1, 2], [1])


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


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (np.zeros((4, 3), "f4")[:, ::2], 32),
        (np.zeros(3, "f4,i2"), 18),
        (np.zeros(3, object), 24),
        (np.float16(1), 2),
        (torch.ones(1, dtype=torch.float64).expand(5), 40),
        (torch.eye(1000).to_sparse(), 1000 * (4 + 2 * 8)),
        ([np.zeros(3, "f4"), torch.ones(2, dtype=torch.int8)], 14),
        ([[1, 2.0], [True, 4]], 32),
    ],
)
def test_the_bytes_of_all_that_an_object_stores(obj, expected):
    assert describe.nbytes(obj) == expected


def test_a_text_that_is_no_character_is_read_as_bytes() -> None:
    text = np.array(["a", "b"], ">U1").view("<U1")
    assert describe.read(text) == ["0x00000061", "0x00000062"]
    assert describe.read_cell(text, (1,)) == "0x00000062"
