"""A line that is written otherwise makes the same call: every argument is kept, and what comes out is equal."""

import numpy as np
import pytest
import torch

from tensorbridge_cli.tracing.report.rewriting import rewritten
from tests.tracing.tools import START, site_of

COPY, STACK, SHARE = "{}(x.copy())", "torch.from_numpy(np.stack(x))", "torch.from_numpy(x)"


def new_line(tmp_path, line, conversion, code, start=START, nth=0, *, called=True):
    path = tmp_path / f"program{len(list(tmp_path.iterdir()))}.py"
    path.write_text(f"{start}{line}\n", encoding="utf-8")
    return rewritten(site_of(path, conversion, nth, called), code)


LINES = {  # the line, its conversion, the remedy, the line that it becomes
    "alone": ("t = torch.from_numpy(a)", COPY, "t = torch.from_numpy(a.copy())"),
    "dtype": (
        "t = torch.as_tensor(a, dtype=torch.float32)",
        COPY,
        "t = torch.as_tensor(a.copy(), dtype=torch.float32)",
    ),
    "keywords": (
        "t = torch.as_tensor(device='cpu', data=a, dtype=torch.float64)",
        COPY,
        "t = torch.as_tensor(device='cpu', data=a.copy(), dtype=torch.float64)",
    ),
    "an expression": (
        "t = torch.as_tensor(a + 1, dtype=torch.int64)",
        COPY,
        "t = torch.as_tensor((a + 1).copy(), dtype=torch.int64)",
    ),
    "an annotation": (
        "t: torch.Tensor = torch.as_tensor(\n    a, dtype=torch.int64\n)",
        COPY,
        "t: torch.Tensor = torch.as_tensor(a.copy(), dtype=torch.int64)",
    ),
    "in an f-string": (
        "f'{(t := torch.from_numpy(a))}'",
        '{}(x.copy(order="K"))',
        "f'{(t := torch.from_numpy(a.copy(order=\"K\")))}'",
    ),
    "in an f-string of other quotes": (
        'f"{(t := torch.from_numpy(a))}"',
        '{}(x.copy(order="K"))',
        "f\"{(t := torch.from_numpy(a.copy(order='K')))}\"",
    ),
    "in an f-string with an index": (
        'rf\'{(t := torch.from_numpy(dict(a=a)["a"])).sum():{len("1")}}\'',
        '{}(x.copy(order="K"))',
        'rf\'{(t := torch.from_numpy(dict(a=a)["a"].copy(order="K"))).sum():{len("1")}}\'',
    ),
    "behind the colon of an f-string": (
        "f'{3:{int((t := torch.from_numpy(a)).sum())}}'",
        COPY,
        "f'{3:{int((t := torch.from_numpy(a.copy())).sum())}}'",
    ),
    "positional": ("t = np.asarray(a, np.float32)", COPY, "t = np.asarray(a.copy(), np.float32)"),
    "options": (
        "t = torch.as_tensor(a, **{'dtype': torch.int8})",
        COPY,
        "t = torch.as_tensor(a.copy(), **{'dtype': torch.int8})",
    ),
    "nested": (
        "t = torch.stack([torch.as_tensor(a, dtype=torch.int8), torch.ones(4, 3)])",
        COPY,
        "t = torch.stack([torch.as_tensor(a.copy(), dtype=torch.int8), torch.ones(4, 3)])",
    ),
    "twice in a line": (
        "t = torch.as_tensor(a) + torch.as_tensor(a)",
        COPY,
        "t = torch.as_tensor(a.copy()) + torch.as_tensor(a)",
    ),
    "behind other letters": (
        "é = 'ß'; t = torch.as_tensor(a, dtype=torch.int8)",
        COPY,
        "é = 'ß'; t = torch.as_tensor(a.copy(), dtype=torch.int8)",
    ),
    "over lines": (
        "t = torch.as_tensor(\n    a,  # the array\n    dtype=torch.float32,\n)",
        COPY,
        "t = torch.as_tensor(a.copy(), dtype=torch.float32)",
    ),
    "the source over lines": (
        "t = torch.as_tensor([\n    a,\n    a,\n], dtype=torch.float32)",
        "torch.as_tensor(np.stack(x))",
        "t = torch.as_tensor(np.stack([a, a]), dtype=torch.float32)",
    ),
    "in the head of a statement": (
        "for t in torch.as_tensor(\n    a, dtype=torch.int8\n):\n    t = t + 1",
        COPY,
        None,
    ),
    "a list": ("t = torch.tensor([a, a])", STACK, "t = torch.from_numpy(np.stack([a, a]))"),
    "a list with a dtype": (
        "t = torch.tensor([a, a], dtype=torch.float32)",
        STACK,
        "t = torch.from_numpy(np.stack([a, a])).to(dtype=torch.float32)",
    ),
    "a list with everything": (
        "t = torch.tensor([a, a], requires_grad=True, dtype=torch.float32, device='cpu')",
        STACK,
        "t = torch.from_numpy(np.stack([a, a])).to(dtype=torch.float32).to(device='cpu').requires_grad_(True)",
    ),
    "defaults": ("t = torch.tensor(a, requires_grad=False, dtype=None)", SHARE, "t = torch.from_numpy(a)"),
    "of numpy": ("t = np.array(a, dtype='f8', order='C')", "np.asarray(x)", "t = np.asarray(a, dtype='f8', order='C')"),
    "of numpy, positional": ("t = np.array(a, 'f8')", "np.asarray(x)", "t = np.asarray(a, dtype='f8')"),
}


