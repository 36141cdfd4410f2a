"""Other properties of a source: one entry per state, in the order in which joined states are applied.

A state is the code that a user would type to bring ``x`` into it. The builder of sources (``subjects.generate``) runs
that code and a script (``repro``) prints it. A few states are about the memory beneath ``x``, which is allocated first:
they have the code that allocates instead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tensorbridge_cli.catalog.pitfalls import Pitfall
from tensorbridge_cli.compat import dataclass
from tensorbridge_cli.errors import RequestError, unknown
from tensorbridge_cli.records.enums import Library
from tensorbridge_cli.records.renamed import current

if TYPE_CHECKING:
    from tensorbridge_cli.records.report import Subject

PLAIN = "plain"


@dataclass(frozen=True, kw_only=True)
class State:
    """One state.

    Attributes:
        name: the word for it.
        library: whose objects can be in it; a list is built from a NumPy array.
        summary: what it is, in a sentence.
        code: the statements that bring ``x`` into this state.
        imports: what ``code`` needs besides numpy and torch. It may take a second, so the server imports it once.
        allocates: the expression that allocates ``base``, in place of the usual one.
        within: the context in which ``x`` is made.
        impossible: why a given ``x`` cannot be in this state; ``None`` if it can.
        becomes: the library of ``x`` afterwards, if it is another.
        arises: what one writes, or reads, to have it.
        pitfalls: common pitfalls.
    """

    name: str
    library: Library
    summary: str
    code: str = ""
    imports: str = ""
    allocates: str = ""
    within: str = ""
    impossible: Callable[[Any], str | None] = lambda x: None
    becomes: Library | None = None
    arises: str
    pitfalls: tuple[Pitfall, ...]

    @property
    def subject_library(self) -> Library:
        """The library of a subject in this state."""
        return self.becomes or self.library


def _no_elements(x: Any) -> str | None:
    return None if x.size else "a masked array needs elements to mask; the shape has none"


def _not_two_dimensions(x: Any) -> str | None:
    return None if x.ndim == 2 else f"a matrix has 2 dimensions; the shape has {x.ndim}"


def _no_rows(what: str) -> Callable[[Any], str | None]:
    return lambda x: None if x.ndim else f"{what} needs 1 dimension or more; the shape has 0"


def _no_quantizer(x: Any) -> str | None:
    if x.is_quantized:
        return "the view of a quantized tensor would have no quantizer: reading it crashes the process"
    return None


def _not_complex(x: Any) -> str | None:
    return None if x.is_complex() else f"a conjugate needs a complex dtype; this is {x.dtype}"


def _numpy_raises(text: str) -> Pitfall:
    return Pitfall(text=text, shows="refused", conversion="Tensor.numpy")


NUMPY, TORCH, PYTHON = Library.NUMPY, Library.TORCH, Library.PYTHON

STATES: tuple[State, ...] = (
    State(
        name="memory-mapped",
        library=NUMPY,
        summary="a numpy.memmap whose writes go to the file",
        allocates="np.memmap({path}, {dtype}, {mode}, shape={shape}, order={order})",
        arises="np.memmap(path), np.load(path, mmap_mode='r+'), datasets larger than memory",
        pitfalls=(
            Pitfall(
                text="A tensor that shares its memory writes to the file.",
                shows="shared",
                conversion="torch.from_numpy",
            ),
        ),
    ),
    State(
        name="copy-on-write",
        library=NUMPY,
        summary="a numpy.memmap whose writes stay in memory (mode 'c')",
        arises="np.load(path, mmap_mode='c')",
        pitfalls=(
            Pitfall(
                text="A tensor that shares its memory does not change the file.",
                shows="shared",
                conversion="torch.from_numpy",
            ),
        ),
    ),
    State(
        name="masked",
        library=NUMPY,
        summary="a masked array, its last element masked",
        code="x = np.ma.MaskedArray(x, mask=np.zeros(x.shape, bool))\nx.mask.flat[-1] = True",
        impossible=_no_elements,
        arises="np.ma.masked_invalid(a), np.ma.masked_where(…), libraries that read data with missing values",
        pitfalls=(
            Pitfall(
                text="The mask is lost: the tensor shows the masked values.",
                shows="mask-lost",
                conversion="torch.from_numpy",
            ),
            Pitfall(text="A copy loses the mask, too.", shows="mask-lost", conversion="torch.tensor"),
        ),
    ),
    State(
        name="matrix",
        library=NUMPY,
        summary="a numpy.matrix",
        code="x = x.view(np.matrix)",
        impossible=_not_two_dimensions,
        arises="np.matrix(a), scipy.sparse's todense()",
        pitfalls=(
            Pitfall(
                text="The tensor is a plain one: * multiplies element by element.",
                shows="subclass-lost",
                conversion="torch.from_numpy",
            ),
        ),
    ),
    State(
        name="read-only",
        library=NUMPY,
        summary="an array with writeable=False",
        code="x.flags.writeable = False",
        arises="np.load(path, mmap_mode='r'), np.broadcast_to, np.frombuffer(b'…'), np.asarray(PIL image), pandas "
        "with copy-on-write, Arrow, JAX",
        pitfalls=(
            Pitfall(
                text="torch.from_numpy warns once per process; the tensor is writable.",
                shows="readonly-dropped",
                conversion="torch.from_numpy",
            ),
            Pitfall(
                text="Writing to a tensor over a read-only memory map crashes the process.",
                shows="write-kills",
                conversion="torch.from_numpy",
                state="memory-mapped+read-only",
            ),
            Pitfall(
                text="torch.from_dlpack does not warn; the tensor is writable.",
                shows="readonly-dropped",
                conversion="torch.from_dlpack",
            ),
        ),
    ),
    State(
        name="scalar",
        library=NUMPY,
        summary="a NumPy scalar: the array's first element",
        code="x = x.reshape(-1)[0]",
        arises="a[0], a.sum(), np.float32(1)",
        pitfalls=(
            Pitfall(
                text="torch.from_numpy raises: a scalar is not an array.",
                shows="refused",
                conversion="torch.from_numpy",
            ),
            Pitfall(text="torch.as_tensor copies it.", shows="copied", conversion="torch.as_tensor"),
        ),
    ),
    State(
        name="list",
        library=NUMPY,
        summary="nested Python lists of numbers",
        code="x = x.tolist()",
        impossible=_no_rows("a list"),
        becomes=PYTHON,
        arises="[[1.0, 2.0], [3.0, 4.0]], json, .tolist()",
        pitfalls=(
            Pitfall(
                text="A list has no memory that a tensor could share: it is copied.",
                shows="copied",
                conversion="torch.as_tensor",
            ),
        ),
    ),
    State(
        name="list-of-arrays",
        library=NUMPY,
        summary="a Python list of the array's rows",
        code="x = list(x)",
        impossible=_no_rows("a list"),
        becomes=PYTHON,
        arises="[read(path) for path in paths], a batch before it is stacked",
        pitfalls=(
            Pitfall(
                text="torch.tensor converts element by element. Use np.stack first.",
                shows="copied",
                conversion="torch.tensor",
            ),
        ),
    ),
    State(
        name="inference",
        library=TORCH,
        summary="made in torch.inference_mode()",
        within="torch.inference_mode()",
        arises="with torch.inference_mode(): …",
        pitfalls=(
            Pitfall(
                text="numpy() shares memory; later writes to the array are not tracked by autograd.",
                shows="shared",
                conversion="Tensor.numpy",
            ),
        ),
    ),
    State(
        name="zero-tensor",
        library=TORCH,
        summary="zeros without memory, created by autograd",
        code="x = torch._efficientzerotensor(x.shape, dtype=x.dtype, device=x.device)",
        arises="torch._efficientzerotensor(…), zero gradients inside autograd",
        pitfalls=(_numpy_raises("numpy() raises: there is no memory to share."),),
    ),
    State(
        name="quantized",
        library=TORCH,
        summary="quantized to quint8, scale 0.1",
        code="x = torch.quantize_per_tensor(x, 0.1, 10, torch.quint8)",
        arises="torch.quantize_per_tensor(x, 0.1, 10, torch.quint8), quantized models",
        pitfalls=(
            _numpy_raises("numpy() raises: NumPy has no quantized dtypes. Use dequantize() or int_repr() first."),
        ),
    ),
    State(
        name="shared-memory",
        library=TORCH,
        summary="in memory shared between processes",
        code="x.share_memory_()",
        arises="x.share_memory_(), tensors from a DataLoader's workers",
        pitfalls=(
            Pitfall(
                text="The array is in shared memory, too: other processes see its writes.",
                shows="shared",
                conversion="Tensor.numpy",
            ),
        ),
    ),
    State(
        name="conjugate-bit",
        library=TORCH,
        summary="a lazy complex conjugate",
        code="x = x.conj()",
        impossible=_not_complex,
        arises="x.conj(), x.mH, x.adjoint()",
        pitfalls=(
            Pitfall(
                text="numpy() raises. Use resolve_conj() first, which copies.",
                shows="refused",
                conversion="Tensor.numpy",
                dtype="complex64",
            ),
        ),
    ),
    State(
        name="negative-bit",
        library=TORCH,
        summary="a lazy negation",
        code="x = torch._neg_view(x)",
        impossible=_no_quantizer,
        arises="x.conj().imag, torch._neg_view(x)",
        pitfalls=(
            _numpy_raises("numpy() raises. Use resolve_neg() first, which copies."),
            Pitfall(
                text="DLPack ignores the negative bit: the values change their sign.",
                shows="values-changed",
                conversion="np.from_dlpack",
            ),
        ),
    ),
    State(
        name="lazy-clone",
        library=TORCH,
        summary="a clone that copies at the first write",
        # it is a lazy clone only as long as the original lives
        code="original, x = x, torch._lazy_clone(x)",
        impossible=_no_quantizer,
        arises="torch._lazy_clone(x)",
        pitfalls=(
            Pitfall(
                text="It shares memory with its origin until the first write to either.",
                shows="copied",
                conversion="Tensor.clone",
            ),
        ),
    ),
    State(
        name="sparse-coo",
        library=TORCH,
        summary="coordinates and values",
        code="x = x.to_sparse()",
        arises="x.to_sparse(), torch.sparse_coo_tensor(…)",
        pitfalls=(_numpy_raises("numpy() raises. Use to_dense(), or convert x.indices() and x.values()."),),
    ),
    State(
        name="sparse-csr",
        library=TORCH,
        summary="compressed rows",
        code="x = x.to_sparse_csr()",
        arises="x.to_sparse_csr(), torch.sparse_csr_tensor(…)",
        pitfalls=(_numpy_raises("numpy() raises. Use to_dense(), or convert its parts."),),
    ),
    State(
        name="nested",
        library=TORCH,
        summary="rows of different lengths (ragged)",
        code="x = torch.nested.nested_tensor(list(x.unbind()))",
        impossible=_no_rows("a nested tensor"),
        arises="torch.nested.nested_tensor([a, b])",
        pitfalls=(
            _numpy_raises(
                "numpy() raises: rows of different lengths are not an array. unbind() returns ordinary tensors."
            ),
        ),
    ),
    State(
        name="mkldnn",
        library=TORCH,
        summary="in the internal format of oneDNN",
        code="x = x.to_mkldnn()",
        arises="x.to_mkldnn(), models optimised for the CPU",
        pitfalls=(_numpy_raises("numpy() raises. Use to_dense() first."),),
    ),
    State(
        name="parameter",
        library=TORCH,
        summary="a torch.nn.Parameter",
        code="x = torch.nn.Parameter(x)",
        arises="torch.nn.Parameter(x), model.parameters()",
        pitfalls=(
            Pitfall(
                text="numpy() raises; detach().numpy() shares memory, and a write changes the model.",
                shows="shared",
                conversion="Tensor.detach().numpy()",
            ),
        ),
    ),
    State(
        name="requires-grad",
        library=TORCH,
        summary="a leaf with requires_grad=True",
        code="x.requires_grad_()",
        arises="torch.zeros(3, requires_grad=True), x.requires_grad_()",
        pitfalls=(
            _numpy_raises("numpy() raises. Use x.detach().numpy(), which shares memory."),
            Pitfall(
                text="torch.tensor returns a new leaf: gradients do not flow back to the source.",
                shows="grad-lost",
                conversion="torch.tensor",
            ),
        ),
    ),
    State(
        name="non-leaf",
        library=TORCH,
        summary="a result with autograd history",
        # a view of the leaf: the memory and its layout stay as they are
        code="x = x.requires_grad_().view_as(x)",
        arises="x * 2 if x requires grad, the output of a model",
        pitfalls=(
            _numpy_raises("numpy() raises. Use x.detach().numpy(), which shares memory."),
            Pitfall(text="copy.deepcopy raises.", shows="refused", conversion="copy.deepcopy"),
        ),
    ),
    State(
        name="list-of-tensors",
        library=TORCH,
        summary="a Python list of the tensor's rows",
        code="x = list(x)",
        impossible=_no_rows("a list"),
        becomes=PYTHON,
        arises="[model(x) for x in batch], outputs collected in a loop",
        pitfalls=(
            Pitfall(
                text="torch.tensor raises for tensors with several elements. torch.stack joins them and keeps "
                "gradients.",
                shows="refused",
                conversion="torch.tensor",
            ),
            Pitfall(text="torch.stack copies.", shows="copied", conversion="torch.stack"),
        ),
    ),
    State(
        name="meta",
        library=TORCH,
        summary="shape and dtype without data",
        code='x = x.to("meta")',
        arises="torch.zeros(3, device='meta'), models built before their weights are loaded",
        pitfalls=(_numpy_raises("numpy() raises: there is no data to share or copy."),),
    ),
    State(
        name="fake",
        library=TORCH,
        summary="a FakeTensor, used by torch.compile for tracing",
        imports="from torch._subclasses.fake_tensor import FakeTensorMode",
        code="x = FakeTensorMode().from_tensor(x)",
        arises="inside torch.compile and torch.export",
        pitfalls=(_numpy_raises("numpy() raises: there is no data."),),
    ),
)

PAIRS = (
    "copy-on-write+memory-mapped",
    "memory-mapped+read-only",
    "masked+read-only",
    "conjugate-bit+requires-grad",
    "parameter+shared-memory",
)
"""Joined states that are tried with ``--state all`` beside each single one."""

BY_NAME = {state.name: state for state in STATES}


@dataclass(frozen=True)
class Detected:
    """What a user's own object can be, besides the states: none is generated, and no documentation speaks of it."""

    summary: str
    arises: str


