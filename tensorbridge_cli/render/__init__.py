"""From a report to text: pure functions, one file per format, listed in ``FORMATS``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tensorbridge_cli.records.report import Environment, Report

if TYPE_CHECKING:
    from tensorbridge_cli.diff.cells import Alone, Comparison
    from tensorbridge_cli.diff.traces import Comparison as TraceComparison
    from tensorbridge_cli.records.trace import Trace
    from tensorbridge_cli.render.report.grid import Grid


@dataclass(frozen=True)
class View:
    """How a face may look, for those that have a look.

    ``width`` is in terminal columns; ``None`` is without limit, for a pipe. ``values`` adds the elements before and
    after each write, ``picture`` the memory of each row, drawn,
    ``everything`` the lines of a trace in which only libraries convert.
    """

    width: int | None
    colour: bool
    box: bool
    values: bool = False
    picture: bool = False
    everything: bool = False
    place: str | None = None
    """The file of the repository that says what was checked, for a format that must name one."""


PLAIN = View(width=None, colour=False, box=False)


@dataclass(frozen=True)
class Format:
    """One format: the module of its name in this room has ``render(report, view) -> str``; html has its own room."""

    name: str
    endings: tuple[str, ...]

    def load(self) -> Callable[[Report, View], str]:
        """Import the module of this format, and nothing that only another one needs."""
        return cast("Callable[[Report, View], str]", _function(self.name, "render"))


FORMATS = (
    Format("table", (".txt",)),
    Format("grid", ()),
    Format("tsv", (".tsv",)),
    Format("csv", (".csv",)),
    Format("markdown", (".md",)),
    Format("svg", (".svg",)),
    Format("html", (".html", ".htm")),
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


def render_grid(grid: Grid, format_name: str, environment: Environment, view: View) -> str:
    """Return what was counted as ``grid``, ``markdown`` or ``svg``."""
    return str(_function(format_name, "grids")(grid, environment, view))


def render_verdicts(report: Report, format_name: str, view: View, against: str, gone: Sequence[Alone]) -> str | None:
    """Return what was not met ``against`` what is named so; ``None`` where the format has no own way to tell it."""
    module = {"table": "verdicts", "markdown": "markdown", "svg": "svg", "html": "html"}.get(format_name)
    return None if module is None else str(_function(module, "verdicts")(report, view, against, gone))


CHANGES = (
    Format("text", (".txt",)),
    Format("json", (".json",)),
    Format("csv", (".csv",)),
    Format("markdown", (".md",)),
    Format("svg", (".svg",)),
    Format("html", (".html", ".htm")),
)
"""The formats in which two reports, or two traces, are compared."""


def render_changes(comparison: Comparison, format_name: str, view: View) -> str:
    """Return ``comparison`` in one of ``CHANGES``; the text ends in a newline."""
    return str(_function("changes" if format_name == "text" else format_name, "changes")(comparison, view))


def render_trace_changes(comparison: TraceComparison, format_name: str, view: View) -> str:
    """Return what changed from one run of a program to the other in one of ``CHANGES``; the text ends in a newline."""
    return str(_function("trace_changes" if format_name == "text" else format_name, "trace_changes")(comparison, view))


TRACES = (
    Format("table", (".txt",)),
    Format("csv", (".csv",)),
    Format("markdown", (".md",)),
    Format("html", (".html", ".htm")),
    Format("json", (".json",)),
    Format("jsonl", (".jsonl",)),
    Format("github", ()),
    Format("sarif", (".sarif",)),
)
"""The formats in which a program's trace is told."""


def render_trace(found: Trace, format_name: str, view: View) -> str:
    """Return ``found`` in one of ``TRACES``; the text ends in a newline."""
    return str(_function("traces" if format_name == "table" else format_name, "trace")(found, view))


_ROOMS = {
    "table": "report.table",
    "grid": "report.grid",
    "verdicts": "report.verdicts",
    "changes": "diff.changes",
    "trace_changes": "diff.trace_changes",
    "traces": "trace.traces",
    "html": "html",
}
"""Where a format is written, if not in ``machine/``."""


def _function(module: str, name: str) -> Callable[..., Any]:
    return cast(
        "Callable[..., Any]", getattr(import_module(f"{__name__}.{_ROOMS.get(module, f'machine.{module}')}"), name)
    )


def in_repository(file: str) -> str:
    """Return ``file`` as a code scanner wants it: from the root of its repository, or of the current folder."""
    path = Path(file).absolute()
    roots = [above for above in path.parents if (above / ".git").exists()]
    root = roots[0] if roots else Path.cwd()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def format_for(path_suffix: str, formats: Sequence[Format] = FORMATS) -> str | None:
    """Return the name of the format that files ending in ``path_suffix`` (``.json``, say) are written in."""
    return next((format_.name for format_ in formats if path_suffix.lower() in format_.endings), None)
