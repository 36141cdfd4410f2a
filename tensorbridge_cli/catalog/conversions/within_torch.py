"""Conversions from PyTorch to PyTorch.

Each is one entry, with its documented rules, its pitfalls and its hook; see ``to_torch``.
"""

from __future__ import annotations

from collections.abc import Mapping

from tensorbridge_cli.catalog.conditions import (
    A_TENSOR,
    ANOTHER_DTYPE,
    ASKED_DTYPE,
    GRAD,
    HAS_ELEMENTS,
    HAS_ROWS,
    INTEGERS_ASKED,
    OF_LISTED_DTYPE,
    ONE_DIMENSION,
    ROW_MAJOR,
    SAME_DTYPE,
    SPARSE,
    TOO_LARGE_FOR_THE_INTEGERS_ASKED,
    TWO_DIMENSIONS,
    ZERO_D,
    all_of,
    any_of,
    dtype,
    layout,
    not_,
    state,
)
from tensorbridge_cli.catalog.documentation import (
    GIVES_ADVICE,
    HEDGED,
    NOT_COMPARED,
    NOT_RESIZED,
    NP_INTEROPERABILITY_PAGE,
    TENSORS_PAGE,
    TORCH_DOCS,
    VIEW_OF_ANOTHER_DTYPE,
)
from tensorbridge_cli.catalog.entry import (
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
    ONLY_A_VIEW,
    OPERATOR,
    ComposedOf,
    InterceptedAt,
    NoHook,
)
from tensorbridge_cli.catalog.pitfalls import Pitfall

_CONTIGUOUS = "Returns a contiguous in memory tensor containing the same data as self tensor."
_INDEXING = "basic indexing returns views, while advanced indexing returns a copy."
_SELF_RETURNED = (
    "If the self Tensor already has the correct torch.dtype and torch.device, then self is returned. Otherwise, the "
    "returned tensor is a copy of self with the desired torch.dtype and torch.device."
)
_SPECIFIED = "Returns a Tensor with the specified dtype"
_VIEW_SHARES = (
    "The returned tensor shares the same data and must have the same number of elements, but may have a different size."
)
_STRIDED_SHARES = (
    "If input is a strided tensor then the resulting out tensor shares its underlying storage with the input tensor, "
    "so changing the content of one would change the content of the other."
)
_ALREADY_ON_THE_CPU = (
    "If this object is already in CPU memory, then no copy is performed and the original object is returned."
)


def _called_as_a_dtype(method: str, name: str, another: str = "float64") -> Conversion:
    """Return a method that does what ``Tensor.to`` does with the dtype called ``name``; ``another`` shows a copy."""
    sentence = f"self.{method}() is equivalent to self.to(torch.{name})."
    return Conversion(
        name=f"Tensor.{method}",
        sources=(TORCH,),
        target=TORCH,
        code=f"x.{method}()",
        page=f"torch.Tensor.{method}",
        hook=InterceptedAt(f"torch.Tensor.{method}"),
        changes=("dtype",),
        summary=f"Returns the tensor itself if it is {name}, and a {name} copy otherwise.",
        rules=(
            Rule(all_of(A_TENSOR, dtype(name)), "outcome", "shared", sentence),
            Rule(all_of(A_TENSOR, not_(dtype(name))), "outcome", "copied", sentence),
            Rule(A_TENSOR, "dtype", name, sentence),
        ),
        pitfalls=(
            Pitfall(text=f"Returns a {name} tensor itself.", shows="shared", dtype=name),
            Pitfall(text="Copies any other dtype.", shows="copied", dtype=another),
        ),
    )


TENSOR_VIEWS_PAGE = TORCH_DOCS + "tensor_view.html"

