"""No command overwrites what it reads, or a read-only file; it is refused before anything runs."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tests.cli.tools import run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of inputs, made once."""
    folder = tmp_path_factory.mktemp("inputs")
    np.save(folder / "data.npy", np.arange(3.0))
    (folder / "raw.json").write_bytes(bytes(12))
    (folder / "own.py").write_text("import numpy as np\nx = np.ones(3)\nprint('ran')\n")
    (folder / "pack").mkdir()
    (folder / "pack/__init__.py").write_text("")
    (folder / "pack/part.py").write_text("import numpy as np\nx = np.ones(3)\n")
    (folder / "plug.py").write_text("")
    (folder / "pyproject.toml").write_text("[project]\nname = 'user'\n")
    (folder / "expect.toml").write_text("[[expect]]\nconversion = 'from_numpy'\nfile = 'data.npy'\nexpect = 'shared'\n")
    (folder / "mark.toml").write_text((folder / "expect.toml").read_text(), encoding="utf-8-sig")
    for name in ("report.json", "other.json"):
        assert run("inspect", "numpy", "-o", str(folder / name)).returncode == 0
    return folder


@pytest.fixture
def folder(made, tmp_path):
    shutil.copytree(made, tmp_path / "work")
    return tmp_path / "work"


def contents(folder):
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


COMMANDS = [
    ("inspect --file data.npy --format json -o data.npy", "--file"),
    ("inspect --file raw.json --dtype float32 --shape 3 -o raw.json", "--file"),
    ("inspect --object own:x --format json -o own.py", "--object"),
    ("check --object pack.part:x --format json -o pack/part.py", "--object"),
    ("check --object pack.part:x --format json -o pack/__init__.py", "--object"),
    ("inspect --plugin plug --format json -o plug.py", "--plugin"),
    ("inspect --expr np.load('data.npy') --format json -o data.npy", "--expr"),
    ("inspect numpy --setup x=open('raw.json') -o raw.json", "--setup"),
    ("check --expectations expect.toml --format json -o expect.toml", "--expectations"),
    ("check --expectations expect.toml --format json -o data.npy", "--expectations"),
    ("check --expectations mark.toml --format json -o data.npy", "--expectations"),
    ("check --baseline report.json -o report.json", "--baseline"),
    ("snapshot -o pyproject.toml", "the configuration"),
    ("inspect numpy --format json -o pyproject.toml", "the configuration"),
    ("show report.json --format json -o report.json", "REPORT|TRACE"),
    ("diff report.json other.json --format json -o report.json", "FILE"),
    ("diff report.json other.json --format json -o other.json", "FILE"),
    ("repro numpy --from report.json -o report.json", "--from"),
    ("trace --format json -o own.py own.py", "PROGRAM"),
    ("trace -o raw.json own.py raw.json", "PROGRAM"),
    ("trace -o raw.json own.py --data=raw.json", "PROGRAM"),
    ("trace --format json -o own.py -m own", "PROGRAM"),
    ("trace --format json -o pack/part.py -m pack.part", "PROGRAM"),
    ("trace -o raw.json -c open('raw.json')", "PROGRAM"),
]


@pytest.mark.parametrize(("line", "label"), COMMANDS)
def test_an_input_is_not_overwritten(folder, line, label):
    before = contents(folder)
    done = run(*line.split(), cwd=folder)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert f"would overwrite the input of {label}: specify another file." in done.stderr
    assert contents(folder) == before


@pytest.mark.skipif(not os.path.exists("/dev/stdin"), reason="standard input has no path")
def test_nor_is_standard_input(folder):
    before = contents(folder)
    with (folder / "report.json").open() as file:
        command = [sys.executable, "-m", "tensorbridge_cli", "show", "-", "--format", "json", "-o", "report.json"]
        done = subprocess.run(command, cwd=folder, stdin=file, capture_output=True, text=True, check=False)
    assert "would overwrite the input of standard input: specify another file." in done.stderr
    assert (done.returncode, contents(folder)) == (2, before)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_nor_under_another_name(folder, link):
    link(folder / "data.npy", folder / "link.json")
    before = contents(folder)
    for asked in (("--file", "data.npy", "-o", "link.json"), ("--file", "link.json", "-o", "data.npy")):
        more = ("--dtype", "uint8", "--shape", str(len(before[str(folder / "data.npy")]))) if "link" in asked[1] else ()
        done = run("inspect", "numpy", "--format", "json", *asked, *more, cwd=folder)
        assert done.returncode == 2
        assert "would overwrite the input of --file: specify another file." in done.stderr
    assert contents(folder) == before


@pytest.mark.parametrize("command", ["inspect numpy", "trace own.py", "show report.json", "matrix --format jsonl"])
def test_a_read_only_file_is_not_replaced(folder, command):
    target = folder / "kept.json"
    target.write_text("kept")
    target.chmod(0o444)
    name, *rest = command.split()
    done = run(name, "-o", "kept.json", *rest, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: cannot write to kept.json: it is read-only.\n"
    assert target.read_text() == "kept"


def test_another_file_is_written_as_before(folder):
    (folder / "old.json").write_text("old")
    assert run("inspect", "numpy", "--file", "data.npy", "-o", "old.json", cwd=folder).returncode == 0
    assert (folder / "old.json").read_text().startswith("{")
