"""No row depends on its place: the same rows in two orders and two batch sizes, addresses and times aside.

By default a sample of the catalogue is made; ``TENSORBRIDGE_SWEEP=full`` makes all of ``matrix --full``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tensorbridge_cli.encoding import encode
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.lab.experiment import Experiment
from tensorbridge_cli.survey.plan import plan
from tensorbridge_cli.survey.request import Request
from tests.sweep import FULL
from tests.tools import settled, started

WARNS_ONCE = ("torch.from_numpy", "torch.UntypedStorage.from_buffer", "ForkingPickler", "Tensor.detach")
NOBODYS = ("np.from_dlpack", "Tensor.untyped_storage().numpy()", "torch.Tensor", "torch.from_dlpack")
_ADDRESS = re.compile(rb"0x[0-9a-f]{6,}")


@pytest.fixture(scope="module")
def few_at_a_time() -> Iterator[Laboratory]:
    with started(jobs=16, timeout=60.0) as lab:  # so many that a batch is as small as it gets
        yield lab


@pytest.fixture(scope="module")
def many_at_a_time() -> Iterator[Laboratory]:
    with started(jobs=1, timeout=60.0) as lab:
        yield lab


def requests() -> list[Request]:
    if FULL:
        return [
            Request(every=True, dtypes=("all",), layouts=("all",)),
            Request(every=True, dtypes=("all",), states=("all",)),
        ]
    return [
        Request(conversions=WARNS_ONCE, states=("plain", "read-only", "sparse-csr", "nested")),
        Request(conversions=NOBODYS, states=("fake", "zero-tensor"), dtypes=("float32", "int64", "complex64")),
        Request(conversions=NOBODYS, shapes=((),), dtypes=("uint8", "int32")),
        Request(every=True, states=("all",)),
    ]


def rows(lab: Laboratory, experiments: list[Experiment], order: list[int]) -> list[bytes]:
    """Each row as JSON, by the number of its experiment."""
    done: dict[int, bytes] = {}
    for index, row in lab.run([experiments[number] for number in order]):
        done[order[index]] = _ADDRESS.sub(b"somewhere", encode(settled(row)))
    return [done[number] for number in range(len(experiments))]


def test_no_row_depends_on_its_place(few_at_a_time: Laboratory, many_at_a_time: Laboratory) -> None:
    every = list(plan(requests(), many_at_a_time, many_at_a_time.hello()).experiments)
    experiments = every if FULL else every[:60] + every[60::7]
    forwards = list(range(len(experiments)))
    first = rows(many_at_a_time, experiments, forwards)
    second = rows(few_at_a_time, experiments, forwards[::-1])
    different = [(one, two) for one, two in zip(first, second, strict=True) if one != two]
    assert not different, f"{len(different)} of {len(first)}: {different[0]}"
