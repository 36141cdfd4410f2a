"""What became of memory: random programs against an oracle that keeps copies, and the cases in other words."""

import gc
import linecache

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tensorbridge_cli as tb
from tensorbridge_cli.tracing.inside import history
from tests.tracing.tools import OF_ITSELF, START, bare, record, recorded, recorded_and_printed, script, under

CONVERSIONS = {
    "torch.from_numpy(x)": True,
    "torch.from_numpy(x).to(x.dtype.name and torch.float32)": True,
    "torch.as_tensor(x).unsqueeze(0)[0]": True,
    "torch.as_tensor(x, device='cpu').reshape(2, 2)": True,
    "torch.from_numpy(x).detach().cpu().numpy()": True,
    "torch.tensor(x)": False,
    "torch.from_numpy(x.copy())": False,
    "torch.as_tensor(x, dtype=torch.float64)": False,
}
STEP = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 1), st.integers(0, 2)),
    st.tuples(st.just("convert"), st.integers(0, 1), st.booleans()),
    st.tuples(st.just("drop"), st.just(0), st.just(0)),
)


def _program(lines, steps):
    """Return the program's text: each conversion has a line of its own, and one buffer."""
    text = [START, "buffers = [np.zeros(4, np.float32), np.ones(4, np.float32)]\nkept = []\n"]
    text += [f"def convert{nth}(x):\n    return {line}\n" for nth, line in enumerate(lines)]
    for kind, which, how in steps:
        if kind == "write":
            text.append(f"buffers[{which}][:] = {how}\n")
        elif kind == "drop":
            text.append("kept.clear()\n")
        else:
            made = f"convert{which}(buffers[{which}])"
            text.append(f"kept.append({made})\n" if how else f"{made}\n")
    return "".join(text)


class Oracle:
    """Keeps a copy of each buffer at each conversion, and what the program keeps."""

    def __init__(self, steps):
        self.stored, self.same = [False, False], [True, True]
        buffers, kept, last, self.calls = [[0.0], [1.0]], [], [None, None], [0, 0]
        for kind, which, how in steps:
            if kind == "write":
                buffers[which] = [float(how)]
            elif kind == "drop":
                kept.clear()
            else:
                self._look(kept, buffers)
                self.calls[which] += 1
                self.same[which] &= last[which] in (None, buffers[which])
                last[which] = buffers[which]
                if how:
                    kept.append((which, buffers[which]))
        # what was made of the same bytes, and written after all, may have been made to watch them
        kept = [one for one in kept if len({value[0] for of, value in kept if of == one[0]}) > 1]
        self._look(kept, buffers)
        self.kept = [[value != buffers[which] for of, value in kept if of == which] for which in (0, 1)]

    def _look(self, kept, buffers):
        for which in (0, 1):
            values = [value for of, value in kept if of == which]
            self.stored[which] |= len(values) >= 2 and any(value != buffers[which] for value in values)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.tuples(*[st.sampled_from(list(CONVERSIONS))] * 2), steps=st.lists(STEP, min_size=2, max_size=24))
def test_nothing_is_said_that_is_not_so(tmp_path, lines, steps):
    text, oracle = _program(lines, steps), Oracle(steps)
    path = str(tmp_path / f"program{abs(hash(text))}.py")
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    scope = {"__name__": "program"}
    with tb.trace() as trace:
        exec(compile(text, path, "exec"), scope)
    found = {(finding.code, site.line) for finding in trace.findings for site in trace.sites if site.id == finding.site}
    for which, line in enumerate(lines):
        at = 5 + 2 * which
        assert f"return {line}" in linecache.getline(path, at)
        mine = {code for code, place in found if place == at}
        shared = CONVERSIONS[line]
        if "buffer-stored-twice" in mine:
            assert shared
            assert oracle.stored[which]
        if shared and len(oracle.kept[which]) >= 2 and any(oracle.kept[which]):
            assert "buffer-stored-twice" in mine
        if mine & {"loop-invariant", "repeated-copy"}:
            assert oracle.same[which]


