"""The promises: each conversion has its rules, and what counts is what the pages of the installed versions say."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tensorbridge_cli.catalog import dtypes, layouts, states
from tensorbridge_cli.catalog.conditions import LISTED
from tensorbridge_cli.catalog.documentation import address, is_docstring, read_for
from tensorbridge_cli.catalog.entry import UNDEFINED
from tensorbridge_cli.catalog.registry import CONVERSIONS, RULES
from tensorbridge_cli.judgement import judge
from tensorbridge_cli.judgement.contract import AS_READ, Documentation, expectation
from tensorbridge_cli.records.enums import Expected, Library, Origin
from tensorbridge_cli.records.report import Subject
from tests.tools import subject

NUMPY, TORCH, PYTHON = Library.NUMPY, Library.TORCH, Library.PYTHON
BUFFER = Library.BUFFER
EVERY_RULE = [(name, rule) for name, rules in RULES.items() for rule in rules]


def promised(conversion: str, of: Subject, to_dtype: str | None = None) -> dict[str, str]:
    """What is promised, by what it is about."""
    return {promise.about: promise.expected for promise in expectation(conversion, of, to_dtype).promises}


@functools.cache
def every_subject() -> tuple[Subject, ...]:
    return tuple(_subjects())


def sources(conversion: str) -> Iterator[Subject]:
    """Those that the conversion takes."""
    entry = next(entry for entry in CONVERSIONS if entry.name == conversion)
    return (of for of in every_subject() if of.library in entry.sources)


def _subjects() -> Iterator[Subject]:
    names = [entry.name for entry in dtypes.DTYPES]
    for library, dtype, state in itertools.product(Library, names, states.every()):
        if states.library_of(state) in ((None, library) if library is not PYTHON else (PYTHON,)):
            yield subject(library, dtype=dtype, state=state)
    for name, layout in layouts.BY_NAME.items():
        yield subject(NUMPY, layout=name)
        if not isinstance(layout.torch, str):
            yield subject(TORCH, layout=name)
    yield from (subject(library, shape) for library in (NUMPY, TORCH) for shape in ((3,), ()))
    yield subject(NUMPY, dtype="object", layout="fortran")
    for library, dtype in (("arrow", "double"), ("polars", "Float64"), *(("polars", f"UInt{n}") for n in (16, 32, 64))):
        for state in ("read-only", "nulls+read-only", "chunked+read-only"):
            yield subject(Library(library), (3,), dtype, state=state)


def test_every_conversion_has_a_contract_and_every_contract_its_conversion():
    assert set(RULES) == {entry.name for entry in CONVERSIONS}


@pytest.mark.parametrize(("name", "rule"), EVERY_RULE, ids=lambda value: getattr(value, "about", value))
def test_a_rule_is_complete(name, rule):
    assert address(rule.page).startswith("https://")
    assert len(rule.sentence.strip()) > 20
    assert rule.expected
    assert rule.about in judge._OBSERVED
    assert is_docstring(rule.page) or read_for(rule.page)
    assert rule.expected != UNDEFINED or rule.about != "outcome"
    if rule.about == "outcome":
        assert rule.expected in {outcome.value for outcome in Expected}


@pytest.mark.parametrize("conversion", RULES)
def test_every_rule_speaks_for_some_subject(conversion):
    entry = next(entry for entry in CONVERSIONS if entry.name == conversion)
    asked = (None, "float32", "int16") if entry.code_with_dtype else (None,)
    spoken = {
        (promise.about, promise.sentence)
        for of in sources(conversion)
        for to_dtype in asked
        for promise in expectation(conversion, of, to_dtype).promises
    }
    assert spoken == {(rule.about, rule.sentence) for rule in RULES[conversion] if not rule.until}


@pytest.mark.parametrize("conversion", RULES)
def test_no_two_rules_promise_one_subject_different_things(conversion):
    for of, to_dtype in itertools.product(sources(conversion), (None, "float32", "float64", "int16")):
        said: dict[str, set[str]] = {}
        for rule in RULES[conversion]:
            if rule.when(of, to_dtype) and AS_READ.wording(rule):
                said.setdefault(rule.about, set()).add(rule.expected)
        assert all(len(expected) == 1 for expected in said.values()), (of, to_dtype, said)


SHARED, COPIED, REFUSED = "shared", "copied", "refused"


@pytest.mark.parametrize(
    ("conversion", "of", "to_dtype", "outcome"),
    [
        ("torch.from_numpy", subject(), None, SHARED),
        ("torch.from_numpy", subject(layout="non-contiguous", state="read-only"), None, SHARED),
        ("torch.from_numpy", subject(dtype="uint16"), None, None),
        ("torch.from_numpy", subject(layout="reversed"), None, None),
        ("torch.as_tensor", subject(), None, SHARED),
        ("torch.as_tensor", subject(), "float32", SHARED),
        ("torch.as_tensor", subject(), "float64", None),
        ("torch.as_tensor", subject(TORCH), None, SHARED),
        ("torch.as_tensor", subject(TORCH), "float64", COPIED),
        ("torch.as_tensor", subject(PYTHON, state="list"), None, None),
        ("torch.tensor", subject(), None, COPIED),
        ("torch.tensor", subject(TORCH), None, COPIED),
        ("torch.tensor", subject(PYTHON, dtype="int", state="list"), None, COPIED),
        ("torch.asarray", subject(), None, SHARED),
        ("torch.asarray", subject(), "float64", COPIED),
        ("torch.asarray", subject(TORCH), None, SHARED),
        ("torch.asarray", subject(shape=(), state="scalar"), None, COPIED),
        ("torch.asarray(copy=False)", subject(), None, SHARED),
        ("torch.asarray(copy=False)", subject(), "float64", REFUSED),
        ("torch.from_dlpack", subject(), None, SHARED),
        ("torch.from_dlpack(capsule)", subject(state="read-only"), None, None),
        ("Tensor.numpy", subject(TORCH), None, SHARED),
        ("Tensor.numpy", subject(TORCH, state="requires-grad"), None, REFUSED),
        ("Tensor.numpy", subject(TORCH, state="parameter"), None, REFUSED),
        ("Tensor.numpy", subject(TORCH, dtype="complex64", state="conjugate-bit"), None, REFUSED),
        ("Tensor.numpy", subject(TORCH, state="negative-bit"), None, None),
        ("Tensor.numpy", subject(TORCH, state="sparse-coo"), None, REFUSED),
        ("Tensor.numpy", subject(TORCH, dtype="bfloat16"), None, REFUSED),
        ("Tensor.numpy", subject(TORCH, state="meta"), None, REFUSED),
        ("Tensor.numpy(force=True)", subject(TORCH), None, SHARED),
        ("Tensor.numpy(force=True)", subject(TORCH, state="requires-grad"), None, SHARED),
        ("Tensor.numpy(force=True)", subject(TORCH, dtype="complex64", state="conjugate-bit"), None, COPIED),
        ("Tensor.numpy(force=True)", subject(TORCH, state="sparse-coo"), None, None),
        ("np.asarray", subject(TORCH), None, SHARED),
        ("np.asarray", subject(), "float32", SHARED),
        ("np.asarray", subject(layout="byte-swapped"), "float32", COPIED),
        ("np.from_dlpack", subject(TORCH), None, "shared-or-copied"),
        ("np.from_dlpack", subject(TORCH, state="requires-grad"), None, None),
        ("Tensor.to(torch.float64)", subject(TORCH, dtype="float64"), None, SHARED),
        ("Tensor.to(torch.float64)", subject(TORCH), None, COPIED),
        ("Tensor.clone", subject(TORCH), None, COPIED),
        ("Tensor.detach", subject(TORCH), None, SHARED),
        ("torch.Tensor", subject(), None, None),
        ("a plugin's own", subject(), None, None),
    ],
)
def test_what_outcome_is_promised(conversion, of, to_dtype, outcome):
    assert promised(conversion, of, to_dtype).get("outcome") == outcome


@pytest.mark.parametrize(
    ("conversion", "of", "about", "expected"),
    [
        ("torch.as_tensor", subject(TORCH), "object", "the same"),
        ("Tensor.contiguous", subject(TORCH), "object", "the same"),
        ("Tensor.contiguous", subject(TORCH, layout="non-contiguous"), "object", None),
        ("Tensor.detach", subject(TORCH, state="requires-grad"), "requires-grad", "false"),
        ("torch.asarray", subject(TORCH, state="requires-grad"), "requires-grad", "true"),
        ("torch.asarray", subject(), "dtype", "float32"),
        ("torch.frombuffer", subject(), "owner", "kept"),
        ("np.asarray(copy=False)", subject(dtype="object"), "exception", "ValueError"),
        ("torch.from_dlpack", subject(dtype="datetime64[ns]"), "exception", "BufferError"),
        ("np.from_dlpack", subject(TORCH, state="negative-bit"), "values", "equal"),
        ("np.from_dlpack(copy=False)", subject(TORCH), "copy", "no copy"),
        ("np.copy", subject(state="masked"), "type", "numpy.ndarray"),
        ("ndarray.copy", subject(state="masked"), "type", "numpy.ma.MaskedArray"),
    ],
)
def test_what_else_is_promised(conversion, of, about, expected):
    assert promised(conversion, of).get(about) == expected


BEYOND_THE_PAGES_LISTS = ("np.", "ndarray", "Tensor.view(torch.uint16)", "torch.from_dlpack")
"""NumPy's pages speak of every array; ``from_dlpack`` of everything that is exported."""


