"""The lines of a script that make the source ``x``."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from tensorbridge_cli.catalog import layouts, states
from tensorbridge_cli.catalog.constructors import CONSTRUCTORS, Constructor
from tensorbridge_cli.catalog.dtypes import is_structured
from tensorbridge_cli.catalog.file_formats import BY_ENDING, RAW_ARRAY, RAW_TENSOR, format_of
from tensorbridge_cli.catalog.layouts import CannotBuildError, Recipe
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.explain.script.access import SAMPLED
from tensorbridge_cli.explain.script.text import dotted_name, literal, one_expression, shortened
from tensorbridge_cli.records.enums import Library, Origin, Outcome, Values
from tensorbridge_cli.records.report import Row, Subject

Shape = tuple[int, ...]

_COUNTED = 97
"""Values are counted up to this prime, which every dtype holds and which stays below what is written, 100 and 111."""


def source_lines(row: Row) -> list[str]:
    """Return the lines that make ``x``."""
    subject = row.subject
    if subject.origin is Origin.GENERATED:
        return _generated(row)
    given = (subject.given or "").strip()
    if subject.origin is Origin.FILE:
        return _from_file(given, subject)
    if subject.origin is Origin.EXPRESSION:
        given = one_expression(given)
        return [f"x = ({given})" if "\n" in given else f"x = {given}"]
    module, _, path = given.partition(":")
    module, path = dotted_name(module), dotted_name(path)
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
    dtype = dtype_code(subject.dtype, library)
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
        return f"torch._empty_affine_quantized({shape}, scale=0.1, zero_point=10, dtype={dtype_code(name, library)})"
    # zeros take no memory; a sparse object holds none
    is_sparse = "sparse" in row.subject.state or row.subject.library is Library.SCIPY
    is_zero = size > SAMPLED and row.values is not Values.CHANGED and not is_sparse
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
    dtype = dtype_code(name, library)
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
    return void_size(name) if name.startswith("V") else 2 if name == "bits16" else 1


def void_size(name: str) -> int:
    """Return the bytes of an element of the dtype ``V12``."""
    if not re.fullmatch(r"V[0-9]{1,9}", name):
        raise RequestError(f"this row of the report is damaged: {shortened(name)} is not a dtype.")
    return int(name[1:])


def dtype_code(name: str, library: str) -> str:
    """Return how a dtype is typed in ``library``."""
    if library == "torch":
        return f"torch.{dotted_name(name)}"
    if is_structured(name):
        return f"np.dtype({dtype_name(name)})"
    plain = name.isidentifier() and name.isascii() and name[0] not in "USV"
    return f"np.{_NUMPY_NAMES.get(name, name)}" if plain else f"np.dtype({name!r})"


def dtype_name(name: str) -> str:
    """Return the name of a dtype as it stands in a call: of a structured one the list or the dict that it is."""
    return literal(name) if is_structured(name) else dotted_name(name)


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
        dtype = dtype_code(subject.dtype, "torch")
    elif entry is RAW_ARRAY:
        dtype = f"np.dtype({dtype_code(subject.dtype, 'np')})"
        dtype = f"{dtype}.newbyteorder()" if "byte-swapped" in subject.layout else dtype
    lines = entry.typed(path, key, mapped=mapped, mode="r" if read_only else "c", dtype=dtype, shape=subject.shape)
    is_unlocked = read_only and not mapped and subject.library is Library.NUMPY
    return [*lines, states.BY_NAME["read-only"].code] if is_unlocked else lines


def _path_and_key(given: str) -> tuple[str, str | None]:
    named = "|".join(re.escape(ending) for ending, entry in BY_ENDING.items() if entry.holds)
    match = re.fullmatch(rf"(.+(?:{named})):(.+)", given, re.IGNORECASE)
    return (match[1], match[2]) if match else (given, None)
