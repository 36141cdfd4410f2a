"""What an experiment may do to everything around it: it costs that experiment, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tensorbridge_cli.errors import RequestError, UnavailableError
from tensorbridge_cli.lab import client, connection, protocol
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.lab.experiment import Given
from tensorbridge_cli.records.enums import Origin, Stage
from tensorbridge_cli.records.report import Observation
from tests.tools import ROOT, experiment, found, lies, settled, started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="subreapers are Linux's")

SHARES = "torch.from_numpy(x)"
SETUP = """
import contextlib, mmap, os, signal, sys, tempfile, threading, time

def garbage():
    for number in range(3, 300):
        with contextlib.suppress(OSError):
            os.write(number, b"\\xff" * 4096)

def scribble(place):
    frame = sys._getframe()
    while "shared" not in frame.f_locals:
        frame = frame.f_back
    memory = frame.f_locals["shared"]._memory
    while memory[64:72] != memory[72:80]:  # the server reads what came before
        time.sleep(0.001)
    memory[place : place + 8] = b"\\x7e" * 8

def leave(mark, twice):
    if os.fork():
        return
    os.setsid()
    if twice and os.fork():
        os._exit(0)
    sys.argv[:] = []
    open(mark, "w").write(str(os.getpid()))
    while True:
        pass
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Laboratory]:
    with started(setup=SETUP, timeout=2.0) as lab:
        yield lab


def among(lab: Laboratory, code: str, **more: Any) -> Any:
    """The row of ``code``, between two that must not notice it."""
    before, row, after = found(lab, [experiment(SHARES), experiment(code, **more), experiment(SHARES)])
    for other in (before, after):
        assert isinstance(other, Observation)
        assert (other.relation.overlaps, other.crash, other.internal_error) == (True, None, None)
    assert settled(before) == settled(after)
    return row


# Signals and processes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "signal_name"),
    [
        ("os.kill(0, 15)", "SIGTERM"),
        ("os.killpg(0, 9)", "SIGKILL"),
        ("os.killpg(os.getpgid(0), 9)", "SIGKILL"),
        ("os.kill(os.getppid(), 9)", "SIGKILL"),
        ("os.kill(os.getppid(), 15)", "SIGTERM"),
        ("os.kill(os.getppid(), 19)", "SIGSTOP"),
        ("os.killpg(os.getpgid(os.getppid()), 9)", "SIGKILL"),
        ("os.killpg(os.getpgid(os.getppid()), 19)", "SIGSTOP"),
    ],
)
def test_a_signal_to_all_around_costs_one_experiment(lab: Laboratory, code: str, signal_name: str) -> None:
    row = among(lab, code)
    assert (row.crash.stage, row.crash.signal, row.crash.confirmed) == (Stage.CONVERT, signal_name, True)


def test_a_subject_that_ends_the_server_is_the_request_s_fault(lab: Laboratory) -> None:
    with pytest.raises(RequestError, match="building the source crashed the process: SIGKILL"):
        lab.describe(Given(origin=Origin.EXPRESSION, text="os.kill(os.getppid(), 9)"))
    assert lab.resolve(["f4"])[0].name == "float32"


@pytest.mark.parametrize("twice", [False, True])
def test_what_leaves_its_session_ends_with_the_child(lab: Laboratory, tmp_path: Path, twice: bool) -> None:
    mark = tmp_path / "pid"
    among(lab, f"(leave({str(mark)!r}, {twice}), time.sleep(0.2), {SHARES})[-1]")
    assert gone(mark)


