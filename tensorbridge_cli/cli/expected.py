"""What a user expects, from options, a TOML file or pyproject.toml: which experiments, and what must hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tensorbridge_cli.cli import config, options, request
from tensorbridge_cli.errors import RequestError, TensorbridgeError, unknown
from tensorbridge_cli.judgement import expectations
from tensorbridge_cli.judgement.expectations import Wanted

if TYPE_CHECKING:
    from tensorbridge_cli.survey.run import Request

_HOLDS = "holds"


@dataclass(frozen=True)
class Task:
    """Experiments, and what must hold of them; ``None``: what the documentation promises."""

    requests: tuple[Request, ...]
    wanted: Wanted | None = None
    origin: str | None = None


def flags(texts: list[str]) -> Wanted:
    """Read the values of ``--expect``.

    Raises:
        RequestError: for a word that is none, or two that contradict each other.
    """
    words = options.split(texts)
    if not words:
        raise RequestError(f"--expect says nothing: write {', '.join(expectations.GRAMMAR)}.")
    try:
        return expectations.parse(words, "--expect")
    except RequestError as error:
        raise RequestError(f"--expect: {error}") from error


def in_file(path: str, context: Any) -> list[Task]:
    """Read the expectations in the TOML file ``path``, or in the table of a pyproject.toml.

    Raises:
        RequestError: where there are none, or one makes no sense; with the number of that one.
    """
    document = _document(path)
    nested = Path(path).name == "pyproject.toml"
    table = document.get("tool", {}).get("tensorbridge", {}) if nested else document
    for key in () if nested else document:
        if key != config.EXPECTATIONS:
            raise RequestError(f"{path}: {unknown('key', key, [config.EXPECTATIONS])}")
    entries = table.get(config.EXPECTATIONS)
    heading = f"[[{'tool.tensorbridge.' if nested else ''}{config.EXPECTATIONS}]]"
    if not entries or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise RequestError(f"{path} has no expectation: write one or more tables {heading}.")
    return [_task(entry, f"{path}: expectation {number}", context) for number, entry in enumerate(entries, 1)]


def in_pyproject(context: Any) -> list[Task]:
    """Return the expectations of the nearest pyproject.toml; none where it has none."""
    file = config.nearest(Path.cwd())
    if file is None or config.EXPECTATIONS not in _document(str(file)).get("tool", {}).get("tensorbridge", {}):
        return []
    folder = Path.cwd()
    return in_file(str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file), context)


def _document(path: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{path} is not TOML: {config.trouble(error)}.") from error


def _task(entry: dict[str, Any], origin: str, context: Any) -> Task:
    known = {param.name: param for param in context.command.params if param.name in request.SELECTING}
    keys = [name.replace("_", "-") for name in known]
    params: dict[str, Any] = {"plugin": context.params.get("plugin"), "force": context.params.get("force")}
    try:
        for key, value in entry.items():
            if key == _HOLDS:
                continue
            if (name := key.replace("-", "_")) not in known:
                raise unknown("key", key, [_HOLDS, *keys])
            params[name] = config.value(key, value, known[name])
        if not params.keys() & request.SELECTING:
            raise RequestError('it selects nothing: say which conversion, as conversion = "from_numpy".')
        wanted = expectations.parse(_holds(entry), origin)
        typed = SimpleNamespace(params=params, get_parameter_source=lambda name: None)
        return Task((request.request(typed),), wanted, origin)
    except TensorbridgeError as error:
        raise type(error)(f"{origin}: {error}") from error


def _holds(entry: dict[str, Any]) -> tuple[str, ...]:
    said = entry.get(_HOLDS, [])
    texts = said if isinstance(said, list) else [said]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise RequestError(f'it says nothing that can fail: write {_HOLDS} = "shared", or a list of such words.')
    return options.split(texts) or ()
