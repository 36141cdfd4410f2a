"""Each line that a finding prints is put into its program, which then computes what it computed before."""

import pytest

from tests.tracing.tools import START, bare, record, recorded_and_printed, script, under

A = START + "import copy\na = np.reshape(np.arange(12.0), (4, 3))\nx = None\n"
SHOW = "print(x.dtype, tuple(x.shape), x.requires_grad, x.tolist())\n"

LIB = """
import numpy as np

class Column:
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]

    def __array__(self, dtype=None, copy=None):
        return np.array(self.items, dtype)
"""

PROGRAMS = {
    # the finding, the program, and whether a line is printed for it
    "arrays": ("element-by-element", "x = torch.tensor([a, a + 1])", True),
    "arrays of integers": ("element-by-element", "x = torch.as_tensor(list(a.astype(np.int16)))", True),
    "arrays and a dtype": ("element-by-element", "x = torch.tensor([a, a], dtype=torch.float32)", True),
    "arrays and a gradient": ("element-by-element", "x = torch.tensor([a, a], requires_grad=True)", True),
    "arrays of two dtypes": ("element-by-element", "x = torch.tensor([a.astype('f4'), a])", False),
    "arrays through a method": ("element-by-element", "x = torch.ones(1).new_tensor([a, a])", False),
    "arrays, and sometimes none": (
        "element-by-element",
        "for k in range(4):\n    x = torch.tensor([a[0] + k] * (k % 3 + k // 3 - 1))",
        False,
    ),
    "arrays, and lists": (
        "element-by-element",
        "for k in [a, a + 1], [1.0, 2.0]:\n    x = torch.tensor(k)",
        False,
    ),
    "masked arrays": ("element-by-element", "m = np.ma.array(a[0])\nx = torch.tensor([m, m])", False),
    "scalars": ("element-by-element", "x = torch.tensor(list(np.arange(100, dtype=np.int32)))", True),
    "scalars of two dtypes": ("element-by-element", "x = torch.tensor([*np.arange(100), *np.ones(9)])", False),
    "tensors": ("element-by-element", "x = torch.tensor([torch.tensor(1.5), torch.tensor(2.5)])", True),
    "tensors of one element": ("element-by-element", "x = torch.tensor([torch.ones(1), torch.ones(1)])", False),
    "tensors that require grad": (
        "element-by-element",
        "w = torch.ones((), requires_grad=True)\nx = torch.tensor([w, w * 2])",
        False,
    ),
    "tensors and numbers": ("element-by-element", "x = torch.tensor([torch.tensor(1.5), 2])", False),
    "a Series": ("element-by-element", "import pandas\nx = torch.tensor(pandas.Series(a[0]))", True),
    "a Series of integers": ("element-by-element", "import pandas\nx = torch.as_tensor(pandas.Series([3, 4]))", True),
    "a column of numbers": ("element-by-element", "import lib\nx = torch.tensor(lib.Column([1.5, 2.5]))", False),
    "a column of numbers and a dtype": (
        "element-by-element",
        "import lib\nx = torch.tensor(lib.Column([1.5, 2.5]), dtype=torch.float64)",
        True,
    ),
    "a column of whole numbers": ("element-by-element", "import lib\nx = torch.tensor(lib.Column([1, 2]))", True),
    "a read-only array": ("readonly-dropped", "a.flags.writeable = False\nx = torch.from_numpy(a)", True),
    "a part of a read-only array": (
        "readonly-dropped",
        "a = a.copy()\na.flags.writeable = False\nx = torch.as_tensor(a[1:])",
        True,
    ),
    "windows of an array": (
        "readonly-dropped",
        "x = torch.from_numpy(np.lib.stride_tricks.sliding_window_view(a[0], 2))",
        False,
    ),
    "bytes": ("readonly-dropped", "x = torch.frombuffer(bytes(range(8)), dtype=torch.int16)", True),
    "bytes from an offset": (
        "readonly-dropped",
        "b = bytes(9)\nx = torch.frombuffer(b, dtype=torch.uint8, offset=1)",
        True,
    ),
    "a view of bytes": (
        "readonly-dropped",
        "m = memoryview(bytes(8))\nx = torch.frombuffer(m, dtype=torch.float32)",
        True,
    ),
    "a map": (
        "readonly-dropped",
        "import mmap\na.tofile('data')\nf = open('data', 'rb')\nm = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)\n"
        "x = torch.frombuffer(m, dtype=torch.float64)",
        False,  # the file may be written
    ),
    "a read-only array in another order": (
        "readonly-dropped",
        "a = np.asfortranarray(a)\na.flags.writeable = False\nx = torch.from_numpy(a)\nprint(x.t().view(-1))",
        True,
    ),
    "a read-only view of an array that is written": (
        "readonly-dropped",
        "v = a.view()\nv.flags.writeable = False\nx = torch.from_numpy(v)\na[0] = 7",
        False,
    ),
    "a broadcast array that is written": (
        "readonly-dropped",
        "x = torch.from_numpy(np.broadcast_to(a, (2, 4, 3)))\na[0] = 7",
        False,
    ),
    "an array that is written again": (
        "readonly-dropped",
        "a.flags.writeable = False\nx = torch.from_numpy(a)\na.flags.writeable = True\na[0] = 7",
        False,
    ),
    "an array that is written again by setflags": (
        "readonly-dropped",
        "a = a.copy()\na.setflags(write=False)\nx = torch.from_numpy(a)\na.setflags(write=True)\na[0] = 7",
        False,
    ),
    "a column of a frame that is written": (
        "readonly-dropped",
        "import pandas\nf = pandas.DataFrame({'a': [1.0, 2.0]})\n"
        "x = torch.from_numpy(f['a'].to_numpy())\nf.loc[0, 'a'] = 9",
        False,
    ),
    "a read-only view of a bytearray": (
        "readonly-dropped",
        "b = bytearray(8)\nx = torch.frombuffer(memoryview(b).toreadonly(), dtype=torch.uint8)\nb[0] = 7",
        False,
    ),
    "bytes and arrays": (
        "readonly-dropped",
        "a.flags.writeable = False\nfor b in (a, bytes(8)):\n    x = torch.asarray(b, dtype=torch.float64)",
        True,
    ),
    "a Series that is reversed": (
        "element-by-element",
        "import pandas\ns = pandas.Series(np.arange(9.0))[::-1].reset_index(drop=True)\nx = torch.tensor(s)",
        False,
    ),
    "a Series of every other item": (
        "element-by-element",
        "import pandas\ns = pandas.Series(np.arange(9.0))[::2].reset_index(drop=True)\nx = torch.tensor(s)",
        True,
    ),
    "a Series of another byte order": (
        "element-by-element",
        "import pandas\ns = pandas.Series(np.arange(9, dtype='>f8'))\nx = torch.tensor(s, dtype=torch.float64)",
        False,
    ),
    "a dataset of a file": (
        "element-by-element",
        "import h5py\nf = h5py.File('f', 'w', driver='core', backing_store=False)\nf['a'] = np.arange(9.0)\n"
        "x = torch.tensor(f['a'])",
        True,
    ),
    "a view": ("storage-larger", "big = torch.arange(1000.0)\nx = copy.deepcopy(big[3:7])", True),
    "a column": ("storage-larger", "big = torch.arange(1000.0).reshape(10, 100)\nx = copy.deepcopy(big[:, 3])", True),
    "a leaf over a part": (
        "storage-larger",
        "big = torch.arange(1000.0)\nw = big[3:7].requires_grad_()\nx = copy.deepcopy(w)",
        False,
    ),
    "a view in a dict": (
        "storage-larger",
        "big = torch.arange(1000.0)\nx = copy.deepcopy({'row': big[3:7]})['row']",
        False,
    ),
    "a view with an attribute": (
        "storage-larger",
        "big = torch.arange(1000.0)\nv = big[3:7]\nv.tag = 'held out'\nx = copy.deepcopy(v)\nprint(x.tag)",
        False,
    ),
}


