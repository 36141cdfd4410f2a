"""Which rank of torchrun a process is, and where the ranks meet."""

import getpass
import os
import tempfile

import pytest

from tensorbridge_cli.errors import UnavailableError
from tensorbridge_cli.tracing.ranks import rank

TORCHRUN = {"TORCHELASTIC_RUN_ID": "a/b", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}


def test_one_of_several():
    found = rank(TORCHRUN)
    assert (found.number, found.size) == (1, 2)
    assert found.folder == rank(TORCHRUN | {"LOCAL_RANK": "0"}).folder != rank(TORCHRUN | {"MASTER_PORT": "1"}).folder


@pytest.mark.parametrize(
    "changes", [{"LOCAL_WORLD_SIZE": "1"}, {"TORCHELASTIC_RUN_ID": None}, {"LOCAL_RANK": "x"}, {"LOCAL_RANK": None}]
)
def test_alone(changes):
    assert rank({name: value for name, value in (TORCHRUN | changes).items() if value is not None}) is None


def test_where_users_have_no_number(monkeypatch):
    monkeypatch.delattr(os, "getuid")
    monkeypatch.setattr(getpass, "getuser", lambda: "some one")
    assert "tensorbridge-some-one-a-b-" in rank(TORCHRUN).folder.name


def test_ranks_meet_in_a_folder_of_their_user(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first, second = rank(TORCHRUN | {"LOCAL_RANK": "0"}), rank(TORCHRUN)
    second.meet()
    first.meet()
    assert first.folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "counts").mkdir()
    (tmp_path / "counts" / "1.jsonl").write_text("{}")
    assert second.hand_over(tmp_path / "counts")
    folders, late = first.gathered()
    assert ([folder.name for folder in folders], late) == (["rank-1"], [])
    first.part()
    assert not second.hand_over(tmp_path / "counts")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counts"]


def _for_all(folder):
    folder.mkdir()
    folder.chmod(0o777)


def _link(folder):
    (folder.parent / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(folder.parent / "elsewhere")


def _of_another(folder):
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)


@pytest.mark.parametrize("made", [_for_all, _link, _of_another, lambda folder: folder.touch(0o600)])
def test_what_somebody_else_put_there_is_refused(tmp_path, monkeypatch, made):
    if made is _of_another and os.geteuid() != 0:
        pytest.skip("only root gives a folder away")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = rank(TORCHRUN)
    made(found.folder)
    with pytest.raises(UnavailableError, match="it is not a folder of yours alone"):
        found.meet()


def test_an_earlier_run_with_the_same_numbers_is_another(monkeypatch):
    before = rank(TORCHRUN).folder
    monkeypatch.setattr("psutil.Process.create_time", lambda process: 1.0)
    assert rank(TORCHRUN).folder != before
