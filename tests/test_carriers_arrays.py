"""Objects of JAX, Pillow, SciPy, xarray, h5py and zarr in ``inspect``: what is reported is what happens to them.

The oracle answers in a process that has none of the tool's code, see ``tests.truths``.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import tensorbridge_cli as tb
from tensorbridge_cli.catalog import registry
from tensorbridge_cli.catalog.carriers import GROUPS
from tensorbridge_cli.catalog.conversions import of_images, of_jax, of_xarray
from tensorbridge_cli.catalog.documentation import bare, says
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.lab.experiment import Given
from tensorbridge_cli.records.enums import Library, Origin
from tensorbridge_cli.records.report import Report
from tensorbridge_cli.subjects import files
from tensorbridge_cli.survey.request import Request
from tensorbridge_cli.survey.run import survey
from tests.tools import ROOT, observed, started
from tests.truths import Question, Truth, truths

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the oracle writes through /proc/self/mem"),
    pytest.mark.filterwarnings("ignore"),
]

JNP, SP, XR = "__import__('jax.numpy').numpy", "__import__('scipy.sparse').sparse", "__import__('xarray')"
IMAGE = "__import__('PIL.Image').Image"
OBJECTS = {
    "jax float32": f"{JNP}.arange(6.0).reshape(2, 3)",
    "jax int32": f"{JNP}.arange(1, 5)",
    "jax bfloat16": f"{JNP}.arange(4.0, dtype='bfloat16')",
    "image": f"{IMAGE}.new('RGB', (3, 2), (1, 2, 3))",
    "gray image": f"{IMAGE}.new('L', (3, 2), 5)",
    "sparse csr": f"{SP}.csr_array(np.eye(3))",
    "sparse coo matrix": f"{SP}.coo_matrix(np.eye(3))",
    "sparse csc": f"{SP}.csc_array(np.eye(3, dtype='f4'))",
    "data array": f"{XR}.DataArray(np.arange(6.0).reshape(2, 3), dims=('a', 'b'))",
    "non-contiguous data array": f"{XR}.DataArray(np.arange(8, dtype='f4')[::2])",
    "h5py": "__import__('h5py').File({folder!r} + '/data.h5')['group/x']",
    "h5py, to be written": "__import__('h5py').File({folder!r} + '/data.h5', 'r+')['group/x']",
    "zarr": "__import__('zarr').open_array({folder!r} + '/data.zarr', mode='r')",
    "zarr, to be written": "__import__('zarr').open_array({folder!r} + '/data.zarr', mode='r+')",
}
MODULES = {"jax": "jax", "PIL": "pillow", "scipy": "scipy", "xarray": "xarray", "h5py": "h5py", "zarr": "zarr"}
TYPES = {
    Library.JAX: "jax.Array",
    Library.PILLOW: "PIL.Image.Image",
    Library.XARRAY: "xarray.DataArray",
    Library.H5PY: "h5py.Dataset",
    Library.ZARR: "zarr.Array",
}
MAKE_FILES = """
import sys, h5py, numpy as np, zarr, PIL.Image
with h5py.File(sys.argv[1] + "/data.h5", "w") as file:
    file["group/x"] = np.arange(6.0).reshape(2, 3)
with h5py.File(sys.argv[1] + "/checked.h5", "w") as file:
    file.create_dataset("x", data=np.arange(6.0), fletcher32=True)
with h5py.File(sys.argv[1] + "/kinds.h5", "w") as file:
    file["text"], file["empty"] = "one", h5py.Empty("f4")
    file["reference"] = file["text"].ref
    file.create_dataset("references", data=[file["text"].ref] * 2, dtype=h5py.ref_dtype)
