from __future__ import annotations

import collections
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from typing import Any
from unittest.mock import MagicMock, Mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tensorbridge_cli as tb
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.enums import Direction, Origin, Outcome, Verdict
from tensorbridge_cli.testing import assert_copies, assert_shares_memory
from tests.warm import python


def outcomes(found):
    return {row.conversion: row.outcome for row in found}


def run(script):
    done = python("-c", script, env=os.environ)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Closed(torch.Tensor):
    """A tensor that lets nobody look."""

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        raise LookupError("not for you")


# Asked of a live object --------------------------------------------------------------------------


def test_a_live_array_is_tried_and_not_touched():
    array = np.arange(12.0).reshape(4, 3)[:, ::2]
    before = array.base.tobytes()
    found = tb.inspect(array, "from_numpy", "tensor")
    assert outcomes(found) == {"torch.from_numpy": Outcome.SHARED, "torch.tensor": Outcome.COPIED}
    assert found[0].source.strides == array.strides
    assert array.base.tobytes() == before


def test_a_live_tensor_keeps_its_version_and_history():
    tensor = torch.ones(3, requires_grad=True) * 2
    found = tb.inspect(tensor, "numpy", "tensor")
    assert outcomes(found) == {"Tensor.numpy": Outcome.REFUSED, "torch.tensor": Outcome.COPIED}
    assert found["numpy"].subject.state == "non-leaf"
    assert (tensor._version, tensor.tolist(), tensor.is_leaf) == (0, [2, 2, 2], False)


@pytest.mark.parametrize("replica", [True, False])
def test_a_frozen_parameter_is_held_to_what_is_said_of_a_tensor_without_gradients(replica):
    frozen = torch.nn.Parameter(torch.ones(3), requires_grad=False)
    found = tb.inspect(frozen, "Tensor.numpy", "torch.asarray", "Tensor.clone", replica=replica)
    assert [row.source.type for row in found] == ["torch.nn.Parameter"] * 3
    assert [row.contract.verdict for row in found] == ["kept"] * 3


def test_an_old_name_is_taken_with_a_warning():
    with pytest.warns(DeprecationWarning, match="layout='negative' is now 'reversed'") as caught:
        found = tb.inspect("from_numpy", layout="negative")
    assert found[0].subject.layout == "reversed"
    assert caught[0].filename == __file__


def test_the_old_name_of_replica_is_taken_with_a_warning():
    with pytest.warns(DeprecationWarning, match="twin= is now replica=") as caught:
        (row,) = tb.inspect(torch.ones(3), "numpy", twin=False)
    assert (row.outcome, row.subject.origin) == (Outcome.SHARED, Origin.EXPRESSION)
    assert caught[0].filename == __file__


def test_a_generated_source_is_described_by_options():
    found = tb.inspect("from_numpy", shape=(2, 5), dtype=np.dtype("i8"), layout=["contiguous", "reversed"])
    assert [row.outcome for row in found] == [Outcome.SHARED, Outcome.REFUSED]
    assert {(row.subject.shape, row.subject.dtype) for row in found} == {((2, 5), "int64")}
    assert outcomes(tb.inspect("tensor", dtype=torch.float16, to_dtype="float32")) == {"torch.tensor": Outcome.COPIED}


@pytest.mark.parametrize("ask", [tb.inspect, tb.check])
@pytest.mark.parametrize("name", ["file", "expr", "device", "python", "to_dtype", "direction"])
def test_no_value_is_left_out_without_a_word(ask, name):
    with pytest.raises(tb.TensorbridgeError, match=rf"^{name} takes one value, not 2\.$"):
        ask("from_numpy", **{name: ["a", "b"]})


@pytest.mark.parametrize("ask", [tb.inspect, tb.check])
@pytest.mark.parametrize("timeout", [None, "soon", 0, -1, float("nan"), float("inf"), [1]])
def test_a_time_limit_is_a_number_of_seconds(ask, timeout):
    with pytest.raises(tb.TensorbridgeError, match=r"^timeout .*: specify the time limit per experiment in seconds"):
        ask("from_numpy", timeout=timeout)


@pytest.mark.parametrize("ask", [tb.inspect, tb.check])
def test_two_sources_are_refused(ask):
    with pytest.raises(tb.TensorbridgeError, match=r"^--file and --expr cannot be combined: specify one source"):
        ask("from_numpy", file="a.npy", expr="np.ones(2)")


