"""The order of the tests, and which of them are slow: sweeps, many processes, browsers, notebooks, real programs."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tensorbridge_cli.catalog import registry

HERE = Path(__file__).parent
SLOW = (
    "catalog/test_messages.py",  # each refusal of the whole catalogue
    "cli/test_check.py",  # the whole catalogue, several times
    "cli/test_code.py",
    "cli/test_demo.py",  # the tour at every width
    "cli/test_env.py",  # torch without NumPy, in each command
    "cli/test_environments.py",  # two environments, in each command
    "cli/test_setup_code.py",  # a laboratory each
    "cli/test_trace.py",
    "explain/test_pages.py",  # each pitfall by experiment
    "explain/test_script.py",  # each script in an interpreter
    "explain/test_tour.py",
    "lab/test_client.py",  # processes that crash, hang and misbehave
    "lab/test_isolation.py",
    "oracle",  # every row again, by code that shares nothing
    "render/html",  # a browser
    "survey/test_order.py",
    "test_documentation.py",  # every example, and the site
    "test_liars.py",
    "test_notebook.py",  # a kernel
    "test_remedies.py",  # each remedy on each subject
    "test_user_memory_untouched.py",
    "tracing/test_comments.py",
    "tracing/test_elsewhere.py",  # another environment
    "tracing/test_findings.py",
    "tracing/test_history.py",
    "tracing/test_hooks.py",  # programs with and without the tool, byte for byte
    "tracing/test_imports.py",
    "tracing/test_launch.py",
    "tracing/test_methods.py",
    "tracing/test_own_lines.py",
    "tracing/test_processes.py",
    "tracing/test_ranks.py",
    "tracing/test_real_programs.py",
    "tracing/test_session.py",
    "tracing/test_spellings.py",
    "tracing/test_warnings.py",
    "tracing/test_written.py",
)
"""Files and folders whose tests run in the gate, with ``-m slow``, and not while one works."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests, and begin with the traced programs: what begins last keeps one process waiting for it."""
    for item in items:
        name = item.path.relative_to(HERE).as_posix()
        if any(name == slow or name.startswith(f"{slow}/") for slow in SLOW):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: "tracing" not in item.path.parts)


def belongs_to_all() -> dict[str, object]:
    """What the tests of one process have in common: one that leaves it changed makes others fail, in some orders."""
    handlers = {f"handler of {number.name}": signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    set_meanwhile = ("PYTEST_CURRENT", "TORCHINDUCTOR")  # by pytest for each test, by torch for its cache
    environment = {name: value for name, value in os.environ.items() if not name.startswith(set_meanwhile)}
    registered = [entry.name for entry in registry.conversions()]
    return {"folder": os.getcwd(), "sys.path": list(sys.path), "registered": registered, **handlers, **environment}


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left_behind() -> Iterator[None]:
    """Compare what belongs to all before and after each file."""
    before = belongs_to_all()
    yield
    after = belongs_to_all()
    assert {name: after.get(name) for name in before | after if before.get(name) != after.get(name)} == {}
