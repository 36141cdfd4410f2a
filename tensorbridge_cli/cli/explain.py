"""``tensorbridge explain``: what runs the experiments of a page is imported for ``--live`` alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tensorbridge_cli.catalog import codes
from tensorbridge_cli.catalog.pitfalls import Pitfall
from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.errors import RequestError, one_of
from tensorbridge_cli.explain import pages as known
from tensorbridge_cli.render import render
from tensorbridge_cli.render.explain import pages
from tensorbridge_cli.survey import plugins

if TYPE_CHECKING:
    from tensorbridge_cli.records.report import Report

_FORMATS = ("table", "markdown", "tsv", "json")
_START = """\
Usage: tensorbridge explain NAME, where NAME is one of these:

  conversions  e.g. from_numpy or Tensor.numpy(force=True)
  outcomes     {outcomes}
  hazards      e.g. readonly-dropped or TB105
  findings     of tensorbridge trace, e.g. avoidable-copy or TB201
  dtypes       e.g. bfloat16
  groups       e.g. dlpack
  libraries    e.g. pillow: the conversions that take its objects
  layouts      e.g. reversed
  states       e.g. requires-grad

You can also pass the text of an error or a warning, or a whole traceback:

  tensorbridge explain "can't convert np.ndarray of type numpy.object_"
  python train.py 2>&1 | tensorbridge explain -

For all names: tensorbridge list conversions, hazards, findings, dtypes, groups, libraries, layouts or states.
"""


def _completed(incomplete: str) -> list[str]:
    return [name for name in (*known.names(), *codes.NAMES) if name.startswith(incomplete)]


@app.command(cls=Command)
def explain(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="A name, or the text of an error or warning; - = read a traceback from standard input.",
            autocompletion=_completed,
        ),
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Run the page's experiments now and show the results.")] = False,
    format_name: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="table, markdown, tsv or json (default: table).",
            autocompletion=lambda: [*_FORMATS],
        ),
    ] = "table",
    python: options.Python = None,
    output: options.OutputFile = None,
    color: options.Colour = "auto",
    no_config: options.NoConfig = False,
    debug: options.Debug = False,
) -> None:
    """Run ``tensorbridge explain``; ``COMMANDS`` has the first sentence of its help.

    The page of a conversion quotes each documented promise, which check tests on the installed versions, and lists
    common pitfalls, each with a command that demonstrates it. --live runs these commands now.

    \b
    tensorbridge explain from_numpy
    tensorbridge explain readonly-dropped --live
    tensorbridge explain TB105
    tensorbridge explain "Can't call numpy() on Tensor that requires grad"
    tensorbridge explain reversed --format markdown -o reversed.md
    """  # noqa: D301 - the backspace keeps the lines below it apart
    one_of("--format", format_name, _FORMATS)
    name = sys.stdin.read() if words == ["-"] else " ".join(words or ())
    if not name.strip():
        terminal.say(_START.format(outcomes=", ".join(n for n, kind in known.names().items() if kind == "outcome")))
        return
    plugins.load_installed(terminal.note)
    page, known_pitfalls = known.find(name), known.pitfalls(name)
    if live and not known_pitfalls:
        raise RequestError(
            f"no experiment is known to show {page.name}; tensorbridge matrix --full runs all conversions."
        )
    with terminal.destination(output, color) as (write, view):
        if live:
            report, differing = _proved(known_pitfalls, python)
            write(render(report, format_name, view), format_name == "table")
            for sentence in differing:
                terminal.note(sentence)
        else:
            write(pages.render(page, format_name, view), format_name in ("table", "markdown"))


def _proved(of: Sequence[Pitfall], python: str | None) -> tuple[Report, tuple[str, ...]]:
    """Run the experiments of a page; return what they show, and a sentence for each that shows something else."""
    from tensorbridge_cli.cli import request as asked
    from tensorbridge_cli.lab.client import DEFAULT
    from tensorbridge_cli.survey import pitfalls
    from tensorbridge_cli.survey.laboratory import laboratory

    with laboratory(DEFAULT, python=asked.interpreter(python)) as lab, terminal.progress():
        return pitfalls.prove(of, lab, DEFAULT)