@pytest.mark.parametrize("conversion", [name for name in RULES if not name.startswith(BEYOND_THE_PAGES_LISTS)])
def test_nothing_but_a_refusal_is_promised_of_what_the_pages_do_not_speak_of(conversion):
    strange = {"nested", "mkldnn", "meta", "fake", "quantized", "zero-tensor", "lazy-clone"}
    if conversion != "Tensor.t":  # the page of torch.transpose speaks of sparse tensors
        strange |= {"sparse-coo", "sparse-csr"}
    for of in sources(conversion):
        unlisted = of.dtype not in LISTED and of.library is not BUFFER  # torch.asarray reads any as bytes
        odd = of.layout in ("unaligned", "byte-swapped", "reversed")
        if unlisted or odd or states.words(of.state) & strange:
            assert promised(conversion, of).get("outcome") in (None, REFUSED)


def test_a_target_dtype_is_promised_where_one_is_asked_for():
    for entry in CONVERSIONS:
        if entry.name.startswith("torch.") and entry.code_with_dtype and entry.copy is not False:
            assert promised(entry.name, subject(), "float64")["dtype"] == "float64"


@pytest.mark.parametrize("dtype", ["str", "list", "NoneType", "U8", "datetime64[ns]", "object", "uint64"])
def test_a_list_of_no_numbers_is_promised_nothing(dtype):
    assert promised("torch.tensor", subject(PYTHON, (1,), dtype, state="list")) == {}


