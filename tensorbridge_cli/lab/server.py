"""The server: the process that imports numpy and torch once, and has children make the experiments.

Imports neither at module level: the command line knows ``Prepared`` for ``--isolation none``.
"""

from __future__ import annotations

import gc
import os
import platform
import re
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from tensorbridge_cli.catalog import constructors, states
from tensorbridge_cli.compat import zip_equal
from tensorbridge_cli.errors import Ended, InternalError, RequestError, TensorbridgeError, UnavailableError
from tensorbridge_cli.lab import huge_pages, interpreter, processes, protocol, wire
from tensorbridge_cli.lab.experiment import Bench, Experiment, Facts, Given
from tensorbridge_cli.lab.protocol import Described, Done, Hello, Resolved, Settings
from tensorbridge_cli.lab.stderr_tail import is_our_own, raised
from tensorbridge_cli.memory import mapping
from tensorbridge_cli.records.enums import Direction, Library, Origin, Stage
from tensorbridge_cli.records.report import Subject

MANY = 64
"""Experiments from which on preparing the memory of the process that forks, a quarter of a second, pays."""

_OLDEST = {"numpy": (1, 24), "torch": (2, 1)}
"""As in the extra of ``pyproject.toml``; there is no newest: what is not known is tried."""

_MAPPED = frozenset({"memory-mapped", "copy-on-write"})


