"""Conversions of other libraries, each counted at its line with what it did, and what a program can tell of the hooks.

What a conversion did is compared with a write: the program writes to the source and looks at the result.
"""

import functools
import importlib.util
import re

import pytest

from tensorbridge_cli.tracing.inside import counting
from tests.sweep import FULL
from tests.tracing.tools import START, bare, codes, record, script, traced, under, under_cold

MADE = """
rows = []
def shows(result, write, read=lambda x: np.asarray(x).tobytes()):
    before = read(result)
    write()
    rows.append('shared' if read(result) != before else 'copied')
"""

# each conversion with what must be installed, the lines before it, its code, and the code that writes to the source
PANDAS = "import pandas as pd\na = np.arange(4.0)\ns = pd.Series(a)\nd = pd.DataFrame(np.ones((4, 2)))\n"
ARROW = "import pyarrow as pa\nb = bytearray(32)\na = pa.Array.from_buffers(pa.float64(), 4, [None, pa.py_buffer(b)])\n"
POLARS = "import polars as pl\na = np.arange(4.0)\ns = pl.Series(a)\n"
JAX = "import jax.numpy as jnp\nt = torch.arange(64.0)\n"
XARRAY = "import xarray as xr\na = np.arange(4.0)\nd = xr.DataArray(a)\n"
SCIPY = "import scipy.sparse as sp\nm = sp.csr_array(np.eye(3))\n"
H5PY = (
    "import h5py\nf = h5py.File('x', 'w', driver='core', backing_store=False)\n"
    "f[str(len(f))] = np.ones((4, 2))\nd = f[str(len(f) - 1)]\n"
)
ZARR = "import zarr\nz = zarr.array(np.ones((4, 2)))\n"