DETECTED = {
    "subclass": Detected(
        "a subclass of an array or a tensor that is not one of NumPy's or PyTorch's own",
        "class MyArray(np.ndarray), class MyTensor(torch.Tensor). Such a class can override what a conversion does, so "
        "that nothing documented for arrays and tensors is checked for it.",
    ),
    "ragged": Detected(
        "a nested list whose rows have different lengths",
        "[[1, 2], [3]]. It is not the content of an array: np.array and torch.tensor refuse it.",
    ),
    "container": Detected(
        "a dict, a dataclass or a module that holds arrays or tensors",
        '{"image": np.ones((4, 3)), "label": np.arange(4)}, torch.nn.Linear(3, 2). Its arrays and tensors are its '
        "parts, in order; text and numbers are left out. Give the conversion with --code, e.g. "
        '--code "torch.utils.data.default_convert(x)".',
    ),
    "sparse-csc": Detected("a sparse tensor that stores its columns compressed", "tensor.to_sparse_csc()"),
    "sparse-bsr": Detected(
        "a sparse tensor that stores rows of dense blocks compressed", "tensor.to_sparse_bsr((height, width))"
    ),
    "sparse-bsc": Detected(
        "a sparse tensor that stores columns of dense blocks compressed", "tensor.to_sparse_bsc((height, width))"
    ),
}
"""Words for a user's own object that is not generated."""


