from collections.abc import Callable
from typing import Any

from tensorbridge_cli.tracing.inside.counting import PlainCell as Cell
from tensorbridge_cli.tracing.inside.counting import PlainCounter as Counter
from tensorbridge_cli.tracing.inside.counting import PlainThread as Thread
from tensorbridge_cli.tracing.inside.records import Hook

__all__ = ["Cell", "Counter", "StandIn", "Thread", "stand_in", "wrap"]

class StandIn:
    def leave(self) -> None: ...

def stand_in(counter: Counter, function: Callable[..., Any], hook: Hook) -> StandIn: ...
def wrap(counter: Counter, function: Callable[..., Any], hook: Hook) -> Callable[..., Any]: ...
