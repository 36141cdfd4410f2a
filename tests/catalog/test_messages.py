"""Each message is provoked here by its own example, and what its page says works instead is run."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

from tensorbridge_cli.catalog import messages
from tensorbridge_cli.explain import pages
from tensorbridge_cli.survey.request import Request
from tensorbridge_cli.survey.run import survey
from tests.tools import started

SHIPPED = pytest.mark.skipif(not torch.__version__.startswith("2.13."), reason="the messages are those of torch 2.13")
HERE = [one for one in messages.MESSAGES if "sys.modules" not in one.example]


def said(code):
    """What ``code`` raises and warns of, the exception first."""
    torch.set_warn_always(True)
    raised = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            exec(code, {"np": np, "torch": torch})
        except Exception as error:
            raised = [f"{type(error).__name__}: {error}"]
    torch.set_warn_always(False)
    return [*raised, *(str(one.message) for one in caught)]


@SHIPPED
@pytest.mark.parametrize("message", HERE, ids=lambda one: one.text)
def test_its_example_gives_it_and_what_stands_instead_works(message):
    assert message in [messages.find(text) for text in said(message.example)]
    setup = "\n".join(message.example.splitlines()[:-1])
    for code in message.instead:
        texts = said(f"{setup}\n{code}")
        assert not [text for text in texts if messages.find(text) is message]
        assert not any(text.partition(":")[0].endswith("Error") for text in texts)


def test_numpy_is_not_available():
    (message,) = set(messages.MESSAGES) - set(HERE)
    done = subprocess.run([sys.executable, "-c", message.example], capture_output=True, encoding="utf-8", check=False)
    assert messages.find(done.stderr) is message
    setup = message.example.rpartition("\n")[0]
    subprocess.run([sys.executable, "-c", f"{setup}\n{message.instead[0]}"], check=True, capture_output=True)


@pytest.mark.parametrize("message", messages.MESSAGES, ids=lambda one: one.text)
def test_its_page_stands_and_names_a_page_that_is_there(message):
    page = pages.find(message.text.replace("…", "something"))
    assert (page.kind, page.name) == ("message", message.text)
    assert not message.see or pages.find(message.see).kind != "message"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("one stride in the given numpy array is negative", "At least one stride in the given numpy array is negative"),
        ("CAN'T CALL NUMPY() ON TENSOR THAT REQUIRES GRAD", "Can't call numpy() on Tensor that requires grad"),
        ("can’t convert np.ndarray of type numpy.object_. The", "can't convert np.ndarray of type numpy.object_"),
        ("can't convert np.ndarray of type numpy.uint16", "can't convert np.ndarray of type numpy.…"),
        ("TypeError: can't convert cuda:0 device type tensor to numpy", "can't convert … device type tensor to numpy"),
        ("Got unsupported ScalarType\n  BFloat16", "Got unsupported ScalarType …"),
        ("expected np.ndarray (got Tensor)", "expected np.ndarray (got …)"),
        (
            'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    x.numpy()\nRuntimeError: Can\'t call '
            "numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.\n\nDuring handling of "
            "the above exception, another exception occurred:\n\nTypeError: expected np.ndarray (got list)",
            "expected np.ndarray (got …)",
        ),
    ],
)
def test_a_message_is_found_as_it_is_pasted(text, name):
    assert pages.find(text).name == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (
            "ValueError: can't alias tensor with dtype 'Double' into dtype 'Float'.",
            "can't alias tensor with dtype '…' into dtype '…'",
        ),
        ("ValueError: can't alias NumPy scalars. Either remove copy=False or", "can't alias NumPy scalars"),
        ("TypeError: mean() got an unexpected keyword argument 'axis'", "() got an unexpected keyword argument 'axis'"),
        ("TypeError: prod(): argument 'dim' must be int, not NoneType", "(): argument 'dim' must be int, not NoneType"),
        (
            "AttributeError: 'numpy.ndarray' object has no attribute 'cpu'",
            "'numpy.ndarray' object has no attribute '…'",
        ),
        ("'numpy.ndarray' object has no attribute 'clone'", "'numpy.ndarray' object has no attribute 'clone'"),
        (
            "TypeError: as_tensor(): argument 'dtype' must be torch.dtype, not str",
            "argument 'dtype' must be torch.dtype, not …",
        ),
    ],
)
def test_of_messages_alike_the_one_that_it_is_is_found(text, name):
    assert pages.find(text).name == name


@pytest.mark.parametrize("text", ["KeyError: 'a'", "it does not work", "numpy is no", ""])
def test_what_holds_no_message_is_none(text):
    assert messages.find(text) is None


@SHIPPED
def test_every_refusal_and_warning_of_an_empty_subject_is_found_by_its_own_text():
    """Those of every other subject: see ``cli/test_check.py``, which checks the whole catalogue."""
    with started() as lab:
        rows = survey([Request(every=True, shapes=((0, 3),))], lab, "fork").observations
    texts = {row.error.message for row in rows if row.error is not None}
    texts |= {warned.message for row in rows for warned in row.warnings}
    assert len(texts) > 3
    assert [text for text in texts if text and messages.find(text) is None] == []
