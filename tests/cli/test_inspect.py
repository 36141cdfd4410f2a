"""Requests that make no sense are refused in one sentence that says what would, and requests that do are understood."""

import json
import os
import pickle
import re

import numpy as np
import pytest
import torch

from tests.cli.tools import PLAIN_TEXT, refused, report, rows, run, said

EXPRESSION = "the expression"


# Names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("frm_numpy", "unknown conversion 'frm_numpy': did you mean torch.from_numpy"),
        ("numpy,qwzx", "unknown conversion 'qwzx': see tensorbridge list conversions."),
        ("asarray", "conversion 'asarray' is ambiguous: use np.asarray or torch.asarray, or specify --direction."),
        ("--dtype flot32", "unknown dtype 'flot32': did you mean float32"),
        ("--dtype qwzx", "unknown dtype 'qwzx': see tensorbridge list dtypes."),
        ("--dtype float", "dtype 'float' means float64 in NumPy and float32 in PyTorch: specify which of the two."),
        ("--to-dtype flot32", "unknown dtype 'flot32': did you mean float32"),
        ("--layout revrsed", "unknown layout 'revrsed': did you mean reversed?"),
        ("--layout non-contiguous+qwzx", "unknown layout 'qwzx': see tensorbridge list layouts."),
        ("--state readonly", "unknown state 'readonly': did you mean read-only?"),
        (
            "--state conjugate-bit+read-only",
            "state 'conjugate-bit+read-only' combines a NumPy state and a PyTorch",
        ),
        ("--format qwzx", "unknown --format 'qwzx': use table, grid, tsv, csv"),
        ("--isolation thread", "unknown --isolation 'thread': use fork, spawn or none."),
        ("--direction up", "unknown --direction 'up': the closest are numpy-to-"),
        ("--direction numpy-to-torhc", "unknown --direction 'numpy-to-torhc': did you mean numpy-to-torch"),
        ("--color sometimes", "unknown --color 'sometimes': use auto, always or never."),
        ("--plugin nope", "--plugin 'nope': ModuleNotFoundError: No module named 'nope'."),
    ],
)
def test_an_unknown_name_is_answered_with_the_closest(arguments, sentence):
    assert refused(*arguments.split()).startswith(sentence)


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ("4,-1", "shape '4,-1': -1 is negative; dimensions are 0 or more."),
        ("4,x", "shape '4,x': 'x' is not an integer; specify a shape such as 4,3 or 2x3x4."),
        ("4,,3", "shape '4,,3': '' is not an integer; specify a shape such as 4,3 or 2x3x4."),
        ("1.5", "shape '1.5': '1.5' is not an integer; specify a shape such as 4,3 or 2x3x4."),
        ("99999999999,99999999", "shape '99999999999,99999999' has more elements than memory can address"),
    ],
)
def test_a_bad_shape(shape, sentence):
    assert refused("--shape", shape).startswith(sentence)


@pytest.mark.parametrize("seconds", ["0", "nan", "soon"])
def test_a_bad_timeout(seconds):
    assert refused("--timeout", seconds).startswith(
        f"--timeout {seconds}: specify the time limit per experiment in seconds"
    )


# One's own object ------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """A folder of files, none of which is what its ending says, and one that is."""
    np.save(tmp_path / "good.npy", np.arange(6.0))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "good.npy").read_bytes()[:-5])
    (tmp_path / "pickled.pt").write_bytes(pickle.dumps([1]))
    (tmp_path / "folder.npy").mkdir()
    np.save(tmp_path / "objects.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    torch.save({"weight": torch.zeros(3)}, tmp_path / "model.pt")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("nope.npy", "file 'nope.npy' does not exist."),
        ("folder.npy", "'folder.npy' is a directory: specify a file in it."),
        ("cut.npy", "'cut.npy' is damaged, truncated or not a .npy file"),
        (
            "objects.npy",
            "'objects.npy' contains an array of Python objects, which only unpickling can load",
        ),
        ("pickled.pt", "'pickled.pt' contains a bare pickle, which only unpickling can load. It is not loaded because"),
        ("model.pt:bias", "'model.pt' has no tensor 'bias': it contains 'weight'."),
    ],
)
def test_a_bad_file(folder, file, sentence):
    assert refused("--file", file, cwd=folder).startswith(sentence)


def _ends_when_asked(error: str) -> str:
    """Return code that makes an array whose own ``shape`` raises ``error``."""
    shape = f"property(lambda self: (_ for _ in ()).throw({error}))"
    return f"np.ones(3).view(type('A', (np.ndarray,), {{'shape': {shape}}}))"


