"""The options that commands share, each declared once; a command takes those that it names with ``take``.

What only the shell's completion needs is imported there, as a command has to start fast.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, get_args, get_type_hints

import typer

from tensorbridge_cli import render
from tensorbridge_cli.cli.command import set_in
from tensorbridge_cli.cli.config import PREFIX, apply
from tensorbridge_cli.cli.terminal import TEXT_FORMATS
from tensorbridge_cli.errors import RequestError, one_of
from tensorbridge_cli.records.trace_words import SORTS
from tensorbridge_cli.survey.request_text import WANTED, RequestText, seconds

_GENERATED, _GIVEN = "Source (generated)", "Source (your own)"
_SELECTION, _EXECUTION, _OUTPUT = "Selection", "Execution", "Output"
COLOURS = ("auto", "always", "never")


def option(
    *names: str,
    text: str,
    panel: str | None = None,
    metavar: str | None = None,
    complete: Callable[[], Iterable[str]] | None = None,
    **more: Any,
) -> Any:
    """Declare an option that a variable of its name sets, too: ``TENSORBRIDGE_TO_DTYPE`` is ``--to-dtype``."""
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
    """Complete the last name of a list that is joined by commas, or by plus signs for states and layouts."""

    def complete(incomplete: str) -> list[str]:
        last = re.split("[,+]", incomplete)[-1]
        done = incomplete.removesuffix(last)
        return [done + name for name in dict.fromkeys(names()) if name.startswith(last)]

    return complete


def _conversion_names() -> list[str]:
    from tensorbridge_cli.catalog import registry

    names = [entry.name for entry in registry.conversions()]
    return [*names, *(last for name in names if (last := name.rpartition(".")[2]).isidentifier())]


def _group_names() -> Iterable[str]:
    from tensorbridge_cli.catalog import registry

    return registry.groups()


def _dtype_names() -> Iterable[str]:
    from tensorbridge_cli.catalog import dtypes

    return [entry.name for entry in dtypes.DTYPES]


def _layout_names() -> Iterable[str]:
    from tensorbridge_cli.catalog import layouts

    return layouts.BY_NAME


def _state_names() -> Iterable[str]:
    from tensorbridge_cli.catalog import states

    return states.PLAIN, *states.BY_NAME


def _library_names() -> Iterable[str]:
    from tensorbridge_cli.catalog import constructors

    return constructors.names()


def _directions() -> Iterable[str]:
    from tensorbridge_cli.records.enums import Direction

    return *Direction, "all"


def _isolations() -> Iterable[str]:
    from tensorbridge_cli.lab.protocol import Isolation

    return get_args(Isolation)


def when(text: str) -> str:
    """Return when to colour, one of ``COLOURS``.

    Raises:
        RequestError: if it is none of them.
    """
    return one_of("--color", text, COLOURS)


def whole(name: str) -> Callable[[object], int | None]:
    """Return the callback of the option called ``name``, whose value is a whole number: it is 0 or more, or not given.

    Of another value the callback raises a RequestError.
    """

    def number(value: object) -> int | None:
        if value is None:
            return None
        with suppress(ValueError):
            if (given := int(str(value))) >= 0:
                return given
        raise RequestError(f"{name} {value}: specify a whole number, e.g. 2.")

    return number


Conversions = Annotated[
    tuple[str, ...],
    typer.Argument(
        metavar="CONVERSION",
        help="E.g. from_numpy or Tensor.numpy(force=True) (default: the four common conversions).",
        envvar=PREFIX + "CONVERSION",
        show_envvar=False,
        autocompletion=_completing(_conversion_names),
    ),
]
Selected = Annotated[
    tuple[str, ...],
    typer.Argument(
        metavar="CONVERSION",
        help="Only these conversions (default: all).",
        envvar=PREFIX + "CONVERSION",
        show_envvar=False,
        autocompletion=_completing(_conversion_names),
    ),
]
Code = Annotated[
    tuple[str, ...],
    option(
        "--code",
        metavar="CODE",
        text="Your own conversion: an expression of x, e.g. 'torch.from_numpy(x).float()'; repeatable.",
        panel=_SELECTION,
    ),
]
Shapes = Annotated[
    tuple[str, ...],
    option(
        "--shape",
        "-s",
        metavar="SHAPE",
        text="E.g. 4,3 or 2x3x4; () is 0-d; repeatable (default: 4,3).",
        panel=_GENERATED,
    ),
]
Dtypes = Annotated[
    tuple[str, ...],
    option(
        "--dtype",
        "-d",
        metavar="DTYPE",
        text="E.g. float32,int64 or '>f4'; all = every dtype (default: float32).",
        panel=_GENERATED,
        complete=_dtype_names,
    ),
]
Layouts = Annotated[
    tuple[str, ...],
    option(
        "--layout",
        "-l",
        metavar="LAYOUT",
        text="Memory layout, e.g. reversed,non-contiguous; all = every layout (default: contiguous).",
        panel=_GENERATED,
        complete=_layout_names,
    ),
]
States = Annotated[
    tuple[str, ...],
    option(
        "--state",
        metavar="STATE",
        text="Other properties, e.g. read-only or memory-mapped+read-only; all = every state (default: plain).",
        panel=_GENERATED,
        complete=_state_names,
    ),
]
Library = Annotated[
    str | None,
    option(
        "--library",
        metavar="LIBRARY",
        text="Whose object it is, e.g. pandas or torch; see tensorbridge list libraries (default: what the conversion "
        "accepts).",
        panel=_GENERATED,
        complete=_library_names,
    ),
]
Device = Annotated[
    str,
    option(
        "--device",
        metavar="DEVICE",
        text="Device of generated tensors: cpu, meta, cuda or mps (default: cpu).",
        panel=_GENERATED,
        complete=lambda: ("cpu", "meta", "cuda", "mps"),
    ),
]
File = Annotated[
    str | None,
    option(
        "--file",
        "-f",
        metavar="FILE",
        text="E.g. data.npy, data.npz:name, model.pt:path.to.tensor, model.safetensors:name, table.parquet:column, "
        "data.h5:group/name, data.zarr or image.png; raw binary with --dtype and --shape.",
        panel=_GIVEN,
    ),
]
Expr = Annotated[
    str | None,
    option("--expr", "-e", metavar="CODE", text="A Python expression; np and torch are imported.", panel=_GIVEN),
]
Object = Annotated[
    str | None,
    option("--object", metavar="NAME", text="package.module:name; a function is called.", panel=_GIVEN),
]
Setup = Annotated[
    str, option("--setup", metavar="CODE", text="Python code to run once before everything else.", panel=_GIVEN)
]
Plugins = Annotated[
    tuple[str, ...],
    option(
        "--plugin", metavar="MODULE", text="A module that registers your own conversions; repeatable.", panel=_GIVEN
    ),
]
ToDtype = Annotated[
    str | None,
    option(
        "--to-dtype",
        metavar="DTYPE",
        text="Target dtype, for conversions that accept one.",
        panel=_SELECTION,
        complete=_dtype_names,
    ),
]
Way = Annotated[
    str | None,
    option(
        "--direction",
        metavar="WAY",
        text="Only this direction, e.g. numpy-to-torch (default: all).",
        panel=_SELECTION,
        complete=_directions,
    ),
]
Groups = Annotated[
    tuple[str, ...],
    option(
        "--group",
        "-g",
        metavar="GROUP",
        text="All conversions of a group, e.g. dlpack; see tensorbridge list groups.",
        panel=_SELECTION,
        complete=_group_names,
    ),
]
Every = Annotated[bool, option("--all", "-a", text="All conversions that accept the source.", panel=_SELECTION)]
Want = Annotated[
    str | None,
    option(
        "--want",
        metavar="MEMORY",
        text="shared or copied: suggest code with that outcome; exit 1 if there is none.",
        panel=_SELECTION,
        complete=lambda: WANTED,
    ),
]
Isolation = Annotated[
    str | None,
    option(
        "--isolation",
        metavar="HOW",
        text="fork, spawn or none: how to start the child processes that isolate experiments (default: fork, where "
        "available).",
        panel=_EXECUTION,
        complete=_isolations,
    ),
]
Python = Annotated[
    str | None,
    option(
        "--python",
        metavar="PYTHON",
        text="Inspect another environment: its interpreter, its folder, or a command, e.g. 'uv run python'.",
        panel=_EXECUTION,
    ),
]
Pythons = Annotated[
    tuple[str, ...],
    option(
        "--python",
        metavar="PYTHON",
        text="Inspect another environment: its interpreter, its folder, or a command, e.g. 'uv run python'. "
        "Repeatable: compares them side by side.",
        panel=_EXECUTION,
    ),
]
Timeout = Annotated[
    float,
    option(
        "--timeout",
        metavar="SECONDS",
        text="Time limit per experiment (default: 10).",
        panel=_EXECUTION,
        callback=lambda value: seconds(value, f"--timeout {value}"),
    ),
]
Force = Annotated[bool, option("--force", text="Run even if memory may not be sufficient.", panel=_EXECUTION)]
_FORMATS = [entry.name for entry in render.FORMATS]
Format = Annotated[
    str | None,
    option(
        "--format",
        metavar="FORMAT",
        text=f"{', '.join(_FORMATS)} (default: by the extension of --output, else table).",
        panel=_OUTPUT,
        complete=lambda: _FORMATS,
    ),
]


def format_of(formats: Sequence[render.Format], text: str) -> Any:
    """Return ``--format`` for a command that has other ``formats``, and so no default of a file or a variable.

    ``text`` is the one for people.
    """
    names = [entry.name for entry in formats]
    known = f"{names[0]} or {names[1]}" if len(names) == 2 else ", ".join(names)
    return Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"{known} (default: by the extension of --output, else {text}).",
            rich_help_panel=_OUTPUT,
            autocompletion=lambda: names,
        ),
    ]


TextFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="table, tsv or json (default: table in a terminal, tsv in a pipe).",
        rich_help_panel=_OUTPUT,
        autocompletion=lambda: [*TEXT_FORMATS],
    ),
]
OutputFile = Annotated[
    str | None,
    option("--output", "-o", metavar="FILE", text="Write to this file; - = standard output.", panel=_OUTPUT),
]
Quiet = Annotated[
    bool, option("--quiet", "-q", text="Print nothing if all expectations are met, e.g. in a hook.", panel=_OUTPUT)
]
ShowValues = Annotated[bool, option("--values", text="Show small arrays before and after each write.", panel=_OUTPUT)]
ShowPicture = Annotated[
    bool,
    option(
        "--picture/--no-picture",
        text="Draw the memory: each buffer, and which bytes the source and the result use.",
        panel=_OUTPUT,
    ),
]
AllLines = Annotated[
    bool, option("--all", "-a", text="Also list lines of a trace where only a library converts.", panel=_OUTPUT)
]
Sort = Annotated[
    str,
    option(
        "--sort",
        metavar="|".join(SORTS),
        text="Sort order of the lines of a trace, largest first.",
        panel=_OUTPUT,
        complete=lambda: SORTS,
    ),
]
Colour = Annotated[
    str,
    option(
        "--color",
        metavar="WHEN",
        text="auto, always or never (default: auto).",
        panel=_OUTPUT,
        complete=lambda: COLOURS,
        callback=when,
    ),
]
NoConfig = Annotated[
    bool,
    typer.Option(
        "--no-config",
        help="Ignore pyproject.toml and environment variables (see below).",
        is_eager=True,
        callback=apply,
    ),
]
Debug = Annotated[bool, option("--debug", text="Show the traceback of an error.", panel="Options")]
DEFAULTS = """
Every option can also be set by an environment variable, e.g. TENSORBRIDGE_TO_DTYPE, or in [tool.tensorbridge] of the
nearest pyproject.toml, e.g. to-dtype = "float64". The command line wins over the environment, which wins over the file.
"""


@dataclass(frozen=True, kw_only=True)
class Options(RequestText):
    """The values of the shared options; one that a command does not take has its default."""

    conversion: Conversions = ()
    code: Code = ()
    group: Groups = ()
    all: Every = False
    want: Want = None
    shape: Shapes = ()
    dtype: Dtypes = ()
    layout: Layouts = ()
    state: States = ()
    library: Library = None
    device: Device = "cpu"
    file: File = None
    expr: Expr = None
    object: Object = None
    to_dtype: ToDtype = None
    direction: Way = None
    plugin: Plugins = ()
    python: Pythons = ()
    timeout: Timeout = 10.0
    force: Force = False
    setup: Setup = ""
    isolation: Isolation = None
    format: Format = None
    output: OutputFile = None
    values: ShowValues = False
    picture: ShowPicture = False
    quiet: Quiet = False
    color: Colour = "auto"
    no_config: NoConfig = False
    debug: Debug = False


GENERATED = ("shape", "dtype", "layout", "state", "library", "device")
OWN = ("file", "expr", "object", "setup", "plugin")
COMMON = ("no_config", "debug")
"""Names that several commands take together."""


def take(*names: str, **declared: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options called ``names``, in this order in its help.

    The command's function gets the shared ones as one ``Options``, its first argument. Of ``names``, those that are
    further arguments of the function are options of its own. ``declared`` declares a shared one in other words, or
    with one value instead of several.
    """

    # typer reads a command's options from the signature of its function. Written out, each command would declare some
    # thirty parameters and pass them on; so the signature is made here, of the names.
    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = dict(list(signature(function, eval_str=True).parameters.items())[1:])
        fields = get_type_hints(Options, include_extras=True)
        shared = fields | declared

        def command(context: typer.Context, **values: Any) -> None:
            common = {name: values.pop(name) for name in names if name not in own}
            several = {name: _several(value) for name, value in common.items() if _is_tuple(fields[name])}
            where = {name: set_in(context, name) for name in names}
            function(Options(**common | several, set_in=where), **values)

        parameters = [
            own[name].replace(kind=Parameter.KEYWORD_ONLY) if name in own else _parameter(name, shared[name])
            for name in names
        ]
        context = Parameter("context", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        command.__name__, command.__doc__, command.__module__ = function.__name__, function.__doc__, function.__module__
        command.__signature__ = Signature([context, *parameters])  # type: ignore[attr-defined]
        return command

    return decorate


def _several(value: str | list[str] | None) -> tuple[str, ...]:
    """Return the values of a field that has several; a command may take one only."""
    return (value,) if isinstance(value, str) else tuple(value or ())


def _is_tuple(annotation: Any) -> bool:
    return bool(get_args(annotation)[0] == tuple[str, ...])


def _parameter(name: str, annotation: Any) -> Parameter:
    """Return the parameter that typer reads for a field of ``Options``: typer knows lists, and no such tuples."""
    kind, info = get_args(annotation)
    kind = list[str] | None if _is_tuple(annotation) else kind
    default = getattr(Options, name) or None if kind in (list[str] | None, str | None) else getattr(Options, name)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])
