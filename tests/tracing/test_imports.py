"""numpy and torch are hooked however the program imports them; where they are not, the report says so and fails."""

import pytest

from tests.tracing.tools import START, calls, record, script
from tests.tracing.tools import bare_cold as bare
from tests.tracing.tools import traced_cold as traced
from tests.tracing.tools import under_cold as under

CONVERTS = "a = np.zeros(3)\na.flags.writeable = False\nt = torch.from_numpy(a)\nu = torch.tensor([a, a])\n"
FOUND = {"torch.from_numpy": 1, "torch.tensor": 1}
IMPORTS = {
    "probed": "import importlib.metadata as m, importlib.util as u, pkgutil\n"
    "from importlib.machinery import PathFinder\n"
    "for i in range(3):\n    u.find_spec('torch')\nu.find_spec('numpy'); PathFinder.find_spec('torch')\n"
    "pkgutil.find_loader('torch'); list(pkgutil.iter_modules())\nm.version('torch'); m.distribution('numpy')\n" + START,
    "a part first": "import torch.utils.data, numpy.linalg\nimport torch, numpy as np\n",
    "in a thread": "import threading\ndef f():\n    global np, torch\n    import numpy as np, torch\n"
    "t = threading.Thread(target=f); t.start(); t.join()\n",
    "lazily": "import importlib.util as u, sys\ndef lazy(name):\n    spec = u.find_spec(name)\n"
    "    spec.loader = u.LazyLoader(spec.loader)\n    module = sys.modules[name] = u.module_from_spec(spec)\n"
    "    spec.loader.exec_module(module)\n    return module\nnp = lazy('numpy')\ntorch = lazy('torch')\n",
    "by its spec": "import importlib.util as u, sys\ndef load(name):\n    spec = u.find_spec(name)\n"
    "    module = sys.modules[name] = u.module_from_spec(spec)\n    spec.loader.exec_module(module)\n"
    "    return module\nnp, torch = load('numpy'), load('torch')\n",
    "by its path": "import importlib.util as u, os, sys\ndef load(name):\n"
    "    file = next(f for p in sys.path if os.path.exists(f := os.path.join(p, name, '__init__.py')))\n"
    "    spec = u.spec_from_file_location(name, file)\n    module = sys.modules[name] = u.module_from_spec(spec)\n"
    "    spec.loader.exec_module(module)\n    return module\nnp, torch = load('numpy'), load('torch')\n",
    "by a finder that stands before": "import sys\nfrom importlib.machinery import PathFinder\nclass First:\n"
    "    @staticmethod\n    def find_spec(name, path=None, target=None):\n"
    "        return PathFinder.find_spec(name, path, target)\nsys.meta_path.insert(0, First)\n" + START,
    "by a loader around the loader": "import sys\nfrom importlib.machinery import PathFinder\nclass Around:\n"
    "    def __init__(self, loader):\n        self.loader = loader\n    def create_module(self, spec):\n"
    "        return self.loader.create_module(spec)\n    def exec_module(self, module):\n"
    "        self.loader.exec_module(module)\nclass First:\n    @staticmethod\n"
    "    def find_spec(name, path=None, target=None):\n        spec = PathFinder.find_spec(name, path, target)\n"
    "        if spec is not None and name in ('numpy', 'torch'):\n            spec.loader = Around(spec.loader)\n"
    "        return spec\nsys.meta_path.insert(0, First)\n" + START,
    "by a loader that inherits": "import sys\nfrom importlib.machinery import FileFinder, SourceFileLoader\n"
    "class Loader(SourceFileLoader):\n    def exec_module(self, module):\n        super().exec_module(module)\n"
    "from importlib.machinery import ExtensionFileLoader, EXTENSION_SUFFIXES\nsys.path_hooks.insert(0,"
    " FileFinder.path_hook((ExtensionFileLoader, EXTENSION_SUFFIXES), (Loader, ['.py'])))\n"
    "sys.path_importer_cache.clear()\n" + START + "assert type(torch.__loader__) is Loader\n",
    "reloaded": START + "import importlib, warnings\nwarnings.simplefilter('ignore')\nimportlib.reload(np)\n",
}


