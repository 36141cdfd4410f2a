"""Kinds of mistakes that a trace once made, in other spellings than those of ``cases``."""

import linecache

import pytest

import tensorbridge_cli as tb
from tests.tracing import tools
from tests.tracing.tools import START, calls


def traced(folder, text):
    """Return the trace of a program that runs in this process."""
    path = str(folder / f"program{abs(hash(text))}.py")
    text = START + text
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    with tb.trace() as trace:
        exec(compile(text, path, "exec"), {"__name__": "program"})
    return trace


def found(trace):
    lines = {site.id: site.line for site in trace.sites}
    return {(finding.code, lines[finding.site]) for finding in trace.findings}


# Two places of one name are two sites ----------------------------------------------------------------

TWINS = {
    "methods": (
        "class A:\n    def __call__(self, x):\n        return torch.tensor(x)\n"
        "class B:\n    def __call__(self, x):\n        return torch.tensor(x)\n"
        "for k in range(3):\n    A()(np.ones(k + 1))\nB()(np.ones(9, 'f4'))",
        {(4, 3), (7, 1)},
    ),
    "functions in functions": (
        "def one():\n    def load(x):\n        return torch.from_numpy(x)\n    return load\n"
        "def two():\n    def load(x):\n        return torch.from_numpy(x)\n    return load\n"
        "f, g = one(), two()\nfor k in range(5):\n    f(np.ones(2))\ng(np.ones(3, 'i4'))",
        {(4, 5), (8, 1)},
    ),
    "comprehensions": (
        "a = [torch.tensor(x) for x in np.ones((4, 2))]\nb = [torch.tensor(x) for x in np.ones((2, 2), 'f4')]",
        {(2, 4), (3, 2)},
    ),
    "generators": (
        "a = list(torch.as_tensor(x) for x in np.ones((3, 2)))\n"
        "b = list(torch.as_tensor(x) for x in np.ones((1, 2), 'f4'))",
        {(2, 3), (3, 1)},
    ),
    "properties": (
        "class A:\n    x = np.ones(2)\n    @property\n    def t(self):\n        return torch.from_numpy(self.x)\n"
        "class B:\n    x = np.ones(2, 'f4')\n    @property\n    def t(self):\n        return torch.from_numpy(self.x)\n"
        "A().t, A().t, B().t",
        {(6, 2), (11, 1)},
    ),
    "lambdas of one line": (
        "m = [lambda x: torch.tensor(x), lambda x: torch.tensor(x)]\n"
        "m[0](np.ones(1)), m[0](np.ones(1)), m[1](np.ones(1))",
        {(2, 2), (2, 1)},
    ),
}


@pytest.mark.parametrize("what", TWINS)
def test_two_places_of_one_name_are_two_sites(tmp_path, what):
    text, expected = TWINS[what]
    trace = traced(tmp_path, text)
    assert {(site.line, site.calls) for site in trace.sites} == expected
    assert len(trace.sites) == 2
    assert all(len(site.dtypes) == 1 for site in trace.sites)


# Layouts, states and dtypes have the names that inspect gives them -------------------------------------

OBJECTS = {
    "np.frombuffer(bytearray(49), 'f4', offset=1)": ("float32", "unaligned", "plain"),
    "np.arange(12.0).reshape(4, 3)[:, ::2]": ("float64", "non-contiguous", "plain"),
    "np.arange(3.0)[::-1]": ("float64", "reversed", "plain"),
    "np.broadcast_to(np.float32(1), (4, 3))": ("float32", "broadcast", "read-only"),
    "np.arange(3, dtype='>i4')": ("int32", "byte-swapped", "plain"),
    "np.zeros((4, 3), order='F')": ("float64", "fortran", "plain"),
    "np.lib.stride_tricks.sliding_window_view(np.arange(5.0), 3, writeable=True)": ("float64", "overlapping", "plain"),
    "np.asarray(np.ctypeslib.as_ctypes(np.ones(4)))": ("float64", "contiguous", "plain"),
    "np.ma.masked_array([1.0, 2.0], [0, 1])": ("float64", "contiguous", "masked"),
    "torch.ones(4, 3).t()": ("float32", "transposed", "plain"),
    "torch.ones(4, requires_grad=True)[1:]": ("float32", "offset", "non-leaf"),
    "torch.ones(2, dtype=torch.complex64).conj()": ("complex64", "contiguous", "conjugate-bit"),
    "torch.ones(3).expand(4, 3)": ("float32", "broadcast", "plain"),
}


