"""A file that is inspected with every conversion, and written to on both sides, is as it was, to the last byte."""

import os

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.cli.tools import report

ARRAY = np.arange(12, dtype="f4").reshape(4, 3)
TENSOR = torch.arange(12.0).reshape(4, 3)
MAKERS = {
    "data.npy": lambda path: np.save(path, ARRAY),
    "data.npz": lambda path: np.savez(path, weights=ARRAY),
    "data.pt": lambda path: torch.save({"layer": {"weight": TENSOR}}, path),
    "legacy.pt": lambda path: torch.save(TENSOR, path, _use_new_zipfile_serialization=False),
    "data.safetensors": lambda path: save_file({"weights": TENSOR}, path),
    "data.bin": lambda path: ARRAY.tofile(path),
}
OPTIONS = {"data.bin": ("--dtype", "float32", "--shape", "4,3")}


def state_of(path):
    return path.read_bytes(), os.stat(path).st_mtime_ns


@pytest.mark.parametrize(
    ("name", "state"),
    [*((name, None) for name in MAKERS), ("data.npy", "memory-mapped"), ("data.npy", "memory-mapped+read-only")],
)
def test_untouched(tmp_path, name, state):
    path = tmp_path / name
    MAKERS[name](path)
    os.utime(path, ns=(10**18, 10**18))
    before = state_of(path)
    options = (*OPTIONS.get(name, ()), *(("--state", state) if state else ()))
    found = report("--all", "--file", str(path), *options)
    written = {row["writes"]["source_to_result"] for row in found["observations"]} | {
        row["writes"]["result_to_source"] for row in found["observations"]
    }
    assert "seen" in written or state == "memory-mapped+read-only"
    assert state_of(path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_the_tools_own_map_is_not_the_users_state(tmp_path):
    np.save(tmp_path / "data.npy", ARRAY)
    for state, expected in ((None, "plain"), ("memory-mapped", "copy-on-write+memory-mapped")):
        options = ("--state", state) if state else ()
        (row,) = report("from_numpy", "--file", str(tmp_path / "data.npy"), *options)["observations"]
        assert row["subject"]["state"] == expected


@pytest.mark.parametrize("name", MAKERS)
def test_a_relative_path_is_that_of_the_folder_where_it_was_typed(tmp_path, name):
    MAKERS[name](tmp_path / name)
    row, *_ = report("--file", name, *OPTIONS.get(name, ()), cwd=tmp_path)["observations"]
    assert row["source"]["shape"] == [4, 3]
    assert row["subject"]["given"] == name
