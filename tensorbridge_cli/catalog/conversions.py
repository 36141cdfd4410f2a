"""The ways over the border: one entry each, in one visible tuple.

An entry's ``code`` is what a user types, with ``x`` for the source; it is also what the experiment evaluates, with
``np`` and ``torch`` at hand. So nothing here needs numpy or torch, and what is shown is what was run.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import pkgutil
import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from tensorbridge_cli.catalog.hooks import A_CLASS, FROM_A_PLUGIN, NO_HOOK, ONLY_A_VIEW, OPERATOR, As, At, Told, Unseen
from tensorbridge_cli.catalog.pitfalls import Trip
from tensorbridge_cli.errors import RequestError, unknown
from tensorbridge_cli.records.report import Direction, Library

NUMPY, TORCH, PYTHON = Library.NUMPY, Library.TORCH, Library.PYTHON
_TORCH_PAGES = "https://docs.pytorch.org/docs/stable/generated/"
_NUMPY_PAGES = "https://numpy.org/doc/stable/reference/generated/"
_DLPACK_PAGE = "https://docs.pytorch.org/docs/stable/dlpack.html"
_TENSOR_VIEWS = "https://docs.pytorch.org/docs/stable/tensor_view.html"
_INDEXING = "https://numpy.org/doc/stable/user/basics.indexing.html"
_INTEROPERABILITY = "https://numpy.org/doc/stable/user/basics.interoperability.html"
_MIGRATION = "https://numpy.org/doc/stable/numpy_2_0_migration_guide.html"

Property = Literal["dtype", "shape", "values"]


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """One conversion under its real dotted name.

    Attributes:
        name: the dotted name, with the arguments that are part of the entry.
        sources: the libraries whose objects it takes.
        target: the library of what comes back, or, for a ufunc and ``tolist``, the one that is asked for it.
        code: the call, as an expression of ``x``; it returns the one object to compare with ``x``.
        code_with_dtype: the same with a target ``dtype``; ``None`` where the call takes none.
        page: the documentation page.
        trace: where ``tensorbridge trace`` sees a program's calls of it.
        setup: statements that run once before the call is timed, say an import of one's own module.
        copy: the ``copy=`` keyword that the call passes.
        groups: the names under which it is chosen together with others.
        needs: what an older version lacks: a dotted name, with a keyword as in ``np.from_dlpack(copy=)``.
        same_dtype: True if its code names the source's dtype in the other library, which may have none of that name.
        changes: what the call is there to change, so that a change of it is no surprise.
        summary: what it is, in a sentence.
        trips: what people trip over.
    """

    name: str
    sources: tuple[Library, ...]
    target: Library
    code: str
    page: str
    trace: At | As | Told | Unseen = NO_HOOK
    code_with_dtype: str | None = None
    setup: str = ""
    copy: bool | None = None
    groups: tuple[str, ...] = ()
    needs: str = ""
    same_dtype: bool = False
    changes: tuple[Property, ...] = ()
    summary: str = ""
    trips: tuple[Trip, ...] = ()

    def direction(self, source: Library) -> Direction:
        """Return the way that this conversion goes from an object of ``source``."""
        return Direction(f"{source}-to-{self.target}")


_THROUGH_A_FILE = """
import tempfile

def through_a_file(array, shared):
    dtype = getattr(torch, array.dtype.name)
    with tempfile.NamedTemporaryFile() as file:
        array.tofile(file.name)
        return torch.from_file(file.name, shared=shared, size=array.size, dtype=dtype).reshape(array.shape)