@pytest.mark.parametrize("code", OBJECTS)
def test_an_object_has_the_names_that_inspect_gives_it(tmp_path, code):
    copy = "x.clone()" if code.startswith("torch") else "np.copy(x)"
    site = next(site for site in traced(tmp_path, f"x = {code}\n{copy}").sites if site.line == 3)
    side = site.samples[0].source
    subject = tb.inspect("Tensor.clone" if code.startswith("torch") else "np.copy", expr=code)[0].subject
    assert (side.dtype, side.layout, side.state) == (subject.dtype, subject.layout, subject.state) == OBJECTS[code]


# What is copied is counted by what is allocated ----------------------------------------------------------

TAKEN_ALONG = {
    "a column": ("big = torch.zeros(100, 100)\nx = copy.deepcopy(big[:, 3])", 40_000),
    "a tensor over an array": ("big = torch.from_numpy(np.zeros(5000))\nx = copy.deepcopy(big[10:20])", 40_000),
    "a scalar of many": ("big = torch.zeros(10_000, dtype=torch.int16)\nx = copy.deepcopy(big[5])", 20_000),
    "an expanded one": ("big = torch.zeros(1000)\nx = copy.deepcopy(big[:1].expand(8))", 4_000),
    "a part of a dict": ("big = torch.zeros(1000)\nx = copy.deepcopy({'row': big[:9]})", 4_000),
    "parts of objects": (
        "big = torch.zeros(1000); from types import SimpleNamespace as N\n"
        "x = copy.deepcopy([N(row=big[:9]), (big[9:12],)])",
        4_000,
    ),
    "a leaf": ("big = torch.zeros(1000)\nx = copy.deepcopy(big[:9].requires_grad_())", 4_000),
}


@pytest.mark.parametrize("what", TAKEN_ALONG)
def test_a_view_takes_its_storage_along(tmp_path, what):
    text, copied = TAKEN_ALONG[what]
    trace = traced(tmp_path, f"import copy\n{text}")
    (site,) = (site for site in trace.sites if site.conversion == "copy.deepcopy")
    assert site.copied_bytes == copied
    assert ("storage-larger", 4) in found(trace)


@pytest.mark.parametrize(
    "text",
    [
        "x = copy.deepcopy(torch.zeros(9))",
        "x = copy.deepcopy(torch.zeros(9)[:3].clone())",
        "x = copy.copy(torch.zeros(9)[:3])",
        "big = torch.zeros(9)\nx = copy.deepcopy({'all': big, 'first': big[:3]})",
        "big = torch.zeros(9)\nx = copy.deepcopy([big[:3], [big[3:]]])",
    ],
)
def test_what_takes_nothing_along(tmp_path, text):
    assert not found(traced(tmp_path, f"import copy\n{text}"))


# A storage may move under an array -------------------------------------------------------------------------

MOVED = {
    "share_memory_": "t = torch.arange(3.0)\nbefore = t.numpy()\nt.share_memory_()",
    "a parameter of a module": ("m = torch.nn.Linear(3, 2)\nbefore = m.weight.detach().numpy()\nm.share_memory()"),
    "a view of the array": "t = torch.arange(9.0)\nbefore = np.asarray(t)[2:]\nt.share_memory_()",
    "a pickle for another process": (
        "from multiprocessing.reduction import ForkingPickler; import torch.multiprocessing\n"
        "t = torch.arange(3.0); before = t.numpy()\n"
        "kept = ForkingPickler.dumps(t)"
    ),
    "the storage": "t = torch.arange(3.0)\nbefore = t.numpy()\nt.untyped_storage().share_memory_()",
}