STORED = {
    "a list of views": "for k in range(6):\n    b[:] = k\n    kept.append(torch.from_numpy(b)[None].squeeze(0))",
    "a dict": "kept = {}\nfor k in range(6):\n    b += 1\n    kept[k] = torch.as_tensor(b).view(-1).contiguous()",
    "a tuple among others": "for k in range(6):\n    b[k % 4] = k + 9\n    kept.append((k, torch.asarray(b).cpu()))",
    "through DLPack": "for k in range(6):\n    b += 1\n    kept.append(torch.from_dlpack(b).float())",
    "a row": (
        "m = np.zeros((3, 4), np.float32)\nfor k in range(6):\n    m[1] += 1\n    kept.append(torch.from_numpy(m[1]))"
    ),
    "bytes": (
        "v = bytearray(8)\nfor k in range(6):\n    v[0] = k\n    kept.append(torch.from_numpy(np.frombuffer(v, 'u1')))"
    ),
    "a bytearray": (
        "v = bytearray(8)\nfor k in range(6):\n    v[0] = k\n    kept.append(torch.frombuffer(v, dtype=torch.uint8))"
    ),
    "an array.array": (
        "import array\nv = array.array('f', [0] * 4)\nfor k in range(6):\n    v[0] = k\n"
        "    kept.append(torch.frombuffer(v, dtype=torch.float32))"
    ),
    "a memoryview": ("v = bytearray(8)\nfor k in range(6):\n    v[0] = k\n    kept.append(np.asarray(memoryview(v)))"),
    "an array of bytes": (
        "import array\nv = array.array('d', [0] * 4)\nfor k in range(6):\n    v[0] = k\n"
        "    kept.append(np.frombuffer(v, dtype=float))"
    ),
    "a map": (
        "import mmap\nv = mmap.mmap(-1, 64)\nfor k in range(6):\n    v[0] = k\n"
        "    kept.append(torch.frombuffer(v, dtype=torch.uint8)[:3])"
    ),
    "an array of a tensor": (
        "t = torch.zeros(4)\nfor k in range(6):\n    t += 1\n    kept.append(np.asarray(t.numpy()))"
    ),
    "the array itself": "for k in range(6):\n    b += 1\n    kept.append(np.asarray(b))",
    "a view of a tensor": "t = torch.zeros(4)\nfor k in range(6):\n    t += 1\n    kept.append(t.reshape(2, 2))",
    "a no-op of a tensor": "t = torch.zeros(4)\nfor k in range(6):\n    t += 1\n    kept.append(t.float())",
    "a no-op of a view": "t = torch.zeros(4)\nfor k in range(6):\n    t += 1\n    kept.append(t.detach().cpu())",
    "a view of a no-op": "t = torch.zeros(4)\nfor k in range(6):\n    t += 1\n    kept.append(t.detach().cpu()[None])",
    "the weights of a module": (
        "n = torch.nn.Linear(3, 2)\nt = n.weight.data\nfor k in range(6):\n    t += 1\n"
        "    kept.append([p.detach().cpu() for p in n.parameters()])"
    ),
    "a function in a dict": (
        "made = {'f': torch.from_numpy}\nfor k in range(6):\n    b += 1\n    kept.append(made['f'](b))"
    ),
    "a function in an attribute": (
        "class Made:\n    f = staticmethod(torch.as_tensor)\nfor k in range(6):\n    b += 1\n    kept.append(Made.f(b))"
    ),
    "a method of that name": (
        "import operator\nf, t = operator.methodcaller('numpy'), torch.zeros(4)\n"
        "for k in range(6):\n    t += 1\n    kept.append(f(t.detach()))"
    ),
    "a library's": (
        "from torch.utils.data import default_convert\nfor k in range(6):\n    b += 1\n"
        "    kept.append(default_convert(b))"
    ),
    "what a pointer points to": (
        "import ctypes\nv = (ctypes.c_float * 4)()\np = ctypes.cast(v, ctypes.POINTER(ctypes.c_float))\n"
        "def c(): return np.ctypeslib.as_array(p, (4,))\nfor k in range(6):\n    v[0] = k\n"
        "    kept.append(torch.from_numpy(c()))"
    ),
    "a field of a structure": (
        "import ctypes\nclass Frame(ctypes.Structure): _fields_ = [('at', ctypes.c_long), ('of', ctypes.c_float * 4)]\n"
        "v = Frame()\ndef c(): return np.ctypeslib.as_array(v.of)\nfor k in range(6):\n    v.of[0] = k\n"
        "    kept.append(torch.from_numpy(c()))"
    ),
    "another object for each frame": (
        "class Frame:\n    def __init__(self): self.__array_interface__ = b.__array_interface__\n"
        "def c(): return np.asarray(Frame())\nfor k in range(6):\n    b += 1\n"
        "    kept.append(torch.from_numpy(c()))"
    ),
    "another capsule for each frame": (
        "class Frame:\n    def __dlpack__(self, **options): return b.__dlpack__()\n"
        "    def __dlpack_device__(self): return b.__dlpack_device__()\n"
        "def c(): return np.from_dlpack(Frame())\nfor k in range(6):\n    b += 1\n"
        "    kept.append(torch.from_numpy(c()))"
    ),
    "windows of it": (
        "def w(x): return np.lib.stride_tricks.sliding_window_view(x, 2, writeable=True)[1:]\n"
        "for k in range(6):\n    b += 1\n    kept.append(torch.from_numpy(w(b)))"
    ),
    "in a function": (
        "def fill():\n    c, kept = np.zeros(4), []\n    for k in range(6):\n        c += 1\n"
        "        kept.append(torch.from_numpy(c))\n    return len(kept)\nfill()"
    ),
}


