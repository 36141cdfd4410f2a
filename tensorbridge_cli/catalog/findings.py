"""The findings of ``tensorbridge trace``, each with why it matters and what to do."""

from __future__ import annotations

from tensorbridge_cli.compat import dataclass


@dataclass(frozen=True, kw_only=True)
class Explained:
    """What a page says of a finding; its summary stands with its code in ``records.trace``."""

    bites: str
    instead: str


FINDINGS: dict[str, Explained] = {
    "avoidable-copy": Explained(
        bites="Time and memory for a second copy of the same values.",
        instead="torch.from_numpy or torch.as_tensor instead of torch.tensor, if neither side is written afterwards.",
    ),
    "list-of-arrays": Explained(
        bites="torch.tensor reads each element by itself, up to a hundred times slower than copying a block.",
        instead="torch.from_numpy(np.stack(arrays)), or torch.stack(tensors).",
    ),
    "element-by-element": Explained(
        bites="Each item is read by a call of Python: twenty to fifty times the time of one copy of the block.",
        instead="Take the array first: torch.from_numpy(series.to_numpy()), or dataset[:] of an h5py dataset.",
    ),
    "storage-larger": Explained(
        bites="Much more memory is copied, saved or sent than the view shows.",
        instead="view.clone() has a storage of its own size.",
    ),
    "repeated-copy": Explained(
        bites="The same values are copied at every call.",
        instead="Convert once, and keep the result.",
    ),
    "dtype-there-and-back": Explained(
        bites="Two copies, and digits are lost if the dtype between has fewer.",
        instead="Keep one dtype on the way.",
    ),
    "round-trip": Explained(
        bites="Two conversions that change nothing.",
        instead="Use the object that was there before.",
    ),
    "readonly-dropped": Explained(
        bites="A buffer that others rely on changes, or the process crashes when a read-only map is written.",
        instead="torch.from_numpy(x.copy()).",
    ),
    "alias-written": Explained(
        bites="An array or tensor that was meant to keep values shows later ones.",
        instead="Copy where the values are to be kept: x.numpy().copy(), or x.clone().",
    ),
    "buffer-stored-twice": Explained(
        bites="All stored results show the values of the last.",
        instead="Store a copy: torch.tensor(buffer), or torch.from_numpy(buffer.copy()).",
    ),
    "source-moved": Explained(
        bites="An array that was taken from the tensor before reads and writes memory that has been freed.",
        instead="Move the tensor first, e.g. with x.share_memory_(), and take the array afterwards; or copy the array.",
    ),
    "loop-invariant": Explained(
        bites="The same conversion is made in every turn of the loop.",
        instead="Move it before the loop.",
    ),
}
