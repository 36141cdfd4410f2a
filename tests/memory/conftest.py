"""Generated objects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tensorbridge_cli.subjects import generate
from tests.tools import subject


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Any]:
    def make(*args: Any, **kwargs: Any) -> Any:
        obj, alive = generate.generate(subject(*args, **kwargs), tmp_path)
        kept.append(alive)  # a lazy clone is one as long as the original lives
        return obj

    kept: list[Any] = []
    return make
