"""What is counted in: written in C where that part was built for this Python, and otherwise the same in Python.

``_counting.c`` counts the calls of functions and methods where they are, those of functions that are written in Python
with a wrapper that has no frame. It reads what it counts from the same objects as the recorder.
``TENSORBRIDGE_COMPILED=0`` leaves it out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from types import FunctionType
from typing import TYPE_CHECKING, Any

from tensorbridge_cli.compat import dataclass
from tensorbridge_cli.memory.storages import storage_address
from tensorbridge_cli.tracing.inside.classify import (
    COPIED,
    SHARED,
    UNDECIDABLE,
    Classify,
    address_of,
    samples,
)
from tensorbridge_cli.tracing.inside.records import Hook, SampleSides

SWITCH = "TENSORBRIDGE_COMPILED"
"""The environment variable that leaves the compiled part out if it is 0."""

if TYPE_CHECKING:
    from tensorbridge_cli.tracing.inside import _counting
    from tensorbridge_cli.tracing.inside._counting import StandIn
else:
    _counting = None
    if os.environ.get(SWITCH) != "0":
        with suppress(ImportError):  # built for another Python, or not at all
            from tensorbridge_cli.tracing.inside import _counting


@dataclass(eq=False, slots=True)
class PlainCell:
    """Calls of one site that took the same dtype, gave the same and did the same; times in seconds.

    ``given`` and ``got`` are dtypes as ``classify.known`` tells them.
    ``next`` is the call at which the clock is read next, ``close`` the one that is inspected more closely.
    """

    given: Any
    got: Any
    outcome: str
    calls: int = 0
    bytes: int = 0
    seconds: float = 0.0
    next: int = 1
    close: int = 1
    inspected: int = 0
    sample: SampleSides | None = None


class PlainThread:
    """What one thread is at.

    Attributes:
        busy: The site whose call is being made.
        calling: What makes that call, or a part of it: a stand-in in C, or the function that one in Python is for.
        frame: The ``id`` of the frame that calls a stand-in written in C, while it does; else 0.
        instruction: The instruction of that call.
        allocated: Bytes of the storage that the call which is being made copied.
        moved: Bytes of a storage that it moved elsewhere.
    """

    __slots__ = ("allocated", "busy", "calling", "frame", "instruction", "moved")

    def __init__(self) -> None:
        self.busy: Any = None
        self.calling: Any = None
        self.frame = self.instruction = self.allocated = self.moved = 0

    def drop_instructions(self) -> None:
        """Know no call instruction any longer; here they are kept with each stand-in."""


class PlainCounter:
    """What all stand-ins of one recorder share.

    Attributes:
        paused: Whether calls are not counted.
        classify: What classifies a call by its source and its result.
        classifying: The site that a thread is busy with during that.
        closely: The first calls of a line that are all timed.
        untimed: A power of two less one: after them one is timed, then so many are not.
    """

    paused: bool
    classify: Classify
    classifying: Any
    closely: int
    untimed: int


if TYPE_CHECKING:
    Cell = PlainCell
    Thread = PlainThread
    Counter = PlainCounter
else:
    Cell, Thread, Counter = (
        (_counting.Cell, _counting.Thread, _counting.Counter) if _counting else (PlainCell, PlainThread, PlainCounter)
    )


def is_compiled() -> bool:
    """Return True if the part that is written in C is in use."""
    return _counting is not None


_WRITTEN_IN_C = (
    "builtin_function_or_method",
    "method_descriptor",
    "_ArrayFunctionDispatcher",
    "cython_function_or_method",
)
"""The types of functions that are counted in C; those of numpy's dispatchers and of Cython are in no public module."""


def counts(original: Callable[..., Any]) -> bool:
    """Return True if the compiled part is there and counts the calls of a function of this kind."""
    return _counting is not None and type(original).__name__ in _WRITTEN_IN_C


def stand_in(counter: PlainCounter, original: Callable[..., Any], hook: Hook) -> StandIn:
    """Count the calls of a function, which stays what it is, until what is returned leaves or is let go."""
    return _counting.stand_in(counter, original, hook)


def wraps(original: Callable[..., Any]) -> bool:
    """Return True if the compiled part is there and has a wrapper for a function of this kind."""
    return _counting is not None and type(original) is FunctionType


def wrap(counter: PlainCounter, original: Callable[..., Any], hook: Hook) -> Callable[..., Any]:
    """Return what is like a function, which is written in Python, and counts its calls."""
    return _counting.wrap(counter, original, hook)


def learn(counter: Any, numpy: Any, torch: Any) -> None:
    """Have compiled stand-ins tell plain calls by themselves, as ``classify.classifier`` does; torch may be missing.

    Where the fields of an array are not as known, all calls are looked at in Python.
    """
    if _counting is None:
        return
    tensors: tuple[Any, ...] = (None,) * 6
    if torch is not None:
        tensor = torch.Tensor
        tensors = (
            tensor,
            torch.nn.Parameter,
            storage_address(torch),
            tensor.data_ptr,
            torch._C._len_torch_function_stack,
            getattr(tensor, "__dlpack_c_exchange_api__", None),  # since torch 2.10
        )
    by_address = {address_of(sample): sample for sample in samples(numpy)}
    counter.know(numpy.ndarray, numpy.memmap, numpy.generic, *tensors, (SHARED, COPIED, UNDECIDABLE), by_address)
