"""Collapsing pages changes how memory is mapped, and nothing in it."""

import re
from pathlib import Path

import pytest

from tensorbridge_cli.lab import huge_pages

SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def in_huge_pages() -> int:
    """Return the bytes of this process that lie in huge pages."""
    text = Path("/proc/self/smaps_rollup").read_text()
    return int(re.findall(r"AnonHugePages: +(\d+) kB", text)[0]) * 1024


@pytest.mark.skipif(not SETTING.exists(), reason="the system has no transparent huge pages")
def test_memory_is_moved_and_stays_what_it_is() -> None:
    block = bytearray(range(256)) * (1 << 16)
    before = in_huge_pages()
    if not huge_pages.collapse():
        pytest.skip("the kernel does not collapse on request (before Linux 6.1)")
    assert in_huge_pages() - before >= len(block) // 2
    assert block == bytearray(range(256)) * (1 << 16)


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert huge_pages.collapse() == 0
