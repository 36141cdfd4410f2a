import csv
import json
from dataclasses import replace

import pytest

from tensorbridge_cli.diff.snapshot import snapshot
from tensorbridge_cli.diff.traces import compare as compare_traces
from tensorbridge_cli.encoding import encode
from tensorbridge_cli.records.enums import Outcome, Write
from tensorbridge_cli.render import CHANGES, PLAIN, render
from tests.cli.tools import PLAIN_TEXT, run, run_without_libraries, said, screen, shell
from tests.render.gallery import GALLERY
from tests.render.program import CAST, LATER, PROGRAM, site, traced
from tests.render.tools import case, made_of, row

COPIED = {"outcome": Outcome.COPIED, "writes": {"source_to_result": Write.NOT_SEEN}}
NEWER = {"torch": "2.14.0", "platform": "Darwin-25"}


@pytest.fixture
def sides(tmp_path):
    """A function that saves two reports and returns their paths; the second ran on a newer torch."""

    def save(before, after, kind=encode):
        after = replace(after, environment=replace(after.environment, **NEWER))
        paths = [tmp_path / "before", tmp_path / "after"]
        for path, report in zip(paths, (before, after), strict=True):
            text = kind(report)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return [str(path) for path in paths]

    return save


def diff(*arguments):
    """Return the exit code and what was printed."""
    done = run("diff", *arguments)
    assert done.stderr == ""
    return done.returncode, done.stdout


CHANGED = made_of(row(), row(conversion="torch.tensor")), made_of(row(**COPIED), row(conversion="torch.tensor"))
SAME = GALLERY, GALLERY
GONE = CHANGED[0], made_of(row(), case(conversion="torch.tensor", subject=row().subject, reason="this torch has none"))


@pytest.mark.parametrize(
    ("reports", "code", "strict"),
    [(SAME, 0, 0), (CHANGED, 1, 1), (GONE, 0, 1), (GONE[::-1], 0, 1)],
    ids=["same", "changed", "gone", "new"],
)
@pytest.mark.parametrize("kind", [encode, snapshot])
def test_the_exit_code(sides, reports, code, strict, kind):
    paths = sides(*reports, kind)
    assert diff(*paths)[0] == code
    assert diff(*paths, "--strict")[0] == strict


def test_two_layouts_are_compared(sides):
    code, text = diff(*sides(made_of(row()), made_of(row(**COPIED, subject={"layout": "reversed"}))))
    assert code == 1
    assert "\nlayout contiguous → reversed\n" in text
    assert "worse\n  memory shared → copied: 1 cell\n    torch.from_numpy numpy→torch: 4×3, float32" in text
    assert text.endswith("1 changed in 1 way, 0 gone, 0 new, 0 the same\n")


def test_the_text_of_a_change(sides):
    assert diff(*sides(*CHANGED))[1] == (
        "tensorbridge 0.1.0\n"
        "python 3.11.7\n"
        "numpy 2.4.6\n"
        "torch 2.13.0 → 2.14.0\n"
        "platform Linux-6.1-x86_64 → Darwin-25\n"
        "\n"
        "worse\n"
        "  memory shared → copied: 1 cell\n"
        "    torch.from_numpy numpy→torch: 4×3, float32, contiguous, plain\n"
        "\n"
        "1 changed in 1 way, 0 gone, 0 new, 1 the same\n"
    )


def test_every_cell_is_listed_if_wanted(sides):
    _, text = diff(*sides(*CHANGED), "--verbose")
    assert (
        "\nchanged: torch.from_numpy numpy→torch, 4×3 float32, contiguous, plain, cpu: "
        "memory shared → copied; write source→result seen → not-seen\n"
    ) in text


def test_the_text_of_a_cell_that_is_gone_and_of_one_that_is_new(sides):
    cells = "conversion torch.tensor (this torch has none): 1 cell\n    torch.tensor numpy→torch: 4×3, float32"
    assert f"\ngone\n  {cells}" in diff(*sides(*GONE))[1]
    assert f"\nnew\n  {cells}" in diff(*sides(*GONE[::-1]))[1]
    cell = "torch.tensor numpy→torch, 4×3 float32, contiguous, plain, cpu: shared (this torch has none)\n"
    assert f"\ngone: {cell}" in diff(*sides(*GONE), "--verbose")[1]