def printed_and_applied(folder, text, code):
    """Trace a program; return whether its finding ``code`` prints a line, the program with it, and the output."""
    alone = bare(folder, "-Wignore", script(folder, text), PYTHONPATH="site-packages")
    assert alone.returncode == 0, alone.stderr
    found, output = recorded_and_printed(folder, text)
    assert output == alone.stdout
    (finding,) = (one for one in found["findings"] if one["code"] == code)
    (old,) = (site["source_line"] for site in found["sites"] if site["id"] == finding["site"])
    try:
        compile(finding["remedy"], "remedy", "exec")
    except SyntaxError:
        return False, text, alone.stdout
    return True, text.replace(old.strip(), finding["remedy"]), alone.stdout


@pytest.mark.parametrize("what", PROGRAMS)
def test_the_line_that_is_printed_leaves_what_the_program_computes(tmp_path, what):
    code, text, is_line = PROGRAMS[what]
    if "h5py" in text:
        pytest.importorskip("h5py")
    (tmp_path / "site-packages").mkdir()
    script(tmp_path / "site-packages", LIB, "lib.py")
    text = f"{A}{text}\n{SHOW}"
    printed, changed, output = printed_and_applied(tmp_path, text, code)
    assert printed == is_line
    assert (changed != text) == is_line
    again = bare(tmp_path, "-Wignore", script(tmp_path, changed), PYTHONPATH="site-packages")
    assert (again.returncode, again.stdout) == (0, output), again.stderr


