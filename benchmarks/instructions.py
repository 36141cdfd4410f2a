"""Count the bytecode instructions of Python on the paths that run a hundred thousand times: the same on every machine.

    python benchmarks/instructions.py          compare with ``instructions.json``; exit code 1 for 10 % more
    python benchmarks/instructions.py --write  renew that file, after a change that was meant

Seconds depend on the machine and on what else it does. What runs in C is not counted. Another Python compiles to other
instructions: each minor version has its own counts, and one without any is not compared.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

STORED = Path(__file__).with_suffix(".json")
ALLOWED = 1.10


def counted(function: Callable[[], Any]) -> int:
    """Return how many instructions ``function`` takes, when it has run before."""
    for _ in range(3):  # caches are filled, and what is imported is there
        function()
    count = 0

    def step(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal count
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        count += event == "opcode"
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


def counts() -> dict[str, int]:
    """Return the instructions of experiments, of what happens to an observation afterwards, and of recorded calls."""
    from tensorbridge_cli import encoding
    from tensorbridge_cli.lab import wire
    from tensorbridge_cli.lab.client import Here
    from tensorbridge_cli.lab.experiment import Bench
    from tensorbridge_cli.lab.protocol import Finished, Run, Settings
    from tensorbridge_cli.lab.server import Prepared
    from tensorbridge_cli.render.machine import jsonl
    from tensorbridge_cli.survey.judged import documentation, judged
    from tensorbridge_cli.survey.plan import plan
    from tensorbridge_cli.survey.request import Request

    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(setup="", scratch=Path(scratch), folder="")
        prepared, here = Prepared(bench), Here(Settings(isolation="none", timeout=10.0, jobs=1, bench=bench))
        hello = prepared.hello()

        def observed(conversion: str, **subject: tuple[str, ...]) -> Any:
            request = Request(conversions=(conversion,), **subject)
            (experiment,) = plan([request], here, hello, snapshot=-1).experiments
            name = " ".join([conversion, *(word for words in subject.values() for word in words)])
            found[f"experiment: {name}"] = counted(lambda: prepared.run(experiment, lambda stage, facts: None))
            return prepared.run(experiment, lambda stage, facts: None)

        row = observed("torch.from_numpy")
        observed("Tensor.numpy")
        observed("torch.tensor", layouts=("non-contiguous",), dtypes=("complex64",))
        observed("Tensor.clone", states=("negative-bit",))
        observed("Tensor.numpy", states=("requires-grad",))
    asked = plan([Request(every=True)], here, hello, snapshot=-1).experiments
    found["ask for every conversion"] = counted(lambda: Run.of(asked, jobs=2, alone=False))
    found["read what is asked for"] = counted(Run.of(asked, jobs=2, alone=False).experiments)
    pages, body = documentation(hello), wire.encode(Finished.of(0, row))
    found["encode"] = counted(lambda: wire.encode(Finished.of(0, row)))
    found["decode"] = counted(lambda: encoding.decoded(body, Finished))
    found["judge"] = counted(lambda: judged(row, pages))
    entry = judged(row, pages)
    found["write a line of JSON"] = counted(lambda: jsonl._entry(entry))
    return found | traced()


def traced() -> dict[str, int]:
    """Return the instructions of calls that are recorded: the compiled part adds none to those of the call."""
    import numpy as np
    import torch

    import tensorbridge_cli as tb
    from tensorbridge_cli.tracing.inside import counting

    if counting._counting is None:  # what Python does then is another path, and depends on how often it was called
        return {}
    array, tensor = np.ones((4, 3)), torch.ones(4, 3)
    with tb.trace():
        return {
            "traced: torch.from_numpy": counted(lambda: torch.from_numpy(array)),
            "traced: Tensor.numpy": counted(lambda: tensor.numpy()),
            "traced: np.asarray": counted(lambda: np.asarray(tensor)),
        }


def main(write: bool) -> int:
    """Print each count beside the stored one; return the exit code."""
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed: its conversions are what is counted", file=sys.stderr)
        return 2
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stored: dict[str, dict[str, int]] = json.loads(STORED.read_text()) if STORED.exists() else {}
    found = counts()
    if write:
        STORED.write_text(json.dumps(stored | {version: found}, indent=2) + "\n")
        return 0
    if version not in stored:
        print(f"no counts of Python {version} are stored")
        return 0
    known = stored[version]
    more = {name for name, count in found.items() if count > ALLOWED * known[name]}
    for name, count in found.items():
        change = f"{count / known[name] - 1:+.1%}"
        print(f"{name:50} {count:7,} {known[name]:7,} {change:>7}{'  more than 10 %' if name in more else ''}")
    return 1 if more else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Count the instructions of a few paths, and compare them.")
    parser.add_argument("--write", action="store_true", help="save the counts instead")
    sys.exit(main(parser.parse_args().write))
