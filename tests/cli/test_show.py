import pytest

from tensorbridge_cli import model
from tensorbridge_cli.render import FORMATS, render
from tests.cli.tools import run, said, shell
from tests.render.gallery import GALLERY
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
    done = run("show", saved(model.encode(GALLERY)), "--format", format_)
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
    for name in ("numpy", "torch"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('imported')")
    assert run("show", SHARED, PYTHONPATH=str(tmp_path)).returncode == 0


WHOLE = render(GALLERY, "json")
LINES = render(GALLERY, "jsonl")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "{path} is empty."),
        ("hello", "{path} is no report as JSON: JSON is malformed: invalid character (byte 0)."),
        (WHOLE[:3000], "{path} is no report as JSON: it is cut off."),
        (WHOLE[:1], "{path} is no report as JSON: it is cut off."),
        (LINES[:3000], "{path} is no report as JSON: it is cut off."),
        (LINES.partition("\n")[0], "{path} is no whole tensorbridge.report/1: Object missing required field `obs"),
        (
            "".join(LINES.splitlines(True)[:3]),
            "{path} is no whole tensorbridge.report/1: Object missing required field",
        ),
        ("{}", "{path} is JSON, but no tensorbridge report."),
        ("[1, 2]", "{path} is JSON, but no tensorbridge report."),
        ('{"schema": 1}', "{path} is JSON, but no tensorbridge report."),
        (
            WHOLE.replace("report/1", "report/2"),
            "{path} is a tensorbridge.report/2; this version of tensorbridge reads tensorbridge.report/1.",
        ),
        ('{"schema": "tensorbridge.diff/1"}', "{path} is a tensorbridge.diff/1; this version of tensorbridge reads"),
        (
            WHOLE.replace('"shared"', '"stolen"'),
            "{path} is no whole tensorbridge.report/1: Invalid enum value 'stolen'",
        ),
        (
            WHOLE.replace("0x55d0c0de", "55d0c0de"),
            "{path} is no whole tensorbridge.report/1: Expected `str` matching regex '^0x[0-9a-f]+$' - at",
        ),
        (
            LINES.replace('"strides":[12,4],"shape"', '"strides":[12],"shape"'),
            "{path} is no whole tensorbridge.report/1: strides and shape differ in length - at",
        ),
        ("# tensorbridge.snapshot/1\n", "{path} is a snapshot, which has no more to show: diff reads it."),
        ("[" * 5000, "{path} is no report as JSON: "),
        (b'"\xff"', "{path} is no report as JSON: "),
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
