"""The tool from Python: live objects stay as they are, twins are like them, and a used process is no obstacle."""

import json
import subprocess
import sys
import textwrap
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorbridge_cli as tb
from tensorbridge_cli import model
from tensorbridge_cli.errors import RequestError, UndecidableError
from tensorbridge_cli.lab import objects, twins
from tensorbridge_cli.model import Origin, Outcome


def found(inspection):
    return {row.conversion: row.outcome for row in inspection}


# What is shared ----------------------------------------------------------------------------------

BASE = np.arange(24.0).reshape(4, 6)


@pytest.mark.parametrize(
    ("a", "b", "shared"),
    [
        (BASE, torch.from_numpy(BASE), True),
        (BASE, torch.tensor(BASE), False),
        (BASE[:, ::2], BASE[:, 1::2], False),
        (BASE[:, ::2], torch.from_numpy(BASE)[1:], True),
        (BASE[:0], BASE, False),
        ([BASE[0]], BASE, True),
        (torch.eye(3).to_sparse(), torch.eye(3), False),
    ],
)
def test_whether_memory_is_shared(a, b, shared):
    assert tb.shares_memory(a, b) is tb.shares_memory(b, a) is shared
    assert tb.relation(a, b).overlaps is shared


@pytest.mark.parametrize("other", [3.0, [1.0], torch.empty(3, device="meta")])
def test_what_cannot_be_told_is_no_answer(other):
    with pytest.raises(UndecidableError, match="cannot be told"):
        tb.shares_memory(BASE, other)
    assert issubclass(UndecidableError, ValueError)


def test_looking_leaves_a_lazy_clone_lazy():
    whole = torch.arange(6.0)
    lazy = torch._lazy_clone(whole)
    tb.relation(whole, lazy)
    assert torch._C._is_cow_tensor(lazy)
    assert whole._version == lazy._version == 0


# Inspecting --------------------------------------------------------------------------------------


def test_a_live_array_is_inspected_and_left_alone():
    array = np.arange(24.0).reshape(4, 6)[:, ::2]
    before = array.base.tobytes(), array.flags.num, array.strides
    inspected = tb.inspect(array)
    assert (array.base.tobytes(), array.flags.num, array.strides) == before
    assert found(inspected)["torch.from_numpy"] is Outcome.SHARED
    subject = inspected[0].subject
    assert (subject.layout, subject.shape, subject.origin) == ("strided", (4, 3), Origin.OBJECT)


def test_a_live_tensor_is_inspected_and_left_alone():
    tensor = torch.arange(12.0).reshape(3, 4).t()[1:]
    before = tensor.clone()
    inspected = tb.inspect(tensor, "Tensor.numpy", "tensor")
    assert found(inspected) == {"Tensor.numpy": Outcome.SHARED, "torch.tensor": Outcome.COPIED}
    assert torch.equal(tensor, before)
    assert tensor._version == 0


def test_a_generated_subject():
    inspected = tb.inspect("from_numpy", "tensor", shape=(2, 2), dtype=np.float64, state="read-only")
    assert found(inspected) == {"torch.from_numpy": Outcome.SHARED, "torch.tensor": Outcome.COPIED}
    assert inspected[0].subject.state == "read-only"
    assert inspected[0].hazards


@pytest.mark.parametrize("dtype", ["float32", np.float32, np.dtype("float32"), torch.float32])
def test_a_dtype_in_any_spelling(dtype):
    assert tb.inspect("from_numpy", dtype=dtype)[0].subject.dtype == "float32"
    assert tb.inspect("tensor", dtype="int8", to_dtype=dtype)[0].to_dtype == "float32"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (lambda: tb.inspect("frm_numpy"), "unknown conversion"),
        (lambda: tb.inspect(layout="stried"), "did you mean strided"),
        (lambda: tb.inspect(direction="up"), "unknown direction 'up'"),
        (lambda: tb.inspect(torch.eye(2).to_sparse()), "cannot be inspected on a twin"),
        (lambda: tb.inspect(np.ma.array([1, 2])), "MaskedArray cannot be inspected on a twin"),
        (lambda: tb.inspect(np.array([{}, []], dtype=object)), "its elements are Python objects"),
        (lambda: tb.check(expect="shraed"), "unknown expectation"),
    ],
)
def test_a_wrong_request_is_refused_and_the_next_is_answered(asked, sentence):
    with pytest.raises(RequestError, match=sentence):
        asked()
    assert len(tb.inspect("from_numpy")) == 1


def test_a_check():
    assert tb.check(BASE, "from_numpy", expect="shared").ok
    assert not tb.check(BASE, "tensor", expect="shared").ok
    assert tb.check("from_numpy").ok


# What comes back ---------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Counts the tags of a page."""

    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, _attributes):
        self.tags.append(tag)


def test_the_faces_of_what_was_found():
    inspected = tb.inspect("from_numpy", "tensor")
    assert "torch.from_numpy  shared" in repr(inspected)
    assert model.decode(inspected.to_json()) == inspected.report
    assert json.loads(inspected.to_json())["schema"] == "tensorbridge.report/1"
    reader = Reader()
    reader.feed(inspected._repr_html_())
    assert reader.tags.count("tr") == 3
    assert "script" not in reader.tags
    assert [row.conversion for row in inspected] == [row.conversion for row in inspected[:]]


def test_a_frame_where_there_is_pandas():
    inspected = tb.inspect("from_numpy", "tensor")
    try:
        import pandas as pd
    except ImportError:
        with pytest.raises(ImportError, match="pip install pandas"):
            inspected.to_pandas()
        return
    frame = inspected.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame["outcome"]) == ["shared", "copied"]


