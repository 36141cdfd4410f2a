"""The promises: each conversion has its rules, and each rule its page and a sentence that stands there today."""

from __future__ import annotations

import itertools
import pkgutil
import re
from collections.abc import Iterator

import pytest

from tensorbridge_cli.catalog import dtypes, layouts, states
from tensorbridge_cli.catalog.conditions import LISTED
from tensorbridge_cli.catalog.conversions import CONVERSIONS
from tensorbridge_cli.judgement import contract, judge
from tensorbridge_cli.judgement.contract import CONTRACTS, expectation
from tensorbridge_cli.records.report import Expected, Library, Subject
from tests.tools import subject

NUMPY, TORCH, PYTHON = Library.NUMPY, Library.TORCH, Library.PYTHON
RULES = [(name, rule) for name, rules in CONTRACTS.items() for rule in rules]

NOT_FROM_A_DOCSTRING = {
    contract.TENSOR_VIEWS,
    contract.ARRAY_API,
    contract.ARRAY_API_DLPACK,
    contract.NP_INDEXING,
    contract.NP_INTEROPERABILITY,
    contract.NP_MIGRATION,
    contract.DEEPCOPY,
}
ELSEWHERE = {contract.FROM_DLPACK: "torch.from_dlpack"}


def docstring(page: str) -> str:
    """What the installed library says where ``page`` is generated from."""
    name = ELSEWHERE.get(page) or page.rpartition("/")[2].removesuffix(".html")
    text = pkgutil.resolve_name(name).__doc__
    assert text, name
    return text


def bare(text: str) -> str:
    """Words alone, without markup, quotes and line ends."""
    text = re.sub(r":\w+:`~?\.?([^`]*)`", r"\1", text)
    text = re.sub(r"(?<=\w)\(\)", "", text)
    return re.sub(r"\s+", " ", re.sub(r"[`*\\]|\.\. \w+::", "", text)).casefold()


def promised(conversion: str, of: Subject, to_dtype: str | None = None) -> dict[str, str]:
    """What is promised, by what it is about."""
    return {promise.about: promise.expected for promise in expectation(conversion, of, to_dtype).promises}


def every_subject() -> Iterator[Subject]:
    names = [entry.name for entry in dtypes.DTYPES]
    for library, dtype, state in itertools.product(Library, names, states.every()):
        if states.library_of(state) in ((None, library) if library is not PYTHON else (PYTHON,)):
            yield subject(library, dtype=dtype, state=state)
    for name, layout in layouts.BY_NAME.items():
        yield subject(NUMPY, layout=name)
        if not isinstance(layout.torch, str):
            yield subject(TORCH, layout=name)
    yield from (subject(library, (3,)) for library in (NUMPY, TORCH))


def test_every_conversion_has_a_contract_and_every_contract_its_conversion():
    assert set(CONTRACTS) == {entry.name for entry in CONVERSIONS}


@pytest.mark.parametrize(("name", "rule"), RULES, ids=lambda value: getattr(value, "about", value))
def test_a_rule_is_complete(name, rule):
    assert rule.page.startswith("https://")
    assert len(rule.sentence.strip()) > 20
    assert rule.expected
    assert rule.about in judge._OBSERVED
    if rule.about == "outcome":
        assert rule.expected in {outcome.value for outcome in Expected}


@pytest.mark.parametrize(
    ("name", "rule"),
    [(name, rule) for name, rule in RULES if rule.page not in NOT_FROM_A_DOCSTRING],
    ids=lambda value: getattr(value, "about", value),
)
def test_the_sentence_stands_in_the_installed_documentation(name, rule):
    text = bare(docstring(rule.page))
    for part in rule.sentence.split("[…]"):
        assert bare(part).strip() in text, f"{rule.page} no longer says: {part}"


@pytest.mark.parametrize("conversion", CONTRACTS)
def test_every_rule_speaks_for_some_subject(conversion):
    entry = next(entry for entry in CONVERSIONS if entry.name == conversion)
    asked = (None, "float32", "int16") if entry.code_with_dtype else (None,)
    spoken = {
        (promise.about, promise.sentence)
        for of in every_subject()
        if of.library in entry.sources
        for to_dtype in asked
        for promise in expectation(conversion, of, to_dtype).promises
    }
    assert spoken == {(rule.about, rule.sentence) for rule in CONTRACTS[conversion]}


