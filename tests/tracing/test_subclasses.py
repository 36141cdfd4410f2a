"""A class of the program's own that says itself what is asked of an array or a tensor: its code runs as without."""

import pytest

from tensorbridge_cli.tracing.inside import classify
from tests.tracing.tools import START, bare, bare_cold, record, script, under, under_cold

COUNTING = """
import collections
asked = collections.Counter()
def counts(base, name):
    member = getattr(base, name)
    def get(self, *args, **kwargs):
        asked[base.__name__, name] += 1
        if callable(member):
            return member(self, *args, **kwargs)
        return member.__get__(self) if hasattr(member, "__get__") else member
    return get if callable(member) else property(get)
def like(base):
    public = (name for name in dir(base) if not name.startswith("__") or name == "__array_interface__")
    return type("Own", (base,), {name: counts(base, name) for name in public if IS_COUNTED(name)})
"""
ALL_THAT_IS_READ = """
def like(base):
    def read(self, name):
        asked[base.__name__, name] += 1
        return base.__getattribute__(self, name)
    return type("Own", (base,), {"__getattribute__": read})
"""
ARRAYS = """
a = np.ones((2, 3), np.float32).view(like(np.ndarray))
import copy
kept, ndarray = [], np.ndarray
for n in range(20):
    plain = np.asarray(a)
    kept += a, np.array(a), np.ascontiguousarray(a), np.array([a, a]), ndarray.copy(a), copy.deepcopy(a), plain
    np.array(plain), np.asarray(plain[1:]), np.stack([a, a]), np.asarray(a, np.float64)
    np.copyto(a, n)
"""
TENSORS = """
t = torch.ones(2, 3).as_subclass(like(torch.Tensor))
T = torch.Tensor
for n in range(20):
    plain = np.asarray(a)
    kept += torch.from_numpy(a), torch.as_tensor(a), torch.tensor(a), torch.from_numpy(plain[1:]), torch.tensor([a, a])
    kept += T.numpy(t), T.detach(t), np.asarray(t), torch.as_tensor(t), torch.asarray(t), T.as_subclass(t, T).numpy()
    T.clone(t), T.cpu(t), T.double(t), torch.stack([t, t]), torch.from_dlpack(a), copy.copy(t)
    with torch._C.DisableTorchFunction():
        v = T.view(t, -1)
    kept += v.numpy(), v.clone()
    T.add_(t, 1)
T.share_memory_(t)
"""
SHOW = "print(*sorted((*key, n) for key, n in asked.items()), sep='\\n')\n"
METHODS = """
import collections
asked = collections.Counter()
def like(base):
    def counted(name):
        def call(self, *args, **kwargs):
            asked[base.__name__, name] += 1
            if name == "__getattr__":
                raise AttributeError(*args)
            return getattr(base, name)(self, *args, **kwargs)
        return call
    names = "__array__ __bool__ __eq__ __getattr__ __getitem__ __iter__ __len__ __repr__".split()
    names += ["__dlpack__"] if base.__name__ == "Tensor" else ["__array_finalize__", "__array_wrap__"]
    return type("Own", (base,), {name: counted(name) for name in names} | {"__hash__": base.__hash__})
"""
COUNTED = {
    "each attribute": COUNTING.replace("IS_COUNTED(name)", "name != '_make_subclass'"),
    "each that is not asked for": COUNTING.replace(
        "IS_COUNTED(name)", f"name not in {sorted({'_make_subclass', *classify.ASKED})}"
    ),
    "all": COUNTING + ALL_THAT_IS_READ,
    "methods": METHODS,
}


@pytest.mark.parametrize("counted", COUNTED)
def test_a_subclass_is_asked_for_nothing(tmp_path, counted):
    program = script(tmp_path, START + COUNTED[counted] + ARRAYS + TENSORS + SHOW)
    alone, done = (run(tmp_path, program, PYTHONWARNINGS="ignore") for run in (bare, under))
    assert (done.stdout, done.stderr, done.returncode) == (alone.stdout, alone.stderr, 0)
    first = next(site for site in record(tmp_path)["sites"] if site["conversion"] == "torch.from_numpy")
    outcome = "undecidable" if counted in ("each attribute", "all") else "shared"
    assert (first["calls"], first["outcomes"][outcome]) == (20, 20)


@pytest.mark.parametrize("counted", COUNTED)
def test_nor_where_there_is_no_torch(tmp_path, counted):
    program = script(tmp_path, "import numpy as np\n" + COUNTED[counted] + ARRAYS + SHOW)
    alone, done = (run(tmp_path, program, PYTHONWARNINGS="ignore") for run in (bare_cold, under_cold))
    assert (done.stdout, done.stderr, done.returncode) == (alone.stdout, alone.stderr, 0)
