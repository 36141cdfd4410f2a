"""What may be written instead of a conversion: candidates, as data.

Nothing here knows which candidate works: those that may are tried on the same subject, and only what worked is shown.
A candidate is a *preparation* of the source (detached, dense, in the machine's byte order) and a *way* to the target
library. If a conversion is called to change something, its own code is tried on the prepared source.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from tensorbridge_cli.catalog import registry
from tensorbridge_cli.catalog.conditions import (
    ANY_SOURCE,
    ON_AN_ACCELERATOR,
    When,
    dtype,
    dtype_like,
    layout,
    not_,
    state,
)
from tensorbridge_cli.catalog.entry import CARRIED, Conversion, Property
from tensorbridge_cli.catalog.states import words
from tensorbridge_cli.records.enums import Direction, Library
from tensorbridge_cli.records.report import Effect, Observation, Row

_NUMPY, _TORCH, _PYTHON = Library.NUMPY, Library.TORCH, Library.PYTHON

DETACHES = frozenset({"Tensor.detach", "Tensor.data", "Tensor.new_tensor"})
"""Conversions that are called to lose the gradient."""
_TO_THE_POINT = frozenset({"Tensor.share_memory_", "torch.nn.Parameter", "ForkingPickler"})
"""Conversions that do more than give the same values: nothing else is written instead of them."""

Predicate = Callable[[Observation], bool]


def _always(row: Observation) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Step:
    """One part of a candidate.

    Attributes:
        code: what it makes of an expression, which stands for ``{}`` in it.
        when: for which sources it may help.
        observed: what must have been observed for it to help, if the description of the source does not tell.
        changes: what it openly changes, so that such a change does not speak against it.
        back: from its result to the source's values, where those of the result are others by intention: that this
            gives them back is what proves it.
        loses: the hazards that it openly has.
        effect: what a reader must know of it.
        setup: the import that it needs.
    """

    code: str
    when: When = ANY_SOURCE
    observed: Predicate = _always
    changes: tuple[Property, ...] = ()
    back: str = ""
    loses: frozenset[str] = frozenset()
    effect: Effect | None = None
    setup: str = ""

    def applies(self, row: Observation) -> bool:
        """Return True if it may help for ``row``."""
        return self.when(row.subject, row.to_dtype) and self.observed(row)


def _overlaps(row: Observation) -> bool:
    return row.source is not None and bool(row.source.elements_overlap)


def _may_detach(row: Observation) -> bool:
    """Return True if the source records gradients and the result cannot, or is not meant to."""
    records = row.source is not None and bool(row.source.requires_grad)
    return records and (row.direction.target is _NUMPY or row.conversion in DETACHES | {"ForkingPickler"})


_NO_TENSORS = not_(state("list-of-tensors"))
"""No element of a list is a tensor: through NumPy it would lose its gradient."""
_SPARSE = state("sparse-coo", "sparse-csr", "sparse-csc", "sparse-bsr", "sparse-bsc", "mkldnn")
_TIMES = dtype_like("datetime64", "timedelta64")
_TEXT = dtype_like("U", "S", "V", "str", "bytes", "void", "<U", ">U", "|S", "|V")
_WIDE = dtype_like("longdouble", "float128", "float96")
_WIDE_COMPLEX = dtype_like("clongdouble", "complex256", "complex192")


_NUMBERS: dict[str, str] = {"bool": "bool", "int": "int64", "float": "float64", "complex": "complex128"}
"""The dtype for elements of each Python type, the narrowest first."""


def _cast_for(elements: tuple[str, ...] | None) -> str | None:
    """Return the dtype that holds every value that elements of these types can have; ``None`` if there is none.

    Their values do not count: an array of floats that are whole today holds 0.5 tomorrow.
    """
    kinds = {_python_type(element) for element in elements or ()}
    if not kinds or not kinds <= _NUMBERS.keys():
        return None
    return _NUMBERS[max(kinds, key=list(_NUMBERS).index)]


def _python_type(name: str) -> str:
    """Return the Python type that stands for a NumPy scalar's: ``float`` for ``numpy.float32``."""
    scalar = re.fullmatch(r"numpy\.u?(bool|int|float|complex)\d*", name)  # no type of Python's holds a longdouble
    return scalar[1] if scalar else name


