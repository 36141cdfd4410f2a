"""The hazards: what will bite although nothing raised, each with how it is seen and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from tensorbridge_cli.catalog.pitfalls import Trip
from tensorbridge_cli.records.report import Direction, HazardCode


@dataclass(frozen=True, kw_only=True)
class Explained:
    """What is to be said of a hazard.

    Attributes:
        summary: what it is, in a sentence without capital and full stop.
        evidence: by what it is seen.
        bites: what comes of it.
        instead: what to write.
        trips: experiments that have it; none where no conversion of the catalogue is known to.
        issue: a report of someone whom it bit.
    """

    summary: str
    evidence: str
    bites: str
    instead: str
    trips: tuple[Trip, ...] = ()
    issue: str = ""


HAZARDS: dict[HazardCode, Explained] = {
    HazardCode.VALUES_CHANGED: Explained(
        summary="the result's values differ from the source's",
        evidence="All elements are compared before anything is written (large arrays: a sample of 8 to 16).",
        bites="Wrong values are used, trained on or saved, and no error is raised.",
        instead="Resolve lazy bits first: x.resolve_neg() or x.resolve_conj().",
        trips=(
            Trip(
                text="np.from_dlpack ignores the negative bit.",
                shows="values-changed",
                conversion="np.from_dlpack",
                state="negative-bit",
            ),
        ),
    ),
    HazardCode.DTYPE_REINTERPRETED: Explained(
        summary="the same bytes are read as another dtype",
        evidence="The bytes overlap, and both the dtypes and the values differ.",
        bites="Floats are read as integers, which gives meaningless numbers, often noticed only much later in the "
        "program.",
        instead="Pass the array's own dtype and convert the values afterwards: .to(torch.int32).",
        trips=(
            Trip(
                text="torch.frombuffer reads the bytes with whatever dtype it is given.",
                shows="dtype-reinterpreted",
                conversion="torch.frombuffer",
                to_dtype="int32",
            ),
        ),
    ),
    HazardCode.DTYPE_CHANGED: Explained(
        summary="the dtype changed although no other dtype was requested",
        evidence="The dtypes of both objects are compared. A dtype that was requested is not reported.",
        bites="The result needs more memory or has less precision or range.",
        instead="Pass the dtype if the call accepts one, and check the dtype of the result.",
        trips=(
            Trip(
                text="np.from_dlpack returns int8 for an int4 tensor.",
                shows="dtype-changed",
                conversion="np.from_dlpack",
                dtype="int4",
            ),
        ),
    ),
    HazardCode.SHAPE_CHANGED: Explained(
        summary="the result's shape differs from the source's",
        evidence="The shapes of both objects are compared. Conversions that are meant to reshape are not reported.",
        bites="A 0-d array becomes 1-d and broadcasts differently.",
        instead="np.asarray(x, order='C') keeps 0-d.",
        trips=(
            Trip(
                text="np.ascontiguousarray makes a 0-d array 1-d.",
                shows="shape-changed",
                conversion="np.ascontiguousarray",
                shape="()",
                direction=Direction.NUMPY_TO_NUMPY,
            ),
        ),
    ),
    HazardCode.READONLY_DROPPED: Explained(
        summary="the source is read-only but the result, sharing its memory, is writable",
        evidence="The source's writeable flag is off and a write to it raised. A write to the result, over the same "
        "bytes, succeeded.",
        bites="A write changes a cached, interned or mapped buffer for all its other users. If the buffer is a "
        "read-only memory map, the write crashes the process.",
        instead="torch.from_numpy(x.copy()), or torch.tensor(x).",
        trips=(
            Trip(
                text="The tensor of a read-only array is writable: tensors have no read-only flag.",
                shows="readonly-dropped",
                conversion="torch.from_numpy",
                state="read-only",
            ),
        ),
        issue="https://github.com/pytorch/pytorch/issues/5442",
    ),
    HazardCode.WRITE_KILLS: Explained(
        summary="writing to one of the objects crashes the process",
        evidence="The write was made in a child process, which crashed.",
        bites="The program ends with SIGSEGV: no exception, no traceback.",
        instead="torch.from_numpy(x.copy()), or map with mmap_mode='c'.",
        trips=(
            Trip(
                text="Writing to a tensor over a read-only memory map crashes.",
                shows="write-kills",
                conversion="torch.from_numpy",
                state="memory-mapped+read-only",
            ),
        ),
    ),
    HazardCode.COPY_FLAG_BROKEN: Explained(
        summary="copy=True shared, or copy=False copied",
        evidence="The conversion was called with copy=True and a write to one object changed the other, or with "
        "copy=False and it did not.",
        bites="With copy=True, writes still change the source. With copy=False, an unexpected copy costs time and "
        "memory, and writes do not reach the source.",
        instead="Compare data pointers, or use functions that always share or always copy: torch.from_numpy, "
        "torch.tensor.",
        trips=(
            Trip(
                text="torch.asarray(copy=False) silently copies a 0-d array.",
                shows="copy-flag-broken",
                conversion="torch.asarray(copy=False)",
                shape="()",
            ),
        ),
    ),
    HazardCode.GRAD_LOST: Explained(
        summary="the source requires grad and the result does not",
        evidence="requires_grad is True for the source and False for the result.",
        bites="Part of the model is not trained: its gradient is None, or the loss does not depend on it.",
        instead="x.clone() keeps the graph. If you want no gradient, x.detach() makes it explicit.",
        trips=(
            Trip(
                text="torch.tensor returns a new leaf with requires_grad=False.",
                shows="grad-lost",
                conversion="torch.tensor",
                state="requires-grad",
            ),
        ),
    ),
    HazardCode.GRAD_WRONG: Explained(
        summary="autograd does not notice an in-place write to the result, and computes wrong gradients",
        evidence="y = source * source is computed, the result is modified in place, and backward() is run. It raised "
        "nothing, and the gradient is that of the new values instead of the values that were used.",
        bites="Training continues with wrong gradients, without an exception or a warning. PyTorch's version counter "
        "detects writes through tensors, their views and detach(), but not through a NumPy array or .data.",
        instead="Write to a copy: x.detach().clone().numpy(). In PyTorch, use x.detach() instead of x.data: "
        "backward() raises after a write.",
        trips=(
            Trip(
                text="Writing to an array that shares the memory of a tensor that requires grad.",
                shows="grad-wrong",
                conversion="Tensor.detach().numpy()",
                state="requires-grad",
            ),
            Trip(
                text="Writes through .data are not detected; writes through detach() are.",
                shows="grad-wrong",
                conversion="Tensor.data",
                state="requires-grad",
            ),
        ),
        issue="https://docs.pytorch.org/docs/stable/notes/autograd.html",
    ),
    HazardCode.MASK_LOST: Explained(
        summary="the mask of a masked array is lost",
        evidence="The source is a numpy.ma.MaskedArray (or a subclass), and the result is not.",
        bites="Fill values such as -9999 or 1e20 are treated as data.",
        instead="Convert x.filled(0) and x.mask to two tensors.",
        trips=(Trip(text="Tensors have no mask.", shows="mask-lost", conversion="torch.from_numpy", state="masked"),),
    ),
    HazardCode.SUBCLASS_LOST: Explained(
        summary="the subclass and its behaviour are lost",
        evidence="The source is of a subclass, and the result is of another type.",
        bites="Units, names, metadata or redefined operators are lost.",
        instead="Keep the metadata separately. Between arrays, np.asanyarray keeps the subclass.",
        trips=(
            Trip(
                text="A np.matrix becomes a plain tensor.",
                shows="subclass-lost",
                conversion="torch.from_numpy",
                state="matrix",
            ),
        ),
    ),
    HazardCode.ELEMENTS_OVERLAP: Explained(
        summary="elements of the result share memory: one write changes several elements",
        evidence="By its strides, at least two elements of the result use the same byte, and the result is writable.",
        bites="One write changes several elements. In-place operations such as x += 1 give undefined results.",
        instead="x.clone() or x.contiguous() before numpy().",
        trips=(
            Trip(
                text="The array of an expanded tensor is writable.",
                shows="elements-overlap",
                conversion="Tensor.numpy",
                layout="broadcast",
            ),
        ),
        issue="https://github.com/pytorch/pytorch/issues/957",
    ),
    HazardCode.MISALIGNED: Explained(
        summary="the result's address is not aligned for its dtype",
        evidence="The result's address is not a multiple of its dtype's alignment.",
        bites="Slow on some machines, a crash (SIGBUS) on others. Vectorised kernels may assume alignment.",
        instead="torch.from_numpy(x.copy()): a copy is aligned.",
        trips=(
            Trip(
                text="The tensor of an unaligned array is unaligned, too.",
                shows="misaligned",
                conversion="torch.from_numpy",
                layout="unaligned",
            ),
        ),
    ),
    HazardCode.NESTED_OBJECTS_SHARED: Explained(
        summary="the array was copied, but not the objects in it",
        evidence="No bytes overlap, and both arrays refer to the same Python objects.",
        bites="Changing an object in the copy, e.g. a list, changes it in the original, too.",
        instead="copy.deepcopy(x).",
        trips=(
            Trip(
                text="The copy of an object array refers to the same objects.",
                shows="nested-objects-shared",
                conversion="ndarray.copy",
                dtype="object",
            ),
        ),
    ),
    HazardCode.OWNER_NOT_KEPT: Explained(
        summary="use after free: the result does not keep the source's memory alive",
        evidence="The bytes overlap. In a child process the source is deleted while the result is alive, and its "
        "memory is freed.",
        bites="The result contains unrelated data once the memory is reused.",
        instead="Keep a reference to the source as long as the result is used, or copy.",
        issue="https://github.com/pytorch/pytorch/issues/51849",
    ),
    HazardCode.WARNED_ONCE_ONLY: Explained(
        summary="PyTorch shows the warning only once per process",
        evidence="The conversion is called twice in a fresh process: the second call does not warn.",
        bites="Only the first call warns, perhaps during an import. Later problems of the same kind stay silent.",
        instead="Use torch.set_warn_always(True) to see every warning, and fix the cause.",
        trips=(
            Trip(
                text="torch.from_numpy warns once about read-only arrays.",
                shows="warned-once-only",
                conversion="torch.from_numpy",
                state="read-only",
            ),
        ),
    ),
    HazardCode.GLOBAL_STATE_CHANGED: Explained(
        summary="the conversion changed global state of the process",
        evidence="Global state is compared before and after a conversion that you registered or passed as --code: "
        "default dtype and device, grad and inference mode, print options, working directory, environment variables, "
        "resource limits, signal handlers, functions of np and torch. Each of these conversions runs in a separate "
        "process, so other rows are not affected.",
        bites="All later code in the same process runs with the changed state.",
        instead="Change it in a with block, e.g. with torch.inference_mode(), or restore it in a finally block.",
    ),
    HazardCode.EVIDENCE_CONFLICTS: Explained(
        summary="writes and addresses contradict each other",
        evidence="A write to one object changed the other although no bytes overlap, or did not change it although "
        "some do.",
        bites="The outcome is less certain. Writes count more than addresses, and objects whose bytes overlap are "
        "never reported as copied.",
        instead="Please report it, with the output of tensorbridge inspect … --format json.",
    ),
    HazardCode.SOURCE_CHANGED: Explained(
        summary="the conversion changed its source",
        evidence="The source's type, dtype, shape, strides, flags, gradient, version counter and values are compared "
        "before and after the conversion.",
        bites="Other code that uses the source gets a changed object, e.g. a parameter that no longer requires grad "
        "and is not trained.",
        instead="Convert a copy: x.clone() or x.copy().",
    ),
    HazardCode.SOURCE_MOVED: Explained(
        summary="the conversion moved the source to other memory",
        evidence="The addresses of the source and of its storage are compared before and after the conversion.",
        bites="An array created with x.numpy() before the move reads freed memory, and writes to it do not reach the "
        "tensor.",
        instead="Move the tensor first, and create arrays and views of it afterwards.",
        trips=(
            Trip(
                text="share_memory_() moves the storage to shared memory and frees the old one.",
                shows="source-moved",
                conversion="Tensor.share_memory_",
            ),
            Trip(
                text="So does putting a tensor on a torch.multiprocessing queue.",
                shows="source-moved",
                conversion="ForkingPickler",
            ),
        ),
    ),
    HazardCode.WRITTEN_THOUGH_REFUSED: Explained(
        summary="a write to one of the objects raised, but changed the element nevertheless",
        evidence="After a write that raised, the element's bytes and value are compared with those before.",
        bites="A program that catches the exception continues with changed data.",
        instead="Write under torch.inference_mode(), or to x.clone().",
        trips=(
            Trip(
                text="PyTorch writes to an inference tensor first and checks afterwards.",
                shows="written-though-refused",
                conversion="Tensor.numpy",
                state="inference",
            ),
        ),
    ),
    HazardCode.STORAGE_LARGER: Explained(
        summary="the result has few elements but a large storage",
        evidence="The size of the result's storage is compared with the size of its elements. Copies are reported at "
        "a factor of 2 or more, tensors that share memory at 8 or more.",
        bites="torch.save, pickle and queues write the whole storage: ten elements may take megabytes.",
        instead="x.clone() has a storage for its own elements only.",
        trips=(
            Trip(
                text="copy.deepcopy of a view copies the whole storage.",
                shows="storage-larger",
                conversion="copy.deepcopy",
                layout="non-contiguous",
            ),
        ),
        issue="https://github.com/pytorch/pytorch/issues/40157",
    ),
    HazardCode.UNINITIALIZED: Explained(
        summary="the result is uninitialized memory",
        evidence="The conversion is run three times, in memory filled beforehand with pattern A, B and A again: the "
        "result shows the pattern.",
        bites="The values are arbitrary: perhaps zeros in a test, and anything in production.",
        instead="torch.tensor(x), or torch.from_numpy(x.copy()).",
        trips=(
            Trip(
                text="torch.Tensor takes the value of a 0-d array as a size.",
                shows="uninitialized",
                conversion="torch.Tensor",
                shape="()",
                dtype="uint8",
                direction=Direction.NUMPY_TO_TORCH,
            ),
        ),
    ),
}