def test_a_result_whose_own_code_raises_is_no_failure_of_ours():
    code = f"(x, {_ends_when_asked('OSError(7)')})[1]"
    done = run("inspect", "--expr", "np.ones(3)", "--code", code, "--format", "json")
    assert done.returncode == 0, done.stderr
    (absent,) = json.loads(done.stdout)["not_applicable"]
    assert absent["reason"] == "an object's own code raised OSError: 7 while it was inspected"


def test_a_result_whose_class_says_what_is_not_so_is_not_read():
    code = "(x, np.ones(3).view(type('A', (np.ndarray,), {'dtype': property(lambda self: 'no')})))[1]"
    done = run("inspect", "--expr", "np.ones(3)", "--code", code, "--format", "json")
    assert done.returncode == 0, done.stderr
    (absent,) = json.loads(done.stdout)["not_applicable"]
    assert absent["reason"] == "the result cannot be inspected: the class A does not give NumPy's own dtype"


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("1/0", f"{EXPRESSION} raised ZeroDivisionError: division by zero"),
        ("1+", "--expr '1+' is not a Python expression: invalid syntax."),
        ("'text'", f"{EXPRESSION} cannot be converted: a str is not an array, a tensor or a list of numbers."),
        ("__import__('os')._exit(3)", "building the source crashed the process: exit code 3."),
        ("__import__('sys').exit(4)", f"{EXPRESSION} raised SystemExit: 4"),
        (_ends_when_asked("SystemExit(7)"), f"{EXPRESSION} cannot be converted: its own code raised SystemExit: 7."),
        (_ends_when_asked("OSError('no')"), f"{EXPRESSION} cannot be converted: its own code raised OSError: no."),
    ],
)
def test_a_bad_expression(expression, sentence):
    assert refused("--expr", expression).startswith(sentence)


def test_an_expression_that_hangs():
    sentence = refused("--expr", "[0 for _ in iter(int, 1)]", "--timeout", "1")
    assert sentence == "building the source did not finish within 1 seconds; use a longer --timeout."


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("numpy", "--object 'numpy': specify package.module:name."),
        ("nope:x", "the object 'nope:x' raised ModuleNotFoundError: No module named 'nope'"),
        ("numpy:nope", "the object 'numpy:nope' raised AttributeError: module 'numpy' has no attribute 'nope'"),
    ],
)
def test_a_bad_object(name, sentence):
    assert refused("--object", name).startswith(sentence)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--file good.npy --expr 1", "--file and --expr cannot be combined: specify one source."),
        ("--expr 1 --object numpy:pi", "--expr and --object cannot be combined: specify one source."),
        ("--expr 1 --dtype int8", "--dtype cannot be combined with --expr: it describes a generated source."),
        (
            "--file good.npy --layout non-contiguous",
            "--layout cannot be combined with --file: it describes a generated source.",
        ),
        ("--file good.npy --state plain,read-only", "--file accepts at most one --shape, one --dtype and one --state."),
    ],
)
def test_there_is_one_subject(folder, arguments, sentence):
    assert refused(*arguments.split(), cwd=folder).startswith(sentence)


# What this environment cannot do ---------------------------------------------------------------


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA here")
def test_a_device_that_is_not_there():
    devices = "cpu, meta, mps" if torch.backends.mps.is_available() else "cpu, meta"
    assert refused("--device", "cuda", code=3) == f"device 'cuda' is not available (available: {devices})."


def test_more_memory_than_there_is():
    sentence = refused("--shape", "2000000,2000000", "--dtype", "float64", code=3)
    assert re.fullmatch(
        r"Tensor.numpy of 2000000×2000000 float64 needs 32\.0 TB for the source; [0-9.]+ GB are available\. "
        r"Use a smaller --shape; --force runs it anyway\.",
        sentence,
    )


# Target dtypes ---------------------------------------------------------------------------------


def test_a_target_dtype_for_a_named_conversion_that_takes_none():
    sentence = refused("from_numpy", "--to-dtype", "float64")
    assert sentence.startswith("torch.from_numpy does not accept a target dtype: omit --to-dtype, or use one that does")


def test_a_target_dtype_for_the_defaults():
    found = report("--to-dtype", "float64")
    assert {case["conversion"]: case["reason"] for case in found["not_applicable"]} == {
        "Tensor.numpy": "it does not accept a target dtype",
        "torch.from_numpy": "it does not accept a target dtype",
    }
    assert [row["result"]["dtype"] for row in found["observations"]] == ["float64", "float64"]


