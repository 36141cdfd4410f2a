"""What a command reads is never what it writes: ``--output`` is compared with every input before anything runs.

Every option and argument is inspected, not a list of those that name files: one that is added later is protected, too.
The reader of TOML is imported for a file of it: a command has to start fast.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from tensorbridge_cli.errors import RequestError

_MODULES = ("object", "plugin")
_CODE = ("expr", "setup")
_TABLES = ("expectations",)


def refuse_overwriting(command: Any, context: Any) -> None:
    """Refuse an ``--output`` that is a file which the command reads, by whatever name, link or part of a text.

    Raises:
        RequestError: with the option that reads it.
    """
    output = context.params.get("output")
    if not output or not os.path.isfile(output):
        return
    for label, path in _inputs(command, context.params):
        if _is_same(path, output):
            raise RequestError(f"--output {output!r} would overwrite the input of {label}: specify another file.")


def _inputs(command: Any, params: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name of an option or argument, and a path that it may read."""
    labels = {param.name: _label(param) for param in command.params}
    for name, value in params.items():
        texts = [value] if isinstance(value, str) else value if isinstance(value, (list, tuple)) else []
        if name != "output":
            for path in _paths(name, [text for text in texts if isinstance(text, str)]):
                yield labels.get(name, name), path
    yield "standard input", "/dev/stdin"
    folder = os.getcwd()
    while True:
        yield "the configuration", os.path.join(folder, "pyproject.toml")
        if folder == os.path.dirname(folder):
            return
        folder = os.path.dirname(folder)


def _label(param: Any) -> str:
    if param.param_type_name == "argument":
        return str(param.metavar or param.name)
    return str(max(param.opts, key=len))


def _paths(name: str, texts: list[str]) -> Iterator[str]:
    for nth, text in enumerate(texts):
        before = texts[nth - 1] if name == "program" and nth else ""
        yield text
        yield from (text[:at] for at, letter in enumerate(text) if letter == ":")  # FILE:NAME, module:name
        if name == "program":
            yield text.partition("=")[2]  # an argument of the program: --data=FILE
        if name in _MODULES or before == "-m":
            yield from _module_files(text.partition(":")[0])
        if name in _CODE or before == "-c":
            yield from _named_in_code(text)
        if name in _TABLES:
            yield from _named_in_table(text)


def _module_files(module: str) -> Iterator[str]:
    """Yield where the module and the packages around it may lie; nothing is imported."""
    parts = module.split(".")
    for folder in (os.getcwd(), *sys.path):
        for count in range(1, len(parts) + 1):
            place = os.path.join(folder, *parts[:count])
            yield f"{place}.py"
            yield os.path.join(place, "__init__.py")
        yield os.path.join(folder, *parts, "__main__.py")


def _named_in_code(code: str) -> Iterator[str]:
    """Yield the texts in Python code: any may be the path of a file that it reads."""
    with suppress(SyntaxError, ValueError, RecursionError):
        for node in ast.walk(ast.parse(code.strip())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def _named_in_table(path: str) -> Iterator[str]:
    """Yield what may be paths in a TOML file of expectations."""
    from tensorbridge_cli import toml

    with suppress(OSError, ValueError, RecursionError), open(path, "rb") as file:
        waiting: list[Any] = [toml.read(file.read())]
        for value in waiting:
            if isinstance(value, dict):
                for key, inner in value.items():
                    waiting.extend(_named_in_code(inner) if key in _CODE and isinstance(inner, str) else [inner])
            elif isinstance(value, list):
                waiting.extend(value)
            elif isinstance(value, str):
                yield from _paths("", [value])
                yield from _module_files(value.partition(":")[0])


def _is_same(path: str, output: str) -> bool:
    """Return True if both are one file: also through a link, or as a second name of it."""
    with suppress(OSError, ValueError):
        return bool(path) and os.path.samefile(path, output)
    return False
