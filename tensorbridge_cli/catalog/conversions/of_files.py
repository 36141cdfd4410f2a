"""Conversions from datasets of h5py and arrays of zarr: what is read from a file is a copy.

Each is one entry, with its documented rules, its pitfalls and its hook; see ``to_torch``. Nothing here imports h5py or
zarr.
"""

from __future__ import annotations

from tensorbridge_cli.catalog.conversions.to_torch import of_its_array
from tensorbridge_cli.catalog.entry import H5PY, NUMPY, ZARR, Conversion
from tensorbridge_cli.catalog.hooks import ComposedOf, InterceptedAt
from tensorbridge_cli.catalog.pitfalls import Pitfall
from tensorbridge_cli.records.enums import Library

H5PY_PAGE = "https://docs.h5py.org/en/stable/high/dataset.html"
ZARR_PAGE = "https://zarr.readthedocs.io/en/stable/api/zarr/array/"

# in memory, so that the page of a conversion can show them
_H5PY = (
    "(lambda file: file.create_dataset('x', data=np.arange(4.0)))"
    "(__import__('h5py').File('x', 'w', driver='core', backing_store=False))"
)
_ZARR = "__import__('zarr').array(np.arange(4.0))"
_KINDS: tuple[tuple[Library, str, str, str, tuple[str, ...]], ...] = (
    (H5PY, "h5py.Dataset", H5PY_PAGE, _H5PY, ("[...]", "[()]")),
    (ZARR, "zarr.Array", ZARR_PAGE, _ZARR, ("[...]", "[:]")),
)
_READ_AGAIN = "Each time the elements are read from the file again: read them once."


def _of(library: Library, name: str, page: str, example: str, indexes: tuple[str, ...]) -> tuple[Conversion, ...]:
    """Return the conversions of one library."""
    arrays = tuple(
        Conversion(
            name=f"{name}{index}",
            sources=(library,),
            target=NUMPY,
            code=f"x{index}",
            page=page,
            hook=InterceptedAt(f"{name}.__getitem__") if index == "[...]" else ComposedOf((f"{name}[...]",)),
            summary="All elements, read into a new array.",
            rules=(),
            pitfalls=(
                Pitfall(text=_READ_AGAIN, shows="copied", expr=example),
                Pitfall(text="A write to the array does not change the file.", shows="copied", expr=example),
            ),
        )
        for index in indexes
    )
    tensor = of_its_array(
        library,
        name,
        "{}[...]",
        Pitfall(text=_READ_AGAIN, shows="copied", expr=example),
        summary="All elements, read into the memory of a new tensor.",
    )
    return (*arrays, tensor)


CONVERSIONS: tuple[Conversion, ...] = tuple(entry for kind in _KINDS for entry in _of(*kind))
