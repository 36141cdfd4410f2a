"""A user's file as the subject of an experiment: opened as its user would, never unpickled, never changed.

A format is an entry of ``catalog.file_formats``, whose code is run here. ``parse`` checks what can be checked without
numpy and torch; ``load`` imports them.
"""

from __future__ import annotations

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
from typing import TYPE_CHECKING, Any, Literal

from tensorbridge_cli.catalog import dtypes
from tensorbridge_cli.catalog.file_formats import BY_ENDING, RAW_ARRAY, RAW_TENSOR, FileFormat, format_of
from tensorbridge_cli.errors import RequestError, TensorbridgeError, UnavailableError, unknown
from tensorbridge_cli.memory.available import available
from tensorbridge_cli.records.words import listed

if TYPE_CHECKING:
    import numpy as np
    import torch

Names = dict[str, Any]
"""What the code of a format sees."""

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
    def format(self) -> FileFormat:
        """The catalogue's entry; any other ending is raw binary."""
        return format_of(self.path)

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
    _check(spec)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _open(spec)
    except TensorbridgeError:
        raise
    except Exception as error:  # numpy, torch and zipfile raise nearly anything if a file is damaged
        raise _refusal(spec, error) from error


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
    is_folder = ending == ".zarr" and os.path.isdir(spec.path)  # or an archive of one
    if not os.path.isfile(spec.path) and not is_folder:
        raise RequestError(_no_file(spec))
    if not os.access(spec.path, os.R_OK):
        raise RequestError(f"no permission to read {path!r}.")
    if ending in BY_ENDING:
        if spec.dtype is not None or spec.shape is not None:
            raise RequestError(f"a {ending} file contains its dtype and shape: omit --dtype and --shape.")
        if not os.path.getsize(spec.path):
            raise RequestError(f"{path!r} is empty.")
    elif spec.dtype is None or spec.shape is None:
        known = ", ".join(BY_ENDING)
        raise RequestError(f"{path!r} has no known extension ({known}): for raw binary, specify --dtype and --shape.")
    elif min(spec.shape, default=0) < 0:
        raise RequestError(f"shape {spec.shape} has a negative dimension.")
    form = spec.format
    if spec.key is not None and not form.holds:
        raise RequestError(_no_names(spec))
    if spec.key == "":
        raise RequestError(f"the name after {path + ':'!r} is missing.")
    for word in sorted(words.difference(WORDS)):
        raise unknown("state of a file", word, WORDS)
    if words and not (form.mapped or form.read_only):
        raise RequestError(f"a {ending} file is opened by {form.library}: omit --state.")
    if READ_ONLY in words and not form.read_only:
        raise RequestError(f"a {ending} file contains a tensor, and torch has no read-only tensors.")
    if {READ_ONLY, COPY_ON_WRITE} <= words:
        raise RequestError(f"{READ_ONLY} and {COPY_ON_WRITE} cannot be combined.")
    if not form.mapped:
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


def _open(spec: FileSpec) -> Any:
    """Return the subject that the code of the file's format gives."""
    form, names = spec.format, _names(spec)
    if form is RAW_ARRAY:
        return _open_raw(spec, names)
    if open_with_care := _WITH_CARE.get(spec.ending):
        return open_with_care(spec, names)
    if COPY_ON_WRITE in spec.words:
        raise RequestError(f"{spec.as_typed!r} cannot be {COPY_ON_WRITE}: {form.library} maps files read-only.")
    opened = _evaluate(form.mapped if spec.mapped else form.code, spec, names)
    inside = form.names(opened) if form.names is not None else None
    if inside is None:
        if spec.key is not None:
            raise RequestError(_no_names(spec))
    elif spec.key is not None or form.only:
        opened = opened[_choose(spec, inside)]
    if form.lazy:
        _need_memory(spec, opened.nbytes)
        opened[...]  # a damaged chunk raises only when it is read
    return opened


def _names(spec: FileSpec) -> Names:
    """Return the names that the code of a format sees.

    Raises:
        UnavailableError: if the library that opens the file is not installed.
    """
    import numpy as np

    from tensorbridge_cli.pytorch import torch

    form = spec.format
    names = {"np": np, "torch": torch, "path": spec.path, "shape": spec.shape}
    if form.holds == "tensor" and torch is None:
        raise UnavailableError(f"{spec.as_typed!r} contains tensors, and PyTorch is not installed.")
    try:
        exec(form.imports, names)  # noqa: S102 - the catalogue's own: see catalog/file_formats.py
    except ImportError as error:
        command = f"pip install {form.install or form.library}"
        raise UnavailableError(f"{spec.as_typed!r} needs {form.library}, which is not installed: {command}.") from error
    return names


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
    if spec.ending in BY_ENDING:
        opened = f" that {spec.format.library} can open" if spec.format.library else ""
        return f"{spec.as_typed!r} is damaged, truncated or not a {spec.ending} file{opened} ({why})."
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
    path, key, what = spec.as_typed, spec.key, spec.format.holds
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
    return listed(tuple(map(repr, names)), _NAMES_SHOWN)


def _need_memory(spec: FileSpec, nbytes: int) -> None:
    free = available()
    if nbytes > free:
        raise UnavailableError(f"{spec.as_typed!r} needs {nbytes} bytes of memory, and {free} are available.")


def _array(array: np.ndarray[Any, Any], spec: FileSpec) -> np.ndarray[Any, Any]:
    """Return the map if it is asked for, or the plain array, read-only if that is asked for."""
    import numpy as np

    if spec.mapped:
        return array
    if isinstance(array, np.memmap):
        array = array.view(np.ndarray)
    if READ_ONLY in spec.words:
        array.setflags(write=False)
    return array


