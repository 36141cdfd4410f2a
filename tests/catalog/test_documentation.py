"""The pages: every sentence that promises something is a rule's, or it is left out for a reason.

The docstrings of the installed versions are taken apart here, so a page that has changed fails by its name.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Iterator

import pytest

from tensorbridge_cli.catalog.documentation import (
    ARRAY_API_PAGE,
    OMISSION,
    address,
    bare,
    is_docstring,
    read_for,
    says,
)
from tensorbridge_cli.catalog.entry import Rule
from tensorbridge_cli.catalog.registry import CONVERSIONS, RULES, UNTESTED
from tests.catalog.docstrings import DOCSTRINGS, Docstring

CITED: dict[str, list[Rule]] = {entry.page: [] for entry in CONVERSIONS}
for rules in RULES.values():
    for rule in rules:
        CITED.setdefault(rule.page, []).append(rule)
FROM_DOCSTRINGS = list(filter(is_docstring, CITED))

ARGUMENT = re.compile(r"^\s*\*{0,2}(\w+)(?: \(.*?\):| : )")
SPEAKS = re.compile(
    r"\b(cop(y|ies|ied|ying)|shar\w*|views?|memory|storage|allocat\w*|buffer|data|(data-?)?types?|dtypes?|values?|"
    r"content|writ\w*|writeable|modif\w*|changes|in-place|read-only|immutable|flags?|resiz\w*|undefined|unexpected|"
    r"incorrect|errors?|rais\w*|throw\w*|accepts?|support\w*|must|cannot|possible|grad\w*|autograd|graph|leaf|"
    r"differentiable|history|deallocat\w*|reference|original|itself|self is returned|as-is|returned instead|device|"
    r"sub-?class\w*|subtype|file|cast\w*|truncat\w*|preserv\w*|unchanged|same objects?|shallow|warn\w*|strides?|"
    r"contiguous|1-d|0-d|number|list|array is returned|equivalent)\b",
    re.IGNORECASE,
)
"""The words of sentences that speak of memory, values, dtype, writability, errors or lifetime."""


def blocks(docstring: str) -> Iterator[tuple[str, str]]:
    """Yield the paragraphs and list entries of a docstring, each with the argument that it describes.

    The signature, lists of other functions, code and its output are left out; the prose between examples is not.
    """
    text = inspect.cleandoc(docstring)
    if re.match(r"\w[\w.]*\(", text):
        text = text.partition("\n\n")[2]
    text = re.sub(r"^(See [Aa]lso|References)\n-+\n(.+\n|\n(?!.*\n-+\n))*", "", text, flags=re.MULTILINE)
    text = re.sub(r"^.+\n[-=]{3,}$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^ *>>>(.*\n)+?\n", "\n", text + "\n\n", flags=re.MULTILINE)
    block: list[str] = []
    argument, margin = "", 0
    for line in text.splitlines():
        stripped, indent = line.strip(), len(line) - len(line.lstrip())
        described = ARGUMENT.match(line)
        begins = not stripped or described or re.match(r"[-*] |\d+\. |\w\) |\.\. ", stripped)
        outside = argument and indent <= margin
        if block and (begins or outside):
            yield argument, " ".join(block)
            block = []
        if not stripped or stripped.startswith("# "):
            continue
        if outside:
            argument = ""
        if described:
            argument, margin = described[1], indent
            if described[0].endswith(" : "):
                continue
        block.append(stripped)


def sentences(docstring: str, without: tuple[str, ...]) -> Iterator[str]:
    """Yield the sentences of a docstring that speak of what matters, but not of the arguments ``without``."""
    for argument, block in blocks(docstring):
        if argument in without:
            continue
        text = re.sub(r"\s+", " ", block)
        for sentence in re.split(r"(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)(?<!^\d\.)(?<=[.?!])\)? (?=[A-Z'(`:\\])", text):
            if SPEAKS.search(bare(sentence)):
                yield bare(sentence)


def docstring_of(page: str) -> str:
    """Return what the installed library says where ``page`` is generated from."""
    text = pkgutil.resolve_name(page).__doc__
    assert text, page
    return text


def quoted(page: str) -> list[str]:
    """Return everything that rules quote of ``page``."""
    return [part for rule in CITED[page] for wording in rule.wordings for part in wording.split(OMISSION)]


def read(page: str) -> Docstring:
    return DOCSTRINGS.get(page, Docstring())


def left_out(page: str) -> list[str]:
    return [*UNTESTED.get(page, {}), *(sentence for group in read(page).no_promise.values() for sentence in group)]


def test_every_page_that_was_read_is_cited():
    assert DOCSTRINGS.keys() | UNTESTED.keys() <= CITED.keys()


@pytest.mark.parametrize("page", FROM_DOCSTRINGS)
def test_every_sentence_that_promises_something_is_a_rules_or_left_out_for_a_reason(page):
    known = [bare(text) for text in (*quoted(page), *left_out(page))]
    for sentence in sentences(docstring_of(page), read(page).not_passed):
        assert any(sentence.rstrip(".)") in text for text in known), f"{page} says, and nobody read it: {sentence}"


@pytest.mark.parametrize("page", FROM_DOCSTRINGS)
def test_every_sentence_that_was_left_out_stands_there(page):
    text = bare(docstring_of(page))
    for sentence in left_out(page):
        assert says(text, sentence), f"{page} no longer says: {sentence}"


@pytest.mark.parametrize("page", FROM_DOCSTRINGS)
def test_every_sentence_of_a_rule_stands_there(page):
    text = bare(docstring_of(page))
    for rule in CITED[page]:
        assert says(text, rule.sentence) is not bool(rule.until), f"{page} no longer says: {rule.sentence}"


@pytest.mark.parametrize("page", FROM_DOCSTRINGS)
def test_an_argument_that_is_left_out_is_described_there_and_passed_by_nobody(page):
    described = {argument for argument, _ in blocks(docstring_of(page))}
    passed = " ".join(
        code for entry in CONVERSIONS if entry.page == page for code in (entry.code, entry.code_with_dtype or "")
    )
    for argument in read(page).not_passed:
        assert argument in described, f"{page} no longer describes {argument}"
        assert f"{argument}=" not in passed


LIBRARIES = {
    *("numpy", "torch", "python", "pandas", "pyarrow", "polars", "jax", "PIL", "scipy", "xarray", "h5py", "zarr"),
    "datasets",
}


@pytest.mark.parametrize("page", [page for page in CITED if not is_docstring(page)])
def test_a_page_without_a_docstring_says_for_which_versions_it_was_read(page):
    assert read_for(page)
    assert set(read_for(page)) <= LIBRARIES
    assert all(re.fullmatch(r"\d+\.\d+", version) for version in read_for(page).values())


@pytest.mark.parametrize("page", CITED)
def test_nothing_is_both_a_rule_and_left_out(page):
    rules = [bare(text) for text in quoted(page)]
    assert not [text for text in left_out(page) if bare(text) in rules]


def test_a_sentence_is_found_whatever_its_markup():
    docstring = """
    The :attr:`~torch.Tensor.x` of ``t`` and `a`
    *share* `memory <https://example.org>`_.
    """
    assert says(bare(docstring), "The torch.Tensor.x of t and a […] memory.")
    assert not says(bare(docstring), "The torch.Tensor.x of t copies memory.")


CHANGED = """f(x)

