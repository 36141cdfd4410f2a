"""Environments of somebody else's, made of what is installed here: numpy and torch, and nothing of ours."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

LIBRARIES = (
    *("numpy", "numpy.libs", "torch", "torch.libs", "torchgen", "functorch"),
    *("typing_extensions.py", "sympy", "mpmath", "jinja2", "markupsafe", "networkx", "filelock", "fsspec"),
)
NUMPY = ("numpy", "numpy.libs")


def bare(folder: Path, libraries: tuple[str, ...] = LIBRARIES) -> Path:
    """Make an environment in ``folder`` that has ``libraries`` of those installed here."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    installed = Path(sysconfig.get_path("purelib"))
    own = next(folder.glob("lib/python*/site-packages"))
    for name in libraries:
        if (installed / name).exists():
            (own / name).symlink_to(installed / name)
    return folder


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin" / "python"