@pytest.mark.parametrize("what", MOVED)
def test_memory_that_moves_under_an_array(tmp_path, what):
    trace = tools.traced(tmp_path, START + MOVED[what])
    (finding,) = (finding for finding in trace["findings"] if finding["code"] == "source-moved")
    assert {site["line"] for site in trace["sites"] if site["id"] == finding["site"]} == {4}
    assert ":3, which is still " in finding["detail"]


NOT_MOVED = {
    "shared already": "t = torch.arange(3.0).share_memory_()\nbefore = t.numpy()\nt.share_memory_()",
    "taken afterwards": "t = torch.arange(3.0)\nt.share_memory_()\nafter = t.numpy()",
    "gone by then": "t = torch.arange(3.0)\nbefore = t.numpy(); del before\nt.share_memory_()",
    "a copy": "t = torch.arange(3.0)\nbefore = t.numpy().copy()\nt.share_memory_()",
    "an array that another tensor holds": (
        "a = np.ones(3)\nt = torch.from_numpy(a)\nu = torch.from_numpy(a)\nt.share_memory_()"
    ),
    "used before it alone, and bound anew": (
        "t = torch.arange(3.0)\nbefore = t.numpy()\nprint(before.sum())\nt.share_memory_()\nbefore = t.numpy()\n"
        "print(before.sum())"
    ),
    "used before it alone, in a function": (
        "def start(t):\n    before = t.numpy()\n    print(before.sum())\n    t.share_memory_()\n"
        "start(torch.arange(3.0))"
    ),
}


@pytest.mark.parametrize("what", NOT_MOVED)
def test_memory_that_moves_under_nothing(tmp_path, what):
    assert "source-moved" not in {code for code, _ in found(traced(tmp_path, NOT_MOVED[what]))}


RESIZED = {
    "extend": "t = torch.frombuffer(b, dtype=torch.uint8)\nb.extend(bytes(99999))",
    "another dtype, from an offset": "t = torch.frombuffer(b, dtype=torch.int16, offset=2)\nb *= 9999",
    "a map": "import mmap\nm = mmap.mmap(-1, 64)\nt = torch.frombuffer(m, dtype=torch.int16)\nm.close()",
    "a part of a map": (
        "import mmap\nm = mmap.mmap(-1, 64)\nt = torch.frombuffer(m, dtype=torch.uint8, offset=8)\nm.resize(9999)"
    ),
    "of array": (
        "from array import array\nv = array('f', [1, 2])\nt = torch.frombuffer(v, dtype=torch.float32)\nv *= 9999"
    ),
    "used before and after": (
        "t = torch.frombuffer(b, dtype=torch.uint8)\nprint(t)\nb.extend(bytes(99999))\nprint(t.shape)"
    ),
    "an array": "a = np.ones(3)\nt = torch.from_numpy(a)\na.resize(9999, refcheck=False)",
    "a part of an array": "a = np.ones(3)\nt = torch.from_numpy(a[1:])\na.resize(9999, refcheck=False)",
    "asarray, in a loop": (
        "kept = []\nfor k in range(20): kept.append(torch.asarray(b, dtype=torch.uint8)); b.extend(bytes(4000))"
    ),
}
RESIZED_OF = {
    "an array": "array was resized",
    "a part of an array": "array was resized",
    "of array": "array.array was resized",
    "a map": "mmap.mmap was closed or resized",
    "a part of a map": "mmap.mmap was closed or resized",
}


@pytest.mark.parametrize("what", RESIZED)
def test_a_bytearray_that_is_resized_under_a_tensor(tmp_path, what):
    trace = tools.traced(tmp_path, f"{START}b = bytearray(8)\n{RESIZED[what]}\n")
    (finding,) = (finding for finding in trace["findings"] if finding["code"] == "source-moved")
    of = RESIZED_OF.get(what, "bytearray was resized")
    assert finding["detail"].startswith(f"the {of}: the result, still alive, points to freed memory")
    assert (".copy()" if of.startswith("array was") else ".clone()") in finding["remedy"]


