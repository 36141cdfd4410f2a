import pytest

from tensorbridge_cli.catalog import states
from tensorbridge_cli.catalog.layouts import CannotBuildError
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.records.enums import Library, Origin
from tensorbridge_cli.records.report import Subject
from tensorbridge_cli.subjects import generate


def test_no_state_is_listed_twice():
    assert len(states.BY_NAME) == len(states.STATES)


@pytest.mark.parametrize("text", states.every())
def test_every_state_is_spelled_as_it_is_parsed(text):
    assert states.parse(text) == text


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("requires-grad+conjugate-bit", "conjugate-bit+requires-grad"),
        ("copy-on-write", "copy-on-write+memory-mapped"),
        ("plain+Read-Only", "read-only"),
    ],
)
def test_spellings(text, spelled):
    assert states.parse(text) == spelled


@pytest.mark.parametrize("text", ["readonly", "read-only+conjugate-bit"])
def test_what_is_refused(text):
    with pytest.raises(RequestError):
        states.parse(text)


@pytest.mark.parametrize(
    ("state", "library"),
    [("plain", None), ("read-only", Library.NUMPY), ("conjugate-bit", Library.TORCH), ("list", Library.PYTHON)],
)
def test_whose_it_is(state, library):
    assert states.library_of(state) is library


@pytest.mark.parametrize(
    ("layout", "state"), [("contiguous", "lazy-clone"), ("contiguous", "negative-bit"), ("unaligned", "plain")]
)
def test_a_quantized_tensor_without_a_quantizer_is_not_built(layout, state, tmp_path):
    asked = Subject(
        library=Library.TORCH,
        shape=(4, 3),
        dtype="qint32",
        layout=layout,
        state=state,
        device="cpu",
        origin=Origin.GENERATED,
    )
    with pytest.raises(CannotBuildError, match="no quantizer: reading it crashes the process"):
        generate.generate(asked, tmp_path)
