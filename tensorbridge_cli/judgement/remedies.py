"""What to write instead: candidates as data, and the rule by which a candidate that was tried counts as a remedy.

Nothing here knows which candidate works: those that may are tried on the same subject, and only what worked is shown.
A candidate is a *preparation* of the source (detached, dense, in the machine's byte order) and a *way* to the target
library. If a conversion is called to change something, its own code is tried on the prepared source.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from tensorbridge_cli.catalog import hazards, registry
from tensorbridge_cli.catalog.carriers import PACKAGES
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
from tensorbridge_cli.catalog.states import PLAIN, words
from tensorbridge_cli.judgement.contract import expectation
from tensorbridge_cli.judgement.judge import judge
from tensorbridge_cli.records.enums import Direction, Expected, Library, Origin, Outcome, Values
from tensorbridge_cli.records.report import (
    STANDS_FOR,
    Answer,
    Effect,
    Expectation,
    NotApplicable,
    Observation,
    Remedy,
    Row,
    Subject,
    caveat,
    described,
)

_NUMPY, _TORCH, _PYTHON = Library.NUMPY, Library.TORCH, Library.PYTHON

# What is a problem ------------------------------------------------------------------------------

NO_PROBLEM = frozenset(hazard.name for hazard in hazards.HAZARDS if hazard.no_remedy)
"""The hazards that are nothing to write other code for; of any other a remedy is looked for."""

_ENDED = frozenset({Outcome.REFUSED, Outcome.CRASHED, Outcome.TIMED_OUT})
_DETACHES = frozenset({"Tensor.detach", "Tensor.data", "Tensor.new_tensor"})  # a lost gradient is what they are for
_MATURITY = re.compile(r"\b(beta state|prototype stage|experimental|will be removed|invariant checks)\b")
"""What a warning says of a kind of object as such: other code for the same object would not be better."""
_TO_THE_POINT = frozenset({"Tensor.share_memory_", "torch.nn.Parameter", "ForkingPickler"})
"""Conversions that do more than give the same values: nothing else is written instead of them."""


def is_problem(row: Row) -> bool:
    """Return True if other code should be written than that of ``row``."""
    return row.outcome in _ENDED or bool(to_fix(row))


def to_fix(row: Row) -> frozenset[str]:
    """Return the hazards of ``row`` that a remedy must not have."""
    codes = frozenset(hazard.code for hazard in row.hazards) - NO_PROBLEM - _unavoidable(row)
    if row.conversion in _DETACHES:
        codes -= {"grad-lost"}
    if not any(warned.once and not _MATURITY.search(warned.message) for warned in row.warnings):
        codes -= {"warned-once-only"}
    return codes


def _unavoidable(row: Observation) -> frozenset[str]:
    """Return what every way of this direction loses: the other library has no such thing, say."""
    source, target = row.direction.source, row.direction.target
    if source is target is _TORCH:
        return frozenset({"subclass-lost"})  # what is computed from a Parameter is none, and is not to be
    if source is target:
        return frozenset()
    return frozenset({"subclass-lost"} | ({"grad-lost"} if source is _TORCH else set()))


# What may be written instead ---------------------------------------------------------------------

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
    return records and (row.direction.target is _NUMPY or row.conversion in _DETACHES | {"ForkingPickler"})


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
    if entry is not None and not _is_old(entry) and (entry.changes or entry.name in _TO_THE_POINT):
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


# What counts as a remedy -------------------------------------------------------------------------

Done = Observation | NotApplicable
_NOTHING_PROMISED = Expectation(promises=())
_EQUAL = frozenset({Values.EQUAL, Values.SAMPLED_EQUAL})


def remedied(row: Row, trials: Iterable[tuple[Candidate, Done, Done | None]]) -> Row:
    """Return ``row`` with the candidates that worked, the cheapest first; a trial has a result and a proof."""
    remedies = [remedy for candidate, done, proof in trials if (remedy := _remedy(row, candidate, done, proof))]
    # of equal cost, those that lose nothing first, then in the order in which they are declared
    best = tuple(
        sorted(
            _cheapest(remedies),
            key=lambda one: (not _faithful(one), "untracked" in one.effects, one.copied_bytes or 0, bool(one.effects)),
        )
    )
    return replace(row, remedies=best, remedy=described(best[0]) if best else None)


def _remedy(row: Row, candidate: Candidate, done: Done, proof: Done | None) -> Remedy | None:
    if not isinstance(done, Observation) or done.result is None or done.warnings:
        return None
    got = judge(done, _NOTHING_PROMISED, None, candidate.changes)
    allowed = (_unavoidable(row) | candidate.loses | {"subclass-lost"}) - (to_fix(row) & _KEPT_SOMEHOW)
    wished = wish(row.conversion, row.direction.source)
    empty = 0 in (done.result.nbytes, done.source and done.source.nbytes)
    if not (
        got.crash is None
        and (got.outcome in (Outcome.SHARED, Outcome.COPIED) or (got.outcome is Outcome.UNDECIDABLE and empty))
        and (wished is not Outcome.COPIED or got.outcome is not Outcome.SHARED)
        and (candidate.as_typed or _of_library(done.result.type, row.direction.target))
        and (row.to_dtype is None or done.result.dtype == row.to_dtype)
        and not (row.conversion in _DETACHES and done.result.requires_grad)
        and {hazard.code for hazard in got.hazards} <= allowed
        and _proved(done if not candidate.proof else proof)
    ):
        return None
    return _worked(candidate, got)


_KEPT_SOMEHOW = frozenset({"grad-lost", "grad-wrong", "subclass-lost"})
"""What is lost by choice, where that is not the very problem; a mask is lost by every way, and can stand beside."""


def _proved(done: Done | None) -> bool:
    return isinstance(done, Observation) and done.error is None and done.crash is None and done.values in _EQUAL


def _of_library(type_name: str, library: Library) -> bool:
    return type_name.partition(".")[0] == PACKAGES.get(library, library)


def _worked(candidate: Candidate, got: Row) -> Remedy:
    """Return the remedy for ``candidate``, with its side effects."""
    effects = list(candidate.effects)
    hazards_left = {hazard.code for hazard in got.hazards}
    if "grad-lost" in hazards_left:
        effects.append("gradient")
    if "grad-wrong" in hazards_left:
        effects.append("untracked")
    before = got.source.dtype if got.source is not None else None
    after = got.result.dtype if got.result is not None else None
    dtype = after if before is not None and after != before else None
    if dtype is not None and got.to_dtype is None and not STANDS_FOR & set(effects):
        effects.append("dtype")
    return Remedy(
        code=candidate.code,
        outcome=got.outcome,
        copied_bytes=got.copied_bytes,
        caveat=caveat(tuple(effects), dtype),
        setup=candidate.setup,
        effects=tuple(effects),
        dtype=dtype,
    )


def _faithful(remedy: Remedy) -> bool:
    """Return True if the result has the source's own values, not bits or a filling that stand for them."""
    return not STANDS_FOR & set(remedy.effects)


