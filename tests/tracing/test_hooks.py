"""A traced program is the program: what it prints, how it ends and what it sees are as without the tool."""

import signal
import subprocess
import sys

import pytest

from tensorbridge_cli.tracing.inside import counting
from tests.cli.tools import COMMAND, environment
from tests.tracing.tools import START, bare, bare_cold, calls, record, script, traced, traced_cold, under, under_cold

PROGRAMS = {
    "garbage is collected": (
        "import gc, numpy as np, torch\nseen = []\n"
        "gc.callbacks.append(lambda phase, info: seen.append(info['generation']))\n"
        "torch.from_numpy(np.ones(3))\nprint(max(seen, default=0), gc.isenabled())\n"
    ),
    "an attribute that a function lacks": START + "torch.Tensor.numpy.nothing",
    "prints": "import sys; print(sys.argv, __name__, __file__, sys.path[0]); print(input())",
    "when garbage is collected": "import gc; print(gc.get_threshold())",
    "modules": "import sys; print('sitecustomize' in sys.modules, __spec__, __builtins__.__name__)",
    "environment": "import os; print(sorted(k for k in os.environ if 'BRIDGE' in k or k == 'PYTHONPATH'))",
    "exits": "raise SystemExit(7)",
    "exits with a sentence": "raise SystemExit('no')",
    "raises": "def f():\n    raise ValueError('no')\nf()",
    "leaves": "import os; print('x', flush=True); os._exit(5)",
    "at exit": "import atexit; atexit.register(print, 'last'); raise KeyError(1)",
    "a conversion raises": START + "def f():\n    return torch.from_numpy(np.zeros(3)[::-1])\nf()",
    "its traceback is printed": START
    + "import traceback, threading\ndef f():\n    try:\n        list(map(torch.from_numpy, [np.zeros(3)[::-1]]))\n"
    + "    except ValueError:\n        traceback.print_exc()\nf()\nt = threading.Thread(target=f); t.start(); t.join()",
    "in a chain": START
    + "try:\n    torch.tensor([1], dtype=3)\nexcept TypeError as e:\n    raise ValueError('x') from e",
    "warns": START + "for i in range(3):\n    torch.from_numpy(np.frombuffer(b'12345678', np.uint8))",
    "warns of nothing": START
    + "import warnings\nclass A:\n    def __array__(self, dtype=None, copy=None):\n        warnings.warn('')\n"
    + "        return np.ones(3)\nnp.array(A())",
    "warns once a line": START
    + "import warnings\nwarnings.simplefilter('default')\nfor i in range(3):\n    np.array(np.array(1j), dtype=float)",
    "a warning is an error": START
    + "import warnings\nwarnings.simplefilter('error')\nnp.asarray(np.zeros(2, complex), dtype=float)",
    "ndarray.resize": START + "a = np.zeros(3); torch.tensor(a); np.asarray(a); a.resize(5); print(a)",
    "counts the references to a dtype": START
    + "import sys\nfor one in np.dtype('O,i'), np.dtype('f4,i'), np.dtype('i4'):\n    before = sys.getrefcount(one)\n"
    + "    np.asarray(np.ones(3, one)), np.array(np.ones(3, one))\n    print(sys.getrefcount(one) - before)",
    "has a dtype that is computed": START
    + "class A:\n    def __array__(self, dtype=None, copy=None):\n        return np.ones(3)\n"
    + "    def __getattr__(self, name):\n        print(name)\n        raise AttributeError\n"
    + "class B(A):\n    @property\n    def dtype(self):\n        print('asked')\n"
    + "class C(list):\n    dtype = B.dtype\n"
    + "for one in A(), B(), C([1]):\n    np.asarray(one), torch.tensor(np.asarray(one))",
    "counts the tensors that live": START
    + "import gc\nrows = [torch.from_numpy(np.arange(3.0)) for _ in range(9)]\nkept = [row.numpy() for row in rows]\n"
    + "print(sum(type(one) is torch.Tensor for one in gc.get_objects()))\ndel rows[3:], kept\n"
    + "print(sum(type(one) is torch.Tensor for one in gc.get_objects()))",
    "names": START + "print(torch.tensor.__name__, torch.from_numpy.__doc__[:20], torch.Tensor.numpy.__name__)",
    "pickled": START + "import pickle; print(pickle.loads(pickle.dumps(torch.utils.data.default_collate))([1, 2]))",
    "a subclass": START
    + "class T(torch.Tensor):\n    @classmethod\n    def __torch_function__(cls, f, types, args=(), kwargs=None):\n"
    + "        print(f.__name__); return super().__torch_function__(f, types, args, kwargs)\n"
    + "torch.ones(2).as_subclass(T).clone().numpy()",
    "a mode": START
    + "from torch.overrides import TorchFunctionMode\nclass M(TorchFunctionMode):\n"
    + "    def __torch_function__(self, f, types, args=(), kwargs=None):\n"
    + "        print(f.__name__); return f(*args, **(kwargs or {}))\n"
    + "with M():\n    torch.tensor([1.0]).clone()",
    "modes that are told of all": START
    + """
import copy
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
class M(TorchFunctionMode):
    def __torch_function__(self, f, types, args=(), kwargs=None):
        print('function', f.__name__); return f(*args, **(kwargs or {}))
class D(TorchDispatchMode):
    def __torch_dispatch__(self, f, types, args=(), kwargs=None):
        print('operator', f); return f(*args, **(kwargs or {}))
w, a = torch.nn.Parameter(torch.ones(4)), np.ones(4, 'f4')
b = torch.from_numpy(a)
def work():
    kept = []
    for i in range(5):
        with torch.no_grad():
            w.add_(1)
        a[:] = i
        kept += [w.detach().cpu(), torch.from_numpy(a), b[i % 3].reshape(-1)]
        torch.as_tensor(a), torch.tensor(a), b.numpy(), b.clone(), b.contiguous(), b.to(torch.float64)
        torch.stack([b, b]), torch.tensor([b[0], b[1]]), torch.utils.data.default_collate([a, a])
    copy.deepcopy({'a view': b[:2], 'weights': [w]})
with M():
    work()
with D():
    work()
""",
    "a user's own sitecustomize": "import sitecustomize; print(sitecustomize.mine)",
    "scripted": START
    + "@torch.jit.script\ndef f(x):\n    return torch.tensor([1.0]) + torch.as_tensor([2.0]) + x\n"
    + "print(f(torch.ones(1)))",
    "a subclass is asked for nothing": START
    + "import copy\nclass T(torch.Tensor):\n    @classmethod\n"
    + "    def __torch_function__(cls, f, types, args=(), kwargs=None):\n"
    + "        print(f.__name__); return super().__torch_function__(f, types, args, kwargs)\n"
    + "    def new_empty(self, *args, **kwargs):\n        return torch.empty(2).as_subclass(T)\n"
    + "t = torch.ones(2).as_subclass(T)\n"
    + "torch.from_dlpack(t), np.from_dlpack(t), np.array(t), t.share_memory_(), copy.deepcopy(t), t.float()\n",
    "a part of what is copied deeply is asked for nothing": START
    + "import copy\nclass A:\n    @property\n    def __class__(self):\n        print('asked'); return A\n"
    + "copy.deepcopy({'view': torch.ones(99)[:3], 'part': A()})",
    "a module that fails to be loaded again": START
    + "import importlib, pathlib, sys\nsys.path.insert(0, '')\npathlib.Path('twice.py').write_text('x = 1')\n"
    + "import twice\npathlib.Path('twice.py').write_text('x = 1 / 0  # now')\nimportlib.reload(twice)\n",
    "traced by fx": START + "print(torch.fx.symbolic_trace(lambda x: x.clone().to(torch.float64)).code)",
    "traced by jit": START
    + "def f(x):\n    y = x.float().reshape(-1).contiguous()\n    return y.clone() + torch.as_tensor(1.0)\n"
    + "print(torch.jit.trace(f, torch.ones(2, 3)).graph)\n"
    + "print(torch.jit.trace(torch.nn.Flatten(), torch.ones(1, 2)).graph)",
    "dispatched": START
    + "from torch.overrides import TorchFunctionMode\n"
    + "T, N = {torch.stack: 'a stack', torch.Tensor.clone: 'a clone'}, {np.copy: 'a copy'}\n"
    + "class A:\n    @classmethod\n    def __torch_function__(cls, f, types, args=(), kwargs=None):\n"
    + "        return T[f]\n    def __array_function__(self, f, types, args, kwargs):\n        return N[f]\n"
    + "class B(torch.Tensor):\n    __torch_function__ = A.__torch_function__\n"
    + "print(torch.stack([A()]), torch.ones(2).as_subclass(B).clone(), np.copy(A()))\n"
    + "class M(TorchFunctionMode):\n    def __torch_function__(self, f, types, args=(), kwargs=None):\n"
    + "        print(f == torch.tensor, f in {torch.tensor}); return f(*args, **(kwargs or {}))\n"
    + "with M():\n    torch.tensor([1.0])",
    "pickled functions": START
    + "import copy, multiprocessing, pickle\n"
    + "for f in (torch.from_numpy, torch.tensor, np.asarray, np.copy, torch.Tensor.to,\n"
    + "          torch.utils.data.default_collate, torch.from_dlpack, torch.Tensor.share_memory_):\n"
    + "    for protocol in range(2, 6):\n        assert pickle.loads(pickle.dumps(f, protocol)) == f\n"
    + "    assert copy.deepcopy(f) is f and copy.copy(f) is f\n"
    + "with multiprocessing.get_context('fork').Pool(1) as p:\n    print(p.map(torch.from_numpy, [np.ones(1)]))",
    "bound in a class": START
    + "import enum, functools, inspect\nclass A:\n    a, b, c = torch.from_numpy, np.asarray, np.copy\n"
    + "    d = functools.partial(torch.tensor)\nclass E(enum.Enum):\n    b = torch.tensor\n"
    + "print(A().a(np.ones(2)), A().b([1, 2]), A.c([1]), A().d([3]), len(E))\n"
    + "print(inspect.isbuiltin(torch.from_numpy), repr(torch.from_numpy)[:30], torch.tensor.__qualname__)\n"
    + "try:\n    inspect.signature(torch.tensor)\nexcept ValueError as e:\n    print(str(e)[:40])\n"
    + "print(inspect.signature(np.copy))",
    "shown by help": START
    + "import inspect, pydoc\n"
    + "for f in (torch.from_numpy, torch.Tensor.numpy, torch.Tensor.to, np.asarray, torch.stack, np.array):\n"
    + "    print(pydoc.plain(pydoc.render_doc(f)), type(f), f.__doc__, f.__name__, f.__qualname__)\n"
    + "    print(repr(f).partition(' at ')[0].partition(' of type')[0], getattr(f, '__objclass__', None))\n"
    + "    print(inspect.isbuiltin(f), inspect.isroutine(f), inspect.ismethoddescriptor(f), inspect.isfunction(f))\n"
    + "    print(inspect.getdoc(f), getattr(f, '__module__', '-'), hasattr(f, '__code__'), callable(f))\n"
    + "f = torch.from_dlpack\nprint(f.__annotations__, f.__module__, pydoc.plain(pydoc.render_doc(np.copy))[40:])\n",
    "overridable functions": START
    + "import functools, torch.overrides as o\nall_ = o.get_overridable_functions()\n"
    + "print(*(len(all_[k]) for k in all_), len(o.get_testing_overrides()), len(o.get_ignored_functions()))\n"
    + "print([o.resolve_name(f) for f in (torch.Tensor.clone, torch.stack, torch.Tensor.numpy)])\n"
    + "for bad in (lambda: torch.Tensor.numpy(3), lambda: torch.from_numpy(), lambda: torch.ones(2).clone(4, 5)):\n"
    + "    try:\n        bad()\n    except TypeError as e:\n        print(e)\n"
    + "@functools.wraps(torch.Tensor.numpy)\ndef g(x):\n    return 1\n"
    + "n = torch.Tensor.numpy\nprint(g.__name__, g.__doc__[:30], g.__wrapped__ == n, n is torch.Tensor.numpy)\n"
    + "t = torch.ones(2)\nm = t.numpy\nprint(m.__name__, m.__self__ is t, m(), m(force=True), t.clone() is t)\n"
    + "class S(torch.Tensor):\n    def numpy(self):\n        return super().numpy() * 2\n"
    + "print(t.as_subclass(S).numpy())\n",
    "objects that tell of their memory": START
    + "class A:\n    def __init__(self):\n        self.a = np.ones(3)\n    def __len__(self):\n        return 3\n"
    + "    def __getitem__(self, i):\n        return self.a[i]\n"
    + "class I(A):\n    @property\n    def __array_interface__(self):\n"
    + "        print('interface'); return self.a.__array_interface__\n"
    + "class D(A):\n    def __dlpack__(self, **options):\n        print('dlpack'); return self.a.__dlpack__()\n"
    + "    def __dlpack_device__(self):\n        return (1, 0)\n"
    + "class B(A):\n    def __buffer__(self, flags):\n        print('buffer'); return memoryview(self.a)\n"
    + "for x in (I(), D(), B()):\n    for f in (np.asarray, np.array, torch.as_tensor, torch.tensor):\n        f(x)\n"
    + "torch.from_dlpack(D()); np.from_dlpack(D()); torch.asarray(I())",
    "compiled": START
    + "from torch import from_numpy\nimport torch._dynamo.utils as u\n"
    + "def f(x):\n    return x.clone() + torch.tensor(1.0) + from_numpy(np.ones(2, 'float32')).contiguous()\n"
    + "g = torch.compile(f, backend='eager', fullgraph=True)\nfor i in range(4):\n    print(g(torch.ones(2)))\n"
    + "print(u.counters['stats'], u.counters['frames'])",
}


