"""Each cell of the notebook, through the real command."""

import pytest

from tests.cli.tools import rows


@pytest.fixture(scope="module")
def floats():
    return rows("numpy", "from_numpy")


@pytest.fixture(scope="module")
def integers():
    return rows("as_tensor", "tensor", "--dtype", "int64")


def cell(row, wrote):
    """Return what a write to one side did: the written value, then what each side holds after it."""
    (found,) = [cell for cell in row["evidence"]["cells"] if cell["wrote"] == wrote]
    assert found["before"] != found["written"]
    return found["written"], found["source_after"], found["result_after"]


def is_shared(row):
    assert row["outcome"] == "shared"
    assert row["copied_bytes"] == 0
    assert row["writes"] == {
        "source_to_result": "seen",
        "result_to_source": "seen",
        "via": "assignment",
        "refusals": [],
        "written_though_refused": [],
        "autograd_notices": None,
    }
    assert row["relation"]["same_pointer"]
    assert row["relation"]["same_storage"]
    assert row["relation"]["overlap_bytes"] == row["source"]["nbytes"]
    assert row["source"]["pointer"] == row["result"]["pointer"]
    for wrote in ("source", "result"):
        written, source, result = cell(row, wrote)
        assert source == result == written


def is_copied(row, dtype):
    assert row["outcome"] == "copied"
    assert row["copied_bytes"] == row["result"]["nbytes"]
    assert row["result"]["dtype"] == dtype
    assert (row["writes"]["source_to_result"], row["writes"]["result_to_source"]) == ("not-seen", "not-seen")
    assert row["relation"]["overlap_bytes"] == 0
    assert row["source"]["pointer"] != row["result"]["pointer"]
    written, source, result = cell(row, "source")
    assert source == written != result
    written, source, result = cell(row, "result")
    assert result == written != source


def test_numpy_is_a_view_of_the_tensor(floats):
    row = floats["Tensor.numpy"]
    is_shared(row)
    assert (row["source"]["type"], row["result"]["type"]) == ("torch.Tensor", "numpy.ndarray")
    assert cell(row, "result") == ("100.0", "100.0", "100.0")


def test_from_numpy_shares_both_ways(floats):
    row = floats["torch.from_numpy"]
    is_shared(row)
    assert (row["source"]["type"], row["result"]["type"]) == ("numpy.ndarray", "torch.Tensor")
    assert cell(row, "source") == ("100.0", "100.0", "100.0")


def test_as_tensor_shares_an_array_of_integers(integers):
    row = integers["torch.as_tensor"]
    is_shared(row)
    assert row["source"]["dtype"] == row["result"]["dtype"] == "int64"


def test_as_tensor_copies_where_the_dtype_changes():
    row = rows("as_tensor", "--dtype", "int64", "--to-dtype", "float32")["torch.as_tensor"]
    is_copied(row, "float32")
    assert row["to_dtype"] == "float32"


def test_as_tensor_returns_a_tensor_as_it_is():
    row = rows("as_tensor", "--direction", "torch-to-torch")["torch.as_tensor"]
    is_shared(row)
    assert row["relation"]["same_object"]


def test_tensor_copies_an_array_of_integers(integers):
    row = integers["torch.tensor"]
    is_copied(row, "int64")
    assert (row["result"]["is_leaf"], row["result"]["requires_grad"]) == (True, False)


def test_tensor_makes_a_leaf_of_what_is_none():
    found = rows("tensor", "clone", "--expr", "torch.ones(3, requires_grad=True) * 2")
    leaf, other = found["torch.tensor"]["result"], found["Tensor.clone"]["result"]
    assert (leaf["is_leaf"], leaf["requires_grad"]) == (True, False)
    assert (other["is_leaf"], other["requires_grad"]) == (False, True)