class Prepared:
    """A process that has imported numpy, torch if it is installed, and has run the user's set-up code, once.

    ``imported`` is called before that code.

    Raises:
        UnavailableError: if one of them cannot be imported, or is too old.
        RequestError: if the set-up code failed.
    """

    def __init__(self, bench: Bench, imported: Callable[[], None] = lambda: None) -> None:
        self.bench = bench
        self._unmade = {state.name for state in states.STATES if state.imports}
        collects = gc.isenabled()
        gc.disable()  # importing torch makes many objects and no garbage
        try:
            import numpy as np

            from tensorbridge_cli.pytorch import torch
        except Exception as error:  # a library that torch loads is an OSError where it is missing
            name = getattr(error, "name", None) or "numpy and torch"
            why = interpreter.import_reason(str(error)) or type(error).__name__  # a MemoryError says nothing
            raise UnavailableError(f"cannot import {name}: {why}. {interpreter.advice(None)}") from error
        finally:
            if collects:
                gc.enable()
        for module, name in ((np, "ndarray"), *([(torch, "from_numpy")] if torch is not None else [])):
            if not hasattr(module, name):  # a file of the user's that lies before it on PYTHONPATH
                file = getattr(module, "__file__", None)
                raise UnavailableError(f"import {module.__name__} imported {file}, which is not {module.__name__}.")
            if (reason := too_old(module.__name__, str(getattr(module, "__version__", "")))) is not None:
                raise UnavailableError(reason)
        if bench.folder:  # the user's own modules, after numpy and torch: none of them can stand in for these
            add_folder(bench.folder)
        from tensorbridge_cli.lab import conversion, global_state
        from tensorbridge_cli.lab.run import run

        self._numpy, self._torch, self._run = np, torch, run
        self.encode: Callable[[object], bytes] = wire.encode
        # before the user's set-up code, which may put its own functions in their place
        self._together = _together(np, torch) if torch is not None else None
        conversion.always_warn(True)
        imported()
        process = os.getpid()
        before = global_state.snapshot() if bench.setup else None
        try:
            self._names = conversion.namespace(bench)
        except Ended:
            raise
        except BaseException as error:
            raise RequestError(f"the --setup code raised {raised(error)}") from error
        finally:
            if os.getpid() != process:
                os._exit(0)  # the set-up code forked: the other process goes on
        rebound = (name for name, module in (("np", np), ("torch", torch)) if self._names.get(name) is not module)
        self._replaced = (*rebound, *global_state.replaced(before)) if before is not None else ()

    def name(self, **objects: Any) -> None:
        """Let expressions see ``objects``, too."""
        self._names = {**self._names, **objects}  # and no module of this process keeps them alive

    def use_one_thread(self) -> None:
        """Let torch start no threads; one of a forked process would wait in the OpenMP runtime for its parent's."""
        if self._torch is not None:
            self._torch.set_num_threads(1)

    def hello(self) -> Hello:
        """Return what this process found."""
        from tensorbridge_cli.catalog import dtypes
        from tensorbridge_cli.lab import docstrings

        np, torch = self._numpy, self._torch
        return Hello(
            python=platform.python_version(),
            executable=sys.executable,
            numpy=str(np.__version__),
            torch=None if torch is None else str(torch.__version__),  # a TorchVersion, which is not JSON
            platform=platform.platform(),
            devices=("cpu",) if torch is None else _devices(torch),
            dtypes=tuple(map(_resolved, dtypes.installed())),
            works_together=self._together,
            default_int=np.dtype(int).name,
            default_float=None if torch is None else str(torch.get_default_dtype()).removeprefix("torch."),
            absent_sentences=docstrings.absent(),
            replaced=self._replaced,
        )

    def resolve(self, names: Sequence[str], library: Library | None = None) -> tuple[Resolved, ...]:
        """Return what the installed libraries make of dtype ``names``; see ``Laboratory``."""
        from tensorbridge_cli.catalog import dtypes

        if library is not None:
            return _resolved_by(constructors.CONSTRUCTORS[library], names)
        return tuple(_resolved(dtypes.find(name)) for name in names)

    def rehearse(self, experiments: Sequence[Experiment]) -> Iterator[None]:
        """Do once what each child would have to do at its start: import what is imported at the first use.

        Yields before each step, which may take its time. The cheap conversions of plain subjects do no harm here.
        """
        from tensorbridge_cli.lab import conversion

        yield
        if self._torch is None:
            self._rehearse(Library.NUMPY, "np.copy(x)", states.PLAIN)
        else:
            self._rehearse(Library.NUMPY, "torch.from_numpy(x)", states.PLAIN)
            self._rehearse(Library.TORCH, "x.numpy()", states.PLAIN)
        conversion.prepare(experiments)
        if any(experiment.own_code for experiment in experiments):
            mapping.regions()  # each of its children knows the lines of its map that are as they are here
        yield
        if len(experiments) > MANY and not self.bench.folder:  # in which a file of the user's may have msgspec's name
            self.encode = wire.encoder_of_many()
        self._before_forks(len(experiments))

    def imports_much(self, experiment: Experiment) -> bool:
        """Return True for an experiment in a state whose making imports much, if none was made in this process."""
        return not self._unmade.isdisjoint(states.words(experiment.subject.state))

    def rehearse_states(self, experiments: Sequence[Experiment]) -> None:
        """Make each state of ``experiments`` once whose making imports much."""
        for state in sorted({word for experiment in experiments for word in states.words(experiment.subject.state)}):
            if state in self._unmade:
                self._unmade.remove(state)
                self._rehearse(Library.TORCH, "x.detach()", state)
        self._before_forks(len(experiments))

    def _before_forks(self, count: int) -> None:
        gc.freeze()  # a child's collection must not touch, and so copy, the parent's pages
        if count > MANY:
            huge_pages.collapse()

    def _rehearse(self, library: Library, code: str, state: str) -> None:
        subject = Subject(
            library=library,
            shape=(2, 2),
            dtype="float32",
            layout="contiguous",
            state=state,
            device="cpu",
            origin=Origin.GENERATED,
        )
        experiment = Experiment(
            conversion=code,
            direction=Direction.NUMPY_TO_TORCH,
            code=code,
            setup="",
            subject=subject,
            given=None,
            to_dtype=None,
            snapshot=0,
        )
        self.run(experiment, lambda stage, facts: None)

    def describe(self, given: Given, what: str = "") -> Described:
        """Build the user's object once and describe it; see ``Laboratory``. ``what``: what a sentence calls it."""
        from tensorbridge_cli.lab import conversion, guard
        from tensorbridge_cli.memory import carriers, describe, values
        from tensorbridge_cli.memory.parts import nbytes

        if not what:
            what = f"the {given.origin} {given.text!r}" if given.origin is Origin.OBJECT else f"the {given.origin}"
        try:
            obj = conversion.give(given, self._names)
        except (TensorbridgeError, Ended):
            raise
        except BaseException as error:
            raise RequestError(f"{what} raised {raised(error)}") from error
        try:
            subject = given.subject or describe.detect(obj, given.origin, given.text)
            if given.file is not None and not given.file.mapped:  # the map is ours, and not what a user's np.load gives
                subject = replace(subject, state=states.join(states.words(subject.state) - _MAPPED))
        except TypeError as error:
            raise RequestError(f"{what} cannot be converted: {error}.") from error
        except (TensorbridgeError, Ended):
            raise
        except BaseException as error:
            if is_our_own(error):
                raise
            raise RequestError(f"{what} cannot be converted: its own code raised {raised(error)}.") from error
        if (
            subject.dtype == "object"
            and carriers.carrier_of(obj) is not None
            and values.differing(values.read(obj) or (), values.read(obj) or ())
        ):
            raise RequestError(f"{what} cannot be converted: each read of its elements gives other objects.")
        if given.replica is None and (reason := guard.refusal(obj)) is not None:
            raise RequestError(f"{what}: {reason}.")
        return Described(subject, nbytes(obj))

    def run(self, experiment: Experiment, announce: Callable[[Stage, Facts], None]) -> Done:
        """Make one experiment in this process."""
        return self._run(experiment, self.bench, self._names, announce)


