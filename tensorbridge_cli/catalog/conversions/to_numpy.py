"""Conversions to NumPy: from a tensor, or from either library.

Each is one entry, with its documented rules, its pitfalls and its hook; see ``to_torch``.
"""

from __future__ import annotations

from collections.abc import Mapping

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
    MAY_BE_A_SUBCLASS,
    MULTIDIMENSIONAL,
    NUMPY_LACKS_IT,
    OF_LISTED_DTYPE,
    ONE_DIMENSION,
    ROW_MAJOR,
    SAME_DTYPE,
    SPARSE,
    SUBCLASS,
    WITH_DATA,
    ZERO_D,
    When,
    all_of,
    any_of,
    dtype,
    layout,
    not_,
    state,
)
from tensorbridge_cli.catalog.documentation import (
    DEVICE,
    DLPACK_RULES,
    HEDGED,
    NP_INTEROPERABILITY_PAGE,
    NUMPY_DOCS,
    POSSIBLE,
    SUBOK_FALSE,
    VIEW_OF_ANOTHER_DTYPE,
    WHICH_DTYPE,
)
from tensorbridge_cli.catalog.entry import (
    A_PYTHON_NUMBER,
    CARRIED,
    JAX,
    NUMPY,
    OF_ANY_OBJECT,
    OTHER,
    THE_ONE_ASKED_FOR,
    THE_SOURCES,
    TORCH,
    Conversion,
    Copy,
    Rule,
    with_copy,
)
from tensorbridge_cli.catalog.hooks import (
    ComposedOf,
    InterceptedAt,
)
from tensorbridge_cli.catalog.pitfalls import Pitfall
from tensorbridge_cli.records.enums import Direction

_ONLY_IF = (
    "If force is False (the default), the conversion is performed only if the tensor is on the CPU, does not require "
    "grad, does not have its conjugate bit set, and is a dtype and layout that NumPy supports."
)
_SHARE_STORAGE = (
    "The returned ndarray and the tensor will share their storage, so changes to the tensor will be reflected in the "
    "ndarray and vice versa."
)
_AS_AN_NDARRAY = "Returns the tensor as a NumPy ndarray."
_CONTIGUOUS = "Contiguous array of same shape and content as a, with type dtype if specified."
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
_RAISES_TYPE_ERROR = (
    "Raises a TypeError if the casting rule is violated, and if where is provided, it selects which elements to copy."
)

_RAISES_FOR_GRAD = Pitfall(
    text="Raises for a tensor that requires grad, like numpy().", shows="refused", state="requires-grad"
)
_IGNORES_THE_NEGATIVE_BIT = Pitfall(
    text="Ignores the negative bit of a tensor: the values change their sign.",
    shows="values-changed",
    state="negative-bit",
)


def _copy_if_needed(sentence: str, until: str = "") -> tuple[Rule, ...]:
    """What ``copy=None`` of NumPy's constructors means."""
    return (
        Rule(all_of(ARRAYS_AND_BARE_TENSORS, SAME_DTYPE), "outcome", "shared", sentence, until=until),
        Rule(all_of(ARRAYS_AND_BARE_TENSORS, ANOTHER_DTYPE), "outcome", "copied", sentence, until=until),
    )


def _never_copy() -> tuple[Rule, ...]:
    """What ``copy=False`` of NumPy's constructors means for an array; for a tensor the pages leave it open."""
    return (
        Rule(all_of(ANY_NDARRAY, SAME_DTYPE), "outcome", "shared", _NP_FALSE),
        Rule(all_of(ANY_NDARRAY, ANOTHER_DTYPE), "outcome", "refused", _NP_FALSE),
        Rule(ANY_NDARRAY, "exception", "ValueError", _NP_FALSE),
    )


