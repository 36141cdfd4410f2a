"""Conversions to PyTorch: from an array, from either library, or from Python's lists.

Each is one entry, with its documented rules, its pitfalls and its hook. A rule quotes one sentence of a page, whole and
without markup; ``[…]`` stands for words left out. If a page is silent, hedges ("generally", "if possible") or can be
read in two ways, there is no rule.
"""

from __future__ import annotations

from collections.abc import Mapping

from tensorbridge_cli.catalog.conditions import (
    A_BUFFER,
    A_BUFFER_OF_NUMBERS,
    A_TENSOR,
    AN_ARRAY,
    ANOTHER_DTYPE,
    ANY_NDARRAY,
    ASKED_DTYPE,
    BARE_TENSOR,
    COMPLEX,
    GRAD,
    HAS_ELEMENTS,
    HAS_ROWS,
    MULTIDIMENSIONAL,
    NUMBERS_IN_A_LIST,
    OF_LISTED_DTYPE,
    ROW_MAJOR,
    SAME_DTYPE,
    SCALAR,
    WHOLE_FLOATS,
    WRITABLE,
    When,
    all_of,
    any_of,
    each_dtype,
    layout,
    not_,
    state,
)
from tensorbridge_cli.catalog.documentation import (
    DEVICE,
    DLPACK_RULES,
    HEDGED,
    NOT_ASKED,
    NOT_RESIZED,
    NP_INTEROPERABILITY_PAGE,
    OTHER_ARGUMENT,
    POSSIBLE,
    TENSORS_PAGE,
    TORCH_DOCS,
    WHICH_DTYPE,
)
from tensorbridge_cli.catalog.entry import (
    ARROW,
    BUFFER,
    CARRIED,
    JAX,
    NUMPY,
    OF_ANY_OBJECT,
    OTHER,
    PYTHON,
    THE_ONE_ASKED_FOR,
    THE_SOURCES,
    TORCH,
    UNDEFINED,
    Conversion,
    Copy,
    Rule,
    with_copy,
)
from tensorbridge_cli.catalog.hooks import (
    A_CLASS,
    RAISES,
    ComposedOf,
    InterceptedAt,
    NoHook,
)
from tensorbridge_cli.catalog.pitfalls import Pitfall
from tensorbridge_cli.records.enums import Direction, Library

_FILE = "the source of the experiment is the array that was written to the file, not the file"
_COPIES_ELEMENTS = "Copies the elements from src into self tensor and returns self."
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
_BUFFER_OF_BYTES = (
    "When obj is not a tensor, NumPy array, or DLPack capsule but implements Python's buffer protocol then the "
    "buffer is interpreted as an array of bytes grouped according to the size of the datatype passed to the "
    "dtype keyword argument. (If no datatype is passed then the default floating point datatype is used, "
    "instead.) The returned tensor will have the specified datatype (or default floating point datatype if "
    "none is specified) and, by default, be on the CPU device and share memory with the buffer."
)
_ASARRAY_DTYPE = "dtype (torch.dtype, optional): the datatype of the returned tensor."
_ASARRAY_TRUE = "If True then the returned tensor does not share its memory."
_ASARRAY_FALSE = "If False then the returned tensor shares its memory with obj and an error is thrown if it cannot."
_DLPACK_SHARES = (
    "The returned PyTorch tensor will share the memory with the input tensor (which may have come from another "
    "library)."
)
_DLPACK_WRITES = "Note that in-place operations will therefore also affect the data of the input tensor."
_A_BUFFER_OF_FLOATS = all_of(A_BUFFER, ROW_MAJOR, HAS_ELEMENTS, WHOLE_FLOATS, not_(ASKED_DTYPE))
"""A buffer that torch.asarray reads as float32 as a whole."""
_DTYPE_OF_THE_SOURCE = all_of(any_of(AN_ARRAY, A_TENSOR), not_(ASKED_DTYPE))


def _dlpack_to_torch(but: When = SCALAR) -> tuple[Rule, ...]:
    """What ``torch.from_dlpack`` says of every object with ``__dlpack__``: strides of any sign are among them."""
    exported = any_of(all_of(ANY_NDARRAY, OF_LISTED_DTYPE, not_(layout("byte-swapped", "unaligned"))), BARE_TENSOR)
    return (
        Rule(all_of(exported, not_(but)), "outcome", "shared", _DLPACK_SHARES, page="torch.from_dlpack"),
        Rule(
            all_of(any_of(AN_ARRAY, BARE_TENSOR), not_(but), WRITABLE, HAS_ELEMENTS),
            "writes",
            "seen",
            _DLPACK_WRITES,
            page="torch.from_dlpack",
        ),
        *DLPACK_RULES,
    )


