"""What the modules of ``conversions`` share: pages that several cite, sentences and rules of them, reasons for no rule.

A rule cites a page and quotes it. A page is called by the name whose docstring it is generated from, or by its address.
A sentence that promises or forbids something about memory, values, dtype, writability, errors or lifetime is a rule's,
or it stands with its page in ``UNTESTED``, with the reason; ``tests/catalog/test_documentation.py`` counts both against
the docstrings of the installed versions, so that a page that has changed is named. The pages are those of torch 2.13
and NumPy 2.4.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from types import MappingProxyType

from tensorbridge_cli.catalog.conditions import (
    A_TENSOR,
    AN_ARRAY,
    ANY_NDARRAY,
    GRAD,
    LAZY_BITS,
    WITH_DATA,
    all_of,
    any_of,
    dtype_like,
    not_,
    state,
)
from tensorbridge_cli.catalog.entry import Rule

READ_WITH: Mapping[str, str] = {"numpy": "2.4", "torch": "2.13"}
"""The versions whose pages were read, and with which the experiments of the catalogue's pitfalls were made."""
READ_FOR = " and ".join(f"{library} {version}" for library, version in READ_WITH.items())
"""The same in words."""
TORCH_DOCS = "https://docs.pytorch.org/docs/stable/"
TORCH_API = TORCH_DOCS + "generated/"
NUMPY_DOCS = "https://numpy.org/doc/stable/"
NUMPY_API = NUMPY_DOCS + "reference/generated/"
ARRAY_API = "https://data-apis.org/array-api/latest/API_specification/generated/"
"""How the addresses of pages begin."""
SITES: Mapping[str, Mapping[str, str]] = {
    NUMPY_DOCS: {"numpy": READ_WITH["numpy"]},
    TORCH_DOCS: {"torch": READ_WITH["torch"]},
    ARRAY_API: READ_WITH,
    "https://arrow.apache.org/": {"pyarrow": "26.0"},
    "https://docs.h5py.org/": {"h5py": "3.16"},
    "https://docs.jax.dev/": {"jax": "0.10"},
    "https://docs.pola.rs/": {"polars": "2.1"},
    "https://docs.scipy.org/": {"scipy": "1.17"},
    "https://docs.xarray.dev/": {"xarray": "2026.9"},
    "https://huggingface.co/": {"datasets": "5.2"},
    "https://pandas.pydata.org/": {"pandas": "3.1"},
    "https://pillow.readthedocs.io/": {"PIL": "13.0"},
    "https://zarr.readthedocs.io/": {"zarr": "3.1"},
}
"""The versions that the pages of each site were read for, as far as they are generated from no docstring."""

# Why a sentence is no rule --------------------------------------------------------------------

NOT_RESIZED = "no experiment resizes the result"
HEDGED = "it says what may or can be: whatever happens agrees with it"
POSSIBLE = "it does not say when sharing is possible"
GIVES_ADVICE = "it is advice"
DEVICE = "it is about devices other than the CPU, and generated arrays and tensors are on the CPU"
NOT_COMPARED = "the values of a result of another shape are not compared"
WHICH_DTYPE = "it does not say which dtype that is"
OTHER_ARGUMENT = "it is about an argument that no conversion passes"
NOT_ASKED = "it is about a kind of source that the catalogue does not have"

# Pages that several modules cite ---------------------------------------------------------------

TENSORS_PAGE = TORCH_DOCS + "tensors.html"
ARRAY_API_DLPACK_PAGE = ARRAY_API + "array_api.array.__dlpack__.html"
ARRAY_API_PAGE = ARRAY_API + "array_api.from_dlpack.html"
NP_INTEROPERABILITY_PAGE = NUMPY_DOCS + "user/basics.interoperability.html"

UNTESTED: dict[str, Mapping[str, str]] = {
    "torch.Tensor.view": {
        "For a tensor to be viewed, the new view size must be compatible with its original size and stride, i.e., "
        "each new view dimension must either be a subspace of an original dimension, or only span across original "
        "dimensions d, d+1, dots, d+k that satisfy the following contiguity-like condition that forall i = d, "
        "dots, d+k-1, .. math:: text{stride}[i] = text{stride}[i+1] times text{size}[i+1] Otherwise, it will not "
        "be possible to view self tensor as shape without copying it (e.g., via contiguous).": "it does not say "
        "that an error is raised",
        "If the element size of dtype is different than that of self.dtype, then the size of the last dimension of "
        "the output will be scaled proportionally. For instance, if dtype element size is twice that of "
        "self.dtype, then each pair of elements in the last dimension of self will be combined, and the size of "
        "the last dimension of the output will be half that of self. If dtype element size is half that of "
        "self.dtype, then each element in the last dimension of self will be split in two, and the size of the "
        "last dimension of the output will be double that of self.": NOT_COMPARED,
        "For this to be possible, the following conditions must be true: self.dim must be greater than 0. "
        "self.stride(-1) must be 1. Additionally, if the element size of dtype is greater than that of self.dtype, "
        "the following conditions must be true as well: self.size(-1) must be divisible by the ratio between the "
        "element sizes of the dtypes. self.storage_offset must be divisible by the ratio between the element sizes "
        "of the dtypes. The strides of all dimensions, except the last dimension, must be divisible by the ratio "
        "between the element sizes of the dtypes. If any of the above conditions are not met, an error is "
        "thrown.": "the conditions depend on the strides, which the description of a source does not have",
        "This overload is not supported by TorchScript, and using it in a Torchscript program will cause "
        "undefined behavior.": "no experiment is a TorchScript program",
    },
}
"""The sentences of a page that promise, forbid or warn, and why no experiment is held against each."""