"""

_FROM_STORAGE = (
    "torch.empty(0, dtype=getattr(torch, x.dtype.name)).set_("
    'torch.UntypedStorage.from_buffer(x, byte_order="native", dtype=getattr(torch, x.dtype.name)))'
)

CONVERSIONS: tuple[Conversion, ...] = (
    # from PyTorch to NumPy
    Conversion(
        name="Tensor.numpy",
        sources=(TORCH,),
        target=NUMPY,
        code="x.numpy()",
        page=_TORCH_PAGES + "torch.Tensor.numpy.html",
        trace=At("torch.Tensor.numpy"),
        groups=("classic",),
        summary="The tensor's memory as an ndarray.",
        trips=(
            Trip(
                text="What is written to the array shows in the tensor, long after the line that made it: take "
                "x.numpy().copy() to keep the values.",
                shows="shared",
            ),
            Trip(
                text="A tensor that requires grad is refused: x.detach().numpy() shares, and autograd does not see "
                "the writes.",
                shows="refused",
                state="requires-grad",
            ),
            Trip(
                text="NumPy has no bfloat16: go through float32, or take the bits with x.view(torch.uint16).",
                shows="refused",
                dtype="bfloat16",
            ),
            Trip(
                text="The array of an expanded tensor can be written, and one write shows in every row.",
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
        page=_TORCH_PAGES + "torch.Tensor.numpy.html",
        trace=At("torch.Tensor.numpy"),
        summary="detach, cpu, resolve_conj, resolve_neg, numpy in one call: an ndarray of any tensor that NumPy can "
        "have.",
        trips=(
            Trip(
                text="It is no promise of a copy: where nothing had to be resolved the array shares, a tensor that "
                "requires grad included.",
                shows="shared",
                state="requires-grad",
            ),
            Trip(
                text="A lazy conjugate is resolved into new memory: the same line copies here.",
                shows="copied",
                dtype="complex64",
                state="conj",
            ),
        ),
    ),
    Conversion(
        name="Tensor.detach().numpy()",
        sources=(TORCH,),
        target=NUMPY,
        code="x.detach().numpy()",
        page=_TORCH_PAGES + "torch.Tensor.numpy.html",
        trace=As(("Tensor.numpy",)),
        summary="What is written for a tensor that may require grad.",
        trips=(
            Trip(
                text="detach leaves the gradient out, not the memory: a write to the array changes the parameter.",
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
        page=_TORCH_PAGES + "torch.Tensor.numpy.html",
        trace=As(("Tensor.cpu", "Tensor.numpy")),
        summary="The line that works for tensors of any device.",
        trips=(
            Trip(
                text="Of a tensor on the CPU, cpu() returns the tensor itself: the array shares; of one on a GPU it "
                "is a copy.",
                shows="shared",
            ),
        ),
    ),
    Conversion(
        name="Tensor.__array__",
        sources=(TORCH,),
        target=NUMPY,
        code="x.__array__()",
        code_with_dtype="x.__array__(dtype)",
        page=_INTEROPERABILITY,
        trace=At("torch.Tensor.__array__"),
        summary="What NumPy calls on a tensor that is given to np.asarray, np.array or a ufunc.",
        trips=(Trip(text="With a dtype of its own it copies, without it shares.", shows="copied", to_dtype="float64"),),
    ),
    Conversion(
        name="Tensor.__array__(copy=False)",
        sources=(TORCH,),
        target=NUMPY,
        code="x.__array__(copy=False)",
        code_with_dtype="x.__array__(dtype, copy=False)",
        page=_MIGRATION,
        trace=At("torch.Tensor.__array__"),
        copy=False,
        summary="NumPy 2 asks with copy=; a library that does not take it gives a TypeError or a DeprecationWarning.",
        trips=(
            Trip(
                text="Where the method has no copy=, np.asarray and np.array fall back on a call without it.",
                shows="refused",
            ),
        ),
    ),
    Conversion(
        name="Tensor.tolist",
        sources=(TORCH,),
        target=NUMPY,
        code="x.tolist()",
        page=_TORCH_PAGES + "torch.Tensor.tolist.html",
        trace=At("torch.Tensor.tolist"),
        groups=("lists",),
        summary="Python numbers in nested lists.",
        trips=(Trip(text="A list shares nothing, whatever is done to it.", shows="copied"),),
    ),
    Conversion(
        name="np.sin",
        sources=(TORCH,),
        target=NUMPY,
        code="np.sin(x)",
        page=_NUMPY_PAGES + "numpy.sin.html",
        trace=As(("Tensor.__array__",)),
        changes=("values",),
        summary="A NumPy function called on a tensor: __array__ takes it in, __array_wrap__ decides what comes out.",
        trips=(
            Trip(text="The result is a tensor, not an ndarray.", shows="copied"),
            Trip(text="A tensor that requires grad is refused, as by numpy().", shows="refused", state="requires-grad"),
        ),
    ),
    Conversion(
        name="Tensor.untyped_storage().numpy()",
        sources=(TORCH,),
        target=NUMPY,
        code="torch.empty(0, dtype=torch.uint8).set_(x.untyped_storage()).numpy()",
        page=_TORCH_PAGES + "torch.Tensor.untyped_storage.html",
        trace=As(("Tensor.numpy",)),
        groups=("storage",),
        changes=("dtype", "shape", "values"),
        summary="All the bytes of the tensor's storage, those outside of a view of it included.",
        trips=(
            Trip(
                text="A view reaches a part of the storage; this array reaches all of it.",
                shows="shared",
                layout="strided",
            ),
        ),
    ),
    Conversion(
        name="Tensor.view(torch.uint8).numpy()",
        sources=(TORCH,),
        target=NUMPY,
        code="x.view(torch.uint8).numpy()",
        page=_TORCH_PAGES + "torch.Tensor.view.html",
        trace=As(("Tensor.numpy",)),
        groups=("bits",),
        changes=("dtype", "shape", "values"),
        summary="The bytes of a tensor whose dtype NumPy lacks.",
        trips=(Trip(text="The bytes of a bfloat16 tensor, where numpy() refuses.", shows="shared", dtype="bfloat16"),),
    ),
    Conversion(
        name="Tensor.view(torch.uint16).numpy()",
        sources=(TORCH,),
        target=NUMPY,
        code="x.view(torch.uint16).numpy()",
        page=_TORCH_PAGES + "torch.Tensor.view.html",
        trace=As(("Tensor.numpy",)),
        groups=("bits",),
        changes=("dtype", "shape", "values"),
        summary="The bits of a bfloat16 tensor, one uint16 an element.",
        trips=(
            Trip(
                text="The array holds bits, not numbers: view them as bfloat16 again to read them.",
                shows="shared",
                dtype="bfloat16",
            ),
            Trip(text="A dtype of another width gives another last dimension.", shows="shared", dtype="float32"),
        ),
    ),
    Conversion(
        name="torch.view_as_real().numpy()",
        sources=(TORCH,),
        target=NUMPY,
        code="torch.view_as_real(x).numpy()",
        page=_TORCH_PAGES + "torch.view_as_real.html",
        trace=As(("Tensor.numpy",)),
        groups=("bits",),
        changes=("dtype", "shape", "values"),
        summary="A complex tensor as pairs of reals, on a last axis of 2.",
        trips=(
            Trip(
                text="A lazy conjugate has no such view: resolve_conj() first.",
                shows="refused",
                dtype="complex64",
                state="conj",
            ),
        ),
    ),
    # to NumPy, from either
    Conversion(
        name="np.asarray",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.asarray(x)",
        code_with_dtype="np.asarray(x, dtype=dtype)",
        page=_NUMPY_PAGES + "numpy.asarray.html",
        trace=At("numpy.asarray", "a"),
        summary="An ndarray of anything; a copy only where one is needed.",
        trips=(
            Trip(
                text="An ndarray comes back itself, so a function that starts with np.asarray writes into its "
                "caller's array.",
                shows="shared",
                direction=Direction.NUMPY_TO_NUMPY,
            ),
            Trip(text="A dtype that differs makes a copy, in silence.", shows="copied", to_dtype="float64"),
            Trip(text="A masked array loses its mask.", shows="mask-lost", state="masked"),
        ),
    ),
    Conversion(
        name="np.asarray(copy=True)",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.asarray(x, copy=True)",
        code_with_dtype="np.asarray(x, dtype=dtype, copy=True)",
        page=_NUMPY_PAGES + "numpy.asarray.html",
        trace=At("numpy.asarray", "a"),
        copy=True,
        needs="np.asarray(copy=)",
        summary="An ndarray of its own memory.",
        trips=(
            Trip(
                text="It copies what np.asarray alone would share.", shows="copied", direction=Direction.NUMPY_TO_NUMPY
            ),
        ),
    ),
    Conversion(
        name="np.asarray(copy=False)",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.asarray(x, copy=False)",
        code_with_dtype="np.asarray(x, dtype=dtype, copy=False)",
        page=_NUMPY_PAGES + "numpy.asarray.html",
        trace=At("numpy.asarray", "a"),
        copy=False,
        needs="np.asarray(copy=)",
        summary="An ndarray without a copy, or a ValueError.",
        trips=(
            Trip(
                text="Where another dtype is asked for it refuses.",
                shows="refused",
                to_dtype="float64",
                direction=Direction.NUMPY_TO_NUMPY,
            ),
        ),
    ),
    Conversion(
        name="np.asanyarray",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.asanyarray(x)",
        code_with_dtype="np.asanyarray(x, dtype=dtype)",
        page=_NUMPY_PAGES + "numpy.asanyarray.html",
        trace=At("numpy.asanyarray", "a"),
        summary="np.asarray that lets subclasses of ndarray through.",
        trips=(Trip(text="A masked array keeps its mask: it comes back as it is.", shows="shared", state="masked"),),
    ),
    Conversion(
        name="np.asanyarray(copy=True)",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.asanyarray(x, copy=True)",
        code_with_dtype="np.asanyarray(x, dtype=dtype, copy=True)",
        page=_NUMPY_PAGES + "numpy.asanyarray.html",
        trace=At("numpy.asanyarray", "a"),
        copy=True,
        needs="np.asanyarray(copy=)",
        summary="A copy that keeps the subclass.",
        trips=(
            Trip(
                text="It copies what np.asanyarray alone would return as it is.",
                shows="copied",
                direction=Direction.NUMPY_TO_NUMPY,
            ),
        ),
    ),
    Conversion(
        name="np.asanyarray(copy=False)",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.asanyarray(x, copy=False)",
        code_with_dtype="np.asanyarray(x, dtype=dtype, copy=False)",
        page=_NUMPY_PAGES + "numpy.asanyarray.html",
        trace=At("numpy.asanyarray", "a"),
        copy=False,
        needs="np.asanyarray(copy=)",
        summary="The subclass without a copy, or a ValueError.",
        trips=(
            Trip(
                text="Where another dtype is asked for it refuses.",
                shows="refused",
                to_dtype="float64",
                direction=Direction.NUMPY_TO_NUMPY,
            ),
        ),
    ),
    Conversion(
        name="np.array",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.array(x)",
        code_with_dtype="np.array(x, dtype=dtype)",
        page=_NUMPY_PAGES + "numpy.array.html",
        trace=At("numpy.array", "object"),
        summary="A new ndarray; copy=True is its default.",
        trips=(
            Trip(
                text="A subclass becomes a plain ndarray: a masked array loses its mask.",
                shows="mask-lost",
                state="masked",
            ),
            Trip(
                text="An object array is copied, the objects in it are not.",
                shows="nested-objects-shared",
                dtype="object",
                direction=Direction.NUMPY_TO_NUMPY,
            ),
        ),
    ),
    Conversion(
        name="np.array(copy=None)",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.array(x, copy=None)",
        code_with_dtype="np.array(x, dtype=dtype, copy=None)",
        page=_NUMPY_PAGES + "numpy.array.html",
        trace=At("numpy.array", "object"),
        summary="np.array that copies only where it must, as np.asarray does.",
        trips=(Trip(text="The array comes back without a copy.", shows="shared", direction=Direction.NUMPY_TO_NUMPY),),
    ),
    Conversion(
        name="np.array(copy=False)",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.array(x, copy=False)",
        code_with_dtype="np.array(x, dtype=dtype, copy=False)",
        page=_NUMPY_PAGES + "numpy.array.html",
        trace=At("numpy.array", "object"),
        copy=False,
        summary="Since NumPy 2: no copy, or a ValueError. In NumPy 1 it meant what copy=None means now.",
        trips=(
            Trip(
                text="Old code that passes copy=False to allow a copy is refused where one is needed.",
                shows="refused",
                to_dtype="float64",
                direction=Direction.NUMPY_TO_NUMPY,
            ),
        ),
    ),
    Conversion(
        name="np.ascontiguousarray",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.ascontiguousarray(x)",
        code_with_dtype="np.ascontiguousarray(x, dtype=dtype)",
        page=_NUMPY_PAGES + "numpy.ascontiguousarray.html",
        trace=At("numpy.ascontiguousarray", "a"),
        summary="A row-major ndarray, of 1 dimension at least.",
        trips=(
            Trip(
                text="Row-major already, it shares; laid out otherwise, it copies: the same line does both.",
                shows="copied",
                layout="strided",
                direction=Direction.NUMPY_TO_NUMPY,
            ),
            Trip(
                text="A 0-d array comes back with one dimension.",
                shows="shape-changed",
                shape="()",
                direction=Direction.NUMPY_TO_NUMPY,
            ),
        ),
    ),
    Conversion(
        name="np.from_dlpack",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.from_dlpack(x)",
        page=_NUMPY_PAGES + "numpy.from_dlpack.html",
        trace=At("numpy.from_dlpack", "x"),
        groups=("dlpack",),
        summary="An ndarray over a tensor's memory, through DLPack.",
        trips=(
            Trip(text="A tensor that requires grad is refused.", shows="refused", state="requires-grad"),
            Trip(text="A tensor with the neg bit goes over without its sign.", shows="values-changed", state="neg"),
        ),
    ),
    Conversion(
        name="np.from_dlpack(copy=True)",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.from_dlpack(x, copy=True)",
        page=_NUMPY_PAGES + "numpy.from_dlpack.html",
        trace=At("numpy.from_dlpack", "x"),
        copy=True,
        groups=("dlpack",),
        needs="np.from_dlpack(copy=)",
        summary="A copy, through DLPack.",
        trips=(
            Trip(
                text="It copies what np.from_dlpack alone shares.", shows="copied", direction=Direction.TORCH_TO_NUMPY
            ),
        ),
    ),
    Conversion(
        name="np.from_dlpack(copy=False)",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.from_dlpack(x, copy=False)",
        page=_NUMPY_PAGES + "numpy.from_dlpack.html",
        trace=At("numpy.from_dlpack", "x"),
        copy=False,
        groups=("dlpack",),
        needs="np.from_dlpack(copy=)",
        summary="No copy, or a BufferError.",
        trips=(
            Trip(
                text="A tensor with the neg bit is not copied to resolve it: the sign is lost.",
                shows="values-changed",
                state="neg",
            ),
        ),
    ),
    # from NumPy to PyTorch
    Conversion(
        name="torch.from_numpy",
        sources=(NUMPY,),
        target=TORCH,
        code="torch.from_numpy(x)",
        page=_TORCH_PAGES + "torch.from_numpy.html",
        trace=At("torch.from_numpy"),
        groups=("classic",),
        summary="An ndarray's memory as a tensor.",
        trips=(
            Trip(
                text="A tensor has no read-only flag: what NumPy refuses to change, the tensor changes.",
                shows="readonly-dropped",
                state="read-only",
            ),
            Trip(
                text="A reversed array is refused, as is any with a negative stride: take x.copy().",
                shows="refused",
                layout="negative",
            ),
            Trip(text="A masked array goes over without its mask.", shows="mask-lost", state="masked"),
            Trip(
                text="NumPy's floats are float64 and stay so: .float() after it makes a copy.",
                shows="shared",
                dtype="float64",
            ),
        ),
    ),
    Conversion(
        name="torch.frombuffer",
        sources=(NUMPY,),
        target=TORCH,
        code="torch.frombuffer(x, dtype=getattr(torch, x.dtype.name))",
        code_with_dtype="torch.frombuffer(x, dtype=dtype)",
        same_dtype=True,
        page=_TORCH_PAGES + "torch.frombuffer.html",
        trace=At("torch.frombuffer", "buffer"),
        changes=("shape",),
        summary="A tensor over anything with a buffer; which dtype its bytes have is yours to say.",
        trips=(
            Trip(text="A buffer must be row-major: a view with gaps is refused.", shows="refused", layout="strided"),
            Trip(
                text="Another dtype than the array's reads the same bytes as other numbers.",
                shows="dtype-reinterpreted",
                to_dtype="int32",
            ),
            Trip(text="An empty buffer is refused.", shows="refused", shape="0,3"),
        ),
    ),
    Conversion(
        name="Tensor.copy_",
        sources=(NUMPY,),
        target=TORCH,
        code="torch.empty(x.shape, dtype=getattr(torch, x.dtype.name)).copy_(torch.from_numpy(x))",
        code_with_dtype="torch.empty(x.shape, dtype=dtype).copy_(torch.from_numpy(x))",
        same_dtype=True,
        page=_TORCH_PAGES + "torch.Tensor.copy_.html",
        trace=At("torch.Tensor.copy_", "src", position=1),
        summary="The values into a tensor that is there already.",
        trips=(
            Trip(
                text="Only the values go over: the dtype is that of the tensor that takes them.",
                shows="copied",
                to_dtype="float16",
            ),
        ),
    ),
    Conversion(
        name="torch.tensor(list)",
        sources=(NUMPY,),
        target=TORCH,
        code="torch.tensor(list(x))",
        code_with_dtype="torch.tensor(list(x), dtype=dtype)",
        page=_TORCH_PAGES + "torch.tensor.html",
        trace=As(("torch.tensor",)),
        groups=("lists",),
        summary="A list of arrays given to torch.tensor.",
        trips=(
            Trip(
                text="Each element is converted by itself, orders of magnitude slower than np.stack first.",
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
        page=_TORCH_PAGES + "torch.stack.html",
        trace=At("torch.stack", "tensors"),
        groups=("lists",),
        summary="Tensors, or rows that share with their arrays, stacked into a tensor that does not.",
        trips=(
            Trip(
                text="The tensors that are stacked share with their arrays; the stack is a copy of them.",
                shows="copied",
            ),
        ),
    ),
    Conversion(
        name="torch.utils.data.default_collate",
        sources=(NUMPY, PYTHON),
        target=TORCH,
        code="torch.utils.data.default_collate(list(x))",
        page="https://docs.pytorch.org/docs/stable/data.html",
        trace=At(
            "torch.utils.data.default_collate",
            "batch",
            also=("torch.utils.data._utils.collate.default_collate", "torch.utils.data.dataloader.default_collate"),
        ),
        groups=("lists",),
        needs="torch.utils.data.default_collate",
        summary="What a DataLoader makes of a batch of arrays.",
        trips=(Trip(text="A batch is a copy: what the dataset writes afterwards does not show.", shows="copied"),),
    ),
    Conversion(
        name="torch.from_file(shared=False)",
        sources=(NUMPY,),
        target=TORCH,
        code="through_a_file(x, shared=False)",
        page=_TORCH_PAGES + "torch.from_file.html",
        trace=Unseen("its source is a file: no array is converted"),
        setup=_THROUGH_A_FILE,
        groups=("storage",),
        same_dtype=True,
        summary="A tensor over a private mapping of a file, the default: its writes do not reach the file.",
        trips=(Trip(text="Written to a file and read again, nothing is shared with the array.", shows="copied"),),
    ),
    Conversion(
        name="torch.from_file(shared=True)",
        sources=(NUMPY,),
        target=TORCH,
        code="through_a_file(x, shared=True)",
        page=_TORCH_PAGES + "torch.from_file.html",
        trace=Unseen("its source is a file: no array is converted"),
        setup=_THROUGH_A_FILE,
        groups=("storage",),
        same_dtype=True,
        summary="A tensor over a shared mapping of a file: its writes go to the file, which grows if it is too short.",
        trips=(Trip(text="Written to a file and read again, nothing is shared with the array.", shows="copied"),),
    ),
    Conversion(
        name="torch.UntypedStorage.from_buffer",
        sources=(NUMPY,),
        target=TORCH,
        code=_FROM_STORAGE,
        page="https://docs.pytorch.org/docs/stable/storage.html",
        trace=Unseen("a method of an immutable type"),
        groups=("storage",),
        changes=("shape",),
        needs="torch.UntypedStorage.from_buffer",
        same_dtype=True,
        summary="A storage from a buffer: bytes, read in a byte order that is given.",
        trips=(Trip(text="A storage made from a buffer is a copy of it.", shows="copied"),),
    ),
    # to PyTorch, from either and from Python's lists
    Conversion(
        name="torch.as_tensor",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.as_tensor(x)",
        code_with_dtype="torch.as_tensor(x, dtype=dtype)",
        page=_TORCH_PAGES + "torch.as_tensor.html",
        trace=At("torch.as_tensor", "data"),
        groups=("classic",),
        summary="A tensor of anything; a copy only where one is needed.",
        trips=(
            Trip(
                text="A dtype that differs makes a copy, in silence: what is written to the array no longer shows.",
                shows="copied",
                to_dtype="float64",
            ),
            Trip(text="A tensor comes back itself, its gradient with it.", shows="shared", state="requires-grad"),
            Trip(text="A list is copied, of course; of arrays, slowly.", shows="copied", state="list"),
        ),
    ),
    Conversion(
        name="torch.tensor",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.tensor(x)",
        code_with_dtype="torch.tensor(x, dtype=dtype)",
        page=_TORCH_PAGES + "torch.tensor.html",
        trace=At("torch.tensor", "data"),
        groups=("classic",),
        summary="A new leaf tensor with a copy of the values.",
        trips=(
            Trip(
                text="A copy could be made of a reversed array, and yet it is refused.",
                shows="refused",
                layout="negative",
            ),
            Trip(
                text="Of a tensor that requires grad comes a leaf that does not: gradients do not flow back. It "
                "warns, and means clone().detach().",
                shows="grad-lost",
                state="requires-grad",
            ),
        ),
    ),
    Conversion(
        name="torch.asarray",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.asarray(x)",
        code_with_dtype="torch.asarray(x, dtype=dtype)",
        page=_TORCH_PAGES + "torch.asarray.html",
        trace=At("torch.asarray", "obj"),
        summary="The array API's constructor: shares where it can.",
        trips=(
            Trip(text="A NumPy scalar is copied.", shows="copied", state="scalar"),
            Trip(text="A dtype that differs makes a copy.", shows="copied", to_dtype="float64"),
        ),
    ),
    Conversion(
        name="torch.asarray(copy=True)",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.asarray(x, copy=True)",
        code_with_dtype="torch.asarray(x, dtype=dtype, copy=True)",
        page=_TORCH_PAGES + "torch.asarray.html",
        trace=At("torch.asarray", "obj"),
        copy=True,
        summary="The array API's constructor with a copy in any case.",
        trips=(Trip(text="It copies what torch.asarray alone shares.", shows="copied"),),
    ),
    Conversion(
        name="torch.asarray(copy=False)",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.asarray(x, copy=False)",
        code_with_dtype="torch.asarray(x, dtype=dtype, copy=False)",
        page=_TORCH_PAGES + "torch.asarray.html",
        trace=At("torch.asarray", "obj"),
        copy=False,
        summary="The array API's constructor without a copy, or an error.",
        trips=(Trip(text="Where another dtype is asked for it refuses.", shows="refused", to_dtype="float64"),),
    ),
    Conversion(
        name="torch.from_dlpack",
        sources=(NUMPY, TORCH),
        target=TORCH,
        code="torch.from_dlpack(x)",
        page=_DLPACK_PAGE,
        trace=At("torch.from_dlpack", "ext_tensor", also=("torch.utils.dlpack.from_dlpack",)),
        groups=("dlpack",),
        summary="A tensor over the memory of anything with __dlpack__.",
        trips=(
            Trip(
                text="An array with a negative stride ends the process: nothing that a program could catch.",
                shows="crashed",
                layout="negative",
            ),
            Trip(
                text="A read-only array becomes a tensor that can be written, without a warning.",
                shows="readonly-dropped",
                state="read-only",
            ),
        ),
    ),
    Conversion(
        name="torch.from_dlpack(copy=True)",
        sources=(NUMPY, TORCH),
        target=TORCH,
        code="torch.from_dlpack(x, copy=True)",
        page=_DLPACK_PAGE,
        trace=At("torch.from_dlpack", "ext_tensor"),
        copy=True,
        groups=("dlpack",),
        needs="torch.from_dlpack(copy=)",
        summary="A copy, through DLPack.",
        trips=(Trip(text="It copies what torch.from_dlpack alone shares.", shows="copied"),),
    ),
    Conversion(
        name="torch.from_dlpack(copy=False)",
        sources=(NUMPY, TORCH),
        target=TORCH,
        code="torch.from_dlpack(x, copy=False)",
        page=_DLPACK_PAGE,
        trace=At("torch.from_dlpack", "ext_tensor"),
        copy=False,
        groups=("dlpack",),
        needs="torch.from_dlpack(copy=)",
        summary="No copy, or an error.",
        trips=(
            Trip(text="An array with a negative stride ends the process here too.", shows="crashed", layout="negative"),
        ),
    ),
    Conversion(
        name="torch.from_dlpack(capsule)",
        sources=(NUMPY, TORCH),
        target=TORCH,
        code="torch.from_dlpack(x.__dlpack__())",
        page=_DLPACK_PAGE,
        trace=As(("torch.from_dlpack",)),
        groups=("dlpack",),
        summary="What x.__dlpack__() returns, taken once.",
        trips=(
            Trip(
                text="A capsule without a version cannot say that an array is read-only: NumPy refuses to make one.",
                shows="refused",
                state="read-only",
            ),
        ),
    ),
    Conversion(
        name="torch.from_dlpack(versioned capsule)",
        sources=(NUMPY, TORCH),
        target=TORCH,
        code="torch.from_dlpack(x.__dlpack__(max_version=(1, 0)))",
        page=_DLPACK_PAGE,
        trace=As(("torch.from_dlpack",)),
        groups=("dlpack",),
        needs="torch.Tensor.__dlpack__(max_version=)",
        summary="A capsule of DLPack 1.0 or newer, which can say that the memory is read-only.",
        trips=(
            Trip(
                text="Made from a read-only array, the tensor can be written all the same.",
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
        page="https://docs.pytorch.org/docs/stable/tensors.html",
        trace=A_CLASS,
        groups=("legacy",),
        changes=("dtype",),
        summary="The class itself, called: float32 in any case, and nothing is documented about memory.",
        trips=(
            Trip(
                text="A float32 array is shared, without a word of it in the documentation.",
                shows="shared",
                direction=Direction.NUMPY_TO_TORCH,
            ),
            Trip(
                text="Another dtype becomes float32, and that is a copy.",
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
        page="https://docs.pytorch.org/docs/stable/tensors.html",
        trace=A_CLASS,
        groups=("legacy",),
        changes=("dtype",),
        needs="torch.FloatTensor",
        summary="A type of the old days: float32 on the CPU.",
        trips=(Trip(text="A float32 array is shared.", shows="shared", direction=Direction.NUMPY_TO_TORCH),),
    ),
    Conversion(
        name="Tensor.new_tensor",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.empty(0).new_tensor(x)",
        code_with_dtype="torch.empty(0).new_tensor(x, dtype=dtype)",
        page=_TORCH_PAGES + "torch.Tensor.new_tensor.html",
        trace=At("torch.Tensor.new_tensor", "data", position=1),
        changes=("dtype",),
        summary="A copy with the dtype and device of another tensor.",
        trips=(
            Trip(
                text="The dtype is that of the tensor it is called on, float32 here: an int64 array becomes float32.",
                shows="copied",
                dtype="int64",
                direction=Direction.NUMPY_TO_TORCH,
            ),
        ),
    ),
    # from PyTorch to PyTorch
    Conversion(
        name="Tensor.clone",
        sources=(TORCH,),
        target=TORCH,
        code="x.clone()",
        page=_TORCH_PAGES + "torch.clone.html",
        trace=At("torch.Tensor.clone"),
        summary="A copy that autograd sees.",
        trips=(
            Trip(
                text="The clone of a tensor that requires grad is part of the graph: x.detach().clone() is not.",
                shows="copied",
                state="requires-grad",
            ),
            Trip(
                text="It keeps strides where it can; the clone of an expanded tensor has memory of its own for each "
                "row.",
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
        page=_TORCH_PAGES + "torch.Tensor.detach.html",
        trace=ONLY_A_VIEW,
        summary="The same memory, out of the graph.",
        trips=(Trip(text="It is no copy: x.detach().zero_() empties x.", shows="shared", state="requires-grad"),),
    ),
    Conversion(
        name="Tensor.data",
        sources=(TORCH,),
        target=TORCH,
        code="x.data",
        page="https://docs.pytorch.org/docs/stable/tensors.html",
        trace=ONLY_A_VIEW,
        summary="The same memory, out of the graph and out of the version counter's sight.",
        trips=(
            Trip(
                text="A write through .data is not seen by autograd, which may then compute wrong gradients in "
                "silence: detach() lets it notice.",
                shows="shared",
                state="requires-grad",
            ),
        ),
    ),
    Conversion(
        name="Tensor.to",
        sources=(TORCH,),
        target=TORCH,
        code="x.to(x.dtype)",
        code_with_dtype="x.to(dtype)",
        page=_TORCH_PAGES + "torch.Tensor.to.html",
        trace=At("torch.Tensor.to"),
        summary="The tensor itself where dtype and device are right, a copy otherwise.",
        trips=(
            Trip(
                text="Whether it copies depends on what came in: the same line shares one tensor and copies the next.",
                shows="copied",
                to_dtype="float64",
            ),
            Trip(text="Where nothing has to change it is the very tensor.", shows="shared"),
        ),
    ),
    Conversion(
        name="Tensor.to(copy=True)",
        sources=(TORCH,),
        target=TORCH,
        code="x.to(x.dtype, copy=True)",
        code_with_dtype="x.to(dtype, copy=True)",
        page=_TORCH_PAGES + "torch.Tensor.to.html",
        trace=At("torch.Tensor.to"),
        copy=True,
        summary="A copy in any case.",
        trips=(Trip(text="It copies although dtype and device are right.", shows="copied"),),
    ),
    Conversion(
        name="Tensor.to(torch.float64)",
        sources=(TORCH,),
        target=TORCH,
        code="x.to(torch.float64)",
        page=_TORCH_PAGES + "torch.Tensor.to.html",
        trace=As(("Tensor.to",)),
        changes=("dtype",),
        summary="A conversion to one dtype, as in a model's input line.",
        trips=(Trip(text="Of a float64 tensor it is the tensor itself.", shows="shared", dtype="float64"),),
    ),
    Conversion(
        name="Tensor.cpu",
        sources=(TORCH,),
        target=TORCH,
        code="x.cpu()",
        page=_TORCH_PAGES + "torch.Tensor.cpu.html",
        trace=At("torch.Tensor.cpu"),
        summary="The tensor in the CPU's memory: itself if it is there already.",
        trips=(Trip(text="A tensor on the CPU comes back itself: it is not a copy.", shows="shared"),),
    ),
    Conversion(
        name="Tensor.float",
        sources=(TORCH,),
        target=TORCH,
        code="x.float()",
        page=_TORCH_PAGES + "torch.Tensor.float.html",
        trace=At("torch.Tensor.float"),
        changes=("dtype",),
        summary="The tensor as float32: itself if it is float32 already, a copy otherwise.",
        trips=(
            Trip(text="A float32 tensor comes back itself.", shows="shared", dtype="float32"),
            Trip(text="Another dtype is copied.", shows="copied", dtype="float64"),
        ),
    ),
    Conversion(
        name="Tensor.double",
        sources=(TORCH,),
        target=TORCH,
        code="x.double()",
        page=_TORCH_PAGES + "torch.Tensor.double.html",
        trace=At("torch.Tensor.double"),
        changes=("dtype",),
        summary="The tensor as float64: itself if it is float64 already, a copy otherwise.",
        trips=(
            Trip(text="A float64 tensor comes back itself.", shows="shared", dtype="float64"),
            Trip(text="Another dtype is copied.", shows="copied", dtype="float32"),
        ),
    ),
    Conversion(
        name="Tensor.half",
        sources=(TORCH,),
        target=TORCH,
        code="x.half()",
        page=_TORCH_PAGES + "torch.Tensor.half.html",
        trace=At("torch.Tensor.half"),
        changes=("dtype",),
        summary="The tensor as float16: itself if it is float16 already, a copy otherwise.",
        trips=(
            Trip(text="A float16 tensor comes back itself.", shows="shared", dtype="float16"),
            Trip(text="Another dtype is copied.", shows="copied", dtype="float64"),
        ),
    ),
    Conversion(
        name="Tensor.contiguous",
        sources=(TORCH,),
        target=TORCH,
        code="x.contiguous()",
        page=_TORCH_PAGES + "torch.Tensor.contiguous.html",
        trace=At("torch.Tensor.contiguous"),
        summary="The tensor itself where it is row-major, a row-major copy otherwise.",
        trips=(
            Trip(
                text="A transposed tensor is copied: writes to the result no longer reach it.",
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
        page=_TORCH_PAGES + "torch.Tensor.view.html",
        trace=ONLY_A_VIEW,
        changes=("shape",),
        summary="The same memory under another shape or dtype, or an error.",
        trips=(
            Trip(
                text="A transposed tensor is refused where reshape would copy in silence.",
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
        page=_TORCH_PAGES + "torch.Tensor.reshape.html",
        trace=At("torch.Tensor.reshape"),
        changes=("shape",),
        summary="Another shape: a view where the strides allow it, a copy otherwise.",
        trips=(Trip(text="Of a transposed tensor it is a copy, without a word.", shows="copied", layout="transposed"),),
    ),
    Conversion(
        name="Tensor.flatten",
        sources=(TORCH,),
        target=TORCH,
        code="x.flatten()",
        page=_TORCH_PAGES + "torch.flatten.html",
        trace=At("torch.Tensor.flatten"),
        changes=("shape",),
        summary="One dimension: the tensor itself, a view or a copy.",
        trips=(Trip(text="Of a transposed tensor it is a copy.", shows="copied", layout="transposed"),),
    ),
    Conversion(
        name="Tensor.expand",
        sources=(TORCH,),
        target=TORCH,
        code="x.expand(2, *x.shape)",
        page=_TORCH_PAGES + "torch.Tensor.expand.html",
        trace=ONLY_A_VIEW,
        changes=("shape",),
        summary="The tensor repeated without memory for it: stride 0.",
        trips=(Trip(text="One write shows in every repetition.", shows="elements-overlap"),),
    ),
    Conversion(
        name="Tensor.permute",
        sources=(TORCH,),
        target=TORCH,
        code="x.permute(tuple(reversed(range(x.dim()))))",
        page=_TORCH_PAGES + "torch.permute.html",
        trace=ONLY_A_VIEW,
        changes=("shape",),
        summary="The dimensions in another order, over the same memory.",
        trips=(Trip(text="What is written through it shows in the tensor, at another index.", shows="shared"),),
    ),
    Conversion(
        name="Tensor[::2]",
        sources=(TORCH,),
        target=TORCH,
        code="x[::2]",
        page=_TENSOR_VIEWS,
        trace=ONLY_A_VIEW,
        changes=("shape",),
        summary="A slice: a view.",
        trips=(Trip(text="Half of the elements keep all of the memory alive.", shows="shared"),),
    ),
    Conversion(
        name="Tensor[mask]",
        sources=(TORCH,),
        target=TORCH,
        code="x[torch.ones(x.shape, dtype=torch.bool)]",
        page=_TENSOR_VIEWS,
        trace=OPERATOR,
        changes=("shape",),
        summary="The elements where a mask is true: a copy.",
        trips=(Trip(text="x[mask].zero_() empties the copy; x[mask] = 0 writes to x.", shows="copied"),),
    ),
    Conversion(
        name="Tensor.share_memory_",
        sources=(TORCH,),
        target=TORCH,
        code="x.share_memory_()",
        page=_TORCH_PAGES + "torch.Tensor.share_memory_.html",
        trace=At("torch.Tensor.share_memory_"),
        summary="The storage moved to memory that other processes see.",
        trips=(
            Trip(
                text="The tensor itself comes back, on new memory: an array that was taken from it before is left "
                "with the old, which nothing keeps.",
                shows="shared",
            ),
        ),
    ),
    Conversion(
        name="copy.deepcopy",
        sources=(TORCH,),
        target=TORCH,
        code="copy.deepcopy(x)",
        page="https://docs.python.org/3/library/copy.html",
        trace=At("torch.Tensor.__deepcopy__"),
        setup="import copy",
        summary="A copy of everything, as of a module with its parameters.",
        trips=(Trip(text="A tensor in the middle of a graph is refused.", shows="refused", state="non-leaf"),),
    ),
    Conversion(
        name="ForkingPickler",
        sources=(TORCH,),
        target=TORCH,
        code="ForkingPickler.loads(ForkingPickler.dumps(x))",
        page="https://docs.pytorch.org/docs/stable/multiprocessing.html",
        trace=Unseen("bytes between processes: each has its own tensor"),
        setup="import torch.multiprocessing\nfrom multiprocessing.reduction import ForkingPickler",
        needs="torch.multiprocessing",
        summary="What torch.multiprocessing sends a tensor with: a handle of shared memory.",
        trips=(
            Trip(text="Sending moves the tensor to shared memory: both sides write to the same bytes.", shows="shared"),
        ),
    ),
    Conversion(
        name="torch.nn.Parameter",
        sources=(TORCH,),
        target=TORCH,
        code="torch.nn.Parameter(x)",
        page=_TORCH_PAGES + "torch.nn.parameter.Parameter.html",
        trace=A_CLASS,
        summary="A tensor as a parameter of a module: the same memory.",
        trips=(
            Trip(text="The tensor that it was made from still changes it.", shows="shared"),
            Trip(text="An integer tensor cannot require grad, so it is refused.", shows="refused", dtype="int64"),
        ),
    ),
    # from NumPy to NumPy
    Conversion(
        name="np.copy",
        sources=(NUMPY,),
        target=NUMPY,
        code="np.copy(x)",
        page=_NUMPY_PAGES + "numpy.copy.html",
        trace=At("numpy.copy", "a"),
        summary="A copy; of a subclass, a plain ndarray.",
        trips=(Trip(text="A masked array loses its mask.", shows="mask-lost", state="masked"),),
    ),
    Conversion(
        name="np.frombuffer",
        sources=(NUMPY,),
        target=NUMPY,
        code="np.frombuffer(x, dtype=x.dtype)",
        code_with_dtype="np.frombuffer(x, dtype=dtype)",
        page=_NUMPY_PAGES + "numpy.frombuffer.html",
        trace=At("numpy.frombuffer", "buffer"),
        changes=("shape",),
        summary="A 1-d array over anything with a buffer.",
        trips=(Trip(text="Over a read-only buffer the array is read-only too.", shows="shared", state="read-only"),),
    ),
    Conversion(
        name="ndarray.copy",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.copy()",
        page=_NUMPY_PAGES + "numpy.ndarray.copy.html",
        trace=Told("copy"),
        summary="A copy, row-major by default, of the same type.",
        trips=(
            Trip(
                text="An object array's copy still holds the same objects.",
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
        page=_NUMPY_PAGES + "numpy.ndarray.view.html",
        trace=ONLY_A_VIEW,
        summary="The same memory under another dtype or type.",
        trips=(
            Trip(
                text="Another dtype reads the same bytes as other numbers.",
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
        page=_NUMPY_PAGES + "numpy.reshape.html",
        trace=Told("reshape"),
        changes=("shape",),
        summary="Another shape: a view where the strides allow it, a copy otherwise.",
        trips=(Trip(text="Of a transposed array it is a copy, without a word.", shows="copied", layout="transposed"),),
    ),
    Conversion(
        name="ndarray.ravel",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.ravel()",
        page=_NUMPY_PAGES + "numpy.ravel.html",
        trace=Told("ravel"),
        changes=("shape",),
        summary="One dimension, without a copy where that can be.",
        trips=(Trip(text="Of a transposed array it is a copy.", shows="copied", layout="transposed"),),
    ),
    Conversion(
        name="ndarray.flatten",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.flatten()",
        page=_NUMPY_PAGES + "numpy.ndarray.flatten.html",
        trace=Told("flatten"),
        changes=("shape",),
        summary="One dimension, always a copy: unlike Tensor.flatten.",
        trips=(Trip(text="A contiguous array is copied too.", shows="copied"),),
    ),
    Conversion(
        name="ndarray.astype",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.astype(x.dtype)",
        code_with_dtype="x.astype(dtype)",
        page=_NUMPY_PAGES + "numpy.ndarray.astype.html",
        trace=Told("astype"),
        summary="A copy in another dtype, or in the same.",
        trips=(
            Trip(text="It copies although the dtype is the array's own: copy=False leaves that out.", shows="copied"),
        ),
    ),
    Conversion(
        name="ndarray.astype(copy=False)",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.astype(x.dtype, copy=False)",
        code_with_dtype="x.astype(dtype, copy=False)",
        page=_NUMPY_PAGES + "numpy.ndarray.astype.html",
        trace=As(("ndarray.astype",)),
        summary="Another dtype; the array itself where it has it already.",
        trips=(Trip(text="Whether it copies depends on what came in.", shows="copied", to_dtype="float64"),),
    ),
    Conversion(
        name="ndarray[::2]",
        sources=(NUMPY,),
        target=NUMPY,
        code="x[::2]",
        page=_INDEXING,
        trace=OPERATOR,
        changes=("shape",),
        summary="A slice: a view.",
        trips=(Trip(text="What is written through it shows in the array.", shows="shared"),),
    ),
    Conversion(
        name="ndarray[indices]",
        sources=(NUMPY,),
        target=NUMPY,
        code="x[np.arange(len(x))]",
        page=_INDEXING,
        trace=OPERATOR,
        summary="The rows that a list of indices names: a copy.",
        trips=(Trip(text="x[indices][0] = 1 changes nothing; x[indices[0]] = 1 writes to x.", shows="copied"),),
    ),
    Conversion(
        name="ndarray[mask]",
        sources=(NUMPY,),
        target=NUMPY,
        code="x[np.ones(x.shape, dtype=bool)]",
        page=_INDEXING,
        trace=OPERATOR,
        changes=("shape",),
        summary="The elements where a mask is true: a copy.",
        trips=(Trip(text="x[mask][0] = 1 changes nothing; x[mask] = 1 writes to x.", shows="copied"),),
    ),
)

_BY_NAME = {entry.name: entry for entry in CONVERSIONS}
_registered: list[Conversion] = []


def register(conversion: Conversion) -> None:
    """Add one's own conversion to the registry; modules named by ``--plugin`` call this.

    Raises:
        ValueError: where the name is taken by another entry.
    """
    if conversion.trace is NO_HOOK:
        conversion = replace(conversion, trace=FROM_A_PLUGIN)
    known = find(conversion.name)
    if known is None:
        _registered.append(conversion)
    elif known != conversion:
        raise ValueError(f"a conversion named {conversion.name!r} is there already")


def registered() -> tuple[Conversion, ...]:
    """Return the user's own entries."""
    return tuple(_registered)


