"""How the value of an option is converted: text stays text."""

from __future__ import annotations

from typing import Any


def leave_text(param: Any) -> Any:
    """Return ``param``, an option or argument of typer, made to leave text and flags as they are.

    Ours are text, texts or flags, and what makes a number of one is its callback. typer converts text to text by
    pydantic, whose import takes a third of the time of ``tensorbridge list``. What is left to it: a flag that is
    text, as a variable sets it, and to say what is missing.
    """
    if "process_value" in vars(param):
        return param
    convert = param.process_value

    def process_value(context: Any, value: Any) -> Any:
        missing = param.required and param.value_is_missing(value)
        if missing or (getattr(param, "is_flag", False) and isinstance(value, str)):
            return convert(context, value)
        texts = list(value) if isinstance(value, tuple) else value  # a tuple from the command line, a list from a file
        return texts if param.callback is None else param.callback(context, param, texts)

    param.process_value = process_value
    return param