@pytest.mark.parametrize("ends", ["os.abort()", "time.sleep(99)", "os.kill(os.getppid(), 9)"])
def test_what_leaves_its_session_ends_though_the_child_dies(lab: Laboratory, tmp_path: Path, ends: str) -> None:
    mark = tmp_path / "pid"
    row = among(lab, f"(leave({str(mark)!r}, True), time.sleep(0.2), {ends})")
    assert row.crash is not None
    assert gone(mark)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_what_leaves_its_session_ends_with_the_command_line(tmp_path: Path, number: int) -> None:
    mark = tmp_path / "pid"
    program = f"""
from signal import *
from tests.tools import *
signal(SIGINT, default_int_handler)  # ignored where the tests run in the background of a shell
with started(setup={SETUP!r}, timeout=60.0, cold=True) as lab:
    found(lab, [experiment({f"(leave({str(mark)!r}, True), time.sleep(99))"!r})])
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stderr=subprocess.DEVNULL, env=os.environ | {"TMPDIR": str(tmp_path)}
    )
    while not (mark.exists() and mark.read_text()):
        time.sleep(0.05)
    process.send_signal(number)
    process.wait()
    assert gone(mark)
    assert soon(lambda: not list(tmp_path.glob("tensorbridge-*")))


def gone(mark: Path) -> bool:
    return soon(lambda: not psutil.pid_exists(int(mark.read_text())))


def soon(holds: Any) -> bool:
    until = time.monotonic() + 20
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    return bool(holds())


# Descriptors and memory ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        f"(garbage(), {SHARES})[1]",
        f"(os.closerange(3, 300), garbage(), {SHARES})[2]",
        f"(os.closerange(0, 300), {SHARES})[1]",
        f"([os.open('/dev/null', os.O_RDWR) for _ in range(40)], garbage(), {SHARES})[2]",
        f"(os.fork(), garbage(), {SHARES})[2]",
        f"(os.close(0), os.close(1), print('x' * 10, file=sys.stderr), {SHARES})[3]",
    ],
)
def test_no_descriptor_is_one_of_ours(lab: Laboratory, code: str) -> None:
    row = among(lab, code)
    assert (row.crash, row.internal_error, row.error, row.relation.overlaps) == (None, None, None, True)


def test_a_file_of_ones_own_gets_nothing_of_ours(lab: Laboratory, tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.touch()
    among(lab, f"(os.closerange(3, 300), [os.open({str(file)!r}, os.O_RDWR) for _ in range(90)], {SHARES})[2]")
    assert file.read_bytes() == b""


@pytest.mark.parametrize("place", [64, 72], ids=["written", "read"])
def test_what_is_written_over_our_memory_is_noticed(lab: Laboratory, place: int) -> None:
    row = among(lab, f"(scribble({place}), {SHARES})[1]")
    assert row.internal_error is not None
    assert row.crash is None


def test_a_reply_is_longer_than_the_ring() -> None:
    warns = "[__import__('warnings').warn(str(i) + 'x' * 3000) for i in range(300)]"
    with started() as lab:
        rows = found(lab, [experiment(f"({warns}, {SHARES})[1]"), experiment(SHARES)])
    assert len(rows[0].warnings) == 300


# Folders -------------------------------------------------------------------------------------------


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    shares = "__import__('pickle').loads(bytes(torch.multiprocessing.reductions.ForkingPickler.dumps(torch.ones(3))))"
    with started(setup=SETUP) as lab:
        found(lab, [experiment(f"({shares}, open(tempfile.mkstemp()[1], 'w'), tempfile.mkdtemp(), {SHARES})[-1]")])
        assert [path.name[:12] for path in tmp_path.iterdir()] == ["tensorbridge"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["tempfile.gettempdir()", "os.path.dirname(tempfile.gettempdir())"])
def test_a_folder_that_is_emptied_costs_nothing(lab: Laboratory, folder: str) -> None:
    row = among(lab, f"(__import__('shutil').rmtree({folder}), {SHARES})[1]")
    assert (row.crash, row.relation.overlaps) == (None, True)
    assert found(lab, [experiment("torch.from_numpy(x).clone()")])[0].relation.overlaps is False


# What never began ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setup", "sentence"),
    [
        ("def no(*a): raise BlockingIOError(11, 'Resource temporarily unavailable')\nos.fork = no", "temporarily"),
        (
            "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
            "open",
        ),
        ("os.register_at_fork(after_in_child=lambda: os._exit(7))", "exited before it started: exit code 7"),
        ("os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), 9))", "exited before it started: SIGKILL"),
    ],
)
def test_what_never_began_did_not_crash(setup: str, sentence: str) -> None:
    with (
        started(setup=f"import os, time\n{setup}", timeout=2.0) as lab,
        pytest.raises(UnavailableError, match=sentence),
    ):
        found(lab, [experiment(SHARES)])


# The server's start --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "print('hello' * 999)",
        "import os; os.write(1, b'\\xff' * 9000)",
        "import sys; sys.stdout.buffer.write(bytes(99))",
    ],
)
def test_what_is_printed_before_the_start_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with started(cold=True) as lab:
        assert found(lab, [experiment(SHARES)])[0].relation.overlaps is True


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_a_file_that_stands_in_for_a_library_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / f"{name}.py").write_text("__version__ = '9'")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with started(cold=True) as lab, pytest.raises(UnavailableError, match=rf"{name}\.py|cannot import"):
        lab.hello()


def test_set_up_code_reads_nothing_of_ours() -> None:
    with started(setup="input()") as lab, pytest.raises(RequestError, match="the --setup code raised EOFError"):
        lab.hello()
    with started(setup="import sys; got = sys.stdin.read()") as lab:
        assert found(lab, [experiment("torch.ones(len(got) + 3)")])[0].result.shape == (3,)


def test_set_up_code_that_forks_is_one_server() -> None:
    with started(setup="import os; os.fork()") as lab:
        rows = found(lab, [experiment(SHARES)] * 20)
        assert all(row.relation.overlaps for row in rows)
        assert lab.resolve(["f4"])[0].name == "float32"


HELD = "import os, threading; lock = threading.Lock(); hang = lambda *a: lock.acquire() and lock.acquire(); "


@pytest.mark.parametrize(
    ("setup", "kind", "sentence"),
    [
        ("os.fork = hang", UnavailableError, "no longer responds. Perhaps the --setup code holds a lock"),
        # the set-up code itself has ended: it hangs where the server first converts something
        ("torch.from_numpy = hang", UnavailableError, "no longer responds. Perhaps the --setup code holds a"),
        ("os.register_at_fork(before=hang)", UnavailableError, "holds a lock"),
        ("os.register_at_fork(after_in_child=hang)", UnavailableError, "did not start within 2 seconds"),
    ],
)
def test_a_lock_that_is_held_ends_in_a_sentence(
    setup: str, kind: type[Exception], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("_SILENCE", "STARTING"):
        monkeypatch.setattr(f"tensorbridge_cli.lab.client.{limit}", 1.0)
    with started(setup=HELD + setup, timeout=2.0) as lab, pytest.raises(kind, match=sentence):
        found(lab, [experiment(SHARES)])


def test_a_server_has_time_to_import_what_a_state_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says nothing meanwhile, and FakeTensor's 800 modules, not compiled, took half a minute on a busy machine."""
    waits: list[float | None] = []
    receive = connection.Kept.receive

    def recorded(kept: connection.Kept, patience: float | None = None) -> protocol.Reply:
        waits.append(patience)
        return receive(kept, patience)

    with started(timeout=5.0) as lab:
        lab.hello()
        monkeypatch.setattr(connection.Kept, "receive", recorded)
        found(lab, [experiment(SHARES)] * 2)
    assert waits == [connection.STARTING, 5.0 + client._SILENCE]


# What belongs to the whole process -----------------------------------------------------------------


def test_what_one_conversion_changes_reaches_no_other_row() -> None:
    from tensorbridge_cli.survey.request import Request
    from tensorbridge_cli.survey.run import survey

    others = ("torch.from_numpy", "torch.tensor", "np.copy", "torch.as_tensor")
    with lies() as registered, started(jobs=2) as lab:
        names = [name for name in registered if name.startswith("lie.changes-the-")]
        assert names
        mixed = survey(
            [Request(conversions=tuple(n for name in names for n in (name, "lie.shares", *others)))], lab, "fork"
        )
        apart = survey([Request(conversions=others)], lab, "fork")
    rows = {row.conversion: row for row in mixed.observations}
    for name in names:
        assert [hazard.code for hazard in rows[name].hazards][:1] == ["global-state-changed"], name
    for row in apart.observations:
        assert (rows[row.conversion].outcome, rows[row.conversion].hazards) == (row.outcome, row.hazards)
