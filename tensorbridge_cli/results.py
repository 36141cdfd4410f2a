"""What the Python API gives: a report, shown as a table in a terminal, as HTML in a notebook, and records otherwise.

pandas is imported by ``to_pandas`` alone, which needs it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tensorbridge_cli.diff.cells import Alone
from tensorbridge_cli.encoding import encode
from tensorbridge_cli.printable import escape_json
from tensorbridge_cli.records.report import NotApplicable, Report, Row
from tensorbridge_cli.render import Verdicts, View, render
from tensorbridge_cli.render.machine.fields import COLUMNS, facts
from tensorbridge_cli.render.report import notebook


@dataclass(frozen=True, repr=False)
class Inspection:
    """The rows of ``report``, in their order; also found by the name of the conversion."""

    report: Report

    def __len__(self) -> int:
        return len(self.report.observations)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.report.observations)

    def __getitem__(self, key: int | str) -> Row:
        if isinstance(key, int):
            return self.report.observations[key]
        for row in self:
            if row.conversion in (key, f"torch.{key}", f"Tensor.{key}", f"np.{key}"):
                return row
        raise KeyError(key)

    @property
    def ok(self) -> bool:
        """Return True if nothing was broken that is documented, or that was expected."""
        return not self.report.summary.broken

    def to_json(self) -> str:
        """Return the report as JSON of the schema ``tensorbridge.report/1``."""
        return escape_json(encode(self.report).decode())

    def to_pandas(self) -> Any:
        """Return a DataFrame of one line a row, its columns those of ``--format tsv``.

        What is one of a few words is a category, a number of bytes ``Int64``, what is true or false ``boolean``, a
        shape a tuple; other texts are strings. What is absent is missing in each.

        Raises:
            ImportError: if pandas is not installed.
        """
        try:
            import pandas as pd  # type: ignore[import-untyped]
        except ImportError as error:
            raise ImportError("to_pandas needs pandas: pip install pandas.") from error
        entries: list[Row | NotApplicable] = [*self.report.observations, *self.report.not_applicable]
        frame = pd.DataFrame([facts(entry) for entry in entries], columns=list(COLUMNS), dtype=object)
        return frame.astype({name: _KINDS.get(name, "string") for name in COLUMNS if name != "shape"})

    def __repr__(self) -> str:
        return self._as_text(_view())

    def _as_text(self, view: View) -> str:
        return render(self.report, "table", view).rstrip("\n")

    def _repr_html_(self) -> str:
        return notebook.render(self.report)


@dataclass(frozen=True, repr=False)
class Check(Inspection):
    """What was held ``against`` an expectation; true if nothing was broken, and no cell of the baseline is ``gone``."""

    against: str
    gone: tuple[Alone, ...] = ()

    @property
    def ok(self) -> bool:
        """Return True if nothing was broken, and no cell of the baseline is gone."""
        return super().ok and not self.gone

    def __bool__(self) -> bool:
        return self.ok

    def _as_text(self, view: View) -> str:
        return render(Verdicts(self.report, self.against, self.gone), "table", view).rstrip("\n")


_KINDS = dict.fromkeys(("same_pointer", "same_storage", "overlaps"), "boolean")
_KINDS |= dict.fromkeys(("overlap_bytes", "copied_bytes"), "Int64")
_CATEGORIES = (
    *("conversion", "direction", "library", "dtype", "layout", "state", "device", "outcome", "contract", "values"),
    *("source_to_result", "result_to_source", "source_dtype", "result_dtype", "to_dtype"),
)
_KINDS |= dict.fromkeys(_CATEGORIES, "category")


def _view() -> View:
    return View(width=shutil.get_terminal_size().columns, colour=False, box=True)
