"""``tensorbridge explain``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tensorbridge_cli.catalog import codes, states
from tensorbridge_cli.catalog.pitfalls import Pitfall
from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.explain import pages as known
from tensorbridge_cli.records.report import Report

if TYPE_CHECKING:
    from tensorbridge_cli.survey.run import Request

_FORMATS = ("table", "markdown", "tsv", "json")
_START = """\
A name of any of these has its page: tensorbridge explain NAME

  conversions  as from_numpy or Tensor.numpy(force=True)
  outcomes     {outcomes}
  hazards      as readonly-dropped or TB105
  findings     of tensorbridge trace, as avoidable-copy or TB201
  dtypes       as bfloat16
  groups       as dlpack
  layouts      as reversed
  states       as requires-grad

Or give the text of an error or a warning, or a whole traceback:

  tensorbridge explain "can't convert np.ndarray of type numpy.object_"
  python train.py 2>&1 | tensorbridge explain -

tensorbridge list conversions, hazards, findings, layouts or states has them all.
"""


@app.command(cls=Command)
def explain(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="A name, or the text of an error or warning; - reads a traceback from standard input.",
            autocompletion=lambda incomplete: [
                name for name in (*known.names(), *codes.NAMES) if name.startswith(incomplete)
            ],
        ),
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Make its experiments now, and show what came.")] = False,
    format_name: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help="table, markdown, tsv or json (default: table).")
    ] = "table",
    output: options.OutputFile = None,
    color: options.Colour = "auto",
    debug: options.Debug = False,
) -> None:
    """Explain a name, or an error or warning of NumPy and PyTorch.

    What is documented is said sentence by sentence, with the page; it is what check holds the installed versions
    against. What people trip over stands with the command that shows it; --live runs those now.

    \b
    tensorbridge explain from_numpy
    tensorbridge explain readonly-dropped --live
    tensorbridge explain TB105
    tensorbridge explain "Can't call numpy() on Tensor that requires grad"
    tensorbridge explain reversed --format markdown -o reversed.md
    """  # noqa: D301 - the backspace keeps the lines below it apart
    options.one_of("--color", color, options.COLOURS)
    options.one_of("--format", format_name, _FORMATS)
    name = sys.stdin.read() if words == ["-"] else " ".join(words or ())
    if not name.strip():
        terminal.say(_START.format(outcomes=", ".join(n for n, kind in known.names().items() if kind == "outcome")))
        return
    page, pitfalls = known.find(name), known.pitfalls(name)
    if live and not pitfalls:
        raise RequestError(f"no experiment is known to show {page.name}: tensorbridge matrix --full tries everything.")
    with terminal.destination(output, color) as (write, view):
        from tensorbridge_cli.render import render
        from tensorbridge_cli.render.explain import pages

        if live:
            report, unlike = _proved(pitfalls)
            write(render(report, format_name, view), format_name == "table")
            for sentence in unlike:
                terminal.note(sentence)
        else:
            write(pages.render(page, format_name, view), format_name in ("table", "markdown"))


def _proved(pitfalls: tuple[Pitfall, ...]) -> tuple[Report, tuple[str, ...]]:
    """Run the experiments of ``pitfalls``; return their report, and a sentence for each that shows something else."""
    from tensorbridge_cli.cli.started import laboratory
    from tensorbridge_cli.lab.client import DEFAULT
    from tensorbridge_cli.records import report as records

    with laboratory(DEFAULT) as lab:
        from tensorbridge_cli.survey.run import survey

        reports = [survey([_request(pitfall)], lab, DEFAULT, remedies=True) for pitfall in pitfalls]
    unlike = tuple(
        f"not so with numpy {report.environment.numpy} and torch {report.environment.torch}: {pitfall.text} (expected "
        f"{pitfall.shows}: {pitfall.command})"
        for pitfall, report in zip(pitfalls, reports, strict=True)
        if not any(pitfall.is_shown_by(row) for row in report.observations)
    )
    # two pitfalls may have one experiment
    rows = {
        (row.conversion, row.direction, row.to_dtype, row.subject): row for one in reports for row in one.observations
    }
    cases = dict.fromkeys(case for one in reports for case in one.not_applicable)
    return records.report(reports[0].environment, tuple(rows.values()), tuple(cases)), unlike


def _request(pitfall: Pitfall) -> Request:
    from tensorbridge_cli.survey.run import Request

    return Request(
        conversions=(pitfall.conversion,),
        shapes=(options.shape(pitfall.shape),) if pitfall.shape else Request.shapes,
        dtypes=(pitfall.dtype,) if pitfall.dtype else Request.dtypes,
        layouts=(pitfall.layout,) if pitfall.layout else Request.layouts,
        states=(states.parse(pitfall.state),) if pitfall.state else Request.states,
        to_dtype=pitfall.to_dtype or None,
        direction=pitfall.direction,
    )
