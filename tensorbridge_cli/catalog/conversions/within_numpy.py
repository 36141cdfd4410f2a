"""Conversions from NumPy to NumPy.

Each is one entry, with its documented rules, its pitfalls and its hook; see ``to_torch``.
"""

from __future__ import annotations

from collections.abc import Mapping

from tensorbridge_cli.catalog.conditions import (
    A_BUFFER_OF_NUMBERS,
    ANY_NDARRAY,
    ASKED_DTYPE,
    COMPLEX,
    HAS_ELEMENTS,
    HAS_ROWS,
    ORDINARY_CAST,
    REALS_ASKED,
    ROW_MAJOR,
    SAME_DTYPE,
    SUBCLASS,
    WRITABLE,
    all_of,
    any_of,
    dtype,
    not_,
    state,
)
from tensorbridge_cli.catalog.documentation import (
    GIVES_ADVICE,
    HEDGED,
    NOT_COMPARED,
    NUMPY_DOCS,
    POSSIBLE,
    SUBOK_FALSE,
)
from tensorbridge_cli.catalog.entry import (
    BUFFER,
    NUMPY,
    THE_ONE_ASKED_FOR,
    THE_SOURCES,
    Conversion,
    Rule,
)
from tensorbridge_cli.catalog.hooks import (
    ONLY_A_VIEW,
    OPERATOR,
    ComposedOf,
    InterceptedAt,
    MonitoredMethod,
)
from tensorbridge_cli.catalog.pitfalls import Pitfall

_ADVANCED = "Advanced indexing always returns a copy of the data (contrast with basic slicing that returns a view)."
_ASTYPE_FALSE = (
    "If this is set to false, and the dtype, order, and subok requirements are satisfied, the input array is returned "
    "instead of a copy."
)
_COLLAPSED = "Return a copy of the array collapsed into one dimension."
_NEW_VIEW = "New view of array with the same data."
_OF_ITS_DTYPE = all_of(ANY_NDARRAY, not_(ASKED_DTYPE))
_CAST = "Copy of the array, cast to a specified type."
NP_INDEXING_PAGE = NUMPY_DOCS + "user/basics.indexing.html"

UNTESTED: dict[str, Mapping[str, str]] = {
    "numpy.frombuffer": {
        "If the buffer has data that is not in machine byte-order, this should be specified as part of the "
        "data-type, e.g.:: […] The data of the resulting array will not be byteswapped, but will be interpreted "
        "correctly.": NOT_COMPARED,
        "This should be safe in general, but it may make sense to copy the result when the original object is "
        "mutable or untrusted.": GIVES_ADVICE,
    },
    "numpy.reshape": {
        "Gives a new shape to an array without changing its data.": NOT_COMPARED,
        "Note there is no guarantee of the memory layout (C- or Fortran- contiguous) of the returned array.": (
            "it promises nothing"
        ),
        "It is not always possible to change the shape of an array without copying the data.": POSSIBLE,
    },
    "numpy.ravel": {
        "Note that matrices are special cased for backward compatibility, if a is a matrix, then y is a 1-D "
        "ndarray.": "it is about np.ravel: the method of a matrix is another",
        "The elements in a are read in the order specified by order, and packed as a 1-D array.": NOT_COMPARED,
    },
    "numpy.ndarray.view": {
        "This can cause a reinterpretation of the bytes of memory.": HEDGED,
        "For a.view(some_dtype), if some_dtype has a different number of bytes per entry than the previous dtype "
        "(for example, converting a regular array to a structured array), then the last axis of a must be "
        "contiguous. This axis will be resized in the result.": "it does not say what happens otherwise, and the "
        "values of another shape are not compared",
        "Views that change the dtype size (bytes per entry) should normally be avoided on arrays defined by "
        "slices, transposes, fortran-ordering, etc.:": GIVES_ADVICE,
        "However, views that change dtype are totally fine for arrays with a contiguous last axis, even if the "
        "rest of the axes are not C-contiguous:": GIVES_ADVICE,
    },
}
"""The sentences of a page that promise, forbid or warn, and why no experiment is held against each."""

