"""Every outcome, both writes and every death, held against a program that shares no code with the package.

By default a sample of the catalogue; ``TENSORBRIDGE_SWEEP=full`` holds all of ``matrix --full`` and of six target
dtypes against it. The oracle is told the line that a user types and the words of its subject, and nothing else.
"""

from __future__ import annotations

import ast
import collections
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tensorbridge_cli.catalog import layouts, states
from tensorbridge_cli.catalog.registry import find
from tensorbridge_cli.records.report import Observation
from tensorbridge_cli.survey.judged import documentation, judged
from tensorbridge_cli.survey.plan import plan
from tensorbridge_cli.survey.request import Request
from tests.sweep import FULL
from tests.tools import started

ORACLE = Path(__file__).with_name("oracle.py")
DTYPES = ("float32", "int64", "uint8", "bool", "complex64", "float16", "bfloat16")
TO_DTYPES = ("float32", "float64", "int64", "int32", "uint8", "complex64")
NOT_COVERED = {"quint4x2", "quint2x4"}
"""The dtypes that the oracle has no code for: several elements lie in a byte, so none has an address."""

_ZERO_OR_FAKE = {"zero-tensor", "fake"}
_INTEGERS = {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}

Row = dict[str, Any]


def requests() -> list[Request]:
    dtypes = ("all",) if FULL else DTYPES
    return [
        Request(every=True, dtypes=dtypes, layouts=("all",)),
        Request(every=True, dtypes=dtypes, states=("all",)),
        *(Request(every=True, dtypes=DTYPES, to_dtype=name) for name in TO_DTYPES),
        *([Request(every=True, dtypes=DTYPES, layouts=("all",), to_dtype=name) for name in TO_DTYPES] if FULL else []),
    ]


def sample(experiments: tuple[Any, ...]) -> list[Any]:
    """Each conversion equally often; a step that is prime meets every dtype, layout and state in turn."""
    if FULL:
        return list(experiments)
    of_one: dict[str, list[Any]] = collections.defaultdict(list)
    for experiment in experiments:
        of_one[experiment.conversion].append(experiment)
    chosen = []
    for number, several in enumerate(of_one.values()):
        plain = [one for one in several if one.to_dtype is None]
        other = [one for one in several if one.to_dtype is not None]
        chosen += plain[number % 37 :: 37] + other[number % 11 :: 11]
    return chosen


def asked(row: Row) -> Row:
    """What the oracle is told of a row: the line, and the words of the subject."""
    entry = find(row["conversion"])
    assert entry is not None
    to_dtype = row.get("to_dtype")
    return {
        "code": entry.code if to_dtype is None else entry.code_with_dtype,
        "setup": entry.setup,
        "to_dtype": to_dtype,
        "to_torch": row["direction"].endswith("-to-torch"),
        "subject": {word: row["subject"][word] for word in ("library", "shape", "dtype", "layout", "state")},
    }


def said(row: Row) -> tuple[str | None, ...]:
    """What the package says of a row, in the oracle's words."""
    if "outcome" not in row:
        return ("not-applicable", "not-tried", "not-tried", None)
    crash, writes = row["crash"], row["writes"]
    death = f"{crash['signal']} {crash['stage']}" if crash else None
    return (row["outcome"], writes["source_to_result"], writes["result_to_source"], death)


