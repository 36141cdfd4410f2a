"""How a script reaches and reads the elements of the source and of the result."""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass

from tensorbridge_cli.catalog.carriers import Carrier
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.explain.script import objects
from tensorbridge_cli.records.enums import Library
from tensorbridge_cli.records.report import Cell, Extent, Object, Row

Shape = tuple[int, ...]

SAMPLED = 4096
"""Beyond this many elements only the one that is written is inspected."""


@dataclass(frozen=True)
class Side:
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


def sides_of(row: Row) -> tuple[Side, Side]:
    """Return the source and the result of a row."""
    extents, way = row.evidence.extents, row.direction
    return (
        Side("source", "x", row.source, extents.source, objects.carrier_of(row.source, way.source)),
        Side("result", "y", row.result, extents.result, objects.carrier_of(row.result, way.target)),
    )


def is_tensor(obj: Object) -> bool:
    """Return True for a tensor, or an object of another class of torch."""
    return obj.type.startswith("torch.")


def index_code(index: Shape, target: Object, *, nested: bool) -> str:
    """Return an index as typed; nested lists and arrays of ctypes have one bracket a dimension."""
    if target.type.startswith("ctypes.") and not index:
        return ".value"
    if (target.type == "list" and nested) or (index and "_Array_" in target.type):
        return "".join(f"[{i}]" for i in index)
    return f"[{', '.join(map(str, index)) or '()'}]"


def part_code(name: str, obj: Object, extents: tuple[Extent, ...]) -> str:
    """Return how the part that is written is reached: the values of a sparse tensor, the first row of a nested one."""
    names = {extent.part for extent in extents}
    if "indices" in names:
        return f"{name}._values()"
    if "values" in names:
        return f"{name}.values()"
    if "[0]" in names and is_tensor(obj):
        return f"{name}.unbind()[0]"
    first = extents[0].part if extents else ""
    return f"{name}{first}" if _IN_LISTS.fullmatch(first) else name


_IN_LISTS = re.compile(r"(\[\d+\])+")
"""How a part of a list within lists is reached."""


def part_of_container(name: str, obj: Object, part: str) -> str:
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
    return obj.type not in ("list", "tuple") and all(one.part.startswith(("[", ".")) for one in extents)


def packs(obj: Object) -> bool:
    """Return True if several elements lie in a byte."""
    return obj.dtype in ("quint4x2", "quint2x4")


def offset_of(target: Object, index: Shape) -> int:
    """Return the bytes from the first element to that at ``index``."""
    if packs(target):
        place = 0
        for i, n in zip(index, target.shape or (), strict=True):
            place = place * n + i
        return place // int(str(target.dtype)[-1])
    return sum(i * stride for i, stride in zip(index, target.strides or (), strict=True))


def read_where_they_differ(row: Row, side: Side, opposite: Side) -> str:
    """Return the expression of all that a reader of one object sees; of many elements, of the first that differs."""
    found = re.search(r"first at \[([0-9, ]+)\]", row.evidence.difference or "")
    at = tuple(int(i) for i in found[1].split(",")) if found else ()
    shape = () if side.obj is None else side.obj.shape or ()
    return read(row, side, opposite, at=at if len(at) == len(shape) else (0,) * len(shape))


def read(row: Row, side: Side, opposite: Side, cell: Cell | None = None, at: tuple[int, ...] = ()) -> str:
    """Return the expression of all that a reader of one object sees; of the one element, where there are many."""
    name, obj = side.name, side.obj
    assert obj is not None
    index = at if cell is None else cell.index
    is_large = math.prod(obj.shape or ()) > SAMPLED
    if side.carrier is not None:
        # a place in the data of a sparse object is none in the object
        if is_large and len(index) == len(obj.shape or ()):
            return objects.element(side.carrier, name, index)
        return objects.values(side.carrier, name)
    if obj.dtype is None:
        return _parts(name, obj, side.extents)
    if opposite.carrier is not None:
        # a carrier gives its values in a row, and as text
        if obj.strides is None and is_tensor(obj):
            return f"str({name}.values().tolist())"
        flat = name if len(obj.shape or ()) == 1 else f"{name}.reshape(-1)"  # an array of pandas has no reshape
        return f"str({flat}{'[0].item()' if is_large else '.tolist()'})"
    if side.role == "source" and row.subject.library is Library.BUFFER:
        return "np.asarray(memoryview(x)).tolist()"
    if _is_raw(row, side.role) or (is_tensor(obj) and obj.dtype.startswith("q")):
        return f"{name}.untyped_storage().tolist()"
    parts = {extent.part for extent in side.extents}
    if "[0]" in parts:
        return f"str({name}.unbind())"
    if is_tensor(obj) and obj.strides is None:
        # a jagged tensor has no dense form: its values alone are a part of it
        return f"{name}.{'values()' if parts == {'values'} else 'to_dense()'}.tolist()"
    name = _readable(row, name, obj, opposite.obj, is_written=cell is not None)
    if is_large and opposite.obj is not None and opposite.obj.shape == obj.shape:
        # the item of a masked element is the value under the mask
        item = "tolist" if obj.type == "numpy.ma.MaskedArray" and cell is None else "item"
        return f"{name}{index_code(index, obj, nested=False)}.{item}()"
    # a NaN is not equal to itself, and two lists or records with arrays in them cannot be compared
    has_arrays = "(" in obj.dtype or not {"numpy.ndarray", "torch.Tensor"}.isdisjoint(obj.elements or ())
    return f"str({name}.tolist())" if has_arrays or _may_hold_nan(row) else f"{name}.tolist()"


def _parts(name: str, obj: Object, extents: tuple[Extent, ...]) -> str:
    """Return the expression of all that a container holds."""
    if not extents or not _is_container(obj, extents):
        return f"str({name})"
    return f"str([{', '.join(f'{part_of_container(name, obj, extent.part)}.tolist()' for extent in extents)}])"


def _readable(row: Row, name: str, obj: Object, other: Object | None, *, is_written: bool) -> str:
    """Return the expression of an array or a tensor as it can be read, and a write to it or ``other`` be seen."""
    if is_tensor(obj) and "zero-tensor" in row.subject.state:
        name = f"{name}.clone()"
    if obj.requires_grad:
        name = f"{name}.detach()"
    if is_written and obj.dtype == "bool" and other is not None and other.dtype not in (None, "bool"):
        name = f"{name}.view({'torch' if is_tensor(obj) else 'np'}.uint8)"  # 1 and 100 are both True
    if is_written and obj.type == "numpy.ma.MaskedArray":
        name = f"{name}.data"  # a mask hides values, but no write
    return name


def _is_raw(row: Row, role: str) -> bool:
    """Return True if the dtype has no reader, so that bytes stand for the elements."""
    texts = [text for snapshot in row.evidence.snapshots for text in getattr(snapshot, role) or ()]
    texts += [cell.before for cell in row.evidence.cells if cell.wrote == role]
    return any(text.startswith("0x") for text in texts)


def _may_hold_nan(row: Row) -> bool:
    """Return True if a value may be NaN."""
    by_snapshot = [(*(snapshot.source or ()), *(snapshot.result or ())) for snapshot in row.evidence.snapshots]
    return any("nan" in text for texts in by_snapshot for text in texts)
