"""Trace a part of one's own program: ``with tb.trace() as found: ...``."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import warnings
from collections.abc import Iterable
from types import TracebackType

import msgspec

from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.trace import Finding, Site, Trace
from tensorbridge_cli.render import View, render_trace
from tensorbridge_cli.tracing.inside.hooks import Tracer
from tensorbridge_cli.tracing.launch import plan
from tensorbridge_cli.tracing.report import findings, merge, selection

_one_at_a_time = threading.Lock()


class trace:  # noqa: N801 - it is called as a function is
    """Record every conversion that this process makes inside a ``with`` block, in any thread.

    numpy and torch are imported on entry. After the block ``trace`` is the whole record, ``sites`` and ``findings`` are
    its parts; it shows as a table in a terminal and as HTML in a notebook. What shares where a copy was made is not
    tried here: ``tensorbridge trace`` does.

    Args:
        include: Files and folders whose code counts alone.
        omit: Those whose code does not.
        depth: Callers that are named with a line.
        select: Names or codes of the findings that count alone, e.g. ``TB201``.
        ignore: Those that do not count; a path is the old spelling of ``omit``.
        only: The old name of ``include``.

    Raises:
        RequestError: if ``select`` or ``ignore`` names no finding; on entry, if another block is open.
    """

    def __init__(
        self,
        *,
        include: Iterable[str] = (),
        omit: Iterable[str] = (),
        depth: int = 4,
        select: Iterable[str] = (),
        ignore: Iterable[str] = (),
        only: Iterable[str] = (),
    ) -> None:
        self._selection, ignored = selection.parse(select, map(os.fspath, ignore))
        if only := tuple(only):
            warnings.warn("trace(only=) is now trace(include=).", DeprecationWarning, stacklevel=2)
        if ignored:
            warnings.warn("trace(ignore=) of paths is now trace(omit=).", DeprecationWarning, stacklevel=2)
        included, omitted = (tuple(map(os.fspath, paths)) for paths in ((*include, *only), (*omit, *ignored)))
        self._plan = plan("", included, omitted, depth)
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
        self._found = self._selection.of(findings.judged(counted, notes, {}))
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
