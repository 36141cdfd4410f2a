"""What one experiment sees: a write is judged by bytes, a conversion by both sides, and nobody's memory by nobody."""

from __future__ import annotations

import copy
import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.multiprocessing  # it teaches multiprocessing's pickler to send tensors

from tensorbridge_cli.lab import comparison
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.memory.relation import relation
from tensorbridge_cli.records.enums import Stage
from tensorbridge_cli.records.report import Observation
from tests.lab.tools import codes, detail, row
from tests.tools import experiment

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns as it likes

# The source is compared with itself ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "code", "facts"),
    [
        (lambda: torch.ones(3, requires_grad=True), "x.requires_grad_(False)", {"requires_grad"}),
        (lambda: torch.nn.Parameter(torch.ones(3)), "x.requires_grad_(False).detach()", {"requires_grad"}),
        (lambda: torch.ones(3, requires_grad=True) * 2, "x.detach_()", {"requires_grad", "is_leaf"}),
        (lambda: torch.ones(2, 3), "x.t_()", {"shape", "strides"}),
        (lambda: torch.ones(2, 3), "x.squeeze_().unsqueeze_(0)", {"shape", "strides"}),
        (lambda: torch.ones(3), "x.add_(0)", {"version"}),
        (lambda: torch.ones(3), "x.mul_(2).clone()", {"version", "values"}),
        (lambda: np.ones(3), "(x.setflags(write=False), x)[1]", {"writable"}),
        (lambda: np.ones(6), "(setattr(x, 'shape', (2, 3)), x)[1]", {"shape", "strides"}),
        (lambda: np.ones(3), "np.negative(x, out=x)", {"values"}),
        (lambda: [1.0, 2.0], "(x.append(3.0), torch.tensor(x))[1]", {"shape"}),
        (lambda: np.ones(3), "(x.setflags(write=False), x.nothing)", {"writable"}),
    ],
)
def test_what_a_conversion_does_to_its_source(build: Callable[[], Any], code: str, facts: set[str]) -> None:
    found = row(build, code)
    assert {change.fact for change in found.source_changes} >= facts
    assert "source-changed" in codes(found)
    assert "source-moved" not in codes(found)


CHANGES: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "a value": (lambda: np.ones((2, 3)), lambda x: x.fill(2)),
    "the payload of a NaN": (lambda: np.full(3, np.nan), lambda x: np.bitwise_xor(x.view("u8"), 1, out=x.view("u8"))),
    "a flag": (lambda: np.ones(3), lambda x: x.setflags(write=False)),
    "a shape": (lambda: np.ones(6), lambda x: setattr(x, "shape", (2, 3))),
    "a dtype": (lambda: np.ones(3), lambda x: setattr(x, "dtype", "i8")),
    "a size": (lambda: np.ones(3), lambda x: x.resize(7, refcheck=False)),
    "the bytes of a tensor": (lambda: torch.ones(2, 3), lambda x: x.view(torch.int32).fill_(7)),
    "the version": (lambda: torch.ones(3), lambda x: x.add_(0)),
    "requires_grad": (lambda: torch.ones(3), lambda x: x.requires_grad_()),
    "the storage": (lambda: torch.ones(3), lambda x: x.set_(torch.ones(3))),
    "the length of the storage": (lambda: torch.ones(3), lambda x: x.untyped_storage().resize_(64)),
    "the strides": (lambda: torch.ones(2, 3), lambda x: x.t_()),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_source_is_inspected_again_only_if_it_has_changed(what: str) -> None:
    build, change = CHANGES[what]
    source = build()
    before = comparison.inspect_before(source)
    assert comparison.inspect_again(source, before) is before
    change(source)
    again = comparison.inspect_again(source, before)
    assert again is not before
    assert repr(again) == repr(comparison.inspect(source))  # NaN is not equal to itself
    assert comparison.changes_of(source, before, again)


@pytest.mark.parametrize(
    ("build", "code", "nbytes"),
    [
        (lambda: torch.ones(1000), "x.share_memory_()", 4000),
        (lambda: torch.ones(1000)[:10], "x.share_memory_()", 4000),
        (lambda: torch.nn.Parameter(torch.ones(1000)), "x.share_memory_()", 4000),
        (lambda: torch.ones(3), "x.set_(x.clone())", 12),
        (lambda: torch.ones(3), "setattr(x, 'data', x.data.clone()) or x", 12),
        (
            lambda: torch.ones(3),
            "__import__('multiprocessing.reduction').reduction.ForkingPickler.dumps(x) and x.detach()",
            12,
        ),
    ],
)
def test_a_source_that_moves(build: Callable[[], Any], code: str, nbytes: int) -> None:
    found = row(build, code)
    assert "source-moved" in codes(found)
    assert found.copied_bytes == nbytes
    assert f"({nbytes:,} bytes were copied)" in detail(found, "source-moved")


@pytest.mark.parametrize("code", ["x.numpy()", "x.detach().numpy()", "np.from_dlpack(x)"])
def test_the_copy_of_a_lazy_clone_is_no_move_and_its_bytes_count(code: str) -> None:
    origin = torch.ones(8)  # with nobody else left, the clone takes its memory over
    found = row(lambda: torch._lazy_clone(origin), code)
    assert not codes(found) & {"source-moved", "source-changed"}
    assert found.copied_bytes == 32


