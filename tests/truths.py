"""What happens to objects of other libraries, found without the tool's code.

Both sides are written as their library lets one write, and the memory of the result through ``/proc/self/mem``,
whatever its flags allow; each time the other side is read. ``truths`` does so in a process of its own, for each of its
questions (an expression, the code of a conversion, its set-up code): JAX starts threads, which a process that forks
must not have.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

Question = tuple[str, str, str]


class Truth(NamedTuple):
    """The outcome, and what became of a write to the source and of one to the result."""

    outcome: str
    source_to_result: str
    result_to_source: str


def truths(questions: list[Question]) -> dict[Question, Truth]:
    """Answer all questions in one process."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = json.loads(done.stdout.splitlines()[-1])
    return {question: Truth(*answer) for question, answer in zip(questions, answers, strict=True)}


def tried(
    make: Callable[[], Any],
    convert: Callable[[Any], Any],
    content: Callable[[Any], Any],
    write: Callable[[Any], Any],
    flip: Callable[[Any], None],
    write_result: Callable[[Any], Any] | None = None,
) -> Truth:
    """Convert what ``make`` gives three times, and write to the source, to the result and to the result's memory.

    Args:
        make: makes a source.
        convert: makes a result of it.
        content: what an object holds.
        write: writes another value; what it returns, if anything, is how that ended.
        flip: changes the first byte, whatever the flags are.
        write_result: does so for a result, if that is written in another way.
    """
    effects: list[str] = []
    for side, act in (("source", write), ("result", write_result or write), ("memory", flip)):
        source = make()
        try:
            result = convert(source)
        except Exception:
            return Truth("refused", "not-tried", "not-tried")
        written, other = (source, result) if side == "source" else (result, source)
        if side == "memory" and not _has_plain_memory(result):
            effects.append("seen" if "seen" in effects else "not-seen")
            continue
        before = content(other)
        try:
            ended = act(written)
        except (TypeError, ValueError, NotImplementedError, OSError):  # what the libraries refuse a write with
            effects.append("refused")
        else:
            effects.append(ended or ("seen" if content(other) != before else "not-seen"))
    return Truth("shared" if effects[2] == "seen" else "copied", effects[0], effects[1])


def _has_plain_memory(result: Any) -> bool:
    """Return False for references, which are not to be changed, and for objects that do not give their address."""
    return library(result) not in ("PIL", "pandas") and str(getattr(result, "dtype", "")) != "object"


def flip_byte(address: int) -> None:
    """Change a byte of this process, whatever its page allows."""
    with open("/proc/self/mem", "r+b", buffering=0) as file:
        octet = os.pread(file.fileno(), 1, address)[0]
        os.pwrite(file.fileno(), bytes([octet ^ 1]), address)


# In the process of its own --------------------------------------------------------------------------


def library(obj: Any) -> str:
    return type(obj).__module__.partition(".")[0]


def content(obj: Any) -> bytes:
    """What an object holds, read through its own library."""
    kind = library(obj)
    if kind == "jaxlib":
        return ctypes.string_at(obj.unsafe_buffer_pointer(), obj.nbytes)
    if kind == "torch":
        held = (obj if repr(obj.layout) == "torch.strided" else obj.values()).contiguous()
        return ctypes.string_at(held.data_ptr(), held.nbytes)
    if kind == "scipy":
        return obj.data.tobytes()
    if kind in ("h5py", "zarr"):
        return obj[...].tobytes()
    if kind == "xarray":
        return obj.values.tobytes()
    if kind in ("datasets", "pyarrow"):
        return repr((obj.data.table.column(0) if kind == "datasets" else obj).to_pylist()).encode()
    return obj.tobytes()  # an array, an image


def write(obj: Any) -> None:
    """Write another value than the first as one does, or raise what the library raises."""
    kind = library(obj)
    if kind == "PIL":
        pixel = obj.getpixel((0, 0))
        obj.putpixel((0, 0), tuple(255 - band for band in pixel) if isinstance(pixel, tuple) else 255 - pixel)
    elif kind == "scipy":
        obj.data[0] = 77
    elif kind == "torch" and repr(obj.layout) != "torch.strided":
        obj.values()[0] = 77
    elif kind in ("datasets", "pyarrow"):
        obj[0] = 77
    elif str(obj.dtype) == "object":
        obj[...] = None
    elif str(obj.dtype).endswith("bool"):
        obj[(0,) * obj.ndim] = not obj[(0,) * obj.ndim]
    else:
        obj[(0,) * obj.ndim] = 77


def flip_memory(obj: Any) -> None:
    """Change the first byte of an object, whatever its flags and its pages allow."""
    kind = library(obj)
    if kind == "torch":
        address = (obj if repr(obj.layout) == "torch.strided" else obj.values()).data_ptr()
    elif kind == "jaxlib":
        address = obj.unsafe_buffer_pointer()
    elif kind == "pyarrow":
        address = obj.chunk(0).buffers()[-1].address
    else:
        address = (obj.values if kind == "xarray" else obj).ctypes.data
    flip_byte(address)


def truth(expression: str, code: str, setup: str) -> Truth:
    import numpy as np
    import torch

    def convert(source: Any) -> Any:
        names = {"np": np, "torch": torch}
        exec(setup, names)
        return eval(code, names | {"x": source})

    return tried(lambda: eval(expression, {"np": np, "torch": torch}), convert, content, write, flip_memory)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps([truth(*question) for question in json.load(sys.stdin)]))