CONVERSIONS: tuple[Conversion, ...] = (
    # from NumPy to NumPy
    Conversion(
        name="np.copy",
        sources=(NUMPY,),
        target=NUMPY,
        code="np.copy(x)",
        page="numpy.copy",
        hook=InterceptedAt("numpy.copy", "a"),
        summary="A copy; subclasses become a plain ndarray.",
        rules=(
            Rule(ANY_NDARRAY, "outcome", "copied", "Return an array copy of the given object."),
            Rule(SUBCLASS, "type", "numpy.ndarray", f"{SUBOK_FALSE} (defaults to False)."),
            Rule(
                all_of(ANY_NDARRAY, state("read-only")),
                "writable",
                "writable",
                "Note that, np.copy clears previously set WRITEABLE=False flag.",
            ),
            Rule(
                all_of(ANY_NDARRAY, dtype("object"), HAS_ELEMENTS),
                "elements",
                "the same objects",
                "The copy made of the data is shallow, i.e., for arrays with object dtype, the new array will point "
                "to the same objects.",
            ),
        ),
        pitfalls=(Pitfall(text="A masked array loses its mask.", shows="mask-lost", state="masked"),),
    ),
    Conversion(
        name="np.frombuffer",
        sources=(NUMPY, BUFFER),
        target=NUMPY,
        code="np.frombuffer(x, dtype=x.dtype)",
        code_with_dtype="np.frombuffer(x, dtype=dtype)",
        code_from={BUFFER: "np.frombuffer(x, dtype={literal})"},
        page="numpy.frombuffer",
        hook=InterceptedAt("numpy.frombuffer", "buffer"),
        groups=("buffers",),
        changes=("shape",),
        summary="A 1-d array that shares the memory of any buffer.",
        rules=(
            Rule(
                A_BUFFER_OF_NUMBERS,
                "outcome",
                "shared",
                "This function creates a view into the original object.",
            ),
            Rule(
                A_BUFFER_OF_NUMBERS,
                "dimensions",
                "1",
                "Interpret a buffer as a 1-dimensional array.",
            ),
        ),
        pitfalls=(
            Pitfall(text="The array of a read-only buffer is read-only, too.", shows="shared", state="read-only"),
        ),
    ),
    Conversion(
        name="ndarray.copy",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.copy()",
        page="numpy.ndarray.copy",
        hook=MonitoredMethod("copy"),
        summary="A copy of the same type, C-contiguous by default.",
        rules=(
            Rule(ANY_NDARRAY, "outcome", "copied", "Return a copy of the array."),
            Rule(SUBCLASS, "type", THE_SOURCES, "this function always passes sub-classes through"),
            Rule(
                all_of(ANY_NDARRAY, dtype("object"), HAS_ELEMENTS),
                "elements",
                "the same objects",
                "For arrays containing Python objects (e.g. dtype=object), the copy is a shallow one. The new array "
                "will "
                "contain the same object which may lead to surprises if that object can be modified (is mutable):",
            ),
        ),
        pitfalls=(
            Pitfall(
                text="The copy of an object array holds the same objects.",
                shows="nested-objects-shared",
                dtype="object",
            ),
        ),
    ),
    Conversion(
        name="ndarray.view",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.view()",
        code_with_dtype="x.view(dtype)",
        page="numpy.ndarray.view",
        hook=ONLY_A_VIEW,
        summary="A view that shares memory, with another dtype or type.",
        rules=(
            Rule(_OF_ITS_DTYPE, "outcome", "shared", _NEW_VIEW),
            Rule(_OF_ITS_DTYPE, "copy", "no copy", _NEW_VIEW),
            Rule(
                all_of(ANY_NDARRAY, ASKED_DTYPE),
                "copy",
                "no copy",
                "a.view(some_dtype) or a.view(dtype=some_dtype) constructs a view of the array's memory with a "
                "different data-type.",
            ),
            Rule(
                _OF_ITS_DTYPE,
                "dtype",
                THE_SOURCES,
                "Omitting it results in the view having the same data-type as a.",
            ),
            Rule(
                _OF_ITS_DTYPE,
                "type",
                THE_SOURCES,
                "Again, omission of the parameter results in type preservation.",
            ),
            Rule(
                all_of(ANY_NDARRAY, WRITABLE, HAS_ELEMENTS, not_(ASKED_DTYPE)),
                "writes",
                "seen",
                "Making changes to the view changes the underlying array",
            ),
        ),
        pitfalls=(
            Pitfall(
                text="With another dtype the same bytes are read as other numbers.",
                shows="dtype-reinterpreted",
                to_dtype="int32",
            ),
        ),
    ),
    Conversion(
        name="ndarray.reshape",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.reshape(-1)",
        page="numpy.reshape",
        hook=MonitoredMethod("reshape"),
        changes=("shape",),
        summary="Another shape: a view if the strides allow it, and a copy otherwise.",
        rules=(
            Rule(
                ANY_NDARRAY,
                "outcome",
                "shared-or-copied",
                "This will be a new view object if possible; otherwise, it will be a copy.",
            ),
        ),
        pitfalls=(Pitfall(text="Copies a transposed array silently.", shows="copied", layout="transposed"),),
    ),
    Conversion(
        name="ndarray.ravel",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.ravel()",
        page="numpy.ravel",
        hook=MonitoredMethod("ravel"),
        changes=("shape",),
        summary="One dimension: a view if possible, and a copy otherwise.",
        rules=(
            Rule(all_of(ANY_NDARRAY, ROW_MAJOR), "outcome", "shared", "A copy is made only if needed."),
            Rule(
                all_of(ANY_NDARRAY, not_(state("matrix"))),
                "dimensions",
                "1",
                "A 1-D array, containing the elements of the input, is returned.",
            ),
            Rule(
                all_of(ANY_NDARRAY, not_(state("matrix")), HAS_ELEMENTS),
                "contiguity",
                "row-major",
                "y is a contiguous 1-D array of the same subtype as a, with shape (a.size,).",
                earlier=("Return a contiguous flattened array.",),
            ),
            Rule(
                # a part of a memmap that reaches no byte of the map is a plain ndarray
                all_of(ANY_NDARRAY, not_(state("matrix")), any_of(not_(state("memory-mapped")), HAS_ELEMENTS)),
                "type",
                THE_SOURCES,
                "As of NumPy 1.10, the returned array will have the same type as the input array. (for example, a "
                "masked array will be returned for a masked array input)",
            ),
        ),
        pitfalls=(Pitfall(text="Copies a transposed array.", shows="copied", layout="transposed"),),
    ),
    Conversion(
        name="ndarray.flatten",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.flatten()",
        page="numpy.ndarray.flatten",
        hook=MonitoredMethod("flatten"),
        changes=("shape",),
        summary="One dimension: always a copy, unlike Tensor.flatten.",
        rules=(
            Rule(ANY_NDARRAY, "outcome", "copied", _COLLAPSED),
            Rule(all_of(ANY_NDARRAY, not_(state("matrix"))), "dimensions", "1", _COLLAPSED),
        ),
        pitfalls=(Pitfall(text="Copies a contiguous array, too.", shows="copied"),),
    ),
    Conversion(
        name="ndarray.astype",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.astype(x.dtype)",
        code_with_dtype="x.astype(dtype)",
        page="numpy.ndarray.astype",
        hook=MonitoredMethod("astype"),
        summary="A copy with another dtype or the same one: always a copy.",
        rules=(
            Rule(
                all_of(ANY_NDARRAY, ORDINARY_CAST),
                "outcome",
                "copied",
                "By default, astype always returns a newly allocated array.",
            ),
            Rule(ASKED_DTYPE, "dtype", THE_ONE_ASKED_FOR, _CAST),
            Rule(
                all_of(SUBCLASS, ORDINARY_CAST),
                "type",
                THE_SOURCES,
                "If True, then sub-classes will be passed-through (default), otherwise the returned array will be "
                "forced to be a base-class array.",
            ),
            Rule(
                all_of(ANY_NDARRAY, COMPLEX, REALS_ASKED),
                "warning",
                "ComplexWarning",
                "ComplexWarning When casting from complex to float or int.",
            ),
        ),
        pitfalls=(Pitfall(text="Copies even if the dtype is the same. copy=False avoids that.", shows="copied"),),
    ),
    Conversion(
        name="ndarray.astype(copy=False)",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.astype(x.dtype, copy=False)",
        code_with_dtype="x.astype(dtype, copy=False)",
        page="numpy.ndarray.astype",
        hook=ComposedOf(("ndarray.astype",)),
        summary="Returns the array itself if it has the dtype, and a copy otherwise.",
        rules=(
            Rule(all_of(ANY_NDARRAY, SAME_DTYPE), "outcome", "shared", _ASTYPE_FALSE),
            Rule(all_of(ANY_NDARRAY, SAME_DTYPE), "object", "the same", _ASTYPE_FALSE),
            Rule(ASKED_DTYPE, "dtype", THE_ONE_ASKED_FOR, _CAST),
        ),
        pitfalls=(Pitfall(text="Whether it copies depends on the input.", shows="copied", to_dtype="float64"),),
    ),
    Conversion(
        name="ndarray[::2]",
        sources=(NUMPY,),
        target=NUMPY,
        code="x[::2]",
        page=NP_INDEXING_PAGE,
        hook=OPERATOR,
        changes=("shape",),
        summary="A slice: a view that shares memory.",
        rules=(
            Rule(
                all_of(ANY_NDARRAY, HAS_ROWS),
                "outcome",
                "shared",
                "All arrays generated by basic slicing are always views of the original array.",
            ),
        ),
        pitfalls=(Pitfall(text="A write to the view changes the array.", shows="shared"),),
    ),
    Conversion(
        name="ndarray[indices]",
        sources=(NUMPY,),
        target=NUMPY,
        code="x[np.arange(len(x))]",
        page=NP_INDEXING_PAGE,
        hook=OPERATOR,
        summary="The rows selected by an index array: a copy.",
        rules=(Rule(all_of(ANY_NDARRAY, HAS_ROWS), "outcome", "copied", _ADVANCED),),
        pitfalls=(Pitfall(text="x[indices][0] = 1 changes nothing; x[indices[0]] = 1 writes to x.", shows="copied"),),
    ),
    Conversion(
        name="ndarray[mask]",
        sources=(NUMPY,),
        target=NUMPY,
        code="x[np.ones(x.shape, dtype=bool)]",
        page=NP_INDEXING_PAGE,
        hook=OPERATOR,
        changes=("shape",),
        summary="The elements selected by a boolean mask: a copy.",
        rules=(Rule(ANY_NDARRAY, "outcome", "copied", _ADVANCED),),
        pitfalls=(Pitfall(text="x[mask][0] = 1 changes nothing; x[mask] = 1 writes to x.", shows="copied"),),
    ),
)
