"""``tensorbridge env``."""

from __future__ import annotations

import platform
import sys

from tensorbridge_cli import __version__
from tensorbridge_cli.cli import app, terminal
from tensorbridge_cli.errors import UnavailableError


@app.command()
def env() -> None:
    """Show versions, devices and defaults, whether NumPy and PyTorch work together, and what to do if not."""
    from tensorbridge_cli.lab.experiment import Bench
    from tensorbridge_cli.lab.isolation import DEFAULT, Settings, laboratory, scratch_folder

    known = {
        "tensorbridge": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        "byte order": sys.byteorder,
        "isolation": DEFAULT,
    }
    with scratch_folder() as scratch:
        settings = Settings(isolation=DEFAULT, timeout=10.0, jobs=1, bench=Bench(setup="", scratch=scratch, folder=""))
        lab = laboratory(settings)
        try:
            found = lab.hello()
        except UnavailableError as error:
            _print(known)
            raise UnavailableError(f"{error}\nInstall both: {_INSTALL}") from error
        finally:
            lab.close()
    known |= {
        "numpy": found.numpy,
        "torch": found.torch,
        "devices": ", ".join(found.devices),
        "default integer": f"{found.default_int} in NumPy, int64 in PyTorch",
        "default float": f"float64 in NumPy, {found.default_float} in PyTorch",
        "dtypes": f"{len(found.dtypes)} in all, {sum(len(dtype.libraries) == 2 for dtype in found.dtypes)} in both",
        "together": "NumPy and PyTorch work together" if found.works_together is None else found.works_together,
    }
    _print(known)
    if found.works_together is not None:
        raise UnavailableError(
            "NumPy and PyTorch do not work together: this torch was built for another NumPy. "
            f"Install matching versions: {_INSTALL}"
        )


_INSTALL = "python -m pip install --upgrade torch numpy"


def _print(known: dict[str, str]) -> None:
    width = max(map(len, known))
    terminal.say("".join(f"{name:{width}}  {value}\n" for name, value in known.items()))
