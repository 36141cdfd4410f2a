"""A user's file as the subject of an experiment: opened as its user would, never unpickled, never changed.

``parse`` checks what can be checked without numpy and torch; ``load`` and ``open_code`` import them.
"""

from __future__ import annotations

import importlib
import math
import mmap
import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from difflib import get_close_matches
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from tensorbridge_cli.catalog import dtypes
from tensorbridge_cli.errors import RequestError, TensorbridgeError, UnavailableError, unknown
from tensorbridge_cli.memory.available import available

if TYPE_CHECKING:
    import numpy as np
    import torch

MAPPED, READ_ONLY, COPY_ON_WRITE = "memory-mapped", "read-only", "copy-on-write"
WORDS = (MAPPED, READ_ONLY, COPY_ON_WRITE)

_NAMES_SHOWN = 8
_READ_UP_TO = 64 << 20
"""A file of up to so many bytes is read, as its user's ``np.load`` or ``torch.load`` does; a larger one is mapped."""

_NPY, _ZIP, _LEGACY, _PICKLE = "a .npy file", "a zip archive", "a legacy torch file", "a pickle"
_MAGIC = {
    b"\x93NUMPY": _NPY,
    b"PK\x03\x04": _ZIP,
    b"PK\x05\x06": _ZIP,
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.": _LEGACY,
    b"\x80": _PICKLE,
}


@dataclass(frozen=True)
class FileSpec:
    """A file, the name inside it, how raw bytes are read, and the state that is asked for.

    ``path`` is absolute, because experiments run in folders of their own; messages give it ``as_typed``.
    """

    path: str
    as_typed: str
    key: str | None
    dtype: str | None
    shape: tuple[int, ...] | None
    words: frozenset[str]

    @property
    def ending(self) -> str:
        """The file's ending in lower case, with its dot."""
        return os.path.splitext(self.path)[1].lower()

    @property
    def mapped(self) -> bool:
        """Return True if the map itself is asked for; ``copy-on-write`` is a map's property."""
        return bool(self.words & {MAPPED, COPY_ON_WRITE})


def parse(
    text: str,
    *,
    dtype: str | None = None,
    shape: tuple[int, ...] | None = None,
    words: frozenset[str] = frozenset(),
) -> FileSpec:
    """Read ``path`` or ``path:name``; a text that is itself the path of something has no name in it.

    Raises:
        RequestError: for a file that is missing, empty or no regular file, and for options that do not fit its format.
    """
    path, key = _split(text)
    spec = FileSpec(path and os.path.abspath(path), path, key, dtype, shape, words)
    _check(spec)
    return spec


def load(spec: FileSpec) -> Any:
    """Open the subject: what ``np.load``, ``torch.load`` or the library of the file gives.

    A large array or tensor is over a private map, if the format allows.

    Of h5py, zarr and Pillow it is their own object, opened read-only.

    Raises:
        RequestError: if the file is not what its ending says, would have to be unpickled, or has no such name in it.
        UnavailableError: if it does not fit in memory, or the library that opens it is not installed.
    """
    return _open(spec).subject


def open_code(spec: FileSpec) -> str:
    """Return the expression that gives the same object, in terms of ``np``, ``torch`` and ``safetensors.torch``.

    Raises:
        RequestError: as ``load``, because names and dtypes are looked up where they are.
        UnavailableError: as ``load``.
    """
    return _open(spec).code


@dataclass(frozen=True)
class _Opened:
    subject: Any
    code: str


@dataclass(frozen=True)
class _Format:
    """What a kind of file can be asked for, and how it is opened.

    ``library`` is the one whose own object is the subject, if that is neither NumPy nor PyTorch.
    """

    open: Callable[[FileSpec], _Opened]
    named: bool
    mappable: bool
    read_only: bool
    library: str = ""


