"""The keeper and the folder that must not be left behind."""

import os
import select
import subprocess
import sys

import pytest

from tensorbridge_cli.lab import interpreter, processes
from tensorbridge_cli.lab.connection import Kept

pytestmark = pytest.mark.skipif(not processes.has_fork(), reason="this platform has no fork")

SERVER = "from tensorbridge_cli.lab import processes; processes.keep({!r}, {!r}, {}); import signal; {}"


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("is_away", [True, False])
@pytest.mark.parametrize("ending", ["signal.pause()", "print(flush=True)", "import os; os.read(0, 1)"])
def test_the_keeper_removes_the_folder_of_a_command_line_that_was_killed(tmp_path, marked, is_away, ending):
    """Seen from the keeper: its input has ended, and the marker tells whether another keeper follows."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    marker = folder / "marker"
    if marked:
        marker.touch()
    code = SERVER.format(os.fspath(folder), os.fspath(marker), is_away, ending)
    keeper = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    keeper.communicate(timeout=60)
    assert (keeper.returncode, folder.exists()) == (0, not marked)


def test_the_keeper_removes_the_folder_at_the_end(tmp_path):
    """A command line that is killed while it waits for the keeper leaves none."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    kept = Kept("import signal; signal.pause()", scratch)
    kept.close()
    assert not scratch.exists()


def test_another_interpreter_removes_it_before_there_is_a_keeper(tmp_path):
    scratch = tmp_path / "scratch"
    (scratch / "server").mkdir(parents=True)
    (scratch / "server" / "00").touch()
    command = [sys.executable, "-c", interpreter.BOOT, "1", "00", os.fspath(scratch / "server")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    assert (done.returncode, done.stdout, scratch.exists()) == (3, b"\0", False)


def test_the_keeper_leaves_the_folder_of_a_command_line_that_lives(tmp_path):
    marker = tmp_path / "marker"
    marker.touch()
    code = SERVER.format(os.fspath(tmp_path), os.fspath(marker), False, "raise SystemExit(3)")
    keeper = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    assert keeper.wait(60) == 3
    assert marker.exists()
    keeper.stdin.close()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no /proc")
def test_the_keeper_holds_no_pipe_of_the_servers(tmp_path):
    """Whatever its number: one that it held would not end when the server, or its copy, does."""
    reader, writer = os.pipe()
    high = os.dup2(writer, 200)
    code = SERVER.format(
        os.fspath(tmp_path), os.fspath(tmp_path / "none"), False, "import os; os.close(200); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, pass_fds=[high]) as keeper:
        os.close(high)
        os.close(writer)
        assert select.select([reader], [], [], 60)[0]
        assert os.read(reader, 1) == b""
        keeper.stdin.close()
    os.close(reader)