def test_it_fits_a_terminal_of_80_columns(sides):
    text = screen("diff", *sides(*GONE), "--color", "never")
    assert PLAIN_TEXT.fullmatch(text)
    assert max(map(len, text.splitlines())) <= 80


def test_it_is_coloured_where_asked(sides):
    assert "\x1b[" in diff(*sides(*CHANGED), "--color", "always")[1]
    assert "\x1b[" not in diff(*sides(*CHANGED))[1]


def test_as_json(sides):
    code, text = diff(*sides(*CHANGED), "--format", "json")
    found = json.loads(text)
    assert code == 1
    assert found["schema"] == "tensorbridge.diff/1"
    assert (found["before"]["torch"], found["after"]["torch"]) == ("2.13.0", "2.14.0")
    (changed,) = found["changed"]
    assert changed["cell"]["conversion"] == "torch.from_numpy"
    assert changed["changes"][0] == {"about": "outcome", "before": "shared", "after": "copied"}
    assert (found["gone"], found["new"], found["same"]) == ([], [], 1)
    assert found["counts"][0]["cells"] == 1
    (way,) = found["ways"]
    assert (way["kind"], way["cells"]) == ("worse", 1)
    assert way["changes"] == [{"about": "outcome", "before": "shared", "after": "copied"}]


@pytest.mark.parametrize("ending", ["csv", "md", "svg", "html"])
def test_into_a_file_by_its_ending(sides, tmp_path, ending):
    path = tmp_path / f"changes.{ending}"
    assert diff(*sides(*CHANGED), "-o", str(path)) == (1, "")
    text = path.read_text()
    assert "2.14.0" in text or ending == "csv"
    assert "torch.from_numpy" in text.replace("\\_", "_")
    assert "torch.tensor" not in text


def test_csv_has_a_line_a_fact(sides):
    _, text = diff(*sides(*GONE), "--strict", "--format", "csv")
    (gone,) = csv.DictReader(text.splitlines())
    assert (gone["change"], gone["conversion"], gone["before"], gone["after"]) == ("gone", "torch.tensor", "shared", "")
    _, text = diff(*sides(*CHANGED), "--format", "csv")
    found = [
        (line["change"], line["about"], line["before"], line["after"]) for line in csv.DictReader(text.splitlines())
    ]
    assert found == [("changed", "outcome", "shared", "copied"), ("changed", "source_to_result", "seen", "not-seen")]


