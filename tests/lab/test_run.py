"""The probe against an oracle that lists addresses one by one and flips every byte itself."""

from __future__ import annotations

import ctypes
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from tensorbridge_cli.catalog import dtypes
from tensorbridge_cli.judgement.judge import judge
from tensorbridge_cli.lab import run
from tensorbridge_cli.lab.experiment import Bench
from tensorbridge_cli.records.enums import Library, Values, Via, Write
from tensorbridge_cli.records.report import Expectation, NotApplicable
from tensorbridge_cli.subjects import generate
from tests.lab.tools import observe
from tests.sweep import FULL
from tests.tools import experiment, subject

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns as it likes

EXACT = ("bool", "int", "uint", "bits", "q", "object", "|S", "<U", "|V")  # other bytes are always another value
PACKED = {"quint4x2", "quint2x4"}  # single elements of these have no address
NUMPY = [entry.name for entry in dtypes.installed() if Library.NUMPY in entry.libraries]
TORCH = [entry.name for entry in dtypes.installed() if Library.TORCH in entry.libraries and entry.name not in PACKED]

Build = Callable[[], Any]
Step = Callable[[Any], Any]


# The oracle ----------------------------------------------------------------------------------------


def elements(obj: Any) -> list[range]:
    """The addresses of each element's bytes, row-major."""
    array = isinstance(obj, np.ndarray)
    start = obj.ctypes.data if array else obj.data_ptr()
    steps = obj.strides if array else [n * obj.itemsize for n in obj.stride()]
    starts = (start + sum(i * n for i, n in zip(at, steps, strict=True)) for at in product(*map(range, obj.shape)))
    return [range(first, first + obj.itemsize) for first in starts]


def octets(obj: Any) -> bytes:
    return b"".join(ctypes.string_at(each.start, len(each)) for each in elements(obj))


def flip(reached: set[int]) -> None:
    for address in reached:
        ctypes.c_ubyte.from_address(address).value ^= 0xFF


def agrees(build: Build, code: str) -> None:
    """What the probe says of ``code`` is what the oracle finds."""
    row = observe(build, code)
    source = build()
    try:
        result = eval(code, {"np": np, "torch": torch, "x": source})
    except Exception as error:
        raised = type(error).__name__
    else:
        raised = None
    assert (row.error and row.error.type.rpartition(".")[2]) == raised
    if raised:
        return
    ours, theirs = elements(source), elements(result)
    reached = [{address for each in part for address in each} for part in (ours, theirs)]
    common = reached[0] & reached[1]
    assert (row.relation.overlaps, row.relation.overlap_bytes) == (bool(common), len(common))

    before = octets(result)
    if source.dtype != object:
        flip(reached[0])
        assert (octets(result) != before) is bool(common)
        flip(reached[0])
    if source.dtype == result.dtype:
        if tuple(source.shape) == tuple(result.shape) and octets(source) == before:
            assert row.values in (Values.EQUAL, Values.SAMPLED_EQUAL)
        elif str(source.dtype).removeprefix("torch.").startswith(EXACT):
            assert row.values is Values.CHANGED

    judged = judge(row, Expectation(promises=()))
    if not (ours and theirs):
        assert judged.outcome == "undecidable"
        return
    writable = [not isinstance(obj, np.ndarray) or obj.flags.writeable for obj in (source, result)]
    assert all(cell.before != cell.written for cell in row.evidence.cells)
    shows = Write.SEEN if common else Write.NOT_SEEN
    expected = [shows if able else Write.REFUSED for able in writable]
    assert [row.writes.source_to_result, row.writes.result_to_source] == expected
    assert judged.outcome == ("shared" if common else "copied")
    assert "evidence-conflicts" not in {hazard.code for hazard in judged.hazards}


# What it is asked ----------------------------------------------------------------------------------