@pytest.mark.parametrize("what", STORED)
def test_a_buffer_is_stored_twice_in_other_words(tmp_path, what):
    text = START + f"b, kept = np.zeros(4, np.float32), []\n{STORED[what]}\n"
    assert "buffer-stored-twice" in _codes(tmp_path, text)
    safe = text.replace("(b)", "(b.copy())").replace("(c)", "(c.copy())").replace("(m[1])", "(m[1].copy())")
    safe = safe.replace("(v, 'u1')", "(bytes(v), 'u1').copy()").replace("t.numpy()", "t.clone().numpy()")
    safe = safe.replace("(v, dtype", "(bytearray(v), dtype").replace("memoryview(v)", "memoryview(bytes(v))")
    safe = safe.replace("t.reshape", "t.clone().reshape").replace("t.float()", "t.clone().float()")
    safe = safe.replace("t.detach()", "t.clone()").replace("p.detach()", "p.clone()").replace("(c())", "(c().copy())")
    assert "buffer-stored-twice" not in _codes(tmp_path, safe)


@pytest.mark.parametrize("buffers", [1, 2, 3])
def test_overwritten_results_are_counted_in_all_buffers(tmp_path, buffers):
    text = START + (
        f"ring, kept = [np.zeros(4) for _ in range({buffers})], []\n"
        f"for k in range(12):\n    b = ring[k % {buffers}]\n    b.fill(k)\n    kept.append(torch.from_numpy(b))\n"
        "print(sum(int(t[0]) != k for k, t in enumerate(kept)))\n"
    )
    trace, output = recorded_and_printed(tmp_path, text)
    (finding,) = trace["findings"]
    assert f"at least {int(output)} of them" in finding["detail"]


SIDE_BY_SIDE = {
    "kept.append((torch.from_numpy(a), torch.as_tensor(b), torch.from_numpy(b)))": 3,
    "kept.append({'a': torch.from_numpy(a), 'b': torch.from_numpy(b).detach().cpu()})": 2,
    "kept.append(torch.from_numpy(a)); kept.append(torch.from_numpy(b).float().view(4))": 2,
    "kept.append([torch.from_numpy(x) for x in (a, b)])": 1,
    "kept.append(torch.from_numpy(a).detach().cpu())": 1,
}