def _elements_fit(name: str) -> Predicate:
    return lambda row: row.source is not None and _cast_for(row.source.elements) == name


_SAME_BITS = {
    "bfloat16": "uint16",
    "float8_e4m3fn": "uint8",
    "float8_e4m3fnuz": "uint8",
    "float8_e5m2": "uint8",
    "float8_e5m2fnuz": "uint8",
    "float8_e8m0fnu": "uint8",
    "complex32": "int32",
}
"""Dtypes that torch has and a package may add to NumPy, and the integers of their size that both libraries have."""

PREPARATIONS: dict[Library, tuple[Step, ...]] = {
    _NUMPY: (
        Step(code="np.asarray({})", when=state("scalar", "matrix")),
        Step(code="{}.astype(x.dtype.newbyteorder('='))", when=layout("byte-swapped")),
        Step(
            code="{}.filled(0)",
            when=state("masked"),
            changes=("values",),
            back="np.ma.MaskedArray({}, x.mask)",
            loses=frozenset({"mask-lost"}),
            effect="filled",
        ),
    ),
    _TORCH: (
        Step(code="{}.detach()", observed=_may_detach, loses=frozenset({"grad-lost", "grad-wrong"})),
        Step(code="{}.cpu()", when=ON_AN_ACCELERATOR),
        Step(code="{}.to_dense()", when=_SPARSE, effect="layout"),
        Step(
            code="{}.dequantize()",
            when=state("quantized"),
            changes=("dtype",),
            back="torch.quantize_per_tensor({}, x.q_scale(), x.q_zero_point(), x.dtype)",
        ),
        Step(code="{}.resolve_conj()", when=state("conjugate-bit")),
        Step(code="{}.resolve_neg()", when=state("negative-bit")),
        Step(
            code="torch.stack({}.unbind())",
            when=state("nested"),
            changes=("shape", "values"),
            back="torch.nested.nested_tensor(list({}.unbind()))",
            effect="kind",
        ),
    ),
}
"""What may be done to a source first, by its library; all that apply are applied, in this order."""

