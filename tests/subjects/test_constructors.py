"""Generated objects of other libraries: what comes out is what was asked for, by the library's own word."""

from __future__ import annotations

import itertools
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorbridge_cli.catalog.constructors import CONSTRUCTORS, Constructor
from tensorbridge_cli.catalog.layouts import CannotBuildError
from tensorbridge_cli.memory import describe, parts
from tensorbridge_cli.records.enums import Library, Origin
from tensorbridge_cli.records.report import Subject
from tensorbridge_cli.subjects import generate

IN_PROCESS = tuple(made for made in CONSTRUCTORS.values() if made.library is not Library.JAX)  # whose threads stay


def of(
    made: Constructor, shape: tuple[int, ...], dtype: str, layout: str = "contiguous", state: str = "plain"
) -> Subject:
    return Subject(
        library=made.library,
        shape=shape,
        dtype=dtype,
        layout=layout,
        state=made.state(state),
        device="cpu",
        origin=Origin.GENERATED,
    )


@pytest.fixture(params=IN_PROCESS, ids=lambda made: made.library.value)
def made(request: pytest.FixtureRequest) -> Constructor:
    entry: Constructor = request.param
    if find_spec(entry.package) is None:
        pytest.skip(f"{entry.package} is not installed")
    return entry


def test_what_is_generated_is_detected_as_what_was_asked_for(made: Constructor, tmp_path: Path) -> None:
    states = ("plain", *(state.name for state in made.states))
    built = set()
    for shape, dtype, layout, state in itertools.product(map(SHAPES.get, made.code), made.dtypes, made.layouts, states):
        if state != "plain" and layout != "contiguous":
            continue
        assert shape is not None
        asked = of(made, shape, dtype, layout, state)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                obj, _alive = generate.generate(asked, tmp_path)
        except CannotBuildError:
            continue
        built |= {("dimensions", str(len(shape))), ("dtype", dtype), ("layout", layout), ("state", state)}
        found = describe.detect(obj, Origin.GENERATED, "")
        assert (found.library, found.shape, found.dtype, found.device) == (made.library, shape, dtype, "cpu")
        assert found.layout == layout, asked
        # the memory of a table, of bits and of what has nulls is not one array
        unseen = {*UNSEEN, *(() if [name for name, _ in parts.parts(obj)] == [""] else ("memory-mapped",))}
        assert set(found.state.split("+")) >= set(asked.state.split("+")) - {"plain", *unseen}, asked
    declared = {("dimensions", str(n)) for n in made.code} | {("dtype", name) for name in made.dtypes}
    assert built == declared | {("layout", name) for name in made.layouts} | {("state", name) for name in states}


SHAPES = {0: (), 1: (4,), 2: (4, 3), 3: (2, 3, 4), 4: (2, 2, 2, 3)}
UNSEEN = ("copy-on-write",)
"""States that the type and the memory of an object do not tell."""


def made_of_pandas(tmp_path: Path, shape: tuple[int, ...], dtype: str, state: str) -> Any:
    pytest.importorskip("pandas")
    return generate.generate(of(CONSTRUCTORS[Library.PANDAS], shape, dtype, state=state), tmp_path)


@pytest.mark.parametrize("shape", [(4,), (4, 3)])
@pytest.mark.parametrize("dtype", ["Int64", "float32", "int8[pyarrow]", "boolean", "category"])
def test_with_nulls_the_last_value_is_missing_for_pandas(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    obj, _ = made_of_pandas(tmp_path, shape, dtype, "nulls")
    missing = obj.isna().to_numpy()
    assert missing[-1].all()
    assert not missing[:-1].any()


def test_copy_on_write_is_shared_until_it_is_written(tmp_path: Path) -> None:
    obj, other = made_of_pandas(tmp_path, (4,), "int64", "copy-on-write")
    assert np.shares_memory(obj.to_numpy(), other.to_numpy())
    obj.iloc[0] = 7
    assert other.iloc[0] == 1


def test_memory_mapped_is_over_a_map_of_a_file(tmp_path: Path) -> None:
    obj, _ = made_of_pandas(tmp_path, (4,), "int64", "memory-mapped")
    assert "map-" in mapping_of(obj.to_numpy())
    assert "map-" not in mapping_of(made_of_pandas(tmp_path, (4,), "int64", "plain")[0].to_numpy())


def mapping_of(array: Any) -> str:
    """The line of the process's map that has the first byte of ``array``."""
    address = array.ctypes.data
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, stop = (int(end, 16) for end in line.split()[0].split("-"))
        if start <= address < stop:
            return line
    raise AssertionError(array)