CONVERSIONS = {
    "Series.to_numpy": (PANDAS, "s.to_numpy()", "s.iloc[0] = 9"),
    "Series.to_numpy(copy=True)": (PANDAS, "s.to_numpy(copy=True)", "s.iloc[0] = 9"),
    "Series.values": (PANDAS, "s.values", "s.iloc[0] = 9"),
    "DataFrame.to_numpy": (PANDAS, "d.to_numpy()", "d.iloc[0, 0] = 9"),
    "DataFrame.values": (PANDAS + "d['x'] = 1\n", "d.values", "d.iloc[0, 0] = 9"),
    "pd.Series": (PANDAS, "pd.Series(a)", "a[0] = 9"),
    "pd.Series(copy=False)": (PANDAS, "pd.Series(a, copy=False)", "a[0] = 9"),
    "pa.Array.to_numpy": (ARROW, "a.to_numpy()", "b[:] = bytes([1]) * 32"),
    "pa.Array.to_numpy(zero_copy_only=False)": (
        ARROW + "a = pa.chunked_array([a, a])\n",
        "a.to_numpy(zero_copy_only=False)",
        "b[:] = bytes([1]) * 32",
    ),
    "pa.array": (ARROW + "x = np.arange(4.0)\n", "pa.array(x)", "x[0] = 9"),
    "pa.Tensor.from_numpy": (ARROW + "x = np.ones((4, 1))\n", "pa.Tensor.from_numpy(x)", "x[0] = 9"),
    "pl.Series.to_numpy": (POLARS, "s.to_numpy()", "a[0] = 9"),
    "pl.Series.to_numpy(writable=True)": (POLARS, "s.to_numpy(writable=True)", "a[0] = 9"),
    "pl.Series.to_torch": (POLARS, "s.to_torch()", "a[0] = 9"),
    "pl.Series.to_arrow": (POLARS, "s.to_arrow()", "a[0] = 9"),
    "pl.Series": (POLARS, "pl.Series('x', a)", "a[0] = 9"),
    "pl.from_numpy": (POLARS + "x = np.ones((4, 2), order='F')\n", "pl.from_numpy(x)", "x[0] = 9"),
    "pl.DataFrame.to_numpy": (POLARS + "x = pl.DataFrame({'a': a, 'b': a * 1})\n", "x.to_numpy()", "a[0] = 9"),
    "pl.DataFrame.to_torch": (POLARS, "s.to_frame().to_torch()", "a[0] = 9"),
    "DataArray.values": (XARRAY, "d.values", "a[0] = 9"),
    "DataArray.to_numpy": (XARRAY, "d.to_numpy()", "a[0] = 9"),
    "xr.DataArray": (XARRAY, "xr.DataArray(a)", "a[0] = 9"),
    "csr_array.toarray": (SCIPY, "m.toarray()", "m.data[0] = 9"),
    "jnp.from_dlpack": (JAX, "jnp.from_dlpack(t)", "t[0] = 9"),
    "jnp.asarray": (JAX, "jnp.asarray(t)", "t[0] = 9"),
    "h5py.Dataset[...]": (H5PY, "d[1:]", "d[1] = 9"),
    "zarr.Array[...]": (ZARR, "z[1]", "z[1] = 9"),
    "jnp.array": (JAX, "jnp.array(t.numpy())", "t[0] = 9"),
}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What a program prints without the tool, run once for both recorders."""

    @functools.cache
    def printed(text):
        folder = tmp_path_factory.mktemp("alone")
        done = bare(folder, "-Wignore", script(folder, text))
        assert done.returncode == 0, done.stderr
        return done.stdout

    return printed


def needs(library: str) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")


LIBRARIES = {
    before.split()[1].partition(".")[0]: before for before in (PANDAS, ARROW, POLARS, JAX, XARRAY, SCIPY, H5PY, ZARR)
}


RECORDERS = [(library, "1") for library in LIBRARIES] + [
    (library, "0") for library in LIBRARIES if FULL or library in ("pandas", "pyarrow", "h5py")
]
"""Each library with the compiled part; without it, in the gate, one of stand-ins and one that cannot be hooked so."""


@pytest.mark.parametrize(("library", "compiled"), RECORDERS)
def test_each_conversion_is_counted_with_what_a_write_shows(tmp_path, alone, library, compiled):
    needs(library)
    chosen = {name: one for name, one in CONVERSIONS.items() if one[0].startswith(LIBRARIES[library])}
    text, lines = START + MADE, {}
    for name, (before, code, write) in chosen.items():
        text += before
        lines[text.count("\n") + 1] = name
        text += f"result = {code}\nshows(result, lambda: exec({write!r}, globals()))\n"
    text += "print(rows)\n"
    shown = dict(zip(lines, eval(alone(text)), strict=True))
    found = traced(tmp_path, text, TENSORBRIDGE_COMPILED=compiled)
    sites = {(site["line"], site["conversion"]): site for site in found["sites"] if site["own"]}
    fixed = library == "pyarrow" and not (compiled == "1" and counting.is_compiled())
    for line, name in lines.items():
        if fixed and name != "pa.array":
            assert any(name.partition("(")[0] in one["what"] for one in found["not_intercepted"] if one["concerns"])
            continue
        (outcome,) = (word for word, count in sites[line, name]["outcomes"].items() if count)
        assert outcome == shown[line], name
        assert sites[line, name]["bytes"] > 0, name
    assert not codes(found) & {"element-by-element"}


def test_what_a_library_does_for_itself_is_not_counted(tmp_path):
    needs("pandas")
    text = START + "import pandas as pd\nd = pd.DataFrame({'a': [1.0, 2.0]})\nd.sum(), d.describe(), d['a'] + 1\n"
    found = traced(tmp_path, text)
    assert not [site for site in found["sites"] if site["conversion"].startswith(("Series", "DataFrame", "pd"))]


def test_no_library_is_asked_for_what_warns(tmp_path):
    """``nbytes`` of this Categorical is a property of pandas that asks its categories for what is deprecated."""
    needs("pandas")
    text = (
        "import sys, warnings, pandas as pd\nwarnings.simplefilter('always')\n"
        "times = pd.DatetimeIndex(['2024-01-01']).tz_localize('UTC')\n"
        "series = pd.Series(pd.Categorical(times, categories=times))\nprint(*series, file=sys.stderr)\n"
    )
    program = script(tmp_path, text)
    alone, done = bare(tmp_path, program), under(tmp_path, program)
    assert (done.stderr, done.returncode) == (alone.stderr, 0)
    assert [site["line"] for site in record(tmp_path)["sites"] if site["conversion"] == "pd.Series"] == [4]


def test_a_dataset_and_an_image_are_copied(tmp_path):
    needs("h5py")
    needs("PIL")
    text = START + (
        "import h5py\nfrom PIL import Image\nf = h5py.File('x', 'w', driver='core', backing_store=False)\n"
        "d = f.create_dataset('x', data=np.arange(4.0))\nnp.asarray(d)\n"
        "i = Image.fromarray(np.zeros((4, 3), np.uint8))\nnp.asarray(i)\n"
    )
    found = traced(tmp_path, text)
    copied = {site["line"]: site["conversion"] for site in found["sites"] if site["own"] and site["outcomes"]["copied"]}
    assert copied.items() >= {6: "np.asarray", 8: "np.asarray"}.items()
    (made,) = (site for site in found["sites"] if site["conversion"] == "Image.fromarray")
    assert made["outcomes"]["undecidable"] == 1  # Pillow does not tell where an image lies


ASKED = {
    "pandas": """
