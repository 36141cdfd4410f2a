"""The options, each declared once; a command takes those that it names."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from tensorbridge_cli.catalog import conversions, dtypes, layouts, states
from tensorbridge_cli.cli.config import PREFIX, ignore_environment
from tensorbridge_cli.errors import RequestError, unknown
from tensorbridge_cli.model import Direction
from tensorbridge_cli.render import FORMATS

_SUBJECT, _GIVEN, _RUN, _OUTPUT = "What is generated", "Your own object", "How it runs", "What is printed"
_TOO_MANY = 2**60


def _option(
    *names: str, text: str, panel: str, complete: Callable[[], Iterable[str]] | None = None, **more: Any
) -> Any:
    long = next(name for name in names if name.startswith("--")).partition("/")[0]
    return typer.Option(
        *names,
        help=text,
        rich_help_panel=panel,
        envvar=PREFIX + long.removeprefix("--").replace("-", "_").upper(),
        autocompletion=(lambda incomplete: _completions(incomplete, complete())) if complete else None,
        **more,
    )


def _completions(incomplete: str, names: Iterable[str]) -> list[str]:
    """Complete the last of a comma list."""
    done, comma, last = incomplete.rpartition(",")
    return [done + comma + name for name in names if name.startswith(last)]


def _without_config(context: typer.Context, asked: bool) -> bool:
    if asked:
        context.default_map = {}
        ignore_environment()
    return asked


Conversions = Annotated[
    list[str] | None,
    typer.Argument(
        help="Conversions, as from_numpy, as_tensor or Tensor.numpy(force=True); none means the classic four.",
        envvar=PREFIX + "CONVERSIONS",
        show_default=False,
        autocompletion=lambda incomplete: [
            name
            for entry in conversions.conversions()
            for name in (entry.name, entry.name.rpartition(".")[2])
            if name.startswith(incomplete)
        ],
    ),
]
Shapes = Annotated[
    list[str] | None,
    _option("--shape", "-s", text="A shape: 4,3 or 2x3x4; () is 0-d. Repeatable. Default: 4,3.", panel=_SUBJECT),
]
Dtypes = Annotated[
    list[str] | None,
    _option(
        "--dtype",
        "-d",
        text="Dtypes, as float32,int64 or >f4; all for every one. Default: float32.",
        panel=_SUBJECT,
        complete=lambda: [entry.name for entry in dtypes.DTYPES],
    ),
]
Layouts = Annotated[
    list[str] | None,
    _option(
        "--layout",
        "-l",
        text="How the elements lie, as negative,strided; all for every one. Default: contiguous.",
        panel=_SUBJECT,
        complete=lambda: layouts.BY_NAME,
    ),
]
States = Annotated[
    list[str] | None,
    _option(
        "--state",
        text="What else is true, as read-only or conj+requires-grad; all for every one. Default: plain.",
        panel=_SUBJECT,
        complete=lambda: [states.PLAIN, *states.BY_NAME],
    ),
]
Device = Annotated[str, _option("--device", text="Where generated tensors are: cpu, meta, cuda, mps.", panel=_SUBJECT)]
File = Annotated[
    str | None,
    _option(
        "--file",
        "-f",
        text="A .npy, .npz:name, .pt:path.to.tensor, .safetensors:name, or raw bytes with --dtype and --shape.",
        panel=_GIVEN,
    ),
]
Expr = Annotated[
    str | None, _option("--expr", "-e", text="A Python expression, with np and torch at hand.", panel=_GIVEN)
]
Object = Annotated[
    str | None, _option("--object", text="package.module:name; called if it is a function.", panel=_GIVEN)
]
Setup = Annotated[str, _option("--setup", text="Python code that runs once, before --expr.", panel=_GIVEN)]
Plugins = Annotated[
    list[str] | None,
    _option("--plugin", text="A module that registers conversions of your own. Repeatable.", panel=_GIVEN),
]
ToDtype = Annotated[
    str | None,
    _option(
        "--to-dtype",
        text="The target dtype, for the conversions that take one.",
        panel=_RUN,
        complete=lambda: [entry.name for entry in dtypes.DTYPES],
    ),
]
Way = Annotated[
    str | None,
    _option(
        "--direction",
        text="Only conversions that go this way, as numpy-to-torch.",
        panel=_RUN,
        complete=lambda: [*Direction, "all"],
    ),
]
Every = Annotated[bool, _option("--all", "-a", text="All conversions that fit the subject.", panel=_RUN)]
Isolation = Annotated[
    str | None,
    _option(
        "--isolation",
        text="Where experiments run: fork, spawn or none.",
        panel=_RUN,
        complete=lambda: ("fork", "spawn", "none"),
    ),
]
Timeout = Annotated[float, _option("--timeout", text="Seconds that one experiment may take.", panel=_RUN)]
Force = Annotated[bool, _option("--force", text="Go on although memory may not suffice.", panel=_RUN)]
Format = Annotated[
    str | None,
    _option(
        "--format",
        text=f"One of {', '.join(entry.name for entry in FORMATS)}. Default: by the ending of --output, else table.",
        panel=_OUTPUT,
        complete=lambda: [entry.name for entry in FORMATS],
    ),
]
OutputFile = Annotated[str | None, _option("--output", "-o", text="Write to this file.", panel=_OUTPUT)]
ShowValues = Annotated[bool, _option("--values", text="Print small arrays before and after each write.", panel=_OUTPUT)]
Colour = Annotated[
    str, _option("--color", text="auto, always or never.", panel=_OUTPUT, complete=lambda: ("auto", "always", "never"))
]
NoConfig = Annotated[
    bool,
    typer.Option(
        "--no-config",
        help="Ignore [tool.tensorbridge] in pyproject.toml and the TENSORBRIDGE_ variables.",
        rich_help_panel=_RUN,
        is_eager=True,
        callback=_without_config,
    ),
]
Debug = Annotated[bool, _option("--debug", text="Show the traceback of an error.", panel=_RUN)]


def words(given: list[str] | None, kind: str, known: Iterable[str]) -> tuple[str, ...] | None:
    """Return the names in repeated comma lists, checked against ``known`` and ``all``.

    Raises:
        RequestError: for a name that is none of them.
    """
    names = split(given)
    for name in names or ():
        for word in name.split("+"):
            if word not in (*known, "all"):
                raise unknown(kind, word, [*known, "all"])
    return names


def split(given: list[str] | None) -> tuple[str, ...] | None:
    """Return the names in repeated comma lists, in order, each once; ``None`` where none was given."""
    names = dict.fromkeys(name.strip() for text in given or () for name in _outside_brackets(text) if name.strip())
    return tuple(names) or None


def _outside_brackets(text: str) -> list[str]:
    """Split at commas, but not within brackets: a structured dtype has its own."""
    found, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth <= 0:
            found.append("")
        else:
            found[-1] += letter
    return found


def shape(text: str) -> tuple[int, ...]:
    """Return the shape that a user wrote: ``4,3``, ``2x3x4``, ``()`` or nothing for 0-d.

    Raises:
        RequestError: where it is none.
    """
    inner = text.strip().removeprefix("(").removesuffix(")").strip().rstrip(",")
    if not inner:
        return ()
    dimensions = []
    for part in inner.replace("x", ",").replace("×", ",").split(",") if not inner.isalpha() else [inner]:
        try:
            dimensions.append(int(part))
        except ValueError:
            raise RequestError(f"shape {text!r}: {part.strip()!r} is no whole number; write 4,3 or 2x3x4.") from None
        if dimensions[-1] < 0:
            raise RequestError(f"shape {text!r}: a dimension cannot be negative; write 0 or more.")
    if math.prod(dimensions) > _TOO_MANY:
        raise RequestError(
            f"shape {text!r} has {math.prod(dimensions):.1e} elements, more than any memory can address; "
            "write a smaller one."
        )
    return tuple(dimensions)


def one_of(kind: str, name: str, known: Iterable[str]) -> str:
    """Return ``name`` if it is one of ``known``.

    Raises:
        RequestError: where it is not, with the closest.
    """
    names = list(known)
    if name not in names:
        raise unknown(kind, name, names)
    return name
