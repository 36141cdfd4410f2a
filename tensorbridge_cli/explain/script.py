"""A row as a script: the same source, the same call, the same writes, and an ``assert`` of what was observed.

Text only: nothing here imports numpy or torch, so a saved report is enough. The source is made by the code of its
layout and its states in the catalogue, which the experiment ran, too; its values are simpler if the row does not depend
on them.

A saved report may have been written by anybody. A text of it that becomes code must be a literal (``_literal``) or a
name (``_name``), or is quoted; a text that is said goes into a comment, in one line. The one exception is the user's
own expression, which is code by its nature: it must be one expression, and stands on the line of ``x``.
"""

from __future__ import annotations

import ast
import builtins
import math
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tensorbridge_cli.catalog import hazards, layouts, registry, states
from tensorbridge_cli.catalog.carriers import Carrier
from tensorbridge_cli.catalog.constructors import CONSTRUCTORS, Constructor
from tensorbridge_cli.catalog.dtypes import is_structured
from tensorbridge_cli.catalog.file_formats import BY_ENDING, RAW_ARRAY, RAW_TENSOR, format_of
from tensorbridge_cli.catalog.layouts import CannotBuildError, Recipe
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.explain import objects
from tensorbridge_cli.printable import escape
from tensorbridge_cli.records.enums import Library, Origin, Outcome, Values, Verdict, Via, Write
from tensorbridge_cli.records.report import Cell, Environment, Extent, Object, Row, Subject

Shape = tuple[int, ...]

_WIDTH = 100
_COUNTED = 97
"""Values are counted up to this prime, which every dtype holds and which stays below what is written, 100 and 111."""

_SAMPLED = 4096
"""Beyond this many elements only the one that is written is inspected."""


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
    dtype = _written(row.subject.dtype) if names_dtype else ""
    code = entry.code_for(source, dtype, swapped="byte-swapped" in row.subject.layout)
    if row.to_dtype is not None and entry.code_with_dtype is not None:
        library = "torch" if row.direction.target is Library.TORCH else "np"
        setup = f"{setup}\ndtype = {_dtype(row.to_dtype, library)}"
        code = entry.code_with_dtype
    before = [text.strip("\n") for text in (setup, entry.setup) if text.strip()]
    body = "\n".join([*before, *_subject(row), *_calling(row, code.strip())])
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


def _literal(text: str) -> str:
    """Return ``text``, which a report says is a value, as Python writes such a value.

    Raises:
        RequestError: if it is not a literal, but code that would run.
    """
    try:
        value = ast.literal_eval(text)
        # what Python itself would write is printable, and one line
        return text if repr(value) == text else ast.unparse(ast.parse(text.strip(), mode="eval"))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise RequestError(f"this row of the report is damaged: {_short(text)} is not a Python literal.") from error


def _is_literal(text: str) -> bool:
    """Return False for a record with an array in it, and for a value that was cut since it is long."""
    try:
        _literal(text)
    except RequestError:
        return False
    return True


def _name(text: str) -> str:
    """Return ``text``, which a report says is the name of a dtype, a device or a module, dots and all.

    Raises:
        RequestError: if it is not a name.
    """
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", text, re.ASCII):
        raise RequestError(f"this row of the report is damaged: {_short(text)} is not a name.")
    return text


