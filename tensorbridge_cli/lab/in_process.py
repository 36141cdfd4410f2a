"""A laboratory for an object of this process as it is: each experiment in a fork of the process, on the fork's copy.

What is written there is written to the fork's memory alone, and what crashes is the fork. Memory that is shared with
files or other processes is made private in the fork first (see ``guard``). An accelerator's memory cannot be used in a
fork.

torch, and what imports it, is imported when a laboratory begins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from tensorbridge_cli.errors import RequestError, UnavailableError
from tensorbridge_cli.lab import protocol, wire
from tensorbridge_cli.lab.experiment import Experiment, Given
from tensorbridge_cli.lab.interpreter import Interpreter
from tensorbridge_cli.lab.protocol import Described, Done, Hello, Resolved, Settings
from tensorbridge_cli.lab.server import Prepared
from tensorbridge_cli.records.enums import Library, Origin
from tensorbridge_cli.records.report import NotApplicable, Row


class Live:
    """See ``isolation.Laboratory``; expressions see the object as ``x``.

    Raises:
        RequestError: if the object cannot be tried without a risk to other memory.
        UnavailableError: if processes cannot be forked.
    """

    given = Given(origin=Origin.EXPRESSION, text="x")

    def __init__(self, settings: Settings, obj: Any) -> None:
        from tensorbridge_cli.lab import guard
        from tensorbridge_cli.memory import carriers, describe, parts

        if not hasattr(os, "fork"):
            raise UnavailableError("replica=False needs to fork this process, which is not possible here.")
        if parts.pretends(obj):
            raise RequestError(f"the object cannot be converted: {describe.no_object(obj)}.")
        if (reason := parts.contradiction(obj)) is not None:
            raise RequestError(f"the object cannot be converted: {reason}.")
        carrier = carriers.carrier_of(obj)
        if carrier is not None and carrier.uses_threads:
            raise RequestError(
                f"replica=False: a {describe.type_name(obj)} uses threads, which a forked process does not have: pass "
                "the code that creates it as expr."
            )
        if devices := _devices(obj) - {"cpu", "meta"}:
            places = " and ".join(sorted(devices))
            raise RequestError(
                f"replica=False: the object is on {places}, which a forked process cannot use: omit replica=False."
            )
        try:
            reason = guard.refusal(obj)
        except (ValueError, BufferError) as error:  # of a memoryview that was released
            name = describe.type_name(obj)
            raise RequestError(f"replica=False: the memory of a {name} cannot be reached: {error}.") from error
        if reason is not None:
            raise RequestError(f"replica=False: {reason}.")
        from tensorbridge_cli.pytorch import torch

        self._settings, self._warned = settings, torch is not None and torch.is_warn_always_enabled()
        self.python: Interpreter | None = None
        self.internal_errors: list[Row] = []
        self._prepared = Prepared(settings.bench)
        self._prepared.name(x=obj)

    def hello(self) -> Hello:
        """See Laboratory."""
        return self._prepared.hello()

    def resolve(self, names: Sequence[str], library: Library | None = None) -> tuple[Resolved, ...]:
        """See Laboratory."""
        return self._prepared.resolve(names, library)

    def describe(self, given: Given) -> Described:
        """See Laboratory."""
        return self._prepared.describe(given, "the object")

    def run(self, experiments: Sequence[Experiment], one_by_one: bool = True) -> Iterator[tuple[int, Done]]:
        """See Laboratory; each has a fork of its own."""
        from tensorbridge_cli.lab.pool import Pool

        pool = Pool(self._settings, self._prepared)
        for body in chain.from_iterable(pool.work(protocol.Run.of(experiments, jobs=1, alone=True))):
            finished = wire.decode(body, protocol.Reply)
            assert isinstance(finished, protocol.Finished)
            yield finished.index, finished.done

    def again(self, experiments: Sequence[Experiment]) -> Iterator[tuple[int, Done]]:
        """Say that a fresh interpreter does not have the object: no breach is shown of it."""
        for nth, experiment in enumerate(experiments):
            reason = "a fresh interpreter does not have this object"
            yield nth, NotApplicable(conversion=experiment.conversion, subject=experiment.subject, reason=reason)

    def close(self) -> None:
        """Let warnings be as they were."""
        from tensorbridge_cli.lab.conversion import always_warn

        always_warn(self._warned)


def _devices(obj: Any) -> set[str]:
    """Return the devices that an object has memory on, of a container those of its parts."""
    from tensorbridge_cli.memory import carriers, describe, parts

    carrier = carriers.carrier_of(obj)
    if carrier is not None:
        return {carriers.device(obj, carrier)}  # a buffer of pyarrow has an object for it
    if parts.items_of(obj) is not None:
        return set(describe.devices(part for _, part in parts.parts(obj)))
    # numpy's is a word; another object's own __getattr__ is not called for it
    return {str(obj.device)} if hasattr(type(obj), "device") else set()
