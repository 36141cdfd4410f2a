"""``tensorbridge env``."""

from __future__ import annotations

import platform
import sys

from tensorbridge_cli import __version__
from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli import request as asked
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.errors import UnavailableError
from tensorbridge_cli.lab.client import DEFAULT
from tensorbridge_cli.lab.server import ADVICE
from tensorbridge_cli.survey.laboratory import laboratory


@app.command(cls=Command)
def env(
    python: options.Python = None,
    format: options.TextFormat = None,  # noqa: A002 - the option's name
    output: options.OutputFile = None,
    no_config: options.NoConfig = False,
) -> None:
    """Show installed versions and whether they are compatible.

    Also shows devices and default dtypes. If NumPy and PyTorch are not compatible, prints a fix and exits 3.
    """
    known = {
        "tensorbridge": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        "byte order": sys.byteorder,
        "isolation": DEFAULT,
    }
    with laboratory(DEFAULT, python=asked.interpreter(python)) as lab:
        try:
            with terminal.progress():
                hello = lab.hello()
        except UnavailableError as error:
            terminal.listing([*known.items()], _COLUMNS, format or "table", output)
            raise UnavailableError(f"{str(error).removesuffix(ADVICE)}Install both: {_INSTALL}") from error
    known |= {
        "python": f"{hello.python} ({hello.executable})",
        "platform": hello.platform,
        "numpy": hello.numpy,
        "torch": hello.torch,
        "devices": ", ".join(hello.devices),
        "default integer": f"{hello.default_int} in NumPy, int64 in PyTorch",
        "default float": f"float64 in NumPy, {hello.default_float} in PyTorch",
        "dtypes": f"{len(hello.dtypes)} in all, {sum(len(dtype.libraries) == 2 for dtype in hello.dtypes)} in both",
        "compatible": "yes" if hello.works_together is None else hello.works_together,
    }
    terminal.listing([*known.items()], _COLUMNS, format or "table", output)
    if hello.works_together is not None:
        raise UnavailableError(
            "NumPy and PyTorch are not compatible: this torch was built for another NumPy. "
            f"Install matching versions: {_INSTALL}"
        )


_INSTALL = "python -m pip install --upgrade torch numpy"
_COLUMNS = ("name", "value")