# Twins -------------------------------------------------------------------------------------------


@st.composite
def views(draw):
    """Views of arrays: any part of them, at any step, of either order, now and then read-only or misaligned."""
    dtype = np.dtype(draw(st.sampled_from(["u1", "<f4", ">i8", "c16", "M8[ns]", "f2", "U3"])))
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    size = int(np.prod(shape)) * dtype.itemsize
    shift = draw(st.integers(0, 3))
    room = np.frombuffer(bytearray(draw(st.binary(min_size=size + shift, max_size=size + shift))), np.uint8)
    array = np.ndarray(shape, dtype, room, shift, order=draw(st.sampled_from("CF")))
    steps = tuple(slice(None, None, draw(st.sampled_from([1, 2, -1]))) for _ in shape)
    array = array[steps] if steps else array
    array.flags.writeable = draw(st.booleans())
    return array


def twin_of(obj, folder):
    twins.describe(obj, folder / "twin")
    return twins.build(str(folder / "twin"))


@given(array=views())
@settings(deadline=None)
def test_the_twin_of_an_array(array, tmp_path_factory):
    before = array.tobytes(), array.flags.num
    twin = twin_of(array, tmp_path_factory.mktemp("twins"))
    assert (array.tobytes(), array.flags.num) == before
    assert (twin.dtype, twin.shape, twin.strides) == (array.dtype, array.shape, array.strides)
    assert twin.tobytes() == before[0]
    assert (twin.flags.writeable, twin.flags.aligned) == (array.flags.writeable, array.flags.aligned)
    assert not np.shares_memory(twin, array)
    assert not array.size or sized(twin) == sized(array)


def sized(obj):
    """Return where in its storage an object lies, and how large the storage is."""
    return [
        (int(part.start, 16) - int(part.storage_start, 16), int(part.storage_stop, 16) - int(part.storage_start, 16))
        for part in objects.extents(obj)
    ]


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(6.0),
        torch.arange(12.0).reshape(3, 4).t()[1:, ::2],
        torch.arange(3.0).expand(4, 3),
        torch.arange(9, dtype=torch.bfloat16)[2:],
        torch.tensor([1 + 2j, 3 - 4j]).conj(),
        torch.tensor([1 + 2j, 3 - 4j]).conj().imag,
        torch.nn.Parameter(torch.ones(2)),
        torch.nn.Parameter(torch.ones(2), requires_grad=False),
        torch.ones(2, requires_grad=True),
        torch.ones(2, requires_grad=True) * 2,
        torch.empty(0, 3),
        torch.tensor(1.5),
    ],
    ids=str,
)
def test_the_twin_of_a_tensor(tensor, tmp_path):
    twin = twin_of(tensor, tmp_path)
    facts = ("dtype", "shape", "requires_grad", "is_leaf")
    assert [getattr(twin, name) for name in facts] == [getattr(tensor, name) for name in facts]
    assert (twin.stride(), twin.is_conj(), twin.is_neg(), type(twin)) == (
        tensor.stride(),
        tensor.is_conj(),
        tensor.is_neg(),
        type(tensor),
    )
    assert torch.equal(twin, tensor)
    assert sized(twin) == sized(tensor)
    assert not twin.numel() or not tb.shares_memory(twin, tensor)


def test_a_state_that_no_twin_has_is_refused():
    with pytest.raises(RequestError, match="no faithful twin could be made"):
        tb.inspect(torch.ones(3).share_memory_())


def test_what_is_large_has_a_twin_of_its_geometry(monkeypatch, tmp_path):
    monkeypatch.setattr(twins, "LARGEST", 16)
    array = np.arange(24.0).reshape(4, 6)[:, ::2]
    assert "values left out" in twins.describe(array, tmp_path / "twin")
    twin = twins.build(str(tmp_path / "twin"))
    assert (twin.strides, sized(twin)) == (array.strides, sized(array))
    assert not twin.any()


# A used process ----------------------------------------------------------------------------------

USED = """
import asyncio, os, sys, threading
import numpy as np, torch
import tensorbridge_cli as tb

torch.set_num_threads(4)
torch.rand(700, 700) @ torch.rand(700, 700)
held = threading.Lock(); held.acquire()
waiting = threading.Thread(target=held.acquire, daemon=True); waiting.start()
array = np.arange(6.0)

def outcome():
    return tb.inspect(array, "from_numpy")[0].outcome

async def cell():
    return outcome(), await asyncio.to_thread(outcome)

print(*asyncio.run(cell()))
several = []
threads = [threading.Thread(target=lambda: several.append(outcome())) for _ in range(4)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
print(*several)
if hasattr(os, "fork"):
    child = os.fork()
    if not child:
        print(tb.shares_memory(array, array[1:]), outcome(), flush=True)
        tb.api._WARM.close()
        os._exit(0)
    os.waitpid(child, 0)
print(outcome())
"""


@pytest.mark.timeout(120)
def test_threads_locks_an_event_loop_and_a_fork_are_no_obstacle():
    done = subprocess.run([sys.executable, "-c", USED], capture_output=True, text=True, timeout=100, check=False)
    assert (done.stdout.split(), done.stderr) == (["shared"] * 6 + ["True", "shared", "shared"], "")


def test_importing_the_package_imports_neither_numpy_nor_torch():
    program = """
    import sys, tensorbridge_cli as tb
    assert set(tb.__all__) <= set(dir(tb))
    assert tb.inspect.__doc__
    try:
        tb.nothing
    except AttributeError as error:
        print(error, {"numpy", "torch"} & sys.modules.keys())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert done.stdout == "module 'tensorbridge_cli' has no attribute 'nothing' set()\n"
