"""The user's files and shared memory keep every byte, however an object reaches them and whatever is asked of it."""

import hashlib
import mmap
import os
import sys
from multiprocessing import Array, RawArray
from multiprocessing.shared_memory import SharedMemory

import numpy as np
import pytest
import torch

import tensorbridge_cli as tb
from tests.cli.tools import report, run

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is shared"),
    pytest.mark.filterwarnings("ignore"),
]

N = 96  # elements of float32 in the file

HELPERS = '''
"""Objects over the file PATH, in the ways that people reach one."""

import ctypes
import mmap
import pickle

import numpy as np
import torch

N = 96


def mapped(path, access=mmap.ACCESS_WRITE):
    with open(path, "r+b" if access == mmap.ACCESS_WRITE else "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=access)


def over_ctypes(path):
    array = (ctypes.c_float * N).from_buffer(mapped(path))
    return np.ctypeslib.as_array(array)


class Interface:
    def __init__(self, path):
        self.held = np.memmap(path, np.float32, "r+")
        self.__array_interface__ = np.asarray(self.held).__array_interface__


class Named(np.ndarray):
    pass


def objects_in(array):
    held = np.empty(2, object)
    held[:] = [array[:2], array[2:4]]
    return held


def with_gradient(path):
    leaf = torch.zeros(N, requires_grad=True)
    leaf.grad = torch.from_file(path, shared=True, size=N)
    return leaf


def masked(path):
    array = np.asarray(np.memmap(path, np.float32, "r+"))
    return np.ma.MaskedArray(array, mask=array < 3, copy=False)


def sparse(path):
    values = torch.from_file(path, shared=True, size=N)
    return torch.sparse_coo_tensor(torch.arange(N)[None], values, (N,), is_coalesced=True)
'''

SHARED = {
    "memmap": "np.memmap(PATH, np.float32, 'r+')",
    "asarray": "np.asarray(np.memmap(PATH, np.float32, 'r+'))",
    "view": "np.memmap(PATH, np.float32, 'r+').view(np.ndarray)",
    "slice": "np.memmap(PATH, np.float32, 'r+')[5:50:3]",
    "negative": "np.asarray(np.memmap(PATH, np.float32, 'r+'))[::-2]",
    "transposed": "np.asarray(np.memmap(PATH, np.float32, 'r+', shape=(8, 12))).T[1:]",
    "broadcast": "np.lib.stride_tricks.as_strided(np.asarray(np.memmap(PATH, np.float32, 'r+')), (3, 4), (0, 4))",
    "other dtype": "np.memmap(PATH, np.float32, 'r+').view(np.uint8)",
    "load": "np.load(PATH + '.npy', mmap_mode='r+').view(np.ndarray)",
    "subclass": "np.memmap(PATH, np.float32, 'r+').view(np.ndarray).view(h.Named)",
    "matrix": "np.matrix(np.asarray(np.memmap(PATH, np.float32, 'r+', shape=(8, 12))), copy=False)",
    "masked": "h.masked(PATH)",
    "structured": "np.memmap(PATH, [('x', 'f4'), ('y', 'i4')], 'r+').view(np.ndarray)['x']",
    "frombuffer": "np.frombuffer(h.mapped(PATH), np.float32)",
    "memoryview": "np.asarray(memoryview(h.mapped(PATH))[4:44])",
    "buffer=": "np.ndarray((4, 5), np.float32, buffer=h.mapped(PATH), offset=16)",
    "ctypes": "h.over_ctypes(PATH)",
    "__array_interface__": "np.asarray(h.Interface(PATH))",
    "copy=False": "np.array(np.memmap(PATH, np.float32, 'r+'), copy=False)",
    "read-only view": "np.broadcast_to(np.asarray(np.memmap(PATH, np.float32, 'r+')), (2, N))",
    "from_numpy": "torch.from_numpy(np.memmap(PATH, np.float32, 'r+'))",
    "from_numpy sliced": "torch.from_numpy(np.asarray(np.memmap(PATH, np.float32, 'r+'))).view(8, 12)[1:, ::2]",
    "from_file": "torch.from_file(PATH, shared=True, size=N)",
    "storage": "torch.FloatTensor(torch.FloatStorage._new_with_file(PATH, N)) if False else "
    "torch.tensor([], dtype=torch.float32).set_(torch.UntypedStorage.from_file(PATH, True, 4 * N))",
    "frombuffer torch": "torch.frombuffer(h.mapped(PATH), dtype=torch.float32)",
    "dlpack": "torch.from_dlpack(np.asarray(np.memmap(PATH, np.float32, 'r+')))",
    "parameter": "torch.nn.Parameter(torch.from_file(PATH, shared=True, size=N))",
    "through torch": "torch.from_file(PATH, shared=True, size=N).numpy()[3:]",
    "sparse": "h.sparse(PATH)",
    "gradient": "h.with_gradient(PATH)",
    "list": "[np.asarray(np.memmap(PATH, np.float32, 'r+'))[:4], np.asarray(np.memmap(PATH, np.float32, 'r+'))[4:8]]",
    "tuple of tensors": "tuple(torch.from_file(PATH, shared=True, size=N).view(8, 12))",
    "nested list": "[[np.memmap(PATH, np.float32, 'r+')[:4]], [torch.from_file(PATH, shared=True, size=N)[:4]]]",
    "object array": "h.objects_in(np.asarray(np.memmap(PATH, np.float32, 'r+')))",
    "read-only map": "np.memmap(PATH, np.float32, 'r')",
    "read-only asarray": "np.asarray(np.memmap(PATH, np.float32, 'r'))",
    "read-only mmap": "np.frombuffer(h.mapped(PATH, mmap.ACCESS_READ), np.float32)",
    "read-only tensor": "torch.from_numpy(np.memmap(PATH, np.float32, 'r'))",
    "copy-on-write": "np.asarray(np.memmap(PATH, np.float32, 'c'))",
    "private mmap": "np.frombuffer(h.mapped(PATH, mmap.ACCESS_COPY), np.float32)",
    "pickled": "pickle.loads(pickle.dumps(np.memmap(PATH, np.float32, 'r+')))",
}


