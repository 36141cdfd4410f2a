"""What was asked for: from the options of a command to a ``Request``, a laboratory and a format."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from tensorbridge_cli.catalog import layouts, registry, states
from tensorbridge_cli.cli import options, started, terminal
from tensorbridge_cli.cli.command import rank
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.lab.client import DEFAULT, Isolation, Laboratory
from tensorbridge_cli.lab.experiment import Given
from tensorbridge_cli.records import renamed
from tensorbridge_cli.records.report import Direction, Origin, Outcome
from tensorbridge_cli.render import FORMATS, Format, format_for

if TYPE_CHECKING:
    from tensorbridge_cli.survey.run import Request


SELECTING = (
    "conversion",
    "code",
    "group",
    "all",
    "shape",
    "dtype",
    "layout",
    "state",
    "device",
    "file",
    "expr",
    "object",
    "to_dtype",
    "direction",
)
"""The options, and the keys of an expectation in a file, that say what is tried."""


def spelled(name: str) -> str:
    """Return how the option called ``name`` is typed."""
    return "CONVERSION" if name == "conversion" else f"--{name.replace('_', '-')}"


def request(context: Any) -> Request:
    """Return the request that the options of the command of ``context`` make; it may lack any of them.

    Raises:
        RequestError: where they make no sense.
    """
    params = context.params
    _load_plugins(tuple(params.get("plugin") or ()), params.get("timeout") or 10.0)
    given, described = _subject(context)
    from tensorbridge_cli.survey.run import Request

    way = params.get("direction") and options.one_of("--direction", params["direction"], (*Direction, "all"))
    layout_names = options.words(described["layout"], "layout", layouts.BY_NAME, layouts.ALIASES)
    state_names = options.words(described["state"], "state", (states.PLAIN, *states.BY_NAME))
    made = Request(
        conversions=options.split(params.get("conversion")) or (),
        code=tuple(dict.fromkeys(text.strip() for text in params.get("code") or ())),
        groups=options.split(params.get("group")) or (),
        # which code to write is asked of all conversions, unless some were named
        every=bool(
            params.get("all") or (params.get("want") and not any(map(params.get, ("conversion", "code", "group"))))
        ),
        shapes=tuple(dict.fromkeys(map(options.shape, described["shape"] or ()))) or Request.shapes,
        dtypes=options.split(described["dtype"]) or Request.dtypes,
        layouts=tuple(name if name == "all" else layouts.parse(name) for name in layout_names or Request.layouts),
        states=tuple(name if name == "all" else states.parse(name) for name in state_names or Request.states),
        to_dtype=params.get("to_dtype"),
        device=params.get("device") or Request.device,
        direction=None if way in (None, "all") else Direction(way),
        given=given,
        force=bool(params.get("force")),
    )
    made.check_names()
    return made


def _with_current_names(option: str, texts: list[str] | None) -> list[str] | None:
    """Return the value of an option with old names of layouts and states replaced; a note says so for each."""
    if texts is None:
        return None
    for word in dict.fromkeys(re.split(r"[\s,+]+", " ".join(texts).lower())):
        if word in renamed.NAMES:
            terminal.note(f"--{option} {word} is now {renamed.NAMES[word]}: the old name works for one more release.")
    return [re.sub(r"[^\s,+]+", lambda word: renamed.NAMES.get(word[0].lower(), word[0]), text) for text in texts]


def wanted(context: Any) -> Outcome | None:
    """Return the outcome for which the code to write is asked.

    Raises:
        RequestError: where it is none that can be asked for.
    """
    want = context.params["want"]
    return None if want is None else Outcome(options.one_of("--want", want, options.WANTED))


def each_axis(request: Request) -> list[Request]:
    """Return ``request`` three times: of every dtype, in every layout, in every state."""
    everything = ("all",)
    return [
        replace(request, dtypes=everything),
        replace(request, layouts=everything),
        replace(request, states=everything),
    ]


def isolation(context: Any) -> Isolation:
    """Return where experiments are to run.

    Raises:
        RequestError: where there is no such way.
    """
    wanted = context.params["isolation"] or DEFAULT
    return cast("Isolation", options.one_of("--isolation", wanted, get_args(Isolation)))


@contextmanager
def laboratory(context: Any, own_code: bool = False) -> Iterator[Laboratory]:
    """Give the laboratory that the options of the command of ``context`` ask for; see ``started.laboratory``.

    ``own_code``: modules of the user's are imported though no option says so.
    """
    params = context.params
    own_code = own_code or any(params.get(name) for name in ("expr", "object", "setup", "plugin", "code"))
    folder = os.getcwd() if own_code else ""
    with started.laboratory(isolation(context), params["timeout"], params.get("setup") or "", folder) as lab:
        yield lab


def face(context: Any, text: str = "table", formats: Sequence[Format] = FORMATS) -> str:
    """Return the format asked for; else, or where the file was typed and the format was not, the one of its ending.

    ``text`` is the one for people.

    Raises:
        RequestError: where there is no such format, or none goes with the ending.
    """
    asked, output = context.params["format"], context.params["output"]
    if asked is not None:
        options.one_of("--format", asked, [entry.name for entry in formats])
    if output in (None, terminal.STDOUT):
        return asked or text
    found = format_for(Path(str(output)).suffix, formats)
    found = text if found == "table" else found
    if asked is not None and (found is None or rank(context, "format") <= rank(context, "output")):
        return str(asked)
    if found is None:
        endings = ", ".join(ending for entry in formats for ending in entry.endings)
        raise RequestError(f"--output {output!r}: no format goes with this ending ({endings} do); give --format.")
    return found


_OWN = ("file", "expr", "object")
_DESCRIBING = ("shape", "dtype", "layout", "state")


def _subject(context: Any) -> tuple[Given | None, dict[str, list[str] | None]]:
    """Return the user's own object, and how the subject is described.

    What was typed wins: what is set elsewhere for another subject is left out.
    """
    described: dict[str, list[str] | None] = {name: context.params.get(name) for name in _DESCRIBING}
    described |= {name: _with_current_names(name, described[name]) for name in ("layout", "state")}
    own = [name for name in _OWN if context.params.get(name) is not None]
    nearest = min((rank(context, name) for name in own), default=0)
    used = [name for name in own if rank(context, name) == nearest]
    if not used:
        return None, described
    if len(used) > 1:
        raise RequestError(f"--{' and --'.join(used)} exclude each other: there is one subject.")
    for name in _DESCRIBING:
        if described[name] and rank(context, name) > nearest:
            described[name] = None
        elif described[name] and (name == "layout" or used != ["file"]):
            raise RequestError(f"--{name} describes a generated subject; with --{used[0]} the object is what it is.")
    text: str = context.params[used[0]]
    return {"file": _file, "expr": _expression, "object": _object}[used[0]](text, described), described


def _file(text: str, described: dict[str, list[str] | None]) -> Given:
    from tensorbridge_cli.subjects import files

    shapes, dtypes, words = (described["shape"] or []), *(options.split(described[name]) for name in ("dtype", "state"))
    if max(map(len, (shapes, dtypes or (), words or ()))) > 1:
        raise RequestError("--file is one subject: give one --shape, one --dtype and one --state at most.")
    spec = files.parse(
        text,
        dtype=dtypes[0] if dtypes else None,
        shape=options.shape(shapes[0]) if shapes else None,
        words=states.words(states.parse(words[0])) if words else frozenset(),
    )
    return Given(origin=Origin.FILE, text=text, file=spec)


def _expression(text: str, described: dict[str, list[str] | None]) -> Given:
    try:
        compile(text.strip(), "<--expr>", "eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        why = getattr(error, "msg", None) or str(error) or "it is nested too deeply"
        raise RequestError(f"--expr {text!r} is not a Python expression: {why}.") from error
    return Given(origin=Origin.EXPRESSION, text=text)


def _object(text: str, described: dict[str, list[str] | None]) -> Given:
    if not all(text.partition(":")[::2]):
        raise RequestError(f"--object {text!r}: write package.module:name.")
    return Given(origin=Origin.OBJECT, text=text)


@functools.cache
def _load_plugins(modules: tuple[str, ...], timeout: float) -> None:
    """Register the conversions that the modules declare, from the current folder too."""
    if modules:
        from tensorbridge_cli.lab import plugins

        for entry in plugins.load(modules, os.getcwd(), timeout):
            registry.register(entry)
