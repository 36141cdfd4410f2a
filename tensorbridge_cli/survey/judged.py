"""One observation compared with the documentation of the installed versions."""

from __future__ import annotations

from dataclasses import replace

from tensorbridge_cli.catalog import registry
from tensorbridge_cli.judgement.contract import Documentation, expectation
from tensorbridge_cli.judgement.judge import judge, unjudged
from tensorbridge_cli.lab.protocol import Hello
from tensorbridge_cli.records.enums import Direction
from tensorbridge_cli.records.report import Failure, Observation, Row


def documentation(hello: Hello) -> Documentation:
    """Return what the pages of the installed versions say, as far as rules cite them."""
    versions = {"python": hello.python, "numpy": hello.numpy}
    if hello.torch is not None:
        versions["torch"] = hello.torch
    return Documentation(versions, frozenset(hello.absent_sentences), hello.replaced)


def judged(observation: Observation, pages: Documentation) -> Row:
    """Return the row of ``observation``; if judging it fails, that row alone is an internal error."""
    try:
        if observation.libraries:
            pages = replace(pages, versions={**pages.versions, **dict(observation.libraries)})
        promised = expectation(observation.conversion, observation.subject, observation.to_dtype, pages)
        entry = registry.find(observation.conversion)
        if entry is not None and entry.groups == registry.OWN and observation.result is not None:
            observation = replace(observation, direction=_direction(observation))
        return judge(observation, promised, entry.copy if entry else None, entry.changes if entry else ())
    except Exception as error:
        return unjudged(replace(observation, internal_error=Failure.of("judge", error)))


def _direction(observation: Observation) -> Direction:
    """Return the direction by the type of the result; of no known library, the direction that was assumed."""
    assert observation.result is not None
    target = observation.result.type.partition(".")[0]
    way = f"{observation.direction.source}-to-{target}"
    return Direction(way) if way in tuple(Direction) else observation.direction