def _split(text: str) -> tuple[str, str | None]:
    if not os.path.exists(text):
        for colon in reversed([at for at, letter in enumerate(text) if letter == ":"]):
            path, key = text[:colon], text[colon + 1 :]
            drive = len(path) == 1 and path.isalpha() and key.startswith(("/", "\\"))
            if not drive and os.path.exists(path):
                return path, key
    return text, None


def _check(spec: FileSpec) -> None:
    """Refuse what is wrong whatever the file's bytes are.

    Raises:
        RequestError: with what would be right.
    """
    path, ending, words = spec.as_typed, spec.ending, spec.words
    is_folder = ending == _ZARR and os.path.isdir(spec.path)
    if not os.path.isfile(spec.path) and not is_folder:
        raise RequestError(_no_file(spec))
    if not os.access(spec.path, os.R_OK):
        raise RequestError(f"no permission to read {path!r}.")
    if ending in _FORMATS:
        if spec.dtype is not None or spec.shape is not None:
            raise RequestError(f"a {ending} file contains its dtype and shape: omit --dtype and --shape.")
        if not os.path.getsize(spec.path):
            raise RequestError(f"{path!r} is empty.")
    elif spec.dtype is None or spec.shape is None:
        known = ", ".join(_FORMATS)
        raise RequestError(f"{path!r} has no known extension ({known}): for raw binary, specify --dtype and --shape.")
    elif min(spec.shape, default=0) < 0:
        raise RequestError(f"shape {spec.shape} has a negative dimension.")
    form = _FORMATS.get(ending, _RAW)
    if spec.key is not None and not form.named:
        raise RequestError(_no_names(spec))
    if spec.key == "":
        raise RequestError(f"the name after {path + ':'!r} is missing.")
    for word in sorted(words.difference(WORDS)):
        raise unknown("state of a file", word, WORDS)
    if words and form.library:
        raise RequestError(f"a {ending} file is opened by {form.library}: omit --state.")
    if READ_ONLY in words and not form.read_only:
        raise RequestError(f"a {ending} file contains a tensor, and torch has no read-only tensors.")
    if {READ_ONLY, COPY_ON_WRITE} <= words:
        raise RequestError(f"{READ_ONLY} and {COPY_ON_WRITE} cannot be combined.")
    if not form.mappable:
        _need_no_map(spec)


def _no_file(spec: FileSpec) -> str:
    path = spec.as_typed
    if os.path.isdir(spec.path):
        return f"{path!r} is a directory: specify a file in it."
    if os.path.exists(spec.path):
        return f"{path!r} is not a regular file."
    if "://" in path:
        return f"{path!r} is not a local file, and nothing is downloaded."
    return f"file {path!r} does not exist."


def _no_names(spec: FileSpec) -> str:
    return f"{spec.as_typed!r} contains one array without a name: omit {':' + str(spec.key)!r}."


def _need_no_map(spec: FileSpec) -> None:
    if spec.mapped:
        raise RequestError(f"{spec.as_typed!r} cannot be {MAPPED}: it must be read into memory.")


def _open(spec: FileSpec) -> _Opened:
    _check(spec)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _FORMATS.get(spec.ending, _RAW).open(spec)
    except TensorbridgeError:
        raise
    except Exception as error:  # numpy, torch and zipfile raise nearly anything where a file is damaged
        raise _refusal(spec, error) from error


def _refusal(spec: FileSpec, error: Exception) -> TensorbridgeError:
    text = "".join(filter(str.isprintable, " ".join(str(error).split())))
    why = re.split(r"[.;] ", text)[0][:120].rstrip(".") or type(error).__name__
    if isinstance(error, MemoryError) or "Cannot allocate memory" in text:
        return UnavailableError(f"{spec.as_typed!r} does not fit in memory ({why}).")
    if re.search("Object arrays|Python objects", text):
        return RequestError(_needs_unpickling(spec, "an array of Python objects"))
    if isinstance(error, pickle.UnpicklingError):
        if name := re.search(r"GLOBAL (\S+)", text):
            return RequestError(_needs_unpickling(spec, repr(name[1])))
        why = "torch.load(weights_only=True) rejects it"
    return RequestError(_damaged(spec, why))


