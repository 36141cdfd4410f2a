"""The options, each declared once; a command takes those that it names."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Annotated, Any, get_args

import typer

from tensorbridge_cli.catalog import dtypes, layouts, registry, states
from tensorbridge_cli.cli.config import PREFIX, apply
from tensorbridge_cli.errors import RequestError, unknown
from tensorbridge_cli.lab import protocol as lab
from tensorbridge_cli.records.report import Direction
from tensorbridge_cli.records.trace import SORTS
from tensorbridge_cli.render import FORMATS

_SUBJECT, _GIVEN, _RUN, _OUTPUT = "What is generated", "Your own object", "How it runs", "What is printed"
_TOO_MANY = 2**60
WANTED = ("shared", "copied")
COLOURS = ("auto", "always", "never")


def _option(
    *names: str,
    text: str,
    panel: str,
    metavar: str | None = None,
    complete: Callable[[], Iterable[str]] | None = None,
    **more: Any,
) -> Any:
    long = next(name for name in names if name.startswith("--")).partition("/")[0]
    return typer.Option(
        *names,
        help=text,
        metavar=metavar,
        rich_help_panel=panel,
        envvar=PREFIX + long.removeprefix("--").replace("-", "_").upper(),
        show_envvar=False,
        autocompletion=_completing(complete) if complete else None,
        **more,
    )


def _completing(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Complete the last name of a list, joined by commas or, of states and layouts, by plus signs."""

    def complete(incomplete: str) -> list[str]:
        last = re.split("[,+]", incomplete)[-1]
        done = incomplete.removesuffix(last)
        return [done + name for name in dict.fromkeys(names()) if name.startswith(last)]

    return complete


def _conversion_names() -> list[str]:
    names = [entry.name for entry in registry.conversions()]
    return [*names, *(last for name in names if (last := name.rpartition(".")[2]).isidentifier())]


def _dtype_names() -> list[str]:
    return [entry.name for entry in dtypes.DTYPES]


def seconds(text: str | float) -> float:
    """Return the number of seconds that a user wrote.

    Raises:
        RequestError: where it is none.
    """
    with suppress(ValueError):
        if 0 < (number := float(text)) < _AGES:
            return number
    raise RequestError(f"--timeout {text}: write the seconds that one experiment may take, as 10 or 0.5.")


_AGES = 1e6