@pytest.mark.parametrize("line", SIDE_BY_SIDE)
def test_each_of_the_buffers_that_a_line_stores_is_told(tmp_path, line):
    text = START + "a, b, kept = np.zeros(4, 'f4'), np.zeros(4, 'f4'), []\n"
    found = recorded(tmp_path, text + f"for k in range(6):\n    a += 1; b += 2\n    {line}\n")["findings"]
    assert [one["code"] for one in found] == ["buffer-stored-twice"] * SIDE_BY_SIDE[line]
    assert {one["site"].rpartition(" ")[2] for one in found} <= {"torch.from_numpy", "torch.as_tensor"}


@pytest.mark.parametrize(
    ("made", "line"),
    [
        ("bytearray(8)", "kept.append(torch.frombuffer(v, dtype=torch.uint8).clone())"),
        ("array.array('B', range(8))", "kept.append(torch.frombuffer(v, dtype=torch.uint8).clone())"),
        ("memoryview(bytearray(8))", "kept.append(torch.frombuffer(bytearray(v), dtype=torch.uint8))"),
    ],
)
def test_the_line_for_a_buffer_that_is_stored_twice(tmp_path, made, line):
    loop = "for k in range(6):\n    v[0] = k\n    kept.append(torch.frombuffer(v, dtype=torch.uint8))\n"
    text = START + f"import array\nv, kept = {made}, []\n{loop}print([int(t[0]) for t in kept])\n"
    assert bare(tmp_path, script(tmp_path, text)).stdout == "[5, 5, 5, 5, 5, 5]\n"
    assert under(tmp_path, "program.py").returncode == 0
    (finding,) = record(tmp_path)["findings"]
    assert (finding["code"], finding["remedy"]) == ("buffer-stored-twice", line)
    changed = text.replace("kept.append(torch.frombuffer(v, dtype=torch.uint8))", line)
    assert bare(tmp_path, script(tmp_path, changed)).stdout == "[0, 1, 2, 3, 4, 5]\n"


def _codes(folder, text):
    path = str(folder / f"program{abs(hash(text))}.py")
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    with tb.trace() as trace:
        exec(compile(text, path, "exec"), {"__name__": "program"})
    return {finding.code for finding in trace.findings}