def test_after_a_wrong_request_the_next_is_answered():
    for wrong, message in (
        (lambda: tb.inspect(np.ones(3), shape=3), "shape cannot be combined with an object"),
        (lambda: tb.inspect(np.ones(3), "qwzx"), "unknown conversion"),
        (lambda: tb.inspect(shap=3), "unknown option 'shap': did you mean shape"),
        (lambda: tb.inspect(dtype="qwzx"), "qwzx"),
        (lambda: tb.inspect({}), "a dict without an array or a tensor of its own is not a source"),
        (lambda: tb.inspect(np.ones(3), torch.ones(30)), r"CONVERSION: a Tensor is not a text\.$"),
        (
            lambda: tb.inspect(torch.ones(3).as_subclass(type("Sub", (torch.Tensor,), {}))),
            r"Sub of this class cannot be .*the object itself, or pass x.as_subclass\(torch.Tensor\)\.$",
        ),
    ):
        with pytest.raises(tb.TensorbridgeError, match=message):
            wrong()
    assert tb.inspect(np.ones(3), "from_numpy")[0].outcome is Outcome.SHARED


def test_a_crash_is_a_row():
    assert tb.inspect(np.arange(3)[::-1], "from_dlpack")[0].crash.signal == "SIGABRT"


def test_results_are_records_and_show_themselves(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    found = tb.inspect(np.ones(3), "from_numpy")
    assert repr(found).startswith("Source: x (object): 3 float64 numpy.ndarray, contiguous, plain, cpu: 24 bytes")
    assert re.search(r"torch.from_numpy +shared +seen +seen +float64 +same", repr(found))
    assert json.loads(found.to_json())["summary"]["shared"] == len(found) == 1
    page = found._repr_html_()
    assert re.search(r'<th scope="row" style="[^"]+"><code>torch.from_numpy</code></th>', page)
    assert re.search(r'<td style="[^"]+">shared</td>', page)
    with pytest.raises(KeyError):
        found["qwzx"]


def test_text_in_the_page_is_escaped():
    page = tb.inspect("from_numpy", expr="np.ones(3) if '<b>' else 0")._repr_html_()
    assert "<b>" not in page
    assert "&lt;b&gt;" in page


def test_a_check_is_true_where_it_is_kept():
    array = np.ones(3)
    assert tb.check(array, "from_numpy")
    assert tb.check(array, "from_numpy", expect="shared")
    broken = tb.check(array, "from_numpy", expect=["copied"])
    assert not broken
    assert "expected copied, found shared" in repr(broken)
    assert "tensorbridge repro" not in repr(broken)


def test_a_check_since_a_baseline(tmp_path):
    before = tb.inspect("from_numpy", "tensor")
    assert tb.check("from_numpy", "tensor", baseline=before)
    copied = tuple(replace(row, outcome=Outcome.COPIED) for row in before)
    path = tmp_path / "before.json"
    path.write_text(tb.Inspection(replace(before.report, observations=copied)).to_json())
    since = tb.check(baseline=path)  # nothing is selected: its cells are tried again
    assert not since
    assert [row.contract.verdict for row in since] == [Verdict.BROKEN, Verdict.KEPT]
    assert "since before.json" in repr(since)


def test_a_cell_of_the_baseline_that_is_gone_is_told():
    before = tb.inspect("from_numpy", "tensor").report
    other = replace(before.observations[1], direction=Direction.TORCH_TO_TORCH)
    baseline = replace(before, observations=(before.observations[0], other))
    since = tb.check("from_numpy", "tensor", baseline=baseline)
    assert [alone.cell.direction for alone in since.gone] == [Direction.TORCH_TO_TORCH]
    assert not since


def test_expectations_in_a_file(tmp_path):
    path = tmp_path / "expected.toml"
    path.write_text('[[expect]]\nconversion = "from_numpy"\nholds = "copied"\n')
    checked = tb.check(expectations=path)
    assert not checked
    assert "1 expectation in" in repr(checked)
    with pytest.raises(tb.TensorbridgeError, match="omit the other arguments"):
        tb.check("tensor", expectations=path)


def test_rows_become_a_frame_where_pandas_is_there(monkeypatch):
    found = tb.inspect("from_numpy", "tensor")
    try:
        import pandas  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match="pip install pandas"):
            found.to_pandas()
    else:
        frame = found.to_pandas()
        assert list(frame["outcome"]) == ["shared", "copied"]
        assert frame["same_pointer"].dtype == "boolean"
        assert frame["copied_bytes"].dtype == "Int64"
        assert frame["outcome"].dtype == "category"
        assert frame["copied_bytes"].sum() == 48
        assert frame["shape"][0] == (4, 3)


