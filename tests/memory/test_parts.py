"""The bytes of the dense parts of an object."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tensorbridge_cli.memory.parts import nbytes

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns as it likes


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
    assert nbytes(obj) == expected