NOT_STORED = {
    "another object with memory of its own for each frame": (
        "class Frame:\n    def __init__(self):\n        self.a = b.copy()\n"
        "        self.__array_interface__ = self.a.__array_interface__\nfor k in range(20):\n    b += 1\n"
        "    t = torch.from_numpy(np.asarray(Frame()))\n    t.zero_()\n    if k % 2:\n        kept.append(t)"
    ),
    "rows of one array": (
        "m = np.zeros((6, 4), np.float32)\nfor k in range(6):\n    m[k] = k\n    kept.append(torch.from_numpy(m[k]))"
    ),
    "a new buffer each time": (
        "for k in range(6):\n    v = bytearray([k] * 8)\n    kept.append(torch.frombuffer(v, dtype=torch.uint8))"
    ),
    "parts of one buffer": (
        "v = bytearray(48)\nfor k in range(6):\n    v[8 * k] = 1\n"
        "    kept.append(torch.frombuffer(v, dtype=torch.uint8, count=8, offset=8 * k))"
    ),
    "a new array each time": "for k in range(6):\n    b = np.full(4, k)\n    kept.append(torch.from_numpy(b))",
    "nothing is written": "for k in range(20):\n    kept.append(torch.from_numpy(b))",
    "the last is kept": "for k in range(6):\n    b += 1\n    t = torch.from_numpy(b)",
    "written before all": "b += 1\nfor k in range(6):\n    kept.append(torch.from_numpy(b).float())",
    "written after all": "for k in range(6):\n    kept.append(torch.from_numpy(b))\nb += 1",
    "rows, written after all": (
        "m = np.ones((6, 4), np.float32).cumsum(0)\nfor k in range(6):\n    kept.append(torch.from_numpy(m[k]))\nm += 1"
    ),
    "all rows, while each is kept": (
        "t = torch.zeros(6, 4)\nfor k in range(6):\n    kept.append(t[k])\n    t[k] = k\n    t.reshape(-1).sum()"
    ),
    "all rows as they are, while each is kept": (
        "t = torch.zeros(6, 4)\nfor k in range(6):\n    kept.append(t[k])\n    t[k] = k\n    t.detach().cpu().sum()"
    ),
    "views that are kept, each looked at": (
        "t = torch.zeros(4)\nkept = [t.detach() for _ in range(3)]\nfor k in range(6):\n    t += 1\n"
        "    for v in kept:\n        v.cpu().sum()"
    ),
    "a name, and another for what is made of it": (
        "t = torch.zeros(4)\nfor k in range(9):\n    t += k\n    x = t.reshape(2, 2)\n    y = x.detach()\n    y.sum()"
    ),
    "a name, and an array of it": (
        "t = torch.zeros(6, 4)\nfor k in range(9):\n    t[0] += k\n    x = t.reshape(-1)\n    y = x.cpu().numpy()\n"
        "    kept.append(t[k % 6])"
    ),
    "the tensor itself, and other names of it": (
        "t = torch.zeros(4)\nfor k in range(9):\n    t += k\n    x = t.float()\n    y = z = x.cpu()\n    z.sum()"
    ),
    "a tensor, written after all": (
        "t = torch.zeros(4)\nfor k in range(6):\n    kept.append(t.numpy())\nt += 1\nkept[0][1] = 3"
    ),
    "a cycle that is garbage": (OF_ITSELF + "for k in range(9):\n    b += 1\n    step = Step(torch.from_numpy(b))"),
    "arrays in a cycle that is garbage": (
        OF_ITSELF + "w = torch.zeros(4)\nfor k in range(9):\n    w += 1\n    step = Step(w.numpy())"
    ),
    "a function that calls itself": (
        "def use(t):\n    def walk(i):\n        return float(t[i]) + (walk(i - 1) if i else 0)\n    return walk(3)\n"
        "for k in range(9):\n    b += 1\n    use(torch.from_numpy(b))"
    ),
    "an error that is kept": (
        "def use(t):\n    try:\n        t[9]\n    except IndexError as e:\n        error = e\n"
        "for k in range(9):\n    b += 1\n    use(torch.from_numpy(b))"
    ),
    "errors that are kept with their tracebacks": (
        "def use(t):\n    raise ValueError(float(t[0]))\n"
        "for k in range(9):\n    b += 1\n    try:\n        use(torch.from_numpy(b))\n"
        "    except ValueError as e:\n        kept.append(e)"
    ),
    "an attribute of each object, used at once": (
        "class Policy:\n    def act(self, o):\n        self.obs = torch.from_numpy(o)\n        return self.obs.sum()\n"
        "policies = [Policy(), Policy(), Policy()]\nfor k in range(9):\n    b += 1\n    policies[k % 3].act(b)"
    ),
}


@pytest.mark.parametrize("what", NOT_STORED)
def test_what_is_not_stored_twice(tmp_path, what):
    text = START + f"b, kept = np.zeros(4, np.float32), []\n{NOT_STORED[what]}\n"
    assert "buffer-stored-twice" not in _codes(tmp_path, text)


def test_all_objects_of_a_program_are_looked_through_a_few_times(tmp_path, monkeypatch):
    times, objects = [], gc.get_objects
    monkeypatch.setattr(gc, "get_objects", lambda: times.append(1) or objects())
    text = "t = torch.zeros(99, 4)\nfor k in range(99):\n    kept.append(t[k])\n    t[k] = k\n    t.reshape(-1).sum()\n"
    _codes(tmp_path, f"{START}kept = []\n{text}")
    assert 1 <= len(times) <= 4


def test_so_many_objects_are_looked_through_for_who_holds_a_result(tmp_path, monkeypatch):
    searches = []
    monkeypatch.setattr(history, "garbage", lambda objects: searches.append(1) or {id(one) for one in objects})
    monkeypatch.setattr(history, "OBJECTS", 3 * len(gc.get_objects()))
    # each line gives a result to an object that refers to itself, and finds that of the line before it overwritten
    calls = "".join("    b += 1\n    Step(torch.from_numpy(b))\n" for _ in range(9))
    recorded(tmp_path, f"{START}{OF_ITSELF}b = np.zeros(4, np.float32)\nfor k in range(3):\n{calls}")
    assert len(searches) in (2, 3)  # the test has some objects of its own