def _expression(text: str) -> str:
    """Return the user's expression.

    Raises:
        RequestError: if it is more than one expression, or is written so that it reads other than it runs.
    """
    try:
        compile(f"({text}\n)", "<expression>", "eval")
        compile(text, "<expression>", "eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise RequestError(f"this row of the report is damaged: {_short(text)} is not an expression.") from error
    if escape("".join(text.split())) != "".join(text.split()):
        raise RequestError(f"the expression {_short(text)} contains unprintable characters.")
    return text


def _own(text: str) -> registry.Conversion | None:
    """Return the entry of a line of the user's own in a saved report; None if the text is none."""
    try:
        return registry.own(_expression(text)) if "(" in text or "." in text else None
    except RequestError:
        return None


def _short(text: str) -> str:
    return repr(text if len(text) <= _COUNTED else f"{text[:_COUNTED]}…")


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
    yield from _comment(f"{row.conversion} of {source} ({facts}): {row.outcome}.")
    for clause in row.contract.clauses:
        if clause.verdict is Verdict.BROKEN:
            # without a sentence it is a user's own expectation
            promised, quoted = ("Promised", f' "{clause.sentence}"') if clause.sentence else ("Expected", "")
            yield from _comment(f"{promised}: {clause.about} {clause.expected}; observed: {clause.observed}.{quoted}")
            yield f"# {_one_line(clause.citation)}"
    if row.outcome is Outcome.TIMED_OUT:
        yield "# It timed out."
    versions = f"{environment.libraries}, Python {environment.python}"
    yield from _comment(f"Observed with {versions} on {environment.platform}.")


def _comment(text: str) -> list[str]:
    return textwrap.wrap(_one_line(text), _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _one_line(text: str) -> str:
    """Return ``text`` for a comment: in one line, and nothing in it that an editor or a terminal obeys."""
    return escape(" ".join(text.split()))


# The subject -------------------------------------------------------------------------------------


def _subject(row: Row) -> list[str]:
    """Return the lines that make ``x``."""
    subject = row.subject
    if subject.origin is Origin.GENERATED:
        return _generated(row)
    given = (subject.given or "").strip()
    if subject.origin is Origin.FILE:
        return _from_file(given, subject)
    if subject.origin is Origin.EXPRESSION:
        given = _expression(given)
        return [f"x = ({given})" if "\n" in given else f"x = {given}"]
    module, _, path = given.partition(":")
    module, path = _name(module), _name(path)
    return [f"import {module}", f"x = {module}.{path}", "x = x() if callable(x) else x"]


def _generated(row: Row) -> list[str]:
    """Return the lines that make a generated source: memory, layout and states as the catalogue types them."""
    if (constructor := CONSTRUCTORS.get(row.subject.library)) is not None:
        return _of_library(row, constructor)
    subject = row.subject
    shape, words = subject.shape, states.words(subject.state)
    on_torch = subject.library is Library.TORCH or Library.TORCH in {states.BY_NAME[word].library for word in words}
    library = "torch" if on_torch else "np"
    name, swapped = layouts.split(subject.layout)
    try:
        recipe = layouts.recipe(name, Library.TORCH if on_torch else Library.NUMPY)
    except CannotBuildError as error:
        raise RequestError(f"this row of the report is damaged: {error}.") from None
    memory = shape if recipe.as_bytes else recipe.memory(shape)
    lines = [f"base = {_memory(memory, library, row, recipe.order)}"]
    if swapped:
        lines.append(_cast(layouts.BY_NAME["byte-swapped"].numpy))
    if recipe.as_bytes:
        lines.append(_BYTES_BEHIND_ONE_MORE[library])
    elif recipe.dtype != Recipe.dtype:
        lines.append(_cast(recipe))
    if allocation := states.allocation(subject.state):
        opened = allocation.format(
            path="file.name",
            dtype="base.dtype",
            mode=f'"{states.map_mode(subject.state)}"',
            shape="base.shape",
            order=f'"{recipe.order}"',
        )
        lines += ["file = tempfile.NamedTemporaryFile()", "base.tofile(file.name)", f"base = {opened}"]
    dtype = _dtype(subject.dtype, library)
    view = recipe.typed(shape, f"{dtype}.newbyteorder()" if swapped else dtype)
    if view == "base":
        lines[-1] = f"x = {lines[-1].removeprefix('base = ')}"
    else:
        lines.append(f"x = {view}")
    if context := states.context(subject.state):
        lines = [f"with {context}:", *(f"    {line}" for line in lines)]
    codes = [state.code for state in states.STATES if state.name in words and state.code]
    return [*lines, *(line for code in codes for line in code.splitlines())]


def _of_library(row: Row, constructor: Constructor) -> list[str]:
    """Return the lines that make a generated source of another library: an array, and the object that is made of it."""
    constructor.dtype(row.subject.dtype)
    try:
        codes = constructor.codes(row.subject)
    except CannotBuildError as error:
        raise RequestError(f"this row of the report is damaged: {error}.") from None
    array = _generated(replace(row, subject=constructor.array(row.subject)))
    path = ['path = tempfile.mkdtemp() + "/x"'] if any(re.search(r"\bpath\b", code) for code in codes) else []
    return [*path, *array, *(line for code in codes for line in code.splitlines())]


def _cast(recipe: Recipe) -> str:
    """Return the line that gives ``base`` the dtype that ``recipe`` asks for."""
    return f"base = base.astype({recipe.dtype.format(dtype='base.dtype')})"


_BYTES_BEHIND_ONE_MORE = {
    "np": "base = np.frombuffer(bytearray(1) + base.tobytes(), np.uint8)",
    "torch": "base = bytearray(1) + bytes(base.untyped_storage())",
}
"""The line that gives a recipe the memory that it takes ``as_bytes``."""


_SIMPLE = frozenset("float16 float32 float64 float128 bfloat16 int8 int16 int32 int64 uint8".split())  # noqa: SIM905
"""The dtypes that ``arange`` makes in every library that has them."""

_FLOATS = frozenset("float16 float32 float64 float128 bfloat16".split())  # noqa: SIM905

_WIDE = {
    "int8": "-{}",
    "int16": "2**11 + {}",
    "int32": "2**24 + {}",
    "int64": "2**53 + {}",
    "uint8": "-{}",
    "uint16": "-{}",
    "uint32": "-{}",
    "uint64": "-{}",
    "float16": "{} * 6e2",
    "bfloat16": "{} * 3e36",
    "float32": "{} * 3e36",
    "float64": "{} * 1e298",
    "float128": "{} * 1e298",
    "complex32": "{} * (6e2 - 6e2j)",
    "complex64": "{} * (3e36 - 3e36j)",
    "complex128": "{} * (1e298 - 1e298j)",
    "complex256": "{} * (1e298 - 1e298j)",
}
"""Values that a narrower dtype, or one without a sign or a fraction, cannot hold."""


def _memory(shape: Shape, library: str, row: Row, order: str) -> str:
    """Return the expression of memory of ``shape`` in ``order``, another value at each position."""
    name, device = row.subject.dtype, row.subject.device
    size = math.prod(shape)
    if name in ("quint4x2", "quint2x4"):
        return f"torch._empty_affine_quantized({shape}, scale=0.1, zero_point=10, dtype={_dtype(name, library)})"
    # zeros take no memory; a sparse object holds none
    is_sparse = "sparse" in row.subject.state or row.subject.library is Library.SCIPY
    is_zero = size > _SAMPLED and row.values is not Values.CHANGED and not is_sparse
    expression = _values(size, library, name, wide=_needs_wide(row), is_zero=is_zero)
    if name in _FLOATS and _is_reinterpreted(row):
        expression = f"({expression} + 0.1)"
    if "quantized" in states.words(row.subject.state):
        expression = f"({expression} / 10)"
    if shape != (size,):
        expression += f'.reshape({_arguments(shape)}, order="F")' if order == "F" else f".reshape({_arguments(shape)})"
    return expression if device in ("cpu", "meta") else f"{expression}.to({device!r})"


def _needs_wide(row: Row) -> bool:
    """Return True if what the row found may hang on values that another dtype cannot hold."""
    if row.source is None or row.result is None:
        # of another library too, a value may be why it is refused
        return row.to_dtype is not None or row.direction.source in CONSTRUCTORS
    if row.source.dtype == row.result.dtype or row.source.shape != row.result.shape:
        return False
    return row.values is Values.CHANGED and "quantized" not in states.words(row.subject.state)


def _is_reinterpreted(row: Row) -> bool:
    """Return True if the same bytes are read as another dtype; too many bytes of a whole number are zero for that."""
    if row.source is None or row.result is None or row.outcome is not Outcome.SHARED:
        return False
    return row.source.dtype != row.result.dtype and row.source.shape != row.result.shape


def _values(size: int, library: str, name: str, *, wide: bool, is_zero: bool = False) -> str:
    """Return the expression of ``size`` values of the dtype ``name``, in one dimension."""
    dtype = _dtype(name, library)
    counted = _counted(size, library)
    cast = f".astype({dtype})" if library == "np" else f".to({dtype})"
    if name == "bool":
        return f"({counted} % 2 == 0)"
    if name == "object":
        return f"np.fromiter(([i] for i in range({size})), dtype=object)"
    if wide and name in _WIDE:
        exact = ".double()" if library == "torch" and name in ("float64", "complex128") else ""
        return f"({_WIDE[name].format(counted + exact)}){cast}"
    if name in _SIMPLE and size <= _COUNTED:
        return f"{library}.arange(1, {size + 1}, dtype={dtype})"
    if name in _SIMPLE and is_zero:
        return f"{library}.zeros({size}, dtype={dtype})"
    if name.startswith("complex"):
        return f"({counted} * (1 - 1j)){cast}"
    if re.fullmatch(r"[SU]\d+", name):  # of one length: a list of others has no shape
        return f"({counted} % 26 + 96).astype(np.uint8).view('S1'){cast}"
    if name in _WIDE or (library == "np" and not name.startswith("V")):
        return f"{counted}{cast}" if counted.endswith(")") else f"({counted}){cast}"
    if name.startswith("q"):
        return f"torch.quantize_per_tensor({counted} / 10, 0.1, 10, {dtype})"
    return f"{_counted(size * _itemsize(name), library)}{_bytes(library)}.view({dtype})"


def _counted(size: int, library: str) -> str:
    if size <= _COUNTED:
        return f"{library}.arange(1, {size + 1})"
    return f"({library}.arange({size}) % {_COUNTED} + 1)"


def _bytes(library: str) -> str:
    return ".astype(np.uint8)" if library == "np" else ".to(torch.uint8)"


def _itemsize(name: str) -> int:
    return _void(name) if name.startswith("V") else 2 if name == "bits16" else 1


def _void(name: str) -> int:
    """Return the bytes of an element of the dtype ``V12``."""
    if not re.fullmatch(r"V[0-9]{1,9}", name):
        raise RequestError(f"this row of the report is damaged: {_short(name)} is not a dtype.")
    return int(name[1:])


def _dtype(name: str, library: str) -> str:
    """Return how a dtype is typed in ``library``."""
    if library == "torch":
        return f"torch.{_name(name)}"
    if is_structured(name):
        return f"np.dtype({_written(name)})"
    plain = name.isidentifier() and name.isascii() and name[0] not in "USV"
    return f"np.{_NUMPY_NAMES.get(name, name)}" if plain else f"np.dtype({name!r})"


def _written(name: str) -> str:
    """Return the name of a dtype as it stands in a call: of a structured one the list or the dict that it is."""
    return _literal(name) if is_structured(name) else _name(name)


_NUMPY_NAMES = {"bool": "bool_", "object": "object_"}


def _arguments(shape: Shape) -> str:
    return ", ".join(map(str, shape)) or "()"


def _from_file(given: str, subject: Subject) -> list[str]:
    """Return the lines that read a user's file; maps are private, so that no write reaches it."""
    path, key = _path_and_key(given)
    words = states.words(subject.state)
    mapped, read_only = "memory-mapped" in words, "read-only" in words
    raw = RAW_TENSOR if subject.library is Library.TORCH else RAW_ARRAY
    dtype = ""
    entry = format_of(path, raw)
    if entry is RAW_TENSOR:
        dtype = _dtype(subject.dtype, "torch")
    elif entry is RAW_ARRAY:
        dtype = f"np.dtype({_dtype(subject.dtype, 'np')})"
        dtype = f"{dtype}.newbyteorder()" if "byte-swapped" in subject.layout else dtype
    lines = entry.typed(path, key, mapped=mapped, mode="r" if read_only else "c", dtype=dtype, shape=subject.shape)
    is_unlocked = read_only and not mapped and subject.library is Library.NUMPY
    return [*lines, states.BY_NAME["read-only"].code] if is_unlocked else lines


def _path_and_key(given: str) -> tuple[str, str | None]:
    named = "|".join(re.escape(ending) for ending, entry in BY_ENDING.items() if entry.holds)
    match = re.fullmatch(rf"(.+(?:{named})):(.+)", given, re.IGNORECASE)
    return (match[1], match[2]) if match else (given, None)


# What happened -----------------------------------------------------------------------------------


def _calling(row: Row, code: str) -> list[str]:
    """Return the lines that call the conversion and assert its result."""
    if row.crash is not None and row.outcome in (Outcome.CRASHED, Outcome.TIMED_OUT):
        how = "it does not return" if row.crash.timed_out else _ends(row)
        return [f"y = {code}  # {how}"]
    if row.error is not None:
        return _refused(code, row.error.type, row.error.message)
    source, result = _sides(row)
    facts = _facts(row, source, result)
    asks_before = any(" != was " in fact for fact in facts)
    before = [f"was = {_read_where_they_differ(row, source, result)}"] if asks_before else []
    lines = [*before, f"y = {code}", *facts]
    writes = [(source, result), (result, source)]
    # what may move to other memory when it is written is written last, as by the experiment
    if source.carrier is not None and source.carrier.copies_on_write:
        writes.reverse()
    # the experiment wrote to a private copy; the script has none, and would write to a file of the user's
    is_private = row.evidence.private_copy is not None
    wrote = [] if is_private else [line for written, other in writes for line in _write(row, written, other)]
    if row.outcome is Outcome.UNDECIDABLE:
        lines += [f"{_what_is_known(row)}  # nothing to write to: undecidable"]
    elif is_private or not {row.writes.source_to_result, row.writes.result_to_source} & {Write.SEEN, Write.NOT_SEEN}:
        lines += [_addresses(row, source, result)]
    return lines + wrote


@dataclass(frozen=True)
class _Side:
    """The source or the result, as the script has it.

    Attributes:
        role: ``source`` or ``result``.
        name: ``x`` or ``y``.
        obj: its description, if there is one.
        extents: its bytes.
        carrier: the entry for an object of another library.
    """

    role: str
    name: str
    obj: Object | None
    extents: tuple[Extent, ...]
    carrier: Carrier | None


def _sides(row: Row) -> tuple[_Side, _Side]:
    extents, way = row.evidence.extents, row.direction
    return (
        _Side("source", "x", row.source, extents.source, objects.carrier_of(row.source, way.source)),
        _Side("result", "y", row.result, extents.result, objects.carrier_of(row.result, way.target)),
    )


def _ends(row: Row) -> str:
    assert row.crash is not None
    return f"the process ends here: {_one_line(row.crash.signal or f'exit code {row.crash.exit_code}')}"


def _refused(code: str, kind: str, message: str) -> list[str]:
    """Return the lines that make ``code`` raise an exception of the type ``kind``, and assert that."""
    known = getattr(builtins, kind, None)
    known = known if isinstance(known, type) and issubclass(known, BaseException) else None
    base = "Exception" if known is None or issubclass(known, Exception) else "BaseException"
    check = f"type(raised) is {kind}" if known is not None else f"type(raised).__name__ == {_last(kind)}"
    comment = textwrap.shorten(_one_line(message), max(_WIDTH - len(check) - 10, 20), placeholder=" …")
    return [
        "raised = None",
        "try:",
        f"    {code}",
        f"except {base} as error:",
        "    raised = error",
        f"assert {check}, raised" + (f"  # {comment}" if comment else ""),
    ]


def _last(name: str) -> str:
    """Return the last part of a dotted name, quoted."""
    return _quoted(name.rpartition(".")[2])


def _quoted(text: str) -> str:
    return f'"{text}"' if text.isidentifier() else repr(text)


def _facts(row: Row, x: _Side, y: _Side) -> list[str]:
    """Return an ``assert`` of each broken clause and of each hazard that is seen without a write."""
    source, result = row.source, row.result
    if source is None or result is None:
        return []
    about = {clause.about for clause in row.contract.clauses if clause.verdict is Verdict.BROKEN}
    about |= {hazards.BY_NAME[hazard.code].asserted for hazard in row.hazards if hazard.code in hazards.BY_NAME}
    same_shape = source.shape == result.shape
    asserts = []
    of_source = _read_where_they_differ(row, x, y)
    changed = any(change.fact == "values" for change in row.source_changes)
    only_source = " in the source itself" in (row.evidence.difference or "")
    if changed and (only_source or math.prod(source.shape or ()) <= _SAMPLED):
        asserts.append(f"assert {of_source} != was  # the conversion changed x")
    if "values" in about and same_shape and row.values is Values.CHANGED:
        was = "was" if changed and not only_source else of_source
        asserts.append(f"assert {_read_where_they_differ(row, y, x)} != {was}  # the values differ")
    if "values" in about and not same_shape:
        about.add("shape")
    if y.carrier is not None:  # it has other names for these
        about -= {"shape", "dtype", "writable"}
    if result.dtype is None:  # a dict or a list has none of them
        about -= {"shape", "dtype", "writable", "requires-grad"}
    if "shape" in about:
        asserts.append(f"assert y.shape == {result.shape}  # it was {source.shape}")
    if "dtype" in about:
        assert result.dtype is not None
        dtype = repr(f"torch.{result.dtype}" if _is_tensor(result) else result.dtype)
        # the text of a dtype of bytes is |S8, that of one of characters <U8
        name = "y.dtype" if result.dtype.startswith(("S", "U")) else "str(y.dtype)"
        if result.byte_order == "big" and not _is_tensor(result):
            name = "y.dtype.name"  # the text is >u2
        asserts.append(f"assert {name} == {dtype}  # it was {_one_line(str(source.dtype))}")
    if "type" in about:
        asserts.append(f"assert type(y).__name__ == {_last(result.type)}")
    if "object" in about:
        asserts.append("assert y is x" if row.relation.same_object else "assert y is not x")
    if "writable" in about and not _is_tensor(result):
        asserts.append(f"assert y.flags.writeable is {result.writable}")
    if "requires-grad" in about and result.requires_grad is not None:
        asserts.append(f"assert y.requires_grad is {result.requires_grad}")
    return asserts


def _is_tensor(obj: Object) -> bool:
    return obj.type.startswith("torch.")


def _what_is_known(row: Row) -> str:
    result = row.result
    if result is None:
        return "assert y is not None"
    if result.dtype is None or result.shape is None:
        return f"assert type(y).__name__ == {_last(result.type)}"
    return f"assert y.shape == {result.shape}"


def _addresses(row: Row, x: _Side, y: _Side) -> str:
    """Return the ``assert`` that compares the addresses, if no write decides."""
    source, result = row.source, row.result
    assert source is not None  # see _check
    assert result is not None
    shared = row.outcome is Outcome.SHARED
    unwritten = "others share the memory of x" if row.evidence.private_copy else "neither can be written"
    why = f"decided by addresses, since {unwritten}"
    if row.relation.same_object:
        return "assert y is x"
    if x.carrier is not None or y.carrier is not None:
        ours = objects.address(x.carrier, "x") if x.carrier is not None else _address("x", source)
        theirs = objects.address(y.carrier, "y") if y.carrier is not None else _address("y", result)
        if ours is None or theirs is None:
            raise RequestError(
                f"{unwritten}, and one does not tell its address: there is nothing that a script could assert."
            )
        return f"assert {theirs} {'==' if shared else '!='} {ours}  # {why}"
    if source.strides is None or result.strides is None:
        raise RequestError(f"{unwritten}, and one has no single address: there is nothing that a script could assert.")
    is_buffer = row.subject.library is Library.BUFFER
    if not _is_tensor(source) and not _is_tensor(result):
        ours = "memoryview(x)" if is_buffer else "x"
        return f"assert {'' if shared else 'not '}np.shares_memory({ours}, y)  # {why}"
    ours, theirs = _address("np.asarray(memoryview(x))" if is_buffer else "x", source), _address("y", result)
    return f"assert {theirs} {'==' if shared else '!='} {ours}  # {why}"


def _address(name: str, obj: Object) -> str:
    return f"{name}.data_ptr()" if _is_tensor(obj) else f"{name}.ctypes.data"


# The writes --------------------------------------------------------------------------------------


def _write(row: Row, written: _Side, other: _Side) -> list[str]:
    """Return the lines that write to one object and look at the other."""
    is_source, target = written.role == "source", written.obj
    effect = row.writes.source_to_result if is_source else row.writes.result_to_source
    if effect is Write.NOT_TRIED or target is None:
        return []
    cell = next((cell for cell in row.evidence.cells if cell.wrote == written.role), None)
    write = _statement(written, target, cell)
    if target.requires_grad:
        write = ["with torch.no_grad():", *(f"    {line}" for line in write)]
    if effect is Write.CRASHED:
        return [*write[:-1], f"{write[-1]}  # {_ends(row)}"]
    if effect is Write.REFUSED:
        if target.type.startswith("numpy.") and target.writable is False and target.strides is not None:
            return [f"assert not {written.name}.flags.writeable"]
        refusals = row.writes.refusals
        kind, _, message = refusals[0 if is_source else -1].partition(": ")
        return _refused("\n    ".join(write), kind, message)
    reading = _read(row, other, written, cell)
    is_seen = effect is Write.SEEN
    return [
        f"before = {reading}",
        *write,
        f"assert {reading} {'!=' if is_seen else '=='} before  # a write to {written.name} "
        f"{'shows' if is_seen else 'does not show'} in {other.name}",
    ]


def _statement(written: _Side, target: Object, cell: Cell | None) -> list[str]:
    """Return the write as typed."""
    name, extents, carrier = written.name, written.extents, written.carrier
    # the element that the experiment would have written: the first of a source, the last of a result
    usual = tuple(0 if written.role == "source" else n - 1 for n in target.shape or ())
    if carrier is not None:
        index, value = (usual, "100") if cell is None else (cell.index, cell.written)
        return objects.write(carrier, name, index, _value(written, target, index, value), extents).splitlines()
    if target.type == "pyarrow.Buffer":
        name = f"memoryview({name})"
    if cell is None and target.dtype is None and extents and extents[0].part:  # a list or a dict of arrays
        last = tuple(0 if written.role == "source" else n - 1 for n in extents[0].shape)
        return [f"{_of_container(name, target, extents[0].part)}{_index(last, target, nested=False)} = 100"]
    part = _part(name, target, extents) if cell is None or not cell.part else _of_container(name, target, cell.part)
    if cell is None:
        return [f"{part}{_index(usual, target, nested=part == name)} = 100"]
    if cell.via is Via.BYTES and target.pointer is not None:
        flip = "0b01010101" if _packs(target) else "1"
        offset = int(target.pointer, 16) - int(extents[0].storage_start, 16) + _offset(target, cell.index)
        return [f"{part}.untyped_storage()[{offset}] ^= {flip}  # its dtype has no assignment"]
    spot = f"{part}{_index(cell.index, target, nested=part == name)}"
    dtype = target.dtype or ""
    if dtype in ("bool", "bool[pyarrow]"):
        return [f"{spot} = not {spot}"]
    if dtype.startswith("V"):
        return [f"{spot} = np.void(bytes({_void(dtype)}))"]
    if target.type in ("numpy.void", "numpy.record"):  # the scalar takes no index, but the names of its fields
        return [
            f"other = {_other_record(name)}",
            "for field in other.dtype.names:",
            f"    {name}[field] = other[field]",
        ]
    if dtype.startswith(("[", "{", "(")) and not _is_literal(cell.written):
        return [f"{spot} = {_other_record(spot)}"]
    return [f"{spot} = {_literal(cell.written)}"]


def _value(written: _Side, target: Object, index: Shape, value: str) -> str:
    """Return another value for one element of an object of another library, which may write it in no literal."""
    name, carrier = written.name, written.carrier
    assert carrier is not None  # see _statement
    dtype, shape = target.dtype or "", target.shape or ()
    if value in ("True", "False"):
        return f"not {objects.written(carrier, name, index, written.extents)}"
    is_time = dtype.startswith(("datetime64", "timedelta64"))  # what a report has of it is a number
    if (is_time or not _is_literal(value)) and shape and shape[0] > 1:
        other = ((index[0] + 1) % shape[0], *index[1:])  # of the same column
        return objects.written(carrier, name, other, written.extents)
    if is_time and value.lstrip("-").isdecimal():
        kind, _, unit = dtype.rstrip("]").partition("[")
        return f"np.{kind}({value}, {unit!r}){'' if unit == 'ns' else '.item()'}"
    if not _is_literal(value):
        raise RequestError(f"{_short(value)}, which the experiment wrote, has no expression that a script could use.")
    return _literal(value)


def _other_record(record: str) -> str:
    """Return the expression of a record that differs in the first bit, as the one that the experiment wrote does."""
    return f"np.frombuffer(bytes([{record}.tobytes()[0] ^ 1]) + {record}.tobytes()[1:], {record}.dtype)[0]"


def _index(index: Shape, target: Object, *, nested: bool) -> str:
    """Return an index as typed; nested lists and arrays of ctypes have one bracket a dimension."""
    if target.type.startswith("ctypes.") and not index:
        return ".value"
    if (target.type == "list" and nested) or (index and "_Array_" in target.type):
        return "".join(f"[{i}]" for i in index)
    return f"[{', '.join(map(str, index)) or '()'}]"


def _part(name: str, obj: Object, extents: tuple[Extent, ...]) -> str:
    """Return how the part that is written is reached: the values of a sparse tensor, the first row of a nested one."""
    names = {extent.part for extent in extents}
    if "indices" in names:
        return f"{name}._values()"
    if "values" in names:
        return f"{name}.values()"
    if "[0]" in names and _is_tensor(obj):
        return f"{name}.unbind()[0]"
    first = extents[0].part if extents else ""
    return f"{name}{first}" if _IN_LISTS.fullmatch(first) else name


_IN_LISTS = re.compile(r"(\[\d+\])+")
"""How a part of a list within lists is reached."""


def _of_container(name: str, obj: Object, part: str) -> str:
    """Return how a part of a container is reached; the parts of a module are named as in its ``state_dict``.

    Raises:
        RequestError: for a name that is no attributes and keys: a report that was changed may have any text there.
    """
    part = _steps(part)
    if part.startswith(".") or obj.type in _SUBSCRIPTED:
        return f"{name}{part}"
    if obj.type.startswith("torch.nn."):
        return f"{name}.state_dict(){part}"
    return f'getattr({name}, "state_dict", lambda: {name})(){part}'  # a module, or a mapping of another name


def _steps(part: str) -> str:
    """Return ``part`` as Python writes what it means."""
    try:
        step: ast.expr = ast.parse(f"_{part}", mode="eval").body
        steps = ""
        while not isinstance(step, ast.Name):
            if isinstance(step, ast.Attribute):
                steps, step = f".{step.attr}{steps}", step.value
            elif isinstance(step, ast.Subscript):
                steps, step = f"[{ast.literal_eval(step.slice)!r}]{steps}", step.value
            else:
                raise ValueError
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise RequestError(f"the part {part!r:.60} of a container has no name that a script could write.") from error
    return steps


_SUBSCRIPTED = ("list", "tuple", "dict", "collections.OrderedDict", "collections.defaultdict")


def _is_container(obj: Object, extents: tuple[Extent, ...]) -> bool:
    """Return True for a dict, a dataclass or a module: each of its parts is read by its name."""
    has_names = all(one.part.startswith(("[", ".")) for one in extents)
    return obj.dtype is None and obj.type not in ("list", "tuple") and has_names


def _packs(obj: Object) -> bool:
    return obj.dtype in ("quint4x2", "quint2x4")


def _offset(target: Object, index: Shape) -> int:
    """Return the bytes from the first element to that at ``index``."""
    if _packs(target):
        place = 0
        for i, n in zip(index, target.shape or (), strict=True):
            place = place * n + i
        return place // int(str(target.dtype)[-1])
    return sum(i * stride for i, stride in zip(index, target.strides or (), strict=True))


def _read_where_they_differ(row: Row, side: _Side, opposite: _Side) -> str:
    """Return the expression of all that a reader of one object sees; of many elements, of the first that differs."""
    found = re.search(r"first at \[([0-9, ]+)\]", row.evidence.difference or "")
    at = tuple(int(i) for i in found[1].split(",")) if found else ()
    shape = () if side.obj is None else side.obj.shape or ()
    return _read(row, side, opposite, at=at if len(at) == len(shape) else (0,) * len(shape))


def _read(row: Row, side: _Side, opposite: _Side, cell: Cell | None = None, at: tuple[int, ...] = ()) -> str:
    """Return the expression of all that a reader of one object sees; of the one element, where there are many."""
    name, obj, extents, carrier, other = side.name, side.obj, side.extents, side.carrier, opposite.obj
    assert obj is not None
    index = at if cell is None else cell.index
    if carrier is not None:
        # a place in the data of a sparse object is none in the object
        if math.prod(obj.shape or ()) > _SAMPLED and len(index) == len(obj.shape or ()):
            return objects.element(carrier, name, index)
        return objects.values(carrier, name)
    if opposite.carrier is not None and obj.dtype is not None:
        # a carrier gives its values in a row, and as text
        if obj.strides is None and _is_tensor(obj):
            return f"str({name}.values().tolist())"
        flat = name if len(obj.shape or ()) == 1 else f"{name}.reshape(-1)"  # an array of pandas has no reshape
        return f"str({flat}{'.tolist()' if math.prod(obj.shape or ()) <= _SAMPLED else '[0].item()'})"
    tensor = _is_tensor(obj)
    parts = {extent.part for extent in extents}
    if obj.dtype is None and extents and _is_container(obj, extents):
        values = ", ".join(f"{_of_container(name, obj, extent.part)}.tolist()" for extent in extents)
        return f"str([{values}])"
    if obj.dtype is None:
        return f"str({name})"
    if side.role == "source" and row.subject.library is Library.BUFFER:
        return "np.asarray(memoryview(x)).tolist()"
    if _is_raw(row, side.role) or (tensor and obj.dtype.startswith("q")):
        return f"{name}.untyped_storage().tolist()"
    if "[0]" in parts:
        return f"str({name}.unbind())"
    if tensor and obj.strides is None:
        # a jagged tensor has no dense form: its values alone are a part of it
        return f"{name}.{'values()' if parts == {'values'} else 'to_dense()'}.tolist()"
    if tensor and "zero-tensor" in row.subject.state:
        name = f"{name}.clone()"
    if obj.requires_grad:
        name = f"{name}.detach()"
    if obj.dtype == "bool" and cell is not None and other is not None and other.dtype not in (None, "bool"):
        name = f"{name}.view({'torch' if tensor else 'np'}.uint8)"  # 1 and 100 are both True
    if obj.type == "numpy.ma.MaskedArray" and cell is not None:
        name = f"{name}.data"  # a mask hides values, but no write
    if other is not None and other.shape == obj.shape and math.prod(obj.shape or ()) > _SAMPLED:
        # the item of a masked element is the value under the mask
        item = "tolist" if obj.type == "numpy.ma.MaskedArray" and cell is None else "item"
        return f"{name}{_index(index, obj, nested=False)}.{item}()"
    # a NaN is not equal to itself, and two lists or records with arrays in them cannot be compared
    has_arrays = "(" in obj.dtype or not {"numpy.ndarray", "torch.Tensor"}.isdisjoint(obj.elements or ())
    as_text = has_arrays or _may_hold_nan(row)
    return f"str({name}.tolist())" if as_text else f"{name}.tolist()"


def _is_raw(row: Row, role: str) -> bool:
    """Return True if the dtype has no reader, so that bytes stand for the elements."""
    texts = [text for snapshot in row.evidence.snapshots for text in getattr(snapshot, role) or ()]
    texts += [cell.before for cell in row.evidence.cells if cell.wrote == role]
    return any(text.startswith("0x") for text in texts)


def _may_hold_nan(row: Row) -> bool:
    """Return True if a value may be NaN."""
    by_snapshot = [(*(snapshot.source or ()), *(snapshot.result or ())) for snapshot in row.evidence.snapshots]
    return any("nan" in text for texts in by_snapshot for text in texts)
