"""From the options of a command to a format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tensorbridge_cli.cli import terminal
from tensorbridge_cli.cli.options import Options
from tensorbridge_cli.errors import RequestError, one_of
from tensorbridge_cli.render import FORMATS, Format, format_for


def chosen_format(given: Options, text: str = "table", formats: Sequence[Format] = FORMATS) -> str:
    """Return the format asked for; else, or if the file was typed and the format was not, the one of its ending.

    ``text`` is the one for people.

    Raises:
        RequestError: if there is no such format, or none has the ending.
    """
    if given.format is not None:
        one_of("--format", given.format, [entry.name for entry in formats])
    if given.output in (None, terminal.STDOUT):
        return given.format or text
    by_ending = format_for(Path(str(given.output)).suffix, formats)
    by_ending = text if by_ending == "table" else by_ending
    if given.format is not None and (by_ending is None or given.where("format") <= given.where("output")):
        return given.format
    if by_ending is None:
        endings = ", ".join(ending for entry in formats for ending in entry.endings)
        raise RequestError(f"--output {given.output!r}: unknown extension (known: {endings}); specify --format.")
    return by_ending