import inspect, pickle, pandas as pd
class Mine(pd.Series):
    @property
    def _constructor(self):
        return Mine
    def to_numpy(self, *args, **kwargs):
        return super().to_numpy(*args, **kwargs) * 2
    @property
    def values(self):
        return super().values + 1
m = Mine([1.0, 2.0], name='m')
print(m.to_numpy(), m.values, type(m + 1), pickle.loads(pickle.dumps(m)), m.name)
print(inspect.signature(pd.Series), inspect.signature(pd.Series.to_numpy), inspect.signature(pd.DataFrame.to_numpy))
print(pd.Series.to_numpy is pd.Index.to_numpy, pd.Series.to_numpy.__qualname__, pd.Series.to_numpy.__module__)
print(inspect.isfunction(pd.Series.to_numpy), inspect.isdatadescriptor(pd.Series.values), 'values' in vars(pd.Series))
print('to_numpy' in vars(pd.Series), pd.Series.values.__doc__[:40], type(pd.Series.values), pd.Series.values.fset)
f = pd.Series.to_numpy
print(f(pd.Series([3])), pickle.loads(pickle.dumps(f)) == f, list(map(f, [pd.Series([1]), pd.Index([2])])))
for bad in (lambda: pd.Series.to_numpy(), lambda: pd.Series([1]).to_numpy(bad=1), lambda: pd.Series(*range(9))):
    try:
        bad()
    except TypeError as error:
        print(error)
print(isinstance(m, pd.Series), issubclass(Mine, pd.Series), type(pd.Series), pd.Series.__init__.__qualname__)
""",
    "pyarrow": """
import inspect, pickle, pyarrow as pa
print(pa.array is pa.lib.array, pa.array.__name__, type(pa.array).__name__, inspect.signature(pa.array))
print(pickle.loads(pickle.dumps(pa.array)) is pa.array, pa.array.__doc__[:30], type(pa.Array.to_numpy).__name__)
a = pa.array([1.0, 2.0])
bound = a.to_numpy
print(bound(), bound(zero_copy_only=True), pa.Array.to_numpy(a), list(map(pa.Array.to_numpy, [a])), bound.__self__ is a)
print(pa.Tensor.from_numpy(a.to_numpy(), dim_names=['x']), pa.array(obj=[1], type=pa.int8()), pa.array(*[[1]], **{}))
for bad in (lambda: pa.array(), lambda: a.to_numpy(1, 2, 3), lambda: pa.array([1], bad=2)):
    try:
        bad()
    except Exception as error:
        print(type(error), error)
""",
    "polars": """
import copy, inspect, pickle, polars as pl
class Mine(pl.Series):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
    def to_numpy(self, **kwargs):
        return super().to_numpy(**kwargs) * 2
m = Mine('m', [1.0, 2.0])
print(m.to_numpy(), m.name, pickle.loads(pickle.dumps(m)).to_list(), copy.deepcopy(m).to_list())
print(inspect.signature(pl.Series), inspect.signature(pl.Series.to_torch), inspect.signature(pl.from_numpy))
print(pickle.loads(pickle.dumps(pl.from_numpy)) == pl.from_numpy, pl.from_numpy.__module__)
print(pl.Series(values=[1]).to_list())
print(pl.Series().to_list(), pl.Series('x').name, pl.Series([1, 2], dtype=pl.Int8).dtype)
""",
    "jax": """
import inspect, pickle, jax, jax.numpy as jnp
print(inspect.signature(jnp.asarray), jnp.array.__module__, jnp.array.__name__)
print(pickle.loads(pickle.dumps(jnp.array)) == jnp.array)
f = jax.jit(lambda x: jnp.asarray(x) * 2 + jnp.array([1.0, 2.0]))
print(f(np.ones(2, np.float32)), jax.jit(jnp.asarray)(np.ones(2, np.float32)), f._cache_size())
print(jax.grad(lambda x: jnp.asarray(x).sum())(jnp.ones(2)), jax.vmap(jnp.array)(jnp.ones((2, 2))))
print(jax.make_jaxpr(lambda x: jnp.asarray(x) + jnp.array(1.0))(1.0))
try:
    jnp.asarray("x")
