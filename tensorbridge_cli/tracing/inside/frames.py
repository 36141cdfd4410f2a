"""The frames of this package that stand between a program's call and the function called: kept out of its sight.

A program under ``trace`` gives the warnings, and raises with the tracebacks, that it has without.
"""

from __future__ import annotations

import functools
import os
import sys
from types import CodeType, FrameType, FunctionType
from typing import Any

_HERE = os.path.dirname(__file__)
NOT_COUNTED = " as importlib._bootstrap>"
"""How the file names of this package's code end that stands between a program's call and the function called.

``warnings.warn`` counts no frame of the import system for its ``stacklevel``, and ``logging`` counts none either; they
know one by these two words in the name of its file. Counting the levels in a stand-in for ``warnings.warn`` was the
other way: it is one frame more in the traceback of a warning that is an error, and is not there for code that bound
``warn`` before. Only a warning from C, which is of level 1, names such a frame: with the line and the module of the
program's, and with this file name, which ``warned_file`` sets right. ``test_every_stack_level_is_as_without`` has these
cases.

It is a name in angle brackets, as ``<string>`` is: what reads the files that a program has run, as ``python -m trace``
does, looks for no such file (``test_a_program_that_counts_its_lines``).

https://github.com/python/cpython/blob/3.11/Python/_warnings.c (is_internal_frame)
"""


def leave_no_trace(caller: FrameType) -> None:
    """Take the frames of this package out of the traceback as soon as ``caller`` is in it.

    They are added while the exception passes; ``caller`` is asked to tell when it has passed it, as a debugger asks.
    Where one is at work (``sys.gettrace``), they stay.
    """
    if sys.gettrace() is not None:
        return
    lines = caller.f_trace_lines

    def passed(frame: FrameType, event: str, arg: Any) -> None:
        sys.settrace(None)
        frame.f_trace_lines, frame.f_trace = lines, None
        entry = arg[2] if event == "exception" else None
        while entry is not None:
            while entry.tb_next is not None and is_of_the_tracer(entry.tb_next.tb_frame):
                entry.tb_next = entry.tb_next.tb_next
            entry = entry.tb_next

    caller.f_trace_lines, caller.f_trace = False, passed
    sys.settrace(lambda frame, event, arg: None)


def is_of_the_tracer(frame: FrameType) -> bool:
    """Return True for a frame of this package, or one that runs its code in the disguise of a line of the program's."""
    file = frame.f_code.co_filename
    return file.endswith(NOT_COUNTED) or os.path.dirname(file) == _HERE


def not_counted(function: Any) -> FunctionType:
    """Have the frames of ``function`` not counted when a warning looks for its line; return ``function``."""
    function.__code__ = _not_counted(function.__code__)
    return function  # type: ignore[no-any-return]


@functools.cache  # functions that have one code before have one afterwards
def _not_counted(code: CodeType) -> CodeType:
    return code.replace(co_filename=not_counted_file(code.co_filename))


def not_counted_file(file: str) -> str:
    """Return the file name by which code of ``file`` is not counted."""
    return f"<{file}{NOT_COUNTED}"


def warned_file(file: str) -> str:
    """Return the file that a warning names: that of the program's line, which code of this package was called in."""
    return file[1:].removesuffix(NOT_COUNTED) if file.endswith(NOT_COUNTED) else file
