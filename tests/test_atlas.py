"""The pages of docs/atlas, and the history that explain shows, are what the committed snapshots say."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from tensorbridge_cli.diff.snapshot import of_snapshot

FOLDER = Path(__file__).parent.parent / "docs" / "atlas"
SNAPSHOTS = sorted(FOLDER.glob("*.snapshot"))
SMALL = 150_000
"""Bytes that a snapshot may have."""


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("atlas_make", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses are looked up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_the_pages_are_read_from_the_snapshots(make):
    for path, text in make.written().items():
        assert path.read_text("utf-8") == text, f"run: python docs/atlas/make.py pages (for {path.name})"


def test_a_changed_snapshot_changes_the_pages(make, tmp_path, monkeypatch):
    for snapshot in SNAPSHOTS:
        shutil.copy(snapshot, tmp_path)
    changed = tmp_path / SNAPSHOTS[0].name
    changed.write_text(changed.read_text("utf-8").replace("\tshared\t", "\tcopied\t"), "utf-8")
    monkeypatch.setattr(make, "FOLDER", tmp_path)
    pages = {path.name: text for path, text in make.written().items()}
    assert all(pages[name] != (FOLDER / name).read_text("utf-8") for name in ("index.md", "history.md"))


def test_each_pair_has_its_snapshot(make):
    recorded = {of_snapshot(path.read_text("utf-8")).versions.torch.partition("+")[0] for path in SNAPSHOTS}
    assert recorded == {torch for _, torch, _ in make.PAIRS}
    assert len(recorded) == len(SNAPSHOTS) >= 8


@pytest.mark.parametrize("path", SNAPSHOTS, ids=lambda path: path.stem)
def test_a_snapshot_is_small_and_what_a_version_lacks_is_not_held_against_it(path):
    assert path.stat().st_size < SMALL
    for key, facts in of_snapshot(path.read_text("utf-8")).cells.items():
        assert facts["outcome"] != "internal-error", key
        assert (facts["error"], facts["contract"]) != ("AttributeError", "broken"), key
