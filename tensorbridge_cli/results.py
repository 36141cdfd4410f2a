"""What the Python API gives: a report, shown as a table in a terminal, as HTML in a notebook, and records otherwise."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tensorbridge_cli.printable import escape_json
from tensorbridge_cli.records import report as model
from tensorbridge_cli.records.report import Report, Row
from tensorbridge_cli.render import View, render


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
        """Whether nothing was broken that is documented, or that was expected."""
        return not self.report.summary.broken

    def to_json(self) -> str:
        """Return the report as JSON of the schema ``tensorbridge.report/1``."""
        return escape_json(model.encode(self.report).decode())

    def to_pandas(self) -> Any:
        """Return a DataFrame of one line a row, its columns those of ``--format tsv``.

        Raises:
            ImportError: where pandas is not installed.
        """
        try:
            import pandas as pd  # type: ignore[import-untyped]
        except ImportError as error:
            raise ImportError("to_pandas needs pandas: pip install pandas.") from error
        from tensorbridge_cli.render.machine import tsv

        header, *lines = (line.split("\t") for line in tsv.render(self.report, _view()).splitlines())
        return pd.DataFrame(lines, columns=header)

    def __repr__(self) -> str:
        return self._as_text(_view())

    def _as_text(self, view: View) -> str:
        return render(self.report, "table", view).rstrip("\n")

    def _repr_html_(self) -> str:
        from tensorbridge_cli.render.report import notebook

        return notebook.render(self.report)


@dataclass(frozen=True, repr=False)
class Check(Inspection):
    """What was held ``against`` an expectation; true where nothing was broken."""

    against: str

    def __bool__(self) -> bool:
        return self.ok

    def _as_text(self, view: View) -> str:
        from tensorbridge_cli.render.report.verdicts import verdicts

        return verdicts(self.report, view, self.against, ()).rstrip("\n")


def _view() -> View:
    return View(width=shutil.get_terminal_size().columns, colour=False, box=True)
