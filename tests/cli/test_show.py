import gzip
import json

import pytest

from tensorbridge_cli.encoding import encode
from tensorbridge_cli.records import trace as traced
from tensorbridge_cli.render import FORMATS, PLAIN, TRACES, View, render
from tests.cli.tools import run, run_without_libraries, said, screen, shell
from tests.render.gallery import GALLERY
from tests.render.program import CAST, COPIED, PROGRAM, finding
from tests.render.tools import NAMES, REPORTS, load, show

SHARED = str(REPORTS / "shared.json")


@pytest.fixture
def saved(tmp_path):
    """A function that saves a text or bytes and returns the path."""

    def save(what, name="report.json"):
        path = tmp_path / name
        path.write_bytes(what if isinstance(what, bytes) else what.encode())
        return str(path)

    return save


def refused(*arguments):
    return said(run("show", *arguments), 2)


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_report_is_shown_again(name):
    done = run("show", str(REPORTS / f"{name}.json"))
    assert (done.returncode, done.stdout, done.stderr) == (0, render(load(name), "table"), "")


@pytest.mark.parametrize("format_", [entry.name for entry in FORMATS])
def test_in_any_format(saved, format_):
    done = run("show", saved(encode(GALLERY)), "--format", format_)
    assert (done.returncode, done.stdout) == (0, render(GALLERY, format_))


def test_from_lines_of_json(saved):
    path = saved(render(GALLERY, "jsonl"), "report.jsonl")
    assert run("show", path, "--format", "json").stdout == render(GALLERY, "json")


def test_from_standard_input():
    done = shell(f"$T show {SHARED} --format jsonl | $T show - --format json")
    assert (done.returncode, done.stdout) == (0, render(load("shared"), "json"))


def test_with_values():
    assert "values" in run("show", SHARED, "--values").stdout


def test_with_pictures():
    drawn = run("show", SHARED, "--picture").stdout
    assert drawn == show(load("shared"), None, picture=True)
    assert run("show", SHARED, "--picture", TENSORBRIDGE_PICTURE="0").stdout == drawn
    assert run("show", SHARED, TENSORBRIDGE_PICTURE="1").stdout == drawn


def test_no_picture_wins_over_the_environment():
    assert "memory:" not in run("show", SHARED, "--no-picture", TENSORBRIDGE_PICTURE="1").stdout


def test_into_a_file_of_the_format_of_its_ending(tmp_path):
    assert run("show", SHARED, "-o", str(tmp_path / "report.tsv")).stdout == ""
    assert (tmp_path / "report.tsv").read_text() == render(load("shared"), "tsv")


def test_in_colour_where_asked():
    assert "\x1b[" in run("show", SHARED, "--color", "always").stdout
    assert "\x1b[" not in run("show", SHARED).stdout


def test_without_numpy_and_torch(tmp_path):
    (tmp_path / "trace.json").write_bytes(encode(PROGRAM))
    traces = [["show", str(tmp_path / "trace.json"), "--format", format_.name] for format_ in TRACES]
    assert set(run_without_libraries(["show", SHARED], *traces)) == {0}


# A program's trace -------------------------------------------------------------------------------


@pytest.fixture
def trace(saved):
    return saved(encode(PROGRAM), "trace.json")


@pytest.mark.parametrize("format_", [entry.name for entry in TRACES])
def test_a_saved_trace_in_any_format(trace, format_):
    done = run("show", trace, "--format", format_)
    assert (done.returncode, done.stdout, done.stderr) == (0, render(PROGRAM, format_, PLAIN), "")


def test_a_trace_in_a_terminal(trace):
    assert screen("show", trace, NO_COLOR="1") == render(PROGRAM, "table", View(80, colour=False, box=True))


def test_a_trace_as_it_was_written(tmp_path):
    program = "import numpy as np, torch; torch.tensor(np.zeros(3))"
    assert run("trace", "--no-remedies", "-o", "trace.json", "-c", program, cwd=tmp_path).returncode == 0
    assert run("show", "trace.json", "--format", "json", cwd=tmp_path).stdout == (tmp_path / "trace.json").read_text()


def test_a_trace_from_lines_of_json(saved):
    path = saved(render(PROGRAM, "jsonl", PLAIN), "trace.jsonl")
    assert run("show", path, "--format", "json").stdout == render(PROGRAM, "json", PLAIN)


@pytest.mark.parametrize(
    ("by", "lines"), [("", [4, 6, 12]), ("bytes", [4, 6, 12]), ("calls", [12, 4, 6]), ("seconds", [12, 4, 6])]
)
def test_a_trace_sorted_anew(trace, by, lines):
    found = json.loads(run("show", trace, "--format", "json", "--sort", by).stdout)
    assert [site["line"] for site in found["sites"]] == lines