def _evaluate(code: str, spec: FileSpec, names: Names) -> Any:
    """Return the value of an expression of the catalogue: see catalog/file_formats.py."""
    mode = "r" if spec.mapped and READ_ONLY in spec.words else "c"
    return eval(code.format(path="path", dtype="dtype", shape="shape", size="size", mode=mode), names)  # noqa: S307


def _open_npy(spec: FileSpec, names: Names) -> Any:
    _kind(spec, _NPY)
    # mapped first: that refuses a header that promises more than there is, for which reading would allocate memory
    mapped = _evaluate(spec.format.mapped, spec, names)
    if spec.mapped:
        return mapped
    array = _evaluate(spec.format.code, spec, names) if mapped.nbytes <= _READ_UP_TO else _without_header(mapped, spec)
    return _array(array, spec)


def _without_header(mapped: np.memmap[Any, Any], spec: FileSpec) -> np.ndarray[Any, Any]:
    """Return an array over a private map of the file; its buffer begins, as one that was read does, at the elements."""
    import numpy as np

    with open(spec.path, "rb") as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    order: Literal["C", "F"] = "C" if mapped.flags.c_contiguous else "F"
    # np.ndarray(buffer=) would look through the memoryview and keep the whole map
    flat = np.frombuffer(content[mapped.offset : mapped.offset + mapped.nbytes], mapped.dtype)
    return flat.reshape(mapped.shape, order=order)


def _open_npz(spec: FileSpec, names: Names) -> Any:
    import numpy as np

    _kind(spec, _ZIP)
    # numpy leaves a file of its own open if the archive is damaged
    with open(spec.path, "rb") as file, _evaluate(spec.format.code, spec, {**names, "path": file}) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.zip.infolist()}
        name = _choose(spec, [entry.removesuffix(".npy") for entry in sizes if entry.endswith(".npy")])
        _need_memory(spec, sizes[f"{name}.npy"])
        array = archive[f"{name}.npy"]
    if not isinstance(array, np.ndarray):
        raise RequestError(f"{name!r} in {spec.as_typed!r} is not a .npy file.")
    return _array(array, spec)


def _open_pt(spec: FileSpec, names: Names) -> Any:
    import torch

    mappable = _kind(spec, _ZIP, _LEGACY) == _ZIP and _stored(spec)
    if not mappable:
        _need_no_map(spec)
        _need_memory(spec, os.path.getsize(spec.path))
    mapped = mappable and (spec.mapped or os.path.getsize(spec.path) > _READ_UP_TO)
    # Windows has no such option and only private maps; so has a torch in which this is no context manager yet.
    flags = getattr(mmap, "MAP_PRIVATE", None)
    options = getattr(torch.serialization, "set_default_mmap_options", None)
    with options(flags) if flags and isinstance(options, type) else nullcontext():
        content = _evaluate(spec.format.mapped if mapped else spec.format.code, spec, names)
    if isinstance(content, torch.Tensor):
        if spec.key is not None:
            raise RequestError(_no_names(spec))
        return content
    ways: dict[str, tuple[object, ...]] = {}
    for way in _ways(content):
        name = ".".join(map(str, way))
        ways[name] = min(ways.get(name, way), way, key=_longest_first)
    for step in ways[_choose(spec, list(ways))]:
        content = content[step]
    return content


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


def _open_safetensors(spec: FileSpec, names: Names) -> Any:
    """Open the one tensor: the code of the catalogue, ``load_file``, would read all that the file contains."""
    from safetensors import safe_open

    with safe_open(spec.path, framework="pt") as archive:
        return archive.get_tensor(_choose(spec, archive.keys()))


def _open_image(spec: FileSpec, names: Names) -> Any:
    image = _evaluate(spec.format.code, spec, names)
    image.load()  # opening reads the head alone
    return image


def _open_raw(spec: FileSpec, names: Names) -> Any:
    assert spec.dtype is not None
    dtype = dtypes.find(spec.dtype)
    if dtype.numpy is None:
        return _raw_tensor(spec, dtype.torch, names)
    plain = dtype.numpy.newbyteorder("S") if dtype.byte_swapped else dtype.numpy
    if plain.hasobject:
        raise RequestError(f"dtype {spec.dtype} stands for Python objects, which a file of raw bytes cannot contain.")
    size = _size(spec, plain.itemsize)
    if not size:
        _need_no_map(spec)
    mapped = spec.mapped or os.path.getsize(spec.path) > _READ_UP_TO
    code = RAW_ARRAY.mapped if mapped else RAW_ARRAY.code
    return _array(_evaluate(code, spec, {**names, "dtype": plain}), spec)


def _raw_tensor(spec: FileSpec, dtype: torch.dtype | None, names: Names) -> Any:
    assert dtype is not None
    if READ_ONLY in spec.words:
        raise RequestError(f"{spec.dtype} exists only in torch, and torch has no read-only tensors.")
    if str(dtype).startswith("torch.q"):
        raise RequestError(f"dtype {spec.dtype} is quantized and needs a scale, which raw binary does not contain.")
    size = _size(spec, dtype.itemsize)
    if not size:
        _need_no_map(spec)
    return _evaluate(RAW_TENSOR.code, spec, {**names, "dtype": dtype, "size": size})


def _size(spec: FileSpec, itemsize: int) -> int:
    """Return the number of elements.

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
    return count


_WITH_CARE: dict[str, Callable[[FileSpec, Names], Any]] = {
    ".npy": _open_npy,
    ".npz": _open_npz,
    ".pt": _open_pt,
    ".pth": _open_pt,
    ".safetensors": _open_safetensors,
    ".png": _open_image,
}
"""How a format is opened that is more than the code of its entry: checked first, or only in part, or mapped."""
