"""The hazards: what raises nothing and still causes trouble. Each is one entry: its code, how it is detected, its page.

``detect`` gets a judged row, and yields a sentence for each time that the hazard shows in it. The entries stand in the
order in which a row shows its hazards, the worst first.

The records are imported where a hazard is detected: ``list`` and ``explain`` start without them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Literal

from tensorbridge_cli.catalog import carriers
from tensorbridge_cli.catalog.pitfalls import Pitfall
from tensorbridge_cli.compat import dataclass
from tensorbridge_cli.records.enums import Direction, Library, Outcome, Values, Write
from tensorbridge_cli.records.words import listed

if TYPE_CHECKING:
    from tensorbridge_cli.records.report import Hazard, Object, Report, Row


@dataclass(frozen=True)
class Case:
    """A row whose hazards are looked for, with the ``copy=`` keyword that the conversion was called with."""

    row: Row
    copy: bool | None

    @property
    def has_both(self) -> bool:
        """True if both objects are known, and the result is an array or a tensor, or holds some."""
        source, result = self.row.source, self.row.result
        if source is None or result is None:
            return False
        return (result.shape, result.dtype, result.nbytes) != (None, None, None)  # a dict has bytes alone

    @property
    def source(self) -> Object:
        """The source, of a case that has both."""
        assert self.row.source is not None
        return self.row.source

    @property
    def result(self) -> Object:
        """The result, of a case that has both."""
        assert self.row.result is not None
        return self.row.result

    @property
    def shared(self) -> bool:
        """True if the result shares the source's memory."""
        return self.row.outcome is Outcome.SHARED

    @property
    def reshaped(self) -> bool:
        """True if both shapes are known, and differ."""
        return None not in (self.source.shape, self.result.shape) and self.source.shape != self.result.shape

    @property
    def recast(self) -> bool:
        """True if both dtypes are known, and differ."""
        return None not in (self.source.dtype, self.result.dtype) and self.source.dtype != self.result.dtype


Detect = Callable[[Case], Iterator[str]]


@dataclass(frozen=True, kw_only=True)
class HazardKind:
    """One hazard.

    Attributes:
        name: its name, in a report and on the command line.
        code: its short code; it never changes its meaning and is never used again. A new hazard takes the next one.
        detect: yields a sentence for each time that it shows in a case.
        of_both: ``detect`` compares the result with the source, and is called only if both are known.
        summary: what it is, in a sentence without capital and full stop.
        evidence: how it is detected.
        risk: what follows from it.
        instead: what to write.
        pitfalls: experiments that have it; none if no conversion of the catalogue is known to.
        issue: a report of someone who had it.
        meant: a conversion that is there to change this does not have the hazard.
        asserted: what the script of a row asserts to show it, a key of a clause's ``about``.
        no_remedy: why no other code is written to avoid it, if none is.
    """

    name: str
    code: str
    detect: Detect
    of_both: bool = True
    summary: str
    evidence: str
    risk: str
    instead: str
    pitfalls: tuple[Pitfall, ...] = ()
    issue: str = ""
    meant: Literal["", "dtype", "shape", "values"] = ""
    asserted: str = ""
    no_remedy: str = ""


# How each is detected -----------------------------------------------------------------------------


def _write_kills(case: Case) -> Iterator[str]:
    crash, writes = case.row.crash, case.row.writes
    for write, target in ((writes.source_to_result, "source"), (writes.result_to_source, "result")):
        if write is Write.CRASHED and crash is not None:
            yield f"writing to the {target} crashes the process: {crash.signal or f'exit code {crash.exit_code}'}"


def _written_though_refused(case: Case) -> Iterator[str]:
    for cell in case.row.evidence.cells:
        if cell.refused:
            index = f"[{', '.join(map(str, cell.index))}]"
            other = cell.result_after if cell.wrote == "source" else cell.source_after
            side = "result" if cell.wrote == "source" else "source"
            shows = f", and so is the {side}'s" if other == cell.written != cell.before else ""
            yield f"the write raised, but element {index} of the {cell.wrote} is now {cell.written}{shows}"


def _source_moved(case: Case) -> Iterator[str]:
    moves = [change for change in case.row.source_changes if change.fact in ("storage", "address")]
    if moves:
        copied = sum(change.copied_bytes for change in moves)
        size = f" ({copied:,} bytes were copied)" if copied else ""
        yield f"the source moved to other memory{size}: objects that shared its memory no longer do"