def test_a_trace_is_sorted_as_it_was_saved_where_nothing_is_said(saved):
    path = saved(encode(traced.ordered(PROGRAM, "calls")))
    assert [site["line"] for site in json.loads(run("show", path, "--format", "json").stdout)["sites"]] == [12, 4, 6]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--values"], "--values cannot be used with a trace ({path})."),
        (["--picture"], "--picture cannot be used with a trace ({path})."),
        (["--sort", "size"], "unknown --sort 'size': use bytes, seconds or calls."),
        (
            ["--format", "tsv"],
            "{path} is a trace, which cannot be shown as tsv: "
            "use table, csv, markdown, html, json, jsonl, github or sarif.",
        ),
        (["-o", "trace.svg"], "{path} is a trace, which cannot be shown as svg: use table, csv, markdown, html,"),
    ],
)
def test_what_a_trace_has_not_is_refused(trace, arguments, why):
    assert refused(trace, *arguments).startswith(why.format(path=trace))


def test_what_was_set_for_reports_is_left_out(trace):
    done = run("show", trace, TENSORBRIDGE_PICTURE="1", TENSORBRIDGE_VALUES="1")
    assert (done.returncode, done.stdout) == (0, render(PROGRAM, "table", PLAIN))


def test_a_report_is_not_sorted():
    assert refused(SHARED, "--sort", "calls") == f"--sort cannot be used with a report ({SHARED})."
    assert run("show", SHARED, TENSORBRIDGE_SORT="calls").returncode == 0


def test_a_trace_is_no_report(trace):
    needed = f"{trace} is a trace, but a report is needed."
    assert said(run("repro", "--from", trace, "--row", "1"), 2) == needed
    assert said(run("check", "--baseline", trace), 2) == needed


TRACE = render(PROGRAM, "json", PLAIN)
TRACE_LINES = render(PROGRAM, "jsonl", PLAIN)
NOWHERE = encode(PROGRAM).replace(finding(COPIED).site.encode(), finding(CAST).site.encode(), 1).decode()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (TRACE[:3000], "{path} is not a report or trace in JSON: it is truncated."),
        (TRACE_LINES[:3000], "{path} is not a report or trace in JSON: it is truncated."),
        (
            TRACE_LINES.partition("\n")[0],
            "{path} is not a valid tensorbridge.trace/1: Object missing required field",
        ),
        (
            "".join(TRACE_LINES.splitlines(True)[:-1]),
            "{path} is not a valid tensorbridge.trace/1: Object missing required field `not_intercepted`.",
        ),
        (TRACE.replace("trace/1", "trace/2"), "{path} is a tensorbridge.trace/2; this version of tensorbridge reads"),
        (
            TRACE.replace('"calls": 20', '"calls": "many"'),
            "{path} is not a valid tensorbridge.trace/1: Expected `int`",
        ),
        (
            NOWHERE,
            "{path} is not a valid tensorbridge.trace/1: a finding names a site that is not there: "
            "'/code/program.py:4:4 torch.tensor'.",
        ),
    ],
    ids=["cut", "cut-line", "head", "lines", "version", "word", "finding"],
)
def test_what_is_no_whole_trace_is_told_in_a_sentence(saved, text, why):
    path = saved(text)
    assert refused(path).startswith(why.format(path=path))


# Damaged files -----------------------------------------------------------------------------------


