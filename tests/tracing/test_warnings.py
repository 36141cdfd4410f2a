"""A warning names the line that it names without the tool, and is shown as often, whatever its stack level."""

import pytest

from tests.tracing.tools import bare, bare_cold, calls, record, script, under, under_cold

LIBRARY = """
import numpy as np, torch, warnings
from warnings import warn
def array(x): return np.asarray(x)
def deeper(x): return array(x)
class Silent:
    def __init__(self, warns): self.warns = warns
class Array(Silent):
    def __array__(self, dtype=None, copy=None):
        self.warns(); return np.ones(2)
class Around(Silent):
    def __array__(self, dtype=None, copy=None): return np.asarray(Array(self.warns))
class Function(Silent):
    def __array_function__(self, function, types, args, kwargs):
        self.warns(); return 3
class Tensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function.__name__ in ("clone", "stack"): cls.warns()
        return super().__torch_function__(function, types, args, kwargs)
class Subclass(np.ndarray):
    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        self.warns(); return np.array(inputs[0].view(np.ndarray))
    def __array_finalize__(self, other):
        if hasattr(other, "warns"): other.warns()
class Capsule(Silent):
    def __dlpack__(self, **options):
        self.warns(); return np.ones(2).__dlpack__()
    def __dlpack_device__(self): return (1, 0)
def subclass(warns):
    it = np.ones(2).view(Subclass); it.warns = warns; return it
def tensor(warns):
    Tensor.warns = staticmethod(warns); return torch.ones(2).as_subclass(Tensor)
"""

NESTINGS = """
import numpy as np, torch, library, library as l
from library import *
from torch import tensor as t, from_dlpack
def each(warns):
    for i in range(2):
        np.asarray(Array(warns)); np.array(
            Around(warns))
        l.deeper(Array(warns)); list(map(l.array, [Array(warns)])); (lambda: l.deeper(Around(warns)))()
        np.copy(Function(warns)); np.copy(Array(warns))
        l.tensor(warns).clone(); torch.stack([l.tensor(warns)])
        np.from_dlpack(Capsule(warns)); from_dlpack(Capsule(warns))
        np.array(l.subclass(warns), subok=True); l.deeper(np.add(l.subclass(warns), 1))
        exec("np.asarray(Array(warns))", {"np": np, "Array": Array, "warns": warns})
        np.array(np.array(1j), dtype=float); np.copy(Array(lambda: np.array(np.array(1j), dtype=float)))
def outer(warns): each(warns)
"""

SHOWN = {
    "by default": "warnings.simplefilter('default')\n",
    "by a function of the program's": "warnings.showwarning = lambda *a, **k: print('shown', *a[:4], k)\n",
    "to the log": "import logging; logging.basicConfig(); logging.captureWarnings(True)\n",
    "by reloaded warnings": "import importlib; importlib.reload(warnings); warnings.simplefilter('default')\n",
    "by warnings in Python": (
        "import sys, importlib; kept = sys.modules['_warnings']; sys.modules['_warnings'] = None\n"
        "importlib.reload(warnings); sys.modules['_warnings'] = kept; warnings.simplefilter('default')\n"
    ),
}
EACH = """
for n in range(LEVELS):
    outer(lambda: warnings.warn(f"message {n}", stacklevel=n))
    outer(lambda: warn(DeprecationWarning(f"an object {n}"), stacklevel=n))
    if sys.version_info >= (3, 12):
        outer(lambda: warnings.warn(f"prefixes {n}", stacklevel=n, skip_file_prefixes=(library.__file__,)))
for names in (globals(), vars(library)):
    print(*sorted(str(key) for key in names.get("__warningregistry__", {}) if key != "version"), sep="\\n")
"""
COLD = ("by default", "by warnings in Python")
IMPORTS = "import sys, warnings\nfrom warnings import warn\n"


@pytest.mark.parametrize("how", SHOWN)
def test_every_stack_level_is_as_without(tmp_path, how):
    script(tmp_path, LIBRARY, "library.py")
    levels = 7 if how in COLD else 5  # what is above the program is Python itself only where that has started it
    program = script(tmp_path, IMPORTS + SHOWN[how] + NESTINGS + EACH.replace("LEVELS", str(levels)))
    by_itself, with_the_tool = (bare_cold, under_cold) if how in COLD else (bare, under)
    alone, done = by_itself(tmp_path, program), with_the_tool(tmp_path, program)
    assert (done.stdout, done.stderr, done.returncode) == (alone.stdout, alone.stderr, 0)
    assert len(alone.stdout + alone.stderr) > 2000
    assert calls(record(tmp_path))
