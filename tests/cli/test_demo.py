"""``tensorbridge demo``: printed, listed, and stepped through in a terminal that is left as it was."""

import re
import signal
import termios
import time

import pytest

from tests.cli.tools import COMMAND, PLAIN_TEXT, PROGRESS, environment, run, said
from tests.cli.tools import screen as sent
from tests.render.tools import matches

pexpect = pytest.importorskip("pexpect", reason="needs a pseudo-terminal")
PROMPT = r"(\d+) of (\d+): any key continues, q quits"
ADDRESS = re.compile(r"0x[0-9a-f]+")
VERSIONS = re.compile(r"\(numpy .*\)\s*$", re.DOTALL)


def settled(text):
    """``text`` without what differs from one run or installation to the next."""
    return VERSIONS.sub("(versions)\n", ADDRESS.sub(lambda found: "0x".ljust(len(found[0]), "…"), text))


def screen(*arguments, **options):
    """Return what stays on a terminal: without the bar of a slow import."""
    return PROGRESS.sub("", sent(*arguments, **options))


@pytest.fixture
def terminal():
    """A terminal in which the tour waits at its first step."""
    child = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], "demo", "--step", "negative"],
        dimensions=(50, 80),
        env=environment(TERM="xterm-256color"),
        encoding="utf-8",
        timeout=60,
    )
    child.before_it = modes(child)
    prompted(child)
    yield child
    child.close(force=True)


def prompted(child):
    """Wait for the prompt, and until the terminal hands each key on: what is typed before that is dropped."""
    child.expect(PROMPT)
    while modes(child)[3] & termios.ICANON:
        time.sleep(0.01)


def modes(child):
    return termios.tcgetattr(child.child_fd)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_whole_tour_in_a_terminal(width):
    text = settled(screen("demo", width=width, NO_COLOR="1"))
    assert max(map(len, text.splitlines())) <= width
    assert matches(f"demo.{width}", text)


def test_without_a_terminal_all_is_printed_and_no_key_waited_for():
    done = run("demo", "--step", "numpy", "rebinding")
    assert (done.returncode, done.stderr) == (0, "")
    assert PLAIN_TEXT.fullmatch(done.stdout)
    assert re.findall(r"^[\w-]+: ", done.stdout, re.MULTILINE)[0] == "numpy: "
    assert "    y [100.0]   2.0    3.0\n" in done.stdout
    assert not re.search(PROMPT, done.stdout)


def test_colour():
    assert "\x1b[" in screen("demo", "numpy")
    assert "\x1b[" not in screen("demo", "numpy", NO_COLOR="1")
    assert "\x1b[" not in screen("demo", "numpy", "--color", "never")


def test_the_list_and_a_name_that_is_none():
    names = [line.split()[0] for line in run("demo", "--list").stdout.splitlines()]
    assert names[:4] == ["numpy", "from_numpy", "as_tensor", "tensor"]
    assert max(map(len, screen("demo", "--list", width=60).splitlines())) <= 60
    assert said(run("demo", "rebind"), 2) == "unknown section 'rebind': did you mean rebinding?"
    assert said(run("demo", "--list", "rebind"), 2)


def test_any_key_goes_on_to_the_end(terminal):
    assert terminal.match.groups() == ("1", "3")
    terminal.send(" ")
    prompted(terminal)
    assert "SIGABRT" in terminal.before
    terminal.send("\x1b[B")  # an arrow is one key
    terminal.expect(pexpect.EOF)
    assert "array.copy()" not in terminal.before
    assert "x.copy()" in terminal.before
    assert_left(terminal, 0)


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("\x04", 0), ("\x03", 130)])
def test_leaving(terminal, key, code):
    terminal.send(key)
    terminal.expect(pexpect.EOF)
    assert "SIGABRT" not in terminal.before
    assert_left(terminal, code)


def test_a_signal_while_it_waits(terminal):
    terminal.kill(signal.SIGTERM)
    terminal.expect(pexpect.EOF)
    assert_left(terminal, 128 + signal.SIGTERM)


def assert_left(terminal, code):
    """It ended with ``code``, and the terminal is as it was."""
    terminal.wait()
    assert (terminal.exitstatus, terminal.signalstatus) == (code, None)
    assert modes(terminal) == terminal.before_it


def test_it_can_be_saved(tmp_path):
    done = run("demo", "rebinding", "-o", str(tmp_path / "demo.txt"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    shown = run("demo", "rebinding").stdout
    assert (tmp_path / "demo.txt").read_text().splitlines()[0] == shown.splitlines()[0]
    assert len((tmp_path / "demo.txt").read_text().splitlines()) == len(shown.splitlines())
