"""A warm Python: does what ``python ARGUMENTS`` does, in forks of a process that has imported numpy and torch.

To import torch takes seconds of a core; a fork of a process that has done it takes a hundredth of one. ``tests.warm``
starts one such process for the tests of a session, and asks it here: a request a line, as JSON; the answer is the exit
code, or the number of a process that goes on: the server of a laboratory, which is a child of the tests' process. The
servers of a command, those of a ``warm`` environment of ``tests.environments`` among them, and the programs that it
traces, are forks, too: ``_Popen`` starts them.

Not for a test of how a process starts or of what has been imported.
"""

import atexit
import builtins
import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import types
import warnings

import numpy  # noqa: F401
import torch._subclasses.fake_tensor  # noqa: F401 - and torch

import tensorbridge_cli
from tensorbridge_cli.lab import huge_pages, processes
from tensorbridge_cli.tracing import FOLDER, START
from tensorbridge_cli.tracing.inside.frames import not_counted_file
from tests import REACHED
from tests.environments import WARM
from tests.warm import COLD_PROGRAM, FINALISED, is_as_cold

_ALSO = ("html", "psutil", "rich.live", "rich.progress", "rich.table", "typer._adapters", "xml.etree.ElementTree")
"""What the commands import when they run."""
_NO_MATTER = ("-P", "-B")
"""Options of Python that a fork need not have: where modules are looked for is set anew, and no bytecode is tested."""
_REAL = subprocess.Popen
_STREAMS = sys.stdin, sys.stdout, sys.stderr, sys.__stdin__, sys.__stdout__, sys.__stderr__
"""Held, as what a stream has not written yet is written when it is collected."""


class _Popen(_REAL):
    """Starts the tool's servers and the programs that it traces as forks of this process, and all else as processes."""

    def _execute_child(self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *others):
        env = os.environ if env is None else env
        if not (isinstance(args, list) and (_is_server(args, env) or _is_traced(args, env))):
            env = {name: value for name, value in env.items() if name != COLD_PROGRAM}
            super()._execute_child(args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *others)
            return
        _, _, _, p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, *_, start_new_session, _ = others
        self.pid = os.fork()
        if self.pid == 0:
            with _no_return():
                if start_new_session:
                    os.setsid()
                for number, descriptor in enumerate((p2cread, c2pwrite, errwrite)):
                    if descriptor != -1:
                        os.dup2(descriptor, number)
                _close(lambda number: number not in pass_fds if close_fds else not os.get_inheritable(number))
                processes.reset_signals()
                if preexec_fn is not None:
                    preexec_fn()
                if args[0] != sys.executable:
                    _become(args[0])
                _execute([text for text in args[1:] if text not in _NO_MATTER], dict(env))
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)


def _is_server(args, env):
    ours = args[:3] == [sys.executable, "-P", "-c"]
    return (ours or os.path.exists(os.path.join(os.path.dirname(args[0]), WARM))) and is_as_cold(env, os.environ)


def _is_traced(args, env):
    if FOLDER not in env or COLD_PROGRAM in env or args[0] != sys.executable:
        return False
    first = env.get("PYTHONPATH", "").partition(os.pathsep)[0]
    what = next(text for text in args[1:] if text not in _NO_MATTER and not text.startswith("-W"))
    plain = not what.startswith("-") or what in ("-c", "-m")
    return first == START and plain and is_as_cold(env, os.environ)


def _become(program):
    """Be the interpreter of another environment, which has the same numpy and torch, and nothing of the tool."""
    sys.executable = program
    sys.prefix = sys.exec_prefix = os.path.dirname(os.path.dirname(program))
    sys.path[:] = [place for place in sys.path if place.startswith(sys.base_prefix)]
    sys.path.append(sysconfig.get_path("purelib", vars={"base": sys.prefix}))
    _forget_the_tool()
    with contextlib.suppress(ModuleNotFoundError):
        import sitecustomize  # noqa: F401 - the environment's


@contextlib.contextmanager
def _no_return():
    """End a fork whatever happens in it: it must not go on as its parent does."""
    try:
        yield
    finally:
        os._exit(70)


def _close(is_closed):
    for number in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):
            if number > 2 and is_closed(number):
                os.close(number)