def is_in_catalogue(entry: Conversion) -> bool:
    """Return True if ``entry`` is none of the user's own."""
    return _BY_NAME.get(entry.name) is entry


def find(name: str) -> Conversion | None:
    """Return the entry of that full name; ``None`` where there is none, in a report of another version, say."""
    return _BY_NAME.get(name) or next((entry for entry in _registered if entry.name == name), _own.get(name))


OWN = ("own",)
"""The group of lines of one's own; no entry of the catalogue is in it."""
_own: dict[str, Conversion] = {}


def own(text: str) -> Conversion:
    """Return the entry of a line of the user's own, an expression of ``x``; its text is its name.

    From which library it starts and to which it goes is guessed from the text, for an experiment that gives no result:
    otherwise the result decides. What it changes is what it is written for; other values are a hazard all the same.

    Raises:
        RequestError: if it is not one expression, or does not use ``x``.
    """
    code = text.strip()
    if (entry := _own.get(code)) is not None:
        return entry
    try:
        expression = ast.parse(code, mode="eval").body
        used = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it is nested too deeply"
        raise RequestError(f"--code {text!r} is not a Python expression: {reason}.") from None
    if "x" not in used:
        raise RequestError(f"--code {text!r} does not use x, which stands for the source.")
    sources = _sources_of(expression)
    entry = Conversion(
        name=code,
        sources=sources,
        target=_target_of(expression, sources[0]),
        code=code,
        page="",
        trace=Unseen("a line of one's own"),
        groups=OWN,
        changes=("dtype", "shape"),
        summary="A line of one's own.",
    )
    return _own.setdefault(code, entry)


