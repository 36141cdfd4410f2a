"""What was saved earlier, read again: a report or a trace as JSON or as lines of JSON, a snapshot. Needs no torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tensorbridge_cli.catalog import hazards
from tensorbridge_cli.diff import cells, reports, snapshot
from tensorbridge_cli.encoding import convert
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records import report as model
from tensorbridge_cli.records import trace
from tensorbridge_cli.records.report import Report
from tensorbridge_cli.records.trace import Trace

Kind = TypeVar("Kind", Report, cells.Recording)
STDIN = "-"


def report(path: str) -> Report:
    """Read the report that was saved as ``path``.

    Raises:
        RequestError: if there is none, with what is there instead.
    """
    return _but_no_trace(report_or_trace(path), path)


def report_or_trace(path: str) -> Report | Trace:
    """Read what was saved as ``path``.

    Raises:
        RequestError: if it is neither.
    """
    return _report_or_trace(_read(path), called(path))


def recording(path: str) -> cells.Recording:
    """Read the cells of the report or the snapshot that was saved as ``path``.

    Raises:
        RequestError: if it is neither.
    """
    return _but_no_trace(recording_or_trace(path), path)


def recording_or_trace(path: str) -> cells.Recording | Trace:
    """Read what was saved as ``path``, to be compared: of a report and a snapshot the cells.

    Raises:
        RequestError: if it is none of them.
    """
    saved = _read(path)
    if saved.startswith(_SNAPSHOT):
        try:
            return snapshot.of_snapshot(saved.decode())
        except ValueError as error:
            raise RequestError(f"{called(path)} is not a valid {snapshot.SNAPSHOT}: {error}.") from error
    try:
        return reports.of_report(msgspec.json.decode(saved, type=reports.Compared))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # lines of JSON, a trace, or what is wrong with it in a sentence
    record = _report_or_trace(saved, called(path))
    return record if isinstance(record, Trace) else reports.of_report(record)


def _but_no_trace(record: Kind | Trace, path: str) -> Kind:
    if isinstance(record, Trace):
        raise RequestError(f"{called(path)} is a trace, but a report is needed.")
    return record


def called(path: str) -> str:
    """Return what ``path`` is called in a sentence."""
    return "standard input" if path == STDIN else path


def _read(path: str) -> bytes:
    try:
        if path != STDIN:
            return Path(path).read_bytes()
        if sys.stdin is not None:
            return sys.stdin.buffer.read()
        raise RequestError("cannot read standard input: it is closed.")
    except (OSError, ValueError) as error:  # a NUL is in no file name
        raise RequestError(f"cannot read {called(path)}: {getattr(error, 'strerror', None) or error}.") from error


def _report_or_trace(saved: bytes, name: str) -> Report | Trace:
    if not saved.strip():
        raise RequestError(f"{name} is empty.")
    if saved.startswith(_SNAPSHOT):
        raise RequestError(f"{name} is a snapshot, which cannot be shown: use diff.")
    try:
        document = _document(saved)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"{name} is not a report or trace in JSON: {_CUT_OFF.get(str(error), error)}.") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(schema, str) or not schema.startswith("tensorbridge."):
        raise RequestError(f"{name} is JSON, but not a tensorbridge report or trace.")
    if schema not in _KINDS:
        raise RequestError(f"{name} is a {schema}; this version of tensorbridge reads {' and '.join(_KINDS)}.")
    try:
        record = convert(document, _KINDS[schema])
        return hazards.with_codes(record) if isinstance(record, Report) else record
    except (msgspec.ValidationError, hazards.UnknownHazardError) as error:
        raise RequestError(f"{name} is not a valid {schema}: {error}.") from error


_KINDS: dict[str, type[Report] | type[Trace]] = {model.SCHEMA: Report, trace.SCHEMA: Trace}
_SNAPSHOT = b"# tensorbridge.snapshot/"
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
    for line in lines:
        for key, part in msgspec.json.decode(line, type=dict[str, Any]).items():
            if key in _ENTRIES:
                whole[_ENTRIES[key]].append(part)
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
