"""What is installed, whether it works together, and what to do where it does not."""

import sys

import numpy as np
import pytest
import torch

from tests.cli.tools import refused, run

ADVICE = "python -m pip install --upgrade torch numpy"


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
    assert found["together"] == "NumPy and PyTorch work together"


@pytest.fixture(params=["torch", "numpy"])
def missing(request, tmp_path):
    """A folder that, first on the path, makes an installed library look as if it were not."""
    name = request.param
    (tmp_path / f"{name}.py").write_text(f'raise ModuleNotFoundError("No module named {name!r}", name={name!r})')
    return name, str(tmp_path)


def test_a_library_that_is_missing(missing):
    name, folder = missing
    done = run("env", PYTHONPATH=folder)
    assert done.returncode == 3
    assert "python" in facts(done)
    assert done.stderr.startswith(f"Error: cannot import {name}: No module named '{name}'.")
    assert ADVICE in done.stderr
    assert "tensorbridge env" not in done.stderr
    assert refused(PYTHONPATH=folder, code=3) == (
        f"cannot import {name}: No module named '{name}'. `tensorbridge env` says what to do."
    )


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
    assert facts(done)["together"].strip() == "RuntimeError: Numpy is not available"
    assert ADVICE in done.stderr