def _sources_of(expression: ast.expr) -> tuple[Library, ...]:
    """Return the libraries that ``x`` may be of, the likeliest first: of tensors if a tensor's attribute is asked."""
    asked = {
        node.attr
        for node in ast.walk(expression)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "x"
    }
    arrays, tensors = (
        {name.group(1) for entry in CONVERSIONS if library in entry.sources and (name := _ATTRIBUTE.match(entry.code))}
        for library in (NUMPY, TORCH)
    )
    likely = (TORCH, NUMPY) if asked & (tensors - arrays) else (NUMPY, TORCH)
    return (*likely, PYTHON)


_ATTRIBUTE = re.compile(r"x\.(\w+)")


def _target_of(expression: ast.expr, source: Library) -> Library:
    """Return the library that the outermost calls of a chain belong to: ``x.detach().numpy()`` gives an array."""
    node: ast.AST = expression
    while True:
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute):
            if node.attr in ("numpy", "__array__"):
                return NUMPY
            node = node.value
        elif isinstance(node, ast.Subscript):
            node = node.value
        else:
            name = node.id if isinstance(node, ast.Name) else ""
            return {"np": NUMPY, "numpy": NUMPY, "torch": TORCH}.get(name, TORCH if source is TORCH else NUMPY)


def conversions() -> tuple[Conversion, ...]:
    """Return all entries, the registered ones last."""
    return CONVERSIONS + tuple(_registered)


