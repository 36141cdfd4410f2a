"""The guided tour as data: what is typed at each step, and what is said of it, for each thing that may happen.

A sentence is said only where the experiment showed what the sentence explains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tensorbridge_cli.errors import unknown
from tensorbridge_cli.lab.experiment import Experiment, Given
from tensorbridge_cli.records.report import (
    Direction,
    Library,
    NotApplicable,
    Origin,
    Outcome,
    Row,
    Subject,
    Values,
    Write,
)

Holds = Callable[[Row], bool]

NO_SENTENCE = "This is not what the tour was written for: on these versions the experiment came out otherwise."
"""What is said where no sentence explains what was seen."""


@dataclass(frozen=True)
class Step:
    """One experiment as one would type it: ``x = source``, ``y = code``, then the statement ``then``.

    ``why`` is the sentences, each with what must have been seen for it to be true.
    """

    source: str
    code: str
    why: tuple[tuple[Holds, str], ...]
    then: str = ""


@dataclass(frozen=True)
class Section:
    """Some steps about one thing."""

    name: str
    title: str
    steps: tuple[Step, ...]


def shared(row: Row) -> bool:
    """Tell whether both writes were seen, in an object of its own."""
    return row.outcome is Outcome.SHARED and _writes(row) == (Write.SEEN, Write.SEEN) and not itself(row)


def copied(row: Row) -> bool:
    """Tell whether neither write was seen."""
    return row.outcome is Outcome.COPIED and _writes(row) == (Write.NOT_SEEN, Write.NOT_SEEN)


def kept_alive(row: Row) -> bool:
    """Tell whether both writes were seen, and the bytes outlived the name of their owner."""
    return shared(row) and row.relation.owner_kept is True


def unharmed(row: Row) -> bool:
    """Tell whether a write to the result was not seen in a source that refused to be written."""
    return row.outcome is Outcome.COPIED and _writes(row) == (Write.REFUSED, Write.NOT_SEEN)


def itself(row: Row) -> bool:
    """Tell whether the result is the source, the very object."""
    return row.relation.same_object is True


def one_way(row: Row) -> bool:
    """Tell whether the array refused to be written, and a write to the result showed in it all the same."""
    return row.outcome is Outcome.SHARED and _writes(row) == (Write.REFUSED, Write.SEEN)


def copied_for_dtype(row: Row) -> bool:
    """Tell whether it was copied, and the dtype is another."""
    return copied(row) and row.source is not None and row.result is not None and row.source.dtype != row.result.dtype


def new_leaf(row: Row) -> bool:
    """Tell whether a source that is part of a graph was copied to a leaf outside of it."""
    if not copied(row) or row.source is None or row.result is None:
        return False
    was, is_now = row.source, row.result
    return was.is_leaf is False and is_now.is_leaf is True and is_now.requires_grad is False


def refused(*words: str) -> Holds:
    """Tell whether it raised, with all of ``words`` in the message."""
    return lambda row: (
        row.outcome is Outcome.REFUSED and row.error is not None and all(word in row.error.message for word in words)
    )


def crashed(signal: str) -> Holds:
    """Tell whether the conversion itself ended the process by ``signal``."""
    return lambda row: row.outcome is Outcome.CRASHED and row.crash is not None and row.crash.signal == signal


def moved_on(row: Row) -> bool:
    """Tell whether source and result are apart and hold other values."""
    return copied(row) and row.relation.same_storage is False and row.values is Values.CHANGED


def still_equal(row: Row) -> bool:
    """Tell whether source and result are shared and hold the same values."""
    return shared(row) and row.values is Values.EQUAL


def _writes(row: Row) -> tuple[Write, Write]:
    return row.writes.source_to_result, row.writes.result_to_source


_FLOATS = "np.array([1.0, 2.0, 3.0])"
_REVERSED = f"{_FLOATS}[::-1]"
_GRAD = "torch.ones(3, requires_grad=True)"
_READ_ONLY = "np.frombuffer(bytes([1, 2, 3]), np.uint8)"

SECTIONS = (
    Section(
        "numpy",
        "Tensor.numpy gives a view of the tensor",
        (
            Step(
                "torch.tensor([1.0, 2.0, 3.0])",
                "x.numpy()",
                ((shared, "The array is made over the tensor's own memory: nothing is copied, in either direction."),),
            ),
        ),
    ),
    Section(
        "from_numpy",
        "torch.from_numpy shares both ways",
        (
            Step(
                _FLOATS,
                "torch.from_numpy(x)",
                (
                    (
                        kept_alive,
                        "The tensor keeps the array alive and uses its memory: a write to one is a write to both.",
                    ),
                ),
            ),
        ),
    ),
    Section(
        "as_tensor",
        "torch.as_tensor copies only when it must",
        (
            Step(
                "np.array([1, 2, 3])",
                "torch.as_tensor(x)",
                ((shared, "The dtype and device need no change, so as_tensor does what from_numpy does."),),
            ),
            Step(
                "torch.tensor([1, 2, 3])",
                "torch.as_tensor(x)",
                ((itself, "A tensor of the dtype and device asked for is returned as it is: y is x."),),
            ),
            Step(
                "np.array([1, 2, 3])",
                "torch.as_tensor(x, dtype=torch.float32)",
                ((copied_for_dtype, "Another dtype needs other bytes, so here it must copy."),),
            ),
        ),
    ),
    Section(
        "tensor",
        "torch.tensor always copies and makes a leaf",
        (
            Step(
                "np.array([1, 2, 3])",
                "torch.tensor(x)",
                ((copied, "torch.tensor reads the values into new memory, whatever it is given."),),
            ),
            Step(
                f"{_GRAD} * 2",
                "torch.tensor(x)",
                ((new_leaf, "x is part of a graph; y is a new leaf, requires no gradient, and none flows back to x."),),
            ),
        ),
    ),
    Section(
        "dtype",
        "A change of dtype makes a copy, and no change makes none",
        (
            Step(
                _FLOATS,
                "torch.from_numpy(x).float()",
                ((copied_for_dtype, "NumPy's default is float64; float() makes it float32, in new memory."),),
            ),
            Step(
                "np.array([1.0, 2.0, 3.0], np.float32)",
                "torch.from_numpy(x).float()",
                ((shared, "The same line shares an array that is float32 already: float() has nothing to change."),),
            ),
        ),
    ),
    Section(
        "read-only",
        "A read-only array becomes a tensor that can be written",
        (
            Step(
                _READ_ONLY,
                "torch.from_numpy(x)",
                (
                    (
                        one_way,
                        "A tensor has no read-only flag: NumPy refuses the write, PyTorch does it, in the same memory.",
                    ),
                ),
            ),
            Step(
                _READ_ONLY,
                "torch.from_numpy(x.copy())",
                ((unharmed, "A copy is the tensor's own: x stays as it was."),),
            ),
        ),
    ),
    Section(
        "negative",
        "A reversed array has a negative stride, which no tensor has",
        (
            Step(
                _REVERSED,
                "torch.from_numpy(x)",
                ((refused("negative"), "x is read backwards through its memory; a tensor cannot be, and it says so."),),
            ),
            Step(
                _REVERSED,
                "torch.from_dlpack(x)",
                (
                    (
                        crashed("SIGABRT"),
                        "The same array through DLPack ends the process: here it was a child's, and the tour goes on.",
                    ),
                    (refused(), "DLPack refuses it too, with an exception that a program can catch."),
                ),
            ),
            Step(
                _REVERSED,
                "torch.from_numpy(x.copy())",
                ((copied, "A copy lies forwards in memory, with the same values in the same order."),),
            ),
        ),
    ),
    Section(
        "requires-grad",
        "A tensor that requires a gradient refuses to become an array",
        (
            Step(
                _GRAD,
                "x.numpy()",
                ((refused("requires grad"), "A write through an array would pass autograd by, so numpy() refuses."),),
            ),
            Step(
                _GRAD,
                "x.detach().numpy()",
                ((shared, "detach() leaves the gradient out, not the memory: what you write still changes x."),),
            ),
        ),
    ),
    Section(
        "rebinding",
        "x = x + 1 makes another array; x += 1 writes into this one",
        (
            Step(
                _FLOATS,
                "torch.from_numpy(x)",
                ((moved_on, "x + 1 is a new array, and x its new name; y still holds the memory of the old one."),),
                then="x = x + 1",
            ),
            Step(
                _FLOATS,
                "torch.from_numpy(x)",
                ((still_equal, "x += 1 writes into the memory that x and y share, so y shows it."),),
                then="x += 1",
            ),
        ),
    ),
)
"""The tour, in its order."""

BY_NAME = {section.name: section for section in SECTIONS}


def chosen(names: list[str]) -> tuple[Section, ...]:
    """Return the sections called ``names``, in that order; all of them where none is named.

    Raises:
        RequestError: for a name that no section has, with the closest.
    """
    for name in names:
        if name not in BY_NAME:
            raise unknown("section", name, BY_NAME)
    return tuple(BY_NAME[name] for name in dict.fromkeys(names)) or SECTIONS


def given(step: Step) -> Given:
    """Return the source of ``step`` as the lab is given it."""
    return Given(origin=Origin.EXPRESSION, text=step.source)


def experiment(step: Step, source: Subject) -> Experiment:
    """Return the experiment that ``step`` is, on its ``source`` as the lab describes it."""
    to_array = step.code.endswith("numpy()")
    if source.library is Library.NUMPY:
        direction = Direction.NUMPY_TO_TORCH
    else:
        direction = Direction.TORCH_TO_NUMPY if to_array else Direction.TORCH_TO_TORCH
    return Experiment(
        conversion=step.code,
        direction=direction,
        code=step.code,
        setup="",
        subject=source,
        given=given(step),
        to_dtype=None,
        snapshot=64,
        then=step.then,
    )


def sentence(step: Step, row: Row | NotApplicable) -> str:
    """Return the sentence that explains what was seen."""
    if isinstance(row, NotApplicable):
        return NO_SENTENCE
    return next((why for holds, why in step.why if holds(row)), NO_SENTENCE)
