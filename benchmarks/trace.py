"""What tracing costs: a call of each conversion over the bare call, and whole programs traced and not, in turns.

``python benchmarks/trace.py [ROUNDS]``; where viztracer, memray or pyinstrument are installed, the same programs run
under them in the same rounds. Times are wall-clock; the median of the rounds is what counts.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOOP = """
import json, statistics, time
import numpy as np, torch
array = np.arange(12.0).reshape(4, 3)
tensor = torch.ones(4, 3)
calls = {
    "torch.from_numpy": (torch.from_numpy, array), "Tensor.numpy": (torch.Tensor.numpy, tensor),
    "torch.as_tensor": (torch.as_tensor, array), "torch.tensor": (torch.tensor, array),
    "np.asarray": (np.asarray, array), "np.array": (np.array, array), "Tensor.clone": (torch.Tensor.clone, tensor),
    "Tensor.contiguous": (torch.Tensor.contiguous, tensor),
}
def loop(function, source):
    began = time.perf_counter()
    for _ in range(5000):
        function(source)
    return (time.perf_counter() - began) / 5000 * 1e6
found = {}
for name, (function, source) in calls.items():
    bare = getattr(function, "__wrapped__", function)
    rounds = [(loop(bare, source), loop(function, source)) for _ in range(60)]
    found[name] = [statistics.median(side) for side in zip(*rounds)]
print(json.dumps(found))
"""

LOADING = """
import numpy as np, torch
from torch.utils.data import DataLoader, Dataset
torch.manual_seed(0)
torch.set_num_threads(1)
class Rows(Dataset):
    def __init__(self):
        self.x = np.random.default_rng(0).random((20_000, 16), dtype=np.float32)
    def __len__(self):
        return len(self.x)
    def __getitem__(self, i):
        return torch.from_numpy(self.x[i]), torch.as_tensor(self.x[i, 0])
net = torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
adam = torch.optim.Adam(net.parameters())
for epoch in range(6):
    for x, y in DataLoader(Rows(), batch_size=64):
        loss = ((net(x)[:, 0] - y) ** 2).mean()
        adam.zero_grad(); loss.backward(); adam.step()
"""

NONE = """
import torch
torch.set_num_threads(1)
x = torch.ones(200, 200)
for i in range(3000):
    x = torch.tanh(x @ x * 1e-3)
total = 0
for i in range(3_000_000):
    total += i
"""

PROFILERS = {
    "viztracer": ["-m", "viztracer", "--quiet", "-o", "{out}.json"],
    "memray": ["-m", "memray", "run", "--quiet", "--force", "-o", "{out}.bin"],
    "pyinstrument": ["-m", "pyinstrument", "-o", "{out}.txt"],
}


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "program.py"
        program.write_text(LOOP)
        done = subprocess.run(_trace(folder, program), capture_output=True, check=True, encoding="utf-8")
        print("a recorded call over the bare call, median of 60 × 5,000, in µs")
        for name, (bare, traced) in json.loads(done.stdout).items():
            print(f"  {name:20} {bare:6.2f}  {traced - bare:+6.2f}")
        for title, text in (("a program that loads data and trains", LOADING), ("a program without conversions", NONE)):
            program.write_text(text)
            _compare(title, folder, program, rounds)


def _trace(folder: str, program: Path) -> list[str]:
    command = [sys.executable, "-m", "tensorbridge_cli", "trace", "--no-remedies", "--no-config"]
    return [*command, "-o", f"{folder}/trace.json", str(program)]


def _compare(title: str, folder: str, program: Path, rounds: int) -> None:
    commands = {"bare": [sys.executable, str(program)], "tensorbridge trace": _trace(folder, program)}
    for name, arguments in PROFILERS.items():
        if importlib.util.find_spec(name):
            commands[name] = [
                sys.executable,
                *(part.format(out=f"{folder}/{name}") for part in arguments),
                str(program),
            ]
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True, env=os.environ)
            times[name].append(time.perf_counter() - began)
    print(f"{title}, median of {rounds} in turns")
    for name, took in times.items():
        ratios = statistics.median(one / bare for one, bare in zip(took, times["bare"], strict=True))
        print(f"  {name:20} {statistics.median(took):6.2f} s  {ratios:.2f} ×")
    found = json.loads(Path(folder, "trace.json").read_text())
    print(f"  {found['totals']['calls']:,} conversions")


if __name__ == "__main__":
    main()