def _into_numpy(shared: When) -> tuple[Rule, ...]:
    """What the page of ``Tensor.numpy`` says of a tensor whose storage the array shares."""
    return (
        Rule(shared, "outcome", "shared", _SHARE_STORAGE, page="torch.Tensor.numpy"),
        Rule(all_of(shared, HAS_ELEMENTS), "writes", "seen", _SHARE_STORAGE, page="torch.Tensor.numpy"),
        Rule(shared, "type", "numpy.ndarray", _AS_AN_NDARRAY, page="torch.Tensor.numpy"),
    )


def _copies(summary: str, pitfall: str) -> Copy:
    """Return what ``copy=True`` makes of a constructor of NumPy."""
    return Copy(
        value=True,
        newer=True,
        summary=summary,
        rules=(Rule(ARRAYS_AND_BARE_TENSORS, "outcome", "copied", _NP_TRUE),),
        pitfalls=(Pitfall(text=pitfall, shows="copied", direction=Direction.NUMPY_TO_NUMPY),),
    )


def _never_copies(summary: str) -> Copy:
    """Return what ``copy=False`` makes of a constructor of NumPy."""
    return Copy(
        value=False,
        newer=True,
        summary=summary,
        rules=_never_copy(),
        pitfalls=(
            Pitfall(
                text="Raises if another dtype is requested.",
                shows="refused",
                to_dtype="float64",
                direction=Direction.NUMPY_TO_NUMPY,
            ),
        ),
    )


NP_MIGRATION_PAGE = NUMPY_DOCS + "numpy_2_0_migration_guide.html"

UNTESTED: dict[str, Mapping[str, str]] = {
    "torch.Tensor.numpy": {
        "force (bool): if True, the ndarray may be a copy of the tensor instead of always sharing memory, defaults "
        "to False.": HEDGED,
    },
    "torch.Tensor.tolist": {
        "Tensors are automatically moved to the CPU first if necessary.": DEVICE,
        "This operation is not differentiable.": "a list has no gradient",
    },
    "numpy.array": {
        "If not given, NumPy will try to use a default dtype that can represent the values (by applying promotion "
        "rules when necessary.)": WHICH_DTYPE,
    },
    "numpy.from_dlpack": {
        "Generally, the returned NumPy array is a view of the input object.": "it says what is general",
        "Passing it requests a copy from the exporter who may or may not implement the capability.": HEDGED,
    },
    "numpy.max": {
        "If axis is None, the result is a scalar value.": "it is about arrays, and the conversion is of tensors",
        "NaN values are propagated, that is if at least one item is NaN, the corresponding max value will be NaN "
        "as well.": "no generated value is NaN",
    },
    "numpy.transpose": {"A view is returned whenever possible.": POSSIBLE},
}
"""The sentences of a page that promise, forbid or warn, and why no experiment is held against each."""

