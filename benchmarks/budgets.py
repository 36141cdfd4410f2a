"""Measure the budgets: each command beside the floor, in turn, in the same run.

    python benchmarks/budgets.py [ROUNDS]
    python benchmarks/budgets.py matrix

The second measures ``check``, and ``matrix`` from a hundred experiments to ``--full``: seconds of wall clock and of CPU
beside the floor's, what one more experiment costs, and the peak memory of all processes together. It takes a quarter of
an hour.

The floor is ``python -c "import numpy, torch"``. Time is wall clock if nothing else is said; beside
it stands the ratio of the CPU of all processes. The byte code of the package is compiled first, as pip does. Memory is
told twice: the largest resident set of one process (as ``time -v`` has it), and the peak of the sum over all processes
of their proportional set sizes (Linux), looked at every few milliseconds. A ratio is that of the medians; its spread is
that of the rounds, each held against the floor of its own round.
"""

from __future__ import annotations

import argparse
import compileall
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

import tensorbridge_cli

FLOOR = [sys.executable, "-c", "import numpy, torch"]
TOOL = [sys.executable, "-m", "tensorbridge_cli"]
SMALL = [*TOOL, "inspect", "from_numpy", "as_tensor"]
SAVED = Path(__file__).parent.parent / "tests" / "reports" / "shared.json"
COMMANDS = {
    "--help": ([*TOOL, "--help"], 0.12),
    "inspect --help": ([*TOOL, "inspect", "--help"], 0.2),
    "list": ([*TOOL, "list"], 0.12),
    "explain": ([*TOOL, "explain", "from_numpy"], 0.12),
    "show": ([*TOOL, "show", str(SAVED)], 0.12),
    "schema": ([*TOOL, "schema"], 0.12),
    "inspect": ([*TOOL, "inspect"], 1.03),
    "demo": ([*TOOL, "demo"], 1.6),
}
LARGE = [*SMALL, "--shape", "30000,30000", "--dtype", "float32"]


def measure(command: list[str], ends: tuple[int, ...] = (0,)) -> tuple[float, float]:
    """Return the largest resident set of one process of ``command``, and the peak of all together, in MB."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=tempfile.gettempdir()) as running:
        largest = together = 0.0
        while running.poll() is None:
            resident, proportional = _memory(running.pid)
            largest, together = max(largest, resident), max(together, proportional)
            time.sleep(0.005)
    if running.returncode not in ends:
        raise SystemExit(f"{' '.join(command)} ended with {running.returncode}")
    return largest, together


def timed(command: list[str]) -> float:
    """Return the seconds that ``command`` took, with nothing looking on."""
    return timed_with_cpu(command)[0]


def timed_with_cpu(command: list[str], ends: tuple[int, ...] = (0,)) -> tuple[float, float]:
    """Return the seconds that ``command`` took, and those of CPU of all its processes; ``ends`` are its exit codes."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, check=False, cwd=tempfile.gettempdir())
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode not in ends:
        raise SystemExit(f"{' '.join(command)} ended with {ended.returncode}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _memory(pid: int) -> tuple[float, float]:
    sizes: list[dict[str, int]] = []
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]
            sizes.append({line.split(":")[0]: int(line.split()[1]) for line in lines})
    except (psutil.Error, OSError, IndexError):
        return 0.0, 0.0
    return max(size["Rss"] for size in sizes) / 1000, sum(size["Pss"] for size in sizes) / 1000


def ratio(ours: list[float], floors: list[float]) -> str:
    """Return the ratio of the medians and the spread of the rounds."""
    each = sorted(a / b for a, b in zip(ours, floors, strict=True))
    return f"{statistics.median(ours) / statistics.median(floors):5.2f} × ({each[0]:.2f}–{each[-1]:.2f})"


GROWING = (
    ["from_numpy", "as_tensor", "--dtype", "float32"],
    ["--group", "dlpack", "--dtype", "all"],
    ["--dtype", "float32,int64", "--layout", "all"],
    ["--dtype", "float32,float64,int8,int64,bool,bfloat16,complex64", "--layout", "all"],
    ["--dtype", "all", "--layout", "all"],
    ["--full"],
)
FULL_BUDGET, CHECK_BUDGET = 15, 3  # times the floor
MEMORY_BUDGET = 700  # MB of all processes