UNTESTED: dict[str, Mapping[str, str]] = {
    "torch.Tensor.detach": {
        "This method also affects forward mode AD gradients and the result will never have forward mode AD "
        "gradients.": "no source has forward mode AD gradients",
    },
    "torch.Tensor.to": {
        "According to C++ type conversion rules, converting floating point value to integer type will truncate the "
        "fractional part.": "how values of another dtype must be rounded is not compared",
    },
    "torch.Tensor.cpu": {"Returns a copy of this object in CPU memory.": "the sentence after it says when"},
    "torch.reshape": {
        "Returns a tensor with the same data and number of elements as input, but with the specified shape.": (
            NOT_COMPARED
        ),
        "Contiguous inputs and inputs with compatible strides can be reshaped without copying, but you should not "
        "depend on the copying vs. viewing behavior.": "the page itself says that it is not to be depended on",
    },
    "torch.Tensor.reshape": {
        "Returns a tensor with the same data and number of elements as self but with the specified shape.": (
            NOT_COMPARED
        ),
    },
    "torch.flatten": {
        "Unlike NumPy's flatten, which always copies input's data, this function may return the original object, a "
        "view, or copy.": HEDGED,
        "The order of elements in input is unchanged.": NOT_COMPARED,
        "Finally, only if the input cannot be viewed as the flattened shape is input's data copied.": "whether it "
        "can be viewed depends on the strides, which the description of a source does not have",
    },
    "torch.Tensor.expand": {
        "More than one element of an expanded tensor may refer to a single memory location. As a result, in-place "
        "operations (especially ones that are vectorized) may result in incorrect behavior.": HEDGED,
        "If you need to write to the tensors, please clone them first.": GIVES_ADVICE,
    },
    "torch.t": {
        "Expects input to be <= 2-D tensor and transposes dimensions 0 and 1.": "it does not say what happens "
        "otherwise",
    },
    "torch.Tensor.share_memory_": {
        "Moves the underlying storage to shared memory.": "an address does not tell whose memory it is",
        "Tensors in shared memory cannot be resized.": NOT_RESIZED,
    },
    "torch.nn.Parameter": {
        "Note that the torch.no_grad context does NOT affect the default behavior of Parameter creation--the "
        "Parameter will still have requires_grad=True in no_grad mode.": "no experiment runs in that mode",
    },
    "torch.multiprocessing": {
        "Once the tensor/storage is moved to shared_memory (see torch.Tensor.share_memory_), it will be possible "
        "to send it to other processes without making any copies.": "each experiment is made in one process",
        "The API is 100% compatible with the original module - it's enough to change import multiprocessing to "
        "import torch.multiprocessing to have all the tensors sent through the queues or shared via other "
        "mechanisms, moved to shared memory.": "an address does not tell whose memory it is",
    },
}
"""The sentences of a page that promise, forbid or warn, and why no experiment is held against each."""

