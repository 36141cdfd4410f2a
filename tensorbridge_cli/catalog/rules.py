"""What the documentation promises, as data: for each conversion its rules, each with its page and its sentence.

A rule is a sentence, the condition under which it speaks, and what it promises. Where a page is silent, hedges
("generally", "if possible") or can be read in two ways there is no rule: ``documentation.PAGES`` has the sentences that
were read and left out. An empty tuple says that the page was read and promises nothing that could be tested.

The sentences are those of the pages for torch 2.13 and NumPy 2.4, whole, without markup; ``[…]`` stands for words left
out. Pure data: neither NumPy nor PyTorch is imported here, and nothing is run.
"""

from __future__ import annotations

from dataclasses import dataclass

from tensorbridge_cli.catalog import documentation as pages
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
    INTEGERS_ASKED,
    LAZY_BITS,
    MULTIDIMENSIONAL,
    NUMBERS_IN_A_LIST,
    NUMPY_LACKS_IT,
    OF_LISTED_DTYPE,
    ONE_DIMENSION,
    ORDINARY_CAST,
    REALS_ASKED,
    ROW_MAJOR,
    SAME_DTYPE,
    SCALAR,
    SPARSE,
    SUBCLASS,
    TOO_LARGE_FOR_THE_INTEGERS_ASKED,
    TWO_DIMENSIONS,
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

THE_SOURCES = "the source's"
THE_ONE_ASKED_FOR = "the one asked for"
A_PYTHON_NUMBER = "a Python number"
"""Values of ``Rule.expected`` that are filled in from the request."""

UNDEFINED = "undefined"
"""The value of ``Rule.expected`` for behaviour that a page calls undefined: whatever happens agrees with it."""


@dataclass(frozen=True)
class Rule:
    """One sentence: for which subjects it speaks, about what, and what it promises.

    Attributes:
        when: for which subjects it speaks.
        about: what it is about, a key of ``judge._OBSERVED``.
        expected: what it promises of that.
        page: where it stands, a key of ``documentation.PAGES``.
        sentence: what the page says.
        earlier: what pages of other versions say instead, in other words.
        until: the last version whose page says it, if the page that was read for this catalogue does not.
    """

    when: When
    about: str
    expected: str
    page: str
    sentence: str
    earlier: tuple[str, ...] = ()
    until: str = ""

    @property
    def wordings(self) -> tuple[str, ...]:
        """The sentence in all the words in which pages of some version have it."""
        return (self.sentence, *self.earlier)


# What the pages say ---------------------------------------------------------------------------

_ONLY_IF = (
    "If force is False (the default), the conversion is performed only if the tensor is on the CPU, does not require "
    "grad, does not have its conjugate bit set, and is a dtype and layout that NumPy supports."
)
_SHARE_STORAGE = (
    "The returned ndarray and the tensor will share their storage, so changes to the tensor will be reflected in the "
    "ndarray and vice versa."
)
_AS_AN_NDARRAY = "Returns the tensor as a NumPy ndarray."
_DESIRED = "dtype (torch.dtype, optional): the desired data type of returned tensor."
_CAN_BE = "Can be a list, tuple, NumPy ndarray, scalar, and other types."
_DEVICE_OF_DATA = "If None and data is a tensor then the device of data is used."
_BY_COPYING = (
    'Constructs a tensor with no autograd history (also known as a "leaf tensor", see /notes/autograd) by copying data.'
)
_READ_ONLY = (
    "Writing to a tensor created from a read-only NumPy array is not supported and will result in undefined behavior."
)
_DATA_ITSELF = (
    "If data is already a tensor with the requested dtype and device then data itself is returned, but if data is a "
    "tensor with a different dtype or device then it's copied as if using data.to(dtype=dtype, device=device)."
)
_BY_DEFAULT = (
    "When obj is a tensor, NumPy array, or DLPack capsule the returned tensor will, by default, have the same "
    "requires_grad as obj (defaulting to False), have the same datatype, be on the same device, and share memory with "
    "it."
)
_NUMPY_SCALAR = (
    "When obj is a NumPy scalar, the returned tensor will be a 0-dimensional tensor on the CPU and that doesn't share "
    "its memory (i.e. copy=True)."
)
_NONE_OF_THE_ABOVE = (
    "When obj is none of the above but a scalar, or a sequence of scalars then the returned tensor will, by default, "
    "infer its datatype from the scalar values, be on the current default device, and not share its memory."
)
_ASARRAY_DTYPE = "dtype (torch.dtype, optional): the datatype of the returned tensor."
_ASARRAY_TRUE = "If True then the returned tensor does not share its memory."
_ASARRAY_FALSE = "If False then the returned tensor shares its memory with obj and an error is thrown if it cannot."
_DLPACK_SHARES = (
    "The returned PyTorch tensor will share the memory with the input tensor (which may have come from another "
    "library)."
)
_DLPACK_WRITES = "Note that in-place operations will therefore also affect the data of the input tensor."
_CANNOT_EXPORT = (
    "Implementations should raise BufferError when the data cannot be exported as DLPack (e.g., incompatible dtype, "
    "strides, or device)."
)
_CONTAINING = "an array containing the data in x."
_NP_INFERRED = "By default, the data-type is inferred from the input data."
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
_NP_1_ARRAY_OTHERWISE = (
    "Otherwise, a copy will only be made if __array__ returns a copy, if obj is a nested sequence, or if a copy is "
    "needed to satisfy any of the other requirements (dtype, order, etc.)."
)
_SUBOK_FALSE = (
    "If True, then sub-classes will be passed-through, otherwise the returned array will be forced to be a base-class "
    "array"
)
_ADVANCED = "Advanced indexing always returns a copy of the data (contrast with basic slicing that returns a view)."
_INDEXING = "basic indexing returns views, while advanced indexing returns a copy."
_SELF_RETURNED = (
    "If the self Tensor already has the correct torch.dtype and torch.device, then self is returned. Otherwise, the "
    "returned tensor is a copy of self with the desired torch.dtype and torch.device."
)
_SPECIFIED = "Returns a Tensor with the specified dtype"
_ASTYPE_FALSE = (
    "If this is set to false, and the dtype, order, and subok requirements are satisfied, the input array is returned "
    "instead of a copy."
)
_CAST = "Copy of the array, cast to a specified type."
_VIEW_SHARES = (
    "The returned tensor shares the same data and must have the same number of elements, but may have a different size."
)
_VIEW_OF_ANOTHER_DTYPE = "Returns a new tensor with the same data as the self tensor but of a different dtype."

