"""Defaults from ``[tool.tensorbridge]`` of the nearest pyproject.toml, and how to do without."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tensorbridge_cli.errors import RequestError, unknown

PREFIX = "TENSORBRIDGE_"


def nearest(folder: Path) -> Path | None:
    """Return the nearest pyproject.toml in ``folder`` or above it."""
    return next((file for above in (folder, *folder.parents) if (file := above / "pyproject.toml").is_file()), None)


def defaults(commands: dict[str, dict[str, bool]], folder: Path) -> dict[str, dict[str, Any]]:
    """Return the defaults of each command's options.

    A key of the table is an option of any command; a table of a command's name holds for that one. ``commands`` maps
    each command's options to whether they can be given several times.

    Raises:
        RequestError: where the file cannot be read, or names an option that no command has.
    """
    file = nearest(folder)
    if file is None:
        return {}
    import tomllib

    try:
        table = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("tensorbridge", {})
    except (OSError, ValueError) as error:
        raise RequestError(f"cannot read {file}: {error}. --no-config does without it.") from error
    own = {name: values for name, values in table.items() if name in commands and isinstance(values, dict)}
    common = {name: value for name, value in table.items() if name not in own}
    every = {option for options in commands.values() for option in options}
    found: dict[str, dict[str, Any]] = {}
    for command, options in commands.items():
        asked = [(common, every), (own.get(command, {}), set(options))]
        for values, known in asked:
            for key, value in values.items():
                option = key.replace("-", "_")
                if option not in known:
                    shown = sorted(name.replace("_", "-") for name in known)
                    raise RequestError(f"[tool.tensorbridge] in {file}: {unknown('option', key, shown)}")
                if option in options:
                    several = options[option]
                    found.setdefault(command, {})[option] = (
                        [value] if several and not isinstance(value, list) else value
                    )
    return found


def ignore_environment() -> None:
    """Forget the TENSORBRIDGE_ variables, for this process."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
