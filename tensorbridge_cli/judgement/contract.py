"""What the documentation promises, as data: for each conversion its rules, each with its page and its sentence.

Derived from the description of the subject alone, without running anything; nothing here reaches the lab. Where a page
is silent, hedges ("generally", "if possible") or can be read in two ways there is no rule, and the verdict is
``undocumented``: an empty tuple says that the page was read and promises nothing.

The sentences are those of the pages for torch 2.13 and NumPy 2.4; ``[…]`` stands for words left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from tensorbridge_cli.catalog.conditions import (
    A_TENSOR,
    AN_ARRAY,
    ANOTHER_DTYPE,
    ANY_NDARRAY,
    ARRAYS_AND_BARE_TENSORS,
    ASKED_DTYPE,
    BARE_TENSOR,
    COMPLEX,
    ELSEWHERE,
    GRAD,
    HAS_ELEMENTS,
    HAS_ROWS,
    LAZY_BITS,
    NUMBERS_IN_A_LIST,
    NUMPY_LACKS_IT,
    OF_LISTED_DTYPE,
    ONE_DIMENSION,
    ORDINARY_CAST,
    ROW_MAJOR,
    SAME_DTYPE,
    SCALAR,
    SPARSE,
    SUBCLASS,
    WITH_DATA,
    When,
    all_of,
    any_of,
    dtype,
    dtype_like,
    layout,
    not_,
    state,
)
from tensorbridge_cli.catalog.states import words
from tensorbridge_cli.records.report import Expectation, Promise, Subject

_TORCH = "https://docs.pytorch.org/docs/stable/generated/"
_NUMPY = "https://numpy.org/doc/stable/reference/generated/"
FROM_NUMPY = _TORCH + "torch.from_numpy.html"
AS_TENSOR = _TORCH + "torch.as_tensor.html"
TENSOR = _TORCH + "torch.tensor.html"
ASARRAY = _TORCH + "torch.asarray.html"
FROMBUFFER = _TORCH + "torch.frombuffer.html"
NEW_TENSOR = _TORCH + "torch.Tensor.new_tensor.html"
COPY_ = _TORCH + "torch.Tensor.copy_.html"
NUMPY = _TORCH + "torch.Tensor.numpy.html"
TOLIST = _TORCH + "torch.Tensor.tolist.html"
CLONE = _TORCH + "torch.clone.html"
DETACH = _TORCH + "torch.Tensor.detach.html"
TO = _TORCH + "torch.Tensor.to.html"
CONTIGUOUS = _TORCH + "torch.Tensor.contiguous.html"
VIEW = _TORCH + "torch.Tensor.view.html"
VIEW_AS_REAL = _TORCH + "torch.view_as_real.html"
RESHAPE = _TORCH + "torch.reshape.html"
FLATTEN = _TORCH + "torch.flatten.html"
EXPAND = _TORCH + "torch.Tensor.expand.html"
PERMUTE = _TORCH + "torch.permute.html"
PARAMETER = _TORCH + "torch.nn.parameter.Parameter.html"
FROM_DLPACK = "https://docs.pytorch.org/docs/stable/dlpack.html"
TENSOR_VIEWS = "https://docs.pytorch.org/docs/stable/tensor_view.html"
ARRAY_API_DLPACK = "https://data-apis.org/array-api/latest/API_specification/generated/array_api.array.__dlpack__.html"
ARRAY_API = "https://data-apis.org/array-api/latest/API_specification/generated/array_api.from_dlpack.html"
NP_ASARRAY = _NUMPY + "numpy.asarray.html"
NP_ASANYARRAY = _NUMPY + "numpy.asanyarray.html"
NP_ARRAY = _NUMPY + "numpy.array.html"
NP_ASCONTIGUOUSARRAY = _NUMPY + "numpy.ascontiguousarray.html"
NP_FROM_DLPACK = _NUMPY + "numpy.from_dlpack.html"
NP_FROMBUFFER = _NUMPY + "numpy.frombuffer.html"
NP_COPY = _NUMPY + "numpy.copy.html"
NP_RESHAPE = _NUMPY + "numpy.reshape.html"
NP_RAVEL = _NUMPY + "numpy.ravel.html"
NP_SIN = _NUMPY + "numpy.sin.html"
ND_COPY = _NUMPY + "numpy.ndarray.copy.html"
ND_VIEW = _NUMPY + "numpy.ndarray.view.html"
ND_FLATTEN = _NUMPY + "numpy.ndarray.flatten.html"
ND_ASTYPE = _NUMPY + "numpy.ndarray.astype.html"
NP_INDEXING = "https://numpy.org/doc/stable/user/basics.indexing.html"
NP_INTEROPERABILITY = "https://numpy.org/doc/stable/user/basics.interoperability.html"
NP_MIGRATION = "https://numpy.org/doc/stable/numpy_2_0_migration_guide.html"
DEEPCOPY = "https://docs.python.org/3/library/copy.html"

_TYPES = {"masked": "numpy.ma.MaskedArray", "matrix": "numpy.matrix", "memory-mapped": "numpy.memmap"}


@dataclass(frozen=True)
class Rule:
    """One sentence: for which subjects it speaks, about what, and what it promises.

    ``about`` is a key of ``judge._OBSERVED``. Of ``expected``, ``the source's`` and ``the one asked for`` are filled in
    from the request.
    """

    when: When
    about: str
    expected: str
    page: str
    sentence: str


# What the pages say ---------------------------------------------------------------------------

_ONLY_IF = (
    "If force is False (the default), the conversion is performed only if the tensor is on the CPU, does not require "
    "grad, does not have its conjugate bit set, and is a dtype and layout that NumPy supports."
)
_SHARE_STORAGE = (
    "The returned ndarray and the tensor will share their storage, so changes to the tensor will be reflected in the "
    "ndarray and vice versa."
)
_DESIRED = "dtype (torch.dtype, optional): the desired data type of returned tensor."
_BY_COPYING = 'Constructs a tensor with no autograd history (also known as a "leaf tensor"[…]) by copying data.'
_BY_DEFAULT = (
    "When obj is a tensor, NumPy array, or DLPack capsule the returned tensor will, by default, have the same "
    "requires_grad as obj (defaulting to False), have the same datatype, be on the same device, and share memory with "
    "it."
)
_NUMPY_SCALAR = (
    "When obj is a NumPy scalar, the returned tensor will be a 0-dimensional tensor on the CPU and that doesn't share "
    "its memory (i.e. copy=True)."
)
_ASARRAY_TRUE = "If True then the returned tensor does not share its memory."
_ASARRAY_FALSE = "If False then the returned tensor shares its memory with obj and an error is thrown if it cannot."
_DLPACK_SHARES = (
    "The returned PyTorch tensor will share the memory with the input tensor (which may have come from another "
    "library)."
)
_CANNOT_EXPORT = (
    "Implementations should raise BufferError when the data cannot be exported as DLPack (e.g., incompatible dtype, "
    "strides, or device)."
)
_CONTAINING = "an array containing the data in x."
_NP_NONE = (
    "If None then the object is copied only if needed, i.e. if __array__ returns a copy, if obj is a nested sequence, "
    "or if a copy is needed to satisfy any of the other requirements (dtype, order, etc.)."
)
_NP_TRUE = "If True, then the object is copied."
_NP_FALSE = "For False it raises a ValueError if a copy cannot be avoided."
_NP_ARRAY_NONE = (
    "If None, a copy will only be made if __array__ returns a copy, if obj is a nested sequence, or if a copy is "
    "needed to satisfy any of the other requirements (dtype, order, etc.)."
)
_ADVANCED = "Advanced indexing always returns a copy of the data (contrast with basic slicing that returns a view)."
_INDEXING = "basic indexing returns views, while advanced indexing returns a copy."
_SELF_RETURNED = (
    "If the self Tensor already has the correct torch.dtype and torch.device, then self is returned. Otherwise, the "
    "returned tensor is a copy of self with the desired torch.dtype and torch.device."
)
_ASTYPE_FALSE = (
    "If this is set to false, and the dtype, order, and subok requirements are satisfied, the input array is returned "
    "instead of a copy."
)
_VIEW_SHARES = "The returned tensor shares the same data"


def _copy_if_needed(page: str, sentence: str) -> tuple[Rule, ...]:
    """What ``copy=None`` of NumPy's constructors means."""
    return (
        Rule(all_of(ARRAYS_AND_BARE_TENSORS, SAME_DTYPE), "outcome", "shared", page, sentence),
        Rule(all_of(ARRAYS_AND_BARE_TENSORS, ANOTHER_DTYPE), "outcome", "copied", page, sentence),
    )