NEEDS_THE_COMPILED_PART = {
    "which function is asked for": START
    + "from torch.overrides import TorchFunctionMode, get_overridable_functions, resolve_name\n"
    + "H = {}\ndef implements(f):\n    return lambda g: H.setdefault(f, g)\n"
    + "class A:\n    def __array_function__(self, func, types, args, kwargs):\n"
    + "        print(func is np.copy, func is np.concatenate)\n        return H[func](*args, **kwargs)\n"
    + "implements(np.copy)(lambda a: 'a copy'), implements(np.concatenate)(lambda a: 'all')\n"
    + "print(np.copy(A()), np.concatenate([A()]))\n"
    + "class M(TorchFunctionMode):\n    def __torch_function__(self, f, types, args=(), kwargs=None):\n"
    + "        names = [n for n in ('stack', 'tensor', 'as_tensor', 'asarray') if f is getattr(torch, n)]\n"
    + "        print(names, f is torch.Tensor.numpy, f is torch.Tensor.clone, resolve_name(f))\n"
    + "        return f(*args, **(kwargs or {}))\n"
    + "with M():\n    t = torch.stack([torch.tensor([1.0]), torch.as_tensor([2.0]), torch.asarray([3.0])])\n"
    + "    t.numpy(), t.clone(), torch.add(t, 1)\n"
    + "for f in (torch.stack, torch.tensor):\n    print(any(f is g for g in get_overridable_functions()[torch]))\n",
    "who called": START
    + "import inspect, torch.utils.data\ndef show():\n"
    + "    names = [(f.function, f.lineno) for f in inspect.stack(0)[1:]]\n"
    + "    print(names[: [name for name, _ in names].index('<module>')])\n"
    + "class A:\n    def __array__(self, dtype=None, copy=None):\n        show(); return np.ones(2)\n"
    + "class D:\n    def __dlpack__(self, **k):\n        show(); return torch.ones(2).__dlpack__()\n"
    + "    def __dlpack_device__(self):\n        return (1, 0)\n"
    + "class S(torch.Tensor):\n    @classmethod\n"
    + "    def __torch_function__(cls, f, types, args=(), kwargs=None):\n"
    + "        show(); return super().__torch_function__(f, types, args, kwargs)\n"
    + "np.asarray(A()), np.copy(A()), torch.from_dlpack(D())\n"
    + "x = torch.ones(2).as_subclass(S)\nx.numpy(), np.asarray(x), torch.stack([x])\n"
    + "torch.utils.data.default_collate([x])\n",
    "asked for their source": START
    + "import inspect, pickle, torch.utils.data\n"
    + "for f in (torch.utils.data.default_collate, torch.from_dlpack, torch.Tensor.__array__):\n"
    + "    print(inspect.getfile(f), inspect.getsource(f)[:99], inspect.signature(f), inspect.isfunction(f))\n"
    + "    print(pickle.dumps(f), f.__annotations__, getattr(f, '__wrapped__', None), sorted(dir(f)))\n"
    + "for f in (torch.from_numpy, torch.stack, np.asarray, np.copy, torch.Tensor.numpy, torch.Tensor.tolist):\n"
    + "    print(pickle.dumps(f), f.__reduce_ex__(4), hasattr(f, '__wrapped__'), sorted(dir(f)))\n",
    "called with too much": START
    + "for f in (torch.ones(1).tolist, torch.Tensor.tolist, torch.Tensor.numpy, np.copy, np.asarray, torch.stack):\n"
    + "    for arguments in ((), (1, 2, 3, 4, 5, 6, 7), (None,)):\n"
    + "        try:\n            print(f(*arguments))\n        except TypeError as error:\n            print(error)\n",
    "profiled": START
    + "import sys, cProfile, pstats\nseen = []\n"
    + "def work():\n    t = torch.from_numpy(np.ones(3))\n    m = t.numpy\n    m(), np.asarray(t), np.copy(t.numpy())\n"
    + "    t.clone(), torch.tensor([1.0]), torch.stack([t]), np.array([1])\n"
    + "for watch in (sys.setprofile, sys.settrace):\n    def watched(frame, event, argument):\n"
    + "        seen.append((frame.f_code.co_name, event, frame.f_lineno)); return watched\n"
    + "    watch(watched); work(); watch(None)\nprint(seen)\n"
    + "p = cProfile.Profile(); p.enable(); work(); p.disable()\n"
    + "print(sorted((f[2], n[0]) for f, n in pstats.Stats(p).stats.items()))\n",
}
"""As without only where calls are counted in C: in Python stand-ins are other objects, and their calls have frames."""