@pytest.mark.parametrize("conversion", CONTRACTS)
def test_no_two_rules_promise_one_subject_different_things(conversion):
    for of, to_dtype in itertools.product(every_subject(), (None, "float32", "float64", "int16")):
        said: dict[str, set[str]] = {}
        for rule in CONTRACTS[conversion]:
            if rule.when(of, to_dtype):
                said.setdefault(rule.about, set()).add(rule.expected)
        assert all(len(expected) == 1 for expected in said.values()), (of, to_dtype, said)


SHARED, COPIED, REFUSED = "shared", "copied", "refused"


@pytest.mark.parametrize(
    ("conversion", "of", "to_dtype", "outcome"),
    [
        ("torch.from_numpy", subject(), None, SHARED),
        ("torch.from_numpy", subject(layout="strided", state="read-only"), None, SHARED),
        ("torch.from_numpy", subject(dtype="uint16"), None, None),
        ("torch.from_numpy", subject(layout="negative"), None, None),
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
        ("Tensor.numpy", subject(TORCH, dtype="complex64", state="conj"), None, REFUSED),
        ("Tensor.numpy", subject(TORCH, state="neg"), None, None),
        ("Tensor.numpy", subject(TORCH, state="sparse-coo"), None, REFUSED),
        ("Tensor.numpy", subject(TORCH, dtype="bfloat16"), None, REFUSED),
        ("Tensor.numpy", subject(TORCH, state="meta"), None, REFUSED),
        ("Tensor.numpy(force=True)", subject(TORCH), None, SHARED),
        ("Tensor.numpy(force=True)", subject(TORCH, state="requires-grad"), None, SHARED),
        ("Tensor.numpy(force=True)", subject(TORCH, dtype="complex64", state="conj"), None, COPIED),
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
        ("Tensor.contiguous", subject(TORCH, layout="strided"), "object", None),
        ("Tensor.detach", subject(TORCH, state="requires-grad"), "requires-grad", "false"),
        ("torch.asarray", subject(TORCH, state="requires-grad"), "requires-grad", "true"),
        ("torch.asarray", subject(), "dtype", "float32"),
        ("torch.frombuffer", subject(), "owner", "kept"),
        ("np.asarray(copy=False)", subject(dtype="object"), "exception", "ValueError"),
        ("torch.from_dlpack", subject(dtype="datetime64[ns]"), "exception", "BufferError"),
        ("np.from_dlpack", subject(TORCH, state="neg"), "values", "equal"),
        ("np.from_dlpack(copy=False)", subject(TORCH), "copy", "no copy"),
        ("np.copy", subject(state="masked"), "type", "numpy.ndarray"),
        ("ndarray.copy", subject(state="masked"), "type", "numpy.ma.MaskedArray"),
    ],
)
def test_what_else_is_promised(conversion, of, about, expected):
    assert promised(conversion, of).get(about) == expected


BEYOND_THE_PAGES_LISTS = ("np.", "ndarray", "Tensor.view(torch.uint16)", "torch.from_dlpack")
"""NumPy's pages speak of every array; ``from_dlpack`` of everything that is exported."""


@pytest.mark.parametrize("conversion", [name for name in CONTRACTS if not name.startswith(BEYOND_THE_PAGES_LISTS)])
def test_nothing_but_a_refusal_is_promised_of_what_the_pages_do_not_speak_of(conversion):
    strange = {"sparse-coo", "sparse-csr", "nested", "mkldnn", "meta", "fake", "quantized", "zero-tensor", "lazy-clone"}
    entry = next(entry for entry in CONVERSIONS if entry.name == conversion)
    for of in (of for of in every_subject() if of.library in entry.sources):
        unlisted = of.dtype not in LISTED
        odd = of.layout in ("unaligned", "byte-swapped", "negative")
        if unlisted or odd or states.words(of.state) & strange:
            assert promised(conversion, of).get("outcome") in (None, REFUSED)


def test_a_target_dtype_is_promised_where_one_is_asked_for():
    for entry in CONVERSIONS:
        if entry.name.startswith("torch.") and entry.code_with_dtype and entry.copy is not False:
            assert promised(entry.name, subject(), "float64")["dtype"] == "float64"


@pytest.mark.parametrize("dtype", ["str", "list", "NoneType", "U8", "datetime64[ns]", "object", "uint64"])
def test_a_list_of_no_numbers_is_promised_nothing(dtype):
    assert promised("torch.tensor", subject(PYTHON, (1,), dtype, state="list")) == {}
