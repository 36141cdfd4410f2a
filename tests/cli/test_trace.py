"""``tensorbridge trace`` as a user sees it."""

import csv
import json
import re

import jsonschema
import pytest

from tests.cli.tools import run, run_cold, said, screen
from tests.tracing.tools import START, script

PROGRAM = START + (
    "a = np.reshape(np.arange(12.0), (4, 3))\n"
    "for i in range(20):\n"
    "    t = torch.tensor(a)\n"
    "    b = t.numpy()\n"
    "x = torch.as_tensor(a, dtype=torch.float32)\n"
    "torch.from_numpy(np.frombuffer(b'12345678', np.uint8))  # <tag> & \"quoted\" | `code`\n"
)


def shown(tmp_path, *options):
    script(tmp_path, PROGRAM)
    return run("trace", "--no-remedies", *options, "program.py", cwd=tmp_path, PYTHONWARNINGS="ignore")


def steady(text):
    """Return ``text`` with every time, and the version, as if it were always the same."""
    text = re.sub(r"[\d.]+ (µs|ms|s)\b", lambda found: "9 µs".rjust(len(found[0])), text)
    return re.sub(r"\(numpy .*?\)", "(numpy, torch)", text, flags=re.DOTALL)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_screen(tmp_path, width, monkeypatch):
    script(tmp_path, PROGRAM)
    monkeypatch.chdir(tmp_path)
    text = screen("trace", "--color", "never", "--no-remedies", "program.py", width=width, PYTHONWARNINGS="ignore")
    assert max(map(len, text.splitlines())) <= width
    assert all(line in text for line in ("t = torch.tensor(a)", "readonly-dropped", "repeated-copy"))


def test_the_report_does_not_begin_on_the_program_s_last_line(tmp_path, monkeypatch):
    script(tmp_path, "print('25 %', end='')")
    monkeypatch.chdir(tmp_path)
    text = screen("trace", "--color", "never", "program.py")
    assert text.startswith("25 %\nno conversions recorded")
    assert run("trace", "program.py", cwd=tmp_path).stderr.startswith("no conversions recorded")


