"""What the command line, the server and its children say to each other, and how: length and MessagePack, in a pipe."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec
from msgspec import Struct

from tensorbridge_cli.lab.experiment import Bench, Experiment, Given
from tensorbridge_cli.records.report import NotApplicable, Observation, Subject

Isolation = Literal["fork", "spawn", "none"]
Done = Observation | NotApplicable


class Resolved(Struct, frozen=True):
    """A dtype name as the installed libraries understand it; ``itemsize`` is bytes."""

    name: str
    libraries: tuple[str, ...]
    byte_swapped: bool
    itemsize: int


class Hello(Struct, frozen=True, kw_only=True):
    """What the prepared process found: versions, devices, dtypes, defaults.

    ``works_together`` is ``None`` where an array becomes a tensor and back, else the error. ``absent_sentences`` are
    the cited sentences that are not in the installed docstrings, each after its page.
    """

    python: str
    numpy: str
    torch: str
    platform: str
    devices: tuple[str, ...]
    dtypes: tuple[Resolved, ...]
    works_together: str | None
    default_int: str
    default_float: str
    absent_sentences: tuple[tuple[str, str], ...] = ()


class Settings(Struct, frozen=True, kw_only=True):
    """How a laboratory runs: ``timeout`` is seconds an experiment, ``jobs`` how many children work at once."""

    isolation: Isolation
    timeout: float
    jobs: int
    bench: Bench


class Resolve(Struct, frozen=True, tag="resolve"):
    """Ask what the installed libraries make of dtype names."""

    names: tuple[str, ...]


class Describe(Struct, frozen=True, tag="describe"):
    """Ask for a description of the user's object."""

    given: Given


class Run(Struct, frozen=True, tag="run"):
    """Ask for experiments, by ``jobs`` children at once; ``alone``: each in a child that has done nothing else."""

    experiments: tuple[Experiment, ...]
    jobs: int
    alone: bool


class Answer(Struct, frozen=True, tag="answer"):
    """The answer to anything but ``Run``; one of the three."""

    hello: Hello | None = None
    subject: Subject | None = None
    resolved: tuple[Resolved, ...] = ()


class Failed(Struct, frozen=True, tag="failed"):
    """A sentence for the user and its exit code, instead of an answer."""

    message: str
    exit_code: int


class Finished(Struct, frozen=True, tag="finished"):
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
        found = self.observation or self.not_applicable
        assert found is not None
        return found


Command = Resolve | Describe | Run
Reply = Answer | Failed | Finished

encode = msgspec.msgpack.Encoder(enc_hook=str).encode


def decode_reply(body: bytes) -> Reply:
    """Read one reply."""
    reply: Reply = msgspec.msgpack.decode(body, type=Reply)
    return reply


class _Kind(Struct):
    type: str


def is_finished(body: bytes) -> bool:
    """Tell whether an encoded reply is a ``Finished``, without reading the rest of it."""
    return bool(msgspec.msgpack.decode(body, type=_Kind).type == "finished")


def send(stream: BinaryIO, message: Struct) -> None:
    """Write one message.

    Raises:
        BrokenPipeError: where nobody reads.
    """
    send_on(stream, encode(message))


def send_on(stream: BinaryIO, body: bytes) -> None:
    """Write one message that is encoded already.

    Raises:
        BrokenPipeError: where nobody reads.
    """
    stream.write(struct.pack("=Q", len(body)) + body)
    stream.flush()


def receive(stream: BinaryIO, kind: Any) -> Any:
    """Read one message of ``kind``; ``None`` where the stream has ended."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    return msgspec.msgpack.decode(stream.read(struct.unpack("=Q", head)[0]), type=kind, dec_hook=_as_path)


def _as_path(kind: type, value: str) -> Path:
    return Path(value)
