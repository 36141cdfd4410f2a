"""What is printed where: a terminal, a pipe, a file that takes no more, an encoding that lacks letters."""

import json
import os
import re
import subprocess

import jsonschema
import pytest

from tensorbridge_cli.cli.terminal import colour
from tests.cli.tools import COMMAND, PLAIN_TEXT, PROGRESS, environment, run, screen, shell, without_addresses

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
BOX = "───"
SUBJECT = ["from_numpy", "tensor", "--layout", "reversed,contiguous"]  # refusals have long reasons


@pytest.fixture(scope="module")
def piped():
    """The table in a pipe, where the environment says that this is a narrow terminal."""
    done = run("inspect", *SUBJECT, COLUMNS="40", GITHUB_ACTIONS="1", TERM="xterm-256color")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


# A pipe ----------------------------------------------------------------------------------------


def test_a_pipe_gets_plain_rows_that_are_never_cut(piped):
    assert PLAIN_TEXT.fullmatch(piped)
    assert "…" not in piped
    (reason,) = [line for line in piped.splitlines() if "At least one stride" in line]
    assert "currently supported" in reason
    assert reason.endswith("array.copy().)")


def test_forced_colour_draws_no_box_and_an_encoding_that_lacks_letters_escapes_them(piped):
    done = run("inspect", *SUBJECT, FORCE_COLOR="1", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b[" in done.stdout
    assert done.stdout.isascii()
    plain = ESCAPE.sub("", done.stdout)
    assert plain.startswith("Source: 4x3 float32")
    assert without_addresses(plain).split() == [
        word.replace("×", "x").replace("→", "->").replace("–", "-") for word in without_addresses(piped).split()
    ]


def test_json_is_utf8_whatever_the_encoding_and_what_the_schema_says():
    done = run("inspect", "tensor", "-e", "[len('×')] * 2", "--format", "json", PYTHONIOENCODING="ascii", LC_ALL="C")
    report = json.loads(done.stdout)
    assert report["observations"][0]["subject"]["given"] == "[len('×')] * 2"
    jsonschema.validate(report, json.loads(run("schema").stdout))


def test_tsv_is_for_cut():
    done = shell("$T inspect --format tsv | cut -f 1,9")
    assert done.stdout.splitlines() == [
        "conversion\toutcome",
        "Tensor.numpy\tshared",
        "torch.from_numpy\tshared",
        "torch.as_tensor\tshared",
        "torch.tensor\tcopied",
    ]


@pytest.mark.parametrize(
    ("command", "first"),
    [
        ("inspect --layout all --format json", "{"),
        ("list conversions", "Tensor.numpy"),
        ("schema", "{"),
        ("--help", "Usage: "),
    ],
)
def test_a_reader_that_has_enough(command, first):
    done = shell(f"$T {command} | head -1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(first)


@pytest.mark.parametrize("command", ["schema", "--help", "inspect -h", "inspect numpy"])
def test_a_reader_that_is_gone(command):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*COMMAND, *command.split()], env=environment(), stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("command", ["schema", "--help"])
def test_an_output_that_is_full(command):
    done = shell(f"$T {command} > /dev/full")
    assert (done.returncode, done.stderr) == (3, "Error: system error: No space left on device.\n")


def test_closed_outputs():
    assert shell("$T list >&- 2>&-; echo $?").stdout == "0\n"
    assert shell("$T inspect qwzx >&- 2>&-; echo $?").stdout == "2\n"
    assert shell("$T inspect qwzx 2>/dev/full; echo $?").stdout == "2\n"


# A terminal ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "arguments", "env", "coloured"),
    [
        (60, [], {}, True),
        (80, [], {"NO_COLOR": "1"}, False),
        (120, ["--color", "never"], {"FORCE_COLOR": "1"}, False),
    ],
)
def test_a_terminal_gets_a_table_that_fits(piped, width, arguments, env, coloured):
    text = PROGRESS.sub("", screen("inspect", *SUBJECT, *arguments, width=width, **env))
    assert ("\x1b[" in text) is coloured
    shown = ESCAPE.sub("", text)
    assert (BOX in shown) is ("never" not in arguments)
    assert max(map(len, shown.splitlines())) <= width
    words = set(without_addresses(piped).split())
    assert len(words - set(without_addresses(shown).split())) < len(words) / 10  # those that are folded


@pytest.mark.parametrize(
    ("choice", "terminal", "env", "coloured"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"TERM": "dumb"}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"NO_COLOR": ""}, True),
        ("auto", False, {"FORCE_COLOR": "1"}, True),
        ("auto", False, {"FORCE_COLOR": "0"}, False),
        ("auto", False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_who_decides_on_colour(monkeypatch, choice, terminal, env, coloured):
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert colour(choice, terminal) is coloured


def test_a_terminal_gets_a_picture_that_fits():
    drawn = ESCAPE.sub(
        "", screen("inspect", "from_numpy", "--layout", "non-contiguous", "--picture", width=60)
    ).splitlines()
    assert max(map(len, drawn)) <= 60
    assert [line.split()[-1] for line in drawn if " source " in line][-4:] == [
        f"[{row},0]·····[{row},1]·····[{row},2]·····" for row in range(4)
    ]


def test_a_file_has_colour_where_asked_and_the_values(tmp_path):
    run("inspect", "numpy", "-o", "x.txt", "--values", "--color", "always", cwd=tmp_path)
    text = (tmp_path / "x.txt").read_text()
    assert "\x1b[" in text
    assert BOX not in text
    assert "100.0" in text


@pytest.mark.parametrize(
    "command",
    [
        "inspect from_numpy --layout reversed --no-picture",
        "demo rebinding",
        "matrix --group classic",
        "explain from_numpy",
    ],
)
def test_a_screen_reader_is_given_plain_lines(command):
    text = screen(*command.split(), "--color", "never")
    assert not re.search(r"[\x1b\r\u2500-\u25ff]", text)  # escape codes, box drawing, blocks, shapes


def test_never_colour_draws_nothing_that_moves():
    slow = "import time; time.sleep(5)"
    text = screen("inspect", "numpy", "--color", "never", "--setup", slow)
    assert not re.search(r"[\x1b\r━]", text)
    assert "\x1b" in screen("inspect", "numpy", "--setup", slow)  # the test would see a bar
