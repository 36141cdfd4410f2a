"""How a script reads and writes an object of another library: the code of its carrier, of ``x`` or of ``y``.

Text only, as ``script``: the type is known by the name that a report has for it.
"""

from __future__ import annotations

import re

from tensorbridge_cli.catalog.carriers import ANY_ARRAY, CARRIERS, Carrier
from tensorbridge_cli.records.enums import Library
from tensorbridge_cli.records.report import Extent, Object

Shape = tuple[int, ...]


def carrier_of(obj: Object | None, library: Library) -> Carrier | None:
    """Return the entry for an object of ``library`` by the name of its type; ``None`` if there is none."""
    if obj is None or library is Library.BUFFER:
        return None
    if library is Library.OTHER:
        return ANY_ARRAY
    if obj.type.startswith("pandas."):  # what Series.values gives, which is NumPy's for most
        library = Library.PANDAS
    name = obj.type.rpartition(".")[2]
    entries = [entry for entry in CARRIERS if entry.library is library]
    exact = [entry for entry in entries if name in {full.rpartition(".")[2] for full in entry.types}]
    # pyarrow has a class for the arrays of each type, such as FloatArray
    arrays = [entry for entry in entries if name.endswith("Array") and "pyarrow.lib.Array" in entry.types]
    # pandas has a class for the indexes and the arrays of each kind, such as RangeIndex and IntegerArray
    kinds = [entry for entry in entries if name.endswith("Index") and "pandas.Index" in entry.types]
    kinds += [entry for entry in entries if "pandas.api.extensions.ExtensionArray" in entry.types]
    # and Pillow for the images of each format, such as PngImageFile
    images = [entry for entry in entries if name.endswith("ImageFile") and "PIL.Image.Image" in entry.types]
    return next(iter([*exact, *arrays, *images, *kinds]), None)


def values(carrier: Carrier, name: str) -> str:
    """Return the expression of all values of the object ``name``, as text: a missing one is not equal to itself."""
    return f"str({_of(name, carrier.values)})"


def element(carrier: Carrier, name: str, index: Shape) -> str:
    """Return the expression of one value, as text."""
    return f"str({at(carrier, name, index)})"


def at(carrier: Carrier, name: str, index: Shape) -> str:
    """Return the expression of one value."""
    return _of(name, _at(carrier.element, index))


def written(carrier: Carrier, name: str, index: Shape, extents: tuple[Extent, ...]) -> str:
    """Return the expression of one value of what ``write`` writes: of a sparse array, one that it stores."""
    return at(carrier, name, index) if carrier.assign else _of(name, _at(_stored(extents), index))


def write(carrier: Carrier, name: str, index: Shape, value: str, extents: tuple[Extent, ...]) -> str:
    """Return the statement that writes ``value``, as the library lets a user write it."""
    code = carrier.assign or f"{_stored(extents)} = value"
    # the value comes last: its text may have an x
    return re.sub(r"\bvalue\b", lambda _: value, _of(name, _at(code, index)))


def _stored(extents: tuple[Extent, ...]) -> str:
    return f"x.{extents[0].part if extents else 'data'}[{{index}}]"


def address(carrier: Carrier, name: str) -> str | None:
    """Return the expression of where the first element lies; ``None`` if the object does not tell."""
    return _of(name, carrier.address) if carrier.address else None


def _at(code: str, index: Shape) -> str:
    return code.format(index=", ".join(map(str, index)) or "()", each="".join(f"[{i}]" for i in index) or "[()]")


def _of(name: str, code: str) -> str:
    return re.sub(r"\bx\b", name, code)
