"""A second conversion tells what nobody filled, and which warnings come once."""

from __future__ import annotations

import resource
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.multiprocessing  # it teaches multiprocessing's pickler to send tensors

from tensorbridge_cli.lab import run
from tensorbridge_cli.lab.conversion import always_warn
from tensorbridge_cli.lab.experiment import Bench
from tensorbridge_cli.records.enums import Values
from tensorbridge_cli.records.report import Observation
from tests.lab.tools import codes, frozen, row
from tests.tools import experiment

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns as it likes

# Memory that nobody filled -------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 3, 5, 40, 300, 5000])
@pytest.mark.parametrize("dtype", ["i8", "u1", "i4"])
def test_a_legacy_constructor_takes_a_number_for_a_size(number: int, dtype: str) -> None:
    found = row(lambda: np.array(number).astype(dtype), "torch.Tensor(x)")
    assert (found.outcome, found.values, found.copied_bytes) == ("undecidable", Values.UNKNOWN, None)
    assert "uninitialized" in codes(found)
    assert found.result is not None
    assert found.result.filled is False
    assert found.evidence.cells == ()
    assert all(snapshot.result is None for snapshot in found.evidence.snapshots)


def test_a_huge_result_is_not_filled_to_tell() -> None:
    """It has 17 GB, of which no more than the sampled pages may become real."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = row(lambda: np.array(2**32 - 1, "u4"), "torch.Tensor(x)")
    assert found.outcome == "undecidable"
    assert "uninitialized" in codes(found)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@pytest.mark.parametrize(
    ("build", "code"),
    [
        (lambda: torch.ones(4), "torch.empty(4)"),
        (lambda: torch.ones(4), "torch.empty_like(x)"),  # of zeros a fresh block of the system's has the values
        (lambda: torch.ones(4, dtype=torch.int16), "torch.empty_like(x)"),
        (lambda: np.ones(4), "np.empty_like(x)"),
        (lambda: np.ones((40, 40)), "np.empty(x.shape)"),
        (lambda: np.ones(4), "x.copy().astype('f4') if False else torch.FloatTensor(4)"),
        (lambda: torch._efficientzerotensor((4, 3)), "np.from_dlpack(x)"),
        (lambda: torch._efficientzerotensor((2,), dtype=torch.int64), "np.from_dlpack(x)"),
    ],
)
def test_what_nobody_filled_has_no_values(build: Callable[[], Any], code: str) -> None:
    found = row(build, code)
    assert (found.outcome, found.values) == ("undecidable", Values.UNKNOWN)
    assert "uninitialized" in codes(found)


@pytest.mark.parametrize(
    ("build", "code", "outcome"),
    [
        (lambda: np.ones(4), "np.random.rand(4)", "copied"),
        (lambda: torch.ones(4), "torch.rand(4)", "copied"),
        (lambda: torch.ones(4), "torch.zeros(4)", "copied"),
        (lambda: np.zeros(4), "np.zeros(4)", "copied"),
        (lambda: np.arange(4.0), "x.astype('i4') * 7", "copied"),
        (lambda: torch.ones(4), "x.view(2, 2).clone()", "copied"),
        (lambda: torch._efficientzerotensor((4, 3)), "x.clone()", "copied"),
        (lambda: np.arange(4.0), "torch.Tensor(x)", "copied"),
    ],
)
def test_what_was_filled_is_looked_at(build: Callable[[], Any], code: str, outcome: str) -> None:
    found = row(build, code)
    assert found.outcome == outcome
    assert "uninitialized" not in codes(found)


def test_the_allocators_are_as_before() -> None:
    row(lambda: np.array(5), "torch.Tensor(x)")
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("code", "once"),
    [
        ("(warnings.warn('always'), x.copy())[1]", False),
        ("(warned.add(1) if warned else (warned.add(1), warnings.warn('first')), x.copy())[1]", True),
        ("torch.from_numpy(x)", True),
    ],
)
def test_a_warning_that_a_second_call_does_not_give(code: str, once: bool) -> None:
    bench = Bench(setup="", scratch=Path(), folder="")
    names = {"np": np, "torch": torch, "build": lambda: frozen(np.ones(3)), "warnings": warnings, "warned": set()}
    always_warn(True)
    try:
        seen = run.run(experiment(code, "build()"), bench, names, lambda stage, facts: None)
    finally:
        always_warn(False)
    assert isinstance(seen, Observation)
    assert [warned.once for warned in seen.warnings] == [once]