COLD = {name for name, text in PROGRAMS.items() if not text.startswith(START)} | {"a conversion raises"}
"""Run in processes that Python starts: what these show is how a program begins, imports and ends."""


@pytest.mark.parametrize("name", NEEDS_THE_COMPILED_PART)
@pytest.mark.skipif(not counting.is_compiled(), reason="the compiled part was not built")
def test_a_program_that_looks_closely_is_as_without(tmp_path, name):
    program = script(tmp_path, NEEDS_THE_COMPILED_PART[name])
    alone, done = bare(tmp_path, program), under(tmp_path, program)
    assert (done.stdout, done.stderr, done.returncode) == (alone.stdout, alone.stderr, 0)
    assert record(tmp_path)["environment"]["recorder"] == "compiled"


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_as_without(tmp_path, name):
    by_itself, with_the_tool = (bare_cold, under_cold) if name in COLD else (bare, under)
    env = {"PYTHONWARNINGS": "ignore::DeprecationWarning"} if name == "scripted" else {}
    if "sitecustomize" in name:
        (tmp_path / "own").mkdir()
        script(tmp_path / "own", "mine = 3", "sitecustomize.py")
        env["PYTHONPATH"] = str(tmp_path / "own")
    program = script(tmp_path, PROGRAMS[name])
    alone, done = (run(tmp_path, program, "--lr", "x", **env) for run in (by_itself, with_the_tool))
    assert (done.stdout, done.stderr, done.returncode) == (alone.stdout, alone.stderr, alone.returncode)
    assert record(tmp_path)["exit_code"] == alone.returncode


