"""The terminal's own picture as SVG, for slides and pages: nothing in it is fetched from anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tensorbridge_cli.records.report import Report
from tensorbridge_cli.render import Grids, Verdicts, View
from tensorbridge_cli.render.diff import changes as report_changes
from tensorbridge_cli.render.diff import trace_changes as program_changes
from tensorbridge_cli.render.report import table
from tensorbridge_cli.render.report import verdicts as verdict_text
from tensorbridge_cli.render.text.layout import safe

if TYPE_CHECKING:
    from tensorbridge_cli.diff.cells import Comparison
    from tensorbridge_cli.diff.traces import TraceComparison

WIDTH = 100
"""Columns of the picture where no terminal has another width."""

_PICTURE = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img" aria-label="tensorbridge">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; \
font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def render(report: Report, view: View) -> str:
    """Return the picture of the table."""
    wide = View(_width(view), colour=True, box=True, values=view.values, picture=view.picture)
    return _drawn(table.lines(report, wide))


def grids(grids: Grids, view: View) -> str:
    """Return the picture of the grids."""
    return _drawn(grids.grid.lines(_width(view), grids.environment))


def verdicts(verdicts: Verdicts, view: View) -> str:
    """Return the picture of the failures of a check."""
    return _drawn(verdict_text.lines(verdicts, _width(view)))


def changes(comparison: Comparison, view: View) -> str:
    """Return the picture of the changes between two reports."""
    return _drawn(report_changes.lines(comparison, _width(view), everything=view.everything))


def trace_changes(comparison: TraceComparison, view: View) -> str:
    """Return the picture of the changes between two traces."""
    return _drawn(program_changes.lines(comparison, _width(view)))


def _width(view: View) -> int:
    return WIDTH if view.width is None else view.width


def _drawn(lines: Iterable[Text]) -> str:
    shown = list(map(safe, lines))
    console = Console(
        file=StringIO(),
        record=True,
        width=max(line.cell_len for line in shown),
        height=len(shown),  # without, rich takes 80 columns if TERM is dumb
        force_terminal=True,
        color_system="standard",
        no_color=False,
        legacy_windows=False,
    )
    for line in shown:
        console.print(line, markup=False, emoji=False, highlight=False)
    return console.export_svg(title="tensorbridge", code_format=_PICTURE, theme=_THEME)


_BASE: list[tuple[int, int, int]] = [
    (13, 17, 23),  # black: only on cyan or yellow
    (255, 123, 114),
    (86, 211, 100),
    (227, 179, 65),
    (121, 192, 255),
    (210, 168, 255),
    (86, 212, 221),
    (230, 237, 243),
]
_THEME = TerminalTheme((13, 17, 23), (230, 237, 243), _BASE, _BASE)
"""Each colour but black, dimmed or not, has a contrast of at least 4.5 with the paper; those of rich have 2.9."""