ANY: list[Step] = [
    lambda x: x[1:],
    lambda x: x[..., ::2],
    lambda x: x[None],
    lambda x: x[0, ...],
    lambda x: x[..., -1:],
    lambda x: x.swapaxes(0, -1),
    lambda x: x.reshape(-1),
]
NUMPY_STEPS: list[Step] = [
    *ANY,
    lambda x: x[::-1],
    lambda x: x[..., ::-2],
    lambda x: np.broadcast_to(x, (2, *x.shape)),
    lambda x: sliding_window_view(x, 2, axis=-1),
    lambda x: sliding_window_view(x, 2, axis=0, writeable=True),
    lambda x: x.view(x.dtype.newbyteorder()) if x.dtype.kind != "U" else x,  # text would be no text
    lambda x: x.real,
    lambda x: x["y"],
]
TORCH_STEPS: list[Step] = [
    *ANY,
    lambda x: x.expand(2, *x.shape),
    lambda x: x.unfold(-1, 2, 1),
    lambda x: torch.view_as_real(x),
    lambda x: x.detach(),
]
NUMPY_CODES = [
    *("torch.from_numpy(x)", "torch.as_tensor(x)", "torch.tensor(x)", "torch.asarray(x)", "torch.from_numpy(x)[1:]"),
    *("torch.from_numpy(x).reshape(-1)", "x.copy()", "x[::-1]", "x[..., 1:]", "x.T", "np.ascontiguousarray(x)"),
    *("x.ravel('K')", "np.array(x, ndmin=3, copy=None)", "x.reshape(-1)[::2]", "x[..., ::-1]"),
]
TORCH_CODES = [
    *("x.numpy()", "x.numpy(force=True)", "np.asarray(x)", "x.numpy()[::-1]", "torch.as_tensor(x)", "x.clone()"),
    *("x.detach()", "x.contiguous()", "x.reshape(-1)", "x[1:]", "x.flip(0)", "x.squeeze()", "x.swapaxes(0, -1)"),
]
SHAPES = st.lists(st.integers(0, 4), max_size=9).filter(lambda shape: math.prod(shape) <= 256).map(tuple)


@st.composite
def builds(draw: st.DrawFn, library: Library) -> Build:
    """A view of a view of … a generated subject, made afresh by each call."""
    names, steps = (NUMPY, NUMPY_STEPS) if library is Library.NUMPY else (TORCH, TORCH_STEPS)
    asked = subject(library, draw(SHAPES | st.just((4, 3))), draw(st.sampled_from(names)))
    taken = draw(st.lists(st.sampled_from(steps), max_size=5))

    def build() -> Any:
        obj, _ = generate.generate(asked, Path())
        for step in taken:
            try:
                seen = step(obj)
            except (IndexError, ValueError, TypeError, RuntimeError):
                continue  # it cannot be taken of this one
            obj = seen if math.prod(seen.shape) <= 1024 and seen.ndim <= 12 else obj
        return obj

    return build


EXAMPLES = 300 if FULL else 100


@settings(deadline=None, max_examples=EXAMPLES)
@given(build=builds(Library.NUMPY), code=st.sampled_from(NUMPY_CODES))
def test_views_of_views_of_arrays(build: Build, code: str) -> None:
    agrees(build, code)


@settings(deadline=None, max_examples=EXAMPLES)
@given(build=builds(Library.TORCH), code=st.sampled_from(TORCH_CODES))
def test_views_of_views_of_tensors(build: Build, code: str) -> None:
    agrees(build, code)


@pytest.mark.parametrize("dtype", NUMPY)
@pytest.mark.parametrize("code", ["x", "x.copy()", "x[::-1]"])
def test_every_dtype_of_numpy(dtype: str, code: str) -> None:
    agrees(lambda: generate.generate(subject(dtype=dtype), Path())[0], code)


@pytest.mark.parametrize("dtype", TORCH)
@pytest.mark.parametrize("code", ["x", "x.clone()", "x[1:]"])
def test_every_dtype_of_torch(dtype: str, code: str) -> None:
    agrees(lambda: generate.generate(subject(Library.TORCH, dtype=dtype), Path())[0], code)


@pytest.mark.parametrize(
    "code", ["torch.from_numpy(x)", "x.copy()", "x[::-1]", "x.T", "x[:, 1:]", "x[1:-1]", "x[1:]", "x.reshape(-1)[::7]"]
)
def test_large_arrays_of_which_few_values_are_read(code: str) -> None:
    agrees(lambda: np.arange(5100, dtype="f4").reshape(60, 85), code)


