"""What runs a hundred thousand times takes no more instructions than before: seconds would depend on the machine."""

import json
import subprocess
import sys

import pytest

from benchmarks import instructions
from tests.tools import ROOT

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
STORED = json.loads(instructions.STORED.read_text())


@pytest.mark.skipif(VERSION not in STORED, reason=f"no counts of Python {VERSION} are stored")
def test_no_path_takes_a_tenth_more_instructions_than_it_did() -> None:
    done = subprocess.run([sys.executable, "benchmarks/instructions.py"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert {"judge", "encode", "traced: np.asarray"} <= STORED[VERSION].keys()


def test_more_work_is_more_instructions() -> None:
    assert 4 * instructions.counted(lambda: sum(map(abs, range(9)))) < instructions.counted(
        lambda: [abs(n) for n in range(99)]
    )
