"""What is installed, whether it works together, and what to do where it does not."""

import sys

import numpy as np
import pytest
import torch

from tests.cli.tools import refused, run
from tests.environments import bare, python_of


def facts(done):
    return dict(line.split("  ", 1) for line in done.stdout.splitlines())


def test_what_is_installed():
    done = run("env")
    assert (done.returncode, done.stderr) == (0, "")
    found = {name: value.strip() for name, value in facts(done).items()}
    assert found["numpy"] == np.__version__
    assert found["torch"] == torch.__version__
    assert found["devices"].startswith("cpu, meta")
    assert found["byte order"] == sys.byteorder
    assert found["default integer"] == f"{np.dtype(int).name} in NumPy, int64 in PyTorch"
    assert found["compatible"] == "yes"


def test_numpy_is_missing(tmp_path):
    (tmp_path / "numpy.py").write_text("raise ModuleNotFoundError(\"No module named 'numpy'\", name='numpy')")
    done = run("env", PYTHONPATH=str(tmp_path))
    assert done.returncode == 3
    assert "python" in facts(done)
    assert done.stderr.startswith("Error: cannot import numpy: No module named 'numpy'.")
    assert done.stderr.endswith(" Install it: python -m pip install numpy\n")
    assert "tensorbridge env" not in done.stderr
    assert refused(PYTHONPATH=str(tmp_path), code=3) == (
        "cannot import numpy: No module named 'numpy'. Run `tensorbridge env` for a fix."
    )


def test_a_library_that_is_too_old(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif '-P' in sys.orig_argv:\n    import numpy\n    numpy.__version__ = '1.21.6'\n"
    )
    sentence = "numpy 1.21.6 is too old: numpy 1.24 is the oldest that is supported."
    assert refused(PYTHONPATH=str(tmp_path), code=3) == sentence
    assert run("env", PYTHONPATH=str(tmp_path)).stderr.startswith(f"Error: {sentence}")


def test_the_oldest_numpy_serves(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif '-P' in sys.orig_argv:\n    import numpy\n    numpy.__version__ = '1.24.0'\n"
        "    sys.modules['numpy.exceptions'] = None\n"  # which is new in 1.25
    )
    done = run("inspect", "np.asarray", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr


def test_libraries_that_do_not_work_together(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if '-P' in sys.orig_argv:\n"  # in the server
        "    import torch\n"
        "    def from_numpy(array): raise RuntimeError('Numpy is not available')\n"
        "    torch.from_numpy = from_numpy\n"
    )
    done = run("env", PYTHONPATH=str(tmp_path))
    assert done.returncode == 3
    assert facts(done)["compatible"].strip() == "RuntimeError: Numpy is not available"
    assert done.stderr.endswith(f" {sys.executable} -m pip install 'numpy<2'\n")


@pytest.fixture
def built_for_another_numpy(tmp_path):
    """A folder that, on the path, hides the C API of NumPy from torch, so that torch is as one built for NumPy 1."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if '-P' in sys.orig_argv:\n"  # in the server
        "    import numpy\n"
        "    numpy._core._multiarray_umath._ARRAY_API = None\n"
    )
    return str(tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        "inspect",
        "inspect from_numpy --dtype int8 --format json",
        "inspect Tensor.numpy --isolation spawn",
        "inspect --all",
        "matrix --group classic",
        "check from_numpy Tensor.numpy",
        "snapshot",
    ],
)
def test_a_torch_that_was_built_for_another_numpy_is_one_sentence(built_for_another_numpy, command):
    done = run(*command.split(), PYTHONPATH=built_for_another_numpy)
    assert (done.returncode, done.stdout) == (3, "")
    (sentence,) = done.stderr.splitlines()
    assert sentence == (
        f"Error: numpy {np.__version__} and torch {torch.__version__} are not compatible: torch was built for "
        "another NumPy (RuntimeError: Numpy is not available). Run `tensorbridge env` for a fix."
    )


def test_the_advice_names_the_environment(tmp_path):
    folder = bare(tmp_path / "old")
    own = next(folder.glob("lib/python*/site-packages"))
    (own / "sitecustomize.py").write_text(
        "import numpy\nnumpy._core._multiarray_umath._ARRAY_API = None\n"  # hidden, as one built for NumPy 1 sees it
    )
    done = run("inspect", "from_numpy", "--python", str(folder))
    assert done.returncode == 3
    assert done.stderr.endswith(f"Run `tensorbridge env --python {folder}` for a fix.\n")
    fix = run("env", "--python", str(folder)).stderr
    assert fix.endswith(f"Install a compatible NumPy: {python_of(folder)} -m pip install 'numpy<2'\n")


def test_what_stays_in_one_library_is_inspected_all_the_same(built_for_another_numpy):
    done = run("inspect", "np.copy", "Tensor.clone", "--format", "tsv", PYTHONPATH=built_for_another_numpy)
    assert done.returncode == 0
    assert done.stdout.count("\tcopied\t") == 2


def test_a_function_that_the_users_code_replaces_is_no_sign_of_another_numpy():
    replaced = "def broken(x): raise RuntimeError('mine')\ntorch.from_numpy = broken"
    done = run("inspect", "from_numpy", "--setup", f"import torch\n{replaced}")
    assert done.returncode == 0
    assert "RuntimeError: mine" in done.stdout
