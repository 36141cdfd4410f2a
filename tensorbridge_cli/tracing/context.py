"""Trace a part of one's own program: ``with tb.trace() as found: ...``."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterable
from types import TracebackType

import msgspec

from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.trace import Finding, Site, Trace
from tensorbridge_cli.render import View, render_trace
from tensorbridge_cli.tracing.inside.hooks import Tracer
from tensorbridge_cli.tracing.launch import plan
from tensorbridge_cli.tracing.report import findings, merge

_one_at_a_time = threading.Lock()


class trace:  # noqa: N801 - it is called as a function is
    """Record every conversion that this process makes inside a ``with`` block, in any thread.

    numpy and torch are imported on entry. After the block ``trace`` is the whole record, ``sites`` and ``findings`` are
    its parts; it shows as a table in a terminal and as HTML in a notebook. What shares where a copy was made is not
    tried here: ``tensorbridge trace`` does.

    Args:
        only: Files and folders whose code counts alone.
        ignore: Those whose code does not.
        depth: Callers that are named with a line.

    Raises:
        RequestError: on entry, where another block is open: its counts would be shared.
    """

    def __init__(self, *, only: Iterable[str] = (), ignore: Iterable[str] = (), depth: int = 4) -> None:
        self._plan = plan("", tuple(map(os.fspath, only)), tuple(map(os.fspath, ignore)), depth)
        self._tracer: Tracer | None = None
        self._found: Trace | None = None

    def __enter__(self) -> trace:
        if not _one_at_a_time.acquire(blocking=False):
            raise RequestError("a trace is open already: close it first, what it records would be counted twice.")
        self._tracer = Tracer(self._plan, None)
        self._tracer.hook_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._tracer is not None
        self._tracer.take_away()
        counted, notes = merge.joined([self._tracer.counted(ended=True)], sys.argv[:1], None)
        self._found = findings.judged(counted, notes, {})
        self._tracer = None
        _one_at_a_time.release()

    @property
    def trace(self) -> Trace:
        """The record.

        Raises:
            RequestError: before the block has ended.
        """
        if self._found is None:
            raise RequestError("nothing is known of a trace before its block has ended.")
        return self._found

    @property
    def sites(self) -> tuple[Site, ...]:
        """The lines that converted, those that copied most first."""
        return self.trace.sites

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What to change, the dearest first."""
        return self.trace.findings

    def to_json(self) -> str:
        """Return the record as JSON of the schema ``tensorbridge.trace/1``."""
        return msgspec.json.encode(self.trace).decode()

    def __repr__(self) -> str:
        if self._found is None:
            return "<a trace whose block has not ended>"
        view = View(width=shutil.get_terminal_size().columns, colour=False, box=True)
        return render_trace(self._found, "table", view).rstrip("\n")

    def _repr_html_(self) -> str:
        from tensorbridge_cli.render.report import notebook

        return notebook.trace(self.trace)