@pytest.mark.parametrize(
    ("build", "code"),
    [
        (lambda: np.ones(3), "torch.from_numpy(x)"),
        (lambda: torch.ones(3, requires_grad=True), "x.detach().numpy()"),
        (lambda: torch.eye(3).to_sparse(), "x.to_dense()"),
        (lambda: [np.ones(2), np.ones(2)], "torch.tensor(np.stack(x))"),
        (lambda: np.array([np.nan, 1.0]), "torch.from_numpy(x)"),
        (lambda: torch.tensor([1, 2]).conj(), "x.clone()"),
    ],
)
def test_a_source_that_is_left_alone(build: Callable[[], Any], code: str) -> None:
    assert row(build, code).source_changes == ()


# Bytes copied are bytes allocated ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "code", "nbytes", "times"),
    [
        (lambda: torch.zeros(1_000_000)[:10], "__import__('copy').deepcopy(x)", 4_000_000, "100,000 times"),
        (lambda: torch.zeros(100, 100)[:, 0], "__import__('copy').deepcopy(x)", 40_000, "100 times"),
        (lambda: torch.zeros(64, dtype=torch.int8)[::2], "__import__('copy').deepcopy(x)", 64, "2 times"),
        (lambda: torch.zeros(6), "torch.cat([x, x, x])[:6]", 72, "3 times"),
        (lambda: np.zeros(6), "np.tile(x, 4)[:6]", 192, "4 times"),
    ],
)
def test_a_copy_that_takes_the_storage_along(build: Callable[[], Any], code: str, nbytes: int, times: str) -> None:
    found = row(build, code)
    assert (found.outcome, found.copied_bytes) == ("copied", nbytes)
    assert times in detail(found, "storage-larger")
    clone = row(build, "x.clone()" if isinstance(build(), torch.Tensor) else "x.copy()")
    assert clone.copied_bytes == build().nbytes
    assert "storage-larger" not in codes(clone)


@pytest.mark.parametrize(
    ("code", "larger"),
    [("x.detach()", True), ("x.view(-1)", True), ("x.numpy()", False), ("x.contiguous()", False), ("x.clone()", False)],
)
def test_a_view_of_a_large_storage(code: str, larger: bool) -> None:
    found = row(lambda: torch.zeros(1000)[:10], code)
    assert ("storage-larger" in codes(found)) is larger


def test_the_parts_of_a_sparse_tensor_are_what_is_allocated() -> None:
    assert row(lambda: torch.eye(4).to_sparse(), "x.clone()").copied_bytes == 4 * 4 + 2 * 4 * 8


@pytest.mark.parametrize(
    ("build", "code", "outcome"),
    [
        (lambda: torch.zeros(3, 3).to_sparse(), "x", "shared"),
        (lambda: torch.zeros(3, 3).to_sparse(), "x.detach()", "undecidable"),
        (lambda: torch.zeros(3, 3).to_sparse(), "x.clone()", "undecidable"),
        (lambda: torch.zeros(3, 3).to_sparse(), "x.to_dense()", "copied"),
        (lambda: torch.zeros(3, 3).to_sparse_csr(), "x.detach()", "shared"),  # its row pointers are there
        (lambda: torch.nested.nested_tensor([torch.zeros(0)]), "x.detach()", "undecidable"),
    ],
)
def test_a_tensor_that_stores_no_element_is_no_copy(build: Callable[[], Any], code: str, outcome: str) -> None:
    assert row(build, code).outcome == outcome


# Values ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "code", "texts"),
    [
        (lambda: [0.1], "torch.tensor(x)", "0.1 became 0.10000000149011612"),
        (lambda: np.array([0.1]), "torch.from_numpy(x).float()", "0.1 became 0.10000000149011612"),
        (lambda: np.array([0.1], "f4"), "x.astype('f8') + 1e-17", "0.1 became 0.10000000149011613"),
        (lambda: np.array([16777217, 3]), "torch.Tensor(x)", "16777217 became 16777216.0"),
        (lambda: np.array([1e300]), "torch.FloatTensor(x)", "1e+300 became inf"),
        (lambda: [0.1 + 1j], "torch.tensor(x)", "(0.1+1j) became (0.10000000149011612+1j)"),
        (lambda: np.array(["a" * 60]), "np.array(['a' * 59 + 'b'])", "…aaaaaaaaa became …aaaaaaab"),
    ],
)
def test_two_values_are_shown_with_as_many_digits_as_tell_them_apart(
    build: Callable[[], Any], code: str, texts: str
) -> None:
    found = row(build, code)
    before, _, after = (found.evidence.difference or "").rpartition(": ")[2].partition(" became ")
    assert before != after
    if "…" not in texts:
        assert f"{before} became {after}" == texts or "1e-17" in code