def oracle(cells: list[Row]) -> list[Row]:
    """The answers of a process in which nothing of the package is imported."""
    command = [sys.executable, "-I", str(ORACLE)]
    done = subprocess.run(command, input=json.dumps(cells), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers: list[Row] = json.loads(done.stdout)
    return answers


def explanation(row: Row, answer: Row) -> str | None:
    """Why the two say different things of a row though neither is wrong; ``None`` where nothing explains it."""
    words, dtype = set(row["subject"]["state"].split("+")), row["subject"]["dtype"]
    outcome = row.get("outcome")
    for applies, reason in (
        (
            "scalar" in words and dtype in _INTEGERS and row["conversion"] in ("torch.Tensor", "torch.FloatTensor"),
            "An integer is a size there: what comes back depends on its value, and the two fill differently.",
        ),
        (
            outcome == "undecidable" and bool(words & _ZERO_OR_FAKE) and answer["outcome"] in ("copied", "shared"),
            "There are no bytes beneath the source: the result lies over memory that nobody wrote. The package tells "
            "this from what is in it and writes nothing there; the oracle writes.",
        ),
    ):
        if applies:
            return reason
    return None


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    with started(jobs=2, timeout=60.0) as lab:
        experiments = sample(plan(requests(), lab, lab.hello()).experiments)
        pages, ends = documentation(lab.hello()), dict(lab.run(experiments))
        in_order = (ends[number] for number in range(len(experiments)))
        entries = (judged(end, pages) if isinstance(end, Observation) else end for end in in_order)
        return [msgspec.to_builtins(entry) for entry in entries]


@pytest.fixture(scope="module")
def answers(rows: list[Row]) -> list[Row]:
    cells = [asked(row) for row in rows]
    middle = len(cells) // 2 if FULL else len(cells)  # one for each core
    with ThreadPoolExecutor() as pool:
        return [
            answer for answers in pool.map(oracle, filter(None, (cells[:middle], cells[middle:]))) for answer in answers
        ]


@pytest.mark.timeout(3600 if FULL else 300)
def test_the_oracle_says_the_same_of_every_row(rows: list[Row], answers: list[Row]) -> None:
    keys = ("outcome", "source_to_result", "result_to_source", "death")
    different = [
        (row["conversion"], row["direction"], row.get("to_dtype"), row["subject"], said(row), answer)
        for row, answer in zip(rows, answers, strict=True)
        if answer["outcome"] != "not-covered"
        and said(row) != tuple(answer[key] for key in keys)
        and explanation(row, answer) is None
    ]
    assert len(rows) > 500
    assert not different, f"{len(different)} of {len(rows)}: {different[:10]}"


def test_every_conversion_layout_and_state_is_held_against_it(rows: list[Row], answers: list[Row]) -> None:
    held = [row for row, answer in zip(rows, answers, strict=True) if answer["outcome"] != "not-covered"]
    assert len({row["conversion"] for row in held}) > 80
    assert {row["subject"]["dtype"] for row in held} >= set(DTYPES)
    assert {row["subject"]["layout"] for row in held} == set(layouts.BY_NAME)
    assert {row["subject"]["state"] for row in held} == set(states.every())
    assert {row.get("to_dtype") for row in held} >= {None, *TO_DTYPES}
    assert {answer["outcome"] for answer in answers} >= {"shared", "copied", "refused", "crashed", "undecidable"}


def test_what_the_oracle_cannot_build_is_named_and_counted(rows: list[Row], answers: list[Row]) -> None:
    left_out = [row for row, answer in zip(rows, answers, strict=True) if answer["outcome"] == "not-covered"]
    assert {row["subject"]["dtype"] for row in left_out} <= NOT_COVERED
    assert len(left_out) == sum(row["subject"]["dtype"] in NOT_COVERED for row in rows)


def test_explained_differences_stay_few(rows: list[Row], answers: list[Row]) -> None:
    keys = ("outcome", "source_to_result", "result_to_source", "death")
    explained = [
        row
        for row, answer in zip(rows, answers, strict=True)
        if said(row) != tuple(answer[key] for key in keys) and answer["outcome"] != "not-covered"
    ]
    assert len(explained) <= len(rows) // 100


def test_the_oracle_shares_no_code_with_the_package() -> None:
    tree = ast.parse(ORACLE.read_text(encoding="utf-8"))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or "."]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - set(sys.stdlib_module_names) == {"numpy", "torch"}


PACKED = {"library": "torch", "shape": [4, 3], "dtype": "quint4x2", "layout": "contiguous", "state": "plain"}
ITSELF = {
    "x": "shared",
    "x.copy()": "copied",
    "x[1:]": "shared",
    "x.missing": "refused",
    "__import__('os').kill(__import__('os').getpid(), 11)": "crashed",
    "x[:0]": "undecidable",
    "object()": "undecidable",
}


def test_the_oracle_itself() -> None:
    subject = {"library": "numpy", "shape": [4, 3], "dtype": "float32", "layout": "non-contiguous", "state": "plain"}
    cell = {"setup": "", "to_dtype": None, "to_torch": False, "subject": subject}
    packed = {**cell, "code": "x.numpy()", "subject": PACKED}
    *found, after, not_covered = oracle([*({**cell, "code": code} for code in (*ITSELF, "x.copy()")), packed])
    assert {code: answer["outcome"] for code, answer in zip(ITSELF, found, strict=True)} == ITSELF
    assert (after["outcome"], not_covered["outcome"]) == ("copied", "not-covered")  # it goes on after a crash
