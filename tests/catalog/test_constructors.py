import pytest

from tensorbridge_cli.catalog.constructors import CONSTRUCTORS, library, names
from tensorbridge_cli.catalog.layouts import CannotBuildError
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.enums import Library
from tests.tools import subject

PANDAS = CONSTRUCTORS[Library.PANDAS]


@pytest.mark.parametrize("name", names())
def test_each_library_is_found_by_its_name(name):
    assert library(f" {name.upper()}") == name


@pytest.mark.parametrize(("package", "name"), [("pyarrow", "arrow"), ("PIL", "pillow"), ("pd", "pandas")])
def test_the_name_of_a_package_stands_for_its_library(package, name):
    if name in names():
        assert library(package) == name


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        (lambda: library("panda"), "unknown library 'panda': did you mean pandas?"),
        (lambda: PANDAS.dtype("bfloat16"), "a generated object of pandas has no dtype 'bfloat16': it has bool, int8, "),
        (lambda: PANDAS.state("leaf"), "a generated object of pandas has no state 'leaf': it has plain, copy-on-write"),
        (lambda: PANDAS.layout("unaligned"), "a generated object of pandas has no layout 'unaligned': it has contig"),
    ],
)
def test_what_a_library_lacks_is_refused_with_what_it_has(word, sentence):
    with pytest.raises(RequestError) as refused:
        word()
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("shape", "dtype", "state", "reason"),
    [
        ((2, 3, 4), "int64", "plain", "a generated object of pandas has 1 or 2 dimensions; the shape has 3"),
        ((), "int64", "plain", "a generated object of pandas has 1 or 2 dimensions; the shape has 0"),
        ((4,), "Int64", "memory-mapped", "Int64 of pandas is never memory-mapped: it is a copy of an array"),
        ((4,), "int64", "parameter", "a generated object of pandas has no state 'parameter'"),
    ],
)
def test_there_is_a_reason_for_an_object_that_cannot_be(shape, dtype, state, reason):
    with pytest.raises(CannotBuildError) as error:
        PANDAS.codes(subject(Library.PANDAS, shape, dtype, state=state))
    assert str(error.value) == reason


def test_the_dtype_of_numpy_stands_for_that_of_the_library():
    assert PANDAS.dtype("float32") == "float32"
    assert PANDAS.dtype("U8") == "str"
