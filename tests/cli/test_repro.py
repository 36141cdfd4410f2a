"""``repro`` prints the script of one row: of an experiment made now, or of a saved one."""

import os

import pytest

from tests.cli.tools import run, said
from tests.test_imports import imported, watched  # noqa: F401 - a fixture
from tests.warm import python

ONE = "a script reproduces one conversion of one source"


def script(*arguments, cwd=None, **env):
    done = run("repro", *arguments, cwd=cwd, **env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "tensorbridge" not in done.stdout
    return done.stdout


def runs(text, cwd=None):
    return python("-c", text, cwd=cwd, env=os.environ).returncode == 0


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "report.json"
    assert run("inspect", "numpy", "from_numpy", "tensor", "--format", "json", "-o", str(path)).returncode == 0
    return str(path)


def test_an_experiment_made_now(tmp_path):
    script("torch.from_dlpack", "--layout", "reversed", "-o", str(tmp_path / "crash.py"))
    text = (tmp_path / "crash.py").read_text()
    assert text.splitlines()[-1] == "y = torch.from_dlpack(x)  # the process ends here: SIGABRT"


def test_an_own_expression():
    text = script("from_numpy", "--expr", "np.arange(width)", "--setup", "width = 6")
    assert "\nwidth = 6\nx = np.arange(width)\n" in text
    assert runs(text)


@pytest.mark.parametrize(("conversion", "check"), [("np.asarray", "np.shares_memory"), ("np.array", "not np.shares")])
def test_nothing_is_written_to_a_file_that_an_expression_maps(tmp_path, conversion, check):
    (tmp_path / "x.bin").write_bytes(bytes(range(24)))
    text = script(conversion, "--expr", "np.memmap('x.bin', 'i2', 'r+')", cwd=tmp_path)
    assert text.splitlines()[-1].startswith(f"assert {check}")
    assert runs(text, cwd=tmp_path)
    assert (tmp_path / "x.bin").read_bytes() == bytes(range(24))


def test_records_with_arrays_in_them_are_compared():
    text = script("np.asarray", "--expr", "np.zeros(3, [('a', '>f4'), ('b', 'i2', 2)])")
    assert runs(text)


def test_a_jagged_tensor_has_no_one_shape_and_no_dense_form():
    rows = "torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)"
    text = script("Tensor.clone", "--expr", rows)
    assert text.startswith("# Tensor.clone of a tensor (float32, nested): copied.")
    assert runs(text)


FILES = {
    "h5py": "f = h5py.File('a.h5', 'w'); f['g/d'] = np.arange(6.0); f.close()",
    "pyarrow": "import pyarrow.parquet as q; q.write_table(pyarrow.table({'d': np.arange(6.0)}), 'a.parquet')",
    "zarr": "zarr.save_group('a.zarr', d=np.arange(6.0))",
    "PIL.Image": "PIL.Image.new('L', (3, 2), 5).save('a.png')",
}


@pytest.mark.parametrize(
    ("library", "file"),
    [
        ("h5py", "a.h5:g/d"),
        ("h5py", "a.h5"),
        ("pyarrow", "a.parquet:d"),
        ("zarr", "a.zarr:d"),
        ("zarr", "a.zarr"),
        ("PIL.Image", "a.png"),
    ],
)
def test_a_file_of_another_library(tmp_path, library, file):
    pytest.importorskip(library)
    made = python("-c", f"import numpy as np, {library}; {FILES[library]}", cwd=tmp_path, env=os.environ)
    assert made.returncode == 0, made.stderr
    assert runs(script("np.asarray", "--file", file, cwd=tmp_path), tmp_path)


def test_a_saved_row(saved, watched):  # noqa: F811
    done = run("repro", "--from", saved, "--row", "2", PYTHONPATH=watched)
    assert done.stdout.startswith("# torch.from_numpy of a NumPy array (4×3 float32): shared.\n")
    assert imported(done) == set()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), f"{ONE}: specify exactly one conversion, e.g. from_numpy, or one --code (not 0)."),
        (("numpy", "tensor"), f"{ONE}: specify exactly one conversion, e.g. from_numpy, or one --code (not 2)."),
        (("from_numpy", "--layout", "all"), f"{ONE}: specify exactly one of the layouts."),
        (("from_numpy", "--shape", "3", "--shape", "4"), f"{ONE}: specify exactly one of the shapes."),
        (("--row", "1"), "--from and --row must be used together."),
        (("--row", "1.5"), "--row 1.5: specify a whole number, e.g. 2."),
        (("--row", "-1"), "--row -1: specify a whole number, e.g. 2."),
        (
            ("from_numpy", "--layout", "channels-last"),
            "torch.from_numpy is not applicable: channels-last needs 4 or 5 dimensions; the shape has 2.",
        ),
    ],
)
def test_refused(arguments, sentence):
    assert said(run("repro", *arguments), 2) == sentence