COPIED_TENSORS = """
t = torch.ones(3)
x = torch.tensor(t, requires_grad=True)
print(x.requires_grad, t.requires_grad)
u = torch.ones(3)
y = torch.tensor(u)
y.requires_grad = True
print(y.requires_grad, u.requires_grad)
v = torch.ones(3, requires_grad=True) * 2
z = torch.tensor(v)
r = torch.ones(3, requires_grad=True)
w = torch.ones(1).new_tensor(r)
print(z.requires_grad, w.requires_grad)
"""


def test_the_line_for_the_copy_of_a_tensor_gives_another_tensor(tmp_path):
    text = START + COPIED_TENSORS
    output = under(tmp_path, "--remedies", script(tmp_path, text)).stdout
    found = record(tmp_path)
    lines = {site["id"]: site["source_line"] for site in found["sites"]}
    assert len(found["findings"]) == 4
    for finding in found["findings"]:
        text = text.replace(lines[finding["site"]], finding["remedy"])
    assert text.count("detach()") == 4
    assert bare(tmp_path, script(tmp_path, text)).stdout == output == "True False\nTrue False\nFalse False\n"


@pytest.mark.parametrize(
    "text",
    [
        "t = torch.ones(3, dtype=torch.complex64).conj()\nprint(torch.tensor(t).numpy())",
        "with torch.inference_mode():\n    t = torch.ones(3)\nx = torch.tensor(t)",
    ],
)
def test_a_copy_that_ends_a_state_of_its_source_is_no_finding(tmp_path, text):
    found, _ = recorded_and_printed(tmp_path, A + text, remedies=True)
    assert not found["findings"]


STORED = {
    "an array": "b = np.zeros(3)\nfor k in range(4):\n    b[:] = k\n    kept.append(torch.from_numpy(b))",
    "an array and a dtype": (
        "b = np.zeros(3)\nfor k in range(4):\n    b[:] = k\n    kept.append(torch.as_tensor(b, dtype=torch.float64))"
    ),
    "a tensor": "t = torch.zeros(3)\nfor k in range(4):\n    t += 1\n    kept.append(t.numpy())",
}


@pytest.mark.parametrize("what", STORED)
def test_the_line_for_a_buffer_that_is_stored_keeps_what_each_result_was(tmp_path, what):
    text = f"{A}kept, was = [], []\n{STORED[what]}\n    was.append(kept[-1].tolist())\n"
    text += "print(was)\nprint([one.tolist() for one in kept] == was, kept[0].dtype)\n"
    printed, changed, output = printed_and_applied(tmp_path, text, "buffer-stored-twice")
    assert printed
    assert "False" in output  # the fault of the program
    again = bare(tmp_path, script(tmp_path, changed))
    assert again.stdout == output.replace("False", "True"), again.stderr