_STRIDED_SHARES = (
    "If input is a strided tensor then the resulting out tensor shares its underlying storage with the input tensor, "
    "so changing the content of one would change the content of the other."
)
_RAISES_TYPE_ERROR = (
    "Raises a TypeError if the casting rule is violated, and if where is provided, it selects which elements to copy."
)

_WRITABLE = not_(state("read-only"))
_ZERO_D = not_(HAS_ROWS)
_DTYPE_OF_THE_SOURCE = all_of(any_of(AN_ARRAY, A_TENSOR), not_(ASKED_DTYPE))


def _copy_if_needed(page: str, sentence: str, until: str = "") -> tuple[Rule, ...]:
    """What ``copy=None`` of NumPy's constructors means."""
    return (
        Rule(all_of(ARRAYS_AND_BARE_TENSORS, SAME_DTYPE), "outcome", "shared", page, sentence, until=until),
        Rule(all_of(ARRAYS_AND_BARE_TENSORS, ANOTHER_DTYPE), "outcome", "copied", page, sentence, until=until),
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
        any_of(all_of(AN_ARRAY, not_(state("masked"))), all_of(A_TENSOR, not_(GRAD), not_(state("conjugate-bit")))),
        "values",
        "equal",
        pages.ARRAY_API,
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
        pages.ARRAY_API_DLPACK,
        _CANNOT_EXPORT,
    ),
)
"""What every way through DLPack keeps."""


def _dlpack_to_torch(but: When = SCALAR) -> tuple[Rule, ...]:
    """What ``torch.from_dlpack`` says of every object with ``__dlpack__``: strides of any sign are among them."""
    exported = any_of(all_of(ANY_NDARRAY, OF_LISTED_DTYPE, not_(layout("byte-swapped", "unaligned"))), BARE_TENSOR)
    return (
        Rule(all_of(exported, not_(but)), "outcome", "shared", pages.FROM_DLPACK, _DLPACK_SHARES),
        Rule(
            all_of(any_of(AN_ARRAY, BARE_TENSOR), not_(but), _WRITABLE, HAS_ELEMENTS),
            "writes",
            "seen",
            pages.FROM_DLPACK,
            _DLPACK_WRITES,
        ),
        *_DLPACK,
    )


def _into_numpy(shared: When) -> tuple[Rule, ...]:
    """What the page of ``Tensor.numpy`` says of a tensor whose storage the array shares."""
    return (
        Rule(shared, "outcome", "shared", pages.NUMPY, _SHARE_STORAGE),
        Rule(all_of(shared, HAS_ELEMENTS), "writes", "seen", pages.NUMPY, _SHARE_STORAGE),
        Rule(shared, "type", "numpy.ndarray", pages.NUMPY, _AS_AN_NDARRAY),
    )


def _of_data(page: str) -> tuple[Rule, ...]:
    """What the pages of ``torch.tensor`` and ``torch.as_tensor`` say of their argument ``data``."""
    return (
        Rule(any_of(NUMBERS_IN_A_LIST, all_of(SCALAR, OF_LISTED_DTYPE, SAME_DTYPE)), "call", "accepted", page, _CAN_BE),
        Rule(A_TENSOR, "device", THE_SOURCES, page, _DEVICE_OF_DATA),
        Rule(ASKED_DTYPE, "dtype", THE_ONE_ASKED_FOR, page, _DESIRED),
    )


_ALREADY_ON_THE_CPU = (
    "If this object is already in CPU memory, then no copy is performed and the original object is returned."
)


def _cast_to(name: str, page: str, sentence: str) -> tuple[Rule, ...]:
    """What the methods that are called as a dtype promise: what ``Tensor.to`` does with it."""
    return (
        Rule(all_of(A_TENSOR, dtype(name)), "outcome", "shared", page, sentence),
        Rule(all_of(A_TENSOR, not_(dtype(name))), "outcome", "copied", page, sentence),
        Rule(A_TENSOR, "dtype", name, page, sentence),
    )


