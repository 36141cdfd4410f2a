from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tensorbridge_cli.judgement.answers import answers
from tensorbridge_cli.records.enums import Direction, Library, Outcome, Values
from tensorbridge_cli.records.report import Remedy, Warned
from tests.judgement.tools import problem
from tests.render.tools import row


def test_an_answer_names_the_best_first() -> None:
    rows = [row(conversion=name) for name in ("torch.from_dlpack", "torch.asarray", "torch.from_numpy")]
    (answer,) = answers(rows, Outcome.SHARED)
    assert [remedy.code for remedy in answer.write] == [
        "torch.from_numpy(x)",
        "torch.asarray(x)",
        "torch.from_dlpack(x)",
    ]
    assert (answer.why, answer.nearest) == (None, ())


def test_where_there_is_none_it_says_why_and_what_is_nearest() -> None:
    refused = replace(problem(), remedies=(Remedy(code="c", outcome=Outcome.COPIED, copied_bytes=48),))
    unsafe = problem("readonly-dropped", conversion="torch.as_tensor")
    (answer,) = answers([refused, unsafe], Outcome.SHARED)
    assert answer.write == ()
    assert [remedy.code for remedy in answer.nearest] == ["c"]
    assert answer.why == (
        "1 refused (torch.from_numpy: TypeError: ); 1 shared, but with hazards (torch.as_tensor: readonly-dropped)"
    )


def test_an_answer_is_about_the_border_unless_a_direction_is_asked_for() -> None:
    within = row(conversion="Tensor.detach", direction=Direction.TORCH_TO_TORCH, subject={"library": Library.TORCH})
    assert answers([within], Outcome.SHARED) == ()
    (answer,) = answers([within], Outcome.SHARED, Direction.TORCH_TO_TORCH)
    assert [remedy.code for remedy in answer.write] == ["x.detach()"]


@pytest.mark.parametrize(
    "unfit",
    [
        {"conversion": "torch.Tensor"},  # it is there to change the dtype
        {"conversion": "torch.from_file(shared=False)", "outcome": Outcome.SHARED},  # needs a function of one's own
        {"conversion": "torch.as_tensor", "values": Values.CHANGED},
        {"conversion": "torch.as_tensor", "warnings": (Warned(category="UserWarning", message="careful"),)},
    ],
    ids=str,
)
def test_what_is_no_answer(unfit: dict[str, Any]) -> None:
    (answer,) = answers([row(), row(**unfit)], Outcome.SHARED)
    assert [remedy.code for remedy in answer.write] == ["torch.from_numpy(x)"]