CONVERSIONS: tuple[Conversion, ...] = (
    # from PyTorch to NumPy
    Conversion(
        name="Tensor.numpy",
        sources=(TORCH,),
        target=NUMPY,
        code="x.numpy()",
        page="torch.Tensor.numpy",
        hook=InterceptedAt("torch.Tensor.numpy"),
        groups=("classic",),
        summary="An ndarray that shares the tensor's memory, or an error.",
        rules=(
            *_into_numpy(BARE_TENSOR),
            Rule(ELSEWHERE, "outcome", "refused", _ONLY_IF),
            Rule(all_of(A_TENSOR, GRAD), "outcome", "refused", _ONLY_IF),
            Rule(all_of(A_TENSOR, state("conjugate-bit")), "outcome", "refused", _ONLY_IF),
            Rule(SPARSE, "outcome", "refused", _ONLY_IF),
            Rule(NUMPY_LACKS_IT, "outcome", "refused", _ONLY_IF),
        ),
        pitfalls=(
            Pitfall(
                text="A later write to the array also changes the tensor. Use x.numpy().copy() to keep the values.",
                shows="shared",
            ),
            Pitfall(
                text="Raises for a tensor that requires grad. x.detach().numpy() shares memory; autograd does not "
                "track writes to that array.",
                shows="refused",
                state="requires-grad",
            ),
            Pitfall(
                text="Raises for bfloat16, which NumPy lacks. Use x.float().numpy(), or x.view(torch.uint16).numpy() "
                "for the raw bits.",
                shows="refused",
                dtype="bfloat16",
            ),
            Pitfall(
                text="The array of an expanded tensor is writable: one write changes every row.",
                shows="elements-overlap",
                layout="broadcast",
            ),
        ),
    ),
    Conversion(
        name="Tensor.numpy(force=True)",
        sources=(TORCH,),
        target=NUMPY,
        code="x.numpy(force=True)",
        page="torch.Tensor.numpy",
        hook=InterceptedAt("torch.Tensor.numpy"),
        summary="x.detach().cpu().resolve_conj().resolve_neg().numpy() in one call: shares memory if no step has to "
        "copy.",
        rules=(
            Rule(
                all_of(A_TENSOR, LAZY_BITS),
                "outcome",
                "copied",
                "If the tensor isn't on the CPU or the conjugate or negative bit is set, the tensor won't share its "
                "storage with the returned ndarray.",
            ),
            Rule(
                all_of(A_TENSOR, not_(LAZY_BITS)),
                "outcome",
                "shared",
                "If force is True this is equivalent to calling t.detach().cpu().resolve_conj().resolve_neg().numpy().",
            ),
            Rule(A_TENSOR, "type", "numpy.ndarray", _AS_AN_NDARRAY),
        ),
        pitfalls=(
            Pitfall(
                text="force=True is not a guarantee of a copy: if nothing has to be resolved, the array shares "
                "memory, even if the tensor requires grad.",
                shows="shared",
                state="requires-grad",
            ),
            Pitfall(
                text="A lazy conjugate is resolved into new memory, so the same call copies.",
                shows="copied",
                dtype="complex64",
                state="conjugate-bit",
            ),
        ),
    ),
    Conversion(
        name="Tensor.detach().numpy()",
        sources=(TORCH,),
        target=NUMPY,
        code="x.detach().numpy()",
        page="torch.Tensor.numpy",
        hook=ComposedOf(("Tensor.numpy",)),
        summary="The usual idiom for a tensor that may require grad: shares memory.",
        rules=_into_numpy(all_of(A_TENSOR, not_(LAZY_BITS))),
        pitfalls=(
            Pitfall(
                text="detach() drops the autograd history, not the memory: a write to the array changes the parameter.",
                shows="shared",
                state="parameter",
            ),
        ),
    ),
    Conversion(
        name="Tensor.detach().cpu().numpy()",
        sources=(TORCH,),
        target=NUMPY,
        code="x.detach().cpu().numpy()",
        page="torch.Tensor.numpy",
        hook=ComposedOf(("Tensor.cpu", "Tensor.numpy")),
        summary="The usual idiom for a tensor on any device: shares memory on the CPU, copies from other devices.",
        rules=_into_numpy(all_of(A_TENSOR, not_(LAZY_BITS))),
        pitfalls=(
            Pitfall(
                text="For a tensor on the CPU, cpu() returns the tensor itself and the array shares memory. For a "
                "tensor on a GPU, cpu() copies.",
                shows="shared",
            ),
        ),
    ),
    *with_copy(
        Conversion(
            name="Tensor.__array__",
            sources=(TORCH,),
            target=NUMPY,
            code="x.__array__()",
            code_with_dtype="x.__array__(dtype)",
            page=NP_INTEROPERABILITY_PAGE,
            hook=InterceptedAt("torch.Tensor.__array__"),
            summary="NumPy calls this for np.asarray, np.array and ufuncs: shares memory without a dtype.",
            rules=(
                Rule(
                    all_of(BARE_TENSOR, SAME_DTYPE),
                    "outcome",
                    "shared",
                    "Under the hood, the Tensor.__array__() method returns a NumPy ndarray as a view of the tensor "
                    "data buffer.",
                ),
            ),
            pitfalls=(
                Pitfall(
                    text="With a dtype argument that differs it copies; without one it shares memory.",
                    shows="copied",
                    to_dtype="float64",
                ),
            ),
        ),
        Copy(
            value=False,
            page=NP_MIGRATION_PAGE,
            summary="NumPy 2 passes copy=: returns an array that shares memory, or raises if __array__ has no copy=.",
            rules=(
                Rule(
                    all_of(BARE_TENSOR, SAME_DTYPE),
                    "outcome",
                    "shared",
                    "For any __array__ method on a non-NumPy array-like object, dtype=None and copy=None keywords "
                    "must be added to the signature […] copy=False a copy must never be made.",
                ),
            ),
            pitfalls=(
                Pitfall(
                    text="Raises if the method has no copy=. np.asarray and np.array then call it without copy=.",
                    shows="refused",
                ),
            ),
        ),
    ),
    Conversion(
        name="Tensor.tolist",
        sources=(TORCH,),
        target=NUMPY,
        code="x.tolist()",
        page="torch.Tensor.tolist",
        hook=InterceptedAt("torch.Tensor.tolist"),
        groups=("lists",),
        summary="Copies the values into nested lists of Python numbers.",
        rules=(
            Rule(all_of(A_TENSOR, HAS_ROWS), "type", "list", "Returns the tensor as a (nested) list."),
            Rule(
                all_of(A_TENSOR, ZERO_D),
                "type",
                A_PYTHON_NUMBER,
                "For scalars, a standard Python number is returned, just like with Tensor.item.",
                earlier=("For scalars, a standard Python number is returned, just like with torch.Tensor.item.",),
            ),
        ),
        pitfalls=(Pitfall(text="A list never shares memory with the tensor.", shows="copied"),),
    ),
    Conversion(
        name="np.sin",
        sources=(TORCH,),
        target=NUMPY,
        code="np.sin(x)",
        page="numpy.sin",
        hook=ComposedOf(("Tensor.__array__",)),
        changes=("values",),
        summary="A NumPy ufunc called on a tensor: computes into new memory, so nothing is shared.",
        rules=(
            Rule(
                BARE_TENSOR,
                "outcome",
                "copied",
                "If not provided or None, a freshly-allocated array is returned.",
            ),
        ),
        pitfalls=(
            Pitfall(text="The result is a tensor, not an ndarray.", shows="copied"),
            _RAISES_FOR_GRAD,
        ),
    ),
    Conversion(
        name="np.max",
        sources=(TORCH,),
        target=NUMPY,
        code="np.max(x)",
        page="numpy.max",
        hook=ComposedOf(("Tensor.__array__",)),
        changes=("shape", "values"),
        summary="A NumPy function that calls the tensor's method of the same name, with NumPy's arguments.",
        rules=(),
        pitfalls=(
            Pitfall(
                text="Tensor.max does not take axis= and out=, which NumPy passes: use np.max(x.numpy()) or x.max().",
                shows="refused",
            ),
        ),
    ),
    Conversion(
        name="Tensor.untyped_storage().numpy()",
        sources=(TORCH,),
        target=NUMPY,
        code="torch.empty(0, dtype=torch.uint8).set_(x.untyped_storage()).numpy()",
        page="torch.Tensor.untyped_storage",
        hook=ComposedOf(("Tensor.numpy",)),
        groups=("storage",),
        changes=("dtype", "shape", "values"),
        summary="A uint8 array that shares the tensor's whole storage, including bytes outside the tensor's view.",
        # any byte but 0 is True, so a write of one need not show in a bool
        rules=(
            Rule(
                all_of(BARE_TENSOR, not_(dtype("bool"))),
                "outcome",
                "shared",
                _SHARE_STORAGE,
                page="torch.Tensor.numpy",
            ),
        ),
        pitfalls=(
            Pitfall(
                text="The tensor is a view of part of the storage; this array covers all of it.",
                shows="shared",
                layout="non-contiguous",
            ),
        ),
    ),
    Conversion(
        name="Tensor.view(torch.uint8).numpy()",
        sources=(TORCH,),
        target=NUMPY,
        code="x.view(torch.uint8).numpy()",
        page="torch.Tensor.view",
        hook=ComposedOf(("Tensor.numpy",)),
        groups=("bits",),
        changes=("dtype", "shape", "values"),
        summary="A uint8 array that shares the bytes of a tensor, e.g. if NumPy lacks its dtype.",
        rules=(
            Rule(all_of(BARE_TENSOR, dtype("int8")), "outcome", "shared", VIEW_OF_ANOTHER_DTYPE),
            Rule(
                all_of(BARE_TENSOR, dtype("uint8")),
                "outcome",
                "shared",
                _SHARE_STORAGE,
                page="torch.Tensor.numpy",
            ),
        ),
        pitfalls=(Pitfall(text="Works for bfloat16, for which numpy() raises.", shows="shared", dtype="bfloat16"),),
    ),
    Conversion(
        name="Tensor.view(torch.uint16).numpy()",
        sources=(TORCH,),
        target=NUMPY,
        code="x.view(torch.uint16).numpy()",
        page="torch.Tensor.view",
        hook=ComposedOf(("Tensor.numpy",)),
        groups=("bits",),
        needs="torch.uint16",
        changes=("dtype", "shape", "values"),
        summary="A uint16 array that shares the bits of a bfloat16 tensor, one uint16 per element.",
        rules=(
            Rule(
                all_of(WITH_DATA, dtype("bfloat16", "float16", "int16"), not_(GRAD), not_(LAZY_BITS)),
                "outcome",
                "shared",
                VIEW_OF_ANOTHER_DTYPE,
            ),
        ),
        pitfalls=(
            Pitfall(
                text="The array holds raw bits, not numbers. View them as bfloat16 again to read them.",
                shows="shared",
                dtype="bfloat16",
            ),
            Pitfall(text="A dtype of another size changes the last dimension.", shows="shared", dtype="float32"),
        ),
    ),
    Conversion(
        name="torch.view_as_real().numpy()",
        sources=(TORCH,),
        target=NUMPY,
        code="torch.view_as_real(x).numpy()",
        page="torch.view_as_real",
        hook=ComposedOf(("Tensor.numpy",)),
        groups=("bits",),
        changes=("dtype", "shape", "values"),
        summary="An array that shares a complex tensor's memory as pairs of reals, on a last axis of length 2.",
        rules=(
            Rule(
                all_of(BARE_TENSOR, COMPLEX),
                "outcome",
                "shared",
                "Returns a view of input as a real tensor.",
            ),
            Rule(
                all_of(BARE_TENSOR, not_(COMPLEX)),
                "outcome",
                "refused",
                "view_as_real is only supported for tensors with complex dtypes.",
            ),
        ),
        pitfalls=(
            Pitfall(
                text="Raises for a lazy conjugate. Call resolve_conj() first.",
                shows="refused",
                dtype="complex64",
                state="conjugate-bit",
            ),
        ),
    ),
    # to NumPy, from either
    *with_copy(
        Conversion(
            name="np.asarray",
            sources=(TORCH, NUMPY, *CARRIED),
            target=NUMPY,
            code="np.asarray(x)",
            code_with_dtype="np.asarray(x, dtype=dtype)",
            page="numpy.asarray",
            hook=InterceptedAt("numpy.asarray", "a"),
            groups=OF_ANY_OBJECT,
            summary="An ndarray that shares memory if possible, and a copy otherwise.",
            rules=(
                Rule(
                    all_of(ANY_NDARRAY, SAME_DTYPE),
                    "outcome",
                    "shared",
                    "No copy is performed if the input is already an ndarray with matching dtype and order.",
                ),
                *_copy_if_needed(_NP_NONE),
                Rule(
                    SUBCLASS,
                    "type",
                    "numpy.ndarray",
                    "If a is a subclass of ndarray, a base class ndarray is returned.",
                ),
                Rule(
                    all_of(ARRAYS_AND_BARE_TENSORS, not_(layout("byte-swapped")), not_(ASKED_DTYPE)),
                    "dtype",
                    THE_SOURCES,
                    _NP_INFERRED,
                ),
            ),
            pitfalls=(
                Pitfall(
                    text="Returns an ndarray itself, so a function that starts with np.asarray writes into the "
                    "caller's array.",
                    shows="shared",
                    direction=Direction.NUMPY_TO_NUMPY,
                ),
                Pitfall(text="Copies silently if the dtype differs.", shows="copied", to_dtype="float64"),
                Pitfall(text="A masked array loses its mask.", shows="mask-lost", state="masked"),
                Pitfall(
                    text="Shares the memory of a bytearray, but copies bytes, to one text. Use np.frombuffer.",
                    shows="shape-changed",
                    expr="bytes(8)",
                ),
            ),
        ),
        _copies("An ndarray in new memory: always a copy.", "Copies where np.asarray without copy= shares memory."),
        _never_copies("An ndarray that shares memory, or a ValueError."),
    ),
    *with_copy(
        Conversion(
            name="np.asanyarray",
            sources=(TORCH, NUMPY),
            target=NUMPY,
            code="np.asanyarray(x)",
            code_with_dtype="np.asanyarray(x, dtype=dtype)",
            page="numpy.asanyarray",
            hook=InterceptedAt("numpy.asanyarray", "a"),
            summary="Like np.asarray, but keeps subclasses of ndarray: shares memory if possible, copies otherwise.",
            rules=(
                *_copy_if_needed(_NP_NONE),
                Rule(
                    all_of(ANY_NDARRAY, not_(ASKED_DTYPE)),
                    "object",
                    "the same",
                    "If a is an ndarray or a subclass of ndarray, it is returned as-is and no copy is performed.",
                ),
                Rule(
                    all_of(ARRAYS_AND_BARE_TENSORS, not_(layout("byte-swapped")), not_(ASKED_DTYPE)),
                    "dtype",
                    THE_SOURCES,
                    _NP_INFERRED,
                ),
            ),
            pitfalls=(
                Pitfall(text="Returns a masked array unchanged, with its mask.", shows="shared", state="masked"),
            ),
        ),
        _copies(
            "A copy that keeps subclasses of ndarray.", "Copies where np.asanyarray without copy= returns its argument."
        ),
        _never_copies("Keeps subclasses of ndarray and shares memory, or raises ValueError."),
    ),
    *with_copy(
        Conversion(
            name="np.array",
            sources=(TORCH, NUMPY, *CARRIED),
            target=NUMPY,
            code="np.array(x)",
            code_with_dtype="np.array(x, dtype=dtype)",
            page="numpy.array",
            hook=InterceptedAt("numpy.array", "object"),
            groups=OF_ANY_OBJECT,
            summary="A new ndarray: always a copy, since copy=True is the default.",
            rules=(
                Rule(
                    ARRAYS_AND_BARE_TENSORS,
                    "outcome",
                    "copied",
                    "If True (default), then the array data is copied.",
                    earlier=("If true (default), then the object is copied.",),
                ),
                Rule(SUBCLASS, "type", "numpy.ndarray", f"{SUBOK_FALSE} (default)."),
                Rule(
                    all_of(ANY_NDARRAY, dtype("object"), SAME_DTYPE, HAS_ELEMENTS),
                    "elements",
                    "the same objects",
                    "Note that any copy of the data is shallow, i.e., for arrays with object dtype, the new array "
                    "will point to the same objects.",
                ),
                Rule(
                    all_of(ARRAYS_AND_BARE_TENSORS, ASKED_DTYPE),
                    "dtype",
                    THE_ONE_ASKED_FOR,
                    "The desired data-type for the array.",
                ),
            ),
            pitfalls=(
                Pitfall(
                    text="A subclass becomes a plain ndarray: a masked array loses its mask.",
                    shows="mask-lost",
                    state="masked",
                ),
                Pitfall(
                    text="Copies an object array, but not the objects in it.",
                    shows="nested-objects-shared",
                    dtype="object",
                    direction=Direction.NUMPY_TO_NUMPY,
                ),
            ),
        ),
        Copy(
            value=None,
            summary="Like np.asarray: shares memory if possible, copies otherwise.",
            rules=_copy_if_needed(_NP_ARRAY_NONE),
            pitfalls=(
                Pitfall(
                    text="Returns the array without copying it.", shows="shared", direction=Direction.NUMPY_TO_NUMPY
                ),
            ),
        ),
        Copy(
            value=False,
            summary="Shares memory or raises ValueError since NumPy 2. In NumPy 1 it meant what copy=None means now.",
            rules=(
                *_never_copy(),
                # NumPy 1: False meant what None means now
                *_copy_if_needed(_NP_1_ARRAY_OTHERWISE, until="NumPy 1.26"),
            ),
            pitfalls=(
                Pitfall(
                    text='NumPy 1 code that passes copy=False as "copy only if needed" raises if a copy is needed.',
                    shows="refused",
                    to_dtype="float64",
                    direction=Direction.NUMPY_TO_NUMPY,
                ),
            ),
        ),
    ),
    Conversion(
        name="np.ascontiguousarray",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.ascontiguousarray(x)",
        code_with_dtype="np.ascontiguousarray(x, dtype=dtype)",
        page="numpy.ascontiguousarray",
        hook=InterceptedAt("numpy.ascontiguousarray", "a"),
        summary="A C-contiguous ndarray with at least 1 dimension: shares memory if it is one already, copies "
        "otherwise.",
        rules=(
            Rule(
                all_of(ARRAYS_AND_BARE_TENSORS, not_(state("masked")), not_(ASKED_DTYPE), HAS_ROWS),
                "values",
                "equal",
                _CONTIGUOUS,
            ),
            Rule(all_of(ARRAYS_AND_BARE_TENSORS, ASKED_DTYPE), "dtype", THE_ONE_ASKED_FOR, _CONTIGUOUS),
            Rule(
                all_of(ARRAYS_AND_BARE_TENSORS, HAS_ELEMENTS),
                "contiguity",
                "row-major",
                "Return a contiguous array (ndim >= 1) in memory (C order).",
            ),
            Rule(
                all_of(ANY_NDARRAY, layout("fortran"), MULTIDIMENSIONAL),
                "outcome",
                "copied",
                "Calling ascontiguousarray makes a C-contiguous copy:",
            ),
            Rule(
                all_of(ANY_NDARRAY, not_(MAY_BE_A_SUBCLASS), ROW_MAJOR, HAS_ROWS, SAME_DTYPE),
                "object",
                "the same",
                "Then, calling ascontiguousarray returns the same object:",
            ),
            Rule(
                all_of(ARRAYS_AND_BARE_TENSORS, ZERO_D),
                "dimensions",
                "1",
                "Note: This function returns an array with at least one-dimension (1-d) so it will not preserve 0-d "
                "arrays.",
            ),
        ),
        pitfalls=(
            Pitfall(
                text="Shares memory with a C-contiguous array and copies any other: the same line does both.",
                shows="copied",
                layout="non-contiguous",
                direction=Direction.NUMPY_TO_NUMPY,
            ),
            Pitfall(
                text="A 0-d array becomes 1-d.",
                shows="shape-changed",
                shape="()",
                direction=Direction.NUMPY_TO_NUMPY,
            ),
        ),
    ),
    *with_copy(
        Conversion(
            name="np.from_dlpack",
            sources=(TORCH, NUMPY, JAX, OTHER),
            target=NUMPY,
            code="np.from_dlpack(x)",
            page="numpy.from_dlpack",
            hook=InterceptedAt("numpy.from_dlpack", "x"),
            groups=("dlpack", "arrow", "jax", "protocols"),
            summary="An ndarray that shares the tensor's memory through DLPack.",
            rules=(
                Rule(
                    any_of(AN_ARRAY, BARE_TENSOR),
                    "outcome",
                    "shared-or-copied",
                    "If None, the function will reuse the existing memory buffer if possible and copy otherwise.",
                ),
                *DLPACK_RULES,
            ),
            pitfalls=(
                Pitfall(text="Raises for a tensor that requires grad.", shows="refused", state="requires-grad"),
                _IGNORES_THE_NEGATIVE_BIT,
            ),
        ),
        Copy(
            value=True,
            newer=True,
            summary="A copy through DLPack.",
            rules=(
                Rule(any_of(AN_ARRAY, BARE_TENSOR), "copy", "copy", "If True, the copy will be made."),
                *DLPACK_RULES,
            ),
            pitfalls=(
                Pitfall(
                    text="Copies where np.from_dlpack without copy= shares memory.",
                    shows="copied",
                    direction=Direction.TORCH_TO_NUMPY,
                ),
            ),
        ),
        Copy(
            value=False,
            newer=True,
            summary="Shares memory through DLPack, or raises BufferError.",
            rules=(
                Rule(
                    any_of(AN_ARRAY, BARE_TENSOR),
                    "copy",
                    "no copy",
                    "If False, the function will never copy, and will raise BufferError in case a copy is deemed "
                    "necessary.",
                ),
                *DLPACK_RULES,
            ),
            pitfalls=(_IGNORES_THE_NEGATIVE_BIT,),
        ),
    ),
    Conversion(
        name="np.copyto",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.copyto(y := np.empty(x.shape, np.float32), x) or y",
        page="numpy.copyto",
        hook=ComposedOf(("Tensor.__array__",)),
        changes=("dtype",),
        summary="Copies the values into an existing array, here of float32.",
        rules=(
            Rule(
                all_of(ANY_NDARRAY, OF_LISTED_DTYPE, not_(COMPLEX)),
                "outcome",
                "copied",
                "Copies values from one array to another, broadcasting as necessary.",
            ),
            Rule(all_of(ANY_NDARRAY, COMPLEX), "outcome", "refused", _RAISES_TYPE_ERROR),
            Rule(all_of(ANY_NDARRAY, COMPLEX), "exception", "TypeError", _RAISES_TYPE_ERROR),
        ),
        pitfalls=(
            Pitfall(
                text="The array keeps its dtype: float64 values lose digits.", shows="values-changed", dtype="float64"
            ),
            Pitfall(
                text="Raises if the cast is to another kind of dtype, e.g. complex to float.",
                shows="refused",
                dtype="complex64",
            ),
            _RAISES_FOR_GRAD,
        ),
    ),
    Conversion(
        name="np.transpose",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.transpose(x)",
        page="numpy.transpose",
        hook=ComposedOf(("Tensor.__array__",)),
        changes=("shape", "values"),
        summary="A view with the axes in reverse order: shares memory.",
        rules=(
            Rule(
                all_of(ANY_NDARRAY, ONE_DIMENSION),
                "outcome",
                "shared",
                "For a 1-D array, this returns an unchanged view of the original array, as a transposed vector is "
                "simply the same vector.",
            ),
        ),
        pitfalls=(
            Pitfall(
                text="For a tensor the result is a tensor, not an ndarray; it shares memory.",
                shows="shared",
                direction=Direction.TORCH_TO_NUMPY,
            ),
            _RAISES_FOR_GRAD,
        ),
    ),
)