@pytest.mark.parametrize("dtype", [torch.complex128, torch.complex64, torch.float64, torch.int64, torch.bfloat16])
@pytest.mark.parametrize("offset", [1, 2, 4, 8])
@pytest.mark.parametrize("code", ["x[::2]", "x[1:]", "x.clone()", "x.conj()", "x.t()"])
def test_an_unaligned_tensor_is_read_byte_by_byte(dtype: Any, offset: int, code: str) -> None:
    width = torch.empty(0, dtype=dtype).itemsize

    def build() -> torch.Tensor:
        octets = torch.zeros(12 * width + offset, dtype=torch.uint8)
        numbers = torch.arange(12).to(dtype).view(torch.uint8)
        octets[offset:] = numbers
        return torch.from_numpy(octets.numpy()[offset:].view("u1")).view(dtype).view(4, 3)

    try:
        built = build()
    except RuntimeError:  # torch views no bytes as a wider dtype at such an offset
        array = np.zeros(12 * width + offset, "u1")
        array[offset:] = torch.arange(12).to(dtype).view(torch.uint8).numpy()
        built = torch.frombuffer(array, dtype=dtype, offset=offset).view(4, 3)
    seen = copy.copy(built)
    from tensorbridge_cli.memory.values import read, read_cell

    assert read(seen) == torch.arange(12).to(dtype).tolist()
    assert read(seen[::2]) == torch.arange(12).to(dtype).view(4, 3)[::2].reshape(-1).tolist()
    assert read_cell(seen, (3, 2)) == torch.arange(12).to(dtype)[-1].item()


# Addresses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "pointer", "storage", "nbytes"),
    [
        ("x[1:]", False, True, 8),
        ("x[:2]", True, True, 8),
        ("x.base[3:6]", False, True, 0),  # the bytes begin where those of the source end
        ("x.base[:3]", True, True, 12),
        ("x.base[2:5]", False, True, 4),
        ("x.copy()", False, False, 0),
        ("torch.from_numpy(x[1:])", False, True, 8),
        ("x[::-1]", False, True, 12),
    ],
)
def test_pointer_storage_and_bytes_are_three_facts(code: str, pointer: bool, storage: bool, nbytes: int) -> None:
    seen = row(lambda: np.arange(6, dtype="f4")[:3], code).relation
    assert (seen.same_pointer, seen.same_storage, seen.overlap_bytes) == (pointer, storage, nbytes)
    assert seen.overlaps is (nbytes > 0)


def test_storages_that_touch_are_two() -> None:
    block = (ctypes.c_char * 24)()
    first, second = (np.frombuffer((ctypes.c_char * 12).from_buffer(block, at), "f4") for at in (0, 12))
    seen = relation(first, second)
    assert (seen.same_pointer, seen.same_storage, seen.overlaps, seen.overlap_bytes) == (False, False, False, 0)


# Tensors that pack several elements in a byte, or have lost their quantizer ---------------------------


def quantized(dtype: str) -> str:
    return f"torch._empty_affine_quantized((4, 3), scale=0.1, zero_point=0, dtype=torch.{dtype})"


@pytest.mark.parametrize(
    ("dtype", "code", "nbytes"),
    [
        ("quint4x2", "x", 6),
        ("quint4x2", "x[::2]", 4),  # elements 0, 1, 2 and 6, 7, 8: bytes 0, 1, 3, 4
        ("quint4x2", "x[:, ::2]", 6),
        ("quint2x4", "x[::2]", 3),
        ("quint8", "x[::2]", 6),
    ],
)
def test_the_bytes_that_packed_elements_reach(lab: Laboratory, dtype: str, code: str, nbytes: int) -> None:
    ((_, seen),) = lab.run([experiment(code, quantized(dtype))])
    assert isinstance(seen, Observation)
    assert (seen.crash, seen.relation.overlap_bytes) == (None, nbytes)


@pytest.mark.parametrize("dtype", ["quint4x2", "quint2x4", "quint8", "qint8"])
@pytest.mark.parametrize("code", ["x.view(torch.uint8)", "x.view(torch.int8)"])
def test_looking_at_a_tensor_without_its_quantizer_ends_nothing(lab: Laboratory, dtype: str, code: str) -> None:
    ((_, seen),) = lab.run([experiment(code, quantized(dtype))])
    assert isinstance(seen, Observation)
    # a user's write to it ends the process, as reading it does
    assert seen.error is not None or seen.crash is None or seen.crash.stage is Stage.WRITE_RESULT
    if seen.error is None:
        assert seen.relation.overlaps is True


@pytest.mark.parametrize("code", ["x[::2]", "x[1:]", "x.t()", "x.conj()"])
@pytest.mark.parametrize("dtype", ["complex128", "complex64", "float64"])
def test_looking_at_an_unaligned_tensor_ends_nothing(lab: Laboratory, dtype: str, code: str) -> None:
    build = f"torch.frombuffer(bytearray({16 * 12 + 1}), dtype=torch.{dtype}, offset=1, count=12).view(4, 3)"
    ((_, seen),) = lab.run([experiment(code, build)])
    assert isinstance(seen, Observation)
    assert seen.crash is None or seen.crash.stage in (Stage.WRITE_SOURCE, Stage.WRITE_RESULT)
    assert seen.relation.overlaps is True
