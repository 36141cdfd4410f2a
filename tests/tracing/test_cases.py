"""Small programs of what people do at the border: each ends as without the tool, and its trace says what is so."""

import re
from pathlib import Path

import pytest

from tests.tracing.tools import bare, calls, record, recorded_and_printed, traced, under

CASES = Path(__file__).parent / "cases"


def _run(folder, name, *options):
    (folder / name).write_text((CASES / name).read_text(encoding="utf-8"), encoding="utf-8")
    alone = bare(folder, name)
    done = under(folder, *options, name)
    assert alone.returncode == 0 == done.returncode, done.stderr
    return record(folder), alone.stdout, done.stdout


def _found(trace):
    """Return the findings as code and line."""
    lines = {site["id"]: site["line"] for site in trace["sites"]}
    return {(finding["code"], lines[finding["site"]]) for finding in trace["findings"]}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("stored_float", 10),
        ("stored_unsqueeze", 10),
        ("stored_reshape", 6),
        ("stored_to", 5),
        ("stored_numpy", 5),
        ("frames_shared", 6),
        ("frames_uniform", 5),
    ],
)
def test_a_buffer_that_is_stored_twice(tmp_path, name, line):
    trace, output = recorded_and_printed(tmp_path, (CASES / f"{name}.py").read_text(encoding="utf-8"))
    assert output == bare(tmp_path, "program.py").stdout
    assert ("buffer-stored-twice", line) in _found(trace)
    assert not {"loop-invariant", "repeated-copy", "alias-written"} & {code for code, _ in _found(trace)}


def test_a_buffer_that_is_copied_is_not_called_unchanged(tmp_path):
    trace, alone, traced = _run(tmp_path, "frames_copied.py", "--remedies")
    assert (alone, trace["findings"]) == (traced, [])


def test_functions_of_one_name_are_two_lines(tmp_path):
    trace, _, _ = _run(tmp_path, "same_name.py")
    counted = {
        (site["line"], site["conversion"]): (site["calls"], site["dtypes"][0]["source"]) for site in trace["sites"]
    }
    assert counted == {
        (6, "torch.tensor"): (4, "float32"),
        (11, "torch.tensor"): (4, "float64"),
        (18, "torch.from_numpy"): (1, "float32"),
        (19, "torch.from_numpy"): (2, "float64"),
    }


def test_buffers_of_one_name_have_findings_of_their_own(tmp_path):
    trace, _, _ = _run(tmp_path, "same_name_buffers.py")
    assert calls(trace) == {(6, "torch.from_numpy"): 10, (16, "torch.from_numpy"): 10}
    assert _found(trace) == {("buffer-stored-twice", 6), ("buffer-stored-twice", 16)}


def test_weights_that_were_taken_before_training(tmp_path):
    trace, alone, _ = _run(tmp_path, "weights_before_after.py")
    assert "moved by 0.0" in alone
    assert _found(trace) == {("alias-written", 14)}
    (finding,) = trace["findings"]
    assert "weights_before_after.py:7" in finding["detail"]


@pytest.mark.parametrize("name", ["shared_memory_gone", "storage_shrunk", "file_truncated"])
def test_memory_that_is_gone_is_not_read(tmp_path, name):
    trace, alone, traced = _run(tmp_path, f"{name}.py")
    assert alone == traced
    assert trace["totals"]["calls"] > 0
    assert None not in (trace["environment"]["numpy"], trace["environment"]["torch"])


def test_rows_that_are_normalized_in_place_each_time(tmp_path):
    trace, alone, traced = _run(tmp_path, "dataset_drift.py")
    assert alone == traced
    assert _found(trace) == {("alias-written", 5)}


def test_a_view_that_is_copied_with_its_storage(tmp_path):
    trace, _, _ = _run(tmp_path, "view_deepcopied.py")
    assert trace["totals"]["copied_bytes"] == 20_000_000
    (finding,) = trace["findings"]
    assert (finding["code"], finding["bytes"]) == ("storage-larger", 20_000_000)
    assert finding["remedy"] == "rows = [row.clone() for _ in range(5)]"


GRADIENTS = """import copy, torch
view = torch.zeros(1000)[:10].requires_grad_()
view.grad = torch.ones(10)
copy.deepcopy(view)
whole = torch.zeros(100, requires_grad=True)
whole.grad = torch.ones(1000)[:100]
copy.deepcopy(whole)
plain = torch.zeros(50, requires_grad=True)
plain.grad = torch.ones(50)
copy.deepcopy(plain)
parts = torch.zeros(20)
copy.deepcopy([parts[:10], parts[5:]])
"""


def test_a_deep_copy_takes_the_storage_of_the_gradient_along(tmp_path):
    trace = traced(tmp_path, GRADIENTS)
    copied = {site["line"]: site["copied_bytes"] for site in trace["sites"]}
    assert copied == {4: 4040, 7: 4400, 10: 400, 12: 80}
    assert _found(trace) == {("storage-larger", 4), ("storage-larger", 7)}
    assert "4,040 bytes for 80, " in trace["findings"][-1]["detail"]


def test_memory_that_is_moved_under_an_array(tmp_path):
    trace, _, _ = _run(tmp_path, "storage_moved.py")
    assert _found(trace) == {("source-moved", 6)}
    (finding,) = trace["findings"]
    assert "storage_moved.py:4" in finding["detail"]
    assert trace["totals"]["copied_bytes"] == 12


def test_a_temporary_that_is_copied(tmp_path):
    trace, _, _ = _run(tmp_path, "temporary_copied.py", "--remedies")
    (finding,) = trace["findings"]
    assert finding["code"] == "avoidable-copy"
    assert re.match(r"batch = torch\.from_numpy\(obs\[ix\]\)", finding["remedy"])


def test_torch_that_was_looked_for_before_it_was_imported(tmp_path):
    trace, _, _ = _run(tmp_path, "probed_import.py")
    assert _found(trace) == {("readonly-dropped", 8), ("element-by-element", 9)}
    assert under(tmp_path, "--fail-on", "finding=any", "probed_import.py").returncode == 1