WHOLE = render(GALLERY, "json")
LINES = render(GALLERY, "jsonl")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "{path} is empty."),
        ("hello", "{path} is not a report or trace in JSON: JSON is malformed: invalid character (byte 0)."),
        (WHOLE[:3000], "{path} is not a report or trace in JSON: it is truncated."),
        (WHOLE[:1], "{path} is not a report or trace in JSON: it is truncated."),
        (LINES[:3000], "{path} is not a valid tensorbridge.report/1: line 2: it is truncated."),
        (LINES.partition("\n")[0], "{path} is not a valid tensorbridge.report/1: it is truncated."),
        ("".join(LINES.splitlines(True)[:3]), "{path} is not a valid tensorbridge.report/1: it is truncated."),
        ("{}", "{path} is JSON, but not a tensorbridge report or trace."),
        ("[1, 2]", "{path} is JSON, but not a tensorbridge report or trace."),
        ('{"schema": 1}', "{path} is JSON, but not a tensorbridge report or trace."),
        (
            WHOLE.replace("report/1", "report/2"),
            "{path} is a tensorbridge.report/2; this version of tensorbridge reads "
            "tensorbridge.report/1, tensorbridge.trace/1 and tensorbridge.environments/1.",
        ),
        ('{"schema": "tensorbridge.diff/1"}', "{path} is a tensorbridge.diff/1; this version of tensorbridge reads"),
        (
            WHOLE.replace('"shared"', '"stolen"'),
            "{path} is not a valid tensorbridge.report/1: Invalid enum value 'stolen'",
        ),
        (
            WHOLE.replace("0x55d0c0de", "55d0c0de"),
            "{path} is not a valid tensorbridge.report/1: Expected `str` matching regex '^0x[0-9a-f]{{1,16}}$' - at",
        ),
        (
            LINES.replace('"strides":[12,4],"shape"', '"strides":[12],"shape"'),
            "{path} is not a valid tensorbridge.report/1: line 2: strides and shape differ in length - at",
        ),
        ("# tensorbridge.snapshot/1\n", "{path} is a snapshot, which cannot be shown: use diff."),
        (gzip.compress(WHOLE.encode()), "{path} is compressed: decompress it first, e.g. with gunzip."),
        (WHOLE.encode("utf-16"), "{path} is UTF-16, as PowerShell's > writes it: save it with -o instead."),
        ("[" * 5000, "{path} is not a report or trace in JSON: "),
        (b'"\xff"', "{path} is not a report or trace in JSON: "),
    ],
    ids=[
        "empty",
        "text",
        "cut",
        "cut-early",
        "cut-line",
        "head",
        "lines",
        "object",
        "list",
        "number",
        "version",
        "diff",
        "word",
        "address",
        "strides",
        "snapshot",
        "gzip",
        "utf-16",
        "deep",
        "bytes",
    ],
)
def test_what_is_no_report_is_told_in_a_sentence(saved, text, why):
    path = saved(text)
    assert refused(path).startswith(why.format(path=path))


def test_what_cannot_be_read_is_told(tmp_path):
    assert refused("nowhere.json") == "cannot read nowhere.json: No such file or directory."
    assert refused(str(tmp_path)) == f"cannot read {tmp_path}: Is a directory."


def test_a_closed_standard_input_is_told():
    assert said(shell("$T show - <&-"), 2) == "cannot read standard input: it is closed."


def test_a_report_has_to_be_named():
    assert "REPORT" in refused()


def test_an_unknown_format_is_told():
    assert refused(SHARED, "--format", "papyrus").startswith("unknown --format 'papyrus'")


def test_a_reader_that_has_enough_is_no_error():
    done = shell(f"$T show {SHARED} | head -1")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("text", ["\x1b]0;owned\x07", "\x9b31m", "\u202egnp", "a\nError: b", "\x7f"])
def test_no_sentence_of_ours_is_obeyed_by_a_terminal(saved, tmp_path, text):
    schema = saved(json.dumps({"schema": f"tensorbridge.{text}"}))
    sentences = [
        refused(schema),
        refused(str(tmp_path / f"{text}.json")),
        refused(schema, "--format", text),
        refused(schema, f"--{text}"),
        refused(schema, "-o", str(tmp_path / text / "x.md")),
        said(run("inspect", text), 2),
        said(run("inspect", "--expr", text), 2),
        said(run("inspect", "--layout", text), 2),
        said(run("inspect", "--shape", text), 2),
        said(run("inspect", "--plugin", text), 2),
        said(run("check", "--expectations", text), 2),
        said(run("explain", text), 2),
        said(run(text), 2),
    ]
    assert all(sentence.isprintable() for sentence in sentences)


@pytest.mark.parametrize("depth", [2_000, 200_000])
def test_what_is_nested_too_deeply_is_refused(saved, tmp_path, depth):
    deep = "[" * depth + "]" * depth
    assert "nested" in refused(saved('{"schema": ' + deep + "}"))
    (tmp_path / "pyproject.toml").write_text(f"[tool.tensorbridge]\nx = {deep}\n")
    (tmp_path / "expect.toml").write_text(f"x = {deep}\n")
    told = [
        run("show", SHARED, cwd=tmp_path),
        run("check", "--no-config", "--expectations", "expect.toml", cwd=tmp_path),
    ]
    assert all("nested too deeply" in said(done, 2) for done in told)
    # one argument of a command has at most 128 kB
    few = min(depth, 50_000)
    assert "nested" in said(run("inspect", "--expr", "[" * few + "]" * few, "--no-config", cwd=tmp_path), 2)