@pytest.mark.parametrize("nth", ["0", "4"])
def test_no_such_row(saved, nth):
    assert said(run("repro", "--from", saved, "--row", nth), 2).endswith("has 3 rows, starting at 1.")


def test_a_saved_row_is_what_it_is(saved):
    asked = run("repro", "--from", saved, "--row", "1", "--layout", "non-contiguous")
    assert said(asked, 2) == "--from selects the row: omit --layout."


@pytest.mark.parametrize(
    ("setup", "expression", "missing"),
    [
        ("import math as m\ndef made(n, *more, **rest): return np.ones(n) * m.pi", "made(3)", "made"),
        ("from decimal import *", "np.array([float(Decimal(2)), *(n for n in range(2))])", "Decimal"),
    ],
)
def test_a_saved_row_does_not_hold_what_the_setup_defined(tmp_path, setup, expression, missing):
    path = str(tmp_path / "report.json")
    assert run("inspect", "from_numpy", "--setup", setup, "--expr", expression, "-o", path).returncode == 0
    alone = run("repro", "--from", path, "--row", "1")
    assert alone.stderr == f"The script does not define {missing}: specify the code that does with --setup.\n"
    whole = run("repro", "--from", path, "--row", "1", "--setup", setup)
    assert whole.stderr == ""
    assert runs(whole.stdout)


@pytest.mark.parametrize("code", ["torch.from_numpy(x)", "[y for y in x]", "(lambda z: z)(x)", "(a := x)"])
def test_what_a_script_binds_itself_is_defined(tmp_path, code):
    done = run("repro", "--expr", "np.ones(3)", "--code", code)
    assert (done.returncode, done.stderr) == (0, "")


IN_PLACE = "assert x.tolist() != was  # the conversion changed x"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--expr", "torch.arange(4.)", "--code", "x.add_(1)"), "assert y.tolist() != was  # the values differ"),
        (("--expr", "torch.arange(4.)", "--code", "x.add_(1)"), IN_PLACE),
        (("--expr", "np.arange(4.)", "--code", "x.fill(5)"), IN_PLACE),
        (("--expr", "torch.arange(4.)", "--code", "(x.mul_(0), torch.arange(4.))[1]"), IN_PLACE),
        (
            ("--expr", "torch.arange(5000)", "--code", "x.clamp_(max=4990)"),
            "assert y[4999].item() != was  # the values",
        ),
        (
            ("torch.FloatTensor", "--expr", "np.arange(5000) // 4999 * (2**24 + 1)"),
            "assert y[4999].item() != x[4999].item()",
        ),
        (("torch.from_numpy", "--state", "masked", "--shape", "5000"), "assert y[4999].item() != x[4999].tolist()"),
        (("np.from_dlpack", "--state", "negative-bit", "--shape", "5000"), "assert y[0].item() != x[0].item()"),
    ],
)
def test_values_are_compared_where_and_with_what_they_differ(options, line):
    text = script(*options)
    assert line in text
    assert runs(text)


@pytest.mark.parametrize(
    "options",
    [
        ("Tensor.clone", "--state", "sparse-coo"),
        ("Tensor.clone", "--state", "sparse-csr"),
        ("csr_array.data", "--library", "scipy"),
    ],
)
def test_a_large_sparse_source_has_elements(options):
    assert runs(script(*options, "--shape", "70,80"))
