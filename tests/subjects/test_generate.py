import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tensorbridge_cli.catalog import dtypes, layouts, states
from tensorbridge_cli.memory import parts
from tensorbridge_cli.records.enums import Library, Origin
from tensorbridge_cli.records.report import Subject
from tensorbridge_cli.subjects import fills, generate
from tests.tools import subject

SHAPES = st.lists(st.integers(0, 4), min_size=0, max_size=9).map(tuple).filter(lambda s: math.prod(s) <= 4096)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("maps")


def make(scratch, library="numpy", shape=(4, 3), dtype="float32", layout="contiguous", state="plain"):
    asked = Subject(
        library=Library(library),
        shape=shape,
        dtype=dtype,
        layout=layout,
        state=state,
        device="cpu",
        origin=Origin.GENERATED,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return generate.generate(asked, scratch)[0]


@given(
    shape=SHAPES,
    dtype=st.sampled_from([entry.name for entry in dtypes.installed()]),
    layout=st.sampled_from(list(layouts.BY_NAME)),
    library=st.sampled_from(["numpy", "torch"]),
)
def test_what_is_built_is_what_was_asked_for(scratch, shape, dtype, layout, library):
    try:
        obj = make(scratch, library, shape, dtype, layout)
    except layouts.CannotBuildError:
        return
    assert tuple(obj.shape) == shape
    # a record's name holds the byte order of its fields
    found = obj.dtype.newbyteorder("=") if layout == "byte-swapped" else obj.dtype
    assert dtypes.name_of(found) == dtype
    assert parts.library(obj) == library


@given(shape=SHAPES, layout=st.sampled_from(sorted(set(layouts.BY_NAME) - {"broadcast", "overlapping"})))
def test_the_layout_does_not_change_the_values(scratch, shape, layout):
    try:
        array = make(scratch, "numpy", shape, "int64", layout)
    except layouts.CannotBuildError:
        return
    size = math.prod(shape)
    expected = [i + 1 for i in range(size - 1)] + [2**53 + 1] * bool(size)
    assert array.reshape(-1).tolist() == expected


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("layout", ["contiguous", "non-contiguous", "fortran"])
def test_a_large_subject_is_filled_at_the_sampled_cells(scratch, library, layout):
    shape = (3000, 2000)
    obj = make(scratch, library, shape, "int32", layout)
    for place in fills.positions(shape)[:-1]:
        assert obj[fills.index_of(place, shape)].item() == place + 1
    assert obj[-1, -1].item() == 2**24 + 1


@pytest.mark.parametrize(
    ("state", "holds"),
    [
        ("read-only", lambda x: not x.flags.writeable),
        ("memory-mapped", lambda x: isinstance(x, np.memmap) and x.mode == "r+"),
        ("memory-mapped+read-only", lambda x: isinstance(x, np.memmap) and x.mode == "r" and not x.flags.writeable),
        ("copy-on-write+memory-mapped", lambda x: isinstance(x, np.memmap) and x.mode == "c" and x.flags.writeable),
        ("masked", lambda x: isinstance(x, np.ma.MaskedArray) and x.mask.sum() == 1),
        ("masked+read-only", lambda x: isinstance(x, np.ma.MaskedArray) and not x.flags.writeable),
        ("matrix", lambda x: isinstance(x, np.matrix)),
        ("scalar", lambda x: isinstance(x, np.float32)),
        ("list", lambda x: isinstance(x, list) and isinstance(x[0][0], float)),
        ("list-of-arrays", lambda x: isinstance(x, list) and all(isinstance(row, np.ndarray) for row in x)),
        ("list-of-tensors", lambda x: isinstance(x, list) and all(isinstance(row, torch.Tensor) for row in x)),
    ],
)
def test_numpy_states(scratch, state, holds):
    assert holds(make(scratch, state=state))


@pytest.mark.parametrize(
    ("state", "holds"),
    [
        ("requires-grad", lambda x: x.requires_grad and x.is_leaf),
        ("non-leaf", lambda x: x.requires_grad and not x.is_leaf),
        ("parameter", lambda x: isinstance(x, torch.nn.Parameter)),
        ("negative-bit", torch.is_neg),
        ("inference", torch.is_inference),
        ("shared-memory", lambda x: x.is_shared()),
        ("lazy-clone", torch._C._is_cow_tensor),
        ("zero-tensor", lambda x: x._is_zerotensor()),
        ("sparse-coo", lambda x: x.layout is torch.sparse_coo),
        ("sparse-csr", lambda x: x.layout is torch.sparse_csr),
        ("quantized", lambda x: x.is_quantized),
        ("nested", lambda x: x.is_nested),
        ("meta", lambda x: x.is_meta),
        ("fake", lambda x: type(x).__name__ == "FakeTensor"),
        ("mkldnn", lambda x: x.is_mkldnn),
        ("parameter+shared-memory", lambda x: isinstance(x, torch.nn.Parameter) and x.is_shared()),
    ],
)
def test_torch_states(scratch, state, holds):
    assert holds(make(scratch, "torch", state=state))


def test_conj_needs_a_complex_dtype(scratch):
    assert make(scratch, "torch", dtype="complex64", state="conjugate-bit").is_conj()
    with pytest.raises(layouts.CannotBuildError, match="complex"):
        make(scratch, "torch", state="conjugate-bit")


def test_every_state_is_tried_here():
    tried = [
        case for test in (test_numpy_states, test_torch_states) for mark in test.pytestmark for case in mark.args[1]
    ]
    assert {word for state, _ in tried for word in states.words(state)} == set(states.BY_NAME) - {"conjugate-bit"}


def test_an_unknown_pair_says_why(scratch):
    with pytest.raises(layouts.CannotBuildError, match="PyTorch cannot build it: RuntimeError"):
        make(scratch, "torch", dtype="int64", state="requires-grad")


def test_the_library_may_lack_the_dtype(scratch):
    with pytest.raises(layouts.CannotBuildError, match="PyTorch has no float128"):
        make(scratch, "torch", dtype="float128")


@pytest.mark.parametrize(("shape", "sentence"), [((4,), "i + 1, the last missing"), ((4, 3), "all of its row")])
def test_a_missing_value_is_said_of_the_fill(shape, sentence):
    of = replace(subject("pandas", shape, "Int64", state="nulls"), library=Library.PANDAS)
    assert sentence in generate.fill_sentence(of)
    assert "9007199254740993" not in generate.fill_sentence(of)
    assert "9007199254740993" in generate.fill_sentence(replace(of, state="plain"))


@pytest.mark.parametrize("state", ["meta", "fake", "zero-tensor"])
def test_no_fill_is_said_of_what_has_no_such_values(state):
    assert generate.fill_sentence(subject("torch", state=state)) is None


@pytest.mark.parametrize("word", ["broadcast", "overlapping", "scalar", "quantized", "conjugate-bit", "negative-bit"])
def test_the_fill_is_said_to_be_before_what_shows_other_values(word):
    given = {"layout" if word in layouts.BY_NAME else "state": word}
    assert generate.fill_sentence(subject("torch", **given)).endswith(f", the last 3e+38, before {word}")
    assert "before" not in generate.fill_sentence(subject("torch"))