Conversions = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CONVERSION",
        help="As from_numpy, as_tensor or Tensor.numpy(force=True) (default: the classic four).",
        envvar=PREFIX + "CONVERSION",
        show_envvar=False,
        autocompletion=_completing(_conversion_names),
    ),
]
Selected = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CONVERSION",
        help="Only these (default: all).",
        envvar=PREFIX + "CONVERSION",
        show_envvar=False,
        autocompletion=_completing(_conversion_names),
    ),
]
Code = Annotated[
    list[str] | None,
    _option(
        "--code",
        metavar="CODE",
        text="A conversion of your own: an expression of x, e.g. 'torch.from_numpy(x).float()'; repeatable.",
        panel=_RUN,
    ),
]
Shapes = Annotated[
    list[str] | None,
    _option(
        "--shape", "-s", metavar="SHAPE", text="As 4,3 or 2x3x4; () is 0-d; repeatable (default: 4,3).", panel=_SUBJECT
    ),
]
Dtypes = Annotated[
    list[str] | None,
    _option(
        "--dtype",
        "-d",
        metavar="DTYPE",
        text="As float32,int64 or '>f4'; all for every one (default: float32).",
        panel=_SUBJECT,
        complete=_dtype_names,
    ),
]
Layouts = Annotated[
    list[str] | None,
    _option(
        "--layout",
        "-l",
        metavar="LAYOUT",
        text="How the elements lie, as reversed,non-contiguous; all for every one (default: contiguous).",
        panel=_SUBJECT,
        complete=lambda: layouts.BY_NAME,
    ),
]
States = Annotated[
    list[str] | None,
    _option(
        "--state",
        metavar="STATE",
        text="What else is true, as read-only or conjugate-bit+requires-grad; all for every one (default: plain).",
        panel=_SUBJECT,
        complete=lambda: (states.PLAIN, *states.BY_NAME),
    ),
]
Device = Annotated[
    str,
    _option(
        "--device", metavar="DEVICE", text="Where tensors are: cpu, meta, cuda or mps (default: cpu).", panel=_SUBJECT
    ),
]
File = Annotated[
    str | None,
    _option(
        "--file",
        "-f",
        metavar="FILE",
        text="A .npy, .npz:name, .pt:path.to.tensor or .safetensors:name, or raw bytes with --dtype and --shape.",
        panel=_GIVEN,
    ),
]
Expr = Annotated[
    str | None,
    _option("--expr", "-e", metavar="CODE", text="A Python expression, with np and torch at hand.", panel=_GIVEN),
]
Object = Annotated[
    str | None,
    _option("--object", metavar="NAME", text="package.module:name; called if it is a function.", panel=_GIVEN),
]
Setup = Annotated[str, _option("--setup", metavar="CODE", text="Python code that runs once before.", panel=_GIVEN)]
Plugins = Annotated[
    list[str] | None,
    _option(
        "--plugin", metavar="MODULE", text="A module that registers conversions of yours; repeatable.", panel=_GIVEN
    ),
]
ToDtype = Annotated[
    str | None,
    _option(
        "--to-dtype",
        metavar="DTYPE",
        text="The target dtype, for the conversions that take one.",
        panel=_RUN,
        complete=_dtype_names,
    ),
]
Way = Annotated[
    str | None,
    _option(
        "--direction",
        metavar="WAY",
        text="Only conversions that go this way, as numpy-to-torch (default: all).",
        panel=_RUN,
        complete=lambda: (*Direction, "all"),
    ),
]
Groups = Annotated[
    list[str] | None,
    _option(
        "--group",
        "-g",
        metavar="GROUP",
        text="The conversions of a group, as dlpack; see list groups.",
        panel=_RUN,
        complete=registry.groups,
    ),
]
Every = Annotated[bool, _option("--all", "-a", text="All conversions that fit the subject.", panel=_RUN)]
Want = Annotated[
    str | None,
    _option(
        "--want",
        metavar="MEMORY",
        text="shared or copied: answer which code to write for that; exit 1 if there is none.",
        panel=_RUN,
        complete=lambda: WANTED,
    ),
]
Isolation = Annotated[
    str | None,
    _option(
        "--isolation",
        metavar="HOW",
        text="Where experiments run: in children that fork or spawn, or none.",
        panel=_RUN,
        complete=lambda: get_args(lab.Isolation),
    ),
]
Timeout = Annotated[
    float,
    _option(
        "--timeout", metavar="SECONDS", text="What one experiment may take (default: 10).", panel=_RUN, parser=seconds
    ),
]
Force = Annotated[bool, _option("--force", text="Go on although memory may not suffice.", panel=_RUN)]
Format = Annotated[
    str | None,
    _option(
        "--format",
        metavar="FORMAT",
        text=f"{', '.join(entry.name for entry in FORMATS)} (default: by the ending of --output, else table).",
        panel=_OUTPUT,
        complete=lambda: [entry.name for entry in FORMATS],
    ),
]
TextFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="table, tsv or json (default: table in a terminal, tsv in a pipe).",
        rich_help_panel=_OUTPUT,
    ),
]
OutputFile = Annotated[
    str | None,
    _option("--output", "-o", metavar="FILE", text="Write to this file; - is standard output.", panel=_OUTPUT),
]
Quiet = Annotated[
    bool, _option("--quiet", "-q", text="Print nothing if every expectation is met, e.g. in a hook.", panel=_OUTPUT)
]
ShowValues = Annotated[bool, _option("--values", text="Show small arrays before and after each write.", panel=_OUTPUT)]
ShowPicture = Annotated[
    bool,
    _option(
        "--picture/--no-picture",
        text="Draw the memory: each buffer, and which bytes the source and the result reach.",
        panel=_OUTPUT,
    ),
]
AllLines = Annotated[
    bool, _option("--all", "-a", text="Of a trace, also lines in which only a library converts.", panel=_OUTPUT)
]
Sort = Annotated[
    str,
    _option(
        "--sort",
        metavar="|".join(SORTS),
        text="What the lines of a trace are sorted by, the most first.",
        panel=_OUTPUT,
        complete=lambda: SORTS,
    ),
]
Colour = Annotated[
    str,
    _option(
        "--color",
        metavar="WHEN",
        text="auto, always or never (default: auto).",
        panel=_OUTPUT,
        complete=lambda: COLOURS,
    ),
]
NoConfig = Annotated[
    bool,
    typer.Option(
        "--no-config", help="Ignore pyproject.toml and the environment, see below.", is_eager=True, callback=apply
    ),
]
Debug = Annotated[bool, _option("--debug", text="Show the traceback of an error.", panel="Options")]
DEFAULTS = """
Every option has an environment variable, as TENSORBRIDGE_TO_DTYPE, and a default in [tool.tensorbridge] of the
nearest pyproject.toml, as to-dtype = "float64". The command line wins, then the environment.
"""


def words(
    given: list[str] | None, kind: str, known: Iterable[str], aliases: Mapping[str, str] | None = None
) -> tuple[str, ...] | None:
    """Return the names in repeated comma lists, checked against ``known``, ``aliases`` of them and ``all``.

    Raises:
        RequestError: for a name that is none of them.
    """
    names = split(given)
    for name in names or ():
        for word in name.split("+"):
            if word not in (*known, "all") and word.lower() not in (aliases or ()):
                raise unknown(kind, word, [*known, "all"], spelled=aliases)
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
    """Return the shape that a user wrote: ``4,3``, ``2x3x4``, ``(4,)``, or ``()`` or nothing for 0-d.

    Raises:
        RequestError: where it is none.
    """
    inner = text.strip()
    if inner[:1] + inner[-1:] in ("()", "[]"):
        inner = inner[1:-1].strip().removesuffix(",")
    dimensions = []
    for part in re.split(r",|(?<=\d)[x×](?=\d)", inner) if inner else ():
        try:
            dimensions.append(int(part))
        except ValueError:
            raise RequestError(f"shape {text!r}: {part.strip()!r} is no whole number; write 4,3 or 2x3x4.") from None
    if min(dimensions, default=0) < 0:
        raise RequestError(f"shape {text!r}: {min(dimensions)} is negative; write 0 or more.")
    if math.prod(dimensions) > _TOO_MANY:
        raise RequestError(f"shape {text!r} has more elements than any memory can address; write a smaller one.")
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
