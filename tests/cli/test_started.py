"""However the command is ended, it leaves no process, no folder and no half-written file behind."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tensorbridge_cli.tracing import START
from tests.cli.tools import COMMAND, environment, run_cold

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the environment of processes")

HANGING = """
from tensorbridge_cli.catalog.entry import NUMPY, Conversion
from tensorbridge_cli.catalog.registry import register
register(
    Conversion(name="mine.hangs", sources=(NUMPY,), target=NUMPY, page="", code="mine.hang()", setup="import mine")
)

def hang():
    open("hanging", "w").close()
    while True:
        pass
"""
CONVERSION = ("hangs", "--plugin", "mine")
EXPRESSION = ("np.copy", "--expr", "mine.hang()", "--setup", "import mine")
NO_TORCH = "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')"
"""Spares each process the seconds that torch takes: what hangs needs NumPy alone."""


class Folder:
    """Where the command is at work, and what it left there and among the processes."""

    def __init__(self, path):
        self.path = path
        (path / "mine.py").write_text(HANGING)
        (path / "torch.py").write_text(NO_TORCH)
        (path / "out.json").write_text("as it was")
        (path / "scratch").mkdir()
        os.mkfifo(path / "hanging")
        self.before = set(os.listdir(path))
        env = environment(TMPDIR=f"{path}/scratch", PYTHONDONTWRITEBYTECODE="1", PYTHONPATH=str(path))
        self.options = {"cwd": path, "env": env}

    def command(self, *arguments, isolation="fork"):
        return [*COMMAND, "inspect", *arguments, "--isolation", isolation, "--timeout", "500", "-o", "out.json"]

    def start(self, *arguments, isolation="fork"):
        command = self.command(*arguments, isolation=isolation)
        return subprocess.Popen(command, **self.options, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def hangs(self):
        """Wait until the user's code runs, and never returns."""
        (self.path / "hanging").read_text()
        assert self.processes()

    def processes(self):
        return [process for process in psutil.process_iter() if self._is_mine(process)]

    def _is_mine(self, process):
        try:
            return process.environ().get("TMPDIR", "").startswith(f"{self.path}/scratch")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def until(self, true):
        deadline = time.monotonic() + 60
        while not true():
            assert time.monotonic() < deadline, self.processes()

    def is_clean(self):
        self.until(lambda: not self.processes())
        assert set(os.listdir(self.path)) == self.before
        assert (self.path / "out.json").read_text() == "as it was"
        return os.listdir(self.path / "scratch") == []


@pytest.fixture
def folder(tmp_path):
    found = Folder(tmp_path)
    # under nohup the tests themselves ignore it, and what they start would inherit that
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield found
    signal.signal(signal.SIGHUP, before)
    for process in found.processes():
        process.kill()


def ended(process):
    """Return the exit code, and what was said."""
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


@pytest.mark.parametrize(
    ("arguments", "isolation"),
    [
        (CONVERSION, "fork"),
        (CONVERSION, "spawn"),
        (CONVERSION, "none"),
        (EXPRESSION, "fork"),
        (EXPRESSION, "none"),
    ],
)
def test_ctrl_c(folder, arguments, isolation):
    process = folder.start(*arguments, isolation=isolation)
    folder.hangs()
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, b"")
    assert folder.is_clean()


def test_ctrl_c_while_torch_is_imported(folder):
    (folder.path / "torch.py").unlink()
    folder.before.remove("torch.py")
    process = folder.start("numpy")
    folder.until(lambda: len(folder.processes()) >= 2)
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, b"")
    assert folder.is_clean()


def test_ctrl_c_in_a_terminal(folder):
    import pexpect

    command, *arguments = folder.command(*CONVERSION)
    terminal = pexpect.spawn(command, arguments, **folder.options, timeout=60)
    folder.hangs()
    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert (terminal.exitstatus, terminal.signalstatus) == (130, None)
    assert b"Traceback" not in terminal.before
    assert folder.is_clean()


@pytest.mark.parametrize(
    ("number", "isolation"),
    [(signal.SIGTERM, "fork"), (signal.SIGHUP, "none")],
)
def test_another_signal_that_can_be_handled(folder, number, isolation):
    process = folder.start(*CONVERSION, isolation=isolation)
    folder.hangs()
    process.send_signal(number)
    assert ended(process) == (128 + number, b"")
    assert folder.is_clean()


@pytest.mark.parametrize(
    ("arguments", "isolation"),
    [(CONVERSION, "fork"), (CONVERSION, "spawn"), (EXPRESSION, "fork")],
)
def test_a_signal_that_cannot_be_handled(folder, arguments, isolation):
    process = folder.start(*arguments, isolation=isolation)
    folder.hangs()
    process.kill()
    assert ended(process) == (-signal.SIGKILL, b"")
    folder.until(lambda: not folder.processes())
    assert list((folder.path / "scratch").iterdir()) == []


# Ctrl-C before anything has begun ------------------------------------------------------------------

INTERRUPTED = """
import os, signal, sys
def interrupt(event, arguments):
    if event == "import" and arguments[0] == os.environ["INTERRUPTED_AT"]:
        os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(interrupt)
"""


@pytest.mark.parametrize(
    ("arguments", "module"),
    [
        ("inspect from_numpy", "tensorbridge_cli.cli"),
        ("inspect from_numpy", "typer"),
        ("inspect from_numpy", "tensorbridge_cli.cli.request"),
        ("inspect from_numpy", "tensorbridge_cli.lab.client"),
        ("list", "typer"),
        ("explain from_numpy", "tensorbridge_cli.explain.pages"),
        ("--help", "tensorbridge_cli.render"),
        ("trace program.py", "tensorbridge_cli.tracing.early"),
        ("trace program.py", "subprocess"),
        ("trace --sort time program.py", "typer"),
        ("trace --sort time program.py", "tensorbridge_cli.tracing.run"),
    ],
)
def test_ctrl_c_while_a_module_is_imported(tmp_path, arguments, module):
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED)
    (tmp_path / "program.py").write_text("print('begun')")
    done = run_cold(*arguments.split(), cwd=tmp_path, PYTHONPATH=str(tmp_path), INTERRUPTED_AT=module)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_ctrl_c_before_the_first_line_of_a_traced_program():
    module = "tensorbridge_cli.tracing.inside.hooks"
    start = f"import runpy; sys.modules['sitecustomize'] = sys; runpy.run_path({START + '/sitecustomize.py'!r})"
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED + start], env=environment(INTERRUPTED_AT=module), capture_output=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")
