"""What is remembered of an array or a tensor without it: whether its elements changed, and what has the same memory."""

import gc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tensorbridge_cli.tracing.inside import fingerprint
from tensorbridge_cli.tracing.inside.fingerprint import Fingerprints

ROWS, COLUMNS = 6, 5
SLICE = st.builds(slice, st.integers(0, 5), st.integers(1, 6), st.sampled_from([1, 2, 3]))


@given(rows=SLICE, columns=SLICE, as_tensor=st.booleans(), place=st.integers(0, ROWS * COLUMNS - 1))
def test_it_changed_if_an_element_did(rows, columns, as_tensor, place):
    buffer = np.zeros((ROWS, COLUMNS), np.int16)
    view = buffer[rows, columns]
    obj, before = torch.from_numpy(view) if as_tensor else view, view.copy()
    fingerprints = Fingerprints(np, torch)
    fingerprints.look()
    seen = fingerprints.of(obj)
    buffer.flat[place] = 1
    fingerprints.look()
    differs = not np.array_equal(before, view)
    assert fingerprints.changed(seen) is (differs if before.size else None)


@given(ours=st.tuples(SLICE, SLICE), theirs=st.tuples(SLICE, SLICE))
def test_two_views_that_share_an_element_meet(ours, theirs):
    buffer = np.zeros((ROWS, COLUMNS), np.int16)
    one, other = (buffer[places] for places in (ours, theirs))
    fingerprints = Fingerprints(np, torch)
    fingerprints.look()
    if np.shares_memory(one, other):
        assert fingerprints.of(one).meets(fingerprints.of(other))
    apart = fingerprints.of(buffer.copy())
    assert not fingerprints.of(one).meets(apart)


def test_of_one_look_the_bytes_are_read_once(monkeypatch):
    read, digest = [], fingerprint.digest
    monkeypatch.setattr(fingerprint, "digest", lambda span, numpy: read.append(span) or digest(span, numpy))
    array = np.arange(8)
    fingerprints = Fingerprints(np, torch)
    for _ in range(2):
        fingerprints.look()
        seen = [fingerprints.of(array) for _ in range(3)]
    assert len(read) == 2
    assert len({one.digest for one in seen}) == 1


def test_of_a_storage_that_is_gone_nothing_is_said():
    fingerprints = Fingerprints(np, torch)
    fingerprints.look()
    tensor = torch.ones(8)
    seen = fingerprints.of(tensor)
    assert fingerprints.storage(seen.owner) is seen.storage
    del tensor
    gc.collect()
    fingerprints.look()
    assert fingerprints.changed(seen) is None


@pytest.mark.parametrize(
    "obj", [[1.0], np.float32(1), np.ma.zeros(3), torch.eye(2).to_sparse(), torch.empty(2, device="meta")]
)
def test_of_any_other_object_there_is_none(obj):
    fingerprints = Fingerprints(np, torch)
    fingerprints.look()
    assert fingerprints.of(obj) is None
