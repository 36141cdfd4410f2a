"""Count each conversion at the line that makes it, in the program's own process, as cheaply as Python allows.

A call is counted in its own thread's table, so that counts are exact without a lock. Memory grows with the lines that
convert, never with the calls: of a line's calls the first sixteen and every power of two are inspected more closely.
No reference is kept to an object of the program's: neither to an array, which ``ndarray.resize`` would notice, nor to a
module's globals, which would not be finalised: a file that a module holds open would lose what was written to it last.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import perf_counter
from types import CodeType, FrameType, FunctionType, MethodDescriptorType
from typing import TYPE_CHECKING, Any

from tensorbridge_cli.tracing.inside import counting
from tensorbridge_cli.tracing.inside.classify import COPIED, REFUSED, UNDECIDABLE, answers_itself
from tensorbridge_cli.tracing.inside.counting import Cell, Counter
from tensorbridge_cli.tracing.inside.deep_copies import gradient_bytes, views_copied
from tensorbridge_cli.tracing.inside.frames import (
    NOT_COUNTED,
    is_of_the_tracer,
    leave_no_trace,
    not_counted,
    not_counted_file,
)
from tensorbridge_cli.tracing.inside.records import Hook, Note
from tensorbridge_cli.tracing.inside.sites import CLASSIFYING, CountedSite, Run, Table
from tensorbridge_cli.tracing.inside.wrappers import all_in_one_line, like, names

if TYPE_CHECKING:
    from tensorbridge_cli.tracing.inside._counting import StandIn

CLOSELY = 16
"""The first calls of a cell that are inspected closely; then every power of two."""

UNTIMED = 7
"""Of a line's calls all but the first ``CLOSELY`` are timed in turn: one, then so many not. A power of two less one."""

OFTEN = 256
"""The most calls of a cell from one look at the clock to the next; for few calls it is a sixteenth of them."""

SITES = 20_000
"""Call sites that one thread holds before they are put aside: a program that compiles code in a loop has no end."""


class Unseen:
    """Stands for what a call returned, where nobody tells."""


UNSEEN = Unseen()

_DISPATCH = ("__torch_function__", "__array_function__")
"""The methods that torch and numpy have called in place of a function.

https://docs.pytorch.org/docs/stable/notes/extending.html#extending-torch-python-api
"""


class _Local(threading.local):
    def __init__(self, tables: list[Table]) -> None:
        self.table = Table()
        tables.append(self.table)


class _Runs(threading.local):
    """What one stand-in knows of the call instructions that one thread has made it from."""

    def __init__(self, local: _Local) -> None:
        self.runs: dict[Any, Run] = {}
        local.table.runs.append(self.runs)


