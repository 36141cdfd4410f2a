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
WARM = "python-is-warm"
"""Beside an interpreter whose place the warm process of ``zygote.py`` may take."""


def bare(folder: Path, libraries: tuple[str, ...] = LIBRARIES, *, warm: bool = False) -> Path:
    """Make an environment in ``folder`` that has ``libraries`` of those installed here.

    ``warm`` where how its interpreter starts, and what that can import, are not the point: a command that runs in a
    fork of a warm Python starts it as another fork.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    installed = Path(sysconfig.get_path("purelib"))
    own = next(folder.glob("lib/python*/site-packages"))
    for name in libraries:
        if (installed / name).exists():
            (own / name).symlink_to(installed / name)
    if warm:
        (folder / "bin" / WARM).touch()
    return folder


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin" / "python"
