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
        summary="a reader of the result sees other values than a reader of the source",
        evidence="All elements of a small object, 8 to 16 sampled ones of a large, are read from both sides before "
        "anything is written.",
        bites="The result is used, trained on or saved, and is wrong: nothing raised.",
        instead="Resolve what is lazy first, as x.resolve_neg() or x.resolve_conj().",
        trips=(
            Trip(
                text="The neg bit does not go through DLPack.",
                shows="values-changed",
                conversion="np.from_dlpack",
                state="neg",
            ),
        ),
    ),
    HazardCode.DTYPE_REINTERPRETED: Explained(
        summary="the same bytes are read as another dtype",
        evidence="Bytes overlap, the dtypes differ, and so do the values.",
        bites="Floats are read as integers: large, senseless numbers far from the line that made them.",
        instead="Give the array's own dtype, and convert the values after: .to(torch.int32).",
        trips=(
            Trip(
                text="frombuffer believes the dtype that it is given.",
                shows="dtype-reinterpreted",
                conversion="torch.frombuffer",
                to_dtype="int32",
            ),
        ),
    ),
    HazardCode.DTYPE_CHANGED: Explained(
        summary="the result has another dtype, which nobody asked for",
        evidence="The dtypes of both objects are compared; a dtype that was asked for does not count.",
        bites="Twice the memory, or half of the digits; sums of float16 overflow.",
        instead="Say the dtype where the call takes one, and compare what comes back.",
        trips=(
            Trip(
                text="Through DLPack an int4 tensor comes out as int8.",
                shows="dtype-changed",
                conversion="np.from_dlpack",
                dtype="int4",
            ),
        ),
    ),
    HazardCode.SHAPE_CHANGED: Explained(
        summary="the result has another shape",
        evidence="The shapes of both objects are compared; what a conversion is there to reshape does not count.",
        bites="A 0-d array is of 1 dimension now, and broadcasts differently.",
        instead="np.asarray(x, order='C') keeps 0-d.",
        trips=(
            Trip(
                text="ascontiguousarray makes 0-d into 1-d.",
                shows="shape-changed",
                conversion="np.ascontiguousarray",
                shape="()",
                direction=Direction.NUMPY_TO_NUMPY,
            ),
        ),
    ),
    HazardCode.READONLY_DROPPED: Explained(
        summary="the source refuses writes, the result over the same bytes takes them",
        evidence="The array's flag says that it refuses writes, the write to it was refused, and one to the result "
        "was not, over the same bytes.",
        bites="A cached, interned or mapped buffer changes under everyone else who reads it; over a read-only map "
        "the process dies.",
        instead="torch.from_numpy(x.copy()), or torch.tensor(x).",
        trips=(
            Trip(
                text="A tensor has no read-only flag.",
                shows="readonly-dropped",
                conversion="torch.from_numpy",
                state="read-only",
            ),
        ),
        issue="https://github.com/pytorch/pytorch/issues/5442",
    ),
    HazardCode.WRITE_KILLS: Explained(
        summary="a write to one of the objects ends the process",
        evidence="The write was made in a child process, and the child died of it.",
        bites="No exception, no traceback: a training run is gone with SIGSEGV.",
        instead="torch.from_numpy(x.copy()), or map with mmap_mode='c'.",
        trips=(
            Trip(
                text="A tensor over a read-only memory map.",
                shows="write-kills",
                conversion="torch.from_numpy",
                state="memory-mapped+read-only",
            ),
        ),
    ),
    HazardCode.COPY_FLAG_BROKEN: Explained(
        summary="copy=True shared, or copy=False copied",
        evidence="The conversion was called with copy=True and the writes were seen, or with copy=False and they "
        "were not.",
        bites="A program asks for a copy to be safe and is not, or for none to be fast and is not.",
        instead="Compare pointers where it matters, or use what has one behaviour only: torch.from_numpy, "
        "torch.tensor.",
        trips=(
            Trip(
                text="asarray(copy=False) of a 0-d array copies in silence.",
                shows="copy-flag-broken",
                conversion="torch.asarray(copy=False)",
                shape="()",
            ),
        ),
    ),
    HazardCode.GRAD_LOST: Explained(
        summary="the source requires grad and the result does not",
        evidence="The source requires grad and the result does not.",
        bites="A part of the model is not trained: its gradient is None, or the loss does not depend on it.",
        instead="x.clone() keeps the graph; x.detach() says that it is meant.",
        trips=(
            Trip(
                text="torch.tensor of a tensor makes a new leaf.",
                shows="grad-lost",
                conversion="torch.tensor",
                state="requires-grad",
            ),
        ),
    ),
    HazardCode.GRAD_WRONG: Explained(
        summary="autograd does not notice an in-place write to the result, and computes wrong gradients",
        evidence="A product of the source with itself is computed, the result is written in place, and backward is "
        "run: it raised nothing, and its gradient is that of the new values instead of those that were used.",
        bites="Training goes on with wrong gradients: no exception and no warning. PyTorch counts writes through "
        "tensors, their views and detach(); it does not see those through a NumPy array or through .data.",
        instead="Write to a copy: x.detach().clone().numpy(). Between tensors x.detach() shares, and backward raises "
        "after a write.",
        trips=(
            Trip(
                text="An array over a tensor that requires grad.",
                shows="grad-wrong",
                conversion="Tensor.detach().numpy()",
                state="requires-grad",
            ),
            Trip(
                text="A write through .data is not noticed; one through detach() is.",
                shows="grad-wrong",
                conversion="Tensor.data",
                state="requires-grad",
            ),
        ),
        issue="https://docs.pytorch.org/docs/stable/notes/autograd.html",
    ),
    HazardCode.MASK_LOST: Explained(
        summary="the mask of a masked array is gone",
        evidence="The source is a numpy.ma.MaskedArray, or a subclass of it, and the result is not.",
        bites="Fill values such as -9999 or 1e20 enter the mean, the loss, the model.",
        instead="x.filled(0) with x.mask as a tensor of its own.",
        trips=(Trip(text="No tensor has a mask.", shows="mask-lost", conversion="torch.from_numpy", state="masked"),),
    ),
    HazardCode.SUBCLASS_LOST: Explained(
        summary="the source's own type, and what it did, is gone",
        evidence="The source's type is not a plain one, and the result's is another.",
        bites="Units, names, metadata or the meaning of * are gone.",
        instead="Keep what the subclass knows beside the tensor; np.asanyarray keeps it among arrays.",
        trips=(
            Trip(
                text="np.matrix becomes a plain tensor.",
                shows="subclass-lost",
                conversion="torch.from_numpy",
                state="matrix",
            ),
        ),
    ),
    HazardCode.ELEMENTS_OVERLAP: Explained(
        summary="elements of the result share bytes, so one write shows in several places",
        evidence="The strides of the result reach some byte from two elements, and it can be written.",
        bites="x += 1 in place adds several times or once, depending on the order; one write shows in every row.",
        instead="x.clone() or x.contiguous() before numpy().",
        trips=(
            Trip(
                text="An expanded tensor as an array.",
                shows="elements-overlap",
                conversion="Tensor.numpy",
                layout="broadcast",
            ),
        ),
        issue="https://github.com/pytorch/pytorch/issues/957",
    ),
    HazardCode.MISALIGNED: Explained(
        summary="the result starts at an address that its dtype may not start at",
        evidence="The result's address is no multiple of what its dtype needs.",
        bites="Slow on some machines, SIGBUS on others; vectorised kernels may assume alignment.",
        instead="torch.from_numpy(x.copy()): a copy is aligned.",
        trips=(
            Trip(
                text="An array that starts at an odd byte.",
                shows="misaligned",
                conversion="torch.from_numpy",
                layout="unaligned",
            ),
        ),
    ),
    HazardCode.NESTED_OBJECTS_SHARED: Explained(
        summary="the array was copied, the objects in it were not",
        evidence="No byte overlaps, and the same Python objects are held by both.",
        bites="A list inside the copy is changed and the original changes with it.",
        instead="copy.deepcopy(x).",
        trips=(
            Trip(
                text="An object array's copy.", shows="nested-objects-shared", conversion="ndarray.copy", dtype="object"
            ),
        ),
    ),
    HazardCode.OWNER_NOT_KEPT: Explained(
        summary="the result reaches bytes that are freed with the source",
        evidence="The bytes overlap, and the source is deleted in a child process while the result lives: its memory "
        "was freed.",
        bites="The result shows other data, later, elsewhere.",
        instead="Keep a reference to the source as long as the result is used, or copy.",
        issue="https://github.com/pytorch/pytorch/issues/51849",
    ),
    HazardCode.WARNED_ONCE_ONLY: Explained(
        summary="the warning comes once in a process; the second call is silent",
        evidence="The conversion is called twice in one process that has not called it before: the second call is "
        "silent.",
        bites="The first file of a thousand warns, during import perhaps; the rest look fine.",
        instead="torch.set_warn_always(True), and cure what it warns of.",
        trips=(
            Trip(
                text="from_numpy over a read-only array.",
                shows="warned-once-only",
                conversion="torch.from_numpy",
                state="read-only",
            ),
        ),
    ),
    HazardCode.GLOBAL_STATE_CHANGED: Explained(
        summary="the conversion changed something that belongs to the whole process",
        evidence="What the process has one of (the default dtype and device, grad and inference mode, print options, "
        "the working folder, the environment, limits, signal handlers, the functions of np and torch) "
        "is compared before and after a conversion of your own. Each of these runs in a process of its own, so no "
        "other row is changed by it.",
        bites="Everything that runs later in the same process runs under the changed state.",
        instead="Change it in a with block, as with torch.inference_mode(): …, or put it back in a finally.",
    ),
    HazardCode.EVIDENCE_CONFLICTS: Explained(
        summary="writes and addresses contradict each other",
        evidence="A write was seen although no byte overlaps, or was not seen although some do.",
        bites="It is a question about the evidence, not about the code: what was seen outweighs the addresses, and "
        "bytes that both reach are never called a copy.",
        instead="Report it: see the row in full with tensorbridge inspect … --format json.",
    ),
    HazardCode.SOURCE_CHANGED: Explained(
        summary="the conversion changed its source",
        evidence="The source's type, dtype, shape, strides, flags, gradient, version counter and values are compared "
        "before and after the conversion.",
        bites="Who still uses the source has another object than before: a parameter that no longer requires grad is "
        "not trained.",
        instead="Convert a copy: x.clone() or x.copy().",
    ),
    HazardCode.SOURCE_MOVED: Explained(
        summary="the source's memory is elsewhere after the conversion",
        evidence="The addresses of the source and of its storage are compared before and after the conversion.",
        bites="An array taken with x.numpy() before the move reads memory that was freed, and writes to it no longer "
        "reach the tensor.",
        instead="Move the tensor first, take arrays and views of it afterwards.",
        trips=(
            Trip(
                text="share_memory_() copies the storage to shared memory and frees the old one.",
                shows="source-moved",
                conversion="Tensor.share_memory_",
            ),
            Trip(
                text="So does what puts a tensor on a torch.multiprocessing queue.",
                shows="source-moved",
                conversion="ForkingPickler",
            ),
        ),
    ),
    HazardCode.WRITTEN_THOUGH_REFUSED: Explained(
        summary="a write to one of the objects raised, and the element is changed all the same",
        evidence="After a write that raised, the bytes and the value of the element are compared with those before.",
        bites="A program that catches the exception goes on with other data than it believes to have.",
        instead="Write under torch.inference_mode(), or to x.clone().",
        trips=(
            Trip(
                text="An inference tensor is written first and checked afterwards.",
                shows="written-though-refused",
                conversion="Tensor.numpy",
                state="inference",
            ),
        ),
    ),
    HazardCode.STORAGE_LARGER: Explained(
        summary="the result has few elements, and the storage of many",
        evidence="The bytes of the result's storage are divided by those of its elements. A copy is reported from 2 "
        "times on, a tensor that shares from 8 times on.",
        bites="torch.save, pickle and queues write the whole storage; a copy of ten elements takes megabytes.",
        instead="x.clone() has the elements only.",
        trips=(
            Trip(
                text="deepcopy of a view copies the whole storage.",
                shows="storage-larger",
                conversion="copy.deepcopy",
                layout="strided",
            ),
        ),
        issue="https://github.com/pytorch/pytorch/issues/40157",
    ),
    HazardCode.UNINITIALIZED: Explained(
        summary="the result is memory that nobody wrote to",
        evidence="The conversion is made three times in memory that was filled before with one pattern, another, and "
        "the first again: the result follows the pattern.",
        bites="The values are those that happened to lie there: zeros in a test, anything in production.",
        instead="torch.tensor(x), or torch.from_numpy(x.copy()).",
        trips=(
            Trip(
                text="torch.Tensor of a 0-d array takes its value for a size.",
                shows="uninitialized",
                conversion="torch.Tensor",
                shape="()",
                dtype="uint8",
                direction=Direction.NUMPY_TO_TORCH,
            ),
        ),
    ),
}
