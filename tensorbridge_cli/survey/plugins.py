"""The conversions of plugins: modules named by ``--plugin``, and those that installed packages declare.

A package declares a module as an entry point of the group ``tensorbridge.plugins``. Each module is imported in a
process of its own; see ``lab.plugins``, which is imported where there is a plugin: ``list`` and ``explain`` start fast.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
from collections.abc import Callable

from tensorbridge_cli.catalog import registry
from tensorbridge_cli.errors import RequestError

GROUP = "tensorbridge.plugins"
_PATIENCE = 10.0
"""Seconds that an installed plugin may take to be imported."""

_loaded: dict[str, None] = {}


def loaded() -> tuple[str, ...]:
    """Return what is loaded: ``mylib 1.2 (mylib.conversions)`` for an installed plugin, the name of another module."""
    return tuple(_loaded)


@functools.cache
def load(modules: tuple[str, ...], timeout: float, python: str | None) -> None:
    """Register the conversions that the modules declare, from the current folder too.

    Raises:
        RequestError: if one cannot be imported, or declares what is not a conversion.
    """
    if modules:
        from tensorbridge_cli.lab import interpreter, plugins

        for entry in plugins.load(modules, os.getcwd(), timeout, interpreter.chosen(python)):
            registry.register(entry)
        _loaded.update(dict.fromkeys(modules))


@functools.cache
def load_installed(note: Callable[[str], None]) -> None:
    """Register the conversions of the plugins that are installed with tensorbridge, once in a process.

    A plugin that is broken is left out; ``note`` is told why.
    """
    for point in _installed():
        from tensorbridge_cli.lab import plugins

        package = f"{point.dist.name} {point.dist.version}" if point.dist else point.name
        try:
            for entry in plugins.load([point.module], "", _PATIENCE):
                registry.register(entry)
        except (RequestError, ValueError) as error:
            why = str(error).removeprefix(f"--plugin {point.module!r}").lstrip(": ")
            note(f"the plugin {point.module} of {package} is left out: {why}")
        else:
            _loaded[f"{package} ({point.module})"] = None


@functools.cache
def leave_installed(named: tuple[str, ...], note: Callable[[str], None]) -> None:
    """Tell ``note``, once in a process, which installed plugins are not loaded; those that are ``named`` will be."""
    left = [point.module for point in _installed() if point.module not in named]
    if left:
        options = " ".join(f"--plugin {module}" for module in left)
        note(f"installed plugins are not loaded with --python; to load them from that environment: {options}")


def _installed() -> list[importlib.metadata.EntryPoint]:
    return sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: point.module)
