"""The other way round: which code to write."""

import json

import pytest

from tests.cli.tools import refused, report, run
from tests.render.tools import flat


@pytest.mark.parametrize(
    ("arguments", "code", "answers"),
    [
        ("--want shared --state requires-grad", 0, {"torch-to-numpy": "x.detach().numpy()"}),
        ("--want shared --layout reversed --direction numpy-to-numpy", 0, {"numpy-to-numpy": "x.view()"}),
        ("--want shared", 0, {"torch-to-numpy": "x.numpy()", "numpy-to-torch": "torch.from_numpy(x)"}),
        ("--want copied --state read-only", 0, {"numpy-to-torch": "torch.tensor(x)"}),
        ("--want copied --state list", 0, {"python-to-torch": "torch.tensor(x)"}),
        ("--want shared --dtype bfloat16", 1, {"torch-to-numpy": None}),
        ("--want shared --state read-only", 1, {"numpy-to-torch": None}),
        ("from_numpy --want copied", 1, {"numpy-to-torch": None}),
        (
            "tensor --to-dtype int64 --want copied --dtype int8",
            0,
            {"numpy-to-torch": "torch.tensor(x, dtype=torch.int64)"},
        ),
    ],
)
def test_the_best_code_comes_first(arguments, code, answers):
    done = run("inspect", *arguments.split(), "--format", "json")
    assert (done.returncode, done.stderr) == (code, "")
    found = json.loads(done.stdout)["answers"]
    assert {one["direction"]: one["write"][0]["code"] if one["write"] else None for one in found} == answers
    assert all(one["why"] for one in found if not one["write"])


def test_the_table_is_the_answer():
    done = run("inspect", "--want", "shared", "--state", "requires-grad")
    assert done.stdout.splitlines()[2:4] == [
        "To share memory (torch→numpy), use:",
        "  x.detach().numpy()  shares; gradients do not flow back, autograd does not detect writes to it",
    ]
    assert "Pointer" not in done.stdout


def test_where_there_is_none_it_says_why_and_what_is_nearest():
    done = run("inspect", "--want", "shared", "--dtype", "bfloat16")
    assert done.returncode == 1
    said = flat(done.stdout)
    assert "No safe sharing conversion (torch→numpy): " in said
    assert "(Tensor.numpy: TypeError: Got unsupported ScalarType BFloat16)" in said
    assert (
        "x.view(torch.uint16).numpy() shares; the bits as uint16 x.float().numpy() copies 48 bytes; as float32" in said
    )


def test_the_whole_list_is_in_the_report_and_survives_being_saved(tmp_path):
    for name in ("report.json", "report.jsonl"):
        file = tmp_path / name
        assert run("inspect", "--want", "copied", "-o", str(file)).returncode == 0
        again = run("show", str(file))
        assert again.stdout == run("show", str(file), "--format", "table").stdout
        assert "To copy (numpy→torch), use:\n  torch.tensor(x)" in again.stdout
        assert "more, see --format json" in again.stdout


@pytest.mark.parametrize("text", ["np.arange(3.).astype('>f8')", "np.arange(6, dtype='>i4').reshape(2, 3)[::-1]"])
def test_what_copies_in_blocks_comes_before_what_goes_element_by_element(text):
    done = run("inspect", "--want", "copied", "--expr", text, "--format", "json")
    (answer,) = json.loads(done.stdout)["answers"]
    assert answer["write"][0]["code"] == "torch.from_numpy(x.astype(x.dtype.newbyteorder('=')))"
    slow = ["elementwise" in remedy["effects"] for remedy in answer["write"]]
    assert slow == sorted(slow)


def test_a_wish_that_nothing_can_grant():
    assert refused("--want", "qwzx") == "unknown --want 'qwzx': use shared or copied."


def test_without_a_wish_the_code_to_write_stands_below_the_table():
    done = run("inspect", "from_numpy", "torch.tensor", "--layout", "reversed")
    lines = [line for line in done.stdout.splitlines() if "instead" in line]
    assert lines == ["torch.from_numpy, torch.tensor: instead: torch.from_numpy(x.copy())  (copies 48 bytes)"]
    (first, second) = report("from_numpy", "torch.tensor", "--layout", "reversed")["observations"]
    assert first["remedy"] == second["remedy"] == "torch.from_numpy(x.copy())  (copies 48 bytes)"
    assert first["remedies"] == [
        {
            "code": "torch.from_numpy(x.copy())",
            "outcome": "copied",
            "copied_bytes": 48,
            "caveat": None,
            "setup": "",
            "effects": [],
            "dtype": None,
        }
    ]


def test_the_last_column_for_cut_and_awk():
    done = run("inspect", "Tensor.numpy", "--state", "requires-grad", "--format", "tsv")
    header, line = (line.split("\t") for line in done.stdout.splitlines())
    assert (header[-1], line[-1]) == (
        "remedy",
        "x.detach().clone().numpy()  (copies 48 bytes; gradients do not flow back)",
    )


def test_the_answer_is_what_tsv_and_csv_print():
    for format_, apart in (("tsv", "\t"), ("csv", ",")):
        done = run("inspect", "--want", "copied", "--layout", "reversed", "--format", format_)
        header, *lines = done.stdout.splitlines()
        assert header.split(apart)[:3] == ["wanted", "direction", "library"]
        assert lines
        assert all(line.startswith(f"copied{apart}") for line in lines)
        assert any("torch.from_numpy(x.copy())" in line for line in lines)
