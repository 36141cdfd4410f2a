"""What every table of several environments begins with: which letter is which environment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from tensorbridge_cli.records.words import listed
from tensorbridge_cli.render.text import words
from tensorbridge_cli.render.text.layout import hang, styled

if TYPE_CHECKING:
    from tensorbridge_cli.diff.environments import Inspected


def lines(environments: Sequence[Inspected], width: int | None) -> Iterator[Text]:
    """Yield a line for each environment: its letter, what the user calls it, and its versions."""
    room = max(len(words.one_line(one.name)) for one in environments)
    for one in environments:
        environment = one.environment
        name = f"{words.one_line(one.name):{room}}" if len(environments) > 1 else words.one_line(one.name)
        torch = f"torch {environment.torch}" if environment.torch is not None else "no torch"
        versions = words.one_line(f"{torch}, numpy {environment.numpy}, Python {environment.python}")
        yield from hang(Text.assemble(styled(one.letter, "heading"), f"  {name}  {versions}"), width, "   ")


def in_environments(letters: Sequence[str], every: Sequence[str]) -> str:
    """Return ``A, B``; nothing if these are all environments."""
    return "" if list(letters) == list(every) else ", ".join(letters)


def several(names: Iterable[str]) -> str:
    """Return each of ``names`` once; of many, the first, and how many more there are."""
    return listed(tuple(dict.fromkeys(names)), 4)
