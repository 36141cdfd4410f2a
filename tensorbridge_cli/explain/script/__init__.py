"""A row as a script: the same source, the same call, the same writes, and an ``assert`` of what was observed.

Text only: nothing here imports numpy or torch, so a saved report is enough. The source is made by the code of its
layout and its states in the catalogue, which the experiment ran, too; its values are simpler if the row does not depend
on them.

A saved report may have been written by anybody. A text of it that becomes code must be a literal (``text.literal``) or
a name (``text.dotted_name``), or is quoted; a text that is said goes into a comment, in one line. The one exception is
the user's own expression, which is code by its nature: it must be one expression, and stands on the line of ``x``.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator

from tensorbridge_cli.catalog import layouts, registry, states
from tensorbridge_cli.catalog.constructors import CONSTRUCTORS
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.explain.script.result import result_lines
from tensorbridge_cli.explain.script.source import dtype_code, dtype_name, source_lines
from tensorbridge_cli.explain.script.text import comment, one_expression, one_line
from tensorbridge_cli.records.enums import Library, Origin, Outcome, Verdict, Via, Write
from tensorbridge_cli.records.report import Environment, Row


def script(row: Row, environment: Environment, setup: str = "") -> str:
    """Return a Python script that shows what ``row`` found, and ends with an ``assert`` of it or with the crash.

    ``setup`` is the code that ran before the user's expression; a report does not hold it.

    Raises:
        RequestError: if the conversion is not in the registry, or the row holds what no experiment gives.
    """
    entry = registry.find(row.conversion) or _own(row.conversion)
    if entry is None:
        raise RequestError(f"{row.conversion} is not a known conversion: specify its module with --plugin.")
    _check(row)
    source = row.subject.library
    names_dtype = "{" in entry.code_from.get(source, "")
    dtype = dtype_name(row.subject.dtype) if names_dtype else ""
    code = entry.code_for(source, dtype, swapped="byte-swapped" in row.subject.layout)
    if row.to_dtype is not None and entry.code_with_dtype is not None:
        library = "torch" if row.direction.target is Library.TORCH else "np"
        setup = f"{setup}\ndtype = {dtype_code(row.to_dtype, library)}"
        code = entry.code_with_dtype
    before = [text.strip("\n") for text in (setup, entry.setup) if text.strip()]
    body = "\n".join([*before, *source_lines(row), *result_lines(row, code.strip())])
    used = [line for name, line in _IMPORTS.items() if re.search(rf"\b{name}\b", body) and line not in body]
    return "\n".join([*_header(row, environment), *used, "", body, ""])


def undefined(text: str) -> list[str]:
    """Return the names that a script uses and defines nowhere: what code that the report does not hold defined."""
    used: set[str] = set()
    defined = set(dir(builtins))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else defined).add(node.id)
        elif isinstance(node, ast.alias):
            defined.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.arg):
            defined.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler)):
            defined.add(node.name or "")
    return [] if "*" in defined else sorted(used - defined)


def _check(row: Row) -> None:
    """Refuse a row whose parts do not fit together, as those of a damaged report.

    Raises:
        RequestError: with what is wrong.
    """
    writes = (row.writes.source_to_result, row.writes.result_to_source)
    layout, _ = layouts.split(row.subject.layout)
    constructor = CONSTRUCTORS.get(row.subject.library)
    state_names = states.BY_NAME.keys() | (constructor.words if constructor is not None else set())
    unknown = {layout} - layouts.BY_NAME.keys() | states.words(row.subject.state) - state_names
    evidence = row.evidence
    sides = ((row.source, evidence.extents.source), (row.result, evidence.extents.result))
    bytewise = [(cell, *sides[cell.wrote == "result"]) for cell in evidence.cells if cell.via is Via.BYTES]
    wrong = {
        f"there is no layout or state {', '.join(map(repr, sorted(unknown)))}": (
            row.subject.origin is Origin.GENERATED and unknown
        ),
        "it crashed, but the signal is missing": row.crash is None and "crashed" in (row.outcome, *writes),
        "it raised, but the exception is missing": row.error is None and row.outcome is Outcome.REFUSED,
        "a write raised, but the exception is missing": Write.REFUSED in writes and not row.writes.refusals,
        "an object is missing": row.error is None and row.crash is None and not all(obj for obj, _ in sides),
        "the bytes of an object are missing": any(not extents for *_, extents in bytewise),
        "an index has the wrong number of dimensions": any(
            obj is not None and obj.shape is not None and len(cell.index) != len(obj.shape) for cell, obj, _ in bytewise
        ),
    }
    for sentence, is_so in wrong.items():
        if is_so:
            raise RequestError(f"this row of the report is damaged: {sentence}.")


def _own(text: str) -> registry.Conversion | None:
    """Return the entry of a line of the user's own in a saved report; None if the text is none."""
    try:
        return registry.own(one_expression(text)) if "(" in text or "." in text else None
    except RequestError:
        return None


# by the name that is looked for in the text of the script: one import too many does no harm
_IMPORTS = {
    "tempfile": "import tempfile",
    "np": "import numpy as np",
    "torch": "import torch",
    **{state.imports.split()[-1]: state.imports for state in states.STATES if state.imports},
    # import pandas as pd, import scipy.sparse, from PIL import Image
    **{constructor.imports.split()[-1].partition(".")[0]: constructor.imports for constructor in CONSTRUCTORS.values()},
}


def _header(row: Row, environment: Environment) -> Iterator[str]:
    """Yield the comments: what the script shows, what was promised, and where it was observed."""
    subject = row.subject
    what = {
        Library.NUMPY: "a NumPy array",
        Library.TORCH: "a tensor",
        Library.PYTHON: "a Python object",
        Library.BUFFER: "a buffer",
    }
    shape = ("×".join(map(str, subject.shape)) or "0-d") if subject.has_one_shape else ""
    words = [word for word in (subject.layout, subject.state) if word not in ("contiguous", states.PLAIN)]
    facts = ", ".join([f"{shape} {subject.dtype}".strip(), *words])
    source = what.get(subject.library) or f"an object of {subject.library}"
    yield from comment(f"{row.conversion} of {source} ({facts}): {row.outcome}.")
    for clause in row.contract.clauses:
        if clause.verdict is Verdict.BROKEN:
            # without a sentence it is a user's own expectation
            promised, quoted = ("Promised", f' "{clause.sentence}"') if clause.sentence else ("Expected", "")
            yield from comment(f"{promised}: {clause.about} {clause.expected}; observed: {clause.observed}.{quoted}")
            yield f"# {one_line(clause.citation)}"
    if row.outcome is Outcome.TIMED_OUT:
        yield "# It timed out."
    versions = f"{environment.libraries}, Python {environment.python}"
    yield from comment(f"Observed with {versions} on {environment.platform}.")
