"""What else is true of a subject: one entry a state, in the order in which joined states are applied.

``apply`` takes the subject and returns the one in that state. The states that decide how memory is allocated
(``memory-mapped``, ``copy-on-write``, ``inference``) have none: ``subjects.build`` asks for them by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tensorbridge_cli.catalog.layouts import CannotBuildError
from tensorbridge_cli.errors import RequestError, unknown
from tensorbridge_cli.model import Library

PLAIN = "plain"


@dataclass(frozen=True, kw_only=True)
class State:
    """One state.

    Attributes:
        name: the word for it.
        library: whose objects can be in it; a list is built from a NumPy array.
        summary: what it is, in a sentence.
        apply: from the subject to the subject in this state.
        becomes: the library of what ``apply`` returns.
        imports_much: making the first one takes a second, so the server makes one before it forks.
    """

    name: str
    library: Library
    summary: str
    apply: Callable[[Any], Any] | None = None
    becomes: Library | None = None
    imports_much: bool = False

    @property
    def subject_library(self) -> Library:
        """The library of a subject in this state."""
        return self.becomes or self.library


def _read_only(array: Any) -> Any:
    array.flags.writeable = False
    return array


def _masked(array: Any) -> Any:
    import numpy as np

    if not array.size:
        raise CannotBuildError("a masked array needs elements to mask; the shape has none")
    mask = np.zeros(array.shape, bool)
    mask[(-1,) * array.ndim] = True
    return np.ma.MaskedArray(array, mask=mask)


def _matrix(array: Any) -> Any:
    import numpy as np

    if array.ndim != 2:
        raise CannotBuildError(f"a matrix has 2 dimensions; the shape has {array.ndim}")
    return array.view(np.matrix)


def _list_of_arrays(array: Any) -> Any:
    if array.ndim == 0:
        raise CannotBuildError("a list needs 1 dimension or more; the shape has 0")
    return list(array)


def _list(array: Any) -> Any:
    if array.ndim == 0:
        raise CannotBuildError("a list needs 1 dimension or more; the shape has 0")
    return array.tolist()


def _zero_tensor(tensor: Any) -> Any:
    import torch

    return torch._efficientzerotensor(tensor.shape, dtype=tensor.dtype, device=tensor.device)


def _quantized(tensor: Any) -> Any:
    import torch

    return torch.quantize_per_tensor(tensor, 0.1, 10, torch.quint8)


def _nested(tensor: Any) -> Any:
    import torch

    if tensor.dim() == 0:
        raise CannotBuildError("a nested tensor needs 1 dimension or more; the shape has 0")
    return torch.nested.nested_tensor(list(tensor.unbind()))


def _with_quantizer(tensor: Any) -> None:
    if tensor.is_quantized:
        raise CannotBuildError("the view of a quantized tensor would have no quantizer: reading it ends the process")


def _lazy_clone(tensor: Any) -> Any:
    import torch

    _with_quantizer(tensor)
    return torch._lazy_clone(tensor)


def _parameter(tensor: Any) -> Any:
    import torch

    return torch.nn.Parameter(tensor)


def _non_leaf(tensor: Any) -> Any:
    # a view of the leaf: the memory and its layout stay as they are
    return tensor.requires_grad_().view_as(tensor)


def _conj(tensor: Any) -> Any:
    if not tensor.is_complex():
        raise CannotBuildError(f"a conjugate needs a complex dtype; this is {tensor.dtype}")
    return tensor.conj()


def _neg(tensor: Any) -> Any:
    import torch

    _with_quantizer(tensor)
    return torch._neg_view(tensor)


def _fake(tensor: Any) -> Any:
    from torch._subclasses.fake_tensor import FakeTensorMode

    return FakeTensorMode().from_tensor(tensor)


NUMPY, TORCH, PYTHON = Library.NUMPY, Library.TORCH, Library.PYTHON

STATES: tuple[State, ...] = (
    State(name="memory-mapped", library=NUMPY, summary="a numpy.memmap of a file, writes go to the file"),
    State(name="copy-on-write", library=NUMPY, summary="a numpy.memmap whose writes stay in memory (mode 'c')"),
    State(name="masked", library=NUMPY, summary="a masked array, its last element masked", apply=_masked),
    State(name="matrix", library=NUMPY, summary="a numpy.matrix", apply=_matrix),
    State(name="read-only", library=NUMPY, summary="an array that refuses writes", apply=_read_only),
    State(
        name="scalar",
        library=NUMPY,
        summary="a NumPy scalar: the array's first element",
        apply=lambda array: array.reshape(-1)[0],
    ),
    State(name="list", library=NUMPY, summary="nested Python lists of numbers", apply=_list, becomes=PYTHON),
    State(
        name="list-of-arrays",
        library=NUMPY,
        summary="a Python list of the array's rows",
        apply=_list_of_arrays,
        becomes=PYTHON,
    ),
    State(name="inference", library=TORCH, summary="made in torch.inference_mode()"),
    State(name="zero-tensor", library=TORCH, summary="zeros without memory, as autograd makes", apply=_zero_tensor),
    State(name="quantized", library=TORCH, summary="quantized to quint8, scale 0.1", apply=_quantized),
    State(
        name="shared-memory",
        library=TORCH,
        summary="in memory shared between processes",
        apply=lambda t: t.share_memory_(),
    ),
    State(name="conj", library=TORCH, summary="a lazy complex conjugate", apply=_conj),
    State(name="neg", library=TORCH, summary="a lazy negation", apply=_neg),
    State(name="lazy-clone", library=TORCH, summary="a clone that copies at the first write", apply=_lazy_clone),
    State(name="sparse-coo", library=TORCH, summary="coordinates and values", apply=lambda t: t.to_sparse()),
    State(name="sparse-csr", library=TORCH, summary="compressed rows", apply=lambda t: t.to_sparse_csr()),
    State(name="nested", library=TORCH, summary="rows of their own length", apply=_nested),
    State(name="mkldnn", library=TORCH, summary="in oneDNN's own layout", apply=lambda t: t.to_mkldnn()),
    State(name="parameter", library=TORCH, summary="a torch.nn.Parameter", apply=_parameter),
    State(
        name="requires-grad", library=TORCH, summary="a leaf that records gradients", apply=lambda t: t.requires_grad_()
    ),
    State(name="non-leaf", library=TORCH, summary="a result that records gradients", apply=_non_leaf),
    State(name="meta", library=TORCH, summary="shape and dtype without data", apply=lambda t: t.to("meta")),
    State(
        name="fake",
        library=TORCH,
        summary="a FakeTensor, as torch.compile traces with",
        apply=_fake,
        imports_much=True,
    ),
)

PAIRS = (
    "copy-on-write+memory-mapped",
    "memory-mapped+read-only",
    "masked+read-only",
    "conj+requires-grad",
    "parameter+shared-memory",
)
"""Joined states that are tried with ``--state all`` beside each single one."""

BY_NAME = {state.name: state for state in STATES}


def words(state: str) -> frozenset[str]:
    """Return the words of a joined state; none for ``plain``."""
    return frozenset(state.split("+")) - {PLAIN}


def join(found: frozenset[str] | set[str]) -> str:
    """Return the joined, sorted state of ``found`` words."""
    return "+".join(sorted(found)) or PLAIN


def parse(text: str) -> str:
    """Return the sorted spelling of a state that a user wrote.

    Raises:
        RequestError: for an unknown word, or words of two libraries.
    """
    found = {word.strip().lower() for word in text.split("+")} - {PLAIN}
    for word in found:
        if word not in BY_NAME:
            raise unknown("state", word, [PLAIN, *BY_NAME])
    if "copy-on-write" in found:
        found.add("memory-mapped")
    if len({BY_NAME[word].library for word in found}) > 1:
        raise RequestError(f"state {text!r} joins a NumPy state and a PyTorch state: an object has one library.")
    return join(found)


def library_of(state: str) -> Library | None:
    """Return the library that a subject in ``state`` must have; ``None`` for ``plain``."""
    found = [entry.subject_library for entry in STATES if entry.name in words(state)]
    return Library.PYTHON if Library.PYTHON in found else (found[0] if found else None)


def every() -> tuple[str, ...]:
    """Return all states that ``--state all`` means; ``copy-on-write`` alone is a pair already."""
    return (PLAIN, *(entry.name for entry in STATES if entry.name != "copy-on-write"), *PAIRS)
