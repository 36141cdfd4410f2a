"""Odd ``--setup`` code, and an environment that lacks something: rows, or one sentence with its exit code."""

import functools
import subprocess

import pytest

from tests.cli.tools import COMMAND, environment, rows, run, said
from tests.warm import python

ENDED = "the --setup code crashed the process: "
BROKE = "the process that runs the experiments failed after the --setup code: "
DEFINED = "class Odd(Exception):\n    def __str__(self): {}\nraise Odd"


@pytest.mark.parametrize(
    ("setup", "sentence"),
    [
        ("raise SystemExit(3)", "the --setup code raised SystemExit: 3"),
        ("raise KeyboardInterrupt", "the --setup code raised KeyboardInterrupt"),
        ("raise GeneratorExit", "the --setup code raised GeneratorExit"),
        (
            "raise BaseExceptionGroup('many', [SystemExit(1)])",
            "the --setup code raised BaseExceptionGroup: many (1 sub-exception)",
        ),
        (DEFINED.format("raise ValueError"), "the --setup code raised Odd: (its message cannot be read: ValueError)"),
        (DEFINED.format("return 3"), "the --setup code raised Odd: (its message cannot be read: TypeError)"),
        ("raise ValueError('a\\x00\\x1b[31m\\udce9')", "the --setup code raised ValueError: a\\x00\\x1b[31m\\udce9"),
        ("raise type('A\\nB', (Exception,), {})", "the --setup code raised A\\nB"),
        ("def", "the --setup code raised SyntaxError: invalid syntax (<string>, line 1)"),
        ("def f(): f()\nf()", "the --setup code raised RecursionError: maximum recursion depth exceeded"),
        ("import sys; sys.setprofile(lambda *a: 1 / 0)", "the --setup code raised ZeroDivisionError: division by zero"),
        ("import sys; sys.stdout = sys.stderr = open('/dev/full', 'w', 1); print()", "the --setup code raised OSError"),
        ("import os; os._exit(0)", f"{ENDED}exit code 0."),
        ("import os; os.fork() and os._exit(0)", f"{ENDED}exit code 0."),
        ("import os; os.kill(os.getpid(), 9)", f"{ENDED}SIGKILL."),
        ("import os; os.kill(os.getpid(), 19)", f"{ENDED}SIGSTOP."),
        ("import os; os.kill(os.getppid(), 9)", f"{ENDED}SIGKILL."),
        ("import os; os.kill(0, 15)", f"{ENDED}SIGTERM."),
        ("import ctypes; ctypes.string_at(0)", f"{ENDED}SIGSEGV."),
        ("import resource as r; r.setrlimit(r.RLIMIT_CPU, (1, 1))\nwhile True: pass", f"{ENDED}SIGKILL."),
        ("import os; os.closerange(0, 1000)", f"{ENDED}exit code 1."),
        ("import os; os.closerange(3, 1000)", f"{ENDED}exit code 1. OSError: [Errno 9] Bad file descriptor"),
        ("import builtins; del builtins.len", f"{ENDED}exit code 1."),
        ("import json; json.dumps = None", f"{ENDED}exit code 1. TypeError: "),
        ("import os; os.fork = None", f"{BROKE}TypeError: 'NoneType' object is not callable."),
        ("import mmap; mmap.mmap = None", f"{BROKE}TypeError: 'NoneType' object is not callable."),
        ("import sys; sys.modules.clear()", f"{BROKE}"),
        ("import sys; sys.settrace(lambda *a: 1 / 0)", f"{BROKE}ZeroDivisionError: division by zero."),
    ],
)
def test_what_the_code_did_is_one_sentence(setup, sentence):
    assert said(run("inspect", "from_numpy", "--timeout", "20", "--setup", setup), 2).startswith(sentence)


@pytest.mark.parametrize(
    ("setup", "sentence"),
    [
        ("import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (4, 4))", "Too many open files"),
        ("import resource as r; r.setrlimit(r.RLIMIT_AS, (1 << 20, 1 << 20))", "Cannot allocate memory"),
        ("import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (0, 0))", "File too large"),
        (
            "import os\nos.register_at_fork(after_in_child=lambda: os._exit(7))",
            "exited before it started: exit code 7.",
        ),
        ("import os\nos.fork = lambda: 0", "the process that runs the experiments has exited: exit code 1."),
    ],
)
def test_what_the_code_leaves_too_little_of_is_one_sentence(setup, sentence):
    assert sentence in said(run("inspect", "from_numpy", "--timeout", "20", "--setup", setup), 3)