FORMS: dict[Library, tuple[Step, ...]] = {
    _NUMPY: (
        Step(code="{}"),
        Step(code="{}.copy()"),
        Step(
            code="{}.view('i8')",
            when=_TIMES,
            changes=("dtype", "values"),
            back="{}.view(x.dtype.newbyteorder('='))",  # the integers must be native, as those of a tensor are
            effect="integers",
        ),
        Step(code="{}.astype(np.float64)", when=_WIDE, changes=("dtype",)),
        Step(code="{}.astype(np.complex128)", when=_WIDE_COMPLEX, changes=("dtype",)),
        *(
            Step(code=f"{{}}.astype(np.{dtype})", observed=_elements_fit(dtype), changes=("dtype",))
            for dtype in _NUMBERS.values()
        ),
        Step(
            code="{}.view('u1')",
            when=_TEXT,
            changes=("dtype", "shape", "values"),
            back="{}.view(x.dtype)",
            effect="bytes",
        ),
    ),
    _TORCH: (
        Step(code="{}"),
        Step(code="{}.clone()"),
        Step(code="{}.float()", when=dtype_like("bfloat16", "float8"), changes=("dtype",)),
        Step(code="{}.to(torch.complex64)", when=dtype_like("complex32"), changes=("dtype",)),
        *(
            Step(
                code=f"{{}}.view(torch.{name})",
                when=dtype_like(*prefixes),
                changes=("dtype", "values"),
                back="{}.view(x.dtype)",
                effect="bits",
            )
            for name, prefixes in (("uint16", ("bfloat16", "bits16")), ("uint8", ("float8", "bits8")))
        ),
        Step(
            code="torch.view_as_real({})",
            when=dtype_like("complex32"),
            changes=("dtype", "shape", "values"),
            back="torch.view_as_complex({})",
            effect="pairs",
        ),
    ),
    _PYTHON: (Step(code="{}"),),
    # a memoryview gives the elements their dtype, whatever the buffer: np.asarray of bytes is a text
    Library.BUFFER: (Step(code="np.asarray(memoryview({}))"), Step(code="np.array(memoryview({}))")),
    Library.PANDAS: (Step(code="{}.to_numpy()"), Step(code="{}.to_numpy(copy=True)")),
    Library.ARROW: (
        Step(code="{}.to_numpy()"),
        Step(code="{}.to_numpy(zero_copy_only=False)"),
        Step(code="{}.to_numpy(zero_copy_only=False, writable=True)"),
        Step(code="np.asarray({})"),
    ),
    Library.POLARS: (Step(code="{}.to_numpy()"), Step(code="{}.to_numpy(writable=True)")),
    Library.JAX: (Step(code="np.asarray({})"), Step(code="np.array({})")),
    Library.PILLOW: (Step(code="np.asarray({})"), Step(code="np.array({})")),
    Library.SCIPY: (Step(code="{}.toarray()"), Step(code="{}.tocoo().toarray()")),
    Library.XARRAY: (Step(code="{}.values"), Step(code="{}.values.copy()")),
    Library.H5PY: (Step(code="{}[()]"), Step(code="{}[...]")),
    Library.ZARR: (Step(code="{}[...]"), Step(code="{}[:]")),
    Library.DATASETS: (Step(code="{}.with_format('arrow')[:].column(0).to_numpy()"),),
    Library.OTHER: (Step(code="np.from_dlpack({})"), Step(code="np.asarray({})"), Step(code="np.array({})")),
}
"""The forms in which a prepared source is passed on; of those that cost the same, the first is shown."""

WAYS: dict[Direction, tuple[Step, ...]] = {
    Direction.NUMPY_TO_TORCH: (
        Step(code="torch.from_numpy({})"),
        # dtypes that ml_dtypes adds to NumPy: torch has the same, and takes their bits
        *(
            Step(code=f"torch.from_numpy({{}}.view(np.{bits})).view(torch.{name})", when=dtype(name))
            for name, bits in _SAME_BITS.items()
        ),
        Step(code="torch.tensor({})", when=state("scalar", "masked", "matrix")),
    ),
    Direction.TORCH_TO_NUMPY: (
        Step(code="{}.numpy()"),
        Step(code="np.broadcast_to({}.numpy(), x.shape)", observed=_overlaps, effect="read-only"),
    ),
    Direction.TORCH_TO_TORCH: (
        Step(code="{}"),
        Step(code="{}.view_as(x)"),
    ),
    Direction.NUMPY_TO_NUMPY: (
        Step(code="{}"),
        Step(code="np.asarray({})"),
        Step(code="np.asanyarray({})"),
        Step(code="np.broadcast_to({}, x.shape)", observed=_overlaps, effect="read-only"),
        Step(code="copy.deepcopy({})", when=dtype_like("object"), setup="import copy"),
    ),
    Direction.PYTHON_TO_TORCH: (
        # first what copies in blocks: torch.tensor reads a list of arrays one element at a time
        Step(code="torch.stack({})", when=state("list-of-tensors")),
        Step(code="torch.from_numpy(np.stack({}))", when=state("list-of-arrays")),
        Step(code="torch.tensor({})", when=_NO_TENSORS),
        Step(code="torch.from_numpy(np.array({}))", when=_NO_TENSORS),
    ),
    Direction.PYTHON_TO_NUMPY: (
        Step(code="torch.stack({}).numpy()", when=state("list-of-tensors")),
        Step(code="np.stack({})", when=state("list-of-arrays")),
        Step(code="np.array({})", when=_NO_TENSORS),
    ),
    # the forms of all other objects are arrays
    **{Direction(f"{library}-to-torch"): (Step(code="torch.from_numpy({})"),) for library in CARRIED},
    **{Direction(f"{library}-to-numpy"): (Step(code="{}"),) for library in CARRIED},
    Direction.NUMPY_TO_PANDAS: (Step(code="pd.Series({})", setup="import pandas as pd"),),
    Direction.NUMPY_TO_ARROW: (Step(code="pa.array({})", setup="import pyarrow as pa"),),
    Direction.POLARS_TO_ARROW: (Step(code="pa.array({})", setup="import pyarrow as pa"),),
    Direction.NUMPY_TO_POLARS: (Step(code="pl.Series({})", setup="import polars as pl"),),
    Direction.NUMPY_TO_JAX: (Step(code="jnp.array({})", setup="import jax.numpy as jnp"),),
    Direction.TORCH_TO_JAX: (Step(code="jnp.array({}.numpy())", setup="import jax.numpy as jnp"),),
    Direction.NUMPY_TO_PILLOW: (Step(code="Image.fromarray({})", setup="from PIL import Image"),),
    Direction.NUMPY_TO_XARRAY: (Step(code="xr.DataArray({})", setup="import xarray as xr"),),
    Direction.NUMPY_TO_DATASETS: (Step(code="datasets.Dataset.from_dict({{'x': {}}})", setup="import datasets"),),
    Direction.DATASETS_TO_ARROW: (Step(code="pa.array({})", setup="import pyarrow as pa"),),
}
"""The code that converts, by direction."""

