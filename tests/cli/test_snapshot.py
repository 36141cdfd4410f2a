import pytest

from tensorbridge_cli.diff.snapshot import of_snapshot
from tests.cli.tools import run, said

FEW = ("from_numpy", "tensor", "Tensor.numpy")


def taken(*arguments, cwd=None):
    done = run("snapshot", *arguments, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def few():
    return taken(*FEW)


def test_two_runs_are_the_same(few):
    assert taken(*FEW) == few


def test_another_isolation_finds_the_same(few):
    cells = of_snapshot(taken("from_numpy", "--dtype", "float32,int64", "--isolation", "spawn")).cells
    assert len(cells) == 2
    assert cells.items() <= of_snapshot(few).cells.items()


def test_it_holds_every_dtype_layout_and_state(few):
    subjects = {key.subject for key in of_snapshot(few).cells}
    assert {"bool", "float64", "bfloat16", "U8"} <= {subject.dtype for subject in subjects}
    assert {"reversed", "non-contiguous", "unaligned"} <= {subject.layout for subject in subjects}
    assert {"read-only", "memory-mapped", "sparse-coo"} <= {subject.state for subject in subjects}


def test_the_cells_are_sorted_and_nothing_varies(few):
    cells = few.splitlines()[6:]
    assert cells == sorted(set(cells))
    assert "0x" not in few


def test_what_is_named_is_each_with_each():
    keys = of_snapshot(taken("from_numpy", "--dtype", "float32,int8", "--layout", "contiguous,reversed")).cells
    assert {(key.subject.dtype, key.subject.layout) for key in keys} == {
        (dtype, layout) for dtype in ("float32", "int8") for layout in ("contiguous", "reversed")
    }


def test_a_report_has_the_same_cells(tmp_path):
    (tmp_path / "committed").write_text(taken("from_numpy", "tensor", "--dtype", "float32"))
    run("inspect", "from_numpy", "tensor", "-o", "report.json", cwd=tmp_path)
    assert run("diff", "committed", "report.json", "--strict", cwd=tmp_path).returncode == 0


def test_into_a_file(tmp_path):
    assert taken("from_numpy", "--dtype", "int8", "-o", "committed", cwd=tmp_path) == ""
    assert len(of_snapshot((tmp_path / "committed").read_text()).cells) == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("qwzx",), "unknown conversion 'qwzx'"),
        (("--layout", "qwzx"), "unknown layout 'qwzx'"),
        (("--state", "qwzx"), "unknown state 'qwzx'"),
        (("--direction", "up"), "unknown --direction 'up'"),
        (("-o", "nowhere/file"), "cannot write to nowhere/file"),
    ],
)
def test_a_wrong_request_is_a_sentence(arguments, why):
    assert said(run("snapshot", *arguments), 2).startswith(why)
