"""The few words that tests of the lab are written in."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tensorbridge_cli.catalog import registry
from tensorbridge_cli.lab.client import Laboratory, scratch_folder, start_laboratory
from tensorbridge_cli.lab.experiment import Bench, Experiment, Given
from tensorbridge_cli.lab.protocol import Isolation, Settings
from tensorbridge_cli.records.enums import Direction, Library, Origin
from tensorbridge_cli.records.report import Extent, Extents, NotApplicable, Observation, Report, Row, Subject
from tensorbridge_cli.survey.request import Request
from tensorbridge_cli.survey.run import survey
from tests import warm
from tests.truths import Truth

ROOT = Path(__file__).parent.parent


@contextmanager
def started(
    isolation: Isolation = "fork", *, setup: str = "", timeout: float = 60.0, jobs: int = 1, cold: bool = False
) -> Iterator[Laboratory]:
    """A laboratory of one's own, closed afterwards; ``cold`` where it matters how its server starts."""
    path = list(sys.path)  # where nothing is isolated, the bench's folder is on it
    with scratch_folder() as scratch, warm.servers(isolation != "none" and not cold):
        bench = Bench(setup=setup, scratch=scratch, folder=str(ROOT))
        lab = start_laboratory(Settings(isolation=isolation, timeout=timeout, jobs=jobs, bench=bench))
        try:
            yield lab
        finally:
            lab.close()
            sys.path[:] = path


@contextmanager
def lies() -> Iterator[tuple[str, ...]]:
    """The names of ``tests.liars``, registered meanwhile: every test before and after has the catalogue as it is."""
    before = tuple(registry._registered)
    sys.modules.pop("tests.liars", None)  # whatever has imported it: only an import registers
    importlib.import_module("tests.liars")
    try:
        yield tuple(entry.name for entry in registry._registered[len(before) :])
    finally:
        registry._registered[:] = before
        del sys.modules["tests.liars"]


def raised_by(scripts: list[str]) -> list[str]:
    """What each script raises, all in one interpreter; none imports the tool's code."""
    run = """
import json, sys, warnings
warnings.simplefilter("ignore")
ends = []
for script in json.load(sys.stdin):
    try:
        exec(script, {})
        ends.append("")
    except BaseException as error:
        ends.append(f"{type(error).__name__}: {error}")
print(json.dumps(ends))
"""
    done = warm.python("-c", run, env=os.environ, typed=json.dumps(scripts))
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def subject(
    library: Library = Library.NUMPY,
    shape: tuple[int, ...] = (4, 3),
    dtype: str = "float32",
    layout: str = "contiguous",
    state: str = "plain",
) -> Subject:
    """A generated subject."""
    device = "meta" if state == "meta" else "cpu"
    origin = Origin.GENERATED
    return Subject(library=library, shape=shape, dtype=dtype, layout=layout, state=state, device=device, origin=origin)


def experiment(code: str, of: Subject | str | None = None, *, setup: str = "", snapshot: int = 64) -> Experiment:
    """One experiment: ``code`` of a generated subject, or of the object that an expression gives."""
    given = Given(origin=Origin.EXPRESSION, text=of) if isinstance(of, str) else None
    source = of if isinstance(of, Subject) else subject()
    return Experiment(
        conversion="a conversion",
        direction=Direction(f"{source.library}-to-torch"),
        code=code,
        setup=setup,
        subject=source,
        given=given,
        to_dtype=None,
        snapshot=snapshot,
    )


def inspected(lab: Laboratory, expression: str, **options: Any) -> Report:
    """The report of what an expression gives, with the code that worked instead."""
    given = Given(origin=Origin.EXPRESSION, text=expression)
    return survey([Request(given=given, **options)], lab, "fork", remedies=True)


def observed(row: Row) -> Truth:
    """What a row says of the outcome and of both writes."""
    return Truth(str(row.outcome), str(row.writes.source_to_result), str(row.writes.result_to_source))


def found(lab: Laboratory, experiments: Sequence[Experiment]) -> list[Any]:
    """What ``lab`` finds, each in the place of its experiment."""
    rows = dict(lab.run(experiments))
    assert sorted(rows) == list(range(len(experiments)))
    return [rows[index] for index in range(len(experiments))]


def settled(row: Any) -> Any:
    """``row`` without what differs from one process to the next: addresses, times, what was said while dying."""
    if isinstance(row, NotApplicable):
        return row
    assert isinstance(row, Observation)
    extents = row.evidence.extents
    return replace(
        row,
        source=_without_pointer(row.source),
        result=_without_pointer(row.result),
        evidence=replace(
            row.evidence,
            extents=Extents(
                source=tuple(map(_from_zero, extents.source)), result=tuple(map(_from_zero, extents.result))
            ),
        ),
        crash=row.crash and replace(row.crash, stderr=""),
        seconds=replace(row.seconds, convert=None),
        source_changes=tuple(
            replace(change, before="there", after="elsewhere")
            if change.fact in ("storage", "address", "lazy")
            else change
            for change in row.source_changes
        ),
    )


def _without_pointer(obj: Any) -> Any:
    return obj and replace(obj, pointer=obj.pointer and "somewhere")


def _from_zero(extent: Extent) -> Extent:
    low = int(extent.storage_start, 16)
    moved = {name: hex(int(getattr(extent, name), 16) - low) for name in ("start", "stop", "storage_stop")}
    return replace(extent, storage_start="0x0", **moved)
