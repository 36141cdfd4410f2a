"""Common pitfalls: each is a sentence with an experiment that demonstrates it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tensorbridge_cli.compat import dataclass
from tensorbridge_cli.records.enums import Direction
from tensorbridge_cli.records.words import shell_line

if TYPE_CHECKING:
    from tensorbridge_cli.records.report import Row


@dataclass(frozen=True, kw_only=True)
class Pitfall:
    """One pitfall.

    Attributes:
        text: a sentence.
        shows: the outcome or the name of the hazard that the experiment has if the sentence is true; empty for a
            pitfall of one of these.
        conversion, shape, dtype, layout, state, to_dtype: the options of ``inspect`` for the experiment. An empty one
            has the default of ``inspect``, or the name of the catalogue entry that the pitfall belongs to.
        direction: the direction, if the conversion has several.
        expr: the source as an expression, of a kind that is not generated.
    """

    text: str
    shows: str = ""
    conversion: str = ""
    shape: str = ""
    dtype: str = ""
    layout: str = ""
    state: str = ""
    to_dtype: str = ""
    direction: Direction | None = None
    expr: str = ""

    def of(self, kind: str, name: str) -> Pitfall:
        """Return the pitfall with the name of its catalogue entry filled in, unless it has a value of that ``kind``."""
        return replace(
            self,
            shows=self.shows or (name if kind in ("outcome", "hazard") else ""),
            conversion=self.conversion or (name if kind == "conversion" else ""),
            layout=self.layout or (name if kind == "layout" else ""),
            state=self.state or (name if kind == "state" else ""),
            dtype=self.dtype or (name if kind == "dtype" else ""),
        )

    def is_shown_by(self, row: Row) -> bool:
        """Return True if ``row``, the result of the experiment, has the outcome or hazard that the sentence claims."""
        return self.shows == row.outcome or self.shows in {hazard.code for hazard in row.hazards}

    @property
    def command(self) -> str:
        """The shell command that runs the experiment."""
        options = {
            "--shape": self.shape,
            "--dtype": self.dtype,
            "--layout": self.layout,
            "--state": self.state,
            "--to-dtype": self.to_dtype,
            "--direction": self.direction or "",
            "--expr": self.expr,
        }
        words = [self.conversion, *(word for option, value in options.items() if value for word in (option, value))]
        return shell_line(["tensorbridge", "inspect", *words])
