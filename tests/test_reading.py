"""Files and pipes that the user names."""

import os
import select
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from tensorbridge_cli import reading
from tests.cli.tools import run, said, shell

REPORT = Path(__file__).parent / "reports" / "shared.json"

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")


@pytest.fixture
def pipe(tmp_path):
    path = str(tmp_path / "pipe")
    os.mkfifo(path)
    return path


COMMANDS = [
    ("show", "{}"),
    ("diff", "{}", str(REPORT)),
    ("merge", str(REPORT), "{}"),
    ("repro", "--from", "{}", "--row", "1"),
    ("check", "--baseline", "{}"),
    ("check", "--expectations", "{}"),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
def test_a_device_that_has_no_end_is_not_read(arguments):
    sentence = said(run(*(text.format("/dev/zero") for text in arguments)), 2)
    assert sentence == "cannot read /dev/zero: it is a device."


def waits_in_vain(pipe, arguments):
    sentence = said(run(*(text.format(pipe) for text in arguments)), 2)
    assert sentence == f"cannot read {pipe}: nobody writes to the pipe (waited 5 seconds)."


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(pipe):
    waits_in_vain(pipe, COMMANDS[0])


@pytest.mark.parametrize("arguments", COMMANDS[1:], ids=lambda arguments: arguments[0])
def test_no_other_command_waits_for_a_pipe_that_nobody_writes_to(pipe, arguments):
    waits_in_vain(pipe, arguments)


@pytest.mark.parametrize("written", [b"x" * 3_000_000, b"x", b""], ids=len)
def test_a_pipe_is_read_to_its_end(pipe, written):
    writer = threading.Thread(target=Path(pipe).write_bytes, args=(written,))
    writer.start()
    assert reading.contents(pipe) == written
    writer.join()


def test_a_writer_may_be_slow(pipe, monkeypatch):
    writer = os.open(pipe, os.O_RDWR)
    waits = []

    def waited(*arguments):
        waits.append(arguments)
        if len(waits) == 3:
            os.write(writer, b"late")
            os.close(writer)
        return select.select(*arguments)

    monkeypatch.setattr(reading, "_PATIENCE", 0.0)
    monkeypatch.setattr(reading, "select", SimpleNamespace(select=waited))
    assert reading.contents(pipe) == b"late"


def test_reports_come_through_pipes_of_the_shell():
    done = shell(f"$T diff <(cat {REPORT}) <(cat {REPORT}) && $T merge <(cat {REPORT}) <(cat {REPORT})")
    assert (done.returncode, done.stderr) == (0, "")
