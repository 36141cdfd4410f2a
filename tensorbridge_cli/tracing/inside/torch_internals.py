"""What of torch runs, copies or rewrites a program's code in its own way: TorchScript, ``torch.compile``, storages."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from tensorbridge_cli.tracing.inside.imports import Imports, is_over
from tensorbridge_cli.tracing.inside.processes import around
from tensorbridge_cli.tracing.inside.recorder import Recorder
from tensorbridge_cli.tracing.inside.replacements import Replacements
from tensorbridge_cli.tracing.inside.sites import CountedSite

_TRACED_BY_JIT = (
    ("", "_create_function_from_trace"),
    ("", "_create_function_from_trace_with_dict"),
    ("", "_create_graph_by_tracing"),
    ("ScriptModule", "_create_method_from_trace"),
)
"""What in ``torch._C``, or in a class there, runs a function to write down what it does."""


def let_script_through(torch: Any, recorder: Recorder, replacements: Replacements) -> None:
    """Let ``torch.jit.script`` know a function behind its stand-in, and ``torch.jit.trace`` run without any.

    Tracing writes down whatever is asked of a tensor.
    """
    builtins = torch.jit._builtins
    known = builtins._find_builtin

    def find_builtin(function: Any) -> Any:
        return known(recorder.originals.get(id(function), function))

    replacements.replace(builtins, "_find_builtin", known, find_builtin)
    for within, name in _TRACED_BY_JIT:
        owner = getattr(torch._C, within) if within else torch._C
        if hasattr(owner, name):
            replacements.replace(owner, name, getattr(owner, name), replacements.without(getattr(owner, name)))


def watch_storages(
    torch: Any, recorder: Recorder, replacements: Replacements, moved: Callable[[CountedSite, int, int], None]
) -> None:
    """Notice that a storage is copied whole, or moved: nothing that is called on the tensor itself tells of it.

    ``copy.deepcopy`` of a view copies the storage that it is a view of. A tensor that is put on a queue of
    ``torch.multiprocessing``, handed to a worker, or shared with ``share_memory_`` is moved to shared memory. ``moved``
    is told the site, the storage's ``_cdata``, and the address that it had.
    """
    kind = torch.UntypedStorage

    @contextmanager
    def moving(storage: Any, *args: Any, **kwargs: Any) -> Iterator[None]:
        before, frame = storage.data_ptr(), sys._getframe(3)
        yield
        with suppress(Exception):
            if not recorder.paused and before and storage.data_ptr() != before:
                site = recorder.moved_storage(frame, storage.nbytes(), "Tensor.share_memory_")
                moved(site, storage._cdata, before)

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
            replacements.replace(kind, name, original, around(original, meanwhile))


def watch_compilation(
    imports: Imports, recorder: Recorder, replacements: Replacements, stop: Callable[[], None]
) -> None:
    """Teach ``torch.compile`` what a stand-in stands for: what it compiles is not counted, and not otherwise.

    These are private parts of torch, other ones in each version. Where they are not as here, ``stop`` is called: a
    program that torch compiles would run otherwise with stand-ins.
    """

    def watch() -> None:
        from torch._dynamo import convert_frame, guards
        from torch._dynamo.eval_frame import skip_code
        from torch._dynamo.variables.builder import VariableBuilder

        def compile_without(*args: Any, **kwargs: Any) -> Any:
            with replacements.swapped(in_place=False):
                return compiled(*args, **kwargs)

        def guard(*args: Any, **kwargs: Any) -> None:
            with replacements.swapped(in_place=True):  # what will be there when the guards are asked
                guarded(*args, **kwargs)

        def build(builder: Any, value: Any) -> Any:
            return built(builder, recorder.originals.get(id(value), value))

        # first what may fail: until then torch is as it was
        _leave_package_alone(__name__.partition(".")[0])
        manager: Any = guards.CheckFunctionManager
        compiled, guarded, built = convert_frame._compile, manager.__init__, VariableBuilder.__call__
        convert_frame._compile, manager.__init__ = compile_without, guard
        VariableBuilder.__call__ = build  # type: ignore[assignment, method-assign]
        recorder.leave_alone(skip_code)

    def watch_or_stop() -> None:
        try:
            watch()
        except Exception:
            stop()

    @contextmanager
    def without() -> Iterator[None]:
        with replacements.swapped(in_place=False), recorder.pause():
            yield

    imports.watch("torch._dynamo", watch_or_stop, without)
    if is_over("torch._dynamo"):
        with without():
            watch_or_stop()


def _leave_package_alone(package: str) -> None:
    """Have torch compile no code of ``package``, and look up its own functions while no stand-in is in their place."""
    add = _private("trace_rules", "add") or _private("skipfiles", "add")  # before torch 2.3
    assert add is not None
    add(package)
    # before torch 2.2 only the second is there, and then both for a while
    by_name = _private("trace_rules", "get_torch_obj_rule_map")
    by_id = _private("allowed_functions", "_allowed_function_ids")
    for look_up in filter(None, (by_name, by_id)):
        look_up()


def _private(module: str, name: str) -> Any:
    """Return what a private module of ``torch._dynamo`` has by ``name``; ``None`` in a version without it."""
    try:
        return getattr(import_module(f"torch._dynamo.{module}"), name, None)
    except ImportError:
        return None
