"""Processes that a program starts: each is counted to its last call that anybody heard of, or is named as not seen."""

import os
import signal
import sys
from contextlib import suppress

import numpy as np
import pytest
import torch

from tensorbridge_cli.tracing.inside import hooks
from tensorbridge_cli.tracing.inside.hooks import Tracer
from tensorbridge_cli.tracing.inside.processes import is_python
from tensorbridge_cli.tracing.launch import plan
from tests.cli.tools import run
from tests.tracing.tools import START, bare_cold, calls, codes, record, script, traced, under_cold

POOLS = (
    START
    + """
import multiprocessing as m
def work(n):
    torch.from_numpy(np.ones(3))
    return n
if __name__ == '__main__':
    for nth in range(POOLS):
        with m.get_context('HOW').Pool(2) as pool:
            pool.map(work, range(20))
            [*pool.imap_unordered(work, range(3))]
"""
)


@pytest.mark.parametrize(("how", "options"), [("fork", ()), ("spawn", ("--follow",))])
def test_what_a_pool_was_told_is_counted(tmp_path, how, options):
    number = 5 if how == "fork" else 1  # two that import torch
    found = traced(tmp_path, POOLS.replace("HOW", how).replace("POOLS", str(number)), *options)
    assert calls(found) == {(5, "torch.from_numpy"): number * 23}
    if how == "fork":
        assert len(found["processes"]) == 1 + 5 * 2


def test_what_an_executor_was_told_is_counted(tmp_path):
    text = START + (
        "import multiprocessing as m, os\nfrom concurrent.futures import ProcessPoolExecutor\ndef work(n):\n"
        "    torch.from_numpy(np.ones(3))\n    return os.getpid()\n"
        "with ProcessPoolExecutor(1, m.get_context('fork')) as p:\n"
        "    pid, = {*p.map(work, range(5))}\n    os.kill(pid, 9)\n"
    )
    found = traced(tmp_path, text)
    assert calls(found) == {(5, "torch.from_numpy"): 5}
    assert {process["name"]: process["ended"] for process in found["processes"]} == {
        "main": True,
        "ForkProcess-1": False,
    }


def test_what_the_workers_of_a_loader_were_told_is_counted(tmp_path):
    text = START + (
        "from torch.utils.data import DataLoader, Dataset\nclass Rows(Dataset):\n    x = np.ones((4, 3))\n"
        "    def __len__(self):\n        return 4\n    def __getitem__(self, n):\n"
        "        t = torch.from_numpy(self.x[n])\n        t /= 2\n        return t.sum()\n"
        "rows = DataLoader(Rows(), 2, num_workers=1, persistent_workers=True)\n"
        "for epoch in range(3):\n    for batch in rows: pass\n"
    )
    found = traced(tmp_path, text)
    assert calls(found)[8, "torch.from_numpy"] >= 8  # of twelve: those before the fourth result
    assert codes(found) == {"alias-written"}


def test_a_child_that_is_killed_is_named(tmp_path):
    text = START + (
        "import os, signal\npid = os.fork()\nif not pid:\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.waitpid(pid, 0)\n"
    )
    main, child = traced(tmp_path, text)["processes"]
    assert (main["ended"], child["ended"], child["parent"]) == (True, False, main["pid"])


@pytest.mark.parametrize("options", [(), ("--follow",)])
def test_a_sub_interpreter_is_as_without(tmp_path, options):
    text = START + (
        "try:\n    import _interpreters as i\nexcept ImportError:\n    import _xxsubinterpreters as i\n"
        "i.run_string(i.create(), 'import sys; print(sys.path, [m for m in sys.modules if \"tensorb\" in m])')\n"
        "torch.from_numpy(np.ones(3))\n"
    )
    alone, under = bare_cold(tmp_path, script(tmp_path, text)), under_cold(tmp_path, *options, "program.py")
    assert (alone.returncode, alone.stderr) == (0, "")
    assert under.stdout == alone.stdout
    assert "sitecustomize" not in under.stderr
    assert len(record(tmp_path)["processes"]) == 1