def _never_copy(page: str) -> tuple[Rule, ...]:
    """What ``copy=False`` of NumPy's constructors means for an array; for a tensor the pages leave it open."""
    return (
        Rule(all_of(ANY_NDARRAY, SAME_DTYPE), "outcome", "shared", page, _NP_FALSE),
        Rule(all_of(ANY_NDARRAY, ANOTHER_DTYPE), "outcome", "refused", page, _NP_FALSE),
        Rule(ANY_NDARRAY, "exception", "ValueError", page, _NP_FALSE),
    )


_DLPACK = (
    Rule(
        any_of(all_of(AN_ARRAY, not_(state("masked"))), all_of(A_TENSOR, not_(GRAD), not_(state("conj")))),
        "values",
        "equal",
        ARRAY_API,
        _CONTAINING,
    ),
    # dtypes that DLPack has no code for
    Rule(
        any_of(
            all_of(ANY_NDARRAY, dtype_like("str", "bytes", "datetime64", "timedelta64", "object", *"USV")),
            all_of(WITH_DATA, dtype_like("bits"), not_(LAZY_BITS)),
        ),
        "exception",
        "BufferError",
        ARRAY_API_DLPACK,
        _CANNOT_EXPORT,
    ),
)
"""What every way through DLPack keeps."""