COPIED = {
    # each with whether a remedy is printed: it must not change what a right program computes
    "picked rows": ("for k in range(9):\n    t = torch.tensor(m[[k, k + 1]])\n    s += float(t.sum())", True),
    "an expression": ("for k in range(9):\n    t = torch.tensor(m[k] * 2)\n    t += 1\n    s += float(t.sum())", True),
    "a name of its own": (
        "for k in range(9):\n    x = np.full(4, float(k))\n    t = torch.tensor(x)\n    s += float(t.sum())",
        True,
    ),
    "a name in a function": (
        "def load(k):\n    x = np.full(4, float(k))\n    x[0] = 3\n    return torch.tensor(x)\n"
        "for k in range(9):\n    s += float(load(k).sum())",
        True,
    ),
    "a name that is written afterwards": (
        "for k in range(9):\n    x = np.full(4, float(k))\n    t = torch.tensor(x)\n"
        "    x += 1\n    s += float(t.sum())",
        False,
    ),
    "a buffer of a pool": (
        "pool = [np.zeros(4)]\nfor k in range(9):\n    x = pool.pop()\n    x[:] = k\n    t = torch.tensor(x)\n"
        "    pool.append(x)\n    kept.append(t)\ns = float(sum(t.sum() for t in kept))",
        False,
    ),
    "a source that is written at the end": ("t = torch.tensor(m)\nm += 1\ns = float(t.sum())", False),
    "a result that is written and gone": (
        "def plus(a):\n    h = torch.tensor(a)\n    h += 1\n    return float(h.sum())\n"
        "for k in range(9):\n    s += plus(m)",
        False,
    ),
    "a name that is used in the next pass": (
        "x = np.zeros(4)\nfor k in range(9):\n    s += float(x.sum())\n    x = np.full(4, float(k))\n"
        "    t = torch.tensor(x)\n    t += 100",
        False,
    ),
    "a name that is made of itself": (
        "x = np.zeros(4)\nfor k in range(9):\n    x = x + k\n    t = torch.tensor(x)\n    t += 100\ns = float(t.sum())",
        False,
    ),
    "a name that another pass of an outer loop uses": (
        "x = np.zeros(4)\nfor j in range(3):\n    s += float(x.sum())\n    for k in range(9):\n"
        "        x = np.full(4, float(k))\n        t = torch.tensor(x)\n        t += 100",
        False,
    ),
    "a name that is read without being named": (
        "for k in range(9):\n    x = np.full(4, float(k))\n    t = torch.tensor(x)\n    t += 100\n"
        "    s += float(eval('x').sum())",
        False,
    ),
    "a name of a function that is used before": (
        "def load(k):\n    x = np.zeros(4)\n    x += 1\n    x = x * k\n    return torch.tensor(x)\n"
        "for k in range(9):\n    s += float(load(k).sum())",
        True,
    ),
    "a result that is written through its data and gone": (
        "def plus(a):\n    h = torch.tensor(a)\n    h.data += 1\n    return float(h.sum())\n"
        "for k in range(9):\n    s += plus(m)",
        False,
    ),
    "a result that is written through an array and gone": (
        "def plus(a):\n    h = torch.tensor(a)\n    view = h.numpy()\n    view[1:] += 1\n    return float(h.sum())\n"
        "for k in range(9):\n    s += plus(m)",
        False,
    ),
    "a result that is written by a function of numpy and gone": (
        "def plus(a):\n    h = torch.tensor(a)\n    np.add(a, 1, out=h.numpy())\n    return float(h.sum())\n"
        "for k in range(9):\n    s += plus(m)",
        False,
    ),
    "a result whose copy is written": (
        "def plus():\n    h = torch.tensor(m)\n    c = h.numpy().copy()\n    c += 1\n    return float(c.sum())\n"
        "for k in range(9):\n    s += plus()",
        True,
    ),
    "a buffer that is put back": (
        "b = np.zeros(4)\nfor k in range(9):\n    b[:] = 0\n    t = torch.tensor(b)\n    b[:] = k\n"
        "    s += float(t.sum())\nb[:] = 0",
        False,
    ),
    "a buffer of an object that is put back": (
        "class Env:\n    b = np.zeros(4)\n    def step(self, k):\n        np.copyto(self.b, k)\n"
        "env = Env()\nfor k in range(9):\n    t = torch.tensor(env.b)\n    env.step(k)\n    s += float(t.sum())\n"
        "    env.step(0)",
        False,
    ),
    "a buffer that a function puts back": (
        "def step(k, into):\n    into[:] = k\n"
        "b = np.zeros(4)\nfor k in range(9):\n    t = torch.tensor(b)\n    step(k, b)\n    s += float(t.sum())\n"
        "    step(0, into=b)",
        False,
    ),
    "memory of several processes": (
        "from multiprocessing import shared_memory\nh = shared_memory.SharedMemory(create=True, size=32)\n"
        "b = np.ndarray(4, buffer=h.buf)\nb[:] = 1\nfor k in range(9):\n    t = torch.tensor(b)\n"
        "    s += float(t.sum())\ndel b\nh.close()\nh.unlink()",
        False,
    ),
    "a buffer that is filled before": (
        "b = np.zeros(4)\nb[:] = 3\nfor k in range(9):\n    t = torch.tensor(b)\n    s += float(t.sum())",
        True,
    ),
    "results that are kept, some written at last": (
        "b = np.ones(4)\nfor k in range(9):\n    kept.append(torch.tensor(b))\nfor t in kept[:-1]:\n    t += 1\n"
        "s = float(sum(t.sum() for t in kept))",
        False,
    ),
    "what two lines convert": (
        "for k in range(9):\n    x = np.full(4, float(k))\n    t = torch.tensor(x)\n    t += 1\n"
        "    s += float(t.sum() + torch.as_tensor(x).sum())",
        False,
    ),
    "lists and arrays": (
        "def load(x):\n    return torch.tensor(x)\nfor k in range(9):\n    s += float(load(m[[k]]).sum())\n"
        "    s += float(load([1.0, k]).sum() + load(k))",
        False,
    ),
    "two buffers in turn": (
        "p, q = np.zeros(4), np.zeros(4)\nfor k in range(9):\n    p, q = q, p\n"
        "    p[:] = k\n    kept.append(torch.tensor(p))\n"
        "s = float(sum(t.sum() for t in kept))",
        False,
    ),
}