HELPERS = """
def augment(batch):
    batch += 1

def undo(batch):
    inner(batch)

def inner(rows):
    part = rows[:2]
    part -= 1
    rows[2:] -= 1
"""
WRITTEN_MEANWHILE = {
    "a bytearray that grows": (
        "b = bytearray(32)\nx = torch.tensor(np.frombuffer(b))\nb.extend(bytes(8))\nprint(len(b))"
    ),
    "a file in memory that grows": (
        "import io\nf = io.BytesIO(bytes(16))\nx = torch.tensor(np.frombuffer(f.getbuffer()))\n"
        "f.seek(0, 2)\nprint(f.write(bytes(8)))"
    ),
    "another file's functions": (
        "import helpers\nfor k in range(4):\n    x = torch.tensor(a)\n    helpers.augment(a)\n"
        "    print(x.sum())\n    helpers.undo(a)"
    ),
    "a function that is imported": (
        "from helpers import augment, undo as restore\nfor k in range(4):\n    x = torch.tensor(a)\n    augment(a)\n"
        "    print(x.sum())\n    restore(a)"
    ),
    "a call that is not inspected": (
        "import helpers\nfor k in range(40):\n    x = torch.tensor(a)\n    if k == 20:\n        helpers.augment(x)\n"
        "    print(x.sum())"
    ),
    "such a call in the same file": (
        "for k in range(40):\n    x = torch.tensor(a)\n    if k == 20:\n        x += 1\n    print(x.sum())"
    ),
    "another name": (
        "rows = a[1:]\nfor k in range(4):\n    x = torch.tensor(a)\n    rows += 1\n    print(x.sum())\n    rows -= 1"
    ),
    "the place of a ufunc's result": (
        "for k in range(4):\n    x = torch.tensor(a)\n    np.negative(a, a)\n    print(x.sum())\n    np.negative(a, a)"
    ),
    "a name that it had before": (
        "b = a\nfor k in range(4):\n    x = torch.tensor(b)\n    a += 1\n    print(x.sum())\n    a -= 1"
    ),
    "the caller's name": (
        "def f(v):\n    return torch.tensor(v)\nfor k in range(4):\n    x = f(a)\n    a += 1\n    print(x.sum())\n"
        "    a -= 1"
    ),
    "a tuple that is unpacked": (
        "row = (np.ones(3),)\nfor k in range(4):\n    x = torch.tensor(*row)\n    x += 1\nprint(row)"
    ),
    "such a one in code without a text": (
        "row = (np.ones(3),)\nexec('for k in range(4):\\n    x = torch.tensor(*row)\\n    x += 1')\nprint(row)"
    ),
    "a row at a time": (
        "for k in range(4):\n    x = torch.tensor(a)\n    for row in a:\n        row += 1\n    print(x.sum())\n"
        "    for row in a:\n        row -= 1"
    ),
}


@pytest.mark.parametrize("what", WRITTEN_MEANWHILE)
def test_no_line_is_printed_for_what_may_be_written_or_grow(tmp_path, what):
    """Each copy is needed, though every inspection finds the bytes of the one before it."""
    script(tmp_path, HELPERS, "helpers.py")
    under(tmp_path, "--remedies", script(tmp_path, f"{A}{WRITTEN_MEANWHILE[what]}\n{SHOW}"))
    found = record(tmp_path)
    assert [one["remedy"] for one in found["findings"] if one["code"] == "avoidable-copy"] == [None]


def test_nor_in_code_without_a_text_of_a_program_without_a_file(tmp_path):
    code = WRITTEN_MEANWHILE["such a one in code without a text"]
    under(tmp_path, "--remedies", "-c", f"{A}{code}\n{SHOW}")
    assert [one["remedy"] for one in record(tmp_path)["findings"] if one["code"] == "avoidable-copy"] == [None]
