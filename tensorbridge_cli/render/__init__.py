"""From a report to text: pure functions, one file per format, listed in ``FORMATS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from tensorbridge_cli.model import Report


@dataclass(frozen=True)
class View:
    """How a face may look, for those that have a look.

    ``width`` is in terminal columns; ``None`` is without limit, for a pipe. ``values`` adds the elements before and
    after each write, ``picture`` the memory of each row, drawn.
    """

    width: int | None
    colour: bool
    box: bool
    values: bool = False
    picture: bool = False


PLAIN = View(width=None, colour=False, box=False)


@dataclass(frozen=True)
class Format:
    """One format: the module ``tensorbridge_cli.render.<name>`` has ``render(report, view) -> str``."""

    name: str
    endings: tuple[str, ...]

    def load(self) -> Callable[[Report, View], str]:
        """Import the module of this format, and nothing that only another one needs."""
        return cast("Callable[[Report, View], str]", import_module(f"{__name__}.{self.name}").render)


FORMATS = (
    Format("table", (".txt",)),
    Format("grid", ()),
    Format("tsv", (".tsv",)),
    Format("json", (".json",)),
    Format("jsonl", (".jsonl",)),
    Format("github", ()),
    Format("sarif", (".sarif",)),
    Format("junit", (".xml",)),
)


def render(report: Report, format_name: str, view: View = PLAIN) -> str:
    """Return ``report`` in the format called ``format_name``; the text ends in a newline.

    Raises:
        KeyError: where ``FORMATS`` has no such name.
    """
    return {format_.name: format_ for format_ in FORMATS}[format_name].load()(report, view)


def format_for(path_suffix: str) -> str | None:
    """Return the name of the format that files ending in ``path_suffix`` (``.json``, say) are written in."""
    return next((format_.name for format_ in FORMATS if path_suffix.lower() in format_.endings), None)