except TypeError as error:
    print(error)
""",
    "h5py": """
import inspect, h5py
f = h5py.File("x", "w", driver="core", backing_store=False)
d = f.create_dataset("x", data=np.arange(3.0))
r = f.create_dataset("r", data=np.zeros(2, [("a", "i4"), ("b", "f8")]))
class Mine(h5py.Dataset):
    def __getitem__(self, args, **options):
        return super().__getitem__(args, **options) + 1
print(d[0], d[1:], d[[0, 2]], d[()], r["a"], r[0], r[0:1, "b"], Mine(d.id)[0], d.__getitem__(1))
print(inspect.signature(h5py.Dataset.__getitem__), h5py.Dataset.__getitem__.__name__, h5py.Dataset.__getitem__.__doc__)
for wrong in ("nope", 9):
    try:
        d[wrong]
    except Exception as error:
        print(type(error), error)
f.close()
try:
    d[0]
except Exception as error:
    print(type(error), error)
""",
    "zarr": """
import inspect, zarr
z = zarr.array(np.arange(3.0))
print(z[0], z[1:], z[()], z[...], inspect.signature(zarr.Array.__getitem__), zarr.Array.__getitem__.__qualname__)
try:
    z[9]
except Exception as error:
    print(type(error), error)
""",
    "xarray": """
import inspect, pickle, xarray as xr
class Mine(xr.DataArray):
    __slots__ = ()
    @property
    def values(self):
        return super().values + 1
