"""The order of the tests."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the traced programs: they take longest, and what begins last keeps one process waiting for it."""
    items.sort(key=lambda item: "tracing" not in item.path.parts)