Returns a view of ``x``.  The result must not be written.

Args:
    x (Tensor): the input. A copy is made if needed.
    out (Tensor): another one, which shares memory.

Example::

    >>> f(x)
    tensor(1)

Note that a copy is writable.
"""


def test_a_docstring_is_taken_apart_into_its_sentences():
    assert list(sentences(CHANGED, without=("out",))) == [
        "returns a view of x.",
        "the result must not be written.",
        "a copy is made if needed.",
        "note that a copy is writable.",
    ]


NUMPY_PAGE = "https://numpy.org/doc/{}/reference/generated/numpy.copy.html"
TORCH_PAGE = "https://docs.pytorch.org/docs/{}/generated/torch.tensor.html"


@pytest.mark.parametrize(
    ("page", "installed", "place"),
    [
        (NUMPY_PAGE, "1.26.4", "1.26"),
        (NUMPY_PAGE, "2.4.6", "2.4"),
        (NUMPY_PAGE, "2.5.0rc1", "stable"),
        (NUMPY_PAGE, "2.5.0.dev0+git20260101.1234567", "stable"),
        (NUMPY_PAGE, "1.12.1", "stable"),  # numpy.org begins with 1.13
        (TORCH_PAGE, "2.13.0+cpu", "2.13"),
        (TORCH_PAGE, "2.1.2", "2.1"),
        (TORCH_PAGE, "2.4.1.post3", "2.4"),
        (TORCH_PAGE, "2.14.0.dev20260101+cu130", "stable"),
        (TORCH_PAGE, "2.13.0a0+6ddf5cf85e.nv26.04", "stable"),
        (TORCH_PAGE, "2.13.0+git4a3f1c2", "stable"),
        (TORCH_PAGE, "", "stable"),
        (ARRAY_API_PAGE, "2.4.6", "latest"),
    ],
)
def test_a_page_is_that_of_the_installed_version(page, installed, place):
    stable = page.format("stable")
    expected = page.format(place)
    assert address(stable, {"numpy": installed, "torch": installed}) == expected
    assert address(stable, {}) == stable
