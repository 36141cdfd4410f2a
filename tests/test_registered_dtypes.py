"""Dtypes that a package adds to NumPy (ml_dtypes, so JAX and ONNX): no command fails, and they become tensors."""

import pytest

import tensorbridge_cli as tb
from tensorbridge_cli.catalog import dtypes
from tests.cli.tools import run

ml_dtypes = pytest.importorskip("ml_dtypes")

SETUP = ("--setup", "import ml_dtypes")
BITS = {
    "bfloat16": "uint16",
    "float8_e4m3fn": "uint8",
    "float8_e4m3fnuz": "uint8",
    "float8_e5m2": "uint8",
    "float8_e5m2fnuz": "uint8",
}


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "from_numpy"),
        ("inspect", "numpy", "--dtype", "bfloat16"),
        ("inspect", "numpy", "--dtype", "float32,float8_e5m2,int4"),
        ("inspect", "from_numpy", "--dtype", "float8_e3m4"),
        ("inspect", "Tensor.to(dtype)", "--to-dtype", "bfloat16", "--all"),
        ("matrix", "from_numpy", "--dtype", "all"),
        ("check", "from_numpy"),
    ],
)
def test_no_command_fails_of_a_dtype_that_nobody_named(arguments):
    done = run(*arguments, *SETUP)
    assert "means V" not in done.stderr
    assert done.returncode in (0, 1) or "Tensor.to(dtype)" in arguments


@pytest.mark.parametrize("name", BITS)
def test_the_remedy_takes_the_bits(name):
    import numpy as np

    array = np.arange(12).reshape(3, 4).astype(getattr(ml_dtypes, name))
    for obj in (array, array[:, ::2], array[::-1].T[1:]):
        (row,) = tb.inspect(obj, "from_numpy")
        assert (row.outcome, row.subject.dtype) == ("refused", name)
        codes = {remedy.code: remedy.copied_bytes for remedy in row.remedies}
        wanted = f"torch.from_numpy(x.view(np.{BITS[name]})).view(torch.{name})"
        copied = f"torch.from_numpy(x.copy().view(np.{BITS[name]})).view(torch.{name})"
        assert codes.keys() & {wanted, copied}
        if obj is array:
            assert codes[wanted] == 0


def test_of_a_big_endian_array_the_bits_are_taken_in_the_machines_order():
    import numpy as np

    dtype = np.dtype(ml_dtypes.bfloat16)
    (row,) = tb.inspect(np.arange(12.0).astype(dtype.newbyteorder(">")), "from_numpy")
    native = "x.astype(x.dtype.newbyteorder('='))"
    assert [remedy.code for remedy in row.remedies] == [
        f"torch.from_numpy({native}.view(np.uint16)).view(torch.bfloat16)"
    ]


def test_one_that_torch_lacks_has_a_name_and_no_remedy():
    import numpy as np

    (row,) = tb.inspect(np.ones(4).astype(ml_dtypes.float8_e3m4), "from_numpy")
    assert (row.outcome, row.subject.dtype, row.remedy) == ("refused", "float8_e3m4", None)


def test_generated_dtypes_are_torchs_own():
    found = dtypes.find("bfloat16")
    assert (found.name, found.numpy) == ("bfloat16", None)
    assert dtypes.find("float8_e3m4").torch is None