def _damaged(spec: FileSpec, why: str) -> str:
    if spec.ending in _FORMATS:
        return f"{spec.as_typed!r} is damaged, truncated or not a {spec.ending} file ({why})."
    return f"{spec.as_typed!r} cannot be opened as {spec.dtype} of shape {spec.shape} ({why})."


def _needs_unpickling(spec: FileSpec, what: str) -> str:
    code = "which only unpickling can load. It is not loaded because unpickling runs code from the file."
    return f"{spec.as_typed!r} contains {what}, {code}"


def _kind(spec: FileSpec, *wanted: str) -> str:
    """Tell the kind of file by its first bytes.

    Raises:
        RequestError: if it is none of those ``wanted``.
    """
    with open(spec.path, "rb") as file:
        head = file.read(max(map(len, _MAGIC)))
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    if kind == _PICKLE:
        raise RequestError(_needs_unpickling(spec, "a bare pickle"))
    if kind is None or kind not in wanted:
        beginning = f"it starts like {kind}" if kind else f"it starts with {head[:8]!r}"
        raise RequestError(_damaged(spec, beginning))
    return kind


def _choose(spec: FileSpec, names: Sequence[str]) -> str:
    """Return the name that is asked for, or the only one.

    Raises:
        RequestError: if there is no such name, or several and none was asked for.
    """
    path, key, what = spec.as_typed, spec.key, _HOLDS.get(spec.ending, "tensor")
    if key is not None and key in names:
        return key
    if not names:
        raise RequestError(f"{path!r} contains no {what}.")
    if key is None:
        if len(names) == 1:
            return names[0]
        raise RequestError(
            f"{path!r} contains several {what}s: specify one as {path + ':NAME'!r}, with NAME one of {_listed(names)}."
        )
    if below := [name for name in names if name.startswith(f"{key}.")]:
        raise RequestError(f"{key!r} in {path!r} is not one {what} but contains several: {_listed(below)}.")
    near = get_close_matches(key, names, n=4, cutoff=0.5)
    options = f"did you mean {_listed(near)}?" if near else f"it contains {_listed(names)}."
    raise RequestError(f"{path!r} has no {what} {key!r}: {options}")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_NAMES_SHOWN]))
    return f"{shown} and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else shown


def _need_memory(spec: FileSpec, nbytes: int) -> None:
    free = available()
    if nbytes > free:
        raise UnavailableError(f"{spec.as_typed!r} needs {nbytes} bytes of memory, and {free} are available.")


def _array(array: np.ndarray[Any, Any], code: str, spec: FileSpec) -> _Opened:
    """Make a map the plain array that it is asked for as, and that read-only."""
    import numpy as np

    if isinstance(array, np.memmap):
        if spec.mapped:
            return _Opened(array, code)
        array, code = array.view(np.ndarray), f"{code}.view(np.ndarray)"
    if READ_ONLY in spec.words:
        array.setflags(write=False)
        code = f"[a := {code}, a.setflags(write=False)][0]"
    return _Opened(array, code)


def _mode(spec: FileSpec) -> Literal["r", "c"]:
    return "r" if spec.mapped and READ_ONLY in spec.words else "c"


def _open_npy(spec: FileSpec) -> _Opened:
    import numpy as np

    _kind(spec, _NPY)
    # mapped first: that refuses a header that promises more than there is, for which reading would allocate memory
    mapped = np.load(spec.path, mmap_mode=_mode(spec), allow_pickle=False)
    if spec.mapped:
        return _array(mapped, f"np.load({spec.path!r}, mmap_mode={_mode(spec)!r})", spec)
    array = np.load(spec.path, allow_pickle=False) if mapped.nbytes <= _READ_UP_TO else _without_header(mapped, spec)
    return _array(array, f"np.load({spec.path!r})", spec)


