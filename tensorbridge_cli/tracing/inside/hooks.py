"""Hook each conversion, in the program's own process, and write down at its end what was counted.

The plan, a file that ``launch`` writes, says what to hook. A library's functions are hooked as soon as its import is
over, before the program's next line. What is counted in C stays where and what it is. In place of any other function a
stand-in is put: ``from torch import from_numpy`` gets it, while what the library bound for itself before is left.
"""

from __future__ import annotations

import atexit
import errno
import os
import sys
import time
import types
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from functools import partial
from typing import Any

from tensorbridge_cli.tracing import FOLDER, GATE, PLAN, is_installed
from tensorbridge_cli.tracing.inside import counting
from tensorbridge_cli.tracing.inside.classify import classifier
from tensorbridge_cli.tracing.inside.frames import warned_file
from tensorbridge_cli.tracing.inside.history import History
from tensorbridge_cli.tracing.inside.imports import Imports, is_lazy, is_over, loaded
from tensorbridge_cli.tracing.inside.methods import Methods
from tensorbridge_cli.tracing.inside.own_code import users_code
from tensorbridge_cli.tracing.inside.processes import Processes
from tensorbridge_cli.tracing.inside.recorder import Recorder
from tensorbridge_cli.tracing.inside.records import Counts, Hook, ProcessFacts, TracePlan, Versions, encode, read_plan
from tensorbridge_cli.tracing.inside.replacements import Replacements
from tensorbridge_cli.tracing.inside.sites import CountedSite
from tensorbridge_cli.tracing.inside.torch_internals import let_script_through, watch_compilation, watch_storages

FIRST, SHARE = 0.25, 20
"""Seconds until the counts are first put down for the case that the program is killed, and the share of the running
time (one part in so many) between that and the next, which is also the most that it costs."""