@pytest.mark.parametrize("what", COPIED)
def test_a_remedy_changes_nothing_that_a_right_program_computes(tmp_path, what):
    text, expected = COPIED[what]
    text = START + f"m = np.arange(48.0).reshape(12, 4)\nkept, s = [], 0.0\n{text}\nprint(s)\n"
    alone = bare(tmp_path, script(tmp_path, text))
    found, output = recorded_and_printed(tmp_path, text, remedies=True)
    assert alone.stdout == output
    remedies = [finding for finding in found["findings"] if finding["code"] == "avoidable-copy" and finding["remedy"]]
    assert bool(remedies) == expected
    if not remedies:
        return
    for finding in remedies:
        old = next(site["source_line"] for site in found["sites"] if site["id"] == finding["site"])
        text = text.replace(old.strip(), finding["remedy"])
    assert bare(tmp_path, script(tmp_path, text)).stdout == alone.stdout


def test_a_remedy_for_a_loop_says_what_was_equal(tmp_path):
    text = START + "a = np.arange(12.0)\nfor i in range(20):\n    t = torch.tensor(a, dtype=torch.float32)\n"
    assert under(tmp_path, script(tmp_path, text)).returncode == 0
    (finding,) = record(tmp_path)["findings"]
    assert finding["detail"] == "all 96 bytes of the source were equal in 16 of 16 inspections of 20 calls"


