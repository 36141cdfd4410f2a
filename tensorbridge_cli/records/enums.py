"""The values that a field of a report may have.

They are apart from the records, which take longer to create than ``list`` and ``explain`` have.
"""

from __future__ import annotations

from tensorbridge_cli.compat import StrEnum


class Outcome(StrEnum):
    """What one conversion did to the memory of its source."""

    SHARED = "shared"
    COPIED = "copied"
    REFUSED = "refused"
    CRASHED = "crashed"
    TIMED_OUT = "timed-out"
    UNDECIDABLE = "undecidable"
    INTERNAL_ERROR = "internal-error"


class Write(StrEnum):
    """What became of one write, as observed through the other object."""

    SEEN = "seen"
    NOT_SEEN = "not-seen"
    REFUSED = "refused"
    CRASHED = "crashed"
    NOT_TRIED = "not-tried"


class Via(StrEnum):
    """How a write was made: ``x[i] = value``, or byte by byte where the dtype has no assignment kernel."""

    ASSIGNMENT = "assignment"
    BYTES = "bytes"


class Values(StrEnum):
    """Whether a reader of the result sees what a reader of the source saw."""

    EQUAL = "equal"
    SAMPLED_EQUAL = "sampled-equal"
    CHANGED = "changed"
    UNKNOWN = "unknown"


class Stage(StrEnum):
    """The step of an experiment; everything but ``convert`` and the two writes is the inspector's own."""

    BUILD = "build"
    CONVERT = "convert"
    OBSERVE = "observe"
    WRITE_SOURCE = "write-source"
    WRITE_RESULT = "write-result"


class Expected(StrEnum):
    """What the documentation promises of the memory."""

    SHARED = "shared"
    COPIED = "copied"
    REFUSED = "refused"
    SHARED_OR_COPIED = "shared-or-copied"


class Verdict(StrEnum):
    """An observation held against its expectation.

    ``undefined``: the documentation calls the behaviour undefined, so whatever happens agrees with it.
    """

    KEPT = "kept"
    BROKEN = "broken"
    UNDOCUMENTED = "undocumented"
    UNTESTED = "untested"
    UNDEFINED = "undefined"


class Library(StrEnum):
    """Who an object belongs to; lists and numbers are Python's, and a buffer is whatever has the buffer protocol.

    ``other``: an object of a library without an entry, read by DLPack or by ``__array_interface__``.
    """

    NUMPY = "numpy"
    TORCH = "torch"
    PYTHON = "python"
    BUFFER = "buffer"
    PANDAS = "pandas"
    ARROW = "arrow"
    POLARS = "polars"
    JAX = "jax"
    PILLOW = "pillow"
    SCIPY = "scipy"
    XARRAY = "xarray"
    H5PY = "h5py"
    ZARR = "zarr"
    DATASETS = "datasets"
    OTHER = "other"


SPELLED = {Library.NUMPY: "NumPy", Library.TORCH: "PyTorch"}
"""The two libraries as they write their names."""


class Direction(StrEnum):
    """From which library to which."""

    NUMPY_TO_TORCH = "numpy-to-torch"
    TORCH_TO_NUMPY = "torch-to-numpy"
    TORCH_TO_TORCH = "torch-to-torch"
    NUMPY_TO_NUMPY = "numpy-to-numpy"
    PYTHON_TO_TORCH = "python-to-torch"
    PYTHON_TO_NUMPY = "python-to-numpy"
    BUFFER_TO_TORCH = "buffer-to-torch"
    BUFFER_TO_NUMPY = "buffer-to-numpy"
    PANDAS_TO_TORCH = "pandas-to-torch"
    PANDAS_TO_NUMPY = "pandas-to-numpy"
    NUMPY_TO_PANDAS = "numpy-to-pandas"
    ARROW_TO_TORCH = "arrow-to-torch"
    ARROW_TO_NUMPY = "arrow-to-numpy"
    NUMPY_TO_ARROW = "numpy-to-arrow"
    POLARS_TO_TORCH = "polars-to-torch"
    POLARS_TO_NUMPY = "polars-to-numpy"
    POLARS_TO_ARROW = "polars-to-arrow"
    NUMPY_TO_POLARS = "numpy-to-polars"
    JAX_TO_TORCH = "jax-to-torch"
    JAX_TO_NUMPY = "jax-to-numpy"
    NUMPY_TO_JAX = "numpy-to-jax"
    TORCH_TO_JAX = "torch-to-jax"
    PILLOW_TO_TORCH = "pillow-to-torch"
    PILLOW_TO_NUMPY = "pillow-to-numpy"
    NUMPY_TO_PILLOW = "numpy-to-pillow"
    SCIPY_TO_TORCH = "scipy-to-torch"
    SCIPY_TO_NUMPY = "scipy-to-numpy"
    XARRAY_TO_TORCH = "xarray-to-torch"
    XARRAY_TO_NUMPY = "xarray-to-numpy"
    NUMPY_TO_XARRAY = "numpy-to-xarray"
    H5PY_TO_TORCH = "h5py-to-torch"
    H5PY_TO_NUMPY = "h5py-to-numpy"
    ZARR_TO_TORCH = "zarr-to-torch"
    ZARR_TO_NUMPY = "zarr-to-numpy"
    DATASETS_TO_TORCH = "datasets-to-torch"
    DATASETS_TO_NUMPY = "datasets-to-numpy"
    DATASETS_TO_ARROW = "datasets-to-arrow"
    NUMPY_TO_DATASETS = "numpy-to-datasets"
    OTHER_TO_TORCH = "other-to-torch"
    OTHER_TO_NUMPY = "other-to-numpy"

    @property
    def source(self) -> Library:
        """The library that it starts from."""
        return Library(self.partition("-to-")[0])

    @property
    def target(self) -> Library:
        """The library that it goes to."""
        return Library(self.partition("-to-")[2])


class Origin(StrEnum):
    """Where a subject comes from."""

    GENERATED = "generated"
    FILE = "file"
    EXPRESSION = "expression"
    OBJECT = "object"
