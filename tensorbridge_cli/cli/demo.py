"""``tensorbridge demo``: the guided tour."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from tensorbridge_cli.cli import app, options, terminal
from tensorbridge_cli.cli import request as cli_request
from tensorbridge_cli.cli.command import Command
from tensorbridge_cli.errors import UnavailableError
from tensorbridge_cli.explain import tour
from tensorbridge_cli.lab.client import DEFAULT, Laboratory
from tensorbridge_cli.lab.protocol import Hello
from tensorbridge_cli.records.words import NO_TORCH
from tensorbridge_cli.render import View
from tensorbridge_cli.render.explain import tour as renderer
from tensorbridge_cli.render.text import lists, words
from tensorbridge_cli.survey.laboratory import laboratory
from tensorbridge_cli.survey.run import environment, proved


@app.command(cls=Command)
def demo(
    section: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SECTION",
            help="E.g. from_numpy or rebinding, see --list (default: all).",
            autocompletion=lambda incomplete: [name for name in tour.BY_NAME if name.startswith(incomplete)],
        ),
    ] = None,
    step: Annotated[bool, typer.Option("--step", help="Wait for a key after each step; q quits.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the sections.")] = False,
    python: options.Python = None,
    output: options.OutputFile = None,
    color: options.Colour = "auto",
    no_config: options.NoConfig = False,
    debug: options.Debug = False,
) -> None:
    """Run ``tensorbridge demo``; ``COMMANDS`` has the first sentence of its help.

    Each step shows its code, both objects after each line with [ ] around changed elements, and an explanation. All
    results come from your installed versions.

    \b
    tensorbridge demo
    tensorbridge demo --step
    tensorbridge demo negative rebinding
    """  # noqa: D301 - the backspace keeps the lines below it apart
    sections = tour.chosen(section or [])
    if list_:
        with terminal.destination(None, "never") as (write, view):
            write(lists.text([(entry.name, entry.title) for entry in sections], view), True)
        return
    with (
        terminal.destination(output, color, values=True) as (write, view),
        laboratory(DEFAULT, python=cli_request.interpreter(python)) as lab,
    ):
        with terminal.progress(color):
            hello = lab.hello()
        if hello.torch is None:
            raise UnavailableError(f"{NO_TORCH} in {hello.executable}: each section of the tour needs it.")
        to_file = output not in (None, terminal.STDOUT)
        waits = step and not to_file and sys.stdin.isatty() and sys.stdout.isatty()
        texts = _texts(sections, lab, hello, view, waits=waits)
        if to_file:
            write("".join(texts), True)
        else:  # a terminal is shown each step as it comes
            for text in texts:
                write(text, True)


def _texts(
    sections: Sequence[tour.TourSection], lab: Laboratory, hello: Hello, view: View, *, waits: bool
) -> Iterator[str]:
    """Yield the headings and the steps of ``sections``, then the versions; ``waits``: q ends it after a step."""
    steps = [(entry, one) for entry in sections for one in entry.steps]
    sources = {one.source: lab.describe(tour.given(one)).subject for _, one in steps}
    rows = proved([tour.experiment(one, sources[one.source]) for _, one in steps], lab)
    for number, ((entry, one), row) in enumerate(zip(steps, rows, strict=True)):
        if number and waits and not terminal.goes_on(number, len(steps)):
            return
        if one is entry.steps[0]:
            yield renderer.heading(entry.name, entry.title, view)
        typed = (f"x = {one.source}", f"y = {one.code}", *filter(None, [one.then]))
        yield renderer.step(typed, row, tour.sentence(one, row), view)
    yield f"{words.versions(environment(hello, DEFAULT))}\n"
