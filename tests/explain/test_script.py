"""A script shows what its row says: run in a fresh interpreter it comes to the same end. And a lie makes it fail."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from tensorbridge_cli.catalog import dtypes, layouts, states
from tensorbridge_cli.explain import script as repro
from tensorbridge_cli.lab.experiment import Given
from tensorbridge_cli.records.enums import Library, Origin, Outcome, Verdict, Write
from tensorbridge_cli.records.report import Raised
from tensorbridge_cli.survey.request import Request
from tensorbridge_cli.survey.run import survey
from tests.sweep import FULL
from tests.tools import raised_by, started
from tests.warm import python

COMMON = {Outcome.SHARED, Outcome.COPIED}
EVERY = 1 if FULL else 12
"""Of the scripts of these, one in so many is run."""

DTYPES = tuple(entry.name for entry in dtypes.DTYPES)
HANDFUL = ("torch.from_numpy", "torch.tensor", "torch.from_dlpack", "np.asarray", "Tensor.numpy")
REQUESTS = [
    Request(every=True),
    Request(conversions=HANDFUL, layouts=("all",)),
    Request(conversions=("torch.asarray", "Tensor.numpy", "Tensor.clone"), states=("all",)),
    Request(conversions=("np.from_dlpack", "Tensor.detach"), dtypes=DTYPES),
    Request(conversions=("torch.from_numpy",), dtypes=DTYPES),
    Request(conversions=("torch.from_dlpack",), states=("memory-mapped+read-only", "negative-bit")),
    Request(conversions=("torch.asarray(copy=False)",), shapes=((), (0, 3), (5,), (100,), (70, 70))),
    Request(conversions=("torch.as_tensor", "torch.tensor(list)"), dtypes=("float64", "int64"), to_dtype="uint8"),
    Request(every=True, dtypes=("complex64",), states=("conjugate-bit",)),
    Request(conversions=("Tensor.view(torch.uint8).numpy()", "Tensor.untyped_storage().numpy()"), dtypes=("bool",)),
]


@pytest.fixture(scope="module")
def report():
    with started() as lab:
        return survey(REQUESTS, lab, "fork")


def outcome_of(script):
    """Run a script; return its exit code, with what it said."""
    done = python("-c", script, env=os.environ)
    return done.returncode, done.stderr


def end(row):
    """Return the exit code with which the script of ``row`` is to end."""
    crashed = Write.CRASHED in (row.writes.source_to_result, row.writes.result_to_source)
    return -getattr(signal, row.crash.signal) if row.outcome is Outcome.CRASHED or crashed else 0


def test_every_script_shows_what_its_row_says(report):
    assert len(report.observations) > 300
    assert {row.outcome for row in report.observations} >= set(Outcome) - {Outcome.TIMED_OUT, Outcome.INTERNAL_ERROR}
    survive = []
    for number, row in enumerate(report.observations):
        script = repro.script(row, report.environment)
        assert "tensorbridge" not in script
        assert len(script.splitlines()) <= 27, script
        if end(row) != 0:
            code, said = outcome_of(script)
            assert code == end(row), script + said
        elif number % EVERY == 0 or row.outcome not in COMMON:
            survive.append(script)
    assert dict(zip(survive, raised_by(survive), strict=True)) == dict.fromkeys(survive, "")


def test_lists_of_what_is_no_number_are_made_and_written():
    names = ("torch.Tensor", "torch.utils.data.default_collate")
    request = Request(conversions=names, dtypes=("S8", "V8", "[('x', '<f4'), ('y', '<i4')]"), states=("list",))
    with started() as lab:
        report = survey([request], lab, "fork")
    assert len(report.observations) == 6
    for row in report.observations:
        assert row.writes.source_to_result is Write.NOT_SEEN
        script = repro.script(row, report.environment)
        assert outcome_of(script) == (0, ""), script


def test_a_list_of_several_dtypes_is_stacked():
    given = Given(origin=Origin.EXPRESSION, text="[torch.ones(3), torch.ones(3, dtype=torch.int64)]")
    with started() as lab:
        report = survey([Request(conversions=("torch.stack",), given=given)], lab, "fork")
    (row,) = report.observations
    assert row.subject.dtype == "float32, int64"
    assert outcome_of(repro.script(row, report.environment)) == (0, "")


def test_breaches_and_crashes_are_among_them(report):
    assert sum(row.contract.verdict is Verdict.BROKEN for row in report.observations) >= 3
    assert {row.subject.layout for row in report.observations if row.outcome is Outcome.CRASHED} == {"reversed"}
    assert any(row.writes.result_to_source is Write.CRASHED for row in report.observations)


def test_a_script_of_a_lie_fails(report):
    other = {Write.SEEN: Write.NOT_SEEN, Write.NOT_SEEN: Write.SEEN}
    liars = []
    for row in report.observations[:120:2]:
        writes = row.writes
        if row.error is not None:
            liars.append(replace(row, error=Raised(type="KeyError", message="")))
        elif writes.source_to_result in other and writes.result_to_source in other:
            liars.append(replace(row, writes=replace(writes, source_to_result=other[writes.source_to_result])))
            liars.append(replace(row, writes=replace(writes, result_to_source=other[writes.result_to_source])))
    assert len(liars) > 50
    scripts = [repro.script(liar, report.environment) for liar in liars]
    for script, raised in zip(scripts, raised_by(scripts), strict=True):
        assert raised.startswith("AssertionError"), script + raised


def test_a_fresh_interpreter_comes_to_the_same_end(report):
    outcomes = list(Outcome)[:4] if FULL else (Outcome.SHARED, Outcome.CRASHED)  # each imports torch once more
    chosen = [next(row for row in report.observations if row.outcome is outcome) for outcome in outcomes]
    for row in chosen:
        script = repro.script(row, report.environment)
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
        assert done.returncode == end(row), script + done.stderr


def test_the_source_is_made_by_the_code_that_the_experiment_ran(report):
    """What the catalogue has of a layout and a state is what the script has, and both are run."""
    generated = [row for row in report.observations if row.subject.dtype == "float32"]
    assert {row.subject.layout for row in generated} >= layouts.BY_NAME.keys() - {"channels-last"}
    assert {word for row in generated for word in states.words(row.subject.state)} >= states.BY_NAME.keys() - {
        "conjugate-bit"
    }
    for row in generated:
        lines = [line.strip() for line in repro.script(row, report.environment).splitlines()]
        recipe = layouts.recipe(row.subject.layout, library_of(row))
        view = recipe.typed(row.subject.shape, f"{'torch' if library_of(row) is Library.TORCH else 'np'}.float32")
        assert view == "base" or f"x = {view}" in lines
        for word in states.words(row.subject.state):
            state = states.BY_NAME[word]
            assert set(state.code.splitlines()) <= set(lines)
            assert not state.within or f"with {state.within}:" in lines


def library_of(row):
    """Return the library of the memory beneath a source, which may be a list."""
    words = {states.BY_NAME[word].library for word in states.words(row.subject.state)}
    return Library.TORCH if Library.TORCH in words | {row.subject.library} else Library.NUMPY


def test_what_was_promised_stands_above(report):
    row = next(row for row in report.observations if row.contract.verdict is Verdict.BROKEN)
    clause = next(clause for clause in row.contract.clauses if clause.verdict is Verdict.BROKEN)
    script = repro.script(row, report.environment)
    assert f"# {clause.citation}\n" in script
    assert f"Promised: {clause.about} {clause.expected}; observed: {clause.observed}." in script