def too_old(name: str, version: str) -> str | None:
    """Say that a version of a library is older than the oldest that is inspected; None if it is not, or unreadable."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) >= _OLDEST[name]:
        return None
    return f"{name} {version} is too old: {name} {'.'.join(map(str, _OLDEST[name]))} is the oldest that is supported."


def _devices(torch: Any) -> tuple[str, ...]:
    """Return the devices that tensors can be on."""
    accelerators = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        accelerators.append("mps")
    return ("cpu", "meta", *accelerators)


def _together(np: Any, torch: Any) -> str | None:
    """Return what an array's way to a tensor and back raises; a torch built for another NumPy says so only then."""
    try:
        torch.from_numpy(np.zeros(1)).numpy()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def _resolved(installed: object) -> Resolved:
    from tensorbridge_cli.catalog.dtypes import InstalledDtype

    assert isinstance(installed, InstalledDtype)
    dtype = installed.numpy if installed.numpy is not None else installed.torch
    assert dtype is not None
    return Resolved(installed.name, tuple(installed.libraries), installed.byte_swapped, dtype.itemsize)


def _resolved_by(constructor: constructors.Constructor, names: Sequence[str]) -> tuple[Resolved, ...]:
    """Return what a library makes of its own dtype ``names``. Children that are forked later have it imported.

    Raises:
        RequestError: for one that it has not.
        UnavailableError: if it cannot be imported.
    """
    from tensorbridge_cli.catalog import dtypes

    try:
        exec(constructor.imports, {})  # noqa: S102 - the catalogue's own code
    except Exception as error:  # one that was built for another NumPy raises what it likes
        missing = isinstance(error, ModuleNotFoundError) and error.name == constructor.package
        absent = f"it is not installed: pip install {constructor.distribution}"
        why = absent if missing else interpreter.import_reason(str(error)) or type(error).__name__
        raise UnavailableError(f"cannot import {constructor.package} in {sys.executable}: {why}.") from error
    arrays = [dtypes.find(constructor.dtypes[constructor.dtype(name)]).numpy for name in names]
    return tuple(
        Resolved(name, (constructor.library,), False, array.itemsize if array is not None else 1)
        for name, array in zip_equal(names, arrays)
    )


def add_folder(folder: str) -> None:
    """Let modules of the user's in ``folder`` be imported: behind the standard library, before what is installed.

    A ``random.py`` or ``queue.py`` there would otherwise stand in for the one that a library imports later.
    """
    standard = os.path.dirname(os.__file__)
    inside = [place for place, path in enumerate(sys.path) if os.path.dirname(path) == standard or path == standard]
    own = [place for place in inside if os.path.basename(sys.path[place]) not in ("site-packages", "dist-packages")]
    sys.path.insert(max(own, default=-1) + 1, folder)


Streams = tuple[BinaryIO, BinaryIO]


def streams() -> list[Streams]:
    """Return the streams of the commands and of the replies, opened by the cookie, and those of a copy of the process.

    See ``connection.Kept``. There are none for a copy where descriptors cannot be handed over.
    """
    cookie, numbers = bytes.fromhex(sys.argv[1]), list(map(int, sys.argv[2:]))
    if numbers[0] == 0:  # where no other descriptors can be handed over
        numbers = [os.dup(0), os.dup(1)]
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)  # what the user's code prints is not an answer
    for descriptor in numbers:
        os.set_inheritable(descriptor, False)
    pairs: list[Streams] = [
        (os.fdopen(numbers[n], "rb"), os.fdopen(numbers[n + 1], "wb")) for n in range(0, len(numbers), 2)
    ]
    writer = pairs[0][1]
    writer.write(cookie)  # what was printed before it, by a sitecustomize or a .pth file, is skipped
    writer.flush()
    return pairs


