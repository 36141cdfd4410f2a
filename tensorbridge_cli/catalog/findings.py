"""The findings of ``tensorbridge trace``, each with why it matters and what to do."""

from __future__ import annotations

from tensorbridge_cli.compat import dataclass


@dataclass(frozen=True, kw_only=True)
class FindingText:
    """What a page says of a finding; its summary stands with its code in ``records.trace``."""

    risk: str
    instead: str


FINDINGS: dict[str, FindingText] = {
    "avoidable-copy": FindingText(
        risk="Time and memory for a second copy of the same values.",
        instead="Use torch.from_numpy or torch.as_tensor instead of torch.tensor, if neither side is modified later.",
    ),
    "element-by-element": FindingText(
        risk="Each element is read by a call, which takes many times as long as one copy of the block. A finding says "
        "how many times, measured on objects like those of the program.",
        instead="Use torch.from_numpy(np.stack(arrays)), torch.stack(tensors), or an array of the whole: "
        "torch.tensor(series.to_numpy()), or dataset[:] of an h5py dataset.",
    ),
    "storage-larger": FindingText(
        risk="Much more memory is copied, saved or sent than the view contains.",
        instead="Use view.clone(), whose storage contains only its own elements.",
    ),
    "repeated-copy": FindingText(
        risk="The same values are copied at every call.",
        instead="Convert once and keep the result.",
    ),
    "dtype-there-and-back": FindingText(
        risk="Two copies, and a loss of precision if the intermediate dtype has less.",
        instead="Keep one dtype throughout.",
    ),
    "round-trip": FindingText(
        risk="Two conversions without effect.",
        instead="Use the original object.",
    ),
    "readonly-dropped": FindingText(
        risk="A write changes a buffer that others rely on, or crashes the process if it is a read-only memory map.",
        instead="Use torch.from_numpy(x.copy()).",
    ),
    "alias-written": FindingText(
        risk="An array or tensor that was meant to keep its values changes later.",
        instead="Copy if you need to keep the values: x.numpy().copy(), or x.clone().",
    ),
    "buffer-stored-twice": FindingText(
        risk="All stored results have the values of the last one.",
        instead="Store a copy: torch.tensor(buffer), or torch.from_numpy(buffer.copy()).",
    ),
    "source-moved": FindingText(
        risk="What was made before, an array of the tensor or a tensor over the object that was resized or closed, "
        "reads and writes freed memory.",
        instead="Move or resize first, e.g. with x.share_memory_(), and convert afterwards; or copy.",
    ),
    "loop-invariant": FindingText(
        risk="The same conversion runs in every iteration of the loop.",
        instead="Move it out of the loop.",
    ),
    "immutable-written": FindingText(
        risk="The library and all holders of the object rely on its values: hashes, caches and compiled constants are "
        "wrong from then on.",
        instead="Copy before you write, e.g. torch.from_dlpack(array).clone(), or torch.frombuffer(bytearray(data)).",
    ),
}