def _execute(arguments, environment):
    """Do what ``python ARGUMENTS`` does from its start to its end; the descriptors and the folder are set."""
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    encoding, _, errors = environment.get("PYTHONIOENCODING", "").partition(":")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, f"__{name}__")
        stream = os.fdopen(
            number,
            "w" if number else "r",
            buffering=1 if number == 2 else -1,
            encoding=encoding or before.encoding,
            errors=("backslashreplace" if number == 2 else errors or "strict") if encoding else before.errors,
            closefd=False,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    options = [text for text in environment.get("PYTHONWARNINGS", "").split(",") if text]
    while arguments[0].startswith("-W"):
        options.append(arguments.pop(0).removeprefix("-W"))
    if options:
        sys.warnoptions[:] = options
        warnings._processoptions(options)
    code = 0
    try:
        if FOLDER in environment:
            _forget_the_tool()
        if path := environment.get("PYTHONPATH"):
            sys.path[:0] = path.split(os.pathsep)
            with contextlib.suppress(ModuleNotFoundError):
                import sitecustomize  # noqa: F401 - as Python does: the tool's, or the user's
        _main(arguments)
    except SystemExit as end:
        code = end.code
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_globals is globals():
            trace = trace.tb_next
        sys.excepthook(type(error), error, trace)
        code = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    if code == -signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    if FINALISED in environment:
        ctypes.pythonapi.Py_Exit((code or 0) & 0xFF)
    os._exit((code or 0) & 0xFF)


def _forget_the_tool():
    """A traced program has nothing of the tool but what it is given."""
    subprocess.Popen = _REAL
    for name in list(sys.modules):
        if name.partition(".")[0] in ("tensorbridge_cli", "tests"):
            del sys.modules[name]


def _main(arguments):
    kind, *rest = arguments
    sys.orig_argv = [sys.executable, *arguments]
    sys.modules["__main__"] = main = types.ModuleType("__main__")
    main.__builtins__ = builtins
    if kind == "-m":
        sys.argv = ["-m", *rest[1:]]
        sys.path.insert(0, os.getcwd())
        runpy._run_module_as_main(rest[0])
        return
    if kind == "-c":
        sys.argv = ["-c", *rest[1:]]
        sys.path.insert(0, "")
        text, name = rest[0], "<string>"
    else:
        sys.argv = [kind, *rest]
        sys.path.insert(0, os.path.dirname(os.path.realpath(kind)))
        main.__file__ = name = os.path.abspath(kind)
        with open(kind, "rb") as file:
            text = file.read()
    exec(compile(text, name, "exec", dont_inherit=True), main.__dict__)


def _answer(arguments, folder, environment, streams):
    """Run the program with files as its standard streams; return its exit code as ``subprocess`` does."""
    child = os.fork()
    if child == 0:
        with _no_return():
            os.chdir(folder)
            for number, path in enumerate(streams):
                opened = os.open(path, os.O_RDWR)
                os.dup2(opened, number)
                os.close(opened)
            _close(lambda number: True)
            processes.reset_signals()
            _execute(arguments, environment)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _start(arguments, folder, environment, descriptors, owner):
    """Start the program in a session of its own as a child of the process ``owner``; return its number.

    ``owner`` adopts orphans meanwhile: the process between, which forks the program, ends at once. The program goes on
    when that is done, as it may ask who its parent is. ``descriptors`` are the program's own numbers, those of
    ``owner``, and how they are open.
    """
    opened = {number: os.open(f"/proc/{owner}/fd/{theirs}", access) for number, theirs, access in descriptors}
    (number_read, number_written), (read, written) = os.pipe(), os.pipe()
    between = os.fork()
    if between == 0:
        with _no_return():
            if pid := os.fork():
                os.write(number_written, str(pid).encode())
                os._exit(0)
            os.read(read, 1)
            _replace_descriptors(opened)
            os.setsid()
            os.chdir(folder)
            processes.reset_signals()
            _execute([text for text in arguments if text not in _NO_MATTER], environment)
    os.waitpid(between, 0)
    os.write(written, b".")
    pid = int(os.read(number_read, 32))
    for number in (number_read, number_written, read, written, *opened.values()):
        os.close(number)
    return pid


def _replace_descriptors(opened):
    """Have what is ``opened`` under its numbers, and nothing else but the standard streams."""
    beyond = max(3, *opened) + 1
    moved = {number: fcntl.fcntl(descriptor, fcntl.F_DUPFD, beyond) for number, descriptor in opened.items()}
    _close(lambda number: number not in moved.values())
    for number, descriptor in moved.items():
        os.dup2(descriptor, number)
        os.close(descriptor)


def serve():
    """Answer requests until there are none."""
    processes.leave_no_core()
    for module in pkgutil.walk_packages(tensorbridge_cli.__path__, "tensorbridge_cli."):
        if not module.name.endswith(".__main__") and ".inside." not in module.name:
            importlib.import_module(module.name)
    for name in _ALSO:
        importlib.import_module(name)
    if REACHED in os.environ:
        importlib.import_module("tests.reached").prepare()
    gc.freeze()
    huge_pages.collapse()  # a fork has fewer pages to copy the table of
    subprocess.Popen = _Popen
    del sys.path[0]  # the folder of the tests
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    for line in requests:
        request = json.loads(line)
        print(json.dumps((_start if "owner" in request else _answer)(**request)), file=answers, flush=True)


for _function in (serve, _answer, _execute, _main):  # the callers of a traced program are the program's alone
    _function.__code__ = _function.__code__.replace(co_filename=not_counted_file(__file__))
