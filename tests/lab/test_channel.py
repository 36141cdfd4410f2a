"""The memory that a child shares with the server."""

import os
import signal

import pytest

from tensorbridge_cli.lab.channel import Channel

REPLIES = 200_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_neither_side_reads_a_counter_that_the_other_is_writing(tmp_path):
    channel = Channel(tmp_path / "channel", create=True)
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