# --output --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("nope/x.json", "cannot write to nope/x.json: there is no folder "),
        ("/proc/nope/x.json", "cannot write to /proc/nope/x.json: there is no folder /proc/nope."),
        ("/proc/x.json", "cannot write to /proc/x.json: No such file or directory."),
        ("folder.json", "cannot write to folder.json: it is a folder."),
        ("x.doc", "--output 'x.doc': unknown extension (known: .txt, .tsv, .csv, "),
        ("", "--output '': unknown extension"),
    ],
)
def test_an_output_that_cannot_be_written(tmp_path, output, sentence):
    (tmp_path / "folder.json").mkdir()
    runs = f"open({str(tmp_path / 'ran')!r}, 'w').close()"
    assert refused("--setup", runs, "--output", output, cwd=tmp_path).startswith(sentence)
    assert os.listdir(tmp_path) == ["folder.json"]


def test_an_output_that_is_full():
    sentence = said(run("inspect", "numpy", "-o", "/dev/full", "--format", "tsv"), 3)
    assert sentence == "cannot write to /dev/full: No space left on device."


def test_a_run_that_fails_leaves_the_file_as_it_was(tmp_path):
    (tmp_path / "old.json").write_text("as it was")
    refused("--expr", "1/0", "-o", "old.json", cwd=tmp_path)
    refused("--expr", "1/0", "-o", "new.json", cwd=tmp_path)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"old.json": "as it was"}


def test_the_ending_of_the_output_says_the_format(tmp_path):
    for name in ("x.jsonl", "x.tsv", "x.txt"):
        done = run("inspect", "from_numpy", "-o", name, cwd=tmp_path, FORCE_COLOR="1")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    text = {file.suffix: file.read_text() for file in tmp_path.iterdir()}
    assert [next(iter(json.loads(line))) for line in text[".jsonl"].splitlines()] == [
        "schema",
        "observation",
        "summary",
    ]
    assert text[".tsv"].startswith("conversion\tdirection\t")
    assert text[".txt"].startswith("Source: 4×3 float32")
    assert PLAIN_TEXT.fullmatch(text[".txt"])


def test_the_output_goes_where_a_link_leads(tmp_path):
    (tmp_path / "target.txt").write_text("as it was")
    (tmp_path / "link.json").symlink_to("target.txt")
    assert run("inspect", "from_numpy", "-o", "link.json", cwd=tmp_path).returncode == 0
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "target.txt").read_text())["summary"]["shared"] == 1


# Understood ------------------------------------------------------------------------------------


def test_lists_and_repetitions():
    found = report(
        "from_numpy,tensor", "-d", "int8,bool", "-d", ">f4", "-s", "4,3", "-s", "2x3", "-l", "non-contiguous,offset"
    )
    subjects = [row["subject"] for row in found["observations"]]
    assert len(subjects) == 2 * 3 * 2 * 2
    assert {subject["dtype"] for subject in subjects} == {"int8", "bool", "float32"}
    assert {tuple(subject["shape"]) for subject in subjects} == {(4, 3), (2, 3)}
    assert {subject["layout"] for subject in subjects} > {"non-contiguous", "offset", "byte-swapped+non-contiguous"}


def test_a_conversion_of_ones_own(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from tensorbridge_cli.catalog.registry import NUMPY, TORCH, Conversion, register\n"
        "code = 'torch.from_numpy(x + x)'\n"
        "register(Conversion(name='mine.twice', sources=(NUMPY,), target=TORCH, code=code, page=''))\n"
    )
    row = rows("twice", "--plugin", "mine", cwd=tmp_path)["mine.twice"]
    assert (row["outcome"], row["values"]) == ("copied", "changed")


def test_an_object_of_ones_own_and_code_before_it(tmp_path):
    (tmp_path / "data.py").write_text("import numpy\ndef load(): return numpy.arange(6.0)[::2]\n")
    assert rows("from_numpy", "--object", "data:load", cwd=tmp_path)["torch.from_numpy"]["outcome"] == "shared"
    row = rows("from_numpy", "--setup", "import data; n = 2", "--expr", "data.load()[:n]", cwd=tmp_path)
    assert row["torch.from_numpy"]["source"]["strides"] == [16]


def test_versions_are_texts_in_this_process_too():
    done = run("inspect", "from_numpy", "--isolation", "none", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["environment"]["torch"]


def test_what_torch_func_wraps_is_refused_in_a_sentence():
    setup = "kept = []\ntorch.func.grad(lambda x: (kept.append(x), x.sum())[1])(torch.ones(3))"
    assert "wrapped by torch.func" in refused("numpy", "--setup", setup, "--expr", "kept[0]")
