"""Modules that register conversions: they are imported in a process of their own, which hands over what they declare.

Such a module may print, exit, hang or start threads: nothing of that reaches the command line, which needs only the
declarations. Their code runs in the children, as that of every conversion does.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Sequence
from typing import Any

from tensorbridge_cli.catalog import registry
from tensorbridge_cli.catalog.entry import Conversion
from tensorbridge_cli.errors import RequestError, TensorbridgeError
from tensorbridge_cli.lab import protocol
from tensorbridge_cli.lab.client import scratch_folder
from tensorbridge_cli.lab.connection import Kept, ServerEndedError
from tensorbridge_cli.lab.interpreter import Interpreter
from tensorbridge_cli.lab.protocol import Declaration
from tensorbridge_cli.lab.server import add_folder, streams
from tensorbridge_cli.lab.stderr_tail import raised
from tensorbridge_cli.lab.wire import Tagged, WireError, convert

_FIELDS = Declaration.__dataclass_fields__


def load(
    modules: Sequence[str], folder: str, timeout: float, python: Interpreter | None = None
) -> tuple[Conversion, ...]:
    """Return what ``modules``, found in ``folder`` too, declare; ``python`` imports them, or the tool's own.

    Raises:
        RequestError: if one cannot be imported, or declares what is not a conversion.
    """
    with scratch_folder() as scratch:
        kept = Kept("from tensorbridge_cli.lab.plugins import serve; serve()", scratch, python)
        try:
            kept.send(protocol.Load(tuple(modules), folder))
            reply = kept.receive(timeout)
        except ServerEndedError as error:
            names = ", ".join(modules)
            if error.how == "no answer":
                limit = f"{timeout:g} seconds; use a longer --timeout"
                raise RequestError(f"--plugin {names!r} was not imported within {limit}.") from error
            raise RequestError(f"--plugin {names!r} crashed the process that imported it: {error}") from error
        finally:
            kept.close()
    assert isinstance(reply, protocol.Declared)
    return tuple(Conversion(**{name: getattr(one, name) for name in _FIELDS}) for one in reply.declarations)


def serve() -> None:
    """Import the modules that are asked for and send what they declare; the main program of the process."""
    (reader, writer), *_ = streams()
    wanted: protocol.Load = protocol.receive(reader, protocol.Load)
    process = os.getpid()
    reply: Tagged
    try:
        if wanted.folder:
            add_folder(wanted.folder)
        for module in wanted.modules:
            _import(module)
        reply = protocol.Declared(tuple(map(_declaration, registry.registered())))
    except TensorbridgeError as error:
        reply = protocol.Failed(str(error), error.exit_code)
    finally:
        if os.getpid() != process:
            os._exit(0)  # a module forked, and this is the other process
    protocol.send(writer, reply)
    os._exit(0)


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    except BaseException as error:
        raise RequestError(f"--plugin {module!r}: {raised(error)}.") from error


def _declaration(entry: Any) -> Declaration:
    try:
        declared: Declaration = convert(
            json.loads(json.dumps({name: getattr(entry, name) for name in _FIELDS})), Declaration
        )
    except (AttributeError, TypeError, WireError) as error:
        name = getattr(entry, "name", entry)
        raise RequestError(f"the conversion {name!r} of a --plugin is not a conversion: {error}.") from error
    return declared
