"""The cells of a report as a small text to commit, and read again."""

from __future__ import annotations

from tensorbridge_cli.compat import values
from tensorbridge_cli.diff.cells import NOTHING, Facts, Key, Recording, Versions, text
from tensorbridge_cli.diff.reports import of_report, versions_of
from tensorbridge_cli.records.report import Direction, Library, Origin, Report, Subject

SNAPSHOT = "tensorbridge.snapshot/1"

_CELL = ("conversion", "direction", "to_dtype", "shape", "dtype", "layout", "state", "device")
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


def snapshot(report: Report) -> str:
    """Return the cells of ``report``, all of generated subjects, as a text to commit.

    Comment lines tell the versions, the first other line names the columns, and each further one is a cell; columns
    are a tab apart, so that a longer name changes no other line. Sorted, each cell once.
    """
    versions = versions_of(report.environment)
    head = [f"# {SNAPSHOT}", *(f"# {name} {getattr(versions, name)}" for name in _TOLD)]
    cells = {"\t".join(map(_escape, _fields(key, facts))) for key, facts in of_report(report).cells.items()}
    return "\n".join([*head, "\t".join((*_CELL, *_RECORDED)), *sorted(cells)]) + "\n"


_TOLD = ("tensorbridge", "python", "numpy", "torch")


def _fields(key: Key, facts: Facts) -> list[str]:
    fields = {**values(key.subject), **values(key), **facts}
    return [text(fields[name]) for name in (*_CELL, *_RECORDED)]


def of_snapshot(text: str) -> Recording:
    """Return the cells of a snapshot.

    Raises:
        ValueError: if ``text`` is none of this version, or is cut off.
    """
    lines = text.splitlines()
    if lines[:1] != [f"# {SNAPSHOT}"]:
        raise ValueError(f"it does not start with # {SNAPSHOT}")
    told = dict(line.removeprefix("# ").partition(" ")[::2] for line in lines[1:] if line.startswith("# "))
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    if not text.endswith("\n") or not rows:
        raise ValueError("it is truncated")
    if missing := {*_CELL, *_RECORDED[:1]} - {*rows[0]} or {*_TOLD} - {*told}:
        raise ValueError(f"{min(missing)} is missing")
    cells = {}
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(rows[0]):
            raise ValueError(f"cell {number} has {len(row)} fields instead of {len(rows[0])}")
        fields = dict(zip(rows[0], map(_unescape, row), strict=True))
        cells[_parsed(fields)] = {name: fact for name, fact in fields.items() if name not in _CELL}
    return Recording(
        versions=Versions(**{name: told[name] for name in _TOLD}),
        cells=cells,
        not_applicable={},
    )


def _parsed(fields: Facts) -> Key:
    return Key(
        conversion=fields["conversion"],
        direction=Direction(fields["direction"]),
        to_dtype=None if fields["to_dtype"] == NOTHING else fields["to_dtype"],
        subject=Subject(
            library=Library(fields["direction"].partition("-to-")[0]),
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