_CORES = {"numpy": ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"), "torch": ("torch._C",)}
"""The module of each library that is there when the library is, and not a stub that is called like it."""

_NUMPY_AND_TORCH = frozenset(_CORES)

LONG = 1_000_000
"""Bytes of counts that are put down before the file is begun anew."""


def begin(environ: MutableMapping[str, str], start: str) -> None:
    """Trace the program that this process is about to run; ``start`` is the folder that put this on its path."""
    folder, gate = environ[FOLDER], environ.pop(GATE, None)
    if gate is not None:  # this process, and not one that it started
        begins = os.read(int(gate), 1)
        os.close(int(gate))
        if not begins:
            os._exit(1)
    with open(os.path.join(folder, PLAN), "rb") as file:
        plan = read_plan(file.read())
    if not plan.follow:  # the program's own children, and what it sees of its environment, are as without
        del environ[FOLDER]
        before = environ["PYTHONPATH"].partition(start)[2].removeprefix(os.pathsep)
        if before or plan.python_path_was_empty:
            environ["PYTHONPATH"] = before
        else:
            del environ["PYTHONPATH"]
    tracer = Tracer(plan, folder)
    tracer.watch_imports()
    tracer.watch_end()
    if gate is not None:
        tracer.name()


class Tracer:
    """The hooks of one process and what they count.

    Args:
        plan: What to hook and whose code counts, as ``launch.plan`` makes it.
        folder: Where the counts go.
    """

    def __init__(self, plan: TracePlan, folder: str | None) -> None:
        self._plan, self._folder = plan, folder
        self._stand_ins: dict[tuple[str, int], Any] = {}
        self._imports = Imports()
        self._hooked: set[str] = set()
        self._stopped = False
        self.missing: list[str] = []
        self.fixed: list[str] = []
        self._began = time.time()
        self._clock = time.perf_counter()
        self._process = "main"
        self._written = self._complained = self._watches_end = False
        self._standard_error = _standard_error()
        self._put_last: tuple[str, int] | None = None
        self._processes = Processes(self._put_down_changes, self._put_down_last, follow=plan.follow)
        self.observes_methods = False
        self.recorder = Recorder(users_code(plan.include, plan.omit, plan.program), plan.depth)
        self._replacements = Replacements(self.recorder)
        self._history: History | None = None
        self._methods = Methods(self.recorder, plan.methods)

    # putting and taking away

    def watch_imports(self) -> None:
        """Hook each library when the program imports it, and at once where something did before it began."""
        for name, hook in self._libraries().items():
            self._imports.watch(name, partial(self._hook, name, hook), self.recorder.pause, again=True)
            if is_over(name):  # a .pth file runs before a sitecustomize
                with self.recorder.pause():
                    self._hook(name, hook)
                    self._rebind()

    def _libraries(self) -> dict[str, Callable[[], None]]:
        """Return what hooks each library, by the module after whose import its functions are there."""
        others = dict.fromkeys(hook.module for hook in self._plan.hooks if hook.package not in _NUMPY_AND_TORCH)
        return {
            "numpy": self.hook_numpy,
            "torch": self.hook_torch,
            **{module: partial(self._put_all, module) for module in others},
        }

    def _hook(self, name: str, hook: Callable[[], None]) -> None:
        """Call ``hook``; what goes wrong is not a failure of the program: ``unhooked`` tells of it."""
        if self._stopped:
            return
        with suppress(Exception):
            hook()
            self._hooked.add(name)
            if self._watches_end:  # should the program die, the versions that it ran on are known
                self.name()

    def unhooked(self) -> list[str]:
        """Return the libraries that this process has loaded and whose calls are not seen."""
        hooked = set() if self._stopped else self._hooked
        unhooked = [
            name
            for name, cores in _CORES.items()
            # an import that failed leaves only the core behind
            if name not in hooked and name in sys.modules and not sys.modules.keys().isdisjoint(cores)
        ]
        others = self._libraries().keys() - _NUMPY_AND_TORCH - hooked
        return [*unhooked, *sorted(name for name in others if _is_library_itself(name))]

    def hook_numpy(self) -> None:
        """Hook numpy, whose import is over."""
        import numpy

        torch = sys.modules.get("torch") if "torch" in self._hooked else None
        self._set_readers(numpy, torch)
        self._put_all("numpy")
        if "numpy" not in self._hooked:
            self._watch_warnings()
            self._imports.watch("warnings", self._watch_warnings, again=True)
        self.observes_methods = self._methods.watch(numpy)

    def hook_torch(self) -> None:
        """Hook torch, whose import is over; numpy is there with it."""
        import numpy
        import torch

        self._set_readers(numpy, torch)
        self._put_all("torch")
        if "torch" not in self._hooked:
            let_script_through(torch, self.recorder, self._replacements)
            watch_storages(torch, self.recorder, self._replacements, self._moved)
            watch_compilation(self._imports, self.recorder, self._replacements, self._stop)

    def _stop(self) -> None:
        """Have everything called as without, in a program that would run otherwise: ``unhooked`` tells of it."""
        self._stopped = True
        self._put_back()

    def _moved(self, site: CountedSite, cdata: int, before: int) -> None:
        if self._history is not None:
            self._history.moved(site, cdata, before)

    def hook_all(self) -> None:
        """Hook all, in a program that runs already, and wherever its modules bound their functions by name.

        Without PyTorch, that is NumPy.
        """
        self.recorder.paused = True
        for name, hook in self._libraries().items():
            if name in _NUMPY_AND_TORCH:
                try:
                    hook()
                except ModuleNotFoundError as error:
                    if error.name != "torch":
                        raise
                else:
                    self._hooked.add(name)
            elif is_over(name):
                self._hook(name, hook)
            else:
                self._imports.watch(name, partial(self._hook, name, hook), self.recorder.pause, again=True)
        self._rebind()
        self.recorder.paused = False

    def _rebind(self) -> None:
        """Give the stand-ins to modules that bound the functions by name before; the libraries' own are left."""
        stand_ins = self._replacements.stand_ins()
        libraries = {"tensorbridge_cli", "warnings", *(hook.package for hook in self._plan.hooks)}
        for module in list(sys.modules.values()):
            if not isinstance(module, types.ModuleType) or is_lazy(module):
                continue
            if module.__name__.partition(".")[0] in libraries:
                continue
            for name, value in list(vars(module).items()):
                if id(value) in stand_ins:
                    self._replacements.replace(module, name, value, stand_ins[id(value)])

    def restore(self) -> None:
        """Put everything back as it was."""
        self.recorder.paused = True
        self._put_back()
        self._end()

    def _put_back(self) -> None:
        self._methods.leave()
        self._imports.leave()
        self._replacements.restore()
        self.recorder.leave()

    def _end(self) -> None:
        """Inspect once more what was made, and then hold nothing of the program's."""
        with suppress(Exception):
            if self._history is not None:
                self._history.finish()
        self.recorder.end()

    def _set_readers(self, numpy: Any, torch: Any) -> None:
        self.recorder.classify = classifier(numpy, torch)
        counting.learn(self.recorder, numpy, torch)
        self._history = History(numpy, torch, self.recorder.ours)
        self.recorder.study = self._history.inspect

    def _put_all(self, module: str) -> None:
        for hook in self._plan.hooks:
            for path in hook.paths if hook.module == module else ():
                *between, name = path.removeprefix(f"{module}.").split(".")
                try:
                    owner: Any = sys.modules[module]
                    for part in between:
                        owner = getattr(owner, part)
                    original = getattr(owner, name)
                except AttributeError:
                    self.missing.append(hook.conversion)
                    continue
                if id(original) in self.recorder.originals:  # the library was executed again, and left this one alone
                    continue
                self._put_one(hook, owner, name, original)

    def _put_one(self, hook: Hook, owner: Any, name: str, original: Any) -> None:
        stand_in = self._stand_ins.get((hook.conversion, id(original)))
        if stand_in is None:
            stand_in = self.recorder.stand_in(original, hook)
            self._stand_ins[hook.conversion, id(original)] = stand_in
        if stand_in is original:
            return
        try:
            self._replacements.replace(owner, name, original, stand_in)
        except TypeError:  # a method of a class that is written in C, where that is not counted in C
            self.fixed.append(hook.conversion)

    def _watch_warnings(self) -> None:
        """Count the warnings that a conversion gives, as they are shown, and have them name the program's file."""
        import warnings

        shown: Callable[[Any], None] = warnings._showwarnmsg  # type: ignore[attr-defined]
        busy = self.recorder.busy

        def show(message: Any) -> None:
            message.filename = warned_file(message.filename)
            site = busy()
            if site is not None:
                first, _, _ = str(message.message).partition("\n")
                text = f"{message.category.__name__}: {first[:200]}"
                site.warned[text] = site.warned.get(text, 0) + 1
            shown(message)

        self._replacements.replace(warnings, "_showwarnmsg", shown, show)

    # the end

    def watch_end(self) -> None:
        """Write the counts at the end of this process and of its forks, however Python ends it."""
        self._watches_end = True
        atexit.register(self.write)
        self._watch_exit()
        self.recorder.due, self.recorder.next_due = self._put_down, time.perf_counter() + FIRST
        self._processes.watch()
        for name, after in self._processes.after_imports().items():
            self._imports.watch(name, after)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)

    def _watch_exit(self) -> None:
        """Let ``os._exit``, with which children of ``multiprocessing`` end, write first."""
        leave = os._exit

        def _exit(status: int) -> None:
            with suppress(Exception):
                self.write()
            leave(status)

        _exit.__module__, _exit.__qualname__ = leave.__module__, leave.__qualname__
        os._exit = _exit  # type: ignore[assignment]

    def _forked(self) -> None:
        """Begin anew."""
        self.recorder.forget()
        if self._history is not None:
            self._history.forget()
        self._began, self._clock, self._written = time.time(), time.perf_counter(), False
        self._process = "fork"
        self.recorder.next_due = self._clock + FIRST
        becomes_another = self._processes.becomes_another
        self._processes.forget()
        if not becomes_another:
            self.name()

    def name(self) -> None:
        """Put down that this process is there: if it is killed, that is said."""
        self._write(ended=False)

    def _put_down(self, now: float) -> None:
        self.recorder.next_due = float("inf")  # for other threads
        self._write(ended=False)
        took = time.perf_counter() - now
        self.recorder.next_due = now + max(FIRST, (now - self._clock) / SHARE, took * SHARE)

    def _put_down_changes(self) -> None:
        if self._put_last != (self._name(), self.recorder.calls()):
            self._write(ended=False)

    def _put_down_last(self) -> None:
        self._write(ended=True)

    def write(self) -> None:
        """Write the counts of this process, once its end is known."""
        if not self._written:
            self._end()
            self._write(ended=True)
            self._written = True

    def _write(self, *, ended: bool) -> None:
        if self._folder is None:
            return
        path = os.path.join(self._folder, f"{os.getpid()}-{int(self._began * 1e6)}.jsonl")
        try:
            self._put_last = self._name(), self.recorder.calls()
            _add(encode(self.counted(ended=ended)), path)
        except Exception as error:  # a full disk, or a fault of the tool's own, is not a failure of the program
            # what outlives the trace has no folder and no reader; a daemon may have made descriptor 2 a file of its own
            is_over = not os.path.isdir(self._folder)
            if is_over or self._complained or _standard_error() != self._standard_error:
                return
            self._complained = True
            with suppress(OSError):
                os.write(2, f"tensorbridge: the counts of process {os.getpid()} are lost: {error}\n".encode())

    def counted(self, *, ended: bool) -> Counts:
        """Return the counts of this process."""
        numpy, torch = loaded("numpy"), loaded("torch")
        return Counts(
            process=ProcessFacts(
                pid=os.getpid(),
                parent=os.getppid(),
                name=self._name(),
                began=self._began,
                seconds=time.perf_counter() - self._clock,
                ended=ended,
            ),
            environment=Versions(python=sys.version.partition(" ")[0], numpy=_version(numpy), torch=_version(torch)),
            missing=sorted(set(self.missing)),
            fixed=sorted(set(self.fixed)),
            unhooked=self.unhooked(),
            observes_methods=self.observes_methods,
            compiled=counting.is_compiled(),
            unrecorded=self.recorder.unrecorded,
            missed=self._processes.missed,
            hidden=self._processes.hidden,
            sites=[site.counts() for site in self.recorder.sites()],
        )

    def _name(self) -> str:
        rank = os.environ.get("RANK")
        if rank is not None and os.environ.get("WORLD_SIZE"):
            return f"rank {rank}"
        processes = sys.modules.get("multiprocessing.process")
        name = processes.current_process().name if processes is not None else "MainProcess"
        return self._process if name == "MainProcess" else str(name)


def _standard_error() -> tuple[int, int] | None:
    """Return what tells the file that descriptor 2 stands for from others; ``None`` if it is closed."""
    try:
        status = os.fstat(2)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _add(line: bytes, path: str) -> None:
    """Add ``line`` to a file, whose last whole line is what counts: to put another in its place waits for the disk."""
    with open(path, "ab", buffering=0) as file:
        if file.tell() < LONG:
            if file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return
    with open(f"{path}.draft", "wb") as file:
        file.write(line)
    os.replace(f"{path}.draft", path)


def _version(module: Any) -> str | None:
    """Return the version of ``module``, which may be a stub that tells none; ``None`` if there is no module."""
    if module is None:
        return None
    try:
        return str(module.__version__)
    except Exception:  # whatever a stub may raise
        return "of unknown version"


def _is_library_itself(name: str) -> bool:
    """Return True if a module that is over is the library, and not a file of the program's that is called like it."""
    if not is_over(name):
        return False
    return is_installed(getattr(sys.modules[name], "__file__", None) or "")
