"""The ways over the border: one entry each, in one visible tuple.

An entry's ``code`` is what a user types, with ``x`` for the source; it is also what the experiment evaluates, with
``np`` and ``torch`` at hand. So nothing here needs numpy or torch, and what is shown is what was run.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from dataclasses import dataclass, replace
from typing import Any, Literal

from tensorbridge_cli.errors import RequestError, unknown
from tensorbridge_cli.model import Direction, Library

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
        setup: statements that run once before the call is timed, say an import of one's own module.
        copy: the ``copy=`` keyword that the call passes.
        groups: the names under which it is chosen together with others.
        needs: what an older version lacks: a dotted name, with a keyword as in ``np.from_dlpack(copy=)``.
        changes: what the call is there to change, so that a change of it is no surprise.
    """

    name: str
    sources: tuple[Library, ...]
    target: Library
    code: str
    page: str
    code_with_dtype: str | None = None
    setup: str = ""
    copy: bool | None = None
    groups: tuple[str, ...] = ()
    needs: str = ""
    changes: tuple[Property, ...] = ()

    def direction(self, source: Library) -> Direction:
        """Return the way that this conversion goes from an object of ``source``."""
        return Direction(f"{source}-to-{self.target}")


_THROUGH_A_FILE = """
import tempfile

def through_a_file(array):
    dtype = getattr(torch, array.dtype.name)
    with tempfile.NamedTemporaryFile() as file:
        array.tofile(file.name)
        return torch.from_file(file.name, size=array.size, dtype=dtype).reshape(array.shape)
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
        groups=("classic",),
    ),
    Conversion(
        name="Tensor.numpy(force=True)",
        sources=(TORCH,),
        target=NUMPY,
        code="x.numpy(force=True)",
        page=_TORCH_PAGES + "torch.Tensor.numpy.html",
    ),
    Conversion(
        name="Tensor.detach().numpy()",
        sources=(TORCH,),
        target=NUMPY,
        code="x.detach().numpy()",
        page=_TORCH_PAGES + "torch.Tensor.numpy.html",
    ),
    Conversion(
        name="Tensor.detach().cpu().numpy()",
        sources=(TORCH,),
        target=NUMPY,
        code="x.detach().cpu().numpy()",
        page=_TORCH_PAGES + "torch.Tensor.numpy.html",
    ),
    Conversion(
        name="Tensor.__array__",
        sources=(TORCH,),
        target=NUMPY,
        code="x.__array__()",
        code_with_dtype="x.__array__(dtype)",
        page=_INTEROPERABILITY,
    ),
    Conversion(
        name="Tensor.__array__(copy=False)",
        sources=(TORCH,),
        target=NUMPY,
        code="x.__array__(copy=False)",
        code_with_dtype="x.__array__(dtype, copy=False)",
        page=_MIGRATION,
        copy=False,
    ),
    Conversion(
        name="Tensor.tolist",
        sources=(TORCH,),
        target=NUMPY,
        code="x.tolist()",
        page=_TORCH_PAGES + "torch.Tensor.tolist.html",
        groups=("lists",),
    ),
    Conversion(
        name="np.sin",
        sources=(TORCH,),
        target=NUMPY,
        code="np.sin(x)",
        page=_NUMPY_PAGES + "numpy.sin.html",
        changes=("values",),
    ),
    Conversion(
        name="Tensor.untyped_storage().numpy()",
        sources=(TORCH,),
        target=NUMPY,
        code="torch.empty(0, dtype=torch.uint8).set_(x.untyped_storage()).numpy()",
        page=_TORCH_PAGES + "torch.Tensor.untyped_storage.html",
        groups=("storage",),
        changes=("dtype", "shape", "values"),
    ),
    Conversion(
        name="Tensor.view(torch.uint8).numpy()",
        sources=(TORCH,),
        target=NUMPY,
        code="x.view(torch.uint8).numpy()",
        page=_TORCH_PAGES + "torch.Tensor.view.html",
        groups=("bits",),
        changes=("dtype", "shape", "values"),
    ),
    Conversion(
        name="Tensor.view(torch.uint16).numpy()",
        sources=(TORCH,),
        target=NUMPY,
        code="x.view(torch.uint16).numpy()",
        page=_TORCH_PAGES + "torch.Tensor.view.html",
        groups=("bits",),
        changes=("dtype", "shape", "values"),
    ),
    Conversion(
        name="torch.view_as_real().numpy()",
        sources=(TORCH,),
        target=NUMPY,
        code="torch.view_as_real(x).numpy()",
        page=_TORCH_PAGES + "torch.view_as_real.html",
        groups=("bits",),
        changes=("dtype", "shape", "values"),
    ),
    # to NumPy, from either
    Conversion(
        name="np.asarray",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.asarray(x)",
        code_with_dtype="np.asarray(x, dtype=dtype)",
        page=_NUMPY_PAGES + "numpy.asarray.html",
    ),
    Conversion(
        name="np.asarray(copy=True)",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.asarray(x, copy=True)",
        code_with_dtype="np.asarray(x, dtype=dtype, copy=True)",
        page=_NUMPY_PAGES + "numpy.asarray.html",
        copy=True,
    ),
    Conversion(
        name="np.asarray(copy=False)",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.asarray(x, copy=False)",
        code_with_dtype="np.asarray(x, dtype=dtype, copy=False)",
        page=_NUMPY_PAGES + "numpy.asarray.html",
        copy=False,
    ),
    Conversion(
        name="np.asanyarray",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.asanyarray(x)",
        code_with_dtype="np.asanyarray(x, dtype=dtype)",
        page=_NUMPY_PAGES + "numpy.asanyarray.html",
    ),
    Conversion(
        name="np.asanyarray(copy=True)",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.asanyarray(x, copy=True)",
        code_with_dtype="np.asanyarray(x, dtype=dtype, copy=True)",
        page=_NUMPY_PAGES + "numpy.asanyarray.html",
        copy=True,
        needs="np.asanyarray(copy=)",
    ),
    Conversion(
        name="np.asanyarray(copy=False)",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.asanyarray(x, copy=False)",
        code_with_dtype="np.asanyarray(x, dtype=dtype, copy=False)",
        page=_NUMPY_PAGES + "numpy.asanyarray.html",
        copy=False,
        needs="np.asanyarray(copy=)",
    ),
    Conversion(
        name="np.array",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.array(x)",
        code_with_dtype="np.array(x, dtype=dtype)",
        page=_NUMPY_PAGES + "numpy.array.html",
    ),
    Conversion(
        name="np.array(copy=None)",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.array(x, copy=None)",
        code_with_dtype="np.array(x, dtype=dtype, copy=None)",
        page=_NUMPY_PAGES + "numpy.array.html",
    ),
    Conversion(
        name="np.array(copy=False)",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.array(x, copy=False)",
        code_with_dtype="np.array(x, dtype=dtype, copy=False)",
        page=_NUMPY_PAGES + "numpy.array.html",
        copy=False,
    ),
    Conversion(
        name="np.ascontiguousarray",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.ascontiguousarray(x)",
        code_with_dtype="np.ascontiguousarray(x, dtype=dtype)",
        page=_NUMPY_PAGES + "numpy.ascontiguousarray.html",
    ),
    Conversion(
        name="np.from_dlpack",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.from_dlpack(x)",
        page=_NUMPY_PAGES + "numpy.from_dlpack.html",
        groups=("dlpack",),
    ),
    Conversion(
        name="np.from_dlpack(copy=True)",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.from_dlpack(x, copy=True)",
        page=_NUMPY_PAGES + "numpy.from_dlpack.html",
        copy=True,
        groups=("dlpack",),
        needs="np.from_dlpack(copy=)",
    ),
    Conversion(
        name="np.from_dlpack(copy=False)",
        sources=(TORCH, NUMPY),
        target=NUMPY,
        code="np.from_dlpack(x, copy=False)",
        page=_NUMPY_PAGES + "numpy.from_dlpack.html",
        copy=False,
        groups=("dlpack",),
        needs="np.from_dlpack(copy=)",
    ),
    # from NumPy to PyTorch
    Conversion(
        name="torch.from_numpy",
        sources=(NUMPY,),
        target=TORCH,
        code="torch.from_numpy(x)",
        page=_TORCH_PAGES + "torch.from_numpy.html",
        groups=("classic",),
    ),
    Conversion(
        name="torch.frombuffer",
        sources=(NUMPY,),
        target=TORCH,
        code="torch.frombuffer(x, dtype=getattr(torch, x.dtype.name))",
        code_with_dtype="torch.frombuffer(x, dtype=dtype)",
        page=_TORCH_PAGES + "torch.frombuffer.html",
        changes=("shape",),
    ),
    Conversion(
        name="Tensor.copy_",
        sources=(NUMPY,),
        target=TORCH,
        code="torch.empty(x.shape, dtype=getattr(torch, x.dtype.name)).copy_(torch.from_numpy(x))",
        code_with_dtype="torch.empty(x.shape, dtype=dtype).copy_(torch.from_numpy(x))",
        page=_TORCH_PAGES + "torch.Tensor.copy_.html",
    ),
    Conversion(
        name="torch.tensor(list)",
        sources=(NUMPY,),
        target=TORCH,
        code="torch.tensor(list(x))",
        code_with_dtype="torch.tensor(list(x), dtype=dtype)",
        page=_TORCH_PAGES + "torch.tensor.html",
        groups=("lists",),
    ),
    Conversion(
        name="torch.stack",
        sources=(NUMPY, PYTHON),
        target=TORCH,
        code="torch.stack([torch.from_numpy(row) for row in x])",
        page=_TORCH_PAGES + "torch.stack.html",
        groups=("lists",),
    ),
    Conversion(
        name="torch.utils.data.default_collate",
        sources=(NUMPY, PYTHON),
        target=TORCH,
        code="torch.utils.data.default_collate(list(x))",
        page="https://docs.pytorch.org/docs/stable/data.html",
        groups=("lists",),
        needs="torch.utils.data.default_collate",
    ),
    Conversion(
        name="torch.from_file",
        sources=(NUMPY,),
        target=TORCH,
        code="through_a_file(x)",
        page=_TORCH_PAGES + "torch.from_file.html",
        setup=_THROUGH_A_FILE,
        groups=("storage",),
    ),
    Conversion(
        name="torch.UntypedStorage.from_buffer",
        sources=(NUMPY,),
        target=TORCH,
        code=_FROM_STORAGE,
        page="https://docs.pytorch.org/docs/stable/storage.html",
        groups=("storage",),
        changes=("shape",),
        needs="torch.UntypedStorage.from_buffer",
    ),
    # to PyTorch, from either and from Python's lists
    Conversion(
        name="torch.as_tensor",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.as_tensor(x)",
        code_with_dtype="torch.as_tensor(x, dtype=dtype)",
        page=_TORCH_PAGES + "torch.as_tensor.html",
        groups=("classic",),
    ),
    Conversion(
        name="torch.tensor",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.tensor(x)",
        code_with_dtype="torch.tensor(x, dtype=dtype)",
        page=_TORCH_PAGES + "torch.tensor.html",
        groups=("classic",),
    ),
    Conversion(
        name="torch.asarray",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.asarray(x)",
        code_with_dtype="torch.asarray(x, dtype=dtype)",
        page=_TORCH_PAGES + "torch.asarray.html",
    ),
    Conversion(
        name="torch.asarray(copy=True)",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.asarray(x, copy=True)",
        code_with_dtype="torch.asarray(x, dtype=dtype, copy=True)",
        page=_TORCH_PAGES + "torch.asarray.html",
        copy=True,
    ),
    Conversion(
        name="torch.asarray(copy=False)",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.asarray(x, copy=False)",
        code_with_dtype="torch.asarray(x, dtype=dtype, copy=False)",
        page=_TORCH_PAGES + "torch.asarray.html",
        copy=False,
    ),
    Conversion(
        name="torch.from_dlpack",
        sources=(NUMPY, TORCH),
        target=TORCH,
        code="torch.from_dlpack(x)",
        page=_DLPACK_PAGE,
        groups=("dlpack",),
    ),
    Conversion(
        name="torch.from_dlpack(copy=True)",
        sources=(NUMPY, TORCH),
        target=TORCH,
        code="torch.from_dlpack(x, copy=True)",
        page=_DLPACK_PAGE,
        copy=True,
        groups=("dlpack",),
        needs="torch.from_dlpack(copy=)",
    ),
    Conversion(
        name="torch.from_dlpack(copy=False)",
        sources=(NUMPY, TORCH),
        target=TORCH,
        code="torch.from_dlpack(x, copy=False)",
        page=_DLPACK_PAGE,
        copy=False,
        groups=("dlpack",),
        needs="torch.from_dlpack(copy=)",
    ),
    Conversion(
        name="torch.from_dlpack(capsule)",
        sources=(NUMPY, TORCH),
        target=TORCH,
        code="torch.from_dlpack(x.__dlpack__())",
        page=_DLPACK_PAGE,
        groups=("dlpack",),
    ),
    Conversion(
        name="torch.from_dlpack(versioned capsule)",
        sources=(NUMPY, TORCH),
        target=TORCH,
        code="torch.from_dlpack(x.__dlpack__(max_version=(1, 0)))",
        page=_DLPACK_PAGE,
        groups=("dlpack",),
        needs="torch.Tensor.__dlpack__(max_version=)",
    ),
    Conversion(
        name="torch.Tensor",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.Tensor(x)",
        page="https://docs.pytorch.org/docs/stable/tensors.html",
        groups=("legacy",),
        changes=("dtype",),
    ),
    Conversion(
        name="torch.FloatTensor",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.FloatTensor(x)",
        page="https://docs.pytorch.org/docs/stable/tensors.html",
        groups=("legacy",),
        changes=("dtype",),
        needs="torch.FloatTensor",
    ),
    Conversion(
        name="Tensor.new_tensor",
        sources=(NUMPY, TORCH, PYTHON),
        target=TORCH,
        code="torch.empty(0).new_tensor(x)",
        code_with_dtype="torch.empty(0).new_tensor(x, dtype=dtype)",
        page=_TORCH_PAGES + "torch.Tensor.new_tensor.html",
        changes=("dtype",),
    ),
    # from PyTorch to PyTorch
    Conversion(
        name="Tensor.clone",
        sources=(TORCH,),
        target=TORCH,
        code="x.clone()",
        page=_TORCH_PAGES + "torch.clone.html",
    ),
    Conversion(
        name="Tensor.detach",
        sources=(TORCH,),
        target=TORCH,
        code="x.detach()",
        page=_TORCH_PAGES + "torch.Tensor.detach.html",
    ),
    Conversion(
        name="Tensor.data",
        sources=(TORCH,),
        target=TORCH,
        code="x.data",
        page="https://docs.pytorch.org/docs/stable/tensors.html",
    ),
    Conversion(
        name="Tensor.to",
        sources=(TORCH,),
        target=TORCH,
        code="x.to(x.dtype)",
        code_with_dtype="x.to(dtype)",
        page=_TORCH_PAGES + "torch.Tensor.to.html",
    ),
    Conversion(
        name="Tensor.to(copy=True)",
        sources=(TORCH,),
        target=TORCH,
        code="x.to(x.dtype, copy=True)",
        code_with_dtype="x.to(dtype, copy=True)",
        page=_TORCH_PAGES + "torch.Tensor.to.html",
        copy=True,
    ),
    Conversion(
        name="Tensor.to(torch.float64)",
        sources=(TORCH,),
        target=TORCH,
        code="x.to(torch.float64)",
        page=_TORCH_PAGES + "torch.Tensor.to.html",
        changes=("dtype",),
    ),
    Conversion(
        name="Tensor.contiguous",
        sources=(TORCH,),
        target=TORCH,
        code="x.contiguous()",
        page=_TORCH_PAGES + "torch.Tensor.contiguous.html",
    ),
    Conversion(
        name="Tensor.view",
        sources=(TORCH,),
        target=TORCH,
        code="x.view(-1)",
        code_with_dtype="x.view(dtype)",
        page=_TORCH_PAGES + "torch.Tensor.view.html",
        changes=("shape",),
    ),
    Conversion(
        name="Tensor.reshape",
        sources=(TORCH,),
        target=TORCH,
        code="x.reshape(-1)",
        page=_TORCH_PAGES + "torch.Tensor.reshape.html",
        changes=("shape",),
    ),
    Conversion(
        name="Tensor.flatten",
        sources=(TORCH,),
        target=TORCH,
        code="x.flatten()",
        page=_TORCH_PAGES + "torch.flatten.html",
        changes=("shape",),
    ),
    Conversion(
        name="Tensor.expand",
        sources=(TORCH,),
        target=TORCH,
        code="x.expand(2, *x.shape)",
        page=_TORCH_PAGES + "torch.Tensor.expand.html",
        changes=("shape",),
    ),
    Conversion(
        name="Tensor.permute",
        sources=(TORCH,),
        target=TORCH,
        code="x.permute(tuple(reversed(range(x.dim()))))",
        page=_TORCH_PAGES + "torch.permute.html",
        changes=("shape",),
    ),
    Conversion(
        name="Tensor[::2]",
        sources=(TORCH,),
        target=TORCH,
        code="x[::2]",
        page=_TENSOR_VIEWS,
        changes=("shape",),
    ),
    Conversion(
        name="Tensor[mask]",
        sources=(TORCH,),
        target=TORCH,
        code="x[torch.ones(x.shape, dtype=torch.bool)]",
        page=_TENSOR_VIEWS,
        changes=("shape",),
    ),
    Conversion(
        name="Tensor.share_memory_",
        sources=(TORCH,),
        target=TORCH,
        code="x.share_memory_()",
        page=_TORCH_PAGES + "torch.Tensor.share_memory_.html",
    ),
    Conversion(
        name="copy.deepcopy",
        sources=(TORCH,),
        target=TORCH,
        code="copy.deepcopy(x)",
        page="https://docs.python.org/3/library/copy.html",
        setup="import copy",
    ),
    Conversion(
        name="ForkingPickler",
        sources=(TORCH,),
        target=TORCH,
        code="ForkingPickler.loads(ForkingPickler.dumps(x))",
        page="https://docs.pytorch.org/docs/stable/multiprocessing.html",
        setup="import torch.multiprocessing\nfrom multiprocessing.reduction import ForkingPickler",
        needs="torch.multiprocessing",
    ),
    Conversion(
        name="torch.nn.Parameter",
        sources=(TORCH,),
        target=TORCH,
        code="torch.nn.Parameter(x)",
        page=_TORCH_PAGES + "torch.nn.parameter.Parameter.html",
    ),
    # from NumPy to NumPy
    Conversion(
        name="np.copy",
        sources=(NUMPY,),
        target=NUMPY,
        code="np.copy(x)",
        page=_NUMPY_PAGES + "numpy.copy.html",
    ),
    Conversion(
        name="np.frombuffer",
        sources=(NUMPY,),
        target=NUMPY,
        code="np.frombuffer(x, dtype=x.dtype)",
        code_with_dtype="np.frombuffer(x, dtype=dtype)",
        page=_NUMPY_PAGES + "numpy.frombuffer.html",
        changes=("shape",),
    ),
    Conversion(
        name="ndarray.copy",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.copy()",
        page=_NUMPY_PAGES + "numpy.ndarray.copy.html",
    ),
    Conversion(
        name="ndarray.view",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.view()",
        code_with_dtype="x.view(dtype)",
        page=_NUMPY_PAGES + "numpy.ndarray.view.html",
    ),
    Conversion(
        name="ndarray.reshape",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.reshape(-1)",
        page=_NUMPY_PAGES + "numpy.reshape.html",
        changes=("shape",),
    ),
    Conversion(
        name="ndarray.ravel",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.ravel()",
        page=_NUMPY_PAGES + "numpy.ravel.html",
        changes=("shape",),
    ),
    Conversion(
        name="ndarray.flatten",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.flatten()",
        page=_NUMPY_PAGES + "numpy.ndarray.flatten.html",
        changes=("shape",),
    ),
    Conversion(
        name="ndarray.astype",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.astype(x.dtype)",
        code_with_dtype="x.astype(dtype)",
        page=_NUMPY_PAGES + "numpy.ndarray.astype.html",
    ),
    Conversion(
        name="ndarray.astype(copy=False)",
        sources=(NUMPY,),
        target=NUMPY,
        code="x.astype(x.dtype, copy=False)",
        code_with_dtype="x.astype(dtype, copy=False)",
        page=_NUMPY_PAGES + "numpy.ndarray.astype.html",
    ),
    Conversion(
        name="ndarray[::2]",
        sources=(NUMPY,),
        target=NUMPY,
        code="x[::2]",
        page=_INDEXING,
        changes=("shape",),
    ),
    Conversion(
        name="ndarray[indices]",
        sources=(NUMPY,),
        target=NUMPY,
        code="x[np.arange(len(x))]",
        page=_INDEXING,
    ),
    Conversion(
        name="ndarray[mask]",
        sources=(NUMPY,),
        target=NUMPY,
        code="x[np.ones(x.shape, dtype=bool)]",
        page=_INDEXING,
        changes=("shape",),
    ),
)

_BY_NAME = {entry.name: entry for entry in CONVERSIONS}
_registered: list[Conversion] = []


def register(conversion: Conversion) -> None:
    """Add one's own conversion to the registry; modules named by ``--plugin`` call this.

    Raises:
        ValueError: where the name is taken by another entry.
    """
    known = find(conversion.name)
    if known is None:
        _registered.append(conversion)
    elif known != conversion:
        raise ValueError(f"a conversion named {conversion.name!r} is there already")


def find(name: str) -> Conversion | None:
    """Return the entry of that full name; ``None`` where there is none, in a report of another version, say."""
    return _BY_NAME.get(name) or next((entry for entry in _registered if entry.name == name), None)


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
        for meant in (lambda entry: [_spelled(entry.name)], _suffixes):
            found = [entry for entry in entries if fold(wanted) in map(fold, meant(entry))]
            if found:
                return found
    raise unknown("conversion", text, [name for entry in entries for name in (entry.name, _suffixes(entry)[-1])])


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
