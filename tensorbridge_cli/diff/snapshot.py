"""The cells of a report as a small text to commit, and read again.

Columns are a tab apart. A column of ``_CELL`` may have several values, as ``float32|int64``: the line stands for each
combination of them. So what many conversions and sources have in common is one line, and the file is an eighth of one
with a line for each cell, as version 1 had them. ``=`` for the dtype of the result stands for that of the source.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from tensorbridge_cli.compat import values
from tensorbridge_cli.diff.cells import NOTHING, Facts, Key, LibraryVersions, Recording, text
from tensorbridge_cli.diff.reports import of_report
from tensorbridge_cli.records.enums import Direction, Origin, Outcome
from tensorbridge_cli.records.report import Report, Subject

SNAPSHOT = "tensorbridge.snapshot/2"
_WITH_A_LINE_A_CELL = "tensorbridge.snapshot/1"

_CELL = ("conversion", "direction", "to_dtype", "shape", "dtype", "layout", "state", "device")
_FOLDED = ("dtype", "layout", "state", "shape", "to_dtype", "device", "direction", "conversion")
"""The columns of ``_CELL`` in the order in which lines that differ in one alone become one."""
_RECORDED = (
    "outcome",
    "source_to_result",
    "result_to_source",
    "values",
    "result_dtype",
    "hazards",
    "error",
    "crash",
    "contract",
)
_VERSIONS = ("tensorbridge", "python", "numpy", "torch")
_SAME, _OR = "=", "|"


def snapshot(report: Report) -> str:
    """Return the cells of ``report``, all of generated subjects, as a text to commit.

    Comment lines tell the versions, and the first other line names the columns. Sorted, each cell once.
    """
    return written(of_report(report))


def written(recording: Recording) -> str:
    """Return the cells of ``recording`` as a text to commit."""
    head = [f"# {SNAPSHOT}", *(f"# {name} {text(getattr(recording.versions, name))}" for name in _VERSIONS)]
    cells: dict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
    for key, facts in recording.cells.items():
        fields = {**values(key.subject), **values(key), **facts}
        if fields["result_dtype"] == fields["dtype"]:
            fields["result_dtype"] = _SAME
        recorded = tuple(_escape(text(fields[name])) for name in _RECORDED)
        cells[recorded].add(tuple(_escape(text(fields[name])).replace(_OR, r"\x7c") for name in _CELL))
    lines = ["\t".join((*cell, *recorded)) for recorded, some in cells.items() for cell in _folded(some)]
    return "\n".join([*head, "\t".join((*_CELL, *_RECORDED)), *sorted(lines)]) + "\n"


def _folded(cells: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield the columns of lines that stand for ``cells`` together, each cell in one of them."""
    lines: set[tuple[tuple[str, ...], ...]] = {tuple((value,) for value in cell) for cell in cells}
    for column in map(_CELL.index, _FOLDED):
        alike: dict[tuple[tuple[str, ...], ...], list[str]] = defaultdict(list)
        for line in lines:
            alike[(*line[:column], *line[column + 1 :])] += line[column]
        lines = {(*rest[:column], tuple(sorted(some)), *rest[column:]) for rest, some in alike.items()}
    for line in lines:
        yield tuple(map(_OR.join, line))


def of_snapshot(text: str) -> Recording:
    """Return the cells of a snapshot.

    Raises:
        ValueError: if ``text`` is none of a version that is known, or is cut off.
    """
    lines = text.splitlines()
    schema = lines[0].removeprefix("# ") if lines else ""
    if schema not in (SNAPSHOT, _WITH_A_LINE_A_CELL):
        raise ValueError(f"it does not start with # {SNAPSHOT}")
    header = dict(line.removeprefix("# ").partition(" ")[::2] for line in lines[1:] if line.startswith("# "))
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    if not text.endswith("\n") or not rows:
        raise ValueError("it is truncated")
    if missing := {*_CELL, *_RECORDED[:1]} - {*rows[0]} or {*_VERSIONS} - {*header}:
        raise ValueError(f"{min(missing)} is missing")
    cells = {}
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(rows[0]):
            raise ValueError(f"line {number} has {len(row)} fields instead of {len(rows[0])}")
        fields = dict(zip(rows[0], row, strict=True))
        facts = {name: _unescape(fact) for name, fact in fields.items() if name not in _CELL}
        Outcome(facts["outcome"])
        for cell in _unfolded(fields) if schema == SNAPSHOT else [fields]:
            key = _parsed({name: _unescape(cell[name]) for name in _CELL})
            same = facts.get("result_dtype") == _SAME
            cells[key] = {**facts, "result_dtype": key.subject.dtype} if same else facts
    return Recording(
        versions=LibraryVersions(
            tensorbridge=header["tensorbridge"],
            python=header["python"],
            numpy=header["numpy"],
            torch=None if header["torch"] == NOTHING else header["torch"],
        ),
        cells=cells,
        not_applicable={},
    )


def _unfolded(fields: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Yield the cells that a line stands for."""
    for cell in itertools.product(*(fields[name].split(_OR) for name in _CELL)):
        yield dict(zip(_CELL, cell, strict=True))


def _parsed(fields: Facts) -> Key:
    direction = Direction(fields["direction"])
    return Key(
        conversion=fields["conversion"],
        direction=direction,
        to_dtype=None if fields["to_dtype"] == NOTHING else fields["to_dtype"],
        subject=Subject(
            library=direction.source,
            shape=() if fields["shape"] == "()" else tuple(map(int, fields["shape"].split(","))),
            dtype=fields["dtype"],
            layout=fields["layout"],
            state=fields["state"],
            device=fields["device"],
            origin=Origin.GENERATED,
        ),
    )


def _escape(field: str) -> str:
    return field.encode("unicode_escape").decode("ascii")


def _unescape(field: str) -> str:
    return field.encode("ascii").decode("unicode_escape")