def _of_data() -> tuple[Rule, ...]:
    """What the pages of ``torch.tensor`` and ``torch.as_tensor`` say of their argument ``data``."""
    return (
        Rule(any_of(NUMBERS_IN_A_LIST, all_of(SCALAR, OF_LISTED_DTYPE, SAME_DTYPE)), "call", "accepted", _CAN_BE),
        Rule(A_TENSOR, "device", THE_SOURCES, _DEVICE_OF_DATA),
        Rule(ASKED_DTYPE, "dtype", THE_ONE_ASKED_FOR, _DESIRED),
    )


def of_its_array(
    library: Library, name: str, array: str, *pitfalls: Pitfall, summary: str, calls: tuple[str, ...] = ()
) -> Conversion:
    """Return ``torch.from_numpy`` of the array that an object of another library gives.

    Args:
        library: whose objects they are.
        name: how they are called in the name of the conversion.
        array: the expression of the array; ``{}`` stands for the object.
        pitfalls: common pitfalls.
        summary: what it is, in a sentence.
        calls: the conversions that the expression calls.
    """
    return Conversion(
        name=f"torch.from_numpy({array.format(name)})",
        sources=(library,),
        target=TORCH,
        code=f"torch.from_numpy({array.format('x')})",
        page="torch.from_numpy",
        hook=ComposedOf((*calls, "torch.from_numpy")),
        summary=summary,
        rules=(),
        pitfalls=pitfalls,
    )


_THROUGH_A_FILE = """
import tempfile

def through_a_file(array, shared):
    dtype = getattr(torch, array.dtype.name)
    with tempfile.NamedTemporaryFile() as file:
        array.tofile(file.name)
        return torch.from_file(file.name, shared=shared, size=array.size, dtype=dtype).reshape(array.shape)
"""
_WRITTEN_TO_A_FILE = """
import tempfile

def written_to_a_file(array):
    dtype = getattr(torch, array.dtype.name)
    with tempfile.NamedTemporaryFile() as file:  # an empty file
        tensor = torch.from_file(file.name, shared=True, size=array.size, dtype=dtype)
        tensor.numpy()[:] = array.reshape(-1)
        return torch.from_numpy(np.fromfile(file.name, array.dtype)).reshape(array.shape)
"""

_OF_A_FILE = NoHook("its source is a file: no array is converted")
_FROM_STORAGE = (
    "torch.empty(0, dtype=getattr(torch, x.dtype.name)).set_("
    'torch.UntypedStorage.from_buffer(x, byte_order="native", dtype=getattr(torch, x.dtype.name)))'
)
STORAGE_PAGE = TORCH_DOCS + "storage.html"

UNTESTED: dict[str, Mapping[str, str]] = {
    "torch.from_numpy": {"The returned tensor is not resizable.": NOT_RESIZED},
    "torch.from_file": {
        "If shared is True, then memory is shared between processes.": "each experiment is made in one process",
        "If shared is False, then changes to the tensor do not affect the file.": _FILE,
        "Creates a CPU tensor with a storage backed by a memory-mapped file.": "a private mapping looks like a "
        "copy to every write",
        "If shared is False, then the file must contain at least size sizeof(dtype) bytes.": "the file of the "
        "experiment is large enough",
        "If shared is True the file will be created if needed.": "the file of the experiment exists, and is empty",
        "For now, tensors with storages backed by a memory-mapped file cannot be created in pinned memory.": (
            OTHER_ARGUMENT
        ),
    },
    "torch.frombuffer": {
        "The returned tensor is not resizable.": NOT_RESIZED,
        "This function's behavior is undefined when passed an object implementing the buffer protocol whose data "
        "is not on the CPU. Doing so is likely to cause a segmentation fault.": "every NumPy array is on the CPU",
        "Passing a different dtype than its source may result in unexpected behavior.": HEDGED,
        "Note that either of the following must be true:": "the sizes of generated arrays fulfil it, and it does "
        "not say what happens otherwise",
        "1. count is a positive non-zero number, and the total number of bytes in the buffer is more than offset "
        "plus count times the size (in bytes) of dtype.": OTHER_ARGUMENT,
        "2. count is negative, and the length (number of bytes) of the buffer subtracted by the offset is a "
        "multiple of the size (in bytes) of dtype.": "the sizes of generated arrays fulfil it",
    },
    "torch.as_tensor": {
        "Converts data into a tensor, sharing data and preserving autograd history if possible.": POSSIBLE,
        "Default: if None, infers data type from data.": WHICH_DTYPE,
        "If data is a CuPy array, the returned tensor will be located on the same device as the CuPy array unless "
        "specifically overwritten by device or a default device. The device of the CuPy array is inferred from the "
        "pointer of the array using cudaPointerGetAttributes unless device is provided with an explicit device "
        "index.": NOT_ASKED,
        "If None and data is not a tensor then the result tensor is constructed on the current device.": DEVICE,
    },
    "torch.tensor": {
        "Default: if None, infers data type from data.": WHICH_DTYPE,
        "If None and data is not a tensor then the result tensor is constructed on the current device.": DEVICE,
    },
    "torch.asarray": {
        "Default: None, which causes the returned tensor to share memory with obj whenever possible.": POSSIBLE,
    },
    "torch.from_dlpack": {
        "This may lead to unexpected issues (e.g., other libraries may have read-only flags or immutable data "
        "structures), so the user should only do this if they know for sure that this is fine.": HEDGED,
        "If None, PyTorch will copy only if necessary.": POSSIBLE,
    },
    "torch.utils.data.default_collate": {
        "The exact output type can be a torch.Tensor, a Sequence of torch.Tensor, a Collection of torch.Tensor, or "
        "left unchanged, depending on the input type.": HEDGED,
    },
    "numpy.add": {
        "If provided, it must have a shape that the inputs broadcast to.": "the output of the experiment has it",
    },
}
"""The sentences of a page that promise, forbid or warn, and why no experiment is held against each."""


