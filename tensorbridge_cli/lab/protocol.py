"""What the command line, the server and its children say to each other, and how: length and JSON, in a pipe."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, BinaryIO, Literal, Union

from tensorbridge_cli.compat import dataclass, values
from tensorbridge_cli.lab.experiment import Bench, Experiment, Given
from tensorbridge_cli.lab.wire import Tagged, decode, encode
from tensorbridge_cli.records.enums import Library
from tensorbridge_cli.records.report import NotApplicable, Observation, Subject

Isolation = Literal["fork", "spawn", "none"]
Done = Union[Observation, NotApplicable]


@dataclass(frozen=True)
class Resolved:
    """A dtype name as the installed libraries understand it; ``itemsize`` is bytes."""

    name: str
    libraries: tuple[str, ...]
    byte_swapped: bool
    itemsize: int


@dataclass(frozen=True, kw_only=True)
class Hello:
    """What the prepared process found: versions, devices, dtypes, defaults.

    ``works_together`` is ``None`` if an array becomes a tensor and back, else the error. ``absent_sentences`` are
    the cited sentences that are not in the installed docstrings, each after its page. ``replaced`` names what the
    user's set-up code has put something else in the place of: functions of the libraries, ``np`` and ``torch``.
    ``torch`` and ``default_float``, which is that of torch, are ``None`` if it is not installed.
    """

    python: str
    executable: str
    numpy: str
    torch: str | None
    platform: str
    devices: tuple[str, ...]
    dtypes: tuple[Resolved, ...]
    works_together: str | None
    default_int: str
    default_float: str | None
    absent_sentences: tuple[tuple[str, str], ...] = ()
    replaced: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a laboratory runs: ``timeout`` is seconds an experiment, ``jobs`` how many children work at once."""

    isolation: Isolation
    timeout: float
    jobs: int
    bench: Bench


@dataclass(frozen=True)
class Described:
    """What the user's object is, and its ``nbytes``: all elements, or, where only some are stored, those."""

    subject: Subject
    nbytes: int


@dataclass(frozen=True)
class Greet(Tagged):
    """Ask what a process found that has imported numpy and torch."""


@dataclass(frozen=True)
class Resolve(Tagged):
    """Ask what the installed libraries make of dtype names; or one library, whose objects are to be generated."""

    names: tuple[str, ...]
    library: Library | None = None


@dataclass(frozen=True)
class Describe(Tagged):
    """Ask for a description of the user's object."""

    given: Given


@dataclass(frozen=True)
class Run(Tagged):
    """Ask for experiments, by ``jobs`` children at once; ``alone``: each in a child that has done nothing else.

    ``slowly``: with a pause before each stage, so that what kills another process than its own is seen in its stage.

    A hundred thousand experiments are a hundred conversions of a thousand subjects. Each conversion is sent once, as an
    ``Experiment`` of any subject. One of ``series`` is several experiments of one subject in a row: the subject, and
    the number of each one's conversion.
    """

    conversions: tuple[Experiment, ...]
    series: tuple[tuple[Subject, tuple[int, ...]], ...]
    jobs: int
    alone: bool
    slowly: bool = False

    @classmethod
    def of(cls, experiments: Sequence[Experiment], jobs: int, alone: bool, slowly: bool = False) -> Run:
        """Ask for ``experiments``."""
        conversions: list[Experiment] = []
        numbers: dict[tuple[object, ...], int] = {}

        def number_of(experiment: Experiment) -> int:
            number = numbers.setdefault(_but_the_subject(experiment), len(conversions))
            if number == len(conversions):
                conversions.append(experiment)
            return number

        by_subject = groupby(experiments, key=attrgetter("subject"))
        series = tuple((subject, tuple(map(number_of, of_it))) for subject, of_it in by_subject)
        return cls(tuple(conversions), series, jobs, alone, slowly)

    def experiments(self) -> list[Experiment]:
        """Return the experiments that are asked for."""
        fields = [values(conversion) for conversion in self.conversions]
        return [
            Experiment(**{**fields[number], "subject": subject})  # in half of the time of ``dataclasses.replace``
            for subject, numbers in self.series
            for number in numbers
        ]


_but_the_subject = attrgetter(*(name for name in Experiment.__dataclass_fields__ if name != "subject"))


@dataclass(frozen=True)
class Fork(Tagged):
    """Ask for a copy of the process as it is now, which answers on two descriptors of its own.

    What is tried again is tried there. Another interpreter would take as long to start as the first did.
    """


@dataclass(frozen=True)
class Response(Tagged):
    """The answer to anything but ``Run``; one of the three."""

    hello: Hello | None = None
    described: Described | None = None
    resolved: tuple[Resolved, ...] = ()


@dataclass(frozen=True)
class Failed(Tagged):
    """A sentence for the user and its exit code, instead of an answer."""

    message: str
    exit_code: int


@dataclass(frozen=True)
class Finished(Tagged):
    """One experiment's end: its number, and what was found."""

    index: int
    observation: Observation | None
    not_applicable: NotApplicable | None

    @classmethod
    def of(cls, index: int, done: Done) -> Finished:
        """Wrap what was found."""
        if isinstance(done, Observation):
            return cls(index, done, None)
        return cls(index, None, done)

    @property
    def done(self) -> Done:
        """What was found."""
        result = self.observation or self.not_applicable
        assert result is not None
        return result


@dataclass(frozen=True)
class Load(Tagged):
    """Ask what modules declare, which are imported from ``folder``, too."""

    modules: tuple[str, ...]
    folder: str


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """A conversion of the user's, as data; see ``catalog.entry.Conversion``."""

    name: str
    sources: tuple[Library, ...]
    target: Library
    code: str
    page: str
    code_with_dtype: str | None
    setup: str
    copy: bool | None
    groups: tuple[str, ...]
    needs: str
    same_dtype: bool
    changes: tuple[Literal["dtype", "shape", "values"], ...]
    summary: str


@dataclass(frozen=True)
class Declared(Tagged):
    """What the modules declare."""

    declarations: tuple[Declaration, ...]


@dataclass(frozen=True)
class Alive(Tagged):
    """Nothing is found yet, and the work goes on."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a spawned child is to do: experiments, each with its number, or to answer one question."""

    settings: Settings
    experiments: tuple[tuple[int, Experiment], ...]
    question: Greet | Resolve | Describe | None
    parent: int
    alone: bool
    slowly: bool


Question = Union[Greet, Resolve, Describe]
Command = Union[Resolve, Describe, Run, Fork]
Reply = Union[Response, Failed, Finished, Alive, Declared]

HEAD = struct.Struct("=Q")
"""What stands before each message: its length."""


def send(stream: BinaryIO, message: object) -> None:
    """Write one message.

    Raises:
        BrokenPipeError: if nobody reads.
    """
    send_on(stream, encode(message))


def send_on(stream: BinaryIO, *bodies: bytes) -> None:
    """Write messages that are encoded already.

    Raises:
        BrokenPipeError: if nobody reads.
    """
    stream.writelines(HEAD.pack(len(body)) + body for body in bodies)
    stream.flush()


def receive(stream: BinaryIO, kind: Any) -> Any:
    """Read one message of ``kind``; ``None`` if the stream has ended."""
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    return decode(stream.read(HEAD.unpack(head)[0]), kind)