@pytest.mark.parametrize("how", IMPORTS)
def test_imports_of_every_kind(tmp_path, how):
    program = script(tmp_path, IMPORTS[how] + CONVERTS)
    if how == "lazily" and bare(tmp_path, program).returncode:
        pytest.skip("this Python cannot load torch lazily")  # as 3.13.0: its modules cannot delete attributes
    done = under(tmp_path, "--fail-on", "finding=any", program)
    found = record(tmp_path)
    counted = {site["conversion"]: site["calls"] for site in found["sites"] if not site["via"]}
    assert (done.returncode, counted) == (1, FOUND), done.stderr
    assert {finding["code"] for finding in found["findings"]} == {"readonly-dropped", "element-by-element"}
    assert [process["unhooked"] for process in found["processes"]] == [[]]


def test_a_lazy_library_is_loaded_by_its_program_alone(tmp_path):
    own = "class Own(np.ndarray): pass\nkept = [np.asarray(np.ones(3).view(Own)) for _ in range(20)]\n"
    program = script(tmp_path, IMPORTS["lazily"] + own + "print('torch._C' in sys.modules)")
    assert under(tmp_path, program).stdout == "False\n"
    assert [site["calls"] for site in record(tmp_path)["sites"]] == [20]


NUMPY_ALONE = {  # spares them the seconds that torch takes: it is imported by the same hooks
    "import_module": "from importlib import import_module as i\nnp = i('numpy')\n",
    "__import__": "np = __import__('numpy')\n",
    "exec": "exec('import numpy as np')\n",
    "pkgutil": "import pkgutil\nnp = pkgutil.resolve_name('numpy')\n",
    "in a function": "def f():\n    global np\n    import numpy as np\nf()\n",
}


@pytest.mark.parametrize("how", NUMPY_ALONE)
def test_imports_of_numpy_alone(tmp_path, how):
    found = traced(tmp_path, NUMPY_ALONE[how] + "np.asarray(np.zeros(3))\n")
    assert {site["conversion"]: site["calls"] for site in found["sites"] if not site["via"]} == {"np.asarray": 1}
    assert [process["unhooked"] for process in found["processes"]] == [[]]


def test_an_import_that_failed_loaded_nothing(tmp_path):
    failing = "import sys\nsys.modules['torch.functional'] = None\ntry:\n    import torch\nexcept ImportError:\n"
    found = traced(tmp_path, failing + "    assert 'torch._C' in sys.modules\nelse:\n    raise SystemExit(3)\n")
    assert [process["unhooked"] for process in found["processes"]] == [[]]


PAST_THE_HOOKS = (
    "import sys\nfrom importlib.machinery import PathFinder\nclass Loader:\n    def __init__(self, loader):\n"
    "        self.loader = loader\n    def create_module(self, spec):\n        return None\n"
    "    def exec_module(self, module):\n        exec(self.loader.get_code(module.__name__), module.__dict__)\n"
    "class First:\n    @staticmethod\n    def find_spec(name, path=None, target=None):\n"
    "        spec = PathFinder.find_spec(name, path, target)\n        if name in ('numpy', 'torch'):\n"
    "            spec.loader = Loader(spec.loader)\n        return spec\nsys.meta_path.insert(0, First)\n"
)


def test_a_library_that_was_loaded_past_the_hooks_is_said_to_be(tmp_path):
    program = script(tmp_path, PAST_THE_HOOKS + START + CONVERTS)
    done = under(tmp_path, "--fail-on", "finding=any", program)
    assert done.returncode == 1
    assert "torch" in done.stderr
    assert [process["unhooked"] for process in record(tmp_path)["processes"]] == [["numpy", "torch"]]
    output = bare(tmp_path, "-m", "tensorbridge_cli", "trace", "--no-remedies", "-o", "-", program).stdout
    assert output.count("its conversions were not recorded") == 1