@pytest.mark.filterwarnings("ignore:Creating a tensor from a list")
@pytest.mark.parametrize("what", LINES)
def test_a_line_keeps_its_arguments(tmp_path, what):
    line, code, expected = LINES[what]
    conversion = next(
        name
        for name in ("torch.as_tensor", "torch.tensor", "np.asarray", "np.array", "torch.from_numpy")
        if f"{name}(" in line
    )
    got = new_line(tmp_path, line, conversion, code.format(conversion))
    if expected is not None:
        assert got == expected
        outcomes = []
        for text in (line, got):
            names = {"np": np, "torch": torch, "a": np.reshape(np.arange(12.0), (4, 3))}
            exec(text, names)
            outcomes.append(names["t"])
        before, after = outcomes
        assert (type(before), before.dtype, before.shape) == (type(after), after.dtype, after.shape)
        assert getattr(before, "requires_grad", None) == getattr(after, "requires_grad", None)
        assert before.tolist() == after.tolist()
    else:
        assert got == "for t in torch.as_tensor(a.copy(), dtype=torch.int8):"


@pytest.mark.parametrize(
    ("line", "conversion", "code", "expected"),
    [
        ("b = t.numpy(force=True)", "Tensor.numpy", "x.numpy().copy()", "b = t.numpy(force=True).copy()"),
        ("b = (t + 1).numpy()", "Tensor.numpy", "x.numpy().copy()", "b = (t + 1).numpy().copy()"),
        ("b = f(t.detach().numpy()[0])", "Tensor.numpy", "x.numpy().copy()", "b = f(t.detach().numpy().copy()[0])"),
    ],
)
def test_a_method(tmp_path, line, conversion, code, expected):
    assert new_line(tmp_path, line, conversion, code) == expected


@pytest.mark.parametrize(
    ("start", "line", "expected"),
    [
        ("import numpy\nimport torch as t\n", "u = t.tensor([a, a])", "u = t.from_numpy(numpy.stack([a, a]))"),
        ("import torch\n\x0c\nx = '\u2028'\n", "u = torch.tensor([a, a])", "u = torch.from_numpy(np.stack([a, a]))"),
        ("import torch\n", "u = torch.tensor([a,\x0c\n a])", "u = torch.from_numpy(np.stack([a, a]))"),
        ("import torch\nfrom torch import tensor as T\n", "u = T([a, a])", "u = torch.from_numpy(np.stack([a, a]))"),
    ],
)
def test_the_names_are_the_file_s(tmp_path, start, line, expected):
    assert new_line(tmp_path, line, "torch.tensor", STACK, start) == expected


@pytest.mark.parametrize(
    ("line", "lacks"),
    [
        ("t = torch.tensor(a, **options)", "**"),
        ("t = t.new_tensor(a, device='cpu')", "device"),
        ("t = torch.tensor(a, pin_memory=True)", "pin_memory"),
        ("t = torch.tensor(a, dtype=torch.float32, pin_memory=p)", "dtype, pin_memory"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path, line, lacks):
    conversion = "Tensor.new_tensor" if "new_tensor" in line else "torch.tensor"
    found = new_line(tmp_path, line, conversion, SHARE)
    assert found == f"torch.from_numpy(x), with the other arguments of the call ({lacks})"


def test_the_source_of_new_tensor_is_what_it_is_given(tmp_path):
    found = new_line(tmp_path, "u = t.new_tensor(a)", "Tensor.new_tensor", SHARE)
    assert found == "u = torch.from_numpy(a)"


@pytest.mark.parametrize(
    ("line", "conversion"),
    [
        ("l = list(map(torch.tensor, [a, a]))", "torch.tensor"),
        ("l = sorted([a], key=torch.tensor)", "torch.tensor"),
        ("t = functools.partial(torch.tensor, requires_grad=True)(a)", "torch.tensor"),
        ("b = torch.Tensor.numpy(t)", "Tensor.numpy"),
    ],
)
def test_a_call_of_something_else_is_not_rewritten(tmp_path, line, conversion):
    assert new_line(tmp_path, line, conversion, SHARE, called=False) == SHARE


def test_arguments_in_a_list_are_not_forgotten(tmp_path):
    found = new_line(tmp_path, "t = torch.tensor(*a, requires_grad=True)", "torch.tensor", SHARE)
    assert found == "torch.from_numpy(x), with the other arguments of the call"


@pytest.mark.parametrize("start", ["from torch import *\n", "import torch.nn as nn\nfrom torch import tensor\n"])
def test_a_file_that_has_no_name_for_a_module(tmp_path, start):
    assert new_line(tmp_path, "u = tensor(a)", "torch.tensor", SHARE, start) == SHARE