def _without_header(mapped: np.memmap[Any, Any], spec: FileSpec) -> np.ndarray[Any, Any]:
    """Return an array over a private map of the file; its buffer begins, as one that was read does, at the elements."""
    import numpy as np

    with open(spec.path, "rb") as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    order: Literal["C", "F"] = "C" if mapped.flags.c_contiguous else "F"
    # np.ndarray(buffer=) would look through the memoryview and keep the whole map
    flat = np.frombuffer(content[mapped.offset : mapped.offset + mapped.nbytes], mapped.dtype)
    return flat.reshape(mapped.shape, order=order)


def _open_npz(spec: FileSpec) -> _Opened:
    import numpy as np

    _kind(spec, _ZIP)
    # numpy leaves a file of its own open where the archive is damaged
    with open(spec.path, "rb") as file, np.load(file, allow_pickle=False) as archive:
        entries = [entry for entry in archive.zip.infolist() if entry.filename.endswith(".npy")]
        sizes = {entry.filename.removesuffix(".npy"): entry.file_size for entry in entries}
        name = _choose(spec, list(sizes))
        _need_memory(spec, sizes[name])
        array = archive[f"{name}.npy"]
    if not isinstance(array, np.ndarray):
        raise RequestError(f"{name!r} in {spec.as_typed!r} is not a .npy file.")
    return _array(array, f"np.load({spec.path!r})[{name!r}]", spec)


def _open_pt(spec: FileSpec) -> _Opened:
    torch = _torch_for(spec)
    mappable = _kind(spec, _ZIP, _LEGACY) == _ZIP and _stored(spec)
    if not mappable:
        _need_no_map(spec)
        _need_memory(spec, os.path.getsize(spec.path))
    mapped = mappable and (spec.mapped or os.path.getsize(spec.path) > _READ_UP_TO)
    # Windows has no such option and only private maps; so has a torch in which this is no context manager yet.
    flags = getattr(mmap, "MAP_PRIVATE", None)
    options = getattr(torch.serialization, "set_default_mmap_options", None)
    with options(flags) if flags and isinstance(options, type) else nullcontext():
        content = torch.load(spec.path, map_location="cpu", weights_only=True, mmap=mapped)
    code = f"torch.load({spec.path!r}, map_location='cpu', weights_only=True, mmap={mapped})"
    if isinstance(content, torch.Tensor):
        if spec.key is not None:
            raise RequestError(_no_names(spec))
        return _Opened(content, code)
    ways: dict[str, tuple[object, ...]] = {}
    for way in _ways(content):
        name = ".".join(map(str, way))
        ways[name] = min(ways.get(name, way), way, key=_longest_first)
    for step in ways[_choose(spec, list(ways))]:
        content = content[step]
        code += f"[{step!r}]"
    return _Opened(content, code)


def _torch_for(spec: FileSpec) -> ModuleType:
    """Return PyTorch, which alone opens the file.

    Raises:
        UnavailableError: if it is not installed.
    """
    from tensorbridge_cli.pytorch import torch

    if torch is None:
        raise UnavailableError(f"{spec.as_typed!r} contains tensors, and PyTorch is not installed.")
    return torch


def _longest_first(way: tuple[object, ...]) -> list[int]:
    """Sort the key ``a.b`` before the ``b`` in the dict ``a``."""
    return [-len(str(step)) for step in way]


def _stored(spec: FileSpec) -> bool:
    """Return True if a file of ``torch.save`` is uncompressed; torch maps a compressed one too, and reads noise.

    Raises:
        RequestError: if the archive is none of ``torch.save``.
    """
    with zipfile.ZipFile(spec.path) as archive:
        entries = archive.infolist()
    names = {entry.filename.partition("/")[2] for entry in entries}
    if "constants.pkl" in names:
        raise RequestError(
            f"{spec.as_typed!r} is a TorchScript program, which contains code: save its state_dict() instead."
        )
    if "data.pkl" not in names:
        raise RequestError(f"{spec.as_typed!r} is a zip archive not created by torch.save.")
    return all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)


