"""What users type: shapes, seconds, comma lists, and how a shell completes them."""

import json
import re

import pytest

from tensorbridge_cli.catalog import dtypes, layouts, registry, states
from tensorbridge_cli.errors import RequestError
from tensorbridge_cli.survey import request_text, words
from tests.cli.tools import environment, refused, report, run, said

BASH = {"_TENSORBRIDGE_COMPLETE": "complete_bash"}


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("4,3", (4, 3)),
        ("2x3x4", (2, 3, 4)),
        ("2×3", (2, 3)),
        (" 4, 3 ", (4, 3)),
        ("(4, 3)", (4, 3)),
        ("[4,3]", (4, 3)),
        ("(4,)", (4,)),
        ("7", (7,)),
        ("0,3", (0, 3)),
        ("", ()),
        ("()", ()),
    ],
)
def test_a_shape(text, shape):
    assert words.shape(text) == shape


@pytest.mark.parametrize(
    "text", ["4,", ",4", ",", "4 3", "4x", "x", "4xx3", "(4,3", "4,3)", "(4)(3)", "1e3", "٤x", "4,-3", "9" * 5000]
)
def test_a_bad_shape(text):
    with pytest.raises(RequestError, match="shape "):
        words.shape(text)


@pytest.mark.parametrize(("text", "seconds"), [("10", 10.0), ("0.5", 0.5), (3, 3.0), ("1e3", 1000.0)])
def test_seconds(text, seconds):
    assert request_text.seconds(text, "--timeout") == seconds


@pytest.mark.parametrize("text", ["", "0", "-0.1", "nan", "inf", "1e9", "10s"])
def test_bad_seconds(text):
    with pytest.raises(RequestError, match=f"--timeout {text}: specify the time limit"):
        request_text.seconds(text, f"--timeout {text}")


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (None, ()),
        ([""], ()),
        (["a,b", "c"], ("a", "b", "c")),
        ([" a , b", "a"], ("a", "b")),
        (["[('x', '<f4'), ('y', '<i4')],int8"], ("[('x', '<f4'), ('y', '<i4')]", "int8")),
        (["Tensor.numpy(force=True),tensor"], ("Tensor.numpy(force=True)", "tensor")),
    ],
)
def test_lists(given, names):
    assert words.split(given or ()) == names


# Completion ------------------------------------------------------------------------------------


def completed(line):
    """Return what bash offers for the last word of ``line``."""
    words = line.split(" ")
    return run(COMP_WORDS=line, COMP_CWORD=str(len(words) - 1), **BASH).stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ins", ["inspect"]),
        ("list d", ["dtypes"]),
        ("inspect --dir", ["--direction"]),
        ("inspect --dtype bfl", ["bfloat16"]),
        ("inspect --dtype int8,bfl", ["int8,bfloat16"]),
        ("inspect --to-dtype complex6", ["complex64"]),
        ("inspect --layout rev", ["reversed"]),
        ("inspect --layout offset,rev", ["offset,reversed"]),
        ("inspect --layout byte-swapped+rev", ["byte-swapped+reversed"]),
        ("inspect --state requires-", ["requires-grad"]),
        ("inspect --state plain,conjugate-bit+requires-", ["plain,conjugate-bit+requires-grad"]),
        ("inspect --direction torch-to-n", ["torch-to-numpy"]),
        ("inspect --isolation s", ["spawn"]),
        ("inspect --format json", ["json", "jsonl"]),
        ("inspect --color n", ["never"]),
    ],
)
def test_what_bash_offers(line, offered):
    assert completed(f"tensorbridge {line}") == offered


@pytest.mark.parametrize(
    ("typed", "conversion"), [("from_n", "from_numpy"), ("Tensor.det", "Tensor.detach"), ("a,from_n", "a,from_numpy")]
)
def test_what_bash_offers_of_conversions(typed, conversion):
    offered = completed(f"tensorbridge inspect {typed}")
    assert conversion in offered
    assert all(name.startswith(typed) for name in offered)


@pytest.mark.parametrize(
    ("option", "names"),
    [
        ("", [entry.name for entry in registry.CONVERSIONS]),
        ("--dtype ", [entry.name for entry in dtypes.DTYPES]),
        ("--layout ", list(layouts.BY_NAME)),
        ("--state ", ["plain", *states.BY_NAME]),
    ],
)
def test_everything_is_offered_once(option, names):
    offered = completed(f"tensorbridge inspect {option}")
    assert offered[: len(names)] == names
    assert len(set(offered)) == len(offered)


@pytest.mark.parametrize(
    ("shell", "offered"),
    [("zsh", "_arguments '*: :((\"offset,reversed\"))'\n"), ("fish", "offset,reversed\n")],
)
def test_what_other_shells_offer(shell, offered):
    line = "tensorbridge inspect --layout offset,rev"
    done = run(
        _TENSORBRIDGE_COMPLETE=f"complete_{shell}", _TYPER_COMPLETE_ARGS=line, _TYPER_COMPLETE_FISH_ACTION="get-args"
    )
    assert done.stdout == offered