CONVERSIONS: tuple[Conversion, ...] = (
    # from PyTorch to PyTorch
    Conversion(
        name="Tensor.clone",
        sources=(TORCH,),
        target=TORCH,
        code="x.clone()",
        page="torch.clone",
        hook=InterceptedAt("torch.Tensor.clone"),
        summary="A copy that stays in the autograd graph.",
        rules=(
            Rule(A_TENSOR, "outcome", "copied", "Returns a copy of input."),
            Rule(A_TENSOR, "values", "equal", "Returns a copy of input."),
            Rule(
                all_of(A_TENSOR, GRAD),
                "requires-grad",
                "true",
                "This function is differentiable, so gradients will flow back from the result of this operation to "
                "input.",
            ),
            Rule(
                all_of(
                    A_TENSOR, HAS_ELEMENTS, layout("contiguous", "fortran", "transposed", "offset", "channels-last")
                ),
                "strides",
                THE_SOURCES,
                "In addition, when torch.preserve_format is used: If the input tensor is dense (i.e., non-overlapping "
                "strided), its memory format (including strides) is retained.",
            ),
            Rule(
                all_of(A_TENSOR, layout("non-contiguous")),
                "contiguity",
                "row-major",
                "Otherwise (e.g., a non-dense view like a stepped slice), the output is converted to the dense "
                "(contiguous) format.",
            ),
        ),
        pitfalls=(
            Pitfall(
                text="The clone of a tensor that requires grad is part of the graph. x.detach().clone() is not.",
                shows="copied",
                state="requires-grad",
            ),
            Pitfall(
                text="Keeps the strides if possible. The clone of an expanded tensor has separate memory for each row.",
                shows="copied",
                layout="broadcast",
            ),
        ),
    ),
    Conversion(
        name="Tensor.detach",
        sources=(TORCH,),
        target=TORCH,
        code="x.detach()",
        page="torch.Tensor.detach",
        hook=ONLY_A_VIEW,
        summary="A tensor that shares memory and is detached from the graph.",
        rules=(
            Rule(
                A_TENSOR,
                "outcome",
                "shared",
                "Returned Tensor shares the same storage with the original one.",
            ),
            Rule(A_TENSOR, "requires-grad", "false", "The result will never require gradient."),
            Rule(A_TENSOR, "leaf", "a leaf", "Returns a new Tensor, detached from the current graph."),
            Rule(
                all_of(A_TENSOR, HAS_ELEMENTS, not_(state("inference"))),
                "writes",
                "seen",
                "In-place modifications on either of them will be seen, and may trigger errors in correctness checks.",
            ),
        ),
        pitfalls=(Pitfall(text="Not a copy: x.detach().zero_() zeroes x.", shows="shared", state="requires-grad"),),
    ),
    Conversion(
        name="Tensor.data",
        sources=(TORCH,),
        target=TORCH,
        code="x.data",
        page=TENSORS_PAGE,
        hook=ONLY_A_VIEW,
        summary="A tensor that shares memory, is detached from the graph and bypasses the version counter.",
        rules=(),
        pitfalls=(
            Pitfall(
                text="Autograd does not detect writes through .data and may silently compute wrong gradients. It "
                "detects writes through detach().",
                shows="shared",
                state="requires-grad",
            ),
        ),
    ),
    *with_copy(
        Conversion(
            name="Tensor.to",
            sources=(TORCH,),
            target=TORCH,
            code="x.to(x.dtype)",
            code_with_dtype="x.to(dtype)",
            page="torch.Tensor.to",
            hook=InterceptedAt("torch.Tensor.to"),
            summary="Returns the tensor itself if dtype and device match, and a copy otherwise.",
            rules=(
                Rule(all_of(A_TENSOR, SAME_DTYPE), "outcome", "shared", _SELF_RETURNED),
                Rule(all_of(A_TENSOR, ANOTHER_DTYPE), "outcome", "copied", _SELF_RETURNED),
                Rule(all_of(A_TENSOR, SAME_DTYPE), "object", "the same", _SELF_RETURNED),
                Rule(all_of(A_TENSOR, ASKED_DTYPE), "dtype", THE_ONE_ASKED_FOR, _SPECIFIED),
                Rule(
                    all_of(A_TENSOR, GRAD, INTEGERS_ASKED),
                    "requires-grad",
                    "false",
                    "If self requires gradients (requires_grad=True) but the target dtype specified is an integer "
                    "type, the returned tensor will implicitly set requires_grad=False.",
                ),
                Rule(
                    all_of(A_TENSOR, TOO_LARGE_FOR_THE_INTEGERS_ASKED),
                    "values",
                    UNDEFINED,
                    "If the truncated value cannot fit into the target type (e.g., casting torch.inf to torch.long), "
                    "the behavior is undefined and the result may vary across platforms.",
                ),
            ),
            pitfalls=(
                Pitfall(
                    text="Whether it copies depends on the input: the same line shares memory with one tensor and "
                    "copies the next.",
                    shows="copied",
                    to_dtype="float64",
                ),
                Pitfall(text="Returns the same object if nothing has to change.", shows="shared"),
            ),
        ),
        Copy(
            value=True,
            summary="Always a copy.",
            rules=(
                Rule(
                    A_TENSOR,
                    "outcome",
                    "copied",
                    "When copy is set, a new Tensor is created even when the Tensor already matches the desired "
                    "conversion.",
                ),
                Rule(all_of(A_TENSOR, ASKED_DTYPE), "dtype", THE_ONE_ASKED_FOR, _SPECIFIED),
            ),
            pitfalls=(Pitfall(text="Copies even if dtype and device match.", shows="copied"),),
        ),
    ),
    Conversion(
        name="Tensor.to(torch.float64)",
        sources=(TORCH,),
        target=TORCH,
        code="x.to(torch.float64)",
        page="torch.Tensor.to",
        hook=ComposedOf(("Tensor.to",)),
        changes=("dtype",),
        summary="Returns the tensor itself if it is float64, and a copy otherwise.",
        rules=(
            Rule(all_of(A_TENSOR, dtype("float64")), "outcome", "shared", _SELF_RETURNED),
            Rule(all_of(A_TENSOR, not_(dtype("float64"))), "outcome", "copied", _SELF_RETURNED),
            Rule(A_TENSOR, "dtype", "float64", _SPECIFIED),
        ),
        pitfalls=(Pitfall(text="Returns a float64 tensor itself.", shows="shared", dtype="float64"),),
    ),
    Conversion(
        name="Tensor.cpu",
        sources=(TORCH,),
        target=TORCH,
        code="x.cpu()",
        page="torch.Tensor.cpu",
        hook=InterceptedAt("torch.Tensor.cpu"),
        summary="Returns the tensor itself if it is on the CPU, and a copy otherwise.",
        rules=(
            Rule(A_TENSOR, "object", "the same", _ALREADY_ON_THE_CPU),
            Rule(A_TENSOR, "copy", "no copy", _ALREADY_ON_THE_CPU),
        ),
        pitfalls=(Pitfall(text="Returns a tensor on the CPU itself: it is not a copy.", shows="shared"),),
    ),
    _called_as_a_dtype("float", "float32"),
    _called_as_a_dtype("double", "float64", another="float32"),
    _called_as_a_dtype("half", "float16"),
    Conversion(
        name="Tensor.contiguous",
        sources=(TORCH,),
        target=TORCH,
        code="x.contiguous()",
        page="torch.Tensor.contiguous",
        hook=InterceptedAt("torch.Tensor.contiguous"),
        summary="Returns the tensor itself if it is contiguous, and a contiguous copy otherwise.",
        rules=(
            Rule(
                all_of(A_TENSOR, ROW_MAJOR),
                "object",
                "the same",
                "If self tensor is already in the specified memory format, this function returns the self tensor.",
            ),
            Rule(A_TENSOR, "values", "equal", _CONTIGUOUS),
            Rule(all_of(A_TENSOR, HAS_ELEMENTS), "contiguity", "row-major", _CONTIGUOUS),
        ),
        pitfalls=(
            Pitfall(
                text="Copies a transposed tensor: writes to the result do not change it.",
                shows="copied",
                layout="transposed",
            ),
        ),
    ),
    Conversion(
        name="Tensor.view",
        sources=(TORCH,),
        target=TORCH,
        code="x.view(-1)",
        code_with_dtype="x.view(dtype)",
        page="torch.Tensor.view",
        hook=ONLY_A_VIEW,
        changes=("shape",),
        summary="A view with another shape or dtype that shares memory, or an error.",
        rules=(
            Rule(all_of(A_TENSOR, ROW_MAJOR, not_(ASKED_DTYPE)), "outcome", "shared", _VIEW_SHARES),
            Rule(all_of(A_TENSOR, not_(ASKED_DTYPE)), "copy", "no copy", _VIEW_SHARES),
            Rule(all_of(A_TENSOR, ASKED_DTYPE), "copy", "no copy", VIEW_OF_ANOTHER_DTYPE),
        ),
        pitfalls=(
            Pitfall(
                text="Raises for a transposed tensor, which reshape would copy silently.",
                shows="refused",
                layout="transposed",
            ),
        ),
    ),
    Conversion(
        name="Tensor.reshape",
        sources=(TORCH,),
        target=TORCH,
        code="x.reshape(-1)",
        page="torch.Tensor.reshape",
        hook=InterceptedAt("torch.Tensor.reshape"),
        changes=("shape",),
        summary="Another shape: a view if the strides allow it, and a copy otherwise.",
        rules=(
            Rule(
                A_TENSOR,
                "outcome",
                "shared-or-copied",
                "When possible, the returned tensor will be a view of input. Otherwise, it will be a copy.",
                page="torch.reshape",
            ),
            Rule(
                all_of(A_TENSOR, ROW_MAJOR),
                "copy",
                "no copy",
                "This method returns a view if shape is compatible with the current shape.",
            ),
        ),
        pitfalls=(Pitfall(text="Copies a transposed tensor silently.", shows="copied", layout="transposed"),),
    ),
    Conversion(
        name="Tensor.flatten",
        sources=(TORCH,),
        target=TORCH,
        code="x.flatten()",
        page="torch.flatten",
        hook=InterceptedAt("torch.Tensor.flatten"),
        changes=("shape",),
        summary="One dimension: the tensor itself, a view, or a copy if the strides do not allow a view.",
        rules=(
            Rule(
                all_of(A_TENSOR, ZERO_D),
                "outcome",
                "shared",
                "Flattening a zero-dimensional tensor will return a one-dimensional view.",
            ),
            Rule(
                all_of(A_TENSOR, ROW_MAJOR),
                "outcome",
                "shared",
                "Otherwise, if input can be viewed as the flattened shape, then that view is returned.",
            ),
            Rule(
                all_of(A_TENSOR, ONE_DIMENSION),
                "object",
                "the same",
                "If no dimensions are flattened, then the original object input is returned.",
            ),
            Rule(
                A_TENSOR,
                "dimensions",
                "1",
                "Flattens input by reshaping it into a one-dimensional tensor.",
            ),
        ),
        pitfalls=(Pitfall(text="Copies a transposed tensor.", shows="copied", layout="transposed"),),
    ),
    Conversion(
        name="Tensor.expand",
        sources=(TORCH,),
        target=TORCH,
        code="x.expand(2, *x.shape)",
        page="torch.Tensor.expand",
        hook=ONLY_A_VIEW,
        changes=("shape",),
        summary="A view that repeats the tensor with stride 0: shares memory.",
        rules=(
            Rule(
                A_TENSOR,
                "outcome",
                "shared",
                "Expanding a tensor does not allocate new memory, but only creates a new view on the existing tensor "
                "where a dimension of size one is expanded to a larger size by setting the stride to 0.",
            ),
        ),
        pitfalls=(Pitfall(text="One write changes every repetition.", shows="elements-overlap"),),
    ),
    Conversion(
        name="Tensor.permute",
        sources=(TORCH,),
        target=TORCH,
        code="x.permute(tuple(reversed(range(x.dim()))))",
        page="torch.permute",
        hook=ONLY_A_VIEW,
        changes=("shape", "values"),
        summary="A view with reordered dimensions: shares memory.",
        rules=(
            Rule(
                A_TENSOR,
                "outcome",
                "shared",
                "Returns a view of the original tensor input with its dimensions permuted.",
            ),
        ),
        pitfalls=(Pitfall(text="A write to the view changes the tensor, at another index.", shows="shared"),),
    ),
    Conversion(
        name="Tensor.t",
        sources=(TORCH,),
        target=TORCH,
        code="x.t()",
        page="torch.t",
        hook=ONLY_A_VIEW,
        changes=("shape", "values"),
        summary="A view of a matrix with its two dimensions swapped: shares memory.",
        rules=(
            Rule(
                all_of(A_TENSOR, any_of(ZERO_D, ONE_DIMENSION)),
                "outcome",
                "shared",
                "0-D and 1-D tensors are returned as is.",
            ),
            Rule(
                all_of(A_TENSOR, TWO_DIMENSIONS),
                "outcome",
                "shared",
                _STRIDED_SHARES,
                page="torch.transpose",
            ),
            Rule(
                all_of(A_TENSOR, TWO_DIMENSIONS, HAS_ELEMENTS),
                "writes",
                "seen",
                _STRIDED_SHARES,
                page="torch.transpose",
            ),
            Rule(
                all_of(SPARSE, OF_LISTED_DTYPE, TWO_DIMENSIONS),
                "outcome",
                "copied",
                "If input is a sparse tensor then the resulting out tensor does not share the underlying storage "
                "with the input tensor.",
                page="torch.transpose",
            ),
        ),
        pitfalls=(
            Pitfall(text="A write to the view changes the tensor, at another index.", shows="shared"),
            Pitfall(text="Raises for a tensor of more than 2 dimensions.", shows="refused", shape="2,3,4"),
        ),
    ),
    Conversion(
        name="Tensor * ndarray",
        sources=(TORCH,),
        target=TORCH,
        code="x * np.ones(x.shape, np.float32)",
        page=NP_INTEROPERABILITY_PAGE,
        hook=ComposedOf(("Tensor.__array__",)),
        changes=("dtype", "values"),
        summary="An operator with the tensor on the left: NumPy computes it, and the result is a tensor.",
        rules=(),
        pitfalls=(
            Pitfall(text="The result is a new tensor.", shows="copied"),
            Pitfall(
                text="Raises for a tensor that requires grad; x * torch.from_numpy(array) works.",
                shows="refused",
                state="requires-grad",
            ),
        ),
    ),
    Conversion(
        name="Tensor[::2]",
        sources=(TORCH,),
        target=TORCH,
        code="x[::2]",
        page=TENSOR_VIEWS_PAGE,
        hook=ONLY_A_VIEW,
        changes=("shape",),
        summary="A slice: a view that shares memory.",
        rules=(Rule(all_of(A_TENSOR, HAS_ROWS), "outcome", "shared", _INDEXING),),
        pitfalls=(Pitfall(text="The slice keeps the whole storage alive.", shows="shared"),),
    ),
    Conversion(
        name="Tensor[mask]",
        sources=(TORCH,),
        target=TORCH,
        code="x[torch.ones(x.shape, dtype=torch.bool)]",
        page=TENSOR_VIEWS_PAGE,
        hook=OPERATOR,
        changes=("shape",),
        summary="The elements selected by a boolean mask: a copy.",
        rules=(Rule(A_TENSOR, "outcome", "copied", _INDEXING),),
        pitfalls=(Pitfall(text="x[mask].zero_() zeroes the copy; x[mask] = 0 writes to x.", shows="copied"),),
    ),
    Conversion(
        name="Tensor.share_memory_",
        sources=(TORCH,),
        target=TORCH,
        code="x.share_memory_()",
        page="torch.Tensor.share_memory_",
        hook=InterceptedAt("torch.Tensor.share_memory_"),
        summary="Moves the storage to memory shared between processes and returns the tensor itself.",
        rules=(
            Rule(
                all_of(A_TENSOR, state("shared-memory")),
                "outcome",
                "shared",
                "This is a no-op if the underlying storage is already in shared memory and for CUDA tensors.",
            ),
        ),
        pitfalls=(
            Pitfall(
                text="The tensor moves to new memory. An array created from it before still points to the old memory, "
                "which has been freed.",
                shows="shared",
            ),
        ),
    ),
    Conversion(
        name="copy.deepcopy",
        sources=(TORCH,),
        target=TORCH,
        code="copy.deepcopy(x)",
        page="copy",
        hook=InterceptedAt("torch.Tensor.__deepcopy__"),
        setup="import copy",
        summary="A copy of the tensor and its whole storage, e.g. as part of a module.",
        rules=(
            Rule(
                all_of(A_TENSOR, not_(state("non-leaf"))),
                "outcome",
                "copied",
                "- A deep copy constructs a new compound object and then, recursively, inserts copies into it of the "
                "objects found in the original.",
                earlier=(
                    "A deep copy constructs a new compound object and then, recursively, inserts copies into it of the "
                    "objects found in the original.",
                ),
            ),
        ),
        pitfalls=(Pitfall(text="Raises for a tensor that is not a leaf.", shows="refused", state="non-leaf"),),
    ),
    Conversion(
        name="ForkingPickler",
        sources=(TORCH,),
        target=TORCH,
        code="ForkingPickler.loads(ForkingPickler.dumps(x))",
        page="torch.multiprocessing",
        hook=NoHook("bytes between processes: each has its own tensor"),
        setup="import torch.multiprocessing\nfrom multiprocessing.reduction import ForkingPickler",
        needs="torch.multiprocessing",
        summary="How torch.multiprocessing sends a tensor: shares memory through a handle.",
        rules=(
            Rule(
                all_of(A_TENSOR, not_(state("non-leaf"))),
                "outcome",
                "shared",
                "It registers custom reducers, that use shared memory to provide shared views on the same data in "
                "different processes.",
            ),
        ),
        pitfalls=(
            Pitfall(
                text="Sending moves the tensor to shared memory: both processes write to the same bytes.",
                shows="shared",
            ),
        ),
    ),
    Conversion(
        name="torch.nn.Parameter",
        sources=(TORCH,),
        target=TORCH,
        code="torch.nn.Parameter(x)",
        page="torch.nn.Parameter",
        hook=A_CLASS,
        summary="A module parameter that shares the tensor's memory.",
        rules=(
            Rule(
                all_of(A_TENSOR, dtype("float16", "float32", "float64", "complex64", "complex128")),
                "requires-grad",
                "true",
                "requires_grad (bool, optional): if the parameter requires gradient. […] Default: True",
            ),
        ),
        pitfalls=(
            Pitfall(text="A write to the original tensor changes the parameter.", shows="shared"),
            Pitfall(text="Raises for an integer tensor, which cannot require grad.", shows="refused", dtype="int64"),
        ),
    ),
)