CANNOT_EXPORT = (
    "Implementations should raise BufferError when the data cannot be exported as DLPack (e.g., incompatible dtype, "
    "strides, or device)."
)
CONTAINING = "an array containing the data in x."
SUBOK_FALSE = (
    "If True, then sub-classes will be passed-through, otherwise the returned array will be forced to be a base-class "
    "array"
)
VIEW_OF_ANOTHER_DTYPE = "Returns a new tensor with the same data as the self tensor but of a different dtype."
DLPACK_RULES = (
    Rule(
        any_of(all_of(AN_ARRAY, not_(state("masked"))), all_of(A_TENSOR, not_(GRAD), not_(state("conjugate-bit")))),
        "values",
        "equal",
        CONTAINING,
        page=ARRAY_API_PAGE,
    ),
    # dtypes that DLPack has no code for
    Rule(
        any_of(
            all_of(ANY_NDARRAY, dtype_like("str", "bytes", "datetime64", "timedelta64", "object", *"USV")),
            all_of(WITH_DATA, dtype_like("bits"), not_(LAZY_BITS)),
        ),
        "exception",
        "BufferError",
        CANNOT_EXPORT,
        page=ARRAY_API_DLPACK_PAGE,
    ),
)
"""What every way through DLPack keeps."""


# Which address a page has -----------------------------------------------------------------------

_WITHOUT_A_PAGE_OF_ITS_OWN = {
    "copy": "https://docs.python.org/3/library/copy.html",
    "torch.from_dlpack": TORCH_DOCS + "dlpack.html",
    "torch.multiprocessing": TORCH_DOCS + "multiprocessing.html",
    "torch.nn.Parameter": TORCH_API + "torch.nn.parameter.Parameter.html",
    "torch.utils.data.default_collate": TORCH_DOCS + "data.html",
}
"""The addresses that do not follow from the name whose docstring is there."""

_VERSIONED = {"numpy": (NUMPY_DOCS, (1, 13)), "torch": (TORCH_DOCS, (2, 0))}
"""How the addresses of a library's pages begin, and the first version whose pages are at its number."""

_RELEASE = re.compile(r"(\d+)\.(\d+)(?:\.\d+)*(?:\.post\d+)?(?:\+(?!git).*)?")
"""A released version, also of a build of one's own (``2.13.0+cpu``): no candidate, no development version."""


def is_docstring(page: str) -> bool:
    """Return True if ``page`` is called by the name whose docstring it is generated from."""
    return page in _WITHOUT_A_PAGE_OF_ITS_OWN or re.fullmatch(r"(numpy|torch)(\.\w+)+", page) is not None


def address(page: str, versions: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return where ``page`` is for the installed ``versions``; for the newest, if there is none for them."""
    if page in _WITHOUT_A_PAGE_OF_ITS_OWN:
        page = _WITHOUT_A_PAGE_OF_ITS_OWN[page]
    elif is_docstring(page):
        page = f"{TORCH_API if page.startswith('torch.') else NUMPY_API}{page}.html"
    for library, (site, first) in _VERSIONED.items():
        release = _RELEASE.fullmatch(versions.get(library, ""))
        if page.startswith(site) and release is not None and (int(release[1]), int(release[2])) >= first:
            return page.replace("/stable/", f"/{release[1]}.{release[2]}/", 1)
    return page


@functools.cache
def read_for(page: str) -> Mapping[str, str]:
    """Return the versions that ``page`` was read for; none if it is a docstring, which is compared, or not known."""
    return next((versions for site, versions in SITES.items() if page.startswith(site)), {})


# Whether a page says a sentence ---------------------------------------------------------------

OMISSION = "[…]"
"""Stands in a quotation for words that are left out."""


def bare(text: str) -> str:
    """Return ``text`` without markup, line ends and case, so that a docstring and a page compare equal.

    Roles become what a page shows of them (``:attr:`~torch.Tensor.x``` is ``torch.Tensor.x``), a link its text;
    backticks, asterisks, backslashes, references and ``()`` after a name go.
    """
    if ":`" in text:
        text = re.sub(r":[\w:]+:`~?\.?([^`<]*?)(?: ?<[^>]*>)?`", r"\1", text)
    if "`_" in text:
        text = re.sub(r"`([^`<]+) <[^>]+>`_+", r"\1", text)
    if "::" in text or "]_" in text:
        text = re.sub(r"\.\. [\w-]+::|\[\d+\]_", "", text)
    return " ".join(text.replace("()", "").translate(_MARKUP).split()).casefold()


_MARKUP = str.maketrans("", "", "`*\\")


def says(page: str, sentence: str) -> bool:
    """Return True if ``page``, of which ``bare`` was taken, has every part of ``sentence``."""
    return all(bare(part) in page for part in sentence.split(OMISSION))
