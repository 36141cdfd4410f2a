"""Texts of a saved report as Python code and in comments: a report may have been written by anybody."""

from __future__ import annotations

import ast
import re
import textwrap

from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.printable import escape

WIDTH = 100
"""Characters of a line with a comment."""

_SHORT = 97
"""Characters of a text that an error shows."""


def literal(text: str) -> str:
    """Return ``text``, which a report says is a value, as Python writes such a value.

    Raises:
        RequestError: if it is not a literal, but code that would run.
    """
    try:
        value = ast.literal_eval(text)
        # what Python itself would write is printable, and one line
        return text if repr(value) == text else ast.unparse(ast.parse(text.strip(), mode="eval"))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise RequestError(f"this row of the report is damaged: {shortened(text)} is not a Python literal.") from error


def is_literal(text: str) -> bool:
    """Return False for a record with an array in it, and for a value that was cut since it is long."""
    try:
        literal(text)
    except RequestError:
        return False
    return True


def dotted_name(text: str) -> str:
    """Return ``text``, which a report says is the name of a dtype, a device or a module, dots and all.

    Raises:
        RequestError: if it is not a name.
    """
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", text, re.ASCII):
        raise RequestError(f"this row of the report is damaged: {shortened(text)} is not a name.")
    return text


def one_expression(text: str) -> str:
    """Return the user's expression.

    Raises:
        RequestError: if it is more than one expression, or is written so that it reads other than it runs.
    """
    try:
        compile(f"({text}\n)", "<expression>", "eval")
        compile(text, "<expression>", "eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise RequestError(f"this row of the report is damaged: {shortened(text)} is not an expression.") from error
    if escape("".join(text.split())) != "".join(text.split()):
        raise RequestError(f"the expression {shortened(text)} contains unprintable characters.")
    return text


def shortened(text: str) -> str:
    """Return ``text`` quoted, and cut if it is long, as an error shows it."""
    return repr(text if len(text) <= _SHORT else f"{text[:_SHORT]}…")


def comment(text: str) -> list[str]:
    """Return ``text`` as the lines of a comment."""
    return textwrap.wrap(one_line(text), WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def one_line(text: str) -> str:
    """Return ``text`` for a comment: in one line, and nothing in it that an editor or a terminal obeys."""
    return escape(" ".join(text.split()))


def last_part(name: str) -> str:
    """Return the last part of a dotted name, quoted."""
    return _quoted(name.rpartition(".")[2])


def _quoted(text: str) -> str:
    return f'"{text}"' if text.isidentifier() else repr(text)
