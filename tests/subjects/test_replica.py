from __future__ import annotations

import ctypes
import faulthandler
import mmap
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tensorbridge_cli.catalog import dtypes, layouts, states
from tensorbridge_cli.catalog.layouts import CannotBuildError
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.memory import describe
from tensorbridge_cli.memory.parts import extents, parts, storage
from tensorbridge_cli.memory.values import as_text, read
from tensorbridge_cli.records.enums import Library, Origin
from tensorbridge_cli.subjects import generate, replica
from tests.tools import subject

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of what it deprecates, and of what is in beta

NO_REPLICA = {"quantized", "nested", "mkldnn", "fake"}


def replica_of(obj: Any, folder: Path) -> Any:
    return replica.build(replica.carry(obj, folder, "x"))


def seen(obj: Any) -> Any:
    """What is to be the same: everything but the addresses, and what owns the bytes of a view."""
    facts = describe.describe(obj)
    owns = facts.owner if facts.owner == "itself" else None
    offsets = [
        (part.part, int(part.start, 16) - int(part.storage_start, 16), int(part.storage_stop, 16) - int(part.start, 16))
        for part in extents(obj)
    ]
    facts = replace(facts, pointer=None, owner=owns, version=None)  # one writes when it is filled
    if facts.nbytes == 0:  # where nothing begins means nothing
        return facts
    subject = describe.detect(obj, Origin.OBJECT, "x")
    # what the memory is mapped from is said of the object itself: a replica never lies in the user's file
    state = states.join(states.words(subject.state) - {"memory-mapped", "copy-on-write", "shared-memory"})
    return facts, replace(subject, state=state), offsets


def around(obj: Any) -> list[bytes]:
    """The bytes of the whole storage, of each part."""
    return [
        bytes(memoryview((ctypes.c_char * (held[1] - held[0])).from_address(held[0])))
        for _, part in parts(obj)
        if (held := storage(part)) and held[0]
    ]


def values(obj: Any) -> list[str]:
    return [as_text(value, obj) for value in read(obj) or ()]


def is_faithful(obj: Any, folder: Path) -> None:
    before, version = around(obj), getattr(obj, "_version", None) if not is_inference(obj) else None
    facts = seen(obj)
    copy = replica_of(obj, folder)
    assert seen(copy) == facts
    assert values(copy) == values(obj)
    assert around(copy) == before
    assert (around(obj), seen(obj)) == (before, facts)
    if version is not None:
        assert obj._version == version


def is_inference(obj: Any) -> bool:
    return isinstance(obj, torch.Tensor) and obj.is_inference()


@pytest.mark.parametrize(
    ("array", "which"),
    [
        (np.array([None]), "of Python objects"),
        (np.array([(1, None)], "i4, O"), "of Python objects"),
        (np.array(["a"], np.dtypes.StringDType()), "of dtype StringDType128"),
    ],
)
def test_elements_that_lie_elsewhere_have_no_replica(tmp_path: Path, array: Any, which: str) -> None:
    with pytest.raises(RequestError, match=f"a numpy.ndarray {which} cannot be replicated exactly"):
        replica.carry(array, tmp_path, "x")


@pytest.mark.parametrize("state", states.every())
@pytest.mark.parametrize("library", [Library.NUMPY, Library.TORCH])
def test_every_state(tmp_path: Path, library: Library, state: str) -> None:
    wanted = subject(states.library_of(state) or library, state=state)
    try:
        obj, _alive = generate.generate(
            replace(wanted, dtype="quint8" if state == "quantized" else "float32")
            if state != "conjugate-bit"
            else replace(wanted, dtype="complex64"),
            tmp_path,
        )
    except CannotBuildError:
        pytest.skip("there is no such object")
    if states.words(state) & NO_REPLICA:
        with pytest.raises(RequestError, match="cannot be replicated exactly"):
            replica.carry(obj, tmp_path, "x")
        return
    is_faithful(obj, tmp_path)


