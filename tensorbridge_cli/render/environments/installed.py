"""What is installed in several environments: a line each, for ``env``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.text import Text

from tensorbridge_cli.printable import escape
from tensorbridge_cli.render import View
from tensorbridge_cli.render.text.layout import columns, fold, styled, to_string, total_width

COLUMNS = ("environment", "python", "torch", "numpy", "devices", "compatible")
_FOLDED = (COLUMNS.index("environment") + 1, COLUMNS.index("compatible") + 1)
"""The columns that are narrowed if the table is too wide: the others are short."""
_LEAST = 12


def installed(rows: Sequence[Mapping[str, str]], view: View) -> str:
    """Return ``rows``, each with a ``letter`` and ``COLUMNS``, as a table."""
    return to_string(_lines(rows, view.width), colour=view.colour)


def _lines(rows: Sequence[Mapping[str, str]], width: int | None) -> Iterator[Text]:
    texts = [[escape(row[name]) for name in ("letter", *COLUMNS)] for row in rows]
    titles = ["", *(name.capitalize() if name == "python" else name for name in COLUMNS)]
    widths = [max(map(len, column)) for column in zip(titles, *texts, strict=True)]
    for column in _FOLDED:
        over = 0 if width is None else total_width(widths) - width
        if over > 0:
            widths[column] = max(_LEAST, widths[column] - over)
    yield from columns([[styled(title, "heading")] for title in titles], widths)
    for row in texts:
        yield from columns([fold(Text(cell), room) for cell, room in zip(row, widths, strict=True)], widths)
