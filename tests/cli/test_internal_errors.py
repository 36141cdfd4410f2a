"""A failure of the tool's own code is said to be that, whichever stage it is in, and ends with exit code 4."""

import json

import pytest

from tests.cli.tools import run

BOOM = "\ndef boom(*a, **k): raise ZeroDivisionError('boom')\n"
LAB = (
    "import tensorbridge_cli.lab.run as r, tensorbridge_cli.lab.conversion as v, tensorbridge_cli.lab.comparison as c\n"
    "import tensorbridge_cli.lab.pool as p, tensorbridge_cli.memory.describe as d" + BOOM
)
WRITES = """
write = r.write_to
r.write_to = lambda side, *a: boom() if side == {!r} else write(side, *a)
"""


@pytest.mark.parametrize(
    ("fault", "stage"),
    [
        ("v.generate.generate = boom", "build"),
        ("r.convert = boom", "convert"),
        ("r.compare = boom", "observe"),
        ("d.describe = boom", "build"),
        ("c.relation = boom", "observe"),
        (WRITES.format("source"), "write-source"),
        (WRITES.format("result"), "write-result"),
        (
            "e = p.protocol.Finished.of; p.protocol.Finished.of = lambda i, o: e(i, o) if o.internal_error else boom()",
            "encode",
        ),
    ],
)
def test_a_fault_in_a_child_is_a_row_of_its_own(fault, stage):
    setup = f"{LAB}\nr.unbroken = r.Experiment\n{fault}"
    # the rehearsal, which the server makes of itself, is no row
    done = run("inspect", "from_numpy", "--format", "json", "--setup", setup)
    assert done.returncode == 4, done.stderr
    (row,) = json.loads(done.stdout)["observations"]
    assert (row["outcome"], row["crash"], row["error"], row["hazards"]) == ("internal-error", None, None, [])
    assert (row["internal_error"]["stage"], row["internal_error"]["message"]) == (stage, "boom")
    assert row["contract"]["verdict"] in ("untested", "undocumented")
    assert done.stderr.startswith(
        "Error: tensorbridge itself failed in an experiment (torch.from_numpy: ZeroDivisionError"
    )
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback_of_the_child():
    done = run("inspect", "from_numpy", "--debug", "--setup", f"{LAB}\nr.compare = boom")
    assert done.returncode == 4
    assert "tensorbridge_cli/lab/run.py" in done.stderr
    assert "ZeroDivisionError: boom" in done.stderr
    assert "internal error: tensorbridge itself failed while inspecting the result" in done.stdout


@pytest.mark.parametrize(
    ("fault", "row"),
    [
        ("import tensorbridge_cli.survey.judged as s; s.judge = boom", True),
        ("import tensorbridge_cli.render.report.table as t; t.render = boom", False),
    ],
)
def test_a_fault_in_the_command_line(fault, row, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nif 'inspect' in sys.argv or '-m' in sys.argv:\n    {BOOM.strip()}\n    {fault}\n"
    )
    done = run("inspect", "from_numpy", PYTHONPATH=str(tmp_path))
    assert done.returncode == 4, done.stderr
    assert "tensorbridge itself failed" in done.stderr
    assert "boom" in done.stderr
    assert "Traceback" not in done.stderr
    assert ("internal error" in done.stdout) == row