def _read_from_a_file(*, shared: bool, summary: str) -> Conversion:
    return Conversion(
        name=f"torch.from_file(shared={shared})",
        sources=(NUMPY,),
        target=TORCH,
        code=f"through_a_file(x, shared={shared})",
        page="torch.from_file",
        hook=_OF_A_FILE,
        setup=_THROUGH_A_FILE,
        groups=("storage",),
        same_dtype=True,
        summary=summary,
        rules=(),
        pitfalls=(
            Pitfall(text="The tensor is read from the file: it shares no memory with the array.", shows="copied"),
        ),
    )


CONVERSIONS: tuple[Conversion, ...] = (
    # from NumPy to PyTorch
    Conversion(
        name="torch.from_numpy",
        sources=(NUMPY,),
        target=TORCH,
        code="torch.from_numpy(x)",
        page="torch.from_numpy",
        hook=InterceptedAt("torch.from_numpy"),
        groups=("classic",),
        summary="A tensor that shares the array's memory, or an error.",
        rules=(
            Rule(AN_ARRAY, "outcome", "shared", "The returned tensor and ndarray share the same memory."),
            Rule(
                all_of(AN_ARRAY, WRITABLE, HAS_ELEMENTS),
                "writes",
                "seen",
                "Modifications to the tensor will be reflected in the ndarray and vice versa.",
            ),
            Rule(
                AN_ARRAY,
                "call",
                "accepted",
                "It currently accepts ndarray with dtypes of numpy.float64, numpy.float32, numpy.float16, "
                "numpy.complex64, "
                "numpy.complex128, numpy.int64, numpy.int32, numpy.int16, numpy.int8, numpy.uint8, and bool.",
                earlier=(
                    "It currently accepts ndarray with dtypes of numpy.float64, numpy.float32, numpy.float16, "
                    "numpy.complex64, numpy.complex128, numpy.int64, numpy.int32, numpy.int16, numpy.int8, "
                    "numpy.uint8, and numpy.bool.",
                ),
            ),
            Rule(all_of(ANY_NDARRAY, state("read-only")), "write to the result", UNDEFINED, _READ_ONLY),
        ),
        pitfalls=(
            Pitfall(
                text="A tensor has no read-only flag: it writes to memory that NumPy protects.",
                shows="readonly-dropped",
                state="read-only",
            ),
            Pitfall(
                text="Raises for an array with a negative stride, e.g. a reversed one. Use x.copy().",
                shows="refused",
                layout="reversed",
            ),
            Pitfall(text="The mask of a masked array is lost.", shows="mask-lost", state="masked"),
            Pitfall(
                text="NumPy's default float is float64, and so is the tensor. A later .float() copies.",
                shows="shared",
                dtype="float64",
            ),
        ),
    ),
    Conversion(
        name="torch.frombuffer",
        sources=(NUMPY, BUFFER, JAX),
        target=TORCH,
        code="torch.frombuffer(x, dtype=getattr(torch, x.dtype.name))",
        code_with_dtype="torch.frombuffer(x, dtype=dtype)",
        code_from={BUFFER: "torch.frombuffer(x, dtype=torch.{dtype})"},
        same_dtype=True,
        page="torch.frombuffer",
        hook=InterceptedAt("torch.frombuffer", "buffer"),
        groups=("buffers", "jax"),
        changes=("shape",),
        summary="A 1-d tensor that shares the memory of any buffer, read with the dtype that you pass.",
        rules=(
            Rule(
                all_of(A_BUFFER_OF_NUMBERS, HAS_ELEMENTS),
                "outcome",
                "shared",
                "The returned tensor and buffer share the same memory.",
            ),
            Rule(
                all_of(A_BUFFER_OF_NUMBERS, HAS_ELEMENTS, WRITABLE),
                "writes",
                "seen",
                "Modifications to the tensor will be reflected in the buffer and vice versa.",
            ),
            Rule(
                all_of(A_BUFFER_OF_NUMBERS, HAS_ELEMENTS),
                "dimensions",
                "1",
                "Creates a 1-dimensional Tensor from an object that implements the Python buffer protocol.",
            ),
            Rule(
                all_of(AN_ARRAY, ROW_MAJOR, SAME_DTYPE),
                "owner",
                "kept",
                "This function increments the reference count for the object that owns the shared memory. Therefore, "
                "such memory will not be deallocated before the returned tensor goes out of scope.",
            ),
            Rule(
                ASKED_DTYPE,
                "dtype",
                THE_ONE_ASKED_FOR,
                "dtype (torch.dtype): the desired data type of returned tensor.",
            ),
        ),
        pitfalls=(
            Pitfall(
                text="Raises for a view with gaps: a buffer must be C-contiguous.",
                shows="refused",
                layout="non-contiguous",
            ),
            Pitfall(
                text="With another dtype than the array's, the same bytes are read as other numbers.",
                shows="dtype-reinterpreted",
                to_dtype="int32",
            ),
            Pitfall(text="Raises for an empty buffer.", shows="refused", shape="0,3"),
            Pitfall(
                text="bytes are immutable for Python, but not for the tensor: a write changes them.",
                shows="immutable-written",
                expr="bytes(8)",
            ),
        ),
    ),
    Conversion(
        name="Tensor.copy_",
        sources=(NUMPY,),
        target=TORCH,
        code="torch.empty(x.shape, dtype=getattr(torch, x.dtype.name)).copy_(torch.from_numpy(x))",
        code_with_dtype="torch.empty(x.shape, dtype=dtype).copy_(torch.from_numpy(x))",
        same_dtype=True,
        page="torch.Tensor.copy_",
        hook=InterceptedAt("torch.Tensor.copy_", "src", position=1),
        summary="Copies the values into an existing tensor.",
        rules=(
            Rule(AN_ARRAY, "outcome", "copied", _COPIES_ELEMENTS),
            Rule(all_of(AN_ARRAY, not_(state("masked")), SAME_DTYPE), "values", "equal", _COPIES_ELEMENTS),
            Rule(
                all_of(AN_ARRAY, ANOTHER_DTYPE),
                "call",
                "accepted",
                "It may be of a different data type or reside on a different device.",
            ),
        ),
        pitfalls=(
            Pitfall(
                text="Copies values only: the dtype stays that of the destination.",
                shows="copied",
                to_dtype="float16",
            ),
        ),
    ),
    Conversion(
        name="ndarray * Tensor",
        sources=(NUMPY,),
        target=TORCH,
        code="x * torch.ones(x.shape)",
        page=NP_INTEROPERABILITY_PAGE,
        hook=ComposedOf(("Tensor.__array__",)),
        changes=("dtype", "values"),
        summary="An operator with the array on the left; +, -, / and @ do the same.",
        rules=(),
        pitfalls=(
            Pitfall(
                text="It raises TypeError, while tensor * array works: use torch.from_numpy(x) * tensor.",
                shows="refused",
            ),
            Pitfall(text="A NumPy scalar is accepted.", shows="copied", state="scalar"),
        ),
    ),
    Conversion(
        name="np.add(out=Tensor)",
        sources=(NUMPY,),
        target=TORCH,
        code="np.add(x, 0, out=torch.empty(x.shape))",
        page="numpy.add",
        hook=RAISES,
        changes=("dtype", "values"),
        summary="A NumPy ufunc with a tensor as out=: raises TypeError.",
        rules=(),
        pitfalls=(
            Pitfall(
                text="out= must be an ndarray: out=tensor.numpy() writes to the tensor's memory.",
                shows="refused",
            ),
        ),
    ),
    Conversion(
        name="torch.tensor(list)",
        sources=(NUMPY,),
        target=TORCH,
        code="torch.tensor(list(x))",
        code_with_dtype="torch.tensor(list(x), dtype=dtype)",
        page="torch.tensor",
        hook=ComposedOf(("torch.tensor",)),
        groups=("lists",),
        summary="A list of arrays passed to torch.tensor: copied element by element.",
        rules=(
            Rule(
                all_of(AN_ARRAY, HAS_ROWS, not_(state("masked", "matrix")), SAME_DTYPE),
                "outcome",
                "copied",
                _BY_COPYING,
            ),
            Rule(ASKED_DTYPE, "dtype", THE_ONE_ASKED_FOR, _DESIRED),
        ),
        pitfalls=(
            Pitfall(
                text="Converts each element separately: orders of magnitude slower than np.stack first.",
                shows="copied",
            ),
        ),
    ),
    Conversion(
        name="torch.stack",
        sources=(NUMPY, PYTHON),
        target=TORCH,
        # as_tensor gives an array's memory, as from_numpy does, and a tensor itself with its gradient
        code="torch.stack([torch.as_tensor(row) for row in x])",
        code_from={PYTHON: "torch.stack(x)"},
        page="torch.stack",
        hook=InterceptedAt("torch.stack", "tensors"),
        groups=("lists",),
        summary="Copies a list of tensors (here: the rows of the source) into one tensor.",
        rules=(),
        pitfalls=(
            Pitfall(
                text="The result shares no memory with the tensors or arrays that were stacked.",
                shows="copied",
            ),
        ),
    ),
    Conversion(
        name="torch.utils.data.default_collate",
        sources=(NUMPY, PYTHON),
        target=TORCH,
        code="torch.utils.data.default_collate(list(x))",
        page="torch.utils.data.default_collate",
        hook=InterceptedAt(
            "torch.utils.data.default_collate",
            "batch",
            also=("torch.utils.data._utils.collate.default_collate", "torch.utils.data.dataloader.default_collate"),
        ),
        groups=("lists",),
        needs="torch.utils.data.default_collate",
        summary="Copies a batch of arrays into one tensor, as a DataLoader does.",
        rules=(
            Rule(
                all_of(AN_ARRAY, MULTIDIMENSIONAL, HAS_ELEMENTS, not_(state("masked", "matrix"))),
                "type",
                "torch.Tensor",
                "NumPy Arrays -> torch.Tensor",
            ),
        ),
        pitfalls=(
            Pitfall(text="The batch is a copy: later writes to the dataset's arrays do not change it.", shows="copied"),
        ),
    ),
    _read_from_a_file(
        shared=False,
        summary="A tensor over a private memory map of a file (the default): a copy whose writes do not reach the "
        "file.",
    ),
    _read_from_a_file(
        shared=True,
        summary="A tensor over a shared memory map of a file: a copy of the array whose writes go to the file, which "
        "grows if it is too short.",
    ),
    Conversion(
        name="torch.from_file(shared=True).copy_()",
        sources=(NUMPY,),
        target=TORCH,
        code="written_to_a_file(x)",
        page="torch.from_file",
        hook=_OF_A_FILE,
        setup=_WRITTEN_TO_A_FILE,
        groups=("storage",),
        same_dtype=True,
        summary="What an empty file holds after the array was written to a tensor over it.",
        rules=(
            Rule(
                all_of(AN_ARRAY, HAS_ELEMENTS, not_(state("masked"))),
                "values",
                "equal",
                "All changes are written to the file.",
            ),
        ),
        pitfalls=(
            Pitfall(
                text="The file grows to the size of the tensor, and a write to the tensor is a write to the file. "
                "Pass a copy of a file that must not change.",
                shows="copied",
            ),
        ),
    ),
    Conversion(
        name="torch.UntypedStorage.from_buffer",
        sources=(NUMPY,),
        target=TORCH,
        code=_FROM_STORAGE,
        page=STORAGE_PAGE,
        hook=NoHook("a method of an immutable type"),
        groups=("storage",),
        changes=("shape",),
        needs="torch.UntypedStorage.from_buffer",
        same_dtype=True,
        summary="Copies a buffer into a storage, read in the given byte order.",
        rules=(),
        pitfalls=(Pitfall(text="The storage is a copy of the buffer.", shows="copied"),),
    ),
    # to PyTorch, from either and from Python's lists
    Conversion(
        name="torch.as_tensor",
        sources=(NUMPY, TORCH, PYTHON, *CARRIED),
        target=TORCH,
        code="torch.as_tensor(x)",
        code_with_dtype="torch.as_tensor(x, dtype=dtype)",
        page="torch.as_tensor",
        hook=InterceptedAt("torch.as_tensor", "data"),
        groups=("classic", *OF_ANY_OBJECT),
        summary="A tensor that shares memory if possible, and a copy otherwise.",
        rules=(
            Rule(all_of(A_TENSOR, SAME_DTYPE), "outcome", "shared", _DATA_ITSELF),
            Rule(all_of(A_TENSOR, SAME_DTYPE), "object", "the same", _DATA_ITSELF),
            Rule(all_of(A_TENSOR, ANOTHER_DTYPE), "outcome", "copied", _DATA_ITSELF),
            Rule(
                all_of(AN_ARRAY, SAME_DTYPE),
                "outcome",
                "shared",
                "If data is a NumPy array (an ndarray) with the same dtype and device then a tensor is constructed "
                "using torch.from_numpy.",
            ),
            Rule(
                all_of(ANY_NDARRAY, SAME_DTYPE, state("read-only")),
                "write to the result",
                UNDEFINED,
                _READ_ONLY,
                page="torch.from_numpy",
            ),
            *_of_data(),
        ),
        pitfalls=(
            Pitfall(
                text="Copies silently if the dtype differs: later writes to the array do not change the tensor.",
                shows="copied",
                to_dtype="float64",
            ),
            Pitfall(text="Returns a tensor itself, with its autograd history.", shows="shared", state="requires-grad"),
            Pitfall(
                text="Copies a list. A list of arrays is copied element by element, which is slow.",
                shows="copied",
                state="list",
            ),
            Pitfall(
                text="Copies a bytearray element by element, to int64. Use torch.frombuffer.",
                shows="dtype-changed",
                expr="bytearray(8)",
            ),
        ),
    ),
    Conversion(
        name="torch.tensor",
        sources=(NUMPY, TORCH, PYTHON, *CARRIED),
        target=TORCH,
        code="torch.tensor(x)",
        code_with_dtype="torch.tensor(x, dtype=dtype)",
        page="torch.tensor",
        hook=InterceptedAt("torch.tensor", "data"),
        groups=("classic", *OF_ANY_OBJECT),
        summary="A new leaf tensor: always a copy.",
        rules=(
            Rule(any_of(AN_ARRAY, A_TENSOR, NUMBERS_IN_A_LIST), "outcome", "copied", _BY_COPYING),
            Rule(A_BUFFER, "copy", "copy", _BY_COPYING),
            Rule(A_TENSOR, "requires-grad", "false", _BY_COPYING),
            Rule(any_of(AN_ARRAY, A_TENSOR), "leaf", "a leaf", _BY_COPYING),
            *_of_data(),
        ),
        pitfalls=(
            Pitfall(
                text="Raises for negative strides even though it copies.",
                shows="refused",
                layout="reversed",
            ),
            Pitfall(
                text="For a tensor that requires grad it returns a leaf with requires_grad=False and warns. Use "
                "x.detach().clone().",
                shows="grad-lost",
                state="requires-grad",
            ),
        ),
    ),
    *with_copy(
        Conversion(
            name="torch.asarray",
            sources=(NUMPY, TORCH, PYTHON, *CARRIED),
            target=TORCH,
            code="torch.asarray(x)",
            code_with_dtype="torch.asarray(x, dtype=dtype)",
            page="torch.asarray",
            hook=InterceptedAt("torch.asarray", "obj"),
            groups=OF_ANY_OBJECT,
            summary="The array API constructor: shares memory if possible, copies otherwise.",
            rules=(
                Rule(all_of(any_of(AN_ARRAY, A_TENSOR), SAME_DTYPE), "outcome", "shared", _BY_DEFAULT),
                Rule(_A_BUFFER_OF_FLOATS, "outcome", "shared", _BUFFER_OF_BYTES),
                Rule(_A_BUFFER_OF_FLOATS, "dtype", "float32", _BUFFER_OF_BYTES),
                Rule(
                    all_of(any_of(AN_ARRAY, all_of(A_TENSOR, not_(GRAD))), ANOTHER_DTYPE),
                    "outcome",
                    "copied",
                    "If the returned tensor is of a different datatype, on a different device, or a copy is "
                    "requested then it will not share its memory with obj.",
                ),
                Rule(all_of(SCALAR, OF_LISTED_DTYPE), "outcome", "copied", _NUMPY_SCALAR),
                Rule(all_of(SCALAR, OF_LISTED_DTYPE), "dimensions", "0", _NUMPY_SCALAR),
                Rule(NUMBERS_IN_A_LIST, "outcome", "copied", _NONE_OF_THE_ABOVE),
                Rule(_DTYPE_OF_THE_SOURCE, "dtype", THE_SOURCES, _BY_DEFAULT),
                Rule(
                    all_of(SCALAR, OF_LISTED_DTYPE, not_(ASKED_DTYPE)),
                    "dtype",
                    THE_SOURCES,
                    "By default datatype will be the PyTorch datatype corresponding to the NumPy's scalar's datatype.",
                ),
                Rule(ASKED_DTYPE, "dtype", THE_ONE_ASKED_FOR, _ASARRAY_DTYPE),
                Rule(
                    all_of(A_TENSOR, GRAD, SAME_DTYPE),
                    "requires-grad",
                    "true",
                    "If requires_grad is True (or None, and obj was a tensor with requires_grad set), then the "
                    "returned tensor "
                    "will require a gradient, and if obj is also a tensor with an autograd history then the returned "
                    "tensor will have the same history.",
                ),
                Rule(
                    all_of(any_of(AN_ARRAY, all_of(A_TENSOR, not_(GRAD))), SAME_DTYPE),
                    "requires-grad",
                    "false",
                    _BY_DEFAULT,
                ),
                Rule(A_TENSOR, "device", THE_SOURCES, _BY_DEFAULT),
            ),
            pitfalls=(
                Pitfall(text="Copies a NumPy scalar.", shows="copied", state="scalar"),
                Pitfall(text="Copies if the dtype differs.", shows="copied", to_dtype="float64"),
                Pitfall(
                    text="Reads any buffer as float32, also an array.array of float64. Pass the dtype.",
                    shows="dtype-reinterpreted",
                    expr="memoryview(np.arange(4.0))",
                ),
            ),
        ),
        Copy(
            value=True,
            summary="The array API constructor, which always copies here.",
            rules=(
                Rule(
                    any_of(
                        AN_ARRAY,
                        # gradients and an integer dtype exclude each other
                        all_of(A_TENSOR, any_of(SAME_DTYPE, not_(GRAD))),
                        NUMBERS_IN_A_LIST,
                        # of a scalar with another dtype no sentence says that it raises nothing
                        all_of(SCALAR, OF_LISTED_DTYPE, SAME_DTYPE),
                        _A_BUFFER_OF_FLOATS,
                    ),
                    "outcome",
                    "copied",
                    _ASARRAY_TRUE,
                ),
                Rule(ASKED_DTYPE, "dtype", THE_ONE_ASKED_FOR, _ASARRAY_DTYPE),
            ),
            pitfalls=(Pitfall(text="Copies where torch.asarray without copy= shares memory.", shows="copied"),),
        ),
        Copy(
            value=False,
            summary="The array API constructor, which shares memory or raises here.",
            rules=(
                Rule(
                    any_of(all_of(any_of(AN_ARRAY, A_TENSOR), SAME_DTYPE), _A_BUFFER_OF_FLOATS),
                    "outcome",
                    "shared",
                    _ASARRAY_FALSE,
                ),
                Rule(
                    all_of(any_of(AN_ARRAY, all_of(A_TENSOR, not_(GRAD))), ANOTHER_DTYPE),
                    "outcome",
                    "refused",
                    _ASARRAY_FALSE,
                ),
                Rule(
                    any_of(NUMBERS_IN_A_LIST, all_of(SCALAR, OF_LISTED_DTYPE)),
                    "outcome",
                    "refused",
                    _ASARRAY_FALSE,
                ),
            ),
            pitfalls=(Pitfall(text="Raises if another dtype is requested.", shows="refused", to_dtype="float64"),),
        ),
    ),
    *with_copy(
        Conversion(
            name="torch.from_dlpack",
            sources=(NUMPY, TORCH, ARROW, JAX, OTHER),
            target=TORCH,
            code="torch.from_dlpack(x)",
            page="torch.from_dlpack",
            hook=InterceptedAt("torch.from_dlpack", "ext_tensor", also=("torch.utils.dlpack.from_dlpack",)),
            groups=("dlpack", "arrow", "jax", "protocols"),
            summary="A tensor that shares the memory of any object with __dlpack__.",
            rules=_dlpack_to_torch(),
            pitfalls=(
                Pitfall(
                    text="Crashes the process for an array with a negative stride (SIGABRT): there is no exception to "
                    "catch.",
                    shows="crashed",
                    layout="reversed",
                ),
                Pitfall(
                    text="A read-only array becomes a writable tensor without a warning.",
                    shows="readonly-dropped",
                    state="read-only",
                ),
            ),
        ),
        Copy(
            value=True,
            newer=True,
            summary="A copy through DLPack.",
            rules=(
                Rule(
                    any_of(AN_ARRAY, BARE_TENSOR),
                    "copy",
                    "copy",
                    "copy (bool or None): An optional boolean indicating whether or not to copy self.",
                ),
                *DLPACK_RULES,
            ),
            pitfalls=(Pitfall(text="Copies where torch.from_dlpack without copy= shares memory.", shows="copied"),),
        ),
        Copy(
            value=False,
            newer=True,
            summary="Shares memory through DLPack, or raises.",
            rules=_dlpack_to_torch(),
            pitfalls=(
                Pitfall(
                    text="Crashes the process for an array with a negative stride, too.",
                    shows="crashed",
                    layout="reversed",
                ),
            ),
        ),
    ),
    Conversion(
        name="torch.from_dlpack(capsule)",
        sources=(NUMPY, TORCH, JAX, OTHER),
        target=TORCH,
        code="torch.from_dlpack(x.__dlpack__())",
        page="torch.from_dlpack",
        hook=ComposedOf(("torch.from_dlpack",)),
        groups=("dlpack", "jax", "protocols"),
        summary="A tensor that shares memory, from the capsule that x.__dlpack__() returns. A capsule can be used "
        "once.",
        # an unversioned capsule cannot say that an array is read-only, so NumPy makes none
        rules=_dlpack_to_torch(but=state("read-only")),
        pitfalls=(
            Pitfall(
                text="Raises for a read-only array: an unversioned capsule cannot carry the read-only flag.",
                shows="refused",
                state="read-only",
            ),
        ),
    ),
    Conversion(
        name="torch.from_dlpack(versioned capsule)",
        sources=(NUMPY, TORCH, JAX, OTHER),
        target=TORCH,
        code="torch.from_dlpack(x.__dlpack__(max_version=(1, 0)))",
        page="torch.from_dlpack",
        hook=ComposedOf(("torch.from_dlpack",)),
        groups=("dlpack", "jax", "protocols"),
        needs="torch.Tensor.__dlpack__(max_version=)",
        summary="A tensor that shares memory, from a capsule of DLPack 1.0 or newer, which carries a read-only flag.",
        rules=_dlpack_to_torch(),
        pitfalls=(
            Pitfall(
                text="The tensor of a read-only array is writable nevertheless.",
                shows="readonly-dropped",
                state="read-only",
            ),
        ),
    ),
    Conversion(
        name="torch.Tensor",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.Tensor(x)",
        page=TENSORS_PAGE,
        hook=A_CLASS,
        groups=("legacy",),
        changes=("dtype",),
        summary="The class itself, called: always float32; the docs do not say whether it shares memory or copies.",
        rules=(),
        pitfalls=(
            Pitfall(
                text="Shares memory with a float32 array, which is undocumented.",
                shows="shared",
                direction=Direction.NUMPY_TO_TORCH,
            ),
            Pitfall(
                text="Copies any other dtype to float32.",
                shows="copied",
                dtype="int64",
                direction=Direction.NUMPY_TO_TORCH,
            ),
        ),
    ),
    Conversion(
        name="torch.FloatTensor",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.FloatTensor(x)",
        page=TENSORS_PAGE,
        hook=A_CLASS,
        groups=("legacy",),
        changes=("dtype",),
        needs="torch.FloatTensor",
        summary="Legacy constructor, float32 on the CPU; the docs do not say whether it shares memory or copies.",
        rules=(),
        pitfalls=(
            Pitfall(text="Shares memory with a float32 array.", shows="shared", direction=Direction.NUMPY_TO_TORCH),
        ),
    ),
    Conversion(
        name="Tensor.new_tensor",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.empty(0).new_tensor(x)",
        code_with_dtype="torch.empty(0).new_tensor(x, dtype=dtype)",
        page="torch.Tensor.new_tensor",
        hook=InterceptedAt("torch.Tensor.new_tensor", "data", position=1),
        changes=("dtype",),
        summary="A copy with the dtype and device of the tensor it is called on.",
        rules=(
            Rule(
                any_of(AN_ARRAY, A_TENSOR, all_of(NUMBERS_IN_A_LIST, each_dtype(not_(COMPLEX)))),
                "outcome",
                "copied",
                "new_tensor always copies data.",
            ),
            Rule(
                A_TENSOR,
                "leaf",
                "a leaf",
                "When data is a tensor x, new_tensor() reads out 'the data' from whatever it is passed, and "
                "constructs a leaf variable.",
            ),
            Rule(
                all_of(any_of(AN_ARRAY, A_TENSOR), not_(COMPLEX), not_(ASKED_DTYPE)),
                "dtype",
                "float32",
                "By default, the returned Tensor has the same torch.dtype and torch.device as this tensor.",
            ),
            Rule(
                ASKED_DTYPE,
                "dtype",
                THE_ONE_ASKED_FOR,
                "dtype (torch.dtype, optional): the desired type of returned tensor.",
            ),
        ),
        pitfalls=(
            Pitfall(
                text="The dtype is that of the tensor it is called on, here float32: an int64 array becomes float32.",
                shows="copied",
                dtype="int64",
                direction=Direction.NUMPY_TO_TORCH,
            ),
        ),
    ),
)