NOT_RESIZED = {
    "written in place": "t = torch.frombuffer(b, dtype=torch.uint8)\nb[:] = bytes(8)",
    "the tensor is gone": "t = torch.frombuffer(b, dtype=torch.uint8)\ndel t\nb.extend(bytes(99999))",
    "a map that is closed later": (
        "import mmap\nm = mmap.mmap(-1, 64)\nt = torch.frombuffer(m, dtype=torch.uint8)\ndel t\nm.close()"
    ),
    "a map under an array, which does not let it": (
        "import mmap\nm = mmap.mmap(-1, 64)\nt = torch.from_numpy(np.frombuffer(m, 'u1'))\nm[:2] = b'ab'"
    ),
    "a copy": "t = torch.frombuffer(b, dtype=torch.uint8).clone()\nb.extend(bytes(99999))",
    "an array whose tensor is gone": "a = np.ones(3)\ntorch.from_numpy(a)\na.resize(9999, refcheck=False)",
    "an array that is resized before": "a = np.ones(3)\na.resize(9999)\nt = torch.from_numpy(a)",
    "an array, which does not let it": "t = torch.from_numpy(np.frombuffer(b, 'u1'))\nb += b''",
    "an array that is gone, as the tensor has other memory": (
        "t = torch.from_numpy(np.ones(80))\nu = torch.zeros(80, dtype=torch.float64)\n"
        "t.untyped_storage()._swap_data_ptr_(u.untyped_storage())\ndel u\nkept = [np.ones(81) for k in range(9999)]"
    ),
    "an array that is gone, as the tensor was moved": (
        "t = torch.from_numpy(np.ones(80))\nt.share_memory_()\nkept = [np.ones(81) for k in range(9999)]"
    ),
    "one that grows in a loop, before the name is bound anew": (
        "for k in range(5):\n    b.extend(bytes(4000))\n    t = torch.frombuffer(b, dtype=torch.uint8)\n"
        "    print(t.sum())"
    ),
    "a map whose tensor is used within its block alone": (
        "import mmap\nwith mmap.mmap(-1, 64) as m:\n    t = torch.frombuffer(m, dtype=torch.uint8)\n    print(t.sum())"
    ),
}


@pytest.mark.parametrize("what", NOT_RESIZED)
def test_a_bytearray_that_is_not_resized_under_a_tensor(tmp_path, what):
    trace = tools.traced(tmp_path, f"{START}b = bytearray(8)\n{NOT_RESIZED[what]}\n")
    assert "source-moved" not in tools.codes(trace)


# Buffers of Python's own are told by their addresses ---------------------------------------------------

BUFFERS = {
    "np.frombuffer(mmap.mmap(-1, 64), 'f4')": "shared",
    "np.frombuffer(memoryview(mmap.mmap(-1, 64))[16:], 'f4')": "shared",
    "torch.frombuffer(mmap.mmap(-1, 64), dtype=torch.float32)": "shared",
    "np.asarray(memoryview(mmap.mmap(-1, 64)))": "shared",
    "np.array(memoryview(mmap.mmap(-1, 64)))": "copied",
    "np.frombuffer((ctypes.c_float * 4)(), 'f4')": "shared",
    "np.asarray((ctypes.c_float * 4)())": "shared",
    "np.frombuffer(array.array('d', [1, 2]))": "shared",
    "np.asarray(array.array('d', [1, 2]))": "shared",
    "torch.tensor(array.array('d', [1, 2]))": "copied",
}


@pytest.mark.parametrize("code", BUFFERS)
def test_a_buffer_is_told_by_its_address(tmp_path, code):
    trace = traced(tmp_path, f"import array, ctypes, mmap\nx = {code}")
    (site,) = (site for site in trace.sites if site.line == 3)
    assert {outcome for outcome in ("shared", "copied", "undecidable") if getattr(site.outcomes, outcome)} == {
        BUFFERS[code]
    }


def test_what_numpy_calls_for_a_conversion_is_a_part_of_it(tmp_path):
    text = START + "t = torch.ones(3)\na = np.asarray(t)\nb = np.array(t)\nc = t.__array__()\n"
    found = tools.traced(tmp_path, text)
    assert calls(found) == {(3, "np.asarray"): 1, (4, "np.array"): 1, (5, "Tensor.__array__"): 1}
    assert {site["file"] for site in found["sites"]} == {str(tmp_path / "program.py")}