def test_a_fork_that_runs_another_program_is_no_child_of_ours(tmp_path):
    text = "import subprocess; subprocess.run(['true'], preexec_fn=lambda: None)"
    assert len(traced(tmp_path, text)["processes"]) == 1


@pytest.mark.parametrize("number", [20, 100, 1000, 6000])
@pytest.mark.parametrize("conversion", ["from_numpy", "refused"])
def test_a_killed_program_loses_few_of_its_calls(number, conversion):
    tracer = Tracer(plan(""), None)
    tracer.hook_all()
    put_down = []
    tracer.recorder.due = lambda now: put_down.append(tracer.recorder.calls())
    tracer.recorder.next_due = 0  # it is always time
    array = np.ones(3)[:: -1 if conversion == "refused" else 1]
    for _ in range(number):
        with suppress(ValueError):
            torch.from_numpy(array)
    tracer.restore()
    assert tracer.recorder.calls() == number
    assert put_down[-1] >= number - min(number // 16, 256)
    assert len(put_down) < 100 + number / 256


def full(line, path):
    raise OSError(28, "No space left on device")


def test_counts_that_are_lost_are_said_once(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(hooks, "_add", full)
    tracer = Tracer(plan(""), str(tmp_path))
    tracer.name()
    tracer.name()
    said = f"tensorbridge: the counts of process {os.getpid()} are lost: [Errno 28] No space left on device\n"
    assert capfd.readouterr().err == said


def test_a_process_that_outlives_the_trace_says_nothing(tmp_path, capfd):
    tracer = Tracer(plan(""), str(tmp_path / "counts"))
    tracer.name()
    assert capfd.readouterr().err == ""


def test_a_file_in_the_place_of_standard_error_stays_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(hooks, "_add", full)
    tracer = Tracer(plan(""), str(tmp_path))
    kept = os.dup(2)
    with open(tmp_path / "data", "wb") as file:
        os.dup2(file.fileno(), 2)
    try:
        tracer.name()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert (tmp_path / "data").read_bytes() == b""


def test_a_program_that_removes_the_folder_is_said_to(tmp_path):
    text = "import glob, os, shutil, tempfile\nfor path in glob.glob(tempfile.gettempdir() + '/tensorbridge-*'):\n"
    text += "    if glob.glob(f'{path}/{os.getpid()}-*'):\n        shutil.rmtree(path)\n        print(path)\n"
    done = under_cold(tmp_path, script(tmp_path, text))
    folder = done.stdout.strip()
    assert done.stderr.startswith(f"Error: the counts are lost: {folder} was removed while the program ran.\n")
    assert not os.path.exists(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGPIPE])
def test_a_program_that_is_killed_at_once_is_named(tmp_path, number):
    code = f"import os, signal; signal.signal({number:d}, signal.SIG_DFL); os.kill(os.getpid(), {number:d})"
    done = run("trace", "-c", code)
    assert done.returncode == -number
    assert "main was killed: its calls were not recorded\n" in done.stderr


def test_a_process_that_becomes_another_has_ended(tmp_path):
    text = START + (
        "import os, sys\nfor i in range(5):\n    torch.tensor(np.ones(3))\n"
        "if not os.fork():\n    torch.tensor(np.ones(3))\n    os.execlp('true', 'true')\nos.wait()\n"
        "os.execv(sys.executable, [sys.executable, '-c', '1'])\n"
    )
    found = traced(tmp_path, text)
    assert [(process["calls"], process["ended"]) for process in found["processes"]] == [(5, True), (1, True)]
    assert missed(found) == ["1 Python process that it started"]


STARTS = {
    "subprocess": ("import subprocess, sys\nfor i in range(3):\n    subprocess.run([sys.executable, '-c', '1'])", 3),
    "posix_spawn": ("import subprocess, sys; subprocess.run([sys.executable, '-c', '1'], close_fds=False)", 1),
    "others": ("import subprocess; subprocess.run(['true']); subprocess.run('true', shell=True)", 0),
    "nothing": ("import os; os.fork() or os._exit(0); os.wait()", 0),
    "in a fork": (
        "import os, subprocess, sys\nif not os.fork():\n    subprocess.run([sys.executable, '-c', '1'])\n"
        "else:\n    os.wait()",
        1,
    ),
    "spawn": (
        "import multiprocessing as m\nif __name__ == '__main__':\n    p = HOW.Process()\n    p.start(); p.join()",
        1,
    ),
    "forkserver": (
        "import multiprocessing as m\nif __name__ == '__main__':\n    ps = [HOW.Process() for i in range(2)]\n"
        "    [p.start() for p in ps]; [p.join() for p in ps]",
        2,
    ),
}


def missed(found):
    return [one["what"] for one in found["not_intercepted"] if one["why"] == "use --follow to trace them"]


@pytest.mark.parametrize("name", STARTS)
def test_a_python_that_is_not_traced_is_said(tmp_path, name):
    text, number = STARTS[name]
    text = text.replace("HOW", f"m.get_context({name!r})")
    said = [f"{number} Python process{'es' * (number > 1)} that it started"] if number else []
    assert missed(traced(tmp_path, text)) == said
    assert missed(traced(tmp_path, text, "--follow")) == []


HIDDEN = {
    "alike": ("'-u', '-X', 'utf8', '-c', '1'], env=os.environ", 0),
    "an option": ("'-X', 'utf8', '-I', '-c', '1']", 1),
    "options together": ("'-uEc', '1']", 1),
    "an environment without it": ("'-c', '1'], env={}", 1),
    "another path": ("'-c', '1'], env={**os.environ, 'PYTHONPATH': 'src'}", 1),
    "a longer path": ("'-c', '1'], env={**os.environ, 'PYTHONPATH': 'src:' + os.environ['PYTHONPATH']}", 0),
    "another way to start": ("'-c', '1'], env={}, close_fds=False", 1),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_python_that_does_not_find_the_recorder_is_said(tmp_path, name):
    arguments, number = HIDDEN[name]
    found = traced(tmp_path, f"import os, subprocess, sys\nsubprocess.run([sys.executable, {arguments})", "--follow")
    said = [one["what"] for one in found["not_intercepted"] if "hides the recorder" in one["why"]]
    assert said == ["1 Python process that it started"] * number


def test_which_executable_is_a_python(tmp_path):
    script(tmp_path, "#!/usr/bin/env python3\n", "command")
    script(tmp_path, "#!/bin/sh\n", "python3-config")
    assert is_python([b"none/python3", sys.executable])
    assert is_python([str(tmp_path / "command")])
    assert not is_python([str(tmp_path / "python3-config")])
    assert not is_python(["none/python3"])


FAILURES = {
    "a program": "import subprocess, sys; subprocess.run([sys.executable, '\\0'])",
    "a fork's program": "import subprocess\ndef f(): 1 / 0\nsubprocess.run(['true'], preexec_fn=f)",
    "becoming another": "import os, sys\ntry:\n    os.execlp('none', 'none')\nfinally:\n    os.execv('none', ['none'])",
    "a result": (
        "import concurrent.futures as c, multiprocessing as m, threading\n"
        "with c.ProcessPoolExecutor(1, m.get_context('fork')) as p:\n"
        "    f = p.submit(threading.Lock)\n    c.wait([f])\n    f.result()"  # raised elsewhere if it had to wait
    ),
    "names": "import os, subprocess; from multiprocessing.queues import SimpleQueue as Q\n"
    "print(subprocess._fork_exec.__name__, Q.put.__qualname__, os.posix_spawn.__module__, repr(os.posix_spawn))",
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_program_does_not_notice(tmp_path, name):
    program = script(tmp_path, FAILURES[name])
    alone, done = bare_cold(tmp_path, program), under_cold(tmp_path, program)
    assert (done.stdout, done.stderr, done.returncode) == (alone.stdout, alone.stderr, alone.returncode)
    assert record(tmp_path)["exit_code"] == alone.returncode