@pytest.mark.parametrize(
    "source", ["[1.0] * 5000", "[[1.0, 2.0]] * 3000", "[np.ones(60)] * 70", "[torch.ones(())] * 5000", "(1, 2) * 2500"]
)
def test_a_large_list_is_sampled_as_its_tensor_is(source: str) -> None:
    row = observe(lambda: eval(source, {"np": np, "torch": torch}), "torch.tensor(np.array(x))")
    assert row.values is Values.SAMPLED_EQUAL
    assert row.writes.result_to_source is Write.NOT_SEEN


@pytest.mark.parametrize(
    ("values", "mask"),
    [
        *(([1.5, 2.5], mask) for mask in (True, [True, False], [False, True], False)),
        *((values, True) for values in (1.5, [1.5], True, [True], False, 100.0, [100, 100])),
    ],
)
@pytest.mark.parametrize("writable", [True, False])
def test_a_mask_hides_values_and_no_writes(values: Any, mask: Any, writable: bool) -> None:
    def build() -> Any:
        array = np.ma.MaskedArray(np.array(values), mask=mask)
        array.flags.writeable = writable
        return array

    row = observe(build, "torch.from_numpy(x)")
    assert row.writes.source_to_result is (Write.SEEN if writable else Write.REFUSED)
    assert row.writes.result_to_source is Write.SEEN


STORAGE = "torch.empty(0, dtype=torch.uint8).set_(x.untyped_storage()).numpy()"
OCTETS = "x.view(torch.uint8).numpy()"


BOOLS = [("bool", layout, code) for layout in ("contiguous", "non-contiguous", "offset") for code in (STORAGE, OCTETS)]
GAPS = [(dtype, "non-contiguous", STORAGE) for dtype in ("float32", "complex64", "int16", "float8_e5m2", "qint8")]
PADDED = [(dtype, layout, STORAGE) for dtype in sorted(PACKED) for layout in ("contiguous", "non-contiguous", "offset")]
ACROSS = [("float32", "transposed", f"{STORAGE}[7:37].view('V5')"), ("float32", "offset", f"{STORAGE}[5:7]")]


@pytest.mark.parametrize(
    ("shape", "dtype", "layout", "code"),
    [((1,), *case) for case in BOOLS + GAPS]
    + [(shape, *case) for shape in ((4, 3), (70, 60)) for case in BOOLS + GAPS + PADDED + ACROSS],
)
def test_each_write_is_made_where_the_other_side_would_see_it(
    shape: tuple[int, ...], dtype: str, layout: str, code: str
) -> None:
    asked = subject(Library.TORCH, shape, dtype, layout)
    row = observe(lambda: generate.generate(asked, Path())[0], code)
    assert (row.writes.source_to_result, row.writes.result_to_source) == (Write.SEEN, Write.SEEN)
    assert row.relation.overlaps is True


@pytest.mark.parametrize("source", [[True, True], [False, True], [True, False]])
@pytest.mark.parametrize("dtype", ["u1", "i2", "V2"])
def test_a_bool_is_written_so_that_its_reader_sees_it(source: list[bool], dtype: str) -> None:
    for code, back in ((f"x.view({dtype!r})", False), ("x.view(bool)", True)):
        row = observe(lambda back=back: np.array(source).view(dtype if back else bool), code)
        assert (row.writes.source_to_result, row.writes.result_to_source) == (Write.SEEN, Write.SEEN)


def test_what_packs_several_elements_in_a_byte_reaches_no_padding() -> None:
    asked = subject(Library.TORCH, (4, 3), "quint4x2")
    row = observe(lambda: generate.generate(asked, Path())[0], STORAGE)
    assert (row.result is not None and row.result.nbytes, row.relation.overlap_bytes) == (8, 6)
    outside = subject(Library.TORCH, (), "quint4x2", "offset")  # torch counts the offset in bytes
    row = observe(lambda: generate.generate(outside, Path())[0], "x")
    assert (row.relation.overlaps, judge(row, Expectation(promises=())).outcome) == (None, "undecidable")