def _dlpack_to_torch(but: When = SCALAR) -> tuple[Rule, ...]:
    """What ``torch.from_dlpack`` says of every object with ``__dlpack__``: strides of any sign are among them."""
    exported = any_of(all_of(ANY_NDARRAY, OF_LISTED_DTYPE, not_(layout("byte-swapped", "unaligned"))), BARE_TENSOR)
    return (
        Rule(all_of(exported, not_(but)), "outcome", "shared", FROM_DLPACK, _DLPACK_SHARES),
        *_DLPACK,
    )


CONTRACTS: dict[str, tuple[Rule, ...]] = {
    # from PyTorch to NumPy
    "Tensor.numpy": (
        Rule(BARE_TENSOR, "outcome", "shared", NUMPY, _SHARE_STORAGE),
        Rule(ELSEWHERE, "outcome", "refused", NUMPY, _ONLY_IF),
        Rule(all_of(A_TENSOR, GRAD), "outcome", "refused", NUMPY, _ONLY_IF),
        Rule(all_of(A_TENSOR, state("conj")), "outcome", "refused", NUMPY, _ONLY_IF),
        Rule(SPARSE, "outcome", "refused", NUMPY, _ONLY_IF),
        Rule(NUMPY_LACKS_IT, "outcome", "refused", NUMPY, _ONLY_IF),
    ),
    "Tensor.numpy(force=True)": (
        Rule(
            all_of(A_TENSOR, LAZY_BITS),
            "outcome",
            "copied",
            NUMPY,
            "If the tensor isn't on the CPU or the conjugate or negative bit is set, the tensor won't share its "
            "storage with the returned ndarray.",
        ),
        Rule(
            all_of(A_TENSOR, not_(LAZY_BITS)),
            "outcome",
            "shared",
            NUMPY,
            "If force is True this is equivalent to calling t.detach().cpu().resolve_conj().resolve_neg().numpy().",
        ),
    ),
    "Tensor.detach().numpy()": (Rule(all_of(A_TENSOR, not_(LAZY_BITS)), "outcome", "shared", NUMPY, _SHARE_STORAGE),),
    "Tensor.detach().cpu().numpy()": (
        Rule(all_of(A_TENSOR, not_(LAZY_BITS)), "outcome", "shared", NUMPY, _SHARE_STORAGE),
    ),
    "Tensor.__array__": (
        Rule(
            all_of(BARE_TENSOR, SAME_DTYPE),
            "outcome",
            "shared",
            NP_INTEROPERABILITY,
            "Under the hood, the Tensor.__array__() method returns a NumPy ndarray as a view of the tensor data "
            "buffer.",
        ),
    ),
    "Tensor.__array__(copy=False)": (
        Rule(
            all_of(BARE_TENSOR, SAME_DTYPE),
            "outcome",
            "shared",
            NP_MIGRATION,
            "For any __array__ method on a non-NumPy array-like object, dtype=None and copy=None keywords must be "
            "added to the signature […] copy=False a copy must never be made.",
        ),
    ),
    "Tensor.tolist": (
        Rule(all_of(A_TENSOR, HAS_ROWS), "type", "list", TOLIST, "Returns the tensor as a (nested) list."),
    ),
    "np.sin": (
        Rule(
            BARE_TENSOR,
            "outcome",
            "copied",
            NP_SIN,
            "If not provided or None, a freshly-allocated array is returned.",
        ),
    ),
    # any byte but 0 is True, so a write of one need not show in a bool
    "Tensor.untyped_storage().numpy()": (
        Rule(all_of(BARE_TENSOR, not_(dtype("bool"))), "outcome", "shared", NUMPY, _SHARE_STORAGE),
    ),
    "Tensor.view(torch.uint8).numpy()": (
        Rule(all_of(BARE_TENSOR, dtype("int8", "uint8")), "outcome", "shared", VIEW, _VIEW_SHARES),
    ),
    "Tensor.view(torch.uint16).numpy()": (
        Rule(
            all_of(WITH_DATA, dtype("bfloat16", "float16", "int16"), not_(GRAD), not_(LAZY_BITS)),
            "outcome",
            "shared",
            VIEW,
            _VIEW_SHARES,
        ),
    ),
    "torch.view_as_real().numpy()": (
        Rule(
            all_of(BARE_TENSOR, COMPLEX),
            "outcome",
            "shared",
            VIEW_AS_REAL,
            "Returns a view of input as a real tensor.",
        ),
    ),
    # to NumPy, from either
    "np.asarray": (
        *_copy_if_needed(NP_ASARRAY, _NP_NONE),
        Rule(
            SUBCLASS,
            "type",
            "numpy.ndarray",
            NP_ASARRAY,
            "If a is a subclass of ndarray, a base class ndarray is returned.",
        ),
        Rule(
            all_of(ARRAYS_AND_BARE_TENSORS, not_(layout("byte-swapped")), not_(ASKED_DTYPE)),
            "dtype",
            "the source's",
            NP_ASARRAY,
            "By default, the data-type is inferred from the input data.",
        ),
    ),
    "np.asarray(copy=True)": (Rule(ARRAYS_AND_BARE_TENSORS, "outcome", "copied", NP_ASARRAY, _NP_TRUE),),
    "np.asarray(copy=False)": _never_copy(NP_ASARRAY),
    "np.asanyarray": (
        *_copy_if_needed(NP_ASANYARRAY, _NP_NONE),
        Rule(
            all_of(ANY_NDARRAY, not_(ASKED_DTYPE)),
            "object",
            "the same",
            NP_ASANYARRAY,
            "If a is an ndarray or a subclass of ndarray, it is returned as-is and no copy is performed.",
        ),
    ),
    "np.asanyarray(copy=True)": (Rule(ARRAYS_AND_BARE_TENSORS, "outcome", "copied", NP_ASANYARRAY, _NP_TRUE),),
    "np.asanyarray(copy=False)": _never_copy(NP_ASANYARRAY),
    "np.array": (
        Rule(
            ARRAYS_AND_BARE_TENSORS,
            "outcome",
            "copied",
            NP_ARRAY,
            "If True (default), then the array data is copied.",
        ),
        Rule(
            SUBCLASS,
            "type",
            "numpy.ndarray",
            NP_ARRAY,
            "If True, then sub-classes will be passed-through, otherwise the returned array will be forced to be a "
            "base-class array (default).",
        ),
    ),
    "np.array(copy=None)": _copy_if_needed(NP_ARRAY, _NP_ARRAY_NONE),
    "np.array(copy=False)": _never_copy(NP_ARRAY),
    "np.ascontiguousarray": (
        Rule(
            all_of(ARRAYS_AND_BARE_TENSORS, not_(state("masked")), not_(ASKED_DTYPE), HAS_ROWS),
            "values",
            "equal",
            NP_ASCONTIGUOUSARRAY,
            "Contiguous array of same shape and content as a, with type dtype if specified.",
        ),
    ),
    "np.from_dlpack": (
        Rule(
            any_of(AN_ARRAY, BARE_TENSOR),
            "outcome",
            "shared-or-copied",
            NP_FROM_DLPACK,
            "If None, the function will reuse the existing memory buffer if possible and copy otherwise.",
        ),
        *_DLPACK,
    ),
    "np.from_dlpack(copy=True)": (
        Rule(any_of(AN_ARRAY, BARE_TENSOR), "copy", "copy", NP_FROM_DLPACK, "If True, the copy will be made."),
        *_DLPACK,
    ),
    "np.from_dlpack(copy=False)": (
        Rule(
            any_of(AN_ARRAY, BARE_TENSOR),
            "copy",
            "no copy",
            NP_FROM_DLPACK,
            "If False, the function will never copy, and will raise BufferError in case a copy is deemed necessary.",
        ),
        *_DLPACK,
    ),
    # from NumPy to PyTorch
    "torch.from_numpy": (
        Rule(AN_ARRAY, "outcome", "shared", FROM_NUMPY, "The returned tensor and ndarray share the same memory."),
    ),
    "torch.frombuffer": (
        Rule(
            all_of(AN_ARRAY, ROW_MAJOR, HAS_ELEMENTS, SAME_DTYPE),
            "outcome",
            "shared",
            FROMBUFFER,
            "The returned tensor and buffer share the same memory.",
        ),
        Rule(
            all_of(AN_ARRAY, ROW_MAJOR, SAME_DTYPE),
            "owner",
            "kept",
            FROMBUFFER,
            "This function increments the reference count for the object that owns the shared memory. Therefore, such "
            "memory will not be deallocated before the returned tensor goes out of scope.",
        ),
        Rule(ASKED_DTYPE, "dtype", "the one asked for", FROMBUFFER, "the desired data type of returned tensor."),
    ),
    "Tensor.copy_": (
        Rule(
            AN_ARRAY,
            "outcome",
            "copied",
            COPY_,
            "Copies the elements from src into self tensor and returns self.",
        ),
        Rule(
            all_of(AN_ARRAY, not_(state("masked")), SAME_DTYPE),
            "values",
            "equal",
            COPY_,
            "Copies the elements from src into self tensor and returns self.",
        ),
    ),
    "torch.tensor(list)": (
        Rule(
            all_of(AN_ARRAY, HAS_ROWS, not_(state("masked", "matrix")), SAME_DTYPE),
            "outcome",
            "copied",
            TENSOR,
            _BY_COPYING,
        ),
        Rule(ASKED_DTYPE, "dtype", "the one asked for", TENSOR, _DESIRED),
    ),
    "torch.stack": (),
    "torch.utils.data.default_collate": (),
    "torch.from_file": (),
    "torch.UntypedStorage.from_buffer": (),
    # to PyTorch, from either and from Python's lists
    "torch.as_tensor": (
        Rule(
            all_of(A_TENSOR, SAME_DTYPE),
            "outcome",
            "shared",
            AS_TENSOR,
            "If data is already a tensor with the requested dtype and device then data itself is returned",
        ),
        Rule(
            all_of(A_TENSOR, SAME_DTYPE),
            "object",
            "the same",
            AS_TENSOR,
            "If data is already a tensor with the requested dtype and device then data itself is returned",
        ),
        Rule(
            all_of(A_TENSOR, ANOTHER_DTYPE),
            "outcome",
            "copied",
            AS_TENSOR,
            "if data is a tensor with a different dtype or device then it's copied as if using "
            "data.to(dtype=dtype, device=device).",
        ),
        Rule(
            all_of(AN_ARRAY, SAME_DTYPE),
            "outcome",
            "shared",
            AS_TENSOR,
            "If data is a NumPy array (an ndarray) with the same dtype and device then a tensor is constructed using "
            "torch.from_numpy.",
        ),
        Rule(ASKED_DTYPE, "dtype", "the one asked for", AS_TENSOR, _DESIRED),
    ),
    "torch.tensor": (
        Rule(any_of(AN_ARRAY, A_TENSOR, NUMBERS_IN_A_LIST), "outcome", "copied", TENSOR, _BY_COPYING),
        Rule(A_TENSOR, "requires-grad", "false", TENSOR, _BY_COPYING),
        Rule(ASKED_DTYPE, "dtype", "the one asked for", TENSOR, _DESIRED),
    ),
    "torch.asarray": (
        Rule(all_of(any_of(AN_ARRAY, A_TENSOR), SAME_DTYPE), "outcome", "shared", ASARRAY, _BY_DEFAULT),
        Rule(
            all_of(any_of(AN_ARRAY, all_of(A_TENSOR, not_(GRAD))), ANOTHER_DTYPE),
            "outcome",
            "copied",
            ASARRAY,
            "If the returned tensor is of a different datatype, on a different device, or a copy is requested then it "
            "will not share its memory with obj.",
        ),
        Rule(all_of(SCALAR, OF_LISTED_DTYPE), "outcome", "copied", ASARRAY, _NUMPY_SCALAR),
        Rule(all_of(any_of(AN_ARRAY, A_TENSOR), not_(ASKED_DTYPE)), "dtype", "the source's", ASARRAY, _BY_DEFAULT),
        Rule(ASKED_DTYPE, "dtype", "the one asked for", ASARRAY, "the datatype of the returned tensor."),
        Rule(all_of(A_TENSOR, GRAD, SAME_DTYPE), "requires-grad", "true", ASARRAY, _BY_DEFAULT),
        Rule(
            all_of(any_of(AN_ARRAY, all_of(A_TENSOR, not_(GRAD))), SAME_DTYPE),
            "requires-grad",
            "false",
            ASARRAY,
            _BY_DEFAULT,
        ),
    ),
    "torch.asarray(copy=True)": (
        Rule(
            any_of(
                AN_ARRAY,
                # gradients and an integer dtype exclude each other
                all_of(A_TENSOR, any_of(SAME_DTYPE, not_(GRAD))),
                NUMBERS_IN_A_LIST,
                # of a scalar with another dtype no sentence says that it is no error
                all_of(SCALAR, OF_LISTED_DTYPE, SAME_DTYPE),
            ),
            "outcome",
            "copied",
            ASARRAY,
            _ASARRAY_TRUE,
        ),
        Rule(ASKED_DTYPE, "dtype", "the one asked for", ASARRAY, "the datatype of the returned tensor."),
    ),
    "torch.asarray(copy=False)": (
        Rule(all_of(any_of(AN_ARRAY, A_TENSOR), SAME_DTYPE), "outcome", "shared", ASARRAY, _ASARRAY_FALSE),
        Rule(
            all_of(any_of(AN_ARRAY, all_of(A_TENSOR, not_(GRAD))), ANOTHER_DTYPE),
            "outcome",
            "refused",
            ASARRAY,
            _ASARRAY_FALSE,
        ),
        Rule(any_of(NUMBERS_IN_A_LIST, all_of(SCALAR, OF_LISTED_DTYPE)), "outcome", "refused", ASARRAY, _ASARRAY_FALSE),
    ),
    "torch.from_dlpack": _dlpack_to_torch(),
    "torch.from_dlpack(copy=True)": (
        Rule(
            any_of(AN_ARRAY, BARE_TENSOR),
            "copy",
            "copy",
            FROM_DLPACK,
            "copy (bool or None): An optional boolean indicating whether or not to copy self.",
        ),
        *_DLPACK,
    ),
    "torch.from_dlpack(copy=False)": _dlpack_to_torch(),
    # an unversioned capsule cannot say that an array is read-only, so NumPy makes none
    "torch.from_dlpack(capsule)": _dlpack_to_torch(but=state("read-only")),
    "torch.from_dlpack(versioned capsule)": _dlpack_to_torch(),
    "torch.Tensor": (),
    "torch.FloatTensor": (),
    "Tensor.new_tensor": (
        Rule(
            any_of(AN_ARRAY, A_TENSOR, all_of(NUMBERS_IN_A_LIST, not_(COMPLEX))),
            "outcome",
            "copied",
            NEW_TENSOR,
            "new_tensor always copies data.",
        ),
        Rule(
            all_of(any_of(AN_ARRAY, A_TENSOR), not_(COMPLEX), not_(ASKED_DTYPE)),
            "dtype",
            "float32",
            NEW_TENSOR,
            "By default, the returned Tensor has the same torch.dtype and torch.device as this tensor.",
        ),
        Rule(ASKED_DTYPE, "dtype", "the one asked for", NEW_TENSOR, "the desired type of returned tensor."),
    ),
    # from PyTorch to PyTorch
    "Tensor.clone": (
        Rule(A_TENSOR, "outcome", "copied", CLONE, "Returns a copy of input."),
        Rule(A_TENSOR, "values", "equal", CLONE, "Returns a copy of input."),
    ),
    "Tensor.detach": (
        Rule(A_TENSOR, "outcome", "shared", DETACH, "Returned Tensor shares the same storage with the original one."),
        Rule(A_TENSOR, "requires-grad", "false", DETACH, "The result will never require gradient."),
    ),
    "Tensor.data": (),
    "Tensor.to": (
        Rule(all_of(A_TENSOR, SAME_DTYPE), "outcome", "shared", TO, _SELF_RETURNED),
        Rule(all_of(A_TENSOR, ANOTHER_DTYPE), "outcome", "copied", TO, _SELF_RETURNED),
        Rule(all_of(A_TENSOR, SAME_DTYPE), "object", "the same", TO, _SELF_RETURNED),
        Rule(all_of(A_TENSOR, ASKED_DTYPE), "dtype", "the one asked for", TO, _SELF_RETURNED),
    ),
    "Tensor.to(copy=True)": (
        Rule(
            A_TENSOR,
            "outcome",
            "copied",
            TO,
            "When copy is set, a new Tensor is created even when the Tensor already matches the desired conversion.",
        ),
        Rule(all_of(A_TENSOR, ASKED_DTYPE), "dtype", "the one asked for", TO, _SELF_RETURNED),
    ),
    "Tensor.to(torch.float64)": (
        Rule(all_of(A_TENSOR, dtype("float64")), "outcome", "shared", TO, _SELF_RETURNED),
        Rule(all_of(A_TENSOR, not_(dtype("float64"))), "outcome", "copied", TO, _SELF_RETURNED),
        Rule(A_TENSOR, "dtype", "float64", TO, _SELF_RETURNED),
    ),
    "Tensor.contiguous": (
        Rule(
            all_of(A_TENSOR, ROW_MAJOR),
            "object",
            "the same",
            CONTIGUOUS,
            "If self tensor is already in the specified memory format, this function returns the self tensor.",
        ),
        Rule(
            A_TENSOR,
            "values",
            "equal",
            CONTIGUOUS,
            "Returns a contiguous in memory tensor containing the same data as self tensor.",
        ),
    ),
    "Tensor.view": (
        Rule(all_of(A_TENSOR, ROW_MAJOR, not_(ASKED_DTYPE)), "outcome", "shared", VIEW, _VIEW_SHARES),
        Rule(A_TENSOR, "copy", "no copy", VIEW, _VIEW_SHARES),
    ),
    "Tensor.reshape": (
        Rule(
            A_TENSOR,
            "outcome",
            "shared-or-copied",
            RESHAPE,
            "When possible, the returned tensor will be a view of input. Otherwise, it will be a copy.",
        ),
    ),
    "Tensor.flatten": (
        Rule(
            all_of(A_TENSOR, ROW_MAJOR),
            "outcome",
            "shared",
            FLATTEN,
            "Otherwise, if input can be viewed as the flattened shape, then that view is returned.",
        ),
        Rule(
            all_of(A_TENSOR, ONE_DIMENSION),
            "object",
            "the same",
            FLATTEN,
            "If no dimensions are flattened, then the original object input is returned.",
        ),
    ),
    "Tensor.expand": (
        Rule(
            A_TENSOR,
            "outcome",
            "shared",
            EXPAND,
            "Expanding a tensor does not allocate new memory, but only creates a new view on the existing tensor",
        ),
    ),
    "Tensor.permute": (
        Rule(
            A_TENSOR,
            "outcome",
            "shared",
            PERMUTE,
            "Returns a view of the original tensor input with its dimensions permuted.",
        ),
    ),
    "Tensor[::2]": (Rule(all_of(A_TENSOR, HAS_ROWS), "outcome", "shared", TENSOR_VIEWS, _INDEXING),),
    "Tensor[mask]": (Rule(A_TENSOR, "outcome", "copied", TENSOR_VIEWS, _INDEXING),),
    "Tensor.share_memory_": (),
    "copy.deepcopy": (
        Rule(
            all_of(A_TENSOR, not_(state("non-leaf"))),
            "outcome",
            "copied",
            DEEPCOPY,
            "A deep copy constructs a new compound object and then, recursively, inserts copies into it of the objects "
            "found in the original.",
        ),
    ),
    "ForkingPickler": (),
    "torch.nn.Parameter": (
        Rule(
            all_of(A_TENSOR, dtype("float16", "float32", "float64", "complex64", "complex128")),
            "requires-grad",
            "true",
            PARAMETER,
            "requires_grad (bool, optional): if the parameter requires gradient. […] Default: True",
        ),
    ),
    # from NumPy to NumPy
    "np.copy": (
        Rule(ANY_NDARRAY, "outcome", "copied", NP_COPY, "Return an array copy of the given object."),
        Rule(
            SUBCLASS,
            "type",
            "numpy.ndarray",
            NP_COPY,
            "If True, then sub-classes will be passed-through, otherwise the returned array will be forced to be a "
            "base-class array (defaults to False).",
        ),
    ),
    "np.frombuffer": (
        Rule(
            all_of(AN_ARRAY, ROW_MAJOR, SAME_DTYPE),
            "outcome",
            "shared",
            NP_FROMBUFFER,
            "This function creates a view into the original object.",
        ),
    ),
    "ndarray.copy": (
        Rule(ANY_NDARRAY, "outcome", "copied", ND_COPY, "Return a copy of the array."),
        Rule(SUBCLASS, "type", "the source's", ND_COPY, "this function always passes sub-classes through"),
    ),
    "ndarray.view": (
        Rule(
            all_of(ANY_NDARRAY, not_(ASKED_DTYPE)),
            "outcome",
            "shared",
            ND_VIEW,
            "New view of array with the same data.",
        ),
        Rule(ANY_NDARRAY, "copy", "no copy", ND_VIEW, "New view of array with the same data."),
    ),
    "ndarray.reshape": (
        Rule(
            ANY_NDARRAY,
            "outcome",
            "shared-or-copied",
            NP_RESHAPE,
            "This will be a new view object if possible; otherwise, it will be a copy.",
        ),
    ),
    "ndarray.ravel": (
        Rule(all_of(ANY_NDARRAY, ROW_MAJOR), "outcome", "shared", NP_RAVEL, "A copy is made only if needed."),
    ),
    "ndarray.flatten": (
        Rule(ANY_NDARRAY, "outcome", "copied", ND_FLATTEN, "Return a copy of the array collapsed into one dimension."),
    ),
    "ndarray.astype": (
        Rule(
            all_of(ANY_NDARRAY, ORDINARY_CAST),
            "outcome",
            "copied",
            ND_ASTYPE,
            "By default, astype always returns a newly allocated array.",
        ),
        Rule(ASKED_DTYPE, "dtype", "the one asked for", ND_ASTYPE, "Copy of the array, cast to a specified type."),
    ),
    "ndarray.astype(copy=False)": (
        Rule(all_of(ANY_NDARRAY, SAME_DTYPE), "outcome", "shared", ND_ASTYPE, _ASTYPE_FALSE),
        Rule(all_of(ANY_NDARRAY, SAME_DTYPE), "object", "the same", ND_ASTYPE, _ASTYPE_FALSE),
        Rule(ASKED_DTYPE, "dtype", "the one asked for", ND_ASTYPE, "Copy of the array, cast to a specified type."),
    ),
    "ndarray[::2]": (
        Rule(
            all_of(ANY_NDARRAY, HAS_ROWS),
            "outcome",
            "shared",
            NP_INDEXING,
            "All arrays generated by basic slicing are always views of the original array.",
        ),
    ),
    "ndarray[indices]": (Rule(all_of(ANY_NDARRAY, HAS_ROWS), "outcome", "copied", NP_INDEXING, _ADVANCED),),
    "ndarray[mask]": (Rule(ANY_NDARRAY, "outcome", "copied", NP_INDEXING, _ADVANCED),),
}


def expectation(conversion: str, subject: Subject, to_dtype: str | None) -> Expectation:
    """Return what the documentation promises for this conversion of this subject.

    No two rules promise one subject different things; of two with the same promise, the first is cited.
    """
    promises: dict[str, Promise] = {}
    for rule in CONTRACTS.get(conversion, ()):
        if rule.about not in promises and rule.when(subject, to_dtype):
            promises[rule.about] = Promise(
                about=rule.about,
                expected=_filled_in(rule, subject, to_dtype),
                citation=rule.page,
                sentence=rule.sentence,
            )
    return Expectation(promises=tuple(promises.values()))


def _filled_in(rule: Rule, subject: Subject, to_dtype: str | None) -> str:
    if rule.expected == "the one asked for":
        return to_dtype or ""
    if rule.expected == "the source's":
        return _type_of(subject) if rule.about == "type" else subject.dtype
    return rule.expected


def _type_of(subject: Subject) -> str:
    """Return the type of a NumPy subject; the state that is applied last decides."""
    return next((name for word, name in _TYPES.items() if word in words(subject.state)), "numpy.ndarray")