def _source_changed(case: Case) -> Iterator[str]:
    changes = [change for change in case.row.source_changes if change.fact not in ("storage", "address", "lazy")]
    if changes:
        facts = ", ".join(f"{_FACTS[change.fact]} {change.before} became {change.after}" for change in changes)
        yield f"the source itself changed: {facts}"


_FACTS = {
    "type": "its type",
    "dtype": "its dtype",
    "shape": "its shape",
    "strides": "its strides",
    "writable": "writable:",
    "requires_grad": "requires_grad",
    "is_leaf": "is_leaf",
    "version": "its version counter of in-place writes:",
    "values": "the first changed value",
    "bytes": "its bytes:",
}


def _global_state_changed(case: Case) -> Iterator[str]:
    if case.row.global_state:
        yield "; ".join(case.row.global_state)


def _owner_not_kept(case: Case) -> Iterator[str]:
    if case.row.relation.overlaps and case.row.relation.owner_kept is False:
        yield "use after free: the result does not keep the source's memory alive"


def _readonly_dropped(case: Case) -> Iterator[str]:
    if case.source.writable is False and case.result.writable and case.shared:
        yield "the source is read-only but the result, sharing its memory, is writable"


def _immutable_written(case: Case) -> Iterator[str]:
    writes = case.row.writes
    for obj, name, write, other in (
        (case.source, "source", writes.result_to_source, "result"),
        (case.result, "result", writes.source_to_result, "source"),
    ):
        if obj.immutable and write is Write.SEEN:
            yield f"a write to the {other} changes the {name}, although {obj.type} is immutable"


def _copy_flag_broken(case: Case) -> Iterator[str]:
    outcome = case.row.outcome
    if case.copy is not None and outcome in (Outcome.SHARED, Outcome.COPIED) and case.copy is case.shared:
        yield f"called with copy={case.copy}, but the memory is {outcome}"


_NESTED = ("Array(", "Struct(")
"""How polars names what has several numbers an element: an array of one dimension more has the same numbers."""


def _dtype_reinterpreted(case: Case) -> Iterator[str]:
    nested = str(case.source.dtype).startswith(_NESTED)
    if case.row.values is Values.CHANGED and case.shared and case.recast and not nested:
        yield f"the bytes of {case.source.dtype} are read as {case.result.dtype}"


def _values_changed(case: Case) -> Iterator[str]:
    source, result = case.source, case.result
    # a dict, which has neither shape nor dtype, may hold the same values in another order
    is_dict = (result.shape, result.dtype) == (None, None)
    has_both_shapes_or_none = (source.shape is None) == (result.shape is None)
    if case.row.values is Values.CHANGED and has_both_shapes_or_none and not (is_dict or case.reshaped):
        yield case.row.evidence.difference or "the values differ"


def _dtype_changed(case: Case) -> Iterator[str]:
    if case.recast and case.result.dtype != case.row.to_dtype:
        yield f"{case.source.dtype} became {case.result.dtype}, although no other dtype was requested"


def _shape_changed(case: Case) -> Iterator[str]:
    if case.reshaped:
        yield f"{_shape(case.source.shape)} became {_shape(case.result.shape)}"


def _shape(shape: tuple[int, ...] | None) -> str:
    return "×".join(map(str, shape)) if shape else "0-d"


def _loses_grad(case: Case) -> bool:
    return bool(case.source.requires_grad and not case.result.requires_grad)


def _grad_lost(case: Case) -> Iterator[str]:
    if _loses_grad(case):
        yield "the source requires grad, the result does not: gradients do not flow back"


def _grad_wrong(case: Case) -> Iterator[str]:
    if case.row.writes.autograd_notices is False:
        yield "autograd does not detect a write to the result: gradients are silently wrong"


def _mask_lost(case: Case) -> Iterator[str]:
    # where all values are equal, no element was masked
    if case.source.masked and not case.result.masked and case.row.values is not Values.EQUAL:
        yield "the mask is lost; masked elements show their underlying values"


_PLAIN_TYPES = frozenset({"numpy.ndarray", "numpy.memmap", "numpy.ma.MaskedArray", "torch.Tensor"})


