"""What is asked of a server is what it makes."""

from dataclasses import replace

import pytest

from tensorbridge_cli.lab import protocol, wire
from tensorbridge_cli.lab.experiment import Experiment
from tensorbridge_cli.records.enums import Direction, Library, Origin
from tensorbridge_cli.records.report import Subject

ARRAY = Subject(
    library=Library.NUMPY,
    shape=(4, 3),
    dtype="float32",
    layout="contiguous",
    state="plain",
    device="cpu",
    origin=Origin.GENERATED,
)
FROM_NUMPY = Experiment(
    conversion="torch.from_numpy",
    direction=Direction.NUMPY_TO_TORCH,
    code="torch.from_numpy(x)",
    setup="",
    subject=ARRAY,
    given=None,
    to_dtype=None,
    snapshot=-1,
)
EXPERIMENTS = [
    replace(FROM_NUMPY, subject=replace(ARRAY, layout=layout), **options)
    for layout in ("contiguous", "reversed", "contiguous")
    for options in (
        {},
        {"conversion": "torch.tensor", "code": "torch.tensor(x)"},
        {"to_dtype": "int64"},
        {"own_code": True},
        {},
    )
]


@pytest.mark.parametrize("count", [0, 1, len(EXPERIMENTS)])
def test_experiments_are_those_that_were_asked_for(count):
    experiments = EXPERIMENTS[:count]
    asked = protocol.Run.of(experiments, jobs=2, alone=False)
    received = wire.decode(wire.encode(asked), protocol.Command)
    assert received.experiments() == experiments
    assert (received.jobs, received.alone, received.slowly) == (2, False, False)


def test_a_conversion_is_sent_once_and_so_is_a_subject_of_several_in_a_row():
    asked = protocol.Run.of(EXPERIMENTS, jobs=2, alone=False)
    assert len(asked.conversions) == 4
    assert [numbers for _, numbers in asked.series] == [(0, 1, 2, 3, 0)] * 3
