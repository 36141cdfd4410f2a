"""``tensorbridge env``."""

from __future__ import annotations

import json
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence

from tensorbridge_cli import __version__
from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli import request as asked
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.errors import UnavailableError, one_of
from tensorbridge_cli.explain import history
from tensorbridge_cli.lab.client import DEFAULT
from tensorbridge_cli.lab.interpreter import Interpreter, advice
from tensorbridge_cli.lab.protocol import Hello
from tensorbridge_cli.printable import escape, escape_json
from tensorbridge_cli.survey.environments import lettered
from tensorbridge_cli.survey.laboratory import laboratory
from tensorbridge_cli.survey.plan import without_torch


@app.command(cls=Command)
@options.take("python", "format", "output", "no_config", "debug", format=options.TextFormat)
def env(given: options.Options) -> None:
    """Run ``tensorbridge env``; ``COMMANDS`` has the first sentence of its help.

    Also shows devices and default dtypes. If NumPy and PyTorch are not compatible, prints a fix and exits 3. With
    several --python, prints a table with one line per environment.

    \b
    tensorbridge env
    tensorbridge env --python ../old/.venv --python .venv
    """  # noqa: D301 - the backspace keeps the lines below it apart
    if len(given.python) > 1:
        _several(given)
        return
    python = asked.interpreter(given.python[0] if given.python else None)
    known = {
        "tensorbridge": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        "byte order": sys.byteorder,
        "isolation": DEFAULT,
    }
    try:
        hello = _hello(python)
    except UnavailableError as error:
        _list(known, given)
        raise UnavailableError(f"{str(error).removesuffix(advice(python))}{_missing(str(error), python)}") from error
    _list(known | _facts(hello), given)
    if hello.torch is None:
        terminal.note(f"{without_torch(hello)}. To install it: {_pip(python, 'torch')}")
    if hello.works_together is not None:
        raise UnavailableError(f"NumPy and PyTorch are not compatible: {_mismatch(hello)}")


def _hello(python: Interpreter | None) -> Hello:
    with laboratory(DEFAULT, python=python) as lab, terminal.progress():
        return lab.hello()


def _list(known: Mapping[str, str], given: options.Options) -> None:
    terminal.listing([*known.items()], ("name", "value"), given.format or "table", given.output)


def _facts(hello: Hello) -> dict[str, str]:
    return {
        "python": f"{hello.python} ({hello.executable})",
        "platform": hello.platform,
        "numpy": hello.numpy,
        **(_facts_of_numpy_alone(hello) if hello.torch is None else _facts_of_both(hello, hello.torch)),
    }


def _facts_of_numpy_alone(hello: Hello) -> dict[str, str]:
    return {
        "torch": "not installed",
        "devices": ", ".join(hello.devices),
        "default integer": f"{hello.default_int} in NumPy",
        "default float": "float64 in NumPy",
        "dtypes": f"{len(hello.dtypes)}",
    }


def _facts_of_both(hello: Hello, torch: str) -> dict[str, str]:
    return {
        "torch": torch,
        "devices": ", ".join(hello.devices),
        "default integer": f"{hello.default_int} in NumPy, int64 in PyTorch",
        "default float": f"float64 in NumPy, {hello.default_float} in PyTorch",
        "dtypes": f"{len(hello.dtypes)} in all, {sum(len(dtype.libraries) == 2 for dtype in hello.dtypes)} in both",
        "compatible": "yes" if hello.works_together is None else hello.works_together,
        **history.recorded().neighbours(torch),
    }


# What to do --------------------------------------------------------------------------------------


def _missing(error: str, python: Interpreter | None) -> str:
    """Return the command that installs what cannot be imported, and nothing else."""
    missing = [name for name in ("numpy", "torch") if f"No module named '{name}'" in error]
    return f"Install it: {_pip(python, *missing)}" if missing else ""


def _pip(python: Interpreter | None, *packages: str) -> str:
    return shlex.join([*(python.words if python else ("python",)), "-m", "pip", "install", *packages])


def _mismatch(hello: Hello) -> str:
    """Return what to install if NumPy and PyTorch are not compatible, e.g. a torch built for NumPy 1 with NumPy 2."""
    built = "this torch was built for another NumPy."
    if int(hello.numpy.partition(".")[0]) < 2:
        return f"{built} Install a compatible NumPy."
    return f"{built} Install a compatible NumPy: {shlex.join([hello.executable, '-m', 'pip', 'install', 'numpy<2'])}"


# Several environments ----------------------------------------------------------------------------


def _several(given: options.Options) -> None:
    """Show one line per environment.

    Raises:
        UnavailableError: if one of them cannot be used, after the table.
    """
    rows, unusable = [], []
    for letter, python in lettered(given.python):
        try:
            row = _row(_hello(python))
        except UnavailableError as error:
            why = str(error).removesuffix(advice(python)).removeprefix(f"--python {python.name!r}").strip(": ")
            row = dict.fromkeys(_FOUND, "") | {"compatible": f"no: {why.removeprefix('is ')}"}
        rows.append({"letter": letter, "environment": python.name, **row})
        if row["compatible"].startswith("no: "):
            unusable.append(letter)
    _table(rows, given)
    if unusable:
        raise UnavailableError(f"{', '.join(unusable)} cannot be used: run env with one --python for a fix.")


_FOUND = ("python", "executable", "torch", "numpy", "platform", "devices")


def _row(hello: Hello) -> dict[str, str]:
    return {
        "python": hello.python,
        "executable": hello.executable,
        "torch": hello.torch or "",
        "numpy": hello.numpy,
        "platform": hello.platform,
        "devices": ", ".join(name for name in hello.devices if name != "meta"),
        "compatible": _compatible(hello),
    }


def _compatible(hello: Hello) -> str:
    if hello.torch is None:
        return "NumPy alone"
    return "yes" if hello.works_together is None else f"no: {hello.works_together}"


def _table(rows: Sequence[Mapping[str, str]], given: options.Options) -> None:
    """Write the lines as a table, tab-separated, or as JSON.

    Raises:
        RequestError: if there is no such format, or the file cannot be written.
    """
    if given.format is not None:
        one_of("--format", given.format, terminal.TEXT_FORMATS)
    with terminal.destination(given.output, "never") as (write, view):
        from tensorbridge_cli.render.environments import installed

        if given.format == "json":
            objects = [{name: value or None for name, value in row.items()} for row in rows]
            write(escape_json(json.dumps(objects, indent=2, ensure_ascii=False)) + "\n", False)
        elif given.format == "tsv":
            names = ("letter", *installed.COLUMNS)
            lines = [names, *([escape(row[name]) for name in names] for row in rows)]
            write("".join("\t".join(line) + "\n" for line in lines), True)
        else:
            write(installed.installed(rows, view), True)
