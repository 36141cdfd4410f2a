"""Experiments, and what must hold of them."""

from __future__ import annotations

from dataclasses import dataclass

from tensorbridge_cli.judgement.expectations import Expectations
from tensorbridge_cli.survey.request import Request


@dataclass(frozen=True, kw_only=True)
class Task:
    """Some experiments; ``wanted`` is what must hold of them, ``None`` what the documentation promises.

    ``origin`` says where an expectation is written.
    """

    requests: tuple[Request, ...]
    wanted: Expectations | None = None
    origin: str | None = None
