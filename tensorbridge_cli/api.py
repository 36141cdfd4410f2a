"""The tool from Python: the same experiments, in the same clean process, on a twin of one's own live object.

The first call starts that process, in about the time of ``import torch``; it stays for the calls that follow, and ends
with this one. It is started anew, never forked from here: the threads and locks of this process do not matter.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from threading import RLock
from typing import TYPE_CHECKING, Any, overload

from tensorbridge_cli.catalog import layouts, states
from tensorbridge_cli.errors import RequestError, UndecidableError
from tensorbridge_cli.judgement import expectations
from tensorbridge_cli.lab.experiment import Bench, Given
from tensorbridge_cli.lab.isolation import DEFAULT, Laboratory, Settings
from tensorbridge_cli.lab.isolation import laboratory as start
from tensorbridge_cli.model import Direction, NotApplicable, Origin, Relation, Report, Row, Verdict
from tensorbridge_cli.render import PLAIN, View, render

if TYPE_CHECKING:
    pass

Names = str | Sequence[str]

_NOTHING: Any = object()


@dataclass(frozen=True, repr=False)
class Inspection(Sequence[Row]):
    """What was found: the rows of ``report``, shown as a table in a terminal and in a notebook."""

    report: Report

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        """Return one row, or some."""
        return self.report.observations[index]

    def __len__(self) -> int:
        """Return how many experiments were made."""
        return len(self.report.observations)

    @property
    def ok(self) -> bool:
        """Tell whether nothing that was expected is broken."""
        return all(row.contract.verdict is not Verdict.BROKEN for row in self)

    def __repr__(self) -> str:
        """Return the table, as wide as the terminal."""
        width = shutil.get_terminal_size().columns
        return render(self.report, "table", View(width=width, colour=False, box=True)).rstrip("\n")

    def _repr_html_(self) -> str:
        from tensorbridge_cli.page import fragment

        return fragment(self.report)

    def to_json(self) -> str:
        """Return the report as JSON, of the schema that ``tensorbridge schema`` prints."""
        return render(self.report, "json", PLAIN)

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame`` with a line for each row and each case not applicable.

        Raises:
            ImportError: where there is no pandas.
        """
        try:
            frame = import_module("pandas").DataFrame
        except ImportError as error:
            raise ImportError("to_pandas() needs pandas: pip install pandas.") from error
        from tensorbridge_cli.render.fields import COLUMNS, facts

        entries: list[Row | NotApplicable] = [*self.report.observations, *self.report.not_applicable]
        return frame([facts(entry) for entry in entries], columns=list(COLUMNS))


def inspect(
    obj: Any = _NOTHING,
    *conversions: str,
    shape: tuple[int, ...] = (4, 3),
    dtype: Any = "float32",
    layout: Names = "contiguous",
    state: Names = states.PLAIN,
    to_dtype: Any = None,
    direction: str | None = None,
    all: bool = False,  # noqa: A002 - as on the command line
    timeout: float = 10.0,
) -> Inspection:
    """Run conversions on a twin of ``obj``, or on a generated subject, and show what was shared and what was copied.

    ``obj`` is an array, a tensor, a number or a list of numbers; it is only read. Without it (or where it is the name
    of a conversion) ``shape`` (elements), ``dtype``, ``layout`` and ``state`` describe what is generated. ``timeout``
    is in seconds, for one experiment.

    Raises:
        RequestError: where the request makes no sense, or ``obj`` can have no faithful twin.
        UnavailableError: where this environment cannot do it.
    """
    if isinstance(obj, str):
        obj, conversions = _NOTHING, (obj, *conversions)
    options = _described(shape, dtype, layout, state) if obj is _NOTHING else {}
    return _survey(obj, conversions, options, to_dtype, direction, all, timeout, lambda row: row)


def check(
    obj: Any = _NOTHING,
    *conversions: str,
    expect: Names = (),
    shape: tuple[int, ...] = (4, 3),
    dtype: Any = "float32",
    layout: Names = "contiguous",
    state: Names = states.PLAIN,
    to_dtype: Any = None,
    direction: str | None = None,
    all: bool = False,  # noqa: A002 - as on the command line
    timeout: float = 10.0,
) -> Inspection:
    """Inspect, and hold each row against ``expect`` (the words of ``--expect``), or else against its documentation.

    ``.ok`` of what is returned tells whether all of it was met. The other arguments are those of ``inspect``.

    Raises:
        RequestError: where the request makes no sense, or ``obj`` can have no faithful twin.
        UnavailableError: where this environment cannot do it.
    """
    if isinstance(obj, str):
        obj, conversions = _NOTHING, (obj, *conversions)
    options = _described(shape, dtype, layout, state) if obj is _NOTHING else {}
    wanted = expectations.parse(_names(expect), "expect")
    hold = functools.partial(expectations.hold, wanted=wanted) if expect else lambda row: row
    return _survey(obj, conversions, options, to_dtype, direction, all, timeout, hold)


