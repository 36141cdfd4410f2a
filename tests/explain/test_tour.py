"""Each thing that the tour says, against a plain interpreter without this package; and nothing else."""

import os
import subprocess
from dataclasses import replace
from functools import partial

import pytest

from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.explain import tour
from tensorbridge_cli.records.enums import Outcome, Write
from tensorbridge_cli.records.report import Row
from tensorbridge_cli.survey.run import proved
from tests.tools import started
from tests.warm import python

STEPS = [(section, number) for section in tour.SECTIONS for number in range(len(section.steps))]
PLAIN = (
    "import warnings; import numpy as np; import torch; warnings.simplefilter('ignore'); torch.set_grad_enabled(True)"
)
UNTOLD = "other = [float(v) for v in y]; x[0] = 50; assert [float(v) for v in y] == other; y[2] = 60; assert x[2] != 60"
TOLD = "x[0] = 50; assert y[0] == 50; y[2] = 60; assert x[2] == 60"
UNTOLD_TENSOR = f"{UNTOLD}; assert x.data_ptr() != y.data_ptr()"

INDEPENDENT = {
    ("numpy", 0): f"x = torch.tensor([1., 2., 3.]); y = x.numpy(); {TOLD}",
    ("from_numpy", 0): f"x = np.array([1., 2., 3.]); y = torch.from_numpy(x); {TOLD}; del x; assert y[0] == 50",
    ("as_tensor", 0): f"x = np.array([1, 2, 3]); y = torch.as_tensor(x); {TOLD}",
    ("as_tensor", 1): "x = torch.tensor([1, 2, 3]); y = torch.as_tensor(x); assert y is x",
    ("as_tensor", 2): f"x = np.array([1, 2, 3]); y = torch.as_tensor(x, dtype=torch.float32); {UNTOLD}",
    ("tensor", 0): f"x = np.array([1, 2, 3]); y = torch.tensor(x); {UNTOLD}; assert y.is_leaf",
    ("tensor", 1): "torch.manual_seed(0); w = torch.ones(3, requires_grad=True); x = w * 2; y = torch.tensor(x); "
    f"assert not x.is_leaf and y.is_leaf and not y.requires_grad; torch.set_grad_enabled(False); {UNTOLD_TENSOR}",
    (
        "dtype",
        0,
    ): f"x = np.array([1., 2., 3.]); y = torch.from_numpy(x).float(); {UNTOLD}; assert y.dtype.itemsize == 4",
    ("dtype", 1): f"x = np.array([1., 2., 3.], np.float32); y = torch.from_numpy(x).float(); {TOLD}",
    ("read-only", 0): "x = np.frombuffer(bytes([1, 2, 3]), np.uint8); assert not x.flags.writeable; "
    "y = torch.from_numpy(x); y[2] = 60; assert x[2] == 60",
    ("read-only", 1): "x = np.frombuffer(bytes([1, 2, 3]), np.uint8); y = torch.from_numpy(x.copy()); y[2] = 60; "
    "assert x[2] == 3",
    ("negative", 0): "x = np.array([1., 2., 3.])[::-1]; assert x.strides[0] < 0; torch.from_numpy(x)",
    ("negative", 1): "x = np.array([1., 2., 3.])[::-1]; torch.from_dlpack(x)",
    ("negative", 2): f"x = np.array([1., 2., 3.])[::-1]; y = torch.from_numpy(x.copy()); assert y[0] == 3; {UNTOLD}",
    ("requires-grad", 0): "torch.ones(3, requires_grad=True).numpy()",
    ("requires-grad", 1): "x = torch.ones(3, requires_grad=True); y = x.detach().numpy(); "
    f"torch.set_grad_enabled(False); {TOLD}",
    ("rebinding", 0): "x = np.array([1., 2., 3.]); y = torch.from_numpy(x); x = x + 1; "
    f"assert y.tolist() == [1, 2, 3] and x.tolist() == [2, 3, 4]; {UNTOLD}",
    ("rebinding", 1): "x = np.array([1., 2., 3.]); y = torch.from_numpy(x); x += 1; "
    f"assert y.tolist() == [2, 3, 4]; {TOLD}",
}


@pytest.fixture(scope="module")
def rows():
    """What the lab found of each step."""
    with started() as lab:
        steps = [section.steps[number] for section, number in STEPS]
        found = proved([tour.experiment(step, lab.describe(tour.given(step)).subject) for step in steps], lab)
    return {(section.name, number): row for (section, number), row in zip(STEPS, found, strict=True)}


def ended(script: str) -> subprocess.CompletedProcess[str]:
    return python("-c", f"{PLAIN}\n{script}", env=os.environ)


def test_every_step_has_its_script():
    assert list(INDEPENDENT) == [(section.name, number) for section, number in STEPS]


@pytest.mark.parametrize(("section", "number"), STEPS, ids=lambda at: getattr(at, "name", at))
def test_a_plain_interpreter_finds_the_same(rows, section, number):
    row, done = rows[section.name, number], ended(INDEPENDENT[section.name, number])
    if row.outcome is Outcome.CRASHED:
        assert -done.returncode == 6, done.stderr
        assert row.crash.signal == "SIGABRT"
    elif row.outcome is Outcome.REFUSED:
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == f"{row.error.type}: {row.error.message}"
    else:
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("section", "number"), STEPS, ids=lambda at: getattr(at, "name", at))
def test_every_step_is_explained_by_what_was_seen_and_by_nothing_else(rows, section, number):
    step, row = section.steps[number], rows[section.name, number]
    say = partial(tour.sentence, step)
    assert isinstance(row, Row)
    assert say(row) != tour.NO_SENTENCE
    otherwise = {Outcome.SHARED: Outcome.COPIED}.get(row.outcome, Outcome.SHARED)
    writes = replace(row.writes, source_to_result=Write.NOT_TRIED, result_to_source=Write.NOT_TRIED)
    relation = replace(row.relation, same_object=False)
    other = replace(row, outcome=otherwise, writes=writes, relation=relation)
    assert say(other) == tour.NO_SENTENCE


def test_a_refusal_for_another_reason_is_not_explained(rows):
    row = rows["negative", 0]
    other = replace(row, error=replace(row.error, message="no such thing"))
    assert tour.sentence(tour.BY_NAME["negative"].steps[0], other) == tour.NO_SENTENCE


def test_where_dlpack_only_refuses_the_tour_says_so(rows):
    refused = tour.sentence(tour.BY_NAME["negative"].steps[1], rows["negative", 0])
    assert refused.startswith("DLPack raises")


def test_sections_are_chosen_in_the_order_they_are_named_once():
    assert [section.name for section in tour.chosen(["tensor", "numpy", "tensor"])] == ["tensor", "numpy"]
    assert tour.chosen([]) == tour.SECTIONS
    with pytest.raises(RequestError, match="unknown section 'rebind': did you mean rebinding"):
        tour.chosen(["rebind"])


def test_a_statement_that_raises_is_a_refusal():
    step = tour.TourStep("np.array([1.0, 2.0, 3.0])", "torch.from_numpy(x)", {}, then="x @= 'no'")
    with started() as lab:
        (row,) = proved([tour.experiment(step, lab.describe(tour.given(step)).subject)], lab)
    assert row.outcome is Outcome.REFUSED
    assert tour.sentence(step, row) == tour.NO_SENTENCE
