"""Whether the experiments of a plan fit in memory, summed up before anything is allocated."""

from __future__ import annotations

import math
from dataclasses import replace

from rich.filesize import decimal

from tensorbridge_cli.catalog import layouts
from tensorbridge_cli.errors import UnavailableError
from tensorbridge_cli.judgement.contract import Documentation
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.lab.experiment import LARGE, Experiment, small
from tensorbridge_cli.memory.available import available
from tensorbridge_cli.records.enums import Origin
from tensorbridge_cli.records.report import Observation, Subject
from tensorbridge_cli.survey.judged import judged
from tensorbridge_cli.survey.plan import Plan

_ON_THE_HOST = ("cpu", "meta")
"""The devices whose tensors count. How much an accelerator has left is not asked: that would initialise CUDA in the
process that forks, and no forked process can use CUDA then. torch's own OutOfMemoryError is a row."""


def require_memory(plan: Plan, lab: Laboratory, pages: Documentation) -> None:
    """Refuse what cannot fit, before anything is allocated.

    Raises:
        UnavailableError: with the sum in words.
    """
    large = [
        (experiment, size)
        for experiment, size in zip(plan.experiments, plan.sizes, strict=True)
        if size >= LARGE and experiment.subject.device in _ON_THE_HOST
    ]
    if not large:
        return
    free = available()
    trials = lab.run([_small_one(experiment) for experiment, _ in large])
    for index, observed in list(trials):  # all of them, so that a refusal leaves none unread
        experiment, logical = large[index]
        own = experiment.given is not None
        source = logical if own else int(logical * _allocates(experiment.subject))
        # what cannot be generated like one's own object may copy
        copies = bool(judged(observed, pages).copied_bytes) if isinstance(observed, Observation) else own
        needed = source + logical if copies else source
        if needed > free:
            shape = "×".join(map(str, experiment.subject.shape))
            copy = f" and {decimal(logical)} for the copy, {decimal(needed)} in total" if copies else ""
            raise UnavailableError(
                f"{experiment.conversion} of {shape} {experiment.subject.dtype} needs {decimal(source)} for the source"
                f"{copy}; {decimal(free)} are available."
                f"{'' if own else ' Use a smaller --shape;'} --force runs it anyway."
            )


def _small_one(experiment: Experiment) -> Experiment:
    """Return an experiment with a small generated subject in place of a large one: does the conversion copy?"""
    subject = replace(experiment.subject, shape=small(experiment.subject.shape), origin=Origin.GENERATED, given=None)
    return replace(experiment, given=None, subject=subject)


def _allocates(subject: Subject) -> float:
    return math.prod(
        layouts.BY_NAME[part].allocates(subject.shape) for part in subject.layout.split("+") if part in layouts.BY_NAME
    )
