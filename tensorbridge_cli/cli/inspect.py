"""``tensorbridge inspect``: the main job."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import cast, get_args

from tensorbridge_cli.catalog import layouts, states
from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.lab import isolation as lab_isolation
from tensorbridge_cli.lab.experiment import Bench, Given
from tensorbridge_cli.model import Direction, Origin
from tensorbridge_cli.render import FORMATS, PLAIN, format_for, render


@app.command()
def inspect(
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
    r"""Convert, write to each side, look at the other: which conversions share memory and which copy.

    \b
    Examples:
      tensorbridge inspect --shape 4,3 --dtype float32
      tensorbridge inspect from_numpy as_tensor --layout negative,strided
      tensorbridge inspect --all --state read-only --values
      tensorbridge inspect tensor --to-dtype float64 --format json
      tensorbridge inspect --file data.npy
      tensorbridge inspect from_numpy --expr 'np.arange(24.).reshape(4, 6)[:, ::2]'
    """
    options.one_of("--color", color, ("auto", "always", "never"))
    if timeout <= 0:
        raise RequestError(f"--timeout {timeout:g}: an experiment needs more than 0 seconds.")
    where = options.one_of("--isolation", isolation or lab_isolation.DEFAULT, get_args(lab_isolation.Isolation))
    face = _format(format, output)
    _load_plugins(plugin or [])
    shapes = tuple(dict.fromkeys(map(options.shape, shape))) if shape else None
    dtypes = options.split(dtype)
    given = _given(file, expr, object, shapes, dtypes, layout, state)
    asked_states = options.words(state, "state", (states.PLAIN, *states.BY_NAME))
    way = (
        None if direction in (None, "all") else Direction(options.one_of("--direction", direction, (*Direction, "all")))
    )
    from tensorbridge_cli.survey import Request, survey

    request = Request(
        conversions=options.split(conversion) or (),
        every=all,
        shapes=shapes or Request.shapes,
        dtypes=dtypes or Request.dtypes,
        layouts=options.words(layout, "layout", layouts.BY_NAME) or Request.layouts,
        states=tuple(name if name == "all" else states.parse(name) for name in asked_states or Request.states),
        to_dtype=to_dtype,
        device=device,
        direction=way,
        given=given,
        force=force,
    )
    request.check_names()
    destination = terminal.Output(Path(output)) if output else None
    own_code = expr or object or setup or plugin
    with lab_isolation.scratch_folder() as scratch:
        lab = lab_isolation.laboratory(
            lab_isolation.Settings(
                isolation=cast("lab_isolation.Isolation", where),
                timeout=timeout,
                jobs=1,
                bench=Bench(setup=setup, scratch=scratch, folder=os.getcwd() if own_code else ""),
            )
        )
        try:
            import tensorbridge_cli.render.table  # noqa: F401 - while torch is imported in the other process

            with terminal.progress() as tell:
                report = survey(request, lab, cast("lab_isolation.Isolation", where), tell)
            if destination is not None:
                destination.write(render(report, face, PLAIN))
            else:
                terminal.say(render(report, face, terminal.view(color, values)))
        finally:
            lab.close()
            if destination is not None:
                destination.discard()


def _format(asked: str | None, output: str | None) -> str:
    if asked is not None:
        return options.one_of("--format", asked, [entry.name for entry in FORMATS])
    if output is None:
        return "table"
    found = format_for(Path(output).suffix)
    if found is None:
        endings = ", ".join(ending for entry in FORMATS for ending in entry.endings)
        raise RequestError(f"--output {output}: no format goes with this ending ({endings} do); give --format.")
    return found


def _given(
    file: str | None,
    expr: str | None,
    name: str | None,
    shapes: tuple[tuple[int, ...], ...] | None,
    dtypes: tuple[str, ...] | None,
    layout: list[str] | None,
    state: list[str] | None,
) -> Given | None:
    """Return the user's own object; one of the three, and only what can be said of it."""
    ways = {"--file": file, "--expr": expr, "--object": name}
    used = [option for option, value in ways.items() if value is not None]
    if len(used) > 1:
        raise RequestError(f"{' and '.join(used)} exclude each other: there is one subject.")
    if not used:
        return None
    described = {"--layout": layout} | (
        {} if file is not None else {"--shape": shapes, "--dtype": dtypes, "--state": state}
    )
    extra = [option for option, value in described.items() if value]
    if extra:
        raise RequestError(f"{extra[0]} describes a generated subject; with {used[0]} the object is what it is.")
    if file is not None:
        from tensorbridge_cli.catalog import files

        if len(shapes or ()) > 1 or len(dtypes or ()) > 1 or len(state or ()) > 1:
            raise RequestError("--file is one subject: give one --shape, one --dtype and one --state at most.")
        asked = states.words(states.parse(state[0])) if state else frozenset()
        spec = files.parse(file, dtype=dtypes[0] if dtypes else None, shape=shapes[0] if shapes else None, words=asked)
        return Given(origin=Origin.FILE, text=file, file=spec)
    if expr is not None:
        try:
            compile(expr.strip(), "<--expr>", "eval")
        except SyntaxError as error:
            raise RequestError(f"--expr {expr!r} is no Python expression: {error.msg}.") from error
        return Given(origin=Origin.EXPRESSION, text=expr)
    assert name is not None
    if not all(name.partition(":")[::2]):
        raise RequestError(f"--object {name!r}: write package.module:name.")
    return Given(origin=Origin.OBJECT, text=name)


def _load_plugins(modules: list[str]) -> None:
    """Import the modules that register conversions, from the current folder too."""
    import importlib

    if modules:
        sys.path.insert(0, os.getcwd())
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            raise RequestError(f"--plugin {module}: {type(error).__name__}: {error}.") from error