def test_the_numbers_in_a_pipe(tmp_path):
    done = shown(tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    lines = steady(done.stderr).splitlines()
    assert [line.split()[:6] for line in lines if line.startswith("program.py:") and "B" in line][:2] == [
        ["program.py:4", "torch.tensor", "20", "1.9", "kB", "1.9"],
        ["program.py:6", "torch.as_tensor", "1", "48", "B", "48"],
    ]
    assert "43 calls in 5 lines: 22 shared, 21 copied; 2.0 kB copied in" in done.stderr


def test_json_is_as_its_schema_says(tmp_path):
    done = shown(tmp_path, "-o", "-", "--format", "json")
    schema = json.loads(run("schema", "trace").stdout)
    jsonschema.Draft202012Validator(schema).validate(found := json.loads(done.stdout))
    assert found["schema"] == "tensorbridge.trace/1"
    assert sum(site["calls"] for site in found["sites"]) == found["totals"]["calls"] == 43
    for site in found["sites"]:
        assert site["calls"] == sum(site["outcomes"].values()) == sum(one["calls"] for one in site["dtypes"])


def test_every_format_says_what_was_found(tmp_path):
    for name, ending in (("csv", "csv"), ("markdown", "md"), ("html", "html"), ("jsonl", "jsonl"), ("sarif", "sarif")):
        done = shown(tmp_path, "-o", f"out.{ending}")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), name
    texts = {path.suffix: path.read_text(encoding="utf-8") for path in tmp_path.glob("out.*")}
    rows = list(csv.DictReader(texts[".csv"].splitlines()))
    assert rows[0]["copied_bytes"] == "1920"
    assert "repeated-copy" in rows[0]["findings"]
    assert "**repeated-copy**, possible, `program.py:4`" in texts[".md"]
    assert [next(iter(json.loads(line))) for line in texts[".jsonl"].splitlines()][1] == "process"
    (run_,) = json.loads(texts[".sarif"])["runs"]
    place = run_["results"][0]["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("program.py", 4)
    assert "<tag>" not in texts[".html"]
    github = shown(tmp_path, "--format", "github").stderr.splitlines()
    assert github[0].startswith("::notice file=program.py,line=4,endLine=4,title=repeated-copy (TB205)::torch.tensor: ")


@pytest.mark.parametrize("column", ["calls", "seconds"])
def test_sorted_by_another_column(tmp_path, column):
    found = json.loads(shown(tmp_path, "-o", "-", "--format", "json", "--sort", column).stdout)
    values = [site[column] for site in found["sites"]]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "no program specified: use a script, -m MODULE or -c CODE."),
        (["-m"], "-m needs a module."),
        (["none.py"], "file 'none.py' does not exist; use -m for a module, -c for code."),
        (["--include", "none", "-c", "1"], "'none' does not exist: --include accepts files and folders."),
        (["--omit", "none", "-c", "1"], "'none' does not exist: --omit accepts files and folders."),
        (
            ["--ignore", "none", "-c", "1"],
            "--ignore: unknown finding 'none': see tensorbridge list findings; use --omit PATH to ignore files and "
            "folders.",
        ),
        (["--select", "TB101", "-c", "1"], "--select: TB101 (values-changed) is not a finding of trace."),
        (
            ["--ignore", "TB203", "--fail-on", "finding=element-by-element", "-c", "1"],
            "--fail-on finding=element-by-element cannot fail: --select or --ignore excludes it.",
        ),
        (["-o", "out.xyz", "-c", "1"], None),
    ],
)
def test_a_wrong_request_runs_nothing(tmp_path, arguments, sentence):
    answer = said(run("trace", *arguments, cwd=tmp_path), 2)
    assert sentence is None or answer == sentence
    assert list(tmp_path.iterdir()) == []


def test_a_line_of_code_has_its_text():
    done = run(
        "trace", "--no-remedies", "-c", "import numpy, torch\na = numpy.ones(3)\nfor i in range(9): torch.tensor(a)"
    )
    assert "\n  for i in range(9): torch.tensor(a)\n" in done.stderr


def test_a_program_without_either_library():
    done = run_cold("trace", "-c", "print('hello')")  # in a fork of the warm Python both are there
    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert done.stderr.startswith("no conversions recorded (neither numpy nor torch was imported)\n")


LOST = START + "import shutil, sys\ntorch.tensor(np.ones(3))\nshutil.rmtree('out')\nsys.exit(int(sys.argv[1]))\n"


@pytest.mark.parametrize(
    ("output", "code", "ends"),
    [("out/trace.json", "0", 2), ("out/trace.json", "7", 7), ("/dev/full", "0", 3), ("/dev/full", "7", 7)],
)
def test_a_report_that_cannot_be_written_is_shown(tmp_path, output, code, ends):
    (tmp_path / "out").mkdir()
    script(tmp_path, LOST)
    options = ("--no-remedies", "--format", "json", "-o", output, "--fail-on", "calls=9")
    done = run("trace", *options, "program.py", code, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (ends, "")
    first, *lines = done.stderr.splitlines()
    assert first.startswith(f"Error: cannot write to {output}: No s")
    assert any(line.startswith("1 call in 1 line: 1 copied") for line in lines)


def test_nothing_of_the_tool_lies_beside_the_program_while_it_runs(tmp_path):
    done = run("trace", "-o", "trace.json", "-c", "import os; print(os.listdir())", cwd=tmp_path)
    assert (done.stdout, [path.name for path in tmp_path.iterdir()]) == ("[]\n", ["trace.json"])


def test_a_folder_that_cannot_be_written_runs_nothing(tmp_path):
    assert said(run("trace", "-o", "/proc/trace.json", "-c", "print(1)"), 2).startswith("cannot write to /proc/")