# In a used process -------------------------------------------------------------------------------

USED = """
import asyncio, threading, numpy as np, torch, tensorbridge_cli as tb
torch.set_num_threads(4)
big = torch.ones(600, 600); (big @ big).sum()
held = threading.Lock(); held.acquire()
threading.Thread(target=held.acquire, daemon=True).start()
array = np.ones((64, 64), "f4")
def ask(): return [row.outcome.value for row in tb.inspect(array, "from_numpy", "tensor", "torch.from_dlpack")]
async def main():
    here = ask()
    return [here, *await asyncio.gather(*(asyncio.to_thread(ask) for _ in range(3)))]
print(asyncio.run(main()))
(big @ big).sum()
"""


def test_a_used_process_with_threads_locks_and_a_loop_is_answered():
    assert run(USED).strip() == str([["shared", "copied", "shared"]] * 4)


def test_a_forked_process_has_a_laboratory_of_its_own():
    script = """
import os, numpy as np, tensorbridge_cli as tb
ask = lambda: tb.inspect(np.ones(3), "from_numpy")[0].outcome.value
ask()
child = os.fork()
if not child:
    answer = ask()
    from tensorbridge_cli.survey.kept_laboratory import kept
    kept.close()
    os._exit(answer != "shared")
print(os.waitpid(child, 0)[1], ask())
"""
    assert run(script).split() == ["0", "shared"]


def test_nothing_is_left_behind():
    script = (
        "import numpy as np, tensorbridge_cli as tb; tb.inspect(np.ones(3)); "
        "from tensorbridge_cli.survey.kept_laboratory import kept; "
        "print(kept._lab._server_process._process.pid, kept.folder())"
    )
    process, folder = run(script).split()
    assert not os.path.exists(folder)
    with pytest.raises(ProcessLookupError):
        os.kill(int(process), 0)


def test_the_import_is_cheap():
    script = "import sys, tensorbridge_cli as tb; dir(tb); print({'numpy', 'torch', 'typer'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "set()"


def test_every_public_name_is_there():
    assert all(hasattr(tb, name) for name in tb.__all__)
    with pytest.raises(AttributeError, match="qwzx"):
        tb.qwzx  # noqa: B018


def test_in_a_notebook_it_shows_a_table(tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel")
    pytest.importorskip("ipykernel", reason="needs ipykernel")
    from nbformat.v4 import new_code_cell, new_notebook

    cells = [
        "import numpy as np, torch, tensorbridge_cli as tb\nbig = torch.ones(600, 600)\n(big @ big).sum()",
        "tb.inspect(np.ones(3), 'from_numpy')",
        "(big @ big).sum()\ntb.inspect(big, 'numpy')",
    ]
    notebook = new_notebook(cells=[new_code_cell(text) for text in cells])
    before = signal.getsignal(signal.SIGINT)
    try:
        nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    finally:
        signal.signal(signal.SIGINT, before)  # asyncio leaves Python's own, also where SIGINT was ignored
    for cell, name in ((notebook.cells[1], "torch.from_numpy"), (notebook.cells[2], "Tensor.numpy")):
        shown = cell.outputs[-1]["data"]
        assert name in shown["text/plain"]
        assert name in shown["text/html"]


# Compared where they are -------------------------------------------------------------------------


@given(a=st.tuples(st.integers(0, 20), st.integers(0, 20)), b=st.tuples(st.integers(0, 20), st.integers(0, 20)))
def test_shares_memory_agrees_with_the_cells_that_both_have(a, b):
    array = np.zeros(20, "i2")
    tensor = torch.from_numpy(array)
    assert tb.shares_memory(array[slice(*a)], tensor[slice(*b)]) == bool(
        set(range(20)[slice(*a)]) & set(range(20)[slice(*b)])
    )


def test_relation_keeps_three_facts_apart():
    array = np.zeros(8, "f4")
    halves = tb.relation(array[:4], torch.from_numpy(array)[4:])
    assert (halves.same_pointer, halves.same_storage, halves.overlaps, halves.overlap_bytes) == (False, True, False, 0)
    values = torch.ones(3)
    sparse = torch.sparse_coo_tensor(torch.tensor([[0, 1, 2]]), values, check_invariants=False)
    assert tb.shares_memory(sparse, values)
    assert tb.shares_memory([np.ones(2), array], array[3:])


def test_a_byte_that_two_parts_reach_counts_once():
    a = np.arange(12.0)
    parts = ([a, a], [a, a[:3]], [a[:2], a[4:6]], [a[::2], a[1::2]], [a[::2], a[::3]])
    assert [tb.relation(held, a).overlap_bytes for held in parts] == [96, 96, 32, 96, None]
    assert tb.relation([a, a], [a, a]).overlap_bytes == 96


def test_a_lazy_clone_stays_one():
    tensor = torch.ones(3)
    clone = torch._lazy_clone(tensor)
    tb.relation(tensor, clone)
    tb.inspect(clone, "numpy")
    assert torch._C._is_cow_tensor(clone)
    assert clone._version == 0


@pytest.mark.parametrize("other", [[1, 2], np.float32(1), torch.ones(3, device="meta"), "text"])
def test_what_cannot_be_told_is_refused(other):
    with pytest.raises(tb.TensorbridgeError):
        tb.shares_memory(np.ones(3), other)


def test_asserts_show_the_evidence():
    array = np.zeros((2, 3), "f4")
    assert_shares_memory(array, torch.from_numpy(array))
    assert_copies(array, torch.tensor(array))
    with pytest.raises(AssertionError, match="they share memory") as caught:
        assert_copies(array, torch.from_numpy(array))
    said = str(caught.value)
    assert "a: 2×3 float32 numpy.ndarray, pointer 0x" in said
    assert "same pointer: True, same storage: True, bytes in common: 24" in said
    with pytest.raises(AssertionError, match="they share no memory"):
        assert_shares_memory(array, array.copy())


def test_it_may_be_asked_from_another_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(tb.inspect(np.ones(3), "tensor")[0].outcome))
    thread.start()
    thread.join()
    assert found == [Outcome.COPIED]


