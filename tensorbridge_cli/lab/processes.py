"""What no code that runs in a child may escape: sessions, what ends with whom, and the keeper that ends all.

The chain is command line, keeper, server, children. Each has a session of its own, so that ``os.kill(0, …)`` and
``os.killpg`` reach no other. The keeper has forked the server before anything was imported and does nothing but wait:
when the command line closes its standard input, or is gone, when the server ends or is stopped by a signal, it kills
all that descends from it. On Linux it is the *subreaper* of these: what calls ``setsid`` or forks twice becomes its
child when the parent ends, and so cannot leave. (A process group was tried before: ``setsid`` leaves it. A control
group would do the same, and needs rights.) Elsewhere what forked twice is not seen.

Standard library only, nothing of torch: the keeper starts with it. ``psutil`` is asked where a system has no ``/proc``,
if it is installed.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Collection
from typing import Any

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIND_PACKAGE = (
    "import sys; sys.path[:] = [place for place in sys.path if place]; "
    f"sys.path.insert(0, {_ROOT!r}); import tensorbridge_cli; sys.path.append(sys.path.pop(0))"
)
"""Code that imports this very package in another interpreter: no other that is installed, and nothing beside it.

The current folder is off the path: a file of the user's that is named numpy.py is not numpy.
"""

SAFE_PATH = ("-P",) if sys.version_info >= (3, 11) else ()
"""The option by which newer Pythons leave the current folder off the path before anything is imported."""

STOPPED = 128 + 19
"""The keeper's exit code where it ended a server that a signal had stopped."""

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def has_fork() -> bool:
    """Return True if processes can be forked here, and so be kept."""
    return hasattr(os, "fork")


def fork() -> int:
    """Fork; a newer Python's warning of threads is left out: torch's sleep while the child, which has one, runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return os.fork()


def pipe() -> tuple[int, int]:
    """Return the two ends of a pipe, neither with the number of a standard stream; no program inherits them.

    If the tool was started with a closed one (``tensorbridge inspect <&-``, some supervisors do that), the system gives
    its number to the next descriptor, and the process that is started has its own stream there.
    """
    import fcntl  # Windows has none, and needs no such pipe

    ends = os.pipe()
    try:
        return fcntl.fcntl(ends[0], fcntl.F_DUPFD_CLOEXEC, 3), fcntl.fcntl(ends[1], fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        for end in ends:
            os.close(end)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(parent: int) -> None:
    """Let the kernel kill this process when ``parent``, which forked it, ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before that was said
        os._exit(0)


def keep_ended_children() -> None:
    """Have each child wait to be asked how it ended, though set-up code has ignored ``SIGCHLD`` or handles it."""
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def reset_signals() -> None:
    """Set the signals as a fresh interpreter has them, whatever was ignored or blocked where the tool was started."""
    with contextlib.suppress(AttributeError):
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals():
        usual: dict[str, Any] = {
            "SIGINT": signal.default_int_handler,
            "SIGPIPE": signal.SIG_IGN,
            "SIGXFSZ": signal.SIG_IGN,
        }
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, usual.get(signal.Signals(number).name, signal.SIG_DFL))


def kill_group(pid: int) -> None:
    """Kill a process and its group, where it leads one."""
    for kill in (getattr(os, "killpg", os.kill), os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def descendants(pid: int) -> list[int]:
    """Return the processes that descend from ``pid``."""
    descending, pending = [], [pid]
    parents = _parents()
    while pending:
        parent = pending.pop()
        below = [child for child, its_parent in parents.items() if its_parent == parent]
        descending += below
        pending += below
    return descending


def _parents() -> dict[int, int]:
    """Return the parent of each process that runs."""
    parents = {}
    if sys.platform == "linux":
        for name in os.listdir("/proc"):
            if name.isdecimal():
                with contextlib.suppress(OSError, ValueError), open(f"/proc/{name}/stat", "rb") as file:
                    # the name of the program, in brackets, may have brackets and spaces itself
                    parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
        return parents
    try:
        import psutil
    except ImportError:  # in an inspected environment
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], stdout=subprocess.PIPE, check=False)  # noqa: S607
        pairs = (line.split() for line in listed.stdout.splitlines())
        return {int(pid): int(parent) for pid, parent in pairs}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            parents[process.pid] = process.ppid()
    return parents


