"""Several environments: the grid, and below it the contradictions of the docs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from tensorbridge_cli.render import View
from tensorbridge_cli.render.environments import counts, grid
from tensorbridge_cli.render.text.layout import to_string, width_of

if TYPE_CHECKING:
    from tensorbridge_cli.diff.environments import SideBySide


def side_by_side(compared: SideBySide, view: View) -> str:
    """Return several environments as text; ``view.everything``: with what is the same in all."""
    return to_string(_lines(compared, width_of(view), everything=view.everything), colour=view.colour)


def _lines(compared: SideBySide, width: int | None, *, everything: bool) -> Iterator[Text]:
    yield from grid.cells(compared, width, everything=everything)
    if compared.breaches:
        yield Text()
        yield from counts.breaches(compared, width, worse=False)