@pytest.mark.parametrize("compiled", ["", "0"])
def test_a_program_that_counts_its_lines(tmp_path, compiled):
    text = "import numpy as np, subprocess, sys\nnp.array(np.ones(2))\nsubprocess.run([sys.executable, '-c', ''])\n"
    count = ("-m", "trace", "--count", "--missing", "--coverdir", "cover", script(tmp_path, text))
    done = under_cold(tmp_path, *count, TENSORBRIDGE_COMPILED=compiled)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    counted = (tmp_path / "cover" / "program.cover").read_text()
    assert counted == "".join(f"    1: {line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    "arguments", [["-c", "import sys; print(sys.argv, sys.path[0])", "-x"], ["-m", "pack.age", "-m"]]
)
def test_a_module_and_a_line_of_code(tmp_path, arguments):
    (tmp_path / "pack").mkdir()
    script(tmp_path / "pack", "", "__init__.py")
    script(tmp_path / "pack", "import sys; print(sys.argv, __package__, __name__)", "age.py")
    alone, done = bare(tmp_path, *arguments), under(tmp_path, *arguments)
    assert (done.stdout, done.stderr, done.returncode) == (alone.stdout, alone.stderr, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_program_and_the_report_still_comes(tmp_path, number):
    text = START + "torch.tensor(np.zeros(2))\nprint('ready', flush=True)\nimport time\ntime.sleep(100)"
    command = [*COMMAND, "trace", "--no-remedies", "-o", "trace.json", script(tmp_path, text)]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as ran:
        assert ran.stdout.readline() == b"ready\n"
        ran.send_signal(number)
        _, errors = ran.communicate(timeout=60)
    assert ran.returncode == -number
    assert record(tmp_path)["exit_code"] == -number
    assert (b"KeyboardInterrupt" in errors) == (number == signal.SIGINT)
    if number == signal.SIGINT:
        assert calls(record(tmp_path)) == {(2, "torch.tensor"): 1}


def test_every_import_of_a_name_is_seen(tmp_path):
    found = traced_cold(
        tmp_path,
        "import numpy\nfrom torch import from_numpy as f\nfrom torch import Tensor\nimport torch as t\n"
        "a = numpy.arange(3.0)\nf(a)\nt.from_numpy(a)\nb = Tensor.numpy(t.as_tensor(a))\n"
        "from numpy import asarray\nasarray(b)\n",
    )
    assert calls(found) == {
        (6, "torch.from_numpy"): 1,
        (7, "torch.from_numpy"): 1,
        (8, "Tensor.numpy"): 1,
        (8, "torch.as_tensor"): 1,
        (10, "np.asarray"): 1,
    }


def test_what_a_library_does_counts_for_the_line_that_caused_it(tmp_path):
    text = (
        START
        + "from torch.utils.data import default_collate\nfor i in range(4):\n    default_collate([np.ones(3)] * 2)\n"
    )
    found = traced(tmp_path, text)
    assert calls(found) == {(4, "torch.utils.data.default_collate"): 4}
    (tmp_path / "lib.py").write_text("import torch\ndef convert(a):\n    return torch.tensor(a)\n")
    text = START + "import lib\nfor i in range(3):\n    lib.convert(np.ones(2))\n"
    assert calls(traced(tmp_path, text)) == {(3, "torch.tensor"): 3}
    found = traced(tmp_path, text, "--omit", "lib.py")
    assert [(site["file"], site["line"]) for site in found["sites"]] == [(str(tmp_path / "program.py"), 4)]
    assert "lib.py:3" in found["sites"][0]["via"][0]
    assert [site["line"] for site in traced(tmp_path, text, "--include", "program.py")["sites"]] == [4]


def test_counts_are_exact_in_threads(tmp_path):
    text = START + (
        "import threading, sys\nsys.setswitchinterval(1e-6)\na = np.ones(5, 'float32')\n"
        "def work():\n    for i in range(5000):\n        torch.tensor(a)\n"
        "ts = [threading.Thread(target=work) for i in range(8)]\n[t.start() for t in ts]\n[t.join() for t in ts]\n"
    )
    found = traced(tmp_path, text)
    assert [(site["calls"], site["bytes"], site["copied_bytes"]) for site in found["sites"]] == [
        (40000, 800000, 800000)
    ]


def test_counts_are_exact_in_processes(tmp_path):
    text = START + (
        "import multiprocessing as m, os, subprocess, sys\ndef work(n):\n    for i in range(n):\n"
        "        torch.from_numpy(np.ones(3))\nif __name__ == '__main__':\n"
        "    for how, number in (('fork', 2), ('spawn', 1)):\n"
        "        ps = [m.get_context(how).Process(target=work, args=(10,)) for i in range(number)]\n"
        "        [p.start() for p in ps]; [p.join() for p in ps]\n"
        "    if not os.fork():\n        work(7); os._exit(0)\n    os.wait()\n"
        "    subprocess.run([sys.executable, '-c', 'import torch, numpy; torch.from_numpy(numpy.ones(2))'])\n"
    )
    found = traced(tmp_path, text)
    assert calls(found) == {(5, "torch.from_numpy"): 27}
    assert sorted(process["calls"] for process in found["processes"]) == [0, 7, 10, 10]
    found = traced(tmp_path, text, "--follow")
    assert sum(site["calls"] for site in found["sites"]) == 38
    assert calls(found)[5, "torch.from_numpy"] == 37
    assert all(process["ended"] for process in found["processes"])


def test_a_data_loader_with_workers(tmp_path):
    text = START + (
        "from torch.utils.data import DataLoader, Dataset\nclass Squares(Dataset):\n    def __len__(self):\n"
        "        return 64\n    def __getitem__(self, i):\n        return torch.from_numpy(np.full(4, float(i)))\n"
        "for n in (0, 2):\n    for batch in DataLoader(Squares(), batch_size=8, num_workers=n):\n        pass\n"
    )
    found = traced(tmp_path, text)
    counted = calls(found)
    assert counted[7, "torch.from_numpy"] == 128
    assert counted[9, "torch.utils.data.default_collate"] == 16
    collate = next(site for site in found["sites"] if "collate" in site["conversion"])
    assert collate["copied_bytes"] == 128 * 4 * 8
    assert len(found["processes"]) == 3


def test_ranks_of_torchrun(tmp_path):
    text = START + (
        "import torch.distributed as d\nd.init_process_group('gloo')\nfor i in range(d.get_rank() + 1):\n"
        "    torch.tensor(np.ones(2))\nd.barrier()\nd.destroy_process_group()\n"
    )
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "tensorbridge_cli", "trace"]
    command = [*run, "--no-remedies", "-o", str(tmp_path / "trace.json"), script(tmp_path, text)]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, encoding="utf-8", timeout=200)
    assert done.returncode == 0, done.stderr
    found = record(tmp_path)
    assert {process["name"]: process["calls"] for process in found["processes"]} == {"rank 0": 1, "rank 1": 2}
    assert calls(found) == {(5, "torch.tensor"): 3}


def test_a_killed_program_tells_what_was_counted_until_then(tmp_path):
    text = START + (
        "import os, signal, time\nbegan = time.monotonic()\na = np.ones(3)\nwhile time.monotonic() - began < 2.5:\n"
        "    torch.tensor(a)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = under(tmp_path, script(tmp_path, text))
    assert done.returncode == -signal.SIGKILL
    found = record(tmp_path)
    assert calls(found)[6, "torch.tensor"] > 100
    assert [process["ended"] for process in found["processes"]] == [False]