@pytest.mark.parametrize("fact", ["outcome", "values", "source_to_result", "verdict", "stage"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_word_that_show_refuses_is_refused(tmp_path, fact, place):
    document = json.loads(encode(GALLERY))
    one = next(one for one in document["observations"] if one["crash"] is not None)
    holder = {"source_to_result": one["writes"], "verdict": one["contract"], "stage": one["crash"]}.get(fact, one)
    holder[fact] = "sharred"
    paths = [tmp_path / "damaged.json", tmp_path / "whole.json"]
    paths[0].write_text(json.dumps(document))
    paths[1].write_bytes(encode(GALLERY))
    refusal = said(run("show", str(paths[0])), 2)
    assert "Invalid enum value 'sharred'" in refusal
    assert said(run("diff", *map(str, paths[:: -1 if place else 1])), 2) == refusal


def test_a_snapshot_against_a_report(sides, tmp_path):
    before, after = sides(*CHANGED)
    (tmp_path / "committed").write_text(snapshot(CHANGED[0]))
    assert diff(str(tmp_path / "committed"), before, "--strict")[0] == 0
    assert diff(str(tmp_path / "committed"), after)[0] == 1


def test_what_can_not_be_compared_is_told(sides, tmp_path):
    before, after = sides(*SAME)
    (tmp_path / "cut").write_text(snapshot(GALLERY)[:-1])
    assert said(run("diff", before, "nowhere"), 2) == "cannot read nowhere: No such file or directory."
    assert said(run("diff", str(tmp_path / "cut"), after), 2).endswith(
        "is not a valid tensorbridge.snapshot/2: it is truncated."
    )
    assert said(run("diff", "-", "-"), 2).startswith("standard input can be used for one of the two")
    assert said(run("diff", before), 2) == "two files are compared: specify both, or use --python twice."
    assert said(run("diff", before, after, "--format", "tsv"), 2) == "unknown --format 'tsv': did you mean svg, csv?"


def test_without_numpy_and_torch(sides, tmp_path):
    assert run_without_libraries(["diff", *sides(*SAME)]) == [0]
    traces = saved(tmp_path, PROGRAM, LATER)
    assert set(run_without_libraries(*(["diff", *traces, "--format", format_.name] for format_ in CHANGES))) == {1}


# Two traces --------------------------------------------------------------------------------------


def saved(folder, *traces):
    """Save traces and return their paths."""
    paths = [folder / f"{name}.json" for name in ("before", "after")]
    for path, trace in zip(paths, traces, strict=True):
        path.write_bytes(encode(trace))
    return list(map(str, paths))


@pytest.mark.parametrize(
    ("traces", "code", "strict"),
    [
        ((PROGRAM, PROGRAM), 0, 0),
        ((PROGRAM, LATER), 1, 1),
        ((traced(site()), traced(site(line=9, seconds=7.0))), 0, 0),
        ((traced(site(), CAST), traced(site())), 0, 1),
        ((traced(site()), traced(site(), CAST)), 0, 1),
    ],
    ids=["same", "changed", "moved", "gone", "new"],
)
def test_the_exit_code_of_two_traces(tmp_path, traces, code, strict):
    paths = saved(tmp_path, *traces)
    assert diff(*paths)[0] == code
    assert diff(*paths, "--strict")[0] == strict


@pytest.mark.parametrize("format_", [entry.name for entry in CHANGES])
def test_two_traces_in_any_format(tmp_path, format_):
    text = render(compare_traces(PROGRAM, LATER), format_, PLAIN)
    assert diff(*saved(tmp_path, PROGRAM, LATER), "--format", format_) == (1, text)


def test_two_traces_in_a_terminal(tmp_path):
    text = screen("diff", *saved(tmp_path, PROGRAM, replace(PROGRAM, exit_code=1)), NO_COLOR="1")
    assert "exit code 0 → 1" in text.splitlines()
    assert "\x1b[" in screen("diff", *saved(tmp_path, PROGRAM, replace(PROGRAM, exit_code=1)))


def test_lines_of_json_from_standard_input(tmp_path):
    before, after = saved(tmp_path, PROGRAM, LATER)
    (tmp_path / "lines").write_text(render(LATER, "jsonl", PLAIN))
    done = shell(f"$T diff {before} - < {tmp_path / 'lines'}")
    assert (done.returncode, done.stdout) == diff(before, after)


def test_two_runs_of_a_program_in_two_checkouts(tmp_path):
    program = "import numpy as np, torch\na = np.zeros(3)\nfor _ in range({}):\n    t = torch.tensor(a)\n"
    for name, text in (("old", program.format(2)), ("new", "# moved\n" + program.format(3))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "program.py").write_text(text)
        for nth in "12":
            done = run("trace", "--no-remedies", "-o", f"{nth}.json", "program.py", cwd=tmp_path / name)
            assert done.returncode == 0, done.stderr
    assert diff(*(str(tmp_path / "old" / f"{nth}.json") for nth in "12"), "--strict")[0] == 0
    code, text = diff(*(str(tmp_path / name / "1.json") for name in ("old", "new")))
    assert code == 1
    assert text.splitlines()[4:] == [
        "calls 2 → 3",
        "copied bytes 48 → 72",
        "",
        f"changed: {tmp_path / 'new' / 'program.py'}:5 (was 4) torch.tensor: calls 2 → 3; copied bytes 48 → 72",
        "  t = torch.tensor(a)",
        "",
        "1 changed, 0 gone, 0 new, 0 the same; 0 new findings, 0 resolved",
    ]


def test_a_trace_is_compared_with_a_trace(sides, tmp_path):
    report, _ = sides(*SAME)
    trace, _ = saved(tmp_path, PROGRAM, LATER)
    (tmp_path / "committed").write_text(snapshot(GALLERY))
    for other in (report, str(tmp_path / "committed")):
        why = f"{trace} is a trace, but {other} is not: compare two traces, or two reports or snapshots."
        assert said(run("diff", trace, other), 2) == why
        assert said(run("diff", other, trace), 2) == why
    assert said(run("diff", trace, trace, "--format", "sarif"), 2).startswith("unknown --format 'sarif'")
