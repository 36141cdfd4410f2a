"""What the tests of experiments share: an observation, a judged row, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tensorbridge_cli.judgement.judge import judge
from tensorbridge_cli.lab import run
from tensorbridge_cli.lab.experiment import Bench
from tensorbridge_cli.records.report import Expectation, Observation, Row
from tests.tools import experiment

Build = Callable[[], Any]


def observe(build: Build, code: str) -> Observation:
    bench = Bench(setup="", scratch=Path(), folder="")
    names = {"np": np, "torch": torch, "build": build}
    found = run.run(experiment(code, "build()"), bench, names, lambda stage, facts: None)
    assert isinstance(found, Observation), found
    return found


def row(build: Callable[[], Any], code: str) -> Row:
    return judge(observe(build, code), Expectation(promises=()))


def codes(found: Row) -> set[str]:
    return {hazard.code for hazard in found.hazards}


def detail(found: Row, code: str) -> str:
    return next(hazard.detail for hazard in found.hazards if hazard.code == code)


def frozen(array: Any) -> Any:
    array.flags.writeable = False
    return array
