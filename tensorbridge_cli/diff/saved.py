"""What was saved earlier, read again: a report or a trace as JSON or as lines of JSON, a snapshot. Needs no torch.

What makes cells of a report is imported for ``diff``: ``show`` starts without.
"""

from __future__ import annotations

import codecs
import io
import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Literal, TypeVar

import msgspec

from tensorbridge_cli import reading
from tensorbridge_cli.catalog import hazards
from tensorbridge_cli.diff import cells, environments
from tensorbridge_cli.diff.environments import SideBySide
from tensorbridge_cli.encoding import convert
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records import report as records
from tensorbridge_cli.records import trace
from tensorbridge_cli.records.report import Answer, Contract, Environment, NotApplicable, Report, Row, Summary, Tally
from tensorbridge_cli.records.trace import Trace

Kind = TypeVar("Kind", Report, cells.Recording)
Record = Report | Trace | SideBySide
STDIN = "-"
_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises: of text that is no JSON, or none of the records, or nested too deeply."""


@dataclass(frozen=True)
class Rows:
    """A saved report whose rows are read in turn, anew each time that ``entries`` is called: none of them is kept."""

    environment: Environment
    summary: Summary
    entries: Callable[[], Iterator[Row | NotApplicable]]


def report(path: str) -> Report:
    """Read the report that was saved as ``path``.

    Raises:
        RequestError: if there is none, with what is there instead.
    """
    return _a_report(record(path), path)


def record(path: str) -> Record:
    """Read the report, the trace or the merged reports that were saved as ``path``.

    Raises:
        RequestError: if it is none of them.
    """
    opened, name = _opened(path), called(path)
    return _record(opened, name) if isinstance(opened, bytes) else _of_lines(*opened, name)


def rows_or_record(path: str) -> Rows | Record:
    """Read what was saved as ``path``: of a report as lines of JSON each line is checked, and none is kept.

    Raises:
        RequestError: if it is neither a report, nor a trace, nor merged reports.
    """
    opened, name = _opened(path), called(path)
    if isinstance(opened, bytes):
        return _record(opened, name)
    environment, file = opened
    start = file.tell()
    stream = file.getvalue() if isinstance(file, io.BytesIO) else None  # standard input is read once
    tally = Tally()  # the rows that are there: the file may have been edited
    for line in _lines(file, name):
        entry = line.observation or line.not_applicable
        if entry is not None:
            tally.add(entry)
    _check_last(line, name)

    def again() -> BinaryIO:
        file: BinaryIO = open(path, "rb") if stream is None else io.BytesIO(stream)  # noqa: SIM115 - read in turn
        file.seek(start)
        return file

    if line.answers:  # which are shown instead of the rows
        return _of_lines(environment, again(), name)

    def entries() -> Iterator[Row | NotApplicable]:
        for entry in _entries(again(), name):
            yield entry if isinstance(entry, NotApplicable) else hazards.with_codes_of(entry)

    return Rows(environment, tally.summary(), entries)


def _of_lines(environment: Environment, file: BinaryIO, name: str) -> Report:
    """Return a report as lines of JSON whole, with the sums of its rows: it may have been edited.

    Raises:
        RequestError: if it is none.
    """
    rows, cases = list[Row](), list[NotApplicable]()
    contracts: dict[Contract, Contract] = {}  # each is kept once: a quarter of the memory is for the sentences of all
    for line in _lines(file, name):
        if line.observation is not None:
            row = hazards.with_codes_of(line.observation)
            rows.append(replace(row, contract=contracts.setdefault(row.contract, row.contract)))
        elif line.not_applicable is not None:
            cases.append(line.not_applicable)
    _check_last(line, name)
    return Report(
        schema=records.SCHEMA,
        environment=environment,
        observations=tuple(rows),
        not_applicable=tuple(cases),
        summary=records.summarise(tuple(rows), tuple(cases)),
        answers=line.answers,
    )


def _check_last(line: _SavedLine, name: str) -> None:
    """Check the last line of a report as lines of JSON, which has the sums.

    Raises:
        RequestError: if it has none.
    """
    try:
        convert(line.summary, Summary)
    except msgspec.ValidationError as error:
        raise RequestError(f"{name} is not a valid {records.SCHEMA}: {error}.") from error


def entries(path: str) -> tuple[Environment, Iterator[Row | NotApplicable]]:
    """Read the report that was saved as ``path``, its rows in turn: where they are lines of JSON, none is kept.

    Raises:
        RequestError: if it is no report; for one of the lines, when it is that line's turn.
    """
    opened = _opened(path)
    if isinstance(opened, bytes):
        whole = _a_report(_record(opened, called(path)), path)
        return whole.environment, itertools.chain(whole.observations, whole.not_applicable)
    environment, file = opened
    return environment, _entries(file, called(path))


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    """The first line of a report as lines of JSON."""

    schema: Literal["tensorbridge.report/1"]
    environment: Environment


class _SavedLine(msgspec.Struct, forbid_unknown_fields=True):
    """Another line of it; the last one has the ``summary``."""

    observation: Row | None = None
    not_applicable: NotApplicable | None = None
    summary: Any = None
    answers: tuple[Answer, ...] = ()


def _entries(file: BinaryIO, name: str, kind: type[Any] = _SavedLine) -> Iterator[Any]:
    """Yield the rows of a report as lines of JSON, and the cases that are not applicable; ``kind`` is that of a line.

    Raises:
        RequestError: for a line that is none of it, when it is its turn, or where the last line is missing.
    """
    for line in _lines(file, name, kind):
        entry = line.observation or line.not_applicable
        if entry is not None:
            yield entry


def _lines(file: BinaryIO, name: str, kind: type[Any] = _SavedLine) -> Iterator[Any]:
    line = kind()
    with file:
        for number, text in enumerate(file, 2):
            if not text.strip():
                continue
            if line.summary is not None:
                after = f"line {number} follows the end of the report"
                raise RequestError(f"{name} is not a valid {records.SCHEMA}: {after}.")
            try:
                line = msgspec.json.decode(text, type=kind)
                if line.observation is not None:
                    _know_hazards(line.observation)
            except hazards.UnknownHazardError as error:
                raise RequestError(f"{name} is not a valid {records.SCHEMA}: {error}.") from error
            except _NOT_JSON as error:
                why = _CUT_OFF.get(str(error), error)
                raise RequestError(f"{name} is not a valid {records.SCHEMA}: line {number}: {why}.") from error
            yield line
    if line.summary is None:
        raise RequestError(f"{name} is not a valid {records.SCHEMA}: it is truncated.")


def recording(path: str) -> cells.Recording:
    """Read the cells of the report or the snapshot that was saved as ``path``.

    Raises:
        RequestError: if it is neither.
    """
    return _a_report(recording_or_trace(path), path)


def recording_or_trace(path: str) -> cells.Recording | Trace:
    """Read what was saved as ``path``, to be compared: of a report and a snapshot the cells.

    Raises:
        RequestError: if it is none of them.
    """
    from tensorbridge_cli.diff import reports, snapshot

    saved = _opened(path)
    if not isinstance(saved, bytes):
        environment, file = saved
        return reports.recording(called(path), environment, _entries(file, called(path), reports.ComparedLine))
    if saved.startswith(_SNAPSHOT):
        try:
            return snapshot.of_snapshot(saved.decode())
        except ValueError as error:
            raise RequestError(f"{called(path)} is not a valid {snapshot.SNAPSHOT}: {error}.") from error
    try:
        whole = msgspec.json.decode(saved, type=reports.Compared)
        for row in whole.observations:
            _know_hazards(row)
        return reports.recording(called(path), whole.environment, (*whole.observations, *whole.not_applicable))
    except (*_NOT_JSON, hazards.UnknownHazardError):
        pass  # a trace, or what is wrong with it in a sentence
    record = _record(saved, called(path))
    if isinstance(record, Trace):
        return record
    return reports.of_report(_a_report(record, path))


def _know_hazards(row: Any) -> None:
    """Look up the hazards of a row, or of what of one is compared.

    Raises:
        UnknownHazardError: if one of them is not in the catalogue.
    """
    for hazard in row.hazards:
        hazards.known(hazard.code)


def _a_report(record: Kind | Trace | SideBySide, path: str) -> Kind:
    if isinstance(record, Trace):
        raise RequestError(f"{called(path)} is a trace, but a report is needed.")
    if isinstance(record, SideBySide):
        raise RequestError(f"{called(path)} has several environments, but the report of one is needed.")
    return record


def called(path: str) -> str:
    """Return what ``path`` is called in a sentence."""
    return "standard input" if path == STDIN else path or repr(path)


def _opened(path: str) -> bytes | tuple[Environment, BinaryIO]:
    """Return the environment of a report as lines of JSON and the file, at its second line; of all else the contents.

    Raises:
        RequestError: if it cannot be read.
    """
    try:
        is_stream = path == STDIN or reading.is_read_at_once(path)
        file: BinaryIO = io.BytesIO(_read(path)) if is_stream else open(path, "rb")  # noqa: SIM115 - read in turn
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    first = file.readline().removeprefix(codecs.BOM_UTF8)
    try:
        return msgspec.json.decode(first, type=_Head).environment, file
    except _NOT_JSON:  # one document, or no report: a sentence says what is wrong
        with file:
            return first + file.read()


def _read(path: str) -> bytes:
    try:
        if path != STDIN:
            return reading.contents(path)
        if sys.stdin is not None:
            return sys.stdin.buffer.read()
        raise RequestError("cannot read standard input: it is closed.")
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError | ValueError) -> RequestError:  # a NUL is in no file name
    return RequestError(f"cannot read {called(path)}: {getattr(error, 'strerror', None) or error}.")


def _record(saved: bytes, name: str) -> Record:
    saved = saved.removeprefix(codecs.BOM_UTF8)
    if not saved.strip():
        raise RequestError(f"{name} is empty.")
    for start, what in _NO_RECORDS.items():
        if saved.startswith(start):
            raise RequestError(f"{name} is {what}.")
    try:
        document = _document(saved)
    except _NOT_JSON as error:
        raise RequestError(f"{name} is not a report or trace in JSON: {_CUT_OFF.get(str(error), error)}.") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(schema, str) or not schema.startswith("tensorbridge."):
        raise RequestError(f"{name} is JSON, but not a tensorbridge report or trace.")
    if schema not in _KINDS:
        *others, last = _KINDS
        raise RequestError(f"{name} is a {schema}; this version of tensorbridge reads {', '.join(others)} and {last}.")
    try:
        record = convert(document, _KINDS[schema])
        return _counted(hazards.with_codes(record)) if isinstance(record, Report) else record
    except (msgspec.ValidationError, hazards.UnknownHazardError) as error:
        raise RequestError(f"{name} is not a valid {schema}: {error}.") from error


def _counted(report: Report) -> Report:
    """Return a report that was read with the sums of its rows: it may have been edited."""
    return replace(report, summary=records.summarise(report.observations, report.not_applicable))


_KINDS: dict[str, type[Report] | type[Trace] | type[SideBySide]] = {
    records.SCHEMA: Report,
    trace.SCHEMA: Trace,
    environments.SCHEMA: SideBySide,
}
_SNAPSHOT = b"# tensorbridge.snapshot/"

_NO_RECORDS = {
    _SNAPSHOT: "a snapshot, which cannot be shown: use diff",
    b"\x1f\x8b": "compressed: decompress it first, e.g. with gunzip",
    codecs.BOM_UTF16_LE: "UTF-16, as PowerShell's > writes it: save it with -o instead",
}
"""What a file may begin with that is no record, and what it is."""
_CUT_OFF = {"Input data was truncated": "it is truncated"}


def _document(saved: bytes) -> Any:
    """Return one JSON document; lines of JSON are put together to the one that they stand for."""
    try:
        return msgspec.json.decode(saved)
    except msgspec.DecodeError:
        lines = saved.splitlines()
        if not lines[0].endswith(b"}"):
            raise
    whole: dict[str, Any] = {name: [] for name in _ENTRIES.values()}
    for line in filter(bytes.strip, lines):
        for key, part in msgspec.json.decode(line, type=dict[str, Any]).items():
            if key in _ENTRIES:
                whole[_ENTRIES[key]].append(part)
            elif key in whole:
                raise msgspec.DecodeError(f"it has more than one {key}")
            else:
                whole[key] = part
    return whole


_ENTRIES = {
    "observation": "observations",
    "not_applicable": "not_applicable",
    "process": "processes",
    "site": "sites",
    "finding": "findings",
}
