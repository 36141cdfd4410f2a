"""The keeper and the folder that must not be left behind."""

import os
import select
import subprocess
import sys

import pytest

from tensorbridge_cli.lab import processes

pytestmark = pytest.mark.skipif(not processes.has_fork(), reason="this platform has no fork")

SERVER = "from tensorbridge_cli.lab import processes; processes.keep({!r}); import signal; {}"


@pytest.mark.parametrize(("said", "left"), [(b"", False), (processes.GOODBYE, True)])
@pytest.mark.parametrize("ending", ["signal.pause()", "print(flush=True)"])
def test_the_keeper_removes_the_folder_of_a_command_line_that_was_killed(tmp_path, said, left, ending):
    """Seen from the keeper: its input has ended, and the process that held it is not yet gone."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    code = SERVER.format(os.fspath(folder), ending)
    keeper = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    keeper.communicate(said, timeout=60)
    assert (keeper.returncode, folder.exists()) == (0, left)


def test_the_keeper_leaves_the_folder_of_a_command_line_that_lives(tmp_path):
    code = SERVER.format(os.fspath(tmp_path), "raise SystemExit(3)")
    keeper = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    assert keeper.wait(60) == 3
    assert tmp_path.exists()
    keeper.stdin.close()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no /proc")
def test_the_keeper_holds_no_pipe_of_the_servers(tmp_path):
    """Whatever its number: one that it held would not end when the server, or its copy, does."""
    reader, writer = os.pipe()
    high = os.dup2(writer, 200)
    code = SERVER.format(os.fspath(tmp_path), "import os; os.close(200); signal.pause()")
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, pass_fds=[high]) as keeper:
        os.close(high)
        os.close(writer)
        assert select.select([reader], [], [], 60)[0]
        assert os.read(reader, 1) == b""
        keeper.stdin.close()
    os.close(reader)