def _cheapest(remedies: Iterable[Remedy]) -> tuple[Remedy, ...]:
    """Return of each kind and cost the first: another code for the same is not another answer."""
    cheapest: dict[tuple[object, ...], Remedy] = {}
    for remedy in remedies:
        # the dtype counts if it is what the remedy changes: --to-dtype changes it for all alike
        dtype = remedy.dtype if {"bits", "dtype"} & set(remedy.effects) else None
        cheapest.setdefault((remedy.outcome, remedy.copied_bytes, frozenset(remedy.effects), dtype), remedy)
    return tuple(cheapest.values())


@functools.cache
def wish(conversion: str, library: Library) -> Outcome | None:
    """Return what a caller of ``conversion`` wants: a copy, sharing, or, ``None``, whichever is cheaper.

    That is what its keyword says, or its page of an ordinary subject.
    """
    entry = registry.find(conversion)
    if entry is not None and entry.copy is not None:
        return Outcome.COPIED if entry.copy else Outcome.SHARED
    plain = Subject(
        library=_NUMPY if library is _PYTHON else library,  # of a list nothing can be shared: what of an array?
        shape=(4, 3),
        dtype="float32",
        layout="contiguous",
        state=PLAIN,
        device="cpu",
        origin=Origin.GENERATED,
    )
    promised = [p.expected for p in expectation(conversion, plain, None).promises if p.about == "outcome"]
    return Outcome.COPIED if Expected.COPIED in promised else None


# Which conversion to write ------------------------------------------------------------------------

_CROSSING = frozenset(WAYS) - {Direction.TORCH_TO_TORCH, Direction.NUMPY_TO_NUMPY}
_OLD = frozenset({"legacy"})


