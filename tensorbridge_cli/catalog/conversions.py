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

from tensorbridge_cli.catalog.hooks import (
    A_CLASS,
    FROM_A_PLUGIN,
    NO_HOOK,
    ONLY_A_VIEW,
    OPERATOR,
    RAISES,
    As,
    At,
    Told,
    Unseen,
)
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
        summary="An ndarray that shares the tensor's memory, or an error.",
        trips=(
            Trip(
                text="A later write to the array also changes the tensor. Use x.numpy().copy() to keep the values.",
                shows="shared",
            ),
            Trip(
                text="Raises for a tensor that requires grad. x.detach().numpy() shares memory; autograd does not "
                "track writes to that array.",
                shows="refused",
                state="requires-grad",
            ),
            Trip(
                text="Raises for bfloat16, which NumPy lacks. Use x.float().numpy(), or x.view(torch.uint16).numpy() "
                "for the raw bits.",
                shows="refused",
                dtype="bfloat16",
            ),
            Trip(
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
        page=_TORCH_PAGES + "torch.Tensor.numpy.html",
        trace=At("torch.Tensor.numpy"),
        summary="x.detach().cpu().resolve_conj().resolve_neg().numpy() in one call: shares memory if no step has to "
        "copy.",
        trips=(
            Trip(
                text="force=True is not a guarantee of a copy: if nothing has to be resolved, the array shares "
                "memory, even if the tensor requires grad.",
                shows="shared",
                state="requires-grad",
            ),
            Trip(
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
        page=_TORCH_PAGES + "torch.Tensor.numpy.html",
        trace=As(("Tensor.numpy",)),
        summary="The usual idiom for a tensor that may require grad: shares memory.",
        trips=(
            Trip(
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
        page=_TORCH_PAGES + "torch.Tensor.numpy.html",
        trace=As(("Tensor.cpu", "Tensor.numpy")),
        summary="The usual idiom for a tensor on any device: shares memory on the CPU, copies from other devices.",
        trips=(
            Trip(
                text="For a tensor on the CPU, cpu() returns the tensor itself and the array shares memory. For a "
                "tensor on a GPU, cpu() copies.",
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
        summary="NumPy calls this for np.asarray, np.array and ufuncs: shares memory without a dtype.",
        trips=(
            Trip(
                text="With a dtype argument that differs it copies; without one it shares memory.",
                shows="copied",
                to_dtype="float64",
            ),
        ),
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
        summary="NumPy 2 passes copy=: returns an array that shares memory, or raises if __array__ has no copy=.",
        trips=(
            Trip(
                text="Raises if the method has no copy=. np.asarray and np.array then call it without copy=.",
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
        summary="Copies the values into nested lists of Python numbers.",
        trips=(Trip(text="A list never shares memory with the tensor.", shows="copied"),),
    ),
    Conversion(
        name="np.sin",
        sources=(TORCH,),
        target=NUMPY,
        code="np.sin(x)",
        page=_NUMPY_PAGES + "numpy.sin.html",
        trace=As(("Tensor.__array__",)),
        changes=("values",),
        summary="A NumPy ufunc called on a tensor: computes into new memory, so nothing is shared.",
        trips=(
            Trip(text="The result is a tensor, not an ndarray.", shows="copied"),
            Trip(text="Raises for a tensor that requires grad, like numpy().", shows="refused", state="requires-grad"),
        ),
    ),
    Conversion(
        name="np.max",
        sources=(TORCH,),
        target=NUMPY,
        code="np.max(x)",
        page=_NUMPY_PAGES + "numpy.max.html",
        trace=As(("Tensor.__array__",)),
        changes=("shape", "values"),
        summary="A NumPy function that calls the tensor's method of the same name, with NumPy's arguments.",
        trips=(
            Trip(
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
        page=_TORCH_PAGES + "torch.Tensor.untyped_storage.html",
        trace=As(("Tensor.numpy",)),
        groups=("storage",),
        changes=("dtype", "shape", "values"),
        summary="A uint8 array that shares the tensor's whole storage, including bytes outside the tensor's view.",
        trips=(
            Trip(
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
        page=_TORCH_PAGES + "torch.Tensor.view.html",
        trace=As(("Tensor.numpy",)),
        groups=("bits",),
        changes=("dtype", "shape", "values"),
        summary="A uint8 array that shares the bytes of a tensor, e.g. if NumPy lacks its dtype.",
        trips=(Trip(text="Works for bfloat16, for which numpy() raises.", shows="shared", dtype="bfloat16"),),
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
        summary="A uint16 array that shares the bits of a bfloat16 tensor, one uint16 per element.",
        trips=(
            Trip(
                text="The array holds raw bits, not numbers. View them as bfloat16 again to read them.",
                shows="shared",
                dtype="bfloat16",
            ),
            Trip(text="A dtype of another size changes the last dimension.", shows="shared", dtype="float32"),
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
        summary="An array that shares a complex tensor's memory as pairs of reals, on a last axis of length 2.",
        trips=(
            Trip(
                text="Raises for a lazy conjugate. Call resolve_conj() first.",
                shows="refused",
                dtype="complex64",
                state="conjugate-bit",
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
        summary="An ndarray that shares memory if possible, and a copy otherwise.",
        trips=(
            Trip(
                text="Returns an ndarray itself, so a function that starts with np.asarray writes into the caller's "
                "array.",
                shows="shared",
                direction=Direction.NUMPY_TO_NUMPY,
            ),
            Trip(text="Copies silently if the dtype differs.", shows="copied", to_dtype="float64"),
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
        summary="An ndarray in new memory: always a copy.",
        trips=(
            Trip(
                text="Copies where np.asarray without copy= shares memory.",
                shows="copied",
                direction=Direction.NUMPY_TO_NUMPY,
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
        summary="An ndarray that shares memory, or a ValueError.",
        trips=(
            Trip(
                text="Raises if another dtype is requested.",
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
        summary="Like np.asarray, but keeps subclasses of ndarray: shares memory if possible, copies otherwise.",
        trips=(Trip(text="Returns a masked array unchanged, with its mask.", shows="shared", state="masked"),),
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
        summary="A copy that keeps subclasses of ndarray.",
        trips=(
            Trip(
                text="Copies where np.asanyarray without copy= returns its argument.",
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
        summary="Keeps subclasses of ndarray and shares memory, or raises ValueError.",
        trips=(
            Trip(
                text="Raises if another dtype is requested.",
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
        summary="A new ndarray: always a copy, since copy=True is the default.",
        trips=(
            Trip(
                text="A subclass becomes a plain ndarray: a masked array loses its mask.",
                shows="mask-lost",
                state="masked",
            ),
            Trip(
                text="Copies an object array, but not the objects in it.",
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
        summary="Like np.asarray: shares memory if possible, copies otherwise.",
        trips=(Trip(text="Returns the array without copying it.", shows="shared", direction=Direction.NUMPY_TO_NUMPY),),
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
        summary="Shares memory or raises ValueError since NumPy 2. In NumPy 1 it meant what copy=None means now.",
        trips=(
            Trip(
                text='NumPy 1 code that passes copy=False as "copy only if needed" raises if a copy is needed.',
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
        summary="A C-contiguous ndarray with at least 1 dimension: shares memory if it is one already, copies "
        "otherwise.",
        trips=(
            Trip(
                text="Shares memory with a C-contiguous array and copies any other: the same line does both.",
                shows="copied",
                layout="non-contiguous",
                direction=Direction.NUMPY_TO_NUMPY,
            ),
            Trip(
                text="A 0-d array becomes 1-d.",
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
        summary="An ndarray that shares the tensor's memory through DLPack.",
        trips=(
            Trip(text="Raises for a tensor that requires grad.", shows="refused", state="requires-grad"),
            Trip(
                text="Ignores the negative bit of a tensor: the values change their sign.",
                shows="values-changed",
                state="negative-bit",
            ),
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
        summary="A copy through DLPack.",
        trips=(
            Trip(
                text="Copies where np.from_dlpack without copy= shares memory.",
                shows="copied",
                direction=Direction.TORCH_TO_NUMPY,
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
        summary="Shares memory through DLPack, or raises BufferError.",
        trips=(
            Trip(
                text="Ignores the negative bit of a tensor: the values change their sign.",
                shows="values-changed",
                state="negative-bit",
            ),
        ),
    ),
    Conversion(
        name="np.copyto",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.copyto(y := np.empty(x.shape, np.float32), x) or y",
        page=_NUMPY_PAGES + "numpy.copyto.html",
        trace=As(("Tensor.__array__",)),
        changes=("dtype",),
        summary="Copies the values into an existing array, here of float32.",
        trips=(
            Trip(
                text="The array keeps its dtype: float64 values lose digits.", shows="values-changed", dtype="float64"
            ),
            Trip(
                text="Raises if the cast is to another kind of dtype, e.g. complex to float.",
                shows="refused",
                dtype="complex64",
            ),
            Trip(text="Raises for a tensor that requires grad, like numpy().", shows="refused", state="requires-grad"),
        ),
    ),
    Conversion(
        name="np.transpose",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.transpose(x)",
        page=_NUMPY_PAGES + "numpy.transpose.html",
        trace=As(("Tensor.__array__",)),
        changes=("shape", "values"),
        summary="A view with the axes in reverse order: shares memory.",
        trips=(
            Trip(
                text="For a tensor the result is a tensor, not an ndarray; it shares memory.",
                shows="shared",
                direction=Direction.TORCH_TO_NUMPY,
            ),
            Trip(text="Raises for a tensor that requires grad, like numpy().", shows="refused", state="requires-grad"),
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
        summary="A tensor that shares the array's memory, or an error.",
        trips=(
            Trip(
                text="A tensor has no read-only flag: it writes to memory that NumPy protects.",
                shows="readonly-dropped",
                state="read-only",
            ),
            Trip(
                text="Raises for an array with a negative stride, e.g. a reversed one. Use x.copy().",
                shows="refused",
                layout="reversed",
            ),
            Trip(text="The mask of a masked array is lost.", shows="mask-lost", state="masked"),
            Trip(
                text="NumPy's default float is float64, and so is the tensor. A later .float() copies.",
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
        summary="A 1-d tensor that shares the memory of any buffer, read with the dtype that you pass.",
        trips=(
            Trip(
                text="Raises for a view with gaps: a buffer must be C-contiguous.",
                shows="refused",
                layout="non-contiguous",
            ),
            Trip(
                text="With another dtype than the array's, the same bytes are read as other numbers.",
                shows="dtype-reinterpreted",
                to_dtype="int32",
            ),
            Trip(text="Raises for an empty buffer.", shows="refused", shape="0,3"),
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
        summary="Copies the values into an existing tensor.",
        trips=(
            Trip(
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
        page=_INTEROPERABILITY,
        trace=As(("Tensor.__array__",)),
        changes=("dtype", "values"),
        summary="An operator with the array on the left; +, -, / and @ do the same.",
        trips=(
            Trip(
                text="It raises TypeError, while tensor * array works: use torch.from_numpy(x) * tensor.",
                shows="refused",
            ),
            Trip(text="A NumPy scalar is accepted.", shows="copied", state="scalar"),
        ),
    ),
    Conversion(
        name="np.add(out=Tensor)",
        sources=(NUMPY,),
        target=TORCH,
        code="np.add(x, 0, out=torch.empty(x.shape))",
        page=_NUMPY_PAGES + "numpy.add.html",
        trace=RAISES,
        changes=("dtype", "values"),
        summary="A NumPy ufunc with a tensor as out=: raises TypeError.",
        trips=(
            Trip(
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
        page=_TORCH_PAGES + "torch.tensor.html",
        trace=As(("torch.tensor",)),
        groups=("lists",),
        summary="A list of arrays passed to torch.tensor: copied element by element.",
        trips=(
            Trip(
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
        page=_TORCH_PAGES + "torch.stack.html",
        trace=At("torch.stack", "tensors"),
        groups=("lists",),
        summary="Copies a list of tensors (here: the rows of the source) into one tensor.",
        trips=(
            Trip(
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
        page="https://docs.pytorch.org/docs/stable/data.html",
        trace=At(
            "torch.utils.data.default_collate",
            "batch",
            also=("torch.utils.data._utils.collate.default_collate", "torch.utils.data.dataloader.default_collate"),
        ),
        groups=("lists",),
        needs="torch.utils.data.default_collate",
        summary="Copies a batch of arrays into one tensor, as a DataLoader does.",
        trips=(
            Trip(text="The batch is a copy: later writes to the dataset's arrays do not change it.", shows="copied"),
        ),
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
        summary="A tensor over a private memory map of a file (the default): a copy whose writes do not reach the "
        "file.",
        trips=(Trip(text="The tensor is read from the file: it shares no memory with the array.", shows="copied"),),
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
        summary="A tensor over a shared memory map of a file: a copy of the array whose writes go to the file, which "
        "grows if it is too short.",
        trips=(Trip(text="The tensor is read from the file: it shares no memory with the array.", shows="copied"),),
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
        summary="Copies a buffer into a storage, read in the given byte order.",
        trips=(Trip(text="The storage is a copy of the buffer.", shows="copied"),),
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
        summary="A tensor that shares memory if possible, and a copy otherwise.",
        trips=(
            Trip(
                text="Copies silently if the dtype differs: later writes to the array do not change the tensor.",
                shows="copied",
                to_dtype="float64",
            ),
            Trip(text="Returns a tensor itself, with its autograd history.", shows="shared", state="requires-grad"),
            Trip(
                text="Copies a list. A list of arrays is copied element by element, which is slow.",
                shows="copied",
                state="list",
            ),
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
        summary="A new leaf tensor: always a copy.",
        trips=(
            Trip(
                text="Raises for negative strides even though it copies.",
                shows="refused",
                layout="reversed",
            ),
            Trip(
                text="For a tensor that requires grad it returns a leaf with requires_grad=False and warns. Use "
                "x.detach().clone().",
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
        summary="The array API constructor: shares memory if possible, copies otherwise.",
        trips=(
            Trip(text="Copies a NumPy scalar.", shows="copied", state="scalar"),
            Trip(text="Copies if the dtype differs.", shows="copied", to_dtype="float64"),
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
        summary="The array API constructor, which always copies here.",
        trips=(Trip(text="Copies where torch.asarray without copy= shares memory.", shows="copied"),),
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
        summary="The array API constructor, which shares memory or raises here.",
        trips=(Trip(text="Raises if another dtype is requested.", shows="refused", to_dtype="float64"),),
    ),
    Conversion(
        name="torch.from_dlpack",
        sources=(NUMPY, TORCH),
        target=TORCH,
        code="torch.from_dlpack(x)",
        page=_DLPACK_PAGE,
        trace=At("torch.from_dlpack", "ext_tensor", also=("torch.utils.dlpack.from_dlpack",)),
        groups=("dlpack",),
        summary="A tensor that shares the memory of any object with __dlpack__.",
        trips=(
            Trip(
                text="Crashes the process for an array with a negative stride (SIGABRT): there is no exception to "
                "catch.",
                shows="crashed",
                layout="reversed",
            ),
            Trip(
                text="A read-only array becomes a writable tensor without a warning.",
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
        summary="A copy through DLPack.",
        trips=(Trip(text="Copies where torch.from_dlpack without copy= shares memory.", shows="copied"),),
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
        summary="Shares memory through DLPack, or raises.",
        trips=(
            Trip(
                text="Crashes the process for an array with a negative stride, too.", shows="crashed", layout="reversed"
            ),
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
        summary="A tensor that shares memory, from the capsule that x.__dlpack__() returns. A capsule can be used "
        "once.",
        trips=(
            Trip(
                text="Raises for a read-only array: an unversioned capsule cannot carry the read-only flag.",
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
        summary="A tensor that shares memory, from a capsule of DLPack 1.0 or newer, which carries a read-only flag.",
        trips=(
            Trip(
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
        page="https://docs.pytorch.org/docs/stable/tensors.html",
        trace=A_CLASS,
        groups=("legacy",),
        changes=("dtype",),
        summary="The class itself, called: always float32; the docs do not say whether it shares memory or copies.",
        trips=(
            Trip(
                text="Shares memory with a float32 array, which is undocumented.",
                shows="shared",
                direction=Direction.NUMPY_TO_TORCH,
            ),
            Trip(
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
        page="https://docs.pytorch.org/docs/stable/tensors.html",
        trace=A_CLASS,
        groups=("legacy",),
        changes=("dtype",),
        needs="torch.FloatTensor",
        summary="Legacy constructor, float32 on the CPU; the docs do not say whether it shares memory or copies.",
        trips=(Trip(text="Shares memory with a float32 array.", shows="shared", direction=Direction.NUMPY_TO_TORCH),),
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
        summary="A copy with the dtype and device of the tensor it is called on.",
        trips=(
            Trip(
                text="The dtype is that of the tensor it is called on, here float32: an int64 array becomes float32.",
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
        summary="A copy that stays in the autograd graph.",
        trips=(
            Trip(
                text="The clone of a tensor that requires grad is part of the graph. x.detach().clone() is not.",
                shows="copied",
                state="requires-grad",
            ),
            Trip(
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
        page=_TORCH_PAGES + "torch.Tensor.detach.html",
        trace=ONLY_A_VIEW,
        summary="A tensor that shares memory and is detached from the graph.",
        trips=(Trip(text="Not a copy: x.detach().zero_() zeroes x.", shows="shared", state="requires-grad"),),
    ),
    Conversion(
        name="Tensor.data",
        sources=(TORCH,),
        target=TORCH,
        code="x.data",
        page="https://docs.pytorch.org/docs/stable/tensors.html",
        trace=ONLY_A_VIEW,
        summary="A tensor that shares memory, is detached from the graph and bypasses the version counter.",
        trips=(
            Trip(
                text="Autograd does not detect writes through .data and may silently compute wrong gradients. It "
                "detects writes through detach().",
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
        summary="Returns the tensor itself if dtype and device match, and a copy otherwise.",
        trips=(
            Trip(
                text="Whether it copies depends on the input: the same line shares memory with one tensor and copies "
                "the next.",
                shows="copied",
                to_dtype="float64",
            ),
            Trip(text="Returns the same object if nothing has to change.", shows="shared"),
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
        summary="Always a copy.",
        trips=(Trip(text="Copies even if dtype and device match.", shows="copied"),),
    ),
    Conversion(
        name="Tensor.to(torch.float64)",
        sources=(TORCH,),
        target=TORCH,
        code="x.to(torch.float64)",
        page=_TORCH_PAGES + "torch.Tensor.to.html",
        trace=As(("Tensor.to",)),
        changes=("dtype",),
        summary="Returns the tensor itself if it is float64, and a copy otherwise.",
        trips=(Trip(text="Returns a float64 tensor itself.", shows="shared", dtype="float64"),),
    ),
    Conversion(
        name="Tensor.cpu",
        sources=(TORCH,),
        target=TORCH,
        code="x.cpu()",
        page=_TORCH_PAGES + "torch.Tensor.cpu.html",
        trace=At("torch.Tensor.cpu"),
        summary="Returns the tensor itself if it is on the CPU, and a copy otherwise.",
        trips=(Trip(text="Returns a tensor on the CPU itself: it is not a copy.", shows="shared"),),
    ),
    Conversion(
        name="Tensor.float",
        sources=(TORCH,),
        target=TORCH,
        code="x.float()",
        page=_TORCH_PAGES + "torch.Tensor.float.html",
        trace=At("torch.Tensor.float"),
        changes=("dtype",),
        summary="Returns the tensor itself if it is float32, and a float32 copy otherwise.",
        trips=(
            Trip(text="Returns a float32 tensor itself.", shows="shared", dtype="float32"),
            Trip(text="Copies any other dtype.", shows="copied", dtype="float64"),
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
        summary="Returns the tensor itself if it is float64, and a float64 copy otherwise.",
        trips=(
            Trip(text="Returns a float64 tensor itself.", shows="shared", dtype="float64"),
            Trip(text="Copies any other dtype.", shows="copied", dtype="float32"),
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
        summary="Returns the tensor itself if it is float16, and a float16 copy otherwise.",
        trips=(
            Trip(text="Returns a float16 tensor itself.", shows="shared", dtype="float16"),
            Trip(text="Copies any other dtype.", shows="copied", dtype="float64"),
        ),
    ),
    Conversion(
        name="Tensor.contiguous",
        sources=(TORCH,),
        target=TORCH,
        code="x.contiguous()",
        page=_TORCH_PAGES + "torch.Tensor.contiguous.html",
        trace=At("torch.Tensor.contiguous"),
        summary="Returns the tensor itself if it is contiguous, and a contiguous copy otherwise.",
        trips=(
            Trip(
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
        page=_TORCH_PAGES + "torch.Tensor.view.html",
        trace=ONLY_A_VIEW,
        changes=("shape",),
        summary="A view with another shape or dtype that shares memory, or an error.",
        trips=(
            Trip(
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
        page=_TORCH_PAGES + "torch.Tensor.reshape.html",
        trace=At("torch.Tensor.reshape"),
        changes=("shape",),
        summary="Another shape: a view if the strides allow it, and a copy otherwise.",
        trips=(Trip(text="Copies a transposed tensor silently.", shows="copied", layout="transposed"),),
    ),
    Conversion(
        name="Tensor.flatten",
        sources=(TORCH,),
        target=TORCH,
        code="x.flatten()",
        page=_TORCH_PAGES + "torch.flatten.html",
        trace=At("torch.Tensor.flatten"),
        changes=("shape",),
        summary="One dimension: the tensor itself, a view, or a copy if the strides do not allow a view.",
        trips=(Trip(text="Copies a transposed tensor.", shows="copied", layout="transposed"),),
    ),
    Conversion(
        name="Tensor.expand",
        sources=(TORCH,),
        target=TORCH,
        code="x.expand(2, *x.shape)",
        page=_TORCH_PAGES + "torch.Tensor.expand.html",
        trace=ONLY_A_VIEW,
        changes=("shape",),
        summary="A view that repeats the tensor with stride 0: shares memory.",
        trips=(Trip(text="One write changes every repetition.", shows="elements-overlap"),),
    ),
    Conversion(
        name="Tensor.permute",
        sources=(TORCH,),
        target=TORCH,
        code="x.permute(tuple(reversed(range(x.dim()))))",
        page=_TORCH_PAGES + "torch.permute.html",
        trace=ONLY_A_VIEW,
        changes=("shape", "values"),
        summary="A view with reordered dimensions: shares memory.",
        trips=(Trip(text="A write to the view changes the tensor, at another index.", shows="shared"),),
    ),
    Conversion(
        name="Tensor.t",
        sources=(TORCH,),
        target=TORCH,
        code="x.t()",
        page=_TORCH_PAGES + "torch.t.html",
        trace=ONLY_A_VIEW,
        changes=("shape", "values"),
        summary="A view of a matrix with its two dimensions swapped: shares memory.",
        trips=(
            Trip(text="A write to the view changes the tensor, at another index.", shows="shared"),
            Trip(text="Raises for a tensor of more than 2 dimensions.", shows="refused", shape="2,3,4"),
        ),
    ),
    Conversion(
        name="Tensor * ndarray",
        sources=(TORCH,),
        target=TORCH,
        code="x * np.ones(x.shape, np.float32)",
        page=_INTEROPERABILITY,
        trace=As(("Tensor.__array__",)),
        changes=("dtype", "values"),
        summary="An operator with the tensor on the left: NumPy computes it, and the result is a tensor.",
        trips=(
            Trip(text="The result is a new tensor.", shows="copied"),
            Trip(
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
        page=_TENSOR_VIEWS,
        trace=ONLY_A_VIEW,
        changes=("shape",),
        summary="A slice: a view that shares memory.",
        trips=(Trip(text="The slice keeps the whole storage alive.", shows="shared"),),
    ),
    Conversion(
        name="Tensor[mask]",
        sources=(TORCH,),
        target=TORCH,
        code="x[torch.ones(x.shape, dtype=torch.bool)]",
        page=_TENSOR_VIEWS,
        trace=OPERATOR,
        changes=("shape",),
        summary="The elements selected by a boolean mask: a copy.",
        trips=(Trip(text="x[mask].zero_() zeroes the copy; x[mask] = 0 writes to x.", shows="copied"),),
    ),
    Conversion(
        name="Tensor.share_memory_",
        sources=(TORCH,),
        target=TORCH,
        code="x.share_memory_()",
        page=_TORCH_PAGES + "torch.Tensor.share_memory_.html",
        trace=At("torch.Tensor.share_memory_"),
        summary="Moves the storage to memory shared between processes and returns the tensor itself.",
        trips=(
            Trip(
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
        page="https://docs.python.org/3/library/copy.html",
        trace=At("torch.Tensor.__deepcopy__"),
        setup="import copy",
        summary="A copy of the tensor and its whole storage, e.g. as part of a module.",
        trips=(Trip(text="Raises for a tensor that is not a leaf.", shows="refused", state="non-leaf"),),
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
        summary="How torch.multiprocessing sends a tensor: shares memory through a handle.",
        trips=(
            Trip(
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
        page=_TORCH_PAGES + "torch.nn.parameter.Parameter.html",
        trace=A_CLASS,
        summary="A module parameter that shares the tensor's memory.",
        trips=(
            Trip(text="A write to the original tensor changes the parameter.", shows="shared"),
            Trip(text="Raises for an integer tensor, which cannot require grad.", shows="refused", dtype="int64"),
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
        summary="A copy; subclasses become a plain ndarray.",
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
        summary="A 1-d array that shares the memory of any buffer.",
        trips=(Trip(text="The array of a read-only buffer is read-only, too.", shows="shared", state="read-only"),),
    ),
    Conversion(
        name="ndarray.copy",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.copy()",
        page=_NUMPY_PAGES + "numpy.ndarray.copy.html",
        trace=Told("copy"),
        summary="A copy of the same type, C-contiguous by default.",
        trips=(
            Trip(
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
        page=_NUMPY_PAGES + "numpy.ndarray.view.html",
        trace=ONLY_A_VIEW,
        summary="A view that shares memory, with another dtype or type.",
        trips=(
            Trip(
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
        page=_NUMPY_PAGES + "numpy.reshape.html",
        trace=Told("reshape"),
        changes=("shape",),
        summary="Another shape: a view if the strides allow it, and a copy otherwise.",
        trips=(Trip(text="Copies a transposed array silently.", shows="copied", layout="transposed"),),
    ),
    Conversion(
        name="ndarray.ravel",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.ravel()",
        page=_NUMPY_PAGES + "numpy.ravel.html",
        trace=Told("ravel"),
        changes=("shape",),
        summary="One dimension: a view if possible, and a copy otherwise.",
        trips=(Trip(text="Copies a transposed array.", shows="copied", layout="transposed"),),
    ),
    Conversion(
        name="ndarray.flatten",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.flatten()",
        page=_NUMPY_PAGES + "numpy.ndarray.flatten.html",
        trace=Told("flatten"),
        changes=("shape",),
        summary="One dimension: always a copy, unlike Tensor.flatten.",
        trips=(Trip(text="Copies a contiguous array, too.", shows="copied"),),
    ),
    Conversion(
        name="ndarray.astype",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.astype(x.dtype)",
        code_with_dtype="x.astype(dtype)",
        page=_NUMPY_PAGES + "numpy.ndarray.astype.html",
        trace=Told("astype"),
        summary="A copy with another dtype or the same one: always a copy.",
        trips=(Trip(text="Copies even if the dtype is the same. copy=False avoids that.", shows="copied"),),
    ),
    Conversion(
        name="ndarray.astype(copy=False)",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.astype(x.dtype, copy=False)",
        code_with_dtype="x.astype(dtype, copy=False)",
        page=_NUMPY_PAGES + "numpy.ndarray.astype.html",
        trace=As(("ndarray.astype",)),
        summary="Returns the array itself if it has the dtype, and a copy otherwise.",
        trips=(Trip(text="Whether it copies depends on the input.", shows="copied", to_dtype="float64"),),
    ),
    Conversion(
        name="ndarray[::2]",
        sources=(NUMPY,),
        target=NUMPY,
        code="x[::2]",
        page=_INDEXING,
        trace=OPERATOR,
        changes=("shape",),
        summary="A slice: a view that shares memory.",
        trips=(Trip(text="A write to the view changes the array.", shows="shared"),),
    ),
    Conversion(
        name="ndarray[indices]",
        sources=(NUMPY,),
        target=NUMPY,
        code="x[np.arange(len(x))]",
        page=_INDEXING,
        trace=OPERATOR,
        summary="The rows selected by an index array: a copy.",
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
        summary="The elements selected by a boolean mask: a copy.",
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
        raise ValueError(f"a conversion named {conversion.name!r} already exists")


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
        summary="Your own code.",
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
        return f"{here} has no {name}"
    if keyword and not _takes(found, keyword):
        return f"{name} has no argument {keyword}= in {here}"
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
        raise RequestError(f"conversion {text!r} is ambiguous: use {names}, or specify --direction.")
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
