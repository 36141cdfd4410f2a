"""Expectations in a TOML file, or in a table of pyproject.toml: which experiments, and what must hold of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from tensorbridge_cli import toml
from tensorbridge_cli.errors import RequestError, naming, unknown
from tensorbridge_cli.judgement import expectations
from tensorbridge_cli.reading import contents
from tensorbridge_cli.survey import tables
from tensorbridge_cli.survey.request import Note, parse, quiet
from tensorbridge_cli.survey.request_text import SELECTING, RequestText
from tensorbridge_cli.survey.task import Task
from tensorbridge_cli.survey.words import split

_HOLDS = "holds"
_DEFAULTS = {field.name: field.default for field in fields(RequestText)}


def read(path: str, common: RequestText, note: Note = quiet) -> tuple[Task, ...]:
    """Read the expectations in the TOML file ``path``, or in the table of a pyproject.toml.

    ``common`` has what holds for all of them: the plugins, and whether to run if memory may not suffice.

    Raises:
        RequestError: if there are none, or one makes no sense; with the number of that one.
    """
    document = _document(path)
    nested = Path(path).name == "pyproject.toml"
    table = document.get("tool", {}).get("tensorbridge", {}) if nested else document
    for key in () if nested else document:
        if key != tables.EXPECTATIONS:
            raise RequestError(f"{path}: {unknown('key', key, [tables.EXPECTATIONS])}")
    entries = table.get(tables.EXPECTATIONS)
    heading = f"[[{'tool.tensorbridge.' if nested else ''}{tables.EXPECTATIONS}]]"
    if not entries or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise RequestError(f"{path} has no expectations: add at least one table {heading}.")
    return tuple(_task(entry, f"{path}: expectation {number}", common, note) for number, entry in enumerate(entries, 1))


def of_pyproject(common: RequestText, note: Note) -> tuple[Task, ...]:
    """Return the expectations of the nearest pyproject.toml; none if it has none."""
    folder = Path.cwd()
    file = tables.nearest(folder)
    if file is None or tables.EXPECTATIONS not in _document(str(file)).get("tool", {}).get("tensorbridge", {}):
        return ()
    return read(str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file), common, note)


def _document(path: str) -> dict[str, Any]:
    try:
        return toml.read(contents(path))
    except OSError as error:
        raise RequestError(f"cannot read {path or repr(path)}: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{path} is not TOML: {tables.trouble(error)}.") from error


def _task(entry: Mapping[str, object], origin: str, common: RequestText, note: Note) -> Task:
    keys = [name.replace("_", "-") for name in SELECTING]
    values: dict[str, Any] = {"plugin": common.plugin, "force": common.force}
    with naming(origin):
        for key, value in entry.items():
            if key == _HOLDS:
                continue
            if (name := key.replace("-", "_")) not in SELECTING:
                raise unknown("key", key, [_HOLDS, *keys])
            default = _DEFAULTS[name]
            values[name] = tables.value(key, value, flag=default is False, several=default == ())
        if not values.keys() & set(SELECTING):
            raise RequestError('it selects nothing: specify a conversion, e.g. conversion = "from_numpy".')
        wanted = expectations.parse(_holds(entry), origin)
        return Task(requests=(parse(RequestText(**values), note),), wanted=wanted, origin=origin)


def _holds(entry: Mapping[str, object]) -> tuple[str, ...]:
    value = entry.get(_HOLDS, [])
    items = value if isinstance(value, list) else [value]
    texts = [item for item in items if isinstance(item, str)]
    if not texts or len(texts) < len(items):
        raise RequestError(f'it has no expectation that can fail: use {_HOLDS} = "shared", or a list of such words.')
    return split(texts)