class Recorder(Counter):
    """What one process counts.

    Args:
        ours: Tells of a file's name whether its code is the user's.
        depth: Callers that a site's stack names.
    """

    def __init__(self, ours: Callable[[str], bool], depth: int) -> None:
        self._ours = ours
        self._depth = depth
        self._files: dict[str, bool] = {}
        self.classify, self.classifying = _nothing_there, CLASSIFYING
        self.closely, self.untimed = CLOSELY, UNTIMED
        self.study: Callable[[CountedSite, Cell, Any, Any, int], None]
        self.tables: list[Table] = []
        self.aside: list[CountedSite] = []
        self.unrecorded = 0
        self.due: Callable[[float], None] = lambda now: None
        self.next_due = float("inf")
        self.paused = False
        self.originals: dict[int, Any] = {}
        self._packages: dict[str, str] = {}
        self._stand_ins: list[StandIn] = []
        self._own_references: dict[type, int] = {}
        self._modules: dict[int, weakref.ref[Any]] = {}
        self._skip: Callable[[CodeType], object] = lambda code: None
        self.local = _Local(self.tables)

    def forget(self) -> None:
        """Begin anew, in a child of a fork: what was counted before is its parent's, and only this thread is here."""
        mine = self.local.table
        mine.forget()
        self.tables[:], self.aside, self.unrecorded = [mine], [], 0

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Count nothing for a while: what a library does for itself when it is imported."""
        before, self.paused = self.paused, True
        try:
            yield
        finally:
            self.paused = before

    def end(self) -> None:
        """Count no more, and let go of what is the program's: its globals are finalised as they are without.

        Its modules' dictionaries are the globals of what makes the calls. While anything refers to such a dictionary,
        Python does not clear it at the end: a file in it would be neither flushed nor closed, no ``__del__`` would run.
        """
        self.paused = True
        self.release()

    def leave(self) -> None:
        """Have the functions that are counted in C called as before."""
        for stand_in in self._stand_ins:
            stand_in.leave()
        self._stand_ins = []

    def release(self) -> None:
        """Hold no code and no globals of the program's: at the next call they are looked for anew."""
        for table in list(self.tables):
            table.release()

    def sites(self) -> Iterator[CountedSite]:
        """Yield the sites of all threads, those of one line and conversion once a thread."""
        yield from self.aside
        for table in list(self.tables):
            yield from list(table.sites.values())

    def calls(self) -> int:
        """Return how many calls have been counted."""
        return sum(cell.calls for site in self.sites() for cell in list(site.cells.values()))

    def is_passed_on(self, table: Table, frame: FrameType) -> bool:
        """Tell whether a call of the function that is being called is that call, which a mode or a subclass passes on.

        Such a method is given the function to call it, maybe with other arguments. What an ``__array__`` calls, which
        may be the same function, is a call of its own.
        """
        caller: FrameType | None = frame
        while caller is not None and id(caller) != table.frame and not is_of_the_tracer(caller):
            if caller.f_code.co_name in _DISPATCH:
                return True
            caller = caller.f_back
        return False

    def ours(self, frame: FrameType) -> bool:
        """Tell whether the code that ``frame`` runs is the user's own; what is in no file, whether its module is."""
        file = frame.f_code.co_filename
        if file.endswith(NOT_COUNTED):  # np.asarray(tensor) calls Tensor.__array__ from a frame of this package
            return False
        if file.startswith("<"):
            file = str(frame.f_globals.get("__file__") or file)
        is_ours = self._files.get(file)
        if is_ours is None:
            is_ours = self._files[file] = self._ours(file)
        return is_ours

    def busy(self) -> CountedSite | None:
        """Return the site whose call is being made in this thread."""
        site: CountedSite | None = self.local.table.busy
        return site

    def stand_in(self, original: Any, hook: Hook) -> Any:
        """Return what does what ``original`` does, and counts: ``original`` itself where it is counted in C."""
        if type(original) is property:
            read = self._stand_in_for_function(original.fget, hook)
            wrapper: Any = property(read, original.fset, original.fdel, original.__doc__)
        else:
            wrapper = self._stand_in_for_function(original, hook)
        self.originals[id(wrapper)] = original
        return wrapper

    def _stand_in_for_function(self, original: Any, hook: Hook) -> Callable[..., Any]:
        if hook.package != "torch":
            self._packages.update(dict.fromkeys((hook.conversion, *(one[2] for one in hook.variants)), hook.package))
        if counting.counts(original):
            with suppress(TypeError):  # Cython has functions that take their arguments as a tuple, through no slot
                self._stand_ins.append(counting.stand_in(self, original, hook))
                unchanged: Callable[..., Any] = original
                return unchanged
        if counting.wraps(original):
            return counting.wrap(self, original, hook)
        function = self._stand_in(original, hook)
        self._skip(function.__code__)
        return like(original, function)

    def _stand_in(self, original: Callable[..., Any], hook: Hook) -> FunctionType:
        getframe, recorder = sys._getframe, self
        # from 3.11 on the instructions lie in the code object itself, so this sum is the address of one, and no other's
        lies_within = sys.version_info >= (3, 11)
        known, named = _Runs(self.local), hook.named if hook.variants else None

        def stand_in(*args: Any, **kwargs: Any) -> Any:
            if recorder.paused:
                return original(*args, **kwargs)
            frame = getframe(1)
            place: Any = id(frame.f_code) + frame.f_lasti if lies_within else (id(frame.f_code), frame.f_lasti)
            if kwargs and named is not None:
                place = place, named(kwargs)
            runs = known.runs
            run = runs.get(place)
            if run is None:
                run = runs[place] = recorder._arrive(frame, original, hook, kwargs)
            return run(args, kwargs)

        return not_counted(stand_in)

    def leave_alone(self, skip: Callable[[CodeType], object]) -> None:
        """Have ``skip`` told of the code that runs around a call, so that ``torch.compile`` does not compile it."""
        self._skip = skip
        skip(self._stand_in(len, Hook("", ("builtins.len",))).__code__)  # all have the same
        for table in list(self.tables):
            for runs in list(table.runs):
                for run in list(runs.values()):
                    skip(run.__code__)

    def _references(self, original: Callable[..., Any]) -> int:
        """Return how many references to a call's first argument are the call's own.

        They depend on how Python calls a stand-in, so they are counted in a call that is made in the same way, with
        what nobody else holds. More than these means that somebody else does.
        """
        kind = type(original)
        references = self._own_references.get(kind)
        if references is None:
            count = sys.getrefcount

            def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
                source = args[0]
                return count(source)

            def stand_in(*args: Any, **kwargs: Any) -> int:
                return run(args, kwargs)

            called: Any = like(original, stand_in)  # type: ignore[arg-type]
            by_name = kind is MethodDescriptorType  # ``t.cpu()`` binds it first
            references = called.__get__(object())() if by_name else called(object())
            self._own_references[kind] = references
        return references

    def _arrive(self, frame: FrameType, original: Callable[..., Any], hook: Hook, kwargs: dict[str, Any]) -> Run:
        """Return what makes and counts the calls of an instruction, come to for the first time in this thread."""
        run = self._run(frame, original, hook, hook.named(kwargs))
        self._skip(run.__code__)
        return run

    def arrive(self, frame: FrameType, conversion: str) -> CountedSite | None:
        """Return the site of an instruction, come to for the first time in this thread; None if it is a library's.

        What numpy or pandas does with its own functions is no conversion of the program's: it is not counted, nor is
        what is called while a call is classified. What torch does is: its loaders convert for the program.
        """
        table = self.local.table
        if len(table.codes) >= SITES:
            self.aside.extend(table.sites.values())
            table.forget()
        table.codes.append(frame.f_code)
        if self.ours(frame):
            return self._site(table, frame, conversion, "")
        return CLASSIFYING if self._packages.get(conversion) == _package(frame) else None

    def _run(self, frame: FrameType, original: Callable[..., Any], hook: Hook, conversion: str) -> Run:
        # what runs disguised has the globals of the user's module, where Exception may be something else
        recorder, getframe, clock, passed = self, sys._getframe, perf_counter, leave_no_trace
        count, of_the_call = sys.getrefcount, self._references(original)
        failure, anything, not_there, each, untimed = Exception, BaseException, IndexError, CLOSELY, UNTIMED
        position, keyword, made, classifying = hook.position, hook.keyword, hook.result, CLASSIFYING
        own, table, is_called_by = self.arrive(frame, conversion), self.local.table, _is_called_by

        nth = 0

        def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            nonlocal nth
            outer, site, before = table.busy, own, table.calling
            if outer is classifying or site is classifying:
                return original(*args, **kwargs)  # made while a call is classified, e.g. by an import
            if before is original and recorder.is_passed_on(table, getframe(2)):
                return original(*args, **kwargs)
            if outer is not None and (site is None or is_called_by(table, getframe(2))):
                table.calling = original
                try:
                    return original(*args, **kwargs)  # a part of a call that is counted
                finally:
                    table.calling = before
            if site is None:
                site = recorder.climb(table, getframe(2), conversion)
            table.busy, table.calling = site, original
            nth += 1
            try:
                if nth > each and nth & untimed:
                    result, spent = original(*args, **kwargs) if kwargs else original(*args), 0.0
                else:
                    began = clock()
                    result = original(*args, **kwargs) if kwargs else original(*args)
                    spent = clock() - began
                    if nth > each:
                        spent *= untimed + 1
                table.busy = classifying
                try:
                    held = of_the_call
                    try:
                        source = args[position]
                    except not_there:
                        source, held = kwargs.get(keyword), 0
                        if source is None and made >= 0:  # pl.Series(values), which may have a name before them
                            source = args[1] if args[1:] else None
                    # an __init__ returns nothing; to what is returned no further name is given, so that it is not held
                    cell = recorder.classify(site, source, result if made < 0 else args[made])
                    if table.allocated or table.moved:
                        cell = recorder.correct(table, site, cell, result)
                    cell.calls += 1
                    cell.seconds += spent
                    if cell.calls >= cell.next:
                        held = count(source) - held
                        recorder.inspect_closely(site, cell, source, result if made < 0 else args[made], held)
                except failure:  # counting is never the program's failure; the report says how often
                    recorder.unrecorded += 1
            except anything:
                table.allocated = table.moved = 0
                recorder.refused(site)
                passed(getframe(2))
                raise
            finally:
                table.busy, table.calling = outer, before
            return result

        return self._disguised(frame, run)

    def _disguised(self, frame: FrameType, run: Any) -> Run:
        """Return ``run`` as if it stood in the line of ``frame``: a warning names it, and is shown once for it."""
        code = frame.f_code
        disguised = run.__code__.replace(
            co_filename=not_counted_file(code.co_filename),
            co_firstlineno=frame.f_lineno,
            **all_in_one_line(run.__code__),
            **names(code),
        )
        return FunctionType(disguised, self._globals(frame), run.__name__, None, run.__closure__)

    def _globals(self, frame: FrameType) -> dict[str, Any]:
        """Return the names of the module of ``frame``, in which Python notes what it has warned of.

        They are let go with the module, or at the end. Code that is in no module gets a few names of its own.
        """
        names = frame.f_globals
        module = sys.modules.get(names.get("__name__", ""))
        if getattr(module, "__dict__", None) is frame.f_globals:
            with suppress(TypeError):  # what stands for a module need not be one
                if id(module) not in self._modules:
                    self._modules[id(module)] = weakref.ref(module, self._module_is_gone(id(module)))
                return names
        return {name: names[name] for name in ("__name__", "__builtins__") if name in names}

    def _module_is_gone(self, module: int) -> Callable[[object], None]:
        def gone(ref: object) -> None:
            self._modules.pop(module, None)
            self.release()

        return gone

    def correct(self, table: Table, site: CountedSite, cell: Cell, result: Any) -> Cell:
        """Count what a call copied beyond its result: the whole storage of a view, or a storage that it moved."""
        asked = not answers_itself(result)
        with sys.modules["torch"]._C.DisableTorchFunction():
            allocated, moved, size = table.allocated, table.moved, result.nbytes if asked else 0
        table.allocated = table.moved = 0
        if allocated and asked:
            views, within = views_copied(table, size)
            cell.bytes += allocated - (sum(views) or size)  # each of the views is counted with its own bytes
            needed = sum(views) + gradient_bytes(result)
            if views and allocated > needed:
                site.note("storage-larger", Note(copied=allocated, needed=needed, length=len(views)))
                if within or vars(result):
                    site.note("with-more")
        if moved:
            cell.bytes -= size
            cell = site.cell_for_known(cell.given, cell.got, COPIED)
            cell.bytes += moved
        return cell

    def copied_storage(self, nbytes: int) -> None:
        """Note that the call which is being made copies a storage, maybe one of several."""
        table = self.local.table
        if table.busy is not None:
            table.allocated += nbytes

    def moved_storage(self, frame: FrameType, nbytes: int, conversion: str) -> CountedSite:
        """Count a storage that was moved: for the call being made, else for the user's line behind ``frame``."""
        table, busy = self.local.table, self.busy()
        if busy is not None:
            table.moved += nbytes
            return busy
        site = self.climb(table, frame, conversion)
        site.add(COPIED, nbytes, None, None).calls += 1
        return site

    def inspect_closely(self, site: CountedSite, cell: Cell, source: Any, result: Any, held: int) -> None:
        """Have a call studied if it is one for that, and the counts put down if it is time.

        ``held`` are the references to the source that are not the call's own.
        """
        if cell.calls >= cell.close:
            cell.inspected += 1
            if site.watched:
                site.watched -= 1
            cell.close = cell.calls + 1 if cell.calls < CLOSELY or site.watched else 2 * cell.calls
            self.study(site, cell, source, result, held)
        self._read_clock(cell)
        cell.next = min(cell.next, cell.close)

    def _read_clock(self, cell: Cell) -> None:
        cell.next = cell.calls + min(cell.calls // CLOSELY + 1, OFTEN)
        now = perf_counter()
        if now > self.next_due:
            self.due(now)

    def climb(self, table: Table, frame: FrameType, conversion: str) -> CountedSite:
        """Return the site of the user's line that a call in a library was made for; else, of the library's line."""
        caller: FrameType | None = frame.f_back
        while caller is not None and not self.ours(caller):
            caller = caller.f_back
        if caller is None:
            return self._site(table, frame, conversion, "")
        return self._site(table, caller, conversion, f"{frame.f_code.co_filename}:{frame.f_lineno}")

    def _site(self, table: Table, frame: FrameType, conversion: str, via: str) -> CountedSite:
        code = frame.f_code
        function, span = getattr(code, "co_qualname", code.co_name), table.span(frame)
        # two functions of one name, or two lambdas in a line, differ in their place; a call that Python compiled twice
        # (a finally block) has one. Without columns (-X no_debug_ranges, Python 3.10) the instruction tells them apart
        instruction = frame.f_lasti if span[2] < 0 else -1
        key = (code.co_filename, code.co_firstlineno, function, span, instruction, conversion, via)
        site = table.sites.get(key)
        if site is None:
            site = table.sites[key] = CountedSite(conversion, code.co_filename, function, span, self._stack(frame), via)
        return site

    def _stack(self, frame: FrameType) -> tuple[str, ...]:
        lines: list[str] = []
        caller = frame.f_back
        while caller is not None and len(lines) < self._depth:
            if not is_of_the_tracer(caller):
                lines.append(f"{caller.f_code.co_filename}:{caller.f_lineno}")
            caller = caller.f_back
        return tuple(lines)

    def site(self, frame: FrameType, conversion: str) -> CountedSite:
        """Return the site of the line that ``frame`` is in."""
        return self._site(self.local.table, frame, conversion, "")

    def count_unreturned(self, site: CountedSite, source: Any, outcome: str, seconds: float) -> None:
        """Count a call of which only the source is known."""
        dtype_of = sys.modules["numpy"].ndarray.dtype.__get__  # ``source.dtype`` may be code of the program
        cell = site.cell_for(dtype_of(source), None, outcome)
        self._add(cell, seconds)
        if cell.sample is None:
            self.study(site, cell, source, UNSEEN, 1)

    def refused(self, site: CountedSite) -> None:
        """Count a call that raised."""
        self._add(site.cell_for(None, None, REFUSED), 0.0)

    def _add(self, cell: Cell, seconds: float) -> None:
        cell.calls += 1
        cell.seconds += seconds
        if cell.calls >= cell.next:
            self._read_clock(cell)


def _is_called_by(table: Table, frame: FrameType) -> bool:
    """Return True if the call comes from the stand-in in C that ``frame`` is calling, which has no frame of its own."""
    return table.frame == id(frame) and table.instruction == frame.f_lasti


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def _nothing_there(site: CountedSite, source: Any, result: Any, alone: bool | None = None) -> Cell:
    return site.add(UNDECIDABLE, 0, None, None)
