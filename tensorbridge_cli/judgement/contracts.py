"""What the documentation promises, as data: for each conversion its clauses, each with its page and its sentence.

Derived from the description of the subject alone, without running anything; nothing here reaches the lab. Where a page
is silent or can be read in two ways there is no clause, and the verdict is ``undocumented``.

The sentences are those of the pages for torch 2.13 and NumPy 2.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tensorbridge_cli.catalog.states import words
from tensorbridge_cli.model import Expectation, Library, Promise, Subject

_TORCH = "https://docs.pytorch.org/docs/stable/generated/"
FROM_NUMPY = _TORCH + "torch.from_numpy.html"
AS_TENSOR = _TORCH + "torch.as_tensor.html"
TENSOR = _TORCH + "torch.tensor.html"
ASARRAY = _TORCH + "torch.asarray.html"
NUMPY = _TORCH + "torch.Tensor.numpy.html"
CLONE = _TORCH + "torch.clone.html"
DETACH = _TORCH + "torch.Tensor.detach.html"
FROM_DLPACK = "https://docs.pytorch.org/docs/stable/dlpack.html"
NP_FROM_DLPACK = "https://numpy.org/doc/stable/reference/generated/numpy.from_dlpack.html"

LISTED = frozenset(
    "float64 float32 float16 complex64 complex128 int64 int32 int16 int8 uint8 bool".split()  # noqa: SIM905
)
"""The dtypes that the page of ``torch.from_numpy`` lists."""

_ODD_LAYOUTS = frozenset({"negative", "byte-swapped", "unaligned"})
_NUMPY_LACKS = ("bfloat16", "float8", "float4", "complex32", "bits", "q")

When = Callable[[Subject, str | None], bool]


@dataclass(frozen=True)
class Rule:
    """One sentence: for which subjects it speaks, about what, and what it promises."""

    when: When
    about: str
    expected: str
    page: str
    sentence: str


def _array(subject: Subject, to_dtype: str | None) -> bool:
    """An ndarray as the pages mean it: a listed dtype, nothing odd about its memory."""
    return (
        subject.library is Library.NUMPY
        and "scalar" not in words(subject.state)
        and subject.dtype in LISTED
        and not _ODD_LAYOUTS & set(subject.layout.split("+"))
    )


def _tensor(subject: Subject, to_dtype: str | None) -> bool:
    """A tensor as the pages mean it: a listed dtype, strided, with data, on the CPU."""
    strange = {"sparse-coo", "sparse-csr", "nested", "mkldnn", "meta", "fake", "quantized", "zero-tensor", "lazy-clone"}
    return (
        subject.library is Library.TORCH
        and subject.dtype in LISTED
        and subject.device == "cpu"
        and "unaligned" not in subject.layout
        and not strange & words(subject.state)
    )


def _same_dtype(subject: Subject, to_dtype: str | None) -> bool:
    return to_dtype is None or to_dtype == subject.dtype


def _another_dtype(subject: Subject, to_dtype: str | None) -> bool:
    return to_dtype is not None and to_dtype != subject.dtype


def _asked_dtype(subject: Subject, to_dtype: str | None) -> bool:
    return to_dtype is not None


def _state(*any_of: str) -> When:
    return lambda subject, to_dtype: bool(words(subject.state) & set(any_of))


def _all(*conditions: When) -> When:
    return lambda subject, to_dtype: all(condition(subject, to_dtype) for condition in conditions)


def _not(condition: When) -> When:
    return lambda subject, to_dtype: not condition(subject, to_dtype)


def _numpy_lacks_it(subject: Subject, to_dtype: str | None) -> bool:
    return subject.library is Library.TORCH and (
        subject.dtype.startswith(_NUMPY_LACKS) or "quantized" in words(subject.state)
    )


def _elsewhere(subject: Subject, to_dtype: str | None) -> bool:
    return subject.device != "cpu" or bool(words(subject.state) & {"meta"})


_GRAD = _state("requires-grad", "non-leaf", "parameter")
_LAZY_BITS = _state("conj", "neg")
_SPARSE = _state("sparse-coo", "sparse-csr")
_NUMBERS_IN_A_LIST: When = lambda subject, to_dtype: words(subject.state) == {"list"}  # noqa: E731

_ONLY_IF = (
    "If force is False (the default), the conversion is performed only if the tensor is on the CPU, does not require "
    "grad, does not have its conjugate bit set, and is a dtype and layout that NumPy supports."
)
_SHARE_STORAGE = (
    "The returned ndarray and the tensor will share their storage, so changes to the tensor will be reflected in the "
    "ndarray and vice versa."
)
_DESIRED = "dtype (torch.dtype, optional): the desired data type of returned tensor."

CONTRACTS: dict[str, tuple[Rule, ...]] = {
    "torch.from_numpy": (
        Rule(_array, "outcome", "shared", FROM_NUMPY, "The returned tensor and ndarray share the same memory."),
    ),
    "torch.as_tensor": (
        Rule(
            _all(_tensor, _same_dtype),
            "outcome",
            "shared",
            AS_TENSOR,
            "If data is already a tensor with the requested dtype and device then data itself is returned",
        ),
        Rule(
            _all(_tensor, _another_dtype),
            "outcome",
            "copied",
            AS_TENSOR,
            "if data is a tensor with a different dtype or device then it's copied as if using "
            "data.to(dtype=dtype, device=device).",
        ),
        Rule(
            _all(_array, _same_dtype),
            "outcome",
            "shared",
            AS_TENSOR,
            "If data is a NumPy array (an ndarray) with the same dtype and device then a tensor is constructed using "
            "torch.from_numpy().",
        ),
        Rule(_asked_dtype, "dtype", "the one asked for", AS_TENSOR, _DESIRED),
    ),
    "torch.tensor": (
        Rule(
            lambda subject, to_dtype: (
                _array(subject, to_dtype) or _tensor(subject, to_dtype) or _NUMBERS_IN_A_LIST(subject, to_dtype)
            ),
            "outcome",
            "copied",
            TENSOR,
            'Constructs a tensor with no autograd history (also known as a "leaf tensor") by copying data.',
        ),
        Rule(_asked_dtype, "dtype", "the one asked for", TENSOR, _DESIRED),
    ),
    "torch.asarray": (
        Rule(
            _all(_array, _same_dtype),
            "outcome",
            "shared",
            ASARRAY,
            "When obj is a tensor, NumPy array, or DLPack capsule the returned tensor will, by default, […] have the "
            "same datatype, be on the same device, and share memory with it.",
        ),
        Rule(
            _all(_array, _another_dtype),
            "outcome",
            "copied",
            ASARRAY,
            "If the returned tensor is of a different datatype, on a different device, or a copy is requested then it "
            "will not share its memory with obj.",
        ),
        Rule(
            _all(_state("scalar"), lambda subject, to_dtype: subject.dtype in LISTED),
            "outcome",
            "copied",
            ASARRAY,
            "When obj is a NumPy scalar, the returned tensor will be a 0-dimensional tensor on the CPU and that "
            "doesn't share its memory (i.e. copy=True).",
        ),
        Rule(
            _all(_array, _same_dtype),
            "dtype",
            "the source's",
            ASARRAY,
            "When obj is a tensor, NumPy array, or DLPack capsule the returned tensor will, by default, […] have the "
            "same datatype",
        ),
        Rule(_asked_dtype, "dtype", "the one asked for", ASARRAY, "dtype: the datatype of the returned tensor."),
    ),
    "torch.from_dlpack": (
        Rule(
            _array,
            "outcome",
            "shared",
            FROM_DLPACK,
            "The returned PyTorch tensor will share the memory with the input tensor (which may have come from another "
            "library).",
        ),
    ),
    "Tensor.numpy": (
        Rule(_all(_tensor, _not(_GRAD), _not(_LAZY_BITS)), "outcome", "shared", NUMPY, _SHARE_STORAGE),
        Rule(_elsewhere, "outcome", "refused", NUMPY, _ONLY_IF),
        Rule(_all(_tensor, _GRAD), "outcome", "refused", NUMPY, _ONLY_IF),
        Rule(_all(_tensor, _state("conj")), "outcome", "refused", NUMPY, _ONLY_IF),
        Rule(_SPARSE, "outcome", "refused", NUMPY, _ONLY_IF),
        Rule(_numpy_lacks_it, "outcome", "refused", NUMPY, _ONLY_IF),
    ),
    "Tensor.numpy(force=True)": (
        Rule(
            _all(_tensor, _LAZY_BITS),
            "outcome",
            "copied",
            NUMPY,
            "If the tensor isn't on the CPU or the conjugate or negative bit is set, the tensor won't share its "
            "storage with the returned ndarray.",
        ),
        Rule(
            _all(_tensor, _not(_LAZY_BITS)),
            "outcome",
            "shared",
            NUMPY,
            "If force is True this is equivalent to calling t.detach().cpu().resolve_conj().resolve_neg().numpy().",
        ),
    ),
    "np.asarray": (),
    "np.from_dlpack": (
        Rule(
            _all(_tensor, _not(_GRAD), _not(_LAZY_BITS)),
            "outcome",
            "shared",
            NP_FROM_DLPACK,
            "Generally, the returned NumPy array is a view of the input object.",
        ),
    ),
    "Tensor.clone": (Rule(_tensor, "outcome", "copied", CLONE, "Returns a copy of input."),),
    "Tensor.detach": (
        Rule(
            _tensor,
            "outcome",
            "shared",
            DETACH,
            "Returned Tensor shares the same storage with the original one.",
        ),
    ),
}


def expectation(conversion: str, subject: Subject, to_dtype: str | None) -> Expectation:
    """Return what the documentation promises for this conversion of this subject.

    The first rule about a thing that speaks for the subject is the one that holds.
    """
    promises: dict[str, Promise] = {}
    for rule in CONTRACTS.get(conversion, ()):
        if rule.about not in promises and rule.when(subject, to_dtype):
            expected = {"the one asked for": to_dtype or "", "the source's": subject.dtype}.get(
                rule.expected, rule.expected
            )
            promises[rule.about] = Promise(
                about=rule.about, expected=expected, citation=rule.page, sentence=rule.sentence
            )
    return Expectation(promises=tuple(promises.values()))
