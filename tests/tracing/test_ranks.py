"""Which rank of torchrun a process is, and where the ranks meet."""

import getpass
import os

import pytest

from tensorbridge_cli.tracing.inside.ranks import rank

TORCHRUN = {"TORCHELASTIC_RUN_ID": "a/b", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}


def test_one_of_several():
    found = rank(TORCHRUN)
    assert (found.number, found.size) == (1, 2)
    assert found.folder == rank(TORCHRUN | {"LOCAL_RANK": "0"}).folder != rank(TORCHRUN | {"MASTER_PORT": "1"}).folder


@pytest.mark.parametrize("changes", [{"LOCAL_WORLD_SIZE": "1"}, {"TORCHELASTIC_RUN_ID": None}])
def test_alone(changes):
    assert rank({name: value for name, value in (TORCHRUN | changes).items() if value is not None}) is None


def test_where_users_have_no_number(monkeypatch):
    monkeypatch.delattr(os, "getuid")
    monkeypatch.setattr(getpass, "getuser", lambda: "some one")
    assert "tensorbridge-some-one-a-b-" in rank(TORCHRUN).folder.name
