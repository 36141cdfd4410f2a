"""The outcomes: each with how it is determined, and what to do if another one is wanted."""

from __future__ import annotations

from dataclasses import dataclass

from tensorbridge_cli.catalog.pitfalls import Pitfall
from tensorbridge_cli.records.enums import Outcome


@dataclass(frozen=True, kw_only=True)
class OutcomeText:
    """The texts about an outcome.

    Attributes:
        summary: what it is, in a sentence without capital and full stop.
        evidence: by what it is told.
        instead: what to do where another is wanted.
        pitfalls: an experiment that has it; none where that would take long.
    """

    summary: str
    evidence: str
    instead: str
    pitfalls: tuple[Pitfall, ...] = ()


OUTCOMES: dict[Outcome, OutcomeText] = {
    Outcome.SHARED: OutcomeText(
        summary="the result shares memory with the source",
        evidence="A write to one object changed the other, or, if no write was seen in the other, their bytes overlap.",
        instead="If you need independent values, copy: x.copy() or x.clone().",
        pitfalls=(
            Pitfall(
                text="torch.from_numpy shares memory with a float32 array.",
                conversion="torch.from_numpy",
            ),
        ),
    ),
    Outcome.COPIED: OutcomeText(
        summary="the result has its own memory",
        evidence="No write to either object changed the other, and no bytes overlap.",
        instead="To find a conversion that shares memory: tensorbridge inspect --want shared.",
        pitfalls=(Pitfall(text="torch.tensor copies the values to new memory.", conversion="torch.tensor"),),
    ),
    Outcome.REFUSED: OutcomeText(
        summary="the conversion raised an exception",
        evidence="The call raised. The row has the exception and its message.",
        instead="tensorbridge inspect shows alternatives that worked on the same source.",
        pitfalls=(
            Pitfall(
                text="numpy() raises for a tensor that requires grad.",
                conversion="Tensor.numpy",
                state="requires-grad",
            ),
        ),
    ),
    Outcome.CRASHED: OutcomeText(
        summary="the conversion crashed the process",
        evidence="The call crashed the child process that ran it. tensorbridge and the other rows are unaffected.",
        instead="A crash cannot be caught. Prepare the source first, e.g. with x.copy().",
        pitfalls=(
            Pitfall(
                text="torch.from_dlpack crashes for an array with a negative stride.",
                conversion="torch.from_dlpack",
                layout="reversed",
            ),
        ),
    ),
    Outcome.TIMED_OUT: OutcomeText(
        summary="the conversion did not return in time",
        evidence="The call did not return within --timeout seconds, in two attempts.",
        instead="Use a longer --timeout or a smaller --shape.",
    ),
    Outcome.UNDECIDABLE: OutcomeText(
        summary="it cannot be determined whether memory is shared",
        evidence="The source or the result is empty, the result is uninitialized memory, one of them has no address "
        "and neither could be written, or the process crashed before or after the call.",
        instead="Try a non-empty shape.",
        pitfalls=(
            Pitfall(
                text="An empty array has no memory to share.",
                conversion="torch.from_numpy",
                shape="0,3",
            ),
        ),
    ),
    Outcome.INTERNAL_ERROR: OutcomeText(
        summary="tensorbridge itself failed; nothing is known about the conversion",
        evidence="An exception in tensorbridge's own code. The row has its type, message and location, and the "
        "command exits with code 4.",
        instead="Please report it, with the traceback that --debug shows.",
    ),
}
