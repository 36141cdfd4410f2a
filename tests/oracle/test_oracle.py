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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

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


class Explanation(NamedTuple):
    """Why the two say different things of some rows though neither is wrong; ``rows``: of how many, in all of them."""

    reason: str
    rows: int
    applies: Callable[[Row, Row], bool]


def has_state(row: Row, *names: str) -> bool:
    return not set(names).isdisjoint(row["subject"]["state"].split("+"))


def is_text_without_a_result(row: Row, answer: Row) -> bool:
    untried = said(row) == ("undecidable", "not-tried", "not-tried", None)
    return untried and row["subject"]["dtype"].startswith("U") and row["result"]["shape"] is None


EXPLANATIONS = (
    Explanation(
        "An integer is a size there: what comes back depends on its value, and the two fill differently.",
        12,
        lambda row, answer: (
            has_state(row, "scalar")
            and row["subject"]["dtype"] in _INTEGERS
            and row["conversion"] in ("torch.Tensor", "torch.FloatTensor")
        ),
    ),
    Explanation(
        "There are no bytes beneath the source: the result lies over memory that nobody wrote. The package tells this "
        "from what is in it and writes nothing there; the oracle writes.",
        97,
        lambda row, answer: (
            row.get("outcome") == "undecidable"
            and has_state(row, "zero-tensor", "fake")
            and answer["outcome"] in ("copied", "shared")
        ),
    ),
    Explanation(
        "The object in an array of objects is a list. The package says that PyTorch has no such dtype; the oracle runs "
        "the line, which asks the list for its dtype or shape.",
        6,
        lambda row, answer: (
            "outcome" not in row
            and (row["subject"]["dtype"], row["subject"]["state"]) == ("object", "scalar")
            and answer.get("error", "").startswith("AttributeError(\"'list' object has no attribute")
        ),
    ),
    Explanation(
        "The result is a Python text, or a list of these, of which the package tells the type and nothing else: it "
        "writes to neither side. The oracle assigns to an item of either.",
        3,
        is_text_without_a_result,
    ),
)


def differs(row: Row, answer: Row) -> bool:
    keys = ("outcome", "source_to_result", "result_to_source", "death")
    return answer["outcome"] != "not-covered" and said(row) != tuple(answer[key] for key in keys)


def explained(row: Row, answer: Row) -> Explanation | None:
    """The explanation of a difference; ``None`` where nothing explains it."""
    return next((one for one in EXPLANATIONS if one.applies(row, answer)), None)


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
    different = [
        (row["conversion"], row["direction"], row.get("to_dtype"), row["subject"], said(row), answer)
        for row, answer in zip(rows, answers, strict=True)
        if differs(row, answer) and explained(row, answer) is None
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
    packed = [row for row in rows if row["subject"]["dtype"] in NOT_COVERED]
    assert {row["subject"]["dtype"] for row in left_out} <= NOT_COVERED
    # a list is made of an array, and NumPy has no such dtype: both say that
    assert len(left_out) == sum(not has_state(row, "list", "list-of-arrays") for row in packed)


def test_each_explanation_is_of_as_many_rows_as_it_says(rows: list[Row], answers: list[Row]) -> None:
    counts = collections.Counter(
        one.reason
        for row, answer in zip(rows, answers, strict=True)
        if differs(row, answer) and (one := explained(row, answer)) is not None
    )
    wanted = {one.reason: one.rows for one in EXPLANATIONS}
    if FULL:
        assert counts == wanted
    else:
        assert counts <= collections.Counter(wanted)


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
