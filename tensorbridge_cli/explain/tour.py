"""The guided tour as data: the code of each step, and its explanation for each result that it may have.

A sentence is printed only if the experiment gave the result that it explains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tensorbridge_cli.errors import unknown
from tensorbridge_cli.lab.experiment import Experiment, Given
from tensorbridge_cli.records.enums import Direction, Library, Origin, Outcome, Values, Write
from tensorbridge_cli.records.report import NotApplicable, Row, Subject

Holds = Callable[[Row], bool]

NO_SENTENCE = "With your versions, the experiment gave a different result than the one the tour explains."
"""What is said where no sentence explains what was seen."""


@dataclass(frozen=True)
class TourStep:
    """One experiment as one would type it: ``x = source``, ``y = code``, then the statement ``then``.

    ``why`` is the sentences, each by what must have been seen for it to be true.
    """

    source: str
    code: str
    why: Mapping[Holds, str]
    then: str = ""


@dataclass(frozen=True)
class TourSection:
    """Some steps about one thing."""

    name: str
    title: str
    steps: tuple[TourStep, ...]


def shared(row: Row) -> bool:
    """Return True if both writes were seen, in an object of its own."""
    return row.outcome is Outcome.SHARED and _writes(row) == (Write.SEEN, Write.SEEN) and not itself(row)


def copied(row: Row) -> bool:
    """Return True if neither write was seen."""
    return row.outcome is Outcome.COPIED and _writes(row) == (Write.NOT_SEEN, Write.NOT_SEEN)


def kept_alive(row: Row) -> bool:
    """Return True if both writes were seen, and the bytes outlived the name of their owner."""
    return shared(row) and row.relation.owner_kept is True


def unharmed(row: Row) -> bool:
    """Return True if a write to the result was not seen in a source that refused to be written."""
    return row.outcome is Outcome.COPIED and _writes(row) == (Write.REFUSED, Write.NOT_SEEN)


def itself(row: Row) -> bool:
    """Return True if the result is the source, the very object."""
    return row.relation.same_object is True


def one_way(row: Row) -> bool:
    """Return True if the array refused to be written, and a write to the result showed in it all the same."""
    return row.outcome is Outcome.SHARED and _writes(row) == (Write.REFUSED, Write.SEEN)


def copied_for_dtype(row: Row) -> bool:
    """Return True if it was copied, and the dtype is another."""
    return copied(row) and row.source is not None and row.result is not None and row.source.dtype != row.result.dtype


def new_leaf(row: Row) -> bool:
    """Return True if a source that is part of a graph was copied to a leaf outside of it."""
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
    """Tell whether the conversion itself crashed the process with ``signal``."""
    return lambda row: row.outcome is Outcome.CRASHED and row.crash is not None and row.crash.signal == signal


def moved_on(row: Row) -> bool:
    """Return True if source and result are apart and hold other values."""
    return copied(row) and row.relation.same_storage is False and row.values is Values.CHANGED


def still_equal(row: Row) -> bool:
    """Return True if source and result are shared and hold the same values."""
    return shared(row) and row.values is Values.EQUAL


def _writes(row: Row) -> tuple[Write, Write]:
    return row.writes.source_to_result, row.writes.result_to_source


_FLOATS = "np.array([1.0, 2.0, 3.0])"
_REVERSED = f"{_FLOATS}[::-1]"
_GRAD = "torch.ones(3, requires_grad=True)"
_READ_ONLY = "np.frombuffer(bytes([1, 2, 3]), np.uint8)"

SECTIONS = (
    TourSection(
        "numpy",
        "Tensor.numpy shares memory",
        (
            TourStep(
                "torch.tensor([1.0, 2.0, 3.0])",
                "x.numpy()",
                {shared: "The array uses the tensor's memory. Nothing is copied."},
            ),
        ),
    ),
    TourSection(
        "from_numpy",
        "torch.from_numpy shares memory",
        (
            TourStep(
                _FLOATS,
                "torch.from_numpy(x)",
                {kept_alive: "The tensor uses the array's memory and keeps it alive. A write to one changes both."},
            ),
        ),
    ),
    TourSection(
        "as_tensor",
        "torch.as_tensor copies only if needed",
        (
            TourStep(
                "np.array([1, 2, 3])",
                "torch.as_tensor(x)",
                {shared: "The dtype and device do not change, so as_tensor shares memory like from_numpy."},
            ),
            TourStep(
                "torch.tensor([1, 2, 3])",
                "torch.as_tensor(x)",
                {itself: "x already is a tensor of the requested dtype and device, so it is returned itself: y is x."},
            ),
            TourStep(
                "np.array([1, 2, 3])",
                "torch.as_tensor(x, dtype=torch.float32)",
                {copied_for_dtype: "Another dtype needs a copy."},
            ),
        ),
    ),
    TourSection(
        "tensor",
        "torch.tensor always copies and returns a leaf",
        (
            TourStep(
                "np.array([1, 2, 3])",
                "torch.tensor(x)",
                {copied: "torch.tensor always copies the values to new memory."},
            ),
            TourStep(
                f"{_GRAD} * 2",
                "torch.tensor(x)",
                {
                    new_leaf: "x is part of a graph. y is a new leaf with requires_grad=False, so gradients do not "
                    "flow back to x."
                },
            ),
        ),
    ),
    TourSection(
        "dtype",
        "A change of dtype copies",
        (
            TourStep(
                _FLOATS,
                "torch.from_numpy(x).float()",
                {copied_for_dtype: "NumPy's default float is float64. float() converts it to float32, in new memory."},
            ),
            TourStep(
                "np.array([1.0, 2.0, 3.0], np.float32)",
                "torch.from_numpy(x).float()",
                {shared: "The same line shares memory if the array is float32: float() has nothing to convert."},
            ),
        ),
    ),
    TourSection(
        "read-only",
        "A read-only array becomes a writable tensor",
        (
            TourStep(
                _READ_ONLY,
                "torch.from_numpy(x)",
                {
                    one_way: "Tensors have no read-only flag: NumPy raises for the write, PyTorch writes to the same "
                    "memory."
                },
            ),
            TourStep(
                _READ_ONLY,
                "torch.from_numpy(x.copy())",
                {unharmed: "The tensor has its own copy, so x does not change."},
            ),
        ),
    ),
    TourSection(
        "negative",
        "Tensors do not support negative strides",
        (
            TourStep(
                _REVERSED,
                "torch.from_numpy(x)",
                {refused("negative"): "A reversed array has a negative stride, so from_numpy raises."},
            ),
            TourStep(
                _REVERSED,
                "torch.from_dlpack(x)",
                {
                    crashed(
                        "SIGABRT"
                    ): "The same array crashes the process through DLPack. Here it was an isolated child process.",
                    refused(): "DLPack raises, too.",
                },
            ),
            TourStep(
                _REVERSED,
                "torch.from_numpy(x.copy())",
                {copied: "The copy is contiguous, with the same values in the same order."},
            ),
        ),
    ),
    TourSection(
        "requires-grad",
        "numpy() raises for a tensor that requires grad",
        (
            TourStep(
                _GRAD,
                "x.numpy()",
                {refused("requires grad"): "Writes through an array would bypass autograd, so numpy() raises."},
            ),
            TourStep(
                _GRAD,
                "x.detach().numpy()",
                {shared: "detach() drops the autograd history, not the memory: a write to y still changes x."},
            ),
        ),
    ),
    TourSection(
        "rebinding",
        "x = x + 1 creates a new array; x += 1 modifies this one",
        (
            TourStep(
                _FLOATS,
                "torch.from_numpy(x)",
                {
                    moved_on: "x + 1 is a new array. The name x now refers to it, while y still shares the old array's "
                    "memory."
                },
                then="x = x + 1",
            ),
            TourStep(
                _FLOATS,
                "torch.from_numpy(x)",
                {still_equal: "x += 1 modifies the memory that x and y share, so y changes, too."},
                then="x += 1",
            ),
        ),
    ),
)
"""The tour, in its order."""

BY_NAME = {section.name: section for section in SECTIONS}


def chosen(names: list[str]) -> tuple[TourSection, ...]:
    """Return the sections called ``names``, in that order; all of them if none is named.

    Raises:
        RequestError: for a name that no section has, with the closest.
    """
    for name in names:
        if name not in BY_NAME:
            raise unknown("section", name, BY_NAME)
    return tuple(BY_NAME[name] for name in dict.fromkeys(names)) or SECTIONS


def given(step: TourStep) -> Given:
    """Return the source of ``step`` as the lab is given it."""
    return Given(origin=Origin.EXPRESSION, text=step.source)


def experiment(step: TourStep, source: Subject) -> Experiment:
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


def sentence(step: TourStep, row: Row | NotApplicable) -> str:
    """Return the sentence that explains what was seen."""
    if isinstance(row, NotApplicable):
        return NO_SENTENCE
    return next((why for holds, why in step.why.items() if holds(row)), NO_SENTENCE)