def test_completion_does_not_mind_a_broken_pyproject(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool")
    done = run(cwd=tmp_path, COMP_WORDS="tensorbridge inspect --layout rev", COMP_CWORD="3", **BASH)
    assert (done.stdout, done.stderr) == ("reversed\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_that_a_shell_sources(shell):
    assert "_TENSORBRIDGE_COMPLETE=complete_" in run("--show-completion", shell, **environment()).stdout


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (("--layout", "C"), ("--layout", "contiguous")),
        (("--layout", "non-contiguous,F"), ("--layout", "sliced,fortran")),
        (("--layout", "column-major"), ("--layout", "fortran")),
        (("--dtype", "torch.float,np.int16"), ("--dtype", "float32,int16")),
        (("--dtype", "int64", "--to-dtype", "numpy.float16"), ("--dtype", "int64", "--to-dtype", "float16")),
    ],
)
def test_the_words_of_numpy_and_torch_are_taken(typed, meant):
    found, other = (report("torch.as_tensor", "--direction", "numpy-to-torch", *asked) for asked in (typed, meant))
    assert [(row["subject"], row["to_dtype"]) for row in found["observations"]] == [
        (row["subject"], row["to_dtype"]) for row in other["observations"]
    ]


@pytest.mark.parametrize(
    ("option", "old", "new"),
    [
        ("--layout", "strided", "non-contiguous"),
        ("--layout", "byte-swapped+Negative", "byte-swapped+reversed"),
        ("--state", "neg", "negative-bit"),
        ("--state", "conj+requires-grad", "conjugate-bit+requires-grad"),
    ],
)
def test_an_old_name_is_taken_with_a_note(option, old, new):
    asked = ("torch.as_tensor", "Tensor.clone", "--dtype", "complex64")
    typed, meant = (run("inspect", *asked, option, name, "--format", "json") for name in (old, new))
    subjects = [
        [(row["conversion"], row["subject"]) for row in json.loads(done.stdout)["observations"]]
        for done in (typed, meant)
    ]
    assert subjects[0] == subjects[1]
    assert " is now " in typed.stderr
    assert "the old name works for one more release.\n" in typed.stderr
    assert " is now " not in meant.stderr


def test_an_old_name_in_a_file_is_taken_with_a_note(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.tensorbridge]\nlayout = 'strided'")
    done = run("inspect", "from_numpy", "--format", "json", cwd=tmp_path)
    assert json.loads(done.stdout)["observations"][0]["subject"]["layout"] == "non-contiguous"
    assert done.stderr == "--layout strided is now non-contiguous: the old name works for one more release.\n"


@pytest.mark.parametrize("name", ["aligned", "non-negative", "uncontiguous"])
def test_the_opposite_is_never_meant(name):
    sentence = refused("--layout", name)
    assert not {"unaligned", "reversed", "contiguous"} & set(re.findall(r"[\w-]+", sentence.partition(": ")[2]))


@pytest.mark.parametrize(
    "option", ["--file", "--expr", "--object", "--setup", "--to-dtype", "--direction", "--device", "--want", "-o"]
)
def test_no_value_is_replaced_without_a_word(option):
    assert refused(option, "a", option, "a").endswith(" is given 2 times but accepts one value.")
    assert refused("numpy", f"{option}", "a", "tensor", option, "b").endswith(" but accepts one value.")


def test_nor_is_that_of_another_command():
    for command in (["check", "--baseline"], ["check", "--expectations"], ["repro", "--from"], ["matrix", "--timeout"]):
        assert "2 times" in said(run(*command, "1", *command[1:], "2"), 2)


@pytest.mark.parametrize("name", ["--group", "--dtype", "--layout", "--state", "--device", "--to-dtype", "--python"])
@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_value_is_not_the_default(name, value):
    assert refused("from_numpy", name, value) == f"{name} is empty: specify a value, or omit it."


def test_an_empty_name_is_not_the_default():
    assert refused("") == "CONVERSION is empty: specify a value, or omit it."
    assert said(run("show", ""), 2).startswith("cannot read '': ")


def test_a_file_is_not_a_module(tmp_path):
    (tmp_path / "obj.py").write_text("x = 1")
    sentence = "--object 'obj.py:x': specify the module, not its file, e.g. obj:x."
    assert refused("--object", "obj.py:x", cwd=tmp_path) == sentence
    assert refused("--object", "lib/obj.py:x", cwd=tmp_path).endswith(", e.g. lib.obj:x.")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("\u2013-all", "--all"), ("\u2014all", "--all"), ("\u2212s", "-s"), ("-\u2013dtype=f4", "--dtype")],
)
def test_another_dash_is_told(typed, meant):
    assert refused(typed) == f"the dash of {typed!r} is not that of an option: did you mean {meant}?"
