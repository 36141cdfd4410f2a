"""Build a fresh source, and call the conversion on it: code of the catalogue's, or of the user's."""

from __future__ import annotations

import functools
import sys
import time
import types
import warnings
from collections.abc import Iterable
from typing import Any, Literal

from tensorbridge_cli.catalog import dtypes
from tensorbridge_cli.catalog.layouts import CannotBuildError
from tensorbridge_cli.catalog.registry import missing
from tensorbridge_cli.errors import Ended
from tensorbridge_cli.lab import guard
from tensorbridge_cli.lab.experiment import Bench, Experiment, Facts, Given
from tensorbridge_cli.lab.guard import Guard
from tensorbridge_cli.lab.stderr_tail import message_of, raised
from tensorbridge_cli.memory import describe
from tensorbridge_cli.memory.arrays import SETUP_MODULE
from tensorbridge_cli.pytorch import torch
from tensorbridge_cli.records.enums import Library, Origin
from tensorbridge_cli.records.report import Raised, Warned
from tensorbridge_cli.subjects import files, generate

Namespace = dict[str, Any]


def namespace(bench: Bench) -> Namespace:
    """Return the names that expressions see, after the user's set-up code ran in them."""
    # a module, as classes ask for that of their names: a dataclass for its annotations, pickle for the class itself
    module = types.ModuleType(SETUP_MODULE)
    if bench.setup:
        sys.modules[module.__name__] = module
    names = vars(module)
    names.update(generate.libraries())
    # an import from __future__ of this file is not the user's
    exec(compile(bench.setup, "<string>", "exec", dont_inherit=True), names)  # noqa: S102 - given for this
    return names


def give(given: Given, names: Namespace) -> Any:
    """Return the user's object afresh.

    Raises:
        BaseException: whatever opening the file or the user's code raises.
    """
    if given.origin is Origin.FILE:
        assert given.file is not None
        return files.load(given.file)
    if given.origin is Origin.EXPRESSION:
        return eval(_compiled(given.text), names)  # noqa: S307 - the user's own code, given for this
    if given.replica is not None:
        from tensorbridge_cli.subjects import replica

        return replica.build(given.replica)
    module, _, path = given.text.partition(":")
    target = functools.reduce(getattr, path.split("."), __import__(module, fromlist=["_"]))
    return target() if isinstance(target, (types.FunctionType, types.MethodType, functools.partial)) else target


def always_warn(always: bool) -> None:
    """Let warnings that are given once in a process be given each time, or not.

    Otherwise a row would depend on what ran before it. torch has two such switches: one for its C++ code, and one for
    the deprecated typed storage.
    """
    if torch is None:
        return
    torch.set_warn_always(always)
    if hasattr(torch.storage, "_set_always_warn_typed_storage_removal"):
        torch.storage._set_always_warn_typed_storage_removal(always)  # type: ignore[no-untyped-call]


def build(experiment: Experiment, bench: Bench, names: Namespace) -> tuple[Any, Any, Guard | None]:
    """Return the subject, what must stay alive beside it, and what was made private for a user's own."""
    if experiment.given is None:
        return *generate.generate(experiment.subject, bench.scratch), None
    try:
        source = give(experiment.given, names)
    except Ended:
        raise
    except BaseException as error:
        raise CannotBuildError(f"building the source raised {raised(error)}") from error
    if type(source) is bytes:
        # a constant of the user's code, or an object of a module: what is written is another one with its bytes
        source = bytes(bytearray(source))
    if experiment.given.replica is not None:
        return source, None, None
    try:
        return source, None, guard.protect(source, bench.scratch)
    except PermissionError as error:
        raise CannotBuildError(str(error)) from error


@functools.lru_cache(maxsize=256)
def _compiled(code: str, mode: Literal["eval", "exec"] = "eval") -> types.CodeType:
    return compile(code.strip(), "<tensorbridge>", mode, dont_inherit=True)


def prepare(experiments: Iterable[Experiment]) -> None:
    """Compile the catalogue's code, and look up what it needs of the two libraries, for all processes forked later."""
    known = {(experiment.code, experiment.needs) for experiment in experiments if not experiment.own_code}
    for code, needs in known:
        _compiled(code)
        if needs.startswith(("np.", "torch.")):  # another library is imported where it is used, as that may fail
            missing(needs)


def scope_of(experiment: Experiment, names: Namespace, source: Any) -> Namespace:
    """Return the names that the conversion's code sees."""
    scope = {**names, "x": source}
    if experiment.to_dtype is not None:
        dtype = dtypes.find(experiment.to_dtype)
        scope["dtype"] = dtype.torch if experiment.direction.target is Library.TORCH else dtype.numpy
    try:
        _compiled(experiment.code)
        if experiment.setup:
            exec(_compiled(experiment.setup, "exec"), scope)  # noqa: S102 - the registry entry's own code
    except Ended:
        raise
    except BaseException as error:
        raise CannotBuildError(f"the code of {experiment.conversion} itself raised {raised(error)}") from error
    return scope


def convert(experiment: Experiment, scope: Namespace, facts: Facts) -> Any:
    """Call the conversion; note its time, its warnings and what it raised."""
    code = _compiled(experiment.code)
    result = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        try:
            result = eval(code, scope)  # noqa: S307 - the registry entry's own code
        except Ended:
            raise
        except BaseException as error:
            if _is_mistake(experiment, error):
                raise CannotBuildError(f"the code of {experiment.conversion} itself raised {raised(error)}") from error
            facts.error = Raised(type=describe.type_name(error), message=message_of(error))
        facts.seconds = time.perf_counter() - start
    facts.warnings = tuple(Warned(category=w.category.__name__, message=message_of(w.message)) for w in caught)
    return result


def _is_mistake(experiment: Experiment, error: BaseException) -> bool:
    """Return True if an entry of the user's own names what is not there: no conversion was refused then."""
    if not experiment.own_code or (experiment.given is not None and experiment.given.is_code):
        return False
    unknown = isinstance(error, AttributeError) and isinstance(error.obj, types.ModuleType)
    return unknown or isinstance(error, (NameError, ImportError, SyntaxError))


def go_on(experiment: Experiment, names: Namespace, source: Any, result: Any, facts: Facts) -> Any:
    """Run the statement that follows the conversion; note what it raised, and return what ``x`` is after it."""
    scope = {**names, "x": source, "y": result}
    try:
        exec(_compiled(experiment.then, "exec"), scope)  # noqa: S102 - the experiment's own code
    except Ended:
        raise
    except BaseException as error:
        facts.error = Raised(type=describe.type_name(error), message=message_of(error))
    return scope["x"]
