from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from tensorbridge_cli.catalog import dtypes, layouts, states
from tensorbridge_cli.catalog.layouts import CannotBuildError
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.memory import describe
from tensorbridge_cli.records.report import Library, Origin
from tensorbridge_cli.subjects import generate, replica
from tests.tools import subject

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of what it deprecates, and of what is in beta

NO_TWIN = {"quantized", "nested", "mkldnn", "fake"}


def twin_of(obj: Any, folder: Path) -> Any:
    return replica.build(replica.carry(obj, folder, "x"))


def seen(obj: Any) -> Any:
    """What is to be the same: everything but the addresses, and what owns the bytes of a view."""
    facts = describe.describe(obj)
    owns = facts.owner if facts.owner == "itself" else None
    offsets = [
        (part.part, int(part.start, 16) - int(part.storage_start, 16), int(part.storage_stop, 16) - int(part.start, 16))
        for part in describe.extents(obj)
    ]
    facts = structs.replace(facts, pointer=None, owner=owns)
    if facts.nbytes == 0:  # where nothing begins means nothing
        return facts
    return facts, describe.detect(obj, Origin.OBJECT, "x"), offsets


def around(obj: Any) -> list[bytes]:
    """The bytes of the whole storage, of each part."""
    return [
        bytes(memoryview((ctypes.c_char * (held[1] - held[0])).from_address(held[0])))
        for _, part in describe.parts(obj)
        if (held := describe.storage(part)) and held[0]
    ]


def values(obj: Any) -> list[str]:
    return [describe.as_text(value, obj) for value in describe.read(obj) or ()]


def is_faithful(obj: Any, folder: Path) -> None:
    before, version = around(obj), getattr(obj, "_version", None) if not is_inference(obj) else None
    facts = seen(obj)
    twin = twin_of(obj, folder)
    assert seen(twin) == facts
    assert values(twin) == values(obj)
    assert around(twin) == before
    assert (around(obj), seen(obj)) == (before, facts)
    if version is not None:
        assert obj._version == version


def is_inference(obj: Any) -> bool:
    return isinstance(obj, torch.Tensor) and obj.is_inference()


@pytest.mark.parametrize("state", states.every())
@pytest.mark.parametrize("library", [Library.NUMPY, Library.TORCH])
def test_every_state(tmp_path: Path, library: Library, state: str) -> None:
    wanted = subject(states.library_of(state) or library, state=state)
    try:
        obj, _alive = generate.generate(
            structs.replace(wanted, dtype="quint8" if state == "quantized" else "float32")
            if state != "conj"
            else structs.replace(wanted, dtype="complex64"),
            tmp_path,
        )
    except CannotBuildError:
        pytest.skip("there is no such object")
    if states.words(state) & NO_TWIN:
        with pytest.raises(RequestError, match="no faithful twin"):
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


@pytest.mark.parametrize(
    ("library", "dtype"), [(one, entry.name) for entry in dtypes.installed() for one in entry.libraries]
)
def test_every_dtype(tmp_path: Path, library: Library, dtype: str) -> None:
    obj, _alive = generate.generate(subject(library, dtype=dtype), tmp_path)
    if dtype == "object" or dtype.startswith("q"):
        with pytest.raises(RequestError, match="no faithful twin"):
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
    twin = replica.build(path)
    assert (twin.shape, twin.strides, twin[-1, -1]) == (large.shape, large.strides, 5)
    assert values(twin) == values(large)


def test_a_storage_that_could_be_resized_still_can(tmp_path: Path) -> None:
    assert twin_of(torch.arange(4), tmp_path).untyped_storage().resizable()
    assert not twin_of(torch.from_numpy(np.arange(4)), tmp_path).untyped_storage().resizable()


@pytest.mark.parametrize("obj", ["text", {"a": 1}, object()])
def test_what_is_no_array_is_refused(tmp_path: Path, obj: Any) -> None:
    with pytest.raises(RequestError, match="is no array, no tensor"):
        replica.carry(obj, tmp_path, "x")
