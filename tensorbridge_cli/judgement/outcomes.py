"""The outcomes: what became of the memory, each with by what it is told and what to do where another is wanted."""

from __future__ import annotations

from dataclasses import dataclass

from tensorbridge_cli.catalog.pitfalls import Trip
from tensorbridge_cli.records.report import Outcome


@dataclass(frozen=True, kw_only=True)
class Explained:
    """What is to be said of an outcome.

    Attributes:
        summary: what it is, in a sentence without capital and full stop.
        evidence: by what it is told.
        instead: what to do where another is wanted.
        trips: an experiment that has it; none where that would take long.
    """

    summary: str
    evidence: str
    instead: str
    trips: tuple[Trip, ...] = ()


OUTCOMES: dict[Outcome, Explained] = {
    Outcome.SHARED: Explained(
        summary="the result reaches bytes of the source",
        evidence="A write to one was seen in the other.",
        instead="To keep the values apart from what comes later, copy: x.copy(), x.clone().",
        trips=(
            Trip(
                text="A float32 array becomes a tensor over its own memory.",
                shows="shared",
                conversion="torch.from_numpy",
            ),
        ),
    ),
    Outcome.COPIED: Explained(
        summary="the result has bytes of its own",
        evidence="Neither write was seen in the other.",
        instead="To save the memory and the time, take a conversion that shares: tensorbridge inspect --want shared.",
        trips=(Trip(text="torch.tensor makes new memory for the values.", shows="copied", conversion="torch.tensor"),),
    ),
    Outcome.REFUSED: Explained(
        summary="the conversion raised an exception",
        evidence="The call raised: the row has the exception and its message.",
        instead="tensorbridge inspect shows code that worked instead, run on the same subject.",
        trips=(
            Trip(
                text="A tensor that requires grad is refused by numpy().",
                shows="refused",
                conversion="Tensor.numpy",
                state="requires-grad",
            ),
        ),
    ),
    Outcome.CRASHED: Explained(
        summary="the conversion itself ended the process",
        evidence="The call ended the child process by a signal; the inspector and the other rows go on.",
        instead="Nothing can be caught: prepare the source first, as x.copy().",
        trips=(
            Trip(
                text="An array with a negative stride ends the process through DLPack.",
                shows="crashed",
                conversion="torch.from_dlpack",
                layout="negative",
            ),
        ),
    ),
    Outcome.TIMED_OUT: Explained(
        summary="the conversion did not come back in time",
        evidence="The call did not come back within --timeout seconds, twice.",
        instead="Give it more time with --timeout, or a smaller --shape.",
    ),
    Outcome.UNDECIDABLE: Explained(
        summary="nothing could tell whether memory is shared",
        evidence="There are no bytes to share: an empty object, or one without an address and without a write that "
        "took.",
        instead="Ask with elements: what holds for them is what matters.",
        trips=(
            Trip(
                text="An empty array has no bytes to share.",
                shows="undecidable",
                conversion="torch.from_numpy",
                shape="0,3",
            ),
        ),
    ),
    Outcome.INTERNAL_ERROR: Explained(
        summary="tensorbridge itself failed; nothing is said of the conversion",
        evidence="An exception in the tool's own code: the row has its type, its message and where it happened, and "
        "the command ends with exit code 4.",
        instead="Report it, with the traceback that --debug shows.",
    ),
}