m = Mine(np.arange(3.0), dims='x', name='m')
print(m.values, type(m + 1), m.name, pickle.loads(pickle.dumps(xr.DataArray([1]))).values)
d = xr.DataArray(data=np.zeros(2))
d.values = [1, 2]
print(d.to_numpy(), inspect.signature(xr.DataArray), xr.DataArray.values.fset is not None, xr.DataArray().values)
""",
}


@pytest.mark.parametrize(("library", "compiled"), [pair for pair in RECORDERS if pair[0] in ASKED])
def test_what_a_program_asks_of_a_hooked_function_is_as_without(tmp_path, alone, library, compiled):
    needs(library)
    text = START + ASKED[library]
    done = under(tmp_path, script(tmp_path, text), TENSORBRIDGE_COMPILED=compiled)
    assert (done.returncode, done.stdout) == (0, alone(text)), done.stderr


def test_nothing_is_imported_that_the_program_does_not_import(tmp_path):
    text = "import numpy as np, sys\nnp.asarray([1.0])\nprint(sorted({m.partition('.')[0] for m in sys.modules}))\n"
    name = script(tmp_path, text)
    ours = {"tensorbridge_cli"}
    seen = set(eval(under(tmp_path, name).stdout)) - set(eval(bare(tmp_path, name).stdout)) - ours
    assert not seen & {"torch", "pandas", "pyarrow", "polars", "jax", "xarray", "scipy", "PIL", "h5py", "zarr"}
    text = "import pandas as pd, sys\nx = pd.Series([1.0]).to_numpy()\nprint('torch' in sys.modules)\n"
    assert under_cold(tmp_path, script(tmp_path, text)).stdout == "False\n"


SLOW_AND_BETTER = {
    "a list of arrays": "a = [np.ones(64) * k for k in range(500)]\nx = torch.tensor(a)",
    "a list of tensors": "a = [torch.ones(64) * k for k in range(500)]\nx = np.array(a)",
    "a list of tensors and a dtype": "a = [torch.ones(64) * k for k in range(500)]\nx = np.asarray(a, dtype='f8')",
    "a Series": "import pandas\na = pandas.Series(np.arange(9000.0))\nx = torch.tensor(a)",
    "a Series of polars": "import polars\na = polars.Series(np.arange(9000))\nx = torch.as_tensor(a)",
}


@pytest.mark.parametrize("what", SLOW_AND_BETTER)
def test_what_is_read_one_by_one_has_a_line_that_was_measured(tmp_path, what):
    library = SLOW_AND_BETTER[what].partition("import ")[2].partition("\n")[0]
    if library:
        needs(library)
    text = f"{START}{SLOW_AND_BETTER[what]}\nprint(type(x), x.dtype, x.shape, x.sum(), x.tolist()[-1])\n"
    name = script(tmp_path, text)
    alone = bare(tmp_path, "-Wignore", name)
    done = bare(tmp_path, "-Wignore", "-m", "tensorbridge_cli", "trace", "-o", str(tmp_path / "trace.json"), name)
    assert (done.returncode, done.stdout) == (0, alone.stdout), done.stderr
    found = record(tmp_path)
    (finding,) = (one for one in found["findings"] if one["code"] == "element-by-element")
    ratio = re.search(r"was ([\d.]+) times as fast on such an object, measured just now", finding["detail"])
    assert ratio is not None
    assert float(ratio[1]) > 1
    line = text.split("\n")[next(site["line"] for site in found["sites"] if site["id"] == finding["site"]) - 1]
    again = bare(tmp_path, script(tmp_path, text.replace(line, finding["remedy"])))
    assert (again.returncode, again.stdout) == (0, alone.stdout), again.stderr


def test_an_object_that_torch_has_as_a_whole_is_not_read_one_by_one(tmp_path):
    needs("pyarrow")
    text = START + "import pyarrow as pa\nx = torch.tensor(pa.array([1.0, 2.0])), torch.as_tensor(pa.array([1, 2]))\n"
    assert "element-by-element" not in codes(traced(tmp_path, text))


@pytest.mark.parametrize("option", ["--ignore=TB202", "--ignore=list-of-arrays", "--select=list-of-arrays"])
def test_the_old_name_of_a_list_of_arrays_works_and_a_note_says_so(tmp_path, option):
    done = under(tmp_path, option, script(tmp_path, START + "torch.tensor([np.ones(2), np.ones(2)])\n"))
    assert "list-of-arrays is now element-by-element: the old name works for one more release." in done.stderr
    assert bool(record(tmp_path)["findings"]) is option.startswith("--select")


# an immutable object, the line that shares its memory, and what it shows of itself
IMMUTABLE = {
    "bytes": ("x = bytes(range(16))", "t = torch.frombuffer(x, dtype=torch.uint8)", "list(x)"),
    "jax": ("import jax.numpy\nx = jax.numpy.arange(64.0)", "t = torch.from_dlpack(x)", "x.sum()"),
    "pyarrow": ("import pyarrow\nx = pyarrow.array([1.0, 2.0])", "t = torch.from_numpy(x.to_numpy())", "x.to_pylist()"),
    "polars": ("import polars\nx = polars.Series([1.0, 2.0])", "t = torch.from_numpy(x.to_numpy())", "x.to_list()"),
    "pandas": ("import pandas\nx = pandas.Index([1, 2])", "t = torch.from_numpy(x.to_numpy())", "x.tolist()"),
}


@pytest.mark.parametrize("library", IMMUTABLE)
def test_a_write_into_an_immutable_object_is_seen_and_the_line_for_it_ends_it(tmp_path, library):
    if library != "bytes":
        needs(library)
    made, line, shown = IMMUTABLE[library]
    text = f"{START}import warnings\nwarnings.simplefilter('ignore')\n{made}\nbefore = str({shown})\n{line}\n"
    end = f"print(str({shown}) == before, t[0].item())\n"
    if library == "pyarrow" and not counting.is_compiled():
        return
    found = traced(tmp_path, f"{text}t += 1\n{end}")
    (finding,) = (one for one in found["findings"] if one["code"] == "immutable-written")
    assert finding["certainty"] == "certain"
    assert "is immutable, but its bytes changed" in finding["detail"]
    assert (f"{library}." if library != "bytes" else "a bytes object") in finding["detail"]
    assert bare(tmp_path, "program.py").stdout.startswith("False")
    done = bare(tmp_path, script(tmp_path, f"{text}t += 1\n{end}".replace(line, finding["remedy"])))
    assert done.stdout.startswith("True"), done.stderr
    again = f"x = {made.partition('x = ')[2]}\n{line}\n"
    right = ("u = t + 1", "t = t.clone()\nt += 1", "del t\nt = torch.ones(1)", "del x, t")
    assert "immutable-written" not in codes(traced(tmp_path, text + f"\n{again}".join(right) + f"\n{again}{end}"))


def test_bytes_that_only_the_tensor_holds_may_be_written(tmp_path):
    text = START + "t = torch.frombuffer(bytes(bytearray(8)), dtype=torch.uint8)\nt += 1\nprint(t)\n"
    assert "immutable-written" not in codes(traced(tmp_path, text))
