"""The records as JSON on the command's side, where msgspec is: written, read and checked, and described by a schema.

The records themselves are plain dataclasses, so that they can be imported where the experiments run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec

from tensorbridge_cli.compat import values
from tensorbridge_cli.records import report
from tensorbridge_cli.records.report import Report, Summary

_Document = TypeVar("_Document")

_RENAMED = {"timed_out": "timed-out", "internal_error": "internal-error"}
"""The outcomes that are not Python names."""

_SUMMARY = msgspec.defstruct(
    "Summary",
    [(one.name, int) if one.default is MISSING else (one.name, int, one.default) for one in fields(Summary)],
    namespace={"__doc__": Summary.__doc__},
    rename=_RENAMED,
    kw_only=True,
)
"""``Summary`` as JSON has it: msgspec renames the fields of its own classes only."""


def _bounded(kind: Any) -> Any:
    """Return ``kind`` with the bounds of ``records.report`` in msgspec's words: it knows no others."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        given = {name: value for name, value in vars(args[1]).items() if value is not None}
        return Annotated[_bounded(args[0]), msgspec.Meta(**given)]
    return tuple.__class_getitem__((_bounded(args[0]), ...)) if origin is tuple else kind


_NAMES = {name: _bounded(kind) for name, kind in vars(report).items() if get_origin(kind) is Annotated}
_NAMES["Summary"] = _SUMMARY

for _kind in [one for one in vars(report).values() if is_dataclass(one)]:
    for _name, _text in _kind.__annotations__.items():
        if any(name in _text for name in _NAMES):
            _kind.__annotations__[_name] = eval(_text, {**vars(report), **_NAMES})  # noqa: S307 - our own annotations


def encode(record: object) -> bytes:
    """Return ``record``, or a dictionary of records, as one line of JSON in UTF-8."""
    if isinstance(record, Report):
        record = replace(record, summary=_summary(record.summary))
    elif isinstance(record, dict) and isinstance(record.get("summary"), Summary):
        record = {**record, "summary": _summary(record["summary"])}
    return msgspec.json.encode(record)


def _summary(summary: Summary) -> Any:
    return _SUMMARY(**values(summary))


def indented(record: object) -> str:
    """Return ``record`` as JSON, indented by two."""
    return msgspec.json.format(encode(record), indent=2).decode()


def decode(text: bytes | str) -> Report:
    """Read a saved report.

    Raises:
        msgspec.ValidationError: if ``text`` is JSON but not a report of this schema.
        msgspec.DecodeError: if it is not JSON.
    """
    return convert(msgspec.json.decode(text), Report)


def decoded(text: bytes, kind: type[_Document]) -> _Document:
    """Return the record of a ``kind`` that a line of JSON is; keys that it does not have are ignored.

    Raises:
        msgspec.DecodeError: if it is not JSON, or not such a record.
    """
    return msgspec.json.decode(text, type=kind)


def convert(document: Any, kind: type[_Document]) -> _Document:
    """Return the record that a JSON document is.

    Raises:
        msgspec.ValidationError: if it is not one of this schema.
    """
    if kind is Summary:
        read = msgspec.convert(document, _SUMMARY)
        return kind(**{name: getattr(read, name) for name in Summary.__dataclass_fields__})
    record = msgspec.convert(document, kind)
    return replace(record, summary=convert(record.summary, Summary)) if isinstance(record, Report) else record


def report_schema(hazards: Iterable[str]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a report that has no other ``hazards`` than these."""
    described = schema(Report)
    definitions = described["$defs"]
    definitions["HazardCode"] = {
        "title": "HazardCode",
        "description": "What can go wrong although nothing raised.",
        "enum": sorted(hazards),
    }
    definitions["Hazard"]["properties"]["code"] = {"$ref": "#/$defs/HazardCode"}
    return described


def schema(kind: type) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the records of a ``kind``."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | msgspec.json.schema(kind)
