"""The memory that a child shares with the server."""

import os
import signal

import pytest

from tensorbridge_cli.lab import channel as shared
from tensorbridge_cli.lab.channel import Channel, CorruptError
from tensorbridge_cli.lab.experiment import Facts
from tensorbridge_cli.records.enums import Stage
from tests.tools import subject

REPLIES = 200_000


@pytest.fixture
def channel(tmp_path):
    channel = Channel(tmp_path / "channel", shared.SHORT)
    yield channel
    channel.close()


def facts(note):
    return Facts(subject=subject(), private_copy=note)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_neither_side_reads_a_counter_that_the_other_is_writing(tmp_path):
    channel = Channel(tmp_path / "channel", shared.SHORT)
    child = os.fork()
    if child == 0:
        try:
            for index in range(REPLIES):
                channel.send(b"a reply", index)
        except BaseException:
            os._exit(1)
        os._exit(0)
    try:
        seen: list[int] = []
        code = None
        while code is None:
            pid, status = os.waitpid(child, os.WNOHANG)
            code = os.waitstatus_to_exitcode(status) if pid else None
            seen += [index for index, _ in channel.receive()]
    finally:
        if code is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        channel.close()
    assert code == 0
    assert seen == list(range(REPLIES))


def test_a_reply_comes_through_a_ring_that_it_goes_around_in(channel):
    replies = [os.urandom(shared.SHORT * 2 // 3) for _ in range(4)]
    for index, reply in enumerate(replies):
        channel.send(reply, index)
        assert list(channel.receive()) == [(index, reply)]


def test_half_a_reply_is_none_and_who_is_abandoned_does_not_wait_for_room(channel):
    asked = []
    channel.send(bytes(shared.SHORT + 1), 3, abandoned=lambda: not asked.append(None))
    assert len(asked) == 1
    assert list(channel.receive()) == []
    assert list(channel.receive()) == []


def test_where_an_experiment_is(channel):
    assert channel.progress() == shared.Progress(-1, Stage.BUILD, 0, None)
    channel.announce(3, Stage.CONVERT, 70, None)
    assert (channel.index, channel.progress()) == (3, shared.Progress(3, Stage.CONVERT, 70, None))
    known = facts("a note")
    channel.announce(4, Stage.WRITE_SOURCE, 70, known)
    assert channel.progress() == shared.Progress(4, Stage.WRITE_SOURCE, 70, known)
    channel.announce(5, Stage.OBSERVE, 70, facts("long" * shared._HEAD))  # there is no room for them
    assert channel.progress() == shared.Progress(5, Stage.OBSERVE, 70, None)


def test_facts_that_were_written_over_are_none(channel):
    channel.announce(4, Stage.WRITE_SOURCE, 70, facts("a note"))
    channel._memory[shared._FACTS] ^= 1
    assert channel.progress() == shared.Progress(4, Stage.WRITE_SOURCE, 70, None)


@pytest.mark.parametrize(("stage", "length"), [(-1, 0), (len(shared._STAGES), 0), (0, -1), (0, shared._HEAD)])
def test_progress_that_was_written_over_is_not_believed(channel, stage, length):
    channel._memory[: shared._PROGRESS.size] = shared._PROGRESS.pack(6, stage, 70, length, 0)
    assert channel.progress() == shared.Progress(6, Stage.OBSERVE, 0, None)


@pytest.mark.parametrize("place", [shared._WRITTEN, shared._READ])
def test_counters_that_were_written_over_are_noticed_by_both_sides(channel, place):
    channel._count(place, 1 << 40)
    with pytest.raises(CorruptError):
        channel.send(b"a reply")
    with pytest.raises(CorruptError):
        list(channel.receive())


@pytest.mark.parametrize("place", range(shared._FRAME.size - 4, shared._FRAME.size + len(b"a reply")))
def test_a_reply_that_was_written_over_is_noticed_by_its_checksum(channel, place):
    channel.send(b"a reply", 3)
    channel._memory[shared._HEAD + place] ^= 1
    with pytest.raises(CorruptError):
        list(channel.receive())


def test_a_reply_of_an_absurd_length_is_not_waited_for(channel):
    channel.send(b"a reply", 3)
    at = shared._HEAD
    channel._memory[at : at + shared._FRAME.size] = shared._FRAME.pack(3, shared._LONGEST + 1, 0)
    with pytest.raises(CorruptError):
        list(channel.receive())