# Other versions -----------------------------------------------------------------------------------

NUMPY_1 = {"python": "3.11.7", "numpy": "1.26.4", "torch": "2.13.0+cpu"}
READ_FOR = {"python": "3.11.7", "numpy": "2.4.6", "torch": "2.13.0+cpu"}
EVERYTHING = frozenset((rule.page, wording) for _, rule in EVERY_RULE for wording in rule.wordings)


def lacking(conversion, *about):
    """The docstrings of a NumPy that says none of the sentences of a conversion about this."""
    rules = [rule for rule in RULES[conversion] if rule.about in about and not rule.until]
    return Documentation(NUMPY_1, AS_READ.absent | {(rule.page, rule.sentence) for rule in rules})


def test_a_sentence_that_is_not_on_the_installed_page_promises_nothing_and_says_so():
    (outcome, exception) = expectation(
        "np.asarray(copy=False)", subject(), None, lacking("np.asarray(copy=False)", "outcome", "exception")
    ).promises
    assert outcome.absent == exception.absent == "not on the page of numpy 1.26.4"
    assert outcome.sentence == "For False it raises a ValueError if a copy cannot be avoided."


def test_another_wording_of_the_same_sentence_counts_and_is_quoted():
    promises = expectation("np.array", subject(), None, lacking("np.array", "outcome")).promises
    outcome = next(promise for promise in promises if promise.about == "outcome")
    assert (outcome.absent, outcome.expected) == (None, "copied")
    assert outcome.sentence == "If true (default), then the object is copied."


