"""The pages of documentation that are cited: each with every sentence that was read and made no rule of.

A rule (``rules.RULES``) cites a page and quotes it. A sentence that promises or forbids something about memory, values,
dtype, writability, errors or lifetime is a rule's, or it stands here under ``untested`` or ``no_promise`` with the
reason; ``tests/catalog/test_documentation.py`` counts both against the docstrings of the installed versions, so that a
page that has changed is named.

A page is generated from a docstring, and then the installed version says itself what is promised of it; or it is not,
and then it counts for the versions that it was read for. Pure data: neither NumPy nor PyTorch is imported here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

READ_WITH: Mapping[str, str] = {"numpy": "2.4", "torch": "2.13"}
"""The versions whose pages were read, and with which the experiments of the catalogue's pitfalls were made."""

READ_FOR = " and ".join(f"{library} {version}" for library, version in READ_WITH.items())
"""The same in words."""

_TORCH = "https://docs.pytorch.org/docs/stable/"
_TORCH_API = _TORCH + "generated/"
_NUMPY = "https://numpy.org/doc/stable/"
_NUMPY_API = _NUMPY + "reference/generated/"
_ARRAY_API = "https://data-apis.org/array-api/latest/API_specification/generated/"

FROM_NUMPY = _TORCH_API + "torch.from_numpy.html"
FROM_FILE = _TORCH_API + "torch.from_file.html"
AS_TENSOR = _TORCH_API + "torch.as_tensor.html"
TENSOR = _TORCH_API + "torch.tensor.html"
ASARRAY = _TORCH_API + "torch.asarray.html"
FROMBUFFER = _TORCH_API + "torch.frombuffer.html"
NEW_TENSOR = _TORCH_API + "torch.Tensor.new_tensor.html"
COPY_ = _TORCH_API + "torch.Tensor.copy_.html"
NUMPY = _TORCH_API + "torch.Tensor.numpy.html"
TOLIST = _TORCH_API + "torch.Tensor.tolist.html"
CLONE = _TORCH_API + "torch.clone.html"
DETACH = _TORCH_API + "torch.Tensor.detach.html"
TO = _TORCH_API + "torch.Tensor.to.html"
CPU = _TORCH_API + "torch.Tensor.cpu.html"
TENSOR_FLOAT = _TORCH_API + "torch.Tensor.float.html"
TENSOR_DOUBLE = _TORCH_API + "torch.Tensor.double.html"
TENSOR_HALF = _TORCH_API + "torch.Tensor.half.html"
CONTIGUOUS = _TORCH_API + "torch.Tensor.contiguous.html"
VIEW = _TORCH_API + "torch.Tensor.view.html"
VIEW_AS_REAL = _TORCH_API + "torch.view_as_real.html"
UNTYPED_STORAGE = _TORCH_API + "torch.Tensor.untyped_storage.html"
RESHAPE = _TORCH_API + "torch.reshape.html"
TENSOR_RESHAPE = _TORCH_API + "torch.Tensor.reshape.html"
FLATTEN = _TORCH_API + "torch.flatten.html"
EXPAND = _TORCH_API + "torch.Tensor.expand.html"
T = _TORCH_API + "torch.t.html"
TRANSPOSE = _TORCH_API + "torch.transpose.html"
PERMUTE = _TORCH_API + "torch.permute.html"
STACK = _TORCH_API + "torch.stack.html"
SHARE_MEMORY_ = _TORCH_API + "torch.Tensor.share_memory_.html"
PARAMETER = _TORCH_API + "torch.nn.parameter.Parameter.html"
FROM_DLPACK = _TORCH + "dlpack.html"
TENSOR_VIEWS = _TORCH + "tensor_view.html"
TENSORS = _TORCH + "tensors.html"
STORAGE = _TORCH + "storage.html"
DATA = _TORCH + "data.html"
MULTIPROCESSING = _TORCH + "multiprocessing.html"
ARRAY_API_DLPACK = _ARRAY_API + "array_api.array.__dlpack__.html"
ARRAY_API = _ARRAY_API + "array_api.from_dlpack.html"
NP_ASARRAY = _NUMPY_API + "numpy.asarray.html"
NP_ASANYARRAY = _NUMPY_API + "numpy.asanyarray.html"
NP_ARRAY = _NUMPY_API + "numpy.array.html"
NP_ASCONTIGUOUSARRAY = _NUMPY_API + "numpy.ascontiguousarray.html"
NP_FROM_DLPACK = _NUMPY_API + "numpy.from_dlpack.html"
NP_FROMBUFFER = _NUMPY_API + "numpy.frombuffer.html"
NP_COPY = _NUMPY_API + "numpy.copy.html"
NP_RESHAPE = _NUMPY_API + "numpy.reshape.html"
NP_RAVEL = _NUMPY_API + "numpy.ravel.html"
NP_SIN = _NUMPY_API + "numpy.sin.html"
NP_MAX = _NUMPY_API + "numpy.max.html"
NP_ADD = _NUMPY_API + "numpy.add.html"
NP_COPYTO = _NUMPY_API + "numpy.copyto.html"
NP_TRANSPOSE = _NUMPY_API + "numpy.transpose.html"
ND_COPY = _NUMPY_API + "numpy.ndarray.copy.html"
ND_VIEW = _NUMPY_API + "numpy.ndarray.view.html"
ND_FLATTEN = _NUMPY_API + "numpy.ndarray.flatten.html"
ND_ASTYPE = _NUMPY_API + "numpy.ndarray.astype.html"
NP_INDEXING = _NUMPY + "user/basics.indexing.html"
NP_INTEROPERABILITY = _NUMPY + "user/basics.interoperability.html"
NP_MIGRATION = _NUMPY + "numpy_2_0_migration_guide.html"
DEEPCOPY = "https://docs.python.org/3/library/copy.html"


