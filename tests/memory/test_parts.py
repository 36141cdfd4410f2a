"""The bytes of the dense parts of an object."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tensorbridge_cli.memory.parts import contradiction, nbytes, parts

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


def test_a_list_of_numbers_is_not_asked_one_by_one(monkeypatch):
    asked = []
    monkeypatch.setattr("tensorbridge_cli.memory.parts.is_dense", lambda obj: asked.append(type(obj)))
    assert parts([[1.0, 2], [True, None, "text"]]) == []
    assert set(asked) == {list}
    parts([[1.0, np.ones(2)]])
    assert np.ndarray in asked


def nested(layout=torch.strided):
    return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=layout)


HONEST = {
    "a masked array": lambda: np.ma.array([1, 2], mask=[0, 1]),
    "a matrix": lambda: np.matrix([[1]]),
    "records": lambda: np.rec.array([(1, 2.0)]),
    "text": lambda: np.char.array(["a"]),
    "a parameter": lambda: torch.nn.Parameter(torch.ones(3)),
    "a parameter without a shape": lambda: torch.nn.Parameter(nested()),
    "rows of their own length": lambda: nested(torch.jagged),
    "a mask": lambda: torch.masked.masked_tensor(torch.ones(2), torch.tensor([True, False])),
    "numbers": lambda: [1, [2.0, True], np.float32(3), None, "text"],
}


@pytest.mark.parametrize("what", HONEST)
def test_a_subclass_that_says_what_is_so(what):
    assert contradiction(HONEST[what]()) is None
