"""Two records of the same cells held against each other: reports, and the small snapshots made to be committed.

A cell is one conversion of one subject. What is compared is what a user would notice and what does not vary from run
to run: no pointer, no time, no sentence of an exception. Where the two sides record different facts of a cell, those
that both have are compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from msgspec import Struct, structs

from tensorbridge_cli.records.report import Direction, Environment, Library, Object, Origin, Report, Row, Subject

SCHEMA: Literal["tensorbridge.diff/1"] = "tensorbridge.diff/1"
SNAPSHOT = "tensorbridge.snapshot/1"

NOTHING = "-"
"""What stands for a fact that there is none of: no hazard, no error, no result."""

Facts = Mapping[str, str]


class Key(Struct, frozen=True, kw_only=True):
    """What a cell is known by."""

    conversion: str
    direction: Direction
    to_dtype: str | None
    subject: Subject


class Versions(Struct, frozen=True, kw_only=True):
    """What one side ran on; a snapshot does not tell the platform, which varies with every kernel."""

    tensorbridge: str
    python: str
    numpy: str
    torch: str
    platform: str | None = None


class Change(Struct, frozen=True, kw_only=True):
    """One fact of a cell that is another one now."""

    about: str
    before: str
    after: str


class Changed(Struct, frozen=True, kw_only=True):
    """A cell that both sides have, and what changed in it."""

    cell: Key
    changes: tuple[Change, ...]


class Alone(Struct, frozen=True, kw_only=True):
    """A cell that one side has, with its outcome, and what the other says of it, if anything."""

    cell: Key
    outcome: str
    reason: str | None


class Count(Struct, frozen=True, kw_only=True):
    """In how many cells the same change was found."""

    change: Change
    cells: int


class Comparison(Struct, frozen=True, kw_only=True):
    """What changed from one side to the other; ``subjects``: in what the sources of all cells differ, see ``across``.

    A cell is named by its source of the first side.
    """

    schema: Literal["tensorbridge.diff/1"]
    before: Versions
    after: Versions
    changed: tuple[Changed, ...]
    gone: tuple[Alone, ...]
    new: tuple[Alone, ...]
    counts: tuple[Count, ...]
    same: int
    subjects: tuple[Change, ...] = ()

    def differs(self, *, strict: bool = False) -> bool:
        """Tell whether a cell changed; ``strict``: or is gone, or new."""
        return bool(self.changed or (strict and (self.gone or self.new)))


@dataclass(frozen=True)
class Recording:
    """One side: the facts of each cell, and why other cases were not tried."""

    versions: Versions
    cells: Mapping[Key, Facts]
    not_applicable: Mapping[tuple[str, Subject], str]


def compare(before: Recording, after: Recording) -> Comparison:
    """Return what changed; cells in the order in which they were recorded."""
    changed = []
    for key, facts in before.cells.items():
        found = changes(facts, after.cells.get(key, facts))
        if found:
            changed.append(Changed(cell=key, changes=found))
    counts = Counter(change for entry in changed for change in entry.changes)
    return Comparison(
        schema=SCHEMA,
        before=before.versions,
        after=after.versions,
        changed=tuple(changed),
        gone=_only_in(before, after),
        new=_only_in(after, before),
        counts=tuple(Count(change=change, cells=cells) for change, cells in counts.most_common()),
        same=len(before.cells.keys() & after.cells.keys()) - len(changed),
    )


_AXES = ("shape", "dtype", "layout", "state", "device", "given")


def across(before: Recording, after: Recording) -> Comparison:
    """Return what changed, also from one kind of source to another, such as from one layout to another.

    If no cell is on both sides, and each side has one value of every axis in which the sides differ, a conversion of
    one side corresponds to that conversion of the other, and ``subjects`` says in what the sources differ.
    """
    differing = _differing(before, after)
    moved = _moved(after, before, differing) if differing else after
    if not before.cells.keys() & moved.cells.keys():
        return compare(before, after)
    subjects = tuple(
        Change(about=axis, before=_text(then), after=_text(now)) for axis, (then, now) in differing.items()
    )
    return structs.replace(compare(before, moved), subjects=subjects)


def _differing(before: Recording, after: Recording) -> dict[str, tuple[object, object]]:
    """Return the axes in which the sides differ, with the value of each side; none if a cell is on both sides."""
    if before.cells.keys() & after.cells.keys():
        return {}
    found: dict[str, tuple[object, object]] = {}
    for axis in (*_AXES, "to_dtype"):
        then, now = _values(before, axis), _values(after, axis)
        if then == now:
            continue
        if len(then) != 1 or len(now) != 1:
            return {}
        found[axis] = (next(iter(then)), next(iter(now)))
    return found


def _values(side: Recording, axis: str) -> set[object]:
    return {key.to_dtype if axis == "to_dtype" else getattr(key.subject, axis) for key in side.cells}


def _moved(side: Recording, to: Recording, differing: Collection[str]) -> Recording:
    """Return ``side`` with the values that ``to`` has on the ``differing`` axes."""
    target = next(iter(to.cells))
    facts = {axis: getattr(target.subject, axis) for axis in _AXES if axis in differing}
    if "given" in differing:
        facts["origin"] = target.subject.origin

    def subject(one: Subject) -> Subject:
        return structs.replace(one, **facts)

    return replace(
        side,
        cells={
            structs.replace(
                key,
                subject=subject(key.subject),
                to_dtype=target.to_dtype if "to_dtype" in differing else key.to_dtype,
            ): found
            for key, found in side.cells.items()
        },
        not_applicable={(name, subject(one)): why for (name, one), why in side.not_applicable.items()},
    )


def changes(then: Facts, now: Facts) -> tuple[Change, ...]:
    """Return the facts that both sides have and that are other ones ``now``."""
    return tuple(
        Change(about=about, before=then[about], after=now[about])
        for about in then
        if now.get(about, then[about]) != then[about]
    )


def _only_in(one: Recording, other: Recording) -> tuple[Alone, ...]:
    return tuple(
        Alone(cell=key, outcome=facts["outcome"], reason=other.not_applicable.get((key.conversion, key.subject)))
        for key, facts in one.cells.items()
        if key not in other.cells
    )


# Reports -----------------------------------------------------------------------------------------


def of_report(report: Report) -> Recording:
    """Return the cells of ``report``."""
    return Recording(
        versions=_versions(report.environment),
        cells={_key(row): _facts(row) for row in report.observations},
        not_applicable={(case.conversion, case.subject): case.reason for case in report.not_applicable},
    )


def _versions(environment: Environment) -> Versions:
    return Versions(**{name: getattr(environment, name) for name in Versions.__struct_fields__})


def _key(row: Row) -> Key:
    return Key(conversion=row.conversion, direction=row.direction, to_dtype=row.to_dtype, subject=row.subject)


def _facts(row: Row) -> Facts:
    return {
        "outcome": row.outcome,
        "source_to_result": row.writes.source_to_result,
        "result_to_source": row.writes.result_to_source,
        "values": row.values,
        **_result(row.result),
        "hazards": ",".join(sorted(hazard.code for hazard in row.hazards)) or NOTHING,
        "error": row.error.type if row.error is not None else NOTHING,
        "crash": _crash(row),
        "contract": row.contract.verdict,
    }


def _result(result: Object | None) -> Facts:
    facts = ("dtype", "shape", "strides", "writable")
    return {f"result_{name}": _text(getattr(result, name, None)) for name in facts}


def _text(fact: object) -> str:
    if isinstance(fact, tuple):
        return ",".join(map(str, fact)) or "()"
    return NOTHING if fact is None else str(fact).lower() if isinstance(fact, bool) else str(fact)


def _crash(row: Row) -> str:
    """Return how the process ended, and where; what did not repeat alone is no fact."""
    crash = row.crash
    if crash is None or crash.confirmed is False:
        return NOTHING
    how = "timed-out" if crash.timed_out else crash.signal or f"exit-{crash.exit_code}"
    return f"{how}@{crash.stage}"


# Snapshots ---------------------------------------------------------------------------------------

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
    versions = _versions(report.environment)
    head = [f"# {SNAPSHOT}", *(f"# {name} {getattr(versions, name)}" for name in _TOLD)]
    cells = {"\t".join(map(_escape, _fields(key, facts))) for key, facts in of_report(report).cells.items()}
    return "\n".join([*head, "\t".join((*_CELL, *_RECORDED)), *sorted(cells)]) + "\n"


_TOLD = ("tensorbridge", "python", "numpy", "torch")


def _fields(key: Key, facts: Facts) -> list[str]:
    fields = {**structs.asdict(key.subject), **structs.asdict(key), **facts}
    return [_text(fields[name]) for name in (*_CELL, *_RECORDED)]


def of_snapshot(text: str) -> Recording:
    """Return the cells of a snapshot.

    Raises:
        ValueError: where ``text`` is none of this version, or is cut off.
    """
    lines = text.splitlines()
    if lines[:1] != [f"# {SNAPSHOT}"]:
        raise ValueError(f"it does not begin with # {SNAPSHOT}")
    told = dict(line.removeprefix("# ").partition(" ")[::2] for line in lines[1:] if line.startswith("# "))
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    if not text.endswith("\n") or not rows:
        raise ValueError("it is cut off")
    if missing := {*_CELL, *_RECORDED[:1]} - {*rows[0]} or {*_TOLD} - {*told}:
        raise ValueError(f"it does not tell {min(missing)}")
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