@dataclass(frozen=True, kw_only=True)
class Page:
    """What was read on one page, apart from the sentences that rules quote.

    Attributes:
        docstring: the dotted name whose docstring the page is generated from; empty if it is from none.
        read_for: the version of each library that a page without a docstring was read for.
        not_passed: the arguments described on the page that no conversion of the catalogue passes.
        untested: a sentence that promises, forbids or warns, and why no experiment is held against it.
        no_promise: why sentences promise nothing, and those sentences.
    """

    docstring: str = ""
    read_for: Mapping[str, str] = field(default_factory=dict)
    not_passed: tuple[str, ...] = ()
    untested: Mapping[str, str] = field(default_factory=dict)
    no_promise: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_NUMPY_READ = {"numpy": READ_WITH["numpy"]}
_TORCH_READ = {"torch": READ_WITH["torch"]}

# Why a sentence is no rule --------------------------------------------------------------------

_NOT_RESIZED = "no experiment resizes the result"
_FILE = "the source of the experiment is the array that was written to the file, not the file"
_HEDGED = "it says what may or can be: whatever happens agrees with it"
_POSSIBLE = "it does not say when sharing is possible"
_GIVES_ADVICE = "it is advice"
_DEVICE = "it is about devices other than the CPU, and generated arrays and tensors are on the CPU"
_NOT_COMPARED = "the values of a result of another shape are not compared"
_WHICH_DTYPE = "it does not say which dtype that is"
_NOT_A_BUFFER = "no source of the catalogue is a bare buffer, such as bytes or a bytearray"

INTRODUCES = "it says what the function or the argument is for"
SAYS_AGAIN = "another sentence of the page says the same, and is a rule"
ANOTHER = "it is about another function"
EXAMPLE = "it introduces an example"
OTHER_ARGUMENT = "it is about an argument that no conversion passes"
NOT_ASKED = "it is about a kind of source that the catalogue does not have"

_COPIES_IF_NEEDED = (
    "Input data, in any form that can be converted to an array.",
    "Convert a list into an array:",
)

