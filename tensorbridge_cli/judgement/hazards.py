"""The hazards in a sentence each: what will bite although nothing raised."""

from __future__ import annotations

from tensorbridge_cli.model import HazardCode

HAZARDS: dict[HazardCode, str] = {
    HazardCode.VALUES_CHANGED: "a reader of the result sees other values than a reader of the source",
    HazardCode.DTYPE_REINTERPRETED: "the same bytes are read as another dtype",
    HazardCode.DTYPE_CHANGED: "the result has another dtype, which nobody asked for",
    HazardCode.SHAPE_CHANGED: "the result has another shape",
    HazardCode.READONLY_DROPPED: "the source refuses writes, the result over the same bytes takes them",
    HazardCode.WRITE_KILLS: "a write to one of the objects ends the process",
    HazardCode.COPY_FLAG_BROKEN: "copy=True shared, or copy=False copied",
    HazardCode.GRAD_LOST: "the source requires grad and the result does not",
    HazardCode.MASK_LOST: "the mask of a masked array is gone",
    HazardCode.SUBCLASS_LOST: "the source's own type, and what it did, is gone",
    HazardCode.ELEMENTS_OVERLAP: "elements of the result share bytes, so one write shows in several places",
    HazardCode.MISALIGNED: "the result starts at an address that its dtype may not start at",
    HazardCode.NESTED_OBJECTS_SHARED: "the array was copied, the objects in it were not",
    HazardCode.OWNER_NOT_KEPT: "the result reaches bytes that are freed with the source",
    HazardCode.WARNED_ONCE_ONLY: "the warning comes once in a process; the second call is silent",
    HazardCode.EVIDENCE_CONFLICTS: "writes and addresses contradict each other",
}