_TRIED_AS_TYPED: dict[Library, tuple[str, ...]] = {
    **{library: tuple(form.code for form in FORMS[library]) for library in CARRIED},
    _NUMPY: ("{}", "{}.copy()"),
    _TORCH: ("{}", "{}.contiguous()", "{}.clone()"),
    _PYTHON: ("np.array({})",),
    Library.BUFFER: ("{}", "bytearray({})"),
    Library.ARROW: ("{}.to_numpy()", "{}.to_numpy(zero_copy_only=False)"),
}
"""In which form the prepared source is given to a conversion that is there to change something."""

OTHERWISE: dict[str, Step] = {
    "Tensor.view": Step(code="{}.reshape(-1)", changes=("shape",), back="{}.reshape(x.shape)"),
    "Tensor.expand": Step(code="{}.expand(2, *x.shape).clone()", changes=("shape",), back="{}[0]"),
    "np.sin": Step(code="np.sin({}.numpy())"),
    "np.max": Step(code="np.max({}.numpy())"),
    "np.add(out=Tensor)": Step(code="np.add({}, 0, out=torch.empty(x.shape).numpy())"),
    "ndarray * Tensor": Step(code="torch.from_numpy({}) * torch.ones(x.shape)"),
    "Tensor * ndarray": Step(code="{} * torch.from_numpy(np.ones(x.shape, np.float32))"),
}
"""Other code for a conversion that is tried as it was typed."""

_THE_SOURCE = re.compile(r"(?<![\w.'\"])x\b(?!\.(?:shape|dtype|dim)\b)")
"""Where code names the source, to be replaced by the prepared one; for its shape and dtype it need not be prepared.

``test_the_source_alone_is_prepared_where_code_names_it`` fails without either condition.
"""


def _back(direction: Direction) -> str:
    """Return what makes the result an array or a tensor again, as the source was made into."""
    if direction is Direction.TORCH_TO_NUMPY:
        return "torch.from_numpy({})"
    return "{}.numpy()" if direction.target is _TORCH is not direction.source else "{}"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Code that may be written instead; ``proof``, if there is one, must have the source's values."""

    code: str
    setup: str = ""
    proof: str = ""
    changes: tuple[Property, ...] = ()
    loses: frozenset[str] = frozenset()
    effects: tuple[Effect, ...] = ()
    as_typed: bool = False