def test_many_rows_are_compared_with_many() -> None:
    rows = "torch.nested.nested_tensor([torch.ones(2)] * 1000)"
    shared, copied = (observe(lambda: eval(rows, {"torch": torch}), code) for code in ("x.detach()", "x.clone()"))
    assert (shared.relation.overlap_bytes, copied.relation.overlap_bytes) == (1000 * 8, 0)
    assert (shared.relation.same_storage, copied.relation.same_storage) == (True, False)


def test_the_rows_of_a_jagged_tensor_are_elements_and_its_offsets_are_not() -> None:
    jagged = "torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)"
    shared, copied = (observe(lambda: eval(jagged, {"torch": torch}), code) for code in ("x.detach()", "x.clone()"))
    assert (shared.relation.overlap_bytes, shared.writes.source_to_result) == (5 * 4, Write.SEEN)
    assert (copied.relation.overlaps, copied.writes.source_to_result) == (False, Write.NOT_SEEN)


def test_the_owner_of_shared_bytes_is_watched() -> None:
    kept = observe(lambda: np.ones((4, 3))[1:, ::2], "torch.from_numpy(x)")
    assert kept.relation.owner_kept is True
    lost = observe(lambda: np.ones(3), "torch.from_numpy(np.ctypeslib.as_array(np.ctypeslib.as_ctypes(x)))")
    assert lost.relation.owner_kept is True  # through ctypes, which holds it
    address = "np.asarray(type('A', (), {'__array_interface__': {**x.__array_interface__}}))"
    assert observe(lambda: np.ones(3), address).relation.owner_kept is False


def test_what_was_written_is_told_cell_by_cell() -> None:
    row = observe(lambda: np.array([[1.5, 2.5], [3.5, 4.5]], "f4"), "torch.from_numpy(x)")
    assert [(c.index, c.before, c.written, c.source_after, c.result_after, c.wrote) for c in row.evidence.cells] == [
        ((0, 0), "1.5", "100.0", "100.0", "100.0", "source"),
        ((1, 1), "4.5", "100.0", "100.0", "100.0", "result"),
    ]
    assert [(s.after, s.source, s.result) for s in row.evidence.snapshots] == [
        ("convert", ("1.5", "2.5", "3.5", "4.5"), ("1.5", "2.5", "3.5", "4.5")),
        ("write-source", ("100.0", "2.5", "3.5", "4.5"), ("100.0", "2.5", "3.5", "4.5")),
        ("write-result", ("100.0", "2.5", "3.5", "100.0"), ("100.0", "2.5", "3.5", "100.0")),
    ]
    row = observe(lambda: np.array([1.5], "f4"), "torch.tensor(x)")
    assert [(c.source_after, c.result_after) for c in row.evidence.cells] == [("100.0", "1.5"), ("100.0", "100.0")]


@pytest.mark.parametrize("dtype", sorted(PACKED))
def test_elements_that_share_a_byte_are_written_too(dtype: str) -> None:
    asked = subject(Library.TORCH, dtype=dtype)
    row = observe(lambda: generate.generate(asked, Path())[0], "x.detach()")
    assert (row.writes.source_to_result, row.writes.result_to_source, row.writes.via) == (
        Write.SEEN,
        Write.SEEN,
        Via.BYTES,
    )
    assert all(cell.before != cell.written for cell in row.evidence.cells)


