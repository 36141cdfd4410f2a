from collections.abc import Callable
from typing import Any

from tensorbridge_cli.tracing.inside.counting import PlainCell as Cell
from tensorbridge_cli.tracing.inside.counting import PlainCounter as Counter
from tensorbridge_cli.tracing.inside.counting import PlainThread as Thread
from tensorbridge_cli.tracing.inside.records import Hook

__all__ = ["Cell", "Counter", "Thread", "stand_in"]

def stand_in(counter: Counter, original: Callable[..., Any], hook: Hook, reduced: object) -> Callable[..., Any]: ...