def _subclass_lost(case: Case) -> Iterator[str]:
    of_either = case.row.subject.library in (Library.NUMPY, Library.TORCH)
    subclass = of_either and case.source.strides is not None and case.source.type not in _PLAIN_TYPES
    # a Parameter whose gradient is lost is no Parameter: that is said once, as grad-lost
    if subclass and case.result.type != case.source.type and not _loses_grad(case):
        yield f"{case.source.type} became {case.result.type}"


def _elements_overlap(case: Case) -> Iterator[str]:
    if case.result.elements_overlap and case.result.writable and not case.row.relation.same_object:
        yield "elements of the result share memory: one write changes several elements"


def _misaligned(case: Case) -> Iterator[str]:
    if case.result.aligned is False:
        yield f"the result's address is not aligned for {case.result.dtype}"


def _nested_objects_shared(case: Case) -> Iterator[str]:
    relation = case.row.relation
    if relation.shared_objects and not relation.overlaps:
        count = relation.shared_objects
        shared = "1 object in it is" if count == 1 else f"{count} objects in it are"
        yield f"the array is a copy, but {shared} shared"


def _partly_shared(case: Case) -> Iterator[str]:
    if copied := case.row.relation.copied_parts:
        named = listed(copied, 3)
        are = "is a copy" if len(copied) == 1 else "are copies"
        yield f"{named} of the result {are}, and the rest shares the source's memory"


def _uninitialized(case: Case) -> Iterator[str]:
    if case.result.filled is False:
        yield "the result is uninitialized memory: its values are arbitrary"


_COPIED_ALONG = 2
_KEPT_ALIVE = 8
"""How many times the bytes of its elements a storage has that is much larger: one that was copied, one that is shared.

A copy need not have more than its elements. A view of a part has the storage of the whole by its nature, and that is
worth a word if ``torch.save`` of one row writes the data set; a step of 2 along both axes, 4 times, is not.
"""


def _storage_larger(case: Case) -> Iterator[str]:
    extents = case.row.evidence.extents.result
    if len(extents) != 1 or case.row.relation.same_object:
        return
    elements = prod(extents[0].shape) * extents[0].itemsize
    storage = int(extents[0].storage_stop, 16) - int(extents[0].storage_start, 16)
    is_tensor = case.result.is_leaf is not None
    if case.row.outcome is Outcome.COPIED and elements and storage >= _COPIED_ALONG * elements:
        who = "the copy has"
    elif case.shared and is_tensor and elements and storage >= _KEPT_ALIVE * elements:
        who = "torch.save and pickle write"
    else:
        return
    times = f"{storage / elements:,.1f}".removesuffix(".0")
    yield f"{who} the whole storage of {storage:,} bytes, {times} times the {elements:,} bytes of its elements"


_UNFINISHED = re.compile(r"\b(alpha|beta|prototype|experimental|preview)\b", re.IGNORECASE)
"""What a warning says of a feature's age: it says nothing about what the conversion did."""


def _warned_once_only(case: Case) -> Iterator[str]:
    once = [warned for warned in case.row.warnings if warned.once and not _UNFINISHED.search(warned.message)]
    if once:
        yield f"PyTorch shows this {once[0].category} only once per process"


def _copies_on_write(obj: Object) -> bool:
    return obj.type in carriers.BY_TYPE and carriers.BY_TYPE[obj.type].copies_on_write


def _evidence_conflicts(case: Case) -> Iterator[str]:
    relation = case.row.relation
    forward, back, overlaps = case.row.writes.source_to_result, case.row.writes.result_to_source, relation.overlaps
    # copy-on-write: a Series whose memory others have, too, moves when it is written, and so does an image
    if any(
        write is Write.NOT_SEEN and _copies_on_write(obj)
        for write, obj in ((forward, case.source), (back, case.result))
    ):
        return
    if {forward, back} == {Write.SEEN, Write.NOT_SEEN}:
        way = "the source changes the result" if forward is Write.SEEN else "the result changes the source"
        yield f"only a write to {way}, not the other way round"
    elif Write.SEEN in (forward, back) and overlaps is False:
        yield "a write to one changes the other, although no bytes overlap"
    elif Write.NOT_SEEN in (forward, back) and overlaps and relation.overlaps_after_writes is not False:
        yield "no write to one changes the other, although the bytes overlapped before it"


# The entries --------------------------------------------------------------------------------------