@functools.lru_cache(maxsize=1024)
def words(state: str) -> frozenset[str]:
    """Return the words of a joined state; none for ``plain``."""
    return frozenset(state.split("+")) - {PLAIN}


def join(names: frozenset[str] | set[str]) -> str:
    """Return the joined, sorted state of the words ``names``."""
    return "+".join(sorted(names)) or PLAIN


def parse(text: str) -> str:
    """Return the sorted spelling of a state that a user wrote.

    Raises:
        RequestError: for an unknown word, or words of two libraries.
    """
    names = {word.strip() for word in current(text.lower()).split("+")} - {PLAIN}
    for word in names:
        if word not in BY_NAME:
            raise unknown("state", word, [PLAIN, *BY_NAME])
    if "copy-on-write" in names:
        names.add("memory-mapped")
    if len({BY_NAME[word].library for word in names}) > 1:
        raise RequestError(f"state {text!r} combines a NumPy state and a PyTorch state: a source is one or the other.")
    return join(names)


def map_mode(state: str) -> str:
    """Return the mode in which the memory map of a source in ``state`` is opened, as NumPy takes it."""
    return "r" if "read-only" in words(state) else "c" if "copy-on-write" in words(state) else "r+"


@functools.lru_cache(maxsize=1024)
def allocation(state: str) -> str:
    """Return the expression that allocates the memory of a source in ``state``; none if it is allocated as usual."""
    return next((entry.allocates for entry in STATES if entry.name in words(state) and entry.allocates), "")


@functools.lru_cache(maxsize=1024)
def context(state: str) -> str:
    """Return the expression of the context in which a source in ``state`` is made; none if there is no such context."""
    return next((entry.within for entry in STATES if entry.name in words(state) and entry.within), "")


def library_of(state: str) -> Library | None:
    """Return the library that a subject in ``state`` must have; ``None`` for ``plain``."""
    libraries = [entry.subject_library for entry in STATES if entry.name in words(state)]
    return Library.PYTHON if Library.PYTHON in libraries else (libraries[0] if libraries else None)


def needs_torch(subject: Subject) -> bool:
    """Return True if a source is a tensor, or is made of tensors."""
    return Library.TORCH in {subject.library, *(BY_NAME[word].library for word in words(subject.state))}


def every() -> tuple[str, ...]:
    """Return all states that ``--state all`` means; ``copy-on-write`` alone is a pair already."""
    return (PLAIN, *(entry.name for entry in STATES if entry.name != "copy-on-write"), *PAIRS)
