"""``tensorbridge inspect``: the main job."""

from __future__ import annotations

import typer

from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli import request as asked
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.render import render


@app.command(cls=Command, epilog=options.DEFAULTS)
def inspect(
    context: typer.Context,
    conversion: options.Conversions = None,
    code: options.Code = None,
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
    group: options.Groups = None,
    all: options.Every = False,  # noqa: A002 - the option's name
    want: options.Want = None,
    isolation: options.Isolation = None,
    timeout: options.Timeout = 10.0,
    force: options.Force = False,
    format: options.Format = None,  # noqa: A002 - the option's name
    output: options.OutputFile = None,
    values: options.ShowValues = False,
    picture: options.ShowPicture = False,
    color: options.Colour = "auto",
    no_config: options.NoConfig = False,
    debug: options.Debug = False,
) -> None:
    """Prove which conversions share memory and which copy.

    Each converts a fresh array or tensor; then each side is written to, and the other looked at. Of what went wrong,
    the code to write instead is tried on the same source, and shown only where it worked.

    \b
    tensorbridge inspect --shape 4,3 --dtype float32
    tensorbridge inspect from_numpy as_tensor --layout reversed,non-contiguous
    tensorbridge inspect --all --state read-only --values
    tensorbridge inspect from_numpy tensor --layout non-contiguous --picture
    tensorbridge inspect tensor --to-dtype float64 --format json
    tensorbridge inspect --file data.npy
    tensorbridge inspect --want shared --state requires-grad
    tensorbridge inspect from_numpy --expr 'np.arange(24.).reshape(4, 6)[:, ::2]'
    """  # noqa: D301 - the backspace keeps the lines below it apart
    options.one_of("--color", color, options.COLOURS)
    wanted = asked.wanted(context)
    where, shown_as, request = asked.isolation(context), asked.face(context), asked.request(context)
    with terminal.destination(output, color, values, picture) as (show, view), asked.laboratory(context) as lab:
        import tensorbridge_cli.render.report.table  # noqa: F401 - while torch is imported in the other process
        from tensorbridge_cli.survey.run import answered, survey

        with terminal.progress(color) as tell:
            report = survey([request], lab, where, tell, remedies=True)
        if wanted is not None:
            report = answered(report, wanted, request.direction)
        show(render(report, shown_as, view), shown_as == "table")
    if any(not answer.write for answer in report.answers) or (wanted is not None and not report.answers):
        raise typer.Exit(1)
