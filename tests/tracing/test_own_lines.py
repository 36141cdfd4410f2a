"""A table shows the lines that convert; what libraries do for themselves is one line below, and nothing is lost."""

import re
import sys
import types

import pytest
import torch

from tests.cli.tools import run
from tests.tracing.tools import START, codes, record, recorded, script, traced

PROGRAM = START + (
    "import pandas\n"
    "rng = np.random.default_rng(0)\n"
    "x = rng.permutation(np.reshape(np.arange(12.0), (4, 3)))\n"
    "t = torch.from_numpy(x)\n"
    "print(t, str(t), f'{t}')\n"
    "repr(t.float())\n"
    "convert = torch.tensor\n"
    "convert(x)\n"
    "list(map(torch.as_tensor, [x]))\n"
    "made = {'f': torch.asarray}\n"
    "made['f'](x)\n"
    "print(torch.compile(lambda a: a * 2, backend='eager')(t).sum().item())\n"
)
OWN = {"torch.from_numpy": 5, "Tensor.float": 7, "torch.tensor": 9, "torch.as_tensor": 10, "torch.asarray": 12}


def lines(text):
    return [int(number) for number in re.findall(r"^program\.py:(\d+)", text, re.MULTILINE)]


def test_what_libraries_do_for_themselves_is_below(tmp_path):
    script(tmp_path, PROGRAM)
    done = run("trace", "--no-remedies", "-o", "trace.json", "program.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = record(tmp_path)
    own = [site for site in found["sites"] if site["own"]]
    others = [site for site in found["sites"] if not site["own"]]
    assert {site["conversion"]: site["line"] for site in own} == OWN
    assert {site["line"] for site in others} >= {3, 4, 6, 7}
    table = run("show", "trace.json", cwd=tmp_path).stdout
    assert sorted(lines(table)) == sorted(OWN.values())
    calls = sum(site["calls"] for site in others)
    assert f"\n{calls} calls in {len(others)} more lines of libraries, " in table
    assert f"\n{found['totals']['calls']} calls in {len(found['sites'])} lines: " in table
    everything = run("show", "--all", "trace.json", cwd=tmp_path).stdout
    assert len(lines(everything)) == len(found["sites"])
    assert "of libraries" not in everything


def test_what_a_library_copies_much_of_is_shown(tmp_path):
    text = "r = np.random.default_rng(0)\nr.permutation(np.zeros({}))\n"
    for size, shown in ((1000, []), (200_000, [3])):
        done = run("trace", "--no-remedies", script(tmp_path, START + text.format(size)), cwd=tmp_path)
        assert lines(done.stderr) == shown


def test_a_thread_of_a_library_converts_for_the_library(tmp_path):
    (tmp_path / "site-packages").mkdir()
    library = (
        "import threading, torch\nmade = {'f': torch.from_numpy}\ndef convert(a):\n    made['f'](a)\n"
        "def start(a):\n    one = threading.Thread(target=convert, args=(a,))\n    one.start()\n    one.join()\n"
    )
    script(tmp_path / "site-packages", library, "lib.py")
    (site,) = recorded(tmp_path, START + "import lib\nlib.start(np.ones(2))\n")["sites"]
    assert (site["conversion"], site["line"], site["own"]) == ("torch.from_numpy", 4, False)


def test_a_loader_collates_for_the_program(tmp_path):
    text = (
        START
        + "from torch.utils.data import DataLoader\nfor b in DataLoader([np.ones(2)] * 4, batch_size=2):\n    pass\n"
    )
    found = traced(tmp_path, text)
    assert [site["conversion"] for site in found["sites"] if site["own"]] == ["torch.utils.data.default_collate"]


def test_a_text_that_only_a_newer_python_can_parse(tmp_path):
    text = (
        START + "torch.tensor([np.ones(2)] * 9)\nnp.asarray(torch.ones(2))\n"
        "a = np.ones(3)\nt = torch.from_numpy(a)\na += 1\nt = torch.from_numpy(a)\n"
        "open('program.py', 'a').write('a newer syntax')\n"
    )
    found = recorded(tmp_path, text)
    own = {(site["line"], site["conversion"]) for site in found["sites"] if site["own"]}
    assert own == {(2, "torch.tensor"), (3, "np.asarray"), (5, "torch.from_numpy"), (7, "torch.from_numpy")}
    assert codes(found) == {"element-by-element"}, "and no alias-written: t is bound anew"
    what, why = next((one["what"], one["why"]) for one in found["not_intercepted"] if "program.py" in one["what"])
    assert what == "findings that need the text of program.py"
    assert why == "tensorbridge runs on Python {}.{}, which cannot parse it".format(*sys.version_info)


def test_only_what_concerns_the_program_is_said_to_be_unseen(tmp_path):
    def unseen(text, *options, **environment):
        program = script(tmp_path, START + text)
        done = run("trace", "--no-remedies", "-o", "-", *options, program, cwd=tmp_path, **environment)
        assert "Error: " not in done.stderr
        return [line for line in done.stdout.splitlines() if line.startswith("not recorded: ")]

    assert unseen("torch.from_numpy(np.ones(2)).detach()") == []
    assert unseen("isinstance(torch.tensor(1), torch.Tensor)") == []
    assert unseen("np.array(np.asarray([1]))") == []  # and not pa.array: pyarrow is not imported
    pytest.importorskip("pyarrow")  # whose methods the part in C alone can exchange
    (concerns,) = unseen("import pyarrow as pa\npa.array([1.0]).to_numpy()", TENSORBRIDGE_COMPILED="0")
    assert "pa.Array.to_numpy" in concerns
    assert "pl." not in concerns
    assert unseen("torch.Tensor([1.0])") == ["not recorded: torch.Tensor"]
    assert unseen("@torch.compile\ndef f(x): return x") == [
        "not recorded: code compiled by torch.compile, torch.jit.script and torch.jit.trace"
    ]
    started = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', '1'])"
    assert unseen(started) == ["not recorded: 1 Python process that it started"]
    assert unseen(started, "--follow") == []
    assert len(traced(tmp_path, "print(1)")["not_intercepted"]) > 5


def test_without_a_file_nothing_installed_is_the_users(monkeypatch):
    from tensorbridge_cli.tracing.inside.own_code import users_code

    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))  # as with -c, or in a notebook
    monkeypatch.chdir(sys.prefix)
    is_users = users_code((), (), "")
    assert not is_users(torch.storage.__file__)
    assert is_users("<string>")
