"""Objects of JAX, Pillow, SciPy, xarray, h5py and zarr in ``inspect``: what is reported is what happens to them.

The oracle answers in a process that has none of the tool's code, see ``tests.truths``.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tensorbridge_cli.catalog import registry
from tensorbridge_cli.catalog.carriers import GROUPS
from tensorbridge_cli.lab.client import Laboratory
from tensorbridge_cli.lab.experiment import Given
from tensorbridge_cli.records.report import Library, Origin, Report, Row
from tensorbridge_cli.survey.request import Request
from tensorbridge_cli.survey.run import survey
from tests.tools import started
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
import sys, h5py, numpy as np, zarr
with h5py.File(sys.argv[1] + "/data.h5", "w") as file:
    file["group/x"] = np.arange(6.0).reshape(2, 3)
zarr.open_array(sys.argv[1] + "/data.zarr", mode="w", shape=(2, 3), dtype="f8")[...] = np.arange(6.0).reshape(2, 3)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of h5py and zarr, made by a process of its own: zarr starts threads."""
    folder = tmp_path_factory.mktemp("files")
    if not (is_installed(Library.H5PY) and is_installed(Library.ZARR)):
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
    with started() as lab:
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
    questions = []
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


def observed(row: Row) -> Truth:
    return Truth(str(row.outcome), str(row.writes.source_to_result), str(row.writes.result_to_source))


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