def _ways(node: object, above: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Yield the steps to every tensor in dicts and lists, also where those hold themselves."""
    import torch

    if isinstance(node, torch.Tensor):
        yield ()
    elif isinstance(node, (dict, list, tuple)) and not any(node is outer for outer in above):
        children = node.items() if isinstance(node, dict) else enumerate(node)
        for step, child in children:
            for way in _ways(child, (*above, node)):
                yield step, *way


def _open_safetensors(spec: FileSpec) -> _Opened:
    try:
        from safetensors import safe_open
    except ImportError as error:
        command = 'pip install "tensorbridge-cli[safetensors]"'
        raise UnavailableError(f"{spec.as_typed!r} needs safetensors, which is not installed: {command}.") from error
    _torch_for(spec)
    with safe_open(spec.path, framework="pt") as archive:
        name = _choose(spec, archive.keys())
        return _Opened(archive.get_tensor(name), f"safetensors.torch.load_file({spec.path!r})[{name!r}]")


def _open_arrow(spec: FileSpec) -> _Opened:
    """Open a file of Arrow's IPC format, which is also that of Feather: mapped read-only if that is asked for."""
    if COPY_ON_WRITE in spec.words:
        raise RequestError(f"{spec.as_typed!r} cannot be {COPY_ON_WRITE}: pyarrow maps files read-only.")
    pa = _library(spec, "pyarrow")
    name = "memory_map" if spec.mapped else "OSFile"
    table = pa.ipc.open_file(getattr(pa, name)(spec.path)).read_all()
    return _column(spec, table, f"pa.ipc.open_file(pa.{name}({spec.path!r})).read_all()")


def _open_parquet(spec: FileSpec) -> _Opened:
    parquet = _library(spec, "pyarrow.parquet")
    return _column(spec, parquet.read_table(spec.path), f"pyarrow.parquet.read_table({spec.path!r})")


def _library(spec: FileSpec, module: str) -> Any:
    """Return the library that opens the file.

    Raises:
        UnavailableError: if it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = _FORMATS[spec.ending].library or module.partition(".")[0]
        raise UnavailableError(
            f"{spec.as_typed!r} needs {name}, which is not installed: pip install {name}."
        ) from error


def _column(spec: FileSpec, table: Any, code: str) -> _Opened:
    """Return the column that is asked for, or the table."""
    if spec.key is None:
        return _Opened(table, code)
    name = _choose(spec, table.column_names)
    return _Opened(table[name], f"{code}[{name!r}]")


def _open_h5(spec: FileSpec) -> _Opened:
    h5py = _library(spec, "h5py")
    file = h5py.File(spec.path, "r")  # a dataset keeps it open
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    name = _choose(spec, names)
    _need_memory(spec, file[name].nbytes)
    return _Opened(file[name], f"h5py.File({spec.path!r}, 'r')[{name!r}]")


def _open_zarr(spec: FileSpec) -> _Opened:
    zarr = _library(spec, "zarr")
    opened, code = zarr.open(spec.path, mode="r"), f"zarr.open({spec.path!r}, mode='r')"
    if isinstance(opened, zarr.Array):
        if spec.key is not None:
            raise RequestError(_no_names(spec))
    else:
        name = _choose(spec, [name for name, item in opened.members(max_depth=None) if isinstance(item, zarr.Array)])
        opened, code = opened[name], f"{code}[{name!r}]"
    _need_memory(spec, opened.nbytes)
    return _Opened(opened, code)


def _open_image(spec: FileSpec) -> _Opened:
    image = _library(spec, "PIL.Image").open(spec.path)
    image.load()  # opening reads the head alone
    return _Opened(image, f"PIL.Image.open({spec.path!r})")


def _open_raw(spec: FileSpec) -> _Opened:
    assert spec.dtype is not None
    dtype = dtypes.find(spec.dtype)
    if dtype.numpy is not None:
        return _raw_array(spec, dtype.numpy.newbyteorder("S") if dtype.byte_swapped else dtype.numpy)
    assert dtype.torch is not None
    return _raw_tensor(spec, dtype.torch)


def _raw_array(spec: FileSpec, dtype: np.dtype[Any]) -> _Opened:
    import numpy as np

    if dtype.hasobject:
        raise RequestError(f"dtype {spec.dtype} stands for Python objects, which a file of raw bytes cannot contain.")
    shape, count = _sizes(spec, dtype.itemsize)
    if not count:
        _need_no_map(spec)
        return _array(np.empty(shape, dtype), f"np.empty({shape}, np.{dtype!r})", spec)
    if not spec.mapped and os.path.getsize(spec.path) <= _READ_UP_TO:
        array = np.fromfile(spec.path, dtype).reshape(shape)
        return _array(array, f"np.fromfile({spec.path!r}, np.{dtype!r}).reshape({shape})", spec)
    mapped = np.memmap(spec.path, dtype, mode=_mode(spec), shape=shape)
    return _array(mapped, f"np.memmap({spec.path!r}, np.{dtype!r}, mode={_mode(spec)!r}, shape={shape})", spec)


def _raw_tensor(spec: FileSpec, dtype: torch.dtype) -> _Opened:
    import torch

    if READ_ONLY in spec.words:
        raise RequestError(f"{spec.dtype} exists only in torch, and torch has no read-only tensors.")
    if str(dtype).startswith("torch.q"):
        raise RequestError(f"dtype {spec.dtype} is quantized and needs a scale, which raw binary does not contain.")
    shape, count = _sizes(spec, dtype.itemsize)
    if not count:
        _need_no_map(spec)
        return _Opened(torch.empty(shape, dtype=dtype), f"torch.empty({shape}, dtype={dtype})")
    flat = torch.from_file(spec.path, shared=False, size=count, dtype=dtype)
    code = f"torch.from_file({spec.path!r}, shared=False, size={count}, dtype={dtype}).view({shape})"
    return _Opened(flat.view(shape), code)


def _sizes(spec: FileSpec, itemsize: int) -> tuple[tuple[int, ...], int]:
    """Return the shape and its number of elements.

    Raises:
        RequestError: if the file does not hold exactly that many.
    """
    assert spec.shape is not None
    count = math.prod(spec.shape)
    if (size := os.path.getsize(spec.path)) != count * itemsize:
        needed = f"{count} × {itemsize} = {count * itemsize} bytes"
        raise RequestError(
            f"{spec.as_typed!r} has {size} bytes, but {spec.dtype} of shape {spec.shape} needs {needed}."
        )
    return spec.shape, count


_ZARR = ".zarr"
"""The ending of a folder, or of an archive of one."""
_HOLDS = {
    **dict.fromkeys((".npz", ".h5", ".hdf5", _ZARR), "array"),
    **dict.fromkeys((".arrow", ".feather", ".parquet"), "column"),
}
"""What has a name in a file that does not hold tensors."""

_HDF5 = _Format(_open_h5, named=True, mappable=False, read_only=False, library="h5py")
_RAW = _Format(_open_raw, named=False, mappable=True, read_only=True)
_ARROW = _Format(_open_arrow, named=True, mappable=True, read_only=True)
_PT = _Format(_open_pt, named=True, mappable=True, read_only=False)
_FORMATS = {
    ".npy": _Format(_open_npy, named=False, mappable=True, read_only=True),
    ".npz": _Format(_open_npz, named=True, mappable=False, read_only=True),
    ".pt": _PT,
    ".pth": _PT,
    ".safetensors": _Format(_open_safetensors, named=True, mappable=True, read_only=False),
    ".arrow": _ARROW,
    ".feather": _ARROW,
    ".parquet": _Format(_open_parquet, named=True, mappable=False, read_only=True),
    ".h5": _HDF5,
    ".hdf5": _HDF5,
    _ZARR: _Format(_open_zarr, named=True, mappable=False, read_only=False, library="zarr"),
    ".png": _Format(_open_image, named=False, mappable=False, read_only=False, library="pillow"),
}