PAGES: dict[str, Page] = {
    # PyTorch
    FROM_NUMPY: Page(docstring="torch.from_numpy", untested={"The returned tensor is not resizable.": _NOT_RESIZED}),
    FROM_FILE: Page(
        docstring="torch.from_file",
        not_passed=("layout", "device", "pin_memory"),
        untested={
            "If shared is True, then memory is shared between processes. All changes are written to the file.": _FILE,
            "If shared is False, then changes to the tensor do not affect the file.": _FILE,
            "Creates a CPU tensor with a storage backed by a memory-mapped file.": "a private mapping looks like a "
            "copy to every write",
            "If shared is False, then the file must contain at least size sizeof(dtype) bytes.": "the file of the "
            "experiment is large enough",
            "If shared is True the file will be created if needed.": "the file of the experiment exists; a file that "
            "is too short grows",
            "For now, tensors with storages backed by a memory-mapped file cannot be created in pinned memory.": (
                OTHER_ARGUMENT
            ),
        },
        no_promise={
            INTRODUCES: (
                "size is the number of elements in the Tensor.",
                "filename (str): file name to map",
                "shared (bool): whether to share memory (whether MAP_SHARED or MAP_PRIVATE is passed to the underlying "
                "mmap(2) call)",
                "size (int): number of elements in the tensor",
                "dtype (torch.dtype, optional): the desired data type of returned tensor.",
            ),
        },
    ),
    FROMBUFFER: Page(
        docstring="torch.frombuffer",
        not_passed=("count", "offset", "requires_grad"),
        untested={
            "The returned tensor is not resizable.": _NOT_RESIZED,
            "This function's behavior is undefined when passed an object implementing the buffer protocol whose data "
            "is not on the CPU. Doing so is likely to cause a segmentation fault.": "every NumPy array is on the CPU",
            "Passing a different dtype than its source may result in unexpected behavior.": _HEDGED,
            "Note that either of the following must be true:": "the sizes of generated arrays fulfil it, and it does "
            "not say what happens otherwise",
            "1. count is a positive non-zero number, and the total number of bytes in the buffer is more than offset "
            "plus count times the size (in bytes) of dtype.": OTHER_ARGUMENT,
            "2. count is negative, and the length (number of bytes) of the buffer subtracted by the offset is a "
            "multiple of the size (in bytes) of dtype.": "the sizes of generated arrays fulfil it",
        },
        no_promise={
            INTRODUCES: (
                "Skips the first offset bytes in the buffer, and interprets the rest of the raw bytes as a "
                "1-dimensional tensor of type dtype with count elements.",
                "This function does not try to infer the dtype (hence, it is not optional).",
                "buffer (object): a Python object that exposes the buffer interface.",
            ),
        },
    ),
    AS_TENSOR: Page(
        docstring="torch.as_tensor",
        not_passed=("device",),
        untested={
            "Converts data into a tensor, sharing data and preserving autograd history if possible.": _POSSIBLE,
            "Default: if None, infers data type from data.": _WHICH_DTYPE,
            "If data is a CuPy array, the returned tensor will be located on the same device as the CuPy array unless "
            "specifically overwritten by device or a default device. The device of the CuPy array is inferred from the "
            "pointer of the array using cudaPointerGetAttributes unless device is provided with an explicit device "
            "index.": NOT_ASKED,
            "If None and data is not a tensor then the result tensor is constructed on the current device.": _DEVICE,
        },
        no_promise={
            INTRODUCES: ("data (array_like): Initial data for the tensor.",),
            ANOTHER: ('torch.tensor never shares its data and creates a new "leaf tensor" (see /notes/autograd).',),
        },
    ),
    TENSOR: Page(
        docstring="torch.tensor",
        not_passed=("device", "requires_grad", "pin_memory"),
        untested={
            "Default: if None, infers data type from data.": _WHICH_DTYPE,
            "If None and data is not a tensor then the result tensor is constructed on the current device.": _DEVICE,
        },
        no_promise={
            INTRODUCES: ("data (array_like): Initial data for the tensor.",),
            SAYS_AGAIN: (
                "Letting t be a tensor, torch.tensor(t) is equivalent to t.detach.clone, and torch.tensor(t, "
                "requires_grad=True) is equivalent to t.detach.clone.requires_grad_(True).",
            ),
            ANOTHER: (
                "torch.as_tensor preserves autograd history and avoids copies where possible. torch.from_numpy creates "
                "a tensor that shares storage with a NumPy array.",
            ),
        },
    ),
    ASARRAY: Page(
        docstring="torch.asarray",
        not_passed=("device", "requires_grad"),
        untested={
            "When obj is not a tensor, NumPy array, or DLPack capsule but implements Python's buffer protocol then the "
            "buffer is interpreted as an array of bytes grouped according to the size of the datatype passed to the "
            "dtype keyword argument. (If no datatype is passed then the default floating point datatype is used, "
            "instead.) The returned tensor will have the specified datatype (or default floating point datatype if "
            "none is specified) and, by default, be on the CPU device and share memory with the buffer.": _NOT_A_BUFFER,
            "Default: None, which causes the returned tensor to share memory with obj whenever possible.": _POSSIBLE,
        },
        no_promise={
            INTRODUCES: (
                "4. an object that implements Python's buffer protocol",
                "These properties can be controlled with the dtype, device, copy, and requires_grad keyword arguments.",
                "copy (bool, optional): controls whether the returned tensor shares memory with obj.",
                "obj (object): a tensor, NumPy array, DLPack Capsule, object that implements Python's buffer protocol, "
                "scalar, or sequence of scalars.",
            ),
            SAYS_AGAIN: ("Default: None, which causes the datatype of the returned tensor to be inferred from obj.",),
            ANOTHER: (
                "torch.tensor creates a tensor that always copies the data from the input object. torch.from_numpy "
                "creates a tensor that always shares memory from NumPy arrays. torch.frombuffer creates a tensor that "
                "always shares memory from objects that implement the buffer protocol. torch.from_dlpack creates a "
                "tensor that always shares memory from DLPack capsules.",
            ),
        },
    ),
    FROM_DLPACK: Page(
        docstring="torch.from_dlpack",
        not_passed=("device",),
        untested={
            "This may lead to unexpected issues (e.g., other libraries may have read-only flags or immutable data "
            "structures), so the user should only do this if they know for sure that this is fine.": _HEDGED,
            "If None, PyTorch will copy only if necessary.": _POSSIBLE,
        },
        no_promise={
            INTRODUCES: (
                "If ext_tensor is a tensor (or ndarray) object, it must support the __dlpack__ protocol (i.e., have a "
                "ext_tensor.__dlpack__ method).",
            ),
        },
    ),
    NUMPY: Page(
        docstring="torch.Tensor.numpy",
        untested={
            "force (bool): if True, the ndarray may be a copy of the tensor instead of always sharing memory, defaults "
            "to False.": _HEDGED,
        },
    ),
    TOLIST: Page(
        docstring="torch.Tensor.tolist",
        untested={
            "Tensors are automatically moved to the CPU first if necessary.": _DEVICE,
            "This operation is not differentiable.": "a list has no gradient",
        },
    ),
    VIEW: Page(
        docstring="torch.Tensor.view",
        untested={
            "For a tensor to be viewed, the new view size must be compatible with its original size and stride, i.e., "
            "each new view dimension must either be a subspace of an original dimension, or only span across original "
            "dimensions d, d+1, dots, d+k that satisfy the following contiguity-like condition that forall i = d, "
            "dots, d+k-1, .. math:: text{stride}[i] = text{stride}[i+1] times text{size}[i+1] Otherwise, it will not "
            "be possible to view self tensor as shape without copying it (e.g., via contiguous).": "it does not say "
            "that an error is raised",
            "If the element size of dtype is different than that of self.dtype, then the size of the last dimension of "
            "the output will be scaled proportionally. For instance, if dtype element size is twice that of "
            "self.dtype, then each pair of elements in the last dimension of self will be combined, and the size of "
            "the last dimension of the output will be half that of self. If dtype element size is half that of "
            "self.dtype, then each element in the last dimension of self will be split in two, and the size of the "
            "last dimension of the output will be double that of self.": _NOT_COMPARED,
            "For this to be possible, the following conditions must be true: self.dim must be greater than 0. "
            "self.stride(-1) must be 1. Additionally, if the element size of dtype is greater than that of self.dtype, "
            "the following conditions must be true as well: self.size(-1) must be divisible by the ratio between the "
            "element sizes of the dtypes. self.storage_offset must be divisible by the ratio between the element sizes "
            "of the dtypes. The strides of all dimensions, except the last dimension, must be divisible by the ratio "
            "between the element sizes of the dtypes. If any of the above conditions are not met, an error is "
            "thrown.": "the conditions depend on the strides, which the description of a source does not have",
            "This overload is not supported by TorchScript, and using it in a Torchscript program will cause "
            "undefined behavior.": "no experiment is a TorchScript program",
        },
        no_promise={
            SAYS_AGAIN: ("Returns a new tensor with the same data as the self tensor but of a different shape.",),
            INTRODUCES: (
                "view(dtype) -> Tensor :noindex:",
                "dtype (torch.dtype): the desired dtype",
            ),
            ANOTHER: (
                "When it is unclear whether a view can be performed, it is advisable to use reshape, which returns a "
                "view if the shapes are compatible, and copies (equivalent to calling contiguous) otherwise.",
            ),
        },
    ),
    VIEW_AS_REAL: Page(docstring="torch.view_as_real"),
    UNTYPED_STORAGE: Page(docstring="torch.Tensor.untyped_storage"),
    COPY_: Page(
        docstring="torch.Tensor.copy_",
        not_passed=("non_blocking",),
        no_promise={
            INTRODUCES: (
                "src (Tensor): the source tensor to copy from",
                "The src tensor must be broadcastable with the self tensor.",
            ),
        },
    ),
    NEW_TENSOR: Page(
        docstring="torch.Tensor.new_tensor",
        not_passed=("device", "requires_grad", "layout", "pin_memory"),
        no_promise={
            SAYS_AGAIN: (
                "Returns a new Tensor with data as the tensor data.",
                "Therefore tensor.new_tensor(x) is equivalent to x.detach.clone and tensor.new_tensor(x, "
                "requires_grad=True) is equivalent to x.detach.clone.requires_grad_(True).",
                "data (array_like): The returned Tensor copies data.",
                "Default: if None, same torch.dtype as this tensor.",
            ),
            ANOTHER: (
                "If you have a Tensor data and want to avoid a copy, use torch.Tensor.requires_grad_ or "
                "torch.Tensor.detach. If you have a numpy array and want to avoid a copy, use torch.from_numpy.",
                "The equivalents using detach and clone are recommended.",
            ),
        },
    ),
    CLONE: Page(
        docstring="torch.clone",
        not_passed=("memory_format",),
        no_promise={ANOTHER: ("To create a tensor without an autograd relationship to input see Tensor.detach.",)},
    ),
    DETACH: Page(
        docstring="torch.Tensor.detach",
        untested={
            "This method also affects forward mode AD gradients and the result will never have forward mode AD "
            "gradients.": "no source has forward mode AD gradients",
        },
    ),
    TO: Page(
        docstring="torch.Tensor.to",
        not_passed=("memory_format",),
        untested={
            "According to C++ type conversion rules, converting floating point value to integer type will truncate the "
            "fractional part.": "how values of another dtype must be rounded is not compared",
        },
        no_promise={
            INTRODUCES: (
                "Performs Tensor dtype and/or device conversion.",
                "A torch.dtype and torch.device are inferred from the arguments of self.to(args, kwargs).",
                "This is because only tensors with floating-point or complex dtypes can require gradients.",
                "to(dtype, non_blocking=False, copy=False, memory_format=torch.preserve_format) -> Tensor :noindex:",
            ),
            OTHER_ARGUMENT: (
                "Default: torch.preserve_format.",
                "to(device=None, dtype=None, non_blocking=False, copy=False, memory_format=torch.preserve_format) -> "
                "Tensor :noindex:",
                "Returns a Tensor with the specified device and (optional) dtype. If dtype is None it is inferred to "
                "be self.dtype.",
                "When non_blocking is set to True, the function attempts to perform the conversion asynchronously with "
                "respect to the host, if possible. This asynchronous behavior applies to both pinned and pageable "
                "memory.",
                "to(other, non_blocking=False, copy=False) -> Tensor :noindex:",
                "Returns a Tensor with same torch.dtype and torch.device as the Tensor other.",
            ),
        },
    ),
    CPU: Page(
        docstring="torch.Tensor.cpu",
        not_passed=("memory_format",),
        untested={"Returns a copy of this object in CPU memory.": "the sentence after it says when"},
    ),
    TENSOR_FLOAT: Page(docstring="torch.Tensor.float", not_passed=("memory_format",)),
    TENSOR_DOUBLE: Page(docstring="torch.Tensor.double", not_passed=("memory_format",)),
    TENSOR_HALF: Page(docstring="torch.Tensor.half", not_passed=("memory_format",)),
    CONTIGUOUS: Page(docstring="torch.Tensor.contiguous", not_passed=("memory_format",)),
    RESHAPE: Page(
        docstring="torch.reshape",
        untested={
            "Returns a tensor with the same data and number of elements as input, but with the specified shape.": (
                _NOT_COMPARED
            ),
            "Contiguous inputs and inputs with compatible strides can be reshaped without copying, but you should not "
            "depend on the copying vs. viewing behavior.": "the page itself says that it is not to be depended on",
        },
        no_promise={
            ANOTHER: ("See torch.Tensor.view on when it is possible to return a view.",),
            INTRODUCES: (
                "A single dimension may be -1, in which case it's inferred from the remaining dimensions and the "
                "number of elements in input.",
            ),
        },
    ),
    TENSOR_RESHAPE: Page(
        docstring="torch.Tensor.reshape",
        untested={
            "Returns a tensor with the same data and number of elements as self but with the specified shape.": (
                _NOT_COMPARED
            ),
        },
        no_promise={ANOTHER: ("See torch.Tensor.view on when it is possible to return a view.",)},
    ),
    FLATTEN: Page(
        docstring="torch.flatten",
        not_passed=("start_dim", "end_dim"),
        untested={
            "Unlike NumPy's flatten, which always copies input's data, this function may return the original object, a "
            "view, or copy.": _HEDGED,
            "The order of elements in input is unchanged.": _NOT_COMPARED,
            "Finally, only if the input cannot be viewed as the flattened shape is input's data copied.": "whether it "
            "can be viewed depends on the strides, which the description of a source does not have",
        },
        no_promise={ANOTHER: ("See torch.Tensor.view for details on when a view will be returned.",)},
    ),
    EXPAND: Page(
        docstring="torch.Tensor.expand",
        untested={
            "More than one element of an expanded tensor may refer to a single memory location. As a result, in-place "
            "operations (especially ones that are vectorized) may result in incorrect behavior.": _HEDGED,
            "If you need to write to the tensors, please clone them first.": _GIVES_ADVICE,
        },
        no_promise={
            SAYS_AGAIN: (
                "Returns a new view of the self tensor with singleton dimensions expanded to a larger size.",
                "Any dimension of size 1 can be expanded to an arbitrary value without allocating new memory.",
            ),
            INTRODUCES: (
                "Tensor can be also expanded to a larger number of dimensions, and the new ones will be appended at "
                "the front. For the new dimensions, the size cannot be set to -1.",
            ),
            ANOTHER: (
                "Operations on an expanded view may still allocate memory if they need to materialize the expanded "
                "values. For example, changing dtype after expand can allocate memory for the full expanded shape.",
            ),
        },
    ),
    PERMUTE: Page(docstring="torch.permute", not_passed=("dims",)),
    T: Page(
        docstring="torch.t",
        untested={
            "Expects input to be <= 2-D tensor and transposes dimensions 0 and 1.": "it does not say what happens "
            "otherwise",
        },
        no_promise={SAYS_AGAIN: ("When input is a 2-D tensor this is equivalent to transpose(input, 0, 1).",)},
    ),
    TRANSPOSE: Page(
        docstring="torch.transpose",
        no_promise={
            OTHER_ARGUMENT: (
                "If input is a sparse tensor with compressed layout (SparseCSR, SparseBSR, SparseCSC or SparseBSC) the "
                "arguments dim0 and dim1 must be both batch dimensions, or must both be sparse dimensions.",
            ),
        },
    ),
    STACK: Page(docstring="torch.stack", not_passed=("dim", "out")),
    SHARE_MEMORY_: Page(
        docstring="torch.Tensor.share_memory_",
        untested={
            "Moves the underlying storage to shared memory.": "an address does not tell whose memory it is",
            "Tensors in shared memory cannot be resized.": _NOT_RESIZED,
        },
        no_promise={ANOTHER: ("See torch.UntypedStorage.share_memory_ for more details.",)},
    ),
    PARAMETER: Page(
        docstring="torch.nn.Parameter",
        untested={
            "Note that the torch.no_grad context does NOT affect the default behavior of Parameter creation--the "
            "Parameter will still have requires_grad=True in no_grad mode.": "no experiment runs in that mode",
        },
        no_promise={
            INTRODUCES: (
                "Parameters are torch.Tensor subclasses, that have a very special property when used with Module s - "
                "when they're assigned as Module attributes they are automatically added to the list of its "
                "parameters, and will appear e.g. in Module.parameters iterator.",
                "data (Tensor): parameter tensor.",
                "See locally-disable-grad-doc for more details.",
            ),
        },
    ),
    DATA: Page(
        docstring="torch.utils.data.default_collate",
        untested={
            "The exact output type can be a torch.Tensor, a Sequence of torch.Tensor, a Collection of torch.Tensor, or "
            "left unchanged, depending on the input type.": _HEDGED,
        },
        no_promise={
            INTRODUCES: (
                "Take in a batch of data and put the elements within the batch into a tensor with an additional outer "
                "dimension - batch size.",
                "This is used as the default function for collation when batch_size or batch_sampler is defined in "
                "torch.utils.data.DataLoader.",
                "Here is the general input type (based on the type of the element within the batch) to output type "
                "mapping:",
            ),
            NOT_ASKED: ("batch: a single batch to be collated", "str -> str (unchanged)", "bytes -> bytes (unchanged)"),
        },
    ),
    MULTIPROCESSING: Page(
        docstring="torch.multiprocessing",
        untested={
            "Once the tensor/storage is moved to shared_memory (see torch.Tensor.share_memory_), it will be possible "
            "to send it to other processes without making any copies.": "each experiment is made in one process",
            "The API is 100% compatible with the original module - it's enough to change import multiprocessing to "
            "import torch.multiprocessing to have all the tensors sent through the queues or shared via other "
            "mechanisms, moved to shared memory.": "an address does not tell whose memory it is",
        },
        no_promise={
            INTRODUCES: (
                "Because of the similarity of APIs we do not document most of this package contents, and we recommend "
                "referring to very good docs of the original module.",
            ),
        },
    ),
    TENSOR_VIEWS: Page(read_for=_TORCH_READ),
    TENSORS: Page(read_for=_TORCH_READ),
    STORAGE: Page(read_for=_TORCH_READ),
    # the array API's specification, which both implement
    ARRAY_API: Page(read_for=READ_WITH),
    ARRAY_API_DLPACK: Page(read_for=READ_WITH),
    # NumPy
    NP_ASARRAY: Page(
        docstring="numpy.asarray",
        not_passed=("order", "device", "like"),
        no_promise={
            INTRODUCES: _COPIES_IF_NEEDED[:1],
            EXAMPLE: (
                _COPIES_IF_NEEDED[1],
                "Existing arrays are not copied:",
                "If dtype is set, array is copied only if dtype does not match:",
                "Contrary to asanyarray, ndarray subclasses are not passed through:",
            ),
        },
    ),
    NP_ASANYARRAY: Page(
        docstring="numpy.asanyarray",
        not_passed=("order", "device", "like"),
        no_promise={
            INTRODUCES: _COPIES_IF_NEEDED[:1],
            SAYS_AGAIN: ("Convert the input to an ndarray, but pass ndarray subclasses through.",),
            EXAMPLE: (_COPIES_IF_NEEDED[1], "Instances of ndarray subclasses are passed through as-is:"),
        },
    ),
    NP_ARRAY: Page(
        docstring="numpy.array",
        not_passed=("order", "ndmin", "ndmax", "like"),
        untested={
            "If not given, NumPy will try to use a default dtype that can represent the values (by applying promotion "
            "rules when necessary.)": _WHICH_DTYPE,
        },
        no_promise={
            ANOTHER: ("See Examples for ndarray.copy.",),
            OTHER_ARGUMENT: (
                "When order is 'A' and object is an array in neither 'C' nor 'F' order, and a copy is forced by a "
                "change in dtype, then the order of the result is not necessarily 'C' as expected.",
            ),
            EXAMPLE: (
                "Type provided:",
                "Data-type consisting of more than one element:",
                "Creating an array from sub-classes:",
            ),
        },
    ),
    NP_ASCONTIGUOUSARRAY: Page(
        docstring="numpy.ascontiguousarray",
        not_passed=("like",),
        no_promise={
            INTRODUCES: ("Data-type of returned array.",),
            EXAMPLE: ("Starting with a Fortran-contiguous array:", "Now, starting with a C-contiguous array:"),
        },
    ),
    NP_FROM_DLPACK: Page(
        docstring="numpy.from_dlpack",
        not_passed=("device",),
        untested={
            "Generally, the returned NumPy array is a view of the input object.": "it says what is general",
            "Passing it requests a copy from the exporter who may or may not implement the capability.": _HEDGED,
        },
        no_promise={INTRODUCES: ("Boolean indicating whether or not to copy the input.",)},
    ),
    NP_FROMBUFFER: Page(
        docstring="numpy.frombuffer",
        not_passed=("count", "offset", "like"),
        untested={
            "If the buffer has data that is not in machine byte-order, this should be specified as part of the "
            "data-type, e.g.:: […] The data of the resulting array will not be byteswapped, but will be interpreted "
            "correctly.": _NOT_COMPARED,
            "This should be safe in general, but it may make sense to copy the result when the original object is "
            "mutable or untrusted.": _GIVES_ADVICE,
        },
        no_promise={
            INTRODUCES: ("An object that exposes the buffer interface.", "Data-type of the returned array."),
        },
    ),
    NP_COPY: Page(
        docstring="numpy.copy",
        not_passed=("order",),
        no_promise={
            INTRODUCES: ("Input data.",),
            SAYS_AGAIN: ("This is equivalent to:",),
            ANOTHER: ("See Examples from ndarray.copy.",),
            EXAMPLE: (
                "Create an array x, with a reference y and a copy z:",
                "Note that, when we modify x, y changes, but not z:",
            ),
        },
    ),
    NP_RESHAPE: Page(
        docstring="numpy.reshape",
        not_passed=("shape", "order", "copy"),
        untested={
            "Gives a new shape to an array without changing its data.": _NOT_COMPARED,
            "Note there is no guarantee of the memory layout (C- or Fortran- contiguous) of the returned array.": (
                "it promises nothing"
            ),
            "It is not always possible to change the shape of an array without copying the data.": _POSSIBLE,
        },
        no_promise={
            OTHER_ARGUMENT: (
                "The order keyword gives the index ordering both for fetching the values from a, and then placing the "
                "values into the output array.",
            ),
        },
    ),
    NP_RAVEL: Page(
        docstring="numpy.ravel",
        not_passed=("order",),
        untested={
            "Note that matrices are special cased for backward compatibility, if a is a matrix, then y is a 1-D "
            "ndarray.": "it is about np.ravel: the method of a matrix is another",
            "The elements in a are read in the order specified by order, and packed as a 1-D array.": _NOT_COMPARED,
        },
        no_promise={
            ANOTHER: (
                "When a view is desired in as many cases as possible, arr.reshape(-1) may be preferable.",
                "It is equivalent to reshape(-1, order=order).",
                "However, ravel supports K in the optional order argument while reshape does not.",
            ),
            OTHER_ARGUMENT: (
                "When order is 'A', it will preserve the array's 'C' or 'F' ordering:",
                "When order is 'K', it will preserve orderings that are neither 'C' nor 'F', but won't reverse axes:",
            ),
        },
    ),
    NP_SIN: Page(docstring="numpy.sin", not_passed=("out", "where")),
    NP_MAX: Page(
        docstring="numpy.max",
        not_passed=("axis", "out", "keepdims", "initial", "where"),
        untested={
            "If axis is None, the result is a scalar value.": "it is about arrays, and the conversion is of tensors",
            "NaN values are propagated, that is if at least one item is NaN, the corresponding max value will be NaN "
            "as well.": "no generated value is NaN",
        },
        no_promise={
            INTRODUCES: ("Input data.",),
            ANOTHER: ("To ignore NaN values (MATLAB behavior), please use nanmax.",),
            OTHER_ARGUMENT: (
                "You can use an initial value to compute the maximum of an empty slice, or to initialize it to a "
                "different value:",
                "Notice that the initial value is used as one of the elements for which the maximum is determined, "
                "unlike for the default argument Python's max function, which is only used for empty iterables.",
            ),
        },
    ),
    NP_ADD: Page(
        docstring="numpy.add",
        not_passed=("where",),
        untested={
            "If provided, it must have a shape that the inputs broadcast to.": "the output of the experiment has it",
        },
        no_promise={
            INTRODUCES: (
                "If x1.shape != x2.shape, they must be broadcastable to a common shape (which becomes the shape of the "
                "output).",
                "Equivalent to x1 + x2 in terms of array broadcasting.",
            ),
            OTHER_ARGUMENT: (
                "If not provided or None, a freshly-allocated array is returned.",
                "A tuple (possible only as a keyword argument) must have length equal to the number of outputs.",
            ),
        },
    ),
    NP_COPYTO: Page(
        docstring="numpy.copyto",
        not_passed=("casting", "where"),
        no_promise={
            INTRODUCES: ("The array into which values are copied.", "The array from which values are copied."),
        },
    ),
    NP_TRANSPOSE: Page(
        docstring="numpy.transpose",
        not_passed=("axes",),
        untested={"A view is returned whenever possible.": _POSSIBLE},
        no_promise={
            ANOTHER: (
                "To convert a 1-D array into a 2-D column vector, an additional dimension must be added, e.g., "
                "np.atleast_2d(a).T achieves this, as does a[:, np.newaxis].",
            ),
        },
    ),
    ND_COPY: Page(
        docstring="numpy.ndarray.copy",
        not_passed=("order",),
        no_promise={
            INTRODUCES: ("This function is the preferred method for creating an array copy.",),
            ANOTHER: (
                "The function numpy.copy is similar, but it defaults to using order 'K', and will not pass sub-classes "
                "through by default.",
                "To ensure all elements within an object array are copied, use copy.deepcopy:",
            ),
        },
    ),
    ND_VIEW: Page(
        docstring="numpy.ndarray.view",
        untested={
            "This can cause a reinterpretation of the bytes of memory.": _HEDGED,
            "For a.view(some_dtype), if some_dtype has a different number of bytes per entry than the previous dtype "
            "(for example, converting a regular array to a structured array), then the last axis of a must be "
            "contiguous. This axis will be resized in the result.": "it does not say what happens otherwise, and the "
            "values of another shape are not compared",
            "Views that change the dtype size (bytes per entry) should normally be avoided on arrays defined by "
            "slices, transposes, fortran-ordering, etc.:": _GIVES_ADVICE,
            "However, views that change dtype are totally fine for arrays with a contiguous last axis, even if the "
            "rest of the axes are not C-contiguous:": _GIVES_ADVICE,
        },
        no_promise={
            INTRODUCES: (
                "Passing None for dtype is different from omitting the parameter, since the former invokes dtype(None) "
                "which is an alias for dtype('float64').",
                "Data-type descriptor of the returned view, e.g., float32 or int16.",
                "This argument can also be specified as an ndarray sub-class, which then specifies the type of the "
                "returned object (this is equivalent to setting the type parameter).",
                "Type of the returned view, e.g., ndarray or matrix.",
                "a.view is used two different ways:",
            ),
            NOT_ASKED: (
                "a.view(ndarray_subclass) or a.view(type=ndarray_subclass) just returns an instance of "
                "ndarray_subclass that looks at the same array (same shape, dtype, etc.) This does not cause a "
                "reinterpretation of the memory.",
                "1.23.0 Only the last axis needs to be contiguous.",
                "Previously, the entire array had to be C-contiguous.",
            ),
            EXAMPLE: (
                "Viewing array data using a different type and dtype:",
                "Creating a view on a structured array so it can be used in calculations",
                "Using a view to convert an array to a recarray:",
                "Views share data:",
            ),
        },
    ),
    ND_FLATTEN: Page(
        docstring="numpy.ndarray.flatten",
        not_passed=("order",),
        no_promise={SAYS_AGAIN: ("A copy of the input array, flattened to one dimension.",)},
    ),
    ND_ASTYPE: Page(
        docstring="numpy.ndarray.astype",
        not_passed=("order", "casting"),
        no_promise={
            INTRODUCES: ("Typecode or data-type to which the array is cast.",),
            SAYS_AGAIN: (
                "Unless copy is False and the other conditions for returning the input array are satisfied (see "
                "description for copy input parameter), arr_t is a new array of the same shape as the input array, "
                "with dtype, order given by dtype, order.",
            ),
            OTHER_ARGUMENT: ("ValueError When casting using 'same_value' and the values change or would overflow",),
        },
    ),
    NP_INDEXING: Page(read_for=_NUMPY_READ),
    NP_INTEROPERABILITY: Page(read_for=_NUMPY_READ),
    NP_MIGRATION: Page(read_for=_NUMPY_READ),
    # Python
    DEEPCOPY: Page(
        docstring="copy",
        no_promise={
            INTRODUCES: (
                "Generic (shallow and deep) copying operations.",
                "import copy",
                "x = copy.copy(y) # make a shallow copy of y x = copy.deepcopy(y) # make a deep copy of y",
                "The difference between shallow and deep copying is only relevant for compound objects (objects that "
                "contain other objects, like lists or class instances).",
                "Two problems often exist with deep copy operations that don't exist with shallow copy operations:",
                "a) recursive objects (compound objects that, directly or indirectly, contain a reference to "
                "themselves) may cause a recursive loop",
                "b) because deep copy copies everything it may copy too much, e.g. administrative data structures that "
                "should be shared even between copies",
                "Python's deep copy operation avoids these problems by:",
                "a) keeping a table of objects already copied during the current copying pass",
                "b) letting user-defined classes override the copying operation or the set of components copied",
                "Classes can use the same interfaces to control copying that they use to control pickling: they can "
                "define methods called __getinitargs__, __getstate__ and __setstate__.",
            ),
            ANOTHER: (
                "For module specific errors, copy.Error is raised.",
                "- A shallow copy constructs a new compound object and then (to the extent possible) inserts the same "
                "objects into it that the original contains.",
            ),
            NOT_ASKED: (
                "This version does not copy types like module, class, function, method, nor stack trace, stack frame, "
                "nor file, socket, window, nor any similar types.",
            ),
        },
    ),
}


# Whether a page says a sentence ---------------------------------------------------------------

OMISSION = "[…]"
"""Stands in a quotation for words that are left out."""


def bare(text: str) -> str:
    """Return ``text`` without markup, line ends and case, so that a docstring and a page compare equal.

    Roles become what a page shows of them (``:attr:`~torch.Tensor.x``` is ``torch.Tensor.x``), a link its text;
    backticks, asterisks, backslashes, references and ``()`` after a name go.
    """
    if ":`" in text:
        text = re.sub(r":[\w:]+:`~?\.?([^`<]*?)(?: ?<[^>]*>)?`", r"\1", text)
    if "`_" in text:
        text = re.sub(r"`([^`<]+) <[^>]+>`_+", r"\1", text)
    if "::" in text or "]_" in text:
        text = re.sub(r"\.\. [\w-]+::|\[\d+\]_", "", text)
    return " ".join(text.replace("()", "").translate(_MARKUP).split()).casefold()


_MARKUP = str.maketrans("", "", "`*\\")


def says(page: str, sentence: str) -> bool:
    """Return True if ``page``, of which ``bare`` was taken, has every part of ``sentence``."""
    return all(bare(part) in page for part in sentence.split(OMISSION))