def classic() -> tuple[Conversion, ...]:
    """Return the four that run when none is named, in the order in which they are shown."""
    return group("classic")


def group(name: str) -> tuple[Conversion, ...]:
    """Return the conversions of a group, in the order of the catalogue; ``all`` is every one.

    Raises:
        RequestError: where there is no such group, with the closest names.
    """
    entries = conversions()
    wanted = name.strip().lower()
    if wanted not in groups():
        raise unknown("group", name, groups())
    return entries if wanted == "all" else tuple(entry for entry in entries if wanted in entry.groups)


def groups() -> tuple[str, ...]:
    """Return the names of the groups."""
    return (*dict.fromkeys(name for entry in conversions() for name in entry.groups), "all")


def absent(entry: Conversion) -> str | None:
    """Return why the installed versions do not have ``entry``; ``None`` where they do. Imports the library."""
    return missing(entry.needs)


@functools.cache
def missing(needs: str) -> str | None:
    """Return why the installed versions lack what ``needs`` names, as ``torch.asarray`` or ``np.asarray(copy=)``."""
    name, _, keyword = needs.removesuffix("=)").partition("(")
    if not name:
        return None
    library = importlib.import_module(_IMPORTS[name.partition(".")[0]])
    here = f"{library.__name__} {library.__version__}"
    try:
        found = pkgutil.resolve_name(f"{library.__name__}.{name.partition('.')[2]}")
    except (ImportError, AttributeError):
        return f"absent in {here}: there is no {name}"
    if keyword and not _takes(found, keyword):
        return f"absent in {here}: {name} takes no {keyword}="
    return None


