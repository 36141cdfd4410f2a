"""Programs that ship inside installed packages, and loops as their documentation writes them: their conversions are
counted once more, by the interpreter's own profiler, which sees each call of a C function."""

import json

import pytest

from tests.tracing.tools import bare, record, script, under

COUNTED = """
import collections, json, runpy, sys, threading
import numpy, torch
from torch.utils.data import _utils
names = {torch.tensor: "torch.tensor", torch.as_tensor: "torch.as_tensor", torch.from_numpy: "torch.from_numpy",
         torch.stack: "torch.stack", numpy.array: "np.array", numpy.asarray: "np.asarray",
         numpy.ascontiguousarray: "np.ascontiguousarray"}
methods = {"numpy": "Tensor.numpy", "clone": "Tensor.clone", "contiguous": "Tensor.contiguous", "to": "Tensor.to",
           "copy_": "Tensor.copy_", "float": "Tensor.float", "cpu": "Tensor.cpu", "reshape": "Tensor.reshape"}
collate = _utils.collate.default_collate.__code__
calls, inside = collections.Counter(), 0
def count(frame, event, function):
    global inside
    if frame.f_code is collate and event in ("call", "return"):
        calls["torch.utils.data.default_collate"] += event == "call" and not inside
        inside += 1 if event == "call" else -1
    if event == "c_call" and not inside:
        try:
            name = names.get(function)
        except TypeError:
            name = None
        if name is None and isinstance(getattr(function, "__self__", None), torch.Tensor):
            name = methods.get(function.__name__)
        if name is not None:
            calls[name] += 1
sys.argv = sys.argv[1:]
sys.setprofile(count)
try:
    if sys.argv[0] == "-m":
        sys.argv = sys.argv[1:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    sys.setprofile(None)
    print(json.dumps(calls), file=sys.stderr)
"""

REPLAY = """
import numpy as np, torch
class Buffer:  # as in the documentation of reinforcement-learning libraries
    def __init__(self, size, width):
        self.states = np.zeros((size, width), dtype=np.float32)
        self.rewards = np.zeros(size, dtype=np.float64)
        self.at = 0
    def add(self, state, reward):
        self.states[self.at % len(self.states)] = state
        self.rewards[self.at % len(self.rewards)] = reward
        self.at += 1
    def sample(self, n, rng):
        picked = rng.integers(0, min(self.at, len(self.states)), n)
        return torch.as_tensor(self.states[picked]), torch.tensor(self.rewards[picked]).float()
rng = np.random.default_rng(0)
buffer, net = Buffer(100, 4), torch.nn.Linear(4, 1)
for step in range(150):
    state = rng.normal(size=4).astype(np.float32)
    with torch.no_grad():
        action = net(torch.from_numpy(state)).numpy()
    buffer.add(state, float(action[0]))
    if step % 10 == 9:
        states, rewards = buffer.sample(16, rng)
        loss = ((net(states)[:, 0] - rewards) ** 2).mean()
        loss.backward()
"""

LOADER = """
import numpy as np, torch
from torch.utils.data import DataLoader, TensorDataset
x = torch.from_numpy(np.random.default_rng(0).random((96, 5), dtype=np.float32))
net = torch.nn.Linear(5, 1)
losses = []
for epoch in range(3):
    for (batch,) in DataLoader(TensorDataset(x), batch_size=8):
        loss = net(batch.clone().contiguous()).mean()
        losses.append(loss.detach().cpu().numpy())
print(float(np.asarray(losses).mean()) < 10)
"""

ALSO_IN_LIBRARIES = {
    "np.array",
    "np.asarray",
    "Tensor.reshape",
    "Tensor.to",
    "Tensor.contiguous",
    "np.ascontiguousarray",
}
"""What numpy and torch call for themselves by names that they bound before: the profiler sees it, the hooks do not."""


@pytest.mark.parametrize(
    "program",
    [
        ["-m", "torch.utils.benchmark.examples.simple_timeit"],
        REPLAY,
        LOADER,
    ],
    ids=["simple_timeit", "replay buffer", "loader"],
)
def test_the_counts_are_those_of_the_interpreter(tmp_path, program):
    arguments = program if isinstance(program, list) else [script(tmp_path, program)]
    done = bare(tmp_path, "-c", COUNTED, *arguments)
    assert done.returncode == 0, done.stderr
    expected = json.loads(done.stderr.splitlines()[-1])
    assert under(tmp_path, *arguments).returncode == 0
    counted = {}
    for site in record(tmp_path)["sites"]:
        if site["conversion"].startswith("ndarray."):  # told by newer Pythons, and not to the profiler by these names
            continue
        name = site["conversion"].partition("(")[0]
        counted[name] = counted.get(name, 0) + site["calls"]
    compared = (counted.keys() | expected.keys()) - ALSO_IN_LIBRARIES
    assert compared
    assert {name: counted.get(name, 0) for name in compared} == {name: expected.get(name, 0) for name in compared}
