"""What tracing costs: a call of each conversion over the bare call, and whole programs traced and not, in turns.

``python benchmarks/trace.py [ROUNDS]``; where viztracer, memray, pyinstrument or scalene are installed, the same
programs run under them in the same rounds. Times are wall-clock; the median of the rounds is what counts. Machines
differ: below the calls stands what a plain wrapper costs there, which notes the caller's line, both addresses and the
bytes.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOOP = """
import json, statistics, sys, time
import numpy as np, torch
array = np.arange(12.0).reshape(4, 3)
tensor = torch.ones(4, 3)
from_numpy = torch.from_numpy
lines = {}
def plain_wrapper(array):
    frame = sys._getframe(1)
    result = from_numpy(array)
    seen = lines.setdefault((frame.f_code.co_filename, frame.f_lineno), [0, 0, 0])
    seen[0] += 1
    seen[1] += result.nbytes
    seen[2] += array.__array_interface__["data"][0] == result.data_ptr()
    return result
calls = {
    "torch.from_numpy": (torch.from_numpy, array), "Tensor.numpy": (torch.Tensor.numpy, tensor),
    "torch.as_tensor": (torch.as_tensor, array), "torch.tensor": (torch.tensor, array),
    "np.asarray": (np.asarray, array), "np.array": (np.array, array), "Tensor.clone": (torch.Tensor.clone, tensor),
    "Tensor.contiguous": (torch.Tensor.contiguous, tensor), "a plain wrapper": (plain_wrapper, array),
}
def loop(function, source):
    began = time.perf_counter()
    for _ in range(5000):
        function(source)
    return (time.perf_counter() - began) / 5000 * 1e6
print(json.dumps({name: statistics.median(loop(*call) for _ in range(60)) for name, call in calls.items()}))
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

TRAINING = """
import numpy as np, torch
from torch.utils.data import DataLoader, Dataset
torch.manual_seed(0)
torch.set_num_threads(1)
class Images(Dataset):
    def __init__(self):
        self.x = np.random.default_rng(0).integers(0, 256, (2_000, 28, 28), dtype=np.uint8)
    def __len__(self):
        return len(self.x)
    def __getitem__(self, i):
        return torch.from_numpy(self.x[i].astype(np.float32) / 255), int(self.x[i, 0, 0]) % 10
net = torch.nn.Sequential(
    torch.nn.Unflatten(1, (1, 28)), torch.nn.Conv2d(1, 16, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
    torch.nn.Flatten(), torch.nn.Linear(16 * 13 * 13, 10),
)
adam = torch.optim.Adam(net.parameters())
losses = []
for epoch in range(4):
    for x, y in DataLoader(Images(), batch_size=32, shuffle=True):
        loss = torch.nn.functional.cross_entropy(net(x), y)
        adam.zero_grad(); loss.backward(); adam.step()
        losses.append(loss.detach().numpy())
np.asarray(losses)
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

WRAPPER = "a plain wrapper"
PROFILERS = {
    "viztracer": ["-m", "viztracer", "--quiet", "-o", "{out}.json"],
    "memray": ["-m", "memray", "run", "--quiet", "--force", "-o", "{out}.bin"],
    "pyinstrument": ["-m", "pyinstrument", "-o", "{out}.txt"],
    "scalene": ["-m", "scalene", "run", "-o", "{out}.scalene.json"],
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure what tracing costs.")
    parser.add_argument("rounds", nargs="?", type=int, default=5)
    rounds = parser.parse_args().rounds
    if rounds < 1:
        parser.error("argument rounds: specify 1 or more")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "program.py"
        program.write_text(LOOP)
        bare_command = [sys.executable, str(program)]
        loops = [(_loop(bare_command, folder), _loop(_trace(program), folder)) for _ in range(rounds)]
        bare, traced = zip(*loops, strict=True)
        print(f"a recorded call over the bare call, median of {rounds} processes of 60 × 5,000, in µs")
        for name in bare[0]:
            alone, recorded = (statistics.median(one[name] for one in side) for side in (bare, traced))
            if name == WRAPPER:
                recorded, alone = alone, statistics.median(one["torch.from_numpy"] for one in bare)
            print(f"  {name:20} {alone:6.2f}  {recorded - alone:+6.2f}")
        programs = (
            ("a program that converts at every item that it loads", LOADING),
            ("a program that loads images and trains", TRAINING),
            ("a program without conversions", NONE),
        )
        for title, text in programs:
            program.write_text(text)
            _compare(title, folder, program, rounds)


def _loop(command: list[str], folder: str) -> dict[str, float]:
    """Return the µs that each call takes in a process.

    In a checkout ``-m`` would take the package there, which lacks the part written in C if another one is installed.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True, encoding="utf-8")
    times: dict[str, float] = json.loads(done.stdout)
    return times


def _trace(program: Path) -> list[str]:
    return [sys.executable, "-m", "tensorbridge_cli", "trace", "--no-config", str(program)]


def _compare(title: str, folder: str, program: Path, rounds: int) -> None:
    commands = {"bare": [sys.executable, str(program)], "tensorbridge trace": _trace(program)}
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
            done = subprocess.run(command, cwd=folder, capture_output=True, check=True, encoding="utf-8")
            if name == "tensorbridge trace":
                seen = next(
                    line for line in done.stderr.splitlines() if " calls in " in line or "no conversion" in line
                )
            times[name].append(time.perf_counter() - began)
    print(f"{title}, median of {rounds} in turns")
    for name, took in times.items():
        ratios = statistics.median(one / bare for one, bare in zip(took, times["bare"], strict=True))
        print(f"  {name:20} {statistics.median(took):6.2f} s  {ratios:.2f} ×")
    print(f"  {seen}")


if __name__ == "__main__":
    main()
