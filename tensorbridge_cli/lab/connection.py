"""Messages to and from a process that speaks the protocol, how it is started, and what leaves nothing of it.

The process is a ``server``, of the tool's own interpreter or of another one, or imports plugins (see ``plugins``).
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tensorbridge_cli.errors import UnavailableError, error_for
from tensorbridge_cli.lab import interpreter, processes, protocol, wire
from tensorbridge_cli.lab.interpreter import Interpreter
from tensorbridge_cli.lab.stderr_tail import last_line, signal_name


class ServerEndedError(UnavailableError):
    """The server is gone, or says nothing any more. ``how``: by which signal, or with which exit code."""

    def __init__(self, message: str, how: str = "") -> None:
        super().__init__(message)
        self.how = how


_KEEPER = 10.0  # seconds that the keeper may take to end everything
_NO_KEEPER = 1.0  # the same for an interpreter that is not known to have one yet
_FORKING = {"OPENBLAS_NUM_THREADS": "1", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
"""One thread less to fork with, and asking for CUDA must not initialise it before the fork."""


class Connection:
    """Messages to and from a process that speaks the protocol, through two descriptors."""

    def __init__(self, to_handle: int, from_handle: int) -> None:
        self._to_handle, self._from_handle = to_handle, from_handle
        self._received = bytearray()
        self._cookie: bytes | None = None

    def send(self, message: object) -> None:
        """Send one message; where the process has ended, the next answer says why."""
        body = wire.encode(message)
        self._write(protocol.HEAD.pack(len(body)) + body)

    def _write(self, body: bytes) -> None:
        data = memoryview(body)
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._to_handle, data) :]

    def receive(self, patience: float | None = None) -> protocol.Reply:
        """Return the next reply.

        Raises:
            ServerEndedError: if there comes none, or nothing at all for ``patience`` seconds.
            TensorbridgeError: that of the process itself.
        """
        while True:
            if (body := self._next()) is not None:
                reply = _reply(body)
                if isinstance(reply, protocol.Failed):
                    raise error_for(reply.message, reply.exit_code)
                if not isinstance(reply, protocol.Alive):
                    return reply
                continue
            self._read(patience)

    def _read(self, patience: float | None) -> None:
        """Read what comes next.

        Raises:
            ServerEndedError: if nothing does.
        """
        if not self._is_readable(patience):
            raise ServerEndedError(f"it did not respond within {patience:g} seconds", "no answer")
        piece = os.read(self._from_handle, 1 << 16)
        if not piece:
            raise self._ended()
        self._received += piece

    def _next(self) -> bytes | None:
        """Return the next message, encoded, where all of it is there."""
        if self._cookie is not None:
            before, cookie, after = self._received.partition(self._cookie)
            if not cookie:
                del self._received[: max(0, len(before) - len(self._cookie))]
                return None
            self._cookie, self._received = None, after
        if len(self._received) < protocol.HEAD.size:
            return None
        end = protocol.HEAD.size + protocol.HEAD.unpack_from(self._received)[0]
        if end > _LONGEST:
            raise ServerEndedError("its response cannot be read")
        if len(self._received) < end:
            return None
        body = bytes(self._received[protocol.HEAD.size : end])
        del self._received[:end]
        return body

    def _is_readable(self, patience: float | None) -> bool:
        if patience is None or not hasattr(select, "poll"):
            return True
        poll = select.poll()
        poll.register(self._from_handle, select.POLLIN)
        # once more where this process was stopped meanwhile, and the time is up for that
        return bool(poll.poll(patience * 1000) or poll.poll(1000))

    def _ended(self) -> ServerEndedError:
        """Return how the process ended."""
        return ServerEndedError("it ended", "ended")

    def close(self) -> None:
        """Close the descriptors, which ends the process."""
        os.close(self._to_handle)
        os.close(self._from_handle)


class Kept(Connection):
    """A Python process that speaks the protocol, with a keeper that leaves nothing of it.

    ``code`` is run in an interpreter of its own, with the cookie and the descriptors as arguments: that of the tool, or
    ``python``, which is sent our code. ``spare`` leads to the copy that a server makes of itself.

    Raises:
        UnavailableError: if ``python`` cannot be used.
    """

    def __init__(self, code: str, scratch: Path, python: Interpreter | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=scratch, prefix="server-"))
        self._errors = self.folder / "stderr"
        self._is_apart = processes.has_fork() and python is None  # commands have a pipe of their own
        self._received = bytearray()
        self._cookie: bytes | None = os.urandom(16)
        self._marker = self.folder / self._cookie.hex()
        self._marker.touch()  # an interpreter in a container, say, does not see it
        self._process: subprocess.Popen[bytes]
        self.spare: Connection | None = None
        if python is not None:
            self._start_away(code, python)
        else:
            self._start(code, scratch)
        if not self._is_apart:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._to_handle, self._from_handle = self._process.stdin.fileno(), self._process.stdout.fileno()

    def _start(self, code: str, scratch: Path) -> None:
        assert self._cookie is not None
        start = f"{processes.FIND_PACKAGE}; from tensorbridge_cli.lab import processes"
        keep = f"processes.keep({str(scratch)!r}, {str(self._marker)!r})" if processes.has_fork() else ""
        environment = _FORKING | dict(os.environ)
        temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.folder))
        theirs = [0, 1]
        with contextlib.ExitStack() as stack:
            if processes.has_fork():
                (commands, self._to_handle), (self._from_handle, replies) = processes.pipe(), processes.pipe()
                (of_copy, to_copy), (from_copy, by_copy) = processes.pipe(), processes.pipe()
                self.spare = Connection(to_copy, from_copy)
                theirs = [commands, replies, of_copy, by_copy]
                for descriptor in theirs:
                    stack.callback(os.close, descriptor)
            errors = stack.enter_context(self._errors.open("wb"))
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                [
                    *(sys.executable, *processes.SAFE_PATH, "-c", "\n".join((start, keep, code))),
                    *(self._cookie.hex(), *map(str, theirs)),
                ],
                stdin=subprocess.PIPE,  # of the keeper, which ends all when it is closed
                stdout=errors if processes.has_fork() else subprocess.PIPE,
                stderr=errors,
                env=environment | temporary,
                pass_fds=theirs if processes.has_fork() else (),
                start_new_session=True,  # Ctrl-C is the command line's
            )

    def _start_away(self, code: str, python: Interpreter) -> None:
        """Start ``python``, wait until it says that it is there, and send it our code."""
        assert self._cookie is not None
        cookie, archive = self._cookie, interpreter.archive()
        arguments = (str(len(archive)), cookie.hex(), str(self.folder))
        command = python.command("-c", f"{interpreter.BOOT}\n{code}", *arguments)
        try:
            with self._errors.open("wb") as errors:
                self._process = subprocess.Popen(  # noqa: S603 - the user's
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=_FORKING | interpreter.environment(self.folder),
                    start_new_session=True,
                )
        except OSError as error:
            raise UnavailableError(f"--python {python.name!r}: {error.strerror or error}.") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to_handle, self._from_handle = self._process.stdin.fileno(), self._process.stdout.fileno()
        try:
            while self._cookie is not None:
                self._next()
                if self._cookie is not None:
                    self._read(STARTING)
        except ServerEndedError as error:
            self.close(patience=_NO_KEEPER)
            raise UnavailableError(f"--python {python.name!r} {self._why_not_started(error).rstrip('.')}.") from error
        except BaseException:
            self.close(patience=_NO_KEEPER)
            raise
        self._cookie = cookie  # it comes once more, when all is imported
        self._write(archive)

    def _why_not_started(self, error: ServerEndedError) -> str:
        """Return what happened to the interpreter before it was there."""
        if error.how == f"exit code {interpreter.TOO_OLD}":
            return str(error).removeprefix(f"{error.how}. ")
        if self._cookie is not None and self._cookie.hex() in str(error):  # another program, which repeats an argument
            return f"is not a Python interpreter: {error.how}"
        return f"{'did not start' if error.how == 'no answer' else 'ended at its start'}: {error}"

    def _ended(self) -> ServerEndedError:
        """Return how the process ended, and what it said last."""
        try:
            code = self._process.wait(_KEEPER)
        except subprocess.TimeoutExpired:  # it has closed its output, and goes on
            return ServerEndedError("it closed its output", "no answer")
        how = "SIGSTOP" if code == processes.STOPPED else signal_name(code) or f"exit code {code}"
        ending = f"{how}. {last_line(self._errors.read_bytes())}" if self._errors.exists() else how
        return ServerEndedError(ending.strip(), how)

    def close(self, *, goes_on: bool = False, patience: float = _KEEPER) -> None:
        """End the process and all that it started, by force after ``patience`` seconds.

        Then its keeper removes the scratch folder, unless work goes on. So it is gone, too, where the command line is
        killed while it waits for that.
        """
        assert self._process.stdin is not None
        if goes_on:
            self._marker.unlink(missing_ok=True)
        if processes.has_fork():
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()  # which tells the keeper
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:  # the keeper itself was stopped, or is not there yet
                for pid in (*processes.descendants(self._process.pid), self._process.pid):
                    processes.kill_group(pid)
            if self._is_apart:
                super().close()
            if self.spare is not None:
                self.spare.close()
        else:
            for pid in (*processes.descendants(self._process.pid), self._process.pid):
                processes.kill_group(pid)
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _reply(body: bytes) -> protocol.Reply:
    """Return the reply that ``body`` is.

    Most are the ends of experiments, a hundred thousand of ``matrix --full``. msgspec reads these, in less than half of
    the time that the standard library takes. It knows no dataclasses with a tag: the others are read as on the other
    side.

    Raises:
        ServerEndedError: if it is none.
    """
    try:
        if not body.startswith(_OF_FINISHED):
            reply: protocol.Reply = wire.decode(body, protocol.Reply)
            return reply
        from tensorbridge_cli import encoding  # a start without experiments, such as of `list`, needs no msgspec

        return encoding.decoded(body, protocol.Finished)
    except ValueError as error:
        raise ServerEndedError(f"its response cannot be read: {error}") from error


_OF_FINISHED = f'{{"{wire.TAG}":"{protocol.Finished.__name__}",'.encode()
_LONGEST = 1 << 30  # bytes of one message
STARTING = 120.0  # seconds in which an interpreter must have said that it is there
