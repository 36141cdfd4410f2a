import numpy as np
import pytest
import torch

from tensorbridge_cli.errors import UndecidableError
from tensorbridge_cli.testing import assert_copies, assert_shares_memory

ARRAY = np.arange(12.0).reshape(3, 4)


def test_what_holds_is_silent():
    assert_shares_memory(ARRAY, torch.from_numpy(ARRAY))
    assert_copies(ARRAY, torch.tensor(ARRAY))


def test_what_shares_nothing_is_shown_with_the_bytes_of_both():
    copy = ARRAY.copy()
    with pytest.raises(AssertionError) as caught:
        assert_shares_memory(ARRAY, copy)
    first, *lines = str(caught.value).splitlines()
    assert first == "they share no memory:"
    assert lines[0] == "  a: numpy.ndarray 3×4 float64, strides (32, 8) bytes"
    assert f"bytes {hex(copy.ctypes.data)} to {hex(copy.ctypes.data + copy.nbytes)}" in lines[-2]


def test_what_shares_is_shown_with_how_much():
    with pytest.raises(AssertionError, match="they share 48 bytes:"):
        assert_copies(ARRAY[:, ::2], torch.from_numpy(ARRAY))


def test_neither_holds_where_it_cannot_be_told():
    for check in (assert_copies, assert_shares_memory):
        with pytest.raises(UndecidableError):
            check(ARRAY, 3)