def test_of_what_is_too_large_to_read_nothing_is_called_unchanged(tmp_path):
    text = (
        START + "a = np.zeros(3_000_000)\nfor i in range(20):\n    t = torch.tensor(a, dtype=torch.float32)\n    {}\n"
    )
    assert "repeated-copy" not in _codes(tmp_path, text.format("a[1_234_567] += 1"))
    assert "repeated-copy" not in _codes(tmp_path, text.format("pass"))


def test_what_torch_counts_is_counted_after_the_tensor_is_gone():
    from tensorbridge_cli.tracing.inside.evidence import StorageRef, writes

    tensor = torch.from_numpy(np.zeros(3, np.float32))
    storage, counted = StorageRef(torch, tensor.untyped_storage()), writes(torch, tensor)
    version = tensor._version
    assert (storage.alive, counted.count, version) == (True, 0, 0)
    tensor[1:].add_(1)
    tensor.mul_(2)
    view = tensor[1:]
    del tensor
    assert storage.alive, "a view holds it"
    del view
    assert (storage.alive, counted.count) == (False, 2)


WRITTEN = {
    "rows that are scaled": (
        "m = np.ones((4, 3))\ndef row(k):\n    x = torch.from_numpy(m[k])\n    x /= 2\n    return x\n"
        "for k in (0, 1, 0, 1):\n    row(k)",
        True,
    ),
    "rows that are scaled by a method": (
        "m = np.ones((4, 3))\ndef row(k):\n    x = torch.from_numpy(m[k])\n    return x.div_(2)\n"
        "for k in (0, 1, 0, 1):\n    row(k)",
        True,
    ),
    "a buffer that is filled again": (
        "m = np.zeros(3)\nfor k in range(6):\n    m[:] = k\n    t = torch.from_numpy(m)\n    n = t.mul_(2).sum()",
        False,
    ),
    "two buffers that are filled in turn": (
        "m = np.zeros((2, 3))\nfor k in range(6):\n    m[k % 2] = k + 20\n    t = torch.from_numpy(m[k % 2])\n"
        "    n = t.mul_(2).sum()",
        False,
    ),
    "rows that a function in an attribute converts": (
        "m = np.ones((4, 3))\nclass Made:\n    f = staticmethod(torch.from_numpy)\n"
        "def row(k):\n    x = Made.f(m[k])\n    x /= 2\n    return x\nfor k in (0, 1, 0, 1):\n    row(k)",
        True,
    ),
    "a sum": ("m = np.zeros(3)\nfor k in range(6):\n    torch.from_numpy(m).add_(k)", False),
    "a sum by a function in a dict": (
        "m, made = np.zeros(3), {'f': torch.from_numpy}\nfor k in range(6):\n    made['f'](m).add_(k)",
        False,
    ),
    "a sum with a name": (
        "m = np.zeros(3)\ndef add(k):\n    t = torch.from_numpy(m)\n    t += k\n    t[0] = 1\n    t.mul_(2)\n"
        "for k in range(6):\n    add(k)",
        False,
    ),
    "items of a result": ("m = np.zeros(3)\nfor k in range(6):\n    torch.from_numpy(m)[k % 3] = k", False),
    "weights that are trained": (
        "w = torch.nn.Linear(2, 2)\no = torch.optim.SGD(w.parameters(), lr=0.1)\nfor k in range(6):\n"
        "    w(torch.ones(1, 2)).sum().backward()\n    o.step()\n"
        "    n = sum(float(p.detach().reshape(-1).float().sum()) for p in w.parameters())",
        False,
    ),
    "a tensor that counts": (
        "t = torch.zeros(4)\nfor k in range(6):\n    t += 1\n    n = float(t.reshape(2, 2).sum() + t.float().sum())",
        False,
    ),
}


@pytest.mark.parametrize("what", WRITTEN)
def test_a_write_that_is_found_at_the_next_call(tmp_path, what):
    text, expected = WRITTEN[what]
    assert ("alias-written" in _codes(tmp_path, f"{START}{text}\n")) == expected