RULES: dict[str, tuple[Rule, ...]] = {
    # from PyTorch to NumPy
    "Tensor.numpy": (
        *_into_numpy(BARE_TENSOR),
        Rule(ELSEWHERE, "outcome", "refused", pages.NUMPY, _ONLY_IF),
        Rule(all_of(A_TENSOR, GRAD), "outcome", "refused", pages.NUMPY, _ONLY_IF),
        Rule(all_of(A_TENSOR, state("conjugate-bit")), "outcome", "refused", pages.NUMPY, _ONLY_IF),
        Rule(SPARSE, "outcome", "refused", pages.NUMPY, _ONLY_IF),
        Rule(NUMPY_LACKS_IT, "outcome", "refused", pages.NUMPY, _ONLY_IF),
    ),
    "Tensor.numpy(force=True)": (
        Rule(
            all_of(A_TENSOR, LAZY_BITS),
            "outcome",
            "copied",
            pages.NUMPY,
            "If the tensor isn't on the CPU or the conjugate or negative bit is set, the tensor won't share its "
            "storage with the returned ndarray.",
        ),
        Rule(
            all_of(A_TENSOR, not_(LAZY_BITS)),
            "outcome",
            "shared",
            pages.NUMPY,
            "If force is True this is equivalent to calling t.detach().cpu().resolve_conj().resolve_neg().numpy().",
        ),
        Rule(A_TENSOR, "type", "numpy.ndarray", pages.NUMPY, _AS_AN_NDARRAY),
    ),
    "Tensor.detach().numpy()": _into_numpy(all_of(A_TENSOR, not_(LAZY_BITS))),
    "Tensor.detach().cpu().numpy()": _into_numpy(all_of(A_TENSOR, not_(LAZY_BITS))),
    "Tensor.__array__": (
        Rule(
            all_of(BARE_TENSOR, SAME_DTYPE),
            "outcome",
            "shared",
            pages.NP_INTEROPERABILITY,
            "Under the hood, the Tensor.__array__() method returns a NumPy ndarray as a view of the tensor data "
            "buffer.",
        ),
    ),
    "Tensor.__array__(copy=False)": (
        Rule(
            all_of(BARE_TENSOR, SAME_DTYPE),
            "outcome",
            "shared",
            pages.NP_MIGRATION,
            "For any __array__ method on a non-NumPy array-like object, dtype=None and copy=None keywords must be "
            "added to the signature […] copy=False a copy must never be made.",
        ),
    ),
    "Tensor.tolist": (
        Rule(all_of(A_TENSOR, HAS_ROWS), "type", "list", pages.TOLIST, "Returns the tensor as a (nested) list."),
        Rule(
            all_of(A_TENSOR, _ZERO_D),
            "type",
            A_PYTHON_NUMBER,
            pages.TOLIST,
            "For scalars, a standard Python number is returned, just like with Tensor.item.",
            earlier=("For scalars, a standard Python number is returned, just like with torch.Tensor.item.",),
        ),
    ),
    "np.sin": (
        Rule(
            BARE_TENSOR,
            "outcome",
            "copied",
            pages.NP_SIN,
            "If not provided or None, a freshly-allocated array is returned.",
        ),
    ),
    "np.max": (),
    # any byte but 0 is True, so a write of one need not show in a bool
    "Tensor.untyped_storage().numpy()": (
        Rule(all_of(BARE_TENSOR, not_(dtype("bool"))), "outcome", "shared", pages.NUMPY, _SHARE_STORAGE),
    ),
    "Tensor.view(torch.uint8).numpy()": (
        Rule(all_of(BARE_TENSOR, dtype("int8")), "outcome", "shared", pages.VIEW, _VIEW_OF_ANOTHER_DTYPE),
        Rule(all_of(BARE_TENSOR, dtype("uint8")), "outcome", "shared", pages.NUMPY, _SHARE_STORAGE),
    ),
    "Tensor.view(torch.uint16).numpy()": (
        Rule(
            all_of(WITH_DATA, dtype("bfloat16", "float16", "int16"), not_(GRAD), not_(LAZY_BITS)),
            "outcome",
            "shared",
            pages.VIEW,
            _VIEW_OF_ANOTHER_DTYPE,
        ),
    ),
    "torch.view_as_real().numpy()": (
        Rule(
            all_of(BARE_TENSOR, COMPLEX),
            "outcome",
            "shared",
            pages.VIEW_AS_REAL,
            "Returns a view of input as a real tensor.",
        ),
        Rule(
            all_of(BARE_TENSOR, not_(COMPLEX)),
            "outcome",
            "refused",
            pages.VIEW_AS_REAL,
            "view_as_real is only supported for tensors with complex dtypes.",
        ),
    ),
    # to NumPy, from either
    "np.asarray": (
        Rule(
            all_of(ANY_NDARRAY, SAME_DTYPE),
            "outcome",
            "shared",
            pages.NP_ASARRAY,
            "No copy is performed if the input is already an ndarray with matching dtype and order.",
        ),
        *_copy_if_needed(pages.NP_ASARRAY, _NP_NONE),
        Rule(
            SUBCLASS,
            "type",
            "numpy.ndarray",
            pages.NP_ASARRAY,
            "If a is a subclass of ndarray, a base class ndarray is returned.",
        ),
        Rule(
            all_of(ARRAYS_AND_BARE_TENSORS, not_(layout("byte-swapped")), not_(ASKED_DTYPE)),
            "dtype",
            THE_SOURCES,
            pages.NP_ASARRAY,
            _NP_INFERRED,
        ),
    ),
    "np.asarray(copy=True)": (Rule(ARRAYS_AND_BARE_TENSORS, "outcome", "copied", pages.NP_ASARRAY, _NP_TRUE),),
    "np.asarray(copy=False)": _never_copy(pages.NP_ASARRAY),
    "np.asanyarray": (
        *_copy_if_needed(pages.NP_ASANYARRAY, _NP_NONE),
        Rule(
            all_of(ANY_NDARRAY, not_(ASKED_DTYPE)),
            "object",
            "the same",
            pages.NP_ASANYARRAY,
            "If a is an ndarray or a subclass of ndarray, it is returned as-is and no copy is performed.",
        ),
        Rule(
            all_of(ARRAYS_AND_BARE_TENSORS, not_(layout("byte-swapped")), not_(ASKED_DTYPE)),
            "dtype",
            THE_SOURCES,
            pages.NP_ASANYARRAY,
            _NP_INFERRED,
        ),
    ),
    "np.asanyarray(copy=True)": (Rule(ARRAYS_AND_BARE_TENSORS, "outcome", "copied", pages.NP_ASANYARRAY, _NP_TRUE),),
    "np.asanyarray(copy=False)": _never_copy(pages.NP_ASANYARRAY),
    "np.array": (
        Rule(
            ARRAYS_AND_BARE_TENSORS,
            "outcome",
            "copied",
            pages.NP_ARRAY,
            "If True (default), then the array data is copied.",
            earlier=("If true (default), then the object is copied.",),
        ),
        Rule(SUBCLASS, "type", "numpy.ndarray", pages.NP_ARRAY, f"{_SUBOK_FALSE} (default)."),
        Rule(
            all_of(ANY_NDARRAY, dtype("object"), SAME_DTYPE, HAS_ELEMENTS),
            "elements",
            "the same objects",
            pages.NP_ARRAY,
            "Note that any copy of the data is shallow, i.e., for arrays with object dtype, the new array will point "
            "to the same objects.",
        ),
        Rule(
            all_of(ARRAYS_AND_BARE_TENSORS, ASKED_DTYPE),
            "dtype",
            THE_ONE_ASKED_FOR,
            pages.NP_ARRAY,
            "The desired data-type for the array.",
        ),
    ),
    "np.array(copy=None)": _copy_if_needed(pages.NP_ARRAY, _NP_ARRAY_NONE),
    "np.array(copy=False)": (
        *_never_copy(pages.NP_ARRAY),
        # NumPy 1: False meant what None means now
        *_copy_if_needed(pages.NP_ARRAY, _NP_1_ARRAY_OTHERWISE, until="NumPy 1.26"),
    ),
    "np.ascontiguousarray": (
        Rule(
            all_of(ARRAYS_AND_BARE_TENSORS, not_(state("masked")), not_(ASKED_DTYPE), HAS_ROWS),
            "values",
            "equal",
            pages.NP_ASCONTIGUOUSARRAY,
            "Contiguous array of same shape and content as a, with type dtype if specified.",
        ),
        Rule(
            all_of(ARRAYS_AND_BARE_TENSORS, ASKED_DTYPE),
            "dtype",
            THE_ONE_ASKED_FOR,
            pages.NP_ASCONTIGUOUSARRAY,
            "Contiguous array of same shape and content as a, with type dtype if specified.",
        ),
        Rule(
            all_of(ARRAYS_AND_BARE_TENSORS, HAS_ELEMENTS),
            "contiguity",
            "row-major",
            pages.NP_ASCONTIGUOUSARRAY,
            "Return a contiguous array (ndim >= 1) in memory (C order).",
        ),
        Rule(
            all_of(ANY_NDARRAY, layout("fortran"), MULTIDIMENSIONAL),
            "outcome",
            "copied",
            pages.NP_ASCONTIGUOUSARRAY,
            "Calling ascontiguousarray makes a C-contiguous copy:",
        ),
        Rule(
            all_of(ANY_NDARRAY, not_(SUBCLASS), ROW_MAJOR, HAS_ROWS, SAME_DTYPE),
            "object",
            "the same",
            pages.NP_ASCONTIGUOUSARRAY,
            "Then, calling ascontiguousarray returns the same object:",
        ),
        Rule(
            all_of(ARRAYS_AND_BARE_TENSORS, _ZERO_D),
            "dimensions",
            "1",
            pages.NP_ASCONTIGUOUSARRAY,
            "Note: This function returns an array with at least one-dimension (1-d) so it will not preserve 0-d "
            "arrays.",
        ),
    ),
    "np.from_dlpack": (
        Rule(
            any_of(AN_ARRAY, BARE_TENSOR),
            "outcome",
            "shared-or-copied",
            pages.NP_FROM_DLPACK,
            "If None, the function will reuse the existing memory buffer if possible and copy otherwise.",
        ),
        *_DLPACK,
    ),
    "np.from_dlpack(copy=True)": (
        Rule(any_of(AN_ARRAY, BARE_TENSOR), "copy", "copy", pages.NP_FROM_DLPACK, "If True, the copy will be made."),
        *_DLPACK,
    ),
    "np.from_dlpack(copy=False)": (
        Rule(
            any_of(AN_ARRAY, BARE_TENSOR),
            "copy",
            "no copy",
            pages.NP_FROM_DLPACK,
            "If False, the function will never copy, and will raise BufferError in case a copy is deemed necessary.",
        ),
        *_DLPACK,
    ),
    # from NumPy to PyTorch
    "torch.from_numpy": (
        Rule(AN_ARRAY, "outcome", "shared", pages.FROM_NUMPY, "The returned tensor and ndarray share the same memory."),
        Rule(
            all_of(AN_ARRAY, _WRITABLE, HAS_ELEMENTS),
            "writes",
            "seen",
            pages.FROM_NUMPY,
            "Modifications to the tensor will be reflected in the ndarray and vice versa.",
        ),
        Rule(
            AN_ARRAY,
            "call",
            "accepted",
            pages.FROM_NUMPY,
            "It currently accepts ndarray with dtypes of numpy.float64, numpy.float32, numpy.float16, numpy.complex64, "
            "numpy.complex128, numpy.int64, numpy.int32, numpy.int16, numpy.int8, numpy.uint8, and bool.",
            earlier=(
                "It currently accepts ndarray with dtypes of numpy.float64, numpy.float32, numpy.float16, "
                "numpy.complex64, numpy.complex128, numpy.int64, numpy.int32, numpy.int16, numpy.int8, numpy.uint8, "
                "and numpy.bool.",
            ),
        ),
        Rule(all_of(ANY_NDARRAY, state("read-only")), "write to the result", UNDEFINED, pages.FROM_NUMPY, _READ_ONLY),
    ),
    "torch.frombuffer": (
        Rule(
            all_of(AN_ARRAY, ROW_MAJOR, HAS_ELEMENTS, SAME_DTYPE),
            "outcome",
            "shared",
            pages.FROMBUFFER,
            "The returned tensor and buffer share the same memory.",
        ),
        Rule(
            all_of(AN_ARRAY, ROW_MAJOR, HAS_ELEMENTS, SAME_DTYPE, _WRITABLE),
            "writes",
            "seen",
            pages.FROMBUFFER,
            "Modifications to the tensor will be reflected in the buffer and vice versa.",
        ),
        Rule(
            all_of(AN_ARRAY, ROW_MAJOR, HAS_ELEMENTS, SAME_DTYPE),
            "dimensions",
            "1",
            pages.FROMBUFFER,
            "Creates a 1-dimensional Tensor from an object that implements the Python buffer protocol.",
        ),
        Rule(
            all_of(AN_ARRAY, ROW_MAJOR, SAME_DTYPE),
            "owner",
            "kept",
            pages.FROMBUFFER,
            "This function increments the reference count for the object that owns the shared memory. Therefore, such "
            "memory will not be deallocated before the returned tensor goes out of scope.",
        ),
        Rule(
            ASKED_DTYPE,
            "dtype",
            THE_ONE_ASKED_FOR,
            pages.FROMBUFFER,
            "dtype (torch.dtype): the desired data type of returned tensor.",
        ),
    ),
    "Tensor.copy_": (
        Rule(
            AN_ARRAY,
            "outcome",
            "copied",
            pages.COPY_,
            "Copies the elements from src into self tensor and returns self.",
        ),
        Rule(
            all_of(AN_ARRAY, not_(state("masked")), SAME_DTYPE),
            "values",
            "equal",
            pages.COPY_,
            "Copies the elements from src into self tensor and returns self.",
        ),
        Rule(
            all_of(AN_ARRAY, ANOTHER_DTYPE),
            "call",
            "accepted",
            pages.COPY_,
            "It may be of a different data type or reside on a different device.",
        ),
    ),
    "ndarray * Tensor": (),
    "np.add(out=Tensor)": (),
    "torch.tensor(list)": (
        Rule(
            all_of(AN_ARRAY, HAS_ROWS, not_(state("masked", "matrix")), SAME_DTYPE),
            "outcome",
            "copied",
            pages.TENSOR,
            _BY_COPYING,
        ),
        Rule(ASKED_DTYPE, "dtype", THE_ONE_ASKED_FOR, pages.TENSOR, _DESIRED),
    ),
    "torch.stack": (),
    "torch.utils.data.default_collate": (
        Rule(
            all_of(AN_ARRAY, MULTIDIMENSIONAL, HAS_ELEMENTS, not_(state("masked", "matrix"))),
            "type",
            "torch.Tensor",
            pages.DATA,
            "NumPy Arrays -> torch.Tensor",
        ),
    ),
    "torch.from_file(shared=False)": (),
    "torch.from_file(shared=True)": (),
    "torch.UntypedStorage.from_buffer": (),
    # to PyTorch, from either and from Python's lists
    "torch.as_tensor": (
        Rule(all_of(A_TENSOR, SAME_DTYPE), "outcome", "shared", pages.AS_TENSOR, _DATA_ITSELF),
        Rule(all_of(A_TENSOR, SAME_DTYPE), "object", "the same", pages.AS_TENSOR, _DATA_ITSELF),
        Rule(all_of(A_TENSOR, ANOTHER_DTYPE), "outcome", "copied", pages.AS_TENSOR, _DATA_ITSELF),
        Rule(
            all_of(AN_ARRAY, SAME_DTYPE),
            "outcome",
            "shared",
            pages.AS_TENSOR,
            "If data is a NumPy array (an ndarray) with the same dtype and device then a tensor is constructed using "
            "torch.from_numpy.",
        ),
        Rule(
            all_of(ANY_NDARRAY, SAME_DTYPE, state("read-only")),
            "write to the result",
            UNDEFINED,
            pages.FROM_NUMPY,
            _READ_ONLY,
        ),
        *_of_data(pages.AS_TENSOR),
    ),
    "torch.tensor": (
        Rule(any_of(AN_ARRAY, A_TENSOR, NUMBERS_IN_A_LIST), "outcome", "copied", pages.TENSOR, _BY_COPYING),
        Rule(A_TENSOR, "requires-grad", "false", pages.TENSOR, _BY_COPYING),
        Rule(any_of(AN_ARRAY, A_TENSOR), "leaf", "a leaf", pages.TENSOR, _BY_COPYING),
        *_of_data(pages.TENSOR),
    ),
    "torch.asarray": (
        Rule(all_of(any_of(AN_ARRAY, A_TENSOR), SAME_DTYPE), "outcome", "shared", pages.ASARRAY, _BY_DEFAULT),
        Rule(
            all_of(any_of(AN_ARRAY, all_of(A_TENSOR, not_(GRAD))), ANOTHER_DTYPE),
            "outcome",
            "copied",
            pages.ASARRAY,
            "If the returned tensor is of a different datatype, on a different device, or a copy is requested then it "
            "will not share its memory with obj.",
        ),
        Rule(all_of(SCALAR, OF_LISTED_DTYPE), "outcome", "copied", pages.ASARRAY, _NUMPY_SCALAR),
        Rule(all_of(SCALAR, OF_LISTED_DTYPE), "dimensions", "0", pages.ASARRAY, _NUMPY_SCALAR),
        Rule(NUMBERS_IN_A_LIST, "outcome", "copied", pages.ASARRAY, _NONE_OF_THE_ABOVE),
        Rule(_DTYPE_OF_THE_SOURCE, "dtype", THE_SOURCES, pages.ASARRAY, _BY_DEFAULT),
        Rule(
            all_of(SCALAR, OF_LISTED_DTYPE, not_(ASKED_DTYPE)),
            "dtype",
            THE_SOURCES,
            pages.ASARRAY,
            "By default datatype will be the PyTorch datatype corresponding to the NumPy's scalar's datatype.",
        ),
        Rule(ASKED_DTYPE, "dtype", THE_ONE_ASKED_FOR, pages.ASARRAY, _ASARRAY_DTYPE),
        Rule(
            all_of(A_TENSOR, GRAD, SAME_DTYPE),
            "requires-grad",
            "true",
            pages.ASARRAY,
            "If requires_grad is True (or None, and obj was a tensor with requires_grad set), then the returned tensor "
            "will require a gradient, and if obj is also a tensor with an autograd history then the returned tensor "
            "will have the same history.",
        ),
        Rule(
            all_of(any_of(AN_ARRAY, all_of(A_TENSOR, not_(GRAD))), SAME_DTYPE),
            "requires-grad",
            "false",
            pages.ASARRAY,
            _BY_DEFAULT,
        ),
        Rule(A_TENSOR, "device", THE_SOURCES, pages.ASARRAY, _BY_DEFAULT),
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
            pages.ASARRAY,
            _ASARRAY_TRUE,
        ),
        Rule(ASKED_DTYPE, "dtype", THE_ONE_ASKED_FOR, pages.ASARRAY, _ASARRAY_DTYPE),
    ),
    "torch.asarray(copy=False)": (
        Rule(all_of(any_of(AN_ARRAY, A_TENSOR), SAME_DTYPE), "outcome", "shared", pages.ASARRAY, _ASARRAY_FALSE),
        Rule(
            all_of(any_of(AN_ARRAY, all_of(A_TENSOR, not_(GRAD))), ANOTHER_DTYPE),
            "outcome",
            "refused",
            pages.ASARRAY,
            _ASARRAY_FALSE,
        ),
        Rule(
            any_of(NUMBERS_IN_A_LIST, all_of(SCALAR, OF_LISTED_DTYPE)),
            "outcome",
            "refused",
            pages.ASARRAY,
            _ASARRAY_FALSE,
        ),
    ),
    "torch.from_dlpack": _dlpack_to_torch(),
    "torch.from_dlpack(copy=True)": (
        Rule(
            any_of(AN_ARRAY, BARE_TENSOR),
            "copy",
            "copy",
            pages.FROM_DLPACK,
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
            pages.NEW_TENSOR,
            "new_tensor always copies data.",
        ),
        Rule(
            A_TENSOR,
            "leaf",
            "a leaf",
            pages.NEW_TENSOR,
            "When data is a tensor x, new_tensor() reads out 'the data' from whatever it is passed, and constructs a "
            "leaf variable.",
        ),
        Rule(
            all_of(any_of(AN_ARRAY, A_TENSOR), not_(COMPLEX), not_(ASKED_DTYPE)),
            "dtype",
            "float32",
            pages.NEW_TENSOR,
            "By default, the returned Tensor has the same torch.dtype and torch.device as this tensor.",
        ),
        Rule(
            ASKED_DTYPE,
            "dtype",
            THE_ONE_ASKED_FOR,
            pages.NEW_TENSOR,
            "dtype (torch.dtype, optional): the desired type of returned tensor.",
        ),
    ),
    # from PyTorch to PyTorch
    "Tensor.clone": (
        Rule(A_TENSOR, "outcome", "copied", pages.CLONE, "Returns a copy of input."),
        Rule(A_TENSOR, "values", "equal", pages.CLONE, "Returns a copy of input."),
        Rule(
            all_of(A_TENSOR, GRAD),
            "requires-grad",
            "true",
            pages.CLONE,
            "This function is differentiable, so gradients will flow back from the result of this operation to input.",
        ),
        Rule(
            all_of(A_TENSOR, HAS_ELEMENTS, layout("contiguous", "fortran", "transposed", "offset", "channels-last")),
            "strides",
            THE_SOURCES,
            pages.CLONE,
            "In addition, when torch.preserve_format is used: If the input tensor is dense (i.e., non-overlapping "
            "strided), its memory format (including strides) is retained.",
        ),
        Rule(
            all_of(A_TENSOR, layout("non-contiguous")),
            "contiguity",
            "row-major",
            pages.CLONE,
            "Otherwise (e.g., a non-dense view like a stepped slice), the output is converted to the dense "
            "(contiguous) format.",
        ),
    ),
    "Tensor.detach": (
        Rule(
            A_TENSOR,
            "outcome",
            "shared",
            pages.DETACH,
            "Returned Tensor shares the same storage with the original one.",
        ),
        Rule(A_TENSOR, "requires-grad", "false", pages.DETACH, "The result will never require gradient."),
        Rule(A_TENSOR, "leaf", "a leaf", pages.DETACH, "Returns a new Tensor, detached from the current graph."),
        Rule(
            all_of(A_TENSOR, HAS_ELEMENTS, not_(state("inference"))),
            "writes",
            "seen",
            pages.DETACH,
            "In-place modifications on either of them will be seen, and may trigger errors in correctness checks.",
        ),
    ),
    "Tensor.data": (),
    "Tensor.to": (
        Rule(all_of(A_TENSOR, SAME_DTYPE), "outcome", "shared", pages.TO, _SELF_RETURNED),
        Rule(all_of(A_TENSOR, ANOTHER_DTYPE), "outcome", "copied", pages.TO, _SELF_RETURNED),
        Rule(all_of(A_TENSOR, SAME_DTYPE), "object", "the same", pages.TO, _SELF_RETURNED),
        Rule(all_of(A_TENSOR, ASKED_DTYPE), "dtype", THE_ONE_ASKED_FOR, pages.TO, _SPECIFIED),
        Rule(
            all_of(A_TENSOR, GRAD, INTEGERS_ASKED),
            "requires-grad",
            "false",
            pages.TO,
            "If self requires gradients (requires_grad=True) but the target dtype specified is an integer type, the "
            "returned tensor will implicitly set requires_grad=False.",
        ),
        Rule(
            all_of(A_TENSOR, TOO_LARGE_FOR_THE_INTEGERS_ASKED),
            "values",
            UNDEFINED,
            pages.TO,
            "If the truncated value cannot fit into the target type (e.g., casting torch.inf to torch.long), the "
            "behavior is undefined and the result may vary across platforms.",
        ),
    ),
    "Tensor.to(copy=True)": (
        Rule(
            A_TENSOR,
            "outcome",
            "copied",
            pages.TO,
            "When copy is set, a new Tensor is created even when the Tensor already matches the desired conversion.",
        ),
        Rule(all_of(A_TENSOR, ASKED_DTYPE), "dtype", THE_ONE_ASKED_FOR, pages.TO, _SPECIFIED),
    ),
    "Tensor.to(torch.float64)": (
        Rule(all_of(A_TENSOR, dtype("float64")), "outcome", "shared", pages.TO, _SELF_RETURNED),
        Rule(all_of(A_TENSOR, not_(dtype("float64"))), "outcome", "copied", pages.TO, _SELF_RETURNED),
        Rule(A_TENSOR, "dtype", "float64", pages.TO, _SPECIFIED),
    ),
    "Tensor.cpu": (
        Rule(A_TENSOR, "object", "the same", pages.CPU, _ALREADY_ON_THE_CPU),
        Rule(A_TENSOR, "copy", "no copy", pages.CPU, _ALREADY_ON_THE_CPU),
    ),
    "Tensor.float": _cast_to("float32", pages.TENSOR_FLOAT, "self.float() is equivalent to self.to(torch.float32)."),
    "Tensor.double": _cast_to("float64", pages.TENSOR_DOUBLE, "self.double() is equivalent to self.to(torch.float64)."),
    "Tensor.half": _cast_to("float16", pages.TENSOR_HALF, "self.half() is equivalent to self.to(torch.float16)."),
    "Tensor.contiguous": (
        Rule(
            all_of(A_TENSOR, ROW_MAJOR),
            "object",
            "the same",
            pages.CONTIGUOUS,
            "If self tensor is already in the specified memory format, this function returns the self tensor.",
        ),
        Rule(
            A_TENSOR,
            "values",
            "equal",
            pages.CONTIGUOUS,
            "Returns a contiguous in memory tensor containing the same data as self tensor.",
        ),
        Rule(
            all_of(A_TENSOR, HAS_ELEMENTS),
            "contiguity",
            "row-major",
            pages.CONTIGUOUS,
            "Returns a contiguous in memory tensor containing the same data as self tensor.",
        ),
    ),
    "Tensor.view": (
        Rule(all_of(A_TENSOR, ROW_MAJOR, not_(ASKED_DTYPE)), "outcome", "shared", pages.VIEW, _VIEW_SHARES),
        Rule(all_of(A_TENSOR, not_(ASKED_DTYPE)), "copy", "no copy", pages.VIEW, _VIEW_SHARES),
        Rule(all_of(A_TENSOR, ASKED_DTYPE), "copy", "no copy", pages.VIEW, _VIEW_OF_ANOTHER_DTYPE),
    ),
    "Tensor.reshape": (
        Rule(
            A_TENSOR,
            "outcome",
            "shared-or-copied",
            pages.RESHAPE,
            "When possible, the returned tensor will be a view of input. Otherwise, it will be a copy.",
        ),
        Rule(
            all_of(A_TENSOR, ROW_MAJOR),
            "copy",
            "no copy",
            pages.TENSOR_RESHAPE,
            "This method returns a view if shape is compatible with the current shape.",
        ),
    ),
    "Tensor.flatten": (
        Rule(
            all_of(A_TENSOR, _ZERO_D),
            "outcome",
            "shared",
            pages.FLATTEN,
            "Flattening a zero-dimensional tensor will return a one-dimensional view.",
        ),
        Rule(
            all_of(A_TENSOR, ROW_MAJOR),
            "outcome",
            "shared",
            pages.FLATTEN,
            "Otherwise, if input can be viewed as the flattened shape, then that view is returned.",
        ),
        Rule(
            all_of(A_TENSOR, ONE_DIMENSION),
            "object",
            "the same",
            pages.FLATTEN,
            "If no dimensions are flattened, then the original object input is returned.",
        ),
        Rule(
            A_TENSOR,
            "dimensions",
            "1",
            pages.FLATTEN,
            "Flattens input by reshaping it into a one-dimensional tensor.",
        ),
    ),
    "Tensor.expand": (
        Rule(
            A_TENSOR,
            "outcome",
            "shared",
            pages.EXPAND,
            "Expanding a tensor does not allocate new memory, but only creates a new view on the existing tensor where "
            "a dimension of size one is expanded to a larger size by setting the stride to 0.",
        ),
    ),
    "Tensor.permute": (
        Rule(
            A_TENSOR,
            "outcome",
            "shared",
            pages.PERMUTE,
            "Returns a view of the original tensor input with its dimensions permuted.",
        ),
    ),
    "Tensor.t": (
        Rule(
            all_of(A_TENSOR, any_of(_ZERO_D, ONE_DIMENSION)),
            "outcome",
            "shared",
            pages.T,
            "0-D and 1-D tensors are returned as is.",
        ),
        Rule(all_of(A_TENSOR, TWO_DIMENSIONS), "outcome", "shared", pages.TRANSPOSE, _STRIDED_SHARES),
        Rule(all_of(A_TENSOR, TWO_DIMENSIONS, HAS_ELEMENTS), "writes", "seen", pages.TRANSPOSE, _STRIDED_SHARES),
        Rule(
            all_of(SPARSE, OF_LISTED_DTYPE, TWO_DIMENSIONS),
            "outcome",
            "copied",
            pages.TRANSPOSE,
            "If input is a sparse tensor then the resulting out tensor does not share the underlying storage with the "
            "input tensor.",
        ),
    ),
    "Tensor * ndarray": (),
    "Tensor[::2]": (Rule(all_of(A_TENSOR, HAS_ROWS), "outcome", "shared", pages.TENSOR_VIEWS, _INDEXING),),
    "Tensor[mask]": (Rule(A_TENSOR, "outcome", "copied", pages.TENSOR_VIEWS, _INDEXING),),
    "Tensor.share_memory_": (
        Rule(
            all_of(A_TENSOR, state("shared-memory")),
            "outcome",
            "shared",
            pages.SHARE_MEMORY_,
            "This is a no-op if the underlying storage is already in shared memory and for CUDA tensors.",
        ),
    ),
    "copy.deepcopy": (
        Rule(
            all_of(A_TENSOR, not_(state("non-leaf"))),
            "outcome",
            "copied",
            pages.DEEPCOPY,
            "- A deep copy constructs a new compound object and then, recursively, inserts copies into it of the "
            "objects found in the original.",
            earlier=(
                "A deep copy constructs a new compound object and then, recursively, inserts copies into it of the "
                "objects found in the original.",
            ),
        ),
    ),
    "ForkingPickler": (
        Rule(
            all_of(A_TENSOR, not_(state("non-leaf"))),
            "outcome",
            "shared",
            pages.MULTIPROCESSING,
            "It registers custom reducers, that use shared memory to provide shared views on the same data in "
            "different processes.",
        ),
    ),
    "torch.nn.Parameter": (
        Rule(
            all_of(A_TENSOR, dtype("float16", "float32", "float64", "complex64", "complex128")),
            "requires-grad",
            "true",
            pages.PARAMETER,
            "requires_grad (bool, optional): if the parameter requires gradient. […] Default: True",
        ),
    ),
    # from NumPy to NumPy
    "np.copy": (
        Rule(ANY_NDARRAY, "outcome", "copied", pages.NP_COPY, "Return an array copy of the given object."),
        Rule(SUBCLASS, "type", "numpy.ndarray", pages.NP_COPY, f"{_SUBOK_FALSE} (defaults to False)."),
        Rule(
            all_of(ANY_NDARRAY, state("read-only")),
            "writable",
            "writable",
            pages.NP_COPY,
            "Note that, np.copy clears previously set WRITEABLE=False flag.",
        ),
        Rule(
            all_of(ANY_NDARRAY, dtype("object"), HAS_ELEMENTS),
            "elements",
            "the same objects",
            pages.NP_COPY,
            "The copy made of the data is shallow, i.e., for arrays with object dtype, the new array will point to the "
            "same objects.",
        ),
    ),
    "np.frombuffer": (
        Rule(
            all_of(AN_ARRAY, ROW_MAJOR, SAME_DTYPE),
            "outcome",
            "shared",
            pages.NP_FROMBUFFER,
            "This function creates a view into the original object.",
        ),
        Rule(
            all_of(AN_ARRAY, ROW_MAJOR, SAME_DTYPE),
            "dimensions",
            "1",
            pages.NP_FROMBUFFER,
            "Interpret a buffer as a 1-dimensional array.",
        ),
    ),
    "np.copyto": (
        Rule(
            all_of(ANY_NDARRAY, OF_LISTED_DTYPE, not_(COMPLEX)),
            "outcome",
            "copied",
            pages.NP_COPYTO,
            "Copies values from one array to another, broadcasting as necessary.",
        ),
        Rule(all_of(ANY_NDARRAY, COMPLEX), "outcome", "refused", pages.NP_COPYTO, _RAISES_TYPE_ERROR),
        Rule(all_of(ANY_NDARRAY, COMPLEX), "exception", "TypeError", pages.NP_COPYTO, _RAISES_TYPE_ERROR),
    ),
    "np.transpose": (
        Rule(
            all_of(ANY_NDARRAY, ONE_DIMENSION),
            "outcome",
            "shared",
            pages.NP_TRANSPOSE,
            "For a 1-D array, this returns an unchanged view of the original array, as a transposed vector is simply "
            "the same vector.",
        ),
    ),
    "ndarray.copy": (
        Rule(ANY_NDARRAY, "outcome", "copied", pages.ND_COPY, "Return a copy of the array."),
        Rule(SUBCLASS, "type", THE_SOURCES, pages.ND_COPY, "this function always passes sub-classes through"),
        Rule(
            all_of(ANY_NDARRAY, dtype("object"), HAS_ELEMENTS),
            "elements",
            "the same objects",
            pages.ND_COPY,
            "For arrays containing Python objects (e.g. dtype=object), the copy is a shallow one. The new array will "
            "contain the same object which may lead to surprises if that object can be modified (is mutable):",
        ),
    ),
    "ndarray.view": (
        Rule(
            all_of(ANY_NDARRAY, not_(ASKED_DTYPE)),
            "outcome",
            "shared",
            pages.ND_VIEW,
            "New view of array with the same data.",
        ),
        Rule(
            all_of(ANY_NDARRAY, not_(ASKED_DTYPE)),
            "copy",
            "no copy",
            pages.ND_VIEW,
            "New view of array with the same data.",
        ),
        Rule(
            all_of(ANY_NDARRAY, ASKED_DTYPE),
            "copy",
            "no copy",
            pages.ND_VIEW,
            "a.view(some_dtype) or a.view(dtype=some_dtype) constructs a view of the array's memory with a different "
            "data-type.",
        ),
        Rule(
            all_of(ANY_NDARRAY, not_(ASKED_DTYPE)),
            "dtype",
            THE_SOURCES,
            pages.ND_VIEW,
            "Omitting it results in the view having the same data-type as a.",
        ),
        Rule(
            all_of(ANY_NDARRAY, not_(ASKED_DTYPE)),
            "type",
            THE_SOURCES,
            pages.ND_VIEW,
            "Again, omission of the parameter results in type preservation.",
        ),
        Rule(
            all_of(ANY_NDARRAY, _WRITABLE, HAS_ELEMENTS, not_(ASKED_DTYPE)),
            "writes",
            "seen",
            pages.ND_VIEW,
            "Making changes to the view changes the underlying array",
        ),
    ),
    "ndarray.reshape": (
        Rule(
            ANY_NDARRAY,
            "outcome",
            "shared-or-copied",
            pages.NP_RESHAPE,
            "This will be a new view object if possible; otherwise, it will be a copy.",
        ),
    ),
    "ndarray.ravel": (
        Rule(all_of(ANY_NDARRAY, ROW_MAJOR), "outcome", "shared", pages.NP_RAVEL, "A copy is made only if needed."),
        Rule(
            all_of(ANY_NDARRAY, not_(state("matrix"))),
            "dimensions",
            "1",
            pages.NP_RAVEL,
            "A 1-D array, containing the elements of the input, is returned.",
        ),
        Rule(
            all_of(ANY_NDARRAY, not_(state("matrix")), HAS_ELEMENTS),
            "contiguity",
            "row-major",
            pages.NP_RAVEL,
            "y is a contiguous 1-D array of the same subtype as a, with shape (a.size,).",
            earlier=("Return a contiguous flattened array.",),
        ),
        Rule(
            all_of(ANY_NDARRAY, not_(state("matrix"))),
            "type",
            THE_SOURCES,
            pages.NP_RAVEL,
            "As of NumPy 1.10, the returned array will have the same type as the input array. (for example, a masked "
            "array will be returned for a masked array input)",
        ),
    ),
    "ndarray.flatten": (
        Rule(
            ANY_NDARRAY,
            "outcome",
            "copied",
            pages.ND_FLATTEN,
            "Return a copy of the array collapsed into one dimension.",
        ),
        Rule(
            all_of(ANY_NDARRAY, not_(state("matrix"))),
            "dimensions",
            "1",
            pages.ND_FLATTEN,
            "Return a copy of the array collapsed into one dimension.",
        ),
    ),
    "ndarray.astype": (
        Rule(
            all_of(ANY_NDARRAY, ORDINARY_CAST),
            "outcome",
            "copied",
            pages.ND_ASTYPE,
            "By default, astype always returns a newly allocated array.",
        ),
        Rule(ASKED_DTYPE, "dtype", THE_ONE_ASKED_FOR, pages.ND_ASTYPE, _CAST),
        Rule(
            all_of(SUBCLASS, ORDINARY_CAST),
            "type",
            THE_SOURCES,
            pages.ND_ASTYPE,
            "If True, then sub-classes will be passed-through (default), otherwise the returned array will be forced "
            "to be a base-class array.",
        ),
        Rule(
            all_of(ANY_NDARRAY, COMPLEX, REALS_ASKED),
            "warning",
            "ComplexWarning",
            pages.ND_ASTYPE,
            "ComplexWarning When casting from complex to float or int.",
        ),
    ),
    "ndarray.astype(copy=False)": (
        Rule(all_of(ANY_NDARRAY, SAME_DTYPE), "outcome", "shared", pages.ND_ASTYPE, _ASTYPE_FALSE),
        Rule(all_of(ANY_NDARRAY, SAME_DTYPE), "object", "the same", pages.ND_ASTYPE, _ASTYPE_FALSE),
        Rule(ASKED_DTYPE, "dtype", THE_ONE_ASKED_FOR, pages.ND_ASTYPE, _CAST),
    ),
    "ndarray[::2]": (
        Rule(
            all_of(ANY_NDARRAY, HAS_ROWS),
            "outcome",
            "shared",
            pages.NP_INDEXING,
            "All arrays generated by basic slicing are always views of the original array.",
        ),
    ),
    "ndarray[indices]": (Rule(all_of(ANY_NDARRAY, HAS_ROWS), "outcome", "copied", pages.NP_INDEXING, _ADVANCED),),
    "ndarray[mask]": (Rule(ANY_NDARRAY, "outcome", "copied", pages.NP_INDEXING, _ADVANCED),),
}
"""For each conversion its rules. No two promise one subject different things on one version of the page."""