def answers(rows: Iterable[Row], wanted: Outcome, direction: Direction | None = None) -> tuple[Answer, ...]:
    """Return for each subject which code gives the outcome ``wanted``: over the border, or in one ``direction``.

    What counts is what a remedy must be: values equal, no hazard. Where nothing is so, what comes nearest is named.
    """
    groups: dict[tuple[Direction, Subject], list[Row]] = {}
    for row in rows:
        if row.direction is direction or (direction is None and row.direction in _CROSSING):
            groups.setdefault((row.direction, row.subject), []).append(row)
    return tuple(_answer(group, wanted) for group in groups.values())


def _answer(rows: Sequence[Row], wanted: Outcome) -> Answer:
    plain = [
        row for row in rows if (entry := registry.find(row.conversion)) and not entry.changes and not _is_old(entry)
    ]
    rank = {_typed(row): _CLASSIC.index(row.conversion) for row in plain if row.conversion in _CLASSIC}
    # that as_tensor copies a list is not a reason to write it for a copy
    by_chance = {
        _typed(row) for row in plain if wanted is Outcome.COPIED is not wish(row.conversion, row.direction.source)
    }
    by_code = {remedy.code: remedy for row in plain for remedy in reversed((*_itself(row), *row.remedies))}
    ordered = sorted(
        by_code.values(),
        key=lambda remedy: (
            not _faithful(remedy),
            remedy.outcome is not wanted,
            "elementwise" in remedy.effects,
            remedy.copied_bytes or 0,
            remedy.code in by_chance,
            "read-only" in remedy.effects,
            rank.get(remedy.code, len(_CLASSIC)),
            len(remedy.code),
        ),
    )
    write = tuple(remedy for remedy in ordered if remedy.outcome is wanted and _faithful(remedy))
    near = sorted(ordered, key=lambda remedy: remedy.outcome is not wanted)
    return Answer(
        wanted=wanted,
        direction=rows[0].direction,
        subject=rows[0].subject,
        write=write,
        why=None if write else _why(plain or rows, wanted),
        nearest=() if write else tuple({remedy.outcome: remedy for remedy in reversed(near)}.values())[::-1],
    )


_CLASSIC = tuple(entry.name for entry in registry.classic())


def _is_old(entry: Conversion) -> bool:
    return bool(_OLD & set(entry.groups))


def _typed(row: Row) -> str:
    entry = registry.find(row.conversion)
    if entry is None or row.to_dtype is None:
        return entry.code if entry else ""
    dtype = f"torch.{row.to_dtype}" if row.direction.target is _TORCH else repr(row.to_dtype)
    return re.sub(r"\bdtype\b(?!=)", lambda _: dtype, entry.code_with_dtype or entry.code)


def _itself(row: Row) -> Iterator[Remedy]:
    """Yield the conversion of ``row`` itself, if it has no problem."""
    entry = registry.find(row.conversion)
    if is_problem(row) or row.values not in _EQUAL or row.warnings or row.result is None:
        return
    if entry is None or entry.setup or not _of_library(row.result.type, row.direction.target):
        return  # a function of one's own to write first, or a list
    yield _worked(Candidate(code=_typed(row), effects=("elementwise",) if _is_elementwise(row) else ()), row)


_ELEMENTWISE = re.compile(r"\blist\(x\)(?=[,)])|\.tolist\(\)")
_IN_BLOCKS = frozenset({"torch.stack", "torch.utils.data.default_collate"})


def _is_elementwise(row: Row) -> bool:
    """Return True if Python handles each element, or each row of a list of arrays element by element.

    That takes up to a hundred times as long as copying a block, and counts the same bytes.
    """
    if row.conversion in _IN_BLOCKS:
        return row.direction.source is _NUMPY and len(row.subject.shape) < 2
    nested = bool(words(row.subject.state) & {"list-of-arrays", "list-of-tensors"})
    return (nested and row.direction.target is _TORCH) or bool(_ELEMENTWISE.search(_typed(row)))


def _why(rows: Sequence[Row], wanted: Outcome) -> str:
    """Return the outcomes of the conversions, with the first reason of each kind."""
    kinds: dict[str, list[str]] = {}
    for row in rows:
        hazards = sorted(to_fix(row))
        if row.error is not None:
            kind, reason = "refused", f"{row.conversion}: {row.error.type}: {row.error.message}"
        elif row.outcome is not wanted:
            kind, reason = str(row.outcome), row.conversion
        else:
            kind, reason = f"{row.outcome}, but with hazards", f"{row.conversion}: {', '.join(hazards) or row.values}"
        kinds.setdefault(kind, []).append(reason)
    return "; ".join(f"{len(reasons)} {kind} ({reasons[0]})" for kind, reasons in kinds.items())