zarr.open_array(sys.argv[1] + "/data.zarr", mode="w", shape=(2, 3), dtype="f8")[...] = np.arange(6.0).reshape(2, 3)
zarr.open_group(sys.argv[1] + "/group.zarr", mode="w").create_array("deep/x", shape=4, dtype="f4")[...] = 1
PIL.Image.new("RGB", (3, 2), (1, 2, 3)).save(sys.argv[1] + "/image.png")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of each, made by a process of its own: zarr starts threads."""
    folder = tmp_path_factory.mktemp("files")
    if not all(map(is_installed, (Library.H5PY, Library.ZARR, Library.PILLOW))):
        return folder
    subprocess.run([sys.executable, "-c", MAKE_FILES, str(folder)], check=True)
    for name in ("oracle", "unchanged"):
        shutil.copytree(folder, for_the_oracle(folder, name))
    return folder


def for_the_oracle(folder: Path, name: str = "oracle") -> Path:
    """A copy of the files that the oracle writes to, or of the files as they were."""
    return folder.with_name(f"{folder.name}-{name}")


@pytest.fixture(scope="module")
def lab() -> Iterator[Laboratory]:
    """A laboratory whose server has imported the libraries once; JAX starts its threads later, in each fork."""
    installed = [module for module, name in MODULES.items() if is_installed(Library(name))]
    with started(setup="; ".join(f"import {module}" for module in installed)) as lab:
        yield lab


def library_of(kind: str) -> Library:
    return next(Library(name) for module, name in MODULES.items() if f"('{module}" in OBJECTS[kind])


def is_installed(library: Library) -> bool:
    """Whether there is the library, which is not imported here: JAX and zarr start threads."""
    return importlib.util.find_spec({name: module for module, name in MODULES.items()}[library]) is not None


def expression(kind: str, folder: Path) -> str:
    return OBJECTS[kind].format(folder=str(folder)) if "{folder!r}" in OBJECTS[kind] else OBJECTS[kind]


def entries(library: Library) -> list[registry.Conversion]:
    return [entry for entry in registry.group(GROUPS[library]) if library in entry.sources]


@pytest.fixture(scope="module")
def answers(folder: Path) -> dict[Question, Truth]:
    questions = [(source, registry.find(name).code, registry.find(name).setup) for name, source in MADE_OF]
    for kind in filter(lambda kind: is_installed(library_of(kind)), OBJECTS):
        library = library_of(kind)
        dtype = kind.rpartition(" ")[2]
        text = expression(kind, for_the_oracle(folder))
        questions += [(text, one.code_for(library, dtype), one.setup) for one in entries(library)]
    return truths(questions)


@pytest.fixture(scope="module", params=OBJECTS)
def inspected(request: pytest.FixtureRequest, lab: Laboratory, folder: Path) -> tuple[str, Report]:
    if not is_installed(library_of(request.param)):
        pytest.skip(f"{library_of(request.param)} is not installed")
    given = Given(origin=Origin.EXPRESSION, text=expression(request.param, folder))
    return request.param, survey([Request(given=given)], lab, "fork", remedies=True)


def test_what_happens_to_an_object_is_what_is_reported(
    inspected: tuple[str, Report], answers: dict[Question, Truth], folder: Path
) -> None:
    kind, report = inspected
    library = library_of(kind)
    assert [row.conversion for row in report.observations] == [entry.name for entry in entries(library)]
    assert not report.not_applicable
    for row in report.observations:
        assert row.internal_error is None
        entry = registry.find(row.conversion)
        truth = answers[
            (expression(kind, for_the_oracle(folder)), entry.code_for(library, kind.rpartition(" ")[2]), entry.setup)
        ]
        if "to be written" in kind and truth.outcome != "refused":
            truth = truth._replace(source_to_result="not-tried")  # the file is the user's
        assert observed(row) == truth, (kind, row.conversion)


def test_an_object_is_described(inspected: tuple[str, Report]) -> None:
    kind, report = inspected
    library = library_of(kind)
    for row in report.observations:
        assert row.subject.library == library
        assert row.source.type == TYPES.get(library, row.source.type)
        assert row.source.immutable is (library is Library.JAX)
        assert row.source.writable is (library is not Library.JAX and kind not in ("h5py", "zarr"))
        assert row.source.device == "cpu"
        assert row.libraries[0][1][0].isdigit()
        assert row.source.owner in ("itself", "numpy.ndarray", None)


def test_what_jax_calls_immutable_is_written(inspected: tuple[str, Report]) -> None:
    kind, report = inspected
    for row in report.observations:
        codes = {hazard.code for hazard in row.hazards}
        written = kind.startswith("jax") and row.writes.result_to_source == "seen"
        assert ("immutable-written" in codes) == written == ("readonly-dropped" in codes)
        assert not codes & {"evidence-conflicts", "subclass-lost", "uninitialized"}


def test_the_owner_of_a_result_is_the_object(inspected: tuple[str, Report]) -> None:
    kind, report = inspected
    for row in report.observations:
        if kind.startswith("jax") and row.outcome == "shared" and row.result.type == "numpy.ndarray":
            assert row.result.owner == "jax.Array"


def test_files_are_not_changed(inspected: tuple[str, Report], folder: Path) -> None:
    kind, report = inspected
    if kind.startswith(("h5py", "zarr")):
        assert all(row.outcome in ("copied", "refused") for row in report.observations)
        assert contents(folder) == contents(for_the_oracle(folder, "unchanged"))


def contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Files --------------------------------------------------------------------------------------------

FILES = {
    "data.h5:group/x": ("h5py.Dataset", "refused"),
    "data.h5": ("h5py.Dataset", "refused"),
    "kinds.h5:text": ("h5py.Dataset", "not-tried"),
    "data.zarr": ("zarr.Array", "refused"),
    "group.zarr:deep/x": ("zarr.Array", "refused"),
    "image.png": ("PIL.PngImagePlugin.PngImageFile", "not-seen"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_opened_by_its_library_and_not_changed(lab: Laboratory, folder: Path, name: str) -> None:
    kind, write = FILES[name]
    module = kind.partition(".")[0]
    if not is_installed(Library(MODULES[module])):
        pytest.skip(f"{module} is not installed")
    given = Given(origin=Origin.FILE, text=name, file=files.parse(str(folder / name)))
    (row,) = survey([Request(given=given, conversions=("np.array",))], lab, "fork").observations
    assert (row.source.type, observed(row)) == (kind, ("copied", write, "not-seen"))
    assert contents(folder) == contents(for_the_oracle(folder, "unchanged"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("data.h5:group", "has no array 'group': did you mean 'group/x'?"),
        ("data.h5:x", "has no array 'x'"),
        ("group.zarr:x", "has no array 'x'"),
        ("kinds.h5:empty", "has no array 'empty'"),
        ("kinds.h5:reference", "each read of its elements gives other objects"),
        ("kinds.h5:references", "each read of its elements gives other objects"),
        ("data.zarr:x", "contains one array without a name"),
        ("image.png:x", "contains one array without a name"),
    ],
)
def test_what_is_not_in_a_file_is_said(lab: Laboratory, folder: Path, name: str, said: str) -> None:
    if not all(map(importlib.util.find_spec, MODULES)):
        pytest.skip("one of the libraries is not installed")
    given = Given(origin=Origin.FILE, text=name)
    with pytest.raises(tb.TensorbridgeError, match=re.escape(said)):
        survey([Request(given=replace(given, file=files.parse(str(folder / name))))], lab, "fork")


@pytest.mark.parametrize("name", ["checked.h5", "data.zarr"])
def test_a_file_with_a_damaged_chunk_is_refused(lab: Laboratory, folder: Path, tmp_path: Path, name: str) -> None:
    if not all(map(is_installed, (Library.H5PY, Library.ZARR, Library.PILLOW))):
        pytest.skip("one of the libraries is not installed")
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    checked, (chunk,) = tmp_path / "checked.h5", (tmp_path / "data.zarr/c").rglob("0/0")
    chunk.write_bytes(b"damaged")
    checked.write_bytes(checked.read_bytes().replace(struct.pack("d", 5), struct.pack("d", 6)))
    given = Given(origin=Origin.FILE, text=name, file=files.parse(str(tmp_path / name)))
    with pytest.raises(tb.TensorbridgeError, match="is damaged, truncated or not a"):
        survey([Request(given=given)], lab, "fork")


def test_a_state_of_such_a_file_is_refused(folder: Path) -> None:
    with pytest.raises(tb.TensorbridgeError, match=r"a \.h5 file is opened by h5py: omit --state"):
        files.parse(str(folder / "data.h5"), words=frozenset({"read-only"}))


# Objects of these libraries, made of arrays and tensors ---------------------------------------------

_PIXELS = "np.arange(12, dtype='u1').reshape(4, 3)"
MADE_OF = [
    ("jnp.asarray", "np.arange(4, dtype='f4')"),
    ("jnp.asarray(copy=False)", "torch.arange(4.0)"),
    ("jnp.array", "torch.arange(4.0)"),
    # the memory of a tensor begins at a multiple of 64 bytes
    ("jnp.from_dlpack", "torch.arange(4.0)"),
    ("jnp.from_dlpack(copy=True)", "torch.arange(4.0)"),
    ("jnp.from_dlpack(copy=False)", "torch.arange(4.0)"),
    ("jnp.from_dlpack(copy=False)", "torch.arange(4.0, dtype=torch.float64)"),
    ("Image.fromarray", _PIXELS),
    ("Image.fromarray", "np.arange(24, dtype='u1').reshape(2, 4, 3)"),
    ("Image.frombuffer", _PIXELS),
    ("xr.DataArray", "np.arange(4.0)"),
]


@pytest.mark.parametrize(("name", "source"), MADE_OF)
def test_what_is_made_of_an_array_is_what_is_reported(
    lab: Laboratory, answers: dict[Question, Truth], name: str, source: str
) -> None:
    entry = registry.find(name)
    if not is_installed(Library(entry.target)):
        pytest.skip(f"{entry.target} is not installed")
    given = Given(origin=Origin.EXPRESSION, text=source)
    (row,) = survey([Request(given=given, conversions=(name,))], lab, "fork").observations
    assert observed(row) == answers[(source, entry.code, entry.setup)]
    codes = {hazard.code for hazard in row.hazards}
    assert ("immutable-written" in codes) == (entry.target == "jax" and row.outcome == "shared")
    assert ("copy-flag-broken" in codes) == (entry.copy is not None and entry.copy is not (row.outcome == "copied"))
    assert "evidence-conflicts" not in codes


def test_a_jax_array_of_an_array_shares_what_is_aligned(lab: Laboratory) -> None:
    for _ in range(3):
        given = Given(origin=Origin.EXPRESSION, text="np.arange(4, dtype='f4')")
        (row,) = survey([Request(given=given, conversions=("jnp.from_dlpack",))], lab, "fork").observations
        assert (row.outcome == "shared") == (int(row.source.pointer, 16) % 64 == 0)


DOCUMENTED = {
    of_jax.JNP_ASARRAY_PAGE: "jax.numpy.asarray",
    of_jax.JNP_ARRAY_PAGE: "jax.numpy.array",
    of_jax.JNP_FROM_DLPACK_PAGE: "jax.numpy.from_dlpack",
    of_images.IMAGE_PAGE: "PIL.Image.frombuffer",
    of_xarray.VALUES_PAGE: "xarray.DataArray.values",
}
DOCSTRINGS = """
import json, pkgutil, sys
print(json.dumps({name: pkgutil.resolve_name(name).__doc__ for name in sys.argv[1:]}))
"""


def test_the_installed_docstrings_say_what_is_quoted() -> None:
    names = [name for name in DOCUMENTED.values() if importlib.util.find_spec(name.partition(".")[0])]
    done = subprocess.run([sys.executable, "-c", DOCSTRINGS, *names], capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    rules = [rule for one in registry.conversions() for rule in one.rules or () if rule.page in DOCUMENTED]
    assert {rule.page for rule in rules} == set(DOCUMENTED)
    for rule in rules:
        if DOCUMENTED[rule.page] in said:
            assert says(bare(said[DOCUMENTED[rule.page]]), rule.sentence)


# Live objects, in a process that uses JAX -----------------------------------------------------------

LIVE = """
import warnings
warnings.simplefilter("error")  # JAX warns if its process forks
import jax.numpy as jnp, numpy as np, torch, xarray, scipy.sparse, h5py, PIL.Image
import tensorbridge_cli as tb
from tensorbridge_cli.testing import assert_copies, assert_shares_memory

