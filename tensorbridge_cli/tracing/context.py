"""Trace a part of one's own program: ``with tb.trace() as traced: ...``."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType

from tensorbridge_cli.encoding import encode
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.records.trace import Finding, Site, Trace
from tensorbridge_cli.render import View, render
from tensorbridge_cli.render.report import notebook
from tensorbridge_cli.survey import kept_laboratory
from tensorbridge_cli.tracing import run
from tensorbridge_cli.tracing.inside.hooks import Tracer
from tensorbridge_cli.tracing.launch import plan
from tensorbridge_cli.tracing.run import Judged

_one_at_a_time = threading.Lock()

_RENAMED = {
    "only": "trace(only=) is now trace(include=).",
    "ignore": "trace(ignore=) of paths is now trace(omit=).",
}


@contextmanager
def _laboratory() -> Iterator[Laboratory]:
    with kept_laboratory.laboratory(_PATIENCE) as (lab, _):
        yield lab


_PATIENCE = 10.0
"""Seconds that an experiment may take."""


class trace:  # noqa: N801 - it is called as a function is
    """Record every conversion that this process makes inside a ``with`` block, in any thread.

    numpy and torch are imported on entry. After the block ``trace`` is the whole record, ``sites`` and ``findings`` are
    its parts; it shows as a table in a terminal and as HTML in a notebook.

    Args:
        include: Files and folders whose code counts alone.
        omit: Those whose code does not.
        depth: Number of callers to show (default: 4).
        select: Names or codes of the findings that count alone, e.g. ``TB201``.
        ignore: Those that do not count; a path is the old spelling of ``omit``.
        only: The old name of ``include``.
        fail_on: Conditions as of ``tensorbridge trace --fail-on``, e.g. ``copied-bytes=10MB``; ``ok`` is False if one
            was not met, and ``unmet`` has a sentence for each.
        sort: What ``sites`` are sorted by: ``bytes``, ``seconds`` or ``calls``.
        remedies: Whether code that shares is tried for what was copied, in another process, at the end of the block.

    Raises:
        RequestError: if an argument makes no sense; on entry, if another block is open.
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
        fail_on: Iterable[str] = (),
        sort: str = "bytes",
        remedies: bool = False,
    ) -> None:
        self._request = run.parse(
            include=map(os.fspath, include),
            omit=map(os.fspath, omit),
            depth=depth,
            select=select,
            ignore=map(os.fspath, ignore),
            only=map(os.fspath, only),
            fail_on=fail_on,
            sort=sort,
            remedies=remedies,
        )
        for name in self._request.renamed:
            warnings.warn(_RENAMED.get(name, name), DeprecationWarning, stacklevel=2)
        self._plan = plan("", self._request.include, self._request.omit, depth)
        self._tracer: Tracer | None = None
        self._judged: Judged | None = None

    def __enter__(self) -> trace:
        if not _one_at_a_time.acquire(blocking=False):
            raise RequestError("a trace is already active in this process: traces cannot be nested.")
        try:
            self._tracer = Tracer(self._plan, None)
            self._tracer.hook_all()
        except BaseException:  # e.g. of an installation of PyTorch that is broken
            _one_at_a_time.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._tracer is not None
        self._tracer.restore()
        counts, self._tracer = self._tracer.counted(ended=True), None
        _one_at_a_time.release()
        self._judged = run.judge([counts], sys.argv[:1], None, self._request, _laboratory)

    @property
    def trace(self) -> Trace:
        """The record.

        Raises:
            RequestError: before the block has ended.
        """
        return self._result().trace

    def _result(self) -> Judged:
        if self._judged is None:
            raise RequestError("the trace has no results before its with block has ended.")
        return self._judged

    @property
    def sites(self) -> tuple[Site, ...]:
        """The lines that converted, those that copied most first."""
        return self.trace.sites

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What to change, the dearest first."""
        return self.trace.findings

    @property
    def unmet(self) -> tuple[str, ...]:
        """A sentence for each condition of ``fail_on`` that was not met."""
        return self._result().unmet

    @property
    def ok(self) -> bool:
        """Return True if every condition of ``fail_on`` was met."""
        return not self.unmet

    def to_json(self) -> str:
        """Return the record as JSON of the schema ``tensorbridge.trace/1``."""
        return encode(self.trace).decode()

    def __repr__(self) -> str:
        if self._judged is None:
            return "<a trace whose block has not ended>"
        view = View(width=shutil.get_terminal_size().columns, colour=False, box=True)
        return render(self.trace, "table", view).rstrip("\n")

    def _repr_html_(self) -> str:
        return notebook.trace(self.trace)