def candidates(row: Row, typed: str | None = None) -> tuple[Candidate, ...]:
    """Return what may be written instead of the conversion of ``row``; ``typed`` is the code that made it."""
    entry = registry.find(row.conversion)
    typed = typed or (entry.code if entry else "")
    # what a legacy constructor changes, the dtype, nobody asked it for
    if entry is not None and not is_legacy(entry) and (entry.changes or entry.name in _TO_THE_POINT):
        options = iter(sorted(_as_typed(row, entry, typed), key=lambda one: len(one.code)))
    else:
        options = _from_parts(row)
    unlike = {candidate.code: candidate for candidate in options if candidate.code not in ("x", typed)}
    return tuple(unlike.values())


def _chains(row: Observation) -> Iterator[tuple[Step, ...]]:
    """Yield all preparations that apply, and none."""
    if chain := _fitting(PREPARATIONS.get(row.direction.source, ()), row):
        yield chain
    yield ()


def _fitting(steps: Iterable[Step], row: Observation) -> tuple[Step, ...]:
    return tuple(step for step in steps if step.applies(row))


def _from_parts(row: Row) -> Iterator[Candidate]:
    source, target = row.direction.source, row.direction.target
    for chain in _chains(row):
        for form in _fitting(FORMS[source], row):
            if not chain and form.code == "{}" and _takes_back_a_refusal(row):
                continue
            for way in _fitting(WAYS[row.direction], row):
                if row.to_dtype is None:
                    yield _joined((*chain, form, way), _back(row.direction))
                elif not form.back:
                    yield _joined((*chain, form, way, _cast(row.to_dtype, target)), "{}")


def _takes_back_a_refusal(row: Row) -> bool:
    """Return True if sharing would let a tensor write where the array refuses it, which may end the process."""
    refuses = row.source is not None and row.source.writable is False and "scalar" not in words(row.subject.state)
    return refuses and row.direction is Direction.NUMPY_TO_TORCH


def _cast(dtype: str, target: Library) -> Step:
    # the values of a narrower dtype are others: what they must be is not for this to say
    return Step(code=f"{{}}.to(torch.{dtype})" if target is _TORCH else f"{{}}.astype({dtype!r})")


def _joined(steps: Sequence[Step], back: str) -> Candidate:
    code, undone = "x", back
    for step in steps:
        code = step.code.replace("{}", code)
    for step in reversed(steps):
        undone = step.back.replace("{}", undone) if step.back else undone
    return Candidate(
        code=code,
        setup="\n".join(step.setup for step in steps if step.setup),
        proof=undone.replace("{}", code) if any(step.back for step in steps) else "",
        changes=tuple(dict.fromkeys(change for step in steps for change in step.changes)),
        loses=frozenset(code for step in steps for code in step.loses),
        effects=tuple(step.effect for step in steps if step.effect),
    )


def _as_typed(row: Row, entry: Conversion, typed: str) -> Iterator[Candidate]:
    """Yield the conversion as it was typed, on what its source can be made into first."""
    for chain in _chains(row):
        for form in _TRIED_AS_TYPED[row.direction.source]:
            prepared = _joined((*chain, Step(code=form)), "{}")
            for code in (typed, *([OTHERWISE[entry.name].code.replace("{}", "x")] if entry.name in OTHERWISE else ())):
                yield replace(
                    prepared,
                    code=_substituted(code, prepared.code),
                    setup="\n".join(filter(None, (entry.setup, prepared.setup))),
                    # nothing but the source's own values was given to it
                    proof=prepared.proof or prepared.code,
                    changes=tuple(dict.fromkeys((*entry.changes, *prepared.changes))),
                    as_typed=True,
                )


def _substituted(code: str, source: str) -> str:
    return _THE_SOURCE.sub(lambda _: source, code)


def is_legacy(entry: Conversion) -> bool:
    """Return True for a constructor that nobody should write any longer."""
    return "legacy" in entry.groups