def children() -> set[int]:
    """Return this process's own children."""
    with contextlib.suppress(OSError):  # the kernel's own list, where it keeps one
        threads = os.listdir("/proc/self/task")
        pids: set[int] = set()
        for thread in threads:
            with open(f"/proc/self/task/{thread}/children") as listed:
                pids.update(map(int, listed.read().split()))
        return pids
    me = os.getpid()
    return {pid for pid, parent in _parents().items() if parent == me}


def kill_orphans(spared: Collection[int]) -> None:
    """Kill the children of this process that are not ``spared``, and what descends from them."""
    for _ in range(1000):
        orphans = children() - set(spared)
        if not orphans:
            return
        for pid in orphans:
            kill_group(pid)
        for pid in orphans:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def keep(scratch: str, marker: str | None, is_away: bool = False) -> None:
    """Fork; return in the child, which is to be the server, and wait for its end in the keeper.

    The keeper removes the folder ``scratch`` when the command line closes standard input, as it does when it is killed,
    if the file ``marker`` is there: a command line that starts another keeper removes that before. Without a ``marker``
    the folder was made where the keeper is, and nobody else removes it. In an inspected environment (``is_away``)
    commands come through standard input, of which the keeper sees the end alone.
    """
    keeper, end = os.getpid(), _CLOSED if is_away else select.POLLIN
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    server = os.fork()
    if server == 0:
        signal.set_wakeup_fd(-1)
        os.close(woken)
        os.close(wakes)
        os.setsid()
        if not is_away:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        end_with_parent(keeper)
        reset_signals()
        adopt_orphans()
        return
    _close_but(0, 1, 2, woken, wakes)  # what is left open here would not end for who reads its other side
    if is_away:
        os.dup2(2, 1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # who wants this one gone closes its standard input
    adopt_orphans()
    code = _wait(server, woken, end)
    if marker is None or (_has_ended(end) and os.path.exists(marker)):
        shutil.rmtree(scratch, ignore_errors=True)
    if code < 0:  # end as the server did
        leave_no_core()
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _close_but(*kept: int) -> None:
    """Close the descriptors of this process that are not ``kept``."""
    for number in set(map(int, os.listdir("/dev/fd"))) - set(kept):
        with contextlib.suppress(OSError):  # the folder's own
            os.close(number)


def _has_ended(end: int) -> bool:
    """Return True if standard input has ended: the server, which reads it, too, may have ended for that first."""
    poll = select.poll()
    poll.register(0, end)
    return bool(poll.poll(0))


_CLOSED = getattr(select, "POLLRDHUP", 0)
"""What says that nobody writes any more, whatever is left to read; for a pipe the system says it unasked."""


def _wait(server: int, woken: int, end: int) -> int:
    """Wait until the server ends, or is not wanted any more; leave nothing, and return what this process ends with.

    ``end`` is what tells of the latter on standard input.
    """
    poll = select.poll()
    poll.register(0, end)
    poll.register(woken, select.POLLIN)
    status = None
    while status is None:
        ready = [descriptor for descriptor, _ in poll.poll()]
        if woken in ready:
            os.read(woken, 4096)
        if 0 in ready:
            break
        status = _ended(server)
    if status is None or os.WIFSTOPPED(status):
        for pid in descendants(server) if sys.platform != "linux" else ():  # they would be lost with it
            kill_group(pid)
        kill_group(server)
    _end_all()
    if status is None or os.WIFSTOPPED(status):
        return STOPPED if status is not None else 0
    if os.WIFSIGNALED(status):
        return -os.WTERMSIG(status)
    return os.waitstatus_to_exitcode(status)


def _ended(server: int) -> int | None:
    """Return how the server ended or was stopped; ``None`` if it runs. Orphans that ended are reaped."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:
            return 0
        if pid == 0:
            return None
        if pid == server:
            return status


def _end_all() -> None:
    """Kill children until there are none: with each that ends, its own become ours."""
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        for pid in children():
            kill_group(pid)
        time.sleep(0.001)


def leave_no_core() -> None:
    """Leave no core dump."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def close_inherited(folder: str, name: str, others: Collection[int]) -> None:
    """Close what a child has inherited of the server's: the files called ``name`` below ``folder``, and ``others``."""
    descriptors = set(others)
    with contextlib.suppress(OSError):
        for number in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                path = os.readlink(f"/proc/self/fd/{number}").removesuffix(" (deleted)")
                if path.startswith(folder) and os.path.basename(path) == name:
                    descriptors.add(int(number))
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
