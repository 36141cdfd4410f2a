"""Where conversions were made, and what was counted there: one call in one line, and the table of one thread."""

from __future__ import annotations

from dataclasses import field
from types import CodeType, FrameType, FunctionType
from typing import TYPE_CHECKING, Any

from tensorbridge_cli.compat import dataclass
from tensorbridge_cli.tracing.inside.classify import known, name_of
from tensorbridge_cli.tracing.inside.counting import Cell, Thread
from tensorbridge_cli.tracing.inside.records import CellCounts, Note, SiteCounts

if TYPE_CHECKING:
    from tensorbridge_cli.tracing.inside.classify import Known


def _counts(cell: Cell) -> CellCounts:
    """Return what was counted in a cell, with the names of the dtypes."""
    return CellCounts(
        source_dtype=name_of(cell.given),
        result_dtype=name_of(cell.got),
        outcome=cell.outcome,
        calls=cell.calls,
        bytes=cell.bytes,
        seconds=cell.seconds,
        inspected=cell.inspected,
        sample=cell.sample,
    )


_NONE = Cell("", "", "")


@dataclass(eq=False, slots=True)
class CountedSite:
    """One call in one line, and what its calls did.

    ``watched`` is how many more of its calls are all looked at, once something was noticed; None before.
    """

    conversion: str
    file: str
    function: str
    span: tuple[int, int, int, int]
    stack: tuple[str, ...]
    via: str
    cells: dict[tuple[Any, Any, str], Cell] = field(default_factory=dict)
    cell: Cell = _NONE
    notes: dict[str, Note] = field(default_factory=dict)
    warned: dict[str, int] = field(default_factory=dict)
    watched: int | None = None

    def note(self, code: str, facts: Note | None = None) -> None:
        """Count something that was noticed; the facts of the first time are kept."""
        self.notes.setdefault(code, facts or Note()).count += 1

    def counts(self) -> SiteCounts:
        """Return what was counted, as it is now: other threads may go on."""
        return SiteCounts(
            conversion=self.conversion,
            file=self.file,
            function=self.function,
            span=self.span,
            stack=self.stack,
            via=self.via,
            cells=[_counts(cell) for cell in list(self.cells.values())],
            notes=self.notes,
            warnings=self.warned,
        )

    def add(self, outcome: str, size: int, given: Any, got: Any) -> Cell:
        """Add ``size`` bytes to the cell of calls like this one, and return it."""
        cell = self.cell_for(given, got, outcome)
        cell.bytes += size
        return cell

    def cell_for(self, given: Any, got: Any, outcome: str) -> Cell:
        """Return the cell of calls like this one, which the next call is likely to be like."""
        return self.cell_for_known(known(given), known(got), outcome)

    def cell_for_known(self, given: Known, got: Known, outcome: str) -> Cell:
        """Do as ``cell_for`` does, with dtypes as cells have them."""
        cell = self.cells.get((given, got, outcome))
        if cell is None:
            cell = self.cells[given, got, outcome] = Cell(given, got, outcome)
        self.cell = cell
        return cell


CLASSIFYING = CountedSite("", "", "", (0, 0, 0, 0), (), "")
"""Stands for the site that is busy while a result is inspected: conversions made meanwhile are not the program's."""

Run = FunctionType
"""Makes a call with its arguments, from the line of one call instruction and in one thread, and counts it."""


class Table(Thread):
    """What one thread counts.

    Attributes:
        sites: By place and conversion.
        runs: Those of each stand-in, by call instruction.
        codes: The code that they stand in, held so that no other gets its address.
        placed: The code that was asked last where its instructions stand, and what it says of each.
        container: What was copied last by ``copy.deepcopy``, how much of it already, and the views in it.
    """

    __slots__ = ("codes", "container", "placed", "runs", "sites")

    def __init__(self) -> None:
        super().__init__()
        self.sites: dict[tuple[Any, ...], CountedSite] = {}
        self.runs: list[dict[Any, Run]] = []
        self.codes: list[CodeType] = []
        self.placed: tuple[CodeType | None, list[tuple[int | None, ...]]] = None, []
        self.container: tuple[int, int, dict[int, list[int]]] = 0, 0, {}

    def forget(self) -> None:
        """Begin anew; nothing of the program's is held any longer."""
        self.sites = {}
        self.release()

    def span(self, frame: FrameType) -> tuple[int, int, int, int]:
        """Return the first and last line of the call, and its columns, in UTF-8 bytes; -1 where the code has none.

        The code tells of all its instructions, from the first on. Calls of one function mostly arrive one after the
        other, so what it told is kept until another is asked: else a function of ten thousand lines would be read from
        its head for each of them.
        """
        code, index = frame.f_code, frame.f_lasti // 2
        if self.placed[0] is not code:
            self.placed = code, list(getattr(code, "co_positions", tuple)())
        positions = self.placed[1]
        first, last, begin, end = positions[index] if index < len(positions) else (None,) * 4
        if first is not None:
            return first, last or first, -1 if begin is None else begin, -1 if end is None else end
        return frame.f_lineno, frame.f_lineno, -1, -1

    def release(self) -> None:
        """Hold no code and no globals; what was counted stays."""
        self.codes, self.placed = [], (None, [])
        for runs in self.runs:
            runs.clear()
        self.drop_instructions()
