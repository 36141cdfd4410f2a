"""A laboratory for an object of this process as it is: each experiment in a fork of the process, on the fork's copy.

What is written there is written to the fork's memory alone, and what dies is the fork. Not so memory that is shared
with other processes, and an accelerator's, which a fork cannot use.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from tensorbridge_cli.errors import RequestError, UnavailableError
from tensorbridge_cli.lab import protocol
from tensorbridge_cli.lab.experiment import Experiment, Given
from tensorbridge_cli.lab.protocol import Done, Hello, Resolved, Settings
from tensorbridge_cli.lab.server import Prepared
from tensorbridge_cli.records.report import NotApplicable, Origin, Subject

_NOT_ITS_OWN = frozenset({"memory-mapped", "shared-memory"})


class Live:
    """See ``isolation.Laboratory``; expressions see the object as ``x``.

    Raises:
        RequestError: where the object's memory is not this process's own.
        UnavailableError: where processes cannot be forked.
    """

    given = Given(origin=Origin.EXPRESSION, text="x")

    def __init__(self, settings: Settings, obj: Any) -> None:
        from tensorbridge_cli.memory import describe as objects

        if not hasattr(os, "fork"):
            raise UnavailableError("twin=False tries the object in a fork of this process, which cannot be made here.")
        shared = sorted(_NOT_ITS_OWN & objects.words(obj))
        device = str(getattr(obj, "device", "cpu"))  # numpy's is a word
        if shared or device not in ("cpu", "meta"):
            where = shared[0] if shared else f"on {device}"
            raise RequestError(f"twin=False: the object is {where}, and what a fork writes would reach it: use a twin.")
        import torch

        self._settings, self._warned = settings, torch.is_warn_always_enabled()
        self._prepared = Prepared(settings.bench)
        self._prepared.name(x=obj)

    def hello(self) -> Hello:
        """See Laboratory."""
        return self._prepared.hello()

    def resolve(self, names: Sequence[str]) -> tuple[Resolved, ...]:
        """See Laboratory."""
        return self._prepared.resolve(names)

    def describe(self, given: Given) -> Subject:
        """See Laboratory."""
        return self._prepared.describe(given)

    def run(self, experiments: Sequence[Experiment], one_by_one: bool = True) -> Iterator[tuple[int, Done]]:
        """See Laboratory; each has a fork of its own."""
        from tensorbridge_cli.lab.pool import work

        for body in work(self._settings, self._prepared, protocol.Run(tuple(experiments), jobs=1, alone=True)):
            finished = protocol.decode_reply(body)
            assert isinstance(finished, protocol.Finished)
            yield finished.index, finished.done

    def again(self, experiments: Sequence[Experiment]) -> Iterator[tuple[int, Done]]:
        """Say that a fresh interpreter does not have the object: no breach is shown of it."""
        for nth, experiment in enumerate(experiments):
            reason = "a fresh interpreter does not have this object"
            yield nth, NotApplicable(conversion=experiment.conversion, subject=experiment.subject, reason=reason)

    def close(self) -> None:
        """Let warnings be as they were."""
        import torch

        torch.set_warn_always(self._warned)
