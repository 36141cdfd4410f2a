"""``tensorbridge inspect``: the main job."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import cast, get_args

import typer

from tensorbridge_cli.catalog import layouts, states
from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli.command import Command, rank
from tensorbridge_cli.cli.started import laboratory
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.lab.experiment import Given
from tensorbridge_cli.lab.isolation import DEFAULT, Isolation
from tensorbridge_cli.model import Direction, Origin
from tensorbridge_cli.render import FORMATS, format_for, render


@app.command(cls=Command, epilog=options.DEFAULTS)
def inspect(
    context: typer.Context,
    conversion: options.Conversions = None,
    shape: options.Shapes = None,
    dtype: options.Dtypes = None,
    layout: options.Layouts = None,
    state: options.States = None,
    device: options.Device = "cpu",
    file: options.File = None,
    expr: options.Expr = None,
    object: options.Object = None,  # noqa: A002 - the option's name
    setup: options.Setup = "",
    plugin: options.Plugins = None,
    to_dtype: options.ToDtype = None,
    direction: options.Way = None,
    all: options.Every = False,  # noqa: A002 - the option's name
    isolation: options.Isolation = None,
    timeout: options.Timeout = 10.0,
    force: options.Force = False,
    format: options.Format = None,  # noqa: A002 - the option's name
    output: options.OutputFile = None,
    values: options.ShowValues = False,
    color: options.Colour = "auto",
    no_config: options.NoConfig = False,
    debug: options.Debug = False,
) -> None:
    """Prove which conversions share memory and which copy.

    Each converts a fresh array or tensor; then each side is written to, and the other looked at.

    \b
    tensorbridge inspect --shape 4,3 --dtype float32
    tensorbridge inspect from_numpy as_tensor --layout negative,strided
    tensorbridge inspect --all --state read-only --values
    tensorbridge inspect tensor --to-dtype float64 --format json
    tensorbridge inspect --file data.npy
    tensorbridge inspect from_numpy --expr 'np.arange(24.).reshape(4, 6)[:, ::2]'
    """  # noqa: D301 - the backspace keeps the lines below it apart
    options.one_of("--color", color, options.COLOURS)
    where = cast("Isolation", options.one_of("--isolation", isolation or DEFAULT, get_args(Isolation)))
    way = direction and options.one_of("--direction", direction, (*Direction, "all"))
    face = _format(context, format, output)
    _load_plugins(plugin or [])
    given, described = _subject(context)
    from tensorbridge_cli.survey import Request, survey

    layout_names = options.words(described["layout"], "layout", layouts.BY_NAME)
    state_names = options.words(described["state"], "state", (states.PLAIN, *states.BY_NAME))
    request = Request(
        conversions=options.split(conversion) or (),
        every=all,
        shapes=tuple(dict.fromkeys(map(options.shape, described["shape"] or ()))) or Request.shapes,
        dtypes=options.split(described["dtype"]) or Request.dtypes,
        layouts=layout_names or Request.layouts,
        states=tuple(name if name == "all" else states.parse(name) for name in state_names or Request.states),
        to_dtype=to_dtype,
        device=device,
        direction=None if way in (None, "all") else Direction(way),
        given=given,
        force=force,
    )
    request.check_names()
    own_code = expr or object or setup or plugin
    with (
        terminal.destination(output, color, values) as (show, view),
        laboratory(where, timeout, setup, os.getcwd() if own_code else "") as lab,
    ):
        import tensorbridge_cli.render.table  # noqa: F401 - while torch is imported in the other process

        with terminal.progress() as tell:
            report = survey(request, lab, where, tell)
        show(render(report, face, view), face == "table")


def _format(context: typer.Context, asked: str | None, output: str | None) -> str:
    """Return the format asked for; else, or where the file was typed and the format was not, the one of its ending."""
    if asked is not None:
        options.one_of("--format", asked, [entry.name for entry in FORMATS])
    if output in (None, terminal.STDOUT):
        return asked or "table"
    found = format_for(Path(str(output)).suffix)
    if asked is not None and (found is None or rank(context, "format") <= rank(context, "output")):
        return asked
    if found is None:
        endings = ", ".join(ending for entry in FORMATS for ending in entry.endings)
        raise RequestError(f"--output {output!r}: no format goes with this ending ({endings} do); give --format.")
    return found


_OWN = ("file", "expr", "object")
_DESCRIBING = ("shape", "dtype", "layout", "state")


def _subject(context: typer.Context) -> tuple[Given | None, dict[str, list[str] | None]]:
    """Return the user's own object, and how the subject is described.

    What was typed wins: what is set elsewhere for another subject is left out.
    """
    described: dict[str, list[str] | None] = {name: context.params[name] for name in _DESCRIBING}
    own = [name for name in _OWN if context.params[name] is not None]
    nearest = min((rank(context, name) for name in own), default=0)
    used = [name for name in own if rank(context, name) == nearest]
    if not used:
        return None, described
    if len(used) > 1:
        raise RequestError(f"--{' and --'.join(used)} exclude each other: there is one subject.")
    for name in _DESCRIBING:
        if described[name] and rank(context, name) > nearest:
            described[name] = None
        elif described[name] and (name == "layout" or used != ["file"]):
            raise RequestError(f"--{name} describes a generated subject; with --{used[0]} the object is what it is.")
    text: str = context.params[used[0]]
    return {"file": _file, "expr": _expression, "object": _object}[used[0]](text, described), described


def _file(text: str, described: dict[str, list[str] | None]) -> Given:
    from tensorbridge_cli.catalog import files

    shapes, dtypes, words = (described["shape"] or []), *(options.split(described[name]) for name in ("dtype", "state"))
    if max(map(len, (shapes, dtypes or (), words or ()))) > 1:
        raise RequestError("--file is one subject: give one --shape, one --dtype and one --state at most.")
    spec = files.parse(
        text,
        dtype=dtypes[0] if dtypes else None,
        shape=options.shape(shapes[0]) if shapes else None,
        words=states.words(states.parse(words[0])) if words else frozenset(),
    )
    return Given(origin=Origin.FILE, text=text, file=spec)


def _expression(text: str, described: dict[str, list[str] | None]) -> Given:
    try:
        compile(text.strip(), "<--expr>", "eval")
    except SyntaxError as error:
        raise RequestError(f"--expr {text!r} is no Python expression: {error.msg}.") from error
    return Given(origin=Origin.EXPRESSION, text=text)


def _object(text: str, described: dict[str, list[str] | None]) -> Given:
    if not all(text.partition(":")[::2]):
        raise RequestError(f"--object {text!r}: write package.module:name.")
    return Given(origin=Origin.OBJECT, text=text)


def _load_plugins(modules: list[str]) -> None:
    """Import the modules that register conversions, from the current folder too."""
    import importlib

    if modules:
        sys.path.insert(0, os.getcwd())
    for module in modules:
        try:
            importlib.import_module(module)
        except (Exception, SystemExit) as error:
            raise RequestError(f"--plugin {module!r}: {type(error).__name__}: {error}.") from error
