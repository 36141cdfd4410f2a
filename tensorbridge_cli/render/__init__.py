"""From a record to text: ``render`` takes any artefact in any of its formats; a renderer is a pure function.

A renderer is imported when its format is asked for, and a kind of artefact never: ``--help`` and ``list`` need the
names of the formats alone. The tables below name the classes for that reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, cast

if TYPE_CHECKING:
    from tensorbridge_cli.diff.cells import Alone, Comparison
    from tensorbridge_cli.diff.environments import Inspections, SideBySide
    from tensorbridge_cli.diff.saved import Rows
    from tensorbridge_cli.diff.traces import TraceComparison
    from tensorbridge_cli.records.report import Environment, Report
    from tensorbridge_cli.records.trace import Trace
    from tensorbridge_cli.render.report.grid import Grid


@dataclass(frozen=True)
class View:
    """How a text may look, in the formats that have a look.

    ``width`` is in terminal columns; ``None`` is without limit, for a pipe. ``values`` adds the elements before and
    after each write, ``picture`` the memory of each row, drawn,
    ``everything`` the lines of a trace in which only libraries convert, and the lines that are the same in all of
    several environments.
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
    """The name of a format, and the endings of the files that are written in it."""

    name: str
    endings: tuple[str, ...]


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
"""The formats of a report."""

CHANGES = (
    Format("text", (".txt",)),
    Format("json", (".json",)),
    Format("csv", (".csv",)),
    Format("markdown", (".md",)),
    Format("svg", (".svg",)),
    Format("html", (".html", ".htm")),
)
"""The formats in which two reports, or two traces, are compared."""

TABLES = (Format("table", (".txt",)), Format("json", (".json",)))
"""The formats of several environments side by side."""

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


# What is rendered --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Grids:
    """Many rows, counted."""

    grid: Grid
    environment: Environment


@dataclass(frozen=True)
class Verdicts:
    """The result of a check ``against`` something, and the cells of a baseline that are ``gone``."""

    report: Report
    against: str
    gone: Sequence[Alone] = ()


Artefact: TypeAlias = (
    "Report | Rows | Grids | Verdicts | Comparison | Trace | TraceComparison | Inspections | SideBySide"
)
Kind = TypeVar("Kind", contravariant=True)


class Renderer(Protocol[Kind]):
    """Writes one kind of artefact in one format; the text ends in a newline."""

    def __call__(self, artefact: Kind, view: View, /) -> str:
        """Return the artefact as text."""


_FUNCTIONS: dict[str, str] = {
    "Report": "render",
    "Rows": "rows",
    "Grids": "grids",
    "Verdicts": "verdicts",
    "Comparison": "changes",
    "Trace": "trace",
    "TraceComparison": "trace_changes",
    "Inspections": "inspections",
    "SideBySide": "side_by_side",
}
"""What the renderer of each kind of artefact is called, in the module of each format."""

_MODULES: dict[tuple[str, str], str] = {
    ("Report", "table"): "report.table",
    ("Report", "grid"): "report.grid",
    ("Grids", "grid"): "report.grid",
    ("Verdicts", "table"): "report.verdicts",
    ("Comparison", "text"): "diff.changes",
    ("TraceComparison", "text"): "diff.trace_changes",
    ("Trace", "table"): "trace.traces",
    ("Inspections", "table"): "environments.table",
    ("SideBySide", "table"): "environments.whole",
    ("SideBySide", "grid"): "environments.grid",
    ("SideBySide", "counts"): "environments.counts",
}
"""Where the formats for people are written; ``html`` has a room of its own, the others are in ``machine/``."""

_NAMES: dict[str, frozenset[str]] = {
    "Report": frozenset(entry.name for entry in FORMATS),
    "Rows": frozenset({"csv", "html", "tsv"}),
    "Grids": frozenset({"grid", "markdown", "svg"}),
    "Verdicts": frozenset({"table", "markdown", "svg", "html"}),
    "Comparison": frozenset(entry.name for entry in CHANGES),
    "Trace": frozenset(entry.name for entry in TRACES),
    "TraceComparison": frozenset(entry.name for entry in CHANGES),
    "Inspections": frozenset(entry.name for entry in TABLES),
    "SideBySide": frozenset({"table", "grid", "counts", "json"}),
}
"""The formats that each kind of artefact can be rendered in."""


def shows_verdicts(format_name: str) -> bool:
    """Return True if a format has a way of its own to show ``Verdicts``; the others show the report."""
    return format_name in _NAMES["Verdicts"]


def reads_in_turn(format_name: str) -> bool:
    """Return True if a format needs each row of a report once, and so takes ``Rows``."""
    return format_name in _NAMES["Rows"]


def renderer(kind: type[Kind], format_name: str) -> Renderer[Kind]:
    """Import the renderer of a kind of artefact in a format, and nothing that only another one needs.

    Raises:
        KeyError: if the artefact cannot be rendered in such a format.
    """
    name = kind.__name__
    if format_name not in _NAMES[name]:
        raise KeyError(format_name)
    module = _MODULES.get((name, format_name)) or ("html" if format_name == "html" else f"machine.{format_name}")
    function = getattr(import_module(f"{__name__}.{module}"), _FUNCTIONS[name])
    return cast("Renderer[Kind]", function)


def render(artefact: Artefact, format_name: str, view: View = PLAIN) -> str:
    """Return an artefact in the format called ``format_name``.

    Raises:
        KeyError: if it cannot be rendered in such a format.
    """
    if isinstance(artefact, Verdicts) and not shows_verdicts(format_name):
        return render(artefact.report, format_name, view)
    return renderer(type(artefact), format_name)(artefact, view)


def in_repository(file: str) -> str:
    """Return ``file`` as a code scanner wants it: from the root of its repository, or of the current folder."""
    path = Path(file).absolute()
    roots = [above for above in path.parents if (above / ".git").exists()]
    root = roots[0] if roots else Path.cwd()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def format_for(path_suffix: str, formats: Sequence[Format]) -> str | None:
    """Return the name of the format that files ending in ``path_suffix`` (``.json``, say) are written in."""
    return next((format_.name for format_ in formats if path_suffix.lower() in format_.endings), None)