def matrix() -> None:
    """Measure ``check``, and ``matrix`` as it grows, and print a line each."""
    floors = [timed_with_cpu(FLOOR) for _ in range(3)]
    floor, floor_cpu = (statistics.median(each) for each in zip(*floors, strict=True))
    print(f"floor: {floor:.2f} s, {floor_cpu:.2f} s of CPU")
    wall, cpu = timed_with_cpu([*TOOL, "check"], ends=(0, 1))  # 1: the installed libraries contradict their docs
    print(f"check: {wall:.2f} s, {wall / floor:.2f} × (CPU {cpu / floor_cpu:.2f} ×), budget {CHECK_BUDGET} ×")
    before = (0, 0.0)
    for arguments in GROWING:
        with tempfile.TemporaryDirectory() as folder:
            lines = Path(folder, "rows.tsv")
            command = [*TOOL, "matrix", *arguments, "--format", "tsv", "-o", str(lines)]
            seconds, cpu = timed_with_cpu(command)
            _largest, together = measure(command)
            with lines.open(encoding="utf-8") as rows:
                count = sum("\tnot-applicable\t" not in row for row in rows) - 1
        more = (seconds - before[1]) / max(1, count - before[0]) * 1e6
        print(
            f"{count:7,} experiments {seconds:7.2f} s {seconds / floor:6.2f} × (CPU {cpu / floor_cpu:6.2f} ×), "
            f"one more {more:6.0f} µs, {together:5.0f} MB  matrix {' '.join(arguments)}"
        )
        before = (count, seconds)
    print(f"budget: {FULL_BUDGET} × and {MEMORY_BUDGET} MB for --full")


def main(rounds: int) -> None:
    """Measure all, and print a line a command."""
    compileall.compile_dir(Path(tensorbridge_cli.__file__).parent, quiet=1)
    floors: list[float] = []
    floor_cpus: list[float] = []
    ours: dict[str, list[float]] = {name: [] for name in COMMANDS}
    cpus: dict[str, list[float]] = {name: [] for name in COMMANDS}
    small: list[float] = []
    large: list[float] = []
    for _ in range(rounds):
        wall, cpu = timed_with_cpu(FLOOR)
        floors.append(wall)
        floor_cpus.append(cpu)
        for name, (command, _budget) in COMMANDS.items():
            wall, cpu = timed_with_cpu(command)
            ours[name].append(wall)
            cpus[name].append(cpu)
        small.append(timed(SMALL))
        large.append(timed(LARGE))
    print(f"floor: {statistics.median(floors):.2f} s, CPU {statistics.median(floor_cpus):.2f} s, {rounds} rounds")
    for name, (_command, budget) in COMMANDS.items():
        print(
            f"{name:28} {statistics.median(ours[name]):6.3f} s  {ratio(ours[name], floors)}, "
            f"CPU {ratio(cpus[name], floor_cpus)}  budget {budget} ×"
        )
    print(f"{'inspect 3.6 GB / 48 bytes':28} {statistics.median(large):6.3f} s  {ratio(large, small)}  budget 1.05 ×")
    commands = {"floor": FLOOR, "inspect": [*TOOL, "inspect"], "48 bytes": SMALL, "3.6 GB": LARGE}
    peaks = {name: [measure(command) for _ in range(3)] for name, command in commands.items()}
    for which, (what, most) in enumerate((("largest process", 1.15), ("all together", 1.10))):
        middle = {name: statistics.median(peak[which] for peak in found) for name, found in peaks.items()}
        against = middle["inspect"] / middle["floor"]
        more = middle["3.6 GB"] - middle["48 bytes"]
        print(f"peak memory, {what}: floor {middle['floor']:.0f} MB, inspect {middle['inspect']:.0f} MB, ", end="")
        print(f"{against:.2f} × (budget {most:.2f} ×); 3.6 GB beside 48 bytes: {more:+.0f} MB (budget +50 MB)")


if __name__ == "__main__":
    if sys.argv[1:] == ["matrix"]:
        matrix()
    else:
        parser = argparse.ArgumentParser(description="Measure the budgets; with the word matrix, those of matrix.")
        parser.add_argument("rounds", nargs="?", type=int, default=5)
        arguments = parser.parse_args()
        if arguments.rounds < 1:
            parser.error("argument rounds: specify 1 or more")
        main(arguments.rounds)