def relation(a: Any, b: Any) -> Relation:
    """Return how the bytes of two live objects lie to each other; nothing is written, and ``None`` is "cannot be told".

    Arrays and tensors in any mix, sparse ones component by component, lists of arrays array by array.
    """
    from tensorbridge_cli.lab.relations import relation as found

    return found(a, b)


def shares_memory(a: Any, b: Any) -> bool:
    """Tell whether a byte of ``a`` is a byte of ``b``.

    Raises:
        UndecidableError: where that cannot be told; it is a ``ValueError`` too.
    """
    overlaps = relation(a, b).overlaps
    if overlaps is None:
        raise UndecidableError(
            f"whether a {type(a).__name__} and a {type(b).__name__} share memory cannot be told: "
            "one of them has no address, or the search for a common byte gave up."
        )
    return overlaps


# How it is asked -------------------------------------------------------------------------------


def _names(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _dtype(dtype: Any) -> str:
    if isinstance(dtype, str):
        return dtype
    if type(dtype).__module__ == "torch":
        return str(dtype).removeprefix("torch.")
    import numpy as np

    found = np.dtype(dtype)
    return str(found.name if found.isnative else found.str)


def _described(shape: Iterable[int], dtype: Any, layout: Names, state: Names) -> dict[str, Any]:
    return {
        "shapes": (tuple(shape),),
        "dtypes": tuple(map(_dtype, dtype)) if isinstance(dtype, (list, tuple)) else (_dtype(dtype),),
        "layouts": tuple(name if name == "all" else layouts.parse(name) for name in _names(layout)),
        "states": tuple(name if name == "all" else states.parse(name) for name in _names(state)),
    }


def _survey(
    obj: Any,
    conversions: Sequence[str],
    options: dict[str, Any],
    to_dtype: Any,
    direction: str | None,
    every: bool,
    timeout: float,
    hold: Callable[[Row], Row],
) -> Inspection:
    from tensorbridge_cli.survey import Request, survey

    with _WARM.lock:
        lab = _WARM.laboratory(timeout)
        try:
            request = Request(
                conversions=tuple(conversions),
                every=every,
                to_dtype=None if to_dtype is None else _dtype(to_dtype),
                direction=_direction(direction),
                given=None if obj is _NOTHING else _WARM.twin(obj),
                **options,
            )
            request.check_names()
            return Inspection(survey([request], lab, DEFAULT, hold=hold, remedies=True))
        except RequestError:
            raise
        except BaseException:
            # it may be in the middle of an answer
            _WARM.close()
            raise


def _direction(direction: str | None) -> Direction | None:
    if direction is None or direction in list(Direction):
        return None if direction is None else Direction(direction)
    raise RequestError(f"unknown direction {direction!r}: write {', '.join(Direction)}.")


class _Warm:
    """The laboratory of this process, kept from call to call; a forked child starts its own."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin without one: in a forked child it is the parent's, and so may be the lock."""
        self.lock = RLock()
        self._lab: Laboratory | None = None
        self._timeout = 0.0
        self._scratch = Path()
        self._numbers = count()

    def laboratory(self, timeout: float) -> Laboratory:
        """Return the one there is, or start one; ``timeout`` is in seconds for an experiment."""
        if self._timeout != timeout:
            self.close()
        if self._lab is None:
            self._scratch = Path(mkdtemp(prefix="tensorbridge-"))
            bench = Bench(setup="", scratch=self._scratch, folder="")
            settings = Settings(isolation=DEFAULT, timeout=timeout, jobs=os.cpu_count() or 1, bench=bench)
            self._lab, self._timeout = start(settings), timeout
        return self._lab

    def twin(self, obj: Any) -> Given:
        """Describe ``obj`` where the laboratory finds it."""
        from tensorbridge_cli.lab import twins

        for old in self._scratch.glob("twin-*"):
            old.unlink()
        path = self._scratch / f"twin-{next(self._numbers)}"
        return Given(origin=Origin.OBJECT, text=twins.describe(obj, path), twin=str(path))

    def close(self) -> None:
        """End the laboratory."""
        if self._lab is not None:
            self._lab.close()
            shutil.rmtree(self._scratch, ignore_errors=True)
        self._lab = None


_WARM = _Warm()
atexit.register(_WARM.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_WARM.forget)
