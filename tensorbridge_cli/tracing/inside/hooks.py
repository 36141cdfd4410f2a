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
import sysconfig
import time
import types
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

from tensorbridge_cli.tracing import FOLDER, GATE, PLAN, is_installed
from tensorbridge_cli.tracing.inside import counting
from tensorbridge_cli.tracing.inside.classify import classifier
from tensorbridge_cli.tracing.inside.history import History
from tensorbridge_cli.tracing.inside.imports import Imports, is_lazy, is_over, loaded
from tensorbridge_cli.tracing.inside.methods import Methods
from tensorbridge_cli.tracing.inside.processes import Processes, around
from tensorbridge_cli.tracing.inside.recorder import Recorder, not_counted, warned_file
from tensorbridge_cli.tracing.inside.records import Counts, Hook, ProcessFacts, TracePlan, Versions, encode, read_plan

FIRST, SHARE = 0.25, 20
"""Seconds until the counts are first put down for the case that the program is killed, and the share of the running
time (one part in so many) between that and the next, which is also the most that it costs."""

_TRACED_BY_JIT = (
    ("", "_create_function_from_trace"),
    ("", "_create_function_from_trace_with_dict"),
    ("", "_create_graph_by_tracing"),
    ("ScriptModule", "_create_method_from_trace"),
)
"""What in ``torch._C``, or in a class there, runs a function to write down what it does."""

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


class _Replaced(NamedTuple):
    """An attribute in whose place a stand-in is put; ``own`` is False for one that the owner inherits."""

    owner: Any
    name: str
    original: Any
    own: bool
    stand_in: Any