@pytest.mark.parametrize("layout", ["coo", "csr"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float8_e5m2"])
@pytest.mark.parametrize("side", [3, 90])
def test_a_sparse_tensor_is_written_where_it_has_values(layout: str, dtype: str, side: int) -> None:
    def build() -> Any:
        sparse = torch.eye(side).to_sparse()
        return (sparse if layout == "coo" else sparse.to_sparse_csr()).to(getattr(torch, dtype))

    shared, copied = observe(build, "x.detach()"), observe(build, "x.clone()")
    assert {shared.writes.source_to_result, shared.writes.result_to_source} == {Write.SEEN}
    assert {copied.writes.source_to_result, copied.writes.result_to_source} == {Write.NOT_SEEN}
    assert shared.values in (Values.EQUAL, Values.SAMPLED_EQUAL)


def test_a_record_is_written_by_its_fields() -> None:
    """The scalar of a structured array is a view: np.copy of it shares, and it is not read-only."""
    records = [("a", "f4"), ("b", "i8")]
    for code, write in (("np.copy(x)", Write.SEEN), ("x.copy()", Write.NOT_SEEN)):
        row = observe(lambda: np.zeros(3, records)[0], code)
        assert (row.writes.source_to_result, row.writes.result_to_source) == (write, write)
        assert row.source is not None
        assert row.source.writable is True


def test_what_keeps_the_scales_of_another_shape_is_read_by_its_bytes() -> None:
    row = observe(_per_channel, "x.reshape(-1)")
    assert row.internal_error is None
    assert (row.writes.source_to_result, row.relation.overlap_bytes) == (Write.SEEN, 6)


def _per_channel() -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scales, points = torch.tensor([0.1, 0.2]), torch.tensor([0, 0])
        return torch.quantize_per_channel(torch.ones(2, 3), scales, points, 0, torch.quint8)


@pytest.mark.parametrize("source", ["np.rec.array([(1, 2.0)])", "np.array(['a', 'b'], np.dtypes.StringDType())"])
def test_a_dtype_that_no_name_makes_is_none_of_torchs(source: str) -> None:
    names = {"np": np, "torch": torch}
    x = eval(source, names)
    named = replace(subject(), shape=x.shape, dtype=dtypes.name_of(x.dtype))
    asked = replace(experiment("getattr(torch, x.dtype.name)", source), subject=named, same_dtype=True)
    row = run.run(asked, Bench(setup="", scratch=Path(), folder=""), names, lambda stage, facts: None)
    assert isinstance(row, NotApplicable)
    assert row.reason == f"PyTorch has no {named.dtype}, which the conversion needs"


@pytest.mark.parametrize(
    "source",
    [
        "np.zeros(3, [('a', 'f4', (2, 2)), ('b', 'i8')])",  # arrays in records
        "np.array([np.ones(3), None], object)",
        "np.array([torch.ones(3), {'a': np.ones(2)}], object)",
    ],
)
def test_values_that_are_arrays_are_compared_by_their_elements(source: str) -> None:
    """``==`` of two arrays is no bool: each value counted as changed, and a copy as shared."""

    def build() -> Any:
        return eval(source, {"np": np, "torch": torch})

    for code, write in (("np.copy(x)", Write.NOT_SEEN), ("np.asarray(x)", Write.SEEN)):
        row = observe(build, code)
        assert (row.writes.source_to_result, row.writes.result_to_source) == (write, write)
        assert (row.values, row.source_changes) == (Values.EQUAL, ())
    assert observe(build, "__import__('copy').deepcopy(x)").values is Values.EQUAL


@pytest.mark.parametrize(
    ("source", "shared"),
    [
        ("[torch.ones(3), None]", 1),
        ("[object(), [1]]", 2),
        ("[1.5, 'a', None, (1,)]", None),  # nobody can write to these: whether they are the same is not seen
    ],
)
def test_the_mutable_objects_in_an_object_array_are_counted(source: str, shared: int | None) -> None:
    row = observe(lambda: np.array([*eval(source, {"torch": torch}), None], object), "x.copy()")
    assert row.relation.shared_objects == shared


@pytest.mark.parametrize("source", ["[[1] * 3000, [2]]", "[np.ones(3000), np.ones(2)]"])
def test_rows_of_different_lengths_are_no_dimensions(source: str) -> None:
    row = observe(lambda: eval(source, {"np": np}), "torch.tensor(x)")
    assert row.internal_error is None
    assert row.source is not None
    assert row.source.shape == (2,)
    assert row.error is not None


def test_what_our_own_reads_warn_of_is_not_printed() -> None:
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            seen = observe(lambda: torch.zeros(3, dtype=torch.complex32), "(x.resize(3), x.clone())[1]")
    finally:
        torch.set_warn_always(False)
    assert caught == []
    assert any("resize" in warned.message for warned in seen.warnings)
