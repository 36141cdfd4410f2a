"""Conversions from SciPy's sparse arrays.

Each is one entry, with its documented rules, its pitfalls and its hook; see ``to_torch``. Nothing here imports SciPy.
"""

from __future__ import annotations

from tensorbridge_cli.catalog.conversions.to_torch import of_its_array
from tensorbridge_cli.catalog.entry import NUMPY, SCIPY, TORCH, Conversion
from tensorbridge_cli.catalog.hooks import ComposedOf, InterceptedAt, NoHook
from tensorbridge_cli.catalog.pitfalls import Pitfall

SPARSE_PAGE = "https://docs.scipy.org/doc/scipy/reference/generated/scipy.sparse.csr_array.html"
TOARRAY_PAGE = "https://docs.scipy.org/doc/scipy/reference/generated/scipy.sparse.csr_array.toarray.html"
SPARSE_CSR_PAGE = "https://docs.pytorch.org/docs/stable/generated/torch.sparse_csr_tensor.html"

_CSR = "__import__('scipy.sparse').sparse.csr_array(np.eye(3))"

CONVERSIONS: tuple[Conversion, ...] = (
    Conversion(
        name="csr_array.data",
        sources=(SCIPY,),
        target=NUMPY,
        code="x.data",
        page=SPARSE_PAGE,
        hook=NoHook("an attribute of each object: no function runs when it is read"),
        changes=("shape", "values"),
        summary="The array of the values that a sparse array stores: its own memory.",
        rules=(),
        pitfalls=(Pitfall(text="A write to it changes the sparse array.", shows="shared", expr=_CSR),),
    ),
    Conversion(
        name="csr_array.toarray",
        sources=(SCIPY,),
        target=NUMPY,
        code="x.toarray()",
        page=TOARRAY_PAGE,
        hook=InterceptedAt(
            "scipy.sparse._compressed._cs_matrix.toarray",
            also=(
                "scipy.sparse._base._spbase.toarray",
                "scipy.sparse._bsr._bsr_base.toarray",
                "scipy.sparse._coo._coo_base.toarray",
                "scipy.sparse._lil._lil_base.toarray",
            ),
        ),
        summary="A dense array with all zeros: a copy.",
        rules=(),
        pitfalls=(Pitfall(text="A write to it does not change the sparse array.", shows="copied", expr=_CSR),),
    ),
    of_its_array(
        SCIPY,
        "csr_array",
        "{}.toarray()",
        Pitfall(text="It takes the memory of all zeros.", shows="copied", expr=_CSR),
        summary="A dense tensor with all zeros: a copy.",
    ),
    Conversion(
        name="torch.sparse_csr_tensor",
        sources=(SCIPY,),
        target=TORCH,
        code="torch.sparse_csr_tensor(x.indptr, x.indices, x.data, size=x.shape)",
        page=SPARSE_CSR_PAGE,
        hook=NoHook("the arrays that it takes are copied one by one: none of them is the sparse array"),
        summary="A sparse tensor of copies of the arrays of a CSR array.",
        rules=(),
        pitfalls=(
            Pitfall(text="A write to the sparse array does not change the tensor.", shows="copied", expr=_CSR),
            Pitfall(
                text="The arrays of a CSC array, read as those of a CSR array, are another matrix.",
                shows="values-changed",
                expr="__import__('scipy.sparse').sparse.csc_array(np.arange(9.0).reshape(3, 3))",
            ),
        ),
    ),
    Conversion(
        name="torch.sparse_csr_tensor(from_numpy)",
        sources=(SCIPY,),
        target=TORCH,
        code="torch.sparse_csr_tensor(*map(torch.from_numpy, (x.indptr, x.indices, x.data)), size=x.shape)",
        page=SPARSE_CSR_PAGE,
        hook=ComposedOf(("torch.from_numpy",)),
        summary="A sparse tensor over the arrays of a CSR array.",
        rules=(),
        pitfalls=(Pitfall(text="A write to the tensor changes the sparse array.", shows="shared", expr=_CSR),),
    ),
)
