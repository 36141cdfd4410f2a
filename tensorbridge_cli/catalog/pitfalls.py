"""What people trip over: a sentence, with the experiment that shows it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace

from tensorbridge_cli.records.report import Direction, Row


@dataclass(frozen=True, kw_only=True)
class Trip:
    """One thing that surprises.

    Attributes:
        text: a sentence.
        shows: the outcome, or the code of the hazard, that the experiment has where the sentence is true.
        conversion, shape, dtype, layout, state, to_dtype: the experiment, as ``inspect`` takes it; what is empty is
            what ``inspect`` takes by itself, and an entry of the catalogue fills in its own name.
        direction: which way, where the conversion goes several.
    """

    text: str
    shows: str
    conversion: str = ""
    shape: str = ""
    dtype: str = ""
    layout: str = ""
    state: str = ""
    to_dtype: str = ""
    direction: Direction | None = None

    def of(self, kind: str, name: str) -> Trip:
        """Return the experiment with the name of the entry that it belongs to, where it gives none of that ``kind``."""
        return replace(
            self,
            conversion=self.conversion or (name if kind == "conversion" else ""),
            layout=self.layout or (name if kind == "layout" else ""),
            state=self.state or (name if kind == "state" else ""),
            dtype=self.dtype or (name if kind == "dtype" else ""),
        )

    def is_shown_by(self, row: Row) -> bool:
        """Return True if ``row``, what came of the experiment, has the outcome or the hazard of the sentence."""
        return self.shows == row.outcome or self.shows in {hazard.code for hazard in row.hazards}

    @property
    def command(self) -> str:
        """The experiment as one types it in a shell."""
        options = {
            "--shape": self.shape,
            "--dtype": self.dtype,
            "--layout": self.layout,
            "--state": self.state,
            "--to-dtype": self.to_dtype,
            "--direction": self.direction or "",
        }
        words = [self.conversion, *(word for option, value in options.items() if value for word in (option, value))]
        return shlex.join(["tensorbridge", "inspect", *words])