@pytest.mark.parametrize("layout", layouts.BY_NAME)
@pytest.mark.parametrize("library", [Library.NUMPY, Library.TORCH])
def test_every_layout(tmp_path: Path, library: Library, layout: str) -> None:
    try:
        obj, _alive = generate.generate(subject(library, layout=layout, shape=(2, 4, 4, 3)), tmp_path)
    except CannotBuildError:
        pytest.skip("there is no such object")
    is_faithful(obj, tmp_path)


def test_a_frame_of_polars_is_not_sent_to_where_it_is_refused(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    with pytest.raises(RequestError, match=r"a polars\.DataFrame cannot be replicated exactly: pass the code that"):
        replica.carry(polars.DataFrame({"a": [1.0]}), tmp_path, "x")


@pytest.mark.parametrize(
    ("library", "dtype"), [(one, entry.name) for entry in dtypes.installed() for one in entry.libraries]
)
def test_every_dtype(tmp_path: Path, library: Library, dtype: str) -> None:
    obj, _alive = generate.generate(subject(library, dtype=dtype), tmp_path)
    if dtype == "object" or dtype.startswith("q"):
        with pytest.raises(RequestError, match="cannot be replicated exactly"):
            replica.carry(obj, tmp_path, "x")
        return
    is_faithful(obj, tmp_path)


@st.composite
def views(draw: Any) -> np.ndarray[Any, Any]:
    """An array sliced, reversed and transposed at random, writable or not."""
    shape = draw(st.lists(st.integers(0, 5), max_size=4))
    dtype = np.dtype(draw(st.sampled_from(["u1", "<i2", ">i4", "f4", "f8", "c8", "?"])))
    owner = np.arange(int(np.prod(shape)) * dtype.itemsize, dtype="u1") % 2
    array = owner.view(dtype).reshape(shape)
    cuts = tuple(
        slice(draw(st.none() | st.integers(-5, 5)), None, draw(st.sampled_from([1, 2, -1, -3]))) for _ in shape
    )
    view = array[(*cuts, ...)].transpose(draw(st.permutations(range(len(shape)))))
    view.flags.writeable = draw(st.booleans())
    return view


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(view=views())
def test_any_view_of_an_array(tmp_path: Path, view: np.ndarray[Any, Any]) -> None:
    is_faithful(view, tmp_path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_view_of_a_tensor(tmp_path: Path, data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(0, 4), max_size=3))
    strides = data.draw(st.lists(st.integers(0, 6), min_size=len(shape), max_size=len(shape)))
    offset = data.draw(st.integers(0, 5))
    is_faithful(torch.arange(64.0).as_strided(shape, strides, offset), tmp_path)


@pytest.mark.parametrize(
    "make",
    [
        lambda: [np.arange(3), torch.arange(3)],
        lambda: [[1, 2.5], (True, 3j)],
        lambda: np.float32(1.5),
        lambda: 7,
        lambda: torch.eye(3).to_sparse_csr(),
        lambda: torch.eye(3).to_sparse_csc(),
        lambda: torch.ones(3, requires_grad=True) * 2,
        lambda: torch.from_numpy(np.arange(8)[3:]),
        lambda: torch.arange(8).numpy()[2:],
        lambda: np.frombuffer(b"12345678", "u1")[1:],
    ],
)
def test_other_objects(tmp_path: Path, make: Callable[[], Any]) -> None:
    is_faithful(make(), tmp_path)


def test_of_a_large_object_what_is_read_is_carried(tmp_path: Path) -> None:
    large = np.zeros((1 << 14, 1 << 13), "f4")
    large[-1, -1] = 5
    path = replica.carry(large, tmp_path, "x")
    assert replica.is_sampled(path)
    assert Path(path).with_suffix(".bytes").stat().st_size < 1 << 20
    copy = replica.build(path)
    assert (copy.shape, copy.strides, copy[-1, -1]) == (large.shape, large.strides, 5)
    assert values(copy) == values(large)


def test_a_storage_that_could_be_resized_still_can(tmp_path: Path) -> None:
    assert replica_of(torch.arange(4), tmp_path).untyped_storage().resizable()
    assert not replica_of(torch.from_numpy(np.arange(4)), tmp_path).untyped_storage().resizable()


def test_a_torch_that_does_not_tell_what_can_be_resized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As 2.1: memory that lies where torch allocates none is another library's."""
    monkeypatch.setattr("tensorbridge_cli.subjects.replica.is_resizable", lambda storage: None)
    octets = np.arange(128, dtype=np.uint8)
    between = (8 - octets.ctypes.data) % 64  # from here on, an address that is no multiple of 64
    for tensor, expected in ((torch.arange(4), True), (torch.from_numpy(octets[between:][:32]), False)):
        made = replica_of(tensor, tmp_path)
        assert made.untyped_storage().resizable() is expected
        assert torch.equal(made, tensor)


@pytest.mark.parametrize("obj", ["text", {1, 2}, object()])
def test_what_is_no_array_is_refused(tmp_path: Path, obj: Any) -> None:
    with pytest.raises(RequestError, match="is not an array, a tensor"):
        replica.carry(obj, tmp_path, "x")


# Protection --------------------------------------------------------------------------------------

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how pages are protected")


def read_only_map(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


PROTECTED: dict[str, Callable[[Path], Any]] = {
    "memmap": lambda path: np.memmap(path, np.float32, "r"),
    "asarray": lambda path: np.asarray(np.memmap(path, np.float32, "r")),
    "mmap": lambda path: np.frombuffer(read_only_map(path), np.float32),
    "slice": lambda path: np.asarray(np.memmap(path, np.int16, "r"))[5:60:7],
    "reversed": lambda path: np.frombuffer(memoryview(read_only_map(path))[8:88], np.float64)[::-1],
    "matrix": lambda path: np.asmatrix(np.memmap(path, np.uint8, "r")),
    "tensor": lambda path: torch.from_numpy(np.memmap(path, np.float32, "r"))[3:],
    "through dlpack": lambda path: torch.from_dlpack(np.memmap(path, np.float32, "r")),
    "back again": lambda path: torch.from_numpy(np.memmap(path, np.float32, "r")).numpy(),
}


def dies_writing(obj: Any) -> int:
    """Write a byte of ``obj`` in a forked child; return the signal that ends it, 0 for none."""
    extent = extents(obj)[0]
    child = os.fork()
    if not child:
        faulthandler.disable()  # pytest's prints where a process dies
        ctypes.memset(int(extent.start, 16), 1, 1)
        os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


@linux
@pytest.mark.parametrize("kind", PROTECTED)
@pytest.mark.parametrize("large", [False, True])
def test_protected_pages_stay_protected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, large: bool
) -> None:
    if large:
        monkeypatch.setattr(replica, "FULL", 100)
    path = tmp_path / "data"
    path.write_bytes(bytes(range(1, 161)))
    obj = PROTECTED[kind](path)
    if not large:
        is_faithful(obj, tmp_path)
    copy = replica_of(obj, tmp_path)
    assert values(copy) == values(obj)
    assert dies_writing(obj) == dies_writing(copy) == signal.SIGSEGV
    assert dies_writing(replica_of(np.frombuffer(bytes(160), np.float32), tmp_path)) == 0


@linux
def test_pages_of_which_some_are_protected_have_no_replica(tmp_path: Path) -> None:
    memory = mmap.mmap(-1, 3 * mmap.PAGESIZE)
    array = np.frombuffer(memory, np.uint8)
    protect = ctypes.CDLL(None).mprotect
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    protect(array.ctypes.data + mmap.PAGESIZE, mmap.PAGESIZE, mmap.PROT_READ)
    with pytest.raises(RequestError, match="only partly writable"):
        replica.carry(array, tmp_path, "x")
    first, second = array[:100], array[mmap.PAGESIZE : mmap.PAGESIZE + 100]
    assert dies_writing(replica_of(first, tmp_path)) == 0
    assert dies_writing(replica_of(second, tmp_path)) == signal.SIGSEGV


@linux
def test_memory_that_is_gone_is_refused_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(3 * mmap.PAGESIZE))
    array = np.asarray(np.memmap(path, np.uint8, "r"))
    os.truncate(path, 10)
    with pytest.raises(RequestError, match="cannot be read: it is protected, or its file was truncated"):
        replica.carry(array, tmp_path, "x")