_IMPORTS = {"np": "numpy", "torch": "torch"}


def _takes(function: Any, keyword: str) -> bool:
    try:
        return keyword in inspect.signature(function).parameters
    except ValueError:  # a built-in without a signature: its documentation names its keywords
        return f"{keyword}=" in (function.__doc__ or "").partition("\n\n")[0]


def candidates(text: str) -> list[Conversion]:
    """Return the conversions that ``text`` may mean: the one of that full name, or those that end in it.

    What is spelled in the same case comes before what is not: ``torch.Tensor`` is not ``torch.tensor``.

    Raises:
        RequestError: where there is none, with the closest names.
    """
    wanted = _spelled(text)
    entries = conversions()
    for fold in (str, str.lower):
        for meant in (lambda entry: [_spelled(entry.name)], _suffixes, _without_flag):
            found = [entry for entry in entries if fold(wanted) in map(fold, meant(entry))]
            if found:
                return found
    raise unknown("conversion", text, [entry.name for entry in entries], spelled=spellings())


def spellings() -> dict[str, str]:
    """Return the shortest spelling of each name, with the name; where several end so, the first."""
    found: dict[str, str] = {}
    for entry in conversions():
        found.setdefault(_suffixes(entry)[-1], entry.name)
    return found


def named(text: str, library: Library | None = None, direction: Direction | None = None) -> Conversion:
    """Return the one conversion that ``text`` means.

    Where several may be meant, ``library`` (the subject's) and ``direction`` decide; then those are meant that cross
    the border.

    Raises:
        RequestError: where there is none, with the closest names, or more than one, with all of them.
    """
    found = candidates(text)
    for fits in (_any_way, _over_the_border):
        if len(found) > 1:
            found = [entry for entry in found if fits(entry, library, direction)] or found
    if len(found) > 1:
        names = " or ".join(entry.name for entry in found)
        raise RequestError(f"conversion {text!r} is ambiguous: write {names}, or give --direction.")
    return found[0]