x = jnp.arange(6.0).reshape(2, 3)
assert tb.shares_memory(x, np.asarray(x)) and tb.shares_memory(torch.from_dlpack(x), x)
assert not tb.shares_memory(x, np.array(x)) and not tb.shares_memory(x, jnp.arange(6.0))
assert tb.relation(x, np.asarray(x)).overlap_bytes == 24
assert_shares_memory(x, torch.from_dlpack(x)[1:])
assert_copies(x, torch.tensor(x))
found = tb.inspect(x, "torch.from_dlpack", "np.array")
assert [row.outcome for row in found] == ["shared", "copied"], found
assert "immutable-written" in [hazard.code for hazard in found["torch.from_dlpack"].hazards]
assert x[0, 0] == 0
try:
    tb.inspect(x, replica=False)
except tb.TensorbridgeError as error:
    assert "threads" in str(error)
else:
    raise AssertionError

image = PIL.Image.new("RGB", (3, 2), (1, 2, 3))
assert [row.outcome for row in tb.inspect(image, "np.asarray")] == ["copied"]
held = np.eye(3)
matrix = scipy.sparse.csr_array(held)
assert tb.shares_memory(matrix, matrix.data) and tb.shares_memory(matrix.indptr, matrix)
assert not tb.shares_memory(matrix, matrix.copy())
array = xarray.DataArray(held)
assert tb.shares_memory(array, held[1:]) and not tb.shares_memory(array, held.copy())
data = xarray.Dataset({"a": array, "b": ("time", [1, 2])})
assert tb.shares_memory(data, held) and not tb.shares_memory(data, held.copy())
assert tb.relation({"batch": [x, array]}, held).overlaps
"""


@pytest.mark.skipif(not all(map(importlib.util.find_spec, MODULES)), reason="one of the libraries is not installed")
def test_live_objects_are_compared_and_inspected_where_jax_runs() -> None:
    done = subprocess.run([sys.executable, "-c", LIVE], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_set_up_code_that_uses_jax_is_refused_as_its_threads_are_not_forked() -> None:
    code = "import jax.numpy as jnp; x = jnp.ones(3)"
    with pytest.raises(tb.TensorbridgeError, match="use --isolation spawn"), started(setup=code) as lab:
        lab.hello()
    with started(setup="import jax.numpy as jnp") as lab:
        given = Given(origin=Origin.EXPRESSION, text="jnp.ones(3) + 1")
        report = survey([Request(given=given, conversions=("np.asarray",))], lab, "fork")
    assert [row.outcome for row in report.observations] == ["shared"]
