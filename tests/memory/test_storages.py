"""What a storage tells, also in a PyTorch that has fewer ways to ask it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tensorbridge_cli.memory.storages import is_resizable, storage_address

ACCESSORS = {
    "both": torch,
    "neither, as in 2.1": SimpleNamespace(_C=SimpleNamespace()),
    "clones alone": SimpleNamespace(_C=SimpleNamespace(_is_cow_tensor=getattr(torch._C, "_is_cow_tensor", None))),
}


@pytest.mark.parametrize("has", ACCESSORS)
def test_the_address_is_that_of_the_storage_and_not_of_the_view(has):
    array = np.arange(12.0)
    view = torch.from_numpy(array)[3:]
    assert storage_address(ACCESSORS[has])(view) == array.ctypes.data


@pytest.mark.parametrize("has", ACCESSORS)
def test_a_tensor_without_memory_has_no_address(has):
    assert storage_address(ACCESSORS[has])(torch._efficientzerotensor((3,))) == 0


@pytest.mark.parametrize("has", ["both", "clones alone"])
def test_a_lazy_clone_stays_one(has):
    if not hasattr(torch, "_lazy_clone"):
        pytest.skip("this PyTorch has no lazy clones")
    original = torch.ones(4)
    address = original.data_ptr()
    lazy = torch._lazy_clone(original)
    assert storage_address(ACCESSORS[has])(lazy) == (0 if has == "clones alone" else address)
    assert torch._C._is_cow_tensor(lazy)


def test_memory_of_another_library_is_not_resizable():
    torchs, numpys = torch.ones(4).untyped_storage(), torch.from_numpy(np.ones(4)).untyped_storage()
    expected = (True, False) if hasattr(torchs, "resizable") else (None, None)
    assert (is_resizable(torchs), is_resizable(numpys)) == expected
    assert is_resizable(SimpleNamespace()) is None