PRIVATE = {name for name in SHARED if name.startswith(("read-only m", "read-only a", "read-only t"))}
PRIVATE |= {"copy-on-write", "private mmap", "pickled"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder that holds the file and ``helpers.py``."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "helpers.py").write_text(HELPERS)
    array = np.arange(1, N + 1, dtype="f4")
    array.tofile(folder / "data.bin")
    np.save(folder / "data.bin.npy", array)
    return folder


@pytest.fixture
def untouched(folder):
    """Check after the test that the files have every byte and the time of their last change."""
    paths = [folder / "data.bin", folder / "data.bin.npy"]

    def state():
        return [(hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in paths]

    for path in paths:
        os.utime(path, ns=(10**18, 10**18))
    before = state()
    yield folder
    assert state() == before


def code(spelling, folder):
    """Return the expression, which needs ``names``."""
    return SHARED[spelling].replace("PATH", repr(str(folder / "data.bin")))


def names(folder):
    sys.path.insert(0, str(folder))
    try:
        import helpers
    finally:
        sys.path.remove(str(folder))
    import pickle

    return {"np": np, "torch": torch, "h": helpers, "mmap": mmap, "N": N, "pickle": pickle}


def expression(spelling, folder):
    """Return the spelling as an expression that imports what it needs by itself."""
    made = code(spelling, folder)
    imports = "".join(f"{name}=__import__({name!r}), " for name in ("mmap", "pickle"))
    return f"(lambda h, N, {imports[:-2]}: {made})(__import__('helpers'), {N})"


@pytest.fixture(scope="module")
def in_folder(folder):
    """Work in the user's folder, whose modules expressions may import; the laboratory is started there."""
    from tensorbridge_cli.survey import kept_laboratory

    before = os.getcwd()
    os.chdir(folder)
    kept_laboratory.kept.close()
    yield
    kept_laboratory.kept.close()
    os.chdir(before)


EVERY = {"asarray", "from_file"}
"""Of these all conversions are tried, of the others the common four and the remedies."""


@pytest.mark.parametrize("spelling", SHARED)
def test_an_expression(untouched, in_folder, spelling):
    found = tb.inspect(expr=expression(spelling, untouched), all=spelling in EVERY)
    assert found.report.observations
    for row in found:
        assert (row.evidence.private_copy is None) == (spelling in PRIVATE), row.evidence.private_copy


@pytest.mark.parametrize("spelling", SHARED)
def test_an_object_of_this_process(untouched, spelling):
    obj = eval(code(spelling, untouched), names(untouched))
    tb.inspect(obj, all=spelling in EVERY, replica=False)
    try:
        tb.inspect(obj, all=spelling in EVERY)
    except tb.TensorbridgeError as error:
        assert "cannot be replicated exactly" in str(error)  # noqa: PT017 - some have one


def test_the_command_line(untouched):
    path = str(untouched / "data.bin")
    for command in (
        ["inspect", "--expr", f"np.asarray(np.memmap({path!r}, np.float32, 'r+'))"],
        ["check", "from_numpy", "--object", "own:array"],
        ["inspect", "--isolation", "none", "--expr", f"torch.from_file({path!r}, shared=True, size={N})"],
        ["check", "--isolation", "spawn", "from_numpy", "--expr", f"np.asarray(np.memmap({path!r}, np.float32, 'r+'))"],
    ):
        (untouched / "own.py").write_text(f"import numpy as np\narray = np.memmap({path!r}, np.float32, 'r+')[:]\n")
        done = run(*command, cwd=untouched)
        assert done.returncode == 0, done.stderr
        assert "2 shared" in done.stdout or "1 passed, 0 failed" in done.stdout


def test_trace(untouched):
    path = str(untouched / "data.bin")
    program = f"import mmap, pickle, numpy as np, torch, helpers as h\nPATH, N = {path!r}, {N}\n"
    others = ("list", "object array", "sparse", "gradient")
    arrays = [made for name, made in SHARED.items() if "torch" not in made and name not in others]
    program += "\n".join(f"torch.from_numpy(np.asarray({made}))" for made in arrays[:3])
    program += "".join(f"\ntorch.as_tensor(np.asarray({made}).copy())" for made in arrays)
    (untouched / "program.py").write_text(program)
    done = run("trace", "program.py", cwd=untouched)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("replica", [True, False])
def test_memory_of_other_processes(replica):
    block = SharedMemory(create=True, size=4 * N)
    try:
        shared = np.ndarray((N,), np.float32, buffer=block.buf)
        shared[:] = np.arange(N)
        raw = RawArray("f", N)
        locked = Array("f", N)
        tensor = torch.arange(float(N)).share_memory_()
        objects = [
            shared,
            shared[::-1],
            torch.from_numpy(shared),
            np.frombuffer(raw, np.float32),
            np.ctypeslib.as_array(raw),
            np.frombuffer(locked.get_obj(), np.float32),
            tensor,
            tensor.numpy(),
            torch.nn.Parameter(tensor),
            [tensor[:3], shared[:3]],
            np.frombuffer(mmap.mmap(-1, 4096), np.float32),
        ]

        def state():
            return bytes(block.buf), bytes(raw), bytes(locked.get_obj()), tensor.tolist()

        before = state()
        for obj in objects:
            tb.inspect(obj, replica=replica)
            assert state() == before
        del shared, objects, obj
    finally:
        block.close()
        block.unlink()


def test_what_is_shared_in_the_set_up(tmp_path):
    """Children of the server share what the set-up code maps: one row must not change another's source."""
    (tmp_path / "own.py").write_text(
        "import mmap, numpy as np\narray = np.frombuffer(mmap.mmap(-1, 4096), np.float32)[:6]\narray[:] = range(6)\n"
    )
    for isolation in ("fork", "spawn"):
        found = report(
            "from_numpy", "--setup", "import own", "--expr", "own.array", "--isolation", isolation, cwd=tmp_path
        )
        (row,) = found["observations"]
        assert (row["outcome"], row["values"]) == ("shared", "equal")
        assert row["evidence"]["cells"][0]["before"] == "0.0"
        assert "shared with other processes" in row["evidence"]["private_copy"]


def test_elsewhere_than_on_linux_only_what_is_owned_is_tried(monkeypatch, tmp_path):
    from tensorbridge_cli.lab import guard
    from tensorbridge_cli.memory import mapping

    monkeypatch.setattr(mapping, "_MAP", "/no such file")
    (tmp_path / "f").write_bytes(bytes(64))
    mapped = np.memmap(tmp_path / "f", np.float32, "r+")
    owned = [np.ones(3), np.ones(3)[::-1], torch.ones(3), np.frombuffer(b"1234", "u1"), [1, 2], 5]
    owned += [[np.ones(3), torch.ones(2)], np.float32(1), np.ma.masked_less(np.ones(3), 2), torch.eye(2).to_sparse()]
    others = [mapped, np.asarray(mapped), torch.from_numpy(np.asarray(mapped)), np.frombuffer(mmap.mmap(-1, 8), "u1")]
    others += [
        torch.ones(3).numpy(),
        torch.ones(3).share_memory_(),
        torch.from_file(str(tmp_path / "f"), True, 4),
        [np.ones(1), mapped],
    ]
    assert [guard.refusal(obj) for obj in owned] == [None] * len(owned)
    for obj in others:
        assert "does not report" in guard.refusal(obj)
        with pytest.raises(tb.TensorbridgeError, match="does not report"):
            tb.inspect(obj, replica=False)