def test_the_article_is_that_of_the_name() -> None:
    with pytest.raises(RequestError, match="an object is not an array"):
        tb.inspect(object())


@dataclasses.dataclass
class Batch:
    image: Any
    label: Any


Pair = collections.namedtuple("Pair", "image label")


@pytest.mark.parametrize(
    ("batch", "image", "label"),
    [
        (lambda one, two: {"image": one, "label": [two]}, "['image']", "['label'][0]"),
        (lambda one, two: [one, (two, "text", None)], "[0]", "[1][0]"),
        (lambda one, two: Pair(one, {"label": two}), ".image", ".label['label']"),
        (lambda one, two: Batch(one, two), ".image", ".label"),
    ],
)
def test_batches_are_compared_part_by_part(batch, image, label):
    one, two = np.arange(4.0), np.arange(3)
    found = tb.relations(batch(one, two), batch(torch.from_numpy(one), torch.tensor(two)))
    assert list(found) == [image, label]
    assert (found[image].overlaps, found[image].overlap_bytes) == (True, 32)
    assert found[label].overlaps is False
    assert tb.shares_memory(batch(one, two), batch(torch.from_numpy(one), torch.tensor(two)))


def test_a_module_is_compared_with_what_was_saved_of_it():
    model = torch.nn.Linear(2, 3)
    saved = model.state_dict()
    saved["bias"] = saved["bias"].clone()
    assert {name: one.overlaps for name, one in tb.relations(model, saved).items()} == {
        "['weight']": True,
        "['bias']": False,
    }


def test_batches_of_other_parts_are_not_compared():
    with pytest.raises(tb.TensorbridgeError, match=re.escape("only one of the two has ['x'], ['y'].")):
        tb.relations({"x": np.zeros(1), "z": np.zeros(1)}, {"y": np.zeros(1), "z": np.zeros(1)})


def test_a_batch_that_holds_itself_ends():
    batch: dict[str, Any] = {"x": np.zeros(2)}
    batch["again"] = batch
    assert list(tb.relations(batch, batch)) == ["['x']"]
    assert tb.relations(batch, batch)["['x']"].same_object


# What says that it is an array, and is none -------------------------------------------------------------


def pretender(kind):
    return type("Proxy", (), {"__class__": property(lambda self: kind)})()