class Tracer:
    """The hooks of one process and what they count.

    Args:
        plan: What to hook and whose code counts, as ``launch.plan`` makes it.
        folder: Where the counts go.
    """

    def __init__(self, plan: TracePlan, folder: str | None) -> None:
        self._plan, self._folder = plan, folder
        self._replaced: dict[tuple[int, str], _Replaced] = {}
        self._stand_ins: dict[tuple[str, int], Any] = {}
        self._in_place = True
        self._imports = Imports()
        self._hooked: set[str] = set()
        self.missing: list[str] = []
        self.fixed: list[str] = []
        self._began = time.time()
        self._clock = time.perf_counter()
        self._warnings: Any = None
        self._process = "main"
        self._written = self._complained = self._watches_end = False
        self._standard_error = _standard_error()
        self._put_last: tuple[str, int] | None = None
        self._processes = Processes(self._put_down_changes, self._put_down_last, follow=plan.follow)
        self.observes_methods = False
        self.recorder = Recorder(_owner(plan.include, plan.omit, plan.program), plan.depth)
        self._history: History | None = None
        self._methods = Methods(self.recorder, plan.methods)

    # putting and taking away

    def watch_imports(self) -> None:
        """Hook each library when the program imports it, and at once where something did before it began."""
        for name, hook in self._libraries().items():
            self._imports.watch(name, partial(self._hook, name, hook), self._paused, again=True)
            if is_over(name):  # a .pth file runs before a sitecustomize
                with self._paused():
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
        with suppress(Exception):
            hook()
            self._hooked.add(name)
            if self._watches_end:  # should the program die, the versions that it ran on are known
                self.name()

    def unhooked(self) -> list[str]:
        """Return the libraries that this process has loaded and whose calls are not seen."""
        unhooked = [
            name
            for name, cores in _CORES.items()
            # an import that failed leaves only the core behind
            if name not in self._hooked and name in sys.modules and not sys.modules.keys().isdisjoint(cores)
        ]
        others = self._libraries().keys() - _NUMPY_AND_TORCH - self._hooked
        return [*unhooked, *sorted(name for name in others if _is_library_itself(name))]

    @contextmanager
    def _paused(self) -> Iterator[None]:
        """Count nothing for a while: what a library does for itself when it is imported."""
        before, self.recorder.paused = self.recorder.paused, True
        try:
            yield
        finally:
            self.recorder.paused = before

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
            self._let_script_through(torch)
            self._watch_storages(torch)
            self._watch_compilation()

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
                self._imports.watch(name, partial(self._hook, name, hook), self._paused, again=True)
        self._rebind()
        self.recorder.paused = False

    def _rebind(self) -> None:
        """Give the stand-ins to modules that bound the functions by name before; the libraries' own are left."""
        stand_ins = {id(one.original): one.stand_in for one in self._replaced.values()}
        libraries = {"tensorbridge_cli", "warnings", *(hook.package for hook in self._plan.hooks)}
        for module in list(sys.modules.values()):
            if not isinstance(module, types.ModuleType) or is_lazy(module):
                continue
            if module.__name__.partition(".")[0] in libraries:
                continue
            for name, value in list(vars(module).items()):
                if id(value) in stand_ins:
                    self._replace(module, name, value, stand_ins[id(value)])

    def restore(self) -> None:
        """Put everything back as it was."""
        self.recorder.paused = True
        self._methods.leave()
        self._imports.leave()
        self._swap(False)
        self._replaced.clear()
        self.recorder.leave()
        self._end()

    def _end(self) -> None:
        """Inspect once more what was made, and then hold nothing of the program's."""
        with suppress(Exception):
            if self._history is not None:
                self._history.finish()
        self.recorder.end()

    def _replace(self, owner: Any, name: str, original: Any, stand_in: Any) -> None:
        before = self._replaced.get((id(owner), name))
        own = name in vars(owner) if before is None else before.own
        setattr(owner, name, stand_in)  # what refuses it is not put back later
        self._replaced[id(owner), name] = _Replaced(owner, name, original, own, stand_in)

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
            self._replace(owner, name, original, stand_in)
        except TypeError:  # a method of a class that is written in C, where that is not counted in C
            self.fixed.append(hook.conversion)

    def _let_script_through(self, torch: Any) -> None:
        """Let ``torch.jit.script`` know a function behind its stand-in."""
        builtins = torch.jit._builtins
        known = builtins._find_builtin

        def find_builtin(function: Any) -> Any:
            return known(self.recorder.originals.get(id(function), function))

        self._replace(builtins, "_find_builtin", known, find_builtin)
        for within, name in _TRACED_BY_JIT:
            owner = getattr(torch._C, within) if within else torch._C
            if hasattr(owner, name):
                self._replace(owner, name, getattr(owner, name), self._without(getattr(owner, name)))

    def _watch_storages(self, torch: Any) -> None:
        """Notice that a storage is copied whole, or moved: nothing that is called on the tensor itself tells of it.

        ``copy.deepcopy`` of a view copies the storage that it is a view of. A tensor that is put on a queue of
        ``torch.multiprocessing``, handed to a worker, or shared with ``share_memory_`` is moved to shared memory.
        """
        kind, recorder = torch.UntypedStorage, self.recorder

        @contextmanager
        def moving(storage: Any, *args: Any, **kwargs: Any) -> Iterator[None]:
            before, frame = storage.data_ptr(), sys._getframe(3)
            yield
            with suppress(Exception):
                if not recorder.paused and before and storage.data_ptr() != before:
                    site = recorder.moved_storage(frame, storage.nbytes(), "Tensor.share_memory_")
                    if self._history is not None:
                        self._history.moved(site, storage._cdata, before)

        @contextmanager
        def copying(storage: Any, memo: Any, *args: Any, **kwargs: Any) -> Iterator[None]:
            known = storage._cdata in memo.get("torch", ())  # of a container two parts may be views of it
            yield
            if not known:
                recorder.copied_storage(storage.nbytes())

        for name, meanwhile in (
            ("_share_fd_cpu_", moving),
            ("_share_filename_cpu_", moving),
            ("__deepcopy__", copying),
        ):
            original = getattr(kind, name, None)
            if original is not None:
                self._replace(kind, name, original, around(original, meanwhile))

    def _without(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``function`` as it runs without stand-ins: tracing writes down whatever is asked of a tensor."""

        def without(*args: Any, **kwargs: Any) -> Any:
            with self._swapped(in_place=False):
                return function(*args, **kwargs)

        return not_counted(without)

    def _watch_compilation(self) -> None:
        """Teach ``torch.compile`` what a stand-in stands for: what it compiles is not counted, and not otherwise."""

        def watch() -> None:
            from torch._dynamo import convert_frame, guards, trace_rules
            from torch._dynamo.eval_frame import skip_code
            from torch._dynamo.variables.builder import VariableBuilder

            def compile_without(*args: Any, **kwargs: Any) -> Any:
                with self._swapped(in_place=False):
                    return compiled(*args, **kwargs)

            def guard(*args: Any, **kwargs: Any) -> None:
                with self._swapped(in_place=True):  # what will be there when the guards are asked
                    guarded(*args, **kwargs)

            def build(builder: Any, value: Any) -> Any:
                return built(builder, self.recorder.originals.get(id(value), value))

            manager: Any = guards.CheckFunctionManager
            compiled, guarded, built = convert_frame._compile, manager.__init__, VariableBuilder.__call__
            convert_frame._compile, manager.__init__ = compile_without, guard
            VariableBuilder.__call__ = build  # type: ignore[assignment, method-assign]
            trace_rules.add(__name__.partition(".")[0])
            trace_rules.get_torch_obj_rule_map()  # by name, of the functions themselves
            self.recorder.leave_alone(skip_code)

        @contextmanager
        def without() -> Iterator[None]:
            with self._swapped(in_place=False), self._paused():
                yield

        self._imports.watch("torch._dynamo", watch, without)
        if is_over("torch._dynamo"):
            with without():
                watch()

    @contextmanager
    def _swapped(self, *, in_place: bool) -> Iterator[None]:
        """Have the stand-ins in their places for a while, or the functions themselves, which then are not counted."""
        was, self._in_place = self._in_place, in_place
        if was is in_place:
            yield
            return
        paused, self.recorder.paused = self.recorder.paused, self.recorder.paused or not in_place
        self._swap(in_place)
        try:
            yield
        finally:
            self._in_place = was
            self._swap(was)
            self.recorder.paused = paused

    def _swap(self, in_place: bool) -> None:
        for one in reversed(self._replaced.values()):
            if in_place or one.own:
                setattr(one.owner, one.name, one.stand_in if in_place else one.original)
            else:
                delattr(one.owner, one.name)

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

        self._replace(warnings, "_showwarnmsg", shown, show)

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


_GENERATED = ("<frozen", "<__array_function__", "<attrs", "<eval_with_key>")
"""How the names of code begin that libraries write: the import system, numpy, attrs, torch.fx."""


def _owner(include: Sequence[str], omit: Sequence[str], program: str) -> Callable[[str], bool]:
    """Return what tells whether a file's code is the user's.

    Without ``include`` that is all but Python's own and what is installed; the program that is run is always, with the
    package around it where it is run as a module.
    """
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders.append(os.path.dirname(os.path.dirname(os.path.dirname(__file__))))
    installed = tuple(os.path.realpath(folder) + os.sep for folder in folders)

    def is_users(file: str) -> bool:
        try:
            path = os.path.realpath(file)
        except OSError:  # the current folder is gone
            path = file
        if any(_within(path, place) for place in omit):
            return False
        if include:
            return any(_within(path, place) for place in include)
        if file.startswith("<"):  # -c, a notebook's cell, an exec; not the import system's own
            return not file.startswith(_GENERATED)
        if not (path.startswith(installed) or is_installed(path)):
            return True
        place = _program(program)
        return place is not None and _within(path, place)

    return is_users


def _within(path: str, place: str) -> bool:
    return path == place or path.startswith(place.rstrip(os.sep) + os.sep)


def _program(program: str) -> str | None:
    """Return the file that is run; for ``-m package.module``, the folder of the package; ``None`` if there is no file.

    An empty path would be the current folder, which often has the environment in it (``./.venv``).
    """
    main = sys.modules.get("__main__")
    package: str = getattr(main, "__package__", None) or ""
    folders = list(getattr(sys.modules.get(package.partition(".")[0]), "__path__", []))
    file: str = getattr(main, "__file__", None) or program
    run = folders[0] if folders else file
    return os.path.realpath(run) if run else None


def _is_library_itself(name: str) -> bool:
    """Return True if a module that is over is the library, and not a file of the program's that is called like it."""
    if not is_over(name):
        return False
    return is_installed(getattr(sys.modules[name], "__file__", None) or "")