@pytest.mark.parametrize(
    "program",
    [
        "import sys, importlib\nprint(list(map(str, sys.meta_path))[1:], len(sys.path_hooks))\nimport numpy\n"
        "print(vars(numpy.__loader__), numpy.__loader__.exec_module.__qualname__, sorted(vars(numpy.__spec__)))\n",
        "from importlib import _bootstrap as b\nf = b._call_with_frames_removed\nc = f.__code__\n"
        "print(f.__module__, f.__name__, f.__qualname__, f.__doc__, c.co_filename, c.co_name, c.co_firstlineno)\n",
        "import traceback\ntry:\n    import broken\nexcept ImportError:\n    traceback.print_exc()\nimport half",
        "import traceback\ntry:\n    import wrong\nexcept SyntaxError:\n    traceback.print_exc()\nimport latin",
        "import shadow.torch",
        "import warnings\nwarnings.simplefilter('always')\nimport warns",
        "import sys\nsys.modules['torch'] = None\nimport numpy\ntry:\n    import torch\nexcept ImportError as e:\n"
        "    print(e)",
    ],
)
def test_an_import_is_as_without(tmp_path, program):
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "torch.py").write_text("print(__name__)\nraise RuntimeError('mine')")
    (tmp_path / "broken.py").write_text("import numpy\nfrom numpy import nothing_of_it")
    (tmp_path / "half.py").write_text("import broken2")
    (tmp_path / "broken2.py").write_text("raise KeyError(1)")
    (tmp_path / "wrong.py").write_text("def f(:")
    (tmp_path / "latin.py").write_bytes(b"# caf\xe9")
    (tmp_path / "warns.py").write_text("import warnings\nfor n in (1, 2, 3):\n    warnings.warn('x', stacklevel=n)")
    program = script(tmp_path, program)
    alone, done = bare(tmp_path, program), under(tmp_path, program)
    assert (done.stdout, done.stderr, done.returncode) == (alone.stdout, alone.stderr, alone.returncode)


@pytest.mark.parametrize(
    "stub",
    [
        "",
        "__version__ = None",
        "def __getattr__(name):\n    raise RuntimeError(name)",
        "class Tensor: pass\ndef tensor(x):\n    return x",
        "import sys\nclass Stub:\n    def __getattr__(self, name):\n        raise KeyError(name)\n"
        "sys.modules['torch'] = Stub()",
        "import sys\nsys.modules['torch'] = None",
        "raise ImportError('no torch here')",
    ],
)
def test_a_stub_of_torch_loses_nothing(tmp_path, stub):
    script(tmp_path, stub, "torch.py")
    text = "import numpy as np\ntry:\n    import torch\nexcept ImportError as e:\n"
    program = script(tmp_path, text + "    import traceback; traceback.print_exc()\nprint(np.asarray([1, 2]))")
    alone, done = bare(tmp_path, program), under(tmp_path, program)
    assert (done.stdout, done.stderr, done.returncode) == (alone.stdout, alone.stderr, 0)
    assert calls(record(tmp_path)) == {(6, "np.asarray"): 1}


def test_a_stub_of_numpy(tmp_path):
    text = (
        START
        + "import sys, types\ntorch.tensor(np.ones(2))\nfake = types.ModuleType('numpy')\nsys.modules['numpy'] = fake\n"
    )
    found = traced(tmp_path, text + "sys.modules['torch'] = types.SimpleNamespace()\n")
    assert calls(found) == {(3, "torch.tensor"): 1}


def test_a_library_that_is_there_before_the_program(tmp_path):
    (tmp_path / "own").mkdir()
    script(tmp_path / "own", "import numpy", "sitecustomize.py")
    found = traced(tmp_path, "import numpy as np\nnp.asarray([1])", PYTHONPATH=str(tmp_path / "own"))
    assert calls(found) == {(2, "np.asarray"): 1}


OTHER_DYNAMO = (
    "import sys\nfrom importlib.machinery import PathFinder\nclass First:\n    @staticmethod\n"
    "    def find_spec(name, path=None, target=None):\n        spec = PathFinder.find_spec(name, path, target)\n"
    "        if name == 'torch._dynamo.trace_rules':\n            run = spec.loader.exec_module\n"
    "            def exec_module(module):\n                run(module)\n                del module.add\n"
    "            spec.loader.exec_module = exec_module\n        return spec\nsys.meta_path.insert(0, First)\n"
)


def test_a_torch_whose_private_parts_are_others_runs_as_without(tmp_path):
    """As of torch 2.1 and 2.2, where each optimizer imports ``torch._dynamo``: it could not be imported then."""
    text = OTHER_DYNAMO + START + "torch.from_numpy(np.ones(3))\nimport torch._dynamo\n"
    text += "print(torch.compile(lambda x: torch.as_tensor(x) * 2, backend='eager')(torch.ones(2)))\n"
    text += "print(torch._dynamo.convert_frame._compile.__module__)\n"
    program = script(tmp_path, text)
    done = under(tmp_path, program)
    assert (done.returncode, done.stdout) == (0, "tensor([2., 2.])\ntorch._dynamo.convert_frame\n"), done.stderr
    assert [process["unhooked"] for process in record(tmp_path)["processes"]] == [["numpy", "torch"]]
