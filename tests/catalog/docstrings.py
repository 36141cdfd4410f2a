"""What the docstrings of the cited pages say besides the sentences that are rules, and those that cannot be tested.

``test_documentation`` counts all of them against the docstrings of the installed versions, so that a page that has
changed is named.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field

from tensorbridge_cli.catalog.documentation import NOT_ASKED, OTHER_ARGUMENT

INTRODUCES = "it says what the function or the argument is for"
SAYS_AGAIN = "another sentence of the page says the same, and is a rule"
ANOTHER = "it is about another function"
EXAMPLE = "it introduces an example"

_COPIES = "x = copy.copy(y) # make a shallow copy of y x = copy.deepcopy(y) # make a deep copy of y"
if hasattr(copy, "replace"):  # since Python 3.13
    _COPIES += " x = copy.replace(y, a=1, b=2) # new object with fields replaced, as defined by __replace__"


@dataclass(frozen=True, kw_only=True)
class Docstring:
    """What was read in one docstring.

    Attributes:
        not_passed: the arguments that no conversion of the catalogue passes.
        no_promise: why sentences promise nothing, and those sentences.
    """

    not_passed: tuple[str, ...] = ()
    no_promise: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


DOCSTRINGS: dict[str, Docstring] = {
    "torch.Tensor.view": Docstring(
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
        }
    ),
    "numpy.asarray": Docstring(
        not_passed=("order", "device", "like"),
        no_promise={
            INTRODUCES: ("Input data, in any form that can be converted to an array.",),
            EXAMPLE: (
                "Convert a list into an array:",
                "Existing arrays are not copied:",
                "If dtype is set, array is copied only if dtype does not match:",
                "Contrary to asanyarray, ndarray subclasses are not passed through:",
            ),
        },
    ),
    "numpy.asanyarray": Docstring(
        not_passed=("order", "device", "like"),
        no_promise={
            INTRODUCES: ("Input data, in any form that can be converted to an array.",),
            SAYS_AGAIN: ("Convert the input to an ndarray, but pass ndarray subclasses through.",),
            EXAMPLE: ("Convert a list into an array:", "Instances of ndarray subclasses are passed through as-is:"),
        },
    ),
    "numpy.array": Docstring(
        not_passed=("order", "ndmin", "ndmax", "like"),
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
    "numpy.ascontiguousarray": Docstring(
        not_passed=("like",),
        no_promise={
            INTRODUCES: ("Data-type of returned array.",),
            EXAMPLE: ("Starting with a Fortran-contiguous array:", "Now, starting with a C-contiguous array:"),
        },
    ),
    "numpy.from_dlpack": Docstring(
        not_passed=("device",), no_promise={INTRODUCES: ("Boolean indicating whether or not to copy the input.",)}
    ),
    "numpy.sin": Docstring(not_passed=("out", "where")),
    "numpy.max": Docstring(
        not_passed=("axis", "out", "keepdims", "initial", "where"),
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
    "numpy.copyto": Docstring(
        not_passed=("casting", "where"),
        no_promise={
            INTRODUCES: ("The array into which values are copied.", "The array from which values are copied."),
        },
    ),
    "numpy.transpose": Docstring(
        not_passed=("axes",),
        no_promise={
            ANOTHER: (
                "To convert a 1-D array into a 2-D column vector, an additional dimension must be added, e.g., "
                "np.atleast_2d(a).T achieves this, as does a[:, np.newaxis].",
            ),
        },
    ),
    "torch.from_file": Docstring(
        not_passed=("layout", "device", "pin_memory"),
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
    "torch.frombuffer": Docstring(
        not_passed=("count", "offset", "requires_grad"),
        no_promise={
            INTRODUCES: (
                "Skips the first offset bytes in the buffer, and interprets the rest of the raw bytes as a "
                "1-dimensional tensor of type dtype with count elements.",
                "This function does not try to infer the dtype (hence, it is not optional).",
                "buffer (object): a Python object that exposes the buffer interface.",
            ),
        },
    ),
    "torch.as_tensor": Docstring(
        not_passed=("device",),
        no_promise={
            INTRODUCES: ("data (array_like): Initial data for the tensor.",),
            ANOTHER: ('torch.tensor never shares its data and creates a new "leaf tensor" (see /notes/autograd).',),
        },
    ),
    "torch.tensor": Docstring(
        not_passed=("device", "requires_grad", "pin_memory"),
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
    "torch.asarray": Docstring(
        not_passed=("device", "requires_grad"),
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
    "torch.from_dlpack": Docstring(
        not_passed=("device",),
        no_promise={
            INTRODUCES: (
                "If ext_tensor is a tensor (or ndarray) object, it must support the __dlpack__ protocol (i.e., have a "
                "ext_tensor.__dlpack__ method).",
            ),
        },
    ),
    "torch.Tensor.copy_": Docstring(
        not_passed=("non_blocking",),
        no_promise={
            INTRODUCES: (
                "src (Tensor): the source tensor to copy from",
                "The src tensor must be broadcastable with the self tensor.",
            ),
        },
    ),
    "torch.Tensor.new_tensor": Docstring(
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
    "torch.stack": Docstring(not_passed=("dim", "out")),
    "torch.utils.data.default_collate": Docstring(
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
        }
    ),
    "numpy.add": Docstring(
        not_passed=("where",),
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
    "torch.clone": Docstring(
        not_passed=("memory_format",),
        no_promise={ANOTHER: ("To create a tensor without an autograd relationship to input see Tensor.detach.",)},
    ),
    "torch.Tensor.to": Docstring(
        not_passed=("memory_format",),
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
    "torch.Tensor.cpu": Docstring(not_passed=("memory_format",)),
    "torch.Tensor.float": Docstring(not_passed=("memory_format",)),
    "torch.Tensor.double": Docstring(not_passed=("memory_format",)),
    "torch.Tensor.half": Docstring(not_passed=("memory_format",)),
    "torch.Tensor.contiguous": Docstring(not_passed=("memory_format",)),
    "torch.reshape": Docstring(
        no_promise={
            ANOTHER: ("See torch.Tensor.view on when it is possible to return a view.",),
            INTRODUCES: (
                "A single dimension may be -1, in which case it's inferred from the remaining dimensions and the "
                "number of elements in input.",
            ),
        }
    ),
    "torch.Tensor.reshape": Docstring(
        no_promise={ANOTHER: ("See torch.Tensor.view on when it is possible to return a view.",)}
    ),
    "torch.flatten": Docstring(
        not_passed=("start_dim", "end_dim"),
        no_promise={ANOTHER: ("See torch.Tensor.view for details on when a view will be returned.",)},
    ),
    "torch.Tensor.expand": Docstring(
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
        }
    ),
    "torch.permute": Docstring(not_passed=("dims",)),
    "torch.t": Docstring(
        no_promise={SAYS_AGAIN: ("When input is a 2-D tensor this is equivalent to transpose(input, 0, 1).",)}
    ),
    "torch.transpose": Docstring(
        no_promise={
            OTHER_ARGUMENT: (
                "If input is a sparse tensor with compressed layout (SparseCSR, SparseBSR, SparseCSC or SparseBSC) the "
                "arguments dim0 and dim1 must be both batch dimensions, or must both be sparse dimensions.",
            ),
        }
    ),
    "torch.Tensor.share_memory_": Docstring(
        no_promise={ANOTHER: ("See torch.UntypedStorage.share_memory_ for more details.",)}
    ),
    "torch.nn.Parameter": Docstring(
        no_promise={
            INTRODUCES: (
                "Parameters are torch.Tensor subclasses, that have a very special property when used with Module s - "
                "when they're assigned as Module attributes they are automatically added to the list of its "
                "parameters, and will appear e.g. in Module.parameters iterator.",
                "data (Tensor): parameter tensor.",
                "See locally-disable-grad-doc for more details.",
            ),
        }
    ),
    "torch.multiprocessing": Docstring(
        no_promise={
            INTRODUCES: (
                "Because of the similarity of APIs we do not document most of this package contents, and we recommend "
                "referring to very good docs of the original module.",
            ),
        }
    ),
    "copy": Docstring(
        no_promise={
            INTRODUCES: (
                "Generic (shallow and deep) copying operations.",
                "import copy",
                _COPIES,
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
        }
    ),
    "numpy.frombuffer": Docstring(
        not_passed=("count", "offset", "like"),
        no_promise={
            INTRODUCES: ("An object that exposes the buffer interface.", "Data-type of the returned array."),
        },
    ),
    "numpy.copy": Docstring(
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
    "numpy.reshape": Docstring(
        not_passed=("shape", "order", "copy"),
        no_promise={
            OTHER_ARGUMENT: (
                "The order keyword gives the index ordering both for fetching the values from a, and then placing the "
                "values into the output array.",
            ),
        },
    ),
    "numpy.ravel": Docstring(
        not_passed=("order",),
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
    "numpy.ndarray.copy": Docstring(
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
    "numpy.ndarray.view": Docstring(
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
        }
    ),
    "numpy.ndarray.flatten": Docstring(
        not_passed=("order",), no_promise={SAYS_AGAIN: ("A copy of the input array, flattened to one dimension.",)}
    ),
    "numpy.ndarray.astype": Docstring(
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
}
"""By its dotted name."""
