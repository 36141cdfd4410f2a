"""A part of one's own process: recorded inside the block, and nothing left behind after it."""

import json
import os
import threading
from collections import Counter

import numpy as np
import pytest
import torch
from numpy import asarray
from torch import from_numpy
from torch.utils.data import default_collate

import tensorbridge_cli as tb
from tensorbridge_cli.tracing.inside import counting
from tests.tracing.tools import bare_cold as bare
from tests.tracing.tools import script

A = np.arange(6.0)


def made(found):
    calls = Counter()
    for site in found.sites:
        calls[site.conversion] += site.calls
    return calls


def places():
    return (
        torch.from_numpy,
        torch.tensor,
        np.asarray,
        torch.utils.data.default_collate,
        "numpy" in vars(torch.Tensor),
        torch.jit._builtins._find_builtin,
    )


def test_what_is_made_inside_and_nothing_else():
    from_numpy(A)
    with tb.trace() as found:
        for _ in range(3):
            from_numpy(A)
            torch.tensor(A).numpy()
            asarray(A)
        thread = threading.Thread(target=torch.tensor, args=(A,))
        thread.start()
        thread.join()
    torch.tensor(A)
    assert made(found) == {"torch.from_numpy": 3, "torch.tensor": 4, "Tensor.numpy": 3, "np.asarray": 3}
    assert found.trace.totals.copied_bytes == 4 * 48
    assert json.loads(found.to_json())["schema"] == "tensorbridge.trace/1"
    assert "13 calls in 5 lines" in repr(found)
    assert found._repr_html_().count("<tr>") == 6


def test_everything_is_put_back():
    before = (
        torch.from_numpy,
        torch.tensor,
        np.asarray,
        torch.utils.data.default_collate,
        "numpy" in vars(torch.Tensor),
        torch.jit._builtins._find_builtin,
    )
    with tb.trace():
        assert (torch.from_numpy is before[0]) is counting.is_compiled()
        assert torch.utils.data.default_collate is not before[3]
        assert default_collate is not before[3], "a name of this module"
    after = (
        torch.from_numpy,
        torch.tensor,
        np.asarray,
        torch.utils.data.default_collate,
        "numpy" in vars(torch.Tensor),
        torch.jit._builtins._find_builtin,
    )
    assert before == after
    assert from_numpy is before[0]
    assert default_collate is before[3]


def test_an_exception_passes_and_the_record_is_there():
    with pytest.raises(ValueError, match="negative"), tb.trace() as found:
        from_numpy(A[::-1])
    assert found.sites[0].outcomes.refused == 1


def test_a_condition_that_is_not_met():
    with tb.trace(fail_on=["copied-bytes=10,finding=loop-invariant"]) as found:
        torch.tensor(A)
    assert not found.ok
    assert found.unmet == ("copied-bytes: 48, more than 10",)
    with pytest.raises(tb.TensorbridgeError, match="cannot fail"):
        tb.trace(fail_on=["finding=TB201"], ignore=["TB201"])


def test_code_that_shares_is_tried_where_it_is_asked_for():
    with tb.trace(remedies=True) as tried:
        torch.tensor(A)
    with tb.trace() as found:
        torch.tensor(A)
    assert [finding.code for finding in tried.findings] == ["avoidable-copy"]
    assert "shares" in tried.findings[0].detail
    assert found.findings == ()


def test_sites_are_sorted():
    with tb.trace(sort="calls") as found:
        torch.tensor(A)
        for _ in range(3):
            from_numpy(A)
    assert [site.calls for site in found.sites] == [3, 1]


def test_one_at_a_time():
    with tb.trace() as found:
        with pytest.raises(tb.TensorbridgeError, match="already active"), tb.trace():
            pass
        with pytest.raises(tb.TensorbridgeError, match="before its with block has ended"):
            _ = found.sites
    with tb.trace() as again:
        torch.tensor(A)
    assert made(again) == {"torch.tensor": 1}


def test_a_file_that_was_edited_between_two_blocks_is_read_anew(tmp_path):
    path = tmp_path / "program.py"
    for nth, text in enumerate(("t = torch.tensor(A)\n", "# edited\nfor _ in range(2):\n    t = torch.tensor(A)\n")):
        path.write_text(text, encoding="utf-8")
        os.utime(path, (nth, nth))
        with tb.trace() as found:
            exec(compile(text, str(path), "exec"), {"torch": torch, "A": A})
        (site,) = found.sites
        assert (site.own, site.source_line) == (True, text.splitlines()[-1])


def test_what_is_imported_after_two_blocks_is_imported_as_without(tmp_path):
    text = (
        "import sys, torch\nimport tensorbridge_cli as tb\nbefore = list(sys.meta_path)\nfor i in range(2):\n"
        "    with tb.trace():\n        torch.tensor(1)\nassert sys.meta_path == before\n"
        "import torch._dynamo\nwith tb.trace() as found:\n    torch.tensor(1)\nprint(found.trace.totals.calls)\n"
    )
    done = bare(tmp_path, script(tmp_path, text))
    assert (done.stdout, done.stderr) == ("1\n", "")


@pytest.mark.parametrize("compiled", ["0", "1"])
def test_what_cannot_be_replaced_is_not_put_back(tmp_path, compiled):
    """The methods of pyarrow's classes: without the part in C they are left as they are, and so at the end."""
    pytest.importorskip("pyarrow")
    text = (
        "import pyarrow as pa, torch, tensorbridge_cli as tb\nbefore = pa.Array.to_numpy\n"
        "with tb.trace() as found:\n    torch.tensor(pa.array([1.0]).to_numpy())\n"
        "assert pa.Array.to_numpy is before\nprint([site.conversion for site in found.sites])\n"
    )
    done = bare(tmp_path, script(tmp_path, text), TENSORBRIDGE_COMPILED=compiled)
    assert done.stderr == ""
    assert "torch.tensor" in done.stdout
