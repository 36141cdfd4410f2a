"""What functions and methods of Python, NumPy and PyTorch do with what they are passed, by their names."""

from __future__ import annotations

import ast
import re

INTO_FIRST = frozenset(
    """
    at copyto fill_diagonal memmove memset nan_to_num pack_into place put put_along_axis putmask readinto readinto1
    recv_into recvfrom_into shuffle
    """.split()  # noqa: SIM905
)
"""Functions that write into their first argument."""

COPY_METHODS = frozenset(
    """
    all any argmax argmin argsort astype choice clone copy cumsum integers item max mean min nonzero normal
    permutation prod random standard_normal std sum tobytes tolist uniform var
    """.split()  # noqa: SIM905
)
"""Methods that only read, and whose result has memory of its own."""

VIEW_METHODS = frozenset(
    ["T", "detach", "imag", "numpy", "ravel", "real", "reshape", "squeeze", "swapaxes", "transpose", "view"]
)
"""Methods and attributes that only read, and whose result shares the memory."""

FACTS = frozenset(["device", "dtype", "itemsize", "nbytes", "ndim", "requires_grad", "shape", "size", "strides"])
"""Attributes that tell nothing of the values."""

VIEW_FUNCTIONS = frozenset(
    """
    adjoint alpha_dropout array array_split as_strided as_tensor asanyarray asarray asarray_chkfinite
    ascontiguousarray asfortranarray asmatrix atleast_1d atleast_2d atleast_3d broadcast_arrays broadcast_tensors
    broadcast_to cartesian_prod chunk conj conj_physical dequantize detach diag diagonal diff dropout dsplit
    einsum expand_dims feature_alpha_dropout feature_dropout fftn flatten flip fliplr flipud from_dlpack
    from_numpy frombuffer hsplit ifftn imag matrix matrix_power matrix_transpose memmap meshgrid moveaxis movedim
    narrow ndarray nditer permute permute_dims polyder polyint positive random_split ravel real real_if_close
    recarray require reshape resolve_conj resolve_neg rollaxis rot90 select slice_inverse sliding_window_view
    split split_with_sizes squeeze swapaxes swapdims t tensor_split tile transpose trim_zeros unbind unflatten
    unsafe_chunk unsafe_split unsafe_split_with_sizes unsqueeze unstack view_as_complex view_as_real vsplit
    """.split()  # noqa: SIM905
)
"""Functions of numpy and torch that only read, and whose result may share memory with an argument."""

CONVERTING = frozenset(
    """
    array as_tensor asanyarray asarray ascontiguousarray from_dlpack from_numpy frombuffer numpy tensor
    """.split()  # noqa: SIM905
)
"""Functions and methods that make an array of a tensor, or a tensor of an array."""

SCALAR_TYPES = re.compile(
    "bool|half|c?single|c?(long)?double|u?(byte|short|intc|intp|long|longlong)|(u?int|float|complex)[0-9]+"
)
"""NumPy's types, which do the same: ``np.float32(a)``."""

READ_TWO = frozenset(
    """
    add allclose array_equal cross divide dot einsum equal isclose kron matmul maximum minimum multiply outer
    save savetxt searchsorted shares_memory subtract tensordot vdot where
    """.split()  # noqa: SIM905
)
"""Functions that read their second argument, too; of any other that is where it may write."""

READING_BUILTINS = frozenset(
    "abs bool bytes float format hash id int isinstance len print range repr round str type".split()  # noqa: SIM905
)
"""Python's own functions that only read what they are given, and do not return it."""

CONTAINERS = frozenset({"dict", "deque", "list", "set", "tuple", "OrderedDict"})
"""Functions whose result holds what they are passed."""

KEEPING = frozenset(
    "add append appendleft extend insert partial push put put_nowait setdefault submit update".split()  # noqa: SIM905
)
"""Functions and methods of libraries that keep what they are passed, beside the builtins."""

DICT_METHODS = frozenset({"items", "values"})
"""Methods by which a loop goes through the values of a dictionary."""

CONVERT_METHODS = frozenset(
    """
    bfloat16 bool byte char contiguous cpu cuda double expand flatten float half int long permute short t to type
    type_as unsqueeze
    """.split()  # noqa: SIM905
)
"""Methods of tensors whose result is the tensor itself where it need not be another, or a view of it."""

UNCOUNTED_VIEWS = frozenset({"copy", "to_dlpack", "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes"})
"""Functions whose result shares a tensor's memory, and through which torch does not count a write to it."""

IN_PLACE_METHODS = frozenset(
    {"byteswap", "fill", "itemset", "partition", "put", "resize", "setfield", "setflags", "sort", "clear", "extend"}
)
"""Methods of arrays, and of what holds buffers, that write in place; those of tensors end in an underscore."""

OPERATOR_METHODS = re.compile(
    "__r?(add|sub|mul|matmul|truediv|floordiv|mod|pow|and|x?or|[lr]shift)__|__(eq|ne|lt|le|gt|ge|contains)__"
)
"""Methods of a class that an operator calls, which may write to the other operand."""


def is_in_place(call: ast.Call) -> bool:
    """Return True for ``a.fill(0)`` and ``t.add_(1)``."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    return name in IN_PLACE_METHODS or is_in_place_name(name)


def is_in_place_name(name: str) -> bool:
    """Return True for the name of a function of torch that writes in place: ``add_``."""
    return re.fullmatch(r"[a-z]\w*[^_]_", name) is not None


def may_view(name: str) -> bool:
    """Return True if the result of a function of numpy or torch may share memory with an argument."""
    return name in VIEW_FUNCTIONS or SCALAR_TYPES.fullmatch(name) is not None