@pytest.mark.parametrize(("to_dtype", "then", "now"), [(None, "shared", "shared"), ("float64", "copied", "refused")])
def test_a_page_that_promises_something_else_is_held_to_its_own_words(to_dtype, then, now):
    newest = lacking("np.array(copy=False)", "outcome", "exception").absent - AS_READ.absent
    numpy_1 = Documentation(NUMPY_1, newest)
    told = {p.about: p for p in expectation("np.array(copy=False)", subject(), to_dtype, numpy_1).promises}
    assert (told["outcome"].expected, told["outcome"].absent) == (then, None)
    assert told["outcome"].sentence.startswith("Otherwise, a copy will only be made")
    assert promised("np.array(copy=False)", subject(), to_dtype)["outcome"] == now


@pytest.mark.parametrize("conversion", ["ndarray[::2]", "np.from_dlpack", "Tensor.__array__"])
def test_a_page_without_a_docstring_counts_only_for_the_versions_that_it_was_read_for(conversion):
    of = subject(TORCH) if conversion == "Tensor.__array__" else subject()
    undated = [rule for rule in RULES[conversion] if not is_docstring(rule.page)]
    about = {rule.about for rule in undated if rule.when(of, None)}
    now = expectation(conversion, of, None, Documentation(READ_FOR, AS_READ.absent)).promises
    assert {promise.about for promise in now if promise.absent is None} >= about
    for promise in expectation(conversion, of, None, Documentation(NUMPY_1, AS_READ.absent)).promises:
        if promise.about in about:
            assert "the page was read for numpy 2.4" in promise.absent
            assert "numpy 1.26.4" in promise.absent


@pytest.mark.parametrize("conversion", RULES)
def test_nothing_is_promised_where_no_page_says_anything(conversion):
    for of, to_dtype in itertools.product((subject(), subject(TORCH)), (None, "float64")):
        for promise in expectation(conversion, of, to_dtype, Documentation(NUMPY_1, EVERYTHING)).promises:
            assert promise.absent


def test_python_is_named_where_the_page_is_pythons():
    (promise,) = expectation("copy.deepcopy", subject(TORCH), None, Documentation(NUMPY_1, EVERYTHING)).promises
    assert promise.absent == "not on the page of python 3.11.7"


# Undefined behaviour ------------------------------------------------------------------------------


@pytest.mark.parametrize("conversion", ["torch.from_numpy", "torch.as_tensor"])
@pytest.mark.parametrize("state", ["read-only", "memory-mapped+read-only", "masked+read-only"])
def test_a_write_to_a_tensor_over_a_read_only_array_is_undefined(conversion, state):
    assert promised(conversion, subject(state=state))["write to the result"] == UNDEFINED
    assert "write to the result" not in promised(conversion, subject(state=state.replace("read-only", "plain")))


@pytest.mark.parametrize(
    ("dtype", "to_dtype", "expected"),
    [
        ("float32", "int16", UNDEFINED),
        ("float64", "int64", UNDEFINED),
        ("float16", "int16", UNDEFINED),
        ("float16", "int32", None),  # 60000 fits
        ("float32", "float16", None),
        ("int64", "int8", None),
        ("float32", None, None),
    ],
)
def test_a_value_that_no_integer_can_hold_is_undefined(dtype, to_dtype, expected):
    assert promised("Tensor.to", subject(TORCH, dtype=dtype), to_dtype).get("values") == expected


@pytest.mark.parametrize("word", sorted(states.DETECTED))
@pytest.mark.parametrize("conversion", ["np.asarray", "ndarray.view", "Tensor.numpy", "torch.tensor", "copy.deepcopy"])
def test_no_page_speaks_of_a_users_own_class_or_of_ragged_rows(conversion, word):
    for library in (NUMPY, TORCH, PYTHON):
        assert promised(conversion, subject(library, state=word)) == {}


@pytest.mark.parametrize("origin", [Origin.EXPRESSION, Origin.OBJECT])
def test_an_object_over_a_memory_map_may_be_a_memmap_or_a_plain_array(origin):
    made = subject(NUMPY, state="memory-mapped")
    given = replace(made, origin=origin)
    assert promised("ndarray.view", made)["type"] == "numpy.memmap"
    assert "type" not in promised("ndarray.view", given)
    assert "object" not in promised("np.ascontiguousarray", given)
    assert promised("ndarray.view", given)["outcome"] == "shared"
