"""The file formats that hold arrays and tensors: one entry per format, as the code that a user would type.

The opener of files (``subjects.files``) runs that code and a script (``repro``) prints it: each format has one text.
Nothing here imports a library.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Optional

from tensorbridge_cli.compat import dataclass

Shape = tuple[int, ...]
Names = Callable[[Any], Optional[Sequence[str]]]
"""Called with what a file contains; returns the names in it, ``None`` if it is a single array."""


@dataclass(frozen=True, kw_only=True)
class FileFormat:
    """One format.

    In the code ``{path}`` and ``{key}`` stand for the file and the name in it. ``{dtype}``, ``{shape}`` and ``{size}``,
    the number of elements, are those of raw binary. A ``{mode}`` is that of a map: read-only ``r`` or copy-on-write
    ``c``, never one that writes to the user's file.

    Attributes:
        endings: how the names of such files end, in lower case.
        code: the expression of what the file contains.
        mapped: the same over a map of the file; empty if there is none.
        imports: the statement that imports what the code needs besides numpy and torch.
        library: what that is called.
        install: what pip installs, if it has another name.
        holds: what has a name in the file; empty if it contains one array without a name.
        names: how the names are found. The opener has code of its own for a format without.
        dotted: the statements for a ``{key}`` that is a path of names in the content, which is ``{opened}``; empty if a
            name is one name.
        only: the statements for the only array of a file, if no name is given; empty if all that is opened is taken.
        lazy: the object reads its array when it is converted: it must fit in memory then.
        read_only: the array can be read-only. If it can be neither this nor mapped, ``library`` decides its state.
    """

    endings: tuple[str, ...] = ()
    code: str
    mapped: str = ""
    imports: str = ""
    library: str = ""
    install: str = ""
    holds: str = ""
    names: Names | None = None
    dotted: str = ""
    only: str = ""
    lazy: bool = False
    read_only: bool = False

    def typed(
        self, path: str, key: str | None, *, mapped: bool, mode: str, dtype: str = "", shape: Shape = ()
    ) -> list[str]:
        """Return the lines that make ``x`` of a file; the dtype of raw binary is written ``dtype``."""
        code = self.mapped if mapped and self.mapped else self.code
        opened = code.format(path=repr(path), mode=mode, dtype=dtype, shape=shape, size=math.prod(shape))
        if key is None:
            statements = self.only or "x = {opened}"
        elif self.dotted and not key.isidentifier():
            statements = self.dotted
        else:
            statements = "x = {opened}[{key!r}]"
        lines = statements.format(opened=opened, key=key).splitlines()
        return [self.imports, *lines] if self.imports else lines


_STEP_BY_STEP = """\
x = {opened}
name = {key!r} + "."
while name:
    steps = x if isinstance(x, dict) else range(len(x))
    step = max((s for s in steps if name.startswith(f"{{s}}.")), key=lambda s: len(str(s)))
    x, name = x[step], name[len(str(step)) + 1 :]"""
"""Follow a dotted name into dicts and lists, whose own names may have dots."""


_FIRST_TENSOR = """\
inside = [{opened}]
for x in inside:
    if torch.is_tensor(x):
        break
    inside += x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else []"""
"""Find the tensor in dicts and lists: each adds what it holds to the list that is gone through."""


def _columns(table: Any) -> Sequence[str]:
    names: Sequence[str] = table.column_names
    return names


def _datasets(file: Any) -> Sequence[str]:
    """Return the paths of all that has a shape in an HDF5 file; a group, a named type and an ``Empty`` have none."""
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if getattr(item, "shape", None) is not None else None)
    return names


def _arrays(opened: Any) -> Sequence[str] | None:
    """Return the paths of the arrays in all groups of zarr; a group has no shape."""
    if hasattr(opened, "shape"):
        return None
    return [name for name, item in opened.members(max_depth=None) if hasattr(item, "shape")]


ARROW_FILE = FileFormat(
    endings=(".arrow", ".feather"),
    code="pa.ipc.open_file(pa.OSFile({path})).read_all()",
    mapped="pa.ipc.open_file(pa.memory_map({path})).read_all()",
    imports="import pyarrow as pa",
    library="pyarrow",
    holds="column",
    names=_columns,
    read_only=True,
)
ARROW_STREAM = replace(
    ARROW_FILE,
    endings=(".arrows",),
    code="pa.ipc.open_stream(pa.OSFile({path})).read_all()",
    mapped="pa.ipc.open_stream(pa.memory_map({path})).read_all()",
)
_STARTS_STREAM = b"\xff\xff\xff\xff"  # the continuation indicator before each message; a file starts with ARROW1

FORMATS: tuple[FileFormat, ...] = (
    FileFormat(
        endings=(".npy",),
        code="np.load({path})",
        mapped='np.load({path}, mmap_mode="{mode}")',
        read_only=True,
    ),
    FileFormat(
        endings=(".npz",),
        code="np.load({path})",
        holds="array",
        only="x = next(iter({opened}.values()))",
        read_only=True,
    ),
    FileFormat(
        endings=(".pt", ".pth"),
        code='torch.load({path}, map_location="cpu", weights_only=True)',
        mapped='torch.load({path}, map_location="cpu", weights_only=True, mmap=True)',
        holds="tensor",
        dotted=_STEP_BY_STEP,
        only=_FIRST_TENSOR,
    ),
    FileFormat(
        endings=(".safetensors",),
        code="load_file({path})",
        mapped="load_file({path})",  # always over a private map
        imports="from safetensors.torch import load_file",
        library="safetensors",
        install='"tensorbridge-cli[safetensors]"',
        holds="tensor",
        only="x = next(iter({opened}.values()))",
    ),
    ARROW_FILE,
    ARROW_STREAM,
    FileFormat(
        endings=(".parquet",),
        code="pyarrow.parquet.read_table({path})",
        imports="import pyarrow.parquet",
        library="pyarrow",
        holds="column",
        names=_columns,
        read_only=True,
    ),
    FileFormat(
        endings=(".h5", ".hdf5"),
        code="h5py.File({path}, 'r')",
        imports="import h5py",
        library="h5py",
        holds="array",
        names=_datasets,
        lazy=True,
        only="x = {opened}.visititems(lambda name, item: item if getattr(item, 'shape', None) is not None else None)",
    ),
    FileFormat(
        endings=(".zarr",),
        code="zarr.open({path}, mode='r')",
        imports="import zarr",
        library="zarr",
        holds="array",
        names=_arrays,
        lazy=True,
        only="x = {opened}\n"
        "x = x if isinstance(x, zarr.Array) else next("
        "a for _, a in x.members(max_depth=None) if isinstance(a, zarr.Array))",
    ),
    FileFormat(
        endings=(".png",),
        code="PIL.Image.open({path})",
        imports="import PIL.Image",
        library="pillow",
    ),
)

RAW_ARRAY = FileFormat(
    code="np.fromfile({path}, {dtype}).reshape({shape})",
    mapped='np.memmap({path}, {dtype}, "{mode}", shape={shape})',
    read_only=True,
)
RAW_TENSOR = FileFormat(code="torch.from_file({path}, shared=False, size={size}, dtype={dtype}).view({shape})")
"""Raw binary, which has any other ending, in a dtype that NumPy has, or PyTorch alone."""

BY_ENDING = {ending: entry for entry in FORMATS for ending in entry.endings}


def format_of(path: str, raw: FileFormat = RAW_ARRAY) -> FileFormat:
    """Return the format that a file's ending names; any other ending is ``raw``.

    The ``.arrow`` files of Hugging Face datasets are streams: of a file of Arrow's the content decides.
    """
    entry = BY_ENDING.get(os.path.splitext(path)[1].lower(), raw)
    if entry is ARROW_FILE and os.path.isfile(path) and os.access(path, os.R_OK):
        with open(path, "rb") as file:
            return ARROW_STREAM if file.read(len(_STARTS_STREAM)) == _STARTS_STREAM else entry
    return entry