@pytest.mark.parametrize(
    "setup",
    [
        "import os; os.close(1); os.close(2)",
        "import sys; sys.stdout = sys.stderr = None",
        "import sys; sys.stdout = sys.stderr = object()",
        "import os, tempfile; gone = tempfile.mkdtemp(); os.chdir(gone); os.rmdir(gone)",
        "import os, shutil; shutil.rmtree(os.environ['TMPDIR'])",
        "import os; os.environ.clear()",
        "import os; os.umask(0o777)",
        "import threading; threading.Thread(target=threading.Event().wait).start()",
        "import signal; [signal.signal(s, signal.SIG_IGN) for s in signal.valid_signals() - {9, 19}]",
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())",
        "import sys; sys.path.clear(); sys.meta_path.clear()",
        "import gc; gc.callbacks.append(lambda *a: 1 / 0)",
        "import os; os.register_at_fork(before=lambda: 1 / 0, after_in_child=lambda: 1 / 0)",
        "import warnings; warnings.simplefilter('error')",
        "import os; os.fork()",
        "import sys; print('x' * 10_000_000); sys.stderr.write('y' * 10_000_000)",
    ],
)
def test_what_does_no_harm_is_none(setup):
    done = run("inspect", "from_numpy", "tensor", "--format", "tsv", "--timeout", "20", "--setup", setup)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("\tshared\t" in done.stdout, "\tcopied\t" in done.stdout) == (True, True)


@pytest.mark.parametrize(
    ("setup", "replaced"),
    [
        ("np = torch = 3", "np, torch"),
        (
            "import functools\ndef no(x): raise TypeError\ntorch.from_numpy = functools.wraps(torch.from_numpy)(no)",
            "torch.from_numpy",
        ),
    ],
)
def test_no_page_is_held_against_what_the_code_replaced(setup, replaced):
    reason = f"the --setup code replaced {replaced}"
    contract = rows("from_numpy", "--setup", setup)["torch.from_numpy"]["contract"]
    assert contract["verdict"] == "undocumented"
    assert {clause["reason"] for clause in contract["clauses"]} == {reason}
    assert f"so nothing could fail ({reason}): specify" in said(run("check", "from_numpy", "--setup", setup), 2)


# What the environment lacks ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "value", "sentence"),
    [
        ("RLIMIT_NOFILE", 5, "Error: system error: Too many open files"),
        ("RLIMIT_NOFILE", 10, "Error: system error: Too many open files"),
        ("RLIMIT_FSIZE", 100 << 10, "Error: cannot start a worker process: [Errno 27] File too large"),
    ],
)
def test_a_starved_command_is_one_sentence(limit, value, sentence):
    resource = pytest.importorskip("resource")
    done = subprocess.run(
        [*COMMAND, "inspect", "from_numpy"],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        preexec_fn=functools.partial(resource.setrlimit, getattr(resource, limit), (value, value)),
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1


def test_how_a_process_ended_is_known_though_the_code_ignores_the_end_of_children():
    ignored = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
    done = run("inspect", "torch.from_dlpack", "--layout", "reversed", "--setup", ignored)
    assert (done.returncode, done.stderr) == (0, "")
    assert "SIGABRT" in done.stdout


def test_an_import_that_says_nothing_is_told_by_its_type(tmp_path):
    (tmp_path / "numpy.py").write_text("raise MemoryError")  # as where the address space is limited
    sentence = said(run("inspect", "from_numpy", PYTHONPATH=str(tmp_path)), 3)
    assert sentence.startswith("cannot import numpy and torch: MemoryError. ")


@pytest.mark.parametrize("closed", ["0", "0, 1, 2"])
def test_closed_standard_streams_are_given_to_nothing_else(closed):
    script = f"""
import os, sys
answer = os.dup(1)
for number in ({closed},):
    os.close(number)
import tensorbridge_cli as tb
os.write(answer, tb.inspect("from_numpy")[0].outcome.encode())
"""
    assert python("-c", script, env=environment()).stdout == "shared"


def test_classes_of_the_setup_code_are_as_in_a_module_of_ones_own():
    setup = """
import dataclasses, pickle, typing
@dataclasses.dataclass
class Plain:
    data: np.ndarray
@dataclasses.dataclass
class Quoted:
    data: "np.ndarray"
    kind: "typing.ClassVar[int]" = 1
assert Plain.__annotations__["data"] is np.ndarray  # and is no text: nobody has asked for that
assert typing.get_type_hints(Quoted)["data"] is np.ndarray
assert pickle.loads(pickle.dumps(Plain(1))) == Plain(1)
"""
    (row,) = rows("from_numpy", "--setup", setup, "--expr", "Quoted(np.ones(3)).data").values()
    assert row["outcome"] == "shared"