def serve() -> None:
    """Answer commands until there are none; the server's main program."""
    (reader, writer), *spare = streams()
    settings: Settings = protocol.receive(reader, Settings)
    settings = replace(settings, bench=_here(settings.bench))
    code = _UNSAID
    try:
        _serve(settings, (reader, writer), spare)
        code = 0
    except TensorbridgeError as error:
        protocol.send(writer, protocol.Failed(str(error), error.exit_code))
        code = 0
    except BrokenPipeError:
        code = 0
    except BaseException as error:
        traceback.print_exc()
        protocol.send(writer, _broken(settings, error))
        code = 0
    finally:
        if not processes.has_fork():
            shutil.rmtree(settings.bench.scratch, ignore_errors=True)
        os._exit(code)  # the keeper ends what is left


_UNSAID = 1
"""The exit code of a server that could not say why it ends: set-up code has closed its pipe, or taken ``len`` away."""


def _uses_jax() -> bool:
    """Return True if JAX has started its threads: the first computation of a process that is forked then hangs.

    Seen with JAX 0.10. To import it starts none.
    """
    bridge: Any = sys.modules.get("jax._src.xla_bridge")
    started = getattr(bridge, "backends_are_initialized", None)
    return started is not None and bool(started())


def _here(bench: Bench) -> Bench:
    """Return ``bench`` with folders that are there: the command may run on another machine, or outside a container."""
    scratch = bench.scratch if bench.scratch.is_dir() else Path(tempfile.gettempdir())
    folder = bench.folder if not bench.folder or os.path.isdir(bench.folder) else os.getcwd()
    return replace(bench, scratch=scratch, folder=folder)


def _broken(settings: Settings, error: BaseException) -> protocol.Failed:
    """Say that this process cannot go on, and whose fault that is."""
    if isinstance(error, (OSError, MemoryError)):
        kind: type[TensorbridgeError] = UnavailableError
    else:
        kind = RequestError if settings.bench.setup else InternalError
    after = " after the --setup code" if settings.bench.setup else ""
    return protocol.Failed(f"the process that runs the experiments failed{after}: {raised(error)}.", kind.exit_code)


def _serve(settings: Settings, own: Streams, spare: Sequence[Streams]) -> None:
    from tensorbridge_cli.lab.pool import Pool

    reader, writer = own
    alive = wire.encode(protocol.Alive())

    def beat() -> None:
        protocol.send_on(writer, alive)

    prepared = None
    if settings.isolation == "fork":
        # where there is set-up code the command line wants to know when it begins
        prepared = Prepared(
            settings.bench, lambda: protocol.send(writer, protocol.Response()) if settings.bench.setup else None
        )
        processes.keep_ended_children()
        if _uses_jax():
            raise RequestError(
                "the --setup code uses JAX, whose threads the forked workers would not have: only import it there and "
                "create arrays in --expr, or use --isolation spawn."
            )
    pool = Pool(settings, prepared, [stream.fileno() for pair in (own, *spare) for stream in pair])
    protocol.send(writer, protocol.Response(hello=prepared.hello()) if prepared else pool.ask(protocol.Greet(), beat))
    while (command := protocol.receive(reader, protocol.Command)) is not None:
        try:
            if isinstance(command, protocol.Fork):
                reader, writer = _fork((reader, writer), *spare)
                pool = Pool(settings, prepared, (reader.fileno(), writer.fileno()))
            elif isinstance(command, protocol.Run):
                for bodies in pool.work(command):
                    protocol.send_on(writer, *(bodies or (alive,)))
            elif isinstance(command, protocol.Resolve) and prepared:
                protocol.send(writer, protocol.Response(resolved=prepared.resolve(command.names, command.library)))
            else:
                protocol.send(writer, pool.ask(command, beat))
        except TensorbridgeError as error:  # noqa: PERF203 - a command takes far longer
            protocol.send(writer, protocol.Failed(str(error), error.exit_code))


def _fork(own: Streams, spare: Streams) -> Streams:
    """Make a copy of this process; return the streams of either one, and close those of the other."""
    parent = os.getpid()
    if processes.fork():
        ours, theirs = own, spare
    else:
        processes.end_with_parent(parent)
        ours, theirs = spare, own
    for stream in theirs:
        stream.close()
    return ours