HAZARDS: tuple[HazardKind, ...] = (
    HazardKind(
        name="write-kills",
        code="TB106",
        detect=_write_kills,
        of_both=False,
        summary="writing to one of the objects crashes the process",
        evidence="The write was made in a child process, which crashed.",
        risk="The program ends with SIGSEGV: no exception, no traceback.",
        instead="torch.from_numpy(x.copy()), or map with mmap_mode='c'.",
        pitfalls=(
            Pitfall(
                text="Writing to a tensor over a read-only memory map crashes.",
                conversion="torch.from_numpy",
                state="memory-mapped+read-only",
            ),
        ),
    ),
    HazardKind(
        name="written-though-refused",
        code="TB121",
        detect=_written_though_refused,
        of_both=False,
        summary="a write to one of the objects raised, but changed the element nevertheless",
        evidence="After a write that raised, the element's bytes and value are compared with those before.",
        risk="A program that catches the exception continues with changed data.",
        instead="Write under torch.inference_mode(), or to x.clone().",
        pitfalls=(
            Pitfall(
                text="PyTorch writes to an inference tensor first and checks afterwards.",
                conversion="Tensor.numpy",
                state="inference",
            ),
        ),
        no_remedy="it is the object's own: every conversion of it has it",
    ),
    HazardKind(
        name="source-moved",
        code="TB120",
        detect=_source_moved,
        of_both=False,
        summary="the conversion moved the source to other memory",
        evidence="The addresses of the source and of its storage are compared before and after the conversion.",
        risk="An array created with x.numpy() before the move reads freed memory, and writes to it do not reach the "
        "tensor.",
        instead="Move the tensor first, and create arrays and views of it afterwards.",
        pitfalls=(
            Pitfall(
                text="share_memory_() moves the storage to shared memory and frees the old one.",
                conversion="Tensor.share_memory_",
            ),
            Pitfall(
                text="So does putting a tensor on a torch.multiprocessing queue.",
                conversion="ForkingPickler",
            ),
        ),
    ),
    HazardKind(
        name="source-changed",
        code="TB119",
        detect=_source_changed,
        of_both=False,
        summary="the conversion changed its source",
        evidence="The source's type, dtype, shape, strides, flags, gradient, version counter and values are compared "
        "before and after the conversion.",
        risk="Other code that uses the source gets a changed object, e.g. a parameter that no longer requires grad "
        "and is not trained.",
        instead="Convert a copy: x.clone() or x.copy().",
    ),
    HazardKind(
        name="global-state-changed",
        code="TB117",
        detect=_global_state_changed,
        of_both=False,
        summary="the conversion changed global state of the process",
        evidence="Global state is compared before and after a conversion that you registered or passed as --code: "
        "default dtype and device, grad and inference mode, print options, working directory, environment variables, "
        "resource limits, signal handlers, functions of np and torch. Each of these conversions runs in a separate "
        "process, so other rows are not affected.",
        risk="All later code in the same process runs with the changed state.",
        instead="Change it in a with block, e.g. with torch.inference_mode(), or restore it in a finally block.",
    ),
    HazardKind(
        name="owner-not-kept",
        code="TB115",
        detect=_owner_not_kept,
        summary="use after free: the result does not keep the source's memory alive",
        evidence="The bytes overlap. In a child process the source is deleted while the result is alive, and its "
        "memory is freed.",
        risk="The result contains unrelated data once the memory is reused.",
        instead="Keep a reference to the source as long as the result is used, or copy.",
        issue="https://github.com/pytorch/pytorch/issues/51849",
    ),
    HazardKind(
        name="readonly-dropped",
        code="TB105",
        detect=_readonly_dropped,
        summary="the source is read-only but the result, sharing its memory, is writable",
        evidence="The source's writeable flag is off and a write to it raised. A write to the result, over the same "
        "bytes, succeeded.",
        risk="A write changes a cached, interned or mapped buffer for all its other users. If the buffer is a "
        "read-only memory map, the write crashes the process.",
        instead="torch.from_numpy(x.copy()), or torch.tensor(x).",
        pitfalls=(
            Pitfall(
                text="The tensor of a read-only array is writable: tensors have no read-only flag.",
                conversion="torch.from_numpy",
                state="read-only",
            ),
        ),
        issue="https://github.com/pytorch/pytorch/issues/5442",
    ),
    HazardKind(
        name="immutable-written",
        code="TB124",
        detect=_immutable_written,
        summary="a write through one object changes another that its library calls immutable",
        evidence="One of the objects is of an immutable type, e.g. bytes. A write to the other object was made, and "
        "the immutable object has another value.",
        risk="An object that nobody can change is different: a key of a dictionary is not found again, a constant or "
        "an interned object changes for the whole program.",
        instead="Convert a copy, e.g. torch.frombuffer(bytearray(x), dtype=torch.uint8).",
        pitfalls=(
            Pitfall(
                text="A tensor over bytes writes to them.",
                conversion="torch.frombuffer",
                expr="bytes(8)",
            ),
        ),
    ),
    HazardKind(
        name="copy-flag-broken",
        code="TB107",
        detect=_copy_flag_broken,
        summary="shared despite copy=True, or copied despite copy=False",
        evidence="The conversion was called with copy=True and a write to one object changed the other, or with "
        "copy=False and it did not.",
        risk="With copy=True, writes still change the source. With copy=False, an unexpected copy costs time and "
        "memory, and writes do not reach the source.",
        instead="Compare data pointers, or use functions that always share or always copy: torch.from_numpy, "
        "torch.tensor.",
        pitfalls=(
            Pitfall(
                text="torch.asarray(copy=False) silently copies a 0-d array.",
                conversion="torch.asarray(copy=False)",
                shape="()",
            ),
        ),
    ),
    HazardKind(
        name="dtype-reinterpreted",
        code="TB102",
        detect=_dtype_reinterpreted,
        summary="the same bytes are read as another dtype",
        evidence="The bytes overlap, and both the dtypes and the values differ.",
        risk="Floats are read as integers, which gives meaningless numbers, often noticed only much later in the "
        "program.",
        instead="Pass the array's own dtype and convert the values afterwards: .to(torch.int32).",
        pitfalls=(
            Pitfall(
                text="torch.frombuffer reads the bytes with whatever dtype it is given.",
                conversion="torch.frombuffer",
                to_dtype="int32",
            ),
        ),
        meant="dtype",
        asserted="values",
    ),
    HazardKind(
        name="values-changed",
        code="TB101",
        detect=_values_changed,
        summary="the result's values differ from the source's",
        evidence="All elements are compared before anything is written (large arrays: a sample of 8 to 16).",
        risk="Wrong values are used, trained on or saved, and no error is raised.",
        instead="Resolve lazy bits first: x.resolve_neg() or x.resolve_conj().",
        pitfalls=(
            Pitfall(
                text="np.from_dlpack ignores the negative bit.",
                conversion="np.from_dlpack",
                state="negative-bit",
            ),
        ),
        meant="values",
        asserted="values",
    ),
    HazardKind(
        name="dtype-changed",
        code="TB103",
        detect=_dtype_changed,
        summary="the dtype changed although no other dtype was requested",
        evidence="The dtypes of both objects are compared. A dtype that was requested is not reported.",
        risk="The result needs more memory or has less precision or range.",
        instead="Pass the dtype if the call accepts one, and check the dtype of the result.",
        pitfalls=(
            Pitfall(
                text="np.from_dlpack returns int8 for an int4 tensor.",
                conversion="np.from_dlpack",
                dtype="int4",
            ),
        ),
        meant="dtype",
        asserted="dtype",
    ),
    HazardKind(
        name="shape-changed",
        code="TB104",
        detect=_shape_changed,
        summary="the result's shape differs from the source's",
        evidence="The shapes of both objects are compared. Conversions that are meant to reshape are not reported.",
        risk="A 0-d array becomes 1-d and broadcasts differently.",
        instead="np.asarray(x, order='C') keeps 0-d.",
        pitfalls=(
            Pitfall(
                text="np.ascontiguousarray makes a 0-d array 1-d.",
                conversion="np.ascontiguousarray",
                shape="()",
                direction=Direction.NUMPY_TO_NUMPY,
            ),
        ),
        meant="shape",
        asserted="shape",
    ),
    HazardKind(
        name="grad-lost",
        code="TB108",
        detect=_grad_lost,
        summary="the source requires grad and the result does not",
        evidence="requires_grad is True for the source and False for the result.",
        risk="Part of the model is not trained: its gradient is None, or the loss does not depend on it.",
        instead="x.clone() keeps the graph. If you want no gradient, x.detach() makes it explicit.",
        pitfalls=(
            Pitfall(
                text="torch.tensor returns a new leaf with requires_grad=False.",
                conversion="torch.tensor",
                state="requires-grad",
            ),
        ),
        asserted="requires-grad",
    ),
    HazardKind(
        name="grad-wrong",
        code="TB109",
        detect=_grad_wrong,
        summary="autograd does not notice an in-place write to the result, and computes wrong gradients",
        evidence="y = source * source is computed, the result is modified in place, and backward() is run. It raised "
        "nothing, and the gradient is that of the new values instead of the values that were used.",
        risk="Training continues with wrong gradients, without an exception or a warning. PyTorch's version counter "
        "detects writes through tensors, their views and detach(), but not through a NumPy array or .data.",
        instead="Write to a copy: x.detach().clone().numpy(). In PyTorch, use x.detach() instead of x.data: "
        "backward() raises after a write.",
        pitfalls=(
            Pitfall(
                text="Writing to an array that shares the memory of a tensor that requires grad.",
                conversion="Tensor.detach().numpy()",
                state="requires-grad",
            ),
            Pitfall(
                text="Writes through .data are not detected; writes through detach() are.",
                conversion="Tensor.data",
                state="requires-grad",
            ),
        ),
        issue="https://docs.pytorch.org/docs/stable/notes/autograd.html",
    ),
    HazardKind(
        name="mask-lost",
        code="TB110",
        detect=_mask_lost,
        summary="the mask of a masked array is lost",
        evidence="A numpy.ma.MaskedArray (or a subclass) became another type, and not all values are equal.",
        risk="Fill values such as -9999 or 1e20 are treated as data.",
        instead="Convert x.filled(0) and x.mask to two tensors.",
        pitfalls=(Pitfall(text="Tensors have no mask.", conversion="torch.from_numpy", state="masked"),),
        asserted="type",
    ),
    HazardKind(
        name="subclass-lost",
        code="TB111",
        detect=_subclass_lost,
        summary="the subclass and its behaviour are lost",
        evidence="The source is of a subclass, and the result is of another type.",
        risk="Units, names, metadata or redefined operators are lost.",
        instead="Keep the metadata separately. Between arrays, np.asanyarray keeps the subclass.",
        pitfalls=(
            Pitfall(
                text="A np.matrix becomes a plain tensor.",
                conversion="torch.from_numpy",
                state="matrix",
            ),
        ),
        asserted="type",
    ),
    HazardKind(
        name="elements-overlap",
        code="TB112",
        detect=_elements_overlap,
        summary="elements of the result share memory: one write changes several elements",
        evidence="By its strides, at least two elements of the result use the same byte, and the result is writable.",
        risk="One write changes several elements. In-place operations such as x += 1 give undefined results.",
        instead="x.clone() or x.contiguous() before numpy().",
        pitfalls=(
            Pitfall(
                text="The array of an expanded tensor is writable.",
                conversion="Tensor.numpy",
                layout="broadcast",
            ),
        ),
        issue="https://github.com/pytorch/pytorch/issues/957",
    ),
    HazardKind(
        name="misaligned",
        code="TB113",
        detect=_misaligned,
        summary="the result's address is not aligned for its dtype",
        evidence="The result's address is not a multiple of its dtype's alignment.",
        risk="Slow on some machines, a crash (SIGBUS) on others. Vectorised kernels may assume alignment.",
        instead="torch.from_numpy(x.copy()): a copy is aligned.",
        pitfalls=(
            Pitfall(
                text="The tensor of an unaligned array is unaligned, too.",
                conversion="torch.from_numpy",
                layout="unaligned",
            ),
        ),
    ),
    HazardKind(
        name="nested-objects-shared",
        code="TB114",
        detect=_nested_objects_shared,
        summary="the array was copied, but not the objects in it",
        evidence="No bytes overlap, and both arrays refer to the same Python objects.",
        risk="Changing an object in the copy, e.g. a list, changes it in the original, too.",
        instead="copy.deepcopy(x).",
        pitfalls=(
            Pitfall(
                text="The copy of an object array refers to the same objects.",
                conversion="ndarray.copy",
                dtype="object",
            ),
        ),
    ),
    HazardKind(
        name="partly-shared",
        code="TB125",
        detect=_partly_shared,
        of_both=False,
        summary="some parts of the result share the source's memory, and others are copies",
        evidence="The bytes of each array and tensor in a list, a dict or another container are compared with those of "
        "the source.",
        risk="An in-place change of one part changes the source, the same change of another part does not.",
        instead="Copy every part, or none: {key: torch.tensor(value) for key, value in x.items()}.",
        no_remedy="which parts are meant to be copies is not known",
    ),
    HazardKind(
        name="uninitialized",
        code="TB123",
        detect=_uninitialized,
        summary="the result is uninitialized memory",
        evidence="The conversion is run three times, in memory filled beforehand with pattern A, B and A again: the "
        "result shows the pattern.",
        risk="The values are arbitrary: perhaps zeros in a test, and anything in production.",
        instead="torch.tensor(x), or torch.from_numpy(x.copy()).",
        pitfalls=(
            Pitfall(
                text="torch.Tensor takes the value of a 0-d array as a size.",
                conversion="torch.Tensor",
                shape="()",
                dtype="uint8",
                direction=Direction.NUMPY_TO_TORCH,
            ),
        ),
    ),
    HazardKind(
        name="storage-larger",
        code="TB122",
        detect=_storage_larger,
        summary="the result has few elements but a large storage",
        evidence="The size of the result's storage is compared with the size of its elements. Copies are reported at "
        "a factor of 2 or more, tensors that share memory at 8 or more.",
        risk="torch.save, pickle and queues write the whole storage: ten elements may take megabytes.",
        instead="x.clone() has a storage for its own elements only.",
        pitfalls=(
            Pitfall(
                text="copy.deepcopy of a view copies the whole storage.",
                conversion="copy.deepcopy",
                layout="non-contiguous",
            ),
        ),
        issue="https://github.com/pytorch/pytorch/issues/40157",
    ),
    HazardKind(
        name="warned-once-only",
        code="TB116",
        detect=_warned_once_only,
        summary="PyTorch shows the warning only once per process",
        evidence="The conversion is called twice in a fresh process: the second call does not warn.",
        risk="Only the first call warns, perhaps during an import. Later problems of the same kind stay silent.",
        instead="Use torch.set_warn_always(True) to see every warning, and fix the cause.",
        pitfalls=(
            Pitfall(
                text="torch.from_numpy warns once about read-only arrays.",
                conversion="torch.from_numpy",
                state="read-only",
            ),
        ),
    ),
    HazardKind(
        name="evidence-conflicts",
        code="TB118",
        detect=_evidence_conflicts,
        summary="writes and addresses contradict each other",
        evidence="A write to one object changed the other although no bytes overlap, or did not change it although "
        "some do.",
        risk="The outcome is less certain. Writes count more than addresses, and objects whose bytes overlap are "
        "never reported as copied.",
        instead="Please report it, with the output of tensorbridge inspect … --format json.",
        no_remedy="it is a question about the evidence, not about the code",
    ),
)

