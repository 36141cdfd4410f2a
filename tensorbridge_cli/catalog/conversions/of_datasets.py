"""Conversions from datasets of Hugging Face, which are tables of Arrow, and to them.

Each is one entry, with its documented rules, its pitfalls and its hook; see ``to_torch``. Nothing here imports
datasets: the pages are cited only for the version that they were read for.
"""

from __future__ import annotations

from collections.abc import Mapping

from tensorbridge_cli.catalog.documentation import HEDGED
from tensorbridge_cli.catalog.entry import ARROW, DATASETS, NUMPY, TORCH, Conversion
from tensorbridge_cli.catalog.hooks import NoHook
from tensorbridge_cli.catalog.pitfalls import Pitfall
from tensorbridge_cli.records.enums import Library

_DOCS = "https://huggingface.co/docs/datasets/"
TORCH_PAGE = _DOCS + "use_with_pytorch"
ARROW_PAGE = _DOCS + "use_with_pyarrow"
NUMPY_PAGE = _DOCS + "use_with_numpy"
FROM_DICT_PAGE = _DOCS + "package_reference/main_classes"
UNTESTED: dict[str, Mapping[str, str]] = {
    TORCH_PAGE: {
        "A Dataset object is a wrapper of an Arrow table, which allows fast zero-copy reads from arrays in the "
        "dataset to PyTorch tensors.": HEDGED
    },
    ARROW_PAGE: {
        "This is particularly useful as it allows fast zero-copy operations, since datasets uses PyArrow under the "
        "hood.": HEDGED
    },
}
"""The sentences of a page that promise, forbid or warn, and why no experiment is held against each."""

_FLOATS = "__import__('datasets').Dataset.from_dict({'x': np.arange(4.0)})"
_NARROWS = "float64 becomes float32: pass dtype={}.float64 to with_format to keep it."
_COPIES = "Each time the elements are read, one by one, into new memory: read a column once."


_INDEXED = NoHook("what a column of a dataset gives depends on the format, whose code the library runs")


def _read_as(kind: str, target: Library, page: str, *pitfalls: Pitfall) -> Conversion:
    """Return the conversion that reads the first column in one of the formats."""
    return Conversion(
        name=f"Dataset.with_format({kind})[column][:]",
        sources=(DATASETS,),
        target=target,
        code=f"x.with_format({kind!r})[x.column_names[0]][:]",
        page=page,
        hook=_INDEXED,
        summary=f"The first column, in the format {kind}.",
        rules=(),
        pitfalls=pitfalls,
    )


def _pitfalls_of_a_copy(module: str) -> tuple[Pitfall, ...]:
    """Return those of the formats that copy; ``module`` has the dtypes of one."""
    return (
        Pitfall(text=_NARROWS.format(module), shows="dtype-changed", expr=_FLOATS),
        Pitfall(text=_COPIES, shows="copied", expr=_FLOATS),
    )


CONVERSIONS: tuple[Conversion, ...] = (
    _read_as("numpy", NUMPY, NUMPY_PAGE, *_pitfalls_of_a_copy("np")),
    _read_as("torch", TORCH, TORCH_PAGE, *_pitfalls_of_a_copy("torch")),
    _read_as(
        "arrow",
        ARROW,
        ARROW_PAGE,
        Pitfall(text="It is the memory of the dataset itself, or of its mapped file.", shows="shared", expr=_FLOATS),
    ),
    Conversion(
        name="Dataset.from_dict",
        sources=(NUMPY,),
        target=DATASETS,
        code="datasets.Dataset.from_dict({'x': x})",
        setup="import datasets",
        page=FROM_DICT_PAGE,
        hook=_INDEXED,
        needs="datasets.Dataset",
        summary="A dataset whose one column is an array.",
        rules=(),
        pitfalls=(Pitfall(text="A write to the array does not change the dataset.", shows="copied"),),
    ),
)
