import pytest

import tensorbridge_cli as tb
from tests.cli.tools import run, said
from tests.tracing.tools import START, script, under

COPIES = START + (
    "for i in range(10):\n    torch.tensor(np.arange(100.0))\ntorch.from_numpy(np.frombuffer(b'12', 'u1'))\n"
)


@pytest.mark.parametrize(
    ("condition", "is_met"),
    [
        ("copied-bytes=8000", True),
        ("copied-bytes=7.9kB", False),
        ("calls=12,bytes=1MiB", True),
        ("calls=11", False),
        ("hazard=readonly-dropped", False),
        ("hazard=TB105", False),
        ("finding=TB203", True),
        ("hazard=dtype-changed", True),
        ("finding=any", False),
        ("finding=round-trip", True),
    ],
)
def test_what_is_passed_is_not_met(condition, is_met):
    with tb.trace(fail_on=[condition]) as found:
        exec(COPIES, {})
    assert found.ok is is_met


@pytest.mark.parametrize(("condition", "code"), [("copied-bytes=8000", 0), ("calls=11", 1)])
def test_what_is_passed_fails(tmp_path, condition, code):
    done = under(tmp_path, "--fail-on", condition, script(tmp_path, COPIES))
    assert done.returncode == code, done.stderr
    assert done.stderr.count("Error: --fail-on") == code


def test_what_a_line_accepts_does_not_fail(tmp_path):
    text = COPIES.rstrip("\n") + "  # tensorbridge: ok it is only read\n"
    done = under(tmp_path, "--fail-on", "hazard=readonly-dropped,finding=any", script(tmp_path, text))
    assert done.returncode == 0, done.stderr


def test_a_program_that_failed_keeps_its_code(tmp_path):
    done = under(tmp_path, "--fail-on", "calls=0", script(tmp_path, COPIES + "raise SystemExit(9)"))
    assert done.returncode == 9
    assert "Error: --fail-on calls: " in done.stderr


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ("copied=3", "unknown condition 'copied': did you mean copied-bytes?"),
        ("", "--fail-on is empty: use e.g. copied-bytes=10MB or finding=any."),
        ("copied-bytes", "--fail-on 'copied-bytes': use copied-bytes=10MB."),
        ("copied-bytes=many", "--fail-on 'copied-bytes=many': specify a number of bytes, e.g. 500000, 10MB or 1.5GiB."),
        ("finding=round", "unknown finding 'round': did you mean round-trip?"),
        ("hazard=mask-lost", "a trace does not detect hazard 'mask-lost': use readonly-dropped or dtype-changed."),
    ],
)
def test_what_is_no_condition_is_refused_before_the_program_runs(condition, sentence):
    assert said(run("trace", "--fail-on", condition, "-c", "print(1)"), 2) == sentence