BY_NAME = {hazard.name: hazard for hazard in sorted(HAZARDS, key=lambda hazard: hazard.code)}
"""Each by its name, in the order of the codes."""


def detect(row: Row, copy: bool | None, changes: tuple[str, ...]) -> tuple[Hazard, ...]:
    """Return the hazards of ``row``, the worst first.

    ``copy`` is the keyword that the conversion was called with; ``changes`` is what it is there to change (``dtype``,
    ``shape``, ``values``), so that a change of it is not a hazard.
    """
    from tensorbridge_cli.records.report import Hazard

    case = Case(row, copy)
    has_both = case.has_both
    return tuple(
        Hazard(code=hazard.name, detail=detail, id=hazard.code)
        for hazard in HAZARDS
        if hazard.meant not in changes and (has_both or not hazard.of_both)
        for detail in hazard.detect(case)
    )


class UnknownHazardError(Exception):
    """A report that was read has a hazard that is not in the catalogue."""


def with_codes(report: Report) -> Report:
    """Return a report that was read with the code of each hazard: those of earlier versions have none.

    Raises:
        UnknownHazardError: if a hazard is not one of these.
    """
    return replace(report, observations=tuple(map(with_codes_of, report.observations)))


def known(name: str) -> HazardKind:
    """Return the hazard called ``name`` in a report that was read.

    Raises:
        UnknownHazardError: if there is none.
    """
    if name not in BY_NAME:
        raise UnknownHazardError(f"{name!r} is not a hazard that this version knows")
    return BY_NAME[name]


def with_codes_of(row: Row) -> Row:
    """Return a row that was read with the code of each hazard.

    Raises:
        UnknownHazardError: if a hazard is not one of these.
    """
    coded = tuple(replace(hazard, id=known(hazard.code).code) for hazard in row.hazards)
    return row if coded == row.hazards else replace(row, hazards=coded)