PRETENDERS = {
    "a mock of an array": Mock(spec=np.ndarray),
    "a mock of a tensor": MagicMock(spec=torch.Tensor),
    "a proxy of an array": pretender(np.ndarray),
    "a proxy of a tensor": pretender(torch.Tensor),
    "a proxy of a parameter": pretender(torch.nn.Parameter),
}


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda x: tb.shares_memory(x, np.ones(3)), "cannot compare a {} and a numpy.ndarray"),
        (lambda x: tb.relation(np.ones(3), x), "cannot compare a numpy.ndarray and a {}"),
        (lambda x: tb.relations([x], [x]), "cannot compare a {} and a {}"),
        (lambda x: tb.inspect(x, "Tensor.numpy"), "cannot inspect a {}"),
        (lambda x: tb.inspect(x, "Tensor.numpy", replica=False), "cannot inspect a {}"),
        (lambda x: tb.check([x]), "cannot inspect a list"),
    ],
)
def test_what_an_object_raises_while_it_is_read_is_said(ask, said):
    with pytest.raises(RequestError) as error:
        ask(torch.ones(3).as_subclass(Closed))
    name = f"{__name__}.Closed"
    assert str(error.value) == f"{said.format(name, name)}: LookupError: not for you."


def test_a_fault_of_our_own_is_no_wrong_request(monkeypatch):
    monkeypatch.setattr("tensorbridge_cli.memory.relation.parts", None)
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        tb.shares_memory(np.ones(3), np.ones(3))


@pytest.mark.parametrize("what", PRETENDERS)
def test_what_pretends_to_be_an_array_is_refused(what):
    """Functions in C would read its memory as that of an array, and end the process."""
    obj, array = PRETENDERS[what], np.ones(3)
    for ask in (
        lambda: tb.shares_memory(obj, array),
        lambda: tb.relation(array, [array, obj]),
        lambda: assert_copies(obj, array),
        lambda: tb.inspect(obj, "from_numpy"),
        lambda: tb.inspect(obj, "from_numpy", replica=False),
    ):
        with pytest.raises(RequestError, match="is not an array, a tensor or a list of numbers"):
            ask()


class Large(np.ndarray):
    """An array of three that says it has a million."""

    shape = property(lambda self: (1_000_000,))


class Nonsense(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return "nonsense"


class Silent(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return NotImplemented


LIARS = {
    "an array": (lambda: np.ones(3).view(Large), "the class Large does not give NumPy's own shape"),
    "a tensor": (lambda: torch.ones(3).as_subclass(Nonsense), "the class Nonsense does not give PyTorch's own shape"),
    "no answer": (lambda: torch.ones(3).as_subclass(Silent), "the class Silent does not give PyTorch's own shape"),
    "a list": (lambda: [np.ones(3), np.ones(3).view(Large)], "the class Large does not give NumPy's own shape"),
    "a dict": (lambda: {"w": torch.ones(3).as_subclass(Nonsense)}, "the class Nonsense does not give PyTorch's own"),
}


@pytest.mark.parametrize("what", LIARS)
def test_whose_class_says_what_is_not_so_is_refused(what):
    """It would be read as its class says: past its end."""
    make, sentence = LIARS[what]
    for ask in (
        lambda: tb.shares_memory(make(), np.ones(3)),
        lambda: tb.relation(np.ones(3), make()),
        lambda: tb.inspect(make(), "torch.as_tensor"),
        lambda: tb.inspect(make(), "torch.as_tensor", replica=False),
    ):
        with pytest.raises(RequestError, match=sentence):
            ask()


def test_what_is_no_name_and_no_list_of_numbers_is_refused():
    with pytest.raises(RequestError, match="CONVERSION: None is not a text"):
        tb.inspect(np.ones(3), None)
    with pytest.raises(RequestError, match="CONVERSION: 3 is not a text"):
        tb.inspect(np.ones(3), "from_numpy", 3)
    itself = [1.0]
    itself.append([itself])
    for replica in (True, False):
        with pytest.raises(RequestError, match="a list that contains itself is not a list of numbers"):
            tb.inspect(itself, "torch.tensor", replica=replica)


@pytest.mark.parametrize("ask", [tb.inspect, tb.check])
def test_none_is_not_a_generated_source(ask):
    """A gradient that is None would pass a check that says nothing about it."""
    with pytest.raises(RequestError, match=r"^the object is None: omit it to inspect a generated source\.$"):
        ask(torch.ones(3).grad, "from_numpy")


def test_a_live_object_is_not_called_an_expression():
    with pytest.raises(RequestError, match=r"^the object cannot be converted: a set is not an array, "):
        tb.inspect({1.0}, "torch.tensor", replica=False)


def test_the_attributes_of_an_unknown_object_are_not_asked_for():
    class Anything:
        def __getattr__(self, name):
            return "cuda"

    with pytest.raises(RequestError, match="is not an array, a tensor or a list of numbers"):
        tb.inspect(Anything(), "from_numpy", replica=False)