def _any_way(entry: Conversion, library: Library | None, direction: Direction | None) -> bool:
    return any(library in (None, source) and direction in (None, entry.direction(source)) for source in entry.sources)


def _over_the_border(entry: Conversion, library: Library | None, direction: Direction | None) -> bool:
    sources = tuple(source for source in entry.sources if source is not entry.target)
    return _any_way(replace(entry, sources=sources), library, direction)


def _without_flag(entry: Conversion) -> list[str]:
    """Return the names of a function that is in the catalogue only with a flag, as ``from_file(shared=True)``."""
    names = _suffixes(entry)
    return [name.partition("(")[0] for name in names] if re.search(r"\(\w+=(True|False)\)$", names[0]) else []


def variants(text: str, library: Library | None = None, direction: Direction | None = None) -> tuple[Conversion, ...]:
    """Return the conversion that ``text`` means, or each with a flag of a function that is there only so.

    Raises:
        RequestError: as ``named``.
    """
    found = candidates(text)
    functions = {entry.name.partition("(")[0] for entry in found}
    if len(found) > 1 and len(functions) == 1:
        return tuple(found)
    return (named(text, library, direction),)


def _suffixes(entry: Conversion) -> list[str]:
    """Return the names that mean ``entry``: its own cut at each dot outside the parentheses."""
    head, bracket, arguments = _spelled(entry.name).partition("(")
    words = head.split(".")
    return [".".join(words[i:]) + bracket + arguments for i in range(len(words))]


def _spelled(text: str) -> str:
    """Return the one spelling of a name: ``np`` for ``numpy``, ``Tensor.x`` for ``torch.Tensor.x``, no spaces."""
    spelled = text.strip().replace(" ", "").removesuffix("()")
    for long, short in (
        ("numpy.ndarray.", "ndarray."),
        ("np.ndarray.", "ndarray."),
        ("torch.Tensor.", "Tensor."),
        ("numpy.", "np."),
    ):
        if spelled.lower().startswith(long.lower()):
            return short + spelled[len(long) :]
    return spelled
