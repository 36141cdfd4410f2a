"""An object of this process as it is: tried in forks, and never changed."""

import json
import sys
import threading

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import tensorbridge_cli as tb
from tests.memory.tools import forbidden_view


class Marked(np.ndarray):
    pass


OBJECTS = {
    "an array": lambda: np.arange(12.0).reshape(4, 3)[:, ::2],
    "a subclass": lambda: np.arange(4.0).view(Marked),
    "objects": lambda: np.array([[], {}], dtype=object),
    "quantized": lambda: torch.quantize_per_tensor(torch.arange(4.0), 0.1, 0, torch.qint8),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", OBJECTS)
def test_kinds_without_a_replica_are_tried_and_not_changed(kind):
    obj = OBJECTS[kind]()
    before = repr(obj)
    found = tb.inspect(obj, "as_tensor" if isinstance(obj, np.ndarray) else "clone", replica=False)
    assert len(found) == 1
    assert repr(obj) == before
    assert found[0].subject.given == "x"


def test_it_tells_the_same_as_a_replica():
    obj = np.arange(12.0).reshape(4, 3)
    ours, theirs = (tb.inspect(obj, "from_numpy", "tensor", replica=replica) for replica in (False, True))
    assert [row.outcome for row in ours] == [row.outcome for row in theirs] == ["shared", "copied"]
    assert [row.writes for row in ours] == [row.writes for row in theirs]
    assert obj[0, 0] == 0.0


def test_the_fork_dies_and_not_this_process():
    obj = np.arange(6.0)[::-1]
    (row,) = tb.inspect(obj, "torch.from_dlpack", replica=False)
    assert row.outcome == "crashed"
    assert row.crash.signal == "SIGABRT"


def test_a_process_that_has_computed_in_parallel_and_holds_threads():
    torch.ones(2000, 2000) @ torch.ones(2000, 2000)
    held = threading.Event()
    thread = threading.Thread(target=held.wait)
    thread.start()
    try:
        assert tb.inspect(np.ones((500, 500)), "tensor", replica=False)["tensor"].outcome == "copied"
    finally:
        held.set()
        thread.join()


def test_warnings_are_as_they_were():
    before = torch.is_warn_always_enabled()
    for state in (True, False):
        torch.set_warn_always(state)
        tb.inspect(np.ones(3), "from_numpy", replica=False)
        assert torch.is_warn_always_enabled() is state
    torch.set_warn_always(before)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is shared")
def test_memory_that_others_see_is_tried_on_a_private_copy(tmp_path):
    mapped = np.memmap(tmp_path / "m", dtype="f4", mode="w+", shape=(3,))
    for obj, what in ((mapped, "the file '"), (torch.ones(3).share_memory_(), "shared with other processes")):
        found = tb.inspect(obj, replica=False)
        (first, *_) = found
        assert (first.outcome, first.writes.source_to_result) == ("shared", "seen")
        assert what in first.evidence.private_copy
        assert f"Memory: {first.evidence.private_copy}" in " ".join(repr(found).split())
    assert mapped.tolist() == [0, 0, 0]


def test_an_accelerator_is_refused():
    class Elsewhere:
        device = "cuda:0"

    with pytest.raises(tb.TensorbridgeError, match="the object is on cuda:0, which a forked process cannot use"):
        tb.inspect(Elsewhere(), replica=False)


def test_a_buffer_of_pyarrow_is_on_the_cpu():
    pyarrow = pytest.importorskip("pyarrow")
    (row,) = tb.inspect(pyarrow.py_buffer(b"abcdefgh"), "np.frombuffer", replica=False)
    assert (row.outcome, row.source.device) == ("shared", "cpu")


class Series:
    """As pandas has one: NumPy can have it whole, and it is neither an array nor a tensor."""

    def __array__(self, dtype=None, copy=None):
        return np.ones(3, dtype)

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return 1.0


@pytest.mark.parametrize("replica", [True, False])
def test_what_is_no_array_is_one_sentence(replica):
    with pytest.raises(tb.TensorbridgeError, match=r"Series is not an array, a tensor,? or a list"):
        tb.inspect(Series(), replica=replica)


@pytest.mark.parametrize("replica", [True, False])
def test_a_memoryview_that_was_released_is_one_sentence(replica):
    released = memoryview(bytearray(8))
    released.release()
    with pytest.raises(tb.TensorbridgeError, match="the memory of a memoryview cannot be reached"):
        tb.inspect(released, "torch.frombuffer", replica=replica)


@pytest.mark.parametrize("transform", [torch.func.grad, torch.func.functionalize])
@pytest.mark.parametrize("replica", [True, False])
def test_what_torch_func_wraps_is_one_sentence(replica, transform):
    kept = []
    transform(lambda x: (kept.append(x), x.sum())[1])(torch.ones(3))
    with pytest.raises(tb.TensorbridgeError, match=r"wrapped by torch\.func has no storage of its own"):
        tb.inspect(kept[0], "numpy", replica=replica)
    with pytest.raises(tb.TensorbridgeError, match="cannot"):
        tb.shares_memory(kept[0], torch.ones(3))


class Placed(dict):
    """A container that has no one device, as a TensorDict."""

    device = None


def test_the_devices_of_a_container_are_those_of_its_tensors():
    (row, *_) = tb.inspect(Placed(a=torch.ones(2)), "as_tensor", replica=False)
    assert row.subject.device == "cpu"
    with FakeTensorMode():
        elsewhere = torch.ones(2, device="cuda")
    with pytest.raises(tb.TensorbridgeError, match=r"the object is on cuda:0, which a forked process cannot use"):
        tb.inspect({"here": torch.ones(2), "there": elsewhere}, "as_tensor", replica=False)


def test_a_view_that_torch_forbids_is_tried_as_it_is_and_has_no_replica():
    view = forbidden_view()
    with pytest.raises(RuntimeError, match="created in no_grad mode"):
        _ = view.is_leaf
    clone, detached = tb.inspect(view, "clone", "detach", replica=False)
    assert (clone.outcome, detached.outcome) == ("refused", "shared")
    assert clone.subject.state == "non-leaf"
    assert clone.source.is_leaf is None
    with pytest.raises(tb.TensorbridgeError, match=r"cannot be replicated exactly; .* or pass x\.detach\(\)\.$"):
        tb.inspect(view, "clone")


@pytest.mark.parametrize("replica", [True, False])
def test_versions_are_texts(replica):
    found = json.loads(tb.inspect(np.ones(3), "from_numpy", replica=replica).to_json())
    assert found["environment"]["torch"] == torch.__version__
